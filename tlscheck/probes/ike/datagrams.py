"""One UDP socket to one port, with the kernel's error queue: closed, rejected or silent.

A datagram that nobody answers may be lost, dropped or minded by nobody; an ICMP error is an answer
of a kind, and the queue says which and whose. Without the queue (not Linux) the error alone.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import ipaddress
import socket
import struct
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass

MOST_WAITING = 64
"""Datagrams that wait to be read; what comes beyond that is dropped."""

_RECVERR = {socket.AF_INET: (0, 11), socket.AF_INET6: (41, 25)}
"""Level and option that switch the queue on (linux/in.h, linux/in6.h)."""
_PORT_UNREACHABLE = {socket.AF_INET: (3, 3), socket.AF_INET6: (1, 4)}
"""ICMP type and code (RFC 792; RFC 4443, section 3.1)."""
_EXTENDED = struct.Struct("=IBBBBII")
"""struct sock_extended_err (linux/errqueue.h): errno, origin, type, code …"""
_LOCAL = 1


@dataclass(frozen=True, slots=True)
class Refusal:
    """An error that the network sent instead of an answer."""

    closed: bool
    """Whether it is "port unreachable": nothing listens there, or a filter says so."""
    sender: str = ""
    """Whose word it is; empty where the kernel does not tell."""
    words: str = ""


class Datagrams:
    """What comes back from one port of one address."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._came: asyncio.Queue[bytes | Refusal] = asyncio.Queue(MOST_WAITING)

    @property
    def source(self) -> str:
        """Our own address towards there."""
        return str(self._sock.getsockname()[0])

    def send(self, data: bytes) -> None:
        """Send *data*; what keeps it from leaving is kept as a refusal."""
        try:
            self._sock.send(data)
        except BlockingIOError:
            pass  # a full buffer is a lost packet like another
        except OSError as error:
            self._drain()
            self._keep(_refusal(error))

    async def receive(self, seconds: float) -> bytes | Refusal:
        """The next datagram or error. TimeoutError."""
        return await asyncio.wait_for(self._came.get(), max(seconds, 0))

    def forget(self) -> None:
        """Drop what has come so far: it belongs to an earlier question."""
        while not self._came.empty():
            self._came.get_nowait()

    def readable(self) -> None:
        """Take everything that the kernel has, errors first."""
        self._drain()
        for _ in range(MOST_WAITING):
            try:
                self._keep(self._sock.recv(65535))
            except BlockingIOError:
                return
            except OSError as error:
                if not self._drain():
                    self._keep(_refusal(error))

    def _drain(self) -> bool:
        """Keep what the error queue holds; whether it held anything."""
        found = False
        for _ in range(MOST_WAITING):
            try:
                _, ancillary, _, _ = self._sock.recvmsg(1, 512, socket.MSG_ERRQUEUE)
            except (OSError, AttributeError):
                break
            for _, _, data in ancillary:
                if refusal := _extended(data, self._sock.family):
                    self._keep(refusal)
                    found = True
        return found

    def _keep(self, what: bytes | Refusal) -> None:
        with contextlib.suppress(asyncio.QueueFull):
            self._came.put_nowait(what)


@contextlib.asynccontextmanager
async def datagrams(address: str, port: int) -> AsyncIterator[Datagrams]:
    """A socket to that port alone, closed at the end. OSError where there is no way there."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    loop = asyncio.get_running_loop()
    with socket.socket(family, socket.SOCK_DGRAM | getattr(socket, "SOCK_CLOEXEC", 0)) as sock:
        sock.setblocking(False)
        if sys.platform == "linux":
            sock.setsockopt(*_RECVERR[family], 1)
        sock.connect((address, port))
        made = Datagrams(sock)
        loop.add_reader(sock, made.readable)
        try:
            yield made
        finally:
            loop.remove_reader(sock)


def _refusal(error: OSError) -> Refusal:
    return Refusal(error.errno == errno.ECONNREFUSED, "", error.strerror or type(error).__name__)


def _extended(data: bytes, family: int) -> Refusal | None:
    """The refusal in an entry of the queue, of which the sender's address is the end."""
    if len(data) < _EXTENDED.size:
        return None
    number, origin, kind, code, _, _, _ = _EXTENDED.unpack_from(data)
    if origin == _LOCAL:
        return Refusal(closed=False, words=errno.errorcode.get(number, str(number)))
    closed = (kind, code) == _PORT_UNREACHABLE[socket.AddressFamily(family)]
    return Refusal(closed, _sender(data[_EXTENDED.size :]), f"ICMP {kind}/{code}")


def _sender(sockaddr: bytes) -> str:
    """The address in a sockaddr_in or sockaddr_in6; empty for another."""
    family = int.from_bytes(sockaddr[:2], sys.byteorder)
    if family == socket.AF_INET and len(sockaddr) >= 8:
        return str(ipaddress.IPv4Address(sockaddr[4:8]))
    if family == socket.AF_INET6 and len(sockaddr) >= 24:
        return str(ipaddress.IPv6Address(sockaddr[8:24]))
    return ""
