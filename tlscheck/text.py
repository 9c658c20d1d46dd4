"""Two languages: templates are English in the code, their translations are gettext catalogs.

Standard library only, and quick to import: every start of the program pays for it. Nothing that
comes from a server leaves `sentence` or `visible` able to steer a terminal or to turn text around.
"""

from __future__ import annotations

import gettext
import re
import unicodedata
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, timedelta, timezone
from functools import cache
from importlib import resources
from pathlib import Path
from string import Formatter
from typing import Protocol

JST = timezone(timedelta(hours=9), "JST")
Say = Callable[..., str]
"""``say(template, **values)``: the template's sentence in one language."""


class Told(Protocol):
    """What can be said as a sentence: `tlscheck.model.Evidence`."""

    @property
    def template(self) -> str:
        """The sentence in English, with the names of values in braces."""

    @property
    def values(self) -> Mapping[str, str | int | float | bool | tuple[str, ...]]:
        """The values by name."""


class Phrase:
    """A part of a sentence: what can be the value of another template."""

    def __init__(self, template: str, /, **values: object) -> None:
        self.template = template
        self.values = values


def _N(template: str) -> str:  # noqa: N802 - the usual name of what marks and does nothing
    """Mark *template* for the catalogs; it is translated where it is said."""
    return template


def languages() -> tuple[str, ...]:
    """The languages there are."""
    return ("en", "ja")


def choose(option: str | None, config: str | None, environ: Mapping[str, str]) -> str:
    """The language: as asked for, else as configured, else the locale's, else English."""
    if asked := option or config:
        return asked
    variables = ("LC_ALL", "LC_MESSAGES", "LANG")
    locale = next((value for name in variables if (value := environ.get(name))), "")
    return "ja" if locale.lower().startswith("ja") else "en"


def translate(template: str, lang: str) -> str:
    """*template* in the language *lang*; one that has no translation stays English."""
    message = normal(template)
    return _catalog(lang).gettext(message) if message else ""


def normal(template: str) -> str:
    """*template* as the catalogs know it: line breaks inside of a paragraph do not count.

    As in click's help, a paragraph that begins with a backspace keeps its lines, and what follows
    a form feed is for programmers.
    """
    if "\n" not in template and "\f" not in template:
        return template
    paragraphs = re.split(r"\n\s*\n", template.partition("\f")[0].strip())
    return "\n\n".join(p if p.startswith("\b") else " ".join(p.split()) for p in paragraphs)


def voice(lang: str) -> Say:
    """A function that says templates in *lang*; every value is made `visible`."""

    def say(template: str, /, **values: object) -> str:
        shown = _Values({name: _shown(name, value, lang) for name, value in values.items()})
        return translate(template, lang).format_map(shown)

    return say


def sentence(evidence: Told, lang: str) -> str:
    """What *evidence* says, in *lang*."""
    return voice(lang)(evidence.template, **evidence.values)


def told(words: str, lang: str) -> str:
    """A detail in *lang*: scan files hold it in English, in pieces with colons between.

    A piece that is not known (a server's words, a URL) stays as it is.
    """
    shown = visible(words)
    if (whole := _piece(shown, lang)) != shown:
        return whole
    return ("：" if lang == "ja" else ": ").join(_piece(p, lang) for p in shown.split(": "))


def objection(words: str, lang: str) -> str:
    """What a verifier objects to, in *lang*; words that are not known are shown as its own."""
    shown = visible(words)
    pieces = [shown, *shown.split(": ")]
    if lang != "ja" or not words or any(_piece(piece, lang) != piece for piece in pieces):
        return told(words, lang)
    return f"「{shown}」"


def _piece(words: str, lang: str) -> str:
    if words in REASONS:
        return translate(REASONS[words], lang)
    if _MOMENT.fullmatch(words):
        return moment(datetime.fromisoformat(words), lang)
    if (said := translate(words, lang)) != words:
        return said
    for pattern, template in _details():
        if found := pattern.fullmatch(words):
            parts = {
                name: objection(value, lang) if name == "objection" else _piece(value, lang)
                for name, value in found.groupdict().items()
            }
            return translate(template, lang).format_map(parts)
    return words


