"""What a scan did not see, taken from earlier ones: what it missed, and what nobody asked it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Set
from dataclasses import replace

from tlscheck.changes.sight import pairs, unresolved, within
from tlscheck.model import Look, Missed, Reason, Scan

Wanted = frozenset[tuple[str, str]]
"""What was asked for (a target's id without its address), and a subject; empty: all of it."""


def begun(scan: Scan) -> Scan:
    """*scan* without what nobody looked at because the run was ended."""
    if not unlooked(scan):
        return scan
    looks = (
        replace(look, missed=tuple(m for m in look.missed if not m.is_cut_short))
        for look in scan.looks
    )
    whole = {look.target.id for look in scan.looks if not look.missed}
    return replace(
        scan, looks=tuple(it for it in looks if it.seen or it.missed or it.target.id in whole)
    )


def unlooked(scan: Scan) -> Mapping[str, frozenset[str]]:
    """By what was asked for, the subjects that nobody looked at because the run was ended."""
    found: dict[str, frozenset[str]] = {}
    for look in scan.looks:
        if cut := frozenset(m.kind for m in look.missed if m.is_cut_short):
            name = asked(look.target.id)
            found[name] = found.get(name, frozenset()) | cut
    return found


def unasked(before: Scan, after: Scan) -> Wanted:
    """What *after* looked at and *before* did not: neither saw nor missed."""
    known = {asked(look.target.id) for look in before.looks}
    counterparts = pairs(before, after)
    wanted = set[tuple[str, str]]()
    for look in after.looks:
        name = asked(look.target.id)
        if name not in known:
            wanted.add((name, ""))
        elif was := counterparts.get(look.target.id):
            wanted |= {(name, subject) for subject in _subjects(look) - _subjects(was)}
    return frozenset(wanted)


def lent(scan: Scan, older: Scan, wanted: Wanted) -> tuple[Scan, Wanted]:
    """*scan* with what *older* has of the *wanted*, and what is wanted still."""
    whole = {name for name, subject in wanted if not subject}
    strangers = [look for look in older.looks if asked(look.target.id) in whole]
    counterparts = pairs(older, scan)
    found = {(asked(look.target.id), "") for look in strangers}
    looks = []
    for look in scan.looks:
        name, was = asked(look.target.id), counterparts.get(look.target.id)
        known = _subjects(was) if was else frozenset()
        taken = {subject for subject in known if (name, subject) in wanted}
        found |= {(name, subject) for subject in taken}
        looks.append(_with(look, was, taken) if was else look)
    return replace(scan, looks=(*looks, *strangers)), wanted - found


def _with(look: Look, other: Look, subjects: Set[str]) -> Look:
    """*look* with what *other* saw and missed of *subjects*."""
    kept = tuple(m for m in look.missed if m.kind.partition(".")[0] not in subjects)
    taken = tuple(m for m in other.missed if m.kind.partition(".")[0] in subjects)
    seen = {kind: it for kind, it in other.seen.items() if kind in subjects}
    return replace(look, seen={**seen, **look.seen}, missed=(*kept, *taken))


def _subjects(look: Look) -> frozenset[str]:
    """What was looked at, successfully or not."""
    tried = {m.kind.partition(".")[0] for m in look.missed if m.reason is not Reason.NOT_ASKED}
    return frozenset({*look.seen, *tried})


def asked(target: str) -> str:
    """What was asked for, of the id of one of its addresses."""
    return target.partition("#")[0]


def certain(scan: Scan, intercepted: Set[str]) -> Scan:
    """*scan* without what was seen of the TLS of *intercepted* targets: it is somebody else's."""

    def cut(look: Look) -> Look:
        lost = look.seen.keys() & {"tls", "certificate"}
        return replace(
            look,
            seen={kind: it for kind, it in look.seen.items() if kind not in lost},
            missed=(*look.missed, *(Missed(s, Reason.INTERCEPTED) for s in sorted(lost))),
        )

    return replace(
        scan,
        looks=tuple(cut(it) if it.target.id in intercepted else it for it in scan.looks),
    )


def filled(scan: Scan, older: Iterable[Scan]) -> Scan:
    """*scan* with what it missed taken from *older* ones, the newest first.

    So a night without network, or with the endpoint down, hides no change.
    """
    for each in older:
        scan = replace(scan, looks=tuple(_looks(scan, each)))
    return scan


def gaps(scan: Scan) -> Iterator[tuple[str, str]]:
    """Target and subject of what *scan* missed and others may have seen.

    Of a name that did not resolve, the subject is empty: all that its addresses have.
    """
    for look in scan.looks:
        if unresolved(look):
            yield look.target.id, ""
        for missed in look.missed:
            if missed.kind not in look.seen and _open(missed):
                yield look.target.id, missed.kind


def _open(missed: Missed) -> bool:
    return missed.reason not in (Reason.NOT_APPLICABLE, Reason.NOT_ASKED)


def _looks(scan: Scan, older: Scan) -> Iterator[Look]:
    known = {look.target.id: look for look in older.looks}
    ids = {look.target.id for look in scan.looks}
    for look in scan.looks:
        if unresolved(look):
            yield from (
                each
                for each in older.looks
                if each.target.id not in ids and within(each.target.id, look.target.id)
            )
        was = known.get(look.target.id)
        taken = {m.kind for m in look.missed if was and _open(m) and m.kind in was.seen}
        if was is None or not taken:
            yield look
            continue
        yield replace(
            look,
            seen={**{kind: was.seen[kind] for kind in taken}, **look.seen},
            missed=tuple(m for m in look.missed if m.kind not in taken),
        )
