"""From targets to a scan: resolve, look at every address, compare. One target or ten thousand."""

from __future__ import annotations

import asyncio
import hashlib
import logging
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tlscheck import __version__, datagrams, domains
from tlscheck.errors import TargetError
from tlscheck.halt import Halt
from tlscheck.model import (
    Look,
    Missed,
    Observation,
    Place,
    Reason,
    Scan,
    Scope,
    Standpoint,
    Target,
    Waiver,
    cut_short,
)
from tlscheck.net import Net, NetError, now, resolver, source_towards
from tlscheck.observations import kept
from tlscheck.observations.addresses import compare, several
from tlscheck.observations.certificate import CertificateObservation, Presented
from tlscheck.observations.exchange import Exchange
from tlscheck.observations.http import HttpObservation, Management
from tlscheck.probes import certificate, live, tls
from tlscheck.probes.preamble import preamble
from tlscheck.targets import SERVICES, TargetSpec, endpoint_id, is_address, name_id, parse, place

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
    management: bool | None = None
    """Whether pages of management are asked for; ``None``: where ports are asked about."""
    unannounced: bool = False
    """Whether QUIC is asked for beside pages that do not announce it, too."""
    waivers: tuple[Waiver, ...] = ()
    places: Mapping[tuple[str, str, int], tuple[Place, ...]] = field(default_factory=dict)
    """Where targets are, by service, host and port; of these no resolver is asked."""
    keep_raw: int = 0
    """How many bytes of exchanges and chains to keep with the looks, for a bundle; those of a look
    that would take more are let go."""
    beside: tuple[Place, ...] = ()
    """Endpoints that are not looked at, on which sessions are tried all the same."""

    @property
    def wants_management(self) -> bool:
        """Whether pages of management are asked for."""
        wanted = "ports" in self.subjects if self.management is None else self.management
        return wanted and "http" in self.subjects


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
    course = _Course(places, order.keep_raw, order.beside)
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


class _Course:
    """How far the looks have come, that at one address no kind disturbs another: first all TLS,
    then QUIC and the relays, which meet what they do not know with silence and resets, then the
    address.
    """

    def __init__(
        self, places: Sequence[Place], keep_raw: int, beside: Sequence[Place] = ()
    ) -> None:
        self.everywhere = (*places, *beside)
        self._room = keep_raw
        self.mail = asyncio.Event()
        """That the mail hosts were looked at, whose addresses nobody knew before."""
        self.tls = _Stage(places)
        self.rest = _Stage(places)
        self.seen: dict[Place, Look] = {}
        self._lanes: dict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    def lane(self, address: str) -> asyncio.Lock:
        """For one question over UDP at a time."""
        return self._lanes[address]

    def kept(self, raw: Mapping[str, bytes]) -> Mapping[str, bytes]:
        """*raw* while there is room for it, else nothing."""
        size = sum(map(len, raw.values()))
        if size > self._room:
            return {}
        self._room -= size
        return raw

    async def endpoints(self, address: str) -> list[Look]:
        """The looks at the endpoints of *address*, once all of them are over."""
        await self.rest.over(address)
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
    places = [p for found in resolved if isinstance(found, tuple) for p in found]
    course = _Course(places, order.keep_raw)
    return list(
        await asyncio.gather(
            *(
                _named(net, each, what, order, course, gate, tell)
                for each, what in zip(asked, resolved, strict=True)
            )
        )
    )


def again(scan: Scan, **manner: Any) -> Order:
    """To look at the same TLS endpoints, at the same addresses, as *scan* did. TargetError."""
    labels: dict[tuple[str, str, int], str] = {}
    places: dict[tuple[str, str, int], tuple[Place, ...]] = {}
    pages = [entry.seen.get("http") for entry in scan.looks]
    for entry in scan.looks:
        where = entry.target.target
        if where and (set(entry.seen) | {m.kind for m in entry.missed}) & set(ENDPOINT_SUBJECTS):
            if not (is_address(where.address) and where.service in SERVICES):
                raise TargetError("{target}: is no endpoint; scan again", target=entry.target.id)
            key = (where.service, where.host, where.port)
            labels.setdefault(key, entry.target.label)
            places[key] = (*places.get(key, ()), where)
    return Order(
        targets=tuple(Asked(_spec(*key), label) for key, label in labels.items()),
        profile=scan.profile,
        checklists=scan.checklists,
        subjects=tuple(s for s in ENDPOINT_SUBJECTS if s in scan.subjects),
        management=any(isinstance(p, HttpObservation) and p.management for p in pages),
        places=places,
        **manner,
    )


def _spec(service: str, host: str, port: int) -> TargetSpec:
    return TargetSpec(host, port, service, literal=is_address(host), shown=host)


async def _resolve(net: Net, spec: TargetSpec, order: Order) -> tuple[Place, ...] | NetError:
    if known := order.places.get((spec.service, spec.host, spec.port)):
        return known
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
            course.rest.end(each)
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
    """All of one endpoint: its TLS, then what is asked over UDP, then what looks like scanning."""
    try:
        entry = await _endpoint(net, asked, place, order, course, gate, tell)
    finally:
        course.tls.end(place)
    try:
        for question in datagrams.questions(entry, place, order.subjects, order.unannounced):
            await course.tls.over(place.address)
            async with course.lane(place.address):
                entry = await _by_datagrams(net, entry, place, question, tell)
        if order.wants_management:
            await course.tls.over(place.address)
            async with gate:
                entry = await _with_management(net, entry, place, order, tell)
        course.seen[place] = entry
    finally:
        course.rest.end(place)
    return entry


