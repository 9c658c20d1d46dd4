"""The workbook: whole forms, nothing in them that a server steers, pages that can be printed."""

from __future__ import annotations

import io
import re
import subprocess
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import openpyxl
import pytest

from tests import make
from tests.render.make_report import FORMULA, LANGUAGES, report
from tests.servers import program
from tlscheck import checklist as checklists
from tlscheck import data
from tlscheck.bundle.contents import cited
from tlscheck.config import Sheet
from tlscheck.judge import judge
from tlscheck.model import Answer, Look
from tlscheck.render import xlsx
from tlscheck.render.entries import MOST_FILES, entries
from tlscheck.render.layout import Form, layout
from tlscheck.report import Report
from tlscheck.text import ANSWERS, word

HEAD = Sheet('=cmd|"/c calc"!A1', "評価機関 例", "例オンライン\u202e2.1")
BAD = '=cmd|"/c calc"!A1'
BOTH = pytest.mark.parametrize("lang", LANGUAGES)
EVALUATION = {"ja": "評価シート（138項目）", "en": "Evaluation sheet (138)"}


def judged(*looks: Look) -> Report:
    return judge(make.scan(*looks, checklists=data.checklists()))


def hostile() -> Look:
    """An endpoint whose certificate says what spreadsheets, pages and terminals may obey."""
    names = (
        BAD,
        FORMULA,
        "<script>alert(1)</script>",
        "\x1b[31mred\u202e",
        "_x003D_1+1",
        "+1",
        "@a",
    )
    seen = make.certificate_for("www.example.jp")
    chain = seen.chains[0]
    leaf = replace(chain.leaf, subject=BAD, issuer=FORMULA, common_name=BAD, names=names)
    chain = replace(chain, certificates=(leaf, *chain.certificates[1:]))
    return make.good_look(certificate=replace(seen, chains=(chain,)))


GOOD, HOSTILE, FAULTY = judged(), judged(hostile()), judged(make.missed_look(), hostile())


def opened(made: bytes) -> Any:
    return openpyxl.load_workbook(io.BytesIO(made))


def cells(book: Any) -> list[tuple[str, str, Any]]:
    return [(s.title, c.coordinate, c) for s in book for row in s.iter_rows() for c in row]


# ---- the forms -------------------------------------------------------------------------------


@BOTH
def test_the_evaluation_sheet_has_its_columns_its_head_and_every_row(lang: str) -> None:
    sheet = opened(xlsx.render(GOOD, lang, Sheet("A", "B", "C")))[EVALUATION[lang]]
    head = {"ja": ["項番", "項目", "対応策", "確認したエビデンス", "判定結果", "改善策"]}
    heads = [str(cell.value) for cell in sheet[6]]
    if lang == "ja":
        assert [h.partition("\n")[0] for h in heads] == head["ja"]
        assert heads[3].endswith("（文書名、ページ番号等）")
        names = [sheet.cell(row, 1).value for row in (2, 3, 4)]
        assert names == ["評価申請元", "評価者", "評価対象プロダクト名"]
    assert [sheet.cell(row, 3).value for row in (2, 3, 4)] == ["A", "B", "C"]
    rows = {r[0].value: r for r in sheet.iter_rows(min_row=7) if isinstance(r[0].value, int)}
    assert list(rows) == list(range(1, 139))
    network = {int(item.id) for item in checklists.load("vendor-138").items}
    known = {word(ANSWERS, answer, lang) for answer in Answer}
    for number, (_, title, measures, evidence, verdict, improvement) in rows.items():
        assert title.value
        assert measures.value is None
        if number in network:
            assert verdict.value in known
            assert "tlscheck" in evidence.value
        else:
            assert (evidence.value, verdict.value, improvement.value) == (None, None, None)


@BOTH
def test_the_other_forms_say_yes_of_what_is_met_alone(lang: str) -> None:
    said = []
    for made in (GOOD, FAULTY):
        book, known = opened(xlsx.render(made, lang)), entries(made, lang)
        for checklist in ("standard-2026", "guideline-security", "mhlw-5.2", "mhlw-7.0"):
            form = layout().forms[checklist]
            rows = list(book[name(form, lang)].iter_rows(min_row=7, values_only=True))
            for item in checklists.load(checklist).items:
                (row,) = (r for r in rows if str(r[0]) == item.id)
                texts = dict(zip((column.key for column in form.columns), row, strict=True))
                answer = known[checklist, item.id].answer
                assert texts["verdict"] == word(ANSWERS, answer, lang)
                said.append((answer, texts))
    yes = {"met": ("☑", "■"), "declared": ("はい", "Yes")}
    for answer, texts in said:
        for key, words in yes.items():
            if key in texts:
                assert (texts[key] in words) == (answer is Answer.MET)
        if "declared" in texts:
            assert (texts["declared"] in ("いいえ", "No")) == (answer is Answer.NOT_MET)
        if "planned" in texts:
            assert (texts["planned"], texts["when"]) == ("□", None)
    assert {answer for answer, _ in said} >= {Answer.NOT_MET, Answer.UNDETERMINED, Answer.MET}


