"""Which versions, suites, groups and schemes are on offer."""

from __future__ import annotations

from dataclasses import dataclass

from tlscheck.model import Open, Problem, State
from tlscheck.observations.tls import Chooser, Names, TlsObservation
from tlscheck.rules.core import Problems, rule
from tlscheck.rules.tls.states import (
    finite,
    level,
    may_offer,
    old_signatures,
    states,
    unlooked,
    unsettled_suites,
    version_open,
)
from tlscheck.wire.registry import SCHEME_BY_NAME, SUITE_BY_NAME, Version


@dataclass(frozen=True)
class Versions:
    """Which protocol versions may be on offer, and which must be."""

    allow: frozenset[Version]
    require: frozenset[Version] = frozenset()


@rule("RFC 9325, section 3.1.1")
def versions(seen: TlsObservation, want: Versions) -> Problems:
    """Only the protocol versions that the profile wants are offered.

    Older versions allow attacks that newer ones rule out, and clients that still speak them can be
    pushed down to them. In nginx set ssl_protocols, in Apache SSLProtocol, in HAProxy
    ssl-min-ver, to just the versions wanted.
    """
    for version, state in states(seen):
        allowed, required = version in want.allow, version in want.require
        match state:
            case State.ACCEPTED if not allowed:
                yield Problem("accepted", "{version} is accepted", version=version)
            case State.REFUSED if required:
                yield Problem("missing", "{version} is not offered", version=version)
            case State.UNKNOWN if required or not allowed:
                yield version_open(version)
    if not may_offer(seen, want.allow):
        yield Open("none", "no wanted version was seen to be accepted")


@dataclass(frozen=True)
class DeprecatedVersions:
    """Versions that must not be on offer."""

    forbid: frozenset[Version]


@rule("RFC 6176", "RFC 7568", "RFC 8996")
def deprecated_versions(seen: TlsObservation, want: DeprecatedVersions) -> Problems:
    """No version that an RFC forbids is offered.

    SSL 2.0 and 3.0 are broken, and TLS 1.0 and 1.1 rest on MD5 and SHA-1; standards say that they
    MUST NOT be negotiated. Switch them off: in nginx ssl_protocols TLSv1.2 TLSv1.3, in Apache
    SSLProtocol -all +TLSv1.2 +TLSv1.3.
    """
    for version, state in states(seen):
        if version in want.forbid:
            if state is State.ACCEPTED:
                yield Problem("accepted", "{version} is accepted", version=version)
            elif state is State.UNKNOWN:
                yield version_open(version)


@dataclass(frozen=True)
class Suites:
    """Which cipher suites may be on offer."""

    allow: frozenset[str]
    open: frozenset[str] = frozenset()
    """Suites of which it is not known whether they may be."""


@rule("RFC 9325, section 4.2")
def suites(seen: TlsObservation, want: Suites) -> Problems:
    """Only cipher suites that the profile lists are accepted.

    Remove the others from ssl_ciphers (nginx), SSLCipherSuite (Apache) or
    ssl-default-bind-ciphers (HAProxy); TLS 1.3 has its own setting (ssl_conf_command Ciphersuites,
    SSLCipherSuite TLSv1.3, ssl-default-bind-ciphersuites).
    """
    for version, names in seen.suites.items():
        for name in names:
            if name in want.allow:
                continue
            if name in want.open:
                yield Open(
                    "open",
                    "{version} {suite}: it is an open question whether the profile allows it",
                    cause="open_question",
                    version=version,
                    suite=name,
                )
            else:
                yield Problem(
                    "accepted", "{version} {suite} is accepted", version=version, suite=name
                )
    allowed = want.allow | want.open
    yield from unsettled_suites(seen, lambda name: name not in allowed)
    yield from unlooked(seen)


@dataclass(frozen=True)
class ForbiddenSuites:
    """What no cipher suite on offer may consist of, in the words of the registry."""

    encryption: frozenset[str]
    authentication: frozenset[str]
    export: bool


@rule("RFC 7465", "RFC 9325, section 4.1")
def forbidden_suites(seen: TlsObservation, want: ForbiddenSuites) -> Problems:
    """No cipher suite that an RFC forbids is accepted.

    Suites without encryption, without authentication, with RC4 or with keys cut down for export
    protect nothing. Append !aNULL:!eNULL:!EXPORT:!RC4 to the cipher string.
    """

    def forbidden(name: str) -> bool:
        suite = SUITE_BY_NAME.get(name)
        if suite is None:
            return name.startswith("SSL_CK_")
        return (
            suite.encryption in want.encryption
            or suite.authentication in want.authentication
            or (want.export and suite.export)
        )

    for version, names in seen.suites.items():
        for name in names:
            if forbidden(name):
                yield Problem(
                    "accepted", "{version} {suite} is accepted", version=version, suite=name
                )
    yield from unsettled_suites(seen, forbidden)
    yield from unlooked(seen, from_version=Version.TLS_1_2)


@dataclass(frozen=True)
class SuiteOrder:
    """Levels of cipher suites, the strongest first; the order within a level is free."""

    levels: tuple[frozenset[str], ...]


