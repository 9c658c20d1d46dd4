"""``tlscheck judge``: judge a saved scan again, offline, and render it."""

from __future__ import annotations

import os
import shutil
import sys
from typing import TYPE_CHECKING

import click

from tlscheck.cli import options
from tlscheck.cli.files import differ, write
from tlscheck.cli.saved import scan_in
from tlscheck.cli.words import LANGUAGE, _

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
    from tlscheck.bundle import contents

    differ(scan, output)
    seen, bundle = scan_in(scan)
    # By what is installed: a bundle's texts are its maker's, of which `bundle verify` speaks.
    made = judging.judge(seen, profile, checklists or None)
    if bundle:
        made = contents.cited(made, bundle.files)
    write(render(made, form, to_terminal=output in (None, "-")), output)
    sys.exit(judging.exit_code(made, fail_on))


def render(made: Report, form: str, *, to_terminal: bool) -> bytes:
    """The report in one format; in colour and full width only for a terminal."""
    from tlscheck.render import FORMATS

    if form == "text" and to_terminal and sys.stdout.isatty():
        from tlscheck.render import text

        width = shutil.get_terminal_size((100, 40)).columns
        return text.render(made, LANGUAGE, width=width, colour="NO_COLOR" not in os.environ)
    return FORMATS[form](made, LANGUAGE)
