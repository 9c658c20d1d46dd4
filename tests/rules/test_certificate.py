"""Every rule with rows that pass, fail, and cannot be decided."""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.make_chain import AT, DAY, GOOD, LEAF, ROOT, chain, observation
from tlscheck.model import Evidence, Open, Problem, State, Verdict
from tlscheck.observations.certificate import (
    Certificate,
    CertificateObservation,
    Chain,
    Revocation,
    Standing,
    Staple,
    Trust,
)
from tlscheck.rules.certificate import MODULES, leaf, sent, trust
from tlscheck.rules.core import NotApplicable, Rule, collect

ACCEPTED, REFUSED, UNKNOWN = Trust(State.ACCEPTED), Trust(State.REFUSED, "no"), Trust()
FAIL, OPEN, PASS, NONE = Verdict.FAIL, Verdict.UNKNOWN, Verdict.PASS, Verdict.NOT_APPLICABLE
SKEWED = observation(clock_skew=-400.0)

WANTS: dict[str, Any] = {
    "certificate.trusted": trust.Trusted(frozenset({"mozilla", "apple"})),
    "certificate.distrusted-issuer": trust.Distrusted(frozenset({"Bad  corp."})),
    "certificate.validity-length": leaf.ValidityLength(
        (
            leaf.Limit(date(2020, 9, 1), 398),
            leaf.Limit(date(2026, 3, 15), 200),
            leaf.Limit(date(2027, 3, 15), 100),
        )
    ),
    "certificate.expiry": leaf.Expiry(14),
    "certificate.key-size": leaf.KeySize(rsa=2048, ec=256),
    "certificate.key-curves": leaf.KeyCurves(
        frozenset({"secp256r1", "secp384r1"}), frozenset({"Ed25519"})
    ),
    "certificate.signature-hash": leaf.SignatureHash(frozenset({"MD5", "SHA1"})),
    "certificate.transparency": sent.Transparency(2),
}
RULES = collect(*MODULES)


def said(rule: Rule[Any], seen: CertificateObservation) -> tuple[Evidence, ...]:
    return rule(seen, *([WANTS[rule.id]] if rule.wants else []))


def verdict(rule: Rule[Any], seen: CertificateObservation) -> Verdict:
    try:
        evidence = said(rule, seen)
    except NotApplicable:
        return NONE
    if any(isinstance(e, Problem) for e in evidence):
        return FAIL
    return OPEN if any(isinstance(e, Open) for e in evidence) else PASS


def one(leaf: dict[str, Any] | None = None, **changes: Any) -> CertificateObservation:
    return observation(chain(leaf, **changes))


def trusts(**changes: Trust) -> dict[str, Trust]:
    return {**GOOD.trust, **changes}


def nobody(trust: Trust) -> dict[str, Trust]:
    return dict.fromkeys(GOOD.trust, trust)


def way(*middle: Certificate) -> Chain:
    return chain(way=(LEAF, *middle, ROOT))


MIDDLE = replace(
    ROOT, sha256="b" * 64, issuer="CN=Root", issuer_organisation="", signature_hash="SHA384"
)
STALE = Staple(Standing.GOOD, AT - 9 * DAY, AT - 2 * DAY)

