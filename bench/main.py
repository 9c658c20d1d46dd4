"""The command line of the bench. It always ends with exit code 0, and says what was met."""

from __future__ import annotations

import argparse
import json
import platform
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from bench import domains, goals, mass, ports, tools
from bench.rounds import LINKS, Figures, measured
from bench.sites import sites


def main(arguments: Sequence[str] | None = None) -> None:
    options = _options(arguments)
    with tempfile.TemporaryDirectory() as folder:
        try:
            if options.domains:
                result = _domains()
            elif options.ports:
                result = _ports()
            elif options.targets:
                result = _mass(options, Path(folder))
            else:
                result = _tools(options, Path(folder))
        except pytest.skip.Exception as missing:
            print(missing)
            return
    if options.json:
        options.json.write_text(json.dumps(result, indent=1) + "\n")


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="bench", description=__doc__)
    parser.add_argument("--runs", type=int, default=3, help="runs of each, of which the median")
    parser.add_argument("--only", metavar="TOOL", action="append", help="tlscheck, sslyze, …")
    parser.add_argument("--site", action="append", help="strict or permissive")
    parser.add_argument("--link", choices=LINKS, action="append")
    parser.add_argument("--targets", type=int, metavar="N", help="look at N endpoints at once")
    parser.add_argument("--domains", action="store_true", help="domains beside zonemaster-cli")
    parser.add_argument("--ports", action="store_true", help="silent ports beside nmap")
    parser.add_argument("--json", type=Path, metavar="FILE", help="keep the figures")
    return parser.parse_args(arguments)


def _mass(options: argparse.Namespace, folder: Path) -> dict[str, Any]:
    found = mass.mass(options.targets, folder)
    print(found)
    return asdict(found)


def _domains() -> dict[str, Any]:
    found = domains.compared()
    print(found)
    return asdict(found)


def _ports() -> dict[str, Any]:
    found = ports.compared()
    print(found)
    return asdict(found)


def _tools(options: argparse.Namespace, folder: Path) -> dict[str, Any]:
    chosen = [t for t in tools.installed() if not options.only or t.name.split()[0] in options.only]
    with sites(folder) as every:
        those = [site for site in every if not options.site or site.name in options.site]
        rows: list[Figures] = list(
            measured(those, chosen, options.link or LINKS, options.runs, folder)
        )
    for site in those:
        print(f"{site.name}: {site.words}")
    for name in ("sslscan", "nmap"):
        if not shutil.which(name):
            print(f"{name} is not installed and was left out")
    print(f"Median of {options.runs} runs; Python {platform.python_version()}.", end="\n\n")
    for line in goals.table(rows):
        print(line)
    print()
    for line in goals.remarks(rows):
        print(line)
    judged = goals.goals(rows)
    for goal in judged:
        print(goal)
    return {
        "runs": options.runs,
        "rows": [asdict(row) for row in rows],
        "goals": [{**asdict(goal), "met": goal.met} for goal in judged],
    }
