"""What to ask next: from what is known, the hellos that settle the most with the fewest.

Pure: knowledge in, questions out. `engine` puts them on the wire.

The plan for one version: the first two questions strike out a suite, a group and a signature
scheme each. Then suites are asked with all groups and schemes in full, and groups and schemes with
all accepted suites, side by side; every refusal on that way is a closing refusal of its dimension.
The lists are offered the weak first and the strong first in turn, so that whose order decides
shows without a question of its own.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from math import ceil

from tlscheck.model import State
from tlscheck.observations.exchange import PROTOCOL_VERSION, End, Exchange, Outcome
from tlscheck.observations.knowledge import (
    COMMON_GROUPS,
    COMMON_SCHEMES,
    GROUP,
    SCHEME,
    SUITE,
    Knowledge,
    candidates,
    finite_alone,
)
from tlscheck.observations.order import chacha, conclusive, uncompared
from tlscheck.probes.asker import LADDER, REAL_SHARES, Asker, Question, has_share
from tlscheck.wire.hello import (
    Ssl2Hello,
)
from tlscheck.wire.registry import (
    GROUP_BY_NAME,
    SUITE_BY_NAME,
    Suite,
    Version,
)

_EPOCH = datetime.fromtimestamp(0, UTC)
CLASSIC = (Version.TLS_1_2, Version.TLS_1_1, Version.TLS_1_0, Version.SSL_3_0)
MOST_ASKED = 6
"""How often one question is put at the most, beyond the refusals that are needed."""
_PLAUSIBLE = COMMON_GROUPS | {"ffdhe2048", "ffdhe3072", "ffdhe4096", "ffdhe6144", "ffdhe8192"}
"""Groups that ordinary servers have: as long as such are open, more answers are likely."""
_SCHEMES_OF = {
    "RSA": ("rsa_pss_rsae_sha256", "rsa_pss_rsae_sha384", "rsa_pss_rsae_sha512"),
    "secp256r1": ("ecdsa_secp256r1_sha256",),
    "secp384r1": ("ecdsa_secp384r1_sha384",),
    "secp521r1": ("ecdsa_secp521r1_sha512",),
    "": ("rsa_pss_rsae_sha256", "ecdsa_secp256r1_sha256"),
}
_ORDINARY = {
    "RSA": tuple(f"rsa_{form}_sha{n}" for form in ("pkcs1", "pss_rsae") for n in (256, 384, 512)),
    "ECDSA": ("ecdsa_secp256r1_sha256", "ecdsa_secp384r1_sha384", "ecdsa_secp521r1_sha512"),
}
"""Schemes that ordinary servers sign with in TLS 1.2, by the kind of certificate."""
_COMMON_SUITES = (
    0xC02C, 0xC030, 0xC02B, 0xC02F, 0xCCA9, 0xCCA8, 0x009F, 0x009E, 0xC024, 0xC028, 0xC023, 0xC027,
    0xC00A, 0xC014, 0xC009, 0xC013, 0x006B, 0x0067, 0x0039, 0x0033, 0x009D, 0x009C, 0x003D, 0x003C,
    0x0035, 0x002F, 0x000A, 0x0005,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Round:
    """Questions that may be asked side by side, or, `alone`, one after another with room."""

    questions: tuple[Question, ...]
    alone: bool = False
    last: bool = False
    """All else is settled; the answers are the closing canaries."""


def plan(known: Knowledge, ask: Asker) -> Round:
    """The next questions; none when nothing is left to ask."""
    soft = {e.key for e in known.exchanges if e.outcome not in _HARD}
    for wanted in (_wanted, _finally):
        worth = [q for q in wanted(known, ask) if _worth_it(known, q)]
        if wanted is _wanted and (not worth or len(worth) <= _ROOM <= len(known.exchanges)):
            worth += [q for q in _meanwhile(known, ask) if _worth_it(known, q)]
        if calm := [q for q in worth if _key(q) not in soft]:
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
_SUSPECTED = 4
"""How often an answer is asked for where a node without the version may be behind the address."""
_VOUCHERS = 4
"""So many canaries are asked side by side where signs of health are missing."""
_ROOM = 5
"""Up to so many questions leave slots for what can be asked at any time, once a few were put."""
_HARD = frozenset((Outcome.ANSWERED, Outcome.REFUSED, Outcome.FALLBACK))


def _key(question: Question) -> tuple[object, ...]:
    """The key that the question's exchange will have."""
    return _imagined(question).key


