"""The addresses of the targets: what answers at them, and whether it is meant to.

Only addresses of the targets are asked, after all that is said to their TLS; a private one only
where the operator wrote it down itself.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from tlscheck import config
from tlscheck.model import Look, Missed, Observation, Place, Reason, Scope, Target
from tlscheck.net import is_public
from tlscheck.observations.http import HttpObservation
from tlscheck.observations.ports import PortsObservation
from tlscheck.probes import ports

_log = logging.getLogger(__name__)

SUBJECTS = ("ports",)
AT_ONCE = 4
"""How many addresses are looked at side by side."""

Tell = Callable[[str, str, int], None]


@dataclass(frozen=True)
class Order:
    """How addresses are looked at."""

    manner: ports.Manner = field(default_factory=ports.Manner)
    declared: Mapping[str, config.Endpoint] = field(default_factory=dict)
    """By host or address."""
    private: bool = False
    """Whether names may lead to private addresses; for the demonstration."""


async def look(
    looks: Iterable[Look], subjects: Sequence[str], order: Order, tell: Tell
) -> list[Look]:
    """A look at each address that the *looks* at endpoints were at."""
    wanted = [subject for subject in SUBJECTS if subject in subjects]
    if not wanted:
        return []
    by_address: dict[str, list[Look]] = {}
    for entry in looks:
        if entry.target.target is not None:
            by_address.setdefault(entry.target.target.address, []).append(entry)
    gate = asyncio.Semaphore(AT_ONCE)

    async def one(address: str, endpoints: Sequence[Look]) -> Look:
        async with gate:
            return await _address(address, endpoints, wanted, order, tell)

    return list(await asyncio.gather(*(one(*each) for each in by_address.items())))


async def _address(
    address: str, endpoints: Sequence[Look], subjects: Sequence[str], order: Order, tell: Tell
) -> Look:
    places = [entry.target.target for entry in endpoints if entry.target.target is not None]
    labels = dict.fromkeys(p.host for p in places if p.host != address)
    target = Target(address, Scope.ADDRESS, label=", ".join(labels))
    if not (is_public(address) or order.private or any(p.host == address for p in places)):
        detail = "a private address that a name leads to; name the address itself as a target"
        return Look(target, {}, tuple(Missed(s, Reason.FILTERED, detail) for s in subjects))
    declared = _declared(address, places, order)
    seen: dict[str, Observation] = {}
    missed = []
    try:
        found = await ports.probe(
            address,
            order.manner,
            tuple(sorted(_own(places))),
            declared,
            lambda about, packets: tell(address, about, packets),
        )
    except Exception as error:  # noqa: BLE001 - our own mistake costs this address alone
        _log.exception("%s", address)
        found = Missed(ports.SUBJECT, Reason.BUG, type(error).__name__)
    tell(address, "", 0)
    if isinstance(found, PortsObservation):
        seen[ports.SUBJECT] = replace(found, shared=_shared(endpoints))
    else:
        missed.append(found)
    return Look(target, seen, tuple(missed))


def _declared(
    address: str, places: Sequence[Place], order: Order
) -> dict[str, tuple[int, ...]] | None:
    """What is declared of the address or of a host at it; the targets themselves are meant too."""
    names = {address, *(place.host for place in places)}
    said = [order.declared[name] for name in names if name in order.declared]
    if not said:
        return None
    return {
        ports.TCP: tuple(sorted(_own(places).union(*(each.tcp for each in said)))),
        ports.UDP: tuple(sorted({port for each in said for port in each.udp})),
    }


def _own(places: Iterable[Place]) -> set[int]:
    """The TCP ports of the targets themselves."""
    return {place.port for place in places if place.service not in ports.OVER_UDP}


def _shared(endpoints: Iterable[Look]) -> str:
    """The content delivery network that the pages say they come from."""
    for entry in endpoints:
        page = entry.seen.get("http")
        for mark in page.marks if isinstance(page, HttpObservation) else ():
            if mark.kind == "cdn":
                return mark.product
    return ""
