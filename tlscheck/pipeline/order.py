"""What is to be looked at, where that is, and how."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tlscheck import datagrams, domains
from tlscheck.errors import TargetError
from tlscheck.model import Place, Scan, Waiver
from tlscheck.net import Net, NetError
from tlscheck.observations.http import HttpObservation
from tlscheck.probes import live
from tlscheck.targets import SERVICES, TargetSpec, is_address, name_id, place

if TYPE_CHECKING:
    from tlscheck import exposure

ENDPOINT_SUBJECTS = ("tls", "certificate", "http")
GATEWAY = "ike"
"""The service that is looked at by address alone."""
DOMAIN_SUBJECTS = ("registration", "dns")
ADDRESS_SUBJECTS = ("ports", "vpn", "ike")
USUAL = (*ENDPOINT_SUBJECTS, *datagrams.SUBJECTS, "addresses", *DOMAIN_SUBJECTS)
"""What is asked where nobody says otherwise."""
SUBJECTS = (*USUAL, *ADDRESS_SUBJECTS)
"""What can be asked today."""

Tell = Callable[[str, str, int], None]
"""Called with a target's id, what is being asked and the connections spent so far."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A target as asked for."""

    spec: TargetSpec
    label: str = ""

    @property
    def id(self) -> str:
        """The id of its name."""
        return name_id(self.spec.service, self.spec.host, self.spec.port)


@dataclass(frozen=True)
class Order:
    """What is to be looked at, and how."""

    targets: tuple[Asked, ...]
    profile: str
    checklists: tuple[str, ...]
    subjects: tuple[str, ...] = USUAL
    family: int = 0
    sni: str | None = None
    resolve: dict[tuple[str, int], str] = field(default_factory=dict)
    identity: live.Identity | None = None
    identity_files: tuple[Path, Path] | None = None
    ca_file: bytes | None = None
    cross_check: bool = False
    revocation: bool = True
    plain_port: int | None = 80
    connect_seconds: float = 5.0
    target_seconds: float = 60.0
    at_once: int = 4
    """How many endpoints are looked at side by side."""
    mail: bool = False
    """Whether to look at the TLS of the domains' mail hosts too."""
    domains: domains.Order = field(default_factory=domains.Order)
    """How domains are looked at."""
    exposure: exposure.Order | None = None
    """How addresses are looked at; ``None``: as usual."""
    management: bool | None = None
    """Whether pages of management are asked for; ``None``: where ports are asked about."""
    unannounced: bool = False
    """Whether QUIC is asked for beside pages that do not announce it, too."""
    waivers: tuple[Waiver, ...] = ()
    places: Mapping[tuple[str, str, int], tuple[Place, ...]] = field(default_factory=dict)
    """Where targets are, by service, host and port; of these no resolver is asked."""
    keep_raw: int = 0
    """How many bytes of exchanges and chains to keep with the looks, for a bundle; those of a look
    that would take more are let go."""
    beside: tuple[Place, ...] = ()
    """Endpoints that are not looked at, on which sessions are tried all the same."""

    @property
    def wants_management(self) -> bool:
        """Whether pages of management are asked for."""
        wanted = "ports" in self.subjects if self.management is None else self.management
        return wanted and "http" in self.subjects


def again(scan: Scan, **manner: Any) -> Order:
    """To look at the same TLS endpoints, at the same addresses, as *scan* did. TargetError."""
    labels: dict[tuple[str, str, int], str] = {}
    places: dict[tuple[str, str, int], tuple[Place, ...]] = {}
    pages = [entry.seen.get("http") for entry in scan.looks]
    for entry in scan.looks:
        where = entry.target.target
        if where and (set(entry.seen) | {m.kind for m in entry.missed}) & set(ENDPOINT_SUBJECTS):
            if not (is_address(where.address) and where.service in SERVICES):
                raise TargetError("{target}: is no endpoint; scan again", target=entry.target.id)
            key = (where.service, where.host, where.port)
            labels.setdefault(key, entry.target.label)
            places[key] = (*places.get(key, ()), where)
    return Order(
        targets=tuple(Asked(_spec(*key), label) for key, label in labels.items()),
        profile=scan.profile,
        checklists=scan.checklists,
        subjects=tuple(s for s in ENDPOINT_SUBJECTS if s in scan.subjects),
        management=any(isinstance(p, HttpObservation) and p.management for p in pages),
        places=places,
        **manner,
    )


def _spec(service: str, host: str, port: int) -> TargetSpec:
    return TargetSpec(host, port, service, literal=is_address(host), shown=host)


async def resolve(net: Net, spec: TargetSpec, order: Order) -> tuple[Place, ...] | NetError:
    """Where *spec* is, or why that is not known."""
    if known := order.places.get((spec.service, spec.host, spec.port)):
        return known
    try:
        addresses = await net.resolve(spec.host, spec.port)
    except NetError as error:
        return error
    return tuple(place(spec, address, order.sni) for address in addresses)
