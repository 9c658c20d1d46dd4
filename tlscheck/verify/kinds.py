"""The kinds of claims: by which rules each is settled, and what it says in words."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType
from typing import Any

from pydantic import TypeAdapter

from tlscheck import profile as profiles
from tlscheck.data import data_dir
from tlscheck.model import Basis, Grade, Severity, Words
from tlscheck.observations.tls import Demand
from tlscheck.profile import Setting
from tlscheck.rules import RULES
from tlscheck.rules.core import Rule
from tlscheck.verify import own
from tlscheck.verify.claims import Claim

_BASE = "ipa-high-3.1.1"
"""Where the knobs of rules stand that no claim turns."""


@dataclass(frozen=True, slots=True)
class Kind:
    """What a kind of claim is, for people."""

    says: Words
    document: Words
    """What to ask for where no look settles it."""
    rules: tuple[str, ...] = ()
    """``profile`` alone: the rules that count."""


def settings(claim: Claim) -> tuple[Setting, ...]:
    """What must hold for *claim* to be true. ProfileError."""
    return _SETTLED_BY[claim.kind](claim.value)


@cache
def told() -> Mapping[str, Kind]:
    """Every kind in words (``profiles/claims/kinds.toml``)."""
    text = (data_dir("profiles") / "claims" / "kinds.toml").read_text("utf-8")
    kinds: dict[str, Kind] = TypeAdapter(dict[str, Kind]).validate_python(tomllib.loads(text))
    return MappingProxyType(kinds)


Make = Callable[[Any], tuple[Setting, ...]]


def _set(rule: Rule[Any], **want: Any) -> Setting:
    """*rule* with that knob."""
    wanted = TypeAdapter(rule.wants).validate_python(want) if rule.wants else None
    return Setting(rule, wanted, Severity.HIGH, Basis("", Grade.OFFICIAL), (), "")


def _rules(*names: str) -> Make:
    """These rules, as the profiles want them."""
    return lambda _: tuple(profiles.load(_BASE).settings[name] for name in names)


def _own(rule: Rule[Any], name: str = "names") -> Make:
    return lambda value: (_set(rule, **{name: value if isinstance(value, tuple) else (value,)}),)


def _versions(value: Any) -> tuple[Setting, ...]:
    return (_set(RULES["tls.versions"], allow=value, require=value),)


def _versions_among(value: Any) -> tuple[Setting, ...]:
    return (_set(RULES["tls.versions"], allow=value),)


def _among(rule: str) -> Make:
    return lambda value: (_set(RULES[rule], allow=value),)


def _exactly(rule: str, dimension: str) -> Make:
    return lambda value: (
        _set(RULES[rule], allow=value),
        _set(own.offered, dimension=dimension, names=value),
    )


def _profile(value: str) -> tuple[Setting, ...]:
    wanted = profiles.load(value).settings
    return tuple(wanted[rule] for rule in told()["profile"].rules if rule in wanted)


def _key_bits(value: int) -> tuple[Setting, ...]:
    return (_set(RULES["certificate.key-size"], rsa=value, ec=value),)


def _hsts(value: Any) -> tuple[Setting, ...]:
    wanted = {"max_age": value.max_age, "include_subdomains": value.include_subdomains}
    return (_set(RULES["http.hsts"], **wanted),)


def _ports(*, exactly: bool) -> Make:
    return lambda value: (_set(own.ports, numbers=value, exactly=exactly),)


def _client_certificate(_: Any) -> tuple[Setting, ...]:
    demand = {Demand.REQUIRED, Demand.REQUIRED_HTTP}
    return (_set(RULES["tls.client-certificate"], demand=demand),)


_SETTLED_BY: Mapping[str, Make] = MappingProxyType(
    {
        "versions": _versions,
        "versions_among": _versions_among,
        "versions_with": _own(own.with_versions),
        "versions_without": _own(own.without_versions),
        "suites": _exactly("tls.suites", "suites"),
        "suites_among": _among("tls.suites"),
        "groups": _exactly("tls.groups", "groups"),
        "groups_among": _among("tls.groups"),
        "profile": _profile,
        "forward_secrecy": _rules("tls.forward-secrecy"),
        "issuer": _own(own.issuer),
        "publicly_issued": _rules("certificate.publicly-issued"),
        "key": _own(own.key),
        "key_bits": _key_bits,
        "valid_until": lambda value: (_set(own.valid_until, day=value),),
        "hsts": _hsts,
        "http_redirected": lambda _: (_set(own.redirected),),
        "ports": _ports(exactly=True),
        "ports_among": _ports(exactly=False),
        "no_ssl_vpn": _rules("vpn.ssl-vpn", "vpn.tunnels"),
        "no_ikev1": _rules("ike.versions"),
        "client_certificate": _client_certificate,
        "registrar": _own(own.registrar),
        "transfer_lock": _rules("registration.transfer-lock"),
        "dnssec": _rules("dns.signed", "dns.dnssec"),
        "caa": lambda _: (*_rules("dns.caa")(None), _set(own.caa_seen)),
        "caa_among": _own(own.caa),
    }
)
