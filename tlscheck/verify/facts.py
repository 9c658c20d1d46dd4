"""What was seen of the matter of a claim, as one sentence of evidence beside its verdict."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType

from tlscheck.model import Evidence, Look, Note, State
from tlscheck.observations.certificate import CertificateObservation
from tlscheck.observations.http import HttpObservation
from tlscheck.observations.ports import PortsObservation, ranges
from tlscheck.observations.tls import TlsObservation


def shown(kind: str, look: Look) -> tuple[Evidence, ...]:
    """What *look* saw of the matter of claims of that *kind*."""
    tell = _TOLD_BY.get(kind)
    return tuple(tell(look)) if tell else ()


def _versions(look: Look) -> Iterator[Evidence]:
    seen = look.seen.get("tls")
    if isinstance(seen, TlsObservation):
        names = tuple(v for v, state in seen.versions.items() if state is State.ACCEPTED)
        yield Note("accepted", "accepted: {names}", names=names)


def _suites(look: Look) -> Iterator[Evidence]:
    seen = look.seen.get("tls")
    if isinstance(seen, TlsObservation):
        names = tuple(dict.fromkeys(n for several in seen.suites.values() for n in several))
        yield Note("accepted", "accepted: {names}", names=names)


def _groups(look: Look) -> Iterator[Evidence]:
    seen = look.seen.get("tls")
    if isinstance(seen, TlsObservation):
        names = tuple(dict.fromkeys(n for several in seen.groups.values() for n in several))
        yield Note("accepted", "accepted: {names}", names=names)


def _profile(look: Look) -> Iterator[Evidence]:
    yield from _versions(look)
    yield from _suites(look)


def _certificate(look: Look) -> Iterator[Evidence]:
    seen = look.seen.get("certificate")
    for chain in seen.asked() if isinstance(seen, CertificateObservation) else ():
        if chain.certificates and chain.leaf.not_after:
            yield Note(
                "certificate",
                "certificate {sha256}: {key} {bits} bits, issued by {issuer}, until {moment}",
                sha256=chain.leaf.sha256,
                key=chain.leaf.key,
                bits=chain.leaf.key_bits,
                issuer=chain.leaf.issuer,
                moment=chain.leaf.not_after.isoformat().replace("+00:00", "Z"),
            )


def _hsts(look: Look) -> Iterator[Evidence]:
    seen = look.seen.get("http")
    if isinstance(seen, HttpObservation) and seen.hsts:
        yield Note("hsts", "HSTS as it was sent: {text}", text=seen.hsts.text)


def _ports(look: Look) -> Iterator[Evidence]:
    seen = look.seen.get("ports")
    if isinstance(seen, PortsObservation):
        found = ranges(port.number for port in seen.open("tcp"))
        yield Note(
            "open",
            "{address}: open TCP ports: {ports}; asked: {asked}",
            address=seen.address,
            ports=found or "-",
            asked=seen.asked.get("tcp", "") or "-",
        )


_TOLD_BY: Mapping[str, Callable[[Look], Iterator[Evidence]]] = MappingProxyType(
    {
        **dict.fromkeys(
            ("versions", "versions_among", "versions_with", "versions_without"), _versions
        ),
        **dict.fromkeys(("suites", "suites_among", "forward_secrecy"), _suites),
        **dict.fromkeys(("groups", "groups_among"), _groups),
        "profile": _profile,
        **dict.fromkeys(
            ("issuer", "publicly_issued", "key", "key_bits", "valid_until"), _certificate
        ),
        "hsts": _hsts,
        **dict.fromkeys(("ports", "ports_among"), _ports),
    }
)
