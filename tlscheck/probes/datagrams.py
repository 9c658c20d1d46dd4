"""UDP with deadlines and limits: datagrams to one place and back, and what ICMP says of it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

from tlscheck.model import Place, Reason
from tlscheck.net import Net, NetError

MOST_WAITING = 64
"""Datagrams that are kept until they are read; what comes beyond that is lost."""
MOST_BYTES = 512 * 1024
"""How much a peer may send to one socket."""


class Datagrams:
    """One connected UDP socket: only what comes from the place itself is seen."""

    def __init__(
        self, transport: asyncio.DatagramTransport, came: _Inbox, deadline: float, source: str
    ) -> None:
        self._transport = transport
        self._came = came
        self._deadline = deadline
        self._left = MOST_BYTES
        self.source = source
        """Our own address."""

    def left(self) -> float:
        """Seconds until the socket's deadline."""
        return self._deadline - asyncio.get_running_loop().time()

    def send(self, data: bytes) -> None:
        """Send one datagram; whether it arrives nobody knows."""
        self._transport.sendto(data)

    async def receive(self, timeout: float) -> bytes:
        """The next datagram.

        NetError: timeout, connection_refused or unreachable (ICMP), too_large.
        """
        try:
            came = await asyncio.wait_for(
                self._came.queue.get(), max(min(timeout, self.left()), 0.0)
            )
        except TimeoutError:
            raise NetError(Reason.TIMEOUT) from None
        if isinstance(came, ConnectionRefusedError):
            raise NetError(Reason.CONNECTION_REFUSED, "ICMP port unreachable")
        if isinstance(came, Exception):
            raise NetError(Reason.UNREACHABLE, str(getattr(came, "strerror", "") or ""))
        self._left -= len(came)
        if self._left < 0:
            raise NetError(Reason.TOO_LARGE)
        return came


class _Inbox(asyncio.DatagramProtocol):
    def __init__(self) -> None:
        self.queue: asyncio.Queue[bytes | Exception] = asyncio.Queue(MOST_WAITING)

    def datagram_received(self, data: bytes, addr: object) -> None:
        self._keep(data)

    def error_received(self, exc: Exception) -> None:
        self._keep(exc)

    def _keep(self, came: bytes | Exception) -> None:
        with contextlib.suppress(asyncio.QueueFull):
            self.queue.put_nowait(came)


@contextlib.asynccontextmanager
async def connected(net: Net, place: Place, timeout: float) -> AsyncIterator[Datagrams]:
    """A socket of its own towards *place*, within its lane's budget, closed at the end.

    The deadline of *timeout* seconds covers all that is done with it. NetError: unreachable.
    """
    async with net.lane(place.address).slot():
        loop = asyncio.get_running_loop()
        try:
            transport, inbox = await loop.create_datagram_endpoint(
                _Inbox, remote_addr=(place.address, place.port)
            )
        except OSError as error:
            detail = error.strerror or type(error).__name__
            raise NetError(Reason.UNREACHABLE, detail) from None
        source = str(transport.get_extra_info("sockname")[0])
        net.sources.add(source)
        try:
            yield Datagrams(transport, inbox, loop.time() + timeout, source)
        finally:
            transport.close()
