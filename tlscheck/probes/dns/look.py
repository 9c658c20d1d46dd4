"""One domain, looked at."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from datetime import datetime

import dns.name

from tlscheck.model import Missed, Reason, State
from tlscheck.net import NetError, now
from tlscheck.observations.dns import DnsObservation, Exchange, Pointer, Zone
from tlscheck.probes.dns.mail import mail_of
from tlscheck.probes.dns.means import Means
from tlscheck.probes.dns.names import named
from tlscheck.probes.dns.pointers import pointers_of
from tlscheck.probes.dns.read import name_of, text_of
from tlscheck.probes.dns.signatures import signed
from tlscheck.probes.dns.zone import ZoneLook
from tlscheck.probes.nameserver import NameServers
from tlscheck.probes.walk import NS

SUBJECT = "dns"
SECONDS = 60.0
"""For one domain, whatever its servers do."""
MOST_ZONES = 4
"""How many zones between the domain and its names are looked at."""


async def probe(means: Means, domain: str, names: Sequence[str]) -> DnsObservation | Missed:
    """All that the DNS says of *domain*, a registrable one, and of the *names* under it."""
    try:
        async with asyncio.timeout(SECONDS):
            return await _whole(means, domain, names)
    except TimeoutError:
        return Missed(SUBJECT, Reason.BUDGET)
    except NetError as error:
        return Missed(SUBJECT, error.reason, error.detail)


async def _whole(means: Means, domain: str, names: Sequence[str]) -> DnsObservation:
    at, walk, apex = now(), means.walk, name_of(domain)
    first = await walk.find(apex, NS)
    if first.message is None and apex not in walk.cuts and first.cut.parent is None:
        raise _silence(walk.servers)
    own, mail, found = await asyncio.gather(
        ZoneLook(means, at, apex).whole(first),
        mail_of(means, at, domain),
        asyncio.gather(*(named(walk, name) for name in names)),
    )
    below = [cut for cut in walk.cuts if cut != apex and cut.is_subdomain(apex)]
    wanted = [c for c in below if any(name_of(host).is_subdomain(c) for host in names)]
    further = await asyncio.gather(*(_below(means, at, cut) for cut in wanted[:MOST_ZONES]))
    unseen = [Zone(text_of(cut), "", State.UNKNOWN) for cut in wanted[MOST_ZONES:]]
    zones = (own, *further, *unseen)
    pointers = await pointers_of(means, domain, zones, found, mail)
    return DnsObservation(
        at=at,
        domain=domain,
        zones=zones,
        names=tuple(found),
        pointers=pointers,
        mail=mail,
        signed=await signed(means, at, apex),
        exchanges=tuple(_own_exchanges(walk.servers, domain, pointers)),
    )


async def _below(means: Means, at: datetime, name: dns.name.Name) -> Zone:
    return await ZoneLook(means, at, name).whole(await means.walk.find(name, NS))


def _own_exchanges(
    servers: NameServers, domain: str, pointers: Iterable[Pointer]
) -> Iterable[Exchange]:
    """Of all that this run asked, what was about the domain, what is above it, and what it leads
    to.
    """
    below = [name_of(d) for d in {domain, *(p.domain for p in pointers)}]
    apex = name_of(domain)
    for exchange in servers.exchanges:
        name = name_of(exchange.question.rpartition(" ")[0])
        if apex.is_subdomain(name) or any(name.is_subdomain(domain) for domain in below):
            yield exchange


def _silence(servers: NameServers) -> NetError:
    """Why no root server answered."""
    troubles = {e.trouble for e in servers.exchanges if e.trouble}
    reason = Reason(troubles.pop()) if len(troubles) == 1 else Reason.TIMEOUT
    return NetError(reason, "no root name server answered")
