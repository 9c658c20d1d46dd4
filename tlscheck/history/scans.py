"""Scans in a history: put in, taken out again byte for byte, forgotten when they are old."""

from __future__ import annotations

import hashlib
import json
import re
import sqlite3
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from tlscheck.errors import HistoryError
from tlscheck.history import pieces
from tlscheck.history.store import Store, moment, stamp, troubles


@dataclass(frozen=True, slots=True)
class Kept:
    """A scan in a history, without what it saw."""

    id: int
    at: datetime
    version: str
    profile: str
    checklists: tuple[str, ...]
    profiles: Mapping[str, str]
    """The digest of each profile by its id, the run's own first."""
    targets: int
    verdicts: Mapping[str, int]
    """How many findings of the run's own profile have each verdict."""
    size: int
    """Bytes of the scan file."""


@dataclass(frozen=True, slots=True)
class Pruned:
    """What was forgotten."""

    scans: int
    left: int


def keep(store: Store, data: bytes, name: str, now: datetime) -> tuple[int, bool]:
    """Keep the scan file *data*: its id, and whether it was not there already.

    What else is to be kept with it or not at all stands around this in one `Store.writing`.
    ScanFileError, HistoryError.
    """
    from tlscheck import report

    scan, said = report.read(data, name)
    own = next(iter(said.profiles), "")
    cut = list(pieces.cut(data))
    marks = [pieces.digest(piece) for piece in cut]
    whole = hashlib.sha256(data).digest()
    verdicts = Counter(str(f.verdict) for f in said.findings if own in f.profiles)
    row = {
        "at": stamp(scan.at),
        "kept": stamp(now),
        "sha256": whole,
        "size": len(data),
        "version": scan.version,
        "profile": scan.profile,
        "checklists": json.dumps(scan.checklists),
        "profiles": json.dumps(said.profiles),
        "targets": len(scan.looks),
        "verdicts": json.dumps(verdicts),
    }
    with store.writing() as db:
        if found := db.execute("SELECT id FROM scan WHERE sha256 = ?", (whole,)).fetchone():
            return found[0], False
        ids = _pieces(db, dict(zip(marks, cut, strict=True)))
        row["pieces"] = pieces.numbers_packed(ids[mark] for mark in marks)
        names, places = ", ".join(row), ", ".join(f":{key}" for key in row)
        statement = f"INSERT INTO scan ({names}) VALUES ({places})"  # noqa: S608 - names of ours
        number = db.execute(statement, row).lastrowid
        assert number is not None
        targets = {look.target.id: _target(db, look.target.id) for look in scan.looks}
        db.executemany(
            "INSERT OR IGNORE INTO sight (target, subject, scan) VALUES (?, ?, ?)",
            [
                (targets[look.target.id], subject, number)
                for look in scan.looks
                for subject in ("", *look.seen)
            ],
        )
        db.executemany(
            "INSERT OR IGNORE INTO finding (matter, scan, state) VALUES (?, ?, ?)",
            list(_findings(db, said, targets, number)),
        )
        _profiles(db, said.profiles, scan.profile)
    return number, True


def _pieces(db: sqlite3.Connection, cut: Mapping[bytes, bytes]) -> Mapping[bytes, int]:
    """The ids of pieces by their digests; those that are not there yet are put in."""
    ids: dict[bytes, int] = {}
    for mark, piece in cut.items():
        found = db.execute("SELECT id FROM piece WHERE sha256 = ?", (mark,)).fetchone()
        ids[mark] = (
            found[0] if found else _insert(db, "piece", sha256=mark, data=pieces.packed(piece))
        )
    return ids


def _insert(db: sqlite3.Connection, table: str, **row: Any) -> int:
    names, places = ", ".join(row), ", ".join("?" * len(row))
    done = db.execute(
        f"INSERT INTO {table} ({names}) VALUES ({places})",  # noqa: S608 - names of ours
        tuple(row.values()),
    )
    assert done.lastrowid is not None
    return done.lastrowid


def _id(db: sqlite3.Connection, table: str, **row: Any) -> int:
    """The id of the row that is so, which is put in where there is none."""
    where = " AND ".join(f"{name} = ?" for name in row)
    found = db.execute(
        f"SELECT id FROM {table} WHERE {where}",  # noqa: S608 - names of ours
        tuple(row.values()),
    ).fetchone()
    return found[0] if found else _insert(db, table, **row)


def _target(db: sqlite3.Connection, name: str) -> int:
    return _id(db, "target", name=name, host=host_of(name))


def host_of(target: str) -> str:
    """The host in a target's id: ``https://www.example.jp:443#192.0.2.1``, a name or an address."""
    found = re.fullmatch(r"[a-z0-9]+://(?:\[([^]]*)\]|([^:#]*)):\d+(?:#.*)?", target)
    return (found[1] or found[2]) if found else target


def _findings(
    db: sqlite3.Connection, said: Any, targets: dict[str, int], scan: int
) -> Iterator[tuple[int, int, int]]:
    own = next(iter(said.profiles), "")
    for finding in said.findings:
        if finding.target not in targets:  # of an odd file
            targets[finding.target] = _target(db, finding.target)
        problems = sorted({e.code for e in finding.evidence if e.kind == "problem"})
        matter = _id(
            db,
            "matter",
            rule=finding.rule,
            target=targets[finding.target],
            own=int(own in finding.profiles),
        )
        state = _id(
            db,
            "state",
            verdict=str(finding.verdict),
            severity=str(finding.severity),
            codes=json.dumps(problems),
        )
        yield matter, scan, state


