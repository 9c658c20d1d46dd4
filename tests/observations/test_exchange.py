"""What one question and its answer mean by themselves."""

from __future__ import annotations

import random
from typing import Any

import pytest

from tests.simulator import START, Choice, Simulated, plain_hello
from tlscheck.observations.exchange import End, Exchange, Outcome
from tlscheck.probes.asker import Asker, Question
from tlscheck.wire.answer import RETRY
from tlscheck.wire.codec import uint, vector
from tlscheck.wire.hello import ClientHello, Content, record
from tlscheck.wire.registry import SUITE_BY_NAME, Version

NOISE = random.Random(1).randbytes
ASK = Asker("a.example", NOISE)
GCM, CBC = "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256", "TLS_RSA_WITH_AES_128_CBC_SHA"
AES = "TLS_AES_128_GCM_SHA256"
SERVER = Simulated(versions=frozenset(Version), suites=(GCM, CBC, AES))


def exchange(question: Question, received: bytes, end: End = End.ENOUGH) -> Exchange:
    return Exchange(START, 0.1, question.hello.records(), received, end)


def classic(version: Version = Version.TLS_1_2, **options: Any) -> Question:
    return ASK.classic(version, [GCM, CBC], ["x25519"], ["rsa_pss_rsae_sha256"], **options)


def modern() -> Question:
    return ASK.modern([AES], ["x25519"], ["rsa_pss_rsae_sha256"])


def answer(version: Version, suite: str, group: str = "x25519", retry: bool = False) -> bytes:
    hello = plain_hello(version, [suite])
    scheme = "rsa_pss_rsae_sha256"
    choice = Choice(version, SUITE_BY_NAME[suite], group, scheme=scheme, retry=retry)
    return SERVER.answer(hello, choice, NOISE)


def alert(what: int, level: int = 2) -> bytes:
    return record(Content.ALERT, bytes((level, what)))


@pytest.mark.parametrize(
    ("received", "end", "outcome"),
    [
        (answer(Version.TLS_1_2, GCM), End.ENOUGH, Outcome.ANSWERED),
        (answer(Version.TLS_1_2, GCM), End.RESET, Outcome.ANSWERED),
        (alert(40), End.ENOUGH, Outcome.REFUSED),
        (alert(70), End.CLOSED, Outcome.REFUSED),
        (alert(40), End.RESET, Outcome.REFUSED),
        (alert(10), End.ENOUGH, Outcome.REFUSED),
        (alert(47), End.ENOUGH, Outcome.REFUSED),
        (alert(71), End.ENOUGH, Outcome.REFUSED),
        (alert(109), End.ENOUGH, Outcome.REFUSED),
        (alert(86), End.ENOUGH, Outcome.ALERT),
        (alert(80), End.ENOUGH, Outcome.ALERT),
        (alert(112), End.ENOUGH, Outcome.ALERT),
        (alert(49), End.ENOUGH, Outcome.ALERT),
        (alert(90), End.ENOUGH, Outcome.ALERT),
        (alert(116), End.ENOUGH, Outcome.ALERT),
        (alert(0, 1), End.ENOUGH, Outcome.CLOSED),
        (alert(112, 1), End.TIMEOUT, Outcome.SILENT),
        (alert(112, 1), End.RESET, Outcome.RESET),
        (alert(112, 1) + answer(Version.TLS_1_2, GCM), End.ENOUGH, Outcome.ANSWERED),
        (b"", End.CLOSED, Outcome.CLOSED),
        (b"", End.RESET, Outcome.RESET),
        (b"", End.TIMEOUT, Outcome.SILENT),
        (b"", End.UNCONNECTED, Outcome.UNCONNECTED),
        (b"HTTP/1.1 400 Bad Request\r\n", End.ENOUGH, Outcome.GARBLED),
        (b"SSH-2.0-x\r\n", End.TIMEOUT, Outcome.GARBLED),
    ],
)
def test_outcomes(received: bytes, end: End, outcome: Outcome) -> None:
    assert exchange(classic(), received, end).outcome is outcome


def test_the_answer_to_the_fallback_scsv() -> None:
    assert exchange(classic(fallback=True), alert(86)).outcome is Outcome.FALLBACK
    assert exchange(classic(), alert(86)).outcome is Outcome.ALERT


