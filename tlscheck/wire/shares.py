"""A public key share for every group that has one, made of public constants.

To ask a server for a group takes a share of the right form. No secret belongs to any of these, so
no handshake can be finished with them: the ServerHello is all that is wanted.
"""

import hashlib
from functools import cache

from tlscheck.wire.registry import Group

# FIPS 203, section 7.2: a server refuses an encapsulation key with a coefficient from here on.
_Q = 3329
_RANKS = {512: 2, 768: 3, 1024: 4}

# The parts of the hybrids in the order of their specifications, which differs: RFC 10024,
# draft-rosomakho-tls-ecdhe-mlkem512, draft-yang-tls-hybrid-sm2-mlkem,
# draft-tls-westerbaan-xyber768d00, draft-kwiatkowski-tls-ecdhe-kyber. Kyber had the keys of ML-KEM.
_PARTS: dict[str, tuple[str | int, ...]] = {
    "MLKEM512": (512,),
    "MLKEM768": (768,),
    "MLKEM1024": (1024,),
    "SecP256r1MLKEM512": ("secp256r1", 512),
    "MLKEM512X25519": (512, "x25519"),
    "SecP256r1MLKEM768": ("secp256r1", 768),
    "X25519MLKEM768": (768, "x25519"),
    "SecP384r1MLKEM1024": ("secp384r1", 1024),
    "curveSM2MLKEM768": ("curveSM2", 768),
    "X25519Kyber768Draft00": ("x25519", 768),
    "SecP256r1Kyber768Draft00": ("secp256r1", 768),
}


@cache
def share(group: Group) -> bytes:
    """A client's share for *group*; a KeyError if none is known."""
    if group.kind == "ff":
        # A square, for it must lie in the subgroup of prime order.
        return (4).to_bytes(group.share_length, "big")
    parts = _PARTS.get(group.name, (group.name.removesuffix("tls13"),))
    return b"".join(_key(part) if isinstance(part, int) else _point(part) for part in parts)


def _point(curve: str) -> bytes:
    """The base point of a curve, as it is sent."""
    if (u := _MONTGOMERY.get(curve)) is not None:
        return u
    return b"\x04" + bytes.fromhex(_GENERATORS[curve])


def _key(parameters: int) -> bytes:
    """An encapsulation key of ML-KEM: uniform coefficients, 12 bits each, and a seed."""
    wanted = 256 * _RANKS[parameters]
    # One of five 12-bit numbers is too large; twice as many as needed are always enough.
    stream = hashlib.shake_128(b"tlscheck").digest(3 * wanted)
    found = (number for number in _twelve_bits(stream) if number < _Q)
    packed = b""
    for low in found:
        packed += (low | next(found) << 12).to_bytes(3, "little")
        if len(packed) == 3 * wanted // 2:
            break
    return packed + bytes(32)


def _twelve_bits(stream: bytes) -> list[int]:
    """The 12-bit numbers in a stream, as FIPS 203 packs them."""
    triples = (int.from_bytes(stream[i : i + 3], "little") for i in range(0, len(stream), 3))
    return [number for triple in triples for number in (triple & 0xFFF, triple >> 12)]


# RFC 7748, section 4: the u-coordinates of the base points, little-endian.
_MONTGOMERY = {"x25519": (9).to_bytes(32, "little"), "x448": (5).to_bytes(56, "little")}

