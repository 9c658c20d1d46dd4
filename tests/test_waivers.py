"""Waivers: what they cover, until when, and that no verdict and no answer becomes better."""

from __future__ import annotations

import csv
import io
import json
import subprocess
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import openpyxl
import pytest

from tests import make
from tests.make import good_look, http_observation, scan
from tests.render.sheets import TOP, workbook
from tests.servers import free_port, program
from tests.test_cli import tlscheck
from tlscheck import judge as judging
from tlscheck import waivers
from tlscheck.errors import ConfigError
from tlscheck.model import Answer, Waiver
from tlscheck.render import FORMATS, fill, nagios
from tlscheck.report import Report, decode, encode

UNTIL = date(2026, 12, 31)
BARE = good_look(http=http_observation(hsts=None))
OTHER = good_look("old.example.jp", "192.0.2.2", http=http_observation(hsts=None))
RULE, ITEM = "http.hsts", "vendor-138/42"


def waiver(**words: Any) -> Waiver:
    return Waiver(**({"reason": "replaced in March", "who": "A. Sato", "until": UNTIL} | words))


def judged(*several: Waiver, looks: Any = (BARE,), **changes: Any) -> Report:
    return judging.judge(scan(*looks, waivers=several, **changes))


def test_there_is_something_to_waive() -> None:
    assert judging.exit_code(judged()) == 1


def test_waived_failures_do_not_count_and_stay_failures() -> None:
    plain, report = judged(), judged(waiver(rule=RULE))
    assert judging.exit_code(report) == 0
    assert report.findings == plain.findings
    assert report.answers == plain.answers
    assert judging.exit_code(judged(waiver(rule="tls.versions"))) == 1


@pytest.mark.parametrize(
    ("at", "code"),
    [
        (datetime(2026, 12, 31, 14, 59, tzinfo=UTC), 0),  # 23:59 in Japan
        (datetime(2026, 12, 31, 15, 0, tzinfo=UTC), 1),
        (datetime(2027, 6, 1, tzinfo=UTC), 1),
    ],
)
def test_a_waiver_ends_with_its_last_day_in_japan(at: datetime, code: int) -> None:
    report = judged(waiver(rule=RULE), at=at)
    assert judging.exit_code(report) == code
    assert all(waived.expired is bool(code) for waived in report.waived)
    assert all(waived.findings for waived in report.waived)


def test_a_waiver_without_an_end_in_sight() -> None:
    assert judging.exit_code(judged(waiver(rule=RULE, until=date.max))) == 0


def test_a_waiver_of_a_target_is_of_that_target() -> None:
    here = waiver(rule=RULE, target="www.example.jp:443")
    assert judging.exit_code(judged(here)) == 0
    report = judged(here, looks=(BARE, OTHER))
    assert judging.exit_code(report) == 1
    covered = {c.finding for waived in report.waived for c in waived.findings}
    assert covered == {f"{RULE}@{BARE.target.id}"}


def test_an_item_is_waived_and_its_answer_stays() -> None:
    report = judged(waiver(item=ITEM))
    (waived,) = report.waived
    assert None in waived.answers
    assert BARE.target.id in waived.answers
    (whole,) = [a for a in report.overall("vendor-138") if a.item == "42"]
    assert whole.answer is Answer.NOT_MET


def test_a_failure_that_another_item_asks_about_still_counts() -> None:
    here, there = waiver(item=ITEM), waiver(item="mhlw-5.2/1")
    both = ("vendor-138", "mhlw-5.2")
    assert judging.exit_code(judged(here)) == 0
    assert judging.exit_code(judged(here, checklists=both)) == 1
    assert judging.exit_code(judged(here, there, checklists=both)) == 0
    gone = replace(there, until=date(2020, 1, 1))
    assert judging.exit_code(judged(here, gone, checklists=both)) == 1


