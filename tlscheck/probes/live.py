"""Real handshakes: what TLS 1.3 encrypts, and the channel that HTTP goes through.

The peer is looked at, not believed: nothing is verified here. Nothing of pyOpenSSL leaves this
module.
"""

from __future__ import annotations

import contextlib
import ipaddress
import warnings
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Literal, TypeVar

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from OpenSSL import SSL, crypto
from OpenSSL._util import lib  # two settings that pyOpenSSL binds and does not wrap

from tlscheck.errors import ConfigError
from tlscheck.model import Place, Reason
from tlscheck.net import Net, NetError, Stream
from tlscheck.observations.certificate import UNREADABLE, Presented
from tlscheck.wire.answer import read_flight
from tlscheck.wire.registry import SUITE_BY_CODE

MOST_BYTES = 2 * 1024 * 1024
"""How much a peer may send in one connection, unless said otherwise."""

KeyType = Literal["RSA", "ECDSA"]
Maximum = Literal["TLS 1.2", "TLS 1.3"]
Preamble = Callable[[Stream], Awaitable[None]]
"""What is said before TLS (STARTTLS)."""

T = TypeVar("T")

_VERSIONS = {"TLSv1": "TLS 1.0", "TLSv1.1": "TLS 1.1", "TLSv1.2": "TLS 1.2", "TLSv1.3": "TLS 1.3"}
# Sensible suites first, then whatever else authenticates the server: old servers are to be read.
_CIPHERS = {
    None: "DEFAULT:ALL:COMPLEMENTOFALL:!aNULL:@SECLEVEL=0",
    "RSA": "aRSA:!aNULL:@SECLEVEL=0",
    "ECDSA": "aECDSA:!aNULL:@SECLEVEL=0",
}
# TLS 1.3 chooses the certificate by these. Its RSA+… are for signatures in chains alone: an ECDSA
# leaf may come from a CA with an RSA key.
_SCHEMES = {
    "RSA": "rsa_pss_rsae_sha256:rsa_pss_rsae_sha384:rsa_pss_rsae_sha512:"
    "rsa_pss_pss_sha256:RSA+SHA256:RSA+SHA384:RSA+SHA512:RSA+SHA1",
    "ECDSA": "ECDSA+SHA256:ECDSA+SHA384:ECDSA+SHA512:ECDSA+SHA1:ed25519:ed448:"
    "RSA+SHA256:RSA+SHA384:RSA+SHA512",
}
_LONGEST_HELLO = 16384
_NO_CERTIFICATE = frozenset({40, 41, 42, 116})
"""Alerts (with the request, 116 without) that mean a client certificate is wanted."""


@dataclass(frozen=True, slots=True, repr=False)
class Identity:
    """A client's certificate, with what leads to its root, and its key."""

    chain: tuple[x509.Certificate, ...]
    key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey


def identity(chain: bytes, key: bytes) -> Identity:
    """The identity in two PEM texts. ConfigError where they do not fit."""
    try:
        certificates = tuple(x509.load_pem_x509_certificates(chain))
        private = load_pem_private_key(key, password=None)
    except (*UNREADABLE, UnsupportedAlgorithm) as error:
        raise ConfigError(
            "the client certificate or key cannot be read ({words}); give both in PEM form with"
            " --client-cert and --client-key",
            words=str(error),
        ) from None
    match private:
        case rsa.RSAPrivateKey() | ec.EllipticCurvePrivateKey() | ed25519.Ed25519PrivateKey():
            if private.public_key() != certificates[0].public_key():
                raise ConfigError(
                    "the client key does not belong to the client certificate; give its own with"
                    " --client-key"
                )
            return Identity(certificates, private)
    raise ConfigError(
        "the client key is neither RSA nor ECDSA nor Ed25519; give one that is with --client-key"
    )


class Refused(NetError):  # noqa: N818 - an outcome, not an error
    """The peer ended the handshake or the connection with a word of its own."""

    def __init__(self, reason: Reason, detail: str, alert: int | None, requested: bool) -> None:
        super().__init__(reason, detail)
        self.alert = alert
        """The number of the alert, ``None`` where none came."""
        self.requested = requested
        """The peer asked for a client certificate before."""


