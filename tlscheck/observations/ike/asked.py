"""What IPsec gateways are asked about in IKEv2, in the order of asking."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum


class Dimension(StrEnum):
    """What is negotiated in IKEv2."""

    GROUPS = "groups"
    ENCRYPTION = "encryption"
    INTEGRITY = "integrity"
    PRF = "prf"


_SIZES = (128, 192, 256)
Tier = tuple[tuple[str, ...], ...]
"""Sets of names; each is asked about as a whole before its members are."""
TIERS: Mapping[Dimension, tuple[Tier, ...]] = {
    Dimension.GROUPS: (
        (
            (
                *(f"{bits}-bit MODP Group" for bits in (1024, 1536, 768)),
                "1024-bit MODP Group with 160-bit Prime Order Subgroup",
                "2048-bit MODP Group with 224-bit Prime Order Subgroup",
                "2048-bit MODP Group with 256-bit Prime Order Subgroup",
                "192-bit Random ECP Group",
            ),
        ),
        (
            (
                *(f"{bits}-bit MODP Group" for bits in (2048, 3072, 4096, 6144, 8192)),
                *(f"{bits}-bit random ECP group" for bits in (256, 384, 521)),
                *("Curve25519", "Curve448"),
                *(f"brainpoolP{bits}r1" for bits in (224, 256, 384, 512)),
            ),
        ),
        (),
    ),
    Dimension.ENCRYPTION: (
        (("ENCR_3DES", "ENCR_DES", "ENCR_CAST-128", "ENCR_BLOWFISH-128"),),
        (
            ("ENCR_AES_CBC-256", "ENCR_AES_CBC-128"),
            ("ENCR_AES_GCM_16-256", "ENCR_AES_GCM_16-128", "ENCR_CHACHA20_POLY1305"),
        ),
        (
            ("ENCR_AES_CBC-192", "ENCR_AES_GCM_16-192"),
            (
                *(f"ENCR_AES_CTR-{bits}" for bits in _SIZES),
                *(f"ENCR_AES_CCM_{icv}-{bits}" for icv in (8, 16) for bits in (128, 256)),
                *(f"ENCR_AES_GCM_{icv}-{bits}" for icv in (8, 12) for bits in (128, 256)),
                *(f"ENCR_CAMELLIA_CBC-{bits}" for bits in _SIZES),
            ),
        ),
    ),
    Dimension.INTEGRITY: (
        (("AUTH_HMAC_SHA1_96", "AUTH_HMAC_MD5_96"),),
        (("AUTH_HMAC_SHA2_256_128",), ("AUTH_HMAC_SHA2_384_192", "AUTH_HMAC_SHA2_512_256")),
        (("AUTH_AES_XCBC_96", "AUTH_AES_CMAC_96"),),
    ),
    Dimension.PRF: (
        (("PRF_HMAC_SHA1", "PRF_HMAC_MD5"),),
        (("PRF_HMAC_SHA2_256",), ("PRF_HMAC_SHA2_384", "PRF_HMAC_SHA2_512")),
        (("PRF_AES128_XCBC", "PRF_AES128_CMAC"),),
    ),
}
"""All that is asked about, by IANA's names, in the order of asking: what decides rules first."""
ASKED: Mapping[Dimension, tuple[str, ...]] = {
    dimension: tuple(item for tier in tiers for items in tier for item in items)
    for dimension, tiers in TIERS.items()
}
