"""What changed between two scans, and whose doing it is. Pure: reports go in, values come out.

Four origins are kept apart. An old scan judged by what is wanted today, against what was said of it
then, shows what the profile or tlscheck changed; two scans judged alike show what the endpoint
changed; and what could not be seen is the network's.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Set
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial

from tlscheck.changes import bearing, certificates, facts, filling, findings, sight
from tlscheck.changes.change import Accepted, Change, Direction, Origin, standing
from tlscheck.changes.findings import Known, Place
from tlscheck.changes.runs import confirmed, flapping, settled
from tlscheck.model import Finding, Kind, Look, Reason, Scan, Waiver
from tlscheck.observations.certificate import CertificateObservation
from tlscheck.report import Judged, Report
from tlscheck.text import _N

__all__ = [
    "Accepted",
    "Change",
    "Direction",
    "Known",
    "Origin",
    "Past",
    "between",
    "confirmed",
    "flapping",
    "settled",
    "standing",
]

Wants = Mapping[str, Mapping[str, str]]
"""By profile: for each rule a digest of what is wanted of it."""

VERSION = _N("tlscheck {now} judges, before: {before}")
PROFILE = _N("the profile {profile} is another than before")
OWN = _N("judged by the profile {now}, before: {before}")
CHECKLISTS = _N("answered are the checklists {now}, before: {before}")
STANDPOINT = _N("looked from {now}, before from {before}")


@dataclass(frozen=True, slots=True)
class Past:
    """The scan that is compared with, and what is known beside it."""

    scan: Scan
    said: Judged
    """What was said of it then."""
    rejudged: Report
    """What is said of it by today's measure."""
    base: Report
    """The same, of the scan with what nobody asked it from the last that was; see `filling.lent`.
    """
    known: Report
    """The same, where earlier ones fill what it missed; see `filling.filled`."""
    wants: Wants = field(default_factory=dict)
    """What its profiles wanted, where that was kept."""
    borne: Mapping[Waiver, datetime] = field(default_factory=dict)
    """When each waiver was there last."""
    remembered: Mapping[Place, Known] = field(default_factory=dict)
    """The last verdicts that were none of ``unknown``."""


def between(past: Past, scan: Scan, said: Judged, after: Report) -> tuple[Change, ...]:
    """All changes, those of the measure first. *said* is of *scan*'s file, *after* today's word."""
    measured: tuple[Change, ...] = ()
    if (past.scan.version, past.said.profiles) != (scan.version, said.profiles) or (
        past.scan.checklists != scan.checklists
    ):
        measured = tuple(_measure(past, scan, said))
        measured += tuple(_rejudged(past, after))
    measured += tuple(bearing.differences(past.borne, after))
    looked = tuple(_looked(past, scan, after))
    if unlooked := filling.unlooked(scan):
        return (*measured, *(c for c in looked if not _is_of_the_end(c, unlooked)))
    looked += tuple(
        findings.answers(
            past.known.answers, after.answers, looked, Origin.ENDPOINT, past.base.answers
        )
    )
    return (*measured, *looked)


def _is_of_the_end(change: Change, unlooked: Mapping[str, frozenset[str]]) -> bool:
    """Whether *change* comes of the run's early end alone."""
    subjects = unlooked.get(filling.asked(change.target), frozenset())
    if change.subject == "target" or change.kind is Origin.NETWORK:
        return bool(subjects) or any(e.cause == Reason.BUDGET for e in change.evidence)
    return change.subject.partition(".")[0] in subjects


def _measure(past: Past, scan: Scan, said: Judged) -> Iterator[Change]:
    """What is different of the means: the program, the profiles, the checklists."""
    if past.scan.version != scan.version:
        values = {"before": past.scan.version, "now": scan.version}
        yield Change(Origin.TLSCHECK, "", "version", "changed", VERSION, values)
    own, was = next(iter(said.profiles), ""), next(iter(past.said.profiles), "")
    if own != was:
        yield Change(Origin.PROFILE, "", "profile", "own", OWN, {"before": was, "now": own})
    for name, digest in said.profiles.items():
        if name in past.said.profiles and past.said.profiles[name] != digest:
            values = {"profile": name}
            yield Change(Origin.PROFILE, "", "profile", "changed", PROFILE, values)
    if past.scan.checklists != scan.checklists:
        lists = {"before": past.scan.checklists, "now": scan.checklists}
        yield Change(Origin.PROFILE, "", "checklists", "changed", CHECKLISTS, lists)


def _rejudged(past: Past, after: Report) -> Iterator[Change]:
    """What is said otherwise of the old scan today than then."""
    own = next(iter(past.said.profiles), "")
    now = findings.by_profile(past.rejudged.findings, after.profile.id)
    then = findings.by_profile(past.said.findings, own)
    origin = _Origins(past, after)
    told = tuple(findings.differences(then, now, {}, origin))
    told += tuple(findings.first(then, past.rejudged.own(), "wanted", findings.WANTED))
    yield from told
    yield from findings.answers(past.said.answers, past.rejudged.answers, told, Origin.PROFILE)


