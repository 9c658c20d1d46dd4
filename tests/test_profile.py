"""Profiles: what ships holds together, and a user's mistake is one line with its remedy."""

from __future__ import annotations

import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tlscheck import data, profile
from tlscheck.data import data_dir
from tlscheck.errors import ProfileError
from tlscheck.model import Grade, Severity
from tlscheck.profile import Profile, Setting, load
from tlscheck.rules import RULES
from tlscheck.wire.registry import GROUPS, SUITE_BY_NAME, SUITES, Version

SHIPPED = data.profiles()
IPA = [name for name in SHIPPED if name.startswith("ipa-")]
HIGH = ["ipa-high-3.0.1", "ipa-high-3.1.1", "vendor-138", "standard-2026", "mhlw-5.2", "mhlw-7.0"]

TLS_1_3_SUITES = {
    "TLS_AES_256_GCM_SHA384",
    "TLS_CHACHA20_POLY1305_SHA256",
    "TLS_AES_128_GCM_SHA256",
    "TLS_AES_128_CCM_SHA256",
    "TLS_AES_128_CCM_8_SHA256",
}
HIGH_CODES = {
    *(0xC02C, 0xC030, 0xC0AD, 0xC0AF, 0xCCA9, 0xCCA8),
    *(0xC02B, 0xC02F, 0xC0AC, 0xC0AE),
    *(0x009F, 0xC09F, 0xC0A3, 0xCCAA),
    *(0x009E, 0xC09E, 0xC0A2),
}
CAMELLIA_GCM = {0xC087, 0xC08B, 0xC086, 0xC08A, 0xC07D, 0xC07C}


def want(name: str, rule: str) -> Any:
    return knob(load(name).settings[rule])


def knob(setting: Setting) -> Any:
    return setting.want


def allowed(name: str, rule: str = "tls.suites") -> frozenset[str]:
    return frozenset(want(name, rule).allow)


def undecided(name: str, rule: str = "tls.suites") -> frozenset[str]:
    return frozenset(want(name, rule).open)


# ---- what ships ------------------------------------------------------------------------------


def test_the_shipped_profiles() -> None:
    assert SHIPPED == (
        "baseline",
        "bsi-tr-02102-2",
        "ipa-high-2.0",
        "ipa-high-3.0.1",
        "ipa-high-3.1.1",
        "ipa-recommended-3.0.1",
        "mhlw-5.2",
        "mhlw-7.0",
        "mozilla-intermediate",
        "mozilla-modern",
        "nist-800-52r2",
        "standard-2026",
        "vendor-138",
    )


@pytest.mark.parametrize("name", SHIPPED)
def test_each_is_complete(name: str) -> None:
    found = load(name)
    assert found.id == name
    assert all((found.title.en, found.title.ja, found.source))
    assert all(question.en and question.ja for question in found.questions)
    assert list(found.settings) == [rule for rule in RULES if rule in found.settings]
    for rule, setting in found.settings.items():
        assert setting.rule is RULES[rule]
        assert (setting.want is None) == (setting.rule.wants is None)
        assert setting.basis.source.strip()
        assert setting.origin in (name, *found.extends)
        for block in setting.open:
            assert all((block.basis.source, block.question.en, block.question.ja))


@pytest.mark.parametrize("name", SHIPPED)
def test_each_states_a_basis_with_every_table_of_its_own(name: str) -> None:
    content = tomllib.loads((data_dir("profiles") / f"{name}.toml").read_text(encoding="utf-8"))
    for subject in {rule.partition(".")[0] for rule in RULES}:
        for table in content.get(subject, {}).values():
            assert "basis" in table or table.keys() == {"severity"}


@pytest.mark.parametrize("name", [name for name in SHIPPED if name != "baseline"])
def test_all_rest_on_the_baseline(name: str) -> None:
    found = load(name)
    assert found.extends[-1] == "baseline"
    assert load("baseline").settings.keys() <= found.settings.keys()


def test_every_rule_is_used_by_some_profile() -> None:
    assert {rule for name in SHIPPED for rule in load(name).settings} == RULES.keys()


