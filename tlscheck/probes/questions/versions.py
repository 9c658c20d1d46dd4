"""Questions that settle which versions there are, and whether they vouch for a refusal."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import replace

from tlscheck.model import State
from tlscheck.observations.exchange import PROTOCOL_VERSION, Outcome
from tlscheck.observations.knowledge import (
    COMMON_GROUPS,
    GROUP,
    SUITE,
    Knowledge,
    candidates,
)
from tlscheck.probes.asker import LADDER, REAL_SHARES, Asker, Question, has_share
from tlscheck.probes.questions.lists import (
    CLASSIC,
    all_groups,
    all_schemes,
    chunks,
    is_hybrid,
    strong_first,
    weak_first,
    weak_groups,
    without_finite,
)
from tlscheck.wire.registry import (
    SUITE_BY_NAME,
    Version,
)

_COMMON_SUITES = (
    0xC02C, 0xC030, 0xC02B, 0xC02F, 0xCCA9, 0xCCA8, 0x009F, 0x009E, 0xC024, 0xC028, 0xC023, 0xC027,
    0xC00A, 0xC014, 0xC009, 0xC013, 0x006B, 0x0067, 0x0039, 0x0033, 0x009D, 0x009C, 0x003D, 0x003C,
    0x0035, 0x002F, 0x000A, 0x0005,
)  # fmt: skip
_SUSPECTED = 4
"""How often an answer is asked for where a node without the version may be behind the address."""


def first(version: Version, ask: Asker) -> Question:
    """The first question for *version* in the asker's shape: as many suites as it may have.

    The full one carries the suites and hybrid groups of TLS 1.3 along, which mean nothing there:
    answered, it shows that no filter dislikes any of them.
    """
    suites = weak_first(candidates(version, SUITE))
    by_code = {SUITE_BY_NAME[name].code: name for name in suites}
    common = [by_code[code] for code in _COMMON_SUITES if code in by_code]
    if ask.shape.plain:
        suites = common
    elif ask.shape is not LADDER[0]:
        rest = [name for name in reversed(suites) if name not in common]
        suites = [*common, *rest][: ask.shape.most_suites]
    groups, schemes = all_groups(ask, version), all_schemes(ask, version)
    if ask.shape is LADDER[0] and version is Version.TLS_1_2:
        # What is likely stands last: chosen, it shows how far the server looks.
        suites = [*candidates(Version.TLS_1_3, SUITE), *sorted(suites, key=common.__contains__)]
        groups = [*groups, *(g for g in candidates(Version.TLS_1_3, GROUP) if is_hybrid(g))]
    return ask.classic(version, suites, groups, schemes, about="versions")


def of_controls(known: Knowledge, ask: Asker) -> Iterator[Question]:
    """For refused suites: the same once more, along with an accepted one that must be answered.

    In their own version where that is accepted, else in the highest that is.
    """
    accepted = [v for v in Version if known.version(v) is State.ACCEPTED]
    if not accepted or accepted[-1] is Version.SSL_2_0:
        return
    top = next((v for v in CLASSIC if v in accepted), Version.TLS_1_3)
    lists: dict[Version, set[frozenset[str]]] = defaultdict(set)
    for e in known.own:
        lost = e.outcome in (Outcome.ANSWERED, Outcome.SILENT, Outcome.UNCONNECTED)
        if not lost and e.suites and not known.suites_controlled(e):
            version = e.most if e.most in accepted and e.most in CLASSIC else top
            lists[version].add(frozenset(e.suites))
    for version, found in lists.items():
        own = strong_first(known.accepted(version, SUITE))[:1]
        groups, schemes = all_groups(ask, version), all_schemes(ask, version)
        if any(SUITE_BY_NAME[name].finite for name in own):
            groups = without_finite(groups)
        if ask.shape is LADDER[0]:
            found = {frozenset(name for some in found for name in some)}
        for names in found:
            suites = [*weak_first([name for name in names if name not in own]), *own]
            if version is Version.TLS_1_3:
                yield ask.modern(suites, groups, schemes, shares=_shareable(known), about="control")
            else:
                yield ask.classic(version, suites, groups, schemes, about="control")


def of_suspects(known: Knowledge, ask: Asker) -> Iterator[Question]:
    """Where a version that is accepted is refused by protocol_version too: its answer once more.

    A server without a common suite refuses otherwise: there may be a node without the version.
    """
    for version in CLASSIC:
        answers = [e for e in known.answered if e.version is version and e.most is version]
        suspects = [
            e
            for e in known.own
            if e.most is version
            and e.flight.fatal == PROTOCOL_VERSION
            and known.trust(e) is not False
        ]
        if not answers or not suspects or known.contradictions:
            continue
        if sum(1 for e in known.own if e.key == answers[-1].key) < _SUSPECTED:
            yield ask.again(answers[-1], about="versions")


def _shareable(known: Knowledge) -> list[str]:
    own = [g for g in known.accepted(Version.TLS_1_3, GROUP) if has_share(g)]
    return own[:1]


def of_versions(known: Knowledge, ask: Asker) -> Iterator[Question]:
    """Versions that are open, each asked twice in a row: nodes that take turns then differ."""
    if known.version(Version.TLS_1_3) is State.UNKNOWN and not _claimed(known, Version.TLS_1_3):
        yield from _modern_whole(known, ask)
    for above, version in zip((None, *CLASSIC), CLASSIC, strict=False):
        if known.version(version) is not State.UNKNOWN or _claimed(known, version):
            continue
        # SSL 3.0 has no alert for its number.
        apart = known.answered and version is Version.SSL_3_0
        if above is None or version in (Version.TLS_1_2, Version.TLS_1_1) or apart:
            yield from _whole(known, ask, version)
        elif known.version(above) is not State.ACCEPTED and not known.refused_otherwise(version):
            # The refusal of all suites of a newer version speaks of this one too, if it is refused
            # for its number.
            yield _short(ask, version)
        elif known.version(above) is not State.UNKNOWN:
            *long, short = _whole(known, ask, version)
            yield from long if long and known.refused_otherwise(version) else (*long, short)


def _claimed(known: Knowledge, version: Version) -> bool:
    """Whether refusals enough are there, and only signs of health are still missing."""
    return known.version_refusals(version, claimed=True) >= known.needed


def _modern_whole(known: Knowledge, ask: Asker) -> Iterator[Question]:
    """All of TLS 1.3, and once more without the long hybrid groups that some filters dislike."""
    version = Version.TLS_1_3
    suites, groups = weak_first(candidates(version, SUITE)), weak_groups(version)
    plain = [g for g in groups if not is_hybrid(g)]
    for some, of in ((suites, groups), (suites[::-1], plain)):
        yield ask.modern(some, of, all_schemes(ask, version), shares=REAL_SHARES, about="versions")


def enough_ssl2(known: Knowledge) -> bool:
    """Whether SSL 2.0 was refused as often as is needed."""
    own = (e for e in known.exchanges if e.is_ssl2)
    return sum(known.weight(e, claimed=True) for e in own) >= known.needed


def _whole(known: Knowledge, ask: Asker, version: Version) -> Iterator[Question]:
    """All suites of *version*, in as few hellos as the shape allows, and a short ordinary hello.

    Some filters stop long hellos of old versions, so only the two together refuse a version.
    """
    schemes, groups = all_schemes(ask, version), all_groups(ask, version)
    most = 400 if ask.shape.most_suites > 200 else ask.shape.most_suites
    for finite, offered in ((False, without_finite(groups)), (True, groups)):
        names = weak_first(known.left_whole(version, finite=finite))
        for chunk in chunks(names, 1, most) if names else ():
            yield ask.classic(version, chunk, offered, schemes, about="versions")
    yield _short(ask, version)


def _short(ask: Asker, version: Version) -> Question:
    """A short, ordinary hello, such as filters let through."""
    by_code = {SUITE_BY_NAME[name].code: name for name in candidates(version, SUITE)}
    common = [by_code[code] for code in _COMMON_SUITES if code in by_code]
    short = [name for name in common if not SUITE_BY_NAME[name].finite]
    plain = replace(ask, shape=LADDER[-1])
    return plain.classic(
        version,
        short,
        sorted(COMMON_GROUPS),
        all_schemes(plain, version),
        tickets=False,
        about="versions",
    )
