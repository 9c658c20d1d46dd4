"""The file of a history: its rights, its form, and everything that can befall it."""

from __future__ import annotations

import os
import random
import shutil
import sqlite3
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.history.make_history import VERSION_1, at, night
from tlscheck.errors import HistoryError
from tlscheck.history import outbox, scans, schema
from tlscheck.history.outbox import Mail
from tlscheck.history.store import opened

ROOT = Path(__file__).parents[2]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state" / "history.db"


@pytest.fixture
def filled(path: Path) -> Path:
    """A history with three scans."""
    with opened(path, create=True) as store:
        for number in range(3):
            scans.keep(store, night(number), "", at(number))
    return path


def whole(path: Path) -> int:
    """How many scans there are, of which each comes out as it went in."""
    with opened(path) as store:
        assert store.db.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        found = scans.kept(store)
        for each in found:
            assert len(scans.document(store, each.id)) == each.size
    return len(found)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_only_the_owner_can_read_it(path: Path) -> None:
    with opened(path, create=True) as store:
        scans.keep(store, night(0), "", at(0))
        beside = sorted(path.parent.iterdir())
        assert [each.name for each in beside] == ["history.db", "history.db-shm", "history.db-wal"]
        assert [mode(each) for each in beside] == [0o600] * 3
    assert mode(path.parent) == 0o700


def test_rights_that_are_too_wide_are_taken_back(filled: Path) -> None:
    filled.chmod(0o644)
    with opened(filled):
        assert mode(filled) == 0o600


def test_what_kind_of_file_it_is(filled: Path) -> None:
    with opened(filled) as store:
        pragmas = {
            name: store.db.execute(f"PRAGMA {name}").fetchone()[0]
            for name in (
                "journal_mode",
                "auto_vacuum",
                "user_version",
                "application_id",
                "synchronous",
            )
        }
        strict = {
            row[1]: row[5] for row in store.db.execute("PRAGMA table_list") if row[0] == "main"
        }
    assert pragmas == {
        "journal_mode": "wal",
        "auto_vacuum": 2,
        "user_version": len(schema.STEPS),
        "application_id": schema.APPLICATION_ID,
        "synchronous": 2,
    }
    assert {name for name, is_strict in strict.items() if not is_strict} == {"sqlite_schema"}


def test_a_history_of_the_first_form_is_brought_up_to_date(tmp_path: Path) -> None:
    path = tmp_path / "history.db"
    shutil.copy(VERSION_1, path)
    with sqlite3.connect(path) as db:
        assert db.execute("PRAGMA user_version").fetchone() == (1,)
    db.close()
    assert whole(path) == 2
    with opened(path) as store:
        assert store.db.execute("PRAGMA user_version").fetchone() == (len(schema.STEPS),)
        assert outbox.due(store, at(9)) == ()
        assert scans.keep(store, night(3), "", at(3)) == (3, True)


def refused(path: Path, *, create: bool = False) -> str:
    """The one line that says why *path* cannot be used."""
    with pytest.raises(HistoryError) as error, opened(path, create=create) as store:
        for each in scans.kept(store):
            scans.document(store, each.id)
        scans.keep(store, night(7), "", at(7))
    for lang in ("en", "ja"):
        assert error.value.said(lang).startswith(str(path))
        assert error.value.said(lang).isprintable()
    return str(error.value)


def test_no_history(path: Path) -> None:
    assert "there is no history" in refused(path)
    assert not path.parent.exists()


def test_another_programs_database(tmp_path: Path) -> None:
    path = tmp_path / "other.db"
    with sqlite3.connect(path) as db:
        db.execute("CREATE TABLE theirs (id)")
    db.close()
    before = path.read_bytes()
    assert "no history of tlscheck" in refused(path)
    assert path.read_bytes() == before


def test_a_newer_form(filled: Path) -> None:
    with sqlite3.connect(filled) as db:
        db.execute("PRAGMA user_version = 99")
    db.close()
    assert "a newer tlscheck wrote it" in refused(filled)
    with sqlite3.connect(filled) as db:
        assert db.execute("SELECT count(*) FROM scan").fetchone() == (3,)
    db.close()


