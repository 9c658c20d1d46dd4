"""What can be known of an endpoint's certificates: what was sent, and what checking it gave.

Parsing reads and never verifies. Nothing that a server sends makes it raise: what cannot be read
is named in `Certificate.unread`.
"""

from __future__ import annotations

import base64
import hashlib
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from functools import partial
from typing import Any, TypeVar

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed448, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import AuthorityInformationAccessOID, NameOID

from tlscheck.model import Observation, State
from tlscheck.observations.exchange import Exchange
from tlscheck.observations.tls import TlsObservation
from tlscheck.wire.hello import Extension
from tlscheck.wire.registry import Version

MOST_CERTIFICATES = 10
"""How many certificates of a chain are considered."""
MOST_BYTES = 65536
"""How large a certificate may be."""

POLICIES = {
    "2.23.140.1.1": "EV",
    "2.23.140.1.2.1": "DV",
    "2.23.140.1.2.2": "OV",
    "2.23.140.1.2.3": "IV",
}
"""What the CA/Browser Forum's policy identifiers say of how the subject was validated."""

UNREADABLE = (
    ValueError,  # cryptography's word for malformed DER
    TypeError,
    OverflowError,
    UnsupportedAlgorithm,
    x509.InvalidVersion,
    x509.DuplicateExtension,
    x509.UnsupportedGeneralNameType,
)
"""What reading a certificate, a response or a list may raise."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Presented:
    """A chain as a server sent it in one handshake."""

    chain: tuple[bytes, ...]
    """DER, in the order sent."""
    with_sni: bool = True
    """Sent in answer to a hello that named the server."""
    staple_asked: bool = False
    stapled: bytes | None = None
    scts: bytes | None = None
    """The content of the signed_certificate_timestamp extension: ``b""`` where it was asked for
    and none came, ``None`` where it was not asked for."""


@dataclass(frozen=True, slots=True)
class Certificate:
    """One certificate, read and not verified."""

    sha256: str
    der: str
    """Base64; empty where the certificate is too large to keep."""
    unread: tuple[str, ...] = ()
    """What could not be read: ``certificate``, ``names``, ``dates``, ``key``, ``signature``,
    ``extensions``."""
    subject: str = ""
    issuer: str = ""
    """RFC 4514."""
    common_name: str = ""
    organisation: str = ""
    issuer_organisation: str = ""
    names: tuple[str, ...] = ()
    """DNS names (A-labels) of the subjectAltName."""
    addresses: tuple[str, ...] = ()
    """Addresses of the subjectAltName."""
    serial: str = ""
    """Hexadecimal."""
    not_before: datetime | None = None
    not_after: datetime | None = None
    key: str = ""
    """``RSA``, ``ECDSA``, ``DSA``, ``Ed25519``, ``Ed448``."""
    key_bits: int = 0
    curve: str = ""
    signature_hash: str = ""
    """``SHA256`` …; empty for EdDSA, which has none of its own."""
    policy: str = ""
    """``DV``, ``OV``, ``EV``, ``IV``, or empty where no such policy is named."""
    ca: bool = False
    must_staple: bool = False
    sct_logs: tuple[str, ...] = ()
    """The logs (hexadecimal ids) of the embedded SCTs."""
    ocsp: tuple[str, ...] = ()
    crl: tuple[str, ...] = ()
    issuers: tuple[str, ...] = ()
    """Where the certificate says that its issuer's can be had (AIA)."""
    spki_sha256: str = ""

    @property
    def self_issued(self) -> bool:
        """Subject and issuer are the same."""
        return bool(self.subject) and self.subject == self.issuer


class Standing(StrEnum):
    """What is known of a certificate's revocation."""

    GOOD = "good"
    REVOKED = "revoked"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Revocation:
    """What one source said of one certificate."""

    certificate: str
    """Its sha256."""
    standing: Standing = Standing.UNKNOWN
    source: str = ""
    """``stapled``, ``ocsp``, ``crl``; empty where none was asked or none answered."""
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Staple:
    """A stapled OCSP response."""

    standing: Standing = Standing.UNKNOWN
    """Only what a valid signature vouches for, whatever its dates."""
    this_update: datetime | None = None
    next_update: datetime | None = None
    detail: str = ""
    sct_logs: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Trust:
    """What one check of a chain gave."""

    state: State = State.UNKNOWN
    detail: str = ""
    """The objection in the checker's own words, or why there is no answer."""
    code: int = 0
    """OpenSSL's number of the objection (X509_V_ERR_…)."""

    @property
    def of_time(self) -> bool:
        """The objection is that a certificate is not valid yet or not any more."""
        return self.code in (9, 10)


