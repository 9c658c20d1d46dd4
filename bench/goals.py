"""The table, and what is made of it: the goals and whether they were met."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from bench.rounds import FAR, LINKS, Figures

FASTER = 6
"""The goal: so many times faster than sslyze's default scan, at 60 ms a round trip."""
CONNECTIONS = 45
"""The goal: at most so many connections to a strict server."""
_BUSY = 0.5
"""A proxy that is at work for more of the time may be what was measured."""

_HEAD = (
    *("server", "link", "tool", "connections", "wall s", "cpu s", "peak MB"),
    *("versions", "suites", "wrong", "proxy busy"),
)


def table(rows: Iterable[Figures]) -> Iterator[str]:
    """The figures as lines of text."""
    cells = [_HEAD, *map(_cells, rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    left = 3
    for row in cells:
        words = [cell.ljust(width) for cell, width in zip(row[:left], widths[:left], strict=True)]
        words += [cell.rjust(width) for cell, width in zip(row[left:], widths[left:], strict=True)]
        yield "  ".join(words).rstrip()


def _cells(it: Figures) -> tuple[str, ...]:
    return (
        it.site,
        it.link,
        it.tool,
        "" if it.connections is None else f"{it.connections:g}",
        f"{it.wall:.2f}",
        f"{it.cpu:.2f}",
        f"{it.memory:.0f}",
        f"{it.versions}/{it.versions_true}",
        f"{it.suites}/{it.suites_true}",
        str(len(it.wrong)),
        "" if it.busy is None else f"{it.busy:.0%}",
    )


def remarks(rows: Iterable[Figures]) -> Iterator[str]:
    """What a reader of the table has to know besides; said once for all links."""
    links: dict[tuple[str, str, str], list[str]] = {}
    for it in rows:
        for words in _words(it):
            links.setdefault((it.tool, it.site, words), []).append(it.link)
    for (tool, site, words), those in links.items():
        yield f"{tool}, {site} ({', '.join(those)}): {words}"


def _words(it: Figures) -> Iterator[str]:
    if it.wrong:
        yield f"says accepted and is not: {_some(it.wrong)}"
    if it.trouble:
        yield f"not settled: {_some(it.trouble)}"
    if it.busy and it.busy > _BUSY:
        yield "the proxy was busy for more than half of the time, compare direct"


def _some(words: Sequence[str], most: int = 4, longest: int = 100) -> str:
    more = f" and {len(words) - most} more" if len(words) > most else ""
    return "; ".join(textwrap.shorten(each, longest) for each in words[:most]) + more


@dataclass(frozen=True)
class Goal:
    """A goal and what became of it."""

    words: str
    figure: float | None
    """None: it was not measured."""
    limit: float

    @property
    def met(self) -> bool | None:
        """None: not measured."""
        return None if self.figure is None else self.figure <= self.limit

    def __str__(self) -> str:
        if self.figure is None:
            return f"NOT MEASURED  {self.words}"
        return f"{'met    ' if self.met else 'NOT MET'}  {self.words}: {self.figure:.3g}"


def goals(rows: Sequence[Figures]) -> list[Goal]:
    """Each goal, judged by *rows*."""
    far = next(link for link, delay in LINKS.items() if delay == FAR)
    ours = {(it.site, it.link): it for it in rows if it.tool == "tlscheck"}
    theirs = {(it.site, it.link): it for it in rows if it.tool == "sslyze"}
    found = []
    for site in dict.fromkeys(it.site for it in rows):
        us, them = ours.get((site, far)), theirs.get((site, far))
        ratio = us.wall / them.wall if us and them else None
        found.append(
            Goal(f"{site}, {far}: wall / sslyze's, at most 1/{FASTER} (0.167)", ratio, 1 / FASTER)
        )
    counts = [it.connections for it in ours.values() if it.site == "strict" and it.connections]
    words = f"strict: connections, at most {CONNECTIONS}"
    found.append(Goal(words, max(counts, default=None), CONNECTIONS))
    misses = [len(it.wrong) + it.suites_true - it.suites + it.versions_true - it.versions
              for it in ours.values()]  # fmt: skip
    words = "everything: versions and suites missed or wrong, at most 0"
    found.append(Goal(words, sum(misses) if misses else None, 0))
    return found
