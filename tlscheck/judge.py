"""From what was seen to findings and answers. Pure: the same scan gives the same report."""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, replace
from functools import partial

from tlscheck import __version__, data, waivers
from tlscheck import checklist as checklists
from tlscheck import profile as profiles
from tlscheck.checklist import Checklist
from tlscheck.model import (
    Evidence,
    Finding,
    Grade,
    Kind,
    Look,
    Missed,
    Note,
    Observation,
    Open,
    Reason,
    Scan,
    Severity,
    State,
    Verdict,
)
from tlscheck.observations.certificate import CertificateObservation, Chain
from tlscheck.profile import Profile, Setting
from tlscheck.report import SUBJECTS, Judged, Report
from tlscheck.rules.core import NotApplicable
from tlscheck.suffixes import registrable

_log = logging.getLogger(__name__)
_KINDS = {kind: subject for subject, kind in SUBJECTS.items()}
_UNRELATED = 3
"""How many unrelated names must show one key or one private issuer to suspect interception."""


@dataclass(frozen=True, slots=True)
class Texts:
    """What to judge by, kept with a scan: it then judges alike wherever it is judged."""

    profiles: Mapping[str, bytes]
    checklists: Mapping[str, bytes]


def foreign(kept: Texts) -> tuple[str, ...]:
    """Those of the *kept* texts that differ from what is installed under their names, or that
    nobody ships.
    """
    shipped = Texts(
        {n: profiles.texts(n)[n] for n in data.profiles() if n in kept.profiles},
        {n: checklists.text(n) for n in data.checklists() if n in kept.checklists},
    )
    return tuple(
        name
        for mine, theirs in (
            (shipped.profiles, kept.profiles),
            (shipped.checklists, kept.checklists),
        )
        for name, text in theirs.items()
        if mine.get(name) != text
    )


def texts(report: Report) -> Texts:
    """What *report* was judged by, as it is installed."""
    own = report.scan.profile
    used = (own, *(p.id for p in report.profiles[1:]))
    return Texts(
        {name: text for each in used for name, text in profiles.texts(each).items()},
        {c.id: checklists.text(c.id) for c in report.checklists},
    )


def judge(
    scan: Scan,
    profile: str | None = None,
    names: Sequence[str] | None = None,
    kept: Texts | None = None,
    *,
    overall: bool = False,
    found: Judged | None = None,
) -> Report:
    """The report on *scan*, by its recorded profile and checklists unless told otherwise, as they
    are installed or, where *kept* is given, by these texts; where *overall* says so without answers
    on each target, which take their time. What was *found* in the scan already stands where this
    version found it by the same profiles. ProfileError, ChecklistError.
    """
    find = partial(profiles.load, kept=kept.profiles if kept else None)
    own = find(profile or scan.profile)
    catalogs = tuple(
        checklists.load(name, kept.checklists if kept else None)
        for name in (names or scan.checklists)
    )
    used = {own.id: own}
    for catalog in catalogs:
        for item in catalog.items:
            name = catalog.profile_of(item, own.id)
            used.setdefault(name, own if name == own.id else find(name))
    doubted = intercepted(scan.looks)
    bearing = _bearing(catalogs, own.id)
    shared = _shared(tuple(used.values()))
    findings: Iterable[Finding]
    if found and scan.version == __version__ and found.profiles == _digests(used.values()):
        findings = found.findings
    else:
        findings = (
            replace(finding, items=_items(bearing, finding))
            for look in scan.looks
            for finding in _findings(look, shared, doubted)
        )
    return _answered(
        Report(
            replace(
                scan, profile=profile or scan.profile, checklists=tuple(c.id for c in catalogs)
            ),
            tuple(findings),
            (),
            tuple(used.values()),
            catalogs,
        ),
        overall=overall,
    )


def _digests(used: Iterable[Profile]) -> Mapping[str, str]:
    return {profile.id: profile.digest for profile in used}


def part(report: Report, targets: Set[str]) -> Report:
    """Of *report* what is about *targets*, with the answers that follow from that.

    The findings stay as they were made: some rest on what was seen elsewhere.
    """
    looks = tuple(look for look in report.scan.looks if look.target.id in targets)
    findings = tuple(f for f in report.findings if f.target in targets)
    return _answered(replace(report, scan=replace(report.scan, looks=looks), findings=findings))


