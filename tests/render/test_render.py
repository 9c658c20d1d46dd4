"""Every format gives what it always gave, and is sound as what it claims to be.

``python -m tests.render.make_report`` writes the golden files anew; look at what changed.
"""

from __future__ import annotations

import csv
import io
import json
import re
import xml.etree.ElementTree as ET
from dataclasses import replace
from pathlib import Path

import jsonschema  # type: ignore[import-untyped]
import pytest
import xmlschema
from rich.cells import cell_len

from tests.render.make_report import (
    EVIL,
    FORMULA,
    LANGUAGES,
    SCHEMA,
    SCRIPT,
    TEXTS,
    golden,
    report,
)
from tlscheck.model import Verdict
from tlscheck.render import FORMATS
from tlscheck.render.json import published, schema
from tlscheck.render.text import render as render_text
from tlscheck.report import decode

REPORT = report()
SCHEMAS = Path(__file__).parent / "schemas"
BOTH = pytest.mark.parametrize("lang", LANGUAGES)


def made(name: str, lang: str) -> str:
    return FORMATS[name](REPORT, lang).decode("utf-8-sig" if name == "csv" else "utf-8")


@BOTH
@pytest.mark.parametrize("name", TEXTS)
def test_it_is_what_it_was(name: str, lang: str) -> None:
    assert FORMATS[name](REPORT, lang) == golden(name, lang).read_bytes()


@BOTH
@pytest.mark.parametrize("name", TEXTS)
def test_nothing_hidden_gets_through(name: str, lang: str) -> None:
    text = made(name, lang)
    if name == "json":
        text = "".join(text.split('"'))  # JSON keeps what was seen; control characters escaped
        assert not re.search("[\x00-\x09\x0b-\x1f]", text)
    else:
        assert not re.search("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e]", text)
        assert not re.search("[\u2066-\u2069\u2028\u2029\ufffe\U000e0000-\U000e007f]", text)


@pytest.mark.parametrize("name", FORMATS)
def test_a_report_on_nothing_is_one_too(name: str) -> None:
    empty = replace(
        REPORT,
        scan=replace(REPORT.scan, looks=()),
        findings=(),
        answers=(),
        checklists=(),
    )
    assert FORMATS[name](empty, "ja")


# ---- JSON ------------------------------------------------------------------------------------


def test_the_published_schema_is_that_of_the_types() -> None:
    assert published() == SCHEMA.read_bytes(), "run python -m tests.render.make_report"
    jsonschema.Draft202012Validator.check_schema(schema())


def test_the_scan_file_fits_its_schema_and_can_be_read_again() -> None:
    data = FORMATS["json"](REPORT, "ja")
    jsonschema.Draft202012Validator(schema()).validate(json.loads(data))
    assert decode(data, "scan.json") == REPORT.scan


@pytest.mark.parametrize(
    "path",
    [("format",), ("targets", 0, "scope"), ("findings", 0, "verdict"), ("answers", 0, "item")],
    ids=str,
)
def test_the_schema_refuses_what_is_no_scan_file(path: tuple[str | int, ...]) -> None:
    document = json.loads(FORMATS["json"](REPORT, "en"))
    place = document
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = 7
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.Draft202012Validator(schema()).validate(document)


# ---- the terminal ----------------------------------------------------------------------------


@BOTH
def test_lines_are_no_longer_than_the_terminal_is_wide(lang: str) -> None:
    for width in (40, 80, 132):
        lines = render_text(REPORT, lang, width=width).decode().splitlines()
        assert max(map(cell_len, lines)) <= width


@BOTH
def test_nothing_is_cut_off(lang: str) -> None:
    narrow = render_text(REPORT, lang, width=30).decode()
    assert "…" not in narrow
    assert "".join(SCRIPT.split()) in "".join(narrow.split())


@BOTH
def test_colour_is_only_added(lang: str) -> None:
    plain = render_text(REPORT, lang).decode()
    coloured = render_text(REPORT, lang, colour=True).decode()
    assert "\x1b" not in plain
    styles = re.compile("\x1b\\[[0-9;]*m")
    assert styles.search(coloured)
    bare = [line.rstrip() for line in styles.sub("", coloured).splitlines()]
    assert bare == plain.splitlines()


def test_japanese_columns_are_aligned() -> None:
    lines = render_text(REPORT, "ja").decode().splitlines()
    rows = [line for line in lines if re.search(r" sheet \d+ ", line)][:4]
    columns = {cell_len(row[: row.index("sheet")]) for row in rows}
    assert len(rows) == 4
    assert len(columns) == 1


@BOTH
def test_failures_come_first(lang: str) -> None:
    text = made("text", lang)
    assert text.index("tls.versions") < text.index("certificate.expiry") < text.index("✓")


# ---- tables and machines ---------------------------------------------------------------------


