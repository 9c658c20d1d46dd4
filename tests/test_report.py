"""The scan file: the same bytes come out again, and what is no scan file ends in one line."""

from __future__ import annotations

import copy
import json
import sys
import unicodedata
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests import make
from tests.make import good_look, missed_look, names_look, scan
from tlscheck import data as shipped
from tlscheck import judge as judging
from tlscheck import profile as profiles
from tlscheck.errors import ScanFileError
from tlscheck.model import Look, Missed, Reason, Scan, Scope, Target
from tlscheck.report import FORMAT, decode, encode

LOOKS = (
    good_look(),
    good_look("b.example", "2001:db8::2", tls=make.blank_tls()),
    missed_look(host="c.example"),
    names_look(),
    Look(
        Target("https://gone.example:443", Scope.NAME, label="消えた"),
        {},
        (Missed("tls", Reason.UNRESOLVED, "Name or service not known"),),
    ),
)
WHOLE = encode(judging.judge(scan(*LOOKS, checklists=shipped.checklists())))
DOCUMENT: dict[str, Any] = json.loads(WHOLE)


def again(data: bytes) -> bytes:
    return encode(judging.judge(decode(data, "scan.json")))


# -- There and back -----------------------------------------------------------------------------


@pytest.mark.parametrize("name", shipped.profiles())
def test_the_same_bytes_come_out(name: str) -> None:
    whole = scan(*LOOKS, profile=name, checklists=shipped.checklists())
    data = encode(judging.judge(whole))
    assert decode(data, "scan.json") == whole
    assert again(data) == data


def test_findings_and_answers_of_the_file_are_made_anew() -> None:
    forged = copy.deepcopy(DOCUMENT)
    for finding in forged["findings"]:
        finding["verdict"] = "pass"
    forged["answers"] = []
    forged["profiles"] = [{"id": "mine", "sha256": "", "source": ""}]
    assert again(json.dumps(forged).encode()) == WHOLE


def test_other_bytes_of_the_same_document_give_the_same() -> None:
    assert again(json.dumps(DOCUMENT, indent=4).encode()) == WHOLE


def test_it_is_utf_8_with_a_final_newline() -> None:
    assert WHOLE.endswith(b"}\n")
    assert "消えた" in WHOLE.decode()


TEXT = st.text(max_size=20) | st.sampled_from(["\ud800", "\x00", "\u2028", "\x1b[31m", "a\r\nb"])


@settings(max_examples=60)
@given(TEXT, TEXT, st.none() | st.floats(allow_nan=False, allow_infinity=False))
def test_whatever_servers_say(label: str, detail: str, skew: float | None) -> None:
    certificate = replace(good_look().seen["certificate"], clock_skew=skew)  # type: ignore[call-arg]
    look = replace(
        good_look(certificate=certificate, http=make.http_observation(banners={"server": detail})),
        target=replace(make.endpoint(), label=label),
        missed=(Missed("tls.deep", Reason.CHILD, detail),),
    )
    data = encode(judging.judge(scan(look)))
    assert again(data) == data


# -- What other programs rely on ----------------------------------------------------------------


def test_nothing_in_it_hides() -> None:
    """Whoever reads it in a terminal sees all that servers said, as it stands there."""
    code = [chr(n) for n in range(sys.maxunicode + 1)]
    hidden = "".join(c for c in code if unicodedata.category(c) in ("Cc", "Cf", "Zl", "Zp", "Cs"))
    label = f"{hidden}検査対象 例え\u3000€\U00020bb7\\"
    look = replace(missed_look(), target=replace(missed_look().target, label=label))
    data = encode(judging.judge(scan(look)))
    text = data.decode()
    assert not set(text) & set(hidden) - {"\n"}
    assert "検査対象 例え\u3000€\U00020bb7" in text
    assert "\\u202e" in text
    assert "\\udb40\\udc41" in text  # U+E0041
    [read] = decode(data, "scan.json").looks
    units = [text.encode("utf-16", "surrogatepass") for text in (label, read.target.label)]
    assert units[0] == units[1]  # a pair of halves is one character


