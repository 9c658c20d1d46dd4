"""One endpoint's look over TLS: hellos, then a live handshake, then what only sslyze can tell."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

from tlscheck.model import Missed, Place, Reason, State
from tlscheck.net import Net, NetError, now
from tlscheck.observations.certificate import Presented, presented
from tlscheck.observations.exchange import Exchange, Outcome
from tlscheck.observations.fold import fold
from tlscheck.observations.http import HttpObservation
from tlscheck.observations.tls import ClientCertificate, Demand, TlsObservation
from tlscheck.probes import deep, http, live
from tlscheck.probes.engine import Engine, Preamble, Stop
from tlscheck.wire.registry import Version


@dataclass(frozen=True, slots=True)
class Means:
    """What a look may use besides the network."""

    identity: live.Identity | None = None
    identity_files: tuple[Path, Path] | None = None
    """The same identity's certificate and key, for the child."""
    preamble: Preamble | None = None
    others: tuple[Place, ...] = ()
    """The target's own other names and addresses."""
    cross_check: bool = False
    plain_port: int | None = 80
    tell: Callable[[str, int], None] = lambda about, connections: None


@dataclass
class TlsLook:
    """What one look over TLS gave."""

    tls: TlsObservation | None = None
    http: HttpObservation | Missed | None = None
    presented: list[Presented] = field(default_factory=list)
    """Every chain seen, for the certificate probe."""
    missed: list[Missed] = field(default_factory=list)
    exchanges: list[Exchange] = field(default_factory=list)


@dataclass
class _Handshakes:
    """The live handshakes of one endpoint, and what they showed of the demand for a certificate."""

    net: Net
    place: Place
    means: Means
    presented: list[Presented] = field(default_factory=list)
    authorities: tuple[str, ...] = ()
    requested: bool = False
    required: bool = False
    done: int = 0

    @contextlib.asynccontextmanager
    async def dial(self) -> AsyncIterator[live.Live]:
        """One more handshake, kept."""
        try:
            async with live.handshake(
                self.net,
                self.place,
                client_identity=self.means.identity,
                preamble=self.means.preamble,
            ) as talk:
                self.done += 1
                self.presented.append(talk.presented)
                self.authorities = self.authorities or talk.authorities
                try:
                    yield talk
                finally:
                    self.requested = self.requested or talk.requested
        except live.Refused as refused:
            self.requested = self.requested or refused.requested
            self.required = self.required or refused.reason is Reason.CLIENT_CERTIFICATE
            raise

    def demand(self, seen: HttpObservation | Missed | None) -> ClientCertificate | None:
        """What is asked of the client; ``None`` where no handshake came to an end."""
        demand = Demand.NONE
        if self.required:
            demand = Demand.REQUIRED
        elif not self.done:
            return None
        elif isinstance(seen, HttpObservation) and seen.certificate_refused:
            demand = Demand.REQUIRED_HTTP
        elif self.requested:
            demand = Demand.REQUESTED if self.means.identity is None else Demand.UNKNOWN
        return ClientCertificate(demand, self.authorities)


async def probe(net: Net, place: Place, means: Means) -> TlsLook:
    """All that can be told of *place* over TLS, HTTP included.

    The child starts while the hellos are asked; the live handshake comes after it and so is its
    closing canary.
    """
    at, look = now(), TlsLook()
    engine = Engine(net, place, means.preamble, means.tell)
    async with contextlib.AsyncExitStack() as stack:
        child = await _warm(stack)
        try:
            stop = await engine.run()
            look.exchanges = engine.exchanges
            if not engine.known.answered and not any(
                e.outcome is Outcome.ANSWERED for e in engine.exchanges
            ):
                reason, detail = _nothing(engine)
                look.missed = [Missed("tls", reason, detail)]
                return look
            seen = fold(engine.exchanges, at, engine.shape)
            look.presented = list(presented(engine.exchanges))
            if stop in (Stop.BANNED, Stop.BUDGET):
                reason = Reason.BANNED if stop is Stop.BANNED else Reason.BUDGET
                look.missed.append(Missed("tls.hellos", reason))
                seen, look.tls = seen, seen
                if stop is Stop.BANNED:
                    look.http = Missed("http", Reason.BANNED)
                    return look
            look.tls = await _beyond_hellos(net, place, means, seen, look, child)
        finally:
            if look.tls is None and not look.missed:
                look.missed.append(Missed("tls", Reason.BUG))
    return look


