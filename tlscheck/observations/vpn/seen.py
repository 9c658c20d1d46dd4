"""What can be known of VPNs over TLS at one address."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

from tlscheck.model import Confidence, Observation, State
from tlscheck.observations.tls import Demand
from tlscheck.observations.vpn.markers import Proof

Transport = Literal["tcp", "udp"]
QUIET = frozenset({"connect", "openvpn_udp", "openvpn_tcp", "ipsec_tcp", "sstp"})
"""The questions to which most of the world says nothing, and nothing is wrong."""


class Said(StrEnum):
    """What the operator says of a port."""

    NOTHING = "nothing"
    VPN = "vpn"
    """That a VPN answers there."""
    OTHER = "other"
    """That something else does."""


@dataclass(frozen=True, slots=True)
class Declared:
    """What the operator says of an address's ports."""

    tcp: tuple[int, ...] = ()
    """In use for something that is no VPN."""
    udp: tuple[int, ...] = ()
    vpn_tcp: tuple[int, ...] = ()
    """In use for a VPN."""
    vpn_udp: tuple[int, ...] = ()

    def said(self, number: int, transport: Transport) -> Said:
        """What is said of one port."""
        tcp = transport == "tcp"
        if number in (self.vpn_tcp if tcp else self.vpn_udp):
            return Said.VPN
        return Said.OTHER if number in (self.tcp if tcp else self.udp) else Said.NOTHING


@dataclass(frozen=True, slots=True)
class Hit:
    """One mark that an answer had."""

    product: str
    name: str
    """The product's, for people."""
    marker: str
    probe: str
    proves: Proof
    confidence: Confidence
    excerpt: str
    """What matched, printable and short; of cookies the name alone. A stranger's words."""


@dataclass(frozen=True, slots=True)
class Unanswered:
    """A question that brought nothing."""

    probe: str
    reason: str
    """A `Reason`."""
    sent: bool = True
    """False: it was not asked at all."""


@dataclass(frozen=True, slots=True)
class Port:
    """What one port showed.

    The protocols' states: ``accepted`` is an answer of that protocol. OpenVPN and IPsec are never
    ``refused``, SSTP and SoftEther only by another answer of HTTP: silence is ``unknown``.
    """

    number: int
    transport: Transport
    said: Said = Said.NOTHING
    opened: State = State.UNKNOWN
    """Refused: nobody listens there, or somebody says so. Unknown: silence."""
    tls: State = State.UNKNOWN
    """Whether TLS was spoken."""
    web: State = State.UNKNOWN
    """Whether HTTP was spoken inside of it."""
    whole: bool = False
    """It was asked all questions, not just the first ones."""
    hits: tuple[Hit, ...] = ()
    void: tuple[str, ...] = ()
    """Marks that count for nothing: a random path brings them too, or our own words may have."""
    elsewhere: tuple[str, ...] = ()
    """Addresses on other hosts that it sends visitors to and that have a product's look."""
    client_certificate: Demand = Demand.UNKNOWN
    openvpn: State = State.UNKNOWN
    sstp: State = State.UNKNOWN
    sstp_server: str = ""
    """What the SSTP server calls itself."""
    softether: State = State.UNKNOWN
    ipsec: State = State.UNKNOWN
    """IPsec over TCP (RFC 9329)."""
    sent: tuple[str, ...] = ()
    """The probes that were sent, in order."""
    unanswered: tuple[Unanswered, ...] = ()

    @property
    def id(self) -> str:
        """``443/tcp``."""
        return f"{self.number}/{self.transport}"


@dataclass(frozen=True, slots=True, kw_only=True)
class VpnObservation(Observation):
    """All that shows of VPNs over TLS at one address."""

    host: str
    """The name that was asked by."""
    address: str
    ports: tuple[Port, ...] = ()
    markers: str = ""
    """The date of the data file."""

    def hits(self, proof: Proof) -> Iterator[tuple[Port, Hit]]:
        """The hits that prove that, with their ports."""
        return ((port, hit) for port in self.ports for hit in port.hits if hit.proves is proof)
