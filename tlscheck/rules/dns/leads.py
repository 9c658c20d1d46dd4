"""Whether records lead to names that a stranger could take."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from tlscheck.model import Evidence, Open, Problem, State
from tlscheck.observations.dns import DnsObservation, Pointer, Role
from tlscheck.observations.registration import is_known
from tlscheck.rules.core import Problems, rule
from tlscheck.rules.dns.mail import policies_unseen
from tlscheck.rules.dns.names import unseen
from tlscheck.rules.dns.zones import delegated


@dataclass(frozen=True, slots=True)
class Danger:
    """What makes a name elsewhere dangerous to lead to."""

    dying: tuple[str, ...]
    """Status words of registrations on their way to be deleted."""


def _dangers(pointers: Iterable[Pointer], want: Danger) -> Iterator[Evidence]:
    for pointer in pointers:
        values = {"owner": pointer.owner, "target": pointer.target, "domain": pointer.domain}
        problem = _by_registration(pointer, want, values) or _by_answers(pointer, values)
        if problem:
            yield problem
        else:
            yield from _unseen(pointer, values)


def _by_registration(pointer: Pointer, want: Danger, values: dict[str, str]) -> Problem | None:
    """What is wrong with the registration of the domain that is led to."""
    dying = {word.casefold() for word in want.dying}
    if pointer.registered is State.REFUSED and pointer.domain_exists is not State.ACCEPTED:
        return Problem(
            "unregistered",
            "{owner} leads to {target}, and anybody can register {domain}",
            **values,
        )
    if dying.intersection(word.casefold() for word in pointer.statuses):
        return Problem(
            "dying", "{owner} leads to {target}, and {domain} is being deleted", **values
        )
    if pointer.domain_exists is State.REFUSED and pointer.registered is not State.ACCEPTED:
        return Problem(
            "no-domain", "{owner} leads to {target}, and there is no {domain} in the DNS", **values
        )
    return None


def _by_answers(pointer: Pointer, values: dict[str, str]) -> Problem | None:
    """What is wrong with what the DNS, or the page, says of the target."""
    if pointer.free is State.ACCEPTED:
        return Problem(
            "claimable",
            "{owner} leads to {target}, a name that is free for anybody at {service}",
            service=pointer.service,
            **values,
        )
    if pointer.exists is State.REFUSED and pointer.nonexistent:
        return Problem("missing", "{owner} leads to {target}, which does not exist", **values)
    if pointer.exists is State.REFUSED:
        return Problem("no-address", "{owner} leads to {target}, which has no address", **values)
    if pointer.lost:
        return Problem(
            "lost-server",
            "{owner} leads to {target}; of the name servers of {domain}, there is no domain of"
            " {lost}",
            lost=pointer.lost,
            **values,
        )
    return None


def _unseen(pointer: Pointer, values: dict[str, str]) -> Iterator[Evidence]:
    """What is open of a pointer in which nothing wrong was seen."""
    unknown = tuple(word for word in pointer.statuses if not is_known(word))
    if pointer.exists is State.UNKNOWN:
        yield Open("unseen", "{owner} leads to {target}, of which nothing is known", **values)
    elif pointer.free is State.UNKNOWN:
        yield Open(
            "claimable-unseen",
            "{owner} leads to {target}; whether that name is free at {service} was not seen",
            service=pointer.service,
            **values,
        )
    elif unknown:
        yield Open(
            "status-not-known",
            "{owner} leads to {target}; status of {domain}: {status}, whose meaning is not known",
            status=unknown,
            **values,
        )
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
            yield from unseen(name)
    yield from _dangers(_leading(seen, Role.ALIAS, Role.WILDCARD), want)


@rule("RFC 1034, section 4.2.2; JPRS, notice on name servers of lapsed domains")
def dangling_name_servers(seen: DnsObservation, want: Danger) -> Problems:
    """No name server is in a domain that a stranger can take.

    Whoever registers that domain answers for yours: pages, mail and certificates. Have the
    registrar remove the name server from the delegation now.
    """
    for zone in delegated(seen):
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
    if seen.mail.takes is State.UNKNOWN and not seen.mail.implicit:
        yield Open("unseen", "the mail hosts of {domain} were not seen", domain=seen.domain)
    yield from policies_unseen(seen)
    if seen.mail.mta_sts is None:
        yield Open("sts-unseen", "the MTA-STS record of {domain} was not seen", domain=seen.domain)


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
    for zone in delegated(seen):
        if zone.delegated is State.UNKNOWN:
            yield Open("unseen", "not every name server of {zone} is known", zone=zone.name)
        for server in zone.name_servers:
            if any(_under(server.name, suffix) for suffix in want.seized):
                yield Problem("seized", "{zone}: {server}", zone=zone.name, server=server.name)
            elif any(_under(server.name, suffix) for suffix in want.parked):
                yield Problem("parked", "{zone}: {server}", zone=zone.name, server=server.name)
