"""The command line as people meet it: exit codes, one line for a mistake, help, files."""

from __future__ import annotations

import contextlib
import json
import os
import resource
import socket
import statistics
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import openpyxl
import pytest

from tests import make
from tests.conftest import Start
from tests.identities import Identity
from tests.render import sheets
from tests.servers import free_port
from tlscheck import checklist as checklists
from tlscheck import data
from tlscheck import judge as judging
from tlscheck import profile as profiles
from tlscheck.cli import COMMANDS, main
from tlscheck.cli.options import FORMATS
from tlscheck.render import BINARY
from tlscheck.render import FORMATS as RENDERERS
from tlscheck.report import encode
from tlscheck.rules import RULES
from tlscheck.text import normal

CHECKOUT = Path(__file__).parents[1]
Done = subprocess.CompletedProcess[str]


def environment(lang: str = "C.UTF-8") -> dict[str, str]:
    kept = {k: v for k, v in os.environ.items() if k not in ("LC_ALL", "LC_MESSAGES", "LANGUAGE")}
    return {**kept, "LANG": lang, "PYTHONPATH": str(CHECKOUT), "PYTHONWARNINGS": "error"}


def tlscheck(*arguments: str, lang: str = "C.UTF-8") -> Done:
    return subprocess.run(
        [sys.executable, "-m", "tlscheck", *arguments],
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
        env=environment(lang),
    )


Mistake = Callable[..., str]


