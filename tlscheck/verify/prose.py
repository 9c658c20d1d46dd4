"""Prose to claims, as ``profiles/claims/prose.toml`` says. What is not understood is handed back.

Never guesses: a sentence counts only where patterns and words cover it to the last character, for
what is not known may turn all the rest of it round.
"""

from __future__ import annotations

import re
import tomllib
import unicodedata
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from enum import StrEnum
from functools import cache
from types import MappingProxyType
from typing import Any

from pydantic import TypeAdapter

from tlscheck.data import data_dir
from tlscheck.verify.claims import Hsts, Why
from tlscheck.wire.registry import Version

MOST = 1000
"""How long a sentence is read, in characters."""


@dataclass(frozen=True, slots=True)
class Read:
    """A claim in prose."""

    kind: str
    value: Any
    words: str
    """The sentence that it stands in."""
    whole_cell: bool = False
    """Whether it counts only where nothing of its cell is left unread."""
    beside: tuple[str, ...] = ()
    """What of its cell was not read, and may narrow it."""


@dataclass(frozen=True, slots=True)
class Left:
    """Words that were not read."""

    words: str
    why: Why


def read(text: str) -> tuple[tuple[Read, ...], tuple[Left, ...]]:
    """The claims in *text*, and what of it was not read."""
    claims, left = _gathered(text)
    at_odds = _contradict(claims)
    unsure = [c for c in claims if at_odds or (left and c.whole_cell)]
    left += (Left(words, Why.CONDITIONAL) for words in dict.fromkeys(c.words for c in unsure))
    beside = tuple(each.words for each in left)
    sure = (replace(c, beside=beside) for c in claims if c not in unsure)
    return tuple(dict.fromkeys(sure)), tuple(left)


def _gathered(text: str) -> tuple[list[Read], list[Left]]:
    """The claims of the sentences that are not denied by others, and the other sentences."""
    claims: list[Read] = []
    left: list[Left] = []
    above, denied = "", None
    all_denied = any(map(_denies_all, sentences(text)))
    for sentence in sentences(text):
        found, rest = _sentence(sentence)
        mark = _mark(sentence)
        if mark in ("", above):
            denied = None
        if found and (all_denied or denied):
            found, rest = [], [Left(_line(sentence), denied or Why.CONDITIONAL)]
        if not denied:
            above = mark
            denied = next((each.why for each in rest if each.why in _DENIALS), None)
        claims += found
        left += rest
    return claims, left


def _contradict(claims: Sequence[Read]) -> bool:
    """Whether what is said of versions, or of issuers, in one cell cannot all be meant."""
    said = {kind: [set(c.value) for c in claims if c.kind == kind] for kind in _OF_VERSIONS}
    among, offered, refused = (said[kind] for kind in _OF_VERSIONS)
    return (
        len({c.value for c in claims if c.kind == "issuer"}) > 1
        or any(one != other for one in among for other in among)
        or any(some - every for some in offered for every in among)
        or any(some & none for some in (*among, *offered) for none in refused)
    )


_OF_VERSIONS = ("versions_among", "versions_with", "versions_without")
_SHORT = 2
"""So few characters that nobody understands may be a no."""


def denies(text: str) -> bool:
    """Whether anything in *text* denies, narrows or puts off."""
    return any(_has(_Sort.TAINT, sentence) for sentence in sentences(text))


def strays(text: str) -> bool:
    """Whether anything in *text* is about something else than the servers."""
    return any(_has(_Sort.ELSEWHERE, sentence) for sentence in sentences(text))


def _has(sort: _Sort, sentence: str) -> bool:
    return len(sentence) > MOST or any(piece.sort is sort for piece in _pieces(sentence))


def _denies_all(sentence: str) -> bool:
    """Whether the sentence may deny others: it speaks of them, names nothing of its own, or says
    nobody knows what of a version or a port.
    """
    if len(sentence) > MOST:
        return False
    grammar, sorts = _grammar(), {piece.sort for piece in _pieces(sentence)}
    aimless = not grammar.subject.search(sentence)
    if _Sort.TAINT in sorts:
        return aimless or bool(grammar.back.search(sentence))
    if _Sort.ELSEWHERE in sorts:
        return aimless and not _HEADING.search(sentence)
    unclear = _Sort.OTHER in sorts
    return unclear and (len(sentence) <= _SHORT or bool(grammar.numbered.search(sentence)))


