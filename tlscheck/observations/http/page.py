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
    ("feimage", "href"): "image",
    ("feimage", "xlink:href"): "image",
    ("portal", "src"): "frame",
    ("a", "ping"): "connect",
    ("area", "ping"): "connect",
}
_LED_TO = frozenset(
    (tag, key)
    for tag, keys in {
        "a": ("href", "xlink:href"),
        "area": ("href",),
        "base": ("href",),
        "link": ("href",),
        "meta": ("content",),
    }.items()
    for key in keys
)
_TOLD = (
    "about alt cite integrity itemid itemtype placeholder prefix profile property resource title"
    " typeof vocab xmlns"
)
"""Attributes in which addresses are words; in all others some script or browser may use them."""
_LINKED_BY = {
    "stylesheet": "style",
    "icon": "image",
    "apple-touch-icon": "image",
    "apple-touch-icon-precomposed": "image",
    "apple-touch-startup-image": "image",
    "mask-icon": "image",
    "fluid-icon": "image",
    "preload": "preload",
    "prerender": "preload",
    "modulepreload": "script",
    "prefetch": "preload",
    "preconnect": "connect",
    "dns-prefetch": "connect",
    "manifest": "manifest",
}
_MORE = frozenset(("style", "frame", "object", "script"))
"""Kinds of what may load more."""
_RELATED = (
    "alternate amphtml author bookmark canonical describedby editlink editor edituri external first"
    " help home hub index last license me next nofollow noopener noreferrer opensearch pingback"
    " prev privacy-policy profile publisher search self shortcut shortlink start tag"
    " terms-of-service up webmention wlwmanifest https://api.w.org/"
)
"""What a link may be for without anything being loaded."""
_LABEL = r"""[^\s.:/?#\\"'`<>()\[\]{}|,;@$%^*&!=+~]+"""
_NAMED = re.compile(
    rf"""\b(?:https?|wss?)://(?:[^\s/?#"'`<>()@]*@)?(?:{_LABEL}(?:\.{_LABEL})*|\[[0-9A-F:.]+\])"""
    r"""(?::[0-9]+)?"""
    rf"""|(?:["'`]|\(\s*)(//(?:{_LABEL}\.)+(?:xn--[a-z0-9\-]+|[^\W\d_]{{2,24}}|[0-9]{{1,3}})(?::[0-9]+)?"""
    r"""|//\[[0-9A-F:.]+\](?::[0-9]+)?)(?=[/"'`)?#\s]|$)""",
    re.IGNORECASE,
)
"""A whole URL, or one without its scheme (the group), as scripts and styles write them."""
_NAMESPACES = ("http://www.w3.org", "http://schema.org", "https://schema.org", "http://ogp.me")
_LINK_FIELD = re.compile(r"<([^<>]*)>([^<]*)")
_RELATION = re.compile(r""";\s*rel\s*=\s*(?:"([^"]*)"|([^\s;,"]+))""", re.IGNORECASE)
_REFRESH = re.compile(
    r"""\s*[\d.]*\s*[;,\s]\s*(?:url\s*=\s*)?["']?\s*([^"'\s][^"']*)""", re.IGNORECASE
)
_CHARSET = re.compile(r"""charset\s*=\s*["']?\s*([^\s;"']+)""")
_PAGES = ("text/html", "application/xhtml+xml", "text/xml", "application/xml", "image/svg+xml")
_GUESSED = ("unknown/unknown", "application/unknown", "*/*")
"""Types that say nothing: browsers look at the content (MIME Sniffing, section 7)."""
_SCRIPTS = re.compile(
    r"(?:module|(?:text|application)/(?:x-)?(?:java|ecma)script.*)?", re.IGNORECASE
)
_DEPTH = 3
"""Of pages within pages that are read."""
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
    "unicodefffe": "utf-16-be",
    **dict.fromkeys(
        ("unicode", "unicodefeff", "ucs-2", "iso-10646-ucs-2", "csunicode"), "utf-16-le"
    ),
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
        types = ",".join(response.all("content-type")).lower()
        self.html = _is_page(types, response.body)
        self.crowded = False
        """There are more origins than are kept."""
        self.unread: set[str] = set()
        """The kinds of what is the page's own, is not read, and may load more."""
        self.leads_on = ""
        """Where it sends browsers by itself."""
        self.policies: list[str] = []
        self.generator = ""
        self._depth = 0
        self._url = self._base = url
        self._found: dict[tuple[str, str], None] = {}
        self._bare: dict[str, None] = {}
        self._fields(response)
        if self.html:
            self._read(response.body.decode(_encoding(types, response.body), "replace"))

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
            self._attribute(tag, key, value)
        match tag:
            case "script":
                if _SCRIPTS.fullmatch(told.get("type", "").strip()):
                    self.unread.add("script")
                if not told.get("integrity", "").strip():
                    self._bare.update(dict.fromkeys(self._origins(told.get("src", ""))))
            case "base" if self._base == self._url and "href" in told:
                self._base = join(self._url, told["href"]) or self._url
            case "link":
                self._add_linked(told.get("href", ""), told.get("rel", ""))
            case "meta":
                self._meta(told)

    def _attribute(self, tag: str, key: str, value: str) -> None:
        if key.startswith("on") or value.lstrip()[:11].lower() == "javascript:":
            self.unread.add("script")
        if kind := _LOADED_BY.get((tag, key)):
            self._add(value, kind)
        elif key in ("srcset", "imagesrcset"):
            for candidate in value.split(","):
                self._add("".join(candidate.split()[:1]), "image")
        elif key == "style":
            self._add_named(value, "style")
        elif key == "srcdoc" and self._depth < _DEPTH:
            self._depth += 1
            self._read(value)
            self._depth -= 1
        elif (tag, key) not in _LED_TO and key.partition(":")[0] not in _TOLD.split():
            self._add_named(f'"{value}"', "named")

    def _meta(self, told: Mapping[str, str]) -> None:
        content = told.get("content", "")
        if told.get("name", "").lower() == "generator":
            self.generator = content
        match told.get("http-equiv", "").lower():
            case "content-security-policy":
                self.policies.append(printable(content))
            case "refresh":
                self._refresh(content)

    def _refresh(self, text: str) -> None:
        if found := _REFRESH.match(text):
            self._add(found[1].strip(), "refresh")
            target = join(self._base, found[1])
            self.leads_on = self.leads_on or ("" if target == self._url else target)

    def _fields(self, response: Response) -> None:
        for value in response.all("link"):
            for url, parameters in _LINK_FIELD.findall(value):
                for quoted, bare in _RELATION.findall(parameters):
                    self._add_linked(url, quoted or bare)
        for value in response.all("refresh"):
            self._refresh(value)
        for name in ("report-to", "reporting-endpoints", "nel"):
            for value in response.all(name):
                self._add_named(value, "report")

    def _add_linked(self, url: str, rel: str) -> None:
        for word in rel.lower().split():
            if word not in _RELATED.split():
                self._add(url, _LINKED_BY.get(word, "named"))

    def _add_named(self, text: str, kind: str) -> None:
        for found in _NAMED.finditer(text.replace("\\/", "/")):
            url = found[1] or found[0]
            if url.lower() not in _NAMESPACES:
                self._add(url, kind)

    def _add(self, url: str, kind: str) -> None:
        for found in self._origins(url):
            if found == self._own() and kind in _MORE:
                self.unread.add(kind)
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


