"""JUnit XML for CI: a suite for each target, a case for each finding.

What failed is a failure, what is unknown an error: neither may turn a build green.
"""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET

from tlscheck.model import Verdict
from tlscheck.render.view import FindingView, TargetView, targets
from tlscheck.report import Report
from tlscheck.text import translate

_OUTCOMES = {
    Verdict.FAIL: "failure",
    Verdict.UNKNOWN: "error",
    Verdict.NOT_APPLICABLE: "skipped",
}
_NOT_IN_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""What XML 1.0 forbids; ElementTree writes it all the same, and no reader then takes the file."""


def render(report: Report, lang: str) -> bytes:
    """The test suites."""
    suites = [_suite(target, report, lang) for target in targets(report, lang)]
    root = ET.Element("testsuites", {"name": "tlscheck", **_sums(suites)})
    root.extend(suites)
    for element in root.iter():
        element.text = _clean(element.text) if element.text else element.text
        for name, value in element.attrib.items():
            element.set(name, _clean(value))
    ET.indent(root, " ")
    document: bytes = ET.tostring(root, encoding="utf-8", xml_declaration=True)
    return document + b"\n"


def _suite(target: TargetView, report: Report, lang: str) -> ET.Element:
    cases = [_case(finding, target, lang) for finding in target.findings]
    suite = ET.Element(
        "testsuite",
        {
            "name": target.label,
            "timestamp": f"{report.scan.at:%Y-%m-%dT%H:%M:%S}",
            "tests": str(len(cases)),
            **{
                f"{outcome}s" if outcome != "skipped" else outcome: str(
                    sum(1 for case in cases if case.find(outcome) is not None)
                )
                for outcome in _OUTCOMES.values()
            },
        },
    )
    suite.extend(cases)
    return suite


def _case(finding: FindingView, target: TargetView, lang: str) -> ET.Element:
    profiles = " ".join(profile for ground in finding.grounds for profile in ground.profiles)
    case = ET.Element(
        "testcase",
        {"classname": f"{finding.rule}.{target.id}", "name": f"{finding.title} [{profiles}]"},
    )
    evidence = [line.whole for line in finding.evidence]
    if outcome := _OUTCOMES.get(finding.verdict):
        said = ET.SubElement(
            case,
            outcome,
            {"message": "; ".join(evidence) or finding.verdict_word},
        )
        if outcome != "skipped":
            said.set("type", finding.grounds[0].severity)
            said.text = "\n".join(
                [
                    *evidence,
                    *(waived.words for waived in finding.waived),
                    "",
                    finding.manual,
                    *_basis(finding, lang),
                ]
            )
    elif evidence:
        ET.SubElement(case, "system-out").text = "\n".join(evidence)
    return case


def _basis(finding: FindingView, lang: str) -> list[str]:
    basis = translate("Basis", lang)
    return [f"{basis}: {g.source} ({g.grade_word})" for g in finding.grounds]


def _sums(suites: list[ET.Element]) -> dict[str, str]:
    return {
        name: str(sum(int(suite.get(name, "0")) for suite in suites))
        for name in ("tests", "failures", "errors")
    }


def _clean(text: str) -> str:
    return _NOT_IN_XML.sub("\ufffd", text)
