"""Waivers: which failures somebody has answered for, and until when. Pure.

A waiver changes no verdict and no answer. It says of failures that they are known and borne for a
time; when that is over they count as before.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from tlscheck import checklist as checklists
from tlscheck import data, targets
from tlscheck.checklist import Checklist, ItemAnswer
from tlscheck.errors import ConfigError, TargetError
from tlscheck.model import Answer, Finding, Scan, Target, Verdict, Waiver
from tlscheck.rules import RULES
from tlscheck.text import day


@dataclass(frozen=True, slots=True)
class Covered:
    """A failure that a waiver answers for; the two together name a finding."""

    finding: str
    """``rule@target``."""
    profiles: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Waived:
    """What one waiver comes to."""

    waiver: Waiver
    expired: bool
    """What it names counts again."""
    findings: tuple[Covered, ...]
    answers: tuple[str | None, ...]
    """The targets at which its item is not met; ``None``: overall."""


def applied(
    scan: Scan,
    findings: Sequence[Finding],
    answers: Sequence[ItemAnswer],
    catalogs: Sequence[Checklist],
) -> tuple[Waived, ...]:
    """What each waiver of *scan* comes to."""
    places = {look.target.id: look.target for look in scan.looks}
    failed = [finding for finding in findings if finding.verdict is Verdict.FAIL]
    unmet = [answer for answer in answers if answer.answer is Answer.NOT_MET]
    over = {waiver: _is_over(waiver, scan.at) for waiver in scan.waivers}
    return tuple(
        Waived(
            waiver,
            over[waiver],
            tuple(
                covered(finding)
                for finding in failed
                if _answers_for(waiver, finding, over, places.get(finding.target), catalogs)
            ),
            tuple(
                answer.target
                for answer in unmet
                if waiver.item == f"{answer.checklist}/{answer.item}"
                and _reaches(waiver, places.get(answer.target) if answer.target else None)
            ),
        )
        for waiver in scan.waivers
    )


def in_force(several: Iterable[Waived]) -> frozenset[Covered]:
    """The failures that do not count for now."""
    return frozenset(c for waived in several if not waived.expired for c in waived.findings)


def covered(finding: Finding) -> Covered:
    """What names *finding*."""
    return Covered(finding.id, finding.profiles)


def check(several: Sequence[Waiver], file: str) -> None:
    """Refuse waivers of what does not exist. ConfigError, ChecklistError."""
    for number, waiver in enumerate(several):
        key = f"waiver[{number}]"
        if waiver.rule and waiver.rule not in RULES:
            raise ConfigError(
                "{file}, key {key}: there is no rule {rule}; tlscheck rules lists them",
                file=file,
                key=f"{key}.rule",
                rule=waiver.rule,
            )
        if waiver.item:
            _check_item(waiver.item, file, f"{key}.item")
        if waiver.target:
            try:
                targets.parse(waiver.target)
            except TargetError as error:
                raise ConfigError(
                    "{file}, key {key}: {error}", file=file, key=f"{key}.target", error=error
                ) from None


def _check_item(item: str, file: str, key: str) -> None:
    catalog, _, name = item.partition("/")
    known = catalog in data.checklists() and {i.id for i in checklists.load(catalog).items}
    if not known or name not in known:
        raise ConfigError(
            "{file}, key {key}: there is no item {item}; write CHECKLIST/ITEM, as vendor-138/44",
            file=file,
            key=key,
            item=item,
        )


def days_left(waiver: Waiver, at: datetime) -> int:
    """How many days, as days are in Japan, came after *at* until its last one; less than none: it
    was over.
    """
    return (waiver.until - date.fromisoformat(day(at, "ja"))).days


def _is_over(waiver: Waiver, at: datetime) -> bool:
    """Whether its last day had ended when the look began."""
    return days_left(waiver, at) < 0


def _answers_for(
    waiver: Waiver,
    finding: Finding,
    over: Mapping[Waiver, bool],
    target: Target | None,
    catalogs: Sequence[Checklist],
) -> bool:
    """Whether the waiver covers the failure: its rule is waived, or every item that asks for it."""
    if not _reaches(waiver, target):
        return False
    if waiver.rule:
        return waiver.rule == finding.rule
    alike = {w.item for w, gone in over.items() if gone == over[waiver] and _reaches(w, target)}
    asking = {
        f"{catalog.id}/{item.id}"
        for catalog in catalogs
        for item in catalog.items
        if any(finding.rule in part.rules for part in item.parts)
    }
    return waiver.item in asking and asking <= alike


def _reaches(waiver: Waiver, target: Target | None) -> bool:
    """Whether the waiver speaks of *target*, or of the whole (``None``)."""
    if not waiver.target:
        return True
    try:
        return target is not None and targets.is_meant(waiver.target, target)
    except TargetError:
        return False
