"""What answers at an address: real servers behind a real packet filter, `tests.hosts`."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from tests.hosts import THERE
from tests.inside import Inside
from tests.inside import inside as within
from tests.servers import program

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def hosts(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Inside]:
    for name in ("ip", "nft", "nsenter", "nginx", "redis-server", "sshd", "snmpd", "ssh-keygen"):
        program(name)
    with within("tests.hosts", tmp_path_factory.mktemp("hosts")) as it:
        yield it


def scan(hosts: Inside, *options: str, declared: str = "") -> dict[str, Any]:
    (hosts.folder / "tlscheck.toml").write_text(f'targets = ["{THERE}"]\n{declared}')
    done = hosts.run(
        sys.executable, "-m", "tlscheck", "scan", "-c", "tlscheck.toml", "--only", "ports",
        "--save", "scan.json", "--lang", "en", *options,
    )  # fmt: skip
    assert done["code"] in (0, 1, 3), done["err"]
    kept: dict[str, Any] = json.loads((hosts.folder / "scan.json").read_text())
    return kept | {"exit": done["code"], "said": done["out"]}


def problems(seen: dict[str, Any]) -> dict[str, set[str]]:
    """The ports that each rule finds fault with."""
    return {
        finding["rule"]: {e["values"]["port"] for e in finding["evidence"] if "port" in e["values"]}
        for finding in seen["findings"]
        if finding["verdict"] == "fail" and seen["profile"] in finding["profiles"]
    }


CLOSED = "127.0.0.1"
"""Where ICMP says that nobody is at the port."""
DECLARED = f'[endpoints."{THERE}"]\ntcp = [80, 443]\n'


def test_exactly_what_is_not_declared_is_found(hosts: Inside) -> None:
    seen = scan(hosts, declared=DECLARED)
    assert problems(seen) == {
        "ports.undeclared": {"22/tcp (ssh)", "6379/tcp (redis)", "161/udp (snmp)"},
        "ports.exposed-services": {"6379/tcp (redis)"},
        "ports.management": {"22/tcp (ssh)", "161/udp (snmp)"},
    }
    assert seen["exit"] == 1
    answers = {a["item"]: a["answer"] for a in seen["answers"]
               if a["checklist"] == "vendor-138" and a["target"] == THERE}  # fmt: skip
    assert {answers[row] for row in ("49", "55", "57")} == {"not_met"}
    (row,) = (a for a in seen["answers"] if a["checklist"] == "vendor-138"
              and a["item"] == "53" and a["target"] == THERE)  # fmt: skip
    # Nobody asked for the page, where a WAF might leave its mark.
    parts = {part["id"]: (part["answer"], part["cause"]) for part in row["parts"]}
    assert parts == {"filter": ("document_needed", ""), "waf": ("undetermined", "not_asked")}


def test_a_declaration_of_nobody_is_told(hosts: Inside) -> None:
    (hosts.folder / "tlscheck.toml").write_text(
        f'[endpoints."{THERE}"]\ntcp = [443]\n[endpoints."192.0.2.9"]\ntcp = []\n'
    )
    done = hosts.run(
        sys.executable, "-m", "tlscheck", "scan", THERE, "-c", "tlscheck.toml", "--only", "ike",
        "--lang", "en",
    )  # fmt: skip
    assert done["err"] == (
        'tlscheck: [endpoints."192.0.2.9"] is not used: no target has that name or address\n'
    )


def test_how_the_rest_keeps_silent(hosts: Inside) -> None:
    (target,) = scan(hosts, declared=DECLARED)["targets"]
    ports = target["seen"]["ports"]
    assert target["connections"] == ports["packets"] > 190
    states = {port["number"]: port["state"] for port in ports["ports"]}
    assert states[8080] == "rejected"
    assert ports["counts"]["tcp"]["closed"] == 1
    assert ports["counts"]["tcp"]["dropped"] > 150
    assert ports["refusing_seldom"] is False
    assert {p["number"]: p["service"] for p in ports["ports"] if p["state"] == "open"} == {
        22: "ssh", 80: "http", 443: "tls", 6379: "redis", 161: "snmp",
    }  # fmt: skip


def test_a_filter_that_rejects_now_and_then_is_no_silent_one(hosts: Inside) -> None:
    seen = scan(hosts, "--ports", "62700-62739")
    (ports,) = (t["seen"]["ports"] for t in seen["targets"])
    assert ports["counts"]["tcp"]["dropped"] > 30  # the kernel sends few such messages a second
    assert ports["refusing_seldom"] is True
    (finding,) = {f["verdict"] for f in seen["findings"] if f["rule"] == "ports.filtered"}
    assert finding == "unknown"


@pytest.mark.parametrize(
    ("ports", "shut_out"), [("62800-62839", True), ("62840-62879", False)], ids=["ban", "limit"]
)
def test_who_stops_refusing_has_no_silent_filter(hosts: Inside, ports: str, shut_out: bool) -> None:
    """Whoever asked much is refused no more, and the page is spared: silence says nothing."""
    seen = scan(hosts, "--ports", ports, declared=DECLARED)
    (found,) = (t["seen"]["ports"] for t in seen["targets"])
    assert found["shut_out"] is shut_out
    assert found["refusing_seldom"] is not shut_out
    assert "dropped" not in found["counts"]["tcp"] if shut_out else True
    verdicts = {f["rule"]: f["verdict"] for f in seen["findings"] if f["rule"][:6] == "ports."}
    assert set(verdicts.values()) == {"unknown"}


def test_a_declared_gateway_whose_ports_are_closed_was_not_seen(hosts: Inside) -> None:
    (hosts.folder / "tlscheck.toml").write_text(
        f'targets = ["{CLOSED}"]\n[endpoints."{CLOSED}"]\nvpn_udp = [500]\n'
    )
    done = hosts.run(
        sys.executable, "-m", "tlscheck", "scan", "-c", "tlscheck.toml", "--only", "ike",
        "--save", "scan.json", "--lang", "en",
    )  # fmt: skip
    assert done["code"] == 3, done["err"]
    kept = json.loads((hosts.folder / "scan.json").read_text())
    row45 = ("vendor-138", "45", CLOSED)
    (row,) = {
        a["answer"] for a in kept["answers"] if (a["checklist"], a["item"], a["target"]) == row45
    }
    assert row == "undetermined"
    assert "its ports are closed to us" in json.dumps(kept)


def test_without_a_declaration_there_is_an_inventory_and_no_guess(hosts: Inside) -> None:
    seen = scan(hosts)
    assert "ports.undeclared" not in problems(seen)
    answers = {a["item"]: a["answer"] for a in seen["answers"]
               if a["checklist"] == "vendor-138" and a["target"] == THERE}  # fmt: skip
    assert answers["49"] == "document_needed"
    assert "6379/tcp (redis)" in seen["said"]


@pytest.mark.parametrize(
    ("target", "answer", "code"),
    [(THERE, "document_needed", 3), (f"ike://{THERE}", "undetermined", 3)],
)
def test_a_silent_gateway_must_be_declared_and_a_declared_one_was_not_seen(
    hosts: Inside, target: str, answer: str, code: int
) -> None:
    done = hosts.run(
        sys.executable, "-m", "tlscheck", "scan", target, "--only", "ike", "--save", "scan.json",
        "--lang", "en",
    )  # fmt: skip
    kept = json.loads((hosts.folder / "scan.json").read_text())
    row45 = ("vendor-138", "45", THERE)
    (row,) = {
        a["answer"] for a in kept["answers"] if (a["checklist"], a["item"], a["target"]) == row45
    }
    assert (row, done["code"]) == (answer, code), done["out"]


def test_a_thousand_silent_ports_are_asked_at_once(hosts: Inside) -> None:
    seen = scan(hosts, "--ports", "1000-1999", "--rate", "0", "--parallel", "1000", "--tries", "1")
    (ports,) = (t["seen"]["ports"] for t in seen["targets"])
    assert ports["counts"]["tcp"] == {"open": 1, "dropped": 1000}
    assert not ports["shut_out"]
