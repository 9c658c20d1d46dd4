"""Whether a domain is held as it should be: its registration now, and against what it was."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from tlscheck.model import Evidence, Note, Open, Problem, State, Value
from tlscheck.observations.registration import (
    JPRS_LOCKS,
    JST,
    Declared,
    Lock,
    Record,
    RegistrationObservation,
    is_known,
)
from tlscheck.rules.core import NotApplicable, Problems, rule


def _registered(seen: RegistrationObservation) -> Record:
    """The record, unless there is no registration that could be judged."""
    if seen.record.registered is State.REFUSED:
        raise NotApplicable("unregistered", "the registry knows no such registration")
    return seen.record


@rule("RFC 9083, section 5.3")
def registered(seen: RegistrationObservation) -> Problems:
    """The domain is registered.

    A name without a registration is free for anybody, who then gets its mail and valid certificates
    for it. Register it at once if it is yours, or give up its use everywhere.
    """
    record = seen.record
    yield _asked(record)
    if record.registered is State.ACCEPTED:
        return
    if record.registered is State.UNKNOWN:
        yield Open("unseen", "whether {domain} is registered is not known", domain=record.domain)
        return
    if seen.delegated is State.ACCEPTED:
        yield Open(
            "contradiction",
            "{server} knows no registration of {domain}, and yet it is delegated",
            server=record.server,
            domain=record.domain,
        )
        return
    yield Problem(
        "unregistered",
        "{server} knows no registration of {domain}",
        server=record.server,
        domain=record.domain,
    )


def _asked(record: Record) -> Note:
    return Note(
        "asked",
        "{server} answered for {domain} at {moment}",
        server=record.server,
        domain=record.domain,
        moment=record.asked.isoformat().replace("+00:00", "Z"),
    )


@dataclass(frozen=True, slots=True)
class Statuses:
    """Words of a registry; every other word is not told apart."""

    bad: tuple[str, ...]
    """That a registration must not have."""
    good: tuple[str, ...]
    """That say nothing against it."""


@rule("EPP status codes (RFC 5731, RFC 3915); JPRS, life cycle of a domain name")
def deletion(seen: RegistrationObservation, want: Statuses) -> Problems:
    """The registration is not on its way to being deleted.

    What has been deleted can, after some weeks, be registered by anybody. Have the registrar
    restore it today: the time in which that is possible is short.
    """
    record = _registered(seen)
    yield from _stated(record)
    for word in record.statuses:
        if _among(word, want.bad):
            yield Problem("deletion", "status of {domain}: {status}", **_of(record, word))


@rule("EPP status codes (RFC 5731); JPRS, status of a domain name")
def in_service(seen: RegistrationObservation, want: Statuses) -> Problems:
    """The registration is in service, and not on hold, reserved or renamed.

    A registration on hold is taken out of the DNS, a renamed one lapses. Ask the registrar why, and
    have the cause removed.
    """
    record = _registered(seen)
    yield from _stated(record)
    for word in record.statuses:
        if _among(word, want.bad):
            yield Problem("status", "status of {domain}: {status}", **_of(record, word))
        elif is_known(word) and not _among(word, want.good):
            yield Open(
                "status-open",
                "status of {domain}: {status}; whether that is in service is not known",
                **_of(record, word),
            )


def _stated(record: Record) -> Iterator[Evidence]:
    """What stays open for want of status words, or of their meaning."""
    if not record.statuses:
        yield Open("no-status", "the registry states no status of {domain}", domain=record.domain)
    for word in record.statuses:
        if not is_known(word):
            yield Open(
                "status-not-known",
                "status of {domain}: {status}, whose meaning is not known",
                **_of(record, word),
            )


def _among(word: str, words: Iterable[str]) -> bool:
    """Whether a status word is one of *words*, in whatever case it is written."""
    return word.casefold() in {other.casefold() for other in words}


def _of(record: Record, status: str) -> dict[str, str]:
    return {"domain": record.domain, "status": status}


@dataclass(frozen=True, slots=True)
class Expiry:
    """When a registration that does not renew itself is near its end."""

    days: int
    """That must be left."""
    grace: int
    """Days after the end during which a registry may not have shown the renewal yet."""


@rule("RFC 9083, section 4.5; JPRS, renewal of a domain name")
def expiry(seen: RegistrationObservation, want: Expiry) -> Problems:
    """The registration does not run out soon.

    A lapsed domain is soon somebody else's. Renew it, and switch automatic renewal on. A name under
    .jp renews itself at the end of its month, so a near end is no alarm there.
    """
    record = _registered(seen)
    if record.expires is None:
        yield Open("no-expiry", "the registry states no end of {domain}", domain=record.domain)
        return
    today = seen.at.astimezone(JST if record.at_jprs else seen.at.tzinfo).date()
    left = (record.expires - today).days
    date = record.expires.isoformat()
    values: dict[str, Value] = {"domain": record.domain, "date": date, "days": left}
    if left < 0 and (not record.at_jprs or -left > want.grace):
        yield Problem("expired", "{domain} ran out on {date}", **values)
    elif left < want.days and not record.at_jprs:
        yield Problem("expiry", "{domain} runs out on {date}, in {days} days", **values)
    else:
        yield Note("expiry", "{domain} is registered until {date}", **values)


@rule("RFC 5731, section 2.3; JPRS, lock of transfers and of agent changes")
def transfer_lock(seen: RegistrationObservation) -> Problems:
    """The registration is locked against transfers.

    Without a lock, whoever gets hold of the transfer code or of the account can move the domain
    away. Switch the transfer lock on at the registrar; under .jp, the lock of agent changes and,
    for general-use names, that of domain transfers too.
    """
    record = _registered(seen)
    state = record.locked(Lock.TRANSFER)
    if state is State.REFUSED:
        yield Problem(
            "no-transfer-lock",
            "{domain} is not locked against transfers; it has: {locks}",
            domain=record.domain,
            locks=(record.locks if record.at_jprs else record.statuses) or ("-",),
        )
    elif state is State.UNKNOWN:
        yield _locks_unseen(record)
    else:
        yield Note(
            "locked",
            "locks of {domain}: {locks}",
            domain=record.domain,
            locks=record.locks or tuple(s for s in record.statuses if s.endswith(" prohibited")),
        )


def _locks_unseen(record: Record) -> Open:
    if record.locks:
        return Open(
            "lock-not-known",
            "locks of {domain}: {locks}, whose meaning is not known",
            domain=record.domain,
            locks=record.locks,
        )
    return Open("locks", "the registry does not tell the locks of {domain}", domain=record.domain)


@rule("RFC 5731, section 2.3")
def change_locks(seen: RegistrationObservation) -> Problems:
    """The registration is locked against deletion and changes.

    These locks keep a stolen account from deleting the domain or moving its name servers at once.
    Switch them on at the registrar, or use the registry's own lock. How JPRS shows its registry
    lock is not known, so nothing is said of names under .jp without it.
    """
    record = _registered(seen)
    states = {lock: record.locked(lock) for lock in (Lock.DELETE, Lock.UPDATE)}
    if record.at_jprs and JPRS_LOCKS.issuperset(record.locks):
        raise NotApplicable("jprs", "JPRS shows no locks of this kind")
    for lock, state in states.items():
        if state is State.REFUSED:
            yield Problem(
                f"no-{lock}-lock", "{domain}: {lock} is missing", domain=record.domain, lock=lock
            )
        elif state is State.UNKNOWN:
            yield _locks_unseen(record)


@dataclass(frozen=True, slots=True)
class Moves:
    """What a transfer looks like."""

    pending: tuple[str, ...]
    """Status words of one that is going on."""
    recent: tuple[str, ...]
    """Status words of one that is just over."""
    events: tuple[str, ...]
    days: int
    """For how long after it an event is recent."""


@rule("RFC 9083, section 4.5; RFC 8056")
def transfer(seen: RegistrationObservation, want: Moves) -> Problems:
    """No transfer is going on, and none was lately.

    Where nobody of yours asked for a transfer, somebody is taking the domain: go to the registrar
    at once. Where it was meant, keep the record of it; the finding ends by itself.
    """
    record = _registered(seen)
    yield from _stated(record)
    for word in record.statuses:
        if _among(word, want.pending):
            yield Problem(
                "pending", "a transfer of {domain} is going on: {status}", **_of(record, word)
            )
        elif _among(word, want.recent):
            yield Problem(
                "recent", "a transfer of {domain} is just over: {status}", **_of(record, word)
            )
    for event in record.events:
        if event.action in want.events and seen.at - event.at < timedelta(days=want.days):
            yield Problem(
                "event",
                "{domain}: {event} on {date}",
                domain=record.domain,
                event=event.action,
                date=event.at.date().isoformat(),
            )
    yield from _hints(record, seen.at, want)


def _hints(record: Record, at: datetime, want: Moves) -> Iterator[Evidence]:
    """What may come of a transfer, and proves none."""
    created, expires, updated = record.created, record.expires, record.updated
    if record.at_jprs and created and expires and created.month != expires.month:
        yield Note(
            "months",
            "{domain} was registered on {created} and ends on {expires}: months that differ may"
            " come of a transfer",
            domain=record.domain,
            created=created.isoformat(),
            expires=expires.isoformat(),
        )
    told = any(event.action in want.events for event in record.events)
    recent = updated is not None and at - updated < timedelta(days=want.days)
    if updated and recent and not told and not (record.at_jprs and _is_batch(record)):
        yield Open(
            "updated",
            "{domain} was changed at {moment}; whether by a transfer, the registry does not tell",
            cause="open_question",
            domain=record.domain,
            moment=updated.isoformat().replace("+00:00", "Z"),
        )


def _is_batch(record: Record) -> bool:
    """Whether the last change was JPRS's renewal, in the first hours of the month after the end."""
    changed = record.updated.astimezone(JST) if record.updated else None
    end = record.expires
    if changed is None or end is None:
        return False
    return changed.day == 1 and changed.hour < 6 and changed.month == end.month % 12 + 1