_HEADING = re.compile(r"^[■□◆◇●○【<\[]|[:】>\]]$")


_DENIALS = frozenset({Why.CONDITIONAL, Why.ELSEWHERE})
"""Of a heading they are of all that has another bullet than it, and stands below."""


def _line(sentence: str) -> str:
    return " ".join(sentence.split())


_BULLETS = "・●○■□◆◇*•‣-"


def _mark(sentence: str) -> str:
    """The bullet that the sentence begins with."""
    return sentence[0] if sentence[0] in _BULLETS else ""


def sentences(text: str) -> Iterator[str]:
    """The sentences of *text* in their compatibility form (NFKC).

    A line's end ends a sentence only where the next line is a bullet or empty, or where the line
    ends as sentences do: what denies it may stand in the next line. No claim reaches over one.
    """
    plain = _NUMBERED.sub("\n・", unicodedata.normalize("NFKC", _CIRCLED.sub("\n・", text)))
    for part in _END.split(plain):
        lines = (" ".join(line.split()) for line in part.splitlines())
        stripped = "\n".join(filter(None, lines)).removesuffix(".").strip()
        if stripped:
            yield stripped


_END = re.compile(
    r"""
    。
  | (?<=[.!?])\s+(?=[A-Z])
  | (?:(?<=ます)|(?<=です)|(?<=ません)|(?<=ました)|(?<=でした))\s*[\r\n]
  | [\r\n]\s*[\r\n]
  | [\r\n]\s*(?=[・●○■□◆◇*•‣-])
    """,
    re.VERBOSE,
)
_CIRCLED = re.compile("[①-⑳⑴-⒇]")
_NUMBERED = re.compile(
    r"^[ \t]*(?:[(](?:[0-9]{1,2}|[a-z])[)]\s*|(?:[0-9]{1,2}|[a-z])[).]\s+)|(?<=。)[(][0-9]{1,2}[)]",
    re.MULTILINE,
)


# ---- one sentence ----------------------------------------------------------------------------


class _Sort(StrEnum):
    """What a piece of a sentence is."""

    CLAIM = "claim"
    FILLER = "filler"
    YES = "yes"
    DELIMITER = "delimiter"
    TAINT = "taint"
    ELSEWHERE = "elsewhere"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class _Piece:
    sort: _Sort
    text: str
    claims: tuple[tuple[str, Any], ...] = ()
    whole_cell: bool = False


def _sentence(sentence: str) -> tuple[list[Read], list[Left]]:
    if len(sentence) > MOST:
        return [], [Left(_line(sentence), Why.TOO_LONG)]
    pieces = list(_pieces(sentence))
    sorts = {piece.sort for piece in pieces}
    for sort, why in _SPOILT.items():
        if sort in sorts:
            return [], [Left(_line(sentence), why)]
    if _Sort.CLAIM not in sorts or not _answered(pieces) or _taken_back(pieces):
        return [], [Left(_line(sentence), Why.NOT_UNDERSTOOD)]
    words = _line(sentence)
    return [Read(k, value, words, p.whole_cell) for p in pieces for k, value in p.claims], []


_SPOILT = {
    _Sort.TAINT: Why.CONDITIONAL,
    _Sort.ELSEWHERE: Why.ELSEWHERE,
    _Sort.OTHER: Why.NOT_UNDERSTOOD,
}


def _answered(pieces: Sequence[_Piece]) -> bool:
    """Whether a yes stands behind each claim and a colon: it may be the label of what follows."""
    claimed = asked = False
    for clause in _clauses(pieces):
        sorts = {piece.sort for piece in clause}
        if claimed and asked and _Sort.YES not in sorts:
            return False
        claimed, asked = _Sort.CLAIM in sorts, clause[-1:] == [_COLON]
    return True


def _taken_back(pieces: Sequence[_Piece]) -> bool:
    """Whether what a claim denies is said to be so behind it."""
    denied = False
    for piece in pieces:
        if piece.claims:
            denied = any(kind in _NEGATIVE for kind, _ in piece.claims)
        elif denied and _grammar().asserted.fullmatch(piece.text):
            return True
    return False


