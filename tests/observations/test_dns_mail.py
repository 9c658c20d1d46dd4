"""Records about mail, as they are read."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tlscheck.model import State
from tlscheck.observations.dns import mail


@pytest.mark.parametrize(
    ("texts", "rest", "lookups", "hosts"),
    [
        (["v=spf1 -all"], "-all", 0, ()),
        (["v=SPF1 mx a:mail.example.jp ~all"], "~all", 2, ("mail.example.jp",)),
        (["v=spf1 all"], "+all", 0, ()),
        (["v=spf1 ip4:192.0.2.0/24 ip6:2001:db8::/32 ?all"], "?all", 0, ()),
        (["v=spf1 include:_spf.Example.com. redirect=other.jp"], "", 2,
         ("_spf.example.com", "other.jp")),
        (["v=spf1 exists:%{i}.example.jp -all"], "-all", 1, ()),
        (["other", "v=spf10 -all"], "", 0, ()),
    ],
)  # fmt: skip
def test_spf(texts: list[str], rest: str, lookups: int, hosts: tuple[str, ...]) -> None:
    found = mail.spf(texts)
    assert (found.rest, found.lookups, found.hosts, found.error) == (rest, lookups, hosts, "")


def test_a_term_that_is_none() -> None:
    assert mail.spf(["v=spf1 ipv4:192.0.2.1 -all"]).error == "ipv4:192.0.2.1"
    assert len(mail.spf(["v=spf1 -all", "v=spf1 ~all"]).records) == 2


def test_what_a_record_takes_in() -> None:
    text = "v=spf1 ?include:a.jp include:%{d}.b.jp redirect=c.jp. a:d.jp -all"
    assert mail.followed(text) == ("a.jp", "c.jp")


def test_dmarc() -> None:
    text = "v=DMARC1; p=none; sp=Reject; t=y; rua=mailto:a@r.example!10m,mailto:b@s.example"
    own = mail.dmarc("example.jp", ["x", text], of_parent=False)
    assert own
    assert (own.policy, own.testing, own.reports) == ("none", True, ("r.example", "s.example"))
    above = mail.dmarc("jp", [text], of_parent=True)
    assert above
    assert above.policy == "reject"
    assert mail.dmarc("example.jp", ["v=DMARC2; p=none"], of_parent=False) is None


def test_mta_sts() -> None:
    lines = (
        "version: STSv1",
        "mode: enforce",
        "mx: mail.example.jp",
        "mx: *.a.jp",
        "max_age: 86400",
    )
    body = "\r\n".join(lines).encode()
    policy = mail.transport_policy("v=STSv1; id=1", body)
    assert policy.fetched is State.ACCEPTED
    assert (policy.mode, policy.max_age) == ("enforce", 86400)
    assert policy.hosts == ("mail.example.jp", "*.a.jp")
    assert mail.covered("x.a.jp", policy.hosts)
    assert not mail.covered("x.y.a.jp", policy.hosts)
    assert not mail.covered("a.jp", policy.hosts)
    assert mail.transport_policy("", b"<html>").fetched is State.REFUSED


@given(st.text(max_size=99), st.binary(max_size=99))
def test_nothing_a_zone_says_is_too_much(text: str, body: bytes) -> None:
    mail.spf([text, f"v=spf1 {text}"])
    mail.followed(text)
    mail.dmarc("a.jp", [f"v=DMARC1; {text}"], of_parent=False)
    mail.transport_policy(text, body)
