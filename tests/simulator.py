"""TLS servers and the networks before them as pure functions, for looks by the thousand.

A `Simulated` server answers a hello as its configuration says, a `Network` carries connections to
its nodes and spoils them on purpose, and `look` runs the real engine against it on a clock that
does not wait. What a server truly accepts is found by asking it for every name by itself.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import random
import selectors
import types
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Literal
from unittest import mock

from tlscheck.model import Place, Reason, State
from tlscheck.net import Net, NetError, Stream
from tlscheck.observations.exchange import Exchange
from tlscheck.observations.fold import fold
from tlscheck.observations.knowledge import (
    DIMENSIONS,
    GROUP,
    SCHEME,
    SUITE,
    Knowledge,
    candidates,
)
from tlscheck.observations.tls import TlsObservation
from tlscheck.probes.asker import has_share
from tlscheck.probes.engine import Engine, Stop
from tlscheck.wire.answer import RETRY
from tlscheck.wire.codec import uint, uints, vector
from tlscheck.wire.hello import (
    FALLBACK_SCSV,
    RENEGOTIATION_SCSV,
    ClientHello,
    Content,
    Extension,
    Message,
    Ssl2Hello,
    parse_client,
    record,
)
from tlscheck.wire.primes import FFDHE_PRIMES
from tlscheck.wire.registry import (
    GROUP_BY_CODE,
    GROUP_BY_NAME,
    GROUPS,
    SCHEME_BY_CODE,
    SCHEME_BY_NAME,
    SSL2_KINDS,
    SUITE_BY_CODE,
    SUITE_BY_NAME,
    SUITES,
    Suite,
    Version,
)

End = Literal["rst", "fin", "drop", "unconnected", "alert"]
START = datetime(2026, 1, 1, tzinfo=UTC)
T12, T13 = Version.TLS_1_2, Version.TLS_1_3
_OIDS = {
    "secp256r1": bytes.fromhex("06082a8648ce3d030107"),
    "secp384r1": bytes.fromhex("06052b81040022"),
    "secp521r1": bytes.fromhex("06052b81040023"),
}
_EC_KEY = bytes.fromhex("06072a8648ce3d0201")
_CURVE_SCHEME = {
    "secp256r1": "ecdsa_secp256r1_sha256",
    "secp384r1": "ecdsa_secp384r1_sha384",
    "secp521r1": "ecdsa_secp521r1_sha512",
}


# -- Servers --------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Choice:
    """What a server takes of a hello."""

    version: Version
    suite: Suite
    group: str = ""
    prime: int = 0
    scheme: str = ""
    retry: bool = False


@dataclass(frozen=True)
class Refusal:
    """How a server says no: an alert, or without a word."""

    end: End = "alert"
    alert: int = 40


@dataclass(frozen=True, kw_only=True)
class Simulated:
    """A server's configuration; every name in the order of its preference."""

    versions: frozenset[Version]
    suites: tuple[str, ...]
    """Of all versions; each is used in the versions that it is for."""
    only: tuple[tuple[Version, frozenset[str]], ...] = ()
    """Suites of some versions further restricted."""
    groups: tuple[str, ...] = ("x25519", "secp256r1", "secp384r1", "secp521r1", "x448")
    """Elliptic and others, TLS 1.2 and before as well as 1.3."""
    schemes: tuple[str, ...] = ()
    certificates: tuple[str, ...] = ("RSA",)
    """``RSA`` or the curve of an ECDSA key."""
    prime: int = 0
    """The prime for DHE; without one DHE suites cannot be chosen."""
    server_order: bool = True
    group_server_order: bool = True
    chacha_first: bool = False
    heeds_finite: bool = False
    """RFC 7919 in TLS 1.2."""
    knows_supported_versions: bool = True
    exact: bool = False
    """Below TLS 1.2 takes just the version that the hello names, as GnuTLS does."""
    schemes_before_retry: bool = False
    wants_shares: bool = False
    """Refuses an empty key_share."""
    fallback_scsv: bool = True
    refusal: Refusal = Refusal()
    version_refusal: Refusal = Refusal(alert=70)
    trap: bool = False
    """DHE suites are chosen without a prime, and the handshake then fails."""
    looks_at: int = 1000
    """Suites after the first so many are not looked at."""
    most_suites: int = 1000
    """A hello with more suites is refused."""
    checks_curve: bool = True
    """In TLS 1.2 and before an ECDSA certificate's curve must be among the client's groups."""
    ssl2: tuple[int, ...] = ()
    ssl2_refusal: Refusal = Refusal("fin")
    suite_first: bool = False
    """Chooses a suite before it looks for a scheme, as OpenSSL does among several certificates."""
    leaf: bytes = b"leaf"

    def choose(self, hello: ClientHello) -> Choice | Refusal:
        """What a hello gets."""
        if len(hello.suites) > self.most_suites:
            return self.refusal
        version = self._version(hello)
        if version is None:
            return self.version_refusal
        if FALLBACK_SCSV in hello.suites and self.fallback_scsv and version is not self.newest:
            return Refusal(alert=86)
        return self._modern(hello) if version is T13 else self._classic(hello, version)

    @property
    def newest(self) -> Version:
        """The highest version."""
        return max(self.versions, key=lambda v: v.rank)

    def _version(self, hello: ClientHello) -> Version | None:
        offered = hello.versions if self.knows_supported_versions else ()
        if offered:
            shared = [v for v in self.versions if v.code in offered]
        else:
            shared = [v for v in self.versions if v.code <= hello.version and v is not T13]
            if self.exact and hello.version < T12.code:
                shared = [v for v in shared if v.code == hello.version]
        return max(shared, key=lambda v: v.rank, default=None)

    def enabled(self, version: Version) -> tuple[str, ...]:
        """The suites configured for *version*, in the server's order."""
        some = dict(self.only).get(version)
        return tuple(
            name
            for name in self.suites
            if SUITE_BY_NAME[name].lowest.rank <= version.rank <= SUITE_BY_NAME[name].highest.rank
            and (some is None or name in some)
        )

    def _ordered(self, hello: ClientHello, version: Version) -> list[Suite]:
        own = self.enabled(version)
        theirs = [SUITE_BY_CODE.get(code) for code in hello.suites[: self.looks_at]]
        shared = [s for s in theirs if s and s.name in own]
        if not self.server_order:
            return shared
        first = shared[0].name if shared else ""
        shared.sort(key=lambda s: own.index(s.name))
        if self.chacha_first and "CHACHA20" in first:
            shared.sort(key=lambda s: "CHACHA20" not in s.name)
        return shared

    def _group(self, offered: Sequence[str], version: Version) -> str:
        known = candidates(max(version, Version.TLS_1_0, key=lambda v: v.rank), GROUP)
        own = [g for g in self.groups if g in known]
        shared = [g for g in offered if g in own and GROUP_BY_NAME[g].kind != "ff"]
        if version is T13:
            shared = [g for g in offered if g in own]
        if self.group_server_order:
            shared.sort(key=own.index)
        return shared[0] if shared else ""

    def _scheme(self, hello: ClientHello, version: Version, kind: str) -> str:
        """The signature scheme for a key of *kind* (``RSA`` or a curve)."""
        codes = hello.numbers(Extension.SIGNATURE_ALGORITHMS)
        offered = [SCHEME_BY_CODE[c].name for c in codes if c in SCHEME_BY_CODE]
        kinds = ("rsa", "pss_rsae") if kind == "RSA" else ("ecdsa",)
        return next(
            (
                name
                for name in self.schemes
                if name in offered
                and SCHEME_BY_NAME[name].kind in kinds
                and (version is not T13 or (SCHEME_BY_NAME[name].tls13))
                and (version is not T13 or kind == "RSA" or name == _CURVE_SCHEME[kind])
            ),
            "",
        )

    def _modern(self, hello: ClientHello) -> Choice | Refusal:
        suites = self._ordered(hello, T13)
        groups = _names(hello)
        if not suites or (self.wants_shares and not hello.shares):
            return Refusal(self.refusal.end, 47 if self.wants_shares else self.refusal.alert)
        shared = [g for g in groups if g in self.groups and GROUP_BY_NAME[g].tls13]
        shares = [g.name for c in hello.shares if (g := GROUP_BY_CODE.get(c)) and g.name in shared]
        group = self._group(shares or shared, T13)
        scheme = next(filter(None, (self._scheme(hello, T13, c) for c in self.certificates)), "")
        if not group:
            return self.refusal
        if not scheme and (self.schemes_before_retry or shares):
            return self.refusal
        return Choice(T13, suites[0], group, scheme=scheme, retry=not shares)

    def _classic(self, hello: ClientHello, version: Version) -> Choice | Refusal:
        for suite in self._ordered(hello, version):
            choice = self._with(suite, hello, version)
            if isinstance(choice, Refusal):
                return choice
            if choice:
                return choice
        return self.refusal

    def _with(self, suite: Suite, hello: ClientHello, version: Version) -> Choice | Refusal | None:
        """The handshake with *suite*, none where something else that it needs is not there."""
        kind = self._certificate(suite, hello, version)
        if kind is None:
            return None
        scheme, group, prime = "", "", 0
        if suite.signed and version is T12:
            scheme = self._scheme(hello, T12, kind)
            if not scheme:
                return self.refusal if self.suite_first else None
        if suite.elliptic:
            group = self._group(_names(hello), version)
            if hello.extension(Extension.SUPPORTED_GROUPS) is None:
                group = self._group(candidates(Version.TLS_1_0, GROUP), version)
            if not group:
                return None
        if suite.finite:
            prime = self._prime(hello, version)
            if not prime:
                return self.refusal if self.trap else None
        return Choice(version, suite, group, prime, scheme)

    def _certificate(self, suite: Suite, hello: ClientHello, version: Version) -> str | None:
        if suite.authentication == "RSA":
            return "RSA" if "RSA" in self.certificates else None
        if suite.authentication == "ECDSA":
            offered = hello.extension(Extension.SUPPORTED_GROUPS)
            for kind in self.certificates:
                known = offered is None or kind in _names(hello) or not self.checks_curve
                if kind != "RSA" and known:
                    return kind
            return None
        return ""

    def _prime(self, hello: ClientHello, version: Version) -> int:
        if not self.heeds_finite or version is not T12:
            return self.prime
        codes = hello.numbers(Extension.SUPPORTED_GROUPS)
        if not any(256 <= code < 512 for code in codes):
            return self.prime
        names = [GROUP_BY_CODE[c].name for c in codes if c in GROUP_BY_CODE]
        own = [g for g in self.groups if g in names and GROUP_BY_NAME[g].kind == "ff"]
        return FFDHE_PRIMES[own[0]] if own else 0

    # -- bytes ------------------------------------------------------------------------------------

    def answer(self, hello: ClientHello, choice: Choice, noise: Callable[[int], bytes]) -> bytes:
        """The answer to *hello* in records."""
        if choice.version is T13:
            message = _hello(hello, choice, RETRY if choice.retry else noise(32))
            after = record(Content.APPLICATION_DATA, noise(64))
            return record(Content.HANDSHAKE, message) + (b"" if choice.retry else after)
        messages = _hello(hello, choice, noise(32))
        kind = choice.suite.authentication
        if kind in ("RSA", "ECDSA"):
            curve = next((c for c in self.certificates if c != "RSA" and c in _OIDS), "")
            key = _EC_KEY + _OIDS[curve] if kind == "ECDSA" and curve else b"rsa"
            messages += _message(Message.CERTIFICATE, vector(vector(self.leaf + key, 3), 3))
        messages += _key_exchange(choice)
        messages += _message(Message.SERVER_HELLO_DONE, b"")
        return record(Content.HANDSHAKE, messages, min(choice.version.code, 0x0303))

    # -- truth ------------------------------------------------------------------------------------

    def truth(self, version: Version, dimension: str) -> frozenset[str]:
        """What some client could negotiate in *version*."""
        suites = self._true_suites(version)
        if dimension == SUITE:
            return suites
        if dimension == GROUP:
            return frozenset(
                g for g in candidates(version, GROUP) if self._takes_group(version, suites, g)
            )
        return frozenset(
            s for s in candidates(version, SCHEME) if self._takes_scheme(version, suites, s)
        )

    def _true_suites(self, version: Version) -> frozenset[str]:
        return frozenset(n for n in self.enabled(version) if self._takes(version, n))

    def _takes(self, version: Version, name: str) -> bool:
        return any(choice.version is version for choice in self._choices(version, name))

    def _choices(self, version: Version, suite: str, **options: Any) -> Iterator[Choice]:
        # A server that heeds finite groups may have parameters of its own for who offers none.
        elliptic = [g for g in candidates(version, GROUP) if GROUP_BY_NAME[g].kind != "ff"]
        for groups in (None, elliptic):
            hello = plain_hello(version, [suite], groups=groups, shares=True, **options)
            if isinstance(choice := self.choose(hello), Choice):
                yield choice

    def _takes_group(self, version: Version, suites: frozenset[str], group: str) -> bool:
        curves = [c for c in self.certificates if c != "RSA" and c != group]
        for suite in suites:
            for extra in ((), curves):
                choice = self.choose(plain_hello(version, [suite], groups=[group, *extra]))
                if not isinstance(choice, Choice) or choice.version is not version:
                    continue
                prime = FFDHE_PRIMES.get(group, -1)
                if choice.group == group or (choice.prime == prime and self.heeds_finite):
                    return True
        return False

    def _takes_scheme(self, version: Version, suites: frozenset[str], scheme: str) -> bool:
        return any(
            choice.scheme == scheme
            for suite in suites
            for choice in self._choices(version, suite, schemes=[scheme])
        )

    @property
    def true_versions(self) -> frozenset[Version]:
        """The versions that some client could negotiate."""
        return frozenset(v for v in self.versions if self._true_suites(v)) | (
            {Version.SSL_2_0} if self.ssl2 else frozenset()
        )


