"""``tlscheck history``, ``tlscheck diff`` and ``tlscheck scan --history`` as people meet them."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests import make, servers
from tests.history.conftest import Run
from tests.history.make_history import night, old, silent
from tests.identities import Identity

Said = Callable[..., str]


@pytest.fixture
def said(run: Run) -> Said:
    """What a command that ends well writes."""

    def told(*arguments: object) -> str:
        code, out, err = run(*arguments)
        assert (code, err) == (0, "")
        return out

    return told


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    """Four nights: good, TLS 1.0 accepted, no answer, good again."""
    nights = (night(0), night(1, old()), night(2, silent()), night(3))
    found = [tmp_path / f"{number}.json" for number in range(4)]
    for path, data in zip(found, nights, strict=True):
        path.write_bytes(data)
    return found


@pytest.fixture
def history(tmp_path: Path, files: list[Path], said: Said) -> Path:
    path = tmp_path / "kept" / "history.db"
    assert "kept as 4" in said("history", "keep", *files, "--history", path)
    return path


def changes(text: str) -> dict[tuple[str, str, str], dict[str, Any]]:
    made = json.loads(text)
    assert made["format"] == "tlscheck.changes/1"
    return {(c["kind"], c["subject"], c["code"]): c for c in made["changes"]}


def test_diff_of_files(said: Said, files: list[Path], tmp_path: Path) -> None:
    shown = said("diff", files[0], files[1])
    assert "The endpoint changed" in shown
    assert "TLS versions: now also TLS 1.0" in shown
    assert "✗ High  tls.deprecated-versions: Fail, before: Pass" in shown
    assert "TLS 1.0 is accepted" in shown
    assert "the network" not in shown
    found = changes(said("diff", files[0], files[1], "--json"))
    assert found["endpoint", "tls.versions", "added"]["values"]["names"] == ["TLS 1.0"]
    assert "Nothing changed." in said("diff", files[0], files[0])
    assert said("diff", files[0], files[1], "-o", tmp_path / "diff.txt") == ""
    assert (tmp_path / "diff.txt").read_text() == shown


def test_diff_of_numbers(said: Said, history: Path, files: list[Path]) -> None:
    by_number = said("diff", 1, 2, "--history", history, "--json")
    assert by_number == said("diff", files[0], files[1], "--json")
    assert by_number == said("diff", 1, files[1], "--history", history, "--json")
    # The night without an answer hides nothing: the last known is from the night before it.
    found = changes(said("diff", 3, 4, "--history", history, "--json"))
    assert ("endpoint", "tls.versions", "removed") in found
    assert ("network", "tls", "seen-again") in found


def test_list_show_and_trend(said: Said, history: Path) -> None:
    lines = said("history", "list", "--history", history).splitlines()
    assert [line.split()[0] for line in lines] == ["4", "3", "2", "1"]
    assert json.loads(said("history", "list", "--history", history, "--json"))[3]["id"] == 1
    shown = said("history", "show", 3, "--history", history)
    assert "the network" in shown
    assert "The endpoint changed" not in shown
    assert json.loads(said("history", "show", 3, "--history", history, "--json"))["since"] == 2
    assert "first that looked there" in said("history", "show", 1, "--history", history)
    trend = said("history", "trend", "tls.deprecated-versions", "--history", history)
    assert "2026-11-20 Pass ×1 → 2026-11-21 Fail ×1 → 2026-11-22 Unknown ×1" in trend
    points = json.loads(said("history", "trend", "www.example.jp", "--history", history, "--json"))
    assert {point["scan"] for point in points} == {1, 2, 3, 4}


def test_targets_are_called_what_reports_call_them(said: Said, tmp_path: Path) -> None:
    look = make.good_look("book.example.jp", "192.0.2.7")
    book = replace(look, target=replace(look.target, label="予約"))
    files = [tmp_path / "0.json", tmp_path / "1.json"]
    for number, looks in enumerate([(make.good_look(), book), (make.good_look(),)]):
        files[number].write_bytes(night(number, *looks))
    place = ("--history", tmp_path / "history.db")
    said("history", "keep", *files, *place)
    for shown in (
        said("diff", *files),
        said("diff", 1, 2, *place),
        said("diff", 1, files[1], *place),
        said("history", "show", 2, *place),
    ):
        assert "\n  予約 book.example.jp:443 (192.0.2.7)\n" in shown
        assert "https://book" not in shown


def test_export(said: Said, history: Path, files: list[Path], tmp_path: Path) -> None:
    out = tmp_path / "out.json"
    for number, path in enumerate(files, 1):
        said("history", "export", number, "--history", history, "-o", out)
        assert out.read_bytes() == path.read_bytes()
    said("history", "export", "--history", history, "-o", out)
    assert [json.loads(line) for line in out.read_text().splitlines()] == [
        json.loads(path.read_bytes()) for path in files
    ]
    assert said("history", "export", "--history", history) == out.read_text()


def test_accept_says_what_it_is(said: Said, run: Run, history: Path) -> None:
    key = changes(said("diff", 1, 2, "--history", history, "--json"))[
        "endpoint", "tls.versions", "added"
    ]["id"]
    by = ("--by", "a", "--why", "b", "--history", history)
    assert said("history", "accept", key, *by).startswith(f"{key}  www.example.jp:443")
    code, out, err = run("history", "accept", "0123456789ab", *by)
    assert (code, out) == (0, "")
    assert "none of the last 30 scans shows such a change" in err


def test_accept(said: Said, history: Path) -> None:
    found = changes(said("diff", 1, 2, "--history", history, "--json"))
    key = found["endpoint", "tls.versions", "added"]["id"]
    said(
        "history",
        "accept",
        key,
        "--by",
        "Sato",
        "--why",
        "an old \x1b[31mdevice",
        "--history",
        history,
    )
    shown = said("diff", 1, 2, "--history", history)
    assert "accepted by Sato on" in shown
    assert "\x1b" not in shown
    assert said("history", "accept", "--history", history).startswith(key)
    said("history", "accept", key, "--withdraw", "--history", history)
    assert said("history", "accept", "--history", history) == ""


def test_prune_takes_the_configurations_word(said: Said, history: Path, tmp_path: Path) -> None:
    config = tmp_path / "tlscheck.toml"
    config.write_text(f'[history]\npath = "{history}"\nkeep_days = 36500\nkeep = 2\n')
    assert said("history", "prune", "-c", config) == "0 scans forgotten, 4 left\n"
    assert len(said("history", "list", "-c", config).splitlines()) == 4


def test_the_usual_place(
    said: Said, files: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    said("history", "keep", files[0])
    assert (tmp_path / "state" / "tlscheck" / "history.db").is_file()
    assert len(said("history", "list").splitlines()) == 1


MISTAKES = [
    (("history", "list"), "there is no history"),
    (("history", "show", "9"), "there is no scan 9"),
    (("history", "show", "9" * 30), "there is no scan 999"),
    (("history", "export", "9"), "there is no scan 9"),
    (("diff", "1", "9"), "there is no scan 9"),
    (("diff", "1", "nowhere.json"), "nowhere.json: cannot be read"),
    (("history", "trend", "nothing"), "nothing is known there of nothing"),
    (("history", "accept", "0123456789ab"), "give --by WHO and --why TEXT"),
    (("history", "accept", "xyz", "--by", "a", "--why", "b"), "is no id of a change"),
    (("history", "keep", "kept/history.db"), "not JSON"),
]


def test_mistakes(run: Run, history: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for arguments, words in MISTAKES:
        path = tmp_path / "none.db" if words == "there is no history" else history
        code, out, err = run(*arguments, "--history", path)
        assert (code, out) == (2, "")
        assert words in err
        assert len(err.splitlines()) == 1


@pytest.mark.slow
def test_scans_are_kept_and_compared(
    run: Run, said: Said, identity: Identity, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server that lets TLS 1.3 go from one look to the next."""
    history, port = tmp_path / "history.db", servers.free_port()
    monkeypatch.setattr(servers, "free_port", lambda: port)
    told = []
    for options in ((), ("-tls1_2",)):
        with servers.s_server(tmp_path, identity.both, *options):
            code, _, err = run(
                *("scan", f"localhost:{port}", "--resolve", f"localhost:{port}:127.0.0.1"),
                *("--only", "tls", "--history", history, "-o", tmp_path / "report.txt"),
                *("--save", tmp_path / "scan.json"),
            )
        assert code == 1
        told.append(err)
    assert "kept as 1, the first that looked there" in told[0]
    assert "kept as 2; changes since 1: endpoint" in told[1]
    shown = said("history", "show", 2, "--history", history)
    assert "TLS versions: no longer TLS 1.3" in shown
    assert (
        said("history", "export", 2, "--history", history) == (tmp_path / "scan.json").read_text()
    )


def test_a_scan_is_not_begun_where_it_cannot_be_kept(run: Run, tmp_path: Path) -> None:
    (tmp_path / "history.db").write_bytes(b"something else")
    code, out, err = run("scan", "localhost:1", "--history", tmp_path / "history.db")
    assert (code, out) == (2, "")
    assert "history.db: cannot be used" in err
