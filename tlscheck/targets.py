"""Targets as people write them: text to host, port and service, and to the ids of the report.

Pure: no name is looked up here.
"""

from __future__ import annotations

import difflib
import ipaddress
import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import NoReturn

import idna

from tlscheck.errors import TargetError
from tlscheck.model import Place, Scope, Target
from tlscheck.suffixes import registrable as registrable
from tlscheck.text import Phrase


@dataclass(frozen=True, slots=True)
class Service:
    """A scheme of targets."""

    port: int
    """The port where none is given."""
    starttls: bool = False
    """Whether it begins in clear and changes to TLS."""


SERVICES: Mapping[str, Service] = MappingProxyType(
    {
        "https": Service(443),
        "smtp": Service(25, starttls=True),
        "smtps": Service(465),
        "lmtp": Service(24, starttls=True),
        "imap": Service(143, starttls=True),
        "imaps": Service(993),
        "pop3": Service(110, starttls=True),
        "pop3s": Service(995),
        "sieve": Service(4190, starttls=True),
        "nntp": Service(119, starttls=True),
        "ftp": Service(21, starttls=True),
        "ftps": Service(990),
        "ldap": Service(389, starttls=True),
        "ldaps": Service(636),
        "postgres": Service(5432, starttls=True),
        "mysql": Service(3306, starttls=True),
        "xmpp": Service(5222, starttls=True),
        "turn": Service(3478),
        "turns": Service(5349),
        "ike": Service(500),
        "dtls": Service(443),
        "quic": Service(443),
    }
)
DEFAULT = "https"
"""The service of a target without a scheme, whatever its port."""

_INSTEAD = {
    "submission": "smtp://HOST:587",
    "submissions": "smtps://HOST",
}
"""What to write for schemes that are near at hand and not ours."""


@dataclass(frozen=True, slots=True)
class TargetSpec:
    """A target as asked for, before its name is resolved."""

    host: str
    """A name (A-labels, lower case, no dot at its end) or an address, without brackets."""
    port: int
    service: str
    literal: bool
    """Whether the host is an address."""
    shown: str
    """The target as it was written."""


def parse(text: str) -> TargetSpec:
    """The target that ``host``, ``host:port`` or ``scheme://host[:port]`` names. TargetError."""
    if not text:
        raise TargetError("a target is empty; write host, host:port or scheme://host:port")
    if not text.isprintable() or any(char.isspace() for char in text):
        _refuse(text, "holds white space or control characters; write each target by itself")
    before, slashes, rest = text.rpartition("://")
    service = _service(before.lower(), text) if slashes else DEFAULT
    authority = rest.removesuffix("/") if slashes else rest
    if "@" in authority:
        _refuse(text, "holds a user; leave out what stands before the @")
    if cut := re.search(r"[/?#\\]", authority):
        _refuse(text, "holds a path; leave out what begins with {mark}", mark=cut[0])
    host, port = _split(authority, text)
    address = _address(host)
    return TargetSpec(
        host=address or _name(host, text),
        port=SERVICES[service].port if port is None else port,
        service=service,
        literal=address is not None,
        shown=text,
    )


def host(text: str) -> str:
    """The name (as A-labels) or address that *text* is, without a port. TargetError."""
    if not text or not text.isprintable() or any(char.isspace() for char in text):
        _refuse(text, "is no host name; write a name or an address")
    return _address(text.removeprefix("[").removesuffix("]")) or _name(text, text)


def server_name(text: str) -> str:
    """The name to send as SNI, as A-labels. TargetError."""
    if _address(text.strip("[]")):
        _refuse(text, "is an address; a server name (SNI) cannot be one")
    return _name(text, text)


def place(spec: TargetSpec, address: str, sni: str | None = None) -> Place:
    """Where *spec* is at *address*. A literal address gets no server name unless *sni* gives one.

    TargetError where *sni* is no name.
    """
    asked = None if spec.literal else spec.host
    return Place(spec.host, spec.port, spec.service, address, server_name(sni) if sni else asked)


def endpoint_id(service: str, host: str, port: int, address: str) -> str:
    """The id of one address of a name, or of an address that was asked for itself."""
    name = name_id(service, host, port)
    return name if host == address else f"{name}#{address}"


def name_id(service: str, host: str, port: int) -> str:
    """The id of a name with all its addresses."""
    return f"{service}://{f'[{host}]' if ':' in host else host}:{port}"


def is_address(host: str) -> bool:
    """Whether *host* is a literal address."""
    return _address(host) is not None


