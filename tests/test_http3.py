"""Whole looks at QUIC, by itself and beside a page over TCP."""

from __future__ import annotations

import asyncio
import json
import socket
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from tests.conftest import Start
from tests.identities import Identity
from tests.quic_servers import ALL, configuration, serving
from tests.servers import LOOPBACK, Server
from tests.test_pipeline import order, verdicts
from tlscheck import judge as judging
from tlscheck import pipeline
from tlscheck.model import Look, Missed, Reason, Scan, State, Verdict
from tlscheck.observations.quic import QuicObservation
from tlscheck.probes import quic
from tlscheck.render import html
from tlscheck.report import decode, encode
from tlscheck.targets import parse
from tlscheck.wire.quic import V1

A, R, U = State.ACCEPTED, State.REFUSED, State.UNKNOWN
FAIL, OPEN, PASS, NONE = Verdict.FAIL, Verdict.UNKNOWN, Verdict.PASS, Verdict.NOT_APPLICABLE
TWO = ALL[:2]
MODERN = f"ssl_protocols TLSv1.3; ssl_conf_command Ciphersuites {':'.join(TWO)};"
ASKED = ("tls", "certificate", "http", "quic")


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(quic, "WAITS", (0.2, 0.2))
    monkeypatch.setattr(quic, "SECONDS", 0.6)
    monkeypatch.setattr(quic, "GAP", 0.001)


