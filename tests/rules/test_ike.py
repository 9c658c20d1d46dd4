"""What is wrong with an IPsec gateway: one thing changed in one that is as it should be."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import pytest

from tests.make import PHASE1, blank_ike, ike_observation
from tests.make_chain import AT
from tlscheck import profile
from tlscheck.model import Evidence, Grade, Note, Open, Problem, State
from tlscheck.observations.ike import (
    ASKED,
    Dimension,
    Ending,
    IkeObservation,
    IkeVersion,
    Mode,
    Opening,
    fold,
)
from tlscheck.rules import RULES
from tlscheck.rules.core import NotApplicable

A, R, U = State.ACCEPTED, State.REFUSED, State.UNKNOWN
D = Dimension
SETTINGS = profile.load("baseline").settings
IDS = [id.partition(".")[2] for id in RULES if id.startswith("ike.")]


def said(rule: str, seen: IkeObservation) -> list[Evidence]:
    setting = SETTINGS[f"ike.{rule}"]
    try:
        return list(setting.rule(seen, *([setting.want] if setting.want else [])))
    except NotApplicable as aside:
        return [aside.evidence]


def deciding(evidence: Iterable[Evidence]) -> list[str]:
    return [e.code + "?" * isinstance(e, Open) for e in evidence if isinstance(e, (Problem, Open))]


def judged(seen: IkeObservation) -> dict[str, list[str]]:
    return {id: codes for id in IDS if (codes := deciding(said(id, seen)))}


def test_a_good_one() -> None:
    assert judged(ike_observation()) == {}


def having(dimension: Dimension, *names: str) -> dict[str, Any]:
    return {"accepted": {dimension: names}}


def without(dimension: Dimension, *names: str) -> dict[str, Any]:
    """What is accepted in a good one, with *names* not settled."""
    states = dict(ike_observation().states(dimension))
    return {dimension.value: states | dict.fromkeys(names, U)}


V1 = {"versions": {IkeVersion.V1: A, IkeVersion.V2: A}}
SOUND = replace(PHASE1, encryption="AES-CBC-256", hash="SHA2-256", group="256-bit random ECP group")
NOTHING: dict[str, Any] = {d.value: dict.fromkeys(ASKED[d], U) for d in Dimension}
MAIN_NO = Opening(AT, 500, Mode.MAIN, Ending.REFUSED)
CHANGES: list[tuple[dict[str, Any], dict[str, list[str]]]] = [
    *[(having(D.GROUPS, name), {"groups": ["accepted"]}) for name in ASKED[D.GROUPS][:7]],
    *[(having(D.ENCRYPTION, name), {"encryption": ["accepted"]})
      for name in ("ENCR_DES", "ENCR_3DES")],
    *[(having(D.INTEGRITY, name), {"integrity": ["accepted"]})
      for name in ("AUTH_HMAC_MD5_96", "AUTH_HMAC_SHA1_96")],
    *[(having(D.PRF, name), {"integrity": ["accepted"]})
      for name in ("PRF_HMAC_MD5", "PRF_HMAC_SHA1")],
    (having(D.ENCRYPTION, "ENCR_AES_CBC-128", "ENCR_CHACHA20_POLY1305"), {}),
    (having(D.GROUPS, "Curve25519", "2048-bit MODP Group"), {}),
    (without(D.GROUPS, "1024-bit MODP Group"), {"groups": ["unsettled?"]}),
    (without(D.GROUPS, "4096-bit MODP Group"), {}),
    (without(D.ENCRYPTION, "ENCR_DES"), {"encryption": ["unsettled?"]}),
    (without(D.PRF, "PRF_HMAC_MD5"), {"integrity": ["unsettled?"]}),
    (without(D.PRF, "PRF_HMAC_MD5") | {"throttled": True}, {"integrity": ["throttled?"]}),
    ({"throttled": True}, {}),
    ({"groups": dict.fromkeys(ASKED[D.GROUPS], R)}, {"strong-group": ["none"]}),
    (without(D.GROUPS, *ASKED[D.GROUPS]),
     {"groups": ["unsettled?"], "strong-group": ["unsettled?"]}),
    ({"groups": {}}, {"groups": ["unsettled?"], "strong-group": ["unsettled?"]}),
    (V1 | {"phase1": (PHASE1,)}, {
        "versions": ["accepted"], "groups": ["accepted", "ikev1?"],
        "encryption": ["accepted", "ikev1?"], "integrity": ["accepted", "ikev1?"],
    }),
    (V1 | {"phase1": (SOUND,)}, {
        "versions": ["accepted"], "groups": ["ikev1?"], "encryption": ["ikev1?"],
        "integrity": ["ikev1?"],
    }),
    (V1 | {"phase1": ()}, {
        "versions": ["accepted"], "groups": ["ikev1?"], "encryption": ["ikev1?"],
        "integrity": ["ikev1?"],
    }),
    ({"versions": {IkeVersion.V1: U, IkeVersion.V2: A}}, {"versions": ["engine?"]}),
    ({"versions": {IkeVersion.V1: U, IkeVersion.V2: A}, "aggressive": A},
     {"versions": ["engine?"], "aggressive-mode": ["accepted"]}),
    ({"versions": {IkeVersion.V1: U, IkeVersion.V2: A}, "aggressive": U},
     {"versions": ["engine?"], "aggressive-mode": ["unsettled?"]}),
    ({"versions": {IkeVersion.V1: U, IkeVersion.V2: A}, "aggressive": U, "aggressive_asked": False},
     {"versions": ["engine?"], "aggressive-mode": ["not-asked?"]}),
    ({"versions": {IkeVersion.V1: U, IkeVersion.V2: A}, "openings": ()}, {"versions": ["silent?"]}),
    # A gateway that grants nothing to us may grant anything to others.
    (NOTHING | {"versions": {IkeVersion.V1: U, IkeVersion.V2: R}}, {
        "versions": ["engine?"], "groups": ["nothing-granted?"],
        "encryption": ["nothing-granted?"], "integrity": ["nothing-granted?"],
        "strong-group": ["unsettled?"],
    }),
    (NOTHING | {"versions": {IkeVersion.V1: R, IkeVersion.V2: R}}, {
        "versions": ["nothing-granted?"], "groups": ["nothing-granted?"],
        "encryption": ["nothing-granted?"], "integrity": ["nothing-granted?"],
        "strong-group": ["unsettled?"], "aggressive-mode": ["nothing-granted?"],
    }),
]  # fmt: skip


@pytest.mark.parametrize(("changes", "expected"), CHANGES)
def test_one_thing_changed(changes: dict[str, Any], expected: dict[str, list[str]]) -> None:
    assert judged(ike_observation(**changes)) == expected


def test_ikev1_alone_passes_nothing_but_its_strong_group() -> None:
    main = Opening(AT, 500, Mode.MAIN, Ending.GRANTED, chosen=SOUND)
    init = Opening(AT, 500, Mode.INIT, Ending.REFUSED)
    seen = fold("192.0.2.1", AT, [init, main])
    assert judged(seen) == {
        "versions": ["accepted"],
        "groups": ["unsettled?", "ikev1?"],
        "encryption": ["unsettled?", "ikev1?"],
        "integrity": ["unsettled?", "ikev1?"],
        "aggressive-mode": ["not-asked?"],
    }


def test_what_told_nothing_passes_nothing() -> None:
    assert set(judged(blank_ike())) == set(IDS)


@pytest.mark.parametrize(
    ("endings", "code"),
    [
        ((Ending.CLOSED, Ending.CLOSED), "closed?"),
        ((Ending.CLOSED, Ending.SILENT), "unseen?"),
        ((Ending.REJECTED, Ending.REJECTED), "unseen?"),
    ],
)
def test_where_no_ike_was_seen_everything_is_open(endings: tuple[Ending, ...], code: str) -> None:
    ports = zip((500, 4500), endings, strict=True)
    openings = [Opening(AT, port, Mode.INIT, ending) for port, ending in ports]
    seen = fold("192.0.2.1", AT, openings)
    assert judged(seen) == {id: [code] for id in IDS}


@pytest.mark.parametrize("rule", ["groups", "strong-group", "encryption", "integrity"])
def test_it_is_said_that_the_measure_is_ours(rule: str) -> None:
    notes = [e.code for e in said(rule, ike_observation()) if isinstance(e, Note)]
    assert "ours" in notes
    assert SETTINGS[f"ike.{rule}"].basis.grade is Grade.INFERRED