_NEGATIVE = frozenset({"versions_without", "ports_among", "no_ssl_vpn", "no_ikev1"})


_COLON = _Piece(_Sort.DELIMITER, ":")


def _clauses(pieces: Sequence[_Piece]) -> Iterator[list[_Piece]]:
    """Each with the delimiter that ends it."""
    clause: list[_Piece] = []
    for piece in pieces:
        clause.append(piece)
        if piece.sort is _Sort.DELIMITER:
            yield clause
            clause = []
    yield clause


def _pieces(sentence: str) -> Iterator[_Piece]:
    grammar, at = _grammar(), 0
    while at < len(sentence):
        piece = grammar.claim(sentence, at) or grammar.word(sentence, at) or _other(sentence, at)
        yield piece
        at += len(piece.text)


def _other(sentence: str, at: int) -> _Piece:
    """A word of Latin letters or one other character that nothing knows."""
    word = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*|.", re.DOTALL).match(sentence, at)
    return _Piece(_Sort.OTHER, word[0] if word else sentence[at])


# ---- the grammar -----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Pattern:
    claims: tuple[str, ...]
    match: tuple[str, ...]
    then: str = "these"
    """Of versions, which others are meant too."""
    value: str = ""
    """The claim's value, where no group gives it."""
    whole_cell: bool = False
    """Whether it counts only where nothing of its cell is left unread."""


@dataclass(frozen=True, slots=True)
class _Issuer:
    called: tuple[str, ...]
    found: str


@dataclass(frozen=True, slots=True)
class _Words:
    filler: tuple[str, ...]
    yes: tuple[str, ...]
    delimiter: tuple[str, ...]
    taint: tuple[str, ...]
    elsewhere: tuple[str, ...]
    asserted: tuple[str, ...]
    back: tuple[str, ...]
    subject: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _File:
    parts: dict[str, str]
    pattern: tuple[_Pattern, ...]
    issuer: tuple[_Issuer, ...]
    words: _Words


_Matcher = re.Pattern[str]


@dataclass(frozen=True, slots=True)
class _Grammar:
    patterns: tuple[tuple[_Matcher, _Pattern], ...]
    words: tuple[tuple[_Matcher, _Sort], ...]
    issuers: tuple[tuple[_Matcher, str], ...]
    asserted: _Matcher
    back: _Matcher
    subject: _Matcher
    numbered: _Matcher

    def claim(self, sentence: str, at: int) -> _Piece | None:
        """The longest claim that begins there."""
        best: tuple[re.Match[str], _Pattern] | None = None
        for matcher, pattern in self.patterns:
            found = matcher.match(sentence, at)
            if found and (best is None or found.end() > best[0].end()):
                best = (found, pattern)
        if best is None or not best[0][0]:
            return None
        claims = [(kind, self._value(kind, *best)) for kind in best[1].claims]
        if any(value is None for _, value in claims):
            return _Piece(_Sort.OTHER, best[0][0])
        return _Piece(_Sort.CLAIM, best[0][0], tuple(claims), best[1].whole_cell)

    def word(self, sentence: str, at: int) -> _Piece | None:
        """The longest word that is known there; of two alike the one that decides more."""
        best: tuple[str, _Sort] | None = None
        for matcher, sort in self.words:
            found = matcher.match(sentence, at)
            if found and found[0] and (best is None or len(found[0]) > len(best[0])):
                best = (found[0], sort)
        return _Piece(best[1], best[0]) if best else None

    def _value(self, kind: str, found: re.Match[str], pattern: _Pattern) -> Any:
        """What is claimed; ``None`` where the words make no sense."""
        if pattern.value:
            return pattern.value
        groups = {name: text for name, text in found.groupdict().items() if text}
        if "issuer" in groups:
            named = (name for m, name in self.issuers if m.fullmatch(groups["issuer"]))
            return tuple(dict.fromkeys(named)) or None
        make = _VALUES.get(kind.partition("_")[0] if kind != "key_bits" else kind)
        return make(groups, pattern.then) if make else True


