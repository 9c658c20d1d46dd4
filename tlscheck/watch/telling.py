"""Whom else a run tells: a webhook, a healthcheck, Prometheus. Trouble with them is a line, and
keeps nothing back.
"""

from __future__ import annotations

import asyncio
import json
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

from tlscheck import __version__
from tlscheck.errors import OutputError, TlscheckError
from tlscheck.mail.news import Line, News
from tlscheck.net import Net, NetError
from tlscheck.render import changes as rendering
from tlscheck.text import _N, plain_json

FORMAT = "tlscheck.watch/1"
PAUSES = (2.0, 6.0)
"""Seconds before each further try of a webhook."""
_SECONDS = 15.0
_ANSWER = 64 * 1024


UNPOSTED = _N("{what}: not told: {reason} ({detail})")
TRIED = _N("{words} (tried {tries} times)")
REFUSED = _N("{what}: not told: HTTP status {number}")


async def post(
    url: str, token: str, news: News, ca_file: bytes | None, *, patience: bool = True
) -> Line | None:
    """Post *news* to *url*, with *patience* several times: ``None``, or why it did not arrive."""
    fields = {"Content-Type": "application/json"}
    if token:
        fields["Authorization"] = f"Bearer {token}"
    data = document(news)
    trouble = await _told("webhook", url, data, fields, ca_file)
    for pause in PAUSES if patience else ():
        if trouble is None:
            break
        await asyncio.sleep(pause)
        trouble = await _told("webhook", url, data, fields, ca_file)
    if trouble is None or not patience:
        return trouble
    return Line(TRIED, {"words": trouble, "tries": len(PAUSES) + 1})


async def ping(url: str, ending: str, ca_file: bytes | None) -> Line | None:
    """Ask for *url* with *ending*: ``None``, or why it was not heard."""
    where = urlsplit(url)
    asked = urlunsplit(where._replace(path=where.path.rstrip("/") + ending))
    return await _told("ping", asked, None, {}, ca_file)


async def _told(
    what: str, url: str, content: bytes | None, fields: Mapping[str, str], ca_file: bytes | None
) -> Line | None:
    try:
        answer = await Net().fetch(
            url,
            schemes=("https", "http"),
            private=True,
            content=content,
            fields=fields,
            limit=_ANSWER,
            seconds=_SECONDS,
            ca_file=ca_file,
        )
    except NetError as error:
        return Line(UNPOSTED, {"what": what, "reason": str(error.reason), "detail": error.detail})
    if not 200 <= answer.status < 300:
        return Line(REFUSED, {"what": what, "number": answer.status})
    return None


def document(news: News) -> bytes:
    """*news* as JSON, without a language; the changes are as those of ``tlscheck diff --json``."""
    scan = news.report.scan
    times = (news.before or scan.at, scan.at)
    told = json.loads(rendering.document(times, news.changes, news.accepted))
    own = news.report.own()
    made = {
        "format": FORMAT,
        "tlscheck": __version__,
        "occasion": news.occasion,
        "scan": news.scan,
        "kept": news.unkept is None,
        "before": told["before"] if news.before else None,
        "at": told["after"],
        "profile": news.report.profile.id,
        "verdicts": {v: sum(f.verdict == v for f in own) for v in {f.verdict for f in own}},
        "changes": told["changes"],
    }
    words = json.dumps(made, ensure_ascii=False)
    return f"{plain_json(words)}\n".encode(errors="backslashreplace")


def write(path: Path, data: bytes) -> TlscheckError | None:
    """Put *data* in the place of *path* at once: nobody reads half of it."""
    try:
        handle, beside = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(data)
            Path(beside).chmod(0o644)
            Path(beside).replace(path)
        except OSError:
            Path(beside).unlink(missing_ok=True)
            raise
    except OSError as error:
        return OutputError(
            "{file}: cannot be written ({detail}); see to path in [metrics]",
            file=path,
            detail=error.strerror or str(error),
        )
    return None
