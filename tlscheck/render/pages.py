"""The report that is printed and signed, as blocks."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from tlscheck.model import Verdict
from tlscheck.render import answers, view
from tlscheck.render.blocks import (
    Block,
    Cell,
    Line,
    bullets,
    heading,
    limited,
    pairs,
    paragraph,
    table,
)
from tlscheck.render.waivers import Borne, WaiverView, waivers
from tlscheck.report import SUBJECTS, Report
from tlscheck.text import _N, Say, translate, visible, voice, word
from tlscheck.text import SUBJECTS as SUBJECT_WORDS

FEW, SOME = 3, 6
"""How many places, and how many sentences of evidence, are told; the scan file has them all."""

METHOD = (
    _N(
        "The targets were asked over the network, from outside, as any client can ask; nobody "
        "logged in, and no weakness was made use of."
    ),
    _N(
        "What a server accepts was asked by TLS hellos of tlscheck's own. A refusal counts only "
        "between two answers to hellos known to be good; what was not settled is “Unknown”, never "
        "“Pass”."
    ),
    _N(
        "Looking and judging are two steps. The scan file holds what was seen; whoever judges it "
        "by the same profiles gets the same findings."
    ),
    _N(
        "Everything was judged from what is written here by the profiles below; the SHA-256 "
        "names a profile's exact content."
    ),
)
"""How it was looked at and judged."""
SIGNING = (_N("Examined by"), _N("Reviewed by"), _N("Approved by"))
"""Who signs."""


def blocks(report: Report, lang: str) -> Iterator[Block]:
    """The whole report but its title."""
    seen = view.targets(report, lang)
    _ = voice(lang)
    yield {
        "kind": "signing",
        "roles": [translate(role, lang) for role in SIGNING],
        "fields": [_("Name and affiliation"), _("Date"), _("Seal")],
    }
    yield from _summary(report, seen, _, lang)
    for checklist in answers.checklists(report, seen, lang):
        yield from _checklist(checklist, _)
    yield heading(_("Findings"))
    for target in seen:
        yield from _target(target, _)
    yield from _declared(seen, _)
    yield from _remedies(seen, _)
    yield from _method(report, _, lang)
    yield from _scope(report, seen, _, lang)


# ---- the summary and the answers -----------------------------------------------------------------


def _summary(report: Report, seen: Sequence[view.TargetView], _: Say, lang: str) -> Iterator[Block]:
    yield heading(_("Summary"))
    yield paragraph(answers.headline(report, lang), "strong")
    counts = answers.counts(report, lang)
    yield table(
        [3, *[1] * len(counts)],
        [_("Checklist"), *(count.word for count in counts)],
        (
            [
                view.said(checklist.title, lang),
                *(
                    _number(sum(a.answer is c.answer for a in report.overall(checklist.id)), c)
                    for c in counts
                ),
            ]
            for checklist in report.checklists
        ),
    )
    if unseen := [target.spot for target in seen if not target.findings]:
        warning = _(
            "Of {total} targets, nothing could be judged on {count}:",
            total=len(seen),
            count=len(unseen),
        )
        yield paragraph(f"{warning} {', '.join(unseen)}", "unknown")
    if first := answers.first(seen):
        yield heading(_("What to mend first"), 2)
        yield table(
            [1, 5, 4],
            [_("Severity"), _("Finding"), _("Targets")],
            (
                [_severity(f), [*_told(f, 1, _), *_by(f, report, _)], limited(spots, FEW, _)]
                for f, spots in first
            ),
        )
    if borne := waivers(report, lang):
        yield heading(_("Waivers"), 2)
        yield paragraph(
            _("Failures that somebody answers for; verdicts and answers stay what they are")
        )
        yield table(
            [3, 1.4, 1.8, 2, 4, 2],
            [_("What"), _("State"), _("Until"), _("Who"), _("Reason"), _("Covers")],
            (
                [
                    w.what,
                    [(w.state, "fail" if w.expired else "")],
                    w.until,
                    w.who,
                    w.reason,
                    w.covers,
                ]
                for w in borne
            ),
        )
    yield heading(_("What the answers mean"), 2)
    yield pairs((count.word, count.meaning) for count in counts)
    yield heading(_("What a good answer does not mean"), 2)
    yield bullets(answers.limits(lang))


def _by(finding: view.FindingView, report: Report, _: Say) -> list[Line]:
    """By whose measure it fails, where that is not the run's own."""
    if visible(report.profile.id) in finding.profiles:
        return []
    return [(f"{_('Profile')}: {', '.join(finding.profiles)}", "quiet")]


