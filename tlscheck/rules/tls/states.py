"""What is settled of an endpoint, and what is not."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from tlscheck.model import Open, Problem, State
from tlscheck.observations.tls import TlsObservation
from tlscheck.rules.core import Problems
from tlscheck.wire.registry import SUITE_BY_NAME, Version


def version_open(version: Version) -> Open:
    """That it is open whether the version is offered."""
    return Open("unsettled", "{version}: not settled whether it is offered", version=version)


def states(seen: TlsObservation) -> Iterable[tuple[Version, State]]:
    """Every version; one that nobody wrote down is unknown."""
    return ((version, seen.versions.get(version, State.UNKNOWN)) for version in Version)


def may_offer(seen: TlsObservation, versions: Iterable[Version]) -> bool:
    """Whether one of the versions may be offered, or any at all is."""
    return any(seen.versions.get(v) in (State.ACCEPTED, State.UNKNOWN) for v in versions) or any(
        state is State.ACCEPTED for state in seen.versions.values()
    )


def unlooked(seen: TlsObservation, from_version: Version = Version.TLS_1_3) -> Problems:
    """Versions of which it is open whether they are offered, and so what they would accept."""
    for version, state in states(seen):
        if version.rank > from_version.rank:
            continue
        if state is State.UNKNOWN:
            yield version_open(version)
        elif state is State.ACCEPTED and not seen.suites.get(version):
            yield Open("unseen", "{version}: no accepted suite was seen", version=version)


def unsettled_suites(seen: TlsObservation, bad: Callable[[str], bool]) -> Problems:
    """The suites that are *bad* and of which it is open whether they are accepted."""
    for version, names in seen.unknown.items():
        for name in names.suites:
            if bad(name):
                yield Open(
                    "unsettled",
                    "{version} {suite}: not settled whether it is accepted",
                    version=version,
                    suite=name,
                )


def deep(seen: TlsObservation, name: str) -> State:
    """What a whole session showed of *name*."""
    state = getattr(seen.deep, name) if seen.deep else State.UNKNOWN
    assert isinstance(state, State)
    return state


def level(name: str, levels: tuple[frozenset[str], ...]) -> int:
    """The first of the *levels* that holds *name*, counted from 0; behind all where none does."""
    return next((i for i, names in enumerate(levels) if name in names), len(levels))


def finite(name: str) -> bool:
    """Whether the suite agrees on a key by a finite field."""
    suite = SUITE_BY_NAME.get(name)
    return bool(suite and suite.finite)


def old_signatures(seen: TlsObservation) -> Problems:
    """Versions before TLS 1.2 sign with MD5 and SHA-1 put together, and know nothing else."""
    for version, names in seen.suites.items():
        if version.rank < Version.TLS_1_2.rank and any(signed(name) for name in names):
            yield Problem("old", "{version} signs with MD5 and SHA-1", version=version)


def signed(name: str) -> bool:
    """Whether the server signs in the suite."""
    suite = SUITE_BY_NAME.get(name)
    return bool(suite and suite.signed)


def static_rsa(name: str) -> bool:
    """Whether the key is sent encrypted by RSA."""
    suite = SUITE_BY_NAME.get(name)
    return bool(suite and suite.key_exchange == "RSA")


def any_suite(seen: TlsObservation, part: str) -> bool:
    """Whether the name of an accepted suite has *part*."""
    return any(part in name for names in seen.suites.values() for name in names)


def modern_only(seen: TlsObservation) -> bool:
    """Whether TLS 1.3 is offered and nothing else."""
    return all(
        state is (State.ACCEPTED if version is Version.TLS_1_3 else State.REFUSED)
        for version, state in states(seen)
    )
