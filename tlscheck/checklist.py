"""Checklists: what their items ask, and what the findings answer to them.

Answering is pure. Nothing here may answer ``met`` on account of something that nobody looked at.
"""

from __future__ import annotations

import tomllib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Annotated, Any, TypeVar

from pydantic import Field, TypeAdapter, ValidationError

from tlscheck import data
from tlscheck.data import data_dir
from tlscheck.errors import ChecklistError
from tlscheck.mistakes import minded, unparsed
from tlscheck.model import Answer, Finding, Look, Reach, Reason, Scope, Verdict, Words
from tlscheck.text import Phrase

SCOPES: Mapping[str, Scope] = {
    "tls": Scope.ENDPOINT,
    "certificate": Scope.ENDPOINT,
    "http": Scope.ENDPOINT,
    "turn": Scope.ENDPOINT,
    "quic": Scope.ENDPOINT,
    "ports": Scope.ADDRESS,
    "vpn": Scope.ADDRESS,
    "ike": Scope.ADDRESS,
    "addresses": Scope.NAME,
    "registration": Scope.NAME,
    "dns": Scope.NAME,
}
"""On which kind of target each subject is looked at."""

_Id = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9.-]*$")]
_RuleId = Annotated[str, Field(pattern=r"^[a-z]+\.[a-z][a-z0-9-]*$")]


@dataclass(frozen=True, slots=True)
class Part:
    """A part of an item, as far as one kind of look reaches."""

    id: _Id
    title: Words
    reach: Reach
    rules: tuple[_RuleId, ...] = ()
    subjects: tuple[str, ...] = ()
    """Further subjects without which the part stays open."""
    documents: tuple[Words, ...] = ()
    """What an evaluator still asks for."""
    note: Words | None = None
    """What to know about the answer, where there is something."""


@dataclass(frozen=True, slots=True)
class Item:
    """One row of a checklist."""

    id: _Id
    title: Words
    place: Words
    """Where the row stands in the document."""
    parts: Annotated[tuple[Part, ...], Field(alias="part", min_length=1)]
    profile: str = ""
    """The profile that decides the row; empty: the checklist's, else the run's."""
    note: Words | None = None


@dataclass(frozen=True, slots=True)
class Checklist:
    """The rows of one document that bear on the network."""

    id: _Id
    title: Words
    document: Words
    """The document's name and date."""
    items: Annotated[tuple[Item, ...], Field(alias="item", min_length=1)]
    profile: str = ""
    """The profile of items that name none; empty: the run's."""

    def profile_of(self, item: Item, default: str) -> str:
        """The profile that decides *item* in a run with the profile *default*."""
        return item.profile or self.profile or default


@dataclass(frozen=True, slots=True)
class PartAnswer:
    """What a part gets, on one target or overall."""

    id: str
    reach: Reach
    answer: Answer
    cause: str = ""
    """Why it is ``undetermined``: a finding's cause, a `Reason`, ``not_judged`` (no rule ran)."""
    findings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ItemAnswer:
    """What an item gets, on one target or overall: the worst of its parts."""

    checklist: str
    item: str
    target: str | None
    """``None``: overall."""
    profile: str
    """The profile that it was judged by."""
    answer: Answer
    parts: tuple[PartAnswer, ...]
    findings: tuple[str, ...]
    """``rule@target`` for all that the answer rests on, passes too."""
    documents: tuple[Words, ...]


def load(name: str, kept: Mapping[str, bytes] | None = None) -> Checklist:
    """The checklist called *name*; where *kept* is given, the one that these texts spell."""
    if name not in (known := data.checklists() if kept is None else tuple(kept)):
        raise ChecklistError(
            "checklist {checklist}: none of that name; take one of {known}",
            checklist=name,
            known=known,
        )
    return _shipped(name) if kept is None else parse(f"{name}.toml", kept[name])


