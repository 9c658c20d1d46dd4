"""The configuration file ``tlscheck.toml``: what is scanned, and by which measure.

Reads and checks, and nothing else: whether a target, profile or checklist exists is for those to
say. The user's mistakes end as one `ConfigError` that names the file, the key and the remedy.
"""

from __future__ import annotations

import dataclasses
import difflib
import ipaddress
import json
import re
import tomllib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import date, datetime
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, TypeAdapter, ValidationError
from pydantic_core import ErrorDetails

from tlscheck.config.lines import line_of
from tlscheck.config.watching import (
    Link,
    Mail,
    Metrics,
    Ping,
    Recipient,
    Secret,
    Watch,
    Webhook,
    mailbox,
    relay,
)
from tlscheck.errors import ConfigError
from tlscheck.mistakes import minded, unparsed
from tlscheck.model import Waiver
from tlscheck.text import Phrase

Where = tuple[str | int, ...]
"""Keys, and places in lists, from the top down."""

ALL = "all"
"""Stands for every checklist there is."""

_Name = Annotated[str, Field(min_length=1)]
_Port = Annotated[int, Field(ge=1, le=65535)]
_Anchor = Annotated[str, Field(pattern=r"^[0-9]+ +[0-9]+ +[0-9]+ +[0-9A-Fa-f ]+$")]
_Server = Annotated[str, Field(pattern=r"^([A-Za-z0-9.-]+(:[0-9]+)?|\[[0-9A-Fa-f:]+\](:[0-9]+)?)$")]
_Url = Annotated[str, Field(pattern=r"^https?://[^/\s]+(/\S*)?$")]
_Seconds = Annotated[float, Field(gt=0, le=3600, allow_inf_nan=False)]


@dataclass(frozen=True, slots=True)
class Listed:
    """A target of the file, as text."""

    target: _Name
    label: str = ""
    """What people call it."""


@dataclass(frozen=True, slots=True)
class Budgets:
    """What a scan may spend."""

    connect: _Seconds = 5.0
    """Seconds for one connection."""
    target: _Seconds = 60.0
    """Seconds for the TLS look at one target."""
    parallel: Annotated[int, Field(ge=1, le=256)] = 4
    """Targets at once."""


@dataclass(frozen=True, slots=True)
class Network:
    """Where the names of the world are asked, other than on the internet: split DNS, a review
    without the internet, tests.
    """

    roots: tuple[_Name, ...] = ()
    """The root name servers; empty: the internet's."""
    dns_port: _Port = 53
    """Of every name server whose address says nothing else."""
    trust_anchors: tuple[_Anchor, ...] = ()
    """DS records of the root's key, as ``20326 8 2 E06D…``; empty: IANA's, where `roots` is empty
    too."""
    whois: dict[str, _Server] = field(default_factory=dict)
    """WHOIS servers by TLD, ``*`` for all."""
    rdap: dict[str, _Url] = field(default_factory=dict)
    """RDAP servers by TLD, ``*`` for all."""


@dataclass(frozen=True, slots=True)
class Domain:
    """What the operator says of a domain of its own; what differs from it is found."""

    holder: tuple[_Name, ...] = ()
    """The registrant's names, any of which is right."""
    registrar: tuple[_Name, ...] = ()
    """The registrar's names or IANA id, any of which is right."""
    name_servers: tuple[_Name, ...] = ()
    """All of them."""
    in_use_since: date | None = None


@dataclass(frozen=True, slots=True)
class Endpoint:
    """What is meant to be reachable at a host or address; what else answers is found."""

    tcp: tuple[_Port, ...] | None = None
    """In use for something that is no VPN."""
    udp: tuple[_Port, ...] | None = None
    vpn_tcp: tuple[_Port, ...] | None = None
    """In use for a VPN."""
    vpn_udp: tuple[_Port, ...] | None = None
    external: tuple[_Name, ...] | None = None
    """Domains that its pages may use, with all below them; ``None``: nothing is said of them."""

    @property
    def names_ports(self) -> bool:
        """Whether it says which ports are meant to be there, and be it none."""
        told = (self.tcp, self.udp, self.vpn_tcp, self.vpn_udp)
        return self.external is None or any(ports is not None for ports in told)


