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
from dataclasses import dataclass, replace
from typing import Any
from xml.etree.ElementTree import ParseError

import defusedxml
import openpyxl
from openpyxl.cell.rich_text import CellRichText
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
    "said": re.compile(".{0,10}(?:対応策|countermeasure).{0,30}"),
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
_NO = re.compile(
    r"(?:いいえ|対象外|非該当|該当なし|(?:実施|対応|導入)?予定|未実施|未対応|no|n/a|notapplicable|planned)"
    + _BEHIND
)
"""Heads of columns in which a mark says no."""
_UNMARKED = frozenset(("", "□", "☐", "-", "ー", "－", "―", "−", "×", "✕", "0", "false", "no"))
_ANSWER = re.compile(
    r"(?:回答|対応|状況|適否|可否|(?:対応|実施)(?:状況|有無|の有無)|はい/いいえ|status|answer)"
    + _BEHIND
)
"""Heads of columns whose words may say no."""
_SHORT_NO = re.compile(
    r"[×✕✖✗✘]|いいえ|否|無|ng|no|不可|不適合|(?:対応)?不要|対象外|非該当|該当なし|未.{0,6}|(?:実施|対応)?予定"
    r"|計画中|検討中|準備中|来年度|来期|[0-9]{4}年.{0,8}|n/a|false|planned|ただし.*"
)
"""What says no, or later, wherever it stands in a row."""
_JUDGED = re.compile("判定結果.*|確認した.*|改善策.*|result|evidence")
"""Heads of the evaluator's columns, and not the vendor's."""
_ABOUT = re.compile(
    r"(?:対象)?(?:システム|機器|装置|機能|環境|拠点|区間|経路)(?:名称?)?"
    + _BEHIND
    + "|systems?|devices?"
)
"""Heads of columns that say what a row speaks of, other than by hosts."""
_UNSURE = re.compile("予定|今後|将来|未|例|推奨|要求|計画|医療機関|plan|example|recommend|required")
"""In a head of claims: they are none."""
_AGAIN = re.compile(r".{0,10}(?:対応策|countermeasures?)(?:の?内容)?" + _BEHIND)
"""The head of a further table, below another."""
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
    targets: tuple[str, ...]
    """Of which it speaks; none: of all."""
    words: str
    why: Why | None = None
    """Why it is not to be read."""
    about: tuple[str, ...] = ()
    """What else the row says that it speaks of."""


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
            Claim(
                each.kind,
                each.value,
                cell.item,
                target,
                each.words,
                cell.place,
                (*cell.about, *each.beside),
            )
            for each in found
            for target in cell.targets or ("",)
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
    return tuple(found)


def _opened(data: bytes) -> list[Cell] | None:
    book = openpyxl.load_workbook(
        io.BytesIO(data), read_only=True, keep_links=False, rich_text=True
    )
    found: list[Cell] | None = None
    for number, sheet in enumerate(book.worksheets):
        first = MOST_COLUMNS + 1 if number < MOST_SHEETS else 1
        over = sheet.iter_rows(max_row=_FIRST_ROWS, min_col=first, max_col=_LAST_COLUMN)
        if any(map(_heads, over)):
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
    tables: list[list[Cell]] = []
    for number, row in enumerate(rows, 1):
        again = _heads(row, _AGAIN if heads else None) if number <= MOST_ROWS else None
        if again is not None:
            heads = again
            tables.append([])
            continue
        if heads is None and number > MOST_ROWS:
            return None
        if heads is None:
            continue
        here = list(_cells(title, number, row, heads))
        if here and number > MOST_ROWS:
            raise _BeyondError(here[0].place)
        if not here and not tables[-1] and number <= MOST_ROWS:  # heads of two rows
            heads = replace(heads, no=(*heads.no, *_columns(row, _NO)))
        tables[-1] += here
    return [cell for table in tables for cell in _aimed(table)] if tables else None


def _aimed(table: Sequence[Cell]) -> Iterator[Cell]:
    """The cells; where rows name targets, one that names none may belong to any of them."""
    named = any(cell.targets for cell in table)
    for cell in table:
        aimless = named and not cell.targets and cell.why is None
        yield replace(cell, why=Why.NO_TARGET) if aimless else cell


