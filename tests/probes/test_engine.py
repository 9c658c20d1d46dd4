"""The engine finds of real servers exactly what they were configured with, and leaves nothing open.

What is expected comes from the configuration that the test declares, never from a look.
"""

from __future__ import annotations

import asyncio
import base64
import random
import subprocess
from collections.abc import Callable, Iterable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from OpenSSL import SSL

from tests.faults import Proxy
from tests.identities import Identity
from tests.servers import Server, program
from tlscheck.model import State
from tlscheck.net import Net, now
from tlscheck.observations.fold import fold
from tlscheck.observations.tls import Chooser, Demand, TlsObservation
from tlscheck.probes.engine import Engine, Stop
from tlscheck.wire.registry import SUITE_BY_CODE, Version

Start = Callable[..., Server]
S3, T10, T11, T12, T13 = list(Version)[1:]
OPENSSL_GROUPS = ("x25519", "secp256r1", "x448", "secp521r1", "secp384r1")
"""OpenSSL's own default list."""
FFDHE = ("ffdhe2048", "ffdhe3072", "ffdhe4096", "ffdhe6144", "ffdhe8192")
MODERN = {"TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256", "TLS_AES_128_GCM_SHA256"}
ALL = "ALL:COMPLEMENTOFALL:@SECLEVEL=0"
_OPTION = {T10: "-tls1", T11: "-tls1_1", T12: "-tls1_2"}


class Looked:
    """A look at a real server."""

    def __init__(self, server: Server | Proxy, host: str = "localhost") -> None:
        net, at = Net(), now()
        self.engine = Engine(net, server.place(host=host))
        self.stop = asyncio.run(self.engine.run())
        self.connections = len(self.engine.exchanges)
        self.seen: TlsObservation = fold(self.engine.exchanges, at, self.engine.shape)

    @property
    def versions(self) -> set[Version]:
        return {v for v, state in self.seen.versions.items() if state is State.ACCEPTED}

    def finished(self) -> bool:
        """Whether nothing is left open or contradictory."""
        assert self.stop is Stop.DONE
        assert not self.seen.contradictions
        assert State.UNKNOWN not in self.seen.versions.values(), self.seen.versions
        for version, names in self.seen.unknown.items():
            assert (names.suites, names.groups, names.schemes) == ((), (), ()), version
        return True


def suites(version: Version, string: str, *kinds: str, without: Iterable[str] = ()) -> set[str]:
    """What OpenSSL makes of a cipher *string* with certificates of *kinds* and no others."""
    command = [program("openssl"), "ciphers", "-V", "-s", _OPTION[version], string]
    lines = subprocess.run(command, capture_output=True, check=True, text=True).stdout.splitlines()
    found = set()
    for line in lines:
        code, _, _, _, exchange, authentication, *_ = line.split()
        high, low = (int(half, 16) for half in code.split(","))
        if authentication[3:] not in ("None", *kinds) or exchange[3:] in without:
            continue
        found.add(SUITE_BY_CODE[high << 8 | low].name)
    return found


# -- nginx ----------------------------------------------------------------------------------------

MATRIX = [
    ("TLSv1.2 TLSv1.3", "ECDHE+AESGCM", "X25519:prime256v1", ("RSA",)),
    ("TLSv1.2 TLSv1.3", "ECDHE+AESGCM", "X25519:prime256v1", ("ECDSA",)),
    ("TLSv1.2", "ECDHE-RSA-AES128-GCM-SHA256", "secp384r1", ("RSA",)),
    ("TLSv1.2", "ECDHE-ECDSA-AES128-GCM-SHA256", "secp384r1:prime256v1", ("ECDSA",)),
    ("TLSv1.2", "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256",
     "X25519:prime256v1:secp384r1", ("ECDSA", "RSA")),
    ("TLSv1.2", "AES128-SHA", "auto", ("RSA",)),
    ("TLSv1.3", "ECDHE+AESGCM", "auto", ("RSA",)),
    ("TLSv1.3", "ECDHE+AESGCM", "X448:X25519", ("ECDSA",)),
    ("TLSv1.3", "ECDHE+AESGCM", "ffdhe3072", ("RSA",)),
    ("TLSv1.3", "ECDHE+AESGCM", "secp521r1", ("RSA", "ECDSA")),
    ("TLSv1 TLSv1.1 TLSv1.2 TLSv1.3", ALL, "auto", ("RSA", "ECDSA")),
    ("TLSv1 TLSv1.2", ALL, "auto", ("RSA",)),
    ("TLSv1", ALL, "prime256v1", ("RSA",)),
    ("TLSv1.1", ALL, "X25519:prime256v1:X448", ("ECDSA",)),
    ("TLSv1 TLSv1.1", "AES128-SHA:@SECLEVEL=0", "auto", ("RSA",)),
    ("TLSv1 TLSv1.3", "AES256-SHA:DES-CBC3-SHA:@SECLEVEL=0", "auto", ("RSA",)),
    ("TLSv1.1 TLSv1.2", "ECDHE-ECDSA-AES256-SHA:NULL-MD5:NULL-SHA:ECDHE-RSA-AES256-SHA:@SECLEVEL=0",
     "prime256v1:secp384r1:X25519", ("ECDSA", "RSA")),
]  # fmt: skip
_NAMES = {"X25519": "x25519", "X448": "x448", "prime256v1": "secp256r1"}


