"""What is good: pure functions from what was seen (and what is wanted) to problems."""

from tlscheck.rules import addresses, certificate, dns, http, ike, registration, tls
from tlscheck.rules.core import collect

RULES = collect(tls, certificate, http, addresses, registration, *dns.MODULES, ike)
"""Every rule by id."""
