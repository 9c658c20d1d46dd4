"""Claims: what somebody says of an endpoint, as values; and the claims file in TOML.

Reads and checks, and compares nothing. The user's mistakes end as one `ClaimsError` that names the
file, the key and the remedy.
"""

from __future__ import annotations

import dataclasses
import difflib
import json
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import Annotated, Any, Literal

from pydantic import Field, TypeAdapter, ValidationError

from tlscheck import data as shipped
from tlscheck import targets
from tlscheck.errors import ClaimsError, TargetError
from tlscheck.mistakes import minded, unparsed
from tlscheck.text import Phrase, visible
from tlscheck.wire.registry import GROUP_BY_NAME, SUITE_BY_NAME, Version

_Name = Annotated[str, Field(min_length=2, max_length=200)]
_Names = Annotated[tuple[_Name, ...], Field(min_length=1)]
_Port = Annotated[int, Field(ge=1, le=65535)]
_Versions = Annotated[tuple[Version, ...], Field(min_length=1)]


@dataclass(frozen=True, slots=True)
class Hsts:
    """What is claimed of Strict-Transport-Security."""

    max_age: Annotated[int, Field(ge=1)] = 1
    """Seconds at least."""
    include_subdomains: bool = False


@dataclass(frozen=True, slots=True)
class Claim:
    """One thing that is said, of one target or of all."""

    kind: str
    """The key in a claims file, such as ``versions``."""
    value: Any
    """What is said: names, numbers, a day, `Hsts`, or ``True``."""
    item: str = ""
    """The number of the checklist item that it was said to."""
    target: str = ""
    """Host, host and port or URL; empty: every target."""
    words: str = ""
    """The words that it was read from; empty where the claims file states it."""
    place: str = ""
    """Where it stands in the file."""
    beside: tuple[str, ...] = ()
    """Words of the same cell that were not read, and may narrow it or deny it."""


class Why(StrEnum):
    """Why words were not read."""

    NOT_UNDERSTOOD = "not_understood"
    CONDITIONAL = "conditional"
    """They speak of the future, a condition or an exception, or deny something unknown."""
    ELSEWHERE = "elsewhere"
    """They speak of something else than the servers that were looked at."""
    FORMULA = "formula"
    TOO_LONG = "too_long"
    OTHER_COLUMN = "other_column"
    """A column of countermeasures beside the one that is read."""
    BESIDE = "beside"
    """Another column of their row says no, later or not applicable."""
    NO_TARGET = "no_target"
    """Other rows name a target, theirs does not."""
    UNCLEAR_TARGET = "unclear_target"
    """What stands in the column of targets names none."""
    STRUCK = "struck"
    """They are struck through."""
    HIDDEN = "hidden"
    """Their sheet is hidden."""
    COMMENT = "comment"
    """They are a comment on a cell."""


@dataclass(frozen=True, slots=True)
class Unread:
    """Words that nobody compared with anything."""

    words: str
    why: Why
    item: str = ""
    place: str = ""


@dataclass(frozen=True, slots=True)
class Claims:
    """All that a file claims, and what of it could not be read."""

    file: str
    claims: tuple[Claim, ...]
    unread: tuple[Unread, ...] = ()


@dataclass(frozen=True, slots=True)
class Said:
    """A ``[[claim]]`` of the file; each key but the first two is a claim of its own."""

    item: str = ""
    target: str = ""
    versions: _Versions | None = None
    versions_among: _Versions | None = None
    versions_with: _Versions | None = None
    versions_without: _Versions | None = None
    suites: _Names | None = None
    suites_among: _Names | None = None
    groups: _Names | None = None
    groups_among: _Names | None = None
    profile: _Name | None = None
    forward_secrecy: Literal[True] | None = None
    issuer: _Names | None = None
    publicly_issued: Literal[True] | None = None
    key: Literal["RSA", "ECDSA", "Ed25519", "Ed448"] | None = None
    key_bits: Annotated[int, Field(ge=1)] | None = None
    valid_until: date | None = None
    hsts: Literal[True] | Hsts | None = None
    http_redirected: Literal[True] | None = None
    ports: tuple[_Port, ...] | None = None
    ports_among: tuple[_Port, ...] | None = None
    no_ssl_vpn: Literal[True] | None = None
    no_ikev1: Literal[True] | None = None
    client_certificate: Literal[True] | None = None
    registrar: _Names | None = None
    transfer_lock: Literal[True] | None = None
    dnssec: Literal[True] | None = None
    caa: Literal[True] | None = None
    caa_among: _Names | None = None


@dataclass(frozen=True, slots=True)
class _File:
    claim: Annotated[tuple[Said, ...], Field(min_length=1)]


OF_WHAT = ("item", "target")
KINDS = tuple(f.name for f in dataclasses.fields(Said) if f.name not in OF_WHAT)
"""Every kind of claim: the keys of a ``[[claim]]``."""
_ALONE = ("issuer", "registrar")
"""Keys that may be a single string."""
_READER = TypeAdapter(_File)


