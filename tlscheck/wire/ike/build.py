"""First packets of IKE: nothing here can finish an exchange."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from tlscheck.wire.codec import uint
from tlscheck.wire.ike.names import KEY_OCTETS, Kind, Transform, is_aead, transform

MARKER = bytes(4)
"""What stands before IKE on port 4500, where ESP has an SPI (RFC 3948, section 2.2)."""
NAT_TRAVERSAL = bytes.fromhex("4a131c81070358455c5728f20e95452f")
FRAGMENTATION = bytes.fromhex("4048b7d56ebce88525e7de7f00d6c2d3")
DEAD_PEER_DETECTION = bytes.fromhex("afcad71368a1f1c96b8696fc77570100")

_IKE = 1
_SA_INIT = 34
_MAIN, _AGGRESSIVE, _INFORMATIONAL = 2, 4, 5
_INITIATOR = 0x08
_KEY_LENGTH = 14
_COOKIE = 16390


def marked(message: bytes) -> bytes:
    """*message* as port 4500 takes it."""
    return MARKER + message


# ---- IKEv2 -----------------------------------------------------------------------------------

Proposal = Sequence[Transform]


def proposals(offer: Mapping[Kind, Sequence[str]]) -> list[Proposal]:
    """The proposals for names by kind: AEAD ciphers stand apart (RFC 7296, section 3.3).

    Without any integrity only the AEAD ciphers remain.
    """
    ciphers = offer[Kind.ENCRYPTION]
    made: list[Proposal] = []
    for aead in (True, False):
        own = [name for name in ciphers if is_aead(name) is aead]
        kinds: dict[Kind, Sequence[str]] = {Kind.ENCRYPTION: own, Kind.PRF: offer[Kind.PRF]}
        if not aead:
            kinds[Kind.INTEGRITY] = offer[Kind.INTEGRITY]
        kinds[Kind.GROUP] = offer[Kind.GROUP]
        if all(kinds.values()):
            made.append([transform(k, name) for k, names in kinds.items() for name in names])
    return made


def sa_init(
    spi: bytes,
    nonce: bytes,
    offered: Sequence[Proposal],
    group: int,
    key: bytes,
    cookie: bytes = b"",
) -> bytes:
    """An IKE_SA_INIT request (RFC 7296, section 1.2), with the *cookie* first where there is one.

    *group* and *key* are those of the key exchange payload, be they among the *offered* or not.
    """
    if len(key) != KEY_OCTETS[group]:
        raise ValueError(f"a key of group {group} has {KEY_OCTETS[group]} octets")
    payloads = [
        (33, _security_association(offered)),
        (34, uint(group, 2) + bytes(2) + key),
        (40, nonce),
    ]
    if cookie:
        payloads.insert(0, (41, bytes(2) + uint(_COOKIE, 2) + cookie))
    return _message(spi, bytes(8), 0x20, _SA_INIT, _INITIATOR, payloads)


def _security_association(offered: Sequence[Proposal]) -> bytes:
    body = b""
    for number, proposal in enumerate(offered, 1):
        inner = b"".join(
            _substructure(_transform(each), 3, last=i == len(proposal))
            for i, each in enumerate(proposal, 1)
        )
        head = bytes((number, _IKE, 0, len(proposal)))
        body += _substructure(head + inner, 2, last=number == len(offered))
    return body


def _transform(each: Transform) -> bytes:
    head = bytes((each.kind, 0)) + uint(each.id, 2)
    return head + (_attribute(_KEY_LENGTH, each.key_bits) if each.key_bits else b"")


def _substructure(body: bytes, more: int, *, last: bool) -> bytes:
    return bytes((0 if last else more, 0)) + uint(len(body) + 4, 2) + body


def _attribute(kind: int, value: int) -> bytes:
    return uint(0x8000 | kind, 2) + uint(value, 2)


def _message(
    initiator: bytes,
    responder: bytes,
    version: int,
    exchange: int,
    flags: int,
    payloads: Sequence[tuple[int, bytes]],
    message_id: int = 0,
) -> bytes:
    kinds = [kind for kind, _ in payloads]
    body = b"".join(
        bytes((following, 0)) + uint(len(content) + 4, 2) + content
        for following, (_, content) in zip([*kinds[1:], 0], payloads, strict=True)
    )
    head = initiator + responder + bytes((kinds[0], version, exchange, flags))
    return head + uint(message_id, 4) + uint(28 + len(body), 4) + body


# ---- IKEv1 -----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Phase1Offer:
    """One transform of phase 1, as IANA's numbers."""

    encryption: int
    hash: int
    authentication: int
    group: int
    key_bits: int = 0


def main_mode(spi: bytes, offered: Iterable[Phase1Offer]) -> bytes:
    """The first packet of main mode (RFC 2409, section 5.4): no key, no identity."""
    vendors = [(13, v) for v in (NAT_TRAVERSAL, DEAD_PEER_DETECTION, FRAGMENTATION)]
    return _message(spi, bytes(8), 0x10, _MAIN, 0, [(1, _phase1(offered)), *vendors])


def aggressive_mode(
    spi: bytes, offered: Sequence[Phase1Offer], key: bytes, nonce: bytes, identity: str
) -> bytes:
    """The first packet of aggressive mode (RFC 2409, section 5.4) for one group.

    *identity* goes as a name (ID_FQDN); *key* is of the group of the offers.
    """
    if {KEY_OCTETS[offer.group] for offer in offered} != {len(key)}:
        raise ValueError("a key of another group than the one offered")
    named = bytes((2, 17)) + uint(500, 2) + identity.encode("ascii")
    payloads = [(1, _phase1(offered)), (4, key), (10, nonce), (5, named)]
    payloads += [(13, NAT_TRAVERSAL), (13, DEAD_PEER_DETECTION)]
    return _message(spi, bytes(8), 0x10, _AGGRESSIVE, 0, payloads)


def farewell(initiator: bytes, responder: bytes, message_id: int) -> bytes:
    """A notification that ends an exchange of phase 1 (RFC 2408, section 5.15): NO-PROPOSAL-CHOSEN.

    Whoever chose one of our transforms need not wait for a second packet that never comes.
    """
    spi = initiator + responder
    notify = uint(1, 4) + bytes((_IKE, len(spi))) + uint(14, 2) + spi
    return _message(initiator, responder, 0x10, _INFORMATIONAL, 0, [(11, notify)], message_id)


def _phase1(offered: Iterable[Phase1Offer]) -> bytes:
    listed = list(offered)
    inner = b"".join(
        _substructure(bytes((i, 1, 0, 0)) + _attributes(offer), 3, last=i == len(listed))
        for i, offer in enumerate(listed, 1)
    )
    proposal = _substructure(bytes((1, _IKE, 0, len(listed))) + inner, 2, last=True)
    return uint(1, 4) + uint(1, 4) + proposal


def _attributes(offer: Phase1Offer) -> bytes:
    pairs = [(1, offer.encryption), (2, offer.hash), (3, offer.authentication), (4, offer.group)]
    if offer.key_bits:
        pairs.append((_KEY_LENGTH, offer.key_bits))
    pairs += [(11, 1), (12, 28800)]  # seconds; a day's third, as most have it
    return b"".join(_attribute(kind, value) for kind, value in pairs)