def text(name: str) -> bytes:
    """The file of the shipped checklist *name*."""
    return (data_dir("profiles") / "checklists" / f"{name}.toml").read_bytes()


@cache
def _shipped(name: str) -> Checklist:
    return parse(f"{name}.toml", text(name))


def parse(file: str, text: bytes) -> Checklist:
    """The checklist that *text* spells, as found in *file*."""
    try:
        table = tomllib.loads(text.decode())
        checklist = _READER.validate_python(table, extra="forbid")
    except ValidationError as error:
        raise ChecklistError(
            "{file}: {mistake}", file=file, mistake=_first_line(error, table)
        ) from None
    except ValueError as error:
        raise ChecklistError(
            "{file}: {words}; write TOML in UTF-8", file=file, words=unparsed(error)
        ) from None
    if f"{checklist.id}.toml" != file:
        raise ChecklistError(
            "{file}: id: it says {id}; name the file after the id", file=file, id=checklist.id
        )
    for mistake in _mistakes(checklist):
        raise ChecklistError("{file}: {mistake}", file=file, mistake=mistake)
    return checklist


_READER = TypeAdapter(Checklist)
_T = TypeVar("_T")


def _first_line(error: ValidationError, table: Mapping[str, Any]) -> Phrase:
    """Where it is (with the ids instead of numbers) and what to do, of the first error."""
    first = error.errors(include_url=False)[0]
    at: Any = table
    path: list[str] = []
    for step in first["loc"]:
        at = at[step] if isinstance(step, int) else at.get(step, {})
        known = at.get("id", "") if isinstance(at, dict) else ""
        path.append(str(known or f"#{step + 1}") if isinstance(step, int) else step)
    where = " ".join(" ".join(path).split())
    match first["type"]:
        case "missing":
            return Phrase("{where}: add it", where=where)
        case "unexpected_keyword_argument":
            return Phrase("{where}: no such key; remove it", where=where)
    return Phrase("{where}: {wanted}; correct it", where=where, wanted=minded(first))


def _mistakes(checklist: Checklist) -> Iterable[Phrase]:
    """What the types cannot tell: place, key; remedy."""
    for name in _twice(item.id for item in checklist.items):
        yield Phrase("item {item}: it is there twice; remove one", item=name)
    for item in checklist.items:
        for part in _twice(part.id for part in item.parts):
            yield Phrase(
                "item {item}, part {part}: it is there twice; remove one", item=item.id, part=part
            )
        for each in item.parts:
            for mistake in _part_mistakes(each):
                yield Phrase(
                    "item {item}, part {part}, {mistake}",
                    item=item.id,
                    part=each.id,
                    mistake=mistake,
                )


def _part_mistakes(part: Part) -> Iterable[Phrase]:
    needs = (*part.rules, *part.subjects)
    for need in _twice(needs):
        yield Phrase("rules {rule}: it is there twice; remove one", rule=need)
    subjects = {_subject(need) for need in needs}
    if unknown := sorted(subjects - SCOPES.keys()):
        yield Phrase(
            "rules: unknown subject {subject}; take one of {known}",
            subject=unknown,
            known=tuple(SCOPES),
        )
    elif part.reach is Reach.TESTED and len({SCOPES[s] for s in subjects}) > 1:
        yield Phrase("rules: they speak of several scopes; make a part for each")
    if part.reach is not Reach.ATTEST and not needs:
        yield Phrase('rules: none; name rules or subjects, or set reach = "attest"')
    if part.reach is not Reach.TESTED and not part.documents:
        yield Phrase("documents: none; say what an evaluator still asks for")


def _twice(ids: Iterable[str]) -> Iterable[str]:
    return (i for i, n in Counter(ids).items() if n > 1)