@BOTH
def test_csv_has_a_row_for_each_finding_and_no_formula(lang: str) -> None:
    rows = list(csv.reader(io.StringIO(made("csv", lang), newline="")))
    assert len(rows) == 1 + len(REPORT.findings)
    assert {len(row) for row in rows} == {len(rows[0])}
    assert not [cell for row in rows for cell in row if cell.startswith(tuple("=+-@\t\r"))]
    assert any(cell.startswith(f"'{FORMULA}") for row in rows for cell in row)
    assert FORMATS["csv"](REPORT, lang).startswith("\ufeff".encode())


@BOTH
def test_junit_counts_what_failed_and_what_is_unknown(lang: str) -> None:
    root = ET.fromstring(made("junit", lang))
    suites = root.findall("testsuite")
    assert [suite.get("name") for suite in suites][1] == "例え.example:8443 (2001:db8::1)"
    for outcome, verdict, total in (
        ("failure", Verdict.FAIL, "failures"),
        ("error", Verdict.UNKNOWN, "errors"),
        ("skipped", Verdict.NOT_APPLICABLE, "skipped"),
    ):
        cases = root.findall(f".//testcase/{outcome}")
        found = {(f.rule, f.target) for f in REPORT.findings if f.verdict is verdict}
        assert len(cases) == len(found) == sum(int(suite.get(total, "")) for suite in suites)
        assert total == "skipped" or len(cases) == int(root.get(total, ""))
    assert int(root.get("tests", "")) == len(root.findall(".//testcase"))


def test_junit_is_what_jenkins_takes() -> None:
    schema = xmlschema.XMLSchema10(SCHEMAS / "junit-10.xsd")
    for lang in LANGUAGES:
        schema.validate(io.BytesIO(FORMATS["junit"](REPORT, lang)))


@BOTH
def test_sarif_says_what_its_standard_asks(lang: str) -> None:
    document = json.loads(made("sarif", lang))
    assert document["version"] == "2.1.0"
    [run] = document["runs"]
    rules = run["tool"]["driver"]["rules"]
    assert len({rule["id"] for rule in rules}) == len(rules)
    assert all(rule["help"]["text"] and rule["shortDescription"]["text"] for rule in rules)
    assert len(run["results"]) == len(REPORT.findings)
    for result in run["results"]:
        assert rules[result["ruleIndex"]]["id"] == result["ruleId"]
        assert (result["level"] == "none") == (result["kind"] != "fail")
        assert result["kind"] in {"fail", "open", "review", "pass", "notApplicable"}
        assert result["message"]["text"]
        [place] = result["locations"]
        assert place["logicalLocations"][0]["fullyQualifiedName"].startswith("tls://")
    kinds = [result["kind"] for result in run["results"]]
    assert kinds.count("review") == 1  # the open question
    assert kinds.count("open") == 1  # what was not seen
    prints = [r["partialFingerprints"]["tlscheckFinding/v1"] for r in run["results"]]
    assert len(set(prints)) == len(prints)
    assert "](javascript" not in made("sarif", lang)
    assert "cell {0}" not in made("sarif", lang)


# ---- Markdown and HTML -----------------------------------------------------------------------


@BOTH
def test_markdown_from_a_server_is_inert(lang: str) -> None:
    text = made("md", lang)
    for live in (SCRIPT, "[link](", "http://", "[bold]", " | cell", "`code`"):
        assert live not in text
    assert "\\<script\\>" in text
    widths = [
        len(re.findall(r"(?<!\\)\|", line)) for line in text.splitlines() if line.startswith("|")
    ]
    assert set(widths) <= {4, 5, 7}  # every row as wide as its head


@BOTH
def test_html_is_one_file_without_script(lang: str) -> None:
    page = made("html", lang)
    assert SCRIPT not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    assert f'<html lang="{lang}">' in page
    assert "<script" not in page
    assert not re.search(r"""(?:src|href|action|data)=["'](?!#|data:)""", page)
    assert not re.search(r"url\(|@import|\son\w+=|style=", page)
    policy = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"
    assert f'content="{policy}"' in page


@BOTH
def test_html_links_lead_somewhere_and_names_are_unique(lang: str) -> None:
    page = made("html", lang)
    names = re.findall(r'\sid="([^"]*)"', page)
    assert len(names) == len(set(names))
    assert set(re.findall(r'href="#([^"]*)"', page)) <= set(names)
    referred = " ".join(re.findall(r'aria-(?:labelledby|describedby)="([^"]*)"', page)).split()
    assert set(referred) <= set(names)


@BOTH
def test_html_tells_what_was_seen_and_how_well_it_is_founded(lang: str) -> None:
    page = made("html", lang)
    for word in (
        REPORT.profiles[0].digest,
        "198.51.100.7",
        "TLS_ECDHE_RSA_WITH_CAMELLIA_256_GCM_SHA384",
        "Read out of the appendix",
        {"en": "our inference", "ja": "本ツールの推定"}[lang],
        {"en": "May Camellia be offered?", "ja": "Camelliaは使えるか。"}[lang],
        {"en": "What does version 4 change?", "ja": "第4版で何が変わるか。"}[lang],
        {"en": "2026-11-20 18:05:33 UTC", "ja": "2026-11-21 03:05:33 JST (+09:00)"}[lang],
        EVIL.target.host if EVIL.target else "",
    ):
        assert word in page
