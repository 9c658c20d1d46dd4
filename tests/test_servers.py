"""The tests' own servers and proxy do what they say."""

from __future__ import annotations

import socket
import ssl
import subprocess
import time
from collections.abc import Callable
from typing import Any

import pytest
from OpenSSL import SSL

from tests.faults import Faults, Proxy, Upstream
from tests.identities import Authority, Identity
from tests.servers import Server, program

Start = Callable[..., Server]

ALL = "ALL:COMPLEMENTOFALL:@SECLEVEL=0"


def shake(
    server: Upstream, ca: Any = None, version: ssl.TLSVersion | None = None, ciphers: str = ""
) -> tuple[str, str]:
    """A handshake by Python's ssl: version and suite."""
    context = ssl.create_default_context(cafile=str(ca) if ca else None)
    if not ca:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if version:
        context.minimum_version = context.maximum_version = version
    if ciphers:
        context.set_ciphers(ciphers)
    with (
        socket.create_connection((server.host, server.port), 5) as raw,
        context.wrap_socket(raw, server_hostname="localhost") as tls,
    ):
        tls.sendall(b"GET / HTTP/1.0\r\nHost: localhost\r\n\r\n")
        assert tls.recv(4096).startswith(b"HTTP/1.")
        cipher = tls.cipher()
        assert cipher
        return str(tls.version()), cipher[0]


def s_client(server: Upstream, *options: str) -> str:
    """What ``openssl s_client`` says."""
    command = [program("openssl"), "s_client", "-connect", f"{server.host}:{server.port}"]
    run = subprocess.run(
        [*command, *options], input=b"", capture_output=True, timeout=20, check=False
    )
    return (run.stdout + run.stderr).decode(errors="replace")


# -- Servers -------------------------------------------------------------------------------------


def test_a_missing_program_skips_loudly() -> None:
    with pytest.raises(pytest.skip.Exception, match="NOT TESTED: no-such-server"):
        program("no-such-server")


def test_nginx_blocks_have_their_own_ports_and_settings(nginx: Start, identity: Identity) -> None:
    server = nginx(
        "ssl_protocols TLSv1.3;",
        "ssl_protocols TLSv1.2; ssl_ciphers ECDHE-ECDSA-AES128-GCM-SHA256;",
        'listen 127.0.0.1:{port}; return 301 "https://localhost/";',
    )
    assert shake(server, identity.ca)[0] == "TLSv1.3"
    assert shake(server.at(1), identity.ca) == ("TLSv1.2", "ECDHE-ECDSA-AES128-GCM-SHA256")
    with pytest.raises(OSError, match="version"):
        shake(server.at(1), identity.ca, ssl.TLSVersion.TLSv1_3)
    with socket.create_connection((server.host, server.ports[2]), 5) as plain:
        plain.sendall(b"GET / HTTP/1.0\r\n\r\n")
        assert b"301" in plain.recv(4096)


def test_nginx_still_speaks_tls_1_0_when_told_so(nginx: Start) -> None:
    server = nginx(f"ssl_protocols TLSv1 TLSv1.1 TLSv1.2; ssl_ciphers {ALL};")
    said = s_client(server, "-tls1", "-cipher", ALL)
    assert "TLSv1\n" in said or "TLSv1, " in said


def test_s_server_has_both_certificates(s_server: Start, identity: Identity) -> None:
    server = s_server("-tls1_2")
    for kind in "ECDHE-RSA-AES128-GCM-SHA256", "ECDHE-ECDSA-AES128-GCM-SHA256":
        assert shake(server, identity.ca, ciphers=kind) == ("TLSv1.2", kind)


def test_gnutls_serv_speaks_camellia(gnutls_serv: Start) -> None:
    server = gnutls_serv("NORMAL:-VERS-ALL:+VERS-TLS1.2:-CIPHER-ALL:+CAMELLIA-128-GCM")
    with pytest.raises(OSError, match="handshake failure"):
        shake(server)
    assert server.log
    assert "CAMELLIA-128-GCM" in server.configured


