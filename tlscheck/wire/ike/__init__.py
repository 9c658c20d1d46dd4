"""IKEv2 (RFC 7296) and IKEv1 (RFC 2408, 2409): first packets as bytes, answers as values."""

from tlscheck.wire.ike.build import (
    Phase1Offer,
    aggressive_mode,
    farewell,
    main_mode,
    marked,
    proposals,
    sa_init,
)
from tlscheck.wire.ike.names import (
    KEY_OCTETS,
    Kind,
    Phase1,
    Transform,
    is_aead,
    notify_name,
    phase1,
    transform,
    vendor_name,
)
from tlscheck.wire.ike.parse import Exchange, Message, Notify, parse, unmarked

__all__ = [
    "KEY_OCTETS",
    "Exchange",
    "Kind",
    "Message",
    "Notify",
    "Phase1",
    "Phase1Offer",
    "Transform",
    "aggressive_mode",
    "farewell",
    "is_aead",
    "main_mode",
    "marked",
    "notify_name",
    "parse",
    "phase1",
    "proposals",
    "sa_init",
    "transform",
    "unmarked",
    "vendor_name",
]
