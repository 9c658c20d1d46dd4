"""What stands around the page: what is before it, whom else it uses, what is managed beside it."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass

from tlscheck.model import Confidence, Evidence, Note, Open, Problem, Reason
from tlscheck.observations.http import Delivery, HttpObservation, Management, same_host, split
from tlscheck.rules.core import NotApplicable, Problems, rule
from tlscheck.rules.http.answers import cut, needs_page, unseen
from tlscheck.suffixes import registrable, site


@rule("Vendor evaluation sheet, row 53")
def web_firewall(seen: HttpObservation) -> Problems:
    """A web application firewall stands before the endpoint.

    Whether one does cannot be told from outside without attacking: some leave marks in fields and
    cookies of ordinary answers, many leave none, and anybody can forge the marks. What was seen is
    named and decides nothing. Show the configuration of the firewall, and what it filters.
    """
    products = {kind: [m.product for m in seen.marks if m.kind == kind] for kind in _BEFORE}
    named = ", ".join(f"{p} ({_BEFORE[kind]})" for kind, found in products.items() for p in found)
    if products["waf"]:
        raise NotApplicable(
            "marks",
            "marks of {products} were seen; anybody can forge them and they do not show what is"
            " filtered, so the configuration decides",
            products=named,
        )
    if named:
        raise NotApplicable(
            "others",
            "marks of {products} were seen, and none of a WAF, which proves nothing; the"
            " configuration decides",
            products=named,
        )
    raise NotApplicable(
        "none",
        "no mark of a WAF, a content delivery network or a proxy was seen, which proves nothing:"
        " many leave none; the configuration decides",
    )


_BEFORE = {"waf": "WAF", "cdn": "CDN", "proxy": "proxy"}


@rule("Vendor evaluation sheet, row 51", "CSP Level 3")
def external_services(seen: HttpObservation) -> Problems:
    """The page uses no external service that is not declared.

    Whoever delivers a script can read and change all that the page shows, and every further host
    learns who opens it. Remove what is not needed, bring the rest to your own domain where you can,
    limit the others by a content security policy, and declare what is meant to be there in the
    configuration: ``[endpoints."HOST"]``, ``external = ["example-cdn.com"]``. What scripts load
    later is not seen.
    """
    needs_page(seen)
    doubts = [*unseen(seen), *cut(seen)]
    _needs_html(seen, doubts)
    declared = seen.declared_external
    if declared is None:
        listed = _listed(_services(seen, _uses(seen)))
        if not doubts:
            raise NotApplicable(
                "nothing-declared",
                "no external service is declared; the page uses: {services}; what scripts load"
                " later was not seen",
                services=listed,
            )
        yield Note("inventory", "the page uses: {services}", services=listed)
    else:
        yield from _compared(seen, declared)
        yield from _later(seen)
    yield from doubts


def _needs_html(seen: HttpObservation, doubts: Collection[Open]) -> None:
    """Stand aside where the answer is no page, and no trouble."""
    if not (seen.html or doubts):
        raise NotApplicable(
            "no-page", "the answer (status {status}) is no page", status=seen.last_status
        )


def _later(seen: HttpObservation) -> Iterator[Open]:
    """That parts of the page may load what nobody has seen, if so."""
    limits = (p.directives for p in seen.policies if p.delivery is not Delivery.REPORT_ONLY)
    defaults = (policy["default-src"] for policy in limits if "default-src" in policy)
    if any(not any(map(_ANY.match, sources)) for sources in defaults):
        kinds = [kind for kind in seen.unread if kind in ("frame", "object")]  # they have their own
    else:
        kinds = list(seen.unread)
    if kinds:
        yield Open(
            "later",
            "what the page's own parts load ({kinds}) was not seen, and no content security policy"
            " (default-src) limits it",
            cause=Reason.TO_DECLARE,
            kinds=tuple(kinds),
        )


def _compared(seen: HttpObservation, declared: tuple[str, ...]) -> Iterator[Evidence]:
    known = [use for use in _uses(seen) if _covered(use.host, declared)]
    unknown = [use for use in _uses(seen) if not _covered(use.host, declared)]
    for service in _services(seen, unknown):
        yield _undeclared(service)
    if wide := sorted({d for load in seen.allowed if _ANY.match(load.origin) for d in load.kinds}):
        yield Note(
            "any",
            "the content security policy lets the page use any host, for: {directives}",
            directives=tuple(wide),
        )
    if services := _services(seen, known):
        yield Note("declared", "declared and used: {services}", services=_listed(services))
    else:
        yield Note("none", "the page uses no declared service")


@dataclass(frozen=True, slots=True)
class _Use:
    """A host, and one thing that the page does with it."""

    host: str
    kind: str
    allowed: bool = False
    """The content security policy has it; the kind is its directive."""


@dataclass(frozen=True, slots=True)
class _Service:
    """What the page does with the hosts under one registrable domain."""

    domain: str
    uses: tuple[_Use, ...]

    @property
    def hosts(self) -> tuple[str, ...]:
        return tuple(sorted({use.host for use in self.uses}))

    def kinds(self, *, allowed: bool) -> tuple[str, ...]:
        return tuple(sorted({use.kind for use in self.uses if use.allowed is allowed}))


_ANY = re.compile(r"\*$|(?:https?|wss?):$", re.IGNORECASE)
"""Sources of a policy that let every host in."""
_INNER = re.compile(r"(?:data|blob|filesystem|mediastream|about):", re.IGNORECASE)
"""Those that are no hosts."""


def _uses(seen: HttpObservation) -> Iterator[_Use]:
    for load in seen.loads:
        parts = split(load.origin)
        if parts and parts.hostname:
            yield from (_Use(parts.hostname, kind) for kind in load.kinds)
    for load in seen.allowed:
        if not _ANY.match(load.origin) and not _INNER.match(load.origin):
            host = _source_host(load.origin)
            yield from (_Use(host, kind, allowed=True) for kind in load.kinds if host)


def _source_host(source: str) -> str:
    """The host of a policy's source, ``*.`` aside."""
    host = re.split(r"[:/?#]", source.rpartition("://")[2], maxsplit=1)[0]
    return host.lower().removeprefix("*.")


