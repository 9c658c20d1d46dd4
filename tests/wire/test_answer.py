"""Answers read the same however they come, and nonsense is recorded, never raised."""

from __future__ import annotations

import dataclasses

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tlscheck.wire.answer import MOST, RETRY, Flight, FlightReader, read_flight
from tlscheck.wire.codec import uint, uints, vector
from tlscheck.wire.hello import Content, Extension, Message, record

CCS = record(Content.CHANGE_CIPHER_SPEC, b"\x01")
WARNING = record(Content.ALERT, b"\x01\x70")
REFUSAL = record(Content.ALERT, b"\x02\x28")


def message(kind: int, body: bytes) -> bytes:
    return uint(kind, 1) + vector(body, 3)


def server_hello(
    suite: int, version: int = 0x0303, random: bytes = b"r" * 32, **extensions: bytes
) -> bytes:
    body = uint(version, 2) + random + vector(b"session", 1) + uint(suite, 2) + b"\0"
    if extensions:
        block = b"".join(
            uint(Extension[name.upper()], 2) + vector(value, 2)
            for name, value in extensions.items()
        )
        body += vector(block, 2)
    return message(Message.SERVER_HELLO, body)


CERTIFICATE = message(Message.CERTIFICATE, vector(vector(b"leaf", 3) + vector(b"ca", 3), 3))
STATUS = message(Message.CERTIFICATE_STATUS, b"\x01" + vector(b"ocsp", 3))
ELLIPTIC = b"\x03\x00\x1d" + vector(b"p" * 32, 1) + b"\x08\x04" + vector(b"sig", 2)
REQUEST = message(
    Message.CERTIFICATE_REQUEST,
    vector(b"\x01", 1) + uints([0x0401], 2, 2) + vector(vector(b"CN", 2) + vector(b"DN", 2), 2),
)
DONE = message(Message.SERVER_HELLO_DONE, b"")
CLASSIC = (
    server_hello(0xC02F, renegotiation_info=b"\0", session_ticket=b"")
    + CERTIFICATE
    + STATUS
    + message(Message.SERVER_KEY_EXCHANGE, ELLIPTIC)
    + REQUEST
    + DONE
)
MODERN = server_hello(
    0x1301, supported_versions=b"\3\4", key_share=uint(29, 2) + vector(b"k" * 32, 2)
)
AGAIN = server_hello(0x1301, random=RETRY, supported_versions=b"\3\4", key_share=uint(24, 2))
SSL2_BODY = b"\4\0\1\0\2" + uint(4, 2) + uint(6, 2) + uint(3, 2) + b"leaf\1\0\x80\7\0\xc0con"
SSL2 = uint(0x8000 | len(SSL2_BODY), 2) + SSL2_BODY

ANSWERS = {
    "TLS 1.2": record(22, CLASSIC),
    "a warning before it": WARNING + record(22, CLASSIC),
    "split records": b"".join(record(22, CLASSIC[i : i + 7]) for i in range(0, len(CLASSIC), 7)),
    "one message a record": record(22, CLASSIC[:90]) + record(22, CLASSIC[90:]),
    "TLS 1.3": record(22, MODERN) + CCS + record(23, b"e" * 100),
    "a HelloRetryRequest": record(22, AGAIN) + CCS,
    "a HelloRetryRequest and what follows": record(22, AGAIN) + CCS + record(22, MODERN),
    "a refusal": REFUSAL,
    "SSL 2.0": SSL2,
    "an early end": record(22, CLASSIC) + record(21, b"\2\x0a"),
    "HTTP": b"HTTP/1.1 400 Bad Request\r\n\r\n",
    "SSH": b"SSH-2.0-OpenSSH_9.2\r\n",
    "SMTP": b"220 mail.example ESMTP\r\n",
    "an SSL 2.0 error": b"\x80\x03\x00\x00\x01",
}


def said(flight: Flight) -> dict[str, object]:
    return dataclasses.asdict(flight)


@pytest.mark.parametrize("name", ANSWERS)
def test_every_cut_of_the_stream_gives_the_same(name: str) -> None:
    answer = ANSWERS[name]
    whole = said(read_flight(answer))
    for cut in range(len(answer) + 1):
        reader = FlightReader()
        reader.feed(answer[:cut])
        reader.feed(answer[cut:])
        # A greeting that is cut within its first word cannot be told yet.
        if name in ("HTTP", "SSH", "SMTP"):
            assert reader.flight.junk
        else:
            assert said(reader.flight) == whole, cut


