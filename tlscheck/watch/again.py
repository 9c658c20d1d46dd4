"""A second look at what seems to have changed, before anybody is told.

It takes the place of the first, so that what is kept is what is told.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator, Sequence
from dataclasses import replace

from tlscheck import domains, pipeline
from tlscheck.changes import Change, Origin
from tlscheck.changes.sight import unresolved
from tlscheck.halt import Halt
from tlscheck.model import Look, Scan, Scope
from tlscheck.pipeline import ADDRESS_SUBJECTS, DOMAIN_SUBJECTS, GATEWAY, Asked, Order, Tell
from tlscheck.targets import registrable


def looked(changes: Iterable[Change]) -> tuple[Change, ...]:
    """Those of *changes* that rest on a look at a target."""
    origins = Origin.ENDPOINT, Origin.NETWORK
    return tuple(change for change in changes if change.target and change.kind in origins)


async def again(
    order: Order, scan: Scan, changes: Iterable[Change], tell: Tell, halt: Halt
) -> Scan:
    """*scan* with another look at the targets of *changes* in place of the one it has."""
    ids = {change.target for change in changes}
    asked, subjects = _concerned(order, scan, ids)
    if not asked:
        return scan
    names = {each.id for each in asked}
    beside = tuple(
        look.target.target
        for look in scan.looks
        if look.target.target is not None and _name(look.target.id) not in names
    )
    # What else is left out, an endpoint is to be looked at as it was.
    second = replace(
        order,
        targets=asked,
        subjects=subjects,
        beside=beside,
        management=order.wants_management,
    )
    of_domains_alone = set(subjects) <= set(DOMAIN_SUBJECTS)
    found = await pipeline.look(second, tell, halt)
    return merged(scan, found, () if of_domains_alone else names, ids)


def _concerned(
    order: Order, scan: Scan, ids: set[str]
) -> tuple[tuple[Asked, ...], tuple[str, ...]]:
    """What to ask for, and about what, so that each of the looks at *ids* is made whole again.

    The look at a domain or an address rests on all targets that belong to it.
    """
    scopes = {look.target.id: look.target.scope for look in scan.looks}
    names = {_name(id) for id in ids if "://" in id}
    own = {id for id in ids if scopes.get(id) is Scope.ADDRESS}
    of_domains = {id for id in ids if "://" not in id} - own
    asked, addresses = set[Asked](), own
    for _ in order.targets if own else ():  # until nothing more belongs to it
        asked = {each for each in order.targets if _at(each, addresses, scan.looks)}
        addresses = addresses.union(*(_addresses(each, scan.looks) for each in asked))
    asked |= {each for each in order.targets if each.id in names}
    subjects = [s for s in order.subjects if s not in (*DOMAIN_SUBJECTS, *ADDRESS_SUBJECTS)]
    if not asked:
        subjects = []
    nowhere = {look.target.id for look in scan.looks if unresolved(look)}
    if own or nowhere & ids:
        subjects += [s for s in order.subjects if s in ADDRESS_SUBJECTS]
    if of_domains:
        under = {*asked, *(each for each in order.targets if _under(each) in of_domains)}
        domains_too = {_under(each) for each in under}
        asked = {each for each in order.targets if _under(each) in domains_too} | asked
        subjects += [s for s in order.subjects if s in DOMAIN_SUBJECTS]
    return tuple(each for each in order.targets if each in asked), tuple(subjects)


def _under(asked: Asked) -> str:
    """The domain that a target is under, else its host."""
    return registrable(asked.spec.host) or asked.spec.host


def _at(asked: Asked, addresses: set[str], looks: Sequence[Look]) -> bool:
    """Whether a target is at one of *addresses*; where gateways are is not known."""
    return asked.spec.service == GATEWAY or bool(addresses & _addresses(asked, looks))


def _addresses(asked: Asked, looks: Sequence[Look]) -> set[str]:
    """The addresses at which a target was looked at."""
    found = {asked.spec.host} if asked.spec.literal else set()
    return found.union(
        look.target.target.address
        for look in looks
        if look.target.target is not None and _name(look.target.id) == asked.id
    )


def merged(first: Scan, second: Scan, names: Iterable[str], addresses: Container[str] = ()) -> Scan:
    """*first* with the looks of *second*, which asked again for the targets with these *names*, and
    for all that is at those *addresses*.
    """
    known = {look.target.id for look in first.looks if look.target.id not in addresses}
    fresh = {
        look.target.id: look
        for look in second.looks
        if look.target.scope is not Scope.ADDRESS or look.target.id not in known
    }
    asked = set(names)
    looks = list(_replaced(first.looks, fresh, asked))
    known = {look.target.id for look in looks}
    looks += [look for id, look in fresh.items() if id not in known]
    looks = pipeline.with_shared_keys(looks)
    own = [look for look in looks if _is_domain(look)]
    whole = {look.target.id: look for look in domains.completed(own, looks)}
    return replace(first, looks=tuple(whole.get(look.target.id, look) for look in looks))


def _replaced(looks: Iterable[Look], fresh: dict[str, Look], asked: set[str]) -> Iterator[Look]:
    for look in looks:
        if new := fresh.get(look.target.id):
            yield replace(new, connections=look.connections + new.connections)
        elif _name(look.target.id) not in asked:
            yield look


def _is_domain(look: Look) -> bool:
    return look.target.scope is Scope.NAME and "://" not in look.target.id


def _name(target: str) -> str:
    """The id of the name that a target is an address of."""
    return target.partition("#")[0]
