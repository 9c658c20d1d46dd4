"""Claims against real servers on loopback: true, false, and what nobody outside can tell."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path
from typing import Any

import openpyxl
import pytest

from tests.conftest import Start
from tests.identities import Identity
from tests.test_cli import Done, tlscheck

CONTRADICTED, CONFIRMED = "contradicted", "confirmed"


def standings(done: Done) -> dict[str, str]:
    """What became of each claim, by kind and value."""
    return {
        f"{o['claim']['kind']}={json.dumps(o['claim']['value'], ensure_ascii=False)}": o["standing"]
        for o in json.loads(done.stdout)["outcomes"]
    }


@pytest.fixture
def server(nginx: Start) -> int:
    """TLS 1.2 and 1.3, HSTS for a year."""
    return nginx(
        "ssl_protocols TLSv1.2 TLSv1.3; ssl_ciphers ECDHE-ECDSA-AES128-GCM-SHA256;"
        ' add_header Strict-Transport-Security "max-age=31536000" always;'
    ).port


TOML = """
[[claim]]
item = "44"
versions = ["TLS 1.2", "TLS 1.3"]
versions_without = ["TLS 1.0", "TLS 1.1"]
forward_secrecy = true
issuer = "Test Root"
key = "ECDSA"
hsts = {max_age = 31536000}

[[claim]]
item = "44"
versions_among = ["TLS 1.3"]
issuer = "DigiCert"
key_bits = 4096
valid_until = 2099-01-01
publicly_issued = true
client_certificate = true
suites = ["TLS_AES_128_GCM_SHA256", "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256"]

[[claim]]
item = "50"
no_ssl_vpn = true
[[claim]]
target = "other.example.jp"
versions = ["TLS 1.3"]
"""
WANTED = {
    'versions=["TLS 1.2", "TLS 1.3"]': "confirmed",
    'versions_without=["TLS 1.0", "TLS 1.1"]': "confirmed",
    "forward_secrecy=true": "confirmed",
    'issuer=["Test Root"]': "confirmed",
    'key="ECDSA"': "confirmed",
    'hsts={"max_age": 31536000, "include_subdomains": false}': "confirmed",
    'versions_among=["TLS 1.3"]': "contradicted",
    'issuer=["DigiCert"]': "contradicted",
    "key_bits=4096": "contradicted",
    'valid_until="2099-01-01"': "contradicted",
    "publicly_issued=true": "contradicted",
    "client_certificate=true": "contradicted",
    'suites=["TLS_AES_128_GCM_SHA256", "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256"]': "contradicted",
    "no_ssl_vpn=true": "not_observable",
    'versions=["TLS 1.3"]': "unsettled",
}
