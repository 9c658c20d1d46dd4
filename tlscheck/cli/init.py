"""``tlscheck init``: a configuration to begin with, from a few answers or from options alone."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from string import Template

import click

from tlscheck.cli import options
from tlscheck.cli.config import mind
from tlscheck.cli.files import check, write
from tlscheck.cli.words import LANGUAGE, _
from tlscheck.errors import ConfigError, OutputError, TlscheckError


@dataclass(frozen=True, slots=True)
class Answers:
    """What the file is to say."""

    targets: tuple[str, ...]
    mail_to: tuple[str, ...]
    mail_from: str
    smtp: str
    history: str


@click.command(
    help=_(
        "Write a commented configuration for tlscheck watch: from the options, or from a few"
        " answers where there are none."
    ),
    short_help=_("Write a configuration file to begin with."),
)
@click.option("--target", "targets", metavar="T", multiple=True, help=_("Look at T (repeatable)."))
@click.option("--mail-to", metavar="A", multiple=True, help=_("Mail to A (repeatable)."))
@click.option("--mail-from", metavar="A", default="", help=_("Mail from A."))
@click.option("--smtp", metavar="URL", default="", help=_("Mail through URL, smtp://HOST:PORT."))
@click.option("--history", metavar="FILE", default="", help=_("Keep the scans in FILE."))
@click.option(
    "-o",
    "--output",
    metavar="FILE",
    default="tlscheck.toml",
    help=_("Write FILE (default: tlscheck.toml)."),
)
@click.option("--force", is_flag=True, help=_("Write over a file that is there."))
@options.language
def init(
    targets: tuple[str, ...],
    mail_to: tuple[str, ...],
    mail_from: str,
    smtp: str,
    history: str,
    output: str,
    force: bool,
) -> None:
    """Ask, make, check, write."""
    check(output)
    if output != "-" and Path(output).exists() and not force:
        raise OutputError("{file}: is there already; give --force or another -o", file=output)
    answers = Answers(targets, mail_to, mail_from, smtp, history)
    if answers == Answers((), (), "", "", "") and sys.stdin.isatty():
        answers = _asked()
    text = made(answers, LANGUAGE, Path(output))
    write(text.encode(), output)
    if output != "-":
        click.echo(_("{file}: written; next: tlscheck config check -c {file}").format(file=output))
        mind(_history(answers))


def _asked() -> Answers:
    """What somebody at a terminal says."""
    from tlscheck.cli.kept import where

    usual = str(where(None, None))
    answers = _answered(
        _("Targets, with spaces between"),
        lambda text: Answers(_several(text), (), "", "", usual),
    )
    answers = _answered(
        _("Mail to (empty: no mail)"),
        lambda text: replace(answers, mail_to=_several(text), mail_from=text and _SOMEBODY),
        "",
    )
    if answers.mail_to:
        first = answers.mail_to[0]
        answers = _answered(
            _("Mail from"), lambda text: replace(answers, mail_from=text or "-"), first
        )
        answers = _answered(
            _("Mail server"), lambda text: replace(answers, smtp=text), "smtp://localhost:25"
        )
    return _answered(_("History file"), lambda text: replace(answers, history=text), usual)


_SOMEBODY = "tlscheck@example.jp"
"""Whom mail is from until that is said."""


def _answered(
    question: str, taken: Callable[[str], Answers], default: str | None = None
) -> Answers:
    """What is known with the answer to *question*, which is asked until it will do."""

    def known(text: str) -> Answers:
        answers = taken(text.strip())
        try:
            made(answers, LANGUAGE, Path("tlscheck.toml"))
        except TlscheckError as error:
            raise click.UsageError(error.said(LANGUAGE)) from None
        return answers

    found: Answers = click.prompt(
        question, default=default, show_default=bool(default), value_proc=known
    )
    return found


def _several(text: str) -> tuple[str, ...]:
    return tuple(text.replace(",", " ").split())


def made(answers: Answers, lang: str, path: Path) -> str:
    """The file's text, which `tlscheck.config.load` takes. ConfigError, TargetError."""
    from tlscheck import config
    from tlscheck.targets import parse

    if not answers.targets:
        raise ConfigError("no target; give one or more with --target")
    for target in answers.targets:
        parse(target)
    if bool(answers.mail_to) != bool(answers.mail_from):
        raise ConfigError("--mail-to and --mail-from belong together; give both")
    if answers.smtp and not answers.mail_to:
        raise ConfigError("--smtp is for mail; give --mail-to and --mail-from too")
    mail = _read(f"{lang}-mail.toml").substitute(
        smtp=_toml(answers.smtp or "smtp://localhost:25"),
        sender=_toml(answers.mail_from or "tlscheck@example.jp"),
        to=_list(answers.mail_to or ("you@example.jp",)),
    )
    if not answers.mail_to:
        mail = "".join(f"# {line}" for line in mail.splitlines(keepends=True))
    text = _read(f"{lang}.toml").substitute(
        targets=_list(answers.targets),
        language=lang,
        history=_toml(str(_history(answers))),
        mail=mail,
    )
    config.parse(text, path)
    return text


def _history(answers: Answers) -> Path:
    from tlscheck.cli.kept import where

    return Path(answers.history).absolute() if answers.history else where(None, None)


def _read(name: str) -> Template:
    from tlscheck.data import data_dir

    return Template((data_dir("reports") / "init" / name).read_text(encoding="utf-8"))


def _list(texts: Sequence[str]) -> str:
    return f"[{', '.join(map(_toml, texts))}]"


def _toml(text: str) -> str:
    """*text* as a basic string; what TOML has no place for is written as an escape."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
