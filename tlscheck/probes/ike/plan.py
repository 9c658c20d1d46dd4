"""Which question to put next to an IKEv2 gateway: as few as tell all, the decisive ones first.

Each question offers a few things of one dimension and everything of the others, so that a refusal
refuses them all at once. A grant names one group; of the other dimensions it tells that one of
what was offered is accepted, so its members are asked one by one. Where a gateway grants much, one
thing of each dimension is offered at a time: then one grant tells several things.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from tlscheck.model import State
from tlscheck.observations.ike import TIERS, Dimension, Ending, Mode, Opening, settled
from tlscheck.wire.ike import is_aead

Narrowed = Mapping[Dimension, tuple[str, ...]]

INNER = (Dimension.ENCRYPTION, Dimension.INTEGRITY, Dimension.PRF)
"""The dimensions of which an answer names nothing."""
_HASHES = (Dimension.INTEGRITY, Dimension.PRF)
TIER_COUNT = 3


def following(openings: Sequence[Opening], tiers: range = range(TIER_COUNT)) -> Narrowed | None:
    """The next question of those *tiers*; ``None`` when there is none left."""
    init = [e for e in openings if e.mode is Mode.INIT]
    for number in tiers:
        tier = _Tier(init, number)
        for narrowed in (tier.combined(), *map(tier.narrow, tier.order())):
            if narrowed and not any(e.narrowed == narrowed for e in init):
                return narrowed
    return None


class _Tier:
    """What is pending of one tier, and how it could be asked."""

    def __init__(self, init: Sequence[Opening], number: int) -> None:
        self.init = init
        self.states = {d: settled(init, d, for_now=True) for d in Dimension}
        self.pending = {
            d: [left for items in TIERS[d][number] if (left := self._unknown(d, items))]
            for d in Dimension
        }
        self.own = {d: {i for items in TIERS[d][number] for i in items} for d in Dimension}

    def _unknown(self, dimension: Dimension, items: Sequence[str]) -> tuple[str, ...]:
        return tuple(i for i in items if self.states[dimension][i] is State.UNKNOWN)

    def order(self) -> Sequence[Dimension]:
        """Groups come last, for each takes a question, but for the first of the tier."""
        states = self.states[Dimension.GROUPS]
        known = any(states[i] is State.ACCEPTED for i in self.own[Dimension.GROUPS])
        return (*INNER, Dimension.GROUPS) if known else (Dimension.GROUPS, *INNER)

    def narrow(self, dimension: Dimension) -> Narrowed | None:
        """A question about one dimension alone."""
        if not self.pending[dimension]:
            return None
        items = self.pending[dimension][0]
        if dimension in _HASHES and self._has_weak(dimension):
            # It may well have none of these, and then one question tells.
            items = tuple(i for left in self.pending[dimension] for i in left)
        if dimension is not Dimension.GROUPS and self._granted(dimension, items):
            items = items[:1]
        return {dimension: items}

    def _has_weak(self, dimension: Dimension) -> bool:
        weak = {i for items in TIERS[dimension][0] for i in items}
        return any(self.states[dimension][i] is State.ACCEPTED for i in weak)

    def _granted(self, dimension: Dimension, items: Sequence[str]) -> bool:
        """Whether one at least of *items* is known to be accepted."""
        granted = (e.narrowed.get(dimension, ()) for e in self.init if e.ending is Ending.GRANTED)
        return any(
            left and set(left) <= set(items)
            for offered in granted
            if State.ACCEPTED not in {self.states[dimension][i] for i in offered}
            and (left := self._unknown(dimension, offered))
        )

    def combined(self) -> Narrowed | None:
        """One thing of each dimension at once, and groups too once that was granted."""
        own = [e for e in self.init if self._is_own(e)]
        several = [e for e in own if len(e.narrowed) > 1]
        failed = {Dimension.GROUPS in e.narrowed for e in several if e.ending is not Ending.GRANTED}
        granted = [e for e in own if e.ending is Ending.GRANTED]
        if False in failed or not granted:
            return None
        single = {d: items[0][:1] for d in INNER if (items := self.pending[d])}
        if Dimension.INTEGRITY in single and Dimension.ENCRYPTION in single:
            single = self._without_aead(single)
        groups = self.pending[Dimension.GROUPS]
        if groups and not failed and any(e in several for e in granted):
            single[Dimension.GROUPS] = groups[0]
        return single if len(single) > 1 and set(single) & set(INNER) else None

    def _is_own(self, opening: Opening) -> bool:
        """Whether the question was one of this tier, about more than groups."""
        return any(set(opening.narrowed.get(d, ())) & self.own[d] for d in INNER)

    def _without_aead(
        self, single: dict[Dimension, tuple[str, ...]]
    ) -> dict[Dimension, tuple[str, ...]]:
        """*single* with a cipher that goes with integrity; without one, the cipher waits."""
        ciphers = (name for items in self.pending[Dimension.ENCRYPTION] for name in items)
        plain = next((name for name in ciphers if not is_aead(name)), None)
        if plain is not None:
            return single | {Dimension.ENCRYPTION: (plain,)}
        return {d: items for d, items in single.items() if d is not Dimension.ENCRYPTION}