@dataclass(frozen=True, slots=True)
class _Heads:
    """The columns by what they hold, counted from 0."""

    said: int
    further: tuple[int, ...]
    """Other columns that are headed like it."""
    item: int | None
    target: int | None
    no: tuple[int, ...]
    """Those in which a mark says no."""
    answer: tuple[int, ...]
    """Those whose words may."""
    judged: tuple[int, ...]
    """The evaluator's."""
    about: tuple[int, ...]
    """Those that say, in words, what a row speaks of."""
    unsure: bool
    """Whether the head says that the words below are no claims."""


def _columns(row: Sequence[Any], head: re.Pattern[str]) -> list[int]:
    texts = ((column, _text(cell)) for column, cell in enumerate(row))
    return [column for column, text in texts if text and head.fullmatch(_plain(text))]


def _heads(row: Sequence[Any], said: re.Pattern[str] | None = None) -> _Heads | None:
    """The columns, where the row is the one of heads; *said*: what that of the claims is called."""
    texts = {column: _plain(text) for column, cell in enumerate(row) if (text := _text(cell))}
    found = {name: _columns(row, head) for name, head in _HEADS.items()}
    if not (found["said"] if said is None else _columns(row, said)):
        return None
    column = min(found["said"], key=lambda column: texts[column] not in _SAID)
    return _Heads(
        column,
        tuple(other for other in found["said"] if other != column),
        next(iter(found["item"]), None),
        next(iter(found["target"]), None),
        tuple(_columns(row, _NO)),
        tuple(_columns(row, _ANSWER)),
        tuple(_columns(row, _JUDGED)),
        tuple(_columns(row, _ABOUT)),
        bool(_UNSURE.search(texts[column])),
    )


def _cells(title: str, number: int, row: Sequence[Any], heads: _Heads) -> Iterator[Cell]:
    def at(column: int | None) -> str:
        return _text(row[column]) if column is not None and column < len(row) else ""

    if not any(at(column).strip() for column in (heads.said, *heads.further)):
        return
    item = _first_number(row[: heads.said]) if heads.item is None else _number(at(heads.item))
    denied = any(_plain(at(column)) not in _UNMARKED for column in heads.no)
    denied = denied or any(prose.denies(at(column)) for column in heads.answer)
    others = set(range(len(row))) - {heads.said, heads.item, heads.target, *heads.no, *heads.judged}
    denied = denied or any(_SHORT_NO.fullmatch(_plain(at(column))) for column in others)
    aims, clear = _targets(at(heads.target))
    about = tuple(filter(None, (" ".join(at(column).split()) for column in heads.about)))
    for column in (heads.said, *heads.further):
        words = at(column)
        if words.strip():
            letter = openpyxl.utils.get_column_letter(column + 1)
            formula = getattr(row[column], "data_type", "") == "f"
            reasons = {
                Why.FORMULA: formula,
                Why.OTHER_COLUMN: column != heads.said,
                Why.STRUCK: _struck(row[column]),
                Why.BESIDE: denied or heads.unsure,
                Why.UNCLEAR_TARGET: not clear,
                Why.ELSEWHERE: any(map(prose.strays, about)),
            }
            why = next((why for why, so in reasons.items() if so), None)
            yield Cell(f"{title}!{letter}{number}", item, aims, words, why, about)


def _struck(cell: Any) -> bool:
    """Whether the cell, or a run of it, is struck through."""
    fonts = [getattr(cell, "font", None)]
    if isinstance(cell.value, CellRichText):
        fonts += (getattr(run, "font", None) for run in cell.value)
    return any(getattr(font, "strike", None) for font in fonts)


def _targets(text: str) -> tuple[tuple[str, ...], bool]:
    """The targets that a cell names, and whether it names nothing else."""
    found = tuple(filter(None, re.split(r"[\s,、，;；]+", text)))
    try:
        for each in found:
            targets.parse(each)
    except TargetError:
        return found, False
    return found, True


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
