"""What can be known of QUIC at a UDP port, and of the TLS 1.3 in it: three states throughout.

Silence proves nothing. What was refused was refused in words, twice, each time between handshakes
that are known to work and did.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from typing import Literal

from tlscheck.model import Observation, State
from tlscheck.observations.certificate import Certificate, certificate

NEEDED = 2
"""How often a refusal must be met."""
SUITES = ("TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256")
"""The suites that can be asked; the CCM ones of TLS 1.3 cannot."""
GROUPS = ("x25519", "secp256r1", "x448", "secp384r1", "secp521r1")
"""The groups that can be asked; ML-KEM cannot."""
KEYS = ("RSA", "ECDSA")
"""Kinds of key that certificates are asked for by."""
HTTP3 = ("h3",)
OTHERS = ("h3-29", "hq-interop", "doq")
"""Protocols to try where HTTP/3 is not spoken, for a handshake that works."""
VERSIONS = ("QUIC v1", "QUIC v2")
"""The versions in which a handshake can be made."""
_CRYPTO_ERROR = 0x100
_REFUSING = frozenset((40, 47, 70, 71, 109))
"""Alerts by which a server says that it has nothing of what was offered."""
_NO_PROTOCOL = 120

Dimension = Literal["version", "suites", "groups", "keys", "alpn"]
ALERTS: Mapping[Dimension, frozenset[int]] = {
    "version": frozenset(),
    "suites": _REFUSING,
    "groups": _REFUSING,
    "keys": _REFUSING,
    "alpn": frozenset((_NO_PROTOCOL,)),
}


@dataclass(frozen=True, slots=True)
class Offer:
    """What a handshake offers."""

    version: str
    suites: tuple[str, ...] = SUITES
    groups: tuple[str, ...] = GROUPS
    keys: tuple[str, ...] = ()
    """Empty: all there are."""
    alpn: tuple[str, ...] = HTTP3
    """Empty: no protocol is named at all."""


class Ending(StrEnum):
    """How a handshake ended."""

    DONE = "done"
    CLOSED = "closed"
    """The server closed the connection in words."""
    VERSION = "version"
    """The server answered that it does not have the version."""
    BROKEN = "broken"
    """What came is not as it must be."""
    SILENT = "silent"
    """It was not finished in time."""
    UNREACHED = "unreached"
    """ICMP says that nobody is there."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """One handshake, and what it showed."""

    offer: Offer
    ending: Ending
    code: int | None = None
    """The error code of the transport with which the server closed (RFC 9000, section 20.1)."""
    suite: str = ""
    alpn: str = ""
    scheme: str = ""
    """What the server signed with."""
    chain: tuple[bytes, ...] = ()
    """The certificates as sent, DER."""
    retried: bool = False
    """The server first had our address confirmed by a Retry packet."""
    token: bool = False
    """The server gave a token for later connections."""
    ticket: tuple[int, bool] | None = None
    """Lifetime of the session ticket in seconds, and whether it allows early data."""
    certificate_asked: bool = False
    """The server asks for a client certificate."""

    @property
    def done(self) -> bool:
        """Whether the handshake was finished."""
        return self.ending is Ending.DONE

    @property
    def alert(self) -> int | None:
        """The TLS alert in the server's words (RFC 9001, section 4.8), if it was one."""
        if self.ending is not Ending.CLOSED or self.code is None:
            return None
        alert = self.code - _CRYPTO_ERROR
        return alert if 0 <= alert < 0x100 else None


@dataclass(frozen=True, slots=True, kw_only=True)
class QuicObservation(Observation):
    """QUIC at one UDP port."""

    service: str
    """As the target was declared: ``quic``, or ``https`` where it was looked at beside that."""
    port: int
    announced: bool = False
    """The page over TCP says that HTTP/3 is there (Alt-Svc)."""
    answers: State = State.UNKNOWN
    """Refused: the port is closed, by ICMP's word, met twice."""
    negotiation: State = State.UNKNOWN
    """Whether the server told its versions when asked for one that nobody has."""
    versions: Mapping[str, State] = field(default_factory=dict)
    """Accepted: the server lists it, or finished a handshake in it."""
    suites: Mapping[str, State] = field(default_factory=dict)
    groups: Mapping[str, State] = field(default_factory=dict)
    keys: Mapping[str, State] = field(default_factory=dict)
    """Kinds of key for which there is a certificate."""
    alpn: Mapping[str, State] = field(default_factory=dict)
    scheme: str = ""
    """The signature scheme that the server chose."""
    certificates: tuple[Certificate, ...] = ()
    """The server's own, each once; read and not verified."""
    retry: State = State.UNKNOWN
    """Whether the server has a client's address confirmed before it does anything else."""
    token: State = State.UNKNOWN
    """Whether it gives tokens that spare a client that later."""
    ticket_lifetime: int | None = None
    """Seconds; ``None``: no session ticket was seen."""
    early_data: State = State.UNKNOWN
    """Accepted: the ticket allows data before the handshake (0-RTT). Refused: it does not."""
    certificate_asked: State = State.UNKNOWN
    canary: State = State.UNKNOWN
    """Whether the known-good handshake worked to the end. Refused: it did not any more, and what
    was refused since it did counts for nothing."""
    handshakes: int = 0
    """Handshakes that were begun."""
    detail: str = ""
    """A `Reason` where no handshake was finished."""

    def accepted(self, dimension: Literal["versions", "suites", "alpn"]) -> tuple[str, ...]:
        """What is accepted in *dimension*."""
        states: Mapping[str, State] = getattr(self, dimension)
        return tuple(name for name, state in states.items() if state is State.ACCEPTED)


# ---- what attempts say together --------------------------------------------------------------