@rule("RFC 9325, section 4.2.1")
def suite_order(seen: TlsObservation, want: SuiteOrder) -> Problems:
    """The server chooses the cipher suite, stronger ones first.

    Where the client's order decides, a weak client gets a weak suite although both sides know a
    better one. In nginx set ssl_prefer_server_ciphers on, in Apache SSLHonorCipherOrder on, and
    list the stronger suites first.
    """
    for version, names in seen.suites.items():
        order, levels = seen.order.get(version), [level(name, want.levels) for name in names]
        left = seen.unknown.get(version, Names()).suites
        if any(level(name, want.levels) not in levels for name in left):
            yield Open(
                "unsettled", "{version}: suites of other levels are unsettled", version=version
            )
        if version is Version.SSL_2_0 or len(set(levels)) < 2:
            continue
        if order is None:
            yield Open("unknown", "{version}: whose order decides is not known", version=version)
        elif order.suites is Chooser.CLIENT:
            yield Problem("client", "{version}: the client's order decides", version=version)
        elif order.suites is Chooser.UNKNOWN:
            yield Open("unknown", "{version}: whose order decides is not known", version=version)
        else:
            yield from (
                Problem(
                    "order",
                    "{version}: {weaker} is preferred to {stronger}",
                    version=version,
                    weaker=weaker,
                    stronger=stronger,
                )
                for weaker, stronger, before, after in zip(
                    names, names[1:], levels, levels[1:], strict=False
                )
                if before > after
            )
    yield from unlooked(seen)


@rule("RFC 9325, section 4.1")
def forward_secrecy(seen: TlsObservation) -> Problems:
    """Every accepted cipher suite is forward secret.

    With static RSA or static Diffie-Hellman, whoever gets the server's key later can read all
    traffic recorded before. Offer ECDHE (or DHE) suites only.
    """

    def static(name: str) -> bool:
        suite = SUITE_BY_NAME.get(name)
        return suite is None or not suite.forward_secret

    for version, names in seen.suites.items():
        for name in names:
            if static(name):
                yield Problem(
                    "static",
                    "{version} {suite} is accepted and not forward secret",
                    version=version,
                    suite=name,
                )
    yield from unsettled_suites(seen, static)
    yield from unlooked(seen, from_version=Version.TLS_1_2)


@dataclass(frozen=True)
class Groups:
    """Which groups may be negotiated."""

    allow: frozenset[str]
    open: frozenset[str] = frozenset()


@rule("RFC 8446, section 4.2.7", "RFC 9325, section 4.4")
def groups(seen: TlsObservation, want: Groups) -> Problems:
    """Only groups that the profile lists are negotiated.

    Set ssl_ecdh_curve (nginx), SSLOpenSSLConfCmd Curves (Apache) or curves (HAProxy) to the groups
    wanted.
    """
    for version, names in seen.groups.items():
        for name in names:
            if name in want.allow:
                continue
            if name in want.open:
                yield Open(
                    "open",
                    "{version} {group}: it is an open question whether the profile allows it",
                    cause="open_question",
                    version=version,
                    group=name,
                )
            else:
                yield Problem(
                    "accepted", "{version} {group} is accepted", version=version, group=name
                )
    for version, left in seen.unknown.items():
        for name in left.groups:
            if name not in want.allow and name not in want.open:
                yield Open(
                    "unsettled",
                    "{version} {group}: not settled whether it is accepted",
                    version=version,
                    group=name,
                )
    yield from unlooked(seen)


@dataclass(frozen=True)
class DhSize:
    """How long a prime for Diffie-Hellman must be at least, in bits."""

    minimum: int


@rule("RFC 7919", "RFC 9325, section 4.3")
def dh_parameters(seen: TlsObservation, want: DhSize) -> Problems:
    """Primes for Diffie-Hellman are long enough and not known to be weak.

    Use the groups of RFC 7919 (ssl_dhparam in nginx, SSLOpenSSLConfCmd DHParameters in Apache), or
    leave DHE out and offer ECDHE alone.
    """
    for parameters in seen.dh:
        if parameters.bits < want.minimum:
            yield Problem(
                "short",
                "a prime of {bits} bits is used, {minimum} are wanted at least",
                bits=parameters.bits,
                minimum=want.minimum,
            )
        if parameters.weakness == "weak":
            yield Problem("weak", "the prime of {name} is known to be weak", name=parameters.name)
    seen_of = {name for parameters in seen.dh for name in parameters.suites}
    for name in sorted({n for names in seen.suites.values() for n in names if finite(n)}):
        if name not in seen_of:
            yield Open("unseen", "{suite} is accepted, but its prime was not seen", suite=name)
    yield from unsettled_suites(seen, finite)
    yield from unlooked(seen, from_version=Version.TLS_1_2)


@dataclass(frozen=True)
class Schemes:
    """Hashes that no signature of a handshake may rest on."""

    forbid_hashes: frozenset[str]


@rule("RFC 9155", "RFC 8446, section 4.4.3")
def signature_schemes(seen: TlsObservation, want: Schemes) -> Problems:
    """Handshakes are signed with sound hashes only.

    MD5 and SHA-1 signatures can be forged; RFC 9155 forbids them in TLS 1.2. In OpenSSL-based
    servers set SignatureAlgorithms (ssl_conf_command, SSLOpenSSLConfCmd) or update the library.
    """

    def weak(name: str) -> bool:
        return SCHEME_BY_NAME[name].hash in want.forbid_hashes

    for version, names in seen.schemes.items():
        for name in names:
            if weak(name):
                yield Problem(
                    "accepted", "{version}: {scheme} is accepted", version=version, scheme=name
                )
    if want.forbid_hashes & {"MD5", "SHA1"}:
        yield from old_signatures(seen)
    for version, left in seen.unknown.items():
        for name in left.schemes:
            if weak(name):
                yield Open(
                    "unsettled",
                    "{version}: not settled whether {scheme} is accepted",
                    version=version,
                    scheme=name,
                )
    yield from unlooked(seen, from_version=Version.TLS_1_2)
