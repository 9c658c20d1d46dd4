"""Letters: what they say, and that nothing a server sent is more than text in them."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any

import pytest

from tests import make
from tests.history.make_history import old
from tests.smtp import body, parsed
from tlscheck import judge
from tlscheck.changes import Accepted, Change, Direction, Origin
from tlscheck.changes.certificates import ISSUER, NEW
from tlscheck.config.watching import Mail, Recipient, mailbox
from tlscheck.errors import HistoryError
from tlscheck.mail.letter import Letter, letter
from tlscheck.mail.news import News, Occasion
from tlscheck.model import (
    Look,
    Missed,
    Problem,
    Reason,
    Scope,
    Severity,
    State,
    Target,
    Verdict,
    Waiver,
)
from tlscheck.report import Report
from tlscheck.waivers import Waived, covered

AT = datetime(2026, 11, 21, 3, 17, tzinfo=UTC)
MAIL = Mail("smtp://localhost", "検査 <tlscheck@例え.jp>", (Recipient("a@example.jp"),))
HOSTILE = (
    "x\r\nBcc: all@example.jp\r\n\r\n<script>alert(1)</script>\x1b[31m\u202egnp\u2028.\r\n.\r\n"
)


def change(words: str = "TLS 1.0", **values: Any) -> Change:
    told = {
        "kind": Origin.ENDPOINT,
        "target": "https://www.example.jp:443#192.0.2.1",
        "subject": "tls.versions",
        "code": "unwanted",
        "template": "{verdict}, before: {verdict_before}",
        "values": {"verdict": "fail", "verdict_before": "pass"},
        "severity": Severity.HIGH,
        "direction": Direction.WORSE,
        "evidence": (Problem("unwanted", "{version} is accepted", version=words),),
    }
    return Change(**(told | values))


def news(*changes: Change, **more: Any) -> News:
    report = judge.judge(make.scan(old(), make.good_look("other.example.jp")))
    occasion = Occasion.CHANGED if changes else Occasion.BASELINE
    return News(report, more.pop("occasion", occasion), changes, AT, **more)


def made(it: News, lang: str = "ja", mail: Mail = MAIL, *to: str) -> Letter:
    return letter(it, mail, to or ("a@example.jp", "b@example.jp"), b"seed", AT, lang)


def test_it_goes_through_any_relay() -> None:
    raw = made(news(change())).message
    assert raw.isascii()
    lines = raw.split(b"\r\n")
    assert max(map(len, lines)) <= 78
    assert not any(b"\n" in line or b"\r" in line for line in lines)
    assert b"8bit" not in raw


def test_its_head_and_its_parts() -> None:
    message = parsed(made(news(change())).message)
    assert message["Subject"].startswith("[tlscheck] 高")
    assert "www.example.jp:443 (192.0.2.1)" in message["Subject"]
    assert message["From"] == "検査 <tlscheck@xn--r8jz45g.jp>"
    assert message["To"] == "a@example.jp, b@example.jp"
    assert message["Auto-Submitted"] == "auto-generated"
    assert message["Message-ID"].endswith("@xn--r8jz45g.jp>")
    assert [part.get_content_type() for part in message.walk()] == [
        "multipart/alternative",
        "text/plain",
        "text/html",
    ]
    assert "接続先" in body(message)
    assert "接続先" in body(message, "html")


def test_attachments_by_choice() -> None:
    mail = replace(MAIL, attach=("html", "json"))
    message = parsed(made(news(change()), "ja", mail).message)
    files = {part.get_filename(): part.get_content_type() for part in message.iter_attachments()}
    day = f"{news().report.scan.at:%Y-%m-%d}"
    assert files == {
        f"tlscheck-{day}.html": "text/html",
        f"tlscheck-{day}.json": "application/json",
    }
    small = parsed(made(news(change()), "en", replace(mail, largest=10_000)).message)
    assert list(small.iter_attachments()) == []
    assert "as html is too large to be attached" in body(small)


def test_the_same_letter_has_the_same_id() -> None:
    ids = {made(news(change())).message_id for _ in range(2)}
    assert len(ids) == 1
    assert made(news(change()), "ja", MAIL, "c@example.jp").message_id not in ids


@pytest.mark.parametrize("lang", ["en", "ja"])
def test_nothing_that_a_server_sent_is_more_than_text(lang: str) -> None:
    hostile = change(
        HOSTILE,
        target=f"https://{HOSTILE}:443",
        subject=HOSTILE,
        values={"verdict": HOSTILE, "verdict_before": "pass"},
    )
    key = hostile.key
    it = news(
        hostile, change(code="b"), accepted={key: Accepted(key, HOSTILE, HOSTILE, "2026-01-01")}
    )
    raw = made(it, lang).message
    message = parsed(raw)
    assert set(message.keys()) == {
        "Subject", "From", "To", "Date", "Message-ID", "Auto-Submitted", "Content-Language",
        "MIME-Version", "Content-Type",
    }  # fmt: skip
    assert message["To"] == "a@example.jp, b@example.jp"
    assert message.defects == []
    text, page = body(message), body(message, "html")
    for shown in (text, page, message["Subject"]):
        assert not any(bad in shown for bad in ("\x1b", "\u202e", "\u2028", "\r"))
    assert "\nBcc:" not in text
    assert "<script>" not in page
    assert "\n.\n" not in text


def test_a_subject_that_a_server_made_is_hostile_alone() -> None:
    message = parsed(made(news(change(HOSTILE)), "en").message)
    assert message["Subject"].startswith("[tlscheck] High: www.example.jp:443")
    assert "Bcc" not in message.keys()  # noqa: SIM118 - case-insensitive otherwise
    assert len(message["Subject"]) < 200


@pytest.mark.parametrize(
    ("it", "subject", "text"),
    [
        (news(), "First look: Fail ", "Places looked at (endpoints, addresses, domains): 2."),
        (news(occasion=Occasion.QUIET), "Nothing changed: Fail ", "still at work"),
        (news(occasion=Occasion.BLIND), "What changed is not known: Fail ", "how it stands"),
        (news(change()), "High: www.example.jp:443 (", "for the worse: 1"),
        (news(change(), change(code="b")), "(and 1 more)", "for the worse: 2"),
        (news(change(), unconfirmed=3), "High", "did not show 3 differences again"),
        (
            news(change(), unkept=HistoryError("{file}: full", file="h.db")),
            "The history was not kept; High",
            "The history was not kept: h.db: full",
        ),
        (
            news(occasion=Occasion.BLIND, unread=HistoryError("{file}: bad", file="h.db")),
            "What changed",
            "could not be compared with: h.db: bad",
        ),
    ],
)
def test_occasions(it: News, subject: str, text: str) -> None:
    message = parsed(made(it, "en").message)
    assert subject in message["Subject"]
    assert text in body(message)
    assert text in body(message, "html")


def test_the_worst_comes_first_and_the_accepted_last() -> None:
    mild = change(severity=Severity.LOW, evidence=(), code="mild")
    grave = change(severity=Severity.CRITICAL, code="grave")
    known = {grave.key: Accepted(grave.key, "Sato", "meant", "2026-11-20T00:00:00+00:00")}
    assert "Critical" in parsed(made(news(mild, grave), "en").message)["Subject"]
    message = parsed(made(news(mild, grave, accepted=known), "en").message)
    assert "Low: www.example.jp:443" in message["Subject"]
    assert "accepted by Sato on 2026-11-20: meant" in body(message)


def standing(*severities: Severity) -> Report:
    """A report in which these fail, with a problem that says its weight."""
    made = news().report
    failed = [f for f in made.own() if f.verdict is Verdict.FAIL]
    assert len(failed) >= len(severities)
    given = [
        replace(f, severity=severity, evidence=(Problem("x", "{what}!", what=severity.value),))
        for f, severity in zip(failed, severities, strict=False)
    ]
    return replace(made, findings=tuple(given))


def test_a_baseline_names_the_worst() -> None:
    report = standing(Severity.LOW, Severity.CRITICAL)
    for occasion in (Occasion.BASELINE, Occasion.BLIND):
        it = replace(news(occasion=occasion), report=report)
        subject = parsed(made(it, "en").message)["Subject"]
        assert subject.endswith(
            ": Fail 2  Unknown 0; Critical: www.example.jp:443 (192.0.2.1): critical!"
        )
    critical = next(f for f in report.findings if f.severity is Severity.CRITICAL)
    waiver = Waiver(
        rule=critical.rule, target="www.example.jp", who="Sato", reason="x", until=AT.date()
    )
    borne = replace(report, waived=(Waived(waiver, False, (covered(critical),), ()),))
    subject = parsed(made(replace(news(), report=borne), "en").message)["Subject"]
    assert subject.endswith("; Low: www.example.jp:443 (192.0.2.1): low!")
    quiet = replace(news(occasion=Occasion.QUIET), report=report)
    assert "Critical" not in parsed(made(quiet, "en").message)["Subject"]
    advice = replace(news(), report=standing(Severity.INFO))
    assert parsed(made(advice, "en").message)["Subject"].endswith("Unknown 0")


@pytest.mark.parametrize("before", ["2027-02-01T00:00:00Z", "2027-01-01T00:00:00Z"])
def test_a_renewal_is_told_by_what_it_says(before: str) -> None:
    told = {"evidence": (), "severity": Severity.INFO, "direction": Direction.NEUTRAL}
    name = "booking.clinic.example.jp"
    told |= {"subject": "certificate", "target": f"https://{name}:443#2001:db8:aaaa:bbbb::1234"}
    values = {"now": "2027-02-01T00:00:00Z", "before": before, "sha256": "a", "sha256_before": "b"}
    new = change(**told, code="new", template=NEW, values=values)
    issuer = change(
        **told, code="new-issuer", template=ISSUER, values={"now": "CN=A", "before": "CN=B"}
    )
    alone = parsed(made(news(new), "en").message)["Subject"]
    assert alone.endswith("a new certificate, valid until 2027-02-01 00:00:00 UTC")
    both = parsed(made(news(new, issuer), "en").message)["Subject"]
    says_nothing = before == values["now"]
    assert ("from another issuer" in both) == says_nothing
    assert both.endswith("(and 1 more)")


@pytest.mark.parametrize("lang", ["en", "ja"])
def test_an_early_end_is_said_and_is_no_quiet_night(lang: str) -> None:
    quiet = replace(news(), occasion=Occasion.QUIET, changes=(), unlooked=3)
    message = parsed(made(quiet, lang).message)
    assert "3" in message["Subject"]
    if lang == "en":
        told = "The run was ended early; not looked at: 3 targets."
        assert told in message["Subject"]
        assert told in body(message)
        assert "Nothing changed." not in body(message)


def test_why_all_is_unknown_that_somebody_intercepts() -> None:
    nobody = {store: replace(word, state=State.REFUSED) for store, word in make.GOOD.trust.items()}
    looks = (
        make.good_look(host, certificate=make.certificate_for(host, trust=nobody, ca_file=None))
        for host in ("a.example", "b.example.net", "c.example.org")
    )
    it = News(judge.judge(make.scan(*looks)), Occasion.BASELINE, (), AT)
    assert "not seen: TLS: something on the way" in body(parsed(made(it, "en").message))


def test_a_server_that_is_down_is_said_to_be() -> None:
    lost = [
        change(
            subject=subject, code="unseen", evidence=(), kind=Origin.ENDPOINT,
            severity=Severity.MEDIUM, template="{looked}: {reason}",
            values={"looked": subject, "reason": "connection_refused"},
        )
        for subject in ("certificate", "http", "tls")
    ]  # fmt: skip
    subject = parsed(made(news(*lost, change(code="x", severity=Severity.LOW)), "en").message)
    assert (
        "the server does not answer: the connection was refused (and 1 more)" in subject["Subject"]
    )
    alone = parsed(made(news(lost[0]), "en").message)
    assert "does not answer" not in alone["Subject"]


def test_targets_are_called_what_reports_call_them() -> None:
    """One that did not resolve, and two that are in the scan no more."""
    book = Target("https://book.example.jp:443", Scope.NAME, label="予約")
    shop = Target("https://shop.example.jp:443", Scope.NAME, label="予約")
    lost = tuple(Look(target, {}, (Missed("tls", Reason.UNRESOLVED),)) for target in (book, shop))
    left = [
        change(target=target, subject="target", severity=Severity.INFO, evidence=())
        for target in ("https://gone.example.jp:443#192.0.2.7", "https://left.example.jp:8443")
    ]
    it = news(change(target=book.id), *left)
    kept = replace(make.good_look("gone.example.jp", "192.0.2.7").target, label="受付")
    looks = (*it.report.scan.looks, *lost)
    it = replace(
        it,
        report=judge.judge(replace(it.report.scan, looks=looks)),
        gone=(Look(kept, {}, ()),),
    )
    message = parsed(made(it).message)
    assert "高: 予約 book.example.jp:443:" in message["Subject"].replace("：", ": ")
    for text in (body(message), body(message, "html")):
        assert "受付 gone.example.jp:443 (192.0.2.7)" in text
        assert "left.example.jp:8443" in text
        assert "予約 book.example.jp:443" in text
        assert "予約 shop.example.jp:443" in text
        assert "https://gone" not in text
        assert "https://left" not in text


def test_what_is_borne_is_said_to_be() -> None:
    waiver = Waiver(
        rule="tls.deprecated-versions",
        target="www.example.jp",
        who="Sato",
        reason="until March",
        until=date(2027, 3, 31),
    )
    it = news()
    it = replace(it, report=judge.judge(replace(it.report.scan, waivers=(waiver,))))
    (borne,) = [f for f in it.report.own() if it.waived(f)]
    assert borne.rule == "tls.deprecated-versions"
    assert "borne until 2027-03-31 by Sato: until March" in body(parsed(made(it, "en").message))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a@example.jp", ("", "a@example.jp")),
        ("A B <a@example.jp>", ("A B", "a@example.jp")),
        ('"検査" <a@例え.jp>', ("検査", "a@xn--r8jz45g.jp")),
        ("root@localhost", ("", "root@localhost")),
        ("a", None),
        ("@example.jp", None),
        ("a@", None),
        ("a b@example.jp", None),
        ("a..b@example.jp", None),
        ("a@example..jp", None),
        ("日本@example.jp", None),
        ('"a b"@example.jp', None),
        ("a@example.jp, b@example.jp", None),
        ("a@example.jp\r\nBcc: b@example.jp", None),
        ("x\n <a@example.jp>", None),
        ("a@example.jp>", None),
        ("a" * 65 + "@example.jp", None),
        ("a@-x.jp", None),
    ],
)
def test_addresses(text: str, expected: tuple[str, str] | None) -> None:
    assert mailbox(text) == expected
