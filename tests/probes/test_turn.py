"""Asking TURN servers that are open, closed, silent, slow or no TURN servers at all."""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
from collections.abc import Callable
from typing import Any

import pytest

from tests.datagram_servers import OpenSsl, Reply, Simulated, Tcp, Turn, by_messages, serving
from tests.identities import Identity
from tests.servers import LOOPBACK
from tlscheck.model import Missed, Reason, State
from tlscheck.net import Net
from tlscheck.observations.turn import Talk, Transport, TurnObservation
from tlscheck.probes import dtls, dtls_hello, turn
from tlscheck.wire.dtls import DtlsVersion
from tlscheck.wire.stun import Kind, Method

A, R, U = State.ACCEPTED, State.REFUSED, State.UNKNOWN
UDP, TCP, TLS, DTLS = Transport


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (turn, dtls_hello):
        monkeypatch.setattr(module, "FIRST", 0.3)
        monkeypatch.setattr(module, "SECOND", 0.3)
    monkeypatch.setattr(turn, "PATIENCE", 0.6)
    monkeypatch.setattr(turn, "SECONDS", 2.0)
    monkeypatch.setattr(dtls, "GAP", 0.0005)
    monkeypatch.setattr(dtls, "BACK_OFFS", (0.01,))


def probe(
    udp: Reply | None, tcp: Tcp | None = None, service: str = "turn", **options: Any
) -> TurnObservation | Missed:
    async def run() -> TurnObservation | Missed:
        async with serving(udp, tcp) as port:
            return await turn.probe(
                Net(), LOOPBACK, port, service, host="localhost", **({"hellos": False} | options)
            )

    return asyncio.run(run())


def seen(*args: Any, **options: Any) -> TurnObservation:
    found = probe(*args, **options)
    assert isinstance(found, TurnObservation), found
    return found


def over(found: TurnObservation, transport: Transport) -> Talk:
    talk = found.talk(transport)
    assert talk is not None
    return talk


def states(talk: Talk) -> list[State]:
    return [made.state for made in talk.allocations]


def test_a_server_that_wants_credentials() -> None:
    mind = Turn()
    found = seen(mind, by_messages(mind))
    for transport, kinds in ((UDP, [R]), (TCP, [R, R])):
        talk = over(found, transport)
        assert (talk.stun, talk.turn, states(talk)) == (A, A, kinds)
        assert {made.error for made in talk.allocations} == {401}
        assert (talk.software, talk.realm, talk.nonce_length) == ("Testing-1.2", "corp.example", 9)
    assert found.clear_text is A
    assert "nnnnnnnnn" not in repr(found)
    # What is no STUN ends the connection: so TLS is refused, twice, beside TCP that answers. The
    # same port by UDP says nothing to DTLS, which is nothing known.
    assert over(found, TLS).stun is R
    assert (over(found, DTLS).stun, over(found, DTLS).detail) == (U, "timeout")
    assert found.at.tzinfo is not None


def test_an_open_relay_is_given_back_and_never_used() -> None:
    mind = Turn(open=True)
    found = seen(mind, by_messages(mind))
    for transport, kinds in ((UDP, ["udp"]), (TCP, ["udp", "tcp"])):
        talk = over(found, transport)
        assert [made.relay for made in talk.allocations] == kinds
        for made in talk.allocations:
            assert (made.state, made.released) == (A, A)
            assert (made.address, made.lifetime) == ("10.1.2.3", 600)
    assert mind.granted == 3
    assert mind.held == set()
    hello_of_dtls = 0x16FE
    assert set(mind.asked) - {hello_of_dtls} == {Method.BINDING, Method.ALLOCATE, Method.REFRESH}


def test_a_relay_whose_grant_is_lost_is_given_back() -> None:
    """The answers to Allocate never arrive: an allocation may be there all the same."""
    mind = Turn(open=True)

    def deaf(data: bytes, peer: Any) -> list[bytes]:
        said = mind(data, peer)
        return [] if int.from_bytes(data[:2]) == Method.ALLOCATE else said

    found = seen(deaf)
    (made,) = over(found, UDP).allocations
    assert (made.state, made.detail) == (U, "timeout")
    assert mind.granted == 2  # asked twice, as for any lost packet
    assert mind.held == set()


