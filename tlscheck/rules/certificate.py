"""What is good in certificates. Judged are the chains that answer to the asked name."""

from __future__ import annotations

import ipaddress
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta

from tlscheck.model import Evidence, Note, Open, Problem, Reason, State
from tlscheck.observations.certificate import (
    Certificate,
    CertificateObservation,
    Chain,
    Revocation,
    Standing,
    Staple,
    Trust,
)
from tlscheck.observations.revocation import not_current
from tlscheck.rules.core import NotApplicable, Problems, rule

CLOCK_SKEW = 300
"""Seconds by which clocks may differ before dates prove nothing."""


@dataclass(frozen=True, slots=True)
class Trusted:
    """The stores (``mozilla``, ``apple``, ``microsoft``, ``google``, ``java``) that must know the
    root."""

    stores: frozenset[str]


@rule("RFC 5280, section 6")
def trusted(seen: CertificateObservation, want: Trusted) -> Problems:
    """The certificate is trusted by every client that counts.

    A client that finds no valid path from the certificate to a root that it knows shows a warning,
    and users who learn to click warnings away are lost. Get the certificate from a public CA, and
    install it together with the intermediate certificates that the CA delivers: nginx wants both
    in one file, the server's own first (``ssl_certificate fullchain.pem``), and so does Apache
    since 2.4.8 (``SSLCertificateFile``). Where a private CA is meant to be used, name its root
    with ``--ca-file``.
    """
    yield from _unseen(seen)
    for chain in seen.asked():
        match chain.path.state:
            case _ if _clock_is_off(seen) and (
                chain.path.of_time or chain.path.state is State.ACCEPTED
            ):
                yield _clock(seen)
            case State.REFUSED:
                yield Problem(
                    "no_path",
                    "the {key} certificate has no valid path to a root: {objection}",
                    key=chain.leaf.key,
                    objection=chain.path.detail,
                )
            case State.UNKNOWN:
                yield _path_unknown(chain)
            case State.ACCEPTED:
                yield from _stores(seen, chain, want)
        yield from _strict(chain)


def _stores(seen: CertificateObservation, chain: Chain, want: Trusted) -> Iterator[Evidence]:
    if chain.ca_file and chain.ca_file.state is State.ACCEPTED:
        yield Note(
            "own_ca",
            "the {key} certificate leads to a root that was given with --ca-file",
            key=chain.leaf.key,
        )
        return
    for store in sorted(want.stores):
        known = {"store": store, "date": seen.trust_dates.get(store, "")}
        match chain.trust.get(store, Trust()).state:
            case State.ACCEPTED:
                yield Note("in_store", "{store} (as of {date}) knows the root", **known)
            case State.REFUSED:
                yield Problem(
                    "not_in_store",
                    "the {key} certificate leads to no root of {store} (as of {date})",
                    key=chain.leaf.key,
                    **known,
                )
            case State.UNKNOWN:
                yield Open(
                    "store_unknown",
                    "whether {store} knows the root of the {key} certificate is not known",
                    store=store,
                    key=chain.leaf.key,
                )


def _strict(chain: Chain) -> Iterator[Evidence]:
    if chain.strict.state is State.REFUSED:
        yield Note(
            "strict",
            "a verifier that takes the Web PKI's rules to the letter objects: {objection}",
            objection=chain.strict.detail,
        )
    elif chain.strict.state is State.UNKNOWN:
        yield Note(
            "strict_unknown", "the strict check was not made: {why}", why=chain.strict.detail
        )