def answers(
    checklist: Checklist,
    findings: Sequence[Finding],
    looks: Sequence[Look],
    *,
    profile: str,
    profile_rules: Callable[[str], frozenset[str]],
    overall: bool = False,
) -> tuple[ItemAnswer, ...]:
    """Each item's answer overall, then on each target that it speaks of unless *overall* is all.

    *profile* is the run's; *profile_rules* gives the rules that a profile has a table for.
    """
    by_rule = _grouped(findings, lambda finding: finding.rule)
    answered: list[ItemAnswer] = []
    for item in checklist.items:
        judge = checklist.profile_of(item, profile)
        wanted = profile_rules(judge)
        matters = [_matter(part, judge, wanted, by_rule, looks) for part in item.parts]
        each = () if overall else looks
        for look in (None, *(k for k in each if any(m.concerns(k) for m in matters))):
            kept = [m for m in matters if look is None or m.always or m.concerns(look)]
            parts = tuple(m.at(look) if look else m.overall(looks) for m in kept)
            answered.append(
                ItemAnswer(
                    checklist.id,
                    item.id,
                    look.target.id if look else None,
                    judge,
                    min((part.answer for part in parts), key=lambda answer: answer.rank),
                    parts,
                    _once(f for part in parts for f in part.findings),
                    _once(d for m in kept for d in m.part.documents),
                )
            )
    return tuple(answered)


@dataclass(frozen=True, slots=True)
class _Matter:
    """A part with all that was found for it, by target."""

    part: Part
    found: Mapping[str, Sequence[Finding]]
    needs: tuple[str, ...]
    """Rules and subjects; each needs a finding wherever it applies, and somewhere at all."""
    nowhere: tuple[str, ...]
    """Causes in which the part is open on every target: what was settled on none."""

    @property
    def always(self) -> bool:
        """Whether the part has something to say even of a target that it does not concern."""
        return bool(self.nowhere) or not self.part.rules + self.part.subjects

    def concerns(self, look: Look) -> bool:
        """Whether the part speaks of this target."""
        return look.target.id in self.found or any(applies(need, look) for need in self.needs)

    def at(self, look: Look) -> PartAnswer:
        """The part's answer on one target."""
        return self._answer(self.found.get(look.target.id, ()), (look,))

    def overall(self, looks: Sequence[Look]) -> PartAnswer:
        """The part's answer over all targets."""
        return self._answer([f for found in self.found.values() for f in found], looks)

    def _answer(self, found: Sequence[Finding], looks: Sequence[Look]) -> PartAnswer:
        causes = [c for f in found for c in _causes(f)]
        causes += (gap for look in looks for gap in _gaps(self.needs, self.found, look))
        causes += self.nowhere
        given = _answer({f.verdict for f in found}, set(causes), self.part.reach)
        # What went wrong is said before what nobody asked or nobody can decide yet.
        open_for = min(causes, key=_MILD.__contains__, default="not_judged")
        cause = open_for if given is Answer.UNDETERMINED else ""
        return PartAnswer(self.part.id, self.part.reach, given, cause, _once(f.id for f in found))


_MILD = frozenset({"open_question", Reason.NOT_ASKED.value, Reason.TO_DECLARE.value})


def _matter(
    part: Part,
    judge: str,
    wanted: frozenset[str],
    by_rule: Mapping[str, Sequence[Finding]],
    looks: Sequence[Look],
) -> _Matter:
    own = [f for rule in part.rules for f in by_rule.get(rule, ()) if judge in f.profiles]
    found = _grouped(own, lambda finding: finding.target)
    judged = wanted | {f.rule for f in own}
    absent = {s for s in _MAYBE if not any(_has(look, s) for look in looks)}
    needs = (
        *(rule for rule in part.rules if rule in judged and _subject(rule) not in absent),
        *part.subjects,
    )
    settled = _served(f for f in own if f.verdict is not Verdict.UNKNOWN)
    open_needs = [need for need in needs if need not in settled]
    nowhere = tuple(next(_open_causes(need, own, found, looks)) for need in open_needs)
    if part.rules and not needs:
        nowhere = ("not_judged",)
    return _Matter(part, found, needs, nowhere)


