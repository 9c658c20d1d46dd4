"""Scans in a history: they come out as they went in, share what is alike, and are forgotten."""

from __future__ import annotations

import hashlib
import random
import re
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests import make
from tests.history.make_history import at, night, old, silent
from tlscheck import changes, compare
from tlscheck.changes import Change
from tlscheck.errors import HistoryError, ScanFileError
from tlscheck.history import accepting, looking_back, outbox, pieces, scans
from tlscheck.history.store import Store, opened
from tlscheck.model import (
    Confidence,
    Look,
    Missed,
    Reason,
    Severity,
    State,
    Verdict,
    Waiver,
    cut_short,
)
from tlscheck.observations.http import Management, ManagementPage

P, F, N = Verdict.PASS, Verdict.FAIL, Verdict.UNKNOWN
HOST = make.endpoint().id
DEPRECATED = ("tls.deprecated-versions", HOST)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with opened(tmp_path / "history.db", create=True) as store:
        yield store


def kept(store: Store, *nights: bytes) -> list[int]:
    return [scans.keep(store, data, "", at(i))[0] for i, data in enumerate(nights)]


@given(st.lists(st.binary(max_size=700)), st.sampled_from([b"\n", b"\r\n", b"\r", b""]))
def test_pieces_give_the_whole_again(parts: list[bytes], end: bytes) -> None:
    data = end.join(parts)
    assert b"".join(pieces.cut(data)) == data


def test_large_texts_are_pieces_of_their_own() -> None:
    large = b'  "der": "' + b"M" * 300 + b'",\n'
    assert large in list(pieces.cut(b'{\n "at": "2026",\n' + large + b' "x": 1\n}\n'))


@given(st.lists(st.integers(0, 2**32 - 1)))
def test_numbers(numbers: list[int]) -> None:
    assert list(pieces.numbers(pieces.numbers_packed(numbers))) == numbers


def test_a_scan_comes_out_byte_for_byte(store: Store) -> None:
    everything = night(0, *make.scan().looks)
    odd = everything.replace(b"\n", b"\r\n").replace(
        b'"format"', b'"more": "\xf0\x9f\xa9\xba", "format"', 1
    )
    for number in kept(store, everything, odd):
        assert scans.document(store, number) == (everything, odd)[number - 1]


def test_the_same_file_is_kept_once(store: Store) -> None:
    assert kept(store, night(0), night(0)) == [1, 1]
    assert len(scans.kept(store)) == 1


def test_what_is_no_scan_file_is_not_kept(store: Store) -> None:
    for wrong in (b"", b"{}", night(0)[:-9], night(0).replace(b'"findings"', b'"finds"')):
        with pytest.raises(ScanFileError):
            scans.keep(store, wrong, "file", at(0))
    assert scans.kept(store) == ()


def test_the_list(store: Store) -> None:
    kept(store, night(2), night(1, old()), night(3))
    found = scans.kept(store)
    assert [each.id for each in found] == [3, 1, 2]
    assert [each.at for each in found] == [at(3), at(2), at(1)]
    assert found[0].verdicts["pass"] > found[2].verdicts["pass"]
    assert next(iter(found[0].profiles)) == found[0].profile == "ipa-high-3.1.1"
    with pytest.raises(HistoryError, match="there is no scan 9"):
        scans.one(store, 9)


def size(store: Store) -> int:
    store.db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    return store.path.stat().st_size


def test_fifty_scans_that_are_nearly_alike_take_little_room(store: Store) -> None:
    nights = [night(number) for number in range(50)]
    scans.keep(store, nights[0], "", at(0))
    first = size(store)
    kept(store, *nights)
    more = size(store) - first
    assert more / 49 < len(nights[0]) / 12
    assert size(store) < sum(map(len, nights)) / 9


def test_the_hosts_in_ids() -> None:
    for target, host in (
        (HOST, "www.example.jp"),
        ("https://[2001:db8::1]:443", "2001:db8::1"),
        ("https://www.example.jp:443", "www.example.jp"),
        ("clinic.example", "clinic.example"),
        ("2001:db8::1", "2001:db8::1"),
    ):
        assert scans.host_of(target) == host


