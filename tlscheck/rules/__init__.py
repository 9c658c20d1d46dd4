"""What is good: pure functions from what was seen (and what is wanted) to problems."""

from tlscheck.rules import (
    addresses,
    certificate,
    dns,
    http,
    ike,
    ports,
    quic,
    registration,
    tls,
    turn,
    vpn,
)
from tlscheck.rules.core import collect

RULES = collect(
    *tls.MODULES,
    *certificate.MODULES,
    *http.MODULES,
    addresses,
    registration,
    *dns.MODULES,
    ports,
    vpn,
    ike,
    turn,
    quic,
)
"""Every rule by id."""
