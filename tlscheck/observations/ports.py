"""Which ports of an address answer, and how the others keep silent."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum

from tlscheck.model import Observation


class PortState(StrEnum):
    """What became of a question to a port, as far as the kernel lets us tell."""

    OPEN = "open"
    """It accepted a connection, or answered a datagram."""
    CLOSED = "closed"
    """The host itself says no: a reset, or ICMP port unreachable, which TCP cannot tell apart."""
    REJECTED = "rejected"
    """Something says no in another way than a host does: ICMP of a filter or router."""
    DROPPED = "dropped"
    """Nothing came, though others are answered."""
    UNKNOWN = "unknown"
    """Nothing came, and nobody else was answered either; or it was not asked."""


@dataclass(frozen=True, slots=True)
class Port:
    """A port about which there is more to say than that it is closed or silent."""

    number: int
    transport: str
    """``tcp`` or ``udp``."""
    state: PortState
    name: str = ""
    """What is registered or usual there."""
    group: str = ""
    """Why it is looked at."""
    service: str = ""
    """What answered, by what it says: ``ssh``, ``tls``, ``http`` …; empty: not known."""
    said: str = ""
    """What it said first, the printable part."""
    refused_by: str = ""
    """Who sent the ICMP message, where that was seen (UDP)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PortsObservation(Observation):
    """The ports of one address."""

    address: str
    asked: Mapping[str, str] = field(default_factory=dict)
    """What was asked, by transport: ``22,80,443,8000-8010``."""
    ports: tuple[Port, ...] = ()
    """Those that are open or rejected."""
    counts: Mapping[str, Mapping[PortState, int]] = field(default_factory=dict)
    """How many of those asked ended how, by transport."""
    declared: Mapping[str, tuple[int, ...]] | None = None
    """What the operator says is meant to be there, by transport; ``None``: nothing is declared."""
    shut_out: bool = False
    """A port that had answered no longer did, during the scan or after it: what was asked since is
    unknown."""
    narrowed: bool = False
    """Only ports that the operator named were asked."""
    refusing_seldom: bool = False
    """Ports that were silent are refused when they are asked more slowly: whatever refuses says so
    only now and then, and of the silent ones nobody knows."""
    answering_for_all: bool = False
    """Ports that were picked at random answer too: something accepts whatever is asked."""
    shared: str = ""
    """The content delivery network that the address belongs to, as its own answers say, which
    anybody can forge."""
    packets: int = 0
    """Connections tried and datagrams sent."""
    seconds: float = 0.0
    """How long it took."""

    def open(self, transport: str | None = None) -> tuple[Port, ...]:
        """The ports that are open."""
        return tuple(
            port
            for port in self.ports
            if port.state is PortState.OPEN and transport in (None, port.transport)
        )

    def with_open(self, answered: Mapping[tuple[int, str], str]) -> PortsObservation:
        """The same, with these ports open: by number and transport, the service that *answered* a
        question of its own kind."""
        known = {(port.number, port.transport) for port in self.open()}
        told = tuple(
            replace(p, service=p.service or answered.get((p.number, p.transport), ""))
            for p in self.ports
        )
        fresh = tuple(
            Port(number, transport, PortState.OPEN, service=service)
            for (number, transport), service in answered.items()
            if (number, transport) not in known
        )
        return replace(self, ports=told + fresh)

    def count(self, state: PortState, transport: str = "tcp") -> int:
        """How many ports ended in that state."""
        return self.counts.get(transport, {}).get(state, 0)


def ranges(numbers: Iterable[int]) -> str:
    """Port numbers as text, in order: ``22,80,8000-8010``."""
    parts: list[list[int]] = []
    for number in sorted(set(numbers)):
        if parts and number == parts[-1][-1] + 1:
            parts[-1][1:] = [number]
        else:
            parts.append([number])
    return ",".join("-".join(map(str, part)) for part in parts)
