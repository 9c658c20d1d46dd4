import asyncio
import contextlib
import socket
import time
from collections.abc import AsyncIterator, Callable
from functools import partial

import pytest

from tests.conftest import Start
from tests.identities import Identity
from tests.servers import LOOPBACK, Server, free_port
from tlscheck.model import Missed, Place, Reason
from tlscheck.net import Net, NetError, Stream
from tlscheck.observations.http import Direction, HttpObservation, PlainState
from tlscheck.observations.tls import Demand
from tlscheck.probes import http
from tlscheck.probes.live import handshake

HELLO = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


class Wire:
    """A stream without TLS in the place of one with it: HTTP cannot tell."""

    def __init__(self, stream: Stream) -> None:
        self.stream = stream

    async def send(self, data: bytes) -> None:
        await self.stream.write(data)

    async def receive(self, size: int = 16384) -> bytes:
        return await self.stream.read(size)


@contextlib.asynccontextmanager
async def wire(net: Net, place: Place) -> AsyncIterator[Wire]:
    async with net.dial(place) as stream:
        yield Wire(stream)


def look(place: Place, timeout: float = 2, port: int | None = None) -> HttpObservation | Missed:
    net = Net(connect_timeout=timeout)
    return asyncio.run(http.probe(net, place, partial(wire, net, place), plain_port=port))


def look_live(server: Server, port: int | None = None) -> HttpObservation:
    net, place = Net(), server.place()
    dial = partial(handshake, net, place)
    seen = asyncio.run(http.probe(net, place, dial, plain_port=port))
    assert isinstance(seen, HttpObservation)
    return seen


def sending(*pieces: bytes, pause: float = 0, hold: float = 0) -> Callable[[socket.socket], None]:
    """Answers every request on a connection with *pieces*."""

    def handler(peer: socket.socket) -> None:
        while peer.recv(65536):
            for piece in pieces:
                peer.sendall(piece)
                time.sleep(pause)
            if b"Content-Length" not in pieces[0]:
                time.sleep(hold)
                return

    return handler


# --- a real server


def test_nginx_as_it_should_be(nginx: Start) -> None:
    hsts = 'add_header Strict-Transport-Security "max-age=31536000; includeSubDomains" always;'
    server = nginx(
        f"{hsts} server_tokens off;"
        "default_type text/html; location = / { return 302 /login; } location / { return 200 hi; }",
        "listen 127.0.0.1:{port}; return 301 https://$host$request_uri;",
    )
    seen = look_live(server, server.ports[1])
    assert seen.hsts
    assert (seen.hsts.max_age, seen.hsts.include_subdomains) == (31536000, True)
    assert (seen.status, seen.last_status, seen.html, seen.whole) == (302, 200, True, True)
    assert [hop.followed for hop in seen.redirects] == [True]
    assert seen.banners == {"server": "nginx"}
    assert seen.clock_skew is not None
    assert abs(seen.clock_skew) <= 2
    assert seen.plain
    assert (seen.plain.state, seen.plain.https_same_host) == (PlainState.REDIRECTS, True)


@pytest.mark.parametrize(("keep", "connections"), [("75s", 1), ("0", 3)])
def test_redirects_are_followed_over_as_few_connections_as_can_be(
    nginx: Start, keep: str, connections: int
) -> None:
    server = nginx(
        f"keepalive_timeout {keep}; absolute_redirect off;"
        "location = / { return 301 /a; } location = /a { return 307 /b?c=d; }"
        'location = /b { return 200 "$args"; }'
    )
    net, place = Net(), server.place()
    hops = asyncio.run(http.visit(place, partial(handshake, net, place)))
    assert [hop.response.status for hop in hops] == [301, 307, 200]
    assert hops[-1].response.body == b"c=d"
    assert net.spent(place) == connections


def test_the_request_is_truthful(nginx: Start) -> None:
    server = nginx('location / { return 200 "$http_host|$http_user_agent|$http_cookie"; }')
    place = server.place()
    (hop,) = asyncio.run(http.visit(place, partial(handshake, Net(), place)))
    agent = f"{http.AGENT}|".encode()
    assert hop.response.body == b"localhost:%d|%s" % (place.port, agent)


@pytest.mark.parametrize("wanted", ["on", "optional"])
def test_a_client_certificate_wanted_by_http(nginx: Start, identity: Identity, wanted: str) -> None:
    server = nginx(
        f"ssl_client_certificate {identity.ca}; ssl_verify_client {wanted};"
        "location / { if ($ssl_client_verify != SUCCESS) { return 496; } return 200 ok; }"
    )
    seen = look_live(server)
    assert (seen.status, seen.certificate_refused) == (400, True)


