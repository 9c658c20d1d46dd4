"""Every sentence that a person reads is there in both languages.

``python -m tools.messages`` brings locale/ up to date and names what is still to be translated.
"""

from __future__ import annotations

import ast
import re
import string
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tlscheck import checklist, profile, report, targets, text
from tlscheck.errors import TlscheckError
from tlscheck.text import normal
from tools import messages

ROOT = Path(__file__).parents[1]
TOML = sorted((ROOT / "profiles").rglob("*.toml"))
JAPANESE = re.compile("[\u3040-\u30ff\u4e00-\u9fff]")
NAMES = {"TLS", "HTTP", "DNS", "SSL-VPN", "IKE", "ROBOT", "Heartbleed", "TLS_FALLBACK_SCSV"}
NAMES |= {"{where}: extends: {error}", "Encrypt-then-MAC", "encrypt-then-MAC"}
"""What is the same in Japanese."""

CATALOG = {
    str(message.id): str(message.string) for message in messages.translations("ja") if message.id
}


@pytest.fixture(scope="module")
def made() -> dict[Path, bytes]:
    return messages.files()


def test_the_catalogs_are_what_the_code_gives(made: dict[Path, bytes]) -> None:
    stale = [path.name for path, data in made.items() if path.read_bytes() != data]
    assert not stale, "run python -m tools.messages"


def test_every_sentence_is_translated() -> None:
    assert [message for message, ja in CATALOG.items() if not ja] == []
    english = [m for m, ja in CATALOG.items() if not JAPANESE.search(ja) and m not in NAMES]
    assert english == []


def test_a_translation_keeps_what_the_code_needs() -> None:
    for message, ja in CATALOG.items():
        for needed in (placeholders, commands):
            assert sorted(needed(ja)) == sorted(needed(message)), message
        assert ja == ja.strip()


def commands(manual: str) -> list[str]:
    return re.findall("``.*?``", manual)


def placeholders(template: str) -> list[str]:
    return [
        f"{name}:{specification or ''}"
        for _, name, specification, _ in string.Formatter().parse(template)
        if name is not None
    ]


def test_every_rule_is_in_the_catalog() -> None:
    from tlscheck.rules import RULES

    for rule in RULES.values():
        assert normal(rule.title) in CATALOG
        assert normal(rule.manual) in CATALOG


@pytest.mark.parametrize("path", TOML, ids=lambda path: path.stem)
def test_data_files_hold_both_languages(path: Path) -> None:
    for where, both in pairs(tomllib.loads(path.read_text(encoding="utf-8")), path.stem):
        assert set(both) == {"en", "ja"}, where
        assert all(both.values()), where
        assert not JAPANESE.search(both["en"]), where


def pairs(table: Any, where: str) -> Iterator[tuple[str, dict[str, str]]]:
    """Every table that holds a language."""
    if isinstance(table, list):
        for number, entry in enumerate(table):
            yield from pairs(entry, f"{where}[{number}]")
    elif isinstance(table, dict):
        words = {k: v for k, v in table.items() if k in ("en", "ja")}
        if words:
            yield where, words
        for key, value in table.items():
            yield from pairs(value, f"{where}.{key}")


def test_every_detail_can_be_said() -> None:
    """What details hold in English stands in `text.DETAILS`, or is told in known pieces."""
    found = [
        (path.name, detail)
        for path in sorted((ROOT / "tlscheck").rglob("*.py"))
        for detail in details(ast.parse(path.read_text(encoding="utf-8")))
    ]
    assert len(found) > 10
    assert [each for each in found if not JAPANESE.search(text.told(each[1], "ja"))] == []


def details(tree: ast.AST) -> Iterator[str]:
    """The f-strings that become details, with values like those that they get."""
    for node in ast.walk(tree):
        values: list[ast.expr] = []
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            at = messages.SENTENCE_AT.get(node.func.id)
            values += [] if at is None else node.args[at : at + 1]
            values += [k.value for k in node.keywords if k.arg in ("detail", "trouble")]
        elif isinstance(node, ast.Assign):
            names = {t.id if isinstance(t, ast.Name) else "" for t in node.targets}
            values += [node.value] if names & messages.TROUBLE else []
        for value in values:
            if isinstance(value, ast.JoinedStr):
                filled = "".join(map(sample, value.values))
                if re.search("[a-z]{3}", filled):
                    yield filled


