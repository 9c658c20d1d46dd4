"""On which line of a TOML text a key stands, which its parser does not tell."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

Path = tuple[str | int, ...]
"""Keys, and places in lists, from the top down."""
_MOST = 500
"""Lines of one statement; a longer one is not read on."""


def line_of(text: str, place: Sequence[str | int]) -> int:
    """The line on which the value at *place* stands, or the nearest that it is part of; 0: none."""
    known = _lines(text)
    for length in range(len(place), 0, -1):
        if line := known.get(tuple(place[:length])):
            return line
    return 0


def _lines(text: str) -> Mapping[Path, int]:
    """The line of every value in *text*, the first where there are several."""
    found: dict[Path, int] = {}
    counts: dict[Path, int] = {}
    table: Path = ()
    for number, statement, parsed in _statements(text):
        if statement.lstrip().startswith("["):
            table = _table(parsed, counts)
            found.setdefault(table, number)
            continue
        for path in _paths(parsed):
            names = [part for part in path if isinstance(part, str)]
            offset = _offset(statement, names[-1]) if len(names) > 1 else 0
            found.setdefault((*table, *path), number + offset)
    return found


def _statements(text: str) -> Iterator[tuple[int, str, dict[str, Any]]]:
    """Each statement with the line it begins on: it ends on the first line that makes it TOML."""
    begin, lines = 1, list[str]()
    for number, line in enumerate(text.replace("\r\n", "\n").split("\n"), 1):
        lines.append(line)
        statement = "\n".join(lines)
        try:
            parsed = tomllib.loads(statement)
        except tomllib.TOMLDecodeError:
            if len(lines) > _MOST:
                return
            continue
        if parsed:
            yield begin, statement, parsed
        begin, lines = number + 1, []


def _table(parsed: Any, counts: dict[Path, int]) -> Path:
    """Where the header that was *parsed* leads; entries of ``[[lists]]`` are counted."""
    path: Path = ()
    while parsed:
        if isinstance(parsed, list):
            counts[path] = counts.get(path, -1) + 1
            return (*path, counts[path])
        if path in counts:
            path = (*path, counts[path])
        ((name, parsed),) = parsed.items()
        path = (*path, name)
    return path


def _paths(value: Any, path: Path = ()) -> Iterator[Path]:
    """Where each value below *value* is."""
    if path:
        yield path
    match value:
        case dict():
            for name, each in value.items():
                yield from _paths(each, (*path, name))
        case list():
            for number, each in enumerate(value):
                yield from _paths(each, (*path, number))


def _offset(statement: str, name: str) -> int:
    """How many lines below its begin a statement says *name* first."""
    found = re.search(rf"(?<![\w-])[\"']?{re.escape(name)}[\"']?\s*=", statement)
    return statement.count("\n", 0, found.start()) if found else 0