def parse(file: str, data: bytes) -> Claims:
    """The claims in a TOML file. ClaimsError."""
    try:
        content = tomllib.loads(data.decode("utf-8-sig"))
    except (ValueError, RecursionError) as error:
        words = unparsed(error) if isinstance(error, ValueError) else Phrase("nested too deeply")
        raise ClaimsError(
            "{file}: neither a sheet (.xlsx) nor TOML in UTF-8: {words}; give one of both",
            file=file,
            words=words,
        ) from None
    try:
        text = json.dumps(_plain(content), default=_foreign)
        found = _READER.validate_json(text, strict=True, extra="forbid")
    except ValidationError as error:
        raise ClaimsError("{file}{mistake}", file=file, mistake=_mistake(error)) from None
    claims = [
        claim for number, said in enumerate(found.claim, 1) for claim in _claims(file, number, said)
    ]
    return Claims(file, tuple(claims))


def _claims(file: str, number: int, said: Said) -> Iterator[Claim]:
    place = f"[[claim]] {number}"
    stated = {kind: getattr(said, kind) for kind in KINDS}
    stated = {kind: value for kind, value in stated.items() if value is not None}
    if not stated:
        raise ClaimsError(
            "{file}, {place}: claims nothing; write {example}",
            file=file,
            place=place,
            example=EXAMPLES["versions"],
        )
    if said.target:
        try:
            targets.parse(said.target)
        except TargetError as error:
            raise ClaimsError(
                "{file}, {place}: {error}", file=file, place=place, error=error
            ) from None
    for kind, value in stated.items():
        _known(file, place, kind, value)
        yield Claim(kind, _full(kind, value), said.item, said.target, "", place)


def _full(kind: str, value: Any) -> Any:
    return Hsts() if kind == "hsts" and value is True else value


def _known(file: str, place: str, kind: str, value: Any) -> None:
    """Refuse names that nobody can have seen."""
    known = {
        "suites": tuple(SUITE_BY_NAME),
        "groups": tuple(GROUP_BY_NAME),
        "profile": shipped.profiles() if kind == "profile" else (),
    }.get(kind.partition("_")[0])
    if known is None:
        return
    for name in value if isinstance(value, tuple) else (value,):
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1, cutoff=0.4) or known[:1]
            raise ClaimsError(
                "{file}, {place}, key {key}: unknown name {name}; did you mean {near}?",
                file=file,
                place=place,
                key=kind,
                name=f"{name!r:.80}",
                near=near[0],
            )


def _plain(content: dict[str, Any]) -> dict[str, Any]:
    """*content* with single names as lists, and days as JSON has them."""
    tables = content.get("claim")
    if not isinstance(tables, list):
        return content
    return content | {"claim": [_listed(t) if isinstance(t, dict) else t for t in tables]}


def _listed(table: dict[str, Any]) -> dict[str, Any]:
    names: dict[str, Any] = {key: [table[key]] for key in _ALONE if isinstance(table.get(key), str)}
    day = table.get("valid_until")
    if isinstance(day, date) and not isinstance(day, datetime):
        names["valid_until"] = day.isoformat()
    return table | names


def _foreign(value: object) -> list[str]:
    return [str(value)]


EXAMPLES = {
    "item": 'item = "44"',
    "target": 'target = "clinic.example.jp"',
    "versions": 'versions = ["TLS 1.2", "TLS 1.3"]',
    "suites": 'suites = ["TLS_AES_128_GCM_SHA256"]',
    "groups": 'groups = ["x25519", "secp256r1"]',
    "profile": 'profile = "ipa-high-3.1.1"',
    "issuer": 'issuer = "DigiCert"',
    "key": 'key = "ECDSA"',
    "key_bits": "key_bits = 2048",
    "valid_until": "valid_until = 2027-03-31",
    "hsts": "hsts = {max_age = 31536000, include_subdomains = true}",
    "ports": "ports = [80, 443]",
    "registrar": 'registrar = "Example Registrar"',
    "caa_among": 'caa_among = ["letsencrypt.org"]',
}
"""How a key is written; of those that are not here: ``key = true``."""


def _example(key: str) -> str:
    for name in (key, key.partition("_")[0]):
        if name in EXAMPLES:
            return EXAMPLES[name].replace(f"{name} =", f"{key} =", 1)
    return f"{key} = true" if key in KINDS else f"[[claim]], {EXAMPLES['versions']}"


def _mistake(error: ValidationError) -> Phrase:
    """What is minded first, unknown keys before all, in one line with its remedy."""
    mistakes = error.errors(include_url=False)
    unknown = "unexpected_keyword_argument"
    first = next((each for each in mistakes if each["type"] == unknown), mistakes[0])
    numbered = [f"[[claim]] {p + 1}" if isinstance(p, int) else str(p) for p in first["loc"][1:2]]
    place = ", ".join(numbered)
    key = str(first["loc"][2] if len(first["loc"]) > 2 else first["loc"][0])
    if first["type"] == unknown:
        known = (*OF_WHAT, *KINDS) if place else ("claim",)
        near = difflib.get_close_matches(key, known, n=1)
        return Phrase(
            ", {place}: unknown key {key}; {hint}",
            place=place or "-",
            key=visible(key),
            hint=Phrase("did you mean {name}?", name=near[0])
            if near
            else Phrase("known are {names}", names=known),
        )
    return Phrase(
        ", {place}, key {key}: {wanted}; write {example}",
        place=place or "-",
        key=visible(key),
        wanted=minded(first),
        example=_example(key),
    )
