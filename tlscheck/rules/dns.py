"""Whether a domain's DNS is sound, and leads nowhere that a stranger could take."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

from tlscheck.model import Evidence, Open, Problem, State
from tlscheck.observations.dns import (
    DnsObservation,
    DomainName,
    NameServer,
    Outcome,
    Pointer,
    Role,
    Server,
    Standing,
    Zone,
    network_of,
)
from tlscheck.observations.dns.mail import MOST_LOOKUPS, MailHost, TransportPolicy, covered
from tlscheck.rules.core import NotApplicable, Problems, rule
from tlscheck.text import _N


def _delegated(seen: DnsObservation) -> list[Zone]:
    """The zones, but for those that do not exist: `delegation` speaks of them."""
    zones = [zone for zone in seen.zones if zone.delegated is not State.REFUSED]
    if not zones:
        raise NotApplicable(
            "no-delegation", "no delegation of {domain} was seen", domain=seen.domain
        )
    return zones


def _at(server: Server) -> str:
    return f"{server.name} ({server.address})"


def _answering(zone: Zone) -> list[Server]:
    return [s for s in zone.servers if Outcome.AUTHORITATIVE in (s.udp, s.tcp)]


def _without_authority(zones: Iterable[Zone]) -> Iterator[Evidence]:
    """What no server of a zone was there to tell stays open."""
    for zone in zones:
        if not _answering(zone):
            yield Open("no-authority", "no authority of {zone} answered", zone=zone.name)


# ---- delegation and servers ------------------------------------------------------------------


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
        if server.glue and server.addresses and set(server.glue) != set(server.addresses):
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
    for zone in _delegated(seen):
        if not zone.servers:
            yield Open("no-authority", "no authority of {zone} answered", zone=zone.name)
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
    values = {"server": _at(server), "zone": zone.name}
    silent = server.udp in (Outcome.SILENT, Outcome.CLOSED) or (
        server.udp is Outcome.UNREACHABLE and _others_answer(seen, server.address)
    )
    if server.udp is Outcome.LAME:
        yield Problem(
            "lame", "{server} does not serve {zone}: {detail}", detail=server.detail, **values
        )
    elif silent and server.tcp is Outcome.AUTHORITATIVE:
        yield Problem("no-udp", "{server} answers for {zone} over TCP only", **values)
    elif silent and _others_answer(seen, server.address):
        yield Problem("dead", "{server} does not answer for {zone}", **values)
    elif silent:
        yield Open("silent", "no name server answered us", cause="timeout")
    elif server.udp is not Outcome.AUTHORITATIVE:
        yield Open(
            "unreachable",
            "{server} cannot be reached from here",
            cause="unreachable",
            server=_at(server),
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
    for zone in _delegated(seen):
        if any(s.exists is State.UNKNOWN and not s.glue for s in zone.name_servers):
            yield Open("unseen", "not every name server of {zone} is known", zone=zone.name)
            continue
        if zone.delegated is State.UNKNOWN:
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
    for zone in _delegated(seen):
        serials = {_at(s): s.serial for s in zone.servers if s.serial is not None}
        if len(set(serials.values())) > 1:
            for server, serial in serials.items():
                yield Problem(
                    "serial",
                    "{server} has serial {serial} of {zone}",
                    server=server,
                    serial=serial,
                    zone=zone.name,
                )
        elif not serials:
            yield Open("unseen", "no serial number of {zone} was seen", zone=zone.name)


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
    for zone in _delegated(seen):
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
    zones = _delegated(seen)
    yield from _without_authority(zones)
    for zone in zones:
        for server in zone.servers:
            if server.udp is not Outcome.AUTHORITATIVE:
                continue  # `name-servers-answer` speaks of it
            if server.tcp in (Outcome.SILENT, Outcome.CLOSED, Outcome.LAME):
                yield Problem("no-tcp", "{server} does not answer over TCP", server=_at(server))
            elif server.tcp is not Outcome.AUTHORITATIVE:
                yield Open(
                    "tcp-unseen",
                    "whether {server} answers over TCP is not known",
                    server=_at(server),
                )


@rule("RFC 6891, section 6.1.3")
def edns(seen: DnsObservation) -> Problems:
    """Every name server understands EDNS.

    DNSSEC needs it, and resolvers stopped working round its absence in 2019. Update the software of
    the name server, or the firewall before it.
    """
    zones = _delegated(seen)
    yield from _without_authority(zones)
    for zone in zones:
        for server in _answering(zone):
            if server.edns is State.REFUSED:
                yield Problem(
                    "no-edns", "{server} does not handle EDNS as it should", server=_at(server)
                )
            elif server.edns is State.UNKNOWN:
                yield Open(
                    "edns-unseen", "whether {server} handles EDNS is not known", server=_at(server)
                )


@rule("RFC 5358, section 4")
def recursion(seen: DnsObservation) -> Problems:
    """No name server looks up foreign names for anybody.

    An open resolver is used to attack others, and its cache can be poisoned under the zone's own
    names. Switch recursion off on authoritative servers: ``recursion no;`` in BIND.
    """
    zones = _delegated(seen)
    yield from _without_authority(zones)
    for server in (server for zone in zones for server in _answering(zone)):
        if server.recursion is State.ACCEPTED:
            yield Problem("recursive", "{server} looks up names for anybody", server=_at(server))
        elif server.recursion is State.UNKNOWN:
            yield Open(
                "unseen",
                "whether {server} looks up names for anybody is not known",
                server=_at(server),
            )


@rule("RFC 5936, section 5")
def zone_transfer(seen: DnsObservation) -> Problems:
    """No name server hands the whole zone to anybody.

    The zone's list of names tells an attacker what there is, test systems and VPN gateways
    included. Set it so that transfers go to the secondaries only, in BIND by
    ``allow-transfer { key …; };``.
    """
    zones = _delegated(seen)
    yield from _without_authority(zones)
    for server in (server for zone in zones for server in _answering(zone)):
        if server.transfer is State.ACCEPTED:
            yield Problem("open", "{server} hands the zone to anybody", server=_at(server))
        elif server.transfer is State.UNKNOWN:
            yield Open(
                "unseen",
                "whether {server} hands the zone to anybody is not known",
                server=_at(server),
            )


# ---- DNSSEC ----------------------------------------------------------------------------------


_BROKEN = {
    "expired": _N("its signatures have expired"),
    "not_yet_valid": _N("its signatures are not valid yet"),
    "ds_mismatch": _N("no key fits the parent's DS record"),
    "bad_signature": _N("its signatures are wrong"),
    "no_signature": _N("signatures are missing"),
    "no_keys": _N("the parent has a DS record and the zone no keys"),
    "no_denial": _N("the parent does not prove that there is no DS record"),
    "parent_bogus": _N("a zone above it is broken"),
    "no_anchor": _N("no key of the root is configured"),
    "no_answer": _N("not every zone on the way told its keys"),
}


@rule("RFC 4035, section 5")
def dnssec(seen: DnsObservation) -> Problems:
    """The signatures hold, from the root's key down to every name server's answer.

    With a broken chain the domain does not exist for everybody whose resolver validates. Sign the
    zone anew, or have the registrar put the DS record in order; if in haste, have it removed.
    """
    for zone in _delegated(seen):
        security = zone.security
        if security.standing is Standing.BOGUS:
            yield _broken(security.problem, zone.name)
        elif security.standing is Standing.UNKNOWN:
            yield Open(
                "unseen",
                "{zone}: the chain of trust could not be followed: {detail}",
                zone=zone.name,
                detail=_BROKEN.get(security.problem, ""),
            )
        if zone.denial is State.REFUSED:
            yield Problem(
                "denial",
                "{zone}: it is not proven that a name does not exist",
                zone=zone.name,
            )
        for server in zone.servers:
            if server.signature:
                yield _broken(server.signature, f"{zone.name}, {_at(server)}")


def _broken(problem: str, zone: str) -> Problem:
    return Problem(
        problem.replace("_", "-"), "{zone}: {detail}", zone=zone, detail=_BROKEN.get(problem, "")
    )


@rule("RFC 4033; RFC 9364")
def signed(seen: DnsObservation) -> Problems:
    """The domain is signed with DNSSEC.

    Without it, whoever can forge DNS answers can send the domain's visitors and mail elsewhere.
    Sign the zone and give the registrar its DS record.
    """
    for zone in _delegated(seen):
        if zone.security.standing is Standing.INSECURE:
            yield Problem("unsigned", "{zone} is not signed", zone=zone.name)
        elif zone.security.standing is Standing.UNKNOWN:
            yield Open("unseen", "whether {zone} is signed is not known", zone=zone.name)


def _signed(seen: DnsObservation) -> tuple[list[Zone], list[Evidence]]:
    """The zones that are signed, and what is open as it is not known of others."""
    zones = _delegated(seen)
    found = [zone for zone in zones if zone.security.signed]
    unseen: list[Evidence] = [
        Open("unseen", "whether {zone} is signed is not known", zone=zone.name)
        for zone in zones
        if not zone.security.signed and zone.security.standing is Standing.UNKNOWN
    ]
    if not found and not unseen:
        raise NotApplicable("unsigned", "{domain} is not signed", domain=seen.domain)
    return found, unseen


@dataclass(frozen=True, slots=True)
class Lifetime:
    """How long signatures must still hold."""

    hours: int


@rule("RFC 6781, section 4.4.2")
def signature_lifetime(seen: DnsObservation, want: Lifetime) -> Problems:
    """The signatures do not run out soon.

    Signatures that are not renewed in time make the domain vanish. Look at why the signer has not
    run, and sign the zone anew.
    """
    zones, unseen = _signed(seen)
    yield from unseen
    for zone in zones:
        if zone.security.expires is None:
            yield Open("unseen", "{zone}: no signature was seen", zone=zone.name)
        elif zone.security.expires - seen.at < timedelta(hours=want.hours):
            yield Problem(
                "soon",
                "{zone}: signatures end at {moment}",
                zone=zone.name,
                moment=zone.security.expires.isoformat().replace("+00:00", "Z"),
            )


@dataclass(frozen=True, slots=True)
class Algorithms:
    """IANA's numbers of DNSSEC algorithms and digests that must not be used."""

    forbid: tuple[int, ...]
    forbid_digests: tuple[int, ...]
    rsa_bits: int
    """The least of an RSA key."""


