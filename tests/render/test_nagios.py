"""The line for monitoring: one line, its own exit codes, no word of a server."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from tests.render.make_report import (
    GOOD,
    HOSTILE,
    LANGUAGES,
    LOOKS,
    OFFICIAL,
    report,
)
from tlscheck.model import Finding, Severity, Verdict
from tlscheck.render.nagios import State, line, said
from tlscheck.report import Report

REPORT = report()
LABEL = r"[a-z]+=-?\d+(;[\d:]*){0,4}"
LINE = re.compile(rf"TLSCHECK (OK|WARNING|CRITICAL|UNKNOWN) - [^|\n]+ \| {LABEL}( {LABEL})*\n")
"""Monitoring Plugins, development guidelines: text, a bar, label=value;warn;crit;min;max."""


def only(*findings: Finding) -> Report:
    return replace(REPORT, findings=findings)


def failed(severity: Severity, profile: str = "own") -> Finding:
    return Finding("tls.versions", GOOD.id, Verdict.FAIL, severity, (), (profile,), OFFICIAL, ())


@pytest.mark.parametrize("lang", LANGUAGES)
@pytest.mark.parametrize("ended", [0, 1, 3])
def test_it_is_one_line_that_monitoring_reads(lang: str, ended: int) -> None:
    data, state = line(REPORT, lang, ended)
    text = data.decode()
    assert LINE.fullmatch(text)
    assert text.startswith(f"TLSCHECK {state.name} - ")
    for words in HOSTILE:
        assert words not in text
    assert not re.search("[<>&`$]", text)


@pytest.mark.parametrize(
    ("findings", "ended", "state"),
    [
        ((), 0, State.OK),
        ((failed(Severity.INFO),), 0, State.OK),  # below --fail-on
        ((failed(Severity.LOW),), 1, State.WARNING),
        ((failed(Severity.MEDIUM),), 1, State.WARNING),
        ((failed(Severity.HIGH),), 1, State.CRITICAL),
        ((failed(Severity.LOW), failed(Severity.CRITICAL)), 1, State.CRITICAL),
        # What fails under an item's profile alone is in no exit code of tlscheck's either.
        ((failed(Severity.LOW), failed(Severity.CRITICAL, "strict")), 1, State.WARNING),
        ((), 3, State.UNKNOWN),
        ((failed(Severity.INFO),), 3, State.UNKNOWN),
    ],
)
def test_how_things_stand(findings: tuple[Finding, ...], ended: int, state: State) -> None:
    assert line(only(*findings), "en", ended)[1] is state


def test_what_it_says() -> None:
    assert line(REPORT, "en", 1)[0].decode() == (
        "TLSCHECK CRITICAL - 2 targets looked at: 5 failed, 2 unknown, 3 passed; failed: Only the"
        " protocol versions that the profile wants are offered (www.example.jp:443 (192.0.2.10))"
        " | fail=5;0;;0 unknown=2;;;0 pass=3;;;0 days=-3;30:;0:\n"
    )
    assert line(only(), "en", 3)[0].decode() == (
        "TLSCHECK UNKNOWN - 2 targets looked at: 0 failed, 0 unknown, 0 passed; not looked at: Deep"
        " checks of TLS of www.example.jp:443 (192.0.2.10): the deep check failed"
        " | fail=0;0;;0 unknown=0;;;0 pass=0;;;0 days=-3;30:;0:\n"
    )


def test_without_a_certificate_there_are_no_days() -> None:
    unseen = replace(REPORT, scan=replace(REPORT.scan, looks=LOOKS[2:]), findings=())
    assert b"days" not in line(unseen, "en", 3)[0]


def test_a_mistake_cannot_break_out_of_the_line() -> None:
    text = said(State.UNKNOWN, "a|b\nc <script>`$x` & \x1b[31m")
    assert text == "TLSCHECK UNKNOWN - a_b\\x0ac _script___x_ _ \\x1b[31m"
