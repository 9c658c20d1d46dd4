"""The PDF says what the other reports say, in both languages, and shows all of it.

It is read back with poppler: no golden file, since the bytes are typst's too.
"""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from fontTools.ttLib import TTFont  # type: ignore[import-untyped]

from tests.render.make_report import (
    EVIL,
    FORMULA,
    GOOD,
    LANGUAGES,
    MARKUP,
    SCRIPT,
    finding,
    report,
)
from tlscheck.model import Problem, Verdict
from tlscheck.render import FORMATS, answers, pdf
from tlscheck.report import Report
from tools import messages

ROOT = Path(__file__).parents[2]
REPORT = report()
BOTH = pytest.mark.parametrize("lang", LANGUAGES)
TYPST = '#panic("x") #import "@preview/cetz:0.3.0" $x$ *b* _i_ `r` \\ @ref <label> // #[y]'
MARGIN = 0.05
"""The part of a page's width that is surely margin."""

Read = Callable[..., str]


@pytest.fixture
def read(tmp_path: Path) -> Read:
    """``read(data, "pdftotext", …)``: what a program of poppler tells of a PDF."""

    def run(data: bytes, program: str = "pdftotext", *arguments: str) -> str:
        path = tmp_path / "report.pdf"
        path.write_bytes(data)
        tail = [] if program != "pdftotext" else ["-"]
        done = subprocess.run(
            [program, *arguments, path, *tail], capture_output=True, text=True, check=True
        )
        return done.stdout

    return run


def flat(text: str) -> str:
    """*text* without the spaces and breaks that lines and columns put into it."""
    return re.sub(r"\s+", "", text)


def with_text(text: str) -> Report:
    """The report with *text* in a name of a target and in a finding of it."""
    [look, *others] = REPORT.scan.looks
    named = replace(look, target=replace(look.target, label=text))
    more = finding(
        GOOD,
        "certificate.names",
        Verdict.FAIL,
        Problem("other", "{subject} expired on {day}", subject=text, day="2026-01-01"),
    )
    return replace(
        REPORT,
        scan=replace(REPORT.scan, looks=(named, *others)),
        findings=(*REPORT.findings, more),
    )


@BOTH
def test_it_says_what_the_others_say(lang: str, read: Read) -> None:
    text = flat(read(pdf.render(REPORT, lang)))
    seen = [
        answers.headline(REPORT, lang),
        *answers.limits(lang),
        *(count.meaning for count in answers.counts(REPORT, lang)),
        {"en": "Sound TLS", "ja": "適切なTLS"}[lang],
        {"en": "Settings of the clients", "ja": "クライアントの設定書"}[lang],
        {"en": "May Camellia be offered?", "ja": "Camelliaは使えるか。"}[lang],
        {"en": "What does version 4 change?", "ja": "第4版で何が変わるか。"}[lang],
        {"en": "our inference", "ja": "本ツールの推定"}[lang],
        {"en": "the answer is not TLS", "ja": "応答がTLSではない"}[lang],
        {"en": "2026-11-20 18:05:33 UTC", "ja": "2026-11-21 03:05:33 JST (+09:00)"}[lang],
        "TLS_ECDHE_RSA_WITH_CAMELLIA_256_GCM_SHA384",
        "例え.example:8443",
        "nowhere.example:443",
        "198.51.100.7",
        *(profile.digest for profile in REPORT.profiles),
    ]
    assert [words for words in seen if flat(words) not in text] == []


def test_its_id_is_that_of_the_scan_file(read: Read) -> None:
    digest = hashlib.sha256(FORMATS["json"](REPORT, "ja")).hexdigest()
    number, known = pdf.identity(REPORT)
    assert known == digest
    assert number.startswith("TLSCHECK-20261121-")  # the day in Japan
    assert number.removeprefix("TLSCHECK-20261121-").replace("-", "").lower() == digest[:16]
    text = read(pdf.render(REPORT, "ja"))
    assert text.count(number) > read(pdf.render(REPORT, "ja"), "pdfinfo").count("Pages")
    assert digest in flat(text)
    other = replace(REPORT, findings=REPORT.findings[1:])
    assert pdf.identity(other) != pdf.identity(REPORT)


