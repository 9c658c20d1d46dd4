"""Profiles: what is wanted, how much it matters and where that comes from.

Reads TOML and checks it against the rules; nothing here looks at a target or judges one. The user's
mistakes end as one `ProfileError` that names the profile, the rule, the option and the remedy.
"""

from __future__ import annotations

import difflib
import hashlib
import json
import tomllib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, fields
from functools import cache, partial
from importlib.resources.abc import Traversable
from pathlib import Path
from types import MappingProxyType
from typing import Any

from pydantic import TypeAdapter, ValidationError

from tlscheck import data
from tlscheck.data import data_dir
from tlscheck.errors import ProfileError
from tlscheck.mistakes import expected, minded, unparsed
from tlscheck.model import Basis, Severity, Words
from tlscheck.observations.ike import ASKED, Dimension
from tlscheck.rules import RULES
from tlscheck.rules.core import Rule
from tlscheck.text import _N, Phrase
from tlscheck.wire import registry
from tlscheck.wire.ike.names import ENCRYPTION_1, HASH_1

Table = dict[str, Any]
"""A table as TOML gives it."""


@dataclass(frozen=True, slots=True)
class OpenBlock:
    """Values of another grade than their table, and what is not known of them.

    A value that the table allows as well is allowed, with the basis given here; one that it does
    not allow is neither good nor bad: the rule leaves it open.
    """

    values: tuple[str, ...]
    basis: Basis
    question: Words


@dataclass(frozen=True, slots=True)
class Setting:
    """One rule as a profile wants it."""

    rule: Rule[Any]
    want: object | None
    """What fills the rule's knob; ``None`` where it has none."""
    severity: Severity
    basis: Basis
    open: tuple[OpenBlock, ...]
    origin: str
    """The profile, of those that this one extends, that states the table."""
    digest: str = ""
    """SHA-256 of the effective table: two settings with one digest want the same."""


@dataclass(frozen=True, slots=True)
class Profile:
    """A complete policy: the rules that run, by id, and how."""

    id: str
    title: Words
    source: str
    """The document, its version and its date."""
    questions: tuple[Words, ...]
    """What is open about the profile as a whole."""
    settings: Mapping[str, Setting]
    extends: tuple[str, ...]
    """The profiles that it rests on, nearest first."""
    digest: str
    """SHA-256 of the effective tables: two profiles with one digest judge alike."""


def load(name: str, kept: Mapping[str, bytes] | None = None) -> Profile:
    """The shipped profile *name*, or the user's own file where *name* ends in ``.toml``.

    Where *kept* is given, the one that these texts spell, by the names under which `texts` gave
    them, whatever is installed.
    """
    if kept is not None:
        find = partial(_kept, kept)
        return _build(find(name), find)
    return _build(_own(Path(name)), _installed) if name.endswith(".toml") else _shipped(name)


def texts(name: str) -> dict[str, bytes]:
    """The files that the profile *name* is made of: its own, and those that it extends."""
    return {each.name: each.text for each in _chain(_installed(name), _installed)}


@cache
def _shipped(name: str) -> Profile:
    return _build(_packaged(name), _installed)


# ---- files -----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Head:
    """What a file says of itself, beside its tables."""

    id: str
    title: Words
    source: str
    extends: str = ""
    question: tuple[Words, ...] = ()


@dataclass(frozen=True, slots=True)
class _Document:
    """One file: its head, and its tables by rule id."""

    head: _Head
    tables: Mapping[str, Table]
    path: Path | None
    """Where a user's own file lies; ``None`` for a shipped one."""
    text: bytes

    @property
    def name(self) -> str:
        """What a person finds it by."""
        return str(self.path or self.head.id)


_Find = Callable[[str], _Document]
"""From a profile's name to its file."""


def _installed(name: str) -> _Document:
    return _own(Path(name)) if name.endswith(".toml") else _packaged(name)


def _kept(texts: Mapping[str, bytes], name: str) -> _Document:
    if name not in texts:
        raise ProfileError(
            "there is no profile {name}{hint}; shipped are {known}, and a file of your own ends in"
            " .toml",
            name=repr(name),
            hint=_nearest(name, texts),
            known=tuple(texts),
        )
    return _parsed(texts[name], _place(name), Path(name) if name.endswith(".toml") else None)


