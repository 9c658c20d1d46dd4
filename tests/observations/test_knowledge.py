"""The rules of evidence, on tables of hand-made exchanges and on simulated looks."""

from __future__ import annotations

import random
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest

from tests.simulator import START, Choice, Simulated, plain_hello
from tlscheck.model import State
from tlscheck.observations.exchange import End, Exchange
from tlscheck.observations.knowledge import (
    GROUP,
    SCHEME,
    SUITE,
    Knowledge,
    authentication_of,
    candidates,
)
from tlscheck.observations.refusals import CALM, SOFT_NEEDED
from tlscheck.probes.asker import Asker, Question
from tlscheck.wire.hello import Content, record
from tlscheck.wire.primes import FFDHE_PRIMES
from tlscheck.wire.registry import SUITE_BY_NAME, Version

NOISE = random.Random(1).randbytes
ASK = Asker("a.example", NOISE)
T12, T13 = Version.TLS_1_2, Version.TLS_1_3
GCM, CBC = "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256", "TLS_RSA_WITH_AES_128_CBC_SHA"
ECDSA = "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256"
DHE = "TLS_DHE_RSA_WITH_AES_128_GCM_SHA256"
RC4 = "TLS_RSA_WITH_RC4_128_MD5"
AES = "TLS_AES_128_GCM_SHA256"
SCHEME_NAME = "rsa_pss_rsae_sha256"


def alert(what: int) -> bytes:
    return record(Content.ALERT, bytes((2, what)))


NO = (alert(40), End.ENOUGH)
NO_VERSION = (alert(70), End.ENOUGH)
RST, FIN, MUTE = (b"", End.RESET), (b"", End.CLOSED), (b"", End.TIMEOUT)
UNREACHED = (b"", End.UNCONNECTED)
Reply = tuple[bytes, End]


def yes(
    version: Version,
    suite: str,
    group: str = "",
    scheme: str = "",
    prime: int = 0,
    certificates: tuple[str, ...] = ("RSA",),
    leaf: bytes = b"leaf",
) -> Reply:
    chosen = SUITE_BY_NAME[suite]
    scheme = scheme or (SCHEME_NAME if chosen.authentication == "RSA" else "ecdsa_sha1")
    if version is T13 or chosen.elliptic:
        group = group or "x25519"
    choice = Choice(version, chosen, group, prime, scheme, retry=version is T13)
    server = Simulated(versions=frozenset(), suites=(), certificates=certificates, leaf=leaf)
    return server.answer(plain_hello(version, [suite]), choice, NOISE), End.ENOUGH


def classic(
    suites: Sequence[str] = (),
    groups: Sequence[str] = (),
    schemes: Sequence[str] = (),
    version: Version = T12,
    **options: Any,
) -> Question:
    return ASK.classic(
        version,
        suites or candidates(version, SUITE),
        groups or candidates(version, GROUP),
        schemes or candidates(version, SCHEME),
        **options,
    )


CANARY = classic()
GOOD = (CANARY, yes(T12, GCM))
BAD = (CANARY, RST)
WEAK = classic([RC4])
"""A question with one suite, everything else in full."""


def known(
    *events: tuple[Question, Reply], gaps: Sequence[float] = (), took: float = 0.05
) -> Knowledge:
    """Exchanges one after another, each so many seconds after the end of the one before it."""
    exchanges, at = [], START
    for i, (question, (received, end)) in enumerate(events):
        at += timedelta(seconds=gaps[i] if i < len(gaps) else 0.01)
        exchanges.append(Exchange(at, took, question.hello.records(), received, end))
        at += timedelta(seconds=took)
    return Knowledge(exchanges)


def refused(*events: tuple[Question, Reply], gaps: Sequence[float] = ()) -> bool:
    return RC4 in known(*events, gaps=gaps).refused(T12, SUITE)


