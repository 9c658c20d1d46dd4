"""A CycloneDX 1.6 bill of cryptographic materials: the TLS, algorithms and certificates seen.

https://cyclonedx.org/docs/1.6/json/. It lists what was accepted and judges nothing. What a look
from outside finds is never called complete: an endpoint of which something is not settled is
``incomplete``, any other ``unknown``, and what is not settled stands in its properties.
"""

from __future__ import annotations

import hashlib
import json
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from tlscheck.model import Look, Scope, State, Target
from tlscheck.observations.certificate import Certificate, CertificateObservation
from tlscheck.observations.tls import TlsObservation
from tlscheck.render import materials
from tlscheck.render.naming import label
from tlscheck.report import Report, encode
from tlscheck.text import visible
from tlscheck.wire.registry import SUITE_BY_NAME, Version

_Component = dict[str, Any]
_KEYS = dict.fromkeys(("RSA", "ECDSA", "DSA", "Ed25519", "Ed448"), materials.FORGEABLE)


def render(report: Report, lang: str) -> bytes:
    """The bill, the same in every language."""
    del lang
    made = _Bill()
    for look in report.scan.looks:
        if look.target.scope is Scope.ENDPOINT or any(m.kind == "tls" for m in look.missed):
            made.endpoint(look)
    digest = hashlib.sha256(encode(report)).digest()
    document = {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": f"urn:uuid:{uuid.UUID(bytes=digest[:16], version=5)}",
        "version": 1,
        "metadata": {
            "timestamp": _moment(report.scan.at),
            "lifecycles": [{"phase": "discovery"}],
            "tools": {
                "components": [
                    {
                        "type": "application",
                        "name": "tlscheck",
                        "version": visible(report.scan.version),
                    }
                ]
            },
        },
        "components": list(made.components.values()),
        "services": made.services,
        "dependencies": [
            {"ref": ref, "dependsOn": list(on)} for ref, on in made.dependencies.items()
        ],
        "compositions": made.compositions,
    }
    return (json.dumps(document, ensure_ascii=False, indent=1) + "\n").encode()


