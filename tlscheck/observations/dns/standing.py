"""What becomes of a zone on the way from the root's key (RFC 4035)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class Standing(StrEnum):
    """What becomes of a zone on the way from the root (RFC 4035, section 4.3)."""

    SECURE = "secure"
    INSECURE = "insecure"
    """Proven to be unsigned, or below a zone that is."""
    BOGUS = "bogus"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Security:
    """The DNSSEC of one zone."""

    standing: Standing = Standing.UNKNOWN
    problem: str = ""
    """Why it is bogus or unknown: ``expired``, ``not_yet_valid``, ``ds_mismatch``,
    ``bad_signature``, ``no_signature``, ``no_keys``, ``no_denial``, ``no_anchor``,
    ``parent_bogus``, ``no_answer``, ``too_many_keys``; why it is insecure: ``unsupported``."""
    signed: bool = False
    """Whether the zone has keys, trusted or not."""
    ds: tuple[str, ...] = ()
    """The parent's DS records, as ``63574 8 2``."""
    algorithms: tuple[int, ...] = ()
    """Of its keys (IANA's numbers)."""
    expires: datetime | None = None
    """When the first of the signatures that were seen ends."""
    nsec3: tuple[int, int] | None = None
    """Iterations and length of the salt, where it has NSEC3PARAM."""
    nsec3_seen: bool = False
    """Whether the zone told if it has."""
    rsa_bits: tuple[int, ...] = ()
    """The lengths of its RSA keys."""