# -- Refusals and canaries ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("events", "is_refused"),
    [
        ([GOOD, (WEAK, NO), (WEAK, NO), GOOD], True),
        ([GOOD, (WEAK, NO), GOOD, (WEAK, NO), GOOD], True),
        ([GOOD, (WEAK, NO), GOOD], False),
        ([GOOD, (WEAK, NO), (WEAK, NO)], False),
        ([(WEAK, NO), (WEAK, NO), GOOD], False),
        ([BAD, (WEAK, NO), (WEAK, NO), GOOD], False),
        ([GOOD, BAD, (WEAK, NO), (WEAK, NO), GOOD], False),
        ([GOOD, (WEAK, NO), (WEAK, NO), BAD, GOOD], False),
        ([GOOD, (WEAK, NO), (WEAK, NO), (classic([GCM]), UNREACHED), GOOD], False),
        ([GOOD, (classic([GCM]), UNREACHED), (WEAK, NO), (WEAK, NO), GOOD], False),
        ([GOOD, (WEAK, NO), BAD, GOOD, (WEAK, NO), GOOD], False),
        ([GOOD, (WEAK, MUTE), (WEAK, MUTE), (WEAK, MUTE), (WEAK, MUTE), GOOD], False),
        ([GOOD, (WEAK, UNREACHED), (WEAK, UNREACHED), GOOD], False),
        ([GOOD, (WEAK, (b"HTTP/1.1", End.CLOSED)), (WEAK, (b"HTTP", End.CLOSED)), GOOD], False),
        ([GOOD, (WEAK, NO), (WEAK, NO), GOOD, (WEAK, yes(T12, RC4)), GOOD], False),
    ],
)  # fmt: skip
def test_a_refusal_counts_only_between_good_canaries(
    events: list[tuple[Question, Reply]], is_refused: bool
) -> None:
    assert refused(*events) is is_refused


@pytest.mark.parametrize("what", [10, 40, 47, 70, 71, 109])
def test_alerts_that_refuse_count_once_each(what: int) -> None:
    no = (alert(what), End.ENOUGH)
    assert refused(GOOD, (WEAK, no), (WEAK, no), GOOD)


NO_VERSION = (alert(70), End.ENOUGH)
"""protocol_version."""
SOFT = [RST, FIN, (alert(80), End.ENOUGH), (alert(112), End.ENOUGH), (alert(0), End.CLOSED)]


ROOM, CLOSE = 1.0, 0.1
MANY = [GOOD] * CALM


def softly(
    soft: Reply,
    times: int = SOFT_NEEDED,
    *,
    room: float = ROOM,
    close: float = CLOSE,
    before: Sequence[tuple[Question, Reply]] = MANY,
    between: Sequence[tuple[Question, Reply]] = (GOOD,),
) -> bool:
    """Whether RC4 is refused by *soft*, met so many times with *room*, a canary behind each."""
    events, gaps = list(before), [CLOSE] * len(before)
    for _ in range(times):
        events += [(WEAK, soft), *between]
        gaps += [room, close, *[CLOSE] * (len(between) - 1)]
    return refused(*events, gaps=gaps)


@pytest.mark.parametrize("soft", SOFT)
def test_soft_refusals_count_when_met_often_with_room_in_a_calm_network(soft: Reply) -> None:
    assert softly(soft)
    assert softly(soft, before=[GOOD], between=[GOOD] * CALM)
    assert not softly(soft, SOFT_NEEDED - 1)
    assert not softly(soft, room=CLOSE)
    assert not softly(soft, room=ROOM, close=0.6)
    assert not softly(soft, between=[])
    # Once a false refusal. A network that ended good ones and bad ones alike at random.
    assert not softly(soft, before=[GOOD])
    assert not softly(soft, before=[*MANY, BAD, GOOD])
    assert not softly(soft, before=[*[GOOD] * (CALM - 4), BAD, *[GOOD] * (CALM - 4)])
    assert softly(soft, before=[GOOD, BAD, *MANY])


@pytest.mark.parametrize("end", [End.RESET, End.CLOSED])
def test_an_answer_that_breaks_off_is_no_soft_refusal(end: End) -> None:
    # Once a false refusal. The server had begun to answer the very suite.
    half = (yes(T12, RC4)[0][:60], end)
    assert not softly(half)