def test_what_the_format_promises() -> None:
    assert DOCUMENT["format"] == FORMAT == "tlscheck.scan/1"
    seen, blank, gone, name, unresolved = DOCUMENT["targets"]
    assert (seen["id"], seen["scope"]) == (make.endpoint().id, "endpoint")
    assert set(seen["target"]) >= {"host", "port", "service", "address"}
    assert name["target"] is None
    assert (name["scope"], unresolved["scope"]) == ("name", "name")
    tls = seen["seen"]["tls"]
    assert tls["versions"] == {
        "SSL 2.0": "refused",
        "SSL 3.0": "refused",
        "TLS 1.0": "refused",
        "TLS 1.1": "refused",
        "TLS 1.2": "accepted",
        "TLS 1.3": "accepted",
    }
    assert set(blank["seen"]["tls"]["versions"].values()) == {"unknown"}
    assert len(blank["seen"]["tls"]["versions"]) == 6
    assert list(tls["suites"]) == ["TLS 1.2", "TLS 1.3"]
    assert tls["suites"]["TLS 1.3"][0] == "TLS_AES_256_GCM_SHA384"
    assert tls["groups"]["TLS 1.3"][0] == "X25519MLKEM768"
    assert set(tls["unknown"]["TLS 1.2"]) >= {"suites", "groups"}
    assert tls["order"]["TLS 1.2"]["suites"] == "server"
    assert seen["connections"] == 45
    assert gone["seen"] == {}
    assert gone["missed"][0] == {"kind": "tls", "reason": "timeout", "detail": ""}
    assert unresolved["missed"][0]["reason"] == "unresolved"


def test_what_the_format_promises_of_findings_and_answers() -> None:
    ids = {target["id"] for target in DOCUMENT["targets"]}
    for finding in DOCUMENT["findings"]:
        assert finding["target"] in ids
        assert finding["verdict"] in ("pass", "fail", "unknown", "not_applicable")
        assert finding["severity"] in ("critical", "high", "medium", "low", "info")
        assert set(finding) >= {"rule", "evidence", "profiles", "items"}
        for evidence in finding["evidence"]:
            assert set(evidence) >= {"code", "template", "values", "refs", "kind"}
            assert evidence["template"].format_map(evidence["values"])
    found = {f"{f['rule']}@{f['target']}" for f in DOCUMENT["findings"]}
    for answer in DOCUMENT["answers"]:
        assert answer["target"] is None or answer["target"] in ids
        assert set(answer["findings"]) <= found
        assert set(answer) >= {"checklist", "item", "answer", "parts", "documents"}


def test_the_profiles_are_named_with_their_digest() -> None:
    for entry in DOCUMENT["profiles"]:
        assert entry["sha256"] == profiles.load(entry["id"]).digest
        assert entry["source"]
    assert DOCUMENT["profiles"][0]["id"] == DOCUMENT["profile"] == make.DEFAULT_PROFILE


# -- What is no scan file -----------------------------------------------------------------------


def line(data: bytes) -> str:
    with pytest.raises(ScanFileError) as error:
        decode(data, "scan.json")
    said = str(error.value)
    assert "\n" not in said
    assert said.startswith("scan.json: ")
    assert len(said) < 500
    return said


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"nonsense",
        b"\xff\xfe{}",
        b"[]",
        b"null",
        b"1",
        b"{}",
        b'{"format": "tlscheck.scan/2"}',
        b'{"format": 1}',
        b'{"format": "tlscheck.scan/1"}',
        b"[" * 100_000,
    ],
    ids=lambda data: data[:30].decode(errors="replace") or "empty",
)
def test_what_is_no_scan_file(data: bytes) -> None:
    line(data)


REQUIRED = [key for key in Scan.__dataclass_fields__ if key not in ("looks", "waivers")]


@pytest.mark.parametrize("key", [*REQUIRED, "targets"])
def test_a_missing_key(key: str) -> None:
    assert key in line(json.dumps({k: v for k, v in DOCUMENT.items() if k != key}).encode())


def test_older_files_know_no_waivers() -> None:
    old = {k: v for k, v in DOCUMENT.items() if k not in ("waivers", "waived")}
    assert decode(json.dumps(old).encode(), "old.json").waivers == ()