@dataclass(frozen=True, slots=True)
class Chain:
    """One distinct chain that the server sends."""

    certificates: tuple[Certificate, ...]
    """As sent, the leaf first, at most `MOST_CERTIFICATES`."""
    sent: int = 0
    """How many were sent."""
    with_sni: bool = True
    in_order: bool = True
    """Each certificate is followed by its issuer's."""
    needless: tuple[str, ...] = ()
    """Subjects of certificates that do not help: roots, repetitions, strangers."""
    missing_intermediate: State = State.UNKNOWN
    """Accepted: one is missing; `completed_from` tells where it was found."""
    completed_from: tuple[str, ...] = ()
    path: Trust = Trust()
    """OpenSSL's word on the chain as sent, now, up to any root of any store."""
    strict: Trust = Trust()
    """The word of cryptography's verifier, which follows the Web PKI's rules to the letter and so
    refuses some of what browsers take: evidence, never a verdict."""
    trust: Mapping[str, Trust] = field(default_factory=dict)
    """By store, whether the chain leads to one of its roots, dates left aside."""
    ca_file: Trust | None = None
    """The same for ``--ca-file``, ``None`` without one."""
    way: tuple[Certificate, ...] = ()
    """The path that OpenSSL found, from the leaf to the root."""
    stapling: State = State.UNKNOWN
    staple: Staple | None = None
    tls_sct_logs: tuple[str, ...] | None = None
    """The logs of the SCTs in the TLS extension, ``None`` where it was not asked for."""
    revocation: tuple[Revocation, ...] = ()
    """One for each certificate of the path but the root."""

    @property
    def leaf(self) -> Certificate:
        """The server's own certificate."""
        return self.certificates[0]

    @property
    def following(self) -> tuple[Certificate, ...]:
        """The leaf and the sent certificates that follow from it, issuer by issuer, by name."""
        return issued(self.certificates)

    @property
    def root(self) -> Certificate | None:
        """The root that the path was found to lead to."""
        return self.way[-1] if self.way else None

    @property
    def judged(self) -> tuple[Certificate, ...]:
        """The certificates of the path but the root; where none was found, those sent that
        follow each other by name."""
        found = self.way[:-1] or self.way
        return found or tuple(c for c in self.following if c is self.leaf or not c.self_issued)


@dataclass(frozen=True, slots=True, kw_only=True)
class CertificateObservation(Observation):
    """Everything seen of one endpoint's certificates."""

    asked_name: str
    """The name (A-labels) or address that the certificate must carry."""
    chains: tuple[Chain, ...]
    unseen: tuple[str, ...] = ()
    """Key types (as suites name them) of certificates that the server is known to have and that
    were not looked at."""
    maybe_more: bool = False
    """Whether the server has certificates for other keys was not settled."""
    trust_dates: Mapping[str, str] = field(default_factory=dict)
    """The date of each store."""
    clock_skew: float | None = None
    """Seconds by which our clock is ahead of the server's ``Date``; ``None`` if not compared."""
    key_shared_with: tuple[str, ...] | None = None
    """Unrelated targets whose leaf has the same key; ``None`` if not compared."""
    key_unseen_at: tuple[str, ...] = ()
    """Targets with which it could not be compared, for their certificate was not seen."""

    def asked(self) -> tuple[Chain, ...]:
        """The chains sent for the asked name: those sent without SNI count only where nothing
        else was asked."""
        return tuple(c for c in self.chains if c.with_sni) or self.chains


def presented(exchanges: Iterable[Exchange]) -> tuple[Presented, ...]:
    """The chains in *exchanges*, which TLS 1.2 and older send in clear."""
    return merged(
        Presented(
            chain=exchange.flight.certificates,
            with_sni=exchange.named,
            staple_asked=exchange.hello.extension(Extension.STATUS_REQUEST) is not None,
            stapled=exchange.flight.status or None,
            scts=None
            if exchange.hello.extension(Extension.SIGNED_CERTIFICATE_TIMESTAMP) is None
            else hello.extensions.get(Extension.SIGNED_CERTIFICATE_TIMESTAMP, b""),
        )
        for exchange in exchanges
        if (hello := exchange.flight.hello) and exchange.flight.certificates
    )


