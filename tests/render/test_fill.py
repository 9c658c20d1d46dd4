"""An evaluator's own workbook: filled where it is empty, else as it was, or refused."""

from __future__ import annotations

import contextlib
import io
import subprocess
import zipfile
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import openpyxl
import pytest
from openpyxl.comments import Comment
from openpyxl.styles import Alignment, Border, Side

from tests import make
from tests.render.sheets import NUMBERS, TOP, workbook
from tests.render.test_xlsx import BAD, HOSTILE
from tests.servers import program
from tlscheck.bundle.contents import cited
from tlscheck.config import Sheet
from tlscheck.errors import SheetError
from tlscheck.judge import judge
from tlscheck.model import Answer
from tlscheck.render import fill
from tlscheck.render.entries import entries
from tlscheck.render.fill import find, parts

HEAD = Sheet("株式会社例", "評価機関", '=HYPERLINK("http://x.example/")')
ITEMS = ("42", "43", "44", "45", "46", "47", "48", "49", "50", "51", "52", "53", "54", "55", "56",
         "57", "116")  # fmt: skip
ENTRIES = entries(HOSTILE, "ja")


def filled(template: bytes, head: Sheet = HEAD) -> fill.Filled:
    return fill.fill(template, "own.xlsx", HOSTILE, "ja", head)


def opened(data: bytes) -> Any:
    return openpyxl.load_workbook(io.BytesIO(data), rich_text=True)


FORMULAS = "own.xlsx: the results of formulas are left out; what opens it computes them"
"""Said of every workbook here but one."""


def notes(made: fill.Filled) -> list[str]:
    told = [str(SheetError(note.template, **note.values)) for note in made.notes]
    return [note for note in told if note != FORMULAS]


def refused(template: bytes) -> str:
    with pytest.raises(SheetError) as caught:
        filled(template)
    line = str(caught.value)
    assert line.startswith("own.xlsx: ")
    assert line.isprintable()
    return line


# ---- what is written -------------------------------------------------------------------------


def test_every_network_row_is_filled_and_none_of_the_vendors_words() -> None:
    made = filled(workbook())
    assert notes(made) == []
    sheet = opened(made.data)["評価表"]
    words = {
        Answer.NOT_MET: "不適合", Answer.MET: "適合", Answer.NOT_APPLICABLE: "対象外",
        Answer.UNDETERMINED: "要確認", Answer.DOCUMENT_NEEDED: "要確認",
    }  # fmt: skip
    for row, item in enumerate(ITEMS, TOP):
        entry = ENTRIES["vendor-138", item]
        assert sheet[f"C{row}"].value == "当社の対応策"
        assert sheet[f"D{row}"].value == entry.evidence
        assert sheet[f"E{row}"].value == words[entry.answer]
        assert sheet[f"F{row}"].value == (entry.improvement or None)
        assert (sheet.row_dimensions[row].height or 0) > 15
    assert sheet["B1"].value == "株式会社例"
    assert sheet["F1"].value == "評価機関"
    product = sheet["B2"]
    assert (product.value, product.data_type) == ('=HYPERLINK("http://x.example/")', "s")
    assert BAD in sheet[f"D{TOP + 2}"].value
    assert sheet[f"D{TOP + 2}"].data_type == "s"


def test_the_evidence_files_of_a_bundle_are_named() -> None:
    bundled = cited(HOSTILE, {"targets/0/tls.jsonl"})
    made = fill.fill(workbook(), "own.xlsx", bundled, "ja", HEAD)
    cell = opened(made.data)["評価表"][f"D{TOP + 2}"]
    assert cell.value == entries(bundled, "ja")["vendor-138", "44"].evidence
    assert "証拠ファイル：targets/0/tls.jsonl、" in cell.value


def test_the_same_gives_the_same_bytes() -> None:
    assert filled(workbook()).data == filled(workbook()).data


_STYLE = ("font", "fill", "border", "alignment", "number_format", "protection", "quotePrefix")
_APART = {"conditionalFormatting": "dxfId", "cols": "style", "sheetFormatPr": "baseColWidth"}
"""Elements, and the attribute that only points elsewhere and may be numbered anew."""