async def _warm(stack: contextlib.AsyncExitStack) -> deep.Child | None:
    try:
        return await stack.enter_async_context(deep.warm())
    except OSError:
        return None


async def _beyond_hellos(
    net: Net,
    place: Place,
    means: Means,
    seen: TlsObservation,
    look: TlsLook,
    child: deep.Child | None,
) -> TlsObservation:
    hands = _Handshakes(net, place, means)
    http_look = asyncio.Lock()

    async def handshake() -> bool:
        """The live handshake, once; whether the server was there for it."""
        async with http_look:
            if look.http is None:
                means.tell("HTTP", net.spent(place))
                look.http = await _http(net, place, means, hands)
        return bool(hands.done or hands.required)

    means.tell("sslyze", net.spent(place))
    asked = deep.questions(place, seen, identity=means.identity_files, other_places=means.others)
    found = await deep.look(net, asked, canary=handshake, child=child)
    await handshake()
    look.missed += found.missed
    look.presented += hands.presented
    result = replace(found.deep, others=len(means.others))
    if means.cross_check:
        checked = await deep.cross_check(net, place, seen, identity=means.identity_files)
        result = replace(result, disagreements=checked.disagreements)
        look.missed += checked.missed
    return replace(
        seen,
        deep=result,
        client_certificate=_merged(seen, hands.demand(look.http)),
    )


async def _http(
    net: Net, place: Place, means: Means, hands: _Handshakes
) -> HttpObservation | Missed:
    if place.service == "https":
        return await http.probe(net, place, hands.dial, plain_port=means.plain_port)
    with contextlib.suppress(NetError):
        async with hands.dial():
            pass
    return Missed("http", Reason.NOT_APPLICABLE, f"the service is {place.service}")


def _merged(seen: TlsObservation, demand: ClientCertificate | None) -> ClientCertificate:
    """The demand for a certificate, by the live handshake and by the hellos.

    A server may ask in TLS 1.2 and not in 1.3, or the other way round; the weaker demand counts.
    """
    in_hello = seen.client_certificate
    if demand is None:
        return in_hello if in_hello.demand is Demand.NONE else ClientCertificate()
    asks = demand.demand in (Demand.REQUESTED, Demand.REQUIRED, Demand.REQUIRED_HTTP)
    if asks and in_hello.demand is Demand.NONE and _classic(seen):
        return replace(demand, demand=Demand.REQUESTED)
    return demand


def _classic(seen: TlsObservation) -> bool:
    return any(
        state is State.ACCEPTED and version is not Version.TLS_1_3
        for version, state in seen.versions.items()
    )


def _nothing(engine: Engine) -> tuple[Reason, str]:
    """Why nothing was answered."""
    if engine.failure and all(e.outcome is Outcome.UNCONNECTED for e in engine.exchanges):
        return engine.failure.reason, engine.failure.detail
    if engine.failure and engine.failure.reason is Reason.PREAMBLE:
        return engine.failure.reason, engine.failure.detail
    junk = next((e.flight.junk for e in engine.exchanges if e.flight.junk), "")
    if junk:
        return Reason.NOT_TLS, junk
    outcomes = {e.outcome for e in engine.exchanges if not e.is_ssl2}
    for outcome, reason in (
        (Outcome.SILENT, Reason.TIMEOUT),
        (Outcome.RESET, Reason.RESET),
        (Outcome.CLOSED, Reason.CLOSED),
        (Outcome.UNCONNECTED, Reason.UNREACHABLE),
    ):
        if outcome in outcomes:
            return reason, "no hello was answered"
    alerts = sorted({e.flight.fatal for e in engine.exchanges if e.flight.fatal is not None})
    return Reason.HANDSHAKE, "every hello was refused: alert " + ", ".join(map(str, alerts))


async def shake(net: Net, place: Place, means: Means) -> TlsLook:
    """The live handshake and HTTP alone, without any hello of ours."""
    look, hands = TlsLook(), _Handshakes(net, place, means)
    look.http = await _http(net, place, means, hands)
    look.presented = hands.presented
    return look
