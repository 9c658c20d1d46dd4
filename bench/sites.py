"""The servers that are looked at, and the truth about them, by their configuration."""

from __future__ import annotations

import contextlib
import subprocess
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from tests import servers
from tests.identities import identity

HOST = "localhost"
Suites = Mapping[str, frozenset[str]]
"""The suites, by IANA's names, of each version."""

_ALL = "ALL:COMPLEMENTOFALL:@SECLEVEL=0"
_STRICT = "ECDHE-RSA-AES128-GCM-SHA256:ECDHE-RSA-AES256-GCM-SHA384"
_MODERN = frozenset(
    {"TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256"}
)
STRICT = f"ssl_protocols TLSv1.2 TLSv1.3; ssl_ciphers {_STRICT};"


@dataclass(frozen=True)
class Site:
    """A server and the truth about it."""

    name: str
    words: str
    port: int
    truth: Suites


@contextlib.contextmanager
def sites(folder: Path) -> Iterator[tuple[Site, ...]]:
    """Both servers, nginx on the system's OpenSSL."""
    who = identity(folder)
    parameters = folder / "dh.pem"
    _openssl("genpkey", "-genparam", "-algorithm", "DH", "-pkeyopt", "group:ffdhe2048",
             "-out", str(parameters))  # fmt: skip
    permissive = (
        f"ssl_protocols TLSv1 TLSv1.1 TLSv1.2 TLSv1.3; ssl_ciphers {_ALL};"
        f" ssl_dhparam {parameters};"
    )
    with (
        servers.nginx(folder, [who.rsa], STRICT) as strict,
        servers.nginx(folder, who.both, permissive) as open_one,
    ):
        yield (
            _site("strict", strict.port, {"TLS 1.2": suites(_STRICT), "TLS 1.3": _MODERN}),
            _site(
                "permissive",
                open_one.port,
                {
                    "TLS 1.0": suites(_ALL, older=True),
                    "TLS 1.1": suites(_ALL, older=True),
                    "TLS 1.2": suites(_ALL),
                    "TLS 1.3": _MODERN,
                },
            ),
        )


def _site(name: str, port: int, truth: Suites) -> Site:
    counts = ", ".join(f"{version} with {len(truth[version])} suites" for version in truth)
    return Site(name, f"nginx, {counts}", port, truth)


def suites(ciphers: str, *, older: bool = False) -> frozenset[str]:
    """What OpenSSL's list *ciphers* means up to TLS 1.2 for a server with RSA and ECDSA keys.

    It has neither shared keys nor passwords nor a DSA key. With *older* those suites alone that
    were there before TLS 1.2.
    """
    found = set()
    for line in _openssl("ciphers", "-stdname", "-v", ciphers).splitlines():
        name, _dash, _openssl_name, since, *attributes = line.split()
        has = dict(attribute.split("=") for attribute in attributes if "=" in attribute)
        if since == "TLSv1.3" or (older and since == "TLSv1.2"):
            continue
        if has["Kx"] in ("ECDH", "DH", "RSA") and has["Au"] in ("RSA", "ECDSA", "None"):
            found.add(name)
    return frozenset(found)


def _openssl(*arguments: str) -> str:
    run = subprocess.run(
        [servers.program("openssl"), *arguments], capture_output=True, text=True, check=True
    )
    return run.stdout


@dataclass(frozen=True)
class Member:
    """One endpoint of many."""

    host: str
    address: str
    port: int


@dataclass(frozen=True)
class Crowd:
    """Many endpoints, and the port where nginx tells how many connections it took."""

    members: tuple[Member, ...]
    status: int

    def taken(self) -> int:
        """The connections that nginx took so far, this question's own included."""
        with urllib.request.urlopen(f"http://{servers.LOOPBACK}:{self.status}/") as page:
            text: str = page.read().decode()
        return int(text.splitlines()[2].split()[0])


@contextlib.contextmanager
def crowd(folder: Path, count: int) -> Iterator[Crowd]:
    """*count* strict endpoints of one nginx.

    Each has an address of its own, since one is never asked more than politely, however many
    ports it has.
    """
    names = [f"host{number}.example.test" for number in range(1, count + 1)]
    addresses = [f"127.0.{1 + number // 250}.{1 + number % 250}" for number in range(count)]
    who = identity(folder, "*.example.test")
    blocks = [
        f"listen 127.0.0.1:{{port}} ssl; listen {address}:{{port}} ssl; {STRICT}"
        for address in addresses
    ]
    status = "listen 127.0.0.1:{port}; location / { stub_status; }"
    with servers.nginx(folder, [who.rsa], *blocks, status) as server:
        members = zip(names, addresses, server.ports[:count], strict=True)
        yield Crowd(tuple(Member(*member) for member in members), server.ports[count])
