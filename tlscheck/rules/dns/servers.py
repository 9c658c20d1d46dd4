"""Whether a domain is delegated as it should be, and its name servers do their work."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from tlscheck.model import Evidence, Open, Problem, State
from tlscheck.observations.dns import (
    DnsObservation,
    NameServer,
    Outcome,
    Server,
    Zone,
    network_of,
)
from tlscheck.rules.core import Problems, rule
from tlscheck.rules.dns.zones import at, delegated, heard, unheard


@rule("RFC 1034, section 4.2.2; RFC 9471")
def delegation(seen: DnsObservation) -> Problems:
    """The domain is delegated, and parent and zone agree on its name servers.

    Where they differ, some resolvers ask servers that nobody tends any more, whose names or
    addresses a stranger may get. Have the registrar give the parent the same names and addresses
    (glue) that the zone itself has.
    """
    for zone in seen.zones:
        if zone.delegated is State.REFUSED:
            yield Problem(
                "nonexistent",
                "the servers of {parent} say that there is no {zone}",
                zone=zone.name,
                parent=zone.parent or ".",
            )
        elif zone.delegated is State.UNKNOWN:
            yield Open("unseen", "no delegation of {zone} was seen", zone=zone.name)
        else:
            yield from _agreement(zone)


def _agreement(zone: Zone) -> Iterator[Evidence]:
    for server in zone.name_servers:
        if server.at_parent and server.at_child is State.REFUSED:
            yield Problem(
                "only-at-parent",
                "{server} is a name server of {zone} at the parent only",
                server=server.name,
                zone=zone.name,
            )
        elif not server.at_parent:
            yield Problem(
                "only-at-child",
                "{server} is a name server of {zone} in the zone only",
                server=server.name,
                zone=zone.name,
            )
        elif server.at_child is State.UNKNOWN:
            yield Open(
                "child-unseen",
                "the zone {zone} itself did not tell its name servers",
                zone=zone.name,
            )
        if server.alias:
            yield Problem(
                "alias",
                "the name server {server} of {zone} is an alias of {target}",
                server=server.name,
                zone=zone.name,
                target=server.alias,
            )
        if not server.glue or not server.addresses or set(server.glue) == set(server.addresses):
            continue
        if not server.complete and set(server.glue) > set(server.addresses):
            yield Open(
                "glue-unseen",
                "{server}: the parent gives {glue}, and of its own zone only {addresses} was seen",
                server=server.name,
                glue=server.glue,
                addresses=server.addresses,
            )
        else:
            yield Problem(
                "glue",
                "{server}: the parent gives {glue}, its own zone {addresses}",
                server=server.name,
                glue=server.glue,
                addresses=server.addresses,
            )


@rule("RFC 1034, section 4.2.2; RFC 1912, section 2.8")
def name_servers_answer(seen: DnsObservation) -> Problems:
    """Every name server answers, and as an authority.

    A server that does not know the zone (lame) or is dead makes names fail now and then; where the
    zone was deleted at a provider, a stranger may open it there again. Remove the server from the
    delegation, or make it serve the zone.
    """
    for zone in delegated(seen):
        yield from (each for each in unheard([zone]) if each.code != "unheard")
        for server in zone.servers:
            yield from _silences(seen, zone, server)
        for name in zone.name_servers:
            if name.exists is State.REFUSED and not name.glue:
                yield Problem(
                    "no-address",
                    "the name server {server} of {zone} has no address",
                    server=name.name,
                    zone=zone.name,
                )
            elif name.exists is State.UNKNOWN and not name.glue:
                yield Open(
                    "address-unseen",
                    "whether the name server {server} of {zone} has an address is not known",
                    server=name.name,
                    zone=zone.name,
                )


def _silences(seen: DnsObservation, zone: Zone, server: Server) -> Iterator[Evidence]:
    """What is wrong with one server's answers over UDP."""
    values = {"server": at(server), "zone": zone.name}
    silent = server.udp in (Outcome.SILENT, Outcome.CLOSED) or (
        server.udp is Outcome.UNREACHABLE and _others_answer(seen, server.address)
    )
    if server.udp is Outcome.LAME:
        yield Problem(
            "lame", "{server} does not serve {zone}: {detail}", detail=server.detail, **values
        )
    elif silent and server.tcp is Outcome.AUTHORITATIVE:
        yield Problem(
            "no-udp", "{server} answers for {zone} over TCP, and not in time over UDP", **values
        )
    elif silent and _others_answer(seen, server.address):
        yield Problem("dead", "{server} does not answer for {zone}", **values)
    elif silent:
        yield Open("silent", "no name server answered us", cause="timeout")
    elif server.udp is not Outcome.AUTHORITATIVE:
        yield Open(
            "unreachable",
            "{server} cannot be reached from here",
            cause="unreachable",
            server=at(server),
        )