def _tone(waived: WaiverView | Borne) -> str:
    return "fail" if waived.expired else ""


def _number(number: int, count: answers.Count) -> Cell:
    return [(str(number), count.answer if number else "quiet")]


def _checklist(checklist: answers.ChecklistView, _: Say) -> Iterator[Block]:
    alike: dict[tuple[tuple[Line, ...], ...], list[answers.ItemView]] = {}
    for item in checklist.items:
        alike.setdefault(_decided(item, _), []).append(item)
    yield heading(checklist.title)
    yield paragraph(checklist.document)
    yield table(
        [3, 1.5, 4.4, 3.1],
        [_("Item"), _("Answer"), _("What decides it"), _("Documents needed")],
        (
            [
                _named(several),
                *decided,
            ]
            for decided, several in alike.items()
        ),
    )


def _named(several: Sequence[answers.ItemView]) -> list[Line]:
    """The items that have all the same answer for the same reason."""
    places = dict.fromkeys(item.place for item in several)
    return [
        *((f"{item.id} {item.title}", "strong") for item in several),
        (f"{'; '.join(places)} · {several[0].profile}", "quiet"),
    ]


def _decided(item: answers.ItemView, _: Say) -> tuple[tuple[Line, ...], ...]:
    """An item's answer, why, and the documents that it needs."""
    parts = [
        (f"{p.title}: {p.answer_word}" + (f" – {p.cause}" if p.cause else ""), p.answer)
        for p in item.parts
    ]
    worst = [(f"・{f.verdict_word}: {f.title}", "") for f in item.worst[:FEW]]
    more = len(item.worst) - FEW
    places = [target.spot for target, answer, _word in item.at if answer is item.answer]
    why = (
        *parts,
        *worst,
        *([(_("and {count} more", count=more), "quiet")] if more > 0 else []),
        *([(limited(places, FEW, _), "quiet")] if places else []),
        *([(item.note, "quiet")] if item.note else []),
        *((waived.words, _tone(waived)) for waived in item.waived),
    )
    documents = tuple((f"・{document}", "") for document in item.documents)
    return ((item.answer_word, item.answer),), why, documents or (("–", ""),)


# ---- findings ------------------------------------------------------------------------------------


def _target(target: view.TargetView, _: Say) -> Iterator[Block]:
    yield heading(target.label, 2)
    if not target.findings:
        yield paragraph(_("Nothing was judged."), "unknown")
        return
    unknown = (several for several in target.open if not several[0].to_declare)
    rows = [*([f] for f in target.of(Verdict.FAIL)), *unknown]
    if rows:
        yield table(
            [1, 8],
            [_("Verdict"), _("Finding")],
            ([_verdict(several[0]), _finding(several, _)] for several in rows),
        )
    for name, found in (
        (_("To be declared"), [f for f in target.of(Verdict.UNKNOWN) if f.to_declare]),
        (_("Passed"), target.of(Verdict.PASS)),
        (_("Not applicable"), target.of(Verdict.NOT_APPLICABLE)),
    ):
        if found:
            rules = ", ".join(dict.fromkeys(f.rule for f in found))
            yield paragraph(f"{name} {len(found)}: {rules}", "quiet")


def _verdict(finding: view.FindingView) -> list[Line]:
    severity = finding.grounds[0]
    return [
        (finding.verdict_word, finding.verdict),
        (severity.severity_word, severity.severity if finding.verdict is Verdict.FAIL else "quiet"),
    ]


def _finding(several: Sequence[view.FindingView], _: Say) -> list[Line]:
    """What failed, or what is unknown, all for the same reason."""
    titles = [(finding.title, "strong") for finding in several[:-1]]
    questions = dict.fromkeys(question for finding in several for question in finding.questions)
    rules = ", ".join(dict.fromkeys(finding.rule for finding in several))
    refs = list(dict.fromkeys(ref for finding in several for ref in finding.refs))
    return [
        *titles,
        *_told(several[-1], SOME, _),
        *((waived.words, _tone(waived)) for waived in several[-1].waived),
        *((f"{_('Open question')}: {question}", "quiet") for question in questions),
        (f"{rules} · {_('Basis')}: {limited(_bases(several), 1, _)}", "quiet"),
        *([(f"{_('Rests on')}: {limited(refs, SOME, _)}", "quiet")] if refs else []),
    ]


