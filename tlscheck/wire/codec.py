"""Reading and writing the presentation language of TLS (RFC 8446, section 3)."""

from __future__ import annotations


class DecodeError(ValueError):
    """Bytes that are not what the protocol says they should be."""


class Reader:
    """Takes fields from the front of *data*; never runs past its end."""

    __slots__ = ("_data", "_end", "_pos")

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._pos = 0
        self._end = len(data)

    def __len__(self) -> int:
        return self._end - self._pos

    def take(self, size: int) -> bytes:
        """The next *size* bytes. DecodeError when there are fewer."""
        if size > len(self):
            raise DecodeError(f"{size} bytes announced, {len(self)} there")
        start, self._pos = self._pos, self._pos + size
        return self._data[start : self._pos]

    def uint(self, size: int) -> int:
        """A big-endian number of *size* bytes."""
        return int.from_bytes(self.take(size))

    def vector(self, size: int) -> bytes:
        """A vector whose length stands before it in *size* bytes."""
        return self.take(self.uint(size))

    def uints(self, size: int, length: int) -> tuple[int, ...]:
        """A vector (length in *length* bytes) of numbers of *size* bytes each."""
        body = self.vector(length)
        if len(body) % size:
            raise DecodeError(f"{len(body)} bytes are no list of {size} bytes each")
        starts = range(0, len(body), size)
        return tuple(int.from_bytes(body[i : i + size]) for i in starts)

    def rest(self) -> bytes:
        """All that is left."""
        return self.take(len(self))


def uint(value: int, size: int) -> bytes:
    """*value* as *size* big-endian bytes."""
    return value.to_bytes(size)


def vector(body: bytes, size: int) -> bytes:
    """*body* with its length before it in *size* bytes."""
    return uint(len(body), size) + body


def uints(values: tuple[int, ...] | list[int], size: int, length: int) -> bytes:
    """A vector (length in *length* bytes) of numbers of *size* bytes each."""
    return vector(b"".join(uint(v, size) for v in values), length)
