"""What is wrong with a TURN server: one thing changed in one that is as it should be."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import pytest

from tests.make import blank_turn, turn_observation
from tlscheck import profile
from tlscheck.model import Evidence, Note, Open, Problem, State
from tlscheck.observations.turn import (
    Allocation,
    Dtls,
    Talk,
    Transport,
    TurnObservation,
    allocation_state,
    either,
)
from tlscheck.rules import RULES
from tlscheck.rules.core import NotApplicable
from tlscheck.wire.dtls import DtlsVersion

SETTINGS = profile.load("baseline").settings
A, R, U = State.ACCEPTED, State.REFUSED, State.UNKNOWN
UDP, TCP, TLS, DTLS = Transport
OLD, PLAIN, NEW = DtlsVersion
WANTED = Allocation("udp", R, 401)
OPEN = Allocation("udp", A, None, "45.76.20.21", 600, A)


def said(rule: str, seen: TurnObservation) -> list[Evidence]:
    setting = SETTINGS[f"turn.{rule}"]
    try:
        return list(setting.rule(seen, *([setting.want] if setting.want else [])))
    except NotApplicable as aside:
        return [aside.evidence]


def deciding(evidence: Iterable[Evidence]) -> list[str]:
    return [e.code + "?" * isinstance(e, Open) for e in evidence if isinstance(e, (Problem, Open))]


def judged(seen: TurnObservation) -> dict[str, list[str]]:
    ids = [id.partition(".")[2] for id in RULES if id.startswith("turn.")]
    return {id: codes for id in ids if (codes := deciding(said(id, seen)))}


def talks(*changed: Talk) -> tuple[Talk, ...]:
    """The good conversations, some of them changed."""
    new = {talk.transport: talk for talk in changed}
    return tuple(new.get(talk.transport, talk) for talk in turn_observation().talks)


def test_a_good_one() -> None:
    assert judged(turn_observation()) == {}
    codes = {e.code for e in said("clear-text", turn_observation())}
    assert codes == {"media"}  # said wherever the paths are judged, and deciding nothing


def test_nothing_known_passes_nothing() -> None:
    assert set(judged(blank_turn())) == {
        id.partition(".")[2] for id in RULES if id.startswith("turn.")
    }


@pytest.mark.parametrize("error", [437, 486, 508])
def test_only_the_demand_for_credentials_tells_the_realm(error: int) -> None:
    full = Talk(TLS, A, (Allocation("udp", U, error),))
    assert judged(turn_observation(talks=(full,)))["realm"] == ["untold?"]
    assert "realm" not in judged(turn_observation(talks=(Talk(TLS, A, (WANTED,)),)))


DTLS_SILENT = Talk(DTLS, detail="timeout")
CLEAR = Talk(UDP, A, (WANTED,), realm="example.jp")
CHANGES: list[tuple[dict[str, Any], dict[str, list[str]]]] = [
    ({"talks": talks(Talk(TLS, A, (OPEN,)))}, {"open-relay": ["open"]}),
    ({"talks": talks(Talk(UDP, A, (replace(OPEN, released=U),)))},
     {"open-relay": ["open"], "clear-text": ["accepted"]}),
    ({"talks": talks(Talk(TLS, A, (Allocation("udp", U, 486),)))}, {"open-relay": ["error?"]}),
    ({"talks": talks(Talk(TLS, A, (WANTED, Allocation("tcp", U, detail="timeout"))))},
     {"open-relay": ["unanswered?"]}),
    # Silence beside one at the same port that wants credentials is told and no more.
    ({"talks": talks(CLEAR, DTLS_SILENT)}, {"clear-text": ["accepted"]}),
    ({"talks": talks(Talk(UDP, detail="timeout"))}, {"clear-text": ["unsettled?"]}),
    ({"talks": talks(Talk(UDP, detail="timeout"), DTLS_SILENT)},
     {"open-relay": ["silent?", "silent?"], "clear-text": ["unsettled?"]}),
    ({"talks": talks(Talk(TCP, detail="timeout"))}, {"clear-text": ["unsettled?"]}),
    # A server of STUN alone is silent where relays are asked for: that refuses nothing.
    ({"talks": talks(Talk(UDP, A, (Allocation("udp", detail="timeout"),)))},
     {"open-relay": ["unanswered?"], "clear-text": ["unsettled?"]}),
    ({"talks": talks(CLEAR)}, {"clear-text": ["accepted"]}),
    ({"talks": talks(CLEAR), "service": "turn"}, {"clear-text": ["declared?"]}),
    ({"talks": talks(Talk(TLS, A, (replace(OPEN, address="10.1.2.3"),)))},
     {"open-relay": ["open"], "private-addresses": ["relay"]}),
    ({"talks": talks(Talk(TLS, A, (WANTED,), addresses=("45.76.20.20", "fd00::1")))},
     {"private-addresses": ["own"]}),
    ({"talks": talks(Talk(TLS, A, (WANTED,), addresses=("10.0.0.1",))), "address": "10.0.0.1"}, {}),
    ({"talks": talks(Talk(TLS, A, (WANTED,), software="Coturn-4.6.1 'Gorst'"))},
     {"software": ["version"]}),
    ({"talks": talks(Talk(TLS, A, (WANTED,), software="None of your business"))}, {}),
    ({"talks": talks(Talk(TLS, A, (WANTED,), realm="turn.Clinic.LOCAL."))}, {"realm": ["inside"]}),
    ({"talks": talks(Talk(TLS, A, (WANTED,), realm="192.168.1.4"))}, {"realm": ["inside"]}),
    ({"talks": talks(Talk(TLS, A, (WANTED,), realm="notlocal"))}, {}),
    ({"versions": {OLD: A, PLAIN: A, NEW: R}}, {"dtls-versions": ["accepted"]}),
    ({"versions": {OLD: U, PLAIN: A, NEW: R}}, {
        "dtls-versions": ["unsettled?"], "dtls-suites": ["version?"],
        "dtls-forward-secrecy": ["version?"],
    }),
    ({"suites": {PLAIN: ("TLS_RSA_WITH_AES_128_CBC_SHA",)}},
     {"dtls-forward-secrecy": ["accepted"]}),
    ({"suites": {PLAIN: ("TLS_DH_anon_WITH_AES_128_CBC_SHA",)}},
     {"dtls-suites": ["accepted"]}),
    ({"suites": {PLAIN: ("TLS_ECDHE_RSA_WITH_RC4_128_SHA",)}}, {"dtls-suites": ["accepted"]}),
    ({"unknown": {PLAIN: ("TLS_RSA_WITH_NULL_SHA",)}},
     {"dtls-suites": ["unsettled?"], "dtls-forward-secrecy": ["unsettled?"]}),
    ({"cookie": R, "asked_bytes": 300, "answered_bytes": 3000}, {"dtls-cookie": ["none"]}),
    ({"cookie": U}, {"dtls-cookie": ["unsettled?"]}),
]  # fmt: skip


@pytest.mark.parametrize(("changes", "expected"), CHANGES)
def test_one_thing_changed(changes: dict[str, Any], expected: dict[str, list[str]]) -> None:
    assert judged(turn_observation(**changes)) == expected


DTLS_RULES = ("dtls-versions", "dtls-suites", "dtls-forward-secrecy", "dtls-cookie")


@pytest.mark.parametrize("rule", DTLS_RULES)
def test_dtls_that_did_not_answer(rule: str) -> None:
    def codes(**changes: Any) -> list[tuple[str, str]]:
        return [(e.code, e.cause) for e in said(rule, turn_observation(**changes))]

    assert codes(dtls=None) == [("not-asked", "not_asked")]
    assert codes(dtls=Dtls(detail="timeout")) == [("silent", "timeout")]
    assert codes(dtls=Dtls(detail="timeout"), service="turn") == [("unpromised", "to_declare")]
    assert codes(dtls=Dtls(R)) == [("closed", "")]
    assert isinstance(said(rule, turn_observation(dtls=Dtls(R)))[0], Note)


def test_dtls_alone_is_no_turn_server() -> None:
    seen = turn_observation(talks=(), service="dtls")
    for rule in ("open-relay", "clear-text", "private-addresses", "software", "realm"):
        assert [e.code for e in said(rule, seen)] == ["dtls-alone"]
    assert judged(seen) == {}


def test_what_a_relay_s_refusal_is() -> None:
    assert allocation_state(401) is allocation_state(442) is R
    for error in (None, 300, 400, 403, 437, 486, 500, 508):
        assert allocation_state(error) is U
    assert either([]) is U
    assert either([R, U]) is U
    assert either([R, R]) is R
    assert either([R, U, A]) is A


def test_a_suite_that_was_not_asked_is_not_refused() -> None:
    good = turn_observation().dtls
    assert good is not None
    assert good.suite(PLAIN, "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384") is A
    assert good.suite(PLAIN, "TLS_RSA_WITH_NULL_SHA") is R
    assert good.suite(OLD, "TLS_RSA_WITH_NULL_SHA") is R
    assert replace(good, unknown={}).suite(PLAIN, "TLS_RSA_WITH_NULL_SHA") is U
    assert Dtls().suite(PLAIN, "TLS_RSA_WITH_NULL_SHA") is U
