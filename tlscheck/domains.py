"""The domains of the targets: which there are, what is looked up of each, what belongs together."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import platformdirs

from tlscheck import config, targets
from tlscheck.errors import ConfigError, TargetError
from tlscheck.model import Look, Missed, Observation, Reason, Scan, Scope, State, Target, cut_short
from tlscheck.net import Net, now
from tlscheck.observations.certificate import CertificateObservation, Chain
from tlscheck.observations.dns import DnsObservation, MailHost
from tlscheck.observations.registration import (
    Declared,
    Record,
    RegistrationObservation,
    Shown,
)

if TYPE_CHECKING:
    from tlscheck.probes import dns, registration

_log = logging.getLogger(__name__)

REGISTRATION, DNS = "registration", "dns"
_LOCAL = ("localhost", "local", "internal", "home.arpa", "onion", "alt", "invalid")
"""Names that are in no registry and not in the DNS (RFC 6761, RFC 6762, RFC 7686, RFC 8375,
RFC 9476; ``internal`` by ICANN's decision of 2024).
"""

Tell = Callable[[str, str, int], None]


@dataclass(frozen=True)
class Order:
    """How domains are looked at."""

    network: config.Network = field(default_factory=config.Network)
    declared: Mapping[str, Declared] = field(default_factory=dict)
    """What the operator says of each domain."""
    before: Scan | None = None
    """An earlier scan to compare with."""
    family: int = 0
    contacts: bool = False
    refresh: bool = False
    cache: Path | None = None
    """Where registries' answers are kept; ``None``: nowhere."""
    ca_file: bytes | None = None
    places: Mapping[str, tuple[str, int]] = field(default_factory=dict)
    """Where the name servers of some addresses are in truth; for the demonstration."""


def kept_in() -> Path | None:
    """The folder in which registries' answers are kept; ``None``: nobody says where this user is at
    home.
    """
    try:
        folder = Path(platformdirs.user_cache_dir("tlscheck")) / REGISTRATION
    except RuntimeError:
        return None
    return folder if folder.is_absolute() else None  # older platformdirs leave the ~


def declared(settings: config.Settings, path: str) -> dict[str, Declared]:
    """What the configuration file *path* says of each domain. ConfigError."""
    found = {}
    for name, domain in settings.domain.items():
        own = targets.registrable(targets.parse(name).host)
        if own != targets.parse(name).host:
            raise ConfigError(
                '{file}, key domain."{name}": is no domain that is registered by itself; write'
                " {example}",
                file=path,
                name=name,
                example=f'[domain."{own or "example.jp"}"]',
            )
        found[own] = Declared(
            domain.holder, domain.registrar, domain.name_servers, domain.in_use_since
        )
    return found


async def look(
    net: Net, hosts: Iterable[str], subjects: Sequence[str], order: Order, tell: Tell
) -> list[Look]:
    """A look at each domain that the *hosts* stand under; addresses and bare labels have none."""
    if not {REGISTRATION, DNS} & set(subjects):
        return []
    hosts = list(hosts)
    by_domain = of(hosts)
    suffixes = [_suffix(host, subjects) for host in dict.fromkeys(hosts) if _is_suffix(host)]
    if not by_domain:
        return suffixes
    from tlscheck.probes import registration  # what few looks need costs the others no time

    registry = registration.Registry(
        net, order.network, order.contacts, order.refresh, order.ca_file, order.cache
    )
    means = _means(net, registry if REGISTRATION in subjects else None, order)
    looks = await asyncio.gather(
        *(
            _domain(means, registry, domain, names, subjects, order, tell)
            for domain, names in by_domain.items()
        )
    )
    return [*looks, *suffixes]


def _is_suffix(host: str) -> bool:
    """Whether others register their domains under *host*."""
    return not targets.registrable(host) and not targets.is_address(host) and host not in _LOCAL


def _suffix(host: str, subjects: Sequence[str]) -> Look:
    detail = "a public suffix, under which others register"
    missed = (Missed(s, Reason.NOT_ASKED, detail) for s in (REGISTRATION, DNS) if s in subjects)
    return Look(Target(host, Scope.NAME), {}, tuple(missed))


def of(hosts: Iterable[str]) -> dict[str, list[str]]:
    """The domains that *hosts* are registered under, each with those of them that are."""
    by_domain: dict[str, list[str]] = {}
    for host in dict.fromkeys(hosts):
        if domain := targets.registrable(host):
            by_domain.setdefault(domain, []).append(host)
    return by_domain


def _means(net: Net, registry: registration.Registry | None, order: Order) -> dns.Means:
    from tlscheck.observations.dns import security
    from tlscheck.probes import dns
    from tlscheck.probes.nameserver import NameServers
    from tlscheck.probes.walk import ROOTS, Walk

    network = order.network
    roots = [config.place(root, network.dns_port) for root in network.roots]
    places = {address: (address, port) for address, port in filter(None, roots)}
    servers = NameServers(network.dns_port, {**places, **order.places}, order.family)
    own = bool(network.roots)
    anchors = network.trust_anchors or (() if own else security.ANCHORS)
    return dns.Means(
        net, Walk(servers, tuple(places) or ROOTS), security.anchor(anchors), registry, own
    )


async def _domain(
    means: dns.Means,
    registry: registration.Registry,
    domain: str,
    names: Sequence[str],
    subjects: Sequence[str],
    order: Order,
    tell: Tell,
) -> Look:
    from tlscheck.probes import dns

    target = Target(domain, Scope.NAME)
    if not order.network.roots and any(f".{domain}".endswith(f".{n}") for n in _LOCAL):
        missed = [
            Missed(s, Reason.NOT_APPLICABLE, "names of this kind are in no registry")
            for s in (REGISTRATION, DNS)
            if s in subjects
        ]
        return Look(target, {}, tuple(missed))
    tell(domain, "DNS", 0)
    at = now()
    asked: dict[str, Coroutine[Any, Any, Record | DnsObservation | Missed]] = {}
    if REGISTRATION in subjects:
        asked[REGISTRATION] = registry.record(domain)
    if DNS in subjects:
        asked[DNS] = dns.probe(means, domain, names)
    parts = (means.net.halt.within(each) for each in asked.values())
    results = await asyncio.gather(*parts, return_exceptions=True)
    tell(domain, "", 0)
    seen: dict[str, Observation] = {}
    missed = []
    before = _before(order.before, domain)
    for subject, result in zip(asked, results, strict=True):
        match result:
            case Record():
                seen[subject] = RegistrationObservation(
                    at=at,
                    record=result,
                    declared=order.declared.get(domain),
                    before=before[0],
                )
            case DnsObservation():
                seen[subject] = replace(result, ds_before=before[1])
            case Missed():
                missed.append(result)
            case None:
                missed.append(cut_short(subject))
            case BaseException():
                _log.error("%s of %s", subject, domain, exc_info=result)
                missed.append(Missed(subject, Reason.BUG, type(result).__name__))
    return Look(target, seen, tuple(missed))


def _before(scan: Scan | None, domain: str) -> tuple[Record | None, tuple[str, ...] | None]:
    """The record and the DS records of an earlier scan."""
    for entry in scan.looks if scan else ():
        if entry.target.id == domain:
            record, zone = entry.seen.get(REGISTRATION), entry.seen.get(DNS)
            return (
                record.record if isinstance(record, RegistrationObservation) else None,
                zone.zone.security.ds if isinstance(zone, DnsObservation) else None,
            )
    return None, None


def mail_hosts(looks: Iterable[Look]) -> tuple[str, ...]:
    """The hosts that take mail for the domains, those that are names of hosts."""
    hosts = [
        host.name
        for entry in looks
        if isinstance(seen := entry.seen.get(DNS), DnsObservation)
        for host in seen.mail.hosts
    ]
    return tuple(dict.fromkeys(host for host in hosts if _is_host(host)))


def _is_host(name: str) -> bool:
    """Whether a target can be made of *name*, which a stranger's zone holds."""
    try:
        return targets.parse(name).host == name
    except TargetError:
        return False


# ---- what belongs together -------------------------------------------------------------------


def completed(of_domains: Iterable[Look], endpoints: Sequence[Look]) -> list[Look]:
    """The looks at domains, with what the endpoints under them show."""
    by_domain: dict[str, list[Look]] = {}
    for entry in endpoints:
        if entry.target.target is not None:
            domain = targets.registrable(entry.target.target.host)
            by_domain.setdefault(domain, []).append(entry)
    shown = list(_shown_by_mail(endpoints))
    return [_completed(e, by_domain.get(e.target.id, []), shown) for e in of_domains]


def _shown_by_mail(endpoints: Iterable[Look]) -> Iterator[tuple[str, Chain]]:
    """What the mail hosts show by STARTTLS."""
    return _chains(e for e in endpoints if e.target.target and e.target.target.service == "smtp")


def _fits(host: MailHost, shown: Iterable[tuple[str, Chain]]) -> MailHost:
    """*host* with whether one of its TLSA records fits what it shows (RFC 6698, section 2.1)."""
    chains = [chain for name, chain in shown if name == host.name]
    if not chains or not host.tlsa:
        return host
    records = [record.split(None, 3) for record in host.tlsa]
    if any(mtype != "1" for _, _, mtype, _ in records):  # of SHA-256 alone the digests are kept
        return host
    found = any(
        digest.replace(" ", "") == (c.spki_sha256 if selector == "1" else c.sha256)
        for usage, selector, _, digest in records
        for chain in chains
        for c in (chain.certificates[:1] if usage == "3" else chain.certificates)
    )
    return replace(host, fits=State.ACCEPTED if found else State.REFUSED)


def _completed(
    entry: Look, endpoints: Sequence[Look], by_mail: Sequence[tuple[str, Chain]]
) -> Look:
    seen = dict(entry.seen)
    leaves = [(host, chain.leaf) for host, chain in _chains(endpoints)]
    zone, record = seen.get(DNS), seen.get(REGISTRATION)
    if isinstance(record, RegistrationObservation):
        shown = {
            leaf.sha256: Shown(host, leaf.sha256, leaf.not_before, leaf.organisation)
            for host, leaf in leaves
        }
        seen[REGISTRATION] = replace(
            record,
            delegated=zone.zone.delegated if isinstance(zone, DnsObservation) else State.UNKNOWN,
            certificates=tuple(shown.values()) if leaves else None,
        )
    if isinstance(zone, DnsObservation):
        hosts = tuple(_fits(host, by_mail) for host in zone.mail.hosts)
        zone = seen[DNS] = replace(zone, mail=replace(zone.mail, hosts=hosts))
        if leaves:
            seen[DNS] = replace(zone, issuers=tuple(_issuers(endpoints)))
    return replace(entry, seen=seen)


def _chains(endpoints: Iterable[Look]) -> Iterator[tuple[str, Chain]]:
    for entry in endpoints:
        seen = entry.seen.get("certificate")
        if entry.target.target is not None and isinstance(seen, CertificateObservation):
            for chain in seen.chains:
                if chain.certificates:
                    yield entry.target.target.host, chain


def _issuers(endpoints: Iterable[Look]) -> Iterator[str]:
    """Who issued the certificates, but for authorities that no public store knows: CAA records are
    nothing to them.
    """
    for host, chain in _chains(endpoints):
        private = chain.trust and all(t.state is State.REFUSED for t in chain.trust.values())
        if not private:
            yield f"{host}: {chain.leaf.issuer_organisation}"
