"""SSTP's first words: an HTTP request without an end, which an SSTP server answers in kind.

[MS-SSTP] 3.2.4.1: client and server both announce a body of 2^64 - 1 octets.
"""

from __future__ import annotations

from tlscheck.wire.head import Head, request

PATH = "/sra_{BA195980-CD49-458b-9E23-C84EE0ADCD75}/"
LENGTH = str(2**64 - 1)
_OURS = frozenset({"host", "user-agent"})
"""Fields of requests: an answer with them is our own question sent back."""


def question(host: str, agent: str) -> bytes:
    """The request to *host*; no octet of the body that it announces is ever sent."""
    fields = (("Host", host), ("User-Agent", agent), ("Content-Length", LENGTH))
    return request("SSTP_DUPLEX_POST", PATH, fields)


def answered(head: Head) -> bool | None:
    """Whether *head* is an SSTP server's; ``None`` where it only sends our words back."""
    if _OURS & {name for name, _ in head.fields}:
        return None
    return head.status == 200 and LENGTH in head.all("content-length")
