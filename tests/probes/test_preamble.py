"""From clear text to TLS with real servers, and with scripted ones where there is none."""

from __future__ import annotations

import asyncio
import contextlib
import os
import pwd
import socket
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests import servers
from tests.conftest import Start
from tests.identities import Identity
from tests.make_chain import ders
from tests.servers import LOOPBACK, Server, free_port, program
from tlscheck.model import Place, Reason, State
from tlscheck.net import Net, NetError
from tlscheck.probes import live
from tlscheck.probes.engine import Engine, Stop
from tlscheck.probes.preamble import preamble
from tlscheck.targets import SERVICES
from tlscheck.wire.names import Version

Handler = Callable[[socket.socket], None]

ACCEPTED, REFUSED = State.ACCEPTED, State.REFUSED


async def shake(place: Place, **options: Any) -> live.Live:
    lead = preamble(place.service, place.host)
    async with live.handshake(Net(**options), place, preamble=lead) as talk:
        return talk


def trouble(place: Place, **options: Any) -> NetError:
    with pytest.raises(NetError) as caught:
        asyncio.run(shake(place, **options))
    return caught.value


# -- Real servers ----------------------------------------------------------------------------------


def run(name: str, command: list[str], home: Path, ports: list[int], configured: str) -> Any:
    return servers._run(name, command, home, ports, configured)


def needs_user(name: str) -> None:
    if os.geteuid() != 0:
        pytest.skip(f"NOT TESTED: {name} starts as root only")
    with contextlib.suppress(KeyError):
        pwd.getpwnam(name)
        return
    pytest.skip(f"NOT TESTED: there is no user {name}")


@pytest.fixture(scope="module")
def open_folder() -> Iterator[Path]:
    """A folder that servers can enter after they have changed to a user of their own."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        yield folder


SMTP = {
    "modern": ("smtpd_tls_security_level = may", "smtpd_tls_protocols = >=TLSv1.2"),
    "clear": ("smtpd_tls_security_level = none",),
    "strict": (
        "smtpd_tls_security_level = encrypt",
        "smtpd_delay_reject = no",
        "smtpd_helo_required = yes",
        "smtpd_helo_restrictions = reject_invalid_helo_hostname, reject_non_fqdn_helo_hostname",
    ),
}
"""The ports of postfix, and what is peculiar to each."""


@pytest.fixture(scope="module")
def postfix(open_folder: Path, identity: Identity) -> Iterator[Callable[[str], Server]]:
    """``postfix("modern")``: it takes its time to start, and so serves all tests."""
    command = program("postfix")
    needs_user("postfix")
    home, ports = servers._home(open_folder, "postfix"), [free_port() for _ in SMTP]
    for folder in "queue", "data":
        (home / folder).mkdir()
    owner = pwd.getpwnam("postfix")
    os.chown(home / "data", owner.pw_uid, owner.pw_gid)
    text = f"""\
compatibility_level = 3.6
queue_directory = {home}/queue
data_directory = {home}/data
maillog_file = /dev/stdout
inet_interfaces = {LOOPBACK}
local_recipient_maps =
alias_maps =
myhostname = mail.example.test
smtpd_tls_chain_files = {identity.rsa.key}, {identity.rsa.cert}
smtpd_client_connection_count_limit = 0
"""
    services = [
        f"{LOOPBACK}:{port} inet n - n - - smtpd "
        + " ".join(f"-o {{ {setting} }}" for setting in settings)
        for port, settings in zip(ports, SMTP.values(), strict=True)
    ]
    services += [
        "tlsmgr unix - - n 1000? 1 tlsmgr",
        "postlog unix-dgram n - n - 1 postlogd",
        "anvil unix - - n - 1 anvil",
        "rewrite unix - - n - - trivial-rewrite",
    ]
    servers._written(home / "main.cf", text)
    servers._written(home / "master.cf", "\n".join(services) + "\n")
    # `postfix start` would leave our process group; its parts do not.
    subprocess.run([command, "-c", str(home), "check"], check=True, capture_output=True)
    show = [program("postconf"), "-c", str(home), "-h", "daemon_directory"]
    daemons = subprocess.run(show, check=True, capture_output=True, text=True).stdout.strip()
    arguments = [f"{daemons}/master", "-c", str(home), "-d"]
    with run("postfix", arguments, home, ports, text) as server:
        yield lambda name: server.at(list(SMTP).index(name))


@pytest.fixture
def dovecot(open_folder: Path, identity: Identity, stack: contextlib.ExitStack) -> Server:
    """IMAP at its first port, POP3 at its second."""
    command = program("dovecot")
    needs_user("dovenull")
    home, imap, pop3 = servers._home(open_folder, "dovecot"), free_port(), free_port()
    text = f"""\
