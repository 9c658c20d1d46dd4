"""HTTP/1.1 from the client's side, sans I/O: bytes in, answers out, within limits."""

from __future__ import annotations

import contextlib
import zlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime

import h11

from tlscheck.model import Reason
from tlscheck.observations.http.urls import printable

HEAD_LIMIT, BODY_LIMIT, FIELDS_LIMIT = 65_536, 1_048_576, 100
_INTERIM_LIMIT = 8


class BrokenAnswer(Exception):  # noqa: N818 - the peer's fault, not an error of ours
    """What came is no HTTP answer. Carries a reason and never the peer's text (cookies!)."""

    def __init__(self, reason: Reason) -> None:
        super().__init__(str(reason))
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Response:
    """One HTTP answer; lives in memory only, and shows nothing of its content in logs."""

    status: int
    fields: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    """Names in lower case; values are printable."""
    body: bytes = field(default=b"", repr=False)
    whole: bool = True

    def all(self, name: str) -> tuple[str, ...]:
        """Every value of the field *name* (in lower case), in order."""
        return tuple(value for key, value in self.fields if key == name)

    def first(self, name: str) -> str:
        """The first value of the field *name*, else an empty text."""
        return next(iter(self.all(name)), "")


@dataclass(frozen=True, slots=True)
class Hop:
    """One question and its answer."""

    url: str = field(repr=False)
    response: Response
    received: datetime


class Conversation:
    """One connection's questions and answers, without the connection."""

    def __init__(self) -> None:
        self._h11 = h11.Connection(h11.CLIENT, max_incomplete_event_size=HEAD_LIMIT)
        self._received = False
        self._start()

    def ask(
        self,
        host: str,
        path: str,
        agent: str,
        *,
        method: str = "GET",
        fields: Iterable[tuple[str, str]] = (),
        body: bytes = b"",
    ) -> bytes:
        """The bytes of a request; *fields* come in the place of ours of the same name.

        BrokenAnswer: a *path* or a field that no request can carry.
        """
        if self.reusable:
            self._h11.start_next_cycle()
            self._start()
        told = {
            "Host": host,
            "User-Agent": agent,
            "Accept": "text/html,*/*;q=0.8",
            "Accept-Encoding": "identity",
            **({"Content-Length": str(len(body))} if body else {}),
            **dict(fields),
        }
        try:
            request = self._h11.send(
                h11.Request(method=method, target=path, headers=list(told.items()))
            )
            content = self._h11.send(h11.Data(body)) if body else b""
            end = self._h11.send(h11.EndOfMessage())
        except (h11.LocalProtocolError, UnicodeError):
            raise BrokenAnswer(Reason.MALFORMED) from None
        return b"".join(part or b"" for part in (request, content, end))

    def receive(self, data: bytes) -> Response | None:
        """Take bytes as they come, ``b""`` for the end; the answer as soon as it is complete."""
        self._received = self._received or bool(data)
        try:
            self._h11.receive_data(data)
            return self._advance()
        except h11.ProtocolError as error:
            if (cut := self.cut()) is not None:
                return cut
            if error.error_status_hint == 431:
                raise BrokenAnswer(Reason.TOO_LARGE) from None
            raise BrokenAnswer(Reason.MALFORMED if self._received else Reason.CLOSED) from None

    def cut(self) -> Response | None:
        """The answer as far as it has come, if its head has."""
        return self._response(whole=False) if self._head is not None else None

    @property
    def reusable(self) -> bool:
        """Whether another question may follow on the connection."""
        return self._h11.states == {h11.CLIENT: h11.DONE, h11.SERVER: h11.DONE}

    def _start(self) -> None:
        self._head: h11.Response | None = None
        self._body = bytearray()
        self._interim = 0

    def _advance(self) -> Response | None:
        while True:
            match self._h11.next_event():
                case h11.Response() as head:
                    self._head = _limited(head)
                case h11.Data(data=data):
                    self._body += data
                    if len(self._body) > BODY_LIMIT:
                        return self.cut()
                case h11.EndOfMessage():
                    return self._response(whole=True)
                case h11.InformationalResponse(status_code=code):
                    self._interim += 1
                    if code == 101 or self._interim > _INTERIM_LIMIT:
                        raise BrokenAnswer(Reason.MALFORMED)
                case h11.ConnectionClosed():
                    raise BrokenAnswer(Reason.CLOSED)
                case _:  # it needs more
                    return None

    def _response(self, *, whole: bool) -> Response:
        assert self._head is not None
        fields = tuple(
            (name.decode("ascii"), printable(value.decode("utf-8", "replace")))
            for name, value in self._head.headers
        )
        body = bytes(self._body[:BODY_LIMIT])
        return _unpacked(Response(self._head.status_code, fields, body, whole))


def _limited(head: h11.Response) -> h11.Response:
    # h11 weighs a head only while it is incomplete.
    size = sum(len(name) + len(value) for name, value in head.headers)
    if len(head.headers) > FIELDS_LIMIT or size > HEAD_LIMIT:
        raise BrokenAnswer(Reason.TOO_LARGE)
    return head


def _unpacked(response: Response) -> Response:
    """The answer of a server that compresses although it was asked not to."""
    coding = response.first("content-encoding").strip().lower()
    if coding in ("", "identity") or not response.body:
        return response
    body, whole = b"", False
    if coding in ("gzip", "x-gzip", "deflate"):
        inflater = zlib.decompressobj(zlib.MAX_WBITS | 32)
        with contextlib.suppress(zlib.error):
            body = inflater.decompress(response.body, BODY_LIMIT)
            whole = response.whole and inflater.eof
    return Response(response.status, response.fields, body, whole)
