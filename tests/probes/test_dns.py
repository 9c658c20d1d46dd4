"""A domain whose one name server does odd things: it holds root and domain alike, on loopback."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import dns.flags
import dns.message
import dns.rcode
import dns.rdatatype
import dns.rrset
import pytest

from tests.probes.test_nameserver import framed, serving
from tlscheck.model import Reason, State
from tlscheck.net import Net, NetError
from tlscheck.observations.dns import DnsObservation, Outcome, Role
from tlscheck.probes import dns as probe
from tlscheck.probes import nameserver
from tlscheck.probes.dns import mail
from tlscheck.probes.nameserver import NameServers
from tlscheck.probes.walk import Walk

A, R, U = State.ACCEPTED, State.REFUSED, State.UNKNOWN
RECORDS = {
    ("example.jp.", "SOA"): ["ns1.example.jp. a.example.jp. 1 7200 3600 1209600 300"],
    ("example.jp.", "NS"): ["ns1.example.jp."],
    ("ns1.example.jp.", "A"): ["127.0.0.1"],
    ("www.example.jp.", "A"): ["127.0.0.1"],
}
Records = dict[tuple[str, str], list[str]]
Change = Callable[[str, str, dns.message.Message], dns.message.Message | None]


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nameserver, "FIRST", 0.2)
    monkeypatch.setattr(nameserver, "SECOND", 0.2)


def same(name: str, rdtype: str, answer: dns.message.Message) -> dns.message.Message | None:
    """The answer as it should be."""
    return answer


def look(more: Records | None = None, udp: Change = same, tcp: Change = same) -> DnsObservation:
    """What is seen of ``example.jp`` with *more* records; ``None`` of a change is no answer."""
    records = RECORDS | (more or {})
    names = {name for name, _ in records}

    def respond(change: Change, wire: bytes) -> list[bytes]:
        question = dns.message.from_wire(wire)
        asked = question.question[0]
        name, rdtype = asked.name.to_text().lower(), dns.rdatatype.to_text(asked.rdtype)
        answer = dns.message.make_response(question)
        if rdtype == "AXFR":
            answer.set_rcode(dns.rcode.REFUSED)
        elif rows := records.get((name, rdtype)):
            answer.answer.append(dns.rrset.from_text_list(name, 300, "IN", rdtype, rows))
        elif name not in names:
            answer.set_rcode(dns.rcode.NXDOMAIN)
        answer.flags |= dns.flags.AA
        changed = change(name, rdtype, answer)
        return [] if changed is None else [changed.to_wire()]

    async def run() -> DnsObservation:
        async with serving(
            lambda wire: respond(udp, wire),
            lambda wire: [framed(each) for each in respond(tcp, wire)],
        ) as (_, port):
            walk = Walk(NameServers(port), ("127.0.0.1",))
            means = probe.Means(Net(), walk, (), private=True)
            seen = await probe.probe(means, "example.jp", ["www.example.jp"])
        assert isinstance(seen, DnsObservation), seen
        return seen

    return asyncio.run(run())


def hung_up(*rdtypes: str) -> Change:
    """No answer to questions of the types."""
    return lambda name, rdtype, answer: None if rdtype in rdtypes else answer


def test_one_that_does_what_it_should() -> None:
    seen = look()
    (server,) = seen.zone.servers
    assert (server.transfer, server.recursion, seen.zone.wildcard) == (R, R, R)
    assert seen.names[0].complete
    assert seen.mail.takes is R


def test_who_hangs_up_on_a_transfer_alone_refuses_it() -> None:
    assert look(tcp=hung_up("AXFR")).zone.servers[0].transfer is R


def test_who_hangs_up_on_everything_refuses_no_transfer() -> None:
    assert look(tcp=hung_up("AXFR", "SOA", "NS")).zone.servers[0].transfer is U


def test_an_address_for_a_name_that_exists_nowhere_is_recursion() -> None:
    def redirecting(name: str, rdtype: str, answer: dns.message.Message) -> dns.message.Message:
        if name.endswith(".invalid."):
            answer.set_rcode(dns.rcode.NOERROR)
            answer.flags |= dns.flags.RA
            answer.answer = [dns.rrset.from_text(name, 60, "IN", "A", "45.76.20.20")]
        return answer

    assert look(udp=redirecting).zone.servers[0].recursion is A


def test_addresses_of_a_kind_that_nobody_tells_leave_a_name_incomplete() -> None:
    (name,) = look(udp=hung_up("AAAA")).names
    assert (name.exists, name.complete) == (A, False)


@pytest.mark.parametrize("rdtype", ["AAAA", "MX", "TXT"])
def test_a_wildcard_without_ipv4_addresses(rdtype: str) -> None:
    values = {"AAAA": "2400:cb00::1", "MX": "10 a.example.jp.", "TXT": '"x"'}

    def wild(name: str, asked: str, answer: dns.message.Message) -> dns.message.Message:
        if name.startswith("tlscheck-"):
            answer.set_rcode(dns.rcode.NOERROR)
            if asked == rdtype:
                record = dns.rrset.from_text(name, 60, "IN", rdtype, values[rdtype])
                answer.answer = [record]
        return answer

    assert look(udp=wild).zone.wildcard is A


def test_a_wildcard_of_which_half_is_not_told_is_not_denied() -> None:
    def half(name: str, asked: str, answer: dns.message.Message) -> dns.message.Message | None:
        if name.startswith("tlscheck-"):
            answer.set_rcode(dns.rcode.NOERROR)
            return None if asked == "AAAA" else answer
        return answer

    assert look(udp=half).zone.wildcard is U


def test_a_record_taken_in_that_nobody_tells_is_named() -> None:
    def silent(name: str, rdtype: str, answer: dns.message.Message) -> dns.message.Message | None:
        return None if name == "_spf.example.jp." else answer

    own = {("example.jp.", "TXT"): ['"v=spf1 include:_spf.example.jp -all"']}
    seen = look(own, udp=silent)
    assert seen.mail.spf
    assert seen.mail.spf.unseen == ("_spf.example.jp",)


def test_more_mail_hosts_than_are_looked_at_are_not_forgotten() -> None:
    hosts = [f"mx{number}.example.jp." for number in range(40)]
    records = {("example.jp.", "MX"): [f"10 {host}" for host in hosts]}
    seen = look(records | {(host, "A"): ["127.0.0.1"] for host in hosts})
    assert len(seen.mail.hosts) == 40
    states = {pointer.exists for pointer in seen.pointers if pointer.role is Role.MAIL}
    assert states == {A, U}


@pytest.mark.parametrize(("addresses", "implicit"), [(["127.0.0.1"], True), ([], False)])
def test_a_domain_with_an_address_and_no_mail_host_may_take_mail(
    addresses: list[str], implicit: bool
) -> None:
    mail = look({("example.jp.", "A"): addresses}).mail
    assert (mail.takes, mail.implicit) == (U if implicit else R, implicit)


def test_who_knows_no_edns_is_asked_without() -> None:
    def old(name: str, rdtype: str, answer: dns.message.Message) -> dns.message.Message:
        if answer.edns >= 0:
            answer.set_rcode(dns.rcode.FORMERR)
            answer.answer = []
            answer.use_edns(False)
        return answer

    (server,) = look(udp=old, tcp=old).zone.servers
    assert (server.udp, server.edns) == (Outcome.AUTHORITATIVE, R)


@pytest.mark.parametrize(
    ("text", "usable"),
    [
        ("3 1 1 " + "ee" * 32, True),
        ("2 0 2 " + "ee" * 64, True),
        ("3 1 0 " + "ee" * 91, True),
        ("1 1 1 " + "ee" * 32, False),
        ("3 1 9 " + "ee" * 32, False),
        ("3 7 1 " + "ee" * 32, False),
        ("3 1 0 " + "ee" * 20, False),
    ],
)
def test_records_that_can_vouch_for_a_mail_host(text: str, usable: bool) -> None:
    (record,) = dns.rrset.from_text("a.", 1, "IN", "TLSA", text)
    assert mail._is_usable(record) is usable


@pytest.mark.parametrize(
    ("records", "found"),
    [
        (['"v=STSv1; id=1"'], True),
        (['"v=STSv1;id=20261121A;"'], True),
        (['"v=STSv1;"'], False),
        (['"v=STSv1; id="'], False),
        (['"v=STSv1; id=1"', '"v=STSv1; id=2"'], False),
    ],
)
def test_an_mta_sts_record_is_one_with_an_id(records: list[str], found: bool) -> None:
    policy = look({("_mta-sts.example.jp.", "TXT"): records}).mail.mta_sts
    assert policy
    assert bool(policy.record) is found


def test_a_null_mail_host_takes_no_mail() -> None:
    mail = look({("example.jp.", "MX"): ["0 ."], ("example.jp.", "A"): ["127.0.0.1"]}).mail
    assert (mail.takes, mail.hosts) == (R, ())


def test_a_private_address_that_a_public_name_leads_to_is_not_asked_for_a_page() -> None:
    async def run() -> None:
        await Net().fetch("http://a.example/", schemes=("http",), address="127.0.0.1")

    with pytest.raises(NetError) as caught:
        asyncio.run(run())
    assert caught.value.reason is Reason.FILTERED
