"""Sheets that somebody else filled in: found by their heads, and harmless whatever they hold."""

from __future__ import annotations

import io
import time
import tracemalloc
import warnings
import zipfile
from collections.abc import Sequence
from typing import Any

import openpyxl
import pytest
import xlsxwriter
from hypothesis import given
from hypothesis import strategies as st

from tests import make
from tlscheck.errors import ClaimsError
from tlscheck.verify import Why, read, show, verify

OFFICIAL = ("", "", "対応策", "確認したエビデンス（文書名、ページ番号等）", "判定結果", "改善策")


def workbook(*rows: Sequence[Any], heads: Sequence[Any] = OFFICIAL, above: int = 2) -> bytes:
    book = openpyxl.Workbook()
    page = book.active
    assert page is not None
    for _ in range(above):
        page.append(["", "評価申請元"])
    page.append(list(heads))
    for row in rows:
        page.append(list(row))
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def kinds(data: bytes) -> list[tuple[str, str, str]]:
    return [(c.item, c.kind, c.target) for c in read("f.xlsx", data).claims]


@pytest.mark.parametrize(
    "number", [44, 44.0, "44", "４４", "項番44", " 44. ", "(44)"], ids=lambda n: repr(n)
)
def test_the_item_of_a_row(number: Any) -> None:
    assert kinds(workbook((number, "…", "TLS1.3のみ"))) == [("44", "versions_among", "")]


def test_columns_are_found_by_their_heads_wherever_they_stand() -> None:
    heads = ("対 応 策（事業者記入）", "接続先", "項番")
    rows = (("TLS1.3のみ", "clinic.example.jp", "2-1-xii"), ("HSTSを設定", "a.jp", "MDS-12.1"))
    assert kinds(workbook(*rows, heads=heads, above=70)) == [
        ("2-1-xii", "versions_among", "clinic.example.jp"),
        ("MDS-12.1", "hsts", "a.jp"),
    ]
    english = ("No.", "Item", "Countermeasure", "Target")
    row = (3, "", "HSTS is enabled.", "smtp://mx.example.jp")
    assert kinds(workbook(row, heads=english)) == [("3", "hsts", "smtp://mx.example.jp")]


@pytest.mark.parametrize("head", ["対象外", "対象者", "対象範囲", "Not applicable"])
def test_a_column_of_the_answers_of_a_form_names_no_targets(head: str) -> None:
    heads = ("項番", "はい", "いいえ", head, "対応策")
    mark = "○" if head in ("対象者", "対象範囲") else ""
    assert kinds(workbook((44, "○", "", mark, "TLS1.3のみ"), heads=heads)) == [
        ("44", "versions_among", "")
    ]


def whys(data: bytes) -> list[Why]:
    found = read("f.xlsx", data)
    assert not found.claims
    return [each.why for each in found.unread]


REFUSALS = ("不適合", "非対応", "不可", "×", "無", "未達", "NG", "対応なし")


@pytest.mark.parametrize(
    ("head", "mark", "read"),
    [
        ("対象外", "○", False),
        ("いいえ", "✓", False),
        ("実施予定", "2027年4月", False),
        ("実施予定", "□", True),
        ("遵守", "×", False),
        ("実施可否", "否", False),
        ("結果", "NG", False),
        ("実施時期", "2027年4月", False),
        ("備考", "本番環境", True),
        ("対応状況", "未対応", False),
        ("はい/いいえ", "いいえ", False),
        ("対応状況", "対応済み", True),
        ("判定結果", "×", True),
        ("確認項目", "TLS1.0を使用しないこと", True),
        *((head, "○", False) for head in REFUSALS),
        ("備考", "来年度に実施する予定", False),
        ("備考", "一部サーバーはTLS1.0を許可", False),
        ("備考", "実際には未設定", False),
        ("特記事項", "本番未反映", False),
        ("適用", "しない", False),
        ("該当性", "該当しない", False),
        ("自己評価", "3（未実施）", False),
        ("達成度", "0%", False),
        ("対応区分", "計画", False),
        ("完了予定日", "2027/4/1", False),
        ("対応期限", "2027年3月末", False),
        ("導入時期", "次期更改時", False),
    ],
)
def test_a_no_beside_a_claim_leaves_it_unread(head: str, mark: str, read: bool) -> None:
    data = workbook((44, mark, "HSTSを設定"), heads=("項番", head, "対応策"))
    if read:
        assert kinds(data) == [("44", "hsts", "")]
    else:
        assert whys(data) == [Why.BESIDE]


