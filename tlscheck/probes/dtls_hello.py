"""One DTLS hello: what it offers, what to send when, and what came of it. Sans I/O."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from tlscheck.model import Reason
from tlscheck.observations.knowledge import GROUP, SCHEME, SUITE, candidates
from tlscheck.wire.answer import Flight
from tlscheck.wire.dtls import DatagramReader, DtlsVersion, client_hello
from tlscheck.wire.hello import (
    RENEGOTIATION_SCSV,
    ClientHello,
    Extension,
    code_points,
    key_shares,
    server_name,
    supported_versions,
)
from tlscheck.wire.registry import (
    GROUP_BY_NAME,
    SCHEME_BY_NAME,
    SUITE_BY_CODE,
    SUITE_BY_NAME,
    Version,
)
from tlscheck.wire.shares import share

FIRST, SECOND = 1.0, 1.5
"""Seconds for the answer to a hello, and to its one repetition."""
_MOST_SUITES = 96
"""In one hello, which must fit into one datagram: many servers read no fragments of it."""
_SHARES = ("x25519", "secp256r1")
_REFUSALS = frozenset((10, 40, 47, 70, 71, 80, 109))
"""Alerts that refuse. 80 is OpenSSL's where its security level leaves a version without suites."""


@dataclass(frozen=True, slots=True)
class Question:
    """A hello that offers *suites* in *version*, and nothing newer."""

    version: DtlsVersion
    suites: tuple[str, ...]

    def hello(self, name: str | None) -> ClientHello:
        """The hello, with random bytes of its own."""
        like, modern = self.version.like, self.version is DtlsVersion.DTLS_1_3
        extensions: list[tuple[int, bytes]] = []
        if name:
            extensions.append((Extension.SERVER_NAME, server_name(name)))
        groups = [GROUP_BY_NAME[g].code for g in candidates(like, GROUP)]
        extensions.append((Extension.SUPPORTED_GROUPS, code_points(groups)))
        if schemes := [SCHEME_BY_NAME[s].code for s in candidates(like, SCHEME)]:
            extensions.append((Extension.SIGNATURE_ALGORITHMS, code_points(schemes)))
        if modern:
            known = [GROUP_BY_NAME[g] for g in _SHARES]
            extensions += [
                (Extension.SUPPORTED_VERSIONS, supported_versions([self.version.code])),
                (Extension.KEY_SHARE, key_shares([(g.code, share(g)) for g in known])),
            ]
        else:
            extensions += [
                (Extension.EC_POINT_FORMATS, b"\x01\x00"),
                (Extension.EXTENDED_MASTER_SECRET, b""),
                (Extension.ENCRYPT_THEN_MAC, b""),
            ]
        codes = [SUITE_BY_NAME[suite].code for suite in self.suites]
        return ClientHello(
            version=DtlsVersion.DTLS_1_2.code if modern else self.version.code,
            random=os.urandom(32),
            suites=tuple(codes if modern else [*codes, RENEGOTIATION_SCSV]),
            extensions=tuple(extensions),
        )


@dataclass(frozen=True, slots=True)
class Heard:
    """What came of one question."""

    flight: Flight
    version: DtlsVersion | None = None
    suite: str = ""
    verified: bool = False
    """A cookie was asked for before."""
    sent: int = 0
    received: int = 0
    trouble: Reason | None = None
    """Why nothing came that answers."""

    @property
    def alert(self) -> int | None:
        """The alert that refuses, if one does."""
        found = self.flight.fatal
        return found if self.version is None and found in _REFUSALS else None


def chunks(version: DtlsVersion) -> list[list[str]]:
    """All suites that can be offered in *version*, in lists that fit into one hello.

    The likely ones come first, in a list of their own: they make the canary.
    """
    names = candidates(version.like, SUITE)
    likely = [name for name in names if _likely(name)]
    rest = [name for name in names if name not in likely]
    return [*_parts(likely), *_parts(rest)]


def _likely(name: str) -> bool:
    suite = SUITE_BY_NAME[name]
    return suite.lowest is Version.TLS_1_3 or (
        suite.encryption.startswith(("AES", "CHACHA20", "3DES"))
        and suite.authentication in ("RSA", "ECDSA")
        and suite.key_exchange in ("ECDHE", "DHE", "RSA")
    )


def _parts(names: Sequence[str]) -> Iterator[list[str]]:
    for start in range(0, len(names), _MOST_SUITES):
        yield list(names[start : start + _MOST_SUITES])


class Talk:
    """One hello with its cookie round: what to send next, and whether to wait."""

    MOST_COOKIES = 2

    def __init__(self, hello: ClientHello) -> None:
        self._hello = hello
        self._reader = DatagramReader()
        self._cookie = b""
        self._cookies = 0
        self._repeated = False
        self._due = True
        self._sent = self._received = 0
        self.number = 0

    def wait(self) -> float | None:
        """Seconds to wait for what is to come, ``None`` where nothing is."""
        flight = self._reader.flight
        if flight.fatal is not None or flight.junk or flight.retry:
            return None
        # The whole flight, for the certificate and for how large it is; most of it comes at once.
        if flight.hello and self._reader.complete:
            return None
        return SECOND if self._repeated else FIRST

    def to_send(self) -> bytes:
        """The hello, where it is its turn."""
        if not self._due:
            return b""
        self._due = False
        data = client_hello(
            self._hello, cookie=self._cookie, message=self._cookies, number=self.number
        )
        self.number += 1
        self._sent += len(data)
        return data

    def feed(self, data: bytes) -> None:
        """Take a datagram."""
        self._received += len(data)
        self._reader.feed(data)
        cookie, flight = self._reader.cookie, self._reader.flight
        if cookie and cookie != self._cookie and not flight.hello:
            if self._cookies == self.MOST_COOKIES:
                return
            self._cookie, self._due, self._repeated = cookie, True, False
            self._cookies += 1

    def lost(self) -> bool:
        """Nothing came in time: whether to go on, with the hello once more."""
        if self._repeated or self._reader.flight.hello:
            return False
        self._repeated = self._due = True
        return True

    @property
    def has_partner(self) -> bool:
        """Whether the server may remember us."""
        return bool(self._received) and self._reader.flight.fatal is None

    def heard(self, trouble: Reason | None) -> Heard:
        """What came of it."""
        reader, flight = self._reader, self._reader.flight
        hello = flight.hello or flight.retry
        suite = SUITE_BY_CODE.get(hello.suite) if hello else None
        if hello is None and trouble is Reason.TIMEOUT and reader.unread and not reader.cookie:
            trouble = Reason.MALFORMED
        verified = reader.cookie is not None
        if hello and hello.retry:
            verified = Extension.COOKIE in hello.extensions
        return Heard(
            flight,
            reader.chosen if hello else None,
            suite.name if suite else "",
            verified,
            self._sent,
            self._received,
            None if hello else trouble,
        )
