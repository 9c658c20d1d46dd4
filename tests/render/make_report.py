"""One fixed report for every renderer, with what hostile servers send in all the places they can.

python -m tests.render.make_report      write the golden files anew
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import MappingProxyType

from tlscheck import checklist as checklists
from tlscheck.checklist import Checklist, Item, Part
from tlscheck.model import (
    Basis,
    Evidence,
    Finding,
    Grade,
    Look,
    Missed,
    Note,
    Open,
    Place,
    Problem,
    Reach,
    Reason,
    Scan,
    Scope,
    Severity,
    Standpoint,
    State,
    Target,
    Verdict,
    Words,
)
from tlscheck.observations.certificate import (
    Certificate,
    CertificateObservation,
    Chain,
    Revocation,
    Standing,
    Trust,
)
from tlscheck.observations.tls import (
    Chooser,
    ClientCertificate,
    Demand,
    DhParameters,
    Names,
    Order,
    TlsObservation,
)
from tlscheck.profile import OpenBlock, Profile, Setting
from tlscheck.render import BINARY, FORMATS
from tlscheck.render.json import published
from tlscheck.report import Report
from tlscheck.rules import RULES
from tlscheck.rules.certificate import leaf
from tlscheck.rules.tls import offered
from tlscheck.wire.registry import Version

GOLDEN = Path(__file__).parent / "golden"
SCHEMA = Path(__file__).parents[2] / "reports" / "schema" / "scan-1.schema.json"
LANGUAGES = ("en", "ja")
TEXTS = tuple(name for name in FORMATS if name not in BINARY)
"""The formats whose bytes are frozen; those of a PDF are typst's as well."""

AT = datetime(2026, 11, 20, 18, 5, 33, tzinfo=UTC)
SCRIPT = "<script>alert(1)</script>"
MARKUP = "[bold]loud[/bold] [link](javascript:alert(1)) `code` | cell {0}"
ESCAPE = "\x1b[31mred\x1b]0;title\x07\x9b2J"
FORMULA = '=HYPERLINK("http://attacker.example/","click")'
TURNED = "gpj.\u202eexe\u2066\u200f"
BROKEN = "no character\ufffe\x00 \U000e0041"
HOSTILE = (SCRIPT, MARKUP, ESCAPE, FORMULA, TURNED, BROKEN)

CBC = "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA256"
GCM = "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384"
CAMELLIA = "TLS_ECDHE_RSA_WITH_CAMELLIA_256_GCM_SHA384"
AES_1_3 = "TLS_AES_256_GCM_SHA384"

OFFICIAL = Basis("RFC 8996", Grade.OFFICIAL)
INFERRED = Basis("Read out of the appendix", Grade.INFERRED)


def endpoint(host: str, address: str, port: int = 443, label: str = "") -> Target:
    place = Place(host, port, "https", address, sni=host)
    return Target(f"https://{host}:{port}@{address}", Scope.ENDPOINT, place, label)


GOOD = endpoint("www.example.jp", "192.0.2.10")
EVIL = endpoint("xn--r8jz45g.example", "2001:db8::1", 8443, "例え.example:8443")
GONE = Target("nowhere.example:443", Scope.NAME, None, "nowhere.example:443")


def certificate(name: str, days: int, **changes: object) -> Certificate:
    given: dict[str, object] = {
        "sha256": f"{days % 16:x}" * 64,
        "der": "",
        "subject": f"CN={name}",
        "issuer": "CN=Example CA R1,O=Example Trust",
        "common_name": name,
        "names": (name,),
        "serial": "0a1b2c",
        "not_before": AT - timedelta(days=60),
        "not_after": AT + timedelta(days=days),
        "key": "RSA",
        "key_bits": 2048,
        "signature_hash": "SHA256",
        "policy": "DV",
    }
    return Certificate(**(given | changes))  # type: ignore[arg-type]


def certificates(name: str, days: int, **changes: object) -> CertificateObservation:
    leaf = certificate(name, days, **changes)
    issuer = certificate("Example CA R1", 1500, ca=True, names=(), policy="")
    chain = Chain(
        certificates=(leaf, issuer),
        sent=2,
        path=Trust(State.ACCEPTED if days > 0 else State.REFUSED, "certificate has expired", 10),
        trust={"mozilla": Trust(State.ACCEPTED), "java": Trust(State.UNKNOWN)},
        way=(leaf, issuer),
        stapling=State.REFUSED,
        revocation=(Revocation(leaf.sha256, Standing.GOOD, "ocsp"),),
    )
    return CertificateObservation(at=AT, asked_name=name, chains=(chain,))


