"""Commands run inside of a network namespace that a test made."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.servers import program

ROOT = Path(__file__).parents[1]


class Inside:
    """A process in a namespace, which runs what it is told."""

    def __init__(self, folder: Path, process: subprocess.Popen[str]) -> None:
        self.folder, self.process = folder, process

    def said(self) -> dict[str, Any]:
        assert self.process.stdout
        words: dict[str, Any] = json.loads(self.process.stdout.readline())
        return words

    def run(self, *command: str) -> dict[str, Any]:
        """How a command ended: ``code``, ``out`` and ``err``."""
        assert self.process.stdin
        self.process.stdin.write(json.dumps(command) + "\n")
        self.process.stdin.flush()
        return self.said()


@contextlib.contextmanager
def inside(module: str, folder: Path) -> Iterator[Inside]:
    """``python -m MODULE FOLDER`` in a namespace of its own, once all its servers run."""
    own = ["unshare", "-n"] if os.geteuid() == 0 else ["unshare", "-rn"]
    environment = {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "XDG_CACHE_HOME": str(folder / "cache"),
        "PATH": os.environ["PATH"] + ":/usr/sbin:/sbin",
        "LANG": "C.UTF-8",
    }
    with subprocess.Popen(
        [program(own[0]), *own[1:], sys.executable, "-m", module, str(folder)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment, cwd=ROOT,
    ) as process:  # fmt: skip
        it = Inside(folder, process)
        ready = it.said()["ready"]
        assert ready == [None] * len(ready), (folder / "servers.log").read_text()
        yield it
        assert process.stdin
        process.stdin.close()
