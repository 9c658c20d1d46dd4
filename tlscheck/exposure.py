"""The addresses of the targets: what answers at them, and whether it is meant to.

Only addresses of the targets are asked, after all that is said to their TLS; a private one only
where the operator wrote it down itself.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from types import MappingProxyType

from tlscheck import config, suffixes, targets
from tlscheck.errors import ConfigError, TargetError
from tlscheck.model import Look, Missed, Observation, Place, Reason, Scope, State, Target, cut_short
from tlscheck.net import Net, is_public
from tlscheck.observations.http import HttpObservation
from tlscheck.observations.ike import IkeObservation
from tlscheck.observations.ports import Port, PortsObservation
from tlscheck.observations.vpn import Declared, VpnObservation
from tlscheck.probes import ike, ports, vpn
from tlscheck.targets import SERVICES

_log = logging.getLogger(__name__)

SUBJECTS = ("ports", "vpn", "ike")
_IKE = (500, 4500)
"""The UDP ports of IKE."""
_BOTH = ("turn", "turns")
"""Services that are at a port of TCP and of UDP."""
AT_ONCE = 4
"""How many addresses are looked at side by side."""

Tell = Callable[[str, str, int], None]


@dataclass(frozen=True)
class Order:
    """How addresses are looked at."""

    manner: ports.Manner = field(default_factory=ports.Manner)
    declared: Mapping[str, config.Endpoint] = field(default_factory=dict)
    """By host or address."""
    thorough: bool = False
    """Whether declared ports are asked for an SSL-VPN as the others are."""
    aggressive: bool = False
    """Whether gateways are asked for IKEv1's aggressive mode."""
    private: bool = False
    """Whether names may lead to private addresses; for the demonstration."""


def ordered(
    settings: config.Settings,
    file: str,
    only: str = "",
    said: Mapping[str, float] = MappingProxyType({}),
    wished: Mapping[str, bool] = MappingProxyType({}),
) -> Order:
    """What the *settings* of *file* ask for, but for the ports and numbers that the command line
    *said*, and with the switches that it *wished*. ConfigError.
    """
    words = asdict(settings.exposure)
    where, text = f"{file}: exposure.ports", words.pop("ports")
    numbers = _numbers(only, "--ports") if only else _numbers(text, where)
    switches = {
        name: words.pop(name) or wished.get(name, False) for name in ("thorough", "aggressive")
    }
    return Order(
        manner=ports.Manner(only=numbers, **(words | dict(said))),
        declared=declared(settings, file),
        **switches,
    )


def _numbers(text: str, where: str) -> tuple[int, ...]:
    """The port numbers that *text* lists; none: the usual ones. ConfigError."""
    found = set[int]()
    for part in filter(None, ("1-65535" if text == "all" else text).split(",")):
        first, dash, last = (each.strip() for each in part.partition("-"))
        if not (first.isdecimal() and (last.isdecimal() or not dash)):
            raise ConfigError(
                "{where} {text}: give numbers, as 22,8000-8100, or all", where=where, text=text
            )
        numbers = range(int(first), int(last or first) + 1)
        if not numbers or numbers[0] < 1 or numbers[-1] > 65535:
            raise ConfigError(
                "{where} {text}: ports are 1 to 65535, the lower first", where=where, text=text
            )
        found.update(numbers)
    return tuple(sorted(found))


@dataclass(frozen=True, slots=True)
class Cost:
    """What the look at one address would ask."""

    subjects: tuple[str, ...]
    tcp: int
    udp: int
    """Ports."""
    packets: int
    """Of IKE, at the most."""


def cost(subjects: Sequence[str], order: Order) -> Cost:
    """What a look at *subjects* would ask."""
    tcp = udp = 0
    if ports.SUBJECT in subjects:
        only = order.manner.only
        tcp = len(only) or len(ports.listed()[ports.TCP]) + ports.RANDOM
        udp = 0 if order.manner.narrow else len(ports.listed()[ports.UDP])
    elif vpn.SUBJECT in subjects:
        tcp, udp = len(vpn.markers().tcp), len(vpn.markers().udp)
    packets = ike.MOST_PACKETS if ike.SUBJECT in subjects else 0
    return Cost(tuple(subjects), tcp, udp, packets)


def declared(settings: config.Settings, path: str) -> dict[str, config.Endpoint]:
    """What the configuration file *path* says of each host and address. ConfigError."""
    found: dict[str, config.Endpoint] = {}
    for name, endpoint in settings.endpoints.items():
        key = f"endpoints.{name!r:.100}"
        host = _spelt(name, path, key)
        if host in found:
            raise ConfigError(
                "{file}, key {key}: {host} is there twice; put all into one table",
                file=path,
                key=key,
                host=host,
            )
        services = endpoint.external
        if services is not None:
            services = tuple(
                _service(each, path, f"{key}.external[{number}]")
                for number, each in enumerate(services)
            )
        found[host] = replace(endpoint, external=services)
    return found


