"""Rounds of runs, and the figures of a tool at a site over a link: medians of its runs."""

from __future__ import annotations

import contextlib
import statistics
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.measure import Cost, run
from bench.proxy import Passed, proxy
from bench.sites import Site
from bench.tools import Found, Tool

FAR = 0.06
LINKS: dict[str, float | None] = {"direct": None, "0 ms": 0.0, "60 ms": FAR}
"""How the server is reached: without the proxy, or with it and so much longer a round trip."""


@dataclass(frozen=True)
class Run:
    """One run of a tool."""

    cost: Cost
    passed: Passed | None
    """None where no proxy was in between."""
    found: Found | None
    """None: it gave no report."""


@dataclass(frozen=True)
class Figures:
    """What a tool's runs at a site over a link come to, as medians."""

    site: str
    link: str
    tool: str
    connections: float | None
    wall: float
    cpu: float
    memory: float
    busy: float | None
    """The share of the time in which the proxy itself was at work."""
    versions: int
    """How many of the accepted versions every run found."""
    versions_true: int
    suites: int
    """How many of the accepted suites every run found."""
    suites_true: int
    wrong: tuple[str, ...]
    """What any run says is accepted, and is not."""
    trouble: tuple[str, ...]
    """What any run says it could not settle, and how runs failed."""


def measured(
    sites: Sequence[Site], tools: Sequence[Tool], links: Iterable[str], runs: int, folder: Path
) -> Iterator[Figures]:
    """The figures of every tool at every site over every link."""
    for site in sites:
        for link in links:
            taken = _runs(site, link, tools, runs, folder)
            for tool in tools:
                yield figures(site, link, tool, taken[tool.name])


def _runs(
    site: Site, link: str, tools: Sequence[Tool], runs: int, folder: Path
) -> dict[str, list[Run]]:
    """The runs of every tool, which take turns, each round in the other order."""
    taken: dict[str, list[Run]] = {tool.name: [] for tool in tools}
    delay = LINKS[link]
    with contextlib.ExitStack() as stack:
        between = None if delay is None else stack.enter_context(proxy(site.port, delay))
        for number in range(runs):
            for tool in tools if number % 2 == 0 else reversed(tools):
                print(f"{site.name}, {link}: {tool.name}, run {number + 1}", file=sys.stderr)
                report = folder / "report"
                report.unlink(missing_ok=True)
                before = between and between.passed()
                command = tool.command(between.port if between else site.port, report)
                cost = run(command, folder / "errors")
                passed = between.passed() - before if between and before else None
                taken[tool.name].append(Run(cost, passed, _found(tool, cost, report)))
    return taken


def _found(tool: Tool, cost: Cost, report: Path) -> Found | None:
    if cost.code not in tool.fine or not report.exists():
        return None
    return tool.read(report.read_text())


def figures(site: Site, link: str, tool: Tool, runs: Sequence[Run]) -> Figures:
    """What *runs* come to, and how their reports agree with the truth."""
    passed = [it.passed for it in runs if it.passed]
    finds = [it.found or Found({}) for it in runs]
    every = [{(v, s) for v, names in found.suites.items() for s in names} for found in finds]
    truth = {(v, s) for v, names in site.truth.items() for s in names}
    versions = set(site.truth).intersection(*(found.suites for found in finds))
    wrong = set().union(*every) - truth
    false = set().union(*(found.suites for found in finds)) - set(site.truth)
    trouble = {words for found in finds for words in found.open}
    trouble |= {f"exit {it.cost.code}: {it.cost.words}" for it in runs if it.found is None}
    return Figures(
        site.name,
        link,
        tool.name,
        connections=statistics.median(it.connections for it in passed) if passed else None,
        wall=statistics.median(it.cost.wall for it in runs),
        cpu=statistics.median(it.cost.cpu for it in runs),
        memory=statistics.median(it.cost.memory for it in runs),
        busy=_busy(runs),
        versions=len(versions),
        versions_true=len(site.truth),
        suites=len(truth.intersection(*every)),
        suites_true=len(truth),
        wrong=(*sorted(false), *sorted(f"{version} {suite}" for version, suite in wrong)),
        trouble=tuple(sorted(trouble)),
    )


def _busy(runs: Sequence[Run]) -> float | None:
    shares = [it.passed.cpu / it.cost.wall for it in runs if it.passed]
    return max(shares) if shares else None
