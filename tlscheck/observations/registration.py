"""What a registry says of a domain: read from RDAP (RFC 9083) and WHOIS, contacts left out."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, timezone
from enum import StrEnum
from typing import Any

import idna

from tlscheck.model import Observation, State
from tlscheck.wire import whois

JST = timezone(timedelta(hours=9))
MOST_VALUES = 32
"""How many name servers, statuses or events of a record are kept."""


STATUSES = frozenset(
    """
    validated|renew prohibited|update prohibited|transfer prohibited|delete prohibited|proxy|private
    removed|obscured|associated|active|inactive|locked|pending create|pending renew|pending transfer
    pending update|pending delete|add period|auto renew period|client delete prohibited|client hold
    client renew prohibited|client transfer prohibited|client update prohibited|pending restore
    redemption period|renew period|server delete prohibited|server renew prohibited
    server transfer prohibited|server update prohibited|server hold|transfer period|administrative
    reserved|ok|linked|registered
    connected|hold|suspended|to be suspended|deleted|to be deleted|renamed|user-reserved
    advance-registered|negotiated
    """.replace("\n", "|")
    .replace("    ", "")
    .split("|")
) - {""}
"""The status words that are known, in lower case: RDAP's (IANA's RDAP JSON values; ``ok`` and
``linked`` are EPP's), and JPRS's.
"""
JPRS_LOCKS = frozenset({"AgentChangeLocked", "DomainTransferLocked"})


def is_known(status: str) -> bool:
    """Whether it is known what a status word means."""
    return status.casefold() in STATUSES


class Layout(StrEnum):
    """How a registry states its records, and what its dates and locks mean."""

    RDAP = "rdap"
    ICANN = "icann"
    """WHOIS in the layout that ICANN prescribed, or one that resembles it."""
    GENERAL_USE = "general_use"
    """JPRS: ``EXAMPLE.JP`` and the prefecture type."""
    ATTRIBUTE_TYPE = "attribute_type"
    """JPRS: ``EXAMPLE.CO.JP`` and the geographic type."""


class Lock(StrEnum):
    """What a lock keeps from happening."""

    TRANSFER = "transfer"
    DELETE = "delete"
    UPDATE = "update"


@dataclass(frozen=True, slots=True)
class Event:
    """Something that befell a registration (RFC 9083, section 4.5)."""

    action: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Record:
    """What one registry says of one domain."""

    domain: str
    """The registrable domain, A-labels."""
    server: str
    """Who answered: a WHOIS host or an RDAP URL."""
    asked: datetime
    """When; earlier than the look where the answer was kept from before."""
    layout: Layout
    registered: State = State.ACCEPTED
    """``refused``: the registry says that there is no such registration."""
    statuses: tuple[str, ...] = ()
    """RDAP's words, or JPRS's own."""
    locks: tuple[str, ...] = ()
    """JPRS's lock words."""
    registrar: str = ""
    registrar_id: str = ""
    holder: tuple[str, ...] = ()
    """The organisation's names, in each language that is published; empty where none is."""
    created: date | None = None
    """As the registry counts days."""
    expires: date | None = None
    updated: datetime | None = None
    unstated: tuple[str, ...] = ()
    """What the record names and leaves empty: ``created`` of names older than the registry."""
    events: tuple[Event, ...] = ()
    name_servers: tuple[str, ...] = ()
    ds: tuple[str, ...] = ()
    """Key tag, algorithm and digest type of each, as ``63574 8 2``."""
    text: str = ""
    """The answer without personal contacts."""

    @property
    def at_jprs(self) -> bool:
        """Whether JPRS's rules hold: a year at a time, to a month's end, renewed by itself."""
        return self.layout in (Layout.GENERAL_USE, Layout.ATTRIBUTE_TYPE)

    def locked(self, lock: Lock) -> State:
        """Whether the registration is locked against that. ``unknown`` where nothing tells."""
        if self.at_jprs:
            return self._locked_at_jprs(lock)
        words = {f"client {lock} prohibited", f"server {lock} prohibited"}
        if words.intersection(self.statuses):
            return State.ACCEPTED
        return State.REFUSED if self.statuses else State.UNKNOWN

    def _locked_at_jprs(self, lock: Lock) -> State:
        # An attribute-type name is locked by AgentChangeLocked alone: no sample has more.
        agent = {"AgentChangeLocked"}
        needed = agent if self.layout is Layout.ATTRIBUTE_TYPE else JPRS_LOCKS
        if lock is Lock.TRANSFER and needed <= set(self.locks):
            return State.ACCEPTED
        # JPRS has no other lock but its registry lock, and how that is shown is not published: a
        # word that is not known may be that, or say that there is none.
        unknown = lock is not Lock.TRANSFER or set(self.locks) - JPRS_LOCKS
        return State.UNKNOWN if unknown else State.REFUSED