def test_what_could_not_be_seen_is_not_waived() -> None:
    silent = make.missed_look("tls")
    rules = {f.rule for f in judged(looks=(silent,)).own()}
    assert judging.exit_code(judged(*(waiver(rule=r) for r in rules), looks=(silent,))) == 3


def test_judging_the_file_again_gives_the_same_bytes() -> None:
    first = encode(judged(waiver(rule=RULE), waiver(item=ITEM, target="www.example.jp")))
    assert encode(judging.judge(decode(first, "scan.json"))) == first
    document = json.loads(first)
    assert document["waivers"][0]["until"] == "2026-12-31"
    assert [w["expired"] for w in document["waived"]] == [False] * 2
    assert document["waived"][0]["findings"][0]["finding"].startswith(RULE)


SHOWN = ("text", "html", "md", "csv", "sarif", "junit")
SEVERAL = (waiver(rule=RULE), waiver(item=ITEM))


def sheets(report: Report) -> dict[str, str]:
    """The text of each sheet of the workbook."""
    book = openpyxl.load_workbook(io.BytesIO(FORMATS["xlsx"](report, "en")))
    return {
        sheet.title: "\n".join(str(c.value) for row in sheet.iter_rows() for c in row if c.value)
        for sheet in book
    }


def test_the_workbook_tells_of_it_where_it_matters_and_in_a_list() -> None:
    assert "Waivers" not in sheets(judged())
    told = sheets(judged(*SEVERAL))
    for sheet in ("Waivers", "Findings", "Evaluation sheet (138)"):
        assert "replaced in March" in told[sheet], sheet
    for sheet in ("Findings", "Evaluation sheet (138)"):
        assert "Waived by A. Sato until 2026-12-31" in told[sheet]
    gone = sheets(judged(*SEVERAL, at=datetime(2027, 6, 1, tzinfo=UTC)))
    assert "expired" in gone["Waivers"].splitlines()
    assert "The waiver by A. Sato expired on 2026-12-31" in gone["Evaluation sheet (138)"]
    filled = fill.fill(workbook(), "own.xlsx", judged(*SEVERAL), "en")
    sheet = openpyxl.load_workbook(io.BytesIO(filled.data))["評価表"]
    assert "Waived by A. Sato until 2026-12-31" in sheet[f"D{TOP}"].value


def test_the_pdf_tells_of_it(tmp_path: Path) -> None:
    path = tmp_path / "report.pdf"
    path.write_bytes(FORMATS["pdf"](judged(*SEVERAL), "en"))
    done = subprocess.run(
        [program("pdftotext"), path, "-"], capture_output=True, text=True, check=True
    )
    words = "".join(done.stdout.split())
    assert "somebodyanswersfor" in words
    assert words.count("replacedinMarch") >= 4  # both waivers in the list, the item, the finding
    assert "WaivedbyA.Satountil2026-12-31" in words


def test_monitoring_is_told_how_many_and_minds_what_counts() -> None:
    text, state = nagios.line(judged(*SEVERAL), "en", 0)
    assert b"2 failed" in text
    assert b"; 1 waived; failed: " in text
    assert state is nagios.State.OK
    assert b"waived" not in nagios.line(judged(), "en", 1)[0]
    other = judged(waiver(rule=RULE, target="www.example.jp"), looks=(BARE, OTHER))
    assert b"; 1 waived; failed: " in nagios.line(other, "en", 1)[0]
    assert b"old.example.jp" in nagios.line(other, "en", 1)[0]


@pytest.mark.parametrize("form", SHOWN)
def test_every_report_tells_of_it(form: str) -> None:
    def said(at: datetime) -> str:
        return " ".join(FORMATS[form](judged(*SEVERAL, at=at), "en").decode().split())

    before, after = said(make.AT), said(datetime(2027, 6, 1, tzinfo=UTC))
    sentence = "Waived by A. Sato until 2026"
    plain = before.replace("\\", "")
    assert sentence in plain
    assert "replaced in March" in plain
    assert "The waiver by A. Sato expired on 2026" in after.replace("\\", "")
    assert sentence not in after.replace("\\", "")