@pytest.mark.parametrize("head", ["対応策（予定）", "今後の対応策", "対応策の例", "推奨対応策"])
def test_a_head_that_promises_nothing_heads_no_claims(head: str) -> None:
    assert whys(workbook((44, "HSTSを設定"), heads=("項番", head))) == [Why.BESIDE]


def test_the_no_of_a_head_of_two_rows_counts() -> None:
    rows = (("", "はい", "いいえ", ""), (44, "", "○", "HSTSを設定"))
    assert whys(workbook(*rows, heads=("項番", "回答欄", "", "対応策"))) == [Why.BESIDE]


def test_a_row_without_a_target_beside_rows_with_one_is_of_nobody() -> None:
    """As the lower rows of a merged cell are."""
    rows = ((44, "a.jp", "TLS1.3のみ"), ("", "", "HSTSを設定"))
    found = read("f.xlsx", workbook(*rows, heads=("項番", "対象", "対応策")))
    assert [c.kind for c in found.claims] == ["versions_among"]
    assert [x.why for x in found.unread] == [Why.NO_TARGET]


def test_every_table_of_a_sheet_is_read() -> None:
    further = ("", "対応策", "項番")
    rows = ((44, "TLS1.3のみ", ""), further, ("", "HSTSを設定", "45"))
    heads = ("項番", "ベンダーの対応策", "")
    assert kinds(workbook(*rows, heads=heads)) == [
        ("44", "versions_among", ""), ("45", "hsts", ""),
    ]  # fmt: skip


def test_what_is_struck_through_or_hidden_is_not_read() -> None:
    data = workbook((44, "", "HSTSを設定"))
    book = openpyxl.load_workbook(io.BytesIO(data))
    page = book.active
    assert page is not None
    page["C4"].font = openpyxl.styles.Font(strike=True)
    out = io.BytesIO()
    book.save(out)
    assert whys(out.getvalue()) == [Why.STRUCK]
    page["C4"].font = openpyxl.styles.Font()
    book.create_sheet("other")
    page.sheet_state = "hidden"
    out = io.BytesIO()
    book.save(out)
    assert whys(out.getvalue()) == [Why.HIDDEN]


@pytest.mark.parametrize("head", ["対象", "検査対象", "対象ホスト名", "接続先（URL）", "Target"])
def test_a_column_of_targets(head: str) -> None:
    row = (44, "clinic.example.jp", "TLS1.3のみ")
    assert kinds(workbook(row, heads=("項番", head, "対応策"))) == [
        ("44", "versions_among", "clinic.example.jp")
    ]


def test_a_cell_of_several_targets_speaks_of_each() -> None:
    row = (44, "a.jp\nb.jp:8443、192.0.2.1", "TLS1.3のみ")
    assert [t for *_, t in kinds(workbook(row, heads=("項番", "対象", "対応策")))] == [
        "a.jp",
        "b.jp:8443",
        "192.0.2.1",
    ]


def test_a_cell_of_all_targets_names_none() -> None:
    assert kinds(workbook((44, "全サーバー", "TLS1.3のみ"), heads=("項番", "対象", "対応策"))) == [
        ("44", "versions_among", "")
    ]


def test_a_target_that_is_none_costs_its_row_alone() -> None:
    rows = ((44, "a.jp/login", "HSTSを設定"), (45, "b.jp", "TLS1.3のみ"))
    found = read("f", workbook(*rows, heads=("項番", "対象", "対応策")))
    assert [c.target for c in found.claims] == ["b.jp"]
    assert [u.why for u in found.unread] == [Why.UNCLEAR_TARGET]


def test_what_a_row_says_it_is_about_stands_beside_its_claims() -> None:
    rows = ((44, "診療システム本体", "HSTSを設定"), (45, "拠点間VPN装置", "TLS1.3のみ"))
    found = read("f", workbook(*rows, heads=("項番", "対象機器", "対応策")))
    assert [(c.item, c.beside) for c in found.claims] == [("44", ("診療システム本体",))]
    assert [(u.item, u.why) for u in found.unread] == [("45", Why.ELSEWHERE)]