@dataclass(frozen=True, slots=True)
class Exposure:
    """How the ports of addresses are asked about."""

    ports: str = ""
    """The TCP ports alone that are asked, as ``22,8000-8100``; ``all``: every one; empty: the usual
    ones."""
    rate: Annotated[float, Field(ge=0, le=100000, allow_inf_nan=False)] = 100.0
    """Connections a second to one address; 0: as many as go."""
    parallel: Annotated[int, Field(ge=1, le=10000)] = 50
    """Connections at once."""
    timeout: _Seconds = 3.0
    """Seconds for a connection, before anything has answered."""
    tries: Annotated[int, Field(ge=1, le=5)] = 2
    """How often a silent port is asked."""
    thorough: bool = False
    """Whether declared ports are asked for an SSL-VPN as the others are."""
    aggressive: bool = False
    """Whether gateways are asked for IKEv1's aggressive mode."""


@dataclass(frozen=True, slots=True)
class History:
    """Where scans are kept, and for how long."""

    path: str = ""
    """The file; empty: one in the user's own folder for such things."""
    keep_days: Annotated[int, Field(ge=1, le=36500)] = 400
    """Days after which a scan is forgotten."""
    keep: Annotated[int, Field(ge=1, le=100000)] = 30
    """Of each host so many scans stay, however old they are."""


@dataclass(frozen=True, slots=True)
class Sheet:
    """What stands in the head of an evaluation sheet."""

    applicant: str = ""
    evaluator: str = ""
    product: str = ""


@dataclass(frozen=True, slots=True)
class Settings:
    """All that the file says, with defaults for what it leaves out. A field is a key."""

    targets: tuple[Listed, ...] = ()
    profile: _Name = "ipa-high-3.1.1"
    checklists: tuple[_Name, ...] = (ALL,)
    language: Literal["ja", "en"] | None = None
    """``None``: the locale decides."""
    ca_file: str = ""
    """Certificates, PEM, of CAs that targets' certificates may come from, too."""
    budgets: Budgets = Budgets()
    network: Network = Network()
    domain: dict[_Name, Domain] = field(default_factory=dict)
    """By name: ``[domain."clinic.example.jp"]``."""
    endpoints: dict[_Name, Endpoint] = field(default_factory=dict)
    """By host or address: ``[endpoints."clinic.example.jp"]``."""
    exposure: Exposure = Exposure()
    history: History = History()
    sheet: Sheet = Sheet()
    waiver: tuple[Waiver, ...] = ()
    """``[[waiver]]``."""
    mail: Mail | None = None
    watch: Watch = field(default_factory=Watch)
    webhook: Webhook | None = None
    metrics: Metrics | None = None
    ping: Ping | None = None


def load(path: Path) -> Settings:
    """The settings in the file *path*. ConfigError."""
    try:
        return parse(path.read_text(encoding="utf-8-sig"), path)
    except OSError as error:
        raise ConfigError(
            "{file}: cannot be read: {detail}; name another with -c",
            file=path,
            detail=error.strerror or str(error),
        ) from error
    except UnicodeDecodeError as error:
        raise _no_toml(path, error) from error


def _no_toml(path: Path, error: ValueError) -> ConfigError:
    return ConfigError(
        "{file}: is not TOML in UTF-8: {words}; correct it there", file=path, words=unparsed(error)
    )


def parse(text: str, path: Path) -> Settings:
    """The settings in *text*, which is that of the file *path*. ConfigError."""
    try:
        content = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise _no_toml(path, error) from error
    try:
        # As JSON and strictly: lists become tuples, but "30" no number.
        data = json.dumps(_full(content), default=_foreign)
        settings = _reader().validate_json(data, strict=True, extra="forbid")
    except ValidationError as error:
        where, mistake = _mistake(text, error)
        raise _told(path, text, where, mistake) from error
    for wrong, wanted in _unfit(settings):
        raise _told(path, text, wrong, _minded(wrong, wanted))
    return settings


def _told(path: Path, text: str, where: Where, mistake: Phrase) -> ConfigError:
    line = line_of(text, where)
    on = Phrase(", line {line}", line=line) if line else ""
    return ConfigError("{file}{on}{mistake}", file=path, on=on, mistake=mistake)


