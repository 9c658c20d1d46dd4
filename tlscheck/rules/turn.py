"""What is good about a STUN or TURN server, and about DTLS at a UDP port."""

from __future__ import annotations

import re
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass

from tlscheck.model import Evidence, Note, Open, Problem, Reason, State
from tlscheck.observations.turn import (
    Allocation,
    Dtls,
    Talk,
    Transport,
    TurnObservation,
    is_private,
)
from tlscheck.rules.core import NotApplicable, Problems, rule
from tlscheck.rules.tls.offered import ForbiddenSuites
from tlscheck.wire.dtls import DtlsVersion
from tlscheck.wire.registry import SUITE_BY_NAME, SUITES


@rule("RFC 8656, section 21")
def open_relay(seen: TurnObservation) -> Problems:
    """No relay is granted without credentials.

    Through an open relay anybody reaches whatever the server reaches, the inner network included,
    under the server's address. In coturn remove ``no-auth``, set ``use-auth-secret`` (credentials
    that soon expire) or ``lt-cred-mech``, and forbid private peers by ``denied-peer-ip``.
    """
    for talk in _talks(seen):
        for made in talk.allocations:
            yield from _granted(talk, made)
    for talk in seen.talks:
        if talk.allocations or talk.stun is State.REFUSED:
            continue
        sibling = seen.talk(talk.transport.sibling)
        if sibling and _credentials_wanted(sibling):
            # One program has the port, and this one asks for credentials.
            yield Note(
                "sibling",
                "{transport}: nothing was answered; {other} at the same port wants credentials",
                transport=_name(talk.transport),
                other=_name(sibling.transport),
            )
        else:
            yield _silent(talk)


def _granted(talk: Talk, made: Allocation) -> Iterator[Evidence]:
    transport = _name(talk.transport)
    if made.state is State.ACCEPTED:
        yield Problem(
            "open",
            "{transport}: a relay ({relay}) was granted to a stranger at {address}",
            transport=transport,
            relay=made.relay,
            address=made.address,
        )
        if made.released is not State.ACCEPTED:
            yield Note(
                "held",
                "{transport}: that the relay was given back was not confirmed; it ends by itself"
                " after {seconds} seconds",
                transport=transport,
                seconds=made.lifetime or 0,
            )
    elif made.state is State.UNKNOWN and made.error is not None:
        yield Open(
            "error",
            "{transport}: the request for a relay ({relay}) was answered by error {error}, which"
            " tells nothing of others",
            transport=transport,
            relay=made.relay,
            error=made.error,
        )
    elif made.state is State.UNKNOWN:
        yield Open(
            "unanswered",
            "{transport}: the request for a relay ({relay}) was not answered",
            cause=made.detail or "not_settled",
            transport=transport,
            relay=made.relay,
        )


def _credentials_wanted(talk: Talk) -> bool:
    states = {made.state for made in talk.allocations}
    return states == {State.REFUSED}


@dataclass(frozen=True, slots=True)
class ClearText:
    """Where TURN in clear text is no more than what was declared."""

    services: frozenset[str]
    """Services that promise encryption."""


@rule("RFC 8656, section 21", "RFC 7065, section 3")
def clear_text(seen: TurnObservation, want: ClearText) -> Problems:
    """TURN is not accepted in clear text.

    In clear text everybody on the way reads user names, peers' addresses and realm, and can try
    passwords at home. Coturn tells the protocols apart by itself and takes clear text at its TLS
    port too: set ``no-udp`` and ``no-tcp``, and ``no-dtls`` where DTLS is not needed, for with DTLS
    on, version 4.6 takes clear text by UDP all the same.
    """
    talks = _talks(seen)
    yield Note("media", "the media itself cannot be seen without a session")
    for talk in talks:
        if not talk.transport.clear:
            continue
        transport = _name(talk.transport)
        if talk.turn is State.ACCEPTED and seen.service in want.services:
            yield Problem(
                "accepted",
                "{transport}: TURN is accepted in clear text, at a port declared as {service}",
                transport=transport,
                service=seen.service,
            )
        elif talk.turn is State.ACCEPTED:
            yield Open(
                "declared",
                "{transport}: TURN is accepted in clear text, as {service} declares; media is"
                " encrypted by itself, user names and addresses are not",
                cause="open_question",
                transport=transport,
                service=seen.service,
            )
        elif talk.turn is State.UNKNOWN:
            yield Open(
                "unsettled",
                "{transport}: not settled whether TURN is accepted in clear text",
                cause=talk.detail or "not_settled",
                transport=transport,
            )


