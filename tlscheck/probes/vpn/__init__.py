"""The look for VPNs over TLS at one address, in two stages.

First, what a browser would do: the certificates, a random path, the first page. Only where there is
cause (a port nobody declared, one declared as a VPN, a product that shows itself, or the user's
wish) come the products' own pages and first questions, and they end with the first sure answer.
Nobody logs in, and no tunnel is opened.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from datetime import datetime
from functools import cache, partial
from typing import TypeVar

from tlscheck.data import data_dir
from tlscheck.model import Missed, Place, Reason, State
from tlscheck.net import Net, NetError, now
from tlscheck.observations.http.urls import kept
from tlscheck.observations.vpn import (
    Declared,
    Markers,
    Port,
    Proof,
    Said,
    Unanswered,
    VpnObservation,
    parse,
)
from tlscheck.observations.vpn.markers import CERTIFICATE
from tlscheck.probes.live import Identity
from tlscheck.probes.vpn import raw
from tlscheck.probes.vpn.web import Web

SUBJECT = "vpn"
SECONDS = 120.0
"""For one address; ports that are not reached by then are not known."""
T = TypeVar("T")
DOOR = 3.5
"""Seconds for a bare connection: time for a second SYN and a third."""
_SOFTETHER = "softether"
_CONNECT = "softether_connect"


@cache
def markers() -> Markers:
    """The marks that are shipped."""
    file = data_dir("profiles") / "vpn" / "markers.toml"
    return parse(file.read_text(encoding="utf-8"))


def usual(declared: Declared) -> tuple[int, ...]:
    """The TCP ports to look at where no open ones are known: the declared and the usual."""
    return tuple(dict.fromkeys((*declared.vpn_tcp, *declared.tcp, *markers().tcp)))


async def probe(
    net: Net,
    place: Place,
    ports: Sequence[int] | None = None,
    *,
    udp: Sequence[int] | None = None,
    declared: Declared,
    thorough: bool = False,
    client_identity: Identity | None = None,
    seconds: float = SECONDS,
    at: datetime | None = None,
) -> VpnObservation | Missed:
    """What shows at the address of *place* by the name of its host; its own port means nothing.

    *ports* are the TCP ports to look at, those of `usual` unless given; *udp* the same of UDP.
    With *thorough*, declared ports are asked everything too.
    """
    at = at or now()
    tcp = usual(declared) if ports is None else tuple(dict.fromkeys(ports))
    over_udp = _udp(declared) if udp is None else tuple(dict.fromkeys(udp))
    if not tcp and not over_udp:
        return Missed(SUBJECT, Reason.NOT_ASKED, "no port is to be looked at")
    look = _Look(net, place, declared, thorough, client_identity, seconds)
    doors = await asyncio.gather(*(look.door(port) for port in tcp))
    seen = [await look.tcp(port, *door) for port, door in zip(tcp, doors, strict=True)]
    seen += await look.udp(over_udp)
    if all(port.opened is State.UNKNOWN for port in seen):
        troubles = Counter(u.reason for port in seen for u in port.unanswered)
        reason = next((reason for reason, _ in troubles.most_common(1)), Reason.NOT_ASKED)
        return Missed(SUBJECT, Reason(reason), "no port answered")
    return VpnObservation(
        at=at,
        host=place.host,
        address=place.address,
        ports=tuple(seen),
        markers=markers().date,
    )


def _udp(declared: Declared) -> tuple[int, ...]:
    return tuple(dict.fromkeys((*declared.vpn_udp, *declared.udp, *markers().udp)))


class _Look:
    """The look at one address."""

    def __init__(
        self,
        net: Net,
        place: Place,
        declared: Declared,
        thorough: bool,
        client_identity: Identity | None,
        seconds: float,
    ) -> None:
        self._net = net
        self._place = place
        self._declared = declared
        self._thorough = thorough
        self._identity = client_identity
        self._end = asyncio.get_running_loop().time() + seconds

    async def door(self, number: int) -> tuple[State, Reason | None]:
        """Whether somebody listens at a port; nothing is said there."""
        try:
            async with self._net.dial(replace(self._place, port=number), DOOR):
                return State.ACCEPTED, None
        except NetError as error:
            refused = error.reason is Reason.CONNECTION_REFUSED
            return State.REFUSED if refused else State.UNKNOWN, error.reason

    async def tcp(self, number: int, opened: State, trouble: Reason | None) -> Port:
        """All that one TCP port shows."""
        port = Port(number, "tcp", self._declared.said(number, "tcp"), opened)
        if opened is not State.ACCEPTED:
            # Nobody there is an answer; anything else is none.
            lost = (Unanswered("connect", trouble),) if opened is State.UNKNOWN and trouble else ()
            return replace(port, unanswered=lost)
        web = Web(self._net, replace(self._place, port=number), markers(), self._identity)
        try:
            if self._late():
                await web.stop(Reason.BUDGET)
            await web.first()
            if self._cause(port, web):
                port = await self._protocols(port, web)
                await self._products(web)
                port = replace(port, whole=web.complete)
            await self._demands(web)
        finally:
            await web.close()
        return _with(port, web)

    async def udp(self, numbers: Sequence[int]) -> list[Port]:
        """What UDP ports show; those declared for something else are left alone."""
        ports = [Port(n, "udp", self._declared.said(n, "udp")) for n in numbers]
        asked = [p.number for p in ports if self._thorough or p.said is not Said.OTHER]
        probe = "openvpn_udp"
        if self._late():
            late = (Unanswered(probe, Reason.BUDGET, sent=False),)
            return [replace(p, unanswered=late) if p.number in asked else p for p in ports]
        heard = await raw.openvpn_udp(self._net, self._place.address, asked)
        silent = (Unanswered(probe, Reason.TIMEOUT),)
        return [
            replace(
                port,
                opened=heard[port.number].opened,
                openvpn=heard[port.number].openvpn,
                whole=True,
                sent=(probe,),
                unanswered=silent if heard[port.number].opened is State.UNKNOWN else (),
            )
            if port.number in heard
            else port
            for port in ports
        ]

    def _late(self) -> bool:
        return asyncio.get_running_loop().time() > self._end

    def _cause(self, port: Port, web: Web) -> bool:
        """Whether more than the first questions is called for."""
        if self._thorough:
            return True
        return (port.said is not Said.OTHER or bool(web.hits)) and not web.sure

    async def _protocols(self, port: Port, web: Web) -> Port:
        """Ask for what is no product's page: these states are facts of their own."""
        place = replace(self._place, port=port.number)
        if web.tls is State.ACCEPTED:
            await web.ask(_CONNECT)
        await web.close()  # the lane may be one connection wide
        if web.tls is State.ACCEPTED:
            asked = partial(raw.sstp_duplex, self._net, place, web.host, self._identity)
            state, server = await _word("sstp", web, asked, (State.UNKNOWN, ""))
            port = replace(port, sstp=state, sstp_server=kept(server, 80))
        bare = partial(raw.openvpn_tcp, self._net, place)
        port = replace(port, openvpn=await _word("openvpn_tcp", web, bare, State.UNKNOWN))
        bare = partial(raw.ipsec_tcp, self._net, place)
        return replace(port, ipsec=await _word("ipsec_tcp", web, bare, State.UNKNOWN))

    async def _products(self, web: Web) -> None:
        """The products' pages, first of those that have shown themselves, to the first sure one."""
        shown = {hit.product for hit in web.hits}
        own = [m.probe for p in markers().products if p.id in shown for m in p.markers]
        for id in web.more(dict.fromkeys((*own, *markers().probes))):
            if web.sure and not self._thorough:
                return
            if id != CERTIFICATE:
                if self._late():
                    await web.stop(Reason.BUDGET)
                await web.ask(id)

    async def _demands(self, web: Web) -> None:
        """Ask a VPN that was found for what its exception needs: a client certificate."""
        shown = {hit.product for hit in web.hits if hit.proves is Proof.FUNCTION}
        ids = (
            m.probe
            for p in markers().products
            if p.id in shown
            for m in p.markers
            if m.proves is Proof.CLIENT_CERTIFICATE
        )
        for id in web.more(dict.fromkeys(ids)):
            await web.ask(id)


async def _word(id: str, web: Web, asked: Callable[[], Awaitable[T]], silence: T) -> T:
    """What a protocol's server says to *asked*, or *silence*; the question goes on record."""
    if web.barred is not None:
        web.unanswered.append(Unanswered(id, web.barred, sent=False))
        return silence
    web.sent.append(id)
    try:
        return await asked()
    except NetError as error:
        web.unanswered.append(Unanswered(id, error.reason))
        return silence


def _with(port: Port, web: Web) -> Port:
    """The port with what the web questions showed of it."""
    hello = any(h.product == _SOFTETHER and h.proves is Proof.FUNCTION for h in web.hits)
    answered = _CONNECT in web.sent and _CONNECT not in {u.probe for u in web.unanswered}
    softether = State.ACCEPTED if hello else State.REFUSED if answered else State.UNKNOWN
    return replace(
        port,
        tls=web.tls,
        web=web.web,
        hits=tuple(web.hits),
        void=tuple(dict.fromkeys(web.void)),
        elsewhere=tuple(dict.fromkeys(web.elsewhere)),
        client_certificate=web.demand,
        softether=softether,
        sent=tuple(web.sent),
        unanswered=tuple(web.unanswered),
    )
