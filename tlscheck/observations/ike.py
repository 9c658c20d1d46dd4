"""What an IPsec gateway says when IKE is begun with it, and never gone through with.

`fold` makes the observation of the openings, whatever asked them. A refusal counts only when a
question that is known to be granted was granted after it: a gateway that throttles says no too.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from tlscheck.model import Observation, State
from tlscheck.wire.ike import Phase1, vendor_name


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


class Dimension(StrEnum):
    """What is negotiated in IKEv2."""

    GROUPS = "groups"
    ENCRYPTION = "encryption"
    INTEGRITY = "integrity"
    PRF = "prf"


_SIZES = (128, 192, 256)
Tier = tuple[tuple[str, ...], ...]
"""Sets of names; each is asked about as a whole before its members are."""
TIERS: Mapping[Dimension, tuple[Tier, ...]] = {
    Dimension.GROUPS: (
        (
            (
                *(f"{bits}-bit MODP Group" for bits in (1024, 1536, 768)),
                "1024-bit MODP Group with 160-bit Prime Order Subgroup",
                "2048-bit MODP Group with 224-bit Prime Order Subgroup",
                "2048-bit MODP Group with 256-bit Prime Order Subgroup",
                "192-bit Random ECP Group",
            ),
        ),
        (
            (
                *(f"{bits}-bit MODP Group" for bits in (2048, 3072, 4096, 6144, 8192)),
                *(f"{bits}-bit random ECP group" for bits in (256, 384, 521)),
                *("Curve25519", "Curve448"),
                *(f"brainpoolP{bits}r1" for bits in (224, 256, 384, 512)),
            ),
        ),
        (),
    ),
    Dimension.ENCRYPTION: (
        (("ENCR_3DES", "ENCR_DES", "ENCR_CAST-128", "ENCR_BLOWFISH-128"),),
        (
            ("ENCR_AES_CBC-256", "ENCR_AES_CBC-128"),
            ("ENCR_AES_GCM_16-256", "ENCR_AES_GCM_16-128", "ENCR_CHACHA20_POLY1305"),
        ),
        (
            ("ENCR_AES_CBC-192", "ENCR_AES_GCM_16-192"),
            (
                *(f"ENCR_AES_CTR-{bits}" for bits in _SIZES),
                *(f"ENCR_AES_CCM_{icv}-{bits}" for icv in (8, 16) for bits in (128, 256)),
                *(f"ENCR_AES_GCM_{icv}-{bits}" for icv in (8, 12) for bits in (128, 256)),
                *(f"ENCR_CAMELLIA_CBC-{bits}" for bits in _SIZES),
            ),
        ),
    ),
    Dimension.INTEGRITY: (
        (("AUTH_HMAC_SHA1_96", "AUTH_HMAC_MD5_96"),),
        (("AUTH_HMAC_SHA2_256_128",), ("AUTH_HMAC_SHA2_384_192", "AUTH_HMAC_SHA2_512_256")),
        (("AUTH_AES_XCBC_96", "AUTH_AES_CMAC_96"),),
    ),
    Dimension.PRF: (
        (("PRF_HMAC_SHA1", "PRF_HMAC_MD5"),),
        (("PRF_HMAC_SHA2_256",), ("PRF_HMAC_SHA2_384", "PRF_HMAC_SHA2_512")),
        (("PRF_AES128_XCBC", "PRF_AES128_CMAC"),),
    ),
}
"""All that is asked about, by IANA's names, in the order of asking: what decides rules first."""
ASKED: Mapping[Dimension, tuple[str, ...]] = {
    dimension: tuple(item for tier in tiers for items in tier for item in items)
    for dimension, tiers in TIERS.items()
}


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


def fold(address: str, at: datetime, openings: Sequence[Opening]) -> IkeObservation:
    """What the *openings* with one address tell."""
    dimensions = {d: settled(openings, d) for d in Dimension}
    aggressive = [e for e in openings if e.mode is Mode.AGGRESSIVE]
    return IkeObservation(
        at=at,
        address=address,
        ports=tuple(_port(port, openings) for port in dict.fromkeys(e.port for e in openings)),
        versions={version: _version(openings, version) for version in IkeVersion},
        groups=dimensions[Dimension.GROUPS],
        encryption=dimensions[Dimension.ENCRYPTION],
        integrity=dimensions[Dimension.INTEGRITY],
        prf=dimensions[Dimension.PRF],
        preferred_group=_preferred(openings),
        phase1=tuple(dict.fromkeys(e.chosen for e in openings if e.chosen)),
        aggressive_asked=bool(aggressive),
        aggressive=_aggressive(aggressive),
        vendors=tuple(_vendors(openings)),
        nat_traversal=_nat_traversal(openings),
        fragmentation=_fragmentation(openings),
        cookies=any(e.cookies for e in openings),
        asks_for_certificate=any(e.asks_for_certificate for e in openings),
        authorities=tuple(dict.fromkeys(a for e in openings for a in e.authorities)),
        packets=sum(e.packets for e in openings),
        retransmissions=sum(e.retransmissions for e in openings),
        throttled=throttled(openings),
        openings=tuple(openings),
    )


# ---- IKEv2 -----------------------------------------------------------------------------------