def test_a_relay_that_cannot_be_given_back() -> None:
    found = seen(Turn(open=True, refresh=lambda: False))
    (made,) = over(found, UDP).allocations
    assert (made.state, made.released) == (A, U)


def test_a_lost_answer_is_asked_for_again() -> None:
    mind, lost = Turn(), set()

    def first_lost(data: bytes, peer: Any) -> list[bytes]:
        said = mind(data, peer)
        if data in lost:
            return said
        lost.add(data)
        return []

    talk = over(seen(first_lost), UDP)
    assert (talk.stun, states(talk)) == (A, [R])


def test_a_probe_that_is_stopped_gives_back_what_it_got() -> None:
    mind = Turn(open=True, refresh=lambda: False)

    async def run() -> None:
        async with serving(mind) as port:
            look = asyncio.create_task(turn.probe(Net(), LOOPBACK, port, "turn", hellos=False))
            while not mind.granted:
                await asyncio.sleep(0.01)
            look.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await look
            while mind.held:
                await asyncio.sleep(0.01)

    asyncio.run(asyncio.wait_for(run(), 20))
    assert mind.held == set()


def test_a_server_of_stun_alone_refuses_nothing() -> None:
    mind = Turn()

    def binding_only(data: bytes, peer: Any) -> list[bytes]:
        return mind(data, peer) if int.from_bytes(data[:2]) == Method.BINDING else []

    found = seen(binding_only, by_messages(binding_only))
    for transport in (UDP, TCP):
        talk = over(found, transport)
        assert (talk.stun, talk.turn) == (A, U)
        assert set(states(talk)) == {U}
    assert found.clear_text is U


def test_a_server_without_binding_is_found_by_its_refusal() -> None:
    mind = Turn()

    def no_stun(data: bytes, peer: Any) -> list[bytes]:
        return [] if int.from_bytes(data[:2]) == Method.BINDING else mind(data, peer)

    found = seen(no_stun, by_messages(no_stun))
    assert (states(over(found, UDP)), states(over(found, TCP))) == ([R], [R, R])


@pytest.mark.parametrize(
    "error", [b"\x04\x00", b"\x04\x03", b"\x04\x56", b"\x05\x08"], ids=bytes.hex
)
def test_other_errors_refuse_nothing(error: bytes) -> None:
    mind = Turn()

    def full(data: bytes, peer: Any) -> list[bytes]:
        return [said.replace(b"\x00\x00\x04\x01", b"\x00\x00" + error) for said in mind(data, peer)]

    (made,) = over(seen(full), UDP).allocations
    assert made.state is U
    assert made.error == error[0] * 100 + error[1]


def throttled(after: int) -> tuple[Reply, Turn]:
    mind, count = Turn(), iter(range(10**6))
    return (lambda data, peer: mind(data, peer) if next(count) < after else []), mind


@pytest.mark.parametrize("after", [1, 2, 3])
def test_a_throttle_makes_nothing_look_cleaner(after: int) -> None:
    reply, _ = throttled(after)
    found = seen(reply)
    assert found.clear_text is not R
    for talk in found.talks:
        assert talk.transport is not UDP or R not in states(talk)[after:]
        assert talk.stun is not R or talk.transport in (TCP, TLS)


def test_silence_is_nothing() -> None:
    found = probe(lambda data, peer: [])
    assert isinstance(found, Missed)
    assert found.reason is Reason.TIMEOUT


def test_a_closed_port() -> None:
    found = probe(None)
    assert isinstance(found, Missed)
    assert found.reason is Reason.CONNECTION_REFUSED


def noise(data: bytes, peer: Any) -> list[bytes]:
    chance = random.Random(data)
    other = Turn()(data[:4] + data[4:8] + os.urandom(12) + data[20:], peer)
    return [b"", data, chance.randbytes(40), data[:19], *other] * 3


@pytest.mark.parametrize("reply", [noise, lambda data, peer: [data]], ids=["noise", "echo"])
def test_what_does_not_answer_our_question(reply: Reply) -> None:
    assert isinstance(probe(reply), Missed)


def test_noise_around_answers() -> None:
    mind = Turn()
    talk = over(seen(lambda data, peer: noise(data, peer) + mind(data, peer)), UDP)
    assert (talk.stun, states(talk)) == (A, [R])


