"""The observation that a look folds into: the same bytes give the same, and nothing is made up."""

from __future__ import annotations

import dataclasses
import random
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from tests.simulator import START, Network, Simulated, gaps, lies, look, sample_server
from tlscheck.model import State
from tlscheck.observations.exchange import End, Exchange
from tlscheck.observations.fold import fold
from tlscheck.observations.tls import Demand, TlsObservation
from tlscheck.probes.asker import Asker, Question
from tlscheck.wire.codec import uint, uints, vector
from tlscheck.wire.hello import Content, Extension, Message, record
from tlscheck.wire.primes import FFDHE_PRIMES
from tlscheck.wire.registry import SSL2_KINDS, SUITE_BY_NAME, Version

ASK = Asker("a.example", random.Random(1).randbytes)
T12 = Version.TLS_1_2
GCM, CBC = "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256", "TLS_RSA_WITH_AES_128_CBC_SHA"
DHE = "TLS_DHE_RSA_WITH_AES_128_GCM_SHA256"
AES = "TLS_AES_128_GCM_SHA256"


def message(kind: int, body: bytes) -> bytes:
    return uint(kind, 1) + vector(body, 3)


def flight(
    suite: str = CBC,
    extensions: Sequence[tuple[int, bytes]] = (),
    *,
    compression: int = 0,
    session: bytes = b"",
    request: bool = False,
    status: bytes = b"",
    exchange: bytes = b"",
    after: bytes = b"",
) -> bytes:
    body = uint(0x0303, 2) + bytes(32) + vector(session, 1) + uint(SUITE_BY_NAME[suite].code, 2)
    body += uint(compression, 1)
    body += vector(b"".join(uint(t, 2) + vector(b, 2) for t, b in extensions), 2)
    said = message(Message.SERVER_HELLO, body)
    said += message(Message.CERTIFICATE, vector(vector(b"leaf", 3), 3))
    if status:
        said += message(Message.CERTIFICATE_STATUS, b"\1" + vector(status, 3))
    if exchange:
        said += message(Message.SERVER_KEY_EXCHANGE, exchange)
    if request:
        wanted = vector(b"\1", 1) + uints([0x0401], 2, 2) + vector(b"", 2)
        said += message(Message.CERTIFICATE_REQUEST, wanted)
    return record(22, said + message(Message.SERVER_HELLO_DONE, b"")) + after


def question(suites: Sequence[str] = (CBC, GCM, DHE), **options: Any) -> Question:
    return ASK.classic(T12, suites, ["x25519"], ["rsa_pss_rsae_sha256"], **options)


def folded(*received: bytes, asked: Question | None = None) -> TlsObservation:
    sent = (asked or question()).hello.records()
    exchanges = [
        Exchange(START + timedelta(seconds=i), 0.1, sent, answer, End.ENOUGH)
        for i, answer in enumerate(received)
    ]
    return fold(exchanges, START, "full")


# -- Three states of what an answer shows ---------------------------------------------------------

E = Extension


@pytest.mark.parametrize(
    ("name", "yes", "no"),
    [
        ("compression", flight(compression=1), flight()),
        ("heartbeat", flight(extensions=[(E.HEARTBEAT, b"\1")]), flight()),
        ("session_tickets", flight(extensions=[(E.SESSION_TICKET, b"")]), flight()),
        ("stapling", flight(status=b"ocsp"), flight()),
    ],
)
def test_what_a_server_may_offer(name: str, yes: bytes, no: bytes) -> None:
    assert getattr(folded(), name) is State.UNKNOWN
    assert getattr(folded(yes), name) is State.ACCEPTED
    assert getattr(folded(no, no), name) is State.REFUSED
    assert getattr(folded(no), name) is State.UNKNOWN
    assert getattr(folded(no, no, yes), name) is State.ACCEPTED


@pytest.mark.parametrize(
    ("name", "kind", "body"),
    [
        ("secure_renegotiation", E.RENEGOTIATION_INFO, b"\0"),
        ("extended_master_secret", E.EXTENDED_MASTER_SECRET, b""),
        ("encrypt_then_mac", E.ENCRYPT_THEN_MAC, b""),
    ],
)
def test_what_a_server_must_do_every_time(name: str, kind: int, body: bytes) -> None:
    yes, no = flight(extensions=[(kind, body)]), flight()
    assert getattr(folded(), name) is State.UNKNOWN
    assert getattr(folded(yes), name) is State.ACCEPTED
    assert getattr(folded(yes, no), name) is State.REFUSED
    assert getattr(folded(no), name) is State.REFUSED


def test_encrypt_then_mac_is_for_cbc_alone() -> None:
    gcm = flight(GCM, exchange=b"\3\0\x1d" + vector(b"p" * 32, 1) + b"\x08\x04" + vector(b"s", 2))
    assert folded(gcm, gcm).encrypt_then_mac is State.UNKNOWN


def test_session_ids() -> None:
    bare = question(tickets=False)
    assert folded(flight(session=b"id"), asked=bare).session_ids is State.ACCEPTED
    assert folded(flight(), flight(), asked=bare).session_ids is State.REFUSED
    assert folded(flight(session=b"id")).session_ids is State.UNKNOWN


def test_client_certificates() -> None:
    assert folded().client_certificate.demand is Demand.UNKNOWN
    assert folded(flight()).client_certificate.demand is Demand.NONE
    assert folded(flight(), flight(request=True)).client_certificate.demand is Demand.REQUESTED


def test_application_protocols() -> None:
    h2 = flight(extensions=[(E.ALPN, vector(vector(b"h2", 1), 2))])
    assert folded(h2).alpn == ("h2",)
    assert folded(flight()).alpn == ()
    assert folded(flight(extensions=[(E.ALPN, b"\0")])).alpn == ()


