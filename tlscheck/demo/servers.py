"""Servers in threads: TLS by the OpenSSL inside cryptography, and plain HTTP."""

from __future__ import annotations

import contextlib
import socket
import tempfile
import threading
from collections.abc import Callable, Iterator
from email.utils import formatdate
from typing import Any

from OpenSSL import SSL
from OpenSSL._util import lib  # for a setting that pyOpenSSL does not wrap

from tlscheck.demo.authority import Authority, Issued
from tlscheck.demo.sites import GROUPS, Site

BACKLOG = 128
_TRIES = 20
_TICK = 0.2
"""Seconds after which a server of datagrams looks whether it is to end."""
_LARGEST = 65535
_LONGEST_REQUEST = 16384
_PATIENCE = 1.0
"""Seconds that a peer has to take note of the end."""

_SHORT_PRIME = b"""\
-----BEGIN DH PARAMETERS-----
MIGHAoGBAP//////////yQ/aoiFowjTExmKLgNwc0SkCTgiKZ8x0Agu+pjsTmyJR
Sgh5jjQE3e+VGbPNOkMbMCsKbfJfFDdP4TVtbVHCReSFtXZiXn7G9ExC6aY37WsL
/1y29Aa37e44a/taiZ+lrp8kEXxLH+ZJKGZR7OZTgf//////////AgEC
-----END DH PARAMETERS-----
"""
"""Group 2 of RFC 2409: 1024 bits, and the default of many an old server."""

Handler = Callable[[socket.socket], None]


@contextlib.contextmanager
def serving(listener: socket.socket, handler: Handler, most: int | None = None) -> Iterator[None]:
    """Give each connection to *handler* in a thread; after *most*, nobody listens any more."""
    open_ones: dict[socket.socket, threading.Thread] = {}

    def serve(peer: socket.socket) -> None:
        with peer, contextlib.suppress(OSError, SSL.Error):
            handler(peer)
        open_ones.pop(peer, None)

    def accept() -> None:
        accepted = 0
        with listener, contextlib.suppress(OSError):
            while most is None or accepted < most:
                peer, _ = listener.accept()
                accepted += 1
                thread = threading.Thread(target=serve, args=(peer,), daemon=True)
                open_ones[peer] = thread
                thread.start()

    acceptor = threading.Thread(target=accept, daemon=True)
    acceptor.start()
    try:
        yield
    finally:
        # shutdown wakes who waits in another thread; close alone does not.
        _shut(listener)
        acceptor.join(_PATIENCE)
        for peer, thread in list(open_ones.items()):
            _shut(peer)
            thread.join(_PATIENCE)


@contextlib.contextmanager
def answering(udp: socket.socket, answer: Callable[[bytes], bytes]) -> Iterator[None]:
    """Send what *answer* makes of each datagram, if anything."""
    end = threading.Event()
    thread = threading.Thread(target=_listen, args=(udp, answer, end), daemon=True)
    thread.start()
    try:
        yield
    finally:
        end.set()
        thread.join()


def _listen(udp: socket.socket, answer: Callable[[bytes], bytes], end: threading.Event) -> None:
    udp.settimeout(_TICK)
    with udp:
        while not end.is_set():
            with contextlib.suppress(OSError):
                datagram, peer = udp.recvfrom(_LARGEST)
                if said := answer(datagram):
                    udp.sendto(said, peer)


def pair(address: str) -> tuple[socket.socket, socket.socket]:
    """A TCP listener and a UDP socket of the same port at *address*."""
    for _ in range(_TRIES):
        tcp = socket.create_server((address, 0), backlog=BACKLOG)
        udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        try:
            udp.bind(tcp.getsockname())
        except OSError:
            tcp.close()
            udp.close()
        else:
            return tcp, udp
    raise OSError("no port is free for both UDP and TCP")


def _shut(one: socket.socket) -> None:
    with contextlib.suppress(OSError):
        one.shutdown(socket.SHUT_RDWR)


