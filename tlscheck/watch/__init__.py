"""The nightly run: look, keep, compare, ask again what seems to have changed, tell.

Whatever befalls the history, the relay or a webhook, the rest goes on; each trouble is one line.
"""

from __future__ import annotations

from pathlib import Path

from tlscheck.errors import TlscheckError
from tlscheck.history import opened
from tlscheck.mail.news import Line
from tlscheck.net import now
from tlscheck.pipeline import Tell
from tlscheck.render import prometheus
from tlscheck.watch import mailing, telling
from tlscheck.watch.halting import halting
from tlscheck.watch.mailing import Waiting
from tlscheck.watch.night import Night, Outcome
from tlscheck.watch.plan import Plan, plan

__all__ = ["Outcome", "Plan", "deliver", "plan", "run"]


async def run(plan: Plan, tell: Tell) -> Outcome:
    """All of it, once."""
    begun = now()
    lines = await _pinged(plan, "/start")
    try:
        with halting(plan.settings.watch.deadline) as halt:
            outcome = await Night(plan, tell, halt).run()
    except BaseException:
        await _pinged(plan, "/fail")
        raise
    outcome.lines[:0] = lines
    outcome.lines += await _pinged(plan, "/fail" if outcome.code else "")
    if plan.settings.metrics is not None:
        ended = now()
        seconds = (ended - begun).total_seconds()
        data = prometheus.metrics(outcome.report, ended, seconds, outcome.figures)
        if trouble := telling.write(Path(plan.settings.metrics.path), data):
            outcome.lines.append(trouble)
    return outcome


async def _pinged(plan: Plan, ending: str) -> list[TlscheckError | Line]:
    if plan.ping is None:
        return []
    url, ca_file = plan.ping
    line = await telling.ping(url, ending, ca_file)
    return [line] if line else []


def deliver(plan: Plan) -> Waiting:
    """Try the mail that waits and whose time has come, and look at nothing. HistoryError."""
    if plan.post is None or not plan.history.exists():
        return Waiting()
    with opened(plan.history) as store:
        return mailing.deliver(store, plan.post, now())
