"""Handing messages to a relay by SMTP (RFC 5321), over TLS where the relay has it.

Whatever the relay does ends in time and within limits, as a `RelayError` or as a refusal.
"""

from __future__ import annotations

import contextlib
import smtplib
import socket
import ssl
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tlscheck import net
from tlscheck.config.watching import Relay
from tlscheck.text import _N, visible

_TAKEN = (250, 251)
_LONGEST, _MOST = 2048, 64 * 1024
"""Bytes of one line, and of one answer, of a relay: four times and more what RFC 5321 allows."""
_WORDS = 200
_TOO_LARGE = 552
Address = tuple[Any, ...]
"""What `socket.getaddrinfo` gives."""


class RelayError(Exception):
    """The relay took nothing: why, and whether it may soon."""

    def __init__(
        self, template: str, detail: str = "", *, passing: bool = True, large: bool = False
    ) -> None:
        super().__init__(template)
        self.template = template
        self.values = {"detail": detail}
        self.passing = passing
        self.large = large
        """Whether the relay takes no message of that size."""
        self.refused: Mapping[str, str] = {}
        """Where it is for each recipient's sake: its words on each."""


class Cut:
    """What ends a conversation from outside, at once and for good."""

    def __init__(self) -> None:
        self._over = threading.Event()
        self._handle: socket.socket | None = None

    @property
    def is_over(self) -> bool:
        """Whether nothing more is to be said."""
        return self._over.is_set()

    def now(self) -> None:
        """End it. To be called until it has."""
        self._over.set()
        if self._handle is not None:
            with contextlib.suppress(OSError):
                self._handle.shutdown(socket.SHUT_RDWR)

    def pause(self, seconds: float) -> None:
        """Wait, unless it is over."""
        self._over.wait(seconds)

    def connected(self, info: Address, timeout: float) -> socket.socket:
        """A connection that can be cut from the first moment on. OSError."""
        family, kind, protocol, _, place = info
        found = socket.socket(family, kind, protocol)
        try:
            self.let_go()
            self._handle = found.dup()  # TLS puts another object in its place
            found.settimeout(timeout)
            found.connect(place)
        except BaseException:
            found.close()
            raise
        return found

    def let_go(self) -> None:
        """There is nothing left to cut."""
        handle, self._handle = self._handle, None
        if handle is not None:
            handle.close()


ENDED = _N("the run was ended before the relay had taken it")
LARGE = _N("the relay takes no message of that size: {detail}")
CLEAR = _N("the relay has no STARTTLS, which is required")
CLEAR_PASSWORD = _N("the relay has no STARTTLS, and no password is sent without TLS")
AHEAD = _N("the relay said something between STARTTLS and TLS")
LATE = _N("the relay did not answer in time")
TLS = _N("TLS with the relay failed: {detail}")
SAID = _N("the relay says: {detail}")
NETWORK = _N("the relay cannot be reached: {detail}")
CLOSED = _N("the relay closed the connection")
LOUD = _N("the relay's answer is too long")


@dataclass(frozen=True, slots=True)
class Means:
    """How a relay is spoken to."""

    relay: Relay
    password: str = ""
    ca_file: bytes | None = None
    seconds: float = 60.0
    """For all that is said about one message."""

    @property
    def context(self) -> ssl.SSLContext:
        """What TLS is made with. On this machine nobody is verified, unless that is asked for."""
        relay = self.relay
        if relay.is_loopback and relay.tls == "offered" and self.ca_file is None:
            anybody = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            anybody.check_hostname, anybody.verify_mode = False, ssl.CERT_NONE
            return anybody
        return net.trusting(self.ca_file)


def send(
    means: Means,
    sender: str,
    recipients: Sequence[str],
    message: bytes,
    taken: Callable[[Mapping[str, str]], None],
    cut: Cut | None = None,
) -> None:
    """Hand over *message*. *taken* is called the moment that the relay has it, with those of the
    *recipients* that it refused and its words on each. RelayError: nobody got it.
    """
    cut = cut or Cut()
    with _errors(cut):
        session = _Session(means, cut)
        try:
            refused = _envelope(session, sender, recipients, len(message))
            code, words = session.data(message)
            if code not in _TAKEN:
                raise _unwilling(code, words)
            taken(refused)
            with contextlib.suppress(smtplib.SMTPException, OSError):
                session.quit()
        finally:
            session.close()


def _envelope(
    session: _Session, sender: str, recipients: Sequence[str], size: int
) -> dict[str, str]:
    """Name sender and recipients: those of them who are refused. RelayError: all of them are."""
    sizes = [f"SIZE={size}"] if session.has_extn("size") else []
    most = session.esmtp_features.get("size", "")
    if most.isdecimal() and 0 < int(most[:18]) < size:  # RFC 1870, 6.1: need not be tried
        raise RelayError(LARGE, most, passing=False, large=True)
    code, words = session.mail(sender, sizes)
    if code not in _TAKEN:
        raise _unwilling(code, words)
    refused = {}
    codes = set()
    for recipient in recipients:
        code, words = session.rcpt(recipient)
        if code == 421:
            raise smtplib.SMTPResponseException(code, words)
        if code not in _TAKEN:
            refused[recipient] = _said(code, words)
            codes.add(code)
    if len(refused) == len(recipients):
        passing = any(code < 500 for code in codes)
        error = RelayError(SAID, next(iter(refused.values()), ""), passing=passing)
        error.refused = refused
        raise error
    return refused


