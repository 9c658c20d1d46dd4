"""The marks: what the data file promises, and what is and is not found in answers."""

from __future__ import annotations

import hashlib
import html
import re
import time
import tomllib
from typing import Any
from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.gateways import REPLIES, Reply, issued, page
from tlscheck.data import data_dir
from tlscheck.observations.http.conversation import Response
from tlscheck.observations.vpn import (
    Answer,
    Asked,
    Confidence,
    Impact,
    Marker,
    Matched,
    Probe,
    Proof,
    matched,
    names,
    parse,
)
from tlscheck.observations.vpn.markers import CERTIFICATE, CONTROL
from tlscheck.observations.vpn.match import MOST_BODY, MOST_NAME

TEXT = (data_dir("profiles") / "vpn" / "markers.toml").read_text(encoding="utf-8")
MARKERS = parse(TEXT)
EVERY = [(product, marker) for product in MARKERS.products for marker in product.markers]
IDS = [marker.id for _, marker in EVERY]
HOST = "www.example.jp"
WHERE = re.compile(
    r"status|header:[a-z-]+|cookie|body|title|location|certificate_(subject|issuer)|"
    r"icon_(md5|murmur3)"
)


def asked(probe: Probe, host: str = HOST) -> Asked:
    fields = (("User-Agent", "tlscheck/0"), *probe.fields)
    return Asked(host, probe.path, fields, probe.body.replace("{host}", host))


def answer(probe: str, reply: Reply) -> Answer:
    if probe == CERTIFICATE:
        return names([issued(reply.subject, reply.issuer)])
    fields = tuple((name.lower(), value) for name, value in reply.fields)
    return Answer(probe, Response(reply.status, fields, reply.body.encode("latin-1")))


NOT_FOUND = answer(CONTROL, page("<h1>Not Found</h1>", "404", 404))


def found(marker: Marker, reply: Reply, control: Answer | None = NOT_FOUND) -> Matched:
    probe = MARKERS.probes[marker.probe]
    return matched(MARKERS, answer(marker.probe, reply), asked(probe), control, HOST)


# ---- the data --------------------------------------------------------------------------------


def test_the_file_is_whole() -> None:
    file = tomllib.loads(TEXT)
    assert set(file) == {"ports", "source", "probe", "protocol", "product"}
    assert len(set(IDS)) == len(IDS) > 100
    for product, marker in EVERY:
        assert marker.id.startswith(product.id + "."), marker.id
        assert WHERE.fullmatch(marker.where), marker.id
        assert marker.probe in MARKERS.probes, marker.id
        assert (marker.where.startswith("certificate")) == (marker.probe == CERTIFICATE)
        assert (marker.where.startswith("icon")) == (marker.probe == "icon")
        assert marker.sources, marker.id
        assert set(marker.sources) <= set(file["source"]), marker.id
    for source in file["source"].values():
        assert source["date"].isoformat() <= MARKERS.date
    assert set(MARKERS.probes) - {CONTROL} <= {marker.probe for _, marker in EVERY}
    assert all(port in range(1, 65536) for port in (*MARKERS.tcp, *MARKERS.udp))


def test_nothing_in_it_does_more_than_leave_a_line_in_a_log() -> None:
    for probe in MARKERS.probes.values():
        assert probe.impact in Impact
        if probe.impact is Impact.PASSIVE and probe.id != CERTIFICATE:
            assert (probe.method, probe.body) == ("GET", "")
        assert not {"cookie", "authorization"} & {name.lower() for name, _ in probe.fields}
    assert "password" not in TEXT.lower()


def test_one_good_source_or_an_untrusted_one_never_makes_a_sure_mark() -> None:
    for _, marker in EVERY:
        if set(marker.sources) == {"vpnvet"}:
            assert marker.confidence is Confidence.LOW, marker.id


@pytest.mark.parametrize(("product", "marker"), EVERY, ids=IDS)
def test_no_mark_is_found_in_its_own_question(product: Any, marker: Marker) -> None:
    probe = MARKERS.probes[marker.probe]
    question = asked(probe)
    head = f"{probe.method} {probe.path} HTTP/1.1\r\nHost: {HOST}\r\n"
    head += "".join(f"{name}: {value}\r\n" for name, value in question.fields)
    for text in (head, head + "\r\n" + question.body, *question.words()):
        for shown in (text, html.escape(text), unquote(text), text.lower(), text.upper()):
            assert not marker.pattern.search(shown), marker.id
            assert not any(marker.pattern.search(line) for line in shown.splitlines())


# ---- hand-made replies -----------------------------------------------------------------------


def test_every_mark_but_icons_has_a_reply() -> None:
    assert set(REPLIES) == {m.id for _, m in EVERY if not m.where.startswith("icon")}


