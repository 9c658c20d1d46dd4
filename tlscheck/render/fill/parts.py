"""What a workbook is made of, and whether filling it by openpyxl would lose any of that.

Only what is known to be kept is let through; what is not is refused by its name.
"""

from __future__ import annotations

import io
import re
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Sequence
from functools import reduce

from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import ParseError, iterparse

from tlscheck.errors import SheetError
from tlscheck.text import Phrase, visible

LARGEST = 20_000_000
"""Bytes of a workbook."""
UNPACKED = 150_000_000
"""Bytes of all its parts."""
MOST_PARTS = 2_000
WIDEST, ALL_WIDEST = 100_000, 1_000_000
"""Cells that are merged or linked as one, and all of a sheet; each of them costs memory."""

BROKEN = (
    zipfile.BadZipFile, zlib.error, ParseError, DefusedXmlException,
    EOFError, LookupError, ValueError, RuntimeError,
)  # fmt: skip
"""What reading a broken or hostile workbook raises."""

_KEPT = re.compile(
    r"\[Content_Types\]\.xml|_rels/\.rels|docProps/(app|core|custom)\.xml|docProps/thumbnail\.\w+"
    r"|xl/workbook\.xml|xl/_rels/workbook\.xml\.rels|xl/(styles|sharedStrings|calcChain)\.xml"
    r"|xl/theme/theme\d*\.xml|xl/worksheets/[^/]+\.xml|xl/worksheets/_rels/[^/]+\.xml\.rels"
    r"|xl/tables/table\d*\.xml|xl/printerSettings/[^/]+\.bin|.*/"
)
_KINDS = (
    (re.compile(r"xl/(comments|threadedComments|persons)|.*vmlDrawing"), Phrase("cell comments")),
    (
        re.compile(r"xl/(drawings|media|charts|chartsheets|diagrams)"),
        Phrase("shapes, pictures or charts"),
    ),
    (re.compile(r"xl/(ctrlProps|activeX|embeddings)"), Phrase("form controls or objects")),
    (re.compile(r"xl/(vba|macrosheets)"), Phrase("macros")),
    (re.compile(r"xl/(pivot|slicer|timeline)"), Phrase("pivot tables or slicers")),
    (re.compile(r"xl/(externalLinks|connections|queryTables)"), Phrase("links to other files")),
    (re.compile(r"customXml|docMetadata"), Phrase("custom XML or a sensitivity label")),
    (re.compile(r"_xmlsignatures"), Phrase("digital signatures")),
    (
        re.compile(r".*extLst"),
        Phrase("sparklines, or validations and formats of newer kinds"),
    ),
)
_OTHER = Phrase("other parts")

_OF_SHEETS = re.compile(
    "sheetPr|dimension|sheetViews|sheetFormatPr|cols|sheetData|sheetCalcPr|sheetProtection"
    "|scenarios|autoFilter|mergeCells|phoneticPr|conditionalFormatting|dataValidations|hyperlinks"
    "|printOptions|pageMargins|pageSetup|headerFooter|rowBreaks|colBreaks|ignoredErrors|tableParts"
)
"""What stands in a sheet and is kept, or, like a marked error, is nothing to miss."""
_OF_BOOKS = re.compile(
    "fileVersion|workbookPr|AlternateContent|revisionPtr|bookViews|sheets|definedNames|calcPr"
    "|workbookProtection|extLst|fileRecoveryPr"
)
_WORKBOOK, _APP = "xl/workbook.xml", "docProps/app.xml"
_OWNED = re.compile(rb"<(?:\w+:)?(?:Company|Manager)>\s*[^<\s]")


def check(data: bytes, name: str) -> tuple[Phrase, ...]:
    """What of the workbook will be missing though nobody sees it; SheetError where it is no
    workbook, or where filling it would lose what somebody does see.
    """
    if len(data) > LARGEST:
        raise SheetError(
            "{file}: is larger than {most} MB; give a smaller workbook",
            file=name,
            most=LARGEST // 1_000_000,
        )
    if data.startswith(b"\xd0\xcf\x11\xe0"):
        raise SheetError(
            "{file}: is protected by a password or an old .xls; save it as .xlsx without one",
            file=name,
        )
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as book:
            lost, left = _seen(book, name)
    except BROKEN:
        raise broken(name) from None
    if lost:
        raise SheetError(
            "{file}: would be damaged, for these cannot be kept: {kinds} ({parts}); fill a copy"
            " without them",
            file=name,
            kinds=_kinds(lost),
            parts=tuple(visible(part) for part in lost),
        )
    return left


def broken(name: str) -> SheetError:
    """The error of what cannot be read."""
    return SheetError("{file}: is no sound .xlsx workbook; save it anew and give that", file=name)


