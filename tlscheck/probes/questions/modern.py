"""Questions about the suites, groups and signature schemes of TLS 1.3."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from tlscheck.observations.knowledge import (
    COMMON_GROUPS,
    GROUP,
    SCHEME,
    SUITE,
    Knowledge,
)
from tlscheck.observations.order import conclusive
from tlscheck.probes.asker import Asker, Question, has_share
from tlscheck.probes.questions.lists import (
    PLAUSIBLE,
    all_groups,
    all_schemes,
    chacha_first,
    is_hybrid,
    key_of,
    left_open,
    sparse,
    turned,
    unasked,
    undecided,
    unheard,
    weak_first,
    weak_group_order,
)
from tlscheck.wire.registry import (
    GROUP_BY_NAME,
    Version,
)

_SCHEMES_OF = {
    "RSA": ("rsa_pss_rsae_sha256", "rsa_pss_rsae_sha384", "rsa_pss_rsae_sha512"),
    "secp256r1": ("ecdsa_secp256r1_sha256",),
    "secp384r1": ("ecdsa_secp384r1_sha384",),
    "secp521r1": ("ecdsa_secp521r1_sha512",),
    "RSA-PSS": ("rsa_pss_pss_sha256", "rsa_pss_pss_sha384", "rsa_pss_pss_sha512"),
    "Ed25519": ("ed25519",),
    "Ed448": ("ed448",),
    "": ("rsa_pss_rsae_sha256", "ecdsa_secp256r1_sha256"),
}


def of_modern(known: Knowledge, ask: Asker) -> Iterator[Question]:
    """What settles suites, groups and signature schemes of TLS 1.3."""
    version = Version.TLS_1_3
    answers = [e for e in known.answered if e.version is version and e.most is version]
    turn = len(answers)
    full_groups, full_schemes = all_groups(ask, version), all_schemes(ask, version)
    if turn < 1:
        question = ask.modern(
            turned(undecided(known, version, SUITE, weak_first), turn),
            [g for g in full_groups if g not in known.accepted(version, GROUP)] or full_groups,
            full_schemes,
        )
        if unasked(known, question):
            yield question
            return
    claims = known.claims(version, SUITE)
    left = [n for n in known.pending(version, SUITE) if claims[n] < known.needed]
    if left:
        yield ask.modern(turned(weak_first(left), turn), turned(full_groups, turn), full_schemes)
    yield from _modern_groups(known, ask, turn)


def _modern_groups(known: Knowledge, ask: Asker, turn: int) -> Iterator[Question]:
    version = Version.TLS_1_3
    suites = turned(weak_first(known.accepted(version, SUITE)), turn)
    groups = [g for g in left_open(known, version, GROUP) if ask.hybrids or not is_hybrid(g)]
    plausible = [g for g in groups if g in PLAUSIBLE]
    untried = _untried_schemes(known)
    if groups:
        for i, names in enumerate(_lanes(known, groups, plausible)):
            chunk = turned(names, turn)
            rides = len(names) < len(groups) and set(names) & COMMON_GROUPS
            riding = untried[i : i + 1] if rides else []
            schemes = riding or all_schemes(ask, version)
            yield ask.modern(suites, chunk, schemes, retry=bool(riding), about=GROUP)
    if not plausible:
        yield from _modern_schemes(known, ask, suites, untried)
    ordinary = set(known.accepted(version, GROUP)) <= PLAUSIBLE
    if groups and ordinary and not plausible and unheard(known, version, GROUP, groups):
        yield ask.modern(suites[::-1], groups[::-1], all_schemes(ask, version), about=GROUP)


def _lanes(known: Knowledge, groups: list[str], plausible: list[str]) -> list[list[str]]:
    """*groups* in as many lists as are likely to be answered side by side."""
    found = len(known.accepted(Version.TLS_1_3, GROUP))
    if found < 2 or len(plausible) < 2 or sparse(known, Version.TLS_1_3):
        return [groups]
    if found < 4:  # many servers have no finite fields
        finite = [g for g in groups if g.startswith("ffdhe")]
        return [[g for g in groups if g not in finite], finite] if finite else [groups]
    lanes = min(len(plausible), 3)
    return [groups[i::lanes] for i in range(lanes)]


def _modern_schemes(
    known: Knowledge, ask: Asker, suites: list[str], untried: list[str]
) -> Iterator[Question]:
    """Schemes one by one, with a real share: what no certificate can sign with shows as an alert.

    All that is left is asked for together. When that is taken, a bogus scheme tells whether the
    server looks at schemes before it answers at all.
    """
    version = Version.TLS_1_3
    own = [g for g in known.accepted(version, GROUP) if has_share(g)]
    if not own:
        return
    group = min(own, key=lambda g: GROUP_BY_NAME[g].share_length)

    # Of unequal nodes, the other may want another group.
    groups = [group, *(g for g in own if g != group)]

    def question(schemes: Sequence[str]) -> Question:
        return ask.modern(suites, groups, schemes, shares=[group], retry=True, about=SCHEME)

    left = left_open(known, version, SCHEME)
    if untried:
        orders = [] if ask.shares or conclusive(known, version, GROUP) else _orders(known, suites)
        for scheme, order in zip(untried, orders, strict=False):
            yield ask.modern(*order, [scheme], retry=True, about=SCHEME)
        yield from (question([scheme]) for scheme in untried[len(orders) :])
        return
    if not left:
        return
    unexplained = _unexplained(known, left)
    if not unexplained:
        yield question(left)
        return
    bogus = question(())
    if unasked(known, bogus):
        yield bogus
    elif not any(e.key == key_of(bogus) for e in known.answered):
        half = len(unexplained) // 2
        yield from (question(part) for part in (unexplained[:half], unexplained[half:]) if part)


def _orders(known: Knowledge, suites: list[str]) -> list[tuple[list[str], list[str]]]:
    """Suites and groups that together show whose order decides, whatever is asked along."""
    groups = weak_group_order(known.accepted(Version.TLS_1_3, GROUP))
    return [(suites, groups), (chacha_first(suites), groups[::-1])]


def _unexplained(known: Knowledge, left: Sequence[str]) -> list[str]:
    """The smallest list of schemes that got a ServerHello without any that is known as accepted."""
    accepted = set(known.accepted(Version.TLS_1_3, SCHEME))
    lists = [
        [name for name in left if name in e.schemes]
        for e in known.answered
        if e.version is Version.TLS_1_3
        and e.flight.hello
        and e.hello.shares
        and set(e.groups) <= set(known.accepted(Version.TLS_1_3, GROUP))
        and e.schemes
        and not accepted & set(e.schemes)
    ]
    return min((some for some in lists if some), key=len, default=[])


def _untried_schemes(known: Knowledge) -> list[str]:
    """Schemes that fit the certificates seen and were not yet offered by themselves in TLS 1.3."""
    kinds = {e.key_kind for e in known.answered if e.key_kind}
    if any("rsa" in name for name in known.accepted(Version.TLS_1_3, SCHEME)):
        kinds.add("RSA")
    groups = set(known.accepted(Version.TLS_1_3, GROUP))
    tried = {
        e.schemes[0]
        for e in known.own
        if e.most is Version.TLS_1_3 and len(e.schemes) == 1 and groups & set(e.groups)
    }
    return [
        s for kind in sorted(kinds or {""}) for s in _SCHEMES_OF.get(kind, ()) if s not in tried
    ]
