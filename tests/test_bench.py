"""The parts of the bench run; its figures are nobody's test."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bench import goals, rounds, tools
from bench.main import main
from bench.measure import Cost, run
from bench.proxy import Passed, proxy
from bench.rounds import Run, figures
from bench.sites import Site, crowd, suites
from bench.tools import Found, Tool
from tests.servers import LOOPBACK, free_port

GCM = "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256"
CCM = "TLS_AES_128_CCM_SHA256"
TRUTH = {"TLS 1.2": frozenset({GCM}), "TLS 1.3": frozenset({"TLS_AES_128_GCM_SHA256"})}
SITE = Site("strict", "", 0, TRUTH)


def test_the_proxy_counts_in_a_process_of_its_own() -> None:
    visitor = "import socket, sys; socket.create_connection(('127.0.0.1', int(sys.argv[1])))"
    with proxy(free_port(), 0) as it:
        before = it.passed()
        subprocess.run([sys.executable, "-c", visitor, str(it.port)], check=True)
        passed = it.passed() - before
    assert passed.connections == 1
    assert passed.cpu > 0


def test_a_run_costs_what_its_children_cost_too(tmp_path: Path) -> None:
    child = "import time; data = b'x' * 50_000_000; sum(range(3_000_000)); time.sleep(0.1)"
    start = f"subprocess.run([sys.executable, '-c', {child!r}])"
    parent = f"import subprocess, sys; {start}; sys.exit('bye')"
    cost = run([sys.executable, "-c", parent], tmp_path / "errors")
    assert (cost.code, cost.words) == (1, "bye")
    assert cost.wall > 0.1
    assert cost.cpu > 0.02
    assert cost.memory > 50


def test_a_command_without_an_end_is_ended(tmp_path: Path) -> None:
    assert run(["sleep", "60"], tmp_path / "errors", patience=0.1).code == -9


def test_the_truth_leaves_out_what_the_server_has_no_secrets_for() -> None:
    assert suites("ECDHE-RSA-AES128-GCM-SHA256") == {GCM}
    every = suites("ALL:COMPLEMENTOFALL:@SECLEVEL=0")
    assert not [name for name in every if "PSK" in name or "SRP" in name or "DSS" in name]
    assert {GCM, "TLS_RSA_WITH_NULL_MD5", "TLS_DH_anon_WITH_AES_128_CBC_SHA"} <= every
    assert GCM not in suites("ALL:COMPLEMENTOFALL:@SECLEVEL=0", older=True)


def test_many_endpoints_have_an_address_each_and_are_counted(tmp_path: Path) -> None:
    with crowd(tmp_path, 2) as them:
        assert len({(it.address, it.port) for it in them.members}) == 2
        before = them.taken()
        assert them.taken() - before == 1


# -- Reports -------------------------------------------------------------------------------------

OURS = {
    "targets": [
        {
            "seen": {
                "tls": {
                    "versions": {"SSL 3.0": "unknown", "TLS 1.2": "accepted"},
                    "suites": {"TLS 1.2": [GCM]},
                    "unknown": {"TLS 1.2": {"suites": [CCM], "groups": []}},
                }
            },
            "missed": [{"kind": "tls.deep", "reason": "child", "detail": "robot"}],
        }
    ]
}


def test_our_report_says_what_was_found_and_what_is_open() -> None:
    found = tools.tlscheck(json.dumps(OURS))
    assert found.suites == {"TLS 1.2": {GCM}}
    assert found.open == ("tls.deep: child robot", "SSL 3.0", f"TLS 1.2 {CCM}")


def test_sslyze_s_report_has_errors_and_commands_that_were_not_run() -> None:
    done = {
        "status": "COMPLETED",
        "result": {"accepted_cipher_suites": [{"cipher_suite": {"name": GCM}}]},
    }
    none: dict[str, Any] = {"status": "COMPLETED", "result": {"accepted_cipher_suites": []}}
    left = {"status": "NOT_SCHEDULED", "result": None}
    failed = {"status": "ERROR", "error_reason": "BUG_IN_SSLYZE", "result": None}
    commands = {
        "tls_1_2_cipher_suites": done,
        "tls_1_1_cipher_suites": none,
        "tls_1_0_cipher_suites": left,
        "robot": failed,
    }
    report = {"server_scan_results": [{"scan_result": commands}]}
    assert tools.sslyze(json.dumps(report)) == Found(
        {"TLS 1.2": frozenset({GCM})}, ("robot: BUG_IN_SSLYZE",)
    )
    assert not tools.sslyze('{"server_scan_results": [{"scan_result": null}]}').suites


def test_the_others_reports_have_other_names() -> None:
    cipher = '<document><cipher sslversion="TLSv1.2" id="0xC02F" cipher="ECDHE-RSA"/></document>'
    assert tools.sslscan(cipher).suites == {"TLS 1.2": {GCM}}
    name = '<elem key="name">TLS_AKE_WITH_AES_128_CCM_SHA256</elem>'
    version = f'<table key="TLSv1.3"><table key="ciphers"><table>{name}</table></table></table>'
    report = f'<nmaprun><script id="ssl-enum-ciphers">{version}</script></nmaprun>'
    assert tools.nmap(report).suites == {"TLS 1.3": {CCM}}


# -- Figures -------------------------------------------------------------------------------------

TOOL = Tool("tlscheck", lambda port, report: [], tools.tlscheck)


def taken(found: Found | None, wall: float = 1.0, connections: int = 40) -> Run:
    return Run(Cost(wall, 0.5, 60.0, 0, "words"), Passed(connections, 0.01), found)


def test_figures_are_medians_and_count_the_worst_run() -> None:
    whole, less = Found(TRUTH), Found({"TLS 1.2": frozenset({GCM, CCM}), "TLS 1.0": frozenset()})
    it = figures(SITE, "60 ms", TOOL, [taken(whole, 1), taken(less, 2, 44), taken(whole, 9)])
    assert (it.wall, it.connections) == (2, 40)
    assert (it.versions, it.versions_true, it.suites, it.suites_true) == (1, 2, 1, 2)
    assert it.wrong == ("TLS 1.0", f"TLS 1.2 {CCM}")


def test_a_run_without_a_report_found_nothing() -> None:
    it = figures(SITE, "60 ms", TOOL, [taken(Found(TRUTH)), taken(None)])
    assert (it.versions, it.suites, it.trouble) == (0, 0, ("exit 0: words",))


def test_goals_are_met_or_not_or_not_measured() -> None:
    ours = figures(SITE, "60 ms", TOOL, [taken(Found(TRUTH), 1)])
    theirs = replace(ours, tool="sslyze", wall=6.5)
    assert [goal.met for goal in goals.goals([ours, theirs])] == [True, True, True]
    slow = replace(ours, wall=2.0, connections=46, wrong=("TLS 1.0",))
    assert [goal.met for goal in goals.goals([slow, theirs])] == [False, False, False]
    assert [goal.met for goal in goals.goals([theirs])] == [None, None, None]
    lines = list(goals.table([ours, theirs]))
    assert lines[1].split()[:4] == ["strict", "60", "ms", "tlscheck"]
    assert len(lines) == 3
    assert list(goals.remarks([slow])) == [
        "tlscheck, strict (60 ms): says accepted and is not: TLS 1.0"
    ]


def test_the_whole_of_it_runs_a_tool(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    probe = (
        "import socket, sys; from pathlib import Path;"
        f" socket.create_connection(('{LOOPBACK}', int(sys.argv[1])));"
        f" Path(sys.argv[2]).write_text({json.dumps(OURS)!r})"
    )
    tool = replace(TOOL, command=lambda port, report: [
        sys.executable, "-c", probe, str(port), str(report)
    ])  # fmt: skip
    monkeypatch.setattr(tools, "installed", lambda: [tool])
    kept = tmp_path / "figures.json"
    main(["--runs", "1", "--site", "strict", "--link", "0 ms", "--json", str(kept)])
    (row,) = json.loads(kept.read_text())["rows"]
    assert (row["connections"], row["suites"], row["versions"]) == (1, 1, 1)
    assert "NOT MEASURED  strict, 60 ms" in capsys.readouterr().out
    assert rounds.LINKS["60 ms"] == rounds.FAR
