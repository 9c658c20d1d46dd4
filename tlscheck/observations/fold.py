"""From the exchanges of one look to its observation: the same bytes give the same observation."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime

from tlscheck.model import State
from tlscheck.observations.exchange import Exchange, Outcome
from tlscheck.observations.knowledge import (
    DIMENSIONS,
    GROUP,
    SCHEME,
    SUITE,
    Knowledge,
    candidates,
)
from tlscheck.observations.order import order, preference
from tlscheck.observations.tls import (
    Chooser,
    ClientCertificate,
    Demand,
    DhParameters,
    Names,
    Order,
    TlsObservation,
)
from tlscheck.wire.hello import Extension
from tlscheck.wire.primes import KNOWN_PRIMES
from tlscheck.wire.registry import SSL2_KINDS, SUITE_BY_NAME, Version

BAD_RECORD = frozenset((20, 21, 50, 51))
"""Alerts of a server that tried to decrypt: bad_record_mac, decryption_failed, decode_error,
decrypt_error."""


def fold(exchanges: Iterable[Exchange], at: datetime, rung: str) -> TlsObservation:
    """What *exchanges* of one endpoint say, the look having begun at *at*."""
    known = Knowledge(exchanges)
    versions = {version: known.version(version) for version in Version}
    accepted = [v for v in Version if versions[v] is State.ACCEPTED]
    orders: dict[Version, Order] = {
        v: order(known, v) for v in accepted if v is not Version.SSL_2_0
    }
    modern_only = accepted == [Version.TLS_1_3] and State.UNKNOWN not in versions.values()
    return TlsObservation(
        at=at,
        versions=versions,
        suites={v: _suites(known, v, orders.get(v)) for v in accepted},
        groups={v: _groups(known, v, orders[v]) for v in accepted if candidates(v, GROUP)},
        schemes={v: _accepted(known, v, SCHEME) for v in accepted if candidates(v, SCHEME)},
        unknown=_settled(known, accepted, Knowledge.pending),
        refused=_settled(known, accepted, Knowledge.refused),
        order=orders,
        dh=_dh(known),
        certificate_types=_certificate_types(known),
        compression=_compression(known, modern_only),
        secure_renegotiation=_echo(known, Extension.RENEGOTIATION_INFO, modern_only),
        extended_master_secret=_echo(known, Extension.EXTENDED_MASTER_SECRET, modern_only),
        encrypt_then_mac=_encrypt_then_mac(known),
        fallback_scsv=_fallback(known),
        heartbeat=_no_echo_in_modern(known, Extension.HEARTBEAT, modern_only),
        session_ids=_session_ids(known, modern_only),
        session_tickets=_no_echo_in_modern(known, Extension.SESSION_TICKET, modern_only),
        stapling=_stapling(known),
        early_ccs=_early_ccs(known, modern_only, bool(accepted)),
        schemes_ignored=_schemes_ignored(known),
        alpn=_alpn(known),
        client_certificate=_client_certificate(known),
        rung=rung,
        filtered=_filtered(known),
        contradictions=known.contradictions,
    )


def _suites(known: Knowledge, version: Version, of: Order | None) -> tuple[str, ...]:
    if version is Version.SSL_2_0:
        kinds = {k for e in known.answered if e.is_ssl2 for k in e.flight.ssl2_kinds or ()}
        offered = [code for code in SSL2_KINDS if code in kinds]
        return tuple(SSL2_KINDS[code] for code in offered)
    if of and of.suites is Chooser.SERVER:
        return preference(known, version, SUITE)
    return _accepted(known, version, SUITE)


def _groups(known: Knowledge, version: Version, of: Order) -> tuple[str, ...]:
    if of.groups is Chooser.SERVER:
        return preference(known, version, GROUP)
    return _accepted(known, version, GROUP)


def _accepted(known: Knowledge, version: Version, dimension: str) -> tuple[str, ...]:
    found = set(known.accepted(version, dimension))
    return tuple(name for name in candidates(version, dimension) if name in found)


def _settled(
    known: Knowledge,
    accepted: Sequence[Version],
    names: Callable[[Knowledge, Version, str], tuple[str, ...]],
) -> dict[Version, Names]:
    return {
        version: Names(*(names(known, version, dimension) for dimension in DIMENSIONS))
        for version in accepted
        if version is not Version.SSL_2_0
    }


def _dh(known: Knowledge) -> tuple[DhParameters, ...]:
    found: dict[tuple[bytes, bytes], tuple[set[Version], set[str]]] = defaultdict(
        lambda: (set(), set())
    )
    for e in known.answered:
        exchange = e.flight.key_exchange
        if exchange and exchange.prime and e.version:
            versions, suites = found[exchange.prime, exchange.generator]
            versions.add(e.version)
            suites.add(e.suite)
    parameters = []
    for (prime, generator), (versions, suites) in found.items():
        number = int.from_bytes(prime)
        digest = hashlib.sha256(number.to_bytes((number.bit_length() + 7) // 8)).hexdigest()
        name, remark = KNOWN_PRIMES.get(digest, ("", ""))
        parameters.append(
            DhParameters(
                versions=tuple(sorted(versions, key=lambda v: v.rank)),
                suites=tuple(sorted(suites)),
                bits=number.bit_length(),
                name=name.removeprefix("RFC 7919 "),
                weakness=remark if remark in ("weak", "shared") else "",
                generator=generator.hex().lstrip("0") or "0",
                prime_sha256=digest,
            )
        )
    return tuple(sorted(parameters, key=lambda p: (p.bits, p.prime_sha256)))


def _classic(known: Knowledge) -> list[Exchange]:
    return [
        e
        for e in known.answered
        if e.version not in (Version.SSL_2_0, Version.TLS_1_3) and e.flight.hello
    ]


def _certificate_types(known: Knowledge) -> tuple[str, ...]:
    kinds = {
        SUITE_BY_NAME[e.suite].authentication for e in _classic(known) if e.flight.certificates
    }
    return tuple(sorted(kinds - {"anon", "NULL", "PSK", ""}))


def _echo(known: Knowledge, kind: int, modern_only: bool) -> State:
    """Whether an extension that TLS 1.3 has built in is answered below it, every time."""
    if modern_only:
        return State.ACCEPTED
    asked = [e for e in _classic(known) if _asks(e, kind)]
    if not asked:
        return State.UNKNOWN
    missing = any(kind not in e.flight.hello.extensions for e in asked if e.flight.hello)
    return State.REFUSED if missing else State.ACCEPTED


def _asks(e: Exchange, kind: int) -> bool:
    if kind == Extension.RENEGOTIATION_INFO:
        return e.hello.extension(kind) is not None or 0x00FF in e.hello.suites
    return e.hello.extension(kind) is not None and e.version is not Version.SSL_3_0


def _no_echo_in_modern(known: Knowledge, kind: int, modern_only: bool) -> State:
    """Whether an extension that TLS 1.3 does not have is answered at all."""
    if modern_only:
        return State.REFUSED
    asked = [e for e in _classic(known) if e.hello.extension(kind) is not None]
    if any(e.flight.hello and kind in e.flight.hello.extensions for e in asked):
        return State.ACCEPTED
    return State.REFUSED if len(asked) >= known.needed else State.UNKNOWN


def _compression(known: Knowledge, modern_only: bool) -> State:
    if modern_only:
        return State.REFUSED
    asked = [e for e in _classic(known) if b"\x01" in e.hello.compressions]
    if any(e.flight.hello and e.flight.hello.compression for e in asked):
        return State.ACCEPTED
    return State.REFUSED if len(asked) >= known.needed else State.UNKNOWN


def _encrypt_then_mac(known: Knowledge) -> State:
    kind = Extension.ENCRYPT_THEN_MAC
    asked = [
        e for e in _classic(known) if e.hello.extension(kind) is not None and "_CBC_" in e.suite
    ]
    if not asked:
        return State.UNKNOWN
    missing = any(e.flight.hello and kind not in e.flight.hello.extensions for e in asked)
    return State.REFUSED if missing else State.ACCEPTED


def _fallback(known: Knowledge) -> State:
    asked = [e for e in known.own if e.fallback]
    if any(e.outcome is Outcome.FALLBACK for e in asked):
        return State.ACCEPTED
    if any(e.outcome is Outcome.ANSWERED for e in asked):
        return State.REFUSED
    return State.UNKNOWN


def _session_ids(known: Knowledge, modern_only: bool) -> State:
    if modern_only:
        return State.REFUSED
    asked = [e for e in _classic(known) if e.hello.extension(Extension.SESSION_TICKET) is None]
    if any(e.flight.hello and e.flight.hello.session_id for e in asked):
        return State.ACCEPTED
    return State.REFUSED if len(asked) >= known.needed else State.UNKNOWN


def _stapling(known: Knowledge) -> State:
    asked = [
        e
        for e in _classic(known)
        if e.hello.extension(Extension.STATUS_REQUEST) is not None and e.flight.certificates
    ]
    if any(e.flight.status for e in asked):
        return State.ACCEPTED
    return State.REFUSED if len(asked) >= known.needed else State.UNKNOWN


def _early_ccs(known: Knowledge, modern_only: bool, any_version: bool) -> State:
    if modern_only and any_version:
        return State.REFUSED
    states = {_swallowed(e) for e in known.exchanges if e.early_ccs}
    for state in (State.ACCEPTED, State.UNKNOWN, State.REFUSED):
        if state in states:
            return state
    return State.UNKNOWN


def _swallowed(e: Exchange) -> State:
    """What became of an early ChangeCipherSpec in *e*.

    A sound server objects to it by an alert; one that swallows it stays silent until the second
    record, which it tries to decrypt.
    """
    second = len(e.early_records) > 1
    alert = e.flight.alerts[-1][1] if e.flight.alerts else None
    if not second:
        return State.REFUSED if alert not in (None, 0) else State.UNKNOWN
    if alert in BAD_RECORD:
        return State.ACCEPTED
    return State.UNKNOWN


def _schemes_ignored(known: Knowledge) -> bool:
    below = any(
        e.scheme_code is not None and not e.scheme for e in known.answered if e.most is e.version
    )
    return below or any(
        e.version is Version.TLS_1_3 and e.flight.hello and e.hello.shares and not e.schemes
        for e in known.answered
    )


def _alpn(known: Knowledge) -> tuple[str, ...]:
    chosen = {
        e.flight.hello.extensions[Extension.ALPN][3:].decode("ascii", "replace")
        for e in _classic(known)
        if e.flight.hello and len(e.flight.hello.extensions.get(Extension.ALPN, b"")) > 3
    }
    return tuple(sorted(chosen))


def _client_certificate(known: Knowledge) -> ClientCertificate:
    """What TLS 1.2 says in clear; whether it is required shows only in a full handshake."""
    full = [e for e in _classic(known) if e.flight.done]
    requests = [e.flight.request for e in full if e.flight.request]
    if requests:
        return ClientCertificate(Demand.REQUESTED)
    return ClientCertificate(Demand.NONE if full else Demand.UNKNOWN)


def _filtered(known: Knowledge) -> bool:
    """Whether only the browser-shaped hello is answered, and all others meet no TLS alert.

    Controls that mix suites of TLS 1.3 and older ones look much like a browser, too.
    """
    browser = [e for e in known.answered if e.most is None]
    others = [e for e in known.own if e.most is not None and not e.is_ssl2 and not _mixed(e)]
    reactions = (Outcome.ANSWERED, Outcome.REFUSED, Outcome.FALLBACK)
    return bool(browser and others) and not any(e.outcome in reactions for e in others)


def _mixed(e: Exchange) -> bool:
    modern = {SUITE_BY_NAME[name].lowest is Version.TLS_1_3 for name in e.suites}
    return len(modern) == 2 and len(e.suites) < _FEW


_FEW = 100
