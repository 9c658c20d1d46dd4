"""Handshakes of QUIC by aioquic, one at a time, over datagrams that somebody else carries.

The peer is looked at, not believed: nothing is verified here. Nothing of aioquic leaves this
module, which is loaded only where aioquic is installed; the private names that it uses are those
of the versions that pyproject.toml admits. Nothing is ever sent to an address that a server names.
"""

from __future__ import annotations

import asyncio
import logging
import ssl
from dataclasses import dataclass, field

from aioquic import tls
from aioquic._buffer import Buffer
from aioquic.quic.configuration import QuicConfiguration
from aioquic.quic.connection import QuicConnection, QuicReceiveContext
from aioquic.quic.events import HandshakeCompleted
from cryptography.hazmat.primitives.serialization import Encoding

from tlscheck.model import Reason
from tlscheck.net import NetError
from tlscheck.observations.quic import Attempt, Ending, Offer
from tlscheck.probes.datagrams import Datagrams
from tlscheck.wire import quic
from tlscheck.wire.registry import SCHEME_BY_CODE, SUITE_BY_CODE, SUITE_BY_NAME

# What it logs are words of servers; without a handler they would end on standard error.
_log = logging.getLogger("quic")
_log.addHandler(logging.NullHandler())
_log.propagate = False

_PEER = ("peer", 0)
"""The one address there is: the socket is connected."""
_NUMBERS = {quic.name(version): version for version in (quic.V1, quic.V2)}
_GROUPS = {
    "x25519": tls.Group.X25519,
    "x448": tls.Group.X448,
    "secp256r1": tls.Group.SECP256R1,
    "secp384r1": tls.Group.SECP384R1,
    "secp521r1": tls.Group.SECP521R1,
}


class _Connection(QuicConnection):
    """A client's connection that offers no more than it is told to, and notes what it sees."""

    def __init__(self, configuration: QuicConfiguration, offer: Offer) -> None:
        self._offer = offer
        self.closed: int | None = None
        """The code of the transport by which the peer closed; -1: of the application."""
        self.scheme = ""
        self.token = False
        self.ticket: tls.SessionTicket | None = None
        super().__init__(
            configuration=configuration,
            session_ticket_handler=self._keep_ticket,
            token_handler=self._keep_token,
        )

    def _initialize(self, peer_cid: bytes) -> None:
        super()._initialize(peer_cid)
        context = self.tls
        context._supported_groups = [_GROUPS[name] for name in self._offer.groups]
        if self._offer.keys:
            context._signature_algorithms = [
                algorithm
                for algorithm in context._signature_algorithms
                if _scheme(algorithm).startswith(tuple(map(str.lower, self._offer.keys)))
            ]
        check = context._check_certificate_verify_signature

        def noted(verify: tls.CertificateVerify) -> None:
            self.scheme = _scheme(verify.algorithm)
            check(verify)

        context._check_certificate_verify_signature = noted  # type: ignore[method-assign]

    def _handle_connection_close_frame(
        self, context: QuicReceiveContext, frame_type: int, buf: Buffer
    ) -> None:
        before = self._close_event
        super()._handle_connection_close_frame(context, frame_type, buf)
        if before is None and self._close_event is not None:
            of_transport = self._close_event.frame_type is not None
            self.closed = self._close_event.error_code if of_transport else -1

    def _keep_ticket(self, ticket: tls.SessionTicket) -> None:
        self.ticket = self.ticket or ticket

    def _keep_token(self, token: bytes) -> None:
        self.token = bool(token)

    @property
    def given_up(self) -> bool:
        """Whether it ended, by whomever."""
        return self._close_event is not None

    def told(self, ending: Ending) -> Attempt:
        """What is known once it ended."""
        context, schedule, chain = self.tls, self.tls.key_schedule, []
        if context._peer_certificate is not None:
            several = (context._peer_certificate, *context._peer_certificate_chain)
            chain = [each.public_bytes(Encoding.DER) for each in several]
        lasts = self.ticket.not_valid_after - self.ticket.not_valid_before if self.ticket else None
        return Attempt(
            self._offer,
            ending,
            code=self.closed,
            suite=_suite(schedule.cipher_suite) if schedule else "",
            alpn=context.alpn_negotiated or "",
            scheme=self.scheme,
            chain=tuple(chain) if ending is Ending.DONE else (),
            retried=self._retry_count > 0,
            token=self.token,
            ticket=(int(lasts.total_seconds()), bool(self.ticket.max_early_data_size))
            if self.ticket and lasts is not None
            else None,
            certificate_asked=context._certificate_request is not None,
        )