def test_digests_tell_profiles_apart_and_hold() -> None:
    digests = [load(name).digest for name in SHIPPED]
    assert len(set(digests)) == len(SHIPPED)
    profile._shipped.cache_clear()
    profile._packaged.cache_clear()
    assert [load(name).digest for name in SHIPPED] == digests


# ---- the high-security type ------------------------------------------------------------------


@pytest.mark.parametrize("name", HIGH)
def test_high_security_is_the_list_of_the_facts(name: str) -> None:
    suites = {SUITE_BY_NAME[suite].code for suite in allowed(name) - TLS_1_3_SUITES}
    assert allowed(name) >= TLS_1_3_SUITES
    assert suites == HIGH_CODES
    assert {SUITE_BY_NAME[suite].code for suite in undecided(name)} == CAMELLIA_GCM


@pytest.mark.parametrize("name", IPA)
def test_camellia_gcm_is_an_open_question(name: str) -> None:
    camellia = {suite.name for suite in SUITES if suite.code in CAMELLIA_GCM}
    assert not camellia & allowed(name)
    assert camellia <= undecided(name)
    blocks = [b for b in load(name).settings["tls.suites"].open if camellia & set(b.values)]
    assert [block.basis.grade for block in blocks] == [Grade.UNVERIFIED]


def test_high_security_is_within_recommended() -> None:
    assert allowed("ipa-high-3.0.1") <= allowed("ipa-recommended-3.0.1")
    assert allowed("ipa-high-3.0.1", "tls.groups") <= allowed("ipa-recommended-3.0.1", "tls.groups")
    assert allowed("ipa-high-2.0") <= allowed("ipa-high-3.0.1")


@pytest.mark.parametrize("name", [*HIGH, "ipa-high-2.0"])
def test_every_high_security_suite_is_aead_with_forward_secrecy(name: str) -> None:
    for suite in allowed(name) | undecided(name):
        found = SUITE_BY_NAME[suite]
        assert found.aead
        assert found.highest is Version.TLS_1_3 or found.key_exchange in ("ECDHE", "DHE")


@pytest.mark.parametrize("name", ["ipa-high-3.0.1", "ipa-recommended-3.0.1", "ipa-high-2.0"])
def test_the_order_covers_the_list(name: str) -> None:
    levels = want(name, "tls.suite-order").levels
    ranked = [suite for level in levels for suite in level]
    assert len(ranked) == len(set(ranked))
    assert allowed(name) <= set(ranked)
    assert load(name).settings["tls.suite-order"].basis.grade is Grade.UNVERIFIED


@pytest.mark.parametrize("name", IPA)
def test_groups(name: str) -> None:
    allow, open_ = allowed(name, "tls.groups"), undecided(name, "tls.groups")
    assert not allow & open_
    assert {"x25519", "x448", "secp256r1", "secp384r1", "secp521r1", "X25519MLKEM768"} <= allow
    weak = {g.name for g in GROUPS if g.strength < 128 and g.kind == "ec"}
    assert {"secp224r1", "sect239k1", "secp192r1"} <= weak
    assert not weak & (allow | open_)
    assert {g.name for g in GROUPS} - weak == allow | open_


def test_version_3_1_changed_the_groups_alone() -> None:
    old, new = load("ipa-high-3.0.1"), load("ipa-high-3.1.1")
    changed = {rule for rule in new.settings if new.settings[rule] != old.settings[rule]}
    assert changed == {"tls.groups"}
    assert new.settings["tls.groups"].want == old.settings["tls.groups"].want
    assert old.settings["tls.groups"].basis.grade is Grade.INFERRED
    assert new.settings["tls.groups"].basis.grade is Grade.SECONDARY


V12, V13 = Version.TLS_1_2, Version.TLS_1_3


