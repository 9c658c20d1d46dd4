"""What belongs together: the TLSA records of a mail host, and what it shows by STARTTLS."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.make import dns_observation, domain_look, good_look
from tlscheck import domains
from tlscheck.model import Look, Place, State
from tlscheck.observations.certificate import CertificateObservation
from tlscheck.observations.dns import DnsObservation, MailHost

HOST = "mail.example.jp"
A, R, U = State.ACCEPTED, State.REFUSED, State.UNKNOWN


def shown() -> Look:
    """A look at the mail host."""
    entry = good_look()
    place = Place(HOST, 25, "smtp", "45.76.20.20", HOST)
    return replace(entry, target=replace(entry.target, target=place))


def leaf() -> tuple[str, str]:
    seen = shown().seen["certificate"]
    assert isinstance(seen, CertificateObservation)
    return seen.chains[0].leaf.sha256, seen.chains[0].leaf.spki_sha256


def fits(*tlsa: str, endpoints: tuple[Look, ...] | None = None) -> State:
    host = MailHost(HOST, 10, A, A, tlsa=tlsa)
    look = domain_look(dns=dns_observation(hosts=(host,)))
    (done,) = domains.completed([look], (shown(),) if endpoints is None else endpoints)
    seen = done.seen["dns"]
    assert isinstance(seen, DnsObservation)
    return seen.mail.hosts[0].fits


@pytest.mark.parametrize(
    ("records", "state"),
    [
        (("3 1 1 {spki}",), A),
        (("3 0 1 {whole}",), A),
        (("3 1 1 {none}", "3 1 1 {spki}"), A),
        (("3 1 1 {none}",), R),
        (("3 1 1 {whole}",), R),
        (("3 1 1 {none}", "3 1 2 {none}"), U),
        ((), U),
    ],
)
def test_whether_a_record_fits(records: tuple[str, ...], state: State) -> None:
    whole, spki = leaf()
    made = [r.format(whole=whole, spki=spki, none="0" * 64) for r in records]
    assert fits(*made) is state


def test_where_nothing_was_shown_nothing_is_known() -> None:
    assert fits("3 1 1 " + "0" * 64, endpoints=()) is U
