"""What stands around the page: one thing changed in one that is as it should be."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from tests.make import http_observation as seen
from tests.rules.test_http import ALONG, AWAY, STUCK, csp, deciding
from tlscheck import profile
from tlscheck.model import Confidence, Note, Reason
from tlscheck.observations.http import (
    Delivery,
    HttpObservation,
    Load,
    Management,
    ManagementPage,
    Mark,
)
from tlscheck.rules.core import NotApplicable
from tlscheck.rules.http import around

WANT = profile.load("baseline").settings["http.management-pages"].want
assert isinstance(WANT, around.Recognised)


def aside(rule: Any, look: HttpObservation) -> Note:
    with pytest.raises(NotApplicable) as outcome:
        rule(look)
    assert outcome.value.evidence.template.format(**outcome.value.evidence.values)
    return outcome.value.evidence


# ---- a WAF -----------------------------------------------------------------------------------

WAF, CDN, BALANCER = Mark("waf", "Scutum"), Mark("cdn", "Fastly"), Mark("proxy", "AWS ALB")


@pytest.mark.parametrize(
    ("marks", "code", "products"),
    [
        ((), "none", None),
        ((WAF,), "marks", "Scutum (WAF)"),
        ((CDN,), "others", "Fastly (CDN)"),
        ((BALANCER, CDN), "others", "Fastly (CDN), AWS ALB (proxy)"),
        ((CDN, WAF), "marks", "Scutum (WAF), Fastly (CDN)"),
    ],
)
def test_marks_of_a_waf_are_named_and_decide_nothing(
    marks: tuple[Mark, ...], code: str, products: str | None
) -> None:
    evidence = aside(around.web_firewall, seen(marks=marks))
    assert (evidence.code, evidence.values.get("products")) == (code, products)


# ---- external services -----------------------------------------------------------------------


def loads(*pairs: tuple[str, str]) -> dict[str, Any]:
    return {"loads": tuple(Load(origin, tuple(kinds.split())) for origin, kinds in pairs)}


CDN_SCRIPT = loads(("https://a.example-cdn.com", "script style"))
ALLOWED = csp("default-src 'self'; script-src *.example-cdn.com https://b.test:8443/x")


@pytest.mark.parametrize(
    ("changes", "declared", "decided"),
    [
        ({}, (), []),
        (CDN_SCRIPT, (), ["undeclared"]),
        (CDN_SCRIPT, ("example-cdn.com",), []),
        (CDN_SCRIPT, ("a.example-cdn.com",), []),
        (CDN_SCRIPT, ("b.example-cdn.com",), ["undeclared"]),
        (CDN_SCRIPT, ("ample-cdn.com", "com.example"), ["undeclared"]),
        (loads(("https://[2001:db8::1]:8443", "image")), ("2001:db8::1",), []),
        (loads(("https://192.0.2.9", "image")), (), ["undeclared"]),
        # Its own domain needs no declaration, its neighbours under one suffix do.
        (loads(("https://static.example.jp", "script")), (), []),
        (loads(("https://other.jp", "script")), (), ["undeclared"]),
        (
            loads(("https://b.sakura.ne.jp", "script")) | {"host": "a.sakura.ne.jp"},
            (),
            ["undeclared"],
        ),
        (loads(("https://192.0.2.1", "script")) | {"host": "192.0.2.1"}, (), []),
        # One problem a domain, whatever its hosts.
        (
            loads(("https://a.b.test", "image"), ("https://c.b.test", "form")),
            (),
            ["undeclared"],
        ),
        (loads(("https://b.test", "named")), (), ["named?"]),
        (loads(("https://b.test", "named")), ("b.test",), []),
        (loads(("https://b.test", "named image")), (), ["undeclared"]),
        (loads(("https://b.test", "report")), (), ["undeclared"]),
        (ALLOWED, ("example-cdn.com", "b.test"), []),
        (ALLOWED, ("a.example-cdn.com", "b.test"), ["allowed"]),
        (ALLOWED, (), ["allowed", "allowed"]),
        (csp("default-src *.example.jp data: blob: 'unsafe-inline'"), (), []),
        (csp("default-src *; img-src https:"), (), []),
        (csp("frame-ancestors b.test"), (), []),
        (csp("script-src b.test", Delivery.REPORT_ONLY), (), []),
        (csp("script-src 'self'; report-uri https://b.test/r"), (), ["allowed"]),
        ({"unread": ("script", "style"), "policies": ()}, (), ["later?"]),
        ({"unread": ("script", "style")} | csp("default-src 'self'"), (), []),
        ({"unread": ("script",)} | csp("default-src 'self'", Delivery.REPORT_ONLY), (), ["later?"]),
        ({"unread": ("script",)} | csp("default-src https:"), (), ["later?"]),
        ({"unread": ("frame", "script")} | csp("default-src 'self'"), (), ["later?"]),
        ({"leads_on": "https://clinic.example.jp/app/"}, (), ["leads-on?"]),
        ({"html": False, "last_status": 404}, (), ["error?"]),
        ({"last_status": 404}, (), ["error?"]),
        ({"whole": False}, (), ["cut?"]),
        ({"whole": False} | CDN_SCRIPT, (), ["undeclared", "cut?"]),
        ({"redirects": (STUCK,), "last_status": 302}, (), ["not-followed?"]),
        ({"redirects": (ALONG,)} | CDN_SCRIPT, (), ["undeclared"]),
    ],
)
def test_external_services(
    changes: dict[str, Any], declared: tuple[str, ...], decided: list[str]
) -> None:
    evidence = around.external_services(seen(**changes, declared_external=declared))
    assert deciding(evidence) == decided
    assert all(e.template.format(**e.values) for e in evidence)


def test_what_is_undeclared_is_named_with_what_it_is_used_for() -> None:
    pairs = (("https://a.b.test", "form"), ("https://c.b.test", "image"))
    first, *_ = around.external_services(seen(**loads(*pairs)))
    assert first.values == {
        "domain": "b.test",
        "kinds": ("form", "image"),
        "hosts": ("a.b.test", "c.b.test"),
    }


def test_a_policy_that_limits_nothing_is_told() -> None:
    look = seen(**csp("default-src *; img-src https: http:; connect-src wss:"))
    notes = {e.code: e.values for e in around.external_services(look)}
    assert notes["any"] == {"directives": ("connect-src", "default-src", "img-src")}


def test_without_a_declaration_there_is_an_inventory_and_no_guess() -> None:
    look = seen(**CDN_SCRIPT, **csp("script-src b.test"), declared_external=None)
    evidence = aside(around.external_services, look)
    assert evidence.code == "nothing-declared"
    assert evidence.values["services"] == "b.test (script-src); example-cdn.com (script, style)"
    assert aside(around.external_services, seen(declared_external=None)).values["services"] == "-"


@pytest.mark.parametrize("changes", [{"last_status": 503}, {"whole": False}], ids=str)
def test_an_inventory_of_a_page_that_was_not_seen_settles_nothing(changes: dict[str, Any]) -> None:
    look = seen(declared_external=None, **changes, **CDN_SCRIPT)
    evidence = around.external_services(look)
    assert len(deciding(evidence)) == 1
    assert {e.values.get("services") for e in evidence} == {None, "example-cdn.com (script, style)"}


@pytest.mark.parametrize("rule", [around.external_services, around.script_integrity])
def test_where_there_is_no_page_it_uses_nobody(rule: Any) -> None:
    assert aside(rule, seen(redirects=(AWAY,), last_status=302)).code == "elsewhere"
    assert aside(rule, seen(html=False)).code == "no-page"
    refused = seen(certificate_refused=True, status=400, last_status=400)
    assert aside(rule, refused).code == "client-certificate"


@pytest.mark.parametrize(
    ("unguarded", "domains"),
    [
        ((), []),
        (("https://static.example.jp",), []),
        (("https://a.b.test", "https://c.b.test", "https://d.test:8443"), ["b.test", "d.test"]),
    ],
)
def test_script_integrity(unguarded: tuple[str, ...], domains: list[str]) -> None:
    evidence = around.script_integrity(seen(unguarded=unguarded))
    assert [e.values["domain"] for e in evidence] == domains
    assert deciding(evidence) == ["no-digest"] * len(domains)


def test_scripts_of_a_page_that_was_not_seen() -> None:
    assert deciding(around.script_integrity(seen(last_status=503))) == ["error?"]
    assert deciding(around.script_integrity(seen(whole=False))) == ["cut?"]


# ---- management pages ------------------------------------------------------------------------

CONSOLE = ManagementPage("/grafana/login", "Grafana", 200, Confidence.HIGH)
NONE = Management(asked=36)


@pytest.mark.parametrize(
    ("changes", "decided"),
    [
        ({}, []),
        ({"found": (CONSOLE,)}, ["answers"]),
        ({"found": (replace(CONSOLE, status=401),)}, ["answers"]),
        ({"found": (replace(CONSOLE, confidence=Confidence.MEDIUM),)}, ["answers"]),
        ({"found": (replace(CONSOLE, confidence=Confidence.LOW),)}, ["weak?"]),
        ({"locked": ("/webmin/",)}, ["locked?"]),
        ({"everywhere": ("Webmin",)}, ["everywhere?"]),
        ({"screened": ("/webmin/", "/.env")}, ["screened?"]),
        ({"unrecognised": ("/webmin/", "/.env")}, ["unrecognised?", "unrecognised?"]),
        ({"unanswered": ("/solr/",)}, ["unanswered?"]),
        ({"unanswered": ("/solr/", "/.env"), "stopped": Reason.BANNED}, ["stopped?"]),
        ({"stopped": Reason.TIMEOUT, "asked": 0}, ["stopped?"]),
        ({"found": (CONSOLE,), "stopped": Reason.LIMITED}, ["answers", "stopped?"]),
    ],
)
def test_management_pages(changes: dict[str, Any], decided: list[str]) -> None:
    evidence = around.management_pages(seen(management=replace(NONE, **changes)), WANT)
    assert deciding(evidence) == decided
    assert evidence[-1].code == "asked"
    assert all(e.template.format(**e.values) for e in evidence)


def test_the_early_end_is_told_with_its_reason() -> None:
    ended = replace(NONE, stopped=Reason.BANNED, unanswered=("/a", "/b"))
    first, *_ = around.management_pages(seen(management=ended), WANT)
    assert (first.cause, first.values) == ("banned", {"reason": "banned"})


def test_management_pages_that_nobody_asked_for() -> None:
    with pytest.raises(NotApplicable) as outcome:
        around.management_pages(seen(management=None), WANT)
    assert outcome.value.evidence.code == "not-asked"