def test_sarif_suppresses_what_is_waived_alone() -> None:
    def results(*several: Waiver) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = json.loads(FORMATS["sarif"](judged(*several), "en"))["runs"][
            0
        ]["results"]
        return [r for r in found if r["ruleId"] == RULE and r["level"] != "none"]

    assert all("suppressions" not in r for r in results())
    assert all(r["suppressions"][0]["status"] == "accepted" for r in results(waiver(rule=RULE)))
    old = waiver(rule=RULE, until=date(2020, 1, 1))
    assert all(r["suppressions"][0]["status"] == "rejected" for r in results(old))


def test_a_hostile_reason_is_harmless() -> None:
    words = '=HYPERLINK("x")\x1b[31m<script>\u202e'
    report = judged(waiver(rule=RULE, reason=words, who=words), waiver(item=ITEM, reason=words))
    for form in SHOWN:
        shown = FORMATS[form](report, "en").decode("utf-8-sig")
        assert "\x1b" not in shown
        assert "\u202e" not in shown
        assert "<script>" not in shown or form in ("csv", "sarif", "text")
    rows = list(csv.reader(io.StringIO(FORMATS["csv"](report, "en").decode("utf-8-sig"))))
    assert not any(cell.startswith(("=", "+", "-", "@")) for row in rows for cell in row)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ({"rule": "tls.version"}, "no rule tls.version"),
        ({"item": "vendor-138/4444"}, "no item vendor-138/4444"),
        ({"item": "44"}, "write CHECKLIST/ITEM"),
        ({"rule": "tls.versions", "target": "a b"}, "waiver[0].target"),
    ],
)
def test_a_waiver_of_nothing_is_a_mistake(words: dict[str, str], said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        waivers.check((waiver(**words),), "tlscheck.toml")
    assert said in str(caught.value)


def test_a_stored_waiver_with_a_broken_target_reaches_nothing() -> None:
    assert judging.exit_code(judged(waiver(rule=RULE, target="a b"))) == 1


def test_the_configuration_s_waivers_are_kept_in_the_scan_file(tmp_path: Path) -> None:
    config = tmp_path / "tlscheck.toml"
    text = '[[waiver]]\nrule = "tls.versions"\nreason = "r"\nwho = "w"\nuntil = 2099-12-31\n'
    config.write_text(text)
    arguments = ("scan", "-c", str(config), f"127.0.0.1:{free_port()}", "--only", "tls")
    done = tlscheck(*arguments, "-f", "json")
    assert done.returncode == 3
    (kept,) = json.loads(done.stdout)["waivers"]
    assert (kept["rule"], kept["who"], kept["until"]) == ("tls.versions", "w", "2099-12-31")
    config.write_text(text.replace("versions", "version"))
    done = tlscheck(*arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert "no rule tls.version" in done.stderr


def test_judging_again_takes_the_waivers_of_a_configuration(tmp_path: Path) -> None:
    path, config = tmp_path / "scan.json", tmp_path / "tlscheck.toml"
    path.write_bytes(encode(judged(waiver(rule="tls.versions"))))
    config.write_text(
        f'[[waiver]]\nrule = "{RULE}"\nreason = "x"\nwho = "B. Ito"\nuntil = 2026-12-31\n'
    )
    assert tlscheck("judge", str(path)).returncode == 1
    done = tlscheck("judge", str(path), "-c", str(config))
    assert done.returncode == 0
    assert "Waived by B. Ito" in done.stdout
    config.write_text('[sheet]\napplicant = "x"\n')
    done = tlscheck("judge", str(path), "-c", str(config), "-f", "json")
    assert json.loads(done.stdout)["waivers"][0]["rule"] == "tls.versions"
    config.write_text(config.read_text() + '[[waiver]]\nrule = "no.rule"\nreason = "x"\n')
    assert tlscheck("judge", str(path), "-c", str(config)).returncode == 2
