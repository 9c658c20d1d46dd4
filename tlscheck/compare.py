"""Two scans compared: files, or scans of a history. Reads, judges both alike, and has the
differences told.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from functools import lru_cache, partial

from tlscheck import changes, report
from tlscheck import judge as judging
from tlscheck.changes import Change, Past
from tlscheck.changes.filling import begun, certain, filled, gaps, lent, unasked
from tlscheck.changes.findings import Place, known
from tlscheck.history import Store, looking_back, scans
from tlscheck.model import Scan, Verdict, Waiver
from tlscheck.report import Judged, Report

RUNS = changes.runs.RUNS
_judged = partial(judging.judge, overall=True)
Measure = tuple[str, tuple[str, ...]]
"""A profile and checklists."""


@dataclass(frozen=True, slots=True)
class Read:
    """A scan file that was read."""

    scan: Scan
    said: Judged


def read(data: bytes, name: str) -> Read:
    """The scan file *data*. ScanFileError."""
    return Read(*report.read(data, name))


def files(before: Read, after: Read) -> tuple[Change, ...]:
    """What changed between two files. ProfileError, ChecklistError."""
    now = _judged(after.scan)
    rejudged = _judged(before.scan, now.scan.profile, now.scan.checklists)
    past = _past(before, rejudged, before.scan, _certain(before.scan))
    return changes.between(past, after.scan, after.said, now)


def kept(store: Store, before: int, after: int) -> tuple[Change, ...]:
    """What changed between two scans of a history. HistoryError, ScanFileError, ProfileError."""
    return Desk(store).between(before, after)


def latest(store: Store, data: bytes, name: str) -> tuple[int, tuple[Change, ...]] | None:
    """What the scan file *data* shows against the last scan before it that looked at one of its
    hosts, and which that is; ``None`` where there is none. What flaps is told as that.
    """
    after = read(data, name)
    return _latest(Desk(store, anew=True), after, lambda: _judged(after.scan))


def since_last(store: Store, number: int) -> tuple[int, tuple[Change, ...]] | None:
    """The same for a scan that is in the history."""
    return Desk(store).since_last(number)


class Desk:
    """A history whose scans lie open, so that of many in a row none is read or judged twice."""

    def __init__(self, store: Store, *, anew: bool = False) -> None:
        """*anew*: what was found by this version and the same profiles is judged again all the
        same.
        """
        self._store = store
        self._anew = anew
        self._read = lru_cache(_OPEN)(partial(_kept, store, {}))
        self._judged = lru_cache(_OPEN)(self._judge)
        self._verdicts = lru_cache(RUNS)(lambda scan: looking_back.runs(store, [scan]))

    def __call__(self, number: int) -> Read:
        """The scan with that number. HistoryError, ScanFileError."""
        return self._read(number)

    def judged(self, number: int, measure: Measure | None = None) -> Report:
        """What is said of it today, by its own measure unless told otherwise. ProfileError."""
        scan = self(number).scan
        return self._judged(number, measure or (scan.profile, tuple(scan.checklists)))

    def between(self, before: int, after: int) -> tuple[Change, ...]:
        """See `kept`."""
        return self.changes(before, self(after), self.judged(after))

    def since_last(self, number: int) -> tuple[int, tuple[Change, ...]] | None:
        """See `since_last`."""
        return _latest(self, self(number), lambda: self.judged(number))

    def changes(
        self, before: int, after: Read, now: Report, *, lending: bool = False
    ) -> tuple[Change, ...]:
        """What changed since the scan *before*; *now* is what is said of *after* today.

        *lending*: what *before* was not asked is compared with the last scan that was.
        """
        was = self(before)
        rejudged = self.judged(before, (now.scan.profile, tuple(now.scan.checklists)))
        base = self._lent(was.scan, after.scan) if lending else was.scan
        past = _past(was, rejudged, base, self._whole(base))
        past = replace(
            past,
            borne=self._borne(after.scan) if lending else {},
            wants=looking_back.wants(self._store, was.said.profiles),
            remembered={
                place: last
                for verdict in (Verdict.UNKNOWN, Verdict.NOT_APPLICABLE)
                for place, last in looking_back.remembered(
                    self._store, _unsettled(past.known, verdict), was.scan.at, verdict
                ).items()
            },
        )
        return changes.between(past, after.scan, after.said, now)

    def before(self, scan: Scan, most: int) -> tuple[int, ...]:
        """The scans before *scan*, the newest first, that looked at one of its hosts."""
        targets = [look.target.id for look in scan.looks]
        return looking_back.earlier(self._store, scan.at, targets, most)

    def runs(self, scans: Iterable[int]) -> Mapping[Place, tuple[Verdict, ...]]:
        """The verdicts in *scans*, in that order."""
        found: dict[Place, list[Verdict]] = {}
        for scan in scans:
            for place, verdicts in self._verdicts(scan).items():
                found.setdefault(place, []).extend(verdicts)
        return {place: tuple(verdicts) for place, verdicts in found.items()}

    def _judge(self, number: int, measure: Measure) -> Report:
        read = self(number)
        return _judged(read.scan, *measure, found=None if self._anew else read.said)

    def _borne(self, scan: Scan) -> Mapping[Waiver, datetime]:
        """When each waiver of *scan* was there last, of late."""
        found: dict[Waiver, datetime] = {}
        for number in self.before(scan, RUNS - 1):
            if found.keys() >= set(scan.waivers):
                break
            older = self(number).scan
            for waiver in set(scan.waivers) & set(older.waivers) - found.keys():
                found[waiver] = older.at
        return found

    def _lent(self, scan: Scan, after: Scan) -> Scan:
        """*scan* with what *after* looked at and it did not, from the last that did."""
        base = begun(scan)
        wanted = looking_back.known(self._store, unasked(base, begun(after)))
        for number in looking_back.asked(self._store, wanted, scan.at, _NIGHTS):
            if not wanted:
                break
            base, wanted = lent(base, _certain(begun(self(number).scan)), wanted)
        return base

    def _whole(self, scan: Scan) -> Scan:
        """*scan* with what it missed as earlier ones saw it."""
        whole, at = _certain(scan), scan.at
        for _ in range(_NIGHTS):
            older = looking_back.last_seen(self._store, gaps(whole), at)
            if not older:
                break
            one = _certain(self(older[0]).scan)
            whole, at = filled(whole, [one]), one.at
        return whole


_OPEN = 4
"""So many scans lie open."""
_NIGHTS = 30
"""So many earlier scans are read at the most."""


def _latest(
    desk: Desk, after: Read, now: Callable[[], Report]
) -> tuple[int, tuple[Change, ...]] | None:
    before = desk.before(after.scan, RUNS - 1)
    if not before:
        return None
    found = desk.changes(before[0], after, now(), lending=True)
    runs = dict(desk.runs(reversed(before)))
    own = next(iter(after.said.profiles), "")
    for finding in after.said.findings:
        if own in finding.profiles:
            place = finding.rule, finding.target
            runs[place] = (*runs.get(place, ()), finding.verdict)
    return before[0], changes.settled(found, changes.flapping(runs))


def _kept(store: Store, known: dict[int, bytes], number: int) -> Read:
    return read(scans.document(store, number, known), f"{store.path}, {number}")


def _past(before: Read, rejudged: Report, base: Scan, whole: Scan) -> Past:
    """*before*, with what others were asked (*base*), and as *whole* as it is known, by the measure
    of *rejudged*.
    """
    measure = rejudged.scan.profile, rejudged.scan.checklists
    lent = rejudged if base is before.scan else _judged(base, *measure)
    known = lent if whole is base else _judged(whole, *measure)
    return Past(before.scan, before.said, rejudged, lent, known)


def _certain(scan: Scan) -> Scan:
    intercepted = judging.intercepted(scan.looks)
    return certain(scan, intercepted) if intercepted else scan


def _unsettled(report: Report, verdict: Verdict) -> Iterable[Place]:
    """The findings with that verdict of which nothing is known: nobody asked, say."""
    for finding in report.own():
        if finding.verdict is verdict and known(finding).verdict is Verdict.UNKNOWN:
            yield finding.rule, finding.target