@pytest.fixture
def mistake(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Mistake:
    """``mistake("scan")``: the one line that ends a run with exit code 2."""

    def run(*arguments: str) -> str:
        monkeypatch.setattr(sys, "argv", ["tlscheck", *arguments])
        with pytest.raises(SystemExit) as end:
            main()
        said = capfd.readouterr()
        assert end.value.code == 2
        assert said.out == ""
        (line,) = said.err.splitlines()
        return line

    return run


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    """A saved scan of a good endpoint."""
    path = tmp_path / "scan.json"
    report = judging.judge(make.scan(checklists=data.checklists()))
    path.write_bytes(encode(report))
    return path


# -- Mistakes -----------------------------------------------------------------------------------

MISTAKES = {
    ("scan", "localhost", "--ports", "x"): "--ports x",
    ("scan", "localhost", "--ports", "9-3"): "--ports 9-3",
    ("scan", "localhost", "--ports", "0"): "--ports 0",
    ("scan", "localhost", "--rate", "-1"): "--rate -1",
    ("scan", "localhost", "--parallel", "0"): "--parallel 0",
    ("scan", "localhost", "--sni", "a b"): "(--sni): ",
    ("scan",): "no target",
    ("scan", "ftp//:x"): "ftp//:x",
    ("scan", "host:99999"): "99999",
    ("scan", "gopher://host"): "gopher",
    ("scan", "localhost", "--profile", "no-such"): "no-such",
    ("scan", "localhost", "--profile", "no-such.toml"): "no-such.toml",
    ("scan", "localhost", "--checklist", "no-such"): "no-such",
    ("scan", "localhost", "--only", "tls,nonsense"): "nonsense",
    ("scan", "localhost", "--ca-file", "/no/such"): "/no/such",
    ("scan", "localhost", "--client-cert", "x"): "--client-key",
    ("scan", "localhost", "--client-key", "x"): "--client-cert",
    ("scan", "localhost", "--client-cert", "/no/such", "--client-key", "/no/such"): "/no/such",
    ("scan", "localhost", "--resolve", "nonsense"): "--resolve nonsense",
    ("scan", "-c", "/no/such.toml"): "/no/such.toml",
    ("judge", "/no/such.json"): "/no/such.json",
    ("verify", "/no/such.toml", "localhost"): "/no/such.toml",
    ("verify", "/dev/null", "localhost"): "/dev/null",
    ("verify", "/no/such.xlsx", "a.json", "localhost", "-o", "/no/such/folder"): "no folder",
    ("explain", "tls.version"): "did you mean tls.versions?",
    ("explain", "nonsense"): "nonsense",
    ("profile", "show", "no-such"): "no-such",
    ("checklist", "show", "no-such"): "no-such",
    ("checklist", "show", "vendor-138", "4444"): "4444",
    ("rules", "--profile", "no-such"): "no-such",
}


@pytest.mark.parametrize(("arguments", "said"), MISTAKES.items(), ids=" ".join)
def test_a_mistake_is_one_line(arguments: tuple[str, ...], said: str, mistake: Mistake) -> None:
    line = mistake(*arguments)
    assert line.startswith("tlscheck: ")
    assert said in line


@pytest.mark.parametrize(
    "arguments",
    [
        ("nonsense",),
        ("scan", "--nonsense"),
        ("scan", "localhost", "--fail-on", "nonsense"),
        ("scan", "localhost", "-f", "nonsense"),
        ("--lang", "xx", "rules"),
        ("judge",),
    ],
    ids=" ".join,
)
def test_a_mistake_that_click_finds_is_one_line_too(
    arguments: tuple[str, ...], mistake: Mistake
) -> None:
    mistake(*arguments)


def test_nothing_to_look_at_is_a_mistake(mistake: Mistake) -> None:
    assert "--only" in mistake("scan", f"127.0.0.1:{free_port()}", "--only", ",")


def test_an_address_that_is_none_is_a_mistake(mistake: Mistake) -> None:
    assert "--resolve" in mistake("scan", "a.example", "--resolve", "a.example:443:not an address")


@pytest.mark.parametrize("content", [b"", b"nonsense", b"\xff\x00"])
def test_a_ca_file_without_a_ca_is_a_mistake(
    tmp_path: Path, content: bytes, mistake: Mistake
) -> None:
    path = tmp_path / "ca.pem"
    path.write_bytes(content)
    assert str(path) in mistake("scan", f"127.0.0.1:{free_port()}", "--ca-file", str(path))


def test_a_scan_file_that_is_none(tmp_path: Path, mistake: Mistake) -> None:
    path = tmp_path / "scan.json"
    path.write_text("nonsense")
    assert str(path) in mistake("judge", str(path))


def test_an_output_that_cannot_be_written(saved: Path, tmp_path: Path, mistake: Mistake) -> None:
    for where in (tmp_path / "no" / "such" / "folder", tmp_path):
        assert str(where) in mistake("judge", str(saved), "-o", str(where))


def test_no_file_is_written_over_another(saved: Path, tmp_path: Path, mistake: Mistake) -> None:
    before = saved.read_bytes()
    assert "is named twice" in mistake("judge", str(saved), "-o", str(saved))
    assert saved.read_bytes() == before
    both = str(tmp_path / "a.json")
    assert "is named twice" in mistake("scan", "127.0.0.1:9", "--save", both, "-o", both)
    assert not Path(both).exists()


def test_an_output_that_cannot_be_written_is_known_before_anybody_is_contacted(
    tmp_path: Path, mistake: Mistake
) -> None:
    with listening() as (port, came):
        for option in "-o", "--save":
            mistake("scan", f"127.0.0.1:{port}", option, str(tmp_path / "no" / "such"))
        assert not came


# -- Help ---------------------------------------------------------------------------------------

HELP = [
    (),
    *((name,) for name in COMMANDS),
    ("profile", "list"),
    ("profile", "show"),
    ("checklist", "list"),
    ("checklist", "show"),
    ("bundle", "keygen"),
    ("bundle", "verify"),
    ("bundle", "challenge"),
]


@pytest.mark.parametrize("command", HELP, ids=" ".join)
def test_help_in_both_languages(command: tuple[str, ...]) -> None:
    english = tlscheck(*command, "--help")
    japanese = tlscheck(*command, "--help", "--lang", "ja")
    for done in english, japanese:
        assert (done.returncode, done.stderr) == (0, "")
        assert "Traceback" not in done.stdout
    assert english.stdout.isascii()
    assert any("\u3040" <= c <= "\u30ff" for c in japanese.stdout)
    if command:
        assert tlscheck(*command, "--help", lang="ja_JP.UTF-8").stdout == japanese.stdout


def test_no_command_is_help() -> None:
    assert "scan" in tlscheck().stderr


def test_no_subcommand_is_its_help() -> None:
    assert "\n  show" in tlscheck("profile").stderr


@pytest.mark.parametrize(
    ("command", "ja"),
    [
        (["--bogus"], "オプション '--bogus' はありません"),
        (["scam"], "コマンド 'scam' はありません"),
        (["judge"], "引数 'SCAN' がありません"),
        (["scan", "-f", "nonsense", "a"], "'nonsense' は 'text', 'json'"),
        (["scan"], "検査対象がありません"),
        (
            ["scan", "-c", "nowhere.toml"],
            "nowhere.toml：読み込めません：ファイルまたはフォルダーがない",
        ),
        (
            ["judge", "nowhere.json"],
            "nowhere.json：読み込めません（ファイルまたはフォルダーがない）",
        ),
        (["explain", "tls.version"], "tls.versions の誤りではありませんか"),
        (["checklist", "show", "vendor-138", "x"], "項目 x はありません"),
    ],
)
def test_mistakes_are_one_line_in_the_language(command: list[str], ja: str) -> None:
    done = tlscheck(*command, lang="ja_JP.UTF-8")
    assert done.returncode == 2
    assert done.stderr.startswith("tlscheck: ")
    assert done.stderr.count("\n") == 1
    assert ja in done.stderr


def test_the_help_is_japanese_throughout() -> None:
    shown = tlscheck("--help", "--lang", "ja").stdout
    assert "この説明を表示して終了します。" in shown
    assert "…" not in shown
    assert "..." not in shown.replace("[ARGS]...", "")


def test_a_console_that_knows_no_japanese(saved: Path) -> None:
    done = tlscheck("judge", str(saved), "--lang", "ja", lang="C")
    assert done.returncode == 0
    assert "Traceback" not in done.stderr


HEAVY = (
    "sslyze", "nassl", "cryptography", "OpenSSL", "pydantic", "rich", "httpx", "jinja2", "dns",
    "xlsxwriter", "openpyxl",
)  # fmt: skip


@pytest.mark.parametrize("command", [(), ("scan",), ("judge",), ("rules",)], ids=" ".join)
def test_help_imports_nothing_heavy(command: tuple[str, ...]) -> None:
    code = (
        "import sys, contextlib; from tlscheck.cli import main\n"
        "with contextlib.suppress(SystemExit): main()\n"
        f"print(*(m for m in {HEAVY!r} if m in sys.modules), file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *command, "--help"],
        capture_output=True,
        text=True,
        check=True,
        env=environment(),
    )
    assert done.stdout
    assert done.stderr.split() == []


def test_help_costs_a_quarter_of_a_second_at_most() -> None:
    costs = []
    for _ in range(5):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        tlscheck("--help")
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        costs.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    assert statistics.median(costs) < 0.25


def test_the_version() -> None:
    assert tlscheck("--version").stdout.startswith("tlscheck ")


# -- What is asked ------------------------------------------------------------------------------


def test_the_formats_are_those_there_are() -> None:
    assert set(FORMATS) == {*RENDERERS, "nagios"}


def test_rules_lists_every_rule_with_sources_and_grade() -> None:
    done = tlscheck("rules")
    assert done.returncode == 0
    settings = profiles.load(make.DEFAULT_PROFILE).settings
    for id, rule in RULES.items():
        assert f"{id}: {rule.title}" in done.stdout
        assert ", ".join(rule.references) in done.stdout
        assert all(
            f"    {line}\n" in done.stdout for line in normal(rule.manual).splitlines() if line
        )
        if id in settings:
            assert settings[id].basis.source in done.stdout
    as_json = json.loads(tlscheck("rules", "--json").stdout)
    assert [entry["id"] for entry in as_json] == list(RULES)
    for entry in as_json:
        setting = settings.get(entry["id"])
        assert entry["grade"] == (setting.basis.grade if setting else None)
        assert entry["manual"]
        assert entry["references"]
    few = json.loads(tlscheck("rules", "--json", "--profile", "baseline").stdout)
    assert {entry["id"] for entry in few} == set(profiles.load("baseline").settings)


@pytest.mark.parametrize("lang", ["en", "ja"])
def test_explain(lang: str) -> None:
    done = tlscheck("explain", "tls.versions", "--lang", lang)
    assert done.returncode == 0
    assert "tls.versions" in done.stdout
    assert "RFC 9325" in done.stdout
    assert "vendor-138" in done.stdout
    assert "TLS 1.3" in done.stdout
    assert ("Older versions" in done.stdout) is (lang == "en")


def test_every_rule_can_be_explained() -> None:
    code = (
        "from click.testing import CliRunner; from tlscheck.cli import tlscheck\n"
        "from tlscheck.rules import RULES\n"
        "for id in RULES:\n"
        "    done = CliRunner().invoke(tlscheck, ['explain', id])\n"
        "    assert done.exit_code == 0 and id in done.output, (id, done)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, env=environment())


def test_profiles() -> None:
    listed = tlscheck("profile", "list").stdout
    for name in data.profiles():
        assert f"{name}: {profiles.load(name).title.en}" in listed
    shown = tlscheck("profile", "show", "ipa-high-3.1.1").stdout
    profile = profiles.load("ipa-high-3.1.1")
    for id, setting in profile.settings.items():
        assert f"{id}: " in shown
        assert setting.basis.source in shown
        for block in setting.open:
            assert block.question.en in shown
            assert block.basis.source in shown
    assert all(question.en in shown for question in profile.questions)
    assert profile.digest in shown
    assert profile.title.ja in tlscheck("profile", "show", "ipa-high-3.1.1", "--lang", "ja").stdout


def test_checklists() -> None:
    listed = tlscheck("checklist", "list").stdout
    for name in data.checklists():
        assert f"{name}: {checklists.load(name).title.en}" in listed
    shown = tlscheck("checklist", "show", "vendor-138", "44").stdout
    (item,) = (i for i in checklists.load("vendor-138").items if i.id == "44")
    assert item.title.en in shown
    assert "vendor-138" in shown
    for part in item.parts:
        assert part.title.en in shown
        assert all(rule in shown for rule in part.rules)
        assert all(document.en in shown for document in part.documents)
    assert "\n45 " not in shown
    assert "Items 42 and 44 of the checklist: TLS 1.2 at least (official source)" in shown
    assert RULES["tls.versions"].title in shown
    assert "Security policy" in tlscheck("checklist", "show", "vendor-138", "26").stdout
    for same in ("項番：０44", "№ 44"):
        assert tlscheck("checklist", "show", "vendor-138", same).stdout == shown
    security = tlscheck("checklist", "show", "vendor-138", "項番026").stdout
    assert "\n26  Security policy" in security
    whole = tlscheck("checklist", "show", "vendor-138", "--lang", "ja").stdout
    for one in checklists.load("vendor-138").items:
        assert one.title.ja in whole


# -- The plan -----------------------------------------------------------------------------------


@contextlib.contextmanager
def listening() -> Iterator[tuple[int, list[object]]]:
    """A port on loopback, and who came to it."""
    came: list[object] = []
    listener = socket.create_server(("127.0.0.1", 0))

    def accept() -> None:
        with contextlib.suppress(OSError):
            while True:
                peer, address = listener.accept()
                peer.close()
                came.append(address)

    thread = threading.Thread(target=accept, daemon=True)
    thread.start()
    try:
        yield listener.getsockname()[1], came
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        thread.join(5)
        listener.close()


def test_the_plan_contacts_nobody() -> None:
    with listening() as (port, came):
        done = tlscheck("scan", f"127.0.0.1:{port}", f"smtp://127.0.0.1:{port}", "--plan")
        assert not came
    assert (done.returncode, done.stderr) == (0, "")
    first, second, *_ = done.stdout.splitlines()
    assert first.startswith(f"https://127.0.0.1:{port}")
    assert second.startswith(f"smtp://127.0.0.1:{port}")
    assert "from 127.0.0.1" in first
    assert "45" in first


def test_the_plan_of_addresses() -> None:
    done = tlscheck("scan", "127.0.0.1", "ike://127.0.0.2", "--exposure", "--rate", "7", "--plan")
    assert done.returncode == 0
    first, second = (line for line in done.stdout.splitlines() if line.startswith("127.0.0."))
    assert first.startswith("127.0.0.1: ports, vpn, ike; ")
    assert "7 a second" in first
    assert "30 packets of IKE" in second
    done = tlscheck("scan", "ike://127.0.0.2", "--plan")
    assert "127.0.0.2: ike; 0 TCP ports" in done.stdout


def test_the_plan_says_what_does_not_resolve() -> None:
    done = tlscheck("scan", "no-such-name.invalid", "--plan")
    assert "does not resolve" in done.stdout


# -- Judging a saved scan -----------------------------------------------------------------------


@pytest.mark.parametrize("form", [form for form in FORMATS if form not in (*BINARY, "nagios")])
@pytest.mark.parametrize("lang", ["en", "ja"])
def test_judge_renders_offline_in_every_format(saved: Path, form: str, lang: str) -> None:
    done = tlscheck("judge", str(saved), "-f", form, "--lang", lang)
    assert (done.returncode, done.stderr) == (0, "")
    assert "www.example.jp" in done.stdout.replace("\\", "")
    if form == "json":
        assert done.stdout.encode() == saved.read_bytes()


def test_a_workbook_is_japanese_unless_another_language_is_asked_for(
    saved: Path, tmp_path: Path
) -> None:
    config = tmp_path / "tlscheck.toml"
    config.write_text('[sheet]\nproduct = "Clinic 2"\n')
    for options, name in (
        ((), "評価シート（138項目）"),
        (("--lang", "en"), "Evaluation sheet (138)"),
    ):
        path = tmp_path / "out.xlsx"
        command = ("judge", str(saved), "-f", "xlsx", "-o", str(path), "-c", str(config))
        done = tlscheck(*command, *options)
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
        book = openpyxl.load_workbook(path)
        assert book[name]["C4"].value == "Clinic 2"
        assert tlscheck(*command, *options).returncode == 0


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        (("mhlw-7.0", "sds-59"), "SDS-59  "),
        (("mhlw-7.0", "ＭＤＳ－12.1"), "MDS-12.1  "),
        (("guideline-security", "Ⅳ"), "iv  "),
        (("standard-2026", "2-1-XII"), "2-1-xii  "),
        (("mhlw-5.2", "No.09"), "9  "),
    ],
)
def test_an_item_may_be_written_as_people_write_it(asked: tuple[str, str], found: str) -> None:
    assert f"\n{found}" in tlscheck("checklist", "show", *asked).stdout


