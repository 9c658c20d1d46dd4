"""STUN and TURN messages: RFC 5769's vector, our own, and whatever a peer may send."""

from __future__ import annotations

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tlscheck.wire import stun
from tlscheck.wire.codec import DecodeError, uint, vector
from tlscheck.wire.stun import Address, Answer, Attribute, Kind, Method, Relay, Request

VECTOR = bytes.fromhex(
    "0101003c2112a442b7e7a701bc34d686fa87dfae8022000b7465737420766563746f7220"
    "002000080001a147e112a643000800142b91f599fd9e90c38c7489f92af9ba53f06be7d7"
    "80280004c07d4c96"
)
"""RFC 5769, section 2.2, with padding by a space."""
TRANSACTION = bytes(range(12))


def message(kind: int, *attributes: tuple[int, bytes], transaction: bytes = TRANSACTION) -> bytes:
    body = b"".join(uint(n, 2) + vector(b, 2) + bytes(-len(b) % 4) for n, b in attributes)
    return uint(kind, 2) + uint(len(body), 2) + uint(stun.COOKIE, 4) + transaction + body


def test_the_vector_of_rfc_5769() -> None:
    answer = Answer.parse(VECTOR)
    assert answer.success
    assert answer.method == Method.BINDING
    assert answer.mapped == Address("192.0.2.1", 32853)
    assert answer.software == "test vector"


def test_requests() -> None:
    assert Request(Method.BINDING, TRANSACTION).encode().hex() == (
        "000100002112a442" + TRANSACTION.hex()
    )
    allocate = Request(Method.ALLOCATE, TRANSACTION, Relay.UDP).encode()
    assert allocate[:4].hex() == "00030008"
    assert allocate[20:].hex() == "0019000411000000"
    refresh = Request(Method.REFRESH, TRANSACTION, lifetime=0).encode()
    assert refresh[:4].hex() == "00040008"
    assert refresh[20:].hex() == "000d000400000000"


def test_a_refusal() -> None:
    data = message(
        Kind.ERROR | Method.ALLOCATE,
        (Attribute.ERROR_CODE, b"\x00\x00\x04\x01Unauthorized"),
        (Attribute.REALM, b"corp.example\x00"),
        (Attribute.NONCE, b"0123456789abcdef"),
    )
    answer = Answer.parse(data)
    assert not answer.success
    assert (answer.error, answer.reason) == (401, "Unauthorized")
    assert (answer.realm, answer.nonce_length) == ("corp.example", 16)
    assert answer.answers(Request(Method.ALLOCATE, TRANSACTION, Relay.UDP))
    assert not answer.answers(Request(Method.ALLOCATE, bytes(12)))
    assert not answer.answers(Request(Method.BINDING, TRANSACTION))
    assert "0123456789abcdef" not in repr(answer)


@given(st.ip_addresses(), st.integers(0, 65535), st.binary(min_size=12, max_size=12))
def test_addresses_are_unmasked(
    host: ipaddress.IPv4Address | ipaddress.IPv6Address, port: int, transaction: bytes
) -> None:
    mask = uint(stun.COOKIE, 4) + transaction
    masked = bytes(a ^ b for a, b in zip(host.packed, mask, strict=False))
    body = bytes((0, 1 if host.version == 4 else 2)) + uint(port ^ 0x2112, 2) + masked
    data = message(
        Kind.SUCCESS | Method.ALLOCATE,
        (Attribute.XOR_RELAYED_ADDRESS, body),
        (Attribute.LIFETIME, uint(600, 4)),
        transaction=transaction,
    )
    answer = Answer.parse(data)
    assert answer.relayed == Address(str(ipaddress.ip_address(host.packed)), port)
    assert answer.lifetime == 600


@given(st.sampled_from([1, 3, 4, 0x0FFF]), st.sampled_from([0x100, 0x110]))
def test_methods_stand_between_the_bits_of_the_class(method: int, kind: int) -> None:
    spread = (method & 0xF) | (method & 0x70) << 1 | (method & 0xF80) << 2
    answer = Answer.parse(message(kind | spread))
    assert (answer.method, answer.success) == (method, kind == 0x100)


ODD = [
    (Attribute.ERROR_CODE, b""),
    (Attribute.ERROR_CODE, b"\x00\x00\x07\x01"),
    (Attribute.ERROR_CODE, b"\x00\x00\x04\xff"),
    (Attribute.LIFETIME, b"\x00"),
    (Attribute.XOR_RELAYED_ADDRESS, b"\x00\x01\x00"),
    (Attribute.XOR_RELAYED_ADDRESS, b"\x00\x03\x00\x00\x00\x00\x00\x00"),
    (Attribute.XOR_RELAYED_ADDRESS, b"\x00\x02\x00\x00\x00\x00\x00\x00"),
]


@pytest.mark.parametrize("attribute", ODD, ids=str)
def test_an_attribute_that_cannot_be_read_is_none(attribute: tuple[int, bytes]) -> None:
    answer = Answer.parse(message(Kind.ERROR | Method.ALLOCATE, attribute))
    assert (answer.error, answer.lifetime, answer.relayed) == (None, None, None)


def test_text_of_a_peer_steers_no_terminal() -> None:
    answer = Answer.parse(message(0x101, (Attribute.SOFTWARE, b"a\x1b[31m\xff\n" + b"x" * 4000)))
    assert answer.software.startswith("a\N{REPLACEMENT CHARACTER}[31m")
    assert answer.software.isprintable()
    assert len(answer.software) <= 763


@pytest.mark.parametrize(
    "data",
    [
        b"",
        VECTOR[:19],
        VECTOR[:-4],
        VECTOR + bytes(4),
        Request(Method.BINDING, TRANSACTION).encode(),
        b"\x16\xfe\xff" + bytes(40),
        VECTOR[:4] + bytes(4) + VECTOR[8:],
    ],
    ids=range(7),
)
def test_what_is_no_answer(data: bytes) -> None:
    with pytest.raises(DecodeError):
        Answer.parse(data)


@given(st.binary(max_size=200))
def test_random_bytes(data: bytes) -> None:
    for sent in (data, VECTOR[:20] + data, message(0x111, (9, data), (0x16, data))[:-1] + data):
        try:
            Answer.parse(sent)
        except DecodeError:
            continue


@given(st.integers(0, len(VECTOR) - 1), st.integers(0, 255))
def test_one_byte_changed(where: int, value: int) -> None:
    data = bytearray(VECTOR)
    data[where] = value
    try:
        Answer.parse(bytes(data))
    except DecodeError:
        return


@given(st.integers(0, len(VECTOR)))
def test_messages_on_a_stream_are_cut_by_their_own_length(cut: int) -> None:
    size = stun.size_of(VECTOR[:cut])
    assert size == (len(VECTOR) if cut >= 8 else None)


@pytest.mark.parametrize(
    "start",
    [
        b"\x15\x03\x03\x00\x02\x02\x28",
        b"\x80",
        b"HTTP/1.1",
        b"\x01\x01\x00\x08\x00",
        VECTOR[:2] + b"\xff\xfc" + VECTOR[4:8],
    ],
)
def test_other_things_on_a_stream_show_at_once(start: bytes) -> None:
    with pytest.raises(DecodeError):
        stun.size_of(start)


@given(st.binary(max_size=40))
def test_random_starts(start: bytes) -> None:
    try:
        size = stun.size_of(start)
    except DecodeError:
        return
    assert size is None or stun.HEADER <= size <= stun.MOST
