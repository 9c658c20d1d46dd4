"""Asking an IPsec gateway what it would agree to, without agreeing to anything.

No exchange is completed, and none is begun that the gateway would have to remember: in IKEv2 our
key is of a group that we do not offer, so that a gateway which would grant the offer asks for
another key and forgets us. In IKEv1, whose first answer makes it remember, it is told at once that
nothing comes after, and that few times: gateways allow few such beginnings from one address.
strongSwan forgets at once, but for aggressive mode, which is asked for on demand; libreswan minds
no farewell that is not signed, and forgets after a minute.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from tlscheck.model import Missed, Reason
from tlscheck.net import Net, now
from tlscheck.observations.ike import (
    Dimension,
    Ending,
    IkeObservation,
    Mode,
    Opening,
    fold,
    in_doubt,
    throttled,
)
from tlscheck.probes.ike import ask
from tlscheck.probes.ike.ask import Pace, Port
from tlscheck.probes.ike.datagrams import datagrams
from tlscheck.probes.ike.plan import TIER_COUNT, following
from tlscheck.wire.ike import Phase1Offer

SUBJECT = "ike"
PORTS = ((500, False), (4500, True))
"""The ports that are asked, and whether the non-ESP marker goes first (RFC 3948)."""
MOST_PACKETS = 30
"""To one address, farewells included; a lost one may be sent again."""
MOST_MUTE = 3
"""Questions that a gateway may leave unanswered, while it answers others, until no more are put."""
_SHARE, _AGGRESSIVE_SHARE = 5, 4
"""Packets that are held back for IKEv1: questions, and farewells to what they begin."""


async def probe(
    net: Net,
    address: str,
    *,
    ports: Sequence[tuple[int, bool]] = PORTS,
    aggressive: bool = False,
) -> IkeObservation | Missed:
    """What IKE at *address* would agree to; `Missed` where nothing at all came back.

    *aggressive* asks for IKEv1's aggressive mode too. A gateway that has it answers with a hash by
    which its pre-shared key can be guessed offline; that is never read, and yet it is on its way.
    """
    at = now()
    async with contextlib.AsyncExitStack() as stack:
        pace = Pace(MOST_PACKETS)
        opened = []
        try:
            for number, marked in ports:
                found = await stack.enter_async_context(datagrams(address, number))
                net.sources.add(found.source)
                tries = ask.TRIES[: ask.FIRST_TRIES]
                opened.append(Port(number, marked, found, pace, tries=tries))
        except OSError as error:
            return Missed(SUBJECT, Reason.UNREACHABLE, error.strerror or type(error).__name__)
        talk = _Talk(opened, pace)
        await talk.whole(aggressive=aggressive)
    if all(e.ending is Ending.SILENT for e in talk.openings):
        return Missed(
            SUBJECT,
            Reason.TIMEOUT,
            "no answer to IKE, which proves nothing: whether there is a gateway must be declared",
        )
    return fold(address, at, talk.openings)


@dataclass
class _Talk:
    """All that is said with one address."""

    ports: Sequence[Port]
    pace: Pace
    openings: list[Opening] = field(default_factory=list)
    mute: int = 0

    async def whole(self, *, aggressive: bool) -> None:
        """Every question, the decisive ones first."""
        port = await self._presence()
        if port:
            share = _SHARE + _AGGRESSIVE_SHARE * aggressive
            await self._narrow(port, range(1), share)
        if not throttled(self.openings):
            await self._ikev1(port, aggressive=aggressive)
        if port:
            await self._narrow(port, range(TIER_COUNT), 0)
            await self._canary(port)

    # -- IKEv2 ---------------------------------------------------------------------------------

    async def _presence(self) -> Port | None:
        """The port where IKEv2 grants something, after all were asked with everything on offer."""
        await self._all_init(self.ports)
        if not (found := self._granting()):
            odd = (Ending.SILENT, Ending.OTHER)
            again = [p for p in self.ports if self._endings(p) & set(odd)]
            for port in again:
                port.among = True
            await self._all_init(again)
            found = self._granting()
        if found:
            found.tries = ask.TRIES
        return found

    async def _all_init(self, ports: Iterable[Port]) -> None:
        self.openings += await asyncio.gather(*(port.init({}) for port in ports))

    def _granting(self) -> Port | None:
        return next((p for p in self.ports if Ending.GRANTED in self._endings(p)), None)

    def _endings(self, port: Port) -> set[Ending]:
        own = (e for e in self.openings if e.port == port.number and e.mode is Mode.INIT)
        return {e.ending for e in own}

    async def _narrow(self, port: Port, tiers: range, share: int) -> None:
        """Put narrow questions until all of *tiers* is told, or all but a *share* is spent."""
        while not self._is_over(port):
            # A last canary must remain, and where cookies are asked for each question costs two.
            cost = 4 if port.cookie else 2
            narrowed = following(self.openings, tiers)
            if narrowed is None or self.pace.left - share < cost:
                return
            self.openings.append(await port.init(narrowed))
            if self.openings[-1].ending is Ending.SILENT and self.pace.left:
                self.mute += 1
                self.openings.append(await port.init({}))  # is it that question alone?

    def _is_over(self, port: Port) -> bool:
        """Whether the gateway shows that it has had enough, or has begun to remember us."""
        last = [e for e in self.openings if e.port == port.number and e.mode is Mode.INIT][-1]
        remembers = any(Dimension.ENCRYPTION in e.granted for e in self.openings)
        refuses = last.ending not in (Ending.GRANTED, Ending.REFUSED, Ending.OTHER)
        return refuses or remembers or self.mute >= MOST_MUTE

    async def _canary(self, port: Port) -> None:
        """After refusals: whether what was granted before still is."""
        if in_doubt(self.openings, port.number) and self.pace.left and not self._is_over(port):
            self.openings.append(await port.init({}))

    # -- IKEv1 ---------------------------------------------------------------------------------

    async def _ikev1(self, port: Port | None, *, aggressive: bool) -> None:
        """Main mode in few packets, and aggressive mode where that is wanted."""
        spoke = [p for p in self.ports if any(o.is_answer for o in self._endings(p))]
        ports = [port] if port else spoke[:1] or [p for p in self.ports if not self._shut(p)]
        chosen = False
        for number, offers in enumerate(OFFERS):
            if chosen and number == len(OFFERS) - 1:
                break
            got = await asyncio.gather(*(p.main(offers) for p in ports))
            self.openings += got
            chosen = chosen or any(e.chosen for e in got)
            answered = [e.port for e in got if e.ending.is_answer]
            ports = [p for p in ports if p.number in answered] or ports
            if any(e.ending is Ending.UNSUPPORTED for e in got):
                break
        if aggressive:
            await self._aggressive(ports)

    async def _aggressive(self, ports: Sequence[Port]) -> None:
        for offers in AGGRESSIVE:
            got = await asyncio.gather(*(p.aggressive(offers) for p in ports))
            self.openings += got
            answered = [e.port for e in got if e.ending.is_answer]
            ports = [p for p in ports if p.number in answered] or ports
            if any(e.ending not in (Ending.REFUSED, Ending.SILENT) for e in got):
                return

    def _shut(self, port: Port) -> bool:
        return self._endings(port) <= {Ending.CLOSED, Ending.REJECTED}


# ---- what is offered in IKEv1 ----------------------------------------------------------------

_DES, _3DES, _AES = 1, 5, 7
_MD5, _SHA, _SHA256, _SHA384, _SHA512 = 1, 2, 4, 5, 6
_PSK, _RSA = 1, 3


def _product(
    ciphers: Sequence[tuple[int, int]],
    hashes: Sequence[int],
    groups: Sequence[int],
    ways: Sequence[int] = (_PSK, _RSA),
) -> list[Phase1Offer]:
    return [
        Phase1Offer(cipher, hash_, way, group, bits)
        for way, group, (cipher, bits), hash_ in itertools.product(ways, groups, ciphers, hashes)
    ]


OFFERS: Sequence[Sequence[Phase1Offer]] = (
    # The weak: what old gateways have, the weakest first.
    _product([(_DES, 0), (_3DES, 0), (_AES, 128)], [_MD5, _SHA], [1, 2, 5], [_PSK])
    + _product([(_3DES, 0), (_AES, 128)], [_MD5, _SHA], [2, 5], [_RSA]),
    # The strong.
    _product([(_AES, 256)], [_SHA256, _SHA384, _SHA512], [14, 16, 19, 20], [_PSK])
    + _product([(_AES, 256)], [_SHA256, _SHA384], [14, 19], [_RSA])
    + _product([(_AES, 128)], [_SHA256], [14, 19]),
    # Those between, when neither was of use.
    _product([(_AES, 256)], [_MD5, _SHA, _SHA256], [2, 5])
    + _product([(_AES, 256), (_AES, 128), (_3DES, 0)], [_SHA], [14]),
)
AGGRESSIVE: Sequence[Sequence[Phase1Offer]] = tuple(
    _product([(_AES, 256), (_AES, 128), (_3DES, 0)], [_SHA256, _SHA, _MD5], [group], [_PSK])
    for group in (2, 14, 5)
)