@rule("RFC 9904; RFC 9905; RFC 9906")
def signature_algorithms(seen: DnsObservation, want: Algorithms) -> Problems:
    """Keys and DS records are of algorithms that are not given up.

    SHA-1 and ECC-GOST are retired; resolvers come to treat such zones as unsigned. Roll over to
    ECDSA P-256 with SHA-256 (13) or Ed25519 (15), and publish a DS record with SHA-256 (2).
    """
    zones, unseen = _signed(seen)
    yield from unseen
    for zone in zones:
        for number in zone.security.algorithms:
            if number in want.forbid:
                yield Problem(
                    "algorithm",
                    "{zone}: a key of algorithm {number}",
                    zone=zone.name,
                    number=number,
                )
        digests = {int(ds.split()[2]) for ds in zone.security.ds}
        for number in sorted(digests.intersection(want.forbid_digests)):
            yield Problem(
                "digest",
                "{zone}: a DS record of digest type {number}",
                zone=zone.name,
                number=number,
            )
        for bits in zone.security.rsa_bits:
            if bits < want.rsa_bits:
                yield Problem(
                    "size", "{zone}: an RSA key of {bits} bits", zone=zone.name, bits=bits
                )


@dataclass(frozen=True, slots=True)
class Nsec3:
    """What NSEC3 may cost."""

    iterations: int
    salt: int
    """Bytes."""


