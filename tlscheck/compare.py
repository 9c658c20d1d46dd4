"""Two scans compared: files, or scans of a history. Reads, judges both alike, and has the
differences told.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from tlscheck import changes, report
from tlscheck import judge as judging
from tlscheck.changes import Change, Past
from tlscheck.changes.findings import Place
from tlscheck.changes.sight import certain, filled, gaps
from tlscheck.history import Store, looking_back, scans
from tlscheck.model import Scan, Verdict
from tlscheck.report import Judged, Report

RUNS = changes.runs.RUNS


@dataclass(frozen=True, slots=True)
class Read:
    """A scan file that was read."""

    scan: Scan
    said: Judged


def read(data: bytes, name: str) -> Read:
    """The scan file *data*. ScanFileError."""
    return Read(report.decode(data, name), report.judged(data, name))


def files(before: Read, after: Read) -> tuple[Change, ...]:
    """What changed between two files. ProfileError, ChecklistError."""
    now = judging.judge(after.scan)
    past = _past(before, now, _certain(before.scan))
    return changes.between(past, after.scan, after.said, now)


def kept(store: Store, before: int, after: int) -> tuple[Change, ...]:
    """What changed between two scans of a history. HistoryError, ScanFileError, ProfileError."""
    return _changes(store, before, _kept(store, after))


def latest(store: Store, data: bytes, name: str) -> tuple[int, tuple[Change, ...]] | None:
    """What the scan file *data* shows against the last scan before it that looked at one of its
    hosts, and which that is; ``None`` where there is none. What flaps is told as that.
    """
    after = read(data, name)
    return _latest(store, after)


def since_last(store: Store, number: int) -> tuple[int, tuple[Change, ...]] | None:
    """The same for a scan that is in the history."""
    return _latest(store, _kept(store, number))


def _latest(store: Store, after: Read) -> tuple[int, tuple[Change, ...]] | None:
    targets = [look.target.id for look in after.scan.looks]
    before = looking_back.earlier(store, after.scan.at, targets, RUNS - 1)
    if not before:
        return None
    found = _changes(store, before[0], after)
    runs = dict(looking_back.runs(store, reversed(before)))
    own = next(iter(after.said.profiles), "")
    for finding in after.said.findings:
        if own in finding.profiles:
            place = finding.rule, finding.target
            runs[place] = (*runs.get(place, ()), finding.verdict)
    return before[0], changes.settled(found, changes.flapping(runs))


def _changes(store: Store, before: int, after: Read) -> tuple[Change, ...]:
    was, now = _kept(store, before), judging.judge(after.scan)
    past = _past(was, now, _whole(store, was.scan))
    past = replace(
        past,
        wants=looking_back.wants(store, was.said.profiles),
        remembered=looking_back.remembered(store, _unknown(past.known), was.scan.at),
    )
    return changes.between(past, after.scan, after.said, now)


def _kept(store: Store, number: int) -> Read:
    return read(scans.document(store, number), f"{store.path}, {number}")


def _past(before: Read, now: Report, whole: Scan) -> Past:
    """*before*, and as *whole* as it is known, by the measure of *now*."""
    measure = now.scan.profile, now.scan.checklists
    rejudged = judging.judge(before.scan, *measure)
    known = rejudged if whole is before.scan else judging.judge(whole, *measure)
    return Past(before.scan, before.said, rejudged, known)


def _certain(scan: Scan) -> Scan:
    intercepted = judging.intercepted(scan.looks)
    return certain(scan, intercepted) if intercepted else scan


def _whole(store: Store, scan: Scan) -> Scan:
    """*scan* with what it missed as earlier ones saw it."""
    whole, at = _certain(scan), scan.at
    for _ in range(_NIGHTS):
        older = looking_back.last_seen(store, gaps(whole), at)
        if not older:
            break
        one = _certain(_kept(store, older[0]).scan)
        whole, at = filled(whole, [one]), one.at
    return whole


_NIGHTS = 30
"""So many earlier scans are read at the most."""


def _unknown(report: Report) -> Iterable[Place]:
    for finding in report.own():
        if finding.verdict is Verdict.UNKNOWN:
            yield finding.rule, finding.target
