"""Mail servers of the tests: aiosmtpd, which can be told to misbehave, and a real Postfix."""

from __future__ import annotations

import contextlib
import email
import email.policy
import os
import pwd
import ssl
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

from tests import servers
from tests.identities import Certificate
from tests.servers import LOOPBACK, free_port, program


@dataclass
class Inbox:
    """What a server took, and how it behaves."""

    got: list[Envelope] = field(default_factory=list)
    refused: dict[str, str] = field(default_factory=dict)
    """Answers to RCPT by recipient."""
    data: str | None = None
    """The answer after the message."""
    mail: str | None = None
    """The answer to MAIL."""
    largest: int = 0
    """Bytes above which a message is too large, when it has come; 0: none is."""
    drops: bool = False
    """Close the connection when the message has come, and say nothing."""
    over_tls: list[bool] = field(default_factory=list)

    async def handle_MAIL(  # noqa: N802 - aiosmtpd's names
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if self.mail:
            return self.mail
        envelope.mail_from = address
        return "250 OK"

    async def handle_RCPT(  # noqa: N802
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if address in self.refused:
            return self.refused[address]
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(  # noqa: N802
        self, server: SMTP, session: Session, envelope: Envelope
    ) -> str:
        if self.drops:
            assert server.transport
            server.transport.abort()
            return "250 never said"
        if self.largest and len(envelope.content or b"") > self.largest:
            return "552 5.3.4 message too large"
        if self.data and not self.data.startswith("2"):
            return self.data
        self.got.append(envelope)
        self.over_tls.append(session.ssl is not None)
        return self.data or "250 OK"

    @property
    def messages(self) -> list[EmailMessage]:
        return [parsed(each.content or b"") for each in self.got]

    @property
    def ids(self) -> list[str]:
        return [each["Message-ID"] for each in self.messages]


def parsed(data: bytes | str) -> EmailMessage:
    raw = data.encode() if isinstance(data, str) else data
    found = email.message_from_bytes(raw, policy=email.policy.default)
    assert isinstance(found, EmailMessage)
    return found


def body(message: EmailMessage, kind: str = "plain") -> str:
    part = message.get_body((kind,))
    assert part is not None
    return str(part.get_content()).replace("\r\n", "\n")


def login(
    server: SMTP, session: Session, envelope: Envelope, mechanism: str, data: Any
) -> AuthResult:
    """Who may: ``user`` with ``secret``."""
    assert isinstance(data, LoginPassword)
    return AuthResult(success=data == LoginPassword(b"user", b"secret"), handled=False)


@contextlib.contextmanager
def taking(
    inbox: Inbox, port: int = 0, certificate: Certificate | None = None, **options: Any
) -> Iterator[int]:
    """A server on loopback that takes mail into *inbox*; with a *certificate*, with STARTTLS."""
    if certificate is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate.cert, certificate.key)
        options["tls_context"] = context
    controller = Controller(inbox, hostname=LOOPBACK, port=port or free_port(), **options)
    controller.start()
    try:
        yield controller.port
    finally:
        controller.stop()


# ---- Postfix ---------------------------------------------------------------------------------


@dataclass(frozen=True)
class Postfix:
    """A real relay that keeps all mail for example.jp."""

    port: int
    folder: Path

    def messages(self, least: int = 0) -> list[EmailMessage]:
        """What has arrived, at least so many within ten seconds, the oldest first."""
        for _ in range(100):
            found = sorted(self.folder.glob("*/new/*"), key=lambda path: path.stat().st_mtime_ns)
            if len(found) >= least:
                return [parsed(path.read_bytes()) for path in found]
            time.sleep(0.1)
        raise AssertionError(f"{len(found)} messages, not {least}")


SERVICES = """\
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
tlsmgr unix - - n 1000? 1 tlsmgr
proxymap unix - - n - - proxymap
anvil unix - - n - 1 anvil
virtual unix - n n - - virtual
error unix - - n - - error
retry unix - - n - - error
postlog unix-dgram n - n - 1 postlogd
"""


@contextlib.contextmanager
def postfix(
    folder: Path, certificate: Certificate, port: int = 0, settings: str = ""
) -> Iterator[Postfix]:
    """Postfix with STARTTLS; *folder* must be one that its user can enter."""
    command = program("postfix")
    try:
        owner = pwd.getpwnam("postfix")
    except KeyError:
        pytest.skip("NOT TESTED: there is no user postfix")
    if os.geteuid() != 0:
        pytest.skip("NOT TESTED: postfix must be started by root")
    home, port = servers._home(folder, "postfix"), port or free_port()
    for name in ("queue", "data", "mail"):
        (home / name).mkdir()
    for name in ("data", "mail"):
        os.chown(home / name, owner.pw_uid, owner.pw_gid)
    text = f"""\
compatibility_level = 3.6
queue_directory = {home}/queue
data_directory = {home}/data
maillog_file = /dev/stdout
inet_interfaces = {LOOPBACK}
mydestination =
alias_maps =
local_recipient_maps =
myhostname = mail.example.test
smtpd_tls_security_level = may
smtpd_tls_chain_files = {certificate.key}, {certificate.cert}
smtpd_relay_restrictions = permit_mynetworks, reject
virtual_mailbox_domains = example.jp
virtual_mailbox_base = {home}/mail
virtual_mailbox_maps = static:all/
virtual_uid_maps = static:{owner.pw_uid}
virtual_gid_maps = static:{owner.pw_gid}
virtual_minimum_uid = 1
{settings}
"""
    servers._written(home / "main.cf", text)
    servers._written(home / "master.cf", f"{LOOPBACK}:{port} inet n - n - - smtpd\n{SERVICES}")
    subprocess.run([command, "-c", str(home), "check"], check=True, capture_output=True)
    show = [program("postconf"), "-c", str(home), "-h", "daemon_directory"]
    daemons = subprocess.run(show, check=True, capture_output=True, text=True).stdout.strip()
    arguments = [f"{daemons}/master", "-c", str(home), "-d"]
    with servers._run("postfix", arguments, home, [port], text):
        yield Postfix(port, home / "mail")
