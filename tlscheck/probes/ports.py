"""Asking an address which of its ports answer: plain connections and small datagrams.

Nothing is guessed and nothing sent that a stranger may not send. What had answered is asked again
all the while: when it falls silent, what was asked meanwhile is unknown.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import random
import resource
import secrets
import socket
import tomllib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any

from tlscheck.data import data_dir
from tlscheck.model import Missed, Reason
from tlscheck.net import now
from tlscheck.observations.ports import Port, PortsObservation, PortState, ranges
from tlscheck.probes import udp_ports
from tlscheck.wire import service
from tlscheck.wire.hello import ClientHello

SUBJECT = "ports"
TCP, UDP = "tcp", "udp"
OVER_UDP = ("ike", "dtls", "quic")
"""Services whose port is one of UDP alone."""
RANGES, OF_EACH = ((1024, 10_000), (10_000, 20_000), (20_000, 61_000)), 16
RANDOM = len(RANGES) * OF_EACH
"""How many ports picked at random are asked too: nobody opened them on purpose."""
FOR_ALL = OF_EACH // 2
"""So many of one range open, something accepts whatever is asked."""
LEAST_BATCH = 100
"""So many ports at the most, or as many as are asked at once, stand or fall together."""
CANARIES, MOST_LOST = 10, 1
"""How often a known port is asked in each batch, and how many answers of it may be lost."""
SLOWER, SLOW = 5, 10.0
"""By how much less is asked where too many are lost, and how many a second at the most."""
SLOWLY, PAUSE = 4, 1.1
"""How many silent ports are asked once more where others are refused, and seconds before each:
hosts send about one ICMP message a second. How often, too, what was refused is asked again."""
EVERY = 65535
LEAST_WAY, NEARER = 0.004, 4
"""Seconds to and from an address that is far enough to tell, and how many times is nearer."""
MOST_RECOGNISED = 64
"""How many open ports are asked what they are."""
AT_ONCE = 8
"""How many of them at once."""
PATIENCE = 2.0
"""Seconds in which a server speaks first."""

_REJECTED = {
    errno.EHOSTUNREACH,
    errno.ENETUNREACH,
    errno.ENOPROTOOPT,
    errno.EACCES,
    errno.EPERM,
    errno.EHOSTDOWN,
}
"""What the kernel makes of ICMP that is no port's (and of what our own host forbids)."""
_NO_ROUTE = {errno.ENETUNREACH, errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT}
_SPEAKS_FIRST = frozenset({21, 22, 23, 25, 110, 143, 587, 2222, 3306, 5900, 5901, 5902, 5903})


@dataclass(frozen=True, slots=True)
class Manner:
    """How politely is asked."""

    rate: float = 100.0
    """Connections a second; 0: as many as go."""
    parallel: int = 50
    timeout: float = 3.0
    """Seconds for a connection; after a first answer four times what that took, a second at least.
    """
    tries: int = 2
    """How often a silent port is asked."""
    only: tuple[int, ...] = ()
    """These TCP ports instead of the list."""

    @property
    def narrow(self) -> bool:
        """Whether nothing else is asked, then."""
        return 0 < len(self.only) < EVERY


@dataclass(frozen=True, slots=True)
class Listed:
    """A port of the list."""

    name: str
    group: str


async def probe(
    address: str,
    manner: Manner,
    known: Sequence[int] = (),
    declared: Mapping[str, tuple[int, ...]] | None = None,
    tell: Callable[[str, int], None] = lambda about, packets: None,
) -> PortsObservation | Missed:
    """The ports of *address*; *known* ones, the targets' own, are asked first."""
    return await _Look(address, manner, tuple(known), declared, tell).whole()


@cache
def listed() -> Mapping[str, Mapping[int, Listed]]:
    """The ports of the list, by transport."""
    content = _content()
    return {
        transport: {
            int(number): Listed(name, group)
            for group, ports in content[transport].items()
            for number, name in ports.items()
        }
        for transport in (TCP, UDP)
    }


_HTTP = "http"


def is_of_http(port: Port) -> bool:
    """Whether HTTP is at home at that port of the list."""
    groups, numbers = _homes_of_http()
    return port.group in groups or port.number in numbers


@cache
def _homes_of_http() -> tuple[frozenset[str], frozenset[int]]:
    content = _content()["http"]
    return frozenset(content["groups"]), frozenset(content["ports"])


@cache
def _content() -> dict[str, Any]:
    file = data_dir("profiles") / "ports" / "ports.toml"
    return tomllib.loads(file.read_text(encoding="utf-8"))


