"""A target as the site shows it: how it stands, since when, and what its last look gave."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from tlscheck.changes.certificates import HORIZON
from tlscheck.model import Answer, Look, Reason, Scope, Verdict
from tlscheck.render import horizon, view
from tlscheck.render.site.names import target_page
from tlscheck.render.site.past import Course, Past, Run
from tlscheck.render.view import said
from tlscheck.text import VERDICTS, day, moment, visible, word

SOON = 30
"""Days before its end from which a certificate is marked."""
NO_GAP = (Reason.NOT_APPLICABLE, Reason.NOT_ASKED, Reason.TO_DECLARE)
"""Reasons for which nothing is missing from a look."""


@dataclass(frozen=True, slots=True)
class Certificate:
    """A certificate and its end."""

    end: horizon.End
    seen: str
    """When it was seen; empty where that was in the last look."""
    next: str
    """When its end will be told of next; empty where it was for the last time."""


@dataclass(frozen=True, slots=True)
class State:
    """How a target stands."""

    page: str
    name: str
    """Where it is, its addresses aside."""
    called: str
    """What the user calls it; empty where that is nothing else."""
    verdict: Verdict
    word: str
    since: str
    """The day of the first look of those in a row that found the same."""
    longer: bool
    """Whether that is the first look of all that are shown."""
    judged: bool
    """Whether the last look left anything to judge."""
    fail: int
    unknown: int
    last: str
    stale: bool
    """Whether the newest scan did not look at it."""
    unread: bool
    """Whether there was a look after the one that can be read."""
    gaps: int
    """How many subjects the last look missed."""
    certificates: tuple[Certificate, ...]
    """The first to end first."""


@dataclass(frozen=True, slots=True)
class Tally:
    """How many verdicts there are by a profile, or answers by a checklist."""

    name: str
    counts: tuple[int, ...]
    """In the order of `Verdict` or `Answer`."""
    bad: tuple[str, ...] = ()
    """The items that are not met."""


def state(course: Course, past: Past, lang: str) -> State:
    """How the target of *course* stands as of its last look."""
    now, newest = course.runs[-1], past.nights[-1]
    first = _since(course.runs)
    looks = course.last.report.scan.looks if course.last else ()
    return State(
        page=target_page(course.id),
        name=name(course),
        called=called(course),
        verdict=now.worst,
        word=word(VERDICTS, now.worst, lang),
        since=day(first.at, lang),
        longer=first is course.runs[0],
        judged=bool(now.verdicts),
        fail=now.verdicts.get(Verdict.FAIL, 0),
        unknown=now.verdicts.get(Verdict.UNKNOWN, 0),
        last=moment(now.at, lang),
        stale=now.scan != newest.scan,
        unread=course.last is None or course.last.report.scan.at != now.at,
        gaps=len(
            {
                (look.target.id, m.kind)
                for look in looks
                for m in look.missed
                if m.reason not in NO_GAP
            }
        ),
        certificates=tuple(_certificates(course, newest.at, lang)),
    )


def _since(runs: Sequence[Run]) -> Run:
    first = runs[-1]
    for run in reversed(runs):
        if run.worst is not first.worst:
            break
        first = run
    return first


def label(course: Course) -> str:
    """What the target is called, and where it is."""
    return f"{called(course)} {name(course)}".strip()


def name(course: Course) -> str:
    """Where the target is; ``https`` goes without saying."""
    return visible(course.id.removeprefix("https://"))


def called(course: Course) -> str:
    """What the user calls the target, where that is something else."""
    looks = course.last.report.scan.looks if course.last else ()
    return visible(next((it.target.label for it in looks if _is_named(it, course.id)), ""))


def _is_named(look: Look, name: str) -> bool:
    if look.target.scope is Scope.ADDRESS:
        return False
    asked = name.partition("://")[2]
    return look.target.label not in ("", asked.rpartition(":")[0].strip("[]"), asked)


def _certificates(course: Course, at: datetime, lang: str) -> Iterable[Certificate]:
    found = [
        (end, shown.at)
        for shown in course.certificates
        for end in horizon.ends([shown.look], at, SOON, lang)
    ]
    for end, seen in sorted(found, key=lambda pair: pair[0].end):
        coming = [end.end - timedelta(days=step) for step in HORIZON]
        following = [when for when in coming if when > at]
        yield Certificate(
            end,
            day(seen, lang) if seen != course.runs[-1].at else "",
            day(min(following), lang) if following else "",
        )


# ---- what the last look gave -----------------------------------------------------------------


def findings(course: Course, lang: str) -> tuple[view.TargetView, ...]:
    """The addresses of the target with what was found there."""
    return view.targets(course.last.report, lang) if course.last else ()


def profiles(course: Course) -> tuple[Tally, ...]:
    """How many findings have each verdict, by profile, the run's own first."""
    if course.last is None:
        return ()
    found: dict[str, Counter[Verdict]] = {course.last.own: Counter()}
    for finding in course.last.report.findings:
        for profile in finding.profiles:
            found.setdefault(profile, Counter())[finding.verdict] += 1
    return tuple(
        Tally(visible(name), tuple(counts[verdict] for verdict in Verdict))
        for name, counts in found.items()
    )


Answers = Mapping[tuple[str, str], Answer]
"""By checklist and item."""


def here(course: Course) -> Answers:
    """What each item gets on the target: the worst of its addresses."""
    found: dict[tuple[str, str], Answer] = {}
    for each in course.last.report.answers if course.last else ():
        place = each.checklist, each.item
        found[place] = min(found.get(place, each.answer), each.answer, key=lambda a: a.rank)
    return found


def everywhere(past: Past) -> Answers:
    """What each item gets overall."""
    return {(each.checklist, each.item): each.answer for each in past.answers}


def checklists(answers: Answers, past: Past, lang: str) -> tuple[Tally, ...]:
    """How many items have each answer, by checklist."""
    found: dict[str, dict[str, Answer]] = {}
    for (checklist, item), answer in answers.items():
        found.setdefault(checklist, {})[item] = answer
    return tuple(_checklist(name, items, past, lang) for name, items in found.items())


def _checklist(name: str, items: Mapping[str, Answer], past: Past, lang: str) -> Tally:
    known = past.checklists.get(name)
    titles = {item.id: said(item.title, lang) for item in known.items} if known else {}
    counts = Counter(items.values())
    return Tally(
        said(known.title, lang) if known else visible(name),
        tuple(counts[answer] for answer in Answer),
        tuple(
            f"{visible(item)} {titles.get(item, '')}".strip()
            for item, answer in items.items()
            if answer is Answer.NOT_MET
        ),
    )
