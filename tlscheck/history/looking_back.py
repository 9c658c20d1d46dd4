"""What earlier scans tell beside the one that is compared with."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

from tlscheck.changes import Known
from tlscheck.history.scans import host_of
from tlscheck.history.store import Store, moment, stamp
from tlscheck.model import Verdict

Place = tuple[str, str]
"""A rule and a target."""


def earlier(store: Store, at: datetime, targets: Iterable[str], most: int = 1) -> tuple[int, ...]:
    """The scans before *at*, the newest first, that looked at a host of the *targets* too."""
    hosts = json.dumps(sorted({host_of(target) for target in targets}))
    with store.reading() as db:
        rows = db.execute(_EARLIER, (stamp(at), hosts, most)).fetchall()
    return tuple(row[0] for row in rows)


_EARLIER = """
SELECT id FROM scan WHERE at < ? AND EXISTS (
    SELECT 1 FROM target JOIN sight ON sight.target = target.id
    WHERE sight.scan = scan.id AND sight.subject = ''
    AND target.host IN (SELECT value FROM json_each(?))
) ORDER BY at DESC, id DESC LIMIT ?
"""


Wanted = frozenset[tuple[str, str]]
"""What was asked for (a target's id without its address), and a subject; empty: all of it."""


def known(store: Store, wanted: Wanted) -> Wanted:
    """Those of the *wanted* that some scan saw."""
    with store.reading() as db:
        return frozenset(
            (name, subject)
            for name, subject in wanted
            if db.execute(_EVER_SEEN, (name, name + "#%", subject)).fetchone()
        )


_EVER_SEEN = """
SELECT 1 FROM target JOIN sight ON sight.target = target.id
WHERE (target.name = ?1 OR target.name LIKE ?2) AND sight.subject = ?3 LIMIT 1
"""


def asked(store: Store, wanted: Wanted, at: datetime, most: int) -> tuple[int, ...]:
    """The scans before *at*, the newest first, that looked at a target of the *wanted*."""
    with store.reading() as db:
        found = {
            row
            for name in {name for name, _ in wanted}
            for row in db.execute(_ASKED, (name, name + "#%", stamp(at), most)).fetchall()
        }
    return tuple(number for _, number in sorted(found, reverse=True)[:most])


_ASKED = """
SELECT DISTINCT scan.at, scan.id FROM target JOIN sight ON sight.target = target.id
JOIN scan ON scan.id = sight.scan
WHERE (target.name = ?1 OR target.name LIKE ?2) AND sight.subject = '' AND scan.at < ?3
ORDER BY scan.at DESC, scan.id DESC LIMIT ?4
"""


def last_seen(store: Store, gaps: Iterable[tuple[str, str]], at: datetime) -> tuple[int, ...]:
    """The scans before *at*, the newest first, that saw what the *gaps* (target and subject) name;
    of each gap the last one.
    """
    found = {}
    with store.reading() as db:
        for target, subject in gaps:
            row = db.execute(_LAST_SEEN, (target, target + "#%", subject, stamp(at))).fetchone()
            if row:
                found[row[0]] = row[1]
    return tuple(sorted(found, key=lambda number: (found[number], number), reverse=True))


_LAST_SEEN = """
SELECT scan.id, scan.at FROM target JOIN sight ON sight.target = target.id
JOIN scan ON scan.id = sight.scan
WHERE (target.name = ?1 OR (?3 = '' AND target.name LIKE ?2))
AND (sight.subject = ?3 AND ?3 <> '' OR ?3 = '' AND sight.subject <> '') AND scan.at < ?4
ORDER BY scan.at DESC, scan.id DESC LIMIT 1
"""


def unseen_weeks(store: Store, wanted: Wanted, at: datetime) -> int:
    """How many whole weeks before *at* the one of the *wanted* was seen last that was seen longest
    ago; one that nobody ever saw counts from the first scan on.
    """
    with store.reading() as db:
        (first,) = db.execute("SELECT min(at) FROM scan").fetchone()
        seen = [
            db.execute(_SEEN, (name, name + "#%", subject, stamp(at))).fetchone()[0] or first
            for name, subject in wanted
        ]
    oldest = min(filter(None, seen), default=None)
    return (at - moment(oldest)).days // 7 if oldest else 0


_SEEN = """
SELECT max(scan.at) FROM target JOIN sight ON sight.target = target.id
JOIN scan ON scan.id = sight.scan
WHERE (target.name = ?1 OR target.name LIKE ?2) AND sight.subject = ?3 AND scan.at < ?4
"""


def remembered(
    store: Store, places: Iterable[Place], at: datetime, besides: Verdict = Verdict.UNKNOWN
) -> Mapping[Place, Known]:
    """Of rules on targets the last verdict before *at* that was none of ``unknown`` and *besides*,
    under the own profile of its run.
    """
    found = {}
    with store.reading() as db:
        for rule, target in places:
            row = db.execute(_REMEMBERED, (rule, target, stamp(at), besides)).fetchone()
            if row:
                found[rule, target] = Known(Verdict(row[0]), frozenset(json.loads(row[1])))
    return found


_REMEMBERED = """
SELECT state.verdict, state.codes FROM matter JOIN target ON target.id = matter.target
JOIN finding ON finding.matter = matter.id JOIN state ON state.id = finding.state
JOIN scan ON scan.id = finding.scan
WHERE matter.rule = ? AND target.name = ? AND matter.own = 1 AND scan.at < ?
AND state.verdict NOT IN ('unknown', ?) ORDER BY scan.at DESC, scan.id DESC LIMIT 1
"""


def runs(store: Store, scans: Iterable[int]) -> Mapping[Place, tuple[Verdict, ...]]:
    """The verdicts in *scans*, in that order, of every rule on every target there."""
    wanted = json.dumps(list(scans))
    with store.reading() as db:
        rows = db.execute(_RUNS, (wanted,)).fetchall()
    found: dict[Place, list[Verdict]] = {}
    for rule, target, verdict in rows:
        found.setdefault((rule, target), []).append(Verdict(verdict))
    return {place: tuple(verdicts) for place, verdicts in found.items()}


_RUNS = """
SELECT matter.rule, target.name, state.verdict
FROM json_each(?) AS asked CROSS JOIN matter
JOIN finding ON finding.matter = matter.id AND finding.scan = asked.value
JOIN state ON state.id = finding.state JOIN target ON target.id = matter.target
WHERE matter.own = 1 ORDER BY asked.key
"""


@dataclass(frozen=True, slots=True)
class Point:
    """One verdict at one time."""

    scan: int
    at: datetime
    rule: str
    target: str
    verdict: Verdict


def trend(store: Store, what: str) -> tuple[Point, ...]:
    """The verdicts on a rule, a target or a host over time, by target and rule, oldest first."""
    with store.reading() as db:
        rows = db.execute(_TREND, (what,)).fetchall()
    return tuple(
        Point(scan, moment(at), rule, target, Verdict(verdict))
        for scan, at, rule, target, verdict in rows
    )


_TREND = """
SELECT scan.id, scan.at, matter.rule, target.name, state.verdict
FROM matter JOIN target ON target.id = matter.target
JOIN finding ON finding.matter = matter.id JOIN state ON state.id = finding.state
JOIN scan ON scan.id = finding.scan
WHERE matter.own = 1 AND (matter.rule = ?1 OR target.name = ?1 OR target.host = ?1)
ORDER BY target.name, matter.rule, scan.at, scan.id
"""


def verdicts(store: Store, since: datetime) -> Iterator[tuple[str, str, int, Verdict]]:
    """Target, rule, scan and verdict of all that was found from *since* on under the run's own
    profile, by target and rule, the oldest first.
    """
    with store.reading() as db:
        for target, rule, scan, verdict in db.execute(_VERDICTS, (stamp(since),)):
            yield target, rule, scan, Verdict(verdict)


_VERDICTS = """
SELECT target.name, matter.rule, scan.id, state.verdict
FROM matter JOIN target ON target.id = matter.target
JOIN finding ON finding.matter = matter.id JOIN state ON state.id = finding.state
JOIN scan ON scan.id = finding.scan
WHERE matter.own = 1 AND scan.at >= ?
ORDER BY target.name, matter.rule, scan.at, scan.id
"""


def looked(store: Store, since: datetime) -> Iterator[tuple[str, int]]:
    """Every target with the scans from *since* on that looked at it, the oldest first."""
    with store.reading() as db:
        yield from db.execute(_LOOKED, (stamp(since),))


_LOOKED = """
SELECT target.name, scan.id FROM sight JOIN target ON target.id = sight.target
JOIN scan ON scan.id = sight.scan
WHERE sight.subject = '' AND scan.at >= ? ORDER BY scan.at, scan.id, target.name
"""


def wants(store: Store, profiles: Mapping[str, str]) -> Mapping[str, Mapping[str, str]]:
    """Of *profiles* (digests by id) what they wanted of each rule, as digests."""
    found = {}
    with store.reading() as db:
        for name, digest in profiles.items():
            row = db.execute("SELECT wants FROM profile WHERE sha256 = ?", (digest,)).fetchone()
            if row:
                found[name] = json.loads(row[0])
    return found
