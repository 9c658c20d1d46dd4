"""What the observations of one target say that is worth comparing, and how two of them differ.

Facts, not verdicts: whether a difference is for the worse the rules say. Three states throughout:
what is not known to be gone is not told as gone.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TypeVar

from tlscheck.changes.change import Change, Origin
from tlscheck.model import Look, Observation, State, Value
from tlscheck.observations.dns import DnsObservation
from tlscheck.observations.dns import Standing as Dnssec
from tlscheck.observations.http import HttpObservation
from tlscheck.observations.ike import IkeObservation
from tlscheck.observations.ports import PortsObservation, PortState
from tlscheck.observations.registration import RegistrationObservation
from tlscheck.observations.tls import Demand, Names, TlsObservation
from tlscheck.observations.vpn import VpnObservation
from tlscheck.text import _N

_T = TypeVar("_T")
Named = tuple[str, str]
"""A fact's name, and where within the target: ``("tls.suites", "TLS 1.2")``."""


@dataclass(frozen=True, slots=True)
class Members:
    """A set of which some are there and some are known not to be."""

    there: frozenset[str]
    absent: frozenset[str] | None = None
    """``None``: all others."""

    def lacks(self, name: str) -> bool:
        """Whether *name* is known not to be there."""
        return name not in self.there and (self.absent is None or name in self.absent)


Facts = Mapping[Named, Members | str]
"""What is known; what is not known has no entry."""

ADDED = _N("{fact}: now also {names}")
ADDED_WHERE = _N("{fact} ({where}): now also {names}")
FIRST = _N("{fact}: {names} seen, which was not known before")
FIRST_WHERE = _N("{fact} ({where}): {names} seen, which was not known before")
REMOVED = _N("{fact}: no longer {names}")
REMOVED_WHERE = _N("{fact} ({where}): no longer {names}")
CHANGED = _N("{fact}: {now}, before: {before}")
_TEMPLATES = {
    ("added", False): ADDED,
    ("added", True): ADDED_WHERE,
    ("first", False): FIRST,
    ("first", True): FIRST_WHERE,
    ("removed", False): REMOVED,
    ("removed", True): REMOVED_WHERE,
}
NOTHING = "-"
"""Stands for a value that is known not to be there."""


def differences(
    target: str, before: Look, after: Look, doubted: frozenset[str] = frozenset()
) -> Iterator[Change]:
    """What the facts of *after* have that those of *before* have not, and the reverse.

    Of the subjects in *doubted* nothing is compared.
    """
    old, new = facts(before, doubted), facts(after, doubted)
    for name in sorted(old.keys() & new.keys()):
        was, now = old[name], new[name]
        if isinstance(was, Members) and isinstance(now, Members):
            yield from _members(target, name, was, now)
        elif was != now:
            values = {"fact": name[0], "before": str(was), "now": str(now)}
            yield Change(Origin.ENDPOINT, target, name[0], "changed", CHANGED, values)


def _members(target: str, name: Named, was: Members, now: Members) -> Iterator[Change]:
    fact, where = name
    fresh = now.there - was.there
    for code, names in (
        ("added", {each for each in fresh if was.lacks(each)}),
        ("first", {each for each in fresh if not was.lacks(each)}),
        ("removed", {each for each in was.there if now.lacks(each)}),
    ):
        if names:
            values: dict[str, Value] = {"fact": fact, "names": tuple(sorted(names))}
            if where:
                values["where"] = where
            template = _TEMPLATES[code, bool(where)]
            yield Change(Origin.ENDPOINT, target, fact, code, template, values)


# ---- what is known of each subject -----------------------------------------------------------


def facts(look: Look, doubted: frozenset[str] = frozenset()) -> Facts:
    """All facts of a look but its certificates', which `certificates` compares."""
    found: dict[Named, Members | str] = {}
    for subject, seen in look.seen.items():
        if subject not in doubted:
            found.update(_of(seen))
    return found


