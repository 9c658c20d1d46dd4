"""What can be known of an IPsec gateway by beginning IKE with it."""

from tlscheck.observations.ike.asked import ASKED, TIERS, Dimension
from tlscheck.observations.ike.fold import fold, in_doubt, settled, throttled
from tlscheck.observations.ike.seen import (
    Ending,
    IkeObservation,
    IkeVersion,
    Mode,
    Opening,
    PortSeen,
    Vendor,
)

__all__ = [
    "ASKED",
    "TIERS",
    "Dimension",
    "Ending",
    "IkeObservation",
    "IkeVersion",
    "Mode",
    "Opening",
    "PortSeen",
    "Vendor",
    "fold",
    "in_doubt",
    "settled",
    "throttled",
]