@pytest.mark.parametrize("name", ANSWERS)
def test_byte_by_byte_gives_the_same(name: str) -> None:
    reader = FlightReader()
    for byte in ANSWERS[name]:
        reader.feed(bytes((byte,)))
    if name not in ("HTTP", "SSH", "SMTP"):
        assert said(reader.flight) == said(read_flight(ANSWERS[name]))


@settings(max_examples=200)
@given(st.data())
def test_any_cuts_into_records_and_pieces_give_the_same(data: st.DataObject) -> None:
    cuts = sorted(data.draw(st.sets(st.integers(1, len(CLASSIC) - 1), max_size=12)))
    ends = zip([0, *cuts], [*cuts, len(CLASSIC)], strict=True)
    stream = b"".join(record(22, CLASSIC[a:b]) for a, b in ends)
    reader = FlightReader()
    while stream:
        size = data.draw(st.integers(1, max(1, len(stream))))
        reader.feed(stream[:size])
        stream = stream[size:]
    assert said(reader.flight) == said(read_flight(record(22, CLASSIC)))
    assert reader.complete


def test_everything_that_tls_1_2_says_in_clear() -> None:
    flight = read_flight(ANSWERS["a warning before it"])
    assert flight.alerts == [(1, 112)]
    assert flight.fatal is None
    assert flight.hello
    assert (flight.hello.version, flight.hello.suite) == (0x0303, 0xC02F)
    assert flight.hello.session_id == b"session"
    assert flight.certificates == (b"leaf", b"ca")
    assert flight.status == b"ocsp"
    assert flight.key_exchange
    assert (flight.key_exchange.group, flight.key_exchange.scheme) == (29, 0x0804)
    assert flight.request
    assert flight.request.schemes == (0x0401,)
    assert flight.request.authorities == (b"CN", b"DN")
    assert flight.done
    assert not flight.junk


def test_tls_1_3_names_version_suite_and_group() -> None:
    flight = read_flight(ANSWERS["TLS 1.3"])
    assert flight.hello
    assert (flight.hello.version, flight.hello.suite, flight.hello.group) == (0x0304, 0x1301, 29)
    assert flight.encrypted


def test_a_retry_waits_for_its_second_hello() -> None:
    reader = FlightReader()
    reader.feed(ANSWERS["a HelloRetryRequest"])
    assert reader.paused
    assert not reader.complete
    retry = reader.flight.retry
    assert retry
    assert (retry.version, retry.suite, retry.group, retry.retry) == (0x0304, 0x1301, 24, True)
    reader.feed(record(22, MODERN))
    assert reader.complete
    assert not reader.paused


@pytest.mark.parametrize(
    ("suite", "version", "body", "seen"),
    [
        (0x0033, 0x0301, vector(b"P" * 16, 2) + vector(b"\2", 2) + vector(b"y", 2), "prime"),
        (0x0003, 0x0301, vector(b"M" * 64, 2) + vector(b"\3", 2) + vector(b"s", 2), "rsa_modulus"),
        (0x00AA, 0x0303, vector(b"hint", 2) + vector(b"P", 2) + vector(b"\2", 2) + vector(b"y", 2),
         "prime"),
        (0xC035, 0x0303, vector(b"", 2) + b"\3\0\x17" + vector(b"p", 1), "group"),
        (0xC018, 0x0301, b"\3\0\x17" + vector(b"p", 1), "group"),
        (0x0034, 0x0303, vector(b"P", 2) + vector(b"\2", 2) + vector(b"y", 2), "prime"),
    ],
)  # fmt: skip
def test_the_key_exchange_of_every_kind(suite: int, version: int, body: bytes, seen: str) -> None:
    messages = server_hello(suite, version) + message(Message.SERVER_KEY_EXCHANGE, body) + DONE
    flight = read_flight(record(22, messages))
    assert flight.key_exchange
    assert getattr(flight.key_exchange, seen)
    assert flight.key_exchange.scheme is None
    assert not flight.junk