@cache
def _grammar() -> _Grammar:
    text = (data_dir("profiles") / "claims" / "prose.toml").read_text("utf-8")
    file: _File = TypeAdapter(_File).validate_python(tomllib.loads(text))
    issuers = tuple((_compiled(c, {}), each.found) for each in file.issuer for c in each.called)
    names = "|".join(name for each in file.issuer for name in each.called)
    parts: dict[str, str] = {"issuers": f"(?:{names})(?![A-Za-z0-9])"}
    for name, part in file.parts.items():
        parts[name] = _filled(part, parts)
    ranked = (
        (_Sort.TAINT, file.words.taint),
        (_Sort.ELSEWHERE, file.words.elsewhere),
        (_Sort.DELIMITER, file.words.delimiter),
        (_Sort.YES, file.words.yes),
        (_Sort.FILLER, file.words.filler),
    )
    return _Grammar(
        tuple((_compiled(m, parts), each) for each in file.pattern for m in each.match),
        tuple((_compiled(word, parts), sort) for sort, words in ranked for word in words),
        issuers,
        _compiled("|".join(file.words.asserted), parts),
        _compiled("|".join(file.words.back), parts),
        _compiled("|".join(file.words.subject), parts),
        _compiled("{version}|[0-9]+番", parts),
    )


def _filled(pattern: str, parts: Mapping[str, str]) -> str:
    return re.sub(r"\{([a-z]+)\}", lambda found: f"(?:{parts[found[1]]})", pattern)


def _compiled(pattern: str, parts: Mapping[str, str]) -> _Matcher:
    # ASCII: \b is then where a Latin word begins or ends, beside Japanese too.
    within = _filled(pattern, parts).replace(r"\s", r"[^\S\n]")
    return re.compile(within, re.IGNORECASE | re.ASCII)


# ---- values ----------------------------------------------------------------------------------

_VERSION = re.compile(
    r"(?:(SSL|TLS)\s*(?:v|ver\.?|version|(?:の?バージョン)?は|バージョン)?\s*)?([123])(?:\.([0-9]))?",
    re.IGNORECASE,
)
_UP_TO = frozenset("~〜")
_OTHERS: Mapping[str, Callable[[int, int], bool]] = MappingProxyType(
    {
        "these": lambda rank, named: rank == named,
        "and_newer": lambda rank, named: rank >= named,
        "and_older": lambda rank, named: rank <= named,
        "older": lambda rank, named: rank < named,
    }
)


def _versions(groups: Mapping[str, str], then: str) -> tuple[Version, ...] | None:
    """The versions named, with those that are meant too; ``None`` where one does not exist."""
    family, named, behind = "", list[int](), 0
    for found in _VERSION.finditer(groups["versions"]):
        family = (found[1] or family).upper()
        try:
            rank = _rank(Version(f"{family} {found[2]}.{found[3] or 0}"))
        except ValueError:
            return None
        if _UP_TO & set(groups["versions"][behind : found.start()]):
            if rank <= named[-1]:
                return None
            named += range(named[-1] + 1, rank)
        named.append(rank)
        behind = found.end()
    meant = _OTHERS[then]
    return tuple(v for v in Version if any(meant(_rank(v), each) for each in named)) or None


def _rank(version: Version) -> int:
    return list(Version).index(version)


def _ports(groups: Mapping[str, str], then: str) -> tuple[int, ...] | None:
    del then
    bare = re.sub(r"\([^)]*\)", "", groups["ports"])
    numbers = tuple(sorted({int(n) for n in re.findall(r"\d+", bare)}))
    return numbers if numbers and numbers[0] > 0 and numbers[-1] < 65536 else None


def _hsts(groups: Mapping[str, str], then: str) -> Hsts | None:
    """``None`` where it is switched off (RFC 6797, 6.1.1)."""
    del then
    seconds = int(groups.get("max_age", "1"))
    return Hsts(seconds, "subdomains" in groups) if seconds else None


def _day(groups: Mapping[str, str], then: str) -> date | None:
    del then
    try:
        return date(*(int(n) for n in re.findall(r"\d+", groups["day"])))
    except ValueError:
        return None


_VALUES: Mapping[str, Callable[[Mapping[str, str], str], Any]] = MappingProxyType(
    {
        "versions": _versions,
        "ports": _ports,
        "hsts": _hsts,
        "valid": _day,
        "key_bits": lambda groups, then: int(groups["bits"]),
        "key": lambda groups, then: (groups["key"].upper(),),
    }
)
