"""From openings to the observation, whatever asked them.

A refusal counts only when a question that is known to be granted was granted after it: a gateway
that throttles says no too.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime

from tlscheck.model import State
from tlscheck.observations.ike.asked import ASKED, Dimension
from tlscheck.observations.ike.seen import (
    Ending,
    IkeObservation,
    IkeVersion,
    Mode,
    Opening,
    PortSeen,
    Vendor,
)
from tlscheck.wire.ike import vendor_name


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
