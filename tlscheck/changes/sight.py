"""What was looked at, then and now: targets that come and go, subjects that could not be seen."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Set

from tlscheck.changes.change import Change, Direction, Origin
from tlscheck.changes.findings import origin_of
from tlscheck.model import Finding, Look, Missed, Reason, Scan, Scope, Severity, Target, Value
from tlscheck.text import _N

UNSEEN = _N("{looked}: it could not be looked at: {reason}")
UNSEEN_FOR = _N("{looked}: it could not be looked at: {reason} ({detail})")
SEEN = _N("{looked}: seen again; the time before: {reason}")
SEEN_NOW = _N("{looked}: seen now; the time before: {reason}")
ADDRESS_NEW = _N("the name leads to another address now")
ADDRESS_GONE = _N("the name does not lead to this address any more")
ASKED = _N("it is looked at for the first time")
NOT_ASKED = _N("it is not looked at any more")
SUBJECT_NOT_ASKED = _N("{looked}: it is not asked for any more")


def pairs(before: Scan, after: Scan) -> Mapping[str, Look]:
    """For each target of *after* what it is compared with in *before*.

    An address that is new is compared with one of the same name and port, best one that is gone.
    """
    old = {look.target.id: look for look in before.looks}
    now = {look.target.id for look in after.looks}
    found = {}
    for look in after.looks:
        others = [each for each in before.looks if _name(each.target) == _name(look.target)]
        others.sort(key=lambda each: (each.target.id in now, not _alike(each, look)))
        if counterpart := old.get(look.target.id) or next(iter(others), None):
            found[look.target.id] = counterpart
    return found


def _name(target: Target) -> tuple[str, str, int]:
    """What an endpoint is an address of; of everything else the id."""
    place = target.target
    if place is None or target.scope is not Scope.ENDPOINT:
        return target.id, "", 0
    return place.service, place.host, place.port


def _alike(one: Look, other: Look) -> bool:
    """Whether both are addresses of one family."""
    families = [":" in look.target.target.address for look in (one, other) if look.target.target]
    return len(set(families)) == 1


def comings(before: Scan, after: Scan) -> Iterator[Change]:
    """The targets that are in one of both scans only."""
    yield from _only_in(after, before, ("target-new", ASKED), ("address-new", ADDRESS_NEW))
    yield from _only_in(before, after, ("target-gone", NOT_ASKED), ("address-gone", ADDRESS_GONE))


Told = tuple[str, str]
"""A code and its template."""


def _only_in(one: Scan, other: Scan, target: Told, address: Told) -> Iterator[Change]:
    ids = {look.target.id for look in other.looks}
    names = {_name(look.target) for look in other.looks}
    here = {place.address for look in one.looks if (place := look.target.target)}
    for look in one.looks:
        it = look.target
        if it.id in ids or _is_told_otherwise(look, other):
            continue
        if it.scope is Scope.ENDPOINT and _name(it) in names:
            yield Change(Origin.ENDPOINT, it.id, "target", *address)
        elif it.scope is Scope.ENDPOINT or it.id not in here:
            yield Change(Origin.PROFILE, it.id, "target", *target)


def _is_told_otherwise(look: Look, other: Scan) -> bool:
    """Whether *other* has the addresses of the name that *look* is about, or has the name of this
    address, which does not resolve.
    """
    if look.target.scope is Scope.NAME:
        return any(within(each.target.id, look.target.id) for each in other.looks)
    return any(unresolved(each) and within(look.target.id, each.target.id) for each in other.looks)


def unresolved(look: Look) -> bool:
    """Whether it is of a name that led nowhere."""
    return look.target.scope is Scope.NAME and any(
        missed.reason is Reason.UNRESOLVED for missed in look.missed
    )


def within(target: str, name: str) -> bool:
    """Whether a target is what *name* names, or an address of it."""
    return target == name or target.startswith(f"{name}#")


Doubts = Mapping[str, frozenset[str]]
"""By target, the subjects that were seen and of which nothing can be said: something intercepts."""


def doubts(findings: Iterable[Finding]) -> Doubts:
    """What the judge doubted."""
    found: dict[str, frozenset[str]] = {}
    for finding in findings:
        if any(e.code == "missed" and e.cause == Reason.INTERCEPTED for e in finding.evidence):
            found[finding.target] = frozenset({"tls", "certificate"})
    return found


def unseen(before: Scan, after: Scan, doubts_then: Doubts, doubts_now: Doubts) -> Iterator[Change]:
    """The subjects that were seen in *before* and missed in *after*, and the reverse.

    Of what nobody had looked at there is nothing to tell.
    """
    counterparts = pairs(before, after)
    for look in after.looks:
        was = counterparts.get(look.target.id)
        if was is None:
            if unresolved(look) and _is_told_otherwise(look, before):
                yield from (_lost(look.target.id, missed) for missed in look.missed)
            continue
        then, now = _missing(was, doubts_then), _missing(look, doubts_now)
        yield from _lost_of(look.target.id, then, now)
        seen = look.seen.keys() | {part for part in then if _whole(part) in look.seen}
        yield from _found(look.target.id, then, seen - now.keys())
        for subject in sorted((was.seen.keys() | then.keys()) - seen - now.keys()):
            told = {"looked": subject}
            yield Change(
                Origin.PROFILE, look.target.id, subject, "not-asked", SUBJECT_NOT_ASKED, told
            )
    here = {look.target.id for look in after.looks}
    yield from _not_asked(before, after)
    for look in before.looks:
        if look.target.id not in here and unresolved(look) and _is_told_otherwise(look, after):
            found = {missed.kind: missed for missed in look.missed}
            yield from _found(look.target.id, found, found.keys())


def _not_asked(before: Scan, after: Scan) -> Iterator[Change]:
    """What was looked at of addresses that are still in use, and is not any more."""
    here = {look.target.id for look in after.looks}
    used = {place.address for look in after.looks if (place := look.target.target)}
    for look in before.looks:
        if look.target.scope is Scope.ADDRESS and look.target.id in used - here:
            for subject in sorted({*look.seen, *(_whole(m.kind) for m in look.missed)}):
                yield Change(
                    Origin.PROFILE,
                    look.target.id,
                    subject,
                    "not-asked",
                    SUBJECT_NOT_ASKED,
                    {"looked": subject},
                )


def _whole(part: str) -> str:
    """The subject that ``tls.hellos`` is a part of, which is missed beside what was seen of it."""
    return part.partition(".")[0]


def _lost_of(
    target: str, then: Mapping[str, Missed], now: Mapping[str, Missed]
) -> Iterator[Change]:
    """What is missed *now* and was not *then*, or for no reason of the endpoint's."""
    for subject, missed in now.items():
        origin = _origin(missed)
        before = _origin(then[subject]) if subject in then else None
        worse = before is None or (origin is Origin.ENDPOINT and before is not origin)
        if worse and missed.reason is not Reason.NOT_APPLICABLE:
            yield _lost(target, missed)