# Base points, x and y: SEC 2 version 1 and 2, RFC 5639, and GB/T 32918.5 for curveSM2.
_GENERATORS = {
    "sect163k1": (
        "02fe13c0537bbc11acaa07d793de4e6d5e5c94eee80289070fb05d38ff58321f2e800536d538ccdaa3d9"
    ),
    "sect163r1": (
        "0369979697ab43897789566789567f787a7876a65400435edb42efafb2989d51fefce3c80988f41ff883"
    ),
    "sect163r2": (
        "03f0eba16286a2d57ea0991168d4994637e8343e3600d51fbc6c71a0094fa2cdd545b11c5c0c797324f1"
    ),
    "sect193r1": (
        "01f481bc5f0ff84a74ad6cdf6fdef4bf6179625372d8c0c5e10025e399f2903712ccf3ea9e3a1ad1"
        "7fb0b3201b6af7ce1b05"
    ),
    "sect193r2": (
        "00d9b67d192e0367c803f39e1a7e82ca14a651350aae617e8f01ce94335607c304ac29e7defbd9ca"
        "01f596f927224cdecf6c"
    ),
    "sect233k1": (
        "017232ba853a7e731af129f22ff4149563a419c26bf50a4c9d6eefad612601db537dece819b7f70f"
        "555a67c427a8cd9bf18aeb9b56e0c11056fae6a3"
    ),
    "sect233r1": (
        "00fac9dfcbac8313bb2139f1bb755fef65bc391f8b36f8f8eb7371fd558b01006a08a41903350678"
        "e58528bebf8a0beff867a7ca36716f7e01f81052"
    ),
    "sect239k1": (
        "29a0b6a887a983e9730988a68727a8b2d126c44cc2cc7b2a6555193035dc76310804f12e549bdb01"
        "1c103089e73510acb275fc312a5dc6b76553f0ca"
    ),
    "sect283k1": (
        "0503213f78ca44883f1a3b8162f188e553cd265f23c1567a16876913b0c2ac245849283601ccda38"
        "0f1c9e318d90f95d07e5426fe87e45c0e8184698e45962364e34116177dd2259"
    ),
    "sect283r1": (
        "05f939258db7dd90e1934f8c70b0dfec2eed25b8557eac9c80e2e198f8cdbecd86b1205303676854"
        "fe24141cb98fe6d4b20d02b4516ff702350eddb0826779c813f0df45be8112f4"
    ),
    "sect409k1": (
        "0060f05f658f49c1ad3ab1890f7184210efd0987e307c84c27accfb8f9f67cc2c460189eb5aaaa62"
        "ee222eb1b35540cfe902374601e369050b7c4e42acba1dacbf04299c3460782f918ea427e6325165"
        "e9ea10e3da5f6c42e9c55215aa9ca27a5863ec48d8e0286b"
    ),
    "sect409r1": (
        "015d4860d088ddb3496b0c6064756260441cde4af1771d4db01ffe5b34e59703dc255a868a118051"
        "5603aeab60794e54bb7996a70061b1cfab6be5f32bbfa78324ed106a7636b9c5a7bd198d0158aa4f"
        "5488d08f38514f1fdf4b4f40d2181b3681c364ba0273c706"
    ),
    "sect571k1": (
        "026eb7a859923fbc82189631f8103fe4ac9ca2970012d5d46024804801841ca44370958493b205e6"
        "47da304db4ceb08cbbd1ba39494776fb988b47174dca88c7e2945283a01c89720349dc807f4fbf37"
        "4f4aeade3bca95314dd58cec9f307a54ffc61efc006d8a2c9d4979c0ac44aea74fbebbb9f772aedc"
        "b620b01a7ba7af1b320430c8591984f601cd4c143ef1c7a3"
    ),
    "sect571r1": (
        "0303001d34b856296c16c0d40d3cd7750a93d1d2955fa80aa5f40fc8db7b2abdbde53950f4c0d293"
        "cdd711a35b67fb1499ae60038614f1394abfa3b4c850d927e1e7769c8eec2d19037bf27342da639b"
        "6dccfffeb73d69d78c6c27a6009cbbca1980f8533921e8a684423e43bab08a576291af8f461bb2a8"
        "b3531d2f0485c19b16e2f1516e23dd3c1a4827af1b8ac15b"
    ),
    "secp160k1": (
        "3b4c382ce37aa192a4019e763036f4f5dd4d7ebb938cf935318fdced6bc28286531733c3f03c4fee"
    ),
    "secp160r1": (
        "4a96b5688ef573284664698968c38bb913cbfc8223a628553168947d59dcc912042351377ac5fb32"
    ),
    "secp160r2": (
        "52dcb034293a117e1f4ff11b30f7199d3144ce6dfeaffef2e331f296e071fa0df9982cfea7d43f2e"
    ),
    "secp192k1": (
        "db4ff10ec057e9ae26b07d0280b7f4341da5d1b1eae06c7d9b2f2f6d9c5628a7844163d015be8634"
        "4082aa88d95e2f9d"
    ),
    "secp192r1": (
        "188da80eb03090f67cbf20eb43a18800f4ff0afd82ff101207192b95ffc8da78631011ed6b24cdd5"
        "73f977a11e794811"
    ),
    "secp224k1": (
        "a1455b334df099df30fc28a169a467e9e47075a90f7e650eb6b7a45c7e089fed7fba344282cafbd6"
        "f7e319f7c0b0bd59e2ca4bdb556d61a5"
    ),
    "secp224r1": (
        "b70e0cbd6bb4bf7f321390b94a03c1d356c21122343280d6115c1d21bd376388b5f723fb4c22dfe6"
        "cd4375a05a07476444d5819985007e34"
    ),
    "secp256k1": (
        "79be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798483ada7726a3c465"
        "5da4fbfc0e1108a8fd17b448a68554199c47d08ffb10d4b8"
    ),
    "secp256r1": (
        "6b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c2964fe342e2fe1a7f9b"
        "8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5"
    ),
    "secp384r1": (
        "aa87ca22be8b05378eb1c71ef320ad746e1d3b628ba79b9859f741e082542a385502f25dbf55296c"
        "3a545e3872760ab73617de4a96262c6f5d9e98bf9292dc29f8f41dbd289a147ce9da3113b5f0b8c0"
        "0a60b1ce1d7e819d7a431d7c90ea0e5f"
    ),
    "secp521r1": (
        "00c6858e06b70404e9cd9e3ecb662395b4429c648139053fb521f828af606b4d3dbaa14b5e77efe7"
        "5928fe1dc127a2ffa8de3348b3c1856a429bf97e7e31c2e5bd66011839296a789a3bc0045c8a5fb4"
        "2c7d1bd998f54449579b446817afbd17273e662c97ee72995ef42640c550b9013fad0761353c7086"
        "a272c24088be94769fd16650"
    ),
    "brainpoolP256r1": (
        "8bd2aeb9cb7e57cb2c4b482ffc81b7afb9de27e1e3bd23c23a4453bd9ace3262547ef835c3dac4fd"
        "97f8461a14611dc9c27745132ded8e545c1d54c72f046997"
    ),
    "brainpoolP384r1": (
        "1d1c64f068cf45ffa2a63a81b7c13f6b8847a3e77ef14fe3db7fcafe0cbd10e8e826e03436d646aa"
        "ef87b2e247d4af1e8abe1d7520f9c2a45cb1eb8e95cfd55262b70b29feec5864e19c054ff9912928"
        "0e4646217791811142820341263c5315"
    ),
    "brainpoolP512r1": (
        "81aee4bdd82ed9645a21322e9c4c6a9385ed9f70b5d916c1b43b62eef4d0098eff3b1f78e2d0d48d"
        "50d1687b93b97d5f7c6d5047406a5e688b352209bcb9f8227dde385d566332ecc0eabfa9cf7822fd"
        "f209f70024a57b1aa000c55b881f8111b2dcde494a5f485e5bca4bd88a2763aed1ca2b2fa8f05406"
        "78cd1e0f3ad80892"
    ),
    "curveSM2": (
        "32c4ae2c1f1981195f9904466a39c9948fe30bbff2660be1715a4589334c74c7bc3736a2f4f6779c"
        "59bdcee36b692153d0a9877cc62a474002df32e52139f0a0"
    ),
}
