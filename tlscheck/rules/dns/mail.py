"""Whether a domain guards the mail that names it as its sender, and the mail that it takes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from tlscheck.model import Evidence, Open, Problem, State
from tlscheck.observations.dns import DnsObservation, MailHost, Standing, TransportPolicy
from tlscheck.observations.dns.mail import MOST_LOOKUPS, covered
from tlscheck.rules.core import NotApplicable, Problems, rule
from tlscheck.rules.dns.zones import delegated


@rule("RFC 7208, sections 3.2, 4.6.4 and 5.1")
def spf(seen: DnsObservation) -> Problems:
    """One sound SPF record says who may send mail for the domain.

    Without it anybody's mail to patients looks like yours. Have one TXT record that begins with
    ``v=spf1`` and ends in ``-all`` or ``~all``; a domain without mail has ``v=spf1 -all``.
    """
    delegated(seen)
    found = seen.mail.spf
    yield from policies_unseen(seen)
    if found is None:
        return
    values = {"domain": seen.domain}
    if not found.records:
        yield Problem("none", "{domain} has no SPF record", **values)
        return
    if len(found.records) > 1:
        yield Problem(
            "several", "{domain} has {count} SPF records", count=len(found.records), **values
        )
    if found.error:
        yield Problem("error", "{domain}: {term} is no term of SPF", term=found.error, **values)
    if found.lookups > MOST_LOOKUPS:
        yield Problem(
            "lookups",
            "{domain}: the SPF record takes {count} look-ups, allowed are {most}",
            count=found.lookups,
            most=MOST_LOOKUPS,
            **values,
        )
    for name in found.broken:
        yield Problem(
            "broken",
            "{domain}: {name}, which it takes in, has no sound SPF record",
            name=name,
            **values,
        )
    for name in found.everybody:
        yield Problem(
            "everybody",
            "{domain}: by the SPF record of {name} everybody may send",
            name=name,
            **values,
        )
    if found.rest == "?all" or (not found.rest and not found.unseen):
        yield Problem(
            "open",
            "{domain}: the SPF record lets everybody send: {record}",
            record=found.records[0],
            **values,
        )


def policies_unseen(seen: DnsObservation) -> Iterator[Evidence]:
    """What is not known of who may send."""
    if seen.mail.spf is None:
        yield Open("spf-unseen", "the SPF record of {domain} was not seen", domain=seen.domain)
    for name in seen.mail.spf.unseen if seen.mail.spf else ():
        yield Open(
            "taken-in-unseen",
            "{domain}: the SPF record of {name}, which it takes in, was not seen",
            domain=seen.domain,
            name=name,
        )


@rule("RFC 9989, section 4")
def dmarc(seen: DnsObservation) -> Problems:
    """DMARC has forged mail quarantined or rejected.

    SPF alone says nothing of the sender that people see. Write a TXT record at ``_dmarc`` with
    ``v=DMARC1; p=quarantine`` or ``p=reject``, after having read the reports for a while.
    """
    delegated(seen)
    found = seen.mail.dmarc
    values = {"domain": seen.domain}
    if found is None:
        yield Open("unseen", "the DMARC record of {domain} was not seen", **values)
    elif not found.records:
        yield Problem("none", "{domain} has no DMARC record", **values)
    elif len(found.records) > 1:
        yield Problem(
            "several", "{domain} has several DMARC records, so that none counts", **values
        )
    elif not found.policy:
        yield Problem(
            "twice",
            "the DMARC record of {domain} has a tag twice, so that it does not count",
            **values,
        )
    elif found.policy not in ("quarantine", "reject"):
        yield Problem("policy", "{domain}: the policy is {policy}", policy=found.policy, **values)
    elif found.below:
        yield Problem(
            "below",
            "{domain}: for names below it the policy is {policy}",
            policy=found.below,
            **values,
        )
    elif found.testing:
        yield Problem("testing", "{domain}: the policy is only being tried", **values)


@rule("RFC 8461; RFC 7672; RFC 8460")
def mail_transport(seen: DnsObservation) -> Problems:
    """Mail to the domain is kept from being read on its way, by MTA-STS or DANE.

    Otherwise whoever sits between mail servers can have them fall back to plain text. Publish an
    MTA-STS policy in mode ``enforce`` for all mail hosts, or TLSA records in a signed zone.
    """
    mail, values = seen.mail, {"domain": seen.domain}
    if mail.takes is State.REFUSED:
        raise NotApplicable("no-mail", "{domain} takes no mail", **values)
    if mail.takes is State.UNKNOWN:
        yield from _takes_unseen(seen)
        return
    dane = _dane(seen)
    for host in mail.hosts:
        if host.dane is State.ACCEPTED and host.fits is State.REFUSED:
            yield Problem(
                "tlsa", "{host}: no TLSA record fits the certificate that it shows", host=host.name
            )
    if dane is State.ACCEPTED:
        return
    if mail.mta_sts is None:
        yield Open("sts-unseen", "the MTA-STS record of {domain} was not seen", **values)
    elif not mail.mta_sts.record and dane is State.UNKNOWN:
        yield Open("dane-unseen", "whether {domain} has DANE was not seen", **values)
    elif not mail.mta_sts.record:
        yield Problem("none", "{domain} has neither DANE nor MTA-STS", **values)
    else:
        yield from _policy(mail.mta_sts, mail.hosts, seen.domain)


def _takes_unseen(seen: DnsObservation) -> Iterator[Evidence]:
    if seen.mail.implicit:
        yield Open(
            "implicit",
            "{domain} has an address and no MX record: whether it takes mail there is not known",
            cause="open_question",
            domain=seen.domain,
        )
    else:
        yield Open("unseen", "the mail hosts of {domain} were not seen", domain=seen.domain)


def _dane(seen: DnsObservation) -> State:
    """Whether DANE guards all mail: that needs a signed MX record too (RFC 7672, section 2.2.1)."""
    states = {host.dane for host in seen.mail.hosts}
    match seen.zone.security.standing:
        case Standing.UNKNOWN:
            states.add(State.UNKNOWN)
        case Standing.INSECURE | Standing.BOGUS:
            states.add(State.REFUSED)
    if State.REFUSED in states:
        return State.REFUSED
    return State.UNKNOWN if State.UNKNOWN in states else State.ACCEPTED


def _policy(policy: TransportPolicy, hosts: Iterable[MailHost], domain: str) -> Iterator[Evidence]:
    if policy.fetched is State.UNKNOWN:
        yield Open(
            "policy-unseen",
            "the MTA-STS policy of {domain} could not be fetched: {detail}",
            domain=domain,
            detail=policy.trouble,
        )
    elif policy.fetched is State.REFUSED:
        yield Problem("no-policy", "{domain} has no readable MTA-STS policy", domain=domain)
    elif policy.mode != "enforce":
        yield Problem(
            "mode", "{domain}: the MTA-STS mode is {mode}", domain=domain, mode=policy.mode
        )
    else:
        for host in hosts:
            if not covered(host.name, policy.hosts):
                yield Problem(
                    "not-covered",
                    "{domain}: the MTA-STS policy does not cover {host}",
                    domain=domain,
                    host=host.name,
                )


@rule("RFC 8460, section 3")
def tls_reports(seen: DnsObservation) -> Problems:
    """Senders are asked to report mail that could not be encrypted.

    Reports show interception and outages before users do. Publish a TXT record at ``_smtp._tls``
    with ``v=TLSRPTv1; rua=mailto:…``.
    """
    if seen.mail.takes is State.REFUSED:
        raise NotApplicable("no-mail", "{domain} takes no mail", domain=seen.domain)
    if seen.mail.implicit:
        yield from _takes_unseen(seen)
    elif seen.mail.tls_reports is None:
        yield Open("unseen", "the TLS-RPT record of {domain} was not seen", domain=seen.domain)
    elif not seen.mail.tls_reports:
        yield Problem("none", "{domain} has no TLS-RPT record", domain=seen.domain)
