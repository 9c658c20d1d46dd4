"""MurmurHash3 (x86, 32 bits) as search engines name icons by: of their Base64 in lines of 76."""

from __future__ import annotations

import base64

_MASK = 0xFFFFFFFF
_ONE, _TWO = 0xCC9E2D51, 0x1B873593


def icon(body: bytes) -> int:
    """The number, signed, of an icon's *body*."""
    return murmur3(base64.encodebytes(body))


def murmur3(data: bytes) -> int:
    """The hash of *data* with seed 0, as a signed number."""
    state = 0
    whole = len(data) // 4 * 4
    for at in range(0, whole, 4):
        state ^= _mixed(int.from_bytes(data[at : at + 4], "little"))
        state = _rotated(state, 13) * 5 + 0xE6546B64 & _MASK
    if rest := data[whole:]:
        state ^= _mixed(int.from_bytes(rest, "little"))
    state ^= len(data)
    for factor, shift in ((0x85EBCA6B, 16), (0xC2B2AE35, 13), (1, 16)):
        state ^= state >> shift
        state = state * factor & _MASK
    return state - (1 << 32) if state >> 31 else state


def _mixed(word: int) -> int:
    return _rotated(word * _ONE & _MASK, 15) * _TWO & _MASK


def _rotated(word: int, bits: int) -> int:
    return (word << bits | word >> 32 - bits) & _MASK