async def _endpoint(
    net: Net,
    asked: Asked,
    place: Place,
    order: Order,
    course: _Course,
    gate: asyncio.Semaphore,
    tell: Tell,
) -> Look:
    name = endpoint_id(place.service, place.host, place.port, place.address)
    target = Target(name, Scope.ENDPOINT, place, asked.label)
    shown: list[Presented] = []
    means = tls.Means(
        identity=order.identity,
        identity_files=order.identity_files,
        preamble=preamble(place.service, place.host),
        others=tuple(_others(place, course.everywhere)),
        cross_check=order.cross_check,
        plain_port=order.plain_port,
        certify=_certify(net, place, order, shown) if "certificate" in order.subjects else None,
        tell=lambda about, connections: tell(name, about, connections),
    )
    async with gate:
        try:
            found = await net.halt.within(_look(net, place, order, means))
            over = [cut_short(s) for s in order.subjects if s in _over_tls(place)]
            seen, missed, exchanges = found or ({}, over, [])
        except Exception as error:  # noqa: BLE001 - our own mistake costs this target alone
            _log.exception("%s", name)
            subjects = [s for s in order.subjects if s in _over_tls(place)]
            seen, exchanges = {}, []
            missed = [Missed(s, Reason.BUG, type(error).__name__) for s in subjects]
    tell(name, "", net.spent(place))
    raw = course.kept(_raw(exchanges, shown)) if order.keep_raw else {}
    return Look(target, seen, tuple(missed), net.spent(place), raw)


def _raw(exchanges: Sequence[Exchange], shown: Sequence[Presented]) -> dict[str, bytes]:
    """What a look was made of, as files."""
    files = {hashlib.sha256(der).hexdigest() + ".der": der for sent in shown for der in sent.chain}
    if exchanges:
        files["tls.jsonl"] = kept.exchanges(exchanges)
    if shown:
        files["certificate.jsonl"] = kept.presented(shown)
    return files


def _certify(net: Net, place: Place, order: Order, of: list[Presented]) -> tls.Certify:
    at = now()

    def hear(shown: Sequence[Presented]) -> None:
        of[:] = shown

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
            heard=hear,
        )

    return certify


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
        seen, missed = found or ({}, [cut_short(question.subject)])
    except Exception as error:  # noqa: BLE001 - our own mistake costs this alone
        _log.exception("%s", entry.target.id)
        seen, missed = {}, [Missed(question.subject, Reason.BUG, type(error).__name__)]
    tell(entry.target.id, "", net.spent(place))
    return replace(entry, seen={**entry.seen, **seen}, missed=(*entry.missed, *missed))


async def _with_management(net: Net, entry: Look, place: Place, order: Order, tell: Tell) -> Look:
    """*entry* with the pages of management that answer, where exposure is asked about: to whoever
    watches the endpoint it looks like scanning, so it comes after all that is harmless.
    """
    page = entry.seen.get("http")
    if not isinstance(page, HttpObservation):
        return entry
    from tlscheck.probes import management

    tell(entry.target.id, "HTTP", entry.connections)
    try:
        asking = management.look(net, place, order.identity)
        found = await net.halt.within(asking) or Management(stopped=Reason.BUDGET)
    except Exception as error:  # noqa: BLE001 - our own mistake costs this alone
        _log.exception("%s", entry.target.id)
        found = Management(stopped=Reason.BUG, detail=type(error).__name__)
    tell(entry.target.id, "", net.spent(place))
    page = replace(page, management=found)
    return replace(entry, seen={**entry.seen, "http": page}, connections=net.spent(place))


async def _look(
    net: Net, place: Place, order: Order, means: tls.Means
) -> tuple[dict[str, Observation], list[Missed], list[Exchange]]:
    seen: dict[str, Observation] = {}
    order = replace(order, subjects=tuple(s for s in order.subjects if s in _over_tls(place)))
    if not order.subjects:
        return {}, [], []
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
    missed = [m for m in missed if m.kind.partition(".")[0] in order.subjects]
    return seen, missed, tls_look.exchanges


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
    from tlscheck import exposure

    manner = order.exposure or exposure.Order()
    wanted: dict[str, list[Place]] = {}
    for asked in order.targets:
        found = await _resolve(net, asked.spec, order)
        for each in found if isinstance(found, tuple) else ():
            wanted.setdefault(each.address, []).append(each)
    subjects = {
        address: {*order.subjects, *(place.service for place in places)}
        for address, places in wanted.items()
        if exposure.may_ask(net, address, places, manner)
    }
    return {a: tuple(s for s in ADDRESS_SUBJECTS if s in own) for a, own in subjects.items()}


_USUAL, _MOST, _CROSS = 45, 400, 570
"""Measured in ``bench/``: a strict server, one with every suite, and what --cross-check adds."""
_HANDSHAKES = (20, 60)
"""Of QUIC: of the tests' servers, and of one at which every answer is in doubt."""


async def plan(order: Order) -> list[Cost]:
    """What `look` would do at TLS endpoints; nothing but the resolver is asked."""
    net = Net(family=order.family, overrides=order.resolve)
    costs = []
    for asked in order.targets:
        if asked.spec.service in (GATEWAY, "turn", "dtls"):
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
