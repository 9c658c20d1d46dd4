"""The look for VPNs over TLS: servers in this process, nginx, and what must never be sent."""

from __future__ import annotations

import asyncio
import contextlib
import re
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests import capture, gateways, servers
from tests.conftest import Start
from tests.gateways import HELLO, NOT_FOUND, REPLIES, Answers, Reply, Request, Said, encoded, page
from tests.identities import Identity
from tests.servers import LOOPBACK, free_port
from tests.wire.test_vpn import message
from tlscheck.model import Missed, Place, Reason, State
from tlscheck.net import Net
from tlscheck.observations.tls import Demand
from tlscheck.observations.vpn import Declared, Impact, Port, Proof, VpnObservation
from tlscheck.probes import vpn
from tlscheck.probes.vpn import raw, web
from tlscheck.wire import sstp

Gateway = Callable[..., tuple[int, Said]]
PLACE = Place("localhost", 443, "https", LOOPBACK, "localhost")


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Silence is waited for no longer than it must be."""
    monkeypatch.setattr(raw, "SECONDS", 1.0)
    monkeypatch.setattr(raw, "WAITS", (0.3, 0.3))


@pytest.fixture
def gateway(identity: Identity, stack: contextlib.ExitStack) -> Gateway:
    def start(answers: Answers, configure: Any = None) -> tuple[int, Said]:
        said = Said()
        started = stack.enter_context(
            gateways.gateway(identity.rsa and [identity.rsa], answers, said, configure)
        )
        return started.port, said

    return start


def look(
    *ports: int, udp: tuple[int, ...] = (), timeout: float = 3.0, **options: Any
) -> VpnObservation:
    options.setdefault("declared", Declared())
    net = Net(connect_timeout=timeout)
    seen = asyncio.run(vpn.probe(net, PLACE, ports, udp=udp, **options))
    assert isinstance(seen, VpnObservation), seen
    return seen


def one(*args: Any, **options: Any) -> Port:
    (port,) = look(*args, **options).ports
    return port


def only(path: str, reply: Reply) -> Answers:
    """Has one page, and nothing else."""
    return lambda request: encoded(reply) if request.path.partition("?")[0] == path else NOT_FOUND


def other(number: int) -> Declared:
    """The port is declared, and for something else."""
    return Declared(tcp=(number,))


# ---- what must never be sent -----------------------------------------------------------------

FORBIDDEN = [
    r"CONNECT ",
    r"\S+ /CSCOSSLC/tunnel",
    r"POST /remoteaccess/login",
    r"\S+ /sslvpnclient",
    r"\S+ /myvpn",
    r"\S+ /vpntunnel",
    r"POST /login\.html",
    r"\S+ /remote/(?:fortisslvpn|logincheck|sslvpn)",
    r"\S+ /ssl-tunnel-connect",
    r"POST /(?!(?: |clients |vpnsvc/connect\.cgi ))",
    r"(?!GET |POST |SSTP_DUPLEX_POST )",
]
"""Request lines that count, or may count, as a login or the opening of a tunnel: the ``avoid`` of
our facts (cisco_cstp, jsc_login, sonicwall_nx, f5_myvpn, array_vpntunnel, huawei_login), what
precedents send beside them, and whatever is none of our three methods.
"""


def test_nothing_is_sent_that_may_count_as_a_login_or_a_tunnel(gateway: Gateway) -> None:
    number, said = gateway(lambda request: NOT_FOUND)
    port = one(number, thorough=True)
    assert port.unanswered == ()
    for line in said.lines:
        assert not [p for p in FORBIDDEN if re.match(p, line)], line
    for request in said.requests:
        assert not {"cookie", "authorization"} & set(request.fields)
        assert b"assw" not in request.raw
    # And all that may be sent was: a short list would prove little.
    everything = set(vpn.markers().probes) | {"sstp", "openvpn_tcp", "ipsec_tcp"}
    assert set(port.sent) == everything
    assert len(said.lines) == len(everything) - 3
    # Beside HTTP there are OpenVPN's reset and IKE's first message, which ends where it begins.
    assert [data[:3] for data in said.bare] == [b"\x00\x0e\x38", b"IKE"]


def test_no_forbidden_probe_leaves_the_machine(gateway: Gateway, tmp_path: Path) -> None:
    """The same from a capture of all packets, the TLS in them opened."""
    log = tmp_path / "secrets"
    number, said = gateway(lambda request: NOT_FOUND, lambda it: capture.configure(it, log))
    try:
        with capture.capture(number) as wire:
            port = one(number, thorough=True)
    except PermissionError:
        pytest.skip("NOT TESTED: only root may capture packets")
    assert set(port.sent) == set(vpn.markers().probes) | {"sstp", "openvpn_tcp", "ipsec_tcp"}
    streams = list(wire.streams())
    lines = [
        line
        for to, by in streams
        if to[:1] == b"\x16"
        for line in re.findall(
            r"^\S+ \S+ HTTP/1\.1", capture.opened(to, by, log).decode("latin-1"), re.M
        )
    ]
    assert sorted(lines) == sorted(said.lines)
    for line in lines:
        assert not [p for p in FORBIDDEN if re.match(p, line)], line
    bare = sorted(to[:3] for to, _ in streams if to[:1] != b"\x16")
    assert bare == [b"\x00\x0e\x38", b"IKE"]


def test_the_facts_forbidden_probes_would_be_noticed() -> None:
    for line in (
        "CONNECT /CSCOSSLC/tunnel HTTP/1.1",
        "POST /remoteaccess/login HTTP/1.1",
        "GET /sslvpnclient?launchplatform=mac&neProto=3 HTTP/1.1",
        "GET /myvpn?sess=none&hdlc_framing=no HTTP/1.1",
        "GET /vpntunnel HTTP/1.1",
        "POST /login.html HTTP/1.1",
        "PUT / HTTP/1.1",
    ):
        assert [p for p in FORBIDDEN if re.match(p, line)], line


def test_no_probe_of_the_data_is_forbidden() -> None:
    for probe in vpn.markers().probes.values():
        line = f"{probe.method} {probe.path} HTTP/1.1"
        assert not [p for p in FORBIDDEN if re.match(p, line)], line
        assert probe.impact in (Impact.PASSIVE, Impact.LIGHT)


def test_who_is_asked_is_told_by_whom(gateway: Gateway) -> None:
    number, said = gateway(lambda request: NOT_FOUND)
    one(number)
    agents = {request.fields["user-agent"] for request in said.requests}
    assert agents <= {web.AGENT, "PAN GlobalProtect", "SSLVPN-Client/3.0"}
    assert {request.fields["host"] for request in said.requests} == {f"localhost:{number}"}


# ---- two stages ------------------------------------------------------------------------------


def test_a_declared_port_is_asked_for_two_pages(gateway: Gateway) -> None:
    number, said = gateway(lambda request: NOT_FOUND)
    port = one(number, declared=other(number))
    assert re.fullmatch(r"GET /[0-9a-f]{16} HTTP/1\.1", said.lines[0])
    assert said.lines[1:] == ["GET / HTTP/1.1"]
    assert said.bare == []
    assert port.sent == ("certificate", "control", "root")
    assert (port.whole, port.hits, port.unanswered) == (False, (), ())


@pytest.mark.parametrize(
    ("declared", "thorough"), [("nothing", False), ("vpn", False), ("other", True)]
)
def test_cause_for_more(gateway: Gateway, declared: str, thorough: bool) -> None:
    number, said = gateway(lambda request: NOT_FOUND)
    ports = {
        "nothing": Declared(),
        "vpn": Declared(vpn_tcp=(number,)),
        "other": other(number),
    }[declared]
    port = one(number, declared=ports, thorough=thorough)
    assert port.whole
    assert len(said.lines) > 20
    assert re.fullmatch(r"GET /[0-9a-f]{16} HTTP/1\.1", said.lines[0])


def test_a_product_that_shows_itself_is_cause_and_its_own_pages_come_first(
    gateway: Gateway,
) -> None:
    def answers(request: Request) -> bytes:
        if request.path == "/remote/login":
            return encoded(REPLIES["fortinet.login"])
        status = 200 if request.path == "/" else 404
        return encoded(Reply("", status, (("Server", "xxxxxxxx-xxxxx"),)))

    number, said = gateway(answers)
    port = one(number, declared=other(number))
    assert {hit.marker for hit in port.hits} == {"fortinet.server", "fortinet.login"}
    pages = [line.split()[1] for line in said.lines if line.startswith("GET")]
    assert pages[1] == "/"
    assert set(pages[2:]) <= {"/favicon.ico", "/remote/login"}


def test_a_sure_answer_is_the_end(gateway: Gateway) -> None:
    number, said = gateway(only("/", REPLIES["ivanti.redirect"]))
    port = one(number)
    assert [hit.marker for hit in port.hits] == ["ivanti.redirect"]
    assert len(said.lines) == 2
    assert said.bare == []


def test_a_redirect_is_not_followed(gateway: Gateway) -> None:
    number, said = gateway(only("/", gateways.moved("https://localhost/my.policy")))
    one(number, declared=other(number))
    assert len(said.lines) == 2


def test_a_redirect_to_another_host_is_told(gateway: Gateway) -> None:
    number, _ = gateway(only("/", gateways.moved("https://vpn.example.jp/my.policy")))
    port = one(number, declared=other(number))
    assert port.hits == ()
    assert port.elsewhere == ("https://vpn.example.jp/my.policy",)


# ---- products --------------------------------------------------------------------------------


@pytest.mark.parametrize("id", [id for id, r in REPLIES.items() if not r.subject])
def test_every_mark_is_found_at_a_server(gateway: Gateway, id: str) -> None:
    marker = next(m for p in vpn.markers().products for m in p.markers if m.id == id)
    path = vpn.markers().probes[marker.probe].path.partition("?")[0]
    reply = encoded(REPLIES[id])

    def answers(request: Request) -> bytes:
        here = request.path.partition("?")[0]
        if marker.probe == "control":
            return reply if re.fullmatch(r"/[0-9a-f]{16}", here) else NOT_FOUND
        if marker.probe == "ivanti_upgrade" or id == "ivanti.upgrade":
            return reply if "upgrade" in request.fields else NOT_FOUND
        return reply if here == path else NOT_FOUND

    number, _ = gateway(answers)
    port = one(number)
    assert id in {hit.marker for hit in port.hits}
    if id.startswith("softether.hello"):
        assert port.softether is State.ACCEPTED


def test_softether_s_hello(gateway: Gateway) -> None:
    number, said = gateway(only("/vpnsvc/connect.cgi", Reply(HELLO)))
    port = one(number)
    assert port.softether is State.ACCEPTED
    (request,) = (r for r in said.requests if r.path == "/vpnsvc/connect.cgi")
    assert request.body == b"VPNCONNECT"
    assert port.hits[0].excerpt.endswith("SoftEther VPN Server")


def test_a_vpn_that_was_found_is_asked_whether_it_wants_a_certificate(gateway: Gateway) -> None:
    def answers(request: Request) -> bytes:
        if request.line.startswith("POST / "):
            return encoded(REPLIES["cisco.client-certificate"])
        return encoded(REPLIES["cisco.redirect"]) if request.path == "/" else NOT_FOUND

    number, said = gateway(answers)
    port = one(number, declared=other(number))
    assert port.client_certificate is Demand.REQUIRED_HTTP
    assert Proof.CLIENT_CERTIFICATE in {hit.proves for hit in port.hits}
    assert len(said.lines) == 3


@pytest.mark.parametrize(
    ("version", "mode", "demand"),
    [
        (ssl.TLSVersion.TLSv1_2, ssl.CERT_REQUIRED, Demand.REQUIRED),
        (ssl.TLSVersion.TLSv1_3, ssl.CERT_REQUIRED, Demand.REQUIRED),
        (ssl.TLSVersion.TLSv1_3, ssl.CERT_OPTIONAL, Demand.REQUESTED),
        (ssl.TLSVersion.TLSv1_3, ssl.CERT_NONE, Demand.NONE),
    ],
)
def test_a_client_certificate_in_the_handshake(
    gateway: Gateway, identity: Identity, version: ssl.TLSVersion, mode: Any, demand: Demand
) -> None:
    def configure(context: ssl.SSLContext) -> None:
        context.load_verify_locations(identity.ca)
        context.verify_mode = mode
        context.maximum_version = version

    number, _ = gateway(lambda request: NOT_FOUND, configure)
    port = one(number, declared=other(number))
    assert port.client_certificate is demand
    assert port.tls is State.ACCEPTED
    assert port.web is (State.UNKNOWN if demand is Demand.REQUIRED else State.ACCEPTED)
    if demand is Demand.REQUIRED:
        reasons = {u.reason for u in port.unanswered}
        assert reasons == {Reason.CLIENT_CERTIFICATE}


# ---- what is no product ----------------------------------------------------------------------


def reflecting(request: Request) -> bytes:
    """A page that shows the whole request, in every way that pages do, and in fields too."""
    import html
    from urllib.parse import unquote

    raw_ = request.raw.decode("latin-1")
    words = "\n".join((raw_, html.escape(raw_), unquote(raw_), request.line, request.path))
    fields = tuple(
        (name, value)
        for name, value in request.fields.items()
        if name not in ("content-length", "connection", "upgrade")
    )
    title = unquote(request.path)
    return encoded(
        Reply(f"<title>{title}</title>{words}", 200, (*fields, ("Location", request.path)))
    )


def catching_all(request: Request) -> bytes:
    """One page for every path, which names what it is not."""
    words = "Our partners: Aruba Networks, Hillstone Networks, Stormshield, Check Point Mobile"
    return encoded(page(f"<div id=root>{words}</div>", "Dynamic VPN portal"))


@pytest.mark.parametrize(
    "answers", [reflecting, lambda request: NOT_FOUND], ids=["reflects", "knows nothing"]
)
def test_no_product_where_there_is_none(gateway: Gateway, answers: Answers) -> None:
    number, _ = gateway(answers)
    port = one(number, thorough=True)
    assert port.hits == ()
    assert port.softether is not State.ACCEPTED
    assert port.sstp is not State.ACCEPTED
    assert port.openvpn is State.UNKNOWN
    assert port.ipsec is State.UNKNOWN


def test_a_page_for_every_path_gives_no_hit(gateway: Gateway) -> None:
    number, _ = gateway(catching_all)
    port = one(number, thorough=True)
    assert port.hits == ()
    assert {"hillstone.words", "checkpoint.portal", "sophos.vpnportal"} <= set(port.void)


def test_nginx_shows_no_product(nginx: Start) -> None:
    server = nginx("location / { return 404; }", "location / { return 200 'ok'; }")
    for port in look(*server.ports, thorough=True).ports:
        assert (port.hits, port.elsewhere, port.unanswered) == ((), (), ())
        assert (port.sstp, port.softether) == (State.REFUSED, State.REFUSED)
        assert port.openvpn is State.UNKNOWN


def test_apache_shows_no_product(
    tmp_path: Path, identity: Identity, stack: contextlib.ExitStack
) -> None:
    number = free_port()
    modules = Path("/usr/lib/apache2/modules")
    program = servers.program("apache2")
    wanted = ("mpm_event", "authz_core", "dir", "mime", "ssl", "socache_shmcb")
    (tmp_path / "index.html").write_text("<title>Clinic</title>")
    home = tmp_path / "apache"
    home.mkdir()
    config = home / "conf"
    config.write_text(
        f"ServerRoot {home}\nPidFile {home}/pid\nErrorLog {home}/errors\nServerName localhost\n"
        + "".join(f"LoadModule {m}_module {modules}/mod_{m}.so\n" for m in wanted)
        + f"User nobody\nGroup nogroup\nTypesConfig /etc/mime.types\nMutex posixsem\n"
        f"DefaultRuntimeDir {home}\n"
        f"Listen {LOOPBACK}:{number}\nDocumentRoot {tmp_path}\nSSLEngine on\n"
        f"SSLCertificateFile {identity.rsa.cert}\nSSLCertificateKeyFile {identity.rsa.key}\n"
    )
    command = [program, "-d", str(home), "-f", str(config), "-DFOREGROUND"]
    stack.enter_context(servers._run("apache2", command, home, [number], config.read_text()))
    port = one(number, thorough=True)
    assert (port.tls, port.web) == (State.ACCEPTED, State.ACCEPTED)
    assert (port.hits, port.unanswered) == ((), ())


# ---- protocols in their own words ------------------------------------------------------------


def test_openvpn_over_tcp(scripted: Start) -> None:
    def handler(peer: socket.socket) -> None:
        data = peer.recv(64)
        if data[:3] == b"\x00\x0e\x38":
            answer = b"\x40" + b"S" * 8 + b"\x01" + bytes(4) + data[3:11] + bytes(4)
            for octet in len(answer).to_bytes(2) + answer:
                peer.sendall(bytes((octet,)))
            peer.recv(64)

    port = one(scripted(handler).port)
    assert port.openvpn is State.ACCEPTED
    assert port.tls is not State.ACCEPTED
    assert port.ipsec is State.UNKNOWN


@pytest.mark.parametrize(
    "handler",
    [
        lambda peer: peer.sendall(peer.recv(4096)),  # an echo
        lambda peer: peer.recv(64) and None,
        lambda peer: (peer.recv(64), peer.recv(64)),  # silence
        lambda peer: peer.sendall(b"SSH-2.0-OpenSSH_9.2\r\n"),
        lambda peer: peer.sendall(b"\x00\x1a" + bytes(26)),
        lambda peer: [peer.sendall(b"\x07\xff" + b"\x40" * 1000) for _ in range(10000)],
    ],
    ids=["echo", "close", "silence", "ssh", "zeros", "flood"],
)
def test_what_is_no_vpn_s_answer_is_unknown(scripted: Start, handler: Any) -> None:
    port = one(scripted(handler).port, timeout=1.0)
    assert (port.opened, port.whole) == (State.ACCEPTED, True)
    assert (port.openvpn, port.ipsec, port.sstp) == (State.UNKNOWN,) * 3
    assert port.hits == ()


def test_ipsec_over_tcp_is_told_apart(scripted: Start) -> None:
    def handler(peer: socket.socket) -> None:
        data = peer.recv(4096)
        if data[:6] == b"IKETCP":
            peer.sendall(message(data[12:20]))
            peer.recv(64)

    port = one(scripted(handler).port)
    assert port.ipsec is State.ACCEPTED
    assert port.openvpn is State.UNKNOWN
    assert port.hits == ()


def test_sstp(gateway: Gateway) -> None:
    def answers(request: Request) -> bytes:
        if request.line.startswith("SSTP_DUPLEX_POST"):
            assert request.fields["content-length"] == sstp.LENGTH
            return (
                b"HTTP/1.1 200\r\nContent-Length: 18446744073709551615\r\n"
                b"Server: MikroTik-SSTP\r\n\r\n"
            )
        return NOT_FOUND

    number, said = gateway(answers)
    port = one(number)
    assert (port.sstp, port.sstp_server) == (State.ACCEPTED, "MikroTik-SSTP")
    assert sum("SSTP" in line for line in said.lines) == 1


def test_a_server_that_never_answers_sstp_leaves_it_unknown(gateway: Gateway) -> None:
    enough = threading.Event()

    def answers(request: Request) -> bytes | None:
        if request.line.startswith("SSTP"):
            enough.wait(5)
            return None
        return NOT_FOUND

    number, _ = gateway(answers)
    port = one(number)
    enough.set()
    assert port.sstp is State.UNKNOWN
    assert [(u.probe, u.reason) for u in port.unanswered] == [("sstp", Reason.TIMEOUT)]
    assert "juniper_dynamic" in port.sent


# ---- UDP -------------------------------------------------------------------------------------

Datagrams = Callable[[bytes, int], bytes | None]


@contextlib.contextmanager
def over_udp(answer: Datagrams) -> Iterator[int]:
    """Answers each datagram, of which it gets the number, counted from 1."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as listener:
        listener.bind((LOOPBACK, 0))

        def serve() -> None:
            with contextlib.suppress(OSError):
                for number in range(1, 1000):
                    data, sender = listener.recvfrom(2048)
                    if data == b"end":
                        return
                    if (said := answer(data, number)) is not None:
                        listener.sendto(said, sender)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield listener.getsockname()[1]
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as last:
            last.sendto(b"end", listener.getsockname())
        thread.join(5)


