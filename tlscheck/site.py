"""A history read for the site that shows it: the newest scans whole, of the others their findings'
rows.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from itertools import groupby

from tlscheck import checklist as checklists
from tlscheck.changes.sight import doubts
from tlscheck.checklist import Checklist
from tlscheck.compare import Desk, Read
from tlscheck.errors import ChecklistError, HistoryError, ProfileError, ScanFileError, TlscheckError
from tlscheck.history import Store, accepting, looking_back, scans
from tlscheck.model import Look, Scope, Verdict
from tlscheck.render.site.past import Course, Last, Night, Past, Run, Shown, Stretch, asked
from tlscheck.report import Report


def gather(store: Store, days: int, timeline: int) -> Past:
    """What the site shows: trends over so many *days*, changes over those of the *timeline*, both
    counted from the newest scan. HistoryError.
    """
    with store.reading():
        kept = scans.kept(store)
        if not kept:
            raise HistoryError(
                "{file}: no scan is kept there; `tlscheck scan --history FILE` keeps one",
                file=store.path,
            )
        newest = kept[0].at
        since, told = newest - timedelta(days=days), newest - timedelta(days=timeline)
        shown = {each.id: each.at for each in reversed(kept) if each.at >= since}
        looked = _looked(store, since)
        desk, known = Desk(store), _Known()
        for each in sorted({runs[-1] for runs in looked.values()}, key=list(shown).index):
            if shown[each] < told:
                with suppress(ScanFileError):
                    known.take(desk(each))
        nights = tuple(_nights(store, desk, [n for n in shown if shown[n] >= told], known))
        return Past(
            nights=nights,
            courses=tuple(_courses(store, since, shown, looked, known)),
            answers=tuple(answer for answer in known.answers if answer.target is None),
            checklists=_checklists({answer.checklist for answer in known.answers}),
            accepted=accepting.accepted(store),
            scans=len(shown),
            older=len(kept) - len(shown),
        )


def _looked(store: Store, since: datetime) -> Mapping[str, Sequence[int]]:
    """By target the scans that looked at it, the oldest first."""
    found: dict[str, dict[int, None]] = {}
    for target, scan in looking_back.looked(store, since):
        found.setdefault(asked(target), {})[scan] = None
    return {name: tuple(runs) for name, runs in found.items()}


@dataclass(slots=True)
class _Known:
    """What the scans that were read so far told last."""

    last: dict[str, Last] = field(default_factory=dict)
    certificates: dict[str, dict[str, Shown]] = field(default_factory=dict)
    answers: tuple[checklists.ItemAnswer, ...] = ()

    def take(self, read: Read) -> None:
        """What *read* tells of the targets that it looked at."""
        self.answers = read.said.answers
        doubted = doubts(read.said.findings)
        of_each: dict[str, list[Look]] = {}
        for look in read.scan.looks:
            of_each.setdefault(asked(look.target.id), []).append(look)
        for name, looks in of_each.items():
            self.last[name] = _last(read, looks)
            known = self.certificates.setdefault(name, {})
            _certificates(known, looks, read.scan.at, doubted)


def _last(read: Read, looks: Sequence[Look]) -> Last:
    ids = {look.target.id for look in looks}
    report = Report(
        replace(read.scan, looks=tuple(looks)),
        tuple(finding for finding in read.said.findings if finding.target in ids),
        tuple(answer for answer in read.said.answers if answer.target in ids),
        (),
        (),
    )
    return Last(report, next(iter(read.said.profiles), ""))


def _certificates(
    known: dict[str, Shown], looks: Sequence[Look], at: datetime, doubted: Mapping[str, object]
) -> None:
    """Have *known* say what *looks* saw. An address that the name has lost is forgotten, unless the
    name did not resolve.
    """
    ids = {look.target.id for look in looks}
    if any(look.target.scope is Scope.ENDPOINT for look in looks):
        for gone in known.keys() - ids:
            del known[gone]
    for look in looks:
        if "certificate" in look.seen and look.target.id not in doubted:
            known[look.target.id] = Shown(at, look)


def _nights(store: Store, desk: Desk, shown: Iterable[int], known: _Known) -> Iterator[Night]:
    for number in shown:
        night = Night(number, scans.one(store, number).at)
        known.answers = ()  # of the newest scan, or of none
        try:
            known.take(desk(number))
            since = desk.since_last(number)
        except (ScanFileError, ProfileError, ChecklistError) as error:
            yield replace(night, trouble=_placeless(error))
            continue
        if since is not None:
            before = since[0], scans.one(store, since[0]).at
            night = replace(night, before=before, changes=since[1])
        yield night


def _placeless(error: TlscheckError) -> TlscheckError:
    """*error* without the place of the history, which is nobody's business who reads a page."""
    return type(error)(error.template, **{**error.values, "file": "history"})


def _courses(
    store: Store,
    since: datetime,
    times: Mapping[int, datetime],
    looked: Mapping[str, Sequence[int]],
    known: _Known,
) -> Iterator[Course]:
    tallies = {name: {scan: Counter[Verdict]() for scan in runs} for name, runs in looked.items()}
    rules: dict[str, dict[tuple[str, str], tuple[Stretch, ...]]] = {}
    rows = looking_back.verdicts(store, since)
    for place, several in groupby(rows, key=lambda row: row[:2]):
        name, points = asked(place[0]), [(scan, verdict) for _, _, scan, verdict in several]
        for scan, verdict in points:
            if scan in tallies.get(name, ()):
                tallies[name][scan][verdict] += 1
        rules.setdefault(name, {})[place] = tuple(_stretches(points, times))
    for name, tally in tallies.items():
        yield Course(
            name,
            tuple(Run(scan, times[scan], verdicts) for scan, verdicts in tally.items()),
            rules.get(name, {}),
            known.last.get(name),
            tuple(known.certificates.get(name, {}).values()),
        )


def _stretches(
    points: Iterable[tuple[int, Verdict]], times: Mapping[int, datetime]
) -> Iterator[Stretch]:
    for verdict, several in groupby(points, key=lambda point: point[1]):
        alike = [times[scan] for scan, _ in several]
        yield Stretch(verdict, alike[0], alike[-1], len(alike))


def _checklists(names: Iterable[str]) -> Mapping[str, Checklist]:
    found = {}
    for name in names:
        try:
            found[name] = checklists.load(name)
        except ChecklistError:  # it is not there any more; the answers are
            continue
    return found