def test_no_such_item_says_which_there_are(mistake: Mistake) -> None:
    for item in ("139", "0", "²²²", "\U00010a40", "項番"):
        line = mistake("checklist", "show", "vendor-138", item)
        assert line.endswith(f"no item {item}; take one of 1–138")
    assert "MDS-12.1, " in mistake("checklist", "show", "mhlw-7.0", "59")


def test_an_evaluators_workbook_is_filled(saved: Path, tmp_path: Path, mistake: Mistake) -> None:
    template, out = tmp_path / "own.xlsx", tmp_path / "new.xlsx"
    template.write_bytes(sheets.workbook())
    before = template.read_bytes()
    done = tlscheck("judge", str(saved), "--fill", str(template), "-o", str(out))
    assert (done.returncode, done.stdout) == (0, "")
    (line,) = done.stderr.splitlines()
    assert "the results of formulas are left out" in line
    assert template.read_bytes() == before
    assert "tlscheck" in openpyxl.load_workbook(out)["評価表"]["D8"].value
    assert "named twice" in mistake(
        "judge", str(saved), "--fill", str(template), "-o", str(template)
    )
    made = out.read_bytes()
    for how in (["judge", str(saved)], ["judge", "/no/such"], ["scan", "127.0.0.1:1"]):
        line = mistake(*how, "--fill", str(template), "-o", str(out))
        assert line.startswith(f"tlscheck: {out}: is there already")
    assert out.read_bytes() == made  # somebody's hand may have been in it
    out.unlink()
    assert "-o" in mistake("judge", str(saved), "--fill", str(template))
    assert "--fill" in mistake(
        "judge", str(saved), "--fill", str(template), "-f", "csv", "-o", str(out)
    )
    template.write_bytes(sheets.workbook(lambda _, sheet: sheet.insert_textbox("H9", "Stempel")))
    line = mistake("scan", "127.0.0.1:1", "--fill", str(template), "-o", str(out))
    assert "shapes" in line
    assert "xl/drawings/drawing1.xml" in line
    template.write_bytes(sheets.workbook(numbers=["none"]))
    line = mistake("scan", "127.0.0.1:1", "--fill", str(template), "-o", str(out))
    assert "with item numbers such as 42 below" in line


