"""Collects every sentence that a person reads into locale/, for translation.

    python -m tools.messages            write messages.pot, bring the catalogs up to date
    python -m tools.messages --check    change nothing, fail where something is stale or missing

Sentences are: what `Problem`, `Open`, `Note`, `NotApplicable` and `Evidence` say, what `Missed` and
other troubles give as a literal detail, the user's mistakes (`tlscheck.errors`) and the phrases in
them, rules' titles and manuals, click's help, and whatever stands in `_("…")` or `_N("…")`, in code
or in a template, and the sources of what profiles want. Titles in profiles and checklists are not
among them: TOML holds both languages side by side.
"""

from __future__ import annotations

import ast
import io
import re
import sys
import tomllib
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po
from jinja2 import Environment, nodes

from tlscheck import errors
from tlscheck.text import languages, normal

ROOT = Path(__file__).parents[1]
LOCALE = ROOT / "locale"
TEMPLATE = LOCALE / "messages.pot"

MISTAKES = [name for name in vars(errors) if name.endswith("Error")]
"""The user's."""
SENTENCE_AT = {
    "Problem": 1,
    "Open": 1,
    "Note": 1,
    "NotApplicable": 1,
    "Evidence": 1,
    "NetError": 1,
    "UnreadableError": 0,
    "Missed": 2,
    "_end": 1,
    "PreambleError": 0,
    "Unsettled": 0,
    "DecodeError": 0,
    "Phrase": 0,
    **dict.fromkeys(MISTAKES, 0),
    "_": 0,
    "_N": 0,
}
"""Which argument of a call is a sentence."""
LITERAL = {"Problem", "Open", "Note", "NotApplicable", "Phrase", "_N", *MISTAKES}
"""The calls whose sentence must be a literal, or a parameter that is given one."""
TELLING = {"matter", "detail", "why"}
"""Keywords that hold a sentence or a part of one; see `tlscheck.text`."""
TROUBLE = {"trouble", "doubt", "why", "awaited", "detail"}
"""Variables and attributes that do."""
HELP = {"help", "short_help", "epilog"}
"""Keywords of click's decorators that do."""

_Function = ast.FunctionDef | ast.AsyncFunctionDef
_Found = Iterator[tuple[str, str]]
"""Sentences, each with the file it stands in."""


def sentences() -> _Found:
    """Every sentence, file by file."""
    for path in sorted((ROOT / "tlscheck").rglob("*.py")):
        where = path.relative_to(ROOT).as_posix()
        tree = ast.parse(path.read_text(encoding="utf-8"), where)
        in_cli = path.is_relative_to(ROOT / "tlscheck" / "cli")
        yield from ((sentence, where) for sentence in _of_code(tree, where, in_cli=in_cli))
    for path in sorted((ROOT / "reports").rglob("*.html")):
        where = path.relative_to(ROOT).as_posix()
        yield from ((sentence, where) for sentence in _of_template(path.read_text("utf-8")))
    for path in sorted((ROOT / "profiles").glob("*.toml")):
        where = path.relative_to(ROOT).as_posix()
        yield from (
            (source, where) for source in _of_profile(tomllib.loads(path.read_text("utf-8")))
        )


def _of_code(tree: ast.AST, where: str, *, in_cli: bool) -> Iterator[str]:
    functions = [node for node in ast.walk(tree) if isinstance(node, _Function)]
    handed_on = {(f.name, name): at for f in functions for name, at in _handed_on(f)}
    for public in {name for name, _ in handed_on if not name.startswith("_")}:
        raise SystemExit(
            f"{where}: {public} is handed a sentence, which is found in its own file alone; give it"
            " a name of that file's own"
        )
    keywords = TELLING | HELP if in_cli else TELLING
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            name = _name(node.func)
            for (function, keyword), at in handed_on.items():
                if function == name:
                    yield from _literals([*node.args[at : at + 1], *_given(node, {keyword})])
            yield from _literals(_given(node, keywords))
            yield from _of_call(node, name, where, {n for _, n in handed_on})
        elif isinstance(node, ast.Assign) and {_name(t) for t in node.targets} & TROUBLE:
            yield from _literals([node.value])
        elif isinstance(node, _Function):
            yield from _of_function(node)


def _of_call(call: ast.Call, name: str, where: str, handed_on: set[str]) -> Iterator[str]:
    at = SENTENCE_AT.get(name)
    if at is None or len(call.args) <= at:
        return
    sentence = call.args[at]
    yield from _literals([sentence])
    if (
        name in LITERAL
        and not isinstance(sentence, ast.Constant)
        and _name(sentence) not in handed_on
    ):
        raise SystemExit(f"{where}:{call.lineno}: the sentence of {name}(…) must be a literal")


def _handed_on(function: _Function) -> Iterator[tuple[str, int]]:
    """The parameters of *function* that become a sentence of a call, and their positions."""
    everyone = [argument.arg for argument in (*function.args.posonlyargs, *function.args.args)]
    parameters = [name for name in everyone if name not in ("self", "cls")]
    for node in ast.walk(function):
        if isinstance(node, ast.Call) and _name(node.func) in LITERAL:
            at = SENTENCE_AT[_name(node.func)]
            for value in [*node.args[at : at + 1], *_given(node, TELLING)]:
                if isinstance(value, ast.Name) and value.id in parameters:
                    yield value.id, parameters.index(value.id)


