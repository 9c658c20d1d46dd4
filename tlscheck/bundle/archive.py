"""The canonical zip: stored, sorted, one time for all, no extra fields. Equal files, equal bytes.

Whatever `pack` would not have written is refused, so that no byte can change without being found.
Any zip program can take the files out (APPNOTE.TXT 6.3.10, sections 4.3.7, 4.3.12, 4.3.16).
"""

from __future__ import annotations

import re
import struct
import zlib
from collections import Counter
from collections.abc import Mapping
from datetime import UTC, datetime

from tlscheck.text import Phrase

MOST_BYTES = 512 * 1024 * 1024
"""How large an archive may be."""
MOST_FILES = 65_000

_NAME = re.compile(r"[a-z0-9][A-Za-z0-9_-]*(?:[./][A-Za-z0-9][A-Za-z0-9_-]*){0,12}")
_LOCAL, _CENTRAL, _END = b"PK\x03\x04", b"PK\x01\x02", b"PK\x05\x06"
_VERSION, _UNIX, _MODE = 10, 3, 0o100644
_HEADER = struct.Struct("<4s5H3I2H")
_ENTRY = struct.Struct("<4s6H3I5H2I")
_LAST = struct.Struct("<4s4H2IH")

Stamp = tuple[int, int]
"""Time and date as zip has them, in steps of two seconds."""


class ArchiveError(ValueError):
    """Bytes that `pack` did not write; *where* says where they first differ."""

    def __init__(self, where: Phrase) -> None:
        super().__init__(where.template)
        self.where = where


def pack(files: Mapping[str, bytes], at: datetime) -> bytes:
    """The archive of *files*, which carry the time *at*. ArchiveError: too many or too large."""
    for name in files:
        assert _NAME.fullmatch(name), name
    return _packed(files, stamp(at))


def looks_like_one(data: bytes) -> bool:
    """Whether *data* is, or was before some byte changed, an archive."""
    return data[:4] == _LOCAL or data[-_LAST.size :][:4] == _END


def unpack(data: bytes) -> tuple[dict[str, bytes], Stamp]:
    """The files of an archive, and their time. ArchiveError."""
    if len(data) > MOST_BYTES:
        raise _too_large()
    files: dict[str, bytes] = {}
    times: dict[tuple[str, int], Stamp] = {}
    offset, last = 0, ""
    while data[offset : offset + 4] == _LOCAL:
        name, content, when = _file(data, offset)
        times[name, offset] = when
        if len(files) == MOST_FILES:
            raise _too_many()
        if name <= last:
            raise ArchiveError(
                Phrase(
                    "{name}, at byte {offset}: out of order after {last}",
                    name=name,
                    offset=offset,
                    last=last,
                )
            )
        files[name] = content
        offset += _HEADER.size + len(name) + len(content)
        last = name
    if not files:
        raise ArchiveError(Phrase("at byte {offset}: no header of a file", offset=0))
    when = _common(times)
    _check_directory(data, offset, files, when)
    return files, when


def _common(times: Mapping[tuple[str, int], Stamp]) -> Stamp:
    """The time that all files have."""
    (when, _), *others = Counter(times.values()).most_common()
    if others:
        odd = next(where for where, time in times.items() if time != when)
        raise ArchiveError(_bad_header(*odd))
    return when


def stamp(at: datetime) -> Stamp:
    """*at*, in UTC, as zip has times; they begin with 1980 and end with 2107."""
    when = at.astimezone(UTC)
    year = min(max(when.year, 1980), 2107) - 1980
    return when.hour << 11 | when.minute << 5 | when.second >> 1, year << 9 | (
        when.month << 5
    ) | when.day


def _packed(files: Mapping[str, bytes], when: Stamp) -> bytes:
    size = _LAST.size + sum(
        _HEADER.size + _ENTRY.size + 2 * len(name) + len(content) for name, content in files.items()
    )
    if size > MOST_BYTES:
        raise _too_large()
    if len(files) > MOST_FILES:
        raise _too_many()
    parts: list[bytes] = []
    for name in sorted(files):
        parts += (_header(name, files[name], when), files[name])
    return b"".join(parts) + _directory(files, when)


def _header(name: str, content: bytes, when: Stamp) -> bytes:
    size, known = len(content), name.encode("ascii")
    fields = (_VERSION, 0, 0, *when, zlib.crc32(content), size, size, len(known), 0)
    return _HEADER.pack(_LOCAL, *fields) + known


def _entry(name: str, content: bytes, when: Stamp, offset: int) -> bytes:
    size, known = len(content), name.encode("ascii")
    fields = (_UNIX << 8 | _VERSION, _VERSION, 0, 0, *when, zlib.crc32(content), size, size)
    return _ENTRY.pack(_CENTRAL, *fields, len(known), 0, 0, 0, 0, _MODE << 16, offset) + known


def _directory(files: Mapping[str, bytes], when: Stamp) -> bytes:
    entries, offset = [], 0
    for name in sorted(files):
        entries.append(_entry(name, files[name], when, offset))
        offset += _HEADER.size + len(name) + len(files[name])
    size, count = sum(map(len, entries)), len(files)
    return b"".join(entries) + _LAST.pack(_END, 0, 0, count, count, size, offset, 0)


def _file(data: bytes, offset: int) -> tuple[str, bytes, Stamp]:
    """Name, contents and time of the file whose header is at *offset*."""
    bad = ArchiveError(Phrase("at byte {offset}: no header of a file", offset=offset))
    if len(data) - offset < _HEADER.size:
        raise bad
    fields = _HEADER.unpack_from(data, offset)
    when, crc, size, length = fields[4:6], fields[6], fields[7], fields[9]
    start = offset + _HEADER.size
    name = data[start : start + length].decode("latin-1")
    if not _NAME.fullmatch(name):
        raise bad
    content = data[start + length : start + length + size]
    header = _header(name, content, when)
    if len(content) != size or crc != zlib.crc32(content):
        raise ArchiveError(
            Phrase(
                "{name}, at byte {offset}: the contents changed, or their checksum or size",
                name=name,
                offset=offset,
            )
        )
    if data[offset : start + length] != header:
        raise ArchiveError(_bad_header(name, offset))
    return name, content, when


def _check_directory(data: bytes, offset: int, files: Mapping[str, bytes], when: Stamp) -> None:
    """What follows the files must be their directory, and nothing more."""
    wanted, found = _directory(files, when), data[offset:]
    if found == wanted:
        return
    names = sorted(files)
    if found[:4] != _CENTRAL:
        raise ArchiveError(Phrase("at byte {offset}: no header of a file", offset=offset))
    position = 0
    for name in names:
        size = _ENTRY.size + len(name)
        if found[position : position + size] != wanted[position : position + size]:
            raise ArchiveError(
                Phrase("{name}: its entry in the directory is not that of its header", name=name)
            )
        position += size
    raise ArchiveError(Phrase("what follows the directory is not as it must be"))


def _bad_header(name: str, offset: int) -> Phrase:
    return Phrase(
        "{name}, at byte {offset}: the header is not as it must be", name=name, offset=offset
    )


def _too_large() -> ArchiveError:
    return ArchiveError(Phrase("larger than {limit} MiB", limit=MOST_BYTES >> 20))


def _too_many() -> ArchiveError:
    return ArchiveError(Phrase("more than {limit} files", limit=MOST_FILES))
