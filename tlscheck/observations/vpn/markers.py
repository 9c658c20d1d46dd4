"""The data file of marks as values: probes, products and what each of their marks proves."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from tlscheck.model import Confidence


class Impact(StrEnum):
    """What a probe does to who is asked. What does more than this is not sent at all."""

    PASSIVE = "passive"
    """What a browser or a TLS client does anyway."""
    LIGHT = "light"
    """A product's own first question: a line in a log, and nothing changed."""


class Proof(StrEnum):
    """What a mark proves."""

    FUNCTION = "sslvpn"
    """The SSL-VPN itself answers."""
    PRODUCT = "product"
    """A product that can do it is there; its SSL-VPN may be off."""
    IPSEC = "ipsec"
    """A product is there whose remote access is IPsec, as far as is known."""
    CLIENT_CERTIFICATE = "client_certificate"
    """The VPN says that it wants a client certificate."""


CERTIFICATE, CONTROL, ROOT = "certificate", "control", "root"
"""The probes that every port gets."""


@dataclass(frozen=True, slots=True)
class Probe:
    """One question by HTTP; ``certificate`` is none, and costs nothing."""

    id: str
    impact: Impact
    path: str = ""
    """With ``{random}`` where something random goes."""
    method: str = "GET"
    fields: tuple[tuple[str, str], ...] = ()
    body: str = ""
    """With ``{host}`` where the host's name goes."""
    head_only: bool = False
    """The answer is read by hand and no further than its head."""


@dataclass(frozen=True, slots=True)
class Marker:
    """What of an answer gives a product away."""

    id: str
    probe: str
    where: str
    """``status``, ``header:<name>``, ``realm``, ``cookie``, ``body``, ``title``, ``location``,
    ``certificate_subject``, ``certificate_issuer``, ``icon_md5`` or ``icon_murmur3``."""
    pattern: re.Pattern[str]
    proves: Proof
    confidence: Confidence
    sources: tuple[str, ...]
    status: tuple[int, ...] = ()
    """The statuses that the answer may have; empty: any."""
    everywhere: bool = False
    """It says as much where it comes on every path."""


@dataclass(frozen=True, slots=True)
class Product:
    """A product, and its marks."""

    id: str
    name: str
    markers: tuple[Marker, ...]


@dataclass(frozen=True, slots=True)
class Markers:
    """The data file."""

    date: str
    """The newest date at which a source was read."""
    tcp: tuple[int, ...]
    udp: tuple[int, ...]
    """The usual ports; none of marks that have nothing to do with ports."""
    probes: Mapping[str, Probe]
    """In the order in which they are sent."""
    products: tuple[Product, ...]

    def of(self, probe: str) -> tuple[tuple[Product, Marker], ...]:
        """The marks that the answer to *probe* may have."""
        return tuple((p, m) for p in self.products for m in p.markers if m.probe == probe)


def parse(text: str) -> Markers:
    """The data file in *text*. KeyError, TypeError, ValueError: it is none."""
    file = tomllib.loads(text)
    ports = file.get("ports", {})
    return Markers(
        date=max(str(source["date"]) for source in file["source"].values()),
        tcp=tuple(ports.get("tcp", ())),
        udp=tuple(ports.get("udp", ())),
        probes={id: _probe(id, table) for id, table in file["probe"].items()},
        products=tuple(_product(table) for table in file["product"]),
    )


def _probe(id: str, table: Mapping[str, Any]) -> Probe:
    told = {k: v for k, v in table.items() if k not in ("impact", "fields", "reads", "note")}
    return Probe(
        id=id,
        impact=Impact(table["impact"]),
        fields=tuple(table.get("fields", {}).items()),
        head_only=table.get("reads") == "head",
        **told,
    )


def _product(table: Mapping[str, Any]) -> Product:
    return Product(table["id"], table["name"], tuple(map(_marker, table["marker"])))


def _marker(table: Mapping[str, Any]) -> Marker:
    told = {k: v for k, v in table.items() if k != "note"}
    return Marker(
        **told
        | {
            "pattern": re.compile(table["pattern"]),
            "proves": Proof(table.get("proves", Proof.PRODUCT)),
            "confidence": Confidence(table["confidence"]),
            "sources": tuple(table["sources"]),
            "status": tuple(table.get("status", ())),
        }
    )
