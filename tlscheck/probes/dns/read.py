"""What answers say: names, addresses, records, and whether something exists."""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Sequence
from typing import Any

import dns.message
import dns.name
import dns.rdatatype

from tlscheck.model import State
from tlscheck.probes.walk import Found


def text_of(name: dns.name.Name) -> str:
    """A name in lower case, without the last dot."""
    return name.to_text(True).lower()


def name_of(text: str, origin: dns.name.Name = dns.name.root) -> dns.name.Name:
    """The name that *text* writes, below *origin*. DNSException, UnicodeError."""
    return dns.name.from_text(text, origin)


_MADE_UP = b"tlscheck-"


def made_up(zone: dns.name.Name) -> dns.name.Name:
    """A name in *zone* that nobody has made."""
    return dns.name.Name([_MADE_UP + secrets.token_hex(6).encode()]).concatenate(zone)


def is_made_up(name: dns.name.Name) -> bool:
    """Whether *name* is one of those."""
    return name.labels[0].startswith(_MADE_UP)


def records(
    message: dns.message.Message | None, name: dns.name.Name, rdtype: dns.rdatatype.RdataType
) -> Sequence[Any]:
    """The records of *name* in the answer section."""
    if message is None:
        return ()
    return [r for s in message.answer if s.name == name and s.rdtype == rdtype for r in s]


def addresses(found: Iterable[Found]) -> tuple[str, ...]:
    """The addresses in what was found."""
    return tuple(dict.fromkeys(str(r.address) for f in found for r in (f.rrset or ())))


def complete(found: Iterable[Found]) -> bool:
    """Whether each kind of address was told or denied."""
    found = list(found)
    return all(f.answered for f in found) or any(f.nonexistent for f in found)


def exists(found: Sequence[Found]) -> State:
    """Whether a name has addresses."""
    if addresses(found):
        return State.ACCEPTED
    return State.REFUSED if complete(found) else State.UNKNOWN


def there(found: Found) -> State:
    """Whether a name is in the DNS, with whatever records."""
    if not found.answered:
        return State.UNKNOWN
    return State.REFUSED if found.nonexistent else State.ACCEPTED
