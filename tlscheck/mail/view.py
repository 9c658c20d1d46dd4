"""What a letter tells, said in one language once; text and HTML only lay it out.

All text is `visible`: what a server sent can steer no terminal and forge no line.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby

from tlscheck.changes import Accepted, Change, Direction, Origin
from tlscheck.changes.sight import doubts
from tlscheck.mail.news import ENDED, News, Occasion
from tlscheck.mail.subject import is_grave, subject, tally
from tlscheck.model import Missed, Reason, Verdict, Waiver
from tlscheck.render.changes import ACCEPTED, ordered, said
from tlscheck.render.naming import label
from tlscheck.render.view import with_detail
from tlscheck.report import Report
from tlscheck.rules import RULES
from tlscheck.text import (
    _N,
    ORIGINS,
    REASONS,
    SEVERITIES,
    SUBJECTS,
    day,
    moment,
    sentence,
    told,
    translate,
    visible,
    voice,
    word,
)

_FAILURES = 10
"""How many failures are named."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One change."""

    mark: str
    worse: bool
    weight: str
    """How severe it is; empty where it is not for the worse."""
    subject: str
    words: str
    key: str
    notes: tuple[str, ...]


Group = tuple[str, tuple[tuple[str, tuple[Entry, ...]], ...]]
"""Whose doing changes are, and by target what they are."""


@dataclass(frozen=True, slots=True)
class Failure:
    """One that stands."""

    weight: str
    rule: str
    title: str
    target: str
    borne: str
    """Until when, by whom and why; empty: by nobody."""


@dataclass(frozen=True, slots=True)
class View:
    """A letter in words."""

    subject: str
    headline: str
    notices: tuple[str, ...]
    groups: tuple[Group, ...]
    tally: str
    targets: tuple[tuple[str, str], ...]
    failures: tuple[Failure, ...]
    more: str
    """How many failures are not named; empty: none."""
    closing: tuple[str, ...]


def view(news: News, lang: str) -> View:
    """*news* in *lang*."""
    failures = _failures(news, lang)
    left = len(failures) - _FAILURES
    return View(
        subject=subject(news, lang),
        headline=_headline(news, lang),
        notices=tuple(_notices(news, lang)),
        groups=tuple(_groups(news, lang)),
        tally=tally(news.report.own(), lang),
        targets=tuple(_targets(news.report, lang)),
        failures=tuple(failures[:_FAILURES]),
        more=voice(lang)(_N("and {number} more"), number=left) if left > 0 else "",
        closing=tuple(_closing(news, lang)),
    )


def _headline(news: News, lang: str) -> str:
    say = voice(lang)
    match news.occasion:
        case Occasion.BASELINE:
            number = len(news.report.scan.looks)
            return say(
                _N(
                    "The first look. Places looked at (endpoints, addresses, domains): {number}."
                    " From now on only what changes is mailed."
                ),
                number=number,
            )
        case Occasion.BLIND:
            return say(_N("What changed is not known. This is how it stands."))
        case Occasion.QUIET if news.unlooked:
            return say(_N("Nothing changed where it was looked."))
        case Occasion.QUIET:
            return say(_N("Nothing changed. This mail shows that tlscheck is still at work."))
    counts = {d: sum(change.direction is d for change in news.changes) for d in Direction}
    return say(
        _N(
            "Since {before}, changes for the worse: {worse}, for the better: {better},"
            " others: {other}."
        ),
        before=moment(news.before, lang) if news.before else "-",
        worse=counts[Direction.WORSE],
        better=counts[Direction.BETTER],
        other=counts[Direction.NEUTRAL],
    )


def _notices(news: News, lang: str) -> Iterator[str]:
    say = voice(lang)
    if news.unread is not None:
        yield say(_N("What was kept could not be compared with: {words}"), words=news.unread)
    if news.unkept is not None:
        yield say(_N("The history was not kept: {words}"), words=news.unkept)
        yield say(_N("What this mail tells may therefore be told again."))
    if news.unlooked:
        yield say(ENDED, number=news.unlooked)
    if news.unconfirmed:
        yield say(
            _N("A second look did not show {number} differences again; they are not told."),
            number=news.unconfirmed,
        )


