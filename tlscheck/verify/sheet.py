"""A filled sheet (.xlsx) to claims: rows by the heads of their columns, prose by `prose`.

The file comes from somebody else: it is opened by readers that follow no entity, and neither its
size, its cells nor its formulas cost more than a line.
"""

from __future__ import annotations

import io
import re
import warnings
import zipfile
import zlib
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any
from xml.etree.ElementTree import ParseError

import defusedxml
import defusedxml.ElementTree
import openpyxl
from openpyxl.utils.exceptions import InvalidFileException
from openpyxl.xml import DEFUSEDXML

from tlscheck.errors import ClaimsError
from tlscheck.text import visible
from tlscheck.verify import prose
from tlscheck.verify import row as row_of
from tlscheck.verify.claims import Claim, Claims, Unread, Why
from tlscheck.verify.row import Cell, Heads

MOST_BYTES = 20_000_000
"""Of the file."""
MOST_UNPACKED = 40_000_000
MOST_PARTS = 2000
MOST_SHEETS, MOST_ROWS, MOST_COLUMNS = 50, 5000, 60
MOST_WORDS = 20_000
"""Characters of a cell."""
MOST_PROSE = 400_000
"""Characters of all cells together."""
_FIRST_ROWS, _LAST_COLUMN = 40, 1000
"""Among which the heads stand."""

_BROKEN = (
    zipfile.BadZipFile,
    InvalidFileException,
    ParseError,
    defusedxml.DefusedXmlException,
    KeyError,
    ValueError,
    TypeError,
    AttributeError,
    IndexError,
    OSError,
    EOFError,
    NotImplementedError,
    RuntimeError,
    MemoryError,
    zipfile.LargeZipFile,
    zlib.error,
)
"""What openpyxl raises about files that are not what they should be."""


class _BeyondError(Exception):
    """Claims stand where nothing is read any more."""


def read(file: str, data: bytes) -> Claims:
    """The claims in the workbook *data*. ClaimsError."""
    read: list[tuple[Cell, Sequence[prose.Read]]] = []
    unread: list[Unread] = []
    near = defaultdict[str, list[str]](list)
    room = MOST_PROSE
    for cell in cells(file, data):
        most = min(MOST_WORDS, room)
        found, left = _read(cell, most)
        room -= len(cell.words) if not cell.why and len(cell.words) <= most else 0
        read.append((cell, found))
        unread += left
        near[cell.group] += (each.words for each in left)
    comments = _comments(file, data)
    for place, words in comments:
        unread.append(Unread(words[: prose.MOST], Why.COMMENT, place=place))
    for cell, _ in read:
        at = cell.place.rpartition("!")[2]
        near[cell.group] += (words for place, words in comments if place == at)
    claims = (
        Claim(each.kind, each.value, cell.item, target, each.words, cell.place, beside)
        for cell, found in read
        for beside in [tuple(dict.fromkeys((*cell.about, *near[cell.group])))]
        for each in found
        for target in cell.targets or ("",)
    )
    return Claims(file, tuple(claims), tuple(unread))


def _read(cell: Cell, most: int) -> tuple[Sequence[prose.Read], Sequence[Unread]]:
    """What the cell claims, and what of it was not read; all of it where it has too many words."""
    why = cell.why or (Why.TOO_LONG if len(cell.words) > most else None)
    if why:
        return (), [Unread(cell.words[: prose.MOST], why, cell.item, cell.place)]
    found, left = prose.read(cell.words)
    return found, [Unread(each.words, each.why, cell.item, cell.place) for each in left]


def cells(file: str, data: bytes) -> tuple[Cell, ...]:
    """The countermeasures in the workbook *data*, sheet by sheet. ClaimsError."""
    _weigh(file, data)
    try:
        with warnings.catch_warnings():  # of what openpyxl leaves out, which is not read here
            warnings.simplefilter("ignore")
            found = _opened(data)
    except _BeyondError as error:
        raise ClaimsError(
            "{file}, {place}: claims beyond {sheets} sheets, {rows} rows or {columns} columns are"
            " not read; give a smaller workbook",
            file=file,
            place=visible(str(error)),
            sheets=MOST_SHEETS,
            rows=MOST_ROWS,
            columns=MOST_COLUMNS,
        ) from None
    except _BROKEN as error:
        raise _unreadable(file, error) from None
    if found is None:
        raise ClaimsError(
            "{file}: no column is headed {head}; name the column of claims so",
            file=file,
            head="対応策",
        )
    return tuple(found)


def _comments(file: str, data: bytes) -> list[tuple[str, str]]:
    """The comments of all sheets, with the cell at which each stands. ClaimsError."""
    found = []
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as parts:
            for name in filter(_COMMENTS.fullmatch, parts.namelist()):
                for one in defusedxml.ElementTree.fromstring(parts.read(name)).iter():
                    if one.tag.rpartition("}")[2] in ("comment", "threadedComment"):
                        words = " ".join("".join(one.itertext()).split())
                        found.append((one.get("ref", ""), words))
    except _BROKEN as error:
        raise _unreadable(file, error) from None
    return [(place, words) for place, words in found if words]


