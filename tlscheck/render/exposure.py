"""What was seen of addresses and relays, for people: facts, no verdicts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from tlscheck.model import Look, Scope, State
from tlscheck.observations.ike import Dimension, IkeObservation
from tlscheck.observations.ports import Port, PortsObservation, PortState
from tlscheck.observations.turn import Dtls, Talk, TurnObservation
from tlscheck.observations.vpn import VpnObservation
from tlscheck.text import _N, STATES, visible, voice, word

Lines = tuple[tuple[str, str], ...]

_PORT_STATES: Mapping[str, str] = {
    PortState.OPEN: _N("open"),
    PortState.CLOSED: _N("refused by the host"),
    PortState.REJECTED: _N("rejected by a filter"),
    PortState.DROPPED: _N("silently dropped"),
    PortState.UNKNOWN: _N("not known"),
}
_DIMENSIONS: Mapping[str, str] = {
    Dimension.GROUPS: _N("Diffie-Hellman groups accepted (IKEv2)"),
    Dimension.ENCRYPTION: _N("Ciphers accepted (IKEv2)"),
    Dimension.INTEGRITY: _N("Integrity accepted (IKEv2)"),
    Dimension.PRF: _N("Derivation of keys accepted (IKEv2)"),
}


def exposed(look: Look, lang: str) -> Lines:
    """What was seen of one address or relay, each with its name; empty for any other target."""
    lines: list[tuple[str, str]] = []
    for seen in look.seen.values():
        match seen:
            case PortsObservation():
                lines += _ports(seen, lang)
            case VpnObservation():
                lines += _vpn(seen, lang)
            case IkeObservation():
                lines += _ike(seen, lang)
            case TurnObservation():
                lines += _turn(seen, lang)
    if lines and look.target.scope is Scope.ADDRESS:
        lines.insert(0, (voice(lang)("Address"), visible(look.target.id)))
    return tuple(lines)


def _ports(seen: PortsObservation, lang: str) -> Iterable[tuple[str, str]]:
    _ = voice(lang)
    yield _("Open ports"), "; ".join(_port(port) for port in seen.open()) or _("none seen")
    for transport, counts in seen.counts.items():
        told = (f"{word(_PORT_STATES, state, lang)} {n}" for state, n in counts.items())
        if counts:
            name = _("Ports asked ({transport})", transport=transport.upper())
            yield name, f"{seen.asked.get(transport, '')}: {', '.join(told)}"
    if seen.declared is not None:
        declared = (f"{n}/{transport}" for transport, ns in seen.declared.items() for n in ns)
        yield _("Declared ports"), ", ".join(declared) or "-"
    if seen.shared:
        yield _("Content delivery network"), visible(seen.shared)


def _port(port: Port) -> str:
    words = [port.service or port.name, port.said]
    shown = ", ".join(visible(w) for w in words if w)
    return f"{port.number}/{port.transport}" + (f" ({shown})" if shown else "")


def _vpn(seen: VpnObservation, lang: str) -> Iterable[tuple[str, str]]:
    _ = voice(lang)
    for port in seen.ports:
        hits = [f"{visible(h.name)} ({h.confidence}: {visible(h.excerpt)})" for h in port.hits]
        spoken = {"OpenVPN": port.openvpn, "SSTP": port.sstp, "IPsec": port.ipsec}
        hits += [name for name, state in spoken.items() if state is State.ACCEPTED]
        if hits:
            yield _("VPN at {port}", port=port.id), "; ".join(dict.fromkeys(hits))


def _ike(seen: IkeObservation, lang: str) -> Iterable[tuple[str, str]]:
    _ = voice(lang)
    for version, state in seen.versions.items():
        yield visible(version), word(STATES, state, lang)
    for dimension, name in _DIMENSIONS.items():
        states = seen.states(Dimension(dimension))
        if accepted := [n for n, state in states.items() if state is State.ACCEPTED]:
            yield _(name), ", ".join(map(visible, accepted))
    if seen.phase1:
        chosen = (f"{p.encryption} {p.hash} {p.group}" for p in seen.phase1)
        yield _("Chosen in IKEv1"), "; ".join(map(visible, chosen))
    if seen.vendors:
        yield _("Vendor ids"), ", ".join(visible(v.name or v.id) for v in seen.vendors)
    yield _("Packets sent"), str(seen.packets)


def _turn(seen: TurnObservation, lang: str) -> Iterable[tuple[str, str]]:
    _ = voice(lang)
    for talk in seen.talks:
        yield f"STUN/TURN ({talk.transport.upper()})", _talk(talk, lang)
    if seen.dtls:
        yield from _dtls(seen.dtls, lang)


def _talk(talk: Talk, lang: str) -> str:
    _ = voice(lang)
    words = [_("STUN is answered: {state}", state=word(STATES, talk.stun, lang))]
    words += [
        _(
            "relay without credentials ({relay}): {state}",
            relay=visible(made.relay),
            state=word(STATES, made.state, lang),
        )
        for made in talk.allocations
    ]
    words += [visible(text) for text in (talk.software, talk.realm) if text]
    return "; ".join(words)


def _dtls(seen: Dtls, lang: str) -> Iterable[tuple[str, str]]:
    _ = voice(lang)
    for version, state in seen.versions.items():
        suites = ", ".join(seen.suites.get(version, ()))
        yield visible(version), word(STATES, state, lang) + (f": {suites}" if suites else "")
    if seen.certificate:
        yield _("Certificate"), visible(seen.certificate.subject)
