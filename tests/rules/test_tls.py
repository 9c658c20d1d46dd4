"""Every rule with rows that pass, fail, and cannot be decided; and what no doubt may turn good."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields, replace
from typing import Any, TypeVar

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.make import (
    ACCEPTED,
    V12,
    V13,
    A,
    R,
    U,
    blank_tls,
    deep,
    rest,
    tls_observation,
    versions,
)
from tests.make_chain import AT
from tlscheck.model import Open, Problem, State, Verdict
from tlscheck.observations.tls import (
    Chooser,
    ClientCertificate,
    Deep,
    Demand,
    DhParameters,
    Names,
    Order,
    TlsObservation,
)
from tlscheck.rules.core import NotApplicable, Rule, collect
from tlscheck.rules.tls import MODULES, handshake, offered
from tlscheck.wire.registry import Version

T = TypeVar("T")
FAIL, OPEN, PASS, NONE = Verdict.FAIL, Verdict.UNKNOWN, Verdict.PASS, Verdict.NOT_APPLICABLE
RULES = collect(*MODULES)

SUITES12, SUITES13 = ACCEPTED["suites"][V12], ACCEPTED["suites"][V13]
GCM256, GCM128 = SUITES12
CBC = "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA"
RSA = "TLS_RSA_WITH_AES_128_GCM_SHA256"
DHE = "TLS_DHE_RSA_WITH_AES_256_GCM_SHA384"
DHE_EXPORT = "TLS_DHE_RSA_EXPORT_WITH_DES40_CBC_SHA"
RC4 = "TLS_ECDHE_RSA_WITH_RC4_128_SHA"
CAMELLIA = "TLS_ECDHE_ECDSA_WITH_CAMELLIA_128_GCM_SHA256"
SHA1 = "ecdsa_sha1"

WANTS: dict[str, Any] = {
    "tls.versions": offered.Versions(frozenset({V12, V13}), frozenset({V13})),
    "tls.deprecated-versions": offered.DeprecatedVersions(frozenset(Version) - {V12, V13}),
    "tls.suites": offered.Suites(frozenset(SUITES12 + SUITES13), frozenset({CAMELLIA})),
    "tls.forbidden-suites": offered.ForbiddenSuites(
        frozenset({"NULL", "RC4_128"}), frozenset({"anon"}), export=True
    ),
    "tls.suite-order": offered.SuiteOrder(
        (frozenset({GCM256, SUITES13[0]}), frozenset({GCM128, SUITES13[1]}))
    ),
    "tls.groups": offered.Groups(
        frozenset({"x25519", "secp256r1", "X25519MLKEM768"}), frozenset({"brainpoolP256r1"})
    ),
    "tls.dh-parameters": offered.DhSize(2048),
    "tls.signature-schemes": offered.Schemes(frozenset({"MD5", "SHA1"})),
    "tls.ticket-lifetime": handshake.TicketLifetime(86400),
    "tls.client-certificate": handshake.ClientCertificateWanted(
        frozenset({Demand.REQUIRED, Demand.REQUIRED_HTTP})
    ),
}


def but(seen: T, **changes: Any) -> T:
    """*seen* with changes."""
    return replace(seen, **changes)  # type: ignore[type-var]


def verdict(rule: Rule[Any], seen: TlsObservation) -> Verdict:
    try:
        evidence = rule(seen, *([WANTS[rule.id]] if rule.wants else []))
    except NotApplicable:
        return NONE
    if any(isinstance(e, Problem) for e in evidence):
        return FAIL
    return OPEN if any(isinstance(e, Open) for e in evidence) else PASS


def one(**changes: Any) -> TlsObservation:
    return tls_observation(**changes)


def suites(*more: str, first: bool = False) -> dict[Version, tuple[str, ...]]:
    """The good suites and *more* in TLS 1.2."""
    both = (*more, *SUITES12) if first else (*SUITES12, *more)
    return {**ACCEPTED["suites"], V12: both}


def unsettled(
    version: Version = V12, *, s: tuple[str, ...] = (), g: tuple[str, ...] = (), h: Any = ()
) -> dict[str, Any]:
    """What makes suites, groups and schemes (hashes) of *version* unsettled."""
    taken = (*s, *g, *h)
    return {
        "unknown": {V12: Names(), V13: Names(), version: Names(s, g, tuple(h))},
        "refused": {V12: rest(V12, *taken), V13: rest(V13, *taken)},
    }


def dhe(bits: int = 2048, weakness: str = "", of: str = DHE) -> tuple[DhParameters, ...]:
    return (DhParameters((V12,), (of,), bits, "ffdhe2048", weakness, "2", "0" * 64),)


def modern(**changes: Any) -> TlsObservation:
    """TLS 1.3 alone, as `fold` tells of it."""
    told: dict[str, Any] = {
        "versions": versions(TLS_1_2=R),
        **{d: {V13: names[V13]} for d, names in ACCEPTED.items()},
        "unknown": {V13: Names()},
        "refused": {V13: rest(V13)},
        "fallback_scsv": U,
        "session_tickets": R,
    }
    return tls_observation(**(told | changes))


ORDER_OF_CLIENT = dict.fromkeys((V12, V13), Order(Chooser.CLIENT))
ORDER_UNKNOWN = dict.fromkeys((V12, V13), Order())
ORDER_OF_ONE = {V12: Order(Chooser.SINGLE), V13: Order(Chooser.SERVER)}

ROWS: list[tuple[Rule[Any], TlsObservation, Verdict]] = [
    (offered.versions, one(), PASS),
    (offered.versions, modern(), PASS),
    (offered.versions, one(versions=versions(TLS_1_1=A)), FAIL),
    (offered.versions, one(versions=versions(TLS_1_3=R)), FAIL),
    (offered.versions, one(versions=versions(TLS_1_1=U)), OPEN),
    (offered.versions, one(versions=versions(TLS_1_3=U)), OPEN),
    (offered.versions, one(versions=versions(TLS_1_2=U)), PASS),  # allowed, whether offered or not
    (offered.versions, one(versions=versions(TLS_1_1=U, SSL_3_0=A)), FAIL),
    (offered.versions, one(versions=dict.fromkeys(Version, R)), FAIL),
    (offered.deprecated_versions, one(), PASS),
    (offered.deprecated_versions, one(versions=versions(SSL_2_0=A)), FAIL),
    (offered.deprecated_versions, one(versions=versions(TLS_1_0=U)), OPEN),
    (offered.deprecated_versions, one(versions=versions(TLS_1_3=U)), PASS),
    (offered.suites, one(), PASS),
    (offered.suites, one(suites=suites(CBC)), FAIL),
    (offered.suites, one(suites=suites(CAMELLIA)), OPEN),
    (offered.suites, one(suites=suites(CAMELLIA, CBC)), FAIL),
    (offered.suites, one(**unsettled(s=(CBC,))), OPEN),
    (offered.suites, one(**unsettled(s=(CAMELLIA,))), PASS),
    (offered.suites, one(versions=versions(TLS_1_1=U)), OPEN),
    (offered.suites, one(suites={**suites(), Version.SSL_2_0: ("SSL_CK_RC4_128_WITH_MD5",)}), FAIL),
    (offered.forbidden_suites, one(), PASS),
    (offered.forbidden_suites, one(suites=suites(RC4)), FAIL),
    (offered.forbidden_suites, one(suites=suites("TLS_RSA_WITH_NULL_SHA256")), FAIL),
    (offered.forbidden_suites, one(suites=suites("TLS_DH_anon_WITH_AES_128_GCM_SHA256")), FAIL),
    (offered.forbidden_suites, one(suites=suites(DHE_EXPORT)), FAIL),
    (offered.forbidden_suites, one(suites={Version.SSL_2_0: ("SSL_CK_RC4_128_WITH_MD5",)}), FAIL),
    (offered.forbidden_suites, one(suites=suites(CBC)), PASS),
    (offered.forbidden_suites, one(**unsettled(s=(RC4,))), OPEN),
    (offered.forbidden_suites, one(**unsettled(s=(CBC,))), PASS),
    (offered.forbidden_suites, one(versions=versions(TLS_1_2=U)), OPEN),
    (offered.suite_order, one(), PASS),
    (offered.suite_order, one(order=ORDER_OF_CLIENT), FAIL),
    (offered.suite_order, one(order=ORDER_UNKNOWN), OPEN),
    (offered.suite_order, one(order={}), OPEN),
    (offered.suite_order, one(suites=suites(CBC, first=True)), FAIL),
    (offered.suite_order, one(suites={V12: (GCM128, GCM256)}), FAIL),
    (
        offered.suite_order,
        one(suites={V12: (GCM256,), V13: SUITES13[:1]}, order=ORDER_OF_ONE),
        PASS,
    ),
    (offered.suite_order, one(versions=versions(TLS_1_1=U)), OPEN),
    (offered.forward_secrecy, one(), PASS),
    (offered.forward_secrecy, one(suites=suites(RSA)), FAIL),
    (offered.forward_secrecy, one(suites={Version.SSL_2_0: ("SSL_CK_RC4_128_WITH_MD5",)}), FAIL),
    (offered.forward_secrecy, one(**unsettled(s=(RSA,))), OPEN),
    (offered.forward_secrecy, one(**unsettled(s=(CBC,))), PASS),
    (offered.forward_secrecy, one(versions=versions(TLS_1_2=U)), OPEN),
    (offered.groups, one(), PASS),
    (offered.groups, one(groups={V12: ("x25519", "secp192r1")}), FAIL),
    (offered.groups, one(groups={V12: ("x25519", "brainpoolP256r1")}), OPEN),
    (offered.groups, one(**unsettled(V13, g=("secp521r1",))), OPEN),
    (offered.groups, one(**unsettled(V13, g=("brainpoolP256r1",))), PASS),
    (offered.groups, one(versions=versions(TLS_1_3=U)), OPEN),
    (offered.dh_parameters, one(), PASS),
    (offered.dh_parameters, one(suites=suites(DHE), dh=dhe()), PASS),
    (offered.dh_parameters, one(suites=suites(DHE), dh=dhe(weakness="shared")), PASS),
    (offered.dh_parameters, one(suites=suites(DHE), dh=dhe(1024)), FAIL),
    (offered.dh_parameters, one(suites=suites(DHE), dh=dhe(weakness="weak")), FAIL),
    (offered.dh_parameters, one(suites=suites(DHE)), OPEN),
    (offered.dh_parameters, one(**unsettled(s=(DHE,))), OPEN),
    (offered.dh_parameters, one(versions=versions(TLS_1_1=U)), OPEN),
    (offered.signature_schemes, one(), PASS),
    (offered.signature_schemes, one(schemes={V12: ("rsa_pkcs1_sha256", SHA1)}), FAIL),
    (offered.signature_schemes, one(**unsettled(h=(SHA1,))), OPEN),
    (offered.signature_schemes, one(**unsettled(h=("rsa_pkcs1_sha512",))), PASS),
    (offered.signature_schemes, one(versions=versions(TLS_1_2=U)), OPEN),
    (handshake.compression, one(), PASS),
    (handshake.compression, one(compression=A), FAIL),
    (handshake.compression, one(compression=U), OPEN),
    (handshake.secure_renegotiation, one(), PASS),
    (handshake.secure_renegotiation, one(secure_renegotiation=R), FAIL),
    (handshake.secure_renegotiation, one(secure_renegotiation=U), OPEN),
    (handshake.extended_master_secret, one(), PASS),
    (handshake.extended_master_secret, one(extended_master_secret=R), FAIL),
    (handshake.extended_master_secret, one(extended_master_secret=U), OPEN),
    (handshake.encrypt_then_mac, one(), NONE),
    (handshake.encrypt_then_mac, one(suites=suites(CBC), encrypt_then_mac=A), PASS),
    (handshake.encrypt_then_mac, one(suites=suites(CBC), encrypt_then_mac=R), FAIL),
    (handshake.encrypt_then_mac, one(suites=suites(CBC)), OPEN),
    (handshake.encrypt_then_mac, one(**unsettled(s=(CBC,))), OPEN),
    (handshake.fallback_scsv, one(), PASS),
    (handshake.fallback_scsv, one(fallback_scsv=R), FAIL),
    (handshake.fallback_scsv, one(fallback_scsv=U), OPEN),
    (handshake.fallback_scsv, modern(), NONE),
    (handshake.fallback_scsv, modern(versions=versions(TLS_1_2=U)), OPEN),
    (handshake.early_ccs, one(), PASS),
    (handshake.early_ccs, one(early_ccs=A), FAIL),
    (handshake.early_ccs, one(early_ccs=U), OPEN),
    (handshake.heartbleed, one(), PASS),
    (handshake.heartbleed, one(heartbeat=A), PASS),
    (handshake.heartbleed, one(heartbeat=A, deep=deep(heartbleed=A)), FAIL),
    (handshake.heartbleed, one(heartbeat=U, deep=deep(heartbleed=A)), FAIL),
    (handshake.heartbleed, one(heartbeat=A, deep=deep(heartbleed=U)), OPEN),
    (handshake.heartbleed, one(heartbeat=U, deep=None), OPEN),
    (handshake.robot, one(), PASS),
    (handshake.robot, one(suites=suites(RSA)), PASS),
    (handshake.robot, one(suites=suites(RSA), deep=deep(robot=A)), FAIL),
    (handshake.robot, one(suites=suites(RSA), deep=deep(robot=U)), OPEN),
    (handshake.robot, one(suites=suites(RSA), deep=None), OPEN),
    (handshake.robot, one(**unsettled(s=(RSA,))), OPEN),
    (handshake.robot, one(versions=versions(TLS_1_0=U)), OPEN),
    (handshake.client_renegotiation, one(), PASS),
    (handshake.client_renegotiation, one(deep=deep(client_renegotiation=A)), FAIL),
    (handshake.client_renegotiation, one(deep=deep(client_renegotiation=U)), OPEN),
    (handshake.client_renegotiation, one(deep=None), OPEN),
    (handshake.client_renegotiation, modern(), NONE),
    (handshake.client_renegotiation, modern(versions=versions(TLS_1_2=U), deep=None), OPEN),
    (handshake.early_data, one(), PASS),
    (handshake.early_data, one(deep=deep(early_data=A)), FAIL),
    (handshake.early_data, one(deep=deep(early_data=U)), OPEN),
    (handshake.early_data, one(deep=None), OPEN),
    (handshake.early_data, one(versions=versions(TLS_1_3=R), deep=None), NONE),
    (handshake.early_data, one(versions=versions(TLS_1_3=U), deep=None), OPEN),
    (handshake.session_crossing, one(), PASS),
    (handshake.session_crossing, one(deep=deep(crossing=A)), FAIL),
    (handshake.session_crossing, one(deep=deep(crossing=U)), OPEN),
    (handshake.session_crossing, one(deep=None), OPEN),
    (handshake.session_crossing, one(deep=deep(others=0)), NONE),
    (handshake.ticket_lifetime, one(), PASS),
    (handshake.ticket_lifetime, one(ticket_lifetimes={V12: 7200, V13: 86401}), FAIL),
    (handshake.ticket_lifetime, one(ticket_lifetimes={}), OPEN),
    (handshake.ticket_lifetime, one(ticket_lifetimes={}, session_tickets=U), OPEN),
    (handshake.post_quantum, one(), PASS),
    (handshake.post_quantum, one(groups={V12: ("x25519",), V13: ("x25519",)}), FAIL),
    (
        handshake.post_quantum,
        one(groups={V13: ("x25519",)}, **unsettled(V13, g=("SecP256r1MLKEM768",))),
        OPEN,
    ),
    (handshake.post_quantum, one(groups={}, versions=versions(TLS_1_3=U)), OPEN),
    (
        handshake.client_certificate,
        one(client_certificate=ClientCertificate(Demand.REQUIRED)),
        PASS,
    ),
    (
        handshake.client_certificate,
        one(client_certificate=ClientCertificate(Demand.REQUIRED_HTTP)),
        PASS,
    ),
    (
        handshake.client_certificate,
        one(client_certificate=ClientCertificate(Demand.REQUESTED)),
        FAIL,
    ),
    (handshake.client_certificate, one(client_certificate=ClientCertificate(Demand.NONE)), FAIL),
    (handshake.client_certificate, one(client_certificate=ClientCertificate()), OPEN),
    (handshake.equal_nodes, one(), PASS),
    (handshake.equal_nodes, one(contradictions=("version",)), FAIL),
    (handshake.compression, one(contradictions=("version",)), OPEN),
    (handshake.extended_master_secret, one(contradictions=("version",)), OPEN),
]


@pytest.mark.parametrize(
    ("rule", "seen", "expected"),
    [pytest.param(*row, id=f"{i}-{row[0].id}-{row[2]}") for i, row in enumerate(ROWS)],
)
def test_rows(rule: Rule[Any], seen: TlsObservation, expected: Verdict) -> None:
    assert verdict(rule, seen) is expected


def test_every_rule_has_a_row_for_each_outcome() -> None:
    outcomes = {id: {v for rule, _, v in ROWS if rule.id == id} for id in RULES}
    lacking = {id: {PASS, FAIL, OPEN} - found for id, found in outcomes.items()}
    # Contradictions are found or not; the row for nothing seen is the blank observation's.
    assert {id: some for id, some in lacking.items() if some} == {"tls.equal-nodes": {OPEN}}


@pytest.mark.parametrize("rule", RULES.values(), ids=RULES)
def test_nothing_known_is_unknown(rule: Rule[Any]) -> None:
    assert verdict(rule, blank_tls()) is OPEN


# -- What no doubt may turn good --------------------------------------------------------------

STATES = (
    "compression",
    "secure_renegotiation",
    "extended_master_secret",
    "encrypt_then_mac",
    "fallback_scsv",
    "heartbeat",
    "session_ids",
    "session_tickets",
    "stapling",
    "early_ccs",
)
DEEP_STATES = tuple(f.name for f in fields(Deep) if f.name not in ("others", "disagreements"))
MORE_SUITES = (CBC, RSA, DHE, DHE_EXPORT, RC4, CAMELLIA, GCM128)
MORE_GROUPS = ("secp192r1", "brainpoolP256r1", "secp521r1", "ffdhe2048")
DIMENSIONS = ("suites", "groups", "schemes")


@st.composite
def anything(draw: st.DrawFn) -> TlsObservation:
    """A settled or unsettled endpoint of any quality."""
    state = st.sampled_from(State)
    offered = draw(st.fixed_dictionaries(dict.fromkeys(Version, state)))
    accepted = [v for v in (V12, V13) if offered[v] is A]
    taken: dict[str, dict[Version, tuple[str, ...]]] = {d: {} for d in DIMENSIONS}
    left: dict[Version, Names] = {}
    away: dict[Version, Names] = {}
    for version in accepted:
        more = {
            "suites": MORE_SUITES if version is V12 else (),
            "groups": MORE_GROUPS,
            "schemes": (SHA1, "rsa_pkcs1_sha512"),
        }
        open_names, gone = [], []
        for d in DIMENSIONS:
            pool = tuple(dict.fromkeys((*ACCEPTED[d][version], *more[d])))
            fate = draw(st.lists(state, min_size=len(pool), max_size=len(pool)))
            sorted_out = {
                s: tuple(n for n, f in zip(pool, fate, strict=True) if f is s) for s in A_R_U
            }
            taken[d][version] = sorted_out[A]
            open_names.append(sorted_out[U])
            gone.append(sorted_out[R])
        left[version], away[version] = Names(*open_names), Names(*gone)
    return tls_observation(
        versions=offered,
        **taken,
        unknown=left,
        refused=away,
        order={v: Order(draw(st.sampled_from(Chooser))) for v in accepted},
        dh=draw(st.sampled_from([(), dhe(), dhe(1024)])),
        **{name: draw(state) for name in STATES},
        ticket_lifetimes=draw(
            st.dictionaries(st.sampled_from(list(Version)), st.sampled_from([7200, 100_000]))
        ),
        client_certificate=ClientCertificate(draw(st.sampled_from(Demand))),
        deep=draw(
            st.none()
            | st.builds(Deep, **dict.fromkeys(DEEP_STATES, state), others=st.integers(0, 2))
        ),
        contradictions=draw(st.sampled_from([(), ("answer",)])),
    )


A_R_U = (A, R, U)


def doubts(seen: TlsObservation) -> Iterator[TlsObservation]:
    """Every observation that knows one thing less."""
    for version, state in seen.versions.items():
        if state is R:
            yield but(seen, versions={**seen.versions, version: U})
    for name in STATES:
        yield but(seen, **{name: U})
    for version, names in seen.refused.items():
        for d in DIMENSIONS:
            for name in getattr(names, d):
                yield moved(seen, version, d, name)
    if seen.deep:
        yield but(seen, deep=None)
        for name in DEEP_STATES:
            yield but(seen, deep=but(seen.deep, **{name: U}))
    yield but(seen, client_certificate=ClientCertificate())
    yield but(seen, ticket_lifetimes={}, session_tickets=U)


def moved(seen: TlsObservation, version: Version, dimension: str, name: str) -> TlsObservation:
    """One name of what was refused is unsettled."""
    was, left = seen.refused[version], seen.unknown[version]
    less = tuple(n for n in getattr(was, dimension) if n != name)
    more = (*getattr(left, dimension), name)
    return but(
        seen,
        refused={**seen.refused, version: but(was, **{dimension: less})},
        unknown={**seen.unknown, version: but(left, **{dimension: more})},
    )


GOOD_OUTCOMES = (PASS, NONE)


@settings(max_examples=250)
@given(anything())
def test_knowing_less_never_makes_a_verdict_better(seen: TlsObservation) -> None:
    before = {id: verdict(rule, seen) for id, rule in RULES.items()}
    for less in doubts(seen):
        for id, rule in RULES.items():
            if before[id] not in GOOD_OUTCOMES:
                assert verdict(rule, less) not in GOOD_OUTCOMES, (id, less)


# Where what is refused decides nothing, a pass may stay one; it must hold whatever the truth is.


def truths(less: TlsObservation) -> Iterator[TlsObservation]:
    """What *less* might be if one open matter were known."""
    for version, state in less.versions.items():
        if state is U and version not in (V12, V13):
            yield but(less, versions={**less.versions, version: A})
    for name in (name for name in STATES if getattr(less, name) is U):
        yield from (but(less, **{name: s}) for s in (A, R))
    yield from (
        with_name(less, version, d, name)
        for version, names in less.unknown.items()
        for d in DIMENSIONS
        for name in getattr(names, d)
    )
    if less.deep:
        open_ones = [name for name in DEEP_STATES if getattr(less.deep, name) is U]
        yield from (but(less, deep=but(less.deep, **{n: A})) for n in open_ones)


def with_name(less: TlsObservation, version: Version, dimension: str, name: str) -> TlsObservation:
    known = getattr(less, dimension)
    return but(less, **{dimension: {**known, version: (*known.get(version, ()), name)}})


@settings(max_examples=250)
@given(anything())
def test_a_pass_holds_whatever_the_open_matters_turn_out_to_be(seen: TlsObservation) -> None:
    passed = [id for id, rule in RULES.items() if verdict(rule, seen) is PASS]
    for truth in truths(seen):
        for id in passed:
            assert verdict(RULES[id], truth) is not FAIL, id


# -- Single matters -----------------------------------------------------------------------------


def test_a_version_of_which_nothing_was_seen_passes_no_list() -> None:
    """TLS 1.2 accepted, and neither a suite nor anything open of it."""
    seen = one(
        **{d: {V13: names[V13]} for d, names in ACCEPTED.items()},
        unknown={V13: Names()},
        refused={V13: rest(V13)},
    )
    lists = (offered.suites, offered.forbidden_suites, offered.forward_secrecy, handshake.robot)
    assert {rule.id: verdict(rule, seen) for rule in lists} == {rule.id: OPEN for rule in lists}


def test_versions_that_are_not_there_are_not_refused() -> None:
    """A scan file that lacks a version proves nothing of it."""
    seen = one(versions={V12: A, V13: A})
    for rule in (offered.versions, offered.deprecated_versions, handshake.fallback_scsv):
        assert verdict(rule, seen) in (OPEN, PASS if rule is handshake.fallback_scsv else OPEN)


def test_the_prime_of_every_suite_counts() -> None:
    """Export suites have a prime of their own, of 512 bits."""
    seen = one(suites=suites(DHE, DHE_EXPORT), dh=dhe())
    assert verdict(offered.dh_parameters, seen) is OPEN


def test_an_order_with_unsettled_suites_is_open() -> None:
    seen = one(suites={**ACCEPTED["suites"], V12: (GCM128,)}, **unsettled(s=(GCM256,)))
    assert verdict(offered.suite_order, seen) is OPEN


def test_cbc_in_a_version_that_is_open_is_not_ruled_out() -> None:
    assert verdict(handshake.encrypt_then_mac, one(versions=versions(TLS_1_1=U))) is OPEN


@pytest.mark.parametrize(
    "seen", [modern(ticket_lifetimes={}), modern(ticket_lifetimes={}, deep=None)]
)
def test_tickets_of_tls_1_3_are_not_ruled_out_by_the_extension_of_tls_1_2(
    seen: TlsObservation,
) -> None:
    seen = but(seen, deep=but(seen.deep, resumption_tickets=U) if seen.deep else None)
    assert verdict(handshake.ticket_lifetime, seen) is OPEN


def test_tickets_of_tls_1_3_are_not_ruled_out_where_tls_1_2_gives_none() -> None:
    seen = one(session_tickets=R, ticket_lifetimes={}, deep=None)
    assert verdict(handshake.ticket_lifetime, seen) is OPEN


def test_versions_before_tls_1_2_sign_with_md5_and_sha_1() -> None:
    old = Version.TLS_1_0
    signed = {old: ("TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA",)}
    unsigned = {old: ("TLS_RSA_WITH_AES_128_CBC_SHA",)}
    for suites_of, expected in ((signed, FAIL), (unsigned, PASS)):
        seen = one(versions=versions(TLS_1_0=A), suites={**ACCEPTED["suites"], **suites_of})
        assert verdict(offered.signature_schemes, seen) is expected


def test_the_observation_is_of_its_time() -> None:
    assert one().at == blank_tls().at == AT