def test_all_else_is_as_it_was() -> None:
    """Cell by cell, and element by element of what stands around the cells."""
    template = workbook(
        lambda book, sheet: sheet.write_rich_string(
            "H3", "a ", book.add_format({"bold": True, "color": "red"}), "太字", " c"
        ),
        lambda _, sheet: sheet.write_array_formula("H4:H4", "{=SUM(A1:A2*1)}", None, 0),
        lambda _, sheet: sheet.protect("", {"format_rows": True}),
        lambda book, sheet: sheet.write_datetime(
            "H5",
            date(2026, 4, 1),
            book.add_format({"num_format": "ge.m.d"}),
        ),
    )
    made = filled(template)
    before, after = opened(template), opened(made.data)
    assert before.sheetnames == after.sheetnames
    assert dict(before.defined_names).keys() == dict(after.defined_names).keys()
    written = {f"{column}{row}" for row in range(TOP, TOP + 17) for column in "DEF"}
    written |= {"B1", "F1", "B2"}
    for old, new in zip(before, after, strict=True):
        assert old.sheet_state == new.sheet_state
        for row in old.iter_rows():
            for cell in row:
                other = new[cell.coordinate]
                for trait in _STYLE:
                    assert repr(getattr(cell, trait, 0)) == repr(getattr(other, trait, 0)), cell
                if cell.coordinate not in written or old.title != "評価表":
                    one, two = (getattr(v, "text", v) for v in (cell.value, other.value))
                    assert one == two, cell
        assert {k: d.hidden for k, d in old.row_dimensions.items()} == {
            k: d.hidden for k, d in new.row_dimensions.items() if k in old.row_dimensions
        }
    for part in ("xl/worksheets/sheet1.xml", "xl/worksheets/sheet2.xml"):
        assert around(template, part) == around(made.data, part)
    book = "xl/workbook.xml"
    assert around(template, book)["definedNames"] == around(made.data, book)["definedNames"]
    sheet = ElementTree.fromstring(
        zipfile.ZipFile(io.BytesIO(made.data)).read("xl/worksheets/sheet1.xml")
    )
    (bold,) = (r for r in sheet.iterfind(".//{*}is/{*}r") if r.find("{*}rPr/{*}b") is not None)
    assert "".join(bold.itertext()) == "太字"


def touched(template: bytes, touch: Callable[[Any], None]) -> bytes:
    """*template* with other XML in its first sheet, as another program may have left it."""
    out = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(template)) as old,
        zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as new,
    ):
        for part in old.namelist():
            content = old.read(part)
            if part.endswith("sheet1.xml"):
                root = ElementTree.fromstring(content)
                touch(root)
                content = ElementTree.tostring(root)
            new.writestr(part, content)
    return out.getvalue()


def joined(area: str) -> Callable[[Any], None]:
    """Merges the cells of *area*, whatever stands in them."""

    def touch(root: Any) -> None:
        (several,) = root.iterfind("{*}mergeCells")
        ElementTree.SubElement(several, several[0].tag, ref=area)

    return touch


def alone(root: Any) -> None:
    """Merges no cells: openpyxl hides what stands in those that are."""
    for each in root.findall("{*}mergeCells"):
        root.remove(each)


def test_what_stands_inside_merged_cells_stays() -> None:
    def write(book: Any, sheet: Any) -> None:
        sheet.write("I3", "an inner text", book.add_format({"bg_color": "#00FF00"}))
        sheet.write("I4", 7, book.add_format({"bottom": 6, "bottom_color": "#FF0000"}))
        sheet.write_blank("J4", None, book.add_format({"right": 6, "right_color": "#FF0000"}))
        sheet.write_blank("H2", None, book.add_format({"border": 1}))

    template = touched(workbook(write), joined("H2:J4"))
    made = filled(template)
    assert "H2:J4" in map(str, opened(made.data)["評価表"].merged_cells.ranges)
    before, after = (opened(touched(data, alone))["評価表"] for data in (template, made.data))
    assert (after["I3"].value, after["I4"].value) == ("an inner text", 7)
    assert after["I4"].border.bottom.style == after["J4"].border.right.style == "double"
    for row in (*before["A1:G5"], *before["H2:J4"]):
        for cell in row:
            for trait in _STYLE:
                other = getattr(after[cell.coordinate], trait)
                assert repr(getattr(cell, trait)) == repr(other), cell