def _seen(book: zipfile.ZipFile, name: str) -> tuple[list[str], tuple[Phrase, ...]]:
    """The parts that would be lost, and what is left out besides."""
    sizes = [info.file_size for info in book.infolist()]
    if len(sizes) > MOST_PARTS or sum(sizes) > UNPACKED:
        raise SheetError("{file}: is too large once unpacked; give a smaller workbook", file=name)
    names = book.namelist()
    if _WORKBOOK not in names or len(names) != len(set(names)):
        raise broken(name)
    blank = _blank_drawings(book)
    lost = [part for part in names if not (_KEPT.fullmatch(part) or part in blank)]
    lost += [f"{_WORKBOOK} {tag}" for tag in _foreign(book, _WORKBOOK, _OF_BOOKS)]
    sheets = [part for part in names if re.fullmatch(r"xl/worksheets/[^/]+\.xml", part)]
    for part in sheets:
        foreign = (t for t in _foreign(book, part, _OF_SHEETS) if not (blank and t == "drawing"))
        lost += [f"{part} {tag}" for tag in foreign]
        _bounded(book, part, name)
    if b"macroEnabled" in book.read("[Content_Types].xml"):
        lost.append("xl/vbaProject.bin")
    left = tuple(phrase for phrase, there in _left(book, sheets, name) if there)
    return list(dict.fromkeys(lost)), left


def _blank_drawings(book: zipfile.ZipFile) -> list[str]:
    """The drawings, where there is nothing on any of them, as LibreOffice writes to a filter."""
    drawings = [part for part in book.namelist() if part.startswith("xl/drawings/")]
    marked = any(len(list(_tags(book, part))) > 1 for part in drawings)
    return [] if marked else drawings


def _left(book: zipfile.ZipFile, sheets: Sequence[str], name: str) -> Iterator[tuple[Phrase, bool]]:
    """What is left out, and whether it is there."""
    yield (
        Phrase("{file}: the readings (furigana) of cells are left out", file=name),
        _has(book, "xl/sharedStrings.xml", "rPh"),
    )
    yield (
        Phrase("{file}: settings of one printer's own are left out", file=name),
        any(part.startswith("xl/printerSettings/") for part in book.namelist()),
    )
    yield (
        Phrase(
            "{file}: the results of formulas are left out; what opens it computes them", file=name
        ),
        any(_has(book, sheet, "f") for sheet in sheets),
    )
    yield (
        Phrase("{file}: company and manager in its properties are left out", file=name),
        _APP in book.namelist() and _OWNED.search(book.read(_APP)) is not None,
    )
    yield (
        Phrase("{file}: extensions of the workbook as a whole are left out", file=name),
        _has(book, _WORKBOOK, "extLst"),
    )


def _has(book: zipfile.ZipFile, part: str, *wanted: str) -> bool:
    """Whether *part* is there and has one of these elements."""
    return part in book.namelist() and any(tag in wanted for _depth, tag, _at in _tags(book, part))


def _foreign(book: zipfile.ZipFile, part: str, known: re.Pattern[str]) -> Iterator[str]:
    """The elements right below the root that are none of the *known*."""
    for depth, tag, _at in _tags(book, part):
        if depth == 1 and not known.fullmatch(tag):
            yield tag


def _bounded(book: zipfile.ZipFile, part: str, name: str) -> None:
    every = 0
    for _depth, tag, at in _tags(book, part):
        area = _area(at.get("ref", "")) if tag in ("mergeCell", "hyperlink") else 0
        every += area
        if area > WIDEST or every > ALL_WIDEST:
            raise SheetError(
                "{file}: {part} merges or links too many cells as one; mend that first",
                file=name,
                part=part,
            )


def _tags(book: zipfile.ZipFile, part: str) -> Iterator[tuple[int, str, dict[str, str]]]:
    """Every element of *part*: its depth, its name without namespace, its attributes."""
    depth = 0
    with book.open(part) as file:
        for event, element in iterparse(file, events=("start", "end")):
            if event == "start":
                yield depth, element.tag.rpartition("}")[2], element.attrib
                depth += 1
            else:
                depth -= 1
                element.clear()


def _area(ref: str) -> int:
    from openpyxl.utils.cell import range_boundaries

    left, top, right, bottom = range_boundaries(ref) if ref else (1, 1, 1, 1)
    if None in (left, top, right, bottom):
        return WIDEST + 1
    return int((right - left + 1) * (bottom - top + 1))


def _kinds(lost: Iterable[str]) -> Phrase:
    kinds = dict.fromkeys(
        next((kind for pattern, kind in _KINDS if pattern.match(part)), _OTHER) for part in lost
    )
    return reduce(lambda one, other: Phrase("{one}; {other}", one=one, other=other), kinds)