# ---- looking back ----------------------------------------------------------------------------


def test_the_scan_before_is_of_the_same_hosts(store: Store) -> None:
    kept(store, night(0), night(1), night(2, make.good_look("other.example.jp")))
    assert looking_back.earlier(store, at(3), [HOST]) == (2,)
    assert looking_back.earlier(store, at(1), [HOST]) == (1,)
    assert looking_back.earlier(store, at(0), [HOST]) == ()
    assert looking_back.earlier(store, at(9), [HOST], 5) == (2, 1)
    moved = "https://www.example.jp:443#192.0.2.99"
    assert looking_back.earlier(store, at(9), [moved]) == (2,)


def test_changes_since_the_last(store: Store) -> None:
    kept(store, night(0), night(1, old()))
    since = compare.since_last(store, 2)
    assert since
    assert since[0] == 1
    assert "tls.versions" in {c.subject for c in since[1]}
    assert compare.latest(store, night(1, old()), "") == since
    assert compare.since_last(store, 1) is None


def part_of(look: Look, *subjects: str, missed: Missed | None = None) -> Look:
    """*look* where nothing but *subjects* was asked for."""
    seen = {kind: it for kind, it in look.seen.items() if kind in subjects}
    return replace(look, seen=seen, missed=(missed,) if missed else ())


OTHER = "booking.example.jp"


def told(store: Store, data: bytes) -> set[tuple[str, str, str]]:
    """Without the staple, which is too old on the third day."""
    since = compare.latest(store, data, "")
    assert since
    return {(str(c.kind), c.subject, c.code) for c in since[1] if c.code != "stale"}


def test_a_scan_of_one_target_hides_no_change_of_another(store: Store) -> None:
    """Somebody looked at one of two targets by hand, or one was left out for a night."""
    www, booking = make.good_look(), make.good_look(OTHER)
    kept(store, night(0, www, booking), night(1, www))
    assert told(store, night(2, www, booking)) == set()
    found = told(store, night(2, www, old(OTHER)))
    assert ("endpoint", "tls.versions", "added") in found
    assert "target-new" not in {code for _, _, code in found}
    moved = told(store, night(2, www, make.good_look(OTHER, "192.0.2.77")))
    assert moved >= {("endpoint", "target", "address-new"), ("endpoint", "target", "address-gone")}


def test_a_scan_of_one_subject_hides_no_change_of_another(store: Store) -> None:
    kept(store, night(0), night(1, part_of(make.good_look(), "http")))
    assert told(store, night(2)) == set()
    assert ("endpoint", "tls.versions", "added") in told(store, night(2, old()))


def test_what_was_missed_before_such_a_scan_is_not_told_again(store: Store) -> None:
    gone = Missed("tls", Reason.TIMEOUT)
    lost = part_of(make.good_look(), "http", "certificate", missed=gone)
    kept(store, night(0), night(1, lost), night(2, part_of(lost, "http")))
    assert told(store, night(3, lost)) == set()
    found = told(store, night(3, old()))
    assert {("network", "tls", "seen-again"), ("endpoint", "tls.versions", "added")} <= found


def waiver(**words: Any) -> Waiver:
    """Until the last moment of 20 December in Japan: thirty days after the first night."""
    until = date(2026, 12, 20)
    return Waiver(**{"who": "Sato", "reason": "soon gone", "until": until, **words})


BORNE = (waiver(rule=DEPRECATED[0]),)


def of_waivers(store: Store, number: int, *looks: Look) -> list[Change]:
    since = compare.latest(store, night(number, *(looks or (old(),)), waivers=BORNE), "")
    assert since
    return [c for c in since[1] if c.code.startswith("waiver")]