@pytest.mark.parametrize("after", [1, 2])
def test_a_limit_on_connections_makes_nothing_look_cleaner(after: int) -> None:
    """The first so many connections are served, all others closed."""
    talk, count = by_messages(Turn()), iter(range(10**6))

    async def limited(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if next(count) < after:
            await talk(reader, writer)

    found = seen(Turn(), limited)
    for transport in (TCP, TLS):
        assert over(found, transport).stun is not R
        if over(found, transport).stun is A:
            assert [made.relay for made in over(found, transport).allocations] == ["udp", "tcp"]
            assert U in states(over(found, transport))


async def drip(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """A good head, and then byte after byte without an end."""
    head = await reader.readexactly(20)
    writer.write(b"\x01\x01\x0f\x00" + head[4:])
    while True:
        writer.write(b"\x00")
        await writer.drain()
        await asyncio.sleep(0.02)


async def flood(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answers to what was not asked, as many as are taken."""
    while True:
        writer.write(b"\x01\x01\x00\x00\x21\x12\xa4\x42" + bytes(12))
        await writer.drain()


async def garbage(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"SSH-2.0-OpenSSH_9.2\r\n")
    await writer.drain()
    await reader.read()


@pytest.mark.parametrize("tcp", [drip, flood, garbage], ids=["drip", "flood", "garbage"])
def test_odd_streams_end(tcp: Callable[..., Any]) -> None:
    found = seen(Turn(), tcp)
    assert over(found, UDP).stun is A
    # No stream that works stands beside them: nothing is known of TCP.
    assert over(found, TCP).stun is U
    assert over(found, TCP).turn is U


def test_a_success_without_a_relay_is_no_relay() -> None:
    def yes(data: bytes, peer: Any) -> list[bytes]:
        kind = Kind.SUCCESS | int.from_bytes(data[:2])
        return [kind.to_bytes(2) + bytes(2) + data[4:20]]

    (made,) = over(seen(yes), UDP).allocations
    assert (made.state, made.detail) == (U, "malformed")


# -- DTLS --------------------------------------------------------------------------------------


def test_turn_within_dtls(identity: Identity) -> None:
    mind = Turn()
    server = OpenSsl(identity.rsa, "ECDHE-RSA-AES256-GCM-SHA384", reply=mind)
    found = seen(server, service="turns", hellos=True)
    talk = over(found, DTLS)
    assert (talk.stun, states(talk), talk.realm) == (A, [R], "corp.example")
    assert (over(found, UDP).stun, over(found, TCP).stun) == (U, R)
    assert found.clear_text is U  # silence at UDP: nothing known
    assert found.dtls is not None
    assert found.dtls.suites == {DtlsVersion.DTLS_1_2: ("TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384",)}


def test_an_open_relay_within_dtls(identity: Identity) -> None:
    mind = Turn(open=True)
    found = seen(OpenSsl(identity.rsa, reply=mind), service="turns")
    (made,) = over(found, DTLS).allocations
    assert (made.state, made.released) == (A, A)
    assert mind.held == set()


def test_clear_text_and_dtls_at_one_port(identity: Identity) -> None:
    mind = Turn()
    server = OpenSsl(identity.rsa, reply=mind)

    def both(data: bytes, peer: Any) -> list[bytes]:
        return (server if data[0] >= 20 else mind)(data, peer)

    found = seen(both, by_messages(mind), service="turns")
    assert found.clear_text is A
    assert (over(found, UDP).turn, over(found, DTLS).turn) == (A, A)


def test_dtls_that_no_handshake_succeeds_with() -> None:
    found = seen(Simulated({DtlsVersion.DTLS_1_0: ["TLS_RSA_WITH_AES_128_CBC_SHA"]}), hellos=True)
    assert over(found, DTLS).stun is U
    assert found.dtls is not None
    assert found.dtls.versions[DtlsVersion.DTLS_1_0] is A


def test_a_closed_udp_port_beside_tcp_that_answers() -> None:
    found = seen(None, by_messages(Turn()), hellos=True)
    assert (over(found, UDP).stun, over(found, DTLS).stun) == (R, R)
    assert found.dtls is not None
    assert found.dtls.answers is R
    assert set(found.dtls.versions.values()) == {R}