def _imagined(question: Question) -> Exchange:
    """The exchange that the question would make, to be compared with those that were made."""
    return Exchange(_EPOCH, 0, question.hello.records(), b"", End.CLOSED)


def _worth_it(known: Knowledge, question: Question) -> bool:
    key = _key(question)
    return sum(1 for e in known.exchanges if e.key == key) < known.needed + MOST_ASKED


def _distinct(questions: Sequence[Question]) -> tuple[Question, ...]:
    """Each question once; one that offers the same in another order is another."""
    return tuple({(_key(q), _order_of(q)): q for q in questions}.values())


def _order_of(question: Question) -> tuple[int, ...]:
    hello = question.hello
    return hello.kinds if isinstance(hello, Ssl2Hello) else hello.suites


def _wanted(known: Knowledge, ask: Asker) -> Iterator[Question]:
    if not known.exchanges:
        yield ask.browser()
        yield first(Version.TLS_1_2, ask)
        return
    yield from _versions(known, ask)
    if known.version(Version.TLS_1_3) is State.ACCEPTED:
        yield from _modern(known, ask)
    for version in CLASSIC:
        if known.version(version) is State.ACCEPTED:
            yield from _classic(known, ask, version)
    yield from _controls(known, ask)
    yield from _suspects(known, ask)


# -- versions -------------------------------------------------------------------------------------


def first(version: Version, ask: Asker) -> Question:
    """The first question for *version* in the asker's shape: as many suites as it may have.

    The full one carries the suites and hybrid groups of TLS 1.3 along, which mean nothing there:
    answered, it shows that no filter dislikes any of them.
    """
    suites = _weak_first(candidates(version, SUITE))
    by_code = {SUITE_BY_NAME[name].code: name for name in suites}
    common = [by_code[code] for code in _COMMON_SUITES if code in by_code]
    if ask.shape.plain:
        suites = common
    elif ask.shape is not LADDER[0]:
        rest = [name for name in reversed(suites) if name not in common]
        suites = [*common, *rest][: ask.shape.most_suites]
    groups, schemes = _full_groups(ask, version), _schemes(ask, version)
    if ask.shape is LADDER[0] and version is Version.TLS_1_2:
        # What is likely stands last: chosen, it shows how far the server looks.
        suites = [*candidates(Version.TLS_1_3, SUITE), *sorted(suites, key=common.__contains__)]
        groups = [*groups, *(g for g in candidates(Version.TLS_1_3, GROUP) if _hybrid(g))]
    return ask.classic(version, suites, groups, schemes, about="versions")


def _controls(known: Knowledge, ask: Asker) -> Iterator[Question]:
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
        own = _strong_first(known.accepted(version, SUITE))[:1]
        groups, schemes = _full_groups(ask, version), _schemes(ask, version)
        if any(SUITE_BY_NAME[name].finite for name in own):
            groups = _elliptic(groups)
        if ask.shape is LADDER[0]:
            found = {frozenset(name for some in found for name in some)}
        for names in found:
            suites = [*_weak_first([name for name in names if name not in own]), *own]
            if version is Version.TLS_1_3:
                yield ask.modern(suites, groups, schemes, shares=_shareable(known), about="control")
            else:
                yield ask.classic(version, suites, groups, schemes, about="control")


def _suspects(known: Knowledge, ask: Asker) -> Iterator[Question]:
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


def _versions(known: Knowledge, ask: Asker) -> Iterator[Question]:
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
    suites, groups = _weak_first(candidates(version, SUITE)), _weak_groups(version)
    plain = [g for g in groups if not _hybrid(g)]
    for some, of in ((suites, groups), (suites[::-1], plain)):
        yield ask.modern(some, of, _schemes(ask, version), shares=REAL_SHARES, about="versions")


