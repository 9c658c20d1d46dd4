"""The verdict in the words of an evaluator's own drop-down."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from tlscheck.model import Answer
from tlscheck.render.fill.find import normal
from tlscheck.render.layout import layout

_MOST = 200
"""Words of a list."""
_RANGE = re.compile(
    r"(?:(?:'(?P<quoted>(?:[^']|'')+)'|(?P<plain>[^'!]+))!)?"
    r"(?P<cells>\$?[A-Z]{1,3}\$?\d{1,7}(?::\$?[A-Z]{1,3}\$?\d{1,7})?)"
)


def verdict(answer: Answer, word: str, sheet: Any, at: str, shown: Any) -> str:
    """The word for *answer* in the cell *at*: *word*, or, where the cell has a list, the one of
    its words that says the same; empty where none does. *shown* is the workbook with its values.
    """
    lists = [
        each
        for each in sheet.data_validations.dataValidation
        if each.type == "list" and at in each.sqref
    ]
    if not lists:
        return word
    known = {normal(each) for each in (word, *layout().fill.words[answer])}
    offered = _offered(lists[0].formula1 or "", sheet.title, shown)
    return next((each for each in offered if normal(each) in known), "")


def _offered(formula: str, sheet: str, shown: Any) -> Iterator[str]:
    if formula.startswith('"') and formula.endswith('"'):
        yield from (each.strip() for each in formula[1:-1].split(","))
        return
    text = formula.removeprefix("=")
    own = shown[sheet].defined_names
    for names in (own, shown.defined_names):
        if text in names:
            text = names[text].attr_text or ""
    found = _RANGE.fullmatch(text)
    where = found and ((found["quoted"] or "").replace("''", "'") or found["plain"] or sheet)
    if found and where in shown.sheetnames:
        yield from _values(shown[where], found["cells"].replace("$", ""))


def _values(sheet: Any, cells: str) -> Iterator[str]:
    from openpyxl.utils.cell import range_boundaries

    left, top, right, bottom = range_boundaries(cells)
    if (right - left + 1) * (bottom - top + 1) <= _MOST:
        for row in sheet.iter_rows(top, bottom, left, right, values_only=True):
            yield from (str(value) for value in row if value is not None)
