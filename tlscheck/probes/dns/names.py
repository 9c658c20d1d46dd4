"""A target's name: its addresses, aliases, and who may certify it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Any

import dns.name
import dns.rdatatype
import dns.rdtypes.svcbbase

from tlscheck.observations.dns import Alias, DomainName, HttpsRecord
from tlscheck.probes.dns.read import addresses, complete, exists, name_of, text_of
from tlscheck.probes.walk import AAAA, A, Walk

MOST_CAA = 32
_CRITICAL = 128
_TAGS = frozenset(
    {"issue", "issuewild", "iodef", "contactemail", "contactphone", "issuemail", "issuevmc"}
)
"""The properties of CAA records (IANA's registry)."""

_CAA, _HTTPS = dns.rdatatype.CAA, dns.rdatatype.HTTPS


async def named(walk: Walk, host: str) -> DomainName:
    """What the DNS says of *host*."""
    name = name_of(host)
    four, six, https, (caa_at, caa) = await asyncio.gather(
        walk.find(name, A), walk.find(name, AAAA), walk.find(name, _HTTPS), _caa(walk, name)
    )
    ttls = [found.rrset.ttl for found in (four, six) if found.rrset is not None]
    return DomainName(
        name=host,
        exists=exists((four, six)),
        addresses=addresses((four, six)),
        complete=complete((four, six)),
        aliases=tuple(
            Alias(text_of(owner), text_of(target)) for owner, target in four.aliases or six.aliases
        ),
        ttl=min(ttls, default=None),
        caa_at=caa_at,
        caa=caa,
        https=tuple(_https(r) for r in https.rrset or ()) if https.answered else None,
    )


async def _caa(walk: Walk, name: dns.name.Name) -> tuple[str, tuple[str, ...] | None]:
    """The CAA records that hold for *name*, climbing up (RFC 8659, section 3)."""
    climb = [name]
    while len(climb[-1]) > 2:
        climb.append(climb[-1].parent())
    found = await asyncio.gather(*(walk.find(n, _CAA) for n in climb))
    for at, each in zip(climb, found, strict=True):
        if not each.answered:
            return "", None
        if each.rrset is not None:
            return text_of(at), tuple(_properties(list(each.rrset)[:MOST_CAA]))
    return "", ()


def _properties(caa: Iterable[Any]) -> Iterable[str]:
    for record in caa:
        tag = record.tag.decode("ascii", "replace").lower()
        value = record.value.decode("utf-8", "replace")[:200]
        # Who does not know a critical property must not issue (RFC 8659, section 4.5).
        critical = record.flags & _CRITICAL and tag not in _TAGS
        yield f"critical {tag} {value}" if critical else f"{tag} {value}"


def _https(record: Any) -> HttpsRecord:
    hints = [
        str(address)
        for key in (dns.rdtypes.svcbbase.ParamKey.IPV4HINT, dns.rdtypes.svcbbase.ParamKey.IPV6HINT)
        if key in record.params
        for address in record.params[key].addresses
    ]
    return HttpsRecord(record.priority, text_of(record.target), tuple(hints))
