"""The look at one endpoint: its TLS, its page, what it answers over UDP."""

from __future__ import annotations

import asyncio
import hashlib
import logging
from collections.abc import Collection, Sequence
from dataclasses import replace
from importlib.metadata import version

from tlscheck import datagrams
from tlscheck.model import Look, Missed, Observation, Place, Reason, Scope, Target, cut_short
from tlscheck.net import Net, now
from tlscheck.observations import kept
from tlscheck.observations.certificate import CertificateObservation, Presented
from tlscheck.observations.exchange import Exchange
from tlscheck.observations.http import HttpObservation, Management
from tlscheck.pipeline.course import Course
from tlscheck.pipeline.order import ENDPOINT_SUBJECTS, Asked, Order, Tell
from tlscheck.probes import certificate, tls
from tlscheck.probes.preamble import preamble
from tlscheck.targets import endpoint_id

_log = logging.getLogger(__name__)

_MOST_OTHERS = 3
"""On how many other names and addresses a session is tried."""

_STRICT, _UPGRADE = 50, "pip install 'cryptography>=50.0.2,<51'"
"""Older releases of cryptography verify hostile chains for minutes (CVE-2026-69249)."""


async def look(
    net: Net,
    asked: Asked,
    place: Place,
    order: Order,
    course: Course,
    gate: asyncio.Semaphore,
    tell: Tell,
) -> Look:
    """All of one endpoint: its TLS, then what is asked over UDP, then what looks like scanning."""
    try:
        entry = await _endpoint(net, asked, place, order, course, gate, tell)
    finally:
        course.tls.end(place)
    try:
        for question in datagrams.questions(entry, place, order.subjects, order.unannounced):
            await course.tls.over(place.address)
            async with course.lane(place.address):
                entry = await _by_datagrams(net, entry, place, question, tell)
        if order.wants_management:
            await course.tls.over(place.address)
            async with gate:
                entry = await _with_management(net, entry, place, order, tell)
        course.seen[place] = entry
    finally:
        course.rest.end(place)
    return entry


async def _endpoint(
    net: Net,
    asked: Asked,
    place: Place,
    order: Order,
    course: Course,
    gate: asyncio.Semaphore,
    tell: Tell,
) -> Look:
    name = endpoint_id(place.service, place.host, place.port, place.address)
    target = Target(name, Scope.ENDPOINT, place, asked.label)
    shown: list[Presented] = []
    means = tls.Means(
        identity=order.identity,
        identity_files=order.identity_files,
        preamble=preamble(place.service, place.host),
        others=tuple(_others(place, course.everywhere)),
        cross_check=order.cross_check,
        plain_port=order.plain_port,
        certify=_certify(net, place, order, shown) if "certificate" in order.subjects else None,
        tell=lambda about, connections: tell(name, about, connections),
    )
    async with gate:
        try:
            found = await net.halt.within(_look(net, place, order, means))
            over = [cut_short(s) for s in order.subjects if s in _over_tls(place)]
            seen, missed, exchanges = found or ({}, over, [])
        except Exception as error:  # noqa: BLE001 - our own mistake costs this target alone
            _log.exception("%s", name)
            subjects = [s for s in order.subjects if s in _over_tls(place)]
            seen, exchanges = {}, []
            missed = [Missed(s, Reason.BUG, type(error).__name__) for s in subjects]
    tell(name, "", net.spent(place))
    raw = course.kept(_raw(exchanges, shown)) if order.keep_raw else {}
    return Look(target, seen, tuple(missed), net.spent(place), raw)


def _raw(exchanges: Sequence[Exchange], shown: Sequence[Presented]) -> dict[str, bytes]:
    """What a look was made of, as files."""
    files = {hashlib.sha256(der).hexdigest() + ".der": der for sent in shown for der in sent.chain}
    if exchanges:
        files["tls.jsonl"] = kept.exchanges(exchanges)
    if shown:
        files["certificate.jsonl"] = kept.presented(shown)
    return files


