"""What the parent wants to know, and how it is told."""

from __future__ import annotations

import json
import sys
import threading
from dataclasses import dataclass, field
from typing import Any

from tlscheck.model import Place, State

Said = tuple[str, State, str]
"""A question, what became of it, and why it is unknown."""
STARTTLS = {
    "smtp": "SMTP",
    "imap": "IMAP",
    "pop3": "POP3",
    "ftp": "FTP",
    "ldap": "LDAP",
    "postgres": "POSTGRES",
    "xmpp": "XMPP",
}
"""What sslyze calls the services that it can lead to TLS."""


class Unsettled(Exception):  # noqa: N818 - an outcome, not an error
    """The question could not be answered, for the reason given."""


@dataclass(frozen=True)
class Session:
    """A session of the place, for trying it elsewhere."""

    session: Any
    version: str
    legacy: bool
    tickets: bool


@dataclass
class Order:
    """What the parent wants to know, and what the jobs share."""

    ask: tuple[str, ...]
    place: Place
    version: str = ""
    """The highest version up to TLS 1.2 that is accepted, by name."""
    suite: str = ""
    suite13: str = ""
    rsa_version: str = ""
    identity: tuple[str, str] | None = None
    others: tuple[Place, ...] = ()
    width: int = 1
    """Connections at once."""
    gap: float = 0.0
    """Seconds between the starts of two connections."""
    patience: float = 5.0
    """Seconds for each step of a connection."""
    sessions: list[Session] = field(default_factory=list)


_speaking = threading.Lock()
current = threading.local()
"""``question``: what the thread is asking, for the count of connections."""


def say(**what: object) -> None:
    """Write a line of JSON."""
    with _speaking:
        sys.stdout.write(json.dumps(what) + "\n")
        sys.stdout.flush()


def words(error: Exception) -> str:
    """What went wrong, in at most 200 characters."""
    text = getattr(error, "error_message", "") or str(error)
    return f"{type(error).__name__}: {text}".strip()[:200]