def _profiles(db: sqlite3.Connection, digests: Mapping[str, str], own: str) -> None:
    """What the profiles want, rule by rule, as digests: so that it can be told later whether it was
    the profile that changed. One that is not at hand any more is left out.
    """
    from tlscheck import profile as profiles
    from tlscheck.errors import ProfileError

    for number, (name, digest) in enumerate(digests.items()):
        if db.execute("SELECT 1 FROM profile WHERE sha256 = ?", (digest,)).fetchone():
            continue
        try:
            found = profiles.load(name if number else own)
        except ProfileError:
            continue
        if found.digest == digest:
            wants = {rule: setting.digest for rule, setting in found.settings.items()}
            db.execute("INSERT INTO profile VALUES (?, ?, ?)", (digest, name, json.dumps(wants)))


# ---- out again -------------------------------------------------------------------------------

_COLUMNS = "id, at, version, profile, checklists, profiles, targets, verdicts, size"


def kept(store: Store) -> tuple[Kept, ...]:
    """All scans, the newest first."""
    with store.reading() as db:
        rows = db.execute(f"SELECT {_COLUMNS} FROM scan ORDER BY at DESC, id DESC").fetchall()  # noqa: S608
    return tuple(_kept(row) for row in rows)


def one(store: Store, number: int) -> Kept:
    """The scan with that id. HistoryError."""
    row = None
    if 0 < number < 2**63:  # what SQLite can count
        with store.reading() as db:
            row = db.execute(
                f"SELECT {_COLUMNS} FROM scan WHERE id = ?",  # noqa: S608 - names of ours
                (number,),
            ).fetchone()
    if row is None:
        raise HistoryError(
            "{file}: there is no scan {number}; `tlscheck history list` lists them",
            file=store.path,
            number=number,
        )
    return _kept(row)


def _kept(row: tuple[Any, ...]) -> Kept:
    number, at, version, profile, checklists, profiles, targets, verdicts, size = row
    return Kept(
        number,
        moment(at),
        version,
        profile,
        tuple(json.loads(checklists)),
        json.loads(profiles),
        targets,
        json.loads(verdicts),
        size,
    )


def document(store: Store, number: int, known: dict[int, bytes] | None = None) -> bytes:
    """The scan file, byte for byte as it was kept. HistoryError.

    Who reads several hands over what is *known*: the pieces of the last one, by their numbers.
    """
    one(store, number)
    with store.reading() as db:
        packed, whole = db.execute(
            "SELECT pieces, sha256 FROM scan WHERE id = ?", (number,)
        ).fetchone()
        try:
            numbers = pieces.numbers(packed)
            found = dict(_unpacked(db, set(numbers), known or {}))
            data = b"".join(found[each] for each in numbers)
        except ValueError:
            raise store.damaged() from None
    if hashlib.sha256(data).digest() != whole:
        raise store.damaged()
    if known is not None:
        known.clear()
        known.update(found)
    return data


def _unpacked(
    db: sqlite3.Connection, numbers: Iterable[int], known: Mapping[int, bytes]
) -> Iterator[tuple[int, bytes]]:
    for number in numbers:
        if (data := known.get(number)) is None:
            found = db.execute("SELECT data FROM piece WHERE id = ?", (number,)).fetchone()
            if found is None:
                raise ValueError("a piece is missing")
            data = pieces.unpacked(found[0])
        yield number, data


# ---- forgetting ------------------------------------------------------------------------------


def prune(store: Store, now: datetime, keep_days: int, keep: int) -> Pruned:
    """Forget what is older than *keep_days*, but of each host the newest *keep* scans.

    Mail that was delivered or given up by then is forgotten too; what was accepted is not.
    HistoryError.
    """
    with store.writing() as db:
        before = stamp(now - timedelta(days=keep_days))
        old = [row[0] for row in db.execute(_OLD, (before, keep)).fetchall()]
        for number in old:
            db.execute("DELETE FROM scan WHERE id = ?", (number,))
        db.execute("DELETE FROM outbox WHERE coalesce(delivered, given_up) < ?", (before,))
        if old:
            _sweep(db, store)
        (left,) = db.execute("SELECT count(*) FROM scan").fetchone()
    _shrink(store)
    return Pruned(len(old), left)


_OLD = """
SELECT id FROM scan WHERE at < ? AND id NOT IN (
    SELECT scan FROM (
        SELECT scan, row_number() OVER (PARTITION BY host ORDER BY at DESC, scan DESC) AS place
        FROM (
            SELECT DISTINCT sight.scan, target.host, scan.at FROM sight
            JOIN target ON target.id = sight.target JOIN scan ON scan.id = sight.scan
            WHERE sight.subject = ''
        )
    ) WHERE place <= ?
)
"""


def _sweep(db: sqlite3.Connection, store: Store) -> None:
    """Delete what no scan that is left refers to."""
    try:
        used = {
            number
            for (packed,) in db.execute("SELECT pieces FROM scan")
            for number in pieces.numbers(packed)
        }
    except ValueError:
        raise store.damaged() from None
    unused = [row for row in db.execute("SELECT id FROM piece").fetchall() if row[0] not in used]
    db.executemany("DELETE FROM piece WHERE id = ?", unused)
    for table in ("finding", "sight"):
        db.execute(f"DELETE FROM {table} WHERE scan NOT IN (SELECT id FROM scan)")  # noqa: S608
    db.execute("DELETE FROM matter WHERE id NOT IN (SELECT matter FROM finding)")
    db.execute(
        "DELETE FROM target WHERE id NOT IN (SELECT target FROM sight)"
        " AND id NOT IN (SELECT target FROM matter)"
    )


def _shrink(store: Store) -> None:
    """Give the room back to the disk, as far as nobody else is at work."""
    with troubles(store.path):
        store.db.executescript("PRAGMA incremental_vacuum")  # execute() would free one page
        store.db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