def _of(seen: Observation) -> Iterator[tuple[Named, Members | str]]:
    match seen:
        case TlsObservation():
            yield from _tls(seen)
        case HttpObservation():
            yield ("http.hsts", ""), seen.hsts.text if seen.hsts else NOTHING
        case PortsObservation():
            yield from _ports(seen)
        case VpnObservation():
            yield from _vpn(seen)
        case IkeObservation():
            yield ("ike.versions", ""), _states(seen.versions)
        case DnsObservation():
            yield from _dns(seen)
        case RegistrationObservation():
            yield from _registration(seen)


def _states(states: Mapping[_T, State]) -> Members:
    return Members(
        frozenset(str(name) for name, state in states.items() if state is State.ACCEPTED),
        frozenset(str(name) for name, state in states.items() if state is State.REFUSED),
    )


def _tls(seen: TlsObservation) -> Iterator[tuple[Named, Members | str]]:
    yield ("tls.versions", ""), _states(seen.versions)
    for version, state in seen.versions.items():
        if state is not State.ACCEPTED:
            continue
        refused = seen.refused.get(version, Names())
        where = str(version)
        suites = frozenset(seen.suites.get(version, ()))
        yield ("tls.suites", where), Members(suites, frozenset(refused.suites))
        groups = frozenset(seen.groups.get(version, ()))
        yield ("tls.groups", where), Members(groups, frozenset(refused.groups))
    if seen.client_certificate.demand is not Demand.UNKNOWN:
        yield ("tls.client-certificate", ""), str(seen.client_certificate.demand)


def _ports(seen: PortsObservation) -> Iterator[tuple[Named, Members | str]]:
    """Where something accepts whatever is asked, no port is known."""
    if seen.answering_for_all:
        return
    for transport in sorted({*seen.asked, *(port.transport for port in seen.open())}):
        there = frozenset(port.number for port in seen.open(transport))
        unsure = seen.shut_out or seen.count(PortState.UNKNOWN, transport) > 0
        absent = (
            frozenset[int]()
            if unsure
            else frozenset(numbers(seen.asked.get(transport, ""))) - there
        )
        yield (
            ("ports.open", transport),
            Members(frozenset(map(str, there)), frozenset(map(str, absent))),
        )


def numbers(ranges: str) -> Iterator[int]:
    """The port numbers in a text such as ``22,8000-8010``; what is none is left aside."""
    for part in ranges.split(","):
        first, _, last = part.partition("-")
        if first.isdecimal() and (last or first).isdecimal():
            yield from range(int(first), min(int(last or first), 65535) + 1)


def _vpn(seen: VpnObservation) -> Iterator[tuple[Named, Members | str]]:
    for port in seen.ports:
        sure = port.whole and not any(each.sent for each in port.unanswered)
        names = frozenset(hit.name for hit in port.hits)
        yield ("vpn.products", port.id), Members(names, None if sure else frozenset())


def _dns(seen: DnsObservation) -> Iterator[tuple[Named, Members | str]]:
    for zone in seen.zones[:1]:
        if zone.delegated is State.ACCEPTED:
            servers = frozenset(each.name for each in zone.name_servers if each.at_parent)
            yield ("dns.name-servers", ""), Members(servers)
        if zone.security.standing in (Dnssec.SECURE, Dnssec.INSECURE):
            yield ("dns.ds", ""), Members(frozenset(zone.security.ds))
    if seen.mail.takes is not State.UNKNOWN:
        hosts = frozenset(f"{host.preference} {host.name}" for host in seen.mail.hosts)
        yield ("dns.mail-hosts", ""), Members(hosts)


def _registration(seen: RegistrationObservation) -> Iterator[tuple[Named, Members | str]]:
    record = seen.record
    yield ("registration.registered", ""), str(record.registered)
    if record.registered is not State.ACCEPTED:
        return
    for name, value in (
        ("registrar", record.registrar),
        ("expires", record.expires.isoformat() if record.expires else ""),
    ):
        if value:
            yield (f"registration.{name}", ""), value
    for name, several in (
        ("holder", record.holder),
        ("statuses", record.statuses),
        ("locks", record.locks),
        ("name-servers", record.name_servers),
        ("ds", record.ds),
    ):
        if several or name in ("statuses", "locks", "ds"):
            yield (f"registration.{name}", ""), Members(frozenset(several))
