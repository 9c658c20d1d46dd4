"""What targets are called for people. All of it is `visible`."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from tlscheck.model import Look, Scope, Target
from tlscheck.text import visible


def label(target: Target) -> str:
    """A target's name for people: what it is called, and where that is."""
    place, where = target.target, spot(target)
    host = place.host if place else where.rpartition(":")[0]
    if target.scope is Scope.ADDRESS or target.label in ("", host, where):
        return where
    # The name as it is spelt, its A-labels aside.
    if place and target.label.endswith(f":{place.port}"):
        where = f"({visible(place.address)})"
    return f"{visible(target.label)} {where}"


def spot(target: Target) -> str:
    """Where a target is: host, port and the address that answered."""
    place = target.target
    if place is None and target.scope is Scope.ADDRESS and target.label:
        return f"{visible(target.id)} ({visible(target.label)})"
    if place is None:
        name, _, address = target.id.partition("#")
        asked = name.partition("://")[2] or name
        return visible(f"{asked} ({address})" if address else asked)
    host = f"[{place.host}]" if ":" in place.host else place.host
    asked = f"{host}:{place.port}"
    return visible(asked if place.address == place.host else f"{asked} ({place.address})")


def namer(looks: Iterable[Look]) -> Callable[[str], str]:
    """What gives the `label` of a target by its id: of one of *looks*, or of another, which is
    called what its name is called there.
    """
    known: dict[str, str] = {}
    labels: dict[str, str] = {}
    for look in looks:
        known.setdefault(look.target.id, label(look.target))
        if look.target.scope is not Scope.ADDRESS and look.target.label:
            labels.setdefault(_asked(look.target.id), look.target.label)

    def called(target: str) -> str:
        other = Target(target, Scope.NAME, label=labels.get(_asked(target), ""))
        return known.get(target) or label(other)

    return called


def _asked(target: str) -> str:
    """What was asked for, of the id of one of its addresses."""
    return target.partition("#")[0]