@pytest.mark.parametrize(
    ("name", "allow", "require"),
    [
        ("ipa-high-2.0", {V12, V13}, set()),
        ("ipa-high-3.0.1", {V12, V13}, {V13}),
        ("ipa-high-3.1.1", {V12, V13}, {V13}),
        ("ipa-recommended-3.0.1", {V12, V13}, {V12}),
        ("vendor-138", {V12, V13}, set()),
        ("standard-2026", {V12, V13}, {V13}),
        ("mhlw-5.2", {V13}, {V13}),
        ("mhlw-7.0", {V12, V13}, set()),
        ("mozilla-modern", {V13}, {V13}),
        ("mozilla-intermediate", {V12, V13}, {V13}),
        ("nist-800-52r2", {V12, V13}, {V12, V13}),
        ("bsi-tr-02102-2", {V12, V13}, set()),
    ],
)
def test_versions(name: str, allow: set[Version], require: set[Version]) -> None:
    found = want(name, "tls.versions")
    assert (found.allow, found.require) == (allow, require)


@pytest.mark.parametrize("name", SHIPPED)
def test_client_certificates_are_asked_for_by_the_ministry_alone(name: str) -> None:
    assert ("tls.client-certificate" in load(name).settings) == name.startswith("mhlw-")


# ---- what RFCs forbid ------------------------------------------------------------------------


@pytest.mark.parametrize("name", SHIPPED)
def test_what_rfcs_forbid_fails_everywhere(name: str) -> None:
    settings = load(name).settings
    baseline = load("baseline").settings
    for rule in ("tls.deprecated-versions", "tls.forbidden-suites"):
        assert settings[rule] == baseline[rule]
        assert settings[rule].basis.grade is Grade.OFFICIAL
    assert knob(settings["tls.dh-parameters"]).minimum >= 2048
    assert {"MD5", "SHA1"} <= knob(settings["tls.signature-schemes"]).forbid_hashes


def test_nothing_below_112_bits_slips_through() -> None:
    found = want("baseline", "tls.forbidden-suites")
    for suite in SUITES:
        forbidden = suite.encryption in found.encryption or suite.authentication in (
            found.authentication
        )
        if suite.bits < 112 or "RC4" in suite.encryption or "anon" in suite.name:
            assert forbidden, suite.name
        else:
            assert not forbidden, suite.name


def test_nothing_forbidden_is_on_a_list() -> None:
    found = want("baseline", "tls.forbidden-suites")
    for name in SHIPPED:
        if "tls.suites" in load(name).settings:
            for suite in allowed(name) | undecided(name):
                assert SUITE_BY_NAME[suite].encryption not in found.encryption
                assert SUITE_BY_NAME[suite].encryption != "3DES_EDE_CBC"


def test_the_baseline_takes_every_curve_of_224_bits_and_none_below() -> None:
    for group in GROUPS:
        if group.kind == "ec":
            assert (group.name in allowed("baseline", "tls.groups")) == (group.bits >= 224)
        else:
            assert group.name in allowed("baseline", "tls.groups")


def test_validity_limits_are_in_order_of_their_dates() -> None:
    for name in SHIPPED:
        limits = want(name, "certificate.validity-length").limits
        assert list(limits) == sorted(limits, key=lambda limit: limit.issued_from)
        assert list(limits) == sorted(limits, key=lambda limit: -limit.days)


# ---- a user's own ----------------------------------------------------------------------------

HEAD = 'id = "mine"\ntitle.en = "Mine"\ntitle.ja = "私の"\nsource = "us"\n'
BASIS = 'basis = { source = "us", grade = "official" }\n'

Own = Callable[..., Profile]


@pytest.fixture
def own(tmp_path: Path) -> Own:
    def write(*text: str, name: str = "mine.toml") -> Profile:
        path = tmp_path / name
        path.write_text("".join(text), encoding="utf-8")
        return load(str(path))

    return write