def https(site: Site, authority: Authority) -> Handler:
    """One answer of *site* over TLS for each connection."""
    begin, end = site.valid
    issued = authority.issue(site.host, use_rsa=site.use_rsa, begin=begin, end=end)
    context = _context(site, authority, issued)

    def handle(peer: socket.socket) -> None:
        connection = SSL.Connection(context, peer)
        connection.set_accept_state()
        try:
            connection.do_handshake()
            if asked := _request(connection):
                first = not site.first_page_alone or asked.split()[1:2] == ["/"]
                connection.sendall(page(site) if first else file(None))
                connection.shutdown()
        finally:
            _leave(peer)

    return handle


def http(answer: Callable[[str, str], bytes]) -> Handler:
    """Plain HTTP: what *answer* says to a host and a path."""

    def handle(peer: socket.socket) -> None:
        words = _request(peer).split()
        lowered = [word.lower() for word in words]
        if len(words) > 1 and "host:" in lowered[:-1]:
            host = words[lowered.index("host:") + 1].partition(":")[0]
            peer.sendall(answer(host, words[1]))
        _leave(peer)

    return handle


def redirect(url: str) -> bytes:
    """An answer that leads elsewhere."""
    return _answer(301, (f"Location: {url}",), b"")


def page(site: Site) -> bytes:
    """What *site* shows."""
    return _answer(200, site.fields, site.page.encode())


def file(content: bytes | None) -> bytes:
    """A file of the CA, if there is one."""
    return _answer(404 if content is None else 200, (), content or b"", "application/octet-stream")


def _answer(
    status: int, fields: tuple[str, ...], body: bytes, kind: str = "text/html; charset=utf-8"
) -> bytes:
    head = (
        f"HTTP/1.1 {status} -",
        f"Date: {formatdate(usegmt=True)}",
        f"Content-Type: {kind}",
        f"Content-Length: {len(body)}",
        "Connection: close",
        *fields,
    )
    return "\r\n".join((*head, "", "")).encode() + body


def _request(peer: Any) -> str:
    """The head of a request from a socket or a TLS connection, empty where none came."""
    head = b""
    while b"\r\n\r\n" not in head and len(head) < _LONGEST_REQUEST:
        data = peer.recv(4096)
        if not data:
            return ""
        head += data
    return head.partition(b"\r\n\r\n")[0].decode("latin-1")


def _leave(peer: socket.socket) -> None:
    """Hear the peer out, lest the end arrives before the last word and takes that with it."""
    peer.shutdown(socket.SHUT_WR)
    peer.settimeout(_PATIENCE)
    while peer.recv(4096):
        pass


def _context(site: Site, authority: Authority, issued: Issued) -> SSL.Context:
    context = SSL.Context(SSL.TLS_SERVER_METHOD)
    context.set_min_proto_version(site.versions[0])
    context.set_max_proto_version(site.versions[1])
    context.set_cipher_list(site.ciphers.encode())
    # cryptography below 47 has no way to set them, and an OpenSSL with good ones.
    if set_groups := getattr(lib, "SSL_CTX_set1_curves_list", None):
        set_groups(context._context, GROUPS.encode())
    context.set_session_id(site.name.encode())
    if site.own_order:
        context.set_options(SSL.OP_CIPHER_SERVER_PREFERENCE)
    if site.short_prime:
        _use_short_prime(context)
    context.use_certificate(issued.certificate)
    context.use_privatekey(issued.key)
    if site.whole_chain:
        context.add_extra_chain_cert(authority.intermediate.certificate)
    if site.wants_certificate:
        context.set_verify(SSL.VERIFY_PEER | SSL.VERIFY_FAIL_IF_NO_PEER_CERT)
        context.add_client_ca(authority.intermediate.certificate)
    return context


def _use_short_prime(context: SSL.Context) -> None:
    with tempfile.NamedTemporaryFile() as file:  # OpenSSL takes them from a file alone
        file.write(_SHORT_PRIME)
        file.flush()
        context.load_tmp_dh(file.name)
