"""The deep look and the second opinion, against real and scripted servers on loopback."""

from __future__ import annotations

import asyncio
import dataclasses
import os
import signal
import socket
import ssl
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import Encoding

from tests.conftest import Start
from tests.faults import Proxy
from tests.identities import Identity
from tests.servers import free_port, program
from tlscheck.model import Missed, Place, Reason, State
from tlscheck.net import Net
from tlscheck.observations.tls import ClientCertificate, Demand, Names, TlsObservation
from tlscheck.probes import deep
from tlscheck.probes.child import __main__, order, sessions
from tlscheck.probes.deep import DeepLook, DeepQuestions
from tlscheck.wire.names import Version

A, R, U = State.ACCEPTED, State.REFUSED, State.UNKNOWN
ECDHE = "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384"
AT = datetime(2026, 11, 20, tzinfo=UTC)


async def well() -> bool:
    return True


async def unwell() -> bool:
    return False


def strict(place: Place, **changes: Any) -> DeepQuestions:
    """What the hello engine finds of a strict server with TLS 1.2 and 1.3."""
    usual = DeepQuestions(
        place,
        Version.TLS_1_2,
        ECDHE,
        tls13=A,
        suite13="TLS_AES_256_GCM_SHA384",
        heartbeat=R,
        rsa_key_exchange=R,
        session_ids=A,
        session_tickets=A,
    )
    return dataclasses.replace(usual, **changes)


def only(place: Place, **changes: Any) -> DeepQuestions:
    """Nothing applies but what *changes* say."""
    nothing = {"version": None, "older": R, "tls13": R, "session_ids": R, "session_tickets": R}
    return strict(place, **nothing | changes)


def looked(
    asked: DeepQuestions, *, net: Net | None = None, canary: deep.Canary = well, timeout: float = 30
) -> DeepLook:
    return asyncio.run(deep.look(net or Net(), asked, timeout, canary=canary))


# -- Real servers ----------------------------------------------------------------------------------


def test_a_strict_server_costs_five_connections(nginx: Start, proxy: Callable[..., Proxy]) -> None:
    between = proxy(nginx("ssl_protocols TLSv1.2 TLSv1.3; ssl_ciphers ECDHE+AESGCM;"), delay=0.06)
    net = Net()

    async def run() -> DeepLook:
        async with deep.warm() as ready:
            return await deep.look(net, strict(between.place()), canary=well, child=ready)

    result = asyncio.run(run())
    assert result.missed == ()
    assert result.connections == between.connections == net.spent(between.place()) == 5
    assert result.counts == {"resumption_tickets": 2, "resumption_ids": 2, "early_data": 1}
    seen = result.deep
    assert (seen.resumption_tickets, seen.resumption_ids) == (A, R)  # nginx's cache is off
    assert (seen.client_renegotiation, seen.early_data) == (R, R)
    assert (seen.heartbleed, seen.robot, seen.crossing) == (R, R, U)


def test_nginx_with_a_cache_and_early_data(nginx: Start) -> None:
    server = nginx(
        "ssl_protocols TLSv1.2 TLSv1.3; ssl_session_cache shared:all:1m; ssl_early_data on;"
    )
    result = looked(strict(server.place()))
    assert result.missed == ()
    assert (result.deep.resumption_ids, result.deep.resumption_tickets) == (A, A)
    assert result.deep.early_data is A
    assert result.counts["early_data"] == 2


def test_openssl_with_early_data(identity: Identity) -> None:
    port = free_port()
    command = [program("openssl"), "s_server", "-accept", f"127.0.0.1:{port}", "-quiet"]
    command += ["-cert", str(identity.rsa.cert), "-key", str(identity.rsa.key)]
    # It may not be combined with -www, and ends with its standard input.
    with subprocess.Popen([*command, "-early_data", "-tls1_3"], stdin=subprocess.PIPE) as process:
        time.sleep(0.5)
        place = Place("localhost", port, "https", "127.0.0.1", "localhost")
        result = looked(only(place, tls13=A))
        process.kill()
    assert (result.deep.early_data, result.missed, result.connections) == (A, (), 2)
    assert result.deep.client_renegotiation is R  # there is none in TLS 1.3