def _unfit(settings: Settings) -> Iterator[tuple[Where, Phrase]]:
    """What each value by itself does not show: where it stands, and what it must be."""
    for number, root in enumerate(settings.network.roots):
        if place(root, 53) is None:
            yield ("network", "roots", number), Phrase("must be an address, with a port or without")
    for number, waiver in enumerate(settings.waiver):
        yield from _incomplete(("waiver", number), waiver)
    if settings.mail is not None:
        yield from _unfit_mail(settings.mail)
        labels = {target.label for target in settings.targets}
        for number, each in enumerate(settings.mail.to):
            if unknown := [label for label in each.labels if label not in labels]:
                where = "mail", "to", number, "labels"
                yield (
                    where,
                    Phrase("must be labels of targets, as {label} is not", label=unknown[0]),
                )
    for table in ("webhook", "ping"):
        if (told := getattr(settings, table)) is not None:
            yield from _unfit_place(told.url, (table, "url"))
    if settings.webhook is not None and settings.webhook.token is not None:
        yield from _unfit_place(settings.webhook.token, ("webhook", "token"))


def _unfit_mail(mail: Mail) -> Iterator[tuple[Where, Phrase]]:
    where = relay(mail.smtp)
    if where is None:
        yield ("mail", "smtp"), Phrase("must be the URL of a mail server, without a password")
    if mailbox(mail.sender) is None:
        yield ("mail", "from"), Phrase("must be a mail address")
    for number, each in enumerate(mail.to):
        found = mailbox(each.address)
        if found is None or found[0]:
            yield ("mail", "to", number, "address"), Phrase("must be a mail address without a name")
    if mail.password is not None:
        yield from _unfit_place(mail.password, ("mail", "password"))
        if where and not where.user:
            yield ("mail", "smtp"), Phrase("must name the user whose password is given")
        if where and where.tls == "none" and not where.is_loopback:
            yield ("mail", "smtp"), Phrase("must use TLS, since a password is sent")


def _unfit_place(where: Secret | Link, key: Where) -> Iterator[tuple[Where, Phrase]]:
    named = [value for value in dataclasses.astuple(where) if value]
    if len(named) != 1:
        yield key, Phrase("must name one place: env, file or credential")
    elif "/" in where.credential:
        yield key, Phrase("must name a credential, not a file")


def _incomplete(where: Where, waiver: Waiver) -> Iterator[tuple[Where, Phrase]]:
    """What a waiver lacks that must say of what, why and by whom."""
    if bool(waiver.item) == bool(waiver.rule):
        yield (*where, "item"), Phrase("must have either an item or a rule")
    for name in ("reason", "who"):
        if not getattr(waiver, name).strip():
            yield (*where, name), Phrase("must not be empty")


def place(text: str, port: int) -> tuple[str, int] | None:
    """The address and port that *text* names, *port* where it names none; ``None``: it is none."""
    found = re.fullmatch(r"\[([0-9A-Fa-f:.]+)\](?::(\d{1,5}))?|([0-9.]+):(\d{1,5})", text)
    address = (found[1] or found[3]) if found else text
    number = int((found[2] or found[4]) or port) if found else port
    try:
        return (str(ipaddress.ip_address(address)), number) if 0 < number < 65536 else None
    except ValueError:
        return None


@cache
def _reader() -> TypeAdapter[Settings]:
    return TypeAdapter(Settings)


def _full(content: dict[str, Any]) -> dict[str, Any]:
    """*content* with each target, recipient and URL as a table, and dates as JSON has them."""
    content = content | {
        name: value
        for name, value in {
            "targets": _tables(content.get("targets"), "target"),
            "waiver": _each(content.get("waiver"), lambda table: _dated(table, "until")),
        }.items()
        if value is not None
    }
    if isinstance(domains := content.get("domain"), dict):
        dated = {name: _dated(each, "in_use_since") for name, each in domains.items()}
        content = content | {"domain": dated}
    if isinstance(mail := content.get("mail"), dict) and "to" in mail:
        content = content | {"mail": mail | {"to": _tables(mail["to"], "address")}}
    for name in ("webhook", "ping"):
        if isinstance(table := content.get(name), dict) and isinstance(table.get("url"), str):
            content = content | {name: table | {"url": {"url": table["url"]}}}
    return content


def _each(entries: Any, change: Callable[[Any], Any]) -> Any:
    return [change(each) for each in entries] if isinstance(entries, list) else entries


def _tables(entries: Any, key: str) -> Any:
    """A list in which each string is a table with that *key*."""
    return _each(entries, lambda each: {key: each} if isinstance(each, str) else each)


def _dated(table: Any, key: str) -> Any:
    when = table.get(key) if isinstance(table, dict) else None
    if isinstance(when, date) and not isinstance(when, datetime):
        return table | {key: when.isoformat()}
    return table