def _spelt(name: str, path: str, key: str) -> str:
    try:
        return targets.host(name)
    except TargetError as error:
        raise ConfigError(
            "{file}, key {key}: {error}; write a name or an address, and nothing beside it",
            file=path,
            key=key,
            error=error,
        ) from error


def _service(name: str, path: str, key: str) -> str:
    """A declared domain; a suffix of many holders would let all of them in."""
    host = _spelt(name.removeprefix("*").removeprefix("."), path, key)
    if not targets.is_address(host) and not suffixes.site(host):
        raise ConfigError(
            "{file}, key {key}: {host} is no domain of one holder; write one such as {example}",
            file=path,
            key=key,
            host=host,
            example="example-cdn.com",
        )
    return host


def with_services(looks: Iterable[Look], order: Order) -> list[Look]:
    """*looks*, where a page has been seen with the external services that it may use."""
    whole = []
    for entry in looks:
        page, place = entry.seen.get("http"), entry.target.target
        if isinstance(page, HttpObservation) and place is not None:
            told = [order.declared.get(name) for name in (place.host, place.address)]
            lists = [each.external for each in told if each and each.external is not None]
            if lists:
                page = replace(page, declared_external=tuple(sorted(set().union(*lists))))
                entry = replace(entry, seen={**entry.seen, "http": page})
        whole.append(entry)
    return whole


def unused(looks: Iterable[Look], order: Order) -> tuple[str, ...]:
    """Of which hosts and addresses something is declared, though none of the *looks* is at them."""
    places = [entry.target.target for entry in looks if entry.target.target]
    met = {name for place in places for name in (place.host, place.address)}
    met |= {entry.target.id for entry in looks}
    return tuple(sorted(order.declared.keys() - met))


def may_ask(net: Net, address: str, places: Iterable[Place], order: Order) -> bool:
    """Whether *address* is the internet's, or one that the operator wrote down."""
    typed = {place.host for place in places} | set(net.overrides.values())
    return is_public(address) or order.private or address in typed


async def look(
    net: Net,
    places: Iterable[Place],
    subjects: Sequence[str],
    order: Order,
    ready: Callable[[str], Awaitable[Sequence[Look]]],
    tell: Tell,
) -> list[Look]:
    """A look at each address of the *places*, at all *subjects*; at IKE wherever a target asks for
    it. *ready* gives the looks at an address's endpoints, once it may be looked at.
    """
    by_address: dict[str, list[Place]] = {}
    for place in places:
        by_address.setdefault(place.address, []).append(place)
    gate = asyncio.Semaphore(AT_ONCE)

    async def one(address: str, own: Sequence[Place]) -> Look:
        wanted = {*subjects, *(place.service for place in own if place.service == ike.SUBJECT)}
        endpoints = await ready(address)
        async with gate:
            at = _Address(net, address, own, endpoints, frozenset(subjects), order, tell)
            return await at.look([subject for subject in SUBJECTS if subject in wanted])

    looked = await asyncio.gather(*(one(*each) for each in by_address.items()))
    return [entry for entry in looked if entry.seen or entry.missed]


