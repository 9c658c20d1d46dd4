"""SARIF 2.1.0 for platforms that collect findings; the places are endpoints, not files."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from tlscheck.model import Look, Severity, Verdict
from tlscheck.render.view import FindingView, Ground, TargetView, targets
from tlscheck.report import Report
from tlscheck.rules import RULES
from tlscheck.text import translate, visible

_SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"
_LEVELS = {
    Severity.CRITICAL: "error",
    Severity.HIGH: "error",
    Severity.MEDIUM: "warning",
    Severity.LOW: "note",
    Severity.INFO: "note",
}
_KINDS = {
    Verdict.FAIL: "fail",
    Verdict.UNKNOWN: "open",
    Verdict.PASS: "pass",
    Verdict.NOT_APPLICABLE: "notApplicable",
}


def render(report: Report, lang: str) -> bytes:
    """One run with a result for each finding and ground."""
    seen = targets(report, lang)
    used = {finding.rule: finding for target in seen for finding in target.findings}
    rules = sorted(used)
    results = [
        _result(target, place, finding, ground, rules)
        for target, place in zip(seen, map(_place, report.scan.looks), strict=True)
        for finding in target.findings
        for ground in finding.grounds
    ]
    run = {
        "tool": {
            "driver": {
                "name": "tlscheck",
                "version": visible(report.scan.version),
                "semanticVersion": visible(report.scan.version),
                "rules": [_rule(used[rule], lang) for rule in rules],
            }
        },
        "language": lang,
        "invocations": [
            {
                "executionSuccessful": any(look.seen for look in report.scan.looks),
                "startTimeUtc": f"{report.scan.at:%Y-%m-%dT%H:%M:%SZ}",
                "toolExecutionNotifications": list(_missed(seen)),
            }
        ],
        "results": results,
    }
    document = {"$schema": _SCHEMA, "version": "2.1.0", "runs": [run]}
    return (json.dumps(document, ensure_ascii=False, indent=1) + "\n").encode()


def _rule(finding: FindingView, lang: str) -> dict[str, Any]:
    rule = RULES.get(finding.rule)
    references = "; ".join(finding.references)
    basis = f"{translate('References', lang)}: {references}" if references else ""
    return {
        "id": finding.rule,
        "name": "".join(w.capitalize() for w in finding.rule.replace(".", "-").split("-")),
        "shortDescription": _text(finding.title),
        "fullDescription": _text(finding.manual or finding.title),
        "help": _text("\n\n".join(filter(None, (finding.manual, basis))) or finding.title),
        "defaultConfiguration": {"level": _LEVELS[finding.grounds[0].severity]},
        "properties": {"tags": [rule.id.partition(".")[0]] if rule else []},
    }


def _result(
    target: TargetView, place: str, finding: FindingView, ground: Ground, rules: list[str]
) -> dict[str, Any]:
    failed = finding.verdict is Verdict.FAIL
    known = {"suppressions": list(_suppressions(finding))} if finding.waived else {}
    return {
        **known,
        "ruleId": finding.rule,
        "ruleIndex": rules.index(finding.rule),
        "kind": "review" if _asks_a_person(finding) else _KINDS[finding.verdict],
        # A level other than "none" belongs to failures alone.
        "level": _LEVELS[ground.severity] if failed else "none",
        "message": _text(_message(finding)),
        "locations": [
            {
                "logicalLocations": [
                    {"name": target.label, "fullyQualifiedName": place, "kind": "resource"}
                ]
            }
        ],
        "partialFingerprints": {
            "tlscheckFinding/v1": "|".join((finding.rule, target.id, *ground.profiles))
        },
        "properties": {
            "verdict": finding.verdict,
            "severity": ground.severity,
            "profiles": list(ground.profiles),
            "basis": {"source": ground.source, "grade": ground.grade},
            "items": list(finding.items),
        },
    }


def _suppressions(finding: FindingView) -> Iterable[dict[str, str]]:
    """What somebody answers for; an expired waiver, which suppresses nothing, is refused."""
    for waived in finding.waived:
        status = "rejected" if waived.expired else "accepted"
        yield {"kind": "external", "status": status, "justification": waived.words}


def _message(finding: FindingView) -> str:
    lines = [line.whole for line in finding.evidence]
    return "\n".join((f"{finding.title}: {finding.verdict_word}", *lines))


def _text(words: str) -> dict[str, str]:
    """A message that has no placeholder and no link in it, whatever a server sent."""
    return {"text": words.replace("{", "{{").replace("}", "}}").replace("](", "] (")}


def _asks_a_person(finding: FindingView) -> bool:
    """Whether all is seen, and what is open is how the requirement is meant."""
    return finding.verdict is Verdict.UNKNOWN and bool(finding.questions)


def _place(look: Look) -> str:
    place = look.target.target
    if place is None:
        return f"name://{visible(look.target.label or look.target.id)}"
    host = f"[{place.host}]" if ":" in place.host else place.host
    return f"tls://{visible(host)}:{place.port}"


def _missed(seen: Iterable[TargetView]) -> Iterable[dict[str, Any]]:
    for target in seen:
        for what, why in target.missed:
            yield {"level": "warning", "message": _text(f"{target.label}: {what}: {why}")}