def test_what_merged_cells_hide_is_no_item_and_no_head() -> None:
    def write(_: Any, sheet: Any) -> None:
        sheet.write("A26", 42)
        sheet.write("B26", "判定結果")

    made = filled(touched(workbook(write), joined("A25:B26")))
    assert notes(made) == []


def test_an_empty_cell_with_a_link_stays_empty() -> None:
    def touch(root: Any) -> None:
        (cell,) = (c for c in root.iterfind(".//{*}c") if c.get("r") == "H1")
        for part in list(cell):
            cell.remove(part)
        del cell.attrib["t"]

    made = filled(touched(workbook(), touch)).data
    with zipfile.ZipFile(io.BytesIO(made)) as book:
        root = ElementTree.fromstring(book.read("xl/worksheets/sheet1.xml"))
    (cell,) = (c for c in root.iterfind(".//{*}c") if c.get("r") == "H1")
    assert "".join(cell.itertext()) == ""
    assert opened(made)["評価表"]["H1"].hyperlink.target == "https://example.jp/"


def bare() -> bytes:
    """A workbook whose empty cells have no elements, as other libraries leave them."""
    book, out = openpyxl.Workbook(), io.BytesIO()
    sheet = book.active
    assert sheet is not None
    sheet.append(["項番", "対応策", "確認したエビデンス", "判定結果", "改善策"])
    for item in ITEMS:
        sheet.append([int(item), "当社の対応策"])
    sheet.column_dimensions["C"].alignment = Alignment(wrap_text=True)
    sheet.column_dimensions["C"].border = Border(left=Side("double"))
    book.save(out)
    return out.getvalue()


def test_cells_that_have_no_element_yet_are_filled() -> None:
    made = filled(bare())
    assert notes(made) == []
    shown = opened(made.data).active
    assert shown["C2"].value == ENTRIES["vendor-138", "42"].evidence
    assert (shown["C2"].alignment.wrap_text, shown["C2"].border.left.style) == (True, "double")
    assert shown["D2"].value == ENTRIES["vendor-138", "42"].verdict


def around(data: bytes, part: str) -> dict[str, list[Any]]:
    """The elements of a sheet but its cells, with what they say, read by no spreadsheet library."""
    found: dict[str, list[Any]] = {}
    for element in ElementTree.fromstring(zipfile.ZipFile(io.BytesIO(data)).read(part)):
        tag = element.tag.rpartition("}")[2]
        if tag not in ("sheetData", "dimension", "sheetPr"):
            own = sorted(spelt(each, _APART.get(tag, "")) for each in element.iter())
            found.setdefault(tag, []).append([each for each in own if each])
    return {tag: sorted(several) for tag, several in found.items()}


_USUAL = {
    "showDropDown": "0", "min": "0", "activeCell": "A1", "sqref": "A1",
    "state": "visible", "count": "", "id": "",
}  # fmt: skip


def spelt(element: ElementTree.Element, apart: str) -> tuple[Any, ...]:
    """An element without what stands for nothing: defaults, counts, numbers of relations."""
    said = {
        key.rpartition("}")[2]: value
        for key, value in element.attrib.items()
        if not key.startswith("{")
    }
    if element.tag.endswith("}brk"):
        said.pop("min", None)
    elif element.tag.endswith("}sheetProtection"):  # what is not said of it is forbidden
        plain = {"objects": "0", "scenarios": "0", "sheet": "0"}
        plain |= {"selectLockedCells": "0", "selectUnlockedCells": "0"}
        said = {k: v for k, v in said.items() if v != plain.get(k, "1")}
    else:
        said = {k: v for k, v in said.items() if k not in (apart, "count") and _USUAL.get(k) != v}
    text = (element.text or "").strip().replace("'", "")
    tag = element.tag.rpartition("}")[2]
    return (tag, *sorted(said.items()), text) if said or text else ()


