"""One row of a filled sheet: which columns hold what, and what a countermeasure stands beside."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import openpyxl
from openpyxl.cell.rich_text import CellRichText

from tlscheck import targets
from tlscheck.errors import TargetError
from tlscheck.verify import prose
from tlscheck.verify.claims import Why

_SAID = ("対応策", "countermeasure")
_BEHIND = r"(?:\(.*)?"
_HEADS: Mapping[str, re.Pattern[str]] = {
    "said": re.compile(".{0,10}(?:対応策|countermeasure).{0,30}"),
    "item": re.compile(r"項番|項目番号|番号|no\.?|itemno\.|item"),
    "target": re.compile(
        r"(?:検査|評価)?対象(?:サーバー?|ホスト名?|url|fqdn)?"
        + _BEHIND
        + r"|接続先(?:サーバー?|ホスト名?|url|fqdn)?"
        + _BEHIND
        + r"|targets?"
        + _BEHIND
    ),
}
"""What the heads of the columns are, without spaces. A column headed 対象外 is none of targets."""
_NO = re.compile(
    r"(?:いいえ|否|×|無し?|なし|対象外|非該当|該当なし|非対応|対応なし|未.{1,4}|不(?:可|適|適合)"
    r"|(?!.*有効).{0,6}(?:予定日?|期限|期日|時期)|no|ng|n/a|notapplicable|planned)" + _BEHIND
)
"""Heads of columns in which a mark says no."""
_UNMARKED = frozenset(("", "□", "☐", "-", "ー", "－", "―", "−", "×", "✕", "0", "false", "no"))
_SHORT_NO = re.compile(
    r"[×✕✖✗✘]|いいえ|否|無|ng|no|不可|不適合|(?:対応)?不要|対象外|非該当|該当なし|未.{0,6}|(?:実施|対応)?予定"
    r"|0%|計画|計画中|検討中|準備中|来年度|来期|[0-9]{4}年.{0,8}|n/a|false|planned|ただし.*"
)
"""What says no, or later, wherever it stands in a row."""
_JUDGED = re.compile("判定結果.*|確認した.*|改善策.*|result|evidence")
"""Heads of the evaluator's columns, and not the vendor's."""
_ASKED = re.compile(
    r"(?!.*(?:対応|実施|回答|適用|該当|達成|状況)).*(?:項目|要求|要件|基準|内容|質問|設問|チェック|確認|分類|区分"
    r"|カテゴリ|参照|根拠|出典|ガイドライン|重要度|requirement|question|category|control|title|description)"
    r".*"
)
"""Heads of the columns that say what is asked, in words that deny and demand."""
_YES = re.compile(
    r"はい|yes|ok|true|[○◯〇●✓✔]|有り?|あり|[0-9]+|適合|(?:対応|実施|設定|導入|適合|準拠|遵守)(?:済み?)?|済み?"
)
"""What adds nothing to a claim that it stands beside."""
_UNSURE = re.compile("予定|今後|将来|未|例|推奨|要求|計画|医療機関|plan|example|recommend|required")
"""In a head of claims: they are none."""
_AGAIN = re.compile(r".{0,10}(?:対応策|countermeasures?)(?:の?内容)?" + _BEHIND)
"""The head of a further table, below another."""


@dataclass(frozen=True, slots=True)
class Cell:
    """A countermeasure as it stands in the sheet."""

    place: str
    item: str
    targets: tuple[str, ...]
    """Of which it speaks; none: of all."""
    words: str
    why: Why | None = None
    """Why it is not to be read."""
    about: tuple[str, ...] = ()
    """What else stands there and is not read."""
    group: str = ""
    """The row of its item, of which it may be a further one."""


@dataclass(frozen=True, slots=True)
class Heads:
    """The columns by what they hold, counted from 0."""

    said: int
    further: tuple[int, ...]
    """Other columns that are headed like it."""
    item: int | None
    target: int | None
    no: tuple[int, ...]
    """Those in which a mark says no."""
    judged: tuple[int, ...]
    """The evaluator's."""
    more: tuple[int, ...]
    """Those that may say more of a claim, or take it back."""
    unsure: bool
    """Whether the head says that the words below are no claims."""

    def and_below(self, row: Sequence[Any]) -> Heads:
        """These, where the heads of *row* stand below them."""
        return replace(self, no=(*self.no, *_columns(row, _NO)))


def heads(row: Sequence[Any], *, again: bool = False) -> Heads | None:
    """The columns, where the row is the one of heads; *again*: of a further table."""
    texts = {column: plain for column, cell in enumerate(row) if (plain := _plain(_text(cell)))}
    found = {name: _columns(row, head) for name, head in _HEADS.items()}
    if not (_columns(row, _AGAIN) if again else found["said"]):
        return None
    said = min(found["said"], key=lambda column: texts[column] not in _SAID)
    item, target = (next(iter(found[name]), None) for name in ("item", "target"))
    further = tuple(column for column in found["said"] if column != said)
    no = tuple(column for column in _columns(row, _NO) if column != item)
    judged = tuple(_columns(row, _JUDGED))
    others = (*judged, *_columns(row, _ASKED), said, item, target, *further, *no)
    more = (n for n in range(len(row)) if n not in others and (n in texts or n > said))
    unsure = bool(_UNSURE.search(texts[said]))
    return Heads(said, further, item, target, no, judged, tuple(more), unsure)


