"""DTLS 1.0 to 1.3: hellos as datagrams, and what a server answers in clear.

The hellos, suites and messages are those of TLS; what differs is told here: record and message
headers with numbers, fragments, and the cookie (RFC 4347, RFC 6347, RFC 9147).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import StrEnum

from tlscheck.wire.answer import MOST, FlightReader
from tlscheck.wire.codec import DecodeError, Reader, uint, vector
from tlscheck.wire.hello import ClientHello, Content, Message
from tlscheck.wire.registry import Version

HEADER = 13
"""Bytes of a record's header."""
_FRAGMENT_HEADER = 12
_MOST_MESSAGES = 32
_FATAL, _USER_CANCELED = 2, 90
_ENCRYPTED = range(0x20, 0x40)
"""First bytes of the encrypted records of DTLS 1.3 (RFC 9147, section 4)."""


class DtlsVersion(StrEnum):
    """A version of DTLS. There never was a 1.1."""

    DTLS_1_0 = "DTLS 1.0"
    DTLS_1_2 = "DTLS 1.2"
    DTLS_1_3 = "DTLS 1.3"

    @property
    def code(self) -> int:
        """Its number on the wire; newer versions have smaller ones."""
        return _CODES[self]

    @property
    def like(self) -> Version:
        """The version of TLS that it is made of."""
        return _LIKE[self]

    @classmethod
    def of_code(cls, code: int) -> DtlsVersion | None:
        """The version with that number on the wire, if it is one of these."""
        return _BY_CODE.get(code)


_CODES = dict(zip(DtlsVersion, (0xFEFF, 0xFEFD, 0xFEFC), strict=True))
_BY_CODE = {code: version for version, code in _CODES.items()}
_LIKE = dict(zip(DtlsVersion, (Version.TLS_1_1, Version.TLS_1_2, Version.TLS_1_3), strict=True))


def client_hello(
    hello: ClientHello, *, cookie: bytes = b"", message: int = 0, number: int = 0
) -> bytes:
    """The datagram with *hello*, unfragmented: many servers take no other.

    *message* counts the messages of the handshake and *number* the records of the connection: a
    repetition has the same *message* and a *number* of its own.
    """
    body = hello.body(cookie)
    size = uint(len(body), 3)
    whole = uint(Message.CLIENT_HELLO, 1) + size + uint(message, 2) + bytes(3) + size + body
    # The first version, as RFC 6347 section 4.2.1 has it, for servers that look at nothing else.
    return record(Content.HANDSHAKE, whole, number)


def goodbye(number: int) -> bytes:
    """A fatal alert: the server may forget us."""
    return record(Content.ALERT, bytes((_FATAL, _USER_CANCELED)), number)


def record(content: int, payload: bytes, number: int, version: int = 0xFEFF) -> bytes:
    """One plaintext record."""
    return uint(content, 1) + uint(version, 2) + bytes(2) + uint(number, 6) + vector(payload, 2)


def records(datagram: bytes) -> Iterator[bytes]:
    """Each record of *datagram* with its header; the last may be cut off."""
    while len(datagram) >= HEADER:
        size = HEADER + int.from_bytes(datagram[11:13])
        yield datagram[:size]
        datagram = datagram[size:]


@dataclass
class _Message:
    """A handshake message that comes in pieces."""

    kind: int
    body: bytearray
    here: bytearray
    """A 1 for each byte of the body that has come."""

    def put(self, start: int, piece: bytes) -> None:
        """Take a piece of the body."""
        self.body[start : start + len(piece)] = piece
        self.here[start : start + len(piece)] = b"\x01" * len(piece)

    @property
    def complete(self) -> bool:
        """Whether every byte is there."""
        return 0 not in self.here


class DatagramReader(FlightReader):
    """Takes datagrams as they come, in whatever order, and keeps a `Flight`.

    Versions are told as those of TLS that they are made of; `chosen` has the own one. What cannot
    be read is passed over, as RFC 6347, section 4.1.2.7 wants it, and counted.
    """

    def __init__(self) -> None:
        super().__init__()
        self.cookie: bytes | None = None
        """What a HelloVerifyRequest brought."""
        self.chosen: DtlsVersion | None = None
        """The version of the ServerHello or HelloRetryRequest."""
        self.unread = 0
        """How many datagrams were nothing of DTLS."""
        self._pending: dict[int, _Message] = {}
        self._done: set[int] = set()

    def feed(self, data: bytes) -> None:
        """Take one datagram."""
        self._total += len(data)
        if self._total > MOST:
            self.flight.junk = "the answer does not end"
            return
        try:
            self._datagram(Reader(data))
        except DecodeError:
            self.unread += 1

    def _datagram(self, reader: Reader) -> None:
        while reader:
            content = reader.uint(1)
            if content in _ENCRYPTED:
                self.flight.encrypted = True
                return
            major, _ = reader.uint(1), reader.uint(1)
            epoch, _ = reader.uint(2), reader.take(6)
            payload = reader.vector(2)
            if major != 0xFE:
                raise DecodeError("not a DTLS record")
            if epoch:
                self.flight.encrypted = True
            elif content == Content.ALERT and len(payload) == 2:
                self.flight.alerts.append((payload[0], payload[1]))
            elif content == Content.HANDSHAKE:
                self._fragments(Reader(payload))

    def _fragments(self, reader: Reader) -> None:
        while reader:
            kind, size, number = reader.uint(1), reader.uint(3), reader.uint(2)
            start, length = reader.uint(3), reader.uint(3)
            piece = reader.take(length)
            if size > MOST or start + length > size or number >= _MOST_MESSAGES:
                raise DecodeError("a fragment that does not fit")
            if number in self._done:
                continue
            message = self._pending.get(number)
            if message is None:
                if size + sum(len(m.body) for m in self._pending.values()) > MOST:
                    raise DecodeError("more is announced than an answer may have")
                message = _Message(kind, bytearray(size), bytearray(size))
                self._pending[number] = message
            if (message.kind, len(message.body)) == (kind, size):
                message.put(start, piece)
        self._deliver()

    def _deliver(self) -> None:
        """Hand on what is complete, in order; what a ServerHello must precede waits for it."""
        for number in sorted(self._pending):
            message = self._pending[number]
            first = message.kind in (Message.SERVER_HELLO, Message.HELLO_VERIFY_REQUEST)
            if message.complete and (first or self.flight.hello):
                del self._pending[number]
                # The answer to the hello with the cookie may begin with the same number again.
                if message.kind != Message.HELLO_VERIFY_REQUEST:
                    self._done.add(number)
                self._message(message.kind, Reader(bytes(message.body)))

    def _message(self, kind: int, body: Reader) -> None:
        if kind == Message.HELLO_VERIFY_REQUEST:
            body.take(2)
            self.cookie = body.vector(1)
            return
        super()._message(kind, body)
        if kind != Message.SERVER_HELLO:
            return
        flight = self.flight
        hello = flight.hello or flight.retry
        assert hello is not None
        self.chosen = DtlsVersion.of_code(hello.version)
        if self.chosen is None:
            flight.hello = flight.retry = None
            raise DecodeError("a ServerHello of no version of DTLS")
        known = replace(hello, version=self.chosen.like.code)
        if hello.retry:
            flight.retry = known
        else:
            flight.hello = known
