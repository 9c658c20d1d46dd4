"""``tlscheck judge``: judge a saved scan again, offline, and render it."""

from __future__ import annotations

import os
import shutil
import sys
from importlib.util import find_spec
from typing import TYPE_CHECKING

import click

from tlscheck.cli import options
from tlscheck.cli.files import differ, read, write
from tlscheck.cli.words import LANGUAGE, _
from tlscheck.errors import OutputError

if TYPE_CHECKING:
    from tlscheck.report import Report


@click.command(help=_("Judge a saved scan again, without touching the network, and render it."))
@click.argument("scan")
@options.judging
@options.rendering
def judge(
    scan: str,
    profile: str | None,
    checklists: tuple[str, ...],
    fail_on: str,
    form: str,
    output: str | None,
) -> None:
    """Read, judge, render."""
    from tlscheck import judge as judging
    from tlscheck import report

    differ(scan, output)
    able(form, output)
    seen = report.decode(read(scan), scan)
    made = judging.judge(seen, profile, checklists or None)
    sys.exit(deliver(made, form, output, judging.exit_code(made, fail_on)))


def able(form: str, output: str | None) -> None:
    """Whether the format can be made, known before the work is done. OutputError."""
    if form != "pdf":
        return
    if find_spec("typst") is None:
        raise OutputError("-f pdf needs typst; install it: {command}", command=_INSTALL)
    if output in (None, "-") and sys.stdout.isatty():
        raise OutputError("a PDF is nothing for a terminal; give a file with -o")


_INSTALL = "pip install 'tlscheck[pdf]'"


def deliver(made: Report, form: str, output: str | None, code: int) -> int:
    """Write the report; the exit code, which is Nagios' own where the report is for it."""
    if form == "nagios":
        from tlscheck.render import nagios

        data, code = nagios.line(made, LANGUAGE, code)
    else:
        data = render(made, form, to_terminal=output in (None, "-"))
    write(data, output)
    return code


def render(made: Report, form: str, *, to_terminal: bool) -> bytes:
    """The report in one format; in colour and full width only for a terminal."""
    from tlscheck.render import FORMATS

    if form == "pdf":
        from tlscheck.render import pdf

        document = pdf.typeset(made, LANGUAGE)
        if document.missing:
            click.echo(f"tlscheck: {pdf.note(document.missing, LANGUAGE)}", err=True)
        return document.data
    if form == "text" and to_terminal and sys.stdout.isatty():
        from tlscheck.render import text

        width = shutil.get_terminal_size((100, 40)).columns
        return text.render(made, LANGUAGE, width=width, colour="NO_COLOR" not in os.environ)
    return FORMATS[form](made, LANGUAGE)