@dataclass(frozen=True, slots=True)
class Young:
    """What makes a registration a young one."""

    days: int
    """Registered for less than that, unless the configuration says since when it is in use."""
    events: tuple[str, ...]
    """That begin a registration anew."""


@rule("RFC 9083, section 4.5")
def age(seen: RegistrationObservation, want: Young) -> Problems:
    """The registration is as old as the use of the domain.

    A registration younger than the service means that the domain lapsed, or changed hands, in
    between. If it is new indeed, write since when it is in use as ``in_use_since`` in the
    configuration.
    """
    record = _registered(seen)
    for event in record.events:
        if event.action in want.events:
            yield Problem(
                "anew",
                "{domain}: {event} on {date}",
                domain=record.domain,
                event=event.action,
                date=event.at.date().isoformat(),
            )
    since = seen.declared.in_use_since if seen.declared else None
    if record.created is None:
        if "created" in record.unstated:  # older than the registry's own records
            yield Note("unstated", "the registry leaves the day of registration empty")
        else:
            yield Open(
                "no-creation", "the registry states no beginning of {domain}", domain=record.domain
            )
        return
    values = {"domain": record.domain, "created": record.created.isoformat()}
    if since is not None and record.created > since:
        yield Problem(
            "later-than-use",
            "{domain} was registered on {created}, and is in use since {since}",
            since=since.isoformat(),
            **values,
        )
    elif since is None and (seen.at.date() - record.created).days < want.days:
        yield Problem("young", "{domain} was registered as late as {created}", **values)
    else:
        yield Note("created", "{domain} is registered since {created}", **values)


