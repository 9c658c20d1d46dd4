"""The sheets of the checklists, each in the form of its document."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from tlscheck import titles
from tlscheck.checklist import Checklist
from tlscheck.config import Sheet
from tlscheck.model import Answer
from tlscheck.render.entries import Entry, entries
from tlscheck.render.layout import Choices, Column, Form, layout
from tlscheck.render.view import said
from tlscheck.render.xlsx.table import Row, Table
from tlscheck.report import Report
from tlscheck.text import visible


def tables(report: Report, lang: str, head: Sheet) -> Iterator[Table]:
    """A sheet a checklist."""
    known = entries(report, lang)
    fields = tuple(
        (said(field.name, lang), visible(getattr(head, field.key))) for field in layout().head
    )
    order = (*layout().forms, *(checklist.id for checklist in report.checklists))
    for checklist in sorted(report.checklists, key=lambda checklist: order.index(checklist.id)):
        form = layout().form(checklist.id)
        yield Table(
            name=said(form.name or checklist.title, lang),
            form=form,
            title=said(checklist.document, lang),
            head=fields,
            rows=tuple(_rows(checklist, form, known, lang)),
        )


def _rows(
    checklist: Checklist, form: Form, known: Mapping[tuple[str, str], Entry], lang: str
) -> Iterator[Row]:
    own = {item.id: known[checklist.id, item.id] for item in checklist.items}
    further = titles.load(checklist.id)
    if further is None:
        yield from (_answered(entry, form, lang) for entry in own.values())
        return
    band = ""
    for number, title, section in further.rows({i.id: i.title for i in checklist.items}):
        if said(section, lang) != band:
            band = said(section, lang)
            yield Row({}, band)
        if entry := own.get(str(number)):
            yield _answered(entry, form, lang)
        else:
            yield Row({"item": str(number), "title": said(title, lang)})


def _answered(entry: Entry, form: Form, lang: str) -> Row:
    texts = {
        "item": entry.item,
        "title": entry.title,
        "verdict": entry.verdict,
        "evidence": entry.evidence,
        "improvement": entry.improvement,
    }
    marks = {column.key: _mark(column, entry.answer, lang) for column in form.columns}
    return Row(marks | texts)


def _mark(column: Column, answer: Answer, lang: str) -> str:
    """What an official form's own column gets: a good mark for ``met`` alone, and where the look
    decides nothing none at all, or the box left empty. What is planned the vendor alone can say.
    """
    if (choices := layout().choices.get(column.choices)) is None:
        return ""
    yes, no, *_rest = _offered(choices, lang)
    match column.key:
        case "met":
            return yes if answer is Answer.MET else no
        case "planned":
            return no
    return {Answer.MET: yes, Answer.NOT_MET: no}.get(answer, "")


def _offered(choices: Choices, lang: str) -> tuple[str, ...]:
    return choices.ja if lang == "ja" else choices.en