def tls(*accepted: Version) -> TlsObservation:
    return TlsObservation(
        at=AT,
        versions={v: State.ACCEPTED if v in accepted else State.REFUSED for v in Version}
        | {Version.SSL_2_0: State.UNKNOWN},
        suites={
            Version.TLS_1_3: (AES_1_3,),
            Version.TLS_1_2: (GCM, CAMELLIA, CBC, "TLS_RSA_WITH_RC4_128_SHA"),
        },
        groups={
            Version.TLS_1_3: ("X25519MLKEM768", "x25519", "secp192r1"),
            Version.TLS_1_2: ("x25519",),
        },
        schemes={Version.TLS_1_3: ("rsa_pss_rsae_sha256",)},
        unknown={Version.TLS_1_2: Names(suites=("TLS_RSA_WITH_SEED_CBC_SHA",))},
        order={
            Version.TLS_1_2: Order(suites=Chooser.SERVER, chacha_first=State.ACCEPTED),
            Version.TLS_1_3: Order(suites=Chooser.SINGLE),
        },
        dh=(DhParameters((Version.TLS_1_2,), (), 2048, "ffdhe2048", "", "2", ""),),
        secure_renegotiation=State.ACCEPTED,
        compression=State.REFUSED,
        alpn=("h2", "http/1.1"),
        client_certificate=ClientCertificate(Demand.REQUESTED),
    )


LOOKS = (
    Look(
        GOOD,
        {
            "tls": tls(Version.TLS_1_3, Version.TLS_1_2, Version.TLS_1_0),
            "certificate": certificates("www.example.jp", 20),
        },
        (Missed("tls.deep", Reason.CHILD, "killed after 60 s"),),
        117,
    ),
    Look(
        EVIL,
        {
            "certificate": certificates(
                SCRIPT, -3, subject=f"CN={SCRIPT},O={ESCAPE}", issuer=MARKUP, names=HOSTILE
            )
        },
        (
            Missed("tls", Reason.NOT_TLS, f"{ESCAPE} {SCRIPT} {TURNED}"),
            Missed("http", Reason.RESET),
        ),
        4,
    ),
    Look(GONE, {}, (Missed("tls", Reason.UNRESOLVED, FORMULA),), 0),
)


def setting(rule: str, severity: Severity, want: object = None, *blocks: OpenBlock) -> Setting:
    return Setting(RULES[rule], want, severity, OFFICIAL, blocks, "own")


def words(en: str, ja: str) -> Words:
    return Words(en, ja)


QUESTION = words("May Camellia be offered?", "Camelliaは使えるか。")
OWN = Profile(
    id="own",
    title=words("The run's own profile", "実行時のプロファイル"),
    source="A guideline, version 3, 2026-01-01",
    questions=(words("What does version 4 change?", "第4版で何が変わるか。"),),
    settings=MappingProxyType(
        {
            "tls.versions": setting("tls.versions", Severity.HIGH),
            "tls.suites": setting(
                "tls.suites",
                Severity.HIGH,
                offered.Suites(frozenset({GCM, AES_1_3}), frozenset({CAMELLIA})),
                OpenBlock((CAMELLIA,), Basis("Nobody said", Grade.UNVERIFIED), QUESTION),
            ),
            "tls.groups": setting(
                "tls.groups", Severity.HIGH, offered.Groups(frozenset({"x25519"}))
            ),
            "certificate.expiry": setting("certificate.expiry", Severity.LOW, leaf.Expiry(30)),
        }
    ),
    extends=(),
    digest="0123456789abcdef" * 4,
)
STRICT = Profile(
    id="strict",
    title=words("A stricter profile", "より厳しいプロファイル"),
    source="Another document",
    questions=(),
    settings=OWN.settings,
    extends=(),
    digest="fedcba9876543210" * 4,
)

TITLE = Words
CATALOG = Checklist(
    id="sheet",
    title=TITLE("A sheet", "評価シート"),
    document=TITLE("A sheet, 2026", "評価シート（2026年版）"),
    items=(
        Item(
            "44",
            TITLE("Sound TLS", "適切なTLS"),
            TITLE("Row 44", "項番44"),
            (
                Part(
                    "server",
                    TITLE("Server", "サーバー側"),
                    Reach.TESTED,
                    ("tls.versions", "tls.suites", "certificate.validity"),
                ),
                Part(
                    "client",
                    TITLE("Client", "クライアント側"),
                    Reach.ATTEST,
                    documents=(TITLE("Settings of the clients", "クライアントの設定書"),),
                    note=TITLE("Clients are not seen.", "クライアントは見えない。"),
                ),
            ),
            note=TITLE("Decided by the newest version.", "最新版で判定した。"),
        ),
        Item(
            "52",
            TITLE("Known holes", "既知の脆弱性"),
            TITLE("Row 52", "項番52"),
            (
                Part(
                    "known",
                    TITLE("Known holes of TLS", "TLSの既知の脆弱性"),
                    Reach.PARTIAL,
                    ("tls.compression",),
                    documents=(TITLE("Record of updates", "更新の記録"),),
                ),
            ),
        ),
        Item(
            "60",
            TITLE("Names", "証明書の名前"),
            TITLE("Row 60", "項番60"),
            (Part("names", TITLE("Names", "名前"), Reach.TESTED, ("certificate.names",)),),
        ),
        Item(
            "61",
            TITLE("Peering", "相互接続"),
            TITLE("Row 61", "項番61"),
            (Part("ocsp", TITLE("OCSP", "OCSP"), Reach.TESTED, ("certificate.stapling",)),),
        ),
    ),
)


