"""From targets to a scan: resolve, look at every address, compare. One target or ten thousand."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field, replace
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

from tlscheck import __version__, domains
from tlscheck.model import Look, Missed, Observation, Place, Reason, Scan, Scope, Standpoint, Target
from tlscheck.net import Net, NetError, now, resolver, source_towards
from tlscheck.observations.addresses import compare, several
from tlscheck.observations.certificate import CertificateObservation, Presented
from tlscheck.observations.http import HttpObservation, Management
from tlscheck.probes import certificate, live, tls
from tlscheck.probes.preamble import preamble
from tlscheck.targets import TargetSpec, endpoint_id, name_id, parse, place

if TYPE_CHECKING:
    from tlscheck import exposure

_log = logging.getLogger(__name__)

ENDPOINT_SUBJECTS = ("tls", "certificate", "http")
RELAY_SUBJECTS = ("turn",)
RELAYS = ("turn", "turns", "dtls")
"""Services that are looked at in another way than TLS servers; ``turns`` in both."""
DOMAIN_SUBJECTS = ("registration", "dns")
ADDRESS_SUBJECTS = ("ports", "vpn", "ike")
USUAL = (*ENDPOINT_SUBJECTS, *RELAY_SUBJECTS, "addresses", *DOMAIN_SUBJECTS)
"""What is asked where nobody says otherwise."""
SUBJECTS = (*USUAL, *ADDRESS_SUBJECTS)
"""What can be asked today."""
_MOST_OTHERS = 3
"""On how many other names and addresses a session is tried."""

_STRICT, _UPGRADE = 50, "pip install 'cryptography>=50.0.2,<51'"
"""Older releases of cryptography verify hostile chains for minutes (CVE-2026-69249)."""

Tell = Callable[[str, str, int], None]
"""Called with a target's id, what is being asked and the connections spent so far."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A target as asked for."""

    spec: TargetSpec
    label: str = ""

    @property
    def id(self) -> str:
        """The id of its name."""
        return name_id(self.spec.service, self.spec.host, self.spec.port)


@dataclass(frozen=True)
class Order:
    """What is to be looked at, and how."""

    targets: tuple[Asked, ...]
    profile: str
    checklists: tuple[str, ...]
    subjects: tuple[str, ...] = USUAL
    family: int = 0
    sni: str | None = None
    resolve: dict[tuple[str, int], str] = field(default_factory=dict)
    identity: live.Identity | None = None
    identity_files: tuple[Path, Path] | None = None
    ca_file: bytes | None = None
    cross_check: bool = False
    revocation: bool = True
    plain_port: int | None = 80
    connect_seconds: float = 5.0
    target_seconds: float = 60.0
    at_once: int = 4
    """How many endpoints are looked at side by side."""
    mail: bool = False
    """Whether to look at the TLS of the domains' mail hosts too."""
    domains: domains.Order = field(default_factory=domains.Order)
    """How domains are looked at."""
    exposure: exposure.Order | None = None
    """How addresses are looked at; ``None``: as usual."""


async def look(order: Order, tell: Tell = lambda target, about, connections: None) -> Scan:
    """Look at all targets; trouble with one is that one's alone."""
    at = now()
    net = Net(
        family=order.family,
        overrides=order.resolve,
        connect_timeout=order.connect_seconds,
        budget=order.target_seconds,
    )
    gate = asyncio.Semaphore(order.at_once)
    resolved = await asyncio.gather(*(_resolve(net, asked.spec, order) for asked in order.targets))
    places = [p for found in resolved if isinstance(found, tuple) for p in found]
    hosts = [asked.spec.host for asked in order.targets]
    of_domains = asyncio.create_task(domains.look(net, hosts, order.subjects, order.domains, tell))
    found = await asyncio.gather(
        *(
            _named(net, asked, what, order, places, gate, tell)
            for asked, what in zip(order.targets, resolved, strict=True)
        )
    )
    seen_domains = await of_domains
    if order.mail:
        found.extend(await _mail(net, seen_domains, order, gate, tell))
    looks = _with_shared_keys([look for several_looks in found for look in several_looks])
    looks = await _with_relays(net, looks, order, tell)
    looks = await _with_management(net, looks, order, gate, tell)
    looks += await _addresses(net, resolved, looks, order, tell)
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
    )


