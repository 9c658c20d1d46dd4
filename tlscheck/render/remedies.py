"""What to change where a rule fails: words for whoever runs the server, lines for three servers.

Data in ``profiles/remedies``, a file a subject; this only chooses the lines that fit a profile.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

from pydantic import TypeAdapter

from tlscheck.data import data_dir
from tlscheck.model import Words
from tlscheck.profile import Profile

SERVERS = {"nginx": "nginx", "apache": "Apache", "haproxy": "HAProxy"}
"""The servers that there are lines for, as they are called."""


@dataclass(frozen=True, slots=True)
class Lines:
    """What to write into the configuration of each server; empty where there is nothing to."""

    versions: tuple[str, ...] = ()
    """The versions of TLS that the lines leave on or speak of; empty: whatever is on."""
    nginx: str = ""
    apache: str = ""
    haproxy: str = ""

    def each(self) -> tuple[tuple[str, str], ...]:
        """The servers' names and lines, where there are any."""
        lines = ((name, getattr(self, server).strip()) for server, name in SERVERS.items())
        return tuple((name, line) for name, line in lines if line)


@dataclass(frozen=True, slots=True)
class Remedy:
    """What to change where one rule fails."""

    words: Words
    lines: tuple[Lines, ...] = ()

    def under(self, profile: Profile) -> Lines:
        """The first lines that *profile* has nothing against."""
        versions = profile.settings.get("tls.versions")
        allowed = getattr(versions.want, "allow", None) if versions else None
        fitting = (e for e in self.lines if allowed is None or allowed.issuperset(e.versions))
        return next(fitting, Lines())


@cache
def remedies() -> Mapping[str, Remedy]:
    """Every remedy there is, by rule."""
    return {
        f"{file.name.removesuffix('.toml')}.{rule}": remedy
        for file in sorted((data_dir("profiles") / "remedies").iterdir(), key=lambda f: f.name)
        if file.name.endswith(".toml")
        for rule, remedy in _READER.validate_python(
            tomllib.loads(file.read_text(encoding="utf-8")), extra="forbid"
        ).items()
    }


_READER = TypeAdapter(dict[str, Remedy])