def _answered(report: Report, *, overall: bool = False) -> Report:
    """*report* with the answers that its findings give."""
    used = {profile.id: profile for profile in report.profiles}
    answers = (
        checklists.answers(
            catalog,
            report.findings,
            report.scan.looks,
            profile=report.profile.id,
            profile_rules=lambda name: frozenset(used[name].settings),
            overall=overall,
        )
        for catalog in report.checklists
    )
    whole = tuple(answer for each in answers for answer in each)
    waived = waivers.applied(report.scan, report.findings, whole, report.checklists)
    return replace(report, answers=whole, waived=waived)


def _bearing(
    catalogs: Iterable[Checklist], default: str
) -> Mapping[str, Sequence[tuple[str, str]]]:
    """By rule the items that it bears on, as ``checklist/item``, each with its profile."""
    found: dict[str, list[tuple[str, str]]] = defaultdict(list)
    for catalog in catalogs:
        for item in catalog.items:
            name, judge = f"{catalog.id}/{item.id}", catalog.profile_of(item, default)
            for rule in dict.fromkeys(rule for part in item.parts for rule in part.rules):
                found[rule].append((name, judge))
    return found


def _items(bearing: Mapping[str, Sequence[tuple[str, str]]], finding: Finding) -> tuple[str, ...]:
    return tuple(n for n, judge in bearing.get(finding.rule, ()) if judge in finding.profiles)


def _shared(used: Sequence[Profile]) -> Sequence[tuple[Setting, tuple[str, ...]]]:
    """Each distinct (rule, want, weight), with the profiles that have it."""
    shared: dict[str, list[tuple[Setting, list[str]]]] = defaultdict(list)
    for profile in used:
        for rule, setting in profile.settings.items():
            same = next((s for s in shared[rule] if _same(s[0], setting)), None)
            if same:
                same[1].append(profile.id)
            else:
                shared[rule].append((setting, [profile.id]))
    return [(setting, tuple(names)) for each in shared.values() for setting, names in each]


def _findings(
    look: Look, shared: Sequence[tuple[Setting, tuple[str, ...]]], doubted: frozenset[str]
) -> Iterable[Finding]:
    """What those of *shared* find that apply to *look*."""
    for setting, names in shared:
        if made := found(look, setting, names, doubted):
            yield made


def found(
    look: Look, setting: Setting, names: tuple[str, ...], doubted: frozenset[str]
) -> Finding | None:
    """What one rule, as one want, finds on one target; ``None`` where its matter was not asked.

    *doubted* are the targets whose TLS is not their own (`intercepted`).
    """
    inputs = [_input(look, kind, doubted) for kind in setting.rule.needs]
    return None if None in inputs else _finding(look, setting, names, inputs)


def _same(one: Setting, other: Setting) -> bool:
    return (one.want, one.severity, one.basis) == (other.want, other.severity, other.basis)


def _input(
    look: Look, kind: type[Observation], doubted: frozenset[str]
) -> Observation | Missed | None:
    """What a rule gets: what was seen, why it was missed, or ``None`` where nobody asked."""
    subject = _KINDS[kind]
    if subject in look.seen:
        if look.target.id in doubted and subject in ("tls", "certificate"):
            return Missed(subject, Reason.INTERCEPTED)
        return look.seen[subject]
    return next((m for m in look.missed if m.kind == subject), None)


_PLACES = {str(kind): place for place, kind in enumerate(Kind)}
"""In which order evidence is told."""