@pytest.mark.slow
@pytest.mark.parametrize("ordered", ["on", "off"])
@pytest.mark.parametrize(("protocols", "string", "curves", "kinds"), MATRIX)
# Once, where RSA key exchange alone is configured: the schemes of TLS 1.2 stay unknown.
# Once, for the last row, a false refusal of groups that an ECDSA answer passed over.
def test_nginx(
    nginx: Start,
    identity: Identity,
    protocols: str,
    string: str,
    curves: str,
    kinds: tuple[str, ...],
    ordered: str,
) -> None:
    certificates = [{"RSA": identity.rsa, "ECDSA": identity.ec}[kind] for kind in kinds]
    server = nginx(
        f"ssl_protocols {protocols}; ssl_ciphers {string}; ssl_ecdh_curve {curves};"
        f"ssl_prefer_server_ciphers {ordered};",
        certificates=certificates,
    )
    look = Looked(server)
    look.finished()
    assert look.versions == {
        dict(zip(("TLSv1", "TLSv1.1", "TLSv1.2", "TLSv1.3"), (T10, T11, T12, T13), strict=True))[p]
        for p in protocols.split()
    }
    listed = [_NAMES.get(c, c) for c in curves.split(":")]
    for version in look.versions:
        own = [*OPENSSL_GROUPS, *FFDHE] if curves == "auto" else list(listed)
        if version is T13:
            assert set(look.seen.suites[T13]) == MODERN
            assert set(look.seen.groups[T13]) == set(own)
            continue
        expected = suites(version, string, *kinds, without=["DH"])
        assert set(look.seen.suites[version]) == expected, version
        elliptic = [name for name in expected if "_ECDH" in name]
        groups = [g for g in own if g not in FFDHE] if elliptic else []
        if ordered == "on" and elliptic and all("_ECDSA_" in name for name in elliptic):
            # The certificate's curve must be in every hello: nothing after it can be reached.
            groups = groups[: groups.index("secp256r1") + 1]
        assert set(look.seen.groups[version]) == set(groups), version
        if len(expected) > 1:
            chooser = look.seen.order[version].suites
            assert chooser is (Chooser.SERVER if ordered == "on" else Chooser.CLIENT), version


def test_a_strict_nginx_costs_few_connections(nginx: Start, identity: Identity) -> None:
    strict = "ECDHE-RSA-AES128-GCM-SHA256:ECDHE-RSA-AES256-GCM-SHA384"
    server = nginx(
        f"ssl_protocols TLSv1.2 TLSv1.3; ssl_ciphers {strict}; ssl_prefer_server_ciphers on;",
        certificates=[identity.rsa],
    )
    look = Looked(server)
    look.finished()
    assert look.versions == {T12, T13}
    assert set(look.seen.suites[T12]) == suites(T12, strict, "RSA")
    assert set(look.seen.suites[T13]) == MODERN
    assert set(look.seen.groups[T13]) == {*OPENSSL_GROUPS, *FFDHE}
    assert look.connections <= 39


def test_an_order_is_told_as_configured(nginx: Start, identity: Identity) -> None:
    listed = "AES128-SHA:ECDHE-RSA-AES256-GCM-SHA384:AES256-SHA:ECDHE-RSA-CHACHA20-POLY1305"
    server = nginx(
        f"ssl_protocols TLSv1.2; ssl_ciphers {listed}; ssl_prefer_server_ciphers on;"
        "ssl_ecdh_curve secp384r1:X25519:prime256v1;",
        certificates=[identity.rsa],
    )
    look = Looked(server)
    look.finished()
    assert look.seen.suites[T12] == (
        "TLS_RSA_WITH_AES_128_CBC_SHA",
        "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384",
        "TLS_RSA_WITH_AES_256_CBC_SHA",
        "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256",
    )
    assert look.seen.groups[T12] == ("secp384r1", "x25519", "secp256r1")
    assert look.seen.order[T12].suites is Chooser.SERVER
    assert look.seen.order[T12].groups is Chooser.SERVER


