"""The key shares by their form, and the primes by their definitions."""

import hashlib

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, x448, x25519

from tlscheck.wire.primes import FFDHE_PRIMES, KNOWN_PRIMES
from tlscheck.wire.registry import GROUP_BY_NAME, GROUPS
from tlscheck.wire.shares import share

NONE_KNOWN = {
    *(group.name for group in GROUPS if group.name.startswith("GC")),
    "arbitrary_explicit_prime_curves",
    "arbitrary_explicit_char2_curves",
}


@pytest.mark.parametrize("group", GROUPS, ids=lambda group: group.name)
def test_a_share_has_the_length_of_its_group(group):
    if group.name in NONE_KNOWN:
        with pytest.raises(KeyError):
            share(group)
    else:
        assert len(share(group)) == group.share_length


@pytest.mark.parametrize(
    ("name", "curve"),
    [
        ("secp224r1", ec.SECP224R1()),
        ("secp256k1", ec.SECP256K1()),
        ("secp256r1", ec.SECP256R1()),
        ("secp384r1", ec.SECP384R1()),
        ("secp521r1", ec.SECP521R1()),
        ("brainpoolP256r1", ec.BrainpoolP256R1()),
        ("brainpoolP384r1tls13", ec.BrainpoolP384R1()),
        ("brainpoolP512r1tls13", ec.BrainpoolP512R1()),
    ],
)
def test_a_point_lies_on_its_curve(name, curve):
    ec.EllipticCurvePublicKey.from_encoded_point(curve, share(GROUP_BY_NAME[name]))


def test_a_montgomery_share_gives_a_secret():
    theirs = x25519.X25519PublicKey.from_public_bytes(share(GROUP_BY_NAME["x25519"]))
    assert any(x25519.X25519PrivateKey.generate().exchange(theirs))
    them = x448.X448PublicKey.from_public_bytes(share(GROUP_BY_NAME["x448"]))
    assert any(x448.X448PrivateKey.generate().exchange(them))


@pytest.mark.parametrize("name", ["MLKEM512", "MLKEM768", "MLKEM1024"])
def test_an_encapsulation_key_passes_the_modulus_check(name):
    packed = share(GROUP_BY_NAME[name])[:-32]
    number = int.from_bytes(packed, "little")
    coefficients = [number >> 12 * i & 0xFFF for i in range(len(packed) * 2 // 3)]
    assert max(coefficients) < 3329
    assert len(set(coefficients)) > 300


@pytest.mark.parametrize(
    ("hybrid", "first", "second"),
    [
        ("X25519MLKEM768", "MLKEM768", "x25519"),
        ("MLKEM512X25519", "MLKEM512", "x25519"),
        ("SecP256r1MLKEM512", "secp256r1", "MLKEM512"),
        ("SecP256r1MLKEM768", "secp256r1", "MLKEM768"),
        ("SecP384r1MLKEM1024", "secp384r1", "MLKEM1024"),
        ("curveSM2MLKEM768", "curveSM2", "MLKEM768"),
        ("X25519Kyber768Draft00", "x25519", "MLKEM768"),
        ("SecP256r1Kyber768Draft00", "secp256r1", "MLKEM768"),
    ],
)
def test_the_parts_of_a_hybrid_are_in_order(hybrid, first, second):
    parts = share(GROUP_BY_NAME[first]) + share(GROUP_BY_NAME[second])
    assert share(GROUP_BY_NAME[hybrid]) == parts


@pytest.mark.parametrize("name", ["ffdhe2048", "ffdhe3072", "ffdhe4096"])
def test_a_finite_share_lies_in_the_subgroup(name):
    prime = FFDHE_PRIMES[name]
    assert pow(4, (prime - 1) // 2, prime) == 1
    assert pow(3, prime - 1, prime) == 1


def fingerprint(prime):
    return hashlib.sha256(prime.to_bytes((prime.bit_length() + 7) // 8, "big")).hexdigest()


def test_the_primes_of_rfc_7919_are_known():
    for name, prime in FFDHE_PRIMES.items():
        assert prime.bit_length() == int(name.removeprefix("ffdhe"))
        assert KNOWN_PRIMES[fingerprint(prime)] == (f"RFC 7919 {name}", "safe")


def scaled_pi(bits):
    """Pi, multiplied by 2**bits and rounded down, after Machin."""

    def arctan_of_inverse(number):
        power, total, odd = (1 << bits + 64) // number, 0, 1
        while power:
            total += power // odd if odd % 4 == 1 else -(power // odd)
            power //= number * number
            odd += 2
        return total

    return 4 * (4 * arctan_of_inverse(5) - arctan_of_inverse(239)) >> 64


@pytest.mark.parametrize(
    ("name", "remark", "offset"),
    [
        ("RFC 2409 group 1, 768 bits", "weak", 149686),
        ("RFC 2409 group 2, 1024 bits", "weak", 129093),
        ("RFC 3526 group 5, 1536 bits", "weak", 741804),
        ("RFC 3526 group 14, 2048 bits", "safe", 124476),
        ("RFC 3526 group 15, 3072 bits", "safe", 1690314),
        ("RFC 3526 group 16, 4096 bits", "safe", 240904),
        ("RFC 3526 group 17, 6144 bits", "safe", 929484),
        ("RFC 3526 group 18, 8192 bits", "safe", 4743158),
    ],
)
def test_the_modp_primes_are_known_by_their_definition(name, remark, offset):
    bits = int(name.split()[-2])
    middle = scaled_pi(bits - 130) + offset
    prime = (1 << bits) - (1 << bits - 64) - 1 + (middle << 64)
    assert KNOWN_PRIMES[fingerprint(prime)] == (name, remark)


def test_short_primes_are_never_called_safe():
    assert len(KNOWN_PRIMES) == 101
    for name, remark in KNOWN_PRIMES.values():
        assert remark in ("weak", "shared", "safe")
        assert (remark == "safe") == (
            name.startswith(("RFC 3526", "RFC 7919")) and "1536" not in name
        )
