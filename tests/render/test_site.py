"""The pages of a history: whole, linked, harmless, and true to what was kept."""

from __future__ import annotations

import base64
import hashlib
import html
import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import pytest

from tests.history import make_past
from tests.history.make_past import EVIL, GONE, WWW
from tests.render.make_report import LANGUAGES, SCRIPT
from tlscheck import site
from tlscheck.changes import Change, Origin
from tlscheck.history import opened
from tlscheck.model import Verdict
from tlscheck.render.site import Past, render, told
from tlscheck.render.site.names import INDEX, PAGE, target_page
from tlscheck.render.site.past import Run
from tlscheck.render.site.trend import bars, months

BOTH = pytest.mark.parametrize("lang", LANGUAGES)
CSS = Path(__file__).parents[2] / "reports"


@pytest.fixture(scope="module")
def past(tmp_path_factory: pytest.TempPathFactory) -> Past:
    with opened(tmp_path_factory.mktemp("past") / "history.db", create=True) as store:
        make_past.keep(store)
        return site.gather(store, 366, 92)


@pytest.fixture(scope="module")
def sites(past: Past) -> Mapping[str, Mapping[str, str]]:
    """By language, the pages as texts."""
    return {lang: texts(past, lang) for lang in LANGUAGES}


def texts(past: Past, lang: str = "en") -> Mapping[str, str]:
    return {name: page.decode() for name, page in render(past, lang).items()}


def page_of(host: str) -> str:
    return target_page(f"https://{host}:443")


def words(page: str) -> str:
    """What a page says, without its style and marks."""
    body = page.partition("</style>")[2]
    return " ".join(html.unescape(re.sub(r"<[^>]*>", " ", body)).split())


# ---- every page ------------------------------------------------------------------------------


@BOTH
def test_no_page_has_a_script_or_asks_for_anything(
    sites: Mapping[str, Mapping[str, str]], lang: str
) -> None:
    for page in sites[lang].values():
        assert f'<html lang="{lang}">' in page
        assert "<script" not in page
        assert not re.search(r"""(?:src|action|data)=["'](?!data:)""", page)
        assert not re.search(r"url\(|@import|<[^>]*\s(?:on\w+|style)=", page)


@BOTH
def test_the_policy_allows_this_style_and_nothing_else(
    sites: Mapping[str, Mapping[str, str]], lang: str
) -> None:
    for page in sites[lang].values():
        (style,) = re.findall(r"<style>(.*?)</style>", page, re.DOTALL)
        mark = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
        policy = (
            f"default-src 'none'; style-src 'sha256-{mark}'; img-src data:;"
            " base-uri 'none'; form-action 'none'"
        )
        assert f'<meta http-equiv="Content-Security-Policy" content="{policy}">' in html.unescape(
            page
        )


@BOTH
def test_links_lead_somewhere_and_names_are_unique(
    sites: Mapping[str, Mapping[str, str]], lang: str
) -> None:
    pages = sites[lang]
    led = {INDEX}
    for page in pages.values():
        ids = re.findall(r'\sid="([^"]*)"', page)
        assert len(ids) == len(set(ids))
        links = set(re.findall(r'href="([^"]*)"', page)) - {"data:,"}
        assert {link[1:] for link in links if link.startswith("#")} <= set(ids)
        led |= {link for link in links if not link.startswith("#")}
        referred = " ".join(re.findall(r'aria-(?:labelledby|describedby)="([^"]*)"', page)).split()
        assert set(referred) <= set(ids)
    assert led == set(pages)


@BOTH
def test_names_hold_nothing_that_anybody_wrote(
    sites: Mapping[str, Mapping[str, str]], lang: str
) -> None:
    assert all(PAGE.fullmatch(name) for name in sites[lang])
    assert list(sites[lang])[-1] == INDEX


@BOTH
def test_nothing_hidden_gets_through(sites: Mapping[str, Mapping[str, str]], lang: str) -> None:
    for page in sites[lang].values():
        assert SCRIPT not in page
        assert not re.search("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e]", page)
        assert not re.search("[\u2066-\u2069\u2028\u2029\ufffe\U000e0000-\U000e007f]", page)
    evil = sites[lang][page_of(EVIL)]
    assert html.escape(SCRIPT) in evil
    for spelt in (r"gpj.\u202eexe\u2066\u200f", r"\x1b[31mred", r"\U000e0041"):
        assert spelt in evil


