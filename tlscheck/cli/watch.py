"""``tlscheck watch``: the run that cron starts."""

from __future__ import annotations

import asyncio
import gc
import signal
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from tlscheck.cli import kept, options
from tlscheck.cli.files import write
from tlscheck.cli.words import LANGUAGE, _
from tlscheck.errors import BusyError, TlscheckError
from tlscheck.text import voice

if TYPE_CHECKING:
    from tlscheck.config import Settings
    from tlscheck.mail.news import Line
    from tlscheck.watch import Plan

_GRACE = 300
"""Seconds after the deadline at which a run that hangs is ended by force."""


@click.command(
    help=_(
        "Look at the targets of the configuration, keep the scan, compare it with the last, look"
        " again at what seems to have changed, and mail what did. Says nothing where all is well."
    ),
    short_help=_("The run for cron: look, keep, compare, mail."),
)
@click.option(
    "-c",
    "--config",
    metavar="FILE",
    default="tlscheck.toml",
    help=_("Take targets and settings from FILE (default: tlscheck.toml)."),
)
@click.option(
    "--fail-on",
    type=click.Choice(options.SEVERITIES),
    help=_("Let findings count for the exit code, as in tlscheck scan."),
)
@click.option(
    "-f",
    "--format",
    "form",
    type=click.Choice(["nagios"]),
    help=_("End with one line for Nagios and its kin, and with their exit code."),
)
@click.option(
    "--deliver", is_flag=True, help=_("Look at nothing; try the mail that no relay has taken yet.")
)
@click.option(
    "--install-help",
    is_flag=True,
    help=_("Print a service and a timer for systemd, and a line for crontab."),
)
@options.language
def watch(
    config: str, fail_on: str | None, form: str | None, deliver: bool, install_help: bool
) -> None:
    """Lock, run, exit code."""
    from tlscheck import config as configuration
    from tlscheck import watch as room
    from tlscheck.watch import install

    path = Path(config)
    missing = install_help and not path.exists()  # it may be made later
    settings = configuration.Settings() if missing else configuration.load(path)
    history = history_of(settings)
    if install_help:
        click.echo(install.text(settings, path, history, LANGUAGE), nl=False)
        return
    plan = room.plan(settings, path, history, LANGUAGE)
    from tlscheck.watch.lock import held

    lock = Path(settings.watch.lock or f"{history}.lock")
    try:
        with held(lock, path):
            sys.exit(_delivered(plan) if deliver else _ran(plan, fail_on, form))
    except BusyError as error:
        if deliver:  # the other run sees to the mail
            sys.exit(error.code)
        raise


def history_of(settings: Settings) -> Path:
    """The file of the history. HistoryError."""
    return Path(settings.history.path) if settings.history.path else kept.where(None, None)


def _ran(plan: Plan, fail_on: str | None, form: str | None) -> int:
    from tlscheck import judge
    from tlscheck import watch as room
    from tlscheck.cli.scan import live_line

    gc.freeze()
    gc.enable()
    signal.alarm(int(plan.settings.watch.deadline) + _GRACE)
    try:
        with live_line() as tell:
            outcome = asyncio.run(room.run(plan, tell))
    finally:
        signal.alarm(0)
    _say(outcome.lines)
    if outcome.text:
        click.echo(outcome.text, nl=False)
    if form == "nagios":
        from tlscheck.render import nagios

        weighed = judge.exit_code(outcome.report, fail_on or "low")
        line, state = nagios.line(outcome.report, LANGUAGE, outcome.code or weighed)
        write(line, None)
        return state
    return outcome.code or (judge.exit_code(outcome.report, fail_on) if fail_on else 0)


def _delivered(plan: Plan) -> int:
    from tlscheck import watch as room
    from tlscheck.watch.night import UNDELIVERABLE

    done = room.deliver(plan)
    if sys.stderr.isatty():  # cron would mail it every half hour
        _say(done.lines)
    _say((*done.gone, *done.troubles[:1]))
    return done.troubles[0].code if done.troubles else UNDELIVERABLE if done.gone else 0


def _say(lines: Iterable[TlscheckError | Line]) -> None:
    for line in lines:
        words = voice(LANGUAGE)(line.template, **line.values)
        click.echo(f"tlscheck: {' '.join(words.split())}", err=True)
