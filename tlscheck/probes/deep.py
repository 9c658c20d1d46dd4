"""What a hello cannot tell, asked of sslyze in a child process; and sslyze's second opinion.

The child (`tlscheck.probes.child`) is told only what applies, and is never believed further than
its answers go: what it left open is unknown, and what it says the server does not do counts only
when the server was well afterwards.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import sys
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, NamedTuple

from tlscheck.model import Missed, Place, Reason, State
from tlscheck.net import Net
from tlscheck.observations.tls import Deep, Demand, TlsObservation
from tlscheck.probes.child.order import STARTTLS
from tlscheck.text import _N
from tlscheck.wire.registry import SUITE_BY_NAME, Version

KIND = "tls.deep"
QUESTIONS = (
    "heartbleed",
    "robot",
    "client_renegotiation",
    "resumption_ids",
    "resumption_tickets",
    "early_data",
    "crossing",
)
"""The fields of `Deep` that the child fills."""

_OLDER = (Version.TLS_1_2, Version.TLS_1_1, Version.TLS_1_0, Version.SSL_3_0)
_PLAIN = frozenset({"https", "smtps", "imaps", "pop3s", "ftps", "ldaps", "turns"})
_AT_ONCE = 3
_MOST_OUTPUT = 1024 * 1024
"""What the child may write in all, in bytes."""


@dataclass(frozen=True, slots=True)
class DeepQuestions:
    """What the hello engine knows, from which follows what has to be asked."""

    place: Place
    version: Version | None = None
    """The highest version from SSL 3.0 to TLS 1.2 that is accepted."""
    suite: str = ""
    """A suite that is accepted in `version`."""
    older: State = State.UNKNOWN
    """Whether any version from SSL 3.0 to TLS 1.2 is accepted; counts where `version` is none."""
    tls13: State = State.UNKNOWN
    suite13: str = ""
    heartbeat: State = State.UNKNOWN
    rsa_key_exchange: State = State.UNKNOWN
    rsa_version: Version | None = None
    """The highest version in which it is accepted; none: in `version`."""
    session_ids: State = State.UNKNOWN
    session_tickets: State = State.UNKNOWN
    demand: Demand = Demand.UNKNOWN
    identity: tuple[Path, Path] | None = None
    """Files of the client's certificate chain and of its key."""
    other_places: tuple[Place, ...] = ()
    """The target's own other names and addresses."""


class DeepLook(NamedTuple):
    """What the look gave."""

    deep: Deep
    missed: tuple[Missed, ...]
    """One for each question that stays open although it applies."""
    connections: int
    """TCP connections opened to the place itself; all are in the net's count already."""
    counts: Mapping[str, int]
    """All connections, by the question that they were opened for."""
    ticket_lifetimes: Mapping[Version, int] = {}
    """Lifetime hints of session tickets, in seconds, by the version that gave one."""


class CrossCheck(NamedTuple):
    """Where sslyze and the hello engine differ."""

    disagreements: tuple[str, ...]
    missed: tuple[Missed, ...]
    """Not empty: the comparison is not complete."""
    connections: int


Canary = Callable[[], Awaitable[bool]]
"""Whether the place still answers a known-good hello."""


def questions(
    place: Place,
    seen: TlsObservation,
    *,
    identity: tuple[Path, Path] | None = None,
    other_places: tuple[Place, ...] = (),
) -> DeepQuestions:
    """What is to be asked of *place*, of which *seen* is known."""
    accepted = [v for v in _OLDER if seen.versions.get(v) is State.ACCEPTED]
    with_rsa = [v for v in accepted if any(map(_by_rsa, seen.suites.get(v, ())))]
    return DeepQuestions(
        place,
        version=accepted[0] if accepted else None,
        suite=_suite(seen, accepted[0]) if accepted else "",
        older=_any_of(seen.versions.get(v, State.UNKNOWN) for v in _OLDER),
        tls13=seen.versions.get(Version.TLS_1_3, State.UNKNOWN),
        suite13=_suite(seen, Version.TLS_1_3),
        heartbeat=seen.heartbeat,
        rsa_key_exchange=State.ACCEPTED if with_rsa else _no_rsa(seen),
        rsa_version=with_rsa[0] if with_rsa else None,
        session_ids=seen.session_ids,
        session_tickets=seen.session_tickets,
        demand=seen.client_certificate.demand,
        identity=identity,
        other_places=other_places,
    )


