"""The clinic opens: all servers start, and the order to look at them is made."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from tlscheck import config, domains, exposure, pipeline, targets
from tlscheck.demo import exposed, names, registry, servers
from tlscheck.demo.authority import Authority
from tlscheck.demo.sites import GOOD, SITES, Site
from tlscheck.probes.ports import Manner
from tlscheck.text import _N, translate

_CA = "ca.clinic.example"
_REGISTRY = "rdap.example"
_FIRST = "127.0.0.1"
_TRIES = 20
_MEET, _OFFICE = f"meet.{GOOD}", f"office.{GOOD}"
"""The relay of video calls, and the gateway of the branch."""


@dataclass(frozen=True, slots=True)
class _Opened:
    """A site and where it is."""

    site: Site
    listener: socket.socket

    @property
    def address(self) -> str:
        return str(self.listener.getsockname()[0])

    @property
    def port(self) -> int:
        return int(self.listener.getsockname()[1])


@contextlib.contextmanager
def opened(order: pipeline.Order, lang: str) -> Iterator[pipeline.Order]:
    """*order* with the clinic's endpoints as its targets, while their servers run.

    Everything is on loopback: names are given their addresses, and the CA, the registry and the
    name servers are asked there too.
    """
    places = [_Opened(site, _beside(number)) for number, site in enumerate(SITES)]
    ca = socket.create_server((_FIRST, 0))
    ca_port = ca.getsockname()[1]
    authority = Authority(f"http://{_CA}:{ca_port}")
    rdap = socket.create_server((_FIRST, 0))
    rdap_port = rdap.getsockname()[1]
    internet = names.made([*(site.host for site in SITES), _MEET, _OFFICE])
    plain = _plain(list(dict.fromkeys(place.address for place in places)))
    with contextlib.ExitStack() as stack:
        stack.enter_context(servers.serving(ca, _files(authority.files())))
        stack.enter_context(servers.serving(rdap, _files(registry.records())))
        served = stack.enter_context(names.serving(internet))
        for listener in plain:
            stack.enter_context(servers.serving(listener, _plain_answers(places)))
        some_ports = [stack.enter_context(each) for each in _undeclared(places, authority)]
        meet, office = (stack.enter_context(each) for each in (_relay(), _gateway()))
        for place in places:
            handler = servers.https(place.site, authority)
            stack.enter_context(servers.serving(place.listener, handler, place.site.most))
        yield replace(
            order,
            targets=(
                *(_asked(place, lang) for place in places),
                _also(f"turn://{_MEET}:{meet[1]}", _N("Video relay: open to anybody"), lang),
                _also(f"ike://{_OFFICE}:{office[1]}", _N("Branch office: weak IPsec"), lang),
            ),
            subjects=(*order.subjects, "ports", "vpn"),
            resolve={(place.site.host, place.port): place.address for place in places}
            | {(_MEET, meet[1]): meet[0], (_OFFICE, office[1]): office[0]}
            | {(_CA, ca_port): _FIRST, (_REGISTRY, rdap_port): _FIRST},
            ca_file=authority.ca_file,
            plain_port=plain[0].getsockname()[1],
            at_once=len(places),
            domains=domains.Order(
                network=config.Network(
                    roots=(names.ROOT,),
                    trust_anchors=(internet.anchor,),
                    rdap={"example": f"http://{_REGISTRY}:{rdap_port}/"},
                ),
                places=served,
            ),
            exposure=exposure.Order(
                # Nothing that this machine has of its own is looked at.
                manner=Manner(only=tuple(some_ports)),
                declared={
                    place.site.host: config.Endpoint(tcp=(place.port,))
                    for place in places
                    if place.site.name in ("portal", "www")
                },
                private=True,
            ),
        )


def _asked(place: _Opened, lang: str) -> pipeline.Asked:
    spec = targets.parse(f"{place.site.host}:{place.port}")
    return pipeline.Asked(spec, translate(place.site.label, lang))


def _also(target: str, label: str, lang: str) -> pipeline.Asked:
    return pipeline.Asked(targets.parse(target), translate(label, lang))


@contextlib.contextmanager
def _open_at(address: str, handler: servers.Handler) -> Iterator[int]:
    """The port at *address* that *handler* serves."""
    listener = socket.create_server((address, 0), backlog=servers.BACKLOG)
    with servers.serving(listener, handler):
        yield listener.getsockname()[1]


@contextlib.contextmanager
def _closed_at(address: str) -> Iterator[int]:
    with socket.socket() as kept:
        kept.bind((address, 0))
        yield kept.getsockname()[1]


def _undeclared(
    places: list[_Opened], authority: Authority
) -> Iterator[contextlib.AbstractContextManager[int]]:
    """Two ports beside the website that nobody declared, and one where nobody listens."""
    address = next(place.address for place in places if place.site.name == "www")
    yield _open_at(address, exposed.store)
    yield _open_at(address, servers.https(exposed.ENTRANCE, authority))
    yield _closed_at(address)


@contextlib.contextmanager
def _relay() -> Iterator[tuple[str, int]]:
    tcp, udp = servers.pair(_own(len(SITES)))
    with (
        servers.serving(tcp, exposed.relay_over_tcp),
        servers.answering(udp, exposed.relay),
    ):
        yield tcp.getsockname()


@contextlib.contextmanager
def _gateway() -> Iterator[tuple[str, int]]:
    udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    udp.bind((_own(len(SITES) + 1), 0))
    with servers.answering(udp, exposed.gateway):
        yield udp.getsockname()


def _own(number: int) -> str:
    """A loopback address of its own, where the system has more than one."""
    with socket.socket() as trial:
        try:
            trial.bind((f"127.0.0.{number + 1}", 0))
        except OSError:
            return _FIRST
    return f"127.0.0.{number + 1}"


def _beside(number: int) -> socket.socket:
    """A listener on a loopback address of its own, where the system has more than one.

    Then what one endpoint limits slows down no other.
    """
    return socket.create_server((_own(number), 0), backlog=servers.BACKLOG)


def _plain(addresses: list[str]) -> list[socket.socket]:
    """Listeners on one port of all *addresses*: there is one port for plain HTTP in an order."""
    for _ in range(_TRIES):
        with contextlib.ExitStack() as stack:
            first = stack.enter_context(socket.create_server((addresses[0], 0)))
            port = first.getsockname()[1]
            with contextlib.suppress(OSError):
                others = [
                    stack.enter_context(socket.create_server((address, port)))
                    for address in addresses[1:]
                ]
                stack.pop_all()
                return [first, *others]
    raise OSError("no port is free on all loopback addresses")


def _files(files: Mapping[str, bytes]) -> servers.Handler:
    return servers.http(lambda _, path: servers.file(files.get(path)))


def _plain_answers(places: list[_Opened]) -> servers.Handler:
    by_host = {place.site.host: (place.site, place.port) for place in places}

    def answer(host: str, _: str) -> bytes:
        if host not in by_host:
            return servers.file(None)
        site, port = by_host[host]
        return servers.redirect(f"https://{host}:{port}/") if site.redirects else servers.page(site)

    return servers.http(answer)
