"""What a look puts into the cells of an evaluation sheet: evidence, verdict and improvement.

All text is `visible`, in whole lines, and begins with words of ours.
"""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from tlscheck.checklist import Item, ItemAnswer
from tlscheck.model import Answer, Reach, Verdict
from tlscheck.profile import Profile
from tlscheck.render.layout import layout
from tlscheck.render.remedies import remedies
from tlscheck.render.view import FindingView, TargetView, said, targets
from tlscheck.render.waivers import Borne, of_answers
from tlscheck.report import Report
from tlscheck.text import ANSWERS, CAUSES, moment, visible, voice, word

MOST_LINES = 8
"""How many lines tell of what is bad; the sheet of findings has all."""
MOST_FILES = 4
"""How many of a bundle's files are named; the sheet of findings has all."""
MOST_TARGETS = 3
MOST_RULES = 8
"""How many rules are told with what to change; the sheet of remedies has all."""
LONGEST = 100
"""Characters of one piece of evidence."""
LINES = 28
"""About how many lines a cell takes, for a row must not be higher than a page."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One row."""

    item: str
    title: str
    answer: Answer
    verdict: str
    """The answer in words."""
    evidence: str
    improvement: str


HIGHEST = 409.0
"""Points; Excel shows no higher row."""

_Grounds = Sequence[tuple[TargetView, FindingView]]
"""The findings that an answer rests on, the weightiest first."""


def entries(report: Report, lang: str) -> Mapping[tuple[str, str], Entry]:
    """The rows of all checklists, by checklist and item."""
    _ = voice(lang)
    seen = targets(report, lang)
    profiles = {profile.id: profile for profile in report.profiles}
    source = document(report, lang)
    borne = of_answers(report, lang)
    found = {}
    for checklist in report.checklists:
        columns = {column.key: column.width for column in layout().form(checklist.id).columns}
        room = LINES * columns["improvement"]
        whole = {answer.item: answer for answer in report.overall(checklist.id)}
        for item in (i for i in checklist.items if i.id in whole):
            answer = whole[item.id]
            own = profiles[answer.profile]
            grounds = sorted(_grounds(answer, seen), key=lambda pair: _weight(pair[1], own))
            evidence = [
                _(
                    "Document: {document}; profile {profile}",
                    document=source,
                    profile=answer.profile,
                ),
                *_files(grounds, lang),
                *_evidence(item, grounds, lang),
                *_waived(borne.get((f"{checklist.id}/{item.id}", None), ()), grounds),
            ]
            improvement = _improvement(answer, item, grounds, own, room, lang)
            found[checklist.id, item.id] = Entry(
                item=visible(item.id),
                title=said(item.title, lang),
                answer=answer.answer,
                verdict=word(ANSWERS, answer.answer, lang),
                evidence="\n".join(evidence),
                improvement="\n".join(improvement),
            )
    return found


def document(report: Report, lang: str) -> str:
    """The name of the document that the evidence stands in: the scan file, by its digest."""
    _ = voice(lang)
    return _(
        "tlscheck scan file of {moment} (SHA-256 {digest}…)",
        moment=moment(report.scan.at, lang),
        digest=report.digest[:16],
    )


def _grounds(
    answer: ItemAnswer, seen: Iterable[TargetView]
) -> Iterator[tuple[TargetView, FindingView]]:
    named = set(answer.findings)
    for target in seen:
        for finding in target.findings:
            own = any(answer.profile in ground.profiles for ground in finding.grounds)
            if own and f"{finding.rule}@{target.id}" in named:
                yield target, finding


# ---- evidence --------------------------------------------------------------------------------


def _files(grounds: _Grounds, lang: str) -> Iterator[str]:
    """The bundle's files that the answer rests on, those of what speaks against it first; what has
    no file of its own is a place in the scan file, and certificates have the longest names.
    """
    ordered = sorted(grounds, key=lambda pair: pair[1].verdict.rank)
    refs = dict.fromkeys(ref for _target, finding in ordered for ref in finding.refs)
    if refs:
        files = sorted(refs, key=lambda ref: (ref.endswith(".der"), "#" in ref))
        _ = voice(lang)
        yield f"{_('Evidence files')}{_colon(lang)}{_some(files, MOST_FILES, lang)}"


def _evidence(item: Item, grounds: _Grounds, lang: str) -> Iterator[str]:
    _ = voice(lang)
    bad = [*_told(grounds, Verdict.FAIL, "✗", lang), *_told(grounds, Verdict.UNKNOWN, "?", lang)]
    yield from bad[:MOST_LINES]
    if len(bad) > MOST_LINES:
        yield _("and {count} more", count=len(bad) - MOST_LINES)
    open_rules = {finding.rule for _target, finding in grounds if finding.bad}
    passed = [f for _target, f in grounds if f.verdict is Verdict.PASS]
    if rules := tuple(dict.fromkeys(f.rule for f in passed if f.rule not in open_rules)):
        yield _("○ passed wherever they apply: {rules}", rules=rules)
    unseen = tuple(said(p.title, lang) for p in item.parts if p.reach is Reach.ATTEST)
    if unseen:
        yield _("Not to be seen from outside: {parts}", parts=unseen)


