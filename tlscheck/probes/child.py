"""The child process that sslyze lives in, run as ``python -m tlscheck.probes.child``.

It confines itself, imports sslyze, waits for one order (a JSON line on stdin) and writes JSON lines
to stdout: ``connect`` for each connection it is about to open, ``answer`` (or ``suites``) for each
question, ``end`` when all is done. sslyze and nassl are imported here and nowhere else, inside
functions: they carry OpenSSL 1.0.2e and 1.1.1w, parse what a stranger sends and may hang, so the
process has limits, holds no secrets and is killed by its parent when its time is over.
"""

from __future__ import annotations

import concurrent.futures
import contextlib
import ctypes
import functools
import json
import os
import re
import resource
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tlscheck.model import Place, State
from tlscheck.text import _N

if TYPE_CHECKING:
    from sslyze.connection_helpers.tls_connection import SslConnection
    from sslyze.server_connectivity import ServerConnectivityInfo, TlsVersionEnum

Said = tuple[str, State, str]
"""A question, what became of it, and why it is unknown."""

STARTTLS = {
    "smtp": "SMTP",
    "imap": "IMAP",
    "pop3": "POP3",
    "ftp": "FTP",
    "ldap": "LDAP",
    "postgres": "POSTGRES",
    "xmpp": "XMPP",
}
"""What sslyze calls the services that it can lead to TLS."""

_MEGABYTE = 1024 * 1024
_TAPPED = 65536
"""How many received bytes of a connection are kept for a second look."""
_ALLOW_UNSAFE_LEGACY_RENEGOTIATION = 0x00040000
_RETRY_REQUEST = bytes.fromhex("cf21ad74e59a6111be1d8c021e65b891c2a211167abb8c5e079e09e2c8a8339c")
"""The random of a ServerHello that is a HelloRetryRequest (RFC 8446, section 4.1.3)."""


class Unsettled(Exception):  # noqa: N818 - an outcome, not an error
    """The question could not be answered, for the reason given."""


@dataclass(frozen=True)
class Session:
    """A session of the place, for trying it elsewhere."""

    session: Any
    version: str
    legacy: bool
    tickets: bool


@dataclass
class Order:
    """What the parent wants to know, and what the jobs share."""

    ask: tuple[str, ...]
    place: Place
    version: str = ""
    """The highest version up to TLS 1.2 that is accepted, by name."""
    suite: str = ""
    suite13: str = ""
    rsa_version: str = ""
    identity: tuple[str, str] | None = None
    others: tuple[Place, ...] = ()
    width: int = 1
    """Connections at once."""
    gap: float = 0.0
    """Seconds between the starts of two connections."""
    patience: float = 5.0
    """Seconds for each step of a connection."""
    sessions: list[Session] = field(default_factory=list)


def main() -> None:
    """Read the order, do it, and say what came of it."""
    _confine(int(sys.argv[1]))
    trouble = _load()
    line = sys.stdin.readline()
    if not line:
        return  # the parent changed its mind, or is gone
    if trouble:
        _say(kind="end", trouble=trouble)
        return
    order = _order(json.loads(line))
    _watch_connections(order)
    if order.ask == ("suites",):
        _enumerate(order)
    else:
        _look(order)
    _say(kind="end", trouble="")


def _confine(parent: int) -> None:
    """Die with the parent, stay small, and leave nothing behind."""
    libc = ctypes.CDLL(None, use_errno=True)
    die_with_parent, no_new_privileges = 1, 38
    if libc.prctl(die_with_parent, signal.SIGKILL, 0, 0, 0) or os.getppid() != parent:
        os._exit(1)
    libc.prctl(no_new_privileges, 1, 0, 0, 0)
    for what, limit in (
        (resource.RLIMIT_CPU, 60),
        (resource.RLIMIT_AS, 1024 * _MEGABYTE),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_NOFILE, 64),
    ):
        ceiling = resource.getrlimit(what)[1]
        limit = limit if ceiling == resource.RLIM_INFINITY else min(limit, ceiling)
        resource.setrlimit(what, (limit, limit))


