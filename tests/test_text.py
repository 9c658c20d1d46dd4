"""Sentences in two languages, and nothing in them that a server could hide."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from datetime import UTC, date, datetime
from enum import StrEnum

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tlscheck import text
from tlscheck.checklist import SCOPES as SUBJECTS
from tlscheck.model import (
    Answer,
    Grade,
    Note,
    Open,
    Problem,
    Reach,
    Reason,
    Scope,
    Severity,
    State,
    Verdict,
)
from tlscheck.observations.certificate import Standing
from tlscheck.observations.tls import Chooser, Demand

EVENING = datetime(2026, 11, 20, 18, 5, 33, tzinfo=UTC)


@pytest.mark.parametrize(
    ("option", "config", "environ", "lang"),
    [
        ("en", "ja", {"LANG": "ja_JP.UTF-8"}, "en"),
        (None, "ja", {"LANG": "en_US.UTF-8"}, "ja"),
        (None, None, {"LANG": "ja_JP.UTF-8"}, "ja"),
        (None, None, {"LC_ALL": "C", "LANG": "ja_JP.UTF-8"}, "en"),
        (None, None, {"LC_ALL": "", "LC_MESSAGES": "ja", "LANG": "C"}, "ja"),
        (None, None, {"LANG": "JA_jp"}, "ja"),
        (None, None, {}, "en"),
    ],
)
def test_the_language(
    option: str | None, config: str | None, environ: Mapping[str, str], lang: str
) -> None:
    assert text.choose(option, config, environ) == lang


def test_times_are_japanese_where_the_language_is() -> None:
    assert text.moment(EVENING, "en") == "2026-11-20 18:05:33 UTC"
    assert text.moment(EVENING, "ja") == "2026-11-21 03:05:33 JST (+09:00)"
    assert [text.day(EVENING, lang) for lang in text.languages()] == ["2026-11-20", "2026-11-21"]
    assert text.day(date(2026, 11, 20), "ja") == "2026-11-20"


def test_a_sentence_is_filled_after_it_is_translated() -> None:
    evidence = Problem("accepted", "{version} is accepted", version="TLS 1.0")
    assert text.sentence(evidence, "en") == "TLS 1.0 is accepted"
    assert text.sentence(evidence, "ja") == "TLS 1.0 を受け入れます"


def test_lists_are_joined_as_the_language_does() -> None:
    evidence = Note("origins", "the page names these other origins: {origins}", origins=("a", "b"))
    assert text.sentence(evidence, "en").endswith(": a, b")
    assert text.sentence(evidence, "ja").endswith("：a、b")


def test_values_that_have_words_are_said_in_words() -> None:
    missed = Open("missed", "not looked at: {reason}", cause="timeout", reason="timeout")
    assert text.sentence(missed, "en") == "not looked at: no answer in time"
    assert text.sentence(missed, "ja") == "確認できず：時間内に応答がない"
    bad = Problem("x", "{objection}", objection="certificate has expired (depth 1)")
    assert text.sentence(bad, "ja").endswith("（certificate has expired）（深さ1）")
    unsettled = Open("unsettled", "not settled: {matter}", matter="early data")
    assert text.sentence(unsettled, "ja") == "確定できませんでした：アーリーデータ（0-RTT）"
    evidence = Problem(
        "expired", "{subject} expired on {day}", subject="x", day=EVENING.isoformat()
    )
    assert "2026-11-21 03:05:33 JST (+09:00)" in text.sentence(evidence, "ja")


@pytest.mark.parametrize(
    ("detail", "en", "ja"),
    [
        ("timeout", "no answer in time", "時間内に応答がない"),
        ("STARTTLS is not offered", None, "STARTTLSが提供されていない"),
        ("closed before the answer to EHLO", None, "EHLOへの応答より前に接続が閉じられた"),
        (
            "the greeting is not imap: +OK timeout: soon",
            None,
            "最初の挨拶がimapのものではない：+OK timeout：soon",
        ),
        (
            "http://ocsp.example/: malformed: HTTP status 404",
            "http://ocsp.example/: the answer cannot be read: HTTP status 404",
            "http://ocsp.example/：応答を読み取れない：HTTPステータス404",
        ),
        (
            "out of date since 2026-11-20T18:05:33+00:00",
            "out of date since 2026-11-20 18:05:33 UTC",
            "2026-11-21 03:05:33 JST (+09:00)に期限切れ",
        ),
        ("since 2026-01-02", None, "2026-01-02以降"),
        ("alert 40: nobody knows\x1b", "alert 40: nobody knows\\x1b", None),
        ("heartbleed: no answer", None, "heartbleed：応答がない"),
        ("{braces}", "{braces}", "{braces}"),
    ],
)
def test_a_detail_is_said_in_pieces(detail: str, en: str | None, ja: str | None) -> None:
    assert text.told(detail, "en") == (detail if en is None else en)
    if ja is not None:
        assert text.told(detail, "ja") == ja


@given(st.text(max_size=30))
def test_any_detail_can_be_said(words: str) -> None:
    for detail in (words, f"alert {words}", f"waiting for the answer to {words}: {words}"):
        assert text.told(detail, "ja").isascii() or not set(text.told(detail, "ja")) & set(
            "\r\n\x1b"
        )


@pytest.mark.parametrize(
    ("words", "ja"),
    [
        ("validation failed: candidates exhausted", "「validation failed: candidates exhausted」"),
        (
            "unable to get local issuer certificate (depth 0)",
            "発行者の証明書が見つからない（unable to get local issuer certificate）（深さ0）",
        ),
        ("something that no table knows (depth 1)", "「something that no table knows」（深さ1）"),
        ("evil\x1b」", "「evil\\x1b」」"),
        ("", ""),
    ],
)
def test_a_verifier_s_own_words_are_shown_as_such(words: str, ja: str) -> None:
    say = {lang: text.voice(lang)("{objection}", objection=words) for lang in ("en", "ja")}
    assert say == {"en": text.visible(words), "ja": ja}


def test_a_phrase_is_a_value() -> None:
    hint = text.Phrase("; did you mean {name}?", name="x\n")
    said = {lang: text.voice(lang)("{a}{hint}", a="b", hint=hint) for lang in text.languages()}
    assert said == {
        "en": "b; did you mean x\\x0a?",
        "ja": "b（x\\x0a の誤りではありませんか）",
    }


def test_a_missing_value_costs_no_sentence() -> None:
    assert text.sentence(Problem("accepted", "{version} is accepted"), "en") == (
        "{version} is accepted"
    )


def test_what_has_no_translation_stays() -> None:
    assert text.translate("no such sentence", "ja") == "no such sentence"
    assert text.translate("", "ja") == ""
    assert text.word(text.VERDICTS, "other\x1b", "ja") == "other\\x1b"


def test_line_breaks_inside_of_a_paragraph_do_not_count() -> None:
    assert text.normal("one\n    two\n\n  three\n") == "one two\n\nthree"
    assert text.normal("a\n\n\b\nb\n  c\n\fsecret") == "a\n\n\b\nb\n  c"


@pytest.mark.parametrize(
    ("hostile", "shown"),
    [
        ("\x1b[31mred\x9b", "\\x1b[31mred\\x9b"),
        ("a\r\nb\tc", "a\\x0d\\x0ab\\x09c"),
        ("\u202eexe\u2066\u200f", "\\u202eexe\\u2066\\u200f"),
        ("\ud800", "\\ud800"),
        ("\u2028\ufffe\U000e0041", "\\u2028\\ufffe\\U000e0041"),
        ("全角　空白\u00a0𠮷", "全角　空白\u00a0𠮷"),
    ],
)
def test_nothing_is_hidden(hostile: str, shown: str) -> None:
    assert text.visible(hostile) == shown
    assert text.sentence(Problem("x", "{value}", value=hostile), "ja") == shown
    assert text.sentence(Problem("x", "{value}", value=(hostile,)), "en") == shown


@given(st.text(alphabet=st.characters()))
def test_no_value_can_steer_a_terminal(value: str) -> None:
    shown = text.sentence(Problem("x", "{value}", value=value), "en")
    assert all(c.isprintable() or c.isspace() for c in shown)
    assert not set(shown) & set("\n\r\t\x0b\x0c\x1c\x1d\x1e\x1f\x85\u2028\u2029")
    shown.encode()


@pytest.mark.parametrize(
    ("table", "kind"),
    [
        (text.VERDICTS, Verdict),
        (text.ANSWERS, Answer),
        (text.SEVERITIES, Severity),
        (text.GRADES, Grade),
        (text.REACHES, Reach),
        (text.STATES, State),
        (text.DEMANDS, Demand),
        (text.CHOOSERS, Chooser),
        (text.STANDINGS, Standing),
        (text.REASONS, Reason),
        (text.SCOPES, Scope),
    ],
)
def test_every_name_has_its_word(table: Mapping[str, str], kind: type[StrEnum]) -> None:
    assert list(table) == [each.value for each in kind]


def test_every_subject_has_its_word() -> None:
    assert set(SUBJECTS) <= set(text.SUBJECTS)


def test_importing_costs_little() -> None:
    """Every start pays for it; babel and the like are for development alone."""
    code = "import sys, tlscheck.text; print(*sys.modules)"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not set(run.stdout.split()) & {"babel", "jinja2", "rich", "pydantic", "tlscheck.model"}


@pytest.mark.parametrize("lang", ["en", "ja"])
def test_the_end_of_all_days_can_be_told(lang: str) -> None:
    """RFC 5280, section 4.1.2.5: a certificate that is not to end ends then."""
    end = datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)
    assert text.moment(end, lang).startswith("9999-12-31")
    assert text.day(end, lang) == "9999-12-31"
