"""What changed between two scans, and whose doing it is."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from tests import make
from tests.make_chain import AT, LEAF
from tlscheck import changes, judge
from tlscheck.changes import Change, Direction, Known, Origin, Past, filling
from tlscheck.model import (
    Confidence,
    Evidence,
    Kind,
    Look,
    Missed,
    Reason,
    Scan,
    Scope,
    Severity,
    State,
    Target,
    Verdict,
)
from tlscheck.observations import ports
from tlscheck.observations.certificate import Trust
from tlscheck.observations.http import Hsts, Management, ManagementPage
from tlscheck.observations.ports import Port, PortState
from tlscheck.observations.tls import TlsObservation
from tlscheck.render.changes import text
from tlscheck.report import Judged, Report
from tlscheck.wire.registry import Version

A, R, U = State.ACCEPTED, State.REFUSED, State.UNKNOWN
P, F, N = Verdict.PASS, Verdict.FAIL, Verdict.UNKNOWN
V12 = Version.TLS_1_2
HOST = make.endpoint().id


def said(report: Report) -> Judged:
    """What the file of *report* says."""
    digests = {profile.id: profile.digest for profile in report.profiles}
    return Judged(digests, report.findings, report.answers)


def between(before: Scan, after: Scan, *older: Scan, **known: Any) -> tuple[Change, ...]:
    was, now = judge.judge(before), judge.judge(after)
    whole = judge.judge(filling.filled(before, older)) if older else was
    past = Past(before, known.pop("said", said(was)), was, was, whole, **known)
    return changes.between(past, after, said(now), now)


def one(*looks: Look, **changed: Any) -> Scan:
    return make.scan(*looks, **changed)


def later(scan: Scan, days: float = 1) -> Scan:
    """The same scan some days later."""
    looks = tuple(
        replace(
            look,
            seen={k: replace(seen, at=seen.at + timedelta(days)) for k, seen in look.seen.items()},
        )
        for look in scan.looks
    )
    return replace(scan, at=scan.at + timedelta(days), looks=looks)


def told(found: tuple[Change, ...], *, answers: bool = False) -> set[tuple[str, str, str]]:
    """Kind, subject and code of each."""
    return {(c.kind.value, c.subject, c.code) for c in found if answers or c.code != "answer"}


def tls(**changed: Any) -> Look:
    return make.good_look(tls=make.tls_observation(**changed))


def old_version(state: State) -> TlsObservation:
    return make.tls_observation(versions=make.versions(TLS_1_0=state))


def test_the_next_day_nothing_changed() -> None:
    assert between(one(), later(one())) == ()


def test_a_version_that_is_accepted_now_is_the_endpoints_doing() -> None:
    found = between(one(tls()), one(make.good_look(tls=old_version(A))))
    assert ("endpoint", "tls.versions", "added") in told(found)
    failed = [c for c in found if c.values.get("verdict") == "fail"]
    assert {c.subject for c in failed} >= {"tls.versions", "tls.deprecated-versions"}
    assert {(c.kind, c.direction) for c in failed} == {(Origin.ENDPOINT, Direction.WORSE)}
    assert all(c.evidence for c in failed)


def test_and_the_way_back_is_for_the_better() -> None:
    found = between(one(make.good_look(tls=old_version(A))), one(tls()))
    assert ("endpoint", "tls.versions", "removed") in told(found)
    assert {c.direction for c in found} == {Direction.BETTER, Direction.NEUTRAL}


def test_what_is_not_known_any_more_is_not_told_as_gone() -> None:
    found = between(
        one(make.good_look(tls=old_version(A))), one(make.good_look(tls=old_version(U)))
    )
    assert "removed" not in {c.code for c in found}
    assert {c.kind for c in found} <= {Origin.NETWORK}


def test_what_was_not_known_before_is_told_as_that() -> None:
    found = between(
        one(make.good_look(tls=old_version(U))), one(make.good_look(tls=old_version(A)))
    )
    assert ("endpoint", "tls.versions", "first") in told(found)
    assert "added" not in {c.code for c in found}


def hsts(seconds: int) -> Look:
    field = Hsts(seconds, text=f"max-age={seconds}")
    return make.good_look(http=make.http_observation(hsts=field))


def test_a_finding_is_known_by_its_code_and_not_by_its_sentence() -> None:
    assert [f.verdict for f in judge.judge(one(hsts(60))).own() if f.rule == "http.hsts"] == [F]
    assert told(between(one(hsts(60)), one(hsts(120)))) == {("endpoint", "http.hsts", "changed")}


REASONS = {
    Reason.TIMEOUT: Origin.NETWORK,
    Reason.BANNED: Origin.NETWORK,
    Reason.UNREACHABLE: Origin.NETWORK,
    Reason.CONNECTION_REFUSED: Origin.ENDPOINT,
    Reason.NOT_TLS: Origin.ENDPOINT,
    Reason.CHILD: Origin.TLSCHECK,
    Reason.BUG: Origin.TLSCHECK,
}


def missed(reason: Reason, *subjects: str) -> Look:
    look = make.good_look()
    gone = subjects or tuple(look.seen)
    return replace(
        look,
        seen={k: v for k, v in look.seen.items() if k not in gone},
        missed=tuple(Missed(subject, reason) for subject in gone),
    )


@pytest.mark.parametrize(("reason", "kind"), REASONS.items())
def test_what_could_not_be_seen_is_told_once_a_subject(reason: Reason, kind: Origin) -> None:
    found = between(one(make.good_look()), one(missed(reason)))
    assert told(found) == {(kind.value, s, "unseen") for s in ("tls", "certificate", "http")}
    assert {c.kind for c in found} == {kind}
    again = between(one(missed(reason)), one(make.good_look()))
    assert {c.code for c in again} - {"answer"} == {"seen-again"}


def test_a_night_without_network_hides_no_change() -> None:
    first, night = one(tls()), one(missed(Reason.TIMEOUT))
    third = one(make.good_look(tls=old_version(A)))
    assert ("endpoint", "tls.versions", "added") not in told(between(night, third))
    found = between(night, third, first)
    assert ("endpoint", "tls.versions", "added") in told(found)
    assert ("network", "tls", "seen-again") in told(found)
    assert [c for c in found if c.direction is Direction.WORSE and c.kind is Origin.ENDPOINT]


def test_after_such_a_night_what_is_as_before_is_no_change_of_the_endpoint() -> None:
    first = one(make.good_look(tls=old_version(A)))
    found = between(one(missed(Reason.TIMEOUT)), first, first)
    assert {c.kind for c in found if c.code != "answer"} == {Origin.NETWORK}


def test_the_second_night_without_network_is_not_told_again() -> None:
    night = one(missed(Reason.TIMEOUT))
    assert between(night, later(night), one(make.good_look())) == ()


def test_that_nothing_listens_any_more_is_told_after_a_timeout_too() -> None:
    found = between(
        one(missed(Reason.TIMEOUT)), one(missed(Reason.CONNECTION_REFUSED)), one(make.good_look())
    )
    assert ("endpoint", "tls", "unseen") in told(found)


def test_unknown_is_compared_with_the_last_known_verdict() -> None:
    night, third = one(make.good_look(tls=old_version(U))), one(make.good_look(tls=old_version(A)))
    (code,) = {c.code for c in between(night, third) if c.subject == "tls.versions" and c.evidence}
    before = {("tls.versions", HOST): Known(Verdict.FAIL, frozenset({code}))}
    found = between(night, third, remembered=before)
    assert not [c for c in found if c.subject == "tls.versions" and c.evidence]
    passed = {("tls.versions", HOST): Known(Verdict.PASS, frozenset())}
    (change,) = [
        c
        for c in between(night, third, remembered=passed)
        if c.subject == "tls.versions" and c.evidence
    ]
    assert (change.values["verdict_before"], change.values["verdict"]) == ("pass", "fail")
    assert change.direction is Direction.WORSE


def test_interception_is_the_networks_and_hides_the_certificates() -> None:
    hosts = ("a.example", "b.example.net", "c.example.org")
    before = one(*(make.good_look(host) for host in hosts))
    trap = {
        "trust": {"mozilla": replace(make.GOOD.trust["mozilla"], state=R)},
        "ca_file": None,
    }
    after = one(
        *(
            make.good_look(host, certificate=make.certificate_for(host, key="same", **trap))
            for host in hosts
        )
    )
    found = between(before, after)
    assert {c.kind for c in found if c.code != "answer"} == {Origin.NETWORK}
    assert ("network", "certificate", "unseen") in told(found)


# ---- what depends on other targets ------------------------------------------------------------


def keys(shared: tuple[str, ...] | None, unseen: tuple[str, ...] = ()) -> Scan:
    seen = replace(
        make.certificate_for("clinic.example.jp"), key_shared_with=shared, key_unseen_at=unseen
    )
    return one(make.good_look(certificate=seen))


ELSEWHERE = ("b.example",)
COMPARED = {"pass": keys(()), "fail": keys(ELSEWHERE)}
NOT_COMPARED = {"alone": keys(None), "unseen elsewhere": keys((), ELSEWHERE)}


@pytest.mark.parametrize("was", COMPARED.values(), ids=COMPARED)
@pytest.mark.parametrize("night", NOT_COMPARED.values(), ids=NOT_COMPARED)
def test_that_no_other_key_was_seen_is_told_of_the_others(was: Scan, night: Scan) -> None:
    assert between(was, night) == ()
    (rule,) = (f for f in judge.judge(was).findings if f.rule == "certificate.key-reuse")
    known = Known(rule.verdict, frozenset(e.code for e in rule.evidence))
    remembered = {("certificate.key-reuse", HOST): known}
    assert between(night, was, remembered=remembered) == ()


@pytest.mark.parametrize("night", NOT_COMPARED.values(), ids=NOT_COMPARED)
def test_a_key_that_is_elsewhere_now_is_told(night: Scan) -> None:
    found = between(night, COMPARED["fail"])
    assert ("endpoint", "certificate.key-reuse", "shared") in told(found)


def test_one_problem_in_the_place_of_another_is_no_improvement() -> None:
    was, now = hsts(60), make.good_look(http=make.http_observation(hsts=None))
    found = [c for c in between(one(was), one(now)) if c.subject == "http.hsts"]
    assert Direction.WORSE in {c.direction for c in found}
    assert Direction.BETTER not in {c.direction for c in found}


def test_answers_that_come_back_are_told_as_what_went_was() -> None:
    good, night = one(make.good_look(tls=old_version(A))), one(missed(Reason.TIMEOUT))

    def answered(found: tuple[Change, ...]) -> dict[str, tuple[Any, Any]]:
        return {
            c.subject: (c.values["answer_before"], c.values["answer"])
            for c in found
            if c.code == "answer"
        }

    went = answered(between(good, night))
    back = between(night, good, good)
    assert went
    assert answered(back) == {item: (now, was) for item, (was, now) in went.items()}
    assert {c.kind for c in back if c.code == "answer"} == {Origin.NETWORK}


# ---- what nobody asked before, or asks any more ------------------------------------------------


def address(*more: Port) -> Look:
    seen = make.ports_observation(*more)
    return Look(Target("192.0.2.1", Scope.ADDRESS), {"ports": seen})


REDIS = Port(6379, "tcp", PortState.OPEN, "redis", "data", "redis")


def test_what_fails_where_nobody_had_looked_is_told() -> None:
    good = make.good_look()
    found = {c.subject: c for c in between(one(good), one(good, address(REDIS)))}
    change = found["ports.exposed-services"]
    assert (change.kind, change.code, change.direction) == (
        Origin.PROFILE,
        "first",
        Direction.WORSE,
    )
    assert [e.code for e in change.evidence] == ["exposed"]
    assert not [c for c in between(one(good), one(good, address())) if c.code == "first"]
    other = make.good_look("other.example.jp", "192.0.2.9", tls=old_version(A))
    assert ("profile", "tls.versions", "first") in told(between(one(good), one(good, other)))


def test_that_an_address_is_not_asked_any_more_is_told() -> None:
    good = make.good_look()
    found = told(between(one(good, address(REDIS)), one(good)))
    assert {each for each in found if each[2] != "answer"} == {("profile", "ports", "not-asked")}


MANAGED = Management(found=(ManagementPage("/grafana/", "Grafana", 200, Confidence.HIGH),), asked=9)


@pytest.mark.parametrize("pages", [Management(asked=9), MANAGED], ids=["pass", "fail"])
def test_pages_that_are_not_asked_for_any_more_are_no_change_of_the_endpoint(
    pages: Management,
) -> None:
    then, now = (
        one(make.good_look(http=make.http_observation(management=seen))) for seen in (pages, None)
    )
    (change,) = (c for c in between(then, now) if c.subject == "http.management-pages")
    assert (change.kind, change.direction) == (Origin.PROFILE, Direction.NEUTRAL)
    if not pages.found:
        assert between(now, then) == ()


def test_what_did_not_apply_and_is_seen_now_is_no_improvement() -> None:
    then = missed(Reason.NOT_APPLICABLE, "http")
    found = between(one(then), one(make.good_look()))
    (change,) = (c for c in found if c.subject == "http")
    assert (change.code, change.direction) == ("seen-now", Direction.NEUTRAL)


def test_silence_where_something_answered_is_the_networks() -> None:
    """On a night on which nothing is let through, UDP is as silent as where nothing is."""
    target = Target("192.0.2.1", Scope.ADDRESS)
    there = Look(target, {"ike": make.ike_observation()})
    silent = Look(target, {}, (Missed("ike", Reason.TO_DECLARE),))
    good = make.good_look()
    for then, now in ((there, silent), (silent, there)):
        found = between(one(good, then), one(good, now))
        assert {c.kind for c in found if c.subject == "ike"} == {Origin.NETWORK}
        assert {c.kind for c in found} == {Origin.NETWORK}


@pytest.mark.parametrize("renewed", [True, False])
def test_whose_doing_it_is_that_a_certificate_cannot_be_settled(renewed: bool) -> None:
    host = "www.example.jp"
    unknown = dict.fromkeys(make.GOOD.trust, Trust(State.UNKNOWN))
    before = make.certificate_for(host)
    after = make.certificate_for(host, trust=unknown)
    if renewed:
        leaf = replace(after.chains[0].leaf, sha256="f" * 64)
        after = replace(after, chains=(replace(after.chains[0], certificates=(leaf,)),))
    found = between(one(make.good_look(certificate=before)), one(make.good_look(certificate=after)))
    (change,) = (c for c in found if c.subject == "certificate.trusted")
    assert change.kind is (Origin.ENDPOINT if renewed else Origin.NETWORK)


@pytest.mark.parametrize("more", [True, False], ids=["a target more", "a target less"])
def test_what_comes_of_other_targets_is_not_the_endpoints_doing(more: bool) -> None:
    other = make.good_look("other.example.jp", "192.0.2.9")
    alone, both = keys(()), keys(("other.example.jp",))
    both = replace(both, looks=(*both.looks, other))
    then, now = (alone, both) if more else (both, alone)
    (change,) = (c for c in between(then, now) if c.subject == "certificate.key-reuse")
    expected = Direction.WORSE if more else Direction.NEUTRAL
    assert (change.kind, change.direction) == (Origin.PROFILE, expected)


# ---- the measure -----------------------------------------------------------------------------


def recorded(scan: Scan, rule: str, **changed: Any) -> Judged:
    """What was said of *scan*, with another finding of *rule*."""
    report = judge.judge(scan)
    findings = tuple(replace(f, **changed) if f.rule == rule else f for f in report.findings)
    return replace(said(report), findings=findings)


FAILED: dict[str, Any] = {
    "verdict": Verdict.FAIL,
    "evidence": (Evidence("gone", "it is bad", kind=Kind.PROBLEM),),
}


def test_another_version_that_says_something_else_of_the_same_scan_is_tlschecks_doing() -> None:
    old = one(tls(), version="0.0.1")
    found = between(old, one(tls()), said=recorded(old, "tls.suites", **FAILED))
    assert told(found) == {("tlscheck", "version", "changed"), ("tlscheck", "tls.suites", "gone")}
    assert not [c for c in found if c.kind is Origin.ENDPOINT]


def test_the_same_version_and_measure_needs_no_look_at_what_was_said() -> None:
    old = one(tls())
    assert between(old, one(tls()), said=recorded(old, "tls.suites", **FAILED)) == ()


def test_another_profile_is_the_profiles_doing() -> None:
    old = one(tls())
    was = recorded(old, "tls.suites", **FAILED)
    was = replace(was, profiles=dict.fromkeys(was.profiles, "0" * 64))
    found = between(old, one(tls()), said=was)
    assert ("profile", "tls.suites", "gone") in told(found)
    assert ("profile", "profile", "changed") in told(found)
    assert {c.kind for c in found} == {Origin.PROFILE}


def test_a_profile_that_wants_the_same_of_a_rule_is_not_behind_its_verdict() -> None:
    old = one(tls(), version="0.0.1")
    was = recorded(old, "tls.suites", **FAILED)
    was = replace(was, profiles=dict.fromkeys(was.profiles, "0" * 64))
    wants = {
        p.id: {rule: setting.digest for rule, setting in p.settings.items()}
        for p in judge.judge(old).profiles
    }
    assert ("tlscheck", "tls.suites", "gone") in told(
        between(old, one(tls()), said=was, wants=wants)
    )
    other = {name: each | {"tls.suites": "0"} for name, each in wants.items()}
    assert ("profile", "tls.suites", "gone") in told(
        between(old, one(tls()), said=was, wants=other)
    )


def test_profile_and_endpoint_are_kept_apart() -> None:
    old = one(tls())
    was = recorded(old, "http.hsts", **FAILED)
    was = replace(was, profiles=dict.fromkeys(was.profiles, "0" * 64))
    found = between(old, one(make.good_look(tls=old_version(A))), said=was)
    kinds = {c.subject: c.kind for c in found if c.code != "answer"}
    assert kinds["http.hsts"] is Origin.PROFILE
    assert kinds["tls.versions"] is Origin.ENDPOINT


def test_another_own_profile_is_told() -> None:
    found = between(one(tls(), profile="ipa-high-3.0.1"), one(tls()))
    assert ("profile", "profile", "own") in told(found)
    assert {c.kind for c in found} == {Origin.PROFILE}


def test_what_another_profile_wants_and_was_not_asked_before_is_told() -> None:
    """A client certificate is wanted by one of both only."""
    found = between(one(tls(), profile="ipa-high-3.1.1"), one(tls(), profile="mhlw-7.0"))
    (change,) = (c for c in found if c.subject == "tls.client-certificate")
    assert (change.kind, change.direction) == (Origin.PROFILE, Direction.WORSE)


def test_an_answer_has_the_kind_of_its_findings() -> None:
    found = between(one(tls()), one(make.good_look(tls=old_version(A))))
    (answer,) = [c for c in found if c.subject == "vendor-138/42"]
    assert (answer.kind, answer.direction) == (Origin.ENDPOINT, Direction.WORSE)
    found = between(one(tls()), one(missed(Reason.TIMEOUT)))
    assert {c.kind for c in found if c.code == "answer"} == {Origin.NETWORK}


def answered(before: Look, after: Look, item: str) -> Direction:
    (found,) = [c for c in between(one(before), one(after)) if c.subject == item]
    return found.direction


def test_what_cannot_be_told_any_more_is_no_improvement() -> None:
    bad, lost = make.good_look(tls=old_version(A)), missed(Reason.TIMEOUT)
    assert answered(bad, lost, "vendor-138/42") is Direction.NEUTRAL
    assert answered(lost, bad, "vendor-138/42") is Direction.WORSE
    assert not [
        c
        for c in between(one(bad), one(make.good_look(tls=old_version(U))))
        if c.direction is Direction.BETTER
    ]


# ---- targets ---------------------------------------------------------------------------------


def test_targets_that_come_and_go_are_what_is_asked_for() -> None:
    other = make.good_look("b.example.jp")
    assert told(between(one(tls()), one(tls(), other))) == {("profile", "target", "target-new")}
    assert told(between(one(tls(), other), one(tls()))) == {("profile", "target", "target-gone")}


def test_another_address_is_compared_with_the_one_before() -> None:
    moved = make.good_look(address="192.0.2.77")
    found = between(one(tls()), one(moved))
    assert told(found) == {
        ("endpoint", "target", "address-new"),
        ("endpoint", "target", "address-gone"),
    }
    worse = make.good_look(address="192.0.2.77", tls=old_version(A))
    assert ("endpoint", "tls.versions", "added") in told(between(one(tls()), one(worse)))


def test_a_name_that_does_not_resolve_is_the_networks_and_no_target_is_gone() -> None:
    target = Target("https://www.example.jp:443", make.names_look().target.scope)
    gone = one(Look(target, missed=(Missed("tls", Reason.UNRESOLVED),)))
    assert told(between(one(make.good_look()), gone)) == {("network", "tls", "unseen")}
    again = between(gone, one(make.good_look(tls=old_version(A))), one(make.good_look()))
    assert ("network", "tls", "seen-again") in told(again)
    assert ("endpoint", "tls.versions", "added") in told(again)
    assert "target-new" not in {c.code for c in again}


@pytest.mark.parametrize("name", ["https://www.example.jp:443", "example.jp"])
def test_a_name_that_stays_unresolved_is_not_told_again(name: str) -> None:
    target = Target(name, make.names_look().target.scope)
    gone = one(Look(target, missed=(Missed("tls", Reason.UNRESOLVED),)))
    assert between(gone, later(gone), one(make.good_look())) == ()
    refused = one(Look(target, missed=(Missed("tls", Reason.CONNECTION_REFUSED),)))
    assert "seen-again" not in {c.code for c in between(gone, refused)}


def test_a_subject_that_is_not_asked_for_any_more() -> None:
    look = make.good_look()
    without = replace(look, seen={k: v for k, v in look.seen.items() if k != "http"})
    assert ("profile", "http", "not-asked") in told(between(one(look), one(without)))


def test_a_part_that_was_missed_once_is_seen_again() -> None:
    look = make.good_look()
    partly = replace(look, missed=(Missed("tls.hellos", Reason.BUDGET),))
    assert told(between(one(partly), one(look))) == {("network", "tls.hellos", "seen-again")}
    assert told(between(one(look), one(partly))) == {("network", "tls.hellos", "unseen")}


# ---- facts -----------------------------------------------------------------------------------


def leaf(**changed: Any) -> Look:
    seen = make.certificate_for("www.example.jp")
    (chain,) = seen.chains
    new = replace(chain.leaf, **changed)
    rest = chain.certificates[1:]
    chain = replace(chain, certificates=(new, *rest), way=(new, *chain.way[1:]))
    return make.good_look(certificate=replace(seen, chains=(chain,)))


@pytest.mark.parametrize(
    ("changed", "codes"),
    [
        ({"serial": "77"}, {"new"}),
        ({"spki_sha256": "b" * 64}, {"new", "new-key"}),
        ({"issuer": "CN=Another CA"}, {"new", "new-issuer"}),
        ({"names": ("www.example.jp", "b.example.jp")}, {"new", "new-names"}),
    ],
)
def test_certificates(changed: dict[str, Any], codes: set[str]) -> None:
    found = between(one(make.good_look()), one(leaf(sha256="a" * 64, **changed)))
    assert {c.code for c in found if c.subject == "certificate"} == codes
    assert {c.kind for c in found if c.subject == "certificate"} == {Origin.ENDPOINT}


def test_a_certificate_that_comes_back_has_another_key() -> None:
    """Both end on the same day."""
    one_, other = make.good_look(), leaf(sha256="a" * 64)
    keys = [
        {c.key for c in between(one(was), one(now)) if c.code == "new"}
        for was, now in ((one_, other), (other, one_))
    ]
    assert len(keys[0] | keys[1]) == 2


DAYS = [
    (61, 60, 60, Severity.INFO),
    (31, 30, 30, Severity.LOW),
    (15, 13.5, 14, Severity.MEDIUM),
    (8, 7, 7, Severity.HIGH),
    (2, 0.5, 1, Severity.CRITICAL),
    (40, 6, 7, Severity.HIGH),
]


@pytest.mark.parametrize(("was", "now", "step", "severity"), DAYS)
def test_the_horizon(was: float, now: float, step: int, severity: Severity) -> None:
    before = one(leaf(not_after=AT + timedelta(was)))
    found = between(before, later(before, was - now))
    (change,) = [c for c in found if c.subject == "certificate"]
    assert (change.code, change.values["days"], change.severity) == ("ends", step, severity)
    again = between(later(before, was - now), later(before, was - now + 0.2))
    assert not [c for c in again if c.subject == "certificate"]


def test_the_end_itself() -> None:
    before = one(leaf(not_after=AT + timedelta(0.5)))
    (change,) = [c for c in between(before, later(before)) if c.subject == "certificate"]
    assert (change.code, change.direction) == ("over", Direction.WORSE)
    assert LEAF.not_after is not None


def port(number: int) -> ports.Port:
    return ports.Port(number, "tcp", PortState.OPEN)


def test_ports() -> None:
    asked = {"tcp": "22,443,3380-3390"}
    usual = make.address_look(seen=make.ports_observation(asked=asked))
    opened = make.address_look(seen=make.ports_observation(port(3389), asked=asked))
    assert ("endpoint", "ports.open", "added") in told(between(one(usual), one(opened)))
    assert ("endpoint", "ports.open", "removed") in told(between(one(opened), one(usual)))
    shut = make.address_look(seen=make.ports_observation(asked=asked, shut_out=True))
    assert "removed" not in {c.code for c in between(one(opened), one(shut))}
    everything = make.address_look(
        seen=make.ports_observation(port(3389), asked=asked, answering_for_all=True)
    )
    assert "added" not in {c.code for c in between(one(usual), one(everything))}


def test_domains() -> None:
    registration, dns = make.registration_observation(), make.dns_observation()
    before = one(make.domain_look(registration, dns))
    record = replace(registration.record, registrar="Another", statuses=("server hold",))
    zone = replace(dns.zones[0], security=replace(dns.zones[0].security, ds=("1 2 3",)))
    zone = replace(zone, name_servers=zone.name_servers[1:])
    mail = replace(dns.mail, hosts=())
    after = one(
        make.domain_look(
            replace(registration, record=record),
            replace(dns, zones=(zone, *dns.zones[1:]), mail=mail),
        )
    )
    subjects = {
        c.subject for c in between(before, after) if c.code in ("changed", "added", "removed")
    }
    assert {
        "registration.registrar",
        "registration.statuses",
        "dns.ds",
        "dns.name-servers",
        "dns.mail-hosts",
    } <= subjects


def test_hsts_and_suites() -> None:
    suites = {
        **make.ACCEPTED["suites"],
        V12: (*make.ACCEPTED["suites"][V12], "TLS_RSA_WITH_RC4_128_SHA"),
    }
    after = replace(hsts(60), seen={**hsts(60).seen, "tls": make.tls_observation(suites=suites)})
    found = between(one(make.good_look()), one(after))
    assert {("endpoint", "tls.suites", "added"), ("endpoint", "http.hsts", "changed")} <= told(
        found
    )
    (suite,) = [c for c in found if (c.subject, c.code) == ("tls.suites", "added")]
    assert suite.values["where"] == "TLS 1.2"


# ---- runs ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("verdicts", "flaps"),
    [
        ((P, P, F, F), False),
        ((P, F, P, F), True),
        ((P, N, P, N, P), False),
        ((P, N, F, P, F), True),
    ],
)
def test_flapping(verdicts: tuple[Verdict, ...], flaps: bool) -> None:
    place = ("tls.versions", HOST)
    assert (place in changes.flapping({place: verdicts})) is flaps


def test_what_flaps_is_told_as_that_and_once() -> None:
    found = between(one(tls()), one(make.good_look(tls=old_version(A))))
    flaps = changes.flapping({("tls.deprecated-versions", HOST): (P, F, P, F)})
    settled = [c for c in changes.settled(found, flaps) if c.subject == "tls.deprecated-versions"]
    assert [c.code for c in settled] == ["flapping"]
    assert settled[0].values == {"count": 3, "runs": 4}


def test_what_flaps_has_the_weight_of_its_worst() -> None:
    """The fact that TLS 1.0 is accepted comes before the failure that it is."""
    found = between(one(tls()), one(make.good_look(tls=old_version(A))))
    assert next(c.severity for c in found if c.subject == "tls.versions") is Severity.INFO
    (told,) = [
        c
        for c in changes.settled(found, {("tls.versions", HOST): (3, 4)})
        if c.subject == "tls.versions"
    ]
    assert (told.code, told.severity, told.direction) == (
        "flapping",
        Severity.HIGH,
        Direction.WORSE,
    )
    assert [e.code for e in told.evidence]


def test_a_blip_is_what_a_second_look_does_not_show() -> None:
    found = between(one(tls()), one(make.good_look(tls=old_version(A))))
    assert changes.confirmed(found, found) == found
    assert changes.confirmed(found, ()) == ()


# ---- in words --------------------------------------------------------------------------------


@pytest.mark.parametrize("lang", ["en", "ja"])
def test_what_strangers_say_steers_no_terminal(lang: str) -> None:
    hostile = "\x1b]0;title\x07\u202e<script>\n{verdict}"
    after = leaf(sha256="a" * 64, issuer=hostile, names=(hostile,))
    found = between(one(make.good_look()), one(after))
    shown = text((AT, AT), found, {}, lang)
    assert not set("\x1b\x07\u202e") & set(shown)
    assert all(line.startswith((" ", "20")) or line.isprintable() for line in shown.splitlines())
    assert "{verdict}" in shown


def test_a_key_is_of_what_changed_and_not_of_when() -> None:
    before, after = one(hsts(60)), one(hsts(63_072_000))
    keys = [c.key for c in between(before, after)]
    assert keys == [c.key for c in between(later(before, 0.1), later(after, 0.2))]
    assert keys != [c.key for c in between(after, before)]
    assert len(set(keys)) == len(keys)
