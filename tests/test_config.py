"""The configuration file: defaults, every key, and one line for each mistake."""

from __future__ import annotations

import re
from datetime import date
from pathlib import Path

import pytest

from tlscheck import data, domains, exposure
from tlscheck.config import (
    ALL,
    Budgets,
    Domain,
    Endpoint,
    Exposure,
    Listed,
    Settings,
    Sheet,
    load,
    parse,
    place,
)
from tlscheck.errors import ConfigError
from tlscheck.model import Waiver


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
    assert settings.profile in data.profiles()
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

[sheet]
applicant = "株式会社例"
evaluator = "評価機関"
product = "例 2.1"
""",
        encoding="utf-8",
    )
    assert load(file) == Settings(
        targets=(Listed("www.example.jp"), Listed("smtp://mail.example.jp", "メール")),
        profile="mhlw-7.0",
        checklists=("vendor-138", "mhlw-7.0"),
        language="ja",
        budgets=Budgets(2.5, 30, 8),
        sheet=Sheet("株式会社例", "評価機関", "例 2.1"),
    )


WAIVER = """
[[waiver]]
item = "vendor-138/44"
target = "clinic.example.jp"
reason = "更新予定"
who = "佐藤"
until = 2026-12-31
[[waiver]]
rule = "tls.versions"
reason = "r"
who = "w"
until = 2026-12-31
"""


def test_waivers(file: Path) -> None:
    file.write_text(WAIVER, encoding="utf-8")
    until = date(2026, 12, 31)
    assert load(file).waiver == (
        Waiver(
            item="vendor-138/44",
            target="clinic.example.jp",
            reason="更新予定",
            who="佐藤",
            until=until,
        ),
        Waiver(rule="tls.versions", reason="r", who="w", until=until),
    )


@pytest.mark.parametrize(
    ("before", "after", "line"),
    [
        ("until = 2026-12-31", "", ": key waiver[0].until is missing; write until = 2026-12-31"),
        ("2026-12-31", '"soon"', ", key waiver[0].until: "),
        ("2026-12-31", "2026-12-31T00:00:00", ", key waiver[0].until: "),
        ('"佐藤"', '" "', ", key waiver[0].who: must not be empty; write who ="),
        ('"更新予定"', '""', ", key waiver[0].reason: must not be empty; write reason ="),
        ("who =", "by =", ": unknown key waiver[0].by; "),
        ("item =", "rule =", None),
        (
            'item = "vendor-138/44"',
            "",
            ", key waiver[0].item: must have either an item or a rule; write",
        ),
        (
            "target =",
            "rule =",
            ", key waiver[0].item: must have either an item or a rule; write item =",
        ),
    ],
)
def test_a_waiver_says_what_why_who_and_until(
    file: Path, before: str, after: str, line: str | None
) -> None:
    text = WAIVER.replace(before, after, 1)
    if line is None:
        file.write_text(text, encoding="utf-8")
        assert load(file).waiver[0].rule
    else:
        assert mistake(file, text).startswith(line)


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


def test_endpoints_and_exposure(file: Path) -> None:
    file.write_text(
        """\
[endpoints."Clinic.Example.jp."]
tcp = [80, 443]
vpn_udp = [500, 4500]

[endpoints."2001:DB8::1"]
external = ["example-cdn.com", ".Fonts.Example.net", "*.例え.jp", "192.0.2.9"]

[endpoints."192.0.2.1"]
external = []

