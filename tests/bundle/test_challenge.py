"""Looking again: the same server agrees, another one is caught."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from tests import make
from tests.make import good_look, missed_look, tls_observation
from tests.servers import Server
from tlscheck import judge as judging
from tlscheck import pipeline
from tlscheck.bundle.challenge import Mark, compare
from tlscheck.model import Look, Missed, Reason, Scan, State
from tlscheck.wire.registry import Version

A, R, U = State.ACCEPTED, State.REFUSED, State.UNKNOWN
TLS12 = Version.TLS_1_2


def compared(before: Scan, after: Scan) -> dict[str, Mark]:
    lines = compare(judging.judge(before), judging.judge(after))
    return {make.said(line.words): line.mark for line in lines}


def again(seen: Scan, **manner: Any) -> Scan:
    order = replace(pipeline.again(seen, **manner), plain_port=None, revocation=False)
    return asyncio.run(pipeline.look(order))


def test_the_same_server_agrees(seen: Scan) -> None:
    looked = again(seen, keep_raw=1000)
    assert seen.looks[0].raw
    assert looked.looks[0].raw == {}  # there was no room for it
    found = compared(seen, looked)
    assert {words for words, mark in found.items() if mark is not Mark.AGREES} == set()
    assert found["6 versions agree"] is Mark.AGREES
    assert found["the same 2 certificates are shown"] is Mark.AGREES


def test_another_server_there_is_caught(seen: Scan, two: Server) -> None:
    """The strict server's bundle, held against the laxer one."""
    (look,) = seen.looks
    place = look.target.target
    assert place
    moved = replace(look.target, target=replace(place, port=two.ports[1]))
    lie = replace(seen, looks=(replace(look, target=moved),))
    looked = again(lie)
    same = replace(looked.looks[0], target=look.target)
    found = compared(seen, replace(looked, looks=(same,)))
    differing = [words for words, mark in found.items() if mark is Mark.DIFFERS]
    suite = "TLS 1.2 suites TLS_RSA_WITH_AES_128_CBC_SHA: refused then, accepted now"
    assert suite in differing
    assert "tls.suites: Pass then, Fail now" in differing
    assert any(words.startswith("other certificates: ") for words in differing)
    assert found["6 versions agree"] is Mark.AGREES


def test_nobody_there_leaves_all_open(seen: Scan) -> None:
    (look,) = seen.looks
    after = replace(seen, looks=(replace(missed_look(), target=look.target),))
    found = compared(seen, after)
    assert found == {
        f"{subject}: nothing was seen this time: no answer in time": Mark.OPEN
        for subject in ("TLS", "Certificate", "HTTP")
    }


def test_a_server_that_answers_nothing_certain_is_one_line_too() -> None:
    """What is seen otherwise is compared all the same."""
    now = good_look(tls=make.blank_tls())
    now = replace(now, missed=(Missed("tls.hellos", Reason.BANNED, "Connection refused"),))
    found = compared(make.scan(good_look()), make.scan(now))
    open_ = [words for words, mark in found.items() if mark is Mark.OPEN]
    banned = "TLS: nothing was seen this time: the server stopped answering us (Connection refused)"
    assert open_[0] == banned
    assert not any(words.startswith(("TLS 1.2", "tls.")) for words in open_)
    assert found["the same 1 certificates are shown"] is Mark.AGREES


def test_what_is_not_asked_for_again_is_left_out() -> None:
    before = good_look()
    with_quic = replace(before, seen={**before.seen, "quic": make.quic_observation()})
    found = compared(make.scan(with_quic), make.scan(before, subjects=("tls", "certificate")))
    assert set(found.values()) == {Mark.AGREES}
    found = compared(make.scan(with_quic), make.scan(replace(before, seen={}), subjects=("http",)))
    assert set(found.values()) == {Mark.OPEN}
    assert [words.partition(":")[0] for words in found] == ["TLS", "Certificate", "HTTP"]


@pytest.mark.parametrize(
    ("then", "now", "mark"),
    [
        (A, A, Mark.AGREES),
        (R, R, Mark.AGREES),
        (A, R, Mark.DIFFERS),
        (R, A, Mark.DIFFERS),
        (A, U, Mark.OPEN),
        (R, U, Mark.OPEN),
        (U, A, None),
        (U, U, None),
    ],
)
def test_only_what_was_settled_is_compared(then: State, now: State, mark: Mark | None) -> None:
    def scan(state: State) -> Scan:
        versions = {**tls_observation().versions, Version.TLS_1_1: state}
        return make.scan(good_look(tls=tls_observation(versions=versions)))

    lines = compare(judging.judge(scan(then)), judging.judge(scan(now)))
    words = {make.said(line.words): line.mark for line in lines}
    own = {m for w, m in words.items() if w.startswith("TLS 1.1: ")}
    if mark is Mark.AGREES:
        assert words["6 versions agree"] is mark
    else:
        assert own == ({mark} if mark else set())


def test_a_suite_of_a_version_that_is_gone_is_refused_with_it() -> None:
    before = make.scan(good_look())
    tls = tls_observation()
    gone = replace(
        tls,
        versions={**tls.versions, TLS12: R},
        **{
            part: {v: n for v, n in getattr(tls, part).items() if v is not TLS12}
            for part in ("suites", "groups", "schemes", "refused", "unknown", "order")
        },
    )
    found = compared(before, make.scan(good_look(tls=gone)))
    suite = tls.suites[TLS12][0]
    assert found[f"TLS 1.2 suites {suite}: accepted then, refused now"] is Mark.DIFFERS


def test_every_address_of_a_name_is_looked_at_again() -> None:
    places: list[Look] = [good_look(address=address) for address in ("192.0.2.1", "2001:db8::1")]
    order = pipeline.again(make.scan(*places, make.domain_look()))
    (asked,) = order.targets
    (where,) = order.places.values()
    assert [place.address for place in where] == ["192.0.2.1", "2001:db8::1"]
    assert asked.spec.host == "www.example.jp"
    assert order.subjects == ("tls", "certificate", "http")