_KINDS = {"rsa": "RSA", "ed25519": "Ed25519", "ed448": "Ed448"}
"""Kinds of key by the first word of the schemes that they sign with; else ECDSA."""


def key_types(seen: TlsObservation) -> frozenset[str]:
    """What the server's keys are known to be, as suites name them (``RSA``, ``ECDSA`` …)."""
    schemes = seen.schemes.get(Version.TLS_1_3, ())
    kinds = {_KINDS.get(scheme.partition("_")[0], "ECDSA") for scheme in schemes}
    return frozenset(kinds.union(seen.certificate_types))


def merged(several: Iterable[Presented]) -> tuple[Presented, ...]:
    """One of each chain; what came with it once counts."""
    found: dict[tuple[tuple[bytes, ...], bool], Presented] = {}
    for new in several:
        old = found.setdefault((new.chain, new.with_sni), new)
        found[new.chain, new.with_sni] = Presented(
            chain=new.chain,
            with_sni=new.with_sni,
            staple_asked=old.staple_asked or new.staple_asked,
            stapled=new.stapled or old.stapled,
            scts=old.scts or new.scts if new.scts is not None else old.scts,
        )
    return tuple(found.values())


def parse(sent: Presented) -> Chain:
    """The chain as it was sent, nothing verified."""
    certificates = tuple(certificate(der) for der in sent.chain[:MOST_CERTIFICATES])
    following = issued(certificates)
    helpful = [c for c in following if c is certificates[0] or not c.self_issued]
    return Chain(
        certificates=certificates,
        sent=len(sent.chain),
        with_sni=sent.with_sni,
        in_order=list(following) == list(certificates[: len(following)]),
        needless=tuple(
            c.subject or c.sha256 for c in certificates if not any(c is h for h in helpful)
        ),
        stapling=_stapling(sent),
        tls_sct_logs=None if sent.scts is None else sct_logs(sent.scts),
    )


def issued(certificates: Sequence[Certificate]) -> tuple[Certificate, ...]:
    """The leaf and the certificates that follow from it, issuer by issuer, by name."""
    following, left = list(certificates[:1]), list(certificates[1:])
    while following and not following[-1].self_issued:
        issuer = following[-1].issuer
        found = next((c for c in left if issuer and c.subject == issuer), None)
        if found is None:
            break
        left.remove(found)
        following.append(found)
    return tuple(following)


def certificate(der: bytes) -> Certificate:
    """One certificate, as far as it can be read."""
    sha256 = hashlib.sha256(der).hexdigest()
    if len(der) > MOST_BYTES:
        return Certificate(sha256, "", ("certificate",))
    kept = base64.b64encode(der).decode()
    with warnings.catch_warnings():  # odd serials and the like, which are no news here
        warnings.simplefilter("ignore")
        try:
            cert = x509.load_der_x509_certificate(der)
        except UNREADABLE:
            return Certificate(sha256, kept, ("certificate",))
        parts: dict[str, Callable[[x509.Certificate], dict[str, Any]]] = {
            "names": _names,
            "dates": _dates,
            "key": _key,
            "signature": _signature,
            "extensions": _extensions,
        }
        fields: dict[str, Any] = {}
        unread = []
        for part, read in parts.items():
            found = attempt(partial(read, cert))
            fields |= found or {}
            if found is None:
                unread.append(part)
        return Certificate(sha256, kept, tuple(unread), **fields)


def attempt(read: Callable[[], T]) -> T | None:
    """What *read* gives, ``None`` where the bytes are not what they should be."""
    try:
        return read()
    except UNREADABLE:
        return None


def sct_logs(extension: bytes) -> tuple[str, ...]:
    """The log ids of a SignedCertificateTimestampList (RFC 6962, section 3.3)."""
    logs, rest = [], extension[2:]
    while len(rest) >= 2 + 33:
        size = int.from_bytes(rest[:2], "big")
        logs.append(rest[3:35].hex())
        rest = rest[2 + size :]
    return tuple(dict.fromkeys(logs))


