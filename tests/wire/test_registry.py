"""The registry against itself, against OpenSSL's own table, and against hand-picked facts."""

import re
import runpy
import shutil
import subprocess
from pathlib import Path

import pytest

from tlscheck.wire import registry
from tlscheck.wire.registry import (
    ALERTS,
    EXTENSIONS,
    GREASE,
    GROUP_BY_NAME,
    GROUPS,
    SCHEME_BY_CODE,
    SCHEME_BY_NAME,
    SCHEMES,
    SSL2_KINDS,
    SUITE_BY_CODE,
    SUITE_BY_NAME,
    SUITES,
    Version,
)

ROOT = Path(__file__).parents[2]


def openssl_suites():
    """Code, IANA name and lowest version of every suite this machine's OpenSSL has."""
    if (openssl := shutil.which("openssl")) is None:
        pytest.skip("no openssl")
    listed = subprocess.run(
        [openssl, "ciphers", "-V", "-stdname", "ALL:COMPLEMENTOFALL:@SECLEVEL=0"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    found = re.findall(r"0x(..),0x(..) - (\S+)\s+- \S+\s+(\S+)", listed)
    return [(int(high + low, 16), name, version) for high, low, name, version in found]


def test_the_generator_reproduces_the_module():
    tool = runpy.run_path(str(ROOT / "tools" / "registry.py"))
    assert tool["module"]() == Path(registry.__file__).read_text(encoding="utf-8")


def test_every_suite_of_openssl_is_here_under_its_name():
    theirs = openssl_suites()
    assert len(theirs) > 100
    assert {code: SUITE_BY_CODE[code].name for code, _, _ in theirs} == {
        code: name for code, name, _ in theirs
    }


def test_openssl_agrees_which_suites_need_tls_1_2_and_1_3():
    for code, name, version in openssl_suites():
        suite = SUITE_BY_CODE[code]
        late = {"TLSv1.2": Version.TLS_1_2, "TLSv1.3": Version.TLS_1_3}.get(version)
        assert (suite.lowest if suite.lowest.rank >= 4 else None) == late, name
        assert (suite.highest is Version.TLS_1_3) == (version == "TLSv1.3"), name


def test_counts():
    registered = [suite for suite in SUITES if suite.registered]
    assert (len(registered), len(SUITES)) == (354, 378)
    assert (len(GROUPS), len(SCHEMES), len(SSL2_KINDS)) == (59, 64, 13)
    assert (len(ALERTS), len(EXTENSIONS)) == (37, 68)
    assert sum(suite.highest is Version.TLS_1_3 for suite in SUITES) == 19
    assert sum(suite.export for suite in SUITES) == 21


def test_codes_and_names_are_unique_and_in_order():
    for table in (SUITES, GROUPS, SCHEMES):
        codes = [item.code for item in table]
        assert codes == sorted(set(codes))
        assert len({item.name for item in table}) == len(table)


def test_signals_are_not_suites():
    assert registry.FALLBACK_SCSV == 0x5600
    assert registry.EMPTY_RENEGOTIATION_INFO_SCSV == 0x00FF
    assert len(GREASE) == 16
    assert {0x0A0A, 0xFAFA} <= GREASE
    assert not {*GREASE, 0x5600, 0x00FF} & SUITE_BY_CODE.keys()


@pytest.mark.parametrize(
    ("code", "name"),
    [
        (0x0062, "TLS_RSA_EXPORT1024_WITH_DES_CBC_SHA"),
        (0x0081, "TLS_GOSTR341001_WITH_28147_CNT_IMIT"),
        (0x00C6, "TLS_SM4_GCM_SM3"),
        (0x1306, "TLS_AEGIS_256_SHA512"),
        (0x1307, "TLS_AEGIS_128L_SHA256"),
        (0xC086, "TLS_ECDHE_ECDSA_WITH_CAMELLIA_128_GCM_SHA256"),
        (0xC08B, "TLS_ECDHE_RSA_WITH_CAMELLIA_256_GCM_SHA384"),
        (0xC0AA, "TLS_PSK_DHE_WITH_AES_128_CCM_8"),
        (0xC0B4, "TLS_SHA256_SHA256"),
        (0xC103, "TLS_GOSTR341112_256_WITH_KUZNYECHIK_MGM_L"),
        (0xCC13, "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256_OLD"),
        (0xCCA8, "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256"),
        (0xFEFF, "SSL_RSA_FIPS_WITH_3DES_EDE_CBC_SHA"),
    ],
)
def test_codes_of_rare_suites(code, name):
    assert SUITE_BY_CODE[code].name == name
    assert SUITE_BY_NAME[name].code == code


S30, T10, T12, T13 = Version.SSL_3_0, Version.TLS_1_0, Version.TLS_1_2, Version.TLS_1_3


@pytest.mark.parametrize(
    ("code", "lowest", "parts"),
    [
        (0x0000, S30, ("NULL", "NULL", "NULL", 0, "NULL", "SHA256")),
        (0x0003, S30, ("RSA", "RSA", "RC4_40", 40, "MD5", "SHA256")),
        (0x000A, S30, ("RSA", "RSA", "3DES_EDE_CBC", 112, "SHA", "SHA256")),
        (0x0011, S30, ("DHE", "DSS", "DES40_CBC", 40, "SHA", "SHA256")),
        (0x0018, S30, ("DHE", "anon", "RC4_128", 128, "MD5", "SHA256")),
        (0x001E, S30, ("KRB5", "KRB5", "DES_CBC", 56, "SHA", "SHA256")),
        (0x0030, S30, ("DH", "DSS", "AES_128_CBC", 128, "SHA", "SHA256")),
        (0x0093, S30, ("RSA_PSK", "RSA", "3DES_EDE_CBC", 112, "SHA", "SHA256")),
        (0x00AE, T10, ("PSK", "PSK", "AES_128_CBC", 128, "SHA256", "SHA256")),
        (0x1302, T13, ("", "", "AES_256_GCM", 256, "AEAD", "SHA384")),
        (0xC018, S30, ("ECDHE", "anon", "AES_128_CBC", 128, "SHA", "SHA256")),
        (0xC021, S30, ("SRP", "RSA", "AES_256_CBC", 256, "SHA", "SHA256")),
        (0xC028, T12, ("ECDHE", "RSA", "AES_256_CBC", 256, "SHA384", "SHA384")),
        (0xC02F, T12, ("ECDHE", "RSA", "AES_128_GCM", 128, "AEAD", "SHA256")),
        (0xC031, T12, ("ECDH", "RSA", "AES_128_GCM", 128, "AEAD", "SHA256")),
        (0xC064, T12, ("PSK", "PSK", "ARIA_128_CBC", 128, "SHA256", "SHA256")),
        (0xC0AB, T12, ("DHE_PSK", "PSK", "AES_256_CCM_8", 256, "AEAD", "SHA256")),
        (0xC0AC, T12, ("ECDHE", "ECDSA", "AES_128_CCM", 128, "AEAD", "SHA256")),
        (0xC0B3, T12, ("ECCPWD", "ECCPWD", "AES_256_CCM", 256, "AEAD", "SHA384")),
        (0xC0B5, T13, ("", "", "NULL", 0, "SHA384", "SHA384")),
        (0xC102, T12, ("GOST", "GOST", "28147_CNT", 256, "IMIT", "STREEBOG256")),
        (0xCCAC, T12, ("ECDHE_PSK", "PSK", "CHACHA20_POLY1305", 256, "AEAD", "SHA256")),
        (0xFEFE, S30, ("RSA", "RSA", "DES_CBC", 56, "SHA", "SHA256")),
    ],
)
def test_a_name_is_taken_apart(code, lowest, parts):
    it = SUITE_BY_CODE[code]
    assert it.lowest is lowest
    assert it.highest is (T13 if lowest is T13 else T12)
    assert parts == (
        it.key_exchange,
        it.authentication,
        it.encryption,
        it.bits,
        it.mac,
        it.hash,
    )


@pytest.mark.parametrize(
    ("code", "properties"),
    [
        (0x0000, {"anonymous"}),
        (0x002F, set()),
        (0x0030, set()),
        (0x0033, {"finite", "signed", "forward_secret"}),
        (0x0034, {"finite", "anonymous", "forward_secret"}),
        (0x0090, {"finite", "forward_secret"}),
        (0x1301, {"aead", "forward_secret"}),
        (0xC004, set()),
        (0xC018, {"elliptic", "anonymous", "forward_secret"}),
        (0xC02F, {"elliptic", "signed", "aead", "forward_secret"}),
        (0xC035, {"elliptic", "forward_secret"}),
        (0xC0B4, {"forward_secret"}),
    ],
)
def test_properties(code, properties):
    names = ("aead", "anonymous", "elliptic", "finite", "forward_secret", "signed")
    assert {name for name in names if getattr(SUITE_BY_CODE[code], name)} == properties


def test_export_suites_are_marked_and_weak():
    assert SUITE_BY_CODE[0x0003].export
    assert SUITE_BY_CODE[0x0062].export
    assert all(suite.bits in (40, 56) for suite in SUITES if suite.export)
    assert all(suite.export == ("EXPORT" in suite.name) for suite in SUITES)


def test_what_iana_recommends():
    recommended = {suite.code for suite in SUITES if suite.recommended == "Y"}
    assert {0x1301, 0x1302, 0x1303, 0xC02B, 0xC02F, 0xCCA8} <= recommended
    assert all(SUITE_BY_CODE[code].lowest.rank >= T12.rank for code in recommended)
    assert SUITE_BY_CODE[0x0005].recommended == "D"
    assert all((suite.recommended == "-") != suite.registered for suite in SUITES)


def test_ssl_2_kinds():
    assert SSL2_KINDS[0x010080] == "SSL_CK_RC4_128_WITH_MD5"
    assert SSL2_KINDS[0x0700C0] == "SSL_CK_DES_192_EDE3_CBC_WITH_MD5"


def test_versions_are_ordered_by_rank():
    assert [version.rank for version in Version] == [0, 1, 2, 3, 4, 5]
    assert [version.code for version in Version] == [2, 0x300, 0x301, 0x302, 0x303, 0x304]
    assert all(Version.of_code(version.code) is version for version in Version)
    assert Version.of_code(0x7F1C) is None


@pytest.mark.parametrize(
    ("name", "fields"),
    [
        ("sect163k1", (0x0001, "ec", 163, 80, 43, True, False)),
        ("secp192r1", (0x0013, "ec", 192, 80, 49, True, False)),
        ("secp256r1", (0x0017, "ec", 256, 128, 65, True, True)),
        ("secp521r1", (0x0019, "ec", 521, 256, 133, True, True)),
        ("brainpoolP256r1", (0x001A, "ec", 256, 128, 65, True, False)),
        ("x25519", (0x001D, "ec", 255, 128, 32, True, True)),
        ("x448", (0x001E, "ec", 448, 192, 56, True, True)),
        ("brainpoolP512r1tls13", (0x0021, "ec", 512, 256, 129, False, True)),
        ("GC512C", (0x0028, "ec", 512, 256, 128, True, True)),
        ("curveSM2", (0x0029, "ec", 256, 128, 65, False, True)),
        ("ffdhe8192", (0x0104, "ff", 8192, 192, 1024, True, True)),
        ("MLKEM768", (0x0201, "kem", 768, 192, 1184, False, True)),
        ("SecP256r1MLKEM768", (0x11EB, "hybrid", 768, 192, 1249, False, True)),
        ("X25519MLKEM768", (0x11EC, "hybrid", 768, 192, 1216, False, True)),
        ("SecP384r1MLKEM1024", (0x11ED, "hybrid", 1024, 256, 1665, False, True)),
        ("curveSM2MLKEM768", (0x11EE, "hybrid", 768, 192, 1249, False, True)),
        ("X25519Kyber768Draft00", (0x6399, "hybrid", 768, 192, 1216, False, True)),
    ],
)
def test_groups(name, fields):
    it = GROUP_BY_NAME[name]
    measures = (it.kind, it.bits, it.strength, it.share_length)
    assert (it.code, *measures, it.tls12, it.tls13) == fields


@pytest.mark.parametrize(
    ("name", "code", "digest", "kind", "tls13"),
    [
        ("rsa_pkcs1_md5", 0x0101, "MD5", "rsa", False),
        ("rsa_pkcs1_sha256", 0x0401, "SHA256", "rsa", False),
        ("rsa_pkcs1_sha256_legacy", 0x0420, "SHA256", "rsa", False),
        ("dsa_sha1", 0x0202, "SHA1", "dsa", False),
        ("ecdsa_sha1", 0x0203, "SHA1", "ecdsa", False),
        ("ecdsa_secp256r1_sha256", 0x0403, "SHA256", "ecdsa", True),
        ("rsa_pss_rsae_sha256", 0x0804, "SHA256", "pss_rsae", True),
        ("rsa_pss_pss_sha512", 0x080B, "SHA512", "pss_pss", True),
        ("ed25519", 0x0807, "", "eddsa", True),
        ("mldsa65", 0x0905, "", "mldsa", True),
        ("sm2sig_sm3", 0x0708, "SM3", "other", True),
    ],
)
def test_schemes(name, code, digest, kind, tls13):
    it = SCHEME_BY_NAME[name]
    assert SCHEME_BY_CODE[code] is it
    assert (it.hash, it.kind, it.tls13) == (digest, kind, tls13)


def test_alerts_and_extensions():
    assert ALERTS[40] == "handshake_failure"
    assert ALERTS[86] == "inappropriate_fallback"
    assert ALERTS[121] == "ech_required"
    assert EXTENSIONS[10] == "supported_groups"
    assert EXTENSIONS[35] == "session_ticket"
    assert EXTENSIONS[65281] == "renegotiation_info"