async def _addresses(
    net: Net,
    resolved: Sequence[tuple[Place, ...] | NetError],
    looks: Sequence[Look],
    order: Order,
    tell: Tell,
) -> list[Look]:
    """The looks at every address of the targets, after those at their endpoints."""
    if not set(order.subjects).intersection(ADDRESS_SUBJECTS):
        return []
    from tlscheck import exposure  # what few looks need costs the others no time to load

    seen = {look.target.target: look for look in looks if look.target.target is not None}
    places = [place for found in resolved if isinstance(found, tuple) for place in found]
    endpoints = [
        seen.get(place) or Look(Target(place.address, Scope.ENDPOINT, place)) for place in places
    ]
    manner = order.exposure or exposure.Order()
    return await exposure.look(net, endpoints, order.subjects, manner, tell)


async def _mail(
    net: Net, of_domains: Sequence[Look], order: Order, gate: asyncio.Semaphore, tell: Tell
) -> list[list[Look]]:
    """The looks at the hosts that take mail for the domains, by STARTTLS."""
    known = {(asked.spec.service, asked.spec.host, asked.spec.port) for asked in order.targets}
    specs = [parse(f"smtp://{host}") for host in domains.mail_hosts(of_domains)]
    asked = [Asked(s) for s in specs if (s.service, s.host, s.port) not in known]
    resolved = await asyncio.gather(*(_resolve(net, each.spec, order) for each in asked))
    places = [p for found in resolved if isinstance(found, tuple) for p in found]
    return list(
        await asyncio.gather(
            *(
                _named(net, each, what, order, places, gate, tell)
                for each, what in zip(asked, resolved, strict=True)
            )
        )
    )


async def _resolve(net: Net, spec: TargetSpec, order: Order) -> tuple[Place, ...] | NetError:
    try:
        addresses = await net.resolve(spec.host, spec.port)
    except NetError as error:
        return error
    return tuple(place(spec, address, order.sni) for address in addresses)


async def _named(
    net: Net,
    asked: Asked,
    found: tuple[Place, ...] | NetError,
    order: Order,
    everywhere: Sequence[Place],
    gate: asyncio.Semaphore,
    tell: Tell,
) -> list[Look]:
    """The looks at every address of one target, and what they have in common."""
    if isinstance(found, NetError):
        target = Target(asked.id, Scope.NAME, label=asked.label)
        subjects = [s for s in order.subjects if s not in DOMAIN_SUBJECTS]
        missed = tuple(Missed(s, found.reason, found.detail) for s in subjects)
        return [Look(target, {}, missed)] if missed else []
    if not set(order.subjects) - {*DOMAIN_SUBJECTS, *ADDRESS_SUBJECTS}:
        return []
    looks = await asyncio.gather(
        *(_endpoint(net, asked, place, order, everywhere, gate, tell) for place in found)
    )
    if "addresses" in order.subjects and several(looks):
        target = Target(asked.id, Scope.NAME, label=asked.label)
        looks.append(Look(target, {"addresses": compare(looks, order.family)}))
    return looks


async def _endpoint(
    net: Net,
    asked: Asked,
    place: Place,
    order: Order,
    everywhere: Sequence[Place],
    gate: asyncio.Semaphore,
    tell: Tell,
) -> Look:
    name = endpoint_id(place.service, place.host, place.port, place.address)
    target = Target(name, Scope.ENDPOINT, place, asked.label)
    means = tls.Means(
        identity=order.identity,
        identity_files=order.identity_files,
        preamble=preamble(place.service, place.host),
        others=tuple(_others(place, everywhere)),
        cross_check=order.cross_check,
        plain_port=order.plain_port,
        certify=_certify(net, place, order) if "certificate" in order.subjects else None,
        tell=lambda about, connections: tell(name, about, connections),
    )
    async with gate:
        try:
            seen, missed = await _look(net, place, order, means)
        except Exception as error:  # noqa: BLE001 - our own mistake costs this target alone
            _log.exception("%s", name)
            subjects = [s for s in order.subjects if s in _over_tls(place)]
            seen, missed = {}, [Missed(s, Reason.BUG, type(error).__name__) for s in subjects]
    tell(name, "", net.spent(place))
    return Look(target, seen, tuple(missed), net.spent(place))


