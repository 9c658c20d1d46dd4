"""What we send reads back as what was meant, and nonsense is told from it."""

from __future__ import annotations

import contextlib
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tlscheck.observations.exchange import End, Exchange
from tlscheck.probes.asker import LADDER, Asker, Question
from tlscheck.probes.questions import CLASSIC
from tlscheck.probes.questions.lists import _EPOCH
from tlscheck.wire.codec import DecodeError
from tlscheck.wire.hello import (
    ClientHello,
    Content,
    Extension,
    Ssl2Hello,
    code_points,
    key_shares,
    parse_client,
    protocols,
    record,
    server_name,
    supported_versions,
)
from tlscheck.wire.registry import SUITES, Version

U16 = st.integers(0, 0xFFFF)
EXTENSIONS = st.lists(
    st.tuples(U16, st.binary(max_size=60)), max_size=8, unique_by=lambda it: it[0]
).map(tuple)


@st.composite
def hellos(draw: st.DrawFn) -> ClientHello:
    return ClientHello(
        draw(st.sampled_from((0x0300, 0x0301, 0x0302, 0x0303))),
        draw(st.binary(min_size=32, max_size=32)),
        tuple(draw(st.lists(U16, max_size=400))),
        draw(st.binary(max_size=32)),
        draw(st.binary(min_size=1, max_size=3)),
        draw(st.none() | EXTENSIONS),
        draw(st.sampled_from((0x0300, 0x0301, 0x0303))),
    )


@given(hellos())
def test_a_hello_comes_back(hello: ClientHello) -> None:
    assert parse_client(hello.records()) == ([hello], [])


def test_a_hello_longer_than_a_record_comes_back() -> None:
    big = tuple((kind, bytes(9000)) for kind in range(5))
    hello = ClientHello(0x0303, bytes(32), (1, 2), extensions=big)
    assert len(hello.records()) > 3 * (1 << 14) - 5000
    assert parse_client(hello.records()) == ([hello], [])


@given(
    st.lists(st.integers(0, 0xFFFFFF), max_size=60).map(tuple),
    st.binary(min_size=16, max_size=32),
)
def test_an_ssl2_hello_comes_back(kinds: tuple[int, ...], challenge: bytes) -> None:
    hello = Ssl2Hello(kinds, challenge)
    assert parse_client(hello.records()) == ([hello], [])


@given(hellos(), hellos())
def test_a_second_hello_and_other_records_are_told_apart(
    first: ClientHello, second: ClientHello
) -> None:
    ccs = record(Content.CHANGE_CIPHER_SPEC, b"\x01")
    junk = record(Content.HANDSHAKE, b"\x10" * 48)
    sent = first.records() + ccs + second.records() + junk
    assert parse_client(sent) == ([first, second], [(20, b"\x01"), (22, b"\x10" * 48)])


@given(st.binary(max_size=400))
def test_nonsense_is_at_most_a_decode_error(sent: bytes) -> None:
    with contextlib.suppress(DecodeError):
        parse_client(sent)


@given(hellos(), st.data())
def test_a_damaged_hello_is_at_most_a_decode_error(hello: ClientHello, data: st.DataObject) -> None:
    sent = bytearray(hello.records())
    for _ in range(data.draw(st.integers(1, 6))):
        sent[data.draw(st.integers(0, len(sent) - 1))] = data.draw(st.integers(0, 255))
    with contextlib.suppress(DecodeError):
        for found in parse_client(bytes(sent))[0]:
            if isinstance(found, ClientHello):
                _ = found.versions, found.shares, found.numbers(Extension.SUPPORTED_GROUPS)


@given(hellos())
def test_every_cut_of_a_hello_is_no_hello(hello: ClientHello) -> None:
    sent = hello.records()
    for end in {*range(1, min(60, len(sent))), len(sent) - 1}:
        try:
            found = parse_client(sent[:end])[0]
        except DecodeError:
            continue
        assert not found


