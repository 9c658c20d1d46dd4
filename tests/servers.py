"""Real TLS servers on loopback, each a context manager that waits until it accepts.

What a server really offers (the truth that a look is measured against) is declared in the test
that starts it. A missing program skips the test with its reason.
"""

from __future__ import annotations

import contextlib
import importlib
import os
import random
import shutil
import signal
import socket
import subprocess
import threading
import time
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from OpenSSL import SSL
from OpenSSL._util import lib as openssl_lib

from tests.identities import PASSWORD, Certificate
from tlscheck.model import Place

LOOPBACK = "127.0.0.1"
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nConnection: close\r\n\r\nok\n"


@dataclass(frozen=True)
class Server:
    """A server that accepts connections, and what it was configured with."""

    software: str
    port: int
    configured: str = ""
    """The configuration, options or settings that it was started with, as text."""
    log: Path | None = None
    ports: tuple[int, ...] = ()
    """The port of each block, where one server has several."""
    host: str = LOOPBACK

    def place(self, service: str = "https", host: str = "localhost") -> Place:
        """Where it is, as a probe is told; an empty *host* asks by address, without SNI."""
        return Place(host or self.host, self.port, service, self.host, host or None)

    def at(self, block: int) -> Server:
        """The same server at the port of its *block*, counted from 0."""
        ports = self.ports or (self.port,)
        return Server(self.software, ports[block], self.configured, self.log, ports, self.host)


_given: set[int] = set()


def free_port() -> int:
    """A port that nobody listens on, below the range that outgoing connections use."""
    while True:
        port = random.randint(10240, 32000)
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind((LOOPBACK, port))
            if port not in _given:
                _given.add(port)
                return port


def program(*names: str) -> str:
    """The path of the first of *names* that is installed; without one the test is skipped."""
    path = os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/sbin", "/usr/local/sbin"])
    for name in names:
        if found := shutil.which(name, path=path):
            return found
    pytest.skip(f"NOT TESTED: {' or '.join(names)} is not installed (make test says how)")


# -- Programs ------------------------------------------------------------------------------------