def broken(change: Callable[[dict[str, Any]], object]) -> bytes:
    document = copy.deepcopy(DOCUMENT)
    change(document)
    return json.dumps(document).encode()


@pytest.mark.parametrize(
    "change",
    [
        lambda d: d.update(targets={}),
        lambda d: d.update(targets="abc"),
        lambda d: d.update(targets=[None]),
        lambda d: d.update(at="yesterday"),
        lambda d: d.update(profile=7),
        lambda d: d.update(checklists="vendor-138"),
        lambda d: d.update(standpoint=[]),
        lambda d: d["targets"][0].update(seen=[]),
        lambda d: d["targets"][0].update(seen=None),
        lambda d: d["targets"][0].update(seen={"tls": None}),
        lambda d: d["targets"][0].update(seen={"tls": {}}),
        lambda d: d["targets"][0].update(missed={"kind": "tls"}),
        lambda d: d["targets"][0].update(missed=[{"kind": "tls", "reason": "bored"}]),
        lambda d: d["targets"][0].update(connections="many"),
        lambda d: d["targets"][0].update(connections=None),
        lambda d: d["targets"][0].update(scope="planet"),
        lambda d: d["targets"][0].pop("id"),
        lambda d: d["targets"][0]["seen"]["tls"]["versions"].update({"TLS 1.3": "yes"}),
        lambda d: d["targets"][0]["seen"]["tls"]["versions"].update({"TLS 1.4": "accepted"}),
    ],
    ids=range(19),
)
def test_a_broken_value(change: Callable[[dict[str, Any]], object]) -> None:
    line(broken(change))


def test_a_subject_that_is_not_known_is_named() -> None:
    said = line(broken(lambda d: d["targets"][0]["seen"].update({"smell": {}})))
    assert "smell" in said
    assert "missing" not in said


def test_a_version_that_is_not_there_is_not_taken_as_refused() -> None:
    """Of a file without a word on TLS 1.0 nothing may say that it is off."""
    data = broken(lambda d: d["targets"][0]["seen"]["tls"].update(versions={"TLS 1.3": "accepted"}))
    try:
        report = judging.judge(decode(data, "scan.json"))
    except ScanFileError:
        return
    verdicts = {f.rule: f.verdict for f in report.own() if f.target == make.endpoint().id}
    assert verdicts["tls.versions"] != "pass"
    assert verdicts["tls.deprecated-versions"] != "pass"


def test_a_time_without_a_zone_is_refused() -> None:
    line(broken(lambda d: d["targets"][0]["seen"]["certificate"].update(at="2026-11-20T00:00:00")))


def test_numbers_that_are_none_are_refused() -> None:
    line(broken(lambda d: d["targets"][0]["seen"]["certificate"].update(clock_skew=float("nan"))))


def _places(value: object, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    steps: Any = ()
    if isinstance(value, dict):
        steps = value.items()
    elif isinstance(value, list):
        steps = enumerate(value[:3])
    return [path, *(p for key, inner in steps for p in _places(inner, (*path, key)))]


SMALL = encode(judging.judge(scan(good_look(tls=make.blank_tls()), checklists=())))
PLACES = [
    path
    for path in _places(json.loads(SMALL))
    if path and path[0] in (*REQUIRED, "targets") and "refused" not in path
]
JUNK: Any = st.sampled_from(
    [None, True, 0, -1, 1e308, 10**400, "", "x", "\ud800", [], ["x"], {}, {"x": "y"}, "TLS 1.2"]
)


@settings(max_examples=300)
@given(st.sampled_from(PLACES), JUNK)
def test_any_value_anywhere_is_read_or_refused_in_one_line(path: Any, junk: Any) -> None:
    document = json.loads(SMALL)
    inner = document
    for step in path[:-1]:
        inner = inner[step]
    inner[path[-1]] = junk
    try:
        read = decode(json.dumps(document).encode(), "scan.json")
    except ScanFileError as error:
        assert "\n" not in str(error)
        return
    assert isinstance(read, Scan)
    read = replace(read, profile=make.DEFAULT_PROFILE, checklists=())
    assert decode(encode(judging.judge(read)), "scan.json") == read
