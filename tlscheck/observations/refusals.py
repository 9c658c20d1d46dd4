"""Which refusals count: health, canaries, calm, and controls.

The rules are told in `knowledge`, which builds on this.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from datetime import timedelta
from functools import cached_property, lru_cache

from tlscheck.observations.exchange import Exchange, Outcome
from tlscheck.wire.registry import GROUP_BY_NAME, Version

NEEDED = 2
"""How often a refusal must be met."""
SOFT_NEEDED, CALM = 3, 20
"""At whatever rate connections are lost at random, `SOFT_NEEDED` on the same question among `CALM`
that are not are less likely than 1 in 7,000: (3/23)^3 * (20/23)^20."""
_SOFT = frozenset((Outcome.CLOSED, Outcome.RESET, Outcome.ALERT))
_GOOD = frozenset((Outcome.ANSWERED, Outcome.FALLBACK))
_ROOM = 2.0
"""How many times the canary's room a question must have had for a soft refusal to count."""
_LEAST_ROOM = timedelta(seconds=0.3)
_SSL2_SOFT = frozenset((Outcome.SILENT, Outcome.GARBLED, Outcome.ALERT, *_SOFT))


class Refusals:
    """What the health of *exchanges* (one endpoint's, in the order of their start) lets count."""

    def __init__(self, exchanges: Iterable[Exchange]) -> None:
        self.exchanges: tuple[Exchange, ...] = tuple(sorted(exchanges, key=lambda e: e.at))
        self.named = any(e.named for e in self.exchanges)
        """Whether the endpoint has a name; hellos without it then ask another host."""

    @cached_property
    def own(self) -> tuple[Exchange, ...]:
        """The exchanges that ask the endpoint itself, with its name, if it has one.

        SSL 2.0 and 3.0 know no names.
        """
        return tuple(
            e
            for e in self.exchanges
            if e.named == self.named or e.most in (Version.SSL_2_0, Version.SSL_3_0)
        )

    @cached_property
    def answered(self) -> tuple[Exchange, ...]:
        """The endpoint's own answers."""
        return tuple(e for e in self.own if e.outcome is Outcome.ANSWERED)

    @cached_property
    def _good_keys(self) -> frozenset[tuple[object, ...]]:
        return frozenset(e.key for e in self.exchanges if e.outcome is Outcome.ANSWERED)

    @cached_property
    def _signs(self) -> tuple[tuple[Exchange, bool], ...]:
        """Signs of health: (exchange, good), in order; refusals of unequal nodes left out."""
        signs = []
        for e in self.exchanges:
            if e.outcome in _GOOD:
                signs.append((e, True))
            elif e.outcome is Outcome.UNCONNECTED or self._fails(e):
                signs.append((e, False))
        return tuple(signs)

    def _fails(self, e: Exchange) -> bool:
        """Whether *e* is a known-good hello that was not answered, and no node's own refusal."""
        return e.key in self._good_keys and not self._flaps(e)

    def _flaps(self, e: Exchange) -> bool:
        """Whether *e* is a known-good hello refused by alert while its neighbours are answered."""
        if e.outcome is not Outcome.REFUSED:
            return False
        before = [x for x in self.exchanges if x.until <= e.at and self._decisive(x)]
        after = [x for x in self.exchanges if x.at >= e.until and self._decisive(x)]
        return bool(
            before
            and after
            and max(before, key=lambda x: x.until).outcome in _GOOD
            and after[0].outcome in _GOOD
        )

    def _decisive(self, e: Exchange) -> bool:
        return (
            e.outcome in _GOOD
            or e.outcome is Outcome.UNCONNECTED
            or (e.key in self._good_keys and e.outcome is not Outcome.REFUSED)
        )

    @cached_property
    def healthy(self) -> bool:
        """Whether the last sign of health is good."""
        return bool(self._signs) and self._signs[-1][1]

    @cached_property
    def troubled(self) -> bool:
        """Whether anything ever looked like a limit or a fault rather than an answer.

        Whatever ends a question for SSL 2.0 is none: most servers end it without a word.
        """
        return any(not good for _, good in self._signs) or any(
            e.outcome in (*_SOFT, Outcome.SILENT) for e in self.exchanges if not e.is_ssl2
        )

    @lru_cache(maxsize=1024)  # noqa: B019 - a Knowledge lives for one round
    def trust(self, e: Exchange) -> bool | None:
        """Whether the refusal *e* stands between two good canaries; ``None``: not yet known."""
        before = [good for s, good in self._signs if s.until <= e.at]
        after = [(s, good) for s, good in self._signs if s.at >= e.until]
        overlapping = [
            good for s, good in self._signs if s is not e and s.at < e.until and s.until > e.at
        ]
        if not before or not before[-1] or not all(overlapping):
            return False
        if e.outcome is not Outcome.REFUSED and not self._soft(e):
            return False
        if not after:
            return None
        if not after[0][1]:
            return False
        if e.outcome is not Outcome.REFUSED:
            if not self.troubled:
                return True
            if self._room(e) < max(_LEAST_ROOM, _ROOM * self._room(after[0][0])):
                return False
            if not (calm := self._calm(e)):
                return calm
        return True if self.controlled(e) else None

    def _lone(self, e: Exchange) -> bool:
        """Whether no other connection was open while *e* was: their number may have ended it."""
        return not any(x is not e and x.at < e.until and x.until > e.at for x in self.exchanges)

    def _calm(self, e: Exchange) -> bool | None:
        """Whether *e* stands among `CALM` good signs of health in a row; ``None``: not yet."""
        bad = [s.at for s, good in self._signs if not good]
        since = max((at for at in bad if at < e.at), default=None)
        before = min((at for at in bad if at > e.at), default=None)
        good = sum(
            1
            for s, good in self._signs
            if good and (since is None or s.at > since) and (before is None or s.at < before)
        )
        return True if good >= CALM else None if before is None else False

    def controlled(self, e: Exchange) -> bool:
        """Whether hellos with all the suites and hybrid groups of *e* among others were answered.

        Else what refuses might be a filter that dislikes one of them, not the server.
        """
        long = hybrids(e)
        return self.suites_controlled(e) and (
            not long or any(long <= hybrids(x) for x in self.answered)
        )

    def suites_controlled(self, e: Exchange) -> bool:
        """Whether a hello with all the suites of *e* among others was answered.

        Where the version of *e*, TLS 1.2 or older, is accepted, only one of that version and no
        shorter will do.
        """
        suites, alike = set(e.suites), self.answered
        if e.most is not Version.TLS_1_3 and any(x.version is e.most for x in self.answered):
            alike = tuple(x for x in alike if x.most is e.most and len(x.sent) >= len(e.sent))
        return e.is_ssl2 or any(suites <= set(x.suites) for x in alike)

    @property
    def restless(self) -> bool:
        """Whether something met a soft refusal, and more signs of health would let it count."""
        return any(
            self._soft(e) and e.key not in self._good_keys and self._calm(e) is None
            for e in self.own
            if self.trust(e) is None
        )

    def trusted(self, e: Exchange) -> bool:
        """Whether the refusal *e* is known to stand between two good canaries."""
        return self.trust(e) is True

    @staticmethod
    def _soft(e: Exchange) -> bool:
        return e.outcome in (_SSL2_SOFT if e.is_ssl2 else _SOFT)

    def _room(self, e: Exchange) -> timedelta:
        """The time without any connection before *e* began."""
        others = [x.until for x in self.exchanges if x is not e and x.at <= e.at]
        return max(e.at - max(others), timedelta(0)) if others else timedelta(days=1)

    @cached_property
    def canary(self) -> Exchange | None:
        """The known-good hello that was answered most reliably, the latest of equals."""
        score: Counter[tuple[object, ...]] = Counter()
        for e in self.exchanges:
            score[e.key] += 1 if e.outcome is Outcome.ANSWERED else -2
        good = [e for e in self.answered if not e.is_ssl2 and not e.retried and not e.early_ccs]
        return max(good, key=lambda e: (score[e.key] > 0, e.at), default=None)

    def weight(self, e: Exchange, *, claimed: bool = False) -> int:
        """For how many refusals *e* stands: for none, one, or as a soft one, all that are needed.

        *claimed* includes those for which only signs of health are missing yet.
        """
        if e.outcome is Outcome.ANSWERED:
            return 1
        return self._weights(claimed)[e]

    @lru_cache(maxsize=2)  # noqa: B019
    def _weights(self, claimed: bool) -> Counter[Exchange]:
        weights: Counter[Exchange] = Counter()
        met: Counter[tuple[object, ...]] = Counter()
        lone = self.troubled
        for e in self.exchanges:
            trust = self.trust(e)
            if not trust and not (claimed and trust is None):
                continue
            if e.outcome is Outcome.REFUSED:
                weights[e] = 1
                continue
            met[e.key] += 1
            lone = lone or self._lone(e)
            if lone and met[e.key] >= (SOFT_NEEDED if self.troubled else NEEDED):
                weights[e] = NEEDED
        return weights


def hybrids(e: Exchange) -> frozenset[str]:
    """The post-quantum groups that *e* offers: some filters drop hellos with them."""
    return frozenset(n for n in e.groups if GROUP_BY_NAME[n].kind in ("hybrid", "kem"))
