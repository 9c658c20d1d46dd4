"""Writes tlscheck/wire/registry.py from the registries in tools/iana.

The parts of a cipher suite come from its name, by one table for each part. A name that the tables
do not explain stops the run: better no registry than one with a guess in it.
"""

import csv
import re
import sys
from collections.abc import Iterator
from pathlib import Path

IANA = Path(__file__).parent / "iana"
MODULE = Path(__file__).parents[1] / "tlscheck" / "wire" / "registry.py"

# Not suites but signals in the place of one.
SIGNALS = {0x00FF: "EMPTY_RENEGOTIATION_INFO_SCSV", 0x5600: "FALLBACK_SCSV"}

# The GOST suites made for TLS 1.2 alone, unlike the drafts with the same ciphers.
RFC9189 = range(0xC100, 0xC103)

# What stands before _WITH_: key exchange and authentication.
EXCHANGES = {
    "NULL": ("NULL", "NULL"),
    "RSA": ("RSA", "RSA"),
    "RSA_FIPS": ("RSA", "RSA"),
    "RSA_OLDFIPS": ("RSA", "RSA"),
    "DH_RSA": ("DH", "RSA"),
    "DH_DSS": ("DH", "DSS"),
    "DHE_RSA": ("DHE", "RSA"),
    "DHE_DSS": ("DHE", "DSS"),
    "DH_anon": ("DHE", "anon"),
    "ECDH_RSA": ("ECDH", "RSA"),
    "ECDH_ECDSA": ("ECDH", "ECDSA"),
    "ECDHE_RSA": ("ECDHE", "RSA"),
    "ECDHE_ECDSA": ("ECDHE", "ECDSA"),
    "ECDH_anon": ("ECDHE", "anon"),
    "PSK": ("PSK", "PSK"),
    "RSA_PSK": ("RSA_PSK", "RSA"),
    "DHE_PSK": ("DHE_PSK", "PSK"),
    "PSK_DHE": ("DHE_PSK", "PSK"),  # 0xC0AA and 0xC0AB only
    "ECDHE_PSK": ("ECDHE_PSK", "PSK"),
    "SRP_SHA": ("SRP", "SRP_SHA"),
    "SRP_SHA_RSA": ("SRP", "RSA"),
    "SRP_SHA_DSS": ("SRP", "DSS"),
    "KRB5": ("KRB5", "KRB5"),
    "ECCPWD": ("ECCPWD", "ECCPWD"),
    "GOSTR341094": ("GOST", "GOST"),
    "GOSTR341001": ("GOST", "GOST"),
    "GOSTR341112_256": ("GOST", "GOST"),
}

# A cipher and its strength in bits; AEAD ciphers apart, for they have no MAC of their own.
CIPHERS = {
    "NULL": 0,
    "RC4_40": 40,
    "RC4_56": 56,
    "RC4_128": 128,
    "RC2_CBC_40": 40,
    "RC2_CBC_56": 56,
    "DES40_CBC": 40,
    "DES_CBC_40": 40,
    "DES_CBC": 56,
    "3DES_EDE_CBC": 112,
    "IDEA_CBC": 128,
    "SEED_CBC": 128,
    "AES_128_CBC": 128,
    "AES_256_CBC": 256,
    "CAMELLIA_128_CBC": 128,
    "CAMELLIA_256_CBC": 256,
    "ARIA_128_CBC": 128,
    "ARIA_256_CBC": 256,
    "28147_CNT": 256,
    "28147_CNT_STREAM": 256,
    "KUZNYECHIK_CTR": 256,
    "MAGMA_CTR": 256,
}
SEALS = {
    "AES_128_GCM": 128,
    "AES_256_GCM": 256,
    "AES_128_CCM": 128,
    "AES_256_CCM": 256,
    "AES_128_CCM_8": 128,
    "AES_256_CCM_8": 256,
    "CAMELLIA_128_GCM": 128,
    "CAMELLIA_256_GCM": 256,
    "ARIA_128_GCM": 128,
    "ARIA_256_GCM": 256,
    "CHACHA20_POLY1305": 256,
    "AEGIS_128L": 128,
    "AEGIS_256": 256,
    "ASCONAEAD128": 128,
    "SM4_GCM": 128,
    "SM4_CCM": 128,
    "KUZNYECHIK_MGM_L": 256,
    "KUZNYECHIK_MGM_S": 256,
    "MAGMA_MGM_L": 256,
    "MAGMA_MGM_S": 256,
}
MACS = ("NULL", "MD5", "SHA", "SHA256", "SHA384", "IMIT", "OMAC", "GOSTR3411")
HASHES = ("SHA256", "SHA384", "SHA512", "SM3", "ASCONHASH256")

