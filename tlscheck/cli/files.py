"""Writing what was rendered: to standard output, or beside a file and then in its place."""

from __future__ import annotations

import os
import stat
import sys
import tempfile
from pathlib import Path

from tlscheck.errors import OutputError


def create(data: bytes, path: str) -> None:
    """Write *data*, a secret, to the new file *path*, that nobody else may read. OutputError."""
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "wb") as file:
            file.write(data)
    except OSError as error:
        raise OutputError(
            "{file}: cannot be written ({detail}); give another file with -o",
            file=path,
            detail=error.strerror,
        ) from None


def write(data: bytes, path: str | None) -> None:
    """Write *data* to *path*, to standard output where it is ``None`` or ``-``. OutputError.

    A regular or new file is written beside and renamed, so that nobody ever reads half of it;
    anything else (a device, a pipe) is written through.
    """
    if path is None or path == "-":
        stream = sys.stdout.buffer
        try:
            stream.write(data)
            stream.flush()
        except BrokenPipeError:
            # Whoever read us has gone: as quiet as if the signal had ended us.
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
            sys.exit(141)
        return
    target = Path(path)
    try:
        if target.exists() and not stat.S_ISREG(target.stat().st_mode):
            target.write_bytes(data)
            return
        target = target.resolve()
        handle, beside = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(data)
            mode = stat.S_IMODE(target.stat().st_mode) if target.exists() else 0o644
            Path(beside).chmod(mode)
            Path(beside).replace(target)
        except OSError:
            Path(beside).unlink(missing_ok=True)
            raise
    except OSError as error:
        raise OutputError(
            "{file}: cannot be written ({detail}); give another file with -o",
            file=path,
            detail=error.strerror,
        ) from None


def check(path: str | None) -> None:
    """Whether *path* can be written, known before the work is done. OutputError."""
    if path in (None, "-"):
        return
    target = Path(str(path)).resolve()
    if target.is_dir():
        raise OutputError("{file}: is a folder; give a file", file=path)
    if not target.parent.is_dir():
        raise OutputError(
            "{file}: there is no folder {folder}; make it first", file=path, folder=target.parent
        )
    if not os.access(target if target.exists() else target.parent, os.W_OK):
        raise OutputError("{file}: cannot be written; give another file", file=path)


def differ(*paths: str | None) -> None:
    """No two of *paths* may be one file: one would be lost. OutputError."""
    known = set()
    for path in paths:
        if path is None or path == "-" or not (Path(path).is_file() or not Path(path).exists()):
            continue
        if (target := Path(path).resolve()) in known:
            raise OutputError("{file}: is named twice; give another file", file=path)
        known.add(target)


def read(path: str, most: int | None = None) -> bytes:
    """What is in *path*, at most *most* bytes. OutputError."""
    try:
        with Path(path).open("rb") as file:
            data = file.read(-1 if most is None else most + 1)
    except OSError as error:
        raise OutputError(
            "{file}: cannot be read ({detail}); give a file that exists",
            file=path,
            detail=error.strerror,
        ) from None
    if most is not None and len(data) > most:
        raise OutputError(
            "{file}: is larger than the {most} bytes that are read; give another file",
            file=path,
            most=most,
        )
    return data
