"""Looking at a domain in the DNS: its parents first, then every one of its name servers.

Nothing is claimed, changed or transferred: questions any resolver may ask, one recursive question
and one for a transfer to see them refused, and one ordinary page of the target's own name.
"""

from __future__ import annotations

import asyncio
import secrets
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cache
from typing import Any

import dns.dnssec
import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdatatype
import dns.rrset

from tlscheck import targets
from tlscheck.data import data_dir
from tlscheck.model import Missed, Reason, State
from tlscheck.net import Net, NetError, now
from tlscheck.observations.dns import (
    Alias,
    DnsObservation,
    DomainName,
    Exchange,
    HttpsRecord,
    Mail,
    NameServer,
    Outcome,
    Pointer,
    Role,
    Server,
    Soa,
    Standing,
    Zone,
    security,
)
from tlscheck.observations.dns import mail as reading
from tlscheck.observations.dns.mail import Dmarc, MailHost, Spf, TransportPolicy
from tlscheck.observations.dns.security import Trust
from tlscheck.observations.registration import Record
from tlscheck.probes.nameserver import NameServers, Reply
from tlscheck.probes.registration import Registry
from tlscheck.probes.walk import (
    AAAA,
    NS,
    SOA,
    A,
    Cut,
    Found,
    Walk,
    glue,
    hosts,
    referred,
    texts,
    useful,
)

SUBJECT = "dns"
SECONDS = 60.0
"""For one domain, whatever its servers do."""
MOST_SERVERS = 16
"""How many addresses of a zone's name servers are asked."""
MOST_PARENTS = 3
"""How many of the parent's servers are asked for the delegation."""
MOST_ZONES = 4
"""How many zones between the domain and its names are looked at."""
MOST_POINTERS = 24
MOST_MAIL_HOSTS = 8
MOST_INCLUDES = 12
MOST_OF_A_POLICY = 64 * 1024

MX, TXT, CAA, DS = dns.rdatatype.MX, dns.rdatatype.TXT, dns.rdatatype.CAA, dns.rdatatype.DS
DNSKEY, NSEC3PARAM = dns.rdatatype.DNSKEY, dns.rdatatype.NSEC3PARAM
HTTPS, TLSA, AXFR = dns.rdatatype.HTTPS, dns.rdatatype.TLSA, dns.rdatatype.AXFR


@dataclass
class Means:
    """What all looks of a run share."""

    net: Net
    walk: Walk
    anchors: tuple[Any, ...]
    """DS records of the root's key; empty where none is known."""
    registry: Registry | None = None
    """``None``: registrations are not asked about."""
    private: bool = False
    """Whether the names may lead to private addresses: the roots are the operator's own."""
    _trust: dict[dns.name.Name, asyncio.Task[Trust]] = field(default_factory=dict)

    async def trust(self, cut: Cut, at: datetime) -> Trust:
        """The trust in a zone's keys, each zone looked at once."""
        if cut.name not in self._trust:
            self._trust[cut.name] = asyncio.create_task(_trust(self, cut, at))
        return await asyncio.shield(self._trust[cut.name])


async def probe(means: Means, domain: str, names: Sequence[str]) -> DnsObservation | Missed:
    """All that the DNS says of *domain*, a registrable one, and of the *names* under it."""
    look = _Look(means, now(), domain, tuple(names))
    try:
        async with asyncio.timeout(SECONDS):
            return await look.whole()
    except TimeoutError:
        return Missed(SUBJECT, Reason.BUDGET)
    except NetError as error:
        return Missed(SUBJECT, error.reason, error.detail)


async def _trust(means: Means, cut: Cut, at: datetime) -> Trust:
    keys = asyncio.create_task(means.walk.ask(cut, cut.name, DNSKEY))
    if cut.parent is None:
        return await asyncio.to_thread(security.root, await keys, means.anchors, at)
    parent, ds, answer = await asyncio.gather(
        means.trust(cut.parent, at), means.walk.ask(cut.parent, cut.name, DS), keys
    )
    trust = await asyncio.to_thread(security.below, parent, cut.name, ds, answer, at)
    return replace(trust, rsa_bits=security.rsa_bits(answer, cut.name))


