"""The look at an https endpoint's HTTP: one page, and the port for plain HTTP beside it.

Asks for ``/`` and follows redirects to the very same endpoint; contacts nothing else.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, replace
from typing import Protocol
from urllib.parse import quote, urldefrag

from tlscheck import __version__
from tlscheck.model import Missed, Place, Reason
from tlscheck.net import Net, NetError, Stream, now
from tlscheck.observations.http import (
    BrokenAnswer,
    Conversation,
    Direction,
    Hop,
    HttpObservation,
    Plain,
    PlainState,
    Response,
    direction,
    observation,
    plain_observation,
    redirect_target,
    split,
    url_host,
)
from tlscheck.observations.tls import Demand

AGENT = f"tlscheck/{__version__} (+https checklist scanner)"
MOST_REDIRECTS = 5


class Talk(Protocol):
    """A channel that is open: TLS or plain."""

    async def send(self, data: bytes) -> None:
        """Send *data* whole. NetError."""

    async def receive(self, size: int = 16384) -> bytes:
        """Bytes as they come; ``b""`` when the peer has closed. NetError."""


Dial = Callable[[], AbstractAsyncContextManager[Talk]]
"""Opens a TLS channel to the endpoint, and closes it in the end."""


async def probe(
    net: Net, place: Place, dial: Dial, *, plain_port: int | None = 80
) -> HttpObservation | Missed:
    """All about HTTP at *place*; *plain_port* is looked at as well, ``None`` for no such look."""
    at = now()
    try:
        hops = await visit(place, dial)
    except NetError as error:
        if error.reason is Reason.CLIENT_CERTIFICATE:
            return _WITHOUT_CERTIFICATE
        return Missed("http", error.reason, error.detail)
    # Not before the TLS channel is closed: the address may allow one connection at a time.
    plain = None
    if plain_port is not None and plain_port != place.port:
        plain = await look_plain(net, place, plain_port)
    # A stranger's page may take a second to read; other looks' deadlines go on meanwhile.
    return await asyncio.to_thread(observation, at, place, hops, plain)


def inapplicable(place: Place, demand: Demand, *, certificate_given: bool) -> Missed | None:
    """Why there is no HTTP to look at, if so.

    A demand that only the HTTP layer makes leaves something to see: the page's rules then stand
    aside by themselves, and the plain port is judged all the same.
    """
    if place.service != "https":
        return Missed("http", Reason.NOT_APPLICABLE, "the service is not the web")
    if demand is Demand.REQUIRED and not certificate_given:
        return _WITHOUT_CERTIFICATE
    return None


_WITHOUT_CERTIFICATE = Missed(
    "http", Reason.NOT_APPLICABLE, "a client certificate is required and none was given"
)


async def visit(place: Place, dial: Dial) -> tuple[Hop, ...]:
    """The answers to ``/`` and to the redirects that stay on the endpoint, in order.

    Asks over one connection while the server keeps it, then over another. NetError: the first
    question got no answer; malformed, too_large: no answer of HTTP.
    """
    hops: list[Hop] = []
    while _next(place, hops):
        answered = len(hops)
        try:
            async with dial() as talk:
                await _ask_along(place, talk, hops)
        except NetError:
            if not hops:
                raise
        if len(hops) == answered:  # a connection of its own was of no use
            break
    return tuple(hops)


async def look_plain(net: Net, place: Place, port: int = 80) -> Plain:
    """What *port* of the address does with plain HTTP; asked twice where it is silent."""
    there = replace(place, port=port, service="http")
    silences, reason = 0, Reason.TIMEOUT
    for _ in range(2):
        connected = False
        try:
            async with net.dial(there) as stream:
                connected = True
                response = await _exchange(_Plain(stream), Conversation(), _host(there, 80), "/")
            return plain_observation(place, port, response)
        except NetError as error:
            reason = error.reason
        if reason is Reason.CONNECTION_REFUSED:
            return Plain(PlainState.NONE, port, detail=reason)
        silences += reason is Reason.TIMEOUT and not connected
    # Silence means that nothing is there only if the endpoint itself still answers: a ban is
    # silent too.
    quiet = silences == 2 and await _reachable(net, place)
    return Plain(PlainState.NONE if quiet else PlainState.UNKNOWN, port, detail=reason)


async def _ask_along(place: Place, talk: Talk, hops: list[Hop]) -> None:
    """Add answers to *hops* as long as *talk* lasts."""
    conversation = Conversation()
    while url := _next(place, hops):
        response = await _exchange(talk, conversation, _host(place, 443), _path(url))
        hops.append(Hop(url, response, now()))
        if not conversation.reusable:
            return


def _next(place: Place, hops: list[Hop]) -> str:
    """What is to be asked after *hops*, if anything."""
    if not hops:
        return f"https://{_host(place, 443)}/"
    url, _ = urldefrag(redirect_target(hops[-1].url, hops[-1].response))
    own = bool(url) and direction(url, place) is Direction.OWN
    known = url in (hop.url for hop in hops)
    return url if own and not known and len(hops) <= MOST_REDIRECTS else ""


async def _exchange(talk: Talk, conversation: Conversation, host: str, path: str) -> Response:
    """One question and its answer, cut short where only its head came in time."""
    try:
        await talk.send(conversation.ask(host, path, AGENT))
        while True:
            response = conversation.receive(await talk.receive())
            if response is not None:
                return response
    except BrokenAnswer as broken:
        raise NetError(broken.reason) from None
    except NetError:
        if (cut := conversation.cut()) is not None:
            return cut
        raise


async def _reachable(net: Net, place: Place) -> bool:
    try:
        async with net.dial(place):
            return True
    except NetError:
        return False


def _host(place: Place, default: int) -> str:
    host = url_host(place.host)
    return host if place.port == default else f"{host}:{place.port}"


def _path(url: str) -> str:
    parts = split(url)
    assert parts is not None  # `direction` has split it before
    query = f"?{parts.query}" if parts.query else ""
    return quote(f"{parts.path or '/'}{query}", safe="/%:=&?~+!$,;'@()*[]|")


@dataclass(frozen=True, slots=True)
class _Plain:
    """A `Stream` as a `Talk`."""

    stream: Stream

    async def send(self, data: bytes) -> None:
        await self.stream.write(data)

    async def receive(self, size: int = 16384) -> bytes:
        return await self.stream.read(size)