def _enough_ssl2(known: Knowledge) -> bool:
    own = (e for e in known.exchanges if e.is_ssl2)
    return sum(known.weight(e, claimed=True) for e in own) >= known.needed


def _whole(known: Knowledge, ask: Asker, version: Version) -> Iterator[Question]:
    """All suites of *version*, in as few hellos as the shape allows, and a short ordinary hello.

    Some filters stop long hellos of old versions, so only the two together refuse a version.
    """
    schemes, groups = _schemes(ask, version), _full_groups(ask, version)
    most = 400 if ask.shape.most_suites > 200 else ask.shape.most_suites
    for finite, offered in ((False, _elliptic(groups)), (True, groups)):
        names = _weak_first(known.left_whole(version, finite=finite))
        for chunk in _chunks(names, 1, most) if names else ():
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
        _schemes(plain, version),
        tickets=False,
        about="versions",
    )


# -- SSL 3.0 to TLS 1.2 ---------------------------------------------------------------------------


def _classic(known: Knowledge, ask: Asker, version: Version) -> Iterator[Question]:
    answers = [e for e in known.answered if e.version is version and e.most is version]
    full_groups, full_schemes = _full_groups(ask, version), _schemes(ask, version)
    turn = len(answers)
    if turn < 2:
        question = ask.classic(
            version,
            _turned(_open(known, version, SUITE, _weak_first), turn)[: ask.shape.most_suites],
            _turned(_open(known, version, GROUP, _weak_group_order), turn) or full_groups,
            _open(known, version, SCHEME) or full_schemes,
            tickets=turn % 2 == 0,
        )
        if _unasked(known, question):
            yield question
            return
    for chunk, groups in _suite_chunks(known, ask, version):
        yield ask.classic(
            version, chunk, _turned(groups, turn), full_schemes, tickets=turn % 2 == 0
        )
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
    claims, groups = known.claims(version, SUITE), _full_groups(ask, version)
    left = [n for n in known.pending(version, SUITE) if claims[n] < known.needed]
    if not left:
        return
    fewest = min(claims[n] for n in left)
    names = _weak_first([n for n in left if claims[n] == fewest])
    accepted = len(known.accepted(version, SUITE))
    lanes = 1 if accepted < 4 else 2 if accepted < 8 else 4 if accepted < 16 else 6
    if fewest % 2 == 0 and not known.breaks_off(version):
        most = ask.shape.most_suites
        if ask.shape is LADDER[0]:
            most = max(most, known.depth(version))
        yield from ((chunk, groups) for chunk in _chunks(names, lanes, most))
        return
    names.reverse()
    along = known.claims(version, SUITE, finite=True)
    others = [n for n in names if not SUITE_BY_NAME[n].finite]
    finite = [n for n in names if SUITE_BY_NAME[n].finite]
    bare, full = [n for n in finite if along[n]], [n for n in finite if not along[n]]
    for part, offered in ((others, groups), (bare, _elliptic(groups)), (full, groups)):
        yield from ((chunk, offered) for chunk in _chunks(part, 1, ask.shape.most_suites) if chunk)


