"""A verification for people and for programs: text in two languages, and JSON in none."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import date
from typing import Any

from rich.cells import cell_len

from tlscheck.model import Evidence, Kind, Look
from tlscheck.render.lines import fold
from tlscheck.render.naming import label
from tlscheck.render.view import said
from tlscheck.text import _N, CAUSES, Say, plain_json, sentence, visible, voice, word
from tlscheck.verify import kinds
from tlscheck.verify.claims import Claim, Hsts, Unread
from tlscheck.verify.compare import Outcome, Spot, Standing, Verification

FORMAT = "tlscheck.verify/1"

STANDINGS = {
    "contradicted": _N("Contradicted"),
    "unsettled": _N("Not settled"),
    "not_observable": _N("Not observable"),
    "confirmed": _N("Confirmed"),
}
WHYS = {
    "not_understood": _N("not understood"),
    "conditional": _N("denial, condition, exception or future"),
    "elsewhere": _N("about something else than the servers"),
    "formula": _N("a formula; write the words themselves"),
    "too_long": _N("too long"),
    "other_column": _N("in a further column of that head; give one alone"),
    "beside": _N("another column of the row says no, later or not applicable"),
    "no_target": _N("no target is named in the row, as in others"),
    "unclear_target": _N("what stands in the column of targets is no host, URL or list of them"),
    "struck": _N("struck through"),
    "hidden": _N("in a hidden sheet"),
    "comment": _N("a comment on a cell"),
}
_BULLETS = {Kind.PROBLEM: "✗", Kind.OPEN: "?", Kind.NOTE: "·"}
_TOLD = ("", "not_settled", "missed", "to_declare")
"""Causes of which the sentence speaks by itself."""


def text(made: Verification, lang: str, *, width: int = 100) -> bytes:
    """The outcomes in lines of at most *width* columns, what is contradicted first."""
    lines = "\n".join(_folded(made, lang, width)).rstrip("\n")
    return f"{lines}\n".encode(errors="backslashreplace")


def _folded(made: Verification, lang: str, width: int) -> Iterator[str]:
    for indent, words in _lines(made, lang, voice(lang)):
        if not words:
            yield ""
            continue
        first, *rest = fold(words, max(20, width - cell_len(indent)))
        yield indent + first
        yield from (" " * cell_len(indent) + line for line in rest)


def _lines(made: Verification, lang: str, _: Say) -> Iterator[tuple[str, str]]:
    """Each line's indent, with its bullet, and its words."""
    yield (
        "",
        _("Claims of {file} against the look of {moment}", file=made.file, moment=made.scan.at),
    )
    counts = (f"{word(STANDINGS, s, lang)} {made.count(s)}" for s in Standing)
    yield "", "  ".join((*counts, f"{_('Not read')} {len(made.unread)}"))
    yield "", ""
    looks = {look.target.id: look for look in made.scan.looks}
    for outcome in sorted(made.outcomes, key=lambda o: o.standing.rank):
        yield from _outcome(outcome, looks, lang, _)
    if made.unread:
        yield "", _("Not read, and compared with nothing")
        for unread in made.unread:
            yield "  ? ", _unread(unread, lang)
    elif not made.outcomes:
        yield "", _("Nothing is claimed.")


def _outcome(
    outcome: Outcome, looks: dict[str, Look], lang: str, _: Say
) -> Iterator[tuple[str, str]]:
    claim = outcome.claim
    head = (word(STANDINGS, outcome.standing, lang), visible(claim.item), says(claim, lang))
    yield "", "  ".join(filter(None, head))
    whence = (visible(claim.place), f"“{visible(claim.words)}”" if claim.words else "")
    yield "  ", "  ".join(filter(None, whence))
    for words in claim.beside:
        yield "  ! ", _("Beside it, not read: “{words}”", words=visible(words))
    for spot in outcome.spots:
        yield "  ", f"{_where(spot, looks)}: {word(STANDINGS, spot.standing, lang)}"
        yield from (("    " + _BULLETS[e.kind] + " ", _evidence(e, lang)) for e in spot.evidence)
    yield from (("  " + _BULLETS[e.kind] + " ", _evidence(e, lang)) for e in outcome.evidence)
    if outcome.standing in (Standing.NOT_OBSERVABLE, Standing.UNSETTLED):
        document = said(kinds.told()[claim.kind].document, lang)
        yield "  → ", _("Document to ask for: {document}", document=document)
    yield "", ""


