"""What is said in clear until TLS begins (STARTTLS), for each service that has such a preamble.

Sans I/O: `Conversation` is given bytes as they come and gives the bytes to send. However the bytes
are cut, the result is the same. Nobody logs in here, and nothing is asked but for TLS.
"""

from __future__ import annotations

import html
from collections.abc import Callable, Generator, Mapping
from functools import partial
from types import MappingProxyType
from typing import NoReturn, TypeVar

from tlscheck.text import _N
from tlscheck.wire.codec import DecodeError, Reader

LIMIT = 65536
"""Bytes that a server may say before it agrees to TLS; the longest greetings seen have 4 kB."""
NAME = "tlscheck.invalid"
"""Our name in EHLO and LHLO: fully qualified, as servers want it, and nobody's (RFC 2606)."""
_SAID = 400
"""Bytes of the server's words that an error keeps."""

_T = TypeVar("_T")
Wait = Generator[None, None, _T]
"""A step of a script: yields where it needs more bytes, and returns what it read."""


class PreambleError(ValueError):
    """The server did not get as far as TLS: what became of it, and its words as they came."""

    def __init__(self, what: str, said: bytes = b"") -> None:
        super().__init__(what)
        self.what = what
        self.said = bytes(said[:_SAID])
        """Raw and unchecked: make it safe before anybody reads it."""


class Conversation:
    """One preamble; after `start`, `receive` takes what comes until it is `done`."""

    def __init__(self, service: str, host: str, name: str = NAME) -> None:
        self.service = service
        self.host = host
        """The name asked for (XMPP tells it to the server)."""
        self.name = name
        self.awaited = "the greeting"
        """What the server is to say next."""
        self.done = False
        """Whether TLS may begin, once all is sent."""
        self._inbox = bytearray()
        self._outbox = bytearray()
        self._room = LIMIT
        self._failure: PreambleError | None = None
        self._script = _SCRIPTS[service](self)

    def start(self) -> bytes:
        """What we say first; empty where the server begins."""
        return self._go_on()

    def receive(self, data: bytes) -> bytes:
        """Take what came, ``b""`` for the end of the stream; give what to send. PreambleError."""
        if self._failure:
            raise self._failure
        try:
            return self._receive(data)
        except PreambleError as error:
            self.done = False
            self._failure = error
            raise

    def _receive(self, data: bytes) -> bytes:
        if not data:
            raise PreambleError(f"closed before {self.awaited}", bytes(self._inbox))
        taken = data[: self._room]
        self._room -= len(taken)
        self._inbox += taken
        answer = b"" if self.done else self._go_on()
        if self.done and (self._inbox or len(taken) < len(data)):
            # What a man in the middle slips in here, some clients take for encrypted
            # (CVE-2011-0411, CVE-2021-23222).
            raise PreambleError("it goes on in clear after it agreed to TLS")
        if len(taken) < len(data):
            raise PreambleError(f"{self.awaited} does not end", bytes(self._inbox))
        return answer

    def _go_on(self) -> bytes:
        try:
            next(self._script)
        except StopIteration:
            self.done = True
        answer = bytes(self._outbox)
        self._outbox.clear()
        return answer

    # -- for the scripts ------------------------------------------------------------------------

    def say(self, text: str | bytes, awaited: str) -> None:
        """Send *text*; what is *awaited* is the answer to it."""
        self._outbox += text.encode() if isinstance(text, str) else text
        self.awaited = awaited

    def command(self, line: str, shown: str = "") -> None:
        """Send one *line*."""
        if not line.isprintable():
            raise ValueError(f"not one line: {line!r}")
        self.say(f"{line}\r\n", f"the answer to {shown or line}")

    def take(self, size: int) -> Wait[bytes]:
        """The next *size* bytes."""
        while len(self._inbox) < size:
            yield
        taken = bytes(self._inbox[:size])
        del self._inbox[:size]
        return taken

    def line(self) -> Wait[bytes]:
        """The next line, without its end."""
        seen = 0
        while (end := self._inbox.find(b"\n", seen)) < 0:
            seen = len(self._inbox)
            yield
        return (yield from self.take(end + 1)).rstrip(b"\r\n")

    def refuse(self, said: bytes) -> NoReturn:
        """The server says no. PreambleError."""
        raise PreambleError(f"{self.awaited} is a refusal", said)

    def puzzle(self, said: bytes) -> NoReturn:
        """What the server says does not belong to the service. PreambleError."""
        raise PreambleError(f"{self.awaited} is not {self.service}", said)