def _finding(
    look: Look,
    setting: Setting,
    names: tuple[str, ...],
    inputs: Sequence[Observation | Missed | None],
) -> Finding:
    def made(verdict: Verdict, evidence: Iterable[Evidence]) -> Finding:
        plain = tuple(
            Evidence(e.code, e.template, e.values, e.refs, e.cause, e.kind) for e in evidence
        )
        return Finding(
            setting.rule.id,
            look.target.id,
            verdict,
            setting.severity,
            tuple(sorted(plain, key=lambda e: _PLACES[e.kind])),
            names,
            setting.basis,
        )

    for item in inputs:
        if isinstance(item, Missed):
            if item.reason is Reason.NOT_APPLICABLE:
                return made(
                    Verdict.NOT_APPLICABLE,
                    [Note("missed", "not looked at: {detail}", detail=item.detail)],
                )
            return made(Verdict.UNKNOWN, [_missed(item)])
    try:
        evidence = setting.rule(*inputs, *(() if setting.want is None else (setting.want,)))
    except NotApplicable as reason:
        return made(Verdict.NOT_APPLICABLE, [reason.evidence])
    except Exception:  # noqa: BLE001 - one broken rule must not cost the whole report
        _log.exception("rule %s on %s", setting.rule.id, look.target.id)
        return made(
            Verdict.UNKNOWN,
            [Open("bug", "the rule itself failed; please report this", cause=Reason.BUG)],
        )
    verdict = _verdict(evidence)
    if verdict is Verdict.FAIL and setting.basis.grade is Grade.UNVERIFIED:
        question = Open(
            "unverified",
            "it is not verified that this is wanted: {source}",
            cause="open_question",
            source=setting.basis.source,
        )
        return made(
            Verdict.UNKNOWN,
            [question, *(e if e.kind is Kind.OPEN else _as(e, Kind.NOTE) for e in evidence)],
        )
    return made(verdict, evidence)


def _as(e: Evidence, kind: Kind) -> Evidence:
    return Evidence(e.code, e.template, e.values, e.refs, e.cause, kind)


def _missed(missed: Missed) -> Evidence:
    if missed.detail:
        return Open(
            "missed",
            "not looked at: {reason} ({detail})",
            cause=missed.reason,
            reason=missed.reason,
            detail=missed.detail,
        )
    return Open("missed", "not looked at: {reason}", cause=missed.reason, reason=missed.reason)


def _verdict(evidence: Iterable[Evidence]) -> Verdict:
    kinds = {e.kind for e in evidence}
    if Kind.PROBLEM in kinds:
        return Verdict.FAIL
    return Verdict.UNKNOWN if Kind.OPEN in kinds else Verdict.PASS


def intercepted(looks: Sequence[Look]) -> frozenset[str]:
    """The targets whose TLS is not their own: something between answers for unrelated names.

    One leaf key, or one issuer, over names of different domains, that no public store knows and
    that was not given as trusted.
    """
    shown: Mapping[str, set[tuple[str, str]]] = defaultdict(set)
    for look in looks:
        seen = look.seen.get("certificate")
        if not isinstance(seen, CertificateObservation) or look.target.target is None:
            continue
        for chain in seen.chains:
            if chain.certificates and _private(chain):
                host = look.target.target.host
                shown[f"key {chain.leaf.spki_sha256}"].add((host, look.target.id))
                shown[f"issuer {chain.leaf.issuer}"].add((host, look.target.id))
    return frozenset(
        target
        for what, several in shown.items()
        if what not in ("key ", "issuer ")
        and len({host for host, _ in several}) >= _UNRELATED
        and len({registrable(host) for host, _ in several} - {""}) >= _UNRELATED
        for _, target in several
    )


def _private(chain: Chain) -> bool:
    given = chain.ca_file is not None and chain.ca_file.state is State.ACCEPTED
    refused = all(word.state is State.REFUSED for word in chain.trust.values())
    return bool(chain.trust) and refused and not given


def exit_code(report: Report, fail_on: str = "low") -> int:
    """1: a failure at or above *fail_on*; 3: something asked could not be looked at; else 0.

    Open policy questions, what must be declared, subjects that nobody asked and failures under a
    waiver that has not expired cause none of them. Never 0 when nobody answered.
    """

    own = report.own()
    limit = Severity(fail_on).rank
    borne = waivers.in_force(report.waived)
    failed = (f for f in own if f.verdict is Verdict.FAIL and f.severity.rank <= limit)
    if any(waivers.covered(finding) not in borne for finding in failed):
        return 1
    looks = report.scan.looks
    if any(_unseen(f) for f in own) or not looks or any(_unanswered(look) for look in looks):
        return 3
    return 0


def _unanswered(look: Look) -> bool:
    """Whether nobody answered, though somebody could have."""
    could = [m for m in look.missed if m.reason is not Reason.NOT_APPLICABLE]
    return not look.seen and bool(could or not look.missed)


_NOBODYS = ("open_question", Reason.NOT_ASKED, Reason.TO_DECLARE)
"""Causes for which no look is to blame."""


def _unseen(finding: Finding) -> bool:
    return finding.verdict is Verdict.UNKNOWN and any(
        e.kind is Kind.OPEN and e.cause not in _NOBODYS for e in finding.evidence
    )