def test_judge_makes_a_pdf(saved: Path, tmp_path: Path) -> None:
    out = tmp_path / "report.pdf"
    done = tlscheck("judge", str(saved), "-f", "pdf", "-o", str(out), "--lang", "ja")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert out.read_bytes().startswith(b"%PDF-")


def test_characters_that_the_pdf_cannot_show_are_told(saved: Path, tmp_path: Path) -> None:
    saved.write_text(saved.read_text().replace('"label": ""', '"label": "\U00020bb7野家"', 1))
    out = tmp_path / "report.pdf"
    done = tlscheck("judge", str(saved), "-f", "pdf", "-o", str(out))
    assert done.returncode == 0
    assert done.stderr == (
        "tlscheck: characters that the report's font lacks are written as code points (1):"
        " U+20BB7\n"
    )


def test_without_the_extra_a_pdf_is_refused_before_anybody_is_contacted(
    saved: Path, monkeypatch: pytest.MonkeyPatch, mistake: Mistake
) -> None:
    monkeypatch.setitem(sys.modules, "typst", None)
    with listening() as (port, came):
        for command in ("scan", f"127.0.0.1:{port}"), ("judge", str(saved)), ("demo",):
            line = mistake(*command, "-f", "pdf", "-o", "/dev/null")
            assert "pip install 'tlscheck[pdf]'" in line
        assert not came