ROWS: list[tuple[Rule[Any], CertificateObservation, Verdict]] = [
    (trust.trusted, observation(), PASS),
    (trust.trusted, one(path=REFUSED), FAIL),
    (trust.trusted, one(path=UNKNOWN), OPEN),
    (trust.trusted, one(trust=trusts(mozilla=REFUSED)), FAIL),
    (trust.trusted, one(trust=trusts(mozilla=UNKNOWN)), OPEN),
    (trust.trusted, one(trust=trusts(java=REFUSED)), PASS),
    (trust.trusted, one(trust={}), OPEN),
    (trust.trusted, one(strict=REFUSED), PASS),
    (trust.trusted, one(strict=UNKNOWN), PASS),
    (trust.trusted, one(trust=nobody(REFUSED), ca_file=ACCEPTED), PASS),
    (trust.trusted, one(trust=nobody(REFUSED), ca_file=REFUSED), FAIL),
    (trust.trusted, one(path=REFUSED, ca_file=ACCEPTED), FAIL),
    (trust.trusted, one(path=Trust(State.REFUSED, "expired", 10)), FAIL),
    (trust.trusted, SKEWED, OPEN),
    (
        trust.trusted,
        observation(chain(path=Trust(State.REFUSED, "expired", 10)), clock_skew=301),
        OPEN,
    ),
    (trust.trusted, observation(chain(path=REFUSED), clock_skew=301), FAIL),
    (trust.trusted, observation(GOOD, chain(path=REFUSED)), FAIL),
    (trust.trusted, observation(GOOD, chain(path=REFUSED, with_sni=False)), PASS),
    (trust.trusted, observation(chain(path=REFUSED, with_sni=False)), FAIL),
    (trust.publicly_issued, observation(), PASS),
    (trust.publicly_issued, one(trust=nobody(REFUSED)), FAIL),
    (trust.publicly_issued, one(trust=nobody(REFUSED), ca_file=ACCEPTED), FAIL),
    (trust.publicly_issued, one(trust=nobody(REFUSED) | {"java": ACCEPTED}), PASS),
    (trust.publicly_issued, one(trust=nobody(REFUSED) | {"java": UNKNOWN}), OPEN),
    (trust.publicly_issued, one(trust=nobody(REFUSED) | {"microsoft": ACCEPTED}), OPEN),
    (trust.publicly_issued, one(trust={}), OPEN),
    (trust.distrusted_issuer, observation(), PASS),
    (trust.distrusted_issuer, one({"issuer_organisation": "ＢＡＤ Corp."}), FAIL),
    (trust.distrusted_issuer, one({"issuer_organisation": "Bad Corp. Ltd."}), PASS),
    (trust.distrusted_issuer, observation(way(replace(MIDDLE, organisation="bad corp."))), FAIL),
    (trust.distrusted_issuer, one(way=(LEAF, replace(ROOT, organisation="BAD CORP."))), FAIL),
    (trust.distrusted_issuer, one(way=()), OPEN),
    (trust.distrusted_issuer, one({"unread": ("names",)}), OPEN),
    (leaf.names, observation(), PASS),
    (leaf.names, observation(asked_name="WWW.Example.JP."), PASS),
    (leaf.names, observation(asked_name="a.example.jp"), PASS),
    (leaf.names, observation(asked_name="example.jp"), FAIL),
    (leaf.names, observation(asked_name="a.b.example.jp"), FAIL),
    (leaf.names, observation(asked_name="192.0.2.1"), PASS),
    (leaf.names, observation(asked_name="192.0.2.2"), FAIL),
    (leaf.names, one({"names": (), "addresses": ()}), FAIL),
    (leaf.names, one({"names": (), "unread": ("extensions",)}), OPEN),
    (leaf.names, one({"names": ("w*.example.jp", "*", "*.*.jp", "www.*.jp")}), FAIL),
    (leaf.validity, observation(), PASS),
    (leaf.validity, one({"not_before": AT + DAY}), FAIL),
    (leaf.validity, one({"not_after": AT - DAY}), FAIL),
    (leaf.validity, observation(way(replace(MIDDLE, not_after=AT - DAY))), FAIL),
    (leaf.validity, one(way=(LEAF, replace(ROOT, not_after=AT - DAY))), PASS),
    (leaf.validity, one({"not_after": None}), OPEN),
    (leaf.validity, SKEWED, OPEN),
    (leaf.validity, observation(clock_skew=None), PASS),
    (leaf.validity_length, observation(), PASS),
    (leaf.validity_length, one({"not_after": AT + 170 * DAY}), FAIL),
    (leaf.validity_length, one({"not_after": AT + 170 * DAY - timedelta(seconds=1)}), PASS),
    (
        leaf.validity_length,
        one({"not_before": AT - 300 * DAY, "not_after": AT + 90 * DAY}),
        PASS,
    ),
    (leaf.validity_length, one({"not_before": AT - 4000 * DAY}), PASS),
    (leaf.validity_length, one({"not_before": None}), OPEN),
    (leaf.expiry, observation(), PASS),
    (leaf.expiry, one({"not_after": AT + 13 * DAY}), FAIL),
    (leaf.expiry, one({"not_after": AT + 14 * DAY}), PASS),
    (leaf.expiry, observation(way(replace(MIDDLE, not_after=AT + DAY))), FAIL),
    (leaf.expiry, one({"not_after": None}), OPEN),
    (leaf.expiry, SKEWED, OPEN),
    (leaf.key_size, observation(), PASS),
    (leaf.key_size, one({"key": "RSA", "key_bits": 2047}), FAIL),
    (leaf.key_size, one({"key": "RSA", "key_bits": 2048}), PASS),
    (leaf.key_size, one({"key_bits": 224}), FAIL),
    (leaf.key_size, one({"key": "DSA", "key_bits": 1024}), FAIL),
    (leaf.key_size, one({"key": "", "unread": ("key",)}), OPEN),
    (leaf.key_size, one({"key": "MLDSA65"}), OPEN),
    (leaf.key_curves, observation(), PASS),
    (leaf.key_curves, one({"curve": "secp256k1"}), FAIL),
    (leaf.key_curves, one({"key": "Ed25519", "curve": "Ed25519"}), OPEN),
    (leaf.key_curves, one({"key": "RSA", "curve": ""}), NONE),
    (leaf.key_curves, observation(chain({"key": "RSA", "curve": ""}), GOOD), PASS),
    (
        leaf.key_curves,
        observation(chain({"key": "RSA", "curve": ""}), unseen=("ECDSA",)),
        OPEN,
    ),
    (leaf.key_curves, one({"key": "", "curve": "", "unread": ("key",)}), OPEN),
    (leaf.signature_hash, observation(), PASS),  # the root's SHA-1 does not matter
    (leaf.signature_hash, one({"signature_hash": "SHA1"}), FAIL),
    (leaf.signature_hash, observation(way(replace(MIDDLE, signature_hash="SHA1"))), FAIL),
    (leaf.signature_hash, one({"signature_hash": ""}), PASS),  # EdDSA
    (leaf.signature_hash, one({"unread": ("signature",), "signature_hash": ""}), OPEN),
    (leaf.signature_hash, one(way=()), OPEN),
    (sent.chain, observation(), PASS),
    (sent.chain, one(missing_intermediate=State.ACCEPTED), FAIL),
    (sent.chain, one(missing_intermediate=State.UNKNOWN), OPEN),
    (sent.chain, one(in_order=False, needless=("CN=Root",), sent=12), PASS),
    (sent.self_signed, observation(), PASS),
    (sent.self_signed, one({"issuer": LEAF.subject}), FAIL),
    (sent.self_signed, one({"unread": ("names",)}), OPEN),
    (sent.transparency, observation(), PASS),
    (sent.transparency, one({"sct_logs": ("01",)}), FAIL),
    (sent.transparency, one({"sct_logs": ("01",)}, tls_sct_logs=("02",)), PASS),
    (sent.transparency, one({"sct_logs": ("01",)}, tls_sct_logs=("01",)), FAIL),
    (sent.transparency, one({"sct_logs": ("01",)}, tls_sct_logs=None), OPEN),
    (sent.transparency, one({"sct_logs": ()}, stapling=State.UNKNOWN), OPEN),
    (sent.transparency, one({"sct_logs": ()}, staple=Staple()), OPEN),
    (
        sent.transparency,
        one({"sct_logs": ()}, staple=Staple(Standing.GOOD, sct_logs=("1", "2"))),
        PASS,
    ),
    (sent.transparency, one({"sct_logs": ()}, trust=nobody(REFUSED)), NONE),
    (sent.transparency, one({"sct_logs": (), "unread": ("extensions",)}), OPEN),
    (sent.stapling, observation(), PASS),
    (sent.stapling, one(stapling=State.REFUSED, staple=None), FAIL),
    (sent.stapling, one(stapling=State.UNKNOWN, staple=None), OPEN),
    (sent.stapling, one(staple=STALE), FAIL),
    (sent.stapling, observation(chain(staple=STALE), clock_skew=900), OPEN),
    (sent.stapling, one(staple=Staple(Standing.REVOKED)), FAIL),
    (sent.stapling, one(staple=Staple(detail="no")), FAIL),
    (sent.stapling, one(staple=Staple(detail="no"), way=()), OPEN),
    (sent.stapling, one({"ocsp": ()}), NONE),
    (sent.stapling, one({"ocsp": (), "must_staple": True}, stapling=State.REFUSED), FAIL),
    (sent.stapling, one({"ocsp": (), "unread": ("extensions",)}), OPEN),
    (sent.revocation, observation(), PASS),
    (sent.revocation, one(revocation=(Revocation(LEAF.sha256, Standing.REVOKED),)), FAIL),
    (sent.revocation, one(revocation=(Revocation(LEAF.sha256),)), OPEN),
    (sent.revocation, one(revocation=()), OPEN),
    (sent.revocation, observation(way(MIDDLE)), OPEN),
    (sent.revocation, one(way=()), OPEN),
    (sent.revocation, SKEWED, OPEN),
    (sent.key_reuse, observation(), PASS),
    (sent.key_reuse, observation(key_shared_with=("other.example:443",)), FAIL),
    (sent.key_reuse, observation(key_shared_with=None), NONE),
    (sent.key_reuse, observation(key_unseen_at=("other.example",)), OPEN),
    (sent.key_reuse, observation(key_shared_with=None, key_unseen_at=("o.example",)), OPEN),
    (sent.key_reuse, observation(unseen=("RSA",)), OPEN),
]


