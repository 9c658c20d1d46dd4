"""Breaking text into lines of so many columns, Japanese and Latin together.

A line breaks at a space or beside a Japanese character; Latin words stay whole unless they are
longer than a line. What must not begin a line (、。） and the like) does not.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from rich.cells import cell_len, chop_cells

_PIECE = re.compile(
    r"""
    \s+
  | [（「『【“(\[]* (?: [^\s\u2e80-\uffef] + | [\u2e80-\uffef] )
    []),.;:、。，．・：；？！）」』】”％ー々ぁぃぅぇぉっゃゅょァィゥェォッャュョ]*
    """,
    re.VERBOSE,
)


def fold(text: str, width: int) -> list[str]:
    """*text* in lines of at most *width* columns; nothing is lost but the spaces at the breaks."""
    lines, line = [], ""
    for piece in _pieces(text, width):
        if cell_len(line + piece.rstrip()) <= width:
            line += piece
        else:
            lines.append(line.rstrip())
            line = piece.lstrip()
    return [*lines, line.rstrip()]


def _pieces(text: str, width: int) -> Iterator[str]:
    for piece in _PIECE.findall(text):
        yield from chop_cells(piece, width) if cell_len(piece) > width else (piece,)
