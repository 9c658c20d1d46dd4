"""Small questions over UDP, each of its protocol, and whether an answer is one to them.

None is larger than its answer need be small, none guesses a password or community, none changes
anything.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass

from tlscheck.wire import quic

_NAME = b"\x08tlscheck\x07invalid\x00"
_STUN_COOKIE = bytes.fromhex("2112a442")


@dataclass(frozen=True, slots=True)
class Question:
    """One question over UDP."""

    service: str
    payload: bytes
    answers: Callable[[bytes], bool]
    """Whether a datagram is an answer to it, by what it repeats or must begin with."""


def question(port: int, token: bytes) -> Question | None:
    """What is asked at *port*, with 16 random octets to know the answer by; ``None`` where no
    question gets an answer from strangers.
    """
    make = _QUESTIONS.get(port)
    return make(token) if make else None


def _dns(token: bytes) -> Question:
    """A question for a name that exists nowhere (RFC 6761, section 6.4)."""
    wire = token[:2] + bytes.fromhex("01000001000000000000") + _NAME + b"\x00\x01\x00\x01"
    return Question(
        "domain", wire, lambda d: d[:2] == token[:2] and len(d) > 11 and d[2] & 0x80 > 0
    )


def _mdns(token: bytes) -> Question:
    service = b"\x09_services\x07_dns-sd\x04_udp\x05local\x00"
    wire = token[:2] + bytes.fromhex("00000001000000000000") + service + b"\x00\x0c\x80\x01"
    return Question("mdns", wire, lambda d: len(d) > 11 and d[2] & 0x80 > 0)


def _ntp(token: bytes) -> Question:
    """A client's packet (RFC 5905, mode 3); the answer repeats our transmit time."""
    wire = b"\x23" + bytes(39) + token[:8]
    return Question("ntp", wire, lambda d: len(d) >= 48 and d[0] & 7 == 4 and d[24:32] == token[:8])


def _snmp(token: bytes) -> Question:
    """SNMPv3 engine discovery (RFC 3414, section 4): no community, no user."""
    number = (int.from_bytes(token[:4]) & 0x7FFFFFFF | 0x40000000).to_bytes(4)
    scope = bytes.fromhex("30140400040 0".replace(" ", "")) + (
        b"\xa0\x0e\x02\x04" + number + b"\x02\x01\x00\x02\x01\x00\x30\x00"
    )
    parameters = bytes.fromhex("0410300e0400020100020100040004000400")
    head = b"\x30\x11\x02\x04" + number + bytes.fromhex("020300ffe3040104020103")
    body = b"\x02\x01\x03" + head + parameters + scope
    wire = b"\x30" + bytes([len(body)]) + body
    return Question("snmp", wire, lambda d: d[:1] == b"\x30" and number in d)


def _stun(token: bytes) -> Question:
    """A Binding request (RFC 8489, section 5)."""
    wire = b"\x00\x01\x00\x00" + _STUN_COOKIE + token[:12]
    return Question("stun", wire, lambda d: len(d) >= 20 and d[8:20] == token[:12])


def _sip(token: bytes) -> Question:
    """OPTIONS (RFC 3261, section 11)."""
    branch = token.hex()
    wire = (
        "OPTIONS sip:tlscheck.invalid SIP/2.0\r\nVia: SIP/2.0/UDP tlscheck.invalid;"
        f"branch=z9hG4bK{branch};rport\r\nMax-Forwards: 0\r\nFrom: <sip:tlscheck@tlscheck.invalid>"
        f";tag={branch[:8]}\r\nTo: <sip:tlscheck@tlscheck.invalid>\r\nCall-ID: {branch}\r\n"
        "CSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n"
    ).encode()
    return Question("sip", wire, lambda d: d.startswith(b"SIP/2.0 ") and branch.encode() in d)


def _rpc(token: bytes) -> Question:
    """The null procedure of the port mapper (RFC 5531; RFC 1833)."""
    call = struct.pack(">6I", 0, 2, 100000, 2, 0, 0) + bytes(12)
    wire = token[:4] + call
    return Question("sunrpc", wire, lambda d: d[:8] == token[:4] + b"\x00\x00\x00\x01")


