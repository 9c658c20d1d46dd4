"""Findings as CSV for spreadsheets, one row each: UTF-8 with a mark, as Excel wants it."""

from __future__ import annotations

import csv
import io

from tlscheck.model import Scope, Target
from tlscheck.render.naming import spot
from tlscheck.render.view import FindingView, Ground, targets
from tlscheck.report import Report
from tlscheck.text import moment, translate, visible

_STARTS_A_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def render(report: Report, lang: str) -> bytes:
    """One row for each finding and ground, in the order of the targets, worst first."""

    def _(template: str) -> str:
        return translate(template, lang)

    out = io.StringIO(newline="")
    rows = csv.writer(out, lineterminator="\r\n")
    rows.writerow(
        [
            _("Target"),
            _("Host"),
            _("Port"),
            _("Service"),
            _("Address"),
            _("Rule"),
            _("What is good"),
            _("Verdict"),
            _("Severity"),
            _("Evidence"),
            _("Evidence files"),
            _("What to change"),
            _("Basis"),
            _("Foundation"),
            _("References"),
            _("Profiles"),
            _("Checklist items"),
            _("Time of the look"),
            _("Waivers"),
        ]
    )
    when = moment(report.scan.at, lang)
    for look, target in zip(report.scan.looks, targets(report, lang), strict=True):
        place = [target.label, *_place(look.target)]
        for finding in target.findings:
            for ground in finding.grounds:
                row = [
                    *place,
                    *_finding(finding, ground),
                    when,
                    "\n".join(b.words for b in finding.waived),
                ]
                rows.writerow([_inert(cell) for cell in row])
    return out.getvalue().encode("utf-8-sig")


def _place(target: Target) -> list[str]:
    place = target.target
    if place is None:
        named = target.scope is Scope.NAME
        return [spot(target) if named else visible(target.label or target.id), "", "", ""]
    return [visible(place.host), str(place.port), visible(place.service), visible(place.address)]


def _finding(finding: FindingView, ground: Ground) -> list[str]:
    return [
        finding.rule,
        finding.title,
        finding.verdict_word,
        ground.severity_word,
        "\n".join(line.whole for line in finding.evidence),
        "\n".join(finding.refs),
        finding.manual if finding.bad else "",
        ground.source,
        ground.grade_word,
        "; ".join(finding.references),
        " ".join(ground.profiles),
        " ".join(finding.items),
    ]


def _inert(cell: str) -> str:
    """*cell* with a mark before what a spreadsheet would take for a formula."""
    return f"'{cell}" if cell.startswith(_STARTS_A_FORMULA) else cell
