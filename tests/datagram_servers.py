"""Small servers of STUN, TURN and DTLS on loopback, for probes that must not be fooled."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Any

from OpenSSL import SSL

from tests.identities import Certificate
from tests.servers import LOOPBACK
from tlscheck.wire import dtls, stun
from tlscheck.wire.answer import RETRY
from tlscheck.wire.codec import Reader, uint, vector
from tlscheck.wire.dtls import DtlsVersion
from tlscheck.wire.hello import ClientHello, Content, Extension, Message
from tlscheck.wire.registry import SUITE_BY_NAME
from tlscheck.wire.stun import Attribute, Kind, Method

Reply = Callable[[bytes, Any], list[bytes]]
"""What is answered to a message from a peer."""

MOST_PORTS = 50


# -- STUN and TURN -----------------------------------------------------------------------------


def attribute(number: int, body: bytes) -> bytes:
    return uint(number, 2) + vector(body, 2) + bytes(-len(body) % 4)


def answer(request: bytes, kind: int, *attributes: bytes) -> bytes:
    """An answer to *request* with *attributes*."""
    method = int.from_bytes(request[:2])
    body = b"".join(attributes)
    return uint(kind | method, 2) + uint(len(body), 2) + request[4:20] + body


def masked(host: str, port: int) -> bytes:
    """An XOR-…-ADDRESS of IPv4."""
    packed = bytes(map(int, host.split(".")))
    xored = bytes(a ^ b for a, b in zip(packed, uint(stun.COOKIE, 4), strict=True))
    return b"\x00\x01" + uint(port ^ 0x2112, 2) + xored


@dataclass
class Turn:
    """A TURN server's mind: who has an allocation, and what was asked."""

    open: bool = False
    refresh: Callable[[], bool] = lambda: True
    """Whether a Refresh is answered."""
    held: set[Any] = field(default_factory=set)
    granted: int = 0
    asked: list[int] = field(default_factory=list)
    """The type of every message."""

    def __call__(self, data: bytes, peer: Any) -> list[bytes]:
        kind = int.from_bytes(data[:2])
        self.asked.append(kind)
        if len(data) < stun.HEADER or kind not in list(Method):
            return []
        software = attribute(Attribute.SOFTWARE, b"Testing-1.2")
        if kind == Method.BINDING:
            mapped = attribute(Attribute.XOR_MAPPED_ADDRESS, masked("192.0.2.7", 1000))
            return [answer(data, Kind.SUCCESS, mapped, software)]
        if not self.open:
            refusal = attribute(Attribute.ERROR_CODE, b"\x00\x00\x04\x01Unauthorized")
            more = attribute(Attribute.REALM, b"corp.example"), attribute(Attribute.NONCE, b"n" * 9)
            return [answer(data, Kind.ERROR, refusal, *more, software)]
        if kind == Method.ALLOCATE:
            self.held.add(peer)
            self.granted += 1
            relayed = attribute(Attribute.XOR_RELAYED_ADDRESS, masked("10.1.2.3", 50000))
            return [
                answer(data, Kind.SUCCESS, relayed, attribute(Attribute.LIFETIME, uint(600, 4)))
            ]
        self.held.discard(peer)
        gone = answer(data, Kind.SUCCESS, attribute(Attribute.LIFETIME, uint(0, 4)))
        return [gone] if self.refresh() else []


class _Udp(asyncio.DatagramProtocol):
    def __init__(self, reply: Reply) -> None:
        self.reply = reply

    def connection_made(self, transport: Any) -> None:
        self.transport = transport

    def datagram_received(self, data: bytes, addr: Any) -> None:
        for one in self.reply(data, addr):
            self.transport.sendto(one, addr)


Tcp = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Any]