def _suite(seen: TlsObservation, version: Version) -> str:
    """The strongest accepted suite: OpenSSL's defaults admit it most likely."""

    def strength(name: str) -> tuple[bool, bool, int]:
        suite = SUITE_BY_NAME[name]
        return (
            suite.authentication == "RSA" or suite.lowest is Version.TLS_1_3,
            suite.aead,
            suite.bits,
        )

    names = [name for name in seen.suites.get(version, ()) if name in SUITE_BY_NAME]
    return max(names, key=strength, default="")


def _by_rsa(suite: str) -> bool:
    return suite.startswith(("TLS_RSA_WITH_", "TLS_RSA_EXPORT"))


def _no_rsa(seen: TlsObservation) -> State:
    """Refused when every version, and every such suite of those accepted, is settled."""
    for version in _OLDER:
        state = seen.versions.get(version, State.UNKNOWN)
        left = seen.unknown[version].suites if version in seen.unknown else ()
        if state is State.UNKNOWN or (state is State.ACCEPTED and any(map(_by_rsa, left))):
            return State.UNKNOWN
    return State.REFUSED


def _any_of(states: Any) -> State:
    """Accepted if any is, refused if all are."""
    found = set(states)
    if State.ACCEPTED in found:
        return State.ACCEPTED
    return State.REFUSED if found == {State.REFUSED} else State.UNKNOWN


def plan(asked: DeepQuestions) -> dict[str, State]:
    """Each question by whether it applies: accepted means that it is to be asked, else the answer.

    Nothing is asked where the answer follows: a server without the heartbeat extension does not
    bleed, and one that never says whether it has it stays unknown.
    """
    older = State.ACCEPTED if asked.version else asked.older
    to_cross = _any_of((asked.session_ids, asked.session_tickets, asked.tls13))
    return {
        "heartbleed": _both(older, asked.heartbeat),
        "robot": _both(older, asked.rsa_key_exchange),
        "client_renegotiation": older,
        "resumption_ids": _both(older, asked.session_ids),
        "resumption_tickets": _both(older, asked.session_tickets),
        "early_data": asked.tls13,
        "crossing": to_cross if asked.other_places else State.UNKNOWN,
    }


def _both(first: State, second: State) -> State:
    if State.REFUSED in (first, second):
        return State.REFUSED
    return State.UNKNOWN if State.UNKNOWN in (first, second) else State.ACCEPTED


# -- The child -------------------------------------------------------------------------------------


@dataclass
class _Heard:
    """What a child said, checked: it has read what a stranger sent."""

    answers: dict[str, tuple[State, str]] = field(default_factory=dict)
    second: dict[tuple[str, str], dict[str, State]] = field(default_factory=dict)
    connections: Counter[tuple[str, int]] = field(default_factory=Counter)
    counts: Counter[str] = field(default_factory=Counter)
    lifetimes: dict[Version, int] = field(default_factory=dict)
    """The longest lifetime hint of a session ticket, in seconds, by version."""
    trouble: str | None = None
    """How it ended, empty for well; none while it has not ended."""

    def take(self, line: bytes) -> None:
        """Take one line in. Raises all manner of things if it is not what a child says."""
        said = json.loads(line)
        match said["kind"]:
            case "connect":
                address, port = said["peer"]
                self.connections[str(address), int(port)] += 1
                self.counts[str(said["question"])] += 1
            case "answer":
                answer = State(said["state"]), _printable(said["detail"])
                self.answers[str(said["question"])] = answer
            case "lifetime":
                version = Version(said["version"])
                self.lifetimes[version] = max(self.lifetimes.get(version, 0), int(said["seconds"]))
            case "second":
                states = {str(name): State(state) for name, state in said["states"].items()}
                self.second[str(said["version"]), str(said["dimension"])] = states
            case "end":
                self.trouble = _printable(said["trouble"])
            case _:
                raise ValueError(said["kind"])


def _printable(text: object) -> str:
    return "".join(c if c.isprintable() else " " for c in str(text))[:200]


