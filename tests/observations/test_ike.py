"""What is concluded from what a gateway said, in which order."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from tests import make
from tests.make_chain import AT
from tlscheck import judge as judging
from tlscheck.model import State
from tlscheck.observations.ike import Dimension, Ending, IkeVersion, Mode, Opening, fold
from tlscheck.report import decode, encode

A, R, U = State.ACCEPTED, State.REFUSED, State.UNKNOWN
D = Dimension
DES_3 = {D.ENCRYPTION: ("ENCR_3DES",)}
WHOLE: dict[Dimension, tuple[str, ...]] = {}
DES = {D.ENCRYPTION: ("ENCR_DES",)}
BOTH = {D.ENCRYPTION: ("ENCR_DES", "ENCR_3DES")}
GROUP = {D.GROUPS: "2048-bit MODP Group"}


def init(ending: Ending, narrowed: Any = WHOLE, port: int = 500, **more: Any) -> Opening:
    if ending is Ending.GRANTED:
        more.setdefault("granted", GROUP)
    return Opening(AT, port, Mode.INIT, ending, narrowed, **more)


YES, NO = init(Ending.GRANTED), init(Ending.REFUSED, DES)


@pytest.mark.parametrize(
    ("openings", "state"),
    [
        ([YES, NO, YES], R),
        ([YES, NO], U),
        ([NO, YES], U),
        ([YES, NO, init(Ending.SILENT)], U),
        ([YES, NO, init(Ending.COOKIE)], U),
        ([YES, NO, init(Ending.GRANTED, port=4500)], U),
        ([YES, NO, init(Ending.REFUSED)], U),
        ([YES, init(Ending.SILENT, DES), YES], U),
        ([YES, init(Ending.OTHER, DES), YES], U),
        ([YES, init(Ending.REFUSED, DES | {D.PRF: ("PRF_HMAC_MD5",)}), YES], U),
        ([YES, init(Ending.GRANTED, DES)], A),
        ([YES, NO, init(Ending.GRANTED, DES)], A),
        ([YES, init(Ending.GRANTED, BOTH)], U),
        ([YES, init(Ending.REFUSED, DES_3), init(Ending.GRANTED, BOTH)], A),
        ([YES, init(Ending.REFUSED, BOTH), init(Ending.GRANTED, BOTH)], U),
        ([init(Ending.GRANTED, DES | {D.PRF: ("PRF_HMAC_MD5",)})], A),
    ],
)  # fmt: skip
def test_a_refusal_counts_between_two_grants(openings: Sequence[Opening], state: State) -> None:
    assert fold("192.0.2.1", AT, openings).encryption["ENCR_DES"] is state


def test_an_aead_cipher_says_nothing_of_integrity() -> None:
    gcm = {D.ENCRYPTION: ("ENCR_AES_GCM_16-256",)}
    rest = {D.INTEGRITY: tuple(i for i in make.IKE_ASKED[D.INTEGRITY] if i != "AUTH_HMAC_MD5_96")}
    openings = [YES, init(Ending.GRANTED, gcm), init(Ending.REFUSED, rest), YES]
    assert fold("192.0.2.1", AT, openings).integrity["AUTH_HMAC_MD5_96"] is U


@pytest.mark.parametrize(
    ("openings", "throttled"),
    [
        ([YES, NO, YES], False),
        ([YES, init(Ending.SILENT)], True),
        ([YES, init(Ending.SILENT), YES], False),
        ([init(Ending.SILENT), YES], False),
        ([init(Ending.SILENT), init(Ending.SILENT)], False),
        ([YES, init(Ending.COOKIE)], True),
        ([YES, init(Ending.SILENT, port=4500)], False),
        ([YES, Opening(AT, 500, Mode.MAIN, Ending.SILENT)], False),
        ([YES, init(Ending.CLOSED)], True),
    ],
)
def test_throttled(openings: Sequence[Opening], throttled: bool) -> None:
    assert fold("192.0.2.1", AT, openings).throttled is throttled


def main(ending: Ending, port: int = 500, mode: Mode = Mode.MAIN, **more: Any) -> Opening:
    return Opening(AT, port, mode, ending, **more)


@pytest.mark.parametrize(
    ("openings", "state"),
    [
        ([main(Ending.GRANTED)], A),
        ([main(Ending.REFUSED), main(Ending.GRANTED)], A),
        ([main(Ending.REFUSED), main(Ending.REFUSED)], U),
        ([main(Ending.SILENT)], U),
        ([main(Ending.CLOSED)], U),
        ([main(Ending.UNSUPPORTED)], R),
        ([main(Ending.UNSUPPORTED), main(Ending.REFUSED)], U),
        ([main(Ending.UNSUPPORTED), main(Ending.SILENT, 4500)], U),
        ([main(Ending.UNSUPPORTED), main(Ending.CLOSED, 4500)], R),
        ([main(Ending.SILENT), main(Ending.IDENTITY, mode=Mode.AGGRESSIVE)], A),
        ([main(Ending.UNSUPPORTED), main(Ending.GRANTED, mode=Mode.AGGRESSIVE)], A),
        ([YES], U),
    ],
)
def test_ikev1(openings: Sequence[Opening], state: State) -> None:
    assert fold("192.0.2.1", AT, openings).versions[IkeVersion.V1] is state


def test_no_aggressive_mode_is_not_no_ikev1() -> None:
    openings = [main(Ending.REFUSED), main(Ending.UNSUPPORTED, mode=Mode.AGGRESSIVE)]
    seen = fold("192.0.2.1", AT, openings)
    assert seen.aggressive is R
    assert seen.versions[IkeVersion.V1] is U


NAT_T = ("4a131c81070358455c5728f20e95452f",)


@pytest.mark.parametrize(
    ("openings", "state"),
    [
        ([YES], U),
        ([YES, init(Ending.GRANTED, port=4500)], A),
        ([YES, init(Ending.SILENT, port=4500)], U),
        ([YES, init(Ending.CLOSED, port=4500)], R),
        ([main(Ending.GRANTED, vendor_ids=NAT_T)], A),
        ([init(Ending.GRANTED, notifies=("NAT_DETECTION_SOURCE_IP",))], A),
    ],
)
def test_nat_traversal(openings: Sequence[Opening], state: State) -> None:
    assert fold("192.0.2.1", AT, openings).nat_traversal is state


def test_it_is_written_and_read_again() -> None:
    openings = [
        YES,
        NO,
        main(Ending.GRANTED, chosen=make.PHASE1, vendor_ids=NAT_T, authorities=("ab",)),
        init(Ending.CLOSED, port=4500, sender="192.0.2.9"),
    ]
    seen = fold("192.0.2.1", AT, openings)
    written = encode(judging.judge(make.scan(make.gateway_look(seen)), names=()))
    (look,) = decode(written, "scan.json").looks
    again = look.seen["ike"]
    assert again == seen
    assert fold("192.0.2.1", AT, again.openings) == seen  # type: ignore[attr-defined]