@rule("RFC 5280, section 6")
def publicly_issued(seen: CertificateObservation) -> Problems:
    """The certificate comes from a public CA.

    Patients use devices that nobody administers: they know the roots that came with the system,
    and should never be told to install another. Replace a certificate of a private CA by one from
    a public CA; the name then has to be a public one.
    """
    yield from _unseen(seen)
    for chain in seen.asked():
        # Microsoft's list has many roots that are not for servers: by itself it proves nothing.
        known = {name: word.state for name, word in chain.trust.items()}
        microsoft = known.pop("microsoft", State.REFUSED)
        if State.ACCEPTED in known.values():
            continue
        if not known or State.UNKNOWN in (*known.values(), microsoft):
            yield _path_unknown(chain)
        elif microsoft is State.ACCEPTED:
            yield Open(
                "microsoft_only",
                "only Microsoft knows the root, and not all of its roots are for servers",
            )
        else:
            yield Problem(
                "not_public",
                "the {key} certificate leads to no public root; its issuer is {issuer}",
                key=chain.leaf.key,
                issuer=chain.following[-1].issuer,
            )


@dataclass(frozen=True, slots=True)
class Distrusted:
    """Organisations whose CAs are no longer trusted by those who run the stores."""

    organisations: frozenset[str]
    open: frozenset[str] = frozenset()
    """Those whom only some have given up."""


@rule("CA/Browser Forum Baseline Requirements")
def distrusted_issuer(seen: CertificateObservation, want: Distrusted) -> Problems:
    """No CA in the path is one that browsers have given up.

    Browsers take back their trust in a CA step by step, often only for certificates issued after a
    certain day, so the certificate may still work today. Order the next one from another CA.
    """
    yield from _unseen(seen)
    distrusted = {_normal(name) for name in want.organisations}
    doubted = {_normal(name) for name in want.open}
    for chain in seen.asked():
        there = (*chain.certificates, *chain.way)
        names = {name for c in there for name in (c.organisation, c.issuer_organisation) if name}
        for name in sorted(names):
            if _normal(name) in distrusted:
                yield Problem(
                    "distrusted", "the CA {organisation} is in the path", organisation=name
                )
            elif _normal(name) in doubted:
                yield Open(
                    "doubted",
                    "the CA {organisation} is in the path; only some browsers have given it up",
                    cause="open_question",
                    organisation=name,
                )
        if _open_end(chain) or any(_unread(c, "names") for c in there):
            yield _path_unknown(chain)


@rule("RFC 9525, section 6", "RFC 5280, section 4.2.1.6")
def names(seen: CertificateObservation) -> Problems:
    """The certificate is for the name that was asked.

    Clients compare the name in the address bar with the subjectAltName; the common name has not
    counted since 2017, and a wildcard stands for exactly one label. Have the certificate issued
    for every name that the service has. Where several names share an address, check that the
    virtual host (``server_name`` in nginx, ``ServerName`` in Apache) that has the certificate is
    the one that answers.
    """
    yield from _unseen(seen)
    for chain in seen.asked():
        if _unread(chain.leaf, "extensions"):
            yield _unreadable(chain)
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
    yield from _unseen(seen)
    if _clock_is_off(seen):
        yield _clock(seen)
        return
    for cert in _judged(seen):
        if cert.not_before is None or cert.not_after is None:
            yield _unreadable_one(cert)
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
    yield from _unseen(seen)
    for chain in seen.asked():
        leaf = chain.leaf
        if leaf.not_before is None or leaf.not_after is None:
            yield _unreadable(chain)
            continue
        issued = leaf.not_before.date()
        begun = [limit for limit in want.limits if limit.issued_from <= issued]
        # Both ends belong to it (RFC 5280): it is a second longer than the difference.
        length = leaf.not_after - leaf.not_before + timedelta(seconds=1)
        if begun and length > timedelta(days=(now := max(begun, key=_begin)).days):
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
    yield from _unseen(seen)
    if _clock_is_off(seen):
        yield _clock(seen)
        return
    for cert in _judged(seen):
        if cert.not_after is None:
            yield _unreadable_one(cert)
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
    yield from _unseen(seen)
    least = {"RSA": want.rsa, "DSA": want.rsa}
    least |= dict.fromkeys(("ECDSA", "Ed25519", "Ed448"), want.ec)
    for chain in seen.asked():
        leaf = chain.leaf
        if leaf.key not in least:
            yield _unreadable(chain)
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
    if _all_seen(seen) and all(c.leaf.key and not c.leaf.curve for c in chains):
        raise NotApplicable("no_curve", "no certificate has an elliptic-curve key")
    yield from _unseen(seen)
    for chain in chains:
        leaf = chain.leaf
        if not leaf.key:
            yield _unreadable(chain)
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
    yield from _unseen(seen)
    for chain in seen.asked():
        for cert in chain.judged:
            if _unread(cert, "signature"):
                yield _unreadable_one(cert)
            elif cert.signature_hash in want.forbid:
                yield Problem(
                    "weak_hash",
                    "the certificate of {subject} is signed with {hash}",
                    subject=cert.subject,
                    hash=cert.signature_hash,
                )
        if _open_end(chain):
            yield _path_unknown(chain)