_COMMENTS = re.compile(r"xl/(?:comments|threadedComments)[^.]*[.]xml")


def _opened(data: bytes) -> list[Cell] | None:
    book = openpyxl.load_workbook(
        io.BytesIO(data), read_only=True, keep_links=False, rich_text=True
    )
    found: list[Cell] | None = None
    for number, sheet in enumerate(book.worksheets):
        first = MOST_COLUMNS + 1 if number < MOST_SHEETS else 1
        over = sheet.iter_rows(max_row=_FIRST_ROWS, min_col=first, max_col=_LAST_COLUMN)
        if any(map(row_of.heads, over)):
            raise _BeyondError(sheet.title)
        if number < MOST_SHEETS:
            here = _of_sheet(sheet.title, sheet.iter_rows(max_col=MOST_COLUMNS))
            if here is not None and sheet.sheet_state != "visible":
                here = [replace(cell, why=cell.why or Why.HIDDEN) for cell in here]
            found = found if here is None else [*(found or []), *here]
    return found


def _weigh(file: str, data: bytes) -> None:
    """Refuse what would be too much to unpack; a part never gives more than it announces."""
    if not DEFUSEDXML:
        raise ClaimsError(
            "{file}: sheets are read with defusedxml only; install it (pip install defusedxml)",
            file=file,
        )
    try:
        parts = zipfile.ZipFile(io.BytesIO(data)).infolist()
    except (zipfile.BadZipFile, ValueError, OSError, NotImplementedError) as error:
        raise _unreadable(file, error) from None
    unpacked = sum(part.file_size for part in parts)
    if len(data) > MOST_BYTES or len(parts) > MOST_PARTS or unpacked > MOST_UNPACKED:
        raise ClaimsError(
            "{file}: too large ({size} bytes, {unpacked} unpacked); give the sheet alone",
            file=file,
            size=len(data),
            unpacked=unpacked,
        )


def _unreadable(file: str, error: Exception) -> ClaimsError:
    return ClaimsError(
        "{file}: cannot be read as a workbook ({detail}); save it anew as .xlsx",
        file=file,
        detail=type(error).__name__,
    )


def _of_sheet(title: str, rows: Iterable[Sequence[Any]]) -> list[Cell] | None:
    """The countermeasures of a sheet; ``None`` where none of its columns is headed so."""
    heads: Heads | None = None
    tables: list[_Table] = []
    above = [title]
    for number, row in enumerate(rows, 1):
        again = row_of.heads(row, again=heads is not None) if number <= MOST_ROWS else None
        if again is not None:
            heads = again
            above += filter(None, [row_of.alone(row)])  # a title may look like a head
            tables.append(_Table(title, tuple(filter(row_of.doubtful, above[-_ABOVE:]))))
            continue
        if heads is None:
            if number > MOST_ROWS:
                return None
            above += filter(None, [row_of.alone(row)])
            continue
        here = list(row_of.cells(title, number, row, heads))
        if here and number > MOST_ROWS:
            raise _BeyondError(here[0].place)
        if not here and not tables[-1].cells and number <= MOST_ROWS:
            heads = heads.and_below(row)
        tables[-1].take(number, here, row_of.alone(row) if number <= MOST_ROWS else "")
    return [cell for table in tables for cell in table.aimed()] if tables else None


_ABOVE = 5
"""So many headings above a table may be about it, with the sheet's title."""


@dataclass
class _Table:
    """The countermeasures below one row of heads."""

    title: str
    above: tuple[str, ...]
    """Headings that may take back what stands below them."""
    cells: list[Cell] = field(default_factory=list)
    section: tuple[str, ...] = ()
    """The last heading within the table, where it may do so."""
    notes: tuple[str, ...] = ()
    """Notes that may be about all cells."""
    group: str = ""

    def take(self, number: int, cells: Sequence[Cell], alone: str) -> None:
        """The next row: its cells, or the words that stand *alone* in it."""
        if not cells and alone.startswith(row_of.NOTES):
            self.notes += (alone,) if row_of.doubtful(alone) else ()
        elif not cells and alone:
            self.section = (alone,) if row_of.doubtful(alone) else ()
        if any(cell.item for cell in cells) or not self.group:
            self.group = f"{self.title}!{number}"
        self.cells += (
            replace(cell, about=(*self.section, *cell.about), group=self.group) for cell in cells
        )

    def aimed(self) -> Iterator[Cell]:
        """The cells; where rows name targets, one that names none may belong to any of them."""
        named = any(cell.targets for cell in self.cells)
        for cell in self.cells:
            aimless = named and not cell.targets and cell.why is None
            about = (*self.above, *cell.about, *self.notes)
            yield replace(cell, why=Why.NO_TARGET if aimless else cell.why, about=about)
