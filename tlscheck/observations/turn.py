"""What can be known of a STUN or TURN server, and of DTLS at a UDP port: three states throughout.

No answer proves nothing. What was refused was refused in words, and by a server that answered a
known-good question afterwards.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from tlscheck.model import Observation, State
from tlscheck.observations.certificate import Certificate
from tlscheck.wire.dtls import DtlsVersion


class Transport(StrEnum):
    """How a client reaches the server."""

    UDP = "udp"
    TCP = "tcp"
    TLS = "tls"
    DTLS = "dtls"

    @property
    def clear(self) -> bool:
        """Whether everybody on the way can read along."""
        return self in (Transport.UDP, Transport.TCP)

    @property
    def sibling(self) -> Transport:
        """The other transport at the same port of the kernel: one program has both."""
        return _SIBLINGS[self]


_SIBLINGS = {
    Transport.UDP: Transport.DTLS,
    Transport.DTLS: Transport.UDP,
    Transport.TCP: Transport.TLS,
    Transport.TLS: Transport.TCP,
}
_UNAUTHORIZED, _NO_SUCH_TRANSPORT = 401, 442
_OF_TURN = frozenset((300, 401, 437, 438, 440, 441, 442, 443, 486, 508))
"""Errors that only a TURN server gives to an Allocate request (RFC 8656, section 19)."""


@dataclass(frozen=True, slots=True)
class Allocation:
    """What an Allocate request without credentials gave."""

    relay: str
    """What the relay was to speak with peers: ``udp`` or ``tcp``."""
    state: State = State.UNKNOWN
    """Accepted: a relay for everybody. Refused: credentials are wanted, or there is no such
    relay."""
    error: int | None = None
    address: str = ""
    """The relay's address, as the server gave it; nothing was ever sent there."""
    lifetime: int | None = None
    """Seconds for which the relay was granted."""
    released: State = State.UNKNOWN
    """Accepted: the server confirmed that the relay was given back. Unknown where there was none,
    or the server did not answer that."""
    detail: str = ""
    """A `Reason` where no answer came."""

    @property
    def of_turn(self) -> bool:
        """Whether the answer shows that a TURN server took the request for its own."""
        return self.state is State.ACCEPTED or self.error in _OF_TURN


def allocation_state(error: int | None) -> State:
    """What an error to an Allocate request without credentials means.

    Only two say that there is nothing for strangers, now and always: the demand for credentials
    and the lack of that kind of relay. A server that is full or forbids may give to others.
    """
    refused = error in (_UNAUTHORIZED, _NO_SUCH_TRANSPORT)
    return State.REFUSED if refused else State.UNKNOWN


@dataclass(frozen=True, slots=True)
class Talk:
    """What was said over one transport."""

    transport: Transport
    stun: State = State.UNKNOWN
    """Whether STUN is answered. Refused: the port is closed or what listens there speaks something
    else, seen twice, the second time just before another transport answered."""
    allocations: tuple[Allocation, ...] = ()
    software: str = ""
    realm: str = ""
    nonce_length: int | None = None
    """Bytes; the nonce itself is not kept."""
    addresses: tuple[str, ...] = ()
    """What the server calls its own: RESPONSE-ORIGIN, OTHER-ADDRESS."""
    detail: str = ""
    """A `Reason` where STUN was not answered."""

    @property
    def tells_realm(self) -> bool:
        """Whether an answer came that tells the realm if there is one: the demand for credentials
        (RFC 8489, section 9.2.4), or a relay without any.
        """
        return any(a.state is State.ACCEPTED or a.error == _UNAUTHORIZED for a in self.allocations)

    @property
    def turn(self) -> State:
        """Whether a TURN server is there; a STUN server alone does not refuse, it is silent."""
        if any(a.of_turn for a in self.allocations):
            return State.ACCEPTED
        return State.REFUSED if self.stun is State.REFUSED else State.UNKNOWN


@dataclass(frozen=True, slots=True)
class Dtls:
    """What can be known of DTLS by hellos."""

    answers: State = State.UNKNOWN
    """Refused: the port is closed, by ICMP's word, met twice while another transport answered."""
    versions: Mapping[DtlsVersion, State] = field(
        default_factory=lambda: dict.fromkeys(DtlsVersion, State.UNKNOWN)
    )
    suites: Mapping[DtlsVersion, tuple[str, ...]] = field(default_factory=dict)
    """Those accepted in each accepted version, in the order chosen."""
    unknown: Mapping[DtlsVersion, tuple[str, ...]] = field(default_factory=dict)
    """Those asked and not settled; all others of an accepted version were refused."""
    alerts: Mapping[DtlsVersion, tuple[int, ...]] = field(default_factory=dict)
    """The numbers of the alerts met in refusals."""
    cookie: State = State.UNKNOWN
    """Whether a client must show that it gets what is sent to its address. Refused: a hello
    without a cookie got the whole answer."""
    asked_bytes: int = 0
    answered_bytes: int = 0
    """Of the largest answer to a hello without a cookie, headers of UDP and IP left aside."""
    certificate: Certificate | None = None
    """The server's own, which all versions before DTLS 1.3 send in clear."""
    certificates: int = 0
    """How many the server sent."""
    canary: State = State.UNKNOWN
    """Whether the known-good hello was answered to the end. Refused: it was not any more, and what
    was refused since it was counts for nothing."""
    hellos: int = 0
    """Hellos sent, repetitions included."""
    detail: str = ""
    """A `Reason` where DTLS was not answered."""

    def suite(self, version: DtlsVersion, name: str) -> State:
        """What became of one suite in one version."""
        if self.versions.get(version, State.UNKNOWN) is not State.ACCEPTED:
            return self.versions.get(version, State.UNKNOWN)
        if name in self.suites.get(version, ()):
            return State.ACCEPTED
        known = version in self.unknown and name not in self.unknown[version]
        return State.REFUSED if known else State.UNKNOWN


@dataclass(frozen=True, slots=True, kw_only=True)
class TurnObservation(Observation):
    """A STUN or TURN server at one port, or DTLS alone."""

    service: str
    """As the target was declared: ``turn``, ``turns`` or ``dtls``."""
    address: str
    """Where it was asked."""
    talks: tuple[Talk, ...] = ()
    """One for each transport that was asked; none for ``dtls``."""
    dtls: Dtls | None = None
    """``None`` where hellos were not asked."""

    @property
    def clear_text(self) -> State:
        """Whether TURN is accepted in clear text. Refused: neither UDP nor TCP takes it."""
        return either(talk.turn for talk in self.talks if talk.transport.clear)

    def talk(self, transport: Transport) -> Talk | None:
        """What was said over *transport*, ``None`` where it was not asked."""
        return next((talk for talk in self.talks if talk.transport is transport), None)


def either(states: Iterable[State]) -> State:
    """Accepted if any is, refused if there are some and all are, else unknown."""
    found = tuple(states)
    if State.ACCEPTED in found:
        return State.ACCEPTED
    return State.REFUSED if found and set(found) == {State.REFUSED} else State.UNKNOWN


def is_private(address: str) -> bool:
    """Whether *address* is none of the public internet's (RFC 6890)."""
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return False
    inner = getattr(found, "ipv4_mapped", None) or found
    return not inner.is_global
