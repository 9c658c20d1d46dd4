"""An IPsec gateway of the tests' own on loopback: strongSwan's and libreswan's manners, and worse.

It reads questions by itself, so that what the probe builds is read by other code than its own, and
counts what it would have to remember.
"""

from __future__ import annotations

import asyncio
import contextlib
import struct
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

ENCRYPTION, PRF, INTEGRITY, GROUP = 1, 2, 3, 4
AEAD = {14, 15, 16, 18, 19, 20, 28}
INVALID_KE, NO_PROPOSAL, COOKIE, INVALID_SYNTAX = 17, 14, 16390, 7


@dataclass(frozen=True)
class Suite:
    """What may go together in IKEv2; groups in the gateway's order."""

    encryption: Sequence[tuple[int, int]]
    """Number and bits of the key."""
    prf: Sequence[int]
    groups: Sequence[int]
    integrity: Sequence[int] = ()


GCM = Suite([(20, 256)], [6], [20])
CBC = Suite([(12, 256)], [5], [14], [12])
WEAK = Suite([(3, 0)], [1], [2], [1])


@dataclass
class Manners:
    """How the gateway behaves."""

    suites: Sequence[Suite] = ()
    phase1: Sequence[tuple[int, int, int]] = ()
    """Cipher, hash and group of IKEv1's main mode."""
    aggressive: str = "silent"
    """``silent``, ``refused``, ``identity``, ``answers`` or ``unsupported``."""
    ikev1: str = "notify"
    """What becomes of an offer without a match: ``notify``, ``silent`` or ``unsupported``."""
    ikev2: str = "notify"
    """The same of IKEv2: ``notify``, ``silent`` or ``unsupported``."""
    strict: str = ""
    """What becomes of a key of a group that is not offered: ``silent`` or ``syntax``."""
    cookies: str = ""
    """``kept``: as long as a cookie is right; ``always``: never content."""
    limit: int = 0
    """Silent to everything after so many packets."""
    refuse_after: int = 0
    """Refuses all that is IKEv2 after so many packets, as if it were throttling."""
    lost: frozenset[int] = frozenset()
    """The numbers of packets that are lost on their way."""
    prefers_foreign: bool = False
    """Names its favourite group whatever is offered."""
    echo: bool = False
    noise: Sequence[bytes] = ()
    """What comes before each answer."""


