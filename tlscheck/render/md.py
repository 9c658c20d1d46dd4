"""Markdown, for issues and wikis. Nothing that a server sent can become markup in it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

from tlscheck.model import Verdict
from tlscheck.render.answers import (
    ChecklistView,
    ItemView,
    checklists,
    counts,
    headline,
    limits,
)
from tlscheck.render.view import FindingView, TargetView, looked_at, said, targets
from tlscheck.render.waivers import waivers
from tlscheck.report import Report
from tlscheck.text import Say, visible, voice

_MARKS = re.compile(r"[\\`*_{}\[\]<>()#|~$!&@]")
_STARTS_SOMETHING = re.compile(r"^(\s*)([-+=]|\d+[.)])")
_LINKS_ITSELF = re.compile(r"(?i)(https?|ftp|wss?|xmpp|mailto):|(www)\.")


def render(report: Report, lang: str) -> bytes:
    """Summary, answers, findings, what was not looked at, and by what was judged."""
    seen = targets(report, lang)
    _ = voice(lang)
    blocks = [
        f"# {_('TLS check')}",
        _pairs(looked_at(report, lang)),
        *_summary(report, _, lang),
        *_waivers(report, _, lang),
        *(b for c in checklists(report, seen, lang) for b in _checklist(c, _)),
        f"## {_('Findings')}",
        *(block for target in seen for block in _target(target, _)),
        f"## {_('How this was judged')}",
        *_profiles(report, _, lang),
    ]
    return ("\n\n".join(block for block in blocks if block) + "\n").encode()


def inert(text: str) -> str:
    """*text* with no markup in it: punctuation that means something is escaped."""
    text = _MARKS.sub(lambda found: f"\\{found[0]}", text)
    text = _STARTS_SOMETHING.sub(lambda found: f"{found[1]}\\{found[2]}", text)
    # Bare addresses become links by themselves, unless their colon or dot is escaped.
    return _LINKS_ITSELF.sub(lambda m: f"{m[1]}\\:" if m[1] else f"{m[2]}\\.", text)


def prose(text: str) -> str:
    """A manual, whose ``commands`` stay code; it comes with the program, never from a server."""
    pieces = text.split("``")
    return "".join(f"`{p}`" if i % 2 else inert(p) for i, p in enumerate(pieces))


def _summary(report: Report, _: Say, lang: str) -> Iterator[str]:
    yield f"## {_('Summary')}"
    yield inert(headline(report, lang))
    yield _table(
        (_("Answer"), _("Items"), _("What it means")),
        ((c.word, str(c.count), c.meaning) for c in counts(report, lang)),
    )
    yield f"### {_('What a good answer does not mean')}"
    yield _list(map(inert, limits(lang)))


def _waivers(report: Report, _: Say, lang: str) -> Iterator[str]:
    if borne := waivers(report, lang):
        yield f"## {_('Waivers')}"
        yield _table(
            (_("What"), _("State"), _("Until"), _("Who"), _("Reason"), _("Covers")),
            ((w.what, w.state, w.until, w.who, w.reason, w.covers) for w in borne),
        )


def _checklist(checklist: ChecklistView, _: Say) -> Iterator[str]:
    yield f"## {inert(checklist.title)}"
    yield inert(checklist.document)
    yield _table(
        (_("Item"), _("Title"), _("Answer"), _("Parts"), _("Documents needed"), _("Targets")),
        (_item(item) for item in checklist.items),
    )


def _item(item: ItemView) -> Sequence[str]:
    parts = (
        f"{part.title}: {part.answer_word}" + (f" ({part.cause})" if part.cause else "")
        for part in item.parts
    )
    places = (f"{target.label}: {words}" for target, _, words in item.at)
    return (
        item.id,
        item.title,
        "\n".join((item.answer_word, *(waived.words for waived in item.waived))),
        "\n".join(parts),
        "\n".join(item.documents),
        "\n".join(places),
    )


def _target(target: TargetView, _: Say) -> Iterator[str]:
    yield f"### {inert(target.label)}"
    for several in ([(f,) for f in target.of(Verdict.FAIL)], target.open):
        yield from (block for findings in several for block in _finding(findings, _))
    if not target.findings:
        yield inert(_("Nothing was judged."))
    if target.good:
        yield _table(
            (_("Rule"), _("What is good"), _("Verdict"), _("Evidence")),
            (
                (f.rule, f.title, f.verdict_word, "\n".join(line.whole for line in f.evidence))
                for f in target.good
            ),
        )
    if target.missed:
        yield f"**{_('Not looked at')}**"
        yield _list(f"{inert(what)}: {inert(why)}" for what, why in target.missed)
    yield inert(_("Connections spent: {count}", count=target.connections))


def _finding(several: Sequence[FindingView], _: Say) -> Iterator[str]:
    """What failed, or what is unknown, all for the same reason."""
    first = several[0]
    for finding in several:
        words = f"{finding.verdict_word} ({finding.grounds[0].severity_word}): {finding.title}"
        yield f"#### {inert(words)} (`{finding.rule}`)"
    yield _list(inert(line.whole) for line in first.evidence)
    yield _list(inert(waived.words) for waived in first.waived)
    questions = dict.fromkeys(q for finding in several for q in finding.questions)
    yield _list(f"{inert(_('Open question'))}: {inert(q)}" for q in questions)
    if first.manual and first.verdict is Verdict.FAIL:
        yield f"**{_('What to change')}**: {prose(first.manual)}"
    items = dict.fromkeys(item for finding in several for item in finding.items)
    yield _list(
        (
            *dict.fromkeys(
                f"{inert(_('Basis'))} ({inert(', '.join(ground.profiles))}):"
                f" {inert(ground.source)} ({inert(ground.grade_word)})"
                for finding in several
                for ground in finding.grounds
            ),
            *([f"{inert(_('Checklist items'))}: {inert(', '.join(items))}"] if items else []),
            *([f"{inert(_('Rests on'))}: {inert(', '.join(first.refs))}"] if first.refs else []),
        )
    )


def _profiles(report: Report, _: Say, lang: str) -> Iterator[str]:
    yield _table(
        (_("Profile"), _("Title"), _("Source"), "SHA-256"),
        ((p.id, said(p.title, lang), p.source, p.digest) for p in report.profiles),
    )
    questions = dict.fromkeys(said(q, lang) for p in report.profiles for q in p.questions)
    if questions:
        yield f"### {_('Open questions about the profiles')}"
        yield _list(map(inert, questions))


def _pairs(pairs: Iterable[tuple[str, str]]) -> str:
    return _list(f"{inert(name)}: {inert(value)}" for name, value in pairs)


def _list(lines: Iterable[str]) -> str:
    return "\n".join(f"- {line}" for line in lines)


def _table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    def row(cells: Iterable[str]) -> str:
        return f"| {' | '.join(_cell(cell) for cell in cells)} |"

    return "\n".join((row(heads), f"|{' --- |' * len(heads)}", *map(row, rows)))


def _cell(text: str) -> str:
    return "<br>".join(inert(visible(line)) for line in text.splitlines())