[exposure]
rate = 0
tries = 1
""",
        encoding="utf-8",
    )
    settings = load(file)
    assert settings.exposure == Exposure(rate=0, tries=1)
    declared = exposure.declared(settings, str(file))
    assert declared == {
        "clinic.example.jp": Endpoint(tcp=(80, 443), vpn_udp=(500, 4500)),
        "2001:db8::1": Endpoint(
            external=("example-cdn.com", "fonts.example.net", "xn--r8jz45g.jp", "192.0.2.9")
        ),
        "192.0.2.1": Endpoint(external=()),
    }
    # A list of services says nothing of the ports, not even that there are none.
    assert [each.names_ports for each in declared.values()] == [True, False, False]
    assert Endpoint().names_ports
    assert Endpoint(tcp=(), external=()).names_ports
    assert Endpoint(udp=(53,), external=()).names_ports


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('[endpoints."a.jp"]\ntpc = [1]', ": unknown key endpoints.a.jp.tpc; did you mean tcp?"),
        ('[endpoints."a.jp"]\nextern = []', "did you mean external?"),
        ('[endpoints."a.jp"]\nzzz = 1', "known are tcp, udp, vpn_tcp, vpn_udp, external"),
        ('[endpoints."a.jp"]\nrate = 1', "write it in [exposure]"),
        ("vpn_udp = [1]", 'write it in [endpoints."clinic.example.jp"]'),
        ('[endpoints."a.jp"]\ntcp = 443', "must be a list, not 443; write tcp = [80, 443]"),
        ('[endpoints."a.jp"]\ntcp = ["443"]', "must be a valid integer, not '443'; write tcp ="),
        ('[endpoints."a.jp"]\nudp = [0]', "endpoints.a.jp.udp[0]: must be greater than or equal"),
        ('[endpoints."a.jp"]\nvpn_tcp = [65536]', "less than or equal to 65535, not 65536; write"),
        ('[endpoints."a.jp"]\nexternal = "b.com"', "a list, not 'b.com'; write external = [\""),
        ('[endpoints."a.jp"]\nexternal = [1]', "external[0]: must be a valid string, not 1; write"),
        ('[endpoints."a.jp"]\nexternal = [""]', "external[0]: must not be empty; write external"),
        ('endpoints."a.jp" = 443', 'a table, not 443; write [endpoints."clinic.example.jp"]'),
        ("[endpoints]\ntcp = [443]", 'a table, not [443]; write [endpoints."clinic.example.jp"]'),
        ("endpoints = 3", 'key endpoints: must be a table, not 3; write [endpoints."clinic'),
        ("[exposure]\nrat = 1", ": unknown key exposure.rat; did you mean rate?"),
        ("[exposure]\ntcp = [1]", 'write it in [endpoints."clinic.example.jp"]'),
        ('[exposure]\nrate = "1"', "must be a valid number, not '1'; write rate = 100"),
        ("[exposure]\nrate = -1", "must be greater than or equal to 0, not -1; write rate = 100"),
        ("[exposure]\nrate = inf", "key exposure.rate: must be a finite number, not inf"),
        ("[exposure]\nparallel = 0", "must be greater than or equal to 1, not 0; write parallel ="),
        ("[exposure]\nparallel = 2.5", "key exposure.parallel: must be a valid integer"),
        ("[exposure]\ntimeout = 0", "must be greater than 0, not 0; write timeout = 3"),
        ("[exposure]\ntries = 6", "must be less than or equal to 5, not 6; write tries = 2"),
        ("exposure = true", "key exposure: must be a table, not True; write [exposure]"),
    ],
)
def test_mistakes_about_endpoints_and_exposure(file: Path, text: str, said: str) -> None:
    assert said in mistake(file, text)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('[endpoints."a.jp:443"]', "endpoints.'a.jp:443': "),
        ('[endpoints."https://a.jp"]', "write a name or an address, and nothing beside it"),
        ('[endpoints."a_b.jp"]', "underscore"),
        ('[endpoints."300.1.1.1"]', "ends in a number"),
        ('[endpoints." "]', "is no host name"),
        ('[endpoints."a\\nb"]', "is no host name"),
        ('[endpoints."*.a.jp"]', "is no host name"),
        ('[endpoints."A.jp"]\n[endpoints."a.jp."]', "a.jp is there twice; put all into one table"),
        (
            '[endpoints."a.jp"]\nexternal = ["ok.com", "b.com/x"]',
            "external[1]: target 'b.com/x' is",
        ),
        ('[endpoints."a.jp"]\nexternal = ["https://b.com"]', "'a.jp'.external[0]: "),
        ('[endpoints."a.jp"]\nexternal = ["*"]', "external[0]: "),
        ('[endpoints."a.jp"]\nexternal = ["jp"]', "jp is no domain of one holder; write one such"),
        ('[endpoints."a.jp"]\nexternal = ["*.co.jp"]', "co.jp is no domain of one holder"),
    ],
)
def test_declared_names_that_are_none(file: Path, text: str, said: str) -> None:
    file.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        exposure.declared(load(file), str(file))
    line = str(caught.value)
    assert line.startswith(str(file))
    assert line.isprintable()
    assert said in line


def test_all_unknown_keys_are_named_the_first_first() -> None:
    text = """\
# a comment
tagets = ["a.example.jp"]
[mail]
smpt = "smtp://localhost"
from = "a@example.jp"
to = ["a@example.jp"]
[history]
pth = "x"
"""
    with pytest.raises(ConfigError) as caught:
        parse(text, Path("t.toml"))
    assert str(caught.value.said("en")) == (
        "t.toml, line 2: unknown key tagets; did you mean targets?"
        "; line 4: unknown key mail.smpt; line 8: unknown key history.pth"
    )
    many = "".join(f"x{number} = 1\n" for number in range(8))
    with pytest.raises(ConfigError) as caught:
        parse(many, Path("t.toml"))
    said = caught.value.said("en")
    assert said.count("unknown key") == 5
    assert said.startswith("t.toml, line 1: unknown key x0; ")
    assert said.endswith("; line 5: unknown key x4; and 3 more")
