import gzip
import re
import time
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tlscheck.model import Place, Reason
from tlscheck.observations.http import (
    Alternative,
    BrokenAnswer,
    Conversation,
    Cookie,
    Delivery,
    Direction,
    Hop,
    Hsts,
    HstsFault,
    HttpObservation,
    Load,
    PlainState,
    Policy,
    Response,
    certificate_refused,
    clock_skew,
    direction,
    observation,
    parse_alternatives,
    parse_cookie,
    parse_hsts,
    parse_policies,
    plain_observation,
    redirect_target,
    safe_url,
)

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
PLACE = Place("clinic.example", 443, "https", "192.0.2.1", "clinic.example")


def seen(body: str = "", *fields: tuple[str, str], status: int = 200) -> HttpObservation:
    html = (("content-type", "text/html; charset=utf-8"), *fields)
    answer = Response(status, html, body.encode())
    return observation(NOW, PLACE, [Hop("https://clinic.example/", answer, NOW)], None)


# --- HSTS


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("max-age=31536000", (31536000, False, False)),
        ('max-age="31536000"', (31536000, False, False)),
        ("max-age=31536000; includeSubDomains; preload", (31536000, True, True)),
        ("INCLUDESUBDOMAINS;MAX-AGE=1", (1, True, False)),
        ("max-age=0", (0, False, False)),
        (" ; max-age = 5 ;; ", (5, False, False)),
        ('max-age=1; other="a;b\\"c"; includeSubDomains', (1, True, False)),
        ("max-age=0031536000", (31536000, False, False)),
        ("max-age=1; unknown; what=ever", (1, False, False)),
    ],
)
def test_hsts(text: str, expected: tuple[int, bool, bool]) -> None:
    assert parse_hsts([text]) == Hsts(*expected, text=text)


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("", HstsFault.MAX_AGE),
        ("includeSubDomains", HstsFault.MAX_AGE),
        ("max-age", HstsFault.MAX_AGE),
        ("max-age=-1", HstsFault.MAX_AGE),
        ("max-age=1.5", HstsFault.MAX_AGE),
        ("max-age=１２", HstsFault.SYNTAX),
        ("max-age=", HstsFault.SYNTAX),
        ('max-age="1', HstsFault.SYNTAX),
        ("max-age=1, includeSubDomains", HstsFault.SYNTAX),
        ("max-age=1; includeSubDomains=true", HstsFault.SYNTAX),
        ("max-age=1 includeSubDomains", HstsFault.SYNTAX),
        ("max-age=1; max-age=1", HstsFault.DUPLICATE),
        ("max-age=1; x; X", HstsFault.DUPLICATE),
    ],
)
def test_hsts_that_browsers_ignore(text: str, fault: HstsFault) -> None:
    found = parse_hsts([text])
    assert found is not None
    assert found.fault is fault
    assert found.max_age is None


def test_of_several_hsts_fields_the_first_counts() -> None:
    assert parse_hsts(["max-age=1", "max-age=2"]) == Hsts(1, fields=2, text="max-age=1")
    assert parse_hsts([]) is None


SPACE = st.sampled_from(["", " ", "  "])


@given(
    st.integers(0, 10**12),
    st.booleans(),
    st.permutations(["age", "sub", "unknown=1", 'q="x;y"', "", ""]),
    SPACE,
)
def test_any_well_formed_hsts_is_read(age: int, quoted: bool, order: list[str], space: str) -> None:
    words = {"age": f'Max-Age={space}"{age}"' if quoted else f"max-age{space}={age}"}
    words["sub"] = "includeSubDomains"
    text = f"{space};{space}".join(words.get(part, part) for part in order)
    found = parse_hsts([text])
    assert found is not None
    assert (found.max_age, found.include_subdomains, found.fault) == (age, True, None)


@given(st.text())
def test_hsts_of_nonsense_is_a_fault_or_sense(text: str) -> None:
    found = parse_hsts([text])
    assert found is not None
    assert (found.max_age is None) == (found.fault is not None)


