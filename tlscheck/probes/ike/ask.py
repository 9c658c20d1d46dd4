"""One question of IKE to one port: sent, sent again when lost, its answer read."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from collections.abc import Container, Sequence
from dataclasses import dataclass, replace

from tlscheck.net import now
from tlscheck.observations.ike import ASKED, Dimension, Ending, Mode, Opening
from tlscheck.probes.ike.datagrams import Datagrams, Refusal
from tlscheck.probes.ike.plan import Narrowed
from tlscheck.wire import ike
from tlscheck.wire.codec import DecodeError
from tlscheck.wire.ike import Kind, Message, Phase1, Phase1Offer, Transform

GAP = 0.1
"""Seconds between two packets to one address."""
TRIES: Sequence[float] = (1.0, 1.5, 2.0)
"""Seconds to wait for an answer, for each time that a packet is sent."""
FIRST_TRIES = 2
"""How often a packet is sent before anything has answered, and in IKEv1."""
OTHER_GROUP = 26
"""The group of the key that we send: never among those that we ask about, so a gateway that grants
the offer asks for a key of its own group, and keeps nothing.
"""
_NONCE = 32

_NO_PROPOSAL, _INVALID_KE, _COOKIE = 14, 17, 16390
_INVALID_MAJOR, _INVALID_EXCHANGE, _INVALID_ID, _UNSUPPORTED_EXCHANGE = 5, 7, 18, 29
_KINDS = {
    Kind.GROUP: Dimension.GROUPS,
    Kind.ENCRYPTION: Dimension.ENCRYPTION,
    Kind.INTEGRITY: Dimension.INTEGRITY,
    Kind.PRF: Dimension.PRF,
}


@dataclass
class Pace:
    """What may be sent to one address: so much, and no more than one packet in `GAP` seconds."""

    most: int
    packets: int = 0
    """Sent so far, retransmissions not counted."""
    _next: float = 0.0

    async def turn(self, *, again: bool = False) -> None:
        """Wait until the next packet may leave."""
        clock = asyncio.get_running_loop().time
        at, self._next = self._next, max(self._next, clock()) + GAP
        if (wait := at - clock()) > 0:
            await asyncio.sleep(wait)
        self.packets += not again

    @property
    def left(self) -> int:
        """How many packets may still be sent."""
        return self.most - self.packets


@dataclass
class Port:
    """One port of the gateway, and how it is spoken to."""

    number: int
    marked: bool
    """Whether the non-ESP marker stands before everything."""
    datagrams: Datagrams
    pace: Pace
    tries: Sequence[float]
    among: bool = False
    """Whether the group of our key stands among those offered, as RFC 7296 wants it. Gateways that
    do not mind get it the other way, which never can leave anything behind.
    """
    cookie: bytes = b""
    """The last one that was asked for, which goes with the SPI and the nonce of then."""
    spi: bytes = b""
    nonce: bytes = b""
    packets: int = 0
    retransmissions: int = 0

    # -- IKEv2 ---------------------------------------------------------------------------------

    async def init(self, narrowed: Narrowed) -> Opening:
        """Ask for an IKE_SA_INIT with what is narrowed, and everything of the rest."""
        at, self.packets, self.retransmissions = now(), 0, 0
        offered = _proposals(narrowed, among=self.among)
        key = secrets.token_bytes(ike.KEY_OCTETS[OTHER_GROUP])
        if not self.cookie:
            self.spi, self.nonce = _spi(), secrets.token_bytes(_NONCE)
        cookies = 0
        while True:
            packet = ike.sa_init(self.spi, self.nonce, offered, OTHER_GROUP, key, self.cookie)
            answer = await self._converse(packet, self.spi, self.tries)
            told = answer.notified(_COOKIE) if isinstance(answer, Message) else None
            if told is None or not told.data:
                ending, granted = _ending_2(answer, {t for p in offered for t in p})
                break
            cookies += 1
            self.cookie = told.data
            if cookies > 1 or not self.pace.left:
                ending, granted = Ending.COOKIE, {}
                break
        opening = Opening(
            at, self.number, Mode.INIT, ending, dict(narrowed), granted=granted, cookies=cookies
        )
        return self._with(opening, answer)

    # -- IKEv1 ---------------------------------------------------------------------------------

    async def main(self, offers: Sequence[Phase1Offer]) -> Opening:
        """Begin main mode with *offers*; whoever chooses one is told at once that it is over."""
        spi = _spi()
        return await self._phase1(Mode.MAIN, spi, ike.main_mode(spi, offers), offers)

    async def aggressive(self, offers: Sequence[Phase1Offer]) -> Opening:
        """Begin aggressive mode with *offers* of one group, as nobody: a name made up at random."""
        spi = _spi()
        key = secrets.token_bytes(ike.KEY_OCTETS[offers[0].group])
        nonce, nobody = secrets.token_bytes(_NONCE), secrets.token_hex(8)
        packet = ike.aggressive_mode(spi, offers, key, nonce, nobody)
        return await self._phase1(Mode.AGGRESSIVE, spi, packet, offers)

    async def _phase1(
        self, mode: Mode, spi: bytes, packet: bytes, offers: Sequence[Phase1Offer]
    ) -> Opening:
        at, self.packets, self.retransmissions = now(), 0, 0
        # Silence is no answer in IKEv1, however often it is met.
        answer = await self._converse(packet, spi, self.tries[:FIRST_TRIES])
        ending, chosen = _ending_1(answer, mode), None
        if isinstance(answer, Message) and any(answer.responder):
            if ending is Ending.GRANTED:
                chosen = answer.phase1[0]
            if answer.exchange != ike.Exchange.INFORMATIONAL:
                await self._send(ike.farewell(spi, answer.responder, secrets.randbits(32)))
        named = tuple(_named(offer) for offer in offers)
        opening = Opening(at, self.number, mode, ending, offered=named, chosen=chosen)
        return self._with(opening, answer)

    # -- packets -------------------------------------------------------------------------------

    async def _send(self, packet: bytes, *, again: bool = False) -> None:
        await self.pace.turn(again=again)
        self.packets += not again
        self.retransmissions += again
        self.datagrams.send(ike.marked(packet) if self.marked else packet)

    async def _converse(
        self, packet: bytes, spi: bytes, tries: Sequence[float]
    ) -> Message | Refusal | None:
        """The answer to *packet*, sent again as it is while nothing comes."""
        self.datagrams.forget()
        refusal: Refusal | None = None
        for number, seconds in enumerate(tries):
            await self._send(packet, again=number > 0)
            found = await self._answer(packet, spi, seconds)
            if isinstance(found, Message):
                return found
            refusal = found or refusal
        return refusal

    async def _answer(self, packet: bytes, spi: bytes, seconds: float) -> Message | Refusal | None:
        """What answers our *spi* within *seconds*; an ICMP error ends the wait."""
        clock = asyncio.get_running_loop().time
        end = clock() + seconds
        while True:
            try:
                came = await self.datagrams.receive(end - clock())
            except TimeoutError:
                return None
            if isinstance(came, Refusal):
                return came
            # What cannot be read, answers another SPI or is our own packet sent back settles
            # nothing, and it may be somebody else's: the true answer may yet come.
            with contextlib.suppress(DecodeError):
                bare = ike.unmarked(came) if self.marked else came
                message = ike.parse(bare)
                echo = bare == packet or (message.version == 2 and not message.is_response)
                if message.initiator == spi and not echo:
                    return message

    def _with(self, opening: Opening, answer: Message | Refusal | None) -> Opening:
        """*opening* with what it cost, and what the answer tells beside its ending."""
        opening = replace(opening, packets=self.packets, retransmissions=self.retransmissions)
        if isinstance(answer, Refusal):
            return replace(opening, sender=answer.sender)
        if answer is None:
            return opening
        return replace(
            opening,
            notifies=tuple(ike.notify_name(answer.version, n.number) for n in answer.notifies),
            vendor_ids=tuple(v.hex() for v in answer.vendor_ids),
            authorities=tuple(a.hex() for a in answer.authorities),
            asks_for_certificate=answer.asks_for_certificate,
        )


def _spi() -> bytes:
    return secrets.token_bytes(7) + b"\x01"  # never all zeros


def _proposals(narrowed: Narrowed, *, among: bool) -> list[Sequence[Transform]]:
    offer = {kind: list(narrowed.get(d, ASKED[d])) for kind, d in _KINDS.items()}
    if Dimension.INTEGRITY in narrowed:  # or an AEAD cipher would be chosen, which goes without
        offer[Kind.ENCRYPTION] = [n for n in offer[Kind.ENCRYPTION] if not ike.is_aead(n)]
    if among:
        offer[Kind.GROUP].append(Transform(Kind.GROUP, OTHER_GROUP).name)
    return list(ike.proposals(offer))


_Granted = dict[Dimension, str]


def _ending_2(
    answer: Message | Refusal | None, offered: Container[Transform]
) -> tuple[Ending, _Granted]:
    """What became of an IKE_SA_INIT; a grant of what was not *offered* is none."""
    if not isinstance(answer, Message):
        return _trouble(answer), {}
    if answer.version == 1:
        return Ending.UNSUPPORTED if answer.notified(_INVALID_MAJOR) else Ending.OTHER, {}
    granted: Sequence[Transform] = answer.chosen
    if (told := answer.notified(_INVALID_KE)) and len(told.data) >= 2:
        granted = (Transform(Kind.GROUP, int.from_bytes(told.data[:2])),)
    if granted and all(each in offered for each in granted):
        return Ending.GRANTED, {_KINDS[each.kind]: each.name for each in granted}
    if answer.notified(_NO_PROPOSAL):
        return Ending.REFUSED, {}
    if answer.notified(_INVALID_MAJOR):
        return Ending.UNSUPPORTED, {}
    return Ending.OTHER, {}


def _ending_1(answer: Message | Refusal | None, mode: Mode) -> Ending:
    if not isinstance(answer, Message):
        return _trouble(answer)
    if answer.version == 2:
        return Ending.UNSUPPORTED if answer.notified(_INVALID_MAJOR) else Ending.OTHER
    wanted = ike.Exchange.MAIN if mode is Mode.MAIN else ike.Exchange.AGGRESSIVE
    if answer.exchange == wanted and len(answer.phase1) == 1 and any(answer.responder):
        return Ending.GRANTED
    notified = _NOTIFIED_AGGRESSIVE if mode is Mode.AGGRESSIVE else _NOTIFIED_MAIN
    found = (notified[n.number] for n in answer.notifies if n.number in notified)
    return next(found, Ending.OTHER)


_NOTIFIED_MAIN = {_INVALID_MAJOR: Ending.UNSUPPORTED, _NO_PROPOSAL: Ending.REFUSED}
_NOTIFIED_AGGRESSIVE = {
    **_NOTIFIED_MAIN,
    _UNSUPPORTED_EXCHANGE: Ending.UNSUPPORTED,
    _INVALID_EXCHANGE: Ending.UNSUPPORTED,
    _INVALID_ID: Ending.IDENTITY,
}


def _trouble(answer: Refusal | None) -> Ending:
    if answer is None:
        return Ending.SILENT
    return Ending.CLOSED if answer.closed else Ending.REJECTED


def _named(offer: Phase1Offer) -> Phase1:
    """*offer* by its names."""
    return ike.phase1(
        {
            1: offer.encryption,
            2: offer.hash,
            3: offer.authentication,
            4: offer.group,
            14: offer.key_bits,
        }
    )
