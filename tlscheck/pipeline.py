"""From targets to a scan: resolve, look at every address, compare. One target or ten thousand."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field, replace
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

from tlscheck import __version__, datagrams, domains
from tlscheck.halt import Halt
from tlscheck.model import Look, Missed, Observation, Place, Reason, Scan, Scope, Standpoint, Target
from tlscheck.net import Net, NetError, now, resolver, source_towards
from tlscheck.observations.addresses import compare, several
from tlscheck.observations.certificate import CertificateObservation, Presented
from tlscheck.observations.http import HttpObservation
from tlscheck.probes import certificate, live, tls
from tlscheck.probes.preamble import preamble
from tlscheck.targets import TargetSpec, endpoint_id, name_id, parse, place

if TYPE_CHECKING:
    from tlscheck import exposure

_log = logging.getLogger(__name__)

ENDPOINT_SUBJECTS = ("tls", "certificate", "http")
GATEWAY = "ike"
"""The service that is looked at by address alone."""
DOMAIN_SUBJECTS = ("registration", "dns")
ADDRESS_SUBJECTS = ("ports", "vpn", "ike")
USUAL = (*ENDPOINT_SUBJECTS, *datagrams.SUBJECTS, "addresses", *DOMAIN_SUBJECTS)
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
    unannounced: bool = False
    """Whether QUIC is asked for beside pages that do not announce it, too."""
    beside: tuple[Place, ...] = ()
    """Endpoints that are not looked at, on which sessions are tried all the same."""


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
    resolved = await asyncio.gather(*(_resolve(net, asked.spec, order) for asked in order.targets))
    places = [p for found in resolved if isinstance(found, tuple) for p in found]
    hosts = [asked.spec.host for asked in order.targets]
    course = _Course(places, order.beside)
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


class _Course:
    """How far the looks have come, that at one address no kind disturbs another: first all TLS,
    then QUIC and the relays, which meet what they do not know with silence and resets, then the
    address.
    """

    def __init__(self, places: Sequence[Place], beside: Sequence[Place] = ()) -> None:
        self.everywhere = (*places, *beside)
        self.mail = asyncio.Event()
        """That the mail hosts were looked at, whose addresses nobody knew before."""
        self.tls = _Stage(places)
        self.datagrams = _Stage(places)
        self.seen: dict[Place, Look] = {}
        self._lanes: dict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    def lane(self, address: str) -> asyncio.Lock:
        """For one question over UDP at a time."""
        return self._lanes[address]

    async def endpoints(self, address: str) -> list[Look]:
        """The looks at the endpoints of *address*, once all of them are over."""
        await self.datagrams.over(address)
        return [look for place, look in self.seen.items() if place.address == address]


class _Stage:
    """One kind of looks, by address."""

    def __init__(self, places: Sequence[Place]) -> None:
        self._left = Counter(place.address for place in places)
        self._over: dict[str, asyncio.Event] = defaultdict(asyncio.Event)

    def end(self, place: Place) -> None:
        """One look is over, or there was none."""
        self._left[place.address] -= 1
        if self._left[place.address] <= 0:
            self._over[place.address].set()

    async def over(self, address: str) -> None:
        """Wait until all looks at *address* are over."""
        await self._over[address].wait()


async def _addresses(
    net: Net, places: Sequence[Place], course: _Course, order: Order, tell: Tell
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
    resolved = await asyncio.gather(*(_resolve(net, each.spec, order) for each in asked))
    course = _Course([p for found in resolved if isinstance(found, tuple) for p in found])
    return list(
        await asyncio.gather(
            *(
                _named(net, each, what, order, course, gate, tell)
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
    course: _Course,
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
            course.datagrams.end(each)
        return []
    looks = await asyncio.gather(
        *(_whole(net, asked, place, order, course, gate, tell) for place in found)
    )
    if "addresses" in order.subjects and several(looks):
        target = Target(asked.id, Scope.NAME, label=asked.label)
        looks.append(Look(target, {"addresses": compare(looks, order.family)}))
    return looks


async def _whole(
    net: Net,
    asked: Asked,
    place: Place,
    order: Order,
    course: _Course,
    gate: asyncio.Semaphore,
    tell: Tell,
) -> Look:
    """All of one endpoint: its TLS, then what is asked over UDP."""
    try:
        entry = await _endpoint(net, asked, place, order, course.everywhere, gate, tell)
    finally:
        course.tls.end(place)
    try:
        for question in datagrams.questions(entry, place, order.subjects, order.unannounced):
            await course.tls.over(place.address)
            async with course.lane(place.address):
                entry = await _by_datagrams(net, entry, place, question, tell)
        course.seen[place] = entry
    finally:
        course.datagrams.end(place)
    return entry


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
            found = await net.halt.within(_look(net, place, order, means))
            seen, missed = found or ({}, _ended(s for s in order.subjects if s in _over_tls(place)))
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


def _ended(subjects: Iterable[str]) -> list[Missed]:
    """What is missed where the run is ended before its time."""
    return [Missed(subject, Reason.BUDGET, "the run was ended early") for subject in subjects]


def _over_tls(place: Place) -> tuple[str, ...]:
    """What is looked at over TLS there."""
    if place.service == "turns":
        return ("tls", "certificate")
    return () if place.service in datagrams.ALONE else ENDPOINT_SUBJECTS


async def _by_datagrams(
    net: Net, entry: Look, place: Place, question: datagrams.Question, tell: Tell
) -> Look:
    """*entry* with what one question over UDP gave."""
    tell(entry.target.id, question.about, entry.connections)
    try:
        found = await net.halt.within(question.ask(net))
        seen, missed = found or ({}, _ended([question.subject]))
    except Exception as error:  # noqa: BLE001 - our own mistake costs this alone
        _log.exception("%s", entry.target.id)
        seen, missed = {}, [Missed(question.subject, Reason.BUG, type(error).__name__)]
    tell(entry.target.id, "", net.spent(place))
    return replace(entry, seen={**entry.seen, **seen}, missed=(*entry.missed, *missed))


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


def with_shared_keys(looks: list[Look]) -> list[Look]:
    """Say which other targets show the same key without being named in the certificate."""
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


async def addresses(order: Order) -> dict[str, tuple[str, ...]]:
    """What is looked at by address, at each; nothing but the resolver is asked."""
    net = Net(family=order.family, overrides=order.resolve)
    wanted: dict[str, set[str]] = {}
    for asked in order.targets:
        found = await _resolve(net, asked.spec, order)
        for each in found if isinstance(found, tuple) else ():
            wanted.setdefault(each.address, {*order.subjects}).add(each.service)
    return {a: tuple(s for s in ADDRESS_SUBJECTS if s in own) for a, own in wanted.items()}


_USUAL, _MOST, _CROSS = 45, 400, 570
"""Measured in ``bench/``: a strict server, one with every suite, and what --cross-check adds."""
_HANDSHAKES = (20, 60)
"""Of QUIC: of the tests' servers, and of one at which every answer is in doubt."""


async def plan(order: Order) -> list[Cost]:
    """What `look` would do at TLS endpoints; nothing but the resolver is asked."""
    net = Net(family=order.family, overrides=order.resolve)
    costs = []
    for asked in order.targets:
        if asked.spec.service == GATEWAY:
            continue
        found = await _resolve(net, asked.spec, order)
        if isinstance(found, NetError):
            costs.append(Cost(asked.id, trouble=found.reason))
            continue
        usual, most = (_USUAL, _MOST) if asked.spec.service != "quic" else _HANDSHAKES
        extra = _CROSS if order.cross_check and asked.spec.service != "quic" else 0
        costs.extend(
            Cost(
                endpoint_id(p.service, p.host, p.port, p.address),
                source_towards(p),
                usual + extra,
                most + extra,
            )
            for p in found
        )
    return costs
