"""Claims against real servers on loopback: true, false, and what nobody outside can tell."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import openpyxl
import pytest

from tests import servers
from tests.identities import Identity
from tests.test_cli import Done, tlscheck

HEADS = ("", "", "対応策", "確認したエビデンス\n（文書名、ページ番号等）", "判定結果", "改善策")


@dataclass
class Clinic:
    """A server with TLS 1.2 and 1.3 and HSTS for a year, one with TLS 1.0 to 1.2, and a scan."""

    good: int
    old: int
    scan: Path
    first: Done | None = None
    """What holding the claims against the servers themselves said."""

    def toml(self, text: str) -> str:
        """*text* with the ports filled in."""
        return text.replace("GOOD", f"localhost:{self.good}").replace(
            "OLD", f"127.0.0.1:{self.old}"
        )


@pytest.fixture(scope="module")
def clinic(identity: Identity, tmp_path_factory: pytest.TempPathFactory) -> Any:
    folder = tmp_path_factory.mktemp("clinic")
    good = servers.nginx(
        folder,
        [identity.ec],
        "ssl_protocols TLSv1.2 TLSv1.3; ssl_ciphers ECDHE-ECDSA-AES128-GCM-SHA256;"
        ' add_header Strict-Transport-Security "max-age=31536000" always;',
    )
    old = servers.s_server(
        folder, [identity.rsa], "-no_tls1_3", "-cipher", "ECDHE-RSA-AES128-SHA:@SECLEVEL=0"
    )
    with good as one, old as other:
        scan = folder / "scan.json"
        made = Clinic(one.port, other.port, scan)
        (folder / "claims.toml").write_text(made.toml(TOML), "utf-8")
        made.first = verify(
            folder / "claims.toml",
            f"localhost:{one.port}",
            f"127.0.0.1:{other.port}",
            *("--resolve", f"localhost:{one.port}:127.0.0.1", "--ca-file", str(identity.ca)),
            *("--save", str(scan)),
        )
        yield made


def verify(claims: Path, *arguments: str, lang: str = "C.UTF-8") -> Done:
    return tlscheck("verify", str(claims), "-f", "json", *arguments, lang=lang)


def standings(done: Done) -> dict[str, str]:
    """What became of each claim, by item, kind and value."""
    return {
        f"{o['claim']['item']} {o['claim']['kind']} {json.dumps(o['claim']['value'])}": o[
            "standing"
        ]
        for o in json.loads(done.stdout)["outcomes"]
    }


TOML = """
[[claim]]
item = "true"
target = "GOOD"
versions = ["TLS 1.2", "TLS 1.3"]
versions_without = ["TLS 1.0", "TLS 1.1"]
suites_among = ["TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256", "TLS_AES_128_GCM_SHA256",
    "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256"]
forward_secrecy = true
issuer = "Test Root"
key = "ECDSA"
hsts = {max_age = 31536000}

[[claim]]
item = "false"
target = "GOOD"
versions_among = ["TLS 1.3"]
suites = ["TLS_AES_128_GCM_SHA256", "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256"]
issuer = "DigiCert"
publicly_issued = true
key_bits = 4096
valid_until = 2099-01-01
hsts = {max_age = 63072000}
client_certificate = true

[[claim]]
item = "old"
target = "OLD"
versions_without = ["TLS 1.0", "TLS 1.1"]
versions_with = ["TLS 1.3"]
profile = "vendor-138"
key = "RSA"

[[claim]]
item = "all"
versions_with = ["TLS 1.2"]
versions_without = ["TLS 1.0"]

