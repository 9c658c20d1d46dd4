"""What targets are called for people."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests import make
from tlscheck.model import Look, Missed, Reason, Scope, Target
from tlscheck.render.naming import label, namer, spot

BOOK = "https://book.example.jp:443"


def unresolved(name: str = BOOK, called: str = "予約") -> Look:
    target = Target(name, Scope.NAME, label=called)
    return Look(target, {}, (Missed("tls", Reason.UNRESOLVED),))


@pytest.mark.parametrize(
    ("target", "called", "where"),
    [
        (Target(BOOK, Scope.NAME, label="予約"), "予約 book.example.jp:443", "book.example.jp:443"),
        (Target(BOOK, Scope.NAME), "book.example.jp:443", "book.example.jp:443"),
        (
            Target(BOOK, Scope.NAME, label="book.example.jp"),
            "book.example.jp:443",
            "book.example.jp:443",
        ),
        (Target("example.jp", Scope.NAME), "example.jp", "example.jp"),
        (
            Target("192.0.2.1", Scope.ADDRESS, label="a.example.jp"),
            "192.0.2.1 (a.example.jp)",
            "192.0.2.1 (a.example.jp)",
        ),
        (
            replace(make.endpoint(), label="受付"),
            "受付 www.example.jp:443 (192.0.2.1)",
            "www.example.jp:443 (192.0.2.1)",
        ),
        (
            replace(make.endpoint("xn--r8jz45g.jp"), label="例え.jp:443"),
            "例え.jp:443 (192.0.2.1)",
            "xn--r8jz45g.jp:443 (192.0.2.1)",
        ),
    ],
)
def test_a_target_is_called_what_it_is_and_where(target: Target, called: str, where: str) -> None:
    assert (label(target), spot(target)) == (called, where)


def test_a_target_that_no_scan_holds_is_named_as_the_others_are() -> None:
    known = make.good_look(address="192.0.2.1")
    called = namer([replace(known, target=replace(known.target, label="受付")), unresolved()])
    assert called(known.target.id) == "受付 www.example.jp:443 (192.0.2.1)"
    # Another address of the same, and the name itself, which did not resolve the time before.
    assert called("https://www.example.jp:443#192.0.2.7") == "受付 www.example.jp:443 (192.0.2.7)"
    assert called("https://www.example.jp:443") == "受付 www.example.jp:443"
    assert called(f"{BOOK}#192.0.2.9") == "予約 book.example.jp:443 (192.0.2.9)"
    assert called("https://gone.example.jp:8443#2001:db8::1") == (
        "gone.example.jp:8443 (2001:db8::1)"
    )
    assert called("https://[2001:db8::1]:443") == "[2001:db8::1]:443"
    assert called("192.0.2.1") == "192.0.2.1"
    assert called("https://\x1b\r\n#\u202e") == "\\x1b\\x0d\\x0a (\\u202e)"
