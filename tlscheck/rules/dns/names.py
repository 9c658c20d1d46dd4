"""Whether the names of a domain lead where they should, and who may certify them."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from tlscheck.model import Evidence, Open, Problem, State
from tlscheck.observations.dns import DnsObservation, DomainName
from tlscheck.rules.core import NotApplicable, Problems, rule
from tlscheck.rules.dns.zones import delegated, without_authority


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
        yield from unseen(name)
    mail = seen.mail
    others = [(seen.domain, mail.addresses), *((h.name, h.addresses) for h in mail.hosts)]
    looked_at = {name.name for name in seen.names}
    for other, addresses in others:
        for address in addresses if other not in looked_at else ():
            if not _is_public(address):
                yield Problem(
                    "private",
                    "{name} leads to {address}, which is no public address",
                    name=other,
                    address=address,
                )
    yield from without_authority(z for z in seen.zones if z.delegated is not State.REFUSED)
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
    if isinstance(found, ipaddress.IPv6Address):
        inner = found.ipv4_mapped or found.sixtofour or _translated(found)
        if inner is not None:
            return _is_public(str(inner))
    return found.is_global and not found.is_multicast


def _translated(address: ipaddress.IPv6Address) -> ipaddress.IPv4Address | None:
    """The IPv4 address that a NAT64 address stands for (RFC 6052, section 2.1)."""
    return ipaddress.IPv4Address(address.packed[12:]) if address in _NAT64 else None


_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")


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


def unseen(name: DomainName) -> Iterator[Evidence]:
    """What is not known of a name's addresses."""
    if name.exists is State.UNKNOWN:
        yield Open("unseen", "no authority told the addresses of {name}", name=name.name)
    elif name.exists is State.ACCEPTED and not name.complete:
        yield Open(
            "incomplete",
            "{name}: only the addresses {addresses} were told, and none of the other kind"
            " was denied",
            name=name.name,
            addresses=name.addresses,
        )


@rule("RFC 8659, section 3")
def caa(seen: DnsObservation) -> Problems:
    """CAA records say who may issue certificates.

    Without them every authority may, for whoever can fool it. Add a CAA record for each authority
    that you use, such as ``0 issue "letsencrypt.org"``.
    """
    delegated(seen)
    for name in seen.names:
        if name.caa is None:
            yield Open("unseen", "the CAA records of {name} were not seen", name=name.name)
            continue
        if not any(record.startswith("issue ") for record in name.caa):
            yield Problem("none", "{name}: no CAA record says who may issue", name=name.name)
        for record in name.caa:
            if record.startswith("critical "):
                yield Problem(
                    "critical",
                    "{name}: a critical CAA property that authorities do not know forbids them to"
                    " issue: {record}",
                    name=name.name,
                    record=record,
                )


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
            if not name.complete:
                yield from unseen(name)
            elif record.priority and own and set(record.hints) - set(name.addresses):
                yield Problem(
                    "hints",
                    "{name}: the hints {hints} are not among the addresses {addresses}",
                    name=name.name,
                    hints=record.hints,
                    addresses=name.addresses or ("-",),
                )


@rule("RFC 4592")
def wildcard(seen: DnsObservation) -> Problems:
    """No wildcard at the top of a zone answers for names that nobody made.

    With a wildcard a mistyped or forged name of the domain works too, cookies and trust included.
    Replace the wildcard by the names that are needed.
    """
    for zone in delegated(seen):
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
        yield from unseen(name)
        if name.ttl is not None and not want.least <= name.ttl <= want.most:
            yield Problem("ttl", "{name}: {seconds} s", name=name.name, seconds=name.ttl)