def _certify(net: Net, place: Place, order: Order) -> tls.Certify:
    at = now()

    async def certify(
        shown: Sequence[Presented], kinds: Collection[str], skew: float | None
    ) -> CertificateObservation | Missed:
        return await certificate.probe(
            net,
            place,
            seen=shown,
            key_types=kinds,
            revocation=order.revocation,
            ca_file=order.ca_file,
            clock_skew=skew,
            client_identity=order.identity,
            preamble=preamble(place.service, place.host),
            at=at,
        )

    return certify


def _over_tls(place: Place) -> tuple[str, ...]:
    """What is looked at over TLS there."""
    if place.service == "turns":
        return ("tls", "certificate")
    return () if place.service in RELAYS else ENDPOINT_SUBJECTS


async def _with_relays(net: Net, looks: Sequence[Look], order: Order, tell: Tell) -> list[Look]:
    """*looks* with what relays answer. They come after all TLS, one after the other: what they do
    not know they meet with silence and resets, which would slow the rest.
    """
    services = {look.target.target.service for look in looks if look.target.target}
    if "turn" not in order.subjects or not services.intersection(RELAYS):
        return list(looks)
    from tlscheck.probes import dtls, turn

    whole = []
    for entry in looks:
        place = entry.target.target
        if place is None or place.service not in RELAYS:
            whole.append(entry)
            continue
        tell(entry.target.id, "TURN", entry.connections)
        probe = dtls.probe if place.service == "dtls" else turn.probe
        try:
            found = await probe(
                net, place.address, place.port, place.service, host=place.host, sni=place.sni
            )
        except Exception as error:  # noqa: BLE001 - our own mistake costs this alone
            _log.exception("%s", entry.target.id)
            found = Missed("turn", Reason.BUG, type(error).__name__)
        tell(entry.target.id, "", net.spent(place))
        if isinstance(found, Missed):
            whole.append(replace(entry, missed=(*entry.missed, found)))
        else:
            whole.append(replace(entry, seen={**entry.seen, "turn": found}))
    return whole


async def _with_management(
    net: Net, looks: Sequence[Look], order: Order, gate: asyncio.Semaphore, tell: Tell
) -> list[Look]:
    """*looks* with the pages of management that answer, where exposure is asked about: to whoever
    watches the endpoint it looks like scanning, so it comes after all that is harmless.
    """
    if not {"http", "ports"} <= set(order.subjects):
        return list(looks)
    from tlscheck.probes import management

    async def one(entry: Look) -> Look:
        page, place = entry.seen.get("http"), entry.target.target
        if not isinstance(page, HttpObservation) or place is None:
            return entry
        async with gate:
            tell(entry.target.id, "HTTP", entry.connections)
            try:
                found = await management.look(net, place, order.identity)
            except Exception as error:  # noqa: BLE001 - our own mistake costs this alone
                _log.exception("%s", entry.target.id)
                found = Management(stopped=Reason.BUG, detail=type(error).__name__)
            tell(entry.target.id, "", net.spent(place))
        page = replace(page, management=found)
        return replace(entry, seen={**entry.seen, "http": page}, connections=net.spent(place))

    return list(await asyncio.gather(*map(one, looks)))


