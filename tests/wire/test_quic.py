"""The question for QUIC's versions, and whatever may come back."""

from __future__ import annotations

import pytest
from aioquic.buffer import Buffer
from aioquic.quic.packet import (
    QuicPacketType,
    encode_quic_version_negotiation,
    pull_quic_header,
)
from hypothesis import given
from hypothesis import strategies as st

from tlscheck.wire import quic
from tlscheck.wire.codec import DecodeError

THERE, HERE = bytes(range(8)), bytes(range(8, 16))
PROBE = quic.Probe(0x1A2A3A4A, THERE, HERE)
VERSIONS = [quic.V1, quic.V2, 0xFF00001D, 0x51303433]


def answer(versions: list[int], *, to: bytes = HERE, of: bytes = THERE) -> bytes:
    """What aioquic's server answers."""
    return encode_quic_version_negotiation(
        source_cid=of, destination_cid=to, supported_versions=versions
    )


def test_the_question_is_one_that_opens_a_connection() -> None:
    data = PROBE.encode()
    assert len(data) == 1200
    assert data[0] & 0xC0 == 0xC0
    assert data[1:5] == bytes.fromhex("1a2a3a4a")
    assert data[5:23] == b"\x08" + THERE + b"\x08" + HERE


def test_aioquic_reads_the_question() -> None:
    """As far as a server reads a version that it does not know."""
    header = pull_quic_header(Buffer(data=quic.Probe(quic.V1, THERE, HERE).encode()), 8)
    assert header.packet_type is QuicPacketType.INITIAL
    assert (header.destination_cid, header.source_cid) == (THERE, HERE)


def test_the_answer() -> None:
    assert PROBE.heard(answer(VERSIONS)) == tuple(VERSIONS)
    assert PROBE.heard(answer([1, 1, 1])) == (1,)


@given(st.binary(min_size=4, max_size=4))
def test_no_server_has_the_version_asked_for(token: bytes) -> None:
    version = quic.reserved(token)
    assert quic.is_reserved(version)
    assert f"{version:08x}"[1::2] == "aaaa"
    assert not any(map(quic.is_reserved, VERSIONS))


@given(st.binary(min_size=4, max_size=4), st.binary(min_size=4, max_size=4))
def test_different_octets_ask_for_different_versions(one: bytes, other: bytes) -> None:
    same = [octet >> 4 for octet in one] == [octet >> 4 for octet in other]
    assert (quic.reserved(one) == quic.reserved(other)) == same


@pytest.mark.parametrize(
    "data",
    [
        answer(VERSIONS, to=THERE, of=HERE),
        answer(VERSIONS, to=bytes(8)),
        answer(VERSIONS, of=bytes(8)),
        answer(VERSIONS, to=b""),
        answer([]),
        answer(VERSIONS) + b"\x00",
        answer(list(range(1, 66))),
        PROBE.encode(),
        b"\x40" + answer(VERSIONS)[1:],
        b"\x80" + b"\x00\x00\x00\x01" + answer(VERSIONS)[5:],
    ],
    ids=range(10),
)
def test_what_is_no_answer_to_it(data: bytes) -> None:
    assert PROBE.heard(data) is None
    with pytest.raises(DecodeError):
        quic.negotiation(data, destination=HERE, source=THERE)


@pytest.mark.parametrize("size", range(len(answer(VERSIONS))))
def test_every_cut(size: int) -> None:
    heard = PROBE.heard(answer(VERSIONS)[:size])
    whole = size >= 27 and (size - 23) % 4 == 0
    assert heard == (tuple(VERSIONS[: (size - 23) // 4]) if whole else None)


@given(st.binary(max_size=200))
def test_nonsense(data: bytes) -> None:
    assert PROBE.heard(data) is None


@given(st.binary(max_size=60))
def test_nonsense_behind_the_right_head(rest: bytes) -> None:
    heard = PROBE.heard(answer([])[:23] + rest)
    assert (heard is None) == (not rest or len(rest) % 4 > 0)


@pytest.mark.parametrize(
    ("version", "name"),
    [
        (1, "QUIC v1"),
        (0x6B3343CF, "QUIC v2"),
        (0xFF00001D, "QUIC draft 29"),
        (0x51303433, "Google QUIC Q043"),
        (0x54303531, "Google QUIC T051"),
        (0xFACEB002, "0xfaceb002"),
        (0x51414243, "0x51414243"),
    ],
)
def test_names(version: int, name: str) -> None:
    assert quic.name(version) == name


@given(st.integers(0, 2**32 - 1))
def test_every_version_has_a_name(version: int) -> None:
    assert quic.name(version).isprintable()
