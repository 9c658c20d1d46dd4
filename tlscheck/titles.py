"""Short titles of all rows of a sheet, those included that no look at the network bears on.

Such rows are no items: they have no parts, and nothing here gives them an answer.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from pydantic import TypeAdapter

from tlscheck.data import data_dir
from tlscheck.model import Words


@dataclass(frozen=True, slots=True)
class Section:
    """Rows that belong together."""

    first: int
    title: Words


@dataclass(frozen=True, slots=True)
class Titles:
    """The rows of one sheet that are no items of its checklist."""

    id: str
    """The checklist's."""
    section: tuple[Section, ...]
    """In the order of the rows."""
    titles: Mapping[int, Words]

    def rows(self, items: Mapping[str, Words]) -> Iterator[tuple[int, Words, Words]]:
        """Every row's number, its title and its section's; *items* are the checklist's own."""
        own = {int(number): title for number, title in items.items()}
        known = {**self.titles, **own}
        for number in sorted(known):
            section = max((s for s in self.section if s.first <= number), key=lambda s: s.first)
            yield number, known[number], section.title


def load(checklist: str) -> Titles | None:
    """The titles of the sheet that *checklist* is a part of; ``None``: it has no further rows."""
    file = data_dir("profiles") / "checklists" / "titles" / f"{checklist}.toml"
    if not file.is_file():
        return None
    table = tomllib.loads(file.read_text(encoding="utf-8"))
    return _READER.validate_python(table, extra="forbid")


_READER = TypeAdapter(Titles)
