"""Puts questions on the wire, keeps every exchange, and never outruns the peer's patience.

What the exchanges mean is `knowledge`'s affair; what to ask next `questions`'. This module decides
only when: how many at once, how far apart, and when to stop.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum

from tlscheck.model import Place, Reason, State
from tlscheck.net import Net, NetError, Stream, now
from tlscheck.observations.exchange import End, Exchange, Outcome
from tlscheck.observations.knowledge import GROUP, Knowledge
from tlscheck.observations.refusals import hybrids
from tlscheck.probes.asker import LADDER, Asker, Question
from tlscheck.probes.questions import first, plan
from tlscheck.wire.answer import FlightReader
from tlscheck.wire.hello import ClientHello, Content, Extension, record
from tlscheck.wire.registry import GROUP_BY_CODE, Version
from tlscheck.wire.shares import share

_log = logging.getLogger(__name__)

BACK_OFFS = (1.0, 3.0, 6.0)
"""Seconds to wait before each canary once one failed; then the address counts as banned."""
_BREATH = 1.0
"""Seconds before the first canary after any trouble: many limits count connections by the second,
and one that fails slows the rest of the look down."""
_CCS_PATIENCE = 1.0
"""Seconds of silence after an early ChangeCipherSpec before a second record is sent."""

Preamble = Callable[[Stream], Awaitable[None]]
"""What is said in clear before TLS begins (STARTTLS). NetError: preamble."""


class Stop(StrEnum):
    """Why the engine asked no more."""

    DONE = "done"
    BANNED = "banned"
    BUDGET = "budget"
    MUTE = "mute"
    """Nothing at all was answered."""


@dataclass
class Engine:
    """One look at one endpoint by hellos."""

    net: Net
    place: Place
    preamble: Preamble | None = None
    tell: Callable[[str, int], None] = lambda about, connections: None
    """Called with what is being asked and the connections spent."""
    heard: Callable[[Knowledge], None] = lambda known: None
    """Called with what is known after each round."""
    before_last: Callable[[], Awaitable[None]] | None = None
    """Awaited before the closing questions, whose answers vouch for what others did meanwhile."""
    exchanges: list[Exchange] = field(default_factory=list)
    shape: str = LADDER[0].name
    _known: Knowledge | None = None
    failure: NetError | None = None
    """The last trouble that was not TLS: no connection, no greeting."""

    async def run(self) -> Stop:
        """Ask until all is settled, the budget is spent or the peer shuts us out."""
        loop = asyncio.get_running_loop()
        until = loop.time() + self.net.budget
        ask = Asker(self.place.sni, os.urandom)
        try:
            async with asyncio.timeout_at(until):
                if not await self._begin(ask):
                    return Stop.MUTE
                ask = await self._settle_shape(ask)
                if any(_trouble(e) for e in self.exchanges) and not await self._recover():
                    return Stop.BANNED
                await self.net.lane(self.place.address).widen()
                self.heard(self.known)
                return await self._ask_all(ask)
        except TimeoutError:
            return Stop.BUDGET

    async def is_healthy(self, since: datetime) -> bool:
        """Whether the peer answered us after *since*; a canary is asked where none did."""
        if any(e.outcome is Outcome.ANSWERED and e.at > since for e in self.exchanges):
            return True
        canary = self.known.canary
        if canary is None:
            return False
        await self._put([Asker(self.place.sni, os.urandom).again(canary)])
        return self.exchanges[-1].outcome is Outcome.ANSWERED

    @property
    def known(self) -> Knowledge:
        """What the exchanges so far prove."""
        if self._known is None or len(self._known.exchanges) != len(self.exchanges):
            self._known = Knowledge(self.exchanges)
        return self._known

    async def _begin(self, ask: Asker) -> bool:
        """The first questions; whether anything was answered."""
        await self._put(plan(self.known, ask).questions)
        if self.known.answered:
            return True
        if all(e.outcome is Outcome.UNCONNECTED for e in self.exchanges):
            return False
        # Nothing yet: TLS 1.3 alone, TLS 1.1 at most, SSL 2.0, then simpler shapes.
        await self._put(plan(self.known, ask).questions)
        for shape in LADDER[1:]:
            if self.known.answered:
                return True
            simple = replace(ask, shape=shape)
            await self._put([first(version, simple) for version in _TRIED])
        return bool(self.known.answered)

    async def _settle_shape(self, ask: Asker) -> Asker:
        """The largest shape of hello that the peer reacts to like a TLS server.

        A full hello that is refused by alert where a plain one is answered, or that meets no TLS
        at all, shows a peer that chokes on it, or a filter before it.
        """
        full = next((e for e in self.known.own if e.most is Version.TLS_1_2), None)
        if full is None or full.outcome is Outcome.ANSWERED:
            return ask
        _, short, plain = (replace(ask, shape=shape) for shape in LADDER)
        if full.outcome is Outcome.REFUSED:
            if (await self._first(plain)).outcome is not Outcome.ANSWERED:
                return ask
            good = frozenset((Outcome.ANSWERED,))
        else:
            good = frozenset((Outcome.ANSWERED, Outcome.REFUSED))
        chosen = short if (await self._first(short)).outcome in good else plain
        self.shape = chosen.shape.name
        return chosen

    async def _first(self, ask: Asker) -> Exchange:
        await self._put([first(Version.TLS_1_2, ask)])
        return self.exchanges[-1]

    async def _ask_all(self, ask: Asker) -> Stop:
        lane = self.net.lane(self.place.address)
        while True:
            before = len(self.exchanges)
            ask = replace(
                ask, shares=ask.shares or self._needs_shares(), hybrids=self._takes_hybrids()
            )
            todo = plan(self.known, ask)
            if not todo.questions:
                return Stop.DONE
            if todo.last and self.before_last:
                await self.before_last()
            if todo.alone:
                healthy = await self._alone(todo.questions[0])
            else:
                # What finds no room is not asked yet: the answers may make it needless.
                await self._put(todo.questions[: None if lane.gap else lane.room])
                healthy = await self._stay_healthy(self.exchanges[before:])
            if not healthy:
                return Stop.BANNED
            await lane.widen()
            self.heard(self.known)
            await asyncio.sleep(0)  # who waited for these answers takes a place first

    def _needs_shares(self) -> bool:
        """Whether an empty key_share is refused where a real one is answered (tlslite-ng)."""
        good = set(self.known.accepted(Version.TLS_1_3, GROUP))
        modern = [e for e in self.exchanges if e.most is Version.TLS_1_3 and good & set(e.groups)]
        empty = [e for e in modern if not e.hello.shares]
        return (
            bool(empty)
            and self.known.version(Version.TLS_1_3) is State.ACCEPTED
            and all(e.outcome is not Outcome.ANSWERED for e in empty)
        )

    def _takes_hybrids(self) -> bool:
        """Whether hellos with post-quantum groups get through, as far as is known."""
        modern = [e for e in self.exchanges if e.most is Version.TLS_1_3 or e.most is None]
        long = [e for e in modern if hybrids(e)]
        through = any(e.outcome in (Outcome.ANSWERED, Outcome.REFUSED) for e in long)
        return through or not any(e.outcome is Outcome.ANSWERED for e in modern)

    # -- health -----------------------------------------------------------------------------------

    async def _stay_healthy(self, fresh: list[Exchange]) -> bool:
        """After any trouble: ask a canary, more and more slowly. False: we are shut out."""
        known, lane = self.known, self.net.lane(self.place.address)
        # An alert of any kind comes from a server that has read the hello, not from a limit:
        # OpenSSL says internal_error where its security level leaves a version without suites.
        if known.healthy and not any(_trouble(e) for e in fresh if e.outcome is not Outcome.ALERT):
            return True
        if not lane.gap or not known.healthy:
            lane.slow_down()
        return await self._recover()

    async def _recover(self) -> bool:
        canary = self.known.canary
        if canary is None:
            return False
        ask = Asker(self.place.sni, os.urandom)
        for wait in (_BREATH, *BACK_OFFS):
            await asyncio.sleep(wait)
            await self._put([ask.again(canary)])
            if self.exchanges[-1].outcome is Outcome.ANSWERED:
                return True
            self.net.lane(self.place.address).slow_down()
        return False

    async def _alone(self, question: Question) -> bool:
        """One question with room before it and a canary close behind it."""
        lane = self.net.lane(self.place.address)
        await asyncio.sleep(max(1.0, 2.5 * lane.gap))
        await self._put([question])
        canary = self.known.canary
        if canary is None:
            return False
        await self._put([Asker(self.place.sni, os.urandom).again(canary)])
        if self.exchanges[-1].outcome is Outcome.ANSWERED:
            return True
        lane.slow_down()
        return await self._recover()

    # -- the wire ---------------------------------------------------------------------------------

    async def _put(self, questions: list[Question] | tuple[Question, ...]) -> None:
        await asyncio.gather(*(self._exchange(question) for question in questions))
        self.exchanges.sort(key=lambda e: e.at)

    async def _exchange(self, question: Question) -> None:
        """One connection for one question; whatever happens, an exchange is kept."""
        sent, reader = question.hello.records(), FlightReader()
        received = bytearray()
        end, started = End.UNCONNECTED, None
        try:
            async with self.net.dial(self.place) as stream:
                started = now()
                self.tell(question.about, self.net.spent(self.place))
                if self.preamble:
                    await self.preamble(stream)
                end = End.RESET
                await stream.write(sent)
                end = await _listen(stream, reader, received)
                if question.retry and reader.paused and end is End.ENOUGH:
                    second = _second(question.hello, reader)
                    if second:
                        sent += second
                        await stream.write(second)
                        end = await _listen(stream, reader, received, paused=False)
                if question.early_ccs and reader.flight.done:
                    sent, end = await _early_ccs(stream, reader, received, sent)
        except NetError as error:
            self.failure = error
            if end is not End.UNCONNECTED:
                end = End.TIMEOUT if error.reason is Reason.TIMEOUT else End.RESET
        finally:
            if started is None:
                started = now()
            took = (now() - started).total_seconds()
            self.exchanges.append(Exchange(started, took, sent, bytes(received), end))


_TRIED = (Version.TLS_1_2, Version.TLS_1_0)


def _trouble(e: Exchange) -> bool:
    """Whether an exchange may have met a limit or a fault rather than an answer."""
    return not e.is_ssl2 and e.outcome not in (Outcome.ANSWERED, Outcome.REFUSED, Outcome.FALLBACK)


async def _listen(
    stream: Stream, reader: FlightReader, received: bytearray, *, paused: bool = True
) -> End:
    """Read until the flight is complete or, with *paused*, waits for a second hello."""
    while not reader.complete and not (paused and reader.paused):
        try:
            data = await stream.read()
        except NetError as error:
            return End.TIMEOUT if error.reason is Reason.TIMEOUT else End.RESET
        if not data:
            return End.CLOSED
        received += data
        reader.feed(data)
    return End.ENOUGH


def _second(hello: object, reader: FlightReader) -> bytes:
    """The second hello that the HelloRetryRequest asks for, empty where we have no share."""
    retry = reader.flight.retry
    if not isinstance(hello, ClientHello) or retry is None or retry.group is None:
        return b""
    group = GROUP_BY_CODE.get(retry.group)
    try:
        key = share(group) if group else b""
    except KeyError:
        return b""
    cookie = retry.extensions.get(Extension.COOKIE)
    ccs = record(Content.CHANGE_CIPHER_SPEC, b"\x01")
    return ccs + hello.answering(retry.group, key, cookie).records() if key else b""


async def _early_ccs(
    stream: Stream, reader: FlightReader, received: bytearray, sent: bytes
) -> tuple[bytes, End]:
    """Send a ChangeCipherSpec before its time, and a record after it where silence follows.

    A sound server objects at once. One that swallows it waits, and then finds the second record
    undecipherable (CVE-2014-0224).
    """
    version = reader.flight.hello.version if reader.flight.hello else 0x0303
    end = End.ENOUGH
    for payload in (
        record(Content.CHANGE_CIPHER_SPEC, b"\x01", version),
        record(Content.HANDSHAKE, b"\x10" * 48, version),
    ):
        await stream.write(payload)
        sent += payload
        try:
            data = await stream.read(timeout=_CCS_PATIENCE)
        except NetError as error:
            if error.reason is not Reason.TIMEOUT:
                return sent, End.RESET
            end = End.TIMEOUT
            continue
        received += data
        reader.feed(data)
        return sent, End.ENOUGH if data else End.CLOSED
    return sent, end
