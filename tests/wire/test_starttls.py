"""Preambles by transcripts: every service, every cut, every refusal."""

from __future__ import annotations

from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tlscheck.targets import SERVICES as SCHEMES
from tlscheck.wire.starttls import LIMIT, SERVICES, Conversation, PreambleError

STREAM = (
    b"<?xml version='1.0'?><stream:stream id='a>b' from='localhost' version='1.0'"
    b" xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'>"
)
FEATURES = (
    b"<stream:features><starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'><required/></starttls>"
    b"</stream:features>"
)
HELLO = (
    b"<?xml version='1.0'?><stream:stream to='localhost' xmlns='jabber:client'"
    b" xmlns:stream='http://etherx.jabber.org/streams' version='1.0'>"
)
START = b"<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>"

LDAP_START = bytes.fromhex("301d02010177188016") + b"1.3.6.1.4.1.1466.20037"
LDAP_DONE = bytes.fromhex("300c02010178070a010004000400")
LDAP_REFUSED = (
    bytes.fromhex("30840000002c0201017884000000230a010204000484") + b"\x00\x00\x00\x18"
    b"no TLS in this directory"
)
"""With lengths of five bytes, as Active Directory writes them."""

PG_REQUEST = bytes.fromhex("0000000804d2162f")
PG_ERROR = b"SFATAL\0C53300\0Msorry, too many clients already\0\0"


def packet(payload: bytes) -> bytes:
    return len(payload).to_bytes(3, "little") + b"\x00" + payload


def mysql(capabilities: int) -> bytes:
    low = capabilities.to_bytes(2, "little")
    return packet(
        b"\x0a8.0.36\0"
        + b"\x07\0\0\0"
        + b"12345678\0"
        + low
        + b"\xff\x02\0\xff\xdf\x15"
        + bytes(10)
    )


MYSQL_REQUEST = bytes.fromhex("2000000100 8a080000000001 2d".replace(" ", "")) + bytes(23)


class Talk(NamedTuple):
    """A conversation as it should go: what the server says, and what we say to that."""

    service: str
    first: bytes
    turns: list[tuple[bytes, bytes]]


GOOD = [
    Talk(
        "smtp",
        b"",
        [
            (b"220 mail.example.jp ESMTP\r\n", b"EHLO tlscheck.invalid\r\n"),
            (
                b"250-mail.example.jp\r\n250-SIZE 10\r\n250-starttls\r\n250 HELP\r\n",
                b"STARTTLS\r\n",
            ),
            (b"220 2.0.0 Ready to start TLS\r\n", b""),
        ],
    ),
    Talk(
        "smtp",
        b"",
        [
            (b"220-please\n220-wait\n220\n", b"EHLO tlscheck.invalid\r\n"),
            (b"250-there\n250 STARTTLS \n", b"STARTTLS\r\n"),
            (b"220-go\n220 ahead\n", b""),
        ],
    ),
    Talk(
        "lmtp",
        b"",
        [
            (b"220 there LMTP\r\n", b"LHLO tlscheck.invalid\r\n"),
            (b"250-there\r\n250-STARTTLS\r\n250 8BITMIME\r\n", b"STARTTLS\r\n"),
            (b"220 go\r\n", b""),
        ],
    ),
    Talk(
        "imap",
        b"",
        [
            (b"* OK [CAPABILITY IMAP4rev1 STARTTLS] ready\r\n", b"a1 STARTTLS\r\n"),
            (b"* CAPABILITY IMAP4rev1\r\na1 ok Begin\r\n", b""),
        ],
    ),
    Talk("pop3", b"", [(b"+OK there <1@x>\r\n", b"STLS\r\n"), (b"+OK\r\n", b"")]),
    Talk(
        "sieve",
        b"",
        [
            (
                b'"IMPLEMENTATION" "x"\r\n"SASL" ""\r\n"STARTTLS"\r\nOK {5}\r\nready\r\n',
                b"STARTTLS\r\n",
            ),
            (b'OK "begin"\r\n', b""),
        ],
    ),
    Talk("nntp", b"", [(b"201 no posting\r\n", b"STARTTLS\r\n"), (b"382 go\r\n", b"")]),
    Talk(
        "ftp",
        b"",
        [
            (
                b"120 soon\r\n220-Welcome\r\nto 220 files\r\n 220 x\r\n220 there\r\n",
                b"AUTH TLS\r\n",
            ),
            (b"234 go\r\n", b""),
        ],
    ),
    Talk("ldap", LDAP_START, [(LDAP_DONE, b"")]),
    Talk("postgres", PG_REQUEST, [(b"S", b"")]),
    Talk("mysql", b"", [(mysql(0xFFFF), MYSQL_REQUEST)]),
    Talk("xmpp", HELLO, [(STREAM + FEATURES, START), (b"<proceed xmlns='urn:x'/>", b"")]),
    Talk(
        "xmpp",
        HELLO,
        [
            (STREAM + b"<features>\n" + START + b"</features>\n", START),
            (b"<proceed xmlns='urn:x'></proceed>", b""),
        ],
    ),
]


