"""STUN (RFC 8489) and TURN (RFC 8656): requests without credentials as bytes, and their answers.

What is read is what tells about the server. A nonce is measured and not kept.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum

from tlscheck.wire.codec import DecodeError, Reader, uint, vector

PORT, TLS_PORT = 3478, 5349
COOKIE = 0x2112A442
"""The magic cookie (RFC 8489, section 5)."""
HEADER = 20
MOST = HEADER + 4096
"""The largest answer that is read; the attributes asked for need some hundred bytes."""
_MOST_TEXT = 763
"""Bytes that SOFTWARE, REALM and a reason phrase may have (RFC 8489, section 14)."""
_MOST_ATTRIBUTES = 64


class Method(IntEnum):
    """What is asked for."""

    BINDING = 1
    ALLOCATE = 3
    REFRESH = 4


class Kind(IntEnum):
    """The class of a message, where its two bits stand (RFC 8489, section 5)."""

    REQUEST = 0x000
    INDICATION = 0x010
    SUCCESS = 0x100
    ERROR = 0x110


class Attribute(IntEnum):
    """The attributes that are sent or read."""

    MAPPED_ADDRESS = 0x0001
    ERROR_CODE = 0x0009
    LIFETIME = 0x000D
    REALM = 0x0014
    NONCE = 0x0015
    XOR_RELAYED_ADDRESS = 0x0016
    REQUESTED_TRANSPORT = 0x0019
    XOR_MAPPED_ADDRESS = 0x0020
    SOFTWARE = 0x8022
    RESPONSE_ORIGIN = 0x802B
    OTHER_ADDRESS = 0x802C


class Relay(IntEnum):
    """What a relay is to speak with peers, by its protocol number."""

    TCP = 6
    UDP = 17


@dataclass(frozen=True, slots=True)
class Request:
    """A request without credentials."""

    method: Method
    transaction: bytes
    """Twelve random bytes."""
    relay: Relay | None = None
    """For Allocate."""
    lifetime: int | None = None
    """Seconds, for Refresh; 0 gives the allocation back (RFC 8656, section 3.2)."""

    def encode(self) -> bytes:
        """The message, the same over every transport."""
        body = b""
        if self.relay is not None:
            body += _attribute(Attribute.REQUESTED_TRANSPORT, uint(self.relay, 1) + bytes(3))
        if self.lifetime is not None:
            body += _attribute(Attribute.LIFETIME, uint(self.lifetime, 4))
        head = uint(Kind.REQUEST | self.method, 2) + uint(len(body), 2)
        return head + uint(COOKIE, 4) + self.transaction + body


@dataclass(frozen=True, slots=True)
class Address:
    """An address and port, as text and number."""

    host: str
    port: int


@dataclass(frozen=True, slots=True)
class Answer:
    """What a server answered."""

    method: int
    success: bool
    transaction: bytes
    error: int | None = None
    """The number of an error answer, 300 to 699."""
    reason: str = ""
    mapped: Address | None = None
    """Our own address, as the server sees it."""
    relayed: Address | None = None
    origin: Address | None = None
    """The address that the server believes to answer from (RFC 5780, section 7.3)."""
    other: Address | None = None
    """A second address of the server (RFC 5780, section 7.4)."""
    lifetime: int | None = None
    """Seconds."""
    realm: str = ""
    nonce_length: int | None = None
    """Bytes; ``None`` where there was no nonce."""
    software: str = ""

    def answers(self, request: Request) -> bool:
        """Whether it belongs to *request*."""
        return (self.method, self.transaction) == (request.method, request.transaction)

    @classmethod
    def parse(cls, data: bytes) -> Answer:
        """The answer in one whole message. DecodeError.

        Attributes of which nothing is known are passed over, and of those that come twice the
        first counts (RFC 8489, section 14). An error without a readable number has none.
        """
        reader = Reader(data)
        start, size = reader.uint(2), reader.uint(2)
        if start & 0xC000 or reader.uint(4) != COOKIE:
            raise DecodeError("not a STUN message")
        kind = start & 0x0110
        if kind not in (Kind.SUCCESS, Kind.ERROR):
            raise DecodeError("not an answer")
        transaction = reader.take(12)
        if size % 4 or size != len(reader):
            raise DecodeError("a length that does not fit")
        found: dict[int, bytes] = {}
        for number, body in _attributes(reader):
            found.setdefault(number, body)
        error, reason = _error(found.get(Attribute.ERROR_CODE, b""))
        nonce = found.get(Attribute.NONCE)
        lifetime = found.get(Attribute.LIFETIME, b"")
        return cls(
            method=_method(start),
            success=kind == Kind.SUCCESS,
            transaction=transaction,
            error=error,
            reason=reason,
            mapped=_unmasked(found.get(Attribute.XOR_MAPPED_ADDRESS), transaction)
            or _address(found.get(Attribute.MAPPED_ADDRESS)),
            relayed=_unmasked(found.get(Attribute.XOR_RELAYED_ADDRESS), transaction),
            origin=_address(found.get(Attribute.RESPONSE_ORIGIN)),
            other=_address(found.get(Attribute.OTHER_ADDRESS)),
            lifetime=int.from_bytes(lifetime) if len(lifetime) == 4 else None,
            realm=_text(found.get(Attribute.REALM, b"")),
            nonce_length=None if nonce is None else len(nonce),
            software=_text(found.get(Attribute.SOFTWARE, b"")),
        )


def size_of(start: bytes) -> int | None:
    """How long the message is that a stream goes on with, ``None`` until its head is there.

    Over TCP messages follow each other without any frame (RFC 8489, section 6.2.2). DecodeError
    where no STUN message begins with *start*, be it no more than a few bytes.
    """
    if (start[:1] and start[0] & 0xC0) or (
        start[4:8] and not uint(COOKIE, 4).startswith(start[4:8])
    ):
        raise DecodeError("not a STUN message")
    if len(start) < 8:
        return None
    size = HEADER + int.from_bytes(start[2:4])
    if size % 4 or size > MOST:
        raise DecodeError("a length that does not fit")
    return size


def _attribute(number: int, body: bytes) -> bytes:
    return uint(number, 2) + vector(body, 2) + bytes(-len(body) % 4)


def _attributes(reader: Reader) -> Iterator[tuple[int, bytes]]:
    for _ in range(_MOST_ATTRIBUTES):
        if not reader:
            return
        number, body = reader.uint(2), reader.vector(2)
        reader.take(min(-len(body) % 4, len(reader)))
        yield number, body


def _method(start: int) -> int:
    """The method, between whose bits the class stands."""
    return start & 0x000F | (start & 0x00E0) >> 1 | (start & 0x3E00) >> 2


def _error(body: bytes) -> tuple[int | None, str]:
    if len(body) < 4 or body[2] & 7 not in range(3, 7) or body[3] > 99:
        return None, ""
    return (body[2] & 7) * 100 + body[3], _text(body[4:])


def _address(body: bytes | None, mask: bytes = b"") -> Address | None:
    sizes = {1: 4, 2: 16}
    if body is None or len(body) < 4 or len(body) != 4 + sizes.get(body[1], -1):
        return None
    port = int.from_bytes(body[2:4])
    if mask:
        port ^= COOKIE >> 16
    host = bytes(a ^ b for a, b in zip(body[4:], mask or bytes(16), strict=False))
    return Address(str(ipaddress.ip_address(host)), port)


def _unmasked(body: bytes | None, transaction: bytes) -> Address | None:
    """An XOR-…-ADDRESS (RFC 8489, section 14.2)."""
    return _address(body, uint(COOKIE, 4) + transaction)


def _text(body: bytes) -> str:
    """Text that a server sent, as far as it can be printed."""
    text = body[:_MOST_TEXT].rstrip(b"\x00").decode("utf-8", "replace")
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)