[[claim]]
item = "open"
target = "OLD"
no_ssl_vpn = true
hsts = true
[[claim]]
item = "open"
target = "other.example.jp"
dnssec = true
"""
WANTED = {
    "true": "confirmed",
    "false": "contradicted",
    "old versions_without": "contradicted",
    "old versions_with": "contradicted",
    "old profile": "contradicted",
    "old key": "confirmed",
    "all versions_with": "confirmed",
    "all versions_without": "contradicted",
    "open no_ssl_vpn": "not_observable",
    "open hsts": "not_observable",
    "open dnssec": "unsettled",
}


def test_each_claim_is_named_rightly(clinic: Any) -> None:
    done = clinic.first
    assert (done.returncode, done.stderr) == (1, "")
    for claim, standing in standings(done).items():
        item, kind, _ = claim.split(" ", 2)
        assert standing == WANTED.get(f"{item} {kind}", WANTED.get(item)), claim


def sheet(path: Path, *rows: tuple[Any, ...]) -> Path:
    """The evaluation sheet with these countermeasures."""
    book = openpyxl.Workbook()
    page = book.active
    assert page is not None
    page.append(["", "評価申請元", "例の診療所", "評価者", ""])
    page.append(["評価対象プロダクト名", "オンライン診療"])
    page.append([])
    page.append(HEADS)
    for number, words in rows:
        page.append((number, "（項目の文）", words, "", "", ""))
    book.save(path)
    return path


def test_a_sheet_in_japanese_prose(clinic: Any, tmp_path: Path) -> None:
    path = sheet(
        tmp_path / "sheet.xlsx",
        (42, "ネットワーク構成図を提出します。"),
        (
            44,
            "通信は全てTLS1.2以上で暗号化しています。TLS1.0/1.1は無効化しています。\nHSTSを設定済み。",
        ),
        ("44", "サイバートラスト社の証明書を使用しています。\n将来的にTLS1.3のみとする予定です。"),
        (50.0, "SSL-VPNは使用していません。"),
    )
    done = verify(path, str(clinic.scan))
    assert (done.returncode, done.stderr) == (1, "")
    document = json.loads(done.stdout)
    assert [
        (o["claim"]["item"], o["claim"]["kind"], o["standing"]) for o in document["outcomes"]
    ] == [
        ("44", "versions_among", "contradicted"),
        ("44", "versions_without", "contradicted"),
        ("44", "hsts", "not_observable"),
        ("44", "issuer", "contradicted"),
        ("50", "no_ssl_vpn", "not_observable"),
    ]
    assert [(u["item"], u["why"], u["place"]) for u in document["unread"]] == [
        ("42", "not_understood", "Sheet!C5"),
        ("44", "conditional", "Sheet!C7"),
    ]
    spots = {
        s["target"].partition("#")[0]: s["standing"] for s in document["outcomes"][0]["targets"]
    }
    assert spots == {
        f"https://localhost:{clinic.good}": "confirmed",
        f"https://127.0.0.1:{clinic.old}": "contradicted",
    }


def test_true_claims_alone_end_well(clinic: Any, tmp_path: Path) -> None:
    path = tmp_path / "claims.toml"
    path.write_text(clinic.toml('[[claim]]\ntarget = "GOOD"\nversions = ["TLS 1.2", "TLS 1.3"]\n'))
    assert verify(path, str(clinic.scan)).returncode == 0
    path.write_text(clinic.toml('[[claim]]\ntarget = "GOOD"\nports = [443]\n'))
    assert verify(path, str(clinic.scan)).returncode == 3


def test_the_text_names_the_evidence_in_both_languages(clinic: Any, tmp_path: Path) -> None:
    path = sheet(tmp_path / "sheet.xlsx", (44, "TLS1.0は無効。SSL-VPNは不使用。あれこれ。"))
    english = tlscheck("verify", str(path), str(clinic.scan), "--lang", "en").stdout
    assert "Contradicted  44  These versions are not offered: TLS 1.0" in english
    assert "✗ TLS 1.0 is accepted" in english
    assert "List of the ways of remote access" in english
    assert "“あれこれ” (not understood)" in english
    japanese = tlscheck("verify", str(path), str(clinic.scan), "--lang", "ja").stdout
    assert "次のバージョンは提供しない：TLS 1.0" in japanese
    assert "✗ TLS 1.0 を受け入れます" in japanese
    assert "リモート接続手段の一覧" in japanese


def test_nobody_is_contacted_where_nothing_is_claimed(tmp_path: Path) -> None:
    path = sheet(tmp_path / "sheet.xlsx", (44, "あれこれ"))
    with servers.scripted(lambda peer: pytest.fail("contacted")) as server:
        done = verify(path, f"127.0.0.1:{server.port}")
    assert done.returncode == 3
    assert json.loads(done.stdout)["unread"]
