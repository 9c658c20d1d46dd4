"""What is offered in a question, and in which order."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from math import ceil

from tlscheck.observations.exchange import End, Exchange, Outcome
from tlscheck.observations.knowledge import (
    COMMON_GROUPS,
    COMMON_SCHEMES,
    GROUP,
    SCHEME,
    SUITE,
    Knowledge,
    candidates,
)
from tlscheck.probes.asker import Asker, Question
from tlscheck.wire.registry import (
    GROUP_BY_NAME,
    SUITE_BY_NAME,
    Suite,
    Version,
)

_EPOCH = datetime.fromtimestamp(0, UTC)
CLASSIC = (Version.TLS_1_2, Version.TLS_1_1, Version.TLS_1_0, Version.SSL_3_0)
PLAUSIBLE = COMMON_GROUPS | {"ffdhe2048", "ffdhe3072", "ffdhe4096", "ffdhe6144", "ffdhe8192"}
"""Groups that ordinary servers have: as long as such are open, more answers are likely."""


def key_of(question: Question) -> tuple[object, ...]:
    """The key that the question's exchange will have."""
    return imagined(question).key


def imagined(question: Question) -> Exchange:
    """The exchange that the question would make, to be compared with those that were made."""
    return Exchange(_EPOCH, 0, question.hello.records(), b"", End.CLOSED)


def unasked(known: Knowledge, question: Question) -> bool:
    """Whether the question was never put."""
    key = key_of(question)
    return not any(e.key == key for e in known.exchanges)


def undecided(
    known: Knowledge,
    version: Version,
    dimension: str,
    order: Callable[[Sequence[str]], list[str]] = list,
) -> list[str]:
    """All that was not accepted yet."""
    accepted = set(known.accepted(version, dimension))
    return order([n for n in candidates(version, dimension) if n not in accepted])


def left_open(known: Knowledge, version: Version, dimension: str) -> list[str]:
    """What must still be asked: pending, and not yet refused as often as needed."""
    claims = known.claims(version, dimension)
    needed = known.needs(version, dimension)
    return [n for n in known.pending(version, dimension) if claims[n] < needed]


def unheard(known: Knowledge, version: Version, dimension: str, names: Sequence[str]) -> bool:
    """Whether none of *names* was ever refused, though each must be more than once: where their
    refusal is likely, both are asked for side by side.
    """
    claims = known.claims(version, dimension)
    return known.needs(version, dimension) > 1 and not any(claims[n] for n in names)


def sparse(known: Knowledge, version: Version) -> bool:
    """Whether groups that ordinary servers have were refused: those left are then likely to be
    refused as well, and asked about in one list, with nothing else open, they cost the least.
    """
    suites, groups = (set(known.accepted(version, d)) for d in (SUITE, GROUP))
    ordinary = PLAUSIBLE if version is Version.TLS_1_3 else COMMON_GROUPS
    return any(
        set(e.suites) <= suites and set(e.groups) & ordinary and not set(e.groups) & groups
        for e in known.own
        if e.most is version and e.outcome is Outcome.REFUSED
    )


def chunks(names: Sequence[str], lanes: int, most: int) -> Iterator[list[str]]:
    """*names* in at least *lanes* parts, none longer than *most*.

    Lanes are interleaved, to be alike. Parts that a small shape enforces keep like with like, so
    that what a filter dislikes spoils one part and not all.
    """
    if len(names) <= most * max(lanes, 2):
        parts = max(min(lanes, len(names)), ceil(len(names) / most))
        yield from (list(names[i::parts]) for i in range(parts))
    else:
        yield from (list(names[i : i + most]) for i in range(0, len(names), most))


def turned(names: Sequence[str], turn: int) -> list[str]:
    """The list in its own order on even turns, the other way round on odd ones."""
    return list(names) if turn % 2 == 0 else list(reversed(names))


def _strength(suite: Suite) -> tuple[bool, bool, int, int]:
    return suite.forward_secret, suite.aead, suite.bits, suite.code


def weak_first(names: Sequence[str]) -> list[str]:
    """The suites by their strength, the weakest first."""
    return sorted(names, key=lambda name: _strength(SUITE_BY_NAME[name]))


def strong_first(names: Sequence[str]) -> list[str]:
    """The suites by their strength, the strongest first."""
    return weak_first(names)[::-1]


def chacha_first(suites: Sequence[str]) -> list[str]:
    """The suites with those of ChaCha20 first, for which some servers change their order."""
    return sorted(suites, key=lambda name: "CHACHA20" not in name)


def weak_group_order(names: Sequence[str]) -> list[str]:
    """The groups, those that ordinary servers have last."""
    return sorted(names, key=lambda n: (n in COMMON_GROUPS, GROUP_BY_NAME[n].code))


def weak_groups(version: Version) -> list[str]:
    """All groups of the version, those that ordinary servers have last."""
    return weak_group_order(candidates(version, GROUP))


def all_groups(ask: Asker, version: Version) -> list[str]:
    """The groups that are offered where none is in question."""
    names = [n for n in weak_groups(version) if ask.hybrids or not is_hybrid(n)]
    return [n for n in names if n in PLAUSIBLE] if ask.shape.plain else names


def is_hybrid(group: str) -> bool:
    """Whether the group is, or has, a key encapsulation."""
    return GROUP_BY_NAME[group].kind in ("hybrid", "kem")


def without_finite(groups: Sequence[str]) -> list[str]:
    """The groups but for the finite fields."""
    return [name for name in groups if GROUP_BY_NAME[name].kind != "ff"]


def all_schemes(ask: Asker, version: Version) -> list[str]:
    """The signature schemes that are offered where none is in question."""
    names = candidates(version, SCHEME)
    return [n for n in names if n in COMMON_SCHEMES] if ask.shape.plain else list(names)


def certificate_curve(known: Knowledge) -> str:
    """The curve of the ECDSA certificate, empty where none was seen."""
    kinds = (e.key_kind for e in known.answered)
    return next((kind for kind in kinds if kind in GROUP_BY_NAME), "")