def _open_causes(
    need: str,
    own: Sequence[Finding],
    found: Mapping[str, Sequence[Finding]],
    looks: Sequence[Look],
) -> Iterator[str]:
    yield from (c for f in own if need in _served([f]) for c in _causes(f))
    yield from (gap for look in looks for gap in _gaps((need,), found, look))
    yield Reason.NOT_ASKED.value


def _gaps(
    needs: Sequence[str], found: Mapping[str, Sequence[Finding]], look: Look
) -> Iterator[str]:
    """The causes for which what is needed on a target was not judged there."""
    served = _served(found.get(look.target.id, ()))
    return (absence(n, look) for n in needs if n not in served and applies(n, look))


def _answer(verdicts: set[Verdict], causes: set[str], reach: Reach) -> Answer:
    if Verdict.FAIL in verdicts:
        return Answer.NOT_MET
    doubts = causes if reach is Reach.TESTED else causes - {Reason.TO_DECLARE.value}
    if doubts or (reach is Reach.TESTED and not verdicts):
        return Answer.UNDETERMINED
    if reach is not Reach.TESTED:
        return Answer.DOCUMENT_NEEDED
    return Answer.MET if Verdict.PASS in verdicts else Answer.NOT_APPLICABLE


def _causes(finding: Finding) -> tuple[str, ...]:
    """Why the finding leaves its rule open, if it does."""
    if finding.verdict is not Verdict.UNKNOWN:
        return ()
    return tuple(e.cause for e in finding.evidence if e.cause) or ("not_settled",)


@lru_cache(1024)
def _subject(need: str) -> str:
    return need.partition(".")[0]


def _served(found: Iterable[Finding]) -> set[str]:
    """The rules and subjects that have a finding."""
    rules = {finding.rule for finding in found}
    return rules | {_subject(rule) for rule in rules}


def applies(need: str, look: Look) -> bool:
    """Whether *need* arises on the target: a name that does not resolve stands in for all that is
    looked at on addresses. Names are of several kinds, and each has its own subjects.
    """
    subject = _subject(need)
    # IKE is asked where a gateway is declared, or at all addresses.
    if SCOPES[subject] is Scope.NAME or subject == "ike":
        return _has(look, subject)
    if look.target.target is not None:  # each kind of endpoint has subjects of its own
        own = _OWN.get(look.target.target.service)
        if subject != own and (own or subject in _OWN.values()) and not _has(look, subject):
            return False
    return SCOPES[subject] is look.target.scope or any(
        m.reason is Reason.UNRESOLVED for m in look.missed
    )


_OWN = {"turn": "turn", "turns": "turn", "dtls": "turn", "quic": "quic"}
"""The subject of services that are looked at in a way of their own."""
_MAYBE = frozenset({"quic"})
"""Subjects that are wanted only of targets that have them: pages need no HTTP/3."""


def _has(look: Look, subject: str) -> bool:
    return subject in look.seen or subject in (_subject(m.kind) for m in look.missed)


def absence(need: str, look: Look) -> str:
    """Why nothing was judged of *need* on the target."""
    subject = _subject(need)
    if subject in look.seen:
        return "not_judged"
    reasons = {_subject(m.kind): m.reason for m in look.missed}
    if Reason.UNRESOLVED in reasons.values():
        return Reason.UNRESOLVED.value
    return reasons.get(subject, Reason.NOT_ASKED).value


def _grouped(
    findings: Iterable[Finding], key: Callable[[Finding], str]
) -> dict[str, list[Finding]]:
    groups: dict[str, list[Finding]] = {}
    for finding in findings:
        groups.setdefault(key(finding), []).append(finding)
    return groups


def _once(values: Iterable[_T]) -> tuple[_T, ...]:
    return tuple(dict.fromkeys(values))
