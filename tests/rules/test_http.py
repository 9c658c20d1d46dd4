from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

import pytest

from tlscheck.model import Evidence, Note, Open, Problem
from tlscheck.observations.http import (
    Cookie,
    Delivery,
    Direction,
    Hsts,
    HstsFault,
    HttpObservation,
    Load,
    Mark,
    Plain,
    PlainState,
    Policy,
    Redirect,
)
from tlscheck.rules.core import NotApplicable, Rule, collect
from tlscheck.rules.http import answers as http

AT = datetime(2026, 11, 20, tzinfo=UTC)
YEAR = 31_536_000


def page(**changes: Any) -> HttpObservation:
    told: dict[str, Any] = {"status": 200, "last_status": 200, "html": True, "whole": True}
    return HttpObservation(at=AT, **(told | changes))


def deciding(evidence: Iterable[Evidence]) -> list[str]:
    """``code`` for each problem, ``code?`` for each open question; notes decide nothing."""
    return [e.code + "?" * isinstance(e, Open) for e in evidence if isinstance(e, (Problem, Open))]


def test_the_rules_are_complete_and_well_formed() -> None:
    rules = collect(http)
    assert list(rules) == [
        "http.plaintext",
        "http.hsts",
        "http.hsts-preload",
        "http.cookies",
        "http.headers",
        "http.mixed-origins",
        "http.version-banner",
        "http.origin-leg",
    ]
    for rule in rules.values():
        assert rule.title
        assert rule.manual
        assert rule.references
        assert rule.needs == (HttpObservation,)


def redirects(location: str, same: bool = False, **more: Any) -> Plain:
    return Plain(PlainState.REDIRECTS, 80, 301, location=location, https_same_host=same, **more)


@pytest.mark.parametrize(
    ("plain", "decided"),
    [
        (None, ["not-asked?"]),
        (Plain(PlainState.NONE, 80), []),
        (Plain(PlainState.UNKNOWN, 80, detail="unreachable"), ["unknown?"]),
        (Plain(PlainState.SERVES, 80, 200), ["serves"]),
        (Plain(PlainState.SERVES, 80, 404), ["serves"]),
        (redirects("https://a.example/", same=True, hsts=True), []),
        (redirects("https://b.example/"), ["redirects-elsewhere"]),
        (redirects("http://a.example/x"), ["redirects-plain"]),
    ],
)
def test_plaintext(plain: Plain | None, decided: list[str]) -> None:
    assert deciding(http.plaintext(page(plain=plain))) == decided


def test_plaintext_of_an_address() -> None:
    seen = page(plain=redirects("https://a.example/"), literal=True)
    assert deciding(http.plaintext(seen)) == []
    seen = page(plain=redirects("http://a.example/"), literal=True)
    assert deciding(http.plaintext(seen)) == ["redirects-plain"]


def test_plaintext_is_judged_behind_a_client_certificate_too() -> None:
    seen = page(plain=Plain(PlainState.SERVES, 80, 200), certificate_refused=True)
    assert deciding(http.plaintext(seen)) == ["serves"]


@pytest.mark.parametrize(
    ("hsts", "decided"),
    [
        (None, ["absent"]),
        (Hsts(YEAR, True), []),
        (Hsts(YEAR, True, fields=2), []),
        (Hsts(YEAR, False), ["subdomains"]),
        (Hsts(YEAR - 1, True), ["short"]),
        (Hsts(0, True), ["off"]),
        (Hsts(fault=HstsFault.SYNTAX), ["syntax"]),
        (Hsts(fault=HstsFault.DUPLICATE), ["duplicate"]),
        (Hsts(fault=HstsFault.MAX_AGE), ["max-age"]),
    ],
)
@pytest.mark.parametrize("status", [200, 302, 404, 503])
def test_hsts(hsts: Hsts | None, decided: list[str], status: int) -> None:
    seen = page(hsts=hsts, status=status, last_status=status)
    assert deciding(http.hsts(seen, http.Hsts(YEAR, include_subdomains=True))) == decided


