"""Asking registries who holds a domain: RDAP where there is a server for it, else WHOIS.

One question at a time to a server, and what was answered is kept for a day. What a registry sends
is bounded in time and size; where it sends us next must be as public as itself.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import ipaddress
import json
import tomllib
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cache
from pathlib import Path
from urllib.parse import urljoin, urlsplit

from pydantic import TypeAdapter, ValidationError

from tlscheck import __version__
from tlscheck.config import Network
from tlscheck.data import data_dir
from tlscheck.model import Missed, Place, Reason, State
from tlscheck.net import Fetched, Net, NetError, is_public, now
from tlscheck.observations import registration as read
from tlscheck.observations.registration import Layout, Record
from tlscheck.wire import whois

SUBJECT = "registration"
SECONDS = 10.0
"""For one question to a registry, its answer included."""
MOST_BYTES = 256 * 1024
KEPT = timedelta(hours=24)
"""How long an answer is taken from the cache instead of asking again."""
GAPS = {"whois": 1.0, "rdap": 0.2}
"""Seconds between two questions to one server."""
MOST_REDIRECTS = 3
LONGEST_WAIT = 10
"""Seconds that a registry may ask us to wait (Retry-After) before we give up."""
BOOTSTRAP = "https://data.iana.org/rdap/dns.json"
"""RFC 9224, section 3."""
ANY = "*"

_REFERRALS = "whois.iana.org"
_JPRS = "whois.jprs.jp"


@dataclass(frozen=True, slots=True)
class Desk:
    """Where a registry answers."""

    protocol: str
    """``rdap`` or ``whois``."""
    where: str
    """The base URL, or ``host`` or ``host:port``."""
    given: bool = False
    """Whether the configuration names it: then it may be private, and RDAP in clear."""
    jprs: bool = False
    """Whether it answers in JPRS's layout."""


@dataclass
class Registry:
    """All registries: each domain is asked about once."""

    net: Net
    network: Network = field(default_factory=Network)
    contacts: bool = False
    """Keep personal contact fields."""
    refresh: bool = False
    """Ask anew, whatever is kept, and for the newest list of RDAP servers."""
    ca_file: bytes | None = None
    cache: Path | None = None
    _asked: dict[str, asyncio.Task[Record | Missed]] = field(default_factory=dict)
    _turns: dict[str, asyncio.Lock] = field(default_factory=dict)
    _next: dict[str, float] = field(default_factory=dict)
    _bases: Mapping[str, str] | None = None

    async def record(self, domain: str) -> Record | Missed:
        """What the registry of *domain*, a registrable one, says of it."""
        if domain not in self._asked:
            self._asked[domain] = asyncio.create_task(self._record(domain))
        return await asyncio.shield(self._asked[domain])

    async def _record(self, domain: str) -> Record | Missed:
        try:
            desk = await self._desk(domain)
            if not self.refresh and (kept := self._kept(domain, desk)):
                return kept
            found = await (self._rdap if desk.protocol == "rdap" else self._whois)(domain, desk)
        except NetError as error:
            if error.reason is Reason.UNRESOLVED:  # the registry's name, not the target's
                detail = "the registry's name does not resolve"
                return Missed(SUBJECT, Reason.UNREACHABLE, detail)
            return Missed(SUBJECT, error.reason, error.detail)
        except read.UnreadableError as error:
            return Missed(SUBJECT, Reason.MALFORMED, str(error))
        self._keep(found, desk)
        return found

    # -- whom to ask ---------------------------------------------------------------------------

    async def _desk(self, domain: str) -> Desk:
        known = _servers()
        for suffix in _suffixes(domain):
            if own := self.network.rdap.get(suffix):
                return Desk("rdap", own, given=True)
            if own := self.network.whois.get(suffix):
                return Desk("whois", own, given=True, jprs=domain.endswith(".jp"))
        if host := _longest(domain, known["whois"]):
            return Desk("whois", host, jprs=host == _JPRS)
        if base := _longest(domain, await self._bootstrap()) or _longest(domain, known["rdap"]):
            return Desk("rdap", base)
        answer = await self._converse(Desk("whois", _REFERRALS), domain.rpartition(".")[2])
        if host := whois.referral(whois.text(answer)):
            return Desk("whois", host)
        raise NetError(Reason.NOT_APPLICABLE, "no registry is known for it")

    async def _bootstrap(self) -> Mapping[str, str]:
        if self._bases is None:
            self._bases = _bundled()
            if self.refresh:
                with contextlib.suppress(NetError, ValueError, KeyError, TypeError):
                    self._bases = _bases((await self.net.fetch(BOOTSTRAP)).body)
        return self._bases

    @contextlib.asynccontextmanager
    async def _turn(self, server: str, protocol: str) -> AsyncIterator[None]:
        """Our turn at *server*, no sooner after the one before than is polite."""
        loop = asyncio.get_running_loop()
        async with self._turns.setdefault(server, asyncio.Lock()):
            await asyncio.sleep(max(self._next.get(server, 0.0) - loop.time(), 0))
            try:
                yield
            finally:
                self._next[server] = loop.time() + GAPS[protocol]

    # -- RDAP ----------------------------------------------------------------------------------

    async def _rdap(self, domain: str, desk: Desk) -> Record:
        url = urljoin(desk.where.rstrip("/") + "/", f"domain/{domain}")
        async with self._turn(urlsplit(url).netloc, "rdap"):
            asked = now()
            found = await self._fetched(url, desk)
        if found.status == _NOT_FOUND and found.body.lstrip().startswith(b"<"):
            raise NetError(Reason.MALFORMED, f"HTTP status {found.status}")  # a page, no registry
        if found.status == _NOT_FOUND:
            return Record(domain, url, asked, Layout.RDAP, State.REFUSED)
        if found.status != _OK:
            raise NetError(Reason.MALFORMED, f"HTTP status {found.status}")
        return await asyncio.to_thread(
            read.from_rdap, found.body, domain, url, asked, contacts=self.contacts
        )

    async def _fetched(self, url: str, desk: Desk) -> Fetched:
        waited = False
        for _ in range(MOST_REDIRECTS + 2):
            found = await self.net.fetch(
                url,
                schemes=("https", "http") if desk.given else ("https",),
                private=desk.given,
                fields={"Accept": "application/rdap+json", "User-Agent": _AGENT},
                limit=MOST_BYTES,
                seconds=SECONDS,
                ca_file=self.ca_file,
            )
            if found.status == _TOO_MANY:
                wait = found.fields.get("retry-after", "")
                if waited or not wait.isdigit() or int(wait) > LONGEST_WAIT:
                    raise NetError(Reason.LIMITED, f"HTTP status {found.status}")
                waited = True
                await asyncio.sleep(int(wait))
            elif found.status in _REDIRECTS and (onward := found.fields.get("location")):
                url = urljoin(url, onward)
            else:
                return found
        raise NetError(Reason.MALFORMED, "too many redirects")

    # -- WHOIS ---------------------------------------------------------------------------------

    async def _whois(self, domain: str, desk: Desk) -> Record:
        asked = now()
        answer = await self._converse(desk, domain)
        parse = read.from_jprs if desk.jprs else read.from_whois
        return await asyncio.to_thread(
            parse, answer, domain, desk.where, asked, contacts=self.contacts
        )

    async def _converse(self, desk: Desk, question: str) -> bytes:
        """The whole answer of a WHOIS server; it ends when the server closes."""
        host, port = _host_and_port(desk.where)
        addresses = await self.net.resolve(host, port)
        address = next((a for a in addresses if desk.given or is_public(a)), None)
        if address is None:
            raise NetError(Reason.FILTERED, "only private addresses")
        answer = bytearray()
        async with (
            self._turn(desk.where, "whois"),
            self.net.dial(Place(host, port, "whois", address), SECONDS) as stream,
        ):
            await stream.write(whois.question(question))
            while data := await stream.read():
                answer += data
                if len(answer) > MOST_BYTES:
                    raise NetError(Reason.TOO_LARGE)
        return bytes(answer)

    # -- what is kept --------------------------------------------------------------------------

    def _kept(self, domain: str, desk: Desk) -> Record | None:
        path = self._path(domain, desk)
        if path is None:
            return None
        try:
            kept = _RECORD.validate_json(path.read_bytes())
        except (OSError, ValidationError):
            return None
        age = now() - kept.asked
        return kept if kept.domain == domain and timedelta() <= age < KEPT else None

    def _keep(self, record: Record, desk: Desk) -> None:
        path = self._path(record.domain, desk)
        if path is None or record.registered is not State.ACCEPTED:
            return
        with contextlib.suppress(OSError):  # a cache that cannot be written is none
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            fresh = path.with_suffix(f".{id(record):x}")
            fresh.touch(mode=0o600)
            fresh.write_bytes(_RECORD.dump_json(record))
            fresh.replace(path)

    def _path(self, domain: str, desk: Desk) -> Path | None:
        if self.cache is None:
            return None
        asked = json.dumps([__version__, domain, desk.protocol, desk.where, self.contacts])
        return self.cache / f"{hashlib.sha256(asked.encode()).hexdigest()[:32]}.json"


