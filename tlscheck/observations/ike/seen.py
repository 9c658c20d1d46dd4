"""What an IPsec gateway says when IKE is begun with it, and never gone through with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from tlscheck.model import Observation, State
from tlscheck.observations.ike.asked import Dimension
from tlscheck.wire.ike import Phase1


class IkeVersion(StrEnum):
    """The versions of IKE, in words as RFCs write them."""

    V1 = "IKEv1"
    V2 = "IKEv2"


class Mode(StrEnum):
    """What a question begins."""

    INIT = "IKE_SA_INIT"
    MAIN = "main mode"
    AGGRESSIVE = "aggressive mode"

    @property
    def version(self) -> IkeVersion:
        """The version that it is of."""
        return IkeVersion.V2 if self is Mode.INIT else IkeVersion.V1


class Ending(StrEnum):
    """What became of a question."""

    GRANTED = "granted"
    """Something of what was offered was chosen, or its group asked for."""
    REFUSED = "refused"
    """NO_PROPOSAL_CHOSEN."""
    IDENTITY = "identity"
    """IKEv1: nothing but the identity is minded (INVALID-ID-INFORMATION)."""
    UNSUPPORTED = "unsupported"
    """The version is said not to be there at all; or aggressive mode, where that was asked for."""
    COOKIE = "cookie"
    """A cookie is asked for although one was given: the gateway is under load."""
    OTHER = "other"
    """Another answer, which settles nothing."""
    SILENT = "silent"
    CLOSED = "closed"
    """ICMP 3/3: nothing listens on the port, or a filter says so."""
    REJECTED = "rejected"
    """Another ICMP error of the way there."""

    @property
    def is_answer(self) -> bool:
        """Whether IKE was spoken."""
        return self not in (Ending.SILENT, Ending.CLOSED, Ending.REJECTED)


@dataclass(frozen=True, slots=True)
class Opening:
    """One question, and what came back."""

    at: datetime
    port: int
    mode: Mode
    ending: Ending
    narrowed: Mapping[Dimension, tuple[str, ...]] = field(default_factory=dict)
    """What alone was offered of a dimension; of others all of `ASKED`. IKEv2 only."""
    offered: tuple[Phase1, ...] = ()
    """IKEv1 only."""
    granted: Mapping[Dimension, str] = field(default_factory=dict)
    """What the answer names: the group alone, or all that was chosen."""
    chosen: Phase1 | None = None
    """The transform that was chosen in IKEv1."""
    notifies: tuple[str, ...] = ()
    vendor_ids: tuple[str, ...] = ()
    """In hexadecimal."""
    authorities: tuple[str, ...] = ()
    """The same, hashes of keys."""
    asks_for_certificate: bool = False
    cookies: int = 0
    """How many were asked for."""
    packets: int = 1
    """Those that were sent, retransmissions not counted."""
    retransmissions: int = 0
    sender: str = ""
    """Whose ICMP error it was."""


@dataclass(frozen=True, slots=True)
class PortSeen:
    """What became of the questions to one port."""

    port: int
    endings: Mapping[Mode, tuple[Ending, ...]]
    """Each kind of ending once, in the order of its first."""
    senders: tuple[str, ...] = ()
    """Who sent ICMP errors."""

    @property
    def answered(self) -> bool:
        """Whether IKE was spoken."""
        return any(o.is_answer for found in self.endings.values() for o in found)

    @property
    def closed(self) -> bool:
        """Whether all that came back is that nothing listens."""
        return {o for found in self.endings.values() for o in found} == {Ending.CLOSED}


@dataclass(frozen=True, slots=True)
class Vendor:
    """A vendor id."""

    id: str
    """In hexadecimal."""
    name: str = ""
    """Whose it is, where that is known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class IkeObservation(Observation):
    """An IPsec gateway, as anybody on the internet can ask it."""

    address: str
    ports: tuple[PortSeen, ...]
    versions: Mapping[IkeVersion, State]
    """``accepted`` where something that was offered was granted."""
    groups: Mapping[str, State] = field(default_factory=dict)
    """This and the next three are of IKEv2, by IANA's names, each of `ASKED`."""
    encryption: Mapping[str, State] = field(default_factory=dict)
    integrity: Mapping[str, State] = field(default_factory=dict)
    prf: Mapping[str, State] = field(default_factory=dict)
    preferred_group: str = ""
    """The one that it asks for when all are offered."""
    phase1: tuple[Phase1, ...] = ()
    """The transforms that it chose in IKEv1."""
    aggressive_asked: bool = False
    aggressive: State = State.UNKNOWN
    vendors: tuple[Vendor, ...] = ()
    nat_traversal: State = State.UNKNOWN
    fragmentation: State = State.UNKNOWN
    cookies: bool = False
    """Whether it ever asked for one."""
    asks_for_certificate: bool = False
    authorities: tuple[str, ...] = ()
    """SHA-1 hashes of the keys of the authorities it takes certificates of, in hexadecimal."""
    packets: int = 0
    retransmissions: int = 0
    throttled: bool = False
    """Whether it stopped answering, or asked for cookies without end, while it was asked."""
    openings: tuple[Opening, ...] = ()

    @property
    def answered(self) -> bool:
        """Whether IKE was spoken on any port."""
        return any(port.answered for port in self.ports)

    def states(self, dimension: Dimension) -> Mapping[str, State]:
        """What became of one dimension of IKEv2."""
        found: Mapping[str, State] = getattr(self, dimension.value)
        return found

    def engine(self, version: IkeVersion) -> bool:
        """Whether any answer in that version came, be it a refusal."""
        return any(e.ending.is_answer for e in self.openings if e.mode.version is version)
