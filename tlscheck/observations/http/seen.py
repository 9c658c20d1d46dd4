"""What can be known of an https endpoint's HTTP."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from tlscheck.model import Confidence, Observation, Reason


class HstsFault(StrEnum):
    """Why user agents ignore a Strict-Transport-Security field."""

    SYNTAX = "syntax"
    DUPLICATE = "duplicate"
    """A directive stands there twice."""
    MAX_AGE = "max_age"
    """max-age is missing or not a number."""


@dataclass(frozen=True, slots=True)
class Hsts:
    """The first Strict-Transport-Security field of an answer; user agents read no other."""

    max_age: int | None = None
    """In seconds; 0 tells user agents to forget the host."""
    include_subdomains: bool = False
    preload: bool = False
    fault: HstsFault | None = None
    """If set, the field has no effect."""
    fields: int = 1
    """How many such fields the answer has."""
    text: str = ""


class PlainState(StrEnum):
    """What the port for plain HTTP does."""

    NONE = "none"
    """Nothing listens there: refused, or silent twice while the endpoint itself was reached."""
    REDIRECTS = "redirects"
    SERVES = "serves"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Plain:
    """The look at the port for plain HTTP on the endpoint's address."""

    state: PlainState
    port: int
    status: int | None = None
    location: str = ""
    """Where it redirects to, without query."""
    https_same_host: bool = False
    """It redirects to https on the very host that was asked."""
    hsts: bool = False
    """It sends Strict-Transport-Security, which user agents ignore here."""
    detail: str = ""
    """A `Reason`: of the silence, the refusal or the trouble."""


class Direction(StrEnum):
    """Where a redirect leads."""

    OWN = "own"
    """To this very endpoint."""
    FOREIGN = "foreign"
    """To another https host or port, which is listed and not contacted."""
    PLAINTEXT = "plaintext"
    """To something without TLS."""


@dataclass(frozen=True, slots=True)
class Redirect:
    """One redirect among the https answers."""

    status: int
    location: str
    """Absolute, without query."""
    direction: Direction
    followed: bool = False


@dataclass(frozen=True, slots=True)
class Cookie:
    """A cookie's name and attributes; its value is never kept."""

    name: str
    secure: bool = False
    http_only: bool = False
    same_site: str = ""
    """As sent, in lower case; empty if not there."""
    lifetime: int | None = None
    """Seconds by Max-Age, else by Expires; ``None`` if it ends with the browser."""
    path: str = ""
    domain: str = ""


class Delivery(StrEnum):
    """How a content security policy came."""

    HEADER = "header"
    META = "meta"
    REPORT_ONLY = "report_only"


