"""Who vouches for a bundle: Ed25519 signatures (RFC 8032) and time stamps (RFC 3161)."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from datetime import datetime

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)

from tlscheck.errors import ConfigError
from tlscheck.text import Phrase

SIGNATURE, KEY, STAMP = "manifest.sig", "manifest.pub", "manifest.tsr"
"""The files that vouch for the manifest, which itself does not name them."""
PASSPHRASE = "TLSCHECK_KEY_PASSPHRASE"  # noqa: S105 - the variable's name
"""The environment variable that holds the passphrase of an encrypted key."""
_INSTALL = "pip install 'tlscheck[timestamp]'"


def generated(passphrase: bytes | None) -> tuple[bytes, bytes]:
    """A new key and its public half, both PEM."""
    key = Ed25519PrivateKey.generate()
    lock = BestAvailableEncryption(passphrase) if passphrase else NoEncryption()
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, lock), _pem(key.public_key())


def private(data: bytes, name: str, passphrase: bytes | None) -> Ed25519PrivateKey:
    """The key in *data*, a file called *name*. ConfigError."""
    try:
        key = load_pem_private_key(data, passphrase)
    except TypeError:  # encrypted and no passphrase, or a passphrase and not encrypted
        if passphrase:
            return private(data, name, None)
        raise ConfigError(
            "{file}: the key is encrypted; give its passphrase in {variable}",
            file=name,
            variable=PASSPHRASE,
        ) from None
    except ValueError:
        if passphrase:
            raise ConfigError(
                "{file}: no key in PEM form, or {variable} is not its passphrase",
                file=name,
                variable=PASSPHRASE,
            ) from None
        key = None
    if not isinstance(key, Ed25519PrivateKey):
        raise ConfigError(
            "{file}: no Ed25519 key in PEM form; make one with tlscheck bundle keygen", file=name
        )
    return key


def public(data: bytes, name: str) -> Ed25519PublicKey:
    """The public key in *data*, a file called *name*. ConfigError."""
    if (key := _public(data)) is None:
        raise ConfigError(
            "{file}: no Ed25519 public key in PEM form; give the one that tlscheck bundle keygen"
            " wrote beside the key",
            file=name,
        )
    return key


def fingerprint(key: Ed25519PublicKey) -> str:
    """The SHA-256 of a public key (SubjectPublicKeyInfo), hexadecimal."""
    spki = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return hashlib.sha256(spki).hexdigest()


def signed(manifest: bytes, key: Ed25519PrivateKey) -> dict[str, bytes]:
    """The files that sign *manifest*."""
    return {SIGNATURE: key.sign(manifest), KEY: _pem(key.public_key())}


def signer(files: Mapping[str, bytes], manifest: bytes) -> Ed25519PublicKey | None:
    """The key whose signature of *manifest* is among *files*; ``None`` where none fits."""
    key = _public(files.get(KEY, b""))
    if key is None or _pem(key) != files[KEY]:  # no signature covers what stands beside the key
        return None
    try:
        key.verify(files.get(SIGNATURE, b""), manifest)
    except InvalidSignature:
        return None
    return key


def fits(files: Mapping[str, bytes], manifest: bytes) -> bool:
    """Whether what vouches for *manifest* among *files* is about it, whoever made it; a time stamp
    is let pass where no library reads it.
    """
    signed_by = {SIGNATURE, KEY} & files.keys()
    if signed_by and signer(files, manifest) is None:
        return False
    try:
        if STAMP in files:
            need()
            stamped(files[STAMP], manifest)
    except StampError:
        return False
    except ConfigError:
        pass
    return True


def _public(data: bytes) -> Ed25519PublicKey | None:
    try:
        key = load_pem_public_key(data)
    except (ValueError, UnsupportedAlgorithm):
        return None
    return key if isinstance(key, Ed25519PublicKey) else None


def _pem(key: Ed25519PublicKey) -> bytes:
    return key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


# ---- time stamps -----------------------------------------------------------------------------


class StampError(Exception):
    """A time stamp that is none; *words* say why."""

    def __init__(self, words: Phrase) -> None:
        super().__init__(words.template)
        self.words = words


def need() -> None:
    """ConfigError where the library for time stamps is not installed."""
    try:
        import rfc3161_client
    except ImportError:
        raise ConfigError(
            "time stamps need a library that is not installed; {remedy}", remedy=_INSTALL
        ) from None
    del rfc3161_client


def question(manifest: bytes) -> bytes:
    """What to ask a time-stamping authority about *manifest* (RFC 3161, section 2.4.1)."""
    from rfc3161_client import HashAlgorithm, TimestampRequestBuilder

    asked = TimestampRequestBuilder().data(manifest).hash_algorithm(HashAlgorithm.SHA256)
    return asked.nonce(nonce=False).cert_request(cert_request=True).build().as_bytes()


def stamped(answer: bytes, manifest: bytes) -> datetime:
    """When *answer* says that *manifest* was there; by whom is not checked. StampError."""
    from rfc3161_client import decode_timestamp_response

    try:
        token = decode_timestamp_response(answer)
        if token.status != 0:
            raise StampError(Phrase("the authority refused"))
        info = token.tst_info
        if info.message_imprint.message != hashlib.sha256(manifest).digest():
            raise StampError(Phrase("it is of something else"))
        return info.gen_time
    except ValueError:
        raise StampError(Phrase("it cannot be read")) from None


def stamped_by(answer: bytes, manifest: bytes, roots: Sequence[x509.Certificate]) -> datetime:
    """The same, once the signature leads to one of *roots*. StampError."""
    from rfc3161_client import VerificationError, VerifierBuilder, decode_timestamp_response

    when = stamped(answer, manifest)
    try:
        verifier = VerifierBuilder(roots=list(roots)).build()
        verifier.verify_message(decode_timestamp_response(answer), manifest)
    except (VerificationError, ValueError):
        raise StampError(Phrase("its signature does not lead to the authority given")) from None
    return when
