"""An evaluator's own workbook with the network rows filled in, and all else as it was.

Bytes in, bytes out. Only empty cells are written, as text; what the vendor says is never touched.
"""

from __future__ import annotations

import io
import logging
import re
import zipfile
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from openpyxl.utils.exceptions import InvalidFileException

from tlscheck import checklist
from tlscheck.config import Sheet
from tlscheck.errors import SheetError
from tlscheck.render.entries import Entry, entries, height
from tlscheck.render.fill import find, parts, raw, words
from tlscheck.render.fill.opened import cell as cell_at
from tlscheck.render.fill.opened import opened
from tlscheck.render.fill.same import differences, moved
from tlscheck.render.layout import layout
from tlscheck.report import Report
from tlscheck.text import Phrase, visible

_log = logging.getLogger(__name__)
_UNREADABLE = (*parts.BROKEN, InvalidFileException, TypeError, AttributeError, OSError)
"""What openpyxl raises on workbooks that are zips of XML, but not sound."""


_MOST_NAMED = 10

_MERGED_ONE = re.compile(rb'<mergeCell ref="[A-Z0-9:]+" ?/>')
_MERGED = re.compile(b"(?:" + _MERGED_ONE.pattern + b")+")


@dataclass(frozen=True, slots=True)
class Filled:
    """A new workbook."""

    data: bytes
    notes: tuple[Phrase, ...]
    """What was left alone or left out, and why."""


def check(data: bytes, name: str) -> None:
    """Whether the workbook can be filled, known before the work is done. SheetError."""
    parts.check(data, name)
    items = [item.id for item in checklist.load(layout().fill.checklist).items]
    try:
        _tables(opened(data, name, data_only=True), items, name)
    except _UNREADABLE:
        raise parts.broken(name) from None


def fill(data: bytes, name: str, report: Report, lang: str, head: Sheet | None = None) -> Filled:
    """The workbook *data*, called *name*, with what *report* says of the network. SheetError."""
    left = parts.check(data, name)
    wanted = layout().fill.checklist
    known = {
        item: entry for (sheet, item), entry in entries(report, lang).items() if sheet == wanted
    }
    if not known:
        raise SheetError(
            "{file}: is filled from the checklist {checklist}, which was not answered; judge with"
            " --checklist {checklist}",
            file=name,
            checklist=wanted,
        )
    try:
        saved, notes = _filled(data, name, known, head or Sheet(), report.scan.at)
    except _UNREADABLE:
        _log.debug("%s", name, exc_info=True)
        raise parts.broken(name) from None
    return Filled(saved, (*left, *notes))


def _filled(
    data: bytes, name: str, known: Mapping[str, Entry], head: Sheet, at: datetime
) -> tuple[bytes, tuple[Phrase, ...]]:
    """The new workbook, and what is to be told of it."""
    made, shown = opened(data, name), opened(data, name, data_only=True)
    work = _Work(name, made, shown)
    work.fill(known, head)
    out = io.BytesIO()
    made.save(out)
    saved = _repacked(out.getvalue(), at)
    lost = (
        *differences(opened(data, name), opened(saved, name), work.written),
        *moved(raw.values(data), raw.values(saved), work.written),
    )
    if lost:
        raise SheetError(
            "{file}: would be damaged: {cell} does not stay as it is; fill a copy without it",
            file=name,
            cell=tuple(visible(each) for each in dict.fromkeys(lost))[:_MOST_NAMED],
        )
    return saved, tuple(work.told())


def _tables(
    shown: Any, items: Collection[str], name: str
) -> tuple[Mapping[str, find.Grid], Mapping[str, find.Table]]:
    """The visible sheets, and the tables in them that have rows of *items*. SheetError."""
    grids = {
        sheet.title: find.Grid(sheet)
        for sheet in shown.worksheets
        if sheet.sheet_state == "visible"
    }
    found = {title: table for title, grid in grids.items() if (table := find.table(grid, items))}
    if not any(table.rows for table in found.values()):
        heads = layout().fill.heads
        raise SheetError(
            "{file}: no sheet has the heads {heads} with item numbers such as {number} below;"
            " give the evaluation sheet",
            file=name,
            heads=(heads["evidence"][0], heads["verdict"][0], heads["improvement"][0]),
            number=next(iter(items)),
        )
    return grids, found


def _repacked(data: bytes, at: datetime) -> bytes:
    """The workbook *data* as it would have been saved at the moment *at*."""
    moment = f"{at.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}".encode()
    out = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(data)) as old,
        zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as new,
    ):
        for part in old.namelist():
            content = old.read(part)
            if part == "docProps/core.xml":
                content = re.sub(rb"(<dcterms:modified[^>]*>)[^<]*", rb"\g<1>" + moment, content)
            if part.startswith("xl/worksheets/"):  # openpyxl keeps merged cells as a set
                content = _MERGED.sub(_sorted, content)
            info = zipfile.ZipInfo(part, (1980, 1, 1, 0, 0, 0))
            info.compress_type = zipfile.ZIP_DEFLATED
            new.writestr(info, content)
    return out.getvalue()


