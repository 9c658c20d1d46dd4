"""The language of this run, chosen before click builds its help."""

from __future__ import annotations

import gettext
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from tlscheck import text


def option(arguments: Sequence[str], name: str = "--lang", short: str = "") -> str | None:
    """The value of the option *name* wherever it stands, ``None`` without one."""
    for i, argument in enumerate(arguments):
        if argument in (name, short) and i + 1 < len(arguments):
            return arguments[i + 1]
        if argument.startswith(f"{name}="):
            return argument.partition("=")[2]
        if short and argument.startswith(short) and len(argument) > len(short):
            return argument.removeprefix(short)
    return None


def configured(arguments: Sequence[str]) -> str | None:
    """The language that the configuration file of this run names, if it names one that there is.

    What else is wrong with the file is told by who reads it.
    """
    path = option(arguments, "--config", "-c")
    if path is None and arguments[:1] in (["watch"], ["config"]):
        path = "tlscheck.toml"
    if path is None or not Path(path).is_file():
        return None
    import tomllib

    try:
        found = tomllib.loads(Path(path).read_text(encoding="utf-8-sig")).get("language")
    except (OSError, ValueError):
        return None
    return found if found in text.languages() else None


LANGUAGE = text.choose(option(sys.argv[1:]), configured(sys.argv[1:]), os.environ)
"""``ja`` or ``en``: by ``--lang``, else the configuration, else the locale."""
OF_SHEETS = option(sys.argv[1:]) or "ja"
"""The language of spreadsheets: Japanese, unless ``--lang`` asks for another."""


_OF_CLICK = (
    text._N("Usage:"),
    text._N("Options"),
    text._N("Commands"),
    text._N("Show this message and exit."),
    text._N("Show the version and exit."),
)
"""What click itself puts into every help; it asks gettext for it."""
os.environ["LANGUAGE"] = LANGUAGE
gettext.bindtextdomain("tlscheck", text.folder())
gettext.textdomain("tlscheck")


def _(template: str) -> str:
    """The sentence in the language of this run."""
    return text.translate(template, LANGUAGE)