def _services(seen: HttpObservation, uses: Iterable[_Use]) -> list[_Service]:
    """The *uses* of others' hosts, by the domains that these are registered under."""
    found: dict[str, dict[_Use, None]] = {}
    for use in uses:
        if not _is_own(use.host, seen.host):
            found.setdefault(registrable(use.host) or use.host, {})[use] = None
    return [_Service(domain, tuple(found[domain])) for domain in sorted(found)]


def _is_own(host: str, own: str) -> bool:
    return same_host(host, own) or (bool(site(own)) and site(host) == site(own))


def _covered(host: str, declared: Iterable[str]) -> bool:
    return any(host == domain or host.endswith(f".{domain}") for domain in declared)


def _undeclared(service: _Service) -> Evidence:
    loaded, allowed = service.kinds(allowed=False), service.kinds(allowed=True)
    if set(loaded) - {"named"}:
        return Problem(
            "undeclared",
            "{domain} is used and not declared, for: {kinds}; hosts: {hosts}",
            domain=service.domain,
            kinds=loaded,
            hosts=service.hosts,
        )
    if allowed:
        return Problem(
            "allowed",
            "{domain} is not declared, and the content security policy allows it, for:"
            " {directives}; hosts: {hosts}",
            domain=service.domain,
            directives=allowed,
            hosts=service.hosts,
        )
    return Open(
        "named",
        "{domain} is not declared, and a script names it ({hosts}); whether the page uses it was"
        " not seen",
        domain=service.domain,
        hosts=service.hosts,
    )


def _listed(services: Iterable[_Service]) -> str:
    said = (
        f"{s.domain} ({', '.join((*s.kinds(allowed=False), *s.kinds(allowed=True)))})"
        for s in services
    )
    return "; ".join(said) or "-"


@rule("Subresource Integrity, W3C")
def script_integrity(seen: HttpObservation) -> Problems:
    """Scripts that others deliver are pinned by their digest.

    A script with an ``integrity`` attribute runs only while it is the very file that was meant,
    whatever happens to the host that delivers it. Write ``integrity="sha384-…"`` and
    ``crossorigin="anonymous"`` beside ``src``. A service that changes its script without notice
    cannot be pinned: bring the file to your own domain, or leave the service out.
    """
    needs_page(seen)
    doubts = [*unseen(seen), *cut(seen)]
    _needs_html(seen, doubts)
    hosts = {parts.hostname or "" for parts in map(split, seen.unguarded) if parts}
    others = {registrable(host) or host for host in hosts if not _is_own(host, seen.host)}
    for domain in sorted(others):
        yield Problem(
            "no-digest", "the page runs scripts of {domain} without a digest (SRI)", domain=domain
        )
    yield from doubts


@dataclass(frozen=True, slots=True)
class Recognised:
    """What it takes to say that a page of management answers."""

    enough: frozenset[Confidence]
    """How sure its mark must be; a weaker one is left to a person."""


@rule("CISA Binding Operational Directive 23-02", "Vendor evaluation sheet, row 55")
def management_pages(seen: HttpObservation, want: Recognised) -> Problems:
    """No page of management answers.

    Consoles, status pages and administrators' logins are what attackers try first, and a password
    asked for shows that they answer. Let only inner addresses or a VPN reach them; in nginx put
    ``allow`` and ``deny`` into the location, in Apache ``Require ip``; remove what nobody uses, and
    keep files such as ``.env`` and ``.git`` out of what is served. A short list of well-known paths
    is asked for: that none answers does not prove that there is none.
    """
    found = seen.management
    if found is None:
        raise NotApplicable(
            "not-asked", "management pages were not asked for; they are with --exposure"
        )
    for page in found.found:
        if page.confidence in want.enough:
            yield Problem(
                "answers",
                "{product} answers at {path} (status {status})",
                product=page.product,
                path=page.path,
                status=page.status,
            )
        else:
            yield Open(
                "weak",
                "what answers at {path} (status {status}) may be {product}; look there",
                cause="open_question",
                path=page.path,
                status=page.status,
                product=page.product,
            )
    yield from _unrecognised(found)
    yield Note("asked", "{count} well-known paths were asked for and answered", count=found.asked)


def _unrecognised(found: Management) -> Iterator[Evidence]:
    for path in found.locked:
        yield Open(
            "locked",
            "a login is asked for at {path}; what is behind it was not seen",
            cause="open_question",
            path=path,
        )
    if found.screened:
        yield Open(
            "screened",
            "{count} well-known paths are answered as any path is, by a login, a redirect or a"
            " refusal; what is behind was not seen",
            cause="open_question",
            count=len(found.screened),
        )
    for path in found.unrecognised:
        yield Open(
            "unrecognised",
            "{path} has something that a path picked at random has not; what it is was not"
            " recognised, so look there",
            cause="open_question",
            path=path,
        )
    for product in found.everywhere:
        yield Open(
            "everywhere",
            "what tells {product} comes at a path picked at random too; whether it answers was not"
            " seen",
            cause="open_question",
            product=product,
        )
    if found.stopped is not None:
        yield Open(
            "stopped",
            "not every well-known path was asked for and answered: {reason}",
            cause=found.stopped,
            reason=found.stopped,
        )
        return
    for path in found.unanswered:
        yield Open("unanswered", "{path} brought no answer, or an error", path=path)
