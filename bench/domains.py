"""Domains beside Zonemaster: the same zones, in the private root of the tests, in one run.

``python bench/bench.py --domains``: how long each takes for all zones, directly and with every zone
by itself, and which errors of Zonemaster about delegation, consistency and DNSSEC have no finding
of ours. Its errors that are none of these (addresses without reverse names, syntax) are left aside.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.servers import program
from tlscheck import targets

ROOT = Path(__file__).parents[1]
MODULES = ("BASIC", "CONNECTIVITY", "CONSISTENCY", "DELEGATION", "DNSSEC", "NAMESERVER")
EXPLAINED = {
    "CAN_NOT_BE_RESOLVED": "dns.name-servers-answer",
    "CHILD_NS_SAME_IP": "dns.spread",
    "DEL_NS_SAME_IP": "dns.spread",
    "EXTRA_NAME_PARENT": "dns.delegation",
    "IN_BAILIWICK_ADDR_MISMATCH": "dns.delegation",
    "OUT_OF_BAILIWICK_ADDR_MISMATCH": "dns.delegation",
    "IS_A_RECURSOR": "dns.recursion",
    "NO_RESPONSE_DNSKEY": "dns.name-servers-answer",
    "NO_GLUE_PREVENTS_NAMESERVER_TESTS": "dns.name-servers-answer",
    "NS_FAILED": "dns.name-servers-answer",
    "RRSIG_EXPIRED": "dns.dnssec",
    "SAME_IP_ADDRESS": "dns.spread",
}
"""The rule that has the same to say; what begins with a prefix below goes by that."""
PREFIXES = {
    "NOT_ENOUGH_": "dns.spread",
    "DS02_": "dns.dnssec",
    "DS08_": "dns.dnssec",
    "DS09_": "dns.dnssec",
    "DS10_": "dns.dnssec",
    "B02_": "dns.name-servers-answer",
}


@dataclass
class Compared:
    """What both said of the zones."""

    zones: int = 0
    ours: float = 0.0
    """Seconds for all zones in one run."""
    theirs: float = 0.0
    """Seconds for all zones, one after another: it takes one at a time."""
    errors: int = 0
    """Of theirs that are about delegation, consistency or DNSSEC."""
    missed: list[str] = field(default_factory=list)
    """Those of them that we have no finding for."""

    def __str__(self) -> str:
        ratio = self.ours / self.theirs if self.theirs else 0.0
        lines = [
            f"{self.zones} zones: tlscheck {self.ours:.1f} s, zonemaster-cli {self.theirs:.1f} s,"
            f" ratio {ratio:.2f} (goal: 0.20)",
            f"{self.errors} errors of Zonemaster, {len(self.missed)} without a finding of ours",
            *(f"  not found here: {line}" for line in self.missed),
        ]
        return "\n".join(lines)


def compared() -> Compared:
    """Both, over all zones of the world that have one."""
    program("zonemaster-cli")
    with tempfile.TemporaryDirectory() as folder:
        return _compared(Path(folder))


def _compared(folder: Path) -> Compared:
    own = ["unshare", "-n"] if os.geteuid() == 0 else ["unshare", "-rn"]
    environment = {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "XDG_CACHE_HOME": str(folder / "cache"),
        "PATH": os.environ["PATH"] + ":/usr/sbin",
    }
    with subprocess.Popen(
        [program(own[0]), *own[1:], sys.executable, "-m", "tests.world", str(folder)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment, cwd=ROOT,
    ) as world:  # fmt: skip
        assert world.stdin
        assert world.stdout

        def run(command: list[str]) -> dict[str, Any]:
            assert world.stdin
            assert world.stdout
            world.stdin.write(json.dumps(command) + "\n")
            world.stdin.flush()
            done: dict[str, Any] = json.loads(world.stdout.readline())
            return done

        zones = json.loads(world.stdout.readline())["zones"]
        names = [name for name in zones if targets.registrable(name) == name]
        found = Compared(zones=len(names))
        done = run([sys.executable, "-m", "tlscheck", "scan", "--only", "dns", "-c",
                    "tlscheck.toml", "--save", "ours.json", "-o", "ours.txt", *names])  # fmt: skip
        found.ours = done["seconds"]
        scan = json.loads((folder / "ours.json").read_text())
        for name in names:
            theirs = run(["zonemaster-cli", "--raw", "--show-module", "--no-ipv6", "--no-time",
                          "--hints", "hints", "--level", "ERROR", name])  # fmt: skip
            found.theirs += theirs["seconds"]
            for module, tag in _errors(theirs["out"]):
                if module in MODULES:
                    found.errors += 1
                    if _rule(tag) not in _failed(scan, name):
                        found.missed.append(f"{name}: {module} {tag}")
        world.stdin.close()
    return found


def _errors(said: str) -> Iterator[tuple[str, str]]:
    for line in said.splitlines():
        if found := re.match(r"\s*[\d.]*\s*(?:ERROR|CRITICAL)\s+(\S+)\s+(\S+)", line):
            yield found[1], found[2]


def _rule(tag: str) -> str:
    known = (rule for prefix, rule in PREFIXES.items() if tag.startswith(prefix))
    return EXPLAINED.get(tag) or next(known, "")


def _failed(scan: dict[str, Any], name: str) -> set[str]:
    return {
        finding["rule"]
        for finding in scan["findings"]
        if finding["target"] == name and finding["verdict"] == "fail"
    }
