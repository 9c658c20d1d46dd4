"""The clinic's own CA: a root, an intermediate, what they issue, and where to ask about it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import AuthorityInformationAccessOID, ExtendedKeyUsageOID, NameOID

from tlscheck.net import now

Key = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey
_YEAR = timedelta(days=365)


@dataclass(frozen=True, slots=True)
class Issued:
    """A certificate and its key."""

    certificate: x509.Certificate
    key: Key


class Authority:
    """Made anew for each demonstration; nothing of it is kept.

    *source* is the URL under which `files` are to be served.
    """

    def __init__(self, source: str) -> None:
        self._source = source
        self._at = now().replace(microsecond=0)
        self._root = self._issuer("tlscheck demo root", None)
        self.intermediate = self._issuer("tlscheck demo intermediate", self._root)

    @property
    def ca_file(self) -> bytes:
        """The root, as ``--ca-file`` wants it."""
        return self._root.certificate.public_bytes(Encoding.PEM)

    def files(self) -> Mapping[str, bytes]:
        """What the CA publishes, by path: the intermediate and both revocation lists."""
        return {
            "/intermediate.crt": self.intermediate.certificate.public_bytes(Encoding.DER),
            "/root.crl": self._revoked(self._root),
            "/intermediate.crl": self._revoked(self.intermediate),
        }

    def issue(self, host: str, *, use_rsa: bool, begin: timedelta, end: timedelta) -> Issued:
        """A server's certificate for *host*, valid from *begin* to *end* as of now."""
        key: Key = _rsa() if use_rsa else _ec()
        access = x509.AccessDescription(
            AuthorityInformationAccessOID.CA_ISSUERS, self._url("/intermediate.crt")
        )
        builder = (
            self._begun(host, key, self._at + begin, self._at + end)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_usage(authority=False, use_rsa=use_rsa), critical=True)
            .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), False)
            .add_extension(x509.SubjectAlternativeName([x509.DNSName(host)]), critical=False)
            .add_extension(x509.AuthorityInformationAccess([access]), critical=False)
        )
        return Issued(self._signed(builder, self.intermediate, "/intermediate.crl"), key)

    def _issuer(self, name: str, above: Issued | None) -> Issued:
        key = _ec()
        builder = (
            self._begun(name, key, self._at - _YEAR, self._at + 5 * _YEAR)
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .add_extension(_usage(authority=True, use_rsa=False), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), False)
        )
        if above:
            return Issued(self._signed(builder, above, "/root.crl"), key)
        return Issued(builder.issuer_name(_name(name)).sign(key, hashes.SHA256()), key)

    def _begun(
        self, name: str, key: Key, begin: datetime, end: datetime
    ) -> x509.CertificateBuilder:
        return (
            x509.CertificateBuilder()
            .subject_name(_name(name))
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(begin)
            .not_valid_after(end)
        )

    def _signed(self, builder: x509.CertificateBuilder, by: Issued, crl: str) -> x509.Certificate:
        point = x509.DistributionPoint([self._url(crl)], None, None, None)
        above = x509.AuthorityKeyIdentifier.from_issuer_public_key(by.key.public_key())
        return (
            builder.issuer_name(by.certificate.subject)
            .add_extension(above, critical=False)
            .add_extension(x509.CRLDistributionPoints([point]), critical=False)
            .sign(by.key, hashes.SHA256())
        )

    def _revoked(self, by: Issued) -> bytes:
        """The list of what *by* has revoked: nothing."""
        builder = (
            x509.CertificateRevocationListBuilder()
            .issuer_name(by.certificate.subject)
            .last_update(self._at - timedelta(days=1))
            .next_update(self._at + timedelta(days=6))
        )
        return builder.sign(by.key, hashes.SHA256()).public_bytes(Encoding.DER)

    def _url(self, path: str) -> x509.UniformResourceIdentifier:
        return x509.UniformResourceIdentifier(self._source + path)


def _ec() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


def _rsa() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, 2048)


def _name(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _usage(*, authority: bool, use_rsa: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not authority,
        content_commitment=False,
        key_encipherment=use_rsa,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=authority,
        crl_sign=authority,
        encipher_only=False,
        decipher_only=False,
    )
