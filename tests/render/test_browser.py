"""The page in a real browser: it shows, asks for nothing else, and complains of nothing."""

from __future__ import annotations

import shutil
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.render.make_report import LANGUAGES, report
from tlscheck.render import FORMATS

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
    "--enable-logging=stderr",
    "--window-size=1200,1600",
)
pytestmark = pytest.mark.skipif(
    CHROMIUM is None, reason="NO CHROMIUM: the HTML report was not opened in a browser"
)


@contextmanager
def serving(page: bytes) -> Iterator[tuple[str, list[str]]]:
    """Serve *page* at whatever path is asked for; give its address and all that was asked."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.send_header("Content-Length", str(len(page)))
            self.end_headers()
            self.wfile.write(page)

        def log_message(self, format: str, *args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/report.html", asked
        server.shutdown()
        thread.join()


def browse(address: str, folder: Path, *more: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(CHROMIUM), *FLAGS, f"--user-data-dir={folder / 'browser'}", *more, address],
        capture_output=True,
        text=True,
        timeout=90,
        check=True,
    )


@pytest.mark.parametrize("lang", LANGUAGES)
def test_the_page_shows_and_asks_for_nothing(lang: str, tmp_path: Path) -> None:
    with serving(FORMATS["html"](report(), lang)) as (address, asked):
        seen = browse(address, tmp_path, "--dump-dom")
    assert asked == ["/report.html"]
    assert "CONSOLE" not in seen.stderr
    assert f'<html lang="{lang}">' in seen.stdout
    assert "<script" not in seen.stdout
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in seen.stdout
    title = {"en": "TLS check", "ja": "TLS検査報告書"}[lang]
    assert f"<h1>{title}</h1>" in seen.stdout


def test_a_page_that_asked_or_complained_would_be_noticed(tmp_path: Path) -> None:
    page = b"<!doctype html><img src='/other.png'><script>console.error('loud')</script>"
    with serving(page) as (address, asked):
        seen = browse(address, tmp_path, "--dump-dom")
    assert "/other.png" in asked
    assert "CONSOLE" in seen.stderr


def test_the_policy_in_the_page_stops_what_escaping_would_let_through(tmp_path: Path) -> None:
    bad = b"<img src='/beacon.png'><script>document.title = 'run'</script></body>"
    page = FORMATS["html"](report(), "en").replace(b"</body>", bad)
    with serving(page) as (address, asked):
        seen = browse(address, tmp_path, "--dump-dom")
    assert asked == ["/report.html"]
    assert "<title>run</title>" not in seen.stdout


@pytest.mark.parametrize("mode", ["light", "dark"])
def test_it_has_a_light_and_a_dark_face(mode: str, tmp_path: Path) -> None:
    from_page = {"light": (255, 255, 255), "dark": (20, 23, 26)}[mode]
    picture = tmp_path / "page.png"
    dark = ["--force-dark-mode"] if mode == "dark" else []
    with serving(FORMATS["html"](report(), "ja")) as (address, _asked):
        browse(address, tmp_path, f"--screenshot={picture}", *dark)
    assert corner(picture.read_bytes()) == from_page


def corner(png: bytes) -> tuple[int, ...]:
    """The colour of the first pixel, whose row has no row above to be a difference to."""
    import struct
    import zlib

    at, data = 8, b""
    while at < len(png):
        length, kind = struct.unpack(">I4s", png[at : at + 8])
        if kind == b"IDAT":
            data += png[at + 8 : at + 8 + length]
        at += length + 12
    return tuple(zlib.decompress(data)[1:4])


def test_it_prints(tmp_path: Path) -> None:
    printed = tmp_path / "page.pdf"
    with serving(FORMATS["html"](report(), "ja")) as (address, asked):
        browse(address, tmp_path, f"--print-to-pdf={printed}", "--no-pdf-header-footer")
    assert asked == ["/report.html"]
    assert printed.read_bytes().startswith(b"%PDF")