def is_meant(text: str, target: Target) -> bool:
    """Whether *text* (host, ``host:port`` or a whole target) names *target*, or the address or
    domain that it belongs to. TargetError.
    """
    spec = parse(text)
    place = target.target
    if place is not None:
        exact = "://" in text or _split(text.removesuffix("/"), text)[1] is not None
        return place.host == spec.host and (
            not exact or (place.service, place.port) == (spec.service, spec.port)
        )
    if target.scope is Scope.ADDRESS:
        return spec.host == target.id or spec.host in target.label.split(", ")
    domain = registrable(spec.host) or spec.host
    return target.id in (spec.host, domain) or _is_of(target.id, spec.host)


def _is_of(name: str, host: str) -> bool:
    """Whether *name* is a `name_id` of *host*."""
    return "://" in name and name.partition("://")[2].rpartition(":")[0].strip("[]") == host


# ---- parts -----------------------------------------------------------------------------------


def _service(scheme: str, text: str) -> str:
    service = SERVICES.get(scheme)
    if service is None:
        known = tuple(SERVICES)
        near = difflib.get_close_matches(scheme, known, n=1)
        if scheme == "http":
            _refuse(
                text, "has an unknown scheme; write https://HOST, which looks at plain HTTP too"
            )
        if instead := _INSTEAD.get(scheme) or (near and f"{near[0]}://"):
            _refuse(text, "has an unknown scheme; write {instead}", instead=instead)
        _refuse(text, "has an unknown scheme; write one of {known}", known=known)
    return scheme


def _split(authority: str, text: str) -> tuple[str, int | None]:
    """Host, without brackets, and port."""
    if bracketed := re.fullmatch(r"\[([^\[\]]*)\](?::(.*))?", authority):
        host, port = bracketed[1], bracketed[2]
        if not _is_ipv6(host):
            _refuse(text, "has no IPv6 address between its brackets; write [2001:db8::1]:443")
    elif _is_ipv6(authority):
        return authority, None
    elif authority.count(":") > 1:
        _refuse(text, "is no IPv6 address; write one with a port as [2001:db8::1]:443")
    else:
        host, colon, after = authority.partition(":")
        port = after if colon else None
    if port is None:
        return host, None
    if not re.fullmatch(r"[0-9]{1,5}", port) or not 1 <= int(port) <= 65535:
        _refuse(
            text,
            "has no port after its colon but {port}; write one from 1 to 65535",
            port=f"{port!r:.20}",
        )
    return host, int(port)


def _is_ipv6(host: str) -> bool:
    return ":" in host and _address(host) is not None


def _address(host: str) -> str | None:
    """*host* in the one spelling of its address, ``None`` where it is none.

    IPv6 addresses that stand for an IPv4 address become that: it is where the packets go. Zones
    (``fe80::1%eth0``) have no meaning but on one machine and are no addresses here.
    """
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return None
    if isinstance(address, ipaddress.IPv6Address):
        if address.scope_id is not None:
            return None
        return str(address.ipv4_mapped or address)
    return str(address)


_LDH = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*")


def _name(host: str, text: str) -> str:
    """*host* as A-labels (IDNA 2008)."""
    labels = re.split(r"[.\u3002\uff0e\uff61]", unicodedata.normalize("NFC", host.lower()))
    if len(labels) > 1 and not labels[-1]:
        labels.pop()
    name = ".".join(_label(label, text) for label in labels)
    if _NUMBER.fullmatch(labels[-1]):
        # The resolver would take 127.1 or 0x7f000001 for an address.
        _refuse(text, "ends in a number and is no IPv4 address; write a name or four numbers")
    if len(name) > 253:
        _refuse(text, "is longer than 253 characters; write the host's name")
    return name


def _label(label: str, text: str) -> str:
    """One A-label. ASCII is checked by itself: hosts may have ``--`` where IDNA reserves it."""
    if not label:
        _refuse(text, "has no host, or nothing between two dots; write host or host:port")
    if "_" in label:
        _refuse(text, "holds an underscore, which no host name may; write the host's own name")
    if _LDH.fullmatch(label) and not label.startswith("xn--"):
        return label
    try:
        found = idna.alabel(label).decode()
    except UnicodeError:
        _misspelt(label, text)
    return found


def _misspelt(label: str, text: str) -> NoReturn:
    shown, narrow = f"{label!r:.70}", unicodedata.normalize("NFKC", text)
    if narrow != text:
        _refuse(
            text,
            "is no host name: {label} is no label of one; did you mean {name}?",
            label=shown,
            name=f"{narrow!r:.100}",
        )
    _refuse(text, "is no host name: {label} is no label of one; check its spelling", label=shown)


def _refuse(text: str, mistake: str, /, **values: object) -> NoReturn:
    """Refuse the target *text* in one line; what may be a password is not repeated."""
    shown = re.sub(r"^(.*?://)?.*@", r"\1…@", text)
    raise TargetError(
        "target {target} {mistake}", target=f"{shown!r:.100}", mistake=Phrase(mistake, **values)
    )
