"""A machine that dies at any moment of a run."""

from __future__ import annotations

import random
import subprocess
import time
from collections import Counter
from datetime import UTC, datetime

import pytest

from tests.watch.conftest import Clinic
from tlscheck.history import opened, outbox, scans

PROFILES = ("ipa-high-3.1.1", "mozilla-intermediate")
"""Taken in turn, so that each run has something to mail."""
TIMES = 50


def state(clinic: Clinic) -> tuple[int, dict[str, bool]]:
    """How many scans are kept, each whole; and every mail that was made, and whether it left."""
    if not clinic.history.exists():
        return 0, {}
    with opened(clinic.history, create=True) as store:
        assert store.db.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        found = scans.kept(store)
        for each in found:
            assert len(scans.document(store, each.id)) == each.size
        rows = store.db.execute("SELECT message_id, delivered IS NOT NULL FROM outbox").fetchall()
        due = outbox.due(store, datetime.max.replace(tzinfo=UTC))
    assert {each.mail.message_id for each in due} == {name for name, left in rows if not left}
    return len(found), {name: bool(left) for name, left in rows}


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_killed_at_any_moment(clinic: Clinic) -> None:
    chance = random.Random(6)
    with clinic.serving():
        begun = time.monotonic()
        clinic.quiet()
        whole = time.monotonic() - begun
        known, made, killed, number = 1, dict[str, bool](), 0, 0
        arrived, unnoted = Counter(clinic.inbox.ids), Counter[str]()
        while killed < TIMES:
            number += 1
            clinic.write(head=f'profile = "{PROFILES[number % 2]}"')
            begun = time.monotonic()
            process = clinic.begin()
            try:
                process.communicate(timeout=chance.uniform(0, whole * 1.1))
                whole = time.monotonic() - begun  # as long as a run takes now
            except subprocess.TimeoutExpired:
                process.kill()
                process.communicate(timeout=30)
                killed += 1
            noted = {name for name, left in made.items() if left}
            before, arrived = arrived, Counter(clinic.inbox.ids)
            kept, made = state(clinic)
            assert kept - known in (0, 1)
            assert arrived.keys() <= made.keys(), "a mail of a run that is not kept"
            assert {name for name, left in made.items() if left} <= arrived.keys()
            assert all(arrived[name] == before[name] for name in noted), "delivered, yet sent again"
            unnoted.update(name for name, left in made.items() if not left)
            known = kept
        assert known > 1
        clinic.quiet()
    kept, made = state(clinic)
    assert kept == known + 1
    assert all(made.values()), "a mail was lost"
    arrived = Counter(clinic.inbox.ids)
    assert arrived.keys() == made.keys()
    texts = {each["Message-ID"]: set[bytes]() for each in clinic.inbox.messages}
    for envelope, message in zip(clinic.inbox.got, clinic.inbox.messages, strict=True):
        texts[message["Message-ID"]].add(envelope.content or b"")
    assert all(len(each) == 1 for each in texts.values()), "one id, two messages"
    for name, times in arrived.items():
        assert times - 1 <= unnoted[name], "repeated though the history knew that it had arrived"