def test_soft_refusals_of_different_questions_count_for_nothing() -> None:
    other = classic([RC4, "TLS_RSA_WITH_RC4_128_SHA"])
    assert not softly(RST, SOFT_NEEDED - 1, between=[GOOD, (other, RST), GOOD])


def test_a_refusal_that_overlaps_a_failing_canary_counts_for_nothing() -> None:
    k = known(GOOD, (WEAK, NO), (WEAK, NO), GOOD)
    failing = Exchange(
        k.exchanges[1].at, 0.2, CANARY.hello.records(), b"", End.RESET
    )  # over both refusals
    assert RC4 not in Knowledge([*k.exchanges, failing]).refused(T12, SUITE)


def test_nothing_is_refused_of_what_was_not_offered() -> None:
    k = known(GOOD, (WEAK, NO), (WEAK, NO), GOOD)
    assert k.refused(T12, SUITE) == (RC4,)
    assert k.refused(Version.TLS_1_1, SUITE) == ()
    assert k.refused(T12, GROUP) == ()
    assert k.refused(T12, SCHEME) == ()


def test_health() -> None:
    assert not known().healthy
    assert not known((WEAK, NO)).healthy
    assert known(GOOD).healthy
    assert known(GOOD, (WEAK, NO)).healthy
    assert not known(GOOD, BAD).healthy
    assert not known(GOOD, (WEAK, UNREACHED)).healthy
    assert known(GOOD, BAD, GOOD).healthy
    assert not known(GOOD, (CANARY, MUTE)).healthy


def test_the_canary_is_a_hello_that_was_answered() -> None:
    canary = known(GOOD, (WEAK, NO)).canary
    assert canary
    assert canary.suites == candidates(T12, SUITE)
    assert known((WEAK, NO)).canary is None


def test_refusals_without_a_hello_that_offered_it_all_and_was_answered_count_for_nothing() -> None:
    narrow = (classic([GCM, CBC]), yes(T12, GCM))
    assert not refused(narrow, (WEAK, NO), (WEAK, NO), narrow)
    wide = (classic([GCM, CBC, RC4]), yes(T12, GCM))
    assert refused(narrow, wide, (WEAK, NO), (WEAK, NO), narrow)


# -- Fullness of the dimensions -------------------------------------------------------------------


def test_suites_of_an_old_version_need_a_control_of_that_version_as_long() -> None:
    # Once a false refusal. A filter of long hellos of old versions answers them with an alert.
    old = Version.TLS_1_1
    brief = classic([CBC, RC4], version=old)
    rest = [n for n in candidates(old, SUITE) if n != CBC]
    no = (classic(rest, version=old), NO)
    events = [GOOD, (brief, yes(old, CBC)), no, no, GOOD]
    assert not known(*events).refused(old, SUITE)
    answered = (classic(candidates(old, SUITE), version=old), yes(old, CBC))
    assert set(known(*events, answered).refused(old, SUITE)) == set(rest)


def test_suites_without_all_groups_are_not_refused() -> None:
    narrow = classic([ECDSA], groups=["x25519"])
    assert ECDSA not in known(GOOD, (narrow, NO), (narrow, NO), GOOD).refused(T12, SUITE)
    full = classic([ECDSA])
    assert ECDSA in known(GOOD, (full, NO), (full, NO), GOOD).refused(T12, SUITE)


def test_suites_without_the_common_schemes_are_not_refused() -> None:
    narrow = classic([ECDSA], schemes=["rsa_pkcs1_sha256"])
    assert ECDSA not in known(GOOD, (narrow, NO), (narrow, NO), GOOD).refused(T12, SUITE)


