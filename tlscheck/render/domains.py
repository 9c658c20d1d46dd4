"""What was seen of a domain's registration and name servers, for people: facts, no verdicts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from tlscheck.model import Look, State
from tlscheck.observations.dns import DnsObservation, Outcome, Standing, Zone
from tlscheck.observations.registration import RegistrationObservation
from tlscheck.text import _N, STATES, moment, visible, voice, word

_STANDINGS: Mapping[str, str] = {
    Standing.SECURE: _N("signed, and the chain of trust holds"),
    Standing.INSECURE: _N("not signed, or no DS record at the parent"),
    Standing.BOGUS: _N("signed, and the chain of trust is broken"),
    Standing.UNKNOWN: _N("not known"),
}
_OUTCOMES: Mapping[str, str] = {
    Outcome.AUTHORITATIVE: _N("answers"),
    Outcome.LAME: _N("does not serve the zone"),
    Outcome.SILENT: _N("silent"),
    Outcome.CLOSED: _N("refuses"),
    Outcome.UNREACHABLE: _N("cannot be reached"),
    Outcome.UNKNOWN: _N("not known"),
}

Lines = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class DomainView:
    """One domain."""

    registration: Lines
    """What the registry says, each with its name."""
    zones: tuple[tuple[str, Lines], ...]
    """Each zone and what was seen of it."""
    names: Lines
    """Each name that was asked for, and where it leads."""


def domain(look: Look, lang: str) -> DomainView | None:
    """What was seen of one domain; ``None`` where the target is none, or nothing was seen."""
    registration, dns = look.seen.get("registration"), look.seen.get("dns")
    if registration is None and dns is None:
        return None
    seen = dns if isinstance(dns, DnsObservation) else None
    return DomainView(
        registration=tuple(_registration(registration, lang))
        if isinstance(registration, RegistrationObservation)
        else (),
        zones=tuple((visible(zone.name), tuple(_zone(zone, lang))) for zone in seen.zones)
        if seen
        else (),
        names=tuple(_names(seen)) if seen else (),
    )


def _registration(seen: RegistrationObservation, lang: str) -> Iterable[tuple[str, str]]:
    _ = voice(lang)
    record = seen.record
    there = record.registered is State.ACCEPTED
    yield _("Registration"), _("registered") if there else _("not registered")
    for name, values in (
        (_("Holder"), record.holder),
        (_("Registrar"), (record.registrar,)),
        (_("Registered on"), (str(record.created or ""),)),
        (_("Registered until"), (str(record.expires or ""),)),
        (_("Status"), record.statuses),
        (_("Locks"), record.locks),
        (_("Name servers"), record.name_servers),
    ):
        if shown := ", ".join(map(visible, filter(None, values))):
            yield name, shown
    yield _("Answered by"), f"{visible(record.server)} ({moment(record.asked, lang)})"


def _zone(zone: Zone, lang: str) -> Iterable[tuple[str, str]]:
    _ = voice(lang)
    yield _("Delegated by the parent"), word(_DELEGATED, zone.delegated, lang)
    for server in zone.servers:
        outcome = word(_OUTCOMES, server.udp, lang)
        yield f"{visible(server.name)} ({visible(server.address)})", outcome
    yield "DNSSEC", word(_STANDINGS, zone.security.standing, lang)


_DELEGATED: Mapping[str, str] = {
    State.ACCEPTED: _N("yes"),
    State.REFUSED: _N("no"),
    State.UNKNOWN: STATES[State.UNKNOWN],
}


def _names(seen: DnsObservation) -> Iterable[tuple[str, str]]:
    for name in seen.names:
        chain = [alias.target for alias in name.aliases]
        leads = " → ".join(map(visible, (*chain, ", ".join(name.addresses) or "-")))
        yield visible(name.name), leads