@dataclass(frozen=True, slots=True)
class Declared:
    """What the operator says of a domain, in ``[domain]`` of the configuration."""

    holder: tuple[str, ...] = ()
    registrar: tuple[str, ...] = ()
    """Any of these spellings."""
    name_servers: tuple[str, ...] = ()
    in_use_since: date | None = None

    @property
    def compared(self) -> bool:
        """Whether it says anything that a registry does too."""
        return bool(self.holder or self.registrar or self.name_servers)


@dataclass(frozen=True, slots=True)
class Shown:
    """A certificate that an endpoint of the domain shows, as far as it tells about the holder."""

    host: str
    sha256: str
    not_before: datetime | None
    organisation: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class RegistrationObservation(Observation):
    """The registration of the domain that the targets' names stand under."""

    record: Record
    declared: Declared | None = None
    before: Record | None = None
    """The record of an earlier scan."""
    delegated: State = State.UNKNOWN
    """Whether the parent zone has a delegation; ``refused``: it says there is no such name."""
    certificates: tuple[Shown, ...] | None = None
    """Of the endpoints under the domain; ``None`` where none was looked at."""


class UnreadableError(ValueError):
    """An answer that is none of what a registry says, or not about what was asked."""


# ---- RDAP ------------------------------------------------------------------------------------


def from_rdap(
    body: bytes, domain: str, server: str, asked: datetime, *, contacts: bool = False
) -> Record:
    """The record in an RDAP answer to *domain* (RFC 9083, section 5.3). UnreadableError."""
    try:
        answer = json.loads(body)
    except (ValueError, RecursionError):
        raise UnreadableError("not JSON") from None
    if not isinstance(answer, dict) or answer.get("objectClassName") != "domain":
        raise UnreadableError("no domain object")
    if _text(answer.get("ldhName")).rstrip(".").lower() != domain:
        raise UnreadableError("another domain than the one asked for")
    events = tuple(_events(answer))
    days = {event.action: event.at for event in reversed(events)}
    registrar, holder = _entity(answer, "registrar"), _entity(answer, "registrant")
    # Of several ends that contradict each other the first.
    created, expires = days.get("registration"), _earliest(events, "expiration")
    secure = answer.get("secureDNS")
    return Record(
        domain=domain,
        server=server,
        asked=asked,
        layout=Layout.RDAP,
        statuses=_some(_status(word) for word in _words(answer.get("status"))),
        registrar=_vcard(registrar, "fn") or _text(registrar.get("handle")),
        registrar_id=_iana_id(registrar),
        holder=_told(_vcard(holder, "org")),
        created=created.date() if created else None,
        expires=expires.date() if expires else None,
        updated=days.get("last changed"),
        events=events,
        name_servers=_some(sorted(_hosts(answer))),
        ds=_some(sorted(_ds(secure))),
        text=json.dumps(
            answer if contacts else _without_contacts(answer), ensure_ascii=False, sort_keys=True
        ),
    )


def _earliest(events: Iterable[Event], action: str) -> datetime | None:
    return min((event.at for event in events if event.action == action), default=None)


def _events(answer: Mapping[str, Any]) -> Iterable[Event]:
    for event in _list(answer.get("events"))[:MOST_VALUES]:
        if isinstance(event, dict):
            when = _moment(_text(event.get("eventDate")))
            if when is not None:
                yield Event(_text(event.get("eventAction")).lower(), when)


def _hosts(answer: Mapping[str, Any]) -> set[str]:
    names = (
        _text(host.get("ldhName"))
        for host in _list(answer.get("nameservers"))
        if isinstance(host, dict)
    )
    return {name.rstrip(".").lower() for name in names if name}


def _ds(secure: object) -> Iterable[str]:
    for ds in _list(secure.get("dsData")) if isinstance(secure, dict) else []:
        if isinstance(ds, dict):
            yield f"{ds.get('keyTag')} {ds.get('algorithm')} {ds.get('digestType')}"[:40]


def _entity(answer: Mapping[str, Any], role: str) -> dict[str, Any]:
    """The first entity that has the *role*; empty where none has."""
    for entity in _list(answer.get("entities")):
        if isinstance(entity, dict) and role in _list(entity.get("roles")):
            return entity
    return {}


def _vcard(entity: Mapping[str, Any], name: str) -> str:
    """The property *name* of the entity's jCard (RFC 7095); empty where it has none."""
    card = _list(entity.get("vcardArray"))
    for row in _list(card[1]) if len(card) == 2 else []:
        if isinstance(row, list) and len(row) >= 4 and row[0] == name:
            value = row[3][0] if isinstance(row[3], list) and row[3] else row[3]
            return _text(value)
    return ""


_HIDDEN = re.compile(
    r"redacted|not disclosed|non-public data|gdpr|data protected|statutory masking", re.IGNORECASE
)


