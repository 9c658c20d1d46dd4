"""Scan files for the tests of the history, and a history of the first form.

python -m tests.history.make_history        write version-1.db anew (its form never changes)
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from tests import make
from tests.make_chain import AT
from tlscheck import judge
from tlscheck.history import scans, schema, store
from tlscheck.model import Look, Missed, Reason, State
from tlscheck.observations.tls import Chooser, Names, Order
from tlscheck.report import encode
from tlscheck.wire.registry import Version

VERSION_1 = Path(__file__).with_name("version-1.db")


def night(number: int, *looks: Look, **changed: Any) -> bytes:
    """The scan file of the look in that night."""
    seen = make.scan(*(looks or (make.good_look(),)), **changed)
    at = AT + timedelta(number)
    moved = tuple(
        replace(look, seen={kind: replace(it, at=at) for kind, it in look.seen.items()})
        for look in seen.looks
    )
    return encode(judge.judge(replace(seen, at=at, looks=moved)))


def old(host: str = "www.example.jp") -> Look:
    """An endpoint that accepts TLS 1.0, with one suite of it."""
    seen, version = make.tls_observation(), Version.TLS_1_0
    suite = "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA"
    changed = replace(
        seen,
        versions=make.versions(TLS_1_0=State.ACCEPTED),
        suites={**seen.suites, version: (suite,)},
        groups={**seen.groups, version: ("x25519", "secp256r1")},
        unknown={**seen.unknown, version: Names()},
        refused={**seen.refused, version: make.rest(version, suite, "x25519", "secp256r1")},
        encrypt_then_mac=State.ACCEPTED,
        order={**seen.order, version: Order(Chooser.SINGLE, Chooser.SERVER)},
    )
    return make.good_look(host, tls=changed)


def silent() -> Look:
    """An endpoint that did not answer."""
    look = make.good_look()
    return replace(look, seen={}, missed=tuple(Missed(s, Reason.TIMEOUT) for s in look.seen))


def at(number: int) -> datetime:
    """When the scan of that night began."""
    return AT + timedelta(number)


def main() -> None:
    """A history as the first form had it, with two scans."""
    VERSION_1.unlink(missing_ok=True)
    schema.STEPS, steps = schema.STEPS[:1], schema.STEPS
    store.STEPS = schema.STEPS
    with store.opened(VERSION_1, create=True) as made:
        for number in (1, 2):
            scans.keep(made, night(number), f"night {number}", at(number))
        made.db.execute("PRAGMA journal_mode = DELETE")
    schema.STEPS = store.STEPS = steps


if __name__ == "__main__":
    main()