def _load() -> str:
    """Import sslyze, which takes a while; why it cannot be had, if so."""
    try:
        import sslyze  # noqa: F401
    except Exception as error:  # noqa: BLE001 - whatever keeps it from loading
        return f"{_N('sslyze cannot be loaded')}: {error!r}"
    return ""


def _order(said: dict[str, Any]) -> Order:
    said["place"] = Place(**said["place"])
    said["others"] = tuple(Place(**other) for other in said["others"])
    said["ask"] = tuple(said["ask"])
    return Order(**said)


_speaking = threading.Lock()
_current = threading.local()
"""``question``: what the thread is asking, for the count of connections."""


def _say(**what: object) -> None:
    with _speaking:
        sys.stdout.write(json.dumps(what) + "\n")
        sys.stdout.flush()


def _watch_connections(order: Order) -> None:
    """Announce every connection before it is opened, keep the pace, and allow no other peer."""
    allowed = {(place.address, place.port) for place in (order.place, *order.others)}
    connect = socket.socket.connect
    pace = threading.Lock()
    starts = [0.0]

    def watched(self: socket.socket, address: Any) -> None:
        peer = (str(address[0]), int(address[1]))
        if peer not in allowed:
            raise PermissionError(f"{peer} was not asked for")
        with pace:
            time.sleep(max(starts[0] + order.gap - time.monotonic(), 0))
            starts[0] = time.monotonic()
        _say(kind="connect", question=getattr(_current, "question", ""), peer=peer)
        connect(self, address)

    socket.socket.connect = watched  # type: ignore[method-assign, assignment]


# -- The look --------------------------------------------------------------------------------------

Job = tuple[tuple[str, ...], Callable[[Order], Iterator[Said]]]
"""The questions that a job answers, the one that its connections count for first, and the job."""


def _look(order: Order) -> None:
    with concurrent.futures.ThreadPoolExecutor(order.width) as pool:
        list(pool.map(lambda job: _run(order, job), _jobs(order)))
    if "crossing" in order.ask:
        _run(order, (("crossing",), _crossing))


def _jobs(order: Order) -> Iterator[Job]:
    ask = set(order.ask)
    renegotiate = "client_renegotiation" in ask
    if "resumption_tickets" in ask:
        # A renegotiation spoils nothing at the end of the resumed connection, and costs none.
        names = ("resumption_tickets", *(["client_renegotiation"] if renegotiate else []))
        yield names, functools.partial(_resumption, tickets=True, renegotiate=renegotiate)
        renegotiate = False
    if "resumption_ids" in ask:
        # A refused renegotiation makes servers forget the session, which crossing still needs.
        too = renegotiate and "crossing" not in ask
        names = ("resumption_ids", *(["client_renegotiation"] if too else []))
        yield names, functools.partial(_resumption, tickets=False, renegotiate=too)
        renegotiate = renegotiate and not too
    if renegotiate:
        yield ("client_renegotiation",), _renegotiation
    for name, job in (("early_data", _early_data), ("heartbleed", _heartbleed), ("robot", _robot)):
        if name in ask:
            yield (name,), job


def _run(order: Order, job: Job) -> None:
    """Do one job; whatever it leaves open is unknown, with the reason."""
    names, answers = job
    _current.question = names[0]
    left = list(names)
    trouble = "no answer"
    try:
        for name, state, detail in answers(order):
            left.remove(name)
            _say(kind="answer", question=name, state=state, detail=detail)
    except Unsettled as reason:
        trouble = str(reason)
    except Exception as error:  # noqa: BLE001 - sslyze may raise anything
        trouble = _words(error)
    for name in left:
        _say(kind="answer", question=name, state=State.UNKNOWN, detail=trouble)


def _words(error: Exception) -> str:
    text = getattr(error, "error_message", "") or str(error)
    return f"{type(error).__name__}: {text}".strip()[:200]