@cache
def _packaged(name: str) -> _Document:
    if name not in data.profiles():
        raise ProfileError(
            "there is no profile {name}{hint}; shipped are {known}, and a file of your own ends in"
            " .toml",
            name=repr(name),
            hint=_nearest(name, data.profiles()),
            known=data.profiles(),
        )
    document = _read(data_dir("profiles") / f"{name}.toml", None)
    if document.head.id != name:
        raise ProfileError(
            "profile {profile}: its id is {id}; name the file after it",
            profile=name,
            id=repr(document.head.id),
        )
    return document


def _own(path: Path) -> _Document:
    return _read(path, path)


def _read(source: Traversable, path: Path | None) -> _Document:
    where = _place(str(path or Path(source.name).stem))
    try:
        text = source.read_bytes()
    except OSError as error:
        raise ProfileError(
            "{where}: cannot be read: {detail}; name one that is there",
            where=where,
            detail=error.strerror or str(error),
        ) from error
    return _parsed(text, where, path)


def _parsed(text: bytes, where: Phrase, path: Path | None) -> _Document:
    try:
        content = tomllib.loads(text.decode())
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ProfileError(
            "{where}: is not TOML in UTF-8: {words}; correct it there",
            where=where,
            words=unparsed(error),
        ) from error
    own = {f.name for f in fields(_Head)}
    head: _Head = _checked(_Head, {k: v for k, v in content.items() if k in own}, where, "key")
    subjects = {k: v for k, v in content.items() if k not in own}
    return _Document(head, dict(_tables(subjects, where)), path, text)


def _tables(subjects: Table, where: Phrase) -> Iterator[tuple[str, Table]]:
    """The tables of a file by rule id, each of them of a rule that exists."""
    for subject, content in subjects.items():
        if not isinstance(content, dict):
            known = [*(f.name for f in fields(_Head)), *_subjects()]
            raise ProfileError(
                "{where}: unknown key {key}{hint}",
                where=where,
                key=repr(subject),
                hint=_nearest(subject, known) or Phrase("; take it out"),
            )
        for name, table in content.items():
            rule = f"{subject}.{name}"
            if rule not in RULES:
                hint = _nearest(rule, RULES) or Phrase("; `tlscheck rules` lists them")
                raise ProfileError(
                    "{where}: unknown rule {rule}{hint}", where=where, rule=rule, hint=hint
                )
            if not isinstance(table, dict):
                raise ProfileError(
                    "{where}, rule {rule}: must be a table, as in [{rule}]", where=where, rule=rule
                )
            yield rule, table


def _subjects() -> tuple[str, ...]:
    return tuple(dict.fromkeys(rule.partition(".")[0] for rule in RULES))


# ---- extending -------------------------------------------------------------------------------


def _build(document: _Document, find: _Find) -> Profile:
    """The profile of *document*, on top of all that it extends."""
    chain = tuple(_chain(document, find))
    effective: dict[str, tuple[Table, _Document]] = {}
    for each in reversed(chain):
        for rule, table in each.tables.items():
            _merge(effective, rule, table, each)
    head = document.head
    ordered = {rule: effective[rule] for rule in RULES if rule in effective}
    return Profile(
        id=head.id,
        title=head.title,
        source=head.source,
        questions=tuple(dict.fromkeys(q for each in reversed(chain) for q in each.head.question)),
        settings=MappingProxyType(
            {rule: _setting(rule, table, origin) for rule, (table, origin) in ordered.items()}
        ),
        extends=tuple(each.head.id for each in chain[1:]),
        digest=_digest({rule: table for rule, (table, _) in ordered.items()}),
    )


def _chain(document: _Document, find: _Find) -> Iterator[_Document]:
    """*document* and what it extends, nearest first; a loop is refused."""
    seen: list[str] = []
    while True:
        key = str(document.path.resolve()) if document.path else document.head.id
        if key in seen:
            raise ProfileError(
                "{where}: extends itself by way of {way}; take one `extends` out",
                where=_place(document.name),
                way=" -> ".join([*seen, key]),
            )
        seen.append(key)
        yield document
        base = document.head.extends
        if not base:
            return
        document = _base(document, base, find)


