"""What shows of VPNs over TLS at an address: products by their marks, protocols by their answers.

The marks are data (``profiles/vpn/markers.toml``). Matching is pure: answers go in, hits come out.
"""

from tlscheck.model import Confidence
from tlscheck.observations.vpn.markers import (
    Impact,
    Marker,
    Markers,
    Probe,
    Product,
    Proof,
    parse,
)
from tlscheck.observations.vpn.match import Answer, Asked, Matched, matched, names
from tlscheck.observations.vpn.seen import (
    QUIET,
    Declared,
    Hit,
    Port,
    Said,
    Unanswered,
    VpnObservation,
)

__all__ = [
    "QUIET",
    "Answer",
    "Asked",
    "Confidence",
    "Declared",
    "Hit",
    "Impact",
    "Marker",
    "Markers",
    "Matched",
    "Port",
    "Probe",
    "Product",
    "Proof",
    "Said",
    "Unanswered",
    "VpnObservation",
    "matched",
    "names",
    "parse",
]
