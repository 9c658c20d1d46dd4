"""Claims held against a scan. Pure: the same claims and the same scan come to the same.

Nothing here confirms what a look left open: a claim is confirmed only where every target that it
speaks of settles it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

from tlscheck import checklist, targets
from tlscheck.judge import found, intercepted
from tlscheck.model import (
    Evidence,
    Finding,
    Kind,
    Look,
    Open,
    Reason,
    Scan,
    Scope,
    Verdict,
)
from tlscheck.profile import Setting
from tlscheck.verify import kinds
from tlscheck.verify.claims import Claim, Claims, Unread
from tlscheck.verify.facts import shown


class Standing(StrEnum):
    """What becomes of a claim, worst first."""

    CONTRADICTED = "contradicted"
    UNSETTLED = "unsettled"
    """A look could settle it, and this one did not."""
    NOT_OBSERVABLE = "not_observable"
    """No look from outside can settle it; a document has to."""
    CONFIRMED = "confirmed"

    @property
    def rank(self) -> int:
        """Position from the worst (0) on."""
        return list(Standing).index(self)


@dataclass(frozen=True, slots=True)
class Spot:
    """What one target says of a claim."""

    target: str
    standing: Standing
    evidence: tuple[Evidence, ...]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one claim: the worst of its targets."""

    claim: Claim
    standing: Standing
    spots: tuple[Spot, ...]
    evidence: tuple[Evidence, ...] = ()
    """Why nothing was found at all."""

    @property
    def unseen(self) -> bool:
        """Whether another look could tell more."""
        causes = [e.cause for e in self.evidence if e.kind is Kind.OPEN]
        causes += [e.cause for s in self.spots for e in s.evidence if e.kind is Kind.OPEN]
        return self.standing is Standing.UNSETTLED and any(
            c not in _SETTLES_NOTHING for c in causes
        )


_SETTLES_NOTHING = ("open_question", Reason.TO_DECLARE.value)


@dataclass(frozen=True, slots=True)
class Verification:
    """All claims of a file, held against a scan."""

    file: str
    scan: Scan
    outcomes: tuple[Outcome, ...]
    unread: tuple[Unread, ...]

    def count(self, standing: Standing) -> int:
        """How many claims came to that."""
        return sum(1 for outcome in self.outcomes if outcome.standing is standing)


def verify(claims: Claims, scan: Scan) -> Verification:
    """Each claim against what was seen. ProfileError."""
    doubted = intercepted(scan.looks)
    outcomes = tuple(_outcome(claim, scan, doubted) for claim in claims.claims)
    return Verification(claims.file, scan, outcomes, claims.unread)


def exit_code(made: Verification) -> int:
    """1: something is contradicted; 3: a look could tell more, or nothing was claimed; else 0."""
    if made.count(Standing.CONTRADICTED):
        return 1
    return 3 if not made.outcomes or any(outcome.unseen for outcome in made.outcomes) else 0


def subjects(claims: Iterable[Claim]) -> tuple[str, ...]:
    """What must be looked at to settle *claims*. ProfileError."""
    needed = (_subject(s) for claim in claims for s in kinds.settings(claim))
    return tuple(dict.fromkeys(needed))


def _subject(setting: Setting) -> str:
    return setting.rule.id.partition(".")[0]


def _outcome(claim: Claim, scan: Scan, doubted: frozenset[str]) -> Outcome:
    meant = [k for k in scan.looks if not claim.target or targets.is_meant(claim.target, k.target)]
    if not meant:
        gap = Open(
            "no-target",
            "the scan has no target {target}",
            cause=Reason.NOT_ASKED,
            target=claim.target or "-",
        )
        return Outcome(claim, Standing.UNSETTLED, (), (gap,))
    wanted = kinds.settings(claim)
    spots = tuple(s for look in meant for s in _spots(claim, wanted, look, scan, doubted))
    if not spots:
        asked = tuple(dict.fromkeys(map(_subject, wanted)))
        gap = Open(
            "not-asked",
            "nothing was looked at that could settle it: {subjects}",
            cause=Reason.NOT_ASKED,
            subjects=asked,
        )
        return Outcome(claim, Standing.UNSETTLED, (), (gap,))
    return Outcome(claim, min((s.standing for s in spots), key=lambda s: s.rank), spots)


def _spots(
    claim: Claim,
    wanted: Sequence[Setting],
    look: Look,
    scan: Scan,
    doubted: frozenset[str],
) -> Iterator[Spot]:
    """What *look* says of the claim; nothing where the claim does not speak of such a target."""
    wanted = [setting for setting in wanted if _concerns(setting, look)]
    if not wanted:
        return
    judged = [found(look, setting, (), doubted) for setting in wanted]
    evidence = [e for f in judged if f for e in f.evidence]
    evidence += [_absent(s, look) for s, f in zip(wanted, judged, strict=True) if f is None]
    standing = _standing([f for f in judged if f], evidence)
    if standing is Standing.CONFIRMED and (limit := _limit(look, scan)):
        standing, evidence = Standing.UNSETTLED, [*evidence, limit]
    if standing is Standing.CONFIRMED or standing is Standing.CONTRADICTED:
        evidence += shown(claim.kind, look)
    ordered = sorted(dict.fromkeys(map(_Same, evidence)), key=lambda e: list(Kind).index(e.it.kind))
    yield Spot(look.target.id, standing, tuple(e.it for e in ordered))


class _Same:
    """Evidence that is the same where it says the same."""

    def __init__(self, it: Evidence) -> None:
        self.it = Evidence(it.code, it.template, it.values, it.refs, it.cause, it.kind)
        self._key = (it.template, repr(sorted(it.values.items())), it.kind)

    def __hash__(self) -> int:
        return hash(self._key)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Same) and self._key == other._key


def _concerns(setting: Setting, look: Look) -> bool:
    """Whether the setting speaks of such a target: HTTP of web servers alone."""
    place = look.target.target
    if _subject(setting) == "http" and place is not None and place.service != "https":
        return False
    return checklist.applies(setting.rule.id, look)


def _absent(setting: Setting, look: Look) -> Open:
    reason = checklist.absence(setting.rule.id, look)
    return Open("missed", "not looked at: {reason}", cause=reason, reason=reason)


def _standing(judged: Sequence[Finding], evidence: Sequence[Evidence]) -> Standing:
    verdicts = {finding.verdict for finding in judged}
    if Verdict.FAIL in verdicts:
        return Standing.CONTRADICTED
    causes = {e.cause for e in evidence if e.kind is Kind.OPEN}
    if causes - {Reason.TO_DECLARE.value} or not verdicts:
        return Standing.UNSETTLED
    if causes or Verdict.PASS not in verdicts:
        return Standing.NOT_OBSERVABLE
    return Standing.CONFIRMED


def _limit(look: Look, scan: Scan) -> Open | None:
    """What keeps a target from speaking for all addresses of its name."""
    place, family = look.target.target, scan.standpoint.family
    if look.target.scope is Scope.ENDPOINT and place and place.host != place.address and family:
        return Open(
            "family",
            "only IPv{family} addresses of {host} were looked at",
            cause=Reason.NOT_ASKED,
            family=family,
            host=place.host,
        )
    return None
