"""The pages of a history in a real browser, from the disk and from a server: they show, lead to one
another, ask for nothing and complain of nothing.
"""

from __future__ import annotations

import html
import re
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.history import make_past
from tests.history.make_past import WWW
from tests.render.make_report import LANGUAGES, SCRIPT
from tests.render.test_browser import CHROMIUM, browse, corner
from tlscheck import site
from tlscheck.history import opened
from tlscheck.render.site import render
from tlscheck.render.site.names import INDEX, target_page

pytestmark = pytest.mark.skipif(
    CHROMIUM is None, reason="NO CHROMIUM: the pages of a history were not opened in a browser"
)
TARGET = target_page(f"https://{WWW}:443")


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Path]:
    """By language, a folder with the pages."""
    made = tmp_path_factory.mktemp("site")
    with opened(made / "history.db", create=True) as store:
        make_past.keep(store)
        past = site.gather(store, 366, 92)
    for lang in LANGUAGES:
        (made / lang).mkdir()
        for name, page in render(past, lang).items():
            (made / lang / name).write_bytes(page)
    return {lang: made / lang for lang in LANGUAGES}


@contextmanager
def serving(folder: Path) -> Iterator[tuple[str, list[str]]]:
    """Serve *folder*; give its address and all that was asked."""
    asked: list[str] = []

    class Handler(SimpleHTTPRequestHandler):
        def log_message(self, format: str, *args: object) -> None:
            asked.append(self.path)

    handler = partial(Handler, directory=str(folder))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}", asked
        server.shutdown()
        thread.join()


def links(page: str) -> list[str]:
    return [html.unescape(link) for link in re.findall(r'<a href="([^"#][^"]*)"', page)]


@pytest.mark.parametrize("lang", LANGUAGES)
def test_from_the_disk_the_list_leads_to_a_target_and_that_to_what_changed(
    folders: Mapping[str, Path], lang: str, tmp_path: Path
) -> None:
    name, said = INDEX, []
    for wanted in (TARGET, "diff-3-4.html", INDEX):
        seen = browse((folders[lang] / name).as_uri(), tmp_path, "--dump-dom")
        assert "CONSOLE" not in seen.stderr
        assert f'<html lang="{lang}">' in seen.stdout
        assert "<script" not in seen.stdout
        assert wanted in links(seen.stdout)
        said.append(seen.stdout)
        name = wanted
    assert html.escape(SCRIPT, quote=False) in said[0]
    heading = {"en": "What changed", "ja": "変更の内容"}[lang]
    assert f"<h1>{heading}</h1>" in said[2]


def test_from_a_server_no_page_asks_for_anything_else(
    folders: Mapping[str, Path], tmp_path: Path
) -> None:
    with serving(folders["ja"]) as (address, asked):
        for name in (INDEX, TARGET, "diff-4-5.html"):
            seen = browse(f"{address}/{name}", tmp_path, "--dump-dom")
            assert "CONSOLE" not in seen.stderr
    assert asked == [f"/{INDEX}", f"/{TARGET}", "/diff-4-5.html"]


def test_the_policy_stops_what_escaping_would_let_through(
    folders: Mapping[str, Path], tmp_path: Path
) -> None:
    bad = (
        b"<img src='/beacon.png'><script>document.title = 'run'</script>"
        b"<style>body { background: red }</style></body>"
    )
    page = (folders["en"] / INDEX).read_bytes().replace(b"</body>", bad)
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad" / INDEX).write_bytes(page)
    picture = tmp_path / "page.png"
    with serving(tmp_path / "bad") as (address, asked):
        seen = browse(f"{address}/{INDEX}", tmp_path, "--dump-dom")
        browse(f"{address}/{INDEX}", tmp_path, f"--screenshot={picture}")
    assert asked == [f"/{INDEX}"] * 2
    assert "<title>run</title>" not in seen.stdout
    assert corner(picture.read_bytes()) == (255, 255, 255)


@pytest.mark.parametrize("mode", ["light", "dark"])
def test_the_style_holds_and_has_two_faces(
    folders: Mapping[str, Path], mode: str, tmp_path: Path
) -> None:
    ground = {"light": (255, 255, 255), "dark": (20, 23, 26)}[mode]
    picture = tmp_path / "page.png"
    dark = ["--force-dark-mode"] if mode == "dark" else []
    address = (folders["ja"] / TARGET).as_uri()
    browse(address, tmp_path, f"--screenshot={picture}", *dark)
    assert corner(picture.read_bytes()) == ground


def test_it_prints(folders: Mapping[str, Path], tmp_path: Path) -> None:
    printed = tmp_path / "page.pdf"
    address = (folders["ja"] / TARGET).as_uri()
    browse(address, tmp_path, f"--print-to-pdf={printed}", "--no-pdf-header-footer")
    assert printed.read_bytes().startswith(b"%PDF")
