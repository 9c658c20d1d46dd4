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
from collections.abc import Iterable, Mapping, Sequence
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
_FIRST_ROWS = 40
"""Among which the heads stand."""

_HEADS: Mapping[str, tuple[str, ...]] = {
    "said": ("対応策", "countermeasure"),
    "item": ("項番", "項目番号", "番号", "no", "no.", "item no.", "item"),
    "target": ("対象", "接続先", "target"),
}
"""What the heads of the columns begin with; of the numbers' column all there is to it."""
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
    formula: bool = False


def read(file: str, data: bytes) -> Claims:
    """The claims in the workbook *data*. ClaimsError."""
    claims: list[Claim] = []
    unread: list[Unread] = []
    room = MOST_PROSE
    for cell in cells(file, data):
        if cell.formula or len(cell.words) > min(MOST_WORDS, room):
            why = Why.FORMULA if cell.formula else Why.TOO_LONG
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
    for sheet in book.worksheets[:MOST_SHEETS]:
        rows = sheet.iter_rows(max_row=MOST_ROWS, max_col=MOST_COLUMNS)
        here = _of_sheet(sheet.title, rows)
        if here is not None:
            found = [*(found or []), *here]
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
    heads: dict[str, int] | None = None
    found: list[Cell] = []
    for number, row in enumerate(rows, 1):
        if heads is None:
            heads = _heads(row)
            if heads is None and number >= _FIRST_ROWS:
                return None
        elif cell := _cell(title, number, row, heads):
            found.append(cell)
    return None if heads is None else found


def _heads(row: Sequence[Any]) -> dict[str, int] | None:
    """The columns by what they hold, where the row is the one of heads."""
    texts = [_plain(_text(cell)) for cell in row]
    found: dict[str, int] = {}
    for name, words in _HEADS.items():
        exact = name == "item"
        for column, text in enumerate(texts):
            if text in words or (not exact and text.startswith(words)):
                found.setdefault(name, column)
    return found if "said" in found else None


def _cell(title: str, number: int, row: Sequence[Any], heads: Mapping[str, int]) -> Cell | None:
    def at(name: str) -> str:
        column = heads.get(name, len(row))
        return _text(row[column]) if column < len(row) else ""

    words = at("said")
    if not words.strip():
        return None
    column = heads["said"]
    letter = openpyxl.utils.get_column_letter(column + 1)
    item = _number(at("item")) if "item" in heads else _first_number(row[:column])
    formula = getattr(row[column], "data_type", "") == "f"
    return Cell(f"{title}!{letter}{number}", item, at("target").strip(), words, formula)


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
