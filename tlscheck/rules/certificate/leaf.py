"""What stands in the certificates."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from datetime import date, timedelta

from tlscheck.model import Open, Problem
from tlscheck.observations.certificate import (
    Certificate,
    CertificateObservation,
)
from tlscheck.rules.certificate.doubts import (
    all_seen,
    clock,
    clock_is_off,
    judged,
    lacks,
    open_end,
    path_unknown,
    unreadable,
    unreadable_one,
    unseen,
)
from tlscheck.rules.core import NotApplicable, Problems, rule


@rule("RFC 9525, section 6", "RFC 5280, section 4.2.1.6")
def names(seen: CertificateObservation) -> Problems:
    """The certificate is for the name that was asked.

    Clients compare the name in the address bar with the subjectAltName; the common name has not
    counted since 2017, and a wildcard stands for exactly one label. Have the certificate issued
    for every name that the service has. Where several names share an address, check that the
    virtual host (``server_name`` in nginx, ``ServerName`` in Apache) that has the certificate is
    the one that answers.
    """
    yield from unseen(seen)
    for chain in seen.asked():
        if lacks(chain.leaf, "extensions"):
            yield unreadable(chain)
        elif not _is_for(chain.leaf, seen.asked_name):
            yield Problem(
                "other_name",
                "the {key} certificate is not for {asked}, but for: {names}",
                key=chain.leaf.key,
                asked=seen.asked_name,
                names=chain.leaf.names + chain.leaf.addresses,
            )


def _is_for(leaf: Certificate, asked: str) -> bool:
    try:
        address = ipaddress.ip_address(asked)
    except ValueError:
        return any(_matches(name, asked) for name in leaf.names)
    return str(address) in leaf.addresses


def _matches(name: str, asked: str) -> bool:
    """RFC 9525, section 6.3: a wildcard is the whole of the first label, and stands for one."""
    want, have = asked.rstrip(".").casefold(), name.rstrip(".").casefold()
    if not have.startswith("*."):
        return want == have and "*" not in have
    first, _, rest = want.partition(".")
    return bool(first) and rest == have.removeprefix("*.") and "*" not in rest


@rule("RFC 5280, section 4.1.2.5")
def validity(seen: CertificateObservation) -> Problems:
    """The certificate is valid now.

    Clients refuse certificates before and after their time. Renew it and reload the server
    (``nginx -s reload``, ``apachectl graceful``): a new file by itself changes nothing. Let the
    renewal run by itself (ACME), and be warned when it did not.
    """
    yield from unseen(seen)
    if clock_is_off(seen):
        yield clock(seen)
        return
    for cert in judged(seen):
        if cert.not_before is None or cert.not_after is None:
            yield unreadable_one(cert)
        elif seen.at < cert.not_before:
            yield Problem(
                "not_yet",
                "{subject} is valid only from {day} on",
                subject=cert.subject,
                day=cert.not_before.isoformat(),
            )
        elif seen.at > cert.not_after:
            yield Problem(
                "expired",
                "{subject} expired on {day}",
                subject=cert.subject,
                day=cert.not_after.isoformat(),
            )


@dataclass(frozen=True, slots=True)
class Limit:
    """How many days a certificate issued from a day on may be valid."""

    issued_from: date
    days: int


@dataclass(frozen=True, slots=True)
class ValidityLength:
    """The limits, of which the latest that had begun when a certificate was issued counts."""

    limits: tuple[Limit, ...]


@rule("CA/Browser Forum Baseline Requirements, section 6.3.2")
def validity_length(seen: CertificateObservation, want: ValidityLength) -> Problems:
    """The certificate is not valid for longer than clients accept.

    The longer a certificate lives, the longer a stolen key or a wrong name does; browsers refuse
    public certificates that are issued for longer than allowed on their first day. Order a shorter
    one, and automate the renewal.
    """
    yield from unseen(seen)
    for chain in seen.asked():
        leaf = chain.leaf
        if leaf.not_before is None or leaf.not_after is None:
            yield unreadable(chain)
            continue
        issued = leaf.not_before.date()
        begun = [limit for limit in want.limits if limit.issued_from <= issued]
        # Both ends belong to it (RFC 5280): it is a second longer than the difference.
        length = leaf.not_after - leaf.not_before + timedelta(seconds=1)
        if begun and length > timedelta(days=(now := max(begun, key=_begin)).days):
            if length.days == now.days:
                yield Problem(
                    "too_long",
                    "the {key} certificate is valid for {seconds} seconds more than the {most} days"
                    " that are allowed; its last second counts",
                    key=leaf.key,
                    seconds=length.seconds,
                    most=now.days,
                )
                continue
            yield Problem(
                "too_long",
                "the {key} certificate is valid for {days} days; {most} are allowed",
                key=leaf.key,
                days=length.days,
                most=now.days,
            )


def _begin(limit: Limit) -> date:
    return limit.issued_from


@dataclass(frozen=True, slots=True)
class Expiry:
    """How many days before its end a certificate should have been renewed."""

    days: int


@rule("NIST SP 1800-16")
def expiry(seen: CertificateObservation, want: Expiry) -> Problems:
    """The certificate does not expire soon.

    Whoever renews on the last day has no time for what goes wrong. Renew it now, reload the
    server, and find out why that did not happen by itself.
    """
    yield from unseen(seen)
    if clock_is_off(seen):
        yield clock(seen)
        return
    for cert in judged(seen):
        if cert.not_after is None:
            yield unreadable_one(cert)
        elif cert.not_after <= seen.at:
            yield Problem(
                "expired",
                "{subject} expired on {day}",
                subject=cert.subject,
                day=cert.not_after.isoformat(),
            )
        elif cert.not_after - seen.at < timedelta(days=want.days):
            yield Problem(
                "soon",
                "{subject} expires on {day}, in {days} days",
                subject=cert.subject,
                day=cert.not_after.isoformat(),
                days=(cert.not_after - seen.at).days,
            )


@dataclass(frozen=True, slots=True)
class KeySize:
    """The least sizes in bits."""

    rsa: int
    ec: int


@rule("RFC 9325, section 4.5")
def key_size(seen: CertificateObservation, want: KeySize) -> Problems:
    """The key of the certificate is long enough.

    Short keys can be computed from the certificate. Make a new key (``openssl genpkey -algorithm
    EC -pkeyopt ec_paramgen_curve:P-256`` or ``-algorithm RSA -pkeyopt rsa_keygen_bits:3072``) and
    have a new certificate issued for it.
    """
    yield from unseen(seen)
    least = {"RSA": want.rsa, "DSA": want.rsa}
    least |= dict.fromkeys(("ECDSA", "Ed25519", "Ed448"), want.ec)
    for chain in seen.asked():
        leaf = chain.leaf
        if leaf.key not in least:
            yield unreadable(chain)
        elif leaf.key_bits < least[leaf.key]:
            yield Problem(
                "too_short",
                "the {key} key has {bits} bits; {least} are wanted",
                key=leaf.key,
                bits=leaf.key_bits,
                least=least[leaf.key],
            )


@dataclass(frozen=True, slots=True)
class KeyCurves:
    """The curves (``secp256r1``, ``Ed25519`` …) that the key may be of."""

    allow: frozenset[str]
    open: frozenset[str] = frozenset()


@rule("RFC 9325, section 4.5", "CRYPTREC GL-3001")
def key_curves(seen: CertificateObservation, want: KeyCurves) -> Problems:
    """The key of the certificate is of a well-known curve.

    Clients know few curves, and some curves are not as strong as they are long. Make a new key of
    P-256 or P-384 and have a new certificate issued for it.
    """
    chains = seen.asked()
    if all_seen(seen) and all(c.leaf.key and not c.leaf.curve for c in chains):
        raise NotApplicable("no_curve", "no certificate has an elliptic-curve key")
    yield from unseen(seen)
    for chain in chains:
        leaf = chain.leaf
        if not leaf.key:
            yield unreadable(chain)
        elif leaf.curve in want.open and leaf.curve not in want.allow:
            yield Open(
                "open_curve",
                "whether a key of the curve {curve} will do is an open question",
                cause="open_question",
                curve=leaf.curve,
            )
        elif leaf.curve and leaf.curve not in want.allow:
            yield Problem("curve", "the key is of the curve {curve}", curve=leaf.curve)


@dataclass(frozen=True, slots=True)
class SignatureHash:
    """Hashes that no signature in the path may rest on."""

    forbid: frozenset[str]


@rule("RFC 9325, section 4.5")
def signature_hash(seen: CertificateObservation, want: SignatureHash) -> Problems:
    """No signature in the path rests on a broken hash.

    Collisions of MD5 and SHA-1 can be bought, and with one a certificate can be forged. Have the
    certificate issued anew; where an intermediate certificate is signed so, take the newer one
    that the CA offers.
    """
    yield from unseen(seen)
    for chain in seen.asked():
        for cert in chain.judged:
            if lacks(cert, "signature"):
                yield unreadable_one(cert)
            elif cert.signature_hash in want.forbid:
                yield Problem(
                    "weak_hash",
                    "the certificate of {subject} is signed with {hash}",
                    subject=cert.subject,
                    hash=cert.signature_hash,
                )
        if open_end(chain):
            yield path_unknown(chain)
