"""Connections by sslyze, to the place alone."""

from __future__ import annotations

import contextlib
import functools
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tlscheck.model import Place
from tlscheck.probes.child.order import STARTTLS, Order, Unsettled

if TYPE_CHECKING:
    from sslyze.connection_helpers.tls_connection import SslConnection
    from sslyze.server_connectivity import ServerConnectivityInfo, TlsVersionEnum


_TAPPED = 65536
"""How many received bytes of a connection are kept for a second look."""


def messages(received: bytes) -> Iterator[tuple[int, bytes]]:
    """The handshake messages among the bytes *received*, while they are not encrypted."""
    flight = b""
    while len(received) >= 5:
        size = int.from_bytes(received[3:5], "big")
        if received[0] == 22:
            flight += received[5 : 5 + size]
        received = received[5 + size :]
    while len(flight) >= 4:
        size = int.from_bytes(flight[1:4], "big")
        if len(flight) < 4 + size:
            return
        yield flight[0], flight[4 : 4 + size]
        flight = flight[4 + size :]


class Tap:
    """A socket that remembers the first bytes it received."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self.received = b""

    def recv(self, size: int) -> bytes:
        """Receive, and remember."""
        data = self._sock.recv(size)
        self.received += data[: _TAPPED - len(self.received)]
        return data

    def send(self, data: bytes) -> int:
        """Send *data* whole: nassl does not look how much of it went."""
        self._sock.sendall(data)
        return len(data)

    def settimeout(self, seconds: float) -> None:
        """Bound each step."""
        self._sock.settimeout(seconds)

    def close(self) -> None:
        """Close the connection."""
        self._sock.close()


def tapped(connection: SslConnection) -> Tap:
    """What listens to a connection."""
    tap = connection.ssl_client.get_underlying_socket()
    if not isinstance(tap, Tap):
        raise Unsettled("no connection was opened")
    return tap


def version_of(name: str) -> TlsVersionEnum:
    """A version as sslyze calls it."""
    from sslyze.server_connectivity import TlsVersionEnum

    return TlsVersionEnum[name.replace(" ", "_").replace(".", "_")]


@functools.cache
def _info_class() -> type[ServerConnectivityInfo]:
    from sslyze.server_connectivity import ServerConnectivityInfo

    class Info(ServerConnectivityInfo):
        """sslyze's, but for places that are asked without a server name."""

        nameless = False

        def get_preconfigured_tls_connection(self, *args: Any, **options: Any) -> SslConnection:
            if self.nameless:
                options["should_enable_server_name_indication"] = False
            connection = super().get_preconfigured_tls_connection(*args, **options)
            client: Any = connection.ssl_client
            take = client.set_underlying_socket
            client.set_underlying_socket = lambda sock: take(Tap(sock))
            return connection

    return Info


def connectivity(
    order: Order, place: Place, version: str, strict: bool = False, patience: float | None = None
) -> ServerConnectivityInfo:
    """What sslyze would have found out by its own connections, from what is known already."""
    from sslyze.connection_helpers.opportunistic_tls_helpers import (
        ProtocolWithOpportunisticTlsEnum as Protocol,
    )
    from sslyze.server_connectivity import ClientAuthRequirementEnum, ServerTlsProbingResult
    from sslyze.server_setting import (
        ClientAuthenticationCredentials,
        ServerNetworkConfiguration,
        ServerNetworkLocation,
    )

    identity = None
    if order.identity and not strict:
        chain, key = order.identity
        identity = ClientAuthenticationCredentials(Path(chain), Path(key))
    info = _info_class()(
        ServerNetworkLocation(place.host, place.port, place.address),
        ServerNetworkConfiguration(
            tls_server_name_indication=place.sni or place.host,
            tls_opportunistic_encryption=(
                Protocol[STARTTLS[place.service]] if place.service in STARTTLS else None
            ),
            tls_client_auth_credentials=identity,
            network_timeout=patience or order.patience,  # type: ignore[arg-type]
            network_max_retries=1,
        ),
        ServerTlsProbingResult(
            highest_tls_version_supported=version_of(version),
            cipher_suite_supported=openssl_name(order.suite13 if version == "TLS 1.3" else ""),
            client_auth_requirement=(
                ClientAuthRequirementEnum.REQUIRED if strict else ClientAuthRequirementEnum.DISABLED
            ),
            supports_ecdh_key_exchange=True,
        ),
    )
    object.__setattr__(info, "nameless", place.sni is None)
    return info


def openssl_name(suite: str) -> str:
    """What OpenSSL calls *suite*, empty for those that it does not know."""
    from sslyze.plugins.openssl_cipher_suites.cipher_suites import CipherSuitesRepository
    from sslyze.server_connectivity import TlsVersionEnum

    for version in (TlsVersionEnum.TLS_1_3, TlsVersionEnum.TLS_1_2):
        for known in CipherSuitesRepository.get_all_cipher_suites(version):
            if known.name == suite:
                return known.openssl_name
    return ""


def prepared(
    order: Order,
    place: Place,
    version: str,
    *,
    legacy: bool = False,
    tickets: bool = True,
    session: Any = None,
    named: bool = True,
) -> SslConnection:
    """A connection that is not opened yet."""
    connection = connectivity(order, place, version).get_preconfigured_tls_connection(
        override_tls_version=version_of(version),
        should_use_legacy_openssl=legacy or version not in ("TLS 1.2", "TLS 1.3"),
        should_enable_server_name_indication=named,
    )
    client: Any = connection.ssl_client
    suite = openssl_name(order.suite13 if version == "TLS 1.3" else order.suite)
    if suite and version == "TLS 1.3":
        client.set_ciphersuites(suite)
    elif suite:
        client.set_cipher_list(suite)
    if not tickets:
        client.disable_stateless_session_resumption()
    if session is not None:
        client.set_session(session)
    return connection


def opened(order: Order, place: Place, version: str, **how: Any) -> SslConnection:
    """A connection with its handshake done."""
    connection = prepared(order, place, version, **how)
    try:
        connection.connect(should_retry_connection=False)
        connection.ssl_client._flush_ssl_engine()  # a Finished that comes last stays unsent
    except BaseException:
        close(connection)
        raise
    return connection


def opened_somehow(order: Order, tickets: bool = True) -> tuple[SslConnection, bool]:
    """As `opened`, by the newer OpenSSL, and else by the older; which one worked."""
    from nassl._nassl import OpenSSLError
    from sslyze.connection_helpers.tls_connection import NoCiphersAvailableBugInSSlyze
    from sslyze.errors import ServerRejectedTlsHandshake

    if order.version == "TLS 1.2":
        # The newer one does not know the suites of old, the older neither ChaCha20 nor X25519.
        with contextlib.suppress(
            ServerRejectedTlsHandshake, OpenSSLError, NoCiphersAvailableBugInSSlyze
        ):
            return opened(order, order.place, order.version, tickets=tickets), False
    return opened(order, order.place, order.version, tickets=tickets, legacy=True), True


def close(connection: SslConnection) -> None:
    """Take leave properly: many servers forget a session whose connection just breaks off."""
    from nassl._nassl import OpenSSLError

    client: Any = connection.ssl_client
    with contextlib.suppress(OSError, OpenSSLError):
        client._ssl.shutdown()
        client._flush_ssl_engine()
    if client._sock:
        client._sock.close()