VERSIONS = {
    "S30": "SSL_3_0",
    "T10": "TLS_1_0",
    "T12": "TLS_1_2",
    "T13": "TLS_1_3",
}

# NIST SP 800-57 part 1, table 2: field size and strength. RFC 7748 rates X25519 and X448 (255 and
# 448 bits) at 128 and 224.
CURVE_STRENGTHS = ((512, 256), (384, 192), (255, 128), (224, 112), (0, 80))
FINITE_STRENGTHS = {2048: 112, 3072: 128, 4096: 128, 6144: 128, 8192: 192}
KEMS = {512: (128, 800), 768: (192, 1184), 1024: (256, 1568)}

HEAD = '''"""The TLS registries: cipher suites, groups, signature schemes, alerts, extensions.

Written by tools/registry.py from tools/iana; change those.
"""

from tlscheck.wire.names import Group, Scheme, Suite, Version

__all__ = [
    "ALERTS",
    "EDITION",
    "EMPTY_RENEGOTIATION_INFO_SCSV",
    "EXTENSIONS",
    "FALLBACK_SCSV",
    "GREASE",
    "GROUPS",
    "GROUP_BY_CODE",
    "GROUP_BY_NAME",
    "SCHEMES",
    "SCHEME_BY_CODE",
    "SCHEME_BY_NAME",
    "SSL2_KINDS",
    "SUITES",
    "SUITE_BY_CODE",
    "SUITE_BY_NAME",
    "Group",
    "Scheme",
    "Suite",
    "Version",
]
'''


def main() -> int:
    """Write the module; with --check, only say whether it is up to date."""
    text = module()
    if "--check" in sys.argv[1:]:
        return int(MODULE.read_text(encoding="utf-8") != text)
    MODULE.write_text(text, encoding="utf-8")
    return 0


def module() -> str:
    """The whole text of tlscheck/wire/registry.py."""
    lines = [
        HEAD,
        f'EDITION: str = "{edition()}"',
        *(f"{name}: int = 0x{code:04X}" for code, name in SIGNALS.items()),
        "# RFC 8701: values that mean nothing, to be ignored by whoever does not know them.",
        "GREASE: frozenset[int] = frozenset(0x0A0A + 0x1010 * n for n in range(16))",
        "",
        *(f"_{short} = Version.{name}" for short, name in VERSIONS.items()),
        "",
        *table("SUITES", "SUITE", "Suite", suites()),
        *mapping("SSL2_KINDS", ssl2_kinds(), 6),
        *table("GROUPS", "GROUP", "Group", groups()),
        *table("SCHEMES", "SCHEME", "Scheme", schemes()),
        *mapping("ALERTS", alerts(), 0),
        *mapping("EXTENSIONS", extensions(), 0),
    ]
    return "\n".join(lines).rstrip("\n") + "\n"


def edition() -> str:
    """The day of the newest registry."""
    return max(row["Edition"] for row in rows("editions.csv"))


def rows(file: str) -> Iterator[dict[str, str]]:
    """The rows of one of the lists."""
    with (IANA / file).open(encoding="utf-8", newline="") as lines:
        yield from csv.DictReader(lines)


def unregistered(wanted: str) -> Iterator[dict[str, str]]:
    """What belongs into a table without being registered."""
    return (row for row in rows("unregistered.csv") if row["Table"] == wanted)


def table(plural: str, singular: str, kind: str, items: list[str]) -> Iterator[str]:
    """A tuple of things and its two indexes, as source."""
    yield f"{plural}: tuple[{kind}, ...] = ("
    yield from (f"    {kind}({item})," for item in items)
    yield ")"
    for by, key in (("CODE", "int"), ("NAME", "str")):
        attribute = by.lower()
        comprehension = f"{{it.{attribute}: it for it in {plural}}}"
        yield f"{singular}_BY_{by}: dict[{key}, {kind}] = {comprehension}"
    yield ""


