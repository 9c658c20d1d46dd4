"""Which claims of a filled sheet a look confirms, contradicts or leaves open.

`verify` compares and is pure; `read` makes claims of a file's bytes. Nothing here looks.
"""

from tlscheck.verify.claims import Claim, Claims, Unread, Why
from tlscheck.verify.compare import (
    Outcome,
    Spot,
    Standing,
    Verification,
    exit_code,
    subjects,
    verify,
)
from tlscheck.verify.read import read

__all__ = [
    "Claim",
    "Claims",
    "Outcome",
    "Spot",
    "Standing",
    "Unread",
    "Verification",
    "Why",
    "exit_code",
    "read",
    "subjects",
    "verify",
]
