"""``tlscheck history page``: the history as a folder of pages."""

from __future__ import annotations

import click

from tlscheck.cli import folder, kept
from tlscheck.cli.words import LANGUAGE, _


@click.command(
    "page",
    help=_(
        "Write the history as pages for a browser into the folder DIR: every target with state and"
        " trend, a page for each, and what changed. They need no server and no script."
    ),
)
@click.option("-o", "--output", metavar="DIR", required=True, help=_("Write the pages into DIR."))
@click.option(
    "--days",
    metavar="N",
    type=click.IntRange(1, 3660),
    default=366,
    help=_("Show trends over the last N days (default 366)."),
)
@click.option(
    "--changes",
    "timeline",
    metavar="N",
    type=click.IntRange(1, 3660),
    default=92,
    help=_("Tell the changes of the last N days (default 92)."),
)
@kept.place
def page(output: str, days: int, timeline: int, path: str | None, config: str | None) -> None:
    """A line that says what was written."""
    from tlscheck import site
    from tlscheck.history import opened
    from tlscheck.render.site import render
    from tlscheck.render.site.names import INDEX, PAGE

    folder.check(output)
    with opened(kept.where(path, config)) as store:
        past = site.gather(store, max(days, timeline), timeline)
    done = folder.write(output, render(past, LANGUAGE), PAGE)
    said = _("{file}: {pages} pages, {fresh} of them new or changed, {removed} removed")
    click.echo(
        said.format(
            file=f"{output.rstrip('/')}/{INDEX}",
            pages=done.files,
            fresh=done.fresh,
            removed=done.removed,
        )
    )
