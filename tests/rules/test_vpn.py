"""What is made of marks: one thing changed in an address at which no VPN shows."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from tests.make import ADDRESS, address_look, blank_vpn, scan, vpn_observation
from tlscheck import judge as judging
from tlscheck import profile
from tlscheck.model import Answer, Evidence, Note, Open, Problem, Reason, State, Verdict
from tlscheck.observations.tls import Demand
from tlscheck.observations.vpn import (
    Confidence,
    Hit,
    Port,
    Proof,
    Said,
    Unanswered,
    VpnObservation,
)
from tlscheck.text import sentence

SETTINGS = profile.load("baseline").settings
A, U = State.ACCEPTED, State.UNKNOWN
NOT_SEEN = {"ssl-vpn": ["not-seen?"], "tunnels": ["not-seen?"]}


def hit(
    product: str = "fortinet",
    confidence: Confidence = Confidence.HIGH,
    proves: Proof = Proof.FUNCTION,
    excerpt: str = "/remote/login",
) -> Hit:
    return Hit(product, product.title(), f"{product}.x", "root", proves, confidence, excerpt)


def said(rule: str, seen: VpnObservation) -> list[Evidence]:
    setting = SETTINGS[f"vpn.{rule}"]
    return list(setting.rule(seen, *([setting.want] if setting.want else [])))


def codes(rule: str, seen: VpnObservation) -> list[str]:
    return [
        e.code + "?" * isinstance(e, Open)
        for e in said(rule, seen)
        if isinstance(e, (Problem, Open))
    ]


def judged(seen: VpnObservation) -> dict[str, list[str]]:
    return {rule: found for rule in ("ssl-vpn", "tunnels") if (found := codes(rule, seen))}


def notes(rule: str, seen: VpnObservation) -> set[str]:
    return {e.code for e in said(rule, seen) if isinstance(e, Note)}


LOW, MEDIUM = Confidence.LOW, Confidence.MEDIUM
TIMEOUT = Reason.TIMEOUT
CHANGES: list[tuple[dict[str, Any], dict[str, list[str]]]] = [
    ({}, NOT_SEEN),
    ({"hits": (hit(),)}, {"ssl-vpn": ["seen-fortinet"], "tunnels": ["not-seen?"]}),
    ({"hits": (hit(confidence=MEDIUM),)}, NOT_SEEN | {"ssl-vpn": ["seen-fortinet"]}),
    ({"hits": (hit(confidence=LOW),)}, NOT_SEEN | {"ssl-vpn": ["weak-fortinet?"]}),
    ({"hits": (hit(confidence=LOW), hit())}, NOT_SEEN | {"ssl-vpn": ["seen-fortinet"]}),
    ({"hits": (hit(), hit("f5"))}, NOT_SEEN | {"ssl-vpn": ["seen-fortinet", "seen-f5"]}),
    (
        {"hits": (hit(proves=Proof.PRODUCT),)},
        NOT_SEEN | {"ssl-vpn": ["product-fortinet?", "not-seen?"]},
    ),
    (
        {"hits": (hit(proves=Proof.PRODUCT), hit())},
        NOT_SEEN | {"ssl-vpn": ["seen-fortinet"]},
    ),
    (
        {"hits": (hit("f5", LOW), hit("f5", proves=Proof.PRODUCT))},
        NOT_SEEN | {"ssl-vpn": ["weak-f5?", "product-f5?"]},
    ),
    ({"hits": (hit("yamaha", proves=Proof.IPSEC),)}, NOT_SEEN),
    ({"openvpn": A}, NOT_SEEN | {"tunnels": ["openvpn"]}),
    ({"sstp": A, "sstp_server": "x"}, NOT_SEEN | {"tunnels": ["sstp"]}),
    ({"openvpn": A, "sstp": A}, NOT_SEEN | {"tunnels": ["openvpn", "sstp"]}),
    ({"ipsec": A}, NOT_SEEN),
    (
        {"elsewhere": ("https://vpn.example.jp/my.policy",)},
        NOT_SEEN | {"ssl-vpn": ["elsewhere?", "not-seen?"]},
    ),
    (
        {"unanswered": (Unanswered("f5_policy", Reason.RESET),)},
        {"ssl-vpn": ["not-seen?", "unanswered?"], "tunnels": ["not-seen?", "unanswered?"]},
    ),
    # What is silent by nature leaves nothing open that is not open anyway.
    ({"unanswered": (Unanswered("sstp", TIMEOUT), Unanswered("ipsec_tcp", TIMEOUT))}, NOT_SEEN),
    ({"opened": U, "unanswered": (Unanswered("connect", TIMEOUT),)}, NOT_SEEN),
    (
        {"opened": U, "said": Said.OTHER, "unanswered": (Unanswered("connect", TIMEOUT),)},
        {"ssl-vpn": ["not-seen?", "unanswered?"], "tunnels": ["not-seen?", "unanswered?"]},
    ),
    (
        {"unanswered": (Unanswered("sstp", Reason.BANNED, sent=False),)},
        {"ssl-vpn": ["not-seen?", "unanswered?"], "tunnels": ["not-seen?", "unanswered?"]},
    ),
    # Nothing goes inside of TLS where there is none.
    ({"tls": State.REFUSED, "unanswered": (Unanswered("control", Reason.NOT_TLS),)}, NOT_SEEN),
    ({"web": U, "unanswered": (Unanswered("control", Reason.MALFORMED),)}, NOT_SEEN),
]


@pytest.mark.parametrize(("changes", "expected"), CHANGES)
def test_one_thing_changed(changes: dict[str, Any], expected: dict[str, list[str]]) -> None:
    assert judged(vpn_observation(**changes)) == expected


def test_silence_is_never_a_pass() -> None:
    for seen in (vpn_observation(), blank_vpn()):
        report = judging.judge(scan(address_look(seen)))
        found = {
            f.rule: f for f in report.findings if f.target == ADDRESS and f.rule.startswith("vpn.")
        }
        assert {f.verdict for f in found.values()} == {Verdict.UNKNOWN}
        causes = {e.cause for f in found.values() for e in f.evidence if e.cause}
        assert causes == {"to_declare"}


def test_what_is_seen_refutes_the_row() -> None:
    report = judging.judge(
        scan(address_look(vpn_observation(hits=(hit(),)))), names=("vendor-138",)
    )
    (finding,) = (f for f in report.findings if f.rule == "vpn.ssl-vpn")
    assert (finding.verdict, finding.severity) == (Verdict.FAIL, "high")
    assert Answer.MET not in {a.answer for a in report.answers if a.item == "50"}


def test_a_finding_says_what_it_rests_on() -> None:
    seen = vpn_observation(hits=(hit(), hit(confidence=MEDIUM, excerpt="x\u202e\x1b[1my")))
    (problem,) = (e for e in said("ssl-vpn", seen) if isinstance(e, Problem))
    words = sentence(problem, "en")
    assert words.startswith("443/tcp: the SSL-VPN of Fortinet answers (fortinet.x, root: “/remote/")
    assert "\x1b" not in words
    assert "\u202e" not in words


@pytest.mark.parametrize(
    ("demand", "words"),
    [
        (Demand.REQUIRED, "is demanded"),
        (Demand.REQUIRED_HTTP, "is demanded"),
        (Demand.REQUESTED, "without one"),
        (Demand.NONE, "asks for no"),
        (Demand.UNKNOWN, "was not seen"),
    ],
)
def test_the_exception_is_told_and_never_granted(demand: Demand, words: str) -> None:
    for rule, changes in (("ssl-vpn", {"hits": (hit(),)}), ("tunnels", {"sstp": A})):
        seen = vpn_observation(client_certificate=demand, said=Said.VPN, **changes)
        assert any(isinstance(e, Problem) for e in said(rule, seen))
        notes_ = {e.code: sentence(e, "en") for e in said(rule, seen) if isinstance(e, Note)}
        assert words in notes_["client-certificate"]
        assert "declared" in notes_


def test_ipsec_over_tcp_is_a_note() -> None:
    assert "ipsec-tcp" in notes("ssl-vpn", vpn_observation(ipsec=A))
    assert "ipsec-tcp" not in notes("ssl-vpn", vpn_observation())
    router = vpn_observation(hits=(hit("yamaha", proves=Proof.IPSEC),))
    assert "ipsec-yamaha" in notes("ssl-vpn", router)


def test_how_far_the_look_reached_is_told() -> None:
    port = vpn_observation().ports[0]
    seen = vpn_observation(
        ports=(
            replace(port, said=Said.OTHER, whole=False),
            Port(943, "tcp", opened=State.REFUSED),
            Port(1194, "udp", unanswered=(Unanswered("openvpn_udp", TIMEOUT),)),
            Port(443, "udp", said=Said.OTHER),
        )
    )
    texts = {e.code: sentence(e, "en") for e in said("ssl-vpn", seen) if isinstance(e, Note)}
    assert texts["looked-at"] == (
        "ports of 192.0.2.1 that answered: 443/tcp; where nobody listens: 943/tcp; silent: 1194/udp"
    )
    assert texts["not-asked"].startswith("443/udp: not asked")
    assert texts["declared-ports"].startswith("443/tcp: only the certificate and two pages")
    assert "void" in notes("ssl-vpn", vpn_observation(void=("f5.cookie",)))