def test_suites_without_a_group_that_is_accepted_are_not_refused() -> None:
    common = ["x25519", "secp256r1", "secp384r1", "secp521r1", "x448"]
    question = classic([ECDSA], groups=common)
    first = (CANARY, yes(T12, GCM, "brainpoolP256r1"))
    assert ECDSA not in known(first, (question, NO), (question, NO), first).refused(T12, SUITE)
    assert ECDSA in known(GOOD, (question, NO), (question, NO), GOOD).refused(T12, SUITE)


def test_groups_asked_with_a_suite_that_needs_none_are_not_refused() -> None:
    both = classic([GCM, CBC], groups=["x448"])
    assert "x448" not in known(GOOD, (both, NO), (both, NO), GOOD).refused(T12, GROUP)


def test_groups_asked_with_an_ecdsa_suite_alone_are_not_refused() -> None:
    first = (CANARY, yes(T12, ECDSA, certificates=("secp256r1",)))
    only = classic([ECDSA], groups=["x448"])
    assert "x448" not in known(first, (only, NO), (only, NO), first).refused(T12, GROUP)


def test_schemes_asked_without_every_signed_suite_are_not_refused() -> None:
    ecdsa = (CANARY, yes(T12, ECDSA, certificates=("secp256r1",)))
    question = classic([GCM], schemes=["ecdsa_sha1", "rsa_pkcs1_md5"])
    k = known(GOOD, ecdsa, (question, NO), (question, NO), GOOD)
    assert "rsa_pkcs1_md5" not in k.refused(T12, SCHEME)


def test_schemes_are_not_refused_while_suites_that_could_use_them_are_open() -> None:
    # Once a false refusal. Only an RSA suite is known so far and the look ends here (budget, ban);
    # the ECDSA suites are still pending, and so is every scheme that only they would use.
    question = classic([GCM], schemes=["ecdsa_secp256r1_sha256", "rsa_pkcs1_md5"])
    k = known(GOOD, (question, NO), (question, NO), GOOD)
    assert ECDSA in k.pending(T12, SUITE)
    assert k.refused(T12, SCHEME) == ()


def test_a_name_is_refused_or_pending_or_accepted_never_two_of_them() -> None:
    k = known(GOOD, (WEAK, NO), (WEAK, NO), GOOD)
    for version in (T12, Version.TLS_1_1, T13):
        for dimension in (SUITE, GROUP, SCHEME):
            sets = [
                set(k.accepted(version, dimension)),
                set(k.refused(version, dimension)),
                set(k.pending(version, dimension)),
            ]
            assert sum(map(len, sets)) == len(set().union(*sets))
            assert set(candidates(version, dimension)) >= sets[1] | sets[2]


def test_finite_groups_that_are_refused_refuse_no_suite() -> None:
    first = (classic([DHE], groups=["ffdhe2048"]), dhe())
    asked = classic([DHE], groups=["ffdhe8192"])
    k = known(GOOD, first, (control(), NO), (asked, NO), (asked, NO), GOOD)
    assert not k.contradictions


def test_finite_groups_are_not_refused_because_an_unknown_one_is_ignored() -> None:
    # Once a false refusal. JSSE takes its own prime where it knows no group of those offered, but
    # takes ffdhe4096 where that is offered.
    k = known(GOOD, (classic([DHE], groups=["ffdhe2048"]), dhe()), (control(), dhe()), GOOD)
    assert "ffdhe4096" not in k.refused(T12, GROUP)


# -- ECDSA alone ----------------------------------------------------------------------------------


def only_ecdsa(group: str, groups: Sequence[str], suites: Sequence[str] = (ECDSA,)) -> tuple[
    Question, Reply
]:  # fmt: skip
    reply = yes(T12, ECDSA, group, certificates=("secp256r1",))
    return classic(list(suites), groups=groups), reply


