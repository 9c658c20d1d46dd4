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
    """A domain's SPF record (RFC 7208), with all that it takes in."""

    records: tuple[str, ...] = ()
    """All texts that begin with ``v=spf1``; more than one is an error."""
    rest: str = ""
    """What becomes of all other senders, also where a record that ``redirect`` names says it:
    ``-all``, ``~all``, ``?all``, ``+all``; else empty.
    """
    lookups: int = 0
    """Queries that its mechanisms cost, those of what it takes in with them."""
    hosts: tuple[str, ...] = ()
    """The names it trusts: of ``include``, ``redirect``, ``a``, ``mx`` and ``exists``. What a macro
    makes is ``*``.
    """
    error: str = ""
    """The first term that is none."""
    everybody: tuple[str, ...] = ()
    """The names by whose records anybody may send."""
    broken: tuple[str, ...] = ()
    """The names taken in that do not have one sound record."""
    unseen: tuple[str, ...] = ()
    """The names taken in whose records were not seen."""


@dataclass(frozen=True, slots=True)
class Dmarc:
    """A domain's DMARC record (RFC 9989)."""

    found_at: str = ""
    """The name that has it, on the walk up the tree (section 4.10)."""
    records: tuple[str, ...] = ()
    policy: str = ""
    """``p``, or ``sp`` where the record is a parent's: ``none``, ``quarantine``, ``reject``; empty
    where the record has a tag twice, which nobody needs to read.
    """
    testing: bool = False
    """``t=y``, or ``pct=0`` of the older RFC 7489."""
    reports: tuple[str, ...] = ()
    """The domains of ``rua`` and ``ruf``."""
    below: str = ""
    """The policy for names below it (``sp``, ``np``) where that is a weaker one."""


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
    addresses: tuple[str, ...] = ()
    tlsa: tuple[str, ...] = ()
    """Its usable TLSA records, as ``3 1 1 9f86…``."""
    fits: State = State.UNKNOWN
    """Whether one of them fits a certificate that it shows by STARTTLS."""


@dataclass(frozen=True, slots=True)
class Mail:
    """What a domain says of its mail. ``None``: not known."""

    takes: State = State.UNKNOWN
    """``refused``: a null MX (RFC 7505), or neither an MX record nor an address."""
    implicit: bool = False
    """It has an address and no MX record: senders try that address (RFC 5321, section 5.1)."""
    hosts: tuple[MailHost, ...] = ()
    addresses: tuple[str, ...] = ()
    """Those of the domain's own name."""
    spf: Spf | None = None
    dmarc: Dmarc | None = None
    mta_sts: TransportPolicy | None = None
    tls_reports: str | None = None
    """The record of TLS-RPT (RFC 8460); empty where there is none."""


_TERM = re.compile(
    r"(?P<qualifier>[+?~-]?)(?P<name>all|a|mx|ptr|ip4|ip6|include(?=:.)|exists(?=:.))(?:[:/].*)?"
    r"|(?P<modifier>[a-z][a-z0-9_.-]*)=(?P<value>.*)",
    re.IGNORECASE,
)
_NAMING = frozenset({"include", "a", "mx", "ptr", "exists", "redirect"})
"""Terms that may name a host, and cost a query."""
_HOST = re.compile(r"(?=.{1,253}$)(?:[!-\-/-\[\]-~]{1,63}\.)*[!-\-/-\[\]-~]{1,63}", re.ASCII)
"""Labels of printable characters."""
_WIDE = 8
"""A network of fewer bits than that is nobody's own."""
_ENOUGH = 10 * MOST_LOOKUPS
"""Queries after which no more are counted."""


@dataclass(frozen=True, slots=True)
class SpfTerms:
    """One SPF record by itself."""

    records: tuple[str, ...] = ()
    rest: str = ""
    lookups: int = 0
    hosts: tuple[str, ...] = ()
    error: str = ""
    includes: tuple[tuple[str, bool], ...] = ()
    """The names it includes, each with whether who matches there may send."""
    redirect: str = ""
    """Where it goes on; empty where it has an ``all``."""
    everybody: bool = False
    """Whether a term of its own lets anybody send."""

    @property
    def taken_in(self) -> tuple[str, ...]:
        """The names whose own records it takes in, those that no macro makes."""
        names = (*(name for name, _ in self.includes), self.redirect)
        return tuple(name for name in names if name and "*" not in name)


def spf_terms(texts: Iterable[str]) -> SpfTerms:
    """The SPF record among a name's TXT records."""
    records = tuple(t for t in texts if re.match(r"v=spf1(\s|$)", t, re.IGNORECASE))
    if not records:
        return SpfTerms()
    rest, lookups, error, redirect, wide = "", 0, "", "", False
    hosts: list[str] = []
    includes: list[tuple[str, bool]] = []
    for term in records[0].split()[1:]:
        read = _term(term)
        if read is None:
            error = error or term[:80]
            continue
        name, qualifier, target, host = read
        match name:
            case "all":
                rest = rest or qualifier + "all"
            case "ip4" | "ip6":
                wide = wide or (qualifier == "+" and _is_wide(target))
            case "include":
                includes.append((host, qualifier == "+"))
            case "redirect":
                redirect = host
        if name in _NAMING:
            lookups += 1
            hosts.append(host)
    return SpfTerms(
        records,
        rest,
        lookups,
        tuple(dict.fromkeys(host for host in hosts if host not in ("", "*"))),
        error,
        tuple(includes),
        "" if rest else redirect,
        wide or rest == "+all",
    )


