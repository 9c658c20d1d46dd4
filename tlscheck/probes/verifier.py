"""The child process that verifies what servers send: ``python -m tlscheck.probes.verifier``.

It reads one question from standard input and answers in lines of JSON, the decisive ones first.
It dies with its parent, and of too much work. It opens no connection.
"""

from __future__ import annotations

import base64
import contextlib
import ctypes
import ipaddress
import json
import resource
import signal
import sys
import warnings
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import cryptography
from cryptography import x509
from cryptography.x509 import verification
from OpenSSL import crypto
from OpenSSL._util import lib  # pyOpenSSL wraps no setting of the purpose

from tlscheck.model import State
from tlscheck.observations.certificate import UNREADABLE
from tlscheck.probes.paths import stores
from tlscheck.text import _N

CPU_SECONDS = 10
"""Of processor time, whatever else the machine does."""
MOST_MEMORY = 1024**3

_NO_CHECK_TIME = 0x200000  # X509_V_FLAG_NO_CHECK_TIME
_PR_SET_PDEATHSIG = 1

_NO_ROOT = frozenset({2, 18, 19, 20, 21})
"""OpenSSL's objections that a root, or the way to it, is not there."""

Answer = dict[str, Any]
Chain = Sequence[x509.Certificate | None]
"""``None`` for what cannot be read."""


def main() -> None:
    """Answer the question on standard input."""
    _confine()
    warnings.simplefilter("ignore")
    question = json.load(sys.stdin)
    chains = [
        (_certificates(entry["chain"]), _certificates(entry["extra"]))
        for entry in question["chains"]
    ]
    at = datetime.fromisoformat(question["at"])
    ca_file = question["ca_file"] and base64.b64decode(question["ca_file"])
    own = x509.load_pem_x509_certificates(ca_file) if ca_file else []
    paths = Paths(at, own, stores())
    for number, chain in enumerate(chains):
        _say(number, paths.of(*chain))
    strict = Strict(at, question["host"], own)
    for number, (sent, _) in enumerate(chains):
        _say(number, {"strict": strict.of(sent)})


class Paths:
    """OpenSSL's path building, up to any root, to each store's and to the operator's own."""

    def __init__(
        self, at: datetime, own: Sequence[x509.Certificate], files: Mapping[str, Path]
    ) -> None:
        self._any = _store(own)
        self._any.set_time(at)
        self._stores = {}
        for name, path in files.items():
            self._any.load_locations(str(path))
            store = self._stores[name] = _store()
            store.load_locations(str(path))
            store.set_flags(_NO_CHECK_TIME)
        # The operator's file may hold an intermediate, or the certificate itself.
        self._own: crypto.X509Store | None = _store(own) if own else None
        self._own_now: crypto.X509Store | None = _store(own) if own else None
        if self._own and self._own_now:
            self._own.set_flags(_NO_CHECK_TIME | crypto.X509StoreFlags.PARTIAL_CHAIN)
            self._own_now.set_flags(crypto.X509StoreFlags.PARTIAL_CHAIN)
            self._own_now.set_time(at)

    def of(self, chain: Chain, extra: Chain) -> Answer:
        """All that OpenSSL has to say of *chain*."""
        if not chain or chain[0] is None:
            unread = _answer(State.UNKNOWN, _N("the certificate cannot be read"))
            trust = dict.fromkeys(self._stores, unread)
            return {"path": unread, "trust": trust, "ca_file": unread, "way": []}
        sent = [c for c in (*chain, *extra) if c]
        path, way = _verify(self._any, sent)
        by_store = {name: _verify(store, sent) for name, store in self._stores.items()}
        found: Answer = {"trust": {name: answer for name, (answer, _) in by_store.items()}}
        ways = [way, *(other for _, other in by_store.values())]
        if self._own and self._own_now:
            found["ca_file"], own_way = _verify(self._own, sent)
            ways.append(own_way)
            if own_way and path["code"] in _NO_ROOT:
                path, _ = _verify(self._own_now, sent)
        return found | {"path": path, "way": next(filter(None, ways), [])}


