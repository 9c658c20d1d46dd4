"""The addresses of one name: what differs, what was not seen, and what only seems to differ."""

from __future__ import annotations

from typing import Any

import pytest

from tests.make import V12, V13, A, U, blank_tls, good_look, missed_look, tls_observation, versions
from tests.make_chain import AT, chain, observation
from tlscheck.model import Evidence, Look, Missed, Open, Problem, Reason, State, Verdict
from tlscheck.observations.addresses import AddressesObservation, Difference, compare, several
from tlscheck.observations.tls import Names
from tlscheck.rules import addresses as rules

ONE, OTHER = "192.0.2.1", "2001:db8::1"
FAIL, OPEN, PASS = Verdict.FAIL, Verdict.UNKNOWN, Verdict.PASS


def verdict(evidence: tuple[Evidence, ...]) -> Verdict:
    if any(isinstance(e, Problem) for e in evidence):
        return FAIL
    return OPEN if any(isinstance(e, Open) for e in evidence) else PASS


def compared(other: Look, one: Look | None = None) -> Verdict:
    return verdict(rules.agreement(compare((one or good_look(address=ONE), other))))


def tls(**changes: Any) -> Look:
    return good_look(address=OTHER, tls=tls_observation(**changes))


@pytest.mark.parametrize(
    ("differences", "unseen", "expected"),
    [
        ((), (), PASS),
        ((Difference("versions", {ONE: "a", OTHER: "b"}),), (), FAIL),
        ((), (OTHER,), OPEN),
        ((Difference("suites", {ONE: "a", OTHER: "b"}),), ("192.0.2.7",), FAIL),
    ],
)
def test_agreement(
    differences: tuple[Difference, ...], unseen: tuple[str, ...], expected: Verdict
) -> None:
    seen = AddressesObservation(
        at=AT, addresses=(ONE, OTHER), differences=differences, unseen=unseen
    )
    assert verdict(rules.agreement(seen)) is expected


def test_alike() -> None:
    assert compared(tls()) is PASS


@pytest.mark.parametrize(
    "changes",
    [
        {"versions": versions(TLS_1_0=A)},
        {"suites": {V12: ("TLS_RSA_WITH_AES_128_GCM_SHA256",), V13: ()}},
        {
            "groups": {V12: ("x25519",), V13: ("x25519",)},
            "refused": {v: Names(groups=tls_observation().groups[v][1:]) for v in (V12, V13)},
        },
    ],
    ids=["versions", "suites", "groups"],
)
def test_what_differs(changes: dict[str, Any]) -> None:
    assert compared(tls(**changes)) is FAIL


def test_the_order_of_suites_is_another_matter() -> None:
    turned = {v: names[::-1] for v, names in tls_observation().suites.items()}
    assert compared(tls(suites=turned)) is PASS


def test_another_certificate() -> None:
    other = observation(chain({"sha256": "d" * 64}))
    one = good_look(address=ONE, certificate=observation())
    assert compared(good_look(address=OTHER, certificate=other), one) is FAIL


def test_an_address_at_which_nothing_was_seen() -> None:
    gone = missed_look(reason=Reason.TIMEOUT)
    assert several((good_look(address=OTHER), gone))
    assert not several((gone, missed_look()))
    assert verdict(rules.agreement(compare((good_look(address=OTHER), gone)))) is OPEN


def test_what_is_not_known_at_one_address_is_no_difference() -> None:
    assert compared(tls(versions=versions(TLS_1_1=U))) is OPEN


def test_suites_that_are_unsettled_at_one_address_are_no_difference() -> None:
    good = tls_observation().suites
    left = {V12: Names(suites=good[V12][1:]), V13: Names()}
    assert compared(tls(suites={**good, V12: good[V12][:1]}, unknown=left)) is OPEN


def test_nothing_known_at_either_address_is_no_agreement() -> None:
    blank = [good_look(address=a, tls=blank_tls()) for a in (ONE, OTHER)]
    assert compared(blank[1], blank[0]) is OPEN


@pytest.mark.parametrize("state", [State.ACCEPTED, State.REFUSED])
def test_a_version_open_at_both_is_open_whatever_the_others_say(state: State) -> None:
    open_at_both = {"versions": versions(TLS_1_1=U, TLS_1_0=state)}
    one = good_look(address=ONE, tls=tls_observation(**open_at_both))
    assert compared(tls(**open_at_both), one) is OPEN


def test_a_certificate_that_was_not_seen_at_one_address_is_no_agreement() -> None:
    whole = good_look(address=OTHER)
    seen = {"tls": whole.seen["tls"]}
    partly = Look(whole.target, seen, (Missed("certificate", Reason.TIMEOUT),))
    assert compared(partly) is OPEN


def test_a_second_certificate_that_was_not_looked_at_is_no_difference() -> None:
    certificate = good_look(address=ONE).seen["certificate"]
    two = observation(chain({"sha256": "d" * 64}), chain({"sha256": "e" * 64}))
    one = observation(chain({"sha256": "d" * 64}), unseen=("ECDSA",))
    assert certificate
    first = good_look(address=ONE, certificate=two)
    assert compared(good_look(address=OTHER, certificate=one), first) is OPEN


def test_half_of_the_addresses_are_not_all() -> None:
    looks = (good_look(address=ONE), good_look(address=OTHER))
    assert verdict(rules.agreement(compare(looks))) is not OPEN
    assert verdict(rules.agreement(compare(looks, family=4))) is OPEN
