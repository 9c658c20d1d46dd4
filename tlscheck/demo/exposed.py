"""What the clinic exposes besides its websites: a store that nobody declared, what looks like an
SSL-VPN, a relay for anybody and a weak IPsec gateway. None of them does more than answer.
"""

from __future__ import annotations

import contextlib
import ipaddress
import socket

from tlscheck.demo.sites import Site
from tlscheck.wire import ike, stun
from tlscheck.wire.codec import DecodeError, uint, vector
from tlscheck.wire.ike import Kind, Message

ENTRANCE = Site(
    "remote",
    "",
    page='<!doctype html><html lang="en"><title>Login</title>'
    '<script>top.location="/remote/login?lang=en"</script>',
    first_page_alone=True,
)
"""Bears a mark of an SSL-VPN, and is none."""


def store(peer: socket.socket) -> None:
    """A key-value store that wants a password, in Redis's words."""
    while peer.recv(4096):
        peer.sendall(b"-NOAUTH Authentication required.\r\n")


# ---- the relay -------------------------------------------------------------------------------

_RELAY = ipaddress.IPv4Address("192.175.48.90")
"""Nobody's: of a network that is set aside (AS112)."""
_LIFETIME = 600


def relay(request: bytes) -> bytes:
    """What a relay without passwords says (RFC 8656); nothing is ever relayed."""
    try:
        if stun.size_of(request) != len(request):
            return b""
    except DecodeError:
        return b""
    method, transaction = int.from_bytes(request[:2]), request[8:20]
    address = b"\0\x01" + uint(49152 ^ stun.COOKIE >> 16, 2) + _masked(_RELAY)
    lifetime = _attribute(stun.Attribute.LIFETIME, uint(_LIFETIME, 4))
    bodies = {
        stun.Method.BINDING: _attribute(stun.Attribute.XOR_MAPPED_ADDRESS, address),
        stun.Method.ALLOCATE: _attribute(stun.Attribute.XOR_RELAYED_ADDRESS, address) + lifetime,
        stun.Method.REFRESH: _attribute(stun.Attribute.LIFETIME, bytes(4)),
    }
    if method not in bodies:
        return b""
    head = uint(stun.Kind.SUCCESS | method, 2) + uint(len(bodies[stun.Method(method)]), 2)
    return head + uint(stun.COOKIE, 4) + transaction + bodies[stun.Method(method)]


def relay_over_tcp(peer: socket.socket) -> None:
    """The same over TCP; whatever is no STUN ends it."""
    heard = b""
    with contextlib.suppress(DecodeError):
        while data := peer.recv(4096):
            heard += data
            while (size := stun.size_of(heard)) and len(heard) >= size:
                peer.sendall(relay(heard[:size]))
                heard = heard[size:]


def _masked(address: ipaddress.IPv4Address) -> bytes:
    return uint(int(address) ^ stun.COOKIE, 4)


def _attribute(number: int, body: bytes) -> bytes:
    return uint(number, 2) + vector(body, 2)


# ---- the gateway -----------------------------------------------------------------------------

_ACCEPTED = {
    Kind.ENCRYPTION: ("ENCR_3DES", "ENCR_AES_CBC-128"),
    Kind.PRF: ("PRF_HMAC_SHA1",),
    Kind.INTEGRITY: ("AUTH_HMAC_SHA1_96",),
    Kind.GROUP: ("1024-bit MODP Group", "2048-bit MODP Group"),
}
_SA_INIT, _RESPONSE, _NOTIFY = 34, 0x20, 41
_NO_PROPOSAL, _INVALID_KEY = 14, 17


def gateway(datagram: bytes) -> bytes:
    """What a weak gateway says to a first question of IKEv2 whose key is of another group: which
    group it wants, or that nothing of what is offered will do (RFC 7296, section 1.2).
    """
    try:
        asked = ike.parse(ike.unmarked(datagram))
    except DecodeError:
        return b""
    if asked.exchange != _SA_INIT:
        return b""
    groups = [t.id for t in _common(asked, Kind.GROUP)]
    if all(_common(asked, kind) for kind in _ACCEPTED):
        return ike.marked(_notification(asked, _INVALID_KEY, uint(groups[0], 2)))
    return ike.marked(_notification(asked, _NO_PROPOSAL))


def _common(asked: Message, kind: Kind) -> list[ike.Transform]:
    return [t for t in asked.chosen if t.kind is kind and t.name in _ACCEPTED[kind]]


def _notification(asked: Message, number: int, data: bytes = b"") -> bytes:
    body = bytes(2) + uint(8 + len(data), 2) + bytes(2) + uint(number, 2) + data
    head = asked.initiator + bytes(8) + bytes((_NOTIFY, 0x20, _SA_INIT, _RESPONSE))
    return head + uint(0, 4) + uint(28 + len(body), 4) + body
