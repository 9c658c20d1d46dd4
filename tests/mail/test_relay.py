"""Relays that are as they should be, and relays that are not."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Mapping

import pytest
from aiosmtpd.controller import Controller

from tests.identities import Identity
from tests.servers import LOOPBACK, free_port
from tests.smtp import Inbox, login, taking
from tlscheck.config.watching import Relay, relay
from tlscheck.mail.relay import (
    AHEAD,
    CLEAR,
    CLEAR_PASSWORD,
    CLOSED,
    LATE,
    LOUD,
    NETWORK,
    SAID,
    TLS,
    Means,
    RelayError,
    _Session,
    send,
)

MESSAGE = b"Subject: x\r\n\r\n.hidden\r\n..\r\nend\r\n"
TO = ("a@example.jp", "b@example.jp")


def where(port: int, rest: str = "", scheme: str = "smtp", user: str = "") -> Relay:
    found = relay(f"{scheme}://{user}{LOOPBACK}:{port}{rest}")
    assert found
    return found


def sent(means: Means, to: tuple[str, ...] = TO) -> dict[str, str]:
    refused: dict[str, str] = {"nobody": "was asked"}

    def taken(found: Mapping[str, str]) -> None:
        refused.clear()
        refused.update(found)

    send(means, "from@example.jp", to, MESSAGE, taken)
    return refused


def trouble(means: Means) -> RelayError:
    with pytest.raises(RelayError) as caught:
        sent(means)
    return caught.value


@pytest.fixture
def inbox() -> Inbox:
    return Inbox()


def test_a_plain_relay_on_this_machine(inbox: Inbox) -> None:
    with taking(inbox) as port:
        assert sent(Means(where(port))) == {}
    (got,) = inbox.got
    assert (got.mail_from, tuple(got.rcpt_tos), got.content) == ("from@example.jp", TO, MESSAGE)
    assert inbox.over_tls == [False]


def test_starttls_is_taken_where_it_is_offered(inbox: Inbox, identity: Identity) -> None:
    """On this machine nobody verifies it, unless that is asked for."""
    with taking(inbox, certificate=identity.rsa) as port:
        assert sent(Means(where(port))) == {}
        assert sent(Means(where(port, "?tls=none"))) == {}
        ca = identity.ca.read_bytes()
        assert sent(Means(where(port, "?tls=required"), ca_file=ca)) == {}
        assert sent(Means(where(port), ca_file=ca)) == {}
    assert inbox.over_tls == [True, False, True, True]


def test_a_certificate_that_nobody_trusts(inbox: Inbox, identity: Identity) -> None:
    other = identity.authority.issue("elsewhere.example")
    with taking(inbox, certificate=other) as port:
        for means in (
            Means(where(port, "?tls=required")),  # an authority of the tests
            Means(where(port), ca_file=identity.ca.read_bytes()),  # another's name
        ):
            error = trouble(means)
            assert error.template == TLS
            assert error.passing
    assert inbox.got == []


def test_a_relay_without_starttls(inbox: Inbox) -> None:
    with taking(inbox) as port:
        assert trouble(Means(where(port, "?tls=required"))).template == CLEAR
    assert inbox.got == []


def test_a_password_goes_over_tls_only(inbox: Inbox, identity: Identity) -> None:
    with taking(inbox, certificate=identity.rsa, authenticator=login) as port:
        means = Means(where(port, user="user@"), "secret", identity.ca.read_bytes())
        assert sent(means) == {}
        wrong = trouble(Means(where(port, user="user@"), "wrong", identity.ca.read_bytes()))
        assert (wrong.template, wrong.passing) == (SAID, False)
        assert "wrong" not in str(wrong.values)
    assert inbox.over_tls == [True]


def test_no_password_is_sent_in_clear(inbox: Inbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """As if the relay were on another machine."""
    monkeypatch.setattr(Relay, "is_loopback", False)
    with taking(inbox, authenticator=login, auth_require_tls=False) as port:
        assert trouble(Means(where(port, user="user@"), "secret")).template == CLEAR_PASSWORD


def test_one_recipient_is_refused(inbox: Inbox) -> None:
    inbox.refused["b@example.jp"] = "550 5.1.1 no such \x1b[31muser"
    with taking(inbox) as port:
        assert sent(Means(where(port))) == {"b@example.jp": "550 5.1.1 no such \\x1b[31muser"}
    assert inbox.got[0].rcpt_tos == ["a@example.jp"]


@pytest.mark.parametrize(("code", "passing"), [("450", True), ("550", False)])
def test_all_recipients_are_refused(inbox: Inbox, code: str, passing: bool) -> None:
    inbox.refused = dict.fromkeys(TO, f"{code} no")
    with taking(inbox) as port:
        error = trouble(Means(where(port)))
    assert (error.template, error.passing) == (SAID, passing)
    assert error.values == {"detail": f"{code} no"}
    assert inbox.got == []


@pytest.mark.parametrize(
    ("mail", "data", "passing"),
    [("421 shutting down", None, True), (None, "452 disk full", True), (None, "554 spam", False)],
)
def test_the_relay_changes_its_mind(
    inbox: Inbox, mail: str | None, data: str | None, passing: bool
) -> None:
    inbox.mail, inbox.data = mail, data
    with taking(inbox) as port:
        error = trouble(Means(where(port)))
    assert (error.values, error.passing) == ({"detail": mail or data}, passing)


def test_it_closes_when_it_has_the_message(inbox: Inbox) -> None:
    inbox.drops = True
    with taking(inbox) as port:
        assert trouble(Means(where(port))).template in (CLOSED, NETWORK)


def test_nobody_there(inbox: Inbox) -> None:
    with taking(inbox) as port:
        pass
    assert trouble(Means(where(port))).template == NETWORK


def test_it_is_known_at_once_that_the_relay_has_it(inbox: Inbox) -> None:
    """Before the conversation ends: whatever befalls that, the mail is not sent again."""
    said: list[str] = []

    def server(connection: socket.socket) -> None:
        talk = connection.makefile("rwb")
        for answer in (b"220 x", b"250 x", b"250 x", b"250 x", b"354 x"):
            talk.write(answer + b"\r\n")
            talk.flush()
            line = talk.readline() if answer[:1] != b"2" or answer[:3] == b"220" else b""
            line = line or talk.readline()
        while line != b".\r\n":
            line = talk.readline()
        talk.write(b"250 taken\r\n")
        talk.flush()  # and hangs up without waiting for QUIT

    with scripted(server) as port:
        send(Means(where(port)), "f@x.jp", TO[:1], MESSAGE, lambda _: said.append("taken"))
    assert said == ["taken"]


# ---- relays that mean harm -------------------------------------------------------------------


@contextlib.contextmanager
def scripted(serve: Callable[[socket.socket], None]) -> Iterator[int]:
    """A server of one connection."""
    listener = socket.create_server((LOOPBACK, 0))

    def run() -> None:
        with contextlib.suppress(OSError):
            connection, _ = listener.accept()
            with connection:
                serve(connection)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    try:
        yield listener.getsockname()[1]
    finally:
        listener.close()
        thread.join(5)


def flood(line: bytes) -> Callable[[socket.socket], None]:
    def serve(connection: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection.sendall(line * 100)

    return serve


@pytest.mark.parametrize("line", [b"220-on and on\r\n", b"x" * 100, b"220 " + b"y" * 90])
def test_an_answer_without_end(line: bytes) -> None:
    with scripted(flood(line)) as port:
        assert trouble(Means(where(port))).template == LOUD


@pytest.mark.parametrize("drip", [b"", b"2"])
def test_an_answer_that_never_comes(drip: bytes) -> None:
    def serve(connection: socket.socket) -> None:
        with contextlib.suppress(OSError):
            for _ in range(10):
                time.sleep(0.1)
                connection.sendall(drip)

    begun = time.monotonic()
    with scripted(serve) as port:
        assert trouble(Means(where(port), seconds=0.5)).template == LATE
        assert time.monotonic() - begun < 2


@pytest.mark.parametrize("answer", [b"hello\r\n", b"\xff\xfe\r\n", b"\r\n", b"22\r\n"])
def test_an_answer_that_is_none(answer: bytes) -> None:
    with scripted(lambda connection: connection.sendall(answer)) as port:
        assert trouble(Means(where(port))).template == SAID


def test_what_is_said_before_tls_begins_is_not_believed(identity: Identity) -> None:
    """The answer to the first command over TLS, put in beforehand by somebody on the way."""

    def serve(connection: socket.socket) -> None:
        connection.sendall(b"220 x\r\n")
        connection.recv(1000)
        connection.sendall(b"250-x\r\n250 STARTTLS\r\n")
        connection.recv(1000)
        connection.sendall(b"220 go\r\n250 injected\r\n")
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(identity.rsa.cert, identity.rsa.key)
        with contextlib.suppress(OSError), context.wrap_socket(connection, server_side=True) as tls:
            tls.recv(1000)

    with scripted(serve) as port:
        assert trouble(Means(where(port))).template == AHEAD


def test_we_say_who_we_are_as_relays_want_it(inbox: Inbox) -> None:
    with taking(inbox) as port:
        session = _Session(Means(where(port)))
        name = session.local_hostname
        session.close()
    assert name.startswith("[127.") or "." in name


# ---- where it is -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("smtp://relay.example", Relay("relay.example", 25, False, "offered")),
        ("smtp://u@relay.example:587/", Relay("relay.example", 587, False, "offered", "u")),
        ("smtp://u%40x.jp@h?tls=required", Relay("h", 25, False, "required", "u@x.jp")),
        ("smtps://h", Relay("h", 465, True, "offered")),
        ("smtp://[::1]:2525?tls=none", Relay("::1", 2525, False, "none")),
        ("smtp://u:secret@h", None),
        ("smtp://h?tls=maybe", None),
        ("smtp://h?tls=none&x=1", None),
        ("smtps://h?tls=none", None),
        ("smtp://h/path", None),
        ("smtp://h:0", None),
        ("smtp://h:99999", None),
        ("smtp://", None),
        ("http://h", None),
        ("smtp://h\r\nRCPT TO:<x>", None),
        ("relay.example", None),
    ],
)
def test_urls(text: str, expected: Relay | None) -> None:
    assert relay(text) == expected


def test_implicit_tls(inbox: Inbox, identity: Identity) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(identity.rsa.cert, identity.rsa.key)
    controller = Controller(inbox, hostname=LOOPBACK, port=free_port(), ssl_context=context)
    controller.start()
    try:
        ca = identity.ca.read_bytes()
        assert sent(Means(where(controller.port, scheme="smtps"), ca_file=ca)) == {}
        unknown = Means(where(controller.port, "?tls=required", scheme="smtps"))
        assert trouble(unknown).template == TLS
    finally:
        controller.stop()
    assert len(inbox.got) == 1