async def _look(
    net: Net, place: Place, order: Order, means: tls.Means
) -> tuple[dict[str, Observation], list[Missed]]:
    seen: dict[str, Observation] = {}
    order = replace(order, subjects=tuple(s for s in order.subjects if s in _over_tls(place)))
    if not order.subjects:
        return {}, []
    # Which certificates there are only the hellos tell.
    whole = "tls" in order.subjects or "certificate" in order.subjects
    tls_look = await (tls.probe if whole else tls.shake)(net, place, means)
    missed = list(tls_look.missed)
    if tls_look.tls and "tls" in order.subjects:
        seen["tls"] = tls_look.tls
    nothing = next((m for m in missed if m.kind == "tls"), None)
    if "http" in order.subjects:
        page = tls_look.http or (nothing and replace(nothing, kind="http"))
        if isinstance(page, HttpObservation):
            seen["http"] = page
        else:
            missed.append(page or Missed("http", Reason.NOT_ASKED))
    if "certificate" in order.subjects:
        shown = tls_look.certificate or (nothing and replace(nothing, kind="certificate"))
        if isinstance(shown, CertificateObservation):
            seen["certificate"] = shown
            if int(version("cryptography").partition(".")[0]) < _STRICT:
                missed.append(Missed("certificate.strict", Reason.CRYPTOGRAPHY, _UPGRADE))
        else:
            missed.append(shown or Missed("certificate", Reason.NOT_ASKED))
    return seen, [m for m in missed if m.kind.partition(".")[0] in order.subjects]


def _others(place: Place, everywhere: Sequence[Place]) -> list[Place]:
    """The target's own other addresses, and other targets' names on its address."""
    return [
        other
        for other in dict.fromkeys(everywhere)
        if other != place
        and other.service == place.service
        and (
            (other.host == place.host and other.port == place.port)
            or (other.address == place.address and other.port == place.port)
        )
    ][:_MOST_OTHERS]


def _with_shared_keys(looks: list[Look]) -> list[Look]:
    """Fill in which other targets show the same key without being named in the certificate."""
    hosts: dict[str, set[str]] = {}
    for entry in looks:
        for key in _leaf_keys(entry):
            hosts.setdefault(key, set()).add(_host(entry))
    if len({_host(entry) for entry in looks if _leaf_keys(entry)}) < 2:
        return looks
    marked = []
    for entry in looks:
        seen = entry.seen.get("certificate")
        if isinstance(seen, CertificateObservation):
            others = {h for key in _leaf_keys(entry) for h in hosts[key]} - {_host(entry)}
            named = [n for c in seen.chains if c.certificates for n in c.leaf.names]
            shared = sorted(host for host in others if not any(_covers(n, host) for n in named))
            seen = replace(seen, key_shared_with=tuple(shared))
            entry = replace(entry, seen={**entry.seen, "certificate": seen})
        marked.append(entry)
    return marked


def _covers(name: str, host: str) -> bool:
    """Whether a certificate's *name*, a wildcard perhaps, is *host*'s."""
    name, host = name.lower(), host.lower()
    return name == host or (name.startswith("*.") and host.partition(".")[2] == name[2:])


def _leaf_keys(entry: Look) -> set[str]:
    seen = entry.seen.get("certificate")
    if not isinstance(seen, CertificateObservation):
        return set()
    return {chain.leaf.spki_sha256 for chain in seen.chains if chain.certificates}


def _host(entry: Look) -> str:
    return entry.target.target.host if entry.target.target else ""


@dataclass(frozen=True, slots=True)
class Cost:
    """What a look at one endpoint would cost."""

    target: str
    source: str = ""
    """Our address towards it."""
    usual: int = 0
    """TLS connections to a strict server."""
    most: int = 0
    """TLS connections to a server that accepts everything."""
    trouble: str = ""


_USUAL, _MOST, _CROSS = 45, 400, 570
"""Measured in ``bench/``: a strict server, one with every suite, and what --cross-check adds."""


async def plan(order: Order) -> list[Cost]:
    """What `look` would do at endpoints; nothing but the resolver is asked."""
    net = Net(family=order.family, overrides=order.resolve)
    costs = []
    for asked in order.targets:
        found = await _resolve(net, asked.spec, order)
        if isinstance(found, NetError):
            costs.append(Cost(asked.id, trouble=found.reason))
            continue
        extra = _CROSS if order.cross_check else 0
        costs.extend(
            Cost(
                endpoint_id(p.service, p.host, p.port, p.address),
                source_towards(p),
                _USUAL + extra,
                _MOST + extra,
            )
            for p in found
        )
    return costs
