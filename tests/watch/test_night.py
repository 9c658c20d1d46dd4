"""What one run tells beside what was kept, without a look."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from tests import make
from tests.make_chain import AT
from tlscheck import judge
from tlscheck.halt import Halt
from tlscheck.history import opened, scans
from tlscheck.model import Look, Scan, cut_short
from tlscheck.report import encode
from tlscheck.watch.night import Night


def ended_early(look: Look, *subjects: str) -> Look:
    kept = {kind: it for kind, it in look.seen.items() if kind not in subjects}
    return replace(look, seen=kept, missed=tuple(map(cut_short, subjects)))


def test_a_run_that_ends_early_each_night_is_told_again_each_week(tmp_path: Path) -> None:
    plan: Any = SimpleNamespace(history=tmp_path / "history.db")
    whole = make.good_look()
    nights = [whole] + [ended_early(whole, "http")] * 15 + [ended_early(whole, "http", "tls")]
    told = []
    for number, look in enumerate(nights):
        made = judge.judge(night(number, look))
        news = Night(plan, lambda *_: None, Halt())._news(made)
        told += [number] if news.ended_anew else []
        with opened(plan.history, create=True) as store:
            scans.keep(store, encode(made), "", made.scan.at)
    # The first, a week and two weeks after the last look, and where more is left out.
    assert told == [1, 7, 14, 16]


def night(number: int, look: Look) -> Scan:
    return replace(make.scan(look), at=AT + timedelta(number))
