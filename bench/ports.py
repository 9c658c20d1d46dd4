"""Silent ports beside nmap: the same thousand, behind the tests' packet filter, in one run.

``python bench/bench.py --ports``: how long each takes for 1,000 TCP ports that a filter drops.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

from tests.hosts import THERE
from tests.inside import Inside, inside
from tests.servers import program

PORTS = "1000-1999"
TIMEOUT = 3.0
"""Seconds, of tlscheck's own default."""
_OURS = (
    "scan", THERE, "--only", "ports", "--ports", PORTS, "--rate", "0", "--parallel", "1000",
    "--tries", "1", "--save", "scan.json", "-o", "report.txt",
)  # fmt: skip
_THEIRS = {
    "nmap -sT -Pn": ("-sT", "-Pn", "-n"),
    # It waits 0.3 s for an answer then, and once.
    "nmap -sT -Pn -T5 --max-retries 0 --min-parallelism 1000": (
        "-sT", "-Pn", "-n", "-T5", "--max-retries", "0", "--min-parallelism", "1000",
    ),
}  # fmt: skip


@dataclass
class Compared:
    """Seconds for all ports."""

    ours: float = 0.0
    """Of the look alone, as the scan says."""
    whole: float = 0.0
    """Of the command."""
    dropped: int = 0
    """How many ports it calls silently dropped."""
    theirs: dict[str, float] = field(default_factory=dict)

    def __str__(self) -> str:
        lines = [
            f"{self.dropped} silent ports: the command took {self.whole:.1f} s,",
            f"the look {self.ours:.1f} s, {self.ours / TIMEOUT:.2f} of the timeout (goal: 1.50)",
        ]
        lines += [
            f"{name}: {seconds:.1f} s, ratio {self.whole / seconds:.2f}"
            for name, seconds in self.theirs.items()
        ]
        return "\n".join(lines)


def compared() -> Compared:
    """Both, one after the other."""
    for name in ("nmap", "ip", "nft", "nsenter", "nginx", "redis-server", "sshd", "snmpd"):
        program(name)
    with tempfile.TemporaryDirectory() as folder, inside("tests.hosts", Path(folder)) as hosts:
        found = Compared(whole=_timed(hosts, sys.executable, "-m", "tlscheck", *_OURS))
        (address,) = json.loads((Path(folder) / "scan.json").read_text())["targets"]
        seen = address["seen"]["ports"]
        found.ours, found.dropped = seen["seconds"], seen["counts"]["tcp"]["dropped"]
        for name, options in _THEIRS.items():
            found.theirs[name] = _timed(hosts, "nmap", *options, "-p", PORTS, THERE)
    return found


def _timed(hosts: Inside, *command: str) -> float:
    begun = time.perf_counter()
    done = hosts.run(*command)
    assert done["code"] in (0, 1, 3), done["err"]
    return time.perf_counter() - begun
