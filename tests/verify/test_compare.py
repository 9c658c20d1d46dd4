"""Claims against observations: what holds, what does not, and that nothing open is confirmed."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any

import pytest

from tests import make
from tests.make import (
    A,
    R,
    U,
    address_look,
    blank_dns,
    blank_ike,
    blank_ports,
    blank_registration,
    blank_tls,
    blank_vpn,
    certificate_for,
    domain_look,
    gateway_look,
    good_look,
    http_observation,
    ike_observation,
    ports_observation,
    registration_observation,
    scan,
    tls_observation,
)
from tlscheck.model import Look, Missed, Reason, Scan, Scope, Standpoint, State, Target
from tlscheck.observations.certificate import Trust
from tlscheck.observations.http import Plain, PlainState
from tlscheck.observations.ike import IkeVersion
from tlscheck.observations.ports import Port, PortState
from tlscheck.observations.tls import ClientCertificate, Demand
from tlscheck.verify import Claims, Outcome, Standing, exit_code, kinds, show, subjects, verify
from tlscheck.verify.claims import KINDS, Claim, Hsts
from tlscheck.wire.registry import Version

V10, V12, V13 = Version.TLS_1_0, Version.TLS_1_2, Version.TLS_1_3
YES, NO = Standing.CONFIRMED, Standing.CONTRADICTED
OPEN, PAPER = Standing.UNSETTLED, Standing.NOT_OBSERVABLE
SUITES = tuple(n for names in make.ACCEPTED["suites"].values() for n in names)
GROUPS = ("x25519", "secp256r1", "X25519MLKEM768")
EVERY_PORT = {"tcp": "1-65535"}


def one(kind: str, value: Any, *looks: Look, target: str = "", **changes: Any) -> Outcome:
    """What becomes of one claim."""
    seen = scan(*looks, **changes)
    (outcome,) = verify(Claims("f", (Claim(kind, value, target=target),)), seen).outcomes
    return outcome


def all_ports(*more: Port, **changes: Any) -> Look:
    return address_look(seen=ports_observation(*more, asked=EVERY_PORT, **changes))


GOOD: list[tuple[str, Any, Standing]] = [
    ("versions", (V12, V13), YES),
    ("versions", (V13,), NO),
    ("versions", (V10, V12, V13), NO),
    ("versions_among", (V12, V13), YES),
    ("versions_among", (V10, V12, V13), YES),
    ("versions_among", (V13,), NO),
    ("versions_with", (V13,), YES),
    ("versions_with", (V10,), NO),
    ("versions_without", (V10,), YES),
    ("versions_without", (V12,), NO),
    ("suites", SUITES, YES),
    ("suites", SUITES[1:], NO),
    ("suites", (*SUITES, "TLS_RSA_WITH_AES_128_CBC_SHA"), NO),
    ("suites_among", (*SUITES, "TLS_RSA_WITH_AES_128_CBC_SHA"), YES),
    ("suites_among", SUITES[1:], NO),
    ("groups", GROUPS, YES),
    ("groups", (*GROUPS, "secp384r1"), NO),
    ("groups_among", GROUPS, YES),
    ("groups_among", GROUPS[:1], NO),
    ("profile", "vendor-138", YES),
    ("profile", "mozilla-modern", NO),
    ("forward_secrecy", True, YES),
    ("publicly_issued", True, YES),
    ("key", "ECDSA", YES),
    ("key", "RSA", NO),
    ("key_bits", 256, YES),
    ("key_bits", 2048, NO),
    ("valid_until", date(2026, 11, 21), YES),
    ("valid_until", date(2099, 1, 1), NO),
    ("hsts", Hsts(), YES),
    ("hsts", Hsts(63_072_000, include_subdomains=True), YES),
    ("hsts", Hsts(63_072_001), NO),
    ("http_redirected", True, YES),
    ("client_certificate", True, NO),
    ("no_ssl_vpn", True, PAPER),
    ("no_ikev1", True, YES),
    ("registrar", ("example registrar",), YES),
    ("registrar", ("Another",), NO),
    ("transfer_lock", True, YES),
    ("dnssec", True, YES),
    ("caa", True, YES),
    ("caa_among", ("letsencrypt.org",), YES),
    ("caa_among", ("digicert.com",), NO),
    ("ports", (443,), OPEN),  # not every port was asked
    ("ports_among", (80, 443), OPEN),
    ("ports", (80,), NO),
]


@pytest.mark.parametrize(("kind", "value", "standing"), GOOD)
def test_against_a_scan_in_which_all_is_well(kind: str, value: Any, standing: Standing) -> None:
    outcome = one(kind, value)
    assert outcome.standing is standing
    problems = [e for s in outcome.spots for e in s.evidence if e.kind == "problem"]
    assert bool(problems) is (standing is NO)


BLANK = scan(
    Look(
        make.endpoint(),
        {
            "tls": blank_tls(),
            "certificate": replace(certificate_for("www.example.jp"), chains=()),
            "http": http_observation(plain=Plain(PlainState.UNKNOWN, 80), hsts=None, literal=True),
        },
    ),
    domain_look(blank_registration(), blank_dns()),
    address_look(blank_vpn(), blank_ports(), blank_ike()),
)
MISSED = scan(
    make.missed_look(),
    Look(
        Target("example.jp", Scope.NAME),
        {},
        tuple(Missed(s, Reason.TIMEOUT) for s in ("registration", "dns")),
    ),
    Look(
        Target(make.ADDRESS, Scope.ADDRESS),
        {},
        tuple(Missed(s, Reason.FILTERED) for s in ("ports", "vpn", "ike")),
    ),
)
NOT_ASKED = scan(make.names_look())
UNRESOLVED = scan(
    Look(
        Target("https://www.example.jp:443", Scope.NAME),
        {},
        tuple(Missed(s, Reason.UNRESOLVED) for s in ("tls", "certificate", "http")),
    )
)


@pytest.mark.parametrize("seen", [BLANK, MISSED, NOT_ASKED, UNRESOLVED], ids=["a", "b", "c", "d"])
@pytest.mark.parametrize("kind", KINDS)
def test_what_was_not_seen_is_neither_confirmed_nor_contradicted(kind: str, seen: Scan) -> None:
    value = next((v for k, v, _ in GOOD if k == kind), ("Test Root",))
    made = verify(Claims("f", (Claim(kind, value),)), seen)
    assert made.outcomes[0].standing in (OPEN, PAPER)
    assert exit_code(made) in (0, 3)
    if seen is not BLANK:
        assert made.outcomes[0].standing is OPEN
        assert exit_code(made) == 3


def test_every_kind_is_tried_and_told() -> None:
    assert {k for k, _, _ in GOOD} | {"issuer"} == set(KINDS) == set(kinds.told())


SPOILT: list[tuple[str, Any, Look, Standing]] = [
    (
        "versions",
        (V12, V13),
        good_look(tls=tls_observation(versions=make.versions(TLS_1_0=U))),
        OPEN,
    ),
    (
        "versions_without",
        (V10,),
        good_look(tls=tls_observation(versions=make.versions(TLS_1_0=U))),
        OPEN,
    ),
    ("versions_with", (V13,), good_look(tls=tls_observation(contradictions=("versions",))), OPEN),
    (
        "client_certificate",
        True,
        good_look(tls=tls_observation(client_certificate=ClientCertificate(Demand.REQUIRED))),
        YES,
    ),
    (
        "client_certificate",
        True,
        good_look(tls=tls_observation(client_certificate=ClientCertificate(Demand.REQUESTED))),
        NO,
    ),
    (
        "client_certificate",
        True,
        good_look(tls=tls_observation(client_certificate=ClientCertificate())),
        OPEN,
    ),
    ("hsts", Hsts(), good_look(http=http_observation(hsts=None)), NO),
    ("hsts", Hsts(), good_look(http=http_observation(literal=True)), PAPER),
    (
        "http_redirected",
        True,
        good_look(http=http_observation(plain=Plain(PlainState.NONE, 80))),
        OPEN,
    ),
    (
        "http_redirected",
        True,
        good_look(http=http_observation(plain=Plain(PlainState.SERVES, 80, 200))),
        NO,
    ),
    ("http_redirected", True, good_look(http=http_observation(plain=None)), OPEN),
    ("ports", (443,), all_ports(), YES),
    ("ports", (80, 443), all_ports(), NO),
    ("ports_among", (80, 443), all_ports(), YES),
    ("ports_among", (443,), all_ports(Port(22, "tcp", PortState.OPEN)), NO),
    ("ports_among", (443,), all_ports(Port(500, "udp", PortState.OPEN)), YES),
    ("ports_among", (443,), all_ports(counts={"tcp": {PortState.UNKNOWN: 3}}), OPEN),
    ("ports_among", (443,), all_ports(answering_for_all=True), OPEN),
    ("ports_among", (443,), all_ports(shared="a network"), PAPER),
    ("no_ikev1", True, gateway_look(ike_observation(versions={IkeVersion.V1: A})), NO),
    ("no_ikev1", True, gateway_look(ike_observation(versions={IkeVersion.V1: U})), PAPER),
    ("registrar", ("Example",), domain_look(registration_observation(registrar="")), OPEN),
    ("transfer_lock", True, domain_look(registration_observation(statuses=("active",))), NO),
    ("transfer_lock", True, domain_look(registration_observation(statuses=())), OPEN),
    ("dnssec", True, domain_look(dns=make.dns_observation(names=())), YES),
    ("caa", True, domain_look(dns=make.dns_observation(names=())), OPEN),
    ("caa_among", ("a.example",), domain_look(dns=make.dns_observation(names=())), OPEN),
]


@pytest.mark.parametrize(("kind", "value", "look", "standing"), SPOILT)
def test_what_one_thing_does(kind: str, value: Any, look: Look, standing: Standing) -> None:
    assert one(kind, value, look).standing is standing


def test_an_issuer_that_only_an_own_ca_vouches_for_is_said_to_be_one() -> None:
    def told(**changes: Any) -> str:
        look = good_look(certificate=certificate_for("www.example.jp", **changes))
        seen: Any = look.seen["certificate"]
        claim = Claim("issuer", (seen.chains[0].leaf.issuer.rpartition("=")[2],))
        made = verify(Claims("f", (claim,)), scan(look))
        assert made.outcomes[0].standing is YES
        return " ".join(show.text(made, "en").decode().split())

    words = "only the CA given with --ca-file vouches for"
    assert words in told(trust={}, ca_file=Trust(State.ACCEPTED))
    assert words not in told()


@pytest.mark.parametrize(
    ("trust", "standing"),
    [(A, YES), (R, OPEN), (U, OPEN)],
)
def test_an_issuer_that_nobody_vouches_for_is_not_confirmed(
    trust: State, standing: Standing
) -> None:
    look = good_look(
        certificate=certificate_for("www.example.jp", trust={"mozilla": Trust(trust)}, ca_file=None)
    )
    seen: Any = look.seen["certificate"]
    name = seen.chains[0].leaf.issuer.rpartition("=")[2]
    assert one("issuer", (name,), look).standing is standing
    assert one("issuer", ("Nobody Known",), look).standing is NO


def test_a_certificate_that_is_not_to_end() -> None:
    seen = certificate_for("www.example.jp")
    chain = seen.chains[0]
    leaf = replace(chain.leaf, not_after=datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC))
    endless = replace(seen, chains=(replace(chain, certificates=(leaf,)),))
    claims = Claims("f", (Claim("valid_until", date(2099, 1, 1)),))
    made = verify(claims, scan(good_look(certificate=endless)))
    assert made.outcomes[0].standing is YES
    assert "9999-12-31" in show.text(made, "ja").decode()


def test_the_worst_target_decides_and_each_is_told() -> None:
    weak = good_look(
        "old.example.jp", "192.0.2.2", tls=tls_observation(versions=make.versions(TLS_1_0=A))
    )
    silent = make.missed_look(host="gone.example.jp")
    outcome = one("versions_without", (V10,), good_look(), weak, silent)
    assert outcome.standing is NO
    assert [s.standing for s in outcome.spots] == [YES, NO, OPEN]
    assert one("versions_without", (V10,), good_look(), silent).standing is OPEN


def test_a_second_address_that_did_not_answer_leaves_it_open() -> None:
    target = make.endpoint("www.example.jp", "192.0.2.2")
    other = Look(target, {}, (Missed("tls", Reason.TIMEOUT),))
    assert one("versions", (V12, V13), good_look(), other).standing is OPEN


@pytest.mark.parametrize("family", [4, 6])
def test_half_of_the_addresses_is_not_all(family: int) -> None:
    half = Standpoint(family=family)
    assert one("versions", (V12, V13), good_look(), standpoint=half).standing is OPEN
    assert one("versions", (V13,), good_look(), standpoint=half).standing is NO


def test_a_claim_speaks_of_its_target() -> None:
    weak = good_look(
        "old.example.jp", "192.0.2.2", tls=tls_observation(versions=make.versions(TLS_1_0=A))
    )
    both = (good_look(), weak, domain_look())
    assert one("versions_without", (V10,), *both, target="www.example.jp").standing is YES
    assert one("versions_without", (V10,), *both, target="www.example.jp:443").standing is YES
    assert one("versions_without", (V10,), *both, target="www.example.jp:8443").standing is OPEN
    assert one("versions_without", (V10,), *both, target="smtp://www.example.jp").standing is OPEN
    assert one("versions_without", (V10,), *both, target="old.example.jp").standing is NO
    assert one("transfer_lock", True, *both, target="www.example.jp").standing is YES
    assert one("transfer_lock", True, *both, target="www.example.com").standing is OPEN


def test_http_is_claimed_of_web_servers_alone() -> None:
    mail = good_look("mx.example.jp", "192.0.2.3")
    place = replace(mail.target.target, service="smtp", port=25)  # type: ignore[type-var]
    relay = Look(
        replace(mail.target, id="smtp://mx.example.jp:25", target=place),
        {"tls": mail.seen["tls"]},
        (Missed("http", Reason.NOT_APPLICABLE, "the service is not the web"),),
    )
    assert one("hsts", Hsts(), good_look(), relay).standing is YES
    assert one("hsts", Hsts(), relay).standing is OPEN


def test_an_open_question_alone_is_nobodys_look() -> None:
    """Whether the profile means it so: no further look would tell."""
    camellia = "TLS_ECDHE_ECDSA_WITH_CAMELLIA_256_GCM_SHA384"
    suites = {**make.ACCEPTED["suites"], V12: (*make.ACCEPTED["suites"][V12], camellia)}
    look = good_look(tls=tls_observation(suites=suites))
    made = verify(Claims("f", (Claim("profile", "vendor-138"),)), scan(look))
    assert made.outcomes[0].standing is OPEN
    assert exit_code(made) == 0


def test_exit_codes() -> None:
    def code(*claims: Claim) -> int:
        return exit_code(verify(Claims("f", claims), scan()))

    good, bad = Claim("versions", (V12, V13)), Claim("versions", (V13,))
    unseen, paper = Claim("ports", (443,)), Claim("no_ssl_vpn", True)
    assert code() == 3
    assert code(good) == code(good, paper) == 0
    assert code(good, unseen) == 3
    assert code(good, unseen, bad) == 1


def test_only_what_is_claimed_needs_a_look() -> None:
    claims = (Claim("versions", (V12,)), Claim("caa", True), Claim("suites", SUITES))
    assert subjects(claims) == ("tls", "dns")
