"""What a history gives to the site: who stands how, since when, and what changed."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from tests import make
from tests.history import make_past
from tests.history.make_history import at, night, old
from tests.history.make_past import EVIL, GONE, SECOND, WWW
from tlscheck import compare, report, site
from tlscheck.errors import HistoryError
from tlscheck.history import Store, opened, scans
from tlscheck.model import Look, State, Verdict
from tlscheck.render.site import render
from tlscheck.render.site.past import Course, Past

F, N, P = Verdict.FAIL, Verdict.UNKNOWN, Verdict.PASS


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with opened(tmp_path / "history.db", create=True) as store:
        yield store


@pytest.fixture(scope="module")
def past(tmp_path_factory: pytest.TempPathFactory) -> Past:
    with opened(tmp_path_factory.mktemp("past") / "history.db", create=True) as store:
        make_past.keep(store)
        made = site.gather(store, 366, 92)
        for told in made.nights:  # what is read in a row is what is read alone
            assert (told.before and (told.before[0], told.changes)) == compare.since_last(
                store, told.scan
            )
    return made


def course(past: Past, host: str) -> Course:
    return next(each for each in past.courses if each.id == f"https://{host}:443")


def test_a_target_is_what_was_asked_for_with_all_its_addresses(past: Past) -> None:
    assert sorted(each.id for each in past.courses) == sorted(
        f"https://{host}:443" for host in (WWW, EVIL, GONE)
    )
    www = course(past, WWW)
    assert [run.scan for run in www.runs] == list(range(1, 12))
    # An address more doubles what was judged; a name that led nowhere left nothing to judge.
    judged = [sum(run.verdicts.values()) for run in www.runs]
    assert judged[6] == 2 * judged[0]
    assert [run.worst for run in www.runs] == [P, P, F, N, F, N, F, F, F, F, N]
    assert {target for target, _ in www.rules} >= {
        f"https://{WWW}:443#192.0.2.1",
        f"https://{WWW}:443#{SECOND}",
    }


def test_a_look_that_left_nothing_to_judge_is_unknown(store: Store) -> None:
    scans.keep(store, night(0, Look(make.endpoint())), "", at(0))
    (only,) = site.gather(store, 366, 92).courses
    assert not only.runs[0].verdicts
    assert only.runs[0].worst is N


def test_the_stretches_of_a_rule(past: Past) -> None:
    rule = course(past, WWW).rules[f"https://{WWW}:443#192.0.2.1", "tls.deprecated-versions"]
    told = [(stretch.verdict, stretch.since, stretch.looks) for stretch in rule]
    assert told == [(P, at(0), 2), (F, at(2), 1), (N, at(3), 1), (F, at(4), 1), (P, at(6), 5)]
    assert rule[-1].until == at(10)


def test_certificates_are_those_seen_last(past: Past) -> None:
    (www,), (evil,) = course(past, WWW).certificates, course(past, EVIL).certificates
    # The address that the name has lost is gone; the last look missed the other's certificate.
    assert www.look.target.id == f"https://{WWW}:443#192.0.2.1"
    assert (www.at, evil.at) == (at(9), at(10))


def test_certificates_that_something_else_sends_do_not_count(store: Store) -> None:
    hosts = ("a.example.jp", "b.example.net", "c.example.org")
    trust = {"mozilla": replace(make.GOOD.trust["mozilla"], state=State.REFUSED)}
    looks = [
        make.good_look(
            host, certificate=make.certificate_for(host, key="same", trust=trust, ca_file=None)
        )
        for host in hosts
    ]
    scans.keep(store, night(0, *map(make.good_look, hosts)), "", at(0))
    scans.keep(store, night(1, *looks), "", at(1))
    found = site.gather(store, 366, 92).courses
    assert {each.certificates[0].at for each in found} == {at(0)}
    assert {each.runs[-1].worst for each in found} == {N}


def test_who_was_not_asked_any_more_keeps_the_last_look(past: Past) -> None:
    gone = course(past, GONE)
    assert [run.scan for run in gone.runs] == [1, 2, 3]
    assert gone.last
    assert gone.last.report.scan.at == at(2)


def test_the_window(store: Store) -> None:
    other = make.good_look("other.example.jp")
    for number, looks in enumerate([[other], *[[make.good_look()]] * 9]):
        scans.keep(store, night(number, *looks), "", at(number))
    wide, narrow = site.gather(store, 366, 4), site.gather(store, 4, 2)
    assert [each.scan for each in wide.nights] == [6, 7, 8, 9, 10]
    assert (wide.scans, wide.older, narrow.scans, narrow.older) == (10, 0, 5, 5)
    assert [len(each.runs) for each in wide.courses] == [1, 9]
    assert wide.courses[0].last  # although it is older than the timeline
    assert [len(each.runs) for each in narrow.courses] == [5]


def test_a_scan_that_cannot_be_read_any_more_is_said_so(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As by a version that knows a subject no more."""
    odd = make.good_look(turn=make.turn_observation())
    for number, look in enumerate([make.good_look(), odd, make.good_look(), odd]):
        scans.keep(store, night(number, look), "", at(number))
    known = {name: kind for name, kind in report.SUBJECTS.items() if name != "turn"}
    monkeypatch.setattr(report, "SUBJECTS", known)
    past = site.gather(store, 366, 92)
    said = [str(each.trouble or "") for each in past.nights]
    assert [bool(each) for each in said] == [False, True, True, True]
    assert "history: there is no subject 'turn'" in said[1]
    assert str(store.path) not in "".join(said)
    (only,) = past.courses
    assert len(only.runs) == 4
    assert only.last
    assert only.last.report.scan.at == at(2)
    assert past.answers == ()


def test_a_history_with_nothing_in_it(store: Store) -> None:
    with pytest.raises(HistoryError, match="no scan is kept there"):
        site.gather(store, 366, 92)


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_a_year_of_ten_targets(store: Store) -> None:
    """In less than a minute of CPU, and in a few megabytes."""
    looks = [make.good_look(f"h{n}.example.jp", f"192.0.2.{n + 1}") for n in range(10)]
    good, bad = night(0, *looks), night(0, old("h0.example.jp"), *looks[1:])
    store.db.execute("PRAGMA synchronous = OFF")
    for number in range(365):
        data = bad if number % 3 == 0 else good
        moved = data.replace(b"2026-11-20T", f"{at(number):%Y-%m-%d}T".encode())
        scans.keep(store, moved, "", at(number))
    begin = time.process_time()
    past = site.gather(store, 366, 92)
    read = time.process_time() - begin
    files = render(past, "ja")
    taken = time.process_time() - begin
    size = sum(map(len, files.values()))
    print(f"{read:.1f} s read, {taken:.1f} s in all, {len(files)} pages, {size / 1e6:.1f} MB")
    assert past.scans == 365
    assert past.nights[0].at >= at(364) - timedelta(days=92)
    assert taken < 60
    assert size < 10e6
    assert max(map(len, files.values())) < 400_000
