"""How a domain guards the mail that names it as its sender: records read, nothing judged."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from tlscheck.model import State

MOST_LOOKUPS = 10
"""Of an SPF record (RFC 7208, section 4.6.4)."""


@dataclass(frozen=True, slots=True)
class Spf:
    """A domain's SPF record (RFC 7208)."""

    records: tuple[str, ...] = ()
    """All texts that begin with ``v=spf1``; more than one is an error."""
    rest: str = ""
    """What becomes of all other senders: ``-all``, ``~all``, ``?all``, ``+all``; else empty."""
    lookups: int = 0
    """Queries that its mechanisms cost, those of what it includes with them."""
    hosts: tuple[str, ...] = ()
    """The names it trusts: of ``include``, ``redirect``, ``a``, ``mx`` and ``exists``."""
    error: str = ""
    """The first term that is none."""


@dataclass(frozen=True, slots=True)
class Dmarc:
    """A domain's DMARC record (RFC 9989)."""

    found_at: str = ""
    """The name that has it, on the walk up the tree (section 4.10)."""
    records: tuple[str, ...] = ()
    policy: str = ""
    """``p``, or ``sp`` where the record is a parent's: ``none``, ``quarantine``, ``reject``."""
    testing: bool = False
    """``t=y``."""
    reports: tuple[str, ...] = ()
    """The domains of ``rua`` and ``ruf``."""


@dataclass(frozen=True, slots=True)
class TransportPolicy:
    """MTA-STS (RFC 8461)."""

    record: str = ""
    """The TXT record; empty where there is none."""
    fetched: State = State.UNKNOWN
    """Whether the policy could be had over https."""
    mode: str = ""
    hosts: tuple[str, ...] = ()
    """The ``mx`` patterns."""
    max_age: int | None = None
    trouble: str = ""


@dataclass(frozen=True, slots=True)
class MailHost:
    """One host that takes mail for the domain."""

    name: str
    preference: int
    exists: State = State.UNKNOWN
    dane: State = State.UNKNOWN
    """Whether it has TLSA records that DNSSEC vouches for (RFC 7672)."""
    alias: bool = False


@dataclass(frozen=True, slots=True)
class Mail:
    """What a domain says of its mail. ``None``: not known."""

    takes: State = State.UNKNOWN
    """``refused``: no MX record and none needed, or a null MX (RFC 7505)."""
    hosts: tuple[MailHost, ...] = ()
    spf: Spf | None = None
    dmarc: Dmarc | None = None
    mta_sts: TransportPolicy | None = None
    tls_reports: str | None = None
    """The record of TLS-RPT (RFC 8460); empty where there is none."""


_TERM = re.compile(
    r"(?P<qualifier>[+?~-]?)(?P<name>all|include|a|mx|ptr|ip4|ip6|exists)(?:[:/].*)?"
    r"|(?P<modifier>[a-z][a-z0-9_.-]*)=(?P<value>.*)",
    re.IGNORECASE,
)
_COSTING = frozenset({"include", "a", "mx", "ptr", "exists"})


def spf(texts: Iterable[str]) -> Spf:
    """The SPF record among a name's TXT records, what it includes not yet counted."""
    records = tuple(t for t in texts if re.match(r"v=spf1(\s|$)", t, re.IGNORECASE))
    if not records:
        return Spf()
    rest, lookups, hosts, error = "", 0, [], ""
    for term in records[0].split()[1:]:
        found = _TERM.fullmatch(term)
        if found is None:
            error = error or term[:80]
            continue
        name = (found["name"] or found["modifier"]).lower()
        target = term.partition("=" if found["modifier"] else ":")[2].partition("/")[0]
        if name == "all":
            rest = (found["qualifier"] or "+") + "all"
        if name in _COSTING or name == "redirect":
            lookups += 1
            if target and "%" not in target:
                hosts.append(target.rstrip(".").lower())
    return Spf(records, rest, lookups, tuple(dict.fromkeys(hosts)), error)


def followed(text: str) -> tuple[str, ...]:
    """The names whose own SPF records a record takes in: ``include`` and ``redirect``."""
    names = []
    for term in text.split()[1:]:
        for prefix in ("include:", "redirect="):
            plain = term.lstrip("+?~-").lower()
            if plain.startswith(prefix) and "%" not in plain:
                names.append(plain.removeprefix(prefix).rstrip("."))
    return tuple(dict.fromkeys(names))


def tags(text: str) -> Mapping[str, str]:
    """The ``tag=value`` pairs of a DMARC, MTA-STS or TLS-RPT record, names in lower case."""
    pairs = (part.partition("=") for part in text.split(";"))
    return {name.strip().lower(): value.strip() for name, is_pair, value in pairs if is_pair}


def dmarc(name: str, texts: Iterable[str], *, of_parent: bool) -> Dmarc | None:
    """The DMARC record among the TXT records of ``_dmarc.`` *name*; ``None`` where none is."""
    records = tuple(t for t in texts if re.match(r"v\s*=\s*DMARC1\s*(;|$)", t))
    if not records:
        return None
    found = tags(records[0])
    policy = found.get("p", "none").lower()
    uris = ",".join(filter(None, (found.get("rua"), found.get("ruf"))))
    hosts = re.findall(r"mailto:[^@,]*@([^,!;\s]+)", uris, re.IGNORECASE)
    return Dmarc(
        found_at=name,
        records=records,
        policy=found.get("sp", policy).lower() if of_parent else policy,
        testing=found.get("t", "n").lower() == "y",
        reports=tuple(dict.fromkeys(host.rstrip(".").lower() for host in hosts)),
    )


def transport_policy(record: str, body: bytes) -> TransportPolicy:
    """The policy file of MTA-STS (RFC 8461, section 3.2)."""
    text = body.decode("utf-8", "replace")
    lines = [line.partition(":") for line in text.splitlines()]
    pairs = [(key.strip().lower(), value.strip()) for key, colon, value in lines if colon]
    values = dict(reversed(pairs))
    age = values.get("max_age", "")
    if values.get("version") != "STSv1":
        return TransportPolicy(record, State.REFUSED, trouble="malformed")
    return TransportPolicy(
        record,
        State.ACCEPTED,
        values.get("mode", "").lower()[:20],
        tuple(value.lower()[:253] for key, value in pairs if key == "mx")[:32],
        int(age) if age.isdigit() and len(age) < 12 else None,
    )


def covered(host: str, patterns: Iterable[str]) -> bool:
    """Whether an ``mx`` pattern of MTA-STS covers *host* (RFC 8461, section 4.1)."""
    return any(
        host == pattern
        or (pattern.startswith("*.") and host.partition(".")[2] == pattern.removeprefix("*."))
        for pattern in patterns
    )
