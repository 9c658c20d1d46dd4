"""The numbers of IKE and their names, as IANA's registries have them.

IKEv2: "Internet Key Exchange Version 2 (IKEv2) Parameters"; IKEv1: "Internet Key Exchange (IKE)
Attributes". An algorithm of several key lengths has its length in bits behind its name, as in
``ENCR_AES_CBC-256``. IKEv1's groups share the numbers of IKEv2's, so they share the names too.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum
from functools import cached_property


class Kind(IntEnum):
    """What a transform of IKEv2 is for (RFC 7296, section 3.3.2)."""

    ENCRYPTION = 1
    PRF = 2
    INTEGRITY = 3
    GROUP = 4


_ENCRYPTION = {
    1: "ENCR_DES_IV64",
    2: "ENCR_DES",
    3: "ENCR_3DES",
    4: "ENCR_RC5",
    5: "ENCR_IDEA",
    6: "ENCR_CAST",
    7: "ENCR_BLOWFISH",
    8: "ENCR_3IDEA",
    9: "ENCR_DES_IV32",
    11: "ENCR_NULL",
    12: "ENCR_AES_CBC",
    13: "ENCR_AES_CTR",
    14: "ENCR_AES_CCM_8",
    15: "ENCR_AES_CCM_12",
    16: "ENCR_AES_CCM_16",
    18: "ENCR_AES_GCM_8",
    19: "ENCR_AES_GCM_12",
    20: "ENCR_AES_GCM_16",
    23: "ENCR_CAMELLIA_CBC",
    24: "ENCR_CAMELLIA_CTR",
    28: "ENCR_CHACHA20_POLY1305",
}
_AEAD = frozenset({14, 15, 16, 18, 19, 20, 25, 26, 27, 28})
_PRF = {
    1: "PRF_HMAC_MD5",
    2: "PRF_HMAC_SHA1",
    3: "PRF_HMAC_TIGER",
    4: "PRF_AES128_XCBC",
    5: "PRF_HMAC_SHA2_256",
    6: "PRF_HMAC_SHA2_384",
    7: "PRF_HMAC_SHA2_512",
    8: "PRF_AES128_CMAC",
}
_INTEGRITY = {
    0: "NONE",
    1: "AUTH_HMAC_MD5_96",
    2: "AUTH_HMAC_SHA1_96",
    3: "AUTH_DES_MAC",
    4: "AUTH_KPDK_MD5",
    5: "AUTH_AES_XCBC_96",
    6: "AUTH_HMAC_MD5_128",
    7: "AUTH_HMAC_SHA1_160",
    8: "AUTH_AES_CMAC_96",
    12: "AUTH_HMAC_SHA2_256_128",
    13: "AUTH_HMAC_SHA2_384_192",
    14: "AUTH_HMAC_SHA2_512_256",
}
_GROUP = {
    1: "768-bit MODP Group",
    2: "1024-bit MODP Group",
    5: "1536-bit MODP Group",
    14: "2048-bit MODP Group",
    15: "3072-bit MODP Group",
    16: "4096-bit MODP Group",
    17: "6144-bit MODP Group",
    18: "8192-bit MODP Group",
    19: "256-bit random ECP group",
    20: "384-bit random ECP group",
    21: "521-bit random ECP group",
    22: "1024-bit MODP Group with 160-bit Prime Order Subgroup",
    23: "2048-bit MODP Group with 224-bit Prime Order Subgroup",
    24: "2048-bit MODP Group with 256-bit Prime Order Subgroup",
    25: "192-bit Random ECP Group",
    26: "224-bit Random ECP Group",
    27: "brainpoolP224r1",
    28: "brainpoolP256r1",
    29: "brainpoolP384r1",
    30: "brainpoolP512r1",
    31: "Curve25519",
    32: "Curve448",
}
_NAMES: Mapping[Kind, Mapping[int, str]] = {
    Kind.ENCRYPTION: _ENCRYPTION,
    Kind.PRF: _PRF,
    Kind.INTEGRITY: _INTEGRITY,
    Kind.GROUP: _GROUP,
}
_NUMBERS = {kind: {name: id for id, name in names.items()} for kind, names in _NAMES.items()}

KEY_OCTETS: Mapping[int, int] = {
    1: 96, 2: 128, 5: 192, 14: 256, 15: 384, 16: 512, 17: 768, 18: 1024,
    19: 64, 20: 96, 21: 132, 22: 128, 23: 256, 24: 256, 25: 48, 26: 56,
    27: 56, 28: 64, 29: 96, 30: 128, 31: 32, 32: 56,
}  # fmt: skip
"""How long a public key of each group is (RFC 7296, section 3.4; RFC 5903, 5114, 6954, 8031)."""


@dataclass(frozen=True)
class Transform:
    """One algorithm of IKEv2, with its key length where it has several."""

    kind: Kind
    id: int
    key_bits: int = 0

    @cached_property
    def name(self) -> str:
        """IANA's name, with the key length; the bare number where it has none."""
        found = _NAMES[self.kind].get(self.id, f"{self.kind.name} {self.id}")
        return f"{found}-{self.key_bits}" if self.key_bits else found


