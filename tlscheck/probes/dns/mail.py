"""How a domain takes mail, and guards the mail that names it as its sender."""

from __future__ import annotations

import asyncio
import re
from datetime import datetime
from typing import Any

import dns.name
import dns.rdatatype

from tlscheck.model import Reason, State
from tlscheck.net import NetError
from tlscheck.observations.dns import Mail, MailHost, Standing, security
from tlscheck.observations.dns import mail as reading
from tlscheck.observations.dns.mail import Dmarc, Spf, SpfTerms, TransportPolicy
from tlscheck.probes.dns.means import Means
from tlscheck.probes.dns.read import addresses, exists, name_of, text_of
from tlscheck.probes.walk import AAAA, A, Found, Walk, texts

MOST_HOSTS = 8
"""How many mail hosts are looked at."""
MOST_NAMED = 64
"""How many are named."""
MOST_INCLUDES = 12
"""How many SPF records are followed; two more than are allowed."""
MOST_OF_A_POLICY = 64 * 1024

_MX, _TXT, _TLSA = dns.rdatatype.MX, dns.rdatatype.TXT, dns.rdatatype.TLSA
_OK = 200
_USABLE = (2, 3)
"""The certificate usages that count for mail: DANE-TA and DANE-EE (RFC 7672, section 3.1)."""
_DIGESTS = (1, 2)
"""SHA-256 and SHA-512."""
_KEY = 40
"""The smallest public key, Ed25519's, has 44 octets."""
_IDENTIFIED = re.compile(r"v=STSv1\s*;(?:[^;]*;)*\s*id=[A-Za-z0-9]{1,32}\s*(?:;.*)?")
"""RFC 8461, section 3.1."""


async def mail_of(means: Means, at: datetime, domain: str) -> Mail:
    """What *domain* says of its mail."""
    walk, apex = means.walk, name_of(domain)
    (mx, four, six, reports), spf, dmarc, sts = await asyncio.gather(
        asyncio.gather(
            walk.find(apex, _MX),
            walk.find(apex, A),
            walk.find(apex, AAAA),
            walk.find(name_of("_smtp._tls", apex), _TXT),
        ),
        _spf(walk, apex),
        _dmarc(walk, apex),
        _mta_sts(means, domain),
    )
    rows = sorted((r.preference, text_of(r.exchange)) for r in mx.rrset or ())
    addressed = exists((four, six))
    if mx.rrset is not None and all(r.exchange == dns.name.root for r in mx.rrset):
        rows, taken = [], State.REFUSED  # RFC 7505
    elif rows:
        taken = State.ACCEPTED
    else:
        nowhere = mx.answered and addressed is State.REFUSED
        taken = State.REFUSED if nowhere else State.UNKNOWN
    hosts = await asyncio.gather(*(_host(means, at, *row) for row in rows[:MOST_HOSTS]))
    more = (MailHost(host, preference) for preference, host in rows[MOST_HOSTS:MOST_NAMED])
    return Mail(
        takes=taken,
        implicit=taken is State.UNKNOWN and mx.answered and addressed is State.ACCEPTED,
        hosts=(*hosts, *more),
        addresses=addresses((four, six)),
        spf=spf,
        dmarc=dmarc,
        mta_sts=sts,
        tls_reports=_versioned(reports, "v=TLSRPTv1"),
    )


async def _host(means: Means, at: datetime, preference: int, host: str) -> MailHost:
    name, walk = name_of(host), means.walk
    four, six, tlsa = await asyncio.gather(
        walk.find(name, A), walk.find(name, AAAA), walk.find(name_of("_25._tcp", name), _TLSA)
    )
    dane = await _dane(means, at, tlsa) if exists((four, six)) is State.ACCEPTED else State.REFUSED
    is_alias = bool(four.aliases or six.aliases)
    found = addresses((four, six))
    usable = tuple(r.to_text().lower() for r in tlsa.rrset or () if _is_usable(r))
    return MailHost(
        host, preference, exists((four, six)), dane, is_alias, found, usable[:MOST_HOSTS]
    )