def _where(spot: Spot, looks: dict[str, Look]) -> str:
    return label(looks[spot.target].target)


def _evidence(evidence: Evidence, lang: str) -> str:
    words = sentence(evidence, lang)
    if "reason" in evidence.values or evidence.cause in _TOLD:
        return words
    cause = word(CAUSES, evidence.cause, lang)
    return f"{words}（{cause}）" if lang == "ja" else f"{words} ({cause})"


def _unread(unread: Unread, lang: str) -> str:
    why = word(WHYS, unread.why, lang)
    place = "  ".join(filter(None, (visible(unread.item), visible(unread.place))))
    return f"{place}  “{visible(unread.words)}” ({why})"


def says(claim: Claim, lang: str) -> str:
    """What is claimed, in words."""
    words = said(kinds.told()[claim.kind].says, lang)
    value = ", ".join(_value(claim.value))
    colon = "：" if lang == "ja" else ": "
    return f"{words}{colon}{visible(value)}" if value else words


def _value(value: Any) -> tuple[str, ...]:
    match value:
        case True:
            return ()
        case Hsts(max_age, subdomains):
            age = (f"max-age={max_age}",) if max_age > 1 else ()
            return (*age, *(("includeSubDomains",) if subdomains else ()))
        case tuple():
            return tuple(map(str, value))
    return (value.isoformat() if isinstance(value, date) else str(value),)


# ---- JSON ------------------------------------------------------------------------------------


def document(made: Verification, lang: str) -> bytes:
    """The outcomes for programs, the same in every language."""
    del lang
    content = {
        "format": FORMAT,
        "claims": made.file,
        "scan": {"at": _at(made), "version": made.scan.version},
        "counts": {str(standing): made.count(standing) for standing in Standing},
        "outcomes": [_entry(outcome) for outcome in made.outcomes],
        "unread": [
            {"words": u.words, "why": u.why, "item": u.item, "place": u.place} for u in made.unread
        ],
    }
    words = json.dumps(content, ensure_ascii=False, indent=1)
    return f"{plain_json(words)}\n".encode(errors="backslashreplace")


def _at(made: Verification) -> str:
    """When the look began, as the scan file has it."""
    return made.scan.at.isoformat().replace("+00:00", "Z")


def _entry(outcome: Outcome) -> dict[str, Any]:
    claim, kind = outcome.claim, kinds.told()[outcome.claim.kind]
    return {
        "claim": {
            "kind": claim.kind,
            "value": _plain(claim.value),
            "item": claim.item,
            "target": claim.target or None,
            "words": claim.words,
            "place": claim.place,
            "beside": list(claim.beside),
        },
        "standing": outcome.standing,
        "targets": [
            {
                "target": spot.target,
                "standing": spot.standing,
                "evidence": list(map(_told, spot.evidence)),
            }
            for spot in outcome.spots
        ],
        "evidence": list(map(_told, outcome.evidence)),
        "document": {"en": kind.document.en, "ja": kind.document.ja},
    }


def _told(evidence: Evidence) -> dict[str, Any]:
    return {
        "code": evidence.code,
        "kind": evidence.kind,
        "template": evidence.template,
        "values": {name: _plain(value) for name, value in evidence.values.items()},
        "cause": evidence.cause,
        "refs": list(evidence.refs),
    }


def _plain(value: Any) -> Any:
    match value:
        case Hsts(max_age, subdomains):
            return {"max_age": max_age, "include_subdomains": subdomains}
        case tuple():
            return list(value)
    return value.isoformat() if isinstance(value, date) else value


FORMATS = {"text": text, "json": document}
