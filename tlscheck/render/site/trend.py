"""How verdicts went over time: little bars, months, and the stretches of a rule."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import groupby

from tlscheck.model import Verdict
from tlscheck.render.site.past import Course, Run, Stretch
from tlscheck.rules import RULES
from tlscheck.text import _N, JST, VERDICTS, day, translate, visible, voice, word

HEIGHT, BAR, LEAST = 40, 5, 2
"""The picture's height, how far its bars are apart, and how high one is at the least."""
MOST_RULES = 150
"""How many rules the table of a target has."""
MOST_STRETCHES = 6
"""How many stretches of a rule are told."""
SUMMARY = _N("{looks} looks since {day}; failed rules at a look: {fail}, unknown: {unknown}")


@dataclass(frozen=True, slots=True)
class Bars:
    """A picture: a bar for each span of time, as high as what its looks found at the most."""

    fail: str
    """The path of what failed, below; of SVG."""
    unknown: str
    clean: str
    """A thin line where there was a look and neither was found; without a look there is none."""
    width: int
    words: str
    """The same in words."""


def bars(runs: Sequence[Run], begin: datetime, end: datetime, most: int, lang: str) -> Bars:
    """The looks between *begin* and *end* in at most so many bars."""
    span = max((end - begin).total_seconds(), 1)
    count = min(most, max(1, round(span / 86400) + 1))
    worst: dict[int, tuple[int, int]] = {}
    for run in runs:
        place = min(int((run.at - begin).total_seconds() / span * count), count - 1)
        (fail, unknown), known = _bad(run), worst.get(place, (0, 0))
        worst[place] = max(fail, known[0]), max(unknown, known[1])
    highest = max(map(sum, worst.values()), default=0)
    scale = (HEIGHT - 2 * LEAST) / max(highest, 4)
    paths: dict[str, list[str]] = {"fail": [], "unknown": [], "clean": []}
    for place, (fail, unknown) in sorted(worst.items()):
        x, low = place * BAR, max(fail * scale, LEAST) if fail else 0
        if fail:
            paths["fail"].append(_bar(x, 0, low))
        if unknown:
            paths["unknown"].append(_bar(x, low, low + max(unknown * scale, LEAST)))
        if not fail and not unknown:
            paths["clean"].append(_bar(x, 0, LEAST))
    drawn = {name: "".join(path) for name, path in paths.items()}
    return Bars(**drawn, width=count * BAR, words=summary(runs, lang))


def _bad(run: Run) -> tuple[int, int]:
    """How many rules failed, and how many are unknown; one more where nothing was judged."""
    nothing = 0 if run.verdicts else 1
    return run.verdicts.get(Verdict.FAIL, 0), run.verdicts.get(Verdict.UNKNOWN, 0) + nothing


def _bar(x: int, low: float, high: float) -> str:
    return f"M{x} {HEIGHT - low:.4g}h{BAR - 1}V{HEIGHT - high:.4g}h{1 - BAR}z"


def summary(runs: Sequence[Run], lang: str) -> str:
    """The looks in one sentence."""
    fail, unknown = _spans(runs)
    since = day(runs[0].at, lang)
    return voice(lang)(SUMMARY, looks=len(runs), day=since, fail=fail, unknown=unknown)


def _spans(runs: Sequence[Run]) -> tuple[str, str]:
    bad = [_bad(run) for run in runs]
    return _span([fail for fail, _ in bad]), _span([unknown for _, unknown in bad])


def _span(numbers: Sequence[int]) -> str:
    least, most = min(numbers), max(numbers)
    return f"{least}–{most}" if least != most else str(most)


@dataclass(frozen=True, slots=True)
class Month:
    """The looks of a month: how many, and what they found at the least and at the most."""

    name: str
    looks: int
    fail: str
    unknown: str


def months(runs: Sequence[Run], lang: str) -> tuple[Month, ...]:
    """The newest first."""
    found = [
        Month(name, len(those), *_spans(those))
        for name, several in groupby(runs, key=lambda run: month(run.at, lang))
        if (those := list(several))
    ]
    return tuple(reversed(found))


def month(when: datetime, lang: str) -> str:
    """The month, in the time zone of the language."""
    return f"{when.astimezone(JST if lang == 'ja' else UTC):%Y-%m}"


@dataclass(frozen=True, slots=True)
class RuleTrend:
    """A rule on one address that was not always good, or did not stay as it was."""

    rule: str
    title: str
    address: str
    """Empty where the target has one."""
    verdict: Verdict
    word: str
    since: str
    before: tuple[str, ...]
    """What it was earlier, the newest first."""
    stale: bool
    """Whether the last look at the target did not judge it."""


def rules(course: Course, lang: str) -> tuple[tuple[RuleTrend, ...], int]:
    """Those that are worth a line, worst first, and how many are not."""
    last = course.runs[-1].at
    several = len({target for target, _ in course.rules}) > 1
    told = {place: those for place, those in course.rules.items() if _is_told(those, last)}
    found = [
        _rule(place, stretches, last, lang, several=several) for place, stretches in told.items()
    ]
    found.sort(key=lambda each: (each.stale, each.verdict.rank, each.rule, each.address))
    return tuple(found), len(course.rules) - len(told)


def _is_told(stretches: Sequence[Stretch], last: datetime) -> bool:
    bad = stretches[-1].verdict in (Verdict.FAIL, Verdict.UNKNOWN)
    return len(stretches) > 1 or bad or stretches[-1].until < last


def _rule(
    place: tuple[str, str],
    stretches: Sequence[Stretch],
    last: datetime,
    lang: str,
    *,
    several: bool,
) -> RuleTrend:
    target, rule = place
    now = stretches[-1]
    return RuleTrend(
        rule=visible(rule),
        title=title(rule, lang),
        address=visible(target.partition("#")[2] or target) if several else "",
        verdict=now.verdict,
        word=word(VERDICTS, now.verdict, lang),
        since=day(now.since, lang),
        before=tuple(_before(stretches[:-1], lang)),
        stale=now.until < last,
    )


def _before(stretches: Sequence[Stretch], lang: str) -> Iterable[str]:
    for stretch in list(reversed(stretches))[:MOST_STRETCHES]:
        said = word(VERDICTS, stretch.verdict, lang)
        yield f"{day(stretch.since, lang)} {said} ×{stretch.looks}"
    if (more := len(stretches) - MOST_STRETCHES) > 0:
        yield voice(lang)("and {count} more", count=more)


def title(rule: str, lang: str) -> str:
    """What a rule is called."""
    known = RULES.get(rule)
    return translate(known.title, lang) if known else visible(rule)
