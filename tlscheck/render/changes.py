"""What changed between two scans, as lines and as JSON. Whose doing it is comes first."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from tlscheck.changes import Accepted, Change, Direction, Origin
from tlscheck.model import Evidence, Severity
from tlscheck.text import (
    _N,
    ORIGINS,
    SEVERITIES,
    day,
    moment,
    plain_json,
    sentence,
    visible,
    voice,
    word,
)

FORMAT = "tlscheck.changes/1"
ACCEPTED = _N("accepted by {by} on {day}: {words}")
_MARKS = {Direction.WORSE: "✗", Direction.BETTER: "✓", Direction.NEUTRAL: "·"}
_COUNTS = {
    Origin.ENDPOINT: _N("endpoint {number}"),
    Origin.PROFILE: _N("profile {number}"),
    Origin.TLSCHECK: _N("tlscheck {number}"),
    Origin.NETWORK: _N("network {number}"),
}


def ordered(changes: Iterable[Change]) -> Sequence[Change]:
    """By whose doing it is, then what is worse and weighs more first."""
    directions, origins = list(Direction), list(Origin)
    return sorted(
        changes,
        key=lambda change: (
            origins.index(change.kind),
            change.target,
            directions.index(change.direction),
            change.severity.rank,
            change.subject,
            change.code,
        ),
    )


def text(
    times: tuple[datetime, datetime],
    changes: Iterable[Change],
    accepted: Mapping[str, Accepted],
    lang: str,
    called: Callable[[str], str] = visible,
) -> str:
    """Lines for people, with no character in them that could do anything but be read; targets are
    *called* so by their ids.
    """
    _ = voice(lang)
    lines = [f"{moment(times[0], lang)} → {moment(times[1], lang)}"]
    found = ordered(changes)
    if not found:
        lines += ["", _("Nothing changed.")]
    origin, target = None, None
    for change in found:
        if change.kind is not origin:
            origin, target = change.kind, None
            lines += ["", word(ORIGINS, origin, lang)]
        if change.target != target:
            target = change.target
            lines.append(f"  {called(target) if target else _('All targets together')}")
        lines += _lines(change, accepted, lang)
    return "\n".join(lines) + "\n"


def _lines(change: Change, accepted: Mapping[str, Accepted], lang: str) -> Iterator[str]:
    _ = voice(lang)
    severity = change.severity is not Severity.INFO and change.direction is Direction.WORSE
    weight = f"{word(SEVERITIES, change.severity, lang)}  " if severity else ""
    subject = visible(change.subject)
    yield f"    {_MARKS[change.direction]} {weight}{subject}: {said(change, lang)}  [{change.key}]"
    for evidence in change.evidence:
        yield f"        {sentence(evidence, lang)}"
    if known := accepted.get(change.key):
        on = day(datetime.fromisoformat(known.at), lang)
        yield f"        {_(ACCEPTED, by=known.by, day=on, words=known.why)}"


def said(change: Change, lang: str) -> str:
    """The change in one sentence."""
    return voice(lang)(change.template, **change.values)


def counts(changes: Sequence[Change], lang: str) -> str:
    """How many changes there are of each origin, on one line."""
    _ = voice(lang)
    found = {origin: sum(change.kind is origin for change in changes) for origin in Origin}
    return ", ".join(_(_COUNTS[origin], number=number) for origin, number in found.items())


def document(
    times: tuple[datetime, datetime],
    changes: Iterable[Change],
    accepted: Mapping[str, Accepted],
) -> bytes:
    """The same as JSON, without a language."""
    made = {
        "format": FORMAT,
        "before": _time(times[0]),
        "after": _time(times[1]),
        "changes": [_change(change, accepted) for change in ordered(changes)],
    }
    words = json.dumps(made, ensure_ascii=False, indent=1)
    return f"{plain_json(words)}\n".encode(errors="backslashreplace")


def _change(change: Change, accepted: Mapping[str, Accepted]) -> dict[str, Any]:
    known = accepted.get(change.key)
    return {
        "id": change.key,
        "kind": change.kind,
        "target": change.target or None,
        "subject": change.subject,
        "code": change.code,
        "template": change.template,
        "values": change.values,
        "severity": change.severity,
        "direction": change.direction,
        "evidence": [_evidence(each) for each in change.evidence],
        "accepted": {"by": known.by, "why": known.why, "at": known.at} if known else None,
    }


def _evidence(evidence: Evidence) -> dict[str, Any]:
    return {
        "code": evidence.code,
        "template": evidence.template,
        "values": evidence.values,
        "cause": evidence.cause,
        "kind": evidence.kind,
    }


def _time(when: datetime) -> str:
    return when.isoformat().replace("+00:00", "Z")