@contextlib.contextmanager
def nginx(
    folder: Path, certificates: Sequence[Certificate], *blocks: str, http: str = ""
) -> Iterator[Server]:
    """Nginx with one ``server { }`` for each of *blocks*, each on a port of its own.

    A block gets ``listen … ssl`` unless it has a ``listen`` (where ``{port}`` is the port), and
    the *certificates* unless it names its own. *http* goes beside the blocks.
    """
    ports = [free_port() for _ in blocks or [""]]
    servers = "\n".join(
        _nginx_block(block, port, certificates)
        for block, port in zip(blocks or [""], ports, strict=True)
    )
    home = _home(folder, "nginx")
    spools = "".join(
        f"    {kind}_temp_path {home / kind};\n"
        for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    text = (
        f"daemon off;\nmaster_process off;\npid {home / 'pid'};\nerror_log stderr;\n"
        f"events {{ worker_connections 512; }}\n"
        f"http {{\n    access_log off;\n{spools}{http}\n{servers}}}\n"
    )
    config = _written(home / "nginx.conf", text)
    command = [program("nginx"), "-p", str(home), "-c", str(config), "-e", "stderr"]
    with _run("nginx", command, home, ports, text) as server:
        yield server


def _nginx_block(block: str, port: int, certificates: Sequence[Certificate]) -> str:
    lines = [block.replace("{port}", str(port))]
    if "listen" not in block:
        lines.append(f"listen {LOOPBACK}:{port} ssl;")
    if "ssl_certificate " not in block:
        for certificate in certificates:
            lines += [
                f"ssl_certificate {certificate.cert};",
                f"ssl_certificate_key {certificate.key};",
            ]
    if "location" not in block and "return" not in block:
        lines.append(r'location / { return 200 "ok\n"; }')
    return "    server {\n        " + "\n        ".join(lines) + "\n    }\n"


@contextlib.contextmanager
def s_server(folder: Path, certificates: Sequence[Certificate], *options: str) -> Iterator[Server]:
    """``openssl s_server`` with *options*; it serves one connection after another."""
    home, port = _home(folder, "s_server"), free_port()
    command = [program("openssl"), "s_server", "-accept", f"{LOOPBACK}:{port}", "-www"]
    for letter, certificate in zip(("", "d"), certificates, strict=False):
        command += [f"-{letter}cert", str(certificate.cert), f"-{letter}key", str(certificate.key)]
        if certificate.chain:
            command += [f"-{letter}cert_chain", str(certificate.chain)]
    if not certificates:
        command.append("-nocert")
    with _run("s_server", [*command, *options], home, [port], " ".join(options)) as server:
        yield server


@contextlib.contextmanager
def gnutls_serv(
    folder: Path, certificates: Sequence[Certificate], priority: str = "NORMAL", *options: str
) -> Iterator[Server]:
    """``gnutls-serv`` with a *priority* string. It cannot be bound to loopback alone."""
    home, port = _home(folder, "gnutls"), free_port()
    command = [program("gnutls-serv"), "-p", str(port), "--http", "--disable-client-cert"]
    for certificate in certificates:
        command += ["--x509certfile", str(certificate.cert), "--x509keyfile", str(certificate.key)]
    command += ["--priority", priority, *options]
    with _run("gnutls-serv", command, home, [port], priority) as server:
        yield server


@contextlib.contextmanager
def haproxy(
    folder: Path, certificates: Sequence[Certificate], bind: str = "", settings: str = ""
) -> Iterator[Server]:
    """Haproxy with *bind* options on its TLS port and further *settings* in ``global``."""
    home, port = _home(folder, "haproxy"), free_port()
    crt = " ".join(f"crt {certificate.both}" for certificate in certificates)
    text = (
        f"global\n    {settings}\n"
        "defaults\n    mode http\n    timeout connect 5s\n    timeout client 10s\n"
        "    timeout server 10s\n"
        f"frontend tls\n    bind {LOOPBACK}:{port} ssl {crt} {bind}\n"
        '    http-request return status 200 content-type text/plain string "ok"\n'
    )
    config = _written(home / "haproxy.cfg", text)
    command = [program("haproxy"), "-f", str(config), "-db"]
    with _run("haproxy", command, home, [port], text) as server:
        yield server


@contextlib.contextmanager
def jsse(
    folder: Path,
    certificates: Sequence[Certificate],
    protocols: Sequence[str] = (),
    suites: Sequence[str] = (),
    *,
    client: str = "none",
    properties: Mapping[str, str] | None = None,
) -> Iterator[Server]:
    """Java's TLS with nothing forbidden: *protocols* and *suites* by Java's names, else all it has.

    *client* is ``none``, ``want`` or ``need`` (a client certificate). *properties* are system
    properties such as ``jdk.tls.ephemeralDHKeySize``. What it enabled stands in its log.
    """
    home, port = _home(folder, "jsse"), free_port()
    program("javac")  # A bare runtime cannot run a source file.
    command = [program("java"), "-Xshare:auto", "-XX:TieredStopAtLevel=1", "-Xmx128m"]
    command += [f"-D{name}={value}" for name, value in (properties or {}).items()]
    command += [str(_written(home / "Server.java", _JAVA)), str(port)]
    command += [",".join(protocols), ",".join(suites), client, PASSWORD.decode()]
    command += [str(certificate.pkcs12) for certificate in certificates]
    configured = f"{' '.join(protocols) or 'all'} / {' '.join(suites) or 'all'}"
    with _run("jsse", command, home, [port], configured, patience=60) as server:
        yield server


_JAVA = """\
import java.io.*;
import java.net.*;
import java.security.*;
import java.util.*;
import javax.net.ssl.*;

public class Server {
    public static void main(String[] args) throws Exception {
        for (String name : List.of("jdk.tls.disabledAlgorithms", "jdk.certpath.disabledAlgorithms",
                                   "jdk.tls.legacyAlgorithms"))
            Security.setProperty(name, "");
        char[] password = args[4].toCharArray();
        KeyStore keys = KeyStore.getInstance("PKCS12");
        keys.load(null, null);
        for (int i = 5; i < args.length; i++) {
            KeyStore one = KeyStore.getInstance(new File(args[i]), password);
            for (String alias : Collections.list(one.aliases()))
                keys.setKeyEntry("k" + i, one.getKey(alias, password), password,
                                 one.getCertificateChain(alias));
        }
        KeyManagerFactory factory = KeyManagerFactory.getInstance("SunX509");
        factory.init(keys, password);
        SSLContext context = SSLContext.getInstance("TLS");
        context.init(factory.getKeyManagers(), null, null);
        SSLServerSocket server = (SSLServerSocket) context.getServerSocketFactory()
            .createServerSocket(Integer.parseInt(args[0]), 50, InetAddress.getByName("127.0.0.1"));
        server.setEnabledProtocols(
            args[1].isEmpty() ? server.getSupportedProtocols() : args[1].split(","));
        server.setEnabledCipherSuites(
            args[2].isEmpty() ? server.getSupportedCipherSuites() : args[2].split(","));
        server.setWantClientAuth(args[3].equals("want"));
        if (args[3].equals("need")) server.setNeedClientAuth(true);
        System.out.println("protocols " + String.join(" ", server.getEnabledProtocols()));
        System.out.println("suites " + String.join(" ", server.getEnabledCipherSuites()));
        System.out.flush();
        while (true) {
            SSLSocket peer = (SSLSocket) server.accept();
            Thread thread = new Thread(() -> serve(peer));
            thread.setDaemon(true);
            thread.start();
        }
    }

    static void serve(SSLSocket peer) {
        try (peer) {
            peer.setSoTimeout(15000);
            peer.startHandshake();
            if (peer.getInputStream().read(new byte[4096]) > 0)
                peer.getOutputStream().write(
                    "HTTP/1.1 200 OK\\r\\nContent-Length: 3\\r\\nConnection: close\\r\\n\\r\\nok\\n"
                        .getBytes("US-ASCII"));
        } catch (IOException refused) {
            // The client's business.
        }
    }
}
"""


# -- Libraries, in threads -----------------------------------------------------------------------


@contextlib.contextmanager
def scripted(
    handler: Callable[[socket.socket], None], software: str = "scripted", configured: str = ""
) -> Iterator[Server]:
    """A TCP server that gives each connection to *handler* in a thread, and closes it after.

    The handler may fail with OSError: the peer hung up or the test is over.
    """
    listener = socket.create_server((LOOPBACK, 0), backlog=128)
    open_ones: dict[socket.socket, threading.Thread] = {}

    def serve(peer: socket.socket) -> None:
        with peer, contextlib.suppress(OSError):
            handler(peer)
        open_ones.pop(peer, None)

    def accept() -> None:
        with contextlib.suppress(OSError):
            while True:
                peer, _ = listener.accept()
                thread = threading.Thread(target=serve, args=(peer,), daemon=True)
                open_ones[peer] = thread
                thread.start()

    acceptor = threading.Thread(target=accept, daemon=True)
    acceptor.start()
    try:
        yield Server(software, listener.getsockname()[1], configured)
    finally:
        # shutdown wakes who waits in another thread; close alone does not.
        with contextlib.suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)
        acceptor.join(5)
        listener.close()
        for peer, thread in list(open_ones.items()):
            with contextlib.suppress(OSError):
                peer.shutdown(socket.SHUT_RDWR)
            thread.join(5)