class Live:
    """One finished handshake, and the channel that it made.

    In TLS 1.3 the handshake is finished for us before the peer has judged our certificate: that
    it wants one may show only in `receive`.
    """

    def __init__(self, talk: _Talk) -> None:
        self._talk = talk
        conn = talk.conn
        self.version = _VERSIONS.get(conn.get_protocol_version_name(), "")
        self.suite = talk.suite
        """The suite's IANA name, empty where it has none."""
        self.group = conn.get_group_name() or ""
        self.alpn = conn.get_alpn_proto_negotiated().decode("ascii", "replace")
        self.presented = talk.presented()
        """The chain as sent, and what was stapled to it."""
        self.authorities = _authorities(conn)
        """Names (RFC 4514) of the CAs that the peer says it takes."""

    @property
    def requested(self) -> bool:
        """The peer has asked for a client certificate."""
        return self._talk.requested

    async def send(self, data: bytes) -> None:
        """Send *data* whole. NetError: timeout, reset, client_certificate, handshake."""
        sent = 0
        while sent < len(data):
            piece = data[sent : sent + 16384]
            sent += await self._talk.drive(partial(self._talk.conn.send, piece))
        await self._talk.flush()

    async def receive(self, size: int = 16384) -> bytes:
        """Bytes as they come; ``b""`` when the peer has closed. NetError as `send`, too_large."""
        try:
            return await self._talk.drive(partial(self._talk.conn.recv, size))
        except Refused as end:
            if end.reason is Reason.CLOSED:  # many a server leaves without close_notify
                return b""
            raise


@contextlib.asynccontextmanager
async def handshake(
    net: Net,
    place: Place,
    *,
    sni: bool = True,
    client_identity: Identity | None = None,
    preamble: Preamble | None = None,
    alpn: Sequence[str] = ("http/1.1",),
    signature_key: KeyType | None = None,
    maximum: Maximum | None = None,
    timeout: float | None = None,
    limit: int = MOST_BYTES,
) -> AsyncIterator[Live]:
    """A live connection to *place*, its handshake done and nothing verified.

    *signature_key* asks for the certificate of one key type. The deadline of *timeout* seconds
    covers all that is done with it, *limit* all bytes that the peer may send.
    NetError: as `Net.dial`, preamble's own, handshake, client_certificate, closed, too_large.
    """
    name = place.sni if sni else None
    async with net.dial(place, timeout) as stream:
        if preamble:
            await preamble(stream)
        context = _context(client_identity, alpn, signature_key, maximum)
        talk = _Talk(context, stream, name, client_identity, limit)
        await talk.drive(talk.conn.do_handshake)
        await talk.flush()
        yield Live(talk)