def test_a_cell_with_a_run_that_is_struck_through_is_not_read() -> None:
    out = io.BytesIO()
    with xlsxwriter.Workbook(out) as book:
        page = book.add_worksheet()
        page.write_row(0, 0, ["項番", "対応策"])
        struck, bold = (book.add_format({style: True}) for style in ("font_strikeout", "bold"))
        page.write_row(1, 0, [44])
        page.write_rich_string(1, 1, struck, "HSTSを設定", "。TLS1.3のみ")
        page.write_row(2, 0, [45])
        page.write_rich_string(2, 1, bold, "TLS1.3", "のみ")
    found = read("f", out.getvalue())
    assert [(c.item, c.kind) for c in found.claims] == [("45", "versions_among")]
    assert [u.why for u in found.unread] == [Why.STRUCK]


def besides(data: bytes) -> list[tuple[str, tuple[str, ...]]]:
    return [(c.item, c.beside) for c in read("f.xlsx", data).claims]


@pytest.mark.parametrize("head", ["No", "NO", "Ｎｏ", "no", "№", "No."])
def test_a_column_of_numbers_says_no_to_nothing(head: str) -> None:
    heads = (head, "項目", "対応策")
    assert kinds(workbook((1, "暗号化", "HSTSを設定"), heads=heads)) == [("1", "hsts", "")]


def test_what_a_remark_says_stands_beside_the_claim() -> None:
    rows = ((44, "HSTSを設定", "嘘です"), (45, "TLS1.3のみ", "対応済み"))
    assert besides(workbook(*rows, heads=("項番", "対応策", "コメント"))) == [
        ("44", ("嘘です",)), ("45", ()),
    ]  # fmt: skip


def test_further_rows_of_an_item_stand_beside_its_claims() -> None:
    rows = ((44, "HSTSを設定"), ("", "ただし、実は別の話です。"), (45, "TLS1.3のみ"))
    assert besides(workbook(*rows, heads=("項番", "対応策"))) == [
        ("44", ("ただし、実は別の話です",)), ("45", ()),
    ]  # fmt: skip


def test_headings_and_notes_that_take_back_stand_beside_the_claims() -> None:
    rows = (
        ("以下は未実施の項目", ""), (44, "HSTSを設定"), ("通信", ""), (45, "TLS1.3のみ"),
        ("※ 予定を含む", ""),
    )  # fmt: skip
    assert besides(workbook(*rows, heads=("項番", "対応策"))) == [
        ("44", ("以下は未実施の項目", "※ 予定を含む")), ("45", ("※ 予定を含む",)),
    ]  # fmt: skip
    data = workbook((44, "HSTSを設定"), heads=("項番", "対応策"))
    book = openpyxl.load_workbook(io.BytesIO(data))
    page = book.active
    assert page is not None
    page.title = "未対応項目"
    page["A1"] = "対応策一覧（2027年度実施予定）"
    page["B1"] = None
    page["B4"].comment = openpyxl.comments.Comment("実は違います", "鈴木")
    out = io.BytesIO()
    book.save(out)
    found = read("f", out.getvalue())
    assert [c.beside for c in found.claims] == [
        ("未対応項目", "対応策一覧（2027年度実施予定）", "実は違います")
    ]
    assert [(u.place, u.why) for u in found.unread] == [("B4", Why.COMMENT)]


def test_a_second_column_of_countermeasures_is_listed() -> None:
    heads = ("項番", "対応策（記入例）", "対応策")
    found = read("f", workbook((44, "TLS1.2以上", "TLS1.3のみ"), (45, "", ""), heads=heads))
    assert [(c.item, c.place) for c in found.claims] == [("44", "Sheet!C4")]
    assert [(u.words, u.why, u.place) for u in found.unread] == [
        ("TLS1.2以上", Why.OTHER_COLUMN, "Sheet!B4")
    ]
    shown = show.text(verify(found, make.scan()), "en").decode()
    assert "in a further column of that head" in shown


def test_claims_beyond_what_is_read_are_refused_and_named() -> None:
    plain = openpyxl.Workbook()
    for number in range(51):
        plain.create_sheet(f"s{number}").append(["x"])
    assert plain.active is not None
    plain.active.append(["項番", "対応策"])
    plain.active.append([44, "TLS1.3のみ"])
    plain.active.cell(5300, 1, "no claim")
    assert len(read("f", saved(plain)).claims) == 1
    plain["s50"].append(["項番", "対応策"])
    refused(plain, "f, s50: ")
    del plain["s50"]
    plain.active.cell(5300, 2, "TLS1.0は無効")
    refused(plain, "f, Sheet!B5300: ")
    plain.active.cell(5300, 2).value = None
    plain["s1"].cell(1, 70, "対応策")
    refused(plain, "f, s1: ")