@pytest.mark.parametrize("id", REPLIES)
def test_a_product_s_reply_is_known(id: str) -> None:
    product, marker = next((p, m) for p, m in EVERY if m.id == id)
    hits = [hit for hit in found(marker, REPLIES[id]).hits if hit.marker == id]
    assert [(hit.product, hit.name, hit.proves) for hit in hits] == [
        (product.id, product.name, marker.proves)
    ]
    assert 0 < len(hits[0].excerpt) <= 81
    assert hits[0].excerpt.isprintable()


@pytest.mark.parametrize("id", REPLIES)
def test_a_reply_names_no_other_product(id: str) -> None:
    marker = next(m for _, m in EVERY if m.id == id)
    others = {h.product for h in found(marker, REPLIES[id]).hits} - {id.partition(".")[0]}
    # ocserv speaks the protocol of the others.
    assert others <= {"cisco", "ocserv"}


def test_of_cookies_no_value_is_kept() -> None:
    for id, reply in REPLIES.items():
        marker = next(m for _, m in EVERY if m.id == id)
        if marker.where == "cookie":
            (hit,) = found(marker, reply).hits
            assert "=" not in hit.excerpt


def test_an_icon_is_known_by_its_number() -> None:
    marker = next(m for _, m in EVERY if m.where == "icon_md5")
    assert not found(marker, Reply("an icon")).hits
    digest = hashlib.md5(b"an icon").hexdigest()
    own = parse(TEXT.replace(marker.pattern.pattern, f"^{digest}$"))
    one = matched(own, answer("icon", Reply("an icon")), Asked(HOST, "/"), NOT_FOUND, HOST)
    assert [hit.marker for hit in one.hits] == [marker.id]


# ---- what is no mark -------------------------------------------------------------------------


def test_what_a_random_path_brings_too_is_no_mark() -> None:
    marker = next(m for _, m in EVERY if m.id == "checkpoint.portal")
    reply = REPLIES[marker.id]
    everywhere = answer(CONTROL, reply)
    assert found(marker, reply).hits
    assert found(marker, reply, everywhere) == Matched((), (marker.id,))
    assert found(marker, reply, None) == Matched((), (marker.id,))


@pytest.mark.parametrize(
    "id", ["ivanti.redirect", "f5.redirect", "cisco.redirect", "pfsense.title"]
)
def test_a_gateway_that_answers_alike_everywhere_is_known_all_the_same(id: str) -> None:
    marker = next(m for _, m in EVERY if m.id == id)
    reply = REPLIES[id]
    seen = found(marker, reply, answer(CONTROL, reply))
    assert [hit.marker for hit in seen.hits] == ([id] if marker.everywhere else [])
    assert marker.everywhere == (id != "pfsense.title")


def test_what_may_be_our_own_words_is_no_mark() -> None:
    marker = next(m for _, m in EVERY if m.id == "sophos.vpnportal")
    probe = MARKERS.probes[marker.probe]
    reply = page("", "sophos.example.jp: not found")
    seen = matched(
        MARKERS, answer(probe.id, reply), asked(probe, "sophos.example.jp"), NOT_FOUND, HOST
    )
    assert seen == Matched((), (marker.id,))


def test_a_field_that_was_sent_back_is_no_mark() -> None:
    marker = next(m for _, m in EVERY if m.id == "cisco.version")
    own = Asked(HOST, "/", (("X-Transcend-Version", "1"),))
    seen = matched(MARKERS, answer("root", REPLIES[marker.id]), own, NOT_FOUND, HOST)
    assert seen.void == (marker.id,)


@pytest.mark.parametrize(
    ("location", "hits", "elsewhere"),
    [
        ("/my.policy", 1, ()),
        (f"https://{HOST}:8443/my.policy", 1, ()),
        ("https://vpn.example.jp/my.policy?a=b", 0, ("https://vpn.example.jp/my.policy?…",)),
        ("//vpn.example.jp/my.policy", 0, ("https://vpn.example.jp/my.policy",)),
        ("https://vpn.example.jp/", 0, ()),
        ("https://[bad/my.policy", 0, None),
    ],
)
def test_a_redirect_to_another_host_shows_nothing_of_this_one(
    location: str, hits: int, elsewhere: tuple[str, ...] | None
) -> None:
    marker = next(m for _, m in EVERY if m.id == "f5.redirect")
    seen = found(marker, Reply(status=302, fields=(("Location", location),)))
    assert len(seen.hits) == hits
    if elsewhere is not None:
        assert seen.elsewhere == elsewhere


