"""The origins that a page names."""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator, Mapping
from html import unescape

from tlscheck.observations.http.conversation import Response
from tlscheck.observations.http.seen import Load, gather
from tlscheck.observations.http.urls import join, kept, origin, printable, split

_ORIGINS_LIMIT = 400

_LOADED_BY = {
    ("script", "src"): "script",
    ("script", "href"): "script",
    ("script", "xlink:href"): "script",
    ("use", "href"): "image",
    ("use", "xlink:href"): "image",
    ("img", "src"): "image",
    ("input", "src"): "image",
    ("video", "poster"): "image",
    ("image", "href"): "image",
    ("image", "xlink:href"): "image",
    ("body", "background"): "image",
    ("table", "background"): "image",
    ("td", "background"): "image",
    ("iframe", "src"): "frame",
    ("frame", "src"): "frame",
    ("embed", "src"): "object",
    ("object", "data"): "object",
    ("video", "src"): "media",
    ("audio", "src"): "media",
    ("source", "src"): "media",
    ("track", "src"): "media",
    ("form", "action"): "form",
    ("button", "formaction"): "form",
    ("input", "formaction"): "form",
}
_LINKED_BY = {
    "stylesheet": "style",
    "icon": "image",
    "apple-touch-icon": "image",
    "preload": "preload",
    "modulepreload": "script",
    "prefetch": "preload",
    "preconnect": "connect",
    "dns-prefetch": "connect",
    "manifest": "manifest",
}
_NAMED = re.compile(
    r"""\b(?:https?|wss?)://[A-Za-z0-9.\-]+(?::[0-9]+)?"""
    r"""|(?<=["'(])//[A-Za-z0-9\-]+(?:\.[A-Za-z0-9\-]+)*\.[A-Za-z]{2,24}(?::[0-9]+)?(?=[/"')?])"""
)
"""A whole URL, or one without its scheme, as scripts and styles write them."""
_NAMESPACES = ("http://www.w3.org", "http://schema.org", "https://schema.org", "http://ogp.me")
_LINK_FIELD = re.compile(r'<([^<>]*)>[^,<]*?;\s*rel\s*=\s*"?([^",;]+)', re.IGNORECASE)
_CHARSETS = {
    "euc-jp": "euc_jp",
    "iso-2022-jp": "iso2022_jp",
    "shift_jis": "cp932",
    "shift-jis": "cp932",
    "x-sjis": "cp932",
    "windows-31j": "cp932",
    "utf-16": "utf-16-le",
    "utf-16le": "utf-16-le",
    "utf-16be": "utf-16-be",
}
"""Where ASCII may mean something else; anything else is read as UTF-8, which finds every URL."""
_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
"""The byte order marks, which outrank the declared charset (Encoding Standard, section 6)."""


