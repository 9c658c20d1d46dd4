"""``tlscheck watch`` as cron starts it, with everything that can befall it."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from tests.servers import free_port
from tests.smtp import body, taking
from tests.watch.conftest import PROGRAM, Clinic
from tlscheck.history import opened, outbox, scans

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]


def kept(clinic: Clinic) -> int:
    with opened(clinic.history) as store:
        assert store.db.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        return len(scans.kept(store))


def waiting(clinic: Clinic) -> int:
    with opened(clinic.history) as store:
        return len(outbox.due(store, datetime.max.replace(tzinfo=UTC)))


def test_the_configured_language_holds_in_crons_empty_environment(clinic: Clinic) -> None:
    clinic.write(head='language = "ja"')
    with clinic.serving():
        clinic.quiet()
    (message,) = clinic.inbox.messages
    assert "不適合" in message["Subject"]
    assert "不適合" in body(message)
    assert message["Content-Language"] == "ja"
    (clinic.folder / "wrong.toml").write_text('language = "ja"\ntargts = []\n')
    done = subprocess.run(
        ["/usr/bin/env", "-i", PROGRAM, "watch", "-c", str(clinic.folder / "wrong.toml")],
        capture_output=True, check=False,
    )  # fmt: skip
    assert done.returncode == 2
    assert "不明なキー targts" in done.stderr.decode()


def test_a_blip_is_not_told(clinic: Clinic) -> None:
    """The endpoint is down when it is looked at first, and there when it is looked at again."""
    clinic.write(more="[budgets]\nconnect = 1")
    with clinic.serving():
        clinic.quiet()
    assert len(clinic.inbox.got) == 1
    blip = threading.Event()

    def gone() -> None:
        """A listener that hangs up on the first who comes."""
        import socket

        with socket.create_server(("127.0.0.1", clinic.port)) as listener:
            connection, _ = listener.accept()
            connection.close()
        blip.set()

    thread = threading.Thread(target=gone)
    thread.start()
    process = clinic.begin()
    assert blip.wait(30)
    thread.join()
    with clinic.serving():
        out, err = process.communicate(timeout=100)
    assert (process.returncode, out, err) == (0, "", "")
    assert len(clinic.inbox.got) == 1
    with clinic.serving():
        clinic.quiet()  # nor is it told the night after
    assert len(clinic.inbox.got) == 1
    assert kept(clinic) == 3


def test_what_changed_is_kept_as_it_is_told(clinic: Clinic) -> None:
    with clinic.serving():
        clinic.quiet()
    other = clinic.identity.authority.issue("127.0.0.1", "localhost")
    with clinic.serving(other):
        clinic.quiet()
        clinic.quiet()
    first, second = clinic.inbox.messages
    assert "new key" in body(second)
    assert first["Message-ID"] != second["Message-ID"]
    assert kept(clinic) == 3
    assert waiting(clinic) == 0


def test_findings_count_only_where_that_is_asked_for(clinic: Clinic) -> None:
    with clinic.serving():
        assert clinic.watch("--fail-on", "critical").returncode == 1
        assert clinic.watch().returncode == 0
        clinic.write(
            more='[[waiver]]\nrule = "certificate.trusted"\nwho = "Sato"\nreason = "a test"\n'
            "until = 2099-01-01"
        )
        assert clinic.watch("--fail-on", "critical").returncode in (0, 3)
        assert clinic.watch("--fail-on", "high").returncode == 1


def test_a_relay_that_is_down(clinic: Clinic) -> None:
    clinic.relay = free_port()
    clinic.write()
    with clinic.serving():
        done = clinic.watch()
        assert done.returncode == 0
        assert done.stderr.count("\n") == 1
        assert "mail to a@example.jp waits: the relay cannot be reached" in done.stderr
        assert waiting(clinic) == 1
        with taking(clinic.inbox, clinic.relay):
            clinic.quiet()
            clinic.quiet()
    assert len(clinic.inbox.got) == 1
    assert waiting(clinic) == 0


def test_deliver_alone(clinic: Clinic) -> None:
    clinic.inbox.mail = "451 come back later"
    with clinic.serving():
        assert "451 come back later" in clinic.watch().stderr
    clinic.inbox.mail = None
    clinic.quiet("--deliver")
    assert clinic.inbox.got == []  # the relay is left alone for five minutes
    with sqlite3.connect(clinic.history) as db:
        db.execute("UPDATE outbox SET due = '2020-01-01T00:00:00.000000+00:00'")
    db.close()
    clinic.quiet("--deliver")
    clinic.quiet("--deliver")
    assert len(clinic.inbox.got) == 1
    assert kept(clinic) == 1


def test_one_recipient_is_refused(clinic: Clinic) -> None:
    clinic.write(mail='to = ["a@example.jp", "b@example.jp"]')
    clinic.inbox.refused["b@example.jp"] = "550 no such user"
    with clinic.serving():
        done = clinic.watch()
        assert done.returncode == 0
        assert done.stderr == "tlscheck: mail to b@example.jp waits: 550 no such user\n"
        clinic.inbox.refused.clear()
        clinic.quiet()
    assert [each.rcpt_tos for each in clinic.inbox.got] == [["a@example.jp"], ["b@example.jp"]]
    assert len(set(clinic.inbox.ids)) == 1


def test_a_digest_shows_that_it_is_alive(clinic: Clinic) -> None:
    with clinic.serving():
        clinic.quiet()
        with opened(clinic.history) as store:
            week = (datetime.now(UTC) - timedelta(days=6, hours=23)).isoformat()
            store.db.execute("UPDATE outbox SET made = ?", (week,))
        clinic.quiet()
        clinic.quiet()
    assert [m["Subject"].split()[1] for m in clinic.inbox.messages] == ["First", "Nothing"]


def test_recipients_by_label(clinic: Clinic) -> None:
    clinic.write(
        targets=f'[{{target = "127.0.0.1:{clinic.port}", label = "one"}},'
        f' {{target = "localhost:{clinic.port}", label = "two"}}]',
        mail='to = [{address = "a@example.jp", labels = ["one"]},'
        ' {address = "b@example.jp", labels = ["two"]}, "all@example.jp"]',
    )
    with clinic.serving():
        clinic.quiet()
    told = {m["To"]: body(m) for m in clinic.inbox.messages}
    assert "localhost" not in told["a@example.jp"]
    assert "one 127.0.0.1" not in told["b@example.jp"]
    assert all(
        f"{host}:{clinic.port}" in told["all@example.jp"] for host in ("127.0.0.1", "localhost")
    )


def test_without_mail_it_says_what_changed(clinic: Clinic) -> None:
    clinic.config.write_text(
        f'targets = ["127.0.0.1:{clinic.port}"]\n[history]\npath = "{clinic.history}"\n'
    )
    with clinic.serving():
        done = clinic.watch()
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout.startswith("The first look. Places looked at")
        clinic.quiet()
        done = clinic.watch("--format", "nagios")
        assert (done.returncode, done.stderr) == (2, "")
        assert done.stdout.startswith("TLSCHECK CRITICAL - ")
        assert done.stdout.count("\n") == 1


# ---- who else is told ------------------------------------------------------------------------


class Heard(BaseHTTPRequestHandler):
    """Keeps what it is asked."""

    requests: list[tuple[str, str, dict[str, str], bytes]]

    def do_POST(self) -> None:
        length = int(self.headers.get("Content-Length", 0))
        self.requests.append(
            (self.command, self.path, dict(self.headers.items()), self.rfile.read(length))
        )
        self.send_response(200 if "broken" not in self.path else 500)
        self.end_headers()

    do_GET = do_POST  # noqa: N815

    def log_message(self, *_: object) -> None:
        """Nothing."""


@contextlib.contextmanager
def listening() -> Iterator[tuple[str, list[Any]]]:
    heard = type("Heard", (Heard,), {"requests": []})
    server = HTTPServer(("127.0.0.1", 0), heard)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", heard.requests
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def test_webhook_ping_and_metrics(clinic: Clinic) -> None:
    secret = clinic.folder / "token"
    secret.write_text("s3cret\n")
    secret.chmod(0o600)
    metrics = clinic.folder / "tlscheck.prom"
    with listening() as (url, heard), clinic.serving():
        clinic.write(
            more=f'[webhook]\nurl = "{url}/hook"\ntoken = {{file = "{secret}"}}\n'
            f'[ping]\nurl = {{env = "PING"}}\n[metrics]\npath = "{metrics}"'
        )
        clinic.quiet(PING=f"{url}/ping/1")
        clinic.quiet(PING=f"{url}/ping/2")
        done = clinic.watch("--fail-on", "low", PING=f"{url}/broken")
    assert done.returncode == 1
    assert done.stderr == "tlscheck: ping: not told: HTTP status 500\n" * 2
    paths = [(method, path) for method, path, _, _ in heard]
    assert paths == [
        ("GET", "/ping/1/start"),
        ("POST", "/hook"),
        ("GET", "/ping/1"),
        ("GET", "/ping/2/start"),
        ("GET", "/ping/2"),
        ("GET", "/broken/start"),
        ("GET", "/broken"),
    ]
    _, _, fields, content = heard[1]
    assert fields["Authorization"] == "Bearer s3cret"
    told = json.loads(content)
    assert (told["format"], told["occasion"], told["kept"]) == (
        "tlscheck.watch/1",
        "baseline",
        True,
    )
    lines = metrics.read_text().splitlines()
    assert "tlscheck_history_kept 1" in lines
    assert "tlscheck_mail_queued 0" in lines
    end = next(line for line in lines if line.startswith("tlscheck_certificate_end_seconds{"))
    assert float(end.split()[1]) == clinic.identity.rsa.x509.not_valid_after_utc.timestamp()
    assert sorted(path.name for path in clinic.folder.glob("*tlscheck.prom*")) == ["tlscheck.prom"]


# ---- one at a time, and ended early ----------------------------------------------------------


def test_two_runs_at_once(clinic: Clinic) -> None:
    with clinic.serving():
        first = clinic.begin()
        lock = Path(f"{clinic.history}.lock")
        while not lock.exists():
            time.sleep(0.01)
        time.sleep(0.1)
        first.send_signal(signal.SIGSTOP)  # the machine may be slow, and the first run quick
        second = clinic.watch()
        first.send_signal(signal.SIGCONT)
        out, err = first.communicate(timeout=100)
    assert (first.returncode, out, err) == (0, "", "")
    assert second.returncode == 75
    assert "another run holds it" in second.stderr
    assert second.stderr.count("\n") == 1
    assert (kept(clinic), len(clinic.inbox.got)) == (1, 1)


@contextlib.contextmanager
def slow_places() -> Iterator[list[socket.socket]]:
    """Ports that accept and say nothing."""
    with contextlib.ExitStack() as stack:
        yield [stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(3)]


def test_sigterm_keeps_what_was_seen(clinic: Clinic) -> None:
    with clinic.serving(), slow_places() as places:
        ports = [place.getsockname()[1] for place in places]
        names = ", ".join(f'"127.0.0.1:{port}"' for port in (clinic.port, *ports))
        clinic.write(
            targets=f"[{names}]",
            more="[budgets]\nparallel = 1\nconnect = 2",
            mail='attach = ["json"]',
        )
        process = clinic.begin()
        places[0].settimeout(60)
        with places[0].accept()[0]:
            process.send_signal(signal.SIGTERM)
        begun = time.monotonic()
        out, err = process.communicate(timeout=100)
    assert time.monotonic() - begun < 40
    assert (process.returncode, out, err) == (0, "", "")
    assert kept(clinic) == 1
    (message,) = clinic.inbox.messages
    (file,) = message.iter_attachments()
    looks = {t["id"]: t for t in json.loads(file.get_content())["targets"]}
    assert "tls" in looks[f"https://127.0.0.1:{clinic.port}"]["seen"]
    last = looks[f"https://127.0.0.1:{ports[-1]}"]
    assert last["seen"] == {}
    assert {m["reason"] for m in last["missed"]} >= {"budget"}


def test_the_deadline_holds(clinic: Clinic) -> None:
    with slow_places() as places:
        names = ", ".join(f'"127.0.0.1:{place.getsockname()[1]}"' for place in places)
        clinic.write(targets=f"[{names}]", more="[watch]\ndeadline = 5\n[budgets]\nconnect = 60")
        begun = time.monotonic()
        done = clinic.watch()
    assert time.monotonic() - begun < 30
    assert done.returncode == 0
    assert kept(clinic) == 1
    assert "the run was ended early" in body(clinic.inbox.messages[0])


# ---- what befalls the history ----------------------------------------------------------------


def unkept(clinic: Clinic, why: str) -> None:
    """One line, an exit code, and the mail all the same."""
    before = len(clinic.inbox.got)
    with clinic.serving():
        done = clinic.watch()
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1, done.stderr
    assert why in done.stderr
    assert len(clinic.inbox.got) == before + 1
    message = clinic.inbox.messages[-1]
    assert "The history was not kept" in message["Subject"]
    assert why in body(message)


def test_a_full_disk(clinic: Clinic, small_disk: Path) -> None:
    clinic.folder = small_disk
    clinic.write()
    with clinic.serving():
        clinic.quiet()
    (small_disk / "ballast").write_bytes(b"")
    with (small_disk / "ballast").open("wb", buffering=0) as ballast, contextlib.suppress(OSError):
        while True:
            ballast.write(b"\0" * 4096)
    home, clinic.folder = clinic.folder, small_disk.parent
    clinic.write()
    clinic.config.write_text(
        clinic.config.read_text().replace(str(clinic.history), str(home / "state" / "history.db"))
    )
    unkept(clinic, "the disk ")
    (home / "ballast").unlink()
    with clinic.serving():
        clinic.quiet()
    clinic.folder = home
    assert kept(clinic) == 2


def test_a_history_that_may_not_be_written(clinic: Clinic, small_disk: Path) -> None:
    config = clinic.config
    clinic.folder = small_disk
    clinic.write()
    config.write_text(clinic.config.read_text())
    with clinic.serving():
        clinic.quiet()
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    clinic.folder = config.parent
    try:
        unkept(clinic, "history.db: cannot be used: it cannot be written")
    finally:
        subprocess.run(["mount", "-o", "remount,rw", str(small_disk)], check=True)
    message = clinic.inbox.messages[-1]
    assert "Nothing changed" in message["Subject"]  # what was kept could be compared with
    assert "What changed is not known" not in body(message)


def test_a_damaged_history(clinic: Clinic) -> None:
    clinic.history.parent.mkdir()
    clinic.history.write_bytes(b"SQLite format 3\0" + os.urandom(8192))
    before = clinic.history.read_bytes()
    unkept(clinic, "put a copy of it back")
    assert clinic.history.read_bytes() == before


def test_a_newer_history(clinic: Clinic) -> None:
    with opened(clinic.history, create=True) as store:
        store.db.execute("PRAGMA user_version = 99")
    unkept(clinic, "a newer tlscheck wrote it")


def test_a_history_that_another_process_holds(
    clinic: Clinic, monkeypatch: pytest.MonkeyPatch
) -> None:
    with clinic.serving():
        clinic.quiet()
    with sqlite3.connect(clinic.history, isolation_level=None) as db:
        db.execute("BEGIN IMMEDIATE")
        unkept(clinic, "another process holds it")
        db.execute("ROLLBACK")
    db.close()
    assert kept(clinic) == 1


HOMELESS = """
import os, sys
import encodings.utf_8_sig, tlscheck.cli.watch, tlscheck.watch.install
from tlscheck.cli import main
os.environ.clear()
os.setgid(65533), os.setuid(65533)  # whom no line of /etc/passwd knows
sys.argv = ["tlscheck", "watch", "-c", sys.argv[1]]
main()
"""


def test_a_user_without_a_home() -> None:
    if os.geteuid() != 0:
        pytest.skip("NOT TESTED: only root can be another user")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        (folder / "tlscheck.toml").write_text('targets = ["127.0.0.1"]\n')
        done = subprocess.run(
            [sys.executable, "-c", HOMELESS, str(folder / "tlscheck.toml")],
            capture_output=True, check=False, text=True,
        )  # fmt: skip
    assert done.returncode == 2, done.stderr
    assert "this user has no home" in done.stderr
