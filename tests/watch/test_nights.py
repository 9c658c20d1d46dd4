"""What arrives at the recipients of a real Postfix, night after night."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any

import pytest

from tests.inside import ROOT
from tests.servers import program

pytestmark = [pytest.mark.slow, pytest.mark.timeout(500)]


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    folder = tmp_path_factory.mktemp("nights")
    for needed in ("postfix", "nginx", "openssl", "ip"):
        program(needed)
    if os.geteuid() != 0:
        pytest.skip("NOT TESTED: postfix must be started by root")
    done = subprocess.run(
        [program("unshare"), "-n", sys.executable, "-m", "tests.watch.nights", str(folder)],
        capture_output=True,
        text=True,
        timeout=450,
        check=False,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT), "PATH": os.environ["PATH"] + ":/usr/sbin"},
    )
    assert done.returncode == 0, done.stderr[-4000:]
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def only(told: dict[str, Any], step: str) -> dict[str, Any]:
    """The one mail of that night."""
    assert (told[step]["code"], told[step]["err"], told[step]["out"]) == (0, "", "")
    (mail,) = told[step]["mails"]
    assert isinstance(mail, dict)
    return mail


def changed(mail: dict[str, Any]) -> set[str]:
    """The subjects of the changes that a mail tells."""
    lines = [line.strip() for line in mail["text"].splitlines()]
    return {
        line[1:].partition(": ")[0].split()[-1]
        for line in lines
        if line.endswith("]") and line[0] in "✗✓·"
    }


def test_the_first_night_is_a_baseline(told: dict[str, Any]) -> None:
    mail = only(told, "first")
    assert mail["subject"].startswith("[tlscheck] ")
    assert "不適合" in mail["subject"]
    assert mail["from"] == "TLS検査 <tlscheck@example.jp>"
    assert mail["to"] == "admin@example.jp, second@example.jp"
    assert [kind for kind, _ in mail["parts"]] == [
        "multipart/mixed",
        "multipart/alternative",
        "text/plain",
        "text/html",
        "text/html",
        "application/json",
    ]
    assert [name.rpartition(".")[2] for _, name in mail["parts"] if name] == ["html", "json"]
    assert "予約 127.0.0.1:443" in mail["text"]


def test_a_night_without_changes_is_quiet(told: dict[str, Any]) -> None:
    for step in ("unchanged", "quiet"):
        assert told[step] == {"code": 0, "out": "", "err": "", "mails": []}


def test_a_new_certificate_is_told_and_nothing_else(told: dict[str, Any]) -> None:
    subjects = changed(only(told, "certificate"))
    assert "certificate" in subjects
    assert all(s.startswith(("certificate", "tls.")) for s in subjects), subjects


def test_a_new_port_is_told_and_nothing_else(told: dict[str, Any]) -> None:
    mail = only(told, "port")
    assert "8080" in mail["subject"]
    assert {s.partition(".")[0] for s in changed(mail) if "/" not in s} == {"ports"}


def test_what_the_relay_did_not_take_arrives_once(told: dict[str, Any]) -> None:
    assert told["down"]["code"] == 0
    assert "admin@example.jp" in told["down"]["err"]
    assert len(told["down"]["err"].splitlines()) == 1
    mail = only(told, "up")
    assert "ports.open" in changed(mail)