def test_with_ecdsa_alone_the_certificates_curve_tells_what_was_passed_over() -> None:
    passed = only_ecdsa("secp256r1", ["secp384r1", "secp256r1"])
    without = (classic([ECDSA], groups=["secp384r1"]), NO)
    others = [s for s in candidates(T12, SUITE) if s != ECDSA]
    rsa = (classic(others), NO)
    first = (classic(), yes(T12, ECDSA, certificates=("secp256r1",)))
    bare = [g for g in candidates(T12, GROUP) if not g.startswith("ffdhe")]
    settled = [first, passed, rsa, (classic(others, groups=bare), NO), without]
    assert "secp384r1" in known(*settled, passed).refused(T12, GROUP)
    # Some servers do not mind the curve, and one that has an RSA certificate needs none.
    assert "secp384r1" not in known(passed, rsa, rsa, passed).refused(T12, GROUP)
    assert "secp384r1" not in known(passed, without, passed).refused(T12, GROUP)
    front = only_ecdsa("secp256r1", ["secp256r1", "secp384r1"])
    assert "secp384r1" not in known(front, rsa, rsa, without, front).refused(T12, GROUP)


def test_passed_over_says_nothing_once_another_certificate_is_there() -> None:
    # Once a false refusal. The server has an order of groups of its own (P-256 first) and a second,
    # RSA certificate: with ECDHE_RSA and P-384 alone it would take P-384.
    passed = only_ecdsa("secp256r1", ["secp384r1", "secp256r1"])
    k = known(passed, passed, GOOD)
    assert "secp384r1" not in k.refused(T12, GROUP)


# -- Versions -------------------------------------------------------------------------------------


def test_a_version_that_is_answered_is_accepted_for_good() -> None:
    lone = classic(version=Version.TLS_1_0)
    k = known(GOOD, (lone, yes(Version.TLS_1_0, CBC)), *[(lone, NO)] * 9, GOOD)
    assert k.version(Version.TLS_1_0) is State.ACCEPTED


def short(version: Version) -> Question:
    """A hello as short as an ordinary client's, without DHE."""
    suites = [n for n in candidates(version, SUITE) if not SUITE_BY_NAME[n].finite]
    return classic(suites[:20], version=version)


def test_a_version_is_refused_whole_and_each_below_it_for_its_number() -> None:
    whole = (classic(version=Version.TLS_1_1), NO)
    ordinary = (short(Version.TLS_1_1), NO)
    k = known(GOOD, whole, ordinary, GOOD)
    assert k.version(Version.TLS_1_1) is State.REFUSED
    for version in (Version.TLS_1_0, Version.SSL_3_0):  # GnuTLS may take these, see test_engine
        assert k.version(version) is State.UNKNOWN
        assert known(GOOD, whole, ordinary, (short(version), NO_VERSION), GOOD).version(
            version
        ) is (State.REFUSED)
    own = (short(Version.TLS_1_0), NO)  # for its suites perhaps
    assert known(GOOD, whole, ordinary, own, GOOD).version(Version.TLS_1_0) is State.UNKNOWN
    assert k.version(Version.SSL_2_0) is State.UNKNOWN
    assert k.version(T13) is State.UNKNOWN
    for events in ([whole], [ordinary, ordinary], [whole, whole]):
        assert known(GOOD, *events, GOOD).version(Version.TLS_1_1) is State.UNKNOWN
    assert known(GOOD, whole, ordinary).version(Version.TLS_1_1) is State.UNKNOWN


def test_a_part_of_the_suites_refuses_no_version() -> None:
    part = classic(candidates(Version.TLS_1_1, SUITE)[:-1], version=Version.TLS_1_1)
    k = known(GOOD, *[(part, NO)] * 4, GOOD)
    assert k.version(Version.TLS_1_1) is State.UNKNOWN


def test_a_version_that_is_passed_over_twice_is_refused() -> None:
    lower = (classic(), yes(Version.TLS_1_0, CBC))
    k = known(lower, lower)
    assert k.version(T12) is State.REFUSED
    assert k.version(Version.TLS_1_1) is State.REFUSED
    assert k.version(Version.TLS_1_0) is State.ACCEPTED
    assert k.version(Version.SSL_3_0) is State.UNKNOWN
    assert k.version(T13) is State.UNKNOWN
    assert known(lower).version(T12) is State.UNKNOWN


