"""Whether kept bytes are of the place, and of the time, that a look is said to be of.

Of the address nothing in them tells: no server says where it stands.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta

from cryptography import x509

from tlscheck.model import Look, Place, Scope
from tlscheck.observations.certificate import CertificateObservation, Chain, attempt
from tlscheck.observations.exchange import Exchange
from tlscheck.observations.registration import RegistrationObservation
from tlscheck.targets import endpoint_id
from tlscheck.text import Phrase, visible
from tlscheck.wire.hello import ClientHello, Extension

SLACK = timedelta(minutes=5)
"""How far a clock may be set back during a scan."""
AT_ONCE = timedelta(hours=1)
"""After how long at most a look's first question is asked."""
LONGEST = timedelta(days=7)
"""How long at most a scan takes."""
APART = timedelta(days=1)
"""How far our clock may be from those of authorities."""


def names(place: Place | None, exchanges: Sequence[Exchange], file: str) -> Iterator[Phrase]:
    """The server names asked for, where these are not those of *place*."""
    sent = {
        _name(body)
        for exchange in exchanges
        for hello in exchange.hellos
        if isinstance(hello, ClientHello)
        and (body := hello.extension(Extension.SERVER_NAME)) is not None
    }
    wanted = {place.sni} if place and place.sni else set()
    if sent != wanted:
        yield Phrase(
            "tls: the hellos in {name} ask for {names}, not for {wanted}",
            name=file,
            names=tuple(map(visible, sorted(sent))) or "-",
            wanted=tuple(map(visible, wanted)) or "-",
        )


def _name(body: bytes) -> str:
    """The name in a ``server_name``, which lengths and its type stand before."""
    return body[5:].decode("ascii", "backslashreplace")


def dated(at: datetime, exchanges: Sequence[Exchange]) -> tuple[str, ...]:
    """``at``, where a look is said to have begun at another time than its exchanges."""
    if not exchanges:
        return ()
    first = exchanges[0].at
    return ("at",) if at - first > SLACK or first - at > AT_ONCE else ()


def placed(look: Look, began: datetime) -> Iterator[Phrase]:
    """What of a look's place and time is not of the scan that *began* then."""
    place = look.target.target
    if look.target.scope is Scope.ENDPOINT and place:
        known = endpoint_id(place.service, place.host, place.port, place.address)
        if known != look.target.id:
            yield Phrase("its id is not that of its place, {id}", id=known)
    if any(began - seen.at > SLACK for seen in look.seen.values()):
        yield Phrase("it was looked at before the scan began")
    if any(seen.at - began > LONGEST for seen in look.seen.values()):
        yield Phrase("it was looked at more than {n} days after the scan began", n=LONGEST.days)


_ASKED: Mapping[str, tuple[str, ...]] = {
    "http": ("host",),
    "registration": ("domain",),
    "dns": ("domain",),
    "turn": ("service", "address"),
    "quic": ("service",),
    **dict.fromkeys(("ports", "vpn", "ike"), ("address",)),
}
"""What observations themselves say of where they were made: a part of the place, or the target."""


def elsewhere(look: Look) -> Iterator[Phrase]:
    """What is said to be of the look's place, and says of itself that it is of another."""
    for subject, names in _ASKED.items():
        seen = look.seen.get(subject)
        told = seen.record if isinstance(seen, RegistrationObservation) else seen
        for name in names if told else ():
            own = getattr(look.target.target, name, look.target.id)
            if (asked := getattr(told, name)) != own:
                yield Phrase(
                    "{subject}: is of {asked}, not of {own}", subject=subject, asked=asked, own=own
                )


_OVER_TLS = ("tls", "certificate", "http")
_OTHERWISE = {"turns": _OVER_TLS[:2], **dict.fromkeys(("turn", "dtls", "quic", "ike"), ())}
"""What else than that a look at a service has."""


def left_out(look: Look, asked: Collection[str]) -> Iterator[Phrase]:
    """What was *asked* for and is neither seen nor missed: a look always says one of both."""
    place = look.target.target
    if look.target.scope is not Scope.ENDPOINT or place is None:
        return
    told = {*look.seen, *(missed.kind for missed in look.missed)}
    for subject in _OTHERWISE.get(place.service, _OVER_TLS):
        if subject in asked and subject not in told:
            yield Phrase(
                "{subject}: was asked for, and is neither seen nor missed", subject=subject
            )


def later(leaf: bytes, chain: Chain, at: datetime) -> bool:
    """Whether an authority or a log vouches for *chain* at a time after the look."""
    stapled = chain.staple.this_update if chain.staple else None
    times = (*(attempt(lambda: logged(leaf)) or ()), *([stapled] if stapled else []))
    return any(time - at > APART for time in times)


def logged(leaf: bytes) -> tuple[datetime, ...]:
    """When logs saw the certificate (RFC 6962, section 3.3). ValueError, as of any bad DER."""
    extensions = x509.load_der_x509_certificate(leaf).extensions
    kind = x509.PrecertificateSignedCertificateTimestamps
    try:
        found = extensions.get_extension_for_class(kind).value
    except x509.ExtensionNotFound:
        return ()
    return tuple(sct.timestamp.replace(tzinfo=UTC) for sct in found)


def doubts(look: Look) -> Iterator[Phrase]:
    """What an honest look may show too, and what a forged one would."""
    place, seen = look.target.target, look.seen.get("certificate")
    if place and place.sni not in (None, place.host):
        yield Phrase(
            "asked by the name {sni}, as with --sni: what it shows is of that name", sni=place.sni
        )
    if isinstance(seen, CertificateObservation):
        for leaf in dict.fromkeys(c.certificates[0] for c in seen.chains if c.certificates):
            if leaf.not_before and leaf.not_before - seen.at > APART:
                yield Phrase(
                    "the certificate {digest} is valid from {day} only: it is shown too early, or"
                    " the look is dated back",
                    digest=leaf.sha256,
                    day=leaf.not_before.date(),
                )