def test_openssl_that_renegotiates(s_server: Start) -> None:
    server = s_server("-tls1_2", "-client_renegotiation", "-no_ticket")
    asked = only(server.place(), version=Version.TLS_1_2, session_ids=A)
    result = looked(asked)
    assert result.missed == ()
    assert (result.deep.client_renegotiation, result.deep.resumption_ids) == (A, A)
    assert result.connections == 2
    alone = looked(dataclasses.replace(asked, session_ids=R))
    assert (alone.deep.client_renegotiation, alone.connections) == (A, 1)


@pytest.mark.parametrize(
    ("version", "suite"),
    [
        ("TLSv1.2", "ECDHE-RSA-CHACHA20-POLY1305"),
        ("TLSv1.2", "CAMELLIA256-SHA"),
        ("TLSv1", "ECDHE-RSA-AES256-SHA"),
    ],
)
def test_suites_that_only_one_openssl_knows(s_server: Start, version: str, suite: str) -> None:
    names = {
        "ECDHE-RSA-CHACHA20-POLY1305": "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256",
        "CAMELLIA256-SHA": "TLS_RSA_WITH_CAMELLIA_256_CBC_SHA",
        "ECDHE-RSA-AES256-SHA": "TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA",
    }
    option = {"TLSv1.2": "-tls1_2", "TLSv1": "-tls1"}[version]
    server = s_server(option, "-cipher", f"{suite}:@SECLEVEL=0")
    number = {"TLSv1.2": Version.TLS_1_2, "TLSv1": Version.TLS_1_0}[version]
    result = looked(
        only(server.place(), version=number, suite=names[suite], session_ids=A, session_tickets=A)
    )
    assert result.missed == ()
    assert (result.deep.resumption_ids, result.deep.resumption_tickets) == (A, A)
    assert (result.deep.client_renegotiation, result.connections) == (R, 4)


def test_a_server_that_cannot_be_robbed(s_server: Start) -> None:
    server = s_server("-tls1_2", "-cipher", "AES256-GCM-SHA384")
    asked = only(server.place(), version=Version.TLS_1_2, rsa_key_exchange=A)
    asked = dataclasses.replace(asked, rsa_version=Version.TLS_1_2, suite="")
    result = looked(asked)
    assert (result.deep.robot, result.missed) == (R, ())
    assert result.counts["robot"] == 11


def test_rsa_key_exchange_that_sslyze_does_not_reach_is_unknown(s_server: Start) -> None:
    server = s_server("-tls1_2", "-cipher", "ECDHE-RSA-AES256-GCM-SHA384")
    asked = only(server.place(), version=Version.TLS_1_2, rsa_key_exchange=A)
    result = looked(asked)
    assert result.deep.robot is U
    assert [m.detail.partition(":")[0] for m in result.missed] == ["robot"]


def test_a_forged_key_exchange_says_nothing_where_a_certificate_is_asked_for(
    nginx: Start, identity: Identity
) -> None:
    server = nginx(
        "ssl_protocols TLSv1.2; ssl_ciphers AES256-GCM-SHA384; ssl_verify_client optional;"
        f"ssl_client_certificate {identity.rsa.cert};"
    )
    suite = "TLS_RSA_WITH_AES_256_GCM_SHA384"
    asked = only(server.place(), version=Version.TLS_1_2, suite=suite, rsa_key_exchange=A)
    result = looked(asked)
    assert result.deep.robot is U
    assert "ClientCertificateRequested" in result.missed[0].detail
    assert result.deep.client_renegotiation is R


@pytest.mark.parametrize("shared", [True, False])
def test_a_session_of_one_name_tried_on_another_port(nginx: Start, shared: bool) -> None:
    caches = ["shared:one:1m", "shared:one:1m" if shared else "shared:two:1m"]
    blocks = [f"ssl_protocols TLSv1.2 TLSv1.3; ssl_session_cache {c};" for c in caches]
    server = nginx(*blocks)
    here, there = server.place(), server.at(1).place(host="other.test")
    net = Net()
    result = looked(strict(here, other_places=(there,)), net=net)
    assert result.missed == ()
    assert result.deep.crossing is (A if shared else R)
    assert result.connections == net.spent(here)
    assert result.counts["crossing"] == net.spent(there)


