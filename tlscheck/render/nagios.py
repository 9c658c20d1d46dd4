"""One line for Nagios and its kin, with performance data.

https://www.monitoring-plugins.org/doc/guidelines.html. Its exit codes are theirs, not tlscheck's:
0 OK, 1 WARNING, 2 CRITICAL, 3 UNKNOWN. No word of a server is in it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from enum import IntEnum

from tlscheck.model import Finding, Severity, Verdict
from tlscheck.observations.certificate import CertificateObservation
from tlscheck.render.naming import spot
from tlscheck.report import Report
from tlscheck.rules import RULES
from tlscheck.text import REASONS, SUBJECTS, Say, translate, visible, voice, word
from tlscheck.waivers import covered, in_force


class State(IntEnum):
    """How things stand; its number is the exit code."""

    OK = 0
    WARNING = 1
    CRITICAL = 2
    UNKNOWN = 3


def line(report: Report, lang: str, ended: int) -> tuple[bytes, State]:
    """The line, and how things stand, of a run that has *ended* with that exit code of tlscheck."""
    state = _state(report, ended)
    numbers = " ".join(_numbers(report))
    return f"{said(state, _words(report, state, lang))} | {numbers}\n".encode(), state


def said(state: State, words: str) -> str:
    """*words* as monitoring takes them: one line, with no mark that it or its page would read."""
    return f"TLSCHECK {state.name} - {re.sub('[|<>&`$]', '_', visible(words))}"


def _state(report: Report, ended: int) -> State:
    match ended:
        case 0:
            return State.OK
        case 1:
            counts = _counting(report)
            grave = any(f.severity.rank <= Severity.HIGH.rank for f in counts)
            return State.CRITICAL if grave else State.WARNING
    return State.UNKNOWN


def _failed(report: Report) -> list[Finding]:
    return [finding for finding in report.own() if finding.verdict is Verdict.FAIL]


def _counting(report: Report) -> list[Finding]:
    """What failed and nobody answers for, the gravest first."""
    borne = in_force(report.waived)
    counting = (finding for finding in _failed(report) if covered(finding) not in borne)
    return sorted(counting, key=lambda finding: finding.severity.rank)


def _words(report: Report, state: State, lang: str) -> str:
    _ = voice(lang)
    failed, counting = _failed(report), _counting(report)
    places = {look.target.id: spot(look.target) for look in report.scan.looks}
    told = _(
        "{targets} targets looked at: {failed} failed, {unknown} unknown, {passed} passed",
        targets=sum(1 for look in report.scan.looks if look.seen),
        failed=len(failed),
        unknown=report.count(Verdict.UNKNOWN),
        passed=report.count(Verdict.PASS),
    )
    if waived := len(failed) - len(counting):
        told = f"{told}; {_('{count} waived', count=waived)}"
    if counting and state is not State.UNKNOWN:
        first = counting[0]
        rule = RULES.get(first.rule)
        title = translate(rule.title, lang) if rule else first.rule
        return f"{told}; " + _(
            "failed: {title} ({place})", title=title, place=places.get(first.target, first.target)
        )
    return "; ".join((told, *(_unseen(report, _, lang) if state is State.UNKNOWN else ())))


def _unseen(report: Report, _: Say, lang: str) -> Iterator[str]:
    """The first thing that was not looked at."""
    for look in report.scan.looks:
        for missed in look.missed:
            yield _(
                "not looked at: {what} of {place}: {why}",
                what=word(SUBJECTS, missed.kind, lang),
                place=spot(look.target),
                why=word(REASONS, missed.reason, lang),
            )
            return


def _numbers(report: Report) -> Iterator[str]:
    """Performance data: how many findings under the run's profile, and the days that the first
    certificate has left."""
    for verdict in (Verdict.FAIL, Verdict.UNKNOWN, Verdict.PASS):
        limit = "0" if verdict is Verdict.FAIL else ""
        yield f"{verdict}={report.count(verdict)};{limit};;0"
    ends = [
        chain.leaf.not_after - report.scan.at
        for look in report.scan.looks
        if isinstance(seen := look.seen.get("certificate"), CertificateObservation)
        for chain in seen.asked()
        if chain.certificates and chain.leaf.not_after
    ]
    if ends:
        setting = report.profile.settings.get("certificate.expiry")
        wanted = getattr(setting.want, "days", None) if setting else None
        yield f"days={min(ends).days};{'' if wanted is None else f'{wanted}:'};0:"