def _certify(net: Net, place: Place, order: Order, of: list[Presented]) -> tls.Certify:
    at = now()

    def hear(shown: Sequence[Presented]) -> None:
        of[:] = shown

    async def certify(
        shown: Sequence[Presented], kinds: Collection[str], skew: float | None
    ) -> CertificateObservation | Missed:
        return await certificate.probe(
            net,
            place,
            seen=shown,
            key_types=kinds,
            revocation=order.revocation,
            ca_file=order.ca_file,
            clock_skew=skew,
            client_identity=order.identity,
            preamble=preamble(place.service, place.host),
            at=at,
            heard=hear,
        )

    return certify


def _over_tls(place: Place) -> tuple[str, ...]:
    """What is looked at over TLS there."""
    if place.service == "turns":
        return ("tls", "certificate")
    return () if place.service in datagrams.ALONE else ENDPOINT_SUBJECTS


async def _by_datagrams(
    net: Net, entry: Look, place: Place, question: datagrams.Question, tell: Tell
) -> Look:
    """*entry* with what one question over UDP gave."""
    tell(entry.target.id, question.about, entry.connections)
    try:
        found = await net.halt.within(question.ask(net))
        seen, missed = found or ({}, [cut_short(question.subject)])
    except Exception as error:  # noqa: BLE001 - our own mistake costs this alone
        _log.exception("%s", entry.target.id)
        seen, missed = {}, [Missed(question.subject, Reason.BUG, type(error).__name__)]
    tell(entry.target.id, "", net.spent(place))
    return replace(entry, seen={**entry.seen, **seen}, missed=(*entry.missed, *missed))


async def _with_management(net: Net, entry: Look, place: Place, order: Order, tell: Tell) -> Look:
    """*entry* with the pages of management that answer, where exposure is asked about: to whoever
    watches the endpoint it looks like scanning, so it comes after all that is harmless.
    """
    page = entry.seen.get("http")
    if not isinstance(page, HttpObservation):
        return entry
    from tlscheck.probes import management

    tell(entry.target.id, "HTTP", entry.connections)
    try:
        asking = management.look(net, place, order.identity)
        found = await net.halt.within(asking) or Management(stopped=Reason.BUDGET)
    except Exception as error:  # noqa: BLE001 - our own mistake costs this alone
        _log.exception("%s", entry.target.id)
        found = Management(stopped=Reason.BUG, detail=type(error).__name__)
    tell(entry.target.id, "", net.spent(place))
    page = replace(page, management=found)
    return replace(entry, seen={**entry.seen, "http": page}, connections=net.spent(place))


async def _look(
    net: Net, place: Place, order: Order, means: tls.Means
) -> tuple[dict[str, Observation], list[Missed], list[Exchange]]:
    seen: dict[str, Observation] = {}
    order = replace(order, subjects=tuple(s for s in order.subjects if s in _over_tls(place)))
    if not order.subjects:
        return {}, [], []
    # Which certificates there are only the hellos tell.
    whole = "tls" in order.subjects or "certificate" in order.subjects
    tls_look = await (tls.probe if whole else tls.shake)(net, place, means)
    missed = list(tls_look.missed)
    if tls_look.tls and "tls" in order.subjects:
        seen["tls"] = tls_look.tls
    nothing = next((m for m in missed if m.kind == "tls"), None)
    if "http" in order.subjects:
        page = tls_look.http or (nothing and replace(nothing, kind="http"))
        if isinstance(page, HttpObservation):
            seen["http"] = page
        else:
            missed.append(page or Missed("http", Reason.NOT_ASKED))
    if "certificate" in order.subjects:
        shown = tls_look.certificate or (nothing and replace(nothing, kind="certificate"))
        if isinstance(shown, CertificateObservation):
            seen["certificate"] = shown
            if int(version("cryptography").partition(".")[0]) < _STRICT:
                missed.append(Missed("certificate.strict", Reason.CRYPTOGRAPHY, _UPGRADE))
        else:
            missed.append(shown or Missed("certificate", Reason.NOT_ASKED))
    missed = [m for m in missed if m.kind.partition(".")[0] in order.subjects]
    return seen, missed, tls_look.exchanges


def _others(place: Place, everywhere: Sequence[Place]) -> list[Place]:
    """The target's own other addresses, and other targets' names on its address."""
    return [
        other
        for other in dict.fromkeys(everywhere)
        if other != place
        and other.service == place.service
        and (
            (other.host == place.host and other.port == place.port)
            or (other.address == place.address and other.port == place.port)
        )
    ][:_MOST_OTHERS]
