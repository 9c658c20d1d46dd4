"""What every report for people shows, said in one language once; the formats only lay it out.

All text is `visible`: escaping it for the format is left to do, nothing else.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Protocol

from tlscheck.model import Finding, Kind, Look, Reason, Scope, Severity, Target, Verdict
from tlscheck.profile import Profile
from tlscheck.render.gather import gathered
from tlscheck.render.naming import label, spot
from tlscheck.render.waivers import Borne, of_findings
from tlscheck.report import Report
from tlscheck.rules import RULES
from tlscheck.text import (
    CAUSES,
    GRADES,
    REASONS,
    SEVERITIES,
    SUBJECTS,
    VERDICTS,
    moment,
    sentence,
    told,
    translate,
    visible,
    word,
)
from tlscheck.waivers import Covered, covered


class InBoth(Protocol):
    """The same words in both languages, as data files state them."""

    @property
    def en(self) -> str:
        """In English."""

    @property
    def ja(self) -> str:
        """In Japanese."""


def said(words: InBoth, lang: str) -> str:
    """*words* in the language *lang*."""
    return visible(words.ja if lang == "ja" else words.en)


@dataclass(frozen=True, slots=True)
class Line:
    """One sentence of evidence."""

    kind: str
    """``problem``, ``open`` or ``note``."""
    text: str
    cause: str
    """Why something is open, in words; empty where nothing is, or where the text says it."""
    whole: str
    """The text with its cause."""


@dataclass(frozen=True, slots=True)
class Ground:
    """By what, and how well founded, a verdict was reached."""

    severity: Severity
    severity_word: str
    profiles: tuple[str, ...]
    source: str
    grade: str
    grade_word: str


@dataclass(frozen=True, slots=True)
class FindingView:
    """What one rule gave on one target; profiles that came to the same with the same evidence
    share one."""

    anchor: str
    rule: str
    title: str
    verdict: Verdict
    verdict_word: str
    evidence: tuple[Line, ...]
    manual: str
    """Why, and what to change; empty for a rule that this version does not know."""
    references: tuple[str, ...]
    grounds: tuple[Ground, ...]
    """The weightiest first."""
    questions: tuple[str, ...]
    """The open questions of the profiles on which the verdict hangs."""
    items: tuple[str, ...]
    to_declare: bool
    """Whether no look but a paper alone can tell."""
    refs: tuple[str, ...]
    """The files of the bundle that it rests on; empty without a bundle."""
    waived: tuple[Borne, ...]
    """Who answers for the failure and until when, or did."""

    @property
    def profiles(self) -> tuple[str, ...]:
        """Those that came to it."""
        return tuple(dict.fromkeys(p for ground in self.grounds for p in ground.profiles))

    @property
    def bad(self) -> bool:
        """Whether somebody has to do something about it."""
        return self.verdict in (Verdict.FAIL, Verdict.UNKNOWN)


@dataclass(frozen=True, slots=True)
class TargetView:
    """What there is to say of one target."""

    id: str
    anchor: str
    label: str
    spot: str
    """The label's shorter kin."""
    facts: tuple[tuple[str, str], ...]
    """Host, port and so on, each with its name."""
    findings: tuple[FindingView, ...]
    """Worst first."""
    missed: tuple[tuple[str, str], ...]
    """What was not seen, and why."""
    connections: int

    @property
    def open(self) -> tuple[tuple[FindingView, ...], ...]:
        """What is unknown, together where the evidence is the same: a look that failed leaves
        all its rules open at once."""
        alike: dict[tuple[Line, ...], list[FindingView]] = {}
        for finding in self.of(Verdict.UNKNOWN):
            alike.setdefault(finding.evidence, []).append(finding)
        return tuple(map(tuple, alike.values()))

    @property
    def good(self) -> tuple[FindingView, ...]:
        """What passed or does not apply."""
        return tuple(f for f in self.findings if not f.bad)

    def of(self, verdict: str) -> tuple[FindingView, ...]:
        """The findings with the verdict of that name."""
        return tuple(f for f in self.findings if f.verdict == verdict)


def targets(report: Report, lang: str) -> tuple[TargetView, ...]:
    """All targets, in the order of the scan."""
    by_target: dict[str, list[Finding]] = {}
    for finding in report.findings:
        by_target.setdefault(finding.target, []).append(finding)
    profiles = {profile.id: profile for profile in report.profiles}
    waived = of_findings(report, lang)
    return tuple(
        TargetView(
            id=look.target.id,
            anchor=f"t{number}",
            label=label(look.target),
            spot=spot(look.target),
            facts=_facts(look.target, lang),
            findings=_findings(
                by_target.get(look.target.id, ()), f"t{number}", profiles, waived, lang
            ),
            missed=tuple(_missed(look, lang)),
            connections=look.connections,
        )
        for number, look in enumerate(report.scan.looks, 1)
    )


def _facts(target: Target, lang: str) -> tuple[tuple[str, str], ...]:
    def _(template: str) -> str:
        return translate(template, lang)

    place = target.target
    if place is None:
        name = _("Address") if target.scope is Scope.ADDRESS else _("Name")
        return ((name, spot(target)),)
    return (
        (_("Host"), visible(place.host)),
        (_("Port"), str(place.port)),
        (_("Service"), visible(place.service)),
        (_("Address"), visible(place.address)),
        (_("Server name sent (SNI)"), visible(place.sni) if place.sni else _("none")),
    )


