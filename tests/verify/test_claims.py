"""The claims file in TOML: every key, and one line for each mistake."""

from __future__ import annotations

import re
from datetime import date
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tlscheck.errors import ClaimsError
from tlscheck.verify import kinds, read
from tlscheck.verify.claims import KINDS, Hsts
from tlscheck.wire.registry import Version

EVERY = """
[[claim]]
item = "44"
target = "clinic.example.jp:8443"
versions = ["TLS 1.2", "TLS 1.3"]
versions_among = ["TLS 1.3"]
versions_with = ["TLS 1.3"]
versions_without = ["TLS 1.0"]
suites = ["TLS_AES_128_GCM_SHA256"]
suites_among = ["TLS_AES_128_GCM_SHA256"]
groups = ["x25519"]
groups_among = ["x25519"]
profile = "ipa-high-3.1.1"
forward_secrecy = true
issuer = "DigiCert"
publicly_issued = true
key = "ECDSA"
key_bits = 256
valid_until = 2027-03-31
hsts = {max_age = 31536000, include_subdomains = true}
http_redirected = true
ports = [80, 443]
ports_among = []
no_ssl_vpn = true
no_ikev1 = true
client_certificate = true
registrar = ["Example Registrar", "1234"]
transfer_lock = true
dnssec = true
caa = true
caa_among = ["letsencrypt.org"]
"""


def test_every_key() -> None:
    found = read("claims.toml", EVERY.encode()).claims
    assert tuple(c.kind for c in found) == KINDS
    assert {(c.item, c.target, c.place) for c in found} == {
        ("44", "clinic.example.jp:8443", "[[claim]] 1")
    }
    values = {c.kind: c.value for c in found}
    assert values["versions"] == (Version.TLS_1_2, Version.TLS_1_3)
    assert values["issuer"] == ("DigiCert",)
    assert values["valid_until"] == date(2027, 3, 31)
    assert values["hsts"] == Hsts(31536000, include_subdomains=True)
    assert all(kinds.settings(claim) for claim in found)


def test_each_claim_is_one_of_its_own() -> None:
    found = read("f", b"[[claim]]\nhsts = true\n[[claim]]\nhsts = true\ndnssec = true\n").claims
    assert [(c.kind, c.place) for c in found] == [
        ("hsts", "[[claim]] 1"),
        ("hsts", "[[claim]] 2"),
        ("dnssec", "[[claim]] 2"),
    ]


MISTAKES = {
    "nonsense": ("neither a sheet (.xlsx) nor TOML", "give one of both"),
    "": ("claim", "missing"),
    "claim = []": ("claim", "must not be empty"),
    "claim = 5": ("claim", "array"),
    "[[claim]]": ("[[claim]] 1", "claims nothing", "versions ="),
    '[[claim]]\nitem = "44"': ("claims nothing",),
    "[[claim]]\nversion = []": ("[[claim]] 1", "unknown key version", "did you mean versions?"),
    "[[claim]]\nhsts = true\n[[claim]]\nxyzzy = 1": (
        "[[claim]] 2",
        "unknown key xyzzy",
        "known are",
    ),
    '[[claim]]\nversions = ["TLS 1.9"]': ("versions", "TLS 1.3", "write versions ="),
    '[[claim]]\nversions = "TLS 1.3"': ("versions", "array", "write versions ="),
    '[[claim]]\nversions_without = "TLS 1.3"': ("write versions_without =",),
    "[[claim]]\nversions = []": ("versions", "must not be empty"),
    "[[claim]]\nforward_secrecy = false": ("forward_secrecy", "write forward_secrecy = true"),
    "[[claim]]\nports = [0]": ("ports", "greater than or equal to 1"),
    '[[claim]]\nports = ["443"]': ("ports", "integer"),
    '[[claim]]\nsuites = ["ECDHE-RSA-AES128-GCM-SHA256"]': ("unknown name", "did you mean TLS_"),
    '[[claim]]\ngroups = ["x25518"]': ("unknown name", "did you mean x25519?"),
    '[[claim]]\nprofile = "ipa"': ("unknown name", "did you mean ipa-high"),
    '[[claim]]\nprofile = "/etc/passwd.toml"': ("unknown name",),
    '[[claim]]\nvalid_until = "soon"': ("valid_until", "write valid_until ="),
    "[[claim]]\nvalid_until = 2027-03-31T00:00:00": ("valid_until",),
    "[[claim]]\nno_ssl_vpn = false": ("no_ssl_vpn", "must be true"),
    "[[claim]]\nhsts = {max_age = 0}": ("hsts", "write hsts ="),
    '[[claim]]\nissuer = "x"': ("issuer", "must have 2 characters at least"),
    '[[claim]]\nhsts = true\ntarget = "a b"': ("[[claim]] 1", "a b"),
}


@pytest.mark.parametrize(("text", "said"), MISTAKES.items(), ids=[repr(t) for t in MISTAKES])
def test_a_mistake_is_one_line(text: str, said: tuple[str, ...]) -> None:
    with pytest.raises(ClaimsError) as caught:
        read("claims.toml", text.encode())
    line = str(caught.value)
    assert line.startswith("claims.toml")
    assert line.isprintable()
    for words in said:
        assert words in line


def test_old_workbooks_are_told_apart() -> None:
    with pytest.raises(ClaimsError, match=r"save it as \.xlsx"):
        read("sheet.xls", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1")


@given(st.one_of(st.binary(max_size=60), st.text(max_size=60).map(str.encode)))
def test_whatever_is_given_is_a_mistake_of_one_line(data: bytes) -> None:
    with pytest.raises(ClaimsError) as caught:
        read("f", data)
    assert caught.value.said("en").isprintable()


def test_the_readme_shows_every_key() -> None:
    for name in ("README.md", "README.ja.md"):
        text = (Path(__file__).parents[2] / name).read_text("utf-8")
        assert set(re.findall(r"^(\w+) = ", text, re.MULTILINE)) >= set(KINDS)