def _told(*names: str) -> tuple[str, ...]:
    """The names that tell something: not those that say that it is hidden."""
    return _some(name for name in names if not _HIDDEN.search(name))


def _iana_id(entity: Mapping[str, Any]) -> str:
    for public in _list(entity.get("publicIds")):
        if isinstance(public, dict) and "IANA" in _text(public.get("type")):
            return _text(public.get("identifier"))
    return ""


def _without_contacts(answer: Mapping[str, Any]) -> dict[str, Any]:
    """*answer* with entities cut down to their roles and organisations, and no free text."""
    kept = {k: v for k, v in answer.items() if k not in ("entities", "remarks", "notices")}
    kept["entities"] = [
        {
            "roles": _list(entity.get("roles")),
            "publicIds": _list(entity.get("publicIds")),
            "org": _vcard(entity, "org"),
            **({"fn": _vcard(entity, "fn")} if "registrar" in _list(entity.get("roles")) else {}),
        }
        for entity in _list(answer.get("entities"))
        if isinstance(entity, dict)
    ]
    return kept


# ---- WHOIS -----------------------------------------------------------------------------------

_JPRS: Mapping[str, str] = {
    "ドメイン名": "domain",
    "Domain Name": "domain",
    "登録者名": "holder",
    "Registrant": "holder",
    "組織名": "holder",
    "Organization": "holder",
    "ネームサーバ": "name_server",
    "Name Server": "name_server",
    "署名鍵": "ds",
    "Signing Key": "ds",
    "登録年月日": "created",
    "Created on": "created",
    "Registered Date": "created",
    "有効期限": "expires",
    "Expires on": "expires",
    "状態": "status",
    "Status": "status",
    "State": "status",
    "ロック状態": "lock",
    "Lock Status": "lock",
    "最終更新": "updated",
    "Last Updated": "updated",
    "Last Update": "updated",
    "接続年月日": "connected",
    "Connected Date": "connected",
    "組織種別": "kind",
    "Organization Type": "kind",
    "ネットワークサービス名": "service",
    "Network Service Name": "service",
}
"""What JPRS's labels stand for; what is not here is not kept."""

_SEVERAL = re.compile(r"[\s,、]+")
_STATE = re.compile(r"(.*?)\s*\((\d{4}/\d\d/\d\d)\)")


def from_jprs(
    answer: bytes, domain: str, server: str, asked: datetime, *, contacts: bool = False
) -> Record:
    """The record in a reply of JPRS's WHOIS, either layout. UnreadableError."""
    text = whois.text(answer)
    entries = [(_JPRS[e.name], e) for e in whois.jprs(text) if e.name in _JPRS]
    values: dict[str, list[str]] = {}
    for name, entry in entries:
        values.setdefault(name, []).append(entry.value)
    if whois.jprs_knows_none(text):
        if entries:
            raise UnreadableError("no match and a record at once")
        return Record(domain, server, asked, Layout.GENERAL_USE, State.REFUSED, text="No match!!")
    if domain not in map(_ascii, values.get("domain", ())):
        raise UnreadableError("no record of the domain asked for")
    if whois.jprs_records(text) > 1:
        raise UnreadableError("more than one record")
    if "updated" not in values:  # it stands last in either layout
        raise UnreadableError("cut off before its end")
    if not (states := [status for status in values.get("status", ()) if status]):
        raise UnreadableError("no status")
    split = [_STATE.fullmatch(status) for status in states]
    words = [found[1] if found else state for found, state in zip(split, states, strict=True)]
    until = split[0][2] if split[0] else _first(values, "expires")
    general = "expires" in values
    kept = "\n".join(f"[{entry.name}] {entry.value}".rstrip() for _, entry in entries)
    return Record(
        domain=domain,
        server=server,
        asked=asked,
        layout=Layout.GENERAL_USE if general else Layout.ATTRIBUTE_TYPE,
        statuses=_some(words),
        locks=_some(word for line in values.get("lock", ()) for word in _SEVERAL.split(line)),
        holder=_some(filter(None, values.get("holder", ()))),
        created=_day(_first(values, "created")),
        expires=_day(until),
        updated=_jst(_first(values, "updated")),
        unstated=("created",) if "created" in values and not _first(values, "created") else (),
        name_servers=_some(sorted(_lower(values.get("name_server", ())))),
        ds=_some(sorted(" ".join(d.split()[:3]) for d in values.get("ds", ()) if d)),
        text=text if contacts else kept,
    )