def test_a_session_of_tls_1_3_tried_elsewhere(nginx: Start) -> None:
    server = nginx("ssl_protocols TLSv1.3;", "ssl_protocols TLSv1.3;")
    other = nginx("ssl_protocols TLSv1.3; ssl_session_tickets off; ssl_session_cache off;")
    same, stranger = server.at(1).place(), other.place()
    for there, state in ((server.place(), A), (stranger, R)):
        asked = only(server.place(), tls13=A, other_places=(there,))
        result = looked(asked)
        assert (result.deep.crossing, result.missed) == (state, ())
    assert same.port != stranger.port


def test_crossing_is_not_refused_while_a_kind_of_session_is_unknown(nginx: Start) -> None:
    server = nginx("ssl_protocols TLSv1.3;")
    other = nginx("ssl_protocols TLSv1.3;")
    asked = only(server.place(), tls13=A, session_ids=U, older=U, other_places=(other.place(),))
    result = looked(asked)
    assert result.deep.crossing is U
    assert result.deep.resumption_ids is U


def test_a_client_certificate_is_shown(nginx: Start, identity: Identity) -> None:
    mine = identity.rsa
    server = nginx(
        f"ssl_protocols TLSv1.2 TLSv1.3; ssl_verify_client optional_no_ca;"
        f"ssl_client_certificate {mine.cert}; if ($ssl_client_verify = NONE) {{ return 403; }}"
    )
    asked = strict(server.place(), demand=Demand.REQUIRED)
    without = looked(asked)
    assert without.connections == 0
    assert without.missed[0].reason is Reason.CLIENT_CERTIFICATE
    assert without.deep.early_data is without.deep.client_renegotiation is U
    result = looked(dataclasses.replace(asked, identity=(mine.cert, mine.key)))
    assert (result.deep.resumption_tickets, result.deep.client_renegotiation) == (A, R)


def test_starttls(scripted: Start, identity: Identity) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(identity.rsa.cert, identity.rsa.key)

    def handler(peer: socket.socket) -> None:
        for reply in (b"220 here\r\n", b"250-here\r\n250 STARTTLS\r\n", b"220 go\r\n"):
            peer.sendall(reply)
            if b"go" not in reply:
                peer.recv(1024)
        with context.wrap_socket(peer, server_side=True) as tls:
            tls.recv(1024)

    place = scripted(handler).place("smtp")
    result = looked(strict(place, session_ids=R))
    assert (result.deep.resumption_tickets, result.deep.client_renegotiation) == (A, R)
    assert (result.deep.early_data, result.missed, result.connections) == (R, (), 3)


# -- Scripted servers ------------------------------------------------------------------------------


def _record(kind: int, body: bytes) -> bytes:
    return bytes([kind, 3, 3]) + len(body).to_bytes(2, "big") + body


def _hang(peer: socket.socket) -> None:
    """Say nothing until the client goes."""
    while peer.recv(65536):
        pass


def _message(kind: int, body: bytes) -> bytes:
    return bytes([kind]) + len(body).to_bytes(3, "big") + body


@pytest.mark.parametrize(("mood", "state"), [("bleeds", A), ("silent", R), ("alert", U)])
def test_heartbleed(scripted: Start, identity: Identity, mood: str, state: State) -> None:
    der = identity.rsa.x509.public_bytes(Encoding.DER)
    chain = len(der).to_bytes(3, "big") + der
    hello = b"\3\3" + bytes(32) + b"\0\0\x9c\0" + b"\0\5\0\x0f\0\1\1"
    flight = _message(2, hello) + _message(11, len(chain).to_bytes(3, "big") + chain)
    flight += _message(14, b"")

    def handler(peer: socket.socket) -> None:
        peer.recv(65536)
        if mood == "alert":
            peer.sendall(_record(21, b"\2\x28"))
            return
        peer.sendall(_record(22, flight))
        peer.settimeout(20)
        if mood == "bleeds":
            peer.sendall(_record(24, b"\2\x40\0" + b"\1" * 16000))
        _hang(peer)

    place = scripted(handler).place()
    asked = only(place, version=Version.TLS_1_2, heartbeat=A, demand=Demand.REQUIRED)
    result = looked(asked)
    assert result.deep.heartbleed is state
    assert result.connections == (2 if mood == "alert" else 1)  # asked again with the name
    assert bool([m for m in result.missed if "heartbleed" in m.detail]) is (state is U)