def test_haproxy(haproxy: Start, identity: Identity) -> None:
    assert shake(haproxy("ssl-min-ver TLSv1.3"), identity.ca)[0] == "TLSv1.3"


def test_jsse_speaks_export_and_ssl_3(jsse: Start) -> None:
    server = jsse()
    assert shake(server)[0] == "TLSv1.3"
    assert server.log
    protocols, suites = server.log.read_text().splitlines()[:2]
    assert {"SSLv2Hello", "SSLv3", "TLSv1.3"} <= set(protocols.split())
    assert "SSL_RSA_EXPORT_WITH_RC4_40_MD5" in suites.split()


def test_pyopenssl_server_speaks_ml_kem_alone(pyopenssl_server: Start) -> None:
    server = pyopenssl_server(groups="X25519MLKEM768")
    assert "handshake failure" in s_client(server, "-groups", "X25519:P-256")
    client = SSL.Context(SSL.TLS_METHOD)
    with socket.create_connection((server.host, server.port), 5) as raw:
        raw.settimeout(None)
        connection = SSL.Connection(client, raw)
        connection.set_connect_state()
        connection.do_handshake()
        assert connection.get_group_name() == "X25519MLKEM768"


def test_pyopenssl_server_takes_versions_and_a_preamble(
    pyopenssl_server: Start, identity: Identity
) -> None:
    def preamble(peer: socket.socket) -> None:
        peer.sendall(b"220 ready\r\n")
        assert peer.recv(64) == b"STARTTLS\r\n"
        peer.sendall(b"220 go ahead\r\n")

    server = pyopenssl_server(
        preamble=preamble,
        versions=(SSL.TLS1_2_VERSION, SSL.TLS1_2_VERSION),
        ciphers="ECDHE-RSA-AES256-GCM-SHA384",
        certificates=[identity.rsa],
    )
    context = ssl.create_default_context(cafile=str(identity.ca))
    with socket.create_connection((server.host, server.port), 5) as raw:
        assert raw.recv(64) == b"220 ready\r\n"
        raw.sendall(b"STARTTLS\r\n")
        assert raw.recv(64) == b"220 go ahead\r\n"
        with context.wrap_socket(raw, server_hostname="localhost") as tls:
            assert tls.version() == "TLSv1.2"


def test_tlslite_speaks_ssl_3_and_rc4(tlslite: Start) -> None:
    server = tlslite(
        minVersion=(3, 0), maxVersion=(3, 0), cipherNames=["rc4"], macNames=["sha", "md5"]
    )
    # SSL 3.0, RSA with RC4 and SHA, by hand: no client here speaks it any more.
    hello = b"\x03\x00" + bytes(32) + b"\x00" + b"\x00\x02\x00\x05" + b"\x01\x00"
    message = b"\x01" + len(hello).to_bytes(3, "big") + hello
    with socket.create_connection((server.host, server.port), 5) as raw:
        raw.sendall(b"\x16\x03\x00" + len(message).to_bytes(2, "big") + message)
        assert raw.recv(11)[9:11] == b"\x03\x00"


def test_an_intermediate_comes_along(s_server: Start, identity: Identity) -> None:
    below = identity.authority.intermediate()
    server = s_server(certificates=[below.issue()])
    assert shake(server, identity.ca)
    assert s_client(server, "-showcerts").count("BEGIN CERTIFICATE") == 2


@pytest.mark.parametrize("kind", ["rsa-1024", "p384", "p521", "ed25519"])
def test_every_kind_of_certificate(pyopenssl_server: Start, tmp_path: Any, kind: str) -> None:
    authority = Authority(tmp_path / "ca")
    server = pyopenssl_server(
        certificates=[authority.issue("localhost", kind=kind)],
        configure=lambda context: context.set_cipher_list(b"ALL:@SECLEVEL=0"),
    )
    assert shake(server)


# -- The proxy -----------------------------------------------------------------------------------


@pytest.fixture
def tls(pyopenssl_server: Start) -> Server:
    return pyopenssl_server()


@pytest.fixture
def echo(scripted: Start) -> Server:
    return scripted(lambda peer: peer.sendall(peer.recv(4096)))


