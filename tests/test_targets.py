"""Targets: what people write, what becomes of it, and what is refused with which remedy."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tlscheck.errors import TargetError
from tlscheck.model import Place
from tlscheck.targets import SERVICES, endpoint_id, name_id, parse, place, server_name

DESIGN = """https smtp smtps lmtp imap imaps pop3 pop3s sieve nntp ftp ftps ldap ldaps postgres
    mysql xmpp turn turns ike dtls quic"""


@pytest.mark.parametrize(
    ("text", "host", "port", "service", "literal"),
    [
        ("www.example.jp", "www.example.jp", 443, "https", False),
        ("WWW.Example.JP.", "www.example.jp", 443, "https", False),
        ("localhost:8443", "localhost", 8443, "https", False),
        ("https://www.example.jp/", "www.example.jp", 443, "https", False),
        ("HTTPS://www.example.jp:8443/", "www.example.jp", 8443, "https", False),
        ("smtp://mail.example.jp", "mail.example.jp", 25, "smtp", False),
        ("smtp://mail.example.jp:587", "mail.example.jp", 587, "smtp", False),
        ("192.0.2.1", "192.0.2.1", 443, "https", True),
        ("ldaps://192.0.2.1:1636", "192.0.2.1", 1636, "ldaps", True),
        ("::1", "::1", 443, "https", True),
        ("[::1]", "::1", 443, "https", True),
        ("[::1]:8443", "::1", 8443, "https", True),
        ("imaps://[2001:DB8:0::1]:1993", "2001:db8::1", 1993, "imaps", True),
        ("2001:db8::1:443", "2001:db8::1:443", 443, "https", True),
        ("[::ffff:192.0.2.1]:443", "192.0.2.1", 443, "https", True),
        ("faß.de", "xn--fa-hia.de", 443, "https", False),
        ("FAẞ.de", "xn--fa-hia.de", 443, "https", False),
        ("xn--fa-hia.de", "xn--fa-hia.de", 443, "https", False),
        ("XN--FA-HIA.de", "xn--fa-hia.de", 443, "https", False),
        ("βόλος.com", "xn--nxasmm1c.com", 443, "https", False),
        ("u\N{COMBINING DIAERESIS}ber.de", "xn--ber-goa.de", 443, "https", False),
        ("日本語。jp．", "xn--wgv71a119e.jp", 443, "https", False),
        ("r3---sn-ab.example.com", "r3---sn-ab.example.com", 443, "https", False),
        ("1and1.example", "1and1.example", 443, "https", False),
        ("3.example.jp:1", "3.example.jp", 1, "https", False),
        ("a." * 126 + "a", "a." * 126 + "a", 443, "https", False),
    ],
)
def test_targets(text: str, host: str, port: int, service: str, literal: bool) -> None:
    spec = parse(text)
    assert (spec.host, spec.port, spec.service, spec.literal) == (host, port, service, literal)
    assert spec.shown == text


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "a target is empty"),
        (" www.example.jp", "holds white space"),
        ("www.example.jp\nevil", "holds white space"),
        ("a\u202eb.de", "control characters"),
        ("https://www.example.jp/login", "leave out what begins with /"),
        ("www.example.jp/", "leave out what begins with /"),
        ("//www.example.jp", "leave out what begins with /"),
        ("https://www.example.jp?x=1", r"leave out what begins with \?"),
        ("https://www.example.jp#top", "leave out what begins with #"),
        ("https://user:secret@www.example.jp", "leave out what stands before the @"),
        ("www.example.jp:", "write one from 1 to 65535"),
        ("www.example.jp:0", "write one from 1 to 65535"),
        ("www.example.jp:65536", "write one from 1 to 65535"),
        ("www.example.jp:+443", "write one from 1 to 65535"),
        ("www.example.jp:٤٤٣", "write one from 1 to 65535"),
        ("www.example.jp:https", "write one from 1 to 65535"),
        ("[::1]:", "write one from 1 to 65535"),
        ("[::1", r"as \[2001:db8::1\]:443"),
        ("[::1]443", r"as \[2001:db8::1\]:443"),
        ("1:2:3", r"as \[2001:db8::1\]:443"),
        ("fe80::1%eth0", r"as \[2001:db8::1\]:443"),
        ("[fe80::1%eth0]:443", "no IPv6 address between its brackets"),
        ("[192.0.2.1]:443", "no IPv6 address between its brackets"),
        ("[]:443", "no IPv6 address between its brackets"),
        ("https://", "has no host"),
        (":443", "has no host"),
        (".", "has no host"),
        ("a..b", "nothing between two dots"),
        (".jp", "nothing between two dots"),
        ("_dmarc.example.jp", "underscore"),
        ("-a.example.jp", "check its spelling"),
        ("a-.example.jp", "check its spelling"),
        ("a*b.example.jp", "check its spelling"),
        ("*.example.jp", "check its spelling"),
        ("☃.example.jp", "check its spelling"),
        ("xn--fass.de", "check its spelling"),
        ("a" * 64 + ".jp", "check its spelling"),
        ("a." * 127 + "a", "longer than 253"),
        ("ｗｗｗ.example.jp", "did you mean 'www.example.jp'"),
        ("www.example.jp：443", "did you mean 'www.example.jp:443'"),
        ("127.1", "is no IPv4 address"),
        ("2130706433", "is no IPv4 address"),
        ("0x7f.1", "is no IPv4 address"),
        ("0x7f000001", "is no IPv4 address"),
        ("127.0.0.01", "is no IPv4 address"),
        ("256.1.1.1", "is no IPv4 address"),
        ("http://www.example.jp", "write https://HOST"),
        ("submission://mail.example.jp", "write smtp://HOST:587"),
        ("postgresql://db", "write postgres://"),
        ("htps://www.example.jp", "write https://"),
        ("gopher://www.example.jp", "write one of https, smtp,"),
        ("://www.example.jp", "unknown scheme"),
    ],
)
def test_refusals_are_one_line_with_a_remedy(text: str, why: str) -> None:
    with pytest.raises(TargetError, match=why) as caught:
        parse(text)
    assert str(caught.value).isprintable()
    assert "secret" not in str(caught.value)


def test_the_table_of_schemes() -> None:
    assert list(SERVICES) == DESIGN.split()
    for name, service in SERVICES.items():
        assert not (service.starttls and name.endswith("s") and name != "postgres")
        assert parse(f"{name}://localhost").port == service.port


@given(st.text(max_size=40) | st.text("a1.:[]/@-_ßＡ%。", max_size=20))
@example("[::1%25a]:1")
@example("https://user:pa/ss@x")
def test_any_text_is_a_target_or_one_line(text: str) -> None:
    try:
        spec = parse(text)
    except TargetError as error:
        assert str(error).isprintable()
        assert str(error).isascii() or not text.isascii() or "@" in text
        return
    assert spec.host.isascii()
    again = parse(name_id(spec.service, spec.host, spec.port))
    assert (again.host, again.port, again.literal) == (spec.host, spec.port, spec.literal)


@pytest.mark.parametrize(
    ("text", "address", "sni", "expected"),
    [
        ("faß.de", "192.0.2.1", None, "xn--fa-hia.de"),
        ("192.0.2.1", "192.0.2.1", None, None),
        ("[2001:db8::1]:443", "2001:db8::1", None, None),
        ("192.0.2.1", "192.0.2.1", "Faß.de", "xn--fa-hia.de"),
        ("www.example.jp", "192.0.2.1", "other.example.jp", "other.example.jp"),
    ],
)
def test_a_literal_address_sends_no_name(
    text: str, address: str, sni: str | None, expected: str | None
) -> None:
    spec = parse(text)
    assert place(spec, address, sni) == Place(spec.host, spec.port, spec.service, address, expected)


@pytest.mark.parametrize("sni", ["192.0.2.1", "::1", "[::1]", "a_b", "a b", "a:443", ""])
def test_a_server_name_is_a_name(sni: str) -> None:
    with pytest.raises(TargetError):
        server_name(sni)


def test_ids() -> None:
    assert name_id("https", "www.example.jp", 443) == "https://www.example.jp:443"
    assert (
        endpoint_id("https", "www.example.jp", 443, "2001:db8::1")
        == "https://www.example.jp:443#2001:db8::1"
    )
    assert endpoint_id("smtp", "192.0.2.1", 25, "192.0.2.1") == "smtp://192.0.2.1:25"
    assert endpoint_id("https", "::1", 8443, "::1") == "https://[::1]:8443"
    assert endpoint_id("https", "::1", 443, "127.0.0.1") == "https://[::1]:443#127.0.0.1"
