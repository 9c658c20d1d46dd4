"""What a scan would ask, and of whom, before anything is asked."""

from __future__ import annotations

from dataclasses import dataclass

from tlscheck.model import Place
from tlscheck.net import Net, NetError, source_towards
from tlscheck.pipeline.order import ADDRESS_SUBJECTS, GATEWAY, Order, resolve
from tlscheck.targets import endpoint_id


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
        found = await resolve(net, asked.spec, order)
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
        found = await resolve(net, asked.spec, order)
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