def _classic_groups(
    known: Knowledge, ask: Asker, version: Version, turn: int
) -> Iterator[Question]:
    full_groups, full_schemes = _full_groups(ask, version), _schemes(ask, version)
    accepted = [SUITE_BY_NAME[n] for n in known.accepted(version, SUITE)]
    elliptic = [s.name for s in accepted if s.elliptic]
    free = [s.name for s in accepted if s.elliptic and s.authentication != "ECDSA"]
    signed = [s.name for s in accepted if s.signed]
    groups = [g for g in _left(known, version, GROUP) if GROUP_BY_NAME[g].kind == "ec"]
    schemes = _left(known, version, SCHEME) if signed else []
    suites = _turned(_weak_first(free or elliptic), turn)
    likely = [s for s in schemes if _likely(s, signed)]
    if set(groups) & COMMON_GROUPS and likely and suites:
        # Two lanes: groups with one part of the schemes, the other part with all groups.
        aside = likely[::2] if len(likely) >= 4 else []
        rest = [s for s in schemes if s not in aside]
        lanes = [(_turned(groups, turn), rest)] + [(full_groups, aside)] * bool(aside)
        questions = [
            ask.classic(version, suites, *lane, about=GROUP, tickets=turn % 2 == 0)
            for lane in lanes
        ]
        if any(_unasked(known, question) for question in questions):
            yield from questions
            return
    if groups and suites:
        offered = _turned(groups, turn)
        if not free and (curve := certificate_curve(known)):
            # What the certificate's own curve is preferred to, and what is taken without it.
            offered = [g for g in offered if g != curve]
            if offered:
                yield ask.classic(version, suites, offered, full_schemes, about=GROUP)
            offered = [*offered, curve]
        yield ask.classic(version, suites, offered, full_schemes, about=GROUP)
    if schemes:
        good = full_groups[::-1]  # which shows whose order of groups decides
        if alone := finite_alone(signed):
            # The groups with which these were taken before.
            taken = (e for e in known.answered if e.version is version and e.suite in alone)
            good = max((list(e.groups) for e in taken), key=len, default=[]) or good
        yield ask.classic(version, _turned(_weak_first(signed), turn), good, schemes, about=SCHEME)
    if version is Version.TLS_1_2:
        yield from _finite_groups(known, ask, [s.name for s in accepted if s.finite])


def _likely(scheme: str, signed: Sequence[str]) -> bool:
    """Whether ordinary servers with certificates for the suites *signed* sign so in TLS 1.2."""
    kinds = {SUITE_BY_NAME[name].authentication for name in signed}
    return any(scheme in _ORDINARY.get(kind, ()) for kind in kinds)


def _finite_groups(known: Knowledge, ask: Asker, suites: list[str]) -> Iterator[Question]:
    """Whether DHE heeds the groups of RFC 7919, and if so, which it takes."""
    version = Version.TLS_1_2
    if not suites:
        return
    schemes = _schemes(ask, version)
    if not known.finite_free:
        yield ask.classic(version, suites, _elliptic(_full_groups(ask, version)), schemes)
    if not known.finite_asked:
        yield ask.classic(version, suites, (), _schemes(ask, version), about=GROUP)
    else:
        left = [g for g in _left(known, version, GROUP) if GROUP_BY_NAME[g].kind == "ff"]
        if left:
            yield ask.classic(version, suites, left, _schemes(ask, version), about=GROUP)


# -- TLS 1.3 --------------------------------------------------------------------------------------


def _modern(known: Knowledge, ask: Asker) -> Iterator[Question]:
    version = Version.TLS_1_3
    answers = [e for e in known.answered if e.version is version and e.most is version]
    turn = len(answers)
    full_groups, full_schemes = _full_groups(ask, version), _schemes(ask, version)
    if turn < 1:
        question = ask.modern(
            _turned(_open(known, version, SUITE, _weak_first), turn),
            [g for g in full_groups if g not in known.accepted(version, GROUP)] or full_groups,
            full_schemes,
        )
        if _unasked(known, question):
            yield question
            return
    claims = known.claims(version, SUITE)
    left = [n for n in known.pending(version, SUITE) if claims[n] < known.needed]
    if left:
        yield ask.modern(_turned(_weak_first(left), turn), _turned(full_groups, turn), full_schemes)
    yield from _modern_groups(known, ask, turn)


