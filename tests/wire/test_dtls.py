"""DTLS on the wire: hellos, fragments in any order, and whatever a peer may send."""

from __future__ import annotations

import random
from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tlscheck.wire import dtls
from tlscheck.wire.answer import MOST, RETRY
from tlscheck.wire.codec import Reader, uint, vector
from tlscheck.wire.dtls import DatagramReader, DtlsVersion, client_hello
from tlscheck.wire.hello import ClientHello, Content, Extension, Message, server_name
from tlscheck.wire.registry import Version

HELLO = ClientHello(
    0xFEFD, bytes(range(32)), (0xC030, 0x00FF), extensions=((0, server_name("turn.example.jp")),)
)


def handshake(kind: int, body: bytes, number: int, *pieces: tuple[int, int]) -> list[bytes]:
    """The message in *pieces* (start, length), each a payload of its own; whole without any."""
    return [
        uint(kind, 1) + uint(len(body), 3) + uint(number, 2) + uint(start, 3) + uint(length, 3)
        + body[start : start + length]
        for start, length in pieces or ((0, len(body)),)
    ]  # fmt: skip


def datagram(*payloads: bytes, content: int = Content.HANDSHAKE, version: int = 0xFEFD) -> bytes:
    return b"".join(dtls.record(content, payload, 0, version) for payload in payloads)


def server_hello(
    version: int, suite: int, *extensions: tuple[int, bytes], retry: bool = False
) -> bytes:
    body = uint(version, 2) + (RETRY if retry else bytes(32)) + b"\x00" + uint(suite, 2) + b"\x00"
    if extensions:
        body += vector(b"".join(uint(t, 2) + vector(b, 2) for t, b in extensions), 2)
    return body


def read(*datagrams: bytes) -> DatagramReader:
    reader = DatagramReader()
    for one in datagrams:
        reader.feed(one)
    return reader


CHAIN = vector(vector(b"leaf" * 500, 3) + vector(b"issuer" * 300, 3), 3)


def test_a_hello() -> None:
    sent = client_hello(HELLO, cookie=b"cookie", message=1, number=7)
    reader = Reader(sent)
    assert (reader.uint(1), reader.uint(2), reader.uint(2), reader.uint(6)) == (22, 0xFEFF, 0, 7)
    reader = Reader(reader.vector(2))
    assert reader.uint(1) == Message.CLIENT_HELLO
    size = reader.uint(3)
    assert (reader.uint(2), reader.uint(3), reader.uint(3)) == (1, 0, size)
    assert len(reader) == size
    assert reader.take(34) == b"\xfe\xfd" + bytes(range(32))
    assert (reader.vector(1), reader.vector(1)) == (b"", b"cookie")
    assert reader.uints(2, 2) == HELLO.suites


def test_the_hello_of_tls_has_no_cookie() -> None:
    assert ClientHello.parse(HELLO.message()[4:]) == HELLO


def test_versions() -> None:
    assert [v.code for v in DtlsVersion] == [0xFEFF, 0xFEFD, 0xFEFC]
    assert [v.like for v in DtlsVersion] == [Version.TLS_1_1, Version.TLS_1_2, Version.TLS_1_3]


def test_a_cookie_is_asked_for() -> None:
    verify = handshake(Message.HELLO_VERIFY_REQUEST, b"\xfe\xff\x04abcd", 0)
    reader = read(datagram(*verify, version=0xFEFF))
    assert reader.cookie == b"abcd"
    assert reader.flight.hello is None


@pytest.mark.parametrize("order", list(permutations(range(4)))[::5], ids=str)
def test_a_flight_in_pieces_and_in_any_order(order: tuple[int, ...]) -> None:
    hello = handshake(Message.SERVER_HELLO, server_hello(0xFEFD, 0xC030), 1)
    chain = handshake(
        Message.CERTIFICATE, CHAIN, 2, (0, 1000), (900, 1500), (2400, len(CHAIN) - 2400)
    )
    parts = [datagram(*hello), datagram(chain[0]), datagram(chain[1]), datagram(chain[2])]
    done = datagram(*handshake(Message.SERVER_HELLO_DONE, b"", 3))
    reader = read(*(parts[i] for i in order), *parts, done)
    assert reader.chosen is DtlsVersion.DTLS_1_2
    assert reader.flight.hello.suite == 0xC030
    assert reader.flight.certificates == (b"leaf" * 500, b"issuer" * 300)
    assert reader.flight.done
    assert reader.complete


