"""One run at a time: a lock that goes with the process, however that ends."""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path

from tlscheck.errors import BusyError, ConfigError


@contextlib.contextmanager
def held(path: Path, instead: Path) -> Iterator[None]:
    """Nobody else holds the lock *path* meanwhile; where that cannot be opened, *instead*, which is
    there. BusyError, ConfigError.
    """
    handle = _opened(path, instead)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise BusyError(
                "{file}: another run holds it; this one ends without a look", file=path
            ) from None
        yield
    finally:
        os.close(handle)


def _opened(path: Path, instead: Path) -> int:
    with contextlib.suppress(OSError):
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        return os.open(instead, os.O_RDONLY | os.O_CLOEXEC)
    except OSError as error:
        raise ConfigError(
            "{file}: cannot be opened ({detail}); name another as lock in [watch]",
            file=path,
            detail=error.strerror or str(error),
        ) from None