def _foreign(value: object) -> list[str]:
    """Dates and times, which no other key takes, as something that no key takes."""
    return [str(value)]


# ---- mistakes --------------------------------------------------------------------------------

_KNOWN: dict[str, tuple[str, ...]] = {
    table: tuple(
        "from" if each.name == "sender" else each.name for each in dataclasses.fields(kind)
    )
    for table, kind in (
        ("", Settings),
        ("budgets", Budgets),
        ("targets", Listed),
        ("network", Network),
        ("domain.*", Domain),
        ("endpoints.*", Endpoint),
        ("exposure", Exposure),
        ("history", History),
        ("sheet", Sheet),
        ("waiver", Waiver),
        ("mail", Mail),
        ("mail.to", Recipient),
        ("mail.password", Secret),
        ("watch", Watch),
        ("webhook", Webhook),
        ("webhook.url", Link),
        ("webhook.token", Secret),
        ("metrics", Metrics),
        ("ping", Ping),
        ("ping.url", Link),
    )
}
"""The keys of each table."""

_EXAMPLES = {
    "targets": 'targets = ["www.example.jp", {target = "smtp://mail.example.jp", label = "mail"}]',
    "profile": 'profile = "ipa-high-3.1.1"',
    "checklists": 'checklists = ["vendor-138"]',
    "language": 'language = "ja"',
    "budgets": "[budgets]",
    "budgets.connect": "connect = 5",
    "budgets.target": "target = 60",
    "budgets.parallel": "parallel = 4",
    "network": "[network]",
    "network.roots": 'roots = ["192.0.2.1", "192.0.2.2:5300"]',
    "network.dns_port": "dns_port = 53",
    "network.trust_anchors": 'trust_anchors = ["20326 8 2 E06D44B8…"]',
    "network.whois": 'whois = {jp = "192.0.2.43:43"}',
    "network.rdap": 'rdap = {com = "https://rdap.example/"}',
    "history": "[history]",
    "history.path": 'path = "/var/lib/tlscheck/history.db"',
    "history.keep_days": "keep_days = 400",
    "history.keep": "keep = 30",
    "mail": "[mail]",
    "mail.smtp": 'smtp = "smtp://relay.example.jp:587"',
    "mail.from": 'from = "tlscheck@example.jp"',
    "mail.to": 'to = ["a@example.jp", {address = "b@example.jp", labels = ["booking"]}]',
    "mail.subject": 'subject = "[tlscheck]"',
    "mail.digest": 'digest = "weekly"',
    "mail.attach": 'attach = ["html", "json"]',
    "mail.largest": "largest = 7000000",
    "mail.password": 'password = {file = "/etc/tlscheck/smtp"}',
    "mail.ca_file": 'ca_file = "/etc/tlscheck/ca.pem"',
    "mail.timeout": "timeout = 60",
    "watch": "[watch]",
    "watch.deadline": "deadline = 3600",
    "watch.lock": 'lock = "/run/lock/tlscheck"',
    "watch.at": 'at = "03:17"',
    "webhook": "[webhook]",
    "webhook.url": 'url = {file = "/etc/tlscheck/webhook"}',
    "webhook.token": 'token = {env = "TLSCHECK_TOKEN"}',
    "metrics": "[metrics]",
    "metrics.path": 'path = "/var/lib/prometheus/node-exporter/tlscheck.prom"',
    "ping": "[ping]",
    "ping.url": 'url = {file = "/etc/tlscheck/ping"}',
    "domain": '[domain."clinic.example.jp"]',
    "domain.*.holder": 'holder = ["Example Clinic"]',
    "domain.*.registrar": 'registrar = ["Example Registrar"]',
    "domain.*.name_servers": 'name_servers = ["ns1.example.jp", "ns2.example.jp"]',
    "domain.*.in_use_since": "in_use_since = 2019-04-01",
    "endpoints": '[endpoints."clinic.example.jp"]',
    "endpoints.*.tcp": "tcp = [80, 443]",
    "endpoints.*.udp": "udp = [3478]",
    "endpoints.*.vpn_tcp": "vpn_tcp = [1194]",
    "endpoints.*.vpn_udp": "vpn_udp = [500, 4500]",
    "endpoints.*.external": 'external = ["example-cdn.com", "fonts.example.net"]',
    "exposure": "[exposure]",
    "exposure.rate": "rate = 100",
    "exposure.parallel": "parallel = 50",
    "exposure.timeout": "timeout = 3",
    "exposure.tries": "tries = 2",
    "sheet": "[sheet]",
    "sheet.applicant": 'applicant = "Example Inc."',
    "sheet.evaluator": 'evaluator = "Example Review"',
    "sheet.product": 'product = "Example Clinic Online 2.1"',
    "waiver": "[[waiver]]",
    "waiver.item": 'item = "vendor-138/44"',
    "waiver.rule": 'rule = "tls.versions"',
    "waiver.target": 'target = "clinic.example.jp"',
    "waiver.reason": 'reason = "replaced in March"',
    "waiver.who": 'who = "A. Sato"',
    "waiver.until": "until = 2026-12-31",
}

