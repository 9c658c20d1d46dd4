"""What holds for every rule, every profile and every checklist together."""

from __future__ import annotations

import re
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest

from tests import make
from tests.make_chain import chain, observation
from tlscheck import checklist as checklists
from tlscheck import data
from tlscheck import judge as judging
from tlscheck import profile as profiles
from tlscheck.model import Finding, Look, Missed, Reason, Scan, State, Verdict
from tlscheck.observations.certificate import CertificateObservation, Trust
from tlscheck.profile import Setting
from tlscheck.report import SUBJECTS
from tlscheck.rules import RULES
from tlscheck.rules.core import Rule

GOLDEN = Path(__file__).parent / "golden" / "rules.txt"
PROFILES = {name: profiles.load(name) for name in data.profiles()}


def _options(setting: Setting) -> list[object]:
    return [getattr(setting.want, f.name) for f in fields(setting.want)]  # type: ignore[arg-type]


def _named(option: object) -> set[str]:
    return set(profiles._flat(option))


SETTINGS = [
    pytest.param(setting, id=f"{name}-{setting.rule.id}")
    for name, profile in PROFILES.items()
    for setting in profile.settings.values()
    if setting.open and any(map(_named, _options(setting)))
]
MANUAL = re.compile(
    r"\b(?:set|switch|use|update|leave|remove|append|offer|order|have|get|make|renew|install|send|"
    r"write|close|replace|bring|give|roll|put|go|check|find|show|name|nginx|openssl)\b",
    re.IGNORECASE,
)
"""What a manual that says what to do has somewhere."""


def blank(target: Look) -> Look:
    """The look at *target* when nothing is known of anything."""
    seen = {
        "tls": make.blank_tls(),
        "certificate": observation(
            chains=(), trust_dates={}, clock_skew=None, key_shared_with=None
        ),
        "quic": make.blank_quic(),
    }
    return Look(target.target, seen, (Missed("http", Reason.RESET),))


def judged(scan: Scan, name: str) -> tuple[Finding, ...]:
    return judging.judge(scan, name, data.checklists()).findings


# -- Rules ------------------------------------------------------------------------------------


def test_the_list_of_rules_is_frozen() -> None:
    """Ids are API: a new one is added to the file by hand, none is ever renamed."""
    assert "".join(f"{id}\n" for id in RULES) == GOLDEN.read_text()


@pytest.mark.parametrize("rule", RULES.values(), ids=RULES)
def test_every_rule_says_what_is_good_why_and_what_to_do(rule: Rule[object]) -> None:
    assert re.fullmatch(r"[a-z]+\.[a-z][a-z0-9-]*", rule.id)
    assert rule.title
    assert not rule.title.endswith(".")
    assert len(rule.title) < 100
    assert "\n" not in rule.title
    assert len(rule.manual) > 60
    assert MANUAL.search(rule.manual), rule.manual
    assert rule.references
    assert all(reference.strip() == reference != "" for reference in rule.references)
    assert rule.needs
    assert set(rule.needs) <= set(SUBJECTS.values())
    assert SUBJECTS[rule.id.partition(".")[0]] in rule.needs


def test_every_rule_is_used_and_every_used_one_exists() -> None:
    used = {id for profile in PROFILES.values() for id in profile.settings}
    assert used == set(RULES)


def test_every_rule_of_a_checklist_exists_and_its_profile_wants_it() -> None:
    for name in data.checklists():
        catalog = checklists.load(name)
        for item in catalog.items:
            own = catalog.profile_of(item, make.DEFAULT_PROFILE)
            assert own in PROFILES, (name, item.id)
            for part in item.parts:
                for rule in part.rules:
                    assert rule in RULES, (name, item.id, part.id)
                    assert rule in PROFILES[own].settings, (name, item.id, part.id)


@pytest.mark.parametrize("setting", SETTINGS)
def test_every_open_value_reaches_its_rule(setting: Setting) -> None:
    """A value that the profile calls open is allowed or left open, never simply overlooked."""
    known = {name for option in _options(setting) for name in _named(option)}
    assert {value for block in setting.open for value in block.values} <= known