def _resumption(order: Order, tickets: bool, renegotiate: bool) -> Iterator[Said]:
    name = "resumption_tickets" if tickets else "resumption_ids"
    connection, legacy = _open_somehow(order, tickets=tickets)
    session = connection.ssl_client.get_session()
    close(connection)
    if _resumable(session, tickets):
        _say_lifetime(session, order.version)
        order.sessions.append(Session(session, order.version, legacy, tickets))
        connection = _open(
            order, order.place, order.version, legacy=legacy, tickets=tickets, session=session
        )
        again = _secret(connection.ssl_client.get_session()) == _secret(session)
        yield name, State.ACCEPTED if again else State.REFUSED, ""
        if renegotiate:
            yield _asked_to_renegotiate(order, connection, legacy)
        close(connection)
    else:
        yield name, State.REFUSED, ""
        if renegotiate:
            yield from _renegotiation(order)


def _resumable(session: Any, tickets: bool) -> bool:
    text = session.as_text()
    if tickets:
        return "TLS session ticket:" in text
    return bool(re.search(r"Session-ID: *[0-9A-F]", text))


def _say_lifetime(session: Any, version: str) -> None:
    if found := re.search(r"lifetime hint: *(\d{1,10}) ", session.as_text()):
        _say(kind="lifetime", version=version, seconds=int(found[1]))


def _secret(session: Any) -> str:
    # A server may resume a session and hand out a new ticket for it, so tickets prove nothing;
    # up to TLS 1.2 the master secret is the session.
    found = re.search(r"Master-Key: *([0-9A-F]{2,})", session.as_text())
    if not found:
        raise Unsettled("the session has no master secret")
    return found[1]


def _renegotiation(order: Order) -> Iterator[Said]:
    connection, legacy = _open_somehow(order)
    yield _asked_to_renegotiate(order, connection, legacy)
    close(connection)


_REFUSALS = (
    "no renegotiation",
    "handshake failure",
    "alert unexpected message",
    "illegal parameter",
    "insufficient security",
    "protocol version",
)
"""Alerts that refuse."""
_HANGINGS_UP = (
    "Nassl SSL handshake failed",
    "shut down by peer",
    "alert internal error",
    "alert unrecognized name",
    "alert access denied",
    "alert user cancelled",
    "unexpected record",
    "wrong version number",
    "bad record mac",
)
"""What refuses only when it happens twice (OSErrors too)."""


def _asked_to_renegotiate(order: Order, connection: SslConnection, legacy: bool) -> Said:
    state = _renegotiated(connection)
    if state is State.UNKNOWN:
        again = _open(order, order.place, order.version, legacy=legacy)
        state = _renegotiated(again)
        close(again)
        if state is State.UNKNOWN:
            state = State.REFUSED
    return "client_renegotiation", state, ""


def _renegotiated(connection: SslConnection) -> State:
    """Ask once for a renegotiation; unknown when the server hung up without saying no."""
    from nassl._nassl import OpenSSLError

    client: Any = connection.ssl_client
    try:
        client._ssl.set_options(_ALLOW_UNSAFE_LEGACY_RENEGOTIATION)
        client._ssl.renegotiate()
        client.do_handshake()
    except TimeoutError:
        raise Unsettled("the server is silent when asked to renegotiate") from None
    except OpenSSLError as error:
        if any(refusal in str(error) for refusal in _REFUSALS):
            return State.REFUSED
        if any(hanging_up in str(error) for hanging_up in _HANGINGS_UP):
            return State.UNKNOWN
        raise
    except OSError:
        return State.UNKNOWN
    return State.ACCEPTED


def _early_data(order: Order) -> Iterator[Said]:
    connection = _open(order, order.place, "TLS 1.3")
    session, talked = _ticket13(order, connection)
    close(connection)
    if session is None:
        if not talked:
            raise Unsettled("the server gave no session ticket in time")
        _say(kind="lifetime", version="TLS 1.3", seconds=0)
        yield "early_data", State.REFUSED, ""
        return
    _say_lifetime(session, "TLS 1.3")
    order.sessions.append(Session(session, "TLS 1.3", legacy=False, tickets=True))
    if not session.get_max_early_data():
        yield "early_data", State.REFUSED, ""
        return
    if not _takes_early_data(order, session):
        raise Unsettled("the server announces early data and did not take them")
    yield "early_data", State.ACCEPTED, ""


