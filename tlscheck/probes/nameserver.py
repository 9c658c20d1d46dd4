"""Asking name servers, each by its address: deadlines, limits, a second try for what was lost."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import errno
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field

import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdatatype

from tlscheck.model import Reason
from tlscheck.net import now
from tlscheck.observations.dns import Exchange

FIRST, SECOND = 1.0, 1.5
"""Seconds for the first try and for the second, which has the line to itself; TCP has half as much
again, for its two round trips.
"""
AT_ONCE, AT_ONE = 64, 6
"""Questions in flight, to all servers and to one."""
SECOND_TRIES = 4
"""How many second tries are in flight: a burst of ours must not look like a dead server."""
PAYLOAD = 1232
"""What UDP may bring, as all but ancient paths carry it (RFC 9715)."""
_HEADER = 12
_NO_EDNS = (dns.rcode.FORMERR, dns.rcode.NOTIMP)
_NO_ROUTE = {errno.ENETUNREACH, errno.EHOSTUNREACH, errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT}


@dataclass(frozen=True, slots=True)
class Reply:
    """What a question brought: a message, or why none came."""

    message: dns.message.Message | None
    trouble: Reason | None = None


@dataclass
class NameServers:
    """All name servers: who is asked, how often at once, and what they said."""

    port: int = 53
    places: Mapping[str, tuple[str, int]] = field(default_factory=dict)
    """Where the servers of some addresses are in truth."""
    family: int = 0
    """4 or 6 to ask addresses of one family only."""
    exchanges: list[Exchange] = field(default_factory=list)
    _all: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(AT_ONCE))
    _one: defaultdict[str, asyncio.Semaphore] = field(
        default_factory=lambda: defaultdict(lambda: asyncio.Semaphore(AT_ONE))
    )
    _again: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(SECOND_TRIES))
    _heard: set[str] = field(default_factory=set)
    _dead: dict[str, Reason] = field(default_factory=dict)

    def asks(self, address: str) -> bool:
        """Whether the address is of a family that is to be asked."""
        return not self.family or (":" in address) == (self.family == 6)

    def known(self, address: str) -> int:
        """0 where the server at *address* has answered, 1 where nothing is known, 2: it is dead."""
        return 0 if address in self._heard else 2 if address in self._dead else 1

    async def ask(
        self,
        address: str,
        name: dns.name.Name,
        rdtype: dns.rdatatype.RdataType,
        *,
        tcp: bool = False,
        recursion: bool = False,
        edns: int | None = 0,
        anyway: bool = False,
    ) -> Reply:
        """The answer of the server at *address*; over TCP too where UDP was too small for it.

        A server that never answered over UDP is not asked that way again, but *anyway*: it may be
        silent about a type.
        """
        if not self.asks(address):
            return Reply(None, Reason.NOT_ASKED)
        if not tcp and not anyway and address in self._dead:
            return Reply(None, self._dead[address])
        question = _question(name, rdtype, recursion=recursion, edns=edns)
        reply = await self._twice(address, question, tcp=tcp)
        if reply.message is None:
            if not tcp and address not in self._heard and reply.trouble:
                self._dead[address] = reply.trouble
            return reply
        if edns == 0 and not tcp and reply.message.rcode() in _NO_EDNS:
            # RFC 6891, section 7: who does not know EDNS is asked without.
            plain = _question(name, rdtype, recursion=recursion, edns=None)
            without = await self._twice(address, plain, tcp=False)
            reply = without if without.message is not None else reply
        self._heard.add(address)
        self._dead.pop(address, None)
        if not tcp and reply.message and reply.message.flags & dns.flags.TC:
            return await self._twice(address, question, tcp=True)
        return reply

    async def _twice(self, address: str, question: dns.message.Message, *, tcp: bool) -> Reply:
        async with self._all, self._one[address]:
            reply = await self._once(address, question, FIRST, tcp=tcp)
        if reply.trouble in (Reason.TIMEOUT, Reason.RESET, Reason.CLOSED):
            async with self._again:
                reply = await self._once(address, question, SECOND, tcp=tcp)
        return reply

    async def _once(
        self, address: str, question: dns.message.Message, seconds: float, *, tcp: bool
    ) -> Reply:
        at, wire, trouble = now(), b"", None
        where = self.places.get(address, (address, self.port))
        message = None
        try:
            async with asyncio.timeout(seconds * 1.5 if tcp else seconds):
                message, wire = await (_over_tcp if tcp else _over_udp)(where, question)
        except TimeoutError:
            trouble = Reason.TIMEOUT
        except ConnectionRefusedError:
            trouble = Reason.CONNECTION_REFUSED
        except asyncio.IncompleteReadError:
            trouble = Reason.CLOSED
        except (dns.exception.DNSException, ValueError):
            trouble = Reason.MALFORMED
        except OSError as error:
            trouble = Reason.UNREACHABLE if error.errno in _NO_ROUTE else Reason.RESET
        asked = question.question[0]
        if asked.rdtype == dns.rdatatype.AXFR:
            wire = wire[:_HEADER]  # that it was handed out is a fact; what is in it is not ours
        self.exchanges.append(
            Exchange(
                address,
                f"{asked.name} {dns.rdatatype.to_text(asked.rdtype)}",
                "tcp" if tcp else "udp",
                at,
                base64.b64encode(wire).decode(),
                trouble or "",
            )
        )
        return Reply(message, trouble)


def _question(
    name: dns.name.Name, rdtype: dns.rdatatype.RdataType, *, recursion: bool, edns: int | None
) -> dns.message.Message:
    query = dns.message.make_query(
        name,
        rdtype,
        use_edns=False if edns is None else edns,
        want_dnssec=edns is not None,
        payload=PAYLOAD if edns is not None else None,
    )
    if not recursion:
        query.flags &= ~dns.flags.RD
    return query


def _read(wire: bytes, question: dns.message.Message) -> dns.message.Message:
    """The message in *wire*, if it answers *question*. DNSException, ValueError."""
    answer = dns.message.from_wire(wire, ignore_trailing=True)
    if not question.is_response(answer):
        raise ValueError("not an answer to the question")
    return answer


class _Datagrams(asyncio.DatagramProtocol):
    """The datagrams of one connected socket: only those of the server asked come here."""

    def __init__(self) -> None:
        self.came: asyncio.Queue[bytes | Exception] = asyncio.Queue()

    def datagram_received(self, data: bytes, addr: object) -> None:
        """Keep it."""
        if self.came.qsize() < 16:
            self.came.put_nowait(data)

    def error_received(self, exc: Exception) -> None:
        """Keep it too: a closed port, a missing route."""
        self.came.put_nowait(exc)


async def _over_udp(
    where: tuple[str, int], question: dns.message.Message
) -> tuple[dns.message.Message, bytes]:
    loop = asyncio.get_running_loop()
    transport, protocol = await loop.create_datagram_endpoint(_Datagrams, remote_addr=where)
    try:
        transport.sendto(question.to_wire())
        while True:
            came = await protocol.came.get()
            if isinstance(came, Exception):
                raise came
            # What cannot be read, or answers something else, may be somebody else's.
            with contextlib.suppress(dns.exception.DNSException, ValueError):
                return _read(came, question), came
    finally:
        transport.close()


async def _over_tcp(
    where: tuple[str, int], question: dns.message.Message
) -> tuple[dns.message.Message, bytes]:
    """The first message of the answer; of a zone transfer no more is taken."""
    reader, writer = await asyncio.open_connection(*where)
    try:
        wire = question.to_wire()
        writer.write(len(wire).to_bytes(2) + wire)
        await writer.drain()
        size = int.from_bytes(await reader.readexactly(2))
        answer = await reader.readexactly(size)
        return _read(answer, question), answer
    finally:
        writer.transport.abort()
        with contextlib.suppress(OSError):
            await writer.wait_closed()