# -- Lines that begin with a number (SMTP, LMTP, NNTP, FTP) --------------------------------------


def _reply(talk: Conversation, *good: bytes) -> Wait[list[bytes]]:
    """The lines of a reply, whose code is one of the *good* ones.

    The lines in the middle may be anything (FTP, RFC 959, section 4.2).
    """
    lines = [(yield from talk.line())]
    code, mark = lines[0][:3], lines[0][3:4]
    if len(code) < 3 or not code.isdigit() or mark not in (b"", b" ", b"-"):
        talk.puzzle(lines[0])
    while mark == b"-":
        lines.append((yield from talk.line()))
        if lines[-1][:4].rstrip() == code:
            break
    if code not in good:
        talk.refuse(b" / ".join(lines))
    return lines


def _smtp(talk: Conversation, verb: str = "EHLO") -> Wait[None]:
    """RFC 3207; with LHLO, RFC 2033."""
    yield from _reply(talk, b"220")
    talk.command(f"{verb} {talk.name}", verb)
    offers = yield from _reply(talk, b"250")
    if not any(line[4:].strip().upper() == b"STARTTLS" for line in offers[1:]):
        raise PreambleError("STARTTLS is not offered")
    talk.command("STARTTLS")
    yield from _reply(talk, b"220")


def _nntp(talk: Conversation) -> Wait[None]:
    """RFC 4642."""
    yield from _reply(talk, b"200", b"201")
    talk.command("STARTTLS")
    yield from _reply(talk, b"382")


def _ftp(talk: Conversation) -> Wait[None]:
    """RFC 4217. 120 says that the service is ready in a moment."""
    while (yield from _reply(talk, b"220", b"120"))[0].startswith(b"120"):
        pass
    talk.command("AUTH TLS")
    yield from _reply(talk, b"234")


# -- Lines that begin with a word (IMAP, POP3, ManageSieve) --------------------------------------


def _imap(talk: Conversation) -> Wait[None]:
    """RFC 9051, section 6.2.1. Asked straight away: the capabilities cost one more round trip."""
    greeting = yield from talk.line()
    if _begins(greeting, b"* PREAUTH"):
        raise PreambleError("it takes us for logged in, which rules STARTTLS out", greeting)
    if _begins(greeting, b"* BYE"):
        talk.refuse(greeting)
    if not _begins(greeting, b"* OK"):
        talk.puzzle(greeting)
    talk.command("a1 STARTTLS", "STARTTLS")
    while (line := (yield from talk.line())).startswith(b"* "):
        if _begins(line, b"* BYE"):
            talk.refuse(line)
    if not _begins(line, b"a1"):
        talk.puzzle(line)
    if not _begins(line, b"a1 OK"):
        talk.refuse(line)


def _pop3(talk: Conversation) -> Wait[None]:
    """RFC 2595, section 4."""
    for command in ("STLS", ""):
        line = yield from talk.line()
        if _begins(line, b"-ERR"):
            talk.refuse(line)
        if not _begins(line, b"+OK"):
            talk.puzzle(line)
        if command:
            talk.command(command)


def _sieve(talk: Conversation) -> Wait[None]:
    """RFC 5804, section 2.2: capabilities, one a line, and OK; then STARTTLS, and OK."""
    offers = yield from _sieve_reply(talk)
    if not any(_begins(line, b'"STARTTLS"') for line in offers):
        raise PreambleError("STARTTLS is not offered")
    talk.command("STARTTLS")
    yield from _sieve_reply(talk)


