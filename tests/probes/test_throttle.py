"""Behind limits and faults nothing that is accepted is ever called refused, and the end is told."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests import faults, identities, servers
from tests.faults import Faults, Proxy
from tests.identities import Identity
from tests.servers import Server
from tlscheck.model import Reason, State
from tlscheck.net import Net, now
from tlscheck.observations.fold import fold
from tlscheck.observations.tls import TlsObservation
from tlscheck.probes.engine import Engine, Stop
from tlscheck.wire.hello import ClientHello, parse_client
from tlscheck.wire.registry import SUITE_BY_CODE, Version

Start = Callable[..., Server]
ProxyStart = Callable[..., Proxy]
T10, T12, T13 = Version.TLS_1_0, Version.TLS_1_2, Version.TLS_1_3
STRING = "ECDHE-RSA-AES128-GCM-SHA256:ECDHE-RSA-AES256-GCM-SHA384:AES128-SHA:@SECLEVEL=0"
SUITES = {
    "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256",
    "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384",
    "TLS_RSA_WITH_AES_128_CBC_SHA",
}
TRUTH = {
    T10: (frozenset({"TLS_RSA_WITH_AES_128_CBC_SHA"}), frozenset[str]()),
    T12: (frozenset(SUITES), frozenset({"x25519", "secp256r1"})),
    T13: (
        frozenset(
            {"TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256"}
        ),
        frozenset({"x25519", "secp256r1"}),
    ),
}


@pytest.fixture
def server(nginx: Start, identity: Identity) -> Server:
    return nginx(
        f"ssl_protocols TLSv1 TLSv1.2 TLSv1.3; ssl_ciphers {STRING};"
        "ssl_ecdh_curve X25519:prime256v1;",
        certificates=[identity.rsa],
    )


class Looked:
    """A look through a proxy, that never lies."""

    def __init__(self, proxy: Proxy | Server, budget: float = 25.0, timeout: float = 5.0) -> None:
        net, at, began = Net(budget=budget, connect_timeout=timeout), now(), time.monotonic()
        self.engine = Engine(net, proxy.place())
        self.stop = asyncio.run(self.engine.run())
        self.took = time.monotonic() - began
        self.seen: TlsObservation = fold(self.engine.exchanges, at, self.engine.shape)
        assert self.took < budget + 1.5
        assert len(self.engine.exchanges) < 250
        self.no_lies()

    def no_lies(self) -> None:
        for version, (suites, groups) in TRUTH.items():
            assert self.seen.versions[version] is not State.REFUSED, version
            for name in suites:
                assert self.seen.settled(version, "suites", name) is not State.REFUSED, name
            for name in groups:
                assert self.seen.settled(version, "groups", name) is not State.REFUSED, name
        for version, state in self.seen.versions.items():
            assert state is not State.ACCEPTED or version in TRUTH, version
        for version, names in self.seen.suites.items():
            assert set(names) <= TRUTH[version][0]

    def complete(self) -> bool:
        return all(
            set(self.seen.suites.get(version, ())) == suites
            and set(self.seen.groups.get(version, ())) == groups
            for version, (suites, groups) in TRUTH.items()
        ) and not any(names.suites or names.groups for names in self.seen.unknown.values())


def test_without_faults_all_is_found(server: Server, proxy: ProxyStart) -> None:
    look = Looked(proxy(server))
    assert look.stop is Stop.DONE
    assert look.complete()


# -- Bans -----------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("ban", ["rst", "fin", "drop"])
@pytest.mark.parametrize("after", [0, 1, 2, 6, 12])
def test_ban(server: Server, proxy: ProxyStart, after: int, ban: str) -> None:
    it = proxy(server, ban_after=after, ban=ban)
    look = Looked(it, timeout=2.0)
    assert look.stop in ((Stop.BANNED, Stop.BUDGET, Stop.MUTE) if after < 6 else (Stop.BANNED,))
    # We do not hammer who has shut us out. Once with one answer and then none,
    # the ladder of shapes is climbed before anybody asks whether we are banned.
    assert it.met("ban") <= 20
    assert look.seen.unknown or look.stop is Stop.MUTE
    if after == 0:
        assert set(look.seen.versions.values()) == {State.UNKNOWN}


@pytest.mark.slow
def test_a_ban_that_passes_is_waited_for(server: Server, proxy: ProxyStart) -> None:
    look = Looked(proxy(server, ban_after=20, ban="rst", ban_for=2.0), budget=40)
    assert look.stop in (Stop.DONE, Stop.BUDGET, Stop.BANNED)
    assert len(look.engine.exchanges) > 22


# -- Rates ----------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize(("rate", "over"), [(3, "rst"), (3, "drop"), (1, "rst"), (1, "fin")])
def test_rate(server: Server, proxy: ProxyStart, rate: int, over: str) -> None:
    look = Looked(proxy(server, rate=rate, over=over), timeout=2.0)
    assert look.stop in (Stop.DONE, Stop.BUDGET, Stop.BANNED)
    assert State.ACCEPTED in look.seen.versions.values()


@pytest.mark.slow
def test_a_generous_rate_is_lived_with(server: Server, proxy: ProxyStart) -> None:
    look = Looked(proxy(server, rate=10, over="rst"), budget=60)
    assert look.stop is Stop.DONE
    assert look.complete()


@pytest.mark.slow
@pytest.mark.parametrize("over", ["rst", "drop"])
def test_two_in_two_seconds(server: Server, over: str) -> None:
    with windowed(server, most=2, window=2.0, over=over) as it:
        look = Looked(it, timeout=2.0)
    assert look.stop in (Stop.DONE, Stop.BUDGET, Stop.BANNED)


@contextmanager
def windowed(server: Server, most: int, window: float, over: Any) -> Iterator[Proxy]:
    """A proxy that serves at most so many connections within a window longer than a second."""
    recent: list[float] = []
    with faults.proxy(server) as it:
        calm, shut = Faults(), Faults(ban_after=0, ban=over)

        class Visits(list[Any]):
            """Decides about the next connection when one has come."""

            def append(self, visit: Any) -> None:
                super().append(visit)
                recent[:] = [t for t in recent if t > visit.at - window] + [visit.at]
                it.faults = shut if len(recent) >= most else calm
                if it.faults is shut:
                    loop = asyncio.get_running_loop()
                    loop.call_later(window - (visit.at - recent[-most]), self.calm)

            def calm(self) -> None:
                it.faults = calm

        it.visits = Visits()
        yield it


# -- Slow, small and broken -----------------------------------------------------------------------


@pytest.mark.slow
def test_a_slow_server_is_no_faulty_one(server: Server, proxy: ProxyStart) -> None:
    look = Looked(proxy(server, delay=1.0), budget=28)
    assert look.stop in (Stop.DONE, Stop.BUDGET)
    assert look.seen.versions[T12] is State.ACCEPTED
    assert look.seen.versions[T13] is State.ACCEPTED


def test_one_byte_segments(server: Server, proxy: ProxyStart) -> None:
    look = Looked(proxy(server, segment=1))
    assert look.stop is Stop.DONE
    assert look.complete()


@pytest.mark.slow
def test_a_server_that_never_answers(server: Server, proxy: ProxyStart) -> None:
    it = proxy(server, hang=True)
    look = Looked(it, timeout=1.0)
    assert look.stop is Stop.MUTE
    assert set(look.seen.versions.values()) == {State.UNKNOWN}
    assert it.connections <= 15


@pytest.mark.parametrize("garbage", [b"\x16\x03\x03\x00\x10", b"HTTP/1.1 200 OK\r\n\r\n", b"\x00"])
def test_garbage(server: Server, proxy: ProxyStart, garbage: bytes) -> None:
    look = Looked(proxy(server, garbage=garbage), timeout=1.0)
    assert look.stop is Stop.MUTE
    assert State.REFUSED not in look.seen.versions.values()
    assert State.ACCEPTED not in look.seen.versions.values()


def test_nobody_is_there() -> None:
    place = Server("nobody", servers.free_port())
    look = Looked(place, timeout=1.0)
    assert look.stop is Stop.MUTE
    assert look.engine.failure
    assert look.engine.failure.reason is Reason.CONNECTION_REFUSED
    assert set(look.seen.versions.values()) == {State.UNKNOWN}
    assert len(look.engine.exchanges) <= 4


@pytest.mark.slow
@pytest.mark.parametrize("lost", ["rst", "fin", "drop"])
def test_lossy_networks(server: Server, proxy: ProxyStart, lost: str) -> None:
    look = Looked(proxy(server, loss=0.2, lost=lost), timeout=2.0)
    assert look.seen.versions[T12] is State.ACCEPTED


@pytest.mark.slow
@pytest.mark.parametrize("size", [1, 40, 200])
def test_answers_that_break_off(server: Server, proxy: ProxyStart, size: int) -> None:
    look = Looked(proxy(server, close_after=size), timeout=1.0)
    assert State.REFUSED not in look.seen.versions.values() or look.seen.versions[T12] is (
        State.ACCEPTED
    )


# -- Filters --------------------------------------------------------------------------------------


def hello(first: bytes) -> ClientHello | None:
    hellos, _ = parse_client(first)
    return hellos[0] if hellos and isinstance(hellos[0], ClientHello) else None


def many(first: bytes) -> bool:
    it = hello(first)
    return bool(it and len(it.suites) > 100)


def export(first: bytes) -> bool:
    it = hello(first)
    return bool(it and any((s := SUITE_BY_CODE.get(c)) and s.export for c in it.suites))


def hybrid(first: bytes) -> bool:
    it = hello(first)
    return bool(it and 0x11EC in it.numbers(10))


def not_a_browser(first: bytes) -> bool:
    it = hello(first)
    return not (it and 0x1301 in it.suites and 0xC02B in it.suites and len(it.suites) < 30)


@pytest.mark.slow
@pytest.mark.parametrize("reject", [many, export, hybrid, not_a_browser])
def test_filters_of_hellos(
    server: Server, proxy: ProxyStart, reject: Callable[[bytes], bool]
) -> None:
    # Once, for `hybrid`, a false refusal of TLS 1.3, every hello for which offers ML-KEM.
    look = Looked(proxy(server, reject=reject), timeout=2.0)
    if reject is not_a_browser:
        assert look.seen.filtered


# -- Unequal nodes --------------------------------------------------------------------------------


@pytest.fixture
def other(tmp_path: Path) -> Identity:
    return identities.identity(tmp_path)


@pytest.mark.slow
def test_nodes_with_and_without_tls_1_0(
    server: Server, nginx: Start, proxy: ProxyStart, identity: Identity
) -> None:
    strict = nginx(
        f"ssl_protocols TLSv1.2 TLSv1.3; ssl_ciphers {STRING};ssl_ecdh_curve X25519:prime256v1;",
        certificates=[identity.rsa],
    )
    # Once a false refusal of TLS 1.0 by the node that has none.
    look = Looked(proxy(server, strict))
    assert look.seen.versions[T10] is not State.REFUSED
    assert look.seen.contradictions or look.seen.versions[T10] is State.UNKNOWN


@pytest.mark.slow
def test_nodes_with_different_certificates(
    server: Server, nginx: Start, proxy: ProxyStart, other: Identity
) -> None:
    twin = nginx(
        f"ssl_protocols TLSv1 TLSv1.2 TLSv1.3; ssl_ciphers {STRING};"
        "ssl_ecdh_curve X25519:prime256v1;",
        certificates=[other.rsa],
    )
    look = Looked(proxy(server, twin))
    # Once leaves are compared for equal questions only, and few are put twice.
    assert "certificate" in look.seen.contradictions


@pytest.mark.slow
def test_nodes_with_different_suites(
    server: Server, nginx: Start, proxy: ProxyStart, identity: Identity
) -> None:
    twin = nginx(
        "ssl_protocols TLSv1.2 TLSv1.3; ssl_ciphers ECDHE-RSA-AES128-GCM-SHA256;"
        "ssl_ecdh_curve X25519;",
        certificates=[identity.rsa],
    )
    Looked(proxy(server, twin))
