"""``tlscheck history page`` as people meet it, and the folder that it keeps."""

from __future__ import annotations

import fcntl
import json
import os
import re
import signal
import stat
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import pytest

from tests.history.conftest import Run
from tests.history.make_history import at, night, old
from tlscheck.cli import folder
from tlscheck.errors import OutputError
from tlscheck.history import opened, scans

MINE = re.compile(r"[a-z]+\.html")
ROOT = Path(__file__).parents[2]


@pytest.fixture
def run(run: Run) -> Run:
    """``run("-o", …)`` of ``tlscheck history page``."""
    return partial(run, "history", "page")


@pytest.fixture
def history(tmp_path: Path) -> Path:
    path = tmp_path / "history.db"
    with opened(path, create=True) as store:
        for number, data in enumerate([night(0), night(1, old()), night(2)]):
            scans.keep(store, data, "", at(number))
    return path


def names(where: Path) -> list[str]:
    return sorted(each.name for each in where.iterdir())


# ---- the command -----------------------------------------------------------------------------


def test_pages_are_written_and_kept_up_to_date(run: Run, history: Path, tmp_path: Path) -> None:
    out = tmp_path / "site"
    code, said, err = run("-o", out, "--history", history)
    assert (code, err) == (0, "")
    assert said == f"{out}/index.html: 4 pages, 4 of them new or changed, 0 removed\n"
    assert {"index.html", "diff-1-2.html", "diff-2-3.html"} < set(names(out))
    assert {stat.S_IMODE(each.stat().st_mode) for each in out.iterdir()} == {0o644}
    assert run("-o", out, "--history", history)[1].endswith(
        "4 pages, 0 of them new or changed, 0 removed\n"
    )
    _, said, _ = run("-o", out, "--history", history, "--changes", 1)
    assert said.endswith("4 pages, 1 of them new or changed, 0 removed\n")
    with opened(history) as store:
        scans.keep(store, night(9), "", at(9))
    _, said, _ = run("-o", out, "--history", history, "--changes", 1)
    assert said.endswith("2 pages, 2 of them new or changed, 2 removed\n")
    assert len(names(out)) == 3


def test_the_configuration_names_the_history(run: Run, history: Path, tmp_path: Path) -> None:
    config = tmp_path / "tlscheck.toml"
    config.write_text(f'[history]\npath = "{history}"\n')
    assert run("-o", tmp_path / "site", "-c", config)[0] == 0


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["-o", "{tmp}/site", "--history", "{tmp}/none.db"], "there is no history"),
        (["-o", "{tmp}", "--history", "{tmp}/history.db"], "holds history.db, which this command"),
        (["-o", "{tmp}/history.db", "--history", "{tmp}/history.db"], "is no folder"),
        (["-o", "{tmp}/a/b", "--history", "{tmp}/history.db"], "there is no folder {tmp}/a"),
        (
            ["-o", "{tmp}/x", "--history", "{tmp}/history.db", "--days", "0"],
            "0 is not in the range",
        ),
        (["--history", "{tmp}/history.db"], "Missing option"),
    ],
)
def test_mistakes_are_one_line(
    run: Run, history: Path, tmp_path: Path, arguments: list[str], words: str
) -> None:
    before = names(tmp_path)
    code, said, err = run(*(each.format(tmp=tmp_path) for each in arguments))
    assert (code, said, err.count("\n")) == (2, "", 1)
    assert words.format(tmp=tmp_path) in err
    assert names(tmp_path) == before


# ---- the folder ------------------------------------------------------------------------------


@pytest.fixture
def out(tmp_path: Path) -> Path:
    """A folder that holds two pages of ours."""
    where = tmp_path / "out"
    folder.write(str(where), {"a.html": b"a", "b.html": b"b"}, MINE)
    return where


def test_what_is_not_wanted_any_more_goes(out: Path) -> None:
    written = folder.write(str(out), {"b.html": b"b", "c.html": b"c"}, MINE)
    assert written == folder.Written(2, 1, 1)
    assert names(out) == ["b.html", "c.html", folder.MANIFEST]
    assert set(json.loads((out / folder.MANIFEST).read_text())["files"]) == {"b.html", "c.html"}


