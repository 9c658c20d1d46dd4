"""What a domain's records lead to elsewhere, and who could have that."""

from __future__ import annotations

import asyncio
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any
from urllib.parse import urljoin, urlsplit

import dns.rdatatype

from tlscheck import targets
from tlscheck.data import data_dir
from tlscheck.model import State
from tlscheck.net import Fetched, NetError
from tlscheck.observations.dns import DomainName, Mail, Pointer, Role, Zone
from tlscheck.observations.registration import Record
from tlscheck.probes.dns.means import Means
from tlscheck.probes.dns.read import exists, name_of, text_of, there
from tlscheck.probes.walk import AAAA, SOA, A, Found, hosts

MOST_POINTERS = 24
"""How many are looked at; of what is beyond them, one of each role is kept as unknown."""
MOST_OF_A_PAGE = 64 * 1024

_TXT = dns.rdatatype.TXT
_REDIRECTS = (301, 302, 303, 307, 308)


@dataclass(frozen=True, slots=True)
class Lead:
    """What a name elsewhere is needed for, by which record, and the name."""

    role: Role
    owner: str
    target: str
    page: str = ""
    """The target's own name whose page shows what is served there; empty where there is none."""

    @property
    def key(self) -> tuple[Role, str, str]:
        """What makes it another lead."""
        return self.role, self.owner, self.target


async def pointers_of(
    means: Means, domain: str, zones: Iterable[Zone], names: Iterable[DomainName], mail: Mail
) -> tuple[Pointer, ...]:
    """What the records of *domain* lead to."""
    leads = [*_of_zones(zones, domain), *_of_names(names), *_of_mail(mail, domain)]
    if mail.mta_sts and mail.mta_sts.record:
        leads.extend(await _of_mta_sts(means, domain))
    leads = list({lead.key: lead for lead in leads}.values())
    found = await asyncio.gather(*(_along(means, domain, lead) for lead in leads[:MOST_POINTERS]))
    once = {(p.role, p.owner, p.target): p for some in found for p in some}
    beyond = {lead.role: lead for lead in leads[MOST_POINTERS:]}
    return (*once.values(), *(_unseen(lead) for lead in beyond.values()))


def _of_zones(zones: Iterable[Zone], domain: str) -> Iterable[Lead]:
    for zone in zones:
        # Name servers in the domain itself are looked at with the zone.
        for server in zone.name_servers:
            if targets.registrable(server.name) != domain:
                yield Lead(Role.NAME_SERVER, zone.name, server.name)
        if zone.wildcard_target:
            yield Lead(Role.WILDCARD, f"*.{zone.name}", zone.wildcard_target)


def _of_names(names: Iterable[DomainName]) -> Iterable[Lead]:
    for name in names:
        for alias in name.aliases:
            yield Lead(Role.ALIAS, alias.owner, alias.target, name.name)
        for record in name.https or ():
            if record.target not in ("", "@", name.name):
                yield Lead(Role.ALIAS, name.name, record.target, name.name)


def _of_mail(mail: Mail, domain: str) -> Iterable[Lead]:
    for host in mail.hosts:
        yield Lead(Role.MAIL, domain, host.name)
    for trusted in mail.spf.hosts if mail.spf else ():
        # Of what a macro makes, the domain is all that is known.
        known = targets.registrable(trusted.removeprefix("*.")) if "*" in trusted else trusted
        if known:
            yield Lead(Role.SPF, domain, known)


async def _of_mta_sts(means: Means, domain: str) -> Sequence[Lead]:
    host = f"mta-sts.{domain}"
    aliases = (await means.walk.find(name_of(host), A)).aliases
    leads = [Lead(Role.MTA_STS, f"_mta-sts.{domain}", host)]
    for owner, target in aliases:
        leads.append(Lead(Role.MTA_STS, text_of(owner), text_of(target), host))
    return leads


def _unseen(lead: Lead) -> Pointer:
    domain = targets.registrable(lead.target) or lead.target
    return Pointer(lead.role, lead.owner, lead.target, domain, State.UNKNOWN)


async def _along(means: Means, domain: str, lead: Lead) -> list[Pointer]:
    """What *lead* leads to, and what that is an alias of, to the end."""
    found = await _found(means, lead)
    aliases = max((each.aliases for each in found), key=len)
    onward = [Lead(lead.role, text_of(a), text_of(b), lead.page) for a, b in aliases]
    return [await _pointer(means, domain, each) for each in (lead, *onward)]


