"""The tables of a history, as the steps that lead there.

A step that was published never changes.
"""

from __future__ import annotations

APPLICATION_ID = 0x746C7363
"""``tlsc``: what SQLite's file header names as the owner."""

STEPS = (
    """
    CREATE TABLE scan (
        id INTEGER PRIMARY KEY,
        at TEXT NOT NULL,           -- UTC, to the microsecond: sorts as text
        kept TEXT NOT NULL,
        sha256 BLOB NOT NULL UNIQUE,
        size INTEGER NOT NULL,
        version TEXT NOT NULL,
        profile TEXT NOT NULL,
        checklists TEXT NOT NULL,   -- a JSON list
        profiles TEXT NOT NULL,     -- JSON: the digest of each by its id, the run's own first
        targets INTEGER NOT NULL,
        verdicts TEXT NOT NULL,     -- JSON: how many findings of the own profile have each
        pieces BLOB NOT NULL        -- the ids that make the scan file, see pieces.py
    ) STRICT;
    CREATE INDEX scan_at ON scan (at, id);
    CREATE TABLE piece (
        id INTEGER PRIMARY KEY, sha256 BLOB NOT NULL UNIQUE, data BLOB NOT NULL
    ) STRICT;
    CREATE TABLE profile (
        sha256 TEXT PRIMARY KEY, name TEXT NOT NULL,
        wants TEXT NOT NULL         -- JSON: the digest of each rule's table
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE target (
        id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, host TEXT NOT NULL
    ) STRICT;
    CREATE INDEX target_host ON target (host);
    CREATE TABLE sight (            -- what each scan saw, an empty subject for the target itself
        target INTEGER NOT NULL, subject TEXT NOT NULL, scan INTEGER NOT NULL,
        PRIMARY KEY (target, subject, scan)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE matter (           -- a rule on a target, own: under the run's own profile
        id INTEGER PRIMARY KEY, rule TEXT NOT NULL, target INTEGER NOT NULL, own INTEGER NOT NULL,
        UNIQUE (rule, target, own)
    ) STRICT;
    CREATE INDEX matter_target ON matter (target);
    CREATE TABLE state (
        id INTEGER PRIMARY KEY, verdict TEXT NOT NULL, severity TEXT NOT NULL,
        codes TEXT NOT NULL,        -- JSON: the codes of the problems
        UNIQUE (verdict, severity, codes)
    ) STRICT;
    CREATE TABLE finding (
        matter INTEGER NOT NULL, scan INTEGER NOT NULL, state INTEGER NOT NULL,
        PRIMARY KEY (matter, scan, state)
    ) STRICT, WITHOUT ROWID;
    """,
    """
    CREATE TABLE outbox (
        id INTEGER PRIMARY KEY,
        scan INTEGER,
        message_id TEXT NOT NULL UNIQUE,
        recipients TEXT NOT NULL,   -- a JSON list: those who have not got it yet
        message BLOB NOT NULL,      -- as it is sent, empty once it is delivered
        made TEXT NOT NULL,
        tries INTEGER NOT NULL DEFAULT 0,
        due TEXT NOT NULL,
        trouble TEXT NOT NULL DEFAULT '',
        delivered TEXT
    ) STRICT;
    CREATE TABLE accepted (
        change TEXT PRIMARY KEY, who TEXT NOT NULL, why TEXT NOT NULL, at TEXT NOT NULL
    ) STRICT, WITHOUT ROWID;
    """,
    # When a message that nobody would take was given up.
    "ALTER TABLE outbox ADD COLUMN given_up TEXT",
)
"""``user_version`` counts those that were taken."""
