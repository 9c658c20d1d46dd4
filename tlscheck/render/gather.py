"""Making few sentences of many that say the same of one thing after the other."""

from __future__ import annotations

from collections.abc import Iterable

from tlscheck.model import Evidence, Kind
from tlscheck.text import voice

MANY = 4
"""From how many on one sentence with a list replaces them."""
MOST = 8
"""How many names a list of what is open has; the scan file has them all."""


def gathered(evidence: Iterable[Evidence], lang: str) -> tuple[Evidence, ...]:
    """*evidence*, where sentences that differ in their last value alone are one, with a list."""
    alike: dict[tuple[object, ...], list[Evidence]] = {}
    for each in evidence:
        *rest, _last = each.values.values() or ("",)
        key = (each.code, each.template, each.cause, each.kind, *map(str, rest))
        alike.setdefault(key, []).append(each)
    return tuple(
        one
        for several in alike.values()
        for one in ([_one(several, lang)] if len(several) >= MANY else several)
    )


def _one(several: list[Evidence], lang: str) -> Evidence:
    first = several[0]
    if not first.values:
        return first
    name = list(first.values)[-1]
    values = tuple(dict.fromkeys(_text(each.values[name]) for each in several))
    if first.kind is Kind.OPEN and len(values) > MOST:
        more = voice(lang)("and {count} more", count=len(values) - MOST)
        values = (*values[:MOST], more)
    gathered = {**first.values, name: values}
    return Evidence(first.code, first.template, gathered, (), first.cause, first.kind)


def _text(value: object) -> str:
    return ", ".join(value) if isinstance(value, tuple) else str(value)