@cache
def _details() -> tuple[tuple[re.Pattern[str], str], ...]:
    return tuple((_pattern(template), template) for template in (*DETAILS, *USAGE))


def _pattern(template: str) -> re.Pattern[str]:
    parts = Formatter().parse(template)
    return re.compile(
        "".join(
            re.escape(words) + (f"(?P<{name}>{_PARTS.get(name, '(?:(?!: ).)+')})" if name else "")
            for words, name, _, _ in parts
        )
    )


def visible(text: str) -> str:
    r"""*text* in which nothing is hidden: control characters, line breaks, what turns the writing
    direction round, lone surrogates and the like are spelt out, as ``\x1b`` or ``\u202e``.
    """
    if text.isprintable():
        return text
    return "".join(c if _is_plain(c) else _spelt(c) for c in text)


_HIDDEN = re.compile(
    "[\x7f-\x9f\xad\u0600-\u0605\u061c\u06dd\u070f\u0890\u0891\u08e2\u180e\u200b-\u200f\u2028-\u202e"
    "\u2060-\u206f\ud800-\udfff\ufeff\ufff9-\ufffb\U000110bd\U000110cd\U00013430-\U0001343f"
    "\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e007f]"
)
"""Controls that JSON allows in strings, and Cf, Zl, Zp and Cs of Unicode 17: a list of its own, as
Python's grows from version to version, and the same report must give the same bytes."""


def plain_json(document: str) -> str:
    r"""The JSON *document* with nothing hidden in it: what `visible` spells out, but for what is no
    character at all, is escaped, as ``\u202e``; it still says the same.
    """
    return _HIDDEN.sub(lambda found: _escaped(found[0]), document)


def moment(when: datetime, lang: str) -> str:
    """Day and time, in JST where the language is Japanese, else in UTC."""
    if lang == "ja" and when.date() < date.max:  # certificates end there that are not to end
        return f"{when.astimezone(JST):%Y-%m-%d %H:%M:%S} JST (+09:00)"
    return f"{when.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"


def day(when: datetime | date, lang: str) -> str:
    """The day, which in JST begins nine hours earlier than in UTC."""
    if isinstance(when, datetime) and when.date() < date.max:
        when = when.astimezone(JST if lang == "ja" else UTC)
    return f"{when:%Y-%m-%d}"


def word(table: Mapping[str, str], value: str, lang: str) -> str:
    """The human word that *table* has for *value*; what it does not know stays as it is."""
    return translate(table[value], lang) if value in table else visible(value)


class _Values(dict[str, str]):
    """Values by name; one that is missing shows as its name, so that no sentence is lost."""

    def __missing__(self, name: str) -> str:
        return f"{{{name}}}"


_MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|\+00:00)")


def _shown(name: str, value: object, lang: str) -> str:
    if (template := getattr(value, "template", None)) is not None:
        return voice(lang)(template, **getattr(value, "values", {}))
    if isinstance(value, (tuple, list)):
        return ("、" if lang == "ja" else ", ").join(visible(str(each)) for each in value)
    if isinstance(value, datetime):
        return moment(value, lang)
    text = str(value)
    if name == "objection":
        return objection(text, lang)
    if name in _TELLING:
        return translate(_TELLING[name][text], lang) if text in _TELLING[name] else told(text, lang)
    if _MOMENT.fullmatch(text):
        return moment(datetime.fromisoformat(text), lang)
    return visible(text)


def _is_plain(character: str) -> bool:
    return character.isprintable() or unicodedata.category(character) == "Zs"


def _escaped(character: str) -> str:
    units = character.encode("utf-16-be", "surrogatepass").hex()
    return "".join(f"\\u{units[at : at + 4]}" for at in range(0, len(units), 4))


