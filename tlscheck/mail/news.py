"""What a letter tells, said in one language once; text and HTML only lay it out.

All text is `visible`: what a server sent can steer no terminal and forge no line.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from itertools import groupby

from tlscheck.changes import Accepted, Change, Direction, Origin
from tlscheck.errors import TlscheckError
from tlscheck.model import Finding, Kind, Look, Severity, Verdict, Waiver
from tlscheck.render.changes import ACCEPTED, ordered, said
from tlscheck.render.naming import label, namer
from tlscheck.render.view import with_detail
from tlscheck.report import Report
from tlscheck.rules import RULES
from tlscheck.text import (
    _N,
    ORIGINS,
    REASONS,
    SEVERITIES,
    SUBJECTS,
    VERDICTS,
    day,
    moment,
    sentence,
    told,
    translate,
    visible,
    voice,
    word,
)
from tlscheck.waivers import covered

_FAILURES = 10
"""How many failures are named."""
_SUBJECT = 120
"""Characters of a subject, beside what it begins with."""


class Occasion(StrEnum):
    """Why there is a letter."""

    BASELINE = "baseline"
    CHANGED = "changed"
    BLIND = "blind"
    """What was kept cannot be read, so that nobody knows what changed."""
    QUIET = "quiet"
    """Nothing changed; it shows that the job is alive."""


@dataclass(frozen=True, slots=True)
class Line:
    """A sentence, without a language."""

    template: str
    values: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class News:
    """What there is to tell, without a language."""

    report: Report
    occasion: Occasion
    changes: tuple[Change, ...] = ()
    before: datetime | None = None
    """When was looked the time before."""
    accepted: Mapping[str, Accepted] = field(default_factory=dict)
    unread: TlscheckError | None = None
    """Why nothing could be compared with what was kept."""
    unkept: TlscheckError | None = None
    """Why the scan is not in the history."""
    scan: int | None = None
    """Its number in the history."""
    unconfirmed: int = 0
    """Differences that a second look did not show again."""
    unlooked: int = 0
    """Targets, as they were asked for, that the run's early end left out."""
    ended_anew: bool = False
    """Whether the run before left less out, or another week is over without a look."""
    gone: tuple[Look, ...] = ()
    """The last looks at targets that the report has no more."""

    @property
    def called(self) -> Callable[[str], str]:
        """What targets are called, by their ids."""
        return namer((*self.report.scan.looks, *self.gone))

    def waived(self, finding: Finding) -> Waiver | None:
        """Who bears *finding*."""
        return next(
            (
                each.waiver
                for each in self.report.waived
                if not each.expired and covered(finding) in each.findings
            ),
            None,
        )


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
        tally=_tally(news.report.own(), lang),
        targets=tuple(_targets(news.report, lang)),
        failures=tuple(failures[:_FAILURES]),
        more=voice(lang)(_N("and {number} more"), number=left) if left > 0 else "",
        closing=tuple(_closing(news, lang)),
    )


# ---- the subject -----------------------------------------------------------------------------

_MORE = _N("{words} (and {number} more)")
_AT = _N("{target}: {words}")
_WEIGHED = _N("{weight}: {words}")
_STANDS = _N("{words}; {worst}")
_SUBJECTS = {
    Occasion.BASELINE: _N("First look: {tally}"),
    Occasion.BLIND: _N("What changed is not known: {tally}"),
    Occasion.QUIET: _N("Nothing changed: {tally}"),
}


SILENT = _N("the server does not answer: {reason}")
ENDED = _N("The run was ended early; not looked at: {number} targets.")


def subject(news: News, lang: str) -> str:
    """The worst there is to tell, in one line that is not too long."""
    say = voice(lang)
    if news.unkept is not None:
        return say(_N("The history was not kept; {words}"), words=_cut(_matter(news, lang)))
    return _cut(_matter(news, lang))


