"""What is sent with a certificate, and what its issuer and others say of it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from tlscheck.model import Evidence, Note, Open, Problem, Reason, State
from tlscheck.observations.certificate import (
    Certificate,
    CertificateObservation,
    Chain,
    Revocation,
    Standing,
    Staple,
)
from tlscheck.observations.revocation import not_current
from tlscheck.rules.certificate.doubts import (
    all_seen,
    clock,
    clock_is_off,
    lacks,
    path_unknown,
    private,
    unreadable,
    unseen,
)
from tlscheck.rules.core import NotApplicable, Problems, rule


@rule("RFC 8446, section 4.4.2", "RFC 5246, section 7.4.2")
def chain(seen: CertificateObservation) -> Problems:
    """The chain is complete.

    A server has to send the certificates between its own and the root. Browsers often find a
    missing one by themselves; apps, scripts and other servers do not, and then fail. Append the
    CA's intermediate certificate to the file that ``ssl_certificate`` (nginx) or
    ``SSLCertificateFile`` (Apache) names, after the server's own, and leave the root out.
    """
    yield from unseen(seen)
    for one in seen.asked():
        match one.missing_intermediate:
            case State.ACCEPTED:
                yield Problem(
                    "missing",
                    "the chain of the {key} certificate lacks what is found at {sources}",
                    key=one.leaf.key,
                    sources=one.completed_from,
                )
            case State.UNKNOWN:
                yield Open(
                    "missing_unknown",
                    "whether the chain of the {key} certificate is complete is not known: {detail}",
                    key=one.leaf.key,
                    detail=one.path.detail,
                )
        if not one.in_order:
            yield Note("order", "the certificates are not in the order of issuance")
        if one.needless:
            yield Note("needless", "sent without need: {subjects}", subjects=one.needless)
        if one.sent > len(one.certificates):
            yield Note("many", "{sent} certificates are sent", sent=one.sent)


@rule("RFC 9525, section 4")
def self_signed(seen: CertificateObservation) -> Problems:
    """The certificate is not self-signed.

    Nobody vouches for a self-signed certificate: a client cannot tell it from an attacker's. It is
    often the default of a device or a package that was left in place. Install one from a CA.
    """
    yield from unseen(seen)
    for one in seen.asked():
        if lacks(one.leaf, "names"):
            yield unreadable(one)
        elif one.leaf.self_issued:
            yield Problem(
                "self_signed", "{subject} has issued its own certificate", subject=one.leaf.subject
            )


@dataclass(frozen=True, slots=True)
class Transparency:
    """From how many logs there must be a timestamp."""

    minimum: int


@rule("RFC 6962", "RFC 9162")
def transparency(seen: CertificateObservation, want: Transparency) -> Problems:
    """The certificate is in Certificate Transparency logs.

    Browsers refuse public certificates without signed timestamps of several logs. The CA puts them
    into the certificate unless told otherwise: have it issued anew without that choice.
    """
    chains = seen.asked()
    if all_seen(seen) and all(c.trust and private(c) for c in chains):
        raise NotApplicable("private", "the logs take only certificates of public CAs")
    yield from unseen(seen)
    for one in chains:
        if one.trust and private(one):
            continue
        staple = one.staple or Staple()
        logs = {*one.leaf.sct_logs, *(one.tls_sct_logs or ()), *staple.sct_logs}
        if len(logs) >= want.minimum:
            continue
        # Timestamps may also come in the handshake or in the stapled response.
        elsewhere = one.tls_sct_logs is None or one.stapling is State.UNKNOWN
        unsure = one.staple is not None and one.staple.standing is Standing.UNKNOWN
        if elsewhere or unsure or lacks(one.leaf, "extensions"):
            yield Open(
                "few_seen",
                "timestamps of {count} logs were seen, and not all places were looked at",
                count=len(logs),
            )
        else:
            yield Problem(
                "few",
                "there are timestamps of {count} logs; {minimum} are wanted",
                count=len(logs),
                minimum=want.minimum,
            )


@rule("RFC 6066, section 8", "RFC 7633")
def stapling(seen: CertificateObservation) -> Problems:
    """A good OCSP response is stapled.

    Without it each client asks the CA whether the certificate was revoked, which tells the CA who
    visits whom, or does not ask at all. nginx: ``ssl_stapling on``, ``ssl_trusted_certificate``
    and a ``resolver``; Apache: ``SSLUseStapling on`` with ``SSLStaplingCache``.
    """
    judged = [c for c in seen.asked() if _is_staplable(c.leaf)]
    if not judged and all_seen(seen):
        raise NotApplicable("no_responder", "the certificate names no OCSP responder")
    yield from unseen(seen)
    for one in judged:
        match one.stapling:
            case _ if lacks(one.leaf, "extensions"):
                yield unreadable(one)
            case State.REFUSED:
                yield Problem(
                    "none", "nothing is stapled to the {key} certificate", key=one.leaf.key
                )
            case State.UNKNOWN:
                yield Open("not_looked", "a stapled response was not asked for")
            case State.ACCEPTED:
                yield from _stapled(seen, one, one.staple or Staple())


def _is_staplable(leaf: Certificate) -> bool:
    return bool(leaf.ocsp) or leaf.must_staple or lacks(leaf, "extensions")


def _stapled(seen: CertificateObservation, one: Chain, staple: Staple) -> Iterator[Evidence]:
    match staple.standing:
        case Standing.GOOD if clock_is_off(seen):
            yield clock(seen)
        case Standing.GOOD if stale := not_current(staple, seen.at):
            yield Problem("stale", "the stapled response is {stale}", stale=stale)
        case Standing.REVOKED:
            yield Problem("revoked", "the stapled response says that the certificate was revoked")
        case Standing.UNKNOWN if not one.way:
            yield path_unknown(one)
        case Standing.UNKNOWN:
            yield Problem("no_good", "the stapled response is no good: {why}", why=staple.detail)


@rule("RFC 5280, section 6.3", "RFC 6960")
def revocation(seen: CertificateObservation) -> Problems:
    """No certificate of the path was revoked.

    A CA revokes a certificate whose key was stolen or whose data were wrong; some clients then
    refuse it at once, others days later. Make a new key, have a new certificate issued for it and
    install it now; then find out from the CA why.
    """
    if all_seen(seen) and all(_sourceless(one) for one in seen.asked()):
        raise NotApplicable(
            "no_source", "the certificates of this private CA name no source of revocation data"
        )
    yield from unseen(seen)
    for one in seen.asked():
        words = {word.certificate: word for word in one.revocation}
        if len(one.way) < 2:
            yield path_unknown(one)
        for cert in one.way[:-1]:
            word = words.get(cert.sha256, Revocation(cert.sha256, detail=Reason.NOT_ASKED))
            if word.standing is Standing.REVOKED:
                yield Problem(
                    "revoked",
                    "{subject} was revoked ({source} says: {detail})",
                    subject=cert.subject,
                    source=word.source,
                    detail=word.detail,
                )
            elif word.standing is Standing.UNKNOWN:
                asked = word.detail != Reason.NOT_ASKED
                yield Open(
                    "not_known",
                    "whether {subject} was revoked is not known: {detail}",
                    cause="not_settled" if asked else Reason.NOT_ASKED,
                    subject=cert.subject,
                    detail=word.detail,
                )
            elif clock_is_off(seen):
                yield clock(seen)


def _sourceless(one: Chain) -> bool:
    """Whether a private CA's path is known whole and names nobody who could be asked."""
    return (
        bool(one.trust)
        and private(one)
        and len(one.way) > 1
        and not any(lacks(cert, "extensions") for cert in one.way[:-1])
        and not any(cert.ocsp or cert.crl for cert in one.way[:-1])
    )


@rule("CRYPTREC GL-3001")
def key_reuse(seen: CertificateObservation) -> Problems:
    """The key of the certificate is not used elsewhere.

    Whoever has the key of one server can play all others that use the same one, and a key that
    came with a device is known to everybody who has the device. Make a key for each service on the
    machine that uses it, and a new one for each renewal.
    """
    unread = [unreadable(one) for one in seen.asked() if lacks(one.leaf, "key")]
    alone = seen.key_shared_with is None and not seen.key_unseen_at
    if alone and all_seen(seen) and not unread:
        raise NotApplicable("alone", "no other target was looked at")
    yield from (*unseen(seen), *unread)
    if seen.key_unseen_at:
        yield Open(
            "unseen-elsewhere",
            "the certificates of {targets} were not seen",
            targets=seen.key_unseen_at,
        )
    for target in seen.key_shared_with or ():
        yield Problem("shared", "{target} has the same key", target=target)
