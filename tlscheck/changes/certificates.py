"""How the certificates of an endpoint differ, and whether an end has come nearer."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime

from tlscheck.changes.change import Change, Direction, Origin
from tlscheck.model import Look, Severity, Value
from tlscheck.observations.certificate import Certificate, CertificateObservation
from tlscheck.text import _N

HORIZON: Mapping[int, Severity] = {
    60: Severity.INFO,
    30: Severity.LOW,
    14: Severity.MEDIUM,
    7: Severity.HIGH,
    1: Severity.CRITICAL,
    0: Severity.CRITICAL,
}
"""How many days before its end a certificate is told of, and how urgent that is; 0: it is over."""

NEW = _N("a new certificate, valid until {now}; the one before was valid until {before}")
UNREAD = _N("a new certificate, SHA-256 {now}; before: {before}")
KEY = _N("the certificate has a new key: {key}, SHA-256 {now}; before: {before}")
ISSUER = _N("the certificate is from another issuer: {now}; before: {before}")
NAMES = _N("the certificate is for {now}; before: {before}")
ENDS = _N("the certificate ends in {days} days or less, on {moment}")
OVER = _N("the certificate ended on {moment}")


def sent(look: Look) -> frozenset[tuple[str, ...]]:
    """The chains that an endpoint sends, by the digests of their certificates."""
    seen = look.seen.get("certificate")
    chains = seen.chains if isinstance(seen, CertificateObservation) else ()
    return frozenset(tuple(one.sha256 for one in chain.certificates) for chain in chains)


def differences(
    target: str, before: CertificateObservation, after: CertificateObservation
) -> Iterator[Change]:
    """What is new about the certificates of *after*.

    One that is not met any more proves nothing: an endpoint may have several.
    """
    old = {leaf.sha256: leaf for leaf in _leaves(before)}
    for leaf in _leaves(after):
        if old and leaf.sha256 not in old:
            yield from _replaced(target, _counterpart(leaf, old, after), leaf, old)
    yield from _nearer(target, before, after)


def _leaves(seen: CertificateObservation) -> Iterator[Certificate]:
    known = {chain.leaf.sha256: chain.leaf for chain in seen.chains if chain.certificates}
    yield from known.values()


def _counterpart(
    leaf: Certificate, old: Mapping[str, Certificate], after: CertificateObservation
) -> Certificate:
    """The certificate that *leaf* most likely took the place of."""
    still = {each.sha256 for each in _leaves(after)}
    return min(old.values(), key=lambda each: (each.key != leaf.key, each.sha256 in still))


def _replaced(
    target: str, was: Certificate, now: Certificate, old: Mapping[str, Certificate]
) -> Iterator[Change]:
    def told(what: str, template: str, **values: Value) -> Change:
        return Change(Origin.ENDPOINT, target, "certificate", what, template, values)

    if was.not_after and now.not_after:
        marks = {"sha256_before": was.sha256, "sha256": now.sha256}
        yield told("new", NEW, before=_text(was.not_after), now=_text(now.not_after), **marks)
    else:
        yield told("new", UNREAD, before=was.sha256, now=now.sha256)
    if now.spki_sha256 and now.spki_sha256 not in {each.spki_sha256 for each in old.values()}:
        key = f"{now.key} {now.curve or now.key_bits}"
        yield told("new-key", KEY, key=key, before=was.spki_sha256, now=now.spki_sha256)
    if now.issuer != was.issuer:
        yield told("new-issuer", ISSUER, before=was.issuer, now=now.issuer)
    if _names(now) != _names(was):
        yield told("new-names", NAMES, before=_names(was), now=_names(now))


def _names(certificate: Certificate) -> tuple[str, ...]:
    return tuple(sorted({*certificate.names, *certificate.addresses}))


def _nearer(
    target: str, before: CertificateObservation, after: CertificateObservation
) -> Iterator[Change]:
    """The end of the certificate that ends first, where it is nearer by a step of `HORIZON`."""
    end = _end(after)
    if end is None:
        return
    now, was = _step(end, after.at), _step(_end(before), before.at)
    if now is None or (was is not None and was <= now):
        return
    moment = _text(end)
    values: dict[str, Value] = {"days": now, "moment": moment} if now else {"moment": moment}
    yield Change(
        Origin.ENDPOINT,
        target,
        "certificate",
        "ends" if now else "over",
        ENDS if now else OVER,
        values,
        HORIZON[now],
        Direction.WORSE,
    )


def _end(seen: CertificateObservation) -> datetime | None:
    return min((leaf.not_after for leaf in _leaves(seen) if leaf.not_after), default=None)


def _step(end: datetime | None, at: datetime) -> int | None:
    """The nearest step of `HORIZON` that *end* is within at *at*."""
    if end is None:
        return None
    left = (end - at).total_seconds() / 86400
    return min((days for days in HORIZON if left <= days), default=None)


def _text(moment: datetime) -> str:
    return moment.isoformat().replace("+00:00", "Z")