class Strict:
    """The verifier of cryptography, with the Web PKI's rules to the letter."""

    def __init__(self, at: datetime, host: str, own: Sequence[x509.Certificate]) -> None:
        self._able = int(cryptography.__version__.partition(".")[0]) >= 50
        self._at = at
        self._host = host
        self._roots = list(own)
        if self._able and (mozilla := stores().get("mozilla")):
            self._roots += _readable(mozilla.read_bytes())

    def of(self, chain: Chain) -> Answer:
        """Its objection to *chain*, if it has one."""
        if not self._able:
            # Older ones need exponential time for hostile chains (CVE-2026-69249).
            return _answer(State.UNKNOWN, "pip install 'cryptography>=50.0.2,<51'")
        if not chain or chain[0] is None:
            return _answer(State.UNKNOWN, _N("the certificate cannot be read"))
        try:
            # Only one of each subject and key: copies are what made old versions slow.
            others = {(c.subject, _key(c)): c for c in chain[1:] if c}
            verifier = (
                verification.PolicyBuilder()
                .store(verification.Store(self._roots))
                .time(self._at)
                .build_server_verifier(_subject(self._host))
            )
            verifier.verify(chain[0], list(others.values()))
        except verification.VerificationError as error:
            return _answer(State.REFUSED, str(error))
        except UNREADABLE as error:
            return _answer(State.UNKNOWN, str(error))
        return _answer(State.ACCEPTED)


def _key(certificate: x509.Certificate) -> bytes:
    return x509.SubjectKeyIdentifier.from_public_key(certificate.public_key()).digest


def _subject(host: str) -> x509.DNSName | x509.IPAddress:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def _store(roots: Iterable[x509.Certificate] = ()) -> crypto.X509Store:
    store = crypto.X509Store()
    for root in roots:
        store.add_cert(crypto.X509.from_cryptography(root))
    lib.X509_STORE_set_purpose(store._store, lib.X509_PURPOSE_SSL_SERVER)
    return store


def _verify(store: crypto.X509Store, sent: Sequence[x509.Certificate]) -> tuple[Answer, list[str]]:
    try:
        leaf, *others = (crypto.X509.from_cryptography(c) for c in sent)
        way = crypto.X509StoreContext(store, leaf, others).get_verified_chain()
    except crypto.X509StoreContextError as error:
        code, depth, words = error.errors
        return _answer(State.REFUSED, f"{words} (depth {depth})", code), []
    except (crypto.Error, *UNREADABLE) as error:
        return _answer(State.UNKNOWN, str(error)), []
    ders = (crypto.dump_certificate(crypto.FILETYPE_ASN1, c) for c in way)
    return _answer(State.ACCEPTED), [base64.b64encode(der).decode() for der in ders]


def _readable(bundle: bytes) -> list[x509.Certificate]:
    """The roots of *bundle*, but for those too odd for cryptography."""
    end = b"-----END CERTIFICATE-----"
    found = []
    for block in bundle.split(end)[:-1]:
        with contextlib.suppress(*UNREADABLE):
            found.append(x509.load_pem_x509_certificate(block + end))
    return found


def _certificates(texts: Iterable[str]) -> list[x509.Certificate | None]:
    return [_certificate(base64.b64decode(text)) for text in texts]


def _certificate(der: bytes) -> x509.Certificate | None:
    try:
        return x509.load_der_x509_certificate(der)
    except UNREADABLE:
        return None


def _answer(state: State, detail: str = "", code: int = 0) -> Answer:
    return {"state": state, "detail": detail[:500], "code": code}


def _say(number: int, found: Mapping[str, Any]) -> None:
    sys.stdout.write(json.dumps({"chain": number, **found}) + "\n")
    sys.stdout.flush()


def _confine() -> None:
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS, CPU_SECONDS))
    resource.setrlimit(resource.RLIMIT_AS, (MOST_MEMORY, MOST_MEMORY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


if __name__ == "__main__":
    main()
