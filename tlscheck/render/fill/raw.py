"""What stands in a workbook's XML, read without the library that fills it.

That library drops what stands in the inner cells of merged ones, and puts an address where a link
has no text; neither can be seen in what it gives.
"""

from __future__ import annotations

import io
import posixpath
import re
import zipfile
from collections.abc import Iterator, Mapping
from typing import Any
from xml.etree.ElementTree import Element

from defusedxml.ElementTree import fromstring, iterparse
from openpyxl.utils.cell import coordinate_to_tuple

_BOOK = "xl/workbook.xml"
_RELATIONS = "xl/_rels/workbook.xml.rels"
_STRINGS = "xl/sharedStrings.xml"
_MERGED = re.compile(
    rb"<((?:[A-Za-z_][\w.-]*:)?)mergeCells(?:\s[^>]*)?(?:/>|>.*?</\1mergeCells\s*>)", re.DOTALL
)
_REF = re.compile(rb"""\sref\s*=\s*["']([^"']+)["']""")

Place = tuple[int, int]
"""Row and column, counted from 1."""
Value = str | float
FORMULA = "="
"""What stands for any formula."""


def sheets(book: zipfile.ZipFile) -> dict[str, str]:
    """The part of each sheet, by its name."""
    parts = {
        each.get("Id"): posixpath.normpath(posixpath.join("/xl", each.get("Target", "")))[1:]
        for each in fromstring(book.read(_RELATIONS))
    }
    return {
        each.get("name", ""): parts[_relation(each)]
        for each in fromstring(book.read(_BOOK)).iterfind("{*}sheets/{*}sheet")
    }


def _relation(sheet: Element) -> str:
    return next(value for key, value in sheet.attrib.items() if key.endswith("}id"))


def apart(data: bytes) -> tuple[bytes, Mapping[str, tuple[str, ...]]]:
    """The workbook with no cells merged, and those that were, by the name of their sheet."""
    out, merged = io.BytesIO(), {}
    with (
        zipfile.ZipFile(io.BytesIO(data)) as old,
        zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as new,
    ):
        names = {part: name for name, part in sheets(old).items()}
        for part in old.namelist():
            content = old.read(part)
            if part in names:
                found = [ref for each in _MERGED.finditer(content) for ref in _REF.findall(each[0])]
                merged[names[part]] = tuple(ref.decode("ascii") for ref in found)
                content = _MERGED.sub(b"", content)
            new.writestr(part, content)
    return out.getvalue(), merged


def values(data: bytes) -> dict[str, dict[Place, Value]]:
    """What the cells that are not empty hold, by the name of their sheet."""
    with zipfile.ZipFile(io.BytesIO(data)) as book:
        strings: list[str] = []
        if _STRINGS in book.namelist():
            with book.open(_STRINGS) as file:
                strings = [_words(each) for each in _elements(file, "si")]
        found: dict[str, dict[Place, Value]] = {}
        for name, part in sheets(book).items():
            with book.open(part) as file:
                held = ((at, _value(cell, strings)) for at, cell in _cells(file))
                found[name] = {at: value for at, value in held if value != ""}
        return found


def _elements(file: Any, wanted: str) -> Iterator[Element]:
    """Each element called *wanted*, which is empty thereafter."""
    for _event, element in iterparse(file):
        if _tag(element) == wanted:
            yield element
            element.clear()


def _cells(file: Any) -> Iterator[tuple[Place, Element]]:
    """The cells, of which some programs leave out where they stand."""
    number = 0
    for row in _elements(file, "row"):
        number, column = int(row.get("r") or number + 1), 0
        for cell in row:
            place = cell.get("r")
            at = coordinate_to_tuple(place) if place else (number, column + 1)
            column = at[1]
            yield at, cell


def _value(cell: Element, strings: list[str]) -> Value:
    parts = {_tag(part): part for part in cell}
    kind, text = cell.get("t", "n"), (parts["v"].text or "") if "v" in parts else ""
    if "f" in parts:
        return FORMULA
    if kind == "inlineStr":
        return _words(parts["is"]) if "is" in parts else ""
    if kind == "s":
        return strings[int(text)] if text else ""
    return float(text) if kind == "n" and text else text


def _words(element: Element) -> str:
    """The text of a string, all its runs together, without its reading."""
    texts = [part.text or "" for part in element.iterfind("{*}t")]
    return "".join(texts + [part.text or "" for part in element.iterfind("{*}r/{*}t")])


def _tag(element: Element) -> str:
    return element.tag.rpartition("}")[2]