def finding(
    target: Target,
    rule: str,
    verdict: Verdict,
    *evidence: Evidence,
    severity: Severity = Severity.HIGH,
    basis: Basis = OFFICIAL,
    names: Iterable[str] = ("own", "strict"),
) -> Finding:
    items = tuple(
        f"sheet/{item.id}"
        for item in CATALOG.items
        if any(rule in part.rules for part in item.parts)
    )
    return Finding(rule, target.id, verdict, severity, evidence, tuple(names), basis, items)


def _open_suite() -> Evidence:
    return Open(
        "open",
        "{version} {suite}: it is an open question whether the profile allows it",
        cause="open_question",
        version=Version.TLS_1_2,
        suite=CAMELLIA,
    )


def _bad_suite() -> Evidence:
    return Problem("accepted", "{version} {suite} is accepted", version=Version.TLS_1_2, suite=CBC)


FINDINGS = (
    finding(GOOD, "tls.suites", Verdict.UNKNOWN, _open_suite(), names=["own"]),
    finding(
        GOOD, "tls.suites", Verdict.FAIL, _bad_suite(), _open_suite(),
        basis=INFERRED, names=["strict"],
    ),
    finding(
        GOOD, "tls.versions", Verdict.FAIL,
        Problem("accepted", "{version} is accepted", version=Version.TLS_1_0),
        severity=Severity.CRITICAL, names=["own"],
    ),
    finding(
        GOOD, "tls.versions", Verdict.FAIL,
        Problem("accepted", "{version} is accepted", version=Version.TLS_1_0),
        severity=Severity.MEDIUM, basis=INFERRED, names=["strict"],
    ),
    finding(GOOD, "tls.compression", Verdict.PASS),
    finding(GOOD, "certificate.validity", Verdict.PASS),
    finding(
        GOOD, "certificate.expiry", Verdict.FAIL,
        Problem(
            "soon", "{subject} expires on {day}, in {days} days",
            subject="CN=www.example.jp", day=(AT + timedelta(days=20)).isoformat(), days=20,
        ),
        severity=Severity.LOW,
    ),
    finding(GOOD, "certificate.names", Verdict.PASS),
    finding(
        GOOD, "certificate.stapling", Verdict.NOT_APPLICABLE,
        Note("no_responder", "the certificate names no OCSP responder"),
    ),
    finding(
        EVIL, "tls.versions", Verdict.UNKNOWN,
        Open(
            "missed", "not looked at: {reason} ({detail})", cause=Reason.NOT_TLS,
            reason=Reason.NOT_TLS, detail=f"{ESCAPE} {SCRIPT} {TURNED}",
        ),
    ),
    finding(
        EVIL, "certificate.validity", Verdict.FAIL,
        Problem(
            "expired", "{subject} expired on {day}",
            subject=f"CN={SCRIPT},O={ESCAPE}", day=(AT - timedelta(days=3)).isoformat(),
        ),
    ),
    finding(
        EVIL, "certificate.names", Verdict.FAIL,
        Problem(
            "other_name", "the {key} certificate is not for {asked}, but for: {names}",
            key="RSA", asked="xn--r8jz45g.example", names=HOSTILE,
        ),
    ),
    finding(
        EVIL, "http.version-banner", Verdict.FAIL,
        Problem(FORMULA, "{name} gives a version away: {value}", name=FORMULA, value=MARKUP),
        severity=Severity.INFO, names=["own"],
    ),
    finding(
        EVIL, "certificate.stapling", Verdict.NOT_APPLICABLE,
        Note("no_responder", "the certificate names no OCSP responder"),
    ),
)  # fmt: skip


def report() -> Report:
    """The report, always the same."""
    scan = Scan(
        at=AT,
        version="0.1.0",
        looks=LOOKS,
        profile="own",
        checklists=("sheet",),
        subjects=("tls", "certificate", "http"),
        standpoint=Standpoint(("198.51.100.7",), "198.51.100.53", "50.0.2"),
    )
    answers = checklists.answers(
        CATALOG,
        FINDINGS,
        LOOKS,
        profile="own",
        profile_rules=lambda name: frozenset(f.rule for f in FINDINGS),
    )
    return Report(scan, FINDINGS, answers, (OWN, STRICT), (CATALOG,))


def golden(name: str, lang: str) -> Path:
    """Where the golden file of a format is."""
    suffix = {"text": "txt", "sarif": "sarif.json", "junit": "xml", "cbom": "cdx.json"}.get(
        name, name
    )
    return GOLDEN / f"{lang}.{suffix}"


if __name__ == "__main__":
    GOLDEN.mkdir(exist_ok=True)
    SCHEMA.parent.mkdir(exist_ok=True)
    SCHEMA.write_bytes(published())
    for name in TEXTS:
        for lang in LANGUAGES:
            golden(name, lang).write_bytes(FORMATS[name](report(), lang))