async def _found(means: Means, lead: Lead) -> list[Found]:
    name, types = name_of(lead.target), (_TXT,) if lead.role is Role.SPF else (A, AAAA)
    return list(await asyncio.gather(*(means.walk.find(name, rdtype) for rdtype in types)))


async def _pointer(means: Means, domain: str, lead: Lead) -> Pointer:
    walk, found = means.walk, await _found(means, lead)
    if any(each.aliases for each in found):
        is_there = State.ACCEPTED  # what it is an alias of may be missing, and is looked at too
    else:
        is_there = there(found[0]) if lead.role is Role.SPF else exists(found)
    nonexistent = is_there is State.REFUSED and any(each.nonexistent for each in found)
    pointer = replace(_unseen(lead), exists=is_there, nonexistent=nonexistent)
    if pointer.domain == domain:
        return replace(pointer, unasked=True, domain_exists=State.ACCEPTED)
    apex = await walk.find(name_of(pointer.domain), SOA)
    delegated = name_of(pointer.domain) in walk.cuts or there(apex) is State.ACCEPTED
    pointer = replace(
        pointer,
        domain_exists=State.ACCEPTED if delegated else there(apex),
        lost=await _lost(means, domain, pointer.domain),
    )
    if service := _service(lead.target):
        free = await _free(means, lead, pointer, service)
        pointer = replace(pointer, service=str(service["name"]), free=free)
    if not targets.registrable(lead.target):  # nobody registers names such as that
        return replace(pointer, unasked=True)
    return await _registered(means, pointer)


async def _lost(means: Means, own: str, domain: str) -> tuple[str, ...]:
    """The name servers of *domain* whose own domains do not exist."""
    cut = means.walk.cuts.get(name_of(domain))
    if cut is None or cut.referral is None:
        return ()
    servers = [text_of(host) for host in hosts(cut.referral)][:MOST_POINTERS]
    elsewhere = {s: d for s in servers if (d := targets.registrable(s)) not in ("", own, domain)}
    found = {name: await means.walk.find(name_of(name), SOA) for name in set(elsewhere.values())}
    return tuple(s for s, d in elsewhere.items() if there(found[d]) is State.REFUSED)


async def _registered(means: Means, pointer: Pointer) -> Pointer:
    if means.registry is None:
        return replace(pointer, unasked=True)
    record = await means.registry.record(pointer.domain)
    if isinstance(record, Record):
        return replace(pointer, registered=record.registered, statuses=record.statuses)
    return replace(pointer, trouble=record.reason)


async def _free(means: Means, lead: Lead, pointer: Pointer, service: Mapping[str, Any]) -> State:
    """Whether the target is free at its service: it does not exist, or the page of the name that
    leads there says so.
    """
    if service["free"] == "nxdomain":
        return State.ACCEPTED if pointer.nonexistent else State.REFUSED
    if not lead.page:  # by a wildcard any name leads there; nothing else is served by a page
        return State.UNKNOWN if lead.role is Role.WILDCARD else State.REFUSED
    page = await _page(means, lead.page)
    if page is None:
        return State.UNKNOWN
    says_so = str(service["words"]).encode() in page.body
    return State.ACCEPTED if says_so else State.REFUSED


async def _page(means: Means, host: str) -> Fetched | None:
    """The page of *host*, in clear or where that sends us on the same host."""
    addresses = await means.walk.addresses(name_of(host))
    url = f"http://{host}/"
    for _ in range(2 if addresses else 0):
        try:
            page = await means.net.fetch(
                url,
                schemes=("http", "https"),
                private=means.private,
                limit=MOST_OF_A_PAGE,
                address=addresses[0],
            )
        except NetError:
            return None
        if page.status not in _REDIRECTS:
            return page
        url = urljoin(url, page.fields.get("location", ""))
        if urlsplit(url).hostname != host or urlsplit(url).scheme != "https":
            break
    return None


@cache
def _services() -> tuple[dict[str, Any], ...]:
    file = data_dir("profiles") / "services" / "claimable.toml"
    return tuple(tomllib.loads(file.read_text(encoding="utf-8"))["service"])


def _service(target: str) -> dict[str, Any] | None:
    """The service, of those at which names are free for anybody, that *target* is a name at."""
    for service in _services():
        if any(target.endswith(f".{suffix}") for suffix in service["suffixes"]):
            return service
    return None