def _of_function(function: _Function) -> Iterator[str]:
    decorators = {_name(d.func if isinstance(d, ast.Call) else d) for d in function.decorator_list}
    words = ast.get_docstring(function) or ""
    if "rule" in decorators:
        title, _, manual = words.partition("\n")
        yield title.rstrip(".")
        yield manual.strip()
    elif decorators & {"command", "group"} and not _has_help(function):
        yield words


def _has_help(function: _Function) -> bool:
    """Whether a command's help is given beside its docstring, which then is for programmers."""
    return any(
        isinstance(d, ast.Call) and _name(d.func) in ("command", "group") and _given(d, {"help"})
        for d in function.decorator_list
    )


def _of_template(source: str) -> Iterator[str]:
    tree = Environment(autoescape=True).parse(source)
    for call in tree.find_all(nodes.Call):
        match call:
            case nodes.Call(node=nodes.Name(name="_"), args=[nodes.Const(value=str() as text), *_]):
                yield text


def _of_profile(part: object) -> Iterator[str]:
    """The source of every basis; a profile's own is a document's name and stays as it is."""
    match part:
        case {"basis": {"source": str() as source}}:
            yield source
    match part:
        case dict():
            for value in part.values():
                yield from _of_profile(value)
        case list():
            for value in part:
                yield from _of_profile(value)


def _name(node: ast.expr) -> str:
    """The last word of what is called."""
    match node:
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name
    return ""


def _given(call: ast.Call, keywords: set[str]) -> list[ast.expr]:
    return [keyword.value for keyword in call.keywords if keyword.arg in keywords]


def _literals(nodes: list[ast.expr]) -> list[str]:
    return [n.value for n in nodes if isinstance(n, ast.Constant) and isinstance(n.value, str)]


# ---- catalogs --------------------------------------------------------------------------------


def template() -> Catalog:
    """All sentences, each with the files it stands in; the same code gives the same catalog."""
    places: dict[str, dict[str, None]] = {}
    for sentence, where in sentences():
        message = normal(sentence)
        if re.search("[A-Za-z]", re.sub(r"\{.*?\}", "", message)):  # else there is nothing to say
            places.setdefault(message, {})[where] = None
    catalog = _empty(None)
    for message, files in places.items():
        catalog.add(message, locations=[(file, 0) for file in files])
    return catalog


def updated(lang: str, new: Catalog) -> Catalog:
    """The translations into *lang*, with what is new still untranslated and what is gone gone."""
    old = translations(lang)
    catalog = _empty(lang)
    for message in new:
        if message.id:
            known = old.get(message.id)
            catalog.add(message.id, known.string if known else "", message.locations)
    return catalog


def translations(lang: str) -> Catalog:
    """The committed translations into *lang*."""
    path = _po(lang)
    if not path.exists():
        return _empty(lang)
    with path.open("rb") as file:
        return read_po(file, locale=lang)


def text(catalog: Catalog) -> bytes:
    """*catalog* as a PO file, without what would change from run to run."""
    out = io.BytesIO()
    write_po(out, catalog, width=100, include_lineno=False, ignore_obsolete=True)
    return out.getvalue()


def compiled(catalog: Catalog) -> bytes:
    """*catalog* as gettext reads it."""
    out = io.BytesIO()
    write_mo(out, catalog)
    return out.getvalue()


def files() -> dict[Path, bytes]:
    """Everything in locale/ as it should be, by path."""
    new = template()
    made = {TEMPLATE: text(new)}
    for lang in languages()[1:]:
        catalog = updated(lang, new)
        made[_po(lang)] = text(catalog)
        made[_po(lang).with_suffix(".mo")] = compiled(catalog)
    return made


def _po(lang: str) -> Path:
    return LOCALE / lang / "LC_MESSAGES" / "tlscheck.po"


def _empty(lang: str | None) -> Catalog:
    epoch = datetime(2026, 1, 1, tzinfo=UTC)
    return Catalog(
        locale=lang,
        project="tlscheck",
        version="-",
        msgid_bugs_address="-",
        creation_date=epoch,
        revision_date=epoch,
        last_translator="tlscheck",
        language_team="tlscheck",
        header_comment="# Sentences of tlscheck, collected by tools/messages.py.",
        fuzzy=False,
    )


def main(arguments: list[str]) -> int:
    """Write what is stale; with ``--check`` only name it. 1 where something is stale or missing."""
    made = files()
    stale = [p for p, data in made.items() if not p.exists() or p.read_bytes() != data]
    if "--check" not in arguments:
        for path in stale:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(made[path])
    missing = [
        (lang, str(message.id))
        for lang in languages()[1:]
        for message in updated(lang, template())
        if message.id and not message.string
    ]
    for path in stale:
        print(("stale: " if "--check" in arguments else "written: ") + str(path.relative_to(ROOT)))
    for lang, message in missing:
        print(f"no translation into {lang}: {message}")
    return 1 if missing or (stale and "--check" in arguments) else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