class Child:
    """A child process that loads sslyze while others work, to be asked once."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    async def ask(self, order: Mapping[str, object], seconds: float) -> _Heard:
        """Hand *order* over and listen until the child ends or its time does."""
        heard = _Heard()
        try:
            async with asyncio.timeout(seconds):
                await self._converse(order, heard)
        except TimeoutError:
            heard.trouble = f"no end after {seconds:g} s"
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            heard.trouble = "the child speaks nonsense, or too much"
        return heard

    async def _converse(self, order: Mapping[str, object], heard: _Heard) -> None:
        stdin, stdout = self._process.stdin, self._process.stdout
        assert stdin
        assert stdout
        with contextlib.suppress(ConnectionError):  # a dead child is noticed below
            stdin.write(json.dumps(order, default=str).encode() + b"\n")
            await stdin.drain()
        size = 0
        while heard.trouble is None:
            line = await stdout.readline()
            size += len(line)
            if size > _MOST_OUTPUT:
                raise ValueError(size)
            if not line:
                code = await self._process.wait()
                heard.trouble = f"the child ended with {_ending(code)}"
            else:
                heard.take(line)

    async def close(self) -> None:
        """End the child, with whatever it started."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        if self._process.stdin:
            self._process.stdin.close()
        # What it still wrote is thrown away, since its pipe has to be empty to be closed.
        with contextlib.suppress(ValueError):
            while self._process.stdout and await self._process.stdout.read(65536):
                pass
        await self._process.wait()


def _ending(code: int) -> str:
    if code >= 0:
        return f"code {code}"
    try:
        return signal.Signals(-code).name
    except ValueError:
        return f"signal {-code}"


