"""Asking the CA: issuers' certificates (AIA), OCSP responders and revocation lists.

Where to ask stands in a certificate, which a stranger wrote: only plain http, only public
addresses (unless the target itself is on a private one), no redirects, little time, few bytes.
"""

from __future__ import annotations

import base64
import hashlib
import ipaddress
from datetime import datetime

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from tlscheck.model import Reason
from tlscheck.net import Net, NetError
from tlscheck.observations import revocation
from tlscheck.observations.certificate import (
    Certificate,
    Revocation,
    Standing,
    attempt,
)
from tlscheck.text import _N

SECONDS = 10.0
MOST_BYTES = 1024 * 1024
MOST_OF_A_LIST = 10 * 1024 * 1024
_OK = 200
MOST_SOURCES = 2
"""How many sources of a kind are asked for one certificate."""


async def issuer(net: Net, last: Certificate, near: str) -> tuple[bytes, str]:
    """The certificate of the issuer of *last*, and where it was had. NetError: why it was not."""
    trouble = NetError(Reason.NOT_APPLICABLE, "the certificate names no place")
    for url in last.issuers[:MOST_SOURCES]:
        try:
            der = _der(await fetch(net, url, near))
        except NetError as error:
            trouble = error
            continue
        if der is not None:
            return der, url
        trouble = NetError(Reason.MALFORMED, url)
    raise trouble


async def ask(net: Net, cert: Certificate, issuer: bytes, near: str, at: datetime) -> Revocation:
    """What OCSP responders and revocation lists say of *cert*: the first that has an opinion."""
    der = base64.b64decode(cert.der)
    word = Revocation(cert.sha256, detail="the certificate names no source")
    for url in cert.ocsp[:MOST_SOURCES]:
        word = await _ocsp(net, der, issuer, url, near, at)
        if word.standing is not Standing.UNKNOWN:
            return word
    for url in cert.crl[:MOST_SOURCES]:
        word = await _crl(net, der, issuer, url, near, at)
        if word.standing is not Standing.UNKNOWN:
            return word
    return word


async def _ocsp(
    net: Net, der: bytes, issuer: bytes, url: str, near: str, at: datetime
) -> Revocation:
    question = revocation.request(der, issuer)
    if question is None:
        return _unknown(der, "ocsp", _N("no request can be made for it"))
    try:
        response = await fetch(net, url, near, question)
    except NetError as error:
        return _unknown(der, "ocsp", f"{url}: {error}")
    return revocation.answered(der, revocation.staple(response, der, issuer, at), at, "ocsp")


async def _crl(
    net: Net, der: bytes, issuer: bytes, url: str, near: str, at: datetime
) -> Revocation:
    try:
        data = await fetch(net, url, near, limit=MOST_OF_A_LIST)
    except NetError as error:
        return _unknown(der, "crl", f"{url}: {error}")
    return revocation.crl(data, der, issuer, url, at)


def _unknown(der: bytes, source: str, detail: str) -> Revocation:
    return Revocation(hashlib.sha256(der).hexdigest(), Standing.UNKNOWN, source, detail)


async def fetch(
    net: Net, url: str, near: str, question: bytes | None = None, limit: int = MOST_BYTES
) -> bytes:
    """The body behind *url*, by POST of an OCSP *question* or by GET, asked on behalf of a target
    at the address *near*. NetError: filtered, unresolved, unreachable, timeout, too_large.
    """
    found = await net.fetch(
        url,
        schemes=("http",),
        private=not ipaddress.ip_address(near).is_global,
        content=question,
        fields={"Content-Type": "application/ocsp-request"} if question is not None else None,
        limit=limit,
        seconds=SECONDS,
    )
    if found.status != _OK:
        raise NetError(Reason.MALFORMED, f"HTTP status {found.status}")
    return found.body


def _der(data: bytes) -> bytes | None:
    """The one certificate in DER or PEM *data*."""

    def read() -> bytes:
        if data.lstrip().startswith(b"-----BEGIN"):
            return x509.load_pem_x509_certificate(data).public_bytes(Encoding.DER)
        return x509.load_der_x509_certificate(data).public_bytes(Encoding.DER)

    return attempt(read)