@dataclass(frozen=True)
class Attempts:
    """The handshakes with one port, in their order, one after the other."""

    made: tuple[Attempt, ...] = ()

    @property
    def canary(self) -> Offer | None:
        """The offer that is known to work."""
        return next((a.offer for a in self.made if a.done), None)

    @property
    def healthy(self) -> State:
        """Whether the known-good offer worked when it was last made."""
        asked = [a.done for a in self.made if a.offer == self.canary]
        if not asked:
            return State.UNKNOWN
        return State.ACCEPTED if asked[-1] else State.REFUSED

    def counted(self, narrow: Offer) -> Iterator[Attempt]:
        """The attempts with *narrow* that count: the signs of health on both sides are good."""
        for number, attempt in enumerate(self.made):
            before, after = self.made[:number][::-1], self.made[number + 1 :]
            if attempt.offer == narrow and self._good(before) and self._good(after):
                yield attempt

    def _good(self, nearest: Sequence[Attempt]) -> bool:
        signs = (a.done for a in nearest if a.done or a.offer == self.canary)
        return next(signs, False)

    def state(self, dimension: Dimension, value: str) -> State:
        """What became of *value*, offered alone in its *dimension*."""
        if any(_shown(a, dimension) == value for a in self.made if a.done):
            return State.ACCEPTED
        if self.canary is None:
            return State.UNKNOWN
        met = self.counted(narrowed(self.canary, dimension, value))
        refused = sum(_refuses(attempt, dimension) for attempt in met)
        return State.REFUSED if refused >= NEEDED else State.UNKNOWN

    def open(self, dimension: Dimension, values: Sequence[str]) -> Iterator[Offer]:
        """What is still to be asked to settle *values*: each until two answers to it count."""
        if self.canary is None:
            return
        for value in values:
            narrow = narrowed(self.canary, dimension, value)
            settled = self.state(dimension, value) is not State.UNKNOWN
            if not settled and len(list(self.counted(narrow))) < NEEDED:
                yield narrow

    def chains(self) -> tuple[tuple[bytes, ...], ...]:
        """The chains sent, each once, by their first certificate."""
        return tuple({a.chain[0]: a.chain for a in self.made if a.chain}.values())


def narrowed(offer: Offer, dimension: Dimension, value: str) -> Offer:
    """*offer* with nothing but *value* in its *dimension*."""
    match dimension:
        case "version":
            return replace(offer, version=value)
        case "suites":
            return replace(offer, suites=(value,))
        case "groups":
            return replace(offer, groups=(value,))
        case "keys":
            return replace(offer, keys=(value,))
    return replace(offer, alpn=(value,))


def folded(
    at: datetime,
    service: str,
    port: int,
    attempts: Attempts,
    listed: tuple[str, ...] | None,
    *,
    announced: bool = False,
    closed: bool = False,
    trouble: str = "",
) -> QuicObservation:
    """What *attempts* and the versions *listed* by the server say together.

    *listed* is ``None`` where the server told none; *closed*: ICMP said twice that nobody is there;
    *trouble* is why no handshake was finished.
    """
    made, done = attempts.made, [a for a in attempts.made if a.done]
    spoke = listed is not None or any(a.ending in _OF_QUIC for a in made)

    def states(dimension: Dimension, values: Sequence[str]) -> dict[str, State]:
        return {value: attempts.state(dimension, value) for value in values if made}

    tickets = [a.ticket for a in done if a.ticket]
    return QuicObservation(
        at=at,
        service=service,
        port=port,
        announced=announced,
        answers=State.ACCEPTED if spoke else State.REFUSED if closed else State.UNKNOWN,
        negotiation=State.UNKNOWN if listed is None else State.ACCEPTED,
        versions={
            **dict.fromkeys(VERSIONS, State.UNKNOWN),
            **states("version", VERSIONS),
            **dict.fromkeys(listed or (), State.ACCEPTED),
        },
        suites=states("suites", SUITES),
        groups=states("groups", GROUPS),
        keys=states("keys", KEYS),
        alpn=states("alpn", tuple(dict.fromkeys((*HTTP3, *(a.alpn for a in done if a.alpn))))),
        scheme=next((a.scheme for a in done), ""),
        certificates=tuple(certificate(chain[0]) for chain in attempts.chains()),
        retry=_either(a.retried for a in done),
        token=State.ACCEPTED if any(a.token for a in done) else State.UNKNOWN,
        ticket_lifetime=tickets[0][0] if tickets else None,
        early_data=_either(early for _, early in tickets),
        certificate_asked=_either(a.certificate_asked for a in done),
        canary=attempts.healthy,
        handshakes=len(made),
        detail="" if done else trouble,
    )


_OF_QUIC = frozenset((Ending.DONE, Ending.CLOSED, Ending.VERSION, Ending.BROKEN))


def _either(states: Iterable[bool]) -> State:
    """Accepted if any is so, refused if there are some and none is."""
    found = set(states)
    if True in found:
        return State.ACCEPTED
    return State.REFUSED if found else State.UNKNOWN


def _shown(attempt: Attempt, dimension: Dimension) -> str:
    """What a finished handshake used, as far as it is known."""
    match dimension:
        case "version":
            return attempt.offer.version
        case "suites":
            return attempt.suite
        case "alpn":
            return attempt.alpn
        case "keys":
            return _KEY_OF.get(attempt.scheme.partition("_")[0], "")
    return attempt.offer.groups[0] if len(attempt.offer.groups) == 1 else ""


_KEY_OF = {"rsa": "RSA", "ecdsa": "ECDSA"}


def _refuses(attempt: Attempt, dimension: Dimension) -> bool:
    if dimension == "version":
        return attempt.ending is Ending.VERSION
    return attempt.alert in ALERTS[dimension]