def test_a_huge_hsts_age_is_no_trouble() -> None:
    found = parse_hsts(["max-age=" + "9" * 60_000])
    assert found is not None
    assert (found.max_age or 0) > 31_536_000
    assert len(found.text) < 400


# --- cookies


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a=SECRET", Cookie("a")),
        (
            "__Host-id=SECRET; Path=/; Secure; HttpOnly; SameSite=Lax",
            Cookie("__Host-id", True, True, "lax", path="/"),
        ),
        ("a=SECRET; max-age=60; expires=Fri, 20 Nov 2026 13:00:00 GMT", Cookie("a", lifetime=60)),
        ("a=SECRET; Expires=Fri, 20-Nov-2026 13:00:00 GMT", Cookie("a", lifetime=3600)),
        ("a=SECRET; Expires=Thu, 01 Jan 1970 00:00:00 GMT", Cookie("a", lifetime=-1795176000)),
        ("a=SECRET; Expires=whenever; Max-Age=soon", Cookie("a")),
        ("a=b=SECRET; Domain=.Example.ORG", Cookie("a", domain=".example.org")),
        ("SECRET", Cookie("")),
        ("SECRET; Secure", Cookie("", secure=True)),
        ("=SECRET", Cookie("")),
        ("", Cookie("")),
    ],
)
def test_cookie(text: str, expected: Cookie) -> None:
    assert parse_cookie(text, NOW) == expected


def test_no_secret_gets_into_the_observation() -> None:
    found = seen(
        '<form action="https://other.example/a?SECRET#SECRET">SECRET</form>',
        ("set-cookie", "session=SECRET"),
        ("set-cookie", "SECRET"),
        ("location", "https://u:SECRET@clinic.example/x;jsessionid=SECRET?t=SECRET#SECRET"),
        (
            "content-security-policy",
            "script-src 'nonce-SECRET'; report-uri https://r.example/?SECRET",
        ),
        status=302,
    )
    assert "SECRET" not in repr(found)
    assert found.redirects[0].location == "https://clinic.example/x;…"
    assert "SECRET" not in repr(Hop("https://x/?SECRET", Response(200, (("a", "SECRET"),)), NOW))


# --- other fields


def test_policies() -> None:
    told = ["default-src 'self'; IMG-SRC *; img-src none, script-src 'nonce-abc' https:", " ; "]
    assert parse_policies(Delivery.HEADER, told) == (
        Policy(Delivery.HEADER, {"default-src": ("'self'",), "img-src": ("*",)}),
        Policy(Delivery.HEADER, {"script-src": ("'nonce-…'", "https:")}),
    )


def test_what_the_policies_allow() -> None:
    found = seen(
        '<meta http-equiv="Content-Security-Policy" content="form-action https://pay.example">',
        ("content-security-policy", "default-src 'self' cdn.example; connect-src cdn.example wss:"),
        ("content-security-policy-report-only", "script-src report.example"),
    )
    assert found.allowed == (
        Load("cdn.example", ("connect-src", "default-src")),
        Load("https://pay.example", ("form-action",)),
        Load("wss:", ("connect-src",)),
    )


@pytest.mark.parametrize(
    ("fields", "skew"),
    [
        ([("date", "Fri, 20 Nov 2026 12:00:07 GMT")], 7),
        ([("date", "Fri, 20 Nov 2026 11:50:00 GMT")], -600),
        ([("date", "Fri, 20 Nov 2026 11:50:00 GMT"), ("age", "600")], 0),
        ([("date", "Fri, 20 Nov 2026 11:50:00 GMT"), ("age", "-1")], -600),
        ([("date", "Fri, 20 Nov 99999999 11:50:00 GMT")], None),
        ([("date", "now")], None),
        ([], None),
    ],
)
def test_clock_skew(fields: list[tuple[str, str]], skew: int | None) -> None:
    assert clock_skew(Response(200, tuple(fields)), NOW) == skew