def settled(
    openings: Sequence[Opening], dimension: Dimension, *, for_now: bool = False
) -> dict[str, State]:
    """The state of each item of one dimension; *for_now* with the refusals still in doubt."""
    init = [e for e in openings if e.mode is Mode.INIT]
    granted = [e for e in init if e.ending is Ending.GRANTED]
    accepted = {e.granted[dimension] for e in granted if dimension in e.granted}
    refused = {
        item
        for e in (init if for_now else counted_refusals(init))
        if e.ending is Ending.REFUSED
        if set(e.narrowed) == {dimension}
        for item in e.narrowed[dimension]
    } - accepted
    # Of what was offered together one at least is accepted; when all but one are refused, that one.
    # When all are, there is more than one gateway: whichever it is, it may accept any of them.
    for e in filter(lambda e: _matters(e, dimension), granted):
        together = set(offered(e, dimension))
        refused = refused if together - refused else refused - together
        if len(left := together - refused) == 1:
            accepted |= left
    refused -= accepted
    return {
        item: State.ACCEPTED
        if item in accepted
        else State.REFUSED
        if item in refused
        else State.UNKNOWN
        for item in dict.fromkeys((*ASKED[dimension], *sorted(accepted)))
    }


def offered(opening: Opening, dimension: Dimension) -> tuple[str, ...]:
    """What was offered of a dimension."""
    return opening.narrowed.get(dimension, ASKED[dimension])


def _matters(opening: Opening, dimension: Dimension) -> bool:
    """Whether the grant shows something of the dimension: AEAD ciphers go without integrity."""
    return dimension is not Dimension.INTEGRITY or dimension in opening.narrowed


def counted_refusals(init: Sequence[Opening]) -> Iterator[Opening]:
    """The refusals that stand between two grants on their port."""
    grants: dict[int, list[int]] = {}
    for i, e in enumerate(init):
        if e.ending is Ending.GRANTED:
            grants.setdefault(e.port, []).append(i)
    for i, e in enumerate(init):
        if e.ending is Ending.REFUSED and e.port in grants:
            first, last = grants[e.port][0], grants[e.port][-1]
            if first < i < last:
                yield e


def in_doubt(openings: Sequence[Opening], port: int) -> bool:
    """Whether a refusal on *port* still waits for a grant after it."""
    init = [e for e in openings if e.mode is Mode.INIT and e.port == port]
    last = max((i for i, e in enumerate(init) if e.ending is Ending.GRANTED), default=-1)
    return last >= 0 and any(e.ending is Ending.REFUSED for e in init[last:])


def throttled(openings: Sequence[Opening]) -> bool:
    """Whether a port that had answered IKEv2 fell silent, or asks for cookies without end."""
    for port in {e.port for e in openings}:
        init = [e for e in openings if e.mode is Mode.INIT and e.port == port]
        if any(e.ending is Ending.COOKIE for e in init):
            return True
        answers = [i for i, e in enumerate(init) if e.ending.is_answer]
        if answers and any(not e.ending.is_answer for e in init[answers[-1] :]):
            return True
    return False


def _preferred(openings: Sequence[Opening]) -> str:
    whole = (
        e.granted.get(Dimension.GROUPS, "")
        for e in openings
        if e.ending is Ending.GRANTED and e.mode is Mode.INIT and not e.narrowed
    )
    return next(filter(None, whole), "")


# ---- both versions ---------------------------------------------------------------------------


def _version(openings: Sequence[Opening], version: IkeVersion) -> State:
    own = [e for e in openings if e.mode.version is version]
    if any(e.ending in (Ending.GRANTED, Ending.IDENTITY) for e in own):
        return State.ACCEPTED
    # "No proposal chosen" may come of what was offered; only "no such version" is a no.
    endings = {e.ending for e in own if e.mode is not Mode.AGGRESSIVE} - {Ending.CLOSED}
    return State.REFUSED if endings == {Ending.UNSUPPORTED} else State.UNKNOWN


def _aggressive(asked: Sequence[Opening]) -> State:
    endings = {e.ending for e in asked}
    if endings & {Ending.GRANTED, Ending.IDENTITY}:
        return State.ACCEPTED
    return State.REFUSED if endings == {Ending.UNSUPPORTED} else State.UNKNOWN


def _port(port: int, openings: Iterable[Opening]) -> PortSeen:
    own = [e for e in openings if e.port == port]
    endings: dict[Mode, tuple[Ending, ...]] = {}
    for mode in Mode:
        if found := tuple(dict.fromkeys(e.ending for e in own if e.mode is mode)):
            endings[mode] = found
    senders = tuple(dict.fromkeys(e.sender for e in own if e.sender))
    return PortSeen(port, endings, senders)


def _vendors(openings: Iterable[Opening]) -> Iterator[Vendor]:
    for id in dict.fromkeys(v for e in openings for v in e.vendor_ids):
        yield Vendor(id, vendor_name(id))


NAT_PORT = 4500
"""Where IKE goes on behind a NAT (RFC 3948)."""


def _nat_traversal(openings: Sequence[Opening]) -> State:
    """Whether NATs are reckoned with: by an answer on port 4500, or by what the answer says."""
    there = [e for e in openings if e.port == NAT_PORT]
    if any(e.ending.is_answer for e in there):
        return State.ACCEPTED
    told = {name for e in openings for name in e.notifies}
    names = {v.name for v in _vendors(openings)}
    if "NAT_DETECTION_SOURCE_IP" in told or any("nat-t" in name.lower() for name in names):
        return State.ACCEPTED
    answered = any(e.ending.is_answer for e in openings)
    closed = {e.ending for e in there} == {Ending.CLOSED}
    return State.REFUSED if answered and closed else State.UNKNOWN


def _fragmentation(openings: Iterable[Opening]) -> State:
    """Only an answer that makes an association says so of IKEv2, and we never ask for one."""
    for e in openings:
        if "IKEV2_FRAGMENTATION_SUPPORTED" in e.notifies:
            return State.ACCEPTED
    found = any(v.name == "IKE fragmentation" for v in _vendors(openings))
    return State.ACCEPTED if found else State.UNKNOWN
