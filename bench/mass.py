"""Many endpoints in one process: what each of them costs."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from pathlib import Path

from bench.measure import run
from bench.sites import crowd


@dataclass(frozen=True)
class Mass:
    """What a look at many endpoints in one process cost."""

    targets: int
    complete: int
    """Endpoints of which nothing was missed."""
    connections: int
    """By nginx's own count."""
    counted: int
    """By the scan file."""
    wall: float
    cpu: float
    memory: float

    def __str__(self) -> str:
        each = self.targets
        return (
            f"{each} targets in one process, {self.complete} of them complete:"
            f" {self.wall:.1f} s wall ({each / self.wall:.2g} a second),"
            f" {self.cpu / each:.2f} s cpu and {self.connections / each:.3g} connections each"
            f" (the scan file counts {self.counted / each:.3g}), {self.memory:.0f} MB at the most"
        )


def mass(count: int, folder: Path) -> Mass:
    """Look at *count* strict endpoints at once; not through a proxy."""
    report = folder / "report"
    with crowd(folder, count) as them:
        command = [sys.executable, "-m", "tlscheck", "scan", "-f", "json", "-o", str(report)]
        for it in them.members:
            command += [f"{it.host}:{it.port}", "--resolve", f"{it.host}:{it.port}:{it.address}"]
        before = them.taken()
        cost = run(command, folder / "errors", patience=60.0 * count)
        taken = them.taken() - before - 1
    if not report.exists():
        raise RuntimeError(f"exit {cost.code}: {cost.words}")
    looks = [it for it in json.loads(report.read_text())["targets"] if it["target"]]
    return Mass(
        targets=count,
        complete=sum(not it["missed"] for it in looks),
        connections=taken,
        counted=sum(it["connections"] for it in looks),
        wall=cost.wall,
        cpu=cost.cpu,
        memory=cost.memory,
    )