def test_nagios_has_exit_codes_of_its_own(saved: Path, tmp_path: Path) -> None:
    good = tlscheck("judge", str(saved), "-f", "nagios")
    assert (good.returncode, good.stderr) == (0, "")
    assert good.stdout.startswith("TLSCHECK OK - ")
    path = tmp_path / "missed.json"
    path.write_bytes(encode(judging.judge(make.scan(make.missed_look()))))
    missed = tlscheck("judge", str(path), "-f", "nagios")
    assert (missed.returncode, missed.stderr) == (3, "")
    assert missed.stdout.startswith("TLSCHECK UNKNOWN - ")
    grave = tlscheck("judge", str(saved), "--profile", "mhlw-5.2", "--format=nagios")
    assert (grave.returncode, grave.stderr) == (2, "")
    assert grave.stdout.startswith("TLSCHECK CRITICAL - ")
    assert grave.stdout.count("\n") == 1


@pytest.mark.parametrize(
    "asked",
    [("-f", "nagios"), ("-fnagios",), ("--format", "nagios"), ("--format=nagios",)],
    ids=" ".join,
)
def test_a_mistake_is_unknown_to_nagios(asked: tuple[str, ...]) -> None:
    for arguments in (("judge", "/no/such|<b>"), ("scan", "--nonsense"), ("scan",)):
        done = tlscheck(*arguments, *asked)
        assert (done.returncode, done.stderr) == (3, "")
        assert done.stdout.startswith("TLSCHECK UNKNOWN - ")
        assert done.stdout.count("\n") == 1
        assert "|" not in done.stdout


