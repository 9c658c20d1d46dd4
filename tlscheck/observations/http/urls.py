"""Texts and addresses that the peer sent, made fit to be compared and kept."""

from __future__ import annotations

import contextlib
import ipaddress
import re
from urllib.parse import SplitResult, urljoin, urlsplit

import idna

_SLASHES = re.compile(r"^((?:https?|wss?):)?/(?:/+)", re.IGNORECASE)
_DEFAULT_PORTS = {"http": 80, "ws": 80, "https": 443, "wss": 443}


def printable(text: str) -> str:
    """*text* with U+FFFD for what cannot be printed; a tab is a space."""
    return "".join(c if c.isprintable() else "\ufffd" for c in text.replace("\t", " "))


def kept(text: str, limit: int = 300) -> str:
    """*text* as it may be kept: printable and not too long."""
    text = printable(text)
    return text if len(text) <= limit else text[:limit] + "…"


def split(url: str) -> SplitResult | None:
    """The parts of *url*; ``None`` if it makes no sense as one."""
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        return None
    return parts


def join(base: str, url: str) -> str:
    """*url* as found at *base*, absolute; empty if it makes no sense."""
    with contextlib.suppress(ValueError):
        # Browsers read a backslash as a slash, and any number of them before a host as two.
        return urljoin(base, _SLASHES.sub(r"\1//", url.strip().replace("\\", "/")))
    return ""


def origin(parts: SplitResult) -> str:
    """``scheme://host[:port]``; empty for what is not of the web (``data:`` …)."""
    if parts.scheme not in _DEFAULT_PORTS or not parts.hostname:
        return ""
    default = parts.port in (None, _DEFAULT_PORTS[parts.scheme])
    port = "" if default else f":{parts.port}"
    return f"{parts.scheme}://{url_host(_canonical(parts.hostname))}{port}"


def safe_url(url: str) -> str:
    """*url* without what may be secret: user, path parameters, query and fragment."""
    parts = split(url)
    if parts is None:
        return kept(re.split(r"[?#;]", url, maxsplit=1)[0].rpartition("@")[2])
    path, mark, _ = parts.path.partition(";")
    more = ";…" if mark else "?…" if parts.query else ""
    return kept(f"{origin(parts) or parts.scheme + ':'}{path}{more}") if url else ""


def url_host(host: str) -> str:
    """*host* as it stands in a URL or a Host field: an IPv6 address in brackets."""
    return f"[{host}]" if ":" in host else host


def same_host(one: str, other: str) -> bool:
    """Whether two names or addresses are one, however they are spelled."""
    return _canonical(one) == _canonical(other)


def is_literal(host: str) -> bool:
    """Whether *host* is an address rather than a name."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _canonical(host: str) -> str:
    host = host.rstrip(".").lower()
    with contextlib.suppress(ValueError):
        return str(ipaddress.ip_address(host))
    if not host.isascii() and len(host) < 254:
        with contextlib.suppress(idna.IDNAError):
            return idna.encode(host, uts46=True).decode("ascii")
    return host
