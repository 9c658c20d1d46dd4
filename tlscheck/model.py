"""The words of the house as types: targets, what was seen or missed, findings, answers.

Nothing here looks, judges or prints. Everything is frozen and serialisable.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum

Value = str | int | float | bool | tuple[str, ...]
"""What a piece of evidence may carry: language-free scalars and lists of names."""


@dataclass(frozen=True, slots=True)
class Words:
    """A sentence in both languages, as data files state it."""

    en: str
    ja: str


class _Ranked(StrEnum):
    """An enum whose definition order is its order, worst first."""

    @property
    def rank(self) -> int:
        """Position from the worst (0) on."""
        return list(type(self)).index(self)


class State(StrEnum):
    """What became of a question. Only ``REFUSED`` is a negative; ``UNKNOWN`` proves nothing."""

    ACCEPTED = "accepted"
    REFUSED = "refused"
    UNKNOWN = "unknown"


class Verdict(_Ranked):
    """What the judge makes of one rule on one target, worst first."""

    FAIL = "fail"
    UNKNOWN = "unknown"
    PASS = "pass"  # noqa: S105
    NOT_APPLICABLE = "not_applicable"


class Answer(_Ranked):
    """What a checklist item gets, worst first."""

    NOT_MET = "not_met"
    UNDETERMINED = "undetermined"
    DOCUMENT_NEEDED = "document_needed"
    MET = "met"
    NOT_APPLICABLE = "not_applicable"


class Severity(_Ranked):
    """How much a failed rule matters, worst first."""

    CRITICAL = "critical"
    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"
    INFO = "info"


class Grade(StrEnum):
    """How well a wanted value is founded."""

    OFFICIAL = "official"
    SECONDARY = "secondary"
    INFERRED = "inferred"
    UNVERIFIED = "unverified"


class Confidence(StrEnum):
    """How sure a mark is."""

    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"

    @property
    def rank(self) -> int:
        """Position from the surest (0) on."""
        return list(Confidence).index(self)


class Reach(StrEnum):
    """How far a look from outside reaches into a part of a checklist item."""

    TESTED = "tested"
    PARTIAL = "partial"
    ATTEST = "attest"


class Kind(StrEnum):
    """What a piece of evidence does to its finding: fails it, leaves it open, or nothing."""

    PROBLEM = "problem"
    OPEN = "open"
    NOTE = "note"


class Scope(StrEnum):
    """What a target is: a TLS endpoint on one address, an address, or a name."""

    ENDPOINT = "endpoint"
    ADDRESS = "address"
    NAME = "name"


class Reason(StrEnum):
    """Why something was missed."""

    UNRESOLVED = "unresolved"
    UNREACHABLE = "unreachable"
    CONNECTION_REFUSED = "connection_refused"
    TIMEOUT = "timeout"
    RESET = "reset"
    CLOSED = "closed"
    NOT_TLS = "not_tls"
    PREAMBLE = "preamble"
    BANNED = "banned"
    BUDGET = "budget"
    FILTERED = "filtered"
    INTERCEPTED = "intercepted"
    HANDSHAKE = "handshake"
    MALFORMED = "malformed"
    TOO_LARGE = "too_large"
    CHILD = "child"
    CRYPTOGRAPHY = "cryptography"
    EXTRA = "extra"
    CLIENT_CERTIFICATE = "client_certificate"
    NOT_APPLICABLE = "not_applicable"
    NOT_ASKED = "not_asked"
    CLOCK = "clock"
    LIMITED = "limited"
    TO_DECLARE = "to_declare"
    """It never shows from outside that something is not there; a paper has to say."""
    BUG = "bug"


@dataclass(frozen=True, slots=True)
class Place:
    """Where a target is: the name as asked (A-label or literal), port, service and address."""

    host: str
    port: int
    service: str
    address: str
    sni: str | None = None
    """The server name sent, ``None`` for none (a literal address without ``--sni``)."""


@dataclass(frozen=True, slots=True)
class Target:
    """One thing that is probed."""

    id: str
    scope: Scope
    target: Place | None = None
    """``None`` where the scope has no address and port."""
    label: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """What was seen of one subject on one target. Subclasses live in ``observations``."""

    at: datetime
    """When the look began (aware, UTC); the only clock that rules may read."""


@dataclass(frozen=True, slots=True)
class Missed:
    """What was not seen of one subject, and why."""

    kind: str
    """The subject (``tls``, ``certificate`` …) or a part of one (``tls.deep``)."""
    reason: Reason
    detail: str = ""

    @property
    def is_cut_short(self) -> bool:
        """Whether nobody looked, because the run was ended."""
        return self == cut_short(self.kind)


def cut_short(subject: str) -> Missed:
    """What is missed where the run is ended before its time."""
    return Missed(subject, Reason.BUDGET, "the run was ended early")


@dataclass(frozen=True, slots=True)
class Look:
    """All that one look at one target gave."""

    target: Target
    seen: Mapping[str, Observation] = field(default_factory=dict)
    missed: tuple[Missed, ...] = ()
    connections: int = 0
    """TLS connections to the endpoint's port that the look cost; of an address, the connections and
    datagrams to its ports.
    """
    raw: Mapping[str, bytes] = field(default_factory=dict)
    """The bytes that it was read from, by file name, where they were to be kept: for a bundle,
    never in the scan file."""


@dataclass(frozen=True, slots=True)
class Standpoint:
    """Where the look was taken from."""

    addresses: tuple[str, ...] = ()
    """Our source addresses, as the kernel chose them."""
    resolver: str = ""
    cryptography: str = ""
    """The version of the cryptography library in use."""
    family: int = 0
    """4 or 6 where only addresses of that family were looked at."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiver:
    """That somebody answers for the failures of an item or of a rule, for a time."""

    item: str = ""
    """``checklist/item``; either this or a rule."""
    rule: str = ""
    target: str = ""
    """Host, host and port or URL; empty: every target."""
    reason: str
    who: str
    """Who answers for it."""
    until: date
    """The last day on which it holds."""


