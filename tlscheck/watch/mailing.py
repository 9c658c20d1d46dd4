"""Letters on their way: into the outbox with the scan, out of it once a relay has them."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from tlscheck import report
from tlscheck.config.watching import PERIODS, Mail, mailbox
from tlscheck.errors import HistoryError, TlscheckError
from tlscheck.history import Store, looking_back, opened, outbox, scans
from tlscheck.mail import relay
from tlscheck.mail.letter import Letter, letter, lightened
from tlscheck.mail.news import Line, News, Occasion
from tlscheck.model import Look
from tlscheck.net import now
from tlscheck.pipeline import Asked
from tlscheck.text import _N, voice
from tlscheck.watch.groups import Group, groups, part, worth

PAUSES = (5.0, 15.0)
"""Seconds before each further try within one run."""
_FIRST, _LAST = timedelta(minutes=5), timedelta(hours=6)
"""How long ``--deliver`` leaves a relay alone after a first failure, and after many."""
_SLACK = timedelta(hours=12)
"""So much earlier a digest may come: no night begins on the second."""
_WRONG, _TRIES = timedelta(days=7), 5
"""How long, and how often at least, a recipient whom the relay refuses for good is tried."""
_NEVER = timedelta(days=30)
"""How long anybody is."""
_LIGHT = timedelta(days=3)
"""How long a message that waits keeps its attachments."""
ALWAYS = datetime.max.replace(tzinfo=UTC)

QUEUED = _N("mail to {recipients} waits: {words}")
GIVEN_UP = _N("mail to {recipients} is given up after {days} days: {words}")
OLD = _N("the mail waited for days")
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
        news = replace(news, gone=_gone(news, store)) if store else news
        for group in groups(self.mail):
            own = part(news, group, self.asked)
            if worth(own) or (store and _is_due(store, group, self.mail, at)):
                yield letter(settled(own), self.mail, group.addresses, seed, at, self.lang)


def _gone(news: News, store: Store) -> tuple[Look, ...]:
    """The looks that say what targets are called that the report has no more."""
    scan = news.report.scan
    here = {look.target.id for look in scan.looks}
    left = sorted({change.target for change in news.changes} - here - {""})
    with contextlib.suppress(TlscheckError):  # who reads the history says what is wrong with it
        numbers = looking_back.last_seen(store, [(target, "") for target in left], scan.at)
        kept = [report.decode(scans.document(store, number), "") for number in numbers]
        return tuple(look for each in kept for look in each.looks)
    return ()


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
    gone: tuple[Line, ...] = ()
    """What is tried no more."""
    troubles: tuple[HistoryError, ...] = ()

    def __add__(self, other: Waiting) -> Waiting:
        return Waiting(
            _once(self.lines, other.lines),
            self.passing or other.passing,
            self.left + other.left,
            _once(self.gone, other.gone),
            self.troubles + other.troubles,
        )


def _once(some: tuple[Line, ...], more: tuple[Line, ...]) -> tuple[Line, ...]:
    """What says the same is said once."""
    say = voice("en")
    return tuple({say(each.template, **each.values): each for each in (*some, *more)}.values())


def deliver(
    store: Store, post: Post, before: datetime = ALWAYS, cut: relay.Cut | None = None
) -> Waiting:
    """Try all mail that is due *before* once. One that cannot be noted keeps no other from going.
    HistoryError.
    """
    done, cut = Waiting(), cut or relay.Cut()
    for queued in outbox.due(store, before):
        if cut.is_over:
            late = relay.RelayError(relay.ENDED)
            done += Waiting((_waits(queued.mail.recipients, late),), left=1)
            continue
        try:
            done += _Try(store, post, queued, cut).made()
        except HistoryError as error:
            done += Waiting(left=1, troubles=(error,))
    return done


@dataclass
class _Try:
    """One message, handed over once. That the outcome can be noted is known before."""

    store: Store
    post: Post
    queued: outbox.Queued
    cut: relay.Cut
    done: Waiting = field(default_factory=Waiting)

    def made(self) -> Waiting:
        """What came of it. HistoryError."""
        mail, again = self.queued.mail, now() + _pause(self.queued.tries)
        with outbox.tried(self.store, self.queued, again) as give_back:

            def taken(refused: Mapping[str, str]) -> None:
                give_back()
                self._left(refused, refused, again)

            try:
                handed(self.post, mail.message, mail.recipients, taken, self.cut)
                return self.done
            except relay.RelayError as error:
                trouble = error
            give_back()
            refused: Mapping[str, object] = trouble.refused or dict.fromkeys(
                mail.recipients, trouble
            )
            self._left(refused, trouble.refused, again, passing=trouble.passing)
            if self._age >= _LIGHT:
                self._lighten()
        return self.done

    @property
    def _age(self) -> timedelta:
        return now() - self.queued.made

    def _left(
        self,
        refused: Mapping[str, object],
        own: Mapping[str, str],
        again: datetime,
        *,
        passing: bool = False,
    ) -> None:
        """Note who was *refused*, and why; *own*: for the recipient's sake."""
        gone = {to: why for to, why in refused.items() if self._is_vain(own.get(to, ""))}
        left = {to: why for to, why in refused.items() if to not in gone}
        words = "; ".join(dict.fromkeys(map(_plain, (left or refused).values())))
        number, someone = self.queued.id, len(refused) < len(self.queued.mail.recipients)
        if left:
            outbox.failed(self.store, number, words, again, tuple(left))
        elif someone or not refused:
            outbox.delivered(self.store, number, now())
        else:
            outbox.given_up(self.store, number, words, now())
        passing = passing or any(own.get(to, "").startswith("4") for to in left)
        self.done = Waiting(_lines(QUEUED, left), passing, int(bool(left)), self._told(gone))

    def _is_vain(self, words: str) -> bool:
        """Whether it is no use to try on with a recipient of whom the relay says *words*."""
        return self._age >= _NEVER or (
            words.startswith("5") and self._age >= _WRONG and self.queued.tries + 1 >= _TRIES
        )

    def _told(self, gone: Mapping[str, object]) -> tuple[Line, ...]:
        return _lines(GIVEN_UP, gone, days=self._age.days)

    def _lighten(self) -> None:
        mail = self.queued.mail
        light = lightened(mail.message, Line(OLD, {}), self.post.lang)
        if light is not None and self.done.left:
            outbox.lightened(self.store, self.queued.id, light)