def _missed(look: Look, lang: str) -> Iterable[tuple[str, str]]:
    for missed in look.missed:
        why = word(REASONS, missed.reason, lang)
        detail = told(missed.detail, lang)
        yield word(SUBJECTS, missed.kind, lang), with_detail(why, detail, lang)


def with_detail(words: str, detail: str, lang: str) -> str:
    """*words* with a *detail*, if there is any, in brackets."""
    if not detail or detail == words:
        return words
    return f"{words}（{detail}）" if lang == "ja" else f"{words} ({detail})"


# ---- findings --------------------------------------------------------------------------------


def _findings(
    found: Iterable[Finding],
    prefix: str,
    profiles: Mapping[str, Profile],
    waived: Mapping[Covered, tuple[Borne, ...]],
    lang: str,
) -> tuple[FindingView, ...]:
    alike: dict[tuple[object, ...], list[Finding]] = {}
    for finding in found:
        lines = _lines(finding, lang)
        borne = waived.get(covered(finding), ())
        alike.setdefault((finding.rule, finding.verdict, lines, borne), []).append(finding)
    ordered = sorted(
        alike.values(),
        key=lambda several: (several[0].verdict.rank, min(f.severity.rank for f in several)),
    )
    return tuple(
        _finding(several, f"{prefix}-{number}", profiles, waived, lang)
        for number, several in enumerate(ordered, 1)
    )


def _finding(
    several: list[Finding],
    anchor: str,
    profiles: Mapping[str, Profile],
    waived: Mapping[Covered, tuple[Borne, ...]],
    lang: str,
) -> FindingView:
    first = several[0]
    rule = RULES.get(first.rule)
    return FindingView(
        anchor=anchor,
        rule=visible(first.rule),
        title=translate(rule.title, lang) if rule else visible(first.rule),
        verdict=first.verdict,
        verdict_word=word(VERDICTS, first.verdict, lang),
        evidence=_lines(first, lang),
        manual=translate(rule.manual, lang) if rule else "",
        references=rule.references if rule else (),
        grounds=tuple(_grounds(several, lang)),
        questions=_questions(several, profiles, lang),
        items=tuple(dict.fromkeys(visible(i) for finding in several for i in finding.items)),
        to_declare=_to_declare(first),
        waived=waived.get(covered(first), ()),
        refs=tuple(dict.fromkeys(visible(ref) for finding in several for ref in finding.refs)),
    )


def _to_declare(finding: Finding) -> bool:
    causes = {e.cause for e in finding.evidence if e.kind is Kind.OPEN}
    return finding.verdict is Verdict.UNKNOWN and causes == {Reason.TO_DECLARE.value}


_TOLD = ("", "not_settled", "missed", Reason.TO_DECLARE)
"""Causes of which the sentence speaks by itself."""


def _lines(finding: Finding, lang: str) -> tuple[Line, ...]:
    lines = []
    for evidence in gathered(finding.evidence, lang):
        told = "reason" in evidence.values or evidence.cause in _TOLD
        cause = "" if told else word(CAUSES, evidence.cause, lang)
        said = sentence(evidence, lang)
        lines.append(Line(evidence.kind, said, cause, with_detail(said, cause, lang)))
    return tuple(dict.fromkeys(lines))


def _grounds(several: Iterable[Finding], lang: str) -> Iterable[Ground]:
    for finding in sorted(several, key=lambda f: f.severity.rank):
        yield Ground(
            severity=finding.severity,
            severity_word=word(SEVERITIES, finding.severity, lang),
            profiles=tuple(map(visible, finding.profiles)),
            source=visible(translate(finding.basis.source, lang)),
            grade=finding.basis.grade,
            grade_word=word(GRADES, finding.basis.grade, lang),
        )


def _questions(
    several: Iterable[Finding], profiles: Mapping[str, Profile], lang: str
) -> tuple[str, ...]:
    """The questions about the values that left the findings open."""
    asked: dict[str, None] = {}
    for finding in several:
        values = {
            str(v)
            for e in finding.evidence
            if e.cause == "open_question"
            for value in e.values.values()
            for v in (value if isinstance(value, tuple) else (value,))
        }
        settings = [profiles[p].settings for p in finding.profiles if p in profiles]
        for setting in (s[finding.rule] for s in settings if finding.rule in s):
            for block in setting.open:
                if values.intersection(block.values):
                    asked[said(block.question, lang)] = None
    return tuple(asked)


def looked_at(report: Report, lang: str) -> tuple[tuple[str, str], ...]:
    """Who looked, when and from where, and by what it was judged, each with its name."""

    def _(template: str) -> str:
        return translate(template, lang)

    scan, standpoint, profile = report.scan, report.scan.standpoint, report.profile
    separator = "、" if lang == "ja" else ", "
    not_known = _("not known")
    families = {
        4: [(_("Addresses looked at"), _("IPv4 only"))],
        6: [(_("Addresses looked at"), _("IPv6 only"))],
    }
    return (
        (_("Time of the look"), moment(scan.at, lang)),
        (_("Looked from"), separator.join(map(visible, standpoint.addresses)) or not_known),
        (_("Name server used"), visible(standpoint.resolver) or not_known),
        (_("Looked at"), separator.join(word(SUBJECTS, s, lang) for s in scan.subjects)),
        *families.get(standpoint.family, ()),
        (_("Profile"), f"{visible(profile.id)}: {said(profile.title, lang)}"),
        (_("Checklists"), separator.join(said(c.title, lang) for c in report.checklists) or "-"),
        (
            _("Program"),
            f"tlscheck {visible(scan.version)}, cryptography "
            + (visible(standpoint.cryptography) or not_known),
        ),
    )