def acknowledging(data: bytes, number: int) -> bytes:
    return b"\x40" + b"S" * 8 + b"\x01" + bytes(4) + data[1:9] + bytes(4)


@pytest.mark.parametrize(
    ("answer", "opened", "state"),
    [
        (acknowledging, State.ACCEPTED, State.ACCEPTED),
        (lambda d, n: acknowledging(d, n) if n > 1 else None, State.ACCEPTED, State.ACCEPTED),
        (lambda d, n: None, State.UNKNOWN, State.UNKNOWN),
        (lambda d, n: d, State.ACCEPTED, State.UNKNOWN),
        (lambda d, n: bytes(1400), State.ACCEPTED, State.UNKNOWN),
    ],
    ids=["openvpn", "after a loss", "silent", "echo", "zeros"],
)
def test_openvpn_over_udp(nginx: Start, answer: Datagrams, opened: State, state: State) -> None:
    server = nginx("")
    with over_udp(answer) as number:
        seen = look(server.port, udp=(number,), declared=other(server.port))
    port = seen.ports[1]
    assert (port.id, port.opened, port.openvpn) == (f"{number}/udp", opened, state)
    silent = [] if opened is State.ACCEPTED else ["openvpn_udp"]
    assert [u.probe for u in port.unanswered] == silent


