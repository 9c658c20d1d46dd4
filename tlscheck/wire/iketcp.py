"""IKE's first words over TCP (RFC 9329), enough to tell IPsec over TCP from a VPN over TLS.

The stream begins with ``IKETCP``; each message has its length before it in two octets, which count
themselves, and IKE's messages four octets of zero more (RFC 9329, sections 3 and 4).

What is sent is an IKE_SA_INIT (RFC 7296, section 1.2) whose key exchange is of a group that it does
not offer: a gateway says so and keeps nothing.
"""

from __future__ import annotations

from tlscheck.wire.codec import DecodeError, Reader, uint

PREFIX = b"IKETCP"
SPI, NONCE, KEY = 8, 32, 96
"""Octets of what is random in a question."""
LONGEST = 8192
_NO_ESP = b"\0" * 4
_HEADER = 28
_SA, _KEY_EXCHANGE, _NONCE = 33, 34, 40
_SA_INIT, _VERSION, _INITIATOR, _RESPONSE = 34, 0x20, 0x08, 0x20
_OFFERED = (
    (1, 12, 256),  # AES-CBC
    (1, 12, 128),
    (2, 5, 0),  # HMAC-SHA2-256
    (3, 12, 0),  # HMAC-SHA2-256-128
    (4, 14, 0),  # MODP 2048
    (4, 19, 0),  # P-256
    (4, 20, 0),  # P-384
)
"""Transforms: type, number, bits of the key."""
_OTHER_GROUP = 1
"""MODP 768, which nobody is offered."""


def question(spi: bytes, key: bytes, nonce: bytes) -> bytes:
    """All that is sent on the connection: *spi*, *key* and *nonce* are random octets."""
    proposal = b"".join(_transform(last=row == _OFFERED[-1], row=row) for row in _OFFERED)
    proposal = b"\0\0" + uint(8 + len(proposal), 2) + bytes((1, 1, 0, len(_OFFERED))) + proposal
    body = (
        _payload(_KEY_EXCHANGE, proposal)
        + _payload(_NONCE, uint(_OTHER_GROUP, 2) + b"\0\0" + key)
        + _payload(0, nonce)
    )
    header = spi + b"\0" * SPI + bytes((_SA, _VERSION, _SA_INIT, _INITIATOR)) + uint(0, 4)
    message = _NO_ESP + header + uint(_HEADER + len(body), 4) + body
    return PREFIX + uint(2 + len(message), 2) + message


def answered(data: bytes, spi: bytes) -> bool | None:
    """Whether *data* begins with a gateway's answer to us; ``None``: it is not all there."""
    if len(data) < 2:
        return None
    size = int.from_bytes(data[:2]) - 2
    if not len(_NO_ESP) + _HEADER <= size <= LONGEST:
        return False
    reader = Reader(data[2:])
    try:
        if reader.take(len(_NO_ESP)) != _NO_ESP or reader.take(SPI) != spi:
            return False
        reader.take(SPI + 1)
        version, exchange, flags = reader.uint(1), reader.uint(1), reader.uint(1)
        reader.take(4)
        length = reader.uint(4)
    except DecodeError:
        return None
    answer = version >> 4 == 2 and exchange == _SA_INIT and bool(flags & _RESPONSE)
    return answer and not flags & _INITIATOR and length == size - len(_NO_ESP)


def _transform(*, last: bool, row: tuple[int, int, int]) -> bytes:
    kind, number, bits = row
    attribute = uint(0x800E, 2) + uint(bits, 2) if bits else b""
    return (
        bytes((0 if last else 3, 0))
        + uint(8 + len(attribute), 2)
        + bytes((kind, 0))
        + uint(number, 2)
        + attribute
    )


def _payload(following: int, body: bytes) -> bytes:
    return bytes((following, 0)) + uint(4 + len(body), 2) + body