@pytest.mark.parametrize(
    ("status", "body", "refused"),
    [
        (400, "<center>No required SSL certificate was sent</center>", True),
        (400, "<center>The SSL certificate error</center>", True),
        (496, "", True),
        (403, "<h3>HTTP Error 403.7 - Forbidden</h3>", True),
        (403, "Reason: Cannot perform Post-Handshake Authentication.", True),
        (403, "Forbidden", False),
        (200, "No required SSL certificate was sent", False),
    ],
)
def test_refusals_for_want_of_a_client_certificate(status: int, body: str, refused: bool) -> None:
    assert certificate_refused(Response(status, (), body.encode())) is refused


@pytest.mark.parametrize(
    ("field", "marks"),
    [
        (("cf-ray", "8f"), ["Cloudflare"]),
        (("via", "1.1 abc.cloudfront.net (CloudFront)"), ["Amazon CloudFront"]),
        (("server", "Scutum"), ["Scutum"]),
        (("set-cookie", "TS0123ab=x"), ["F5 ASM"]),
        (("set-cookie", "TSX=01234567"), []),
        (("server", "nginx"), []),
        (("x-request-id", "1"), []),
        (("server", "rhino-core-shield"), ["Link11"]),
        (("server", "Baffin-Bay-Inlet"), ["Baffin Bay"]),
        (("server", "Variti/0.9.3a"), ["Variti"]),
        (("server", "Sucuri/Cloudproxy"), ["Sucuri"]),
        (("server", "WebSEAL/10.0.7"), ["IBM WebSEAL"]),
        (("server", "ArvanCloud"), ["ArvanCloud"]),
        (("x-servedby", "KEMP-LM"), ["Kemp LoadMaster"]),
        (("x-azion-request-id", "00a1"), ["Azion"]),
        (("bestcdn", "Cachefly"), ["CacheFly"]),
        (("set-cookie", "PLBSID=0.s1"), ["Profense"]),
        (("set-cookie", "plbsident=0"), []),
        (("set-cookie", "lm_sessid=1"), ["Limelight"]),
        (("set-cookie", "lm_sessidx=1"), []),
        (("server", "openresty"), []),
        (("server", "squid"), []),
        (("x-amz-request-id", "1"), []),
    ],
)
def test_marks(field: tuple[str, str], marks: list[str]) -> None:
    assert [mark.product for mark in seen("", field).marks] == marks


def test_banners() -> None:
    page = '<meta name="Generator" content="WordPress 6.9">'
    assert seen(page, ("server", "a"), ("server", "b")).banners == {
        "server": "a, b",
        "meta generator": "WordPress 6.9",
    }


# --- redirects and the plain port


@pytest.mark.parametrize(
    ("location", "target", "leads"),
    [
        ("/login", "https://clinic.example/login", Direction.OWN),
        ("https://CLINIC.example.:443/x", "https://CLINIC.example.:443/x", Direction.OWN),
        ("//www.example/", "https://www.example/", Direction.FOREIGN),
        ("https://clinic.example:8443/", "https://clinic.example:8443/", Direction.FOREIGN),
        ("http://clinic.example/", "http://clinic.example/", Direction.PLAINTEXT),
        ("app://open", "app://open", Direction.FOREIGN),
        ("https://[::1/", "https://[::1/", Direction.FOREIGN),
        ("https://clinic.example:99999/", "https://clinic.example:99999/", Direction.FOREIGN),
    ],
)
def test_redirects(location: str, target: str, leads: Direction) -> None:
    answer = Response(302, (("location", location),))
    assert redirect_target("https://clinic.example/", answer) == target
    assert direction(target, PLACE) is leads


def test_a_name_is_the_same_in_either_spelling() -> None:
    place = Place("xn--eckwd4c7cu47r2wf.example", 443, "https", "192.0.2.1")
    assert direction("https://ドメイン名例.example/", place) is Direction.OWN
    place = Place("2001:db8::1", 443, "https", "2001:db8::1")
    assert direction("https://[2001:DB8:0::1]/", place) is Direction.OWN