def test_judge_by_another_profile(saved: Path) -> None:
    done = tlscheck("judge", str(saved), "--profile", "mozilla-modern", "-f", "json")
    assert done.returncode == 1  # it wants TLS 1.3 alone
    document = json.loads(done.stdout)
    assert document["profile"] == "mozilla-modern"
    assert tlscheck("judge", str(saved), "--profile", "mozilla-modern", "--fail-on", "critical")
    few = tlscheck("judge", str(saved), "--checklist", "vendor-138", "-f", "json")
    assert {a["checklist"] for a in json.loads(few.stdout)["answers"]} == {"vendor-138"}


def test_fail_on(saved: Path, tmp_path: Path) -> None:
    seen = make.tls_observation(ticket_lifetimes={make.V13: 10_000_000})  # of low severity
    path = tmp_path / "old.json"
    path.write_bytes(encode(judging.judge(make.scan(make.good_look(tls=seen)))))
    assert tlscheck("judge", str(path)).returncode == 1
    assert tlscheck("judge", str(path), "--fail-on", "medium").returncode == 0
    assert tlscheck("judge", str(saved), "--fail-on", "info").returncode == 0


def test_judge_with_what_could_not_be_looked_at(tmp_path: Path) -> None:
    path = tmp_path / "missed.json"
    path.write_bytes(encode(judging.judge(make.scan(make.missed_look()))))
    assert tlscheck("judge", str(path)).returncode == 3


