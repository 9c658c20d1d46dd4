"""Every sentence that a person reads is there in both languages.

``python -m tools.messages`` brings locale/ up to date and names what is still to be translated.
"""

from __future__ import annotations

import re
import string
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tlscheck.text import normal
from tools import messages

ROOT = Path(__file__).parents[1]
TOML = sorted((ROOT / "profiles").rglob("*.toml"))
JAPANESE = re.compile("[\u3040-\u30ff\u4e00-\u9fff]")
NAMES = {"TLS", "HTTP", "DNS", "SSL-VPN", "IKE", "ROBOT", "Heartbleed", "TLS_FALLBACK_SCSV"}
NAMES |= {"Encrypt-then-MAC", "encrypt-then-MAC"}
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


# ---- the extractor itself --------------------------------------------------------------------


def found(code: str, *, in_cli: bool = False) -> list[str]:
    import ast

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


def test_it_finds_what_templates_say() -> None:
    template = '<p title="{{ _("Title") }}">{{ _("{count} more", count=1) }} {{ other("x") }}</p>'
    assert list(messages._of_template(template)) == ["Title", "{count} more"]