ORDINARY = [
    page("<h1>Clinic</h1><p>We use Cisco, Fortinet and Palo Alto Networks.</p>", "Clinic"),
    page("SSL-VPN, GlobalProtect, AnyConnect and OpenVPN compared", "SSL VPN for beginners"),
    Reply("", 302, (("Location", "/login?next=%2F"), ("Set-Cookie", "session=1"))),
    Reply(
        "<hr><address>Apache/2.4.62 (Debian) Server at localhost Port 443</address>",
        404,
        (("Keep-Alive", "timeout=5, max=100"), ("Server", "Apache/2.4.62 (Debian)")),
    ),
    page("", "", Server="cloudflare", Via="1.1 google"),
]


@pytest.mark.parametrize("reply", ORDINARY)
def test_ordinary_pages_show_no_product(reply: Reply) -> None:
    for probe in MARKERS.probes.values():
        seen = matched(MARKERS, answer(probe.id, reply), asked(probe), NOT_FOUND, HOST)
        assert seen.hits == (), probe.id


# ---- hostile answers -------------------------------------------------------------------------

SIZE = 1_048_576


def hostile(marker: Marker) -> list[str]:
    """Texts of a megabyte that get a pattern going and never let it finish."""
    reply = REPLIES.get(marker.id, Reply("0" * 32))
    text = " ".join((reply.subject, *(value for _, value in reply.fields), reply.body))
    match = marker.pattern.search(text) or re.search(".{1,40}", text)
    assert match
    sample = match[0][:60]
    pieces = {sample[: len(sample) * n // 4] for n in (1, 2, 3)} | {
        sample[:-1],
        "a",
        " ",
        "<",
        "\n",
    }
    pieces |= {sample[:-1] + "a" * 100, sample[: len(sample) // 2] + " " * 1000}
    return [piece * (SIZE // len(piece) + 1) for piece in pieces if piece]


@pytest.mark.parametrize(("product", "marker"), EVERY, ids=IDS)
def test_no_pattern_is_slow_on_a_megabyte_of_hostile_text(product: Any, marker: Marker) -> None:
    # What a slow pattern takes is hours; processor time, so that a busy machine does not matter.
    began = time.process_time()
    for text in hostile(marker):
        marker.pattern.search(text)
        marker.pattern.search(text[: SIZE // 2] + "\0" + text[SIZE // 2 :])
    assert time.process_time() - began < 20


@pytest.mark.parametrize(
    "body",
    [b"<title" * 200_000, b"<title>" * 150_000, b"<title>" + b"a" * 10**6, b"\xff" * 10**6],
)
def test_no_page_is_slow_to_read(body: bytes) -> None:
    began = time.process_time()
    for probe in MARKERS.probes.values():
        seen = Answer(probe.id, Response(200, (("location", "/" * 9999),), body))
        matched(MARKERS, seen, asked(probe), NOT_FOUND, HOST)
    assert time.process_time() - began < 20


def test_only_the_beginning_of_a_page_counts() -> None:
    marker = next(m for _, m in EVERY if m.id == "barracuda.words")
    assert found(marker, Reply(" " * (MOST_BODY - 100) + "Barracuda SSL VPN")).hits
    assert not found(marker, Reply(" " * MOST_BODY + "Barracuda SSL VPN")).hits
    assert MOST_NAME < MOST_BODY


@given(
    st.sampled_from(sorted(MARKERS.probes)),
    st.integers(100, 599),
    st.lists(
        st.tuples(
            st.sampled_from(["location", "set-cookie", "server", "via", "keep-alive"]),
            st.text(max_size=60),
        ),
        max_size=6,
    ),
    st.binary(max_size=400),
)
def test_anything_may_come(
    probe: str, status: int, fields: list[tuple[str, str]], body: bytes
) -> None:
    seen = Answer(probe, Response(status, tuple(fields), body))
    for hit in matched(MARKERS, seen, asked(MARKERS.probes[probe]), seen, HOST).hits:
        assert hit.excerpt.isprintable()


@given(st.lists(st.binary(max_size=300), max_size=12))
def test_any_bytes_may_be_a_certificate(chain: list[bytes]) -> None:
    assert names(chain).subjects == ()


def test_names_are_read_in_both_orders() -> None:
    seen = names([issued("CN=a,O=b\\, c,C=JP", "CN=d,O=e")])
    assert seen.subjects == ("CN=a,O=b\\, c,C=JP", "C=JP,O=b\\, c,CN=a")
    assert seen.issuers == ("CN=d,O=e", "O=e,CN=d")


def test_the_proof_is_the_product_s_where_the_function_may_be_off() -> None:
    cookies = next(m for _, m in EVERY if m.id == "citrix.cookie")
    assert cookies.proves is Proof.PRODUCT