def _groups(news: News, lang: str) -> Iterator[Group]:
    called = news.called
    everything = translate(_N("All targets together"), lang)
    found = sorted(ordered(news.changes), key=_place)
    for origin, alike in groupby(found, key=lambda change: change.kind):
        by_target = tuple(
            (
                called(target) if target else everything,
                tuple(_entry(change, news.accepted, lang) for change in several),
            )
            for target, several in groupby(alike, key=lambda change: change.target)
        )
        yield word(ORIGINS, origin, lang), by_target


def _place(change: Change) -> tuple[int, bool]:
    """What is of no target follows from what is of one."""
    return list(Origin).index(change.kind), not change.target


_MARKS = {Direction.WORSE: "✗", Direction.BETTER: "✓", Direction.NEUTRAL: "·"}


def _entry(change: Change, accepted: Mapping[str, Accepted], lang: str) -> Entry:
    notes = [sentence(evidence, lang) for evidence in change.evidence]
    if known := accepted.get(change.key):
        on = day(datetime.fromisoformat(known.at), lang)
        notes.append(voice(lang)(ACCEPTED, by=known.by, day=on, words=known.why))
    return Entry(
        _MARKS[change.direction],
        change.direction is Direction.WORSE,
        word(SEVERITIES, change.severity, lang) if is_grave(change) else "",
        visible(change.subject),
        said(change, lang),
        change.key,
        tuple(notes),
    )


def _targets(report: Report, lang: str) -> Iterator[tuple[str, str]]:
    """Each target with its tally, and what was not seen of it."""
    own, doubted = report.own(), doubts(report.findings)
    for look in report.scan.looks:
        found = [finding for finding in own if finding.target == look.target.id]
        doubtful = sorted(look.seen.keys() & doubted.get(look.target.id, frozenset()))
        missed = (*look.missed, *(Missed(each, Reason.INTERCEPTED) for each in doubtful))
        lines = [tally(found, lang, few=True), *_missed(missed, lang)]
        yield label(look.target), " / ".join(lines)


def _missed(each: Iterable[Missed], lang: str) -> Iterator[str]:
    for missed in each:
        if missed.reason not in ("not_applicable", "not_asked", "to_declare"):
            why = with_detail(word(REASONS, missed.reason, lang), told(missed.detail, lang), lang)
            yield voice(lang)(
                _N("not seen: {subject}: {why}"),
                subject=word(SUBJECTS, missed.kind, lang),
                why=why,
            )


def _failures(news: News, lang: str) -> Sequence[Failure]:
    """What fails under the run's own profile, the weightiest first; what is borne comes last."""
    called = news.called
    failed = [f for f in news.report.own() if f.verdict is Verdict.FAIL]
    failed.sort(key=lambda f: (news.waived(f) is not None, f.severity.rank, f.rule, f.target))
    return [
        Failure(
            word(SEVERITIES, finding.severity, lang),
            visible(finding.rule),
            translate(RULES[finding.rule].title, lang) if finding.rule in RULES else "",
            called(finding.target),
            _borne(news.waived(finding), lang),
        )
        for finding in failed
    ]


def _borne(waiver: Waiver | None, lang: str) -> str:
    if waiver is None:
        return ""
    return voice(lang)(
        _N("borne until {day} by {by}: {words}"),
        day=day(waiver.until, lang),
        by=waiver.who,
        words=waiver.reason,
    )


def _closing(news: News, lang: str) -> Iterator[str]:
    say = voice(lang)
    scan = news.report.scan
    yield say(
        _N("Looked at {moment}, judged by {profile}, tlscheck {version}."),
        moment=scan.at,
        profile=news.report.profile.id,
        version=scan.version,
    )
    if news.scan is not None:
        yield say(_N("More: tlscheck history show {number}"), number=news.scan)
    if any(change.key not in news.accepted for change in news.changes):
        yield say(_N("If a change is meant: tlscheck history accept ID --by WHO --why TEXT"))