def _stapling(sent: Presented) -> State:
    if sent.stapled:
        return State.ACCEPTED
    return State.REFUSED if sent.staple_asked else State.UNKNOWN


def _names(cert: x509.Certificate) -> dict[str, Any]:
    return {
        "serial": f"{cert.serial_number:x}",
        "subject": cert.subject.rfc4514_string(),
        "issuer": cert.issuer.rfc4514_string(),
        "common_name": _attribute(cert.subject, NameOID.COMMON_NAME),
        "organisation": _attribute(cert.subject, NameOID.ORGANIZATION_NAME),
        "issuer_organisation": _attribute(cert.issuer, NameOID.ORGANIZATION_NAME),
    }


def _attribute(name: x509.Name, oid: x509.ObjectIdentifier) -> str:
    found = name.get_attributes_for_oid(oid)
    return str(found[0].value) if found else ""


def _dates(cert: x509.Certificate) -> dict[str, Any]:
    return {"not_before": cert.not_valid_before_utc, "not_after": cert.not_valid_after_utc}


def _key(cert: x509.Certificate) -> dict[str, Any]:
    key = cert.public_key()
    spki = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    found: dict[str, Any] = {"spki_sha256": hashlib.sha256(spki).hexdigest()}
    match key:
        case rsa.RSAPublicKey():
            return found | {"key": "RSA", "key_bits": key.key_size}
        case ec.EllipticCurvePublicKey():
            return found | {"key": "ECDSA", "key_bits": key.key_size, "curve": key.curve.name}
        case ed25519.Ed25519PublicKey():
            return found | {"key": "Ed25519", "key_bits": 256, "curve": "Ed25519"}
        case ed448.Ed448PublicKey():
            return found | {"key": "Ed448", "key_bits": 456, "curve": "Ed448"}
        case dsa.DSAPublicKey():
            return found | {"key": "DSA", "key_bits": key.key_size}
    return found | {"key": type(key).__name__.removesuffix("PublicKey")}


def _signature(cert: x509.Certificate) -> dict[str, Any]:
    algorithm = cert.signature_hash_algorithm
    return {"signature_hash": algorithm.name.upper() if algorithm else ""}


def _extensions(cert: x509.Certificate) -> dict[str, Any]:
    found = {type(e.value): e.value for e in cert.extensions}
    san = found.get(x509.SubjectAlternativeName)
    policies = found.get(x509.CertificatePolicies)
    constraints = found.get(x509.BasicConstraints)
    features = found.get(x509.TLSFeature)
    scts = found.get(x509.PrecertificateSignedCertificateTimestamps)
    access = found.get(x509.AuthorityInformationAccess) or ()
    points = found.get(x509.CRLDistributionPoints) or ()
    names: dict[str, Any] = {}
    if isinstance(san, x509.SubjectAlternativeName):
        names["names"] = tuple(san.get_values_for_type(x509.DNSName))
        names["addresses"] = tuple(map(str, san.get_values_for_type(x509.IPAddress)))
    return names | {
        "policy": _policy(policies if isinstance(policies, x509.CertificatePolicies) else ()),
        "ca": isinstance(constraints, x509.BasicConstraints) and constraints.ca,
        "must_staple": isinstance(features, x509.TLSFeature)
        and x509.TLSFeatureType.status_request in features,
        "sct_logs": tuple(dict.fromkeys(s.log_id.hex() for s in scts))
        if isinstance(scts, x509.PrecertificateSignedCertificateTimestamps)
        else (),
        "ocsp": _urls(access, AuthorityInformationAccessOID.OCSP),
        "issuers": _urls(access, AuthorityInformationAccessOID.CA_ISSUERS),
        "crl": tuple(
            name.value
            for point in points
            if isinstance(point, x509.DistributionPoint)
            for name in point.full_name or ()
            if isinstance(name, x509.UniformResourceIdentifier)
        ),
    }


def _policy(policies: Sequence[x509.PolicyInformation] | x509.CertificatePolicies) -> str:
    named = (POLICIES.get(p.policy_identifier.dotted_string) for p in policies)
    return next((name for name in named if name), "")


def _urls(access: Any, method: x509.ObjectIdentifier) -> tuple[str, ...]:
    return tuple(
        entry.access_location.value
        for entry in access
        if entry.access_method == method
        and isinstance(entry.access_location, x509.UniformResourceIdentifier)
    )