def refused(own: Own, *text: str) -> str:
    with pytest.raises(ProfileError) as caught:
        own(*text)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_a_profile_of_ones_own(own: Own) -> None:
    found = own(HEAD, 'extends = "vendor-138"\n', '[tls.heartbleed]\nseverity = "low"\n')
    assert found.extends == ("vendor-138", "ipa-high-3.1.1", "ipa-high-3.0.1", "baseline")
    assert found.settings["tls.heartbleed"].severity is Severity.LOW
    assert found.settings["tls.heartbleed"].origin == "baseline"
    shipped = load("vendor-138")
    assert found.settings["tls.suites"] == shipped.settings["tls.suites"]
    assert found.digest != shipped.digest
    assert found.questions == shipped.questions


def test_the_digest_is_of_what_judges_not_of_titles(own: Own) -> None:
    assert own(HEAD, 'extends = "vendor-138"\n').digest == load("vendor-138").digest


def test_a_table_replaces_the_one_below_whole(own: Own) -> None:
    table = '[tls.suites]\nallow = ["TLS_AES_128_GCM_SHA256"]\n' + BASIS
    found: Setting = own(HEAD, 'extends = "ipa-high-3.1.1"\n', table).settings["tls.suites"]
    assert found.origin == "mine"
    assert found.open == ()
    assert knob(found).open == frozenset()
    assert found.severity is load("ipa-high-3.1.1").settings["tls.suites"].severity


def test_a_rule_is_dropped(own: Own) -> None:
    found = own(HEAD, 'extends = "baseline"\n[http.hsts]\nremove = true\n')
    assert found.settings.keys() == load("baseline").settings.keys() - {"http.hsts"}


def test_open_values_reach_the_rule_unless_they_are_allowed(own: Own) -> None:
    found = own(
        HEAD,
        '[tls.groups]\nseverity = "low"\nallow = ["x25519"]\n' + BASIS,
        '[[tls.groups.open]]\nvalues = ["x25519", "x448"]\n' + BASIS,
        'question.en = "?"\nquestion.ja = "？"\n',
    ).settings["tls.groups"]
    assert knob(found).open == {"x448"}
    assert found.open[0].values == ("x25519", "x448")


def test_one_file_extends_another(own: Own) -> None:
    own(HEAD, '[tls.heartbleed]\nseverity = "low"\n', BASIS, name="base.toml")
    found = own('extends = "base.toml"\n', HEAD.replace("mine", "child"), name="child.toml")
    assert list(found.settings) == ["tls.heartbleed"]


