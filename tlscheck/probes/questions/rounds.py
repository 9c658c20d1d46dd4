"""Which questions go side by side, and which are asked in the end."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice, zip_longest

from tlscheck.model import State
from tlscheck.observations.exchange import Outcome
from tlscheck.observations.knowledge import (
    SUITE,
    Knowledge,
)
from tlscheck.probes.asker import Asker, Question
from tlscheck.probes.questions.classic import of_classic
from tlscheck.probes.questions.lists import CLASSIC, all_groups, all_schemes, key_of, strong_first
from tlscheck.probes.questions.modern import of_modern
from tlscheck.probes.questions.order import orders
from tlscheck.probes.questions.versions import (
    enough_ssl2,
    first,
    of_controls,
    of_suspects,
    of_versions,
)
from tlscheck.wire.hello import (
    Ssl2Hello,
)
from tlscheck.wire.registry import (
    Version,
)

MOST_ASKED = 6
"""How often one question is put at the most, beyond the refusals that are needed."""


@dataclass(frozen=True, slots=True)
class Round:
    """Questions that may be asked side by side, or, `alone`, one after another with room; those
    first that others wait for.
    """

    questions: tuple[Question, ...]
    alone: bool = False
    last: bool = False
    """All else is settled; the answers are the closing canaries."""


def plan(known: Knowledge, ask: Asker) -> Round:
    """The next questions; none when nothing is left to ask."""
    soft = {e.key for e in known.exchanges if e.outcome not in _HARD}
    for wanted in (_wanted, _finally):
        worth = [q for q in wanted(known, ask) if _worth_it(known, q)]
        if wanted is _wanted and (not worth or len(known.exchanges) >= _ROOM):
            worth += [q for q in _meanwhile(known, ask) if _worth_it(known, q)]
        if calm := [q for q in worth if key_of(q) not in soft]:
            return Round(_distinct(calm), last=wanted is _finally)
        if worth and not known.troubled:
            # No limit has shown itself: no room is needed, but no company either (SSL 2.0).
            return Round(tuple(worth[:1]))
        if worth:
            return Round(_distinct(worth), alone=True)
    if known.canary and known.unvouched:
        return Round((ask.again(known.canary),), last=True)
    if known.canary and known.restless:
        return Round(tuple(ask.again(known.canary) for _ in range(_VOUCHERS)), last=True)
    return Round(())


_SMALL = 39
"""Up to so many hellos a look is a small one."""
_MARGIN = 6
"""So many more do not yet make it a big one."""
_VOUCHERS = 4
"""So many canaries are asked side by side where signs of health are missing."""
_ROOM = 5
"""So many are put before what can be asked at any time stands in the queue, at its end."""
_HARD = frozenset((Outcome.ANSWERED, Outcome.REFUSED, Outcome.FALLBACK))


def _worth_it(known: Knowledge, question: Question) -> bool:
    key = key_of(question)
    return sum(1 for e in known.exchanges if e.key == key) < known.needed + MOST_ASKED


def _distinct(questions: Sequence[Question]) -> tuple[Question, ...]:
    """Each question once; one that offers the same in another order is another."""
    return tuple({(key_of(q), _order_of(q)): q for q in questions}.values())


def _order_of(question: Question) -> tuple[int, ...]:
    hello = question.hello
    return hello.kinds if isinstance(hello, Ssl2Hello) else hello.suites


def _wanted(known: Knowledge, ask: Asker) -> Iterator[Question]:
    if not known.exchanges:
        yield ask.browser()
        yield first(Version.TLS_1_2, ask)
        return
    classic = (v for v in CLASSIC if known.version(v) is State.ACCEPTED)
    of_lists = [of_classic(known, ask, version) for version in classic]
    if known.version(Version.TLS_1_3) is State.ACCEPTED:
        of_lists.insert(0, of_modern(known, ask))
    # Suites are struck out one after the other: the longest way comes first.
    for questions in of_lists:
        yield from islice(questions, 1)
    yield from of_versions(known, ask)
    for row in zip_longest(*of_lists):
        yield from filter(None, row)
    yield from of_controls(known, ask)
    yield from of_suspects(known, ask)


def _meanwhile(known: Knowledge, ask: Asker) -> Iterator[Question]:
    """What hangs on nothing else: SSL 2.0, and the fallback SCSV, asked once."""
    if not known.exchanges:
        return
    if known.version(Version.SSL_2_0) is State.UNKNOWN and not enough_ssl2(known):
        yield ask.ssl2()
    accepted = [v for v in Version if known.version(v) is State.ACCEPTED]
    below = [v for v in CLASSIC if v in accepted and v.rank < accepted[-1].rank]
    if below and len(known.answered) >= 3 and not any(e.fallback for e in known.own):
        suites = strong_first(known.accepted(below[0], SUITE))
        groups, schemes = all_groups(ask, below[0]), all_schemes(ask, below[0])
        yield ask.classic(below[0], suites, groups, schemes, fallback=True, about="fallback")


def _finally(known: Knowledge, ask: Asker) -> Iterator[Question]:
    """What is asked when all else is settled, so that the answers are the closing canaries.

    Orders that no answer has shown yet, a hello without name, with an early CCS after it, and
    refusals of versions once more, unless just they would make a small look a big one. Of two nodes
    behind one address that are met at random, two refusals are by the same one in every fourth
    look; four, in every sixteenth.
    """
    closing = _distinct(list(_closing(known, ask)))
    yield from closing
    if known.troubled or known.contradictions:
        return
    spare = _SMALL - len(known.exchanges) - len(closing)
    whole = {e.key: e for e in known.own if known.speaks_of_version(e)}
    once = [e for e in whole.values() if sum(1 for x in known.own if x.key == e.key) == 1]
    for e in once[-spare:] if spare > 0 else once if spare < -_MARGIN else ():
        yield ask.again(e, about="versions")


def _closing(known: Knowledge, ask: Asker) -> Iterator[Question]:
    accepted = [v for v in Version if known.version(v) is State.ACCEPTED]
    for version in accepted:
        if version is not Version.SSL_2_0:
            yield from orders(known, ask, version)
    classic = [v for v in CLASSIC if v in accepted]
    if classic and not any(e.early_ccs for e in known.exchanges):
        suites = strong_first(known.accepted(classic[0], SUITE))
        groups, schemes = all_groups(ask, classic[0]), all_schemes(ask, classic[0])
        yield ask.classic(
            classic[0], suites, groups, schemes, named=False, early_ccs=True, about="certificate"
        )
