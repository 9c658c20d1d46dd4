"""One run, from the look to the last mail."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import partial

from tlscheck import compare, judge, pipeline, report
from tlscheck.changes import Change, Origin, confirmed, filling, standing
from tlscheck.errors import HistoryError, TlscheckError
from tlscheck.halt import Halt
from tlscheck.history import accepting, looking_back, opened, scans
from tlscheck.mail.letter import text
from tlscheck.mail.news import Line, News, Occasion
from tlscheck.mail.view import view
from tlscheck.model import Scan
from tlscheck.net import now
from tlscheck.pipeline import Tell
from tlscheck.report import Report
from tlscheck.watch import mailing, telling
from tlscheck.watch.again import again, looked
from tlscheck.watch.groups import worth
from tlscheck.watch.halting import beside
from tlscheck.watch.plan import Plan

UNDELIVERABLE = 2
"""The exit code where mail was given up: an address or the relay is to be seen to."""
PAUSES = (5.0, 15.0)
"""So often it is asked again, at the most, until two looks agree; and so many seconds after the
last look, where something could not be seen: what restarts is not up again at once.
"""
_TICK = 0.1


@dataclass
class Outcome:
    """How a run ended."""

    report: Report
    """Without what is borne."""
    code: int
    lines: list[TlscheckError | Line]
    """Troubles, for standard error."""
    text: str
    """What there is to tell, where no mail does."""
    figures: Mapping[str, float]


@dataclass
class Night:
    """A run, and the troubles it has met."""

    plan: Plan
    tell: Tell
    halt: Halt
    lines: list[TlscheckError | Line] = field(default_factory=list)
    code: int = 0
    trouble: bool = False
    """Whether the history is in trouble."""
    waiting: int = 0
    """Messages that no relay has taken."""

    async def run(self) -> Outcome:
        """Look, look again, keep, tell; deliver what waits of earlier nights, too."""
        scan = await pipeline.look(self.plan.order, self.tell, self.halt)
        news = await self._settled(self._news(judge.judge(scan)))
        news = await self._kept(news)
        for trouble in (news.unread, news.unkept):
            if trouble is not None:
                self._minds(trouble)
        if self.plan.webhook is not None and worth(news):
            url, token, ca_file = self.plan.webhook
            patience = not self.halt.closing
            line = await telling.post(url, token, news, ca_file, patience=patience)
            self.lines += [line] if line else []
        self._prune()
        return self._outcome(news)

    def _outcome(self, news: News) -> Outcome:
        made = news.report
        borne = replace(made, findings=tuple(f for f in made.findings if news.waived(f) is None))
        told = ""
        if self.plan.post is None and worth(news):
            words = view(mailing.settled(news), self.plan.lang)
            told = text(words, words.notices)
        figures = {
            "changes": len(news.changes),
            "history_kept": int(news.unkept is None),
            "mail_queued": self.waiting,
        }
        return Outcome(borne, self.code, self.lines, told, figures)

    def _minds(self, trouble: TlscheckError) -> None:
        """A trouble that somebody must see to; each is told once."""
        self.code, self.trouble = trouble.code, True
        if str(trouble) not in map(str, self.lines):
            self.lines.append(trouble)

    # ---- what is new -------------------------------------------------------------------------

    def _news(self, made: Report) -> News:
        """What *made* tells beside what was kept."""
        path, missing = self.plan.history, _left_out(made.scan)
        number, anew = len({name for name, _ in missing}), False
        try:
            with opened(path, create=True) as store:
                since = compare.latest(store, report.encode(made), str(path))
                if since is None:
                    return News(made, Occasion.BASELINE, unlooked=number)
                before = scans.one(store, since[0]).at
                if missing:
                    last = _left_out(report.decode(scans.document(store, since[0]), str(path)))
                    weeks = looking_back.unseen_weeks(store, missing, made.scan.at)
                    known = looking_back.unseen_weeks(store, missing, before)
                    anew = weeks > known or not missing <= last
                accepted = standing(accepting.accepted(store), before)
        except TlscheckError as error:
            return News(made, Occasion.BLIND, unread=error, unlooked=number)
        # Where we stand changes with every dynamic address.
        changes = tuple(change for change in since[1] if change.subject != "standpoint")
        return News(
            made,
            Occasion.CHANGED,
            changes,
            before,
            accepted,
            unlooked=number,
            ended_anew=anew,
        )

    async def _settled(self, news: News) -> News:
        """*news* after asking again what it tells, until two looks agree; the last one counts."""
        first = {_mark(change) for change in looked(news.changes)}
        for pause in PAUSES:
            doubtful = looked(news.changes)
            if any(change.kind is Origin.NETWORK for change in doubtful):
                await self._wait(pause)
            if not doubtful or self.halt.closing:
                break
            scan = await again(self.plan.order, news.report.scan, doubtful, self.tell, self.halt)
            if self.halt.closing:  # it may have been cut short, where the first was whole
                break
            before, news = news.changes, self._news(judge.judge(scan))
            if confirmed(news.changes, before) == news.changes:
                break
        blips = first - {_mark(change) for change in news.changes}
        return replace(news, unconfirmed=len(blips))

    async def _wait(self, seconds: float) -> None:
        """Until they are over, or the run is."""
        loop = asyncio.get_running_loop()
        until = loop.time() + seconds
        while not self.halt.closing and loop.time() < until:
            await asyncio.sleep(_TICK)

    # ---- what becomes of it ------------------------------------------------------------------

    async def _kept(self, news: News) -> News:
        """Keep the scan and its mail, both or neither, and send; where nothing can be kept, send
        all the same.
        """
        data, post, path = report.encode(news.report), self.plan.post, self.plan.history
        try:
            with opened(path, create=True) as store, store.writing():
                number, _ = scans.keep(store, data, str(path), now())
                news = replace(news, scan=number)
                if post is not None:
                    mailing.put(store, post.letters(news, store, data), now(), number)
        except TlscheckError as error:
            news = replace(news, scan=None, unkept=error)
            if post is not None:
                letters = list(post.letters(news, None, data))
                patience = not self.halt.closing
                directly = partial(mailing.send_directly, letters, post, patience=patience)
                self.lines += await beside(directly, self.halt)
            return news
        if post is not None:
            await self._deliver(patience=not self.halt.closing)
        return news

    async def _deliver(self, *, patience: bool) -> None:
        """Send what waits."""
        path, post = self.plan.history, self.plan.post
        assert post is not None
        waiting = partial(mailing.deliver_patiently, path, post, patience=patience)
        try:
            done = await beside(waiting, self.halt)
        except HistoryError as error:
            self._minds(error)
            return
        for trouble in done.troubles:
            self._minds(trouble)
        self.lines += (*done.lines, *done.gone)
        self.code = self.code or (UNDELIVERABLE if done.gone else 0)
        self.waiting = done.left

    def _prune(self) -> None:
        told = self.plan.settings.history
        if self.trouble:
            return
        try:
            with opened(self.plan.history) as store:
                scans.prune(store, now(), told.keep_days, told.keep)
        except HistoryError as error:
            self._minds(error)


def _left_out(scan: Scan) -> frozenset[tuple[str, str]]:
    """What the run's early end left out: targets, as they were asked for, and subjects."""
    return frozenset(
        (name, subject) for name, subjects in filling.unlooked(scan).items() for subject in subjects
    )


def _mark(change: Change) -> tuple[str, str, str]:
    return change.target, change.subject, change.code