@rule("What the operator declares; an earlier scan")
def unchanged(seen: RegistrationObservation) -> Problems:
    """Holder, registrar and name servers are those that were declared or seen before.

    A change that nobody of yours made is a hijacked domain: go to the registrar. After a change
    that was meant, correct ``[domain]`` in the configuration, or compare with a newer scan.
    """
    record = _registered(seen)
    declared = seen.declared if seen.declared and seen.declared.compared else None
    if declared is None and seen.before is None:
        raise NotApplicable(
            "no-baseline",
            "nothing was declared of {domain} and no earlier scan of it was given: one look cannot"
            " tell whether it was moved",
            domain=record.domain,
        )
    if declared is not None:
        yield from _against_declared(record, declared)
    if seen.before is not None:
        yield from _against_before(record, seen.before)


def _against_declared(record: Record, declared: Declared) -> Iterator[Evidence]:
    if declared.holder:
        if not record.holder:
            yield _holder_hidden(record.domain)
        elif not _alike(record.holder, declared.holder):
            yield Problem(
                "holder",
                "the holder of {domain} is {now}, declared is {declared}",
                domain=record.domain,
                now=record.holder,
                declared=declared.holder,
            )
    if declared.registrar:
        shown = tuple(filter(None, (record.registrar, record.registrar_id)))
        if not shown:
            yield _registrar_hidden(record.domain)
        elif not _alike(shown, declared.registrar):
            yield Problem(
                "registrar",
                "the registrar of {domain} is {now}, declared is {declared}",
                domain=record.domain,
                now=shown,
                declared=declared.registrar,
            )
    wanted = tuple(sorted(name.rstrip(".").lower() for name in declared.name_servers))
    if wanted and not record.name_servers:
        yield _name_servers_hidden(record.domain)
    elif wanted and wanted != record.name_servers:
        yield Problem(
            "name-servers",
            "the name servers of {domain} are {now}, declared are {declared}",
            domain=record.domain,
            now=record.name_servers or ("-",),
            declared=wanted,
        )