def _base(document: _Document, base: str, find: _Find) -> _Document:
    if base.endswith(".toml"):
        if document.path is None:
            raise ProfileError(
                "{where}: extends: a shipped profile extends one; name one without .toml",
                where=_place(document.name),
            )
        return find(str(document.path.parent / base))
    try:
        return find(base)
    except ProfileError as error:
        raise ProfileError(
            "{where}: extends: {error}", where=_place(document.name), error=error
        ) from error


def _merge(
    effective: dict[str, tuple[Table, _Document]], rule: str, table: Table, origin: _Document
) -> None:
    """Put one table over the one extended.

    A table that states a basis stands for itself: nothing of the one below shines through but its
    severity, so that no value is printed with the source of another. One without can only change
    the severity, or remove the rule.
    """
    where = _place(origin.name, rule)
    below = effective.get(rule)
    if "remove" in table:
        if table != {"remove": True}:
            raise ProfileError(
                "{where}: `remove = true` stands alone; take the other options out", where=where
            )
        if below is None:
            raise ProfileError(
                "{where}: there is nothing to remove, no profile below wants it; take it out",
                where=where,
            )
        del effective[rule]
    elif "basis" in table or below is None:
        severity = {"severity": below[0]["severity"]} if below else {}
        effective[rule] = (severity | table, origin)
    elif changed := sorted(table.keys() - {"severity"}):
        raise ProfileError(
            "{where}: {options} changed without a basis; state the whole table with {basis}, or"
            " the severity alone",
            where=where,
            options=changed,
            basis='basis = { source = "…", grade = "…" }',
        )
    else:
        _checked(_Weight, table, where, "option")
        effective[rule] = (below[0] | table, below[1])


def _digest(tables: Mapping[str, Any]) -> str:
    canonical = json.dumps(tables, sort_keys=True, default=str, ensure_ascii=False)
    return hashlib.sha256(canonical.encode()).hexdigest()


# ---- settings --------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Weight:
    """What a table may change without a basis."""

    severity: Severity


@dataclass(frozen=True, slots=True)
class _Frame:
    """What every table has, whatever its rule."""

    severity: Severity
    basis: Basis
    open: tuple[OpenBlock, ...] = ()


def _setting(name: str, table: Table, origin: _Document) -> Setting:
    rule, where = RULES[name], _place(origin.name, name)
    common = {f.name for f in fields(_Frame)}
    frame: _Frame = _checked(
        _Frame, {k: v for k, v in table.items() if k in common}, where, "option"
    )
    options = {k: v for k, v in table.items() if k not in common}
    if rule.wants is None and options:
        raise ProfileError(
            "{where}: takes no option, but has {options}; take them out",
            where=where,
            options=sorted(options),
        )
    want = _want(rule, options, frame.open, where) if rule.wants else None
    return Setting(
        rule, want, frame.severity, frame.basis, frame.open, origin.head.id, _digest(table)
    )


def _want(rule: Rule[Any], options: Table, blocks: tuple[OpenBlock, ...], where: Phrase) -> object:
    """The rule's want, filled from the *options* and from the open values, where it takes them."""
    assert rule.wants is not None
    if any(f.name == "open" for f in fields(rule.wants)):
        taken = {value for option in options.values() for value in _flat(option)}
        still = {value for block in blocks for value in block.values} - taken
        options = options | {"open": sorted(still)}
    want: object = _checked(rule.wants, options, where, "option")
    for option, known in _vocabulary().get(rule.id, {}).items():
        for value in sorted(_flat(getattr(want, option))):
            if value not in known:
                hint = _nearest(value, known) or Phrase("; names are those of the IANA registry")
                raise ProfileError(
                    "{where}, option {option}: {value} is not known{hint}",
                    where=where,
                    option=option,
                    value=repr(value),
                    hint=hint,
                )
    return want


