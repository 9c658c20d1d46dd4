"""The clinic's own internet of names: a root, a TLD and two domains, signed and served on loopback.

The addresses in the zones are of networks that are set aside for another purpose (AS112), so that
they are nobody's; what is sent to a name server of them goes to a port of this machine.
"""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta

import dns.dnssec
import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.node
import dns.rcode
import dns.rdataset
import dns.rdatatype
import dns.rrset
import dns.zone
from cryptography.hazmat.primitives.asymmetric import ec

from tlscheck.demo import servers
from tlscheck.demo.sites import BAD, GOOD
from tlscheck.net import now

ROOT, TLD = "192.31.196.1", "192.31.196.2"
ONE, TWO, OLD = "192.31.196.11", "192.175.48.11", "192.175.48.12"
"""Two name servers of the clinic, and the only one of the old domain that is left."""
WEB = "192.175.48.80"

_SOA = "@ SOA ns1 hostmaster 2026112101 7200 3600 1209600 300\n"
_CAREFUL = (
    '@ MX 0 .\n@ TXT "v=spf1 -all"\n_dmarc TXT "v=DMARC1; p=reject"\n@ CAA 0 issue "ca.example"\n'
)


@dataclass(frozen=True, slots=True)
class Internet:
    """What the name servers hold."""

    zones: Mapping[str, tuple[dns.zone.Zone, ...]]
    """The zones that are served at each address."""
    anchor: str
    """The DS record of the root's key."""


def made(hosts: Iterable[str]) -> Internet:
    """All zones, with the *hosts* in them."""
    under = {domain: [h for h in hosts if h.endswith(f".{domain}")] for domain in (GOOD, BAD)}
    good = _signed(
        GOOD,
        f"{_SOA}@ NS ns1\n@ NS ns2\nns1 A {ONE}\nns2 A {TWO}\n{_CAREFUL}@ A {WEB}\n"
        + "".join(f"{host}. A {WEB}\n" for host in under[GOOD]),
    )
    # Its second name server is in a domain that nobody has registered any more, its mail host is
    # gone, its name leads inside, and nobody has signed it.
    bad = _zone(
        BAD,
        f"{_SOA}@ NS ns1\n@ NS ns.lapsed.example.\nns1 A {OLD}\n@ MX 10 mail.lapsed.example.\n"
        + "".join(f"{host}. A 10.20.30.40\n" for host in under[BAD]),
    )
    tld = _signed(
        "example",
        f"@ SOA ns hostmaster 1 7200 3600 1209600 300\n@ NS ns\nns A {TLD}\n"
        f"clinic NS ns1.clinic\nclinic NS ns2.clinic\nns1.clinic A {ONE}\nns2.clinic A {TWO}\n"
        f"clinic DS {_ds(good)}\n"
        f"old-clinic NS ns1.old-clinic\nold-clinic NS ns.lapsed\nns1.old-clinic A {OLD}\n",
    )
    root = _signed(
        ".",
        f"@ SOA a.root. hostmaster. 1 7200 3600 1209600 300\n@ NS a.root.\na.root. A {ROOT}\n"
        f"example. NS ns.example.\nns.example. A {TLD}\nexample. DS {_ds(tld)}\n",
    )
    zones = {ROOT: (root,), TLD: (tld,), ONE: (good,), TWO: (good,), OLD: (bad,)}
    return Internet(zones, _ds(root))


def _zone(name: str, text: str) -> dns.zone.Zone:
    return dns.zone.from_text(f"$TTL 3600\n{text}", name, relativize=False, check_origin=False)


def _signed(name: str, text: str) -> dns.zone.Zone:
    zone = _zone(name, text)
    key = ec.generate_private_key(ec.SECP256R1())
    public = dns.dnssec.make_dnskey(key.public_key(), "ECDSAP256SHA256", flags=257)
    at = now()
    with zone.writer() as txn:
        dns.dnssec.sign_zone(
            zone,
            txn,
            keys=[(key, public)],
            inception=at - timedelta(days=1),
            expiration=at + timedelta(days=14),
        )
    return zone


def _ds(zone: dns.zone.Zone) -> str:
    origin = zone.origin
    assert origin is not None
    (key,) = zone.find_rdataset(origin, dns.rdatatype.DNSKEY)
    return dns.dnssec.make_ds(origin, key, "SHA256").to_text()


# ---- answering -------------------------------------------------------------------------------