def test_a_server_that_hangs_costs_no_more_than_the_deadline(scripted: Start) -> None:
    place = scripted(_hang).place()
    started = time.monotonic()
    result = looked(strict(place), timeout=1.5)
    assert time.monotonic() - started < 4
    assert {result.deep.early_data, result.deep.resumption_ids} == {U}
    assert {m.reason for m in result.missed} == {Reason.CHILD}
    assert "early_data: no end after 1.5 s" in {m.detail for m in result.missed}
    assert result.connections >= 2  # those of a child that is killed count too


@pytest.mark.parametrize("garbage", [b"\x16\3\3\0\2??", b"HTTP/1.1 400 Bad\r\n\r\n"])
def test_what_sslyze_stumbles_over_is_unknown(
    nginx: Start, proxy: Callable[..., Proxy], garbage: bytes
) -> None:
    between = proxy(nginx(), garbage=garbage)
    result = looked(strict(between.place()))
    assert {getattr(result.deep, n) for n in ("early_data", "client_renegotiation")} == {U}
    assert {getattr(result.deep, n) for n in ("resumption_ids", "resumption_tickets")} == {U}
    assert len(result.missed) == 4
    assert result.connections == between.connections


def _records(sock: socket.socket) -> Iterator[tuple[int, bytes]]:
    with sock.makefile("rb") as stream:
        while len(head := stream.read(5)) == 5:
            yield head[0], head + stream.read(int.from_bytes(head[3:5], "big"))


@pytest.mark.parametrize(("mood", "state", "connections"), [("closes", R, 2), ("silent", U, 1)])
def test_a_renegotiation_that_is_not_answered(
    nginx: Start, scripted: Start, mood: str, state: State, connections: int
) -> None:
    behind = nginx("ssl_protocols TLSv1.2;")

    def handler(peer: socket.socket) -> None:
        with socket.create_connection((behind.host, behind.port)) as upstream:

            def back() -> None:
                while data := upstream.recv(65536):
                    peer.sendall(data)

            answering = threading.Thread(target=back, daemon=True)
            answering.start()
            finished = False
            changed = False
            for kind, record in _records(peer):
                if finished and kind == 22:  # a second handshake
                    break
                finished = changed and kind == 22
                changed = changed or kind == 20
                upstream.sendall(record)
            if mood == "silent":
                _hang(peer)
            upstream.shutdown(socket.SHUT_RDWR)
            answering.join(5)

    asked = only(scripted(handler).place(), version=Version.TLS_1_2)
    result = looked(asked)
    assert (result.deep.client_renegotiation, result.connections) == (state, connections)
    assert bool(result.missed) is (state is U)


def test_a_refused_connection_is_unknown() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    result = looked(strict(Place("localhost", port, "https", "127.0.0.1", "localhost")))
    assert result.deep.client_renegotiation is result.deep.early_data is U


# -- The child -------------------------------------------------------------------------------------


def test_a_killed_child_leaves_its_questions_unknown(scripted: Start) -> None:
    place = scripted(_hang).place()

    async def run() -> DeepLook:
        async with deep.warm() as ready:
            looking = asyncio.create_task(deep.look(Net(), strict(place), canary=well, child=ready))
            await asyncio.sleep(1.5)
            os.kill(ready._process.pid, signal.SIGKILL)
            return await looking

    result = asyncio.run(run())
    assert result.deep.early_data is result.deep.resumption_tickets is U
    assert result.deep.heartbleed is R  # followed from the hello
    assert any("SIGKILL" in missed.detail for missed in result.missed)
    assert result.connections == 2


def test_negatives_count_only_while_the_server_is_well(nginx: Start) -> None:
    server = nginx("ssl_protocols TLSv1.2 TLSv1.3;")
    result = looked(strict(server.place()), canary=unwell)
    assert result.deep.resumption_tickets is A
    assert {result.deep.client_renegotiation, result.deep.early_data} == {U}
    assert result.deep.heartbleed is R
    details = " ".join(missed.detail for missed in result.missed)
    assert "client_renegotiation: the server did not answer any more" in details


def _parent(tmp_path: Path) -> subprocess.Popen[str]:
    script = tmp_path / "parent.py"
    script.write_text(
        textwrap.dedent("""
            import asyncio
            from tlscheck.probes import deep
            async def main():
                async with deep.warm() as child:
                    print(child._process.pid, flush=True)
                    await asyncio.sleep(60)
            asyncio.run(main())
        """)
    )
    return subprocess.Popen(
        [sys.executable, str(script)],
        stdout=subprocess.PIPE,
        text=True,
        env={"PYTHONPATH": str(Path(deep.__file__).parents[2]), "SECRET": "s3cret"},
    )