def _takes_early_data(order: Order, session: Any) -> bool:
    from nassl.ssl_client import OpenSslEarlyDataStatusEnum

    connection = _prepare(order, order.place, "TLS 1.3", session=session)
    client: Any = connection.ssl_client
    try:
        connection._do_pre_handshake()
        client.write_early_data(b"\r\n")  # an empty line before a request means nothing
        client.do_handshake()
        return bool(client.get_early_data_status() == OpenSslEarlyDataStatusEnum.ACCEPTED)
    finally:
        close(connection)


_LAST_WORDS = {
    "https": "HEAD / HTTP/1.1\r\nHost: {host}\r\nUser-Agent: tlscheck\r\nConnection: close\r\n\r\n",
    "smtp": "QUIT\r\n",
    "smtps": "QUIT\r\n",
    "pop3": "QUIT\r\n",
    "pop3s": "QUIT\r\n",
    "ftp": "QUIT\r\n",
    "ftps": "QUIT\r\n",
    "imap": "a LOGOUT\r\n",
    "imaps": "a LOGOUT\r\n",
}
"""Some servers send tickets only along with data, so one harmless command is said."""


def _ticket13(order: Order, connection: SslConnection) -> tuple[Any | None, bool]:
    """The session of the first ticket, and whether the server sent data."""
    words = _LAST_WORDS.get(order.place.service)
    session, talked = _await_ticket(connection, 0.3 if words else order.patience)
    if words and session is None and not talked:
        host = order.place.host
        connection.ssl_client.write(
            words.format(host=f"[{host}]" if ":" in host else host).encode()
        )
        session, talked = _await_ticket(connection, order.patience)
    return session, talked


def _await_ticket(connection: SslConnection, seconds: float) -> tuple[Any | None, bool]:
    client: Any = connection.ssl_client
    deadline = time.monotonic() + seconds
    while (left := deadline - time.monotonic()) > 0:
        client._sock.settimeout(left)
        try:
            received = client._sock.recv(4096)
        except TimeoutError:
            break
        if not received:
            break
        talked = _digest(client, received)
        session = client.get_session()
        if "TLS session ticket:" in session.as_text():
            return session, talked
        if talked:
            return None, True
    return None, False


def _digest(client: Any, received: bytes) -> bool:
    """Let OpenSSL have the bytes; whether there was data for us among them."""
    from nassl._nassl import WantReadError

    client._network_bio.write(received)
    with contextlib.suppress(WantReadError):
        return bool(client._ssl.read(4096))
    return False


def _crossing(order: Order) -> Iterator[Said]:
    """Whether a session of the place is resumed on any of the other places."""
    trouble = "" if order.sessions else _N("no session of the place could be had")
    for other in order.others:
        for session in order.sessions:
            try:
                crossed = _crosses(order, other, session)
            except Exception as error:  # noqa: BLE001 - the next one may still cross
                trouble = _words(error)
            else:
                if crossed:
                    yield "crossing", State.ACCEPTED, ""
                    return
    if trouble:
        raise Unsettled(trouble)
    yield "crossing", State.REFUSED, ""


def _crosses(order: Order, other: Place, known: Session) -> bool:
    connection = _open(
        order,
        other,
        known.version,
        legacy=known.legacy,
        tickets=known.tickets,
        session=known.session,
    )
    try:
        if known.version == "TLS 1.3":
            return takes_pre_shared_key(_tap(connection).received)
        return _secret(connection.ssl_client.get_session()) == _secret(known.session)
    finally:
        close(connection)


def takes_pre_shared_key(received: bytes) -> bool:
    """Whether the ServerHello among the bytes *received* takes the session offered (TLS 1.3)."""
    pre_shared_key = 41
    for kind, body in _messages(received):
        if kind == 2 and body[2:34] != _RETRY_REQUEST:
            start = 35 + body[34] + 3  # session id, suite, compression
            extensions = body[start + 2 :]
            while len(extensions) >= 4:
                size = int.from_bytes(extensions[2:4], "big")
                if int.from_bytes(extensions[:2], "big") == pre_shared_key:
                    return True
                extensions = extensions[4 + size :]
            return False
    raise Unsettled("no ServerHello was seen")