# --- redirects that are not followed


def redirecting(location: str) -> bytes:
    return b"HTTP/1.1 302 Found\r\nContent-Length: 0\r\nLocation: %s\r\n\r\n" % location.encode()


@pytest.mark.parametrize(
    ("location", "where"),
    [
        ("https://elsewhere.example/?secret=1", Direction.FOREIGN),
        ("http://localhost/", Direction.PLAINTEXT),
        ("https://localhost:1/", Direction.FOREIGN),
        ("/", Direction.OWN),
    ],
)
def test_other_hosts_are_listed_and_not_contacted(
    scripted: Start, location: str, where: Direction
) -> None:
    net, place = Net(), scripted(sending(redirecting(location))).place()
    seen = asyncio.run(http.probe(net, place, partial(wire, net, place), plain_port=None))
    assert isinstance(seen, HttpObservation)
    assert [(hop.direction, hop.followed) for hop in seen.redirects] == [(where, False)]
    assert "secret" not in repr(seen)
    assert net.connections == {place: 1}


def test_an_endless_chain_of_redirects_ends(scripted: Start) -> None:
    asked = []

    def handler(peer: socket.socket) -> None:
        while request := peer.recv(65536):
            asked.append(request)
            peer.sendall(redirecting(f"/{len(asked)}"))

    seen = look(scripted(handler).place())
    assert isinstance(seen, HttpObservation)
    assert len(asked) == len(seen.redirects) == http.MOST_REDIRECTS + 1
    assert [hop.followed for hop in seen.redirects] == [True] * http.MOST_REDIRECTS + [False]


@pytest.mark.parametrize("answers", [True, False])
def test_a_server_that_hangs_up_is_asked_once_more(scripted: Start, answers: bool) -> None:
    def handler(peer: socket.socket) -> None:
        if b"GET / " in peer.recv(65536):
            peer.sendall(redirecting("/next"))
        elif answers:
            peer.sendall(HELLO)

    seen = look(scripted(handler).place())
    assert isinstance(seen, HttpObservation)
    assert [(hop.direction, hop.followed) for hop in seen.redirects] == [(Direction.OWN, answers)]
    assert seen.last_status == (200 if answers else 302)


# --- odd answers


@pytest.mark.parametrize(
    ("pieces", "reason"),
    [
        ([b"SSH-2.0-OpenSSH_9.2p1\r\n"], Reason.MALFORMED),
        ([b"\x15\x03\x01\x00\x02\x02\x28"], Reason.MALFORMED),
        ([b"HTTP/1.1 200 OK\r\nSet-Cookie: a=SECRET\r\n\0: x\r\n\r\n"], Reason.MALFORMED),
        ([b"HTTP/1.1 200 OK\r\n", *[b"X: %s\r\n" % (b"y" * 999)] * 99, b"\r\n"], Reason.TOO_LARGE),
        ([b"HTTP/1.1 200 OK\r\n", *[b"X: y\r\n"] * 101, b"\r\n"], Reason.TOO_LARGE),
        ([b""], Reason.CLOSED),
    ],
)
def test_broken_answers_are_missed(scripted: Start, pieces: list[bytes], reason: Reason) -> None:
    assert look(scripted(sending(*pieces)).place()) == Missed("http", reason)


def test_an_endless_body_is_cut(scripted: Start) -> None:
    def handler(peer: socket.socket) -> None:
        peer.recv(65536)
        peer.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n")
        while True:
            peer.sendall(b"x" * 65536)

    seen = look(scripted(handler).place())
    assert isinstance(seen, HttpObservation)
    assert seen.html
    assert not seen.whole


def test_a_slow_head_ends_at_the_deadline(scripted: Start) -> None:
    began = time.monotonic()
    server = scripted(sending(b"HTTP/1.1 200 OK\r\n", *[b"X: y\r\n"] * 99, pause=0.1))
    assert look(server.place(), timeout=0.5) == Missed("http", Reason.TIMEOUT)
    assert time.monotonic() - began < 2


def test_a_slow_body_leaves_the_head(scripted: Start) -> None:
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\nStrict-Transport-Security: max-age=5\r\n\r\n"
    server = scripted(sending(head, *[b"x"] * 50, pause=0.1))
    seen = look(server.place(), timeout=0.5)
    assert isinstance(seen, HttpObservation)
    assert seen.hsts
    assert (seen.hsts.max_age, seen.whole) == (5, False)


