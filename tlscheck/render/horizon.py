"""When certificates end, as a picture: numbers and words only, the template draws them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from tlscheck.model import Look
from tlscheck.observations.certificate import CertificateObservation
from tlscheck.render.naming import label, spot
from tlscheck.report import Report
from tlscheck.text import day, visible

MOST_BARS = 30
"""How many bars the picture has; the table beside it has every certificate."""
FURTHEST = 400
"""Days to the right edge at the most."""
LEFT, WIDTH, ROW, HEAD = 300, 560, 26, 30
"""Where the bars begin, how long the longest is, and how high rows and the head are."""


@dataclass(frozen=True, slots=True)
class End:
    """The end of a target's certificate."""

    target: str
    spot: str
    name: str
    end: datetime
    until: str
    """The day, in the time zone of the language."""
    days: int
    """Whole days left; negative once it has expired."""
    state: str
    """``expired``, ``soon`` or ``fine``."""


@dataclass(frozen=True, slots=True)
class Bar:
    """One bar of the picture."""

    end: End
    caption: str
    y: int
    width: float
    beyond: bool
    """It ends to the right of the picture."""


@dataclass(frozen=True, slots=True)
class Picture:
    """All that the template needs to draw."""

    ends: tuple[End, ...]
    """Every certificate, the first to end first."""
    bars: tuple[Bar, ...]
    ticks: tuple[tuple[float, int], ...]
    """Lines of the scale: where, and how many days from the look."""
    due: tuple[float, int] | None
    """From where, and how many days before the end, a renewal is due."""
    left: int
    right: int
    height: int


def picture(report: Report, lang: str) -> Picture | None:
    """The picture, ``None`` where no certificate was seen."""
    setting = report.profile.settings.get("certificate.expiry")
    soon = getattr(setting.want, "days", 0) if setting else 0
    found = ends(report.scan.looks, report.scan.at, soon, lang)
    if not found:
        return None
    shown = found[:MOST_BARS]
    span = min(max(90, *(end.days for end in shown)), FURTHEST)

    def x(days: float) -> float:
        return round(LEFT + WIDTH * days / span, 1)

    return Picture(
        ends=found,
        bars=tuple(_bars(shown, span)),
        ticks=tuple((x(days), days) for days in _scale(span)),
        due=(x(soon), soon) if 0 < soon <= span else None,
        left=LEFT,
        right=LEFT + WIDTH,
        height=HEAD + ROW * len(shown) + 8,
    )


def ends(looks: Iterable[Look], at: datetime, soon: int, lang: str) -> tuple[End, ...]:
    """The ends of all certificates that *looks* saw, as of *at*, the first to end first."""
    return tuple(sorted(_ends(looks, at, soon, lang), key=lambda end: end.days))


def _ends(looks: Iterable[Look], at: datetime, soon: int, lang: str) -> Iterable[End]:
    for look in looks:
        for name, until in _leaves(look):
            days = (until - at).days
            yield End(
                target=label(look.target),
                spot=spot(look.target),
                name=visible(name),
                end=until,
                until=day(until, lang),
                days=days,
                state="expired" if until < at else "soon" if days < soon else "fine",
            )


def _leaves(look: Look) -> Iterable[tuple[str, datetime]]:
    seen = look.seen.get("certificate")
    if isinstance(seen, CertificateObservation):
        leaves = {c.leaf.sha256: c.leaf for c in seen.asked() if c.certificates}
        for leaf in leaves.values():
            if leaf.not_after:
                yield leaf.common_name or leaf.subject or leaf.sha256[:16], leaf.not_after


def _bars(shown: Sequence[End], span: int) -> Iterable[Bar]:
    for number, end in enumerate(shown):
        width = WIDTH * min(max(end.days, 0), span) / span
        caption = end.spot if len(end.spot) <= 40 else end.spot[:39] + "…"
        yield Bar(end, caption, HEAD + ROW * number, round(max(width, 3), 1), end.days > span)


def _scale(span: int) -> Iterable[int]:
    step = next((s for s in (7, 30, 60, 90) if span / s <= 7), 100)
    return range(0, span + 1, step)
