"""The question: ClientHello of SSL 2.0 to TLS 1.3, as values that are bytes and back.

`random`, session id and shares are fields: the same value gives the same bytes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import IntEnum
from functools import cached_property

from tlscheck.wire.codec import DecodeError, Reader, uint, uints, vector


class Content(IntEnum):
    """Record content types."""

    CHANGE_CIPHER_SPEC = 20
    ALERT = 21
    HANDSHAKE = 22
    APPLICATION_DATA = 23
    HEARTBEAT = 24


class Message(IntEnum):
    """Handshake message types that we send or read."""

    CLIENT_HELLO = 1
    SERVER_HELLO = 2
    HELLO_VERIFY_REQUEST = 3
    CERTIFICATE = 11
    SERVER_KEY_EXCHANGE = 12
    CERTIFICATE_REQUEST = 13
    SERVER_HELLO_DONE = 14
    CERTIFICATE_STATUS = 22


class Extension(IntEnum):
    """Extension types that we build or read."""

    SERVER_NAME = 0
    STATUS_REQUEST = 5
    SUPPORTED_GROUPS = 10
    EC_POINT_FORMATS = 11
    SIGNATURE_ALGORITHMS = 13
    HEARTBEAT = 15
    ALPN = 16
    SIGNED_CERTIFICATE_TIMESTAMP = 18
    PADDING = 21
    ENCRYPT_THEN_MAC = 22
    EXTENDED_MASTER_SECRET = 23
    SESSION_TICKET = 35
    SUPPORTED_VERSIONS = 43
    COOKIE = 44
    PSK_KEY_EXCHANGE_MODES = 45
    SIGNATURE_ALGORITHMS_CERT = 50
    KEY_SHARE = 51
    RENEGOTIATION_INFO = 0xFF01


RENEGOTIATION_SCSV = 0x00FF
FALLBACK_SCSV = 0x5600
_MOST = 1 << 14
"""The largest record payload (RFC 8446, section 5.1)."""

Extensions = tuple[tuple[int, bytes], ...]


@dataclass(frozen=True)
class ClientHello:
    """A ClientHello of SSL 3.0 to TLS 1.3."""

    version: int
    """``legacy_version``; at most 0x0303."""
    random: bytes
    suites: tuple[int, ...]
    session_id: bytes = b""
    compressions: bytes = b"\x00"
    extensions: Extensions | None = ()
    """``None`` leaves the whole block out, as SSL 3.0 clients do."""
    record_version: int = 0x0301

    def message(self) -> bytes:
        """The handshake message, header included."""
        return uint(Message.CLIENT_HELLO, 1) + vector(self.body(), 3)

    def body(self, cookie: bytes | None = None) -> bytes:
        """The message without its header; that of DTLS has a *cookie*, be it an empty one."""
        body = uint(self.version, 2) + self.random + vector(self.session_id, 1)
        if cookie is not None:
            body += vector(cookie, 1)
        body += uints(self.suites, 2, 2) + vector(self.compressions, 1)
        if self.extensions is not None:
            body += vector(b"".join(uint(t, 2) + vector(b, 2) for t, b in self.extensions), 2)
        return body

    def records(self) -> bytes:
        """The message in as few records as it fits."""
        message = self.message()
        return b"".join(
            record(Content.HANDSHAKE, message[i : i + _MOST], self.record_version)
            for i in range(0, len(message), _MOST)
        )

    @classmethod
    def parse(cls, body: bytes, record_version: int = 0x0301) -> ClientHello:
        """The hello from its message *body* (without the four header bytes)."""
        reader = Reader(body)
        version, random = reader.uint(2), reader.take(32)
        session_id = reader.vector(1)
        suites, compressions = reader.uints(2, 2), reader.vector(1)
        extensions = parse_extensions(reader.vector(2)) if reader else None
        return cls(version, random, suites, session_id, compressions, extensions, record_version)

    @cached_property
    def _by_type(self) -> dict[int, bytes]:
        return dict(self.extensions or ())

    def extension(self, kind: int) -> bytes | None:
        """The body of the extension *kind*, ``None`` where the hello has none."""
        return self._by_type.get(kind)

    def numbers(self, kind: int) -> tuple[int, ...]:
        """The two-byte code points that a list extension offers."""
        body = self.extension(kind)
        return Reader(body).uints(2, 2) if body else ()

    @cached_property
    def versions(self) -> tuple[int, ...]:
        """What ``supported_versions`` offers, empty without that extension."""
        body = self.extension(Extension.SUPPORTED_VERSIONS)
        return Reader(body).uints(2, 1) if body else ()

    @cached_property
    def shares(self) -> tuple[int, ...]:
        """The groups of the key shares."""
        body = self.extension(Extension.KEY_SHARE)
        reader, found = Reader(Reader(body).vector(2) if body else b""), []
        while reader:
            found.append(reader.uint(2))
            reader.vector(2)
        return tuple(found)

    def answering(self, retry_group: int, share: bytes, cookie: bytes | None) -> ClientHello:
        """The second hello that a HelloRetryRequest asks for (RFC 8446, section 4.1.2)."""
        extensions = [
            (kind, key_shares([(retry_group, share)]) if kind == Extension.KEY_SHARE else body)
            for kind, body in self.extensions or ()
            if kind != Extension.PADDING
        ]
        if cookie is not None:
            extensions.append((Extension.COOKIE, cookie))
        return replace(self, extensions=tuple(extensions), record_version=0x0303)


@dataclass(frozen=True)
class Ssl2Hello:
    """CLIENT-HELLO of SSL 2.0 (draft-hickman-netscape-ssl-00), two-byte record header."""

    kinds: tuple[int, ...]
    """Three-byte CIPHER-KIND codes."""
    challenge: bytes

    def records(self) -> bytes:
        """The message with its record header."""
        kinds = b"".join(uint(kind, 3) for kind in self.kinds)
        body = b"\x01\x00\x02" + uint(len(kinds), 2) + b"\x00\x00"
        body += uint(len(self.challenge), 2) + kinds + self.challenge
        return uint(0x8000 | len(body), 2) + body


def record(content: int, payload: bytes, version: int = 0x0303) -> bytes:
    """One plaintext record."""
    return uint(content, 1) + uint(version, 2) + vector(payload, 2)


def parse_extensions(block: bytes) -> Extensions:
    """The extensions of a block, in order, unknown ones kept."""
    reader, found = Reader(block), []
    while reader:
        found.append((reader.uint(2), reader.vector(2)))
    return tuple(found)


def server_name(name: str) -> bytes:
    """``server_name`` for an A-label (RFC 6066, section 3)."""
    return vector(b"\x00" + vector(name.encode("ascii"), 2), 2)


def code_points(codes: Sequence[int]) -> bytes:
    """``supported_groups`` or ``signature_algorithms``."""
    return uints(tuple(codes), 2, 2)


def supported_versions(codes: Sequence[int]) -> bytes:
    """``supported_versions`` of a client."""
    return uints(tuple(codes), 2, 1)


def protocols(names: Sequence[bytes]) -> bytes:
    """``application_layer_protocol_negotiation``."""
    return vector(b"".join(vector(name, 1) for name in names), 2)


def key_shares(shares: Sequence[tuple[int, bytes]]) -> bytes:
    """``key_share`` of a client; an empty list asks for a HelloRetryRequest."""
    return vector(b"".join(uint(group, 2) + vector(key, 2) for group, key in shares), 2)


def parse_client(sent: bytes) -> tuple[list[ClientHello | Ssl2Hello], list[tuple[int, bytes]]]:
    """What a client sent: its hellos in order, and its other records.

    The inverse of `ClientHello.records` and `Ssl2Hello.records`, for judging kept bytes again.
    """
    if sent[:1] and sent[0] & 0x80:
        return [_parse_ssl2(sent)], []
    hellos: list[ClientHello | Ssl2Hello] = []
    others: list[tuple[int, bytes]] = []
    reader, pending = Reader(sent), b""
    while reader:
        content, version = reader.uint(1), reader.uint(2)
        payload = reader.vector(2)
        if content != Content.HANDSHAKE or (not pending and payload[:1] != b"\x01"):
            others.append((content, payload))
            continue
        pending += payload
        size = 4 + int.from_bytes(pending[1:4])
        if len(pending) >= size:
            hellos.append(ClientHello.parse(pending[4:size], version))
            pending = b""
    return hellos, others


def _parse_ssl2(sent: bytes) -> Ssl2Hello:
    reader = Reader(sent)
    reader.take(2)
    if reader.take(3) != b"\x01\x00\x02":
        raise DecodeError("not an SSL 2.0 CLIENT-HELLO")
    kinds, session_id, challenge = (reader.uint(2) for _ in range(3))
    codes = Reader(reader.take(kinds))
    reader.take(session_id)
    return Ssl2Hello(
        tuple(codes.uint(3) for _ in range(kinds // 3)),
        reader.take(challenge),
    )
