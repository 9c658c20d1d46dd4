"""The endpoints of the clinic: one as it should be, the others with faults that real ones have."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from OpenSSL import SSL

from tlscheck.text import _N

DAY = timedelta(days=1)
GOOD, BAD = "clinic.example", "old-clinic.example"
"""The clinic's domain, and one that it gave up."""

MODERN = (SSL.TLS1_2_VERSION, SSL.TLS1_3_VERSION)
STRONG = (
    "ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-ECDSA-AES128-GCM-SHA256:"
    "ECDHE-RSA-AES256-GCM-SHA384:ECDHE-RSA-CHACHA20-POLY1305:ECDHE-RSA-AES128-GCM-SHA256"
)
GROUPS = "X25519MLKEM768:X25519:P-256:P-384"

CAREFUL = (
    "Strict-Transport-Security: max-age=31536000; includeSubDomains; preload",
    "Content-Security-Policy: default-src 'self'; frame-ancestors 'none'",
    "X-Content-Type-Options: nosniff",
    "X-Frame-Options: DENY",
    "Referrer-Policy: no-referrer",
    "Permissions-Policy: camera=(self), microphone=(self)",
    "Cross-Origin-Opener-Policy: same-origin",
    "Cross-Origin-Resource-Policy: same-origin",
    "Set-Cookie: __Host-session=demo; Path=/; Secure; HttpOnly; SameSite=Lax",
)
"""What an answer should carry."""

_PAGE = '<!doctype html><html lang="en"><title>Clinic</title><link rel="stylesheet" href="/a.css">'
_MIXED = _PAGE + '<script src="http://cdn.clinic.example/menu.js"></script><p>Welcome'


@dataclass(frozen=True, slots=True)
class Site:
    """One endpoint; the defaults are as it should be."""

    name: str
    label: str
    """What it is and what is wrong with it, a template."""
    versions: tuple[int, int] = MODERN
    ciphers: str = STRONG
    """Up to TLS 1.2, in OpenSSL's words."""
    own_order: bool = True
    """The server chooses the suite."""
    short_prime: bool = False
    """Diffie-Hellman with 1024 bits."""
    use_rsa: bool = False
    valid: tuple[timedelta, timedelta] = (-5 * DAY, 40 * DAY)
    whole_chain: bool = True
    wants_certificate: bool = False
    fields: tuple[str, ...] = CAREFUL
    """What its answers carry."""
    page: str = _PAGE
    first_page_alone: bool = False
    """No other path leads anywhere; else each shows the page."""
    redirects: bool = True
    """Plain HTTP leads to https; else it shows the page."""
    domain: str = GOOD
    most: int | None = None
    """After how many connections the firewall lets none through any more."""

    @property
    def host(self) -> str:
        """A name that exists nowhere (RFC 2606)."""
        return f"{self.name}.{self.domain}"


SITES = (
    Site("portal", _N("Patient portal, as it should be")),
    Site(
        "booking",
        _N("Appointments: TLS 1.0, CBC"),
        versions=(SSL.TLS1_VERSION, SSL.TLS1_2_VERSION),
        ciphers=f"{STRONG}:ECDHE-RSA-AES256-SHA384:ECDHE-RSA-AES256-SHA:ECDHE-RSA-AES128-SHA:"
        "@SECLEVEL=0",
        own_order=False,
        use_rsa=True,
    ),
    Site(
        "records",
        _N("Old records: static RSA, short DH prime, expired"),
        # Below TLS 1.2 too: there OpenSSL 4 gives nobody one of the sound primes of RFC 7919.
        versions=(SSL.TLS1_VERSION, SSL.TLS1_2_VERSION),
        ciphers="DHE-RSA-AES256-SHA:AES256-GCM-SHA384:AES128-SHA:@SECLEVEL=0",
        short_prime=True,
        use_rsa=True,
        valid=(-48 * DAY, -3 * DAY),
    ),
    Site(
        "video",
        _N("Video calls: intermediate certificate missing, expires soon"),
        valid=(-36 * DAY, 9 * DAY),
        whole_chain=False,
    ),
    Site(
        "www",
        _N("Website: no HSTS, careless cookie, mixed content"),
        fields=("Server: Apache/2.4.6 (CentOS) PHP/5.4.16", "Set-Cookie: PHPSESSID=demo; path=/"),
        page=_MIXED,
        redirects=False,
    ),
    Site("staff", _N("Staff entrance: client certificates"), wants_certificate=True),
    Site(
        "www", _N("Website of the old domain, which is lapsing: dangling name server"), domain=BAD
    ),
    Site("gateway", _N("Gateway: a firewall that shuts us out"), most=2),
)
