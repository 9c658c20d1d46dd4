"""The canonical zip: any zip program reads it, and nothing but itself is it."""

from __future__ import annotations

import io
import struct
import zipfile
import zlib
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tlscheck.bundle.archive import MOST_FILES, ArchiveError, looks_like_one, pack, stamp, unpack

AT = datetime(2026, 11, 20, 18, 5, 33, tzinfo=UTC)
FILES = {"scan.json": b"{}\n", "manifest.json": b"", "targets/0/tls.jsonl": bytes(range(256))}
GOOD = pack(FILES, AT)


def zipped(
    *entries: tuple[str, bytes], method: int = zipfile.ZIP_STORED, comment: bytes = b""
) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as made:
        for name, content in entries:
            made.writestr(zipfile.ZipInfo(name, (2026, 11, 20, 18, 5, 32)), content, method)
        made.comment = comment
    return out.getvalue()


def test_any_zip_program_reads_it() -> None:
    with zipfile.ZipFile(io.BytesIO(GOOD)) as made:
        assert made.testzip() is None
        assert made.namelist() == sorted(FILES)
        assert {name: made.read(name) for name in made.namelist()} == FILES
        assert {info.date_time for info in made.infolist()} == {(2026, 11, 20, 18, 5, 32)}


def test_the_same_files_are_the_same_bytes() -> None:
    assert pack(dict(reversed(FILES.items())), AT.astimezone(timezone(timedelta(hours=9)))) == GOOD
    assert unpack(GOOD) == (FILES, stamp(AT))


def test_the_bytes_are_these_on_every_machine() -> None:
    assert zlib.crc32(GOOD) == 1379618349


def test_every_flipped_bit_is_found() -> None:
    for offset in range(len(GOOD)):
        for bit in range(8):
            changed = bytearray(GOOD)
            changed[offset] ^= 1 << bit
            assert looks_like_one(bytes(changed))
            # The time of the first header is every file's: who changes all of them has another.
            with pytest.raises(ArchiveError):
                unpack(bytes(changed))


def test_every_cut_and_every_addition_is_found() -> None:
    for end in range(len(GOOD)):
        with pytest.raises(ArchiveError):
            unpack(GOOD[:end])
    for more in (b"\0", b"PK\x05\x06", GOOD):
        with pytest.raises(ArchiveError):
            unpack(GOOD + more)
        with pytest.raises(ArchiveError):
            unpack(more + GOOD)


@pytest.mark.parametrize(
    "data",
    [
        zipped(("../evil", b"x")),
        zipped(("/etc/passwd", b"x")),
        zipped(("a/../b", b"x")),
        zipped(("a//b", b"x")),
        zipped(("C:\\x", b"x")),
        zipped(("dir/", b"")),
        zipped(("例", b"x")),
        zipped(("a\n", b"x")),
        zipped(("scan.json", b"\0" * 10_000_000), method=zipfile.ZIP_DEFLATED),
        zipped(("scan.json", b"x"), comment=b"with a comment"),
        zipped(("scan.json", b"x")),
        zipped(("b", b"x"), ("a", b"x")),
        b"",
        b"PK\x05\x06" + bytes(18),
        b"PK\x03\x04",
    ],
)
def test_what_it_did_not_write_is_refused(data: bytes) -> None:
    with pytest.raises(ArchiveError):
        unpack(data)


def test_a_name_twice_is_refused() -> None:
    one = pack({"a": b"1"}, AT)
    header = one[: one.index(b"PK\x01\x02")]
    with pytest.raises(ArchiveError):
        unpack(header + one)


def test_a_size_that_is_not_there_reads_nothing() -> None:
    changed = bytearray(GOOD)
    struct.pack_into("<2I", changed, 18, 0xFFFFFFFF, 0xFFFFFFFF)
    with pytest.raises(ArchiveError):
        unpack(bytes(changed))


def test_there_is_a_limit_to_files() -> None:
    files = {f"{number:05}": b"" for number in range(MOST_FILES)}
    data = pack(files, AT)
    assert len(unpack(data)[0]) == MOST_FILES
    with pytest.raises(ArchiveError):
        pack({**files, "x": b""}, AT)
    many = data[: data.index(b"PK\x01\x02")]
    with pytest.raises(ArchiveError):
        unpack(many + many.replace(b"\0\0" + b"0", b"\0\0" + b"a"))


NAMES = st.from_regex(
    r"[a-z0-9][A-Za-z0-9_-]{0,8}(?:[./][A-Za-z0-9][A-Za-z0-9_-]{0,8}){0,3}", fullmatch=True
)


@given(
    st.dictionaries(NAMES, st.binary(max_size=300), min_size=1),
    st.datetimes(timezones=st.just(UTC)),
)
def test_what_is_packed_is_unpacked(files: dict[str, bytes], at: datetime) -> None:
    assert unpack(pack(files, at)) == (files, stamp(at))


@given(st.binary(max_size=400))
@example(GOOD[:40])
def test_garbage_is_no_archive(data: bytes) -> None:
    with pytest.raises(ArchiveError):
        unpack(data)


@given(st.binary(max_size=30), st.integers(0, len(GOOD)), st.integers(0, 30))
def test_nothing_else_is_taken_for_it(junk: bytes, at: int, over: int) -> None:
    changed = GOOD[:at] + junk + GOOD[at + over :]
    if changed != GOOD:
        with pytest.raises(ArchiveError):
            unpack(changed)
