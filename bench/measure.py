"""What a command costs: wall seconds, processor seconds and memory, its children's included."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.proxy import ROOT

PATIENCE = 300.0
"""Seconds after which a command is ended."""
_EVERY = 0.02
_PAGE = os.sysconf("SC_PAGE_SIZE")


@dataclass(frozen=True)
class Cost:
    """What one run of a command cost."""

    wall: float
    cpu: float
    """User and system seconds of the process and of every child that it waited for."""
    memory: float
    """The most megabytes resident at once, summed over the process and all below it."""
    code: int
    words: str = ""
    """The end of what it wrote to standard error."""


def run(command: Sequence[str], errors: Path, patience: float = PATIENCE) -> Cost:
    """Run *command* to its end; what it writes is thrown away but for *errors*."""
    environment = {"PATH": os.environ.get("PATH", os.defpath), "LANG": "C.UTF-8"}
    with errors.open("wb") as stderr:
        start = time.monotonic()
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=stderr,
            cwd=ROOT,
            env=environment,
            start_new_session=True,
        )
        killer = threading.Timer(patience, os.killpg, (process.pid, signal.SIGKILL))
        watch = _Watch(process.pid)
        killer.start()
        watch.start()
        # The figures of one child and of those that it waited for itself.
        _, status, used = os.wait4(process.pid, 0)
        wall = time.monotonic() - start
        killer.cancel()
        watch.stop()
        process.returncode = os.waitstatus_to_exitcode(status)
    words = errors.read_text(errors="replace").strip()[-300:]
    return Cost(wall, used.ru_utime + used.ru_stime, watch.most / 1e6, process.returncode, words)


class _Watch(threading.Thread):
    """Looks at the memory of a process and all below it every now and then.

    ``ru_maxrss`` will not do: it has no sum, and starts with the size of the process that forked.
    """

    def __init__(self, pid: int) -> None:
        super().__init__(daemon=True)
        self._pid = pid
        self._over = threading.Event()
        self.most = 0
        """Bytes."""

    def run(self) -> None:
        while not self._over.wait(_EVERY):
            self.most = max(self.most, sum(map(_resident, _family(self._pid))))

    def stop(self) -> None:
        self._over.set()
        self.join()


def _family(pid: int) -> Iterator[int]:
    """The process and all below it; where the kernel does not tell of children, itself alone."""
    yield pid
    for thread in Path(f"/proc/{pid}/task").glob("*"):
        for child in _read(thread / "children").split():
            yield from _family(int(child))


def _resident(pid: int) -> int:
    _, resident, *_ = (_read(Path(f"/proc/{pid}/statm")) or "0 0").split()
    return int(resident) * _PAGE


def _read(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        # It has ended meanwhile.
        return ""
