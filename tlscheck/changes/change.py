"""A change between two scans, as a value that no language is in."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from tlscheck.model import Evidence, Severity, Value


class Origin(StrEnum):
    """Whose doing a change is. They are told apart and never mixed."""

    ENDPOINT = "endpoint"
    """What was looked at is different."""
    PROFILE = "profile"
    """What is wanted or asked for is different: profile, checklists, targets, subjects."""
    TLSCHECK = "tlscheck"
    """The same answers are understood differently, or a fault of ours is in the way."""
    NETWORK = "network"
    """It could not be seen as well as before, or is seen again."""


class Direction(StrEnum):
    """Whether a change is for the worse."""

    WORSE = "worse"
    NEUTRAL = "neutral"
    BETTER = "better"


@dataclass(frozen=True, slots=True)
class Change:
    """One thing that is not as it was. Its identity is `key`, never a sentence."""

    kind: Origin
    target: str
    """The id of a target; empty: the scan as a whole."""
    subject: str
    """A rule, ``checklist/item``, or a fact such as ``tls.suites``."""
    code: str
    """What became of it: the code of a problem, or one of this package's own."""
    template: str
    values: Mapping[str, Value] = field(default_factory=dict)
    severity: Severity = Severity.INFO
    direction: Direction = Direction.NEUTRAL
    evidence: tuple[Evidence, ...] = ()

    @property
    def key(self) -> str:
        """Twelve hexadecimal digits that stand for target, subject, code and values."""
        told = [self.target, self.subject, self.code, sorted(self.values.items())]
        text = json.dumps(told, ensure_ascii=True)
        return hashlib.sha256(text.encode()).hexdigest()[:12]


@dataclass(frozen=True, slots=True)
class Accepted:
    """A change that is meant."""

    key: str
    by: str
    why: str
    at: str
    """When that was said (ISO 8601, UTC)."""


def standing(accepted: Mapping[str, Accepted], since: datetime | None) -> Mapping[str, Accepted]:
    """Those of *accepted* that may be said of what happened after *since*.

    What was meant once is not meant when it comes again.
    """
    return {
        key: each
        for key, each in accepted.items()
        if since is None or datetime.fromisoformat(each.at) >= since
    }