# -- Files --------------------------------------------------------------------------------------


def test_a_file_is_put_in_place_whole(saved: Path, tmp_path: Path) -> None:
    folder = tmp_path / "out"
    folder.mkdir()
    path = folder / "report.txt"
    path.write_text("old")
    path.chmod(0o640)
    before = path.stat().st_ino
    with path.open() as reader:
        assert tlscheck("judge", str(saved), "-o", str(path)).returncode == 0
        assert reader.read() == "old"  # who was reading goes on reading the old one
    assert path.stat().st_ino != before
    assert path.stat().st_mode & 0o777 == 0o640
    assert "www.example.jp" in path.read_text()
    assert [p.name for p in folder.iterdir()] == ["report.txt"]


def test_a_link_stays_a_link(saved: Path, tmp_path: Path) -> None:
    real, link = tmp_path / "real.txt", tmp_path / "link.txt"
    real.write_text("old")
    link.symlink_to(real)
    assert tlscheck("judge", str(saved), "-o", str(link)).returncode == 0
    assert link.is_symlink()
    assert "www.example.jp" in real.read_text()


def test_a_device_and_a_pipe_are_written_through(saved: Path, tmp_path: Path) -> None:
    expected = tlscheck("judge", str(saved)).stdout
    assert tlscheck("judge", str(saved), "-o", "/dev/stdout").stdout == expected
    assert tlscheck("judge", str(saved), "-o", "-").stdout == expected
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    read: list[str] = []
    reader = threading.Thread(target=lambda: read.append(pipe.read_text()))
    reader.start()
    assert tlscheck("judge", str(saved), "-o", str(pipe)).returncode == 0
    reader.join(10)
    assert read == [expected]
    assert pipe.is_fifo()


def test_a_reader_that_leaves_early(saved: Path) -> None:
    command = (
        f"{sys.executable} -m tlscheck judge {saved} -f html | head -c 1; echo ${{PIPESTATUS[0]}}"
    )
    done = subprocess.run(
        ["bash", "-c", command], capture_output=True, text=True, env=environment(), check=True
    )
    assert "Traceback" not in done.stderr
    assert done.stdout.splitlines()[-1][-3:].strip("<") in ("141", "0")


# -- A scan -------------------------------------------------------------------------------------


def test_a_scan_of_nobody(tmp_path: Path) -> None:
    path = tmp_path / "scan.json"
    done = tlscheck("scan", f"127.0.0.1:{free_port()}", "--save", str(path), "--lang", "ja")
    assert done.returncode == 3
    assert "Traceback" not in done.stderr
    (target,) = json.loads(path.read_bytes())["targets"]
    assert {m["reason"] for m in target["missed"]} == {"connection_refused"}


@pytest.mark.parametrize("subject", ["tls", "certificate", "http", "certificate,http"])
def test_one_subject_of_nobody_is_3(subject: str) -> None:
    done = tlscheck("scan", f"127.0.0.1:{free_port()}", "--only", subject, "-f", "json")
    assert done.returncode == 3
    (target,) = json.loads(done.stdout)["targets"]
    assert {m["kind"] for m in target["missed"]} == set(subject.split(","))
    assert {m["reason"] for m in target["missed"]} == {"connection_refused"}


