"""Whether all addresses of a name are alike."""

from __future__ import annotations

from tlscheck.model import Open, Problem
from tlscheck.observations.addresses import AddressesObservation
from tlscheck.rules.core import Problems, rule


@rule("RFC 9325, section 3")
def agreement(seen: AddressesObservation) -> Problems:
    """All addresses of the name answer alike.

    Clients are sent to any of the addresses, so the weakest of them counts. Roll out the same
    configuration and certificate to every server behind the name, IPv6 included.
    """
    for difference in seen.differences:
        for address, value in difference.values.items():
            yield Problem(
                f"{difference.matter}-differ",
                "{matter} at {address}: {value}",
                matter=difference.matter,
                address=address,
                value=value,
            )
    for matter in seen.open:
        yield Open("open", "{matter}: not settled at every address", matter=matter)
    if seen.family:
        yield Open(
            "family",
            "only IPv{family} addresses were looked at",
            cause="not_asked",
            family=seen.family,
        )
    for address in seen.unseen:
        yield Open("unseen", "TLS was not seen at {address}", cause="missed", address=address)