@contextlib.contextmanager
def pyopenssl_server(
    certificates: Sequence[Certificate],
    *,
    groups: str = "",
    ciphers: str = "",
    suites: str = "",
    versions: tuple[int, int] = (SSL.TLS1_2_VERSION, SSL.TLS1_3_VERSION),
    preamble: Callable[[socket.socket], None] | None = None,
    configure: Callable[[SSL.Context], None] | None = None,
    answer: bytes = ANSWER,
) -> Iterator[Server]:
    """The OpenSSL inside cryptography, which speaks ML-KEM whatever the system has.

    *groups*, *ciphers* (up to TLS 1.2) and *suites* (TLS 1.3) are OpenSSL's lists, empty for its
    defaults. *preamble* talks on the bare connection first, as STARTTLS does; *configure* may do
    to the context what it likes, before the certificates are loaded.
    """
    context = SSL.Context(SSL.TLS_METHOD)
    context.set_min_proto_version(versions[0])
    context.set_max_proto_version(versions[1])
    if ciphers:
        context.set_cipher_list(ciphers.encode())
    if suites:
        context.set_tls13_ciphersuites(suites.encode())
    if groups:
        # pyOpenSSL has no call for this one.
        assert openssl_lib.SSL_CTX_set1_curves_list(context._context, groups.encode()) == 1, groups
    if configure:
        configure(context)
    for certificate in certificates:
        context.use_certificate_chain_file(str(certificate.cert))
        context.use_privatekey_file(str(certificate.key))

    def handler(peer: socket.socket) -> None:
        if preamble:
            preamble(peer)
        connection = SSL.Connection(context, peer)
        connection.set_accept_state()
        with contextlib.suppress(SSL.Error):
            connection.do_handshake()
            connection.recv(4096)
            connection.sendall(answer)
            connection.shutdown()

    configured = f"groups {groups} ciphers {ciphers} suites {suites} versions {versions}"
    with scripted(handler, "pyopenssl", configured) as server:
        yield server


