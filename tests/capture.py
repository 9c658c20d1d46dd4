"""What leaves for a port of loopback, taken from the wire: packets, streams, and the TLS in them.

Only TLS 1.2 with AES-128-GCM (RFC 5288) is opened, with the secrets that the server logs.
"""

from __future__ import annotations

import contextlib
import select
import socket
import ssl
import threading
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from cryptography.hazmat.primitives import hashes, hmac
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

_EVERYTHING, _IPV4, _OUTGOING, _TCP = 3, 0x0800, 4, 6
CIPHER = "ECDHE-RSA-AES128-GCM-SHA256"
Flow = tuple[int, int]
"""The ports of sender and receiver."""


@dataclass
class Capture:
    """The TCP packets from and to one port."""

    port: int
    parts: dict[Flow, dict[int, bytes]] = field(default_factory=lambda: defaultdict(dict))
    """What each flow carried, by sequence number."""

    def take(self, packet: bytes) -> None:
        """Note one packet of IPv4."""
        if packet[9] != _TCP:
            return
        segment = packet[(packet[0] & 15) * 4 : int.from_bytes(packet[2:4])]
        flow = int.from_bytes(segment[:2]), int.from_bytes(segment[2:4])
        if self.port in flow:
            data = segment[(segment[12] >> 4) * 4 :]
            if data:
                self.parts[flow][int.from_bytes(segment[4:8])] = data

    def streams(self) -> Iterator[tuple[bytes, bytes]]:
        """Of each connection that carried something: what was said to the port, and by it."""
        for flow in [flow for flow in self.parts if flow[1] == self.port]:
            yield self._stream(flow), self._stream(flow[::-1])

    def _stream(self, flow: Flow) -> bytes:
        parts = self.parts.get(flow, {})
        return b"".join(parts[number] for number in sorted(parts))  # no look carries 4 GB


@contextlib.contextmanager
def capture(port: int) -> Iterator[Capture]:
    """Take the packets of *port* from the loopback device; root may. PermissionError."""
    found, end = Capture(port), threading.Event()
    with socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(_EVERYTHING)) as wire:
        wire.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 24)
        wire.bind(("lo", _EVERYTHING))

        def listen() -> None:
            # What is under way when the end is told is still taken.
            while select.select([wire], [], [], 0.3)[0] or not end.is_set():
                if select.select([wire], [], [], 0)[0]:
                    packet, (_, protocol, kind, *_) = wire.recvfrom(1 << 17)
                    if (protocol, kind) == (_IPV4, _OUTGOING):
                        found.take(packet)

        thread = threading.Thread(target=listen)
        thread.start()
        try:
            yield found
        finally:
            end.set()
            thread.join()


def configure(context: ssl.SSLContext, log: Path) -> None:
    """Have a server speak what can be opened, and *log* its secrets."""
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(CIPHER)
    context.keylog_filename = str(log)


def opened(to: bytes, by: bytes, log: Path) -> bytes:
    """What was said to a server within TLS; nothing where no handshake came to its end."""
    secrets = {
        bytes.fromhex(words[1]): bytes.fromhex(words[2])
        for words in map(str.split, log.read_text().splitlines())
        if words[:1] == ["CLIENT_RANDOM"]
    }
    ours, theirs = to[11:43], by[11:43]
    if ours not in secrets:
        return b""
    block = _expanded(secrets[ours], b"key expansion" + theirs + ours, 40)
    key, salt = AESGCM(block[:16]), block[32:36]
    said, number, sealed = b"", 0, False
    for kind, body in _records(to):
        if sealed:
            head = number.to_bytes(8) + bytes((kind, 3, 3)) + (len(body) - 24).to_bytes(2)
            plain = key.decrypt(salt + body[:8], body[8:], head)
            said += plain if kind == 23 else b""
            number += 1
        sealed = sealed or kind == 20
    return said


def _records(stream: bytes) -> Iterator[tuple[int, bytes]]:
    while len(stream) >= 5:
        size = int.from_bytes(stream[3:5])
        yield stream[0], stream[5 : 5 + size]
        stream = stream[5 + size :]


def _expanded(secret: bytes, seed: bytes, size: int) -> bytes:
    """The pseudorandom function of TLS 1.2 (RFC 5246, section 5)."""
    made, state = b"", seed
    while len(made) < size:
        state = _mac(secret, state)
        made += _mac(secret, state + seed)
    return made[:size]


def _mac(secret: bytes, data: bytes) -> bytes:
    it = hmac.HMAC(secret, hashes.SHA256())
    it.update(data)
    return it.finalize()
