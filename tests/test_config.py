"""The configuration file: defaults, every key, and one line for each mistake."""

from __future__ import annotations

from pathlib import Path

import pytest

from tlscheck import profile
from tlscheck.config import ALL, Budgets, Listed, Settings, load
from tlscheck.errors import ConfigError


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "tlscheck.toml"


def mistake(file: Path, text: str) -> str:
    file.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        load(file)
    line = str(caught.value)
    assert line.startswith(str(file))
    assert line.isprintable()
    return line.removeprefix(str(file))


def test_an_empty_file_gives_the_defaults(file: Path) -> None:
    file.write_text("")
    settings = load(file)
    assert settings == Settings()
    assert settings.profile in profile.names()
    assert settings.checklists == (ALL,)
    assert settings.budgets == Budgets(connect=5, target=60, parallel=4)
    assert settings.language is None


def test_every_key(file: Path) -> None:
    file.write_text(
        """\
targets = ["www.example.jp", { target = "smtp://mail.example.jp", label = "メール" }]
profile = "mhlw-7.0"
checklists = ["vendor-138", "mhlw-7.0"]
language = "ja"

[budgets]
connect = 2.5
target = 30
parallel = 8
""",
        encoding="utf-8",
    )
    assert load(file) == Settings(
        targets=(Listed("www.example.jp"), Listed("smtp://mail.example.jp", "メール")),
        profile="mhlw-7.0",
        checklists=("vendor-138", "mhlw-7.0"),
        language="ja",
        budgets=Budgets(2.5, 30, 8),
    )


def test_targets_may_be_a_list_of_tables(file: Path) -> None:
    file.write_text('[[targets]]\ntarget = "a"\n[[targets]]\ntarget = "b"\nlabel = "B"\n')
    assert load(file).targets == (Listed("a"), Listed("b", "B"))


def test_a_byte_order_mark_is_no_mistake(file: Path) -> None:
    file.write_text('profile = "vendor-138"\n', encoding="utf-8-sig")
    assert load(file).profile == "vendor-138"


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ('profil = "x"', ": unknown key profil; did you mean profile?"),
        ("[budget]\nconnect = 1", ": unknown key budget; did you mean budgets?"),
        ("[budgets]\nconect = 1", ": unknown key budgets.conect; did you mean connect?"),
        ("connect = 1", ": unknown key connect; write it in [budgets]"),
        ('[budgets]\nprofile = "x"', ": unknown key budgets.profile; write it above all tables"),
        ('"a\\nb" = 1', ": unknown key a b; known are targets, profile,"),
        ("[budgets]\nzzz = 1", ": unknown key budgets.zzz; known are connect, target, parallel"),
        ('targets = [{ targt = "a" }]', ": unknown key targets[0].targt; did you mean target?"),
        ('targets = ["a", { label = "b" }]', ": key targets[1].target is missing; write targets ="),
        ('targets = "a"', ", key targets: must be a list, not 'a'; write targets = ["),
        ("targets = [5]", ", key targets[0]: must be a string or a table, not 5; write targets ="),
        ('targets = [""]', ", key targets[0].target: must not be empty; write targets = ["),
        ('profile = ""', ", key profile: must not be empty; write profile ="),
        ("profile = 3", ", key profile: must be a valid string, not 3; write profile ="),
        ('checklists = "vendor-138"', ", key checklists: must be a list, not 'vendor-138'; write"),
        (
            "checklists = [1]",
            ", key checklists[0]: must be a valid string, not 1; write checklists",
        ),
        ('language = "fr"', ", key language: must be 'ja' or 'en', not 'fr'; write language ="),
        ("budgets = 3", ", key budgets: must be a table, not 3; write [budgets]"),
        ('[budgets]\nconnect = "3"', ", key budgets.connect: must be a valid number, not '3'"),
        ("[budgets]\nconnect = 0", ", key budgets.connect: must be greater than 0, not 0; write"),
        ("[budgets]\nconnect = inf", ", key budgets.connect: must be a finite number, not inf"),
        ("[budgets]\nconnect = nan", ", key budgets.connect: must be a finite number, not nan"),
        ("[budgets]\nparallel = true", ", key budgets.parallel: must be a valid integer, not True"),
        ("[budgets]\nparallel = 1.5", ", key budgets.parallel: must be a valid integer"),
        ("[budgets]\nparallel = 0", ", key budgets.parallel: must be greater than or equal to 1"),
        ("profile = 2026-01-01", ", key profile: must be a valid string"),
        ('targets = ["a"', ": is not TOML in UTF-8: Unclosed array (at end of document);"),
    ],
)
def test_mistakes(file: Path, text: str, line: str) -> None:
    assert mistake(file, text).startswith(line)


def test_what_is_not_there(file: Path) -> None:
    with pytest.raises(ConfigError, match="No such file or directory; name another with -c"):
        load(file)


def test_what_is_not_utf_8(file: Path) -> None:
    file.write_bytes('profile = "日本"'.encode("cp932"))
    with pytest.raises(ConfigError, match="is not TOML in UTF-8"):
        load(file)
