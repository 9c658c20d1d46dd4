"""What can be known of an endpoint's TLS: three states throughout, names instead of numbers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from tlscheck.model import Observation, State
from tlscheck.wire.registry import Version


@dataclass(frozen=True, slots=True)
class Names:
    """Names of suites, groups and signature schemes, in registry order."""

    suites: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    schemes: tuple[str, ...] = ()


class Chooser(StrEnum):
    """Whose order decides."""

    SERVER = "server"
    CLIENT = "client"
    SINGLE = "single"
    """There is only one to choose from."""
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Order:
    """Whose order of suites and groups decides in one version."""

    suites: Chooser = Chooser.UNKNOWN
    groups: Chooser = Chooser.UNKNOWN
    chacha_first: State = State.UNKNOWN
    """Accepted: a client that puts ChaCha20 first gets it, against the server's own order."""


@dataclass(frozen=True, slots=True)
class DhParameters:
    """A finite-field Diffie-Hellman group that a ServerKeyExchange carried."""

    versions: tuple[Version, ...]
    suites: tuple[str, ...]
    bits: int
    """Length of the prime in bits."""
    name: str
    """The name of a known prime (``ffdhe2048``, ``RFC 2409 group 2`` …), else empty."""
    weakness: str
    """``weak`` or ``shared`` where the known prime is called so, else empty."""
    generator: str
    prime_sha256: str


class Demand(StrEnum):
    """Whether a client certificate is asked for."""

    NONE = "none"
    REQUESTED = "requested"
    """Asked for in the handshake; without one the connection works all the same."""
    REQUIRED = "required"
    """The handshake fails without one."""
    REQUIRED_HTTP = "required_http"
    """The handshake succeeds, and the HTTP layer then refuses."""
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class ClientCertificate:
    """What the server asks of the client."""

    demand: Demand = Demand.UNKNOWN
    authorities: tuple[str, ...] = ()
    """Names (RFC 4514) of the CAs that the server says it takes."""


@dataclass(frozen=True, slots=True)
class Deep:
    """What a hello cannot tell; looked at by sslyze in a child process.

    `State.ACCEPTED` means that the server does it (is vulnerable, allows it, supports it).
    """

    heartbleed: State = State.UNKNOWN
    robot: State = State.UNKNOWN
    client_renegotiation: State = State.UNKNOWN
    resumption_ids: State = State.UNKNOWN
    resumption_tickets: State = State.UNKNOWN
    early_data: State = State.UNKNOWN
    crossing: State = State.UNKNOWN
    """A session of one name or address of the target was resumed on another."""
    others: int = 0
    """How many other names and addresses of the target were tried for `crossing`."""
    disagreements: tuple[str, ...] = ()
    """``--cross-check``: suites and versions where sslyze and the hello engine differ."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TlsObservation(Observation):
    """Everything seen of one endpoint's TLS."""

    versions: Mapping[Version, State]
    """All six versions."""
    suites: Mapping[Version, tuple[str, ...]] = field(default_factory=dict)
    """Accepted suites of each accepted version, in the server's order where `order` says it has
    one, else in registry order."""
    groups: Mapping[Version, tuple[str, ...]] = field(default_factory=dict)
    """Accepted groups, negotiated through supported_groups; DHE primes are in `dh`."""
    schemes: Mapping[Version, tuple[str, ...]] = field(default_factory=dict)
    """Accepted signature schemes (TLS 1.2 and 1.3)."""
    unknown: Mapping[Version, Names] = field(default_factory=dict)
    """Asked and not settled."""
    refused: Mapping[Version, Names] = field(default_factory=dict)
    """Asked and refused, each refusal between good canaries."""
    order: Mapping[Version, Order] = field(default_factory=dict)
    dh: tuple[DhParameters, ...] = ()
    certificate_types: tuple[str, ...] = ()
    """Key types of the certificates seen (``RSA``, ``ECDSA`` …)."""

    compression: State = State.UNKNOWN
    secure_renegotiation: State = State.UNKNOWN
    extended_master_secret: State = State.UNKNOWN
    encrypt_then_mac: State = State.UNKNOWN
    fallback_scsv: State = State.UNKNOWN
    heartbeat: State = State.UNKNOWN
    session_ids: State = State.UNKNOWN
    session_tickets: State = State.UNKNOWN
    stapling: State = State.UNKNOWN
    early_ccs: State = State.UNKNOWN
    """Accepted: a ChangeCipherSpec before the keys exist is swallowed (CVE-2014-0224)."""
    schemes_ignored: bool = False
    """The server signs with a scheme that was not offered: its schemes cannot be listed."""
    ticket_lifetimes: Mapping[Version, int] = field(default_factory=dict)
    """Lifetime hint of session tickets in seconds, by the version that gave one; 0: no ticket."""
    alpn: tuple[str, ...] = ()
    """Application protocols that the server chose when offered."""
    client_certificate: ClientCertificate = ClientCertificate()
    deep: Deep | None = None

    cut_short: bool = False
    """The look ended before all was settled: a ban, or the budget was spent."""
    rung: str = ""
    """The shape of hello that worked (the ladder for intolerant servers)."""
    filtered: bool = False
    """A browser-shaped hello is answered and ours is not: something filters odd hellos."""
    contradictions: tuple[str, ...] = ()
    """How connections to the one address contradicted each other (unequal nodes)."""

    def settled(self, version: Version, dimension: str, name: str) -> State:
        """What became of *name* in *dimension* (``suites``, ``groups``, ``schemes``) of *version*.

        A name that was never offered is unknown, never refused.
        """
        if name in getattr(self, dimension).get(version, ()):
            return State.ACCEPTED
        if name in getattr(self.refused.get(version, Names()), dimension):
            return State.REFUSED
        return State.UNKNOWN