@dataclass
class _Look:
    """One domain, looked at."""

    means: Means
    at: datetime
    domain: str
    names: tuple[str, ...]

    @property
    def walk(self) -> Walk:
        return self.means.walk

    async def whole(self) -> DnsObservation:
        apex = _name(self.domain)
        first = await self.walk.find(apex, NS)
        if first.message is None and apex not in self.walk.cuts and first.cut.parent is None:
            raise _silence(self.walk.servers)
        own, mail, named = await asyncio.gather(
            self._zone(apex, first), self._mail(apex), self._names(apex)
        )
        below = [cut for cut in self.walk.cuts if cut != apex and cut.is_subdomain(apex)]
        wanted = [c for c in below if any(_name(host).is_subdomain(c) for host in self.names)]
        further = await asyncio.gather(*(self._below(cut) for cut in wanted[:MOST_ZONES]))
        zones = (own, *further)
        pointers = await self._pointers(zones, named, mail)
        return DnsObservation(
            at=self.at,
            domain=self.domain,
            zones=zones,
            names=named,
            pointers=pointers,
            mail=mail,
            exchanges=tuple(self._own_exchanges(pointers)),
        )

    def _own_exchanges(self, pointers: Iterable[Pointer]) -> Iterable[Exchange]:
        """Of all that this run asked, what was about the domain, what is above it, and what it
        leads to.
        """
        below = [_name(d) for d in {self.domain, *(p.domain for p in pointers)}]
        apex = _name(self.domain)
        for exchange in self.walk.servers.exchanges:
            name = _name(exchange.question.rpartition(" ")[0])
            if apex.is_subdomain(name) or any(name.is_subdomain(domain) for domain in below):
                yield exchange

    # -- zones ---------------------------------------------------------------------------------

    async def _below(self, name: dns.name.Name) -> Zone:
        return await self._zone(name, await self.walk.find(name, NS))

    async def _zone(self, name: dns.name.Name, first: Found) -> Zone:
        cut = self.walk.cuts.get(name)
        if cut is not None and cut.parent is not None:
            referrals = await self._referrals(cut)
            listed = sorted({host for referral in referrals for host in hosts(referral)})
        elif first.nonexistent or first.rrset is None or first.name != name:
            delegated = State.REFUSED if first.nonexistent else State.UNKNOWN
            return Zone(_text(name), _text(first.cut.name), delegated)
        else:  # the same servers hold parent and child: there is no referral to be seen
            cut, referrals = Cut(name, first.cut, list(first.cut.servers)), []
            listed = sorted(record.target for record in first.rrset)
        servers = await self._hosts(listed, referrals)
        asked = list(dict.fromkeys((s.name, a) for s in servers for a in (*s.addresses, *s.glue)))
        asked = [each for each in asked if self.walk.servers.asks(each[1])][:MOST_SERVERS]
        cut.servers = asked or cut.servers
        trust, seen, wild, nsec3 = await asyncio.gather(
            self.means.trust(cut, self.at),
            asyncio.gather(*(self._server(cut, *each) for each in asked)),
            self.walk.find(_name(f"tlscheck-{secrets.token_hex(6)}", name), A),
            self.walk.ask(cut, name, NSEC3PARAM),
        )
        servers = await self._with_the_childs(servers, [server for server, _ in seen])
        zone = self._told(cut, servers, seen, trust, nsec3)
        return replace(
            zone,
            wildcard=_wild(wild),
            wildcard_target=_text(wild.aliases[0][1]) if wild.aliases else "",
            denial=_denial(wild, cut, trust, self.at),
        )

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
        soa = next((r for m in messages for r in _records(m, name, SOA)), None)
        ends = [e for m in messages for e in [_end(m, name)] if e] + [trust.security.expires]
        secured = replace(
            trust.security,
            nsec3=next(
                ((r.iterations, len(r.salt)) for r in _records(nsec3, name, NSEC3PARAM)), None
            ),
            nsec3_seen=nsec3 is not None,
            rsa_bits=trust.rsa_bits,
            expires=min((e for e in ends if e is not None), default=None)
            if trust.security.signed
            else None,
        )
        return Zone(
            name=_text(name),
            parent=_text(cut.parent.name) if cut.parent else "",
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
        along: dict[str, list[str]] = {}
        for referral in referrals:
            for host, address in glue(referral, dns.name.root):
                along.setdefault(host.rstrip(".").lower(), []).append(address)
        return list(
            await asyncio.gather(
                *(
                    self._host(name, tuple(sorted(set(along.get(_text(name), ())))))
                    for name in listed
                )
            )
        )

    async def _host(
        self, name: dns.name.Name, along: tuple[str, ...], *, at_parent: bool = True
    ) -> NameServer:
        both = await asyncio.gather(self.walk.find(name, A), self.walk.find(name, AAAA))
        addresses = _addresses(both)
        aliases = [target for found in both for _, target in found.aliases]
        return NameServer(
            name=_text(name),
            at_parent=at_parent,
            at_child=State.UNKNOWN,
            glue=along,
            addresses=addresses,
            exists=_exists(both, addresses),
            alias=_text(aliases[0]) if aliases else "",
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
                self._host(_name(name), (), at_parent=False)
                for name in sorted(named - known)[:MOST_SERVERS]
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
            ask(address, apex, SOA), ask(address, apex, SOA, tcp=True)
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
        record = next(iter(_records(best, apex, SOA)), None)
        names = (_text(r.target) for r in _records(listed.message, apex, NS))
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
        name = _name(f"{secrets.token_hex(6)}.tlscheck.invalid.")
        reply = await self.walk.servers.ask(address, name, A, recursion=True)
        if reply.message is None:
            return State.UNKNOWN
        available = bool(reply.message.flags & dns.flags.RA)
        looked = reply.message.rcode() in (dns.rcode.NXDOMAIN, dns.rcode.SERVFAIL)
        return State.ACCEPTED if available and looked else State.REFUSED

    async def _transfer(self, address: str, apex: dns.name.Name) -> State:
        reply = await self.walk.servers.ask(address, apex, AXFR, tcp=True)
        if reply.message is None:
            closed = reply.trouble in (Reason.CLOSED, Reason.RESET, Reason.CONNECTION_REFUSED)
            return State.REFUSED if closed else State.UNKNOWN
        handed = reply.message.rcode() == dns.rcode.NOERROR and bool(reply.message.answer)
        return State.ACCEPTED if handed else State.REFUSED

    # -- names ---------------------------------------------------------------------------------

    async def _names(self, apex: dns.name.Name) -> tuple[DomainName, ...]:
        return tuple(await asyncio.gather(*(self._named(name, apex) for name in self.names)))

    async def _named(self, host: str, apex: dns.name.Name) -> DomainName:
        name = _name(host)
        four, six, https, (at, caa) = await asyncio.gather(
            self.walk.find(name, A),
            self.walk.find(name, AAAA),
            self.walk.find(name, HTTPS),
            self._caa(name),
        )
        addresses = _addresses((four, six))
        ttls = [found.rrset.ttl for found in (four, six) if found.rrset is not None]
        return DomainName(
            name=host,
            exists=_exists((four, six), addresses),
            addresses=addresses,
            aliases=tuple(
                Alias(_text(owner), _text(target)) for owner, target in four.aliases or six.aliases
            ),
            ttl=min(ttls, default=None),
            caa_at=at,
            caa=caa,
            https=tuple(_https(r) for r in https.rrset or ()) if https.answered else None,
        )

    async def _caa(self, name: dns.name.Name) -> tuple[str, tuple[str, ...] | None]:
        """The CAA records that hold for *name*, climbing up (RFC 8659, section 3)."""
        climb = [name]
        while len(climb[-1]) > 2:
            climb.append(climb[-1].parent())
        for at, found in zip(
            climb, await asyncio.gather(*(self.walk.find(n, CAA) for n in climb)), strict=True
        ):
            if not found.answered:
                return "", None
            if found.rrset is not None:
                return _text(at), tuple(
                    f"{r.tag.decode('ascii', 'replace').lower()} "
                    f"{r.value.decode('utf-8', 'replace')[:200]}"
                    for r in list(found.rrset)[:32]
                )
        return "", ()

    # -- mail ----------------------------------------------------------------------------------

    async def _mail(self, apex: dns.name.Name) -> Mail:
        mx, spf, dmarc, sts, reports = await asyncio.gather(
            self.walk.find(apex, MX),
            self._spf(apex),
            self._dmarc(apex),
            self._mta_sts(apex),
            self.walk.find(_name("_smtp._tls", apex), TXT),
        )
        rows = sorted((r.preference, _text(r.exchange)) for r in mx.rrset or ())
        null = rows == [(0, "@")] or rows == [(0, ".")]
        some = [] if null else rows[:MOST_MAIL_HOSTS]
        mail_hosts = await asyncio.gather(*(self._mail_host(*row) for row in some))
        taken = State.ACCEPTED if mail_hosts else State.REFUSED
        return Mail(
            takes=taken if mx.answered else State.UNKNOWN,
            hosts=tuple(mail_hosts),
            spf=spf,
            dmarc=dmarc,
            mta_sts=sts,
            tls_reports=_versioned(reports, "v=TLSRPTv1"),
        )

    async def _mail_host(self, preference: int, host: str) -> MailHost:
        name = _name(host)
        four, six, tlsa = await asyncio.gather(
            self.walk.find(name, A),
            self.walk.find(name, AAAA),
            self.walk.find(_name("_25._tcp", name), TLSA),
        )
        return MailHost(
            host,
            preference,
            _exists((four, six), _addresses((four, six))),
            await self._dane(tlsa),
            bool(four.aliases or six.aliases),
        )

    async def _dane(self, tlsa: Found) -> State:
        if not tlsa.answered:
            return State.UNKNOWN
        if tlsa.rrset is None or tlsa.message is None:
            return State.REFUSED
        trust = await self.means.trust(tlsa.cut, self.at)
        if trust.keys is None or trust.security.standing is not Standing.SECURE:
            unknown = trust.security.standing is Standing.UNKNOWN
            return State.UNKNOWN if unknown else State.REFUSED
        wrong = security.problem_of(tlsa.message, tlsa.rrset, trust.keys, self.at)
        return State.REFUSED if wrong else State.ACCEPTED

    async def _spf(self, apex: dns.name.Name) -> Spf | None:
        found = await self.walk.find(apex, TXT)
        if not found.answered:
            return None
        seen = reading.spf(texts(found.rrset))
        lookups, todo, done = seen.lookups, list(_followed(seen)), {_text(apex)}
        trusted = list(seen.hosts)
        while todo and len(done) <= MOST_INCLUDES:
            name = todo.pop(0)
            if name in done:
                continue
            done.add(name)
            taken = await self.walk.find(_name(name), TXT)
            inner = reading.spf(texts(taken.rrset))
            lookups += inner.lookups
            trusted.extend(inner.hosts)
            todo.extend(_followed(inner))
        return replace(seen, lookups=lookups, hosts=tuple(dict.fromkeys(trusted)))

    async def _dmarc(self, apex: dns.name.Name) -> Dmarc | None:
        """The record of the domain itself, or of a name above it that has one."""
        at = apex
        while len(at) > 1:
            found = await self.walk.find(_name("_dmarc", at), TXT)
            if not found.answered:
                return None
            record = reading.dmarc(_text(at), texts(found.rrset), of_parent=at != apex)
            if record is not None:
                return record
            at = at.parent()
        return Dmarc()

    async def _mta_sts(self, apex: dns.name.Name) -> TransportPolicy | None:
        found = await self.walk.find(_name("_mta-sts", apex), TXT)
        record = _versioned(found, "v=STSv1")
        if not record:
            return None if record is None else TransportPolicy()
        host = f"mta-sts.{self.domain}"
        try:
            addresses = await self.walk.addresses(_name(host))
            if not addresses:
                raise NetError(Reason.UNRESOLVED)
            fetched = await self.means.net.fetch(
                f"https://{host}/.well-known/mta-sts.txt",
                private=self.means.private,
                limit=MOST_OF_A_POLICY,
                address=addresses[0],
            )
        except NetError as error:
            return TransportPolicy(record, trouble=error.reason)
        if fetched.status != _OK:
            return TransportPolicy(record, State.REFUSED, trouble=f"HTTP status {fetched.status}")
        return reading.transport_policy(record, fetched.body)

    # -- what leads elsewhere ------------------------------------------------------------------

    async def _pointers(
        self, zones: Sequence[Zone], names: Sequence[DomainName], mail: Mail
    ) -> tuple[Pointer, ...]:
        leads = {
            **dict.fromkeys(_of_zones(zones, self.domain)),
            **dict.fromkeys(_of_names(names)),
            **dict.fromkeys(_of_mail(mail, self.domain)),
        }
        if mail.mta_sts and mail.mta_sts.record:
            sts = _name(f"mta-sts.{self.domain}")
            for owner, target in (await self.walk.find(sts, A)).aliases:
                leads[Role.MTA_STS, _text(owner), _text(target)] = None
        found = await asyncio.gather(
            *(self._pointer(*lead) for lead in list(leads)[:MOST_POINTERS])
        )
        return tuple(pointer for pointer in found if pointer is not None)

    async def _pointer(self, role: Role, owner: str, target: str) -> Pointer | None:
        domain = targets.registrable(target)
        if not domain:
            return None
        if role is Role.SPF:
            found = [await self.walk.find(_name(target), TXT)]
            exists = _there(found[0])
        else:
            found = list(
                await asyncio.gather(
                    self.walk.find(_name(target), A), self.walk.find(_name(target), AAAA)
                )
            )
            exists = _exists(found, _addresses(found))
        pointer = Pointer(
            role, owner, target, domain, exists, nonexistent=any(f.nonexistent for f in found)
        )
        if domain == self.domain:
            return replace(pointer, unasked=True, domain_exists=State.ACCEPTED)
        apex = await self.walk.find(_name(domain), SOA)
        delegated = _name(domain) in self.walk.cuts or _there(apex) is State.ACCEPTED
        pointer = replace(pointer, domain_exists=State.ACCEPTED if delegated else _there(apex))
        if service := _service(target):
            pointer = replace(pointer, free_at=await self._free(pointer, service))
        return await self._registered(pointer)

    async def _registered(self, pointer: Pointer) -> Pointer:
        if self.means.registry is None:
            return replace(pointer, unasked=True)
        record = await self.means.registry.record(pointer.domain)
        if isinstance(record, Record):
            return replace(pointer, registered=record.registered, statuses=record.statuses)
        return replace(pointer, trouble=record.reason)

    async def _free(self, pointer: Pointer, service: Mapping[str, Any]) -> str:
        """The service's name, where the target is free there: it does not exist, or the owner's
        own page says so.
        """
        owner = pointer.owner
        if service["free"] == "nxdomain":
            return str(service["name"]) if pointer.nonexistent else ""
        if owner.startswith("*."):
            return ""
        addresses = await self.walk.addresses(_name(owner))
        for address in addresses[:1]:
            try:
                page = await self.means.net.fetch(
                    f"http://{owner}/",
                    schemes=("http",),
                    private=self.means.private,
                    limit=MOST_OF_A_POLICY,
                    address=address,
                )
            except NetError:
                return ""
            if str(service["words"]).encode() in page.body:
                return str(service["name"])
        return ""


_OK = 200
_Lead = tuple[Role, str, str]
"""What a name elsewhere is needed for, by which record, and the name."""


def _of_zones(zones: Iterable[Zone], domain: str) -> Iterable[_Lead]:
    for zone in zones:
        # Name servers in the domain itself are looked at with the zone.
        for server in zone.name_servers:
            if targets.registrable(server.name) != domain:
                yield Role.NAME_SERVER, zone.name, server.name
        if zone.wildcard_target:
            yield Role.WILDCARD, f"*.{zone.name}", zone.wildcard_target


def _of_names(names: Iterable[DomainName]) -> Iterable[_Lead]:
    for name in names:
        for alias in name.aliases:
            yield Role.ALIAS, alias.owner, alias.target


def _of_mail(mail: Mail, domain: str) -> Iterable[_Lead]:
    for host in mail.hosts:
        yield Role.MAIL, domain, host.name
    for trusted in mail.spf.hosts if mail.spf else ():
        yield Role.SPF, domain, trusted


def _silence(servers: NameServers) -> NetError:
    """Why no root server answered."""
    troubles = {e.trouble for e in servers.exchanges if e.trouble}
    reason = Reason(troubles.pop()) if len(troubles) == 1 else Reason.TIMEOUT
    return NetError(reason, "no root name server answered")


def _text(name: dns.name.Name) -> str:
    return name.to_text(True).lower()


def _name(text: str, origin: dns.name.Name = dns.name.root) -> dns.name.Name:
    return dns.name.from_text(text, origin)


def _records(
    message: dns.message.Message | None, name: dns.name.Name, rdtype: dns.rdatatype.RdataType
) -> Iterable[Any]:
    if message is None:
        return ()
    return [r for s in message.answer if s.name == name and s.rdtype == rdtype for r in s]


def _addresses(found: Iterable[Found]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(str(r.address) for f in found for r in (f.rrset or ())))


def _exists(found: Sequence[Found], addresses: Sequence[str]) -> State:
    """Whether a name has addresses."""
    if addresses:
        return State.ACCEPTED
    settled = any(f.nonexistent for f in found) or all(f.answered for f in found)
    return State.REFUSED if settled else State.UNKNOWN


def _there(found: Found) -> State:
    """Whether a name is in the DNS, with whatever records."""
    if not found.answered:
        return State.UNKNOWN
    return State.REFUSED if found.nonexistent else State.ACCEPTED


def _wild(found: Found) -> State:
    """Whether a name that nobody made has an answer."""
    if found.aliases or found.rrset is not None:
        return State.ACCEPTED
    return State.UNKNOWN if found.message is None else State.REFUSED


def _denial(found: Found, cut: Cut, trust: Trust, at: datetime) -> State:
    """Whether the zone's word that a name does not exist is proven."""
    negative = found.message is not None and not found.message.answer
    if not negative or trust.keys is None or found.cut.name != cut.name:
        return State.UNKNOWN
    assert found.message is not None
    good = security.denies(found.message, trust.keys, at)
    return State.ACCEPTED if good else State.REFUSED


def _outcome(reply: Reply, apex: dns.name.Name) -> Outcome:
    if reply.message is not None:
        own = bool(_records(reply.message, apex, SOA))
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
        _text(record.mname),
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


def _https(record: Any) -> HttpsRecord:
    hints = [
        str(address)
        for key in (dns.rdtypes.svcbbase.ParamKey.IPV4HINT, dns.rdtypes.svcbbase.ParamKey.IPV6HINT)
        if key in record.params
        for address in record.params[key].addresses
    ]
    return HttpsRecord(record.priority, _text(record.target), tuple(hints))


def _versioned(found: Found, version: str) -> str | None:
    """The one TXT record that begins with *version*; empty where none does, ``None``: unknown."""
    if not found.answered:
        return None
    some = [t for t in texts(found.rrset) if t.partition(";")[0].strip() == version]
    return some[0] if some else ""


def _followed(spf: Spf) -> tuple[str, ...]:
    return reading.followed(spf.records[0]) if spf.records else ()


@cache
def _services() -> tuple[dict[str, Any], ...]:
    file = data_dir("profiles") / "services" / "claimable.toml"
    return tuple(tomllib.loads(file.read_text(encoding="utf-8"))["service"])


def _service(target: str) -> dict[str, Any] | None:
    """The service, of those at which names are free for anybody, that *target* is a name at."""
    for service in _services():
        if any(target.endswith(f".{suffix}") for suffix in service["suffixes"]):
            return service
    return None
