"""Eleven nights in which much happens: what the site is tested with."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from tests import make
from tests.history.make_history import at, night, old, silent
from tests.make_chain import AT, GOOD, LEAF
from tests.make_chain import observation as certificates
from tests.render.make_report import HOSTILE, SCRIPT
from tlscheck import changes, compare
from tlscheck.history import Store, accepting, scans
from tlscheck.model import Look, Missed, Reason, Scope, Target
from tlscheck.targets import name_id

WWW, EVIL, GONE = "www.example.jp", "evil.example.net", "gone.example.org"
SECOND = "192.0.2.2"


def evil() -> Look:
    """An endpoint whose certificate says all that a hostile one can, and whose label is no
    better.
    """
    leaf = replace(
        LEAF,
        subject=f"CN={''.join(HOSTILE)}",
        issuer=f"CN={SCRIPT},O={HOSTILE[4]}{HOSTILE[2]}",
        common_name="".join(HOSTILE),
        names=(EVIL, *HOSTILE),
        sha256="e" * 64,
        spki_sha256="f" * 64,
        not_after=AT + timedelta(days=20),
    )
    chain = replace(GOOD, certificates=(leaf,), way=(leaf, *GOOD.way[1:]))
    look = make.good_look(EVIL, "192.0.2.9", certificate=certificates(chain, asked_name=EVIL))
    return replace(look, target=replace(look.target, label=f"{HOSTILE[0]}{HOSTILE[4]}"))


def unresolved() -> Look:
    """A name that led nowhere."""
    missed = Missed("tls", Reason.UNRESOLVED)
    return Look(Target(name_id("https", WWW, 443), Scope.NAME), {}, (missed,))


def partly() -> Look:
    """An endpoint that showed all but its certificate."""
    look = make.good_look()
    return replace(
        look,
        seen={kind: seen for kind, seen in look.seen.items() if kind != "certificate"},
        missed=(Missed("certificate", Reason.TIMEOUT),),
    )


def nights() -> tuple[bytes, ...]:
    """The scan files, oldest first."""
    www, both = make.good_look(), (make.good_look(), make.good_look(WWW, SECOND))
    was, gone = make.good_look(EVIL, "192.0.2.9"), make.good_look(GONE, "192.0.2.8")
    return (
        night(0, www, was, gone),
        night(1, www, was, gone),
        night(2, old(), was, gone),
        night(3, silent(), was),
        night(4, old(), evil()),
        night(5, unresolved(), evil()),
        night(6, *both, evil()),
        night(7, *both, evil()),
        night(8, *both, evil()).replace(b'"version": "0', b'"version": "00', 1),
        night(9, www),
        night(10, partly(), evil()),
    )


def keep(store: Store) -> None:
    """Keep them all, and accept what the hostile certificate changed."""
    for number, data in enumerate(nights()):
        scans.keep(store, data, f"night {number}", at(number))
    since = compare.since_last(store, 5)
    assert since
    for change in since[1]:
        if change.kind is changes.Origin.ENDPOINT and change.code.startswith("new"):
            accepting.accept(store, change.key, f"Sato {SCRIPT}", f"planned {HOSTILE[4]}", at(4))