def test_hsts_without_subdomains() -> None:
    want = http.Hsts(YEAR, include_subdomains=False)
    assert deciding(http.hsts(page(hsts=Hsts(YEAR)), want)) == []


@pytest.mark.parametrize(
    ("hsts", "decided", "lacking"),
    [
        (Hsts(YEAR, True, True), [], None),
        (Hsts(YEAR, True, False), ["lacking"], ("preload",)),
        (Hsts(1, False, True), ["lacking"], ("max-age", "includeSubDomains")),
        (Hsts(fault=HstsFault.SYNTAX), ["absent"], None),
        (None, ["absent"], None),
    ],
)
def test_hsts_preload(
    hsts: Hsts | None, decided: list[str], lacking: tuple[str, ...] | None
) -> None:
    evidence = http.hsts_preload(page(hsts=hsts))
    assert deciding(evidence) == decided
    assert evidence[0].values.get("lacking") == lacking


GOOD: dict[str, Any] = {"secure": True, "http_only": True, "same_site": "lax"}


@pytest.mark.parametrize(
    ("cookie", "decided"),
    [
        (Cookie("JSESSIONID", **GOOD), []),
        (Cookie("JSESSIONID", True, True), ["lacking"]),
        (Cookie("JSESSIONID", True, True, "none"), ["lacking"]),
        (Cookie("JSESSIONID", True, False, "strict"), ["lacking"]),
        (Cookie("JSESSIONID", False, True, "strict"), ["lacking"]),
        (Cookie("connect.sid", lifetime=3600), ["lacking"]),
        (Cookie("connect.sid", lifetime=0), []),
        (Cookie("auth_token"), ["lacking"]),
        (Cookie("XSRF-TOKEN", True), []),
        (Cookie("lang", lifetime=3600), []),
        (Cookie("clinic"), ["maybe?"]),
        (Cookie("clinic", **GOOD), []),
        (Cookie("BIGipServerpool"), []),
        (Cookie("__Host-session", **GOOD, path="/"), []),
        (Cookie("__Host-session", **GOOD, path="/", domain="a.example"), ["prefix"]),
        (Cookie("__Host-session", **GOOD), ["prefix"]),
        (Cookie("__Secure-session", http_only=True, same_site="lax"), ["prefix", "lacking"]),
        (Cookie("__secure-session", **GOOD), []),
    ],
)
def test_cookies(cookie: Cookie, decided: list[str]) -> None:
    assert deciding(http.cookies(page(cookies=(cookie,)))) == decided


def to(location: str, direction: Direction, followed: bool = False) -> Redirect:
    return Redirect(302, location, direction, followed)


STUCK = to("https://a.example/login", Direction.OWN)
AWAY = to("https://b.example/", Direction.FOREIGN)
DOWN = to("http://a.example/", Direction.PLAINTEXT)
ALONG = to("https://a.example/login", Direction.OWN, followed=True)


@pytest.mark.parametrize(
    ("changes", "decided"),
    [
        ({}, []),
        ({"redirects": (AWAY,), "last_status": 302}, []),
        ({"redirects": (STUCK,), "last_status": 302}, ["not-followed?"]),
        ({"last_status": 503}, ["error?"]),
    ],
)
def test_no_cookies(changes: dict[str, Any], decided: list[str]) -> None:
    assert deciding(http.cookies(page(**changes))) == decided


def csp(text: str, delivery: Delivery = Delivery.HEADER) -> dict[str, Any]:
    directives = {}
    for directive in text.split(";"):
        name, *sources = directive.split()
        directives[name] = tuple(sources)
    return {"policies": (Policy(delivery, directives),)}


def header(name: str, value: str) -> dict[str, Any]:
    return {"headers": {name: value}}


