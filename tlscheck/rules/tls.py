"""What is good about the TLS of an endpoint."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from tlscheck.model import Note, Open, Problem, State
from tlscheck.observations.tls import Chooser, Demand, Names, TlsObservation
from tlscheck.rules.core import NotApplicable, Problems, rule
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
    for version, state in _states(seen):
        allowed, required = version in want.allow, version in want.require
        match state:
            case State.ACCEPTED if not allowed:
                yield Problem("accepted", "{version} is accepted", version=version)
            case State.REFUSED if required:
                yield Problem("missing", "{version} is not offered", version=version)
            case State.UNKNOWN if required or not allowed:
                yield _version_open(version)
    if not _some(seen, want.allow):
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
    for version, state in _states(seen):
        if version in want.forbid:
            if state is State.ACCEPTED:
                yield Problem("accepted", "{version} is accepted", version=version)
            elif state is State.UNKNOWN:
                yield _version_open(version)


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
    yield from _unsettled_suites(seen, lambda name: name not in allowed)
    yield from _unlooked(seen)


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
    yield from _unsettled_suites(seen, forbidden)
    yield from _unlooked(seen, from_version=Version.TLS_1_2)


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
        order, levels = seen.order.get(version), [_level(name, want.levels) for name in names]
        left = seen.unknown.get(version, Names()).suites
        if any(_level(name, want.levels) not in levels for name in left):
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
    yield from _unlooked(seen)


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
    yield from _unsettled_suites(seen, static)
    yield from _unlooked(seen, from_version=Version.TLS_1_2)


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
    yield from _unlooked(seen)


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
    for name in sorted({n for names in seen.suites.values() for n in names if _finite(n)}):
        if name not in seen_of:
            yield Open("unseen", "{suite} is accepted, but its prime was not seen", suite=name)
    yield from _unsettled_suites(seen, _finite)
    yield from _unlooked(seen, from_version=Version.TLS_1_2)


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
        yield from _old_signatures(seen)
    for version, left in seen.unknown.items():
        for name in left.schemes:
            if weak(name):
                yield Open(
                    "unsettled",
                    "{version}: not settled whether {scheme} is accepted",
                    version=version,
                    scheme=name,
                )
    yield from _unlooked(seen, from_version=Version.TLS_1_2)


@rule("RFC 9325, section 3.3", "RFC 3749")
def compression(seen: TlsObservation) -> Problems:
    """TLS compression is off.

    Compression lets an attacker guess cookies from lengths (CRIME). Switch it off (SSLCompression
    off in Apache); current libraries no longer have it.
    """
    yield from _unwanted(seen, seen.compression, "TLS compression is on", "TLS compression")


@rule("RFC 5746", "RFC 9325, section 3.5")
def secure_renegotiation(seen: TlsObservation) -> Problems:
    """Renegotiation is bound to the connection that it renews.

    Without RFC 5746 an attacker can put words before a client's own. Update the TLS library.
    """
    yield from _wanted(
        seen, seen.secure_renegotiation, "RFC 5746 is not supported", "secure renegotiation"
    )


@rule("RFC 7627", "RFC 9325, section 3.5")
def extended_master_secret(seen: TlsObservation) -> Problems:
    """Sessions below TLS 1.3 use the extended master secret.

    Without it two sessions can be made to share their keys (triple handshake). Update the TLS
    library.
    """
    yield from _wanted(
        seen,
        seen.extended_master_secret,
        "the extended master secret is not supported",
        "the extended master secret",
    )


@rule("RFC 7366")
def encrypt_then_mac(seen: TlsObservation) -> Problems:
    """Suites in CBC mode authenticate what they encrypted, not what they will encrypt.

    Better still, leave CBC suites out: AEAD suites need none of this.
    """
    if not _any_suite(seen, "_CBC_"):
        doubts = [
            *_unsettled_suites(seen, lambda name: "_CBC_" in name),
            *_unlooked(seen, from_version=Version.TLS_1_2),
        ]
        if not doubts:
            raise NotApplicable("no-cbc", "no suite in CBC mode is accepted")
        yield from doubts
        return
    yield from _wanted(
        seen, seen.encrypt_then_mac, "CBC without encrypt-then-MAC", "encrypt-then-MAC"
    )


@rule("RFC 7507")
def fallback_scsv(seen: TlsObservation) -> Problems:
    """A client that was pushed down to an older version is told so.

    Without TLS_FALLBACK_SCSV an attacker who breaks connections can bring clients to an older
    version. Update the TLS library, or offer one version alone.
    """
    accepted = [v for v, state in _states(seen) if state is State.ACCEPTED]
    unknown = [v for v, state in _states(seen) if state is State.UNKNOWN]
    if len(accepted) < 2 and not unknown:
        raise NotApplicable("one-version", "only one version is offered")
    yield from _wanted(
        seen, seen.fallback_scsv, "TLS_FALLBACK_SCSV is not honoured", "TLS_FALLBACK_SCSV"
    )


@rule("CVE-2014-0224")
def early_ccs(seen: TlsObservation) -> Problems:
    """A ChangeCipherSpec before its time is refused.

    A server that swallows it lets an attacker in the middle set weak keys. Update OpenSSL.
    """
    yield from _unwanted(
        seen,
        seen.early_ccs,
        "a ChangeCipherSpec is accepted before the keys exist",
        "CCS injection",
    )


@rule("CVE-2014-0160")
def heartbleed(seen: TlsObservation) -> Problems:
    """Heartbeats give no memory away.

    A vulnerable OpenSSL sends keys and passwords to anyone. Update it, then replace key and
    certificate.
    """
    if seen.heartbeat is State.REFUSED:
        yield Note("no-heartbeat", "the heartbeat extension is not supported")
    else:
        yield from _unwanted(
            seen, _deep(seen, "heartbleed"), "Heartbleed: memory is sent", "Heartbleed"
        )


@rule("CVE-2017-13099", "RFC 9325, section 4.1")
def robot(seen: TlsObservation) -> Problems:
    """RSA key exchange gives no padding oracle.

    The ROBOT attack decrypts recorded sessions. Remove suites with RSA key exchange.
    """
    if not any(_static_rsa(n) for names in seen.suites.values() for n in names):
        yield from _unsettled_suites(seen, _static_rsa)
        yield from _unlooked(seen, from_version=Version.TLS_1_2)
        yield Note("no-rsa", "no suite with RSA key exchange was seen to be accepted")
    else:
        yield from _unwanted(seen, _deep(seen, "robot"), "a ROBOT padding oracle answers", "ROBOT")


@rule("RFC 9325, section 3.5")
def client_renegotiation(seen: TlsObservation) -> Problems:
    """Clients cannot make the server renegotiate.

    Each renegotiation costs the server far more than the client. Current nginx and Apache refuse;
    update the library or the server.
    """
    if _modern_only(seen):
        raise NotApplicable("tls13", "TLS 1.3 has no renegotiation")
    yield from _unwanted(
        seen,
        _deep(seen, "client_renegotiation"),
        "the client can make the server renegotiate",
        "client-initiated renegotiation",
    )


@rule("RFC 8446, section 8")
def early_data(seen: TlsObservation) -> Problems:
    """Early data, which can be replayed, is off.

    Whoever records 0-RTT data can send it again. Set ssl_early_data off (nginx); it is the default.
    """
    if seen.versions.get(Version.TLS_1_3) is State.REFUSED:
        raise NotApplicable("no-tls13", "TLS 1.3 is not offered")
    yield from _unwanted(seen, _deep(seen, "early_data"), "early data is accepted", "early data")


@rule("RFC 9325, section 3.4")
def session_crossing(seen: TlsObservation) -> Problems:
    """A session of one name or address cannot be taken up on another.

    Sessions that cross between hosts undo their separation. Give each host its own session cache
    and ticket key (ssl_session_cache, ssl_session_ticket_key).
    """
    if seen.deep and seen.deep.others == 0:
        raise NotApplicable("single", "the target has one name and one address only")
    yield from _unwanted(
        seen,
        _deep(seen, "crossing"),
        "a session of one host is resumed on another",
        "session crossing between hosts",
    )


@dataclass(frozen=True)
class TicketLifetime:
    """How long a session ticket may live at the most, in seconds."""

    maximum: int


@rule("RFC 9325, section 3.4")
def ticket_lifetime(seen: TlsObservation, want: TicketLifetime) -> Problems:
    """Session tickets do not live longer than wanted.

    The key that seals tickets opens all sessions sealed with it. Set ssl_session_timeout (nginx)
    or SSLSessionCacheTimeout (Apache), and renew the ticket key.
    """
    giving = [Version.TLS_1_3] * (seen.versions.get(Version.TLS_1_3) is not State.REFUSED)
    classic = [v for v, state in _states(seen) if state is State.ACCEPTED and v not in giving]
    if seen.session_tickets is not State.REFUSED and classic:
        giving.append(classic[-1])
    if not giving:
        raise NotApplicable("no-tickets", "no session tickets are given")
    for version, seconds in seen.ticket_lifetimes.items():
        if seconds > want.maximum:
            yield Problem(
                "long",
                "{version}: session tickets live {seconds} seconds, {maximum} are wanted at most",
                version=version,
                seconds=seconds,
                maximum=want.maximum,
            )
    for version in giving:
        if version not in seen.ticket_lifetimes:
            yield Open(
                "unseen", "{version}: the lifetime of session tickets was not seen", version=version
            )


@rule("FIPS 203")
def post_quantum(seen: TlsObservation) -> Problems:
    """A post-quantum hybrid group is offered.

    Traffic recorded today can be read once quantum computers exist, unless its keys were agreed
    with ML-KEM. OpenSSL 3.5 and newer offer X25519MLKEM768.
    """
    if any("MLKEM" in name for names in seen.groups.values() for name in names):
        return
    left = seen.unknown.get(Version.TLS_1_3, Names()).groups
    if any("MLKEM" in name for name in left) or seen.versions.get(Version.TLS_1_3) is State.UNKNOWN:
        yield Open("unsettled", "not settled whether a group with ML-KEM is accepted")
    else:
        yield Problem("none", "no group with ML-KEM is accepted")


@dataclass(frozen=True)
class ClientCertificateWanted:
    """How the server is to ask for a client certificate."""

    demand: frozenset[Demand]


@rule("RFC 8446, section 4.3.2")
def client_certificate(seen: TlsObservation, want: ClientCertificateWanted) -> Problems:
    """Clients must prove who they are by a certificate.

    In nginx set ssl_verify_client on and ssl_client_certificate, in Apache SSLVerifyClient require
    and SSLCACertificateFile.
    """
    demand = seen.client_certificate.demand
    if demand is Demand.UNKNOWN:
        yield Open("unknown", "not settled whether a client certificate is asked for")
    elif demand not in want.demand:
        yield Problem("demand", "client certificate: {demand}", demand=demand)
    elif seen.contradictions:
        yield Open(
            "nodes",
            "a client certificate is asked for, but the servers behind the address are not alike",
        )
    else:
        yield Note("strangers", "that certificates of strangers are refused was not tried")


@rule("RFC 9325, section 3")
def equal_nodes(seen: TlsObservation) -> Problems:
    """All servers behind the one address answer alike.

    Connections to one address contradicted each other, so several servers with different settings
    stand behind it, and the weakest counts. Bring them to the same configuration.
    """
    doubt = seen.cut_short or not any(state is State.ACCEPTED for _, state in _states(seen))
    if doubt and not seen.contradictions:
        yield Open("cut", "the look was cut short before nodes could be compared")
    for what in seen.contradictions:
        yield Problem(
            "differ", "connections to this address contradict each other: {what}", what=what
        )


# -- what the rules share -------------------------------------------------------------------------


def _version_open(version: Version) -> Open:
    return Open("unsettled", "{version}: not settled whether it is offered", version=version)


def _states(seen: TlsObservation) -> Iterable[tuple[Version, State]]:
    """Every version; one that nobody wrote down is unknown."""
    return ((version, seen.versions.get(version, State.UNKNOWN)) for version in Version)


def _some(seen: TlsObservation, versions: Iterable[Version]) -> bool:
    return any(seen.versions.get(v) in (State.ACCEPTED, State.UNKNOWN) for v in versions) or any(
        state is State.ACCEPTED for state in seen.versions.values()
    )


def _unlooked(seen: TlsObservation, from_version: Version = Version.TLS_1_3) -> Problems:
    """Versions of which it is open whether they are offered, and so what they would accept."""
    for version, state in _states(seen):
        if version.rank > from_version.rank:
            continue
        if state is State.UNKNOWN:
            yield _version_open(version)
        elif state is State.ACCEPTED and not seen.suites.get(version):
            yield Open("unseen", "{version}: no accepted suite was seen", version=version)


def _unsettled_suites(seen: TlsObservation, bad: Callable[[str], bool]) -> Problems:
    for version, names in seen.unknown.items():
        for name in names.suites:
            if bad(name):
                yield Open(
                    "unsettled",
                    "{version} {suite}: not settled whether it is accepted",
                    version=version,
                    suite=name,
                )


def _unwanted(seen: TlsObservation, state: State, problem: str, matter: str) -> Problems:
    if state is State.ACCEPTED:
        yield Problem("on", problem)
    elif state is State.UNKNOWN or seen.contradictions:  # not every server need be alike
        yield Open("unsettled", "not settled: {matter}", matter=matter)


def _wanted(seen: TlsObservation, state: State, problem: str, matter: str) -> Problems:
    if state is State.REFUSED:
        yield Problem("off", problem)
    elif state is State.UNKNOWN or seen.contradictions:
        yield Open("unsettled", "not settled: {matter}", matter=matter)


def _deep(seen: TlsObservation, name: str) -> State:
    state = getattr(seen.deep, name) if seen.deep else State.UNKNOWN
    assert isinstance(state, State)
    return state


def _level(name: str, levels: tuple[frozenset[str], ...]) -> int:
    return next((i for i, level in enumerate(levels) if name in level), len(levels))


def _finite(name: str) -> bool:
    suite = SUITE_BY_NAME.get(name)
    return bool(suite and suite.finite)


def _old_signatures(seen: TlsObservation) -> Problems:
    """Versions before TLS 1.2 sign with MD5 and SHA-1 put together, and know nothing else."""
    for version, names in seen.suites.items():
        if version.rank < Version.TLS_1_2.rank and any(_signed(name) for name in names):
            yield Problem("old", "{version} signs with MD5 and SHA-1", version=version)


def _signed(name: str) -> bool:
    suite = SUITE_BY_NAME.get(name)
    return bool(suite and suite.signed)


def _static_rsa(name: str) -> bool:
    suite = SUITE_BY_NAME.get(name)
    return bool(suite and suite.key_exchange == "RSA")


def _any_suite(seen: TlsObservation, part: str) -> bool:
    return any(part in name for names in seen.suites.values() for name in names)


def _modern_only(seen: TlsObservation) -> bool:
    return all(
        state is (State.ACCEPTED if version is Version.TLS_1_3 else State.REFUSED)
        for version, state in _states(seen)
    )
