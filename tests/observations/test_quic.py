"""Which refusals count among handshakes, and what they say together."""

from __future__ import annotations

import pytest

from tests.make import AT
from tlscheck.model import State
from tlscheck.observations.quic import (
    GROUPS,
    SUITES,
    Attempt,
    Attempts,
    Ending,
    Offer,
    QuicObservation,
    folded,
    narrowed,
)

A, R, U = State.ACCEPTED, State.REFUSED, State.UNKNOWN
BASE = Offer("QUIC v1")
AES128, AES256, CHACHA = SUITES
GOOD = Attempt(BASE, Ending.DONE, suite=AES128, alpn="h3", scheme="rsa_pss_rsae_sha256")
SILENT = Attempt(BASE, Ending.SILENT)


def only(suite: str, ending: Ending = Ending.CLOSED, code: int | None = 0x128) -> Attempt:
    return Attempt(
        narrowed(BASE, "suites", suite), ending, code if ending is Ending.CLOSED else None
    )


NO = only(CHACHA)


@pytest.mark.parametrize(
    ("made", "state"),
    [
        ((GOOD, NO, NO, GOOD), R),
        ((GOOD, NO, GOOD, NO, GOOD), R),
        ((GOOD, NO, GOOD), U),  # once
        ((GOOD, NO, NO), U),  # nothing good behind
        ((NO, NO, GOOD), U),  # nothing good before
        ((NO, NO), U),
        ((GOOD, NO, NO, SILENT), U),
        ((GOOD, SILENT, NO, NO, GOOD), U),
        ((GOOD, NO, GOOD, NO, SILENT, GOOD), U),
        ((GOOD, NO, GOOD, NO, SILENT, GOOD, NO, GOOD), R),
        ((GOOD, NO, NO, only(AES256, Ending.DONE), GOOD), R),  # any good one is a sign of health
    ],
)
def test_a_refusal_counts_twice_and_between_good_ones(
    made: tuple[Attempt, ...], state: State
) -> None:
    assert Attempts(made).state("suites", CHACHA) is state


@pytest.mark.parametrize(
    ("ending", "code"),
    [
        (Ending.SILENT, None),
        (Ending.UNREACHED, None),
        (Ending.BROKEN, None),
        (Ending.VERSION, None),
        (Ending.CLOSED, None),
        (Ending.CLOSED, 0),
        (Ending.CLOSED, 0x2),  # CONNECTION_REFUSED: busy
        (Ending.CLOSED, 0x28),  # 40, but no alert
        (Ending.CLOSED, -1),
        (Ending.CLOSED, 0x100 + 80),  # internal_error
        (Ending.CLOSED, 0x100 + 120),  # of the protocol, not of the suite
        (Ending.CLOSED, 0x228),
    ],
)
def test_nothing_else_is_a_refusal(ending: Ending, code: int | None) -> None:
    made = (GOOD, *(only(CHACHA, ending, code),) * 5, GOOD)
    assert Attempts(made).state("suites", CHACHA) is U


def test_accepted_once_is_accepted() -> None:
    yes = Attempt(NO.offer, Ending.DONE, suite=CHACHA)
    assert Attempts((GOOD, NO, NO, GOOD, yes, GOOD)).state("suites", CHACHA) is A


def test_what_a_handshake_offered_among_others_is_shown_by_its_choice() -> None:
    told = Attempts((GOOD,))
    assert told.state("suites", AES128) is A
    assert told.state("keys", "RSA") is A
    assert told.state("alpn", "h3") is A
    assert told.state("version", "QUIC v1") is A
    assert {told.state("groups", name) for name in GROUPS} == {U}
    assert told.state("suites", AES256) is U


def test_what_is_still_to_be_asked() -> None:
    assert list(Attempts().open("suites", SUITES)) == []
    assert [o.suites for o in Attempts((GOOD,)).open("suites", SUITES)] == [(AES256,), (CHACHA,)]
    # Neither what is settled, nor what met silence twice among good answers.
    quiet = only(AES256, Ending.SILENT)
    made = (GOOD, NO, quiet, GOOD, NO, quiet, GOOD)
    assert list(Attempts(made).open("suites", SUITES)) == []


def test_versions_listed_and_refused() -> None:
    other = Attempt(narrowed(BASE, "version", "QUIC v2"), Ending.VERSION)
    seen = told((GOOD, other, other, GOOD), ("QUIC v1", "QUIC draft 29"))
    assert seen.versions == {"QUIC v1": A, "QUIC v2": R, "QUIC draft 29": A}
    assert seen.accepted("versions") == ("QUIC v1", "QUIC draft 29")
    assert told((), ("QUIC v2",)).versions == {"QUIC v1": U, "QUIC v2": A}


def told(made: tuple[Attempt, ...], listed: tuple[str, ...] | None) -> QuicObservation:
    return folded(AT, "https", 443, Attempts(made), listed, trouble="timeout")


def test_nothing_at_all() -> None:
    seen = told((), None)
    assert (seen.answers, seen.negotiation, seen.canary, seen.detail) == (U, U, U, "timeout")
    assert seen.versions == {"QUIC v1": U, "QUIC v2": U}
    assert seen.suites == seen.groups == seen.keys == seen.alpn == {}
    assert told((SILENT,), None).answers is U
    assert told((NO,), None).answers is A  # it speaks QUIC
    assert told((NO,), None).canary is U


def test_what_came_beside() -> None:
    more = Attempt(
        BASE, Ending.DONE, suite=AES128, retried=True, token=True, ticket=(7200, False),
        chain=(b"x", b"y"), certificate_asked=True,
    )  # fmt: skip
    seen = told((more, GOOD), None)
    assert (seen.retry, seen.token, seen.early_data, seen.certificate_asked) == (A, A, R, A)
    assert seen.ticket_lifetime == 7200
    assert [c.unread for c in seen.certificates] == [("certificate",)]
    plain = told((GOOD,), None)
    assert (plain.retry, plain.token, plain.early_data, plain.certificate_asked) == (R, U, U, R)
    assert plain.canary is A
    assert told((GOOD, SILENT), None).canary is R