def cells(title: str, number: int, row: Sequence[Any], heads: Heads) -> Iterator[Cell]:
    """The countermeasures of the row *number* of the sheet *title*."""
    said = [n for n in (heads.said, *heads.further) if n < len(row) and _text(row[n]).strip()]
    if not said:
        return
    words = {column: _text(cell) for column, cell in enumerate(row)}
    item = item_of(row[: heads.said]) if heads.item is None else _number(words.get(heads.item, ""))
    aims, clear = _targets(words.get(heads.target, "") if heads.target is not None else "")
    more = [told for column in heads.more if (told := " ".join(words.get(column, "").split()))]
    reasons = {
        Why.BESIDE: heads.unsure or _denied(words, heads) or any(map(prose.denies, more)),
        Why.UNCLEAR_TARGET: not clear,
        Why.ELSEWHERE: any(map(prose.strays, more)),
    }
    about = tuple(told for told in more if not _YES.fullmatch(_plain(told)))
    for column in said:
        own = {
            Why.FORMULA: getattr(row[column], "data_type", "") == "f",
            Why.OTHER_COLUMN: column != heads.said,
            Why.STRUCK: _struck(row[column]),
        }
        why = next((why for why, so in (own | reasons).items() if so), None)
        place = f"{title}!{openpyxl.utils.get_column_letter(column + 1)}{number}"
        yield Cell(place, item, aims, words[column], why, about)


def _denied(words: Mapping[int, str], heads: Heads) -> bool:
    """Whether a mark in the row says no, or later."""
    own = {heads.said, *heads.further, heads.item, heads.target, *heads.no, *heads.judged}
    return any(_plain(words.get(column, "")) not in _UNMARKED for column in heads.no) or any(
        _SHORT_NO.fullmatch(_plain(text)) for column, text in words.items() if column not in own
    )


def alone(row: Sequence[Any]) -> str:
    """The words of a row that has nothing else: a heading, or a note."""
    texts = [text for cell in row if (text := " ".join(_text(cell).split()))]
    return texts[0] if len(texts) == 1 and not item_of(row[:4]) else ""


def doubtful(text: str) -> bool:
    """Whether a heading or a note may take back what stands below or above it."""
    if text.startswith(NOTES):
        return len(text) <= _NOTE and (prose.denies(text) or prose.strays(text))
    return len(text) <= _NOTE and bool(_TAKEN_BACK.search(text) or prose.strays(text))


NOTES = ("※", "*", "＊", "注")
"""What notes begin with."""
_TAKEN_BACK = re.compile(
    r"予定|計画|未|対象外|非該当|不要|案|例(?!え)|参考|旧|今後|将来|次期|来期|過去|廃止|ドラフト"
    r"|\b(?:planned|plan|draft|example|old|future|not)\b",
    re.IGNORECASE,
)


_NOTE = 200
"""Longer ones are explanations."""


def _columns(row: Sequence[Any], head: re.Pattern[str]) -> list[int]:
    texts = ((column, _text(cell)) for column, cell in enumerate(row))
    return [column for column, text in texts if text and head.fullmatch(_plain(text))]


def _struck(cell: Any) -> bool:
    """Whether the cell, or a run of it, is struck through."""
    fonts = [getattr(cell, "font", None)]
    if isinstance(cell.value, CellRichText):
        fonts += (getattr(run, "font", None) for run in cell.value)
    return any(getattr(font, "strike", None) for font in fonts)


def _targets(text: str) -> tuple[tuple[str, ...], bool]:
    """The targets that a cell names, and whether it names nothing else."""
    if _EVERY.fullmatch(_plain(text)):
        return (), True
    found = tuple(filter(None, re.split(r"[\s,、，;；]+", text)))
    try:
        for each in found:
            targets.parse(each)
    except TargetError:
        return found, False
    return found, True


_EVERY = re.compile(
    r"(?:すべて|全て|全部|全体|共通|全(?:サーバー?|対象|ホスト|システム))|all|every|any"
)
"""What names every target."""


def _text(cell: Any) -> str:
    value = getattr(cell, "value", None)
    if value is None or isinstance(value, bool):
        return ""
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)


def _plain(text: str) -> str:
    return "".join(unicodedata.normalize("NFKC", text[:200]).split()).casefold()


_ITEM = re.compile(r"[A-Za-z0-9][A-Za-z0-9.-]{0,30}")


def _number(text: str) -> str:
    """The item's id in a cell such as ``44`` or ``項番44``; empty where there is none."""
    plain = unicodedata.normalize("NFKC", text[:200]).strip().removeprefix("項番").strip(" .()")
    return plain if _ITEM.fullmatch(plain) else ""


def item_of(row: Sequence[Any]) -> str:
    """The item's id where its column has no head, as in the official sheet."""
    found = (_number(_text(cell)) for cell in row[:4])
    return next((number for number in found if number[:1].isdigit()), "")
