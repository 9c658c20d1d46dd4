"""Ports that answer, refuse and keep silent: sockets of the tests' own on loopback."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Callable, Iterator

import pytest

from tests.servers import free_port
from tlscheck.model import Missed, Reason
from tlscheck.observations.ports import Port, PortsObservation, PortState, ranges
from tlscheck.probes import ports
from tlscheck.probes.ports import Manner
from tlscheck.wire import service

OPEN, CLOSED, DROPPED, UNKNOWN = (
    PortState.OPEN,
    PortState.CLOSED,
    PortState.DROPPED,
    PortState.UNKNOWN,
)
QUICK = {"rate": 0.0, "timeout": 1.0, "tries": 1}


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ports, "PATIENCE", 0.3)
    monkeypatch.setattr(ports, "PAUSE", 0.01)
    monkeypatch.setattr(ports._Look, "_patience", lambda self: 0.3)


@contextlib.contextmanager
def listening(answer: bytes = b"") -> Iterator[int]:
    """A port that says *answer* to everybody."""
    with socket.create_server(("127.0.0.1", 0), backlog=64) as server:
        server.settimeout(0.1)
        port: int = server.getsockname()[1]
        going = True

        def serve() -> None:
            while going:
                with contextlib.suppress(OSError):
                    peer, _ = server.accept()
                    with peer:
                        peer.sendall(answer)

        import threading

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield port
        finally:
            going = False
            thread.join()


@contextlib.contextmanager
def silent(room: int = 0) -> Iterator[int]:
    """A port whose queue has *room* for so many more: what comes then is dropped by the kernel."""
    with contextlib.ExitStack() as stack:
        server = stack.enter_context(socket.socket())
        server.bind(("127.0.0.1", 0))
        server.listen(room)
        for _ in range(1 if room == 0 else 0):
            filler = stack.enter_context(socket.socket())
            filler.connect(server.getsockname())
        yield server.getsockname()[1]


def look(*only: int, known: tuple[int, ...] = (), **manner: object) -> PortsObservation:
    seen = asyncio.run(
        ports.probe("127.0.0.1", Manner(only=only, **(QUICK | manner)), known)  # type: ignore[arg-type]
    )
    assert isinstance(seen, PortsObservation), seen
    return seen


def test_open_closed_and_silent_are_told_apart() -> None:
    closed = free_port()
    with listening() as one, silent() as dropped:
        seen = look(one, closed, dropped)
    assert [port.number for port in seen.open()] == [one]
    assert dict(seen.counts["tcp"]) == {OPEN: 1, CLOSED: 1, DROPPED: 1}
    assert not seen.shut_out


@pytest.mark.parametrize(
    ("answer", "name"),
    [
        (b"SSH-2.0-OpenSSH_9.2p1\r\n", "ssh"),
        (b"220 mail ESMTP Postfix\r\n", "smtp"),
        (b"220 (vsFTPd 3.0.3)\r\n", "ftp"),
        (b"RFB 003.008\n", "rfb"),
        (b"+OK ready\r\n", "pop3"),
        (b"\x4a\0\0\0\x0a8.0.34\0rest", "mysql"),
        (b"\x00\x01\x02", ""),
    ],
)
def test_what_speaks_first_is_recognised(answer: bytes, name: str) -> None:
    with listening(answer) as one:
        (port,) = look(one).open()
    assert port.service == name
    assert port.said.isprintable()


@contextlib.contextmanager
def asked_for_tls(answer: bytes) -> Iterator[int]:
    """A port that is silent to all but PostgreSQL's SSLRequest."""
    with socket.create_server(("127.0.0.1", 0), backlog=64) as server:
        import threading

        def serve() -> None:
            with contextlib.suppress(OSError):
                while True:
                    peer, _ = server.accept()
                    with peer:
                        peer.settimeout(2)
                        if peer.recv(4096) == service.POSTGRES:
                            peer.sendall(answer)

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield server.getsockname()[1]
        finally:
            server.shutdown(socket.SHUT_RDWR)
            thread.join()