@dataclass
class Gateway(asyncio.DatagramProtocol):
    """One port of the gateway."""

    manners: Manners
    marked: bool = False
    received: list[bytes] = field(default_factory=list)
    half_open: set[bytes] = field(default_factory=set)
    """What is begun and not ended, by the initiator's SPI."""
    most_half_open: int = 0
    errors: list[Exception] = field(default_factory=list)
    """What it minded about packets."""
    transport: Any = None

    def connection_made(self, transport: Any) -> None:
        self.transport = transport

    def datagram_received(self, data: bytes, addr: Any) -> None:
        self.received.append(data)
        manners, number = self.manners, len(self.received)
        if number in manners.lost or (manners.limit and number > manners.limit):
            return
        if manners.echo:
            self.transport.sendto(data, addr)
            return
        mark, answer = bytes(4) if self.marked else b"", b""
        try:
            assert data.startswith(mark)
            answer = self.answer(data[len(mark) :])
        except (AssertionError, ValueError, LookupError, struct.error) as error:
            self.errors.append(error)
        for noise in manners.noise:
            self.transport.sendto(noise, addr)
        if answer:
            self.transport.sendto(mark + answer, addr)

    def answer(self, packet: bytes) -> bytes:
        exchange = packet[18]
        assert int.from_bytes(packet[24:28]) == len(packet)
        if exchange == 34:
            return self.sa_init(packet)
        if exchange == 5:
            self.farewell(packet)
            return b""
        return self.phase1(packet, exchange)

    # -- IKEv2 ---------------------------------------------------------------------------------

    def sa_init(self, packet: bytes) -> bytes:
        manners, spi = self.manners, packet[:8]
        payloads = dict(walk(packet))
        if manners.cookies:
            cookie = payloads.get(41, b"")[4:]
            first = next(iter(walk(packet)))[0]
            good = first == 41 and cookie == b"cookie" + payloads[40][:8] + spi
            if manners.cookies == "always" or not good:
                return notify_2(spi, COOKIE, b"cookie" + payloads[40][:8] + spi)
        group = int.from_bytes(payloads[34][:2])
        offers = list(proposals_2(payloads[33]))
        everything = {g for offer in offers for g, _ in offer.get(GROUP, ())}
        if manners.ikev2 != "notify":
            return notify_2(spi, 5) if manners.ikev2 == "unsupported" else b""
        if manners.strict and group not in everything:
            return notify_2(spi, INVALID_SYNTAX) if manners.strict == "syntax" else b""
        refusing = manners.refuse_after and len(self.received) > manners.refuse_after
        wanted = None if refusing else self.select(offers)
        if wanted is None:
            return notify_2(spi, NO_PROPOSAL)
        if wanted == group:
            self.remember(spi)
            raise AssertionError("the gateway has to remember this one")
        return notify_2(spi, INVALID_KE, struct.pack("!H", wanted))

    def select(self, offers: Sequence[Mapping[int, Sequence[tuple[int, int]]]]) -> int | None:
        for suite in self.manners.suites:
            for offer in offers:
                if (group := match(suite, offer)) is not None:
                    foreign = self.manners.prefers_foreign
                    return suite.groups[0] if foreign else group
        return None

    def remember(self, spi: bytes) -> None:
        self.half_open.add(spi)
        self.most_half_open = max(self.most_half_open, len(self.half_open))

    # -- IKEv1 ---------------------------------------------------------------------------------

    def phase1(self, packet: bytes, exchange: int) -> bytes:
        spi, payloads = packet[:8], dict(walk(packet))
        if self.manners.ikev1 == "unsupported":
            return notify_1(spi, 5)
        for transform, (cipher, hash_, group) in transforms_1(payloads[1]):
            if exchange == 2 and (cipher, hash_, group) in self.manners.phase1:
                self.remember(spi)
                return chosen_1(spi, 2, transform)
            if exchange == 4:
                return self.aggressive(spi, transform)
        return notify_1(spi, NO_PROPOSAL) if self.manners.ikev1 == "notify" else b""

    def aggressive(self, spi: bytes, transform: bytes) -> bytes:
        match self.manners.aggressive:
            case "answers":
                self.remember(spi)
                return chosen_1(spi, 4, transform, SECRETS)
            case "identity":
                return notify_1(spi, 18)
            case "refused":
                return notify_1(spi, 24)
            case "unsupported":
                return notify_1(spi, 29)
        return b""

    def farewell(self, packet: bytes) -> None:
        (kind, content), *rest = walk(packet)
        assert (kind, rest, packet[8:16]) == (11, [], RESPONDER)
        assert content[4:8] == bytes((1, 16, 0, NO_PROPOSAL))
        assert content[8:] == packet[:16]
        self.half_open.discard(packet[:8])


RESPONDER = b"\x11" * 8
SECRET_KEY, SECRET_NONCE, SECRET_HASH = b"\xd1" * 128, b"\xd2" * 20, b"\xd3" * 20
SECRETS = [(4, SECRET_KEY), (10, SECRET_NONCE), (5, b"\x02\0\0\0gw.example"), (8, SECRET_HASH)]


def walk(packet: bytes) -> list[tuple[int, bytes]]:
    kind, found, at = packet[16], [], 28
    while kind:
        following, _, length = struct.unpack_from("!BBH", packet, at)
        assert length >= 4
        found.append((kind, packet[at + 4 : at + length]))
        kind, at = following, at + length
    assert at == len(packet)
    return found


def parts(body: bytes, more: int) -> list[bytes]:
    found, at, last = [], 0, more
    while at < len(body):
        assert last == more
        last, _, length = struct.unpack_from("!BBH", body, at)
        found.append(body[at + 4 : at + length])
        at += length
    assert last == 0
    return found


