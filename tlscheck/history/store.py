"""The file of a history: SQLite in WAL mode, for its owner alone, brought up to date when opened.

Whatever SQLite or the disk minds ends as one `HistoryError` that names the file and the remedy. A
transaction is there whole or not at all, whenever the machine dies.
"""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import sqlite3
import stat
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from tlscheck.errors import HistoryError
from tlscheck.history.schema import APPLICATION_ID, STEPS
from tlscheck.text import _N, Phrase

PATIENCE = 30.0
"""Seconds to wait for another process that writes."""

_LITTLE = 64 * 1024
"""Bytes with which SQLite cannot begin."""

_TROUBLES = {
    sqlite3.SQLITE_FULL: _N("the disk is full; make room on it and run again"),
    sqlite3.SQLITE_BUSY: _N("another process holds it; wait until that has ended and run again"),
    sqlite3.SQLITE_LOCKED: _N("another process holds it; wait until that has ended and run again"),
    sqlite3.SQLITE_CORRUPT: _N(
        "it is damaged; put a copy of it back, or move it away to begin a new one"
    ),
    sqlite3.SQLITE_NOTADB: _N(
        "it is damaged or no history; put a copy of it back, or move it away to begin a new one"
    ),
    sqlite3.SQLITE_READONLY: _N("it cannot be written; see to the rights of file and folder"),
    sqlite3.SQLITE_CANTOPEN: _N("it cannot be opened; see to the rights of file and folder"),
    sqlite3.SQLITE_PERM: _N("it cannot be opened; see to the rights of file and folder"),
    sqlite3.SQLITE_IOERR: _N("the disk cannot be written or read; see to it and run again"),
    sqlite3.SQLITE_TOOBIG: _N("the scan is too large to be kept; look at fewer targets at once"),
}


@dataclass(frozen=True, slots=True)
class Store:
    """An open history."""

    path: Path
    db: sqlite3.Connection

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """All that is read inside is of one moment. HistoryError."""
        with self._transaction("BEGIN"):
            yield self.db

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """All that is written inside is kept, or nothing. HistoryError."""
        with self._transaction("BEGIN IMMEDIATE"):
            yield self.db

    @contextmanager
    def _transaction(self, begin: str) -> Iterator[None]:
        if self.db.in_transaction:  # inside of another one, which decides
            yield
            return
        with troubles(self.path):
            self.db.execute(begin)
            try:
                yield
                self.db.execute("COMMIT")
            finally:
                if self.db.in_transaction:
                    with contextlib.suppress(sqlite3.Error):
                        self.db.execute("ROLLBACK")

    @contextmanager
    def reserved(self, size: int) -> Iterator[Callable[[], None]]:
        """So many bytes of the disk are ours meanwhile, until what is given is called: what is
        written then has room. HistoryError.
        """
        with contextlib.ExitStack() as stack:
            with troubles(self.path):
                room = stack.enter_context(tempfile.TemporaryFile(dir=self.path.parent))
                _fill(room.fileno(), size)
            yield room.close

    def damaged(self) -> HistoryError:
        """What to raise where something that was kept does not come out again."""
        return _trouble(self.path, _TROUBLES[sqlite3.SQLITE_CORRUPT])


@contextmanager
def opened(path: Path, *, create: bool = False) -> Iterator[Store]:
    """The history in *path*, made where *create* says so and it is not there. HistoryError.

    One that cannot be written is there to be read; whoever writes to it is told.
    """
    with troubles(path):
        to_read = path.is_file() and not os.access(path.parent, os.W_OK)
        if not to_read:
            _make(path, create=create)
        place = _as_it_is(path) if to_read else path
        db = sqlite3.connect(place, timeout=PATIENCE, isolation_level=None, uri=to_read)
    with contextlib.closing(db):
        with troubles(path):
            (_prepare_to_read if to_read else _prepare)(path, db)
        yield Store(path, db)


def _as_it_is(path: Path) -> str:
    """The URI by which SQLite only reads *path*. Beside it SQLite needs files of its own, but for
    where nobody has any and none can be made. HistoryError.
    """
    uri = f"{path.absolute().as_uri()}?mode=ro"
    if Path(f"{path}-shm").exists():
        return uri
    if Path(f"{path}-wal").exists():
        raise _trouble(path, _TROUBLES[sqlite3.SQLITE_CANTOPEN])
    return f"{uri}&immutable=1"


