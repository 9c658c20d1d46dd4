"""Name servers that are odd, hostile or slow: small servers of the tests' own on loopback."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from typing import Any

import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdatatype
import dns.rrset
import pytest

from tlscheck.model import Reason
from tlscheck.probes import nameserver, walk
from tlscheck.probes.nameserver import NameServers, Reply
from tlscheck.probes.walk import Walk

NAME = dns.name.from_text("www.example.jp")
A = dns.rdatatype.A
Answer = Callable[[bytes], list[bytes]]


class Server(asyncio.DatagramProtocol):
    """Answers each datagram with those that *answer* gives."""

    def __init__(self, answer: Answer) -> None:
        self.answer, self.asked = answer, 0

    def connection_made(self, transport: Any) -> None:
        self.transport = transport

    def datagram_received(self, data: bytes, addr: Any) -> None:
        self.asked += 1
        for wire in self.answer(data):
            self.transport.sendto(wire, addr)


@contextlib.asynccontextmanager
async def serving(udp: Answer, tcp: Answer | None = None) -> AsyncIterator[tuple[Server, int]]:
    async def over_tcp(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            wire = await reader.readexactly(int.from_bytes(await reader.readexactly(2)))
            for part in tcp(wire) if tcp else []:
                writer.write(part)
            await writer.drain()
        writer.close()

    listener = await asyncio.start_server(over_tcp, "127.0.0.1", 0)
    port = listener.sockets[0].getsockname()[1]
    loop = asyncio.get_running_loop()
    transport, server = await loop.create_datagram_endpoint(
        lambda: Server(udp), local_addr=("127.0.0.1", port)
    )
    try:
        yield server, port
    finally:
        transport.close()
        listener.close()
        await asyncio.sleep(0)


def ask(udp: Answer, over_tcp: Answer | None = None, times: int = 1, **options: Any) -> Any:
    async def run() -> tuple[list[Reply], Server, NameServers]:
        async with serving(udp, over_tcp) as (server, port):
            servers = NameServers(port)
            replies = [await servers.ask("127.0.0.1", NAME, A, **options) for _ in range(times)]
            return replies, server, servers

    return asyncio.run(run())


def reply(wire: bytes, address: str = "45.76.20.20", **changes: Any) -> bytes:
    question = dns.message.from_wire(wire)
    answer = dns.message.make_response(question)
    answer.flags |= dns.flags.AA | changes.get("flags", 0)
    answer.answer.append(dns.rrset.from_text(NAME, 60, "IN", "A", address))
    answer.id = changes.get("id", answer.id)
    return answer.to_wire()


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nameserver, "FIRST", 0.3)
    monkeypatch.setattr(nameserver, "SECOND", 0.3)
    monkeypatch.setattr(walk, "PATIENCE", 0.1)


def test_an_answer() -> None:
    (found,), _, servers = ask(lambda wire: [reply(wire)])
    assert found.message.answer[0][0].address == "45.76.20.20"
    (exchange,) = servers.exchanges
    assert (exchange.question, exchange.transport) == ("www.example.jp. A", "udp")
    assert exchange.answer
    assert exchange.trouble == ""


def test_what_answers_another_question_is_passed_over() -> None:
    def odd(wire: bytes) -> list[bytes]:
        wrong = reply(wire, "6.6.6.6", id=(dns.message.from_wire(wire).id + 1) % 65536)
        return [b"", b"\x00" * 11, b"\xff" * 600, wrong, wire, reply(wire)]

    (found,), _, _ = ask(odd)
    assert found.message.answer[0][0].address == "45.76.20.20"


def test_a_lost_packet_is_asked_for_again() -> None:
    lost = []

    def first_lost(wire: bytes) -> list[bytes]:
        lost.append(wire)
        return [] if len(lost) == 1 else [reply(wire)]

    (found,), server, servers = ask(first_lost)
    assert found.message is not None
    assert server.asked == 2
    assert [e.trouble for e in servers.exchanges] == ["timeout", ""]


def test_a_dead_server_is_not_asked_for_ever() -> None:
    replies, server, _ = ask(lambda wire: [], times=5)
    assert {r.trouble for r in replies} == {Reason.TIMEOUT}
    assert server.asked == 2


def test_a_server_that_answered_once_is_not_called_dead() -> None:
    count = []

    def once(wire: bytes) -> list[bytes]:
        count.append(wire)
        return [reply(wire)] if len(count) != 2 and len(count) != 3 else []

    replies, _, _ = ask(once, times=3)
    assert [r.message is not None for r in replies] == [True, False, True]


def test_a_closed_port_is_refused_at_once() -> None:
    async def run() -> Reply:
        async with serving(lambda wire: []) as (_, port):
            pass
        return await NameServers(port).ask("127.0.0.1", NAME, A)

    assert asyncio.run(run()).trouble is Reason.CONNECTION_REFUSED


def framed(wire: bytes) -> bytes:
    return len(wire).to_bytes(2) + wire


def test_what_is_cut_off_is_asked_over_tcp() -> None:
    (found,), _, servers = ask(
        lambda wire: [reply(wire, "6.6.6.6", flags=dns.flags.TC)],
        lambda wire: [framed(reply(wire))],
    )
    assert found.message.answer[0][0].address == "45.76.20.20"
    assert [e.transport for e in servers.exchanges] == ["udp", "tcp"]


def test_a_loop_of_cut_off_answers_ends() -> None:
    (found,), server, servers = ask(
        lambda wire: [reply(wire, flags=dns.flags.TC)],
        lambda wire: [framed(reply(wire, flags=dns.flags.TC))],
    )
    assert found.message is not None
    assert server.asked == 1
    assert len(servers.exchanges) == 2


@pytest.mark.parametrize(
    ("parts", "reason"),
    [
        ([b"\x00"], Reason.CLOSED),
        ([b"\xff\xff" + b"x" * 100], Reason.CLOSED),
        ([framed(b"x" * 100)], Reason.MALFORMED),
        ([], Reason.CLOSED),
    ],
)
def test_broken_answers_over_tcp(parts: list[bytes], reason: Reason) -> None:
    (found,), _, _ = ask(lambda wire: [], lambda wire: parts, tcp=True)
    assert found.trouble is reason


def test_records_of_a_transfer_are_not_kept() -> None:
    async def run() -> NameServers:
        def everything(wire: bytes) -> list[bytes]:
            return [framed(reply(wire))]

        async with serving(lambda wire: [], everything) as (_, port):
            servers = NameServers(port)
            await servers.ask("127.0.0.1", NAME, dns.rdatatype.AXFR, tcp=True)
            return servers

    (exchange,) = asyncio.run(run()).exchanges
    assert len(exchange.answer) == 16  # the header's twelve bytes


def test_only_the_family_that_was_asked_for_is_asked() -> None:
    for family, four, six in ((0, True, True), (4, True, False), (6, False, True)):
        servers = NameServers(family=family)
        assert (servers.asks("192.0.2.1"), servers.asks("2001:db8::1")) == (four, six)
    (found,), server, _ = ask(lambda wire: [reply(wire)])
    assert found.message is not None
    assert server.asked == 1


# ---- walking ---------------------------------------------------------------------------------


def find(answer: Answer, name: str = "www.example.jp") -> Any:
    async def run() -> Any:
        async with serving(answer) as (server, port):
            servers = NameServers(port)
            found = await Walk(servers, ("127.0.0.1",)).find(dns.name.from_text(name), A)
            return found, server

    return asyncio.run(asyncio.wait_for(run(), 20))


def test_aliases_in_a_ring_end() -> None:
    def ring(wire: bytes) -> list[bytes]:
        question = dns.message.from_wire(wire)
        name = question.question[0].name
        other = "b.example.jp." if name.to_text().startswith("www") else "www.example.jp."
        answer = dns.message.make_response(question)
        answer.flags |= dns.flags.AA
        answer.answer.append(dns.rrset.from_text(name, 60, "IN", "CNAME", other))
        return [answer.to_wire()]

    found, server = find(ring)
    assert found.message is None
    assert server.asked <= 2 * walk.MOST_ALIASES


def test_referrals_without_an_end_end() -> None:
    def down(wire: bytes) -> list[bytes]:
        """Ever deeper, to servers that are each below themselves."""
        question = dns.message.from_wire(wire)
        name = question.question[0].name
        answer = dns.message.make_response(question)
        zone = dns.name.Name(name.labels[-2:])
        answer.authority.append(dns.rrset.from_text(zone, 60, "IN", "NS", f"ns.{zone}"))
        return [answer.to_wire()]

    found, server = find(down)
    assert found.message is None
    assert server.asked < 200


@pytest.mark.parametrize("code", [dns.rcode.REFUSED, dns.rcode.SERVFAIL, dns.rcode.FORMERR])
def test_a_root_that_is_of_no_use(code: dns.rcode.Rcode) -> None:
    def no(wire: bytes) -> list[bytes]:
        answer = dns.message.make_response(dns.message.from_wire(wire))
        answer.set_rcode(code)
        return [answer.to_wire()]

    found, _ = find(no)
    assert found.message is None


def test_glue_for_names_that_are_none_of_the_server_s_business_is_left_aside() -> None:
    referral = dns.message.make_response(dns.message.make_query(NAME, "NS"))
    referral.authority.append(
        dns.rrset.from_text("example.jp.", 60, "IN", "NS", "ns.bank.example.")
    )
    referral.additional.append(dns.rrset.from_text("ns.bank.example.", 60, "IN", "A", "6.6.6.6"))
    assert walk.glue(referral, dns.name.from_text("jp.")) == []
    assert walk.glue(referral, dns.name.root) == [("ns.bank.example.", "6.6.6.6")]


def test_a_no_in_the_name_of_a_zone_further_up_is_of_no_use() -> None:
    def answer(wire: bytes) -> list[bytes]:
        message = dns.message.from_wire(reply(wire))
        message.set_rcode(dns.rcode.NXDOMAIN)
        message.answer = []
        soa = "a.root. b.root. 1 7200 3600 1209600 300"
        message.authority = [dns.rrset.from_text(".", 60, "IN", "SOA", soa)]
        return [message.to_wire()]

    message = dns.message.from_wire(answer(dns.message.make_query(NAME, A).to_wire())[0])
    assert walk.useful(message, dns.name.root, NAME)
    assert not walk.useful(message, NAME.parent(), NAME)
