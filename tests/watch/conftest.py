"""A clinic that is watched: a server, a relay and a configuration."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests import servers
from tests.identities import Certificate, Identity
from tests.servers import free_port
from tests.smtp import Inbox, taking

PROGRAM = str(Path(sys.executable).with_name("tlscheck"))
Done = subprocess.CompletedProcess[str]


@dataclass
class Clinic:
    """What is watched, and by what."""

    folder: Path
    identity: Identity
    inbox: Inbox
    port: int
    relay: int

    @property
    def config(self) -> Path:
        return self.folder / "tlscheck.toml"

    @property
    def history(self) -> Path:
        return self.folder / "state" / "history.db"

    def write(self, more: str = "", mail: str = "", head: str = "", targets: str = "") -> None:
        """The configuration; *mail* goes into its table."""
        targets = targets or f'["127.0.0.1:{self.port}"]'
        to = "" if "to = " in mail else 'to = ["a@example.jp"]'
        self.config.write_text(
            f"targets = {targets}\n{head}\n"
            f'[history]\npath = "{self.history}"\n'
            f'[mail]\nsmtp = "smtp://127.0.0.1:{self.relay}"\nfrom = "tlscheck@example.jp"\n'
            f"{to}\n{mail}\n{more}\n",
            encoding="utf-8",
        )

    @contextlib.contextmanager
    def serving(self, certificate: Certificate | None = None, *options: str) -> Iterator[None]:
        """An endpoint that is quick to look at."""
        shown = [certificate or self.identity.rsa]
        free, servers.free_port = servers.free_port, lambda: self.port
        try:
            with servers.s_server(self.folder, shown, "-tls1_2", *options):
                yield
        finally:
            servers.free_port = free

    def begin(self, *options: str, **environment: str) -> subprocess.Popen[str]:
        """``tlscheck watch`` as cron starts it: with nothing in its environment."""
        return subprocess.Popen(
            [PROGRAM, "watch", "-c", str(self.config), *options],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={"PATH": "/usr/bin:/bin", **environment},
            cwd="/",
        )

    def watch(self, *options: str, **environment: str) -> Done:
        """The same to its end."""
        with self.begin(*options, **environment) as process:
            try:
                out, err = process.communicate(timeout=100)
            except BaseException:
                process.send_signal(signal.SIGKILL)
                raise
        assert "Traceback" not in err, err
        return subprocess.CompletedProcess(process.args, process.returncode, out, err)

    def quiet(self, *options: str, **environment: str) -> None:
        """A run that ends well and says nothing."""
        done = self.watch(*options, **environment)
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.fixture
def inbox() -> Inbox:
    return Inbox()


@pytest.fixture
def clinic(tmp_path: Path, identity: Identity, inbox: Inbox) -> Iterator[Clinic]:
    """A clinic with a relay that takes mail."""
    found = Clinic(tmp_path, identity, inbox, free_port(), free_port())
    found.write()
    with taking(inbox, found.relay):
        yield found


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 900 kB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=900k", "tmpfs", str(folder)]
    if os.geteuid() or subprocess.run(command, check=False, capture_output=True).returncode:
        pytest.skip("NOT TESTED: may not mount")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)