def test_a_whole_scan(nginx: Start, identity: Identity, tmp_path: Path) -> None:
    server = nginx("ssl_protocols TLSv1.3;")
    target, saved = f"localhost:{server.port}", tmp_path / "scan.json"
    resolve = f"localhost:{server.port}:127.0.0.1"
    done = tlscheck(
        *("scan", target, "--resolve", resolve, "--ca-file", str(identity.ca)),
        *("--save", str(saved), "-f", "json", "--checklist", "vendor-138"),
    )
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert done.stdout.encode() == saved.read_bytes()
    again = tlscheck("judge", str(saved), "-f", "json")
    assert again.stdout == done.stdout
    assert again.returncode == 1
    document = json.loads(done.stdout)
    verdicts = {
        f["rule"]: f["verdict"] for f in document["findings"] if "vendor-138" in f["profiles"]
    }
    assert verdicts["tls.versions"] == "pass"
    assert verdicts["certificate.trusted"] == "pass"
    assert verdicts["certificate.publicly-issued"] == "fail"


@pytest.mark.slow
def test_what_is_around_a_page(nginx: Start, tmp_path: Path) -> None:
    page = (
        "default_type text/html; add_header Server-Timing x; add_header Set-Cookie FORTIWAFSID=1;"
        "location = / { return 200 '<script src=//a.example-cdn.com/a.js></script>"
        "<img src=//b.example-ads.com/>'; }"
        "location = /phpmyadmin/ { return 401;"
        " add_header WWW-Authenticate 'Basic realm=\"phpMyAdmin x\"' always; }"
        "location / { return 404; }"
    )
    host, saved, config = "127.0.0.1", tmp_path / "scan.json", tmp_path / "tlscheck.toml"
    server = nginx(page)
    config.write_text(
        f'targets = ["{host}:{server.port}"]\n'
        f'[endpoints."{host}"]\nexternal = ["example-cdn.com"]\n'
    )
    done = tlscheck(
        *("scan", "-c", str(config), "--only", "http,ports", "--ports", str(server.port)),
        *("--save", str(saved), "--checklist", "vendor-138"),
    )
    assert done.returncode == 1, done.stderr
    said = " ".join(done.stdout.split())
    assert "phpMyAdmin answers at /phpmyadmin/ (status 401)" in said
    assert "example-ads.com is used and not declared, for: image; hosts: b.example-ads.com" in said
    assert "scripts of example-cdn.com without a digest" in said
    assert "marks of FortiWeb (WAF) were seen; anybody can forge them" in said
    # The declaration is in the scan file: nobody needs the configuration to judge again.
    config.unlink()
    again = tlscheck("judge", str(saved), "-f", "json")
    assert again.stdout.encode() == saved.read_bytes()
    web = tlscheck("judge", str(saved), "-f", "html", "--lang", "en").stdout
    for text in ("phpMyAdmin answers at /phpmyadmin/", "marks of FortiWeb (WAF) were seen"):
        assert text in web
    rows = {a["item"]: a["answer"] for a in json.loads(again.stdout)["answers"] if not a["target"]}
    assert {row: rows[row] for row in ("51", "55")} == {"51": "not_met", "55": "not_met"}
    # Services alone were declared, and no ports.
    ports = next(
        t["seen"]["ports"] for t in json.loads(again.stdout)["targets"] if "ports" in t["seen"]
    )
    assert ports["declared"] is None


@pytest.mark.parametrize(
    ("declared", "asked"), [("external = []", False), ("tcp = [443]", True), ("", True)]
)
def test_declared_services_alone_are_no_reason_to_look_for_ports(
    declared: str, asked: bool, tmp_path: Path
) -> None:
    config = tmp_path / "tlscheck.toml"
    config.write_text(f'targets = ["127.0.0.1:1"]\n[endpoints."127.0.0.1"]\n{declared}\n')
    plan = tlscheck("scan", "-c", str(config), "--plan").stdout
    assert ("well-known paths" in plan) is asked


def test_a_name_in_the_configuration_that_is_none(mistake: Mistake, tmp_path: Path) -> None:
    config = tmp_path / "tlscheck.toml"
    config.write_text('targets = ["127.0.0.1:1"]\n[endpoints."127.0.0.1:443"]\ntcp = [443]\n')
    line = mistake("scan", "-c", str(config))
    assert "endpoints.'127.0.0.1:443'" in line
    assert "write a name or an address, and nothing beside it" in line