@rule("RFC 9276, section 3.1")
def nsec3(seen: DnsObservation, want: Nsec3) -> Problems:
    """NSEC3 is used without additional iterations and without a salt.

    Both cost servers and resolvers more than an attacker, and some resolvers treat such zones as
    unsigned. Set the iterations to 0 and the salt to none: ``dnssec-signzone -3 - -H 0``.
    """
    zones, unseen = _signed(seen)
    yield from unseen
    for zone in zones:
        if not zone.security.nsec3_seen:
            yield Open("unseen", "the NSEC3 parameters of {zone} were not seen", zone=zone.name)
        iterations, salt = zone.security.nsec3 or (0, 0)
        if iterations > want.iterations:
            yield Problem(
                "iterations",
                "{zone}: {count} additional iterations",
                zone=zone.name,
                count=iterations,
            )
        if salt > want.salt:
            yield Problem("salt", "{zone}: a salt of {count} bytes", zone=zone.name, count=salt)


@rule("An earlier scan")
def ds_kept(seen: DnsObservation) -> Problems:
    """The DS records of an earlier scan are still there.

    Whoever takes over a signed domain removes its DS record first. If nobody of yours did it, go to
    the registrar; if somebody did, compare with a newer scan from now on.
    """
    if seen.ds_before is None:
        raise NotApplicable("no-baseline", "no earlier scan was given")
    zone = next(iter(_delegated(seen)))
    if not zone.security.ds:
        if zone.security.standing is Standing.UNKNOWN:
            yield Open("unseen", "the DS records of {zone} were not seen", zone=zone.name)
        elif seen.ds_before:
            yield Problem(
                "removed",
                "{zone} has no DS record any more; before it had {before}",
                zone=zone.name,
                before=seen.ds_before,
            )