class _Bill:
    """The parts of the document, while endpoint after endpoint is written down."""

    def __init__(self) -> None:
        self.components: dict[str, _Component] = {}
        self.services: list[dict[str, Any]] = []
        self.dependencies: dict[str, dict[str, None]] = {}
        self.compositions: list[dict[str, Any]] = []

    def endpoint(self, look: Look) -> None:
        """A service, with its protocols and certificates."""
        ref = f"service:{visible(look.target.id)}"
        on = self.dependencies.setdefault(ref, {})
        match look.seen.get("tls"):
            case TlsObservation() as tls:
                on |= dict.fromkeys(self._protocols(tls, look))
        match look.seen.get("certificate"):
            case CertificateObservation(chains=chains):
                on |= dict.fromkeys(self._certificate(c) for s in chains for c in s.certificates)
        left = list(_left(look))
        self.services.append(
            {
                "bom-ref": ref,
                "name": _called(look.target),
                "endpoints": list(_endpoints(look)),
                "properties": [{"name": name, "value": value} for name, value in left],
            }
        )
        aggregate = "incomplete" if left else "unknown"
        self.compositions.append({"aggregate": aggregate, "dependencies": [ref]})

    def _protocols(self, seen: TlsObservation, look: Look) -> Iterator[str]:
        for version in Version:
            if seen.versions.get(version) is not State.ACCEPTED:
                continue
            groups, schemes = seen.groups.get(version, ()), seen.schemes.get(version, ())
            named = [
                *(self._algorithm(visible(n), materials.group(n)) for n in groups),
                *(self._algorithm(visible(n), materials.signature(n)) for n in schemes),
            ]
            family, _space, number = version.partition(" ")
            ref = f"protocol:{version}@{visible(look.target.id)}"
            self.components[ref] = _asset(
                ref,
                version,
                "protocol",
                {
                    "type": "tls" if family == "TLS" else "other",
                    "version": number,
                    "cipherSuites": [self._suite(n) for n in seen.suites.get(version, ())],
                    "cryptoRefArray": named,
                },
            )
            self.dependencies[ref] = dict.fromkeys(named)
            yield ref

    def _suite(self, name: str) -> dict[str, Any]:
        suite = SUITE_BY_NAME.get(name)
        if suite is None:
            return {"name": visible(name)}
        return {
            "name": suite.name,
            "algorithms": [self._algorithm(n, how) for n, how in materials.of_suite(suite)],
            # In this order: sorted, they would name another suite.
            "identifiers": [f"0x{byte:02X}" for byte in suite.code.to_bytes(2, "big")],
        }

    def _certificate(self, certificate: Certificate) -> str:
        ref = f"certificate:{certificate.sha256}"
        known: dict[str, Any] = {
            "subjectName": visible(certificate.subject),
            "issuerName": visible(certificate.issuer),
            "certificateFormat": "X.509",
        }
        for name, when in (
            ("notValidBefore", certificate.not_before),
            ("notValidAfter", certificate.not_after),
        ):
            if when:
                known[name] = _moment(when)
        if certificate.signature_hash:
            known["signatureAlgorithmRef"] = self._algorithm(
                f"certificate signature with {visible(certificate.signature_hash)}",
                materials.UNNAMED,
            )
        if certificate.spki_sha256 and certificate.key:
            known["subjectPublicKeyRef"] = self._key(certificate)
        name = certificate.common_name or certificate.subject or certificate.sha256
        self.components[ref] = _asset(ref, visible(name), "certificate", known)
        self.dependencies[ref] = dict.fromkeys(v for k, v in known.items() if k.endswith("Ref"))
        return ref

    def _key(self, certificate: Certificate) -> str:
        ref = f"key:{certificate.spki_sha256}"
        kind = visible(certificate.key)
        algorithm = self._algorithm(kind, _KEYS.get(certificate.key, materials.UNNAMED))
        name = f"{kind} public key, {certificate.key_bits} bits"
        self.components[ref] = _asset(
            ref,
            name,
            "related-crypto-material",
            {
                "type": "public-key",
                "id": certificate.spki_sha256,
                "algorithmRef": algorithm,
                "size": certificate.key_bits,
            },
        )
        self.dependencies[ref] = {algorithm: None}
        return ref

    def _algorithm(self, name: str, how: materials.Properties) -> str:
        ref = f"algorithm:{name}"
        self.components.setdefault(ref, _asset(ref, name, "algorithm", how))
        return ref


def _called(target: Target) -> str:
    named = target.scope is Scope.NAME and target.label
    return label(target) if named else visible(target.label or target.id)


def _asset(ref: str, name: str, kind: str, known: materials.Properties) -> _Component:
    key = "relatedCryptoMaterial" if kind == "related-crypto-material" else kind
    return {
        "type": "cryptographic-asset",
        "bom-ref": ref,
        "name": name,
        "cryptoProperties": {"assetType": kind, f"{key}Properties": dict(known)},
    }


def _left(look: Look) -> Iterator[tuple[str, str]]:
    """What was not seen or not settled of an endpoint, each with its name."""
    for missed in look.missed:
        yield "tlscheck:missed", f"{visible(missed.kind)}: {missed.reason}"
    match look.seen.get("tls"):
        case TlsObservation() as tls:
            for version, state in tls.versions.items():
                if state is State.UNKNOWN:
                    yield "tlscheck:not-settled", version
            for version, names in tls.unknown.items():
                for name in (*names.suites, *names.groups, *names.schemes):
                    yield "tlscheck:not-settled", f"{version} {visible(name)}"
            if tls.cut_short:
                yield "tlscheck:not-settled", "cut short"
    for subject in ("tls", "certificate"):
        if subject not in look.seen and all(m.kind != subject for m in look.missed):
            yield "tlscheck:missed", f"{subject}: not_asked"


def _endpoints(look: Look) -> Iterator[str]:
    if place := look.target.target:
        host = f"[{place.host}]" if ":" in place.host else place.host
        yield f"{visible(place.service)}://{visible(host)}:{place.port}"


def _moment(when: datetime) -> str:
    return f"{when.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"