@pytest.mark.parametrize(
    ("status", "location", "state", "good"),
    [
        (301, "https://clinic.example/", PlainState.REDIRECTS, True),
        (308, "https://clinic.example:8443/", PlainState.REDIRECTS, True),
        (301, "https://www.clinic.example/", PlainState.REDIRECTS, False),
        (301, "http://www.clinic.example/", PlainState.REDIRECTS, False),
        (302, "/login", PlainState.REDIRECTS, False),
        (301, "", PlainState.SERVES, False),
        (200, "https://clinic.example/", PlainState.SERVES, False),
        (404, "", PlainState.SERVES, False),
    ],
)
def test_plain(status: int, location: str, state: PlainState, good: bool) -> None:
    fields = (("location", location), ("strict-transport-security", "max-age=1"))
    found = plain_observation(PLACE, 80, Response(status, fields))
    assert (found.state, found.https_same_host, found.hsts) == (state, good, True)


@pytest.mark.parametrize(
    ("url", "safe"),
    [
        ("https://a.example/x?y=z", "https://a.example/x?…"),
        ("https://u:p@a.example:8443/x;s=1?y", "https://a.example:8443/x;…"),
        ("https://[::1/?x", "https://[::1/"),
        ("", ""),
        ("https://a.example/\u202egnp.exe\x07", "https://a.example/\ufffdgnp.exe\ufffd"),
    ],
)
def test_urls_are_kept_without_secrets(url: str, safe: str) -> None:
    assert safe_url(url) == safe


# --- the page


