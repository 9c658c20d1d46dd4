"""The questions by HTTP to one port: one at a time, a random path first, and no redirect followed.

Only the first answer to each is read. Who does not answer twice running is asked for the random
path again; who has fallen silent is left alone, and the rest is not known.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import secrets
from collections.abc import Iterable
from dataclasses import dataclass

from tlscheck.model import Place, Reason, State
from tlscheck.net import Net, NetError
from tlscheck.observations.http import BrokenAnswer, Conversation, Response
from tlscheck.observations.http.urls import printable, url_host
from tlscheck.observations.tls import Demand
from tlscheck.observations.vpn import (
    Answer,
    Asked,
    Confidence,
    Hit,
    Impact,
    Markers,
    Probe,
    Proof,
    Unanswered,
    matched,
    names,
)
from tlscheck.observations.vpn.markers import CERTIFICATE, CONTROL, ROOT
from tlscheck.probes.http import AGENT
from tlscheck.probes.live import Identity, Live, Refused, handshake
from tlscheck.probes.vpn.raw import head_of
from tlscheck.wire import head

MOST_CANARIES = 3
"""How often one may fall silent and come back."""
_RUNNING = 2
"""So many questions without an answer, one after another, ask for a look at the random path."""
_HTTP = b"HTTP/"
_TOO_MANY, _UNAVAILABLE = 429, 503
_BARS = frozenset({Reason.BANNED, Reason.BUDGET, Reason.FILTERED, Reason.LIMITED})
_SPOKEN = (Reason.CLIENT_CERTIFICATE, Reason.HANDSHAKE)


@dataclass(frozen=True, slots=True)
class Print:
    """By what an answer is known from others."""

    status: int
    kind: str
    """Its type of content."""
    digest: str
    """Of its body."""

    @classmethod
    def of(cls, response: Response) -> Print:
        """That of one answer."""
        kind = response.first("content-type").partition(";")[0].strip().lower()
        return cls(response.status, kind, hashlib.sha256(response.body).hexdigest())


class Web:
    """One port's answers, and the marks in them."""

    def __init__(
        self, net: Net, place: Place, markers: Markers, client_identity: Identity | None
    ) -> None:
        self.tls = State.UNKNOWN
        self.web = State.UNKNOWN
        self.demand = Demand.UNKNOWN
        self.hits: list[Hit] = []
        self.void: list[str] = []
        self.elsewhere: list[str] = []
        self.sent: list[str] = []
        self.statuses: dict[str, int] = {}
        """Of the answers, by probe."""
        self.prints: dict[str, Print] = {}
        self.unanswered: list[Unanswered] = []
        self.host = url_host(place.host) + ("" if place.port == 443 else f":{place.port}")
        """As it stands in the field Host."""
        self._net = net
        self._place = place
        self._markers = markers
        self._identity = client_identity
        self._control: Answer | None = None
        self.stopped: Reason | None = None
        """Why nothing more is asked, if so."""
        self._silent = 0
        """Questions without an answer, one after another."""
        self._canaries = 0
        self._open = contextlib.AsyncExitStack()
        self._live: Live | None = None
        self._conversation = Conversation()

    @property
    def sure(self) -> bool:
        """Whether a mark leaves no doubt that an SSL-VPN answers."""
        return any(
            hit.proves is Proof.FUNCTION and hit.confidence is Confidence.HIGH for hit in self.hits
        )

    @property
    def barred(self) -> Reason | None:
        """Why nothing more at all may be asked, if so."""
        return self.stopped if self.stopped in _BARS else None

    @property
    def complete(self) -> bool:
        """Whether nothing kept a question from being asked; without TLS there is none to ask."""
        spoken = self.tls is State.ACCEPTED
        return self.barred is None and (not spoken or self._control is not None)

    async def first(self) -> None:
        """The certificates, the random path and the first page: what every port is asked."""
        await self.ask(CONTROL)
        await self.ask(ROOT)

    async def ask(self, id: str) -> None:
        """Send the probe *id*, unless it was sent or it is of no use any more."""
        if id in self.sent:
            return
        if self.stopped is not None:
            self.unanswered.append(Unanswered(id, self.stopped, sent=False))
            return
        probe = self._markers.probes[id]
        self.sent.append(id)
        asked = self._question(probe)
        try:
            response = await self._answer(probe, asked)
        except NetError as error:
            self.unanswered.append(Unanswered(id, error.reason))
            await self._note_silence(error)
            return
        self.web = State.ACCEPTED
        self._silent = 0
        if self._limits(response):
            self.stopped = Reason.LIMITED
            self.unanswered.append(Unanswered(id, Reason.LIMITED))
            return
        self.statuses[id] = response.status
        self.prints[id] = Print.of(response)
        answer = Answer(id, response)
        if id == CONTROL:
            self._control = answer
        await self._match(answer, asked)

    async def again(self, id: str = CONTROL) -> Print | None:
        """What a random path, or the probe *id*, brings now; ``None``: no answer."""
        probe = self._markers.probes[id]
        try:
            return Print.of(await self._answer(probe, self._question(probe)))
        except NetError:
            return None

    async def stop(self, reason: Reason) -> None:
        """Ask nothing more."""
        self.stopped = self.stopped or reason
        await self.close()

    async def close(self) -> None:
        """Let go of the connection."""
        self._live = None
        await self._open.aclose()

    def more(self, ids: Iterable[str]) -> list[str]:
        """Which of the probes *ids* are still to be asked.

        None where the random path got no answer: nothing on a page would count.
        """
        return [id for id in ids if id not in self.sent] if self._control else []

    # -- one question ------------------------------------------------------------------------------

    def _question(self, probe: Probe) -> Asked:
        path = probe.path.replace("{random}", secrets.token_hex(8))
        body = probe.body.replace("{host}", self.host)
        fields = {"User-Agent": AGENT} | dict(probe.fields)
        return Asked(self.host, path, tuple(fields.items()), body)

    async def _answer(self, probe: Probe, asked: Asked) -> Response:
        """The answer over the connection that is open, if it lasts, else over another."""
        if probe.head_only:
            await self.close()
            fields = (("Host", asked.host), ("Connection", "Upgrade"), *asked.fields)
            question = head.request(probe.method, asked.path, fields)
            found = await head_of(self._net, self._place, question, self._identity)
            told = tuple((name, printable(value)) for name, value in found.fields)
            return Response(found.status, told)
        if probe.impact is not Impact.PASSIVE:  # they may leave a connection in any state
            await self.close()
        if self._live is not None:
            with contextlib.suppress(NetError):
                return await self._exchange(self._live, probe, asked)
            await self.close()
        return await self._exchange(await self._connected(), probe, asked)

    async def _connected(self) -> Live:
        self._conversation = Conversation()
        try:
            live = await self._open.enter_async_context(
                handshake(self._net, self._place, client_identity=self._identity)
            )
        except NetError as error:
            self._note_handshake(error)
            raise
        self._live = live
        if self.tls is not State.ACCEPTED:
            self.tls = State.ACCEPTED
            self.demand = Demand.UNKNOWN if live.requested else Demand.NONE
            self.sent.insert(0, CERTIFICATE)
            answer = await asyncio.to_thread(names, live.presented.chain)
            await self._match(answer, Asked(self.host, ""))
        return live

    async def _exchange(self, live: Live, probe: Probe, asked: Asked) -> Response:
        talk = self._conversation
        try:
            await live.send(
                talk.ask(
                    asked.host,
                    asked.path,
                    AGENT,
                    method=probe.method,
                    fields=asked.fields,
                    body=asked.body.encode(),
                )
            )
            data = await live.receive()
            if data[: len(_HTTP)] != _HTTP[: len(data)]:  # a greeting may lack all that ends a head
                raise BrokenAnswer(Reason.MALFORMED)
            while (response := talk.receive(data)) is None:
                data = await live.receive()
        except BrokenAnswer as broken:
            await self.close()
            raise NetError(broken.reason) from None
        except NetError as error:
            await self.close()
            self._note_handshake(error)
            if (response := talk.cut()) is None:
                raise
        without = live.requested and self._identity is None
        if without and self.demand is Demand.UNKNOWN:
            self.demand = Demand.REQUESTED
        if not talk.reusable:
            await self.close()
        return response

    # -- what came of it ---------------------------------------------------------------------------

    async def _match(self, answer: Answer, asked: Asked) -> None:
        # A stranger's page may take a while to read; other looks' deadlines go on meanwhile.
        found = await asyncio.to_thread(
            matched, self._markers, answer, asked, self._control, self._place.host
        )
        self.hits += found.hits
        self.void += found.void
        self.elsewhere += found.elsewhere
        for hit in found.hits:
            if hit.proves is Proof.CLIENT_CERTIFICATE and self.demand is not Demand.REQUIRED:
                self.demand = Demand.REQUIRED_HTTP

    def _limits(self, response: Response) -> bool:
        """Whether the server says that we ask too much."""
        control = self._control.response.status if self._control else None
        return response.status == _TOO_MANY or (
            response.status == _UNAVAILABLE and control not in (None, _UNAVAILABLE)
        )

    def _note_handshake(self, error: NetError) -> None:
        if error.reason is Reason.CLIENT_CERTIFICATE:
            self.demand = Demand.REQUIRED
        if error.reason in _SPOKEN and isinstance(error, Refused) and error.alert is not None:
            self.tls = State.ACCEPTED
        elif error.reason is Reason.NOT_TLS and self.tls is State.UNKNOWN:
            self.tls = State.REFUSED

    async def _note_silence(self, error: NetError) -> None:
        """Find out whether it is this question that gets no answer, or any."""
        self._silent += 1
        if self.web is not State.ACCEPTED:
            lost = self.tls is not State.ACCEPTED or self.demand is Demand.REQUIRED
            if lost or self._silent >= _RUNNING:  # nothing was ever heard
                self.stopped = error.reason
        elif self._silent >= _RUNNING:
            self._silent = 0
            self._canaries += 1
            if self._canaries > MOST_CANARIES:
                self.stopped = Reason.FILTERED
                return
            if await self.again() is None:
                self.stopped = Reason.BANNED
