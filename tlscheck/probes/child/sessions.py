"""What becomes of sessions: resumed, with early data, at another place."""

from __future__ import annotations

import contextlib
import re
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from tlscheck.model import Place, State
from tlscheck.probes.child.connections import (
    close,
    messages,
    opened,
    opened_somehow,
    prepared,
    tapped,
)
from tlscheck.probes.child.flaws import asked_to_renegotiate, renegotiation
from tlscheck.probes.child.order import Order, Said, Session, Unsettled, say, words
from tlscheck.text import _N

if TYPE_CHECKING:
    from sslyze.connection_helpers.tls_connection import SslConnection


_RETRY_REQUEST = bytes.fromhex("cf21ad74e59a6111be1d8c021e65b891c2a211167abb8c5e079e09e2c8a8339c")
"""The random of a ServerHello that is a HelloRetryRequest (RFC 8446, section 4.1.3)."""


def resumption(order: Order, tickets: bool, renegotiate: bool) -> Iterator[Said]:
    """Whether a session is resumed, by tickets or by its id, and for how long that is offered."""
    name = "resumption_tickets" if tickets else "resumption_ids"
    connection, legacy = opened_somehow(order, tickets=tickets)
    session = connection.ssl_client.get_session()
    close(connection)
    if _resumable(session, tickets):
        _say_lifetime(session, order.version)
        order.sessions.append(Session(session, order.version, legacy, tickets))
        connection = opened(
            order, order.place, order.version, legacy=legacy, tickets=tickets, session=session
        )
        again = _secret(connection.ssl_client.get_session()) == _secret(session)
        yield name, State.ACCEPTED if again else State.REFUSED, ""
        if renegotiate:
            yield asked_to_renegotiate(order, connection, legacy)
        close(connection)
    else:
        yield name, State.REFUSED, ""
        if renegotiate:
            yield from renegotiation(order)


def _resumable(session: Any, tickets: bool) -> bool:
    text = session.as_text()
    if tickets:
        return "TLS session ticket:" in text
    return bool(re.search(r"Session-ID: *[0-9A-F]", text))


def _say_lifetime(session: Any, version: str) -> None:
    if found := re.search(r"lifetime hint: *(\d{1,10}) ", session.as_text()):
        say(kind="lifetime", version=version, seconds=int(found[1]))


def _secret(session: Any) -> str:
    # A server may resume a session and hand out a new ticket for it, so tickets prove nothing;
    # up to TLS 1.2 the master secret is the session.
    found = re.search(r"Master-Key: *([0-9A-F]{2,})", session.as_text())
    if not found:
        raise Unsettled("the session has no master secret")
    return found[1]


def early_data(order: Order) -> Iterator[Said]:
    """Whether early data is taken."""
    connection = opened(order, order.place, "TLS 1.3")
    session, talked = _ticket13(order, connection)
    close(connection)
    if session is None:
        if not talked:
            raise Unsettled("the server gave no session ticket in time")
        say(kind="lifetime", version="TLS 1.3", seconds=0)
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

    connection = prepared(order, order.place, "TLS 1.3", session=session)
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
    farewell = _LAST_WORDS.get(order.place.service)
    session, talked = _await_ticket(connection, 0.3 if farewell else order.patience)
    if farewell and session is None and not talked:
        host = order.place.host
        connection.ssl_client.write(
            farewell.format(host=f"[{host}]" if ":" in host else host).encode()
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


def crossing(order: Order) -> Iterator[Said]:
    """Whether a session of the place is resumed on any of the other places."""
    trouble = "" if order.sessions else _N("no session of the place could be had")
    for other in order.others:
        for session in order.sessions:
            try:
                crossed = _crosses(order, other, session)
            except Exception as error:  # noqa: BLE001 - the next one may still cross
                trouble = words(error)
            else:
                if crossed:
                    yield "crossing", State.ACCEPTED, ""
                    return
    if trouble:
        raise Unsettled(trouble)
    yield "crossing", State.REFUSED, ""


def _crosses(order: Order, other: Place, known: Session) -> bool:
    connection = opened(
        order,
        other,
        known.version,
        legacy=known.legacy,
        tickets=known.tickets,
        session=known.session,
    )
    try:
        if known.version == "TLS 1.3":
            return takes_pre_shared_key(tapped(connection).received)
        return _secret(connection.ssl_client.get_session()) == _secret(known.session)
    finally:
        close(connection)


def takes_pre_shared_key(received: bytes) -> bool:
    """Whether the ServerHello among the bytes *received* takes the session offered (TLS 1.3)."""
    pre_shared_key = 41
    for kind, body in messages(received):
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
