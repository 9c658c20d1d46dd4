"""Fields of the presentation language go in and come out, and nothing is read past the end."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tlscheck.wire.codec import DecodeError, Reader, uint, uints, vector

SIZES = st.integers(1, 4)


@given(SIZES, st.data())
def test_numbers_come_back(size: int, data: st.DataObject) -> None:
    value = data.draw(st.integers(0, 256**size - 1))
    reader = Reader(uint(value, size))
    assert reader.uint(size) == value
    assert not reader


@given(st.binary(max_size=255), SIZES, st.binary(max_size=9))
def test_vectors_come_back_and_leave_what_follows(body: bytes, size: int, after: bytes) -> None:
    reader = Reader(vector(body, size) + after)
    assert reader.vector(size) == body
    assert reader.rest() == after


@given(st.lists(st.integers(0, 0xFFFF), max_size=100))
def test_lists_of_numbers_come_back(values: list[int]) -> None:
    assert Reader(uints(values, 2, 2)).uints(2, 2) == tuple(values)


@given(st.binary(max_size=300), st.integers(1, 3))
def test_a_vector_that_is_cut_is_refused(body: bytes, size: int) -> None:
    if size == 1:
        body = body[:255]
    whole = vector(body, size)
    for end in range(len(whole)):
        with pytest.raises(DecodeError):
            Reader(whole[:end]).vector(size)


def test_a_list_of_half_a_number_is_refused() -> None:
    with pytest.raises(DecodeError):
        Reader(b"\x00\x03abc").uints(2, 2)


@given(st.binary(max_size=40), st.lists(st.integers(0, 12), max_size=8))
def test_a_reader_never_runs_past_the_end(data: bytes, sizes: list[int]) -> None:
    reader, taken = Reader(data), b""
    for size in sizes:
        try:
            taken += reader.take(size)
        except DecodeError:
            assert size > len(reader)
    assert taken + reader.rest() == data


@pytest.mark.parametrize(("value", "size"), [(256, 1), (1 << 16, 2), (1 << 24, 3), (-1, 2)])
def test_what_does_not_fit_is_not_written(value: int, size: int) -> None:
    with pytest.raises(OverflowError):
        uint(value, size)


def test_a_vector_that_is_too_long_is_not_written() -> None:
    with pytest.raises(OverflowError):
        vector(bytes(256), 1)