def test_the_lists_read_back() -> None:
    hello = ClientHello(
        0x0303,
        bytes(32),
        (0x1301,),
        extensions=(
            (Extension.SERVER_NAME, server_name("xn--r8jz45g.example")),
            (Extension.SUPPORTED_GROUPS, code_points((29, 23))),
            (Extension.ALPN, protocols((b"h2", b"http/1.1"))),
            (Extension.SUPPORTED_VERSIONS, supported_versions((0x0304, 0x0303))),
            (Extension.KEY_SHARE, key_shares([(29, b"x" * 32), (23, b"y" * 65)])),
        ),
    )
    back = parse_client(hello.records())[0][0]
    assert isinstance(back, ClientHello)
    assert back.extension(Extension.SERVER_NAME) == b"\x00\x16\x00\x00\x13xn--r8jz45g.example"
    assert back.numbers(Extension.SUPPORTED_GROUPS) == (29, 23)
    assert back.extension(Extension.ALPN) == b"\x00\x0c\x02h2\x08http/1.1"
    assert back.versions == (0x0304, 0x0303)
    assert back.shares == (29, 23)
    assert back.extension(Extension.COOKIE) is None
    assert back.numbers(Extension.SIGNATURE_ALGORITHMS) == ()


def test_the_second_hello_names_the_group_wanted_and_brings_the_cookie() -> None:
    shares = (Extension.KEY_SHARE, key_shares(()))
    padding = (Extension.PADDING, bytes(9))
    first = ClientHello(0x0303, b"r" * 32, (0x1301,), b"s" * 32, extensions=(shares, padding))
    second = first.answering(23, b"k" * 65, b"\x00\x02ab")
    assert second.shares == (23,)
    assert second.extension(Extension.COOKIE) == b"\x00\x02ab"
    assert second.extension(Extension.PADDING) is None
    assert (second.random, second.session_id, second.suites) == (b"r" * 32, b"s" * 32, (0x1301,))
    assert first.answering(23, b"k", None).extension(Extension.COOKIE) is None


# -- The hellos that are really sent -------------------------------------------------------------


def questions() -> list[Question]:
    noise = random.Random(1).randbytes
    names = [s.name for s in SUITES if s.lowest is not Version.TLS_1_3]
    found = []
    for shape in LADDER:
        for host in ("a.example", None, "x" * 63 + ".example"):
            ask = Asker(host, noise, shape)
            found += [ask.browser(), ask.ssl2()]
            for size in range(1, 200, 3):
                suites, groups = names[:size], ["x25519", "secp256r1"][: size % 3]
                schemes = ["rsa_pkcs1_sha256", "ecdsa_secp256r1_sha256"][: size % 3]
                found += [ask.classic(v, suites, groups, schemes) for v in CLASSIC]
                found.append(ask.modern(["TLS_AES_128_GCM_SHA256"], groups, schemes))
    return found


def test_no_hello_has_a_length_that_servers_choke_on() -> None:
    for question in questions():
        hello = question.hello
        if isinstance(hello, Ssl2Hello) or hello.extensions is None:
            continue
        if hello.extension(Extension.PADDING) is None:
            continue
        size = len(hello.message())
        assert size >= 512, question.about
        assert size % 256 not in (10, 14), question.about
        assert hello.extensions[-1][1], question.about


def test_every_hello_reads_back_and_its_exchange_has_the_key_that_it_had() -> None:
    for question in questions():
        sent = question.hello.records()
        assert parse_client(sent) == ([question.hello], [])
        exchange = Exchange(_EPOCH, 0, sent, b"", End.CLOSED)
        if isinstance(question.hello, ClientHello):
            assert exchange.hello == question.hello
            assert exchange.hello.version <= 0x0303


@pytest.mark.parametrize("version", CLASSIC)
def test_no_classic_hello_speaks_of_tls_1_3(version: Version) -> None:
    noise = random.Random(1).randbytes
    question = Asker("a.example", noise).classic(version, ["TLS_RSA_WITH_AES_128_CBC_SHA"], (), ())
    assert isinstance(question.hello, ClientHello)
    assert not question.hello.versions
    assert question.hello.extension(Extension.KEY_SHARE) is None
    assert 0x00FF in question.hello.suites