TABLE = '[tls.groups]\nseverity = "high"\nallow = ["x25519"]\n' + BASIS


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            HEAD + "[tls.heartbled]\n",
            "mine.toml: unknown rule tls.heartbled; did you mean tls.heartbleed?",
        ),
        (
            HEAD + "[tsl.heartbleed]\n",
            "mine.toml: unknown rule tsl.heartbleed; did you mean tls.heartbleed?",
        ),
        (
            HEAD + "[tls.nonsense-of-mine]\n",
            "mine.toml: unknown rule tls.nonsense-of-mine; `tlscheck rules` lists them",
        ),
        (
            HEAD + 'extend = "baseline"\n',
            "mine.toml: unknown key 'extend'; did you mean extends?",
        ),
        (
            HEAD + TABLE.replace("allow", "alow"),
            "mine.toml, rule tls.groups: option allow is missing; add it",
        ),
        (
            HEAD + TABLE + "alow = []\n",
            "mine.toml, rule tls.groups: unknown option alow; did you mean allow?",
        ),
        (
            HEAD + TABLE.replace("x25519", "x25591"),
            "mine.toml, rule tls.groups, option allow: 'x25591' is not known; did you mean x25519?",
        ),
        (
            HEAD + TABLE.replace('["x25519"]', '"x25519"'),
            "mine.toml, rule tls.groups, option allow: must be a valid array, not 'x25519'",
        ),
        (
            HEAD + TABLE.replace("high", "hi"),
            "mine.toml, rule tls.groups, option severity: 'hi' is not known;"
            " it must be 'critical', 'high', 'medium', 'low' or 'info'",
        ),
        (
            HEAD + TABLE.replace("official", "sure"),
            "mine.toml, rule tls.groups, option basis.grade: 'sure' is not known;"
            " it must be 'official', 'secondary', 'inferred' or 'unverified'",
        ),
        (
            HEAD + '[tls.heartbleed]\nseverity = "low"\n',
            "mine.toml, rule tls.heartbleed: option basis is missing; add it",
        ),
        (
            HEAD + '[tls.heartbleed]\nseverity = "low"\ndays = 3\n' + BASIS,
            "mine.toml, rule tls.heartbleed: takes no option, but has days",
        ),
        (
            HEAD + '[certificate.expiry]\nseverity = "low"\ndays = "30"\n' + BASIS,
            "mine.toml, rule certificate.expiry, option days: must be a valid integer, not '30'",
        ),
        (
            HEAD + '[tls.versions]\nseverity = "low"\nallow = ["TLS 1.4"]\nrequire = []\n' + BASIS,
            "mine.toml, rule tls.versions, option allow[0]: 'TLS 1.4' is not known;"
            " it must be 'SSL 2.0', 'SSL 3.0', 'TLS 1.0', 'TLS 1.1', 'TLS 1.2' or 'TLS 1.3'",
        ),
        (
            HEAD + 'extends = "baseline"\n[certificate.expiry]\ndays = 14\n',
            "mine.toml, rule certificate.expiry: days changed without a basis; state the whole"
            ' table with basis = { source = "…", grade = "…" }, or the severity alone',
        ),
        (
            HEAD + "[http.hsts]\nremove = true\n",
            "mine.toml, rule http.hsts: there is nothing to remove, no profile below wants it",
        ),
        (
            HEAD + 'extends = "baseline"\n[http.hsts]\nremove = false\n',
            "mine.toml, rule http.hsts: `remove = true` stands alone",
        ),
        (
            HEAD + 'extends = "basline"\n',
            "mine.toml: extends: there is no profile 'basline'; did you mean baseline?",
        ),
        (HEAD + "tls.heartbleed = 3\n", "mine.toml, rule tls.heartbleed: must be a table"),
        (
            HEAD.replace('source = "us"\n', ""),
            "mine.toml: key source is missing; add it",
        ),
        (HEAD + "x", "mine.toml: is not TOML in UTF-8: "),
    ],
)
def test_a_mistake_is_one_line_with_its_remedy(own: Own, text: str, message: str) -> None:
    assert message in refused(own, text)


@pytest.mark.parametrize(
    "table",
    [
        '[tls.suites]\nseverity = "low"\nallow = ["TLS_AES_128_GCM_SHA265"]\n',
        '[tls.suite-order]\nseverity = "low"\nlevels = [["TLS_AES_128_GCM_SHA265"]]\n',
        '[tls.forbidden-suites]\nseverity = "low"\nexport = true\nencryption = ["NUL"]\n'
        'authentication = ["anon"]\n',
        '[tls.signature-schemes]\nseverity = "low"\nforbid_hashes = ["SHA-1"]\n',
        '[certificate.signature-hash]\nseverity = "low"\nforbid = ["SHA-1"]\n',
        '[certificate.key-curves]\nseverity = "low"\nallow = ["P-256"]\n',
        '[tls.groups]\nseverity = "low"\nallow = []\n[[tls.groups.open]]\nvalues = ["x52219"]\n'
        'question.en = "?"\nquestion.ja = "？"\n',
    ],
)
def test_a_name_that_would_match_nothing_is_refused(own: Own, table: str) -> None:
    text = (table + BASIS).replace("\n[[", "\n" + BASIS + "[[")
    assert "is not known" in refused(own, HEAD, text)


def test_an_unknown_profile() -> None:
    with pytest.raises(ProfileError, match=r"'ipa-high'; did you mean ipa-high-\S+\?; shipped are"):
        load("ipa-high")


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ProfileError, match=r"none\.toml: cannot be read: No such file"):
        load(str(tmp_path / "none.toml"))


def test_a_loop_is_refused(own: Own) -> None:
    message = refused(own, HEAD, 'extends = "mine.toml"\n')
    assert "extends itself by way of" in message