# ---- names -----------------------------------------------------------------------------------


@rule("RFC 6890; IANA's special-purpose address registries")
def public_addresses(seen: DnsObservation) -> Problems:
    """No name leads to a private or reserved address.

    Inside another network the same address is somebody else's machine, and a public name for it
    tells what is inside of yours. Use public addresses in the public DNS, and a zone of its own for
    the inside.
    """
    for name in seen.names:
        for address in name.addresses:
            if not _is_public(address):
                yield Problem(
                    "private",
                    "{name} leads to {address}, which is no public address",
                    name=name.name,
                    address=address,
                )
        if name.exists is State.UNKNOWN:
            yield _unseen(name)
    yield from _without_authority(z for z in seen.zones if z.delegated is not State.REFUSED)
    # A server at a reserved address is dead from here, which is said elsewhere; one at a private
    # address may well answer us.
    for zone in seen.zones:
        for server in zone.servers:
            if _is_private(server.address):
                yield Problem(
                    "private",
                    "{name} leads to {address}, which is no public address",
                    name=server.name,
                    address=server.address,
                )


def _is_public(address: str) -> bool:
    found = ipaddress.ip_address(address)
    inner = getattr(found, "ipv4_mapped", None) or found
    return inner.is_global and not inner.is_multicast


def _is_private(address: str) -> bool:
    found = ipaddress.ip_address(address)
    documentation = any(found in network for network in _DOCUMENTATION)
    return not _is_public(address) and not documentation


_DOCUMENTATION = tuple(
    map(
        ipaddress.ip_network,
        ("192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24", "2001:db8::/32", "3fff::/20"),
    )
)


def _unseen(name: DomainName) -> Open:
    return Open("unseen", "no authority told the addresses of {name}", name=name.name)


@rule("RFC 8659, section 3")
def caa(seen: DnsObservation) -> Problems:
    """CAA records say who may issue certificates.

    Without them every authority may, for whoever can fool it. Add a CAA record for each authority
    that you use, such as ``0 issue "letsencrypt.org"``.
    """
    _delegated(seen)
    for name in seen.names:
        if name.caa is None:
            yield Open("unseen", "the CAA records of {name} were not seen", name=name.name)
        elif not any(record.startswith(("issue ", "issuewild ")) for record in name.caa):
            yield Problem("none", "{name}: no CAA record", name=name.name)


@dataclass(frozen=True, slots=True)
class Issuers:
    """By which names authorities are named in CAA records."""

    names: tuple[str, ...]
    """``Organisation = domain, domain``."""


@rule("RFC 8659, section 4.2")
def caa_issuer(seen: DnsObservation, want: Issuers) -> Problems:
    """The CAA records allow the authority whose certificate is in use.

    Otherwise the next renewal fails, or the certificate was not issued at your order. Add the
    authority to the records, or find out who had the certificate issued.
    """
    if seen.issuers is None:
        raise NotApplicable("not-looked-at", "no certificate was looked at")
    shown = [entry.partition(": ")[::2] for entry in seen.issuers]
    names = [name for name in seen.names if name.name in (host for host, _ in shown)]
    if all(name.caa is not None and not _allowed(name) for name in names):
        raise NotApplicable("no-caa", "no CAA record bears on a certificate that was seen")
    known = dict(_split(entry) for entry in want.names)
    for name in names:
        if name.caa is None:
            yield Open("unseen", "the CAA records of {name} were not seen", name=name.name)
        elif allowed := _allowed(name):
            for organisation in (issuer for host, issuer in shown if host == name.name):
                yield from _issued(name.name, organisation, allowed, known)


def _allowed(name: DomainName) -> set[str]:
    """The authorities that may issue; empty where no record of that kind says."""
    return {
        record.partition(" ")[2].partition(";")[0].strip().lower()
        for record in name.caa or ()
        if record.startswith("issue ")
    }