def _messages(received: bytes) -> Iterator[tuple[int, bytes]]:
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


def _heartbleed(order: Order) -> Iterator[Said]:
    # sslyze leaves the server name out, as some old servers want; those that cannot do without it
    # refuse the hello, which says nothing of the heartbeat.
    for named in (False, True):
        connection = _prepare(order, order.place, order.version, named=named)
        if _bleeds(connection):
            yield "heartbleed", State.ACCEPTED, ""
            return
        if any(kind == 14 for kind, _ in _messages(_tap(connection).received)):  # ServerHelloDone
            yield "heartbleed", State.REFUSED, ""
            return
        if order.place.sni is None:
            break
    raise Unsettled("the server ended the handshake before the heartbeat could be answered")


def _bleeds(connection: SslConnection) -> bool:
    from sslyze.plugins import heartbleed_plugin

    client: Any = connection.ssl_client
    try:
        connection._do_pre_handshake()
        heartbleed_plugin._do_handshake_with_heartbleed(client)  # type: ignore[no-untyped-call]
    except heartbleed_plugin._VulnerableToHeartbleed:
        return True
    except heartbleed_plugin._NotVulnerableToHeartbleed:
        return False
    finally:
        close(connection)
    raise Unsettled("the heartbeat was not judged")


def _robot(order: Order) -> Iterator[Said]:
    from sslyze.plugins.robot import _robot_tester as tester

    # Without an identity and strictly: the forged key exchange is no answer to a server that
    # wants a certificate first, and all its answers would be alike for that reason.
    info = _info(order, order.place, order.rsa_version, strict=True, patience=2)
    version = _version(order.rsa_version)
    for suites in ("AES128-GCM-SHA256:AES256-GCM-SHA384", "RSA"):
        if suites != "RSA" and order.rsa_version != "TLS 1.2":
            continue
        if key := tester._get_rsa_parameters(info, version, suites):
            break
    else:
        raise Unsettled("no handshake with RSA key exchange")
    runs: list[dict[Any, str]] = []
    for _ in range(2):
        runs.append(tester._run_oracle_detection(info, version, suites, key.n, key.e, True))
        if not all(runs[-1].values()):
            raise Unsettled("the server did not come to the key exchange")
    if len(set(runs[0].values()) | set(runs[1].values())) > 1:
        runs.append(tester._run_oracle_detection(info, version, suites, key.n, key.e, True))
    responses = {payload: [run[payload] for run in runs] for payload in runs[0]}
    verdict = tester.RobotServerResponsesAnalyzer(responses, len(runs)).compute_result_enum()
    if verdict is tester.RobotScanResultEnum.UNKNOWN_INCONSISTENT_RESULTS:
        raise Unsettled("the server's answers differ from one time to the next")
    sound = verdict is tester.RobotScanResultEnum.NOT_VULNERABLE_NO_ORACLE
    yield "robot", State.REFUSED if sound else State.ACCEPTED, ""


# -- Connections -----------------------------------------------------------------------------------


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


def _tap(connection: SslConnection) -> Tap:
    tap = connection.ssl_client.get_underlying_socket()
    if not isinstance(tap, Tap):
        raise Unsettled("no connection was opened")
    return tap


def _version(name: str) -> TlsVersionEnum:
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