def test_nobody_there() -> None:
    place = Place("localhost", free_port(), "https", LOOPBACK)
    assert look(place) == Missed("http", Reason.CONNECTION_REFUSED)


def test_a_certificate_that_tls_demands_leaves_nothing_to_look_at() -> None:
    @contextlib.asynccontextmanager
    async def dial() -> AsyncIterator[Wire]:
        raise NetError(Reason.CLIENT_CERTIFICATE)
        yield

    place = Place("localhost", 443, "https", LOOPBACK)
    missed = asyncio.run(http.probe(Net(), place, dial))
    assert missed == http.inapplicable(place, Demand.REQUIRED, certificate_given=False)
    assert isinstance(missed, Missed)
    assert missed.reason is Reason.NOT_APPLICABLE


@pytest.mark.parametrize(
    ("service", "demand", "given", "applies"),
    [
        ("https", Demand.NONE, False, True),
        ("https", Demand.UNKNOWN, False, True),
        ("https", Demand.REQUESTED, False, True),
        ("https", Demand.REQUIRED, True, True),
        ("https", Demand.REQUIRED_HTTP, False, True),
        ("https", Demand.REQUIRED, False, False),
        ("smtp", Demand.NONE, False, False),
    ],
)
def test_when_http_applies(service: str, demand: Demand, given: bool, applies: bool) -> None:
    place = Place("localhost", 443, service, LOOPBACK)
    assert (http.inapplicable(place, demand, certificate_given=given) is None) is applies


# --- the plain port


def plain(net: Net, port: int, https: int = 0) -> tuple[PlainState, str]:
    place = Place("localhost", https or free_port(), "https", LOOPBACK)
    found = asyncio.run(http.look_plain(net, place, port))
    assert found.port == port
    return found.state, found.detail


def test_nobody_listens_for_plain_http() -> None:
    assert plain(Net(), free_port()) == (PlainState.NONE, "connection_refused")


@pytest.mark.parametrize(
    ("answer", "state", "detail", "asked"),
    [
        (HELLO, PlainState.SERVES, "", 1),
        (redirecting("https://localhost/"), PlainState.REDIRECTS, "", 1),
        (b"SSH-2.0-OpenSSH_9.2p1\r\n", PlainState.UNKNOWN, "malformed", 2),
        (b"", PlainState.UNKNOWN, "closed", 2),
    ],
)
def test_plain_answers(
    scripted: Start, answer: bytes, state: PlainState, detail: str, asked: int
) -> None:
    net, server = Net(), scripted(sending(answer))
    assert plain(net, server.port) == (state, detail)
    assert knocks(net, server.port) == asked


def test_a_listener_that_says_nothing_is_no_proof_of_anything(scripted: Start) -> None:
    server = scripted(lambda peer: time.sleep(1))
    assert plain(Net(connect_timeout=0.2), server.port) == (PlainState.UNKNOWN, "timeout")


@pytest.mark.parametrize("alive", [True, False])
def test_silence_means_no_listener_only_if_the_endpoint_lives(scripted: Start, alive: bool) -> None:
    https = scripted(sending(HELLO)).port if alive else free_port()
    with contextlib.ExitStack() as stack:
        # A full queue drops what knocks, as a firewall does.
        listener = stack.enter_context(socket.create_server((LOOPBACK, 0), backlog=0))
        for _ in range(3):
            knock = stack.enter_context(socket.socket())
            knock.setblocking(False)
            knock.connect_ex(listener.getsockname())
        net, listener_port = Net(connect_timeout=0.3), listener.getsockname()[1]
        state, detail = plain(net, listener_port, https)
    assert (state, detail) == (PlainState.NONE if alive else PlainState.UNKNOWN, "timeout")
    assert knocks(net, listener_port) == 2


def knocks(net: Net, port: int) -> int:
    return sum(count for place, count in net.connections.items() if place.port == port)


def test_the_plain_port_waits_for_no_lane_that_the_probe_holds(scripted: Start) -> None:
    server, other = scripted(sending(HELLO)), scripted(sending(HELLO))
    net, place = Net(), server.place()
    net.lane(LOOPBACK).slow_down()
    seen = asyncio.run(
        asyncio.wait_for(
            http.probe(net, place, partial(wire, net, place), plain_port=other.port), 10
        )
    )
    assert isinstance(seen, HttpObservation)
    assert seen.plain
    assert seen.plain.state is PlainState.SERVES


def test_the_endpoint_itself_is_not_asked_in_plain(scripted: Start) -> None:
    server = scripted(sending(HELLO))
    seen = look(server.place(), port=server.port)
    assert isinstance(seen, HttpObservation)
    assert seen.plain is None
