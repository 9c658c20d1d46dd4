"""``tlscheck diff``: what changed between two scans."""

from __future__ import annotations

from pathlib import Path

import click

from tlscheck.cli import kept
from tlscheck.cli.files import differ, read, write
from tlscheck.cli.words import _


@click.command(
    help=_(
        "Tell what changed between two scans, scan files or numbers in the history: of the"
        " endpoint, of what is wanted, of tlscheck, of the network."
    ),
    short_help=_("Tell what changed between two scans."),
)
@click.argument("old")
@click.argument("new")
@kept.place
@kept.as_json
@click.option("-o", "--output", metavar="FILE", help=_("Write it to FILE."))
def diff(
    old: str, new: str, path: str | None, config: str | None, as_json: bool, output: str | None
) -> None:
    """Read, judge alike, compare."""
    from tlscheck import compare
    from tlscheck.changes import standing
    from tlscheck.history import accepting, opened, scans

    differ(old, output)
    differ(new, output)
    numbers = [int(each) for each in (old, new) if _is_number(each)]
    if not numbers:
        before, after = (compare.read(read(each), each) for each in (old, new))
        times, found = (before.scan.at, after.scan.at), compare.files(before, after)
        both = (after.scan, before.scan)
        write(kept.shown(times, found, {}, both, as_json=as_json), output)
        return
    with opened(kept.where(path, config)) as store:
        if len(numbers) == 2:
            desk = compare.Desk(store)
            found = desk.between(*numbers)
            both = (desk(numbers[1]).scan, desk(numbers[0]).scan)
            times = (scans.one(store, numbers[0]).at, scans.one(store, numbers[1]).at)
        else:
            before, after = (
                compare.read(
                    scans.document(store, int(each)) if _is_number(each) else read(each), each
                )
                for each in (old, new)
            )
            times, found = (before.scan.at, after.scan.at), compare.files(before, after)
            both = (after.scan, before.scan)
        accepted = standing(accepting.accepted(store), times[1])
    write(kept.shown(times, found, accepted, both, as_json=as_json), output)


def _is_number(text: str) -> bool:
    return text.isdecimal() and text.isascii() and not Path(text).exists()