# ---- what is left alone ----------------------------------------------------------------------


def test_what_is_not_empty_stays_and_is_told() -> None:
    made = filled(workbook(lambda _, s: s.write(f"D{TOP}", "済"), lambda _, s: s.write("B2", "X")))
    sheet = opened(made.data)["評価表"]
    assert (sheet[f"D{TOP}"].value, sheet["B2"].value) == ("済", "X")
    assert sheet[f"E{TOP}"].value == "不適合"
    assert notes(made) == ["own.xlsx: 評価表 D6: not empty; left as it was"]


def test_what_is_merged_with_other_rows_or_columns_stays() -> None:
    made = filled(workbook(lambda _, s: s.merge_range(f"D{TOP + 3}:D{TOP + 4}", "")))
    assert notes(made) == ["own.xlsx: 評価表 D9: merged with others; left as it was"]
    assert opened(made.data)["評価表"][f"D{TOP + 3}"].value is None


def test_items_that_are_missing_or_there_twice_are_told() -> None:
    made = filled(workbook(numbers=[*NUMBERS[:-1], 42]))
    said = notes(made)
    assert "own.xlsx: item 42 stands there more than once: not filled" in said
    assert "own.xlsx: item 116 is not there: not filled" in said
    sheet = opened(made.data)["評価表"]
    assert sheet[f"D{TOP}"].value is None
    assert sheet[f"D{TOP + 1}"].value


@pytest.mark.parametrize(
    ("source", "shown"),
    [
        (["○", "×", "△"], "×"),
        ("=選択肢!$A$1:$A$4", "不適合"),
        (["適", "不 適"], "不 適"),
        (["良", "悪"], None),
        ("=$C$6:$C$7", None),
        ('=INDIRECT("x")', None),
    ],
    ids=str,
)
def test_the_verdict_is_one_of_the_evaluators_own_words(source: Any, shown: str | None) -> None:
    made = filled(workbook(offered=source))
    assert opened(made.data)["評価表"][f"E{TOP + 2}"].value == shown
    if shown is None:
        assert any("no word in the list for “満たさない”" in note for note in notes(made))


def test_a_partial_yes_is_never_given() -> None:
    made = filled(workbook(offered=["○", "△", "×"]))
    sheet = opened(made.data)["評価表"]
    shown = {sheet[f"E{row}"].value for row in range(TOP, TOP + 17)}
    assert shown <= {"×", "○", None}
    for row, item in enumerate(ITEMS, TOP):
        met = ENTRIES["vendor-138", item].answer is Answer.MET
        assert (sheet[f"E{row}"].value == "○") == met


@pytest.mark.parametrize(
    ("value", "item"),
    [(42, "42"), (42.0, "42"), ("４２", "42"), ("No.42", "42"), ("項番 42", "42"), ("(42)", "42"),
     ("42.", "42"), ("42-1", ""), ("0x42", ""), (True, ""), ("４２項目", ""), (None, "")],
    ids=str,
)  # fmt: skip
def test_item_numbers_as_people_write_them(value: object, item: str) -> None:
    assert find.number(value) == item


@pytest.mark.slow
@pytest.mark.parametrize("template", [workbook(), bare()], ids=["styled", "bare"])
def test_a_workbook_that_another_program_saved(template: bytes, tmp_path: Path) -> None:
    office = program("soffice")
    (tmp_path / "own.xlsx").write_bytes(template)
    home = f"-env:UserInstallation=file://{tmp_path}/office"
    subprocess.run(
        [office, home, "--headless", "--convert-to", "xlsx", "--outdir", "saved", "own.xlsx"],
        cwd=tmp_path, check=True, capture_output=True, timeout=110,
    )  # fmt: skip
    made = filled((tmp_path / "saved" / "own.xlsx").read_bytes())
    assert notes(made) == ["own.xlsx: extensions of the workbook as a whole are left out"]
    shown = {str(c.value) for row in opened(made.data).worksheets[0].iter_rows() for c in row}
    assert shown & {"不適合", "満たさない"}


