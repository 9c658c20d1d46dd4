"""Coturn, as Debian has it: with credentials and without, in clear text, TLS and DTLS."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests import servers
from tests.identities import Identity
from tests.servers import LOOPBACK, Server
from tlscheck import profile
from tlscheck.model import Problem, State
from tlscheck.net import Net
from tlscheck.observations.turn import Transport, TurnObservation
from tlscheck.probes import turn
from tlscheck.rules import RULES
from tlscheck.rules.core import NotApplicable
from tlscheck.wire.dtls import DtlsVersion

pytestmark = pytest.mark.slow

A, R, U = State.ACCEPTED, State.REFUSED, State.UNKNOWN
UDP, TCP, TLS, DTLS = Transport
OLD, PLAIN, NEW = DtlsVersion
SETTINGS = profile.load("baseline").settings
CREDENTIALS = ("--lt-cred-mech", "--user=u:p", "--realm=clinic.internal")
GCM = "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384"

Start = Callable[..., Server]


@pytest.fixture
def coturn(tmp_path: Path, identity: Identity, stack: contextlib.ExitStack) -> Start:
    """``coturn("--no-auth")``: `Server.ports` has the plain port and that of TLS."""

    def start(*options: str, wait: tuple[int, ...] = (0, 1)) -> Server:
        ports = [servers.free_port(), servers.free_port()]
        command = [
            servers.program("turnserver"), "-n", "-L", LOOPBACK, "-E", LOOPBACK, "--no-cli", "-v",
            f"--listening-port={ports[0]}", f"--tls-listening-port={ports[1]}",
            f"--cert={identity.rsa.cert}", f"--pkey={identity.rsa.key}",
            "--simple-log", "--log-file=stdout",
            f"--pidfile={tmp_path / 'pid'}", f"--userdb={tmp_path / 'db'}", *options,
        ]  # fmt: skip
        running = servers._run("coturn", command, tmp_path, [ports[i] for i in wait], "")
        server = stack.enter_context(running)
        return Server("coturn", ports[0], " ".join(options), server.log, tuple(ports))

    return start


def look(server: Server, service: str = "turns", **options: Any) -> TurnObservation:
    port = server.ports[service == "turns"]
    found = asyncio.run(
        turn.probe(Net(), LOOPBACK, port, service, host="localhost", sni="localhost", **options)
    )
    assert isinstance(found, TurnObservation), found
    return found


def failing(seen: TurnObservation) -> set[str]:
    def said(id: str) -> Iterator[Any]:
        setting = SETTINGS[id]
        with contextlib.suppress(NotApplicable):
            yield from setting.rule(seen, *([setting.want] if setting.want else []))

    ids = [id for id in RULES if id.startswith("turn.")]
    return {id for id in ids if any(isinstance(e, Problem) for e in said(id))}


def states(seen: TurnObservation, transport: Transport) -> list[State]:
    talk = seen.talk(transport)
    assert talk is not None
    return [made.state for made in talk.allocations]


def test_credentials_are_wanted_everywhere(coturn: Start) -> None:
    seen = look(coturn(*CREDENTIALS))
    assert [talk.stun for talk in seen.talks] == [A, A, A, A]
    for transport in Transport:
        assert set(states(seen, transport)) == {R}
    assert {talk.realm for talk in seen.talks} == {"clinic.internal"}
    assert seen.clear_text is A  # coturn tells protocols apart at every port
    assert seen.dtls is not None
    assert seen.dtls.versions == {OLD: R, PLAIN: A, NEW: R}
    assert seen.dtls.cookie is A
    assert seen.dtls.certificate is not None
    assert "localhost" in seen.dtls.certificate.names
    assert failing(seen) == {
        "turn.clear-text", "turn.software", "turn.realm", "turn.dtls-forward-secrecy",
    }  # fmt: skip


def test_an_open_relay_is_found_and_given_back(coturn: Start) -> None:
    server = coturn("--no-auth")
    seen = look(server, "turn", hellos=False)
    made = [a for talk in seen.talks for a in talk.allocations]
    assert len(made) == 6  # UDP and DTLS one each, TCP and TLS two
    assert {(a.state, a.released, a.lifetime) for a in made} == {(A, A, 600)}
    assert "turn.open-relay" in failing(seen)
    assert server.log is not None
    log = server.log.read_text()
    granted, refreshed = (
        log.count(f"incoming packet {what} processed, success") for what in ("ALLOCATE", "REFRESH")
    )
    assert granted == refreshed == 6
    assert "CREATE_PERMISSION" not in log
    assert "CHANNEL_BIND" not in log
    peers = [line for line in log.splitlines() if "peer usage" in line]
    assert all("rp=0, rb=0, sp=0, sb=0" in line for line in peers)


def test_tls_alone(coturn: Start) -> None:
    seen = look(coturn(*CREDENTIALS, "--no-udp", "--no-tcp", "--no-dtls", wait=(1,)))
    assert [talk.stun for talk in seen.talks] == [R, R, A, R]
    assert seen.clear_text is R
    assert seen.dtls is not None
    assert seen.dtls.answers is R  # the UDP port is closed, by ICMP
    assert failing(seen) == {"turn.software", "turn.realm"}


def test_dtls_brings_clear_text_along(coturn: Start) -> None:
    """What the manual of ``turn.clear-text`` says of coturn 4.6."""
    seen = look(coturn(*CREDENTIALS, "--no-udp", "--no-tcp", wait=(1,)), hellos=False)
    assert [talk.stun for talk in seen.talks] == [A, R, A, A]
    assert "turn.clear-text" in failing(seen)


def test_clear_text_without_dtls(coturn: Start) -> None:
    seen = look(coturn(*CREDENTIALS, "--no-dtls", "--no-tls", wait=(0,)), "turn")
    assert [talk.stun for talk in seen.talks if talk.transport in (UDP, TCP, DTLS)] == [A, A, U]
    # Where it has no TLS, coturn takes the hello for something else: by its random bytes it
    # resets the connection, or waits on for what never comes, which is never absence.
    tls = seen.talk(TLS)
    assert tls is not None
    assert tls.stun is not A
    assert tls.detail in (("reset", "closed") if tls.stun is R else ("reset", "closed", "timeout"))
    assert seen.dtls is not None
    assert seen.dtls.answers is U
    assert "turn.dtls-versions" not in failing(seen)


def test_stun_alone(coturn: Start) -> None:
    seen = look(coturn("--stun-only"), "turn", hellos=False)
    for transport in (UDP, TCP):
        assert set(states(seen, transport)) == {U}
    assert seen.clear_text is U


CASES = [
    (("--cipher-list=ECDHE-RSA-AES256-GCM-SHA384",), {PLAIN: {GCM}}),
    (
        ("--cipher-list=ECDHE-RSA-AES256-GCM-SHA384:AES128-SHA:DHE-RSA-CAMELLIA128-SHA",),
        {
            PLAIN: {
                GCM, "TLS_RSA_WITH_AES_128_CBC_SHA", "TLS_DHE_RSA_WITH_CAMELLIA_128_CBC_SHA",
            },
        },
    ),
    (
        ("--cipher-list=ECDHE-RSA-AES256-GCM-SHA384:AES128-SHA:AECDH-AES128-SHA:@SECLEVEL=0",),
        {
            OLD: {"TLS_RSA_WITH_AES_128_CBC_SHA", "TLS_ECDH_anon_WITH_AES_128_CBC_SHA"},
            PLAIN: {
                GCM, "TLS_RSA_WITH_AES_128_CBC_SHA", "TLS_ECDH_anon_WITH_AES_128_CBC_SHA",
            },
        },
    ),
    (
        ("--cipher-list=ECDHE-RSA-AES256-GCM-SHA384:AES128-SHA:@SECLEVEL=0", "--no-tlsv1"),
        {PLAIN: {GCM, "TLS_RSA_WITH_AES_128_CBC_SHA"}},
    ),
]  # fmt: skip


@pytest.mark.parametrize(("options", "offered"), CASES, ids=range(len(CASES)))
def test_versions_and_suites_are_those_configured(
    coturn: Start, options: tuple[str, ...], offered: dict[DtlsVersion, set[str]]
) -> None:
    found = look(coturn(*CREDENTIALS, *options)).dtls
    assert found is not None
    assert {version: set(names) for version, names in found.suites.items()} == offered
    assert found.versions == {version: A if version in offered else R for version in DtlsVersion}
    assert set(found.unknown.values()) == {()}
    assert found.canary is A
