"""An evaluation sheet as an evaluator may have made it, by another library than the one that fills
it, with whatever is added to it.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any

import xlsxwriter

NUMBERS = ("42", "４３", 44, "No. 45", "項番46", 47.0, 48, 49, 50, 51, 52, 53, 54, 55, 56, 57, 116)
"""The numbers of the network rows, as they may be written."""
TOP = 6
"""The row of the first number, counted from 1."""

Touch = Callable[[Any, Any], None]


def workbook(
    *touches: Touch, numbers: Iterable[object] = NUMBERS, offered: Any = "=判定語"
) -> bytes:
    """The workbook; each of *touches* gets it and its first sheet before it is closed, and
    verdicts are one of what is *offered*.
    """
    out = io.BytesIO()
    book = xlsxwriter.Workbook(out, {"in_memory": True})
    book.set_properties({"created": datetime(2026, 1, 1)})  # noqa: DTZ001 - as Excel has it
    sheet = book.add_worksheet("評価表")
    words = book.add_worksheet("選択肢")
    cell = book.add_format(
        {"text_wrap": True, "border": 1, "font_name": "MS Mincho", "bg_color": "#FFFFE0"}
    )
    head = book.add_format({"bold": True, "border": 2, "align": "center", "valign": "vcenter"})
    words.write_column("A1", ["適合", "不適合", "要確認", "対象外"])
    words.hide()
    book.define_name("判定語", "=選択肢!$A$1:$A$4")
    sheet.write("A1", "評価申請元", head)
    sheet.merge_range("B1:C1", "", cell)
    sheet.write("E1", "評価者", head)
    sheet.write_blank("F1", None, cell)
    sheet.write("A2", "評価対象プロダクト名", head)
    sheet.write_blank("B2", None, cell)
    for column, text in (
        ("C", "対応策"),
        ("D", "確認した\nエビデンス\n（文書名、ページ番号等）"),
        ("E", "判定　結果"),
        ("F", "改善策"),
    ):
        sheet.merge_range(f"{column}4:{column}5", text, head)
    for row, number in enumerate(numbers, TOP):
        sheet.write(f"A{row}", number, cell)
        sheet.write(f"B{row}", f"項目の文 {number}", cell)
        sheet.write(f"C{row}", "当社の対応策", cell)
        for column in "DEF":
            sheet.write_blank(f"{column}{row}", None, cell)
    last = TOP + 16
    sheet.data_validation(f"E{TOP}:E{last}", {"validate": "list", "source": offered})
    sheet.conditional_format(
        f"E{TOP}:E{last}",
        {
            "type": "cell",
            "criteria": "==",
            "value": '"不適合"',
            "format": book.add_format({"bg_color": "#FF0000"}),
        },
    )
    sheet.write_formula(f"E{last + 2}", f'=COUNTIF(E{TOP}:E{last},"適合")', cell, 0)
    sheet.write(f"A{last + 3}", "備考：17行", cell)
    for column, width in zip("ABCDEF", (8, 40, 30, 50, 12, 50), strict=True):
        sheet.set_column(f"{column}:{column}", width)
    sheet.set_row(3, 33)
    sheet.set_row(last + 5, 20, None, {"hidden": True})
    sheet.set_column("H:H", 5, None, {"hidden": True})
    sheet.set_landscape()
    sheet.set_paper(8)
    sheet.fit_to_pages(1, 0)
    sheet.repeat_rows(3, 4)
    sheet.print_area(f"A1:F{last + 3}")
    sheet.set_header("&L評価表&R&D")
    sheet.set_margins(0.3, 0.3, 0.4, 0.4)
    sheet.set_h_pagebreaks([12])
    sheet.freeze_panes(5, 2)
    sheet.write_url("H1", "https://example.jp/", cell, "例")
    for touch in touches:
        touch(book, sheet)
    book.close()
    return out.getvalue()