def _against_before(record: Record, before: Record) -> Iterator[Evidence]:
    if before.registered is not State.ACCEPTED:
        yield Problem("reappeared", "{domain} was not registered before", domain=record.domain)
        return
    domain, holder = record.domain, record.holder
    if not (holder and before.holder and _alike(holder, before.holder)):
        yield from _compared(
            holder,
            before.holder,
            Problem(
                "holder-changed",
                "the holder of {domain} is {now}, before it was {before}",
                **_both(domain, holder, before.holder),
            ),
            _holder_hidden(domain),
        )
    now, then = _registrar(record), _registrar(before)
    yield from _compared(
        now,
        then,
        Problem(
            "registrar-changed",
            "the registrar of {domain} is {now}, before it was {before}",
            **_both(domain, now, then),
        ),
        _registrar_hidden(domain),
    )
    yield from _compared(
        record.name_servers,
        before.name_servers,
        Problem(
            "name-servers-changed",
            "the name servers of {domain} are {now}, before they were {before}",
            **_both(domain, record.name_servers, before.name_servers),
        ),
        _name_servers_hidden(domain),
    )
    if record.created != before.created:
        yield Problem(
            "created-changed",
            "the registration of {domain} begins on {now}, before it began on {before}",
            domain=record.domain,
            now=str(record.created or "-"),
            before=str(before.created or "-"),
        )


def _compared(
    now: tuple[str, ...], then: tuple[str, ...], problem: Problem, hidden: Open
) -> Iterator[Evidence]:
    """The *problem* where both were told and differ, *hidden* where one was not told."""
    if bool(now) != bool(then):
        yield hidden
    elif now != then:
        yield problem


def _registrar(record: Record) -> tuple[str, ...]:
    return tuple(filter(None, (record.registrar_id or record.registrar,)))


def _holder_hidden(domain: str) -> Open:
    return Open(
        "holder-hidden",
        "the registry does not tell the holder of {domain}",
        cause="open_question",
        domain=domain,
    )


