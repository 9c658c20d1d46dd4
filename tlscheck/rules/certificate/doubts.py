"""What keeps a rule about certificates from being settled."""

from __future__ import annotations

from collections.abc import Iterator

from tlscheck.model import Evidence, Open, Reason, State
from tlscheck.observations.certificate import (
    Certificate,
    CertificateObservation,
    Chain,
)

CLOCK_SKEW = 300
"""Seconds by which clocks may differ before dates prove nothing."""


def all_seen(seen: CertificateObservation) -> bool:
    """Whether no certificate can be missing."""
    return not list(unseen(seen))


def unseen(seen: CertificateObservation) -> Iterator[Evidence]:
    """Certificates that the server has, or may have, and that were not seen."""
    if not any(chain.certificates for chain in seen.asked()):
        yield Open("none", "no certificate was seen")
    if seen.maybe_more:
        yield Open("maybe_more", "not settled whether the server has other certificates as well")
    for key in seen.unseen:
        yield Open(
            "unseen", "the server has another certificate, {key}, that was not looked at", key=key
        )


def lacks(cert: Certificate, part: str) -> bool:
    """Whether *part* of the certificate could not be read."""
    return part in cert.unread or "certificate" in cert.unread


def unreadable(one: Chain) -> Open:
    """That the certificate itself cannot be read."""
    return unreadable_one(one.leaf)


def unreadable_one(cert: Certificate) -> Open:
    """That a certificate, of whichever place in the chain, cannot be read."""
    return Open(
        "unreadable",
        "the certificate {subject} cannot be read: {parts}",
        cause=Reason.MALFORMED,
        subject=cert.subject or cert.sha256,
        parts=cert.unread,
    )


def path_unknown(one: Chain) -> Open:
    """That nobody knows where a certificate leads."""
    return Open(
        "path_unknown",
        "where the {key} certificate leads is not known: {detail}",
        key=one.leaf.key,
        detail=one.path.detail,
    )


def open_end(one: Chain) -> bool:
    """The path goes on where nothing was seen of it."""
    return not one.way and not one.following[-1].self_issued


def private(one: Chain) -> bool:
    """Whether no store knows its root."""
    return all(word.state is State.REFUSED for word in one.trust.values())


def judged(seen: CertificateObservation) -> list[Certificate]:
    """The certificates of all paths but the roots, each once."""
    return list({c.sha256: c for one in seen.asked() for c in one.judged}.values())


def clock_is_off(seen: CertificateObservation) -> bool:
    """Whether dates prove nothing."""
    return seen.clock_skew is not None and abs(seen.clock_skew) > CLOCK_SKEW


def clock(seen: CertificateObservation) -> Open:
    """That dates prove nothing."""
    return Open(
        "clock",
        "our clock and the server's differ by {seconds} seconds",
        cause=Reason.CLOCK,
        seconds=round(seen.clock_skew or 0),
    )
