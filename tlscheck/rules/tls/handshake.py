"""How handshakes are guarded, and what goes on beside them."""

from __future__ import annotations

from dataclasses import dataclass

from tlscheck.model import Note, Open, Problem, State
from tlscheck.observations.tls import Demand, Names, TlsObservation
from tlscheck.rules.core import NotApplicable, Problems, rule
from tlscheck.rules.tls.states import (
    any_suite,
    deep,
    modern_only,
    states,
    static_rsa,
    unlooked,
    unsettled_suites,
)
from tlscheck.wire.registry import Version


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
    if not any_suite(seen, "_CBC_"):
        doubts = [
            *unsettled_suites(seen, lambda name: "_CBC_" in name),
            *unlooked(seen, from_version=Version.TLS_1_2),
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
    accepted = [v for v, state in states(seen) if state is State.ACCEPTED]
    unknown = [v for v, state in states(seen) if state is State.UNKNOWN]
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
            seen, deep(seen, "heartbleed"), "Heartbleed: memory is sent", "Heartbleed"
        )


@rule("CVE-2017-13099", "RFC 9325, section 4.1")
def robot(seen: TlsObservation) -> Problems:
    """RSA key exchange gives no padding oracle.

    The ROBOT attack decrypts recorded sessions. Remove suites with RSA key exchange.
    """
    if not any(static_rsa(n) for names in seen.suites.values() for n in names):
        yield from unsettled_suites(seen, static_rsa)
        yield from unlooked(seen, from_version=Version.TLS_1_2)
        yield Note("no-rsa", "no suite with RSA key exchange was seen to be accepted")
    else:
        yield from _unwanted(seen, deep(seen, "robot"), "a ROBOT padding oracle answers", "ROBOT")


@rule("RFC 9325, section 3.5")
def client_renegotiation(seen: TlsObservation) -> Problems:
    """Clients cannot make the server renegotiate.

    Each renegotiation costs the server far more than the client. Current nginx and Apache refuse;
    update the library or the server.
    """
    if modern_only(seen):
        raise NotApplicable("tls13", "TLS 1.3 has no renegotiation")
    yield from _unwanted(
        seen,
        deep(seen, "client_renegotiation"),
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
    yield from _unwanted(seen, deep(seen, "early_data"), "early data is accepted", "early data")


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
        deep(seen, "crossing"),
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
    classic = [v for v, state in states(seen) if state is State.ACCEPTED and v not in giving]
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
    doubt = seen.cut_short or not any(state is State.ACCEPTED for _, state in states(seen))
    if doubt and not seen.contradictions:
        yield Open("cut", "the look was cut short before nodes could be compared")
    for what in seen.contradictions:
        yield Problem(
            "differ", "connections to this address contradict each other: {what}", what=what
        )


def _unwanted(seen: TlsObservation, state: State, problem: str, matter: str) -> Problems:
    """The *problem*, where the state is accepted, or that the *matter* is not settled."""
    if state is State.ACCEPTED:
        yield Problem("on", problem)
    elif state is State.UNKNOWN or seen.contradictions:  # not every server need be alike
        yield Open("unsettled", "not settled: {matter}", matter=matter)


def _wanted(seen: TlsObservation, state: State, problem: str, matter: str) -> Problems:
    """The *problem*, where the state is refused, or that the *matter* is not settled."""
    if state is State.REFUSED:
        yield Problem("off", problem)
    elif state is State.UNKNOWN or seen.contradictions:
        yield Open("unsettled", "not settled: {matter}", matter=matter)