@BOTH
def test_what_a_reader_of_screens_needs(sites: Mapping[str, Mapping[str, str]], lang: str) -> None:
    for page in sites[lang].values():
        assert page.count("<h1>") == 1
        levels = [int(level) for level in re.findall(r"<h(\d)", page)]
        assert all(after <= before + 1 for before, after in pairwise(levels))
        assert page.index('class="skip" href="#main"') < page.index("<nav")
        assert page.count("<table") == page.count("<caption>")
        assert all('scope="' in head for head in re.findall(r"<th\b[^>]*>", page))
        for picture in re.findall(r"<svg\b[^>]*>", page):
            assert re.search(r'role="img" aria-label="[^"]+"|aria-hidden="true"', picture)
        assert re.search(r"<title>[^<]+</title>", page)


def test_colours_can_be_told_apart() -> None:
    """WCAG 2.2, 1.4.3: text 4.5 to 1, in either face; so are the bars, of which 3 to 1 is asked."""
    css = (CSS / "report.css").read_text("utf-8")
    for face in re.findall(r":root \{(.*?)\}", css, re.DOTALL)[:2]:
        colours = dict(re.findall(r"--([a-z-]+): (#[0-9a-f]{6})", face))
        pairs = [(kind, f"{kind}-ground") for kind in ("bad", "open", "paper", "good", "none")]
        pairs += [(ink, on) for ink in ("ink", "quiet", "link") for on in ("ground", "panel")]
        pairs += [(kind, on) for kind in ("bad", "open", "good") for on in ("ground", "panel")]
        for ink, ground in pairs:
            assert contrast(colours[ink], colours[ground]) >= 4.5, (ink, ground)


def contrast(one: str, other: str) -> float:
    low, high = sorted((light(one), light(other)))
    return (high + 0.05) / (low + 0.05)


