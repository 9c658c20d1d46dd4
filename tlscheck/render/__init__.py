"""Reports as bytes, one module a format. Pure: nothing here looks at anything or judges it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module

from tlscheck.report import Report

Renderer = Callable[[Report, str], bytes]
"""A report in a language (``en``, ``ja``) as the bytes of a file."""


def _lazily(name: str) -> Renderer:
    """The renderer of a module that is imported only when something is rendered by it."""

    def render(report: Report, lang: str) -> bytes:
        made: bytes = import_module(f"tlscheck.render.{name}").render(report, lang)
        return made

    return render


FORMATS: Mapping[str, Renderer] = {
    name: _lazily(name)
    for name in ("text", "json", "html", "xlsx", "pdf", "md", "csv", "sarif", "junit", "cbom")
}
"""Every format, by its name on the command line. One more, ``nagios``, speaks of how a run ended as
well, see `tlscheck.render.nagios`."""
BINARY = frozenset({"xlsx", "pdf"})
"""The formats that are no text."""
