"""Asking STUN and TURN servers over UDP, TCP, TLS and DTLS, as a stranger without credentials.

A relay that is granted to us is given back at once, and nothing is ever sent through it.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Protocol

from tlscheck.model import Missed, Place, Reason, State
from tlscheck.net import Net, NetError, now
from tlscheck.observations.turn import (
    Allocation,
    Dtls,
    Talk,
    Transport,
    TurnObservation,
    allocation_state,
)
from tlscheck.probes import dtls, dtls_live, live
from tlscheck.probes.datagrams import connected
from tlscheck.wire import stun
from tlscheck.wire.codec import DecodeError
from tlscheck.wire.dtls import DtlsVersion
from tlscheck.wire.stun import Answer, Method, Relay, Request

SUBJECT = "turn"
FIRST, SECOND = 1.0, 1.5
"""Seconds for the answer to a datagram, and to its one repetition."""
PATIENCE = 2.5
"""Seconds for an answer over a stream, which repeats by itself."""
SECONDS = 10.0
"""For one conversation."""
_MOST_STRAY = 16
"""Messages that answer something else, after which a stream is given up."""
_GONE = 437
"""There is no allocation (any more)."""
_STREAMS = frozenset((Transport.TCP, Transport.TLS))
_SPEAKS_OTHERWISE = frozenset(
    (Reason.CLOSED, Reason.RESET, Reason.MALFORMED, Reason.NOT_TLS, Reason.HANDSHAKE)
)
"""What shows that something else than STUN listens at a stream's port."""


async def probe(
    net: Net,
    address: str,
    port: int,
    service: str,
    *,
    host: str = "",
    sni: str | None = None,
    at: datetime | None = None,
    hellos: bool = True,
) -> TurnObservation | Missed:
    """What the server at *address* answers over every transport, whatever *service* promises.

    *sni* is the name to ask for in TLS and DTLS. Without *hellos* DTLS versions and suites are not
    asked.
    """
    at = at or now()
    place = Place(host or address, port, service, address, sni)
    talks = await asyncio.gather(*(_converse(net, place, each) for each in Transport))
    talks = await _settled(net, place, talks)
    found = await dtls.look(net, place) if hellos else None
    if found and _is_closed(talks, found):
        found = replace(
            found, answers=State.REFUSED, versions=dict.fromkeys(DtlsVersion, State.REFUSED)
        )
    if all(talk.stun is not State.ACCEPTED for talk in talks) and not (
        found and found.answers is State.ACCEPTED
    ):
        return _missed(talks)
    return TurnObservation(at=at, service=service, address=address, talks=tuple(talks), dtls=found)


def _is_closed(talks: Sequence[Talk], found: Dtls) -> bool:
    refused = any(t.transport is Transport.DTLS and t.stun is State.REFUSED for t in talks)
    return refused and found.detail == Reason.CONNECTION_REFUSED


def _missed(talks: Sequence[Talk]) -> Missed:
    reasons = [Reason(talk.detail) for talk in talks if talk.detail]
    reason = Reason.TIMEOUT if Reason.TIMEOUT in reasons else reasons[0]
    detail = ", ".join(f"{talk.transport}: {talk.detail}" for talk in talks)
    return Missed(SUBJECT, reason, detail)


# ---- channels --------------------------------------------------------------------------------


class Channel(Protocol):
    """One way to the server."""

    async def ask(self, request: Request) -> Answer:
        """The answer to *request*. NetError."""

    def tell(self, request: Request) -> None:
        """Send *request* and do not wait, where that is possible."""


class Packets(Protocol):
    """What `Datagrams` and `Secured` have in common."""

    def send(self, data: bytes) -> None:
        """Send one datagram."""

    async def receive(self, timeout: float) -> bytes:
        """The next datagram. NetError."""