@pytest.fixture
def port() -> Iterator[int]:
    """A UDP port that nobody answers at."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as mute:
        mute.bind((LOOPBACK, 0))
        yield mute.getsockname()[1]


def look(*targets: Any, beside: Any = None, at: int = 0, **changes: Any) -> Scan:
    """A look with a server of QUIC beside; ``PORT`` in a target is its port."""

    async def run() -> Scan:
        asked = {"subjects": ASKED} | changes
        if beside is None:
            return await pipeline.look(order(*targets, **asked))
        async with serving(beside, port=at) as (number, _):
            told = [t.replace("PORT", str(number)) if isinstance(t, str) else t for t in targets]
            return await pipeline.look(order(*told, **asked))

    return asyncio.run(run())


def only(scan: Scan) -> Look:
    (one,) = scan.looks
    return one


def seen(one: Look) -> QuicObservation:
    found = one.seen["quic"]
    assert isinstance(found, QuicObservation)
    return found


def test_a_target_of_quic(identity: Identity) -> None:
    scan = look("quic://127.0.0.1:PORT", beside=configuration(identity.ec, TWO, (V1,)))
    one = only(scan)
    found = seen(one)
    assert set(one.seen) == {"quic"}
    assert found.versions == {"QUIC v1": A, "QUIC v2": R}
    assert found.suites == dict(zip(ALL, (A, A, R), strict=True))
    assert [m.kind for m in one.missed] == ["quic.tcp"]
    report = judging.judge(decode(encode(judging.judge(scan)), "-"))
    assert verdicts(report) == {"quic.versions": PASS, "quic.suites": PASS}
    assert only(report.scan).seen["quic"] == found
    page = html.render(report, "ja").decode()
    assert "QUIC v1" in page
    assert "TLS_AES_256_GCM_SHA384" in page


def test_a_target_of_quic_at_which_nobody_answers(port: int) -> None:
    scan = look(f"quic://127.0.0.1:{port}")
    assert [(m.kind, m.reason) for m in only(scan).missed] == [("quic", Reason.TIMEOUT)]
    report = judging.judge(scan)
    assert set(verdicts(report).values()) == {OPEN}
    assert judging.exit_code(report) == 3


def announcing(nginx: Start, identity: Identity, port: int | str) -> Server:
    header = f"add_header Alt-Svc 'h3=\":{port}\"; ma=86400' always;"
    return nginx(f"{MODERN} {header}", certificates=[identity.ec])


def beside_nginx(nginx: Start, identity: Identity, made: Any, **changes: Any) -> Scan:
    """An nginx over TCP that announces *made* over QUIC."""

    async def run() -> Scan:
        async with serving(made) as (number, _):
            server = announcing(nginx, identity, number)
            asked = {"subjects": ASKED, "ca_file": identity.ca.read_bytes()} | changes
            return await pipeline.look(order(server, **asked))

    return asyncio.run(run())


def test_what_the_page_announces_is_looked_at(nginx: Start, identity: Identity) -> None:
    scan = beside_nginx(nginx, identity, configuration(identity.ec, TWO))
    found = seen(only(scan))
    assert (found.announced, found.service) == (True, "https")
    report = judging.judge(scan)
    found_verdicts = verdicts(report)
    assert [found_verdicts[f"quic.{r}"] for r in ("versions", "suites", "same-as-tcp")] == [
        PASS, PASS, PASS
    ]  # fmt: skip


def problems(scan: Scan) -> set[str]:
    report = judging.judge(scan)
    found = next(f for f in report.findings if f.rule == "quic.same-as-tcp")
    assert found.verdict is FAIL
    return {e.code for e in found.evidence if e.kind == "problem"}


def test_another_certificate_over_quic(nginx: Start, identity: Identity) -> None:
    assert problems(beside_nginx(nginx, identity, configuration(identity.rsa, TWO))) == {"key"}


def test_more_suites_over_quic(nginx: Start, identity: Identity) -> None:
    assert problems(beside_nginx(nginx, identity, configuration(identity.ec))) == {"suite"}


def test_what_is_announced_and_silent(nginx: Start, identity: Identity, port: int) -> None:
    scan = look(announcing(nginx, identity, port), ca_file=identity.ca.read_bytes())
    found = verdicts(judging.judge(scan))
    assert {v for rule, v in found.items() if rule.startswith("quic.")} == {OPEN}


def test_a_page_that_announces_nothing(nginx: Start, identity: Identity) -> None:
    server = nginx(MODERN, certificates=[identity.ec])
    scan = look(server)
    [missed] = [m for m in only(scan).missed if m.kind == "quic"]
    assert missed.reason is Reason.NOT_APPLICABLE
    found = verdicts(judging.judge(scan))
    assert {v for rule, v in found.items() if rule.startswith("quic.")} == {NONE}
    # Asked for all the same, nobody is there.
    scan = look(server, unannounced=True)
    assert seen(only(scan)).answers is R  # closed, by ICMP
    found = verdicts(judging.judge(scan))
    assert {v for rule, v in found.items() if rule.startswith("quic.")} == {NONE}


def test_quic_that_nobody_announced_is_found_where_it_is_asked_for(
    nginx: Start, identity: Identity
) -> None:
    server = nginx(MODERN, certificates=[identity.ec])
    made = configuration(identity.ec)
    scan = look(server, beside=made, at=server.port, unannounced=True)
    assert seen(only(scan)).announced is False
    assert problems(scan) == {"suite"}
    alone = look(server, beside=made, at=server.port, subjects=("quic",))
    assert set(only(alone).seen) == {"quic"}


def test_http3_of_other_hosts_is_left_alone(nginx: Start, identity: Identity) -> None:
    header = "add_header Alt-Svc 'h3=\"elsewhere.example:443\"' always;"
    scan = look(nginx(f"{MODERN} {header}", certificates=[identity.ec]))
    assert "quic" not in only(scan).seen


def test_a_dead_endpoint(port: int) -> None:
    """Where TLS is not seen, QUIC was missed for the same reason."""
    scan = look(f"https://127.0.0.1:{port}")
    reasons = {m.kind: m.reason for m in only(scan).missed}
    assert reasons["quic"] == reasons["tls"] == Reason.CONNECTION_REFUSED


def test_without_aioquic(identity: Identity, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(quic, "find_spec", lambda name: None)
    scan = look("quic://127.0.0.1:PORT", beside=configuration(identity.ec))
    assert Missed("quic.handshakes", Reason.EXTRA, quic.REMEDY) in only(scan).missed
    assert verdicts(judging.judge(scan)) == {"quic.versions": PASS, "quic.suites": OPEN}


def test_only_quic_on_the_command_line(identity: Identity) -> None:
    """At an https target it is asked for, whatever is announced."""

    async def run() -> tuple[int | None, bytes]:
        made = configuration(identity.ec, TWO, versions=(V1,))
        async with serving(made) as (number, _):
            process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "tlscheck", "scan", f"127.0.0.1:{number}",
                "--only", "quic", "-f", "json",
                stdout=asyncio.subprocess.PIPE,
            )  # fmt: skip
            told, _ = await process.communicate()
            return process.returncode, told

    code, told = asyncio.run(run())
    [target] = json.loads(told)["targets"]
    assert target["seen"]["quic"]["suites"] == dict(
        zip(ALL, ("accepted", "accepted", "refused"), strict=True)
    )
    assert target["seen"]["quic"]["versions"] == {"QUIC v1": "accepted", "QUIC v2": "refused"}
    assert code == 0


def test_the_scheme() -> None:
    spec = parse("quic://clinic.example.jp")
    assert (spec.service, spec.port) == ("quic", 443)
