"""What the TLS registries consist of: versions, cipher suites, groups, signature schemes.

The types only; the tables are in `tlscheck.wire.registry`. Nothing here judges what it names.
"""

from dataclasses import dataclass
from enum import StrEnum


class Version(StrEnum):
    """A protocol version. Compare `rank`, never the text."""

    SSL_2_0 = "SSL 2.0"
    SSL_3_0 = "SSL 3.0"
    TLS_1_0 = "TLS 1.0"
    TLS_1_1 = "TLS 1.1"
    TLS_1_2 = "TLS 1.2"
    TLS_1_3 = "TLS 1.3"

    @property
    def code(self) -> int:
        """Its number on the wire."""
        return _VERSION_CODES[self]

    @property
    def rank(self) -> int:
        """Its place in time, from 0 for SSL 2.0 to 5 for TLS 1.3."""
        return _VERSION_RANKS[self]

    @classmethod
    def of_code(cls, code: int) -> "Version | None":
        """The version with that number on the wire, if it is one of these."""
        return _VERSION_BY_CODE.get(code)


_VERSION_CODES = dict(zip(Version, (0x0002, 0x0300, 0x0301, 0x0302, 0x0303, 0x0304), strict=True))
_VERSION_RANKS = {version: rank for rank, version in enumerate(Version)}
_VERSION_BY_CODE = {code: version for version, code in _VERSION_CODES.items()}

_SIGNING = frozenset({"RSA", "ECDSA", "DSS"})


@dataclass(frozen=True, slots=True)
class Suite:
    """A cipher suite, and the parts that its name is made of.

    `lowest` and `highest` are the versions in which a server may choose it. `bits` is the strength
    of the cipher against the best attack known, `hash` that of the handshake: of the PRF in
    TLS 1.2, of the key schedule in TLS 1.3. `recommended` is IANA's column, "-" if unregistered.
    """

    code: int
    name: str
    lowest: Version
    highest: Version
    key_exchange: str
    authentication: str
    encryption: str
    bits: int
    mac: str
    hash: str
    export: bool
    recommended: str
    registered: bool
    reference: str

    @property
    def aead(self) -> bool:
        """Whether it encrypts and authenticates in one."""
        return self.mac == "AEAD"

    @property
    def anonymous(self) -> bool:
        """Whether the server does not prove who it is."""
        return self.authentication in ("anon", "NULL")

    @property
    def elliptic(self) -> bool:
        """Whether the ServerKeyExchange carries the parameters of an elliptic curve."""
        return self.key_exchange in ("ECDHE", "ECDHE_PSK")

    @property
    def finite(self) -> bool:
        """Whether the ServerKeyExchange carries the parameters of a finite field."""
        return self.key_exchange in ("DHE", "DHE_PSK")

    @property
    def forward_secret(self) -> bool:
        """Whether recorded traffic stays secret when the server's key leaks later."""
        return self.elliptic or self.finite or self.lowest is Version.TLS_1_3

    @property
    def signed(self) -> bool:
        """Whether the ServerKeyExchange carries a signature."""
        # A temporary RSA key of an export suite is signed too, but only when one is sent.
        return self.key_exchange in ("DHE", "ECDHE", "SRP") and self.authentication in _SIGNING


@dataclass(frozen=True, slots=True)
class Group:
    """A group or KEM for the key exchange.

    `bits` is the size of the field or modulus, for a KEM or a hybrid the parameter set of ML-KEM;
    `strength` the security in bits after NIST SP 800-57 and FIPS 203, for a hybrid that of its
    KEM. `share_length` is the length of a client's public value, in bytes.
    """

    code: int
    name: str
    kind: str
    bits: int
    strength: int
    share_length: int
    tls12: bool
    tls13: bool


@dataclass(frozen=True, slots=True)
class Scheme:
    """A signature scheme, or a pair of hash and signature from TLS 1.2.

    `hash` is empty where the signature has its own. `tls13` says whether a server may sign with
    it in TLS 1.3.
    """

    code: int
    name: str
    hash: str
    kind: str
    tls13: bool
