"""Whom a run tells beside the mail."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

import pytest

from tests import make
from tests.watch.test_watch import listening
from tlscheck import judge
from tlscheck.mail.news import News, Occasion
from tlscheck.text import voice
from tlscheck.watch import telling

NEWS = News(judge.judge(make.scan()), Occasion.CHANGED, before=datetime(2026, 1, 1, tzinfo=UTC))


def test_a_webhook_that_fails_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(telling, "PAUSES", (0.0, 0.0))
    with listening() as (url, heard):
        line = asyncio.run(telling.post(f"{url}/broken", "", NEWS, None))
        assert line
        said = voice("en")(line.template, **line.values)
        assert said == "webhook: not told: HTTP status 500 (tried 3 times)"
        assert len(heard) == 3
        assert asyncio.run(telling.post(f"{url}/broken", "", NEWS, None, patience=False))
        assert asyncio.run(telling.post(f"{url}/well", "", NEWS, None)) is None
    assert len(heard) == 5


def test_a_ping_with_a_query() -> None:
    with listening() as (url, heard):
        for ending in ("/start", "", "/fail"):
            assert asyncio.run(telling.ping(f"{url}/ping/?key=1", ending, None)) is None
    assert [path for _, path, _, _ in heard] == [
        "/ping/start?key=1",
        "/ping?key=1",
        "/ping/fail?key=1",
    ]