def transform(kind: Kind, name: str) -> Transform:
    """The transform of that *name*. KeyError for a name that is not in the registry."""
    numbers = _NUMBERS[kind]
    if name in numbers:
        return Transform(kind, numbers[name])
    bare, _, bits = name.rpartition("-")
    if not bits.isdecimal():
        raise KeyError(name)
    return Transform(kind, numbers[bare], int(bits))


def is_aead(encryption: str) -> bool:
    """Whether the cipher of that name authenticates too, so that no integrity goes with it."""
    return transform(Kind.ENCRYPTION, encryption).id in _AEAD


# ---- IKEv1 -----------------------------------------------------------------------------------

ENCRYPTION_1: Mapping[int, str] = {
    1: "DES-CBC",
    2: "IDEA-CBC",
    3: "Blowfish-CBC",
    4: "RC5-R16-B64-CBC",
    5: "3DES-CBC",
    6: "CAST-CBC",
    7: "AES-CBC",
    8: "CAMELLIA-CBC",
}
HASH_1: Mapping[int, str] = {
    1: "MD5",
    2: "SHA",
    3: "Tiger",
    4: "SHA2-256",
    5: "SHA2-384",
    6: "SHA2-512",
}
AUTHENTICATION_1: Mapping[int, str] = {
    1: "pre-shared key",
    2: "DSS signatures",
    3: "RSA signatures",
    4: "Encryption with RSA",
    5: "Revised encryption with RSA",
    9: "ECDSA with SHA-256 on the P-256 curve",
    10: "ECDSA with SHA-384 on the P-384 curve",
    11: "ECDSA with SHA-512 on the P-521 curve",
    64221: "HybridInitRSA",
    65001: "XAUTHInitPreShared",
    65005: "XAUTHInitRSA",
}


@dataclass(frozen=True, slots=True)
class Phase1:
    """A transform of IKEv1's phase 1: what goes together (RFC 2409, appendix A)."""

    encryption: str
    """With the key length where one is stated."""
    hash: str
    authentication: str
    group: str


def phase1(attributes: Mapping[int, int]) -> Phase1:
    """The transform that is made of *attributes*; what is missing or unknown is a number."""
    encryption = _known(ENCRYPTION_1, attributes.get(1, 0))
    bits = attributes.get(14, 0)
    return Phase1(
        f"{encryption}-{bits}" if bits else encryption,
        _known(HASH_1, attributes.get(2, 0)),
        _known(AUTHENTICATION_1, attributes.get(3, 0)),
        _known(_GROUP, attributes.get(4, 0)),
    )


def _known(names: Mapping[int, str], number: int) -> str:
    return names.get(number, str(number))


# ---- notifications ---------------------------------------------------------------------------