@pytest.mark.parametrize(
    ("setting", "demand"),
    [("off", Demand.NONE), ("on", Demand.REQUESTED), ("optional_no_ca", Demand.REQUESTED)],
)
def test_client_certificates(
    nginx: Start, identity: Identity, setting: str, demand: Demand
) -> None:
    server = nginx(
        f"ssl_protocols TLSv1.2 TLSv1.3; ssl_verify_client {setting};"
        f"ssl_client_certificate {identity.ca};"
    )
    look = Looked(server)
    look.finished()
    assert look.versions == {T12, T13}
    assert look.seen.client_certificate.demand is demand


def test_a_server_asked_without_its_name(nginx: Start, identity: Identity) -> None:
    server = nginx("ssl_protocols TLSv1.2; ssl_ciphers AES128-SHA;", certificates=[identity.rsa])
    look = Looked(server, host="")
    look.finished()
    assert look.versions == {T12}
    assert look.seen.suites[T12] == ("TLS_RSA_WITH_AES_128_CBC_SHA",)


def test_a_name_that_nobody_has_is_no_refusal(nginx: Start) -> None:
    server = nginx(
        "listen 127.0.0.1:{port} ssl default_server; server_name _; ssl_reject_handshake on;"
        "location / { return 404; }"
    )
    look = Looked(server)
    assert State.REFUSED not in look.seen.versions.values()
    assert not look.versions


# -- openssl s_server -----------------------------------------------------------------------------


@pytest.mark.slow
def test_s_server_with_null_anon_and_psk(s_server: Start, identity: Identity) -> None:
    string = "NULL:aNULL:PSK:AES128-SHA:@SECLEVEL=0"
    server = s_server(
        "-tls1_2", "-cipher", string, "-psk", "00ff", "-dhparam", str(_dhparam(identity)),
        certificates=[identity.rsa],
    )  # fmt: skip
    look = Looked(server)
    look.finished()
    command = [program("openssl"), "ciphers", "-V", "-s", "-psk", "-tls1_2", string]
    lines = subprocess.run(command, capture_output=True, check=True, text=True).stdout
    expected = set()
    for line in lines.splitlines():
        high, low = (int(half, 16) for half in line.split()[0].split(","))
        if line.split()[5] != "Au=ECDSA":
            expected.add(SUITE_BY_CODE[high << 8 | low].name)
    assert set(look.seen.suites[T12]) == expected
    assert {p.bits for p in look.seen.dh} == {1024}


def _dhparam(identity: Identity) -> Path:
    """RFC 2409, group 2: 1024 bits, as PKCS #3."""
    prime = b"\0" + bytes.fromhex(_OAKLEY_2)
    body = b"\x02\x81" + bytes((len(prime),)) + prime + b"\x02\x01\x02"
    der = b"\x30\x81" + bytes((len(body),)) + body
    path = identity.rsa.cert.with_name("dh1024.pem")
    text = base64.encodebytes(der).decode()
    path.write_text(f"-----BEGIN DH PARAMETERS-----\n{text}-----END DH PARAMETERS-----\n")
    return path


_OAKLEY_2 = (
    "ffffffffffffffffc90fdaa22168c234c4c6628b80dc1cd129024e088a67cc74020bbea63b139b22514a08798e34"
    "04ddef9519b3cd3a431b302b0a6df25f14374fe1356d6d51c245e485b576625e7ec6f44c42e9a637ed6b0bff5cb6"
    "f406b7edee386bfb5a899fa5ae9f24117c4b1fe649286651ece65381ffffffffffffffff"
)


def test_s_server_with_dhe_of_1024_bits(s_server: Start, identity: Identity) -> None:
    string = "DHE-RSA-AES128-GCM-SHA256:DHE-RSA-AES256-SHA:@SECLEVEL=0"
    server = s_server(
        "-tls1_2", "-cipher", string, "-dhparam", str(_dhparam(identity)),
        certificates=[identity.rsa],
    )  # fmt: skip
    look = Looked(server)
    look.finished()
    assert look.versions == {T12}
    assert set(look.seen.suites[T12]) == suites(T12, string, "RSA")
    assert [p.bits for p in look.seen.dh] == [1024]
    assert look.seen.groups[T12] == ()


