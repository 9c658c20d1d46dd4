"""One endpoint's look over TLS: hellos, then a live handshake, then what only sslyze can tell."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path

from tlscheck.model import Missed, Place, Reason, State
from tlscheck.net import Net, NetError, now
from tlscheck.observations.certificate import (
    CertificateObservation,
    Presented,
    key_types,
    presented,
)
from tlscheck.observations.exchange import Exchange, Outcome
from tlscheck.observations.fold import fold
from tlscheck.observations.http import HttpObservation
from tlscheck.observations.knowledge import SUITE, Knowledge
from tlscheck.observations.tls import ClientCertificate, Demand, TlsObservation
from tlscheck.probes import deep, http, live
from tlscheck.probes.engine import Engine, Preamble, Stop
from tlscheck.probes.questions import CLASSIC
from tlscheck.text import _N
from tlscheck.wire.registry import Version

_HEAD_START = 14
"""So many hellos come before the live handshake, while few connections may be open at once."""
_PATIENCE = 4.0
"""Seconds that the closing canaries wait for the child."""

Certify = Callable[
    [Sequence[Presented], Collection[str], float | None],
    Awaitable[CertificateObservation | Missed],
]
"""Chains seen, key types known and the clock's skew -> what the certificates are worth."""


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
    certify: Certify | None = None
    """Checks the chains as soon as some were seen."""
    tell: Callable[[str, int], None] = lambda about, connections: None


@dataclass
class TlsLook:
    """What one look over TLS gave."""

    tls: TlsObservation | None = None
    http: HttpObservation | Missed | None = None
    certificate: CertificateObservation | Missed | None = None
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

    async def nameless(self) -> None:
        """One handshake without server name, for the certificate that it gets."""
        with contextlib.suppress(NetError):
            async with live.handshake(
                self.net, self.place, sni=False, preamble=self.means.preamble
            ) as talk:
                self.presented.append(talk.presented)

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


@dataclass
class _Stages:
    """When the parts of a look may begin."""

    answered: asyncio.Event = field(default_factory=asyncio.Event)
    """Something was answered in TLS: the live handshake may begin."""
    settled: asyncio.Event = field(default_factory=asyncio.Event)
    """Versions and their older suites are settled: the child can be told what applies."""
    shaken: asyncio.Event = field(default_factory=asyncio.Event)
    """The live handshake is over: what is demanded of clients is known."""
    told: asyncio.Event = field(default_factory=asyncio.Event)
    """The child has said what it has to say."""

    async def child(self) -> None:
        """Wait a moment for the child, if it has begun: the closing canaries then count for it."""
        if self.settled.is_set():
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self.told.wait(), _PATIENCE)

    def hear(self, known: Knowledge) -> None:
        """Take note of what is known after a round."""
        if known.answered and len(known.exchanges) >= _HEAD_START:
            self.answered.set()
        # SSL 2.0 is settled late, and the child does not ask about it.
        states = {v: known.version(v) for v in (*CLASSIC, Version.TLS_1_3)}
        classic = [v for v in CLASSIC if states[v] is State.ACCEPTED]
        if State.UNKNOWN not in states.values() and not any(
            known.pending(v, SUITE) for v in classic
        ):
            self.settled.set()

    def end(self) -> None:
        """Nothing more will come."""
        self.answered.set()
        self.settled.set()


async def probe(net: Net, place: Place, means: Means) -> TlsLook:
    """All that can be told of *place* over TLS, HTTP included.

    Hellos, the live handshake and the child overlap; what the child denies counts only if the
    peer answered us after it.
    """
    at, stages = now(), _Stages()
    engine = Engine(net, place, means.preamble, means.tell, stages.hear, stages.child)
    look, hands = TlsLook(exchanges=engine.exchanges), _Handshakes(net, place, means)

    async def ask() -> Stop:
        try:
            return await engine.run()
        finally:
            stages.end()

    async def shake() -> None:
        await stages.answered.wait()
        try:
            if engine.known.answered:
                look.http = await _http(net, place, means, hands)
        finally:
            stages.shaken.set()
        shown = [*presented(engine.exchanges), *hands.presented]
        if means.certify and any(s.chain for s in shown):
            look.presented = shown
            look.certificate = await means.certify(shown, (), _skew(look.http))

    async with contextlib.AsyncExitStack() as stack:
        child = await _warm(stack)
        asking = asyncio.create_task(ask())
        try:
            _, stop, found = await asyncio.gather(
                shake(),
                asking,
                _deep(net, place, means, engine, stages, asking, child, look, hands),
            )
        finally:
            asking.cancel()
    if not engine.known.answered:
        look.missed.append(Missed("tls", *_nothing(engine)))
        return look
    seen = fold(engine.exchanges, at, engine.shape)
    if place.sni and not any(v for v in seen.suites if v is not Version.TLS_1_3):
        await hands.nameless()  # TLS 1.3 hides the certificate from our hellos
    await _certify(look, [*presented(engine.exchanges), *hands.presented], means, seen)
    if stop in (Stop.BANNED, Stop.BUDGET):
        reason = Reason.BANNED if stop is Stop.BANNED else Reason.BUDGET
        look.missed.append(Missed("tls.hellos", reason))
        seen = replace(seen, cut_short=True)
        if stop is Stop.BANNED and isinstance(look.http, Missed):
            look.http = replace(look.http, reason=Reason.BANNED)
    deep_look = replace(found.deep, others=len(means.others)) if found else None
    look.missed += found.missed if found else ()
    if means.cross_check and deep_look:
        checked = await deep.cross_check(net, place, seen, identity=means.identity_files)
        deep_look = replace(deep_look, disagreements=checked.disagreements)
        look.missed += checked.missed
    demand = _merged(seen, hands.demand(look.http))
    look.tls = replace(
        seen,
        deep=deep_look,
        client_certificate=demand,
        ticket_lifetimes=found.ticket_lifetimes if found else {},
    )
    return look


