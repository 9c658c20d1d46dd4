"""Changes as the site shows them: by night, whose doing it is first, then by target."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import groupby

from tlscheck.changes import Change, Direction, standing
from tlscheck.model import Severity
from tlscheck.render.changes import ACCEPTED, counts, ordered, said
from tlscheck.render.site.names import diff_page, target_page
from tlscheck.render.site.past import Night, Past, asked
from tlscheck.render.site.trend import month, title
from tlscheck.render.view import said as in_both
from tlscheck.rules import RULES
from tlscheck.text import _N, ORIGINS, SEVERITIES, day, moment, sentence, visible, voice, word

MOST_CHANGES = 400
"""How many changes of a night a page tells; ``tlscheck diff`` tells all."""
DIRECTIONS = {
    "worse": _N("Worse"),
    "better": _N("Better"),
    "neutral": _N("Other"),
}


@dataclass(frozen=True, slots=True)
class Told:
    """One change."""

    key: str
    direction: Direction
    direction_word: str
    severity: str
    """Empty where it is nothing that weighs."""
    severity_word: str
    subject: str
    title: str
    """What the subject is called; empty where the sentence says it."""
    text: str
    evidence: tuple[str, ...]
    accepted: str
    """Who meant it, when and why; empty where nobody said so."""


@dataclass(frozen=True, slots=True)
class Place:
    """The changes of one target."""

    label: str
    page: str
    """Empty where there is none."""
    changes: tuple[Told, ...]


@dataclass(frozen=True, slots=True)
class Kind:
    """The changes that are of one origin."""

    name: str
    word: str
    places: tuple[Place, ...]


@dataclass(frozen=True, slots=True)
class NightView:
    """A night in which something changed, or which could not be compared."""

    scan: int
    page: str
    """Empty where there is none."""
    day: str
    month: str
    at: str
    before: str
    """When the scan before was."""
    before_scan: int
    counts: str
    """How many changes there are of each origin."""
    kinds: tuple[Kind, ...]
    more: int
    """How many changes are not told here."""
    trouble: str
    """Why it could not be compared; empty where it was."""


def nights(
    past: Past, labels: Mapping[str, str], lang: str, only: str | None = None, most: int = 0
) -> tuple[NightView, ...]:
    """What there is to tell, the newest first; of the target *only*, where one is given.

    The changes themselves are there for the newest *most*.
    """
    found: list[NightView] = []
    for night in reversed(past.nights):
        changes = [c for c in night.changes if only is None or asked(c.target) == only]
        if changes or (night.trouble and only is None):
            shown = changes if len(found) < most else ()
            found.append(_night(night, changes, shown, past, labels, lang))
    return tuple(found)


def night(night: Night, past: Past, labels: Mapping[str, str], lang: str) -> NightView:
    """One night, with all its changes."""
    return _night(night, night.changes, night.changes, past, labels, lang)


def _night(
    night: Night,
    changes: Sequence[Change],
    shown: Sequence[Change],
    past: Past,
    labels: Mapping[str, str],
    lang: str,
) -> NightView:
    first = ordered(shown)[:MOST_CHANGES]
    if night.before:
        past = replace(past, accepted=standing(past.accepted, night.before[1]))
    return NightView(
        scan=night.scan,
        page=diff_page(night) if night.changes else "",
        day=day(night.at, lang),
        month=month(night.at, lang),
        at=moment(night.at, lang),
        before=moment(night.before[1], lang) if night.before else "",
        before_scan=night.before[0] if night.before else 0,
        counts=counts(changes, lang),
        kinds=tuple(_kinds(first, past, labels, lang)),
        more=len(shown) - len(first),
        trouble=night.trouble.said(lang) if night.trouble else "",
    )


def _kinds(
    changes: Iterable[Change], past: Past, labels: Mapping[str, str], lang: str
) -> Iterable[Kind]:
    for origin, those in groupby(changes, key=lambda change: change.kind):
        places = []
        for target, several in groupby(those, key=lambda change: change.target):
            name = asked(target)
            places.append(
                Place(
                    _label(target, labels, lang),
                    target_page(name) if name in labels else "",
                    tuple(_told(change, past, lang) for change in several),
                )
            )
        yield Kind(origin, word(ORIGINS, origin, lang), tuple(places))


def _label(target: str, labels: Mapping[str, str], lang: str) -> str:
    if not target:
        return voice(lang)("All targets together")
    name, _, address = target.partition("#")
    label = labels.get(name, visible(name))
    return f"{label} ({visible(address)})" if address else label


def _told(change: Change, past: Past, lang: str) -> Told:
    weighs = change.severity is not Severity.INFO and change.direction is Direction.WORSE
    return Told(
        key=change.key,
        direction=change.direction,
        direction_word=word(DIRECTIONS, change.direction, lang),
        severity=change.severity if weighs else "",
        severity_word=word(SEVERITIES, change.severity, lang),
        subject=visible(change.subject),
        title=subject(change.subject, past, lang),
        text=said(change, lang),
        evidence=tuple(dict.fromkeys(sentence(each, lang) for each in change.evidence)),
        accepted=_accepted(change, past, lang),
    )


def subject(name: str, past: Past, lang: str) -> str:
    """What a rule or an item is called; empty for whatever the sentence names itself."""
    if name in RULES:
        return title(name, lang)
    checklist, _, item = name.partition("/")
    if checklist not in past.checklists:
        return ""
    found = [each for each in past.checklists[checklist].items if each.id == item]
    return in_both(found[0].title, lang) if found else ""


def _accepted(change: Change, past: Past, lang: str) -> str:
    if (known := past.accepted.get(change.key)) is None:
        return ""
    on = day(datetime.fromisoformat(known.at), lang)
    return voice(lang)(ACCEPTED, by=known.by, day=on, words=known.why)


def by_month(nights: Iterable[NightView]) -> Mapping[str, tuple[NightView, ...]]:
    """By month, the newest first."""
    return {name: tuple(those) for name, those in groupby(nights, key=lambda night: night.month)}