def _info(
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
            highest_tls_version_supported=_version(version),
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


def _prepare(
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
    connection = _info(order, place, version).get_preconfigured_tls_connection(
        override_tls_version=_version(version),
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


def _open(order: Order, place: Place, version: str, **how: Any) -> SslConnection:
    """A connection with its handshake done."""
    connection = _prepare(order, place, version, **how)
    try:
        connection.connect(should_retry_connection=False)
        connection.ssl_client._flush_ssl_engine()  # a Finished that comes last stays unsent
    except BaseException:
        close(connection)
        raise
    return connection


def _open_somehow(order: Order, tickets: bool = True) -> tuple[SslConnection, bool]:
    """As `_open`, by the newer OpenSSL, and else by the older; which one worked."""
    from nassl._nassl import OpenSSLError
    from sslyze.connection_helpers.tls_connection import NoCiphersAvailableBugInSSlyze
    from sslyze.errors import ServerRejectedTlsHandshake

    if order.version == "TLS 1.2":
        # The newer one does not know the suites of old, the older neither ChaCha20 nor X25519.
        with contextlib.suppress(
            ServerRejectedTlsHandshake, OpenSSLError, NoCiphersAvailableBugInSSlyze
        ):
            return _open(order, order.place, order.version, tickets=tickets), False
    return _open(order, order.place, order.version, tickets=tickets, legacy=True), True


def close(connection: SslConnection) -> None:
    """Take leave properly: many servers forget a session whose connection just breaks off."""
    from nassl._nassl import OpenSSLError

    client: Any = connection.ssl_client
    with contextlib.suppress(OSError, OpenSSLError):
        client._ssl.shutdown()
        client._flush_ssl_engine()
    if client._sock:
        client._sock.close()


# -- The second opinion ----------------------------------------------------------------------------


def _enumerate(order: Order) -> None:
    """Ask for every suite and curve that sslyze knows, one connection each."""
    from sslyze.plugins.elliptic_curves_plugin import SupportedEllipticCurvesImplementation
    from sslyze.plugins.openssl_cipher_suites import implementation

    info = _info(order, order.place, order.version)
    with concurrent.futures.ThreadPoolExecutor(order.width) as pool:
        for version, command in (
            ("TLS 1.3", implementation.Tlsv13ScanImplementation),
            ("TLS 1.2", implementation.Tlsv12ScanImplementation),
            ("TLS 1.1", implementation.Tlsv11ScanImplementation),
            ("TLS 1.0", implementation.Tlsv10ScanImplementation),
            ("SSL 3.0", implementation.Sslv30ScanImplementation),
            ("SSL 2.0", implementation.Sslv20ScanImplementation),
        ):
            jobs = command.scan_jobs_for_scan_command(info)
            _report(version, "suites", pool.map(_suite_result, jobs))
        curves = SupportedEllipticCurvesImplementation.scan_jobs_for_scan_command(info)
        _report(order.version, "groups", pool.map(_curve_result, curves))


def _report(version: str, dimension: str, results: Iterator[tuple[str, State] | None]) -> None:
    states = dict(result for result in results if result)
    _say(kind="second", version=version, dimension=dimension, states=states)


def _suite_result(job: Any) -> tuple[str, State] | None:
    """What became of one suite; none for one that this OpenSSL cannot offer."""
    from sslyze.connection_helpers.tls_connection import NoCiphersAvailableBugInSSlyze
    from sslyze.plugins.openssl_cipher_suites._test_cipher_suite import CipherSuiteAcceptedByServer

    _current.question = "suites"
    name: str = job.function_arguments[2].name
    try:
        result = job.function_to_call(*job.function_arguments)
    except NoCiphersAvailableBugInSSlyze:
        return None
    except Exception:  # noqa: BLE001 - sslyze may raise anything
        return name, State.UNKNOWN
    if isinstance(result, CipherSuiteAcceptedByServer):
        return name, State.ACCEPTED
    # sslyze counts silence as a refusal.
    timed_out = "timed out" in result.error_message
    return name, State.UNKNOWN if timed_out else State.REFUSED


_GROUPS = {"X25519": "x25519", "X448": "x448"}
"""IANA's names where they differ from sslyze's."""


def _curve_result(job: Any) -> tuple[str, State] | None:
    _current.question = "groups"
    try:
        result = job.function_to_call(*job.function_arguments)
    except Exception:  # noqa: BLE001 - sslyze may raise anything
        return None
    name: str = result.curve.name
    state = State.ACCEPTED if result.was_accepted_by_server else State.REFUSED
    return _GROUPS.get(name, name), state


if __name__ == "__main__":
    main()
