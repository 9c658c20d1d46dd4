"""What is good HTTP in the answers of an https endpoint."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from tlscheck.model import Note, Open, Problem
from tlscheck.observations.http import (
    Cookie,
    Delivery,
    Direction,
    HstsFault,
    HttpObservation,
    Load,
    PlainState,
)
from tlscheck.rules.core import NotApplicable, Problems, rule


@rule("RFC 6797, section 7.2", "RFC 9325, section 3.2")
def plaintext(seen: HttpObservation) -> Problems:
    """Plain HTTP is silent or redirects to https on the same host.

    Whatever is asked for over plain HTTP can be read and changed on the way. Close port 80, or let
    it do nothing but redirect to https on the name that was asked: in nginx a server block of its
    own with ``return 301 https://$host$request_uri;``, in Apache a virtual host on port 80 with
    ``Redirect permanent / https://NAME/``. Another name comes only after that, by a redirect from
    the https side, so that HSTS holds for both names.
    """
    plain = seen.plain
    if plain is None:
        yield Open("not-asked", "plain HTTP was not looked at", cause="not_asked")
        return
    match plain.state:
        case PlainState.NONE:
            yield Note(
                "none", "no listener for plain HTTP was seen on port {port}", port=plain.port
            )
        case PlainState.UNKNOWN:
            yield Open(
                "unknown",
                "what port {port} does with plain HTTP could not be seen",
                cause=plain.detail,
                port=plain.port,
            )
        case PlainState.SERVES:
            yield Problem(
                "serves",
                "plain HTTP on port {port} is answered with status {status} instead of a redirect "
                "to https",
                port=plain.port,
                status=plain.status or 0,
            )
        case PlainState.REDIRECTS:
            yield from _plain_redirect(seen, plain.location, encrypted=plain.https_same_host)
    if plain.hsts:
        yield Note(
            "hsts",
            "plain HTTP on port {port} sends Strict-Transport-Security, which has no effect there",
            port=plain.port,
        )


def _plain_redirect(seen: HttpObservation, location: str, *, encrypted: bool) -> Problems:
    if encrypted:
        yield Note("redirects", "plain HTTP redirects to {location}", location=location)
    elif not location.startswith("https://"):
        yield Problem(
            "redirects-plain", "plain HTTP redirects to {location}, not to https", location=location
        )
    elif seen.literal:
        # An address has no HSTS to lose, and a name is where it should lead.
        yield Note("redirects", "plain HTTP redirects to {location}", location=location)
    else:
        yield Problem(
            "redirects-elsewhere",
            "plain HTTP redirects to {location} without https on the same host first",
            location=location,
        )


@dataclass(frozen=True, slots=True)
class Hsts:
    """How strong a Strict-Transport-Security is wanted."""

    max_age: int
    """Seconds."""
    include_subdomains: bool


@rule("RFC 6797", "RFC 9325, section 3.2")
def hsts(seen: HttpObservation, want: Hsts) -> Problems:
    """HSTS tells browsers to come by https alone.

    Without it a browser's first request goes over plain HTTP and can be diverted. Send the header
    with every answer over https, errors and redirects included. In nginx:
    ``add_header Strict-Transport-Security "max-age=31536000; includeSubDomains" always;`` (a block
    with an ``add_header`` of its own inherits none, so repeat it there). In Apache with
    mod_headers: ``Header always set Strict-Transport-Security "max-age=31536000;
    includeSubDomains"``. Make sure that only one of application, server and load balancer sends
    it, and that every subdomain has https before includeSubDomains is switched on.
    """
    _needs_name(seen)
    needs_admission(seen)
    found = seen.hsts
    if found is None:
        yield Problem(
            "absent",
            "the answer (status {status}) has no Strict-Transport-Security",
            status=seen.status,
        )
        return
    if found.fields > 1:
        yield Note("several", "it is sent {count} times; only the first counts", count=found.fields)
    if found.fault is not None:
        yield from _hsts_fault(found.fault, found.text)
        return
    if found.max_age == 0:
        yield Problem("off", "max-age=0 tells browsers to forget HSTS")
    elif (found.max_age or 0) < want.max_age:
        yield Problem(
            "short",
            "max-age is {seconds} seconds, less than {wanted}",
            seconds=found.max_age or 0,
            wanted=want.max_age,
        )
    if want.include_subdomains and not found.include_subdomains:
        yield Problem("subdomains", "includeSubDomains is missing")


def _hsts_fault(fault: HstsFault, text: str) -> Problems:
    match fault:
        case HstsFault.SYNTAX:
            yield Problem("syntax", "browsers ignore it, the syntax is wrong: {text}", text=text)
        case HstsFault.DUPLICATE:
            yield Problem(
                "duplicate", "browsers ignore it, a directive stands twice: {text}", text=text
            )
        case HstsFault.MAX_AGE:
            yield Problem("max-age", "browsers ignore it, max-age is missing: {text}", text=text)


_PRELOAD_MAX_AGE = 31_536_000
"""What the list asks for; see its submission requirements."""


@rule("hstspreload.org, submission requirements")
def hsts_preload(seen: HttpObservation) -> Problems:
    """The host asks for a place on the browsers' HSTS preload list.

    A host on the list is never asked over plain HTTP, not even the first time. The list takes
    registered domains whose header has a max-age of at least a year, includeSubDomains and
    preload; it then binds every subdomain, internal ones too, and leaving takes months. Advice, not
    a duty: go there only when all names below the domain have https.
    """
    _needs_name(seen)
    needs_admission(seen)
    found = seen.hsts
    if found is None or found.fault is not None:
        yield Problem("absent", "there is no Strict-Transport-Security that browsers heed")
        return
    wanted = {
        "max-age": (found.max_age or 0) >= _PRELOAD_MAX_AGE,
        "includeSubDomains": found.include_subdomains,
        "preload": found.preload,
    }
    if lacking := tuple(name for name, there in wanted.items() if not there):
        yield Problem("lacking", "the list asks for more: {lacking}", lacking=lacking)
    else:
        yield Note("asks", "whether the host is on the list was not looked up")


@rule("RFC 6265, sections 4.1.2.5 and 4.1.2.6", "RFC 6265bis, sections 4.1.2.7 and 4.1.3")
def cookies(seen: HttpObservation) -> Problems:
    """Cookies that may carry a session have Secure, HttpOnly and SameSite.

    Secure keeps a cookie off plain HTTP, HttpOnly out of reach of scripts, SameSite (Lax or
    Strict) out of requests that other sites start. Set them where the session is configured (PHP:
    ``session.cookie_secure``, ``session.cookie_httponly``, ``session.cookie_samesite``; Java: the
    cookie-config of the session; ASP.NET: CookieOptions); nginx can add them to what an
    application sends with ``proxy_cookie_flags``, Apache with ``Header always edit Set-Cookie``.
    A name that begins with ``__Host-`` makes browsers insist on Secure and on the host alone. How
    long an idle session lives is decided in the server and cannot be seen from outside.
    """
    needs_admission(seen)
    alive = [c for c in seen.cookies if c.lifetime is None or c.lifetime > 0]
    for cookie in alive:
        yield from _cookie(cookie)
    if not alive:
        yield from unseen(seen)
        yield Note("none", "no cookie was set without logging in")


_SESSION = re.compile(r"sess|login|logon|auth|token|remember|(^|[^a-z])sid|sid$", re.IGNORECASE)
_NO_SESSION = re.compile(r"[cx]srf|^(bigipserver|awsalb|__cf|cf_|_ga|_gid|incap_|visid_)", re.I)
_SAME_SITE = ("lax", "strict")


def _cookie(cookie: Cookie) -> Problems:
    lacking = _lacking(cookie)
    carries = bool(_SESSION.search(cookie.name)) and not _NO_SESSION.search(cookie.name)
    if broken := _broken_prefix(cookie):
        yield Problem(
            "prefix",
            "browsers refuse the cookie {name}, its prefix demands {demanded}",
            name=cookie.name,
            demanded=broken,
        )
    if not lacking:
        yield Note("good", "the cookie {name} has all three attributes", name=cookie.name)
    elif carries:
        yield Problem(
            "lacking",
            "the session cookie {name} lacks {lacking}",
            name=cookie.name,
            lacking=lacking,
        )
    elif cookie.lifetime is None and not _NO_SESSION.search(cookie.name):
        yield Open(
            "maybe",
            "the cookie {name} lacks {lacking}; whether it carries a session cannot be seen",
            name=cookie.name,
            lacking=lacking,
        )
    else:
        yield Note(
            "other",
            "the cookie {name}, which looks like no session, lacks {lacking}",
            name=cookie.name,
            lacking=lacking,
        )
    if carries and cookie.lifetime is not None:
        yield Note(
            "lifetime",
            "the session cookie {name} outlives the browser, for {seconds} seconds",
            name=cookie.name,
            seconds=cookie.lifetime,
        )


def _lacking(cookie: Cookie) -> tuple[str, ...]:
    there = {
        "Secure": cookie.secure,
        "HttpOnly": cookie.http_only,
        "SameSite": cookie.same_site in _SAME_SITE,
    }
    return tuple(name for name, has in there.items() if not has)


def _broken_prefix(cookie: Cookie) -> tuple[str, ...]:
    name = cookie.name.lower()
    if not name.startswith(("__host-", "__secure-")):
        return ()
    demands = {"Secure": cookie.secure}
    if name.startswith("__host-"):
        demands |= {"Path=/": cookie.path == "/", "no Domain": not cookie.domain}
    return tuple(demand for demand, met in demands.items() if not met)


@dataclass(frozen=True, slots=True)
class Headers:
    """Which protections an answer must carry."""

    require: frozenset[str]
    """Names of fields in lower case, and ``frame-protection`` for either way to have that."""


@rule(
    "CSP Level 3",
    "Fetch Standard (X-Content-Type-Options)",
    "RFC 7034 (X-Frame-Options)",
    "Permissions Policy",
    "Referrer Policy",
)
def headers(seen: HttpObservation, want: Headers) -> Problems:
    """The page carries the security headers that browsers act on.

    Each closes one way of attacking users of the page: content-security-policy (with default-src
    or script-src) foreign scripts, x-content-type-options (nosniff) files taken for scripts,
    frame-protection (the policy's frame-ancestors, or X-Frame-Options DENY or SAMEORIGIN) clicks
    stolen in a frame, referrer-policy addresses given to others, cross-origin-opener-policy
    (same-origin) other windows' reach, permissions-policy foreign use of camera and microphone.
    Video consultation needs those two, so give them to yourself and not to all:
    ``camera=(self), microphone=(self)``. In nginx use ``add_header NAME VALUE always;``, in Apache
    ``Header always set NAME VALUE``; start a content security policy with
    Content-Security-Policy-Report-Only and watch the reports.
    """
    needs_page(seen)
    lacking = []
    for name in sorted(want.require):
        has = _PROTECTIONS.get(name)
        if has is None:
            yield Open("unheard-of", "the header {name} is not looked at", name=name)
        elif not has(seen):
            lacking.append(name)
    doubts = tuple(unseen(seen)) if lacking else ()
    yield from doubts
    for name in () if doubts else lacking:
        yield Problem(name, "{name} is missing or has no effect", name=name)
    if any("'unsafe-inline'" in sources for sources in _sources(seen, "script-src", "default-src")):
        yield Note("unsafe-inline", "the content security policy allows inline scripts")


def _policy(seen: HttpObservation) -> bool:
    return bool(_sources(seen, "script-src", "default-src"))


def _nosniff(seen: HttpObservation) -> bool:
    return _words(seen, "x-content-type-options")[:1] == ["nosniff"]


def _framing(seen: HttpObservation) -> bool:
    # frame-ancestors overrides X-Frame-Options, and counts in the header alone.
    ancestors = [
        policy.directives["frame-ancestors"]
        for policy in seen.policies
        if policy.delivery is Delivery.HEADER and "frame-ancestors" in policy.directives
    ]
    if ancestors:
        return any(not _ANYONE.intersection(sources) for sources in ancestors)
    options = _words(seen, "x-frame-options")
    return bool(options) and set(options) <= {"deny", "sameorigin"}


def _referrer(seen: HttpObservation) -> bool:
    # The last word that a browser knows counts.
    known = [word for word in _words(seen, "referrer-policy") if word in _REFERRER_POLICIES]
    return bool(known) and known[-1] not in ("unsafe-url", "no-referrer-when-downgrade")


def _permissions(seen: HttpObservation) -> bool:
    told = dict(
        re.findall(r"([a-z-]+)\s*=\s*(\*|\([^)]*\)|[^,\s]+)", seen.headers.get(_PERMISSIONS, ""))
    )
    return all("*" not in told.get(feature, "*").strip("()").split() for feature in _DEVICES)


def _opener(seen: HttpObservation) -> bool:
    return _words(seen, "cross-origin-opener-policy")[:1] not in ([], ["unsafe-none"])


def _resource(seen: HttpObservation) -> bool:
    return _words(seen, "cross-origin-resource-policy")[:1] in (["same-origin"], ["same-site"])


_ANYONE = frozenset({"*", "http:", "https:"})
_PERMISSIONS = "permissions-policy"
_DEVICES = ("camera", "microphone")
_REFERRER_POLICIES = frozenset(
    {
        "no-referrer",
        "no-referrer-when-downgrade",
        "origin",
        "origin-when-cross-origin",
        "same-origin",
        "strict-origin",
        "strict-origin-when-cross-origin",
        "unsafe-url",
    }
)
_PROTECTIONS: Mapping[str, Callable[[HttpObservation], bool]] = {
    "content-security-policy": _policy,
    "cross-origin-opener-policy": _opener,
    "cross-origin-resource-policy": _resource,
    "frame-protection": _framing,
    "permissions-policy": _permissions,
    "referrer-policy": _referrer,
    "x-content-type-options": _nosniff,
}
"""Whether a protection is there and has an effect."""


@rule("Mixed Content, W3C", "Upgrade Insecure Requests, W3C")
def mixed_origins(seen: HttpObservation) -> Problems:
    """Nothing is loaded over plain HTTP.

    What a page loads, or sends a form to, over ``http://`` or ``ws://`` can be read and changed on
    the way, whatever protects the page itself. Write ``https://`` and ``wss://``; until every page
    is done, let the server send ``Content-Security-Policy: upgrade-insecure-requests``. The other
    origins that the page names, and that its policy allows, are listed: compare them with your
    list of external services. What scripts load later is not seen.
    """
    needs_admission(seen)
    for hop in seen.redirects:
        if hop.direction is Direction.PLAINTEXT:
            yield Problem("redirect", "https redirects to {location}", location=hop.location)
    yield from unseen(seen)
    yield from cut(seen)
    upgraded = any("upgrade-insecure-requests" in policy for policy in _enforced(seen))
    for load in seen.loads:
        if load.origin.startswith(("http://", "ws://")):
            yield from _plain_load(load, upgraded=upgraded)
    yield from _inventory(seen)


def _plain_load(load: Load, *, upgraded: bool) -> Problems:
    loading = tuple(kind for kind in load.kinds if kind not in ("named", "report"))
    if loading and (not upgraded or "refresh" in loading):
        yield Problem(
            "plain",
            "{origin} is used without encryption, for: {kinds}",
            origin=load.origin,
            kinds=loading,
        )
    elif loading:
        yield Note(
            "upgraded",
            "{origin} is named without encryption; the policy makes browsers use https",
            origin=load.origin,
        )
    elif "named" in load.kinds and load.origin.startswith("ws://") and not upgraded:
        yield Open(
            "named",
            "a script names {origin}; whether it connects there was not seen",
            origin=load.origin,
        )


def _inventory(seen: HttpObservation) -> Problems:
    if not seen.html:
        yield Note("no-page", "the answer (status {status}) is no page", status=seen.last_status)
    if seen.loads:
        origins = tuple(load.origin for load in seen.loads)
        yield Note("origins", "the page names these other origins: {origins}", origins=origins)
    if seen.allowed:
        allowed = tuple(load.origin for load in seen.allowed)
        yield Note("allowed", "the content security policy allows: {allowed}", allowed=allowed)
    if seen.html and not _policy(seen):
        yield Note("no-policy", "no content security policy limits what scripts load later")


@rule("RFC 9110, section 10.2.4")
def version_banner(seen: HttpObservation) -> Problems:
    """The answer gives no software version away.

    A version tells attackers which known holes to try. In nginx set ``server_tokens off;``, in
    Apache ``ServerTokens Prod`` and ``ServerSignature Off``, in PHP ``expose_php = Off``; IIS drops
    the X- fields by ``removeServerHeader`` and ``customHeaders``. Hiding the version is no
    substitute for updates.
    """
    for name, value in seen.banners.items():
        if _VERSION.search(value):
            yield Problem(
                name.replace(" ", "-"),
                "{name} gives a version away: {value}",
                name=name,
                value=value,
            )
        else:
            yield Note("named", "{name} says: {value}", name=name, value=value)


_VERSION = re.compile(r"\d+\.\d+|[/ ]v?\d+(?![\w-])")


@rule("RFC 9110, section 7.6.3")
def origin_leg(seen: HttpObservation) -> Problems:
    """No content delivery network stands between the client and the origin.

    A content delivery network decrypts what passes through it, and what it speaks with the origin
    cannot be seen from outside. Set that leg to TLS with the origin's certificate checked, let the
    origin answer nobody else, and show the configuration.
    """
    products = sorted({mark.product for mark in seen.marks if mark.kind == "cdn"})
    if not products:
        raise NotApplicable("none", "no mark of a content delivery network was seen")
    for product in products:
        yield Open(
            "cdn",
            "{product} answers for the origin; the leg between them was not seen",
            cause="open_question",
            product=product,
        )


def _needs_name(seen: HttpObservation) -> None:
    if seen.literal:
        raise NotApplicable("address", "HSTS has no effect on a host that is asked by its address")


def needs_admission(seen: HttpObservation) -> None:
    """Stand aside where all that shows is a refusal for want of a client certificate."""
    if seen.certificate_refused:
        raise NotApplicable(
            "client-certificate", "without an accepted client certificate there is only a refusal"
        )


def needs_page(seen: HttpObservation) -> None:
    """Stand aside where there is no page at all, by design."""
    needs_admission(seen)
    last = seen.redirects[-1] if seen.redirects else None
    if last and not last.followed and last.direction is not Direction.OWN:
        raise NotApplicable(
            "elsewhere", "the endpoint only redirects, to {location}", location=last.location
        )


def unseen(seen: HttpObservation) -> Iterator[Open]:
    """Why the page itself has not been seen, if so."""
    last = seen.redirects[-1] if seen.redirects else None
    if last and not last.followed and last.direction is Direction.OWN:
        yield Open(
            "not-followed",
            "the redirect to {location} was not followed to its end",
            location=last.location,
        )
    if seen.last_status >= 400:
        yield Open(
            "error", "the answer was an error (status {status}), no page", status=seen.last_status
        )
    if seen.leads_on:
        yield Open(
            "leads-on",
            "the page sends browsers on to {location}, which was not looked at",
            location=seen.leads_on,
        )


def cut(seen: HttpObservation) -> Iterator[Open]:
    """That there is more of the page, if so."""
    if seen.html and not seen.whole:
        yield Open("cut", "the page was not read to its end")


def _enforced(seen: HttpObservation) -> list[Mapping[str, tuple[str, ...]]]:
    return [p.directives for p in seen.policies if p.delivery is not Delivery.REPORT_ONLY]


def _sources(seen: HttpObservation, *directives: str) -> list[tuple[str, ...]]:
    """What each enforced policy says of the first of *directives* that it has."""
    named = ([policy[d] for d in directives if d in policy] for policy in _enforced(seen))
    return [sources[0] for sources in named if sources]


def _words(seen: HttpObservation, name: str) -> list[str]:
    return [word.strip().lower() for word in seen.headers.get(name, "").split(",") if word.strip()]