@cache
def _vocabulary() -> Mapping[str, Mapping[str, frozenset[str]]]:
    """The options whose values are names of a registry: a typing error would match nothing."""
    suites = frozenset(registry.SUITE_BY_NAME)
    groups = frozenset(registry.GROUP_BY_NAME)
    curves = groups | {"Ed25519", "Ed448"}
    ike = {dimension: frozenset(names) for dimension, names in ASKED.items()}
    hashes = frozenset(scheme.hash for scheme in registry.SCHEMES if scheme.hash)
    return {
        "tls.suites": {"allow": suites, "open": suites},
        "quic.suites": {"allow": suites, "open": suites},
        "tls.suite-order": {"levels": suites},
        "tls.forbidden-suites": {
            "encryption": frozenset(suite.encryption for suite in registry.SUITES),
            "authentication": frozenset(suite.authentication for suite in registry.SUITES),
        },
        "tls.groups": {"allow": groups, "open": groups},
        "tls.signature-schemes": {"forbid_hashes": hashes},
        "certificate.key-curves": {"allow": curves, "open": curves},
        "certificate.signature-hash": {"forbid": hashes},
        "ike.groups": {"forbid": ike[Dimension.GROUPS]},
        "ike.strong-group": {"any": ike[Dimension.GROUPS]},
        "ike.encryption": {
            "forbid": ike[Dimension.ENCRYPTION],
            "forbid_ikev1": frozenset(ENCRYPTION_1.values()),
        },
        "ike.integrity": {
            "integrity": ike[Dimension.INTEGRITY],
            "prf": ike[Dimension.PRF],
            "forbid_ikev1": frozenset(HASH_1.values()),
        },
    }


def _flat(value: object) -> Iterator[str]:
    """The names in a name, in a set or sequence of names, or in a sequence of such sets."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, (list, tuple, frozenset)):
        for item in value:
            yield from _flat(item)


# ---- checking --------------------------------------------------------------------------------


@cache
def _adapter(kind: type) -> TypeAdapter[Any]:
    return TypeAdapter(kind)


def _checked(kind: Any, table: Table, where: Phrase, noun: str) -> Any:
    """*table* as a *kind*; unknown keys and bad values are the user's mistake."""
    try:
        # As JSON and strictly: lists become sets and names become enums, but "30" no number.
        text = json.dumps(table, default=str)
        return _adapter(kind).validate_json(text, strict=True, extra="forbid")
    except ValidationError as error:
        mistake = _mistake(kind, error, noun)
        raise ProfileError("{where}{mistake}", where=where, mistake=mistake) from error


def _place(profile: str, rule: str = "") -> Phrase:
    """Where a mistake is."""
    if rule:
        return Phrase("profile {profile}, rule {rule}", profile=profile, rule=rule)
    return Phrase("profile {profile}", profile=profile)


_NOUNS = {"key": _N("key"), "option": _N("option")}


def _mistake(kind: Any, error: ValidationError, noun: str) -> Phrase:
    """What pydantic minds first, in one line with its remedy."""
    first = error.errors(include_url=False)[0]
    place = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in first["loc"])
    name, value = " ".join(place.removeprefix(".").split()), f"{first['input']!r:.60}"
    key = Phrase("{noun} {name}", noun=Phrase("{detail}", detail=_NOUNS[noun]), name=name)
    match first["type"]:
        case "missing" | "missing_argument":
            return Phrase(": {key} is missing; add it", key=key)
        case "unexpected_keyword_argument":
            known = [f.name for f in fields(kind)] if "." not in name else []
            hint = _nearest(name, known) or Phrase("; take it out")
            return Phrase(": unknown {key}{hint}", key=key, hint=hint)
        case "enum":
            return Phrase(
                ", {key}: {value} is not known; it must be {expected}",
                key=key,
                value=value,
                expected=expected(first),
            )
        case _:
            return Phrase(
                ", {key}: {wanted}, not {value}", key=key, wanted=minded(first), value=value
            )


def _nearest(name: str, known: Iterable[str]) -> Phrase | str:
    """The hint that follows an unknown *name*, if one of the *known* is near."""
    near = difflib.get_close_matches(name, list(known), n=1)
    return Phrase("; did you mean {name}?", name=near[0]) if near else ""