def _registrar_hidden(domain: str) -> Open:
    return Open(
        "registrar-hidden",
        "the registry does not tell the registrar of {domain}",
        cause="open_question",
        domain=domain,
    )


def _name_servers_hidden(domain: str) -> Open:
    return Open(
        "name-servers-hidden",
        "the registry does not tell the name servers of {domain}",
        cause="open_question",
        domain=domain,
    )


def _both(domain: str, now: tuple[str, ...], before: tuple[str, ...]) -> dict[str, Value]:
    return {"domain": domain, "now": now or ("-",), "before": before or ("-",)}


@rule("RFC 9083, section 4.5; RFC 5280, section 4.1.2.5")
def certificate_age(seen: RegistrationObservation) -> Problems:
    """No certificate in use is older than the registration.

    A certificate from before the registration was issued to whoever held the name then, who may
    still have its key. Have it revoked and use one that was issued after the registration.
    """
    record = _registered(seen)
    if seen.certificates is None:
        raise NotApplicable("not-looked-at", "no certificate was looked at")
    if record.created is None:
        if "created" in record.unstated:
            return
        yield Open(
            "no-creation", "the registry states no beginning of {domain}", domain=record.domain
        )
        return
    for shown in seen.certificates:
        if shown.not_before is not None and shown.not_before.date() < record.created:
            yield Problem(
                "older",
                "{host} shows a certificate from {date}, and {domain} was registered on {created}",
                host=shown.host,
                date=shown.not_before.date().isoformat(),
                domain=record.domain,
                created=record.created.isoformat(),
            )


@rule("RFC 9083, section 5.1; CA/Browser Forum Baseline Requirements, section 7.1.2.7")
def holder(seen: RegistrationObservation) -> Problems:
    """The holder of the domain is the organisation that the certificates name.

    A holder that differs from the one in the certificate may be a firm that registers in its own
    name, or a stranger. Have the registration put right, or declare the holder in the
    configuration.
    """
    record = _registered(seen)
    named = [c for c in seen.certificates or () if c.organisation]
    if not named:
        raise NotApplicable("no-organization", "no certificate that was seen names an organisation")
    if not record.holder:
        yield _holder_hidden(record.domain)
        return
    known = (*record.holder, *(seen.declared.holder if seen.declared else ()))
    for shown in named:
        if _alike(known, (shown.organisation,)):
            continue
        values: dict[str, Value] = {
            "domain": record.domain,
            "holder": record.holder,
            "host": shown.host,
            "organisation": shown.organisation,
        }
        if any(_is_latin(name) == _is_latin(shown.organisation) for name in known):
            yield Problem(
                "differs",
                "the holder of {domain} is {holder}, the certificate of {host} names"
                " {organisation}",
                **values,
            )
        else:
            yield Open(
                "scripts",
                "the holder of {domain} is {holder}, the certificate of {host} names"
                " {organisation}: not in the same script",
                cause="open_question",
                **values,
            )


_FORMS = re.compile(
    r"株式会社|有限会社|合同会社|医療法人(?:社団|財団)?|一般(?:社団|財団)法人"
    r"|\b(?:co|ltd|inc|corp|corporation|company|limited|llc|kk|k k|gk|g k|plc|gmbh|ag|sa)\b"
)


def _alike(some: Iterable[str], others: Iterable[str]) -> bool:
    """Whether a name is in both, spelling and legal form aside."""
    known = {_plain(name) for name in others} - {""}
    return any(_plain(name) in known for name in some)


def _plain(name: str) -> str:
    text = unicodedata.normalize("NFKC", name).casefold()
    text = re.sub(r"[^\w]+", " ", text.replace("㈱", "株式会社"))
    return re.sub(r"\s+", " ", _FORMS.sub(" ", text)).strip() or text.strip()


def _is_latin(name: str) -> bool:
    return all(ord(c) < 0x250 for c in name)
