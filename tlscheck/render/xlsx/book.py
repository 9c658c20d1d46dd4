"""Tables as the bytes of a workbook. The same tables give the same bytes.

Every text is written as a string: nothing in it can become a formula, a link or a number.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime

import xlsxwriter
from xlsxwriter.format import Format
from xlsxwriter.workbook import Workbook
from xlsxwriter.worksheet import Worksheet

from tlscheck.render.entries import height
from tlscheck.render.layout import Column, layout
from tlscheck.render.xlsx.table import Table
from tlscheck.text import ANSWERS, JST, VERDICTS, word

_OPTIONS = {
    "in_memory": True,
    "strings_to_formulas": False,
    "strings_to_urls": False,
    "strings_to_numbers": False,
}
_PAPER = {"A3": 8, "A4": 9}
_LONGEST = 8000
"""Characters in a cell; what is longer no page could show (Excel itself takes 32,767)."""
_CODE = "Consolas"


def book(tables: Iterable[Table], at: datetime, lang: str) -> bytes:
    """The workbook of *tables*, made at the moment *at*."""
    out = io.BytesIO()
    made = xlsxwriter.Workbook(out, _OPTIONS)
    created = at.astimezone(UTC).replace(tzinfo=None, microsecond=0)
    made.set_properties({"title": "tlscheck", "created": created})
    style, names = _Style(made), set[str]()
    for table in tables:
        name = _sheet_name(table.name, names)
        names.add(name.casefold())
        _Page(made.add_worksheet(name), table, style, lang).write(at)
    made.close()
    return out.getvalue()


def _sheet_name(wanted: str, taken: set[str]) -> str:
    """A name that spreadsheets allow, and that no other sheet has."""
    plain = re.sub(r"[\[\]:*?/\\']", " ", wanted).strip()[:31] or "-"
    name, number = plain, 2
    while name.casefold() in taken:
        name, number = f"{plain[:27]} {number}", number + 1
    return name


class _Style:
    """The formats of one workbook."""

    def __init__(self, book: Workbook) -> None:
        look = layout()
        colours = look.colours
        plain = {"font_name": look.font, "font_size": look.size, "valign": "top"}
        text = {
            **plain,
            "text_wrap": True,
            "border": 1,
            "border_color": f"#{colours.border}",
            "quote_prefix": True,
        }
        bold = {"bold": True}

        def new(*parts: Mapping[str, object]) -> Format:
            made: Format = book.add_format({k: v for part in parts for k, v in part.items()})
            return made

        self.text = new(text)
        self.code = new(text, {"font_name": _CODE})
        self.centred = new(text, {"align": "center"})
        self.title = new(plain, bold, {"font_size": look.size + 4, "quote_prefix": True})
        self.label = new(text, bold, {"bg_color": f"#{colours.label}"})
        self.band = new(text, bold, {"bg_color": f"#{colours.band}"})
        self.head = new(
            text, bold,
            {"bg_color": f"#{colours.head}", "font_color": "#FFFFFF", "align": "center"},
            {"valign": "vcenter"},
        )  # fmt: skip
        self.colours = {
            colour: new({"bg_color": f"#{colour}"})
            for colour in (*colours.words.values(), *colours.verdicts.values())
        }


class _Page:
    """One sheet while it is written."""

    def __init__(self, sheet: Worksheet, table: Table, style: _Style, lang: str) -> None:
        self.sheet, self.table, self.style, self.lang = sheet, table, style, lang
        self.columns = table.form.columns
        self.top = len(table.head) + 2
        """The row of the columns' heads."""

    def write(self, at: datetime) -> None:
        """Everything."""
        self._above()
        for number, column in enumerate(self.columns):
            self.sheet.set_column(number, number, column.width)
            self._text(self.top, number, _said(column, self.lang), self.style.head)
        heads = {column.key: _said(column, self.lang) for column in self.columns}
        self.sheet.set_row(self.top, _height(heads, self.columns))
        for number, row in enumerate(self.table.rows, self.top + 1):
            if row.band:
                self._across(number, 0, len(self.columns) - 1, row.band, self.style.band)
                continue
            self.sheet.set_row(number, _height(row.cells, self.columns))
            for place, column in enumerate(self.columns):
                self._cell(number, place, row.cells.get(column.key, ""), column)
        if self.table.rows:
            self._lists()
        self._paper(at)

    def _above(self) -> None:
        self._text(0, 0, self.table.title, self.style.title)
        for number, (name, value) in enumerate(self.table.head, 1):
            self._across(number, 0, 1, name, self.style.label)
            self._across(number, 2, 3, value, self.style.text)

    def _cell(self, row: int, place: int, text: str, column: Column) -> None:
        if column.key in ("item", "port") and text.isascii() and text.isdigit():
            self.sheet.write_number(row, place, int(text), self.style.centred)
        elif column.choices:
            self._text(row, place, text, self.style.centred)
        else:
            self._text(row, place, text, self.style.code if column.code else self.style.text)

    def _text(self, row: int, place: int, text: str, style: Format) -> None:
        if not text:
            self.sheet.write_blank(row, place, None, style)
            return
        cut = text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"
        if self.sheet.write_string(row, place, cut, style) != 0:
            raise ValueError(f"row {row}, column {place} cannot be written")

    def _across(self, row: int, first: int, last: int, text: str, style: Format) -> None:
        self.sheet.merge_range(row, first, row, last, "", style)
        self._text(row, first, text, style)

    def _lists(self) -> None:
        """Drop-downs, and the colours of what is chosen."""
        first, last = self.top + 1, self.top + len(self.table.rows)
        for place, column in enumerate(self.columns):
            offered = _offered(column, self.lang)
            if not offered:
                continue
            self.sheet.data_validation(
                first, place, last, place,
                {"validate": "list", "source": list(offered), "error_type": "warning"},
            )  # fmt: skip
            for text, colour in offered.items():
                if colour:
                    self.sheet.conditional_format(
                        first, place, last, place,
                        {"type": "cell", "criteria": "==", "value": f'"{text}"',
                         "format": self.style.colours[colour]},
                    )  # fmt: skip

    def _paper(self, at: datetime) -> None:
        sheet, last = self.sheet, len(self.columns) - 1
        sheet.set_landscape()
        sheet.set_paper(_PAPER[self.table.form.paper])
        sheet.set_margins(left=0.4, right=0.4, top=0.5, bottom=0.6)
        sheet.fit_to_pages(1, 0)
        sheet.repeat_rows(self.top)
        sheet.freeze_panes(self.top + 1, 2 if last > 2 else 0)
        sheet.set_footer(f"&L&A&Ctlscheck {at.astimezone(JST):%Y-%m-%d}&R&P / &N")
        if self.table.form.filter and self.table.rows:
            sheet.autofilter(self.top, 0, self.top + len(self.table.rows), last)


def _height(cells: Mapping[str, str], columns: Iterable[Column]) -> float:
    size = layout().size
    return max(height(cells.get(c.key, ""), size=size, width=c.width) for c in columns)


def _said(column: Column, lang: str) -> str:
    return column.name.ja if lang == "ja" else column.name.en


def _offered(column: Column, lang: str) -> dict[str, str]:
    """What the cells of *column* offer, each with its colour."""
    colours = layout().colours
    match column.choices:
        case "":
            return {}
        case "answers":
            return {word(ANSWERS, key, lang): colour for key, colour in colours.words.items()}
        case "verdicts":
            return {word(VERDICTS, key, lang): colour for key, colour in colours.verdicts.items()}
        case other:
            choices = layout().choices[other]
            return dict.fromkeys(choices.ja if lang == "ja" else choices.en, "")
