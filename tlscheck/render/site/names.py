"""The names of the site's files. Nothing that a server or a person wrote is in them."""

from __future__ import annotations

import hashlib
import re

from tlscheck.render.site.past import Night

INDEX = "index.html"
PAGE = re.compile(r"index\.html|target-[0-9a-f]{16}\.html|diff-[0-9]+-[0-9]+\.html")
"""What every name is like."""


def target_page(target: str) -> str:
    """The page of a target."""
    name = hashlib.sha256(target.encode(errors="surrogatepass")).hexdigest()[:16]
    return f"target-{name}.html"


def diff_page(night: Night) -> str:
    """The page of what changed in *night*."""
    assert night.before
    return f"diff-{night.before[0]}-{night.scan}.html"
