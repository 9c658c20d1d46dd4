"""The canonical zip: stored, sorted, one time for all, no extra fields. Equal files, equal bytes.

Whatever `pack` would not have written is refused, so that no byte can change without being found.
Any zip program can take the files out (APPNOTE.TXT 6.3.10, sections 4.3.7, 4.3.12, 4.3.16).
"""

from __future__ import annotations

import re
import struct
import zlib
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
        raise ArchiveError(Phrase("larger than {limit} MiB", limit=MOST_BYTES >> 20))
    files: dict[str, bytes] = {}
    offset, last = 0, ""
    first = data[10:14].ljust(4, b"\0")
    when: Stamp = struct.unpack("<2H", first)
    while data[offset : offset + 4] == _LOCAL:
        name, content = _file(data, offset, when)
        if name <= last or len(files) >= MOST_FILES:
            raise ArchiveError(_bad_header(name))
        files[name] = content
        offset += _HEADER.size + len(name) + len(content)
        last = name
    if not files:
        raise ArchiveError(Phrase("the header at byte {offset} is not as it must be", offset=0))
    _check_directory(data, offset, files, when)
    return files, when


def stamp(at: datetime) -> Stamp:
    """*at*, in UTC, as zip has times; they begin with 1980 and end with 2107."""
    when = at.astimezone(UTC)
    year = min(max(when.year, 1980), 2107) - 1980
    return when.hour << 11 | when.minute << 5 | when.second >> 1, year << 9 | (
        when.month << 5
    ) | when.day


def _packed(files: Mapping[str, bytes], when: Stamp) -> bytes:
    parts: list[bytes] = []
    for name in sorted(files):
        parts += (_header(name, files[name], when), files[name])
    data = b"".join(parts) + _directory(files, when)
    if len(files) > MOST_FILES or len(data) > MOST_BYTES:
        raise ArchiveError(Phrase("larger than {limit} MiB", limit=MOST_BYTES >> 20))
    return data


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


def _file(data: bytes, offset: int, when: Stamp) -> tuple[str, bytes]:
    """Name and contents of the file whose header is at *offset*."""
    bad = ArchiveError(Phrase("the header at byte {offset} is not as it must be", offset=offset))
    if len(data) - offset < _HEADER.size:
        raise bad
    fields = _HEADER.unpack_from(data, offset)
    crc, size, length = fields[6], fields[7], fields[9]
    start = offset + _HEADER.size
    name = data[start : start + length].decode("latin-1")
    if not _NAME.fullmatch(name):
        raise bad
    content = data[start + length : start + length + size]
    header = _header(name, content, when)
    if len(content) != size or crc != zlib.crc32(content):
        raise ArchiveError(
            Phrase("the contents of {name} changed, or their checksum or size", name=name)
        )
    if data[offset : start + length] != header:
        raise ArchiveError(_bad_header(name))
    return name, content


def _check_directory(data: bytes, offset: int, files: Mapping[str, bytes], when: Stamp) -> None:
    """What follows the files must be their directory, and nothing more."""
    wanted, found = _directory(files, when), data[offset:]
    if found == wanted:
        return
    names = sorted(files)
    if found[:4] != _CENTRAL:
        raise ArchiveError(Phrase("what follows {name} is not as it must be", name=names[-1]))
    position = 0
    for name in names:
        size = _ENTRY.size + len(name)
        if found[position : position + size] != wanted[position : position + size]:
            raise ArchiveError(
                Phrase("the entry of {name} in the directory is not as it must be", name=name)
            )
        position += size
    raise ArchiveError(Phrase("what follows the directory is not as it must be"))


def _bad_header(name: str) -> Phrase:
    return Phrase("the header of {name} is not as it must be", name=name)