def _modern_groups(known: Knowledge, ask: Asker, turn: int) -> Iterator[Question]:
    version = Version.TLS_1_3
    suites = _turned(_weak_first(known.accepted(version, SUITE)), turn)
    groups = [g for g in _left(known, version, GROUP) if ask.hybrids or not _hybrid(g)]
    plausible = [g for g in groups if g in _PLAUSIBLE]
    untried = _untried_schemes(known)
    found = len(known.accepted(version, GROUP))
    if groups:
        lanes = 1 if found < 2 or len(plausible) < 3 else 3 if len(plausible) >= 6 else 2
        for i in range(lanes):
            chunk = _turned(groups[i::lanes], turn)
            riding = untried[i : i + 1] if set(chunk) & _PLAUSIBLE else []
            schemes = riding or _schemes(ask, version)
            yield ask.modern(suites, chunk, schemes, retry=bool(riding), about=GROUP)
    if not plausible:
        yield from _modern_schemes(known, ask, suites, untried)


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

    def question(schemes: Sequence[str]) -> Question:
        return ask.modern(suites, [group], schemes, shares=[group], about=SCHEME)

    left = _left(known, version, SCHEME)
    if untried:
        yield from (question([scheme]) for scheme in untried)
        return
    if not left:
        return
    unexplained = _unexplained(known, left)
    if not unexplained:
        yield question(left)
        return
    bogus = question(())
    if _unasked(known, bogus):
        yield bogus
    elif not any(e.key == _key(bogus) for e in known.answered):
        half = len(unexplained) // 2
        yield from (question(part) for part in (unexplained[:half], unexplained[half:]) if part)


def _unexplained(known: Knowledge, left: Sequence[str]) -> list[str]:
    """The smallest list of schemes that got a ServerHello without any that is known as accepted."""
    accepted = set(known.accepted(Version.TLS_1_3, SCHEME))
    lists = [
        [name for name in left if name in e.schemes]
        for e in known.answered
        if e.version is Version.TLS_1_3
        and e.flight.hello
        and len(e.groups) == 1
        and e.schemes
        and not accepted & set(e.schemes)
    ]
    return min((some for some in lists if some), key=len, default=[])


def _untried_schemes(known: Knowledge) -> list[str]:
    """Schemes that fit the certificates seen and were not yet offered by themselves in TLS 1.3."""
    kinds = {e.key_kind for e in known.answered if e.key_kind}
    if any("rsa" in name for name in known.accepted(Version.TLS_1_3, SCHEME)):
        kinds.add("RSA")
    tried = {e.schemes[0] for e in known.own if e.most is Version.TLS_1_3 and len(e.schemes) == 1}
    return [
        s for kind in sorted(kinds or {""}) for s in _SCHEMES_OF.get(kind, ()) if s not in tried
    ]


# -- the rest -------------------------------------------------------------------------------------


def _meanwhile(known: Knowledge, ask: Asker) -> Iterator[Question]:
    """What hangs on nothing else: SSL 2.0, and the fallback SCSV, asked once."""
    if not known.exchanges:
        return
    if known.version(Version.SSL_2_0) is State.UNKNOWN and not _enough_ssl2(known):
        yield ask.ssl2()
    accepted = [v for v in Version if known.version(v) is State.ACCEPTED]
    below = [v for v in CLASSIC if v in accepted and v.rank < accepted[-1].rank]
    if below and len(known.answered) >= 3 and not any(e.fallback for e in known.own):
        suites = _strong_first(known.accepted(below[0], SUITE))
        groups, schemes = _full_groups(ask, below[0]), _schemes(ask, below[0])
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
            yield from _order(known, ask, version)
    classic = [v for v in CLASSIC if v in accepted]
    if classic and not any(e.early_ccs for e in known.exchanges):
        suites = _strong_first(known.accepted(classic[0], SUITE))
        groups, schemes = _full_groups(ask, classic[0]), _schemes(ask, classic[0])
        yield ask.classic(
            classic[0], suites, groups, schemes, named=False, early_ccs=True, about="certificate"
        )