@dataclass(frozen=True, slots=True)
class Scan:
    """What a scan saw: the part of the scan file that judging starts from."""

    at: datetime
    """When the scan began (aware, UTC)."""
    version: str
    """The version of tlscheck that looked."""
    looks: tuple[Look, ...]
    profile: str
    checklists: tuple[str, ...]
    subjects: tuple[str, ...]
    """The subjects that were asked (``--only``)."""
    standpoint: Standpoint = Standpoint()
    waivers: tuple[Waiver, ...] = ()
    """As the configuration of the scan had them."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """One language-free sentence of evidence: a template in English and the values for it."""

    code: str
    """Names the problem within its rule; part of a finding's identity."""
    template: str
    values: Mapping[str, Value] = field(default_factory=dict)
    refs: tuple[str, ...] = ()
    """The files of the bundle that it rests on, and places in its scan; empty without a bundle."""
    cause: str = ""
    """For what is open: a `Reason`, ``not_settled`` or ``open_question``; else empty."""
    kind: Kind = Kind.PROBLEM


class Problem(Evidence):
    """Something that is not as wanted: the finding is ``fail``."""

    __slots__ = ()

    def __init__(self, code: str, template: str, /, **values: Value) -> None:
        Evidence.__init__(self, code, template, values)


class Open(Evidence):
    """Something that would decide the rule is not known: the finding is at best ``unknown``."""

    __slots__ = ()

    def __init__(
        self, code: str, template: str, /, cause: str = "not_settled", **values: Value
    ) -> None:
        Evidence.__init__(self, code, template, values, (), cause, Kind.OPEN)


class Note(Evidence):
    """Something worth saying that decides nothing, such as what a pass rests on."""

    __slots__ = ()

    def __init__(self, code: str, template: str, /, **values: Value) -> None:
        Evidence.__init__(self, code, template, values, (), "", Kind.NOTE)


@dataclass(frozen=True, slots=True)
class Basis:
    """Where a wanted value comes from, and how well that is founded."""

    source: str
    grade: Grade


@dataclass(frozen=True, slots=True)
class Finding:
    """The judge's verdict of one rule (as one want) on one target."""

    rule: str
    target: str
    verdict: Verdict
    severity: Severity
    evidence: tuple[Evidence, ...]
    profiles: tuple[str, ...]
    """The profiles that want the same and so share this verdict."""
    basis: Basis
    items: tuple[str, ...] = ()
    """``checklist/item`` for each item that this finding bears on."""
    refs: tuple[str, ...] = ()
    """As of its evidence, of which a pass may have none."""

    @property
    def id(self) -> str:
        """``rule@target``, unique with `profiles`."""
        return f"{self.rule}@{self.target}"