def test_a_few_suites_pass_over_no_version() -> None:
    few = (classic([CBC, RC4]), yes(Version.TLS_1_0, CBC))
    assert known(few, few).version(T12) is State.UNKNOWN


def test_a_browser_that_gets_tls_1_2_was_refused_tls_1_3() -> None:
    browser = (ASK.browser(), yes(T12, GCM))
    assert known(browser, browser).version(T13) is State.REFUSED
    assert known(browser).version(T13) is State.UNKNOWN


def test_ssl_3_0_is_seen_of_an_endpoint_that_has_a_name() -> None:
    # Its hello has no extensions and so no name.
    suites = candidates(Version.SSL_3_0, SUITE)
    asked = ASK.classic(Version.SSL_3_0, suites, (), ())
    named = ASK.classic(T12, [GCM], ["x25519"], [SCHEME_NAME])
    k = known((named, yes(T12, GCM)), (asked, yes(Version.SSL_3_0, CBC)))
    assert k.version(Version.SSL_3_0) is State.ACCEPTED
    few = [n for n in suites if not SUITE_BY_NAME[n].finite][:20]
    ordinary = ASK.classic(Version.SSL_3_0, few, (), ())
    no = known(GOOD, (asked, NO_VERSION), (ordinary, NO_VERSION), GOOD)
    assert no.version(Version.SSL_3_0) is State.REFUSED


def test_answers_without_the_name_say_nothing_of_the_endpoint() -> None:
    bare = classic([RC4], named=False)
    k = known(GOOD, (bare, yes(T12, RC4)), GOOD)
    assert RC4 not in k.accepted(T12, SUITE)


# -- SSL 2.0 --------------------------------------------------------------------------------------

OLD = ASK.ssl2()


@pytest.mark.parametrize("reply", [NO, RST, FIN, MUTE, (b"HTTP/1.1 400", End.CLOSED)])
def test_ssl2_is_refused_by_anything_but_an_answer_twice(reply: Reply) -> None:
    assert known(GOOD, (OLD, reply), (OLD, reply), GOOD).version(Version.SSL_2_0) is State.REFUSED
    assert known(GOOD, (OLD, reply), GOOD).version(Version.SSL_2_0) is State.UNKNOWN
    assert known(GOOD, (OLD, reply), (OLD, reply)).version(Version.SSL_2_0) is State.UNKNOWN
    assert known((OLD, reply), (OLD, reply), GOOD).version(Version.SSL_2_0) is State.UNKNOWN
    k = known(GOOD, (OLD, reply), (OLD, reply), BAD, GOOD)
    assert k.version(Version.SSL_2_0) is State.UNKNOWN


@pytest.mark.parametrize("reply", [RST, FIN, MUTE])
def test_ssl2_needs_more_where_anything_else_met_trouble(reply: Reply) -> None:
    trouble = (WEAK, RST)
    k = known(GOOD, trouble, GOOD, (OLD, reply), (OLD, reply), GOOD)
    assert k.version(Version.SSL_2_0) is State.UNKNOWN
    events = [*MANY, trouble, GOOD, *[(OLD, reply), GOOD] * SOFT_NEEDED]
    gaps = [CLOSE] * len(MANY) + [ROOM, CLOSE] * (SOFT_NEEDED + 1)
    assert known(*events, gaps=gaps).version(Version.SSL_2_0) is State.REFUSED


def test_ssl2_is_not_refused_where_no_connection_comes_about() -> None:
    events = [GOOD, (OLD, UNREACHED), (OLD, UNREACHED), GOOD]
    assert known(*events).version(Version.SSL_2_0) is State.UNKNOWN


# -- Finite fields (RFC 7919) ---------------------------------------------------------------------


def control(suite: str = DHE) -> Question:
    return ASK.classic(T12, [suite], (), candidates(T12, SCHEME))


def dhe(name: str = "ffdhe2048") -> Reply:
    return yes(T12, DHE, prime=FFDHE_PRIMES[name])


