"""Protocols that are asked for in their own words: OpenVPN, SSTP, IPsec over TCP.

A few bytes each, of which no server makes a login. Silence is what most of them are made of: it is
never taken for an answer.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from tlscheck.model import Place, Reason, State
from tlscheck.net import Net, NetError
from tlscheck.probes.http import AGENT
from tlscheck.probes.live import Identity, handshake
from tlscheck.wire import head, iketcp, openvpn, sstp
from tlscheck.wire.codec import DecodeError
from tlscheck.wire.head import Head

SECONDS = 3.0
"""How long an answer over TCP is waited for, the connection included."""
WAITS = (1.0, 1.5)
"""The same over UDP, for each of two packets: one may get lost."""
_GAP = 0.05
"""Seconds between the packets to several ports of one address."""


async def openvpn_tcp(net: Net, place: Place) -> State:
    """Whether OpenVPN answers on the bare connection; never ``refused``. NetError: no answer."""
    session = os.urandom(openvpn.SESSION)

    def answered(data: bytes) -> bool | None:
        packet = openvpn.unframed(data)
        return None if packet is None else openvpn.answers(packet, session)

    return await _asked(net, place, openvpn.framed(openvpn.reset(session)), answered)


async def ipsec_tcp(net: Net, place: Place) -> State:
    """Whether IKE answers on the bare connection; never ``refused``. NetError: no answer."""
    spi = os.urandom(iketcp.SPI)
    question = iketcp.question(spi, os.urandom(iketcp.KEY), os.urandom(iketcp.NONCE))
    return await _asked(net, place, question, lambda data: iketcp.answered(data, spi))


async def _asked(
    net: Net, place: Place, question: bytes, answered: Callable[[bytes], bool | None]
) -> State:
    data = b""
    async with net.dial(place, SECONDS) as stream:
        await stream.write(question)
        while (answer := _read(answered, data)) is None:
            more = await stream.read()
            data += more
            if not more:
                return State.UNKNOWN
    return State.ACCEPTED if answer else State.UNKNOWN


def _read(answered: Callable[[bytes], bool | None], data: bytes) -> bool | None:
    try:
        return answered(data)
    except DecodeError:
        return False


async def sstp_duplex(
    net: Net, place: Place, host: str, client_identity: Identity | None
) -> tuple[State, str]:
    """Whether SSTP answers, and what the server calls itself. NetError: no answer of HTTP."""
    found = await head_of(net, place, sstp.question(host, AGENT), client_identity)
    answer = sstp.answered(found)
    state = {None: State.UNKNOWN, False: State.REFUSED, True: State.ACCEPTED}[answer]
    return state, next(iter(found.all("server")), "") if state is State.ACCEPTED else ""


async def head_of(
    net: Net, place: Place, question: bytes, client_identity: Identity | None
) -> Head:
    """The head of what answers *question* over TLS; the connection is given up at its end.

    NetError: as `handshake`, malformed.
    """
    data = b""
    async with handshake(
        net, place, client_identity=client_identity, timeout=SECONDS, limit=4 * head.LIMIT
    ) as live:
        await live.send(question)
        while True:
            more = await live.receive()
            data += more
            try:
                found = head.read(data)
            except DecodeError:
                raise NetError(Reason.MALFORMED) from None
            if found is not None:
                return found
            if not more:
                raise NetError(Reason.MALFORMED if data else Reason.CLOSED)


# ---- UDP -------------------------------------------------------------------------------------


@dataclass(slots=True)
class Heard:
    """What a UDP port said."""

    opened: State = State.UNKNOWN
    openvpn: State = State.UNKNOWN


async def openvpn_udp(net: Net, address: str, ports: Sequence[int]) -> Mapping[int, Heard]:
    """What each of *ports* says to a hard reset; twice asked, all within the lane's one slot."""
    heard = {port: Heard() for port in ports}
    async with net.lane(address).slot():
        for seconds in WAITS:
            silent = [p for p, said in heard.items() if said.opened is State.UNKNOWN]
            tasks = []
            for port in silent:
                tasks.append(asyncio.create_task(_reset(address, port, heard[port], seconds)))
                await asyncio.sleep(_GAP)
            await asyncio.gather(*tasks)
    return heard


class _Datagrams(asyncio.DatagramProtocol):
    """The datagrams of one connected socket: only those of who was asked come here."""

    def __init__(self) -> None:
        self.came: asyncio.Queue[bytes | Exception] = asyncio.Queue(16)

    def datagram_received(self, data: bytes, addr: object) -> None:
        """Keep it."""
        self._keep(data)

    def error_received(self, exc: Exception) -> None:
        """Keep it too: a closed port, a missing route."""
        self._keep(exc)

    def _keep(self, what: bytes | Exception) -> None:
        with contextlib.suppress(asyncio.QueueFull):
            self.came.put_nowait(what)


async def _reset(address: str, port: int, heard: Heard, seconds: float) -> None:
    session = os.urandom(openvpn.SESSION)
    loop = asyncio.get_running_loop()
    try:
        transport, protocol = await loop.create_datagram_endpoint(
            _Datagrams, remote_addr=(address, port)
        )
    except OSError:
        return
    try:
        transport.sendto(openvpn.reset(session))
        async with asyncio.timeout(seconds):
            while heard.openvpn is State.UNKNOWN:
                came = await protocol.came.get()
                if isinstance(came, ConnectionRefusedError):
                    heard.opened = State.REFUSED
                if isinstance(came, Exception):
                    return
                heard.opened = State.ACCEPTED
                if openvpn.answers(came, session):
                    heard.openvpn = State.ACCEPTED
    except TimeoutError:
        return
    finally:
        transport.close()
