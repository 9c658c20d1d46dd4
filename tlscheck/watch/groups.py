"""Who is told what: recipients by the labels of targets."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from tlscheck import judge
from tlscheck.changes import Change, Origin
from tlscheck.changes.bearing import ENDS_CODE
from tlscheck.config.watching import Mail, Recipient, mailbox
from tlscheck.mail.news import News, Occasion
from tlscheck.model import Scan
from tlscheck.pipeline import Asked
from tlscheck.targets import registrable


@dataclass(frozen=True, slots=True)
class Group:
    """Recipients who are told the same."""

    labels: frozenset[str]
    """Empty: of all targets."""
    addresses: tuple[str, ...]


def groups(mail: Mail) -> tuple[Group, ...]:
    """The recipients, together where they are told the same."""
    found: dict[frozenset[str], list[str]] = {}
    for each in mail.to:
        found.setdefault(frozenset(each.labels), []).append(_address(each))
    return tuple(Group(labels, tuple(dict.fromkeys(to))) for labels, to in found.items())


def _address(recipient: Recipient) -> str:
    found = mailbox(recipient.address)
    assert found is not None, "load() lets no other through"
    return found[1]


def worth(news: News) -> bool:
    """Whether *news* is to be told at all: what is meant, and what is borne, is not."""
    if news.occasion is not Occasion.CHANGED or news.unread or news.unkept or news.ended_anew:
        return True
    bearable = {
        (finding.rule, finding.target) for finding in news.report.own() if news.waived(finding)
    }
    return any(
        change.key not in news.accepted
        and ((change.subject, change.target) not in bearable or change.code == ENDS_CODE)
        for change in news.changes
    )


def part(news: News, group: Group, asked: Sequence[Asked]) -> News:
    """Of *news* what the *group* is told."""
    if not group.labels:
        return news
    scan = news.report.scan
    labels = {look.target.id: look.target.label for look in news.gone}
    ids = {
        target
        for target in (*(look.target.id for look in scan.looks), *_targets(news.changes))
        if _concerns(target, group.labels, asked, scan, labels)
    }
    changes = tuple(
        change
        for change in news.changes
        if change.target in ids or (not change.target and _is_of_all(change))
    )
    return replace(news, report=judge.part(news.report, ids), changes=changes)


def _targets(changes: Iterable[Change]) -> Iterator[str]:
    return (change.target for change in changes if change.target)


def _is_of_all(change: Change) -> bool:
    """Whether a change of no target tells nothing of others' targets."""
    return change.code != "answer" and change.kind in (Origin.PROFILE, Origin.TLSCHECK)


def _concerns(
    target: str,
    labels: frozenset[str],
    asked: Sequence[Asked],
    scan: Scan,
    gone: Mapping[str, str],
) -> bool:
    """Whether a target has one of *labels*, or had it before it was *gone*. One that cannot be told
    whose it is concerns all.
    """
    own = [each for each in asked if _belongs(target, each, scan)]
    if not own and target in gone:
        return gone[target] in labels
    return not own or any(each.label in labels for each in own)


def _belongs(target: str, asked: Asked, scan: Scan) -> bool:
    """Whether *target* is what was asked for, an address of it, or the domain it is under."""
    host = asked.spec.host
    if target.partition("#")[0] == asked.id or target in (host, registrable(host)):
        return True
    return any(
        look.target.id.partition("#")[0] == asked.id
        and look.target.target is not None
        and look.target.target.address == target
        for look in scan.looks
    )