def light(colour: str) -> float:
    parts = (int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5))
    red, green, blue = (p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


# ---- what they tell --------------------------------------------------------------------------


def row(page: str, host: str) -> str:
    """The row of a target in the list."""
    return next(words(f"</style>{each}") for each in page.split("<tr>") if page_of(host) in each)


def test_the_list_of_targets(sites: Mapping[str, Mapping[str, str]]) -> None:
    page = sites["en"][INDEX]
    assert "Something fails on 2 of 3 targets; on 1 more something is unknown." in words(page)
    evil, gone, www = (row(page, host) for host in (EVIL, GONE, WWW))
    for told_, wanted in (
        (evil, "Fail fail 2, unknown 1 since 2026-11-22 10 2026-12-10"),
        (evil, "2026-11-30 00:00:00 UTC complete"),
        (gone, "2026-11-22 00:00:00 UTC not in the newest scan complete"),
        (www, "Unknown fail 0, unknown 16 since 2026-11-30 50 2027-01-19; seen on 2026-11-29"),
        (www, "incomplete: 1 not seen"),
    ):
        assert wanted in told_
    order = [page.index(page_of(host)) for host in (EVIL, GONE, WWW)]
    assert order == sorted(order)


def test_the_page_of_a_target(sites: Mapping[str, Mapping[str, str]]) -> None:
    page = words(sites["en"][page_of(WWW)])
    for wanted in (
        "The last look was incomplete; what it did not see: www.example.jp:443 (192.0.2.1): "
        "Certificate: no answer in time",
        "11 looks since 2026-11-20; failed rules at a look: 0–5, unknown: 0–51",
        "2026-11 11 0–5 0–51",
        "2027-01-19 50 2026-12-20 2026-11-29",
        "Pass 2026-11-26 2026-11-24 Fail ×1 2026-11-23 Unknown ×1 2026-11-22 Fail ×1",
        "it could not be looked at: no answer in time",
        "the name does not lead to this address any more",
    ):
        assert wanted in page


def test_who_meant_a_change_and_why(sites: Mapping[str, Mapping[str, str]]) -> None:
    accepted = rf"accepted by Sato {SCRIPT} on 2026-11-24: planned gpj.\u202eexe\u2066\u200f"
    for name in (page_of(EVIL), "diff-4-5.html"):
        assert words(sites["en"][name]).count(accepted) == 4


def test_the_four_kinds_are_kept_apart(sites: Mapping[str, Mapping[str, str]]) -> None:
    heads = {
        name: re.findall(r"<h2[^>]*>([^<]*)</h2>", page)
        for name, page in sites["en"].items()
        if name.startswith("diff")
    }
    endpoint, wanted = "The endpoint changed", "What is wanted or asked for changed"
    tlscheck, network = (
        "tlscheck changed",
        "Not seen as well as before, or seen again (the network)",
    )
    assert heads == {
        "diff-2-3.html": [endpoint],
        "diff-3-4.html": [wanted, network],
        "diff-4-5.html": [endpoint, wanted, network],
        "diff-5-6.html": [network],
        "diff-6-7.html": [endpoint, network],
        "diff-8-9.html": [tlscheck],
        "diff-9-10.html": [endpoint, wanted, tlscheck],
        "diff-10-11.html": [network],
    }


def test_a_night_that_could_not_be_compared(past: Past) -> None:
    from tlscheck.errors import ProfileError

    last = replace(past.nights[-1], changes=(), trouble=ProfileError("no {x}", x=SCRIPT))
    pages = texts(replace(past, nights=(*past.nights[:-1], last)))
    assert f"2026-11-30: could not be compared: no {SCRIPT}" in words(pages[INDEX])
    assert "diff-10-11.html" not in pages


def test_a_look_that_cannot_be_read(past: Past) -> None:
    courses = tuple(replace(course, last=None) for course in past.courses)
    pages = texts(replace(past, courses=courses))
    assert words(pages[INDEX]).count("cannot be read") == 3
    page = words(pages[page_of(WWW)])
    assert "No look at it can be read by this tlscheck." in page
    assert "saw all that was asked" not in page


def test_limits_are_kept_and_said(past: Past) -> None:
    many = tuple(
        Change(Origin.ENDPOINT, f"https://{WWW}:443", f"fact-{n}", "new", "it is {n}", {"n": n})
        for n in range(told.MOST_CHANGES + 7)
    )
    first = past.nights[0]
    nights = [
        replace(first, scan=n, before=(n - 1, first.at), changes=many if n == 30 else many[:2])
        for n in range(1, 31)
    ]
    pages = texts(replace(past, nights=tuple(nights)))
    assert pages["diff-29-30.html"].count("<li>") == told.MOST_CHANGES + 2  # and two links
    assert "and 7 more: tlscheck diff 29 30" in words(pages["diff-29-30.html"])
    page = pages[page_of(WWW)]
    assert page.count('<article class="night">') == 20
    assert "and 7 more" in page
    assert len([*re.finditer("endpoint 2, profile 0", page)]) == 10


def test_the_same_history_gives_the_same_bytes(past: Past) -> None:
    assert render(past, "ja") == render(past, "ja")


# ---- pictures --------------------------------------------------------------------------------

BEGIN = datetime(2026, 1, 1, tzinfo=UTC)


def run(day: float, **verdicts: int) -> Run:
    found = {Verdict(name): count for name, count in verdicts.items()}
    return Run(int(day), BEGIN + timedelta(day), found)


def test_bars_show_what_failed_was_unknown_or_not_looked_at() -> None:
    runs = [run(0, fail=3, unknown=1), run(1), run(3, **{"pass": 9})]
    drawn = bars(runs, BEGIN, BEGIN + timedelta(3), 60, "en")
    assert drawn.width == 4 * 5
    assert drawn.fail == "M0 40h4V13h-4z"
    # What was not judged is unknown; on the third day nobody looked.
    assert drawn.unknown == "M0 13h4V4h-4zM5 40h4V31h-4z"
    assert drawn.clean == "M15 40h4V38h-4z"
    assert drawn.words == "3 looks since 2026-01-01; failed rules at a look: 0–3, unknown: 0–1"


def test_bars_hide_no_bad_night() -> None:
    bad = {200: {"fail": 1}, 201: {"unknown": 5}}
    runs = [run(day, **bad.get(day, {"pass": 9})) for day in range(365)]
    drawn = bars(runs, BEGIN, BEGIN + timedelta(364), 60, "en")
    assert drawn.width == 60 * 5
    assert (drawn.fail.count("M"), drawn.unknown.count("M")) == (1, 1)
    assert drawn.clean.count("M") == 58


def test_months_are_those_of_the_language() -> None:
    runs = [run(0), run(30.7, fail=2), run(31, fail=1)]
    told_ = {lang: [(m.name, m.looks, m.fail) for m in months(runs, lang)] for lang in LANGUAGES}
    assert told_["en"] == [("2026-02", 1, "1"), ("2026-01", 2, "0–2")]
    assert told_["ja"] == [("2026-02", 2, "1–2"), ("2026-01", 1, "0")]
