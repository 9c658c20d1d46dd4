"""``tlscheck history``: the scans that were kept, and what they tell over time."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tlscheck.cli import kept, options
from tlscheck.cli.files import check, read, write
from tlscheck.cli.page import page
from tlscheck.cli.words import LANGUAGE, _
from tlscheck.errors import HistoryError
from tlscheck.text import _N, plain_json

if TYPE_CHECKING:
    from tlscheck.history import Store
    from tlscheck.history.looking_back import Point
    from tlscheck.history.scans import Kept


@click.group(
    help=_("The scans that were kept: list, compare, accept, export, forget."),
    short_help=_("Show the scans that were kept, and what they tell over time."),
)
@options.language
def history() -> None:
    """The history."""


history.add_command(page)


def _written(made: object) -> None:
    write((plain_json(json.dumps(made, ensure_ascii=False, indent=1)) + "\n").encode(), None)


@history.command("keep", help=_("Keep SCAN, a scan file that --save wrote, in the history."))
@click.argument("scans", metavar="SCAN...", nargs=-1, required=True)
@kept.place
def keep(scans: tuple[str, ...], path: str | None, config: str | None) -> None:
    """A line a scan."""
    from tlscheck import net
    from tlscheck.history import opened
    from tlscheck.history import scans as room
    from tlscheck.text import voice

    say = voice(LANGUAGE)
    with opened(kept.where(path, config), create=True) as store:
        for name in scans:
            number, fresh = room.keep(store, read(name), name, net.now())
            template = (
                _N("{file}: kept as {number}") if fresh else _N("{file}: is kept as {number}")
            )
            click.echo(say(template, file=name, number=number))


@history.command("list", help=_("List the scans, the newest first."))
@kept.place
@kept.as_json
def list_scans(path: str | None, config: str | None, as_json: bool) -> None:
    """A line a scan."""
    from tlscheck.history import opened, scans

    with opened(kept.where(path, config)) as store:
        found = scans.kept(store)
    if as_json:
        _written([_entry(each) for each in found])
        return
    for each in found:
        click.echo(_line(each))


def _line(scan: Kept) -> str:
    from tlscheck.text import VERDICTS, moment, visible, word

    tally = "  ".join(
        f"{word(VERDICTS, verdict, LANGUAGE)} {scan.verdicts[verdict]}"
        for verdict in VERDICTS
        if verdict in scan.verdicts
    )
    targets = _("Targets") + f" {scan.targets}"
    return visible(
        f"{scan.id:>5}  {moment(scan.at, LANGUAGE)}  {targets}  {tally}  {scan.profile}"
        f"  tlscheck {scan.version}"
    )


def _entry(scan: Kept) -> dict[str, Any]:
    from dataclasses import asdict

    return asdict(scan) | {"at": _time(scan.at)}


def _time(when: Any) -> str:
    return str(when.isoformat()).replace("+00:00", "Z")


@history.command("show", help=_("Show scan NUMBER, and what changed since the one before."))
@click.argument("number", type=int)
@kept.place
@kept.as_json
def show(number: int, path: str | None, config: str | None, as_json: bool) -> None:
    """The scan, and its changes."""
    from tlscheck import compare
    from tlscheck.changes import standing
    from tlscheck.history import accepting, opened, scans

    with opened(kept.where(path, config)) as store:
        scan = scans.one(store, number)
        desk = compare.Desk(store)
        since = desk.since_last(number)
        times = (scans.one(store, since[0]).at, scan.at) if since else None
        both = [desk(each).scan for each in (number, since[0])] if since else []
        accepted = standing(accepting.accepted(store), times[0] if times else None)
    if as_json:
        changes = (
            json.loads(kept.shown(times, since[1], accepted, both, as_json=True))
            if since and times
            else None
        )
        _written(_entry(scan) | {"since": since[0] if since else None, "changes": changes})
        return
    click.echo(_line(scan))
    if since and times:
        write(kept.shown(times, since[1], accepted, both, as_json=False), None)
    else:
        click.echo(_("It is the first that looked there."))


@history.command("trend", help=_("Show the verdicts over time on WHAT: a rule, a target or host."))
@click.argument("what")
@kept.place
@kept.as_json
def trend(what: str, path: str | None, config: str | None, as_json: bool) -> None:
    """A line a target and rule."""
    from tlscheck.history import looking_back, opened

    with opened(kept.where(path, config)) as store:
        found = looking_back.trend(store, what)
        if not found:
            raise HistoryError(
                "{file}: nothing is known there of {what}; give a rule, a target or a host",
                file=store.path,
                what=what,
            )
    if as_json:
        _written(
            [
                {
                    "scan": point.scan,
                    "at": _time(point.at),
                    "rule": point.rule,
                    "target": point.target,
                    "verdict": point.verdict,
                }
                for point in found
            ]
        )
        return
    for line in _trends(found):
        click.echo(line)


def _trends(points: Sequence[Point]) -> Iterator[str]:
    """By target a line a rule, with each verdict and since when."""
    from tlscheck.text import VERDICTS, day, visible, word

    for target, those in groupby(points, key=lambda point: point.target):
        yield visible(target)
        for rule, several in groupby(those, key=lambda point: point.rule):
            stretches = []
            for verdict, alike in groupby(several, key=lambda point: point.verdict):
                run = list(alike)
                stretches.append(
                    f"{day(run[0].at, LANGUAGE)} {word(VERDICTS, verdict, LANGUAGE)} ×{len(run)}"
                )
            yield f"  {visible(rule)}: {' → '.join(stretches)}"


@history.command("prune", help=_("Forget old scans, and give their room back."))
@click.option(
    "--keep-days",
    metavar="N",
    type=click.IntRange(1, 36500),
    help=_("Forget what is older than N days (default 400)."),
)
@click.option(
    "--keep",
    "keep_scans",
    metavar="N",
    type=click.IntRange(1, 100000),
    help=_("Of each host keep the newest N however old they are (default 30)."),
)
@kept.place
def prune(
    keep_days: int | None, keep_scans: int | None, path: str | None, config: str | None
) -> None:
    """Say how many went."""
    from tlscheck import net
    from tlscheck.history import opened, scans

    told = kept.settings(path, config)
    with opened(Path(told.path)) as store:
        done = scans.prune(store, net.now(), keep_days or told.keep_days, keep_scans or told.keep)
    click.echo(_("{scans} scans forgotten, {left} left").format(scans=done.scans, left=done.left))


@history.command(
    "export",
    help=_("Write the scan file of scan NUMBER as it was kept; without one, all as JSONL."),
)
@click.argument("number", type=int, required=False)
@click.option("-o", "--output", metavar="FILE", help=_("Write it to FILE."))
@kept.place
def export(number: int | None, output: str | None, path: str | None, config: str | None) -> None:
    """The bytes that were kept; or one line a scan, the oldest first."""
    from tlscheck.history import opened, scans

    check(output)
    with opened(kept.where(path, config)) as store:
        if number is not None:
            write(scans.document(store, number), output)
            return
        lines = []
        for each in reversed(scans.kept(store)):
            lines.append(_compact(scans.document(store, each.id)))
            if output is None:
                write(lines.pop(), None)
    if output is not None:
        write(b"".join(lines), output)


def _compact(data: bytes) -> bytes:
    made = json.dumps(json.loads(data), ensure_ascii=False, separators=(",", ":"))
    return plain_json(made).encode() + b"\n"


@history.command(
    "accept",
    help=_(
        "Say of CHANGE, by the id that diff and show print, that it is meant, as it has happened:"
        " when it comes again, it is told again. Without one, list what was accepted."
    ),
)
@click.argument("change", required=False)
@click.option("--by", metavar="WHO", help=_("Who says so."))
@click.option("--why", metavar="TEXT", help=_("Why."))
@click.option("--withdraw", is_flag=True, help=_("Take back that CHANGE was accepted."))
@kept.place
def accept(
    change: str | None,
    by: str | None,
    why: str | None,
    withdraw: bool,
    path: str | None,
    config: str | None,
) -> None:
    """Kept with the day."""
    from tlscheck import net
    from tlscheck.history import accepting, opened
    from tlscheck.render.changes import ACCEPTED
    from tlscheck.text import day, voice

    with opened(kept.where(path, config)) as store:
        if change is None:
            say = voice(LANGUAGE)
            for key, each in accepting.accepted(store).items():
                on = day(_moment(each.at), LANGUAGE)
                words = say(ACCEPTED, by=each.by, day=on, words=each.why)
                click.echo(f"{key}  {words}")
            return
        if withdraw:
            accepting.withdraw(store, change)
            return
        if not by or not why:
            raise HistoryError("accept {change}: give --by WHO and --why TEXT", change=change)
        if len(change) != 12 or set(change) - set("0123456789abcdef"):
            raise HistoryError(
                "accept {change}: is no id of a change; take one that diff or show prints",
                change=change,
            )
        if (told := _told(store, change)) is None:
            words = _("{change}: kept, though none of the last {number} scans shows such a change")
            click.echo(words.format(change=change, number=_LOOKED), err=True)
        else:
            click.echo(told)
        accepting.accept(store, change, by, why, net.now())


_LOOKED = 30
"""In so many scans an id is looked for."""


def _told(store: Store, key: str) -> str | None:
    """What the change with that id is, if one of the last scans shows it."""
    from tlscheck import compare
    from tlscheck.history import scans
    from tlscheck.render.changes import said
    from tlscheck.render.naming import namer

    desk = compare.Desk(store)
    for scan in scans.kept(store)[:_LOOKED]:
        for change in (desk.since_last(scan.id) or (0, ()))[1]:
            if change.key == key:
                target = namer(desk(scan.id).scan.looks)(change.target) if change.target else ""
                words = said(change, LANGUAGE)
                return "  ".join(filter(None, (key, target, change.subject, words)))
    return None


def _moment(text: str) -> Any:
    from datetime import datetime

    return datetime.fromisoformat(text)