def _order(known: Knowledge, ask: Asker, version: Version) -> Iterator[Question]:
    """The accepted ones forwards and backwards, or with ChaCha20 first."""
    suites = _weak_first(known.accepted(version, SUITE))
    groups = _weak_group_order(known.accepted(version, GROUP))
    full_groups, schemes = _full_groups(ask, version), _schemes(ask, version)
    lists = []
    if not conclusive(known, version, SUITE):
        lists = [(suites, full_groups), (suites[::-1], full_groups)]
    elif not conclusive(known, version, GROUP):
        lists = [(suites, groups), (suites, groups[::-1])]
    elif pairs := uncompared(known, version):
        lists = [(list(pair), full_groups) for pair in pairs]
    elif chacha(known, version) is State.UNKNOWN and len(suites) > 1:
        first = [s for s in suites if "CHACHA20" in s]
        lists = [(first + [s for s in suites if s not in first], full_groups)]
    for some, of in lists:
        if version is Version.TLS_1_3:
            question = ask.modern(some, of, schemes, about="order")
        else:
            question = ask.classic(version, some, of, schemes, about="order")
        if not any(_same_lists(e, _imagined(question)) for e in known.own):
            yield question


def _same_lists(e: Exchange, other: Exchange) -> bool:
    return e.key == other.key and e.suites == other.suites and e.groups == other.groups


# -- small things ---------------------------------------------------------------------------------


def _unasked(known: Knowledge, question: Question) -> bool:
    key = _key(question)
    return not any(e.key == key for e in known.exchanges)


def _open(
    known: Knowledge,
    version: Version,
    dimension: str,
    order: Callable[[Sequence[str]], list[str]] = list,
) -> list[str]:
    """All that was not accepted yet."""
    accepted = set(known.accepted(version, dimension))
    return order([n for n in candidates(version, dimension) if n not in accepted])


def _left(known: Knowledge, version: Version, dimension: str) -> list[str]:
    """What must still be asked: pending, and not yet refused as often as needed."""
    claims = known.claims(version, dimension)
    needed = known.needs(version, dimension)
    return [n for n in known.pending(version, dimension) if claims[n] < needed]


def _chunks(names: Sequence[str], lanes: int, most: int) -> Iterator[list[str]]:
    """*names* in at least *lanes* parts, none longer than *most*.

    Lanes are interleaved, to be alike. Parts that a small shape enforces keep like with like, so
    that what a filter dislikes spoils one part and not all.
    """
    if len(names) <= most * max(lanes, 2):
        parts = max(min(lanes, len(names)), ceil(len(names) / most))
        yield from (list(names[i::parts]) for i in range(parts))
    else:
        yield from (list(names[i : i + most]) for i in range(0, len(names), most))


def _turned(names: Sequence[str], turn: int) -> list[str]:
    """The list in its own order on even turns, the other way round on odd ones."""
    return list(names) if turn % 2 == 0 else list(reversed(names))


def _strength(suite: Suite) -> tuple[bool, bool, int, int]:
    return suite.forward_secret, suite.aead, suite.bits, suite.code


def _weak_first(names: Sequence[str]) -> list[str]:
    return sorted(names, key=lambda name: _strength(SUITE_BY_NAME[name]))


def _strong_first(names: Sequence[str]) -> list[str]:
    return _weak_first(names)[::-1]


def _weak_group_order(names: Sequence[str]) -> list[str]:
    return sorted(names, key=lambda n: (n in COMMON_GROUPS, GROUP_BY_NAME[n].code))


def _weak_groups(version: Version) -> list[str]:
    return _weak_group_order(candidates(version, GROUP))


def _full_groups(ask: Asker, version: Version) -> list[str]:
    names = [n for n in _weak_groups(version) if ask.hybrids or not _hybrid(n)]
    return [n for n in names if n in _PLAUSIBLE] if ask.shape.plain else names


def _hybrid(group: str) -> bool:
    return GROUP_BY_NAME[group].kind in ("hybrid", "kem")


def _elliptic(groups: Sequence[str]) -> list[str]:
    return [name for name in groups if GROUP_BY_NAME[name].kind != "ff"]


def _schemes(ask: Asker, version: Version) -> list[str]:
    names = candidates(version, SCHEME)
    return [n for n in names if n in COMMON_SCHEMES] if ask.shape.plain else list(names)


def certificate_curve(known: Knowledge) -> str:
    """The curve of the ECDSA certificate, empty where none was seen."""
    kinds = (e.key_kind for e in known.answered)
    return next((kind for kind in kinds if kind in GROUP_BY_NAME), "")