def test_s_server_with_finite_groups_in_tls_1_3(s_server: Start) -> None:
    look = Looked(s_server("-tls1_3", "-groups", "ffdhe2048:ffdhe8192:P-521"))
    look.finished()
    assert look.versions == {T13}
    assert set(look.seen.groups[T13]) == {"ffdhe2048", "ffdhe8192", "secp521r1"}


@pytest.mark.parametrize("suite", ["TLS_AES_128_CCM_8_SHA256", "TLS_CHACHA20_POLY1305_SHA256"])
def test_s_server_with_one_suite_of_tls_1_3(s_server: Start, suite: str) -> None:
    # SECLEVEL=0 for CCM_8, whose tag is short.
    server = s_server("-tls1_3", "-ciphersuites", suite, "-cipher", "ALL:@SECLEVEL=0")
    look = Looked(server)
    look.finished()
    assert look.seen.suites[T13] == (suite,)


def test_s_server_with_brainpool(s_server: Start, identity: Identity) -> None:
    server = s_server(
        "-tls1_2", "-cipher", "ECDHE-RSA-AES128-GCM-SHA256", "-groups",
        "brainpoolP256r1:brainpoolP512r1:secp224r1:P-384",
        certificates=[identity.rsa],
    )  # fmt: skip
    look = Looked(server)
    look.finished()
    assert set(look.seen.groups[T12]) == {
        "brainpoolP256r1",
        "brainpoolP512r1",
        "secp224r1",
        "secp384r1",
    }


def test_signature_schemes_as_configured(s_server: Start, identity: Identity) -> None:
    server = s_server(
        "-cipher", "ECDHE-RSA-AES128-GCM-SHA256",
        "-sigalgs", "RSA+SHA512:rsa_pss_rsae_sha256",
        certificates=[identity.rsa],
    )  # fmt: skip
    look = Looked(server)
    look.finished()
    assert set(look.seen.schemes[T12]) == {"rsa_pkcs1_sha512", "rsa_pss_rsae_sha256"}
    assert set(look.seen.schemes[T13]) == {"rsa_pss_rsae_sha256"}


# -- GnuTLS ---------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize(
    ("priority", "expected"),
    [
        (
            "NONE:+VERS-TLS1.2:+RSA:+CAMELLIA-128-GCM:+CAMELLIA-256-GCM:+AEAD:+SIGN-ALL:+GROUP-ALL"
            ":+COMP-NULL:+CTYPE-X509",
            {"TLS_RSA_WITH_CAMELLIA_128_GCM_SHA256", "TLS_RSA_WITH_CAMELLIA_256_GCM_SHA384"},
        ),
        (
            "NONE:+VERS-TLS1.2:+RSA:+ECDHE-ECDSA:+AES-128-CCM:+AES-256-CCM-8:+AEAD:+SIGN-ALL"
            ":+GROUP-ALL:+COMP-NULL:+CTYPE-X509",
            {
                "TLS_RSA_WITH_AES_128_CCM",
                "TLS_RSA_WITH_AES_256_CCM_8",
                "TLS_ECDHE_ECDSA_WITH_AES_128_CCM",
                "TLS_ECDHE_ECDSA_WITH_AES_256_CCM_8",
            },
        ),
        (
            "NONE:+VERS-TLS1.2:+RSA:+ECDHE-RSA:+3DES-CBC:+ARCFOUR-128:+SHA1:+MD5"
            ":+SIGN-ALL:+GROUP-ALL:+COMP-NULL:+CTYPE-X509",
            {
                "TLS_RSA_WITH_3DES_EDE_CBC_SHA",
                "TLS_RSA_WITH_RC4_128_SHA",
                "TLS_RSA_WITH_RC4_128_MD5",
                "TLS_ECDHE_RSA_WITH_3DES_EDE_CBC_SHA",
                "TLS_ECDHE_RSA_WITH_RC4_128_SHA",
            },
        ),
    ],
)
def test_gnutls(gnutls_serv: Start, priority: str, expected: set[str]) -> None:
    look = Looked(gnutls_serv(priority))
    look.finished()
    assert look.versions == {T12}
    assert set(look.seen.suites[T12]) == expected