_CAMEL = re.compile(r"(?<=[a-z])(?=[A-Z])")
_ICANN_KEPT = (
    "domain name",
    "domain",
    "registrar",
    "registrar iana id",
    "creation date",
    "created",
    "registered",
    "registry expiry date",
    "registrar registration expiration date",
    "expiry date",
    "expires",
    "expiration date",
    "paid-till",
    "updated date",
    "last updated",
    "last modified",
    "domain status",
    "status",
    "state",
    "name server",
    "nserver",
    "nameserver",
    "dnssec",
    "registrant organization",
)
"""The names of lines that are kept, of which the first that is there counts."""


def from_whois(
    answer: bytes, domain: str, server: str, asked: datetime, *, contacts: bool = False
) -> Record:
    """The record in a WHOIS reply of ICANN's layout or one like it. UnreadableError."""
    text = whois.text(answer)
    entries = [e for e in whois.pairs(text) if e.name in _ICANN_KEPT]
    values: dict[str, list[str]] = {}
    for entry in entries:
        values.setdefault(entry.name, []).append(entry.value)
    names = [*values.get("domain name", ()), *values.get("domain", ())]
    if not names and whois.knows_none(text):
        return Record(domain, server, asked, Layout.ICANN, State.REFUSED, text=_no_match(text))
    if domain not in map(_ascii, names):
        raise UnreadableError("no record of the domain asked for")
    statuses = _any(values, "domain status", "status", "state")
    created = _moment(_one(values, "creation date", "created", "registered"))
    ends = [_moment(end) for end in _any(values, *_ENDS)]
    expires = min((end for end in ends if end), default=None)
    hosts = (value.split()[0] for value in _any(values, "name server", "nserver", "nameserver"))
    return Record(
        domain=domain,
        server=server,
        asked=asked,
        layout=Layout.ICANN,
        statuses=_some(_status(value) for value in statuses),
        registrar=_one(values, "registrar"),
        registrar_id=_one(values, "registrar iana id"),
        holder=_told(*values.get("registrant organization", ())),
        created=created.date() if created else None,
        expires=expires.date() if expires else None,
        updated=_moment(_one(values, "updated date", "last updated", "last modified")),
        name_servers=_some(sorted(_lower(hosts))),
        text=text if contacts else "\n".join(f"{e.name}: {e.value}" for e in entries),
    )


_ENDS = (
    "registry expiry date",
    "expiry date",
    "expires",
    "expiration date",
    "paid-till",
    "registrar registration expiration date",
)


def _no_match(text: str) -> str:
    return next((line.strip() for line in text.split("\n") if whois.knows_none(line)), "")[:200]


def _status(value: str) -> str:
    """An EPP status as RDAP spells it (RFC 8056): ``clientTransferProhibited`` is three words."""
    word = value.split()[0] if "http" in value else value
    return _CAMEL.sub(" ", word).lower()


# ---- parts -----------------------------------------------------------------------------------


def _text(value: object) -> str:
    return " ".join(value.split())[:300] if isinstance(value, str) else ""


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def _words(value: object) -> Iterable[str]:
    return (_text(word) for word in _list(value) if _text(word))


def _some(values: Iterable[str]) -> tuple[str, ...]:
    plain = (" ".join(value.split())[:300] for value in values)
    return tuple(dict.fromkeys(filter(None, plain)))[:MOST_VALUES]


def _lower(values: Iterable[str]) -> set[str]:
    return {value.rstrip(".").lower() for value in values if value}


def _ascii(name: str) -> str:
    """*name* as A-labels; empty where it is none."""
    name = name.strip().rstrip(".").lower()
    if name.isascii():
        return name
    try:
        return idna.encode(name).decode("ascii")
    except UnicodeError:
        return ""


def _first(values: Mapping[str, list[str]], name: str) -> str:
    return next(iter(values.get(name, ())), "")


def _one(values: Mapping[str, list[str]], *names: str) -> str:
    return next((found for name in names if (found := _first(values, name))), "")


def _any(values: Mapping[str, list[str]], *names: str) -> list[str]:
    return next((values[name] for name in names if name in values), [])


def _day(text: str) -> date | None:
    try:
        return datetime.strptime(text, "%Y/%m/%d").replace(tzinfo=JST).date()
    except ValueError:
        return None


def _jst(text: str) -> datetime | None:
    try:
        found = datetime.strptime(text, "%Y/%m/%d %H:%M:%S (JST)").replace(tzinfo=JST)
    except ValueError:
        return None
    return found.astimezone(UTC)


_FORMS = ("%Y-%m-%d", "%d-%b-%Y", "%Y/%m/%d", "%Y.%m.%d", "%d.%m.%Y", "%Y-%m-%d %H:%M:%S")


def _moment(text: str) -> datetime | None:
    """A time as registries write it; without a zone it is UTC."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        pass
    else:
        return found.astimezone(UTC) if found.tzinfo else found.replace(tzinfo=UTC)
    for form in _FORMS:
        try:
            return datetime.strptime(text, form).replace(tzinfo=UTC)
        except ValueError:
            continue
    return None