def test_a_closed_udp_port_is_told_apart_from_silence(nginx: Start) -> None:
    server = nginx("")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind((LOOPBACK, 0))
        closed = taken.getsockname()[1]
    port = look(server.port, udp=(closed,), declared=other(server.port)).ports[1]
    assert (port.opened, port.openvpn) == (State.REFUSED, State.UNKNOWN)


def test_a_udp_port_that_is_declared_for_something_else_is_left_alone() -> None:
    heard = []
    with over_udp(lambda data, number: heard.append(data)) as number:  # type: ignore[func-returns-value]
        declared = Declared(udp=(number,))
        seen = asyncio.run(vpn.probe(Net(), PLACE, (), udp=(number,), declared=declared))
    assert isinstance(seen, Missed)
    assert heard == []


# ---- trouble ---------------------------------------------------------------------------------


def test_nothing_to_look_at_is_missed() -> None:
    seen = asyncio.run(vpn.probe(Net(), PLACE, (), udp=(), declared=Declared()))
    assert seen == Missed("vpn", Reason.NOT_ASKED, "no port is to be looked at")


def test_silence_everywhere_is_missed() -> None:
    with over_udp(lambda data, number: None) as number:
        seen = asyncio.run(vpn.probe(Net(), PLACE, (), udp=(number,), declared=Declared()))
    assert seen == Missed("vpn", Reason.TIMEOUT, "no port answered")