@rule("RFC 8656, section 21", "RFC 5780, section 7")
def private_addresses(seen: TurnObservation) -> Problems:
    """Strangers are told no address of a private network.

    Such an address tells how the inside is built, and a relay that has one may lead there. Behind
    NAT set coturn's ``external-ip`` and ``relay-ip``, and set ``no-rfc5780`` so that it does not
    name its own addresses.
    """
    talks = _talks(seen)
    if is_private(seen.address):
        raise NotApplicable("inside", "the server was asked at an address that is not public")
    told = False
    for talk in talks:
        transport = _name(talk.transport)
        relays = [made.address for made in talk.allocations if made.address]
        told = told or bool(relays)
        for address in filter(is_private, relays):
            yield Problem(
                "relay",
                "{transport}: the relay has the address {address}, which is not public",
                transport=transport,
                address=address,
            )
        for address in filter(is_private, talk.addresses):
            yield Problem(
                "own",
                "{transport}: the server calls {address} its own, which is not public",
                transport=transport,
                address=address,
            )
    yield from _nobody(talks)
    if not told:
        yield Note("hidden", "the address of the relay is told only with credentials")


@rule("RFC 8489, section 14.14")
def software(seen: TurnObservation) -> Problems:
    """The server gives no software version away.

    A version tells attackers which known holes to try. In coturn set ``no-software-attribute``.
    Hiding the version is no substitute for updates.
    """
    talks = _talks(seen)
    for name in dict.fromkeys(talk.software for talk in talks if talk.software):
        if re.search(r"\d+\.\d+", name):
            yield Problem("version", "the server gives a version away: {software}", software=name)
        else:
            yield Note("named", "the server says: {software}", software=name)
    yield from _nobody(talks)


@dataclass(frozen=True, slots=True)
class Realms:
    """Which realms name something inside."""

    suffixes: tuple[str, ...]
    """Ends of names that the public DNS does not have."""


@rule("RFC 8489, section 14.9")
def realm(seen: TurnObservation, want: Realms) -> Problems:
    """The realm names nothing of the inner network.

    The realm is told to everybody who asks for a relay. In coturn set ``realm`` to the public name
    of the service.
    """
    talks = _talks(seen)
    for name in dict.fromkeys(talk.realm for talk in talks if talk.realm):
        lower = name.lower().rstrip(".")
        if is_private(lower) or any(f".{lower}".endswith(f".{end}") for end in want.suffixes):
            yield Problem("inside", "the realm names something inside: {realm}", realm=name)
        else:
            yield Note("named", "the realm is {realm}", realm=name)
    yield from _nobody(talks)
    if all(talk.turn is not State.ACCEPTED for talk in talks):
        yield Open("untold", "no request for a relay was answered, which would tell the realm")
    elif not any(talk.realm or talk.tells_realm for talk in talks):
        yield Open("untold", "no request for a relay was answered in the way that tells the realm")


@dataclass(frozen=True, slots=True)
class ForbiddenVersions:
    """Versions that must not be on offer."""

    forbid: frozenset[DtlsVersion]


@rule("RFC 8996", "RFC 9325, section 3.1.2")
def dtls_versions(seen: TurnObservation, want: ForbiddenVersions) -> Problems:
    """No version of DTLS that an RFC forbids is offered.

    DTLS 1.0 is TLS 1.1 by datagrams and rests on MD5 and SHA-1; it MUST NOT be negotiated. In
    coturn set ``no-tlsv1`` and ``no-tlsv1_1``; elsewhere set the lowest version to DTLS 1.2.
    """
    found = yield from _dtls(seen)
    for version, state in found.versions.items() if found else ():
        if state is State.ACCEPTED and version in want.forbid:
            yield Problem("accepted", "{version} is accepted", version=version)
        elif state is State.ACCEPTED:
            yield Note("named", "{version} is accepted", version=version)
        elif state is State.UNKNOWN and version in want.forbid:
            yield Open(
                "unsettled", "{version}: not settled whether it is accepted", version=version
            )