# ---- what is refused -------------------------------------------------------------------------


def by_openpyxl(touch: Callable[[Any], None]) -> bytes:
    book, out = opened(workbook()), io.BytesIO()
    touch(book)
    book.save(out)
    return out.getvalue()


def with_part(name: str, content: bytes = b"x", **changed: tuple[bytes, bytes]) -> bytes:
    """The workbook with one part more, and some of its parts changed."""
    out = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(workbook())) as old,
        zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as new,
    ):
        for part in old.namelist():
            data = old.read(part)
            for key, (one, other) in changed.items():
                if part.endswith(f"{key}.xml"):
                    assert one in data
                    data = data.replace(one, other, 1)
            new.writestr(part, data)
        if name:
            new.writestr(name, content)
    return out.getvalue()


def charted(book: Any, sheet: Any) -> None:
    chart = book.add_chart({"type": "line"})
    chart.add_series({"values": "=評価表!$A$6:$A$8"})
    sheet.insert_chart("H9", chart)


LOST = {
    "textbox": (workbook(lambda _, s: s.insert_textbox("H9", "x")), "shapes, pictures or charts"),
    "chart": (
        workbook(charted),
        "xl/charts/chart1.xml",
    ),
    "button": (workbook(lambda _, s: s.insert_button("H9", {"macro": "x"})), "vmlDrawing1.vml"),
    "sparkline": (
        workbook(lambda _, s: s.add_sparkline("H9", {"range": "A1:A3"})),
        "sparklines, or validations",
    ),
    "data bar": (
        workbook(lambda _, s: s.conditional_format(
            "A1:A3", {"type": "data_bar", "data_bar_2010": True})),
        "xl/worksheets/sheet1.xml extLst",
    ),
    "comment": (
        by_openpyxl(lambda b: setattr(b["評価表"]["A1"], "comment", Comment("x", "y"))),
        "cell comments",
    ),
    "dynamic array": (
        workbook(lambda _, s: s.write_dynamic_array_formula("H9", "=LEN(A1:A3)")),
        "xl/metadata.xml",
    ),
    "macros": (with_part("xl/vbaProject.bin"), "macros"),
    "pivot": (with_part("xl/pivotTables/pivotTable1.xml"), "pivot tables"),
    "link": (with_part("xl/externalLinks/externalLink1.xml"), "links to other files"),
    "custom XML": (with_part("customXml/item1.xml"), "custom XML"),
    "threaded": (with_part("xl/threadedComments/threadedComment1.xml"), "cell comments"),
    "signature": (with_part("_xmlsignatures/sig1.xml"), "digital signatures"),
    "unheard of": (with_part("xl/\u202enew.xml"), "other parts (xl/\\u202enew.xml)"),
    "protected ranges": (
        with_part("", sheet1=(b"<mergeCells", b'<protectedRanges><protectedRange name="x"'
                              b' sqref="A1"/></protectedRanges><mergeCells')),
        "xl/worksheets/sheet1.xml protectedRanges",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("template", "said"), LOST.values(), ids=LOST)
def test_what_would_be_lost_is_refused_by_its_name(template: bytes, said: str) -> None:
    line = refused(template)
    assert "would be damaged, for these cannot be kept" in line
    assert said in line


def test_a_drawing_with_nothing_on_it_is_nothing_to_lose() -> None:
    """LibreOffice writes one to every filter."""
    part = "xl/drawings/drawing1.xml"
    assert filled(with_part(part, b"<wsDr/>"))
    assert "shapes, pictures or charts" in refused(with_part(part, b"<wsDr><x/></wsDr>"))


def test_readings_and_printer_settings_are_told() -> None:
    reading = b'<rPh sb="0" eb="1"><t>x</t></rPh></si>'
    made = filled(
        with_part("xl/printerSettings/printerSettings1.bin", sharedStrings=(b"</si>", reading))
    )
    assert notes(made) == [
        "own.xlsx: the readings (furigana) of cells are left out",
        "own.xlsx: settings of one printer's own are left out",
    ]


def test_what_nobody_sees_and_is_left_out_is_told() -> None:
    company = (b"<Company></Company>", b"<Company>x</Company>")
    extended = (b"</workbook>", b"<extLst/></workbook>")
    made = filled(with_part("", app=company, workbook=extended))
    assert notes(made) == [
        "own.xlsx: company and manager in its properties are left out",
        "own.xlsx: extensions of the workbook as a whole are left out",
    ]
    assert FORMULAS in [str(SheetError(n.template, **n.values)) for n in made.notes]


def test_a_header_that_openpyxl_cannot_read_is_named_in_our_words() -> None:
    plain = (b"&amp;L", b"")
    line = refused(with_part("", sheet1=plain))
    assert "a header or footer that stands neither left" in line


LAUGHS = (
    b'<!DOCTYPE x [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;">]>'
    b'<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main">&b;</worksheet>'
)
BROKEN = {
    "empty": b"",
    "text": b"no workbook",
    "a zip": with_part("")[:200] + with_part("")[300:],
    "cut": workbook()[:-50],
    "old": b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600),
    "wide": with_part("", sheet1=(b'"B1:C1"', b'"B1:XFD1048576"')),
    "wide again and again": touched(
        workbook(), lambda root: [joined("H30:CQ1000")(root) for _ in range(1000)] and None
    ),
    "no heads": workbook(lambda _, s: s.write("E4", "x")),
    "no numbers": workbook(numbers=["x"]),
}


