"""From what was seen to verdicts, answers and the exit code."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests import make
from tests.make import U, blank_tls, certificate_for, good_look, missed_look, names_look, scan
from tlscheck import judge as judging
from tlscheck import profile as profiles
from tlscheck.errors import ChecklistError, ProfileError
from tlscheck.model import (
    Basis,
    Confidence,
    Evidence,
    Finding,
    Grade,
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
from tlscheck.observations import http
from tlscheck.observations.certificate import Trust
from tlscheck.observations.tls import ClientCertificate, Demand
from tlscheck.report import Report
from tlscheck.rules import RULES
from tlscheck.wire.registry import Version

FAIL, OPEN, PASS, NONE = Verdict.FAIL, Verdict.UNKNOWN, Verdict.PASS, Verdict.NOT_APPLICABLE
OLD = make.tls_observation(versions=make.versions(TLS_1_0=State.ACCEPTED))


def judged(*looks: Look, profile: str | None = None, names: Any = ()) -> Report:
    """The report on *looks*, without checklists unless named."""
    return judging.judge(scan(*looks, checklists=tuple(names)), profile, tuple(names) or None)


def verdicts(report: Report, target: str = "") -> dict[str, Verdict]:
    return {f.rule: f.verdict for f in report.own() if not target or f.target == target}


def finding(report: Report, rule: str) -> Finding:
    (found,) = (f for f in report.own() if f.rule == rule)
    return found


def causes(found: Finding) -> set[str]:
    return {e.cause for e in found.evidence if e.kind is Kind.OPEN}


@pytest.fixture
def own_profile(tmp_path: Path) -> Iterator[Any]:
    """``own_profile(text)``: a profile file on top of the baseline."""

    def written(text: str, id: str = "own") -> str:
        path = tmp_path / f"{id}.toml"
        head = f'id = "{id}"\nextends = "baseline"\nsource = "test"\n'
        path.write_text(head + 'title.en = "a"\ntitle.ja = "b"\n' + text)
        return str(path)

    yield written


# -- Rows about what is around the page ---------------------------------------------------------

BAD = (http.Cookie("JSESSIONID", secure=True),)
CDN = (http.Load("https://a.example-cdn.com", ("script",)),)
CONSOLE = http.ManagementPage("/login", "Grafana", 200, Confidence.HIGH)


@pytest.mark.parametrize(
    ("changes", "answers"),
    [
        ({}, {"48": "document_needed", "51": "document_needed", "53": "document_needed"}),
        ({"cookies": BAD}, {"48": "not_met", "51": "document_needed"}),
        ({"cookies": (http.Cookie("clinic"),)}, {"48": "undetermined"}),
        ({"loads": CDN}, {"51": "not_met"}),
        ({"loads": CDN, "declared_external": None}, {"51": "document_needed"}),
        ({"loads": CDN, "declared_external": ("example-cdn.com",)}, {"51": "document_needed"}),
        ({"last_status": 503}, {"51": "undetermined"}),
        ({"marks": (http.Mark("waf", "Scutum"),)}, {"53": "document_needed"}),
        ({}, {"55": "document_needed"}),
        ({"management": None}, {"55": "document_needed"}),
        ({"management": http.Management(found=(CONSOLE,))}, {"55": "not_met"}),
        ({"management": http.Management(stopped=Reason.BANNED)}, {"55": "undetermined"}),
        ({"management": http.Management(locked=("/webmin/",))}, {"55": "undetermined"}),
    ],
)
def test_rows_about_what_is_around_the_page(
    changes: dict[str, Any], answers: dict[str, str]
) -> None:
    look = good_look(http=make.http_observation(**changes))
    report = judged(look, make.address_look(), names=("vendor-138", "standard-2026"))
    found = {(a.checklist, a.item): a.answer for a in report.answers if a.target is None}
    assert {row: found["vendor-138", row] for row in answers} == answers
    if "55" in answers:
        assert found["standard-2026", "2-1-viii"] == answers["55"]


def test_management_pages_are_not_asked_for_unless_exposure_is() -> None:
    look = good_look(http=make.http_observation(management=None))
    report = judged(look, names=("vendor-138",))
    (row,) = (a for a in report.answers if a.item == "55" and a.target is None)
    assert (row.answer, [p.cause for p in row.parts]) == ("undetermined", ["not_asked"])
    assert "http.management-pages@" in " ".join(row.findings)


def test_a_service_without_a_page_leaves_the_rows_about_pages_open() -> None:
    report = judged(missed_look("http"), names=("vendor-138",))
    found = {a.item: a.answer for a in report.answers if a.target is None}
    assert {found[row] for row in ("48", "51", "53", "55")} == {"undetermined"}


# -- What was missed ----------------------------------------------------------------------------


@pytest.mark.parametrize("reason", [r for r in Reason if r is not Reason.NOT_APPLICABLE])
def test_what_was_missed_is_unknown_for_its_reason(reason: Reason) -> None:
    report = judged(missed_look("tls", reason=reason))
    assert set(verdicts(report).values()) == {OPEN}
    assert all(causes(f) == {reason} for f in report.own())


def test_what_was_missed_says_why() -> None:
    look = Look(make.endpoint(), {}, (Missed("tls", Reason.TIMEOUT, "no answer at all"),))
    (evidence,) = finding(judged(look), "tls.versions").evidence
    assert evidence.values == {"reason": "timeout", "detail": "no answer at all"}


def test_what_does_not_arise_is_not_applicable() -> None:
    look = Look(make.endpoint(), {}, (Missed("http", Reason.NOT_APPLICABLE, "it is smtp"),))
    assert set(verdicts(judged(look)).values()) == {NONE}


def test_what_nobody_asked_has_no_finding() -> None:
    tls = good_look().seen["tls"]
    report = judged(Look(make.endpoint(), {"tls": tls}))
    assert {f.rule.partition(".")[0] for f in report.findings} == {"tls"}


def test_a_part_that_was_missed_costs_only_itself() -> None:
    seen = good_look(tls=make.tls_observation(deep=None))
    look = replace(seen, missed=(Missed("tls.deep", Reason.CHILD),))
    found = verdicts(judged(look))
    assert found["tls.versions"] is PASS
    assert found["tls.early-data"] is OPEN


# -- Open questions -----------------------------------------------------------------------------

UNVERIFIED = """
[tls.early-data]
severity = "high"
basis = { source = "hearsay", grade = "unverified" }
"""


def test_an_unverified_wish_fails_nobody(own_profile: Any) -> None:
    bad = make.tls_observation(deep=make.deep(early_data=State.ACCEPTED))
    found = finding(judged(good_look(tls=bad), profile=own_profile(UNVERIFIED)), "tls.early-data")
    assert found.verdict is OPEN
    assert causes(found) == {"open_question"}
    assert [e.kind for e in found.evidence] == [Kind.OPEN, Kind.NOTE]
    assert "hearsay" in str(found.evidence[0].values)


def test_an_unverified_wish_that_is_met_passes(own_profile: Any) -> None:
    found = finding(judged(good_look(), profile=own_profile(UNVERIFIED)), "tls.early-data")
    assert found.verdict is PASS


def test_what_is_open_besides_stays_open(own_profile: Any) -> None:
    text = UNVERIFIED.replace("early-data", "versions") + 'allow = ["TLS 1.3"]\n'
    seen = make.tls_observation(versions=make.versions(TLS_1_1=U))
    report = judged(good_look(tls=seen), profile=own_profile(text))
    assert finding(report, "tls.versions").verdict is OPEN


def test_a_failure_and_something_unseen_under_an_unverified_wish(own_profile: Any) -> None:
    """What could not be looked at still counts for the exit code."""
    text = UNVERIFIED.replace("early-data", "versions") + 'allow = ["TLS 1.3"]\n'
    seen = make.tls_observation(versions=make.versions(TLS_1_1=U))
    only = {"tls": seen}
    report = judged(Look(make.endpoint(), only), profile=own_profile(text))
    assert causes(finding(report, "tls.versions")) >= {"open_question", "not_settled"}


# -- Several profiles ---------------------------------------------------------------------------


def test_what_several_profiles_want_alike_is_one_finding() -> None:
    report = judged(good_look(tls=OLD), names=("vendor-138", "mhlw-7.0", "standard-2026"))
    ids = [(f.rule, f.target, f.profiles) for f in report.findings]
    assert len(ids) == len(set(ids))
    (one,) = (f for f in report.findings if f.rule == "tls.deprecated-versions")
    assert set(one.profiles) == {p.id for p in report.profiles}
    assert one.verdict is FAIL
    wants = {
        (repr(s.want), s.severity, s.basis)
        for p in report.profiles
        if (s := p.settings.get("tls.versions"))
    }
    several = [f for f in report.findings if f.rule == "tls.versions"]
    assert len(several) == len(wants) > 1
    claimed = [name for f in several for name in f.profiles]
    assert sorted(claimed) == sorted({p.id for p in report.profiles})


def test_a_finding_names_the_items_that_it_bears_on() -> None:
    report = judged(good_look(), names=("vendor-138",))
    items = {f.rule: f.items for f in report.findings if "vendor-138" in f.profiles}
    assert any("vendor-138/44" in of for of in items.values())
    for found in report.findings:
        assert all(item.startswith("vendor-138/") for item in found.items)


def test_the_run_s_profile_comes_first_and_items_keep_their_own() -> None:
    report = judged(good_look(), profile="mozilla-modern", names=("mhlw-7.0",))
    assert [p.id for p in report.profiles] == ["mozilla-modern", "mhlw-7.0"]
    assert report.scan.profile == "mozilla-modern"
    assert {a.profile for a in report.answers} == {"mhlw-7.0"}
    wanted = profiles.load("mozilla-modern").settings
    of_endpoints = {r for r in wanted if r.partition(".")[0] in ("tls", "certificate", "http")}
    assert {f.rule for f in report.own()} == of_endpoints


def test_what_does_not_exist() -> None:
    with pytest.raises(ProfileError):
        judged(good_look(), profile="no-such")
    with pytest.raises(ChecklistError):
        judged(good_look(), names=("no-such",))


def test_a_report_is_pure() -> None:
    looks = (good_look(), names_look(), missed_look(host="b.example"))
    assert judged(*looks) == judged(*looks)


# -- A rule that breaks -------------------------------------------------------------------------


def test_a_broken_rule_costs_itself_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(seen: object) -> Iterator[Any]:
        yield from ()
        raise ZeroDivisionError

    profile = profiles.load(make.DEFAULT_PROFILE)
    rule = replace(RULES["tls.compression"], check=broken)
    settings = {**profile.settings}
    settings["tls.compression"] = replace(settings["tls.compression"], rule=rule)
    whole = verdicts(judged(good_look()))
    monkeypatch.setattr(profiles, "load", lambda name, kept: replace(profile, settings=settings))
    report = judged(good_look())
    found = finding(report, "tls.compression")
    assert found.verdict is OPEN
    assert causes(found) == {"bug"}
    assert verdicts(report) == {**whole, "tls.compression": OPEN}
    assert judging.exit_code(report) == 3


# -- Interception -------------------------------------------------------------------------------

HOSTS = ("www.one.example", "mail.two.example", "app.three.jp")
PRIVATE = dict.fromkeys(("mozilla", "apple"), Trust(State.REFUSED))


def shown(*hosts: str, key: str = "k" * 64, **chain: Any) -> list[Look]:
    """Looks at *hosts* that show one key."""
    return [
        good_look(host, f"192.0.2.{i}", certificate=certificate_for(host, key, **chain))
        for i, host in enumerate(hosts)
    ]


def doubted(*looks: Look) -> set[str]:
    """The hosts whose TLS is not believed."""
    found = judging.intercepted(looks)
    return {
        look.target.target.host for look in looks if look.target.target and look.target.id in found
    }


def test_three_unrelated_names_with_one_key_are_intercepted() -> None:
    looks = shown(*HOSTS, trust=PRIVATE)
    assert doubted(*looks) == set(HOSTS)
    report = judged(*looks)
    kinds = {f.rule: f for f in report.own() if f.target == looks[0].target.id}
    for rule, found in kinds.items():
        if rule.startswith(("tls.", "certificate.")):
            assert found.verdict is OPEN
            assert causes(found) == {"intercepted"}
        else:
            assert found.verdict in (PASS, NONE)
    assert judging.exit_code(report) == 3


def test_interception_answers_no_item() -> None:
    looks = shown(*HOSTS, trust=PRIVATE)
    report = judged(*looks, names=("vendor-138",))
    assert "met" not in {a.answer for a in report.answers if a.item == "44"}


def test_others_in_the_same_scan_are_believed() -> None:
    good = good_look("fine.example", "192.0.2.99")
    assert doubted(*shown(*HOSTS, trust=PRIVATE), good) == set(HOSTS)


def test_two_names_are_no_interception() -> None:
    assert doubted(*shown(*HOSTS[:2], trust=PRIVATE)) == set()


@pytest.mark.parametrize(
    "hosts",
    [
        ("a.clinic.example", "b.clinic.example", "c.clinic.example"),
        ("a.clinic.or.jp", "b.clinic.or.jp", "c.clinic.or.jp"),
        ("192.0.2.1", "192.0.2.2", "192.0.2.3"),
        ("one", "two", "three"),
        ("www.clinic.jp", "mail.clinic.jp", "app.clinic.jp"),
        ("www.clinic.tokyo.jp", "mail.clinic.tokyo.jp", "clinic.tokyo.jp"),
    ],
    ids=" ".join,
)
def test_names_of_one_domain_are_no_interception(hosts: tuple[str, ...]) -> None:
    assert doubted(*shown(*hosts, trust=PRIVATE)) == set()


def test_one_private_issuer_over_unrelated_names_is_interception() -> None:
    looks = [good_look(host, certificate=certificate_for(host, trust=PRIVATE)) for host in HOSTS]
    assert doubted(*looks) == set(HOSTS)


def test_one_public_issuer_is_none() -> None:
    assert doubted(*(good_look(host) for host in HOSTS)) == set()


def test_a_ca_that_was_given_is_no_interception() -> None:
    """Whoever names a private CA with --ca-file expects its certificates."""
    looks = [
        good_look(
            host,
            certificate=certificate_for(host, trust=PRIVATE, ca_file=Trust(State.ACCEPTED)),
        )
        for host in HOSTS
    ]
    assert doubted(*looks) == set()


def test_one_public_certificate_for_several_names_is_no_interception() -> None:
    """Nothing in between has a publicly trusted certificate: a CDN's or a provider's has."""
    looks = [
        replace(look, seen={**look.seen, "certificate": replace(seen, asked_name=host)})
        for host in HOSTS
        for look in (good_look(host),)
        for seen in (certificate_for("shared.example", key="k" * 64),)
    ]
    assert doubted(*looks) == set()


def test_keys_that_could_not_be_read_are_not_one_key() -> None:
    looks = shown(*HOSTS)
    unread = []
    for look in looks:
        seen: Any = look.seen["certificate"]
        leaf = replace(seen.chains[0].leaf, spki_sha256="", unread=("certificate",))
        chain = replace(seen.chains[0], certificates=(leaf,))
        unread.append(
            replace(look, seen={**look.seen, "certificate": replace(seen, chains=(chain,))})
        )
    assert doubted(*unread) == set()


def test_several_addresses_of_one_name_are_one_name() -> None:
    looks = [
        good_look(HOSTS[0], f"192.0.2.{i}", certificate=certificate_for(HOSTS[0], trust=PRIVATE))
        for i in range(5)
    ]
    assert doubted(*looks) == set()


# -- Exit codes ---------------------------------------------------------------------------------


def weighed(*found: tuple[Verdict, Severity, str], seen: bool = True) -> Report:
    """A report with findings of (verdict, severity, cause of what is open)."""
    report = judged(good_look() if seen else missed_look())
    made = tuple(
        Finding(
            rule="tls.versions",
            target="t",
            verdict=verdict,
            severity=severity,
            evidence=(Evidence("c", "t", cause=cause, kind=Kind.OPEN),) if cause else (),
            profiles=(report.profile.id,),
            basis=Basis("x", Grade.OFFICIAL),
        )
        for verdict, severity, cause in found
    )
    return replace(report, findings=made)


LOW, INFO, HIGH = Severity.LOW, Severity.INFO, Severity.HIGH


@pytest.mark.parametrize(
    ("found", "fail_on", "code"),
    [
        ([], "low", 0),
        ([(PASS, HIGH, "")], "low", 0),
        ([(NONE, HIGH, "")], "low", 0),
        ([(FAIL, LOW, "")], "low", 1),
        ([(FAIL, INFO, "")], "low", 0),
        ([(FAIL, INFO, "")], "info", 1),
        ([(FAIL, LOW, "")], "medium", 0),
        ([(FAIL, HIGH, "")], "critical", 0),
        ([(FAIL, HIGH, ""), (OPEN, LOW, "timeout")], "low", 1),
        ([(FAIL, LOW, ""), (OPEN, LOW, "timeout")], "high", 3),
        ([(OPEN, INFO, "not_settled")], "low", 3),
        ([(OPEN, HIGH, "bug")], "critical", 3),
        ([(OPEN, HIGH, "open_question")], "low", 0),
        ([(OPEN, HIGH, "not_asked")], "low", 0),
        ([(OPEN, HIGH, "open_question"), (OPEN, LOW, "banned")], "low", 3),
    ],
)
def test_exit_codes(found: Any, fail_on: str, code: int) -> None:
    assert judging.exit_code(weighed(*found), fail_on) == code


@pytest.mark.parametrize(
    "found", [[], [(PASS, HIGH, "")], [(OPEN, HIGH, "not_asked")], [(NONE, HIGH, "")]]
)
def test_never_0_when_nobody_answered(found: Any) -> None:
    assert judging.exit_code(weighed(*found, seen=False)) == 3


def test_nobody_answered() -> None:
    assert judging.exit_code(judged(missed_look("tls"))) == 3
    unresolved = Look(Target("https://gone.example:443", Scope.NAME), {}, ())
    assert judging.exit_code(judged(unresolved)) == 3
    assert judging.exit_code(judging.judge(replace(scan(), looks=()))) == 3


def test_a_target_without_a_word_is_not_passed_over() -> None:
    """One target is good, and of the other there is nothing at all, not even why."""
    silent = Look(make.endpoint("b.example"), {}, ())
    assert judging.exit_code(judged(good_look(), silent)) == 3


def test_the_good_scan_is_good() -> None:
    report = judging.judge(scan())
    assert judging.exit_code(report) == 0
    assert judging.exit_code(report, "info") == 0


def test_profiles_of_items_do_not_change_the_exit_code() -> None:
    """A checklist that asks for client certificates fails its item, not the run."""
    seen = make.tls_observation(client_certificate=ClientCertificate(Demand.NONE))
    report = judged(good_look(tls=seen), names=("mhlw-7.0",))
    assert any(f.verdict is FAIL for f in report.findings)
    assert judging.exit_code(report) == 0


def test_a_blank_scan() -> None:
    assert judging.exit_code(judged(good_look(tls=blank_tls()))) == 3


def test_a_ban_after_the_versions_is_3_not_0() -> None:
    seen = make.tls_observation(deep=None, early_ccs=U)
    look = replace(good_look(tls=seen), missed=(Missed("tls.hellos", Reason.BANNED),))
    assert judging.exit_code(judged(look)) == 3


def test_every_version_is_in_a_good_observation() -> None:
    assert set(make.tls_observation().versions) == set(Version)


def test_recorded_names_are_used_unless_told_otherwise() -> None:
    recorded: Scan = scan(profile="mozilla-modern", checklists=("mhlw-5.2",))
    assert judging.judge(recorded).profile.id == "mozilla-modern"
    assert {a.checklist for a in judging.judge(recorded).answers} == {"mhlw-5.2"}
    assert {a.checklist for a in judging.judge(recorded, names=("vendor-138",)).answers} == {
        "vendor-138"
    }
