"""Lines of so many columns, whatever is in them, and few sentences instead of many."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from tlscheck.model import Evidence, Open, Problem
from tlscheck.render.gather import gathered
from tlscheck.render.lines import fold
from tlscheck.text import sentence

MIXED = st.text(alphabet="ab-_. 、。（）「」あ漢ｶ𠮷ー々☃", max_size=80)


@pytest.mark.parametrize(
    ("text", "width", "lines"),
    [
        ("", 10, [""]),
        ("one two three", 8, ["one two", "three"]),
        ("TLSの設定を見直す", 6, ["TLSの", "設定を", "見直す"]),
        ("設定は、HAProxyで。", 10, ["設定は、", "HAProxy", "で。"]),
        ("あいう、え", 6, ["あい", "う、え"]),
        ("abcdefghij", 4, ["abcd", "efgh", "ij"]),
    ],
)
def test_lines(text: str, width: int, lines: list[str]) -> None:
    assert fold(text, width) == lines


@given(MIXED, st.integers(min_value=8, max_value=30))
def test_nothing_is_lost_and_nothing_too_wide(text: str, width: int) -> None:
    lines = fold(text, width)
    assert all(cell_len(line) <= width for line in lines)
    assert "".join("".join(lines).split()) == "".join(text.split())


def accepted(count: int) -> list[Evidence]:
    template = "{version} {suite} is accepted"
    return [Problem("x", template, version="TLS 1.2", suite=f"S{n}") for n in range(count)]


def test_many_alike_become_one_sentence_and_no_problem_is_lost() -> None:
    assert gathered(accepted(3), "en") == tuple(accepted(3))
    [one] = gathered(accepted(40), "en")
    assert sentence(one, "en") == f"TLS 1.2 {', '.join(f'S{n}' for n in range(40))} is accepted"
    other = Problem("x", "{version} {suite} is accepted", version="TLS 1.1", suite="S0")
    assert len(gathered([*accepted(40), other], "en")) == 2


def test_of_what_is_open_the_first_are_named() -> None:
    unsettled = [Open("x", "{suite}: not settled", suite=f"S{n}") for n in range(10)]
    [one] = gathered(unsettled, "en")
    assert sentence(one, "en") == "S0, S1, S2, S3, S4, S5, S6, S7, and 2 more: not settled"
    assert one.kind == "open"
