"""The sheets beside the checklists: overview, remedies, findings, endpoints, what was not seen."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass, field, replace

from tlscheck.model import Answer, Look, State, Verdict
from tlscheck.observations.certificate import CertificateObservation
from tlscheck.observations.tls import TlsObservation
from tlscheck.profile import Profile
from tlscheck.render import answers, view
from tlscheck.render import waivers as borne
from tlscheck.render.entries import advice, document, snippets
from tlscheck.render.layout import layout
from tlscheck.render.remedies import SERVERS
from tlscheck.render.xlsx.table import Row, Table
from tlscheck.report import SUBJECTS, Report
from tlscheck.text import CAUSES, REASONS, SCOPES, VERDICTS, day, visible, voice, word
from tlscheck.text import SUBJECTS as SUBJECT_WORDS


def _table(sheet: str, rows: Iterator[Row], lang: str) -> Table:
    form = layout().sheets[sheet]
    name = view.said(form.name, lang) if form.name else sheet
    return Table(name, form, name, (), tuple(rows))


def overview(report: Report, lang: str) -> Table:
    """What the workbook says as a whole, and how it came about."""
    return _table("overview", _overview(report, lang), lang)


def _overview(report: Report, lang: str) -> Iterator[Row]:
    _ = voice(lang)

    def row(name: str, value: str) -> Row:
        return Row({"name": name, "value": value})

    yield row(_("Result"), answers.headline(report, lang))
    yield from (
        row(f"{count.word} {count.count}", count.meaning) for count in answers.counts(report, lang)
    )
    yield from (row(_("Please note"), limit) for limit in answers.limits(lang))
    yield from (row(name, value) for name, value in view.looked_at(report, lang))
    yield row(_("Document"), document(report, lang))


def remedies(report: Report, lang: str) -> Table:
    """What to change for each rule that failed."""
    return _table("remedies", _remedies(report, lang), lang)


def _remedies(report: Report, lang: str) -> Iterator[Row]:
    """A row for each rule and what to write: what one profile is content with, another refuses."""
    failed: dict[tuple[str, tuple[tuple[str, str], ...]], _Failed] = {}
    for target in view.targets(report, lang):
        for finding in target.of(Verdict.FAIL):
            for profile in _profiles(finding, report):
                key = (finding.rule, snippets(finding.rule, profile))
                entry = failed.setdefault(key, _Failed(finding))
                entry.profiles[profile.id] = entry.spots[target.spot] = None
    ranked = sorted(failed.items(), key=lambda pair: pair[1].finding.grounds[0].severity.rank)
    for (rule, lines), entry in ranked:
        texts = dict(lines)
        yield Row(
            {
                "rule": rule,
                "profiles": "\n".join(map(visible, entry.profiles)),
                "targets": "\n".join(entry.spots),
                "words": advice(entry.finding, lang),
                **{key: texts.get(name, "") for key, name in SERVERS.items()},
            }
        )


@dataclass(frozen=True, slots=True)
class _Failed:
    """Where, and under which profiles, a rule failed."""

    finding: view.FindingView
    profiles: dict[str, None] = field(default_factory=dict)
    spots: dict[str, None] = field(default_factory=dict)


def _profiles(finding: view.FindingView, report: Report) -> Iterator[Profile]:
    names = {name for ground in finding.grounds for name in ground.profiles}
    return (profile for profile in report.profiles if visible(profile.id) in names)


def findings(report: Report, lang: str) -> Table:
    """Every finding, with what it rests on; files are named where there are any."""
    made = _table("findings", _findings(report, lang), lang)
    if any(row.cells["files"] for row in made.rows):
        return made
    columns = tuple(column for column in made.form.columns if column.key != "files")
    return replace(made, form=replace(made.form, columns=columns))


def _findings(report: Report, lang: str) -> Iterator[Row]:
    for target in view.targets(report, lang):
        for finding in target.findings:
            yield Row(
                {
                    "target": target.label,
                    "rule": finding.rule,
                    "title": finding.title,
                    "verdict": finding.verdict_word,
                    "severity": finding.grounds[0].severity_word,
                    "evidence": "\n".join(_evidence(finding)),
                    "files": "\n".join(finding.refs),
                    "profiles": "\n".join(p for g in finding.grounds for p in g.profiles),
                    "basis": "\n".join(f"{g.source} [{g.grade_word}]" for g in finding.grounds),
                    "items": "\n".join(finding.items),
                }
            )


def _evidence(finding: view.FindingView) -> Iterator[str]:
    """What a finding rests on, and who answers for it."""
    yield from (line.whole for line in finding.evidence)
    yield from (waived.words for waived in finding.waived)


def waivers(report: Report, lang: str) -> Table:
    """Who answers for which failures, and until when."""
    rows = (Row(asdict(each) | {"expired": ""}) for each in borne.waivers(report, lang))
    return _table("waivers", rows, lang)


def endpoints(report: Report, lang: str) -> Table:
    """What was looked at."""
    return _table("endpoints", _endpoints(report, lang), lang)


def _endpoints(report: Report, lang: str) -> Iterator[Row]:
    for look, target in zip(report.scan.looks, view.targets(report, lang), strict=True):
        counts = {
            word(VERDICTS, verdict, lang): len(target.of(verdict))
            for verdict in (Verdict.FAIL, Verdict.UNKNOWN, Verdict.PASS)
        }
        yield Row(
            {
                "target": target.label,
                "scope": word(SCOPES, look.target.scope, lang),
                "counts": "\n".join(f"{name} {count}" for name, count in counts.items() if count),
                **_place(look),
                **_seen(look, lang),
            }
        )


def _place(look: Look) -> dict[str, str]:
    if (place := look.target.target) is None:
        return {"host": visible(look.target.label or look.target.id)}
    return {
        "host": visible(place.host),
        "port": str(place.port),
        "service": visible(place.service),
        "address": visible(place.address),
    }


def _seen(look: Look, lang: str) -> dict[str, str]:
    tls, certificate = look.seen.get("tls"), look.seen.get("certificate")
    found = {}
    if isinstance(tls, TlsObservation):
        accepted = (v for v, state in tls.versions.items() if state is State.ACCEPTED)
        found["versions"] = "\n".join(map(str, accepted))
    if isinstance(certificate, CertificateObservation):
        leaves = {c.leaf.sha256: c.leaf for c in certificate.asked() if c.certificates}
        found["subject"] = "\n".join(visible(leaf.subject) for leaf in leaves.values())
        found["issuer"] = "\n".join(visible(leaf.issuer) for leaf in leaves.values())
        ends = (leaf.not_after for leaf in leaves.values() if leaf.not_after)
        found["until"] = "\n".join(day(end, lang) for end in ends)
    return found


def unseen(report: Report, lang: str) -> Table:
    """What was not looked at, or could not be settled, and why."""
    return _table("unseen", _unseen(report, lang), lang)


def _unseen(report: Report, lang: str) -> Iterator[Row]:
    _ = voice(lang)

    def row(where: str, what: str, why: str) -> Row:
        return Row({"target": where, "matter": what, "why": why})

    for target in view.targets(report, lang):
        for subject, why in target.missed:
            yield row(target.label, subject, why)
    for subject in SUBJECTS:
        if subject not in report.scan.subjects:
            everywhere = _("everywhere")
            yield row(everywhere, word(SUBJECT_WORDS, subject, lang), _not_asked(lang))
    for checklist in report.checklists:
        titles = {(i.id, p.id): p.title for i in checklist.items for p in i.parts}
        for answer in report.overall(checklist.id):
            for part in answer.parts:
                if part.answer is Answer.UNDETERMINED:
                    name = f"{view.said(checklist.title, lang)} {visible(answer.item)}"
                    what = view.said(titles[answer.item, part.id], lang)
                    yield row(name, what, word(CAUSES, part.cause, lang))


def _not_asked(lang: str) -> str:
    return word(REASONS, "not_asked", lang)