def _term(term: str) -> tuple[str, str, str, str] | None:
    """The name of a term, its qualifier, what it is about, and the host in that; ``None``: it is
    no term.
    """
    found = _TERM.fullmatch(term)
    if found is None:
        return None
    name = (found["name"] or found["modifier"]).lower()
    target = term.partition("=" if found["modifier"] else ":")[2]
    host = _without_macros(target.partition("/")[0].rstrip(".").lower())
    if host and name in _NAMING and not _HOST.fullmatch(host):
        return None
    return name, found["qualifier"] or "+", target, host


def _is_wide(network: str) -> bool:
    bits = network.partition("/")[2]
    return bits.isdigit() and int(bits) < _WIDE


def _without_macros(host: str) -> str:
    """A name with a star for all up to the label of the last macro (RFC 7208, section 7)."""
    _, macro, behind = host.rpartition("%")
    if not macro:
        return host
    rest = behind.rpartition("}")[2].partition(".")[2]
    return f"*.{rest}" if rest else "*"


def spf(domain: str, known: Mapping[str, SpfTerms]) -> Spf:
    """The SPF record of *domain* with all that it takes in, from the *known* records of names.

    What is taken in twice costs twice, and what takes itself in never ends (RFC 7208, section
    4.6.4).
    """
    own = known[domain]
    lookups = 0
    hosts: list[str] = []
    everybody, broken, unseen = list[str](), list[str](), list[str]()
    todo = [(domain, True)]
    while todo and lookups <= _ENOUGH:
        name, lets = todo.pop()
        terms = known.get(name)
        if terms is None:
            unseen.append(name)
            continue
        if name != domain and (len(terms.records) != 1 or terms.error):
            broken.append(name)
        if lets and terms.everybody:
            everybody.append(name)
        lookups += terms.lookups
        hosts.extend(terms.hosts)
        todo.extend((inner, lets and own_lets) for inner, own_lets in terms.includes)
        if terms.redirect:
            todo.append((terms.redirect, lets))
    return Spf(
        own.records,
        _rest(domain, known),
        lookups,
        tuple(dict.fromkeys(hosts)),
        own.error,
        tuple(dict.fromkeys(everybody)),
        tuple(dict.fromkeys(broken)),
        tuple(dict.fromkeys(unseen)),
    )


def _rest(domain: str, known: Mapping[str, SpfTerms]) -> str:
    at: str = domain
    for _ in known:
        terms = known.get(at)
        if terms is None or not terms.redirect:
            return terms.rest if terms else ""
        at = terms.redirect
    return ""


def tags(text: str) -> Mapping[str, str]:
    """The ``tag=value`` pairs of a DMARC, MTA-STS or TLS-RPT record, names in lower case."""
    pairs = (part.partition("=") for part in text.split(";"))
    return {name.strip().lower(): value.strip() for name, is_pair, value in pairs if is_pair}


_STRICT = ("quarantine", "reject")


def _has_twice(text: str) -> bool:
    names = [part.partition("=")[0].strip().lower() for part in text.split(";") if "=" in part]
    return len(set(names)) < len(names)


def dmarc(name: str, texts: Iterable[str], *, of_parent: bool) -> Dmarc | None:
    """The DMARC record among the TXT records of ``_dmarc.`` *name*; ``None`` where none is."""
    records = tuple(t for t in texts if re.match(r"v\s*=\s*DMARC1\s*(;|$)", t))
    if not records:
        return None
    found = tags(records[0])
    policy = found.get("p", "none").lower()
    below = [found.get(tag, policy).lower() for tag in ("sp", "np")]
    if _has_twice(records[0]):
        policy, found, below = "", {}, []
    uris = ",".join(filter(None, (found.get("rua"), found.get("ruf"))))
    hosts = re.findall(r"mailto:[^@,]*@([^,!;\s]+)", uris, re.IGNORECASE)
    return Dmarc(
        found_at=name,
        records=records,
        policy=found.get("sp", policy).lower() if of_parent and policy else policy,
        testing=found.get("t", "n").lower() == "y" or found.get("pct") == "0",
        reports=tuple(dict.fromkeys(host.rstrip(".").lower() for host in hosts)),
        below=next((p for p in below if p not in _STRICT), "") if policy in _STRICT else "",
    )


_LONGEST = 31_557_600
"""Seconds that a policy may hold (RFC 8461, section 3.2)."""


def transport_policy(record: str, body: bytes) -> TransportPolicy:
    """The policy file of MTA-STS (RFC 8461, section 3.2)."""
    text = body.decode("utf-8", "replace")
    lines = [line.partition(":") for line in text.splitlines()]
    pairs = [(key.strip().lower(), value.strip()) for key, colon, value in lines if colon]
    values = dict(reversed(pairs))
    age = values.get("max_age", "")
    sound = age.isascii() and age.isdigit() and len(age) < 10 and 0 < int(age) <= _LONGEST
    if values.get("version") != "STSv1" or not sound:
        return TransportPolicy(record, State.REFUSED, trouble="malformed")
    return TransportPolicy(
        record,
        State.ACCEPTED,
        values.get("mode", "").lower()[:20],
        tuple(value.lower()[:253] for key, value in pairs if key == "mx")[:32],
        int(age),
    )


def covered(host: str, patterns: Iterable[str]) -> bool:
    """Whether an ``mx`` pattern of MTA-STS covers *host* (RFC 8461, section 4.1)."""
    return any(
        host == pattern
        or (pattern.startswith("*.") and host.partition(".")[2] == pattern.removeprefix("*."))
        for pattern in patterns
    )
