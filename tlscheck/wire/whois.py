"""WHOIS (RFC 3912): questions and answers as bytes; the layouts of JPRS and of ICANN's registries.

A registry's answer is free text. What is read here are lines that name what they hold; banners,
legal notices and whatever else stands between them are passed over.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

PORT = 43


def question(name: str) -> bytes:
    """The question for *name* (RFC 3912, section 2)."""
    return f"{name}\r\n".encode("ascii")


@dataclass(frozen=True, slots=True)
class Entry:
    """One named value of an answer."""

    name: str
    value: str


def text(answer: bytes) -> str:
    """*answer* as text: UTF-8, and what is none as Latin-1, which any bytes are."""
    try:
        decoded = answer.decode("utf-8-sig")
    except UnicodeDecodeError:
        decoded = answer.decode("latin-1")
    return decoded.replace("\r\n", "\n").replace("\r", "\n")


# ---- JPRS ------------------------------------------------------------------------------------

_LABEL = re.compile(r"(?:[a-z]\. ?)?\[([^\]\s][^\]]*)\]\s*(.*?)\s*")
_KEYS = frozenset({"Signing Key", "署名鍵"})
_CONTACTS = frozenset({"Contact Information", "公開連絡窓口"})


def jprs(answer: str) -> Iterator[Entry]:
    """What a reply of ``whois.jprs.jp`` names, either layout, labels in either language.

    The public contact window, which stands last, is left out; a signing key goes on over the
    lines that follow it.
    """
    key: list[str] = []
    for line in answer.split("\n"):
        if any(line.lstrip("[ ").startswith(word) for word in _CONTACTS):
            break
        found = _LABEL.fullmatch(line)
        if found is None and key and line[:1].isspace() and line.strip():
            key.append(line.strip())
            continue
        if key:
            yield Entry(key[0], " ".join(filter(None, key[1:])))
            key = []
        if found is None:
            continue
        name, value = found[1].strip(), found[2]
        if name in _KEYS:
            key = [name, value]
        else:
            yield Entry(name, value)
    if key:
        yield Entry(key[0], " ".join(filter(None, key[1:])))


def jprs_records(answer: str) -> int:
    """How many records a reply holds; one has a line for each of its parts."""
    return len(re.findall(r"^\W*(?:Domain Information|ドメイン情報)\b", answer, re.MULTILINE))


def jprs_knows_none(answer: str) -> bool:
    """Whether the reply says that no such name is registered."""
    return bool(re.search(r"^No match!!", answer, re.MULTILINE))


# ---- ICANN's layout, and what resembles it ---------------------------------------------------

_PAIR = re.compile(r"\s*([A-Za-z][A-Za-z0-9 /_.-]{1,40}?)\s*:\s*(.*?)\s*")
_NONE = re.compile(
    r"^\s*(?:%|#|>+)?\s*(?:no match\b|not found\b|no data found\b|domain not found\b"
    r"|no entries found\b|no object found\b|the queried object does not exist\b)",
    re.IGNORECASE | re.MULTILINE,
)


def pairs(answer: str) -> Iterator[Entry]:
    """The ``Name: value`` lines of *answer*; an empty value is left out."""
    for line in answer.split("\n"):
        if line.lstrip()[:1] in ("%", "#", ">"):
            continue
        found = _PAIR.fullmatch(line)
        if found and found[2]:
            yield Entry(" ".join(found[1].lower().split()), found[2])


def knows_none(answer: str) -> bool:
    """Whether the reply says, in one of the usual ways, that no such name is registered."""
    return bool(_NONE.search(answer))


def referral(answer: str) -> str:
    """The server that an answer of ``whois.iana.org`` refers to; empty where it names none."""
    for entry in pairs(answer):
        if entry.name in ("refer", "whois") and re.fullmatch(r"[A-Za-z0-9.-]+", entry.value):
            return entry.value.lower()
    return ""