def _sorted(cells: re.Match[bytes]) -> bytes:
    return b"".join(sorted(_MERGED_ONE.findall(cells[0])))


@dataclass(slots=True)
class _Work:
    """One workbook while it is filled."""

    name: str
    made: Any
    shown: Any
    """The same with the values that its formulas had."""
    notes: list[Phrase] = field(default_factory=list)
    left: dict[tuple[object, ...], tuple[Phrase, dict[str, None]]] = field(default_factory=dict)
    """Cells that were not written, by sheet and reason."""
    written: set[tuple[str, int, int]] = field(default_factory=set)
    """Sheet, row and column of each cell that got a text."""

    def fill(self, known: Mapping[str, Entry], head: Sheet) -> None:
        """All rows that are there. SheetError where there are none."""
        grids, tables = _tables(self.shown, known, self.name)
        for item, entry in known.items():
            self._item(item, entry, tables, grids)
        for title in tables:
            self._head(title, grids[title], head)

    def _item(
        self,
        item: str,
        entry: Entry,
        tables: Mapping[str, find.Table],
        grids: Mapping[str, find.Grid],
    ) -> None:
        places = [(title, box) for title, t in tables.items() for box in t.rows.get(item, ())]
        if len(places) != 1:
            why = Phrase("stands there more than once") if places else Phrase("is not there")
            self.notes.append(
                Phrase("{file}: item {item} {why}: not filled", file=self.name, item=item, why=why)
            )
            return
        [(title, rows)] = places
        for role in ("evidence", "verdict", "improvement"):
            column = tables[title].columns.get(role)
            text = getattr(entry, role)
            if column is not None and text:
                cell = self._cell(title, grids[title], rows, column)
                if cell is not None and role == "verdict":
                    text = self._verdict(title, entry, cell.coordinate)
                if cell is not None and text:
                    self._write(title, cell, text)
                    if rows.top == rows.bottom:
                        _grow(self.made[title], cell)

    def _cell(self, title: str, grid: find.Grid, rows: find.Box, column: int) -> Any:
        """The cell of an item's *rows* in *column*; ``None`` where it is not free for it alone."""
        box = grid.box(rows.top, column)
        cell = cell_at(self.made[title], box.top, box.left)
        alone = rows.top <= box.top and box.bottom <= rows.bottom and box.left == box.right
        if not alone:
            why = Phrase("merged with others")
        elif cell.value not in (None, ""):
            why = Phrase("not empty")
        else:
            return cell
        self._leave(title, cell.coordinate, why)
        return None

    def _verdict(self, title: str, entry: Entry, at: str) -> str:
        sheet = self.made[title]
        word = words.verdict(entry.answer, entry.verdict, sheet, at, self.shown)
        if not word:
            self._leave(title, at, Phrase("no word in the list for “{word}”", word=entry.verdict))
        return word

    def _leave(self, title: str, at: str, why: Phrase) -> None:
        key = (title, why.template, *why.values.values())
        self.left.setdefault(key, (why, {}))[1][at] = None

    def told(self) -> Iterator[Phrase]:
        """What is to be said of it all, a line a reason."""
        yield from self.notes
        for (title, *_), (why, cells) in self.left.items():
            yield Phrase(
                "{file}: {sheet} {cells}: {why}; left as it was",
                file=self.name,
                sheet=visible(str(title)),
                cells=tuple(cells),
                why=why,
            )

    def _head(self, title: str, grid: find.Grid, head: Sheet) -> None:
        names = {
            find.normal(name): each.key
            for each in layout().head
            for name in (each.name.ja, each.name.en)
        }
        for key, box in find.fields(grid, names):
            text = visible(getattr(head, key))
            cell = cell_at(self.made[title], box.top, box.left)
            if text and cell.value in (None, ""):
                self._write(title, cell, text)

    def _write(self, title: str, cell: Any, text: str) -> None:
        """Put *text* there as text: never a formula, an error or a number, whatever it says."""
        cell.value = _escaped(text)
        cell.data_type = "s"
        self.written.add((title, cell.row, cell.column))


def _grow(sheet: Any, cell: Any) -> None:
    """Make the row as high as the text in *cell* needs; never lower than it was."""
    size = cell.font.sz or 11
    columns = (d for d in sheet.column_dimensions.values() if d.min and d.max)
    widths = (d.width for d in columns if d.min <= cell.column <= d.max)
    width = next(widths, sheet.sheet_format.defaultColWidth or 8.43)
    row = sheet.row_dimensions[cell.row]
    if cell.alignment.wrap_text and not row.hidden:
        needed = height(cell.value, size=size, width=width * 11 / size)
        row.height = max(needed, row.height or 0)


def _escaped(text: str) -> str:
    """*text* where spreadsheets see no characters spelt as ``_x0041_``, which they put back."""
    return re.sub(r"_(?=x[0-9A-Fa-f]{4}_)", "_x005F_", text)