def _spelt(character: str) -> str:
    code = ord(character)
    if code < 0x100:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


@cache
def _catalog(lang: str) -> gettext.NullTranslations:
    if lang not in languages()[1:]:
        return gettext.NullTranslations()
    with (folder() / lang / "LC_MESSAGES" / "tlscheck.mo").open("rb") as file:
        return gettext.GNUTranslations(file)


def folder() -> Path:
    """The folder of the catalogs: inside the package where it is installed."""
    installed = Path(str(resources.files("tlscheck"))) / "locale"
    return installed if installed.is_dir() else Path(__file__).parents[1] / "locale"


# ---- the human words of what the scan file names -------------------------------------------------

VERDICTS = {
    "fail": _N("Fail"),
    "unknown": _N("Unknown"),
    "pass": _N("Pass"),
    "not_applicable": _N("Not applicable"),
}
ANSWERS = {
    "not_met": _N("Not met"),
    "undetermined": _N("Cannot be told"),
    "document_needed": _N("Document needed"),
    "met": _N("Met"),
    "not_applicable": _N("Not applicable"),
}
SEVERITIES = {
    "critical": _N("Critical"),
    "high": _N("High"),
    "medium": _N("Medium"),
    "low": _N("Low"),
    "info": _N("Advice"),
}
GRADES = {
    "official": _N("official source"),
    "secondary": _N("secondary source"),
    "inferred": _N("our inference"),
    "unverified": _N("not verified"),
}
REACHES = {
    "tested": _N("decided from outside"),
    "partial": _N("partly seen from outside"),
    "attest": _N("shown by documents alone"),
}
STATES = {
    "accepted": _N("accepted"),
    "refused": _N("refused"),
    "unknown": _N("not known"),
}
DEMANDS = {
    "none": _N("not asked for"),
    "requested": _N("asked for, but not required"),
    "required": _N("required in the handshake"),
    "required_http": _N("required by the HTTP layer"),
    "unknown": _N("not known"),
}
CHOOSERS = {
    "server": _N("in the server's order"),
    "client": _N("the client's order decides"),
    "single": _N("only one is accepted"),
    "unknown": _N("whose order decides is not known"),
}
STANDINGS = {
    "good": _N("not revoked"),
    "revoked": _N("revoked"),
    "unknown": _N("not known"),
}
REASONS = {
    "unresolved": _N("the name does not resolve"),
    "unreachable": _N("the address cannot be reached"),
    "connection_refused": _N("the connection was refused"),
    "timeout": _N("no answer in time"),
    "reset": _N("the connection was reset"),
    "closed": _N("the connection was closed"),
    "not_tls": _N("the answer is not TLS"),
    "preamble": _N("the service did not get as far as TLS"),
    "banned": _N("the server stopped answering us"),
    "budget": _N("the budget of time or connections was used up"),
    "filtered": _N("something filters our connections"),
    "intercepted": _N("something on the way intercepts TLS"),
    "handshake": _N("the handshake failed"),
    "malformed": _N("the answer cannot be read"),
    "too_large": _N("the answer is too large"),
    "child": _N("the deep check failed"),
    "cryptography": _N("the installed cryptography library is too old or cannot do it"),
    "extra": _N("a part of the program that it needs is not installed"),
    "client_certificate": _N("the server wants a client certificate"),
    "not_applicable": _N("it does not apply"),
    "not_asked": _N("it was not asked for"),
    "clock": _N("the clocks differ too much"),
    "limited": _N("the registry limits how often we may ask"),
    "to_declare": _N("it cannot be seen from outside and must be declared"),
    "bug": _N("a fault of tlscheck"),
}
CAUSES = {
    **REASONS,
    "open_question": _N("the requirement leaves it open"),
    "not_settled": _N("the look did not settle it"),
    "not_judged": _N("no rule judged it"),
    "missed": _N("it was not seen"),
}
SCOPES = {
    "endpoint": _N("TLS endpoint"),
    "address": _N("Address"),
    "name": _N("Name"),
}
SUBJECTS = {
    "tls": _N("TLS"),
    "certificate": _N("Certificate"),
    "http": _N("HTTP"),
    "addresses": _N("Comparison of the addresses"),
    "registration": _N("Domain registration"),
    "dns": _N("DNS"),
    "ports": _N("Open ports"),
    "vpn": _N("SSL-VPN"),
    "ike": _N("IKE"),
    "turn": _N("Media relay (TURN)"),
    "quic": _N("QUIC and HTTP/3"),
    "quic.handshakes": _N("TLS within QUIC"),
    "quic.tcp": _N("Comparison of QUIC with TCP"),
    "tls.hellos": _N("Versions, suites and groups of TLS"),
    "certificate.strict": _N("Second verifier of certificate paths"),
    "tls.deep": _N("Deep checks of TLS"),
    "tls.cross_check": _N("Second opinion on TLS"),
}
ORIGINS = {
    "endpoint": _N("The endpoint changed"),
    "profile": _N("What is wanted or asked for changed"),
    "tlscheck": _N("tlscheck changed"),
    "network": _N("Not seen as well as before, or seen again (the network)"),
}
FACTS = {
    "tls.versions": _N("TLS versions"),
    "tls.suites": _N("cipher suites"),
    "tls.groups": _N("groups"),
    "tls.client-certificate": _N("client certificate"),
    "http.hsts": _N("HSTS policy"),
    "ports.open": _N("open ports"),
    "vpn.products": _N("SSL-VPN products"),
    "ike.versions": _N("IKE versions"),
    "dns.name-servers": _N("name servers"),
    "dns.ds": _N("DS records"),
    "dns.mail-hosts": _N("mail hosts (MX)"),
    "registration.registered": _N("registration"),
    "registration.registrar": _N("registrar"),
    "registration.expires": _N("end of the registration"),
    "registration.holder": _N("registrant"),
    "registration.statuses": _N("status of the registration"),
    "registration.locks": _N("locks of the registration"),
    "registration.name-servers": _N("name servers at the registry"),
    "registration.ds": _N("DS records at the registry"),
}
"""What two scans are compared by, beside verdicts."""
LOCKS = {
    "transfer": _N("a lock of transfers"),
    "delete": _N("a lock of deletion"),
    "update": _N("a lock of changes"),
}
MATTERS = {
    "versions": _N("protocol versions"),
    "suites": _N("cipher suites"),
    "groups": _N("groups"),
    "certificate": _N("certificate"),
}
OBJECTIONS = (
    _N("unable to get local issuer certificate"),
    _N("unable to get issuer certificate"),
    _N("unable to verify the first certificate"),
    _N("self-signed certificate"),
    _N("self-signed certificate in certificate chain"),
    _N("certificate has expired"),
    _N("certificate is not yet valid"),
    _N("certificate signature failure"),
    _N("certificate revoked"),
    _N("invalid CA certificate"),
    _N("unsuitable certificate purpose"),
    _N("path length constraint exceeded"),
    _N("hostname mismatch"),
    _N("EE certificate key too weak"),
    _N("CA certificate key too weak"),
    _N("CA signature digest algorithm too weak"),
    _N("IP address mismatch"),
    _N("certificate chain too long"),
    _N("certificate not trusted"),
    _N("certificate rejected"),
    _N("invalid non-CA certificate (has CA markings)"),
    _N("key usage does not include certificate signing"),
    _N("unhandled critical extension"),
    _N("invalid or inconsistent certificate extension"),
    _N("permitted subtree violation"),
    _N("excluded subtree violation"),
)
"""What OpenSSL most often objects to, in its own words."""
ALERTS = (
    _N("unexpected message"),
    _N("sslv3 alert handshake failure"),
    _N("ssl/tls alert handshake failure"),
    _N("sslv3 alert bad certificate"),
    _N("ssl/tls alert bad certificate"),
    _N("tlsv13 alert certificate required"),
    _N("tlsv1 alert protocol version"),
    _N("tlsv1 alert insufficient security"),
    _N("tlsv1 alert internal error"),
    _N("tlsv1 alert access denied"),
    _N("tlsv1 alert unknown ca"),
    _N("tlsv1 unrecognized name"),
    _N("unsupported protocol"),
    _N("wrong version number"),
    _N("dh key too small"),
    _N("wrong signature type"),
)
"""How OpenSSL most often says that a handshake failed."""
SYSTEM = (
    _N("No such file or directory"),
    _N("Permission denied"),
    _N("Is a directory"),
    _N("Not a directory"),
    _N("File exists"),
    _N("Read-only file system"),
    _N("No space left on device"),
    _N("Network is unreachable"),
    _N("No route to host"),
    _N("Cannot assign requested address"),
    _N("Connection reset by peer"),
    _N("Broken pipe"),
    _N("Name or service not known"),
    _N("nodename nor servname provided, or not known"),
    _N("No address associated with hostname"),
    _N("Temporary failure in name resolution"),
)
"""What the operating system most often says."""
DETAILS = (
    _N("closed before {awaited}"),
    _N("waiting for {awaited}"),
    _N("{awaited} does not end"),
    _N("{awaited} is a refusal"),
    _N("{awaited} is not {service}"),
    _N("the answer to {command}"),
    _N("{objection} (depth {depth})"),
    _N("alert {number}"),
    _N("HTTP status {number}"),
    _N("[Errno {number}] {words}"),
    _N("out of date since {moment}"),
    _N("since {moment}"),
    _N("the responder says {word}"),
    _N("no answer within {seconds} s"),
    _N("no end after {seconds} s"),
    _N("the child ended with {ending}"),
    _N("sslyze cannot be asked about {service}"),
    _N("handshake message {number} before the ServerHello"),
    _N("no element {tag}"),
    _N("{size} bytes announced, {number} there"),
    _N("{number} bytes are no list of {size} bytes each"),
)
"""Details that hold values; `told` finds the template that a detail was made of."""
USAGE = (
    _N("No such option {option}. Did you mean {name}?"),
    _N("No such option {option}. (Did you mean one of: {names}?)"),
    _N("No such option {option}."),
    _N("No such command {command}. Did you mean {name}?"),
    _N("No such command {command}. (Did you mean one of: {names}?)"),
    _N("No such command {command}."),
    _N("Missing argument {argument}."),
    _N("Got unexpected extra argument ({argument})"),
    _N("Got unexpected extra arguments ({argument})"),
    _N("Option {option} requires an argument."),
    _N("Option {option} does not take a value."),
    _N("Invalid value for {option}: {argument} is not one of {names}."),
)
"""How click says that a command line is wrong."""
_PARTS = {
    "option": r"'[^']*'(?: / '[^']*')?",
    "awaited": "the (?:greeting|beginning of TLS|answer to .+?)",
    "moment": r"\d{4}-\d\d-\d\d.*",
    **dict.fromkeys(("number", "size"), r"-?\d+"),
    **dict.fromkeys(("seconds", "depth"), "[^ ]+"),
}
"""What the values of details look like."""
_TELLING: Mapping[str, Mapping[str, str]] = {
    "verdict": VERDICTS,
    "answer": ANSWERS,
    "severity": SEVERITIES,
    "grade": GRADES,
    "reach": REACHES,
    "state": STATES,
    "demand": DEMANDS,
    "standing": STANDINGS,
    "reason": REASONS,
    "cause": CAUSES,
    "matter": MATTERS,
    "lock": LOCKS,
    "verdict_before": VERDICTS,
    "answer_before": ANSWERS,
    "looked": SUBJECTS,
    "fact": FACTS,
    "detail": {},
    "why": {},
    "stale": {},
    "source": {},
}
"""The values that are said in words where there are any, by the names that sentences give them;
those without a table are details, see `told`."""
