"""What is wrong with a domain in the DNS: one thing changed in one that is as it should be."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from tests.make import blank_dns, dns_observation
from tlscheck import profile
from tlscheck.model import Evidence, Open, Problem, State
from tlscheck.observations.dns import (
    Alias,
    Dmarc,
    DnsObservation,
    HttpsRecord,
    MailHost,
    NameServer,
    Outcome,
    Pointer,
    Role,
    Signed,
    Soa,
    Spf,
    Standing,
    TransportPolicy,
    Zone,
)
from tlscheck.rules import RULES
from tlscheck.rules.core import NotApplicable

A, R, U = State.ACCEPTED, State.REFUSED, State.UNKNOWN
SETTINGS = profile.load("baseline").settings
GOOD = dns_observation()
ZONE = GOOD.zone
MINE = [id.partition(".")[2] for id in RULES if id.startswith("dns.")]


def deciding(evidence: Iterable[Evidence]) -> set[str]:
    return {e.code + "?" * isinstance(e, Open) for e in evidence if isinstance(e, (Problem, Open))}


def judged(seen: DnsObservation) -> dict[str, set[str]]:
    found = {}
    for id in MINE:
        setting = SETTINGS[f"dns.{id}"]
        try:
            codes = deciding(setting.rule(seen, *([setting.want] if setting.want else [])))
        except NotApplicable:
            continue
        if codes:
            found[id] = codes
    return found


def server(**changes: Any) -> dict[str, Any]:
    """The zone with its second server changed."""
    return {"servers": (ZONE.servers[0], replace(ZONE.servers[1], **changes))}


def host(**changes: Any) -> dict[str, Any]:
    """The zone with its second name server changed."""
    return {"name_servers": (ZONE.name_servers[0], replace(ZONE.name_servers[1], **changes))}


def security(**changes: Any) -> dict[str, Any]:
    return {"security": replace(ZONE.security, **changes)}


def pointing(role: Role = Role.MAIL, **changes: Any) -> dict[str, Any]:
    told: dict[str, Any] = {
        "role": role, "owner": "example.jp", "target": "a.other.jp", "domain": "other.jp",
        "exists": A, "domain_exists": A, "registered": A, "statuses": ("Active",),
    }  # fmt: skip
    return {"pointers": (Pointer(**(told | changes)),)}


def test_a_good_one() -> None:
    assert judged(GOOD) == {}


UNHEARD = {
    rule: {"unheard?"}
    for rule in ("same-serial", "tcp", "edns", "recursion", "zone-transfer", "dnssec")
}
"""What stays open where one server says nothing."""
CHANGES: list[tuple[dict[str, Any], dict[str, set[str]]]] = [
    (host(at_parent=False), {"delegation": {"only-at-child"}, "spread": {"few"}}),
    (host(at_child=R), {"delegation": {"only-at-parent"}, "spread": {"few"}}),
    (host(at_child=U), {"delegation": {"child-unseen?"}}),
    (host(alias="a.b"), {"delegation": {"alias"}}),
    (host(glue=("1.1.1.1",)), {"delegation": {"glue"}}),
    (host(addresses=("103.2.57.12", "2606::1")), {"delegation": {"glue"}}),
    (host(addresses=("103.2.57.12", "2606::1"), complete=False), {"delegation": {"glue"}}),
    (host(glue=("103.2.57.12", "2606::1"), complete=False), {"delegation": {"glue-unseen?"}}),
    (host(complete=False), {}),
    (host(complete=False, glue=()), {"spread": {"unseen?"}}),
    (host(exists=R, glue=(), addresses=()),
     {"name-servers-answer": {"no-address"}, "spread": {"few"}}),
    (host(exists=U, complete=False, glue=()),
     {"name-servers-answer": {"address-unseen?"}, "spread": {"unseen?"}}),
    (server(udp=Outcome.LAME, tcp=Outcome.LAME), {"name-servers-answer": {"lame"}}),
    (server(udp=Outcome.SILENT, tcp=Outcome.SILENT),
     {"name-servers-answer": {"dead"}} | UNHEARD),
    (server(udp=Outcome.CLOSED, tcp=Outcome.CLOSED),
     {"name-servers-answer": {"dead"}} | UNHEARD),
    (server(udp=Outcome.SILENT), {"name-servers-answer": {"no-udp"}}),
    (server(udp=Outcome.UNREACHABLE, tcp=Outcome.UNREACHABLE),
     {"name-servers-answer": {"dead"}} | UNHEARD),
    (server(udp=Outcome.UNREACHABLE, tcp=Outcome.UNREACHABLE, address="2606::1"),
     {"name-servers-answer": {"unreachable?"}} | UNHEARD),
    (server(udp=Outcome.UNKNOWN, tcp=Outcome.UNKNOWN),
     {"name-servers-answer": {"unreachable?"}} | UNHEARD),
    ({"unasked": 3}, {"name-servers-answer": {"unasked?"}} | {
        rule: {"unasked?"} for rule in UNHEARD
    }),
    (host(addresses=("45.76.10.11",), glue=()), {"spread": {"few", "same-address"}}),
    (host(addresses=("45.76.10.12",), glue=()), {"spread": {"one-network"}}),
    (server(serial=2), {"same-serial": {"serial"}}),
    (server(tcp=Outcome.SILENT), {"tcp": {"no-tcp"}}),
    (server(tcp=Outcome.UNKNOWN), {"tcp": {"tcp-unseen?"}}),
    (server(edns=R), {"edns": {"no-edns"}}),
    (server(edns=U), {"edns": {"edns-unseen?"}}),
    (server(recursion=A), {"recursion": {"recursive"}}),
    (server(recursion=U), {"recursion": {"unseen?"}}),
    (server(transfer=A), {"zone-transfer": {"open"}}),
    (server(transfer=U), {"zone-transfer": {"unseen?"}}),
    (server(signature="expired"), {"dnssec": {"expired"}}),
    (server(address="10.0.0.1"), {"public-addresses": {"private"}}),
    ({"soa": Soa("a", 1, 7200, 3600, 3600, 300)}, {"timers": {"expire"}}),
    ({"soa": None}, {"timers": {"unseen?"}}),
    (security(standing=Standing.BOGUS, problem="ds_mismatch"), {"dnssec": {"ds-mismatch"}}),
    (security(standing=Standing.UNKNOWN, problem="no_anchor"),
     {"dnssec": {"unseen?"}, "signed": {"unseen?"}}),
    (security(standing=Standing.INSECURE, signed=False, ds=(), algorithms=()),
     {"signed": {"unsigned"}, "ds-kept": {"removed"}}),
    (security(standing=Standing.INSECURE, problem="unsupported", ds=("1 250 2",)),
     {"signed": {"unsupported"}, "ds-kept": {"replaced"}}),
    (security(standing=Standing.BOGUS, problem="no_keys", signed=False, algorithms=()),
     {"dnssec": {"no-keys"}, "signed": {"unsigned"}}),
    (security(expires=GOOD.at + timedelta(hours=11)), {"signature-lifetime": {"soon"}}),
    (security(algorithms=(8, 5)), {"signature-algorithms": {"algorithm"}}),
    (security(ds=("1 13 1",)), {"signature-algorithms": {"digest"}, "ds-kept": {"replaced"}}),
    (security(ds=("1 13 1", "1 13 2")), {"signature-algorithms": {"digest"}}),
    (security(rsa_bits=(2048, 512)), {"signature-algorithms": {"size"}}),
    ({"denial": R}, {"dnssec": {"denial"}}),
    ({"denial": U}, {"dnssec": {"denial-unseen?"}}),
    ({"denial": U, "wildcard": A}, {"wildcard": {"wildcard"}}),
    ({"signed": (Signed("a.example.jp", "A", "expired"),)}, {"dnssec": {"expired"}}),
    ({"signed": (Signed("a.example.jp", "A", "", GOOD.at + timedelta(hours=11)),)},
     {"signature-lifetime": {"soon"}}),
    ({"ds_before": ("1 13 2", "2 13 2")}, {"ds-kept": {"replaced"}}),
    (security(nsec3=(0, 0)), {}),
    (security(nsec3=(1, 4)), {"nsec3": {"iterations", "salt"}}),
    (security(nsec3_seen=False), {"nsec3": {"unseen?"}}),
    ({"wildcard": A}, {"wildcard": {"wildcard"}}),
    ({"complete": False}, {
        rule: {"incomplete?"} for rule in ("public-addresses", "https-records", "ttl")
    }),
    ({"addresses": ("10.1.2.3",), "https": ()}, {"public-addresses": {"private"}}),
    ({"addresses": ("fd00::1",), "https": ()}, {"public-addresses": {"private"}}),
    ({"addresses": ("203.0.113.1",), "https": ()}, {"public-addresses": {"private"}}),
    ({"addresses": ("::ffff:10.0.0.1",), "https": ()}, {"public-addresses": {"private"}}),
    ({"addresses": ("64:ff9b::a00:1",), "https": ()}, {"public-addresses": {"private"}}),
    ({"addresses": ("2002:a00:1::1",), "https": ()}, {"public-addresses": {"private"}}),
    ({"hosts": (MailHost("mail.example.jp", 1, A, addresses=("10.0.0.1",)),)},
     {"public-addresses": {"private"}}),
    ({"exists": R, "addresses": (), "https": ()}, {"dangling-aliases": {"no-address"}}),
    ({"caa": ()}, {"caa": {"none"}}),
    ({"caa": ("issuewild ;", "tbs Unknown")}, {"caa": {"none"}}),
    ({"caa": ("issue letsencrypt.org", "critical tbs Unknown")}, {"caa": {"critical"}}),
    ({"caa": None}, {"caa": {"unseen?"}, "caa-issuer": {"unseen?"}}),
    ({"caa": ("issue pki.goog",)}, {"caa-issuer": {"not-allowed"}}),
    ({"caa": ("issue letsencrypt.org; validationmethods=dns-01",)}, {}),
    ({"issuers": ("www.example.jp: Own CA",)}, {"caa-issuer": {"issuer-not-known?"}}),
    ({"https": (HttpsRecord(1, ".", ("1.2.3.4",)),)}, {"https-records": {"hints"}}),
    ({"https": None}, {"https-records": {"unseen?"}}),
    ({"ttl": 5}, {"ttl": {"ttl"}}),
    (pointing(), {}),
    (pointing(registered=R, domain_exists=R, exists=R), {"dangling-mail": {"unregistered"}}),
    (pointing(statuses=("Suspended",)), {"dangling-mail": {"dying"}}),
    (pointing(service="Service", free=A), {"dangling-mail": {"claimable"}}),
    (pointing(exists=R, nonexistent=True), {"dangling-mail": {"missing"}}),
    (pointing(exists=R), {"dangling-mail": {"no-address"}}),
    (pointing(lost=("ns1.lapsed.jp",)), {"dangling-mail": {"lost-server"}}),
    (pointing(statuses=("suspended",)), {"dangling-mail": {"dying"}}),
    (pointing(statuses=("zapped",)), {"dangling-mail": {"status-not-known?"}}),
    (pointing(exists=U), {"dangling-mail": {"unseen?"}}),
    (pointing(service="Service", free=U), {"dangling-mail": {"claimable-unseen?"}}),
    (pointing(registered=U, trouble="timeout"), {"dangling-mail": {"registration-unseen?"}}),
    (pointing(registered=U, unasked=True), {}),
    (pointing(registered=U, domain_exists=R, exists=R), {"dangling-mail": {"no-domain"}}),
    (pointing(Role.NAME_SERVER, registered=R, domain_exists=R, exists=R),
     {"dangling-name-servers": {"unregistered"}}),
    (pointing(Role.ALIAS, service="Service", free=A), {"dangling-aliases": {"claimable"}}),
    (pointing(Role.WILDCARD, service="Service", free=A), {"dangling-aliases": {"claimable"}}),
    (host(name="ns1.sedoparking.com"), {"parked": {"parked"}}),
    (host(name="ns1.fbi.seized.gov"), {"parked": {"seized"}}),
    ({"spf": Spf()}, {"spf": {"none"}}),
    ({"spf": None}, {"spf": {"spf-unseen?"}, "dangling-mail": {"spf-unseen?"}}),
    ({"spf": Spf(("v=spf1 ?all",), "?all")}, {"spf": {"open"}}),
    ({"spf": Spf(("v=spf1 +all",), "+all", everybody=("example.jp",))}, {"spf": {"everybody"}}),
    ({"spf": Spf(("v=spf1 include:a.b -all",), "-all", 1, broken=("a.b",))}, {"spf": {"broken"}}),
    ({"spf": Spf(("v=spf1 redirect=a.b",), "", 1, unseen=("a.b",))},
     {"spf": {"taken-in-unseen?"}, "dangling-mail": {"taken-in-unseen?"}}),
    ({"spf": Spf(("v=spf1 a", "v=spf1 mx"), "", 1)}, {"spf": {"several", "open"}}),
    ({"spf": Spf(("v=spf1 redirect=a.b -all",), "-all", 11)}, {"spf": {"lookups"}}),
    ({"dmarc": Dmarc()}, {"dmarc": {"none"}}),
    ({"dmarc": None}, {"dmarc": {"unseen?"}}),
    ({"dmarc": Dmarc("example.jp", ("v=DMARC1; p=none",), "none")}, {"dmarc": {"policy"}}),
    ({"dmarc": Dmarc("example.jp", ("…",), "")}, {"dmarc": {"twice"}}),
    ({"dmarc": Dmarc("example.jp", ("…",), "reject", below="none")}, {"dmarc": {"below"}}),
    ({"dmarc": Dmarc("example.jp", ("…",), "reject", True)}, {"dmarc": {"testing"}}),
    ({"mta_sts": TransportPolicy()}, {"mail-transport": {"none"}}),
    ({"mta_sts": None},
     {"mail-transport": {"sts-unseen?"}, "dangling-mail": {"sts-unseen?"}}),
    ({"mta_sts": TransportPolicy(), "hosts": (MailHost("a.b", 1, A, A),)}, {}),
    ({"hosts": (MailHost("a.b", 1, A, A, fits=R),)}, {"mail-transport": {"tlsa"}}),
    ({"mta_sts": TransportPolicy(), "hosts": (MailHost("a.b", 1, A, U),)},
     {"mail-transport": {"dane-unseen?"}}),
    ({"mta_sts": TransportPolicy("v=STSv1", U)}, {"mail-transport": {"policy-unseen?"}}),
    ({"mta_sts": TransportPolicy("v=STSv1", R)}, {"mail-transport": {"no-policy"}}),
    ({"mta_sts": TransportPolicy("v=STSv1", A, "testing")}, {"mail-transport": {"mode"}}),
    ({"mta_sts": TransportPolicy("v=STSv1", A, "enforce", ("*.other.jp",))},
     {"mail-transport": {"not-covered"}}),
    ({"tls_reports": ""}, {"tls-reports": {"none"}}),
    ({"takes": U}, {"dangling-mail": {"unseen?"}, "mail-transport": {"unseen?"}}),
    ({"takes": U, "implicit": True},
     {"mail-transport": {"implicit?"}, "tls-reports": {"implicit?"}}),
    ({"takes": R, "hosts": (), "tls_reports": "", "mta_sts": TransportPolicy()}, {}),
]  # fmt: skip


@pytest.mark.parametrize(("changes", "expected"), CHANGES)
def test_one_thing_changed(changes: dict[str, Any], expected: dict[str, set[str]]) -> None:
    assert judged(dns_observation(**changes)) == expected


def test_dane_needs_a_zone_that_is_signed() -> None:
    hosts = (MailHost("a.b", 1, A, A),)
    unsigned = replace(ZONE, security=replace(ZONE.security, standing=Standing.INSECURE))
    mail = replace(GOOD.mail, mta_sts=TransportPolicy(), hosts=hosts)
    found = judged(dns_observation(zones=(unsigned,), mail=mail))
    assert found["mail-transport"] == {"none"}


def test_a_domain_that_does_not_exist_is_said_to_be_so_once() -> None:
    gone = Zone("example.jp", "jp", R)
    found = judged(dns_observation(zones=(gone,), names=(), pointers=()))
    assert found == {"delegation": {"nonexistent"}}


def test_servers_that_answer_nothing_leave_everything_open() -> None:
    silent = tuple(
        replace(s, udp=Outcome.SILENT, tcp=Outcome.SILENT, serial=None) for s in ZONE.servers
    )
    found = judged(dns_observation(servers=silent))
    assert found["name-servers-answer"] == {"dead"}
    for rule in ("recursion", "zone-transfer", "tcp", "edns", "same-serial"):
        assert found[rule]
        assert all(code.endswith("?") for code in found[rule])


def test_where_nobody_answers_us_nobody_is_called_dead() -> None:
    silent = tuple(replace(s, udp=Outcome.SILENT, tcp=Outcome.SILENT) for s in ZONE.servers)
    found = judged(dns_observation(servers=silent, exchanges=()))
    assert found["name-servers-answer"] == {"silent?"}


def test_an_alias_to_a_name_without_an_address_is_looked_at_as_an_alias() -> None:
    aliases = (Alias("www.example.jp", "a.other.jp"),)
    changes = {"exists": R, "addresses": (), "https": (), "aliases": aliases}
    lost = pointing(Role.ALIAS, registered=R, domain_exists=R, exists=R)
    assert judged(dns_observation(**changes, **lost)) == {"dangling-aliases": {"unregistered"}}


def test_a_new_name_server_that_only_the_zone_names() -> None:
    extra = NameServer("ns3.example.jp", False, A, (), ("9.9.9.9",), A, complete=True)
    found = judged(dns_observation(name_servers=(*ZONE.name_servers, extra)))
    assert found == {"delegation": {"only-at-child"}}


def test_nothing_known_passes_nothing() -> None:
    assert set(judged(blank_dns())) == set(MINE)