@pytest.mark.parametrize(
    ("page", "origin", "kinds"),
    [
        ('<script src="http://x.example/a.js"></script>', "http://x.example", ("script",)),
        ("<SCRIPT SRC=//x.example/a.js>", "https://x.example", ("script",)),
        ('<img src="https:\\\\x.example\\a">', "https://x.example", ("image",)),
        ('<img srcset="a.png 1x, http://x.example/b.png 2x">', "http://x.example", ("image",)),
        ('<link rel="preconnect" href="https://x.example">', "https://x.example", ("connect",)),
        ('<link rel="canonical" href="http://x.example">', None, ()),
        ('<a href="http://x.example">', None, ()),
        ('<form action="http://clinic.example/login">', "http://clinic.example", ("form",)),
        ('<form action="/login">', None, ()),
        ('<base href="http://x.example/"><img src="a.png">', "http://x.example", ("image",)),
        ('<div style="background:url(http://x.example/a)">', "http://x.example", ("style",)),
        ("<style>@import 'http://x.example/a'</style>", "http://x.example", ("style",)),
        ('<script>s="wss://x.example:8443/s"</script>', "wss://x.example:8443", ("named",)),
        ('<script>u="https:\\/\\/x.example\\/s"</script>', "https://x.example", ("named",)),
        ('<script>n="http://www.w3.org/2000/svg"</script>', None, ()),
        ("<script>s.src='//x.example/t.js'</script>", "https://x.example", ("named",)),
        ('<script>a = "// x"; b = "//x"; c = 1 //x.example/</script>', None, ()),
        ("<style>a{background:url(//x.example/a)}</style>", "https://x.example", ("style",)),
        ("<svg><script href=//x.example/a />", "https://x.example", ("script",)),
        ("<svg><use xlink:href=//x.example/a#b />", "https://x.example", ("image",)),
        ("<p>http://x.example</p>", None, ()),
        ("<!-- <img src=http://x.example> -->", None, ()),
        ('<img src="http://[::1">', None, ()),
        ('<img src="data:image/png;base64,aaaa">', None, ()),
        ("<meta http-equiv=Refresh content=0;URL=ws://x.example>", "ws://x.example", ("refresh",)),
        ("<!-- --!><img src=http://x.example>", "http://x.example", ("image",)),
        ("<!--><img src=http://x.example>", "http://x.example", ("image",)),
        ("<title><img src=//y></title><img src=//x.example>", "https://x.example", ("image",)),
        ("<script>'<img src=//y.example>'</script>", None, ()),
        ("<img alt='>' src=http&colon;//x.example>", "http://x.example", ("image",)),
        ("<img/src='http://x.example'/>", "http://x.example", ("image",)),
        ("<img src=//x.example src=//y.example>", "https://x.example", ("image",)),
        ("<img src=//x.example", None, ()),
        ("</p><?php?><!x><img src=//x.example>", "https://x.example", ("image",)),
        ("<img imagesrcset='//x.example/a 1x'>", "https://x.example", ("image",)),
        ("<iframe srcdoc='&lt;img src=//x.example>'>", "https://x.example", ("image",)),
        ("<link rel=prerender href=//x.example>", "https://x.example", ("preload",)),
        ("<link rel=brandnew href=//x.example>", "https://x.example", ("named",)),
        ("<link rel='shortcut icon' href=//x.example>", "https://x.example", ("image",)),
        ("<applet archive=https://x.example/a.jar>", "https://x.example", ("named",)),
        ("<div data-src=//x.example/a>", "https://x.example", ("named",)),
        ("<svg><feImage href=//x.example/a>", "https://x.example", ("image",)),
        ("<a href=//y.example ping=//x.example>", "https://x.example", ("connect",)),
        ("<p onclick=\"location='https://x.example/'\">", "https://x.example", ("named",)),
        ("<p title='https://x.example/'>", None, ()),
        ("<html xmlns:fb=http://x.example/><p itemtype=https://x.example/Clinic>", None, ()),
        ("<link rel=profile href=https://x.example/xfn/11>", None, ()),
        ("<style>a{background:url( //x.example/a)}</style>", "https://x.example", ("style",)),
        ("<style>a{background:URL(HTTPS://X.example/a)}</style>", "https://x.example", ("style",)),
        ("<style>a{background:url(//x.example#b)}</style>", "https://x.example", ("style",)),
        ("<style>@import '//192.0.2.1/a'</style>", "https://192.0.2.1", ("style",)),
        ("<style>@import '//[2001:db8::1]/a'</style>", "https://[2001:db8::1]", ("style",)),
        ("<style>@import '//x.xn--q9jyb4c/a'</style>", "https://x.xn--q9jyb4c", ("style",)),
        ("<style>@import '//例.みんな/a'</style>", "https://xn--fsq.xn--q9jyb4c", ("style",)),
        ("<script>f(`//x.example/a`)</script>", "https://x.example", ("named",)),
        ("<script>f('WSS://x.example/a')</script>", "wss://x.example", ("named",)),
        ("<script>f(`https://${host}/a`)</script>", None, ()),
        ("<meta http-equiv=refresh content='0; https://x.example'>", "https://x.example",
         ("refresh",)),
        ("<img src=///x.example/a>", "https://x.example", ("image",)),
        ("<img src=https:/\\x.example/a>", "https://x.example", ("image",)),
        ("<?xml-stylesheet href='//x.example/a'?><p>", "https://x.example", ("named",)),
        ("<h:script src=//x.example/a>", "https://x.example", ("script",)),
    ],
)  # fmt: skip
def test_loads(page: str, origin: str | None, kinds: tuple[str, ...]) -> None:
    assert seen(page).loads == ((Load(origin, kinds),) if origin else ())


@pytest.mark.parametrize(
    ("page", "origins"),
    [
        ("<script src=//x.example/a></script>", ("https://x.example",)),
        ("<script src=//x.example/a integrity=''></script>", ("https://x.example",)),
        ("<script src=//x.example/a integrity=sha384-AAAA></script>", ()),
        (
            "<script src=//x.example/a integrity=sha384-AAAA></script><script src=//x.example/b>",
            ("https://x.example",),
        ),
        ("<script src=/a></script><script src=//clinic.example/a></script>", ()),
        ("<script>1</script><link rel=stylesheet href=//x.example/a><script src=data:,1>", ()),
    ],
)
def test_scripts_without_a_digest(page: str, origins: tuple[str, ...]) -> None:
    assert seen(page).unguarded == origins


def test_the_host_that_was_asked_is_kept() -> None:
    assert seen("").host == "clinic.example"