def outcome(server: Upstream, timeout: float = 0.3) -> str:
    """What becomes of one connection that says a little: an answer, or how it ends."""
    try:
        with socket.create_connection((server.host, server.port), timeout) as raw:
            raw.sendall(b"hello?")
            return "answer" if raw.recv(64) else "fin"
    except ConnectionResetError:
        return "rst"
    except TimeoutError:
        return "drop"


def test_without_faults_it_only_counts(proxy: Callable[..., Proxy], tls: Server) -> None:
    between = proxy(tls)
    assert shake(between)[0] == "TLSv1.3"
    assert between.connections == between.met("served") == len(between.times) == 1
    assert between.first[0].startswith(b"\x16\x03\x01")


@pytest.mark.parametrize("end", ["rst", "drop", "fin"])
def test_ban(proxy: Callable[..., Proxy], tls: Server, end: str) -> None:
    between = proxy(tls, ban_after=2, ban=end)
    assert shake(between)
    assert shake(between)
    assert [outcome(between) for _ in range(3)] == [end] * 3
    assert (between.connections, between.met("ban")) == (5, 3)


def test_a_ban_may_end(proxy: Callable[..., Proxy], echo: Server) -> None:
    between = proxy(echo, ban_after=1, ban_for=0.2)
    assert [outcome(between) for _ in range(2)] == ["answer", "rst"]
    time.sleep(0.25)
    assert outcome(between) == "answer"


@pytest.mark.parametrize("end", ["rst", "drop"])
def test_rate(proxy: Callable[..., Proxy], echo: Server, end: str) -> None:
    between = proxy(echo, rate=3, over=end)
    assert [outcome(between, 0.1) for _ in range(5)] == ["answer"] * 3 + [end] * 2
    time.sleep(1.05)
    assert outcome(between) == "answer"
    assert between.busiest() == 5


def test_delay_costs_each_round_trip(proxy: Callable[..., Proxy], tls: Server) -> None:
    between = proxy(tls, delay=0.1)
    start = time.monotonic()
    shake(between)
    # Connect, handshake, request and answer: three round trips in TLS 1.3.
    assert 0.29 < time.monotonic() - start < 1


def test_one_byte_segments(proxy: Callable[..., Proxy], tls: Server) -> None:
    assert shake(proxy(tls, segment=1))[0] == "TLSv1.3"


def test_close_after_some_bytes(proxy: Callable[..., Proxy], tls: Server) -> None:
    between = proxy(tls, close_after=100)
    with pytest.raises(OSError, match=r"EOF|reset"):
        shake(between)


def test_upstreams_take_turns(proxy: Callable[..., Proxy], nginx: Start) -> None:
    nodes = nginx("ssl_protocols TLSv1.2;", "ssl_protocols TLSv1.3;")
    between = proxy(nodes, nodes.at(1))
    assert [shake(between)[0] for _ in range(4)] == ["TLSv1.2", "TLSv1.3"] * 2


def test_hello_filter(proxy: Callable[..., Proxy], echo: Server) -> None:
    between = proxy(echo, reject=lambda first: b"localhost" in first)
    with pytest.raises(ConnectionResetError):
        shake(between)
    assert outcome(between) == "answer"


def test_hang_and_garbage(proxy: Callable[..., Proxy], echo: Server) -> None:
    assert outcome(proxy(echo, hang=True)) == "drop"
    babbling = proxy(echo, garbage=b"\x16\x03\x03\x40\x00" + bytes(16384))
    with socket.create_connection((babbling.host, babbling.port), 5) as raw:
        assert sum(len(raw.recv(65536)) for _ in range(100)) > 200_000


def test_loss_follows_its_seed(proxy: Callable[..., Proxy], echo: Server) -> None:
    between = proxy(echo, loss=0.5, lost="rst")
    seen = [outcome(between) for _ in range(20)]
    assert {"rst", "answer"} == set(seen)


def test_faults_may_change_meanwhile(proxy: Callable[..., Proxy], echo: Server) -> None:
    between = proxy(echo)
    assert outcome(between) == "answer"
    between.faults = Faults(hang=True)
    assert outcome(between) == "drop"
