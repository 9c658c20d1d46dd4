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
        (["v=spf1 redirect=other.jp -all"], "-all", 1, ("other.jp",)),
        (["v=spf1 exists:%{i}._spf.%{d2}.example.jp -all"], "-all", 1, ("*.example.jp",)),
        (["v=spf1 exists:%{i}.%{d} -all"], "-all", 1, ()),
        (["other", "v=spf10 -all"], "", 0, ()),
    ],
)  # fmt: skip
def test_spf(texts: list[str], rest: str, lookups: int, hosts: tuple[str, ...]) -> None:
    found = mail.spf("example.jp", {"example.jp": mail.spf_terms(texts)})
    assert (found.rest, found.lookups, found.hosts, found.error) == (rest, lookups, hosts, "")


def test_a_term_that_is_none() -> None:
    assert mail.spf_terms(["v=spf1 ipv4:192.0.2.1 -all"]).error == "ipv4:192.0.2.1"
    for term in (
        "include",
        "include:a..jp",
        "a:" + "x" * 64 + ".jp",
        "mx:a\\256.jp",
        "a:\u3042.jp",
    ):
        assert mail.spf_terms([f"v=spf1 {term} -all"]).error == term
    assert len(mail.spf_terms(["v=spf1 -all", "v=spf1 ~all"]).records) == 2


def read(**records: str) -> mail.Spf:
    """The SPF record of ``own``, where each name has the record given; an empty one: none."""
    known = {name: mail.spf_terms([text] if text else []) for name, text in records.items()}
    return mail.spf("own", known)


def test_what_a_record_takes_in() -> None:
    terms = mail.spf_terms(["v=spf1 ?include:a.jp include:%{d}.b.jp redirect=c.jp. a:d.jp"])
    assert terms.taken_in == ("a.jp", "c.jp")
    # RFC 7208, section 6.1: an "all" anywhere has "redirect" ignored.
    assert mail.spf_terms(["v=spf1 redirect=c.jp -all"]).taken_in == ()


def test_what_is_taken_in_twice_costs_twice() -> None:
    found = read(own="v=spf1 include:a include:b -all", a="v=spf1 include:c -all",
                 b="v=spf1 include:c -all", c="v=spf1 a mx ptr -all")  # fmt: skip
    assert found.lookups == 2 + 2 + 2 * 3
    assert not found.broken + found.unseen + found.everybody


def test_what_takes_itself_in_costs_more_than_is_allowed() -> None:
    assert read(own="v=spf1 include:a -all", a="v=spf1 include:own -all").lookups > 10


def test_what_was_not_seen_is_said() -> None:
    assert read(own="v=spf1 include:a redirect=b").unseen == ("b", "a")
    assert read(own="v=spf1 redirect=b").rest == ""


def test_what_is_taken_in_must_have_one_sound_record() -> None:
    found = read(own="v=spf1 include:a include:b -all", a="", b="v=spf1 no-term -all")
    assert set(found.broken) == {"a", "b"}


@pytest.mark.parametrize(
    ("records", "everybody"),
    [
        ({"own": "v=spf1 +all"}, {"own"}),
        ({"own": "v=spf1 ip4:0.0.0.0/0 -all"}, {"own"}),
        ({"own": "v=spf1 -ip4:0.0.0.0/0 ip4:10.0.0.0/8 -all"}, set()),
        ({"own": "v=spf1 include:a -all", "a": "v=spf1 +all"}, {"a"}),
        ({"own": "v=spf1 ?include:a -all", "a": "v=spf1 +all"}, set()),
        ({"own": "v=spf1 include:a -all", "a": "v=spf1 ?all"}, set()),
        ({"own": "v=spf1 redirect=a", "a": "v=spf1 ip6:::/0 -all"}, {"a"}),
        ({"own": "v=spf1 include:a -all", "a": "v=spf1 include:b -all", "b": "v=spf1 all"}, {"b"}),
    ],
)
def test_who_lets_everybody_send(records: dict[str, str], everybody: set[str]) -> None:
    assert set(read(**records).everybody) == everybody


@pytest.mark.parametrize("rest", ["-all", "~all", "?all", "+all"])
def test_where_a_record_goes_on_elsewhere_that_one_says_the_rest(rest: str) -> None:
    assert read(own="v=spf1 redirect=a", a="v=spf1 redirect=b", b=f"v=spf1 {rest}").rest == rest


def test_dmarc() -> None:
    text = "v=DMARC1; p=none; sp=Reject; t=y; rua=mailto:a@r.example!10m,mailto:b@s.example"
    own = mail.dmarc("example.jp", ["x", text], of_parent=False)
    assert own
    assert (own.policy, own.testing, own.reports) == ("none", True, ("r.example", "s.example"))
    above = mail.dmarc("jp", [text], of_parent=True)
    assert above
    assert above.policy == "reject"
    assert mail.dmarc("example.jp", ["v=DMARC2; p=none"], of_parent=False) is None


@pytest.mark.parametrize(
    ("text", "policy", "below", "testing"),
    [
        ("v=DMARC1; p=reject", "reject", "", False),
        ("v=DMARC1; p=none; p=reject", "", "", False),
        ("v=DMARC1; p=reject; sp=none", "reject", "none", False),
        ("v=DMARC1; p=quarantine; np=none", "quarantine", "none", False),
        ("v=DMARC1; p=quarantine; sp=reject", "quarantine", "", False),
        ("v=DMARC1; p=none; sp=none", "none", "", False),
        ("v=DMARC1; p=reject; pct=0", "reject", "", True),
    ],
)
def test_what_weakens_dmarc(text: str, policy: str, below: str, testing: bool) -> None:
    found = mail.dmarc("example.jp", [text], of_parent=False)
    assert found
    assert (found.policy, found.below, found.testing) == (policy, below, testing)


def test_what_a_macro_makes_is_not_seen() -> None:
    assert read(own="v=spf1 include:%{d}.a.jp -all").unseen == ("*.a.jp",)


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
    mail.spf("own", {"own": mail.spf_terms([text, f"v=spf1 {text}"])})
    mail.dmarc("a.jp", [f"v=DMARC1; {text}"], of_parent=False)
    mail.transport_policy(text, body)
