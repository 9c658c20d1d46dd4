"""QUIC against aioquic's own server, as it was told, and against what loses, limits and lies."""

from __future__ import annotations

import asyncio
import logging
import random
import socket
from typing import Any

import pytest

from tests.datagram_servers import Reply
from tests.datagram_servers import serving as answering
from tests.identities import Identity
from tests.quic_servers import ALL, Way, configuration, serving
from tests.servers import LOOPBACK
from tlscheck.model import Missed, Place, Reason, State
from tlscheck.net import Net
from tlscheck.observations.quic import QuicObservation
from tlscheck.probes import quic
from tlscheck.wire.quic import V1, V2

A, R, U = State.ACCEPTED, State.REFUSED, State.UNKNOWN
AES128, AES256, CHACHA = ALL


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(quic, "GAP", 0.0005)
    monkeypatch.setattr(quic, "WAITS", (0.2, 0.2))
    monkeypatch.setattr(quic, "SECONDS", 0.6)
    monkeypatch.setattr(quic, "LINGER", 0.02)
    monkeypatch.setattr(quic, "BACK_OFFS", (0.01, 0.01))


def there(port: int, service: str = "quic") -> Place:
    return Place("localhost", port, service, LOOPBACK, "localhost")


def look(made: Any, *, budget: float = 30.0, sni: bool = True, **options: Any) -> QuicObservation:
    async def run() -> QuicObservation:
        async with serving(made, **options) as (port, _):
            return await quic.look(Net(budget=budget), there(port))

    return asyncio.run(run())


def states(found: QuicObservation) -> tuple[State, ...]:
    return tuple(found.suites[name] for name in ALL)


# -- as aioquic was told -----------------------------------------------------------------------


@pytest.mark.parametrize("versions", [(V1,), (V2,), (V1, V2), (V1, 0xFF00001D, 0x51303433)])
def test_versions(identity: Identity, versions: tuple[int, ...]) -> None:
    found = look(configuration(identity.rsa, versions=versions))
    assert found.versions == {
        "QUIC v1": A if V1 in versions else R,
        "QUIC v2": A if V2 in versions else R,
        **({"QUIC draft 29": A, "Google QUIC Q043": A} if len(versions) == 3 else {}),
    }
    assert found.negotiation is A
    assert states(found) == (A, A, A)
    assert found.canary is A


@pytest.mark.parametrize("suites", [(AES128,), (AES256,), (CHACHA,), (AES256, CHACHA)])
def test_suites(identity: Identity, suites: tuple[str, ...]) -> None:
    found = look(configuration(identity.ec, suites))
    assert found.suites == {name: A if name in suites else R for name in ALL}
    assert found.detail == ""


def test_what_an_rsa_server_shows(identity: Identity) -> None:
    found = look(configuration(identity.rsa), retry=True, tickets=True)
    assert found.keys == {"RSA": A, "ECDSA": R}
    assert found.scheme.startswith("rsa_pss_rsae")
    [own] = found.certificates
    assert (own.key, own.key_bits, own.names) == ("RSA", 2048, ("localhost",))
    assert found.alpn == {"h3": A}
    assert found.retry is A
    assert found.ticket_lifetime == 86400
    assert found.early_data is A
    assert found.certificate_asked is R
    assert found.groups == {
        "x25519": A, "secp256r1": A, "x448": A, "secp384r1": A, "secp521r1": R
    }  # fmt: skip


def test_what_an_ecdsa_server_shows(identity: Identity) -> None:
    found = look(configuration(identity.ec))
    assert found.keys == {"RSA": R, "ECDSA": A}
    assert [own.key for own in found.certificates] == ["ECDSA"]
    assert found.retry is R
    assert found.ticket_lifetime is None


@pytest.mark.parametrize("alpn", [("doq",), ()])
def test_no_http3(identity: Identity, alpn: tuple[str, ...]) -> None:
    found = look(configuration(identity.ec, alpn=alpn))
    assert found.alpn == ({"h3": R, "doq": A} if alpn else {"h3": U})
    assert states(found) == (A, A, A)


