"""What an https endpoint's HTTP answers say: HSTS, cookies, headers, origins, the plain listener.

Answers go in and facts come out; nothing here connects to anything. No cookie value, query string
or page text ever gets into an observation.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

from tlscheck.model import Place
from tlscheck.observations.http.conversation import BrokenAnswer, Conversation, Hop, Response
from tlscheck.observations.http.fields import (
    certificate_refused,
    clock_skew,
    parse_alternatives,
    parse_cookie,
    parse_hsts,
    parse_policies,
)
from tlscheck.observations.http.marks import marks
from tlscheck.observations.http.page import Page
from tlscheck.observations.http.seen import (
    SECURITY_HEADERS,
    Alternative,
    Cookie,
    Delivery,
    Direction,
    Hsts,
    HstsFault,
    HttpObservation,
    Load,
    Management,
    ManagementPage,
    Mark,
    Plain,
    PlainState,
    Policy,
    Redirect,
)
from tlscheck.observations.http.urls import (
    is_literal,
    join,
    kept,
    safe_url,
    same_host,
    split,
    url_host,
)

__all__ = [
    "SECURITY_HEADERS",
    "Alternative",
    "BrokenAnswer",
    "Conversation",
    "Cookie",
    "Delivery",
    "Direction",
    "Hop",
    "Hsts",
    "HstsFault",
    "HttpObservation",
    "Load",
    "Management",
    "ManagementPage",
    "Mark",
    "Plain",
    "PlainState",
    "Policy",
    "Redirect",
    "Response",
    "certificate_refused",
    "clock_skew",
    "direction",
    "observation",
    "parse_alternatives",
    "parse_cookie",
    "parse_hsts",
    "parse_policies",
    "plain_observation",
    "redirect_target",
    "safe_url",
    "same_host",
    "split",
    "url_host",
]

_BANNERS = ("server", "x-powered-by", "x-aspnet-version", "x-aspnetmvc-version", "x-generator")


def observation(
    at: datetime, place: Place, hops: Sequence[Hop], plain: Plain | None
) -> HttpObservation:
    """What *hops* (at least one) and the look at the plain port say together."""
    first, last = hops[0].response, hops[-1].response
    page = Page(hops[-1].url, last)
    return HttpObservation(
        at=at,
        status=first.status,
        last_status=last.status,
        host=place.host,
        redirects=_redirects(hops, place),
        literal=is_literal(place.host),
        hsts=parse_hsts(first.all("strict-transport-security")),
        plain=plain,
        cookies=_cookies(hops),
        headers={
            name: kept(", ".join(last.all(name)), 4096)
            for name in sorted(SECURITY_HEADERS)
            if last.all(name)
        },
        policies=(
            *parse_policies(Delivery.HEADER, last.all("content-security-policy")),
            *parse_policies(Delivery.META, page.policies),
            *parse_policies(Delivery.REPORT_ONLY, last.all("content-security-policy-report-only")),
        ),
        html=page.html,
        whole=last.whole and not page.crowded,
        unread=tuple(sorted(page.unread)),
        leads_on=safe_url(page.leads_on),
        loads=page.loads(),
        unguarded=page.unguarded(),
        banners=_banners(hops, page.generator),
        marks=marks(hop.response for hop in hops),
        alternatives=parse_alternatives(
            [value for hop in hops for value in hop.response.all("alt-svc")]
        ),
        certificate_refused=certificate_refused(last),
        clock_skew=clock_skew(first, hops[0].received),
    )


def plain_observation(place: Place, port: int, response: Response) -> Plain:
    """What an answer over plain HTTP on *port* says."""
    target = redirect_target(f"http://{url_host(place.host)}:{port}/", response)
    parts = split(target)
    return Plain(
        state=PlainState.REDIRECTS if target else PlainState.SERVES,
        port=port,
        status=response.status,
        location=safe_url(target),
        https_same_host=parts is not None
        and parts.scheme == "https"
        and same_host(parts.hostname or "", place.host),
        hsts=bool(response.all("strict-transport-security")),
    )


def redirect_target(url: str, response: Response) -> str:
    """The absolute address that *response* to *url* redirects to, else an empty text."""
    location = response.first("location").strip()
    if response.status not in (301, 302, 303, 307, 308) or not location:
        return ""
    return join(url, location) or location


def direction(target: str, place: Place) -> Direction:
    """Where a redirect of *place* to *target* leads."""
    parts = split(target)
    if parts is None or parts.scheme != "https":
        return Direction.PLAINTEXT if parts and parts.scheme == "http" else Direction.FOREIGN
    own = same_host(parts.hostname or "", place.host) and (parts.port or 443) == place.port
    return Direction.OWN if own else Direction.FOREIGN


def _redirects(hops: Sequence[Hop], place: Place) -> tuple[Redirect, ...]:
    targets = [redirect_target(hop.url, hop.response) for hop in hops]
    return tuple(
        Redirect(
            status=hop.response.status,
            location=safe_url(target),
            direction=direction(target, place),
            followed=hop is not hops[-1],
        )
        for hop, target in zip(hops, targets, strict=True)
        if target
    )


def _cookies(hops: Iterable[Hop]) -> tuple[Cookie, ...]:
    return tuple(
        dict.fromkeys(
            parse_cookie(value, hop.received)
            for hop in hops
            for value in hop.response.all("set-cookie")
        )
    )


def _banners(hops: Iterable[Hop], generator: str) -> dict[str, str]:
    told = {
        name: dict.fromkeys(kept(value) for hop in hops for value in hop.response.all(name))
        for name in _BANNERS
    }
    told["meta generator"] = dict.fromkeys([kept(generator)] if generator else [])
    return {name: ", ".join(values) for name, values in told.items() if values}