def test_judged_otherwise_its_id_is_still_that_of_the_file_that_was_read(read: Read) -> None:
    other = replace(REPORT, findings=REPORT.findings[1:], read_from=REPORT.digest)
    (number, digest), (first, known) = pdf.identity(other), pdf.identity(REPORT)
    assert digest == known
    own = hashlib.sha256(FORMATS["json"](other, "ja")).hexdigest()
    assert number == f"{first}-{own[:4]}-{own[4:8]}".upper()
    text = flat(read(pdf.render(other, "en")))
    assert flat("its last two groups, since it was judged otherwise") in text
    assert digest in text
    assert own not in text


@BOTH
def test_findings_of_a_bundle_name_the_files_they_rest_on(lang: str, read: Read) -> None:
    title = {"en": "Rests on: ", "ja": "根拠となるファイル: "}[lang]
    refs = ("scan.json#/targets/0/seen/tls", "targets/0/tls.jsonl")
    bundled = replace(REPORT, findings=tuple(replace(f, refs=refs) for f in REPORT.findings))
    text = flat(read(pdf.render(bundled, lang)))
    assert flat(f"{title}{', '.join(refs)}") in text
    assert flat(title) not in flat(read(pdf.render(REPORT, lang)))


@BOTH
def test_a_small_report_has_a_few_pages(lang: str, read: Read) -> None:
    told = read(pdf.render(REPORT, lang), "pdfinfo")
    pages = int(re.findall(r"Pages:\s+(\d+)", told)[0])
    assert 2 <= pages <= 5
    assert "595.276 x 841.89 pts (A4)" in told
    assert "2026-11-20T18:05:33" in read(pdf.render(REPORT, lang), "pdfinfo", "-isodates")


def test_the_same_report_gives_the_same_bytes() -> None:
    code = (
        "import hashlib; from tests.render.make_report import report;"
        "from tlscheck.render import pdf;"
        "print(hashlib.sha256(pdf.render(report(), 'ja')).hexdigest())"
    )
    elsewhere = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env={**os.environ, "TZ": "America/New_York", "LC_ALL": "C", "PYTHONHASHSEED": "7"},
        capture_output=True,
        text=True,
        check=True,
    )
    here = hashlib.sha256(pdf.render(REPORT, "ja")).hexdigest()
    assert elsewhere.stdout.strip() == here


# ---- what servers send -----------------------------------------------------------------------


@BOTH
def test_nothing_from_a_server_is_more_than_text(lang: str, read: Read) -> None:
    data = pdf.render(with_text(TYPST), lang)
    text = flat(read(data))
    for words in (SCRIPT, FORMULA, MARKUP, TYPST, "\\x1b[31mred\\x1b]0;title\\x07", "\\u202e"):
        assert flat(words) in text
    assert not re.search(
        "[\x00-\x08\x0e-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\u2066-\u2069]", text
    )
    assert read(data, "pdfinfo", "-js") == ""
    assert re.findall("https?:", read(data, "pdfinfo", "-url")) == []


@pytest.mark.parametrize(
    "words",
    ["A" * 400, "=cmd|' /C calc'!A0" + "b_" * 300, "長" * 1500, "https://x.example/" + "f" * 900],
    ids=["letters", "formula", "kanji", "url"],
)
def test_long_words_stay_on_the_paper_and_are_whole(words: str, read: Read, tmp_path: Path) -> None:
    data = pdf.render(with_text(words), "ja")
    assert flat(words) in flat(read(data))
    assert all(clear(page) for page in pages(data, tmp_path))