@dataclass
class _ByDatagrams:
    """A message a datagram; what is lost is sent once more (RFC 8489, section 6.2.1)."""

    packets: Packets

    async def ask(self, request: Request) -> Answer:
        loop = asyncio.get_running_loop()
        for wait in (FIRST, SECOND):
            self.packets.send(request.encode())
            until = loop.time() + wait
            with _until_timeout():
                while True:
                    data = await self.packets.receive(until - loop.time())
                    # What cannot be read, or answers something else, may be somebody else's.
                    with contextlib.suppress(DecodeError):
                        if (answer := Answer.parse(data)).answers(request):
                            return answer
        raise NetError(Reason.TIMEOUT)

    def tell(self, request: Request) -> None:
        with contextlib.suppress(NetError):
            self.packets.send(request.encode())


@contextlib.contextmanager
def _until_timeout() -> Iterator[None]:
    try:
        yield
    except NetError as error:
        if error.reason is not Reason.TIMEOUT:
            raise


@dataclass
class _ByStream:
    """Messages one after another."""

    write: Callable[[bytes], Awaitable[None]]
    read: Callable[[], Awaitable[bytes]]
    _came: bytes = b""

    async def ask(self, request: Request) -> Answer:
        try:
            async with asyncio.timeout(PATIENCE):
                await self.write(request.encode())
                for _ in range(_MOST_STRAY):
                    answer = Answer.parse(await self._message())
                    if answer.answers(request):
                        return answer
        except TimeoutError:
            raise NetError(Reason.TIMEOUT) from None
        except DecodeError as error:
            raise NetError(Reason.MALFORMED, str(error)) from None
        raise NetError(Reason.MALFORMED, "answers to what was not asked")

    def tell(self, request: Request) -> None:
        """Nothing: the connection ends here, and what was granted to it with it."""

    async def _message(self) -> bytes:
        while (size := stun.size_of(self._came)) is None or len(self._came) < size:
            data = await self.read()
            if not data:
                raise NetError(Reason.CLOSED)
            self._came += data
        message, self._came = self._came[:size], self._came[size:]
        return message


@contextlib.asynccontextmanager
async def _channel(net: Net, place: Place, transport: Transport) -> AsyncIterator[Channel]:
    """A way to *place*. NetError."""
    match transport:
        case Transport.UDP:
            async with connected(net, place, SECONDS) as socket:
                yield _ByDatagrams(socket)
        case Transport.DTLS:
            async with dtls_live.handshake(net, place, SECONDS) as secured:
                yield _ByDatagrams(secured)
        case Transport.TCP:
            async with net.dial(place, SECONDS) as stream:
                yield _ByStream(stream.write, stream.read)
        case Transport.TLS:
            async with live.handshake(net, place, alpn=(), timeout=SECONDS) as talk:
                yield _ByStream(talk.send, talk.receive)


# ---- conversations ---------------------------------------------------------------------------


async def _converse(net: Net, place: Place, transport: Transport, *, binding: bool = True) -> Talk:
    """What *place* says over *transport*: to a *binding*, then to an Allocate of each kind."""
    talk = Talk(transport)
    try:
        async with _channel(net, place, transport) as channel:
            # A server may answer nothing but what concerns relays (coturn's no-stun).
            with _until_timeout():
                if binding:
                    talk = _heard(talk, await channel.ask(_request(Method.BINDING)))
            talk = await _allocate(channel, talk, Relay.UDP)
    except NetError as error:
        if talk.stun is not State.ACCEPTED:
            return replace(talk, detail=error.reason)
    if transport not in _STREAMS:
        return talk
    try:  # such relays are for clients on streams (RFC 6062, section 4.1)
        async with _channel(net, place, transport) as channel:
            return await _allocate(channel, talk, Relay.TCP)
    except NetError as error:
        lost = Allocation("tcp", detail=error.reason)
        return replace(talk, allocations=(*talk.allocations, lost))


