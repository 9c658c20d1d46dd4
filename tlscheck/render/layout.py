"""What spreadsheets look like, and how foreign ones are read, as ``reports/xlsx.toml`` says."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Literal

from pydantic import TypeAdapter

from tlscheck.data import data_dir
from tlscheck.model import Words


@dataclass(frozen=True, slots=True)
class Column:
    """A column, and which of a row's texts stands in it."""

    key: str
    name: Words
    width: float
    choices: str = ""
    """The list that its cells offer: ``answers``, ``verdicts`` or one of `Layout.choices`."""
    code: bool = False
    """In a typewriter's letters."""


@dataclass(frozen=True, slots=True)
class Form:
    """A sheet."""

    columns: tuple[Column, ...]
    name: Words | None = None
    paper: Literal["A3", "A4"] = "A4"
    filter: bool = False
    """Whether its rows can be chosen by their values."""


@dataclass(frozen=True, slots=True)
class Choices:
    """What official forms offer, in both languages: for what is met, for what is not, and more."""

    ja: tuple[str, ...]
    en: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Colours:
    """RGB, as ``RRGGBB``."""

    head: str
    band: str
    label: str
    border: str
    words: Mapping[str, str]
    """Of answers."""
    verdicts: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Head:
    """A field above an evaluation sheet, by its key in the configuration."""

    key: str
    name: Words


@dataclass(frozen=True, slots=True)
class Fill:
    """How the cells of evaluators' own workbooks are found."""

    checklist: str
    """Whose form they have."""
    heads: Mapping[str, tuple[str, ...]]
    """How the heads of columns begin."""
    words: Mapping[str, tuple[str, ...]]
    """What a drop-down may call each answer."""


@dataclass(frozen=True, slots=True)
class Layout:
    """The whole file."""

    font: str
    size: float
    colours: Colours
    choices: Mapping[str, Choices]
    head: tuple[Head, ...]
    forms: Mapping[str, Form]
    """By checklist, ``other`` for all others."""
    sheets: Mapping[str, Form]
    fill: Fill

    def form(self, checklist: str) -> Form:
        """The form of a checklist."""
        return self.forms.get(checklist, self.forms["other"])


@cache
def layout() -> Layout:
    """The layout."""
    text = (data_dir("reports") / "xlsx.toml").read_text(encoding="utf-8")
    return TypeAdapter(Layout).validate_python(tomllib.loads(text), extra="forbid")
