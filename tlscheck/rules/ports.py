"""Whether only what is meant to be reachable answers, and how the rest keeps silent."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from tlscheck.model import Evidence, Note, Open, Problem, Reason, Value
from tlscheck.observations.ports import Port, PortsObservation, PortState
from tlscheck.rules.core import NotApplicable, Problems, rule

EVERY = 65535
_ANYBODYS = ("", "http", "tls")
"""What answers at the ports of delivery networks, and of whatever accepts for all, too."""


def _wrong(seen: PortsObservation, port: Port, problem: Problem) -> Evidence:
    """*problem*, where the *port* is the operator's."""
    if not seen.shared or port.service not in _ANYBODYS:
        return problem
    return Open(
        "of-network",
        "{address}: {port} is open; it may be that of {network}, from which the page says it comes",
        cause="open_question",
        address=seen.address,
        port=_named(port),
        network=seen.shared,
    )


def behind_a_network(seen: PortsObservation) -> Iterator[Open]:
    """That what stands behind a delivery network was not seen, if so."""
    if seen.shared:
        yield Open(
            "shared",
            "the page at {address} says that it comes from {network}; what stands behind that was"
            " not seen",
            cause=Reason.TO_DECLARE,
            address=seen.address,
            network=seen.shared,
        )


def _unseen(seen: PortsObservation) -> Iterator[Evidence]:
    """What keeps a look at ports from being whole."""
    yield from behind_a_network(seen)
    if seen.narrowed:
        yield Open(
            "narrowed",
            "{address}: no ports were asked but those ordered: {ports}",
            cause=Reason.NOT_ASKED,
            address=seen.address,
            ports=seen.asked.get("tcp", "-"),
        )
    unknown = sum(counts.get(PortState.UNKNOWN, 0) for counts in seen.counts.values())
    if seen.shut_out:
        yield Open(
            "shut-out",
            "{address} answered and then no longer did: {count} ports are not known",
            address=seen.address,
            count=unknown,
        )
    elif unknown or not seen.counts.get("tcp"):
        yield Open(
            "unknown",
            "{address}: {count} ports are not known",
            address=seen.address,
            count=unknown,
        )
    if seen.answering_for_all:
        yield Open(
            "answering-for-all",
            "{address} accepts connections to ports picked at random: what is behind them is not"
            " known",
            address=seen.address,
        )


def _asked(seen: PortsObservation) -> Iterator[Note]:
    """What a pass rests on, where not all ports were asked."""
    counts = {transport: sum(states.values()) for transport, states in seen.counts.items()}
    if not seen.narrowed and counts.get("tcp", 0) < EVERY:
        yield Note(
            "asked",
            "{address}: of {every} ports each, {tcp} over TCP and {udp} over UDP were asked; more"
            " with --ports all",
            address=seen.address,
            every=EVERY,
            tcp=counts.get("tcp", 0),
            udp=counts.get("udp", 0),
        )


def _unrecognised(ports: Iterable[Port]) -> Iterator[Evidence]:
    """Open ports of which nobody knows what answers."""
    if unknown := [f"{p.number}/{p.transport}" for p in ports if not (p.service or p.group)]:
        yield Open(
            "unrecognised", "what answers at {ports} was not recognised", ports=tuple(unknown)
        )


def _named(port: Port) -> str:
    """A port as people name it."""
    service = port.service or port.name
    return f"{port.number}/{port.transport}" + (f" ({service})" if service else "")


def _is_declared(seen: PortsObservation, port: Port) -> bool:
    return port.number in (seen.declared or {}).get(port.transport, ())


def meant(seen: PortsObservation, transport: str | None = None) -> list[Port]:
    """The open ports, without those at which whatever accepts for all may have answered."""
    return [
        port
        for port in seen.open(transport)
        if not seen.answering_for_all or port.service not in _ANYBODYS
    ]


@rule("Vendor evaluation sheet, row 49")
def undeclared(seen: PortsObservation) -> Problems:
    """Only the ports that are declared answer.

    Every further port is one more way in, and a sign that nobody knows what runs there. Close it,
    or declare it in the configuration: ``[endpoints."ADDRESS"]``, ``tcp = [443]``.
    """
    found = meant(seen)
    doubts = [*_unseen(seen)]
    if seen.declared is None:
        told = {
            "address": seen.address,
            "ports": ", ".join(_named(port) for port in found) or "-",
        }
        if not doubts:
            raise NotApplicable(
                "nothing-declared", "nothing is declared of {address}; open: {ports}", **told
            )
        yield Note("inventory", "nothing is declared of {address}; open: {ports}", **told)
    for port in found if seen.declared is not None else ():
        if not _is_declared(seen, port):
            problem = Problem(
                "undeclared",
                "{address}: {port} is open and not declared",
                address=seen.address,
                port=_named(port),
            )
            yield _wrong(seen, port, problem)
    yield from (*doubts, *_asked(seen))


