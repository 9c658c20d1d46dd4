"""Which targets show the same key."""

from __future__ import annotations

from dataclasses import replace

from tlscheck.model import Look
from tlscheck.observations.certificate import CertificateObservation


def with_shared_keys(looks: list[Look]) -> list[Look]:
    """Say which other targets show the same key without being named in the certificate."""
    hosts: dict[str, set[str]] = {}
    for entry in looks:
        for key in _leaf_keys(entry):
            hosts.setdefault(key, set()).add(_host(entry))
    if len({_host(entry) for entry in looks if _leaf_keys(entry)}) < 2:
        return looks
    marked = []
    for entry in looks:
        seen = entry.seen.get("certificate")
        if isinstance(seen, CertificateObservation):
            others = {h for key in _leaf_keys(entry) for h in hosts[key]} - {_host(entry)}
            named = [n for c in seen.chains if c.certificates for n in c.leaf.names]
            shared = sorted(host for host in others if not any(_covers(n, host) for n in named))
            seen = replace(seen, key_shared_with=tuple(shared))
            entry = replace(entry, seen={**entry.seen, "certificate": seen})
        marked.append(entry)
    return marked


def _covers(name: str, host: str) -> bool:
    """Whether a certificate's *name*, a wildcard perhaps, is *host*'s."""
    name, host = name.lower(), host.lower()
    return name == host or (name.startswith("*.") and host.partition(".")[2] == name[2:])


def _leaf_keys(entry: Look) -> set[str]:
    seen = entry.seen.get("certificate")
    if not isinstance(seen, CertificateObservation):
        return set()
    return {chain.leaf.spki_sha256 for chain in seen.chains if chain.certificates}


def _host(entry: Look) -> str:
    return entry.target.target.host if entry.target.target else ""
