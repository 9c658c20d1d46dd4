"""What all looks of a run share, and how far a zone's keys are to be trusted."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

import dns.name
import dns.rdatatype

from tlscheck.net import Net
from tlscheck.observations.dns import security
from tlscheck.observations.dns.security import Trust
from tlscheck.probes.registration import Registry
from tlscheck.probes.walk import Cut, Walk

_DS, _DNSKEY = dns.rdatatype.DS, dns.rdatatype.DNSKEY


@dataclass
class Means:
    """What all looks of a run share."""

    net: Net
    walk: Walk
    anchors: tuple[Any, ...]
    """DS records of the root's key; empty where none is known."""
    registry: Registry | None = None
    """``None``: registrations are not asked about."""
    private: bool = False
    """Whether the names may lead to private addresses: the roots are the operator's own."""
    _trust: dict[dns.name.Name, asyncio.Task[Trust]] = field(default_factory=dict)

    async def trust(self, cut: Cut, at: datetime) -> Trust:
        """The trust in a zone's keys, each zone looked at once."""
        if cut.name not in self._trust:
            self._trust[cut.name] = asyncio.create_task(self._trusted(cut, at))
        return await asyncio.shield(self._trust[cut.name])

    async def _trusted(self, cut: Cut, at: datetime) -> Trust:
        keys = asyncio.create_task(self.walk.ask(cut, cut.name, _DNSKEY))
        if cut.parent is None:
            return await asyncio.to_thread(security.root, await keys, self.anchors, at)
        parent, ds, answer = await asyncio.gather(
            self.trust(cut.parent, at), self.walk.ask(cut.parent, cut.name, _DS), keys
        )
        trust = await asyncio.to_thread(security.below, parent, cut.name, ds, answer, at)
        return replace(trust, rsa_bits=security.rsa_bits(answer, cut.name))