@pytest.mark.parametrize(
    ("question", "received"),
    [
        (classic(), answer(Version.TLS_1_2, "TLS_RSA_WITH_RC4_128_MD5")),
        (classic(Version.TLS_1_1), answer(Version.TLS_1_2, GCM)),
        (classic(), answer(Version.TLS_1_2, GCM, "secp256r1")),
        (classic(), answer(Version.TLS_1_3, AES)),
        (modern(), answer(Version.TLS_1_2, GCM)),
        (modern(), answer(Version.TLS_1_3, "TLS_AES_256_GCM_SHA384", retry=True)),
        (modern(), answer(Version.TLS_1_3, AES, "secp256r1", retry=True)),
    ],
)
def test_what_was_not_offered_is_never_an_answer(question: Question, received: bytes) -> None:
    assert exchange(question, received).outcome is Outcome.GARBLED


def test_a_compression_that_was_not_offered_is_garbled() -> None:
    body = uint(0x0303, 2) + bytes(32) + b"\0" + uint(SUITE_BY_NAME[GCM].code, 2) + b"\x40"
    received = record(22, b"\2" + vector(body, 3))
    assert exchange(classic(), received).outcome is Outcome.GARBLED


def test_a_retry_counts_as_the_answer() -> None:
    e = exchange(modern(), answer(Version.TLS_1_3, AES, retry=True))
    assert e.outcome is Outcome.ANSWERED
    assert (e.version, e.suite, e.group) == (Version.TLS_1_3, AES, "x25519")
    assert RETRY in e.received


def test_versions_offered() -> None:
    assert exchange(classic(), b"").most is Version.TLS_1_2
    assert exchange(classic(Version.SSL_3_0), b"").most is Version.SSL_3_0
    assert exchange(modern(), b"").most is Version.TLS_1_3
    assert exchange(ASK.browser(), b"").most is None
    assert exchange(ASK.ssl2(), b"").most is Version.SSL_2_0


def test_names_offered_in_order() -> None:
    question = ASK.classic(
        Version.TLS_1_2, [CBC, GCM], ["secp256r1", "x25519"], ["ecdsa_sha1", "rsa_pkcs1_sha256"]
    )
    e = exchange(question, b"")
    assert e.suites == (CBC, GCM)
    assert e.groups == ("secp256r1", "x25519")
    assert e.schemes == ("ecdsa_sha1", "rsa_pkcs1_sha256")
    assert e.named
    assert not e.fallback
    assert not exchange(classic(named=False), b"").named


def test_the_key_ignores_order_and_noise_but_not_content() -> None:
    one = ASK.classic(Version.TLS_1_2, [CBC, GCM], ["secp256r1", "x25519"], ["ecdsa_sha1"])
    turned = ASK.classic(Version.TLS_1_2, [GCM, CBC], ["x25519", "secp256r1"], ["ecdsa_sha1"])
    fewer = ASK.classic(Version.TLS_1_2, [GCM], ["x25519", "secp256r1"], ["ecdsa_sha1"])
    lower = ASK.classic(Version.TLS_1_1, [GCM, CBC], ["x25519", "secp256r1"], ["ecdsa_sha1"])
    nameless = ASK.classic(
        Version.TLS_1_2, [CBC, GCM], ["secp256r1", "x25519"], ["ecdsa_sha1"], named=False
    )
    fallback = ASK.classic(
        Version.TLS_1_2, [CBC, GCM], ["secp256r1", "x25519"], ["ecdsa_sha1"], fallback=True
    )
    key = exchange(one, b"").key
    assert exchange(turned, b"").key == key
    others = [fewer, lower, nameless, fallback]
    assert all(exchange(question, b"").key != key for question in others)


def test_early_records_of_a_second_hello_are_no_early_ccs() -> None:
    question = modern()
    assert isinstance(question.hello, ClientHello)
    second = question.hello.answering(23, b"k" * 65, None)
    ccs = record(Content.CHANGE_CIPHER_SPEC, b"\1")
    sent = question.hello.records() + ccs + second.records()
    e = Exchange(START, 0.1, sent, b"", End.TIMEOUT)
    assert e.retried
    assert not e.early_ccs
    early = Exchange(START, 0.1, classic().hello.records() + ccs, b"", End.TIMEOUT)
    assert early.early_ccs
