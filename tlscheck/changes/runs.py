"""What several runs in a row show: what flaps, and what a second look confirms."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise

from tlscheck.changes.change import Change, Direction, Origin
from tlscheck.changes.findings import Place
from tlscheck.model import Verdict
from tlscheck.text import _N

FLAPPING = _N("it goes to and fro: {count} changes in the last {runs} looks")
RUNS, CHANGES = 8, 3
"""So many changes within so many looks are flapping."""


def turns(verdicts: Sequence[Verdict]) -> int:
    """How often a verdict changed; ``unknown`` is none, and so no change."""
    known = [verdict for verdict in verdicts if verdict is not Verdict.UNKNOWN]
    return sum(one is not other for one, other in pairwise(known))


def flapping(
    runs: Mapping[Place, Sequence[Verdict]], least: int = CHANGES
) -> Mapping[Place, tuple[int, int]]:
    """Of the verdicts of the last looks, oldest first, those that changed *least* times: how often,
    and of how many looks.
    """
    found = {place: (turns(verdicts), len(verdicts)) for place, verdicts in runs.items()}
    return {place: told for place, told in found.items() if told[0] >= least}


def settled(
    changes: Iterable[Change], flaps: Mapping[Place, tuple[int, int]]
) -> tuple[Change, ...]:
    """*changes*, in which each finding that flaps is told as that, and once: with the weight and
    the evidence of the worst that it comes to.
    """
    found: dict[str, Change] = {}
    for change in changes:
        told, place = change, (change.subject, change.target)
        if place in flaps and change.kind in (Origin.ENDPOINT, Origin.NETWORK):
            told = _flapping(change, *flaps[place])
        found[told.key] = min(found.get(told.key, told), told, key=_weight)
    return tuple(found.values())


def _weight(change: Change) -> tuple[int, bool]:
    return change.severity.rank, not change.evidence


def _flapping(change: Change, count: int, runs: int) -> Change:
    return Change(
        Origin.ENDPOINT,
        change.target,
        change.subject,
        "flapping",
        FLAPPING,
        {"count": count, "runs": runs},
        change.severity,
        Direction.WORSE,
        change.evidence,
    )


def confirmed(changes: Iterable[Change], again: Iterable[Change]) -> tuple[Change, ...]:
    """Those of *changes* that a second look shows too. The others were a blip.

    What does not come from a look (the profile, tlscheck) needs no second one.
    """
    seen = {(change.target, change.subject, change.code) for change in again}
    return tuple(
        change
        for change in changes
        if change.kind in (Origin.PROFILE, Origin.TLSCHECK)
        or (change.target, change.subject, change.code) in seen
    )
