"""A TCP proxy that misbehaves on purpose, and keeps count of who came and when.

It runs an event loop in a thread of its own. A dropped connection is one that the kernel accepts
and that nobody ever answers.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import random
import socket
import struct
import threading
import time
from collections import deque
from collections.abc import Callable, Coroutine, Iterator
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from tests.servers import LOOPBACK
from tlscheck.model import Place

End = Literal["rst", "drop", "fin"]


class Upstream(Protocol):
    """What a proxy stands in front of: a server or another proxy."""

    @property
    def host(self) -> str: ...

    @property
    def port(self) -> int: ...


@dataclass(frozen=True)
class Faults:
    """How a proxy misbehaves; the defaults do nothing."""

    ban_after: int | None = None
    """After so many connections every further one meets `ban`."""
    ban: End = "rst"
    ban_for: float | None = None
    """Seconds until a ban is forgotten and the count starts anew; else never."""
    rate: int | None = None
    """At most so many new connections within a second, the others meet `over`."""
    over: End = "rst"
    delay: float = 0.0
    """Seconds a round trip takes longer, the one that opens the connection included."""
    segment: int | None = None
    """Both directions are cut into segments of so many bytes."""
    close_after: int | None = None
    """The connection is closed after so many bytes of the answer."""
    reject: Callable[[bytes], bool] | None = None
    """A connection whose first bytes it is true of is reset, as by a filter of hellos."""
    hang: bool = False
    """Connections are accepted and never answered."""
    garbage: bytes | None = None
    """Sent over and over instead of an answer."""
    loss: float = 0.0
    """The share of connections (by a fixed seed) that meet `lost`."""
    lost: End = "drop"


@dataclass(frozen=True)
class Visit:
    """One connection to a proxy: when it came (on the monotonic clock) and what it met."""

    at: float
    met: str
    """``served``, or what kept it from it: ``ban``, ``rate``, ``loss``, ``hang``, ``garbage``."""


@dataclass
class Proxy:
    """A running proxy. `faults` may be exchanged while it runs."""

    upstreams: tuple[Upstream, ...]
    faults: Faults
    port: int = 0
    host: str = LOOPBACK
    visits: list[Visit] = field(default_factory=list)
    first: list[bytes] = field(default_factory=list)
    """What each client of a served connection sent first."""

    @property
    def connections(self) -> int:
        """How many connections were opened to it."""
        return len(self.visits)

    @property
    def times(self) -> list[float]:
        """When they came, on the monotonic clock."""
        return [visit.at for visit in self.visits]

    def met(self, what: str) -> int:
        """How many connections met *what*."""
        return sum(visit.met == what for visit in self.visits)

    def busiest(self, window: float = 1.0) -> int:
        """The most connections that came within *window* seconds."""
        times = self.times
        return max((sum(t <= u < t + window for u in times) for t in times), default=0)

    def place(self, service: str = "https", host: str = "localhost") -> Place:
        """Where it is, as a probe is told; an empty *host* asks by address, without SNI."""
        return Place(host or self.host, self.port, service, self.host, host or None)


@contextlib.contextmanager
def proxy(*upstreams: Upstream, faults: Faults | None = None) -> Iterator[Proxy]:
    """A proxy on loopback in front of *upstreams*, which take turns."""
    it = Proxy(upstreams, faults or Faults())
    runner = _Runner(it)
    started = threading.Event()
    thread = threading.Thread(target=lambda: asyncio.run(runner.run(started)), daemon=True)
    thread.start()
    if not started.wait(10):
        raise RuntimeError("the proxy does not start")
    try:
        yield it
    finally:
        runner.stop()
        thread.join(10)


class _Runner:
    """The connections of one proxy."""

    def __init__(self, it: Proxy) -> None:
        self.it = it
        self._turn = itertools.cycle(it.upstreams)
        self._recent: deque[float] = deque()
        self._counted = 0
        self._banned_at: float | None = None
        self._random = random.Random(1)
        self._tasks: set[asyncio.Task[None]] = set()

    async def run(self, started: threading.Event) -> None:
        self._loop = asyncio.get_running_loop()
        self._over = asyncio.Event()
        server = await asyncio.start_server(self._accepted, self.it.host, 0, backlog=512)
        self.it.port = server.sockets[0].getsockname()[1]
        started.set()
        await self._over.wait()
        server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def stop(self) -> None:
        self._loop.call_soon_threadsafe(self._over.set)

    async def _accepted(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task
        self._tasks.add(task)
        try:
            # Cancelled at the end of the test; ended by OSError when either side hangs up.
            with contextlib.suppress(OSError, asyncio.CancelledError):
                await self._meet(reader, writer)
        finally:
            writer.transport.abort()
            self._tasks.discard(task)

    async def _meet(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        faults, at = self.it.faults, time.monotonic()
        met, end = self._fate(faults, at)
        self.it.visits.append(Visit(at, met))
        if met == "garbage":
            await _babble(writer, faults.garbage or b"\0")
        elif end:
            await _END[end](reader, writer)
        else:
            await self._serve(faults, reader, writer)

    def _fate(self, faults: Faults, at: float) -> tuple[str, End | None]:
        """What a connection that comes at *at* meets."""
        if self._banned(faults, at):
            return "ban", faults.ban
        if self._too_fast(faults, at):
            return "rate", faults.over
        if faults.loss and self._random.random() < faults.loss:
            return "loss", faults.lost
        if faults.hang:
            return "hang", "drop"
        if faults.garbage is not None:
            return "garbage", None
        return "served", None

    def _banned(self, faults: Faults, at: float) -> bool:
        if faults.ban_after is None:
            return False
        if self._banned_at and faults.ban_for is not None and at > self._banned_at + faults.ban_for:
            self._counted, self._banned_at = 0, None
        self._counted += 1
        if self._counted <= faults.ban_after:
            return False
        self._banned_at = self._banned_at or at
        return True

    def _too_fast(self, faults: Faults, at: float) -> bool:
        if faults.rate is None:
            return False
        while self._recent and self._recent[0] <= at - 1:
            self._recent.popleft()
        if len(self._recent) >= faults.rate:
            return True
        self._recent.append(at)
        return False

    async def _serve(
        self, faults: Faults, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        # The kernel has answered the connection request already, so its round trip is made up for
        # before the client's first bytes go on.
        await asyncio.sleep(faults.delay)
        upstream = next(self._turn)
        up_reader, up_writer = await asyncio.open_connection(upstream.host, upstream.port)
        try:
            first = await reader.read(16384)
            self.it.first.append(first)
            if faults.reject and faults.reject(first):
                _reset(writer)
                return
            out = _Pipe(up_writer, faults)
            back = _Pipe(writer, faults, limit=faults.close_after)
            out.feed(first)
            await _first_of(out.pump(reader), back.pump(up_reader))
        finally:
            up_writer.transport.abort()


class _Pipe:
    """One direction of a connection, delayed and cut as wanted."""

    def __init__(self, writer: asyncio.StreamWriter, faults: Faults, limit: int | None = None):
        self._writer = writer
        self._faults = faults
        self._left = limit
        self._queue: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue()
        sock: socket.socket = writer.get_extra_info("socket")
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def feed(self, data: bytes) -> None:
        """Queue *data*, due half a round trip from now; empty ends the stream."""
        self._queue.put_nowait((time.monotonic() + self._faults.delay / 2, data))

    async def pump(self, reader: asyncio.StreamReader) -> None:
        """Carry everything of *reader* over, until its end is delivered or the limit reached."""
        filling = asyncio.create_task(self._fill(reader))
        try:
            while True:
                due, data = await self._queue.get()
                await asyncio.sleep(due - time.monotonic())
                if not data or not await self._deliver(data):
                    return
        finally:
            filling.cancel()

    async def _fill(self, reader: asyncio.StreamReader) -> None:
        data = b"-"
        while data:
            try:
                data = await reader.read(16384)
            except OSError:
                data = b""
            self.feed(data)

    async def _deliver(self, data: bytes) -> bool:
        if self._left is not None:
            data = data[: self._left]
            self._left -= len(data)
        size = self._faults.segment or len(data)
        for start in range(0, len(data), size):
            self._writer.write(data[start : start + size])
            await self._writer.drain()
            if self._faults.segment:
                await asyncio.sleep(0)
        return self._left != 0


async def _first_of(out: Coroutine[Any, Any, None], back: Coroutine[Any, Any, None]) -> None:
    """Run both directions until the answer's ends, or the client is gone for good."""
    tasks = [asyncio.create_task(out), asyncio.create_task(back)]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        if not tasks[1].done():
            # The client has said all; the server may still be answering.
            await asyncio.wait([tasks[1]], timeout=1)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _rst(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    _reset(writer)


async def _fin(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    # What the client sent is read first: a close with bytes unread would be a reset.
    writer.write_eof()
    await _swallow(reader)


async def _drop(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await _swallow(reader)


_END = {"rst": _rst, "fin": _fin, "drop": _drop}


async def _swallow(reader: asyncio.StreamReader) -> None:
    while await reader.read(16384):
        pass


async def _babble(writer: asyncio.StreamWriter, garbage: bytes) -> None:
    while True:
        writer.write(garbage)
        await writer.drain()


def _reset(writer: asyncio.StreamWriter) -> None:
    sock: socket.socket = writer.get_extra_info("socket")
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()
