"""The look for pages of management: nginx, and what must give no hit."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Callable
from itertools import product

import pytest

from tests.conftest import Start
from tests.faults import Proxy
from tests.servers import Server
from tlscheck.model import Confidence, Reason
from tlscheck.net import Net
from tlscheck.observations.http import Management, ManagementPage
from tlscheck.observations.vpn import Asked, Impact
from tlscheck.observations.vpn.markers import CONTROL
from tlscheck.probes import management
from tlscheck.probes.http import AGENT

PATHS = [probe.path for id, probe in management.pages().probes.items() if id != CONTROL]
HIGH = Confidence.HIGH
NOTHING = Management(asked=len(PATHS))
HTML = "default_type text/html;"


def look(server: Server | Proxy, timeout: float = 3.0) -> Management:
    return asyncio.run(management.look(Net(connect_timeout=timeout), server.place()))


def location(path: str, answer: str) -> str:
    return f"location = {path} {{ {HTML} {answer} }}"


REST = "location / { return 404; }"


def test_nothing_is_there(nginx: Start) -> None:
    assert look(nginx(REST)) == NOTHING


def test_what_is_asked_is_a_get_and_no_login(nginx: Start) -> None:
    server = nginx('location / { return 404 "$request_method|$http_cookie|$http_authorization"; }')
    net, place = Net(), server.place()
    assert asyncio.run(management.look(net, place)).stopped is None
    assert net.spent(place) == 1
    assert len(PATHS) <= 40
    for probe in management.pages().probes.values():
        assert (probe.method, probe.fields, probe.body) == ("GET", (), "")
        assert probe.impact is Impact.PASSIVE
    assert next(iter(management.pages().probes)) == CONTROL


@pytest.mark.parametrize(
    ("path", "answer", "name", "status"),
    [
        ("/nginx_status", "stub_status;", "nginx", 200),
        (
            "/server-status",
            "return 200 '<h1>Apache Server Status for a.example (via 192.0.2.1)</h1>';",
            "Apache httpd",
            200,
        ),
        (
            "/phpmyadmin/",
            'add_header WWW-Authenticate "Basic realm=\\"phpMyAdmin db\\"" always; return 401;',
            "phpMyAdmin",
            401,
        ),
        ("/phpmyadmin/", "return 200 '<input name=\"pma_username\">';", "phpMyAdmin", 200),
        (
            "/manager/html",
            'auth_basic "Tomcat Manager Application"; auth_basic_user_file /dev/null; ',
            "Apache Tomcat Manager",
            401,
        ),
        (
            "/manager/html",
            "return 403 'see <tt>conf/tomcat-users.xml</tt>';",
            "Apache Tomcat Manager",
            403,
        ),
        ("/grafana/login", "return 200 '<title>Grafana</title>';", "Grafana", 200),
        ("/login", "return 200 '<svg id=\"ftnt-fortinet-grid\">';", "Fortinet FortiWeb", 200),
        ("/kibana/app/home", "return 302 /kibana/login?next=%2Fkibana%2Fapp;", "Kibana", 302),
        ("/.git/HEAD", "return 200 'ref: refs/heads/main\\n';", "Git (.git)", 200),
        ("/.env", "return 200 '# local\\n\\nAPP_KEY=s3cret\\nDB_HOST=x\\n';", "dotenv (.env)", 200),
    ],
)  # fmt: skip
def test_what_answers_is_found(
    nginx: Start, path: str, answer: str, name: str, status: int
) -> None:
    seen = look(nginx(f"absolute_redirect off; {location(path, answer)} {REST}"))
    assert [(p.path, p.product, p.status) for p in seen.found] == [(path, name, status)]
    assert (seen.asked, seen.stopped, seen.locked) == (len(PATHS), None, ())
    assert "s3cret" not in repr(seen)


@pytest.mark.parametrize(
    "answer",
    [
        "return 200 '<title>Reserve a consultation</title>';",
        "return 200 '$request_uri $request $http_host $http_user_agent $http_accept';",
        "add_header WWW-Authenticate 'Basic realm=\"$request_uri\"' always; return 401;",
        "return 302 https://$host$request_uri?;",
        "return 302 https://www.example.jp/login?next=%2Fkibana;",
        "return 403;",
    ],
    ids=["catch-all", "reflecting", "reflecting realm", "to itself", "elsewhere", "refusing"],
)
def test_a_server_that_answers_everything_alike_gives_no_hit(nginx: Start, answer: str) -> None:
    seen = look(nginx(f"location / {{ {HTML} {answer} }}"))
    assert seen.found == ()
    assert (seen.asked, seen.locked, seen.stopped) == (len(PATHS), (), None)


def test_a_mark_that_is_everywhere_is_no_hit_and_no_absence(nginx: Start) -> None:
    """A help page for phpMyAdmin at every path, or a console that takes the whole host."""
    seen = look(nginx(f"location / {{ {HTML} return 200 '<img alt=\"phpMyAdmin\">'; }}"))
    assert seen.found == ()
    assert seen.everywhere == ("phpMyAdmin",)


@pytest.mark.parametrize(
    ("answer", "screened"),
    [
        ("return 401;", len(PATHS) - 1),
        ("return 302 https://login.example/;", len(PATHS) - 1),
        ("return 403;", len(PATHS) - 1),
        ("return 404;", 0),
        ("return 200 'x';", 0),
    ],
)
def test_what_stands_before_everything_hides_what_is_behind(
    nginx: Start, answer: str, screened: int
) -> None:
    seen = look(nginx(f"location / {{ {HTML} {answer} }}"))
    assert len(seen.screened) == screened
    assert seen.found == seen.unrecognised == ()


def test_a_refusal_of_all_but_the_page_hides_nothing(nginx: Start) -> None:
    """As an object store refuses what it does not have."""
    assert look(nginx(f"{location('/', 'return 200 x;')} location / {{ return 403; }}")) == NOTHING


@pytest.mark.parametrize("rest", [REST, f"location / {{ {HTML} return 200 'the one page'; }}"])
@pytest.mark.parametrize(
    "answer",
    [
        "return 302 /phpmyadmin/index.php;",
        "return 203 'phpMyAdmin';",
        "return 200 'who knows';",
        "default_type text/plain; return 200 'the one page';",
    ],
)
def test_what_is_there_and_not_recognised_is_no_absence(
    nginx: Start, answer: str, rest: str
) -> None:
    there = f"location = /phpmyadmin/ {{ {answer} }} {location('/login', 'return 200 mine;')}"
    seen = look(nginx(f"{there} {rest}"))
    assert seen.found == ()
    assert seen.unrecognised == ("/phpmyadmin/",)


def test_a_login_that_says_nothing_of_what_is_behind_it(nginx: Start) -> None:
    guarded = 'auth_basic "Members only"; auth_basic_user_file /dev/null;'
    seen = look(nginx(f"{location('/webmin/', guarded)} {REST}"))
    assert (seen.found, seen.locked) == ((), ("/webmin/",))
    everything = look(nginx(f"location / {{ {guarded} }}"))
    assert everything.locked == ()


def test_an_error_of_the_server_is_no_absence(nginx: Start) -> None:
    seen = look(nginx(f"{location('/solr/', 'return 502;')} {REST}"))
    assert (seen.unanswered, seen.asked) == (("/solr/",), len(PATHS) - 1)


@pytest.mark.parametrize("status", [500, 503, 429])
def test_nothing_is_known_of_a_server_that_is_down(nginx: Start, status: int) -> None:
    seen = look(nginx(f"location / {{ return {status}; }}"))
    assert (seen.asked, seen.stopped) == (0, Reason.LIMITED)
    assert seen.unanswered == tuple(PATHS)


LIMIT = "limit_req_zone $binary_remote_addr zone=a:1m rate=1r/m;"


@pytest.mark.parametrize(
    ("status", "reason"),
    [(429, Reason.LIMITED), (503, Reason.LIMITED), (444, Reason.BANNED), (403, Reason.BANNED)],
)
def test_who_bans_us_after_some_questions_is_asked_no_more(
    nginx: Start, status: int, reason: Reason
) -> None:
    limited = f"limit_req zone=a burst=9 nodelay; limit_req_status {status};"
    console = location("/login", "return 200 '<title>Grafana</title>';")
    # After nine more questions it says no, by a status or by hanging up.
    seen = look(nginx(f"{limited} {console} location / {{ try_files /none =404; }}", http=LIMIT))
    assert seen.stopped is reason
    assert seen.asked == 11
    assert [page.product for page in seen.found] == ["Grafana"]
    assert len(seen.unanswered) == len(PATHS) - seen.asked
    assert "/.env" in seen.unanswered


def test_who_bans_us_by_a_page_for_everybody_leaves_all_in_doubt(nginx: Start) -> None:
    limited = "limit_req zone=a burst=9 nodelay; limit_req_status 429; error_page 429 =200 /wait;"
    wait = location("/wait", "return 200 'One moment, please';")
    seen = look(nginx(f"{limited} {wait} location / {{ try_files /none =404; }}", http=LIMIT))
    assert (seen.asked, seen.stopped) == (0, Reason.BANNED)
    assert seen.unanswered == tuple(PATHS)


def test_what_was_recognised_stands_though_a_ban_begins_with_it(nginx: Start) -> None:
    before = PATHS.index("/manager/html")
    limited = f"limit_req zone=a burst={before} nodelay; limit_req_status 403; error_page 403 /no;"
    refusal = location("/no", "return 403 'tomcat-users.xml';")
    seen = look(nginx(f"{limited} {refusal} location / {{ try_files /none =404; }}", http=LIMIT))
    assert [(page.path, page.status) for page in seen.found] == [("/manager/html", 403)]
    assert (seen.stopped, seen.asked) == (Reason.BANNED, before + 1)


def test_a_page_that_is_refused_is_no_ban(nginx: Start) -> None:
    closed = location("/server-status", "return 403;") + location("/.env", "return 403;")
    assert look(nginx(f"{closed} {REST}")) == NOTHING


@pytest.mark.parametrize("ban", ["rst", "drop"])
def test_who_bans_connections(nginx: Start, proxy: Callable[..., Proxy], ban: str) -> None:
    between = proxy(nginx(f"keepalive_timeout 0; {REST}"), ban_after=12, ban=ban)
    began = time.monotonic()
    seen = look(between, timeout=0.5)
    assert time.monotonic() - began < 6
    assert seen.stopped is Reason.BANNED
    assert seen.asked == 11
    assert between.connections < 18


def test_nobody_answers(proxy: Callable[..., Proxy], nginx: Start) -> None:
    seen = look(proxy(nginx(REST), hang=True), timeout=0.5)
    assert (seen.asked, seen.stopped) == (0, Reason.TIMEOUT)


def test_time_is_limited(nginx: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(management, "SECONDS", -1.0)
    seen = look(nginx(REST))
    assert (seen.asked, seen.stopped) == (0, Reason.BUDGET)


def test_two_marks_of_one_page_are_one_page_by_the_surer(nginx: Start) -> None:
    page = "return 200 '<title>phpMyAdmin</title><input name=\"pma_username\">';"
    seen = look(nginx(f"{location('/phpmyadmin/', page)} {REST}"))
    assert seen.found == (ManagementPage("/phpmyadmin/", "phpMyAdmin", 200, HIGH),)


# ---- the data --------------------------------------------------------------------------------


def test_no_mark_matches_any_question() -> None:
    """What a page reflects of the question must not look like a product."""
    pages = management.pages()
    fields = (("User-Agent", AGENT), ("Accept", "text/html,*/*;q=0.8"))
    markers = [marker for each in pages.products for marker in each.markers]
    for probe, marker in product(pages.probes.values(), markers):
        for words in Asked("clinic.example", probe.path, fields).words():
            assert not marker.pattern.search(words), (marker.id, probe.path)


def test_the_data_is_sound() -> None:
    pages = management.pages()
    markers = [marker for each in pages.products for marker in each.markers]
    assert len({marker.id for marker in markers}) == len(markers)
    assert {marker.probe for marker in markers} == set(pages.probes) - {CONTROL}
    assert len(set(PATHS)) == len(PATHS)
    for marker in markers:
        assert marker.where in ("realm", "body", "title", "location")
        assert marker.status
        assert marker.sources
        assert re.fullmatch(r"[a-z0-9]+\.[a-z-]+", marker.id)


@pytest.mark.parametrize("text", ["A=", "#\n", "\n", "A=\n#", "a" * 99 + "\n", "<!--", " \r\n"])
def test_a_hostile_page_takes_no_long_time(text: str) -> None:
    body = text * (262_144 // len(text))
    began = time.process_time()
    for each in management.pages().products:
        for marker in each.markers:
            marker.pattern.search(body)
    assert time.process_time() - began < 2
