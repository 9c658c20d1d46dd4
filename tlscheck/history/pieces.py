"""A scan file in pieces, most of which the next night's file has too.

Pure. A file is cut at lines, by what stands in them, so that a line which differs changes the piece
it is in and no other. A large text (a certificate, a registry's answer) is a line of its own in the
file, and so a piece of its own.
"""

from __future__ import annotations

import hashlib
import zlib
from array import array
from collections.abc import Iterable, Iterator, Sequence
from sys import byteorder

_LARGE = 256
"""Bytes from which a line is a piece of its own."""
_USUAL = 64
"""How many lines a piece has on average. Measured on two looks at one clinic: with 16 to 64 a
second scan costs 2.5 % of its size, with 256 a third more."""
_MOST = 65536
"""Bytes at which a piece ends wherever it is."""


def cut(data: bytes) -> Iterator[bytes]:
    """*data* in pieces; joined they give it again."""
    piece: list[bytes] = []
    size = 0
    for line in data.splitlines(keepends=True):
        if len(line) >= _LARGE:
            if piece:
                yield b"".join(piece)
            yield line
            piece, size = [], 0
            continue
        piece.append(line)
        size += len(line)
        if zlib.crc32(line) % _USUAL == 0 or size > _MOST:
            yield b"".join(piece)
            piece, size = [], 0
    if piece:
        yield b"".join(piece)


def digest(data: bytes) -> bytes:
    """What a piece is known by."""
    return hashlib.sha256(data).digest()


def packed(data: bytes) -> bytes:
    """*data* as it is kept."""
    return zlib.compress(data, 6)


def unpacked(data: bytes) -> bytes:
    """What `packed` was given. ValueError."""
    try:
        return zlib.decompress(data)
    except zlib.error as error:
        raise ValueError(str(error)) from None


def numbers_packed(numbers: Iterable[int]) -> bytes:
    """The ids of pieces as they are kept: 32 bits each, little-endian, compressed."""
    return packed(_swapped(array("I", numbers)).tobytes())


def numbers(data: bytes) -> Sequence[int]:
    """What `numbers_packed` was given. ValueError."""
    found = array("I")
    found.frombytes(unpacked(data))
    return _swapped(found)


def _swapped(numbers: array[int]) -> array[int]:
    if byteorder == "big":
        numbers.byteswap()
    return numbers