def test_a_port_where_nobody_listens() -> None:
    port = one(free_port())
    assert (port.opened, port.sent, port.unanswered) == (State.REFUSED, (), ())


def test_who_says_too_many_is_left_alone(gateway: Gateway) -> None:
    many = encoded(Reply("slow down", 429))
    heard: list[str] = []

    def answers(request: Request) -> bytes:
        heard.append(request.line)
        return NOT_FOUND if len(heard) < 6 else many

    number, said = gateway(answers)
    port = one(number)
    assert len(said.lines) == 6
    reasons = {u.reason for u in port.unanswered}
    assert reasons == {Reason.LIMITED}
    assert len(port.unanswered) > 15
    assert sum(u.sent for u in port.unanswered) == 1


def test_who_falls_silent_is_left_alone(gateway: Gateway) -> None:
    heard: list[str] = []

    def answers(request: Request) -> bytes | None:
        heard.append(request.line)
        return NOT_FOUND if len(heard) <= 6 else None

    number, said = gateway(answers)
    port = one(number)
    assert port.hits == ()
    assert {u.reason for u in port.unanswered} == {Reason.CLOSED, Reason.BANNED}
    assert sum(u.sent for u in port.unanswered) == 2
    # Two questions and the random path again, each on a fresh connection too.
    assert len(said.lines) <= 6 + 2 * 3