def _others_answer(seen: DnsObservation, address: str) -> bool:
    """Whether anybody answers us over the same version of IP, so that a silence is not ours."""
    is_six = ":" in address
    return any(e.answer for e in seen.exchanges if (":" in e.server) == is_six)


@dataclass(frozen=True, slots=True)
class Spread:
    """How a zone's name servers are to be spread."""

    servers: int
    networks: int


@rule("RFC 1034, section 4.1; RFC 2182, section 3.1")
def spread(seen: DnsObservation, want: Spread) -> Problems:
    """There is more than one name server, and in more than one network.

    With a single server or network, one fault takes all names away. Add a name server at another
    provider or in another network. (Networks are told apart by the first 24 bits of IPv4 and 48 of
    IPv6 addresses.)
    """
    for zone in delegated(seen):
        unseen = any(not (s.complete or s.glue) for s in zone.name_servers)
        if unseen or zone.delegated is State.UNKNOWN:
            yield Open("unseen", "not every name server of {zone} is known", zone=zone.name)
            continue
        yield from _spread(zone, [s for s in zone.name_servers if s.at_parent], want)
        if all(s.at_child is not State.UNKNOWN for s in zone.name_servers):
            own = [s for s in zone.name_servers if s.at_child is State.ACCEPTED]
            yield from _spread(zone, own, want)


def _spread(zone: Zone, some: Sequence[NameServer], want: Spread) -> Iterator[Evidence]:
    """What is wrong with the name servers that the parent names, or with those of the zone."""
    addresses = [address for s in some for address in {*s.addresses, *s.glue}]
    if min(len(some), len(set(addresses))) < want.servers:
        yield Problem(
            "few",
            "{zone} has {count} name servers at {addresses}",
            zone=zone.name,
            count=len(some),
            addresses=tuple(sorted(set(addresses))) or ("-",),
        )
    elif len(networks := {network_of(address) for address in addresses}) < want.networks:
        yield Problem(
            "one-network",
            "all name servers of {zone} are in {network}",
            zone=zone.name,
            network=tuple(sorted(networks)),
        )
    for address in sorted({a for a in addresses if addresses.count(a) > 1}):
        yield Problem(
            "same-address",
            "several name servers of {zone} are at {address}",
            zone=zone.name,
            address=address,
        )


@rule("RFC 1034, section 4.3.5; RFC 1912, section 2.2")
def same_serial(seen: DnsObservation) -> Problems:
    """All name servers have the same version of the zone.

    Servers with different serial numbers give different answers. Have the secondaries fetch the
    zone again; look at NOTIFY and at the keys of transfers.
    """
    for zone in delegated(seen):
        yield from unheard([zone])
        serials = {at(s): s.serial for s in zone.servers if s.serial is not None}
        if len(set(serials.values())) > 1:
            for server, serial in serials.items():
                yield Problem(
                    "serial",
                    "{server} has serial {serial} of {zone}",
                    server=server,
                    serial=serial,
                    zone=zone.name,
                )


@dataclass(frozen=True, slots=True)
class Timers:
    """The least and the most of a SOA record's timers, in seconds."""

    refresh: tuple[int, int]
    retry: tuple[int, int]
    expire: tuple[int, int]
    minimum: tuple[int, int]


