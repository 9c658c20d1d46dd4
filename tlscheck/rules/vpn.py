"""Whether VPNs over TLS show themselves, which the checklists want in principle not used.

What shows refutes; what does not show is not thereby absent. So nothing here passes by silence.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from tlscheck.model import Evidence, Note, Open, Problem, Reason, State
from tlscheck.observations.tls import Demand
from tlscheck.observations.vpn import (
    QUIET,
    Confidence,
    Hit,
    Port,
    Proof,
    Said,
    Unanswered,
    VpnObservation,
)
from tlscheck.rules.core import Problems, rule


@dataclass(frozen=True, slots=True)
class Marks:
    """What it takes to say that an SSL-VPN is there."""

    enough: frozenset[Confidence]
    """How sure one mark must be; a weaker one is left to a person."""


@rule(
    "Evaluation checklist for vendors, item 50",
    "MHLW guideline 5.2, exchange with the outside, item 12",
)
def ssl_vpn(seen: VpnObservation, want: Marks) -> Problems:
    """No SSL-VPN shows itself.

    SSL-VPNs are in principle not used for medical information: many guard badly against forged
    servers. Switch the function off, close its port, and use IPsec with IKE or TLS with client
    certificates. The guideline's exception is the kind with client software of its own, under TLS
    client authentication and the settings of the high-security type; give its reason and the
    compensating measures in the papers. That none shows proves nothing: declare what is in use.
    """
    functions = list(_grouped(seen.hits(Proof.FUNCTION)))
    for port, hits in functions:
        yield from _function(port, hits, want)
    for port in dict.fromkeys(port for port, hits in functions if _sure(hits, want)):
        yield from _exception(port)
    failed = {hits[0].product for _, hits in functions if _sure(hits, want)}
    for port, hits in _grouped(seen.hits(Proof.PRODUCT)):
        if hits[0].product not in failed:
            yield Open(
                f"product-{hits[0].product}",
                "{port}: {product} is there ({marks}); whether its SSL-VPN is on was not seen and"
                " must be declared",
                cause=Reason.TO_DECLARE,
                port=port.id,
                product=hits[0].name,
                marks=_marks(hits),
            )
    yield from _elsewhere(seen)
    if not functions:
        yield Open(
            "not-seen",
            "no SSL-VPN was seen at {address}, and whether one is in use must be declared",
            cause=Reason.TO_DECLARE,
            address=seen.address,
        )
    for port, hits in _grouped(seen.hits(Proof.IPSEC)):
        yield Note(
            f"ipsec-{hits[0].product}",
            "{port}: {product} is there ({marks}), whose remote access is IPsec as far as is known",
            port=port.id,
            product=hits[0].name,
            marks=_marks(hits),
        )
    for port in seen.ports:
        if port.ipsec is State.ACCEPTED:
            yield Note(
                "ipsec-tcp",
                "{port}: IPsec over TCP answers (RFC 9329), which is no SSL-VPN",
                port=port.id,
            )
    yield from _looked(seen)


def _function(port: Port, hits: list[Hit], want: Marks) -> Iterator[Evidence]:
    product, name = hits[0].product, hits[0].name
    if not _sure(hits, want):
        yield Open(
            f"weak-{product}",
            "{port}: what may be the SSL-VPN of {product}, and is easily something else ({marks});"
            " look there",
            port=port.id,
            product=name,
            marks=_marks(hits),
        )
        return
    if any(hit.confidence is Confidence.HIGH for hit in hits):
        yield Problem(
            f"seen-{product}",
            "{port}: the SSL-VPN of {product} answers ({marks})",
            port=port.id,
            product=name,
            marks=_marks(hits),
        )
    else:
        yield Problem(
            f"seen-{product}",
            "{port}: the SSL-VPN of {product} answers in all likelihood ({marks})",
            port=port.id,
            product=name,
            marks=_marks(hits),
        )


@rule(
    "Evaluation checklist for vendors, item 50",
    "OpenVPN's protocol, hard reset",
    "[MS-SSTP], section 3.2.4.1",
)
def tunnels(seen: VpnObservation) -> Problems:
    """No OpenVPN or SSTP server shows itself.

    Both carry their tunnel over TLS, so what is said of SSL-VPNs is said of them. Switch the server
    off and close its port, or show in the papers that it is the guideline's exception: client
    software of its own, TLS client authentication, the settings of the high-security type. With
    tls-auth or tls-crypt OpenVPN answers nobody without its key: that none shows proves nothing.
    """
    found = False
    for port in seen.ports:
        if port.openvpn is State.ACCEPTED:
            found = True
            yield Problem(
                "openvpn", "{port}: OpenVPN answers a client without a key of it", port=port.id
            )
        if port.sstp is State.ACCEPTED:
            found = True
            yield Problem(
                "sstp",
                "{port}: SSTP answers (its server calls itself {server})",
                port=port.id,
                server=port.sstp_server or "-",
            )
        if State.ACCEPTED in (port.openvpn, port.sstp):
            yield from _exception(port)
    if not found:
        yield Open(
            "not-seen",
            "no OpenVPN or SSTP was seen at {address}; one that keeps silent to strangers cannot"
            " be, and whether one is in use must be declared",
            cause=Reason.TO_DECLARE,
            address=seen.address,
        )
    yield from _looked(seen)


# ---- marks -----------------------------------------------------------------------------------


def _grouped(hits: Iterable[tuple[Port, Hit]]) -> Iterator[tuple[Port, list[Hit]]]:
    """The hits of each port and product, the surest first."""
    groups: dict[tuple[str, str], tuple[Port, list[Hit]]] = {}
    for port, hit in hits:
        groups.setdefault((port.id, hit.product), (port, []))[1].append(hit)
    for port, several in groups.values():
        yield port, sorted(several, key=lambda hit: hit.confidence.rank)


def _sure(hits: Iterable[Hit], want: Marks) -> bool:
    return any(hit.confidence in want.enough for hit in hits)


def _marks(hits: Iterable[Hit]) -> tuple[str, ...]:
    return tuple(f"{hit.marker}, {hit.probe}: “{hit.excerpt}”" for hit in hits)


def _exception(port: Port) -> Iterator[Evidence]:
    """What shows of the guideline's exception, which the look alone can never grant."""
    match port.client_certificate:
        case Demand.REQUIRED | Demand.REQUIRED_HTTP:
            yield Note(
                "client-certificate",
                "{port}: a client certificate is demanded, as the exception wants; the rest of it"
                " is for the papers to show",
                port=port.id,
            )
        case Demand.REQUESTED:
            yield Note(
                "client-certificate",
                "{port}: a client certificate is asked for, and the connection works without one;"
                " the exception wants it demanded",
                port=port.id,
            )
        case Demand.NONE:
            yield Note(
                "client-certificate",
                "{port}: the handshake asks for no client certificate; the exception wants it"
                " demanded",
                port=port.id,
            )
        case _:
            yield Note(
                "client-certificate",
                "{port}: whether a client certificate is demanded, as the exception wants, was not"
                " seen",
                port=port.id,
            )
    if port.said is Said.VPN:
        yield Note(
            "declared",
            "{port} is declared as a VPN's; its reason and the compensating measures belong in the"
            " papers",
            port=port.id,
        )