def test_a_finding_longer_than_a_page_is_whole(read: Read, tmp_path: Path) -> None:
    names = tuple(f"host{number}.example.jp" for number in range(1200))
    problem = Problem("other", "{subject} expired on {day}", subject=names, day="2026-01-01")
    more = finding(EVIL, "certificate.names", Verdict.FAIL, problem)
    data = pdf.render(replace(REPORT, findings=(*REPORT.findings, more)), "ja")
    text = flat(read(data))
    paper = pages(data, tmp_path)
    assert all(clear(page) for page in paper)
    # A name that begins on one page may end on the next, behind its foot and head.
    assert len([name for name in names if name not in text]) < len(paper)


def pages(data: bytes, folder: Path) -> list[tuple[int, int, bytes]]:
    """Each page as width, height and grey values, by poppler."""
    (folder / "pages.pdf").write_bytes(data)
    subprocess.run(
        ["pdftoppm", "-gray", "-r", "36", folder / "pages.pdf", folder / "page"], check=True
    )
    found = []
    for path in sorted(folder.glob("page-*.pgm")):
        magic, size, depth, pixels = path.read_bytes().split(b"\n", 3)
        assert (magic, depth) == (b"P5", b"255")
        width, height = map(int, size.split())
        found.append((width, height, pixels))
    return found


def clear(page: tuple[int, int, bytes]) -> bool:
    """Whether there is ink on a page, and none in its margins."""
    width, height, pixels = page
    edge = int(width * MARGIN)
    rows = [pixels[y * width : (y + 1) * width] for y in range(height)]
    margins = b"".join(row[:edge] + row[-edge:] for row in rows) + b"".join(rows[:edge])
    return min(margins) > 250 and min(pixels) < 128


@BOTH
def test_there_is_ink_where_it_should_be(lang: str, tmp_path: Path) -> None:
    found = pages(pdf.render(REPORT, lang), tmp_path)
    assert found
    assert all(clear(page) for page in found)


# ---- the font --------------------------------------------------------------------------------


def test_what_the_font_lacks_is_spelt_out_and_told(read: Read) -> None:
    made = pdf.typeset(with_text("𠮷野家 😀 한국 﨑髙①㈱"), "ja")
    assert made.missing == ("국", "한", "😀", "𠮷")
    text = flat(read(made.data))
    assert "〈U+20BB7〉野家〈U+1F600〉〈U+D55C〉〈U+AD6D〉﨑髙①㈱" in text
    assert flat(pdf.note(made.missing, "ja")) in text
    assert pdf.typeset(REPORT, "ja").missing == ()
    assert flat(pdf.note(made.missing, "ja")) not in flat(read(pdf.render(REPORT, "ja")))


def test_only_the_carried_font_is_used_and_embedded(read: Read) -> None:
    rows = read(pdf.render(REPORT, "ja"), "pdffonts").splitlines()[2:]
    assert rows
    for row in rows:
        assert re.match(r"[A-Z]{6}\+NotoSansCJKjp-Regular-Identity-H ", row)
        assert re.search(r" yes +yes +yes ", row)  # embedded, a subset, can be copied as text


def test_the_list_of_characters_is_the_fonts() -> None:
    [path] = (ROOT / "reports" / "fonts").glob("*.otf")
    with TTFont(path) as font:
        assert set(map(ord, pdf.characters())) == set(font.getBestCmap()) - {0x0A}
    assert path.stat().st_size < 2_500_000
    assert "SIL OPEN FONT LICENSE" in (path.parent / "LICENSE.OFL.txt").read_text()


def test_the_font_has_all_that_we_say_ourselves() -> None:
    said = {str(m.id) + str(m.string) for m in messages.translations("ja")}
    for path in (ROOT / "profiles").rglob("*.toml"):
        said.update(texts(tomllib.loads(path.read_text(encoding="utf-8"))))
    lacking = {c for words in said for c in words} - pdf.characters() - {"\n", "\b"}
    assert lacking == set()


def texts(part: object) -> list[str]:
    match part:
        case str():
            return [part]
        case dict():
            return [text for value in part.values() for text in texts(value)]
        case list():
            return [text for value in part for text in texts(value)]
    return []