FILES = {"targets/0/certificate.jsonl", "targets/0/tls.jsonl"}


@BOTH
def test_evidence_files_are_cited_where_there_are_any(lang: str) -> None:
    bundled = cited(HOSTILE, FILES)
    book, without = opened(xlsx.render(bundled, lang)), opened(xlsx.render(HOSTILE, lang))
    title = {"ja": "証拠ファイル", "en": "Evidence files"}[lang]
    rows = {row[0].value: row[3].value for row in book[EVALUATION[lang]].iter_rows(min_row=7)}
    first, second, *_rest = rows[44].splitlines()
    assert "SHA-256" in first
    assert second.startswith(title)
    for file in (*FILES, "scan.json#/targets/0/seen/tls"):
        assert second.count(file) == 1
    sheet = name(layout().sheets["findings"], lang)
    found = [dict(zip([c.value for c in book[sheet][3]], r, strict=True))
             for r in book[sheet].iter_rows(4, values_only=True)]  # fmt: skip
    place = [c.value for c in book[sheet][3]][1]
    names = next(row for row in found if row[place] == "certificate.names")
    expected = ["scan.json#/targets/0/seen/certificate", "targets/0/certificate.jsonl"]
    assert names[title].splitlines()[:2] == expected
    said = [str(c.value) for _sheet, _at, c in cells(without)]
    assert not any(title in text or "targets/0/" in text for text in said)


def test_of_many_evidence_files_some_are_named() -> None:
    looks = [make.good_look(f"www{n}.example.jp") for n in range(9)]
    files = {f"targets/{n}/tls.jsonl" for n in range(9)}
    entry = entries(cited(judged(*looks), files), "en")["vendor-138", "44"]
    (line,) = (line for line in entry.evidence.splitlines() if line.startswith("Evidence files: "))
    assert line.count(".jsonl") == MOST_FILES
    assert re.search(r", and \d+ more$", line)


def name(form: Form, lang: str) -> str:
    assert form.name
    return form.name.ja if lang == "ja" else form.name.en


def test_evidence_names_document_profile_rules_and_places() -> None:
    entry = entries(HOSTILE, "en")["vendor-138", "44"]
    assert entry.answer is Answer.NOT_MET
    first, *lines = entry.evidence.splitlines()
    assert re.fullmatch(
        r"Document: tlscheck scan file of .* UTC \(SHA-256 [0-9a-f]{16}…\); profile vendor-138",
        first,
    )
    assert any(line.startswith("✗ certificate.names: ") for line in lines)
    assert "www.example.jp:443 (192.0.2.1)" in entry.evidence
    assert "■ certificate.names: Take a certificate whose alternative names" in entry.improvement
    assert "ssl_certificate /etc/ssl/site/fullchain.pem;" in entry.improvement
    assert "・TLS settings of the client software" in entry.improvement


def test_what_was_not_looked_at_is_told() -> None:
    made = judge(make.scan(make.missed_look(), subjects=("tls", "certificate", "http")))
    rows = list(opened(xlsx.render(made, "en"))["Not looked at"].iter_rows(3, values_only=True))
    assert ("www.example.jp:443 (192.0.2.1)", "TLS", "no answer in time") in rows
    assert ("everywhere", "SSL-VPN", "it was not asked for") in rows
    assert any(where.endswith("138 items) 44") for where, _, _ in rows)


def test_remedies_are_those_of_the_profile_that_minds() -> None:
    book = opened(xlsx.render(GOOD, "en"))
    rows = [r for r in book["Remedies"].iter_rows(3, values_only=True) if r[0] == "tls.versions"]
    assert [(r[1], r[4]) for r in rows] == [("mhlw-5.2", "ssl_protocols TLSv1.3;")]


# ---- nothing steers it -----------------------------------------------------------------------