class Page:
    """The origins that an answer's page and fields name."""

    def __init__(self, url: str, response: Response) -> None:
        kind, _, parameters = response.first("content-type").lower().partition(";")
        self.html = kind.strip() in ("text/html", "application/xhtml+xml") or (
            not kind and b"<" in response.body[:1024]
        )
        """Browsers, too, guess where no type is given."""
        self.crowded = False
        """There are more origins than are kept."""
        self.policies: list[str] = []
        self.generator = ""
        self._url = self._base = url
        self._found: dict[tuple[str, str], None] = {}
        self._bare: dict[str, None] = {}
        self._fields(response)
        if self.html:
            self._read(response.body.decode(_encoding(parameters, response.body), "replace"))

    def loads(self) -> tuple[Load, ...]:
        """The origins other than the page's own, in order of their names."""
        own = self._own()
        return gather(pair for pair in self._found if pair[0] != own)

    def unguarded(self) -> tuple[str, ...]:
        """Those of them from which scripts come without ``integrity``."""
        return tuple(sorted(self._bare.keys() - {self._own()}))

    def _own(self) -> str:
        parts = split(self._url)
        return origin(parts) if parts else ""

    def _read(self, text: str) -> None:
        for tag, told, content in _elements(text):
            self._element(tag, told)
            if tag in ("script", "style"):
                self._add_named(content, "named" if tag == "script" else "style")
            if self.crowded:
                return

    def _element(self, tag: str, told: Mapping[str, str]) -> None:
        for key, value in told.items():
            if kind := _LOADED_BY.get((tag, key)):
                self._add(value, kind)
        for candidate in told.get("srcset", "").split(","):
            self._add(candidate.strip().partition(" ")[0], "image")
        self._add_named(told.get("style", ""), "style")
        match tag:
            case "script" if not told.get("integrity", "").strip():
                self._bare.update(dict.fromkeys(self._origins(told.get("src", ""))))
            case "base" if self._base == self._url and "href" in told:
                self._base = join(self._url, told["href"]) or self._url
            case "link":
                self._add_linked(told.get("href", ""), told.get("rel", ""))
            case "meta":
                self._meta(told)

    def _meta(self, told: Mapping[str, str]) -> None:
        content = told.get("content", "")
        if told.get("name", "").lower() == "generator":
            self.generator = content
        match told.get("http-equiv", "").lower():
            case "content-security-policy":
                self.policies.append(printable(content))
            case "refresh":
                self._add(content.partition("=")[2].strip(" \"'"), "refresh")

    def _fields(self, response: Response) -> None:
        for value in response.all("link"):
            for url, rel in _LINK_FIELD.findall(value):
                self._add_linked(url, rel)
        for name in ("report-to", "reporting-endpoints", "nel"):
            for value in response.all(name):
                self._add_named(value, "report")

    def _add_linked(self, url: str, rel: str) -> None:
        for word in rel.lower().split():
            if kind := _LINKED_BY.get(word):
                self._add(url, kind)

    def _add_named(self, text: str, kind: str) -> None:
        for url in _NAMED.findall(text.replace("\\/", "/")):
            if url not in _NAMESPACES:
                self._add(url, kind)

    def _add(self, url: str, kind: str) -> None:
        for found in self._origins(url):
            if (found, kind) not in self._found:
                self.crowded = len(self._found) >= _ORIGINS_LIMIT
                if not self.crowded:
                    self._found[found, kind] = None

    def _origins(self, url: str) -> tuple[str, ...]:
        """The origin of *url*, as found on the page; none where it has none."""
        parts = split(join(self._base, url)) if url else None
        found = kept(origin(parts)) if parts else ""
        return (found,) if found else ()


# The standard library's parser takes hours for a megabyte of "<a <a <a …" (its time is quadratic),
# and the page is a stranger's. This reads tags as the HTML standard does, 13.2.5, each byte once.
_TAG = re.compile(r"<(?:!--|([A-Za-z][^\s/>]*)|[/!?])")
_ATTRIBUTE = re.compile(
    r"""[\s/]*([^\s/>][^\s/>=]*)(?:\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s>]*)))?"""
)
_TAG_END = re.compile(r"[\s/]*>")
_COMMENT_END = re.compile(r"--!?>")
_RAW_END = {
    tag: re.compile(rf"</{tag}(?=[\s/>])", re.IGNORECASE)
    for tag in ("script", "style", "textarea", "title", "xmp")
}


def _encoding(parameters: str, body: bytes) -> str:
    """The name of the codec of a page, by its first bytes, else by the type's ``charset``."""
    for mark, codec in _MARKS:
        if body.startswith(mark):
            return codec
    charset = parameters.partition("charset=")[2].partition(";")[0].strip(" \"'")
    return _CHARSETS.get(charset, "utf-8")


def _elements(text: str) -> Iterator[tuple[str, dict[str, str], str]]:
    """Each start tag with its attributes, and the raw text in it if it is of that kind."""
    at = 0
    while found := _TAG.search(text, at):
        at = found.end()
        if found[1] is None:
            is_comment = found[0] == "<!--"
            at = _end(_COMMENT_END, text, at - 2) if is_comment else _end(_TAG_END, text, at)
            continue
        told: dict[str, str] = {}
        while part := _ATTRIBUTE.match(text, at):
            at = part.end()
            told.setdefault(part[1].lower(), unescape(part[2] or part[3] or part[4] or ""))
        closed = _TAG_END.match(text, at)
        if closed is None:  # the text has ended within the tag
            return
        at, tag = closed.end(), found[1].lower()
        end = _RAW_END[tag].search(text, at) if tag in _RAW_END else None
        content = text[at : end.start() if end else len(text)] if tag in _RAW_END else ""
        yield tag, told, content
        at += len(content)


def _end(pattern: re.Pattern[str], text: str, at: int) -> int:
    found = pattern.search(text, at)
    return found.end() if found else len(text)
