"""The head of an HTTP/1.1 answer read by hand, for what is HTTP in nothing but its head."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from tlscheck.wire.codec import DecodeError

LIMIT = 16384
"""Octets that a head may have."""
_STATUS = re.compile(rb"HTTP/1\.[01] ([1-5][0-9]{2})(?: [^\r\n]*)?\r?\n")
_END = re.compile(rb"\r?\n\r?\n")


@dataclass(frozen=True, slots=True)
class Head:
    """A status and the fields under it."""

    status: int
    fields: tuple[tuple[str, str], ...]
    """Names in lower case; values as Latin-1, unchecked."""

    def all(self, name: str) -> tuple[str, ...]:
        """Every value of the field *name* (in lower case), in order."""
        return tuple(value for key, value in self.fields if key == name)


def request(method: str, path: str, fields: Iterable[tuple[str, str]]) -> bytes:
    """The head of a request."""
    lines = [f"{method} {path} HTTP/1.1", *(f"{name}: {value}" for name, value in fields)]
    return "\r\n".join([*lines, "", ""]).encode("ascii", "replace")


def read(data: bytes) -> Head | None:
    """The head that *data* begins with; ``None``: it is not all there. DecodeError: it is none."""
    prefix = b"HTTP/1."
    if data[: len(prefix)] != prefix[: len(data)]:
        raise DecodeError("no HTTP")
    end = _END.search(data, 0, LIMIT)
    if end is None:
        if len(data) >= LIMIT:
            raise DecodeError("a head without an end")
        return None
    status = _STATUS.match(data)
    if status is None:
        raise DecodeError("no status line")
    lines = data[status.end() : end.start()].split(b"\n")
    pairs = (line.decode("latin-1").partition(":") for line in lines)
    fields = tuple((name.strip().lower(), value.strip()) for name, colon, value in pairs if colon)
    return Head(int(status[1]), fields)
