"""The signed-off report: a PDF of some pages, typeset by typst (extra ``tlscheck[pdf]``).

What is said goes to typst as JSON and is set as plain text: nothing that a server sent can become
markup. Characters that the carried font does not have are spelt out, never left as boxes.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

from tlscheck.data import data_dir
from tlscheck.errors import OutputError
from tlscheck.render import pages
from tlscheck.report import Report
from tlscheck.text import _N, JST, moment, visible, voice


@dataclass(frozen=True, slots=True)
class Pdf:
    """A document, and what it could not show."""

    data: bytes
    missing: tuple[str, ...]
    """Characters that the font does not have; they are written as code points."""


def render(report: Report, lang: str) -> bytes:
    """The document alone."""
    return typeset(report, lang).data


def typeset(report: Report, lang: str) -> Pdf:
    """The document; the same report gives the same bytes."""
    import typst

    document, missing = described(report, lang)
    with resources.as_file(data_dir("reports")) as folder:
        fonts = [str(folder / "fonts")]
        compiler = typst.Compiler(root=fonts[0], font_paths=fonts, ignore_system_fonts=True)
        try:
            data = compiler.compile(
                (folder / "report.typ").read_bytes(),
                sys_inputs={"report": json.dumps(document, ensure_ascii=False)},
                pdf_standards=["a-2b", "ua-1"],  # for the archive, and for readers of every kind
                timestamp=int(report.scan.at.timestamp()),
            )
        except typst.TypstError as error:
            raise OutputError(
                "the PDF cannot be made ({detail}); take -f html", detail=error.message
            ) from None
    assert isinstance(data, bytes)
    return Pdf(data, missing)


def identity(report: Report) -> tuple[str, str]:
    """The report's id, and the SHA-256 it is made of: that of the scan file. Where the file was
    judged otherwise than it says itself, two groups more tell such reports apart.
    """
    digest, own = report.digest, report.own_digest
    marks = digest[:16] if own == digest else digest[:16] + own[:8]
    groups = "-".join(marks[i : i + 4] for i in range(0, len(marks), 4)).upper()
    return f"TLSCHECK-{report.scan.at.astimezone(JST):%Y%m%d}-{groups}", digest


_MADE = _N(
    "The report id is made of the SHA-256 of the scan file: whoever holds that file can check it."
)
_MADE_OTHERWISE = _N(
    "The report id is made of the SHA-256 of the scan file, and its last two groups, since it was"
    " judged otherwise than it says itself, of that of the file that -f json writes by the same"
    " profile, checklists and waivers: whoever holds the scan file can check both."
)


def described(report: Report, lang: str) -> tuple[Mapping[str, Any], tuple[str, ...]]:
    """All that the document says, and the characters in it that had to be spelt out."""
    _ = voice(lang)
    number, digest = identity(report)
    glyphs = _Glyphs(characters())
    document = glyphs.shown(
        {
            "lang": lang,
            "title": _("TLS check report"),
            "number": number,
            "facts": [
                (_("Report id"), number),
                (_("Time of the look"), moment(report.scan.at, lang)),
                (_("Program"), f"tlscheck {visible(report.scan.version)}"),
                (_("SHA-256 of the scan file"), digest),
            ],
            "checked": _(_MADE if report.own_digest == digest else _MADE_OTHERWISE),
            "blocks": list(pages.blocks(report, lang)),
        }
    )
    missing = tuple(sorted(glyphs.missing))
    return {**document, "note": note(missing, lang) if missing else ""}, missing


def note(missing: tuple[str, ...], lang: str) -> str:
    """That characters are missing, and which."""
    _ = voice(lang)
    return _(
        "characters that the report's font lacks are written as code points ({count}): {codes}",
        count=len(missing),
        codes=[_code(character) for character in missing[:_MOST]]
        + (["…"] if len(missing) > _MOST else []),
    )


_MOST = 20


@cache
def characters() -> frozenset[str]:
    """What the font has; tools/font.py writes the list beside it."""
    listed = (data_dir("reports") / "fonts" / "characters.txt").read_text(encoding="utf-8")
    return frozenset(listed) - {"\n"}


def _code(character: str) -> str:
    return f"U+{ord(character):04X}"


class _Glyphs:
    """Spells out what a font does not have, and remembers it."""

    def __init__(self, known: frozenset[str]) -> None:
        self._known = known
        self.missing: set[str] = set()

    def shown(self, value: Any) -> Any:
        """*value* with every text in it made of characters of the font."""
        match value:
            case str():
                return self._text(value)
            case dict():
                return {key: self.shown(each) for key, each in value.items()}
            case list() | tuple():
                return [self.shown(each) for each in value]
        return value

    def _text(self, text: str) -> str:
        if self._known.issuperset(text):
            return text
        return "".join(c if c in self._known else self._spelt(c) for c in text)

    def _spelt(self, character: str) -> str:
        self.missing.add(character)
        return f"〈{_code(character)}〉"