@contextmanager
def troubles(path: Path) -> Iterator[None]:
    """Whatever SQLite or the system minds of *path*, as a HistoryError."""
    try:
        yield
    except sqlite3.Error as error:
        code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_CORRUPT) & 0xFF
        if code == sqlite3.SQLITE_IOERR and _is_full(path):  # what SQLite maps may say that instead
            code = sqlite3.SQLITE_FULL
        if words := _TROUBLES.get(code):
            raise _trouble(path, words) from error
        raise HistoryError(
            "{file}: {detail}; put a copy of it back, or move it away to begin a new one",
            file=path,
            detail=str(error),
        ) from error
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise _trouble(path, _TROUBLES[sqlite3.SQLITE_FULL]) from error
        raise HistoryError(
            "{file}: cannot be opened or made ({detail}); name another with --history",
            file=path,
            detail=error.strerror or str(error),
        ) from error


def _fill(handle: int, size: int) -> None:
    """Have *size* bytes of the disk in a file, whatever its kind of file system can. OSError."""
    try:
        os.posix_fallocate(handle, 0, size)
    except OSError as error:
        if error.errno not in (errno.EOPNOTSUPP, errno.EINVAL, errno.ENOSYS):
            raise
        for _ in range(0, size, _LITTLE):
            os.write(handle, bytes(_LITTLE))


def _is_full(path: Path) -> bool:
    try:
        return shutil.disk_usage(path.parent).free < _LITTLE
    except OSError:
        return False


def _trouble(path: Path, words: str) -> HistoryError:
    return HistoryError(
        "{file}: cannot be used: {trouble}", file=path, trouble=Phrase("{detail}", detail=words)
    )


def _make(path: Path, *, create: bool) -> None:
    """An empty file of the owner's alone, which SQLite gives the files beside it their mode by."""
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        if not create:
            raise HistoryError(
                "{file}: there is no history; `tlscheck scan --history FILE` begins one",
                file=path,
            ) from None
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with contextlib.suppress(FileExistsError):  # another process was faster
            os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        return
    if not stat.S_ISREG(mode):
        raise HistoryError("{file}: is no file; name another with --history", file=path)
    if mode & 0o077:
        path.chmod(0o600)


def _prepare_to_read(path: Path, db: sqlite3.Connection) -> None:
    _distrust(db)
    if _version(path, db) < len(STEPS):
        raise _trouble(path, _TROUBLES[sqlite3.SQLITE_READONLY])


def _distrust(db: sqlite3.Connection) -> None:
    db.execute("PRAGMA trusted_schema = OFF")
    db.execute("PRAGMA cell_size_check = ON")


def _prepare(path: Path, db: sqlite3.Connection) -> None:
    _distrust(db)
    db.execute("PRAGMA secure_delete = FAST")  # else whatever is dropped is written once more
    version = _version(path, db)
    if version < len(STEPS):
        if version == 0:
            db.execute("PRAGMA auto_vacuum = INCREMENTAL")  # before WAL, or it stays without effect
        db.execute("PRAGMA journal_mode = WAL")
        _migrate(path, db)
    db.execute("PRAGMA synchronous = FULL")


def _version(path: Path, db: sqlite3.Connection) -> int:
    version: int = db.execute("PRAGMA user_version").fetchone()[0]
    owner: int = db.execute("PRAGMA application_id").fetchone()[0]
    tables: int = db.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0]
    if (version or tables) and owner != APPLICATION_ID:
        raise HistoryError(
            "{file}: is no history of tlscheck; name another with --history", file=path
        )
    if version > len(STEPS):
        raise HistoryError(
            "{file}: a newer tlscheck wrote it (form {form}, known is {known}); update tlscheck",
            file=path,
            form=version,
            known=len(STEPS),
        )
    return version


def _migrate(path: Path, db: sqlite3.Connection) -> None:
    """All steps that are missing, in one transaction."""
    db.execute("BEGIN IMMEDIATE")
    try:
        for step in STEPS[_version(path, db) :]:
            for statement in step.split(";"):
                db.execute(statement)
        db.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        db.execute(f"PRAGMA user_version = {len(STEPS)}")
        db.execute("COMMIT")
    finally:
        if db.in_transaction:
            db.execute("ROLLBACK")


def stamp(moment: datetime) -> str:
    """A moment as it is kept: UTC, to the microsecond, so that texts sort as moments do."""
    return moment.astimezone(UTC).isoformat(timespec="microseconds")


def moment(text: str) -> datetime:
    """The moment that was kept as *text*."""
    return datetime.fromisoformat(text)