@pytest.mark.parametrize("content", [b"{}", b"SQLite format 3\0" + b"\xff" * 5000, b"\0" * 4096])
def test_no_database(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "scan.json"
    path.write_bytes(content)
    refused(path, create=True)
    assert path.read_bytes() == content


def test_a_folder_and_a_file_where_a_folder_should_be(tmp_path: Path) -> None:
    assert "is no file" in refused(tmp_path, create=True)
    (tmp_path / "file").write_bytes(b"")
    assert "Not a directory" in refused(tmp_path / "file" / "history.db", create=True)


@pytest.mark.parametrize("seed", range(12))
def test_damaged_pages_are_one_line_and_no_wrong_scan(filled: Path, seed: int) -> None:
    """Whatever is hit: a line, or the very bytes that were kept."""
    chance = random.Random(seed)
    data = bytearray(filled.read_bytes())
    for _ in range(3):
        begin = chance.randrange(4096, len(data) - 4096)
        data[begin : begin + 4096] = chance.randbytes(4096)
    filled.write_bytes(data)
    try:
        with opened(filled) as store:
            for each in scans.kept(store):
                number = round((each.at - at(0)).total_seconds() / 86400)
                assert scans.document(store, each.id) == night(number)
    except HistoryError as error:
        assert str(error).startswith(str(filled))


def test_a_damaged_piece_is_noticed(filled: Path) -> None:
    with opened(filled) as store:
        store.db.execute("UPDATE piece SET data = x'00' WHERE id = 1")
    assert "damaged" in refused(filled)


def test_another_process_holds_it(filled: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tlscheck.history.store.PATIENCE", 0.1)
    other = sqlite3.connect(filled, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    assert "another process holds it" in refused(filled)
    with opened(filled) as store:
        assert len(scans.kept(store)) == 3  # reading goes on
    other.execute("ROLLBACK")
    other.close()
    assert whole(filled) == 3


# ---- other processes -------------------------------------------------------------------------

KEEP = """
import resource, sys
from pathlib import Path
from tests.history.make_history import at, night
from tlscheck.errors import HistoryError
from tlscheck.history import opened, outbox, scans
path, first, last, limit = Path(sys.argv[1]), *map(int, sys.argv[2:])
files = [night(number) for number in range(first, last)]
if limit:
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
print("ready", flush=True)
try:
    for number, data in enumerate(files, first):
        with opened(path, create=True) as store, store.writing():
            scan, _ = scans.keep(store, data, "", at(number))
            mail = outbox.Mail(f"<{number}@a.example>", ("a@a.example",), b"mail")
            outbox.put(store, mail, at(number), scan)
        print(number, flush=True)
except HistoryError as error:
    print(error, flush=True)
    sys.exit(2)
"""


def keeping(path: Path, first: int, last: int, limit: int = 0) -> subprocess.Popen[str]:
    """A process that keeps the scans of these nights, each with a mail."""
    return subprocess.Popen(
        [sys.executable, "-c", KEEP, str(path), str(first), str(last), str(limit)],
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )


def ended(process: subprocess.Popen[str]) -> tuple[int, str]:
    out, _ = process.communicate(timeout=100)
    return process.returncode, out


def test_two_processes_at_once(path: Path) -> None:
    several = [keeping(path, 0, 6), keeping(path, 6, 12)]
    assert [ended(each)[0] for each in several] == [0, 0]
    assert whole(path) == 12
    with opened(path) as store:
        assert len(outbox.due(store, at(99))) == 12


def test_a_disk_that_lets_no_file_grow(filled: Path) -> None:
    size = filled.stat().st_size
    code, out = ended(keeping(filled, 50, 90, size + 8192))
    assert code == 2, out
    assert str(filled) in out.splitlines()[-1]
    done = len(out.splitlines()) - 2
    assert whole(filled) == 3 + done
    assert ended(keeping(filled, 50, 55))[0] == 0
    assert whole(filled) == 3 + max(done, 5)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 300 kB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=300k", "tmpfs", str(folder)],
        check=False, capture_output=True,
    )  # fmt: skip
    if done.returncode:
        pytest.skip("may not mount")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_a_full_disk(small_disk: Path) -> None:
    path = small_disk / "history.db"
    (small_disk / "ballast").write_bytes(b"\0" * 120_000)
    code, out = ended(keeping(path, 0, 60))
    assert code == 2, out
    line = out.splitlines()[-1]
    assert "the disk is full" in line or "the disk cannot be written" in line
    kept = whole(path)
    assert kept == len(out.splitlines()) - 2
    (small_disk / "ballast").unlink()
    assert ended(keeping(path, kept, kept + 1))[0] == 0
    assert whole(path) == kept + 1


def test_a_disk_that_may_not_be_written(small_disk: Path) -> None:
    path = small_disk / "history.db"
    assert ended(keeping(path, 0, 1))[0] == 0
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    assert "it cannot be written; see to the rights" in refused(path)
    assert "cannot be opened or made" in refused(small_disk / "new.db", create=True)
    with opened(path) as store:  # what is there can be read all the same
        (kept,) = scans.kept(store)
        assert scans.document(store, kept.id) == night(0)
    subprocess.run(["mount", "-o", "remount,rw", str(small_disk)], check=True)
    assert whole(path) == 1


def test_an_older_history_that_may_not_be_written(small_disk: Path) -> None:
    path = small_disk / "older ?#%.db"
    shutil.copy(VERSION_1, path)
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    assert "it cannot be written; see to the rights" in refused(path)


def test_what_another_process_wrote_last_is_not_left_out(small_disk: Path) -> None:
    """Beside a -wal file the history is not whole by itself; where that cannot be read with it,
    nothing is.
    """
    path = small_disk / "history.db"
    assert ended(keeping(path, 0, 1))[0] == 0
    Path(f"{path}-shm").unlink(missing_ok=True)
    Path(f"{path}-wal").write_bytes(b"x" * 32)
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    assert "see to the rights" in refused(path)


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_killed_at_any_moment(path: Path) -> None:
    """Scan and mail are both there or both not; the next run goes on."""
    chance = random.Random(6)
    before = 0
    for number in range(20):
        process = keeping(path, number * 100, number * 100 + 30)
        assert process.stdout
        while process.stdout.readline() != "ready\n":
            assert process.poll() is None
        time.sleep(chance.uniform(0, 0.25))
        process.kill()
        out, _ = process.communicate(timeout=60)
        if not path.exists():
            continue
        kept = whole(path)
        assert kept - before in (len(out.splitlines()), len(out.splitlines()) + 1)
        with opened(path) as store:
            assert len(outbox.due(store, at(9999))) == kept
        before = kept
    assert before
    assert ended(keeping(path, 5000, 5001))[0] == 0
    assert whole(path) == before + 1


def test_a_mail_is_kept_with_its_scan_or_not_at_all(path: Path) -> None:
    class DeathError(Exception):
        pass

    mail = Mail("<1@a.example>", ("a@a.example", "b@a.example"), "件名".encode())
    with opened(path, create=True) as store:
        with pytest.raises(DeathError), store.writing():
            scans.keep(store, night(0), "", at(0))
            outbox.put(store, mail, at(0))
            raise DeathError
        assert scans.kept(store) == ()
        assert outbox.due(store, at(1)) == ()


def test_the_outbox(path: Path) -> None:
    mail = Mail("<1@a.example>", ("a@a.example", "b@a.example"), "件名".encode())
    with opened(path, create=True) as store:
        outbox.put(store, mail, at(0))
        outbox.put(store, mail, at(0))
        (queued,) = outbox.due(store, at(0))
        assert (queued.mail, queued.tries, queued.made) == (mail, 0, at(0))
        outbox.failed(store, queued.id, "451 later", at(2), left=("b@a.example",))
        assert outbox.due(store, at(1)) == ()
        (again,) = outbox.due(store, at(2))
        assert (again.tries, again.trouble) == (1, "451 later")
        assert (again.mail.message, again.mail.recipients) == (mail.message, ("b@a.example",))
        assert outbox.last_delivered(store) is None
        outbox.delivered(store, again.id, at(2))
        assert outbox.due(store, at(99)) == ()
        outbox.put(store, mail, at(3))
        assert outbox.due(store, at(99)) == ()
        assert outbox.last_delivered(store) == at(2)
