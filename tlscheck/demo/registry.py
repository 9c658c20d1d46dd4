"""The registry of the clinic's domains: RDAP on loopback."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from tlscheck.demo.sites import BAD, GOOD
from tlscheck.net import now

_YEAR = timedelta(days=365)


def records() -> Mapping[str, bytes]:
    """What there is to be had, by path: one domain as it should be, one that is lapsing."""
    at = now().replace(microsecond=0)
    locks = [f"client {what} prohibited" for what in ("transfer", "delete", "update")]
    return {
        f"/domain/{GOOD}": _record(
            GOOD, locks, at - 9 * _YEAR, at + _YEAR, (f"ns1.{GOOD}", f"ns2.{GOOD}")
        ),
        f"/domain/{BAD}": _record(
            BAD,
            ["redemption period"],
            at - 9 * _YEAR,
            at - timedelta(days=12),
            (f"ns1.{BAD}", "ns.lapsed.example"),
        ),
    }


def _record(
    name: str, statuses: list[str], begin: datetime, end: datetime, hosts: tuple[str, ...]
) -> bytes:
    record: dict[str, Any] = {
        "objectClassName": "domain",
        "ldhName": name,
        "status": statuses,
        "events": [
            {"eventAction": "registration", "eventDate": begin.isoformat()},
            {"eventAction": "expiration", "eventDate": end.isoformat()},
        ],
        "entities": [
            _entity("registrar", "fn", "Demo Registrar"),
            _entity("registrant", "org", "Demo Clinic"),
        ],
        "nameservers": [{"objectClassName": "nameserver", "ldhName": host} for host in hosts],
    }
    return json.dumps(record).encode()


def _entity(role: str, name: str, value: str) -> dict[str, Any]:
    card = [["version", {}, "text", "4.0"], [name, {}, "text", value]]
    return {"objectClassName": "entity", "roles": [role], "vcardArray": ["vcard", card]}
