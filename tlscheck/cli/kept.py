"""Where the history is, and changes as they are shown: what several commands share."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tlscheck.cli import options
from tlscheck.cli.words import LANGUAGE, _
from tlscheck.errors import HistoryError
from tlscheck.text import _N

if TYPE_CHECKING:
    from tlscheck.changes import Accepted, Change
    from tlscheck.config import History
    from tlscheck.model import Scan
    from tlscheck.report import Report


def place(command: Callable[..., Any]) -> Callable[..., Any]:
    """``--history`` and ``-c``."""
    for option in (
        click.option("--history", "path", metavar="FILE", help=_("The history to take.")),
        click.option("-c", "--config", metavar="FILE", help=_("Take settings from FILE.")),
        options.language,
    ):
        command = option(command)
    return command


as_json = click.option("--json", "as_json", is_flag=True, help=_("Write JSON."))


def settings(path: str | None, config: str | None) -> History:
    """What holds of the history: the path as asked for, else as configured, else the user's own."""
    from dataclasses import replace

    from tlscheck import config as configuration

    told = configuration.load(Path(config)).history if config else configuration.History()
    return replace(told, path=path or told.path or str(_usual()))


def where(path: str | None, config: str | None) -> Path:
    """The file of the history. ConfigError."""
    if path or not config:
        return Path(path) if path else _usual()
    return Path(settings(path, config).path)


def _usual() -> Path:
    """In the user's own folder for such things. HistoryError."""
    import platformdirs

    try:
        found = Path(platformdirs.user_state_path("tlscheck")) / "history.db"
    except RuntimeError:
        found = Path()
    if not found.is_absolute():  # older platformdirs leave the ~
        raise HistoryError(
            "this user has no home; name a file with --history, or as path in [history]"
        )
    return found


def shown(
    times: tuple[datetime, datetime],
    changes: Sequence[Change],
    accepted: Mapping[str, Accepted],
    scans: Iterable[Scan],
    *,
    as_json: bool,
) -> bytes:
    """Changes as they are written; the *scans* say what targets are called."""
    from tlscheck.render import changes as rendering
    from tlscheck.render.naming import namer

    if as_json:
        return rendering.document(times, changes, accepted)
    called = namer(look for scan in scans for look in scan.looks)
    told = rendering.text(times, changes, accepted, LANGUAGE, called)
    return told.encode(errors="backslashreplace")


def begin(path: str | None) -> None:
    """Open the history once before the work is done, so that a mistake is known. HistoryError."""
    from tlscheck.history import opened

    if path is not None:
        with opened(Path(path), create=True) as store, store.writing():
            pass


def keep(path: str | None, made: Report) -> None:
    """Keep the scan, and say in one line what changed since the last. HistoryError."""
    from tlscheck import compare, net
    from tlscheck.history import opened, scans
    from tlscheck.report import encode

    if path is None:
        return
    data = encode(made)
    with opened(Path(path), create=True) as store:
        since = compare.latest(store, data, path)
        number, _fresh = scans.keep(store, data, path, net.now())
    click.echo(_told(path, number, since), err=True)


def _told(path: str, number: int, since: tuple[int, Sequence[Change]] | None) -> str:
    from tlscheck.render.changes import counts
    from tlscheck.text import voice

    if since is None:
        first = _N("{file}: kept as {number}, the first that looked there")
        return voice(LANGUAGE)(first, file=path, number=number)
    template = _N("{file}: kept as {number}; changes since {before}: {counts}")
    said = counts(since[1], LANGUAGE)
    return voice(LANGUAGE)(template, file=path, number=number, before=since[0], counts=said)
