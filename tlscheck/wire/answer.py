"""The answer: what a server says in clear, read as the bytes come.

A `Flight` is what could be read so far; nothing here judges it. Nonsense is recorded as such, never
raised: a peer may send anything.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from tlscheck.text import _N
from tlscheck.wire.codec import DecodeError, Reader
from tlscheck.wire.hello import Content, Extension, Message, parse_extensions
from tlscheck.wire.registry import SUITE_BY_CODE

RETRY = bytes.fromhex("cf21ad74e59a6111be1d8c021e65b891c2a211167abb8c5e079e09e2c8a8339c")
"""SHA-256 of "HelloRetryRequest": the random of a HelloRetryRequest (RFC 8446, section 4.1.3)."""
MOST = 1 << 18
"""Bytes read of one answer: twice the largest certificate chain seen in the wild."""
_RECORDS = frozenset((20, 21, 22, 23, 24))


@dataclass(frozen=True, slots=True)
class ServerHello:
    """ServerHello or HelloRetryRequest."""

    version: int
    """The version chosen: ``supported_versions`` where there is one, else the legacy field."""
    suite: int
    session_id: bytes
    compression: int
    extensions: Mapping[int, bytes]
    retry: bool = False

    @property
    def group(self) -> int | None:
        """The group that ``key_share`` names (TLS 1.3)."""
        body = self.extensions.get(Extension.KEY_SHARE, b"")
        return int.from_bytes(body[:2]) if len(body) >= 2 else None


@dataclass(frozen=True, slots=True)
class KeyExchange:
    """ServerKeyExchange."""

    group: int | None = None
    """The named curve; ``None`` for finite fields, explicit curves and the rest."""
    prime: bytes = b""
    generator: bytes = b""
    scheme: int | None = None
    """The signature scheme (TLS 1.2)."""
    rsa_modulus: bytes = b""
    """The temporary key of EXPORT suites."""


@dataclass(frozen=True, slots=True)
class CertificateRequest:
    """CertificateRequest of TLS 1.2 and before."""

    schemes: tuple[int, ...] = ()
    authorities: tuple[bytes, ...] = ()
    """Distinguished names, DER."""


@dataclass
class Flight:
    """What a server has said so far."""

    hello: ServerHello | None = None
    retry: ServerHello | None = None
    certificates: tuple[bytes, ...] = ()
    key_exchange: KeyExchange | None = None
    request: CertificateRequest | None = None
    status: bytes = b""
    """A stapled OCSP response, DER."""
    done: bool = False
    """ServerHelloDone was there."""
    alerts: list[tuple[int, int]] = field(default_factory=list)
    """Level and description of each."""
    ssl2_kinds: tuple[int, ...] | None = None
    """The cipher kinds of an SSL 2.0 SERVER-HELLO."""
    ssl2_certificate: bytes = b""
    encrypted: bool = False
    junk: str = ""
    """Why the answer is no TLS, or broken TLS."""

    @property
    def fatal(self) -> int | None:
        """The alert that ended it: the first fatal one, or a close_notify."""
        return next((what for level, what in self.alerts if level != 1 or what == 0), None)


class FlightReader:
    """Takes bytes as they come and keeps a `Flight`."""

    def __init__(self) -> None:
        self.flight = Flight()
        self._records = b""
        self._messages = b""
        self._total = 0

    @property
    def complete(self) -> bool:
        """Whether nothing that is worth waiting for can follow in clear."""
        flight = self.flight
        return bool(
            flight.done
            or flight.junk
            or flight.fatal is not None
            or flight.ssl2_kinds is not None
            or (flight.hello and flight.hello.version >= 0x0304)
        )

    @property
    def paused(self) -> bool:
        """Whether a HelloRetryRequest waits for its second hello."""
        return self.flight.retry is not None and self.flight.hello is None

    def feed(self, data: bytes) -> None:
        """Take bytes; whatever they are, `flight` says."""
        self._total += len(data)
        self._records += data
        try:
            if self._total > MOST:
                raise DecodeError("the answer does not end")
            self._read()
        except DecodeError as error:
            self.flight.junk = str(error)

    def _read(self) -> None:
        while self._records and not self.flight.junk:
            if self._records[0] not in _RECORDS:
                self._other()
                return
            if len(self._records) < 5:
                return
            size = int.from_bytes(self._records[3:5])
            if self._records[1] != 3 or size > (1 << 14) + 2048:
                raise DecodeError("not a TLS record")
            if len(self._records) < 5 + size:
                return
            content, payload = self._records[0], self._records[5 : 5 + size]
            self._records = self._records[5 + size :]
            self._record(content, payload)

    def _record(self, content: int, payload: bytes) -> None:
        if content == Content.ALERT:
            if len(payload) == 2 and not self.flight.encrypted:
                self.flight.alerts.append((payload[0], payload[1]))
            else:
                self.flight.encrypted = True
        elif content == Content.HANDSHAKE and not self.flight.encrypted:
            self._messages += payload
            while len(self._messages) >= 4:
                size = 4 + int.from_bytes(self._messages[1:4])
                if size > MOST:
                    raise DecodeError("a handshake message is too long")
                if len(self._messages) < size:
                    return
                message, self._messages = self._messages[:size], self._messages[size:]
                self._message(message[0], Reader(message[4:]))
        elif content != Content.CHANGE_CIPHER_SPEC:
            self.flight.encrypted = True

    def _message(self, kind: int, body: Reader) -> None:
        flight = self.flight
        if kind == Message.SERVER_HELLO:
            hello = _server_hello(body)
            if hello.retry:
                flight.retry = hello
            else:
                flight.hello = hello
        elif flight.hello is None:
            raise DecodeError(f"handshake message {kind} before the ServerHello")
        elif kind == Message.CERTIFICATE:
            flight.certificates = _certificates(body)
        elif kind == Message.SERVER_KEY_EXCHANGE:
            flight.key_exchange = _key_exchange(flight.hello, body)
        elif kind == Message.CERTIFICATE_REQUEST:
            flight.request = _certificate_request(flight.hello, body)
        elif kind == Message.CERTIFICATE_STATUS:
            if body.uint(1) == 1:
                flight.status = body.vector(3)
        elif kind == Message.SERVER_HELLO_DONE:
            flight.done = True

    def _other(self) -> None:
        """SSL 2.0, or something that is not TLS at all: the first bytes tell."""
        data = self._records
        if data[0] & 0x80:
            if len(data) < 3:
                return
            size = int.from_bytes(data[:2]) & 0x7FFF
            if data[2] not in (0, 4):
                raise DecodeError("not a TLS record")
            if len(data) < 2 + size:
                return
            if data[2] == 0:
                raise DecodeError("an SSL 2.0 error message")
            self._ssl2(Reader(data[3 : 2 + size]))
            self._records = b""
            return
        raise DecodeError(_guess(data))

    def _ssl2(self, body: Reader) -> None:
        body.take(2)
        if body.uint(2) != 2:
            raise DecodeError("an SSL 2.0 SERVER-HELLO of another version")
        certificate, kinds, _connection = (body.uint(2) for _ in range(3))
        self.flight.ssl2_certificate = body.take(certificate)
        codes = Reader(body.take(kinds))
        self.flight.ssl2_kinds = tuple(codes.uint(3) for _ in range(kinds // 3))


def read_flight(received: bytes) -> Flight:
    """The flight in bytes that were kept."""
    reader = FlightReader()
    reader.feed(received)
    return reader.flight


def _guess(data: bytes) -> str:
    for start, what in (
        (b"HTTP/", _N("an HTTP answer")),
        (b"SSH-", _N("an SSH banner")),
        (b"220", _N("a greeting in clear text")),
        (b"+OK", _N("a greeting in clear text")),
        (b"* OK", _N("a greeting in clear text")),
        (b"<", _N("markup")),
    ):
        if data.startswith(start):
            return what
    return _N("not a TLS record")


def _server_hello(body: Reader) -> ServerHello:
    version, random = body.uint(2), body.take(32)
    session_id, suite, compression = body.vector(1), body.uint(2), body.uint(1)
    extensions = dict(parse_extensions(body.vector(2))) if body else {}
    chosen = extensions.get(Extension.SUPPORTED_VERSIONS, b"")
    return ServerHello(
        version=int.from_bytes(chosen) if len(chosen) == 2 else version,
        suite=suite,
        session_id=session_id,
        compression=compression,
        extensions=extensions,
        retry=random == RETRY,
    )


def _certificates(body: Reader) -> tuple[bytes, ...]:
    chain, found = Reader(body.vector(3)), []
    while chain:
        found.append(chain.vector(3))
    return tuple(found)


def _key_exchange(hello: ServerHello, body: Reader) -> KeyExchange:
    suite = SUITE_BY_CODE.get(hello.suite)
    if suite is None:
        return KeyExchange()
    if suite.key_exchange.endswith("PSK"):
        body.vector(2)
    group, prime, generator, modulus = None, b"", b"", b""
    if suite.elliptic:
        if body.uint(1) != 3:
            return KeyExchange()
        group = body.uint(2)
        body.vector(1)
    elif suite.finite:
        prime, generator = body.vector(2), body.vector(2)
        body.vector(2)
    elif suite.export and suite.key_exchange == "RSA":
        modulus = body.vector(2)
        body.vector(2)
    else:
        return KeyExchange()
    scheme = body.uint(2) if suite.signed and hello.version == 0x0303 and len(body) >= 4 else None
    return KeyExchange(group, prime, generator, scheme, modulus)


def _certificate_request(hello: ServerHello, body: Reader) -> CertificateRequest:
    body.vector(1)
    schemes = body.uints(2, 2) if hello.version == 0x0303 else ()
    names, found = Reader(body.vector(2)), []
    while names:
        found.append(names.vector(2))
    return CertificateRequest(schemes, tuple(found))