def _lines(template: str, why: Mapping[str, object], **values: object) -> tuple[Line, ...]:
    """A line for all that have one reason."""
    reasons = {_plain(words): words for words in why.values()}
    return tuple(
        Line(
            template,
            {
                "recipients": tuple(to for to in why if _plain(why[to]) == plain),
                "words": words,
                **values,
            },
        )
        for plain, words in reasons.items()
    )


def _plain(words: object) -> str:
    if isinstance(words, relay.RelayError):
        return words.template.format_map(words.values)
    return str(words)


def _pause(tries: int) -> timedelta:
    return min(_FIRST * (1 << min(tries, 10)), _LAST)


def _waits(recipients: Sequence[str], words: object) -> Line:
    return Line(QUEUED, {"recipients": tuple(recipients), "words": words})


def handed(
    post: Post,
    message: bytes,
    recipients: Sequence[str],
    taken: Callable[[Mapping[str, str]], None],
    cut: relay.Cut,
) -> None:
    """Hand over *message*, without its attachments where the relay takes none of its size.
    RelayError.
    """
    try:
        relay.send(post.means, post.sender, recipients, message, taken, cut)
    except relay.RelayError as error:
        words = Line(error.template, error.values)
        light = lightened(message, words, post.lang) if error.large else None
        if light is None:
            raise
        relay.send(post.means, post.sender, recipients, light, taken, cut)


def deliver_patiently(path: Path, post: Post, cut: relay.Cut, *, patience: bool) -> Waiting:
    """What waits in the history *path*, several times where there is hope. HistoryError."""
    with opened(path) as store:
        done = deliver(store, post, cut=cut)
        for pause in PAUSES if patience else ():
            if not (done.left and done.passing) or cut.is_over:
                break
            cut.pause(pause)
            last = deliver(store, post, cut=cut)
            done = replace(last, gone=_once(done.gone, last.gone))
    return done


def send_directly(
    letters: Iterable[Letter], post: Post, cut: relay.Cut, *, patience: bool
) -> Sequence[Line]:
    """Send what no history can keep; what was lost."""
    lines = []
    for each in letters:
        left: Sequence[str] = each.recipients
        words: object = None
        for pause in (0.0, *(PAUSES if patience else ())):
            cut.pause(pause)
            found = dict[str, str]()
            try:
                handed(post, each.message, left, found.update, cut)
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