def test_a_protocol_that_nobody_knows(identity: Identity) -> None:
    found = look(configuration(identity.ec, alpn=("of-their-own",)))
    assert found.answers is A
    assert found.canary is U
    assert set(states(found)) == {U}
    assert found.detail == Reason.HANDSHAKE


def test_versions_that_cannot_be_spoken(identity: Identity) -> None:
    found = look(configuration(identity.ec, versions=(0xFF00001D,)))
    assert found.versions == {"QUIC v1": U, "QUIC v2": U, "QUIC draft 29": A}
    assert found.suites == {}
    assert found.detail == Reason.HANDSHAKE


def test_the_look_costs_few_handshakes(identity: Identity) -> None:
    found = look(configuration(identity.ec))
    assert found.handshakes <= 20


def test_nothing_that_a_server_says_is_printed(
    identity: Identity, capfd: pytest.CaptureFixture[str]
) -> None:
    look(configuration(identity.ec, (AES128,)), budget=5.0)
    assert logging.getLogger("quic").propagate is False
    assert capfd.readouterr() == ("", "")


# -- in between --------------------------------------------------------------------------------


def test_every_second_datagram_is_lost(identity: Identity, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(quic, "SECONDS", 4.0)
    found = look(configuration(identity.ec, (AES128, AES256)), lost=lambda number: number % 2 == 1)
    assert R not in (found.suites[AES128], found.suites[AES256])
    assert found.versions["QUIC v1"] is A
    assert A in states(found)


@pytest.mark.parametrize("seed", range(3))
def test_lost_packets(identity: Identity, seed: int) -> None:
    chance = random.Random(seed)
    made = configuration(identity.ec, (AES128, AES256), versions=(V1,))
    found = look(made, lost=lambda number: chance.random() < 0.1, budget=8.0)
    assert R not in (found.suites[AES128], found.suites[AES256])
    assert A is not found.suites[CHACHA]


@pytest.mark.parametrize("limit", [1, 3, 8])
@pytest.mark.parametrize("how", ["drop", "refuse"])
def test_a_limit_makes_nothing_look_cleaner(
    identity: Identity, monkeypatch: pytest.MonkeyPatch, how: str, limit: int
) -> None:
    """After some connections there is silence, or an alert: what was not settled is unknown."""
    monkeypatch.setattr(quic, "SECONDS", 0.25)
    way: Way = lambda number: how if number > limit else ""  # noqa: E731
    found = look(configuration(identity.ec), way=way)
    assert found.canary is R
    for held in (found.versions, found.suites, found.alpn):
        assert R not in held.values()
    own = {name: state for name, state in found.groups.items() if name != "secp521r1"}
    assert R not in own.values()
    assert found.keys["ECDSA"] is A


@pytest.mark.parametrize("how", ["drop", "refuse"])
@pytest.mark.parametrize("first", [3, 6, 9])
def test_a_limit_that_ends(
    identity: Identity, monkeypatch: pytest.MonkeyPatch, how: str, first: int
) -> None:
    monkeypatch.setattr(quic, "SECONDS", 0.25)
    way: Way = lambda number: how if first <= number < first + 6 else ""  # noqa: E731
    found = look(configuration(identity.ec, (AES128, CHACHA)), way=way, budget=15.0)
    assert R not in (found.suites[AES128], found.suites[CHACHA])
    assert found.suites[AES256] is not A


def test_a_budget_that_ends(identity: Identity) -> None:
    found = look(configuration(identity.ec), budget=0.05)
    for held in (found.versions, found.suites, found.alpn):
        assert R not in held.values()
    assert {name for name, state in found.groups.items() if state is R} <= {"secp521r1"}
    assert {kind for kind, state in found.keys.items() if state is R} <= {"RSA"}


# -- nobody ------------------------------------------------------------------------------------


def ask(reply: Reply | None) -> QuicObservation | Missed:
    async def run() -> QuicObservation | Missed:
        async with answering(udp=reply) as port:
            return await quic.probe(Net(), LOOPBACK, port, host="localhost")

    return asyncio.run(run())


@pytest.mark.parametrize(
    "reply",
    [
        lambda data, peer: [],
        lambda data, peer: [data],
        lambda data, peer: [b"", b"\x80" + bytes(12), b"\xff" * 1200],
        lambda data, peer: [random.Random(len(data)).randbytes(200)] * 5,
        lambda data, peer: [b"\x80" + bytes(4) + data[5:23] + b"\x00\x00\x00\x01"],
    ],
    ids=["silent", "echo", "zeros", "noise", "ids as they were"],
)
def test_what_is_no_quic(reply: Reply) -> None:
    assert ask(reply) == Missed("quic", Reason.TIMEOUT, "no QUIC was answered at the UDP port")


def test_a_closed_port() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as holder:
        holder.bind((LOOPBACK, 0))
        port = holder.getsockname()[1]
    found = asyncio.run(quic.look(Net(), there(port, "https")))
    assert (found.answers, found.detail) == (R, Reason.CONNECTION_REFUSED)
    assert R not in found.versions.values()
    missed = asyncio.run(quic.probe(Net(), LOOPBACK, port))
    assert isinstance(missed, Missed)
    assert missed.reason is Reason.CONNECTION_REFUSED


def test_only_versions_and_then_silence() -> None:
    """A server that lists its versions and does not shake hands."""

    def listing(data: bytes, peer: Any) -> list[bytes]:
        if data[1:5] in (b"\x00\x00\x00\x01", b"\x6b\x33\x43\xcf"):
            return []
        back = data[14:23] + data[5:14]
        return [b"\xf0" + bytes(4) + back + b"\x00\x00\x00\x01\x0a\x1a\x2a\x3a"]

    found = ask(listing)
    assert isinstance(found, QuicObservation)
    assert found.versions == {"QUIC v1": A, "QUIC v2": U}  # what keeps in practice is no version
    assert set(found.suites.values()) == {U}
    assert found.detail == Reason.TIMEOUT


def test_answers_that_break_a_handshake(identity: Identity) -> None:
    """Nonsense among the real answers is passed over."""

    async def run() -> QuicObservation:
        made = configuration(identity.ec, versions=(V1,))
        async with serving(made) as (port, server):
            send = server._transport.sendto

            def noisy(data: bytes, addr: Any) -> None:
                send(random.Random(len(data)).randbytes(len(data)), addr)
                send(data[:40] + bytes(len(data) - 40), addr)
                send(data, addr)

            server._transport.sendto = noisy
            return await quic.look(Net(budget=20.0), there(port))

    found = asyncio.run(run())
    assert states(found) == (A, A, A)


# -- without aioquic ---------------------------------------------------------------------------


def test_without_aioquic_versions_are_seen_and_nothing_else(
    identity: Identity, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(quic, "find_spec", lambda name: None)
    found = look(configuration(identity.ec, versions=(V1,)))
    assert found.versions == {"QUIC v1": A, "QUIC v2": U}
    assert (found.answers, found.canary, found.suites) == (A, U, {})
    assert list(quic.without(found)) == [
        Missed("quic.handshakes", Reason.EXTRA, "pip install 'tlscheck[quic]'")
    ]


def test_handshakes_are_twenty_a_second_at_most(
    identity: Identity, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(quic, "GAP", 0.05)
    loop_times: list[float] = []
    ask = quic._Look._ask

    async def noted(self: Any, *args: Any) -> Any:
        made = await ask(self, *args)
        loop_times.append(asyncio.get_running_loop().time())
        return made

    monkeypatch.setattr(quic._Look, "_ask", noted)
    found = look(configuration(identity.ec, versions=(V1,)))
    assert loop_times[-1] - loop_times[0] > 0.05 * (found.handshakes - 2)
