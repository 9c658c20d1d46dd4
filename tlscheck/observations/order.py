"""Whose order decides: read from which of the accepted ones each answer chose."""

from __future__ import annotations

import itertools

from tlscheck.model import State
from tlscheck.observations.exchange import Exchange
from tlscheck.observations.knowledge import GROUP, SUITE, Knowledge, finite_groups
from tlscheck.observations.tls import Chooser, Order
from tlscheck.wire.registry import GROUP_BY_NAME, SUITE_BY_NAME, Version


def order(known: Knowledge, version: Version) -> Order:
    """Whose order of suites and of groups decides in *version*."""
    return Order(
        chooser(known, version, SUITE), chooser(known, version, GROUP), chacha(known, version)
    )


def chooser(known: Knowledge, version: Version, dimension: str) -> Chooser:
    """Who chooses in one dimension.

    The server, when it ever passed over an accepted name that stood before the one it chose (but
    for ChaCha20, which some put first only for clients that do). The client, when of two names
    each was chosen where it stood first.
    """
    accepted = set(known.accepted(version, dimension))
    if len(accepted) < 2:
        return Chooser.SINGLE
    won: set[tuple[str, str]] = set()
    passed_over = False
    comparable = sum("CHACHA20" not in name for name in accepted) > 1
    for offered, chosen in _choices(known, version, dimension):
        names = [name for name in offered if name in accepted]
        if len(names) < 2 or chosen not in names:
            continue
        if comparable and "CHACHA20" in names[0] and "CHACHA20" in chosen:
            continue
        place = names.index(chosen)
        passed_over = passed_over or place > 0
        won.update((chosen, other) for other in names[place + 1 :])
    if passed_over:
        return Chooser.SERVER
    if any((other, one) in won for one, other in won):
        return Chooser.CLIENT
    return Chooser.UNKNOWN


def conclusive(known: Knowledge, version: Version, dimension: str) -> bool:
    """Whether `chooser` knows."""
    return chooser(known, version, dimension) is not Chooser.UNKNOWN


def chacha(known: Knowledge, version: Version) -> State:
    """Whether a server with an order of its own lets clients put ChaCha20 first."""
    accepted = known.accepted(version, SUITE)
    if not any("CHACHA20" in name for name in accepted) or all(
        "CHACHA20" in name for name in accepted
    ):
        return State.REFUSED
    if chooser(known, version, SUITE) is not Chooser.SERVER:
        return State.REFUSED
    first_chosen, otherwise = set(), set()
    asked = False
    for offered, chosen in _choices(known, version, SUITE):
        names = [name for name in offered if name in accepted]
        if len(names) < 2 or all("CHACHA20" in name for name in names):
            continue
        if "CHACHA20" in names[0]:
            asked = True
            if "CHACHA20" in chosen:
                first_chosen.add(chosen)
        elif "CHACHA20" in chosen:
            otherwise.add(chosen)
    if not asked:
        return State.UNKNOWN
    return State.ACCEPTED if first_chosen - otherwise else State.REFUSED


def preference(known: Knowledge, version: Version, dimension: str) -> tuple[str, ...]:
    """The accepted names, the server's favourite first: by who was chosen over whom."""
    over = _over(known, version, dimension)
    left, ordered = list(over), []
    while left:
        best = min(left, key=lambda n: sum(n in over[other] for other in left))
        ordered.append(best)
        left.remove(best)
    return tuple(ordered)


def uncompared(known: Knowledge, version: Version) -> list[tuple[str, str]]:
    """Suites that stand next to each other in the server's order, and were never offered so.

    The later one first, so that an answer with the earlier one is the server's choice.
    """
    if chooser(known, version, SUITE) is not Chooser.SERVER:
        return []
    over = _over(known, version, SUITE)
    ordered = preference(known, version, SUITE)
    return [
        (later, earlier)
        for earlier, later in itertools.pairwise(ordered)
        if later not in over[earlier] and earlier not in over[later]
    ]


def _over(known: Knowledge, version: Version, dimension: str) -> dict[str, set[str]]:
    """For each accepted name, those that it was chosen over."""
    over: dict[str, set[str]] = {name: set() for name in known.accepted(version, dimension)}
    for offered, chosen in _choices(known, version, dimension):
        if dimension == SUITE and "CHACHA20" in chosen and offered and offered[0] == chosen:
            continue
        over[chosen].update(n for n in offered if n in over and n != chosen)
    return over


def _choices(
    known: Knowledge, version: Version, dimension: str
) -> list[tuple[tuple[str, ...], str]]:
    """What was offered in which order, and which of it was chosen."""
    found = []
    for e in known.answered:
        if e.version is not version or e.most is not version:
            continue
        if (dimension == GROUP and e.hello.shares) or not _free(known, e, version):
            continue
        offered, chosen = (e.suites, e.suite) if dimension == SUITE else (e.groups, e.group)
        if dimension == GROUP and version is not Version.TLS_1_3:
            # Whether finite fields are used, the suite decides.
            kind = GROUP_BY_NAME[chosen].kind if chosen else ""
            offered = tuple(name for name in offered if GROUP_BY_NAME[name].kind == kind)
        if dimension == SUITE and known.finite_negotiated and finite_groups(e):
            # DHE may have been passed over for want of a group.
            offered = tuple(n for n in offered if n == chosen or not SUITE_BY_NAME[n].finite)
        if chosen:
            found.append((offered, chosen))
    return found


def _free(known: Knowledge, e: Exchange, version: Version) -> bool:
    """Whether no other dimension swayed the choice: several kinds of certificate lean on both."""
    kinds = {SUITE_BY_NAME[s].authentication for s in known.accepted(version, SUITE)}
    if len(kinds) == 1 and "ECDSA" not in kinds:
        return True
    return set(e.groups) >= set(known.accepted(version, GROUP)) and known.full_schemes(e, version)
