"""What the names of the TLS registries stand for, as CycloneDX 1.6 describes algorithms."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from tlscheck.wire.names import Suite
from tlscheck.wire.registry import GROUP_BY_NAME, SCHEME_BY_NAME

Properties = Mapping[str, Any]

_EXCHANGES = {
    **dict.fromkeys(("DHE", "ECDHE", "DH", "ECDH", "DHE_PSK", "ECDHE_PSK"), "key-agree"),
    **dict.fromkeys(("RSA", "RSA_PSK"), "pke"),
}
_GROUPS = {"ec": "key-agree", "ff": "key-agree", "kem": "kem", "hybrid": "combiner"}
_SIGNING = ("RSA", "ECDSA", "DSS")
_MODES = ("GCM", "CCM", "CBC", "CTR")
_KEMS = {512: 1, 768: 3, 1024: 5}
"""The security categories of FIPS 203, by the parameter set."""
_SIGNATURES = {
    name: {"nistQuantumSecurityLevel": category}
    for name, category in {"mldsa44": 2, "mldsa65": 3, "mldsa87": 5}.items()
}
"""Those of FIPS 204."""
UNNAMED: Properties = {"primitive": "signature", "cryptoFunctions": ["sign"]}
"""A signature of which no more is known."""
FORGEABLE: Properties = {**UNNAMED, "nistQuantumSecurityLevel": 0}
"""One with RSA, DSA or an elliptic curve: a quantum computer could forge it."""
_FORGEABLE = ("rsa", "pss_rsae", "pss_pss", "dsa", "ecdsa", "eddsa")
"""The kinds of schemes that are."""


def of_suite(suite: Suite) -> Iterator[tuple[str, Properties]]:
    """The algorithms of a suite, by name."""
    if suite.key_exchange not in ("", "NULL"):
        primitive = _EXCHANGES.get(suite.key_exchange, "other")
        broken = {"nistQuantumSecurityLevel": 0} if primitive != "other" else {}
        yield f"{suite.key_exchange} key exchange", {"primitive": primitive, **broken}
    if suite.authentication in _SIGNING:
        yield f"{suite.authentication} signature", FORGEABLE
    yield _hyphened(suite.encryption), _cipher(suite)
    if not suite.aead and suite.mac != "NULL":
        yield f"{suite.mac} MAC", {"primitive": "mac", "cryptoFunctions": ["tag"]}
    yield suite.hash, {"primitive": "hash", "cryptoFunctions": ["digest"]}


def group(name: str) -> Properties:
    """A group or KEM of the key exchange."""
    known = GROUP_BY_NAME.get(name)
    if known is None:
        return {"primitive": "unknown"}
    found: dict[str, Any] = {
        "primitive": _GROUPS[known.kind],
        "classicalSecurityLevel": known.strength,
    }
    if known.kind in ("ec", "ff"):
        found["nistQuantumSecurityLevel"] = 0
    elif "MLKEM" in name:  # drafts of Kyber have no category
        found["nistQuantumSecurityLevel"] = _KEMS[known.bits]
    return found


def signature(name: str) -> Properties:
    """A signature scheme."""
    known = SCHEME_BY_NAME.get(name)
    if known and known.kind in _FORGEABLE:
        return FORGEABLE
    return {**UNNAMED, **_SIGNATURES.get(name, {})}


def _cipher(suite: Suite) -> Properties:
    name = suite.encryption
    found: dict[str, Any] = {"primitive": "block-cipher", "classicalSecurityLevel": suite.bits}
    if name == "NULL":
        return {"primitive": "other", "classicalSecurityLevel": 0}
    if suite.aead:
        found["primitive"] = "ae"
    elif name.startswith("RC4"):
        found["primitive"] = "stream-cipher"
    if mode := next((mode for mode in _MODES if mode in name.split("_")), ""):
        found["mode"] = mode.lower()
    if size := re.search(r"_(\d{2,3})(_|$)", name):
        found["parameterSetIdentifier"] = size[1]
    return {**found, "cryptoFunctions": ["encrypt", "decrypt"]}


def _hyphened(name: str) -> str:
    return name.replace("_", "-")
