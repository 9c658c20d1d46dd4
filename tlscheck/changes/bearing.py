"""Waivers whose time is over, or soon will be."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime

from tlscheck import waivers
from tlscheck.changes.change import Change, Direction, Origin
from tlscheck.model import Finding, Kind, Severity, Value, Waiver
from tlscheck.report import Report
from tlscheck.text import _N
from tlscheck.waivers import Waived

HORIZON: Mapping[int, Severity] = {14: Severity.LOW, 3: Severity.MEDIUM}
"""How many days before its end a waiver is told of."""
ENDS_CODE = "waiver-ends"
OVER = _N("{verdict}; nobody bears it any more: the waiver by {who} ended on {day}")
OVER_ITEM = _N("the waiver by {who} ended on {day}")
ENDS = _N("the waiver by {who} ends in {days} days or less, on {day}")


def differences(known: Mapping[Waiver, datetime], after: Report) -> Iterator[Change]:
    """What the days since *known* (when each waiver was there last) did to those that bear."""
    for waived in after.waived:
        then = known.get(waived.waiver)
        if not (waived.findings or waived.answers):
            continue
        was = waivers.days_left(waived.waiver, then) if then else _FAR
        now = waivers.days_left(waived.waiver, after.scan.at)
        if now < 0 <= was:
            yield from _over(waived, after)
        elif now >= 0 and (step := _step(now)) is not None and _step(was) != step:
            yield from _ends(waived, step)


_FAR = 100_000
"""Days that a waiver has which nobody saw before."""


def _step(left: int) -> int | None:
    return min((days for days in HORIZON if left <= days), default=None)


def _values(waiver: Waiver) -> dict[str, Value]:
    return {"who": waiver.who, "day": waiver.until.isoformat()}


def _over(waived: Waived, after: Report) -> Iterator[Change]:
    """Each failure as one that is new."""
    borne = {covered.finding for covered in waived.findings}
    for finding in after.own():
        if finding.id in borne:
            yield _failure(waived.waiver, finding)
    if not borne:
        item = waived.waiver.item or waived.waiver.rule
        yield Change(
            Origin.PROFILE, "", item, "waiver-over", OVER_ITEM, _values(waived.waiver),
            Severity.MEDIUM, Direction.WORSE,
        )  # fmt: skip


def _failure(waiver: Waiver, finding: Finding) -> Change:
    return Change(
        Origin.PROFILE,
        finding.target,
        finding.rule,
        "waiver-over",
        OVER,
        {"verdict": str(finding.verdict), **_values(waiver)},
        finding.severity,
        Direction.WORSE,
        tuple(e for e in finding.evidence if e.kind is Kind.PROBLEM),
    )


def _ends(waived: Waived, days: int) -> Iterator[Change]:
    targets = {covered.finding.partition("@")[2] for covered in waived.findings} or {""}
    for target in sorted(targets):
        yield Change(
            Origin.PROFILE,
            target,
            waived.waiver.item or waived.waiver.rule,
            ENDS_CODE,
            ENDS,
            {"days": days, **_values(waived.waiver)},
            HORIZON[days],
            Direction.WORSE,
        )
