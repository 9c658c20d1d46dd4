"""What an OCSP response or a revocation list says of a certificate. Nothing is fetched here.

Nothing is believed without a signature of the issuer, or of a responder that it appointed.
"""

from __future__ import annotations

import hashlib
import warnings
from datetime import datetime, timedelta
from functools import partial

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp
from cryptography.x509.oid import ExtendedKeyUsageOID

from tlscheck.observations.certificate import (
    UNREADABLE,
    Revocation,
    Standing,
    Staple,
    attempt,
)
from tlscheck.text import _N

SLACK = timedelta(minutes=5)
"""How far clocks may differ."""
LONGEST = timedelta(days=10)
"""How long a response that names no end counts: as long as the Baseline Requirements (section
4.9.10) let any."""

_STANDINGS = {
    ocsp.OCSPCertStatus.GOOD: Standing.GOOD,
    ocsp.OCSPCertStatus.REVOKED: Standing.REVOKED,
}


def staple(response: bytes, leaf: bytes, issuer: bytes | None, at: datetime) -> Staple:
    """What an OCSP *response* says of the certificate *leaf*, however old it is at *at*."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = attempt(partial(_staple, response, leaf, issuer, at))
        return found or Staple(detail="unreadable")


def answered(leaf: bytes, seen: Staple, at: datetime, source: str) -> Revocation:
    """What the response *seen* means at the moment *at*: an old good word counts for nothing."""
    standing, detail = seen.standing, seen.detail
    if standing is Standing.GOOD and (stale := not_current(seen, at)):
        standing, detail = Standing.UNKNOWN, stale
    return Revocation(hashlib.sha256(leaf).hexdigest(), standing, source, detail)


def not_current(seen: Staple, at: datetime) -> str:
    """Why *seen* is out of date at the moment *at*, empty if it is not."""
    if seen.this_update and seen.this_update > at + SLACK:
        return f"{_N('from the future')}: {seen.this_update.isoformat()}"
    end = seen.next_update or (seen.this_update and seen.this_update + LONGEST)
    if end and end < at - SLACK:
        return f"out of date since {end.isoformat()}"
    return ""


def request(leaf: bytes, issuer: bytes) -> bytes | None:
    """The OCSP request for *leaf*, ``None`` where one cannot be made."""

    def make() -> bytes:
        cert, signer = (x509.load_der_x509_certificate(der) for der in (leaf, issuer))
        # RFC 5019 (and so every large responder) knows certificates by SHA-1 names.
        return _request(cert, signer, hashes.SHA1()).public_bytes(Encoding.DER)  # noqa: S303

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return attempt(make)


def crl(data: bytes, leaf: bytes, issuer: bytes, url: str, at: datetime) -> Revocation:
    """What the revocation list had from *url* says of *leaf* at the moment *at*."""
    sha256 = hashlib.sha256(leaf).hexdigest()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        standing, detail = attempt(partial(_crl, data, leaf, issuer, url, at)) or (
            Standing.UNKNOWN,
            _N("unreadable"),
        )
    return Revocation(sha256, standing, "crl", detail)


def _request(
    cert: x509.Certificate, issuer: x509.Certificate, algorithm: hashes.HashAlgorithm
) -> ocsp.OCSPRequest:
    return ocsp.OCSPRequestBuilder().add_certificate(cert, issuer, algorithm).build()


def _staple(response: bytes, leaf: bytes, issuer: bytes | None, at: datetime) -> Staple:
    answer = ocsp.load_der_ocsp_response(response)
    if answer.response_status is not ocsp.OCSPResponseStatus.SUCCESSFUL:
        return Staple(detail=f"the responder says {answer.response_status.name.lower()}")
    if issuer is None:
        return Staple(detail="the issuer's certificate is not known")
    cert, signer = (x509.load_der_x509_certificate(der) for der in (leaf, issuer))
    single = next((r for r in answer.responses if _concerns(r, cert, signer)), None)
    if single is None:
        return Staple(detail="the response is about another certificate")
    dated = partial(Staple, this_update=single.this_update_utc, next_update=single.next_update_utc)
    if not _vouched(answer, signer, at):
        return dated(detail="the signature is not the issuer's or its responder's")
    return dated(
        standing=_STANDINGS.get(single.certificate_status, Standing.UNKNOWN),
        detail=single.revocation_reason.value if single.revocation_reason else "",
        sct_logs=_sct_logs(answer),
    )


def _concerns(
    single: ocsp.OCSPSingleResponse, cert: x509.Certificate, issuer: x509.Certificate
) -> bool:
    asked = _request(cert, issuer, single.hash_algorithm)
    return cert.issuer == issuer.subject and (
        asked.serial_number,
        asked.issuer_name_hash,
        asked.issuer_key_hash,
    ) == (single.serial_number, single.issuer_name_hash, single.issuer_key_hash)


def _vouched(answer: ocsp.OCSPResponse, issuer: x509.Certificate, at: datetime) -> bool:
    """Signed by the issuer or by a responder that it appointed (RFC 6960, section 4.2.2.2)."""
    signers = [issuer, *(c for c in answer.certificates if _appointed(c, issuer, at))]
    return any(_signed(answer, signer) for signer in signers)


def _appointed(cert: x509.Certificate, issuer: x509.Certificate, at: datetime) -> bool:
    try:
        cert.verify_directly_issued_by(issuer)
        usage = cert.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    except (*UNREADABLE, InvalidSignature, x509.ExtensionNotFound):
        return False
    current = cert.not_valid_before_utc - SLACK <= at <= cert.not_valid_after_utc + SLACK
    return current and ExtendedKeyUsageOID.OCSP_SIGNING in usage


def _signed(answer: ocsp.OCSPResponse, signer: x509.Certificate) -> bool:
    key, data = signer.public_key(), answer.tbs_response_bytes
    algorithm = answer.signature_hash_algorithm
    try:
        match key:
            case rsa.RSAPublicKey() if algorithm:
                key.verify(answer.signature, data, padding.PKCS1v15(), algorithm)
            case ec.EllipticCurvePublicKey() if algorithm:
                key.verify(answer.signature, data, ec.ECDSA(algorithm))
            case ed25519.Ed25519PublicKey() | ed448.Ed448PublicKey():
                key.verify(answer.signature, data)
            case _:
                return False
    except InvalidSignature:
        return False
    return True


def _sct_logs(answer: ocsp.OCSPResponse) -> tuple[str, ...]:
    """The logs of the SCTs in the response (RFC 6962, section 3.3)."""
    try:
        scts = answer.single_extensions.get_extension_for_class(x509.SignedCertificateTimestamps)
    except (*UNREADABLE, x509.ExtensionNotFound):
        return ()
    return tuple(dict.fromkeys(s.log_id.hex() for s in scts.value))


def _crl(data: bytes, leaf: bytes, issuer: bytes, url: str, at: datetime) -> tuple[Standing, str]:
    revoked = x509.load_der_x509_crl(data)
    cert, signer = (x509.load_der_x509_certificate(der) for der in (leaf, issuer))
    key = signer.public_key()
    if not isinstance(key, _CRL_KEYS) or revoked.issuer != cert.issuer:
        return Standing.UNKNOWN, _N("the list is of another issuer")
    if cert.issuer != signer.subject or not revoked.is_signature_valid(key):
        return Standing.UNKNOWN, _N("the signature is not the issuer's")
    if beside := _beside(revoked, cert, url):
        return Standing.UNKNOWN, beside
    if entry := revoked.get_revoked_certificate_by_serial_number(cert.serial_number):
        return Standing.REVOKED, f"since {entry.revocation_date_utc.date().isoformat()}"
    if revoked.next_update_utc is None or revoked.next_update_utc < at - SLACK:
        return Standing.UNKNOWN, _N("the list is out of date")
    return Standing.GOOD, ""


_CRL_KEYS = (
    rsa.RSAPublicKey,
    ec.EllipticCurvePublicKey,
    ed25519.Ed25519PublicKey,
    ed448.Ed448PublicKey,
)


def _beside(revoked: x509.CertificateRevocationList, cert: x509.Certificate, url: str) -> str:
    """Why the list does not speak for *cert*, empty if it does."""
    if any(
        e.critical and isinstance(e.value, x509.UnrecognizedExtension) for e in revoked.extensions
    ):
        return _N("the list has an unknown critical extension")
    scopes = {type(e.value): e.value for e in revoked.extensions}
    if x509.DeltaCRLIndicator in scopes:
        return _N("the list is a delta only")
    scope = scopes.get(x509.IssuingDistributionPoint)
    if not isinstance(scope, x509.IssuingDistributionPoint):
        return ""
    names = [
        n.value for n in scope.full_name or () if isinstance(n, x509.UniformResourceIdentifier)
    ]
    ca = _is_ca(cert)
    limits = {
        _N("the list is of another part"): bool(scope.full_name) and url not in names,
        _N("the list is for other certificates"): (scope.only_contains_user_certs and ca)
        or (scope.only_contains_ca_certs and not ca)
        or scope.only_contains_attribute_certs,
        _N("the list is of some reasons only"): scope.only_some_reasons is not None,
        _N("the list is an indirect one"): scope.indirect_crl,
        _N("the list is of a relative name"): scope.relative_name is not None,
    }
    return next((why for why, so in limits.items() if so), "")


def _is_ca(cert: x509.Certificate) -> bool:
    try:
        return cert.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    except x509.ExtensionNotFound:
        return False
