"""What certification authorities say, and chains that no honest server sends."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp
from cryptography.x509.oid import AuthorityInformationAccessOID, ExtendedKeyUsageOID, NameOID

from tests.identities import Authority, Certificate
from tlscheck.model import State
from tlscheck.observations import certificate as seen
from tlscheck.observations.certificate import CertificateObservation, Chain, Trust

AT = datetime(2026, 11, 20, tzinfo=UTC)
DAY = timedelta(days=1)


def der(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(Encoding.DER)


def ders(issued: Certificate) -> tuple[bytes, ...]:
    """The certificate and its intermediates."""
    return tuple(map(der, x509.load_pem_x509_certificates(issued.cert.read_bytes())))


def ocsp_response(
    authority: Authority,
    leaf: x509.Certificate,
    *,
    revoked: bool = False,
    by: Authority | Certificate | None = None,
    at: datetime = AT,
    valid: timedelta = 7 * DAY,
) -> bytes:
    """An OCSP response on *leaf*, signed by its *authority*, or *by* another."""
    status = ocsp.OCSPCertStatus.REVOKED if revoked else ocsp.OCSPCertStatus.GOOD
    builder = ocsp.OCSPResponseBuilder().add_response(
        cert=leaf,
        issuer=authority.root,
        algorithm=hashes.SHA1(),
        cert_status=status,
        this_update=at - DAY,
        next_update=at - DAY + valid,
        revocation_time=at - DAY if revoked else None,
        revocation_reason=x509.ReasonFlags.key_compromise if revoked else None,
    )
    if isinstance(by, Certificate):
        signer, key = by.x509, by.private
        builder = builder.certificates([signer])
    else:
        signer, key = (by or authority).root, (by or authority).key
    builder = builder.responder_id(ocsp.OCSPResponderEncoding.HASH, signer)
    return builder.sign(key, hashes.SHA256()).public_bytes(Encoding.DER)


def responder(authority: Authority) -> Certificate:
    """A responder that *authority* has appointed."""
    usage = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.OCSP_SIGNING])
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "responder")])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(authority.root.subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(AT - DAY)
        .not_valid_after(AT + 30 * DAY)
        .add_extension(usage, critical=False)
        .sign(authority.key, hashes.SHA256())
    )
    return Certificate(certificate, key, authority.ca, authority.ca, authority.ca)


def crl(
    authority: Authority,
    *revoked: x509.Certificate,
    key: Any = None,
    at: datetime = AT,
    valid: timedelta = 7 * DAY,
    scope: x509.IssuingDistributionPoint | None = None,
) -> bytes:
    """The list of *revoked* certificates of *authority*."""
    builder = (
        x509.CertificateRevocationListBuilder()
        .issuer_name(authority.root.subject)
        .last_update(at - DAY)
        .next_update(at - DAY + valid)
    )
    for one in revoked:
        entry = x509.RevokedCertificateBuilder().serial_number(one.serial_number)
        builder = builder.add_revoked_certificate(entry.revocation_date(at - DAY).build())
    if scope:
        builder = builder.add_extension(scope, critical=True)
    return builder.sign(key or authority.key, hashes.SHA256()).public_bytes(Encoding.DER)


def distribution_point(url: str | None = None, **only: bool) -> x509.IssuingDistributionPoint:
    given = {
        "only_contains_user_certs": False,
        "only_contains_ca_certs": False,
        "indirect_crl": False,
        "only_contains_attribute_certs": False,
    } | only
    return x509.IssuingDistributionPoint(
        full_name=[x509.UniformResourceIdentifier(url)] if url else None,
        relative_name=None,
        only_some_reasons=None,
        **given,
    )


def sources(
    *, ocsp_url: str = "", issuer_url: str = "", crl_url: str = ""
) -> list[tuple[x509.ExtensionType, bool]]:
    """Extensions that say where a CA can be asked."""
    access = [
        x509.AccessDescription(method, x509.UniformResourceIdentifier(url))
        for method, url in (
            (AuthorityInformationAccessOID.OCSP, ocsp_url),
            (AuthorityInformationAccessOID.CA_ISSUERS, issuer_url),
        )
        if url
    ]
    found: list[tuple[x509.ExtensionType, bool]] = []
    if access:
        found.append((x509.AuthorityInformationAccess(access), False))
    if crl_url:
        point = x509.DistributionPoint([x509.UniformResourceIdentifier(crl_url)], None, None, None)
        found.append((x509.CRLDistributionPoints([point]), False))
    return found


def knot(copies: int = 9) -> tuple[bytes, ...]:
    """A leaf and *copies* of one self-signed CA, the same in name and key (CVE-2026-69249)."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Knot")])
    usage = x509.KeyUsage(
        digital_signature=False,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=True,
        crl_sign=True,
        encipher_only=False,
        decipher_only=False,
    )
    builder = (
        x509.CertificateBuilder()
        .issuer_name(name)
        .public_key(key.public_key())
        .not_valid_before(AT - 30 * DAY)
        .not_valid_after(AT + 300 * DAY)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(key.public_key()), False)
    )
    leaf = (
        builder.subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")]))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .serial_number(1000)
    )
    authority = (
        builder.subject_name(name)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), False)
    )
    several = [authority.serial_number(n + 1) for n in range(copies)]
    return tuple(der(b.sign(key, hashes.SHA256())) for b in (leaf, *several))


# -- Observations for rules: everything good, of which a test changes one thing -------------------

LEAF = seen.Certificate(
    sha256="a" * 64,
    der="",
    subject="CN=www.example.jp",
    issuer="CN=Good CA,O=Good Corp.",
    common_name="www.example.jp",
    issuer_organisation="Good Corp.",
    names=("www.example.jp", "*.example.jp"),
    addresses=("192.0.2.1",),
    not_before=AT - 30 * DAY,
    not_after=AT + 60 * DAY,
    key="ECDSA",
    key_bits=256,
    curve="secp256r1",
    signature_hash="SHA256",
    sct_logs=("01" * 32, "02" * 32),
    ocsp=("http://ocsp.example/",),
)
ROOT = replace(
    LEAF,
    sha256="c" * 64,
    subject="CN=Good CA,O=Good Corp.",
    organisation="Good Corp.",
    names=(),
    ca=True,
    signature_hash="SHA1",
)
GOOD = Chain(
    certificates=(LEAF,),
    sent=1,
    missing_intermediate=State.REFUSED,
    path=Trust(State.ACCEPTED),
    strict=Trust(State.ACCEPTED),
    trust=dict.fromkeys(("mozilla", "apple", "microsoft", "google", "java"), Trust(State.ACCEPTED)),
    way=(LEAF, ROOT),
    stapling=State.ACCEPTED,
    staple=seen.Staple(seen.Standing.GOOD, AT - DAY, AT + DAY),
    tls_sct_logs=(),
    revocation=(seen.Revocation(LEAF.sha256, seen.Standing.GOOD, "ocsp"),),
)


def chain(leaf: dict[str, Any] | None = None, **changes: Any) -> Chain:
    """A good chain with another *leaf* and other changes."""
    one = replace(LEAF, **(leaf or {}))
    default = {"certificates": (one,), "way": (one, ROOT)}
    return replace(GOOD, **(default | changes))


def observation(*chains: Chain, **changes: Any) -> CertificateObservation:
    """A good observation with changes."""
    default: dict[str, Any] = {
        "at": AT,
        "asked_name": "www.example.jp",
        "chains": chains or (GOOD,),
        "trust_dates": {"mozilla": "2026-10-18"},
        "clock_skew": 0.5,
        "key_shared_with": (),
    }
    return CertificateObservation(**(default | changes))