def _issued(
    name: str, organisation: str, allowed: set[str], known: Mapping[str, set[str]]
) -> Iterator[Evidence]:
    if organisation not in known:
        yield Open(
            "issuer-not-known",
            "{name}: by which name CAA records call {organisation} is not known",
            cause="open_question",
            name=name,
            organisation=organisation,
        )
    elif not allowed.intersection(known[organisation]):
        yield Problem(
            "not-allowed",
            "{name}: the certificate is by {organisation}, CAA allows {allowed}",
            name=name,
            organisation=organisation,
            allowed=tuple(sorted(allowed)),
        )


def _split(entry: str) -> tuple[str, set[str]]:
    organisation, _, domains = entry.rpartition(" = ")
    return organisation, {domain.strip() for domain in domains.split(",")}


@rule("RFC 9460, sections 2.4 and 7.3")
def https_records(seen: DnsObservation) -> Problems:
    """HTTPS records agree with the addresses.

    Browsers use the hints before they know the addresses; hints that differ send some visitors to
    an old server. Bring the hints in line with the A and AAAA records, or remove them.
    """
    if all(name.https == () for name in seen.names):
        raise NotApplicable("none", "there is no HTTPS record")
    for name in seen.names:
        if name.https is None:
            yield Open("unseen", "the HTTPS records of {name} were not seen", name=name.name)
        for record in name.https or ():
            own = record.target in ("", "@", ".", name.name)
            if record.priority and own and set(record.hints) - set(name.addresses):
                yield Problem(
                    "hints",
                    "{name}: the hints {hints} are not among the addresses {addresses}",
                    name=name.name,
                    hints=record.hints,
                    addresses=name.addresses or ("-",),
                )


@rule("RFC 4592")
def wildcard(seen: DnsObservation) -> Problems:
    """No wildcard answers for names that nobody made.

    With a wildcard a mistyped or forged name of the domain works too, cookies and trust included.
    Replace the wildcard by the names that are needed.
    """
    for zone in _delegated(seen):
        if zone.wildcard is State.ACCEPTED:
            yield Problem("wildcard", "any name under {zone} has an answer", zone=zone.name)
        elif zone.wildcard is State.UNKNOWN:
            yield Open("unseen", "whether {zone} has a wildcard is not known", zone=zone.name)


@dataclass(frozen=True, slots=True)
class Ttl:
    """The least and the most that addresses may be kept by resolvers, in seconds."""

    least: int
    most: int


@rule("RFC 1912, section 2.2")
def ttl(seen: DnsObservation, want: Ttl) -> Problems:
    """Addresses may be kept neither for too short nor for too long.

    A very short time to live multiplies the questions and helps forgers; a very long one keeps an
    old address in use for days. Set the time to live to some minutes or hours.
    """
    for name in seen.names:
        if name.exists is State.UNKNOWN:
            yield _unseen(name)
        if name.ttl is not None and not want.least <= name.ttl <= want.most:
            yield Problem("ttl", "{name}: {seconds} s", name=name.name, seconds=name.ttl)


# ---- what leads elsewhere --------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Danger:
    """What makes a name elsewhere dangerous to lead to."""

    dying: tuple[str, ...]
    """Status words of registrations on their way to be deleted."""


def _dangers(pointers: Iterable[Pointer], want: Danger) -> Iterator[Evidence]:
    for pointer in pointers:
        values = {"owner": pointer.owner, "target": pointer.target, "domain": pointer.domain}
        free = pointer.domain_exists is State.REFUSED and pointer.registered is State.ACCEPTED
        if pointer.registered is State.REFUSED and pointer.domain_exists is not State.ACCEPTED:
            yield Problem(
                "unregistered",
                "{owner} leads to {target}, and anybody can register {domain}",
                **values,
            )
        elif any(word in want.dying for word in pointer.statuses):
            yield Problem(
                "dying",
                "{owner} leads to {target}, and {domain} is being deleted",
                **values,
            )
        elif pointer.free_at:
            yield Problem(
                "claimable",
                "{owner} leads to {target}, a name that is free for anybody at {service}",
                service=pointer.free_at,
                **values,
            )
        elif pointer.domain_exists is State.REFUSED and not free:
            yield Problem(
                "no-domain",
                "{owner} leads to {target}, and there is no {domain} in the DNS",
                **values,
            )
        elif pointer.exists is State.REFUSED:
            yield Problem("missing", "{owner} leads to {target}, which does not exist", **values)
        elif pointer.exists is State.UNKNOWN:
            yield Open("unseen", "{owner} leads to {target}, of which nothing is known", **values)
        elif not pointer.unasked and pointer.registered is not State.ACCEPTED:
            yield Open(
                "registration-unseen",
                "{owner} leads to {target}; the registration of {domain} was not seen",
                cause=pointer.trouble or "not_settled",
                **values,
            )


