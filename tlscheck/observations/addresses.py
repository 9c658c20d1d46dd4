"""How the addresses of one name differ: made of the observations of each, never looked up."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from tlscheck.model import Look, Observation, Scope
from tlscheck.observations.certificate import CertificateObservation
from tlscheck.observations.tls import TlsObservation
from tlscheck.wire.registry import Version


@dataclass(frozen=True, slots=True)
class Difference:
    """One matter in which addresses of a name are unlike."""

    matter: str
    """``versions``, ``suites``, ``groups``, ``certificate`` or ``looked``."""
    values: Mapping[str, str]
    """What each address showed, by address."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AddressesObservation(Observation):
    """What the addresses of one name and port have in common, and what not."""

    addresses: tuple[str, ...]
    differences: tuple[Difference, ...] = ()
    unseen: tuple[str, ...] = ()
    """Addresses at which TLS was not seen."""


def compare(looks: tuple[Look, ...]) -> AddressesObservation:
    """The differences between *looks* at several addresses of one name and port."""
    places = {look.target.target.address: look for look in looks if look.target.target}
    seen = {a: look.seen["tls"] for a, look in places.items() if "tls" in look.seen}
    faces: dict[str, dict[str, str]] = {"versions": {}, "suites": {}, "groups": {}}
    for address, tls in seen.items():
        assert isinstance(tls, TlsObservation)
        faces["versions"][address] = _list(f"{v}: {state}" for v, state in tls.versions.items())
        faces["suites"][address] = _lists(tls.suites)
        faces["groups"][address] = _lists(tls.groups)
    faces["certificate"] = {a: leaf for a, look in places.items() if (leaf := _leaves(look))}
    return AddressesObservation(
        at=min(look.seen["tls"].at for look in places.values() if "tls" in look.seen),
        addresses=tuple(places),
        differences=tuple(
            Difference(matter, values)
            for matter, values in faces.items()
            if len(set(values.values())) > 1
        ),
        unseen=tuple(a for a in places if a not in seen),
    )


def several(looks: tuple[Look, ...]) -> bool:
    """Whether *looks* are endpoints of more than one address, at least one of them seen."""
    return len(looks) > 1 and any(
        "tls" in look.seen and look.target.scope is Scope.ENDPOINT for look in looks
    )


def _leaves(look: Look) -> str:
    seen = look.seen.get("certificate")
    if not isinstance(seen, CertificateObservation):
        return ""
    return _list(
        sorted({c.certificates[0].sha256 for c in seen.chains if c.with_sni and c.certificates})
    )


def _lists(by_version: Mapping[Version, tuple[str, ...]]) -> str:
    return "; ".join(f"{version}: {_list(sorted(names))}" for version, names in by_version.items())


def _list(parts: Iterable[str]) -> str:
    return ", ".join(parts)
