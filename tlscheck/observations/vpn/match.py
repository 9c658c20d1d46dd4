"""From an answer to the marks in it. Pure; an answer is a stranger's, and so is the text it gives.

Two things make a mark void: it would also be found in our own question, which a page may send back,
or in the answer to a random path, unless the data say that the product sends it everywhere.
"""

from __future__ import annotations

import hashlib
import html
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from urllib.parse import unquote

from tlscheck.observations.certificate import certificate
from tlscheck.observations.http import redirect_target, same_host, split, url_host
from tlscheck.observations.http.conversation import Response
from tlscheck.observations.http.urls import kept, safe_url
from tlscheck.observations.vpn.markers import CERTIFICATE, CONTROL, Marker, Markers, Product
from tlscheck.observations.vpn.seen import Hit
from tlscheck.wire import murmur

MOST_BODY, MOST_ICON, MOST_NAME = 262_144, 100_000, 4096
"""How much of a page, an icon, a field or a certificate's name is looked at."""
_EXCERPT = 80
_MOST_CERTIFICATES = 4
_UNESCAPED_COMMA = re.compile(r"(?<!\\),")


@dataclass(frozen=True, slots=True)
class Asked:
    """A question as it went out."""

    host: str
    """As in the field Host."""
    path: str
    fields: tuple[tuple[str, str], ...] = ()
    body: str = ""

    def words(self) -> Iterator[str]:
        """Everything in it that an answer may send back, in the ways in which pages do."""
        yield f"https://{self.host}{self.path}"
        for text in (self.host, self.path, unquote(self.path), self.body):
            yield text
            yield html.escape(text)
        for _, value in self.fields:
            yield value


@dataclass(frozen=True, slots=True)
class Answer:
    """What came for one probe; lives in memory only."""

    probe: str
    response: Response
    subjects: tuple[str, ...] = ()
    issuers: tuple[str, ...] = ()
    """Of certificates, where it is of those."""


@dataclass(frozen=True, slots=True)
class Matched:
    """The marks in one answer."""

    hits: tuple[Hit, ...] = ()
    void: tuple[str, ...] = ()
    elsewhere: tuple[str, ...] = ()
    """Addresses on other hosts that it redirects to and that look like a product's."""


def names(chain: Sequence[bytes]) -> Answer:
    """The names in a *chain* of certificates (DER), as an answer."""
    read = [certificate(der) for der in chain[:_MOST_CERTIFICATES]]
    return Answer(
        CERTIFICATE,
        Response(0),
        tuple(name for c in read for name in _orders(c.subject)),
        tuple(name for c in read for name in _orders(c.issuer)),
    )


def matched(
    markers: Markers, answer: Answer, asked: Asked, control: Answer | None, host: str
) -> Matched:
    """The marks in *answer* to *asked*; *control* is the answer to a random path, if there was one.

    A redirect away from *host* shows nothing of *host*.
    """
    hits, void, elsewhere = [], [], []
    away = _away(answer, host)
    for product, marker in markers.of(answer.probe):
        if marker.status and answer.response.status not in marker.status:
            continue
        found = _found(marker, answer)
        if found is None:
            continue
        if away and marker.where == "location":
            elsewhere.append(away)
        elif _our_words(marker, asked) or _anywhere(marker, control):
            void.append(marker.id)
        else:
            hits.append(_hit(product, marker, found))
    return Matched(tuple(hits), tuple(void), tuple(dict.fromkeys(elsewhere)))


def _found(marker: Marker, answer: Answer) -> str | None:
    """The text that matches, if any does."""
    for text in _texts(marker.where, answer):
        if found := marker.pattern.search(text):
            return found[0]
    return None


def _hit(product: Product, marker: Marker, found: str) -> Hit:
    text = found.partition("=")[0] if marker.where == "cookie" else found
    return Hit(
        product=product.id,
        name=product.name,
        marker=marker.id,
        probe=marker.probe,
        proves=marker.proves,
        confidence=marker.confidence,
        excerpt=kept(" ".join(text.split()), _EXCERPT),
    )


def _our_words(marker: Marker, asked: Asked) -> bool:
    """Whether the mark stands in our own question, which the answer may only repeat."""
    kind, _, name = marker.where.partition(":")
    if kind == "header":
        own = [value for field, value in asked.fields if field.lower() == name]
        return any(marker.pattern.search(value) for value in own)
    if kind in ("realm", "cookie", "body", "title", "location"):
        return any(marker.pattern.search(words) for words in asked.words())
    return False


def _anywhere(marker: Marker, control: Answer | None) -> bool:
    """Whether the mark has nothing to do with the path that was asked for."""
    kind = marker.where.partition(":")[0]
    by_itself = kind in ("header", "cookie") or kind.startswith("certificate")
    if by_itself or marker.everywhere or marker.probe == CONTROL:
        return False
    return control is None or _found(marker, control) is not None


def _texts(where: str, answer: Answer) -> Iterable[str]:
    kind, _, name = where.partition(":")
    response = answer.response
    match kind:
        case "certificate_subject":
            return answer.subjects
        case "certificate_issuer":
            return answer.issuers
        case "status":
            return (str(response.status),)
        case "header":
            return (value[:MOST_NAME] for value in response.all(name))
        case "realm":
            return (value[:MOST_NAME] for value in response.all("www-authenticate"))
        case "cookie":
            cookies = (value.partition(";")[0].strip() for value in response.all("set-cookie"))
            return (cookie[:MOST_NAME] for cookie in cookies)
        case "location":
            return (response.first("location").strip()[:MOST_NAME],)
        case "title":
            return (_title(_text(response)),)
        case "body":
            return (_text(response),)
    return _icon(kind, response)


def _icon(kind: str, response: Response) -> Iterable[str]:
    body = response.body
    if response.status != 200 or not response.whole or not 0 < len(body) <= MOST_ICON:
        return ()
    if kind == "icon_md5":
        return (hashlib.md5(body, usedforsecurity=False).hexdigest(),)
    return (str(murmur.icon(body)),)


def _text(response: Response) -> str:
    return response.body[:MOST_BODY].decode("latin-1")


def _title(page: str) -> str:
    """The text of the page's title. No pattern: one would be slow on many titles without an end."""
    lower = page.lower()
    start = lower.find("<title")
    inner = lower.find(">", start) + 1
    end = lower.find("</title", inner)
    if start < 0 or not inner or end < 0:
        return ""
    return " ".join(html.unescape(page[inner : min(end, inner + MOST_NAME)]).split())


def _away(answer: Answer, host: str) -> str:
    """Where it redirects to, if that is another host."""
    target = redirect_target(f"https://{url_host(host)}/", answer.response)
    parts = split(target)
    if not target or (parts and parts.hostname and same_host(parts.hostname, host)):
        return ""
    return safe_url(target)


def _orders(name: str) -> Iterator[str]:
    """A name as RFC 4514 writes it, which is from the end, and as the certificate has it."""
    if name:
        name = name[:MOST_NAME]
        yield name
        yield ",".join(reversed(_UNESCAPED_COMMA.split(name)))
