"""Questions that show by whose order suites and groups are chosen."""

from __future__ import annotations

from collections.abc import Iterator

from tlscheck.model import State
from tlscheck.observations.exchange import Exchange
from tlscheck.observations.knowledge import (
    GROUP,
    SUITE,
    Knowledge,
)
from tlscheck.observations.order import chacha, conclusive, uncompared
from tlscheck.probes.asker import Asker, Question
from tlscheck.probes.questions.lists import (
    all_groups,
    all_schemes,
    chacha_first,
    imagined,
    weak_first,
    weak_group_order,
)
from tlscheck.wire.registry import (
    SUITE_BY_NAME,
    Version,
)


def orders(known: Knowledge, ask: Asker, version: Version) -> Iterator[Question]:
    """The accepted ones forwards and backwards, or with ChaCha20 first."""
    suites = weak_first(known.accepted(version, SUITE))
    groups = weak_group_order(known.accepted(version, GROUP))
    full_groups, schemes = all_groups(ask, version), all_schemes(ask, version)
    open_yet = chacha(known, version) is State.UNKNOWN
    first = chacha_first(suites) if open_yet else suites
    lists = []
    if not conclusive(known, version, SUITE):
        # ChaCha20 first may be chosen for that alone.
        others = [name for name in suites if "CHACHA20" not in name]
        last = [name for name in suites if name not in others]
        lists = [([*others, *last], full_groups), ([*others[::-1], *last], full_groups[::-1])]
    elif not conclusive(known, version, GROUP):
        using = [s for s in suites if version is Version.TLS_1_3 or SUITE_BY_NAME[s].elliptic]
        lists = [(using, groups), ([s for s in first if s in using], groups[::-1])]
    elif pairs := uncompared(known, version):
        lists = [(list(pair), full_groups) for pair in pairs]
    elif open_yet and len(suites) > 1:
        lists = [(first, full_groups)]
    for some, of in lists:
        if version is Version.TLS_1_3:
            question = ask.modern(some, of, schemes, about="order")
        else:
            question = ask.classic(version, some, of, schemes, about="order")
        if not any(_same_lists(e, imagined(question)) for e in known.own):
            yield question


def _same_lists(e: Exchange, other: Exchange) -> bool:
    return e.key == other.key and e.suites == other.suites and e.groups == other.groups
