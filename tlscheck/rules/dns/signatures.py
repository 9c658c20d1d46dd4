"""Whether a domain is signed with DNSSEC, and its signatures hold."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta

from tlscheck.model import Evidence, Open, Problem, State
from tlscheck.observations.dns import DnsObservation, Standing, Zone
from tlscheck.rules.core import NotApplicable, Problems, rule
from tlscheck.rules.dns.zones import at, delegated, unheard
from tlscheck.text import _N

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
    "false_denial": _N("it is denied, and the proof says that it exists"),
    "unsupported": _N("no algorithm of its DS records is one that resolvers check"),
    "too_many_keys": _N("it has more keys than are looked at"),
}


@rule("RFC 4035, section 5")
def dnssec(seen: DnsObservation) -> Problems:
    """The signatures hold, from the root's key down to every name server's answer.

    With a broken chain the domain does not exist for everybody whose resolver validates. Sign the
    zone anew, or have the registrar put the DS record in order; if in haste, have it removed.
    """
    zones = delegated(seen)
    if all(zone.security.standing is Standing.INSECURE for zone in zones):
        raise NotApplicable("unsigned", "{domain} is not signed", domain=seen.domain)
    for zone in zones:
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
        else:
            yield from _answers(zone)
    for signed in seen.signed:
        if signed.problem:
            yield _broken(signed.problem, f"{signed.name} {signed.rdtype}")


def _answers(zone: Zone) -> Iterator[Evidence]:
    """What is wrong with the signatures of a zone's answers, and what is open."""
    secure = zone.security.standing is Standing.SECURE
    if zone.denial is State.REFUSED:
        yield Problem(
            "denial", "{zone}: it is not proven that a name does not exist", zone=zone.name
        )
    elif secure and zone.denial is State.UNKNOWN and zone.wildcard is not State.ACCEPTED:
        yield Open(
            "denial-unseen",
            "{zone}: whether it is proven that a name does not exist was not seen",
            zone=zone.name,
        )
    if secure:
        yield from unheard([zone])
    for server in zone.servers:
        if server.signature:
            yield _broken(server.signature, f"{zone.name}, {at(server)}")


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
    for zone in delegated(seen):
        if zone.security.problem == "unsupported":
            yield _broken("unsupported", zone.name)
        elif zone.security.standing is Standing.INSECURE or zone.security.problem == "no_keys":
            yield Problem("unsigned", "{zone} is not signed", zone=zone.name)
        elif zone.security.standing is Standing.UNKNOWN:
            yield Open("unseen", "whether {zone} is signed is not known", zone=zone.name)


def _signed(seen: DnsObservation) -> tuple[list[Zone], list[Evidence]]:
    """The zones that are signed, and what is open as it is not known of others."""
    zones = delegated(seen)
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
    ends = [(zone.name, zone.security.expires) for zone in zones]
    ends += [(f"{signed.name} {signed.rdtype}", signed.ends) for signed in seen.signed]
    for name, end in ends:
        if end is not None and end - seen.at < timedelta(hours=want.hours):
            yield Problem(
                "soon",
                "{zone}: signatures end at {moment}",
                zone=name,
                moment=end.isoformat().replace("+00:00", "Z"),
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

    Whoever takes over a signed domain removes its DS record first, or puts another in its place. If
    nobody of yours did it, go to the registrar; if somebody did, compare with a newer scan from now
    on.
    """
    if seen.ds_before is None:
        raise NotApplicable(
            "no-baseline", "no earlier scan of {domain} was given", domain=seen.domain
        )
    delegated(seen)
    zone = seen.zone
    gone = tuple(sorted(set(seen.ds_before) - set(zone.security.ds)))
    if not zone.security.ds and zone.security.standing is Standing.UNKNOWN:
        yield Open("unseen", "the DS records of {zone} were not seen", zone=zone.name)
    elif gone and not zone.security.ds:
        yield Problem(
            "removed",
            "{zone} has no DS record any more; before it had {before}",
            zone=zone.name,
            before=seen.ds_before,
        )
    elif gone:
        yield Problem(
            "replaced",
            "{zone}: the DS records are {now}, before they were {before}",
            zone=zone.name,
            now=zone.security.ds,
            before=seen.ds_before,
        )
