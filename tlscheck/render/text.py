"""The terminal: for each target the answers by item and the findings, what is wrong first.

Everything that comes from data is a `rich.text.Text`, never markup, and nothing is cut off: what
does not fit goes on in the next line.
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Sequence

from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

from tlscheck.model import Answer, Severity, Verdict
from tlscheck.render.answers import ItemView, at, checklists, headline, limits
from tlscheck.render.lines import fold
from tlscheck.render.view import FindingView, Ground, TargetView, looked_at, targets
from tlscheck.render.waivers import waivers
from tlscheck.report import Report
from tlscheck.text import Say, voice

_VERDICTS = {
    Verdict.FAIL: "bold red",
    Verdict.UNKNOWN: "bold yellow",
    Verdict.PASS: "green",
    Verdict.NOT_APPLICABLE: "dim",
}
_ANSWERS = {
    Answer.NOT_MET: "bold red",
    Answer.UNDETERMINED: "bold yellow",
    Answer.DOCUMENT_NEEDED: "cyan",
    Answer.MET: "green",
    Answer.NOT_APPLICABLE: "dim",
}
_SEVERITIES = {Severity.CRITICAL: "bold red", Severity.HIGH: "red", Severity.MEDIUM: "yellow"}
_INDENT = "  "
_FEW = 4
"""How many rules a line about an item names; the findings below name all."""
_BULLETS = {"problem": "✗", "open": "?", "note": "·"}


def render(report: Report, lang: str, *, width: int = 100, colour: bool = False) -> bytes:
    """The report in lines of at most *width* columns; without *colour* it is plain text.

    Whoever calls decides about colour, from the terminal and ``NO_COLOR``.
    """
    out = io.StringIO()
    console = Console(
        file=out,
        width=width,
        force_terminal=colour,
        color_system="256" if colour else None,
        no_color=not colour,
        markup=False,
        emoji=False,
        highlight=False,
        legacy_windows=False,
        _environ={},
    )
    _ = voice(lang)
    seen = targets(report, lang)
    for target in seen:
        _target(console, report, target, _, lang)
    _overall(console, report, seen, _, lang)
    lines = out.getvalue().splitlines()
    return ("\n".join(line if colour else line.rstrip() for line in lines) + "\n").encode()


def _target(console: Console, report: Report, target: TargetView, _: Say, lang: str) -> None:
    _title(console, target.label)
    if target.findings:
        found = (f"{word} {n}" for word, n in _tally(target))
        console.print(Text("  ".join(found)), end="\n\n")
    else:
        console.print(Text(_("Nothing was judged.")), end="\n\n")
    if items := at(report, target, lang):
        _heading(console, _("Answers by checklist item"))
        console.print(_items(items, _))
        console.print()
    if any(finding.bad and not finding.to_declare for finding in target.findings):
        _heading(console, _("Findings"))
    for finding in target.of(Verdict.FAIL):
        _finding(console, [finding], _)
    for several in target.open:
        if not several[0].to_declare:
            _finding(console, several, _)
    _rest(console, target, _)


def _tally(target: TargetView) -> Iterable[tuple[str, int]]:
    for verdict in Verdict:
        if found := target.of(verdict):
            yield found[0].verdict_word, len(found)


def _rest(console: Console, target: TargetView, _: Say) -> None:
    """What a paper has to say, what is in order, what does not apply and what was not seen."""
    if papers := [f for f in target.of(Verdict.UNKNOWN) if f.to_declare]:
        _heading(console, _("To be declared"))
        for finding in papers:
            whole = "; ".join(e.whole for e in finding.evidence)
            _hang(console, "?", f"{finding.rule}: {whole}")
        console.print()
    if good := target.of(Verdict.PASS):
        _heading(console, _("Passed"))
        _hang(console, "✓", ", ".join(dict.fromkeys(f.rule for f in good)), "green")
        console.print()
    if aside := target.of(Verdict.NOT_APPLICABLE):
        _heading(console, _("Not applicable"))
        for finding in aside:
            _hang(console, "·", f"{finding.rule}: {'; '.join(e.whole for e in finding.evidence)}")
        console.print()
    if target.missed:
        _heading(console, _("Not looked at"))
        for what, why in target.missed:
            _hang(console, "·", f"{what}: {why}")
        console.print()
    console.print(Text(_("Connections spent: {count}", count=target.connections), "dim"))
    console.print()


def _items(items: Iterable[ItemView], _: Say) -> Table:
    table = Table.grid(padding=(0, 2))
    for ratio in (None, None, 1):
        table.add_column(overflow="fold", ratio=ratio)
    for item in items:
        words = Text(item.title)
        if because := _because(item, _):
            words.append(f"  {because}", "dim")
        for line in item.waived:
            words.append(f"  {line.words}", "yellow")
        table.add_row(
            Text(item.answer_word, _ANSWERS[item.answer]),
            Text(f"{item.checklist} {item.id}"),
            words,
        )
    return table


def _because(item: ItemView, _: Say) -> str:
    """The rules that failed, the first of them, or why it cannot be told."""
    if item.answer is not Answer.NOT_MET:
        return ", ".join(dict.fromkeys(part.cause for part in item.parts if part.cause))
    rules = [finding.rule for finding in item.worst]
    more = [_("and {count} more", count=len(rules) - _FEW)] if len(rules) > _FEW else []
    return ", ".join((*rules[:_FEW], *more))


def _finding(console: Console, several: Sequence[FindingView], _: Say) -> None:
    """What failed, with the change that mends it, or what is unknown, all for the same reason."""
    for finding in several:
        worst = finding.grounds[0]
        head = Text(finding.verdict_word, _VERDICTS[finding.verdict])
        head.append(f"  {worst.severity_word}", _SEVERITIES.get(worst.severity, ""))
        head.append(f"  {finding.rule}", "bold")
        if fits := cell_len(f"{head.plain}  {finding.title}") <= console.width:
            head.append(f"  {finding.title}")
        console.print(head, overflow="fold")
        if not fits:
            _hang(console, "", finding.title)
    first = several[0]
    for line in first.evidence:
        _hang(console, _BULLETS[line.kind], line.whole)
    for question in dict.fromkeys(q for finding in several for q in finding.questions):
        _hang(console, "?", f"{_('Open question')}: {question}")
    for waived in first.waived:
        _hang(console, "!", waived.words, "yellow")
    if first.manual and first.verdict is Verdict.FAIL:
        _hang(console, "→", first.manual.replace("``", ""))
    for basis in dict.fromkeys(_basis(ground, _) for f in several for ground in f.grounds):
        _hang(console, " ", basis, "dim")
    if first.refs:
        _hang(console, " ", f"{_('Rests on')}: {', '.join(first.refs)}", "dim")
    console.print()


def _basis(ground: Ground, _: Say) -> str:
    profiles = ", ".join(ground.profiles)
    return f"{_('Basis')} ({profiles}): {ground.source} [{ground.grade_word}]"


def _overall(
    console: Console, report: Report, seen: tuple[TargetView, ...], _: Say, lang: str
) -> None:
    _title(console, _("Overall"))
    for checklist in checklists(report, seen, lang):
        _heading(console, f"{checklist.title} ({checklist.id})")
        console.print(_items(sorted(checklist.items, key=lambda item: item.answer.rank), _))
        console.print()
    if borne := waivers(report, lang):
        _heading(console, _("Waivers"))
        for w in borne:
            _hang(console, "!", f"{w.what}: {w.state}, {w.until}, {w.who}: {w.reason} ({w.covers})")
        console.print()
    _heading(console, _("Summary"))
    for line in fold(headline(report, lang), console.width):
        console.print(Text(line, "bold"), no_wrap=True)
    for limit in limits(lang):
        _hang(console, "·", limit)
    console.print()
    pairs = Table.grid(padding=(0, 2))
    pairs.add_column(overflow="fold")
    pairs.add_column(overflow="fold", ratio=1)
    for name, value in looked_at(report, lang):
        pairs.add_row(Text(name, "dim"), Text(value))
    console.print(pairs)


def _title(console: Console, words: str) -> None:
    *lines, last = fold(words, console.width - 2)
    for line in lines:
        console.print(Text(line, "bold"), no_wrap=True)
    rest = console.width - cell_len(last) - 1
    console.print(Text(last, "bold").append(f" {'─' * rest}", "dim"), no_wrap=True)


def _heading(console: Console, words: str) -> None:
    console.print(Text(words, "bold underline"))


def _hang(console: Console, bullet: str, words: str, style: str = "") -> None:
    """*words* behind a *bullet*, further lines indented to the first."""
    for number, line in enumerate(fold(words, console.width - len(_INDENT) - 2)):
        before = f"{_INDENT}{bullet or ' '} " if number == 0 else f"{_INDENT}  "
        console.print(Text(before).append(line, style or None), no_wrap=True, crop=False)
