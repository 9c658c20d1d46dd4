"""Fixtures: identities, and starters of real servers that are stopped when the test is over."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

from tests import faults, identities, servers
from tests.faults import Faults, Proxy
from tests.identities import Identity
from tests.servers import Server

Start = Callable[..., Server]

# A busy machine is no fault of what is tested.
settings.register_profile("busy", deadline=None)
settings.load_profile("busy")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Who may take longest begins first, that nobody waits for one alone in the end."""

    def seconds(item: pytest.Item) -> float:
        own = item.get_closest_marker("timeout")
        return float(own.args[0]) if own else 0.0

    items.sort(key=seconds, reverse=True)


TOGETHER = (
    "tests/probes/test_vpn_daemons.py",
    "tests/test_demo.py",
    "tests/test_domains.py",
    "tests/test_exposure.py",
    "tests/test_ipsec.py",
    "tests/watch/test_nights.py",
)
"""What begins with minutes of work that all tests of the file share."""


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """With ``--dist loadgroup`` each of those files is one worker's.

    The marks of pytest-xdist 3.8 for this are without effect under pytest 9.2.
    """
    if config.getvalue("dist") != "loadgroup":
        return None
    from xdist.scheduler import LoadScopeScheduling

    class Scheduling(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            file = nodeid.partition("::")[0]
            return file if file in TOGETHER else nodeid

    return Scheduling(config, log)


@pytest.fixture(scope="session")
def identity(tmp_path_factory: pytest.TempPathFactory) -> Identity:
    """An authority with an RSA-2048 and a P-256 certificate for localhost and loopback."""
    return identities.identity(tmp_path_factory.mktemp("identity"))


@pytest.fixture
def stack() -> Iterator[contextlib.ExitStack]:
    """What is entered here ends with the test."""
    with contextlib.ExitStack() as stack:
        yield stack


def _starter(start: Any, stack: contextlib.ExitStack, *first: Any, default: Any) -> Start:
    def started(*args: Any, certificates: Any = None, **options: Any) -> Server:
        chosen = default if certificates is None else certificates
        server: Server = stack.enter_context(start(*first, chosen, *args, **options))
        return server

    return started


@pytest.fixture
def nginx(tmp_path: Path, identity: Identity, stack: contextlib.ExitStack) -> Start:
    """``nginx("ssl_protocols TLSv1.3;", …)``: one server block a string, see `servers.nginx`."""
    return _starter(servers.nginx, stack, tmp_path, default=identity.both)


@pytest.fixture
def s_server(tmp_path: Path, identity: Identity, stack: contextlib.ExitStack) -> Start:
    """``s_server("-tls1_2", "-cipher", "ALL:@SECLEVEL=0")``."""
    return _starter(servers.s_server, stack, tmp_path, default=identity.both)


@pytest.fixture
def gnutls_serv(tmp_path: Path, identity: Identity, stack: contextlib.ExitStack) -> Start:
    """``gnutls_serv("NORMAL:+CAMELLIA-128-GCM")``."""
    return _starter(servers.gnutls_serv, stack, tmp_path, default=identity.both)


@pytest.fixture
def haproxy(tmp_path: Path, identity: Identity, stack: contextlib.ExitStack) -> Start:
    """``haproxy("ssl-min-ver TLSv1.2 ciphers ECDHE+AESGCM")``."""
    return _starter(servers.haproxy, stack, tmp_path, default=identity.both)


@pytest.fixture
def jsse(tmp_path: Path, identity: Identity, stack: contextlib.ExitStack) -> Start:
    """``jsse(["SSLv3", "TLSv1"], ["SSL_RSA_EXPORT_WITH_RC4_40_MD5"])``."""
    return _starter(servers.jsse, stack, tmp_path, default=identity.both)


@pytest.fixture
def pyopenssl_server(identity: Identity, stack: contextlib.ExitStack) -> Start:
    """``pyopenssl_server(groups="X25519MLKEM768:X25519")``."""
    return _starter(servers.pyopenssl_server, stack, default=identity.both)


@pytest.fixture
def tlslite(identity: Identity, stack: contextlib.ExitStack) -> Start:
    """``tlslite(minVersion=(3, 0), cipherNames=["rc4"])``, with the RSA certificate."""
    return _starter(servers.tlslite, stack, default=identity.rsa)


@pytest.fixture
def scripted(stack: contextlib.ExitStack) -> Start:
    """``scripted(handler)``: a TCP server of the test's own making."""
    return lambda *args, **options: stack.enter_context(servers.scripted(*args, **options))


@pytest.fixture
def proxy(stack: contextlib.ExitStack) -> Callable[..., Proxy]:
    """``proxy(server, ban_after=60, ban="drop")``: a fault proxy, see `faults.Faults`."""

    def started(*upstreams: Server | Proxy, **modes: Any) -> Proxy:
        return stack.enter_context(faults.proxy(*upstreams, faults=Faults(**modes)))

    return started
