"""A filled sheet (.xlsx) to claims: rows by the heads of their columns, prose by `prose`.

The file comes from somebody else: it is opened by readers that follow no entity, and neither its
size, its cells nor its formulas cost more than a line.
"""

from __future__ import annotations

import io
import re
import unicodedata
import warnings
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from xml.etree.ElementTree import ParseError

import defusedxml
import openpyxl
from openpyxl.utils.exceptions import InvalidFileException
from openpyxl.xml import DEFUSEDXML

from tlscheck import targets
from tlscheck.errors import ClaimsError, TargetError
from tlscheck.text import visible
from tlscheck.verify import prose
from tlscheck.verify.claims import Claim, Claims, Unread, Why

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

_SAID = ("対応策", "countermeasure")
_BEHIND = r"(?:\(.*)?"
_HEADS: Mapping[str, re.Pattern[str]] = {
    "said": re.compile("(?:対応策|countermeasure).*"),
    "item": re.compile(r"項番|項目番号|番号|no\.?|itemno\.|item"),
    "target": re.compile(
        r"(?:検査|評価)?対象(?:サーバー?|ホスト名?|url|fqdn)?"
        + _BEHIND
        + r"|接続先(?:サーバー?|ホスト名?|url|fqdn)?"
        + _BEHIND
        + r"|targets?"
        + _BEHIND
    ),
}
"""What the heads of the columns are, without spaces. A column headed 対象外 is none of targets."""
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


@dataclass(frozen=True, slots=True)
class Cell:
    """A countermeasure as it stands in the sheet."""

    place: str
    item: str
    target: str
    words: str
    why: Why | None = None
    """Why it is not to be read."""


class _BeyondError(Exception):
    """Claims stand where nothing is read any more."""


def read(file: str, data: bytes) -> Claims:
    """The claims in the workbook *data*. ClaimsError."""
    claims: list[Claim] = []
    unread: list[Unread] = []
    room = MOST_PROSE
    for cell in cells(file, data):
        why = cell.why or (Why.TOO_LONG if len(cell.words) > min(MOST_WORDS, room) else None)
        if why:
            unread.append(Unread(cell.words[: prose.MOST], why, cell.item, cell.place))
            continue
        room -= len(cell.words)
        found, left = prose.read(cell.words)
        claims += (
            Claim(each.kind, each.value, cell.item, cell.target, each.words, cell.place)
            for each in found
        )
        unread += (Unread(each.words, each.why, cell.item, cell.place) for each in left)
    return Claims(file, tuple(claims), tuple(unread))


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
        raise ClaimsError(
            "{file}: cannot be read as a workbook ({detail}); save it anew as .xlsx",
            file=file,
            detail=type(error).__name__,
        ) from None
    if found is None:
        raise ClaimsError(
            "{file}: no column is headed {head}; name the column of claims so",
            file=file,
            head="対応策",
        )
    return tuple(_known(file, cell) for cell in found)


def _opened(data: bytes) -> list[Cell] | None:
    book = openpyxl.load_workbook(io.BytesIO(data), read_only=True, keep_links=False)
    found: list[Cell] | None = None
    for number, sheet in enumerate(book.worksheets):
        first = MOST_COLUMNS + 1 if number < MOST_SHEETS else 1
        over = sheet.iter_rows(max_row=_FIRST_ROWS, min_col=first, max_col=_LAST_COLUMN)
        if any(map(_heads, over)):
            raise _BeyondError(sheet.title)
        if number < MOST_SHEETS:
            here = _of_sheet(sheet.title, sheet.iter_rows(max_col=MOST_COLUMNS))
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
        raise ClaimsError(
            "{file}: cannot be read as a workbook ({detail}); save it anew as .xlsx",
            file=file,
            detail=type(error).__name__,
        ) from None
    unpacked = sum(part.file_size for part in parts)
    if len(data) > MOST_BYTES or len(parts) > MOST_PARTS or unpacked > MOST_UNPACKED:
        raise ClaimsError(
            "{file}: too large ({size} bytes, {unpacked} unpacked); give the sheet alone",
            file=file,
            size=len(data),
            unpacked=unpacked,
        )


def _of_sheet(title: str, rows: Iterable[Sequence[Any]]) -> list[Cell] | None:
    """The countermeasures of a sheet; ``None`` where none of its columns is headed so."""
    heads: _Heads | None = None
    found: list[Cell] = []
    for number, row in enumerate(rows, 1):
        if heads is None:
            heads = _heads(row)
            if heads is None and number >= _FIRST_ROWS:
                return None
            continue
        here = list(_cells(title, number, row, heads))
        if here and number > MOST_ROWS:
            raise _BeyondError(here[0].place)
        found += here
    return None if heads is None else found


@dataclass(frozen=True, slots=True)
class _Heads:
    """The columns by what they hold, counted from 0."""

    said: int
    further: tuple[int, ...]
    """Other columns that are headed like it."""
    item: int | None
    target: int | None


def _heads(row: Sequence[Any]) -> _Heads | None:
    """The columns, where the row is the one of heads."""
    texts = {column: _plain(text) for column, cell in enumerate(row) if (text := _text(cell))}
    found = {
        name: [column for column, text in texts.items() if head.fullmatch(text)]
        for name, head in _HEADS.items()
    }
    if not found["said"]:
        return None
    said = min(found["said"], key=lambda column: texts[column] not in _SAID)
    return _Heads(
        said,
        tuple(column for column in found["said"] if column != said),
        next(iter(found["item"]), None),
        next(iter(found["target"]), None),
    )


def _cells(title: str, number: int, row: Sequence[Any], heads: _Heads) -> Iterator[Cell]:
    def at(column: int | None) -> str:
        return _text(row[column]) if column is not None and column < len(row) else ""

    item = _first_number(row[: heads.said]) if heads.item is None else _number(at(heads.item))
    for column in (heads.said, *heads.further):
        words = at(column)
        if words.strip():
            letter = openpyxl.utils.get_column_letter(column + 1)
            formula = getattr(row[column], "data_type", "") == "f"
            other = Why.OTHER_COLUMN if column != heads.said else None
            why = Why.FORMULA if formula else other
            yield Cell(f"{title}!{letter}{number}", item, at(heads.target).strip(), words, why)


def _text(cell: Any) -> str:
    value = getattr(cell, "value", None)
    if value is None or isinstance(value, bool):
        return ""
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)


def _plain(text: str) -> str:
    return "".join(unicodedata.normalize("NFKC", text[:200]).split()).casefold()


_ITEM = re.compile(r"[A-Za-z0-9][A-Za-z0-9.-]{0,30}")


def _number(text: str) -> str:
    """The item's id in a cell such as ``44`` or ``項番44``; empty where there is none."""
    plain = unicodedata.normalize("NFKC", text[:200]).strip().removeprefix("項番").strip(" .()")
    return plain if _ITEM.fullmatch(plain) else ""


def _first_number(row: Sequence[Any]) -> str:
    """The item's id where its column has no head, as in the official sheet."""
    found = (_number(_text(cell)) for cell in row[:4])
    return next((number for number in found if number[:1].isdigit()), "")


def _known(file: str, cell: Cell) -> Cell:
    """*cell*, if its target is one. ClaimsError."""
    if cell.target:
        try:
            targets.parse(cell.target)
        except TargetError as error:
            raise ClaimsError(
                "{file}, {place}: {error}", file=file, place=visible(cell.place), error=error
            ) from None
    return cell
