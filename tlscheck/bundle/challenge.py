"""Two looks at the same endpoints: what the second confirms, what it contradicts, what is open."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum

from tlscheck.model import Finding, Look, Observation, State, Verdict
from tlscheck.observations.certificate import CertificateObservation
from tlscheck.observations.tls import TlsObservation
from tlscheck.report import Report
from tlscheck.text import STATES, VERDICTS, Phrase
from tlscheck.wire.registry import Version


class Mark(StrEnum):
    """How the second look compares with the first."""

    AGREES = "agrees"
    DIFFERS = "differs"
    OPEN = "open"
    """The first look settled it, this one did not."""


@dataclass(frozen=True, slots=True)
class Line:
    """One thing compared, at one target."""

    mark: Mark
    target: str
    words: Phrase


def compare(before: Report, after: Report) -> tuple[Line, ...]:
    """*after* held against *before*, for the targets of both. What was not settled before is left
    out: it claims nothing.
    """
    then = {look.target.target: look for look in before.scan.looks if look.target.target}
    both = [(then[p], now) for now in after.scan.looks if (p := now.target.target) in then]
    dark = {old.target.id: _dark(old, now, after.scan.subjects) for old, now in both}
    lines = [line for old, now in both for line in _look(old, now, dark[old.target.id])]
    names = {old.target.id: now.target.id for old, now in both}
    return (*lines, *_findings(before, after, names, dark))


def _dark(then: Look, now: Look, asked: Collection[str]) -> tuple[str, ...]:
    """The subjects that were seen then, and of which nothing at all is seen now: those *asked* for
    again, and those that are compared whatever a bundle says was asked for.
    """
    known = {*asked, "tls", "certificate"}
    return tuple(s for s in then.seen if s in known and not _settles(now.seen.get(s)))


def _settles(seen: Observation | None) -> bool:
    return any(_facts(seen)) if isinstance(seen, TlsObservation) else seen is not None


def _look(then: Look, now: Look, dark: Collection[str]) -> Iterator[Line]:
    yield from (_unseen(now, subject) for subject in dark)
    old, new = then.seen.get("tls"), now.seen.get("tls")
    if isinstance(old, TlsObservation) and isinstance(new, TlsObservation) and "tls" not in dark:
        yield from _states(now.target.id, dict(_facts(old)), new)
    shown, shows = then.seen.get("certificate"), now.seen.get("certificate")
    if isinstance(shown, CertificateObservation) and isinstance(shows, CertificateObservation):
        yield _leaves(now.target.id, shown, shows)


def _unseen(now: Look, subject: str) -> Line:
    """One line for all that stays open of a subject."""
    why = (missed for missed in now.missed if missed.kind.partition(".")[0] == subject)
    if (missed := next(why, None)) is None:
        words = Phrase("{looked}: nothing was seen this time", looked=subject)
    elif missed.detail:
        words = Phrase(
            "{looked}: nothing was seen this time: {reason} ({detail})",
            looked=subject,
            reason=missed.reason,
            detail=missed.detail,
        )
    else:
        words = Phrase(
            "{looked}: nothing was seen this time: {reason}", looked=subject, reason=missed.reason
        )
    return Line(Mark.OPEN, now.target.id, words)


Fact = tuple[str, str, str]
"""A version, a dimension of it (or none) and a name in that (or none)."""
_DIMENSIONS = ("suites", "groups", "schemes")


def _facts(seen: TlsObservation) -> Iterator[tuple[Fact, State]]:
    """What was settled."""
    for version, state in seen.versions.items():
        if state is not State.UNKNOWN:
            yield (version, "", ""), state
    for dimension in _DIMENSIONS:
        accepted: Mapping[Version, tuple[str, ...]] = getattr(seen, dimension)
        for version, names in accepted.items():
            yield from (((version, dimension, name), State.ACCEPTED) for name in names)
        for version, several in seen.refused.items():
            refused = getattr(several, dimension)
            yield from (((version, dimension, name), State.REFUSED) for name in refused)


def _states(target: str, facts: Mapping[Fact, State], new: TlsObservation) -> Iterator[Line]:
    """One line for each version and dimension that agree, and one for each name that does not."""
    agreed = Counter[tuple[str, str]]()
    for (version, dimension, name), was in facts.items():
        what = " ".join(filter(None, (version, dimension, name)))
        now = _now(new, version, dimension, name)
        if now is was:
            agreed[version if dimension else "", dimension] += 1
        else:
            mark = Mark.OPEN if now is State.UNKNOWN else Mark.DIFFERS
            words = _turned(what, STATES[was], STATES[now])
            yield Line(mark, target, words)
    for (version, dimension), count in agreed.items():
        yield Line(Mark.AGREES, target, _agreed(version, dimension, count))


def _agreed(version: str, dimension: str, count: int) -> Phrase:
    match dimension:
        case "suites":
            return Phrase("{version}: {n} suites agree", version=version, n=count)
        case "groups":
            return Phrase("{version}: {n} groups agree", version=version, n=count)
        case "schemes":
            return Phrase("{version}: {n} signature schemes agree", version=version, n=count)
    return Phrase("{n} versions agree", n=count)


def _now(new: TlsObservation, version: str, dimension: str, name: str) -> State:
    state = new.versions.get(Version(version), State.UNKNOWN)
    # Of a version that is refused nothing more is asked: what it took is refused with it.
    if not dimension or state is State.REFUSED:
        return state
    return new.settled(Version(version), dimension, name)


def _leaves(target: str, shown: CertificateObservation, shows: CertificateObservation) -> Line:
    then = {chain.leaf.sha256 for chain in shown.asked() if chain.certificates}
    now = {chain.leaf.sha256 for chain in shows.asked() if chain.certificates}
    if then == now:
        return Line(Mark.AGREES, target, Phrase("the same {n} certificates are shown", n=len(then)))
    if now < then and (shows.unseen or shows.maybe_more):
        words = Phrase("{n} of {all} certificates were seen again", n=len(now), all=len(then))
        return Line(Mark.OPEN, target, words)
    words = Phrase(
        "other certificates: {was} then, {now} now", was=tuple(sorted(then)), now=tuple(sorted(now))
    )
    return Line(Mark.DIFFERS, target, words)


def _turned(what: str, was: str, now: str) -> Phrase:
    return Phrase(
        "{what}: {was} then, {now} now",
        what=what,
        was=Phrase("{detail}", detail=was),
        now=Phrase("{detail}", detail=now),
    )


# ---- findings --------------------------------------------------------------------------------

_SETTLED = (Verdict.PASS, Verdict.FAIL)


def _findings(
    before: Report, after: Report, names: Mapping[str, str], dark: Mapping[str, Collection[str]]
) -> Iterator[Line]:
    """What the rules made of it: a verdict that was reached, and is another one now. *names* are
    those of the targets then and now; what is open for a subject is *dark* was told of that.
    """
    now = {_key(finding, finding.target): finding.verdict for finding in after.findings}
    looked = set(after.scan.subjects)
    agreed: dict[str, int] = {}
    for finding in before.findings:
        about = finding.rule.partition(".")[0]
        if finding.target not in names or about not in looked or finding.verdict not in _SETTLED:
            continue
        verdict = now.get(_key(finding, names[finding.target]), Verdict.UNKNOWN)
        if verdict is finding.verdict:
            agreed[finding.target] = agreed.get(finding.target, 0) + 1
            continue
        mark = Mark.DIFFERS if verdict in _SETTLED else Mark.OPEN
        if mark is Mark.OPEN and about in dark[finding.target]:
            continue
        words = _turned(finding.rule, VERDICTS[finding.verdict], VERDICTS[verdict])
        yield Line(mark, finding.target, words)
    for target, count in agreed.items():
        yield Line(Mark.AGREES, target, Phrase("{n} findings agree", n=count))


def _key(finding: Finding, target: str) -> tuple[str, str, tuple[str, ...]]:
    return finding.rule, target, finding.profiles