@pytest.mark.parametrize("template", BROKEN.values(), ids=BROKEN)
def test_what_cannot_be_filled_ends_with_one_line(template: bytes) -> None:
    refused(template)


def test_bombs_are_not_unpacked() -> None:
    assert "too large once unpacked" in refused(
        with_part("xl/theme/theme2.xml", bytes(parts.UNPACKED))
    )
    assert "is larger than 20 MB" in refused(bytes(parts.LARGEST + 1))
    out = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(workbook())) as old,
        zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as new,
    ):
        for part in old.namelist():
            new.writestr(part, LAUGHS if part.endswith("sheet1.xml") else old.read(part))
    assert "no sound .xlsx" in refused(out.getvalue())


def test_any_cut_or_changed_byte_is_one_line_or_a_workbook() -> None:
    whole = workbook()
    for at in range(0, len(whole), 97):
        for template in (whole[:at], whole[:at] + bytes([whole[at] ^ 0x55]) + whole[at + 1 :]):
            try:
                filled(template)
            except SheetError as error:
                assert str(error).isprintable()


@pytest.mark.slow
@pytest.mark.parametrize("part", ["xl/worksheets/sheet1.xml", "xl/workbook.xml", "xl/styles.xml"])
def test_any_changed_letter_of_a_part_is_one_line_or_a_workbook(part: str) -> None:
    with zipfile.ZipFile(io.BytesIO(workbook())) as old:
        parts_of = {name: old.read(name) for name in old.namelist()}
    whole = parts_of[part]
    for at in range(0, len(whole), max(1, len(whole) // 150)):
        changed = whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :]
        out = io.BytesIO()
        with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as new:
            for name, data in parts_of.items():
                new.writestr(name, changed if name == part else data)
        with contextlib.suppress(SheetError):
            filled(out.getvalue())


def test_the_checklist_must_have_been_answered() -> None:
    made = judge(make.scan(checklists=("mhlw-5.2",)))
    with pytest.raises(SheetError, match="judge with --checklist vendor-138"):
        fill.fill(workbook(), "own.xlsx", made, "ja")


def test_spelt_characters_stay_spelt() -> None:
    assert fill._escaped("_x003D_ _x1_ _x005F_") == "_x005F_x003D_ _x1_ _x005F_x005F_"
