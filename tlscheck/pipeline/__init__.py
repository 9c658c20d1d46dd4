"""From targets to a scan: resolve, look at every address, compare. One target or ten thousand."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from importlib.metadata import version

from tlscheck import __version__, domains
from tlscheck.halt import Halt
from tlscheck.model import Look, Missed, Place, Scan, Scope, Standpoint, Target
from tlscheck.net import Net, NetError, now, resolver
from tlscheck.observations.addresses import compare, several
from tlscheck.pipeline import endpoint
from tlscheck.pipeline.cost import Cost, addresses, plan
from tlscheck.pipeline.course import Course
from tlscheck.pipeline.order import (
    ADDRESS_SUBJECTS,
    DOMAIN_SUBJECTS,
    ENDPOINT_SUBJECTS,
    GATEWAY,
    SUBJECTS,
    USUAL,
    Asked,
    Order,
    Tell,
    again,
    resolve,
)
from tlscheck.pipeline.shared_keys import with_shared_keys
from tlscheck.targets import parse

__all__ = [
    "ADDRESS_SUBJECTS",
    "DOMAIN_SUBJECTS",
    "ENDPOINT_SUBJECTS",
    "GATEWAY",
    "SUBJECTS",
    "USUAL",
    "Asked",
    "Cost",
    "Order",
    "Tell",
    "addresses",
    "again",
    "look",
    "plan",
    "with_shared_keys",
]


async def look(
    order: Order,
    tell: Tell = lambda target, about, connections: None,
    halt: Halt | None = None,
) -> Scan:
    """Look at all targets; trouble with one is that one's alone. *halt* ends it early."""
    at = now()
    net = Net(
        family=order.family,
        overrides=order.resolve,
        connect_timeout=order.connect_seconds,
        budget=order.target_seconds,
        halt=halt or Halt(),
    )
    gate = asyncio.Semaphore(order.at_once)
    resolved = await asyncio.gather(*(resolve(net, asked.spec, order) for asked in order.targets))
    places = [p for found in resolved if isinstance(found, tuple) for p in found]
    hosts = [asked.spec.host for asked in order.targets]
    course = Course(places, order.keep_raw, order.beside)
    of_domains = asyncio.create_task(domains.look(net, hosts, order.subjects, order.domains, tell))
    of_addresses = asyncio.create_task(_addresses(net, places, course, order, tell))
    found = await asyncio.gather(
        *(
            _named(net, asked, what, order, course, gate, tell)
            for asked, what in zip(order.targets, resolved, strict=True)
        )
    )
    seen_domains = await of_domains
    if order.mail:
        found.extend(await _mail(net, seen_domains, order, gate, tell))
        course.mail.set()
    looks = with_shared_keys([look for several_looks in found for look in several_looks])
    looks += await of_addresses
    looks += domains.completed(seen_domains, looks)
    if order.exposure is not None:
        from tlscheck import exposure

        looks = exposure.with_services(looks, order.exposure)
    return Scan(
        at=at,
        version=__version__,
        looks=tuple({look.target.id: look for look in looks}.values()),
        profile=order.profile,
        checklists=order.checklists,
        subjects=order.subjects,
        standpoint=Standpoint(
            tuple(sorted(net.sources)), resolver(), version("cryptography"), order.family
        ),
        waivers=order.waivers,
    )


async def _addresses(
    net: Net, places: Sequence[Place], course: Course, order: Order, tell: Tell
) -> list[Look]:
    """The looks at every address of the targets, each after those at its endpoints."""
    gateways = any(place.service == GATEWAY for place in places)
    if not gateways and not set(order.subjects).intersection(ADDRESS_SUBJECTS):
        return []
    from tlscheck import exposure  # what few looks need costs the others no time to load

    if order.mail:
        await course.mail.wait()
    manner = order.exposure or exposure.Order()
    return await exposure.look(net, places, order.subjects, manner, course.endpoints, tell)


async def _mail(
    net: Net, of_domains: Sequence[Look], order: Order, gate: asyncio.Semaphore, tell: Tell
) -> list[list[Look]]:
    """The looks at the hosts that take mail for the domains, by STARTTLS."""
    known = {(asked.spec.service, asked.spec.host, asked.spec.port) for asked in order.targets}
    specs = [parse(f"smtp://{host}") for host in domains.mail_hosts(of_domains)]
    asked = [Asked(s) for s in specs if (s.service, s.host, s.port) not in known]
    resolved = await asyncio.gather(*(resolve(net, each.spec, order) for each in asked))
    places = [p for found in resolved if isinstance(found, tuple) for p in found]
    course = Course(places, order.keep_raw)
    return list(
        await asyncio.gather(
            *(
                _named(net, each, what, order, course, gate, tell)
                for each, what in zip(asked, resolved, strict=True)
            )
        )
    )


async def _named(
    net: Net,
    asked: Asked,
    found: tuple[Place, ...] | NetError,
    order: Order,
    course: Course,
    gate: asyncio.Semaphore,
    tell: Tell,
) -> list[Look]:
    """The looks at every address of one target, and what they have in common."""
    if isinstance(found, NetError):
        target = Target(asked.id, Scope.NAME, label=asked.label)
        subjects = [s for s in order.subjects if s not in DOMAIN_SUBJECTS]
        missed = tuple(Missed(s, found.reason, found.detail) for s in subjects)
        return [Look(target, {}, missed)] if missed else []
    of_address = asked.spec.service == GATEWAY
    if of_address or not set(order.subjects) - {*DOMAIN_SUBJECTS, *ADDRESS_SUBJECTS}:
        for each in found:
            course.tls.end(each)
            course.rest.end(each)
        return []
    looks = await asyncio.gather(
        *(endpoint.look(net, asked, place, order, course, gate, tell) for place in found)
    )
    if "addresses" in order.subjects and several(looks):
        target = Target(asked.id, Scope.NAME, label=asked.label)
        looks.append(Look(target, {"addresses": compare(looks, order.family)}))
    return looks
