"""Letters on their way: into the outbox with the scan, out of it once a relay has them."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import partial

from tlscheck.config.watching import PERIODS, Mail, mailbox
from tlscheck.history import Store, outbox
from tlscheck.mail import relay
from tlscheck.mail.letter import Letter, letter
from tlscheck.mail.news import Line, News, Occasion
from tlscheck.net import now
from tlscheck.pipeline import Asked
from tlscheck.text import _N
from tlscheck.watch.groups import Group, groups, part, worth

PAUSES = (5.0, 15.0)
"""Seconds before each further try within one run."""
_FIRST, _LAST = timedelta(minutes=5), timedelta(hours=6)
"""How long ``--deliver`` leaves a relay alone after a first failure, and after many."""
_SLACK = timedelta(hours=12)
"""So much earlier a digest may come: no night begins on the second."""
ALWAYS = datetime.max.replace(tzinfo=UTC)

QUEUED = _N("mail to {recipients} waits: {words}")
LOST = _N("mail to {recipients} could not be sent, and is not kept: {words}")


@dataclass(frozen=True, slots=True)
class Post:
    """How this run's mail goes."""

    mail: Mail
    means: relay.Means
    asked: tuple[Asked, ...]
    lang: str

    @property
    def sender(self) -> str:
        """Whom the relay is told to give failures back to."""
        return (mailbox(self.mail.sender) or ("", ""))[1]

    def letters(self, news: News, store: Store | None, seed: bytes) -> Iterator[Letter]:
        """What each group is told, if there is anything; digests, where the *store* says that they
        are due.
        """
        at = now()
        for group in groups(self.mail):
            own = part(news, group, self.asked)
            if worth(own) or (store and _is_due(store, group, self.mail, at)):
                yield letter(settled(own), self.mail, group.addresses, seed, at, self.lang)


def settled(news: News) -> News:
    """*news* that say so where nothing changed."""
    quiet = news.occasion is Occasion.CHANGED and not news.changes
    return replace(news, occasion=Occasion.QUIET) if quiet else news


def _is_due(store: Store, group: Group, mail: Mail, at: datetime) -> bool:
    """Whether nothing was sent to the *group* for the time after which a digest is."""
    if mail.digest not in PERIODS:
        return False
    last = outbox.last_made(store, group.addresses)
    return last is None or at - last >= timedelta(days=PERIODS[mail.digest]) - _SLACK


def put(store: Store, letters: Iterable[Letter], at: datetime, scan: int | None) -> None:
    """Keep *letters* until they are delivered. HistoryError."""
    for each in letters:
        outbox.put(store, outbox.Mail(each.message_id, each.recipients, each.message), at, scan)


@dataclass(frozen=True, slots=True)
class Waiting:
    """What came of a round through the outbox."""

    lines: tuple[Line, ...] = ()
    passing: bool = False
    """Whether something may go through in a while."""
    left: int = 0


def deliver(store: Store, post: Post, before: datetime = ALWAYS) -> Waiting:
    """Try all mail that is due *before* once. HistoryError."""
    lines, passing, left = [], False, 0
    for queued in outbox.due(store, before):
        refused = dict[str, str]()
        try:
            relay.send(
                post.means,
                post.sender,
                queued.mail.recipients,
                queued.mail.message,
                partial(_taken, store, queued, refused),
            )
        except relay.RelayError as error:
            trouble = error.template.format_map(error.values)
            outbox.failed(store, queued.id, trouble, now() + _pause(queued.tries))
            lines.append(_waits(queued.mail.recipients, error))
            passing, left = passing or error.passing, left + 1
        if refused:
            lines += [_waits([to], why) for to, why in refused.items()]
            passing = passing or any(why.startswith("4") for why in refused.values())
            left += 1
    return Waiting(tuple(lines), passing, left)


def _taken(
    store: Store, queued: outbox.Queued, into: dict[str, str], refused: Mapping[str, str]
) -> None:
    """The relay has it: keep that at once, before anything else is said to it."""
    into.update(refused)
    if refused:
        words = "; ".join(refused.values())
        outbox.failed(store, queued.id, words, now() + _pause(queued.tries), tuple(refused))
    else:
        outbox.delivered(store, queued.id, now())


def _pause(tries: int) -> timedelta:
    return min(_FIRST * (1 << min(tries, 10)), _LAST)


def _waits(recipients: Sequence[str], words: object) -> Line:
    return Line(QUEUED, {"recipients": tuple(recipients), "words": words})


async def deliver_patiently(store: Store, post: Post, *, patience: bool) -> Waiting:
    """The same, several times where there is hope. HistoryError."""
    done = deliver(store, post)
    for pause in PAUSES if patience else ():
        if not (done.left and done.passing):
            break
        await asyncio.sleep(pause)
        done = deliver(store, post)
    return done


async def send_directly(letters: Iterable[Letter], post: Post, *, patience: bool) -> Sequence[Line]:
    """Send what no history can keep; what was lost."""
    lines = []
    for each in letters:
        left: Sequence[str] = each.recipients
        words: object = None
        for pause in (0.0, *(PAUSES if patience else ())):
            await asyncio.sleep(pause)
            found = dict[str, str]()
            try:
                relay.send(post.means, post.sender, left, each.message, found.update)
            except relay.RelayError as error:
                words = error
                if not error.passing:
                    break
                continue
            left = tuple(found)
            words = "; ".join(found.values()) or None
            break
        if words is not None:
            lines.append(Line(LOST, {"recipients": tuple(left), "words": words}))
    return lines
