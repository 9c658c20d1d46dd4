"""``tlscheck judge``: judge a saved scan again, offline, and render it."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from tlscheck.cli import options
from tlscheck.cli.files import differ, read, write
from tlscheck.cli.words import LANGUAGE, OF_SHEETS, _
from tlscheck.errors import OutputError
from tlscheck.text import Phrase, voice

if TYPE_CHECKING:
    from tlscheck.config import Sheet
    from tlscheck.report import Report


@click.command(help=_("Judge a saved scan again, without touching the network, and render it."))
@click.argument("scan")
@click.option(
    "-c", "--config", metavar="FILE", help=_("Take the head of evaluation sheets from FILE.")
)
@options.judging
@options.rendering
@options.filling
def judge(
    scan: str,
    config: str | None,
    profile: str | None,
    checklists: tuple[str, ...],
    fail_on: str,
    form: str,
    output: str | None,
    fill: str | None,
) -> None:
    """Read, judge, render."""
    from tlscheck import config as configuration
    from tlscheck import judge as judging
    from tlscheck import report

    differ(scan, config, fill, output)
    template = opened(fill, form, output)
    head = configuration.load(Path(config)).sheet if config else None
    seen = report.decode(read(scan), scan)
    made = judging.judge(seen, profile, checklists or None)
    rendered = (
        filled(made, template, fill, head)
        if template is not None and fill
        else render(made, form, to_terminal=output in (None, "-"), head=head)
    )
    write(rendered, output)
    sys.exit(judging.exit_code(made, fail_on))


def opened(fill: str | None, form: str, output: str | None) -> bytes | None:
    """The workbook to be filled, ``None`` where there is none; and whether what is written can go
    where it shall, known before the work is done. OutputError, SheetError.
    """
    from tlscheck.render import BINARY

    if fill and form not in ("text", "xlsx"):
        raise OutputError("--fill writes a workbook; leave -f {format} out", format=form)
    if fill and output is None:
        raise OutputError("--fill writes a new file; say which with -o")
    if (fill or form in BINARY) and output in (None, "-") and sys.stdout.isatty():
        raise OutputError("a workbook is not for a terminal; give a file with -o")
    if not fill:
        return None
    from tlscheck.render import fill as filling

    template = read(fill)
    filling.check(template, fill)
    return template


def filled(made: Report, template: bytes, name: str, head: Sheet | None) -> bytes:
    """The workbook *template* with what the report says; what was left alone is told."""
    from tlscheck.render import fill

    result = fill.fill(template, name, made, OF_SHEETS, head)
    for note in result.notes:
        click.echo(f"tlscheck: {_said(note)}", err=True)
    return result.data


def _said(note: Phrase) -> str:
    return " ".join(voice(LANGUAGE)(note.template, **note.values).split())


def render(made: Report, form: str, *, to_terminal: bool, head: Sheet | None = None) -> bytes:
    """The report in one format; in colour and full width only for a terminal."""
    from tlscheck.render import FORMATS

    if form == "text" and to_terminal and sys.stdout.isatty():
        from tlscheck.render import text

        width = shutil.get_terminal_size((100, 40)).columns
        return text.render(made, LANGUAGE, width=width, colour="NO_COLOR" not in os.environ)
    if form == "xlsx":
        from tlscheck.render import xlsx

        return xlsx.render(made, OF_SHEETS, head)
    return FORMATS[form](made, LANGUAGE)
