"""Questions about the suites and groups of SSL 3.0 to TLS 1.2."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from tlscheck.observations.exchange import Outcome
from tlscheck.observations.knowledge import (
    COMMON_GROUPS,
    GROUP,
    SCHEME,
    SUITE,
    Knowledge,
    authentication_of,
    finite_alone,
)
from tlscheck.probes.asker import LADDER, Asker, Question
from tlscheck.probes.questions.lists import (
    all_groups,
    all_schemes,
    certificate_curve,
    chunks,
    left_open,
    sparse,
    turned,
    unasked,
    undecided,
    unheard,
    weak_first,
    weak_group_order,
    without_finite,
)
from tlscheck.wire.registry import (
    GROUP_BY_NAME,
    SUITE_BY_NAME,
    Version,
)

_ORDINARY = {
    "RSA": (
        *(f"rsa_{form}_sha{n}" for form in ("pkcs1", "pss_rsae") for n in (256, 384, 512)),
        "rsa_pkcs1_sha224",
    ),
    "ECDSA": (
        *("ecdsa_secp256r1_sha256", "ecdsa_secp384r1_sha384", "ecdsa_secp521r1_sha512"),
        "ecdsa_sha224",
    ),
}
"""Schemes that ordinary servers sign with in TLS 1.2, by the kind of certificate."""


def of_classic(known: Knowledge, ask: Asker, version: Version) -> Iterator[Question]:
    """What settles suites and groups of a version that is offered."""
    answers = [e for e in known.answered if e.version is version and e.most is version]
    full_groups, full_schemes = all_groups(ask, version), all_schemes(ask, version)
    turn, curve = len(answers), certificate_curve(known)
    if turn < 2:
        groups = [g for g in undecided(known, version, GROUP, weak_group_order) if g != curve]
        question = ask.classic(
            version,
            turned(undecided(known, version, SUITE, weak_first), turn)[: ask.shape.most_suites],
            [*turned(groups, turn), *([curve] if curve else [])] or full_groups,
            undecided(known, version, SCHEME) or full_schemes,
            tickets=turn % 2 == 0,
        )
        if unasked(known, question):
            yield question
            return
    for chunk, groups in _suite_chunks(known, ask, version):
        yield ask.classic(version, chunk, turned(groups, turn), full_schemes, tickets=turn % 2 == 0)
    yield from _classic_groups(known, ask, version, turn)


def _suite_chunks(
    known: Knowledge, ask: Asker, version: Version
) -> Iterator[tuple[list[str], list[str]]]:
    """What is left of the suites, with groups: first all once, then in another cut and order.

    The second time suites with a finite field stand apart, and without the groups of RFC 7919: a
    server that chooses one and has no parameters for it fails as if it refused the whole list, and
    one that heeds those groups has its own parameters only for who does not. And what stood in the
    second half of a list stands in the first half of the next, for servers that look only at the
    first so many.
    """
    claims, groups = known.claims(version, SUITE), all_groups(ask, version)
    left = [n for n in known.pending(version, SUITE) if claims[n] < known.needed]
    if not left:
        return
    fewest = min(claims[n] for n in left)
    names = weak_first([n for n in left if claims[n] == fewest])
    accepted = len(known.accepted(version, SUITE))
    lanes = 1 if accepted < 4 else 2 if accepted < 8 else 4 if accepted < 16 else 6
    if fewest % 2 == 0 and not known.breaks_off(version):
        most = ask.shape.most_suites
        if ask.shape is LADDER[0]:
            most = max(most, known.depth(version))
        yield from ((chunk, groups) for chunk in chunks(names, lanes, most))
        return
    names.reverse()
    along = known.claims(version, SUITE, finite=True)
    others = [n for n in names if not SUITE_BY_NAME[n].finite]
    finite = [n for n in names if SUITE_BY_NAME[n].finite]
    bare, full = [n for n in finite if along[n]], [n for n in finite if not along[n]]
    for part, offered in ((others, groups), (bare, without_finite(groups)), (full, groups)):
        yield from ((chunk, offered) for chunk in chunks(part, 1, ask.shape.most_suites) if chunk)


def _classic_groups(
    known: Knowledge, ask: Asker, version: Version, turn: int
) -> Iterator[Question]:
    full_groups, full_schemes = all_groups(ask, version), all_schemes(ask, version)
    accepted = [SUITE_BY_NAME[n] for n in known.accepted(version, SUITE)]
    elliptic = [s.name for s in accepted if s.elliptic]
    free = [s.name for s in accepted if s.elliptic and s.authentication != "ECDSA"]
    signed = [s.name for s in accepted if s.signed]
    groups = [g for g in left_open(known, version, GROUP) if GROUP_BY_NAME[g].kind == "ec"]
    schemes = left_open(known, version, SCHEME) if signed else []
    suites = turned(weak_first(free or elliptic), turn)
    offered = turned(groups, turn) if free else _beside_curve(known, version, groups, turn)
    # Without the certificate's curve it is refused for that alone, as like as not.
    usable = free or certificate_curve(known) in offered
    if turn > 1 and usable and set(groups) & COMMON_GROUPS and not sparse(known, version):
        together = _together(known, ask, version, suites, offered, schemes, turn)
        if any(unasked(known, question) for question in together):
            yield from together
            return
    twice = []
    if groups and suites:
        yield ask.classic(version, suites, offered, full_schemes, about=GROUP)
        ordinary = set(known.accepted(version, GROUP)) <= COMMON_GROUPS
        unlikely = ordinary and not set(groups) & COMMON_GROUPS
        if free and unlikely and unheard(known, version, GROUP, groups):
            twice.append((suites[::-1], offered[::-1], full_schemes, GROUP))
    kinds = {SUITE_BY_NAME[name].authentication for name in signed}
    for kind in sorted(kinds):  # the one certificate chosen, the other's schemes are of no use
        mine = [name for name in signed if SUITE_BY_NAME[name].authentication == kind]
        open_yet = [s for s in schemes if authentication_of(s) not in kinds - {kind}]
        if not open_yet:
            continue
        good = full_groups[::-1]  # which shows whose order of groups decides
        if alone := finite_alone(mine):
            # The groups with which these were taken before.
            taken = (e for e in known.answered if e.version is version and e.suite in alone)
            good = max((list(e.groups) for e in taken), key=len, default=[]) or good
        # Each order more than once, so that nodes that are unequal differ.
        names = turned(weak_first(mine), turn // 2)
        yield ask.classic(version, names, good, open_yet, about=SCHEME)
        likely = any(_likely(scheme, mine) for scheme in open_yet)
        if not likely and unheard(known, version, SCHEME, open_yet):
            twice.append((names[::-1], good, open_yet, SCHEME))
    yield from (ask.classic(version, *lists, about=about) for *lists, about in twice)
    if version is Version.TLS_1_2:
        yield from _finite_groups(known, ask, [s.name for s in accepted if s.finite])


def _together(
    known: Knowledge,
    ask: Asker,
    version: Version,
    suites: list[str],
    groups: list[str],
    schemes: list[str],
    turn: int,
) -> list[Question]:
    """Groups with one part of the schemes and, beside them, the other part with all groups, in the
    other order, which shows whose order decides; nothing where no scheme is likely.
    """
    likely = [s for s in schemes if _likely(s, suites)]
    if not likely:
        return []
    many = len(known.accepted(version, SCHEME)) > 2
    aside = likely[::2] if len(likely) >= (2 if many else 4) else []
    lists = [(suites, groups, [s for s in schemes if s not in aside])]
    if aside:
        lists.append((suites[::-1], all_groups(ask, version)[::-1], aside))
    return [ask.classic(version, *of, about=GROUP, tickets=turn % 2 == 0) for of in lists]


def _beside_curve(known: Knowledge, version: Version, groups: list[str], turn: int) -> list[str]:
    """*groups* for a server with an ECDSA certificate alone, which may want its curve among them:
    first what is preferred to the curve and, once that is chosen, what is taken without it. The
    refusal of that and the curve chosen twice tell that nothing else is taken.
    """
    curve, offered = certificate_curve(known), turned(groups, turn)
    others = [g for g in offered if g != curve]
    if not curve or not others:
        return offered
    own = [e for e in known.own if e.most is version and set(others) <= set(e.groups)]
    chosen = any(e.group == curve == e.groups[-1] for e in own if e.outcome is Outcome.ANSWERED)
    refused = any(
        curve not in e.groups and known.about_groups(e, version)
        for e in own
        if e.outcome is Outcome.REFUSED
    )
    return others if chosen and not refused else [*others, curve]


def _likely(scheme: str, signed: Sequence[str]) -> bool:
    """Whether ordinary servers with certificates for the suites *signed* sign so in TLS 1.2."""
    kinds = {SUITE_BY_NAME[name].authentication for name in signed}
    return any(scheme in _ORDINARY.get(kind, ()) for kind in kinds)


def _finite_groups(known: Knowledge, ask: Asker, suites: list[str]) -> Iterator[Question]:
    """Whether DHE heeds the groups of RFC 7919, and if so, which it takes."""
    version = Version.TLS_1_2
    if not suites:
        return
    schemes = all_schemes(ask, version)
    if not known.finite_free:
        yield ask.classic(version, suites, without_finite(all_groups(ask, version)), schemes)
    if not known.finite_asked:
        yield ask.classic(version, suites, (), all_schemes(ask, version), about=GROUP)
    else:
        left = [g for g in left_open(known, version, GROUP) if GROUP_BY_NAME[g].kind == "ff"]
        if left:
            yield ask.classic(version, suites, left, all_schemes(ask, version), about=GROUP)
