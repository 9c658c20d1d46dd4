"""Questions end, and what they conclude is true, whatever the gateway is set up with."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from tests.make_chain import AT
from tlscheck.model import State
from tlscheck.observations.ike import ASKED, TIERS, Dimension, Ending, Mode, Opening, fold, in_doubt
from tlscheck.probes.ike.plan import Narrowed, following
from tlscheck.wire.ike import is_aead

D = Dimension
Suite = dict[Dimension, list[str]]


def some(dimension: Dimension) -> st.SearchStrategy[list[str]]:
    return st.lists(st.sampled_from(ASKED[dimension]), min_size=1, max_size=4, unique=True)


SUITES = st.lists(st.fixed_dictionaries({d: some(d) for d in D}), min_size=1, max_size=3)


def granted(suites: Sequence[Suite], narrowed: Narrowed) -> str | None:
    """The group that a gateway with these *suites* asks for."""
    offered = {d: set(narrowed.get(d, ASKED[d])) for d in D}
    for suite in suites:
        fits = {d: [i for i in suite[d] if i in offered[d]] for d in D}
        ciphers = [
            c
            for c in fits[D.ENCRYPTION]
            if (D.INTEGRITY not in narrowed if is_aead(c) else fits[D.INTEGRITY])
        ]
        if ciphers and fits[D.PRF] and fits[D.GROUPS]:
            return fits[D.GROUPS][0]
    return None


def asked(suites: Sequence[Suite], most: int) -> list[Opening]:
    openings: list[Opening] = []

    def ask(narrowed: Narrowed) -> None:
        group = granted(suites, narrowed)
        more: dict[str, Any] = {"granted": {D.GROUPS: group}} if group else {}
        ending = Ending.GRANTED if group else Ending.REFUSED
        openings.append(Opening(AT, 500, Mode.INIT, ending, narrowed, **more))

    ask({})
    while len(openings) < most and (narrowed := following(openings)) is not None:
        ask(narrowed)
    if in_doubt(openings, 500):
        ask({})
    return openings


@given(SUITES, st.integers(2, 30))
def test_nothing_false_is_concluded_wherever_it_ends(suites: list[Suite], most: int) -> None:
    seen = fold("192.0.2.1", AT, asked(suites, most))
    for dimension in D:
        for name, state in seen.states(dimension).items():
            truth = granted(suites, {dimension: (name,)}) is not None
            assert state is State.UNKNOWN or (state is State.ACCEPTED) == truth, name


@given(SUITES)
def test_in_the_end_everything_is_known(suites: list[Suite]) -> None:
    openings = asked(suites, 200)
    assert len(openings) < 80
    seen = fold("192.0.2.1", AT, openings)
    assert State.UNKNOWN not in {s for d in D for s in seen.states(d).values()}


@given(SUITES)
def test_the_weak_are_known_first(suites: list[Suite]) -> None:
    openings = asked(suites, 200)
    weak = {(d, i) for d in D for items in TIERS[d][0] for i in items}
    about = [any((d, i) in weak for d in o.narrowed for i in o.narrowed[d]) for o in openings[1:]]
    assert about == sorted(about, reverse=True)