def said(talk: Conversation, data: bytes, size: int) -> bytes:
    """What we answer to *data* that comes in pieces of *size*."""
    return b"".join(talk.receive(data[i : i + size]) for i in range(0, len(data), size))


@pytest.mark.parametrize("case", GOOD, ids=lambda case: case.service)
def test_any_way_of_cutting_the_bytes_gives_the_same_conversation(case: Talk) -> None:
    for size in range(1, max(len(data) for data, _ in case.turns) + 1):
        talk = Conversation(case.service, "localhost")
        assert talk.start() == case.first
        for data, answer in case.turns:
            assert not talk.done
            assert said(talk, data, size) == answer
        assert talk.done


@pytest.mark.parametrize("case", GOOD, ids=lambda case: case.service)
def test_a_server_that_does_not_wait_is_followed_however_it_is_cut(case: Talk) -> None:
    stream = b"".join(data for data, _ in case.turns)
    for size in range(1, len(stream) + 1):
        talk = Conversation(case.service, "localhost")
        first = talk.start()
        assert first + said(talk, stream, size) == case.first + b"".join(a for _, a in case.turns)
        assert talk.done


def test_every_service_has_a_conversation() -> None:
    assert {case.service for case in GOOD} == SERVICES
    assert {name for name, scheme in SCHEMES.items() if scheme.starttls} == SERVICES