async def _certify(
    look: TlsLook, shown: list[Presented], means: Means, seen: TlsObservation
) -> None:
    """Check the chains again if others have come to light since they were first checked."""
    have = {s.chain for s in look.presented}
    kinds = key_types(seen)
    known = isinstance(look.certificate, CertificateObservation) and kinds <= {
        chain.leaf.key for chain in look.certificate.chains
    }
    look.presented = shown
    if means.certify and not (known and {s.chain for s in shown} <= have):
        look.certificate = await means.certify(shown, kinds, _skew(look.http))
    if isinstance(look.certificate, CertificateObservation) and _unsettled(seen):
        look.certificate = replace(look.certificate, maybe_more=True)


def _unsettled(seen: TlsObservation) -> bool:
    """Whether a suite or scheme is open that would need a certificate of another kind of key."""
    return State.UNKNOWN in seen.versions.values() or any(
        names.suites or names.schemes for names in seen.unknown.values()
    )


def _skew(page: HttpObservation | Missed | None) -> float | None:
    """Seconds by which our clock is ahead of the server's."""
    if isinstance(page, HttpObservation) and page.clock_skew is not None:
        return -float(page.clock_skew)
    return None


async def _warm(stack: contextlib.AsyncExitStack) -> deep.Child | None:
    try:
        return await stack.enter_async_context(deep.warm())
    except OSError:
        return None


async def _deep(
    net: Net,
    place: Place,
    means: Means,
    engine: Engine,
    stages: _Stages,
    asking: asyncio.Task[Stop],
    child: deep.Child | None,
    look: TlsLook,
    hands: _Handshakes,
) -> deep.DeepLook | None:
    """What the child says, once it is known what applies."""
    await stages.settled.wait()
    if not engine.known.answered:
        return None
    if net.lane(place.address).gap:
        await asyncio.wait([asking])  # the peer limits us: one thing after the other
    if asking.done() and asking.result() is Stop.BANNED:
        return None
    ended: list[datetime] = []

    async def canary() -> bool:
        ended.append(now())
        stages.told.set()
        await asyncio.wait([asking])
        return await engine.is_healthy(ended[0])

    means.tell("sslyze", net.spent(place))
    await stages.shaken.wait()
    if asking.done() and asking.result() is Stop.BUDGET:
        return None
    seen = fold(engine.exchanges, now(), engine.shape)
    seen = replace(seen, client_certificate=_merged(seen, hands.demand(look.http)))
    asked = deep.questions(place, seen, identity=means.identity_files, other_places=means.others)
    try:
        return await deep.look(net, asked, canary=canary, child=child)
    finally:
        stages.told.set()


async def _http(
    net: Net, place: Place, means: Means, hands: _Handshakes
) -> HttpObservation | Missed:
    if place.service == "https":
        return await http.probe(net, place, hands.dial, plain_port=means.plain_port)
    with contextlib.suppress(NetError):
        async with hands.dial():
            pass
    return Missed("http", Reason.NOT_APPLICABLE, "the service is not the web")


def _merged(seen: TlsObservation, demand: ClientCertificate | None) -> ClientCertificate:
    """The demand for a certificate, by the live handshake and by the hellos.

    A server may ask in TLS 1.2 and not in 1.3, or the other way round; the weaker demand counts.
    """
    in_hello = seen.client_certificate
    if demand is None:
        return ClientCertificate()
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
            return reason, _N("no hello was answered")
    return Reason.HANDSHAKE, _N("every hello was refused by an alert")


async def shake(net: Net, place: Place, means: Means) -> TlsLook:
    """The live handshake and HTTP alone, without any hello of ours."""
    look, hands = TlsLook(), _Handshakes(net, place, means)
    look.http = await _http(net, place, means, hands)
    look.presented = hands.presented
    if means.certify:
        look.certificate = await means.certify(look.presented, (), _skew(look.http))
    return look
