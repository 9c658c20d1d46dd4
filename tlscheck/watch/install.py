"""How the nightly run is started: a service and a timer for systemd, a line for crontab."""

from __future__ import annotations

import getpass
import os
import shlex
import shutil
import stat
import sys
from collections.abc import Iterator
from pathlib import Path

from tlscheck.config import Settings
from tlscheck.text import _N, voice

_STOP = 300
"""Seconds that a run has after SIGTERM: the looks in flight, judging, keeping and mailing."""

HEAD = _N(
    "Take systemd or cron, not both. Nothing is written for you: copy what stands below each line"
    " into the file that it names."
)
SERVICE = _N("the service")
TIMER = _N("the timer")
DELIVERY = _N("mail that a relay did not take is tried again every half hour")
ENABLE = _N("then: systemctl daemon-reload && systemctl enable --now {units}")
MISSING = _N("{folder}: the history's folder is not there; to make it: {command}")
CRON = _N("crontab -e: each night, and every half hour the mail that waits")


def text(settings: Settings, config: Path, history: Path, lang: str) -> str:
    """All of it, each part under a line that names its file."""
    say = voice(lang)
    config, history = config.absolute(), history.absolute()
    words = (_program(), "watch", "-c", str(config))
    command = " ".join(_quoted(word).replace("$", "$$") for word in words)
    line = shlex.join(words).replace("%", "\\%")
    folder = "/etc/systemd/system"
    hour, minute = settings.watch.at.split(":")
    deliver = f"{command} --deliver"
    timers = ("tlscheck.timer", "tlscheck-deliver.timer")
    make = making(history.parent)
    first = [f"\n# {say(MISSING, folder=history.parent, command=make)}"] if make else []
    by_systemd = _state(history.parent) is not None
    parts = [
        f"# {say(HEAD)}",
        *(() if by_systemd else first),
        f"\n# {folder}/tlscheck.service  ({say(SERVICE)})",
        *_service(settings, command, config, history),
        f"\n# {folder}/tlscheck.timer  ({say(TIMER)})",
        *_timer("tlscheck", f"*-*-* {settings.watch.at}:00", "10min"),
        f"\n# {folder}/tlscheck-deliver.service  ({say(DELIVERY)})",
        *_service(settings, deliver, config, history),
        f"\n# {folder}/tlscheck-deliver.timer",
        *_timer("tlscheck-deliver", "*:11,41", "1min"),
        f"\n# {say(ENABLE, units=' '.join(timers))}",
        *(first if by_systemd else ()),
        f"\n# {say(CRON)}",
        f"{int(minute)} {int(hour)} * * *  {line}",
        f"11,41 * * * *  {line} --deliver",
    ]
    return "\n".join(parts) + "\n"


def _program() -> str:
    """The program as it was started, where that is itself, else where it is installed."""
    started = Path(sys.argv[0])
    if started.name == "tlscheck" and started.is_file():
        return str(started.absolute())
    beside = Path(sys.executable).with_name("tlscheck")
    return str(beside) if beside.is_file() else shutil.which("tlscheck") or "/usr/bin/tlscheck"


def _quoted(word: str) -> str:
    """*word* for systemd."""
    plain = (
        word.replace("/", "").replace("-", "").replace("_", "").replace(".", "").replace("%", "")
    )
    escaped = word.replace("\\", "\\\\").replace('"', '\\"')
    return word if plain.isalnum() and plain.isascii() else f'"{escaped}"'


def _service(settings: Settings, command: str, config: Path, history: Path) -> Iterator[str]:
    yield from (
        "[Unit]",
        "Description=tlscheck watch",
        "Wants=network-online.target",
        "After=network-online.target",
        "",
        "[Service]",
        "Type=oneshot",
        f"ExecStart={command.replace('%', '%%')}",
        f"User={_user()}",
    )
    yield f"WorkingDirectory={_path(config.parent)}"
    yield from (_credentials(settings))
    yield from (
        "SuccessExitStatus=75",
        f"TimeoutStartSec={int(settings.watch.deadline) + _STOP}",
        f"TimeoutStopSec={_STOP}",
        # The looks' own child processes end with their parent, not before.
        "KillMode=mixed",
        "UMask=0077",
        "NoNewPrivileges=yes",
        "PrivateTmp=yes",
        "ProtectSystem=strict",
    )
    if (state := _state(history.parent)) is not None:
        yield f"StateDirectory={_quoted(_path(state))}"
        yield "StateDirectoryMode=0700"
    else:  # without the hyphen: where the folder is missing, systemd says so
        yield f"ReadWritePaths={_quoted(_path(history.parent))}"
    beside = dict.fromkeys(each for each in _written(settings) if each != history.parent)
    if beside:
        yield "ReadWritePaths=" + " ".join(_quoted(f"-{_path(each)}") for each in beside)


def _state(folder: Path) -> Path | None:
    """*folder* below ``/var/lib``, where systemd may make it or it is ours alone: it changes owner
    and mode of others' folders.
    """
    if _LIB not in folder.parents or ":" in str(folder) or ".." in folder.parts:
        return None
    try:
        there = folder.lstat()
    except FileNotFoundError:
        return folder.relative_to(_LIB)
    except OSError:
        return None
    ours = stat.S_ISDIR(there.st_mode) and there.st_uid == os.getuid()
    return folder.relative_to(_LIB) if ours and not there.st_mode & 0o077 else None


_LIB = Path("/var/lib")


def making(folder: Path) -> str:
    """The command that makes *folder* for the user who runs us; empty: it is there."""
    folder = folder.absolute()
    if folder.exists():
        return ""
    above = next((each for each in folder.parents if each.exists()), folder)
    words = ["install", "-d", "-m", "0700"]
    if not os.access(above, os.W_OK):
        words = ["sudo", *words, "-o", _user()]
    return shlex.join((*words, str(folder)))


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "root"


def _path(path: Path) -> str:
    return str(path).replace("%", "%%")


def _written(settings: Settings) -> Iterator[Path]:
    """The folders that are written to beside the history's."""
    from tlscheck.domains import kept_in

    if settings.metrics is not None:
        yield Path(settings.metrics.path).absolute().parent
    if settings.watch.lock:
        yield Path(settings.watch.lock).absolute().parent
    if (cache := kept_in()) is not None:
        yield cache.parent


def _credentials(settings: Settings) -> Iterator[str]:
    """A line for each credential that the configuration names; where it is, the reader knows."""
    places = [
        settings.mail and settings.mail.password,
        settings.webhook and settings.webhook.url,
        settings.webhook and settings.webhook.token,
        settings.ping and settings.ping.url,
    ]
    for name in dict.fromkeys(place.credential for place in places if place):
        if name:
            yield f"LoadCredential={name}:/etc/tlscheck/{name}"


def _timer(unit: str, when: str, spread: str) -> Iterator[str]:
    yield from (
        "[Unit]",
        f"Description={unit}",
        "",
        "[Timer]",
        f"OnCalendar={when}",
        f"RandomizedDelaySec={spread}",
        "Persistent=true",
        f"Unit={unit}.service",
        "",
        "[Install]",
        "WantedBy=timers.target",
    )