def test_what_somebody_else_put_there_stays(out: Path) -> None:
    (out / "robots.txt").write_text("mine")
    (out / "a.html").write_text("changed by hand")
    folder.write(str(out), {"b.html": b"b"}, MINE)
    assert (out / "robots.txt").read_text() == "mine"
    assert (out / "a.html").read_text() == "changed by hand"


def test_a_file_of_somebody_else_is_not_replaced(out: Path) -> None:
    (out / "c.html").write_text("mine")
    with pytest.raises(OutputError, match=r"holds c\.html, which this command did not write"):
        folder.write(str(out), {"b.html": b"new", "c.html": b"c"}, MINE)
    assert (out / "c.html").read_text() == "mine"
    assert (out / "b.html").read_bytes() == b"b"


@pytest.mark.parametrize(
    "manifest",
    [
        b"",
        b"[]",
        b"{",
        b'{"format": "tlscheck.site/9", "files": {}}',
        b'{"format": "tlscheck.site/1", "files": []}',
        b"[" * 9999,
    ],
)
def test_a_manifest_that_is_none_of_ours(out: Path, manifest: bytes) -> None:
    (out / folder.MANIFEST).write_bytes(manifest)
    for attempt in (
        lambda: folder.check(str(out)),
        lambda: folder.write(str(out), {"b.html": b"new"}, MINE),
    ):
        with pytest.raises(OutputError, match=r"holds tlscheck-site\.json"):
            attempt()
    assert names(out) == ["a.html", "b.html", folder.MANIFEST]


def test_a_manifest_leads_nowhere_else(out: Path, tmp_path: Path) -> None:
    import hashlib

    victim = tmp_path / "victim"
    victim.write_bytes(b"x")
    mark = hashlib.sha256(b"x").hexdigest()
    made = {"format": folder.FORMAT, "files": {"../victim": mark, str(victim): mark, ".": mark}}
    (out / folder.MANIFEST).write_text(json.dumps(made))
    (out / "a.html").unlink()
    (out / "b.html").unlink()
    folder.write(str(out), {"c.html": b"c"}, MINE)
    assert victim.read_bytes() == b"x"


def test_links_are_not_followed(out: Path, tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_bytes(b"a")
    for name in ("a.html", "b.html"):
        (out / name).unlink()
        (out / name).symlink_to(victim)
    folder.write(str(out), {"b.html": b"new"}, MINE)
    assert victim.read_bytes() == b"a"
    assert (out / "a.html").is_symlink()
    assert not (out / "b.html").is_symlink()


def test_two_runs_at_once(out: Path) -> None:
    handle = os.open(out, os.O_RDONLY)
    fcntl.flock(handle, fcntl.LOCK_EX)
    with pytest.raises(OutputError, match="another run writes there"):
        folder.write(str(out), {"a.html": b"new"}, MINE)
    os.close(handle)
    assert folder.write(str(out), {"a.html": b"new"}, MINE).fresh == 1


KILLED = """
import re, sys
from tlscheck.cli import folder
number = 0
while True:
    number += 1
    files = {f"{chr(97 + (number + n) % 26)}.html": b"%d" % number * 2000 for n in range(9)}
    folder.write(sys.argv[1], files, re.compile(r"[a-z]+\\\\.html"))
    print(flush=True)
"""


def test_killed_at_any_moment_it_goes_on_the_next_time(tmp_path: Path) -> None:
    out = tmp_path / "out"
    for attempt in range(12):
        child = subprocess.Popen(
            [sys.executable, "-c", KILLED, str(out)], cwd=ROOT, stdout=subprocess.PIPE
        )
        assert child.stdout
        child.stdout.readline()
        time.sleep(0.003 * attempt)
        child.send_signal(signal.SIGKILL)
        child.wait()
        child.stdout.close()
        for page in out.glob("*.html"):  # each is whole
            data = page.read_bytes()
            assert len(set(data.split(data[: len(data) // 2000]))) == 1
        folder.check(str(out))
    folder.write(str(out), {"a.html": b"a"}, MINE)
    assert names(out) == ["a.html", folder.MANIFEST]


def test_a_first_run_that_died_early_leaves_a_folder_that_can_be_used(tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / ".tlscheck-site.x1").write_bytes(b"half")
    folder.write(str(out), {"a.html": b"a"}, MINE)
    assert names(out) == ["a.html", folder.MANIFEST]