def _matter(news: News, lang: str) -> str:
    say = voice(lang)
    if news.occasion is Occasion.QUIET and news.unlooked:
        return say(ENDED, number=news.unlooked)
    if template := _SUBJECTS.get(news.occasion):
        tally = say(template, tally=_tally(news.report.own(), lang, few=True))
        first = "" if news.occasion is Occasion.QUIET else _worst(news, lang)
        return say(_STANDS, words=tally, worst=first) if first else tally
    new = [change for change in news.changes if change.key not in news.accepted] or news.changes
    worst = min(new, key=_urgency)
    others = len(new) - 1
    words = sentence(worst.evidence[0], lang) if worst.evidence else _in_short(worst, lang)
    if {"tls", "certificate"} <= (lost := _lost_with(worst, new)):
        words = say(SILENT, reason=worst.values["reason"])
        others = len(new) - len(lost)
    if not worst.evidence and worst.subject in RULES:
        words = f"{worst.subject}: {words}"
    if worst.target:
        words = say(_AT, target=news.called(worst.target), words=words)
    if _is_grave(worst):
        words = say(_WEIGHED, weight=word(SEVERITIES, worst.severity, lang), words=words)
    if not others:
        return words
    room = _SUBJECT - len(say(_MORE, words="", number=others))
    return say(_MORE, words=_cut(words, room), number=others)


def _worst(news: News, lang: str) -> str:
    """The weightiest failure that nobody bears and is more than advice; empty: there is none."""
    failed = [
        finding
        for finding in news.report.own()
        if finding.verdict is Verdict.FAIL
        and finding.severity is not Severity.INFO
        and news.waived(finding) is None
    ]
    if not failed:
        return ""
    worst = min(failed, key=lambda finding: finding.severity.rank)
    problem = next((e for e in worst.evidence if e.kind is Kind.PROBLEM), None)
    say, words = voice(lang), sentence(problem, lang) if problem else visible(worst.rule)
    words = say(_AT, target=news.called(worst.target), words=words)
    return say(_WEIGHED, weight=word(SEVERITIES, worst.severity, lang), words=words)


_RENEWED = _N("a new certificate, valid until {now}")


def _in_short(change: Change, lang: str) -> str:
    """*change* without what a subject has no room for."""
    if (change.subject, change.code) == ("certificate", "new") and "sha256" in change.values:
        return voice(lang)(_RENEWED, now=change.values["now"])
    return said(change, lang)


def _lost_with(worst: Change, changes: Sequence[Change]) -> frozenset[str]:
    """All that is not seen of that target any more, for the same reason."""
    if worst.code != "unseen":
        return frozenset()
    reason = worst.values["reason"]
    alike = (c for c in changes if (c.target, c.code) == (worst.target, "unseen"))
    return frozenset(change.subject for change in alike if change.values["reason"] == reason)


def _urgency(change: Change) -> tuple[int, ...]:
    """By which the worst comes first; where nothing is for the worse, facts before verdicts."""
    worse = change.direction is Direction.WORSE
    return (
        list(Direction).index(change.direction),
        change.severity.rank if worse else 0,
        list(Origin).index(change.kind),
        change.subject in RULES or not change.target,
        change.subject != "certificate",
        "now" in change.values and change.values["now"] == change.values.get("before"),
    )


def _is_grave(change: Change) -> bool:
    return change.direction is Direction.WORSE and change.severity is not Severity.INFO


def _cut(text: str, most: int = _SUBJECT) -> str:
    return text if len(text) <= most else text[: most - 1] + "…"


# ---- the text --------------------------------------------------------------------------------


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
        word(SEVERITIES, change.severity, lang) if _is_grave(change) else "",
        visible(change.subject),
        said(change, lang),
        change.key,
        tuple(notes),
    )


def _tally(findings: Sequence[Finding], lang: str, *, few: bool = False) -> str:
    """How many findings have each verdict; *few*: of the bad verdicts alone."""
    shown = [Verdict.FAIL, Verdict.UNKNOWN] if few else list(Verdict)
    counts = {verdict: sum(f.verdict is verdict for f in findings) for verdict in shown}
    return "  ".join(f"{word(VERDICTS, verdict, lang)} {n}" for verdict, n in counts.items())


def _targets(report: Report, lang: str) -> Iterator[tuple[str, str]]:
    """Each target with its tally, and what was not seen of it."""
    own = report.own()
    for look in report.scan.looks:
        found = [finding for finding in own if finding.target == look.target.id]
        lines = [_tally(found, lang, few=True), *_missed(look, lang)]
        yield label(look.target), " / ".join(lines)


def _missed(look: Look, lang: str) -> Iterator[str]:
    for missed in look.missed:
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
