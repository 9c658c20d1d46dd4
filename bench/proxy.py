"""The counting proxy in a process of its own: ``python -m bench.proxy PORT DELAY``.

It says the port that it listens on, then answers each line of standard input with its figures so
far, and ends with its input. Every tool goes through the same one.
"""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests import faults
from tests.servers import LOOPBACK

ROOT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True)
class Upstream:
    """The server behind the proxy."""

    port: int
    host: str = LOOPBACK


@dataclass(frozen=True)
class Passed:
    """What went through a proxy so far."""

    connections: int
    cpu: float
    """Processor seconds that the proxy itself used."""

    def __sub__(self, earlier: Passed) -> Passed:
        return Passed(self.connections - earlier.connections, self.cpu - earlier.cpu)


class Proxy:
    """A running proxy process."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self.port = int(self._answer())

    def passed(self) -> Passed:
        """The figures so far."""
        assert self._process.stdin
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        return Passed(**json.loads(self._answer()))

    def _answer(self) -> str:
        assert self._process.stdout
        if line := self._process.stdout.readline():
            return line
        raise RuntimeError("the proxy has ended")


@contextlib.contextmanager
def proxy(port: int, delay: float) -> Iterator[Proxy]:
    """A proxy in front of *port* that makes a round trip *delay* seconds longer."""
    command = [sys.executable, "-m", "bench.proxy", str(port), str(delay)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT
    ) as process:
        try:
            yield Proxy(process)
        finally:
            assert process.stdin
            process.stdin.close()


def main() -> None:
    port, delay = int(sys.argv[1]), float(sys.argv[2])
    with faults.proxy(Upstream(port), faults=faults.Faults(delay=delay)) as it:
        print(it.port, flush=True)
        for _ in sys.stdin:
            figures = {"connections": it.connections, "cpu": time.process_time()}
            print(json.dumps(figures), flush=True)


if __name__ == "__main__":
    main()
