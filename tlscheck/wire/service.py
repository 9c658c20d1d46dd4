"""What a server says first, or to a plain request, and what it is by that."""

from __future__ import annotations

import re

REQUEST = b"GET / HTTP/1.0\r\n\r\n"
"""What is asked of a server that does not speak first and knows no TLS."""
POSTGRES = bytes.fromhex("0000000804d2162f")
"""PostgreSQL's SSLRequest (its protocol, section 55.2.10), which knows no other question first."""
MOST_BYTES = 256
"""How much of what a server says first is kept."""

_FIRST: tuple[tuple[str, re.Pattern[bytes]], ...] = tuple(
    (name, re.compile(pattern, re.IGNORECASE | re.DOTALL))
    for name, pattern in (
        ("ssh", rb"SSH-\d"),
        ("http", rb"HTTP/\d"),
        ("rfb", rb"RFB \d{3}\."),
        ("pop3", rb"\+OK"),
        ("imap", rb"\* (?:OK|PREAUTH|BYE)"),
        ("smtp", rb"220[ -][^\r\n]*(?:smtp|mail|postfix|exim)"),
        ("ftp", rb"220[ -][^\r\n]*ftp"),
        ("redis", rb"-(?:ERR|DENIED|NOAUTH)"),
        ("mysql", rb".\0\0\0(?:\x0a[\x20-\x7e]+\0|\xff)"),
        ("telnet", rb"\xff[\xfb-\xfe]"),
        ("rsync", rb"@RSYNCD:"),
        ("memcache", rb"ERROR\r\n"),
        ("sip", rb"SIP/\d"),
        ("rtsp", rb"RTSP/\d"),
        ("ajp", rb"AB"),
        ("postgresql", rb"E\0\0\0"),
        ("ms-sql-s", rb"\x04\x01\0"),
        ("ms-wbt-server", rb"\x03\0\0\x13\x0e\xd0"),
    )
)
"""Names, IANA's where it has one, with what such a server begins with."""
_TLS_HANDSHAKE, _TLS_ALERT = 0x16, 0x15


def speaks_tls(answer: bytes) -> bool:
    """Whether *answer* to a ClientHello begins with a record of TLS (RFC 8446, section 5.1)."""
    return len(answer) > 2 and answer[0] in (_TLS_HANDSHAKE, _TLS_ALERT) and answer[1] == 3


def recognised(answer: bytes) -> str:
    """The service that begins like that; empty where it is not known."""
    return next((name for name, pattern in _FIRST if pattern.match(answer)), "")


def is_postgres(answer: bytes) -> bool:
    """Whether *answer* to `POSTGRES` is PostgreSQL's: one letter, or an error message."""
    return answer in (b"S", b"N") or answer.startswith(b"E\0\0\0")


def printable(answer: bytes) -> str:
    """The printable part of what a server said, one line, for people to read."""
    text = answer[:MOST_BYTES].decode("ascii", "replace")
    return " ".join("".join(c if c.isprintable() and c.isascii() else " " for c in text).split())
