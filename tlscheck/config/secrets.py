"""Secrets from where the configuration says that they are: the environment, a file that its owner
alone can read, a credential of systemd. They appear in no message.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path

from tlscheck.config.watching import Link, Secret
from tlscheck.errors import ConfigError
from tlscheck.text import _N

_LONGEST = 4096


def secret(where: Secret, key: str) -> str:
    """The secret that the configuration's *key* names. ConfigError."""
    if where.env:
        found = os.environ.get(where.env, "")
        if not found:
            raise ConfigError(
                "key {key}: the environment has no {name}; set it, or name a file",
                key=key,
                name=where.env,
            )
        return _line(found, key)
    if where.credential:
        return _line(_text(_credential(where.credential, key), key), key)
    return _line(_text(Path(where.file), key, guarded=True), key)


def link(where: Link, key: str) -> str:
    """The URL that the configuration's *key* names. ConfigError."""
    url = where.url or secret(Secret(where.env, where.file, where.credential), key)
    if not url.startswith(("http://", "https://")) or not url.isascii():
        raise ConfigError("key {key}: is no URL; write one that begins with https://", key=key)
    return url


def _credential(name: str, key: str) -> Path:
    folder = os.environ.get("CREDENTIALS_DIRECTORY", "")
    if not folder:
        raise ConfigError(
            "key {key}: systemd gave no credentials; write LoadCredential={name}:FILE into the"
            " service",
            key=key,
            name=name,
        )
    return Path(folder) / name


def _text(path: Path, key: str, *, guarded: bool = False) -> str:
    try:
        with os.fdopen(_unhindered(path), "rb") as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                raise ConfigError(
                    "key {key}: {file} is no file; name one that holds the secret",
                    key=key,
                    file=path,
                )
            if guarded:
                _guarded(os.fstat(file.fileno()), path, key)
            return file.read(_LONGEST).decode()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(
            "key {key}: {file} cannot be read: {detail}; see to the file",
            key=key,
            file=path,
            detail=getattr(error, "strerror", None) or _N("it is not in UTF-8"),
        ) from None


def _unhindered(path: Path) -> int:
    """A pipe that nobody writes into would keep us waiting for ever."""
    return os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)


def _guarded(status: os.stat_result, path: Path, key: str) -> None:
    """Only its owner may read it, and that is the user of this run, or root."""
    if status.st_mode & 0o177:
        raise ConfigError(
            "key {key}: others than the owner may read {file}; write chmod 600 {file}",
            key=key,
            file=path,
        )
    if status.st_uid not in (os.geteuid(), 0):
        raise ConfigError(
            "key {key}: {file} belongs to another user; write chown {user} {file}",
            key=key,
            file=path,
            user=os.geteuid(),
        )


def _line(text: str, key: str) -> str:
    found = text.rstrip("\r\n")
    if not found or not found.isprintable():
        raise ConfigError("key {key}: the secret is empty or more than one line", key=key)
    return found
