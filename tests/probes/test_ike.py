"""Gateways that answer well, badly or not at all: what is concluded, and what is left behind."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest

from tests import gateway, make
from tests.gateway import CBC, GCM, WEAK, Gateway, Manners, Suite
from tlscheck import judge as judging
from tlscheck.model import Missed, Reason, State
from tlscheck.net import Net
from tlscheck.observations.ike import (
    ASKED,
    TIERS,
    Dimension,
    Ending,
    IkeObservation,
    IkeVersion,
    Mode,
)
from tlscheck.probes import ike
from tlscheck.probes.ike import ask
from tlscheck.report import encode
from tlscheck.wire.ike import Kind, Transform, transform

A, R, U = State.ACCEPTED, State.REFUSED, State.UNKNOWN


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ask, "GAP", 0.0)
    monkeypatch.setattr(ask, "TRIES", (0.25, 0.25, 0.25))


def look(*manners: Manners, **options: Any) -> tuple[IkeObservation | Missed, list[Gateway]]:
    async def run() -> tuple[IkeObservation | Missed, list[Gateway]]:
        async with gateway.serving(*manners) as (gateways, ports):
            found = await ike.probe(Net(), "127.0.0.1", ports=ports, **options)
            return found, gateways

    seen, gateways = asyncio.run(asyncio.wait_for(run(), 60))
    for each in gateways:
        assert each.errors == []
        assert not each.half_open
        assert each.most_half_open <= 3
    if isinstance(seen, IkeObservation):
        assert seen.packets <= ike.MOST_PACKETS
        assert sum(len(each.received) for each in gateways) == seen.packets + seen.retransmissions
    return seen, gateways


def observed(*manners: Manners, **options: Any) -> IkeObservation:
    seen, _ = look(*manners, **options)
    assert isinstance(seen, IkeObservation)
    return seen


def having(seen: IkeObservation, state: State) -> dict[str, set[str]]:
    return {d.value: {n for n, s in seen.states(d).items() if s is state} for d in Dimension}


NOTHING: dict[str, set[str]] = {d.value: set() for d in Dimension}


def test_what_is_set_up_is_found_and_nothing_else() -> None:
    seen = observed(Manners([GCM, CBC]), Manners([GCM, CBC]))
    assert having(seen, A) == {
        "groups": {"384-bit random ECP group", "2048-bit MODP Group"},
        "encryption": {"ENCR_AES_GCM_16-256", "ENCR_AES_CBC-256"},
        "integrity": {"AUTH_HMAC_SHA2_256_128"},
        "prf": {"PRF_HMAC_SHA2_384", "PRF_HMAC_SHA2_256"},
    }
    assert having(seen, U) == NOTHING
    assert seen.versions == {IkeVersion.V1: U, IkeVersion.V2: A}
    assert seen.preferred_group == "384-bit random ECP group"
    assert not seen.throttled
    assert not seen.cookies
    assert [port.answered for port in seen.ports] == [True, True]


SUITES = {
    "one": [GCM],
    "no AEAD": [CBC],
    "weak": [WEAK],
    "weak among others": [GCM, CBC, WEAK],
    "two weak": [Suite([(2, 0), (3, 0)], [1, 2], [1, 2, 5], [1, 2])],
    "lenient": [
        Suite([(20, 128), (20, 256), (28, 0)], [5, 6, 7], [31, 19, 20, 14]),
        Suite([(12, 128), (12, 256)], [5, 6, 7], [31, 19, 20, 14], [12, 13, 14]),
    ],
    "rare": [Suite([(23, 256), (16, 256), (13, 128)], [4, 8], [30, 18], [5, 8])],
    "subgroups": [Suite([(12, 128)], [2], [24, 23, 22], [2])],
}


@pytest.mark.parametrize("suites", SUITES.values(), ids=SUITES)
def test_nothing_is_said_that_is_not_true(suites: Sequence[Suite]) -> None:
    seen = observed(Manners(suites))
    truth = {d: _truth(suites, d) for d in Dimension}
    for dimension in Dimension:
        for name, state in seen.states(dimension).items():
            assert state is U or (state is A) == (name in truth[dimension]), name
        # What decides rules is settled, whatever else is not.
        weak = {name for items in TIERS[dimension][0] for name in items}
        assert not weak & having(seen, U)[dimension.value]


def _truth(suites: Sequence[Suite], dimension: Dimension) -> set[str]:
    columns = {
        Dimension.GROUPS: lambda s: [Transform(Kind.GROUP, g) for g in s.groups],
        Dimension.ENCRYPTION: lambda s: [Transform(Kind.ENCRYPTION, *c) for c in s.encryption],
        Dimension.INTEGRITY: lambda s: [Transform(Kind.INTEGRITY, i) for i in s.integrity],
        Dimension.PRF: lambda s: [Transform(Kind.PRF, p) for p in s.prf],
    }
    return {t.name for suite in suites for t in columns[dimension](suite)}


def test_a_gateway_for_others_refuses_nothing_in_our_eyes() -> None:
    """Whoever knows no connection for us says no to everything; what others get is not known."""
    seen = observed(Manners())
    assert seen.versions == {IkeVersion.V1: U, IkeVersion.V2: U}
    assert having(seen, R) == having(seen, A) == NOTHING
    assert seen.answered


def test_lost_packets_are_sent_again() -> None:
    seen = observed(Manners([GCM], lost=frozenset({1, 4, 13, 14})))
    assert seen.retransmissions == 4
    assert having(seen, U) == NOTHING
    assert not seen.throttled


def test_who_falls_silent_has_refused_nothing_since(monkeypatch: pytest.MonkeyPatch) -> None:
    """The weak are refused first; with silence before the next grant, none of that counts."""
    monkeypatch.setattr(ask, "TRIES", (0.08, 0.08))
    whole, _ = look(Manners([GCM]))
    assert isinstance(whole, IkeObservation)
    first = next(
        i
        for i, o in enumerate(whole.openings)
        if i and o.mode is Mode.INIT and o.ending is Ending.GRANTED
    )
    for limit in range(1, first):
        seen = observed(Manners([GCM], limit=limit))
        assert having(seen, R) == NOTHING, limit
        assert seen.throttled
    later = observed(Manners([GCM], limit=first + 2))
    assert later.throttled
    assert "ENCR_DES" in having(later, R)["encryption"]


def test_who_begins_to_refuse_everything_has_refused_nothing_since() -> None:
    seen = observed(Manners([GCM, WEAK], refuse_after=1))
    assert seen.versions[IkeVersion.V2] is A
    assert having(seen, R) == NOTHING
    assert having(seen, A)["groups"] == {"384-bit random ECP group"}


def test_a_cookie_is_given_back() -> None:
    seen = observed(Manners([GCM], cookies="kept"))
    assert seen.cookies
    assert not seen.throttled
    assert having(seen, U) == NOTHING
    assert seen.packets == observed(Manners([GCM])).packets + 1


def test_a_second_cookie_is_a_throttle() -> None:
    seen = observed(Manners([GCM], cookies="always"))
    assert seen.throttled
    assert having(seen, R) == having(seen, A) == NOTHING
    assert seen.versions[IkeVersion.V2] is U


@pytest.mark.parametrize("strict", ["silent", "syntax"])
def test_who_wants_the_key_among_the_groups_gets_it_so(strict: str) -> None:
    seen = observed(Manners([GCM], strict=strict))
    assert seen.versions[IkeVersion.V2] is A
    assert having(seen, A)["encryption"] == {"ENCR_AES_GCM_16-256"}
    assert having(seen, U) == NOTHING


def test_a_group_that_was_not_offered_is_no_grant() -> None:
    seen = observed(Manners([CBC, WEAK], prefers_foreign=True))
    assert "1024-bit MODP Group" not in having(seen, R)["groups"]


def test_silence_everywhere_is_missed() -> None:
    seen, gateways = look(Manners(ikev1="silent", ikev2="silent"))
    assert isinstance(seen, Missed)
    assert (seen.kind, seen.reason) == ("ike", Reason.TIMEOUT)
    assert "declared" in seen.detail
    assert len(gateways[0].received) <= ike.MOST_PACKETS


def test_our_own_packets_sent_back_are_silence() -> None:
    seen, _ = look(Manners(echo=True))
    assert isinstance(seen, Missed)


def test_a_closed_port_is_told_from_silence() -> None:
    async def run() -> Any:
        async with gateway.serving(Manners()) as (_, ports):
            pass
        return await ike.probe(Net(), "127.0.0.1", ports=ports)

    seen = asyncio.run(run())
    assert isinstance(seen, IkeObservation)
    (port,) = seen.ports
    assert port.closed
    assert port.senders == ("127.0.0.1",)
    assert not seen.answered
    assert set(seen.versions.values()) == {U}


def test_noise_is_passed_over() -> None:
    noise = [
        b"",
        b"\0",
        b"\xff" * 40,
        bytes(28),
        bytes(4) + bytes(16) + b"\x21\x20\x22\x20" + bytes(8),
    ]
    seen = observed(Manners([GCM], noise=noise), Manners([GCM], noise=noise))
    assert having(seen, U) == NOTHING


# ---- IKEv1 -----------------------------------------------------------------------------------


def test_ikev1_alone() -> None:
    seen = observed(Manners(phase1=[(5, 2, 2), (7, 4, 14)], ikev2="silent"))
    assert seen.versions == {IkeVersion.V1: A, IkeVersion.V2: U}
    assert [(p.encryption, p.hash, p.group) for p in seen.phase1] == [
        ("3DES-CBC", "SHA", "1024-bit MODP Group"),
        ("AES-CBC-256", "SHA2-256", "2048-bit MODP Group"),
    ]
    assert [v.name for v in seen.vendors] == ["Dead Peer Detection (RFC 3706)"]
    assert not seen.aggressive_asked


@pytest.mark.parametrize(
    ("ikev1", "state", "engine"),
    [("notify", U, True), ("silent", U, False), ("unsupported", R, True)],
)
def test_only_a_no_to_the_version_is_a_no(ikev1: str, state: State, engine: bool) -> None:
    seen = observed(Manners([GCM], ikev1=ikev1))
    assert seen.versions[IkeVersion.V1] is state
    assert seen.engine(IkeVersion.V1) is engine
    assert having(seen, U) == NOTHING
    assert not seen.throttled


@pytest.mark.parametrize(
    ("manner", "state"),
    [("answers", A), ("identity", A), ("refused", U), ("silent", U), ("unsupported", R)],
)
def test_aggressive_mode(manner: str, state: State) -> None:
    seen = observed(Manners([GCM], aggressive=manner), aggressive=True)
    assert seen.aggressive is state
    assert seen.aggressive_asked
    assert having(seen, U) == NOTHING


def test_aggressive_mode_is_asked_only_when_that_is_wanted() -> None:
    seen, gateways = look(Manners([GCM], aggressive="answers"))
    assert isinstance(seen, IkeObservation)
    assert not seen.aggressive_asked
    assert seen.aggressive is U
    assert 4 not in {packet[18] for packet in gateways[0].received}


def test_what_could_serve_to_guess_the_key_is_kept_nowhere(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with caplog.at_level(0):
        seen = observed(Manners([GCM], aggressive="answers"), aggressive=True)
    scan = encode(judging.judge(make.scan(make.gateway_look(seen)), names=()))
    written = scan + repr(seen).encode() + caplog.text.encode()
    for secret in (gateway.SECRET_KEY, gateway.SECRET_NONCE, gateway.SECRET_HASH):
        assert secret not in written
        assert secret[:8].hex().encode() not in written
        assert repr(secret[:8])[2:-1].encode() not in written


# ---- manners ---------------------------------------------------------------------------------


def test_packets_are_ten_a_second_at_most() -> None:
    waits: list[float] = []
    clock = [0.0]

    async def sleep(seconds: float) -> None:
        waits.append(seconds)
        clock[0] += seconds

    async def run() -> None:
        pace = ask.Pace(30)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(ask, "GAP", 0.1)
            patch.setattr(asyncio.get_running_loop(), "time", lambda: clock[0])
            patch.setattr(asyncio, "sleep", sleep)
            for _ in range(5):
                await pace.turn()

    asyncio.run(run())
    assert waits == pytest.approx([0.1] * 4)


def test_every_name_that_is_asked_about_has_a_number() -> None:
    kinds = {
        Dimension.GROUPS: Kind.GROUP,
        Dimension.ENCRYPTION: Kind.ENCRYPTION,
        Dimension.INTEGRITY: Kind.INTEGRITY,
        Dimension.PRF: Kind.PRF,
    }
    for dimension, names in ASKED.items():
        assert [transform(kinds[dimension], name).name for name in names] == list(names)
