"""Keeping a folder of files up to date that this program alone wrote, and nothing else in it."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import re
import stat
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from tlscheck.errors import OutputError

MANIFEST = "tlscheck-site.json"
"""What was written, each with its SHA-256: so that nothing else is ever replaced or removed."""
FORMAT = "tlscheck.site/1"
_BESIDE = ".tlscheck-site."
"""How files begin that are not in their place yet."""
_MOST = 10_000_000


@dataclass(frozen=True, slots=True)
class Written:
    """What became of a folder."""

    files: int
    fresh: int
    """How many are new or other than before."""
    removed: int


def check(path: str) -> None:
    """Whether the folder is new, empty or ours, known before the work is done. OutputError."""
    with _troubles(path):
        folder = Path(path)
        if folder.exists() or folder.is_symlink():
            _known(folder)
        elif not folder.absolute().parent.is_dir():
            raise OutputError(
                "{file}: there is no folder {folder}; make it first",
                file=path,
                folder=folder.absolute().parent,
            )


def write(path: str, files: Mapping[str, bytes], mine: re.Pattern[str]) -> Written:
    """Make the folder hold *files*, whose names are like *mine*. OutputError.

    Each file is written beside and renamed, in the order given; what an earlier run wrote and is
    not wanted any more is removed then, where it is as it was written.
    """
    folder = Path(path)
    with _troubles(path):
        folder.mkdir(exist_ok=True)
        with _alone(folder):
            known = {name: mark for name, mark in _known(folder).items() if mine.fullmatch(name)}
            for name in files.keys() - known.keys():
                if os.path.lexists(folder / name):
                    raise _foreign(folder, name)
            _sweep(folder)
            marks = {name: hashlib.sha256(data).hexdigest() for name, data in files.items()}
            # Both, until the last file is in its place: whenever the machine dies, all is known.
            _put(folder, MANIFEST, _manifest(known | marks))
            fresh = [name for name in files if not _is(folder / name, marks[name])]
            for name in fresh:
                _put(folder, name, files[name])
            stale = [n for n in known.keys() - files.keys() if _is(folder / n, known[n])]
            for name in stale:
                (folder / name).unlink()
            _put(folder, MANIFEST, _manifest(marks))
    return Written(len(files), len(fresh), len(stale))


@contextlib.contextmanager
def _troubles(path: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise OutputError(
            "{file}: cannot be written ({detail}); give another folder with -o",
            file=path,
            detail=error.strerror or str(error),
        ) from None


@contextlib.contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """One run at a time; the lock goes with the process."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise OutputError(
                "{file}: another run writes there; wait until that has ended", file=folder
            ) from None
        yield
    finally:
        os.close(handle)


def _known(folder: Path) -> Mapping[str, str]:
    """What an earlier run wrote there; nothing of an empty folder. OutputError."""
    if not folder.is_dir():
        raise OutputError("{file}: is no folder; give another one with -o", file=folder)
    manifest = folder / MANIFEST
    if not os.path.lexists(manifest):
        for name in sorted(each.name for each in folder.iterdir()):
            if not name.startswith(_BESIDE):
                raise _foreign(folder, name)
        return {}
    if not stat.S_ISREG(manifest.lstat().st_mode) or manifest.stat().st_size > _MOST:
        raise _foreign(folder, MANIFEST)
    try:
        found = json.loads(manifest.read_bytes())
        if found["format"] != FORMAT:
            raise ValueError
        return {str(name): str(mark) for name, mark in found["files"].items()}
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
        raise _foreign(folder, MANIFEST) from None


def _foreign(folder: Path, name: str) -> OutputError:
    return OutputError(
        "{file}: holds {name}, which this command did not write; give an empty folder with -o",
        file=folder,
        name=name,
    )


def _manifest(marks: Mapping[str, str]) -> bytes:
    made = {"format": FORMAT, "files": dict(sorted(marks.items()))}
    return (json.dumps(made, indent=1) + "\n").encode()


def _is(path: Path, mark: str) -> bool:
    """Whether *path* is a file with the SHA-256 *mark*."""
    if not os.path.lexists(path) or not stat.S_ISREG(path.lstat().st_mode):
        return False
    return hashlib.sha256(path.read_bytes()).hexdigest() == mark


def _put(folder: Path, name: str, data: bytes) -> None:
    handle, beside = tempfile.mkstemp(prefix=_BESIDE, dir=folder)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            os.fchmod(file.fileno(), 0o644)
        Path(beside).replace(folder / name)
    except OSError:
        Path(beside).unlink(missing_ok=True)
        raise


def _sweep(folder: Path) -> None:
    """Remove what a run left beside when it died."""
    for left in folder.glob(f"{_BESIDE}*"):
        if stat.S_ISREG(left.lstat().st_mode):
            left.unlink()
