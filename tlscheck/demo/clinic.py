"""The clinic opens: all servers start, and the order to look at them is made."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from tlscheck import config, domains, pipeline, targets
from tlscheck.demo import names, registry, servers
from tlscheck.demo.authority import Authority
from tlscheck.demo.sites import SITES, Site
from tlscheck.text import translate

_CA = "ca.clinic.example"
_REGISTRY = "rdap.example"
_FIRST = "127.0.0.1"
_TRIES = 20


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
    internet = names.made([site.host for site in SITES])
    plain = _plain(list(dict.fromkeys(place.address for place in places)))
    with contextlib.ExitStack() as stack:
        stack.enter_context(servers.serving(ca, _files(authority.files())))
        stack.enter_context(servers.serving(rdap, _files(registry.records())))
        served = stack.enter_context(names.serving(internet))
        for listener in plain:
            stack.enter_context(servers.serving(listener, _plain_answers(places)))
        for place in places:
            handler = servers.https(place.site, authority)
            stack.enter_context(servers.serving(place.listener, handler, place.site.most))
        yield replace(
            order,
            targets=tuple(_asked(place, lang) for place in places),
            resolve={(place.site.host, place.port): place.address for place in places}
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
        )


def _asked(place: _Opened, lang: str) -> pipeline.Asked:
    spec = targets.parse(f"{place.site.host}:{place.port}")
    return pipeline.Asked(spec, translate(place.site.label, lang))


def _beside(number: int) -> socket.socket:
    """A listener on a loopback address of its own, where the system has more than one.

    Then what one endpoint limits slows down no other.
    """
    try:
        return socket.create_server((f"127.0.0.{number + 1}", 0), backlog=servers.BACKLOG)
    except OSError:
        return socket.create_server((_FIRST, 0), backlog=servers.BACKLOG)


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