@rule("RFC 6347, section 4.1.2.2", "RFC 9325, section 4.1")
def dtls_suites(seen: TurnObservation, want: ForbiddenSuites) -> Problems:
    """No cipher suite that an RFC forbids is accepted in DTLS.

    Suites without encryption, without authentication, with RC4 or with keys cut down for export
    protect nothing. In coturn set ``cipher-list`` to ECDHE suites with AES-GCM or ChaCha20.
    """

    def forbidden(name: str) -> bool:
        suite = SUITE_BY_NAME[name]
        return (
            suite.encryption in want.encryption
            or suite.authentication in want.authentication
            or (want.export and suite.export)
        )

    yield from _suites(seen, forbidden)


@rule("RFC 9325, section 4.1")
def dtls_forward_secrecy(seen: TurnObservation) -> Problems:
    """Every cipher suite accepted in DTLS is forward secret.

    With static RSA or static Diffie-Hellman, whoever gets the server's key later can read all
    traffic recorded before. Offer ECDHE suites only; in coturn set ``cipher-list`` so.
    """
    yield from _suites(seen, lambda name: not SUITE_BY_NAME[name].forward_secret)


@rule("RFC 6347, section 4.2.1", "RFC 9147, section 5.1")
def dtls_cookie(seen: TurnObservation) -> Problems:
    """DTLS asks for a cookie before it answers at length.

    Without one, whoever sends hellos under somebody else's address makes the server flood that
    address with its certificates. Switch the cookie exchange on (in OpenSSL's API DTLSv1_listen),
    or put a server before it that does.
    """
    found = yield from _dtls(seen)
    if found is None:
        return
    if found.cookie is State.REFUSED:
        yield Problem(
            "none",
            "{asked} bytes without a cookie were answered by {answered} bytes",
            asked=found.asked_bytes,
            answered=found.answered_bytes,
        )
    elif found.cookie is State.UNKNOWN:
        yield Open("unsettled", "not settled whether a cookie is asked for")


# ---- parts -----------------------------------------------------------------------------------


def _talks(seen: TurnObservation) -> tuple[Talk, ...]:
    if not seen.talks:
        raise NotApplicable("dtls-alone", "DTLS alone was asked here, not what is in it")
    return seen.talks


def _nobody(talks: tuple[Talk, ...]) -> Iterator[Open]:
    """Every transport, where none answered."""
    if all(talk.stun is not State.ACCEPTED for talk in talks):
        yield from map(_silent, talks)


def _silent(talk: Talk) -> Open:
    return Open(
        "silent",
        "{transport}: nothing was answered, which proves nothing",
        cause=talk.detail or "not_settled",
        transport=_name(talk.transport),
    )


def _dtls(seen: TurnObservation) -> Generator[Open, None, Dtls | None]:
    """What is known of DTLS; where it did not answer, ``None``, and why that settles nothing."""
    found = seen.dtls
    if found is None:
        yield Open("not-asked", "DTLS was not asked", cause=Reason.NOT_ASKED)
        return None
    if found.answers is State.REFUSED:
        raise NotApplicable("closed", "the UDP port is closed")
    if found.answers is State.ACCEPTED:
        return found
    if seen.service == "turn":
        # Not promised there: whether it is meant to be only the configuration tells.
        yield Open(
            "unpromised",
            "no DTLS was answered, which proves nothing; the configuration tells",
            cause=Reason.TO_DECLARE,
        )
    else:
        yield Open(
            "silent",
            "{transport}: nothing was answered, which proves nothing",
            cause=found.detail or "not_settled",
            transport=_name(Transport.DTLS),
        )
    return None


def _suites(seen: TurnObservation, bad: Callable[[str], bool]) -> Problems:
    found = yield from _dtls(seen)
    for version, state in found.versions.items() if found else ():
        assert found is not None
        if state is State.UNKNOWN and any(bad(name) for name in _known(version)):
            yield Open("version", "{version}: not settled whether it is accepted", version=version)
        for name in found.suites.get(version, ()):
            if bad(name):
                yield Problem(
                    "accepted", "{version} {suite} is accepted", version=version, suite=name
                )
        for name in found.unknown.get(version, ()):
            if bad(name):
                yield Open(
                    "unsettled",
                    "{version} {suite}: not settled whether it is accepted",
                    version=version,
                    suite=name,
                )


def _known(version: DtlsVersion) -> Iterator[str]:
    like = version.like.rank
    return (s.name for s in SUITES if s.lowest.rank <= like <= s.highest.rank)


def _name(transport: Transport) -> str:
    return transport.upper()
