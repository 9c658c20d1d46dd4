"""Settings as TOML again, with all defaults and without secrets."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass
from datetime import date
from typing import Any
from urllib.parse import urlsplit

from tlscheck.config import Settings
from tlscheck.config.watching import Link

HIDDEN = "…"


def shown(settings: Settings) -> str:
    """All that holds, as the file could say it. Of URLs that may be secrets the host alone."""
    return "\n".join(_table("", _plain(settings))).strip() + "\n"


def _plain(value: Any) -> Any:
    """*value* as TOML knows such things; what is not set is left out."""
    if isinstance(value, Link):
        return {key: _masked(key, text) for key, text in _filled(value)}
    if is_dataclass(value):
        return {_NAMES.get(key, key): _plain(each) for key, each in _filled(value)}
    if isinstance(value, Mapping):
        return {key: _plain(each) for key, each in value.items()}
    return [_plain(each) for each in value] if isinstance(value, (tuple, list)) else value


_NAMES = {"sender": "from"}


def _filled(value: Any) -> Iterator[tuple[str, Any]]:
    found = ((each.name, getattr(value, each.name)) for each in fields(value))
    return ((name, it) for name, it in found if it is not None and it != "" and it != ())


def _masked(key: str, text: str) -> str:
    if key != "url":
        return text
    url = urlsplit(text)
    return f"{url.scheme}://{url.hostname or ''}/{HIDDEN}"


def _table(name: str, table: Mapping[str, Any]) -> Iterator[str]:
    """The values of a table, then the tables in it."""
    below = {key: value for key, value in table.items() if _is_table(value)}
    if name and (len(below) < len(table) or not table):
        yield f"\n[{name}]"
    for key, value in table.items():
        if key not in below:
            yield f"{_key(key)} = {_value(value)}"
    for key, value in below.items():
        inner = f"{name}.{_key(key)}" if name else _key(key)
        for each in value if isinstance(value, list) else ():
            yield f"\n[[{inner}]]"
            yield from (f"{_key(own)} = {_value(it)}" for own, it in each.items())
        if isinstance(value, dict) and value:
            yield from _table(inner, value)


def _is_table(value: Any) -> bool:
    return isinstance(value, dict) or (
        isinstance(value, list) and bool(value) and all(isinstance(each, dict) for each in value)
    )


def _key(key: str) -> str:
    return key if key.replace("_", "").isalnum() and key.isascii() else json.dumps(key)


def _value(value: Any) -> str:
    match value:
        case date():
            return value.isoformat()
        case dict():
            return "{" + ", ".join(f"{_key(k)} = {_value(v)}" for k, v in value.items()) + "}"
        case list():
            return "[" + ", ".join(map(_value, value)) + "]"
    return json.dumps(value, ensure_ascii=False)
