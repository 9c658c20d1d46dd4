"""Letters as relays take them: seven bits, short lines, plain text first (RFC 5322, 2045, 2047).

Every part is Base64, so that no relay has anything to convert or to cut.
"""

from __future__ import annotations

import email
import hashlib
import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from functools import cache
from html import escape

from jinja2 import Environment, FunctionLoader, StrictUndefined, Template

from tlscheck.config.watching import Mail, mailbox
from tlscheck.data import data_dir
from tlscheck.mail.news import Line, News
from tlscheck.mail.view import View, view
from tlscheck.render import FORMATS
from tlscheck.report import Report
from tlscheck.text import _N, day, voice

_log = logging.getLogger(__name__)

TYPES = {
    "html": ("text", "html"),
    "json": ("application", "json"),
    "pdf": ("application", "pdf"),
    "xlsx": ("application", "vnd.openxmlformats-officedocument.spreadsheetml.sheet"),
}

UNMADE = _N("The report as {form} could not be made ({detail}).")
TOO_LARGE = _N("The report as {form} is too large to be attached: {size} bytes.")


@dataclass(frozen=True, slots=True)
class Letter:
    """A message, ready to be sent."""

    message_id: str
    recipients: tuple[str, ...]
    message: bytes


def letter(
    news: News, mail: Mail, recipients: Sequence[str], seed: bytes, now: datetime, lang: str
) -> Letter:
    """*news* for these *recipients*. The same *seed* and recipients give the same Message-ID."""
    name, sender = mailbox(mail.sender) or ("", "")
    told = view(news, lang)
    files, left_out = _files(news.report, mail, lang)
    notices = [*told.notices, *(voice(lang)(why.template, **why.values) for why in left_out)]
    digest = hashlib.sha256(seed + "\0".join(recipients).encode()).hexdigest()[:32]
    message = EmailMessage(policy=SMTP)
    message["Subject"] = " ".join(filter(None, (mail.subject, told.subject)))
    message["From"] = Address(name, addr_spec=sender)
    message["To"] = [Address(addr_spec=each) for each in recipients]
    message["Date"] = format_datetime(now)
    message["Message-ID"] = f"<{digest}@{sender.rpartition('@')[2]}>"
    message["Auto-Submitted"] = "auto-generated"  # RFC 3834: nobody's holiday reply
    message.set_content(text(told, notices), cte="base64")
    page = _page().render(it=told, notices=notices, lang=lang, _=voice(lang))
    message.add_alternative(page, subtype="html", cte="base64")
    for form, data in files:
        kind, subtype = TYPES[form]
        name = f"tlscheck-{day(news.report.scan.at, lang)}.{form}"
        message.add_attachment(data, maintype=kind, subtype=subtype, filename=name)
    message["Content-Language"] = lang  # last: making parts takes such fields along
    return Letter(str(message["Message-ID"]), tuple(recipients), message.as_bytes())


def _files(
    report: Report, mail: Mail, lang: str
) -> tuple[Sequence[tuple[str, bytes]], Sequence[Line]]:
    """The report in each form that is wanted, and why some are not there."""
    files, left_out, size = [], [], 0
    for form in mail.attach:
        try:
            data = FORMATS[form](report, lang)
        except Exception as error:  # noqa: BLE001 - a form that fails must not keep the mail back
            _log.exception("%s", form)
            left_out.append(Line(UNMADE, {"form": form, "detail": type(error).__name__}))
            continue
        if size + len(data) > mail.largest:
            left_out.append(Line(TOO_LARGE, {"form": form, "size": len(data)}))
            continue
        size += len(data)
        files.append((form, data))
    return files, left_out


LEFT_OUT = _N(
    "The reports that were attached are left out: {words}. The scan is in the history:"
    " tlscheck history list."
)


def lightened(message: bytes, words: Line, lang: str) -> bytes | None:
    """The letter *message* without its attachments, and why: *words*. ``None``: it has none."""
    whole = email.message_from_bytes(message, policy=SMTP)
    if not isinstance(whole, EmailMessage) or not any(whole.iter_attachments()):
        return None
    say = voice(lang)
    notice = say(LEFT_OUT, words=say(words.template, **words.values))
    light = EmailMessage(policy=SMTP)
    for name, value in whole.items():
        if not name.lower().startswith(("content-", "mime-")):
            light[name] = value
    plain, page = (whole.get_body((kind,)) for kind in ("plain", "html"))
    if plain is None:
        return None
    head, _, rest = str(plain.get_content()).replace("\r\n", "\n").partition("\n")
    light.set_content(f"{head}\n{notice}\n{rest}", cte="base64")
    if page is not None:
        paragraph = f'<p style="color: #7a5200">{escape(notice)}</p>'
        told = str(page.get_content()).replace("</p>", f"</p>\n{paragraph}", 1)
        light.add_alternative(told, subtype="html", cte="base64")
    light["Content-Language"] = lang
    return light.as_bytes()


def text(told: View, notices: Sequence[str]) -> str:
    """The letter as plain text."""
    return "\n".join(_lines(told, notices)) + "\n"


def _lines(told: View, notices: Sequence[str]) -> Iterator[str]:
    yield told.headline
    yield from notices
    for origin, targets in told.groups:
        yield from ("", f"■ {origin}")
        for target, entries in targets:
            yield f"  {target}"
            for entry in entries:
                weight = f"{entry.weight}  " if entry.weight else ""
                yield f"    {entry.mark} {weight}{entry.subject}: {entry.words}  [{entry.key}]"
                yield from (f"        {note}" for note in entry.notes)
    yield from ("", f"■ {told.tally}")
    yield from (f"  {target}: {tally}" for target, tally in told.targets)
    for failure in told.failures:
        yield f"    ✗ {failure.weight}  {failure.rule}  {failure.title}  {failure.target}"
        if failure.borne:
            yield f"        {failure.borne}"
    if told.more:
        yield f"    {told.more}"
    yield ""
    yield from told.closing


@cache
def _page() -> Template:
    environment = Environment(
        loader=FunctionLoader(
            lambda name: (data_dir("reports") / "mail" / name).read_text(encoding="utf-8")
        ),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("letter.html")