@BOTH
@pytest.mark.parametrize("made", [HOSTILE, report()], ids=["catalogs", "fixed"])
def test_a_hostile_server_stays_text(made: Report, lang: str) -> None:
    data = xlsx.render(made, lang, HEAD)
    texts = []
    for _sheet, _at, cell in cells(opened(data)):
        assert cell.data_type in ("s", "n"), cell.value
        assert cell.hyperlink is None
        if isinstance(cell.value, str):
            texts.append(cell.value)
            assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f]", cell.value)
            assert not re.search(
                "[\u200e\u200f\u2028-\u202e\u2066-\u2069\ufffe\U000e0041]", cell.value
            )
            assert cell.quotePrefix or not cell.value.startswith(tuple("=+-@"))
    assert any(FORMULA in text for text in texts)
    assert BAD in texts  # the applicant's name
    parts = zipfile.ZipFile(io.BytesIO(data))
    for part in parts.namelist():
        content = parts.read(part)
        assert b"<f>" not in content
        assert b"TargetMode" not in content
        assert not re.search(rb"_x[0-9A-Fa-f]{4}_", content.replace(b"_x005F_", b""))


def test_the_same_report_gives_the_same_bytes() -> None:
    assert xlsx.render(GOOD, "ja", HEAD) == xlsx.render(judged(), "ja", HEAD)


# ---- paper -----------------------------------------------------------------------------------


@BOTH
def test_every_sheet_can_be_printed(lang: str) -> None:
    book = opened(xlsx.render(GOOD, lang, HEAD))
    forms = {
        name(f, lang): f for f in (*layout().sheets.values(), *layout().forms.values()) if f.name
    }
    assert set(book.sheetnames) == set(forms) - {name(layout().sheets["waivers"], lang)}
    for sheet in book:
        top = 6 if sheet.title in answered(lang) else 3
        assert sheet.page_setup.orientation == "landscape"
        assert sheet.page_setup.paperSize == {"A3": 8, "A4": 9}[forms[sheet.title].paper]
        assert sheet.page_setup.fitToHeight == 0
        assert sheet.sheet_properties.pageSetUpPr.fitToPage
        assert sheet.print_title_rows == f"${top}:${top}"
        assert sheet.freeze_panes.endswith(str(top + 1))


def answered(lang: str) -> set[str]:
    return {name(form, lang) for form in layout().forms.values() if form.name}


def test_verdicts_are_lists_with_colours() -> None:
    sheet = opened(xlsx.render(GOOD, "ja"))[EVALUATION["ja"]]
    (check,) = sheet.data_validations.dataValidation
    words = [word(ANSWERS, answer, "ja") for answer in Answer]
    assert check.formula1 == '"' + ",".join(words) + '"'
    assert all(f"E{row}" in check.sqref for row in range(7, sheet.max_row + 1))
    rules = [rule for each in sheet.conditional_formatting for rule in each.rules]
    assert {rule.formula[0].strip('"') for rule in rules} == set(words)
    assert all(rule.dxf.fill.bgColor.rgb for rule in rules)


def test_the_layout_speaks_both_languages() -> None:
    forms = (*layout().forms.values(), *layout().sheets.values())
    columns = [column for form in forms for column in form.columns]
    for words in [c.name for c in columns] + [f.name for f in forms if f.name]:
        assert words.en.isascii()
        assert words.ja
    for form in forms:
        assert len({column.key for column in form.columns}) == len(form.columns)
    for answer in Answer:
        assert answer in layout().fill.words
        assert answer in layout().colours.words


@pytest.mark.slow
def test_libreoffice_prints_it(tmp_path: Path) -> None:
    office, reader = program("soffice"), program("pdftotext")
    (tmp_path / "sheet.xlsx").write_bytes(
        xlsx.render(FAULTY, "ja", Sheet(product="例オンライン診療"))
    )
    home = f"-env:UserInstallation=file://{tmp_path}/office"
    subprocess.run(
        [office, home, "--headless", "--convert-to", "pdf", "sheet.xlsx"],
        cwd=tmp_path, check=True, capture_output=True, timeout=110,
    )  # fmt: skip
    run = subprocess.run(
        [reader, "-layout", "sheet.pdf", "-"], cwd=tmp_path, check=True, capture_output=True
    )
    text = "".join(run.stdout.decode().split())
    titles = ("信頼できる証明書と高セキュリティ型", "身分証明書による本人確認", "通信方式")
    for words in ("確認したエビデンス", "例オンライン診療", "満たさない", *titles):
        assert words in text, words
    assert "\ufffd" not in text
