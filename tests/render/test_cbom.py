"""The bill of cryptographic materials fits CycloneDX's own schema and lists just what was seen."""

from __future__ import annotations

import json
from dataclasses import replace
from importlib import resources
from typing import Any

import jsonschema  # type: ignore[import-untyped]
import pytest
from referencing import Registry, Resource

from tests.render.make_report import CAMELLIA, EVIL, GCM, GONE, GOOD, SCRIPT, report
from tlscheck.model import Look
from tlscheck.render import FORMATS, materials
from tlscheck.wire.registry import GROUPS, SCHEMES, SUITES

REPORT = report()


def official(name: str) -> Any:
    return json.loads((resources.files("cyclonedx.schema") / "_res" / name).read_text("utf-8"))


@pytest.fixture(scope="module")
def schema() -> Any:
    others = ("spdx.SNAPSHOT.schema.json", "jsf-0.82.SNAPSHOT.schema.json")
    found = [official(name) for name in others]
    registry: Registry[Any] = Registry().with_resources(
        (each["$id"], Resource.from_contents(each)) for each in found
    )
    return jsonschema.Draft7Validator(
        official("bom-1.6.SNAPSHOT.schema.json"),
        registry=registry,
        format_checker=jsonschema.FormatChecker(),
    )


def bill(looks: tuple[Look, ...] = REPORT.scan.looks) -> dict[str, Any]:
    made = replace(REPORT, scan=replace(REPORT.scan, looks=looks))
    found: dict[str, Any] = json.loads(FORMATS["cbom"](made, "ja"))
    return found


def parts(document: dict[str, Any]) -> dict[str, Any]:
    return {part["bom-ref"]: part for kind in ("components", "services") for part in document[kind]}


def references(part: Any) -> set[str]:
    """Everything that is referred to, wherever it stands."""
    found: set[str] = set()
    if isinstance(part, dict):
        for key, value in part.items():
            if key in ("algorithms", "cryptoRefArray", "dependsOn", "dependencies"):
                found.update(v if isinstance(v, str) else v["ref"] for v in value)
            if key.endswith("Ref") or key == "ref":
                found.add(value)
            found |= references(value)
    elif isinstance(part, list):
        found = set().union(*map(references, part))
    return found


def test_it_fits_the_official_schema(schema: Any) -> None:
    assert [error.message for error in schema.iter_errors(bill())] == []
    assert [error.message for error in schema.iter_errors(bill(()))] == []


def test_what_is_referred_to_is_there_once() -> None:
    document = bill()
    named = [p["bom-ref"] for kind in ("components", "services") for p in document[kind]]
    assert len(named) == len(set(named))
    assert references(document) <= set(named)


def test_it_lists_what_was_accepted() -> None:
    found = parts(bill())
    protocols = {
        p["name"]: p["cryptoProperties"]["protocolProperties"]
        for p in found.values()
        if p.get("cryptoProperties", {}).get("assetType") == "protocol"
    }
    assert set(protocols) == {"TLS 1.0", "TLS 1.2", "TLS 1.3"}
    suites = {s["name"]: s["identifiers"] for s in protocols["TLS 1.2"]["cipherSuites"]}
    assert suites[GCM] == ["0xC0", "0x30"]  # sorted it would be another suite's
    assert suites[CAMELLIA] == ["0xC0", "0x8B"]
    assert protocols["TLS 1.3"]["cryptoRefArray"] == [
        "algorithm:X25519MLKEM768",
        "algorithm:x25519",
        "algorithm:secp192r1",
        "algorithm:rsa_pss_rsae_sha256",
    ]
    hybrid = found["algorithm:X25519MLKEM768"]["cryptoProperties"]["algorithmProperties"]
    assert hybrid == {
        "primitive": "combiner",
        "classicalSecurityLevel": 192,
        "nistQuantumSecurityLevel": 3,
    }
    assert found["algorithm:RC4-128"]["cryptoProperties"]["algorithmProperties"]["primitive"] == (
        "stream-cipher"
    )


def test_it_lists_certificates_and_keys() -> None:
    found = parts(bill())
    leaf = next(p for p in found.values() if p["name"] == "www.example.jp")
    known = leaf["cryptoProperties"]["certificateProperties"]
    assert known["subjectName"] == "CN=www.example.jp"
    assert known["notValidAfter"] == "2026-12-10T18:05:33Z"
    assert any(p["name"] == SCRIPT for p in found.values())


def test_what_was_not_settled_is_said() -> None:
    document = bill()
    services = {service["bom-ref"]: service for service in document["services"]}
    left = {
        ref.removeprefix("service:"): {p["value"] for p in service["properties"]}
        for ref, service in services.items()
    }
    assert left[GOOD.id] == {"SSL 2.0", "TLS 1.2 TLS_RSA_WITH_SEED_CBC_SHA", "tls.deep: child"}
    assert "tls: not_tls" in left[EVIL.id]
    assert left[GONE.id] == {"tls: unresolved", "certificate: not_asked"}
    told = {ref: c["aggregate"] for c in document["compositions"] for ref in c["dependencies"]}
    assert told == dict.fromkeys(services, "incomplete")


def test_nothing_is_ever_called_complete() -> None:
    [look, *_] = REPORT.scan.looks
    tls = replace(look.seen["tls"], unknown={}, versions={})  # type: ignore[call-arg]
    whole = replace(look, seen={**look.seen, "tls": tls}, missed=())
    [composition] = bill((whole,))["compositions"]
    assert composition["aggregate"] == "unknown"


def test_every_name_of_the_registries_can_be_said(schema: Any) -> None:
    told = [
        *(how for suite in SUITES for _, how in materials.of_suite(suite)),
        *(materials.group(group.name) for group in GROUPS),
        *(materials.signature(scheme.name) for scheme in SCHEMES),
        materials.group("one that nobody knows"),
        materials.signature("one that nobody knows"),
    ]
    kind = schema.schema["definitions"]["cryptoProperties"]["properties"]["algorithmProperties"]
    strict = jsonschema.Draft7Validator(kind)
    assert [how for how in told if not strict.is_valid(how)] == []
    assert all(
        materials.group(g.name)["nistQuantumSecurityLevel"] == 0
        for g in GROUPS
        if g.kind in ("ec", "ff")
    )
