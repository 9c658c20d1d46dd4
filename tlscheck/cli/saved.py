"""What ``--save`` writes, and reading it again: a scan file, or a bundle."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from tlscheck.cli.files import read, write
from tlscheck.cli.words import LANGUAGE, _
from tlscheck.errors import ConfigError, OutputError, ScanFileError
from tlscheck.text import visible

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    from tlscheck.bundle.contents import Bundle
    from tlscheck.model import Scan
    from tlscheck.report import Report

_BUNDLE = ".zip"
_MOST_RAW = 256 * 1024 * 1024
"""How many bytes of exchanges and chains a scan may hold in memory: half of what a bundle may."""


def scan_in(path: str) -> tuple[Scan, Bundle | None]:
    """The scan in *path*, and the bundle that it is in, if it is in one. ScanFileError."""
    from tlscheck import report

    data, bundle = scan_file_in(path)
    return bundle.scan if bundle else report.decode(data, path), bundle


def scan_file_in(path: str) -> tuple[bytes, Bundle | None]:
    """The scan file that *path* is, or that is in the bundle there, and that. ScanFileError."""
    from tlscheck.bundle import archive, contents

    data = read(path)
    if not archive.looks_like_one(data):
        return data, None
    try:
        bundle = contents.read(data)
    except contents.DamagedError as damage:
        raise ScanFileError(
            "{file}: {mistake}; have the bundle sent again", file=path, mistake=damage.mistakes[0]
        ) from None
    return bundle.files[contents.SCAN], bundle


def tell_seal(path: str, bundle: Bundle | None) -> None:
    """Say that nobody looked at who vouches for *bundle*, or that nobody does."""
    from tlscheck.bundle import contents, seal

    if bundle is None:
        return
    if seal.fits(bundle.files, bundle.files[contents.MANIFEST]):
        words = _(
            "{file}: taken as it is; whether its contents agree and who vouches for them, tlscheck"
            " bundle verify tells"
        )
    else:
        words = _(
            "{file}: its signature or time stamp is not that of its manifest: somebody changed it;"
            " see tlscheck bundle verify"
        )
    click.echo(words.format(file=visible(path)), err=True)


@dataclass(frozen=True, slots=True)
class Saving:
    """How a scan is to be kept."""

    path: str | None
    key: Ed25519PrivateKey | None = None
    timestamp: str | None = None

    @property
    def most_raw(self) -> int:
        """How many bytes of what was sent and received to keep for it."""
        return _MOST_RAW if self.path and self.path.endswith(_BUNDLE) else 0

    def save(self, made: Report) -> Report:
        """Write *made* where it is to be kept; gives it as it is kept there."""
        if not self.path:
            return made
        if not self.most_raw:
            from tlscheck import report

            write(report.encode(made), self.path)
            return made
        return self._bundled(made, self.path)

    def _bundled(self, made: Report, path: str) -> Report:
        from tlscheck.bundle import archive, contents, seal

        made, files = contents.bundled(made)
        manifest = files[contents.MANIFEST]
        if self.key:
            files |= seal.signed(manifest, self.key)
        if self.timestamp:
            files |= _stamped(manifest, self.timestamp)
        try:
            write(contents.pack(files, made.scan.at), path)
        except archive.ArchiveError as error:
            raise OutputError(
                "{file}: the bundle would be {words}; look at fewer targets at a time",
                file=path,
                words=error.where,
            ) from None
        without = sum("tls" in look.seen and not look.raw for look in made.scan.looks)
        if without:
            click.echo(
                _(
                    "{n} targets: their hellos and answers are too many to keep in one bundle and"
                    " were let go; what was seen of them cannot be checked again"
                ).format(n=without),
                err=True,
            )
        return made


def saving(path: str | None, sign: str | None, timestamp: str | None) -> Saving:
    """What ``--save``, ``--sign`` and ``--timestamp`` ask for. ConfigError."""
    for option, value in (("--sign", sign), ("--timestamp", timestamp)):
        if value and not (path or "").endswith(_BUNDLE):
            raise ConfigError("{option} is for a bundle; give --save FILE.zip too", option=option)
    if timestamp:
        from tlscheck.bundle import seal

        seal.need()
    return Saving(path, _key(sign) if sign else None, timestamp)


def passphrase() -> bytes | None:
    """The one for the key, from the environment."""
    from tlscheck.bundle.seal import PASSPHRASE

    return os.environb.get(PASSPHRASE.encode()) or None


def _key(path: str) -> Ed25519PrivateKey:
    from tlscheck.bundle import seal

    data = read(path, 65536)
    if Path(path).stat().st_mode & 0o077:
        raise ConfigError("{file}: others may read the key; chmod 600 {file}", file=path)
    return seal.private(data, path, passphrase())


def _stamped(manifest: bytes, url: str) -> dict[str, bytes]:
    """The time stamp's file; none, and a word on standard error, where none was to be had."""
    import asyncio

    from tlscheck.bundle import seal
    from tlscheck.net import Net, NetError
    from tlscheck.text import _N, voice

    why: object
    try:
        found = asyncio.run(
            Net().fetch(
                url,
                schemes=("https", "http"),
                private=True,
                content=seal.question(manifest),
                fields={"Content-Type": "application/timestamp-query"},
            )
        )
        seal.stamped(found.body, manifest)
    except NetError as error:
        why = str(error)
    except seal.StampError as error:
        why = error.words
    else:
        return {seal.STAMP: found.body}
    template = _N("the bundle is not time-stamped: {url}: {why}")
    click.echo(voice(LANGUAGE)(template, url=url, why=why), err=True)
    return {}
