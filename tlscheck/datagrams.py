"""What is asked of endpoints over UDP, beside their TLS or instead of it: relays and QUIC."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from tlscheck.model import Look, Missed, Observation, Place, Reason
from tlscheck.net import Net
from tlscheck.observations.http import HttpObservation

RELAYS = ("turn", "turns", "dtls")
"""Services that are looked at in another way than TLS servers; ``turns`` in both."""
ALONE = (*RELAYS, "quic")
"""Services that are no TLS over TCP, or more than that."""
SUBJECTS = ("turn", "quic")

Seen = tuple[dict[str, Observation], list[Missed]]


@dataclass(frozen=True, slots=True)
class Question:
    """One of the subjects."""

    subject: str
    about: str
    """What is told meanwhile."""
    ask: Callable[[Net], Coroutine[Any, Any, Seen]]


def questions(
    entry: Look,
    place: Place,
    subjects: Sequence[str],
    unannounced: bool,
) -> Iterator[Question]:
    """What is to be asked at *place*, whose TLS gave *entry*; QUIC that is *unannounced*, too."""
    if "turn" in subjects and place.service in RELAYS:
        yield Question("turn", "TURN", partial(_relay, place))
    if "quic" in subjects and place.service in ("quic", "https"):
        worth = unannounced or _is_worth_it(entry, subjects)
        yield Question("quic", "QUIC", partial(_quic, entry, place, worth))


async def _relay(place: Place, net: Net) -> Seen:
    from tlscheck.probes import dtls, turn

    probe = dtls.probe if place.service == "dtls" else turn.probe
    found = await probe(
        net, place.address, place.port, place.service, host=place.host, sni=place.sni
    )
    return ({}, [found]) if isinstance(found, Missed) else ({"turn": found}, [])


async def _quic(entry: Look, place: Place, worth: bool, net: Net) -> Seen:
    """QUIC at *place*: declared, announced by the page over TCP, or asked for all the same."""
    page = entry.seen.get("http")
    offer = page.http3(place.host) if isinstance(page, HttpObservation) else None
    if place.service != "quic" and not (offer or worth):
        return {}, [_unasked(entry)]
    from tlscheck.probes import quic

    if place.service == "quic":
        own = await quic.probe(net, place.address, place.port, host=place.host, sni=place.sni)
        if isinstance(own, Missed):
            return {}, [own]
        alone = Missed("quic.tcp", Reason.NOT_ASKED, "name the https target, too")
        return {"quic": own}, [*quic.without(own), alone]
    where = replace(place, port=offer.port) if offer else place
    found = await quic.look(net, where, announced=offer is not None)
    return {"quic": found}, list(quic.without(found))


def _is_worth_it(entry: Look, subjects: Sequence[str]) -> bool:
    """Whether to ask for QUIC that no page announces: TLS is there, and no page was seen that
    would say.
    """
    if "http" not in subjects:
        return True
    over_tls = entry.seen.keys() & {"tls", "certificate"}
    return "http" not in entry.seen and bool(over_tls) and _missed(entry, "http") is not None


def _unasked(entry: Look) -> Missed:
    if "http" in entry.seen:
        return Missed(
            "quic",
            Reason.NOT_APPLICABLE,
            "HTTP/3 is not announced; it is asked for all the same with --only quic",
        )
    nothing = _missed(entry, "tls") or _missed(entry, "http")
    return replace(nothing, kind="quic") if nothing else Missed("quic", Reason.NOT_ASKED)


def _missed(entry: Look, kind: str) -> Missed | None:
    return next((m for m in entry.missed if m.kind == kind), None)
