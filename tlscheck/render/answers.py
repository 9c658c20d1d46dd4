"""The checklists' answers for people: items, parts, targets, and the summary of them all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tlscheck.checklist import Checklist, Item, ItemAnswer, Part, PartAnswer
from tlscheck.model import Answer, Verdict
from tlscheck.render.view import FindingView, TargetView, said
from tlscheck.render.waivers import Borne, of_answers
from tlscheck.report import Report
from tlscheck.text import _N, ANSWERS, CAUSES, REACHES, translate, visible, voice, word

MEANINGS = {
    Answer.NOT_MET: _N("What was seen contradicts the item."),
    Answer.UNDETERMINED: _N(
        "What would decide the item was not seen, or the requirement itself leaves it open."
    ),
    Answer.DOCUMENT_NEEDED: _N(
        "Nothing that was seen contradicts the item, but only the documents named can show it."
    ),
    Answer.MET: _N(
        "What was looked at is as the item asks, on these endpoints and at the time given."
    ),
    Answer.NOT_APPLICABLE: _N("The item does not arise on these endpoints."),
}
"""What each answer says, in a sentence."""
LIMITS = (
    _N(
        "“Met” speaks of the endpoints listed here alone, as they showed themselves from one "
        "place at one time."
    ),
    _N(
        "It says nothing of what lies behind them: networks inside, the way from a CDN to its "
        "origin, the users' devices, and how people work."
    ),
    _N("What could not be looked at is “Cannot be told”, never “Met”."),
    _N(
        "Where a wanted value does not come from the official text, the finding says so: a "
        "secondary source, our inference, or not verified."
    ),
)
"""What a good answer does not mean."""
_FIRST = 8
"""How many findings the summary names."""


@dataclass(frozen=True, slots=True)
class PartView:
    """A part of an item."""

    title: str
    answer: Answer
    answer_word: str
    reach_word: str
    cause: str
    """Why it cannot be told; empty where it can."""
    note: str


@dataclass(frozen=True, slots=True)
class ItemView:
    """An item, overall or on one target."""

    checklist: str
    id: str
    title: str
    place: str
    note: str
    profile: str
    answer: Answer
    answer_word: str
    parts: tuple[PartView, ...]
    documents: tuple[str, ...]
    findings: tuple[FindingView, ...]
    """What it rests on, worst first."""
    at: tuple[tuple[TargetView, Answer, str], ...]
    """What each target gets, worst first; empty where the item is shown on one."""
    waived: tuple[Borne, ...]
    """Who answers for it that the item is not met, and until when, or did."""

    @property
    def worst(self) -> tuple[FindingView, ...]:
        """The findings that decided a bad answer, one a rule."""
        wanted = Verdict.FAIL if self.answer is Answer.NOT_MET else Verdict.UNKNOWN
        by_rule: dict[str, FindingView] = {}
        for finding in self.findings:
            if finding.verdict is wanted:
                by_rule.setdefault(finding.rule, finding)
        return tuple(by_rule.values())


@dataclass(frozen=True, slots=True)
class ChecklistView:
    """A checklist with its items, in the order of the document."""

    id: str
    anchor: str
    title: str
    document: str
    items: tuple[ItemView, ...]


@dataclass(frozen=True, slots=True)
class Count:
    """How many items got an answer."""

    answer: Answer
    word: str
    count: int
    meaning: str


def counts(report: Report, lang: str) -> tuple[Count, ...]:
    """How many items got each answer overall, worst first."""
    return tuple(
        Count(
            answer,
            word(ANSWERS, answer, lang),
            report.answered(answer),
            translate(MEANINGS[answer], lang),
        )
        for answer in Answer
    )


def headline(report: Report, lang: str) -> str:
    """The whole in one sentence that everybody understands."""
    _ = voice(lang)
    if not any(look.seen for look in report.scan.looks):
        return _("Nothing could be looked at: no target answered.")
    return _(
        "Of {total} checklist items, {not_met} are not met, {undetermined} cannot be told from "
        "outside, {document_needed} need a document, {met} are met and {not_applicable} do not "
        "apply.",
        total=sum(report.answered(answer) for answer in Answer),
        **{answer.value: report.answered(answer) for answer in Answer},
    )


def limits(lang: str) -> tuple[str, ...]:
    """What a good answer does not mean."""
    return tuple(translate(limit, lang) for limit in LIMITS)


def first(seen: Sequence[TargetView]) -> list[tuple[FindingView, list[str]]]:
    """The weightiest failures, one a rule and target, each with the targets that show the very
    same.
    """
    found: dict[tuple[str, tuple[str, ...]], tuple[FindingView, list[str]]] = {}
    for target in seen:
        weightiest = {finding.rule: finding for finding in reversed(target.of(Verdict.FAIL))}
        for finding in weightiest.values():
            wrong = tuple(line.text for line in finding.evidence if line.kind == "problem")
            found.setdefault((finding.rule, wrong), (finding, []))[1].append(target.spot)
    ordered = sorted(found.values(), key=lambda pair: pair[0].grounds[0].severity.rank)
    return [(finding, list(dict.fromkeys(labels))) for finding, labels in ordered[:_FIRST]]


def checklists(report: Report, seen: Sequence[TargetView], lang: str) -> tuple[ChecklistView, ...]:
    """Every checklist with the overall answers and what each target gets."""
    by_item: dict[tuple[str, str], list[ItemAnswer]] = {}
    for answer in report.answers:
        by_item.setdefault((answer.checklist, answer.item), []).append(answer)
    places = {target.id: target for target in seen}
    waived = of_answers(report, lang)
    return tuple(
        ChecklistView(
            id=visible(checklist.id),
            anchor=f"c{number}",
            title=said(checklist.title, lang),
            document=said(checklist.document, lang),
            items=tuple(
                _item(checklist, item, answers, places, waived, lang)
                for item in checklist.items
                if (answers := by_item.get((checklist.id, item.id)))
            ),
        )
        for number, checklist in enumerate(report.checklists, 1)
    )


def at(report: Report, target: TargetView, lang: str) -> tuple[ItemView, ...]:
    """The items as *target* answers them, worst first."""
    known = {(c.id, i.id): (c, i) for c in report.checklists for i in c.items}
    waived, here = of_answers(report, lang), {target.id: target}
    found = [
        _item(*known[answer.checklist, answer.item], [answer], here, waived, lang)
        for answer in report.answers
        if answer.target == target.id and (answer.checklist, answer.item) in known
    ]
    return tuple(sorted(found, key=lambda item: item.answer.rank))


def _item(
    checklist: Checklist,
    item: Item,
    answers: Sequence[ItemAnswer],
    places: Mapping[str, TargetView],
    waived: Mapping[tuple[str, str | None], tuple[Borne, ...]],
    lang: str,
) -> ItemView:
    whole = next((a for a in answers if a.target is None), answers[0])
    here = [(places[a.target], a) for a in answers if a.target and a.target in places]
    return ItemView(
        checklist=visible(checklist.id),
        id=visible(item.id),
        title=said(item.title, lang),
        place=said(item.place, lang),
        note=said(item.note, lang) if item.note else "",
        profile=visible(whole.profile),
        answer=whole.answer,
        answer_word=word(ANSWERS, whole.answer, lang),
        parts=tuple(
            _part(part, answer, lang)
            for part in item.parts
            for answer in whole.parts
            if answer.id == part.id
        ),
        documents=tuple(said(document, lang) for document in whole.documents),
        findings=_rests_on(whole, places),
        at=tuple(
            (target, a.answer, word(ANSWERS, a.answer, lang))
            for target, a in sorted(here, key=lambda pair: pair[1].answer.rank)
        )
        if whole.target is None
        else (),
        waived=waived.get((f"{checklist.id}/{item.id}", whole.target), ()),
    )


def _part(part: Part, answer: PartAnswer, lang: str) -> PartView:
    return PartView(
        title=said(part.title, lang),
        answer=answer.answer,
        answer_word=word(ANSWERS, answer.answer, lang),
        reach_word=word(REACHES, answer.reach, lang),
        cause=word(CAUSES, answer.cause, lang) if answer.cause else "",
        note=said(part.note, lang) if part.note else "",
    )


def _rests_on(answer: ItemAnswer, places: Mapping[str, TargetView]) -> tuple[FindingView, ...]:
    named = set(answer.findings)
    found = [
        finding
        for target in places.values()
        for finding in target.findings
        if f"{finding.rule}@{target.id}" in named
        and any(answer.profile in ground.profiles for ground in finding.grounds)
    ]
    return tuple(sorted(found, key=lambda finding: finding.verdict.rank))