def saved(book: Any) -> bytes:
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def refused(book: Any, said: str) -> None:
    with pytest.raises(ClaimsError) as caught:
        read("f", saved(book))
    assert str(caught.value).startswith(said)
    assert "claims beyond 50 sheets, 5000 rows or 60 columns are not read" in str(caught.value)


def test_every_sheet_is_read() -> None:
    book = openpyxl.load_workbook(io.BytesIO(workbook((44, "", "TLS1.3のみ"))))
    for number in range(3):
        page = book.create_sheet(f"第{number}")
        page.append(["項番", "対応策"])
        page.append([50 + number, "SSL-VPNは不使用"])
    book.create_sheet("ほか").append(["何もない"])
    out = io.BytesIO()
    book.save(out)
    found = read("f", out.getvalue()).claims
    assert [(c.item, c.place) for c in found] == [
        ("44", "Sheet!C4"),
        ("50", "第0!B2"),
        ("51", "第1!B2"),
        ("52", "第2!B2"),
    ]


def test_the_official_sheet_filled_in_other_columns_claims_nothing() -> None:
    found = read("f", workbook((44, "TLS1.3のみ", "", "TLS1.3のみ", "適", "HSTSを設定")))
    assert found.claims == found.unread == ()


def test_a_formula_is_listed_and_not_followed() -> None:
    found = read("f", workbook((44, "", '=HYPERLINK("http://attacker.example","TLS1.3のみ")')))
    assert found.claims == ()
    (left,) = found.unread
    assert (left.why, left.item) == (Why.FORMULA, "44")


HOSTILE = ("<script>alert(1)</script>", "=1+1", "\u202eexe.gpj", "@SUM(A1)", "a\tb", "{0} %s {x}")


def test_what_it_holds_is_shown_harmless() -> None:
    rows = [(f"{n}", "", f"TLS1.0は無効。{words}") for n, words in enumerate(HOSTILE)]
    said = read("f\x1b[31m.xlsx", workbook(*rows))
    made = verify(said, make.scan())
    for lang in ("en", "ja"):
        shown = show.text(made, lang).decode()
        assert all(c.isprintable() or c == "\n" for c in shown)
    assert b"\x1b" not in show.document(made, "en")


def test_too_long_a_cell_costs_a_line() -> None:
    found = read("f", workbook((44, "", "あ" * 30_000), (45, "", "TLS1.3のみ")))
    assert [c.item for c in found.claims] == ["45"]
    (left,) = found.unread
    assert left.why is Why.TOO_LONG
    assert len(left.words) <= 1000


def test_much_prose_has_an_end() -> None:
    rows = [(n, "", "TLS1.3のみ。" * 2000) for n in range(40)]
    began = time.process_time()
    found = read("f", workbook(*rows))
    assert time.process_time() - began < 20
    assert found.claims
    assert found.unread[-1].why is Why.TOO_LONG


def packed(**parts: bytes) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in parts.items():
            archive.writestr(name, data)
    return out.getvalue()


