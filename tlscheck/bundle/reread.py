"""Observations made again of the bytes that are kept, and held against those in the scan.

A check gives what does not follow. What only a live connection shows cannot be made again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import fields
from datetime import datetime
from functools import partial

from tlscheck.bundle import whose
from tlscheck.bundle.contents import SCAN, certificates
from tlscheck.model import Look, State
from tlscheck.observations import kept, revocation
from tlscheck.observations import registration as registry
from tlscheck.observations.certificate import (
    Certificate,
    CertificateObservation,
    Chain,
    Presented,
    certificate,
    parse,
    presented,
)
from tlscheck.observations.exchange import Exchange
from tlscheck.observations.fold import fold
from tlscheck.observations.registration import Layout, Record, RegistrationObservation
from tlscheck.observations.tls import TlsObservation
from tlscheck.text import _N, Phrase

Files = Mapping[str, bytes]
Check = Callable[[Files, int, Look], Iterator[Phrase]]

_NOT_FOLDED = frozenset({"client_certificate", "deep", "ticket_lifetimes", "cut_short"})
"""What live handshakes, the child and the engine told."""


def _tls(files: Files, number: int, look: Look) -> Iterator[Phrase]:
    seen = look.seen["tls"]
    assert isinstance(seen, TlsObservation)
    name = f"targets/{number}/tls.jsonl"
    try:
        exchanges = _exchanges(files, number)
        again = fold(exchanges, seen.at, seen.rung)
    except ValueError as error:
        yield _unreadable(name, error)
        return
    names = [f.name for f in fields(seen) if f.name not in _NOT_FOLDED]
    wrong = tuple(n for n in names if getattr(seen, n) != getattr(again, n))
    if wrong := (*wrong, *whose.dated(seen.at, exchanges)):
        yield Phrase("tls: {fields} do not follow from {name}", fields=wrong, name=name)
    yield from whose.names(look.target.target, exchanges, name)


def _exchanges(files: Files, number: int) -> list[Exchange]:
    return kept.read_exchanges(_there(files, f"targets/{number}/tls.jsonl"))


def _there(files: Files, name: str) -> bytes:
    if name not in files:
        raise ValueError(_N("it is missing"))
    return files[name]


def _unreadable(name: str, error: ValueError) -> Phrase:
    return Phrase("{name} cannot be read: {detail}", name=name, detail=str(error))


def _certificate(files: Files, number: int, look: Look) -> Iterator[Phrase]:
    seen = look.seen["certificate"]
    assert isinstance(seen, CertificateObservation)
    for cert in dict.fromkeys(certificates(look)):
        if not _reads_as(cert, files):
            yield Phrase(
                "certificate: what is said of {digest} does not follow from it", digest=cert.sha256
            )
    name = f"targets/{number}/certificate.jsonl"
    try:
        sent = kept.read_presented(_there(files, name), partial(_by_digest, files))
    except ValueError as error:
        yield _unreadable(name, error)
        return
    for chain in seen.chains:
        if not any(_shows(each, chain, seen, files) for each in sent):
            digest = chain.certificates[0].sha256 if chain.certificates else "-"
            yield Phrase(
                "certificate: the chain of {digest} does not follow from {name}",
                digest=digest,
                name=name,
            )
    yield from _of_target(files, look, seen)
    yield from _in_clear(files, number, sent, seen.at)


def _of_target(files: Files, look: Look, seen: CertificateObservation) -> Iterator[Phrase]:
    """Whether the chains are held against the target's own name, and were there at that time."""
    place = look.target.target
    if place and seen.asked_name != (place.sni or place.host):
        yield _unfounded(("asked_name",), SCAN)
    for chain in seen.chains:
        leaf = f"certificates/{chain.certificates[0].sha256}.der" if chain.certificates else ""
        if whose.later(files.get(leaf, b""), chain, seen.at):
            yield _unfounded(("at",), leaf)


def _unfounded(names: tuple[str, ...], file: str) -> Phrase:
    return Phrase("certificate: {fields} do not follow from {name}", fields=names, name=file)


def _reads_as(cert: Certificate, files: Files) -> bool:
    """Whether *cert* is what its own bytes say; of one too large to be kept there are none."""
    if not cert.der:
        return cert == Certificate(cert.sha256, "", ("certificate",))
    return certificate(files.get(f"certificates/{cert.sha256}.der", b"")) == cert


def _by_digest(files: Files, digest: str) -> bytes:
    return _there(files, f"certificates/{digest}.der")


def _shows(sent: Presented, chain: Chain, seen: CertificateObservation, files: Files) -> bool:
    """Whether *chain* is how *sent* reads, with the same word of the OCSP response in it."""
    again = parse(sent)
    names = ("certificates", "sent", "with_sni", "in_order", "needless", "stapling", "tls_sct_logs")
    if any(getattr(again, n) != getattr(chain, n) for n in names):
        return False
    if not sent.stapled:
        return chain.staple is None
    issuer = files.get(f"certificates/{chain.way[1].sha256}.der") if chain.way[1:] else None
    return chain.staple == revocation.staple(sent.stapled, sent.chain[0], issuer, seen.at)


def _in_clear(
    files: Files, number: int, sent: Sequence[Presented], at: datetime
) -> Iterator[Phrase]:
    """Chains that the exchanges show must not be left out, nor be looked at later than these."""
    if f"targets/{number}/tls.jsonl" not in files:
        return
    known = {each.chain for each in sent}
    try:
        exchanges = _exchanges(files, number)
    except ValueError:  # is said of the exchanges
        return
    if wrong := whose.dated(at, exchanges):
        yield _unfounded(wrong, f"targets/{number}/tls.jsonl")
    for each in presented(exchanges):
        if each.chain not in known:
            yield Phrase("certificate: a chain in the exchanges was left out")


_PARSERS: Mapping[Layout, Callable[..., Record]] = {
    Layout.RDAP: registry.from_rdap,
    Layout.ICANN: registry.from_whois,
    Layout.GENERAL_USE: registry.from_jprs,
    Layout.ATTRIBUTE_TYPE: registry.from_jprs,
}
_CUT = frozenset({"registrar", "holder"})
"""What RDAP answers say in contacts, which are kept in another form."""


def _registration(files: Files, number: int, look: Look) -> Iterator[Phrase]:
    seen = look.seen["registration"]
    assert isinstance(seen, RegistrationObservation)
    record, name = seen.record, f"targets/{number}/registration.txt"
    if (record.layout, record.registered, record.text) == (Layout.RDAP, State.REFUSED, ""):
        return  # the status of the answer told, which has no text
    try:
        text = _there(files, name)
        again = _PARSERS[record.layout](text, record.domain, record.server, record.asked)
    except ValueError as error:
        yield _unreadable(name, error)
        return
    left_out = {"text"} | (_CUT if record.layout is Layout.RDAP else set())
    names = [f.name for f in fields(record) if f.name not in left_out]
    wrong = tuple(n for n in names if getattr(record, n) != getattr(again, n))
    if wrong or text != record.text.encode():
        yield Phrase(
            "registration: {fields} do not follow from {name}", fields=wrong or ("text",), name=name
        )


CHECKS: Mapping[str, Check] = {
    "tls": _tls,
    "certificate": _certificate,
    "registration": _registration,
}
"""The subjects of which bytes are kept."""