@pytest.mark.parametrize("answer", [b"S", b"N"])
def test_a_database_that_knows_one_first_question_is_recognised(answer: bytes) -> None:
    with asked_for_tls(answer) as one:
        (port,) = look(one).open()
    assert port.service == "postgresql"


@pytest.mark.parametrize(
    ("group", "expected"),
    [("data", ("", "")), ("consoles", ("http", "consoles")), ("", ("http", ""))],
)
def test_http_where_the_list_means_something_else_is_not_recognised(
    group: str, expected: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ports, "_port", lambda number, *rest: Port(number, *rest, group=group))
    with listening(b"HTTP/1.1 400 Bad Request\r\n\r\n") as one:
        (port,) = look(one).open()
    assert (port.service, port.group) == expected


def test_http_makes_no_database_of_a_page() -> None:
    assert not ports.is_of_http(Port(6379, "tcp", OPEN, "redis", "data"))
    assert not ports.is_of_http(Port(445, "tcp", OPEN, "microsoft-ds", "internal"))
    assert ports.is_of_http(Port(9200, "tcp", OPEN, "elasticsearch", "data"))
    assert ports.is_of_http(Port(27017, "tcp", OPEN, "mongodb", "data"))
    assert ports.is_of_http(Port(7547, "tcp", OPEN, "cwmp", "network"))
    assert ports.is_of_http(Port(2375, "tcp", OPEN, "docker", "containers"))


def test_where_nothing_answers_nothing_is_dropped() -> None:
    with silent() as one, silent() as two:
        seen = asyncio.run(ports.probe("127.0.0.1", Manner(only=(one, two), **QUICK)))  # type: ignore[arg-type]
    assert isinstance(seen, Missed)
    assert seen.reason is Reason.TIMEOUT


def test_who_falls_silent_makes_what_was_asked_since_unknown() -> None:
    # The known port takes a few connections more, and then nothing: as behind a filter that bans.
    with contextlib.ExitStack() as stack:
        known = stack.enter_context(silent(room=60))
        others = [stack.enter_context(silent()) for _ in range(5)]
        seen = look(*others, known=(known,))
        assert not seen.shut_out
        fillers = [stack.enter_context(socket.socket()) for _ in range(90)]
        for filler in fillers:
            filler.setblocking(False)
            filler.connect_ex(("127.0.0.1", known))
        gone = asyncio.run(
            ports.probe("127.0.0.1", Manner(only=tuple(others), **QUICK), (known,))  # type: ignore[arg-type]
        )
    assert isinstance(gone, Missed)
    assert seen.count(DROPPED) == len(others)