def _waived(borne: Iterable[Borne], grounds: _Grounds) -> Iterator[str]:
    """Who answers for it, or for what failed at some of the targets."""
    known = (*borne, *(each for _target, finding in grounds for each in finding.waived))
    yield from dict.fromkeys(each.words for each in known)


def _told(grounds: _Grounds, verdict: Verdict, mark: str, lang: str) -> Iterator[str]:
    """A line for each rule and what speaks against it, with all targets that show the same."""
    alike: dict[tuple[str, str], list[str]] = {}
    for target, finding in grounds:
        if finding.verdict is verdict:
            words = _joined((line.whole for line in finding.evidence if line.kind != "note"), lang)
            alike.setdefault((finding.rule, words), []).append(target.spot)
    for (rule, words), spots in alike.items():
        yield f"{mark} {rule}{_colon(lang)}{_cut(words)} ({_some(spots, MOST_TARGETS, lang)})"


def _some(names: Iterable[str], most: int, lang: str) -> str:
    shown = list(dict.fromkeys(names))
    more = len(shown) - most
    if more > 0:
        shown = [*shown[:most], voice(lang)("and {count} more", count=more)]
    return _joined(shown, lang)


# ---- improvement -----------------------------------------------------------------------------


def _improvement(
    answer: ItemAnswer, item: Item, grounds: _Grounds, profile: Profile, room: float, lang: str
) -> Iterator[str]:
    _ = voice(lang)
    failed: dict[str, FindingView] = {}
    for _target, finding in grounds:
        if finding.verdict is Verdict.FAIL:
            failed.setdefault(finding.rule, finding)
    told = {
        rule: f"■ {rule}{_colon(lang)}{advice(finding, lang)}"
        for rule, finding in list(failed.items())[:MOST_RULES]
    }
    end = list(_left(answer, item, tuple(failed)[MOST_RULES:], lang))
    lines, whole = _fitting(told, profile, room - _size([*told.values(), *end]))
    for rule, words in told.items():
        yield words
        yield from lines[rule]
    yield from end
    if not whole:
        yield _("More lines for nginx, Apache and HAProxy: sheet of remedies (tlscheck -f xlsx)")


def _left(answer: ItemAnswer, item: Item, rules: tuple[str, ...], lang: str) -> Iterator[str]:
    """What else is to be done."""
    _ = voice(lang)
    if rules:
        yield _("Further rules that failed: {rules}", rules=rules)
    titles = {part.id: said(part.title, lang) for part in item.parts}
    for part in answer.parts:
        if part.answer is Answer.UNDETERMINED:
            cause = word(CAUSES, part.cause, lang)
            yield _("To be settled: {part} ({cause})", part=titles[part.id], cause=cause)
    if answer.documents:
        yield _("Documents to hand in:")
        yield from (f"・{said(each, lang)}" for each in answer.documents)


def _fitting(
    rules: Iterable[str], profile: Profile, room: float
) -> tuple[Mapping[str, Sequence[str]], bool]:
    """The lines for the configuration that *room* is left for, by rule, none of them twice; and
    whether these are all.
    """
    known: set[tuple[str, str]] = set()
    chosen: dict[str, Sequence[str]] = {}
    whole = True
    for rule in rules:
        new = [each for each in snippets(rule, profile) if each not in known]
        lines = [_indented(server, text) for server, text in new]
        if (size := _size(lines)) > room:
            whole, lines = False, []
        else:
            room -= size
            known.update(new)
        chosen[rule] = lines
    return chosen, whole


def _size(lines: Iterable[str]) -> float:
    """About how many letters' room *lines* take, ends of lines included."""
    return sum(wide(part) + 20 for line in lines for part in line.split("\n"))


def height(text: str, *, size: float, width: float) -> float:
    """The points that *text* needs in letters of *size* in a cell *width* digits wide, by rule of
    thumb: only some programs find out when they open a file.
    """
    lines = sum(max(1, math.ceil(wide(line) / max(width - 1, 1))) for line in text.split("\n"))
    return min(HIGHEST, lines * size * 1.3 + 4)


def wide(line: str) -> float:
    """How wide *line* is, in digits."""
    return sum(1.7 if unicodedata.east_asian_width(c) in "WFA" else 1.0 for c in line)


def advice(finding: FindingView, lang: str) -> str:
    """What to change where *finding* failed."""
    remedy = remedies().get(finding.rule)
    return said(remedy.words, lang) if remedy else finding.manual.replace("``", "")


def snippets(rule: str, profile: Profile) -> tuple[tuple[str, str], ...]:
    """The servers' names and the lines for each that mend *rule* under *profile*."""
    remedy = remedies().get(rule)
    return remedy.under(profile).each() if remedy else ()


def _weight(finding: FindingView, profile: Profile) -> int:
    return min(g.severity.rank for g in finding.grounds if profile.id in g.profiles)


def _indented(server: str, lines: str) -> str:
    first, *rest = lines.splitlines()
    if not rest:
        return f"  {server}: {first}"
    return "\n".join((f"  {server}:", *(f"    {line}" for line in (first, *rest))))


def _colon(lang: str) -> str:
    return "：" if lang == "ja" else ": "


def _joined(pieces: Iterable[str], lang: str) -> str:
    return ("、" if lang == "ja" else ", ").join(pieces)


def _cut(text: str) -> str:
    return text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"