def test_a_missing_piece_completes_nothing() -> None:
    hello = handshake(Message.SERVER_HELLO, server_hello(0xFEFD, 0xC030), 1, (0, 10), (11, 27))
    assert read(datagram(*hello)).flight.hello is None


def test_dtls_1_3() -> None:
    chosen = (Extension.SUPPORTED_VERSIONS, b"\xfe\xfc")
    share = (Extension.KEY_SHARE, b"\x00\x1d")
    cookie = (Extension.COOKIE, vector(b"abc", 2))
    retry = server_hello(0xFEFD, 0x1301, chosen, share, cookie, retry=True)
    reader = read(datagram(*handshake(Message.SERVER_HELLO, retry, 0)))
    assert reader.chosen is DtlsVersion.DTLS_1_3
    assert reader.flight.retry.group == 0x1D
    assert Extension.COOKIE in reader.flight.retry.extensions
    hello = server_hello(0xFEFD, 0x1301, chosen, share)
    reader = read(datagram(*handshake(Message.SERVER_HELLO, hello, 0)) + b"\x2f" + bytes(60))
    assert reader.flight.hello.version == 0x0304
    assert reader.flight.encrypted
    assert reader.complete


def test_an_alert() -> None:
    reader = read(datagram(b"\x02\x28", content=Content.ALERT))
    assert reader.flight.fatal == 40
    later = b"\x15\xfe\xfd\x00\x01" + bytes(6) + vector(b"\x02\x28", 2)
    assert read(later).flight.fatal is None


@pytest.mark.parametrize(
    "data",
    [
        b"\x01\x01\x00\x00\x21\x12\xa4\x42" + bytes(12),
        b"\x16\x03\x03\x00\x00" + bytes(20),
        datagram(*handshake(Message.SERVER_HELLO, server_hello(0x0303, 0xC030), 0)),
        datagram(*handshake(Message.SERVER_HELLO, b"\xfe\xfd", 0)),
        datagram(b"\x02" + uint(MOST + 1, 3) + bytes(8)),
        datagram(b"\x02\x00\x00\x10" + b"\xff\xff" + bytes(6)),
        datagram(b"\x02\x00\x00\x02" + bytes(5) + b"\x00\x00\x04abcd"),
    ],
    ids=range(7),
)
def test_what_cannot_be_read_is_passed_over(data: bytes) -> None:
    reader = read(data)
    assert reader.unread == 1
    assert (reader.flight.hello, reader.chosen) == (None, None)
    reader.feed(datagram(*handshake(Message.SERVER_HELLO, server_hello(0xFEFD, 0xC030), 1)))
    assert reader.flight.hello is not None


def test_announcements_cost_no_memory() -> None:
    big = [datagram(b"\x0b" + uint(MOST, 3) + uint(n, 2) + bytes(6)) for n in range(32)]
    reader = read(*big)
    assert sum(len(m.body) for m in reader._pending.values()) <= MOST


def test_an_answer_without_an_end_is_cut_off() -> None:
    reader = DatagramReader()
    for _ in range(MOST // 60000 + 1):
        reader.feed(bytes(60000))
    assert reader.flight.junk
    assert reader.complete


@given(st.lists(st.binary(max_size=300), max_size=5))
def test_random_datagrams(datagrams: list[bytes]) -> None:
    read(*datagrams)
    read(*(datagram(one) for one in datagrams))
    read(*(datagram(*handshake(Message.SERVER_HELLO, one, i)) for i, one in enumerate(datagrams)))


@given(st.integers(0, 2**32))
def test_noise_in_a_good_flight(seed: int) -> None:
    noise = random.Random(seed)
    hello = handshake(Message.SERVER_HELLO, server_hello(0xFEFD, 0xC030), 1)
    flight = bytearray(datagram(*hello, *handshake(Message.CERTIFICATE, CHAIN, 2)))
    for _ in range(noise.randrange(1, 6)):
        flight[noise.randrange(len(flight))] = noise.randrange(256)
    read(bytes(flight))


@given(st.binary(max_size=400))
def test_records_split_without_loss(data: bytes) -> None:
    parts = list(dtls.records(data))
    assert data.startswith(b"".join(parts))
    whole = datagram(data, b"x" * 30)
    assert b"".join(dtls.records(whole)) == whole
    assert len(list(dtls.records(whole))) == 2
