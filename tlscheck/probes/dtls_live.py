"""A real DTLS handshake, and the channel that it makes: for what stands inside DTLS.

The peer is looked at, not believed: nothing is verified here. Nothing of pyOpenSSL leaves this
module.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Callable
from typing import TypeVar

from OpenSSL import SSL

from tlscheck.model import Place, Reason
from tlscheck.net import Net, NetError
from tlscheck.probes.datagrams import Datagrams, connected
from tlscheck.wire import dtls

_CIPHERS = b"DEFAULT:ALL:COMPLEMENTOFALL:!aNULL:@SECLEVEL=0"
"""Sensible suites first, then whatever else authenticates the server."""
_MTU = 1200
_PATIENCE = 5.0
"""Seconds for the handshake, in which OpenSSL repeats its hello twice."""
_MOST = 16384

T = TypeVar("T")


class Secured:
    """A finished handshake's channel: one record a datagram."""

    def __init__(self, socket: Datagrams, conn: SSL.Connection) -> None:
        self._socket = socket
        self._conn = conn

    def left(self) -> float:
        """Seconds until the deadline."""
        return self._socket.left()

    def send(self, data: bytes) -> None:
        """Send *data* as one record. NetError: closed."""
        try:
            self._conn.send(data)
        except SSL.Error as error:
            raise NetError(Reason.CLOSED, _words(error)) from None
        self.flush()

    async def receive(self, timeout: float) -> bytes:
        """What the next record holds. NetError: as `Datagrams.receive`, closed."""
        until = self.left() - timeout
        return await self.drive(lambda: self._conn.recv(_MOST), until)

    async def drive(self, step: Callable[[], T], until: float = 0.0) -> T:
        """Run *step* until OpenSSL has the datagrams that it wants; repeat what was lost.

        *until* says how many seconds of the deadline are to be left when it gives up.
        """
        while True:
            try:
                return step()
            except SSL.WantReadError:
                self.flush()
            except SSL.ZeroReturnError:
                raise NetError(Reason.CLOSED, "closed") from None
            except SSL.Error as error:
                self.flush()  # our alert, out of politeness
                raise NetError(Reason.HANDSHAKE, _words(error)) from None
            left = self.left() - until
            if left <= 0:
                raise NetError(Reason.TIMEOUT)
            again = self._conn.DTLSv1_get_timeout()
            try:
                self._conn.bio_write(
                    await self._socket.receive(left if again is None else min(again, left))
                )
            except NetError as error:
                if error.reason is not Reason.TIMEOUT or again is None:
                    raise
                self._repeat()

    def _repeat(self) -> None:
        try:
            self._conn.DTLSv1_handle_timeout()
        except SSL.Error as error:
            raise NetError(Reason.TIMEOUT, _words(error)) from None
        self.flush()

    def flush(self) -> None:
        """Send what OpenSSL wants sent, each record as a datagram of its own."""
        with contextlib.suppress(SSL.WantReadError):
            while True:
                for one in dtls.records(self._conn.bio_read(65536)):
                    self._socket.send(one)

    def leave(self) -> None:
        """Tell the peer that we are gone."""
        with contextlib.suppress(SSL.Error):
            self._conn.shutdown()
        self.flush()


@contextlib.asynccontextmanager
async def handshake(net: Net, place: Place, timeout: float) -> AsyncIterator[Secured]:
    """A channel to *place* within DTLS 1.0 or 1.2, nothing verified, closed at the end.

    The deadline of *timeout* seconds covers all that is done with it.
    NetError: as `datagrams.connected` and `Datagrams.receive`, handshake.
    """
    async with connected(net, place, timeout) as socket:
        conn = SSL.Connection(_context(), None)
        conn.set_connect_state()
        conn.set_ciphertext_mtu(_MTU)
        if place.sni:
            conn.set_tlsext_host_name(place.sni.encode("ascii"))
        channel = Secured(socket, conn)
        await channel.drive(conn.do_handshake, max(timeout - _PATIENCE, 0.0))
        channel.flush()
        try:
            yield channel
        finally:
            channel.leave()


def _context() -> SSL.Context:
    context = SSL.Context(SSL.DTLS_CLIENT_METHOD)
    context.set_verify(SSL.VERIFY_NONE)
    context.set_min_proto_version(dtls.DtlsVersion.DTLS_1_0.code)
    context.set_options(SSL.OP_LEGACY_SERVER_CONNECT | SSL.OP_NO_QUERY_MTU)
    context.set_cipher_list(_CIPHERS)
    return context


def _words(error: SSL.Error) -> str:
    """OpenSSL's own words, such as ``no shared cipher``."""
    reasons = [str(part[-1]) for part in (error.args[0] if error.args else ()) if part]
    return ", ".join(reasons) or type(error).__name__
