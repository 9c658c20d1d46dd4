"""What is good about QUIC, and whether HTTP/3 is as good as what the same server has over TCP.

QUIC has TLS 1.3 inside; suites can be asked but for the CCM ones, and ML-KEM cannot. Certificates
are not verified here but held against those of TCP, which are.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from tlscheck.model import Evidence, Note, Open, Problem, State
from tlscheck.observations.certificate import Certificate, CertificateObservation
from tlscheck.observations.quic import QuicObservation
from tlscheck.observations.tls import TlsObservation
from tlscheck.rules.core import NotApplicable, Problems, rule
from tlscheck.wire.registry import Version


@dataclass(frozen=True, slots=True)
class Versions:
    """Which versions of QUIC may be on offer."""

    allow: frozenset[str]


@rule("RFC 9000, section 15", "RFC 9369")
def versions(seen: QuicObservation, want: Versions) -> Problems:
    """Only versions of QUIC that are standards are offered.

    Drafts and vendors' own versions were made for trials; nobody looks after them any more, and
    Google's old ones have another encryption than TLS. Switch them off: in most servers by an
    update, since present ones have version 1 and 2 alone.
    """
    if silent := _silent(seen):
        yield silent
        return
    for name, state in seen.versions.items():
        if state is State.ACCEPTED and name not in want.allow:
            yield Problem("accepted", "{version} is accepted", version=name)
        elif state is State.ACCEPTED:
            yield Note("named", "{version} is accepted", version=name)
        elif state is State.UNKNOWN and name not in want.allow:
            yield Open("unsettled", "{version}: not settled whether it is accepted", version=name)
    if seen.negotiation is not State.ACCEPTED:
        yield Open("unlisted", "the server did not tell which versions of QUIC it has")


@dataclass(frozen=True)
class Suites:
    """Which cipher suites may be on offer."""

    allow: frozenset[str]
    open: frozenset[str] = frozenset()
    """Suites of which it is not known whether they may be."""


@rule("RFC 9001, section 5.3", "RFC 8446, appendix B.4")
def suites(seen: QuicObservation, want: Suites) -> Problems:
    """Only cipher suites that the profile lists are accepted over QUIC.

    HTTP/3 is another way to the same pages, and a browser that knows it takes it first. Most
    servers have one setting for TLS 1.3 over TCP and QUIC, in nginx ssl_conf_command Ciphersuites:
    set it to the suites listed.
    """
    if untold := _silent(seen) or _no_handshake(seen):
        yield untold
        return
    for name, state in seen.suites.items():
        if state is State.ACCEPTED and name in want.open - want.allow:
            yield Open(
                "open",
                "{suite} over QUIC: it is an open question whether the profile allows it",
                cause="open_question",
                suite=name,
            )
        elif state is State.ACCEPTED and name not in want.allow:
            yield Problem("accepted", "{suite} is accepted over QUIC", suite=name)
        elif state is State.UNKNOWN and name not in want.allow | want.open:
            yield _unsettled(name)


@rule("RFC 9114, section 3.1", "RFC 7838, section 2.1")
def same_as_tcp(
    seen: QuicObservation, tcp: TlsObservation, shown: CertificateObservation
) -> Problems:
    """Over QUIC there are no suites and certificates that TCP does not have.

    HTTP/3 often ends at another device or another part of the configuration, which is forgotten
    when certificates and settings change. Give both the same certificate and suites, or close the
    UDP port and take the Alt-Svc header out.
    """
    if untold := _silent(seen) or _no_handshake(seen):
        yield untold
        return
    yield from _suites_beside(seen, tcp)
    yield from _certificates_beside(seen, shown)
    if seen.accepted("alpn"):
        yield Note(
            "alpn",
            "protocols over QUIC: {quic}; over TCP: {tcp}",
            quic=seen.accepted("alpn"),
            tcp=tcp.alpn,
        )


# ---- parts -----------------------------------------------------------------------------------


def _silent(seen: QuicObservation) -> Open | None:
    """Why nothing can be said of a port that says nothing. NotApplicable where nothing is said to
    be there either."""
    if seen.answers is State.ACCEPTED:
        return None
    if seen.announced or seen.service == "quic":
        return Open(
            "silent",
            "HTTP/3 is announced and nothing was answered over QUIC",
            cause=seen.detail or "not_settled",
        )
    if seen.answers is State.REFUSED:
        raise NotApplicable("closed", "the UDP port is closed")
    raise NotApplicable("nobody", "no answer over QUIC, and no HTTP/3 is announced")


def _no_handshake(seen: QuicObservation) -> Open | None:
    if seen.canary is not State.UNKNOWN:
        return None
    return Open(
        "handshake",
        "no handshake was finished over QUIC, so its TLS was not seen",
        cause=seen.detail or "not_settled",
    )


def _unsettled(name: str) -> Open:
    return Open("unsettled", "{suite} over QUIC: not settled whether it is accepted", suite=name)


def _suites_beside(seen: QuicObservation, tcp: TlsObservation) -> Iterator[Evidence]:
    modern = tcp.versions.get(Version.TLS_1_3, State.UNKNOWN)
    for name, state in seen.suites.items():
        beside = tcp.settled(Version.TLS_1_3, "suites", name)
        if modern is State.REFUSED:
            beside = State.REFUSED
        if state is State.REFUSED or beside is State.ACCEPTED:
            continue
        if state is State.ACCEPTED and beside is State.REFUSED:
            yield Problem("suite", "{suite} is accepted over QUIC and not over TCP", suite=name)
        elif state is State.ACCEPTED:
            yield Open(
                "suite-tcp",
                "{suite} is accepted over QUIC; over TCP it is not settled",
                suite=name,
            )
        else:
            yield _unsettled(name)


def _certificates_beside(
    seen: QuicObservation, shown: CertificateObservation
) -> Iterator[Evidence]:
    leaves = tuple(chain.leaf for chain in shown.chains if chain.certificates)
    if not leaves:
        yield Open("tcp-certificate", "no certificate was seen over TCP to compare with")
        return
    for own in seen.certificates:
        if own.sha256 in {leaf.sha256 for leaf in leaves}:
            continue
        if own.unread or shown.maybe_more or own.key in shown.unseen:
            yield Open(
                "certificate",
                "the certificate of {name} over QUIC cannot be compared with all that TCP has",
                name=_title(own),
            )
        else:
            yield from _stranger(own, leaves)
    for kind, state in seen.keys.items():
        if state is State.UNKNOWN:
            yield Open(
                "keys", "not settled whether QUIC has a certificate with an {key} key", key=kind
            )


def _stranger(own: Certificate, leaves: tuple[Certificate, ...]) -> Iterator[Evidence]:
    """What sets a certificate apart from all those that TCP shows."""
    title = _title(own)
    if own.spki_sha256 not in {leaf.spki_sha256 for leaf in leaves}:
        yield Problem(
            "key",
            "the certificate of {name} over QUIC has a key that TCP does not show",
            name=title,
        )
    if _names(own) not in [_names(leaf) for leaf in leaves]:
        yield Problem(
            "names",
            "the certificate of {name} over QUIC is for other names than over TCP: {names}",
            name=title,
            names=tuple(sorted(_names(own))),
        )
    if own.issuer not in {leaf.issuer for leaf in leaves}:
        yield Problem(
            "issuer",
            "the certificate of {name} over QUIC has another issuer than over TCP: {issuer}",
            name=title,
            issuer=own.issuer,
        )
    yield Note("another", "the certificate of {name} over QUIC is not that of TCP", name=title)


def _title(one: Certificate) -> str:
    return one.common_name or next(iter(one.names), "") or one.subject or one.sha256[:16]


def _names(one: Certificate) -> frozenset[str]:
    return frozenset((*one.names, *one.addresses))
