"""The tools: how each is called as a whole command, and what it says that it found."""

from __future__ import annotations

import json
import shutil
import sys
import xml.etree.ElementTree as ET
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench.sites import HOST, Suites
from tests.servers import LOOPBACK
from tlscheck.wire.registry import SUITE_BY_CODE

_VERSIONS = {
    "SSLv2": "SSL 2.0",
    "SSLv3": "SSL 3.0",
    "TLSv1.0": "TLS 1.0",
    "TLSv1.1": "TLS 1.1",
    "TLSv1.2": "TLS 1.2",
    "TLSv1.3": "TLS 1.3",
}


@dataclass(frozen=True)
class Found:
    """What a tool says of a server."""

    suites: Suites
    """Of each version that it says is accepted."""
    open: tuple[str, ...] = ()
    """What it says it could not settle."""


@dataclass(frozen=True)
class Tool:
    """A program to measure."""

    name: str
    command: Callable[[int, Path], list[str]]
    """For a port on loopback and the file for its report."""
    read: Callable[[str], Found]
    """What its report says."""
    fine: frozenset[int] = field(default=frozenset({0}))
    """Exit codes of a run that came to its end."""


def installed() -> list[Tool]:
    """tlscheck, sslyze, and whichever others are there."""
    python = sys.executable
    return [
        Tool(
            "tlscheck",
            lambda port, report: [
                *(python, "-m", "tlscheck", "scan", f"{HOST}:{port}"),
                *("--resolve", f"{HOST}:{port}:{LOOPBACK}", "-f", "json", "-o", str(report)),
            ],
            tlscheck,
            frozenset({0, 1, 3}),
        ),
        Tool(
            "sslyze",
            lambda port, report: [
                *(python, "-W", "ignore", "-m", "sslyze"),
                *(f"{HOST}:{port}{{{LOOPBACK}}}", "--json_out", str(report)),
            ],
            sslyze,
            frozenset({0, 1}),
        ),
        *_peers(),
    ]


def _peers() -> list[Tool]:
    known = {
        "sslscan": Tool(
            "sslscan",
            lambda port, report: [
                *("sslscan", f"--sni-name={HOST}", f"--xml={report}", f"{LOOPBACK}:{port}"),
            ],
            sslscan,
        ),
        "nmap": Tool(
            "nmap ssl-enum-ciphers",
            lambda port, report: [
                *("nmap", "-Pn", "-n", "--script", "ssl-enum-ciphers", "-p", str(port)),
                *("--script-args", f"tls.servername={HOST}", "-oX", str(report), LOOPBACK),
            ],
            nmap,
        ),
    }
    return [tool for name, tool in known.items() if shutil.which(name)]


def tlscheck(report: str) -> Found:
    """Of a scan file with one target."""
    (target,) = json.loads(report)["targets"]
    missed = [f"{m['kind']}: {m['reason']} {m['detail']}".strip() for m in target["missed"]]
    tls = target["seen"].get("tls")
    if not tls:
        return Found({}, tuple(missed))
    unsure = [version for version, state in tls["versions"].items() if state == "unknown"]
    for version, left in tls["unknown"].items():
        unsure += [f"{version} {name}" for names in left.values() for name in names]
    accepted = [version for version, state in tls["versions"].items() if state == "accepted"]
    suites = {version: frozenset(tls["suites"].get(version, ())) for version in accepted}
    return Found(suites, (*missed, *unsure))


def sslyze(report: str) -> Found:
    """Of sslyze's JSON about one server."""
    (server,) = json.loads(report)["server_scan_results"]
    commands: Mapping[str, Any] = server["scan_result"] or {}
    trouble = [f"{n}: {a['error_reason']}" for n, a in commands.items() if a["status"] == "ERROR"]
    if not commands:
        trouble.append("sslyze could not connect")
    suites = {}
    for version in _VERSIONS.values():
        attempt = commands.get(
            version.lower().replace(" ", "_").replace(".", "_") + "_cipher_suites"
        )
        accepted = ((attempt or {}).get("result") or {}).get("accepted_cipher_suites", ())
        if accepted:
            suites[version] = frozenset(suite["cipher_suite"]["name"] for suite in accepted)
    return Found(suites, tuple(trouble))


def sslscan(report: str) -> Found:
    """Of sslscan's XML; it has OpenSSL's names, and numbers that say the same."""
    suites: dict[str, set[str]] = {}
    for cipher in ET.fromstring(report).iter("cipher"):
        code = int(cipher.attrib["id"], 16)
        name = SUITE_BY_CODE[code].name if code in SUITE_BY_CODE else cipher.attrib["cipher"]
        suites.setdefault(_VERSIONS[cipher.attrib["sslversion"]], set()).add(name)
    return Found({version: frozenset(names) for version, names in suites.items()})


def nmap(report: str) -> Found:
    """Of nmap's XML; it has names of its own for the suites of TLS 1.3."""
    suites = {}
    for version in ET.fromstring(report).iterfind(".//script[@id='ssl-enum-ciphers']/table"):
        names = [
            name.text or ""
            for name in version.iterfind("table[@key='ciphers']/table/elem[@key='name']")
        ]
        suites[_VERSIONS[version.attrib["key"]]] = frozenset(
            name.replace("TLS_AKE_WITH_", "TLS_") for name in names
        )
    return Found(suites)