@pytest.mark.parametrize(
    ("page", "location"),
    [
        ("<meta http-equiv=refresh content='0; url=/app/'>", "https://clinic.example/app/"),
        ("<meta http-equiv=refresh content='3,app'>", "https://clinic.example/app"),
        ("<meta http-equiv=refresh content=300>", ""),
        ("<meta http-equiv=refresh content='300; url=/'>", ""),
    ],
)
def test_a_page_that_sends_browsers_on_is_known(page: str, location: str) -> None:
    assert seen(page).leads_on == location
    content = page.partition("content=")[2].strip("'>")
    assert seen("", ("refresh", content)).leads_on == location


@pytest.mark.parametrize(
    ("page", "unread"),
    [
        ("<script>1</script>", ("script",)),
        ("<script type=module src=/a>", ("script",)),
        ("<script type=text/javascript src=/a>", ("script",)),
        ("<script type=application/ld+json>{}</script>", ()),
        ("<p onclick=f()>", ("script",)),
        ("<a href=' javascript:f()'>", ("script",)),
        ("<link rel=stylesheet href=/a.css><iframe src=b></iframe>", ("frame", "style")),
        ("<iframe src=//x.example></iframe><style>a{}</style><img src=/a>", ()),
    ],
)
def test_what_of_a_page_was_not_read_is_known(page: str, unread: tuple[str, ...]) -> None:
    assert seen(page).unread == unread


@pytest.mark.parametrize(
    ("types", "html"),
    [
        (("text/html",), True),
        (("TEXT/HTML ; charset=utf-8",), True),
        (("application/xhtml+xml",), True),
        (("text/xml",), True),
        (("image/svg+xml",), True),
        (("text/plain", "text/html"), True),
        (("text/plain, text/html",), True),
        (("unknown/unknown",), True),
        (("foo",), True),
        ((), True),
        (("text/plain",), False),
        (("application/json",), False),
    ],
)
def test_what_browsers_may_show_is_a_page(types: tuple[str, ...], html: bool) -> None:
    body = b" " * 2000 + b"<img src=//x.example>"
    answer = Response(200, tuple(("content-type", each) for each in types), body)
    found = observation(NOW, PLACE, [Hop("https://clinic.example/", answer, NOW)], None)
    assert found.html is html
    assert bool(found.loads) is html


def test_fields_name_origins_too() -> None:
    found = seen(
        "",
        ("link", '</a.css>; rel=preload, <https://x.example>; x="a, b"; rel="preconnect"'),
        ("reporting-endpoints", 'main="https://r.example/?id=1"'),
    )
    assert found.loads == (
        Load("https://r.example", ("report",)),
        Load("https://x.example", ("connect",)),
    )


@pytest.mark.parametrize("charset", ["Shift_JIS", "euc-jp", "iso-2022-jp", "idna", "hex", "", "\0"])
def test_no_charset_hides_an_origin(charset: str) -> None:
    page = "<p>予約ソ</p><script src='http://x.example/'></script>"
    codec = charset if "j" in charset.lower() else "utf-8"
    answer = Response(200, (("content-type", f"text/html; charset={charset}"),), page.encode(codec))
    found = observation(NOW, PLACE, [Hop("https://clinic.example/", answer, NOW)], None)
    assert found.loads == (Load("http://x.example", ("script",)),)


@pytest.mark.parametrize(
    ("declared", "codec"),
    [
        ("", "utf-16"),
        ("utf-8", "utf-16"),
        ("utf-16", "utf-16"),
        ("utf-16; x=y", "utf-16-le"),
        ("utf-16le", "utf-16-le"),
        ("unicode", "utf-16-le"),
        ("UTF-16BE", "utf-16-be"),
        ("shift_jis", "utf-8-sig"),
    ],
)
def test_two_byte_characters_hide_no_origin(declared: str, codec: str) -> None:
    body = "<p>予約</p><script src='http://x.example/'></script>".encode(codec)
    answer = Response(200, (("content-type", f"text/html; charset={declared}"),), body)
    found = observation(NOW, PLACE, [Hop("https://clinic.example/", answer, NOW)], None)
    assert found.loads == (Load("http://x.example", ("script",)),)


