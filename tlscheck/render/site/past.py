"""What the site shows, as values without a language: scans of a history, by night and by target.

A target here is what was asked for, with all addresses that it had.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from tlscheck.changes import Accepted, Change
from tlscheck.checklist import Checklist, ItemAnswer
from tlscheck.errors import TlscheckError
from tlscheck.model import Look, Verdict
from tlscheck.report import Report


@dataclass(frozen=True, slots=True)
class Night:
    """A scan, and what changed since the one before it that looked at one of its hosts."""

    scan: int
    at: datetime
    before: tuple[int, datetime] | None = None
    """``None``: it is the first that looked there."""
    changes: tuple[Change, ...] = ()
    trouble: TlscheckError | None = None
    """Why it could not be read or compared."""


@dataclass(frozen=True, slots=True)
class Run:
    """One look at a target, in numbers."""

    scan: int
    at: datetime
    verdicts: Mapping[Verdict, int]
    """How many rules have each that there is, under the run's own profile."""

    @property
    def worst(self) -> Verdict:
        """The worst verdict; where nothing was judged, nothing is known."""
        return min(self.verdicts, key=lambda verdict: verdict.rank, default=Verdict.UNKNOWN)


@dataclass(frozen=True, slots=True)
class Stretch:
    """Looks in a row in which a rule had one verdict."""

    verdict: Verdict
    since: datetime
    until: datetime
    """When the last of them was."""
    looks: int


@dataclass(frozen=True, slots=True)
class Shown:
    """The certificates of an endpoint as they were seen last."""

    at: datetime
    look: Look


@dataclass(frozen=True, slots=True)
class Last:
    """The last look at a target that can be read."""

    report: Report
    """Of this target alone, as it was said then; its profiles and checklists are left out."""
    own: str
    """The id of the run's own profile."""


@dataclass(frozen=True, slots=True)
class Course:
    """A target over time."""

    id: str
    runs: tuple[Run, ...]
    """The oldest first, at least one."""
    rules: Mapping[tuple[str, str], tuple[Stretch, ...]]
    """By address (a target's id) and rule, the oldest first."""
    last: Last | None
    certificates: tuple[Shown, ...] = ()


@dataclass(frozen=True, slots=True)
class Past:
    """All that the site shows."""

    nights: tuple[Night, ...]
    """Those of the timeline, the oldest first, at least one."""
    courses: tuple[Course, ...]
    answers: tuple[ItemAnswer, ...]
    """The overall ones of the newest scan; none where that cannot be read."""
    checklists: Mapping[str, Checklist] = field(default_factory=dict)
    """Those of them that are at hand, by id."""
    accepted: Mapping[str, Accepted] = field(default_factory=dict)
    scans: int = 0
    """How many scans the trends are made of."""
    older: int = 0
    """How many scans of the history are older."""


def asked(target: str) -> str:
    """What was asked for, of the id of one of its addresses."""
    return target.partition("#")[0]
