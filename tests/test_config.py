"""The configuration file: defaults, every key, and one line for each mistake."""

from __future__ import annotations

import re
from datetime import date
from pathlib import Path

import pytest

from tlscheck import domains, profile
from tlscheck.config import ALL, Budgets, Domain, Listed, Settings, load, place
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
    return re.sub(r"^, line [0-9]+", "", line.removeprefix(str(file)))


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
        ("[history]\nkeepdays = 1", ": unknown key history.keepdays; did you mean keep_days?"),
        (
            "[history]\nkeep = 0",
            ", key history.keep: must be greater than or equal to 1, not 0; write keep = 30",
        ),
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


def test_domains_and_network(file: Path) -> None:
    file.write_text(
        """\
[domain."example.jp"]
holder = ["例の診療所"]
registrar = ["Example Registrar"]
name_servers = ["ns1.example.jp"]
in_use_since = 2019-04-01

[network]
roots = ["192.0.2.1", "192.0.2.2:5300", "[2001:db8::1]:53"]
dns_port = 5353
trust_anchors = ["20326 8 2 E06D44B8"]
whois = {jp = "192.0.2.43:4343"}
rdap = {"*" = "http://192.0.2.44:8080/"}
""",
        encoding="utf-8",
    )
    settings = load(file)
    assert settings.domain == {
        "example.jp": Domain(
            ("例の診療所",), ("Example Registrar",), ("ns1.example.jp",), date(2019, 4, 1)
        )
    }
    network = settings.network
    assert [place(root, network.dns_port) for root in network.roots] == [
        ("192.0.2.1", 5353),
        ("192.0.2.2", 5300),
        ("2001:db8::1", 53),
    ]
    assert (network.whois, network.rdap) == (
        {"jp": "192.0.2.43:4343"},
        {"*": "http://192.0.2.44:8080/"},
    )
    assert domains.declared(settings, str(file))["example.jp"].in_use_since == date(2019, 4, 1)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('[network]\nroots = ["root"]', 'write roots = ["192.0.2.1", "192.0.2.2:5300"]'),
        ('[network]\nroots = ["300.1.1.1"]', "network.roots[0]"),
        ('[network]\nroot = ["192.0.2.1"]', "did you mean roots?"),
        ('[network]\nrdap = {com = "ftp://x"}', "network.rdap.com"),
        ("[network]\ndns_port = 0", "network.dns_port"),
        ('[network]\ntrust_anchors = ["x"]', "network.trust_anchors"),
        ('[domain."a.jp"]\nregistrer = ["x"]', "did you mean registrar?"),
        ('[domain."a.jp"]\nholder = "x"', 'write holder = ["Example Clinic"]'),
        ('[domain."a.jp"]\nin_use_since = "x"', "in_use_since = 2019-04-01"),
        ('[domain]\nholder = ["x"]', '[domain."clinic.example.jp"]'),
        ("profile = 2020-01-01", "key profile"),
    ],
)
def test_mistakes_about_domains_and_network(file: Path, text: str, said: str) -> None:
    assert said in mistake(file, text)


def test_what_is_declared_must_be_a_domain_that_is_registered(file: Path) -> None:
    file.write_text('[domain."www.example.co.jp"]\nholder = ["x"]')
    with pytest.raises(ConfigError, match=r'write \[domain."example.co.jp"\]'):
        domains.declared(load(file), str(file))