_NAMED = ("domain", "endpoints")
"""Tables of tables, each of which has a name of the file's own."""


_UNKNOWN = "unexpected_keyword_argument"
_SECRETS = ("mail.password", "webhook.token")


def _mistake(text: str, error: ValidationError) -> tuple[Where, Phrase]:
    """What pydantic minds first, unknown keys before all: where it is, and its remedy. Of unknown
    keys the others too.
    """
    mistakes = error.errors(include_url=False)
    unknown = [each for each in mistakes if each["type"] == _UNKNOWN]
    unknown.sort(key=lambda each: line_of(text, each["loc"]))
    first, *others = unknown or mistakes[:1]
    told = _phrase(first)
    for each in others[: _MOST - 1]:
        line, key = line_of(text, each["loc"]), _key(each["loc"])
        told = Phrase("{told}; line {line}: unknown key {key}", told=told, line=line, key=key)
    if more := len(others[_MOST - 1 :]):
        told = Phrase("{told}; and {number} more", told=told, number=more)
    return first["loc"], told


_MOST = 5
"""So many unknown keys are named."""


def _key(where: Where) -> str:
    place = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in where)
    return _line(place.removeprefix("."))


def _minded(where: Where, wanted: Phrase) -> Phrase:
    return Phrase(
        ", key {key}: {wanted}; write {example}",
        key=_key(where),
        wanted=wanted,
        example=_example(_general(where)),
    )


def _phrase(first: ErrorDetails) -> Phrase:
    key, value = _key(first["loc"]), f"{first['input']!r:.60}"
    general = _general(first["loc"])
    match first["type"]:
        case "unexpected_keyword_argument":
            return Phrase(": unknown key {key}; {hint}", key=key, hint=_nearest(general))
        case "missing" | "missing_argument":
            return Phrase(
                ": key {key} is missing; write {example}", key=key, example=_example(general)
            )
        case "tuple_type":
            wanted = Phrase("must be a list")
        case "dataclass_type" if key.startswith(("targets", "mail.to", "webhook.url", "ping.url")):
            wanted = Phrase("must be a string or a table")
        case "dataclass_type" if key in _SECRETS:
            return _minded(first["loc"], Phrase("must not stand here; say where it is kept"))
        case "string_too_short":
            return Phrase(
                ", key {key}: must not be empty; write {example}",
                key=key,
                example=_example(general),
            )
        case _:
            wanted = minded(first)
    return Phrase(
        ", key {key}: {wanted}, not {value}; write {example}",
        key=key,
        wanted=wanted,
        value=value,
        example=_example(general),
    )


def _nearest(general: str) -> Phrase:
    """The known key that an unknown one may stand for, in its table or in another."""
    table, _, name = general.rpartition(".")
    known = _KNOWN.get(table, ())
    if near := difflib.get_close_matches(name, known, n=1):
        return Phrase("did you mean {name}?", name=near[0])
    for other, names in _KNOWN.items():
        if name in names and other:
            return Phrase("write it in {table}", table=_EXAMPLES.get(_whole(other), f"[{other}]"))
        if name in names:
            return Phrase("write it above all tables")
    return Phrase("known are {names}", names=known)


def _example(general: str) -> str:
    """How the key, or the table it stands in, is written."""
    known = (general, general.rpartition(".")[0])
    return next((_EXAMPLES[each] for each in known if each in _EXAMPLES), general)


def _general(loc: tuple[int | str, ...]) -> str:
    """The key at *loc* without numbers in lists, and without the name that the file gives."""
    if loc[0] in _NAMED and len(loc) > 1:
        loc = (loc[0], "*", *loc[2:])
    return ".".join(_line(part) for part in loc if isinstance(part, str))


def _whole(table: str) -> str:
    return table.removesuffix(".*")


def _line(text: str) -> str:
    return " ".join(text.split())
