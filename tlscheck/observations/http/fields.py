"""What single header fields say."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from urllib.parse import unquote

from tlscheck.observations.http.conversation import Response
from tlscheck.observations.http.seen import Alternative, Cookie, Delivery, Hsts, HstsFault, Policy
from tlscheck.observations.http.urls import kept, safe_url

_WORD = r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+"
_HSTS_DIRECTIVE = re.compile(
    rf"""[ ]*(?:({_WORD})[ ]*(?:=[ ]*({_WORD}|"(?:[^"\\]|\\.)*")[ ]*)?)?(?:;|(\Z))"""
)


def parse_hsts(fields: Sequence[str]) -> Hsts | None:
    """Strict-Transport-Security as strictly as RFC 6797, 6.1 has it; ``None`` for no field."""
    if not fields:
        return None
    text = fields[0]
    directives, fault = _hsts_directives(text)
    max_age = (directives.get("max-age") or "").strip('"')
    numeric = max_age.isascii() and max_age.isdigit()
    if fault is None and not numeric:
        fault = HstsFault.MAX_AGE
    if fault is None and directives.get("includesubdomains") is not None:
        fault = HstsFault.SYNTAX  # it takes no value
    if fault is not None:
        return Hsts(fault=fault, fields=len(fields), text=kept(text))
    return Hsts(
        max_age=int(max_age.lstrip("0")[:15] or "0"),
        include_subdomains="includesubdomains" in directives,
        preload="preload" in directives,
        fields=len(fields),
        text=kept(text),
    )


def _hsts_directives(text: str) -> tuple[dict[str, str | None], HstsFault | None]:
    directives: dict[str, str | None] = {}
    position = 0
    while match := _HSTS_DIRECTIVE.match(text, position):
        name, value, end = match.groups()
        if name is not None:
            if name.lower() in directives:
                return directives, HstsFault.DUPLICATE
            directives[name.lower()] = value
        if end is not None:
            return directives, None
        position = match.end()
    return directives, HstsFault.SYNTAX


_ALTERNATIVE = re.compile(rf"""[ \t]*({_WORD})="([^"\\]*):(\d{{1,5}})"[ \t]*(?:;[^,]*)?""")
_MOST_ALTERNATIVES = 32


def parse_alternatives(fields: Sequence[str]) -> tuple[Alternative, ...]:
    """Alt-Svc (RFC 7838, section 3): what is offered, in order; what cannot be read is left out."""
    offered = []
    for entry in ",".join(fields).split(",")[:_MOST_ALTERNATIVES]:
        if found := _ALTERNATIVE.fullmatch(entry):
            protocol, host, port = unquote(found[1]), found[2].strip("[]").lower(), int(found[3])
            if 0 < port < 65536:
                offered.append(Alternative(kept(protocol, 40), kept(host), port))
    return tuple(dict.fromkeys(offered))


def parse_cookie(field_value: str, received: datetime) -> Cookie:
    """Set-Cookie by RFC 6265, 5.2, without the value."""
    pair, *attributes = (part.strip() for part in field_value.split(";"))
    # Without "=", all of it is the value of a nameless cookie (RFC 6265bis, 5.6).
    name = pair.partition("=")[0].strip() if "=" in pair else ""
    pairs = (attribute.partition("=") for attribute in attributes)
    # The last of equal attributes counts.
    told = {key.strip().lower(): value.strip() for key, _, value in pairs}
    return Cookie(
        name=kept(name),
        secure="secure" in told,
        http_only="httponly" in told,
        same_site=kept(told.get("samesite", "").lower()),
        lifetime=_lifetime(told, received),
        path=kept(told.get("path", "")),
        domain=kept(told.get("domain", "").lower()),
    )


def parse_policies(delivery: Delivery, values: Iterable[str]) -> tuple[Policy, ...]:
    """Content security policies by CSP 3, 2.2: nonces and queries are left out."""
    found = []
    for text in (part for value in values for part in value.split(",")):
        directives: dict[str, tuple[str, ...]] = {}
        for directive in text.split(";"):
            name, *sources = directive.split() or [""]
            if name:  # the first of equal directives counts
                directives.setdefault(kept(name.lower()), tuple(map(_source, sources)))
        if directives:
            found.append(Policy(delivery, directives))
    return tuple(found)


def clock_skew(response: Response, received: datetime) -> int | None:
    """Seconds that the server's clock is ahead of ours; ``None`` if it tells no time."""
    date = _date(response.first("date"))
    if date is None:
        return None
    age = response.first("age").strip()  # how long a cache has kept the answer
    waited = int(age) if re.fullmatch(r"[0-9]{1,9}", age) else 0
    return round((date - received).total_seconds()) + waited


_REFUSALS = (
    b"no required ssl certificate was sent",  # nginx
    b"the ssl certificate error",  # nginx
    b"403.7",  # IIS: required
    b"403.16",  # IIS: not trusted
    b"secure sockets layer (ssl) client certificate",  # IIS
    b"cannot perform post-handshake authentication",  # Apache
    b"no client certificate chain in this request",  # Tomcat
)


def certificate_refused(response: Response) -> bool:
    """Whether the HTTP layer refuses for want of a (good) client certificate."""
    if response.status in (495, 496):  # nginx's own numbers
        return True
    body = response.body[:8192].lower()
    return response.status in (400, 401, 403) and any(words in body for words in _REFUSALS)


def _lifetime(told: Mapping[str, str], received: datetime) -> int | None:
    if re.fullmatch(r"-?[0-9]{1,12}", told.get("max-age", "")):
        return int(told["max-age"])
    expires = _date(told.get("expires", ""))
    return None if expires is None else round((expires - received).total_seconds())


def _date(text: str) -> datetime | None:
    try:
        date = parsedate_to_datetime(text)
    except (ValueError, OverflowError):
        return None
    return date if date.tzinfo else date.replace(tzinfo=UTC)


def _source(source: str) -> str:
    if source.lower().startswith("'nonce-"):
        return "'nonce-…'"  # another one in every answer
    return safe_url(source) if "://" in source else kept(source)