def proposals_2(body: bytes) -> list[dict[int, list[tuple[int, int]]]]:
    found = []
    for number, proposal in enumerate(parts(body, 2), 1):
        own, protocol, size, count = proposal[:4]
        transforms = parts(proposal[4:], 3)
        assert (own, protocol, size, count) == (number, 1, 0, len(transforms))
        offer: dict[int, list[tuple[int, int]]] = {}
        for each in transforms:
            kind, _, id = struct.unpack_from("!BBH", each)
            bits = 0
            if len(each) > 4:
                attribute, bits = struct.unpack("!HH", each[4:])
                assert attribute == 0x800E
            offer.setdefault(kind, []).append((id, bits))
        found.append(offer)
    return found


def match(suite: Suite, offer: Mapping[int, Sequence[tuple[int, int]]]) -> int | None:
    ciphers = [c for c in suite.encryption if c in offer.get(ENCRYPTION, ())]
    integrity = {id for id, _ in offer.get(INTEGRITY, ())}
    ciphers = [
        c
        for c in ciphers
        if (c[0] in AEAD and not integrity) or (c[0] not in AEAD and integrity & {*suite.integrity})
    ]
    prf = {id for id, _ in offer.get(PRF, ())} & {*suite.prf}
    groups = [g for g in suite.groups if (g, 0) in offer.get(GROUP, ())]
    return groups[0] if ciphers and prf and groups else None


def transforms_1(body: bytes) -> list[tuple[bytes, tuple[int, int, int]]]:
    assert body[:8] == b"\0\0\0\1\0\0\0\1"
    (proposal,) = parts(body[8:], 2)
    assert proposal[:3] == b"\1\1\0"
    found = []
    for transform in parts(proposal[4:], 3):
        pairs = dict(struct.iter_unpack("!HH", transform[4:]))
        found.append((transform, (pairs[0x8001], pairs[0x8002], pairs[0x8004])))
    assert len(found) == proposal[3]
    return found


def message(
    spi: bytes, responder: bytes, head: tuple[int, int, int], payloads: Sequence[tuple[int, bytes]]
) -> bytes:
    kinds = [kind for kind, _ in payloads]
    body = b"".join(
        struct.pack("!BBH", following, 0, len(content) + 4) + content
        for following, (_, content) in zip([*kinds[1:], 0], payloads, strict=True)
    )
    return (
        spi + responder + bytes((kinds[0], *head)) + bytes(4)
        + struct.pack("!I", 28 + len(body)) + body
    )  # fmt: skip


def notify_2(spi: bytes, number: int, data: bytes = b"") -> bytes:
    return message(spi, bytes(8), (0x20, 34, 0x20), [(41, struct.pack("!HH", 0, number) + data)])


def notify_1(spi: bytes, number: int) -> bytes:
    content = struct.pack("!IBBH", 1, 1, 0, number)
    return message(spi, RESPONDER, (0x10, 5, 0), [(11, content)])


def chosen_1(
    spi: bytes, exchange: int, transform: bytes, rest: Sequence[tuple[int, bytes]] = ()
) -> bytes:
    inner = struct.pack("!BBH", 0, 0, len(transform) + 4) + transform
    proposal = bytes((1, 1, 0, 1)) + inner
    content = b"\0\0\0\1\0\0\0\1" + struct.pack("!BBH", 0, 0, len(proposal) + 4) + proposal
    dead_peers = bytes.fromhex("afcad71368a1f1c96b8696fc77570100")
    payloads = [(1, content), *rest, (13, dead_peers)]
    return message(spi, RESPONDER, (0x10, exchange, 0), payloads)


@contextlib.asynccontextmanager
async def serving(*manners: Manners) -> AsyncIterator[tuple[list[Gateway], list[tuple[int, bool]]]]:
    """Gateways on ports of their own: the first without the non-ESP marker, the others with it."""
    loop = asyncio.get_running_loop()
    gateways, ports, transports = [], [], []
    for number, own in enumerate(manners):
        gateway = Gateway(own, marked=number > 0)
        transport, _ = await loop.create_datagram_endpoint(
            lambda gateway=gateway: gateway,  # type: ignore[misc]
            local_addr=("127.0.0.1", 0),
        )
        gateways.append(gateway)
        ports.append((transport.get_extra_info("sockname")[1], number > 0))
        transports.append(transport)
    try:
        yield gateways, ports
    finally:
        for transport in transports:
            transport.close()
        await asyncio.sleep(0)
