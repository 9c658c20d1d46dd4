"""DTLS by hellos, against OpenSSL and against servers that throttle, lie and are silent."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from typing import Any

import pytest

from tests.datagram_servers import OpenSsl, Reply, Simulated, serving
from tests.identities import Identity
from tests.servers import LOOPBACK
from tlscheck.model import Missed, Place, Reason, State
from tlscheck.net import Net
from tlscheck.observations.knowledge import SUITE, candidates
from tlscheck.observations.turn import Dtls, TurnObservation
from tlscheck.probes import dtls, dtls_hello
from tlscheck.wire.dtls import DtlsVersion
from tlscheck.wire.registry import SUITE_BY_NAME

A, R, U = State.ACCEPTED, State.REFUSED, State.UNKNOWN
OLD, PLAIN, NEW = DtlsVersion
GCM = "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384"
CBC = "TLS_RSA_WITH_AES_128_CBC_SHA"
CAMELLIA = "TLS_RSA_WITH_CAMELLIA_128_CBC_SHA"
PSK = "TLS_PSK_WITH_AES_128_CCM_8"
RANDOM = slice(27, 59)
"""The bytes of a hello, after both its heads and its version, that no other has."""


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dtls, "GAP", 0.0005)
    monkeypatch.setattr(dtls_hello, "FIRST", 0.3)
    monkeypatch.setattr(dtls_hello, "SECOND", 0.3)
    monkeypatch.setattr(dtls, "BACK_OFFS", (0.01, 0.01))


def look(reply: Reply | None, budget: float = 60.0) -> Dtls:
    async def run() -> Dtls:
        async with serving(udp=reply) as port:
            place = Place("localhost", port, "dtls", LOOPBACK, "localhost")
            return await dtls.look(Net(budget=budget), place)

    return asyncio.run(run())


def states(found: Dtls) -> tuple[State, ...]:
    return tuple(found.versions[version] for version in DtlsVersion)


# -- OpenSSL -----------------------------------------------------------------------------------


@pytest.mark.parametrize("cookies", [True, False])
def test_openssl(identity: Identity, cookies: bool) -> None:
    ciphers = "ECDHE-RSA-AES256-GCM-SHA384:AES128-SHA:ECDHE-RSA-CHACHA20-POLY1305:@SECLEVEL=0"
    found = look(OpenSsl(identity.rsa, ciphers, cookies=cookies))
    assert states(found) == (R, A, R)
    chacha = "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256"
    assert set(found.suites[PLAIN]) == {GCM, CBC, chacha}
    assert found.unknown == {PLAIN: ()}
    assert found.suite(PLAIN, CAMELLIA) is R
    assert found.canary is A
    assert found.cookie is (A if cookies else R)
    assert (found.answered_bytes > 2 * found.asked_bytes > 0) is not cookies
    assert found.certificate is not None
    assert "localhost" in found.certificate.names
    assert found.certificate.key == "RSA"


def test_openssl_with_dtls_1_0(identity: Identity) -> None:
    found = look(OpenSsl(identity.rsa, "ALL:@SECLEVEL=0", versions=(OLD, PLAIN)))
    assert states(found) == (A, A, R)
    assert CBC in found.suites[OLD]
    assert GCM in found.suites[PLAIN]
    assert GCM not in found.suites[OLD]
    assert found.unknown == {OLD: (), PLAIN: ()}


def test_openssl_with_dtls_1_0_alone(identity: Identity) -> None:
    found = look(OpenSsl(identity.rsa, "AES128-SHA:@SECLEVEL=0", versions=(OLD, OLD)))
    assert states(found) == (A, R, R)
    assert found.suites == {OLD: (CBC,)}


def test_an_ecdsa_certificate(identity: Identity) -> None:
    found = look(OpenSsl(identity.ec, "ECDHE-ECDSA-AES128-GCM-SHA256:AES128-SHA"))
    assert found.suites == {PLAIN: ("TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256",)}
    assert found.certificate is not None
    assert found.certificate.key == "ECDSA"


# -- by hand -----------------------------------------------------------------------------------

BOTH = {OLD: [CBC], PLAIN: [GCM, CBC, CAMELLIA, PSK]}


def test_a_simulated_server() -> None:
    server = Simulated(BOTH)
    found = look(server)
    assert states(found) == (A, A, R)
    assert set(found.suites[PLAIN]) == {GCM, CBC, CAMELLIA, PSK}
    assert found.suites[OLD] == (CBC,)
    assert found.unknown == {OLD: (), PLAIN: ()}
    assert found.hellos == server.hellos
    assert found.certificate is not None
    assert found.certificate.unread == ("certificate",)
    assert max(server.offered) <= 97  # a hello fits into a datagram


@pytest.mark.parametrize("cookies", [True, False])
def test_dtls_1_3(cookies: bool) -> None:
    own = ["TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256"]
    found = look(Simulated({NEW: own}, cookies=cookies))
    assert states(found) == (R, R, A)
    assert found.suites == {NEW: tuple(own)}
    assert found.unknown == {NEW: ()}
    # A HelloRetryRequest without a cookie settles nothing: it is small.
    assert found.cookie is (A if cookies else U)


def test_nothing_but_the_unlikely() -> None:
    anonymous = "TLS_DH_anon_WITH_AES_128_CBC_SHA"
    found = look(Simulated({PLAIN: [anonymous]}))
    assert found.suites == {PLAIN: (anonymous,)}
    assert states(found) == (R, A, R)


def test_dtls_1_3_beside_1_2() -> None:
    found = look(Simulated({NEW: ["TLS_AES_128_GCM_SHA256"], **BOTH}))
    assert states(found) == (A, A, A)


def test_noise_before_every_answer() -> None:
    found = look(Simulated(BOTH, before=b"\x16\xfe\xfd" + bytes(30)))
    assert states(found) == (A, A, R)
    assert found.unknown == {OLD: (), PLAIN: ()}


@pytest.mark.parametrize("seed", range(3))
def test_lost_packets(seed: int) -> None:
    """One in ten is lost: nothing accepted is missed, and nothing lost counts as refused."""
    chance = random.Random(seed)
    found = look(Simulated(BOTH, silent=lambda number: chance.random() < 0.1))
    assert found.versions[PLAIN] is A
    for version, names in BOTH.items():
        for name in names:
            assert found.suite(version, name) is not R
    assert found.versions[NEW] is not A


def test_a_question_that_was_lost_is_put_again() -> None:
    """All repetitions of one question are lost, and nothing before or after them."""
    server, lost = Simulated({PLAIN: [GCM]}), list[bytes]()
    rare = SUITE_BY_NAME[CAMELLIA].code.to_bytes(2, "big")

    def deaf(data: bytes, peer: Any) -> list[bytes]:
        if rare in data and len({data[RANDOM], *lost}) == 1:
            lost.append(data[RANDOM])
            return []
        return server(data, peer)

    found = look(deaf)
    assert len(lost) > 1
    assert found.unknown == {PLAIN: ()}
    assert states(found) == (R, A, R)


def test_whoever_refuses_without_a_word_refuses_nothing() -> None:
    found = look(Simulated({PLAIN: [GCM]}, mute=True), budget=5.0)
    assert states(found) == (U, A, U)
    assert found.suites == {PLAIN: (GCM,)}
    assert set(found.unknown[PLAIN]) == set(candidates(PLAIN.like, SUITE)) - {GCM}
    assert found.canary is A


ALL = {PLAIN: [GCM, CBC, CAMELLIA, PSK], OLD: [CBC]}


@pytest.mark.parametrize("limit", [2, 7, 13, 25])
@pytest.mark.parametrize("way", ["silent", "refusing"])
def test_a_throttle_makes_nothing_look_cleaner(way: str, limit: int) -> None:
    """After some hellos there is silence, or an alert: what was not settled is unknown."""
    limits: dict[str, Callable[[int], bool]] = {way: lambda number: number > limit}
    found = look(Simulated(ALL, **limits))  # type: ignore[arg-type]
    assert found.versions[PLAIN] is A
    assert found.canary is R
    for version, names in ALL.items():
        assert found.versions[version] is not R
        for name in names:
            assert found.suite(version, name) is not R


@pytest.mark.parametrize("way", ["silent", "refusing"])
def test_a_throttle_that_ends(way: str) -> None:
    """Some hellos in the middle are not heard, the canary among them: they are asked again."""
    limits: dict[str, Callable[[int], bool]] = {way: lambda number: 20 < number <= 30}
    found = look(Simulated({PLAIN: [GCM, CBC, CAMELLIA, PSK]}, **limits))  # type: ignore[arg-type]
    for name in (GCM, CBC, CAMELLIA, PSK):
        assert found.suite(PLAIN, name) is not R


def test_a_budget_that_ends() -> None:
    found = look(Simulated(BOTH, silent=lambda number: number > 8), budget=0.4)
    assert R not in states(found)


# -- nobody ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "reply",
    [
        lambda data, peer: [],
        lambda data, peer: [data],
        lambda data, peer: [b"", b"\x00" * 13, b"\xff" * 1200],
        lambda data, peer: [random.Random(len(data)).randbytes(200)] * 5,
        lambda data, peer: [data[:11] + b"\xff\xff" + data[13:]],
    ],
    ids=["silent", "echo", "zeros", "noise", "cut"],
)
def test_what_is_no_dtls(reply: Reply) -> None:
    found = look(reply)
    assert found.answers is U
    assert states(found) == (U, U, U)
    assert found.detail in (Reason.TIMEOUT, Reason.MALFORMED)


def test_cookies_without_an_end() -> None:
    count = iter(range(10**6))

    def ever(data: bytes, peer: Any) -> list[bytes]:
        body = b"\xfe\xff\x04" + next(count).to_bytes(4)
        head = b"\x03" + len(body).to_bytes(3) + bytes(5) + len(body).to_bytes(3)
        return [b"\x16\xfe\xff" + bytes(8) + len(head + body).to_bytes(2) + head + body]

    found = look(ever)
    assert found.answers is A  # it speaks DTLS, and nothing more is known
    assert states(found) == (U, U, U)
    assert found.hellos < 60


def test_only_alerts() -> None:
    found = look(Simulated({}))
    assert (found.answers, states(found)) == (A, (U, U, U))
    assert found.canary is U


def probe(reply: Reply | None) -> TurnObservation | Missed:
    async def run() -> TurnObservation | Missed:
        async with serving(udp=reply) as port:
            return await dtls.probe(Net(), LOOPBACK, port, host="localhost")

    return asyncio.run(run())


def test_the_probe() -> None:
    seen = probe(Simulated(BOTH))
    assert isinstance(seen, TurnObservation)
    assert (seen.service, seen.talks) == ("dtls", ())
    assert seen.dtls is not None
    assert probe(lambda data, peer: []) == Missed(
        "turn", Reason.TIMEOUT, "no DTLS was answered at the UDP port"
    )
    closed = probe(None)
    assert isinstance(closed, Missed)
    assert closed.reason is Reason.CONNECTION_REFUSED


def test_hellos_are_twenty_a_second_at_most(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    waits: list[float] = []
    sleep = asyncio.sleep

    async def noted(seconds: float) -> None:
        waits.append(seconds)
        await sleep(0)

    monkeypatch.setattr(dtls.asyncio, "sleep", noted)
    found = look(Simulated({PLAIN: [GCM]}))
    assert sum(waits) > 0.05 * (found.hellos - 2) * 0.9
    assert dtls.GAP >= 0.05
