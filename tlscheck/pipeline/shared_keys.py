"""Which targets show the same key."""

from __future__ import annotations

from dataclasses import replace

from tlscheck.model import Look, Reason
from tlscheck.observations.certificate import CertificateObservation


def with_shared_keys(looks: list[Look]) -> list[Look]:
    """Say which other targets show the same key without being named in the certificate."""
    hosts: dict[str, set[str]] = {}
    for entry in looks:
        for key in _leaf_keys(entry):
            hosts.setdefault(key, set()).add(_host(entry))
    unseen = {_host(entry) for entry in looks if _was_not_seen(entry)}
    compared = len({_host(entry) for entry in looks if _leaf_keys(entry)}) > 1
    marked = []
    for entry in looks:
        seen = entry.seen.get("certificate")
        if isinstance(seen, CertificateObservation):
            others = {h for key in _leaf_keys(entry) for h in hosts[key]} - {_host(entry)}
            named = [n for c in seen.chains if c.certificates for n in c.leaf.names]
            shared = sorted(host for host in others if not any(_covers(n, host) for n in named))
            seen = replace(
                seen,
                key_shared_with=tuple(shared) if compared else None,
                key_unseen_at=tuple(sorted(unseen - {_host(entry)})),
            )
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


def _was_not_seen(entry: Look) -> bool:
    """Whether there may be a certificate all the same."""
    return any(
        missed.kind == "certificate"
        and missed.reason not in (Reason.NOT_APPLICABLE, Reason.NOT_ASKED)
        for missed in entry.missed
    )


def _host(entry: Look) -> str:
    """The host's name; of a name that leads nowhere it stands in the id alone."""
    if entry.target.target:
        return entry.target.target.host
    return entry.target.id.partition("://")[2].rpartition(":")[0]