def by_messages(reply: Reply) -> Tcp:
    """*reply* over TCP; what is no STUN message ends the connection."""

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        peer = writer.get_extra_info("peername")
        while True:
            head = await reader.readexactly(stun.HEADER)
            if head[4:8] != uint(stun.COOKIE, 4):
                return
            body = await reader.readexactly(int.from_bytes(head[2:4]))
            for one in reply(head + body, peer):
                writer.write(one)
            await writer.drain()

    return talk


@contextlib.asynccontextmanager
async def serving(udp: Reply | None = None, tcp: Tcp | None = None) -> AsyncIterator[int]:
    """A port at which both are served; what is ``None`` is closed."""
    loop, tasks = asyncio.get_running_loop(), set()

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        tasks.add(asyncio.current_task())
        with contextlib.suppress(OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            if tcp:
                await tcp(reader, writer)
        writer.transport.abort()

    listener = await asyncio.start_server(talk, LOOPBACK, 0)
    port = listener.sockets[0].getsockname()[1]
    transport = None
    if udp:
        transport, _ = await loop.create_datagram_endpoint(
            lambda: _Udp(udp), local_addr=(LOOPBACK, port)
        )
    if tcp is None:
        listener.close()
    try:
        yield port
    finally:
        if transport:
            transport.close()
        listener.close()
        for task in tasks:
            task.cancel()
        await asyncio.sleep(0)


# -- DTLS by OpenSSL ---------------------------------------------------------------------------


class OpenSsl:
    """DTLS 1.0 and 1.2 by pyOpenSSL, one connection a peer; what is inside goes to *reply*."""

    def __init__(
        self,
        certificate: Certificate,
        ciphers: str = "DEFAULT",
        *,
        versions: tuple[DtlsVersion, DtlsVersion] = (DtlsVersion.DTLS_1_2, DtlsVersion.DTLS_1_2),
        cookies: bool = True,
        reply: Reply = lambda data, peer: [],
    ) -> None:
        self.context = SSL.Context(SSL.DTLS_SERVER_METHOD)
        self.context.set_min_proto_version(versions[0].code)
        self.context.set_max_proto_version(versions[1].code)
        self.context.set_cipher_list(ciphers.encode())
        self.context.use_certificate_chain_file(str(certificate.cert))
        self.context.use_privatekey_file(str(certificate.key))
        self.context.set_options(SSL.OP_NO_QUERY_MTU)
        self.context.set_cookie_generate_callback(lambda conn: b"cookie")
        self.context.set_cookie_verify_callback(lambda conn, cookie: cookie == b"cookie")
        self.cookies, self.reply = cookies, reply
        self.peers: dict[Any, tuple[SSL.Connection, set[str]]] = {}

    def __call__(self, data: bytes, peer: Any) -> list[bytes]:
        if peer not in self.peers:
            conn = SSL.Connection(self.context, None)
            conn.set_accept_state()
            conn.set_ciphertext_mtu(1200)
            self.peers[peer] = conn, set()
        conn, done = self.peers[peer]
        conn.bio_write(data)
        try:
            if self.cookies and "cookie" not in done:
                conn.DTLSv1_listen()
            done.add("cookie")
            conn.do_handshake()
            for one in self.reply(conn.recv(4096), peer):
                conn.send(one)
        except SSL.WantReadError:
            pass
        except SSL.Error:
            if "cookie" in done:
                del self.peers[peer]
        return self._sent(conn)

    @staticmethod
    def _sent(conn: SSL.Connection) -> list[bytes]:
        sent = b""
        with contextlib.suppress(SSL.WantReadError):
            while True:
                sent += conn.bio_read(65536)
        return list(dtls.records(sent))


# -- DTLS by hand ------------------------------------------------------------------------------


@dataclass
class Simulated:
    """A server that says what its test wants it to; no handshake ends well."""

    suites: dict[DtlsVersion, list[str]]
    cookies: bool = True
    silent: Callable[[int], bool] = lambda number: False
    """Whether the hello of that number, from 1, gets no answer."""
    refusing: Callable[[int], bool] = lambda number: False
    """Whether it gets alert 40, whatever it offers."""
    mute: bool = False
    """Refuse without a word."""
    before: bytes = b""
    """A datagram that comes before every answer."""
    chain: bytes = b"\x30\x03\x02\x01\x00" * 400
    """What it shows for a certificate."""
    hellos: int = 0
    offered: list[int] = field(default_factory=list)

    def __call__(self, data: bytes, peer: Any) -> list[bytes]:
        found = _hello(data)
        if found is None:
            return []
        self.hellos += 1
        if self.silent(self.hellos):
            return []
        hello, cookie = found
        said = self._refusal(40) if self.refusing(self.hellos) else self._said(hello, cookie)
        return [self.before, *said] if self.before else said

    def _said(self, hello: ClientHello, cookie: bytes) -> list[bytes]:
        modern = DtlsVersion.DTLS_1_3.code in hello.versions
        if modern and (names := self._common(hello, DtlsVersion.DTLS_1_3)):
            chosen = (Extension.SUPPORTED_VERSIONS, uint(DtlsVersion.DTLS_1_3.code, 2))
            asks = (Extension.COOKIE, vector(b"cookie", 2)) if self.cookies else ()
            body = _server_hello(0xFEFD, names[0], chosen, *([asks] if asks else []), retry=True)
            return _flight((Message.SERVER_HELLO, body))
        if self.cookies and cookie != b"cookie":
            return _flight((Message.HELLO_VERIFY_REQUEST, b"\xfe\xff" + vector(b"cookie", 1)))
        self.offered.append(len(hello.suites))
        best = next(
            (v for v in (DtlsVersion.DTLS_1_2, DtlsVersion.DTLS_1_0)
             if self.suites.get(v) and hello.version <= v.code), None,
        )  # fmt: skip
        if best is None:
            return self._refusal(70)
        names = self._common(hello, best)
        if not names:
            return self._refusal(40)
        return _flight(
            (Message.SERVER_HELLO, _server_hello(best.code, names[0])),
            (Message.CERTIFICATE, vector(vector(self.chain, 3), 3)),
            (Message.SERVER_HELLO_DONE, b""),
        )

    def _common(self, hello: ClientHello, version: DtlsVersion) -> list[str]:
        own = self.suites.get(version, [])
        return [name for name in own if SUITE_BY_NAME[name].code in hello.suites]

    def _refusal(self, alert: int) -> list[bytes]:
        return [] if self.mute else [dtls.record(Content.ALERT, bytes((2, alert)), 0)]


def _hello(data: bytes) -> tuple[ClientHello, bytes] | None:
    """The ClientHello in a datagram, and its cookie; ``None`` for anything else."""
    if data[:1] != bytes((Content.HANDSHAKE,)):
        return None
    body = Reader(data[dtls.HEADER + 12 :])
    head = body.take(34) + vector(body.vector(1), 1)
    cookie = body.vector(1)
    return ClientHello.parse(head + body.rest()), cookie


def _server_hello(
    version: int, suite: str, *extensions: tuple[int, bytes], retry: bool = False
) -> bytes:
    body = uint(version, 2) + (RETRY if retry else bytes(32)) + b"\x00"
    body += uint(SUITE_BY_NAME[suite].code, 2) + b"\x00"
    return body + vector(b"".join(uint(t, 2) + vector(b, 2) for t, b in extensions), 2)


def _flight(*messages: tuple[int, bytes]) -> list[bytes]:
    """Messages in fragments of 600 bytes, each in a datagram."""
    return [
        dtls.record(
            Content.HANDSHAKE,
            uint(kind, 1) + uint(len(body), 3) + uint(number, 2) + uint(start, 3)
            + vector(body[start : start + 600], 3),
            number,
        )
        for number, (kind, body) in enumerate(messages)
        for start in range(0, max(len(body), 1), 600)
    ]  # fmt: skip