@pytest.mark.parametrize(
    ("rule", "seen", "expected"),
    ROWS,
    ids=[f"{rule.id}-{number}-{expected}" for number, (rule, _, expected) in enumerate(ROWS)],
)
def test_rows(rule: Rule[Any], seen: CertificateObservation, expected: Verdict) -> None:
    assert verdict(rule, seen) is expected


def test_every_rule_has_a_row_that_passes_one_that_fails_and_one_that_is_open() -> None:
    have = {(rule.id, expected) for rule, _, expected in ROWS}
    assert have >= set(itertools.product(RULES, (PASS, FAIL, OPEN)))


@pytest.mark.parametrize("rule", RULES.values(), ids=RULES)
class TestNothingPassesUnseen:
    def test_nothing_could_be_read(self, rule: Rule[Any]) -> None:
        blank = Chain((Certificate("0" * 64, "", ("certificate",)),))
        seen = CertificateObservation(at=AT, asked_name="www.example.jp", chains=(blank,))
        assert verdict(rule, seen) is OPEN

    def test_another_certificate_was_not_seen(self, rule: Rule[Any]) -> None:
        if rule is not sent.key_reuse:
            assert verdict(rule, observation(unseen=("RSA",))) is OPEN

    def test_one_of_two_chains_is_blank(self, rule: Rule[Any]) -> None:
        blank = Chain((Certificate("0" * 64, "", ("certificate",)),))
        seen = observation(GOOD, blank)
        if rule is not sent.key_reuse:
            assert verdict(rule, seen) is OPEN

    def test_every_rule_says_why_and_what_to_do(self, rule: Rule[Any]) -> None:
        assert rule.title
        assert rule.references
        assert len(rule.manual) > 100

    def test_every_sentence_has_its_values(self, rule: Rule[Any]) -> None:
        for other, seen, expected in ROWS:
            if other is rule and expected is not NONE:
                for evidence in said(rule, seen):
                    assert evidence.template.format(**evidence.values)