_NOTIFY_2 = {
    1: "UNSUPPORTED_CRITICAL_PAYLOAD",
    4: "INVALID_IKE_SPI",
    5: "INVALID_MAJOR_VERSION",
    7: "INVALID_SYNTAX",
    9: "INVALID_MESSAGE_ID",
    11: "INVALID_SPI",
    14: "NO_PROPOSAL_CHOSEN",
    17: "INVALID_KE_PAYLOAD",
    24: "AUTHENTICATION_FAILED",
    43: "TEMPORARY_FAILURE",
    16388: "NAT_DETECTION_SOURCE_IP",
    16389: "NAT_DETECTION_DESTINATION_IP",
    16390: "COOKIE",
    16392: "HTTP_CERT_LOOKUP_SUPPORTED",
    16404: "MULTIPLE_AUTH_SUPPORTED",
    16406: "REDIRECT_SUPPORTED",
    16407: "REDIRECT",
    16418: "CHILDLESS_IKEV2_SUPPORTED",
    16430: "IKEV2_FRAGMENTATION_SUPPORTED",
    16431: "SIGNATURE_HASH_ALGORITHMS",
    16435: "USE_PPK",
    16438: "INTERMEDIATE_EXCHANGE_SUPPORTED",
}
_NOTIFY_1 = {
    1: "INVALID-PAYLOAD-TYPE",
    2: "DOI-NOT-SUPPORTED",
    3: "SITUATION-NOT-SUPPORTED",
    4: "INVALID-COOKIE",
    5: "INVALID-MAJOR-VERSION",
    6: "INVALID-MINOR-VERSION",
    7: "INVALID-EXCHANGE-TYPE",
    8: "INVALID-FLAGS",
    9: "INVALID-MESSAGE-ID",
    10: "INVALID-PROTOCOL-ID",
    11: "INVALID-SPI",
    12: "INVALID-TRANSFORM-ID",
    13: "ATTRIBUTES-NOT-SUPPORTED",
    14: "NO-PROPOSAL-CHOSEN",
    15: "BAD-PROPOSAL-SYNTAX",
    16: "PAYLOAD-MALFORMED",
    17: "INVALID-KEY-INFORMATION",
    18: "INVALID-ID-INFORMATION",
    24: "AUTHENTICATION-FAILED",
    29: "UNSUPPORTED-EXCHANGE-TYPE",
}


def notify_name(version: int, number: int) -> str:
    """The name of a notification of IKEv1 or IKEv2; the bare number where it has none."""
    return (_NOTIFY_1 if version == 1 else _NOTIFY_2).get(number, str(number))


# ---- vendor ids ------------------------------------------------------------------------------

_VENDORS = {
    "4a131c81070358455c5728f20e95452f": "RFC 3947 NAT-T",
    "4485152d18b6bbcd0be8a8469579ddcc": "draft-ietf-ipsec-nat-t-ike-00",
    "cd60464335df21f87cfdb2fc68b6a448": "draft-ietf-ipsec-nat-t-ike-02",
    "90cb80913ebb696e086381b5ec427b1f": "draft-ietf-ipsec-nat-t-ike-02",
    "7d9419a65310ca6f2c179d9215529d56": "draft-ietf-ipsec-nat-t-ike-03",
    "afcad71368a1f1c96b8696fc77570100": "Dead Peer Detection (RFC 3706)",
    "09002689dfd6b712": "XAUTH",
    "12f5f28c457168a9702d9fe274cc": "Cisco Unity",
    "1f07f70eaa6514d3b0fa96542a50": "Cisco VPN 3000",
    "882fe56d6fd20dbc2251613b2ebe5beb": "strongSwan",
    "4048b7d56ebce88525e7de7f00d6c2d3": "IKE fragmentation",
    "1e2b516905991c7d7c96fcbfb587e461": "Microsoft",
    "fb1de3cdf341b7ea16b7e5be0855f120": "Microsoft, negotiation discovery",
    "7003cbc1097dbe9c2600ba6983bc8b35": "KAME/racoon",
}
"""By their beginning in hexadecimal: what follows tells a version or an option."""


def vendor_name(vendor_id: str) -> str:
    """Who sends that *vendor_id* (hexadecimal), or its text; empty where neither is known."""
    for start, name in _VENDORS.items():
        if vendor_id.startswith(start):
            return name
    octets = bytes.fromhex(vendor_id)
    return octets.decode("ascii") if octets and all(32 < o < 127 for o in octets) else ""
