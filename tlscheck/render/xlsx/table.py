"""A sheet before it is written: rows of texts by the keys of its columns."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from tlscheck.render.layout import Form


@dataclass(frozen=True, slots=True)
class Row:
    """A row; with a *band* in place of cells, a heading over all columns."""

    cells: Mapping[str, str]
    band: str = ""


@dataclass(frozen=True, slots=True)
class Table:
    """A sheet."""

    name: str
    form: Form
    title: str
    """Above everything."""
    head: tuple[tuple[str, str], ...]
    """Names and values between the title and the columns."""
    rows: tuple[Row, ...]