def mapping(name: str, items: dict[int, str], digits: int) -> Iterator[str]:
    """A dictionary from code to name, as source."""
    yield f"{name}: dict[int, str] = {{"
    for code, text in sorted(items.items()):
        key = f"0x{code:0{digits}X}" if digits else str(code)
        yield f'    {key}: "{text}",'
    yield "}"
    yield ""


def suites() -> list[str]:
    """The cipher suites, as arguments."""
    found: dict[int, str] = {}
    for row in rows("tls-parameters-4.csv"):
        high, low = (int(byte, 16) for byte in row["Value"].split(","))
        code = high << 8 | low
        if code not in SIGNALS:
            status = (row["Recommended"], "True", references(row["Reference"]))
            found[code] = suite(code, row["Description"], *status)
    for row in unregistered("suite"):
        code = int(row["Value"], 16)
        if code in found:
            raise SystemExit(f"{row['Description']} has the code of a registered suite")
        found[code] = suite(code, row["Description"], "-", "False", row["Reference"])
    return [found[code] for code in sorted(found)]


def suite(code: int, name: str, recommended: str, registered: str, reference: str) -> str:
    """One cipher suite, taken apart."""
    body = re.sub(r"^(TLS|SSL)_|_OLD$", "", name)
    left, _, right = body.rpartition("_WITH_")
    left, export, _ = left.partition("_EXPORT")
    exchange = EXCHANGES[left] if left else ("", "")
    if right.endswith(("_MGM_L", "_MGM_S")):  # RFC 9367 names its TLS 1.3 suites the old way
        exchange = ("", "")
    cipher, bits, mac, digest = protection(right, name)
    lowest, highest = span(exchange[0], cipher, mac, digest)
    if code in RFC9189:
        lowest = "_T12"
    if "GOSTR" in left or "GOSTR" in mac or "28147" in cipher:
        digest = "STREEBOG256" if "GOSTR341112" in left else "GOSTR3411"
    digest = digest or "SHA256"  # the PRF of TLS 1.2, unless a suite says otherwise
    parts = [name, *exchange, cipher, mac, digest, recommended, reference]
    text = [f'"{part}"' for part in parts]
    return ", ".join(
        [
            f"0x{code:04X}",
            text[0],
            lowest,
            highest,
            *text[1:4],
            str(bits),
            *text[4:6],
            str(bool(export)),
            text[6],
            registered,
            text[7],
        ]
    )


def protection(text: str, name: str) -> tuple[str, int, str, str]:
    """Cipher, strength, MAC and hash of what stands after _WITH_."""
    if text in ("SHA256_SHA256", "SHA384_SHA384"):  # RFC 9150: integrity only
        digest = text[:6]
        return "NULL", 0, digest, digest
    if text in SEALS:
        return text, SEALS[text], "AEAD", "STREEBOG256" if "_MGM_" in text else ""
    if text == "NULL_NULL":
        return "NULL", 0, "NULL", ""
    cipher, _, last = text.rpartition("_")
    if cipher in SEALS and last in HASHES:
        return cipher, SEALS[cipher], "AEAD", last
    if cipher in CIPHERS and last in MACS:
        return cipher, CIPHERS[cipher], last, last if last in HASHES else ""
    raise SystemExit(f"no rule takes {name} apart")


def span(exchange: str, cipher: str, mac: str, digest: str) -> tuple[str, str]:
    """The lowest and the highest version of a suite."""
    if not exchange:
        return "_T13", "_T13"
    # RFC 5487, RFC 5489 and RFC 6367 let these PSK suites run below TLS 1.2 with that version's
    # PRF, and OpenSSL does.
    if exchange.endswith("PSK") and mac.startswith("SHA") and digest and "ARIA" not in cipher:
        return "_T10", "_T12"
    if mac in ("AEAD", "OMAC") or digest:
        return "_T12", "_T12"
    return "_S30", "_T12"


def ssl2_kinds() -> dict[int, str]:
    """The cipher kinds of SSL 2.0."""
    return {int(row["Value"], 16): row["Description"] for row in unregistered("ssl2")}


def groups() -> list[str]:
    """The groups, as arguments."""
    return [
        group(int(row["Value"]), row["Description"].removesuffix(" (OBSOLETE)"))
        for row in rows("tls-parameters-8.csv")
    ]