@contextlib.contextmanager
def tlslite(
    certificate: Certificate | None, *, anonymous: bool = False, **settings: Any
) -> Iterator[Server]:
    """tlslite-ng with *settings* of its HandshakeSettings: SSL 3.0, RC4, DH-512 and the like.

    Without a *certificate* it is *anonymous*.
    """
    with warnings.catch_warnings():
        # Its package imports asyncore.
        warnings.simplefilter("ignore", DeprecationWarning)
        api: Any = importlib.import_module("tlslite.api")
        errors: Any = importlib.import_module("tlslite.errors")
    configuration = api.HandshakeSettings()
    for name, value in settings.items():
        assert hasattr(configuration, name), name
        setattr(configuration, name, value)
    chain = key = None
    if certificate:
        chain = api.X509CertChain([api.X509().parse(certificate.cert.read_text())])
        key = api.parsePEMKey(certificate.key.read_text(), private=True)

    def handler(peer: socket.socket) -> None:
        connection = api.TLSConnection(peer)
        with contextlib.suppress(errors.BaseTLSException, ValueError):
            connection.handshakeServer(
                certChain=chain, privateKey=key, settings=configuration, anon=anonymous
            )
            connection.recv(4096)
            connection.sendall(ANSWER)
            connection.close()

    with scripted(handler, "tlslite", str(settings)) as server:
        yield server


# -- Processes -----------------------------------------------------------------------------------


def _home(folder: Path, name: str) -> Path:
    home = folder / f"{name}-{random.randrange(1 << 32):08x}"
    home.mkdir(parents=True)
    return home


def _written(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


@contextlib.contextmanager
def _run(
    software: str,
    command: list[str],
    home: Path,
    ports: Sequence[int],
    configured: str,
    patience: float = 20,
) -> Iterator[Server]:
    log = home / "log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd=home,
            start_new_session=True,
        )
    try:
        for port in ports:
            _wait(process, port, log, patience)
        yield Server(software, ports[0], configured, log, tuple(ports))
    finally:
        _stop(process)


def _wait(process: subprocess.Popen[bytes], port: int, log: Path, patience: float) -> None:
    deadline = time.monotonic() + patience
    while time.monotonic() < deadline:
        if process.poll() is not None:
            break
        try:
            socket.create_connection((LOOPBACK, port), 1).close()
        except OSError:
            time.sleep(0.02)
        else:
            return
    raise RuntimeError(f"{process.args!r} does not accept connections:\n{log.read_text()[-2000:]}")


def _stop(process: subprocess.Popen[bytes]) -> None:
    for sign in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, sign)
        try:
            process.wait(5)
        except subprocess.TimeoutExpired:
            continue
        return