@pytest.mark.parametrize(
    ("priority", "expected"),
    [
        ("NORMAL:-VERS-TLS1.1", {T10, T12, T13}),
        ("NORMAL:-VERS-ALL:+VERS-TLS1.0:+VERS-TLS1.2", {T10, T12}),
        ("NORMAL:-VERS-ALL:+VERS-TLS1.0", {T10}),
        ("NORMAL:-VERS-ALL:+VERS-TLS1.1", {T11}),
    ],
)
def test_a_version_below_one_that_is_off(
    gnutls_serv: Start, priority: str, expected: set[Version]
) -> None:
    """GnuTLS refuses TLS 1.1 for its number where it would take TLS 1.0."""
    look = Looked(gnutls_serv(priority))
    look.finished()
    assert look.versions == expected


@pytest.mark.parametrize(
    "priority",
    [
        "NORMAL:-GROUP-ALL:+GROUP-SECP384R1",
        "NORMAL:-VERS-ALL:+VERS-TLS1.0:-GROUP-ALL:+GROUP-SECP384R1:+ANON-ECDH",
    ],
)
def test_suites_behind_one_that_fails(gnutls_serv: Start, priority: str) -> None:
    """Without a finite-field group in common this GnuTLS chooses DHE, and then breaks off."""
    look = Looked(gnutls_serv(priority))
    for version in look.versions & {T10, T11, T12}:
        elliptic = "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA"
        assert elliptic in look.seen.suites[version] or (
            elliptic in look.seen.unknown[version].suites
        )


# -- HAProxy --------------------------------------------------------------------------------------


def test_haproxy(haproxy: Start, identity: Identity) -> None:
    string = "ECDHE-RSA-AES256-GCM-SHA384:ECDHE-RSA-CHACHA20-POLY1305"
    server = haproxy(
        f"ssl-min-ver TLSv1.2 ciphers {string} ciphersuites TLS_AES_256_GCM_SHA384"
        " curves X25519:P-384",
        certificates=[identity.rsa],
    )
    look = Looked(server)
    look.finished()
    assert look.versions == {T12, T13}
    assert set(look.seen.suites[T12]) == suites(T12, string, "RSA")
    assert look.seen.suites[T13] == ("TLS_AES_256_GCM_SHA384",)
    for version in (T12, T13):
        assert set(look.seen.groups[version]) == {"x25519", "secp384r1"}


# -- JSSE -----------------------------------------------------------------------------------------


@pytest.mark.slow
def test_jsse_with_ssl_3_and_export(jsse: Start, identity: Identity) -> None:
    java = ["SSL_RSA_EXPORT_WITH_RC4_40_MD5", "SSL_RSA_WITH_RC4_128_MD5",
            "SSL_RSA_WITH_3DES_EDE_CBC_SHA", "TLS_RSA_WITH_AES_128_CBC_SHA"]  # fmt: skip
    look = Looked(jsse(["SSLv3", "TLSv1"], java, certificates=[identity.rsa]))
    look.finished()
    assert look.versions == {S3, T10}
    expected = {name.replace("SSL_", "TLS_", 1) for name in java}
    assert set(look.seen.suites[T10]) == expected - {"TLS_RSA_EXPORT_WITH_RC4_40_MD5"} | (
        expected & set(look.seen.suites[T10])
    )
    assert set(look.seen.suites[S3]) == expected
    assert "TLS_RSA_EXPORT_WITH_RC4_40_MD5" in look.seen.suites[T10]


@pytest.mark.slow
def test_jsse_heeds_finite_groups_in_tls_1_2(jsse: Start, identity: Identity) -> None:
    server = jsse(
        ["TLSv1.2"],
        ["TLS_DHE_RSA_WITH_AES_128_GCM_SHA256"],
        certificates=[identity.rsa],
        properties={"jdk.tls.namedGroups": "secp256r1,ffdhe2048,ffdhe4096"},
    )
    look = Looked(server)
    look.finished()
    assert look.versions == {T12}
    assert look.seen.suites[T12] == ("TLS_DHE_RSA_WITH_AES_128_GCM_SHA256",)
    # Once: JSSE takes ffdhe4096 where that alone is offered, and ffdhe2048 where it knows none of
    # those offered; the control group is thus answered, and both are then called refused. And its
    # schemes are never settled: it says ServerHello before it looks for one, then alert 80.
    assert set(look.seen.groups[T12]) == {"ffdhe2048", "ffdhe4096"}