def _names(hello: ClientHello) -> list[str]:
    codes = hello.numbers(Extension.SUPPORTED_GROUPS)
    return [GROUP_BY_CODE[c].name for c in codes if c in GROUP_BY_CODE]


def plain_hello(
    version: Version,
    suites: Sequence[str],
    *,
    groups: Sequence[str] | None = None,
    schemes: Sequence[str] | None = None,
    shares: bool = False,
) -> ClientHello:
    """A hello of *version* alone, with everything in full but what is said."""
    own = candidates(version, GROUP) if groups is None else groups
    extensions: list[tuple[int, bytes]] = [
        (Extension.SUPPORTED_GROUPS, uints([GROUP_BY_NAME[g].code for g in own], 2, 2))
    ]
    names = candidates(version, SCHEME) if schemes is None else schemes
    if names:
        codes = [SCHEME_BY_NAME[n].code for n in names]
        extensions.append((Extension.SIGNATURE_ALGORITHMS, uints(codes, 2, 2)))
    if version is T13:
        offered = own if shares or groups is None else own[:1]
        block = b"".join(uint(GROUP_BY_NAME[g].code, 2) + vector(b"-", 2) for g in offered)
        extensions.append((Extension.SUPPORTED_VERSIONS, uints([0x0304], 2, 1)))
        extensions.append((Extension.KEY_SHARE, vector(block, 2)))
    return ClientHello(
        min(version.code, 0x0303),
        bytes(32),
        tuple(SUITE_BY_NAME[name].code for name in suites),
        extensions=None if version is Version.SSL_3_0 else tuple(extensions),
    )