@dataclass
class _Address:
    """One address, and what is known of it."""

    net: Net
    address: str
    places: Sequence[Place]
    endpoints: Sequence[Look]
    asked: frozenset[str]
    """The subjects that are asked everywhere."""
    order: Order
    tell: Tell
    found: PortsObservation | None = None

    async def look(self, subjects: Sequence[str]) -> Look:
        """All *subjects*, one after the other: none is to disturb another."""
        labels = dict.fromkeys(p.host for p in self.places if p.host != self.address)
        target = Target(self.address, Scope.ADDRESS, label=", ".join(labels))
        if not may_ask(self.net, self.address, self.places, self.order):
            detail = (
                "no public address, and a name leads to it; name the address itself as a target"
            )
            return Look(target, {}, tuple(Missed(s, Reason.NOT_ASKED, detail) for s in subjects))
        seen: dict[str, Observation] = {}
        missed = []
        for subject in subjects:
            self.tell(self.address, subject, 0)
            try:
                it = await self.net.halt.within(self._one(subject)) or cut_short(subject)
            except Exception as error:  # noqa: BLE001 - our own mistake costs this alone
                _log.exception("%s", self.address)
                it = Missed(subject, Reason.BUG, type(error).__name__)
            if isinstance(it, Missed):
                missed.append(it)
            else:
                seen[subject] = it
        self.tell(self.address, "", 0)
        spent = self.found.packets if self.found else 0
        return Look(target, _joined(seen), tuple(missed), spent)

    async def _one(self, subject: str) -> Observation | Missed:
        match subject:
            case ports.SUBJECT:
                return await self._ports()
            case vpn.SUBJECT:
                return await self._vpn()
        return await self._ike()

    async def _ports(self) -> PortsObservation | Missed:
        found = await ports.probe(
            self.address,
            self.order.manner,
            tuple(sorted(self._own())),
            self._meant(),
            lambda about, packets: self.tell(self.address, about, packets),
        )
        if isinstance(found, PortsObservation):
            found = replace(found, ports=tuple(map(self._told, found.ports)))
            self.found = found = replace(found, shared=_shared(self.endpoints))
        return found

    def _told(self, port: Port) -> Port:
        """*port* with what a look at an endpoint there has found it to be."""
        if port.service or port.transport != ports.TCP:
            return port
        spoken = [e.target.target for e in self.endpoints if e.seen and e.target.target]
        return next(
            (replace(port, service=p.service) for p in spoken if p.port == port.number), port
        )

    async def _vpn(self) -> VpnObservation | Missed:
        """Of the open ports those that speak TLS or nothing known, and the usual ones."""
        said = self._said()
        declared = Declared(
            tuple(sorted(self._begun_by_tls().union(*(each.tcp or () for each in said)))),
            tuple(sorted({p for each in said for p in each.udp or ()})),
            tuple(sorted({p for each in said for p in each.vpn_tcp or ()})),
            tuple(sorted({p for each in said for p in each.vpn_udp or ()})),
        )
        some = None
        if self.found is not None and not self.found.answering_for_all:
            shown = {p.number for p in self.found.open("tcp") if p.service in ("tls", "")}
            shown -= self._own() - self._begun_by_tls()
            some = tuple(sorted({*declared.vpn_tcp, *self._begun_by_tls(), *shown}))
        host = next((p.host for p in self.places if p.host != self.address), self.address)
        place = next(p for p in self.places if p.host in (host, self.address))
        return await vpn.probe(
            self.net, place, some, declared=declared, thorough=self.order.thorough
        )

    async def _ike(self) -> Observation | Missed:
        """A gateway that should be there and is silent was not seen; of others nobody can say."""
        own = [place.port for place in self.places if place.service == ike.SUBJECT]
        usual = ike.SUBJECT in self.asked or set(own).intersection(_IKE)
        others = tuple((port, True) for port in own if port not in _IKE)
        found = await ike.probe(
            self.net,
            self.address,
            ports=(ike.PORTS if usual else ()) + others,
            aggressive=self.order.aggressive,
        )
        declared = {port for each in self._said() for port in each.vpn_udp or ()}
        meant = own or declared.intersection(_IKE)
        if isinstance(found, Missed) and found.reason is Reason.TIMEOUT and not meant:
            return replace(found, reason=Reason.TO_DECLARE)
        if isinstance(found, IkeObservation) and all(p.closed for p in found.ports) and meant:
            detail = "a gateway is declared, and its ports are closed to us"
            return Missed(ike.SUBJECT, Reason.CONNECTION_REFUSED, detail)
        return found

    def _said(self) -> list[config.Endpoint]:
        """What is declared of the ports of the address, or of a host at it."""
        names = {self.address, *(place.host for place in self.places)}
        told = [self.order.declared[name] for name in names if name in self.order.declared]
        return [endpoint for endpoint in told if endpoint.names_ports]

    def _meant(self) -> dict[str, tuple[int, ...]] | None:
        """The ports that are meant to be there, the targets' own with them; ``None``: nothing is
        declared.
        """
        said = self._said()
        if not said:
            return None
        over_tcp = self._own().union(*((*(each.tcp or ()), *(each.vpn_tcp or ())) for each in said))
        over_udp = {p for each in said for p in (*(each.udp or ()), *(each.vpn_udp or ()))}
        over_udp.update(p.port for p in self.places if p.service in (*ports.OVER_UDP, *_BOTH))
        if any(place.service == ike.SUBJECT for place in self.places):
            over_udp.update(_IKE)
        return {ports.TCP: tuple(sorted(over_tcp)), ports.UDP: tuple(sorted(over_udp))}

    def _begun_by_tls(self) -> set[int]:
        """Those of the targets' own ports that a VPN could share."""
        clear = {p.port for p in self.places if SERVICES[p.service].starttls or p.service == "turn"}
        return self._own() - clear

    def _own(self) -> set[int]:
        """The TCP ports of the targets themselves."""
        return {place.port for place in self.places if place.service not in ports.OVER_UDP}


def _joined(seen: dict[str, Observation]) -> dict[str, Observation]:
    """*seen*, with the ports open at which a VPN or IKE answered, silent to all else."""
    found, gateway, vpns = (
        seen.get(subject) for subject in (ports.SUBJECT, ike.SUBJECT, vpn.SUBJECT)
    )
    if not isinstance(found, PortsObservation):
        return seen
    answered: dict[tuple[int, str], str] = {}
    if isinstance(gateway, IkeObservation):
        answered.update({(p.port, ports.UDP): "isakmp" for p in gateway.ports if p.answered})
    if isinstance(vpns, VpnObservation):
        spoken = (port for port in vpns.ports if port.openvpn is State.ACCEPTED)
        answered.update({(p.number, p.transport): "openvpn" for p in spoken})
    return {**seen, ports.SUBJECT: found.with_open(answered)}


def _shared(endpoints: Iterable[Look]) -> str:
    """The content delivery network that the pages say they come from."""
    for entry in endpoints:
        page = entry.seen.get("http")
        for mark in page.marks if isinstance(page, HttpObservation) else ():
            if mark.kind == "cdn":
                return mark.product
    return ""