def group(code: int, name: str) -> str:
    """One group, measured by its name."""
    kind, bits, strength, length = measure(name)
    only13 = kind in ("kem", "hybrid") or name.endswith("tls13") or name == "curveSM2"
    # RFC 8446 left the older curves and those of explicit parameters behind.
    only12 = kind == "ec" and not only13 and (code < 23 or 26 <= code <= 28 or code >= 0xFF00)
    fields = (f"0x{code:04X}", f'"{name}"', f'"{kind}"', bits, strength, length)
    return ", ".join(map(str, (*fields, not only13, not only12)))


def measure(name: str) -> tuple[str, int, int, int]:
    """Kind, size, strength and length of the share of a group."""
    if name.startswith("arbitrary_explicit_"):
        return "ec", 0, 0, 0
    if found := re.fullmatch(r"(.*?)(?:MLKEM|Kyber)(512|768|1024)(?:Draft00)?(.*)", name):
        before, size, after = found.groups()
        strength, length = KEMS[int(size)]
        curve = (before + after).lower()
        more = measure(curve.replace("curvesm2", "curveSM2"))[3] if curve else 0
        return "hybrid" if curve else "kem", int(size), strength, length + more
    if found := re.fullmatch(r"ffdhe(\d+)", name):
        bits = int(found[1])
        return "ff", bits, FINITE_STRENGTHS[bits], bits // 8
    bits = {"x25519": 255, "x448": 448, "curveSM2": 256}.get(name) or field(name)
    strength = next(strength for size, strength in CURVE_STRENGTHS if bits >= size)
    width = (bits + 7) // 8
    if name.startswith("x"):
        return "ec", bits, strength, width
    # RFC 9367 writes both coordinates of a GOST curve without a leading byte.
    return "ec", bits, strength, 2 * width + (not name.startswith("GC"))


def field(name: str) -> int:
    """The size in a curve's name."""
    if found := re.match(r"(?:sect|secp|brainpoolP|GC)(\d+)", name):
        return int(found[1])
    raise SystemExit(f"no rule measures {name}")


def schemes() -> list[str]:
    """The signature schemes, as arguments."""
    both = (*rows("tls-signaturescheme.csv"), *unregistered("scheme"))
    found = {int(row["Value"], 16): row["Description"] for row in both}
    return [scheme(code, found[code]) for code in sorted(found)]


def scheme(code: int, name: str) -> str:
    """One signature scheme, taken apart."""
    kind = next(kind for pattern, kind in SCHEME_KINDS if re.match(pattern, name))
    found = re.search(r"(md5|sha\d+|sm3)(?=$|_legacy)", name)
    digest = found[1].upper() if found else STREEBOG.get(name[:17], "")
    old = code >= 0xED00 or code in (0x0840, 0x0841) or (code >> 8 <= 6 and kind != "ecdsa")
    # Of the ECDSA pairs TLS 1.3 kept those that name a curve. RFC 9963 gives the legacy ones of
    # RSA to clients alone.
    tls13 = not old and (kind != "ecdsa" or "_secp" in name or "_brainpool" in name)
    return f'0x{code:04X}, "{name}", "{digest}", "{kind}", {tls13}'


SCHEME_KINDS = (
    ("rsa_pkcs1_", "rsa"),
    ("rsa_pss_rsae_", "pss_rsae"),
    ("rsa_pss_pss_", "pss_pss"),
    ("ecdsa_", "ecdsa"),
    ("dsa_", "dsa"),
    ("ed(25519|448)$", "eddsa"),
    ("mldsa", "mldsa"),
    ("", "other"),
)
STREEBOG = {
    "gostr34102001": "GOSTR3411",
    "gostr34102012_256": "STREEBOG256",
    "gostr34102012_512": "STREEBOG512",
}


def alerts() -> dict[int, str]:
    """The alerts."""
    return {int(row["Value"]): row["Description"] for row in rows("tls-parameters-6.csv")}


def extensions() -> dict[int, str]:
    """The extensions, without what IANA remarks on their names."""
    named = (
        (row["Value"], row["Extension Name"]) for row in rows("tls-extensiontype-values-1.csv")
    )
    more = ((row["Value"], row["Description"]) for row in unregistered("extension"))
    return {int(code): name.partition(" (")[0] for code, name in (*named, *more)}


def references(text: str) -> str:
    """IANA's references without their brackets."""
    return ", ".join(re.findall(r"\[([^\]]+)\]", text))


if __name__ == "__main__":
    raise SystemExit(main())