def _message(kind: int, body: bytes) -> bytes:
    return uint(kind, 1) + vector(body, 3)


def _hello(hello: ClientHello, choice: Choice, noise: bytes) -> bytes:
    extensions: list[tuple[int, bytes]] = []
    if choice.version is T13:
        extensions.append((Extension.SUPPORTED_VERSIONS, uint(0x0304, 2)))
        group = uint(GROUP_BY_NAME[choice.group].code, 2)
        key = group if choice.retry else group + vector(b"share", 2)
        extensions.append((Extension.KEY_SHARE, key))
    elif hello.extensions is not None and RENEGOTIATION_SCSV in hello.suites:
        extensions.append((Extension.RENEGOTIATION_INFO, b"\0"))
    body = uint(min(choice.version.code, 0x0303), 2) + noise
    body += vector(hello.session_id if choice.version is T13 else b"", 1)
    body += uint(choice.suite.code, 2) + b"\0"
    if extensions:
        body += vector(b"".join(uint(t, 2) + vector(b, 2) for t, b in extensions), 2)
    return _message(Message.SERVER_HELLO, body)


def _key_exchange(choice: Choice) -> bytes:
    suite = choice.suite
    body = vector(b"", 2) if suite.key_exchange.endswith("PSK") else b""
    if suite.elliptic:
        body += b"\x03" + uint(GROUP_BY_NAME[choice.group].code, 2) + vector(b"\4point", 1)
    elif suite.finite:
        prime = choice.prime.to_bytes((choice.prime.bit_length() + 7) // 8)
        body += vector(prime, 2) + vector(b"\2", 2) + vector(b"public", 2)
    else:
        return b""
    if suite.signed:
        if choice.version is T12:
            body += uint(SCHEME_BY_NAME[choice.scheme].code, 2)
        body += vector(b"signature", 2)
    return _message(Message.SERVER_KEY_EXCHANGE, body)


# -- Networks -------------------------------------------------------------------------------------

Filter = Callable[[ClientHello | Ssl2Hello], bool]


@dataclass(kw_only=True)
class Network:
    """Carries connections to its nodes, and spoils them."""

    nodes: tuple[Simulated, ...]
    turn: Literal["cycle", "random", "sticky"] = "cycle"
    seed: int = 0
    trip: float = 0.01
    """Seconds of a round trip."""
    think: float = 0.0
    """Seconds until the server answers."""
    jitter: float = 0.2
    """By what share of itself a time varies."""
    ban_after: int | None = None
    ban_for: float | None = None
    ban: End = "rst"
    rate: int | None = None
    """New connections within `window`; the others meet `over`."""
    window: float = 1.0
    counts_all: bool = False
    """Connections that were turned away count too."""
    over: End = "rst"
    at_once: int | None = None
    """Connections open at the same time."""
    loss: float = 0.0
    lost: End = "rst"
    reject: Filter | None = None
    rejected: End = "rst"
    cut: float = 0.0
    """The share of answers that are cut off in the middle."""
    visits: int = 0

    def __post_init__(self) -> None:
        self.random = random.Random(self.seed)
        self._cycle = itertools.cycle(self.nodes)
        self._recent: deque[float] = deque()
        self._banned_at: float | None = None
        self._counted = 0
        self._open = 0

    @property
    def faulty(self) -> bool:
        """Whether anything at all can go wrong."""
        return bool(
            len(self.nodes) > 1
            or self.ban_after is not None
            or self.rate is not None
            or self.at_once is not None
            or self.loss
            or self.reject
            or self.cut
        )

    def fate(self, at: float) -> End | None:
        """What becomes of a connection that comes at *at*."""
        self.visits += 1
        if self._banned(at):
            return self.ban
        if self.at_once is not None and self._open >= self.at_once:
            return self.over
        if self.rate is not None:
            while self._recent and self._recent[0] <= at - self.window:
                self._recent.popleft()
            full = len(self._recent) >= self.rate
            if not full or self.counts_all:
                self._recent.append(at)
            if full:
                return self.over
        return self.lost if self.random.random() < self.loss else None

    def _banned(self, at: float) -> bool:
        if self.ban_after is None:
            return False
        if (
            self._banned_at is not None
            and self.ban_for is not None
            and at > self._banned_at + self.ban_for
        ):
            self._counted, self._banned_at = 0, None
        self._counted += 1
        if self._counted <= self.ban_after:
            return False
        if self._banned_at is None:
            self._banned_at = at
        return True

    def node(self) -> Simulated:
        """The node that takes the next connection."""
        if self.turn == "random":
            return self.random.choice(self.nodes)
        return self.nodes[0] if self.turn == "sticky" else next(self._cycle)

    def time(self, seconds: float) -> float:
        """*seconds*, more or less."""
        return seconds * (1 + self.random.uniform(-self.jitter, self.jitter))

    def noise(self, size: int) -> bytes:
        """Random bytes."""
        return self.random.randbytes(size)

    def truth(self, version: Version, dimension: str) -> frozenset[str]:
        """What some client could negotiate with any node."""
        return frozenset().union(*(node.truth(version, dimension) for node in self.nodes))

    @property
    def true_versions(self) -> frozenset[Version]:
        """The versions of any node."""
        return frozenset().union(*(node.true_versions for node in self.nodes))

    @contextlib.contextmanager
    def open(self) -> Iterator[None]:
        """One connection that is open."""
        self._open += 1
        try:
            yield
        finally:
            self._open -= 1


class SimulatedStream(Stream):
    """One connection to a network."""

    def __init__(self, network: Network, fate: End | None, deadline: float) -> None:
        self._network, self._fate = network, fate
        self._node = network.node() if fate is None else None
        self._deadline = deadline
        self._said = b""
        self._events: asyncio.Queue[bytes | End] = asyncio.Queue()

    @property
    def source(self) -> str:
        return "192.0.2.1"

    async def read(self, size: int = 16384, timeout: float | None = None) -> bytes:
        left = self.left() if timeout is None else min(timeout, self.left())
        try:
            what = await asyncio.wait_for(self._events.get(), max(left, 0))
        except TimeoutError:
            raise NetError(Reason.TIMEOUT) from None
        if what == "rst":
            raise NetError(Reason.RESET)
        return b"" if isinstance(what, str) else what

    async def write(self, data: bytes) -> None:
        self._said += data
        for after, what in self._reaction():
            asyncio.get_running_loop().call_later(after, self._events.put_nowait, what)

    def _reaction(self) -> list[tuple[float, bytes | End]]:
        network = self._network
        after = network.time(network.trip)
        if self._node is None:
            return self._ended(self._fate or "rst", after)
        hellos, others = parse_client(self._said)
        if network.reject and network.reject(hellos[0]):
            return self._ended(network.rejected, after)
        after += network.time(network.think)
        hello = hellos[-1]
        if isinstance(hello, Ssl2Hello):
            return self._ssl2(self._node, after)
        if others and not hello.versions:
            return [(after, record(Content.ALERT, b"\2\x0a")), (after + 1e-4, "fin")]
        choice = self._node.choose(hello)
        if isinstance(choice, Refusal):
            return self._ended(choice.end, after, choice.alert)
        answer = self._node.answer(hello, choice, network.noise)
        if network.random.random() < network.cut:
            return [(after, answer[: len(answer) // 2]), (after + 1e-4, "rst")]
        return [(after, answer)]

    def _ssl2(self, node: Simulated, after: float) -> list[tuple[float, bytes | End]]:
        if not node.ssl2:
            return self._ended(node.ssl2_refusal.end, after, node.ssl2_refusal.alert)
        kinds = b"".join(uint(kind, 3) for kind in node.ssl2)
        body = b"\4\0\1\0\2" + uint(4, 2) + uint(len(kinds), 2) + uint(1, 2) + b"leaf" + kinds
        return [(after, uint(0x8000 | len(body) + 1, 2) + body + b"c")]

    @staticmethod
    def _ended(end: End, after: float, alert: int = 40) -> list[tuple[float, bytes | End]]:
        if end == "drop":
            return []
        if end == "alert":
            return [(after, record(Content.ALERT, bytes((2, alert)))), (after + 1e-4, "fin")]
        return [(after, end)]


@dataclass
class SimulatedNet(Net):
    """The outside world, but made up."""

    network: Network = field(default_factory=lambda: Network(nodes=()))

    @contextlib.asynccontextmanager
    async def dial(self, place: Place, timeout: float | None = None) -> AsyncIterator[Stream]:
        loop, network = asyncio.get_running_loop(), self.network
        async with self.lane(place.address).slot():
            limit = self.connect_timeout if timeout is None else timeout
            deadline = loop.time() + limit
            self.connections[place] += 1
            fate = network.fate(loop.time())
            with network.open():
                await asyncio.sleep(network.time(network.trip))
                if fate == "unconnected":
                    raise NetError(Reason.CONNECTION_REFUSED)
                yield SimulatedStream(network, fate, deadline)


# -- Time -----------------------------------------------------------------------------------------


class _Clock:
    """Virtual seconds; every look at it costs a microsecond, as in life."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def now(self) -> datetime:
        self.seconds += 2e-6
        return START + timedelta(seconds=self.seconds)

    def monotonic(self) -> float:
        return self.seconds


class _Selector(selectors.SelectSelector):
    """Never waits: it turns the clock on."""

    def __init__(self, clock: _Clock) -> None:
        super().__init__()
        self._clock = clock

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None:
            raise RuntimeError("the look waits for something that can never happen")
        self._clock.seconds += max(timeout, 0)
        return super().select(0)


class _Loop(asyncio.SelectorEventLoop):
    def __init__(self, clock: _Clock) -> None:
        self._virtual = clock
        super().__init__(_Selector(clock))

    def time(self) -> float:
        return self._virtual.seconds


# -- Looks ----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Look:
    """A look that is over."""

    network: Network
    engine: Engine
    stop: Stop
    seconds: float

    @property
    def exchanges(self) -> list[Exchange]:
        return self.engine.exchanges

    @property
    def seen(self) -> TlsObservation:
        return fold(self.exchanges, START, self.engine.shape)

    def told(self) -> str:
        """The exchanges, a line each, for whoever must find out why."""
        known = Knowledge(self.exchanges)
        return "\n".join(
            f"{e.at:%M:%S.%f} {e.took:.3f} {e.most} {e.outcome} trust={known.trust(e)} "
            f"offered {len(e.suites)}/{len(e.groups)}/{len(e.schemes)} shares={len(e.hello.shares)}"
            f" -> {e.version} {e.suite} {e.group} {e.scheme} {e.flight.alerts}"
            for e in known.exchanges
        )


def look(network: Network, *, budget: float = 60.0, name: str | None = "localhost") -> Look:
    """Run the engine against *network* in virtual time."""
    clock = _Clock()
    net = SimulatedNet(budget=budget, network=network)
    engine = Engine(net, Place("localhost", 443, "https", "192.0.2.2", name))
    patched: Any = types.SimpleNamespace(monotonic=clock.monotonic)
    with (
        mock.patch("tlscheck.net.time", patched),
        mock.patch("tlscheck.probes.engine.now", clock.now),
        mock.patch("tlscheck.probes.engine.os.urandom", network.noise),
        contextlib.closing(_Loop(clock)) as loop,
    ):
        stop = loop.run_until_complete(engine.run())
        loop.run_until_complete(loop.shutdown_asyncgens())
    return Look(network, engine, stop, clock.seconds)


def lies(seen: TlsObservation, network: Network) -> list[str]:
    """Every untruth of an observation: what is called refused and is accepted, and inventions."""
    found = []
    true_versions = network.true_versions
    for version, state in seen.versions.items():
        if state is State.REFUSED and version in true_versions:
            found.append(f"FALSE REFUSAL {version}")
        if state is State.ACCEPTED and version not in true_versions:
            found.append(f"INVENTED {version}")
    for version, dimension in itertools.product(seen.refused, DIMENSIONS):
        truth = network.truth(version, dimension)
        refused = getattr(seen.refused[version], dimension)
        accepted = getattr(seen, dimension).get(version, ())
        found += [f"FALSE REFUSAL {version} {dimension} {n}" for n in refused if n in truth]
        found += [f"INVENTED {version} {dimension} {n}" for n in accepted if n not in truth]
    return found


def gaps(seen: TlsObservation, network: Network) -> list[str]:
    """What an observation of a faultless server leaves open or misses."""
    found = [f"UNKNOWN {v}" for v, state in seen.versions.items() if state is State.UNKNOWN]
    found += [
        f"MISSED {v}" for v in network.true_versions if seen.versions[v] is not State.ACCEPTED
    ]
    for version, names in seen.unknown.items():
        for dimension in DIMENSIONS:
            found += [f"UNKNOWN {version} {dimension} {n}" for n in getattr(names, dimension)]
            accepted = set(getattr(seen, dimension).get(version, ()))
            found += [
                f"MISSED {version} {dimension} {n}"
                for n in sorted(network.truth(version, dimension) - accepted)
            ]
    return found


# -- Samples --------------------------------------------------------------------------------------

_KEX = frozenset(("RSA", "DHE", "ECDHE", "PSK", "DHE_PSK", "ECDHE_PSK"))
USUAL_SUITES = tuple(
    s.name
    for s in SUITES
    if s.lowest is T13
    or (
        s.key_exchange in _KEX
        and s.authentication in ("RSA", "ECDSA", "anon", "PSK")
        and s.code not in (0, 0x5600, 0x00FF)
    )
)
_CLASSIC_GROUPS = ("x25519", "secp256r1", "secp384r1", "secp521r1", "x448")
_FINITE = ("ffdhe2048", "ffdhe3072", "ffdhe4096", "ffdhe6144", "ffdhe8192")
_SIGNING = (
    "rsa_pss_rsae_sha256", "rsa_pss_rsae_sha384", "rsa_pss_rsae_sha512",
    "ecdsa_secp256r1_sha256", "ecdsa_secp384r1_sha384", "ecdsa_secp521r1_sha512",
    "rsa_pkcs1_sha256", "rsa_pkcs1_sha384", "rsa_pkcs1_sha512",
    "ecdsa_sha1", "rsa_pkcs1_sha1", "rsa_pkcs1_sha224", "ecdsa_sha224", "rsa_pkcs1_md5",
)  # fmt: skip


def _some(r: random.Random, names: Sequence[str], least: int = 0) -> list[str]:
    """Some of *names* in a random order, at least *least* of them."""
    return r.sample(list(names), r.randint(min(least, len(names)), len(names)))


def sample_versions(r: random.Random) -> frozenset[Version]:
    every = [v for v in Version if v is not Version.SSL_2_0]
    style = r.randrange(4)
    if style == 0:
        return frozenset(r.sample(every, r.randint(1, len(every))))
    if style == 1:
        return frozenset((T12, T13))
    low = r.randrange(len(every))
    return frozenset(every[low : r.randint(low, len(every)) + 1])


def sample_server(r: random.Random) -> Simulated:
    """A server such as might be, or nearly, that can be spoken to at all."""
    while True:
        server = _sample_server(r)
        if server.true_versions - {Version.SSL_2_0}:
            # Without a draw, so that a seed goes on meaning the same server in all else.
            return replace(server, exact=r.getstate()[1][0] % 3 == 0)


def _sample_server(r: random.Random) -> Simulated:
    versions = sample_versions(r)
    classic = [n for n in USUAL_SUITES if SUITE_BY_NAME[n].lowest is not T13]
    modern = [n for n in USUAL_SUITES if SUITE_BY_NAME[n].lowest is T13]
    size = r.choice((1, 2, 4, 8, 20, 60))
    suites = r.sample(classic, min(size, len(classic))) + _some(r, modern, 1)
    r.shuffle(suites)
    certificates = r.choice(
        (("RSA",), ("RSA",), ("secp256r1",), ("secp384r1",), ("RSA", "secp256r1"))
    )
    pool = _CLASSIC_GROUPS if r.random() < 0.6 else [g.name for g in GROUPS]
    groups = _some(r, pool, 1)
    if r.random() < 0.3:
        groups += [g for g in _some(r, _FINITE) if g not in groups]
    if not set(groups) & set(_CLASSIC_GROUPS):
        groups.insert(r.randrange(len(groups)), "secp256r1")
    groups += [c for c in certificates if c != "RSA" and c not in groups]
    signing = [*_some(r, _SIGNING), "rsa_pss_rsae_sha256", "rsa_pkcs1_sha256"]
    signing += [_CURVE_SCHEME[c] for c in certificates if c != "RSA"]
    refusal = Refusal(alert=r.choice((40, 40, 40, 10, 47, 71)))
    return Simulated(
        versions=versions,
        suites=tuple(suites),
        groups=tuple(groups),
        schemes=tuple(dict.fromkeys(signing)),
        certificates=certificates,
        prime=r.choice((0, (1 << 1023) + 5, FFDHE_PRIMES["ffdhe2048"])),
        server_order=r.random() < 0.7,
        group_server_order=r.random() < 0.7,
        chacha_first=r.random() < 0.2,
        heeds_finite=r.random() < 0.2,
        knows_supported_versions=r.random() < 0.8 or T13 in versions,
        schemes_before_retry=r.random() < 0.5,
        wants_shares=r.random() < 0.1 and all(map(has_share, groups)),
        fallback_scsv=r.random() < 0.7,
        refusal=refusal,
        version_refusal=r.choice((Refusal(alert=70), Refusal(alert=40), refusal)),
        checks_curve=r.random() < 0.7,
        ssl2=tuple(SSL2_KINDS)[:2] if r.random() < 0.05 else (),
        ssl2_refusal=r.choice((Refusal("fin"), Refusal("rst"), Refusal("drop"), Refusal())),
    )


def sample_network(r: random.Random, *nodes: Simulated) -> Network:
    """A network that spoils connections in one way, or in two."""
    network = Network(nodes=nodes, seed=r.randrange(1 << 30), trip=r.choice((0.001, 0.02, 0.1)))
    ends: tuple[End, ...] = ("rst", "fin", "drop", "unconnected")
    for _ in range(r.choice((1, 1, 2))):
        match r.randrange(6):
            case 0:
                network = replace(
                    network,
                    ban_after=r.randint(1, 40),
                    ban=r.choice(ends),
                    ban_for=r.choice((None, 1.0, 5.0, 20.0)),
                )
            case 1:
                network = replace(
                    network,
                    rate=r.choice((1, 2, 3, 5, 10)),
                    window=r.choice((0.5, 1.0, 2.0, 10.0)),
                    over=r.choice(ends),
                    counts_all=r.random() < 0.3,
                )
            case 2:
                network = replace(network, loss=r.choice((0.05, 0.2, 0.4)), lost=r.choice(ends))
            case 3:
                network = replace(network, at_once=r.choice((1, 2, 4)), over=r.choice(ends))
            case 4:
                network = replace(network, cut=r.choice((0.05, 0.3)))
            case _:
                network = replace(network, think=r.choice((0.3, 1.0, 4.0)))
    return network


def sample_nodes(r: random.Random) -> tuple[Simulated, Simulated]:
    """Two nodes behind one address that are not quite the same."""
    one = sample_server(r)
    other = sample_server(r)
    style = r.randrange(4)
    if style == 0:
        return one, replace(one, leaf=b"other")
    if style == 1:
        return one, replace(one, versions=other.versions)
    if style == 2:
        return one, replace(one, suites=other.suites, groups=other.groups)
    return one, other