@pytest.mark.parametrize(
    ("name", "changes", "has"),
    [
        ("content-security-policy", {}, False),
        ("content-security-policy", csp("default-src 'self'"), True),
        ("content-security-policy", csp("script-src 'none'", Delivery.META), True),
        ("content-security-policy", csp("default-src 'self'", Delivery.REPORT_ONLY), False),
        ("content-security-policy", csp("upgrade-insecure-requests"), False),
        ("frame-protection", {}, False),
        ("frame-protection", header("x-frame-options", "DENY"), True),
        ("frame-protection", header("x-frame-options", "SameOrigin, SAMEORIGIN"), True),
        ("frame-protection", header("x-frame-options", "ALLOW-FROM https://b.example"), False),
        ("frame-protection", csp("frame-ancestors 'none'"), True),
        ("frame-protection", csp("frame-ancestors"), True),
        ("frame-protection", csp("frame-ancestors *"), False),
        ("frame-protection", csp("frame-ancestors 'none'", Delivery.META), False),
        (
            "frame-protection",
            csp("frame-ancestors https:") | header("x-frame-options", "DENY"),
            False,
        ),
        ("x-content-type-options", header("x-content-type-options", "NoSniff"), True),
        ("x-content-type-options", header("x-content-type-options", "none, nosniff"), False),
        ("x-content-type-options", {}, False),
        ("referrer-policy", header("referrer-policy", "same-origin"), True),
        ("referrer-policy", header("referrer-policy", "unsafe-url, strict-origin"), True),
        ("referrer-policy", header("referrer-policy", "strict-origin, unsafe-url, new"), False),
        ("referrer-policy", header("referrer-policy", "new"), False),
        ("permissions-policy", {}, False),
        ("permissions-policy", header("permissions-policy", "camera=(), microphone=()"), True),
        (
            "permissions-policy",
            header("permissions-policy", 'camera=(self "https://v.example"), microphone=self'),
            True,
        ),
        ("permissions-policy", header("permissions-policy", "camera=()"), False),
        ("permissions-policy", header("permissions-policy", "camera=*, microphone=()"), False),
        ("permissions-policy", header("permissions-policy", "camera=(*), microphone=()"), False),
        ("cross-origin-opener-policy", header("cross-origin-opener-policy", "same-origin"), True),
        ("cross-origin-opener-policy", header("cross-origin-opener-policy", "unsafe-none"), False),
        ("cross-origin-opener-policy", {}, False),
    ],
)
def test_headers(name: str, changes: dict[str, Any], has: bool) -> None:
    want = http.Headers(frozenset({name}))
    assert deciding(http.headers(page(**changes), want)) == ([] if has else [name])


@pytest.mark.parametrize(
    ("changes", "decided"),
    [
        ({"last_status": 404}, ["error?"]),
        ({"redirects": (STUCK,), "last_status": 302}, ["not-followed?"]),
        ({"redirects": (ALONG,)}, ["x-content-type-options"]),
        ({"last_status": 404} | header("x-content-type-options", "nosniff"), []),
    ],
)
def test_headers_of_a_page_that_was_not_seen(changes: dict[str, Any], decided: list[str]) -> None:
    want = http.Headers(frozenset({"x-content-type-options"}))
    assert deciding(http.headers(page(**changes), want)) == decided


def test_a_header_that_nobody_looks_at_is_no_pass() -> None:
    assert deciding(http.headers(page(), http.Headers(frozenset({"x-new"})))) == ["unheard-of?"]


def load(origin: str, *kinds: str) -> dict[str, Any]:
    return {"loads": (Load(origin, kinds),)}


@pytest.mark.parametrize(
    ("changes", "decided"),
    [
        ({}, []),
        (load("https://b.example", "script"), []),
        (load("http://b.example", "script"), ["plain"]),
        (load("ws://b.example", "connect"), ["plain"]),
        (load("http://b.example", "image") | csp("upgrade-insecure-requests"), []),
        (load("http://b.example", "refresh") | csp("upgrade-insecure-requests"), ["plain"]),
        (load("http://b.example", "named"), []),
        (load("http://b.example", "image", "named"), ["plain"]),
        (load("ws://b.example", "named"), ["named?"]),
        (load("wss://b.example", "named"), []),
        ({"redirects": (DOWN,), "last_status": 302}, ["redirect"]),
        ({"redirects": (STUCK,), "last_status": 302}, ["not-followed?"]),
        ({"redirects": (AWAY,), "last_status": 302, "html": False}, []),
        ({"whole": False}, ["cut?"]),
        ({"whole": False} | load("http://b.example", "script"), ["cut?", "plain"]),
        ({"last_status": 403}, ["error?"]),
    ],
)
def test_mixed_origins(changes: dict[str, Any], decided: list[str]) -> None:
    assert deciding(http.mixed_origins(page(**changes))) == decided