@pytest.mark.parametrize(
    ("was", "now", "told"),
    [
        (14, 15, []),
        (15, 16, [("waiver-ends", 14, Severity.LOW)]),
        (16, 17, []),
        (25, 27, [("waiver-ends", 3, Severity.MEDIUM)]),
        (27, 30, []),
        (30, 31, [("waiver-over", None, Severity.HIGH)]),
        (27, 35, [("waiver-over", None, Severity.HIGH)]),
        (31, 32, []),
    ],
)
def test_the_end_of_a_waiver(store: Store, was: int, now: int, told: list[Any]) -> None:
    scans.keep(store, night(was, old(), waivers=BORNE), "", at(was))
    found = of_waivers(store, now)
    assert [(c.code, c.values.get("days"), c.severity) for c in found] == told
    assert {(c.subject, c.target) for c in found} <= {DEPRECATED}
    assert {(c.kind, c.direction) for c in found} <= {("profile", "worse")}
    assert all(c.evidence for c in found if c.code == "waiver-over")
    assert of_waivers(store, now, make.good_look()) == []  # what it bore is gone


def test_a_waiver_that_is_new_and_ends_soon_is_told(store: Store) -> None:
    scans.keep(store, night(27, old()), "", at(27))
    assert [(c.code, c.values["days"]) for c in of_waivers(store, 28)] == [("waiver-ends", 3)]


def test_a_scan_by_hand_hides_no_end_of_a_waiver(store: Store) -> None:
    scans.keep(store, night(29, old(), waivers=BORNE), "", at(29))
    scans.keep(store, night(31, old()), "", at(31))
    assert [c.code for c in of_waivers(store, 32)] == ["waiver-over"]


def test_what_nobody_looked_at_before_is_told_as_that(store: Store) -> None:
    kept(store, night(0))
    found = told(store, night(1, make.good_look(), make.good_look(OTHER)))
    assert ("profile", "target", "target-new") in found


def ended(look: Look) -> Look:
    """*look* in a run that ended before it."""
    return replace(look, seen={}, missed=tuple(cut_short(subject) for subject in look.seen))


def test_an_early_end_is_no_change(store: Store) -> None:
    www, booking = make.good_look(), make.good_look(OTHER)
    kept(store, night(0, www, old(OTHER)))
    assert told(store, night(1, www, ended(booking))) == set()
    found = told(store, night(1, old(), ended(booking)))
    assert ("endpoint", "tls.versions", "added") in found
    assert "network" not in {kind for kind, _, _ in found}
    kept(store, night(0, www, old(OTHER)), night(1, www, ended(booking)))
    assert told(store, night(2, www, old(OTHER))) == set()
    found = told(store, night(2, www, booking))
    assert ("endpoint", "tls.versions", "removed") in found
    assert "network" not in {kind for kind, _, _ in found}


def test_a_night_without_network_hides_no_change(store: Store) -> None:
    kept(store, night(0), night(1, silent()), night(2, silent()))
    since = compare.latest(store, night(3, old()), "")
    assert since
    found = {(str(c.kind), c.subject, c.code) for c in since[1]}
    assert ("endpoint", "tls.versions", "added") in found
    assert ("network", "tls", "seen-again") in found
    quiet = compare.latest(store, night(3, silent()), "")
    assert quiet == (3, ())


def intercepted(number: int) -> bytes:
    """A night in which one key stands for three unrelated names."""
    trust = {"mozilla": replace(make.GOOD.trust["mozilla"], state=State.REFUSED)}
    return night(
        number,
        *(
            make.good_look(
                host,
                certificate=make.certificate_for(host, key="same", trust=trust, ca_file=None),
            )
            for host in THREE
        ),
    )


THREE = ("www.example.jp", "b.example.net", "c.example.org")


def test_nights_of_interception_hide_no_change_either(store: Store) -> None:
    good = [make.good_look(host) for host in THREE]
    kept(store, night(0, *good), intercepted(1), intercepted(2))
    first = compare.since_last(store, 2)
    assert first
    assert {c.kind for c in first[1]} == {"network"}
    assert compare.since_last(store, 3) == (2, ())
    since = compare.latest(store, night(3, old(), *good[1:]), "")
    assert since
    found = {(str(c.kind), c.subject, c.code) for c in since[1]}
    assert ("endpoint", "tls.versions", "added") in found
    assert ("network", "certificate", "seen-again") in found
    assert "new-key" not in {c.code for c in since[1]}


