"""Leads a connection from clear text to TLS (STARTTLS)."""

from __future__ import annotations

from functools import partial

import idna

from tlscheck.model import Reason
from tlscheck.net import NetError, Stream
from tlscheck.probes.engine import Preamble
from tlscheck.wire.starttls import SERVICES, Conversation, PreambleError

_SHOWN = 120
"""Characters of the server's words that we repeat."""


def preamble(service: str, host: str) -> Preamble | None:
    """What is to be said in clear first; ``None`` where *service* speaks TLS from the start."""
    return partial(_lead, service, host) if service in SERVICES else None


async def _lead(service: str, host: str, stream: Stream) -> None:
    """Talk until TLS may begin. NetError: preamble, timeout, reset, with what was waited for."""
    talk = Conversation(service, _as_told(service, host))
    try:
        await stream.write(talk.start())
        while not talk.done:
            await stream.write(talk.receive(await stream.read()))
    except PreambleError as error:
        raise NetError(Reason.PREAMBLE, _sentence(error)) from None
    except NetError as error:
        waiting = f"waiting for {talk.awaited}"
        detail = f"{waiting}: {error.detail}" if error.detail else waiting
        raise NetError(error.reason, detail) from None


def _as_told(service: str, host: str) -> str:
    """XMPP names hosts in Unicode (RFC 7622, section 3.2)."""
    try:
        return idna.decode(host) if service == "xmpp" else host
    except idna.IDNAError:
        return host


def _sentence(error: PreambleError) -> str:
    """What went wrong with the server's words, which may hold anything, made safe and short."""
    text = " ".join(error.said.decode(errors="replace").split())
    words = "".join(char if char.isprintable() else "\ufffd" for char in text)
    if len(words) > _SHOWN:
        words = f"{words[:_SHOWN]}…"
    return f"{error.what}: {words}" if words else error.what