def _found(target: str, then: Mapping[str, Missed], seen: Set[str]) -> Iterator[Change]:
    """What was missed *then* and is *seen* now."""
    for subject in sorted(then.keys() & seen):
        reason = then[subject].reason
        values = {"looked": subject, "reason": str(reason)}
        origin = _origin(then[subject])
        if reason is Reason.NOT_APPLICABLE:
            # QUIC does not apply where it is not announced, and nobody asks for it all the same.
            origin = Origin.PROFILE if subject == "quic" else origin
            yield Change(origin, target, subject, "seen-now", SEEN_NOW, values)
            continue
        better = Direction.BETTER
        yield Change(origin, target, subject, "seen-again", SEEN, values, direction=better)


def _origin(missed: Missed) -> Origin:
    """Whose doing it is. Of silence, which a paper has to explain, nobody knows: any loss is
    silent.
    """
    return Origin.NETWORK if missed.reason is Reason.TO_DECLARE else origin_of(missed.reason)


def _missing(look: Look, doubted: Doubts) -> Mapping[str, Missed]:
    """What was missed of a look, by subject; what is in doubt too."""
    found = {missed.kind: missed for missed in look.missed}
    for subject in look.seen.keys() & doubted.get(look.target.id, frozenset()):
        found[subject] = Missed(subject, Reason.INTERCEPTED)
    return found


def _lost(target: str, missed: Missed) -> Change:
    values: dict[str, Value] = {"looked": missed.kind, "reason": str(missed.reason)}
    if missed.detail:
        values["detail"] = missed.detail
    return Change(
        _origin(missed),
        target,
        missed.kind,
        "unseen",
        UNSEEN_FOR if missed.detail else UNSEEN,
        values,
        Severity.MEDIUM,
        Direction.WORSE,
    )