@dataclass(frozen=True, slots=True)
class Exposed:
    """Groups of ports (``profiles/ports/ports.toml``)."""

    groups: tuple[str, ...]


@rule("CISA Binding Operational Directive 23-02", "Vendor evaluation sheet, row 57")
def exposed_services(seen: PortsObservation, want: Exposed) -> Problems:
    """No service of inner networks answers: no database, no file sharing, no clear-text login.

    Who reaches such a port is one password or one flaw away from the patients' data. Have the
    service listen at an inner address only, and let nothing through to it in the firewall.
    """
    for port in meant(seen):
        if port.group in want.groups or _is_of(port, want.groups):
            problem = Problem(
                "exposed",
                "{address}: {port} answers to the internet",
                address=seen.address,
                port=_named(port),
            )
            yield _wrong(seen, port, problem)
    yield from _unrecognised(meant(seen))
    yield from (*_unseen(seen), *_asked(seen))


_BY_SERVICE = {
    "redis": "data",
    "mysql": "data",
    "postgresql": "data",
    "memcache": "data",
    "ms-sql-s": "data",
    "telnet": "clear-text",
    "ftp": "clear-text",
    "rsync": "clear-text",
    "ssh": "remote-login",
    "rfb": "remote-login",
    "ms-wbt-server": "remote-login",
}
"""The group of what answers, wherever it listens."""


def _is_of(port: Port, groups: tuple[str, ...]) -> bool:
    return _BY_SERVICE.get(port.service, "") in groups


@rule("CISA Binding Operational Directive 23-02", "Vendor evaluation sheet, rows 55 and 57")
def management(seen: PortsObservation, want: Exposed) -> Problems:
    """No way of managing the systems answers that is not declared.

    Remote logins and consoles are what attackers try first. Leave them open to a VPN or to listed
    addresses only; what must be open is to be declared with its purpose.
    """
    for port in meant(seen):
        of_group = port.group in want.groups or _is_of(port, want.groups)
        if of_group and not _is_declared(seen, port):
            problem = Problem(
                "management",
                "{address}: {port} answers to the internet and is not declared",
                address=seen.address,
                port=_named(port),
            )
            yield _wrong(seen, port, problem)
    yield from _unrecognised(p for p in meant(seen) if not _is_declared(seen, p))
    yield from (*_unseen(seen), *_asked(seen))


@dataclass(frozen=True, slots=True)
class Silence:
    """How much of what is not open is to be silent."""

    percent: int


@rule("Vendor evaluation sheet, rows 53 and 55")
def filtered(seen: PortsObservation, want: Silence) -> Problems:
    """Ports that are not in use are silently dropped by a filter.

    A host that refuses each port by itself shows that no filter stands before it, and a filter that
    refuses shows itself. Set the firewall to drop what is not allowed, before the host.
    """
    counts = {
        state: seen.count(state)
        for state in (PortState.DROPPED, PortState.CLOSED, PortState.REJECTED)
    }
    total = sum(counts.values())
    values: dict[str, Value] = {
        "address": seen.address,
        **{str(k): v for k, v in counts.items()},
        "total": total,
    }
    by = sorted({port.refused_by for port in seen.ports if port.refused_by} - {seen.address})
    if not total:
        yield Open("none", "{address}: no port that is not open was seen", address=seen.address)
    elif seen.refusing_seldom:
        yield Open(
            "seldom",
            "{address}: refusals come only now and then, so that the silent may be refused too: of"
            " {total} ports that are not open, {dropped} were silent, {closed} refused by the host"
            " and {rejected} rejected by a filter",
            cause=Reason.TO_DECLARE,
            **values,
        )
    elif 100 * counts[PortState.DROPPED] >= want.percent * total:
        yield Note(
            "dropped",
            "{address}: of {total} ports that are not open, {dropped} are silently dropped,"
            " {closed} refused by the host and {rejected} rejected by a filter",
            **values,
        )
    elif counts[PortState.REJECTED] > counts[PortState.CLOSED]:
        yield Open(
            "rejected",
            "{address}: a filter shows itself by rejecting: of {total} ports that are not open,"
            " {dropped} are silently dropped, {closed} refused and {rejected} rejected",
            cause=Reason.TO_DECLARE,
            **values,
        )
    else:
        yield Open(
            "no-filter",
            "{address}: no filter is to be seen: of {total} ports that are not open, {dropped} are"
            " silently dropped, {closed} refused by the host and {rejected} rejected by a filter",
            cause=Reason.TO_DECLARE,
            **values,
        )
    if by:
        yield Note(
            "filter", "{address}: refusals come from {by}", address=seen.address, by=tuple(by)
        )
    yield from _unseen(seen)
