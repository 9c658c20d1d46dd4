"""Waivers for people: beside what they answer for, and all of them in a list."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from tlscheck.report import Report
from tlscheck.text import Say, visible, voice
from tlscheck.waivers import Covered, Waived


@dataclass(frozen=True, slots=True)
class WaiverView:
    """One waiver."""

    what: str
    """The item or rule, and where."""
    expired: bool
    state: str
    reason: str
    who: str
    until: str
    covers: str
    """How much it answers for."""


@dataclass(frozen=True, slots=True)
class Borne:
    """Who answers for a failure and until when, or did, in a sentence."""

    words: str
    expired: bool


def waivers(report: Report, lang: str) -> tuple[WaiverView, ...]:
    """All waivers, in the order of the configuration."""
    return tuple(_waiver(waived, voice(lang)) for waived in report.waived)


def of_findings(report: Report, lang: str) -> Mapping[Covered, tuple[Borne, ...]]:
    """What to say of each failure that somebody answers for, or did."""
    said: dict[Covered, tuple[Borne, ...]] = {}
    for waived in report.waived:
        for finding in waived.findings:
            said[finding] = (*said.get(finding, ()), _borne(waived, voice(lang)))
    return said


def of_answers(report: Report, lang: str) -> Mapping[tuple[str, str | None], tuple[Borne, ...]]:
    """The same of each answer, by ``checklist/item`` and target."""
    said: dict[tuple[str, str | None], tuple[Borne, ...]] = {}
    for waived in report.waived:
        for target in waived.answers:
            key = (waived.waiver.item, target)
            said[key] = (*said.get(key, ()), _borne(waived, voice(lang)))
    return said


def _borne(waived: Waived, _: Say) -> Borne:
    return Borne(_sentence(waived, _), waived.expired)


def _sentence(waived: Waived, _: Say) -> str:
    waiver = waived.waiver
    values = {"who": waiver.who, "until": waiver.until.isoformat(), "words": waiver.reason}
    if waived.expired:
        return _("The waiver by {who} expired on {until} and counts no more: {words}", **values)
    return _("Waived by {who} until {until}: {words}", **values)


def _waiver(waived: Waived, _: Say) -> WaiverView:
    waiver = waived.waiver
    name = visible(waiver.item or waiver.rule)
    return WaiverView(
        what=f"{name} @ {visible(waiver.target)}" if waiver.target else name,
        expired=waived.expired,
        state=_("expired") if waived.expired else _("in force"),
        reason=visible(waiver.reason),
        who=visible(waiver.who),
        until=waiver.until.isoformat(),
        covers=_(
            "{findings} findings, {answers} answers",
            findings=len(waived.findings),
            answers=len(waived.answers),
        ),
    )
