"""The second look: what it asks for, and how it takes the place of the first."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests import make
from tests.history.make_history import silent
from tlscheck import judge, pipeline
from tlscheck.model import Look, Missed, Place, Reason, Scan, Scope, Target
from tlscheck.pipeline import ADDRESS_SUBJECTS, DOMAIN_SUBJECTS, SUBJECTS, USUAL, Asked, Order
from tlscheck.targets import parse
from tlscheck.watch.again import _concerned, merged


def at(host: str, address: str, port: int = 443) -> Look:
    place = Place(host, port, "https", address, host)
    return replace(
        make.good_look(host),
        target=Target(f"https://{host}:{port}#{address}", Scope.ENDPOINT, place),
    )


def named(id: str, scope: Scope) -> Look:
    return Look(Target(id, scope), {})


SCAN = make.scan(
    at("a.example.jp", "192.0.2.1"),
    at("a.example.jp", "192.0.2.2"),
    at("b.example.jp", "192.0.2.2"),
    at("c.example.net", "192.0.2.3"),
    named("192.0.2.1", Scope.ADDRESS),
    named("192.0.2.2", Scope.ADDRESS),
    named("192.0.2.3", Scope.ADDRESS),
    named("example.jp", Scope.NAME),
    named("example.net", Scope.NAME),
    Look(Target("https://d.example.org:443", Scope.NAME), {}, (Missed("tls", Reason.UNRESOLVED),)),
)
HOSTS = ("a.example.jp", "b.example.jp", "c.example.net", "d.example.org")
ORDER = Order(
    tuple(Asked(parse(host)) for host in HOSTS),
    "ipa-high-3.1.1",
    (),
    SUBJECTS,
)
OF_ENDPOINTS = tuple(s for s in USUAL if s not in DOMAIN_SUBJECTS)


@pytest.mark.parametrize(
    ("ids", "hosts", "subjects"),
    [
        ({"https://a.example.jp:443#192.0.2.1"}, "a", OF_ENDPOINTS),
        ({"https://a.example.jp:443"}, "a", OF_ENDPOINTS),
        ({"192.0.2.3"}, "c", (*OF_ENDPOINTS, *ADDRESS_SUBJECTS)),
        # b is at an address of a, and what is seen at an address rests on all that is there.
        ({"192.0.2.1"}, "ab", (*OF_ENDPOINTS, *ADDRESS_SUBJECTS)),
        ({"example.jp"}, "ab", DOMAIN_SUBJECTS),
        ({"example.net", "https://b.example.jp:443"}, "bc", (*OF_ENDPOINTS, *DOMAIN_SUBJECTS)),
        ({"https://gone.example:443"}, "", ()),
        # A name that led nowhere: what its addresses are, and all that is there, is not known.
        ({"https://d.example.org:443"}, "d", (*OF_ENDPOINTS, *ADDRESS_SUBJECTS)),
    ],
)
def test_all_that_a_look_rests_on_is_asked_again(
    ids: set[str], hosts: str, subjects: tuple[str, ...]
) -> None:
    asked, about = _concerned(ORDER, SCAN, ids)
    if "example.net" in ids:
        hosts = "abc"  # the domain of b is looked at with all its hosts, as it was before
    assert "".join(each.spec.host[0] for each in asked) == hosts
    assert set(about) == set(subjects)


def test_the_second_look_takes_the_place_of_the_first() -> None:
    first = make.scan(silent(), make.good_look("other.example.jp"))
    second = make.scan(make.good_look())
    found = merged(first, second, {"https://www.example.jp:443"})
    assert [look.target.id for look in found.looks] == [look.target.id for look in first.looks]
    assert found.looks[0].seen.keys() == make.good_look().seen.keys()
    assert found.looks[0].missed == ()
    assert found.looks[1].seen.keys() == first.looks[1].seen.keys()
    assert found.at == first.at


def test_an_address_that_was_not_to_be_asked_again_stays_as_it_was() -> None:
    """What the second look knows of its endpoints is less."""
    first = make.scan(at("a.example.jp", "192.0.2.1"), named("192.0.2.1", Scope.ADDRESS))
    fresh = replace(named("192.0.2.1", Scope.ADDRESS), connections=7)
    second = make.scan(at("b.example.jp", "192.0.2.1"), fresh)
    kept, new = (
        merged(first, second, {"https://b.example.jp:443"}, addresses).looks[1].connections
        for addresses in ((), ("192.0.2.1",))
    )
    assert (kept, new) == (0, 7)


def test_an_address_that_is_gone_is_gone() -> None:
    first = make.scan(at("a.example.jp", "192.0.2.1"), at("b.example.jp", "192.0.2.2"))
    second = make.scan(at("a.example.jp", "192.0.2.9"))
    found = merged(first, second, {"https://a.example.jp:443"})
    assert [look.target.id for look in found.looks] == [
        "https://b.example.jp:443#192.0.2.2",
        "https://a.example.jp:443#192.0.2.9",
    ]


def verdicts(scan: Scan) -> dict[tuple[str, str], str]:
    return {(f.rule, f.target): f.verdict for f in judge.judge(scan).findings}


def test_what_is_found_by_comparing_targets_is_found_again() -> None:
    """Two unrelated names with one key: a look at one of them alone does not show it."""
    hosts = "www.example.jp", "www.example.net"
    shown = {host: make.certificate_for(host, "one key") for host in hosts}
    looks = [make.good_look(host, certificate=seen) for host, seen in shown.items()]
    first = replace(make.scan(*looks), looks=tuple(pipeline.with_shared_keys(looks)))
    again = merged(first, make.scan(looks[0]), {"https://www.example.jp:443"})
    alone = verdicts(make.scan(looks[0]))
    assert alone.items() - verdicts(first).items()
    assert verdicts(again) == verdicts(first)