@rule("RFC 8446, section 4.4.2", "RFC 5246, section 7.4.2")
def chain(seen: CertificateObservation) -> Problems:
    """The chain is complete.

    A server has to send the certificates between its own and the root. Browsers often find a
    missing one by themselves; apps, scripts and other servers do not, and then fail. Append the
    CA's intermediate certificate to the file that ``ssl_certificate`` (nginx) or
    ``SSLCertificateFile`` (Apache) names, after the server's own, and leave the root out.
    """
    yield from _unseen(seen)
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
    yield from _unseen(seen)
    for one in seen.asked():
        if _unread(one.leaf, "names"):
            yield _unreadable(one)
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
    if _all_seen(seen) and all(c.trust and _private(c) for c in chains):
        raise NotApplicable("private", "the logs take only certificates of public CAs")
    yield from _unseen(seen)
    for one in chains:
        if one.trust and _private(one):
            continue
        staple = one.staple or Staple()
        logs = {*one.leaf.sct_logs, *(one.tls_sct_logs or ()), *staple.sct_logs}
        if len(logs) >= want.minimum:
            continue
        # Timestamps may also come in the handshake or in the stapled response.
        elsewhere = one.tls_sct_logs is None or one.stapling is State.UNKNOWN
        unsure = one.staple is not None and one.staple.standing is Standing.UNKNOWN
        if elsewhere or unsure or _unread(one.leaf, "extensions"):
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
    if not judged and _all_seen(seen):
        raise NotApplicable("no_responder", "the certificate names no OCSP responder")
    yield from _unseen(seen)
    for one in judged:
        match one.stapling:
            case _ if _unread(one.leaf, "extensions"):
                yield _unreadable(one)
            case State.REFUSED:
                yield Problem(
                    "none", "nothing is stapled to the {key} certificate", key=one.leaf.key
                )
            case State.UNKNOWN:
                yield Open("not_looked", "a stapled response was not asked for")
            case State.ACCEPTED:
                yield from _stapled(seen, one, one.staple or Staple())


def _is_staplable(leaf: Certificate) -> bool:
    return bool(leaf.ocsp) or leaf.must_staple or _unread(leaf, "extensions")


def _stapled(seen: CertificateObservation, one: Chain, staple: Staple) -> Iterator[Evidence]:
    match staple.standing:
        case Standing.GOOD if _clock_is_off(seen):
            yield _clock(seen)
        case Standing.GOOD if stale := not_current(staple, seen.at):
            yield Problem("stale", "the stapled response is {stale}", stale=stale)
        case Standing.REVOKED:
            yield Problem("revoked", "the stapled response says that the certificate was revoked")
        case Standing.UNKNOWN if not one.way:
            yield _path_unknown(one)
        case Standing.UNKNOWN:
            yield Problem("no_good", "the stapled response is no good: {why}", why=staple.detail)