def test_without_the_random_path_s_answer_no_page_counts(gateway: Gateway) -> None:
    def answers(request: Request) -> bytes | None:
        if re.fullmatch(r"/[0-9a-f]{16}", request.path):
            return None
        return encoded(page("Barracuda SSL VPN", Server="BigIP")) if request.path == "/" else None

    number, _ = gateway(answers)
    port = one(number)
    assert [hit.marker for hit in port.hits] == ["f5.server"]
    assert port.void == ("barracuda.words",)
    assert not port.whole
    assert "control" in {u.probe for u in port.unanswered}


def test_who_dislikes_single_questions_is_asked_the_others(gateway: Gateway) -> None:
    disliked = {"/remote/login", "/dana-na/auth/url_default/welcome.cgi"}

    def answers(request: Request) -> bytes | None:
        return None if request.path in disliked else NOT_FOUND

    number, _ = gateway(answers)
    port = one(number)
    assert {u.probe for u in port.unanswered} == {"fortinet_login", "ivanti_welcome"}
    assert "juniper_dynamic" in port.sent


def test_a_server_without_http_inside(gateway: Gateway) -> None:
    number, said = gateway(lambda request: b"* BAD what?\r\n")
    port = one(number)
    assert (port.tls, port.web) == (State.ACCEPTED, State.UNKNOWN)
    assert {u.reason for u in port.unanswered if u.sent} <= {Reason.MALFORMED, Reason.CLOSED}
    assert len(said.lines) <= 6


def test_a_page_without_an_end_is_cut(gateway: Gateway) -> None:
    head_ = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n"

    def answers(request: Request) -> bytes:
        return (
            head_ + b"Barracuda SSL VPN" + b"\0" * 3_000_000 if request.path == "/" else NOT_FOUND
        )

    number, _ = gateway(answers)
    port = one(number, declared=other(number))
    assert [hit.marker for hit in port.hits] == ["barracuda.words"]


def test_the_time_for_an_address_is_bounded(gateway: Gateway) -> None:
    number, said = gateway(lambda request: NOT_FOUND)
    port = one(number, seconds=-1)
    assert said.lines == []
    assert {u.reason for u in port.unanswered} == {Reason.BUDGET}
    assert not any(u.sent for u in port.unanswered)


def test_one_lane_wide_is_enough(gateway: Gateway) -> None:
    number, _ = gateway(lambda request: NOT_FOUND)
    net = Net(connect_timeout=3.0)
    net.lane(LOOPBACK).width = 1
    work = vpn.probe(net, PLACE, (number,), udp=(), declared=Declared())
    seen = asyncio.run(asyncio.wait_for(work, 60))
    assert isinstance(seen, VpnObservation)
    assert seen.ports[0].unanswered == ()