async def _dane(means: Means, at: datetime, tlsa: Found) -> State:
    if not tlsa.answered:
        return State.UNKNOWN
    if tlsa.rrset is None or tlsa.message is None:
        return State.REFUSED
    if not any(_is_usable(record) for record in tlsa.rrset):
        return State.REFUSED
    trust = await means.trust(tlsa.cut, at)
    if trust.keys is None or trust.security.standing is not Standing.SECURE:
        unknown = trust.security.standing is Standing.UNKNOWN
        return State.UNKNOWN if unknown else State.REFUSED
    wrong = await asyncio.to_thread(security.problem_of, tlsa.message, tlsa.rrset, trust.keys, at)
    return State.REFUSED if wrong else State.ACCEPTED


def _is_usable(tlsa: Any) -> bool:
    """Whether a TLSA record can vouch for a mail host (RFC 7672, section 3.1; RFC 6698, 2.1)."""
    whole = tlsa.mtype == 0 and len(tlsa.cert) > _KEY
    fits = whole or tlsa.mtype in _DIGESTS  # whose lengths are checked as they are read
    return tlsa.usage in _USABLE and tlsa.selector in (0, 1) and fits


async def _spf(walk: Walk, apex: dns.name.Name) -> Spf | None:
    """The SPF record of *apex* with those that it takes in, as many as are followed."""
    known: dict[str, SpfTerms] = {}
    asked: set[str] = set()
    todo = [text_of(apex)]
    while todo:
        asked.update(todo)
        found = await asyncio.gather(*(walk.find(name_of(name), _TXT) for name in todo))
        for name, each in zip(todo, found, strict=True):
            if each.answered:
                known[name] = reading.spf_terms(texts(each.rrset))
        taken_in = dict.fromkeys(n for terms in known.values() for n in terms.taken_in)
        todo = [name for name in taken_in if name not in asked][: MOST_INCLUDES + 1 - len(asked)]
    return reading.spf(text_of(apex), known) if text_of(apex) in known else None


async def _dmarc(walk: Walk, apex: dns.name.Name) -> Dmarc | None:
    """The record of the domain itself, or of a name above it that has one."""
    at = apex
    while len(at) > 1:
        found = await walk.find(name_of("_dmarc", at), _TXT)
        if not found.answered:
            return None
        record = reading.dmarc(text_of(at), texts(found.rrset), of_parent=at != apex)
        if record is not None:
            return record
        at = at.parent()
    return Dmarc()


async def _mta_sts(means: Means, domain: str) -> TransportPolicy | None:
    found = await means.walk.find(name_of(f"_mta-sts.{domain}"), _TXT)
    record = _versioned(found, "v=STSv1")
    if not record or not _IDENTIFIED.fullmatch(record):
        return None if record is None else TransportPolicy()
    host = f"mta-sts.{domain}"
    try:
        hosts = await means.walk.addresses(name_of(host))
        if not hosts:
            raise NetError(Reason.UNRESOLVED)
        fetched = await means.net.fetch(
            f"https://{host}/.well-known/mta-sts.txt",
            private=means.private,
            limit=MOST_OF_A_POLICY,
            address=hosts[0],
        )
    except NetError as error:
        return TransportPolicy(record, trouble=error.reason)
    if fetched.status != _OK:
        return TransportPolicy(record, State.REFUSED, trouble=f"HTTP status {fetched.status}")
    return reading.transport_policy(record, fetched.body)


def _versioned(found: Found, version: str) -> str | None:
    """The one TXT record that begins with *version*; empty where none does, or several do, which
    counts for as much; ``None``: unknown.
    """
    if not found.answered:
        return None
    some = [t for t in texts(found.rrset) if t.partition(";")[0].strip() == version]
    return some[0] if len(some) == 1 else ""
