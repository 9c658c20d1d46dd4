"""A folder of pages that show a history: no script, no request, each page with its style inside.

Pure: values in, files out. The same values give the same bytes.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from functools import cache
from typing import Any

from markupsafe import Markup

from tlscheck.model import Answer, Verdict
from tlscheck.render.html import environment, read
from tlscheck.render.site import names, target, told, trend
from tlscheck.render.site.past import Course, Night, Past
from tlscheck.text import ANSWERS, VERDICTS, day, moment, voice, word

__all__ = ["Past", "render"]

BARS, MORE_BARS = 60, 180
"""How many bars a picture has, in the list and on the page of a target."""
WHOLE = 20
"""How many nights of a target are told change by change; of earlier ones, how many changes."""


def render(past: Past, lang: str) -> Mapping[str, bytes]:
    """Every file by its name, the list of targets last."""
    style = Markup(_style())  # noqa: S704 - our own files
    shared = {
        "_": voice(lang),
        "lang": lang,
        "css": style,
        "policy": _policy(_style()),
        "words": [word(VERDICTS, verdict, lang) for verdict in Verdict],
        "answer_words": [(answer, word(ANSWERS, answer, lang)) for answer in Answer],
        "newest": moment(past.nights[-1].at, lang),
        "Verdict": Verdict,
    }

    def page(template: str, **values: Any) -> bytes:
        made = environment().get_template(f"site/{template}.html")
        return made.render(**shared, **values).encode(errors="backslashreplace")

    labels = {course.id: target.label(course) for course in past.courses}
    files = dict(_diffs(past, labels, lang, page))
    for course in past.courses:
        files[names.target_page(course.id)] = page("target", **_target(course, past, labels, lang))
    files[names.INDEX] = page("index", **_index(past, labels, lang))
    return files


def _diffs(
    past: Past, labels: Mapping[str, str], lang: str, page: Callable[..., bytes]
) -> Iterator[tuple[str, bytes]]:
    changed = [night for night in past.nights if night.changes]
    for number, night in enumerate(changed):
        yield (
            names.diff_page(night),
            page(
                "diff",
                night=told.night(night, past, labels, lang),
                earlier=_link(changed[number - 1], lang) if number else None,
                later=_link(changed[number + 1], lang) if night is not changed[-1] else None,
            ),
        )


def _link(night: Night, lang: str) -> tuple[str, str]:
    return names.diff_page(night), day(night.at, lang)


def _target(course: Course, past: Past, labels: Mapping[str, str], lang: str) -> dict[str, Any]:
    rules, steady = trend.rules(course, lang)
    nights = told.nights(past, labels, lang, only=course.id, most=WHOLE)
    begin, end = _span(past)
    return {
        "state": target.state(course, past, lang),
        "bars": trend.bars(course.runs, begin, end, MORE_BARS, lang),
        "months": trend.months(course.runs, lang),
        "rules": rules[: trend.MOST_RULES],
        "more_rules": max(len(rules) - trend.MOST_RULES, 0),
        "steady": steady,
        "targets": target.findings(course, lang),
        "read": moment(course.last.report.scan.at, lang) if course.last else "",
        "profiles": target.profiles(course),
        "checklists": target.checklists(target.here(course), past, lang),
        "nights": told.by_month(nights),
        "timeline": day(past.nights[0].at, lang),
    }


def _index(past: Past, labels: Mapping[str, str], lang: str) -> dict[str, Any]:
    begin, end = _span(past)
    targets = [
        (
            target.state(course, past, lang),
            trend.bars(course.runs, begin, end, BARS, lang),
        )
        for course in past.courses
    ]
    targets.sort(key=lambda pair: (pair[0].verdict.rank, -pair[0].fail, pair[0].name))
    return {
        "targets": targets,
        "bad": {verdict: sum(s.verdict is verdict for s, _ in targets) for verdict in Verdict},
        "checklists": target.checklists(target.everywhere(past), past, lang),
        "nights": told.by_month(told.nights(past, labels, lang)),
        "looks": len(past.nights),
        "changed": sum(bool(night.changes) for night in past.nights),
        "scans": past.scans,
        "older": past.older,
        "trends": day(begin, lang),
        "timeline": day(past.nights[0].at, lang),
        "most_bars": BARS,
        "whole": WHOLE,
        "most_changes": told.MOST_CHANGES,
    }


def _span(past: Past) -> tuple[datetime, datetime]:
    newest = past.nights[-1].at
    return min((course.runs[0].at for course in past.courses), default=newest), newest


@cache
def _style() -> str:
    return f"\n{read('report.css')}{read('site/site.css')}"


def _policy(style: str) -> str:
    """What a browser may load: this style and the empty icon, and nothing else at all."""
    mark = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    return (
        f"default-src 'none'; style-src 'sha256-{mark}'; img-src data:;"
        " base-uri 'none'; form-action 'none'"
    )
