"""What is wrong with HTTP/3: one thing changed where it is as it should be."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from tests.make import blank_quic, certificate_for, quic_look, quic_observation, tls_observation
from tests.make import scan as make_scan
from tlscheck import checklist, data, profile
from tlscheck import judge as judging
from tlscheck.model import Answer, Evidence, Missed, Open, Problem, Reason, State, Verdict
from tlscheck.observations.certificate import CertificateObservation
from tlscheck.observations.quic import SUITES, QuicObservation
from tlscheck.observations.tls import Names, TlsObservation
from tlscheck.rules.core import NotApplicable
from tlscheck.wire.registry import Version

A, R, U = State.ACCEPTED, State.REFUSED, State.UNKNOWN
AES128, AES256, CHACHA = SUITES
V13 = Version.TLS_1_3
OWN = quic_observation().certificates[0]


def said(
    rule: str,
    seen: QuicObservation,
    tcp: TlsObservation | None = None,
    shown: CertificateObservation | None = None,
    judge: str = "vendor-138",
) -> list[Evidence]:
    setting = profile.load(judge).settings[f"quic.{rule}"]
    beside = (tcp or tls_observation(), shown or certificate_for("www.example.jp"))
    more: tuple[Any, ...] = beside if rule == "same-as-tcp" else ()
    return list(setting.rule(seen, *more, *([setting.want] if setting.want else [])))


def deciding(evidence: list[Evidence]) -> list[str]:
    return [e.code + "?" * isinstance(e, Open) for e in evidence if isinstance(e, (Problem, Open))]


RULES = ("versions", "suites", "same-as-tcp")


@pytest.mark.parametrize("rule", RULES)
def test_a_good_one(rule: str) -> None:
    assert deciding(said(rule, quic_observation())) == []


@pytest.mark.parametrize(
    ("versions", "negotiation", "codes"),
    [
        ({"QUIC v1": A, "QUIC v2": A}, A, []),
        ({"QUIC v1": A, "QUIC v2": U}, A, []),
        ({"QUIC v1": A, "QUIC draft 29": A}, A, ["accepted"]),
        ({"QUIC v1": A, "0xfaceb002": A, "Google QUIC Q043": A}, A, ["accepted", "accepted"]),
        ({"QUIC v1": A, "QUIC draft 29": U}, A, ["unsettled?"]),
        ({"QUIC v1": A}, U, ["unlisted?"]),
    ],
)
def test_versions(versions: dict[str, State], negotiation: State, codes: list[str]) -> None:
    seen = quic_observation(versions=versions, negotiation=negotiation)
    assert deciding(said("versions", seen)) == codes


@pytest.mark.parametrize(
    ("judge", "suites", "codes"),
    [
        ("vendor-138", dict.fromkeys(SUITES, A), []),
        ("vendor-138", dict.fromkeys(SUITES, U), []),
        ("nist-800-52r2", dict.fromkeys(SUITES, A), ["accepted"]),
        ("bsi-tr-02102-2", {AES128: A, AES256: A, CHACHA: U}, ["unsettled?"]),
        ("bsi-tr-02102-2", {AES128: A, AES256: A, CHACHA: R}, []),
    ],
)
def test_suites(judge: str, suites: dict[str, State], codes: list[str]) -> None:
    assert deciding(said("suites", quic_observation(suites=suites), judge=judge)) == codes


@pytest.mark.parametrize("name", data.profiles())
def test_the_suites_over_quic_are_those_over_tcp(name: str) -> None:
    """A profile says the same of a suite wherever it is met."""
    settings = profile.load(name).settings
    assert ("quic.suites" in settings) == ("tls.suites" in settings)
    if "tls.suites" in settings:
        quic: Any = settings["quic.suites"].want
        tls: Any = settings["tls.suites"].want
        assert quic.allow == tls.allow & set(SUITES)
        assert quic.open == tls.open & set(SUITES)
        assert settings["quic.suites"].severity == settings["tls.suites"].severity


# -- beside TCP --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("over_quic", "over_tcp", "codes"),
    [
        (A, A, []),
        (R, A, []),
        (R, R, []),
        (U, A, []),
        (A, R, ["suite"]),
        (A, U, ["suite-tcp?"]),
        (U, R, ["unsettled?"]),
        (U, U, ["unsettled?"]),
    ],
)
def test_a_suite_beside_tcp(over_quic: State, over_tcp: State, codes: list[str]) -> None:
    others = tuple(name for name in SUITES if name != CHACHA)
    tcp = tls_observation(
        suites={V13: (*others, CHACHA) if over_tcp is A else others},
        refused={V13: Names(suites=(CHACHA,) if over_tcp is R else ())},
    )
    seen = quic_observation(suites={AES128: A, AES256: A, CHACHA: over_quic})
    assert deciding(said("same-as-tcp", seen, tcp)) == codes


def test_tcp_without_tls_1_3() -> None:
    versions = {**tls_observation().versions, V13: R}
    tcp = tls_observation(versions=versions, suites={}, refused={})
    assert deciding(said("same-as-tcp", quic_observation(), tcp)) == ["suite", "suite"]


@pytest.mark.parametrize(
    ("changes", "codes"),
    [
        ({}, []),  # renewed: the same key, names and issuer
        ({"spki_sha256": "0" * 64}, ["key"]),
        ({"names": ("other.example.jp",)}, ["names"]),
        ({"issuer": "CN=Somebody"}, ["issuer"]),
        ({"spki_sha256": "0" * 64, "issuer": "CN=Somebody"}, ["key", "issuer"]),
        ({"unread": ("key",)}, ["certificate?"]),
    ],
)
def test_another_certificate(changes: dict[str, Any], codes: list[str]) -> None:
    other = replace(OWN, sha256="1" * 64, **changes)
    found = said("same-as-tcp", quic_observation(certificates=(OWN, other)))
    assert deciding(found) == codes
    assert any(e.code == "another" for e in found) == ("unread" not in changes)


@pytest.mark.parametrize(
    "changes", [{"maybe_more": True}, {"unseen": (OWN.key,)}, {"chains": ()}], ids=str
)
def test_certificates_over_tcp_that_were_not_all_seen(changes: dict[str, Any]) -> None:
    """What cannot be compared is open, and no problem."""
    other = replace(OWN, sha256="1" * 64, spki_sha256="2" * 64)
    shown = replace(certificate_for("www.example.jp"), **changes)
    found = said("same-as-tcp", quic_observation(certificates=(other,)), shown=shown)
    assert deciding(found) in (["certificate?"], ["tcp-certificate?"])


def test_certificates_over_quic_that_were_not_all_seen() -> None:
    seen = quic_observation(keys={"RSA": U, "ECDSA": A})
    assert deciding(said("same-as-tcp", seen)) == ["keys?"]


# -- nobody, and nobody there ------------------------------------------------------------------

SILENT: dict[str, Any] = {
    "answers": U, "negotiation": U, "canary": U, "certificates": (), "detail": "timeout",
    "suites": {}, "versions": {"QUIC v1": U, "QUIC v2": U},
}  # fmt: skip


@pytest.mark.parametrize("rule", RULES)
def test_silence(rule: str) -> None:
    """Unknown where it is announced or declared; without that nothing is there to be judged."""
    assert deciding(said(rule, blank_quic())) == ["silent?"]
    declared = quic_observation(announced=False, service="quic", **SILENT)
    assert deciding(said(rule, declared)) == ["silent?"]
    for answers, code in ((U, "nobody"), (R, "closed")):
        alone = quic_observation(announced=False, **(SILENT | {"answers": answers}))
        with pytest.raises(NotApplicable) as aside:
            said(rule, alone)
        assert aside.value.evidence.code == code
        announced = quic_observation(**(SILENT | {"answers": answers}))
        assert deciding(said(rule, announced)) == ["silent?"]


def test_without_aioquic() -> None:
    """Versions are judged; all else is unknown, with the reason."""
    seen = quic_observation(**(SILENT | {"answers": A, "negotiation": A, "detail": Reason.EXTRA}))
    assert deciding(said("versions", seen)) == []
    for rule in ("suites", "same-as-tcp"):
        [only] = said(rule, seen)
        assert (only.code, only.cause) == ("handshake", "extra")


# -- items -------------------------------------------------------------------------------------

SERVER = "quic.versions", "quic.suites", "quic.same-as-tcp"


def verdicts(report: Any) -> dict[str, Verdict]:
    return {f.rule: f.verdict for f in report.findings if f.rule in SERVER}


def answer(*looks: Any, part: str = "server") -> Any:
    """What item 44 gets overall for its server."""
    report = judging.judge(make_scan(*looks), names=("vendor-138",))
    item = next(a for a in report.answers if a.item == "44" and a.target is None)
    return next(p for p in item.parts if p.id == part).answer, verdicts(report)


def test_item_44_of_a_target_without_quic() -> None:
    without = replace(quic_look(), seen={k: v for k, v in quic_look().seen.items() if k != "quic"})
    assert answer(without) == (Answer.MET, {})
    unasked = Missed("quic", Reason.NOT_APPLICABLE, "HTTP/3 is not announced")
    got, found = answer(replace(without, missed=(unasked,)))
    assert (got, set(found.values())) == (Answer.MET, {Verdict.NOT_APPLICABLE})
    nobody = quic_observation(announced=False, **SILENT)
    got, found = answer(quic_look(nobody))
    assert (got, set(found.values())) == (Answer.MET, {Verdict.NOT_APPLICABLE})


@pytest.mark.parametrize(
    ("seen", "expected"),
    [
        (quic_observation(), Answer.MET),
        (blank_quic(), Answer.UNDETERMINED),
        (quic_observation(suites={AES128: A, AES256: A, CHACHA: A}), Answer.NOT_MET),
        (quic_observation(versions={"QUIC draft 29": A}), Answer.NOT_MET),
    ],
)
def test_item_44_of_a_target_with_quic(seen: QuicObservation, expected: Answer) -> None:
    assert answer(quic_look(seen))[0] is expected


def test_quic_that_could_not_be_looked_at_leaves_item_44_open() -> None:
    seen = {k: v for k, v in quic_look().seen.items() if k != "quic"}
    look = replace(quic_look(), seen=seen, missed=(Missed("quic", Reason.BUG),))
    assert answer(look)[0] is Answer.UNDETERMINED


def test_items_that_speak_of_quic() -> None:
    for name in ("vendor-138", "standard-2026", "guideline-security", "mhlw-5.2", "mhlw-7.0"):
        parts = [p for item in checklist.load(name).items for p in item.parts]
        assert any("quic.suites" in part.rules for part in parts)
