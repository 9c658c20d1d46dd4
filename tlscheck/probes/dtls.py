"""DTLS by hellos: which versions and suites a server takes, whether it asks for a cookie first.

A server is offered everything, what it chooses is struck out, and so on until it refuses. Every
refusal is met twice, and counts only where a hello that is known to be answered still is; silence
counts for nothing.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime

from tlscheck.model import Missed, Place, Reason, State
from tlscheck.net import Net, NetError, now
from tlscheck.observations.certificate import certificate
from tlscheck.observations.knowledge import SUITE, candidates
from tlscheck.observations.turn import Dtls, TurnObservation
from tlscheck.probes.datagrams import connected
from tlscheck.probes.dtls_hello import Heard, Question, Talk, chunks
from tlscheck.wire.answer import Flight
from tlscheck.wire.dtls import DtlsVersion, goodbye

SUBJECT = "turn"
GAP = 0.05
"""Seconds between two hellos: at most twenty a second."""
SECONDS = 6.0
"""For one question with all its repetitions."""
BACK_OFFS = (1.0, 3.0)
"""Seconds to wait before each further canary once one failed; then we are shut out."""
NEEDED = 2
"""How often a refusal must be met."""
_MOST_TURNS = 4
_ORDER = (DtlsVersion.DTLS_1_2, DtlsVersion.DTLS_1_3, DtlsVersion.DTLS_1_0)
_PROTOCOL_VERSION = 70


async def probe(
    net: Net,
    address: str,
    port: int,
    service: str = "dtls",
    *,
    host: str = "",
    sni: str | None = None,
    at: datetime | None = None,
) -> TurnObservation | Missed:
    """What *address* takes of DTLS at the UDP port *port*, whatever is behind it."""
    at = at or now()
    found = await look(net, Place(host or address, port, service, address, sni))
    if found.answers is not State.ACCEPTED:
        return Missed(SUBJECT, Reason(found.detail), "no DTLS was answered at the UDP port")
    return TurnObservation(at=at, service=service, address=address, dtls=found)


async def look(net: Net, place: Place) -> Dtls:
    """What can be known of DTLS at *place*, within the budget of a look."""
    asking = _Look(net, place)
    try:
        async with asyncio.timeout(net.budget):
            await asking.run()
    except TimeoutError:
        asking.detail = asking.detail or Reason.BUDGET
    return asking.told()


@dataclass
class _Taken:
    """What is known of one version so far."""

    suites: list[str] = field(default_factory=list)
    claims: Counter[str] = field(default_factory=Counter)
    """How often each suite was refused, between good canaries."""
    number_refused: int = 0
    """How often the version itself was."""
    alerts: set[int] = field(default_factory=set)

    def state(self, version: DtlsVersion) -> State:
        """Whether the version is taken."""
        if self.suites:
            return State.ACCEPTED
        all_refused = all(self.claims[n] >= NEEDED for n in candidates(version.like, SUITE))
        refused = self.number_refused >= NEEDED or all_refused
        return State.REFUSED if refused else State.UNKNOWN


class _Look:
    """One look at one UDP port."""

    def __init__(self, net: Net, place: Place) -> None:
        self._net = net
        self._place = place
        self._gap = GAP
        self._next = 0.0
        self._hellos = 0
        self._taken = {version: _Taken() for version in DtlsVersion}
        self._canary: Question | None = None
        self._healthy = State.UNKNOWN
        self._spoke = False
        """Something of DTLS was answered."""
        self._chain: tuple[bytes, ...] = ()
        self._verified: set[bool] = set()
        self._largest = (0, 0)
        self.detail: str = ""

    async def run(self) -> None:
        """Ask all there is to ask."""
        if not await self._begin():
            return
        for version in _ORDER:
            if self._healthy is State.REFUSED:
                return
            await self._settle(version)

    def told(self) -> Dtls:
        """What is known now."""
        states = {version: self._taken[version].state(version) for version in DtlsVersion}
        return Dtls(
            answers=State.ACCEPTED if self._spoke else State.UNKNOWN,
            versions=states,
            suites={v: tuple(self._taken[v].suites) for v, s in states.items() if _is_taken(s)},
            unknown={v: tuple(self._left(v)) for v, s in states.items() if _is_taken(s)},
            alerts={v: tuple(sorted(t.alerts)) for v, t in self._taken.items() if t.alerts},
            cookie=self._cookie(),
            asked_bytes=self._largest[0],
            answered_bytes=self._largest[1],
            certificate=certificate(self._chain[0]) if self._chain else None,
            certificates=len(self._chain),
            canary=self._healthy,
            hellos=self._hellos,
            detail="" if self._spoke else self.detail or Reason.TIMEOUT,
        )

    def _left(self, version: DtlsVersion) -> Iterator[str]:
        taken = self._taken[version]
        for name in candidates(version.like, SUITE):
            if name not in taken.suites and taken.claims[name] < NEEDED:
                yield name

    def _cookie(self) -> State:
        if False in self._verified:
            return State.REFUSED
        return State.ACCEPTED if self._verified else State.UNKNOWN

    # -- what to ask --------------------------------------------------------------------------

    async def _begin(self) -> bool:
        """Find a hello that is answered: the canary."""
        likely = [Question(version, tuple(chunks(version)[0])) for version in _ORDER]
        for question in (*likely, likely[0]):
            if await self._is_canary(question):
                return True
        # Refused in words: it may take nothing but what is unlikely.
        if any(taken.alerts for taken in self._taken.values()):
            for version in (DtlsVersion.DTLS_1_2, DtlsVersion.DTLS_1_0):
                for chunk in chunks(version)[1:]:
                    if await self._is_canary(Question(version, tuple(chunk))):
                        return True
        return False

    async def _is_canary(self, question: Question) -> bool:
        heard = await self._ask(question)
        self.detail = self.detail or heard.trouble or ""
        if heard.version is None:
            return False
        self._canary, self._healthy = question, State.ACCEPTED
        return True

    async def _settle(self, version: DtlsVersion) -> None:
        """Everything of *version*, once and then once more in the other order; what was lost on
        the way, again.
        """
        good = 0
        for _ in range(_MOST_TURNS):
            refused, by_number = await self._turn(version, backwards=good % 2 == 1)
            if await self._is_alive():
                taken = self._taken[version]
                taken.claims.update(refused)
                taken.number_refused += by_number
                good += 1
            elif not await self._recover():
                return
            if good >= NEEDED and not self._wavers(version):
                return

    def _wavers(self, version: DtlsVersion) -> bool:
        """Whether something was refused, though not as often as it takes: an answer was lost."""
        taken = self._taken[version]
        return any(0 < taken.claims[name] < NEEDED for name in self._left(version))

    async def _turn(self, version: DtlsVersion, *, backwards: bool) -> tuple[list[str], bool]:
        """Strike out what is chosen until all is refused: the suites that were, and whether the
        version itself was.
        """
        taken, refused = self._taken[version], []
        for chunk in chunks(version):
            open_names = {*self._left(version)}
            names = [name for name in chunk if name in open_names]
            while names:
                heard = await self._ask(
                    Question(version, tuple(names[::-1] if backwards else names))
                )
                if heard.version is version and heard.suite in names:
                    names.remove(heard.suite)
                    continue
                if heard.alert is not None:
                    refused += names
                older = heard.version is not None and heard.version.code > version.code
                if not taken.suites and (older or heard.alert == _PROTOCOL_VERSION):
                    return [], True
                break
        return refused, False

    async def _is_alive(self) -> bool:
        """Whether the known-good hello is answered still."""
        assert self._canary is not None
        heard = await self._ask(self._canary)
        good = heard.version is not None
        self._healthy = State.ACCEPTED if good else State.REFUSED
        return good

    async def _recover(self) -> bool:
        """After a dead canary: wait, and go on more slowly. False: we are shut out."""
        for wait in BACK_OFFS:
            self._gap *= 2
            await asyncio.sleep(wait)
            if await self._is_alive():
                return True
        return False

    # -- the wire -----------------------------------------------------------------------------

    async def _ask(self, question: Question) -> Heard:
        try:
            heard = await self._exchange(question)
        except NetError as error:
            return Heard(Flight(), trouble=error.reason)
        self._spoke = self._spoke or heard.verified or bool(heard.version or heard.flight.alerts)
        self._chain = self._chain or heard.flight.certificates
        if heard.alert is not None:
            self._taken[question.version].alerts.add(heard.alert)
        if heard.version is not None and heard.suite in question.suites:
            own = self._taken[heard.version].suites
            own.extend([heard.suite] if heard.suite not in own else [])
        if heard.version is not None and (heard.verified or _judges_cookies(heard)):
            self._verified.add(heard.verified)
        if heard.version is not None and not heard.verified and heard.received > self._largest[1]:
            self._largest = heard.sent, heard.received
        return heard

    async def _exchange(self, question: Question) -> Heard:
        """One question on a socket of its own, its cookie and its repetitions."""
        talk = Talk(question.hello(self._place.sni))
        async with connected(self._net, self._place, SECONDS) as socket:
            loop = asyncio.get_running_loop()
            trouble: Reason | None = None
            while (wait := talk.wait()) is not None:
                if data := talk.to_send():
                    await self._polite()
                    socket.send(data)
                    until = loop.time() + wait
                try:
                    talk.feed(await socket.receive(until - loop.time()))
                except NetError as error:
                    if error.reason is not Reason.TIMEOUT or not talk.lost() or socket.left() <= 0:
                        trouble = error.reason
                        break
            if talk.has_partner:
                socket.send(goodbye(talk.number))
        return talk.heard(trouble)

    async def _polite(self) -> None:
        loop = asyncio.get_running_loop()
        wait = self._next - loop.time()
        self._next = max(self._next, loop.time()) + self._gap
        self._hellos += 1
        if wait > 0:
            await asyncio.sleep(wait)


def _judges_cookies(heard: Heard) -> bool:
    """Whether an answer without a cookie shows that none is asked for.

    A HelloRetryRequest is no larger than its hello; a server may ask for a cookie or not.
    """
    return heard.flight.retry is None


def _is_taken(state: State) -> bool:
    return state is State.ACCEPTED