def test_the_last_known_verdict(store: Store) -> None:
    kept(store, night(0, old()), night(1, silent()), night(2, silent()))
    found = looking_back.remembered(store, [DEPRECATED, ("tls.versions", "nowhere")], at(3))
    assert set(found) == {DEPRECATED}
    assert found[DEPRECATED].verdict is F
    assert found[DEPRECATED].codes
    assert looking_back.remembered(store, [DEPRECATED], at(0)) == {}


def test_a_problem_is_not_gone_because_nobody_asked_for_a_night(store: Store) -> None:
    page = ManagementPage("/grafana/", "Grafana", 200, Confidence.HIGH)

    def asked(pages: Management | None) -> Look:
        return make.good_look(http=make.http_observation(management=pages))

    bad = asked(Management(found=(page,), asked=9))
    kept(store, night(0, bad), night(1, asked(None)))
    for pages, codes in ((bad, set()), (asked(Management(asked=9)), {"answers"})):
        since = compare.latest(store, night(2, pages), "")
        assert since
        assert {c.code for c in since[1] if c.subject == "http.management-pages"} == codes


def test_verdicts_over_time(store: Store) -> None:
    kept(store, night(0), night(2, silent()), night(1, old()), night(3))
    points = looking_back.trend(store, DEPRECATED[0])
    assert [(p.scan, p.verdict) for p in points] == [(1, P), (3, F), (2, N), (4, P)]
    assert looking_back.runs(store, [1, 3, 2, 4])[DEPRECATED] == (P, F, N, P)
    of_target = looking_back.trend(store, HOST)
    assert {p.rule for p in of_target} > {DEPRECATED[0], "certificate.key-size"}
    assert looking_back.trend(store, "www.example.jp") == of_target
    assert looking_back.trend(store, "nothing") == ()


def test_what_goes_to_and_fro_is_told_as_that(store: Store) -> None:
    kept(store, night(0), night(1, old()), night(2), night(3, old()))
    since = compare.latest(store, night(4), "")
    assert since
    told = [c for c in since[1] if (c.subject, c.target) == DEPRECATED]
    assert [(c.code, c.values) for c in told] == [("flapping", {"count": 4, "runs": 5})]


def test_what_a_profile_wanted_is_kept(store: Store) -> None:
    kept(store, night(0))
    profiles = scans.one(store, 1).profiles
    wanted = looking_back.wants(store, profiles)
    assert set(wanted) == set(profiles)
    assert wanted["ipa-high-3.1.1"]["tls.versions"] != wanted["vendor-138"]["tls.versions"]
    assert looking_back.wants(store, {"x": "0" * 64}) == {}


def test_tlscheck_and_profile_are_told_apart(store: Store) -> None:
    """The file of the first night says what neither today's rules nor the endpoint do."""
    first = replaced(night(0), DEPRECATED[0], b'"version": "0"', b'"version": "0.0.1"')
    other = re.sub(
        rb'"sha256": "[0-9a-f]{64}",\n   "source"',
        b'"sha256": "%s",\n   "source"' % (b"0" * 64),
        first,
    )
    for data, kind in ((first, "tlscheck"), (other, "profile")):
        with opened(store.path.with_name(kind), create=True) as one:
            kept(one, data, night(1))
            since = compare.since_last(one, 2)
            assert since
            (told,) = [c for c in since[1] if (c.subject, c.target) == DEPRECATED]
            assert (told.kind, told.code) == (kind, "verdict")
            assert not [c for c in since[1] if c.kind == "endpoint"]


def replaced(data: bytes, rule: str, one: bytes, other: bytes) -> bytes:
    """*data* with another version, in which the verdict on *rule* was ``not_applicable``."""
    mark = b'"rule": "%s",' % rule.encode()
    head, tail = data.split(mark, 1)
    tail = tail.replace(b'"verdict": "pass"', b'"verdict": "not_applicable"', 1)
    assert one in head
    return head.replace(one, other, 1) + mark + tail


# ---- accepting, forgetting -------------------------------------------------------------------


