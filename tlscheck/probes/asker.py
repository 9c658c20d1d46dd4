"""Builds hellos: the shapes for servers that choke on ours, and the questions that they put."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from tlscheck.observations.exchange import Exchange
from tlscheck.observations.knowledge import FINITE_CONTROL, SUITE
from tlscheck.wire.hello import (
    FALLBACK_SCSV,
    RENEGOTIATION_SCSV,
    ClientHello,
    Extension,
    Extensions,
    Ssl2Hello,
    code_points,
    key_shares,
    protocols,
    server_name,
    supported_versions,
)
from tlscheck.wire.registry import (
    GROUP_BY_NAME,
    SCHEME_BY_NAME,
    SCHEMES,
    SSL2_KINDS,
    SUITE_BY_NAME,
    Version,
)
from tlscheck.wire.shares import share

REAL_SHARES = ("x25519", "secp256r1")
_BOGUS_SCHEME = 0xFE0F
"""A private-use code point (RFC 8446, section 4.2.3) that no server knows."""
_ALL_SCHEMES = code_points([s.code for s in SCHEMES])
"""What certificates may be signed with is never what is asked: JSSE checks the chain by it."""
_BROWSER_SUITES = (
    0x1301, 0x1303, 0x1302, 0xC02B, 0xC02F, 0xCCA9, 0xCCA8, 0xC02C, 0xC030, 0xC00A, 0xC009, 0xC013,
    0xC014, 0x009C, 0x009D, 0x002F, 0x0035,
)  # fmt: skip
_BROWSER_GROUPS = ("X25519MLKEM768", "x25519", "secp256r1", "secp384r1", "secp521r1")
_BROWSER_SCHEMES = (
    "ecdsa_secp256r1_sha256", "ecdsa_secp384r1_sha384", "ecdsa_secp521r1_sha512",
    "rsa_pss_rsae_sha256", "rsa_pss_rsae_sha384", "rsa_pss_rsae_sha512",
    "rsa_pkcs1_sha256", "rsa_pkcs1_sha384", "rsa_pkcs1_sha512", "ecdsa_sha1", "rsa_pkcs1_sha1",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Shape:
    """One rung of the ladder of hello shapes for servers that choke on ours."""

    name: str
    most_suites: int
    padded: bool
    plain: bool
    """Only the extensions that old servers know, and only common groups and schemes: short."""


LADDER = (
    Shape("full", 280, padded=True, plain=False),
    Shape("short", 88, padded=True, plain=False),
    Shape("plain", 28, padded=False, plain=True),
)


@dataclass(frozen=True, slots=True)
class Question:
    """One hello to send, and how to go on."""

    hello: ClientHello | Ssl2Hello
    about: str
    """What it is about, for the live line: ``TLS 1.2 suites``."""
    retry: bool = False
    """Answer a HelloRetryRequest by a second hello with a real share."""
    early_ccs: bool = False
    """Send a ChangeCipherSpec after the server's flight, before its time."""


