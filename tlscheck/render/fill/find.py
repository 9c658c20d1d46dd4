"""Where in an evaluator's workbook what belongs: columns by their heads, rows by item numbers."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any

from tlscheck.render.layout import layout

_NEAR = 3
"""Rows that the heads of one table may be apart."""
_NUMBER = re.compile(r"(?:no\.?|項番|#|\()?(\d{1,3})(?:\.0+)?[.)]?")


@dataclass(frozen=True, slots=True)
class Box:
    """A cell, or the cells that are merged into one."""

    top: int
    left: int
    bottom: int
    right: int

    def inner(self) -> Iterator[tuple[int, int]]:
        """All cells but the first, which alone shows."""
        rows = range(self.top, self.bottom + 1)
        cells = ((row, column) for row in rows for column in range(self.left, self.right + 1))
        return islice(cells, 1, None)


@dataclass(frozen=True, slots=True)
class Table:
    """A table for evaluations in one sheet."""

    columns: Mapping[str, int]
    """By role: ``evidence``, ``verdict`` …"""
    rows: Mapping[str, tuple[Box, ...]]
    """The cells with the numbers of items; more than one where a number stands there again."""


class Grid:
    """The values of one sheet, as they show, and which of its cells are one."""

    def __init__(self, sheet: Any) -> None:
        # The public ways through a sheet make every cell on the way, a million a column.
        self._merged = [
            Box(r.min_row, r.min_col, r.max_row, r.max_col) for r in sheet.merged_cells.ranges
        ]
        hidden = {at for box in self._merged for at in box.inner()}
        self.values = {
            at: cell.value
            for at, cell in sorted(sheet._cells.items())
            if cell.value is not None and at not in hidden
        }

    def box(self, row: int, column: int) -> Box:
        """The cell there with all that are merged with it."""
        for box in self._merged:
            if box.top <= row <= box.bottom and box.left <= column <= box.right:
                return box
        return Box(row, column, row, column)


def normal(value: object) -> str:
    """*value* as text, without what does not tell heads and words apart."""
    return "".join(unicodedata.normalize("NFKC", str(value)).split()).casefold()


def table(grid: Grid, items: Collection[str]) -> Table | None:
    """The first table of the sheet that has a column for verdicts and one to give reasons in."""
    heads = _heads(grid)
    for row, column in heads.get("verdict", ()):
        near = {
            role: min(close, key=lambda at: abs(at[0] - row))
            for role, places in heads.items()
            if (close := [at for at in places if abs(at[0] - row) <= _NEAR])
        } | {"verdict": (row, column)}
        if not near.keys() & {"evidence", "improvement"}:
            continue
        below = max(grid.box(*at).bottom for at in near.values()) + 1
        columns = {role: at[1] for role, at in near.items()}
        if "item" not in columns:
            columns["item"] = _likely(grid, below, min(columns.values()), items)
        return Table(columns, _rows(grid, below, columns["item"], items))
    return None


def _heads(grid: Grid) -> dict[str, list[tuple[int, int]]]:
    found: dict[str, list[tuple[int, int]]] = {}
    known = layout().fill.heads
    for at, value in grid.values.items():
        if isinstance(value, str):
            text = normal(value)
            for role, words in known.items():
                if text in words or (role != "item" and text.startswith(words)):
                    found.setdefault(role, []).append(at)
    return found


def _likely(grid: Grid, below: int, before: int, items: Collection[str]) -> int:
    """The column without a head that most numbers of items stand in, left of all others."""
    counts: dict[int, int] = {}
    for (row, column), value in grid.values.items():
        if row >= below and column < before and number(value) in items:
            counts[column] = counts.get(column, 0) + 1
    return max(counts, key=lambda column: counts[column], default=1)


def _rows(
    grid: Grid, below: int, column: int, items: Collection[str]
) -> dict[str, tuple[Box, ...]]:
    found: dict[str, tuple[Box, ...]] = {}
    for at, value in grid.values.items():
        if at[1] == column and at[0] >= below and (name := number(value)) in items:
            found[name] = (*found.get(name, ()), grid.box(*at))
    return found


def number(value: object) -> str:
    """The item number that a cell shows, empty where it shows none."""
    if isinstance(value, bool):
        return ""
    found = _NUMBER.fullmatch(normal(value))
    return str(int(found[1])) if found else ""


def fields(grid: Grid, names: Mapping[str, str]) -> Iterator[tuple[str, Box]]:
    """The cells right of those that show one of the *names* (as `normal` has them): the key of
    each, and its cell.
    """
    for at, value in grid.values.items():
        if isinstance(value, str) and (key := names.get(normal(value).rstrip(":"))):
            own = grid.box(*at)
            yield key, grid.box(own.top, own.right + 1)