def _suite(code: int) -> str:
    known = SUITE_BY_CODE.get(int(code))
    return known.name if known else ""


def _scheme(code: int) -> str:
    known = SCHEME_BY_CODE.get(int(code))
    return known.name if known else f"0x{int(code):04x}"


@dataclass
class Handshake:
    """One handshake over a socket of its own, and a polite end."""

    socket: Datagrams
    offer: Offer
    server_name: str | None
    _connection: _Connection = field(init=False)
    _done: bool = field(init=False, default=False)

    def __post_init__(self) -> None:
        configuration = QuicConfiguration(
            alpn_protocols=list(self.offer.alpn) or None,
            cipher_suites=[tls.CipherSuite(SUITE_BY_NAME[name].code) for name in self.offer.suites],
            server_name=self.server_name,
            supported_versions=[_NUMBERS[self.offer.version]],
            verify_mode=ssl.CERT_NONE,
        )
        self._connection = _Connection(configuration, self.offer)

    async def run(self, linger: float = 0.0) -> Attempt:
        """Shake hands within the socket's deadline; *linger* seconds more for what comes after."""
        connection = self._connection
        connection.connect(_PEER, _now())
        try:
            ending = await self._until_done()
            if ending is Ending.DONE:
                await self._linger(linger)
            found = connection.told(ending)
            connection.close()
            self._flush()
        except NetError as error:
            silent = error.reason in (Reason.TIMEOUT, Reason.TOO_LARGE)
            return connection.told(Ending.SILENT if silent else Ending.UNREACHED)
        except Exception:  # noqa: BLE001 - whatever a stranger's bytes break in aioquic
            _log.debug("broken", exc_info=True)
            return Attempt(self.offer, Ending.BROKEN)
        return found

    async def _until_done(self) -> Ending:
        while True:
            if (ending := self._ended()) is not None:
                return ending
            data = await self._next(self.socket.left())
            if data is not None and self._other_versions(data):
                return Ending.VERSION
            self._feed(data)

    async def _linger(self, seconds: float) -> None:
        """Take in what a server says after the handshake: tickets, tokens."""
        until = _now() + seconds
        while (left := until - _now()) > 0 and not self._connection.given_up:
            try:
                self._feed(await self._next(left))
            except NetError:
                break
            if self._connection.token and self._connection.ticket:
                break

    def _ended(self) -> Ending | None:
        """How the handshake ended, if it did."""
        while (event := self._connection.next_event()) is not None:
            self._done = self._done or isinstance(event, HandshakeCompleted)
        if self._done:
            return Ending.DONE
        if self._connection.closed is not None:
            return Ending.CLOSED
        return Ending.BROKEN if self._connection.given_up else None

    async def _next(self, seconds: float) -> bytes | None:
        """The next datagram, ``None`` where the connection's own clock comes first. NetError."""
        self._flush()
        timer = self._connection.get_timer()
        wait = seconds if timer is None else min(seconds, max(timer - _now(), 0.0))
        try:
            return await self.socket.receive(wait)
        except NetError as error:
            if error.reason is not Reason.TIMEOUT or wait >= seconds:
                raise
            return None

    def _other_versions(self, data: bytes) -> bool:
        """Whether the server says that it does not have the version."""
        probe = quic.Probe(
            _NUMBERS[self.offer.version],
            self._connection.original_destination_connection_id,
            self._connection.host_cid,
        )
        listed = probe.heard(data)
        return listed is not None and probe.version not in listed

    def _feed(self, data: bytes | None) -> None:
        if data is None:
            self._connection.handle_timer(_now())
        else:
            self._connection.receive_datagram(data, _PEER, _now())

    def _flush(self) -> None:
        for data, where in self._connection.datagrams_to_send(_now()):
            if where == _PEER:  # a server may name another address (RFC 9000, section 9.6)
                self.socket.send(data)


def _now() -> float:
    return asyncio.get_running_loop().time()