def _unwilling(code: int, words: bytes | str) -> RelayError:
    """What the relay says of the message as a whole."""
    large = code == _TOO_LARGE
    return RelayError(LARGE if large else SAID, _said(code, words), passing=code < 500, large=large)


def _said(code: int, words: bytes | str) -> str:
    text = words.decode("utf-8", "replace") if isinstance(words, bytes) else words
    return visible(f"{code} {' '.join(text.split())}")[:_WORDS]


@contextlib.contextmanager
def _errors(cut: Cut) -> Iterator[None]:
    """Whatever goes wrong, as a RelayError."""
    try:
        with _as_relays_do():
            yield
    except RelayError:
        if cut.is_over:
            raise RelayError(ENDED) from None
        raise


@contextlib.contextmanager
def _as_relays_do() -> Iterator[None]:
    try:
        yield
    except smtplib.SMTPResponseException as error:
        said = _said(error.smtp_code, error.smtp_error)
        raise RelayError(SAID, said, passing=error.smtp_code < 500) from None
    except TimeoutError:
        raise RelayError(LATE) from None
    except ssl.SSLError as error:
        words = getattr(error, "verify_message", "") or error.reason or str(error)
        raise RelayError(TLS, visible(words)[:_WORDS]) from None
    except smtplib.SMTPServerDisconnected:
        raise RelayError(CLOSED) from None
    except smtplib.SMTPException as error:
        raise RelayError(SAID, visible(str(error))[:_WORDS]) from None
    except (OSError, UnicodeError) as error:
        words = getattr(error, "strerror", None) or str(error)
        raise RelayError(NETWORK, visible(words)[:_WORDS]) from None


class _Session(smtplib.SMTP):
    """A conversation that ends in time, in which no answer is without end."""

    def __init__(self, means: Means, cut: Cut | None = None) -> None:
        self._means = means
        self._cut = cut or Cut()
        self._deadline = net.Deadline(means.seconds)
        self._heard = b""
        relay = means.relay
        try:
            super().__init__(relay.host, relay.port, "localhost", timeout=self._deadline.left())
            self.local_hostname = _own_name(self._socket)
            self.ehlo()
            self._secure(relay)
            if means.password:
                self.login(relay.user, means.password)
        except BaseException:
            self.close()
            raise

    @property
    def _socket(self) -> socket.socket:
        if self.sock is None:
            raise smtplib.SMTPServerDisconnected("closed")
        return self.sock

    def _secure(self, relay: Relay) -> None:
        """Change to TLS where that is offered, unless it is unwanted. RelayError."""
        if relay.implicit or relay.tls == "none":
            return
        if self.has_extn("starttls"):
            self.starttls(context=self._means.context)
            if self._heard:  # it was said in clear, perhaps by somebody else (CVE-2011-0411)
                raise RelayError(AHEAD)
            self.ehlo()
        elif relay.tls == "required":
            raise RelayError(CLEAR)
        elif self._means.password and not relay.is_loopback:
            raise RelayError(CLEAR_PASSWORD)

    def _get_socket(self, host: str, port: int, timeout: float) -> socket.socket:
        """The connection, with TLS where that comes first; what `smtplib.SMTP_SSL` does."""
        plain = self._connected(host, port, timeout)
        if not self._means.relay.implicit:
            return plain
        try:
            plain.settimeout(self._deadline.left())
            return self._means.context.wrap_socket(plain, server_hostname=host)
        except BaseException:
            plain.close()
            raise

    def _connected(self, host: str, port: int, timeout: float) -> socket.socket:
        """As `socket.create_connection`, to the first address that lets us. OSError."""
        trouble: OSError = TimeoutError()
        for info in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM):
            if self._cut.is_over:
                break
            try:
                return self._cut.connected(info, min(timeout, self._deadline.left()))
            except OSError as error:
                trouble = error
        raise trouble

    def close(self) -> None:
        """Hang up."""
        super().close()
        self._cut.let_go()

    def send(self, s: bytes | str) -> None:  # type: ignore[override]  # typeshed has a buffer
        """Send in the time that is left."""
        self._socket.settimeout(self._deadline.left())
        super().send(s)

    def getreply(self) -> tuple[int, bytes]:
        """An answer of one line or several. SMTPServerDisconnected, SMTPResponseException."""
        lines: list[bytes] = []
        while True:
            line = self._line()
            code = line[:3]
            if not (code.isdigit() and len(code) == 3):
                raise smtplib.SMTPResponseException(500, line)
            lines.append(line[4:].strip())
            if sum(map(len, lines)) + len(lines) > _MOST:
                raise RelayError(LOUD)
            if line[3:4] != b"-":
                return int(code), b"\n".join(lines)

    def _line(self) -> bytes:
        while b"\n" not in self._heard:
            if len(self._heard) > _LONGEST:
                raise RelayError(LOUD)
            self._socket.settimeout(self._deadline.left())
            data = self._socket.recv(4096)
            if not data:
                self.close()
                raise smtplib.SMTPServerDisconnected("it closed the connection")
            self._heard += data
        line, _, self._heard = self._heard.partition(b"\n")
        return line


def _own_name(connection: socket.socket) -> str:
    """What we call ourselves: the machine's full name, else the address (RFC 5321, 4.1.3)."""
    name = socket.gethostname()
    if "." in name.strip(".") and name.isascii():
        return name
    address = str(connection.getsockname()[0]).partition("%")[0]
    return f"[IPv6:{address}]" if ":" in address else f"[{address}]"
