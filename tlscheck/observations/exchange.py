"""One question and its answer, as bytes: what every TLS observation is folded from."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from functools import cached_property

from tlscheck.wire.answer import Flight, ServerHello, read_flight
from tlscheck.wire.hello import (
    FALLBACK_SCSV,
    ClientHello,
    Content,
    Extension,
    Ssl2Hello,
    parse_client,
)
from tlscheck.wire.registry import GROUP_BY_CODE, SCHEME_BY_CODE, SUITE_BY_CODE, Version

REFUSALS = frozenset((10, 40, 47, 70, 71, 109))
"""Alerts that refuse what was offered: unexpected_message, handshake_failure, illegal_parameter,
protocol_version, insufficient_security, missing_extension."""
PROTOCOL_VERSION, INAPPROPRIATE_FALLBACK = 70, 86


_CURVE_OIDS = {
    bytes.fromhex("06082a8648ce3d030107"): "secp256r1",
    bytes.fromhex("06052b81040022"): "secp384r1",
    bytes.fromhex("06052b81040023"): "secp521r1",
    bytes.fromhex("06052b8104000a"): "secp256k1",
    bytes.fromhex("06052b81040021"): "secp224r1",
    bytes.fromhex("06092b2403030208010107"): "brainpoolP256r1",
    bytes.fromhex("06092b240303020801010b"): "brainpoolP384r1",
    bytes.fromhex("06092b240303020801010d"): "brainpoolP512r1",
}
_KEY_OIDS = {
    bytes.fromhex("06092a864886f70d010101"): "RSA",
    bytes.fromhex("06092a864886f70d01010a"): "RSA-PSS",
    bytes.fromhex("06032b6570"): "Ed25519",
    bytes.fromhex("06032b6571"): "Ed448",
}
_EC_KEY = bytes.fromhex("06072a8648ce3d0201")


class End(StrEnum):
    """How an exchange ended."""

    ENOUGH = "enough"
    """We had what we asked for."""
    CLOSED = "closed"
    RESET = "reset"
    TIMEOUT = "timeout"
    UNCONNECTED = "unconnected"
    """No connection came about."""


class Outcome(StrEnum):
    """What an exchange means by itself, before its neighbours are looked at."""

    ANSWERED = "answered"
    REFUSED = "refused"
    """One of the alerts that refuse."""
    FALLBACK = "fallback"
    """inappropriate_fallback: the answer to the SCSV."""
    ALERT = "alert"
    """Another alert, a fact of its own."""
    CLOSED = "closed"
    RESET = "reset"
    SILENT = "silent"
    UNCONNECTED = "unconnected"
    GARBLED = "garbled"
    """No TLS, or an answer that names what was not offered."""


@dataclass(frozen=True)
class Exchange:
    """One connection: what was sent and what came back, with the time it took."""

    at: datetime
    took: float
    """Seconds from the first packet to the end."""
    sent: bytes
    received: bytes
    end: End

    @cached_property
    def until(self) -> datetime:
        """When it ended."""
        return self.at + timedelta(seconds=self.took)

    @cached_property
    def _client(self) -> tuple[list[ClientHello | Ssl2Hello], list[tuple[int, bytes]]]:
        return parse_client(self.sent)

    @property
    def hellos(self) -> list[ClientHello | Ssl2Hello]:
        """What was sent as hellos, in order."""
        return self._client[0]

    @cached_property
    def hello(self) -> ClientHello:
        """The (first) hello; an empty one for SSL 2.0."""
        first = self._client[0][0]
        return first if isinstance(first, ClientHello) else ClientHello(2, b"", ())

    @cached_property
    def is_ssl2(self) -> bool:
        """Whether this asked for SSL 2.0."""
        return isinstance(self._client[0][0], Ssl2Hello)

    @cached_property
    def early_ccs(self) -> bool:
        """Whether a ChangeCipherSpec was sent before its time."""
        return Content.CHANGE_CIPHER_SPEC in self.early_records and not self.hello.versions

    @cached_property
    def early_records(self) -> tuple[int, ...]:
        """Content types of what was sent besides hellos."""
        return tuple(content for content, _ in self._client[1])

    @cached_property
    def key_kind(self) -> str:
        """The kind of key in the leaf that an answer carried: ``RSA`` or a curve, else empty."""
        if not self.flight.certificates:
            return ""
        leaf = self.flight.certificates[0]
        if _EC_KEY in leaf:
            return next((name for oid, name in _CURVE_OIDS.items() if oid in leaf), "")
        return next((name for oid, name in _KEY_OIDS.items() if oid in leaf), "")

    @property
    def retried(self) -> bool:
        """Whether a HelloRetryRequest was answered by a second hello."""
        return len(self._client[0]) > 1

    @cached_property
    def flight(self) -> Flight:
        """What the server said."""
        return read_flight(self.received)

    @cached_property
    def answer(self) -> ServerHello | None:
        """The hello that names what was chosen: ServerHello, else HelloRetryRequest."""
        return self.flight.hello or self.flight.retry

    @cached_property
    def most(self) -> Version | None:
        """The highest version offered; ``None`` where TLS 1.3 and older were offered together."""
        if self.is_ssl2:
            return Version.SSL_2_0
        if versions := self.hello.versions:
            return Version.TLS_1_3 if set(versions) == {0x0304} else None
        return Version.of_code(self.hello.version)

    @cached_property
    def suites(self) -> tuple[str, ...]:
        """Names of the suites offered, in order."""
        known = (SUITE_BY_CODE.get(code) for code in self.hello.suites)
        return tuple(suite.name for suite in known if suite)

    @cached_property
    def group_codes(self) -> tuple[int, ...]:
        """Code points of the groups offered, known or not."""
        return self.hello.numbers(Extension.SUPPORTED_GROUPS)

    @cached_property
    def groups(self) -> tuple[str, ...]:
        """Names of the groups offered, in order."""
        known = (GROUP_BY_CODE.get(c) for c in self.group_codes)
        return tuple(group.name for group in known if group)

    @cached_property
    def schemes(self) -> tuple[str, ...]:
        """Names of the signature schemes offered, in order."""
        codes = self.hello.numbers(Extension.SIGNATURE_ALGORITHMS)
        return tuple(SCHEME_BY_CODE[c].name for c in codes if c in SCHEME_BY_CODE)

    @cached_property
    def named(self) -> bool:
        """Whether a server name was sent."""
        return self.hello.extension(Extension.SERVER_NAME) is not None

    @cached_property
    def fallback(self) -> bool:
        """Whether the fallback SCSV was sent."""
        return FALLBACK_SCSV in self.hello.suites

    @cached_property
    def key(self) -> tuple[object, ...]:
        """The same for two exchanges that ask the same, in whatever order of the lists."""
        hello = self.hello
        return (
            self.is_ssl2,
            hello.version,
            hello.versions,
            frozenset(hello.suites),
            frozenset(self.groups),
            frozenset(self.schemes),
            bool(hello.shares),
            self.retried,
            self.named,
        )

    @cached_property
    def outcome(self) -> Outcome:
        """What this exchange means by itself."""
        flight = self.flight
        if self.is_ssl2 and flight.ssl2_kinds is not None:
            return Outcome.ANSWERED
        if self.end is End.UNCONNECTED:
            return Outcome.UNCONNECTED
        answer = self.answer
        if answer and not self._taken_back:
            return Outcome.ANSWERED if self._offered(answer) else Outcome.GARBLED
        if (alert := flight.fatal) is not None:
            if alert == INAPPROPRIATE_FALLBACK and self.fallback:
                return Outcome.FALLBACK
            if alert == 0:
                return Outcome.CLOSED
            return Outcome.REFUSED if alert in REFUSALS else Outcome.ALERT
        broken_off = self.received and not flight.alerts and self.end is not End.TIMEOUT
        if flight.junk or broken_off:
            return Outcome.GARBLED
        match self.end:
            case End.RESET:
                return Outcome.RESET
            case End.TIMEOUT:
                return Outcome.SILENT
            case _:
                return Outcome.CLOSED

    @property
    def _taken_back(self) -> bool:
        """Whether a ServerHello below TLS 1.3 was followed by an alert instead of the rest."""
        flight = self.flight
        return bool(
            flight.hello
            and flight.hello.version < 0x0304
            and not flight.done
            and flight.fatal is not None
        )

    def _offered(self, answer: ServerHello) -> bool:
        """Whether the answer names only what was offered (yaSSL and others do not)."""
        hello = self.hello
        versions = hello.versions or range(0x0300, hello.version + 1)
        if hello.versions and 0x0303 in hello.versions:
            versions = (*hello.versions, 0x0302, 0x0301, 0x0300)
        if answer.version not in versions or answer.suite not in hello.suites:
            return False
        if answer.compression not in hello.compressions:
            return False
        suite = SUITE_BY_CODE.get(answer.suite)
        if suite is None or (suite.lowest is Version.TLS_1_3) != (answer.version == 0x0304):
            return False
        group = self.group_code
        offered = self.group_codes
        return group is None or not offered or group in offered

    @cached_property
    def version(self) -> Version | None:
        """The version chosen."""
        if self.is_ssl2:
            return Version.SSL_2_0 if self.outcome is Outcome.ANSWERED else None
        return Version.of_code(self.answer.version) if self.answer else None

    @cached_property
    def suite(self) -> str:
        """The suite chosen, empty where none was."""
        suite = SUITE_BY_CODE.get(self.answer.suite) if self.answer else None
        return suite.name if suite else ""

    @property
    def group_code(self) -> int | None:
        """The code point of the group chosen."""
        if self.answer and self.answer.version == 0x0304:
            return self.answer.group
        exchange = self.flight.key_exchange
        return exchange.group if exchange else None

    @cached_property
    def group(self) -> str:
        """The group chosen, empty where none was."""
        group = GROUP_BY_CODE.get(self.group_code or -1)
        return group.name if group else ""

    @property
    def scheme_code(self) -> int | None:
        """The code point of the signature scheme used (TLS 1.2)."""
        exchange = self.flight.key_exchange
        return exchange.scheme if exchange else None

    @cached_property
    def scheme(self) -> str:
        """The signature scheme used (TLS 1.2) if it was offered, else empty."""
        scheme = SCHEME_BY_CODE.get(self.scheme_code or -1)
        return scheme.name if scheme and scheme.name in self.schemes else ""
