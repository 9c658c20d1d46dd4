"""What the rules about a domain's DNS share: which zones can be judged, and what stays open."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from tlscheck.model import Evidence, Open, State
from tlscheck.observations.dns import DnsObservation, Outcome, Server, Zone
from tlscheck.rules.core import NotApplicable


def delegated(seen: DnsObservation) -> list[Zone]:
    """The zones, but for those that do not exist: `delegation` speaks of them."""
    zones = [zone for zone in seen.zones if zone.delegated is not State.REFUSED]
    if not zones:
        raise NotApplicable(
            "no-delegation", "no delegation of {domain} was seen", domain=seen.domain
        )
    return zones


def at(server: Server) -> str:
    """A server's name and address."""
    return f"{server.name} ({server.address})"


def without_authority(zones: Iterable[Zone]) -> Iterator[Evidence]:
    """What no server of a zone was there to tell stays open."""
    for zone in zones:
        if not any(Outcome.AUTHORITATIVE in (s.udp, s.tcp) for s in zone.servers):
            yield Open("no-authority", "no authority of {zone} answered", zone=zone.name)


def heard(zone: Zone) -> list[Server]:
    """The servers that answered anything."""
    answers = {Outcome.AUTHORITATIVE, Outcome.LAME}
    return [s for s in zone.servers if answers.intersection((s.udp, s.tcp))]


def unheard(zones: Iterable[Zone]) -> Iterator[Evidence]:
    """What is said of all servers of the zones stays open where one was not heard."""
    for zone in zones:
        if not zone.servers:
            yield Open("no-authority", "no authority of {zone} answered", zone=zone.name)
        answering = heard(zone)
        for server in zone.servers:
            if server not in answering:
                yield Open(
                    "unheard",
                    "{server} did not answer us for {zone}",
                    server=at(server),
                    zone=zone.name,
                )
        if zone.unasked:
            yield Open(
                "unasked",
                "{zone} has {count} more addresses of name servers, which were not asked",
                zone=zone.name,
                count=zone.unasked,
            )
