"""Answers of IKE as values. What could serve an attack is passed over here and kept nowhere.

Keys, nonces, hashes, signatures and identities are never taken out of their payloads: an answer in
aggressive mode holds all that is needed to guess a pre-shared key offline.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

from tlscheck.wire.codec import DecodeError, Reader
from tlscheck.wire.ike.build import MARKER
from tlscheck.wire.ike.names import Kind, Phase1, Transform, phase1

MOST_PAYLOADS = 64
MOST_TRANSFORMS = 128
MOST_VENDORS = 24
MOST_AUTHORITIES = 64
LONGEST = 128
"""Octets kept of a vendor id or of a notification's data; a cookie has 64 at most."""


class Exchange(IntEnum):
    """The kinds of exchange that answers come in."""

    MAIN = 2
    AGGRESSIVE = 4
    INFORMATIONAL = 5
    SA_INIT = 34
    INFORMATIONAL_2 = 37


@dataclass(frozen=True, slots=True)
class Notify:
    """A notification."""

    number: int
    data: bytes = b""


@dataclass(frozen=True, slots=True)
class Message:
    """A message in the clear, without what is secret in it."""

    initiator: bytes
    responder: bytes
    version: int
    """The major version."""
    exchange: int
    is_response: bool
    """In IKEv2; IKEv1 has no such flag."""
    message_id: int
    notifies: tuple[Notify, ...] = ()
    chosen: tuple[Transform, ...] = ()
    """Of IKEv2: all transforms of the security association."""
    phase1: tuple[Phase1, ...] = ()
    """Of IKEv1: the same."""
    vendor_ids: tuple[bytes, ...] = ()
    authorities: tuple[bytes, ...] = ()
    """SHA-1 hashes of the keys of authorities that are asked for (RFC 7296, section 3.7)."""
    asks_for_certificate: bool = False

    def notified(self, number: int) -> Notify | None:
        """The notification of that *number*, if there is one."""
        return next((n for n in self.notifies if n.number == number), None)


def unmarked(data: bytes) -> bytes:
    """What follows the non-ESP marker. DecodeError where there is none."""
    if data[: len(MARKER)] != MARKER:
        raise DecodeError("no non-ESP marker")
    return data[len(MARKER) :]


def parse(data: bytes) -> Message:
    """The message in *data*. DecodeError for what is none."""
    reader = Reader(data)
    initiator, responder = reader.take(8), reader.take(8)
    kind, version = reader.uint(1), reader.uint(1) >> 4
    exchange, flags = reader.uint(1), reader.uint(1)
    message_id, length = reader.uint(4), reader.uint(4)
    if version not in (1, 2):
        raise DecodeError("no version of IKE that is known")
    if length < 28:
        raise DecodeError("shorter than its own header")
    body = Reader(reader.take(length - 28))
    found = _Found(version)
    if version == 2 or not flags & 0x01:  # IKEv1's flag for what is encrypted
        for _ in range(MOST_PAYLOADS):
            if not kind or kind in _SEALED:
                break
            following = body.uint(1)
            body.uint(1)
            content = body.take(_inner(body.uint(2)))
            found.take(kind, content)
            kind = following
        else:
            raise DecodeError("too many payloads")
    return Message(
        initiator,
        responder,
        version,
        exchange,
        bool(flags & 0x20),
        message_id,
        tuple(found.notifies),
        tuple(found.chosen),
        tuple(found.phase1),
        tuple(found.vendor_ids),
        tuple(found.authorities),
        found.asks_for_certificate,
    )


_SEALED = frozenset({46, 53})
"""Encrypted, and Encrypted Fragment: what is inside is not ours to read."""


def _inner(length: int) -> int:
    """The size of what follows a generic header of four octets."""
    if length < 4:
        raise DecodeError("a payload shorter than its header")
    return length - 4


class _Found:
    """What the payloads of a message hold, as far as it is kept."""

    def __init__(self, version: int) -> None:
        self.version = version
        self.notifies: list[Notify] = []
        self.chosen: list[Transform] = []
        self.phase1: list[Phase1] = []
        self.vendor_ids: list[bytes] = []
        self.authorities: list[bytes] = []
        self.asks_for_certificate = False

    def take(self, kind: int, content: bytes) -> None:
        """Keep what is meant to be kept of one payload."""
        match self.version, kind:
            case 2, 33:
                for transform in _proposals_2(Reader(content)):
                    self.chosen.append(transform)
            case 1, 1:
                self.phase1 += _proposals_1(Reader(content))
            case 2, 41:
                self.notifies.append(_notify(Reader(content)))
            case 1, 11:
                inner = Reader(content)
                inner.uint(4)  # domain of interpretation
                self.notifies.append(_notify(inner))
            case (2, 43) | (1, 13) if len(self.vendor_ids) < MOST_VENDORS:
                self.vendor_ids.append(content[:LONGEST])
            case (2, 38) | (1, 7):
                self._request(Reader(content))

    def _request(self, content: Reader) -> None:
        self.asks_for_certificate = True
        encoding = content.uint(1) if len(content) else 0
        if self.version == 2 and encoding == 4:  # X.509 certificate, signature
            while len(content) >= 20 and len(self.authorities) < MOST_AUTHORITIES:
                self.authorities.append(content.take(20))


def _notify(content: Reader) -> Notify:
    content.uint(1)  # protocol
    size = content.uint(1)
    number = content.uint(2)
    content.take(size)
    return Notify(number, content.rest()[:LONGEST])


def _substructures(content: Reader) -> list[Reader]:
    """The proposals, or the transforms, that *content* is made of."""
    found: list[Reader] = []
    while len(content):
        content.uint(1)  # whether more follow: the length says so too
        content.uint(1)
        found.append(Reader(content.take(_inner(content.uint(2)))))
        if len(found) > MOST_TRANSFORMS:
            raise DecodeError("too many transforms")
    return found


def _proposals_2(content: Reader) -> list[Transform]:
    found: list[Transform] = []
    for proposal in _substructures(content):
        proposal.take(2)  # number, protocol
        size = proposal.uint(1)
        proposal.uint(1)
        proposal.take(size)
        for inner in _substructures(proposal):
            kind = inner.uint(1)
            inner.uint(1)
            number = inner.uint(2)
            bits = _attributes(inner).get(14, 0)
            if kind in tuple(Kind):
                found.append(Transform(Kind(kind), number, bits))
    return found[:MOST_TRANSFORMS]


def _proposals_1(content: Reader) -> list[Phase1]:
    content.take(8)  # domain of interpretation, situation
    found: list[Phase1] = []
    for proposal in _substructures(content):
        proposal.take(2)
        size = proposal.uint(1)
        proposal.uint(1)
        proposal.take(size)
        for inner in _substructures(proposal):
            inner.take(4)  # number, id, reserved
            found.append(phase1(_attributes(inner)))
    return found[:MOST_TRANSFORMS]


def _attributes(content: Reader) -> dict[int, int]:
    """The attributes of a transform, the short and the long form (RFC 2408, section 3.3)."""
    found: dict[int, int] = {}
    while len(content):
        kind = content.uint(2)
        if kind & 0x8000:
            found[kind & 0x7FFF] = content.uint(2)
        else:
            found[kind] = int.from_bytes(content.take(content.uint(2))[:8])
    return found
