"""Whether two workbooks are the same but for some cells."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from math import isclose
from typing import Any

from openpyxl.utils.cell import get_column_letter

from tlscheck.render.fill import raw
from tlscheck.render.fill.opened import cell

_STYLE = ("font", "fill", "border", "alignment", "number_format", "protection")


def differences(
    before: Any, after: Any, written: Collection[tuple[str, int, int]]
) -> Iterator[str]:
    """The sheets and cells that are not the same; of those *written*, in their style alone."""
    if [_frame(sheet) for sheet in before.worksheets] != [_frame(s) for s in after.worksheets]:
        yield (
            next(
                (
                    s.title
                    for s in before.worksheets
                    if _frame(s) not in map(_frame, after.worksheets)
                ),
                "",
            )
            or "?"
        )
        return
    alike: set[tuple[Any, Any]] = set()
    for old, new in zip(before.worksheets, after.worksheets, strict=True):
        for row, column in sorted(old._cells.keys() | new._cells.keys()):
            one, other = cell(old, row, column), cell(new, row, column)
            own = (old.title, row, column) in written
            if not (own or _value(one) == _value(other)) or not _styled(one, other, alike):
                yield f"{old.title} {one.coordinate}"


Values = Mapping[str, Mapping[raw.Place, raw.Value]]


def moved(
    before: Values, after: Values, written: Collection[tuple[str, int, int]]
) -> Iterator[str]:
    """The cells but those *written* that hold something else in the XML."""
    for title, old in before.items():
        new = after.get(title, {})
        for row, column in sorted(old.keys() | new.keys()):
            one, other = old.get((row, column), ""), new.get((row, column), "")
            if (title, row, column) not in written and not _alike(one, other):
                yield f"{title} {get_column_letter(column)}{row}"


def _alike(one: raw.Value, other: raw.Value) -> bool:
    """Whether the values are the same; times are kept to the millisecond."""
    if isinstance(one, float) and isinstance(other, float):
        return isclose(one, other, rel_tol=1e-12, abs_tol=1e-8)
    return one == other


def _frame(sheet: Any) -> tuple[Any, ...]:
    """What a sheet has besides cells."""
    return (
        sheet.title,
        sheet.sheet_state,
        sorted(map(str, sheet.merged_cells.ranges)),
        sorted(
            (v.type or "", v.formula1 or "", *sorted(map(str, v.sqref.ranges)))
            for v in sheet.data_validations.dataValidation
        ),
        sorted(str(sorted(map(str, each.sqref.ranges))) for each in sheet.conditional_formatting),
    )


def _value(cell: Any) -> Any:
    value = getattr(cell, "value", None)
    return vars(value) if type(value).__module__ == "openpyxl.worksheet.formula" else value


def _styled(one: Any, other: Any, alike: set[tuple[Any, Any]]) -> bool:
    """Whether the cells look the same; *alike* remembers styles that did."""
    pair = (tuple(one._style or ()), tuple(other._style or ()))
    if pair not in alike:
        if any(_look(one, name) != _look(other, name) for name in _STYLE):
            return False
        alike.add(pair)
    return True


def _look(cell: Any, name: str) -> str:
    """A part of a cell's style, in which what is denied and what is not said are one."""
    return repr(getattr(cell, name)).replace("=False", "=None")
