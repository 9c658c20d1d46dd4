"""The subject of a mail: the worst, in one line."""

from __future__ import annotations

from collections.abc import Sequence

from tlscheck.changes import Change, Direction, Origin
from tlscheck.mail.news import ENDED, News, Occasion
from tlscheck.model import Finding, Kind, Reason, Severity, Verdict
from tlscheck.render.changes import said
from tlscheck.rules import RULES
from tlscheck.text import (
    _N,
    SEVERITIES,
    VERDICTS,
    sentence,
    visible,
    voice,
    word,
)

_SUBJECT = 120
"""Characters of a subject, beside what it begins with."""
_MORE = _N("{words} (and {number} more)")
_AT = _N("{target}: {words}")
_WEIGHED = _N("{weight}: {words}")
_STANDS = _N("{words}; {worst}")
_SUBJECTS = {
    Occasion.BASELINE: _N("First look: {tally}"),
    Occasion.BLIND: _N("What changed is not known: {tally}"),
    Occasion.QUIET: _N("Nothing changed: {tally}"),
}
NOWHERE = _N("the name does not resolve")
SILENT = _N("the server does not answer: {reason}")


def subject(news: News, lang: str) -> str:
    """The worst there is to tell, in one line that is not too long."""
    say = voice(lang)
    if news.unkept is not None:
        return say(_N("The history was not kept; {words}"), words=_cut(_matter(news, lang)))
    return _cut(_matter(news, lang))


def _matter(news: News, lang: str) -> str:
    say = voice(lang)
    if news.occasion is Occasion.QUIET and news.unlooked:
        return say(ENDED, number=news.unlooked)
    if template := _SUBJECTS.get(news.occasion):
        counts = say(template, tally=tally(news.report.own(), lang, few=True))
        first = "" if news.occasion is Occasion.QUIET else _worst(news, lang)
        return say(_STANDS, words=counts, worst=first) if first else counts
    new = [change for change in news.changes if change.key not in news.accepted] or news.changes
    worst = min(new, key=_urgency)
    others = len(new) - 1
    words = sentence(worst.evidence[0], lang) if worst.evidence else _in_short(worst, lang)
    if {"tls", "certificate"} <= (lost := _lost_with(worst, new)):
        nowhere = worst.values["reason"] == Reason.UNRESOLVED
        words = say(NOWHERE) if nowhere else say(SILENT, reason=worst.values["reason"])
        others = len(new) - len(lost)
    if worst.code == "answer" or (not worst.evidence and worst.subject in RULES):
        words = f"{worst.subject}: {words}"
    if worst.target:
        words = say(_AT, target=news.called(worst.target), words=words)
    if is_grave(worst):
        words = say(_WEIGHED, weight=word(SEVERITIES, worst.severity, lang), words=words)
    if not others:
        return words
    room = _SUBJECT - len(say(_MORE, words="", number=others))
    return say(_MORE, words=_cut(words, room), number=others)


def _worst(news: News, lang: str) -> str:
    """The weightiest failure that nobody bears and is more than advice; empty: there is none."""
    failed = [
        finding
        for finding in news.report.own()
        if finding.verdict is Verdict.FAIL
        and finding.severity is not Severity.INFO
        and news.waived(finding) is None
    ]
    if not failed:
        return ""
    worst = min(failed, key=lambda finding: finding.severity.rank)
    problem = next((e for e in worst.evidence if e.kind is Kind.PROBLEM), None)
    say, words = voice(lang), sentence(problem, lang) if problem else visible(worst.rule)
    words = say(_AT, target=news.called(worst.target), words=words)
    return say(_WEIGHED, weight=word(SEVERITIES, worst.severity, lang), words=words)


_RENEWED = _N("a new certificate, valid until {now}")


def _in_short(change: Change, lang: str) -> str:
    """*change* without what a subject has no room for."""
    if (change.subject, change.code) == ("certificate", "new") and "sha256" in change.values:
        return voice(lang)(_RENEWED, now=change.values["now"])
    return said(change, lang)


def _lost_with(worst: Change, changes: Sequence[Change]) -> frozenset[str]:
    """All that is not seen of that target any more, for the same reason."""
    if worst.code != "unseen":
        return frozenset()
    reason = worst.values["reason"]
    alike = (c for c in changes if (c.target, c.code) == (worst.target, "unseen"))
    return frozenset(change.subject for change in alike if change.values["reason"] == reason)


def _urgency(change: Change) -> tuple[int, ...]:
    """By which the worst comes first; where nothing is for the worse, facts before verdicts."""
    worse = change.direction is Direction.WORSE
    return (
        list(Direction).index(change.direction),
        change.severity.rank if worse else 0,
        list(Origin).index(change.kind),
        change.subject in RULES or not change.target,
        change.subject != "certificate",
        "now" in change.values and change.values["now"] == change.values.get("before"),
    )


def is_grave(change: Change) -> bool:
    """Whether the change is for the worse, and weighs anything."""
    return change.direction is Direction.WORSE and change.severity is not Severity.INFO


def _cut(text: str, most: int = _SUBJECT) -> str:
    return text if len(text) <= most else text[: most - 1] + "…"


def tally(findings: Sequence[Finding], lang: str, *, few: bool = False) -> str:
    """How many findings have each verdict; *few*: of the bad verdicts alone."""
    shown = [Verdict.FAIL, Verdict.UNKNOWN] if few else list(Verdict)
    counts = {verdict: sum(f.verdict is verdict for f in findings) for verdict in shown}
    return "  ".join(f"{word(VERDICTS, verdict, lang)} {n}" for verdict, n in counts.items())