def _under(name: str, suffix: str) -> bool:
    return name == suffix or name.endswith(f".{suffix}")


def _leading(seen: DnsObservation, *roles: Role) -> list[Pointer]:
    return [pointer for pointer in seen.pointers if pointer.role in roles]


@rule("RFC 1034, section 3.6.2; JPRS, warning of 2025-01-21 on dangling records")
def dangling_aliases(seen: DnsObservation, want: Danger) -> Problems:
    """No alias leads to a name that a stranger can take.

    Who takes the name that an alias leads to shows pages under your name, with a valid certificate.
    Remove the alias, or have the target back in your hands first.
    """
    for name in seen.names:
        if name.exists is State.REFUSED and not name.aliases:
            yield Problem("no-address", "{name} has no address", name=name.name)
        elif name.exists is State.UNKNOWN:
            yield _unseen(name)
    yield from _dangers(_leading(seen, Role.ALIAS, Role.WILDCARD), want)


@rule("RFC 1034, section 4.2.2; JPRS, notice on name servers of lapsed domains")
def dangling_name_servers(seen: DnsObservation, want: Danger) -> Problems:
    """No name server is in a domain that a stranger can take.

    Whoever registers that domain answers for yours: pages, mail and certificates. Have the
    registrar remove the name server from the delegation now.
    """
    for zone in _delegated(seen):
        if zone.delegated is State.UNKNOWN:
            yield Open("unseen", "not every name server of {zone} is known", zone=zone.name)
    yield from _dangers(_leading(seen, Role.NAME_SERVER), want)


@rule("RFC 5321, section 5.1; RFC 7208, section 11")
def dangling_mail(seen: DnsObservation, want: Danger) -> Problems:
    """No mail host or trusted sender is in a domain that a stranger can take.

    Whoever takes it reads the domain's mail, password links included, or sends mail in its name.
    Remove the record.
    """
    yield from _dangers(_leading(seen, Role.MAIL, Role.SPF, Role.MTA_STS), want)
    if seen.mail.takes is State.UNKNOWN:
        yield Open("unseen", "the mail hosts of {domain} were not seen", domain=seen.domain)
    if seen.mail.spf is None:
        yield Open("spf-unseen", "the SPF record of {domain} was not seen", domain=seen.domain)


@dataclass(frozen=True, slots=True)
class Keepers:
    """Suffixes of name servers that say something of the domains that use them."""

    seized: tuple[str, ...]
    parked: tuple[str, ...]


@rule("Name servers of parking services and of authorities that seize domains")
def parked(seen: DnsObservation, want: Keepers) -> Problems:
    """The name servers are no parking service's, and no authority has seized the domain.

    Name servers of a parking service show that the domain ran out or is for sale. Have the
    registrar put back your own.
    """
    for zone in _delegated(seen):
        if zone.delegated is State.UNKNOWN:
            yield Open("unseen", "not every name server of {zone} is known", zone=zone.name)
        for server in zone.name_servers:
            if any(_under(server.name, suffix) for suffix in want.seized):
                yield Problem("seized", "{zone}: {server}", zone=zone.name, server=server.name)
            elif any(_under(server.name, suffix) for suffix in want.parked):
                yield Problem("parked", "{zone}: {server}", zone=zone.name, server=server.name)


# ---- mail ------------------------------------------------------------------------------------


@rule("RFC 7208, sections 3.2, 4.6.4 and 5.1")
def spf(seen: DnsObservation) -> Problems:
    """One sound SPF record says who may send mail for the domain.

    Without it anybody's mail to patients looks like yours. Have one TXT record that begins with
    ``v=spf1`` and ends in ``-all`` or ``~all``; a domain without mail has ``v=spf1 -all``.
    """
    _delegated(seen)
    found = seen.mail.spf
    if found is None:
        yield Open("unseen", "the SPF record of {domain} was not seen", domain=seen.domain)
        return
    values = {"domain": seen.domain}
    if not found.records:
        yield Problem("none", "{domain} has no SPF record", **values)
        return
    if len(found.records) > 1:
        yield Problem(
            "several", "{domain} has {count} SPF records", count=len(found.records), **values
        )
    if found.error:
        yield Problem("error", "{domain}: {term} is no term of SPF", term=found.error, **values)
    if found.lookups > MOST_LOOKUPS:
        yield Problem(
            "lookups",
            "{domain}: the SPF record takes {count} look-ups, allowed are {most}",
            count=found.lookups,
            most=MOST_LOOKUPS,
            **values,
        )
    redirected = any(" redirect=" in record.lower() for record in found.records)
    if found.rest in ("+all", "?all") or (not found.rest and not redirected):
        yield Problem(
            "open",
            "{domain}: the SPF record lets everybody send: {record}",
            record=found.records[0],
            **values,
        )