def _sieve_reply(talk: Conversation) -> Wait[list[bytes]]:
    lines: list[bytes] = []
    while True:
        line = yield from talk.line()
        if line.endswith(b"}"):
            # A literal: its length stands here, its bytes follow, and the line goes on.
            size = line.rpartition(b"{")[2].rstrip(b"+}")
            if not size.isdigit() or len(size) > 5:
                talk.puzzle(line)
            line += b" " + (yield from talk.take(int(size))) + (yield from talk.line())
        if _begins(line, b"OK"):
            return lines
        if _begins(line, b"NO") or _begins(line, b"BYE"):
            talk.refuse(line)
        if not line.startswith(b'"'):
            talk.puzzle(line)
        lines.append(line)


def _begins(line: bytes, words: bytes) -> bool:
    """Whether *line* begins with *words*, whole and in any case."""
    return line[: len(words)].upper() == words.upper() and line[len(words) :][:1] in (b"", b" ")


# -- Packets (LDAP, PostgreSQL, MySQL) -----------------------------------------------------------

_START_TLS = b"1.3.6.1.4.1.1466.20037"
_SEQUENCE, _INTEGER, _STRING, _ENUMERATED, _EXTENDED_RESPONSE = 0x30, 0x02, 0x04, 0x0A, 0x78


def _ldap(talk: Conversation) -> Wait[None]:
    """RFC 4511, sections 4.12 and 4.14: the extended operation StartTLS."""
    name = bytes((0x80, len(_START_TLS))) + _START_TLS
    operation = bytes((0x77, len(name))) + name
    message = b"\x02\x01\x01" + operation
    talk.say(bytes((_SEQUENCE, len(message))) + message, "the answer to StartTLS")
    head = yield from talk.take(2)
    if head[0] != _SEQUENCE:
        talk.puzzle(head)
    size = head[1]
    if size >= 0x80:
        if size not in (0x81, 0x82, 0x83, 0x84):
            talk.puzzle(head)
        size = int.from_bytes((yield from talk.take(size - 0x80)))
    if size > LIMIT:
        talk.puzzle(head)
    body = yield from talk.take(size)
    try:
        number, code, words = _extended_response(Reader(body))
    except DecodeError:
        talk.puzzle(body)
    if code or number != 1:  # 0 is a notice of disconnection
        talk.refuse(f"result {code} ".encode() + words)


def _extended_response(message: Reader) -> tuple[int, int, bytes]:
    """Message id, result code and diagnostic message."""
    number = int.from_bytes(_element(message, _INTEGER))
    response = Reader(_element(message, _EXTENDED_RESPONSE))
    code = int.from_bytes(_element(response, _ENUMERATED))
    _element(response, _STRING)
    return number, code, _element(response, _STRING)


def _element(reader: Reader, tag: int) -> bytes:
    """The value of the next BER element, which has to be a *tag*."""
    if reader.uint(1) != tag:
        raise DecodeError(f"no element {tag:#x}")
    size = reader.uint(1)
    return reader.take(reader.uint(size & 0x7F) if size & 0x80 else size)


def _postgres(talk: Conversation) -> Wait[None]:
    """SSLRequest, answered by one letter (PostgreSQL manual, Message Flow)."""
    talk.say(b"\x00\x00\x00\x08\x04\xd2\x16\x2f", "the answer to SSLRequest")
    letter = yield from talk.take(1)
    if letter == b"N":
        raise PreambleError("TLS is not offered")
    if letter == b"E":
        size = int.from_bytes((yield from talk.take(4)))
        if not 4 <= size <= LIMIT:
            talk.puzzle(letter)
        fields = (yield from talk.take(size - 4)).split(b"\x00")
        talk.refuse(next((field[1:] for field in fields if field.startswith(b"M")), b""))
    if letter != b"S":
        talk.puzzle(letter)


_CLIENT_SSL = 0x0800
_CLIENT = 0x0000_0200 | _CLIENT_SSL | 0x0000_8000 | 0x0008_0000
"""CLIENT_PROTOCOL_41, CLIENT_SSL, CLIENT_SECURE_CONNECTION, CLIENT_PLUGIN_AUTH."""