@dataclass(frozen=True, slots=True)
class _Origins:
    """Whether the profile or tlscheck is behind another verdict on the same scan.

    The profile, where it wants another thing of the rule; where that is not known, where the
    profile is another at all.
    """

    past: Past
    after: Report

    def __call__(self, then: Finding, now: Finding) -> Origin:
        same = (then.severity, then.basis) == (now.severity, now.basis)
        return Origin.TLSCHECK if same and self._same_want(then, now) else Origin.PROFILE

    def _same_want(self, then: Finding, now: Finding) -> bool:
        wanted = {
            self.past.wants[profile].get(now.rule)
            for profile in then.profiles
            if profile in self.past.wants
        }
        today = {
            profile.settings[now.rule].digest
            for profile in self.after.profiles
            if profile.id in now.profiles and now.rule in profile.settings
        }
        if wanted and today:
            return bool(wanted & today)
        digests = {profile.id: profile.digest for profile in self.after.profiles}
        return any(
            self.past.said.profiles.get(profile) == digests.get(profile, "")
            for profile in then.profiles
        )


def _looked(past: Past, scan: Scan, after: Report) -> Iterator[Change]:
    """What two scans that are judged alike show."""
    if past.scan.standpoint.addresses != scan.standpoint.addresses:
        places = {
            "before": past.scan.standpoint.addresses,
            "now": scan.standpoint.addresses,
        }
        yield Change(Origin.NETWORK, "", "standpoint", "changed", STANDPOINT, places)
    yield from sight.comings(past.known.scan, scan)
    then, today = sight.doubts(past.base.findings), sight.doubts(after.findings)
    yield from sight.unseen(past.base.scan, scan, then, today)
    counterparts = sight.pairs(past.known.scan, scan)
    yield from _facts(past, scan, today, counterparts)
    own = after.profile.id
    now = findings.by_profile(after.findings, own)
    was = findings.by_profile(past.known.findings, own)
    paired = _paired(was, now, counterparts)
    renewed = frozenset(
        target
        for look in scan.looks
        if (was_look := counterparts.get(target := look.target.id))
        and certificates.sent(look) != certificates.sent(was_look)
    )
    origin = partial(_of_others, renewed, _hosts(past.known.scan) ^ _hosts(scan))
    for change in findings.differences(paired, now, past.remembered, origin):
        # What is not compared any more is not repaired.
        repaired = change.direction is Direction.BETTER and change.kind is Origin.PROFILE
        yield replace(change, direction=Direction.NEUTRAL) if repaired else change
    yield from findings.first(paired, after.own())


_AMONG = ("certificate.key-reuse", "tls.session-crossing")
"""Rules that compare a target with the others."""


def _hosts(scan: Scan) -> Set[str]:
    return {place.host for look in scan.looks if (place := look.target.target)}


def _of_others(renewed: Set[str], others: Set[str], then: Finding, now: Finding) -> Origin | None:
    """The endpoint's doing, where nothing is in the way but that it sends other certificates; not
    its doing, where it is compared with *others* that are looked at now, or are not any more.
    """
    del then
    if others and now.rule in _AMONG:
        return Origin.PROFILE
    left = {e.cause for e in now.evidence if e.kind is Kind.OPEN}
    other = now.target in renewed and now.rule.startswith("certificate.")
    return Origin.ENDPOINT if other and left == {"not_settled"} else None


def _facts(
    past: Past, scan: Scan, doubts: sight.Doubts, counterparts: Mapping[str, Look]
) -> Iterator[Change]:
    before = sight.doubts(past.known.findings)
    for look in scan.looks:
        target = look.target.id
        if (was := counterparts.get(target)) is None:
            continue
        subjects = doubts.get(target, frozenset()) | before.get(was.target.id, frozenset())
        yield from facts.differences(target, was, look, subjects)
        if "certificate" not in subjects:
            yield from _certificates(target, was, look)


def _certificates(target: str, before: Look, after: Look) -> Iterator[Change]:
    old, new = before.seen.get("certificate"), after.seen.get("certificate")
    if isinstance(old, CertificateObservation) and isinstance(new, CertificateObservation):
        yield from certificates.differences(target, old, new)


def _paired(
    was: findings.ByProfile, now: findings.ByProfile, counterparts: Mapping[str, Look]
) -> findings.ByProfile:
    """The findings of *was* under the targets of *now* that they are compared with."""
    return {
        (profile, rule, target): was[profile, rule, counterparts[target].target.id]
        for profile, rule, target in now
        if target in counterparts and (profile, rule, counterparts[target].target.id) in was
    }
