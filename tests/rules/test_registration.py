"""What is wrong with a registration: one thing changed in one that is as it should be."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import Any

import pytest

from tests.make import blank_registration, registration_observation
from tlscheck import profile
from tlscheck.model import Evidence, Note, Open, Problem, State
from tlscheck.observations.registration import (
    Declared,
    Event,
    Layout,
    Record,
    RegistrationObservation,
    Shown,
)
from tlscheck.rules import RULES
from tlscheck.rules.core import NotApplicable

SETTINGS = profile.load("baseline").settings
GOOD = registration_observation()
AT, TODAY = GOOD.at, GOOD.at.date()
JP: dict[str, Any] = {
    "layout": Layout.GENERAL_USE,
    "statuses": ("Active",),
    "locks": ("AgentChangeLocked", "DomainTransferLocked"),
    "registrar": "",
    "expires": TODAY + timedelta(days=3),
    "declared": None,
}


def days(number: int) -> date:
    return TODAY + timedelta(days=number)


def moment(number: int) -> datetime:
    return AT + timedelta(days=number)


def said(rule: str, seen: RegistrationObservation) -> list[Evidence]:
    setting = SETTINGS[f"registration.{rule}"]
    try:
        return list(setting.rule(seen, *([setting.want] if setting.want else [])))
    except NotApplicable as aside:
        return [aside.evidence]


def deciding(evidence: Iterable[Evidence]) -> list[str]:
    return [e.code + "?" * isinstance(e, Open) for e in evidence if isinstance(e, (Problem, Open))]


def judged(seen: RegistrationObservation) -> dict[str, list[str]]:
    ids = [id.partition(".")[2] for id in RULES if id.startswith("registration.")]
    return {id: codes for id in ids if (codes := deciding(said(id, seen)))}


def test_a_good_one() -> None:
    assert judged(GOOD) == {}


def test_a_good_one_under_jp_near_its_end() -> None:
    assert judged(registration_observation(**JP)) == {}


CHANGES: list[tuple[dict[str, Any], dict[str, list[str]]]] = [
    ({"statuses": ("redemption period",)}, {
        "deletion": ["deletion"], "transfer-lock": ["no-transfer-lock"],
        "change-locks": ["no-delete-lock", "no-update-lock"],
    }),
    (JP | {"statuses": ("To be suspended",)}, {"deletion": ["deletion"]}),
    (JP | {"statuses": ("Suspended",)}, {"deletion": ["deletion"]}),
    (JP | {"layout": Layout.ATTRIBUTE_TYPE, "statuses": ("Deleted",)}, {"deletion": ["deletion"]}),
    (JP | {"layout": Layout.ATTRIBUTE_TYPE, "statuses": ("Registered",)},
     {"in-service": ["status"]}),
    (JP | {"statuses": ("to be suspended",)}, {"deletion": ["deletion"]}),
    (JP | {"statuses": ("Active", "To be deleted")}, {"deletion": ["deletion"]}),
    (JP | {"statuses": ("Active (Transferring)",)}, {
        rule: ["status-not-known?"] for rule in ("deletion", "in-service", "transfer")
    }),
    ({"statuses": (*GOOD.record.statuses, "zapped by court")}, {
        rule: ["status-not-known?"] for rule in ("deletion", "in-service", "transfer")
    }),
    ({"statuses": (*GOOD.record.statuses, "obscured")}, {"in-service": ["status-open?"]}),
    (JP | {"locks": ("None",)},
     {"transfer-lock": ["lock-not-known?"],
      "change-locks": ["lock-not-known?", "lock-not-known?"]}),
    (JP | {"locks": ("AgentChangeLocked", "DomainTransferLocked", "RegistryLocked")},
     {"change-locks": ["lock-not-known?", "lock-not-known?"]}),
    (JP | {"locks": ()}, {"transfer-lock": ["no-transfer-lock"]}),
    (JP | {"locks": ("AgentChangeLocked",)}, {"transfer-lock": ["no-transfer-lock"]}),
    (JP | {"expires": days(-2)}, {}),
    (JP | {"expires": days(-9)}, {"expiry": ["expired"]}),
    (JP | {"expires": None}, {"expiry": ["no-expiry?"]}),
    ({"expires": days(13)}, {"expiry": ["expiry"]}),
    ({"expires": days(14)}, {}),
    ({"expires": days(-1)}, {"expiry": ["expired"]}),
    ({"events": (Event("transfer", moment(-89)),)}, {"transfer": ["event"]}),
    ({"events": (Event("transfer", moment(-91)),)}, {}),
    ({"declared": Declared(), "before": None}, {}),
    ({"declared": None, "before": replace(GOOD.record, holder=())},
     {"unchanged": ["holder-hidden?"]}),
    ({"declared": None, "before": GOOD.record, "name_servers": ()},
     {"unchanged": ["name-servers-hidden?"]}),
    ({"name_servers": ()}, {"unchanged": ["name-servers-hidden?"]}),
    ({"updated": moment(-89)}, {"transfer": ["updated?"]}),
    ({"updated": moment(-1), "events": (Event("transfer", moment(-91)),)}, {}),
    ({"events": (Event("reregistration", moment(-900)),)}, {"age": ["anew"]}),
    ({"created": days(-30), "certificates": ()}, {"age": ["young"]}),
    ({"created": days(-30), "certificates": (), "declared": Declared(in_use_since=days(-20))}, {}),
    ({"created": days(-30), "certificates": (), "declared": Declared(in_use_since=days(-40))},
     {"age": ["later-than-use"]}),
    ({"created": days(-5)}, {"age": ["young"], "certificate-age": ["older"]}),
    ({"created": None}, {"age": ["no-creation?"], "certificate-age": ["no-creation?"]}),
    ({"created": None, "unstated": ("created",)}, {}),
    ({"declared": Declared(("Somebody else",))}, {"unchanged": ["holder"]}),
    ({"declared": Declared(("EXAMPLE clinic, Inc.",))}, {}),
    ({"declared": Declared(registrar=("Another",))}, {"unchanged": ["registrar"]}),
    ({"declared": Declared(name_servers=("NS2.example.jp.", "ns1.example.jp"))}, {}),
    ({"declared": Declared(name_servers=("ns1.example.jp",))}, {"unchanged": ["name-servers"]}),
    ({"holder": ()}, {"unchanged": ["holder-hidden?"], "holder": ["holder-hidden?"]}),
    ({"holder": ("Stranger",), "declared": None}, {"holder": ["differs"]}),
    ({"holder": ("例の診療所",), "declared": None}, {"holder": ["scripts?"]}),
]  # fmt: skip


@pytest.mark.parametrize(("changes", "expected"), CHANGES)
def test_one_thing_changed(changes: dict[str, Any], expected: dict[str, list[str]]) -> None:
    assert judged(registration_observation(**changes)) == expected


@pytest.mark.parametrize("word", ["pending transfer", "transfer period"])
def test_transfers_by_status(word: str) -> None:
    seen = registration_observation(statuses=(*GOOD.record.statuses, word))
    assert set(judged(seen)) == {"transfer"}


def test_an_earlier_record() -> None:
    def before(**changes: Any) -> list[str]:
        earlier = registration_observation(**changes).record
        return deciding(said("unchanged", registration_observation(before=earlier)))

    assert before() == []
    assert before(holder=("Another",)) == ["holder-changed"]
    assert before(registrar="Another") == ["registrar-changed"]
    assert before(name_servers=("ns9.example.jp",)) == ["name-servers-changed"]
    assert before(created=date(2001, 1, 1)) == ["created-changed"]
    assert before(registered=State.REFUSED) == ["reappeared"]


def test_without_a_baseline_nothing_is_claimed() -> None:
    (aside,) = said("unchanged", registration_observation(declared=None))
    assert isinstance(aside, Note)
    assert aside.code == "no-baseline"


def test_unregistered() -> None:
    gone = Record("example.jp", "whois.jprs.jp", AT, Layout.GENERAL_USE, State.REFUSED)

    def seen(delegated: State) -> RegistrationObservation:
        return RegistrationObservation(at=AT, record=gone, delegated=delegated)

    for delegated in (State.REFUSED, State.UNKNOWN):
        assert judged(seen(delegated)) == {"registered": ["unregistered"]}
    assert judged(seen(State.ACCEPTED)) == {"registered": ["contradiction?"]}


def test_the_yearly_renewal_under_jp_is_no_hint_of_a_move() -> None:
    batch = datetime.fromisoformat("2026-11-01T01:05:04+09:00")
    renewed = JP | {"expires": date(2026, 10, 31), "created": date(2012, 10, 5), "updated": batch}
    codes = [e.code for e in said("transfer", registration_observation(**renewed))]
    assert codes == []
    other = renewed | {"updated": batch + timedelta(days=3), "created": date(2012, 5, 5)}
    codes = [e.code for e in said("transfer", registration_observation(**other))]
    assert codes == ["months", "updated"]


def test_a_certificate_of_the_day_of_registration_is_none_older() -> None:
    created = date(2026, 11, 1)
    at = datetime.fromisoformat("2026-11-01T00:00:00+00:00")
    seen = registration_observation(
        created=created, certificates=(Shown("www.example.jp", "0", at),), declared=None
    )
    assert deciding(said("certificate-age", seen)) == []


def test_nothing_known_passes_nothing() -> None:
    found = judged(blank_registration())
    assert set(found) == {id.partition(".")[2] for id in RULES if id.startswith("registration.")}
