"""Prose: what is read, what is left, and that nothing is guessed."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tlscheck.verify import Why, prose
from tlscheck.verify.claims import KINDS, Hsts
from tlscheck.wire.registry import Version

V20, V30, V10, V11, V12, V13 = Version

READ: list[tuple[str, list[tuple[str, Any]]]] = [
    ("TLS1.2以上で通信を暗号化しています。", [("versions_among", (V12, V13))]),
    ("ＴＬＳ１．２以上を採用", [("versions_among", (V12, V13))]),
    ("通信は全てTLS 1.2以降に限定", [("versions_among", (V12, V13))]),
    (
        "患者とサーバー間の通信はすべてTLS1.2以上で暗号化しています。",
        [("versions_among", (V12, V13))],
    ),
    ("TLS1.2以上の通信のみ許可しています", [("versions_among", (V12, V13))]),
    ("TLS1.2以上のみ対応しています", [("versions_among", (V12, V13))]),
    ("TLSは1.2以上のみ許可しています", [("versions_among", (V12, V13))]),
    ("TLS1.2以上でのみ接続", [("versions_among", (V12, V13))]),
    ("nginxにてTLSv1.2 TLSv1.3のみ有効化しています", [("versions_among", (V12, V13))]),
    ("当社システムはTLS1.2以上を用いた暗号化を実施", [("versions_among", (V12, V13))]),
    ("インターネットと本システム間の通信はTLS1.2以上", [("versions_among", (V12, V13))]),
    ("本番環境ではTLS1.2以上を使用", [("versions_among", (V12, V13))]),
    ("【TLS】TLS1.2以上必須", [("versions_among", (V12, V13))]),
    ("①TLS1.2以上を使用 ②HSTSを有効化", [("versions_among", (V12, V13)), ("hsts", Hsts())]),
    ("（1）HSTSを設定。（2）SSL-VPNは不使用", [("hsts", Hsts()), ("no_ssl_vpn", True)]),
    ("TLS1.0およびTLS1.1での接続はできません", [("versions_without", (V10, V11))]),
    ("TLS1.0については無効化しています", [("versions_without", (V10,))]),
    (
        "TLS1.1以前の古いバージョンは利用できないように設定",
        [("versions_without", (V20, V30, V10, V11))],
    ),
    ("HSTSを全レスポンスに付与", [("hsts", Hsts())]),
    ("SSL-VPN製品の導入はありません", [("no_ssl_vpn", True)]),
    ("認証局：DigiCert", [("issuer", ("DigiCert",))]),
    ("証明書有効期限：2027年6月10日", [("valid_until", date(2027, 6, 10))]),
    ("クライアント証明書：必須", [("client_certificate", True)]),
    ("外部からのアクセスは443/TCPのみ許可", [("ports", (443,))]),
    ("TLS1.3のみ", [("versions_among", (V13,))]),
    ("プロトコル：TLS1.2、TLS1.3", [("versions_with", (V12, V13))]),
    (
        "TLS1.0: ×\nTLS1.2: 〇",
        [("versions_without", (V10,)), ("versions_with", (V12,))],
    ),
    ("HSTS: 有効（max-age=31536000）", [("hsts", Hsts(31536000))]),
    ("「SSL/TLS暗号設定ガイドライン 高セキュリティ型」に準じた設定", [("profile", "vendor-138")]),
    ("80、443番のみ開放", [("ports", (80, 443))]),
    ("ファイアウォールにより443/TCPのみ許可している", [("ports", (443,))]),
    ("SSL-VPN：なし", [("no_ssl_vpn", True)]),
    ("SSL-VPNの利用：なし", [("no_ssl_vpn", True)]),
    ("IKEv1は使用せず、IKEv2のみ使用", [("no_ikev1", True)]),
    ("TLS 1.2、TLS 1.3のみを許可しています。", [("versions_among", (V12, V13))]),
    ("TLS1.2またはTLS1.3のみ", [("versions_among", (V12, V13))]),
    ("TLS1.3に対応しています", [("versions_with", (V13,))]),
    ("TLS1.2/1.3に対応", [("versions_with", (V12, V13))]),
    ("TLS1.0/1.1は無効", [("versions_without", (V10, V11))]),
    ("SSLv3、TLS1.0及びTLS1.1は無効化しています。", [("versions_without", (V30, V10, V11))]),
    ("TLS1.1以下は使用していません", [("versions_without", (V20, V30, V10, V11))]),
    ("TLS1.2未満の接続は拒否する", [("versions_without", (V20, V30, V10, V11))]),
    ("TLS1.0は許可しない", [("versions_without", (V10,))]),
    ("高セキュリティ型に準拠", [("profile", "vendor-138")]),
    (
        "「TLS暗号設定ガイドライン」の高セキュリティ型に準じて設定しています",
        [("profile", "vendor-138")],
    ),
    (
        "TLS暗号設定ガイドライン第3.1.1版の「高セキュリティ型」に準拠",
        [("profile", "ipa-high-3.1.1")],
    ),
    ("SSL/TLS暗号設定ガイドライン Ver. 2.0 の高セキュリティ型", [("profile", "ipa-high-2.0")]),
    ("HSTSを設定済み", [("hsts", Hsts())]),
    ("HSTSヘッダーを送信しています", [("hsts", Hsts())]),
    (
        "HSTS(max-age=31536000; includeSubDomains)を設定",
        [("hsts", Hsts(31536000, include_subdomains=True))],
    ),
    ("DigiCert発行の証明書を使用", [("issuer", ("DigiCert",))]),
    ("サーバー証明書はサイバートラスト社から取得しています", [("issuer", ("Cybertrust",))]),
    ("Let’s Encryptの証明書を利用", [("issuer", ("Let's Encrypt",))]),
    ("信頼できる認証局が発行したサーバー証明書を利用しています。", [("publicly_issued", True)]),
    ("サーバー証明書の鍵はRSA 2048bit", [("key", ("RSA",)), ("key_bits", 2048)]),
    ("証明書の有効期限は2027年3月31日です", [("valid_until", date(2027, 3, 31))]),
    ("HTTPアクセスはHTTPSへリダイレクトしています", [("http_redirected", True)]),
    ("443番ポートのみ開放", [("ports", (443,))]),
    ("80番ポートと443番ポートのみを公開しています", [("ports", (80, 443))]),
    ("開放しているポートは80、443のみです", [("ports", (80, 443))]),
    ("443番ポート以外は遮断しています", [("ports_among", (443,))]),
    ("SSL-VPNは使用していない", [("no_ssl_vpn", True)]),
    ("SSL－VPNは一切利用しておりません。", [("no_ssl_vpn", True)]),
    ("IKEv1は無効", [("no_ikev1", True)]),
    ("クライアント証明書による認証を必須としています", [("client_certificate", True)]),
    ("ドメインの移管ロックを設定しています", [("transfer_lock", True)]),
    ("DNSSECを導入し、CAAレコードを設定しています", [("dnssec", True), ("caa", True)]),
    ("Only TLS 1.2 and TLS 1.3 are enabled.", [("versions_among", (V12, V13))]),
    ("All connections use TLS 1.2 or above.", [("versions_among", (V12, V13))]),
    ("TLS 1.0 and 1.1 are disabled.", [("versions_without", (V10, V11))]),
    ("TLS 1.3 is supported", [("versions_with", (V13,))]),
    ("HSTS is enabled. No SSL-VPN is in use.", [("hsts", Hsts()), ("no_ssl_vpn", True)]),
    ("The certificate is issued by DigiCert.", [("issuer", ("DigiCert",))]),
    ("All HTTP requests are redirected to HTTPS.", [("http_redirected", True)]),
    ("Only ports 80 and 443 are open.", [("ports", (80, 443))]),
    ("Client certificates are required.", [("client_certificate", True)]),
    ("TLSv1.2およびv1.3を使用", [("versions_with", (V12, V13))]),
    ("TLS1.2～1.3を使用しています", [("versions_with", (V12, V13))]),
    ("TLS1.0〜1.3のみ", [("versions_among", (V10, V11, V12, V13))]),
    ("TLS1.0：無効", [("versions_without", (V10,))]),
    ("TLS1.2：有効、TLS1.0：無効", [("versions_with", (V12,)), ("versions_without", (V10,))]),
    ("TLS 1.0/1.1 disabled", [("versions_without", (V10, V11))]),
    ("TLS1.2以上を使用中", [("versions_among", (V12, V13))]),
    ("TLS1.3を使用中です", [("versions_with", (V13,))]),
    ("DNSSEC：有効", [("dnssec", True)]),
    (
        "TLS1.2以上、かつ高セキュリティ型の暗号スイートを使用",
        [("versions_among", (V12, V13)), ("profile", "vendor-138")],
    ),
    ("HSTSを有効化：はい", [("hsts", Hsts())]),
    ("HSTSを有効化：○", [("hsts", Hsts())]),
    ("TLS1.0無効化：実施済み", [("versions_without", (V10,))]),
    ("HSTS is enabled: yes", [("hsts", Hsts())]),
    ("暗号化：TLS1.2以上", [("versions_among", (V12, V13))]),
    ("患者とサーバー間の通信は、TLS1.2以上で暗号化しています。", [("versions_among", (V12, V13))]),
]


@pytest.mark.parametrize(("text", "wanted"), READ, ids=[text for text, _ in READ])
def test_what_is_read(text: str, wanted: list[tuple[str, Any]]) -> None:
    claims, left = prose.read(text)
    assert [(c.kind, c.value) for c in claims] == wanted
    assert left == ()


LEFT: list[tuple[str, Why]] = [
    ("TLS1.2以上の利用を予定しています", Why.CONDITIONAL),
    ("TLS1.3への移行を検討中", Why.CONDITIONAL),
    ("SSL-VPNを使用する場合はIPsecを併用する", Why.CONDITIONAL),
    ("SSL-VPNは原則として使用していない", Why.CONDITIONAL),
    ("TLS1.0は無効化していません", Why.CONDITIONAL),
    ("TLS1.2以上ではありません", Why.CONDITIONAL),
    ("HSTSは設定していない", Why.CONDITIONAL),
    ("HSTSは未設定", Why.CONDITIONAL),
    ("DNSSECは非対応", Why.CONDITIONAL),
    ("一部の機器を除きTLS1.3のみ", Why.CONDITIONAL),
    ("TLS1.3のみとは限らない", Why.CONDITIONAL),
    ("TLS1.3のみ、来年度から", Why.CONDITIONAL),
    ("HSTSを有効化：いいえ", Why.CONDITIONAL),
    ("TLS1.0無効化：いいえ", Why.CONDITIONAL),
    ("TLS1.0無効化：無", Why.CONDITIONAL),
    ("TLS1.0無効化：FALSE", Why.CONDITIONAL),
    ("TLS1.0無効化：NG", Why.CONDITIONAL),
    ("クライアント証明書必須：否", Why.CONDITIONAL),
    ("高セキュリティ型：×", Why.CONDITIONAL),
    ("高セキュリティ型：対象外", Why.CONDITIONAL),
    ("高セキュリティ型：要確認", Why.CONDITIONAL),
    ("高セキュリティ型：対応中", Why.CONDITIONAL),
    ("DNSSEC設定：無", Why.CONDITIONAL),
    ("HSTS is enabled: false", Why.CONDITIONAL),
    ("TLS1.2のみ使用、をやめた", Why.CONDITIONAL),
    ("高セキュリティ型に準拠しています、というのは誤りです", Why.CONDITIONAL),
    ("HSTSを設定、中止", Why.CONDITIONAL),
    ("443番ポートのみ開放、22番も開放", Why.NOT_UNDERSTOOD),
    ("HSTS設定：", Why.NOT_UNDERSTOOD),
    ("HSTSを設定：設定", Why.NOT_UNDERSTOOD),
    ("( ) HSTSを有効化", Why.CONDITIONAL),
    ("TLS1.0無効：使用", Why.NOT_UNDERSTOOD),
    ("HSTSを有効化：△", Why.CONDITIONAL),
    ("□HSTSを有効化", Why.NOT_UNDERSTOOD),
    ("TLS1.0は使用していませんでした", Why.CONDITIONAL),
    ("TLS1.2以上でした", Why.CONDITIONAL),
    ("TLS1.3のみを使用していました", Why.NOT_UNDERSTOOD),
    ("TLS1.2以上を使用しておりました", Why.NOT_UNDERSTOOD),
    ("We used TLS 1.3 only", Why.CONDITIONAL),
    ("TLS1.0：停止中", Why.CONDITIONAL),
    ("TLS1.3～1.2を使用", Why.NOT_UNDERSTOOD),
    ("TLS1.2～を使用", Why.NOT_UNDERSTOOD),
    ("TLS 1.0/1.1 disabled: no", Why.CONDITIONAL),
    ("TLS 1.0/1.1 disabled by 2027", Why.CONDITIONAL),
    ("TLS1.2以上、HSTSは使用していない", Why.CONDITIONAL),
    ("TLS1.2以上を\n使用する予定", Why.CONDITIONAL),
    ("プロトコル：TLS1.2、TLS1.3：×", Why.CONDITIONAL),
    ("外部システムへの接続はTLS1.2以上", Why.ELSEWHERE),
    ("外部へTLS1.2以上で接続", Why.ELSEWHERE),
    ("外部に対しTLS1.2以上で接続", Why.ELSEWHERE),
    ("外部サイトはHSTSを設定しています", Why.ELSEWHERE),
    ("インターネットへはTLS1.2以上で接続", Why.ELSEWHERE),
    ("Webサーバーから各システムへの通信はTLS1.2以上", Why.ELSEWHERE),
    ("サーバー間通信はTLS1.2以上", Why.ELSEWHERE),
    ("システム間の接続はTLS1.2以上", Why.ELSEWHERE),
    ("Our servers use TLS 1.2 or above to public services", Why.ELSEWHERE),
    ("TLS1.0を使用しない端末から接続", Why.CONDITIONAL),
    ("TLS1.2以上のブラウザから接続", Why.CONDITIONAL),
    ("HSTSを設定するサービスを利用しています", Why.CONDITIONAL),
    ("高セキュリティ型に準拠したサービスを利用", Why.CONDITIONAL),
    ("DigiCertの証明書を使用するサーバーへ接続", Why.CONDITIONAL),
    ("HSTS設定は設定による", Why.CONDITIONAL),
    ("TLS1.2以上を使用*", Why.NOT_UNDERSTOOD),
    ("SSL-VPN：なし　あり", Why.NOT_UNDERSTOOD),
    ("SSL-VPNなし・あり", Why.NOT_UNDERSTOOD),
    ("SSL-VPN：なし、使用中", Why.CONDITIONAL),
    ("○SSL-VPN不使用　●使用", Why.NOT_UNDERSTOOD),
    ("TLS1.0の使用は禁止、が、使用しています", Why.NOT_UNDERSTOOD),
    ("TLS1.0は禁止\n利用しています", Why.NOT_UNDERSTOOD),
    ("TLS1.0は無効、設定は有効", Why.NOT_UNDERSTOOD),
    ("443番ポート以外は拒否、許可", Why.NOT_UNDERSTOOD),
    ("DigiCertの証明書を使用、Let's Encryptの証明書を使用", Why.CONDITIONAL),
    ("2026年4月までにTLS1.0は無効", Why.CONDITIONAL),
    ("端末のTLS1.2以上を有効にする", Why.ELSEWHERE),
    ("データベースとの接続はTLS1.3のみ", Why.ELSEWHERE),
    ("TLS1.2以上に対応", Why.NOT_UNDERSTOOD),
    ("TLS1.0のみ無効", Why.NOT_UNDERSTOOD),
    ("TLS1.3のみを無効化", Why.NOT_UNDERSTOOD),
    ("TLS1.0は使用可", Why.NOT_UNDERSTOOD),
    ("TLS1.2/3.0を使用", Why.NOT_UNDERSTOOD),
    ("TLSv4.0のみ", Why.NOT_UNDERSTOOD),
    ("SSLは無効", Why.NOT_UNDERSTOOD),
    ("クライアント証明書を要求する", Why.ELSEWHERE),
    ("TLS暗号設定ガイドラインVer.9.9の高セキュリティ型に準拠", Why.NOT_UNDERSTOOD),
    ("とある認証局が発行した証明書", Why.NOT_UNDERSTOOD),
    ("DigiCertのEV証明書を使用", Why.NOT_UNDERSTOOD),
    ("証明書の有効期限は2027年13月31日", Why.NOT_UNDERSTOOD),
    ("70000番ポートのみ開放", Why.NOT_UNDERSTOOD),
    ("2名のみ許可", Why.NOT_UNDERSTOOD),
    ("適切に対応しています", Why.NOT_UNDERSTOOD),
    ("TLS 1.0 is not disabled", Why.CONDITIONAL),
    ("We will only use TLS 1.3", Why.CONDITIONAL),
    ("TLS 1.3 only, if the browser supports it", Why.CONDITIONAL),
    ("We support TLS 1.2 or above", Why.NOT_UNDERSTOOD),
    ("Our browser uses TLS 1.3", Why.ELSEWHERE),
    ("x" * 2000, Why.TOO_LONG),
]


@pytest.mark.parametrize(("text", "why"), LEFT, ids=[text[:40] for text, _ in LEFT])
def test_what_is_not_read_is_listed(text: str, why: Why) -> None:
    claims, left = prose.read(text)
    assert claims == ()
    assert [each.why for each in left] == [why]


def test_a_sentence_that_is_partly_understood_is_left_as_a_whole() -> None:
    """What is not known may turn round what stands beside it; of versions, all of the cell."""
    for sentence, rest in (
        ("IDS/IPSを導入、HSTSを設定している", 1),
        ("TLS1.0は無効、IDSを導入", 0),
    ):
        claims, left = prose.read(f"{sentence}。SSL-VPNは不使用")
        assert [(c.kind, c.beside) for c in claims] == [("no_ssl_vpn", (sentence,))][:rest]
        assert left[0] == prose.Left(sentence, Why.NOT_UNDERSTOOD)


@pytest.mark.parametrize(
    "text",
    [
        "無効化の対応状況\n・TLS1.0：○\n・TLS1.3：×",
        "攻撃を受けうるもの。プロトコル：TLS1.0、TLS1.1",
    ],
)
def test_what_a_mark_is_about_may_stand_in_words_nobody_understands(text: str) -> None:
    claims, left = prose.read(text)
    assert claims == ()
    assert len(left) >= 2


@pytest.mark.parametrize(
    "back",
    [
        "というのは誤りです",
        "×",
        "いいえ",
        "ただし22番は保守用に開放",
        "但し、一部を除く",
        "（対象外）",
        "やめました",
    ],
)
def test_a_sentence_that_takes_others_back_leaves_all_unread(back: str) -> None:
    claims, left = prose.read(f"SSL-VPNは不使用。443番ポートのみを開放しています。\n{back}。")
    assert claims == ()
    assert [x.words for x in left[:2]] == ["SSL-VPNは不使用", "443番ポートのみを開放しています"]
    assert len(left) == 3


@pytest.mark.parametrize(
    "text",
    [
        "次の事項は対応しておりません。\nHSTSを設定\nTLS1.3に対応",
        "・未実施\n　・HSTSを設定",
        "1. 未対応\n(1) HSTSを設定",
        "■今後の対応\n\nHSTSを設定",
        "課題：\n・HSTSを設定",
        "・HSTSを設定\n・TLS1.3に対応\n・いずれも予定です",
        "HSTSを設定しています。\n※2027年4月以降",
        "HSTSを設定しています。次期リリースで対応します。",
        "HSTSを設定しています。\n→現時点で未設定",
        "HSTSを設定しています。(訂正：未設定)",
        "HSTSを設定（－）",
        "HSTSを設定するものとする",
        "有効：TLS1.2、TLS1.3\n無効：TLS1.0、TLS1.1\n使用不可",
        "使用：TLS1.2、TLS1.3　禁止：TLS1.0、TLS1.1　対応：TLS1.2以上のみ",
        "対応：TLS1.3\n非対応：TLS1.0、TLS1.1は無効",
        "外部への通信は443番ポートのみ許可",
        "TLS1.2以上のみ許可しています。なお、TLS1.0も受け入れます。",
        "443番ポートのみ開放。ほかに22番ポートも公開しています。",
        "TLS1.0は使用しておりません。一部の端末では使用しています。",
        "HSTSを設定しています。\n対象：検証環境",
        "TLS1.3のみを利用、他、TLS1.2を利用",
        "いいえ。HSTSを設定しています。",
        "TLS1.2以上とTLS1.0を使用",
        "TLS1.0を無効とする設定を提供しています。",
        "HSTSを設定しています。オプションです。",
        "HSTSを設定します。来週です。",
        "TLS1.0を無効化しました。その後、再度有効化しました。",
        "TLS1.2以上を使用しています。検証機の話です。",
        "VPN機器について\n\nIKEv1は無効です。",
        "お客様にて以下を設定してください。\n・TLS1.2以上を使用\n・HSTSを設定",
        "HSTS(max-age=0)を設定しています。",
        "TLS1.2のみ使用。TLS1.0も使用。",
        "○TLS1.0有効　●TLS1.0無効",
        "DNSSEC対応 －",
        "HSTSを設定している。X",
        "HSTSを設定している。\n0",
    ],
)
def test_what_its_surroundings_may_deny_is_not_read(text: str) -> None:
    assert prose.read(text)[0] == ()


@pytest.mark.parametrize(
    ("text", "kinds"),
    [
        ("443番ポートのみ開放しています。それ以外は拒否しています。", ["ports"]),
        ("TLS1.2以上です。将来的にTLS1.3のみとする予定です。", ["versions_among"]),
        ("TLS1.2以上です。IDSを導入しています。", ["versions_among"]),
    ],
)
def test_what_speaks_of_itself_alone_denies_nothing_else(text: str, kinds: list[str]) -> None:
    assert [c.kind for c in prose.read(text)[0]] == kinds


@pytest.mark.parametrize(
    ("head", "kinds"),
    [
        ("未実施：", []),
        ("■今後の予定", []),
        ("以下は実施していません。", []),
        ("【端末側】", ["no_ssl_vpn"]),
    ],
)
def test_what_stands_below_a_denial_is_denied(head: str, kinds: list[str]) -> None:
    claims, left = prose.read(f"{head}\n・HSTSを有効化\n・TLS1.3のみ\n\nSSL-VPNは不使用")
    assert [c.kind for c in claims] == kinds
    assert [each.words for each in left][1:3] == ["・HSTSを有効化", "・TLS1.3のみ"]


def test_what_stands_below_a_plain_heading_is_read() -> None:
    text = "暗号化方式：\n・TLS1.3のみ\n■ほか\n・HSTSを有効化\n・DNSSECは予定\n・CAAを設定"
    claims, _ = prose.read(text)
    assert [c.kind for c in claims] == ["versions_among", "hsts", "caa"]


def test_bullets_are_sentences_of_their_own() -> None:
    claims, left = prose.read("・TLS1.2以上\n・HSTSを設定予定\n1. SSL-VPNは不使用\n2) ログを保存")
    assert [c.kind for c in claims] == ["versions_among", "no_ssl_vpn"]
    assert [each.why for each in left] == [Why.CONDITIONAL, Why.NOT_UNDERSTOOD]


_WORDS = st.sampled_from(
    [w for text, _ in (*READ, *LEFT[:-1]) for w in (text, text[:5], text[5:])]
    + [
        "、",
        "。",
        "\n",
        "・",
        "は",
        "ない",
        "予定",
        "無効",
        "のみ",
        "TLS",
        "1.2",
        " ",
        "\u202e",
        "\x00",
    ]
)
_TEXTS = st.one_of(st.lists(_WORDS, max_size=8).map("".join), st.text(max_size=80))


@given(_TEXTS)
@settings(max_examples=400, deadline=None)
def test_nothing_is_lost_and_nothing_fails(text: str) -> None:
    """Each sentence is read or left; of a sentence that is read all but the rest is covered."""
    claims, left = prose.read(text)
    assert all(c.kind in KINDS for c in claims)
    plain = [" ".join(sentence.split()) for sentence in prose.sentences(text)]
    whole = "".join(plain)
    for sentence in plain:
        if not any(map(str.isalnum, sentence)):
            continue
        assert any(c.words == sentence for c in claims) or any(x.words in sentence for x in left)
    assert all(x.words in whole for x in left)
    assert not left or whole


@given(
    st.sampled_from([text for text, _ in READ if len(list(prose.sentences(text))) == 1]),
    st.sampled_from(
        [
            "予定",
            "検討中",
            "場合",
            "ない",
            "ません",
            "未定",
            "?",
            "いいえ",
            "否",
            "無",
            "×",
            "対象外",
            "誤り",
            "をやめた",
            "対応中",
            "でした",
            "no",
            "NG",
            "false",
            "△",
            "22番も開放",
            "xyz",
        ]
    ),
)
@settings(max_examples=300, deadline=None)
def test_one_word_of_doubt_behind_it_takes_the_claim_back(text: str, doubt: str) -> None:
    (sentence,) = prose.sentences(text)
    assert prose.read(f"{sentence}{doubt}")[0] == ()
    for between in ("、", "：", "；", "、 というのは", "（"):
        assert prose.read(f"{sentence}{between}{doubt}")[0] == ()


def test_long_prose_is_quick() -> None:
    text = "TLS1.2以上で通信を暗号化する。IDSを導入する。" * 4000
    claims, left = prose.read(text)
    assert len(claims) == 1
    assert len(left) == 4000
