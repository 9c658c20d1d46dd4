"""Mail on its way: relays that will not, disks that cannot, runs that end."""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import os
import shutil
import signal
import socket
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from email.message import EmailMessage
from email.policy import SMTP
from pathlib import Path

import pytest

from tests import make
from tests.history.make_history import at, night
from tests.smtp import Inbox, body, parsed, taking
from tlscheck import compare, judge, report
from tlscheck.config.watching import Mail, Recipient, relay
from tlscheck.errors import HistoryError
from tlscheck.history import Store, opened, outbox, scans
from tlscheck.mail.news import News, Occasion
from tlscheck.mail.relay import Means
from tlscheck.net import now
from tlscheck.text import voice
from tlscheck.watch import mailing
from tlscheck.watch.mailing import Post, Waiting, deliver

halting = importlib.import_module("tlscheck.watch.halting")  # a function has its name, too
A, B = "a@example.jp", "b@example.jp"


@pytest.fixture
def inbox() -> Inbox:
    return Inbox()


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with opened(tmp_path / "history.db", create=True) as store:
        yield store


def post(port: int, seconds: float = 30) -> Post:
    where = relay(f"smtp://127.0.0.1:{port}")
    assert where
    mail = Mail("smtp://h", "tlscheck@example.jp", (Recipient(A),))
    return Post(mail, Means(where, seconds=seconds), (), "en")


def letter(name: str, attached: int = 0) -> bytes:
    message = EmailMessage(policy=SMTP)
    message["Subject"], message["Message-ID"] = "TLS", name
    message["From"], message["To"] = "tlscheck@example.jp", A
    message.set_content("Since yesterday.\n\nmore\n", cte="base64")
    page = "<p><strong>Since yesterday.</strong></p><p>more</p>"
    message.add_alternative(page, subtype="html", cte="base64")
    if attached:
        data = os.urandom(attached)
        message.add_attachment(data, maintype="application", subtype="pdf", filename="x.pdf")
    return message.as_bytes()


def put(store: Store, name: str, *to: str, days: float = 0, tries: int = 0, size: int = 0) -> None:
    """A mail that has waited for so long."""
    made = now() - timedelta(days)
    outbox.put(store, outbox.Mail(name, to or (A,), letter(name, size)), made)
    with store.writing() as db:
        db.execute("UPDATE outbox SET tries = ? WHERE message_id = ?", (tries, name))


def said(line: mailing.Line) -> str:
    return voice("en")(line.template, **line.values)


def waiting(store: Store) -> dict[str, tuple[str, ...]]:
    """Who has not got what yet."""
    return {q.mail.message_id: q.mail.recipients for q in outbox.due(store, mailing.ALWAYS)}


def test_a_target_that_was_taken_out_is_called_what_it_was(store: Store) -> None:
    look = make.good_look("book.example.jp", "192.0.2.7")
    book = replace(look, target=replace(look.target, label="予約"))
    scans.keep(store, night(0, make.good_look(), book), "0.json", now())
    data = night(1, make.good_look())
    since = compare.latest(store, data, "1.json")
    assert since
    scan = report.decode(data, "1.json")
    news = News(judge.judge(scan), Occasion.CHANGED, since[1], at(0))
    for known, name in ((store, "予約 book.example.jp:443 (192.0.2.7)"), (None, "book.example.jp")):
        (made,) = post(1).letters(news, known, b"seed")
        text = body(parsed(made.message))
        assert f"\n  {name}" in text
        assert "https://book" not in text


# ---- the disk --------------------------------------------------------------------------------


@contextlib.contextmanager
def leaving(folder: Path, size: int) -> Iterator[None]:
    """So many bytes of its disk are free."""
    ballast = folder / "ballast"
    with ballast.open("wb") as file:
        os.posix_fallocate(file.fileno(), 0, shutil.disk_usage(folder).free - size)
    try:
        yield
    finally:
        ballast.unlink()


def test_a_disk_that_is_nearly_full_repeats_no_mail(small_disk: Path, inbox: Inbox) -> None:
    """However much is left: what is sent is noted, or it is not sent."""
    path = small_disk / "history.db"
    with opened(path, create=True) as store:
        put(store, "<1@x>", size=60_000)
        put(store, "<2@x>", A, B)
    inbox.refused[B] = "450 later"
    refusals = []
    with taking(inbox) as port:
        for left in range(8, 400, 28):
            with leaving(small_disk, left * 1024):
                try:
                    with opened(path) as store:
                        refusals += map(str, deliver(store, post(port)).troubles)
                except HistoryError as error:
                    refusals.append(str(error))
        assert refusals
        assert all("the disk is full" in each for each in refusals)
        assert sorted(inbox.ids) == ["<1@x>", "<2@x>"]
        inbox.refused.clear()
        with opened(path) as store:
            assert deliver(store, post(port)) == Waiting()
    assert sorted(inbox.ids) == ["<1@x>", "<2@x>", "<2@x>"]
    assert [each.rcpt_tos for each in inbox.got][-1] == [B]