class _Talk:
    """OpenSSL's state machine between two memory buffers, driven over a stream."""

    def __init__(
        self,
        context: SSL.Context,
        stream: Stream,
        name: str | None,
        given: Identity | None,
        limit: int,
    ) -> None:
        self.requested = False
        self.suite = ""
        self._stream = stream
        self._named = name is not None
        self._given = given
        self._left = limit
        self._alert: int | None = None
        self._head = b""
        self._stapled: bytes | None = None
        context.set_info_callback(self._note)
        context.set_ocsp_client_callback(self._keep_staple)
        self.conn = SSL.Connection(context, None)
        self.conn.set_connect_state()
        self.conn.request_ocsp()
        if name is not None and not _is_address(name):
            self.conn.set_tlsext_host_name(name.encode("ascii"))

    async def drive(self, step: Callable[[], T]) -> T:
        """Run *step* until OpenSSL has all the bytes that it wants."""
        while True:
            try:
                return step()
            except SSL.WantReadError:
                await self.flush()
                await self._feed()
            except SSL.ZeroReturnError:
                raise self._end(Reason.CLOSED, "closed") from None
            except SSL.SysCallError:  # the end of the stream: our buffers know no other
                raise self._end(Reason.CLOSED, "closed without a word") from None
            except SSL.Error as error:
                with contextlib.suppress(NetError):  # our alert, out of politeness
                    await self.flush()
                raise self._end(Reason.HANDSHAKE, _words(error)) from None

    async def flush(self) -> None:
        """Send what OpenSSL wants sent."""
        while True:
            try:
                data = self.conn.bio_read(65536)
            except SSL.WantReadError:
                return
            await self._stream.write(data)

    def presented(self) -> Presented:
        """What the peer has shown of itself."""
        chain = self.conn.get_peer_cert_chain() or []
        return Presented(
            tuple(crypto.dump_certificate(crypto.FILETYPE_ASN1, cert) for cert in chain),
            with_sni=self._named,
            staple_asked=True,
            stapled=self._stapled or None,
        )

    async def _feed(self) -> None:
        data = await self._stream.read()
        if not data:
            self.conn.bio_shutdown()
            return
        self._left -= len(data)
        if self._left < 0:
            raise NetError(Reason.TOO_LARGE)
        if not self.suite and len(self._head) < _LONGEST_HELLO:
            self._head += data
            self.suite = _suite(self._head)
        self.conn.bio_write(data)

    def _note(self, conn: SSL.Connection, where: int, value: int) -> None:
        if where & SSL.SSL_CB_READ_ALERT == SSL.SSL_CB_READ_ALERT and value & 0xFF:
            self._alert = value & 0xFF
        if conn.get_state_string().endswith(b"read server certificate request"):
            self.requested = True

    def _keep_staple(self, _: SSL.Connection, staple: bytes, __: None) -> bool:
        self._stapled = staple
        return True

    def _end(self, reason: Reason, words: str) -> NetError:
        unasked = self._given is None
        wants = self._alert == 116 or (self.requested and self._alert in _NO_CERTIFICATE)
        if unasked and wants:
            reason = Reason.CLIENT_CERTIFICATE
        elif not self.suite and (junk := read_flight(self._head).junk):
            reason, words = Reason.NOT_TLS, junk
        if self._alert is not None:
            words = f"alert {self._alert}: {words}"
        return Refused(reason, words, self._alert, self.requested)


def _context(
    given: Identity | None,
    alpn: Sequence[str],
    signature_key: KeyType | None,
    maximum: Maximum | None,
) -> SSL.Context:
    context = SSL.Context(SSL.TLS_CLIENT_METHOD)
    context.set_verify(SSL.VERIFY_NONE)
    context.set_min_proto_version(SSL.TLS1_VERSION)
    if maximum == "TLS 1.2":
        context.set_max_proto_version(SSL.TLS1_2_VERSION)
    context.set_options(SSL.OP_LEGACY_SERVER_CONNECT)
    context.set_cipher_list(_CIPHERS[signature_key].encode())
    if signature_key:
        schemes = _SCHEMES[signature_key].encode()
        if not lib.SSL_CTX_set1_sigalgs_list(context._context, schemes):
            raise NetError(Reason.CRYPTOGRAPHY, "OpenSSL does not take the signature schemes")
    if alpn:
        context.set_alpn_protos([protocol.encode("ascii") for protocol in alpn])
    if given:
        context.use_certificate(given.chain[0])
        context.use_privatekey(given.key)
        for certificate in given.chain[1:]:
            context.add_extra_chain_cert(certificate)
    return context


def _suite(head: bytes) -> str:
    """The suite in the ServerHello that *head* begins with, empty if that is not all there."""
    flight = read_flight(head)
    hello = flight.hello or flight.retry
    suite = SUITE_BY_CODE.get(hello.suite) if hello else None
    return suite.name if suite else ""


def _authorities(conn: SSL.Connection) -> tuple[str, ...]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            names = conn.get_client_ca_list(as_cryptography=True)
            return tuple(name.rfc4514_string() for name in names)
        except UNREADABLE:
            return ()


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _words(error: SSL.Error) -> str:
    """OpenSSL's own words, such as ``tlsv1 alert protocol version``."""
    reasons = [str(part[-1]) for part in (error.args[0] if error.args else ()) if part]
    return ", ".join(reasons) or type(error).__name__