@rule("RFC 1912, section 2.2; RFC 2308, section 4")
def timers(seen: DnsObservation, want: Timers) -> Problems:
    """The zone's timers are within the usual.

    With an expiry that is too short, the secondaries forget the zone while the primary is being
    mended. Set the SOA record's timers to values within the limits.
    """
    for zone in delegated(seen):
        if zone.soa is None:
            yield Open("unseen", "no SOA record of {zone} was seen", zone=zone.name)
            continue
        for name in ("refresh", "retry", "expire", "minimum"):
            value, (least, most) = getattr(zone.soa, name), getattr(want, name)
            if not least <= value <= most:
                yield Problem(
                    name,
                    "{zone}: {timer} is {seconds} s, usual are {least} to {most} s",
                    zone=zone.name,
                    timer=name,
                    seconds=value,
                    least=least,
                    most=most,
                )


@rule("RFC 7766, section 5")
def tcp(seen: DnsObservation) -> Problems:
    """Every name server answers over TCP too.

    Large answers, signed ones first, do not fit into UDP. Set the firewall so that TCP port 53 is
    open.
    """
    zones = delegated(seen)
    yield from unheard(zones)
    for zone in zones:
        for server in zone.servers:
            if server.udp is not Outcome.AUTHORITATIVE:
                continue  # `name-servers-answer` speaks of it
            if server.tcp in (Outcome.SILENT, Outcome.CLOSED, Outcome.LAME):
                yield Problem("no-tcp", "{server} does not answer over TCP", server=at(server))
            elif server.tcp is not Outcome.AUTHORITATIVE:
                yield Open(
                    "tcp-unseen",
                    "whether {server} answers over TCP is not known",
                    server=at(server),
                )


@rule("RFC 6891, section 6.1.3")
def edns(seen: DnsObservation) -> Problems:
    """Every name server understands EDNS.

    DNSSEC needs it, and resolvers stopped working round its absence in 2019. Update the software of
    the name server, or the firewall before it.
    """
    zones = delegated(seen)
    yield from unheard(zones)
    for zone in zones:
        for server in heard(zone):
            if server.edns is State.REFUSED:
                yield Problem(
                    "no-edns", "{server} does not handle EDNS as it should", server=at(server)
                )
            elif server.edns is State.UNKNOWN:
                yield Open(
                    "edns-unseen", "whether {server} handles EDNS is not known", server=at(server)
                )


@rule("RFC 5358, section 4")
def recursion(seen: DnsObservation) -> Problems:
    """No name server looks up foreign names for anybody.

    An open resolver is used to attack others, and its cache can be poisoned under the zone's own
    names. Switch recursion off on authoritative servers: ``recursion no;`` in BIND.
    """
    zones = delegated(seen)
    yield from unheard(zones)
    for server in (server for zone in zones for server in heard(zone)):
        if server.recursion is State.ACCEPTED:
            yield Problem("recursive", "{server} looks up names for anybody", server=at(server))
        elif server.recursion is State.UNKNOWN:
            yield Open(
                "unseen",
                "whether {server} looks up names for anybody is not known",
                server=at(server),
            )


@rule("RFC 5936, section 5")
def zone_transfer(seen: DnsObservation) -> Problems:
    """No name server hands the whole zone to anybody.

    The zone's list of names tells an attacker what there is, test systems and VPN gateways
    included. Set it so that transfers go to the secondaries only, in BIND by
    ``allow-transfer { key …; };``.
    """
    zones = delegated(seen)
    yield from unheard(zones)
    for server in (server for zone in zones for server in heard(zone)):
        if server.transfer is State.ACCEPTED:
            yield Problem("open", "{server} hands the zone to anybody", server=at(server))
        elif server.transfer is State.UNKNOWN:
            yield Open(
                "unseen",
                "whether {server} hands the zone to anybody is not known",
                server=at(server),
            )