def _is_page(types: str, body: bytes) -> bool:
    """Whether browsers may show an answer with these content *types* as a page; where none is
    given, or none that says anything, they guess.
    """
    kinds = [part.partition(";")[0].strip() for part in types.split(",")]
    if any(kind in _PAGES or kind.endswith("+xml") for kind in kinds):
        return True
    return all("/" not in kind or kind in _GUESSED for kind in kinds) and b"<" in body


def _encoding(types: str, body: bytes) -> str:
    """The name of the codec of a page, by its first bytes, else by the type's ``charset``."""
    for mark, codec in _MARKS:
        if body.startswith(mark):
            return codec
    charset = _CHARSET.search(types)
    return _CHARSETS.get(charset[1] if charset else "", "utf-8")


def _elements(text: str) -> Iterator[tuple[str, dict[str, str], str]]:
    """Each start tag with its attributes, and the raw text in it if it is of that kind."""
    at = 0
    while found := _TAG.search(text, at):
        at = found.end()
        if found[1] is None:
            is_comment = found[0] == "<!--"
            start = at
            at = _end(_COMMENT_END, text, at - 2) if is_comment else _end(_TAG_END, text, at)
            if found[0] == "<?":  # XML's processing instructions: style sheets, for one
                yield "?", {"": text[start:at]}, ""
            continue
        told: dict[str, str] = {}
        while part := _ATTRIBUTE.match(text, at):
            at = part.end()
            told.setdefault(part[1].lower(), unescape(part[2] or part[3] or part[4] or ""))
        closed = _TAG_END.match(text, at)
        if closed is None:  # the text has ended within the tag
            return
        at, tag = closed.end(), found[1].lower().rpartition(":")[2]
        end = _RAW_END[tag].search(text, at) if tag in _RAW_END else None
        content = text[at : end.start() if end else len(text)] if tag in _RAW_END else ""
        yield tag, told, content
        at += len(content)


def _end(pattern: re.Pattern[str], text: str, at: int) -> int:
    found = pattern.search(text, at)
    return found.end() if found else len(text)
