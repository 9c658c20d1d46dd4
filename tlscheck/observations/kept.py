"""Exchanges and chains as lines of JSON and back: what a bundle keeps, to be read again.

The same values give the same bytes. What is read back may be anybody's work: all that is wrong with
it ends as one ValueError.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any, TypeVar

from pydantic import AwareDatetime, Base64Bytes, Field, TypeAdapter, ValidationError

from tlscheck.observations.certificate import Presented
from tlscheck.observations.exchange import End, Exchange
from tlscheck.text import _N

MOST_LINES = 4000
"""How many lines of one look are read: more than any budget allows for connections."""

_DAY = 86400.0

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class _Exchange:
    """One line of ``tls.jsonl``."""

    at: Annotated[AwareDatetime, Field(lt=datetime(9999, 1, 1, tzinfo=UTC))]
    took: Annotated[float, Field(ge=-_DAY, le=_DAY)]
    end: End
    sent: Base64Bytes
    received: Base64Bytes


@dataclass(frozen=True, slots=True)
class _Presented:
    """One line of ``certificate.jsonl``."""

    chain: Annotated[tuple[str, ...], Field(min_length=1)]
    """SHA-256 of each certificate, as sent."""
    with_sni: bool
    staple_asked: bool
    stapled: Base64Bytes | None
    scts: Base64Bytes | None


def exchanges(several: Iterable[Exchange]) -> bytes:
    """A line for each exchange, in their order."""
    return _lines(
        {
            "at": each.at.isoformat(),
            "took": each.took,
            "end": each.end,
            "sent": _base64(each.sent),
            "received": _base64(each.received),
        }
        for each in several
    )


def read_exchanges(lines: bytes) -> list[Exchange]:
    """The exchanges that *lines* keep. ValueError."""
    found = []
    for line in _read(_Exchange, lines):
        exchange = Exchange(line.at, line.took, line.sent, line.received, line.end)
        if not exchange.hellos:
            raise ValueError(_N("an exchange without a hello"))
        _ = exchange.key, exchange.until  # reads all that the hello offers
        found.append(exchange)
    return _as_written(found, exchanges, lines)


def presented(several: Iterable[Presented]) -> bytes:
    """A line for each chain, certificates by their digest."""
    return _lines(
        {
            "chain": [hashlib.sha256(der).hexdigest() for der in each.chain],
            "with_sni": each.with_sni,
            "staple_asked": each.staple_asked,
            "stapled": None if each.stapled is None else _base64(each.stapled),
            "scts": None if each.scts is None else _base64(each.scts),
        }
        for each in several
    )


def read_presented(lines: bytes, certificate: Callable[[str], bytes]) -> list[Presented]:
    """The chains that *lines* keep; *certificate* gives the DER of a digest. ValueError."""
    found = [
        Presented(
            tuple(certificate(digest) for digest in line.chain),
            line.with_sni,
            line.staple_asked,
            line.stapled,
            line.scts,
        )
        for line in _read(_Presented, lines)
    ]
    return _as_written(found, presented, lines)


def _lines(several: Iterable[Mapping[str, object]]) -> bytes:
    return b"".join(json.dumps(each, separators=(",", ":")).encode() + b"\n" for each in several)


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _read(kind: type[T], lines: bytes) -> Sequence[T]:
    several = lines.split(b"\n")
    if several.pop() or len(several) > MOST_LINES:
        raise ValueError(_N("cut off, or too many lines"))
    adapter: Any = TypeAdapter(kind)
    try:
        return [adapter.validate_json(line, extra="forbid") for line in several]
    except ValidationError as error:
        raise ValueError(str(error.errors()[0]["msg"])) from None


def _as_written(found: list[T], write: Callable[[Iterable[T]], bytes], lines: bytes) -> list[T]:
    if write(found) != lines:
        raise ValueError(_N("spelt otherwise than it is written"))
    return found
