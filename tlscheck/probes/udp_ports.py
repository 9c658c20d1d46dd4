"""Asking by UDP, and hearing who refuses: the kernel's error queue names the sender of the ICMP
message (Linux; ip(7), IP_RECVERR).
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import secrets
import socket
import struct
from collections.abc import Sequence
from dataclasses import dataclass, field

from tlscheck.observations.ports import PortState
from tlscheck.wire import datagram
from tlscheck.wire.datagram import Question

PATIENCE = 2.0
"""Seconds for an answer."""
MOST_AT_ONCE = 40
MOST_BYTES = 2048

_RECVERR = {socket.AF_INET: (socket.IPPROTO_IP, 11), socket.AF_INET6: (socket.IPPROTO_IPV6, 25)}
"""IP_RECVERR and IPV6_RECVERR."""
_MSG_ERRQUEUE = 0x2000
_ICMP, _ICMP6 = 2, 3
"""Origins of an error (``linux/errqueue.h``)."""
_PORT_UNREACHABLE = {(_ICMP, 3, 3), (_ICMP6, 1, 4)}
_EXTENDED = struct.Struct("=IBBBBII")


@dataclass(frozen=True, slots=True)
class Heard:
    """What became of one port."""

    state: PortState
    service: str = ""
    refused_by: str = ""
    """The address that sent the ICMP message."""


@dataclass
class Asked:
    """What became of all."""

    heard: dict[int, Heard] = field(default_factory=dict)
    sent: int = 0
    """Datagrams."""


async def ask(address: str, ports: Sequence[int], rate: float, tries: int) -> Asked:
    """Ask each of the *ports* of *address*, in random order, *rate* datagrams a second."""
    asked, gate = Asked(), asyncio.Semaphore(MOST_AT_ONCE)
    order = list(ports)
    random.SystemRandom().shuffle(order)
    turn = asyncio.Lock()

    async def one(port: int) -> None:
        async with gate:
            for _ in range(tries):
                async with turn:
                    asked.sent += 1
                    await asyncio.sleep(1 / rate)
                asked.heard[port] = await _once(address, port)
                if asked.heard[port].state is not PortState.DROPPED:
                    return

    await asyncio.gather(*(one(port) for port in order))
    return asked


async def _once(address: str, port: int) -> Heard:
    question = datagram.question(port, secrets.token_bytes(16))
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    loop = asyncio.get_running_loop()
    with socket.socket(family, socket.SOCK_DGRAM) as sock:
        sock.setblocking(False)
        with contextlib.suppress(OSError):  # without the queue an error is still an error
            sock.setsockopt(*_RECVERR[family], 1)
        came = asyncio.Event()
        try:
            sock.connect((address, port))
            sock.send(question.payload if question else b"\0")
            loop.add_reader(sock, came.set)
            async with asyncio.timeout(PATIENCE):
                while True:
                    await came.wait()
                    came.clear()
                    if heard := _heard(sock, address, question):
                        return heard
        except TimeoutError:
            return Heard(PortState.DROPPED)
        except OSError:  # our own host has no way there
            return Heard(PortState.UNKNOWN)
        finally:
            loop.remove_reader(sock)


def _heard(sock: socket.socket, address: str, question: Question | None) -> Heard | None:
    """What there is to read; ``None``: nothing that counts."""
    if refusal := _refusal(sock, address):
        return refusal
    try:
        answer = sock.recv(MOST_BYTES)
    except BlockingIOError:
        return None
    except ConnectionRefusedError:
        return Heard(PortState.CLOSED)
    except OSError:
        return Heard(PortState.REJECTED)
    if question is None or question.answers(answer):
        return Heard(PortState.OPEN, question.service if question else "")
    # Something answers, and not what was asked for.
    return Heard(PortState.OPEN)


def _refusal(sock: socket.socket, address: str) -> Heard | None:
    """The refusal in the error queue, and who sent it."""
    try:
        _, rows, _, _ = sock.recvmsg(1, 512, _MSG_ERRQUEUE)
    except OSError:
        return None
    for _, _, data in rows:
        if len(data) < _EXTENDED.size:
            continue
        _, origin, kind, code, *_ = _EXTENDED.unpack_from(data)
        if origin not in (_ICMP, _ICMP6):
            continue
        sender = _sender(data[_EXTENDED.size :])
        of_host = (origin, kind, code) in _PORT_UNREACHABLE and sender in ("", address)
        return Heard(PortState.CLOSED if of_host else PortState.REJECTED, refused_by=sender)
    return None


def _sender(data: bytes) -> str:
    """The address in a socket address of the kernel's; empty where there is none."""
    if len(data) < 2:
        return ""
    family = int.from_bytes(data[:2], "little" if struct.pack("=H", 1)[0] else "big")
    if family == socket.AF_INET and len(data) >= 8:
        return socket.inet_ntop(socket.AF_INET, data[4:8])
    if family == socket.AF_INET6 and len(data) >= 24:
        return socket.inet_ntop(socket.AF_INET6, data[8:24])
    return ""
