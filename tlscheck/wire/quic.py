"""QUIC as far as all its versions agree (RFC 8999): the question which versions there are.

Nothing here is encrypted: the question is a packet of a version that nobody has, which a server
answers with a list of those that it has (RFC 9000, section 6).
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from tlscheck.wire.codec import DecodeError, Reader, uint, vector

LENGTH = 1200
"""Octets of a datagram that opens a connection; servers drop smaller ones (RFC 9000, 14.1)."""
V1, V2 = 0x00000001, 0x6B3343CF
"""RFC 9000; RFC 9369."""
_LONG = 0xC0
"""Header form and fixed bit."""
_MOST_ID = 20
"""The longest connection id of version 1 (RFC 9000, 17.2)."""
_MOST_VERSIONS = 64
"""More than any server has."""


def reserved(token: bytes) -> int:
    """A version of the form ``?a?a?a?a``, which no server has, from four random octets."""
    return int.from_bytes(bytes(octet & 0xF0 | 0x0A for octet in token[:4].ljust(4, b"\x1a")))


def is_reserved(version: int) -> bool:
    """Whether *version* is one that exists only for practice (RFC 9000, section 15)."""
    return version & 0x0F0F0F0F == 0x0A0A0A0A


def name(version: int) -> str:
    """What people call *version*; its number where it has no name."""
    if version in _NAMES:
        return _NAMES[version]
    if version >> 8 == 0xFF0000:  # RFC 9000, section 22.2: drafts of what became version 1
        return f"QUIC draft {version & 0xFF}"
    letters = uint(version, 4)
    if re.fullmatch(rb"[QT]0\d\d", letters):
        return f"Google QUIC {letters.decode()}"
    return f"0x{version:08x}"


_NAMES = {V1: "QUIC v1", V2: "QUIC v2"}


@dataclass(frozen=True, slots=True)
class Probe:
    """A packet of a version that does not exist."""

    version: int
    destination: bytes
    """Our name for the server; at least 8 octets (RFC 9000, 7.2)."""
    source: bytes
    """The server's name for us."""

    def encode(self) -> bytes:
        """The datagram (RFC 8999, section 5.1)."""
        ids = vector(self.destination, 1) + vector(self.source, 1)
        return (uint(_LONG, 1) + uint(self.version, 4) + ids).ljust(LENGTH, b"\x00")

    def heard(self, data: bytes) -> tuple[int, ...] | None:
        """The versions that *data* lists, ``None`` where it is no answer to this packet."""
        try:
            return negotiation(data, destination=self.source, source=self.destination)
        except DecodeError:
            return None


def negotiation(data: bytes, *, destination: bytes, source: bytes) -> tuple[int, ...]:
    """The versions in a Version Negotiation packet (RFC 9000, 17.2.1), in the order told.

    Both connection ids must be what was sent, changed over; whoever does not see our packets does
    not know them. DecodeError.
    """
    reader = Reader(data)
    if not reader.uint(1) & 0x80 or reader.uint(4) != 0:
        raise DecodeError("no Version Negotiation packet")
    told = reader.vector(1), reader.vector(1)
    if max(map(len, told)) > _MOST_ID or told != (destination, source):
        raise DecodeError("an answer to another packet")
    if not 0 < len(reader) <= 4 * _MOST_VERSIONS or len(reader) % 4:
        raise DecodeError(f"{len(reader)} bytes are no list of 4 bytes each")
    return tuple(dict.fromkeys(reader.uint(4) for _ in range(len(reader) // 4)))