EHLO = b"220 there\r\n"
BAD = [
    ("smtp", b"554 5.7.1 go away\r\n", "the greeting is a refusal", b"554 5.7.1 go away"),
    (
        "smtp",
        b"HTTP/1.1 400 Bad Request\r\n",
        "the greeting is not smtp",
        b"HTTP/1.1 400 Bad Request",
    ),
    ("smtp", b"\r\n", "the greeting is not smtp", b""),
    ("smtp", EHLO + b"550 who?\r\n", "the answer to EHLO is a refusal", b"550 who?"),
    ("smtp", EHLO + b"250-STARTTLS\r\n250 HELP\r\n", "STARTTLS is not offered", b""),
    ("smtp", EHLO + b"250-x\r\n250 XSTARTTLS\r\n", "STARTTLS is not offered", b""),
    (
        "smtp",
        EHLO + b"250-x\r\n250 STARTTLS\r\n454-TLS not\r\n454 available\r\n",
        "the answer to STARTTLS is a refusal",
        b"454-TLS not / 454 available",
    ),
    ("lmtp", EHLO + b"500 unknown\r\n", "the answer to LHLO is a refusal", b"500 unknown"),
    ("imap", b"* BYE busy\r\n", "the greeting is a refusal", b"* BYE busy"),
    (
        "imap",
        b"* PREAUTH hi\r\n",
        "it takes us for logged in, which rules STARTTLS out",
        b"* PREAUTH hi",
    ),
    ("imap", b"+OK\r\n", "the greeting is not imap", b"+OK"),
    ("imap", b"* OK\r\na1 BAD what\r\n", "the answer to STARTTLS is a refusal", b"a1 BAD what"),
    ("imap", b"* OK\r\n* BYE now\r\n", "the answer to STARTTLS is a refusal", b"* BYE now"),
    ("imap", b"* OK\r\na10 OK\r\n", "the answer to STARTTLS is not imap", b"a10 OK"),
    ("pop3", b"-ERR busy\r\n", "the greeting is a refusal", b"-ERR busy"),
    ("pop3", b"+OK\r\n-ERR no\r\n", "the answer to STLS is a refusal", b"-ERR no"),
    ("pop3", b"+OKAY\r\n", "the greeting is not pop3", b"+OKAY"),
    ("sieve", b'"SASL" ""\r\nOK\r\n', "STARTTLS is not offered", b""),
    ("sieve", b"BYE {4}\r\nbusy\r\n", "the greeting is a refusal", b"BYE {4} busy"),
    ("sieve", b'"STARTTLS"\r\nOK\r\nNO "x"\r\n', "the answer to STARTTLS is a refusal", b'NO "x"'),
    ("sieve", b"OK {-1}\r\n", "the greeting is not sieve", b"OK {-1}"),
    ("sieve", b"220 hello\r\n", "the greeting is not sieve", b"220 hello"),
    ("nntp", b"502 no\r\n", "the greeting is a refusal", b"502 no"),
    ("nntp", b"200 hi\r\n580 no\r\n", "the answer to STARTTLS is a refusal", b"580 no"),
    ("ftp", b"220 hi\r\n534 no\r\n", "the answer to AUTH TLS is a refusal", b"534 no"),
    ("ftp", b"421 busy\r\n", "the greeting is a refusal", b"421 busy"),
    (
        "ldap",
        LDAP_REFUSED,
        "the answer to StartTLS is a refusal",
        b"result 2 no TLS in this directory",
    ),
    (
        "ldap",
        LDAP_DONE.replace(b"\x02\x01\x01", b"\x02\x01\x00"),
        "the answer to StartTLS is a refusal",
        b"result 0 ",
    ),
    ("ldap", b"\x15\x03\x01\x00\x02\x02\x46", "the answer to StartTLS is not ldap", b"\x15\x03"),
    ("ldap", b"\x30\x80", "the answer to StartTLS is not ldap", b"\x30\x80"),
    ("ldap", b"\x30\x84\xff\xff\xff\xff", "the answer to StartTLS is not ldap", b"\x30\x84"),
    ("ldap", b"\x30\x03\x02\x01\x01", "the answer to StartTLS is not ldap", b"\x02\x01\x01"),
    ("ldap", b"\x30\x00", "the answer to StartTLS is not ldap", b""),
    ("postgres", b"N", "TLS is not offered", b""),
    (
        "postgres",
        b"E" + (len(PG_ERROR) + 4).to_bytes(4) + PG_ERROR,
        "the answer to SSLRequest is a refusal",
        b"sorry, too many clients already",
    ),
    ("postgres", b"E\xff\xff\xff\xff", "the answer to SSLRequest is not postgres", b"E"),
    ("postgres", b"H", "the answer to SSLRequest is not postgres", b"H"),
    ("mysql", mysql(0xF7FF), "TLS is not offered", b""),
    (
        "mysql",
        packet(b"\xff\x69\x04Host 'x' is not allowed"),
        "the greeting is a refusal",
        b"Host 'x' is not allowed",
    ),
    (
        "mysql",
        packet(b"\xff\x10\x04#08004Too many connections"),
        "the greeting is a refusal",
        b"Too many connections",
    ),
    ("mysql", packet(b"\x0a8.0.36\0\x07"), "the greeting is not mysql", b"\x0a8.0.36\0\x07"),
    (
        "mysql",
        packet(b"\x0b8.0.36\0" + bytes(40)),
        "the greeting is not mysql",
        b"\x0b8.0.36\0" + bytes(40),
    ),
    ("mysql", b"SSH-2.0-x\r\n", "the greeting is not mysql", b"SSH-"),
    ("mysql", b"\0\0\0\0", "the greeting is not mysql", bytes(4)),
    ("xmpp", STREAM + b"<stream:features/>", "STARTTLS is not offered", b""),
    (
        "xmpp",
        STREAM + b"<stream:features><bind/></stream:features>",
        "STARTTLS is not offered",
        b"",
    ),
    (
        "xmpp",
        STREAM + b"<stream:error><host-unknown xmlns='y'/></stream:error>",
        "the answer to our stream is a refusal",
        b"error host-unknown",
    ),
    ("xmpp", STREAM + b"</stream:stream>", "the answer to our stream is a refusal", b"/stream"),
    (
        "xmpp",
        STREAM + FEATURES + b"<failure xmlns='x'/>",
        "the answer to starttls is a refusal",
        b"failure/",
    ),
    ("xmpp", STREAM + FEATURES + b"<iq/>", "the answer to starttls is not xmpp", b"iq/"),
    ("xmpp", b"HTTP/1.1 400 <x>", "the answer to our stream is not xmpp", b"H"),
    ("xmpp", b"<html><title>400</title>", "the answer to our stream is not xmpp", b"html"),
    ("smtp", b"220-" + b"x" * LIMIT, "the greeting does not end", (b"220-" + b"x" * 396)),
    ("ftp", b"220-x\r\n" * (LIMIT // 6), "the greeting does not end", b"22"),
    ("xmpp", b"<" * (LIMIT + 1), "the answer to our stream does not end", b""),
    ("imap", b"* OK\r\na1 OK go\r\n* BYE\r\n", "it goes on in clear after it agreed to TLS", b""),
    ("postgres", b"SS", "it goes on in clear after it agreed to TLS", b""),
    ("mysql", mysql(0xFFFF) + b"x", "it goes on in clear after it agreed to TLS", b""),
    ("pop3", b"+OK\r\n+OK\r\n" + b"x" * LIMIT, "it goes on in clear after it agreed to TLS", b""),
]


@pytest.mark.parametrize(("service", "stream", "what", "words"), BAD)
def test_refusals_and_nonsense_are_the_same_however_they_are_cut(
    service: str, stream: bytes, what: str, words: bytes
) -> None:
    sizes = range(1, len(stream) + 1) if len(stream) < 1000 else (1, 7, 16384, len(stream))
    for size in sizes:
        talk = Conversation(service, "localhost")
        talk.start()
        with pytest.raises(PreambleError) as caught:
            said(talk, stream, size)
        assert (caught.value.what, caught.value.said) == (what, words), size
        assert not talk.done
        with pytest.raises(PreambleError, match=what):
            talk.receive(b"220 what if?\r\n")


@pytest.mark.parametrize(
    ("service", "stream", "what", "words"),
    [
        ("smtp", b"", "closed before the greeting", b""),
        ("smtp", b"421 too many", "closed before the greeting", b"421 too many"),
        ("smtp", EHLO, "closed before the answer to EHLO", b""),
        ("ldap", b"\x30", "closed before the answer to StartTLS", b"\x30"),
        ("xmpp", STREAM, "closed before the answer to our stream", b""),
    ],
)
def test_a_server_that_hangs_up(service: str, stream: bytes, what: str, words: bytes) -> None:
    talk = Conversation(service, "localhost")
    talk.start()
    if stream:
        talk.receive(stream)
    with pytest.raises(PreambleError) as caught:
        talk.receive(b"")
    assert (caught.value.what, caught.value.said) == (what, words)


def test_our_name_is_ours_to_choose_but_stays_one_line() -> None:
    talk = Conversation("smtp", "localhost", name="[192.0.2.1]")
    assert talk.receive(EHLO) == b"EHLO [192.0.2.1]\r\n"
    with pytest.raises(ValueError, match="not one line"):
        Conversation("smtp", "localhost", name="x\r\nMAIL FROM:<>").receive(EHLO)


def test_the_name_asked_for_cannot_break_out_of_its_attribute() -> None:
    assert b"to='a&#x27;&gt;&lt;b'" in Conversation("xmpp", "a'><b").start()


@given(st.sampled_from(sorted(SERVICES)), st.lists(st.binary(max_size=60), max_size=5))
def test_nonsense_is_refused_or_waited_out(service: str, pieces: list[bytes]) -> None:
    whole, cut = Conversation(service, "localhost"), Conversation(service, "localhost")
    outcomes = []
    for talk, parts in ((whole, [b"".join(pieces)]), (cut, pieces)):
        talk.start()
        try:
            for part in filter(None, parts):
                talk.receive(part)
            outcomes.append((talk.done, ""))
        except PreambleError as error:
            outcomes.append((False, error.what))
    assert outcomes[0] == outcomes[1]
