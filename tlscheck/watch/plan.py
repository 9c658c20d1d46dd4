"""All that a run needs, so that no mistake is found halfway."""

from __future__ import annotations

from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import urlsplit

from tlscheck.config import Settings, secrets, watching
from tlscheck.errors import ConfigError
from tlscheck.mail import letter, relay
from tlscheck.pipeline import Order
from tlscheck.render import FORMATS
from tlscheck.text import _N
from tlscheck.watch.mailing import Post
from tlscheck.watch.order import order as ordered


@dataclass(frozen=True, slots=True)
class Plan:
    """What the configuration leads to, its secrets read."""

    settings: Settings
    history: Path
    order: Order
    post: Post | None
    webhook: tuple[str, str, bytes | None] | None
    ping: tuple[str, bytes | None] | None
    lang: str


def plan(settings: Settings, path: Path, history: Path, lang: str) -> Plan:
    """What *settings* from the file *path* lead to. ConfigError and other mistakes of the user."""
    asked = ordered(settings, path)
    try:
        trusted = _file(settings.ca_file, "ca_file")
        asked = replace(asked, ca_file=trusted, domains=replace(asked.domains, ca_file=trusted))
        post, webhook, ping = _post(settings, asked, lang), _webhook(settings), _ping(settings)
    except ConfigError as error:
        raise ConfigError("{file}, {mistake}", file=path, mistake=error) from error
    return Plan(settings, history, asked, post, webhook, ping, lang)


def _ping(settings: Settings) -> tuple[str, bytes | None] | None:
    ping = settings.ping
    if ping is None:
        return None
    return secrets.link(ping.url, "ping.url"), _file(ping.ca_file, "ping.ca_file")


def _post(settings: Settings, asked: Order, lang: str) -> Post | None:
    mail = settings.mail
    if mail is None:
        return None
    where = watching.relay(mail.smtp)
    assert where is not None, "load() lets no other through"
    for form in mail.attach:
        if form not in FORMATS:
            raise ConfigError(
                "key mail.attach: this tlscheck makes no {form}; take some of {names}",
                form=form,
                names=tuple(name for name in letter.TYPES if name in FORMATS),
            )
        if form == "pdf" and find_spec("typst") is None:
            raise ConfigError("key mail.attach: pdf needs typst; {command}", command=_TYPST)
    password = secrets.secret(mail.password, "mail.password") if mail.password else ""
    ca_file = _file(mail.ca_file, "mail.ca_file")
    return Post(mail, relay.Means(where, password, ca_file, mail.timeout), asked.targets, lang)


_TYPST = "pip install 'tlscheck[pdf]'"


def _webhook(settings: Settings) -> tuple[str, str, bytes | None] | None:
    hook = settings.webhook
    if hook is None:
        return None
    url = secrets.link(hook.url, "webhook.url")
    token = secrets.secret(hook.token, "webhook.token") if hook.token else ""
    where = urlsplit(url)
    if token and where.scheme != "https" and where.hostname not in ("127.0.0.1", "::1"):
        raise ConfigError("key webhook.url: a token is sent over https only; write https://")
    return url, token, _file(hook.ca_file, "webhook.ca_file")


def _file(path: str, key: str) -> bytes | None:
    """The certificates in the file that the configuration's *key* names. ConfigError."""
    from cryptography import x509

    if not path:
        return None
    try:
        data = Path(path).read_bytes()
        x509.load_pem_x509_certificates(data)
    except (OSError, ValueError) as error:
        raise ConfigError(
            "key {key}: {file} holds no certificates that can be read ({detail}); name a PEM file",
            key=key,
            file=path,
            detail=getattr(error, "strerror", None) or _N("it is not in PEM form"),
        ) from None
    return data