# -- ML-KEM ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("groups", ["X25519MLKEM768", "X25519MLKEM768:X25519", "MLKEM1024:P-256"])
def test_ml_kem(pyopenssl_server: Start, groups: str) -> None:
    look = Looked(pyopenssl_server(groups=groups, versions=(SSL.TLS1_3_VERSION,) * 2))
    look.finished()
    assert look.versions == {T13}
    names = {"X25519": "x25519", "P-256": "secp256r1"}
    assert set(look.seen.groups[T13]) == {names.get(g, g) for g in groups.split(":")}
    assert set(look.seen.suites[T13]) == MODERN


def test_ml_kem_beside_tls_1_2(pyopenssl_server: Start, identity: Identity) -> None:
    server = pyopenssl_server(
        groups="X25519MLKEM768:X25519",
        ciphers="ECDHE-RSA-AES128-GCM-SHA256",
        certificates=[identity.rsa],
    )
    look = Looked(server)
    look.finished()
    assert look.versions == {T12, T13}
    assert set(look.seen.groups[T13]) == {"X25519MLKEM768", "x25519"}
    assert look.seen.groups[T12] == ("x25519",)


# -- tlslite-ng -----------------------------------------------------------------------------------

# Where it has no ALPN names of its own it chokes on a hello that has some.
chokes = pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")


@chokes
def test_tlslite_refuses_an_empty_key_share(tlslite: Start) -> None:
    look = Looked(tlslite(minVersion=(3, 4), cipherNames=["aes128gcm"]))
    assert look.stop is Stop.DONE
    assert look.versions == {T13}
    assert look.seen.suites[T13] == ("TLS_AES_128_GCM_SHA256",)
    assert {"x25519", "secp256r1", "ffdhe2048"} <= set(look.seen.groups[T13])
    for group in ("secp384r1", "secp521r1", "x448"):
        assert look.seen.settled(T13, "groups", group) is State.ACCEPTED, group


@chokes
def test_tlslite_with_ssl_3_and_rc4(tlslite: Start) -> None:
    server = tlslite(
        minVersion=(3, 0), maxVersion=(3, 1), cipherNames=["rc4"], macNames=["sha", "md5"],
        keyExchangeNames=["rsa"],
    )  # fmt: skip
    look = Looked(server)
    look.finished()
    assert look.versions == {S3, T10}
    for version in (S3, T10):
        assert set(look.seen.suites[version]) == {
            "TLS_RSA_WITH_RC4_128_SHA",
            "TLS_RSA_WITH_RC4_128_MD5",
        }


# -- No TLS ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("answer", [b"HTTP/1.1 400 Bad Request\r\n\r\n", b"SSH-2.0-x\r\n", b""])
def test_what_speaks_no_tls_is_mute(scripted: Any, answer: bytes) -> None:
    def handler(peer: Any) -> None:
        peer.recv(4096)
        peer.sendall(answer)

    look = Looked(scripted(handler))
    assert look.stop is Stop.MUTE
    assert set(look.seen.versions.values()) == {State.UNKNOWN}
    assert look.connections < 20


def test_noise_never_raises(scripted: Any) -> None:
    noise = random.Random(7)

    def handler(peer: Any) -> None:
        peer.recv(4096)
        start = noise.choice([b"", b"\x16\x03\x03", b"\x16\x03\x03\x00\x40\x02", b"\x15\x03\x01"])
        peer.sendall(start + noise.randbytes(noise.randrange(200)))

    look = Looked(scripted(handler))
    assert State.ACCEPTED not in look.seen.versions.values()
    assert State.REFUSED not in look.seen.versions.values()


@pytest.mark.parametrize("kind", ["ed25519", "P-521"])
def test_a_certificate_that_signs_with_no_common_scheme(
    s_server: Start, tmp_path: Path, kind: str
) -> None:
    """One server is not several because its scheme is a rare one."""
    key, cert = tmp_path / "k.pem", tmp_path / "c.pem"
    new = ["-newkey", "ed25519"]
    if kind == "P-521":
        new = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-521"]
    subprocess.run(
        [program("openssl"), "req", "-x509", "-nodes", *new, "-keyout", key, "-out", cert,
         "-subj", "/CN=localhost"],
        check=True, capture_output=True,
    )  # fmt: skip
    pair = SimpleNamespace(cert=cert, key=key, chain=None)
    look = Looked(s_server(certificates=[pair]))
    assert look.seen.contradictions == ()
    assert {T12, T13} <= look.versions
    assert State.UNKNOWN not in look.seen.versions.values()