def test_finite_groups_are_read_off_the_prime_only_where_the_server_heeds_them() -> None:
    asked = (classic([DHE], groups=["ffdhe2048", "ffdhe3072"]), dhe())
    heeds = known(GOOD, asked, (control(), NO), GOOD)
    assert heeds.accepted(T12, GROUP) == ("x25519", "ffdhe2048")
    ignores = known(GOOD, asked, (control(), dhe()), GOOD)
    assert ignores.accepted(T12, GROUP) == ("x25519",)
    unknown = known(GOOD, asked, GOOD)
    assert unknown.accepted(T12, GROUP) == ("x25519",)


# -- Contradictions -------------------------------------------------------------------------------


def test_contradictions() -> None:
    assert known(GOOD, GOOD).contradictions == ()
    other = (CANARY, yes(T12, GCM, leaf=b"other"))
    assert known(GOOD, other).contradictions == ("certificate",)
    lower = (CANARY, yes(Version.TLS_1_0, CBC))
    assert "version" in known(GOOD, lower).contradictions
    flap = known(GOOD, (CANARY, NO), GOOD)
    assert "answer" in flap.contradictions
    k = known(GOOD, (WEAK, NO), GOOD, (WEAK, yes(T12, RC4)), GOOD)
    assert "answer" in k.contradictions


def test_where_nodes_are_unequal_nothing_is_refused() -> None:
    """All eight refusals may be one node's."""
    other = (CANARY, yes(T12, GCM, leaf=b"other"))
    k = known(GOOD, other, *[(WEAK, NO)] * 12, GOOD)
    assert k.contradictions == ("certificate",)
    assert k.claims(T12, SUITE)[RC4] == 12
    assert k.refused(T12, SUITE) == ()


# -- RFC 8446: refusing an empty key_share --------------------------------------------------------


def modern(
    groups: Sequence[str], suites: Sequence[str] = (AES,), shares: Sequence[str] = ()
) -> Question:
    return ASK.modern(suites, groups, candidates(T13, SCHEME), shares=shares)


@pytest.mark.parametrize(
    ("suite", "scheme"),
    [(ECDSA, "ecdsa_sha1"), (ECDSA, "ed25519"), ("TLS_DHE_DSS_WITH_AES_128_CBC_SHA", "dsa_sha1")],
)
def test_schemes_of_another_kind_of_certificate_are_not_refused(suite: str, scheme: str) -> None:
    # Once a false refusal: OpenSSL chooses among several certificates by the suite.
    own = SUITE_BY_NAME[suite]
    answer = yes(T12, suite, scheme=scheme, prime=FFDHE_PRIMES["ffdhe2048"] if own.finite else 0)
    left = [name for name in candidates(T12, SCHEME) if name not in (SCHEME_NAME, scheme)]
    asked = classic([GCM], schemes=left)
    both = classic([GCM, suite], schemes=left)
    k = known((classic([GCM]), yes(T12, GCM)), (classic([suite]), answer), (asked, NO), (both, NO))
    claims = k.claims(T12, SCHEME)
    assert claims["rsa_pkcs1_md5"] == 1
    others = [name for name in left if authentication_of(name) == own.authentication]
    assert others
    assert not any(claims[name] for name in others)


def test_an_empty_key_share_that_is_refused_refuses_no_group() -> None:
    # Once a false refusal. A server that wants a share refuses the hello for that alone.
    full = list(candidates(T13, GROUP))
    first = (modern(full, shares=["x25519"]), yes(T13, AES))
    asked = modern(["GC256A", "GC256B"])
    k = known(first, (asked, NO), (asked, NO), first)
    assert k.refused(T13, GROUP) == ()


def test_an_empty_key_share_that_is_refused_refuses_no_suite() -> None:
    full = list(candidates(T13, GROUP))
    first = (modern(full, shares=["x25519"]), yes(T13, AES))
    asked = modern(full, ["TLS_AES_256_GCM_SHA384"])
    k = known(first, (asked, NO), (asked, NO), first)
    assert k.refused(T13, SUITE) == ()