def _elsewhere(seen: VpnObservation) -> Iterator[Evidence]:
    for port in seen.ports:
        for url in port.elsewhere:
            yield Open(
                "elsewhere",
                "{port} sends visitors to {url}, which looks like an SSL-VPN; look there too",
                cause=Reason.NOT_ASKED,
                port=port.id,
                url=url,
            )


# ---- how far the look reached ----------------------------------------------------------------


def _looked(seen: VpnObservation) -> Iterator[Evidence]:
    """What a negative rests on, and what of the look is missing."""
    for port in seen.ports:
        lost: dict[str, list[str]] = {}
        for question in port.unanswered:
            if not _settled(port, question):
                lost.setdefault(question.reason, []).append(question.probe)
        for reason, probes in lost.items():
            yield Open(
                "unanswered",
                "{port}: {probes} brought no answer: {reason}",
                cause=reason,
                port=port.id,
                probes=tuple(probes),
                reason=reason,
            )
        if port.void:
            yield Note(
                "void",
                "{port}: {marks} count for nothing, as a random path brings them too or our"
                " question holds them",
                port=port.id,
                marks=port.void,
            )
    answered = [port for port in seen.ports if port.opened is State.ACCEPTED]
    yield Note(
        "looked-at",
        "ports of {address} that answered: {ports}; where nobody listens: {closed}; silent:"
        " {silent}",
        address=seen.address,
        ports=_ids(answered),
        closed=_ids(port for port in seen.ports if port.opened is State.REFUSED),
        silent=_ids(p for p in seen.ports if p.opened is State.UNKNOWN and p.unanswered),
    )
    if spared := [p for p in seen.ports if p.opened is State.UNKNOWN and not p.unanswered]:
        yield Note(
            "not-asked",
            "{ports}: not asked, as they are declared for something else than a VPN",
            ports=_ids(spared),
        )
    if shallow := [p for p in answered if p.said is Said.OTHER and not p.whole and not p.hits]:
        yield Note(
            "declared-ports",
            "{ports}: only the certificate and two pages were looked at, as they are declared for"
            " something else than a VPN",
            ports=_ids(shallow),
        )


def _settled(port: Port, question: Unanswered) -> bool:
    """Whether the question's want of an answer is as it should be, with nothing missing."""
    if question.probe in QUIET and question.sent:
        return question.probe != "connect" or port.said is Said.NOTHING
    if port.tls is State.REFUSED:  # nothing that goes inside of TLS can be asked
        return question.probe not in QUIET
    # It speaks TLS, and another language than HTTP inside.
    return port.web is not State.ACCEPTED and question.reason == Reason.MALFORMED


def _ids(ports: Iterable[Port]) -> tuple[str, ...]:
    return tuple(port.id for port in ports) or ("-",)
