"""What parsers and pydantic mind of a file, as phrases that can be said in every language."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Mapping
from types import MappingProxyType

from pydantic_core import ErrorDetails

from tlscheck.text import _N, Phrase

PARSING = (
    _N("Cannot declare a table twice"),
    _N("Cannot overwrite a value"),
    _N("Expected '=' after a key in a key/value pair"),
    _N("Expected newline or end of document after a statement"),
    _N("Found invalid character"),
    _N("Illegal character"),
    _N("Invalid initial character for a key part"),
    _N("Invalid statement"),
    _N("Invalid value"),
    _N("Unclosed array"),
    _N("Unclosed inline table"),
    _N("Unterminated string"),
    _N("Expecting value"),
    _N("Expecting property name enclosed in double quotes"),
    _N("Expecting ',' delimiter"),
    _N("Expecting ':' delimiter"),
    _N("Extra data"),
    _N("Invalid control character at"),
    _N("Unterminated string starting at"),
)
"""What tomllib and json most often object to, in their own words."""

_WANTED: Mapping[str, str] = MappingProxyType(
    {
        "string": _N("must be a valid string"),
        "int": _N("must be a valid integer"),
        "float": _N("must be a valid number"),
        "bool": _N("must be true or false"),
        "list": _N("must be a valid array"),
        "dict": _N("must be a table"),
        "datetime": _N("must be a date and time"),
        "date": _N("must be a date"),
    }
)
"""By the beginning of pydantic's name for the mistake."""
_ALIKE = {
    **dict.fromkeys(("tuple", "set", "frozen", "iterable"), "list"),
    **dict.fromkeys(("dataclass", "model", "mapping", "arguments"), "dict"),
}


def minded(mistake: ErrorDetails) -> Phrase:
    """What pydantic minds of a value: what it must be."""
    limits = mistake.get("ctx", {})
    match mistake["type"]:
        case "missing" | "missing_argument":
            return Phrase("it is missing")
        case "enum" | "literal_error":
            return Phrase("must be {expected}", expected=expected(mistake))
        case "finite_number":
            return Phrase("must be a finite number")
        case "greater_than":
            return Phrase("must be greater than {limit}", limit=f"{limits['gt']:g}")
        case "greater_than_equal":
            return Phrase("must be greater than or equal to {limit}", limit=f"{limits['ge']:g}")
        case "less_than_equal":
            return Phrase("must be less than or equal to {limit}", limit=f"{limits['le']:g}")
        case "string_pattern_mismatch":
            return Phrase("must match {pattern}", pattern=limits["pattern"])
        case "string_too_short" if limits["min_length"] > 1:
            return Phrase("must have {limit} characters at least", limit=limits["min_length"])
        case "string_too_short" | "too_short":
            return Phrase("must not be empty")
        case other:
            kind = other.partition("_")[0]
            wanted = _WANTED.get(_ALIKE.get(kind, kind))
            return Phrase("{detail}", detail=wanted or mistake["msg"])


def expected(mistake: ErrorDetails) -> Phrase:
    """The names that are known, where pydantic says that another stands there."""
    told = str(mistake.get("ctx", {}).get("expected", ""))
    names = [n if n[0] == "'" else n.lower() for n in re.findall("'[^']*'|True|False", told)]
    if len(names) < 2:
        return Phrase("{names}", names=tuple(names))
    return Phrase("{others} or {last}", others=tuple(names[:-1]), last=names[-1])


def unparsed(error: ValueError) -> Phrase:
    """Why a text is no TOML or no JSON, and where."""
    if isinstance(error, UnicodeDecodeError):
        return Phrase("byte {number} is not UTF-8", number=error.start + 1)
    if isinstance(error, json.JSONDecodeError):
        return _at(error.msg, str(error.lineno), str(error.colno))
    words = str(error)
    if found := re.fullmatch(r"(.*?) \(at line (\d+), column (\d+)\)", words, re.DOTALL):
        return _at(*found.groups())
    if isinstance(error, tomllib.TOMLDecodeError) and (end := " (at end of document)") in words:
        return Phrase("{detail} (at end of document)", detail=words.removesuffix(end))
    return Phrase("{detail}", detail=words)


def _at(words: str, line: str, column: str) -> Phrase:
    return Phrase(
        "{detail} (at line {line}, column {column})", detail=words, line=line, column=column
    )