def test_a_page_of_many_origins_counts_as_not_read_to_its_end() -> None:
    few = "".join(f"<img src=https://{n % 9}.example>" for n in range(2000))
    many = "".join(f"<img src=https://{n}.example>" for n in range(2000))
    assert seen(few).whole
    assert not seen(many).whole


@pytest.mark.parametrize(
    "piece",
    ["<", "<a ", "<!--", "<a b=", "</", "&#", "<script>", "<![CDATA[", "<?", "<a b='", "<!"],
)
def test_a_hostile_page_takes_no_long_time(piece: str) -> None:
    began = time.process_time()
    seen(piece * (1_000_000 // len(piece)))
    assert time.process_time() - began < 10


# --- the conversation

HEAD = b"HTTP/1.1 200 OK\r\nServer: x\r\nSet-Cookie: a=1\r\nSet-Cookie: b=2\r\n"
ANSWERS = {
    "length": HEAD + b"Content-Length: 5\r\n\r\nhello",
    "chunked": HEAD
    + b"Transfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n3;x=y\r\nllo\r\n0\r\nT: x\r\n\r\n",
    "until the end": HEAD + b"\r\nhello",
    "early hints": b"HTTP/1.1 103 Early\r\nLink: </x>\r\n\r\n"
    + HEAD
    + b"Content-Length: 5\r\n\r\nhello",
    "bare line feeds": (HEAD + b"Content-Length: 5\r\n\r\nhello").replace(b"\r\n", b"\n"),
    "HTTP/1.0": HEAD.replace(b"1.1", b"1.0", 1) + b"\r\nhello",
}  # fmt: skip


def converse(*pieces: bytes) -> Response:
    conversation = Conversation()
    conversation.ask("clinic.example", "/", "test")
    for piece in pieces:
        if (answer := conversation.receive(piece)) is not None:
            return answer
    answer = conversation.receive(b"")
    assert answer is not None
    return answer


@pytest.mark.parametrize("name", ANSWERS)
def test_any_way_of_cutting_the_bytes_gives_the_same_answer(name: str) -> None:
    data = ANSWERS[name]
    expected = converse(data)
    assert (expected.status, expected.body, expected.whole) == (200, b"hello", True)
    assert expected.all("set-cookie") == ("a=1", "b=2")
    for size in range(1, len(data)):
        assert converse(*(data[i : i + size] for i in range(0, len(data), size))) == expected
        assert converse(data[:size], data[size:]) == expected


@pytest.mark.parametrize("name", ["length", "chunked", "early hints"])
def test_an_answer_that_ends_early_is_never_whole(name: str) -> None:
    data = ANSWERS[name]
    head = re.search(rb"b=2.*?\r\n\r\n", data, re.DOTALL)
    assert head is not None
    for size in range(1, len(data)):
        if size < head.end():
            with pytest.raises(BrokenAnswer, match=Reason.MALFORMED):
                converse(data[:size])
        else:
            assert not converse(data[:size]).whole


@given(st.binary(min_size=1, max_size=300), st.sampled_from([b"", HEAD, HEAD + b"\r\n"]))
def test_garbage_is_an_answer_or_broken(data: bytes, head: bytes) -> None:
    try:
        converse(head + data)
    except BrokenAnswer as broken:
        assert broken.reason in (Reason.MALFORMED, Reason.TOO_LARGE)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", Reason.CLOSED),
        (b"SSH-2.0-OpenSSH_9.2\r\n", Reason.MALFORMED),
        (b"HTTP/1.1 101 Switching Protocols\r\n\r\n", Reason.MALFORMED),
        (b"HTTP/1.1 100 Continue\r\n\r\n" * 20, Reason.MALFORMED),
        (HEAD + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\n", Reason.MALFORMED),
        (HEAD + b"X: y\r\n" * 101 + b"\r\n", Reason.TOO_LARGE),
        (HEAD + b"X: " + b"y" * 70_000 + b"\r\n\r\n", Reason.TOO_LARGE),
        (HEAD + b"X: " + b"y" * 70_000, Reason.TOO_LARGE),
    ],
)
def test_broken_answers(data: bytes, reason: Reason) -> None:
    with pytest.raises(BrokenAnswer) as broken:
        converse(data)
    assert broken.value.reason is reason
    assert str(broken.value) == str(reason)  # and nothing that the peer sent


def test_an_endless_body_is_cut() -> None:
    answer = converse(HEAD + b"\r\n", *[b"x" * 65536] * 20)
    assert (len(answer.body), answer.whole) == (1_048_576, False)


def test_control_characters_and_strange_bytes_do_no_harm() -> None:
    answer = converse(
        HEAD + "X: a\tb\x07\x1b[0m予約".encode() + b"\xff\r\nContent-Length: 0\r\n\r\n"
    )
    assert answer.first("x") == "a b\ufffd\ufffd[0m予約\ufffd"


@pytest.mark.parametrize("path", ["/a b", "/\r\nX: y", "/予"])
def test_a_path_that_no_request_can_carry(path: str) -> None:
    with pytest.raises(BrokenAnswer):
        Conversation().ask("clinic.example", path, "test")


def test_compressed_though_not_asked() -> None:
    packed = gzip.compress(b"hello")

    def told(coding: bytes, body: bytes) -> Response:
        return converse(
            HEAD
            + b"Content-Encoding: %s\r\nContent-Length: %d\r\n\r\n" % (coding, len(body))
            + body
        )

    assert told(b"gzip", packed) == Response(200, told(b"gzip", packed).fields, b"hello", True)
    bomb = gzip.compress(bytes(50_000_000))
    assert len(told(b"gzip", bomb).body) == 1_048_576
    for answer in (told(b"gzip", bomb), told(b"gzip", b"nonsense"), told(b"br", b"hello")):
        assert not answer.whole


def test_a_second_question_on_the_same_connection() -> None:
    conversation = Conversation()
    conversation.ask("clinic.example", "/", "test")
    first = conversation.receive(ANSWERS["length"])
    assert first is not None
    assert conversation.reusable
    assert b"GET /2 HTTP/1.1\r\nHost: clinic.example" in conversation.ask(
        "clinic.example", "/2", "t"
    )
    assert conversation.cut() is None
    assert conversation.receive(ANSWERS["chunked"]) is not None


# --- Alt-Svc


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('h3=":443"; ma=86400', [("h3", "", 443)]),
        ('h3=":443"; ma=86400, h3-29=":8443"', [("h3", "", 443), ("h3-29", "", 8443)]),
        ('h2="alt.example:443" , h3="[2001:DB8::1]:50781"; persist=1',
         [("h2", "alt.example", 443), ("h3", "2001:db8::1", 50781)]),
        ('w%3Dx%3Ay="Clinic.example:1"', [("w=x:y", "clinic.example", 1)]),
        ("clear", []),
        ("", []),
        ('h3=":0"', []),
        ('h3=":99999"', []),
        ('h3=":443', []),
        ("h3=:443", []),
        ('h3="443"', []),
    ],
)  # fmt: skip
def test_alternatives(text: str, expected: list[tuple[str, str, int]]) -> None:
    assert parse_alternatives([text]) == tuple(Alternative(*each) for each in expected)


@given(st.lists(st.text(max_size=200), max_size=5))
def test_alternatives_of_nonsense(fields: list[str]) -> None:
    for each in parse_alternatives(fields):
        assert 0 < each.port < 65536
        assert f"{each.protocol}{each.host}".isprintable()


@pytest.mark.parametrize(
    ("text", "port"),
    [
        ('h3=":8443"', 8443),
        ('h3="clinic.example:8443"', 8443),
        ('h3-29=":1", h3=":2"', 2),
        ('h3-29=":1"', 1),
        ('h3="other.example:443"', None),
        ('h2=":443"', None),
        ("clear", None),
    ],
)
def test_http3_is_looked_for_at_the_very_host_alone(text: str, port: int | None) -> None:
    offer = seen("", ("alt-svc", text)).http3("clinic.example")
    assert (offer.port if offer else None) == port