@dataclass(frozen=True)
class Asker:
    """Builds hellos for one endpoint."""

    name: str | None
    """The server name to send (A-label), ``None`` for none."""
    noise: Callable[[int], bytes]
    """Random bytes."""
    shape: Shape = LADDER[0]
    shares: bool = False
    """The server refuses an empty key_share: send a real one always."""
    hybrids: bool = True
    """Offer post-quantum groups; not where whatever has them is stopped on the way."""

    def browser(self) -> Question:
        """A hello shaped like a mainstream browser's: first canary, and test for filters."""
        extensions = [
            *self._name(),
            (Extension.EXTENDED_MASTER_SECRET, b""),
            (Extension.RENEGOTIATION_INFO, b"\x00"),
            (Extension.SUPPORTED_GROUPS, code_points(_codes(_BROWSER_GROUPS))),
            (Extension.EC_POINT_FORMATS, b"\x01\x00"),
            (Extension.SESSION_TICKET, b""),
            (Extension.ALPN, protocols((b"h2", b"http/1.1"))),
            (Extension.STATUS_REQUEST, b"\x01\x00\x00\x00\x00"),
            (Extension.KEY_SHARE, _shares(REAL_SHARES)),
            (Extension.SUPPORTED_VERSIONS, supported_versions((0x0304, 0x0303))),
            (Extension.SIGNATURE_ALGORITHMS, code_points(_scheme_codes(_BROWSER_SCHEMES))),
            (Extension.PSK_KEY_EXCHANGE_MODES, b"\x01\x01"),
        ]
        hello = ClientHello(
            0x0303, self.noise(32), _BROWSER_SUITES, self.noise(32), extensions=tuple(extensions)
        )
        return Question(_pad(hello), "versions")

    def ssl2(self) -> Question:
        """The question for SSL 2.0."""
        return Question(Ssl2Hello(tuple(SSL2_KINDS), self.noise(16)), "SSL 2.0")

    def classic(
        self,
        version: Version,
        suites: Sequence[str],
        groups: Sequence[str],
        schemes: Sequence[str],
        *,
        fallback: bool = False,
        named: bool = True,
        tickets: bool = True,
        early_ccs: bool = False,
        about: str = SUITE,
    ) -> Question:
        """A hello with at most *version* (SSL 3.0 to TLS 1.2)."""
        codes = [SUITE_BY_NAME[name].code for name in suites]
        codes += [RENEGOTIATION_SCSV] + [FALLBACK_SCSV] * fallback
        extensions: list[tuple[int, bytes]] = list(self._name()) if named else []
        if any(SUITE_BY_NAME[name].elliptic or SUITE_BY_NAME[name].finite for name in suites):
            offered = [code for g in groups for code in _codes((g,))] or [FINITE_CONTROL]
            extensions.append((Extension.SUPPORTED_GROUPS, code_points(offered)))
            extensions.append((Extension.EC_POINT_FORMATS, b"\x01\x00"))
        if version is Version.TLS_1_2:
            signing = code_points(_scheme_codes(schemes) or (_BOGUS_SCHEME,))
            extensions.append((Extension.SIGNATURE_ALGORITHMS, signing))
            extensions.append((Extension.SIGNATURE_ALGORITHMS_CERT, _ALL_SCHEMES))
        if tickets:
            extensions.append((Extension.SESSION_TICKET, b""))
        if not self.shape.plain:
            extensions += [
                (Extension.EXTENDED_MASTER_SECRET, b""),
                (Extension.ENCRYPT_THEN_MAC, b""),
                (Extension.HEARTBEAT, b"\x01"),
                (Extension.STATUS_REQUEST, b"\x01\x00\x00\x00\x00"),
                (Extension.SIGNED_CERTIFICATE_TIMESTAMP, b""),
                (Extension.ALPN, protocols((b"h2", b"http/1.1"))),
            ]
        bare = version is Version.SSL_3_0
        hello = ClientHello(
            version.code,
            self.noise(32),
            tuple(codes),
            b"" if self.shape.plain else self.noise(32),
            compressions=b"\x01\x00",
            extensions=None if bare else tuple(extensions),
            record_version=0x0300 if bare else 0x0301,
        )
        padded = hello if bare or not self.shape.padded else _pad(hello)
        return Question(padded, f"{version} {about}", early_ccs=early_ccs)

    def modern(
        self,
        suites: Sequence[str],
        groups: Sequence[str],
        schemes: Sequence[str],
        *,
        shares: Sequence[str] = (),
        retry: bool = False,
        about: str = SUITE,
    ) -> Question:
        """A hello for TLS 1.3 alone; without *shares* it asks for a HelloRetryRequest."""
        if self.shares and not shares:
            shares = [g for g in groups if has_share(g)][:1]
        extensions = [
            *self._name(),
            (Extension.SUPPORTED_GROUPS, code_points(_codes(groups))),
            (
                Extension.SIGNATURE_ALGORITHMS,
                code_points(_scheme_codes(schemes) or (_BOGUS_SCHEME,)),
            ),
            (Extension.SIGNATURE_ALGORITHMS_CERT, _ALL_SCHEMES),
            (Extension.SUPPORTED_VERSIONS, supported_versions((0x0304,))),
            (Extension.PSK_KEY_EXCHANGE_MODES, b"\x01\x01"),
            (Extension.KEY_SHARE, _shares(shares)),
        ]
        codes = tuple(SUITE_BY_NAME[name].code for name in suites)
        hello = ClientHello(
            0x0303, self.noise(32), codes, self.noise(32), extensions=tuple(extensions)
        )
        return Question(_pad(hello), f"{Version.TLS_1_3} {about}", retry=retry)

    def again(self, e: Exchange, about: str = "canary") -> Question:
        """The same question once more, with fresh random bytes."""
        if e.is_ssl2:
            return self.ssl2()
        hello = replace(
            e.hello, random=self.noise(32), session_id=self.noise(len(e.hello.session_id))
        )
        return Question(hello, about, retry=e.retried, early_ccs=e.early_ccs)

    def _name(self) -> Extensions:
        return ((Extension.SERVER_NAME, server_name(self.name)),) if self.name else ()


def _codes(groups: Sequence[str]) -> tuple[int, ...]:
    return tuple(GROUP_BY_NAME[name].code for name in groups)


def _scheme_codes(schemes: Sequence[str]) -> tuple[int, ...]:
    return tuple(SCHEME_BY_NAME[name].code for name in schemes if name in SCHEME_BY_NAME)


def has_share(group: str) -> bool:
    """Whether there is a share for *group* to be offered."""
    try:
        return bool(share(GROUP_BY_NAME[group]))
    except KeyError:
        return False


def _shares(groups: Sequence[str]) -> bytes:
    return key_shares([(GROUP_BY_NAME[g].code, share(GROUP_BY_NAME[g])) for g in groups])


def _pad(hello: ClientHello) -> ClientHello:
    """At least 512 bytes, never 10 or 14 modulo 256, the last extension never empty.

    Some load balancers hang on 256 to 511 bytes (RFC 7685), some servers on the two remainders,
    and some on an empty extension at the end.
    """
    size = len(hello.message())
    fill = max(1, 512 - size - 4)
    while (size + 4 + fill) % 256 in (10, 14):
        fill += 1
    return replace(hello, extensions=(*(hello.extensions or ()), (Extension.PADDING, bytes(fill))))