# -- Profiles judging --------------------------------------------------------------------------


@pytest.mark.parametrize("name", PROFILES)
def test_every_profile_judges_the_good_observation(name: str) -> None:
    found = {f.rule: f.verdict for f in judged(make.scan(), name) if name in f.profiles}
    assert set(found) == set(PROFILES[name].settings)
    assert Verdict.PASS in found.values()


def test_the_good_observation_is_good() -> None:
    found = judging.judge(make.scan(), names=()).findings
    others = [f.rule for f in found if f.verdict is not Verdict.PASS]
    # That no WAF or VPN shows itself is never a pass; aggressive mode is asked for only where told.
    assert others == [
        "tls.encrypt-then-mac",
        "http.origin-leg",
        "http.web-firewall",
        "vpn.ssl-vpn",
        "vpn.tunnels",
        "ike.aggressive-mode",
        "tls.encrypt-then-mac",  # of the endpoint with HTTP/3
        "http.origin-leg",
        "http.web-firewall",
    ]


@pytest.mark.parametrize("name", PROFILES)
def test_a_blank_observation_passes_nothing(name: str) -> None:
    nothing = make.domain_look(make.blank_registration(), make.blank_dns())
    unheard = make.turn_look(make.blank_turn())
    silent = make.address_look(make.blank_vpn(), make.blank_ports(), make.blank_ike())
    looks = (blank(make.good_look()), nothing, unheard, silent)
    found = judged(make.scan(*looks, profile=name), name)
    outcomes = {f.rule: f.verdict for f in found}
    assert {id: v for id, v in outcomes.items() if v is not Verdict.UNKNOWN} == {}
    assert set(PROFILES[name].settings) - set(outcomes) == {"addresses.agreement"}


@pytest.mark.parametrize("name", PROFILES)
def test_what_was_missed_passes_nothing(name: str) -> None:
    domain = Look(
        make.domain_look().target,
        {},
        tuple(Missed(subject, Reason.TIMEOUT) for subject in ("registration", "dns")),
    )
    address = Look(
        make.address_look().target,
        {},
        tuple(Missed(s, Reason.TIMEOUT) for s in ("vpn", "ports", "ike")),
    )
    endpoint = make.missed_look("tls", "certificate", "http", "quic")
    found = judged(make.scan(endpoint, domain, address), name)
    assert {f.verdict for f in found} == {Verdict.UNKNOWN}


def test_a_blank_observation_meets_no_item() -> None:
    nothing = make.domain_look(make.blank_registration(), make.blank_dns())
    silent = make.address_look(make.blank_vpn(), make.blank_ports(), make.blank_ike())
    unheard = make.turn_look(make.blank_turn())
    scan = make.scan(blank(make.good_look()), nothing, silent, unheard)
    report = judging.judge(scan, names=data.checklists())
    met = [(a.checklist, a.item) for a in report.answers if a.answer in ("met", "not_applicable")]
    assert met == []


RSA = {"key": "RSA", "key_bits": 3072, "curve": ""}
PRIVATE = dict.fromkeys(("mozilla", "apple"), Trust(State.REFUSED))
KINDS: dict[str, CertificateObservation] = {
    "good": observation(),
    "rsa": observation(chain(RSA)),
    "private": observation(chain({"ocsp": (), "sct_logs": ()}, trust=PRIVATE, revocation=())),
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("doubt", [{"maybe_more": True}, {"unseen": ("ECDSA",)}], ids=str)
def test_a_certificate_that_was_not_seen_leaves_everything_open(
    kind: str, doubt: dict[str, Any]
) -> None:
    # Once: with maybe_more, certificate.transparency fails the chain of a private CA (a false
    # fail).
    before, after = (
        {
            f.rule: f.verdict
            for f in judging.judge(make.scan(make.good_look(certificate=seen)), names=()).own()
            if f.rule.startswith("certificate.") and f.rule != "certificate.key-reuse"
        }
        for seen in (KINDS[kind], replace(KINDS[kind], **doubt))
    )
    assert after == {
        rule: verdict if verdict is Verdict.FAIL else Verdict.UNKNOWN
        for rule, verdict in before.items()
    }