@pytest.mark.parametrize("shape", [b"\1", b"\2"])
def test_explicit_curves_have_no_name(shape: bytes) -> None:
    messages = server_hello(0xC02F) + message(Message.SERVER_KEY_EXCHANGE, shape + b"anything")
    flight = read_flight(record(22, messages + DONE))
    assert flight.key_exchange
    assert flight.key_exchange.group is None


def test_ssl2_lists_its_kinds_and_certificate() -> None:
    flight = read_flight(SSL2)
    assert flight.ssl2_kinds == (0x010080, 0x0700C0)
    assert flight.ssl2_certificate == b"leaf"


@pytest.mark.parametrize(
    ("answer", "junk"),
    [
        (b"HTTP/1.1 400 Bad Request\r\n", "an HTTP answer"),
        (b"SSH-2.0-OpenSSH_9.2\r\n", "an SSH banner"),
        (b"220 mail.example ESMTP", "a greeting in clear text"),
        (b"<html>", "markup"),
        (b"\x16\x05\x00\x00\x04abcd", "not a TLS record"),
        (b"\x16\x03\x01\xff\xff", "not a TLS record"),
        (b"\x80\x03\x00\x00\x01", "an SSL 2.0 error message"),
        (record(22, CERTIFICATE), "handshake message 11 before the ServerHello"),
        (record(22, uint(2, 1) + uint(MOST, 3)), "a handshake message is too long"),
    ],
)
def test_what_is_no_tls_is_called_so(answer: bytes, junk: str) -> None:
    reader = FlightReader()
    reader.feed(answer)
    assert reader.flight.junk == junk
    assert reader.complete
    assert reader.flight.hello is None


def test_an_alert_tells_close_from_refusal() -> None:
    assert read_flight(REFUSAL).fatal == 40
    assert read_flight(record(21, b"\1\0")).fatal == 0
    assert read_flight(WARNING).fatal is None
    assert read_flight(record(21, b"\2\x28" * 8)).fatal is None


@pytest.mark.parametrize(
    "endless",
    [
        record(22, server_hello(0xC02F)) + record(22, message(4, bytes(16000))) * 20,
        WARNING * (MOST // len(WARNING) + 1),
        CCS * (MOST // len(CCS) + 1),
        record(23, bytes(16000)) * 20,
        record(22, b"") * (MOST // 5 + 1),
    ],
)
def test_an_answer_that_does_not_end_is_given_up(endless: bytes) -> None:
    reader = FlightReader()
    for start in range(0, len(endless), 8192):
        reader.feed(endless[start : start + 8192])
    assert reader.complete
    assert reader.flight.junk == "the answer does not end"


def test_bytes_after_junk_change_nothing() -> None:
    reader = FlightReader()
    reader.feed(b"HTTP/1.1 400 Bad Request\r\n")
    reader.feed(record(22, CLASSIC))
    assert reader.flight.hello is None
    assert reader.flight.junk


@settings(max_examples=500)
@given(st.lists(st.binary(max_size=120), max_size=6))
def test_nonsense_never_raises(pieces: list[bytes]) -> None:
    reader = FlightReader()
    for piece in pieces:
        reader.feed(piece)
    assert isinstance(reader.complete, bool)


@settings(max_examples=500)
@given(st.sampled_from(sorted(ANSWERS)), st.data())
def test_damaged_answers_never_raise(name: str, data: st.DataObject) -> None:
    answer = bytearray(ANSWERS[name])
    for _ in range(data.draw(st.integers(1, 8))):
        answer[data.draw(st.integers(0, len(answer) - 1))] = data.draw(st.integers(0, 255))
    reader = FlightReader()
    reader.feed(bytes(answer))
    hello = reader.flight.hello or reader.flight.retry
    if hello:
        assert hello.group is None or 0 <= hello.group < 1 << 16


@settings(max_examples=300)
@given(
    st.lists(
        st.tuples(st.sampled_from((1, 2, 4, 11, 12, 13, 14, 22, 255)), st.binary(max_size=80)),
        max_size=6,
    )
)
def test_messages_of_any_content_never_raise(messages: list[tuple[int, bytes]]) -> None:
    body = server_hello(0xC02F) + b"".join(message(kind, it) for kind, it in messages)
    flight = read_flight(record(22, body))
    assert flight.hello or flight.junk