async def _allocate(channel: Channel, talk: Talk, relay: Relay) -> Talk:
    """Ask for a relay, and give it back if there is one. NetError: but no answer is one too."""
    made = Allocation(relay.name.lower())
    maybe_held = True
    try:
        answer = await channel.ask(_request(Method.ALLOCATE, relay=relay))
        talk = _heard(talk, answer)
        if not answer.success:
            maybe_held = False
            made = replace(made, state=allocation_state(answer.error), error=answer.error)
        elif answer.relayed is None:
            made = replace(made, detail=Reason.MALFORMED)
        else:
            made = replace(
                made,
                state=State.ACCEPTED,
                address=answer.relayed.host,
                lifetime=answer.lifetime,
                released=await _release(channel),
            )
            maybe_held = made.released is not State.ACCEPTED
    except NetError as error:
        if talk.stun is not State.ACCEPTED:
            raise
        made = replace(made, detail=error.reason)
    finally:
        # The answer may be lost and the relay there all the same: given back unseen.
        if maybe_held:
            channel.tell(_request(Method.REFRESH, lifetime=0))
    return replace(talk, allocations=(*talk.allocations, made))


async def _release(channel: Channel) -> State:
    """Give the relay back (RFC 8656, section 3.2), asking twice where that is not answered."""
    for _ in range(2):
        with contextlib.suppress(NetError):
            answer = await channel.ask(_request(Method.REFRESH, lifetime=0))
            gone = not answer.lifetime if answer.success else answer.error == _GONE
            return State.ACCEPTED if gone else State.REFUSED
    return State.UNKNOWN


def _request(method: Method, relay: Relay | None = None, lifetime: int | None = None) -> Request:
    return Request(method, os.urandom(12), relay, lifetime)


def _heard(talk: Talk, answer: Answer) -> Talk:
    """*talk* with what *answer* tells of the server."""
    own = [where.host for where in (answer.origin, answer.other) if where]
    return replace(
        talk,
        stun=State.ACCEPTED,
        software=talk.software or answer.software,
        realm=talk.realm or answer.realm,
        nonce_length=talk.nonce_length if answer.nonce_length is None else answer.nonce_length,
        addresses=tuple(dict.fromkeys((*talk.addresses, *own))),
    )


# ---- what nobody answered --------------------------------------------------------------------


async def _settled(net: Net, place: Place, talks: Sequence[Talk]) -> list[Talk]:
    """*talks*, those refused that ended without STUN twice, while another still answered.

    And a relay is asked for at once, lest a Binding be all that was taken amiss.
    A stream that is closed is believed only beside a stream that works: a limit on connections
    closes too. Silence is nothing.
    """
    settled = []
    for talk in talks:
        if _ended(talk) and (canary := _canary(talk, talks)):
            talk = await _converse(net, place, talk.transport)
            if _ended(talk):
                ended = talk
                talk = await _converse(net, place, talk.transport, binding=False)
                if talk.stun is State.UNKNOWN and await _answers(net, place, canary):
                    talk = replace(ended, stun=State.REFUSED)
        settled.append(talk)
    return settled


def _ended(talk: Talk) -> bool:
    if talk.stun is not State.UNKNOWN:
        return False
    if talk.transport in _STREAMS and talk.detail in _SPEAKS_OTHERWISE:
        return True
    return talk.detail == Reason.CONNECTION_REFUSED


def _canary(doubtful: Talk, talks: Sequence[Talk]) -> Transport | None:
    alive = [talk.transport for talk in talks if talk.stun is State.ACCEPTED]
    alike = [t for t in alive if (t in _STREAMS) == (doubtful.transport in _STREAMS)]
    if doubtful.detail != Reason.CONNECTION_REFUSED:
        return next(iter(alike), None)
    return next(iter(alike or alive), None)


async def _answers(net: Net, place: Place, transport: Transport) -> bool:
    try:
        async with _channel(net, place, transport) as channel:
            await channel.ask(_request(Method.BINDING))
    except NetError:
        return False
    return True
