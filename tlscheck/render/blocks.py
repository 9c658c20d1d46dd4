"""What printed pages are made of: headings, paragraphs, lists and tables, as plain text.

How they look is `reports/report.typ`'s.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from tlscheck.text import Say

Line = tuple[str, str]
"""Text and its tone: a verdict, an answer or a severity, ``strong``, ``quiet`` or nothing."""
Cell = str | Sequence[Line]
Block = Mapping[str, object]


def heading(text: str, level: int = 1) -> Block:
    """A heading; level 1 is a chapter."""
    return {"kind": "heading", "level": level, "text": text}


def paragraph(text: str, tone: str = "") -> Block:
    """A paragraph."""
    return {"kind": "paragraph", "lines": [(text, tone)]}


def bullets(texts: Iterable[str]) -> Block:
    """A list."""
    return {"kind": "list", "items": list(texts)}


def pairs(values: Iterable[tuple[str, str]]) -> Block:
    """Values, each with its name."""
    return {
        "kind": "pairs",
        "rows": [[[(name, "strong")], [(value, "")]] for name, value in values],
    }


def table(widths: Sequence[float], head: Sequence[str], rows: Iterable[Sequence[Cell]]) -> Block:
    """A table whose columns are as wide, one to another, as *widths* say; its head is repeated."""
    return {
        "kind": "table",
        "widths": [str(width) for width in widths],
        "head": list(head),
        "rows": [[[(cell, "")] if isinstance(cell, str) else cell for cell in row] for row in rows],
    }


def limited(texts: Sequence[str], most: int, _: Say) -> str:
    """At most so many of *texts*, and how many more there are."""
    shown = ", ".join(texts[:most])
    more = len(texts) - most
    return f"{shown} {_('and {count} more', count=more)}" if more > 0 else shown
