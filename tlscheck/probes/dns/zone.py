"""One zone: what its parents delegate, and what each of its servers says."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdatatype

from tlscheck.model import Reason, State
from tlscheck.observations.dns import (
    NameServer,
    Outcome,
    Server,
    Soa,
    Standing,
    Zone,
    security,
)
from tlscheck.observations.dns.security import Trust
from tlscheck.probes.dns.means import Means
from tlscheck.probes.dns.read import (
    addresses,
    complete,
    exists,
    made_up,
    name_of,
    records,
    text_of,
)
from tlscheck.probes.nameserver import Reply
from tlscheck.probes.walk import AAAA, NS, SOA, A, Cut, Found, Walk, glue, hosts, referred, useful

MOST_SERVERS = 16
"""How many addresses of a zone's name servers are asked."""
MOST_NAMES = 64
"""How many names of name servers are looked up."""
MOST_PARENTS = 3
"""How many of the parent's servers are asked for the delegation."""

_AXFR, _NSEC3PARAM = dns.rdatatype.AXFR, dns.rdatatype.NSEC3PARAM
_OTHERS = (AAAA, dns.rdatatype.MX, dns.rdatatype.TXT)
"""What a wildcard may have that has no IPv4 address."""


@dataclass
class ZoneLook:
    """A look at the zone *name*."""

    means: Means
    at: datetime
    name: dns.name.Name

    @property
    def walk(self) -> Walk:
        """The zones that are known so far."""
        return self.means.walk

    async def whole(self, first: Found) -> Zone:
        """All of the zone, *first* being what was found of its NS records."""
        name, cut = self.name, self.walk.cuts.get(self.name)
        if cut is not None and cut.parent is not None:
            referrals = await self._referrals(cut)
            listed = sorted({host for referral in referrals for host in hosts(referral)})
        elif first.nonexistent or first.rrset is None or first.name != name:
            delegated = State.REFUSED if first.nonexistent else State.UNKNOWN
            return Zone(text_of(name), text_of(first.cut.name), delegated)
        else:  # the same servers hold parent and child: there is no referral to be seen
            parent = await self.walk.around(name.parent(), first.cut)
            cut, referrals = Cut(name, parent, list(parent.servers)), []
            self.walk.cuts[name] = cut
            listed = sorted(record.target for record in first.rrset)
        servers = await self._hosts(listed, referrals)
        first_ones = self._askable(_places(servers))[:MOST_SERVERS]
        cut.servers = first_ones or cut.servers
        trust, seen, wild, nsec3 = await asyncio.gather(
            self.means.trust(cut, self.at),
            self._servers(cut, first_ones),
            self._wild(),
            self.walk.ask(cut, name, _NSEC3PARAM),
        )
        servers = await self._with_the_childs(servers, [server for server, _ in seen])
        places = _places(servers)
        more = [place for place in self._askable(places) if place not in first_ones]
        seen += await self._servers(cut, more[: MOST_SERVERS - len(seen)])
        zone = await asyncio.to_thread(self._told, cut, servers, seen, trust, nsec3)
        return replace(
            zone,
            unasked=len(places) - len(seen),
            wildcard=_is_wild(wild),
            wildcard_target=next((text_of(f.aliases[0][1]) for f in wild if f.aliases), ""),
            denial=await asyncio.to_thread(_denial, wild[0], cut, trust, self.at),
        )

    def _askable(self, places: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
        """Those at addresses of a family that is to be asked."""
        return [place for place in places if self.walk.servers.asks(place[1])]

    async def _servers(
        self, cut: Cut, places: Sequence[tuple[str, str]]
    ) -> list[tuple[Server, dns.message.Message | None]]:
        return list(await asyncio.gather(*(self._server(cut, *place) for place in places)))

    async def _wild(self) -> list[Found]:
        """What became of a name that nobody made; of other types too where that has no address,
        and yet is not denied.
        """
        name = made_up(self.name)
        first = await self.walk.find(name, A)
        if not first.answered or first.nonexistent or first.rrset is not None or first.aliases:
            return [first]
        others = await asyncio.gather(*(self.walk.find(name, rdtype) for rdtype in _OTHERS))
        return [first, *others]

    def _told(
        self,
        cut: Cut,
        servers: Sequence[NameServer],
        seen: Sequence[tuple[Server, dns.message.Message | None]],
        trust: Trust,
        nsec3: dns.message.Message | None,
    ) -> Zone:
        name = cut.name
        signed = [
            replace(server, signature=_signature(name, message, trust, self.at))
            for server, message in seen
        ]
        messages = [m for _, m in seen if m is not None]
        soa = next((r for m in messages for r in records(m, name, SOA)), None)
        ends = [e for m in messages for e in [_end(m, name)] if e] + [trust.security.expires]
        secured = replace(
            trust.security,
            nsec3=next(
                ((r.iterations, len(r.salt)) for r in records(nsec3, name, _NSEC3PARAM)), None
            ),
            nsec3_seen=nsec3 is not None,
            rsa_bits=trust.rsa_bits,
            expires=min((e for e in ends if e is not None), default=None)
            if trust.security.signed
            else None,
        )
        return Zone(
            name=text_of(name),
            parent=text_of(cut.parent.name) if cut.parent else "",
            delegated=State.ACCEPTED,
            name_servers=tuple(servers),
            servers=tuple(signed),
            soa=_soa(soa) if soa else None,
            security=secured,
        )

    async def _referrals(self, cut: Cut) -> list[dns.message.Message]:
        """What some of the parent's servers refer to."""
        parent = cut.parent
        found = [cut.referral] if cut.referral is not None else []
        addresses = list(dict.fromkeys(a for _, a in parent.servers)) if parent else []
        addresses = sorted(addresses, key=lambda a: ":" in a)[:MOST_PARENTS]
        replies = await asyncio.gather(
            *(self.walk.servers.ask(address, cut.name, NS) for address in addresses)
        )
        messages = [reply.message for reply in replies if reply.message is not None]
        own = parent.name if parent else dns.name.root
        return found + [m for m in messages if referred(m, own, cut.name) == cut.name]

    async def _hosts(
        self, listed: Sequence[dns.name.Name], referrals: Sequence[dns.message.Message]
    ) -> list[NameServer]:
        """The name servers that the parent names."""
        along: dict[str, set[str]] = {}
        for referral in referrals:
            for host, address in glue(referral, dns.name.root):
                along.setdefault(host.rstrip(".").lower(), set()).add(address)
        looked_up = (
            self._host(name, tuple(sorted(along.get(text_of(name), ()))))
            for name in listed[:MOST_NAMES]
        )
        more = (NameServer(text_of(name), True, State.UNKNOWN) for name in listed[MOST_NAMES:])
        return [*await asyncio.gather(*looked_up), *more]

    async def _host(
        self, name: dns.name.Name, along: tuple[str, ...], *, at_parent: bool = True
    ) -> NameServer:
        both = await asyncio.gather(self.walk.find(name, A), self.walk.find(name, AAAA))
        aliases = [target for found in both for _, target in found.aliases]
        return NameServer(
            name=text_of(name),
            at_parent=at_parent,
            at_child=State.UNKNOWN,
            glue=along,
            addresses=addresses(both),
            exists=exists(both),
            complete=complete(both),
            alias=text_of(aliases[0]) if aliases else "",
        )

    async def _with_the_childs(
        self, servers: Sequence[NameServer], seen: Sequence[Server]
    ) -> list[NameServer]:
        """All name servers, with those that only the zone itself names."""
        listing = [s for s in seen if s.name_servers]
        named = {name for s in listing for name in s.name_servers}
        known = {s.name for s in servers}
        extra = await asyncio.gather(
            *(
                self._host(name_of(name), (), at_parent=False)
                for name in sorted(named - known)[:MOST_NAMES]
            )
        )
        none = State.REFUSED if listing else State.UNKNOWN
        return [
            replace(s, at_child=State.ACCEPTED if s.name in named else none)
            for s in (*servers, *extra)
        ]

    # -- servers -------------------------------------------------------------------------------

    async def _server(
        self, cut: Cut, name: str, address: str
    ) -> tuple[Server, dns.message.Message | None]:
        """One address of a name server, and its SOA answer."""
        ask, apex = self.walk.servers.ask, cut.name
        soa, over_tcp = await asyncio.gather(
            ask(address, apex, SOA, anyway=True), ask(address, apex, SOA, tcp=True)
        )
        udp, tcp = _outcome(soa, apex), _outcome(over_tcp, apex)
        server = Server(name.rstrip(".").lower(), address, udp, tcp, _code(soa))
        if soa.message is None and over_tcp.message is None:
            return server, None
        use_tcp = soa.message is None
        best = over_tcp.message if use_tcp else soa.message
        listed, edns, recursion, transfer = await asyncio.gather(
            ask(address, apex, NS, tcp=use_tcp),
            self._edns(address, apex, soa),
            self._recursion(address),
            self._transfer(address, apex),
        )
        record = next(iter(records(best, apex, SOA)), None)
        names = (text_of(r.target) for r in records(listed.message, apex, NS))
        return (
            replace(
                server,
                serial=record.serial if record else None,
                name_servers=tuple(sorted(names)),
                edns=edns,
                recursion=recursion,
                transfer=transfer,
            ),
            best if Outcome.AUTHORITATIVE in (udp, tcp) else None,
        )

    async def _edns(self, address: str, apex: dns.name.Name, soa: Reply) -> State:
        """Version 0 answered with its OPT record, version 1 with BADVERS."""
        if soa.message is None:
            plain = await self.walk.servers.ask(address, apex, SOA, edns=None)
            return State.REFUSED if plain.message is not None else State.UNKNOWN
        if soa.message.edns < 0:
            return State.REFUSED
        newer = await self.walk.servers.ask(address, apex, SOA, edns=1)
        if newer.message is None:
            return State.UNKNOWN
        good = newer.message.rcode() == dns.rcode.BADVERS
        return State.ACCEPTED if good else State.REFUSED

    async def _recursion(self, address: str) -> State:
        """Whether it looks up, for us, a name that exists nowhere and is none of its own."""
        name = name_of(f"{secrets.token_hex(6)}.tlscheck.invalid.")
        reply = await self.walk.servers.ask(address, name, A, recursion=True)
        if reply.message is None:
            return State.UNKNOWN
        available = bool(reply.message.flags & dns.flags.RA)
        failed = reply.message.rcode() in (dns.rcode.NXDOMAIN, dns.rcode.SERVFAIL)
        looked = failed or bool(reply.message.answer)
        return State.ACCEPTED if available and looked else State.REFUSED

    async def _transfer(self, address: str, apex: dns.name.Name) -> State:
        ask = self.walk.servers.ask
        reply = await ask(address, apex, _AXFR, tcp=True)
        if reply.message is None:
            if reply.trouble not in (Reason.CLOSED, Reason.RESET):
                return State.UNKNOWN
            # Some servers refuse by hanging up; one that does so whatever is asked says nothing.
            canary = await ask(address, apex, SOA, tcp=True)
            return State.REFUSED if canary.message is not None else State.UNKNOWN
        handed = reply.message.rcode() == dns.rcode.NOERROR and bool(reply.message.answer)
        return State.ACCEPTED if handed else State.REFUSED


def _places(servers: Sequence[NameServer]) -> list[tuple[str, str]]:
    """The servers' names, each with each of its addresses."""
    return list(dict.fromkeys((s.name, a) for s in servers for a in (*s.addresses, *s.glue)))


def _is_wild(found: Sequence[Found]) -> State:
    """Whether a name that nobody made has an answer."""
    if any(f.aliases or f.rrset is not None for f in found):
        return State.ACCEPTED
    return State.REFUSED if all(f.answered for f in found) else State.UNKNOWN


def _denial(found: Found, cut: Cut, trust: Trust, at: datetime) -> State:
    """Whether the zone's word that a name does not exist is proven."""
    message = found.message
    if message is None or message.answer or trust.keys is None or found.cut.name != cut.name:
        return State.UNKNOWN
    good = security.denies(message, found.name, trust.keys, at)
    return State.ACCEPTED if good else State.REFUSED


def _outcome(reply: Reply, apex: dns.name.Name) -> Outcome:
    if reply.message is not None:
        own = bool(records(reply.message, apex, SOA))
        good = useful(reply.message, apex, apex) and reply.message.flags & dns.flags.AA and own
        return Outcome.AUTHORITATIVE if good else Outcome.LAME
    match reply.trouble:
        case Reason.TIMEOUT:
            return Outcome.SILENT
        case Reason.CONNECTION_REFUSED | Reason.RESET | Reason.CLOSED:
            return Outcome.CLOSED
        case Reason.UNREACHABLE:
            return Outcome.UNREACHABLE
    return Outcome.UNKNOWN


def _code(reply: Reply) -> str:
    return dns.rcode.to_text(reply.message.rcode()) if reply.message is not None else ""


def _soa(record: Any) -> Soa:
    return Soa(
        text_of(record.mname),
        record.serial,
        record.refresh,
        record.retry,
        record.expire,
        record.minimum,
    )


def _signature(
    name: dns.name.Name, message: dns.message.Message | None, trust: Trust, at: datetime
) -> str:
    """What is wrong with the signature of a zone's SOA record."""
    if message is None or trust.keys is None or trust.security.standing is not Standing.SECURE:
        return ""
    rrset = next((s for s in message.answer if s.name == name and s.rdtype == SOA), None)
    return security.problem_of(message, rrset, trust.keys, at) if rrset is not None else ""


def _end(message: dns.message.Message, name: dns.name.Name) -> datetime | None:
    rrset = next((s for s in message.answer if s.name == name and s.rdtype == SOA), None)
    return security.end_of(message, rrset) if rrset is not None else None
