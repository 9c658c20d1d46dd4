"""Changes that are meant: who says so, and why."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from tlscheck.changes import Accepted
from tlscheck.errors import HistoryError
from tlscheck.history.store import Store, stamp


def accept(store: Store, change: str, by: str, why: str, now: datetime) -> None:
    """Say of the change with the key *change* that it is meant. The last word counts."""
    with store.writing() as db:
        db.execute(
            "INSERT INTO accepted (change, who, why, at) VALUES (?, ?, ?, ?)"
            " ON CONFLICT (change) DO UPDATE SET who = excluded.who, why = excluded.why,"
            " at = excluded.at",
            (change, by, why, stamp(now)),
        )


def withdraw(store: Store, change: str) -> None:
    """Take back that the change was accepted. HistoryError."""
    with store.writing() as db:
        if not db.execute("DELETE FROM accepted WHERE change = ?", (change,)).rowcount:
            raise HistoryError(
                "{file}: no change {change} was accepted; `tlscheck history accept` lists them",
                file=store.path,
                change=change,
            )


def accepted(store: Store) -> Mapping[str, Accepted]:
    """All that was accepted, by the change's key, the oldest first."""
    with store.reading() as db:
        rows = db.execute("SELECT change, who, why, at FROM accepted ORDER BY at").fetchall()
    return {row[0]: Accepted(*row) for row in rows}
