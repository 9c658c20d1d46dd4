"""``tlscheck demo``: a clinic on loopback, looked at."""

from __future__ import annotations

import asyncio
import gc
import sys
from pathlib import Path

import click

from tlscheck.cli import options
from tlscheck.cli.delivery import deliver, ordered, render
from tlscheck.cli.files import write
from tlscheck.cli.scan import live_line
from tlscheck.cli.words import LANGUAGE, _
from tlscheck.errors import OutputError


@click.command(
    help=_(
        "Start a clinic on loopback, one endpoint as it should be and others with faults that real"
        " ones have, and look at it. Nothing leaves this machine."
    ),
    short_help=_("Start a clinic on loopback and look at it."),
)
@click.option(
    "--out", metavar="DIR", help=_("Write report.html, scan.json and report.txt into DIR too.")
)
@options.rendering
def demo(out: str | None, form: str, output: str | None) -> None:
    """Start, look, judge, render."""
    from tlscheck import data, pipeline
    from tlscheck import judge as judging
    from tlscheck.config import Settings
    from tlscheck.demo import clinic

    delivery = ordered(form, output)
    folder = _folder(out) if out else None
    order = pipeline.Order((), Settings().profile, data.checklists())
    with clinic.opened(order, LANGUAGE) as whole, live_line() as tell:
        gc.enable()
        seen = asyncio.run(pipeline.look(whole, tell))
    made = judging.judge(seen)
    files = {folder / name: by for name, by in _FILES.items()} if folder else {}
    for path, by in files.items():
        write(render(made, by, to_terminal=False), str(path))
    code = deliver(delivery, made, judging.exit_code(made))
    for path in files:
        click.echo(path, err=delivery.to_terminal and form != "text")
    sys.exit(code)


_FILES = {"report.html": "html", "scan.json": "json", "report.txt": "text"}
"""What ``--out`` writes, and the format of each."""


def _folder(path: str) -> Path:
    folder = Path(path)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(
            "{file}: cannot be made ({detail}); give another folder with --out",
            file=path,
            detail=error.strerror,
        ) from None
    return folder
