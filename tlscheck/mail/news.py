"""What one run has to tell."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from tlscheck.changes import Accepted, Change
from tlscheck.errors import TlscheckError
from tlscheck.model import Finding, Look, Waiver
from tlscheck.render.naming import namer
from tlscheck.report import Report
from tlscheck.text import (
    _N,
)
from tlscheck.waivers import covered


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


ENDED = _N("The run was ended early; not looked at: {number} targets.")