def changed(data: bytes, part: str, content: bytes) -> bytes:
    """The workbook *data* with another *content* of one *part*."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(out, "w") as new:
        for name in old.namelist():
            new.writestr(name, content if name == part else old.read(name))
    return out.getvalue()


def with_strings(strings: bytes) -> bytes:
    """A workbook as Excel writes it, its words in a table of their own."""
    cells = b"".join(
        b'<c r="%s1" t="s"><v>%d</v></c>' % (letter, n) for n, letter in enumerate((b"A", b"B"))
    )
    below = b'</row><row r="2"><c r="A2"><v>44</v></c><c r="B2" t="s"><v>2</v></c>'
    data = page(cells + below)
    with zipfile.ZipFile(io.BytesIO(data)) as old:
        types = old.read("[Content_Types].xml")
    part = (
        b'<Override PartName="/xl/sharedStrings.xml" ContentType="application/vnd.openxmlformats-'
        b'officedocument.spreadsheetml.sharedStrings+xml"/></Types>'
    )
    data = changed(data, "[Content_Types].xml", types.replace(b"</Types>", part))
    out = io.BytesIO(data)
    with zipfile.ZipFile(out, "a") as archive:
        archive.writestr("xl/sharedStrings.xml", strings)
    return out.getvalue()


STRINGS = """%s<sst xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main">
<si><t>項番</t></si><si><t>対応策</t><rPh sb="0" eb="2"><t>タイオウ</t></rPh></si>
<si><r><t>TLS1.3</t></r><r><rPr><b/></rPr><t>のみ</t></r><phoneticPr fontId="1"/></si></sst>"""


def test_words_in_a_table_with_runs_and_readings() -> None:
    data = with_strings((STRINGS % "").encode())
    assert kinds(data) == [("44", "versions_among", "")]


def test_entities_in_the_table_of_words_are_refused() -> None:
    strings = STRINGS.replace("TLS1.3", "&c;") % LAUGHS.decode()
    with pytest.raises(ClaimsError, match="cannot be read as a workbook"):
        read("f.xlsx", with_strings(strings.encode()))


GOOD = workbook((44, "", "TLS1.3のみ"))
SHEET = "xl/worksheets/sheet1.xml"


def page(cells: bytes, before: bytes = b"") -> bytes:
    """A workbook whose one sheet has one row of *cells*."""
    return changed(
        GOOD,
        SHEET,
        b'<?xml version="1.0"?>' + before + b'<worksheet xmlns="http://schemas.openxmlformats.org/'
        b'spreadsheetml/2006/main"><sheetData><row r="1">'
        + cells
        + b"</row></sheetData></worksheet>",
    )


ENTITY = b'<c r="A1" t="inlineStr"><is><t>&c;</t></is></c>'
LAUGHS = b"""<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;">
<!ENTITY c "&b;&b;&b;&b;&b;&b;&b;&b;&b;&b;">]>"""
OUTSIDE = b'<!DOCTYPE x [<!ENTITY c SYSTEM "file:///etc/passwd">]>'
BROKEN = {
    "empty zip": packed(),
    "no workbook": packed(a=b"b"),
    "half a zip": GOOD[: len(GOOD) // 2],
    "no zip": b"PK\x03\x04nonsense",
    "no xml": changed(GOOD, SHEET, b"nonsense"),
    "entities": page(ENTITY, LAUGHS),
    "a file from outside": page(ENTITY, OUTSIDE),
    "no such string": page(b'<c r="A1" t="s"><v>99</v></c>'),
    "a bomb": packed(**{"xl/workbook.xml": b"\x00" * 50_000_000}),
    "many parts": packed(**{f"x{n}": b"" for n in range(2100)}),
    "no such head": workbook((44, "", "TLS1.3のみ"), heads=("a", "b", "c")),
}


@pytest.mark.parametrize("data", BROKEN.values(), ids=BROKEN)
def test_what_is_no_sheet_is_a_mistake_of_one_line(data: bytes) -> None:
    tracemalloc.start()
    try:
        with pytest.raises(ClaimsError) as caught:
            read("f.xlsx", data)
        assert tracemalloc.get_traced_memory()[1] < 50_000_000
    finally:
        tracemalloc.stop()
    line = caught.value.said("en")
    assert line.startswith("f.xlsx")
    assert line.isprintable()
    assert "passwd" not in line


def test_a_sheet_that_claims_to_be_wide_and_deep() -> None:
    head = "対応策".encode()
    cell = b'<c r="A1" t="inlineStr"><is><t>' + head + b"</t></is></c>"
    far = b'</row><row r="1048576"><c r="XFD1048576"><v>1</v></c>'
    began = time.process_time()
    assert read("f", page(cell + far)).claims == ()
    assert time.process_time() - began < 5


@given(
    st.lists(
        st.tuples(
            st.one_of(st.none(), st.integers(), st.floats(), st.booleans(), st.dates()),
            st.text(st.characters(min_codepoint=32, exclude_categories=("Cs",)), max_size=30),
        ),
        max_size=5,
    )
)
def test_any_cell_is_read_or_left(rows: list[tuple[Any, str]]) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            data = workbook(*((number, "", words) for number, words in rows))
        except ValueError:  # what openpyxl itself does not write
            return
    found = read("f", data)
    words = [w for _, w in rows if any(map(str.isalnum, w))]
    assert len(found.claims) + len(found.unread) >= len(words) or not words


@given(st.binary(max_size=200), st.integers(0, len(GOOD) - 1))
def test_a_spoilt_sheet_fails_in_one_line_or_not_at_all(noise: bytes, at: int) -> None:
    try:
        read("f", GOOD[:at] + noise + GOOD[at + len(noise) :])
    except ClaimsError as error:
        assert error.said("en").isprintable()