@pytest.fixture
def parent(tmp_path: Path) -> Iterator[tuple[subprocess.Popen[str], int]]:
    with _parent(tmp_path) as process:
        assert process.stdout
        yield process, int(process.stdout.readline())
        process.kill()


def _alive(pid: int) -> bool:
    try:
        return "State:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False


def test_the_child_is_confined_and_dies_with_its_parent(
    parent: tuple[subprocess.Popen[str], int],
) -> None:
    process, pid = parent
    deadline = time.monotonic() + 10
    bounded: dict[str, str] = {}
    while bounded.get("Max open files") != "64":
        assert time.monotonic() < deadline
        limits = Path(f"/proc/{pid}/limits").read_text().splitlines()[1:]
        bounded = {line[:26].strip(): line[26:].split()[0] for line in limits}
    assert bounded["Max core file size"] == "0"
    assert bounded["Max address space"] == str(1024**3)
    assert bounded["Max cpu time"] == "60"
    assert bounded["Max file size"] == "0"
    assert os.getpgid(pid) == pid
    environment = Path(f"/proc/{pid}/environ").read_bytes()
    assert b"s3cret" not in environment
    assert {e.partition(b"=")[0] for e in environment.split(b"\0") if e} <= {
        b"PATH",
        b"LANG",
        b"PYTHONPATH",
    }
    process.kill()
    process.wait()
    deadline = time.monotonic() + 5
    while _alive(pid):
        assert time.monotonic() < deadline, "the child outlived its parent"
        time.sleep(0.05)


def test_a_child_that_is_never_asked_ends_with_its_block() -> None:
    async def run() -> int:
        async with deep.warm() as ready:
            return ready._process.pid

    assert not _alive(asyncio.run(run()))


@pytest.mark.parametrize(
    ("says", "trouble"),
    [
        ("import sys; sys.exit(3)", "the child ended with code 3"),
        ("print('nonsense')", "the child speaks nonsense, or too much"),
        ("print('{}')", "the child speaks nonsense, or too much"),
        ("print('x' * 3000000)", "the child speaks nonsense, or too much"),
        (
            "import json\nfor _ in range(40000): "
            "print(json.dumps({'kind': 'connect', 'question': 'q', 'peer': ['::1', 1]}))",
            "the child speaks nonsense, or too much",
        ),
        ("import time; time.sleep(20)", "no end after 2 s"),
    ],
)
def test_what_a_child_may_not_do(says: str, trouble: str) -> None:
    async def run() -> str | None:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-c",
            says,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            start_new_session=True,
            limit=deep._MOST_OUTPUT,
        )
        other = deep.Child(process)
        try:
            return (await other.ask({}, 2)).trouble
        finally:
            await other.close()

    assert asyncio.run(run()) == trouble


def test_the_child_connects_only_where_it_was_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket.socket, "connect", socket.socket.connect)
    __main__._watch_connections(order.Order((), Place("a", 1, "https", "127.0.0.1", "a")))
    with socket.socket() as sock, pytest.raises(PermissionError):
        sock.connect(("127.0.0.1", 2))


# -- What applies ----------------------------------------------------------------------------------

PLACE = Place("a.test", 443, "https", "192.0.2.1", "a.test")


def test_nothing_is_asked_that_the_hellos_have_answered() -> None:
    result = looked(only(PLACE))
    assert set(dataclasses.asdict(result.deep).values()) == {R, U, (), 0}
    assert (result.deep.crossing, result.missed, result.connections) == (U, (), 0)


def test_what_the_hellos_left_open_stays_open() -> None:
    result = looked(DeepQuestions(PLACE, other_places=(PLACE,)))
    assert set(dataclasses.asdict(result.deep).values()) == {U, (), 0}


def test_a_service_that_sslyze_does_not_speak() -> None:
    result = looked(strict(dataclasses.replace(PLACE, service="sieve")))
    assert result.missed == (
        Missed("tls.deep", Reason.CHILD, "sslyze does not speak this service"),
    )
    assert result.deep.client_renegotiation is U
    assert result.deep.heartbleed is R


