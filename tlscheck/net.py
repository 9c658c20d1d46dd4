"""The outside world: clock, resolver, dialling with deadlines, and the politeness budget.

Everything above asks the network through here. Nothing here knows TLS or judges anything.
"""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import socket
import ssl
import time
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from tlscheck.halt import Halt
from tlscheck.model import Place, Reason

if TYPE_CHECKING:
    import httpx


class NetError(Exception):
    """The peer's or the network's trouble: data, never the end of the program."""

    def __init__(self, reason: Reason, detail: str = "") -> None:
        super().__init__(f"{reason}: {detail}" if detail else str(reason))
        self.reason = reason
        self.detail = detail


def now() -> datetime:
    """The present moment, aware, UTC."""
    return datetime.now(UTC)


class Deadline:
    """A moment that is some seconds away."""

    def __init__(self, seconds: float) -> None:
        self._at = time.monotonic() + seconds

    def left(self) -> float:
        """Seconds until then. TimeoutError once it is past."""
        left = self._at - time.monotonic()
        if left <= 0:
            raise TimeoutError
        return left


class Lane:
    """The politeness budget towards one address: how many at once, how far apart.

    Starts with two connections at once; `widen` doubles that up to eight while all is well,
    `slow_down` goes back to one at a time and doubles the gap between connections.
    """

    NARROW, WIDE = 2, 8
    FIRST_GAP, LAST_GAP = 0.4, 6.4

    def __init__(self) -> None:
        self.width = self.NARROW
        self.gap = 0.0
        """Seconds between the starts of two connections."""
        self.open = 0
        self._next = 0.0
        self._freed = asyncio.Condition()

    @property
    def room(self) -> int:
        """How many connections more may be open at once, but one at the least."""
        return max(self.width - self.open, 1)

    async def widen(self) -> None:
        """All is well: allow more at once, unless the peer has ever shown a limit."""
        if not self.gap:
            async with self._freed:
                self.width = min(self.width * 2, self.WIDE)
                self._freed.notify_all()

    def slow_down(self) -> None:
        """The peer shows a limit: one at a time, twice as far apart as before."""
        self.width = 1
        self.gap = min(self.gap * 2, self.LAST_GAP) if self.gap else self.FIRST_GAP

    @contextlib.asynccontextmanager
    async def slot(self, wanted: int = 1) -> AsyncIterator[int]:
        """Wait for the right to open *wanted* connections at once, and hold it.

        Gives how many it is: no more than the lane is wide.
        """
        async with self._freed:
            await self._freed.wait_for(lambda: self.open + min(wanted, self.width) <= self.width)
            held = min(wanted, self.width)
            self.open += held
        try:
            wait = self._next - time.monotonic()
            self._next = max(self._next, time.monotonic()) + self.gap
            if wait > 0:
                await asyncio.sleep(wait)
            yield held
        finally:
            async with self._freed:
                self.open -= held
                self._freed.notify_all()


class Stream:
    """One TCP connection with deadlines: every read and write ends in time."""

    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, deadline: float
    ) -> None:
        self._reader = reader
        self._writer = writer
        self._deadline = deadline
        """On the loop's clock."""

    @property
    def source(self) -> str:
        """Our own address on this connection."""
        return str(self._writer.get_extra_info("sockname")[0])

    def left(self) -> float:
        """Seconds until the connection's deadline."""
        return self._deadline - asyncio.get_running_loop().time()

    async def read(self, size: int = 16384, timeout: float | None = None) -> bytes:
        """Bytes as they come; ``b""`` when the peer has closed. NetError: timeout, reset."""
        left = self.left() if timeout is None else min(timeout, self.left())
        try:
            return await asyncio.wait_for(self._reader.read(size), max(left, 0))
        except TimeoutError:
            raise NetError(Reason.TIMEOUT) from None
        except OSError as error:
            raise NetError(Reason.RESET, _words(error)) from None

    async def write(self, data: bytes) -> None:
        """Send *data* whole. NetError: timeout, reset."""
        try:
            self._writer.write(data)
            await asyncio.wait_for(self._writer.drain(), max(self.left(), 0))
        except TimeoutError:
            raise NetError(Reason.TIMEOUT) from None
        except OSError as error:
            raise NetError(Reason.RESET, _words(error)) from None

    async def close(self) -> None:
        """Let go of the connection without waiting for the peer."""
        self._writer.transport.abort()
        with contextlib.suppress(OSError):
            await self._writer.wait_closed()