def sample(part: ast.expr) -> str:
    if isinstance(part, ast.Constant):
        return str(part.value)
    source = ast.unparse(part)
    if "awaited" in source:
        return "the greeting"
    if "_N(" in source:
        return "no answer"
    return "2026-01-01" if "isoformat" in source else "7"


# ---- the user's mistakes ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("raised", "ja"),
    [
        (
            lambda: targets.parse("a_b.jp"),
            "検査対象 'a_b.jp'：ホスト名に使えない下線（_）が含まれています。"
            "そのホスト自身の名前を書いてください",
        ),
        (
            lambda: checklist.parse("x.toml", b'id = "x'),
            "x.toml：文字列が閉じていない（Unterminated string）（ファイルの末尾）。"
            "UTF-8のTOMLで書いてください",
        ),
        (
            lambda: report.decode(b"{", "x.json"),
            "x.json：JSONではありません（二重引用符で囲んだ名前がない（Expecting property name "
            "enclosed in double quotes）（1行2文字目））。"
            "--saveで書き出したファイルを指定してください",
        ),
    ],
)
def test_mistakes_are_said_in_japanese(raised: Callable[[], object], ja: str) -> None:
    with pytest.raises(TlscheckError) as caught:
        raised()
    assert caught.value.said("ja") == ja


def test_a_mistake_in_a_profile_below_is_said_whole(tmp_path: Path) -> None:
    own = tmp_path / "own.toml"
    own.write_text(
        'id = "own"\ntitle.en = "t"\ntitle.ja = "t"\nsource = "s"\nextends = "basline"\n'
    )
    with pytest.raises(TlscheckError) as caught:
        profile.load(str(own))
    ja = caught.value.said("ja")
    assert ja.startswith(
        f"プロファイル {own}：extends：プロファイル 'basline' はありません（baseline の誤り"
    )
    assert str(caught.value).startswith(
        f"profile {own}: extends: there is no profile 'basline'; did you"
    )


# ---- the extractor itself --------------------------------------------------------------------


def found(code: str, *, in_cli: bool = False) -> list[str]:
    return list(messages._of_code(ast.parse(code), "here.py", in_cli=in_cli))


def test_it_finds_what_rules_say() -> None:
    code = '''
@rule("RFC 1")
def good(seen):
    """It is good.

    Because so. Do
    this.
    """
    yield Problem("a", "{x} is" " bad", x=1)
    yield from _unwanted(seen, "it is on", "the matter")
    raise NotApplicable("b", "it does not arise")

def _unwanted(state, problem, matter):
    yield Problem("on", problem)
    yield Open("open", "not settled: {matter}", matter=matter)
'''
    assert sorted(map(normal, found(code))) == [
        "Because so. Do this.",
        "It is good",
        "it does not arise",
        "it is on",
        "not settled: {matter}",
        "the matter",
        "{x} is bad",
    ]


def test_it_finds_what_the_command_line_says() -> None:
    code = '''
@click.command()
@click.option("--x", help="What x is.")
def one(): """What one does."""

@group.command("two", help=_("What two does."))
def two(): """For programmers."""
'''
    assert sorted(found(code, in_cli=True)) == ["What one does.", "What two does.", "What x is."]


def test_a_sentence_that_cannot_be_translated_stops_it() -> None:
    with pytest.raises(SystemExit, match="must be a literal"):
        found('yield_ = Problem("a", f"{x} is bad")')


def test_a_sentence_that_comes_from_another_file_stops_it() -> None:
    with pytest.raises(SystemExit, match="wanted is handed a sentence"):
        found('def wanted(problem):\n    yield Problem("off", problem)')


def test_it_finds_what_templates_say() -> None:
    template = '<p title="{{ _("Title") }}">{{ _("{count} more", count=1) }} {{ other("x") }}</p>'
    assert list(messages._of_template(template)) == ["Title", "{count} more"]


def test_it_finds_what_the_values_of_profiles_rest_on() -> None:
    table = tomllib.loads(
        'source = "a document"\n[tls.suites]\nbasis = { source = "Item 1" }\n'
        '[[tls.suites.open]]\nbasis = { source = "Nothing" }\n'
    )
    assert list(messages._of_profile(table)) == ["Item 1", "Nothing"]