LABELS = st.text("abcxyz0129-", min_size=1, max_size=8)


@given(st.lists(LABELS, min_size=2, max_size=4), st.lists(LABELS, min_size=2, max_size=4))
def test_a_wildcard_stands_for_exactly_one_label(asked: list[str], base: list[str]) -> None:
    matched = leaf._matches("*." + ".".join(base), ".".join(asked))
    assert matched == (asked[1:] == base)


def codes(evidence: Iterable[Evidence]) -> list[str]:
    return [e.code for e in evidence]


def test_what_a_pass_rests_on() -> None:
    assert codes(said(trust.trusted, observation())) == ["in_store", "in_store"]
    assert "own_ca" in codes(said(trust.trusted, one(ca_file=ACCEPTED)))
    assert "strict" in codes(said(trust.trusted, one(strict=REFUSED)))


def test_causes() -> None:
    def cause(rule: Rule[Any], seen: CertificateObservation) -> set[str]:
        return {e.cause for e in said(rule, seen) if isinstance(e, Open)}

    assert cause(leaf.validity, SKEWED) == {"clock"}
    ed25519 = one({"key": "Ed25519", "curve": "Ed25519"})
    assert cause(leaf.key_curves, ed25519) == {"open_question"}
    asked_not = one(revocation=(Revocation(LEAF.sha256, detail="not_asked"),))
    assert cause(sent.revocation, asked_not) == {"not_asked"}
