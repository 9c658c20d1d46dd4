"""What was seen of QUIC, for people: facts, no verdicts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from tlscheck.model import Look, State
from tlscheck.observations.quic import QuicObservation
from tlscheck.text import STATES, moment, visible, voice, word


def quic(look: Look, lang: str) -> tuple[tuple[str, str], ...]:
    """What is known of QUIC on one target, each with its name; nothing where nobody answered."""
    seen = look.seen.get("quic")
    if not isinstance(seen, QuicObservation) or seen.answers is not State.ACCEPTED:
        return ()
    return tuple((name, value) for name, value in _lines(seen, lang) if value)


def _lines(seen: QuicObservation, lang: str) -> Iterable[tuple[str, str]]:
    _ = voice(lang)
    yield _("Port"), str(seen.port)
    yield _("Versions of QUIC"), _states(seen.versions, lang)
    if seen.canary is State.UNKNOWN:
        return
    yield _("Cipher suites"), _states(seen.suites, lang)
    yield _("Groups"), _states(seen.groups, lang)
    yield _("Kinds of key"), _states(seen.keys, lang)
    yield "ALPN", _states(seen.alpn, lang)
    yield _("Signature scheme chosen"), visible(seen.scheme)
    for one in seen.certificates:
        title = one.common_name or next(iter(one.names), "") or one.subject
        until = moment(one.not_after, lang) if one.not_after else "-"
        shown = _("{name}, valid until {until}", name=title or one.sha256[:16], until=until)
        yield _("Certificate"), visible(shown)
    yield _("Address confirmed first (Retry)"), word(STATES, seen.retry, lang)
    yield _("Session tickets"), _ticket(seen, lang)


def _ticket(seen: QuicObservation, lang: str) -> str:
    if seen.ticket_lifetime is None:
        return ""
    _ = voice(lang)
    early = _("with early data") if seen.early_data is State.ACCEPTED else _("without early data")
    return _("{seconds} seconds, {early}", seconds=seen.ticket_lifetime, early=early)


def _states(states: Mapping[str, State], lang: str) -> str:
    said = (f"{visible(name)}: {word(STATES, state, lang)}" for name, state in states.items())
    return ("、" if lang == "ja" else ", ").join(said)
