"""What the nightly run is told: whom to mail, through which relay, and what else to do.

Where a secret is stands here, never the secret itself.
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from typing import Annotated, Literal
from urllib.parse import parse_qsl, urlsplit

from pydantic import Field

_Name = Annotated[str, Field(min_length=1)]
_Seconds = Annotated[float, Field(gt=0, le=86400, allow_inf_nan=False)]
_Line = Annotated[str, Field(pattern=r"^[^\x00-\x1f\x7f\u2028\u2029]*$", max_length=60)]

ATTACHMENTS = ("html", "xlsx", "pdf", "json")
PERIODS = {"weekly": 7, "monthly": 30}
"""Days after which a digest is due."""


@dataclass(frozen=True, slots=True)
class Secret:
    """Where a secret is: exactly one of these."""

    env: str = ""
    """A variable of the environment."""
    file: str = ""
    """A file that its owner alone can read."""
    credential: str = ""
    """A credential of systemd (``LoadCredential=``)."""


@dataclass(frozen=True, slots=True)
class Link:
    """A URL, or where it is: those of webhooks and pings are often secrets themselves."""

    url: str = ""
    env: str = ""
    file: str = ""
    credential: str = ""


@dataclass(frozen=True, slots=True)
class Recipient:
    """Who gets mail, of which targets."""

    address: _Name
    labels: tuple[_Name, ...] = ()
    """Of targets with one of these labels alone; empty: of all."""


@dataclass(frozen=True, slots=True)
class Mail:
    """How mail is sent, and what it holds."""

    smtp: _Name
    """``smtp://[USER@]HOST[:PORT][?tls=required|none]`` or ``smtps://…``."""
    sender: Annotated[_Name, Field(alias="from")]
    to: Annotated[tuple[Recipient, ...], Field(min_length=1)]
    subject: _Line = "[tlscheck]"
    """What every subject begins with."""
    digest: Literal["weekly", "monthly", "never"] = "weekly"
    """How long it may be quiet before a mail says that all is as it was."""
    attach: tuple[Literal["html", "xlsx", "pdf", "json"], ...] = ()
    """The report in these forms."""
    largest: Annotated[int, Field(ge=10_000, le=100_000_000)] = 7_000_000
    """Bytes of all attachments together; larger ones are left out."""
    password: Secret | None = None
    """Of the user that the URL names."""
    ca_file: str = ""
    """Certificates, PEM, that are trusted too."""
    timeout: Annotated[_Seconds, Field(le=600)] = 60.0
    """Seconds for all that is said with the relay about one message."""


@dataclass(frozen=True, slots=True)
class Watch:
    """How the nightly run goes."""

    deadline: _Seconds = 3600.0
    """Seconds for all of it."""
    lock: str = ""
    """The file that keeps a second run out; empty: beside the history."""
    at: Annotated[str, Field(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$")] = "03:17"
    """When it is to run, for ``--install-help``."""


@dataclass(frozen=True, slots=True)
class Webhook:
    """Where what changed is posted as JSON."""

    url: Link
    token: Secret | None = None
    """Sent as ``Authorization: Bearer …``."""
    ca_file: str = ""


@dataclass(frozen=True, slots=True)
class Metrics:
    """The textfile for Prometheus' node exporter."""

    path: Annotated[str, Field(pattern=r"\.prom$")]


@dataclass(frozen=True, slots=True)
class Ping:
    """Who is told that the run began and how it ended: URL/start, URL, URL/fail."""

    url: Link
    ca_file: str = ""


@dataclass(frozen=True, slots=True)
class Relay:
    """The server that takes our mail."""

    host: str
    port: int
    implicit: bool
    """TLS from the first byte on."""
    tls: Literal["offered", "required", "none"]
    user: str = ""

    @property
    def is_loopback(self) -> bool:
        """Whether nothing leaves this machine on the way there."""
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return self.host.lower() == "localhost"


_HOST = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?|[0-9A-Fa-f:.]+")
_USER = re.compile(r"[A-Za-z0-9._%+=@-]{0,128}")


def relay(text: str) -> Relay | None:
    """What the URL *text* names; ``None``: it is none of ours."""
    try:
        url = urlsplit(text)
        port = url.port
        asked = dict(parse_qsl(url.query, strict_parsing=True)) if url.query else {}
    except ValueError:
        return None
    host, user = url.hostname or "", url.username or ""
    tls = asked.pop("tls", "offered")
    odd = url.password is not None or url.path not in ("", "/") or url.fragment or asked
    if url.scheme not in _PORTS or odd or not text.isprintable() or "@" in (url.hostname or ""):
        return None
    if not _HOST.fullmatch(host) or not _USER.fullmatch(user) or port == 0:
        return None
    implicit = url.scheme == "smtps"
    if implicit and tls == "none":
        return None
    match tls:
        case "offered" | "required" | "none":
            user = user.replace("%40", "@")
            return Relay(host, port or _PORTS[url.scheme], implicit, tls, user)
    return None


_PORTS = {"smtp": 25, "smtps": 465}


def mailbox(text: str) -> tuple[str, str] | None:
    """The name and the address in ``Name <address>`` or ``address``; ``None``: it is none.

    Of addresses only those that every relay takes: ASCII, without quotes; the domain as A-labels.
    """
    found = re.fullmatch(
        r"(?:(?P<name>[^<>\x00-\x1f\x7f]*)<(?P<inner>[^<>]+)>|(?P<bare>\S+))", text
    )
    if not found or not text.isprintable():
        return None
    name = (found["name"] or "").strip().strip('"').strip()
    local, at, domain = (found["inner"] or found["bare"]).strip().rpartition("@")
    domain = _a_labels(domain)
    right = at and _LOCAL.fullmatch(local) and domain and len(local) <= 64
    return (name, f"{local}@{domain}") if right else None


_LOCAL = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*")
_DOMAIN = re.compile(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*")


def _a_labels(domain: str) -> str:
    import idna

    name = domain.lower()
    if not name.isascii():
        try:
            name = idna.encode(name, uts46=True).decode("ascii")
        except idna.IDNAError:
            return ""
    return name if _DOMAIN.fullmatch(name) and len(name) <= 253 else ""