@dataclass
class _Look:
    address: str
    manner: Manner
    known: tuple[int, ...]
    declared: Mapping[str, tuple[int, ...]] | None
    tell: Callable[[str, int], None]
    states: dict[int, PortState] = field(default_factory=dict)
    canary: tuple[int, PortState] | None = None
    """A port that answers, and how."""
    quickest: float | None = None
    took: dict[int, tuple[PortState, float]] = field(default_factory=dict)
    """The last answer of each port, and after how many seconds it came."""
    packets: int = 0
    next_at: float = 0.0
    no_route: int = 0

    async def whole(self) -> PortsObservation | Missed:
        at, loop = now(), asyncio.get_running_loop()
        began = loop.time()
        some, samples = set(self.manner.only), self._samples()
        picked = [number for sample in samples for number in sample]
        if not some:
            some.update(listed()[TCP], (self.declared or {}).get(TCP, ()), picked)
        some.update(self.known)
        order = sorted(some - set(self.known))
        random.SystemRandom().shuffle(order)
        self.tell("", self.packets)
        with _enough_files(self.manner.parallel):
            finished, over_udp = await asyncio.gather(
                self._scan(self.known, order),
                self._over_udp(),
            )
        turned = await self._turned() if finished else {PortState.DROPPED}
        nearer = self._refused_nearer()
        for number, state in self.states.items():
            doubted = state in turned or number in nearer
            self.states[number] = PortState.UNKNOWN if doubted else state
        if PortState.DROPPED in turned:
            over_udp = [replace(p, state=_DOUBTED.get(p.state, p.state)) for p in over_udp]
        if self.no_route == len(self.states):
            return Missed(SUBJECT, Reason.UNREACHABLE)
        if self.canary is None and not any(p.state is PortState.OPEN for p in over_udp):
            return Missed(SUBJECT, Reason.TIMEOUT, "nothing answered")
        seldom = not turned and await self._refuses_seldom()
        states = {number: self.states.get(number, PortState.UNKNOWN) for number in some}
        open_ones = sorted(n for n, state in states.items() if state is PortState.OPEN)
        for_all = any(len({*open_ones}.intersection(each)) >= FOR_ALL for each in samples)
        self.tell("services", self.packets)
        anybodys = picked if for_all else ()
        ports = [*await self._recognised(open_ones, anybodys), *self._rejected(states), *over_udp]
        return PortsObservation(
            at=at,
            address=self.address,
            asked={TCP: ranges(some), UDP: ranges(port.number for port in over_udp)},
            ports=tuple(p for p in ports if p.state in (PortState.OPEN, PortState.REJECTED)),
            counts={
                TCP: dict(Counter(states.values())),
                UDP: dict(Counter(port.state for port in over_udp)),
            },
            declared=self.declared,
            shut_out=bool(turned),
            narrowed=self.manner.narrow,
            refusing_seldom=seldom,
            answering_for_all=for_all,
            packets=self.packets,
            seconds=round(loop.time() - began, 1),
        )

    def _samples(self) -> list[list[int]]:
        """Ports at random, by range, for which there is no reason; where few are ordered, none."""
        known = {*listed()[TCP], *(self.declared or {}).get(TCP, ()), *self.known}
        allowed = set(self.manner.only)
        pools = [
            [n for n in range(*ends) if n not in known and (n in allowed or not allowed)]
            for ends in RANGES
        ]
        chance = random.SystemRandom()
        return [chance.sample(pool, OF_EACH) for pool in pools if len(pool) >= 16 * OF_EACH]

    # -- TCP -----------------------------------------------------------------------------------

    async def _scan(self, first: Sequence[int], order: Sequence[int]) -> bool:
        """Ask all ports in batches, the silent ones again; whether we were answered to the end."""
        todo = [*first, *order]
        for _ in range(self.manner.tries):
            size = max(self.manner.parallel, LEAST_BATCH)
            batches = [todo[start : start + size] for start in range(len(first), len(todo), size)]
            for batch in [todo[: len(first)], *batches]:
                if not await self._batch(batch):
                    self._slow_down()
                    if not await self._batch(batch):
                        return False
            first = ()
            todo = [n for n in todo if self.states.get(n) is PortState.DROPPED]
        return True

    def _slow_down(self) -> None:
        """What limits us may let fewer through."""
        rate = self.manner.rate / SLOWER or SLOW
        self.manner = replace(
            self.manner, rate=min(rate, SLOW), parallel=max(self.manner.parallel // SLOWER, 1)
        )

    async def _batch(self, numbers: Sequence[int]) -> bool:
        """Ask the ports, and in between the one that is known to answer; whether it did."""
        order: list[int | None] = list(numbers)
        if self.canary is not None:
            for _ in range(min(CANARIES, len(order))):
                order.insert(secrets.randbelow(len(order)), None)
        turns, lost = iter(order), 0

        async def work() -> None:
            nonlocal lost
            for number in turns:
                if number is None:
                    lost += not await self._canary_answers()
                else:
                    self.states[number] = await self._asked(number)

        await asyncio.gather(*(work() for _ in range(min(self.manner.parallel, len(order)))))
        if self.canary is None:
            # Nothing has answered yet, so that silence says nothing; perhaps something will.
            return True
        if lost <= MOST_LOST and (await self._canary_answers() or await self._canary_answers()):
            return True
        for number in numbers:  # a refusal may be the limit's too
            if self.states[number] is not PortState.OPEN:
                self.states[number] = PortState.UNKNOWN
        return False

    async def _turned(self) -> set[PortState]:
        """The states that are in doubt: what answered in the beginning meets them now, though the
        targets' own ports are spared. Whoever scans may be banned from all else.
        """
        turned = set[PortState]()
        for number in self._sample(PortState.OPEN):
            if await self._asked(number) is not PortState.OPEN:
                turned.add(await self._asked(number))
        if PortState.DROPPED in self.states.values() and await self._refusals_ended():
            turned.add(PortState.DROPPED)
        return turned - {PortState.OPEN}

    async def _refusals_ended(self) -> bool:
        """Whether the ports that were refused are silent now, however slowly they are asked."""
        refused = self._sample(PortState.CLOSED)
        for number in (refused * SLOWLY)[:SLOWLY]:
            await asyncio.sleep(PAUSE)
            if await self._asked(number) is not PortState.DROPPED:
                return False
        return bool(refused)

    def _refused_nearer(self) -> set[int]:
        """Ports that were refused in a fraction of the time that the way to the address takes: by
        a filter on our own side, which says nothing of the address.
        """
        opened = [took for state, took in self.took.values() if state is PortState.OPEN]
        if not opened or min(opened) < LEAST_WAY:
            return set()
        return {
            number
            for number, (state, took) in self.took.items()
            if state is PortState.CLOSED and took < min(opened) / NEARER
        }

    def _sample(self, state: PortState) -> list[int]:
        """Some of the ports in that *state*, the targets' own aside."""
        them = [n for n, s in self.states.items() if s is state and n not in self.known]
        return random.SystemRandom().sample(them, min(SLOWLY, len(them)))

    async def _refuses_seldom(self) -> bool:
        """Whether a silent port is refused when there is time to say so."""
        if not _REFUSED.intersection(self.states.values()):
            return False
        asking = []
        for number in self._sample(PortState.DROPPED):
            await asyncio.sleep(PAUSE)
            asking.append(asyncio.create_task(self._asked(number)))
        return not _REFUSED.isdisjoint(await asyncio.gather(*asking))

    async def _canary_answers(self) -> bool:
        """Whether the port that had answered still does."""
        assert self.canary is not None
        number, state = self.canary
        return await self._asked(number) is state

    async def _asked(self, number: int) -> PortState:
        await self._turn()
        loop = asyncio.get_running_loop()
        began = loop.time()
        state = await self._connect(number)
        if state in (PortState.OPEN, PortState.CLOSED):
            took = loop.time() - began
            self.took[number] = state, took
            self.quickest = took if self.quickest is None else min(self.quickest, took)
            if self.canary is None or (state is PortState.OPEN is not self.canary[1]):
                self.canary = (number, state)
        return state

    async def _connect(self, number: int) -> PortState:
        loop = asyncio.get_running_loop()
        try:
            with _socket(self.address, socket.SOCK_STREAM) as sock:
                async with asyncio.timeout(self._patience()):
                    await loop.sock_connect(sock, (self.address, number))
        except TimeoutError:  # ours, or the kernel's
            return PortState.DROPPED
        except ConnectionRefusedError:
            return PortState.CLOSED
        except OSError as error:
            self.no_route += error.errno in _NO_ROUTE
            return PortState.REJECTED if error.errno in _REJECTED else PortState.UNKNOWN
        return PortState.OPEN

    def _patience(self) -> float:
        if self.quickest is None:
            return self.manner.timeout
        return min(max(1.0, 4 * self.quickest), self.manner.timeout)

    async def _turn(self) -> None:
        """Wait until the rate allows one more."""
        self.packets += 1
        if self.manner.rate:
            loop = asyncio.get_running_loop()
            self.next_at = max(self.next_at, loop.time()) + 1 / self.manner.rate
            await asyncio.sleep(self.next_at - loop.time() - 1 / self.manner.rate)

    def _rejected(self, states: Mapping[int, PortState]) -> list[Port]:
        return [
            _port(number, TCP, state)
            for number, state in sorted(states.items())
            if state is PortState.REJECTED and number in listed()[TCP]
        ]

    # -- what answers --------------------------------------------------------------------------

    async def _recognised(self, numbers: Sequence[int], picked: Iterable[int]) -> list[Port]:
        """The open ports, as many of them as are asked with what they are."""
        own = [n for n in numbers if n not in set(picked)]
        gate = asyncio.Semaphore(AT_ONCE)

        async def one(number: int) -> Port:
            async with gate:
                return await self._what(_port(number, TCP, PortState.OPEN))

        some = await asyncio.gather(*(one(number) for number in own[:MOST_RECOGNISED]))
        rest = [n for n in numbers if n not in own[:MOST_RECOGNISED]]
        return [*some, *(_port(number, TCP, PortState.OPEN) for number in rest)]

    async def _what(self, port: Port) -> Port:
        """*port* with what answers there, if that is told by the answer, or by it and the list."""
        name, said = await self._heard(port)
        if name == _HTTP and port.group and not is_of_http(port):
            return replace(port, group="", said=said)
        return replace(port, service=name, said=said)

    async def _heard(self, port: Port) -> tuple[str, str]:
        """What speaks first there, or TLS, or to a plain request; and its words."""
        patience = PATIENCE if port.number in _SPEAKS_FIRST else PATIENCE / 2
        answer = await self._said(port.number, b"", patience)
        if answer:
            return service.recognised(answer), service.printable(answer)
        answer = await self._said(port.number, _hello(), PATIENCE)
        if service.speaks_tls(answer):
            return "tls", ""
        if not service.recognised(answer):
            answer = await self._said(port.number, service.REQUEST, PATIENCE) or answer
        name = service.recognised(answer)
        if not name and service.is_postgres(
            await self._said(port.number, service.POSTGRES, PATIENCE / 2)
        ):
            name = "postgresql"
        return name, service.printable(answer)

    async def _said(self, number: int, question: bytes, seconds: float) -> bytes:
        """The first of what is said to *question*; empty where nothing is."""
        await self._turn()
        loop = asyncio.get_running_loop()
        with contextlib.suppress(OSError), _socket(self.address, socket.SOCK_STREAM) as sock:
            async with asyncio.timeout(self._patience() + seconds):
                await loop.sock_connect(sock, (self.address, number))
                if question:
                    await loop.sock_sendall(sock, question)
                return await loop.sock_recv(sock, service.MOST_BYTES)
        return b""

    # -- UDP -----------------------------------------------------------------------------------

    async def _over_udp(self) -> list[Port]:
        ports = list[Port]()
        if self.manner.narrow:
            return ports
        wanted = sorted({*listed()[UDP], *(self.declared or {}).get(UDP, ())})
        rate = min(self.manner.rate or 20.0, 20.0)
        asked = await udp_ports.ask(self.address, wanted, rate, self.manner.tries)
        self.packets += asked.sent
        for number, heard in asked.heard.items():
            port = _port(number, UDP, heard.state)
            ports.append(replace(port, service=heard.service, refused_by=heard.refused_by))
        return ports


_DOUBTED = {PortState.DROPPED: PortState.UNKNOWN}
_REFUSED = frozenset((PortState.CLOSED, PortState.REJECTED))
_SPARE = 200
"""Open files that others need."""


@contextlib.contextmanager
def _enough_files(parallel: int) -> Iterator[None]:
    """Let the process have as many sockets as it is to use, if it may."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = parallel + _SPARE
    if soft != resource.RLIM_INFINITY and soft < wanted:
        most = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def _port(number: int, transport: str, state: PortState) -> Port:
    known = listed()[transport].get(number)
    return Port(number, transport, state, known.name if known else "", known.group if known else "")


def _socket(address: str, kind: int) -> socket.socket:
    sock = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, kind)
    sock.setblocking(False)
    return sock


_SUITES = (0xC02F, 0xC02B, 0x009C, 0x002F, 0x00FF)
"""A few that most servers know; to be answered by an alert is to be answered."""


def _hello() -> bytes:
    return ClientHello(0x0303, secrets.token_bytes(32), _SUITES).records()