def _cldap(token: bytes) -> Question:
    """A search of the root entry for nothing but its class (RFC 4511, section 4.5.1)."""
    number = token[0] & 0x7F
    search = bytes.fromhex("0400 0a0100 0a0100 020100 020101 0101ff".replace(" ", ""))
    search += b"\x87\x0bobjectclass" + b"\x30\x00"
    body = b"\x02\x01" + bytes([number]) + b"\x63" + bytes([len(search)]) + search
    wire = b"\x30" + bytes([len(body)]) + body
    return Question("cldap", wire, lambda d: d[:1] == b"\x30" and bytes([2, 1, number]) in d[:12])


def _netbios(token: bytes) -> Question:
    """A node status request (RFC 1002, section 4.2.17)."""
    name = b"\x20CK" + b"A" * 30 + b"\x00"
    wire = token[:2] + bytes.fromhex("00000001000000000000") + name + b"\x00\x21\x00\x01"
    return Question("netbios-ns", wire, lambda d: d[:2] == token[:2] and len(d) > 11)


def _ssdp(token: bytes) -> Question:
    del token
    wire = (
        b'M-SEARCH * HTTP/1.1\r\nHost: 239.255.255.250:1900\r\nMan: "ssdp:discover"\r\nMX: 1\r\n'
        b"ST: ssdp:all\r\n\r\n"
    )
    return Question("ssdp", wire, lambda d: d.startswith((b"HTTP/1.", b"NOTIFY")))


def _memcache(token: bytes) -> Question:
    wire = token[:2] + b"\x00\x00\x00\x01\x00\x00version\r\n"
    return Question("memcache", wire, lambda d: d[:2] == token[:2] and len(d) > 8)


def _mssql(token: bytes) -> Question:
    """A question for the list of instances (MS-SQLR, section 2.2.2)."""
    del token
    return Question("ms-sql-m", b"\x03", lambda d: d[:1] == b"\x05")


def _ipmi(token: bytes) -> Question:
    """An ASF presence ping (DSP0136, section 3.2.4)."""
    wire = bytes.fromhex("0600ff06000011be80") + token[:1] + b"\x00\x00"
    return Question("asf-rmcp", wire, lambda d: d[:1] == b"\x06" and len(d) >= 12)


def _tftp(token: bytes) -> Question:
    """A read of a file that nobody has (RFC 1350): any answer is a server."""
    wire = b"\x00\x01tlscheck-" + token.hex().encode() + b"\x00octet\x00"
    return Question("tftp", wire, lambda d: d[:2] in (b"\x00\x05", b"\x00\x03"))


def _l2tp(token: bytes) -> Question:
    """A Start-Control-Connection-Request (RFC 2661, section 6.1), the host name ours."""
    pairs = b"".join(
        struct.pack(">HHH", 0x8000 | 6 + len(value), 0, kind) + value
        for kind, value in (
            (0, b"\x00\x01"),
            (2, b"\x01\x00"),
            (3, bytes(4)),
            (7, b"tlscheck"),
            (9, token[:2]),
        )
    )
    wire = struct.pack(">HHHHHH", 0xC802, 12 + len(pairs), 0, 0, 0, 0) + pairs
    return Question("l2tp", wire, lambda d: len(d) >= 12 and d[0] & 0xC0 == 0xC0 and d[1] & 15 == 2)


def _quic(token: bytes) -> Question:
    """A version that nobody has (RFC 9000, section 6)."""
    asked = quic.Probe(quic.reserved(token[12:]), token[:8], token[8:16])
    return Question("quic", asked.encode(), lambda d: asked.heard(d) is not None)


def _plain(service: str) -> Callable[[bytes], Question]:
    return lambda token: Question(service, b"\r\n", lambda d: len(d) > 0)


_QUESTIONS: dict[int, Callable[[bytes], Question]] = {
    17: _plain("qotd"),
    19: _plain("chargen"),
    53: _dns,
    69: _tftp,
    111: _rpc,
    123: _ntp,
    137: _netbios,
    161: _snmp,
    389: _cldap,
    443: _quic,
    623: _ipmi,
    1434: _mssql,
    1701: _l2tp,
    1900: _ssdp,
    3478: _stun,
    3479: _stun,
    5060: _sip,
    5349: _stun,
    5353: _mdns,
    11211: _memcache,
}
"""IKE and OpenVPN have probes of their own; WireGuard answers no stranger."""
