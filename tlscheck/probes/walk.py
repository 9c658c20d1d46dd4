"""Finding the way from the root to a name, at the name servers themselves.

No resolver is asked: one that caches or repairs would hide what is broken.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdatatype
import dns.rrset

from tlscheck.probes.nameserver import NameServers, Reply

ROOTS = (
    "198.41.0.4",
    "170.247.170.2",
    "192.33.4.12",
    "199.7.91.13",
    "192.203.230.10",
    "192.5.5.241",
    "192.112.36.4",
    "198.97.190.53",
    "192.36.148.17",
    "192.58.128.30",
    "193.0.14.129",
    "199.7.83.42",
    "202.12.27.33",
)
"""The root name servers, a to m (IANA's root hints)."""
MOST_CUTS = 12
MOST_ALIASES = 10
MOST_SERVERS = 5
"""How many servers of a zone are tried for one answer."""
DEEPEST = 4
"""How many names of name servers may have to be found for one of them."""
PATIENCE = 0.4
"""Seconds after which the next server of a zone is asked too."""

A, AAAA = dns.rdatatype.A, dns.rdatatype.AAAA
NS, CNAME, SOA = dns.rdatatype.NS, dns.rdatatype.CNAME, dns.rdatatype.SOA


@dataclass
class Cut:
    """A zone on the way, with the addresses of its servers as far as they were needed."""

    name: dns.name.Name
    parent: Cut | None
    servers: list[tuple[str, str]] = field(default_factory=list)
    """Name and address."""
    referral: dns.message.Message | None = None
    """What the parent's server said."""


@dataclass(frozen=True)
class Found:
    """What became of a name and a type."""

    cut: Cut
    """The zone that answered last."""
    message: dns.message.Message | None
    """``None``: no server that is an authority answered."""
    aliases: tuple[tuple[dns.name.Name, dns.name.Name], ...] = ()
    rrset: dns.rrset.RRset | None = None
    name: dns.name.Name = dns.name.root
    """The last of the aliases' names, or the one asked for."""
    passed: tuple[dns.message.Message, ...] = ()
    """All answers on the way there."""

    @property
    def nonexistent(self) -> bool:
        """Whether an authority says that there is no such name."""
        return self.message is not None and self.message.rcode() == dns.rcode.NXDOMAIN

    @property
    def answered(self) -> bool:
        """Whether an authority has answered."""
        return self.message is not None


@dataclass
class Walk:
    """The zones that are known so far, and how more are found."""

    servers: NameServers
    roots: Sequence[str] = ROOTS
    cuts: dict[dns.name.Name, Cut] = field(default_factory=dict)
    _known: dict[tuple[dns.name.Name, dns.rdatatype.RdataType], Found] = field(default_factory=dict)

    def __post_init__(self) -> None:
        root = Cut(dns.name.root, None, [("", address) for address in self.roots])
        self.cuts[dns.name.root] = root

    async def find(
        self, name: dns.name.Name, rdtype: dns.rdatatype.RdataType, depth: int = 0
    ) -> Found:
        """The records of *name*, its aliases followed."""
        key = (name, rdtype)
        if key not in self._known:
            found = await self._follow(name, rdtype, depth)
            if depth and not found.answered:
                return found  # perhaps for the depth alone
            self._known[key] = found
        return self._known[key]

    async def _follow(
        self, name: dns.name.Name, rdtype: dns.rdatatype.RdataType, depth: int
    ) -> Found:
        aliases: list[tuple[dns.name.Name, dns.name.Name]] = []
        passed: list[dns.message.Message] = []
        at = name
        while True:
            cut, message = await self._authority(at, rdtype, depth)
            if message is None:
                return Found(cut, None, tuple(aliases), None, at, tuple(passed))
            passed.append(message)
            while rdtype != CNAME and (alias := _get(message, at, CNAME)) is not None:
                onward = alias[0].target
                aliases.append((at, onward))
                at = onward
                if len(aliases) > MOST_ALIASES:
                    return Found(cut, None, tuple(aliases), None, at)
                if not at.is_subdomain(cut.name) or not _speaks_of(message, at):
                    break
            else:
                rrset = _get(message, at, rdtype)
                return Found(cut, message, tuple(aliases), rrset, at, tuple(passed))
            if len({owner for owner, _ in aliases}) < len(aliases):
                return Found(cut, None, tuple(aliases), None, at)

    async def _authority(
        self, name: dns.name.Name, rdtype: dns.rdatatype.RdataType, depth: int
    ) -> tuple[Cut, dns.message.Message | None]:
        """The zone that holds *name*, and its answer."""
        cut = self.closest(name, above=rdtype == dns.rdatatype.DS)
        for _ in range(MOST_CUTS):
            message = await self.ask(cut, name, rdtype, depth)
            if message is None:
                return cut, None
            child = referred(message, cut.name, name)
            if child is None:
                return cut, message
            if rdtype == dns.rdatatype.DS and child == name:
                return cut, message  # the referral itself says what there is
            cut = await self._enter(child, cut, message)
        return cut, None

    def closest(self, name: dns.name.Name, *, above: bool = False) -> Cut:
        """The deepest zone that is known to hold *name*; *above*: not one of that very name."""
        at = name.parent() if above and name != dns.name.root else name
        while at not in self.cuts:
            at = at.parent()
        return self.cuts[at]

    async def _enter(self, name: dns.name.Name, above: Cut, referral: dns.message.Message) -> Cut:
        """The zone *name*, to which a server of the zone *above* refers."""
        if name not in self.cuts:
            parent = await self.around(name.parent(), above)
            new = Cut(name, parent, glue(referral, parent.name), referral)
            self.cuts.setdefault(name, new)
        return self.cuts[name]

    async def around(self, name: dns.name.Name, above: Cut) -> Cut:
        """The zone that *name* is in, at *above* or between the two: the servers of a zone that
        hold one below it as well never refer to that.
        """
        between = [name]
        while len(between[-1]) > len(above.name) + 1:
            between.append(between[-1].parent())
        cut = above
        for each in reversed(between):
            if each == above.name or each in self.cuts:
                cut = self.cuts.get(each, above)
                continue
            message = await self.ask(cut, each, SOA)
            if message is not None and _get(message, each, SOA) is not None:
                new = Cut(each, cut, list(cut.servers), cut.referral)
                cut = self.cuts.setdefault(each, new)
        return cut

    def found(self) -> Iterator[tuple[dns.name.Name, Found]]:
        """All that was found so far, by the names asked for."""
        for (name, _), found in self._known.items():
            yield name, found

    async def addresses(self, name: dns.name.Name, depth: int = 0) -> tuple[str, ...]:
        """All addresses of *name*, IPv4 first."""
        both = await asyncio.gather(self.find(name, A, depth), self.find(name, AAAA, depth))
        return tuple(dict.fromkeys(str(r.address) for found in both for r in (found.rrset or ())))

    async def ask(
        self,
        cut: Cut,
        name: dns.name.Name,
        rdtype: dns.rdatatype.RdataType,
        depth: int = 0,
    ) -> dns.message.Message | None:
        """What the first of the zone's servers that is of any use says."""
        async with contextlib.aclosing(self._replies(cut, name, rdtype, depth)) as replies:
            async for reply in replies:
                if reply.message is not None and useful(reply.message, cut.name, name):
                    return reply.message
        return None

    async def _replies(
        self, cut: Cut, name: dns.name.Name, rdtype: dns.rdatatype.RdataType, depth: int
    ) -> AsyncGenerator[Reply]:
        """Replies as they come: the next server is asked when one is of no use, or is late."""
        waiting: set[asyncio.Task[Reply]] = set()
        addresses = self._addresses(cut, depth)
        try:
            left = MOST_SERVERS
            while left or waiting:
                address = await anext(addresses, None) if left else None
                left = left - 1 if address else 0
                if address:
                    task = asyncio.create_task(self.servers.ask(address, name, rdtype))
                    waiting.add(task)
                if not waiting:
                    break
                done, waiting = await asyncio.wait(
                    waiting,
                    timeout=PATIENCE if left else None,
                    return_when=asyncio.FIRST_COMPLETED,
                )
                for task in done:
                    yield task.result()
        finally:
            for task in waiting:
                task.cancel()
            await addresses.aclose()

    async def _addresses(self, cut: Cut, depth: int) -> AsyncGenerator[str]:
        """The addresses of a zone's servers: those that have answered first, IPv4 before IPv6."""
        known = list(dict.fromkeys(address for _, address in cut.servers))
        for address in sorted(known, key=lambda a: (self.servers.known(a), ":" in a)):
            yield address
        if cut.referral is None or depth >= DEEPEST:
            return
        known_hosts = {name.lower() for name, _ in cut.servers}
        for host in hosts(cut.referral):
            if host.to_text().lower() in known_hosts:
                continue
            for address in await self.addresses(host, depth + 1):
                cut.servers.append((host.to_text(), address))
                yield address


def useful(message: dns.message.Message, zone: dns.name.Name, name: dns.name.Name) -> bool:
    """Whether *message* is an authority's answer, or leads further down from *zone*."""
    if message.rcode() not in (dns.rcode.NOERROR, dns.rcode.NXDOMAIN):
        return False
    if message.flags & dns.flags.AA:
        # Who says no in the name of a zone further up knows nothing of this one.
        return bool(message.answer) or all(
            rrset.name.is_subdomain(zone) for rrset in message.authority if rrset.rdtype == SOA
        )
    return referred(message, zone, name) is not None


def referred(
    message: dns.message.Message, zone: dns.name.Name, name: dns.name.Name
) -> dns.name.Name | None:
    """The zone that *message* of a server of *zone* refers to on the way to *name*."""
    if message.flags & dns.flags.AA or message.rcode() != dns.rcode.NOERROR:
        return None
    for rrset in message.authority:
        below = rrset.name.is_subdomain(zone) and rrset.name != zone
        if rrset.rdtype == NS and below and name.is_subdomain(rrset.name):
            return rrset.name
    return None


def hosts(referral: dns.message.Message) -> list[dns.name.Name]:
    """The names of the name servers in a referral."""
    return [r.target for rrset in referral.authority if rrset.rdtype == NS for r in rrset]


def glue(referral: dns.message.Message, zone: dns.name.Name) -> list[tuple[str, str]]:
    """Names and addresses that come along with a referral of *zone*; what is not below it is
    nothing that its servers may speak of.
    """
    named = set(hosts(referral))
    return [
        (rrset.name.to_text(), str(r.address))
        for rrset in referral.additional
        if rrset.rdtype in (A, AAAA) and rrset.name in named and rrset.name.is_subdomain(zone)
        for r in rrset
    ]


def _get(
    message: dns.message.Message, name: dns.name.Name, rdtype: dns.rdatatype.RdataType
) -> dns.rrset.RRset | None:
    for rrset in message.answer:
        if rrset.name == name and rrset.rdtype == rdtype:
            return rrset
    return None


def _speaks_of(message: dns.message.Message, name: dns.name.Name) -> bool:
    """Whether the answer has records of *name*, or says that it does not exist."""
    return any(rrset.name == name for rrset in message.answer)


def texts(rrset: dns.rrset.RRset | None) -> Iterable[str]:
    """The strings of TXT records, each record's put together."""
    for record in rrset or ():
        yield b"".join(record.strings).decode("utf-8", "replace")
