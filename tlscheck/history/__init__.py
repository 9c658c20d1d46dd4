"""The history: every scan whole, its findings in rows, mail until it is delivered. One SQLite file.

Nothing here looks or judges.
"""

from __future__ import annotations

from tlscheck.history.store import Store, opened

__all__ = ["Store", "opened"]
