"""What a command writes in the end: the report in one format, or a workbook filled with it."""

from __future__ import annotations

import os
import shutil
import sys
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import click

from tlscheck.cli.files import read, write
from tlscheck.cli.words import LANGUAGE, OF_SHEETS
from tlscheck.errors import OutputError
from tlscheck.text import Phrase, voice

if TYPE_CHECKING:
    from tlscheck.config import Sheet
    from tlscheck.report import Report


@dataclass(frozen=True, slots=True)
class Delivery:
    """What is to be written, and where; made by `ordered`."""

    form: str
    output: str | None
    fill: str = ""
    """The name of the evaluator's workbook; empty: there is none."""
    template: bytes = b""
    """That workbook."""

    @property
    def to_terminal(self) -> bool:
        """Whether it goes to standard output."""
        return self.output in (None, "-")


def ordered(form: str, output: str | None, fill: str | None = None) -> Delivery:
    """What is to be written, known to be possible before the work is done. OutputError, SheetError.

    *fill* names a workbook to be filled.
    """
    from tlscheck.render import BINARY

    if fill and form not in ("text", "xlsx"):
        raise OutputError("--fill writes a workbook; leave -f {format} out", format=form)
    if fill and output is None:
        raise OutputError("--fill writes a new file; say which with -o")
    if fill and output and Path(output).is_file():
        raise OutputError(
            "{file}: is there already, and --fill writes a new file; give another name with -o, or"
            " move that file away",
            file=output,
        )
    if form == "pdf" and find_spec("typst") is None:
        raise OutputError("-f pdf needs typst; install it: {command}", command=_INSTALL)
    delivery = Delivery(form, output, fill or "")
    if (fill or form in BINARY) and delivery.to_terminal and sys.stdout.isatty():
        raise OutputError("{format} is not for a terminal; give a file with -o", format=form)
    if not fill:
        return delivery
    from tlscheck.render import fill as filling

    template = read(fill)
    filling.check(template, fill)
    return Delivery(form, output, fill, template)


_INSTALL = "pip install 'tlscheck[pdf]'"


def deliver(delivery: Delivery, made: Report, code: int, head: Sheet | None = None) -> int:
    """Write the report; the exit code, which is Nagios' own where the report is for it."""
    if delivery.fill:
        data = _filled(delivery, made, head)
    elif delivery.form == "nagios":
        from tlscheck.render import nagios

        data, code = nagios.line(made, LANGUAGE, code)
    else:
        data = render(made, delivery.form, to_terminal=delivery.to_terminal, head=head)
    write(data, delivery.output)
    return code


def render(made: Report, form: str, *, to_terminal: bool, head: Sheet | None = None) -> bytes:
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
    if form == "xlsx":
        from tlscheck.render import xlsx

        return xlsx.render(made, OF_SHEETS, head)
    return FORMATS[form](made, LANGUAGE)


def _filled(delivery: Delivery, made: Report, head: Sheet | None) -> bytes:
    """The workbook with what the report says; what was left alone is told."""
    from tlscheck.render import fill

    result = fill.fill(delivery.template, delivery.fill, made, OF_SHEETS, head)
    for note in result.notes:
        click.echo(f"tlscheck: {_said(note)}", err=True)
    return result.data


def _said(note: Phrase) -> str:
    return " ".join(voice(LANGUAGE)(note.template, **note.values).split())
