"""The words for what was seen of a domain in the DNS."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from tlscheck.model import Observation, State
from tlscheck.observations.dns.mail import Mail
from tlscheck.observations.dns.standing import Security


@dataclass(frozen=True, slots=True)
class Exchange:
    """One question to one name server, and what came back."""

    server: str
    """The address asked."""
    question: str
    """Name and type, as ``clinic.example.jp. NS``."""
    transport: str
    """``udp`` or ``tcp``."""
    at: datetime
    answer: str = ""
    """The message in base64; empty where none came."""
    trouble: str = ""
    """Why none came: a `Reason`."""


class Outcome(StrEnum):
    """What a name server does when it is asked about a zone that is delegated to it."""

    AUTHORITATIVE = "authoritative"
    LAME = "lame"
    """It answers, and not as an authority for the zone."""
    SILENT = "silent"
    CLOSED = "closed"
    """It refuses the connection or the packet."""
    UNREACHABLE = "unreachable"
    """There is no way to it from where we stand."""
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Soa:
    """The timers of a zone, in seconds (RFC 1035, section 3.3.13)."""

    primary: str
    serial: int
    refresh: int
    retry: int
    expire: int
    minimum: int


@dataclass(frozen=True, slots=True)
class NameServer:
    """One name of a name server."""

    name: str
    at_parent: bool
    """Whether the parent zone's delegation names it."""
    at_child: State
    """Whether the zone itself names it."""
    glue: tuple[str, ...] = ()
    """The addresses that the parent's servers give along."""
    addresses: tuple[str, ...] = ()
    """The addresses that its own zone gives."""
    exists: State = State.UNKNOWN
    """``refused``: the servers of its own zone say that it has no address."""
    complete: bool = False
    """Whether its zone answered for both kinds of addresses."""
    alias: str = ""
    """What it is an alias of, which no name server's name may be (RFC 2181, section 10.3)."""


@dataclass(frozen=True, slots=True)
class Server:
    """One address of a name server, as it answers for the zone."""

    name: str
    address: str
    udp: Outcome
    tcp: Outcome = Outcome.UNKNOWN
    detail: str = ""
    """The response code of an answer that is lame."""
    serial: int | None = None
    name_servers: tuple[str, ...] = ()
    edns: State = State.UNKNOWN
    """EDNS(0) is answered, and version 1 with BADVERS (RFC 6891)."""
    recursion: State = State.UNKNOWN
    """``accepted``: it looks names up for anybody."""
    transfer: State = State.UNKNOWN
    """``accepted``: it hands the whole zone to anybody."""
    signature: str = ""
    """What is wrong with the signature of the SOA record that it gave; empty where nothing is."""


def network_of(address: str) -> str:
    """The network that *address* is in: the first 24 bits of IPv4, 48 of IPv6."""
    bits = 48 if ":" in address else 24
    return str(ipaddress.ip_network(f"{address}/{bits}", strict=False))


@dataclass(frozen=True, slots=True)
class Zone:
    """One zone: what its parent delegates, and what its own servers say."""

    name: str
    parent: str
    delegated: State
    """``refused``: the parent's servers say that there is no such name."""
    name_servers: tuple[NameServer, ...] = ()
    servers: tuple[Server, ...] = ()
    unasked: int = 0
    """How many more addresses its name servers have: too many to ask, or of a family that was not
    to be asked.
    """
    soa: Soa | None = None
    security: Security = field(default_factory=Security)
    denial: State = State.UNKNOWN
    """Whether a secure zone proves, signed, that a name does not exist (NSEC or NSEC3)."""
    wildcard: State = State.UNKNOWN
    """``accepted``: a name that nobody made has an answer."""
    wildcard_target: str = ""
    """What it is an alias of."""


@dataclass(frozen=True, slots=True)
class Alias:
    """One CNAME on the way from a name to its addresses."""

    owner: str
    target: str


@dataclass(frozen=True, slots=True)
class HttpsRecord:
    """One HTTPS record (RFC 9460)."""

    priority: int
    target: str
    hints: tuple[str, ...] = ()
    """The addresses of ``ipv4hint`` and ``ipv6hint``."""


@dataclass(frozen=True, slots=True)
class DomainName:
    """One name that was asked for."""

    name: str
    exists: State
    """``refused``: it has no address; ``unknown``: no authority answered."""
    addresses: tuple[str, ...] = ()
    complete: bool = False
    """Whether both kinds of addresses were told or denied."""
    aliases: tuple[Alias, ...] = ()
    ttl: int | None = None
    """The shortest of its address records, in seconds."""
    caa_at: str = ""
    """Where the CAA records were found, climbing from the name (RFC 8659, section 3)."""
    caa: tuple[str, ...] | None = None
    """``issue`` properties and the like, as ``issue letsencrypt.org``; ``None``: not known."""
    https: tuple[HttpsRecord, ...] | None = None


@dataclass(frozen=True, slots=True)
class Signed:
    """Records of a name in a secure zone, and their signature."""

    name: str
    rdtype: str
    problem: str = ""
    """What is wrong with it, in `Security`'s words; empty where nothing is."""
    ends: datetime | None = None


class Role(StrEnum):
    """What a name elsewhere is needed for."""

    ALIAS = "alias"
    NAME_SERVER = "name_server"
    MAIL = "mail"
    SPF = "spf"
    MTA_STS = "mta_sts"
    WILDCARD = "wildcard"


@dataclass(frozen=True, slots=True)
class Pointer:
    """A record that leads to a name of another domain, whose holder it trusts."""

    role: Role
    owner: str
    target: str
    domain: str
    """The registrable domain of the target."""
    exists: State
    """Whether the target is in the DNS; ``refused``: its own zone or a parent says no."""
    nonexistent: bool = False
    """Whether the answer was NXDOMAIN, rather than that the name has no such record."""
    domain_exists: State = State.UNKNOWN
    """Whether the registrable domain is delegated."""
    registered: State = State.UNKNOWN
    statuses: tuple[str, ...] = ()
    """Of the registration."""
    unasked: bool = False
    """Whether its registration was not asked for."""
    trouble: str = ""
    """Why its registration is not known."""
    service: str = ""
    """The service at which anybody can have the target while it is free there."""
    free: State = State.REFUSED
    """Whether it is."""
    lost: tuple[str, ...] = ()
    """Name servers of its domain that stand in domains which do not exist."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DnsObservation(Observation):
    """A registrable domain and the targets' names under it, asked of their name servers."""

    domain: str
    zones: tuple[Zone, ...]
    """The domain's own zone first, then those between it and the names."""
    names: tuple[DomainName, ...] = ()
    pointers: tuple[Pointer, ...] = ()
    mail: Mail = field(default_factory=Mail)
    issuers: tuple[str, ...] | None = None
    """The organisations that issued the certificates seen, as ``host: organisation``."""
    signed: tuple[Signed, ...] = ()
    """Records of the domain that were looked at and belong to a secure zone."""
    ds_before: tuple[str, ...] | None = None
    """The DS records of an earlier scan."""
    exchanges: tuple[Exchange, ...] = ()

    @property
    def zone(self) -> Zone:
        """The domain's own zone."""
        return self.zones[0]