def answer(question: dns.message.Message, zones: Iterable[dns.zone.Zone]) -> dns.message.Message:
    """What a server that holds *zones*, and looks nothing up, says (RFC 1034, section 4.3.2)."""
    response = dns.message.make_response(question, our_payload=1232)
    if question.edns > 0:
        response.set_rcode(dns.rcode.BADVERS)
        return response
    asked = question.question[0]
    own = [z for z in zones if z.origin is not None and asked.name.is_subdomain(z.origin)]
    if not own or asked.rdtype == dns.rdatatype.AXFR:
        response.set_rcode(dns.rcode.REFUSED)
        return response
    zone = max(own, key=lambda z: len(z.origin or ()))
    _fill(response, zone, asked.name, asked.rdtype)
    return response


def _fill(
    response: dns.message.Message,
    zone: dns.zone.Zone,
    name: dns.name.Name,
    rdtype: dns.rdatatype.RdataType,
) -> None:
    cut = _cut(zone, name)
    if cut is not None and not (cut == name and rdtype == dns.rdatatype.DS):
        _add(response.authority, zone, cut, dns.rdatatype.NS, signed=False)
        if not _add(response.authority, zone, cut, dns.rdatatype.DS):
            _add(response.authority, zone, cut, dns.rdatatype.NSEC)
        for host in (r.target for r in zone.find_rdataset(cut, dns.rdatatype.NS)):
            _add(response.additional, zone, host, dns.rdatatype.A, signed=False)
        return
    response.flags |= dns.flags.AA
    if _add(response.answer, zone, name, rdtype):
        return
    assert zone.origin is not None
    _add(response.authority, zone, zone.origin, dns.rdatatype.SOA)
    denied = [name]
    if not any(n.is_subdomain(name) for n in zone):
        response.set_rcode(dns.rcode.NXDOMAIN)
        # No name is between the one before it and the next, and there is no wildcard.
        signed = (n for n in zone if zone.get_rdataset(n, dns.rdatatype.NSEC) is not None)
        denied = [max((n for n in signed if n < name), default=zone.origin), zone.origin]
    for owner in dict.fromkeys(denied):
        _add(response.authority, zone, owner, dns.rdatatype.NSEC)


def _cut(zone: dns.zone.Zone, name: dns.name.Name) -> dns.name.Name | None:
    """The delegation above *name*, or at it."""
    found, at = None, name
    while at != zone.origin:
        if zone.get_rdataset(at, dns.rdatatype.NS) is not None:
            found = at
        at = at.parent()
    return found


def _add(
    section: list[dns.rrset.RRset],
    zone: dns.zone.Zone,
    name: dns.name.Name,
    rdtype: dns.rdatatype.RdataType,
    *,
    signed: bool = True,
) -> bool:
    """Add the records, if there are some, with their signatures; whether there are."""
    found = zone.get_rdataset(name, rdtype)
    if found is None:
        return False
    signatures = zone.get_rdataset(name, dns.rdatatype.RRSIG, rdtype) if signed else None
    section.extend(
        dns.rrset.from_rdata_list(name, rdataset.ttl, list(rdataset))
        for rdataset in (found, signatures)
        if rdataset is not None
    )
    return True


# ---- serving ---------------------------------------------------------------------------------


@contextlib.contextmanager
def serving(internet: Internet) -> Iterator[dict[str, tuple[str, int]]]:
    """Where each address is served, over UDP and TCP, while it is."""
    places = {}
    with contextlib.ExitStack() as stack:
        for address, zones in internet.zones.items():
            tcp, udp = servers.pair("127.0.0.1")
            places[address] = tcp.getsockname()
            stack.enter_context(servers.serving(tcp, _over_tcp(zones)))
            stack.enter_context(servers.answering(udp, _over_udp(zones)))
        yield places


def _over_udp(zones: Iterable[dns.zone.Zone]) -> Callable[[bytes], bytes]:
    def said(wire: bytes) -> bytes:
        try:
            return answer(dns.message.from_wire(wire), zones).to_wire()
        except dns.exception.DNSException:
            return b""

    return said


def _over_tcp(zones: Iterable[dns.zone.Zone]) -> servers.Handler:
    def handle(peer: socket.socket) -> None:
        stream = peer.makefile("rb")
        wire = stream.read(int.from_bytes(stream.read(2)))
        said = answer(dns.message.from_wire(wire), zones).to_wire()
        peer.sendall(len(said).to_bytes(2) + said)

    return handle
