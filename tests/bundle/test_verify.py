"""A bundle of a real look: whatever is changed in it is found, and named."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import random
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests import make
from tests.observations import test_registration as samples
from tlscheck import judge as judging
from tlscheck.bundle import contents, seal, whose
from tlscheck.bundle.contents import Bundle, DamagedError, bundled, pack, read
from tlscheck.bundle.verify import Mark, Trusted, verify
from tlscheck.bundle.whose import APART
from tlscheck.model import Look, Scan, Scope, Target
from tlscheck.observations import kept
from tlscheck.observations.certificate import CertificateObservation, Chain, Staple
from tlscheck.observations.registration import Record, RegistrationObservation, from_whois
from tlscheck.render import FORMATS
from tlscheck.report import Report, decode, encode

CHECKOUT = Path(__file__).parents[2]
KEY = seal.private(seal.generated(None)[0], "key", None)
OTHER = seal.private(seal.generated(None)[0], "key", None)
PROFILE = """
id = "own"
title = { en = "Own", ja = "独自" }
source = "house rules"
extends = "ipa-high-3.1.1"
"""


def built(report: Report, key: Any = None) -> bytes:
    _, files = bundled(report)
    vouched = seal.signed(files["manifest.json"], key) if key else {}
    return pack(files | vouched, report.scan.at)


def broken(data: bytes, **trusted: Any) -> list[str]:
    """What of *data* does not hold."""
    return [said for mark, said in lines(data, **trusted) if mark is Mark.BROKEN]


def lines(data: bytes, **trusted: Any) -> list[tuple[Mark, str]]:
    found = verify(data, Trusted(**trusted))
    return [(line.mark, make.said(line.words)) for line in found]


def forged(bundle: Bundle, **files: bytes | None) -> bytes:
    """*bundle* with other files, its manifest made anew: what anybody can do who has no key."""
    changed = {**bundle.files, **files}
    inside = {n: c for n, c in changed.items() if c is not None and not n.startswith("manifest.")}
    entries = {
        name: {"size": len(c), "sha256": hashlib.sha256(c).hexdigest()}
        for name, c in inside.items()
    }
    document = json.loads(bundle.files["manifest.json"]) | {"files": entries}
    manifest = json.dumps(document, ensure_ascii=False, indent=1, sort_keys=True) + "\n"
    return pack({**inside, "manifest.json": manifest.encode()}, bundle.manifest.at)


def lied(bundle: Bundle, change: Callable[[dict[str, Any]], None]) -> bytes:
    """*bundle* with another observation, and all findings made to follow from that."""
    document = json.loads(bundle.files["scan.json"])
    change(document)
    scan = decode(json.dumps(document).encode(), "lie")
    report = contents.cited(judging.judge(scan, kept=bundle.texts), bundle.files)
    return forged(bundle, **{"scan.json": encode(report)})


@pytest.fixture(scope="module")
def report(seen: Scan) -> Report:
    return judging.judge(seen)


@pytest.fixture(scope="module")
def good(report: Report) -> bytes:
    return built(report, KEY)


@pytest.fixture(scope="module")
def bundle(good: bytes) -> Bundle:
    return read(good)


# -- What holds ---------------------------------------------------------------------------------


def test_it_holds(good: bytes) -> None:
    said = dict(reversed(line) for line in lines(good, key=KEY.public_key()))
    assert set(said.values()) == {Mark.HOLDS, Mark.NOTE}
    assert said["2 observations follow from the bytes kept with them"] is Mark.HOLDS
    assert any("as recorded: http;" in words for words in said)


def test_older_ones_whose_scan_file_hides_characters_hold_too(seen: Scan) -> None:
    """They hold them as servers sent them; the scan file of today escapes them."""
    (look,) = seen.looks
    label = "例\u202e\u2066\u2028\x85\U000e0041"
    named = replace(seen, looks=(replace(look, target=replace(look.target, label=label)),))
    now = read(built(judging.judge(named)))
    document = json.loads(now.files["scan.json"])
    then = (json.dumps(document, ensure_ascii=False, indent=1) + "\n").encode()
    assert then != now.files["scan.json"]
    assert label.encode() in then
    assert broken(forged(now, **{"scan.json": then})) == []
    other = then.replace(b'"verdict": "pass"', b'"verdict": "fail"', 1)
    assert other != then
    assert broken(forged(now, **{"scan.json": other}))
    compact = json.dumps(document, ensure_ascii=False).encode()
    assert broken(forged(now, **{"scan.json": compact})) == ["scan.json is not as it is written"]


def test_a_second_build_is_the_same_bytes(report: Report, good: bytes, bundle: Bundle) -> None:
    assert built(report, KEY) == good
    assert pack(bundle.files, bundle.scan.at) == good


def test_all_raw_bytes_are_there(seen: Scan, bundle: Bundle) -> None:
    (look,) = seen.looks
    exchanges = kept.read_exchanges(bundle.files["targets/0/tls.jsonl"])
    assert len(exchanges) >= 30
    assert all(e.sent for e in exchanges)
    certificates = look.seen["certificate"]
    assert isinstance(certificates, CertificateObservation)
    for chain in certificates.chains:
        for cert in chain.certificates:
            content = bundle.files[f"certificates/{cert.sha256}.der"]
            assert base64.b64encode(content).decode() == cert.der
    assert "raw" not in json.loads(bundle.files["scan.json"])["targets"][0]


def test_each_finding_names_the_files_it_rests_on(bundle: Bundle) -> None:
    scan = json.loads(bundle.files["scan.json"])
    assert scan["findings"]
    for finding in scan["findings"]:
        refs = finding["refs"]
        assert refs
        assert all(evidence["refs"] == refs for evidence in finding["evidence"])
        for ref in refs:
            name, _, pointer = ref.partition("#/")
            assert name in bundle.files
            part = scan
            for step in filter(None, pointer.split("/")):
                part = part[int(step)] if isinstance(part, list) else part[step]
    rests = {f["rule"]: f["refs"] for f in scan["findings"]}
    assert rests["tls.versions"] == ["scan.json#/targets/0/seen/tls", "targets/0/tls.jsonl"]
    assert sum(ref.startswith("certificates/") for ref in rests["certificate.key-size"]) >= 2


@pytest.mark.parametrize("form", ["text", "md", "html", "csv"])
def test_reports_name_them_too(form: str, bundle: Bundle, report: Report) -> None:
    assert b"targets/0/tls.jsonl" in FORMATS[form](bundle.judged(), "en")
    assert b"targets/0/tls.jsonl" not in FORMATS[form](report, "en")


def test_without_a_bundle_nothing_is_cited(report: Report) -> None:
    assert not any(f.refs or any(e.refs for e in f.evidence) for f in report.findings)


@pytest.mark.slow
def test_another_machine_makes_the_same_findings_of_it(good: bytes, tmp_path: Path) -> None:
    path = tmp_path / "bundle.zip"
    path.write_bytes(good)
    code = (
        "import sys; from pathlib import Path; from tlscheck.bundle.contents import read\n"
        "from tlscheck.report import encode\n"
        "sys.stdout.buffer.write(encode(read(Path(sys.argv[1]).read_bytes()).judged()))"
    )
    for surroundings in (
        {"LC_ALL": "ja_JP.UTF-8", "TZ": "Pacific/Chatham", "PYTHONHASHSEED": "1"},
        {"LC_ALL": "C", "TZ": "America/St_Johns", "PYTHONHASHSEED": "2", "PYTHONUTF8": "0"},
    ):
        done = subprocess.run(
            [sys.executable, "-c", code, path],
            capture_output=True,
            check=True,
            cwd=tmp_path,
            env={"PYTHONPATH": str(CHECKOUT), "PATH": os.environ["PATH"], **surroundings},
        )
        assert done.stdout == read(good).files["scan.json"]


def test_it_is_judged_by_the_texts_in_it(bundle: Bundle) -> None:
    """An installation with another profile under that name changes nothing."""
    name = "profiles/ipa-high-3.1.1.toml"
    other = bundle.files[name].replace(b'"secp256r1", ', b"")
    assert other != bundle.files[name]
    said = broken(forged(bundle, **{name: other}))
    assert len(said) == 1
    assert said[0].startswith(("findings that do not follow: ", "cannot be judged again: "))


def test_a_laxer_profile_under_an_official_name_is_told(bundle: Bundle) -> None:
    assert (Mark.HOLDS, OURS) in lines(forged(bundle))
    name = "profiles/ipa-high-3.1.1.toml"
    laxer = bundle.files[name].replace(b'severity = "high"', b'severity = "info"')
    other = read(forged(bundle, **{name: laxer}))
    scan = encode(other.judged())
    found = lines(forged(other, **{"scan.json": scan}))
    assert Mark.BROKEN not in {mark for mark, _ in found}
    told = [words for mark, words in found if mark is Mark.NOTE and "texts of its own" in words]
    assert [words.rpartition(": ")[2] for words in told] == ["ipa-high-3.1.1"]
    assert (Mark.HOLDS, OURS) not in found


OURS = "the profiles and checklists kept with it are those installed here"


def test_a_profile_of_one_s_own_travels_with_it(
    seen: Scan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "own.toml"
    path.write_text(PROFILE, encoding="utf-8")
    data = built(judging.judge(seen, str(path)))
    path.unlink()
    assert broken(data) == []


# -- Every byte ---------------------------------------------------------------------------------


def test_one_flipped_byte_anywhere_is_named(good: bytes, bundle: Bundle) -> None:
    """Every byte that is no content, and contents at random; what was hit is named."""
    regions = list(_regions(good, bundle))
    chosen = random.Random(5)
    tried = 0
    for name, start, size, content in regions:
        inside = range(start, start + size)
        for offset in chosen.sample(inside, min(size, 80)) if content else inside:
            changed = bytearray(good)
            changed[offset] ^= 1 << chosen.randrange(8)
            with pytest.raises(DamagedError) as damage:
                read(bytes(changed))
            said = " ".join(make.said(mistake) for mistake in damage.value.mistakes)
            if content:
                header = start - 30 - len(name)
                assert said.startswith(f"{name}, at byte {header}: the contents changed")
            else:
                # A name that changed shows where the next one, or the directory, has another.
                known = (f"at byte {start}: ", "the directory", "out of order after")
                assert any(words in said for words in known), said
            tried += 1
    assert tried >= 2000


def _regions(data: bytes, bundle: Bundle) -> Iterator[tuple[str, int, int, bool]]:
    offset, last = 0, ""
    for name in sorted(bundle.files):
        yield name, offset, 30 + len(name), False
        offset += 30 + len(name)
        yield name, offset, len(bundle.files[name]), True
        offset += len(bundle.files[name])
        last = name
    yield last, offset, len(data) - offset, False


def test_changed_files_are_named_by_the_manifest(bundle: Bundle) -> None:
    files = {**bundle.files}
    del files["targets/0/tls.jsonl"]
    files["profiles/baseline.toml"] += b"#"
    files["new.txt"] = b""
    said = broken(pack(files, bundle.manifest.at))
    assert sorted(said) == [
        "new.txt is not in the manifest",
        "profiles/baseline.toml is not as the manifest says",
        "targets/0/tls.jsonl is missing",
    ]


def test_another_time_of_the_files(bundle: Bundle) -> None:
    later = bundle.manifest.at + timedelta(days=1)
    assert broken(pack(bundle.files, later)) == ["the files' time is not that of the manifest"]


@given(st.binary(max_size=200))
def test_a_manifest_of_garbage(data: bytes) -> None:
    said = broken(pack({"manifest.json": data, "scan.json": b"{}"}, make.AT))
    assert said == ["manifest.json is not as it is written"]


# -- Lies ---------------------------------------------------------------------------------------


def _without_tls_1_2(document: dict[str, Any]) -> None:
    document["targets"][0]["seen"]["tls"]["versions"]["TLS 1.2"] = "refused"


def _other_suites(document: dict[str, Any]) -> None:
    document["targets"][0]["seen"]["tls"]["suites"]["TLS 1.3"] = ["TLS_AES_256_GCM_SHA384"]


def _longer(document: dict[str, Any]) -> None:
    for cert in document["targets"][0]["seen"]["certificate"]["chains"][0]["certificates"]:
        cert["not_after"] = "2099-01-01T00:00:00Z"


def _other_key(document: dict[str, Any]) -> None:
    document["targets"][0]["seen"]["certificate"]["chains"][0]["certificates"][0]["key_bits"] = 4096


def _chain_less(document: dict[str, Any]) -> None:
    document["targets"][0]["seen"]["certificate"]["chains"][0]["in_order"] = False


def _earlier(document: dict[str, Any]) -> None:
    document["targets"][0]["seen"]["certificate"]["at"] = "2020-01-01T00:00:00Z"


def _later(document: dict[str, Any]) -> None:
    document["targets"][0]["seen"]["certificate"]["at"] = "2099-01-01T00:00:00Z"


def _without_tls(document: dict[str, Any]) -> None:
    del document["targets"][0]["seen"]["tls"]


def _later_tls(document: dict[str, Any]) -> None:
    document["targets"][0]["seen"]["tls"]["at"] = "2099-01-01T00:00:00Z"


@pytest.mark.parametrize(
    ("lie", "found"),
    [
        (_without_tls_1_2, "tls: versions do not follow from targets/0/tls.jsonl"),
        (_other_suites, "tls: suites do not follow from targets/0/tls.jsonl"),
        (_longer, "does not follow from it"),
        (_other_key, "does not follow from it"),
        (_chain_less, "does not follow from targets/0/certificate.jsonl"),
        (_later, "certificate: at do not follow from targets/0/tls.jsonl"),
        (_later_tls, "tls: at do not follow from targets/0/tls.jsonl"),
        (_without_tls, "tls: was asked for, and is neither seen nor missed"),
        (_earlier, "it was looked at before the scan began"),
    ],
)
def test_a_forged_observation_does_not_follow_from_the_bytes(
    lie: Callable[[dict[str, Any]], None], found: str, bundle: Bundle
) -> None:
    said = broken(lied(bundle, lie))
    assert said
    assert any(found in words for words in said), said
    assert not any("findings" in words for words in said)


def test_another_server_s_bytes_are_not_those_of_the_target(bundle: Bundle) -> None:
    def moved(document: dict[str, Any]) -> None:
        target = document["targets"][0]
        port = target["target"]["port"]
        target["id"] = f"https://bad.example.jp:{port}#127.5.0.2"
        target["target"] |= {"host": "bad.example.jp", "address": "127.5.0.2"}
        target["target"] |= {"sni": "bad.example.jp"}
        target["seen"]["certificate"]["asked_name"] = "bad.example.jp"
        target["seen"]["http"]["host"] = "bad.example.jp"

    (said,) = broken(lied(bundle, moved))
    assert said.endswith(
        "tls: the hellos in targets/0/tls.jsonl ask for localhost, not for bad.example.jp"
    )

    def under_that_name(document: dict[str, Any]) -> None:
        moved(document)
        document["targets"][0]["target"]["sni"] = "localhost"
        document["targets"][0]["seen"]["certificate"]["asked_name"] = "localhost"

    data = lied(bundle, under_that_name)
    assert broken(data) == []
    assert any("asked by the name localhost, as with --sni" in w for _, w in lines(data))


def _unnamed(document: dict[str, Any]) -> None:
    document["targets"][0]["target"]["sni"] = None


def _renamed(document: dict[str, Any]) -> None:
    document["targets"][0]["id"] = "https://bad.example.jp:443"


def _other_page(document: dict[str, Any]) -> None:
    document["targets"][0]["seen"]["http"]["host"] = "good.example.jp"


def _other_name(document: dict[str, Any]) -> None:
    document["targets"][0]["seen"]["certificate"]["asked_name"] = "127.0.0.1"


@pytest.mark.parametrize(
    ("lie", "found"),
    [
        (_unnamed, "ask for localhost, not for -"),
        (_renamed, "its id is not that of its place, https://localhost:"),
        (_other_page, "http: is of good.example.jp, not of localhost"),
        (_other_name, "certificate: asked_name do not follow from scan.json"),
    ],
)
def test_a_target_that_was_renamed(
    lie: Callable[[dict[str, Any]], None], found: str, bundle: Bundle
) -> None:
    said = broken(lied(bundle, lie))
    assert any(found in words for words in said), said


ELSEWHERE: dict[str, tuple[Look, str]] = {
    "dns": (make.domain_look(), "example.net"),
    "registration": (make.domain_look(), "example.net"),
    "ports": (make.address_look(), "198.51.100.9"),
    "vpn": (make.address_look(), "198.51.100.9"),
    "ike": (make.gateway_look(), "198.51.100.9"),
}


@pytest.mark.parametrize("subject", ELSEWHERE)
def test_what_says_that_it_is_of_another_place(subject: str) -> None:
    look, other = ELSEWHERE[subject]
    alone = replace(look, seen={subject: look.seen[subject]})
    moved = replace(alone, target=replace(look.target, id=other))
    words = f"{subject}: is of {look.target.id}, not of {other}"
    assert not any(words in said for said in broken(built(judging.judge(make.scan(alone)))))
    assert any(words in said for said in broken(built(judging.judge(make.scan(moved)))))


def test_relays_and_quic_of_another_service() -> None:
    for look, name in ((make.turn_look(), "turn"), (make.quic_look(), "quic")):
        place = look.target.target
        assert place
        target = replace(look.target, target=replace(place, service="other"))
        said = broken(built(judging.judge(make.scan(look))))
        assert not any(f"{name}: is of" in words for words in said)
        said = broken(built(judging.judge(make.scan(replace(look, target=target)))))
        assert any(f"{name}: is of {place.service}, not of other" in words for words in said)


def _dated_back(part: Any, days: int) -> Any:
    """*part* of a scan file with every time of a look that much earlier."""
    if isinstance(part, list):
        return [_dated_back(each, days) for each in part]
    if not isinstance(part, dict):
        return part
    return {
        key: (datetime.fromisoformat(value) - timedelta(days)).isoformat().replace("+00:00", "Z")
        if key == "at" and isinstance(value, str)
        else _dated_back(value, days)
        for key, value in part.items()
    }


def backdated(bundle: Bundle, *names: str) -> bytes:
    """*bundle* a year earlier: its scan, its manifest and the lines of the files *names*."""
    files = {
        name: b"".join(
            json.dumps(_dated_back(json.loads(line), 365), separators=(",", ":")).replace(
                'Z","took', '+00:00","took'
            ).encode() + b"\n"
            for line in bundle.files[name].splitlines()
        )
        for name in names
    }  # fmt: skip
    manifest = bundle.files["manifest.json"]
    changed = json.dumps(_dated_back(json.loads(manifest), 365)).encode()
    early = replace(
        bundle,
        manifest=replace(bundle.manifest, at=bundle.manifest.at - timedelta(365)),
        files={**bundle.files, "manifest.json": changed, **files},
    )
    return lied(early, lambda document: document.update(_dated_back(document, 365)))


def test_a_scan_that_is_dated_back_does_not_follow_from_its_exchanges(bundle: Bundle) -> None:
    said = [words.split(": ", 1)[1] for words in broken(backdated(bundle))]
    assert said == [
        "tls: at do not follow from targets/0/tls.jsonl",
        "certificate: at do not follow from targets/0/tls.jsonl",
    ]


def test_what_is_dated_back_as_a_whole_shows_by_the_certificates(bundle: Bundle) -> None:
    data = backdated(bundle, "targets/0/tls.jsonl")
    assert broken(data) == []
    assert any("it is shown too early, or the look is dated back" in w for _, w in lines(data))


def test_the_manifest_and_the_scan_are_of_one_time(bundle: Bundle) -> None:
    said = broken(lied(bundle, lambda document: document.update(_dated_back(document, 1))))
    assert "the time in manifest.json is not that of the scan" in said


def test_logs_tell_when_a_certificate_was_there() -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([])
    entry = b"\0" + bytes(32) + int(make.AT.timestamp() * 1000).to_bytes(8) + bytes(2)
    entry += b"\x04\x03" + b"\0\x01x"
    listed = (len(entry) + 2).to_bytes(2) + len(entry).to_bytes(2) + entry
    times = x509.UnrecognizedExtension(
        x509.ObjectIdentifier("1.3.6.1.4.1.11129.2.4.2"), b"\x04" + bytes([len(listed)]) + listed
    )
    made = x509.CertificateBuilder(name, name, key.public_key(), 1, make.AT, make.AT + APART * 9)
    leaf = made.add_extension(times, critical=False).sign(key, hashes.SHA256())
    der = leaf.public_bytes(serialization.Encoding.DER)
    assert whose.logged(der) == (make.AT,)
    chain = Chain(())
    assert whose.later(der, chain, make.AT - 2 * APART)
    assert not whose.later(der, chain, make.AT)
    assert not whose.later(b"no certificate", chain, make.AT)
    told = replace(chain, staple=Staple(this_update=make.AT))
    assert whose.later(b"", told, make.AT - 2 * APART)


def test_forged_findings_do_not_follow_from_the_scan(bundle: Bundle) -> None:
    document = json.loads(bundle.files["scan.json"])
    failed = next(f for f in document["findings"] if f["verdict"] == "fail")
    failed["verdict"] = "pass"
    data = (json.dumps(document, ensure_ascii=False, indent=1) + "\n").encode()
    said = broken(forged(bundle, **{"scan.json": data}))
    assert said == [f"findings that do not follow: {failed['rule']} {failed['target']}"]


@pytest.mark.parametrize(
    "name", ["targets/0/tls.jsonl", "targets/0/certificate.jsonl", "certificates/"]
)
def test_bytes_that_were_left_out_are_missed(name: str, bundle: Bundle) -> None:
    gone: dict[str, bytes | None] = {n: None for n in bundle.files if n.startswith(name)}
    said = broken(forged(bundle, **gone))
    assert any("missing" in words or "follow from it" in words for words in said)


def test_exchanges_that_were_left_out_are_missed(bundle: Bundle) -> None:
    """Without those that were answered nothing is accepted."""
    all_lines = bundle.files["targets/0/tls.jsonl"].splitlines(keepends=True)
    few = b"".join(all_lines[:3])
    assert broken(forged(bundle, **{"targets/0/tls.jsonl": few}))


def test_a_chain_that_was_left_out_is_missed(bundle: Bundle) -> None:
    def fewer(document: dict[str, Any]) -> None:
        document["targets"][0]["seen"]["certificate"]["chains"].pop()

    chains = bundle.files["targets/0/certificate.jsonl"].splitlines(keepends=True)
    data = read(lied(bundle, fewer))
    said = broken(forged(data, **{"targets/0/certificate.jsonl": b"".join(chains[:-1])}))
    assert any("a chain in the exchanges was left out" in words for words in said)


TEXTS = (
    "scan.json",
    "targets/0/tls.jsonl",
    "targets/0/certificate.jsonl",
    "profiles/baseline.toml",
    "checklists/vendor-138.toml",
)


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    st.sampled_from(TEXTS),
    st.integers(0),
    st.binary(max_size=12),
    st.integers(0, 12),
)
def test_whatever_is_forged_is_no_crash(
    bundle: Bundle, name: str, at: int, junk: bytes, over: int
) -> None:
    content = bundle.files[name]
    at %= len(content)
    changed = content[:at] + junk + content[at + over :]
    if changed != content:
        lines(forged(bundle, **{name: changed}))


# -- Signatures ---------------------------------------------------------------------------------


def test_whose_signature_it_is(report: Report, good: bytes) -> None:
    assert broken(good, key=KEY.public_key()) == []
    name = seal.fingerprint(KEY.public_key())
    assert broken(good, key=OTHER.public_key()) == [
        f"signed with the key {name}, not with the one given"
    ]
    assert broken(built(report), key=KEY.public_key()) == ["not signed with the key given"]
    assert any("accidents only" in words for _, words in lines(built(report)))
    assert any(f"signed with the key {name}, which anybody can make" in w for _, w in lines(good))


def test_a_signature_of_something_else(bundle: Bundle) -> None:
    for changes in (
        {"manifest.sig": OTHER.sign(bundle.files["manifest.json"])},
        {"manifest.sig": KEY.sign(b"else")},
        {"manifest.sig": b""},
        {"manifest.pub": b"-----BEGIN PUBLIC KEY-----\n"},
        {"manifest.pub": bundle.files["manifest.pub"] + b"\n"},
        {"manifest.pub": seal.generated(None)[1]},
    ):
        data = pack({**bundle.files, **changes}, bundle.manifest.at)
        assert broken(data) == ["the signature is not that of the manifest"]
    half = {n: c for n, c in bundle.files.items() if n != "manifest.sig"}
    assert broken(pack(half, bundle.manifest.at)) == ["the signature is not that of the manifest"]


# -- Registrations ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "record",
    [
        samples.jprs(samples.GENERAL, "sakura-clinic.jp"),
        samples.jprs(samples.GENERAL, "sakura-clinic.jp", contacts=True),
        samples.jprs(samples.ENGLISH, "sakura-clinic.jp"),
        samples.jprs(samples.ATTRIBUTE, "sakura.or.jp"),
        samples.jprs(samples.ATTRIBUTE_ENGLISH, "sakura.co.jp"),
        samples.jprs(samples.NONE, "sakura.jp"),
        samples.rdap(samples.COM),
        samples.rdap(samples.COM, contacts=True),
        from_whois(samples.INFO.encode(), "sakura.info", "whois.example", samples.AT),
        from_whois(b"domain: a.example\nstatus: ok\n", "a.example", "x", samples.AT),
        from_whois(b"NOT FOUND\r\n", "sakura.info", "whois.example", samples.AT),
    ],
    ids=lambda record: f"{record.layout} {record.domain}",
)
def test_what_a_registry_said_is_read_again(record: Record) -> None:
    def look(told: RegistrationObservation) -> Look:
        return Look(Target(record.domain, Scope.NAME), {"registration": told})

    observation = replace(make.registration_observation(), record=record)
    report = judging.judge(make.scan(look(observation)))
    data = built(report)
    assert read(data).files["targets/0/registration.txt"].decode() == record.text
    assert broken(data) == []
    longer = replace(record, statuses=("active", "locked"))
    lie = replace(observation, record=longer)
    said = broken(built(judging.judge(make.scan(look(lie)))))
    assert [words.split(": ", 1)[1] for words in said] == [
        "registration: statuses do not follow from targets/0/registration.txt"
    ]


def test_what_was_never_kept_is_not_said_to_follow() -> None:
    """A scan file made into a bundle afterwards has no bytes that anything could follow from."""
    said = broken(built(judging.judge(make.scan())))
    assert any("targets/0/tls.jsonl cannot be read: it is missing" in words for words in said)
