"""QUIC at a UDP port: which versions there are, and what the TLS 1.3 in it takes.

The versions are asked by a packet of one that nobody has; all else by handshakes, which need
aioquic. One that works is the canary: a refusal counts only between two that worked, and twice.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import datetime
from importlib.util import find_spec
from os import urandom

from tlscheck.model import Missed, Place, Reason, State
from tlscheck.net import Net, NetError, now
from tlscheck.observations.quic import (
    GROUPS,
    HTTP3,
    KEYS,
    OTHERS,
    SUITES,
    VERSIONS,
    Attempt,
    Attempts,
    Ending,
    Offer,
    QuicObservation,
    folded,
)
from tlscheck.probes.datagrams import connected
from tlscheck.wire import quic

SUBJECT = "quic"
REMEDY = "pip install 'tlscheck[quic]'"
WAITS = (1.0, 1.5)
"""Seconds for the answer to the question for versions, and to its repetitions."""
SECONDS = 4.0
"""For one handshake, in which lost packets are sent again."""
LINGER = 0.3
"""Seconds that the first handshake waits for tickets and tokens, which follow it."""
GAP = 0.05
"""Seconds between two handshakes: at most twenty a second."""
BACK_OFFS = (1.0, 3.0)
"""Seconds to wait before each further canary once one failed; then we are shut out."""
_MOST_ROUNDS = 4


async def probe(
    net: Net,
    address: str,
    port: int,
    service: str = "quic",
    *,
    host: str = "",
    sni: str | None = None,
    at: datetime | None = None,
) -> QuicObservation | Missed:
    """What *address* takes of QUIC at the UDP port *port*, where it is said to be."""
    found = await look(net, Place(host or address, port, service, address, sni), at=at)
    if found.answers is not State.ACCEPTED:
        return Missed(SUBJECT, Reason(found.detail), "no QUIC was answered at the UDP port")
    return found


async def look(
    net: Net, place: Place, *, announced: bool = False, at: datetime | None = None
) -> QuicObservation:
    """What can be known of QUIC at *place*, within the budget of a look."""
    asking = _Look(net, place)
    at = at or now()
    try:
        async with asyncio.timeout(net.budget):
            await asking.run()
    except TimeoutError:
        asking.trouble = asking.trouble or Reason.BUDGET
    return asking.told(at, announced=announced)


def without(seen: QuicObservation) -> Iterator[Missed]:
    """What could not be looked at, and why, where all it needs is to be installed."""
    if seen.detail == Reason.EXTRA:
        yield Missed("quic.handshakes", Reason.EXTRA, REMEDY)


class _Look:
    """One look at one UDP port."""

    def __init__(self, net: Net, place: Place) -> None:
        self._net = net
        self._place = place
        self._attempts = Attempts()
        self._listed: tuple[str, ...] | None = None
        self._closed = False
        self._gap = GAP
        self._next = 0.0
        self.trouble: str = ""

    async def run(self) -> None:
        """Ask all there is to ask."""
        await self._versions()
        if self._closed:
            return
        if find_spec("aioquic") is None:
            self.trouble = Reason.EXTRA if self._listed is not None else self.trouble
        elif await self._begin():
            await self._settle()

    def told(self, at: datetime, *, announced: bool) -> QuicObservation:
        """What is known now."""
        return folded(
            at,
            self._place.service,
            self._place.port,
            self._attempts,
            self._listed,
            announced=announced,
            closed=self._closed,
            trouble=self.trouble,
        )

    # -- versions -----------------------------------------------------------------------------

    async def _versions(self) -> None:
        """Have the versions listed; a port counts as closed once ICMP has said so twice."""
        refused = 0
        for _ in range(2):
            try:
                self._listed = await self._list()
                return
            except NetError as error:
                self.trouble = error.reason
                refused += error.reason is Reason.CONNECTION_REFUSED
                if error.reason is not Reason.CONNECTION_REFUSED:
                    return
        self._closed = refused == 2

    async def _list(self) -> tuple[str, ...]:
        """The versions that the server lists, those aside that are there for practice."""
        token = urandom(20)
        asked = quic.Probe(quic.reserved(token[16:]), token[:8], token[8:16])
        loop = asyncio.get_running_loop()
        async with connected(self._net, self._place, sum(WAITS)) as socket:
            for wait in WAITS:
                await self._polite()
                socket.send(asked.encode())
                until = loop.time() + wait
                while (left := until - loop.time()) > 0:
                    try:
                        heard = asked.heard(await socket.receive(left))
                    except NetError as error:
                        if error.reason is not Reason.TIMEOUT:
                            raise
                        break
                    if heard is not None:
                        return tuple(quic.name(v) for v in heard if not quic.is_reserved(v))
        raise NetError(Reason.TIMEOUT)

    # -- handshakes ---------------------------------------------------------------------------

    async def _begin(self) -> bool:
        """Find a handshake that works: the canary."""
        likely = [v for v in VERSIONS if self._listed is None or v in self._listed]
        if self._listed is not None and not likely:
            self.trouble = Reason.HANDSHAKE  # nothing but versions that cannot be spoken here
        for version in likely:
            for protocols in (HTTP3, OTHERS, ()):
                made = await self._ask(Offer(version, alpn=protocols), LINGER)
                if made.done:
                    return True
                self.trouble = _TROUBLE[made.ending]
                if made.ending in _OF_NOBODY and self._listed is None:
                    return False  # as silent as to the question for versions
                if made.ending is Ending.VERSION or made.ending in _OF_NOBODY:
                    break
        return False

    async def _settle(self) -> None:
        """Everything of which little is known, once and then once more."""
        for _ in range(_MOST_ROUNDS):
            left = list(self._left())
            if not left:
                return
            for offer in left:
                made = await self._ask(offer)
                # Silence may be the first of a long one.
                if made.ending in _OF_NOBODY and not await self._is_well():
                    return
            if not await self._is_well():
                return

    def _left(self) -> Iterator[Offer]:
        told = self._attempts
        yield from told.open("version", VERSIONS)
        yield from told.open("suites", SUITES)
        yield from told.open("groups", GROUPS)
        yield from told.open("keys", KEYS)
        yield from told.open("alpn", HTTP3)

    async def _is_alive(self) -> bool:
        """Whether the known-good handshake works still."""
        assert self._attempts.canary is not None
        return (await self._ask(self._attempts.canary)).done

    async def _is_well(self) -> bool:
        """The same; after a dead canary wait, and go on more slowly. False: we are shut out."""
        if await self._is_alive():
            return True
        for wait in BACK_OFFS:
            self._gap *= 2
            await asyncio.sleep(wait)
            if await self._is_alive():
                return True
        return False

    async def _ask(self, offer: Offer, linger: float = 0.0) -> Attempt:
        from tlscheck.probes.quic_live import Handshake

        await self._polite()
        try:
            async with connected(self._net, self._place, SECONDS) as socket:
                made = await Handshake(socket, offer, self._place.sni).run(linger)
        except NetError:
            made = Attempt(offer, Ending.UNREACHED)
        self._attempts = Attempts((*self._attempts.made, made))
        return made

    async def _polite(self) -> None:
        loop = asyncio.get_running_loop()
        wait = self._next - loop.time()
        self._next = max(self._next, loop.time()) + self._gap
        if wait > 0:
            await asyncio.sleep(wait)


_OF_NOBODY = (Ending.SILENT, Ending.UNREACHED)
_TROUBLE = {
    Ending.CLOSED: Reason.HANDSHAKE,
    Ending.VERSION: Reason.HANDSHAKE,
    Ending.BROKEN: Reason.HANDSHAKE,
    Ending.SILENT: Reason.TIMEOUT,
    Ending.UNREACHED: Reason.CONNECTION_REFUSED,
}