def _mysql(talk: Conversation) -> Wait[None]:
    """The server's handshake packet, and half of ours (MySQL internals, Connection Phase).

    The server counts a client that leaves after this as a connection error, and shuts its address
    out after ``max_connect_errors`` (100) without a log-in in between.
    """
    head = yield from talk.take(4)
    size = int.from_bytes(head[:3], "little")
    if not 1 <= size <= LIMIT or head[3]:
        talk.puzzle(head)
    packet = yield from talk.take(size)
    if packet[0] == 0xFF:
        talk.refuse(packet[9:] if packet[3:4] == b"#" else packet[3:])
    try:
        capabilities = _mysql_capabilities(packet)
    except DecodeError:
        talk.puzzle(packet)
    if not capabilities & _CLIENT_SSL:
        raise PreambleError("TLS is not offered")
    request = b"".join(
        (_CLIENT.to_bytes(4, "little"), (1 << 24).to_bytes(4, "little"), b"\x2d", bytes(23))
    )
    talk.say(len(request).to_bytes(3, "little") + b"\x01" + request, _N("the beginning of TLS"))


def _mysql_capabilities(packet: bytes) -> int:
    """The lower half of the server's capabilities: after version, thread and scramble."""
    version, end, rest = packet[1:].partition(b"\x00")
    if packet[0] != 10 or not version or not end:
        raise DecodeError("not a handshake packet of version 10")
    reader = Reader(rest)
    reader.take(4 + 8 + 1)
    return int.from_bytes(reader.take(2), "little")


# -- XMPP ----------------------------------------------------------------------------------------

_TLS_NAMESPACE = "urn:ietf:params:xml:ns:xmpp-tls"


def _xmpp(talk: Conversation) -> Wait[None]:
    """RFC 6120, section 5. A scanner for tags is enough: XMPP knows no comments and no CDATA."""
    talk.say(
        f"<?xml version='1.0'?><stream:stream to='{html.escape(talk.host)}' xmlns='jabber:client'"
        " xmlns:stream='http://etherx.jabber.org/streams' version='1.0'>",
        _N("the answer to our stream"),
    )
    tag = yield from _tag(talk, first=True)
    if tag not in ("?xml", "stream"):
        talk.puzzle(tag.encode())
    offered = False
    while tag not in ("/features", "features/"):
        tag = yield from _tag(talk)
        offered = offered or tag in ("starttls", "starttls/")
    if not offered:
        raise PreambleError("STARTTLS is not offered")
    talk.say(f"<starttls xmlns='{_TLS_NAMESPACE}'/>", "the answer to starttls")
    while (tag := (yield from _tag(talk))) not in ("/proceed", "proceed/"):
        if tag != "proceed":
            talk.puzzle(tag.encode())


def _tag(talk: Conversation, *, first: bool = False) -> Wait[str]:
    """The next tag that is no refusal: its local name, with the slash before or after it."""
    name = yield from _any_tag(talk, first=first)
    if name in ("error", "failure"):
        # The condition is the first element inside.
        name += " " + (yield from _any_tag(talk)).strip("/")
    if name.startswith(("error", "failure", "/stream")):
        talk.refuse(name.encode())
    return name


def _any_tag(talk: Conversation, *, first: bool = False) -> Wait[str]:
    while (byte := (yield from talk.take(1))) != b"<":
        if first and not byte.isspace():
            talk.puzzle(byte)
    content, quote = bytearray(), b""
    while (byte := (yield from talk.take(1))) != b">" or quote:
        content += byte
        if quote:
            quote = b"" if byte == quote else quote
        elif byte in (b"'", b'"'):
            quote = byte
    slashes = ("/" if content[:1] == b"/" else "", "/" if content[-1:] == b"/" else "")
    name = content.decode(errors="replace").strip("/").split(maxsplit=1)
    return name[0].rpartition(":")[2].join(slashes) if name else ""


_SCRIPTS: Mapping[str, Callable[[Conversation], Wait[None]]] = MappingProxyType(
    {
        "smtp": _smtp,
        "lmtp": partial(_smtp, verb="LHLO"),
        "imap": _imap,
        "pop3": _pop3,
        "sieve": _sieve,
        "nntp": _nntp,
        "ftp": _ftp,
        "ldap": _ldap,
        "postgres": _postgres,
        "mysql": _mysql,
        "xmpp": _xmpp,
    }
)

SERVICES = frozenset(_SCRIPTS)
"""The services that begin in clear and change to TLS."""