@rule("RFC 5280, section 6.3", "RFC 6960")
def revocation(seen: CertificateObservation) -> Problems:
    """No certificate of the path was revoked.

    A CA revokes a certificate whose key was stolen or whose data were wrong; some clients then
    refuse it at once, others days later. Make a new key, have a new certificate issued for it and
    install it now; then find out from the CA why.
    """
    if _all_seen(seen) and all(_sourceless(one) for one in seen.asked()):
        raise NotApplicable(
            "no_source", "the certificates of this private CA name no source of revocation data"
        )
    yield from _unseen(seen)
    for one in seen.asked():
        words = {word.certificate: word for word in one.revocation}
        if len(one.way) < 2:
            yield _path_unknown(one)
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
            elif _clock_is_off(seen):
                yield _clock(seen)


def _sourceless(one: Chain) -> bool:
    """Whether a private CA's path is known whole and names nobody who could be asked."""
    private = bool(one.trust) and all(w.state is State.REFUSED for w in one.trust.values())
    return (
        private
        and len(one.way) > 1
        and not any(_unread(cert, "extensions") for cert in one.way[:-1])
        and not any(cert.ocsp or cert.crl for cert in one.way[:-1])
    )


@rule("CRYPTREC GL-3001")
def key_reuse(seen: CertificateObservation) -> Problems:
    """The key of the certificate is not used elsewhere.

    Whoever has the key of one server can play all others that use the same one, and a key that
    came with a device is known to everybody who has the device. Make a key for each service on the
    machine that uses it, and a new one for each renewal.
    """
    unread = [_unreadable(one) for one in seen.asked() if _unread(one.leaf, "key")]
    alone = seen.key_shared_with is None and not seen.key_unseen_at
    if alone and _all_seen(seen) and not unread:
        raise NotApplicable("alone", "no other target was looked at")
    yield from (*_unseen(seen), *unread)
    if seen.key_unseen_at:
        yield Open(
            "unseen-elsewhere",
            "the certificates of {targets} were not seen",
            targets=seen.key_unseen_at,
        )
    for target in seen.key_shared_with or ():
        yield Problem("shared", "{target} has the same key", target=target)


def _all_seen(seen: CertificateObservation) -> bool:
    """Whether no certificate can be missing."""
    return not list(_unseen(seen))


def _unseen(seen: CertificateObservation) -> Iterator[Evidence]:
    if not any(chain.certificates for chain in seen.asked()):
        yield Open("none", "no certificate was seen")
    if seen.maybe_more:
        yield Open("maybe_more", "not settled whether the server has other certificates as well")
    for key in seen.unseen:
        yield Open(
            "unseen", "the server has another certificate, {key}, that was not looked at", key=key
        )


def _unread(cert: Certificate, part: str) -> bool:
    return part in cert.unread or "certificate" in cert.unread


def _unreadable(one: Chain) -> Open:
    return _unreadable_one(one.leaf)


def _unreadable_one(cert: Certificate) -> Open:
    return Open(
        "unreadable",
        "the certificate {subject} cannot be read: {parts}",
        cause=Reason.MALFORMED,
        subject=cert.subject or cert.sha256,
        parts=cert.unread,
    )


def _path_unknown(one: Chain) -> Open:
    return Open(
        "path_unknown",
        "where the {key} certificate leads is not known: {detail}",
        key=one.leaf.key,
        detail=one.path.detail,
    )


def _open_end(one: Chain) -> bool:
    """The path goes on where nothing was seen of it."""
    return not one.way and not one.following[-1].self_issued


def _private(one: Chain) -> bool:
    return all(word.state is State.REFUSED for word in one.trust.values())


def _judged(seen: CertificateObservation) -> list[Certificate]:
    """The certificates of all paths but the roots, each once."""
    return list({c.sha256: c for one in seen.asked() for c in one.judged}.values())


def _clock_is_off(seen: CertificateObservation) -> bool:
    return seen.clock_skew is not None and abs(seen.clock_skew) > CLOCK_SKEW


def _clock(seen: CertificateObservation) -> Open:
    return Open(
        "clock",
        "our clock and the server's differ by {seconds} seconds",
        cause=Reason.CLOCK,
        seconds=round(seen.clock_skew or 0),
    )


def _normal(name: str) -> str:
    return " ".join(unicodedata.normalize("NFKC", name).casefold().split())