@contextlib.asynccontextmanager
async def warm() -> AsyncIterator[Child]:
    """A child that is ready when it is asked; it ends with the block. OSError: none to be had."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-P", "-B", "-m", "tlscheck.probes.child", str(os.getpid())),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        env=_environment(),
        start_new_session=True,
        limit=_MOST_OUTPUT,
    )
    child = Child(process)
    try:
        yield child
    finally:
        await child.close()


def _environment() -> dict[str, str]:
    """Nothing of ours but where programs and modules are."""
    modules = os.pathsep.join(str(Path(entry).absolute()) for entry in sys.path if entry)
    return {"PATH": os.environ.get("PATH", os.defpath), "LANG": "C.UTF-8", "PYTHONPATH": modules}


async def _asked(net: Net, order: dict[str, Any], timeout: float, child: Child | None) -> _Heard:
    """What the child (a new one, unless given) said; its connections are counted.

    The order is completed with the place's budget: the child opens its connections beside `Net`.
    """
    place = Place(**order["place"])
    lane = net.lane(place.address)
    try:
        async with contextlib.AsyncExitStack() as stack:
            if child is None:
                child = await stack.enter_async_context(warm())
            async with lane.slot(_AT_ONCE) as held:
                order |= {"width": held, "gap": lane.gap}
                heard = await child.ask(order, timeout)
    except OSError as error:
        heard = _Heard(trouble=f"{_N('no child process')}: {error.strerror}")
    for there in (place, *(Place(**other) for other in order["others"])):
        net.connections[there] += heard.connections[there.address, there.port]
    return heard


# -- The look --------------------------------------------------------------------------------------


async def look(
    net: Net,
    asked: DeepQuestions,
    timeout: float = 30,
    *,
    canary: Canary,
    child: Child | None = None,
) -> DeepLook:
    """Ask what applies. *child* is a `warm` one; it is asked this once.

    Negatives that cost connections count only if *canary* is true when the child is done.
    """
    states = plan(asked)
    open_ones = [name for name in QUESTIONS if states[name] is State.ACCEPTED]
    settled = {name: state for name, state in states.items() if name not in open_ones}
    reachable, missed = _reachable(asked, open_ones)
    heard = _Heard(trouble="")
    if reachable:
        heard = await _asked(net, _order(asked, reachable), timeout, child)
    answers = {name: _answer(heard, name) for name in reachable}
    if any(state is State.REFUSED for state, _ in answers.values()) and not await canary():
        doubt = "the server did not answer any more afterwards"
        answers = {
            name: (State.UNKNOWN, doubt) if state is State.REFUSED else (state, detail)
            for name, (state, detail) in answers.items()
        }
    answers = _doubted(asked, answers)
    for name, (state, detail) in answers.items():
        settled[name] = state
        if state is State.UNKNOWN:
            missed += (Missed(KIND, Reason.CHILD, f"{name}: {detail}"),)
    for name in open_ones:
        settled.setdefault(name, State.UNKNOWN)
    place = (asked.place.address, asked.place.port)
    deep = replace(Deep(), **settled)  # type: ignore[arg-type]
    return DeepLook(deep, missed, heard.connections[place], dict(heard.counts), heard.lifetimes)


def _reachable(asked: DeepQuestions, names: list[str]) -> tuple[list[str], tuple[Missed, ...]]:
    """Which of the questions *names* can be asked, and why the others cannot."""
    if not names:
        return [], ()
    if (service := asked.place.service) not in STARTTLS and service not in _PLAIN:
        return [], (Missed(KIND, Reason.CHILD, "sslyze does not speak this service"),)
    if asked.demand is Demand.REQUIRED and asked.identity is None:
        # Without a certificate no handshake comes to its end.
        lost = [name for name in names if name != "heartbleed"]
        why = (Missed(KIND, Reason.CLIENT_CERTIFICATE, ", ".join(lost)),) if lost else ()
        return [name for name in names if name == "heartbleed"], why
    return names, ()


def _order(asked: DeepQuestions, names: list[str]) -> dict[str, Any]:
    identity = asked.identity and [str(path.absolute()) for path in asked.identity]
    return {
        "ask": names,
        "place": asdict(asked.place),
        "version": asked.version or "",
        "suite": asked.suite,
        "suite13": asked.suite13,
        "rsa_version": asked.rsa_version or asked.version or "",
        "identity": identity,
        "others": [asdict(place) for place in asked.other_places],
    }


def _answer(heard: _Heard, name: str) -> tuple[State, str]:
    return heard.answers.get(name, (State.UNKNOWN, heard.trouble or _N("no answer")))


def _doubted(
    asked: DeepQuestions, answers: dict[str, tuple[State, str]]
) -> dict[str, tuple[State, str]]:
    """Crossing was tried with the kinds of session that are known; another may still cross."""
    kinds = (asked.session_ids, asked.session_tickets, asked.tls13)
    state, _ = answers.get("crossing", (State.UNKNOWN, ""))
    if State.UNKNOWN in kinds and state is State.REFUSED:
        why = "it is not known which kinds of session the server gives"
        return answers | {"crossing": (State.UNKNOWN, why)}
    return answers


# -- The second opinion ----------------------------------------------------------------------------


async def cross_check(
    net: Net,
    place: Place,
    seen: TlsObservation,
    timeout: float = 120,
    *,
    identity: tuple[Path, Path] | None = None,
) -> CrossCheck:
    """Enumerate suites and curves with sslyze too: more than 500 connections."""
    asked = questions(place, seen, identity=identity)
    highest = Version.TLS_1_3 if asked.tls13 is State.ACCEPTED else asked.version
    if highest is None or (place.service not in STARTTLS and place.service not in _PLAIN):
        why = f"sslyze cannot be asked about {place.service}" if highest else _N("no version known")
        return CrossCheck((), (Missed("tls.cross_check", Reason.CHILD, why),), 0)
    order = _order(replace(asked, version=highest), ["suites"])
    heard = await _asked(net, order, timeout, None)
    missed = (Missed("tls.cross_check", Reason.CHILD, heard.trouble),) if heard.trouble else ()
    return CrossCheck(
        tuple(_disagreements(seen, heard)),
        missed,
        heard.connections[place.address, place.port],
    )


def _disagreements(seen: TlsObservation, heard: _Heard) -> list[str]:
    found = []
    for (version_name, dimension), states in heard.second.items():
        version = Version(version_name)
        named = [(f"{version} {name}", name, state) for name, state in sorted(states.items())]
        for label, name, sslyze in named:
            ours = _ours(seen, version, dimension, name)
            if State.UNKNOWN not in (sslyze, ours) and sslyze is not ours:
                found.append(f"{label}: sslyze {sslyze}, hello engine {ours}")
    return found


def _ours(seen: TlsObservation, version: Version, dimension: str, name: str) -> State:
    if seen.versions.get(version) is State.REFUSED:
        return State.REFUSED
    return seen.settled(version, dimension, name)