def test_fallback() -> None:
    asked = question(fallback=True)
    alert = record(Content.ALERT, b"\2\x56")
    assert folded(alert, asked=asked).fallback_scsv is State.ACCEPTED
    assert folded(flight(), asked=asked).fallback_scsv is State.REFUSED
    assert folded(flight()).fallback_scsv is State.UNKNOWN
    assert folded(record(21, b"\2\x28"), asked=asked).fallback_scsv is State.UNKNOWN


# -- Finite fields --------------------------------------------------------------------------------


def dhe(prime: int) -> bytes:
    number = prime.to_bytes((prime.bit_length() + 7) // 8)
    body = vector(number, 2) + vector(b"\2", 2) + vector(b"y", 2) + b"\x08\x04" + vector(b"s", 2)
    return flight(DHE, exchange=body)


def test_primes() -> None:
    (known,) = folded(dhe(FFDHE_PRIMES["ffdhe2048"])).dh
    assert (known.bits, known.name, known.weakness) == (2048, "ffdhe2048", "")
    (own,) = folded(dhe((1 << 1023) + 5)).dh
    assert (own.bits, own.name, own.generator) == (1024, "", "2")
    assert own.versions == (T12,)
    assert own.suites == (DHE,)
    both = folded(dhe((1 << 1023) + 5), dhe(FFDHE_PRIMES["ffdhe2048"])).dh
    assert [p.bits for p in both] == [1024, 2048]


def test_a_prime_of_nothing_breaks_nothing() -> None:
    (nothing,) = folded(flight(DHE, exchange=_zero())).dh
    assert nothing.bits == 0


def _zero() -> bytes:
    return vector(b"\0", 2) + vector(b"\0", 2) + vector(b"\0", 2) + b"\x08\x04" + vector(b"s", 2)


# -- Early ChangeCipherSpec -----------------------------------------------------------------------

CCS = record(Content.CHANGE_CIPHER_SPEC, b"\1")
SECOND = record(Content.HANDSHAKE, b"\x10" * 48)


@pytest.mark.parametrize(
    ("sent", "after", "state"),
    [
        (CCS, record(21, b"\2\x0a"), State.REFUSED),
        (CCS + SECOND, record(21, b"\2\x14"), State.ACCEPTED),
        (CCS + SECOND, record(21, b"\2\x0a"), State.UNKNOWN),
        (CCS + SECOND, b"", State.UNKNOWN),
        (CCS, b"", State.UNKNOWN),
    ],
)
def test_early_ccs(sent: bytes, after: bytes, state: State) -> None:
    exchange = Exchange(
        START, 1, question().hello.records() + sent, flight(after=after), End.ENOUGH
    )
    assert fold([exchange], START, "full").early_ccs is state


# -- The whole ------------------------------------------------------------------------------------


def test_nothing_folds_into_nothing_known() -> None:
    seen = fold([], START, "full")
    assert set(seen.versions.values()) == {State.UNKNOWN}
    for field in dataclasses.fields(seen):
        assert getattr(seen, field.name) not in (State.REFUSED, State.ACCEPTED), field.name
    assert seen.settled(T12, "suites", CBC) is State.UNKNOWN


def test_tls_1_3_alone_has_what_it_has_built_in() -> None:
    node = Simulated(
        versions=frozenset((Version.TLS_1_3,)), suites=(AES,), schemes=("rsa_pss_rsae_sha256",)
    )
    seen = look(Network(nodes=(node,))).seen
    assert seen.secure_renegotiation is State.ACCEPTED
    assert seen.extended_master_secret is State.ACCEPTED
    assert seen.compression is State.REFUSED
    assert seen.heartbeat is State.REFUSED


def test_ssl2_lists_what_it_was_offered() -> None:
    kinds = tuple(SSL2_KINDS)[:2]
    node = Simulated(versions=frozenset((T12,)), suites=(CBC,), ssl2=(*kinds, 0x123456))
    seen = look(Network(nodes=(node,))).seen
    assert seen.versions[Version.SSL_2_0] is State.ACCEPTED
    assert seen.suites[Version.SSL_2_0] == tuple(SSL2_KINDS[k] for k in kinds)


@pytest.mark.parametrize("seed", range(3))
def test_the_same_exchanges_fold_into_the_same_in_whatever_order(seed: int) -> None:
    r = random.Random(seed)
    done = look(Network(nodes=(sample_server(r),)))
    seen = fold(done.exchanges, START, "full")
    shuffled = list(done.exchanges)
    r.shuffle(shuffled)
    assert fold(shuffled, START, "full") == seen
    copies = [replace(e) for e in done.exchanges]
    assert fold(copies, START, "full") == seen


def test_settled_tells_three_states() -> None:
    node = Simulated(
        versions=frozenset((T12,)), suites=(GCM, CBC), schemes=("rsa_pss_rsae_sha256",)
    )
    network = Network(nodes=(node,))
    seen = look(network).seen
    assert not lies(seen, network) + gaps(seen, network)
    assert seen.settled(T12, "suites", GCM) is State.ACCEPTED
    assert seen.settled(T12, "suites", "TLS_RSA_WITH_RC4_128_MD5") is State.REFUSED
    assert seen.settled(T12, "suites", "TLS_NEVER_HEARD_OF") is State.UNKNOWN
    assert seen.settled(Version.TLS_1_3, "suites", AES) is State.UNKNOWN
    assert seen.settled(T12, "groups", "x25519") is State.ACCEPTED
