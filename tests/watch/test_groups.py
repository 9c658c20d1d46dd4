"""Who is told what."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime

from tests import make
from tests.history.make_history import old
from tlscheck import judge
from tlscheck.changes import Accepted, Change, Direction, Origin
from tlscheck.config.watching import Mail, Recipient
from tlscheck.mail.news import News, Occasion
from tlscheck.model import Severity, Waiver
from tlscheck.pipeline import Asked
from tlscheck.targets import parse
from tlscheck.watch.groups import Group, groups, part, worth

AT = datetime(2026, 11, 21, tzinfo=UTC)
REPORT = judge.judge(make.scan(old("www.example.jp"), make.good_look("other.example.net")))
WWW, OTHER = (look.target.id for look in REPORT.scan.looks)
ASKED = (Asked(parse("www.example.jp"), "予約"), Asked(parse("other.example.net"), "会計"))


def change(target: str, code: str = "x", kind: Origin = Origin.ENDPOINT) -> Change:
    return Change(
        kind, target, "tls.versions", code, "{verdict}", {"verdict": "fail"}, Severity.HIGH,
        Direction.WORSE,
    )  # fmt: skip


def news(*changes: Change) -> News:
    return News(REPORT, Occasion.CHANGED, changes, AT)


def test_recipients_of_the_same_get_one_letter() -> None:
    to = (
        Recipient("a@example.jp"),
        Recipient("b@example.jp", ("予約",)),
        Recipient("c@example.jp"),
        Recipient("d@example.jp", ("会計", "予約")),
        Recipient("a@example.jp"),
    )
    assert groups(Mail("smtp://h", "x@example.jp", to)) == (
        Group(frozenset(), ("a@example.jp", "c@example.jp")),
        Group(frozenset({"予約"}), ("b@example.jp",)),
        Group(frozenset({"会計", "予約"}), ("d@example.jp",)),
    )


def test_by_label_only_what_concerns_them() -> None:
    it = news(
        change(WWW),
        change(OTHER),
        change("example.jp"),
        change("example.net"),
        change("https://www.example.jp:443#192.0.2.99"),
        change("", "answer"),
        change("", "version", Origin.TLSCHECK),
    )
    own = part(it, Group(frozenset({"予約"}), ("b@example.jp",)), ASKED)
    told = {(each.target, each.code) for each in own.changes}
    assert told == {
        (WWW, "x"),
        ("example.jp", "x"),
        ("https://www.example.jp:443#192.0.2.99", "x"),
        ("", "version"),
    }
    assert [look.target.id for look in own.report.scan.looks] == [WWW]
    assert {finding.target for finding in own.report.findings} == {WWW}
    assert {answer.target for answer in own.report.answers} <= {None, WWW}
    assert own.report.findings == tuple(f for f in REPORT.findings if f.target == WWW)
    assert part(it, Group(frozenset(), ()), ASKED) is it


def test_what_belongs_to_nobody_concerns_everybody() -> None:
    it = news(change("192.0.2.77"))
    assert part(it, Group(frozenset({"予約"}), ()), ASKED).changes == it.changes


def test_what_is_not_asked_for_any_more_concerns_whom_it_did() -> None:
    look = make.good_look("api.example.org", "192.0.2.9")
    gone = replace(look, target=replace(look.target, label="API"))
    it = replace(news(change(gone.target.id)), gone=(gone,))
    assert part(it, Group(frozenset({"予約"}), ()), ASKED).changes == ()
    assert part(it, Group(frozenset({"API"}), ()), ASKED).changes == it.changes


def test_what_is_worth_a_letter() -> None:
    one = change(WWW)
    assert worth(news(one))
    assert not worth(news())
    known = {one.key: Accepted(one.key, "Sato", "meant", "2026-11-20T00:00:00+00:00")}
    assert not worth(replace(news(one), accepted=known))
    assert worth(replace(news(one, change(WWW, "y")), accepted=known))
    waiver = Waiver(
        rule="tls.deprecated-versions",
        target="www.example.jp",
        who="Sato",
        reason="x",
        until=date(2027, 1, 1),
    )
    borne = judge.judge(replace(REPORT.scan, waivers=(waiver,)))
    one = replace(one, subject="tls.deprecated-versions")
    assert not worth(replace(news(one), report=borne))
    assert worth(replace(news(one, change(OTHER)), report=borne))
    assert worth(replace(news(replace(one, code="waiver-ends")), report=borne))
    assert worth(replace(news(), occasion=Occasion.BASELINE))
    assert worth(replace(news(), unlooked=2, ended_anew=True))
    assert not worth(replace(news(), unlooked=2))


def test_a_part_is_not_judged_anew() -> None:
    """Interception is seen by comparing targets: what was doubted stays so in a part."""
    hosts = ("a.example.jp", "b.example.net", "c.example.org", "d.example.com")
    whole = judge.judge(make.scan(*(make.good_look(host) for host in hosts)))
    target = whole.scan.looks[0].target.id
    own = judge.part(whole, {target})
    assert own.findings == tuple(f for f in whole.findings if f.target == target)
