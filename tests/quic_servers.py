"""Real servers of QUIC on loopback by aioquic, some with something in between that loses packets
or tires of us."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import replace
from typing import Any

from aioquic import tls
from aioquic.asyncio.server import QuicServer
from aioquic.quic.configuration import QuicConfiguration

from tests.identities import Certificate
from tests.servers import LOOPBACK
from tlscheck.wire.quic import V1, V2, is_reserved
from tlscheck.wire.registry import SUITE_BY_NAME

ALL = ("TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256")
Way = Callable[[int], str]
"""What becomes of the n-th connection: ``""`` served, ``drop``, ``refuse`` (a TLS alert)."""


def configuration(
    certificate: Certificate,
    suites: Sequence[str] = ALL,
    versions: Sequence[int] = (V1, V2),
    alpn: Sequence[str] = ("h3",),
) -> QuicConfiguration:
    made = QuicConfiguration(
        is_client=False,
        alpn_protocols=list(alpn) or None,
        cipher_suites=[tls.CipherSuite(SUITE_BY_NAME[name].code) for name in suites],
        supported_versions=list(versions),
    )
    made.load_cert_chain(certificate.cert, certificate.key)
    return made


class Server(QuicServer):
    """A server that counts connections, and what a device before it may do."""

    def __init__(self, *args: Any, way: Way, lost: Callable[[int], bool], **options: Any) -> None:
        super().__init__(*args, **options)
        self.way, self.lost = way, lost
        self.good = self._configuration
        self.none = replace(self.good, cipher_suites=[])
        self.datagrams = 0
        self.initials: list[bytes] = []

    def datagram_received(self, data: bytes | str, addr: Any) -> None:
        assert isinstance(data, bytes)
        self.datagrams += 1
        destination = data[6 : 6 + data[5]] if data[0] & 0x80 else b""
        if destination and destination not in self._protocols:
            asks = is_reserved(int.from_bytes(data[1:5]))
            if destination not in self.initials and not asks:
                self.initials.append(destination)
            way = "" if asks else self.way(self.initials.index(destination) + 1)
            if way == "drop":
                return
            self._configuration = self.none if way == "refuse" else self.good
        if not self.lost(self.datagrams):
            super().datagram_received(data, addr)


@contextlib.asynccontextmanager
async def serving(
    made: QuicConfiguration,
    *,
    way: Way = lambda number: "",
    lost: Callable[[int], bool] = lambda number: False,
    port: int = 0,
    retry: bool = False,
    tickets: bool = False,
) -> AsyncIterator[tuple[int, Server]]:
    """A server of QUIC, and its port."""
    keep = (lambda ticket: None) if tickets else None
    transport, server = await asyncio.get_running_loop().create_datagram_endpoint(
        lambda: Server(
            configuration=made, way=way, lost=lost, retry=retry, session_ticket_handler=keep
        ),
        local_addr=(LOOPBACK, port),
    )
    try:
        yield transport.get_extra_info("sockname")[1], server
    finally:
        server.close()
