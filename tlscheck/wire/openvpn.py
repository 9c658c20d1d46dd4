"""OpenVPN's first words: the hard reset that a client sends and the one that a server answers.

A packet begins with its opcode in five bits and a key number in three; over TCP its length stands
before it in two octets (OpenVPN's ssl_pkt.h and doc_protocol_overview.h). A server with tls-auth or
tls-crypt keeps silent unless the reset is signed with its key.
"""

from __future__ import annotations

from tlscheck.wire.codec import DecodeError, Reader, uint, vector

SESSION = 8
"""Octets of a session id, which are random."""
LONGEST = 2048
"""Octets that a packet over TCP may have; servers themselves take fewer."""
_CLIENT_RESET, _SERVER_RESET = 7, 8
_MOST_ACKNOWLEDGED = 8


def reset(session: bytes) -> bytes:
    """The datagram of 14 octets that opens a session (P_CONTROL_HARD_RESET_CLIENT_V2)."""
    return uint(_CLIENT_RESET << 3, 1) + session + uint(0, 1) + uint(0, 4)


def framed(packet: bytes) -> bytes:
    """*packet* as it goes over TCP."""
    return vector(packet, 2)


def unframed(data: bytes) -> bytes | None:
    """The first packet in what came over TCP; ``None``: it is not all there.

    DecodeError where the length is none that OpenVPN would send.
    """
    if len(data) < 2:
        return None
    size = int.from_bytes(data[:2])
    if not 0 < size <= LONGEST:
        raise DecodeError("no length of a packet")
    return data[2 : 2 + size] if len(data) >= 2 + size else None


def answers(packet: bytes, session: bytes) -> bool:
    """Whether *packet* is a server's answer to our reset: it acknowledges our very session."""
    reader = Reader(packet)
    try:
        first = reader.uint(1)
        reader.take(SESSION)  # the server's own
        acknowledged = reader.uint(1)
        reader.take(4 * acknowledged)
        echoed = reader.take(SESSION)
        reader.take(4)
    except DecodeError:
        return False
    return (
        first == _SERVER_RESET << 3 and 0 < acknowledged <= _MOST_ACKNOWLEDGED and echoed == session
    )
