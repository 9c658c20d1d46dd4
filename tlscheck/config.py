"""The configuration file ``tlscheck.toml``: what is scanned, and by which measure.

Reads and checks, and nothing else: whether a target, profile or checklist exists is for those to
say. The user's mistakes end as one `ConfigError` that names the file, the key and the remedy.
"""

from __future__ import annotations

import dataclasses
import difflib
import json
import re
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, TypeAdapter, ValidationError

from tlscheck.errors import ConfigError
from tlscheck.mistakes import minded, unparsed
from tlscheck.text import Phrase

ALL = "all"
"""Stands for every checklist there is."""

_Name = Annotated[str, Field(min_length=1)]
_Seconds = Annotated[float, Field(gt=0, le=3600, allow_inf_nan=False)]


@dataclass(frozen=True, slots=True)
class Listed:
    """A target of the file, as text."""

    target: _Name
    label: str = ""
    """What people call it."""


@dataclass(frozen=True, slots=True)
class Budgets:
    """What a scan may spend."""

    connect: _Seconds = 5.0
    """Seconds for one connection."""
    target: _Seconds = 60.0
    """Seconds for the TLS look at one target."""
    parallel: Annotated[int, Field(ge=1, le=256)] = 4
    """Targets at once."""


@dataclass(frozen=True, slots=True)
class Settings:
    """All that the file says, with defaults for what it leaves out. A field is a key."""

    targets: tuple[Listed, ...] = ()
    profile: _Name = "ipa-high-3.1.1"
    checklists: tuple[_Name, ...] = (ALL,)
    language: Literal["ja", "en"] | None = None
    """``None``: the locale decides."""
    budgets: Budgets = Budgets()


def load(path: Path) -> Settings:
    """The settings in the file *path*. ConfigError."""
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise ConfigError(
            "{file}: cannot be read: {detail}; name another with -c",
            file=path,
            detail=error.strerror or str(error),
        ) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(
            "{file}: is not TOML in UTF-8: {words}; correct it there",
            file=path,
            words=unparsed(error),
        ) from error
    try:
        # As JSON and strictly: lists become tuples, but "30" no number.
        text = json.dumps(_full(content), default=_foreign)
        return _ADAPTER.validate_json(text, strict=True, extra="forbid")
    except ValidationError as error:
        raise ConfigError("{file}{mistake}", file=path, mistake=_mistake(error)) from error


_ADAPTER = TypeAdapter(Settings)


def _full(content: dict[str, Any]) -> dict[str, Any]:
    """*content* with each target as a table."""
    targets = content.get("targets")
    if not isinstance(targets, list):
        return content
    tables = [{"target": each} if isinstance(each, str) else each for each in targets]
    return content | {"targets": tables}


def _foreign(value: object) -> list[str]:
    """Dates and times, which no key takes, as something that no key takes."""
    return [str(value)]


# ---- mistakes --------------------------------------------------------------------------------

_KNOWN: dict[str, tuple[str, ...]] = {
    table: tuple(field.name for field in dataclasses.fields(kind))
    for table, kind in (("", Settings), ("budgets", Budgets), ("targets", Listed))
}
"""The keys of each table."""

_EXAMPLES = {
    "targets": 'targets = ["www.example.jp", {target = "smtp://mail.example.jp", label = "mail"}]',
    "profile": 'profile = "ipa-high-3.1.1"',
    "checklists": 'checklists = ["vendor-138"]',
    "language": 'language = "ja"',
    "budgets": "[budgets]",
    "budgets.connect": "connect = 5",
    "budgets.target": "target = 60",
    "budgets.parallel": "parallel = 4",
}


_UNKNOWN = "unexpected_keyword_argument"


def _mistake(error: ValidationError) -> Phrase:
    """What pydantic minds first, unknown keys before all, in one line with its remedy."""
    mistakes = error.errors(include_url=False)
    first = next((each for each in mistakes if each["type"] == _UNKNOWN), mistakes[0])
    place = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in first["loc"])
    key, value = _line(place.removeprefix(".")), f"{first['input']!r:.60}"
    match first["type"]:
        case "unexpected_keyword_argument":
            return Phrase(": unknown key {key}; {hint}", key=key, hint=_nearest(key))
        case "missing" | "missing_argument":
            return Phrase(": key {key} is missing; write {example}", key=key, example=_example(key))
        case "tuple_type":
            wanted = Phrase("must be a list")
        case "dataclass_type" if key.startswith("targets"):
            wanted = Phrase("must be a string or a table")
        case "string_too_short":
            return Phrase(
                ", key {key}: must not be empty; write {example}", key=key, example=_example(key)
            )
        case _:
            wanted = minded(first)
    return Phrase(
        ", key {key}: {wanted}, not {value}; write {example}",
        key=key,
        wanted=wanted,
        value=value,
        example=_example(key),
    )


def _nearest(key: str) -> Phrase:
    """The known key that the unknown *key* may stand for, in its table or in another."""
    table, _, name = re.sub(r"\[\d+\]", "", key).rpartition(".")
    known = _KNOWN.get(table, ())
    if near := difflib.get_close_matches(name, known, n=1):
        return Phrase("did you mean {name}?", name=near[0])
    for other, names in _KNOWN.items():
        if name in names and other:
            return Phrase("write it in {table}", table=f"[{other}]")
        if name in names:
            return Phrase("write it above all tables")
    return Phrase("known are {names}", names=known)


def _example(key: str) -> str:
    """How the key, or the list it stands in, is written."""
    name = re.sub(r"\[\d+\].*", "", key)
    return _EXAMPLES.get(name, name)


def _line(text: str) -> str:
    return " ".join(text.split())