base_dir = {home}/run
state_dir = {home}/state
log_path = /dev/stderr
protocols = imap pop3
listen = {LOOPBACK}
ssl = yes
ssl_cert = <{identity.ec.cert}
ssl_key = <{identity.ec.key}
passdb {{
  driver = static
  args = nopassword=y
}}
service imap-login {{
  chroot =
  inet_listener imap {{
    port = {imap}
  }}
  inet_listener imaps {{
    port = 0
  }}
}}
service pop3-login {{
  chroot =
  inet_listener pop3 {{
    port = {pop3}
  }}
  inet_listener pop3s {{
    port = 0
  }}
}}
"""
    config = servers._written(home / "dovecot.conf", text)
    arguments = [command, "-F", "-c", str(config)]
    server: Server = stack.enter_context(run("dovecot", arguments, home, [imap, pop3], text))
    return server


@pytest.fixture
def slapd(tmp_path: Path, identity: Identity, stack: contextlib.ExitStack) -> Callable[..., Server]:
    """An empty directory, with TLS unless told otherwise."""

    def start(*, tls: bool = True) -> Server:
        command = program("slapd")
        home, port = servers._home(tmp_path, "slapd"), free_port()
        lines = [f"pidfile {home}/pid", f"argsfile {home}/args"]
        if tls:
            lines.append(f"TLSCertificateFile {identity.rsa.cert}")
            lines.append(f"TLSCertificateKeyFile {identity.rsa.key}")
        config = servers._written(home / "slapd.conf", "\n".join(lines) + "\n")
        arguments = [command, "-d", "0", "-f", str(config), "-h", f"ldap://{LOOPBACK}:{port}"]
        server: Server = stack.enter_context(run("slapd", arguments, home, [port], str(lines)))
        return server

    return start


def test_smtp(postfix: Callable[[str], Server], identity: Identity) -> None:
    talk = asyncio.run(shake(postfix("modern").place("smtp")))
    assert (talk.version, talk.presented.chain) == ("TLS 1.3", ders(identity.rsa))


def test_smtp_without_tls(postfix: Callable[[str], Server]) -> None:
    error = trouble(postfix("clear").place("smtp"))
    assert (error.reason, error.detail) == (Reason.PREAMBLE, "STARTTLS is not offered")


def test_smtp_that_asks_much_of_our_name(postfix: Callable[[str], Server]) -> None:
    assert asyncio.run(shake(postfix("strict").place("smtp"))).version == "TLS 1.3"


def test_the_hello_engine_behind_smtp(postfix: Callable[[str], Server]) -> None:
    place = postfix("modern").place("smtp")
    engine = Engine(Net(), place, preamble=preamble("smtp", place.host))
    assert asyncio.run(engine.run()) is Stop.DONE
    states = {str(version): engine.known.version(version) for version in Version}
    assert states == dict.fromkeys(states, REFUSED) | {
        "TLS 1.2": ACCEPTED,
        "TLS 1.3": ACCEPTED,
    }


def test_imap_and_pop3(dovecot: Server, identity: Identity) -> None:
    for block, service in enumerate(("imap", "pop3")):
        talk = asyncio.run(shake(dovecot.at(block).place(service)))
        assert (talk.version, talk.presented.chain) == ("TLS 1.3", ders(identity.ec))


def test_the_wrong_service_is_told_from_a_refusal(dovecot: Server) -> None:
    error = trouble(dovecot.at(1).place("imap"))
    assert error.reason is Reason.PREAMBLE
    assert error.detail.startswith("the greeting is not imap: +OK")


def test_ldap(slapd: Callable[..., Server], identity: Identity) -> None:
    talk = asyncio.run(shake(slapd().place("ldap")))
    assert talk.presented.chain == ders(identity.rsa)


def test_ldap_without_tls(slapd: Callable[..., Server]) -> None:
    error = trouble(slapd(tls=False).place("ldap"))
    assert error.reason is Reason.PREAMBLE
    assert error.detail.startswith("the answer to StartTLS is a refusal: result 2")


# -- Scripted servers ------------------------------------------------------------------------------

XMPP = b"<stream:stream id='1'><stream:features><starttls/></stream:features>"


def script(*turns: bytes, first: bool = True) -> Handler:
    """Says each of *turns* after a word of the client; the *first* of its own accord."""

    def handler(peer: socket.socket) -> None:
        for number, turn in enumerate(turns):
            if number or not first:
                assert peer.recv(4096)
            peer.sendall(turn)

    return handler


def handshake_packet() -> bytes:
    payload = b"\x0a8.0.36\0" + bytes(4) + b"12345678\0" + b"\xff\xff" + bytes(20)
    return len(payload).to_bytes(3, "little") + b"\0" + payload


def mysql(peer: socket.socket) -> None:
    peer.sendall(handshake_packet())
    assert len(peer.recv(36, socket.MSG_WAITALL)) == 36


@pytest.mark.parametrize(
    ("service", "handler"),
    [
        ("lmtp", script(b"220 x\r\n", b"250-x\r\n250 STARTTLS\r\n", b"220 go\r\n")),
        ("sieve", script(b'"STARTTLS"\r\nOK\r\n', b"OK\r\n")),
        ("nntp", script(b"200 x\r\n", b"382 go\r\n")),
        ("ftp", script(b"220-x\r\n220 x\r\n", b"234 go\r\n")),
        ("postgres", script(b"S", first=False)),
        ("mysql", mysql),
        ("xmpp", script(XMPP, b"<proceed/>", first=False)),
    ],
)
def test_scripted(pyopenssl_server: Start, service: str, handler: Handler) -> None:
    server = pyopenssl_server(preamble=handler)
    assert asyncio.run(shake(server.place(service))).version == "TLS 1.3"


def test_one_byte_at_a_time(pyopenssl_server: Start) -> None:
    def handler(peer: socket.socket) -> None:
        peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for turn in (b"220 x\r\n", b"250-x\r\n250 STARTTLS\r\n", b"220 go\r\n"):
            for byte in turn:
                peer.sendall(bytes((byte,)))
            if not turn.endswith(b"go\r\n"):
                peer.recv(4096)

    server = pyopenssl_server(preamble=handler)
    assert asyncio.run(shake(server.place("smtp"))).version == "TLS 1.3"


def test_xmpp_is_told_the_name_in_unicode(scripted: Start) -> None:
    heard = bytearray()

    def handler(peer: socket.socket) -> None:
        heard.extend(peer.recv(4096))

    trouble(scripted(handler).place("xmpp", "xn--fa-hia.de"))
    assert "to='faß.de'".encode() in heard


@pytest.mark.parametrize(
    ("answer", "detail"),
    [
        (b"554 no\r\n", "the greeting is a refusal: 554 no"),
        (b"554 \x1b[2J\xff\tno\r\n", "the greeting is a refusal: 554 �[2J� no"),
        (b"554 " + b"x" * 500 + b"\r\n", "the greeting is a refusal: 554 " + "x" * 116 + "…"),
        (b"", "closed before the greeting"),
        (b"421 too many", "closed before the greeting: 421 too many"),
    ],
)
def test_what_the_server_says_is_made_safe(scripted: Start, answer: bytes, detail: str) -> None:
    error = trouble(scripted(script(answer)).place("smtp"))
    assert (error.reason, error.detail) == (Reason.PREAMBLE, detail)


def test_silence_says_what_was_waited_for(proxy: Callable[..., Any], scripted: Start) -> None:
    between = proxy(scripted(script(b"")), hang=True)
    place = Place("localhost", between.port, "smtp", between.host, "localhost")
    error = trouble(place, connect_timeout=0.3)
    assert (error.reason, error.detail) == (Reason.TIMEOUT, "waiting for the greeting")


def test_a_server_that_never_ends(scripted: Start) -> None:
    def handler(peer: socket.socket) -> None:
        while True:
            peer.sendall(b"220-x\r\n" * 100)

    error = trouble(scripted(handler).place("smtp"))
    assert error.detail.startswith("the greeting does not end")


def test_what_speaks_tls_from_the_start_has_no_preamble() -> None:
    for name, service in SERVICES.items():
        assert (preamble(name, "localhost") is not None) == service.starttls
