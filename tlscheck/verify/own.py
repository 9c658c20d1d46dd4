"""What claims say that no rule asks, in the shape of rules: pure functions from what was seen.

A `Problem` contradicts the claim, an `Open` leaves it open; nothing here confirms by silence.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date
from typing import Any, get_type_hints

from tlscheck.model import Evidence, Note, Observation, Open, Problem, State
from tlscheck.observations.certificate import Certificate, CertificateObservation, Chain
from tlscheck.observations.dns import DnsObservation
from tlscheck.observations.http import HttpObservation, PlainState
from tlscheck.observations.knowledge import candidates
from tlscheck.observations.ports import PortsObservation, PortState, ranges
from tlscheck.observations.registration import RegistrationObservation
from tlscheck.observations.tls import TlsObservation
from tlscheck.rules.core import NotApplicable, Problems, Rule
from tlscheck.rules.http import answers
from tlscheck.rules.ports import behind_a_network, meant
from tlscheck.text import JST
from tlscheck.wire.registry import Version


def _check(subject: str) -> Callable[[Callable[..., Problems]], Rule[Any]]:
    """Make a rule that no profile knows; its id tells the *subject* that it needs."""

    def make(function: Callable[..., Problems]) -> Rule[Any]:
        kinds = [kind for name, kind in get_type_hints(function).items() if name != "return"]
        needs = tuple(kind for kind in kinds if issubclass(kind, Observation))
        wants = next((kind for kind in kinds if not issubclass(kind, Observation)), None)
        return Rule(f"{subject}.{function.__name__}", "", "", (), needs, wants, function)

    return make


@dataclass(frozen=True, slots=True)
class These:
    """Names, or parts of names."""

    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Offered:
    """Names of one dimension that are to be accepted."""

    dimension: str
    """``suites`` or ``groups``."""
    names: tuple[str, ...]


@_check("tls")
def with_versions(seen: TlsObservation, want: These) -> Problems:
    """Each of the versions is offered."""
    for name in want.names:
        state = seen.versions.get(Version(name), State.UNKNOWN)
        if state is State.REFUSED:
            yield Problem("missing", "{version} is not offered", version=name)
        elif state is State.UNKNOWN:
            yield Open("unsettled", "{version}: not settled whether it is offered", version=name)
    yield from _unequal(seen)


@_check("tls")
def without_versions(seen: TlsObservation, want: These) -> Problems:
    """None of the versions is offered."""
    for name in want.names:
        state = seen.versions.get(Version(name), State.UNKNOWN)
        if state is State.ACCEPTED:
            yield Problem("accepted", "{version} is accepted", version=name)
        elif state is State.UNKNOWN:
            yield Open("unsettled", "{version}: not settled whether it is offered", version=name)


@_check("tls")
def offered(seen: TlsObservation, want: Offered) -> Problems:
    """Each of the names is accepted in some version."""
    for name in want.names:
        states = {
            _offered(seen, version, want.dimension, name)
            for version in Version
            if name in candidates(version, want.dimension)
        }
        if State.ACCEPTED in states:
            continue
        if State.UNKNOWN in states or not states:
            yield Open("unsettled", "{name}: not settled whether it is accepted", name=name)
        else:
            yield Problem("missing", "{name} is not accepted", name=name)
    yield from _unequal(seen)


def _unequal(seen: TlsObservation) -> Iterator[Evidence]:
    """What one of several servers accepts need not all accept."""
    if seen.contradictions:
        yield Open("nodes", "the servers behind the address are not alike")


def _offered(seen: TlsObservation, version: Version, dimension: str, name: str) -> State:
    state = seen.versions.get(version, State.UNKNOWN)
    return seen.settled(version, dimension, name) if state is State.ACCEPTED else state


@_check("certificate")
def issuer(seen: CertificateObservation, want: These) -> Problems:
    """Every certificate was issued by one of these, and a known root vouches for it."""
    yield from _unseen(seen)
    for chain in _chains(seen):
        named = f"{chain.leaf.issuer_organisation} {chain.leaf.issuer}"
        if not chain.leaf.issuer:
            yield _unreadable(chain.leaf)
        elif not _has_any(named, want.names):
            yield Problem(
                "issuer",
                "the {key} certificate was issued by {issuer}",
                key=chain.leaf.key,
                issuer=chain.leaf.issuer,
            )
        elif not _is_vouched_for(chain):
            yield Open(
                "not-vouched-for",
                "the certificate names {issuer} as its issuer, but leads to no root that is known:"
                " anybody can write that",
                issuer=chain.leaf.issuer,
            )
        elif not _is_public(chain):
            yield Note(
                "own-ca",
                "only the CA given with --ca-file vouches for {issuer}, no public one: it may call"
                " itself as it likes",
                issuer=chain.leaf.issuer,
            )


def _is_vouched_for(chain: Chain) -> bool:
    return _is_public(chain) or bool(chain.ca_file and chain.ca_file.state is State.ACCEPTED)


def _is_public(chain: Chain) -> bool:
    return any(word.state is State.ACCEPTED for word in chain.trust.values())


@_check("certificate")
def key(seen: CertificateObservation, want: These) -> Problems:
    """Every certificate has a key of one of these kinds."""
    yield from _unseen(seen)
    for chain in _chains(seen):
        if not chain.leaf.key:
            yield _unreadable(chain.leaf)
        elif chain.leaf.key not in want.names:
            yield Problem("key", "a certificate has a key of {key}", key=chain.leaf.key)


@dataclass(frozen=True, slots=True)
class Day:
    """A day, in Japan."""

    day: date


_NEVER = 9999
"""The year in which certificates end that are not to end (RFC 5280, section 4.1.2.5)."""


@_check("certificate")
def valid_until(seen: CertificateObservation, want: Day) -> Problems:
    """No certificate ends before that day."""
    yield from _unseen(seen)
    for chain in _chains(seen):
        end = chain.leaf.not_after
        if end is None:
            yield _unreadable(chain.leaf)
        elif end.year < _NEVER and end.astimezone(JST).date() < want.day:
            yield Problem(
                "ends",
                "the {key} certificate is valid until {moment}",
                key=chain.leaf.key,
                moment=end.isoformat().replace("+00:00", "Z"),
            )


def _chains(seen: CertificateObservation) -> list[Chain]:
    return [chain for chain in seen.asked() if chain.certificates]


def _unseen(seen: CertificateObservation) -> Iterator[Evidence]:
    if not _chains(seen):
        yield Open("none", "no certificate was seen")
    if seen.maybe_more:
        yield Open("maybe_more", "not settled whether the server has other certificates as well")
    for name in seen.unseen:
        yield Open(
            "unseen", "the server has another certificate, {key}, that was not looked at", key=name
        )


def _unreadable(leaf: Certificate) -> Open:
    return Open(
        "unreadable",
        "the certificate {subject} cannot be read: {parts}",
        cause="malformed",
        subject=leaf.subject or leaf.sha256,
        parts=leaf.unread,
    )


@_check("http")
def redirected(seen: HttpObservation) -> Problems:
    """Plain HTTP is answered with a redirect to https, and nothing else."""
    plain = seen.plain
    if plain is not None and plain.state is PlainState.NONE:
        yield Open(
            "nothing", "nothing answers plain HTTP on port {port} to be redirected", port=plain.port
        )
    else:
        yield from answers.plaintext(seen)


@dataclass(frozen=True, slots=True)
class Ports:
    """TCP ports."""

    numbers: tuple[int, ...]
    exactly: bool
    """Whether each of them is to be open, too."""


ALL_PORTS = "1-65535"


@_check("ports")
def ports(seen: PortsObservation, want: Ports) -> Problems:
    """No other TCP port is open; of those that were not asked nothing is said."""
    yield from behind_a_network(seen)
    if seen.answering_for_all:
        yield Open(
            "answering-for-all",
            "{address} accepts connections to ports picked at random: what is behind them is not"
            " known",
            address=seen.address,
        )
    found = {port.number for port in meant(seen, "tcp")}
    for number in sorted(found - set(want.numbers)):
        yield Problem(
            "open", "{address}: TCP port {port} is open", address=seen.address, port=number
        )
    unknown = seen.count(PortState.UNKNOWN)
    asked = _numbers(seen.asked.get("tcp", ""))
    for number in sorted(set(want.numbers) - found) if want.exactly else ():
        if unknown or seen.answering_for_all or number not in asked:
            yield Open(
                "unknown",
                "{address}: whether TCP port {port} is open is not known",
                address=seen.address,
                port=number,
            )
        else:
            yield Problem(
                "not-open",
                "{address}: TCP port {port} is not open",
                address=seen.address,
                port=number,
            )
    yield from _unasked(seen, unknown, len(asked))


def _unasked(seen: PortsObservation, unknown: int, asked: int) -> Iterator[Evidence]:
    if unknown:
        yield Open(
            "unknown-ports",
            "{address}: {count} ports are not known",
            address=seen.address,
            count=unknown,
        )
    if asked < 65535:
        yield Open(
            "unasked",
            "{address}: {count} of 65535 TCP ports were asked; --ports all asks every one",
            address=seen.address,
            count=asked,
        )
    if others := [port.number for port in seen.open("udp")]:
        yield Note(
            "udp",
            "{address}: open over UDP, of which the claim does not speak: {ports}",
            address=seen.address,
            ports=ranges(others),
        )


def _numbers(text: str) -> set[int]:
    """The port numbers that `ranges` wrote."""
    found = set[int]()
    for part in filter(None, text.split(",")):
        first, _, last = part.partition("-")
        if first.isdigit() and (last or first).isdigit():
            found.update(range(max(1, int(first)), min(65535, int(last or first)) + 1))
    return found


@_check("registration")
def registrar(seen: RegistrationObservation, want: These) -> Problems:
    """The registry names one of these as the registrar."""
    record = seen.record
    if record.registered is State.REFUSED:
        raise NotApplicable("unregistered", "the registry knows no such registration")
    if not record.registrar and not record.registrar_id:
        yield Open(
            "registrar",
            "the registry does not tell the registrar of {domain}",
            domain=record.domain,
        )
    elif record.registrar_id not in want.names and not _has_any(record.registrar, want.names):
        yield Problem(
            "registrar",
            "the registrar of {domain} is {registrar}",
            domain=record.domain,
            registrar=record.registrar or record.registrar_id,
        )


@_check("dns")
def caa_seen(seen: DnsObservation) -> Problems:
    """A name was asked for CAA records at all."""
    if not seen.names:
        yield Open("none", "the CAA records of {name} were not seen", name=seen.domain)


@_check("dns")
def caa(seen: DnsObservation, want: These) -> Problems:
    """CAA records let these issue certificates, and nobody else."""
    yield from caa_seen(seen)
    allowed = {name.lower() for name in want.names}
    for name in seen.names:
        if name.caa is None:
            yield Open("unseen", "the CAA records of {name} were not seen", name=name.name)
            continue
        issuers = {
            record.partition(" ")[2].partition(";")[0].strip().lower()
            for record in name.caa
            if record.startswith(("issue ", "issuewild "))
        }
        if not any(record.startswith("issue ") for record in name.caa):
            yield Problem("none", "{name}: no CAA record says who may issue", name=name.name)
        for other in sorted(issuers - allowed - {""}):
            yield Problem("other", "{name}: CAA lets {issuer} issue", name=name.name, issuer=other)


def _has_any(text: str, parts: tuple[str, ...]) -> bool:
    whole = _normal(text)
    return any(_normal(part) in whole for part in parts)


def _normal(text: str) -> str:
    return " ".join(unicodedata.normalize("NFKC", text).replace("’", "'").casefold().split())
