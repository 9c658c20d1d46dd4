"""How the addresses of one name differ: made of the observations of each, never looked up."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from tlscheck.model import Look, Observation, State
from tlscheck.observations.certificate import CertificateObservation
from tlscheck.observations.tls import Names, TlsObservation
from tlscheck.wire.registry import Version


@dataclass(frozen=True, slots=True)
class Difference:
    """One matter in which addresses of a name are unlike."""

    matter: str
    """``versions``, ``suites``, ``groups`` or ``certificate``."""
    values: Mapping[str, str]
    """What each address has that another has not, by address."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AddressesObservation(Observation):
    """What the addresses of one name and port have in common, and what not."""

    addresses: tuple[str, ...]
    differences: tuple[Difference, ...] = ()
    """What is surely unlike: accepted at one address, refused at another."""
    open: tuple[str, ...] = ()
    """Matters that could not be compared whole."""
    unseen: tuple[str, ...] = ()
    """Addresses at which TLS was not seen."""
    family: int = 0
    """4 or 6 where only addresses of that family were looked at."""


def compare(looks: Sequence[Look], family: int = 0) -> AddressesObservation:
    """The differences between *looks* at several addresses of one name and port."""
    places = {look.target.target.address: look for look in looks if look.target.target}
    seen = {
        address: tls
        for address, look in places.items()
        if isinstance(tls := look.seen.get("tls"), TlsObservation)
    }
    found = [
        _compared("versions", {a: _versions(tls) for a, tls in seen.items()}),
        *(
            _compared(matter, {a: _names(tls, matter, seen.values()) for a, tls in seen.items()})
            for matter in ("suites", "groups")
        ),
        _compared("certificate", _leaves({a: places[a] for a in seen})),
    ]
    return AddressesObservation(
        at=min(tls.at for tls in seen.values()),
        addresses=tuple(places),
        differences=tuple(difference for difference, _ in found if difference),
        open=tuple(matter for _, matter in found if matter),
        unseen=tuple(a for a in places if a not in seen),
        family=family,
    )


def several(looks: Sequence[Look]) -> bool:
    """Whether *looks* are at more than one address, TLS seen at one of them at least."""
    return len(looks) > 1 and any("tls" in look.seen for look in looks)


States = Mapping[str, State]
"""What became of each item of a matter at one address."""


def _compared(matter: str, faces: Mapping[str, States]) -> tuple[Difference | None, str]:
    """The difference, if there surely is one, and the matter, if something of it is open."""
    items = dict.fromkeys(item for states in faces.values() for item in states)
    unlike, doubtful = [], False
    for item in items:
        states = [face.get(item, State.UNKNOWN) for face in faces.values()]
        doubtful = doubtful or State.UNKNOWN in states
        if State.ACCEPTED in states and State.REFUSED in states:
            unlike.append(item)
    if not unlike:
        return None, matter if doubtful or not items else ""
    values = {
        address: ", ".join(item for item in unlike if face.get(item) is State.ACCEPTED) or "-"
        for address, face in faces.items()
    }
    return Difference(matter, values), ""


def _versions(tls: TlsObservation) -> States:
    return {str(v): tls.versions.get(v, State.UNKNOWN) for v in Version}


def _names(tls: TlsObservation, dimension: str, everywhere: Iterable[TlsObservation]) -> States:
    """The state of each name that is accepted or open anywhere, where the version is offered."""
    states = {}
    for version in Version:
        if tls.versions.get(version) is not State.ACCEPTED:
            continue
        for other in everywhere:
            if other.versions.get(version) is State.ACCEPTED:
                left = getattr(other.unknown.get(version, Names()), dimension)
                for name in (*getattr(other, dimension).get(version, ()), *left):
                    states[f"{version} {name}"] = tls.settled(version, dimension, name)
    return states


def _leaves(places: Mapping[str, Look]) -> Mapping[str, States]:
    """The leaf certificates of each address, by digest."""
    shown = {address: look.seen.get("certificate") for address, look in places.items()}
    leaves = {
        address: {c.leaf.sha256 for c in seen.asked() if c.certificates}
        for address, seen in shown.items()
        if isinstance(seen, CertificateObservation)
    }
    everywhere = dict.fromkeys(leaf for some in leaves.values() for leaf in sorted(some))
    faces = {}
    for address, seen in shown.items():
        whole = isinstance(seen, CertificateObservation) and not (seen.unseen or seen.maybe_more)
        absent = State.REFUSED if whole else State.UNKNOWN
        faces[address] = {
            leaf: State.ACCEPTED if leaf in leaves.get(address, ()) else absent
            for leaf in everywhere
        }
    return faces