@rule("RFC 9989, section 4")
def dmarc(seen: DnsObservation) -> Problems:
    """DMARC has forged mail quarantined or rejected.

    SPF alone says nothing of the sender that people see. Write a TXT record at ``_dmarc`` with
    ``v=DMARC1; p=quarantine`` or ``p=reject``, after having read the reports for a while.
    """
    _delegated(seen)
    found = seen.mail.dmarc
    values = {"domain": seen.domain}
    if found is None:
        yield Open("unseen", "the DMARC record of {domain} was not seen", **values)
    elif not found.records:
        yield Problem("none", "{domain} has no DMARC record", **values)
    elif len(found.records) > 1:
        yield Problem(
            "several", "{domain} has several DMARC records, so that none counts", **values
        )
    elif found.policy not in ("quarantine", "reject"):
        yield Problem("policy", "{domain}: the policy is {policy}", policy=found.policy, **values)
    elif found.testing:
        yield Problem("testing", "{domain}: the policy is only being tried", **values)


@rule("RFC 8461; RFC 7672; RFC 8460")
def mail_transport(seen: DnsObservation) -> Problems:
    """Mail to the domain is kept from being read on its way, by MTA-STS or DANE.

    Otherwise whoever sits between mail servers can have them fall back to plain text. Publish an
    MTA-STS policy in mode ``enforce`` for all mail hosts, or TLSA records in a signed zone.
    """
    mail, values = seen.mail, {"domain": seen.domain}
    if mail.takes is State.REFUSED:
        raise NotApplicable("no-mail", "{domain} takes no mail", **values)
    if mail.takes is State.UNKNOWN:
        yield Open("unseen", "the mail hosts of {domain} were not seen", **values)
        return
    if all(host.dane is State.ACCEPTED for host in mail.hosts):
        return
    if mail.mta_sts is None:
        yield Open("sts-unseen", "the MTA-STS record of {domain} was not seen", **values)
    elif not mail.mta_sts.record:
        yield Problem("none", "{domain} has neither DANE nor MTA-STS", **values)
    else:
        yield from _policy(mail.mta_sts, mail.hosts, seen.domain)


def _policy(policy: TransportPolicy, hosts: Iterable[MailHost], domain: str) -> Iterator[Evidence]:
    if policy.fetched is State.UNKNOWN:
        yield Open(
            "policy-unseen",
            "the MTA-STS policy of {domain} could not be fetched: {detail}",
            domain=domain,
            detail=policy.trouble,
        )
    elif policy.fetched is State.REFUSED:
        yield Problem("no-policy", "{domain} has no readable MTA-STS policy", domain=domain)
    elif policy.mode != "enforce":
        yield Problem(
            "mode", "{domain}: the MTA-STS mode is {mode}", domain=domain, mode=policy.mode
        )
    else:
        for host in hosts:
            if not covered(host.name, policy.hosts):
                yield Problem(
                    "not-covered",
                    "{domain}: the MTA-STS policy does not cover {host}",
                    domain=domain,
                    host=host.name,
                )


@rule("RFC 8460, section 3")
def tls_reports(seen: DnsObservation) -> Problems:
    """Senders are asked to report mail that could not be encrypted.

    Reports show interception and outages before users do. Publish a TXT record at ``_smtp._tls``
    with ``v=TLSRPTv1; rua=mailto:…``.
    """
    if seen.mail.takes is State.REFUSED:
        raise NotApplicable("no-mail", "{domain} takes no mail", domain=seen.domain)
    if seen.mail.tls_reports is None:
        yield Open("unseen", "the TLS-RPT record of {domain} was not seen", domain=seen.domain)
    elif not seen.mail.tls_reports:
        yield Problem("none", "{domain} has no TLS-RPT record", domain=seen.domain)