def test_mixed_origins_lists_what_is_loaded_and_allowed() -> None:
    seen = page(**load("https://b.example", "script"), **csp("default-src 'self' c.example"))
    notes = {e.code: e.values for e in http.mixed_origins(seen) if isinstance(e, Note)}
    assert notes == {
        "origins": {"origins": ("https://b.example",)},
        "allowed": {"allowed": ("c.example",)},
    }


@pytest.mark.parametrize(
    ("value", "tells"),
    [
        ("nginx", False),
        ("nginx/1.24.0", True),
        ("Apache/2", True),
        ("Apache/2.4.58 (Ubuntu)", True),
        ("Microsoft-IIS/10.0", True),
        ("WordPress 6", True),
        ("4.0.30319", True),
        ("PHP/8", True),
        ("cloudflare", False),
        ("ECS (nyb/1D2E)", False),
        ("AmazonS3", False),
        ("", False),
    ],
)
def test_version_banner(value: str, tells: bool) -> None:
    seen = page(banners={"x-powered-by": value})
    assert deciding(http.version_banner(seen)) == (["x-powered-by"] if tells else [])


WANTS: dict[str, tuple[Any, ...]] = {
    "hsts": (http.Hsts(YEAR, True),),
    "headers": (http.Headers(frozenset({"referrer-policy"})),),
}


@pytest.mark.parametrize("rule", ["hsts", "hsts_preload", "cookies", "headers", "mixed_origins"])
def test_a_refusal_for_want_of_a_certificate_is_no_page(rule: str) -> None:
    seen = page(certificate_refused=True, status=400, last_status=400)
    function: Rule[...] = getattr(http, rule)
    with pytest.raises(NotApplicable) as outcome:
        function(seen, *WANTS.get(rule, ()))
    assert outcome.value.evidence.code == "client-certificate"


@pytest.mark.parametrize("rule", ["hsts", "hsts_preload"])
def test_an_address_has_no_hsts(rule: str) -> None:
    function: Rule[...] = getattr(http, rule)
    with pytest.raises(NotApplicable) as outcome:
        function(page(literal=True, hsts=Hsts(YEAR)), *WANTS.get(rule, ()))
    assert outcome.value.evidence.code == "address"


@pytest.mark.parametrize("away", [AWAY, DOWN])
def test_an_endpoint_that_only_redirects_has_no_page_to_protect(away: Redirect) -> None:
    with pytest.raises(NotApplicable):
        http.headers(page(redirects=(away,), last_status=302), *WANTS["headers"])


def test_every_template_has_its_values() -> None:
    seen = page(
        hsts=Hsts(5, fields=2),
        plain=redirects("http://a.example/", hsts=True),
        cookies=(Cookie("session", lifetime=5), Cookie("__host-a", **GOOD), Cookie("b")),
        redirects=(ALONG, DOWN),
        last_status=404,
        whole=False,
        loads=(Load("http://b.example", ("image",)), Load("ws://b.example", ("named",))),
        banners={"server": "a/1.0", "x-powered-by": "b"},
        marks=(Mark("cdn", "Fastly"),),
    )
    for rule in collect(http).values():
        if rule is http.headers:
            continue
        for evidence in rule(seen, *WANTS.get(rule.check.__name__, ())):
            assert evidence.template.format(**evidence.values)


def test_a_content_delivery_network_hides_the_leg_behind_it() -> None:
    seen = page(marks=(Mark("cdn", "Fastly"), Mark("waf", "Other")))
    assert deciding(http.origin_leg(seen)) == ["cdn?"]
    with pytest.raises(NotApplicable):
        http.origin_leg(page())