def test_a_change_that_is_meant(store: Store) -> None:
    accepting.accept(store, "0123456789ab", "Sato", "planned", at(1))
    accepting.accept(store, "0123456789ab", "Suzuki", "計画どおり", at(2))
    (found,) = accepting.accepted(store).values()
    assert (found.key, found.by, found.why) == ("0123456789ab", "Suzuki", "計画どおり")
    assert isinstance(found, changes.Accepted)
    accepting.withdraw(store, found.key)
    assert accepting.accepted(store) == {}
    with pytest.raises(HistoryError, match="no change"):
        accepting.withdraw(store, found.key)


def test_what_was_meant_once_is_not_meant_when_it_comes_again(store: Store) -> None:
    """Accepted in the first night, gone in the third, there again in the fourth."""
    kept(store, night(0), night(1, old()), night(2, old()), night(3))
    since = compare.since_last(store, 2)
    assert since
    for change in since[1]:
        accepting.accept(store, change.key, "Sato", "planned", at(2))
    known = accepting.accepted(store)
    assert known.keys() == {change.key for change in since[1]}
    assert changes.standing(known, at(0)) == known
    again = compare.latest(store, night(4, old()), "")
    assert again
    assert {change.key for change in again[1]} & known.keys()
    assert changes.standing(known, scans.one(store, again[0]).at) == {}


def test_old_scans_are_forgotten_and_their_room_is_given_back(store: Store) -> None:
    other = make.good_look("other.example.jp", certificate=make.certificate_for("other.example.jp"))
    kept(store, *(night(n) for n in range(6)), night(0, other), night(40, old()))
    outbox.put(store, outbox.Mail("<1>", ("a",), b"x" * 200_000), at(0))
    (queued,) = outbox.due(store, at(1))
    before = size(store)
    assert scans.prune(store, at(41), keep_days=30, keep=3) == scans.Pruned(4, 4)
    # Of the first host the newest three, the other's only one; mail that waits stays.
    assert [each.id for each in scans.kept(store)] == [8, 6, 5, 7]
    assert outbox.due(store, at(1))
    outbox.delivered(store, queued.id, at(1))
    assert scans.prune(store, at(99), keep_days=1, keep=1).left == 2
    assert size(store) < before / 2
    assert store.db.execute("PRAGMA freelist_count").fetchone() == (0,)
    assert store.db.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    assert scans.document(store, 8) == night(40, old())
    assert scans.document(store, 7) == night(0, other)
    assert {p.scan for p in looking_back.trend(store, "tls.versions")} == {7, 8}
    assert store.db.execute("SELECT count(*) FROM outbox").fetchone() == (0,)


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_a_year_of_twenty_targets(tmp_path: Path) -> None:
    """Under 200 MB; the next look at it takes under a second of CPU."""
    chance = random.Random(20)
    hosts = [f"h{number}.example.jp" for number in range(20)]
    looks = [make.good_look(host, f"192.0.2.{i + 1}") for i, host in enumerate(hosts)]
    one = night(0, *looks)
    with opened(tmp_path / "history.db", create=True) as store:
        store.db.execute("PRAGMA synchronous = OFF")
        for number in range(365):
            data = one.replace(b"2026-11-20T", f"{at(number):%Y-%m-%d}T".encode())
            # Every night something is new: one target's certificate, say.
            mark = hashlib.sha256(f"certificate {chance.choice(hosts)}".encode()).hexdigest()
            new = hashlib.sha256(str(number).encode()).hexdigest()
            data = data.replace(mark.encode(), new.encode())
            scans.keep(store, data, "", at(number))
        taken = size(store)
        assert taken < 200e6
        for look_back in (
            lambda: looking_back.trend(store, "tls.versions"),
            lambda: looking_back.trend(store, "h7.example.jp"),
            lambda: compare.kept(store, 200, 300),
        ):
            begin = time.process_time()
            assert look_back()
            assert time.process_time() - begin < 1
        print(f"{taken / 1e6:.1f} MB for {365 * len(one) / 1e6:.0f} MB")