def _declared(seen: Iterable[view.TargetView], _: Say) -> Iterator[Block]:
    """What no look but a paper alone can tell, once for each rule."""
    found: dict[str, tuple[view.FindingView, list[str]]] = {}
    for target in seen:
        for finding in target.of(Verdict.UNKNOWN):
            if finding.to_declare:
                found.setdefault(finding.rule, (finding, []))[1].append(target.spot)
    if found:
        yield heading(_("To be declared"), 2)
        yield table(
            [6, 3],
            [_("Finding"), _("Targets")],
            (
                [[*_told(f, 1, _), (f.rule, "quiet")], limited([*dict.fromkeys(at)], SOME, _)]
                for f, at in found.values()
            ),
        )


def _told(finding: view.FindingView, most: int, _: Say) -> list[Line]:
    lines = [(line.whole, "") for line in finding.evidence[:most]]
    if (more := len(finding.evidence) - most) > 0:
        lines.append((_("and {count} more", count=more), "quiet"))
    return [(finding.title, "strong"), *lines]


def _bases(several: Iterable[view.FindingView]) -> list[str]:
    found = (
        f"{ground.source} ({ground.grade_word}; {', '.join(ground.profiles)})"
        for finding in several
        for ground in finding.grounds
    )
    return list(dict.fromkeys(found))


def _severity(finding: view.FindingView) -> Cell:
    return [(finding.grounds[0].severity_word, finding.grounds[0].severity)]


def _remedies(seen: Iterable[view.TargetView], _: Say) -> Iterator[Block]:
    """What to change, and by what it is wanted, once for each rule that failed anywhere."""
    failed: dict[str, list[view.FindingView]] = {}
    for target in seen:
        for finding in target.of(Verdict.FAIL):
            failed.setdefault(finding.rule, []).append(finding)
    if not failed:
        return
    yield heading(_("What to change"))
    yield table(
        [3, 9],
        [_("Finding"), _("What to change")],
        (
            [
                [(several[0].title, "strong"), (rule, "quiet")],
                [
                    *((p.replace("``", ""), "") for p in several[0].manual.split("\n\n")),
                    *((f"{_('Basis')}: {basis}", "quiet") for basis in _bases(several)),
                ],
            ]
            for rule, several in failed.items()
        ),
    )


# ---- method, scope, and what was not looked at ---------------------------------------------------


def _method(report: Report, _: Say, lang: str) -> Iterator[Block]:
    yield heading(_("Method"))
    yield bullets(translate(sentence, lang) for sentence in METHOD)
    yield pairs(view.looked_at(report, lang))
    yield table(
        [3, 4, 5],
        [_("Profile"), _("Source"), "SHA-256"],
        (
            [
                [(view.said(profile.title, lang), "strong"), (visible(profile.id), "quiet")],
                visible(profile.source),
                [(profile.digest, "quiet")],
            ]
            for profile in report.profiles
        ),
    )
    questions = dict.fromkeys(view.said(q, lang) for p in report.profiles for q in p.questions)
    if questions:
        yield heading(_("Open questions about the profiles"), 2)
        yield bullets(questions)


def _scope(report: Report, seen: Sequence[view.TargetView], _: Say, lang: str) -> Iterator[Block]:
    yield heading(_("Scope"))
    yield table(
        [3, 6, 1.4],
        [_("Target"), _("Where"), _("Connections")],
        (
            [
                target.label,
                [(f"{name}: {value}", "") for name, value in target.facts],
                str(target.connections),
            ]
            for target in seen
        ),
    )
    yield heading(_("Not looked at"))
    missed = [[t.label, what, why] for t in seen for what, why in t.missed]
    if missed:
        yield table([4, 3, 5], [_("Target"), _("What"), _("Why")], missed)
    else:
        yield paragraph(_("All that was asked was seen."))
    not_asked = [word(SUBJECT_WORDS, s, lang) for s in SUBJECTS if s not in report.scan.subjects]
    if not_asked:
        yield paragraph(_("Not asked for: {subjects}", subjects=not_asked))
