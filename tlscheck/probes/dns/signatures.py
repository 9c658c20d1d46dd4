"""The signatures of what was looked at: an answer may be forged or stale in a sound zone."""

from __future__ import annotations

import asyncio
from datetime import datetime

import dns.message
import dns.name
import dns.rdatatype
import dns.rrset

from tlscheck.observations.dns import Signed, Standing, security
from tlscheck.probes.dns.means import Means
from tlscheck.probes.dns.read import is_made_up, text_of
from tlscheck.probes.walk import Cut

_RRSIG = dns.rdatatype.RRSIG


async def signed(means: Means, at: datetime, apex: dns.name.Name) -> tuple[Signed, ...]:
    """All records below *apex* that were found so far and belong to a secure zone."""
    found = [
        (rrset, message)
        for name, each in means.walk.found()
        if name.is_subdomain(apex) and not is_made_up(name)
        for message in each.passed
        for rrset in message.answer
        if rrset.rdtype != _RRSIG and rrset.name.is_subdomain(apex)
        if not security.synthesised(message, rrset)
    ]
    once = {(rrset.name, rrset.rdtype): (rrset, message) for rrset, message in found}
    checked = await asyncio.gather(*(_checked(means, at, *each) for each in once.values()))
    denied = await asyncio.gather(*(_denied(means, at, *each) for each in _negative(means, apex)))
    return tuple(each for each in (*checked, *denied) if each is not None)


def _negative(means: Means, apex: dns.name.Name) -> list[tuple[dns.name.Name, dns.message.Message]]:
    """The names that are said not to exist, each with the answer that says so."""
    return [
        (name, each.message)
        for name, each in means.walk.found()
        if name.is_subdomain(apex) and each.message is not None and each.nonexistent
        if not each.aliases
    ]


async def _denied(
    means: Means, at: datetime, name: dns.name.Name, message: dns.message.Message
) -> Signed | None:
    trust = await means.trust(means.walk.closest(name), at)
    if trust.keys is None or trust.security.standing is not Standing.SECURE:
        return None
    if await asyncio.to_thread(security.contradicts, message, name, trust.keys, at):
        rdtype = dns.rdatatype.to_text(message.question[0].rdtype)
        return Signed(text_of(name), rdtype, "false_denial")
    return None


async def _checked(
    means: Means, at: datetime, rrset: dns.rrset.RRset, message: dns.message.Message
) -> Signed | None:
    cut = await _zone(means, rrset, message)
    trust = await means.trust(cut, at)
    if trust.keys is None or trust.security.standing is not Standing.SECURE:
        return None
    problem = await asyncio.to_thread(security.problem_of, message, rrset, trust.keys, at)
    rdtype = dns.rdatatype.to_text(rrset.rdtype)
    return Signed(text_of(rrset.name), rdtype, problem, security.end_of(message, rrset))


async def _zone(means: Means, rrset: dns.rrset.RRset, message: dns.message.Message) -> Cut:
    """The zone that the records stand in: one that the servers of another hold with it never shows
    itself by a referral.
    """
    cut = means.walk.closest(rrset.name)
    if cut.name in security.signers(message, rrset):
        return cut
    return await means.walk.around(rrset.name, cut)