@dataclass(frozen=True, slots=True)
class Fetched:
    """What came for a URL."""

    status: int
    fields: Mapping[str, str]
    """Header fields by name in lower case."""
    body: bytes


@dataclass
class Net:
    """What the probes share: resolver, deadlines, lanes and the count of connections."""

    family: int = 0
    """4 or 6 to look at one family only."""
    overrides: Mapping[tuple[str, int], str] = field(default_factory=dict)
    """``--resolve``: the address to use for a host and port."""
    connect_timeout: float = 5.0
    """Seconds for one connection, from the first packet to its end, unless said otherwise."""
    budget: float = 60.0
    """Seconds for the TLS look at one target."""
    connections: Counter[Place] = field(default_factory=Counter)
    """TCP connections opened, by place."""
    sources: set[str] = field(default_factory=set)
    halt: Halt = field(default_factory=Halt)
    """By which the run is ended early."""
    _lanes: dict[str, Lane] = field(default_factory=dict)

    def lane(self, address: str) -> Lane:
        """The politeness budget towards *address*."""
        return self._lanes.setdefault(address, Lane())

    def spent(self, place: Place) -> int:
        """Connections opened to *place* so far."""
        return self.connections[place]

    @contextlib.asynccontextmanager
    async def dial(self, place: Place, timeout: float | None = None) -> AsyncIterator[Stream]:
        """A connection to *place* within its lane's budget, closed at the end.

        The deadline of *timeout* seconds (default `connect_timeout`) covers all that is done with
        it. NetError: connection_refused, unreachable, timeout, reset.
        """
        async with self.lane(place.address).slot():
            loop = asyncio.get_running_loop()
            deadline = loop.time() + (self.connect_timeout if timeout is None else timeout)
            self.connections[place] += 1
            try:
                reader, writer = await asyncio.wait_for(
                    asyncio.open_connection(place.address, place.port), deadline - loop.time()
                )
            except TimeoutError:
                raise NetError(Reason.TIMEOUT, "no answer to the connection request") from None
            except ConnectionRefusedError:
                raise NetError(Reason.CONNECTION_REFUSED) from None
            except ConnectionResetError:
                raise NetError(Reason.RESET) from None
            except OSError as error:
                raise NetError(Reason.UNREACHABLE, _words(error)) from None
            stream = Stream(reader, writer, deadline)
            self.sources.add(stream.source)
            try:
                yield stream
            finally:
                await stream.close()

    async def resolve(self, host: str, port: int) -> tuple[str, ...]:
        """Every address of *host*, IPv4 first. NetError: unresolved."""
        if override := self.overrides.get((host, port)):
            return (override,)
        with contextlib.suppress(ValueError):
            return (str(ipaddress.ip_address(host)),)
        # The system's resolver honours the hosts file and gives every A and AAAA record; a thread
        # that hangs in it is left behind after the deadline.
        family = {4: socket.AF_INET, 6: socket.AF_INET6}.get(self.family, socket.AF_UNSPEC)
        try:
            rows = await asyncio.wait_for(
                asyncio.get_running_loop().getaddrinfo(
                    host, None, family=family, type=socket.SOCK_STREAM
                ),
                2 * self.connect_timeout,
            )
        except TimeoutError:
            raise NetError(Reason.UNRESOLVED, "the resolver did not answer") from None
        except (OSError, UnicodeError) as error:
            raise NetError(Reason.UNRESOLVED, str(error)) from None
        rows.sort(key=lambda row: row[0] == socket.AF_INET6)
        return tuple(dict.fromkeys(str(row[4][0]) for row in rows))

    async def fetch(
        self,
        url: str,
        *,
        schemes: tuple[str, ...] = ("https",),
        private: bool = False,
        content: bytes | None = None,
        fields: Mapping[str, str] | None = None,
        limit: int = 1024 * 1024,
        seconds: float = 10.0,
        ca_file: bytes | None = None,
        address: str | None = None,
    ) -> Fetched:
        """What is behind *url*, by GET, or by POST of *content*; no redirect is followed.

        Only one of *schemes* is asked and only a public address, unless *private* ones are meant;
        *address* says where, instead of the resolver.
        NetError: malformed (no URL), filtered, unresolved, unreachable, timeout, too_large.
        """
        import httpx

        where = _where(url, schemes)
        host = where.raw_host.decode("ascii")
        if address is None or (host, where.port or _PORTS[where.scheme]) in self.overrides:
            addresses = await self.resolve(host, where.port or _PORTS[where.scheme])
            address = next((a for a in addresses if private or is_public(a)), None)
        if address is None or not (private or is_public(address)):
            raise NetError(Reason.FILTERED, "only private addresses")
        # By address, so that the name cannot mean another host a moment later.
        direct = where.copy_with(host=address)
        headers = {"Accept-Encoding": "identity", **(fields or {}), "Host": where.netloc.decode()}
        body = bytearray()
        try:
            async with (
                asyncio.timeout(seconds),
                httpx.AsyncClient(
                    trust_env=False,
                    timeout=seconds,
                    verify=trusting(ca_file) if where.scheme == "https" else False,
                ) as client,
                client.stream(
                    "GET" if content is None else "POST",
                    direct,
                    content=content,
                    headers=headers,
                    extensions={"sni_hostname": host},
                ) as response,
            ):
                async for data in response.aiter_raw():
                    body += data
                    if len(body) > limit:
                        raise NetError(Reason.TOO_LARGE)
        except (TimeoutError, httpx.TimeoutException):
            raise NetError(Reason.TIMEOUT) from None
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise NetError(Reason.UNREACHABLE, str(error)) from None
        return Fetched(response.status_code, dict(response.headers.items()), bytes(body))