def test_a_mail_that_cannot_be_noted_keeps_no_other(small_disk: Path, inbox: Inbox) -> None:
    path = small_disk / "history.db"
    with opened(path, create=True) as store:
        put(store, "<large@x>", A, B, size=100_000)
        put(store, "<small@x>")
        with taking(inbox) as port, leaving(small_disk, 240 * 1024):
            done = deliver(store, post(port))
        assert [str(each).partition(": ")[2] for each in done.troubles] == [
            "cannot be used: the disk is full; make room on it and run again"
        ]
        assert waiting(store) == {"<large@x>": (A, B)}
    assert inbox.ids == ["<small@x>"]


# ---- the relay -------------------------------------------------------------------------------


@pytest.mark.parametrize("announced", [True, False])
def test_a_mail_that_is_too_large_goes_without_attachments(
    store: Store, inbox: Inbox, announced: bool
) -> None:
    put(store, "<1@x>", size=60_000)
    inbox.largest = 0 if announced else 20_000
    options = {"data_size_limit": 20_000} if announced else {}
    with taking(inbox, **options) as port:
        assert deliver(store, post(port)) == Waiting()
    (message,) = inbox.messages
    assert (message["Message-ID"], message["Subject"]) == ("<1@x>", "TLS")
    assert list(message.iter_attachments()) == []
    for kind in ("plain", "html"):
        assert "the relay takes no message of that size" in body(message, kind)
        assert "Since yesterday." in body(message, kind)
        assert "more" in body(message, kind)
    assert waiting(store) == {}


def test_a_mail_that_is_too_large_as_it_is(store: Store, inbox: Inbox) -> None:
    put(store, "<1@x>")
    inbox.largest = 10
    with taking(inbox) as port:
        done = deliver(store, post(port))
    assert (done.left, done.passing, inbox.got) == (1, False, [])


def test_a_recipient_who_is_refused_for_good_is_given_up(store: Store, inbox: Inbox) -> None:
    put(store, "<new@x>", A, B, days=6.9, tries=40)
    put(store, "<rare@x>", A, B, days=8, tries=3)
    put(store, "<old@x>", A, B, days=8, tries=4)
    put(store, "<nobody@x>", B, days=8, tries=4)
    inbox.refused[B] = "550 no such user"
    with taking(inbox) as port:
        done = deliver(store, post(port))
        assert done.left == 2
        assert list(map(said, done.gone)) == [
            f"mail to {B} is given up after 8 days: 550 no such user"
        ]
        assert [said(each) for each in done.lines] == [f"mail to {B} waits: 550 no such user"]
        assert waiting(store) == {"<new@x>": (B,), "<rare@x>": (B,)}
        assert deliver(store, post(port)).gone != ()  # the rare one, at its fifth try
        assert deliver(store, post(port)).gone == ()
    assert inbox.ids == ["<new@x>", "<rare@x>", "<old@x>"]


def test_what_may_pass_is_tried_for_a_month(store: Store, inbox: Inbox) -> None:
    put(store, "<1@x>", days=29, tries=99)
    put(store, "<2@x>", days=31, tries=99)
    inbox.mail = "451 come back later"
    with taking(inbox) as port:
        done = deliver(store, post(port))
    assert [said(each) for each in done.gone] == [
        f"mail to {A} is given up after 31 days: the relay says: 451 come back later"
    ]
    assert waiting(store) == {"<1@x>": (A,)}
    scans.prune(store, now() + timedelta(2), 1, 1)
    names = store.db.execute("SELECT message_id FROM outbox").fetchall()
    assert names == [("<1@x>",)]


def test_what_waits_for_days_takes_little_room(store: Store, inbox: Inbox) -> None:
    put(store, "<1@x>", days=4, size=60_000)
    inbox.mail = "451 come back later"
    with taking(inbox) as port:
        deliver(store, post(port))
        ((size,),) = store.db.execute("SELECT length(message) FROM outbox").fetchall()
        assert size < 5_000
        inbox.mail = None
        deliver(store, post(port))
    (message,) = inbox.messages
    assert "tlscheck history list" in body(message)


# ---- the end ---------------------------------------------------------------------------------


@contextlib.contextmanager
def hanging() -> Iterator[int]:
    """A relay that says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener.getsockname()[1]


async def told(path: Path, seconds: float, signals: int = 0) -> tuple[Waiting, float]:
    """A round through the outbox while the relay hangs; how long it took."""
    with hanging() as port, halting.halting(seconds) as halt:
        for number in range(signals):
            asyncio.get_running_loop().call_later(
                0.3 + number / 5, os.kill, os.getpid(), signal.SIGTERM
            )
        begun = time.monotonic()
        done = await halting.beside(
            lambda cut: mailing.deliver_patiently(path, post(port), cut, patience=True), halt
        )
        return done, time.monotonic() - begun


@pytest.mark.parametrize(
    ("deadline", "signals", "least"), [(0.1, 0, 0.5), (99, 1, 0.5), (99, 2, 30)]
)
def test_a_relay_that_hangs_holds_no_run_up(
    store: Store,
    monkeypatch: pytest.MonkeyPatch,
    deadline: float,
    signals: int,
    least: float,
) -> None:
    monkeypatch.setattr(halting, "_LEAST", least)
    put(store, "<1@x>")
    put(store, "<2@x>")
    done, took = asyncio.run(told(store.path, deadline, signals))
    assert took < 3
    assert done.left == 2
    assert [said(each) for each in done.lines] == [
        f"mail to {A} waits: the run was ended before the relay had taken it"
    ]
    assert waiting(store).keys() == {"<1@x>", "<2@x>"}
