"""Looking at a domain in the DNS: its parents first, then every one of its name servers.

Nothing is claimed, changed or transferred: questions any resolver may ask, one recursive question
and one for a transfer to see them refused, and one ordinary page of the target's own name.
"""

from tlscheck.probes.dns.look import SUBJECT, probe
from tlscheck.probes.dns.means import Means

__all__ = ["SUBJECT", "Means", "probe"]
