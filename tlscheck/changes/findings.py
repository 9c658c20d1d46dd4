"""How verdicts and answers differ, by rule, target and code of the problem."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from tlscheck.changes.change import Change, Direction, Origin
from tlscheck.checklist import ItemAnswer
from tlscheck.model import Answer, Evidence, Finding, Kind, Reason, Severity, Verdict
from tlscheck.text import _N

NETWORK = frozenset(
    {
        Reason.UNRESOLVED,
        Reason.UNREACHABLE,
        Reason.TIMEOUT,
        Reason.RESET,
        Reason.CLOSED,
        Reason.BANNED,
        Reason.BUDGET,
        Reason.FILTERED,
        Reason.INTERCEPTED,
        Reason.LIMITED,
        Reason.CLOCK,
    }
)
"""Reasons that say nothing of the endpoint."""
OURS = frozenset({Reason.CHILD, Reason.CRYPTOGRAPHY, Reason.BUG})
_OF_OTHERS = frozenset({"missed", "alone", "unseen-elsewhere"})
"""Codes of evidence that the subject as a whole, or other targets, were not seen: that is told once
and not by rule."""
_NOT_ASKED = "not-asked"
"""The code of evidence that nobody asked, this time."""
VERDICT = _N("{verdict}, before: {verdict_before}")
FIRST = _N("{verdict}, where nobody had looked before")
WANTED = _N("{verdict}; it was not asked for before")
GONE = _N("a problem is gone; {verdict}, before: {verdict_before}")
ANSWER = _N("{answer}, before: {answer_before}")

Place = tuple[str, str]
"""A rule and a target."""
ByProfile = Mapping[tuple[str, str, str], Finding]
"""Findings by profile, rule and target. The run's own profile goes by an empty name."""


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of one rule on one target."""

    verdict: Verdict
    codes: frozenset[str]
    """The codes of its problems."""


def origin_of(cause: str) -> Origin:
    """Whose doing it is that something is not known, by the cause that its evidence names."""
    if cause in NETWORK or cause == "not_settled":
        return Origin.NETWORK
    if cause in OURS:
        return Origin.TLSCHECK
    return Origin.PROFILE if cause == Reason.NOT_ASKED else Origin.ENDPOINT


def known(finding: Finding) -> Known:
    """What *finding* says, without its sentences."""
    codes = frozenset(e.code for e in _problems(finding))
    settled = codes or not _unlooked(finding)
    return Known(finding.verdict if settled else Verdict.UNKNOWN, codes)


def by_profile(findings: Iterable[Finding], own: str) -> ByProfile:
    """The findings of a report whose own profile is *own*."""
    return {
        ("" if profile == own else profile, finding.rule, finding.target): finding
        for finding in findings
        for profile in finding.profiles
    }


def differences(
    before: ByProfile,
    after: ByProfile,
    remembered: Mapping[Place, Known],
    origin: Callable[[Finding, Finding], Origin | None] = lambda then, now: None,
) -> Iterator[Change]:
    """What became of each finding that is in both, the run's own profile first.

    *remembered* holds the last verdicts that were none of ``unknown``, under the run's own profile.
    Where *origin* knows nothing, the endpoint or the network is behind it, as the evidence says.
    """
    told = set[tuple[str, str, str]]()
    for name in sorted(before.keys() & after.keys()):
        was, now = known(before[name]), after[name]
        if was.verdict is Verdict.UNKNOWN and now.verdict is Verdict.UNKNOWN:
            continue
        if was.verdict is Verdict.UNKNOWN:
            was = remembered.get(name[1:], was)
        for change in _finding(was, before[name], now, origin(before[name], now)):
            # Another profile that minds the same tells nothing new.
            if (mark := (change.target, change.subject, change.code)) not in told:
                told.add(mark)
                yield change


def _finding(was: Known, then: Finding, now: Finding, fixed: Origin | None) -> Iterator[Change]:
    """How *now* differs from *was*, which *then* or an earlier finding said."""
    values = {"verdict": str(now.verdict), "verdict_before": str(was.verdict)}

    def made(code: str, template: str, direction: Direction, *evidence: Evidence) -> Change:
        severity = then.severity if direction is Direction.BETTER else now.severity
        origin = fixed or _why(now)
        return Change(
            origin, now.target, now.rule, code, template, values, severity, direction, evidence
        )

    codes, settled = known(now).codes, known(now).verdict is not Verdict.UNKNOWN
    new, gone = codes - was.codes, was.codes - codes
    # One problem in the place of another is no improvement, nor the other way round.
    light = bool(new and gone) and now.severity is Severity.INFO
    for code in sorted(new):
        worse = Direction.NEUTRAL if light else Direction.WORSE
        yield made(code, VERDICT, worse, *_of(now, code))
    for code in sorted(gone) if settled else ():
        better = Direction.NEUTRAL if new else Direction.BETTER
        yield made(code, GONE, better, *_of(then, code))
    seen_again = _unlooked(then) and now.verdict in (Verdict.PASS, Verdict.NOT_APPLICABLE)
    if not seen_again and (codes == was.codes or not settled):
        yield from _moved(was, now, made)


def _moved(was: Known, now: Finding, made: Callable[..., Change]) -> Iterator[Change]:
    """The verdict alone, where no code of a problem tells of it."""
    if was.verdict is now.verdict or _missed(now):
        return
    direction = _DIRECTIONS.get((was.verdict, now.verdict), Direction.NEUTRAL)
    evidence = [e for e in now.evidence if e.kind is Kind.OPEN]
    yield made("verdict", VERDICT, direction, *evidence)


_DIRECTIONS = {
    (Verdict.PASS, Verdict.UNKNOWN): Direction.WORSE,
    (Verdict.UNKNOWN, Verdict.PASS): Direction.BETTER,
    (Verdict.FAIL, Verdict.PASS): Direction.BETTER,
    (Verdict.PASS, Verdict.FAIL): Direction.WORSE,
    (Verdict.NOT_APPLICABLE, Verdict.FAIL): Direction.WORSE,
    (Verdict.UNKNOWN, Verdict.FAIL): Direction.WORSE,
}


def first(
    before: ByProfile, after: Iterable[Finding], code: str = "first", template: str = FIRST
) -> Iterator[Change]:
    """What fails *after* where there was no finding *before*: nobody had looked, or wanted it."""
    for finding in after:
        if finding.verdict is Verdict.FAIL and ("", finding.rule, finding.target) not in before:
            yield Change(
                Origin.PROFILE,
                finding.target,
                finding.rule,
                code,
                template,
                {"verdict": str(finding.verdict)},
                finding.severity,
                Direction.WORSE,
                tuple(_problems(finding)),
            )


def _why(finding: Finding) -> Origin:
    """Whose doing it is that *finding* says this; where it is unknown, the endpoint's if one cause
    is.
    """
    if finding.verdict is not Verdict.FAIL and any(e.code == _NOT_ASKED for e in finding.evidence):
        return Origin.PROFILE
    if finding.verdict is not Verdict.UNKNOWN:
        return Origin.ENDPOINT
    found = {origin_of(e.cause) for e in finding.evidence if e.kind is Kind.OPEN}
    return next((each for each in Origin if each in found), Origin.NETWORK)


def _missed(finding: Finding) -> bool:
    """Whether what it takes was not seen, which is told once and not by rule."""
    return any(e.code in _OF_OTHERS for e in finding.evidence)


def _unlooked(finding: Finding) -> bool:
    """Whether what it takes was not seen, or nobody asked."""
    return any(e.code in (*_OF_OTHERS, _NOT_ASKED) for e in finding.evidence)


def _problems(finding: Finding) -> Sequence[Evidence]:
    return [e for e in finding.evidence if e.kind is Kind.PROBLEM]


def _of(finding: Finding, code: str) -> Sequence[Evidence]:
    return [e for e in _problems(finding) if e.code == code]


def answers(
    before: Iterable[ItemAnswer],
    after: Iterable[ItemAnswer],
    told: Sequence[Change],
    rest: Origin,
    last: Iterable[ItemAnswer] = (),
) -> Iterator[Change]:
    """How the overall answers differ, but for those that were the same in the *last* scan: from
    those *before*, or, where it is as before again, from the last.

    An answer differs for the reason for which its findings do, as *told*; where none of them does,
    for what left it undetermined, else for the *rest*.
    """
    origins = {(change.subject, change.target): change.kind for change in told}
    missed = {change.target: change.kind for change in told if change.code in _SIGHTS}
    old = {(a.checklist, a.item): a for a in before if a.target is None}
    latest = {(a.checklist, a.item): a for a in last if a.target is None}
    for now in after:
        known = old.get((now.checklist, now.item))
        if now.target is not None or known is None:
            continue
        newest = latest.get((now.checklist, now.item), known)
        if newest.answer is now.answer:
            continue
        was = newest if known.answer is now.answer else known
        places = [tuple(each.partition("@")[::2]) for each in now.findings]
        found = {origins[place] for place in places if place in origins}
        found |= {missed[target] for _, target in places if target in missed}
        if not found:
            left = (a for a in (was, now) if a.answer is Answer.UNDETERMINED)
            found = {origin_of(part.cause) for a in left for part in a.parts if part.cause}
        yield Change(
            next((each for each in Origin if each in found), rest),
            "",
            f"{now.checklist}/{now.item}",
            "answer",
            ANSWER,
            {"answer": str(now.answer), "answer_before": str(was.answer)},
            Severity.INFO,
            _direction(was.answer, now.answer),
        )


_SIGHTS = ("unseen", "seen-again")


def _direction(was: Answer, now: Answer) -> Direction:
    if Answer.NOT_APPLICABLE in (was, now):
        return Direction.NEUTRAL
    if now.rank < was.rank:
        return Direction.WORSE
    return Direction.NEUTRAL if now is Answer.UNDETERMINED else Direction.BETTER
