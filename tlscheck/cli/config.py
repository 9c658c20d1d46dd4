"""``tlscheck config``: what a configuration says, and whether it is right."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from tlscheck.cli import options
from tlscheck.cli.words import LANGUAGE, _

if TYPE_CHECKING:
    from tlscheck.config import Settings

USUAL = "tlscheck.toml"


@click.group(
    help=_("The configuration file: check it, show it."),
    short_help=_("Check or show the configuration file."),
)
@options.language
def config() -> None:
    """The configuration."""


_file = click.option(
    "-c",
    "--config",
    "path",
    metavar="FILE",
    default=USUAL,
    help=_("The file (default: tlscheck.toml)."),
)


@config.command(
    "check", help=_("Say whether FILE is right: keys, targets, profile, checklists, mail, secrets.")
)
@_file
@options.language
def check(path: str) -> None:
    """One line, whichever it is."""
    from tlscheck.cli.watch import history_of
    from tlscheck.text import _N, voice
    from tlscheck.watch.plan import plan

    settings = _loaded(path)
    history = history_of(settings)
    made = plan(settings, Path(path), history, LANGUAGE)
    say = voice(LANGUAGE)
    template = _N("{file}: is right; targets: {number}, mail to {recipients}")
    recipients = made.post.mail.to if made.post else ()
    click.echo(
        say(
            template,
            file=path,
            number=len(made.order.targets),
            recipients=tuple(each.address for each in recipients) or say(_N("nobody")),
        )
    )
    mind(history)


def mind(history: Path) -> None:
    """Say where the folder of the *history* is not there, and how it is made."""
    from tlscheck.text import voice
    from tlscheck.watch import install

    if command := install.making(history.parent):
        words = voice(LANGUAGE)(install.MISSING, folder=history.absolute().parent, command=command)
        click.echo(words)


@config.command("show", help=_("Print what holds, defaults with it, without secrets."))
@_file
@options.language
def show(path: str) -> None:
    """As TOML."""
    from tlscheck.config.show import shown

    click.echo(shown(_loaded(path)), nl=False)


def _loaded(path: str) -> Settings:
    from tlscheck.config import load

    return load(Path(path))