_OK, _NOT_FOUND, _TOO_MANY = 200, 404, 429
_REDIRECTS = (301, 302, 303, 307, 308)
_AGENT = "tlscheck"
_RECORD = TypeAdapter(Record)


def published() -> str:
    """When IANA published the bundled list of RDAP servers."""
    file = data_dir("profiles") / "registries" / "rdap.json"
    return str(json.loads(file.read_bytes())["publication"])


@cache
def _bundled() -> Mapping[str, str]:
    return _bases((data_dir("profiles") / "registries" / "rdap.json").read_bytes())


def _bases(document: bytes) -> Mapping[str, str]:
    """The RDAP server of each TLD in a bootstrap file (RFC 9224, section 4), https before http."""
    found = {}
    for tlds, urls in json.loads(document)["services"]:
        base = min(urls, key=lambda url: not url.startswith("https:"))
        found.update(dict.fromkeys(map(str.lower, tlds), base))
    return found


@cache
def _servers() -> Mapping[str, Mapping[str, str]]:
    file = data_dir("profiles") / "registries" / "servers.toml"
    return tomllib.loads(file.read_text(encoding="utf-8"))


def _longest(domain: str, table: Mapping[str, str]) -> str:
    """What *table* has for the longest suffix of *domain* that it knows, or for all."""
    return next((table[suffix] for suffix in _suffixes(domain) if suffix in table), "")


def _suffixes(domain: str) -> Iterator[str]:
    yield domain
    while "." in domain:
        domain = domain.partition(".")[2]
        yield domain
    yield ANY


def _host_and_port(where: str) -> tuple[str, int]:
    if where.startswith("["):
        host, _, port = where[1:].partition("]")
        return host, int(port.removeprefix(":") or whois.PORT)
    if where.count(":") == 1:
        host, _, port = where.partition(":")
        return host, int(port)
    with contextlib.suppress(ValueError):
        return str(ipaddress.ip_address(where)), whois.PORT
    return where, whois.PORT
