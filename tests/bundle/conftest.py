"""One real look, with the bytes that it rests on."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from tests import servers
from tests.identities import Identity
from tests.servers import Server
from tlscheck import pipeline
from tlscheck.model import Scan
from tlscheck.pipeline import Asked, Order
from tlscheck.targets import parse

STRICT = "ssl_protocols TLSv1.2 TLSv1.3; ssl_ciphers ECDHE+AESGCM;"
LAX = "ssl_protocols TLSv1.2 TLSv1.3; ssl_ciphers ECDHE+AESGCM:AES128-SHA;"


@pytest.fixture(scope="session")
def two(identity: Identity, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A strict server, and a laxer one with one certificate less."""
    folder = tmp_path_factory.mktemp("bundle")
    rsa = identity.rsa
    own = f"ssl_certificate {rsa.cert}; ssl_certificate_key {rsa.key};"
    with servers.nginx(folder, identity.both, STRICT, LAX + own) as server:
        yield server


@pytest.fixture(scope="session")
def seen(two: Server) -> Scan:
    """A look at the strict one."""
    target = Asked(parse(f"localhost:{two.port}"), "例")
    order = Order(
        targets=(target,),
        profile="ipa-high-3.1.1",
        checklists=("vendor-138", "standard-2026"),
        subjects=pipeline.ENDPOINT_SUBJECTS,
        resolve={("localhost", two.port): "127.0.0.1"},
        plain_port=None,
        revocation=False,
        keep_raw=1 << 28,
    )
    return asyncio.run(pipeline.look(order))
