"""Whether a chain leads to a root, asked of a child process that may be killed.

What a server sends decides how long a verifier works on it (CVE-2026-69249): a child that does
not answer in time has no opinion, and that is all it costs.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import os
import re
import signal
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import certifi

from tlscheck.model import Reason, State
from tlscheck.observations.certificate import MOST_BYTES, MOST_CERTIFICATES, Trust
from tlscheck.text import _N

DEADLINE = 40.0
"""Seconds that the child has. What bounds its work is its processor time (`verifier.CPU_SECONDS`);
this only ends a child that a busy machine starves."""
MOST_ANSWERED = 4 * 1024 * 1024
"""How many bytes the child may answer."""

# mozilla is certifi's, which is newer; the others travel with sslyze.
_FILES = {
    "apple": "apple",
    "microsoft": "microsoft_windows",
    "google": "google_aosp",
    "java": "openjdk",
}


@dataclass(frozen=True, slots=True)
class Asked:
    """A chain to be checked."""

    chain: Sequence[bytes]
    extra: Sequence[bytes] = ()
    """Certificates that the server did not send and that may help."""


@dataclass(frozen=True, slots=True)
class Paths:
    """What checking one chain gave."""

    path: Trust
    way: tuple[bytes, ...]
    trust: Mapping[str, Trust]
    ca_file: Trust | None
    strict: Trust


def stores() -> dict[str, Path]:
    """The files of roots, by store."""
    # Found without importing sslyze, which would cost more than all the rest.
    spec = find_spec("sslyze")
    found = {"mozilla": Path(certifi.where())}
    for home in (spec and spec.submodule_search_locations) or ():
        pem = Path(home) / "plugins" / "certificate_info" / "trust_stores" / "pem_files"
        found |= {name: pem / f"{file}.pem" for name, file in _FILES.items()}
    return {name: path for name, path in found.items() if path.is_file()}


def store_dates() -> dict[str, str]:
    """The date of each store, as ``2026-10-18``."""
    dates = {"mozilla": certifi.__version__.replace(".", "-")}
    for name, path in stores().items():
        with contextlib.suppress(OSError):
            about = path.with_suffix(".yaml").read_text("utf-8")
            if fetched := re.search(r"^date_fetched: *'?(\d{4}-\d\d-\d\d)", about, re.MULTILINE):
                dates[name] = fetched[1]
    return dates


async def check(
    asked: Sequence[Asked],
    host: str,
    at: datetime,
    ca_file: bytes | None = None,
    deadline: float = DEADLINE,
) -> tuple[Paths, ...]:
    """What each chain leads to at the moment *at*; unknown where the child gave no answer."""
    question = {
        "host": host,
        "at": at.isoformat(),
        "ca_file": None if ca_file is None else _text(ca_file),
        "chains": [{"chain": _texts(a.chain), "extra": _texts(a.extra)} for a in asked],
    }
    lines, trouble = await _child(json.dumps(question).encode(), deadline)
    answers: list[dict[str, Any]] = [{} for _ in asked]
    for line in lines:
        answers[line.pop("chain")] |= line
    return tuple(_paths(answer, trouble, ca_file is not None) for answer in answers)


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _texts(chain: Iterable[bytes]) -> list[str]:
    """What is too large goes as nothing, which keeps the places of the others."""
    kept = list(chain)[:MOST_CERTIFICATES]
    return [_text(der if len(der) <= MOST_BYTES else b"") for der in kept]


def _paths(answer: Mapping[str, Any], trouble: str, with_file: bool) -> Paths:
    silent = Trust(State.UNKNOWN, f"{Reason.CHILD}: {trouble or _N('no word of it')}")

    def trust(found: Mapping[str, Any] | None) -> Trust:
        if found is None:
            return silent
        return Trust(State(found["state"]), str(found["detail"]), int(found["code"]))

    given = answer.get("trust") or {}
    return Paths(
        path=trust(answer.get("path")),
        way=tuple(base64.b64decode(der) for der in answer.get("way", ())),
        trust={name: trust(given.get(name)) for name in ("mozilla", *_FILES)},
        ca_file=trust(answer.get("ca_file")) if with_file else None,
        strict=trust(answer.get("strict")),
    )


async def _child(question: bytes, deadline: float) -> tuple[list[dict[str, Any]], str]:
    """The lines that the child answered before it ended, and what was wrong with it."""
    # No secrets in its environment; -P keeps the current directory out of its modules.
    child = await asyncio.create_subprocess_exec(
        sys.executable,
        "-P",
        "-m",
        "tlscheck.probes.verifier",
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        start_new_session=True,
        env={"PYTHONPATH": str(Path(__file__).parents[2]), "PYTHONUTF8": "1"},
    )
    assert child.stdin and child.stdout
    answer, trouble = bytearray(), ""
    try:
        async with asyncio.timeout(deadline):
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                child.stdin.write(question)
                await child.stdin.drain()
            child.stdin.close()
            while len(answer) <= MOST_ANSWERED and (data := await child.stdout.read(65536)):
                answer += data
            if len(answer) > MOST_ANSWERED:
                trouble = "too much was answered"
            elif await child.wait():
                trouble = "it failed"
    except TimeoutError:
        trouble = f"no answer within {deadline:g} s"
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(child.pid, signal.SIGKILL)
        await child.wait()
    return _lines(bytes(answer)), trouble


def _lines(answer: bytes) -> list[dict[str, Any]]:
    """The whole lines; what a killed child was in the middle of is left out."""
    return [json.loads(line) for line in answer.split(b"\n")[:-1]]
