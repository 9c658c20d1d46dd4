"""Mail that was not delivered yet, kept until it is: at least once, with one Message-ID.

Put inside of the transaction that keeps the scan, no mail is lost and none is made twice.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime

from tlscheck.history.store import Store, moment, stamp


@dataclass(frozen=True, slots=True)
class Mail:
    """A message, ready to be sent."""

    message_id: str
    recipients: tuple[str, ...]
    message: bytes


@dataclass(frozen=True, slots=True)
class Queued:
    """A message in the outbox."""

    id: int
    mail: Mail
    """With those recipients who have not got it."""
    made: datetime
    tries: int
    trouble: str
    """Why the last try failed."""
    scan: int | None


def put(store: Store, mail: Mail, now: datetime, scan: int | None = None) -> None:
    """Have *mail* delivered from *now* on. One whose Message-ID is known is left as it is."""
    row = (scan, mail.message_id, json.dumps(mail.recipients), mail.message, stamp(now), stamp(now))
    with store.writing() as db:
        db.execute(
            "INSERT INTO outbox (scan, message_id, recipients, message, made, due)"
            " VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (message_id) DO NOTHING",
            row,
        )


def due(store: Store, now: datetime) -> tuple[Queued, ...]:
    """What is to be tried now, the oldest first."""
    with store.reading() as db:
        rows = db.execute(
            "SELECT id, message_id, recipients, message, made, tries, trouble, scan FROM outbox"
            " WHERE delivered IS NULL AND given_up IS NULL AND due <= ? ORDER BY id",
            (stamp(now),),
        ).fetchall()
    return tuple(
        Queued(number, Mail(name, tuple(json.loads(to)), message), moment(made), *rest)
        for number, name, to, message, made, *rest in rows
    )


ROOM = 128 * 1024
"""Bytes that a note of what became of a message takes at the most, beside its own where some of its
recipients are left."""


@contextmanager
def tried(store: Store, queued: Queued, due: datetime) -> Iterator[Callable[[], None]]:
    """A try that is noted, and tried again from *due* on if nothing more is heard of it. What is
    given is to be called before that is written: it has room then. HistoryError: it cannot be.
    """
    more = 2 * len(queued.mail.message) if len(queued.mail.recipients) > 1 else 0
    with store.reserved(ROOM + more) as give_back:
        with store.writing() as db:
            db.execute("UPDATE outbox SET due = ? WHERE id = ?", (stamp(due), queued.id))
        yield give_back


def failed(
    store: Store, number: int, trouble: str, due: datetime, left: Sequence[str] | None = None
) -> None:
    """A try failed: again at *due*, to those *left* where some of the recipients got it."""
    with store.writing() as db:
        db.execute(
            "UPDATE outbox SET tries = tries + 1, trouble = ?, due = ?,"
            " recipients = coalesce(?, recipients) WHERE id = ?",
            (trouble, stamp(due), None if left is None else json.dumps(left), number),
        )


def lightened(store: Store, number: int, message: bytes) -> None:
    """Keep *message* in place of the one with the same Message-ID that takes more room."""
    with store.writing() as db:
        db.execute("UPDATE outbox SET message = ? WHERE id = ?", (message, number))


def given_up(store: Store, number: int, trouble: str, now: datetime) -> None:
    """Nobody would take it. That it was made stays known, its bytes do not."""
    with store.writing() as db:
        db.execute(
            "UPDATE outbox SET tries = tries + 1, trouble = ?, given_up = ?, message = x''"
            " WHERE id = ?",
            (trouble, stamp(now), number),
        )


def delivered(store: Store, number: int, now: datetime) -> None:
    """The relay took it. That it was sent stays known, its bytes do not."""
    with store.writing() as db:
        db.execute(
            "UPDATE outbox SET tries = tries + 1, trouble = '', delivered = ?, message = x''"
            " WHERE id = ?",
            (stamp(now), number),
        )


def last_made(store: Store, recipients: Sequence[str]) -> datetime | None:
    """When the last mail for one of the *recipients* was made, delivered or not."""
    with store.reading() as db:
        (found,) = db.execute(
            "SELECT max(made) FROM outbox WHERE EXISTS (SELECT 1 FROM json_each(recipients) AS to_"
            " WHERE to_.value IN (SELECT value FROM json_each(?)))",
            (json.dumps(list(recipients)),),
        ).fetchone()
    return moment(found) if found else None


def last_delivered(store: Store) -> datetime | None:
    """When a mail was delivered last."""
    with store.reading() as db:
        (found,) = db.execute("SELECT max(delivered) FROM outbox").fetchone()
    return moment(found) if found else None
