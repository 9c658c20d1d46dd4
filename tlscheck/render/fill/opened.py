"""A workbook as openpyxl has it, with what stands in the inner cells of merged ones."""

from __future__ import annotations

import io
import warnings
from collections.abc import Mapping
from copy import copy
from typing import Any

import openpyxl
from openpyxl.worksheet.cell_range import CellRange, MultiCellRange

from tlscheck.errors import SheetError
from tlscheck.render.fill import raw
from tlscheck.text import Phrase, visible


def opened(data: bytes, name: str, *, data_only: bool = False) -> Any:
    """The workbook, rich text included. SheetError where openpyxl would leave something out."""
    apart, merged = raw.apart(data)
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        made = openpyxl.load_workbook(io.BytesIO(apart), rich_text=True, data_only=data_only)
    left_out = [_named(str(w.message)) for w in said if "default style" not in str(w.message)]
    left_out += [Phrase("merged cells") for s in made.worksheets if s.merged_cells.ranges]
    if left_out:
        raise SheetError(
            "{file}: would be damaged ({detail}); fill a copy without it",
            file=name,
            detail=left_out[0],
        )
    held = raw.values(data)
    for sheet in made.worksheets:
        sheet.merged_cells = MultiCellRange([CellRange(ref) for ref in merged[sheet.title]])
        _emptied(sheet, held[sheet.title])
    return made


def _named(warning: str) -> Phrase:
    """What openpyxl says that it leaves out."""
    if "header or footer" in warning:
        return Phrase("a header or footer that stands neither left, nor right, nor in the middle")
    return Phrase("{detail}", detail=visible(warning))


def _emptied(sheet: Any, held: Mapping[raw.Place, raw.Value]) -> None:
    """Take back what openpyxl puts into empty cells with a link: where it leads."""
    for at, cell in sheet._cells.items():
        if cell.hyperlink is not None and at not in held:
            cell._value, cell.data_type = None, "n"


def cell(sheet: Any, row: int, column: int) -> Any:
    """The cell there; one that has no element yet looks as its row or column does, or as the
    workbook's first style says.
    """
    known = (row, column) in sheet._cells
    found = sheet.cell(row, column)
    if not known:
        found._style = copy(_style(sheet, row, column))
    return found


def _style(sheet: Any, row: int, column: int) -> Any:
    rows = [sheet.row_dimensions[row]] if row in sheet.row_dimensions else []
    columns = [
        d for d in sheet.column_dimensions.values() if (d.min or 0) <= column <= (d.max or 0)
    ]
    own = (each._style for each in (*rows, *columns) if each.has_style)
    return next(own, sheet.parent._cell_styles[0])