def test_a_ban_in_the_middle(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = 0
    connect = ports._Look._connect

    async def banned(self: ports._Look, number: int) -> PortState:
        nonlocal asked
        asked += 1
        return await connect(self, number) if asked <= 20 else DROPPED

    monkeypatch.setattr(ports._Look, "_connect", banned)
    monkeypatch.setattr(ports, "LEAST_BATCH", 10)
    with listening() as one, contextlib.ExitStack() as stack:
        others = [stack.enter_context(silent()) for _ in range(40)]
        seen = look(*others, known=(one,), parallel=5)
    assert seen.shut_out
    assert seen.count(UNKNOWN) >= 20


@pytest.mark.parametrize(("before", "after"), [(CLOSED, DROPPED), (OPEN, DROPPED), (OPEN, CLOSED)])
def test_a_ban_that_spares_the_targets_own_ports(
    monkeypatch: pytest.MonkeyPatch, before: PortState, after: PortState
) -> None:
    """After some others every port but the known one is answered alike."""
    asked = 0
    connect = ports._Look._connect

    async def banned(self: ports._Look, number: int) -> PortState:
        nonlocal asked
        asked += number != one
        return after if number != one and asked > 3 else await connect(self, number)

    monkeypatch.setattr(ports._Look, "_connect", banned)
    with contextlib.ExitStack() as stack:
        one = stack.enter_context(listening())
        others = [
            stack.enter_context(listening()) if before is OPEN else free_port() for _ in range(20)
        ]
        seen = look(*others, known=(one,))
    assert seen.shut_out
    assert seen.count(after) == 0
    assert seen.count(UNKNOWN) == 17


@pytest.mark.parametrize(("way", "state"), [(0.05, UNKNOWN), (0.0, CLOSED)])
def test_what_our_own_side_refuses_says_nothing_of_the_address(
    monkeypatch: pytest.MonkeyPatch, way: float, state: PortState
) -> None:
    connect = ports._Look._connect

    async def far(self: ports._Look, number: int) -> PortState:
        found = await connect(self, number)
        await asyncio.sleep(way if found is OPEN else 0)
        return found

    monkeypatch.setattr(ports._Look, "_connect", far)
    with listening() as one:
        seen = look(*(free_port() for _ in range(5)), known=(one,))
    assert seen.count(state) == 5


def test_many_ordered_ports_that_all_accept_are_one_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    async def accepted(self: ports._Look, number: int) -> PortState:
        return OPEN

    monkeypatch.setattr(ports._Look, "_connect", accepted)
    monkeypatch.setattr(ports, "PATIENCE", 0.01)
    assert look(*range(20000, 20400), rate=0).answering_for_all
    assert not look(*range(20000, 20020), rate=0).answering_for_all


def limited(
    monkeypatch: pytest.MonkeyPatch, allowed: Callable[[int], bool], otherwise: PortState
) -> None:
    """Connections meet *otherwise*, but for those, counted from one, that are *allowed*."""
    asked = 0
    connect = ports._Look._connect

    async def some(self: ports._Look, number: int) -> PortState:
        nonlocal asked
        asked += 1
        return await connect(self, number) if allowed(asked) else otherwise

    monkeypatch.setattr(ports._Look, "_connect", some)


@pytest.mark.parametrize("otherwise", [DROPPED, CLOSED, PortState.REJECTED])
def test_a_ban_makes_no_open_port_a_closed_one(
    monkeypatch: pytest.MonkeyPatch, otherwise: PortState
) -> None:
    limited(monkeypatch, lambda asked: asked < 5, otherwise)
    with listening() as one, contextlib.ExitStack() as stack:
        others = [stack.enter_context(listening()) for _ in range(20)]
        seen = look(*others, known=(one,), parallel=5)
    assert seen.shut_out
    assert seen.count(OPEN) + seen.count(UNKNOWN) == 21


@pytest.mark.parametrize("otherwise", [DROPPED, CLOSED])
def test_a_limit_on_connections_makes_no_open_port_a_silent_one(
    monkeypatch: pytest.MonkeyPatch, otherwise: PortState
) -> None:
    limited(monkeypatch, lambda asked: asked % 4 == 1, otherwise)
    monkeypatch.setattr(ports, "SLOW", 1000.0)
    with listening() as one, contextlib.ExitStack() as stack:
        others = [stack.enter_context(listening()) for _ in range(40)]
        seen = look(*others, known=(one,), parallel=5)
    assert seen.shut_out
    assert not seen.count(DROPPED)
    assert not seen.count(CLOSED)


def test_one_lost_packet_is_no_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    limited(monkeypatch, lambda asked: asked != 9, DROPPED)
    with listening() as one, contextlib.ExitStack() as stack:
        others = [stack.enter_context(listening()) for _ in range(20)]
        seen = look(*others, known=(one,), parallel=5, tries=2)
    assert not seen.shut_out
    assert seen.count(OPEN) == 21


def test_every_port_that_is_asked_has_a_name_and_a_reason() -> None:
    for transport in ("tcp", "udp"):
        for port in ports.listed()[transport].values():
            assert port.name
            assert port.group


@pytest.mark.parametrize(
    ("numbers", "text"), [([], ""), ([22], "22"), ([3, 1, 2, 9, 80, 81], "1-3,9,80-81")]
)
def test_ranges(numbers: list[int], text: str) -> None:
    assert ranges(numbers) == text


def test_a_hostile_banner_is_one_printable_line() -> None:
    text = service.printable(b"\x1b[31mSSH\r\nX\x00\xff\x9b" * 100)
    assert text.isprintable()
    assert len(text) <= service.MOST_BYTES
