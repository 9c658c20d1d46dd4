"""A certification authority for the tests, and the certificates that it issues."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    pkcs12,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey
SigningKey = PrivateKey | dsa.DSAPrivateKey
Digest = hashes.SHA256 | hashes.SHA384 | hashes.SHA512
"""What certificates can be signed with; cryptography signs none with SHA-1 any more."""
PASSWORD = b"changeit"

_CURVES: dict[str, ec.EllipticCurve] = {
    "p256": ec.SECP256R1(),
    "p384": ec.SECP384R1(),
    "p521": ec.SECP521R1(),
}


def private_key(kind: str) -> SigningKey:
    """A new key: ``rsa-2048``, ``p256``, ``p384``, ``p521``, ``ed25519`` or ``dsa-2048``."""
    if kind in _CURVES:
        return ec.generate_private_key(_CURVES[kind])
    if kind == "ed25519":
        return ed25519.Ed25519PrivateKey.generate()
    algorithm, _, size = kind.partition("-")
    if algorithm == "dsa":
        return dsa.generate_private_key(int(size))
    return rsa.generate_private_key(65537, int(size))


@dataclass(frozen=True)
class Certificate:
    """A certificate with its key and what stands between it and the root, in files too."""

    x509: x509.Certificate
    private: SigningKey
    cert: Path
    """PEM: the certificate and its intermediates, without the root."""
    key: Path
    """PEM: the private key."""
    both: Path
    """PEM: certificate, intermediates and key in one file, as haproxy wants it."""

    @property
    def chain(self) -> Path | None:
        """PEM: the intermediates alone, as ``openssl s_server`` wants them; none, no file."""
        _, *rest = x509.load_pem_x509_certificates(self.cert.read_bytes())
        path = self.cert.with_suffix(".chain")
        path.write_bytes(b"".join(c.public_bytes(Encoding.PEM) for c in rest))
        return path if rest else None

    @property
    def pkcs12(self) -> Path:
        """The same as PKCS #12 under `PASSWORD`, as Java wants it."""
        path = self.cert.with_suffix(".p12")
        if not path.exists():
            assert not isinstance(self.private, ed25519.Ed25519PrivateKey)
            _, *rest = x509.load_pem_x509_certificates(self.cert.read_bytes())
            path.write_bytes(
                pkcs12.serialize_key_and_certificates(
                    b"server", self.private, self.x509, rest, BestAvailableEncryption(PASSWORD)
                )
            )
        return path


@dataclass
class Authority:
    """Issues certificates into a folder; ``ca`` is its root as PEM."""

    folder: Path
    name: str = "Test Root"
    parent: Authority | None = None
    """The authority above, for an intermediate one."""
    kind: str = "p256"
    key: SigningKey = field(init=False)
    root: x509.Certificate = field(init=False)
    ca: Path = field(init=False)
    _issued: int = field(init=False, default=0)

    def __post_init__(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        self.key = private_key(self.kind)
        builder = _builder(_name(self.name), self.key, timedelta(days=-30), timedelta(days=3650))
        self.root = self._sign(
            builder.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .add_extension(_usage(authority=True), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(self.key.public_key()), False),
            self.parent or self,
        )
        self.ca = self.folder / "ca.pem"
        self.ca.write_bytes(self.root.public_bytes(Encoding.PEM))

    def intermediate(self, name: str = "Test Intermediate") -> Authority:
        """An authority under this one; what it issues carries its certificate along."""
        return Authority(self.folder / name.replace(" ", "-"), name, self, self.kind)

    def issue(
        self,
        *names: str,
        kind: str = "rsa-2048",
        key: SigningKey | None = None,
        start: timedelta = timedelta(days=-1),
        end: timedelta = timedelta(days=90),
        digest: Digest | None = None,
        self_signed: bool = False,
        extensions: Sequence[tuple[x509.ExtensionType, bool]] = (),
    ) -> Certificate:
        """A certificate for *names* (domain names or addresses), valid from *start* to *end*."""
        key = key or private_key(kind)
        names = names or ("localhost", "127.0.0.1", "::1")
        builder = _builder(_name(names[0]), key, start, end)
        ours: list[tuple[x509.ExtensionType, bool]] = [
            (x509.BasicConstraints(ca=False, path_length=None), True),
            (_usage(authority=False), True),
            (
                x509.ExtendedKeyUsage(
                    [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]
                ),
                False,
            ),
            (x509.SubjectAlternativeName([_general_name(name) for name in names]), False),
        ]
        for extension, critical in [*ours, *extensions]:
            builder = builder.add_extension(extension, critical)
        if self_signed:
            certificate = builder.issuer_name(_name(names[0])).sign(key, digest or _digest(key))
            return self._files(certificate, key, [])
        return self._files(self._sign(builder, self, digest), key, self._chain())

    def _chain(self) -> list[x509.Certificate]:
        return [self.root, *self.parent._chain()] if self.parent else []

    def _sign(
        self,
        builder: x509.CertificateBuilder,
        by: Authority,
        digest: Digest | None = None,
    ) -> x509.Certificate:
        authority = x509.AuthorityKeyIdentifier.from_issuer_public_key(by.key.public_key())
        return (
            builder.issuer_name(_name(by.name))
            .add_extension(authority, critical=False)
            .sign(by.key, digest or _digest(by.key))
        )

    def _files(
        self, certificate: x509.Certificate, key: SigningKey, chain: list[x509.Certificate]
    ) -> Certificate:
        self._issued += 1
        stem = self.folder / f"{self._issued}"
        pem = b"".join(c.public_bytes(Encoding.PEM) for c in [certificate, *chain])
        # OpenSSL 1.0 and GnuTLS read the traditional form; Ed25519 has none.
        form = PrivateFormat.PKCS8
        if not isinstance(key, ed25519.Ed25519PrivateKey):
            form = PrivateFormat.TraditionalOpenSSL
        secret = key.private_bytes(Encoding.PEM, form, NoEncryption())
        paths = [stem.with_suffix(end) for end in (".pem", ".key", ".both")]
        for path, content in zip(paths, (pem, secret, pem + secret), strict=True):
            path.write_bytes(content)
        return Certificate(certificate, key, *paths)


@dataclass(frozen=True)
class Identity:
    """What a test's servers are by default: an authority, an RSA and an ECDSA certificate."""

    authority: Authority
    rsa: Certificate
    ec: Certificate

    @property
    def ca(self) -> Path:
        """The root as PEM."""
        return self.authority.ca

    @property
    def both(self) -> tuple[Certificate, Certificate]:
        """The certificates of a server that has both kinds."""
        return self.rsa, self.ec


def identity(folder: Path, *names: str) -> Identity:
    """A new authority with certificates for *names*, ``localhost`` and loopback if none."""
    authority = Authority(folder)
    return Identity(authority, authority.issue(*names), authority.issue(*names, kind="p256"))


def _name(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _general_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _digest(key: SigningKey) -> Digest | None:
    return None if isinstance(key, ed25519.Ed25519PrivateKey) else hashes.SHA256()


def _builder(
    name: x509.Name, key: SigningKey, start: timedelta, end: timedelta
) -> x509.CertificateBuilder:
    now = datetime.now(UTC).replace(microsecond=0)
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now + start)
        .not_valid_after(now + end)
    )


def _usage(*, authority: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not authority,
        content_commitment=False,
        key_encipherment=not authority,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=authority,
        crl_sign=authority,
        encipher_only=False,
        decipher_only=False,
    )