_PORTS = {"http": 80, "https": 443}


def _where(url: str, schemes: tuple[str, ...]) -> httpx.URL:
    import httpx

    try:
        where = httpx.URL(url)
        host = where.raw_host.decode("ascii")  # .host would decode IDNA, and fail for some
    except (httpx.InvalidURL, ValueError):
        raise NetError(Reason.MALFORMED, "not a URL") from None
    if where.scheme not in schemes or not host or where.userinfo:
        if schemes == ("http",):
            raise NetError(Reason.FILTERED, "only plain http URLs are followed")
        raise NetError(Reason.FILTERED, "only https URLs are followed")
    return where


def trusting(ca_file: bytes | None) -> ssl.SSLContext:
    """What verifies servers: public authorities, and those in *ca_file*, PEM. ssl.SSLError."""
    import certifi

    context = ssl.create_default_context(cafile=certifi.where())
    if ca_file is not None:
        context.load_verify_locations(cadata=ca_file.decode("ascii", "replace"))
    return context


def is_public(address: str) -> bool:
    """Whether *address* is one of the public internet's."""
    found = ipaddress.ip_address(address.partition("%")[0])
    inner = getattr(found, "ipv4_mapped", None) or found
    return inner.is_global and not inner.is_multicast


_RESOLVERS = Path("/etc/resolv.conf")


def resolver() -> str:
    """The addresses of the resolvers in use, for the report (resolv.conf(5)); empty where the
    system names none.
    """
    try:
        lines = _RESOLVERS.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return ""
    entries = (line.split() for line in lines)
    return ", ".join(entry[1] for entry in entries if len(entry) > 1 and entry[0] == "nameserver")


def _words(error: OSError) -> str:
    return error.strerror or type(error).__name__


def source_towards(place: Place) -> str:
    """The source address that the kernel would choose towards *place*; nothing is sent."""
    family = socket.AF_INET6 if ":" in place.address else socket.AF_INET
    with contextlib.suppress(OSError), socket.socket(family, socket.SOCK_DGRAM) as probe:
        probe.connect((place.address, place.port))
        return str(probe.getsockname()[0])
    return ""