@dataclass(frozen=True, slots=True)
class Policy:
    """One content security policy."""

    delivery: Delivery
    directives: Mapping[str, tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class Load:
    """An origin, and what is loaded from it or may be."""

    origin: str
    kinds: tuple[str, ...]
    """``script``, ``image``, ``form`` …, ``named`` where an inline script only names it; for what
    a policy allows, its directives."""


@dataclass(frozen=True, slots=True)
class Mark:
    """A sign of something in front of the server."""

    kind: str
    """``cdn``, ``waf`` or ``proxy``."""
    product: str


@dataclass(frozen=True, slots=True)
class Alternative:
    """Another place or protocol at which the same pages are offered (RFC 7838)."""

    protocol: str
    """By ALPN, ``h3`` for HTTP/3."""
    host: str
    """Empty: the very host that was asked."""
    port: int


@dataclass(frozen=True, slots=True)
class ManagementPage:
    """A page by which something is managed, or which tells of its inside, and which answers."""

    path: str
    product: str
    status: int
    confidence: Confidence
    """How sure the mark is by which it was recognised."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Management:
    """What came of asking for pages of management."""

    asked: int = 0
    """How many pages answered, whatever they said; the random path is none."""
    found: tuple[ManagementPage, ...] = ()
    locked: tuple[str, ...] = ()
    """Paths that ask for a login (401) and do not say what for."""
    screened: tuple[str, ...] = ()
    """Paths that are answered as any path is: by a login, a redirect or a refusal."""
    unrecognised: tuple[str, ...] = ()
    """Paths that have something that a random path does not have, whatever it is."""
    everywhere: tuple[str, ...] = ()
    """Products whose marks a random path has too: the page says nothing, or all is the product."""
    unanswered: tuple[str, ...] = ()
    """Paths that brought no answer, or were not asked for in the end."""
    stopped: Reason | None = None
    """Why the asking ended early."""
    detail: str = ""


# Content security policies are in `HttpObservation.policies`.
SECURITY_HEADERS = frozenset(
    {
        "cross-origin-embedder-policy",
        "cross-origin-opener-policy",
        "cross-origin-resource-policy",
        "permissions-policy",
        "referrer-policy",
        "x-content-type-options",
        "x-frame-options",
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpObservation(Observation):
    """Everything seen of one https endpoint's HTTP."""

    status: int
    """Of the first answer."""
    last_status: int
    """Of the last answer, behind the redirects that were followed; the page is judged by it."""
    host: str = ""
    """The name or address that was asked."""
    redirects: tuple[Redirect, ...] = ()
    literal: bool = False
    """The host was asked by address, where HSTS has no effect (RFC 6797, 8.1.1)."""
    hsts: Hsts | None = None
    """Of the first answer."""
    plain: Plain | None = None
    """``None`` if it was not looked at."""
    cookies: tuple[Cookie, ...] = ()
    """Of all answers."""
    headers: Mapping[str, str] = field(default_factory=dict)
    """Those of `SECURITY_HEADERS` that the last answer has."""
    policies: tuple[Policy, ...] = ()
    """Content security policies of the last answer, enforced or not."""
    html: bool = False
    """The last answer is an HTML page."""
    whole: bool = False
    """The last answer was read to its end."""
    unread: tuple[str, ...] = ()
    """The kinds of what is the page's own, was not read and may load more: ``frame``, ``object``,
    ``script``, ``style``."""
    leads_on: str = ""
    """Where the page sends browsers by itself, without query; that was not looked at."""
    loads: tuple[Load, ...] = ()
    """Other origins than its own that the page loads from or names."""
    unguarded: tuple[str, ...] = ()
    """Those from which it loads scripts without a digest (``integrity``)."""
    declared_external: tuple[str, ...] | None = None
    """The domains that the operator says its pages may use; ``None``: nothing is declared."""
    banners: Mapping[str, str] = field(default_factory=dict)
    """Fields that name software, by their names, of all answers; ``meta generator`` from HTML."""
    marks: tuple[Mark, ...] = ()
    alternatives: tuple[Alternative, ...] = ()
    """What the answers' Alt-Svc fields offer."""
    management: Management | None = None
    """``None`` if it was not asked for."""
    certificate_refused: bool = False
    """The answer says that a client certificate is missing or not liked."""
    clock_skew: int | None = None
    """Seconds that the server's clock is ahead of ours, by the Date field."""

    def http3(self, host: str) -> Alternative | None:
        """Where *host*, which was asked, says that it has HTTP/3, final or of a draft."""
        own = (a for a in self.alternatives if a.host in ("", host))
        found = sorted((a for a in own if a.protocol.startswith("h3")), key=lambda a: a.protocol)
        return next(iter(found), None)

    @property
    def allowed(self) -> tuple[Load, ...]:
        """Sources beyond its own origin that the page's enforced policies name."""
        return gather(
            (source, directive)
            for policy in self.policies
            if policy.delivery is not Delivery.REPORT_ONLY
            for directive, sources in policy.directives.items()
            if directive.endswith("-src") or directive in ("form-action", "report-uri")
            for source in sources
            if not source.startswith("'")
        )


def gather(pairs: Iterable[tuple[str, str]]) -> tuple[Load, ...]:
    """Pairs of an origin and a kind as one `Load` an origin, in order."""
    found: dict[str, set[str]] = {}
    for origin, kind in pairs:
        found.setdefault(origin, set()).add(kind)
    return tuple(Load(origin, tuple(sorted(kinds))) for origin, kinds in sorted(found.items()))