def seen(**changes: Any) -> TlsObservation:
    versions = dict.fromkeys(Version, R) | {Version.TLS_1_2: A, Version.TLS_1_3: A}
    suites = {Version.TLS_1_2: (ECDHE,), Version.TLS_1_3: ("TLS_AES_256_GCM_SHA384",)}
    usual = TlsObservation(
        at=AT,
        versions=versions,
        suites=suites,
        heartbeat=R,
        session_ids=A,
        session_tickets=A,
    )
    return dataclasses.replace(usual, **changes)


def test_questions_follow_from_an_observation() -> None:
    assert deep.questions(PLACE, seen()) == dataclasses.replace(strict(PLACE), older=A)
    rsa = {Version.TLS_1_2: (ECDHE,), Version.TLS_1_0: ("TLS_RSA_WITH_AES_128_CBC_SHA",)}
    older = seen().versions | {Version.TLS_1_0: A}  # type: ignore[operator]
    asked = deep.questions(PLACE, seen(versions=older, suites=rsa))
    assert (asked.rsa_key_exchange, asked.rsa_version) == (A, Version.TLS_1_0)
    open_ones = {Version.TLS_1_2: Names(suites=("TLS_RSA_WITH_AES_128_CBC_SHA",))}
    assert deep.questions(PLACE, seen(unknown=open_ones)).rsa_key_exchange is U
    demanded = seen(client_certificate=ClientCertificate(Demand.REQUIRED))
    assert deep.questions(PLACE, demanded).demand is Demand.REQUIRED


def test_a_server_hello_that_takes_a_session() -> None:
    for extension, taken in ((41, True), (43, False)):
        extensions = extension.to_bytes(2, "big") + b"\0\2\0\0"
        body = b"\3\3" + b"r" * 32 + b"\0" + b"\x13\1" + b"\0" + b"\0\6" + extensions
        retry = b"\3\3" + sessions._RETRY_REQUEST + b"\0" + b"\x13\1" + b"\0" + b"\0\0"
        received = _record(22, _message(2, retry)) + _record(20, b"\1")
        received += _record(22, _message(2, body)) + _record(23, b"x" * 50)
        assert sessions.takes_pre_shared_key(received) is taken
    with pytest.raises(order.Unsettled):
        sessions.takes_pre_shared_key(_record(21, b"\2\x28"))


# -- The second opinion ----------------------------------------------------------------------------


@pytest.mark.slow
def test_the_second_opinion(nginx: Start) -> None:
    server = nginx("ssl_protocols TLSv1.2 TLSv1.3; ssl_ciphers ECDHE+AESGCM:@SECLEVEL=0;")
    suites = {
        Version.TLS_1_2: (
            ECDHE,
            "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256",
            "TLS_RSA_WITH_AES_128_CBC_SHA",  # it does not
            "TLS_RSA_WITH_CAMELLIA_128_GCM_SHA256",  # sslyze cannot tell
        ),
        Version.TLS_1_3: ("TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256"),
    }
    refused = {
        Version.TLS_1_2: Names(suites=("TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256",)),  # it does
        Version.TLS_1_3: Names(groups=("secp384r1",)),  # it does
    }
    claimed = seen(suites=suites, refused=refused, groups={Version.TLS_1_3: ("x25519",)})
    net = Net()
    net.lane("127.0.0.1").width = 8
    started = time.monotonic()
    result = asyncio.run(deep.cross_check(net, server.place(), claimed))
    assert time.monotonic() - started < 60
    assert result.missed == ()
    assert result.disagreements == (
        "TLS 1.2 TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256: sslyze accepted, hello engine refused",
        "TLS 1.2 TLS_RSA_WITH_AES_128_CBC_SHA: sslyze refused, hello engine accepted",
        "TLS 1.3 secp384r1: sslyze accepted, hello engine refused",
    )
    assert result.connections == net.spent(server.place()) > 400


def test_a_second_opinion_that_comes_to_no_end_is_missed(scripted: Start) -> None:
    place = scripted(_hang).place()
    result = asyncio.run(deep.cross_check(Net(), place, seen(), timeout=1.5))
    assert result.disagreements == ()
    assert [m.detail for m in result.missed] == ["no end after 1.5 s"]
    assert result.missed[0].kind == "tls.cross_check"
