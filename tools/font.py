"""Makes the font of the PDF report: the Japanese part of a font, small enough to be carried.

    python -m tools.font /usr/share/fonts/opentype/noto/NotoSansCJK-Regular.ttc

The file is Noto Sans CJK (OFL 1.1, no reserved font name) as Debian's fonts-noto-cjk has it. Beside
the font stand the characters that it has: by them the report tells what it cannot show.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

from fontTools import subset  # type: ignore[import-untyped]

FOLDER = Path(__file__).parents[1] / "reports" / "fonts"
FONT = FOLDER / "NotoSansCJKjp-Regular.subset.otf"
CHARACTERS = FOLDER / "characters.txt"
FAMILY = "Noto Sans CJK JP"

BLOCKS = (
    range(0x0020, 0x007F),
    range(0x00A0, 0x0180),  # Latin: European names
    range(0x2010, 0x2028),  # dashes, quotes, dots
    range(0x2030, 0x205F),
    range(0x2190, 0x219A),  # arrows
    range(0x2200, 0x2270),  # signs of mathematics
    range(0x2460, 0x2474),  # ① to ⑳
    range(0x2500, 0x2600),  # lines, squares
    range(0x2713, 0x2719),  # ✓ ✗
    range(0x27E8, 0x27EA),  # ⟨ ⟩
    range(0x3000, 0x3100),  # kana
)
LINE = 80
OTHERS = "☆★☐☑☒⚠⚫⚪"


def wanted() -> frozenset[int]:
    """JIS X 0208 with Windows' additions (髙, ①, ㈱), kana, and Latin."""
    found = {ord(character) for character in OTHERS}.union(*BLOCKS)
    for lead in (*range(0x81, 0xA0), *range(0xE0, 0xFD)):
        for trail in range(0x40, 0xFD):
            found.update(map(ord, bytes((lead, trail)).decode("cp932", "ignore")))
    found.update(range(0xFF61, 0xFFA0))  # half-width kana
    return frozenset(code for code in found if chr(code).isprintable() or code in (0xA0, 0x3000))


def make(source: Path) -> None:
    """Write the font and the list of its characters."""
    options = subset.Options(
        layout_features=["kern", "palt", "vert", "ccmp", "mark"],
        hinting=False,
        desubroutinize=True,
        notdef_outline=True,
        name_IDs=["*"],
        recalc_timestamp=False,
    )
    options.font_number = _number(source)
    font = subset.load_font(str(source), options)
    work = subset.Subsetter(options)
    work.populate(unicodes=wanted())
    work.subset(font)
    subset.save_font(font, str(FONT), options)
    characters = "".join(map(chr, sorted(font.getBestCmap())))
    CHARACTERS.write_text("\n".join(batched(characters)) + "\n", encoding="utf-8")


def batched(characters: str) -> Iterator[str]:
    """*characters* in lines."""
    yield from (characters[i : i + LINE] for i in range(0, len(characters), LINE))


def _number(source: Path) -> int:
    """Which font of a collection it is."""
    from fontTools.ttLib import TTCollection

    if source.suffix != ".ttc":
        return -1
    with TTCollection(str(source), lazy=True) as fonts:
        return [font["name"].getDebugName(1) for font in fonts].index(FAMILY)


if __name__ == "__main__":
    make(Path(sys.argv[1]))
    for path in (FONT, CHARACTERS):
        print(f"written: {path} ({path.stat().st_size} bytes)")
