"""Whether a bundle's findings follow from its bytes, and who says that these were there."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from tlscheck import __version__
from tlscheck import report as scan_file
from tlscheck.bundle import reread, seal, whose
from tlscheck.bundle.contents import MANIFEST, SCAN, Bundle, DamagedError, read
from tlscheck.errors import TlscheckError
from tlscheck.judge import foreign
from tlscheck.model import Look
from tlscheck.report import Report
from tlscheck.text import Phrase


class Mark(StrEnum):
    """What a line of the verdict does to it."""

    HOLDS = "holds"
    BROKEN = "broken"
    NOTE = "note"
    """What to know, and what was not checked."""


@dataclass(frozen=True, slots=True)
class Line:
    """One thing that was checked, or not."""

    mark: Mark
    words: Phrase


@dataclass(frozen=True, slots=True)
class Trusted:
    """What the person who asks knows by other ways."""

    key: Ed25519PublicKey | None = None
    """The signer's."""
    authorities: Sequence[x509.Certificate] = ()
    """Those of the time-stamping service."""


def verify(data: bytes, trusted: Trusted) -> tuple[Line, ...]:
    """All that there is to say of the bundle in *data*; it holds if nothing is broken."""
    try:
        bundle = read(data)
    except DamagedError as damage:
        return tuple(_broken(mistake) for mistake in damage.mistakes)
    return (
        _holds(Phrase("all {n} files are as the manifest says", n=len(bundle.manifest.files))),
        *_signed(bundle, trusted),
        *_stamped(bundle, trusted),
        *_followed(bundle),
    )


def _holds(words: Phrase) -> Line:
    return Line(Mark.HOLDS, words)


def _broken(words: Phrase) -> Line:
    return Line(Mark.BROKEN, words)


def _note(words: Phrase) -> Line:
    return Line(Mark.NOTE, words)


# ---- who vouches -----------------------------------------------------------------------------


def _signed(bundle: Bundle, trusted: Trusted) -> Iterator[Line]:
    if not {seal.SIGNATURE, seal.KEY} & bundle.files.keys():
        yield _note(
            Phrase(
                "not signed: this shows accidents only, for whoever changes a file can change the"
                " manifest too"
            )
        )
        if trusted.key:
            yield _broken(Phrase("not signed with the key given"))
        return
    key = seal.signer(bundle.files, bundle.files[MANIFEST])
    if key is None:
        yield _broken(Phrase("the signature is not that of the manifest"))
        return
    name = seal.fingerprint(key)
    if trusted.key is None:
        yield _note(
            Phrase(
                "signed with the key {key}, which anybody can make; whose it is was not checked:"
                " give the signer's with --key",
                key=name,
            )
        )
    elif seal.fingerprint(trusted.key) == name:
        yield _holds(Phrase("signed with the key given, {key}", key=name))
    else:
        yield _broken(Phrase("signed with the key {key}, not with the one given", key=name))


def _stamped(bundle: Bundle, trusted: Trusted) -> Iterator[Line]:
    answer = bundle.files.get(seal.STAMP)
    if answer is None:
        return
    try:
        seal.need()
        manifest = bundle.files[MANIFEST]
        if trusted.authorities:
            when = seal.stamped_by(answer, manifest, trusted.authorities)
            yield _holds(Phrase("time-stamped at {time} by the authority given", time=when))
        else:
            when = seal.stamped(answer, manifest)
            yield _note(
                Phrase(
                    "time-stamped at {time}; by whom was not checked: give the authority's"
                    " certificate with --tsa-ca",
                    time=when,
                )
            )
    except seal.StampError as error:
        yield _broken(Phrase("the time stamp is none: {why}", why=error.words))
    except TlscheckError as error:
        yield _note(Phrase("the time stamp was not checked: {error}", error=error))


# ---- what follows ----------------------------------------------------------------------------


def _followed(bundle: Bundle) -> Iterator[Line]:
    try:
        scan = bundle.scan
    except TlscheckError as error:
        yield _broken(Phrase("{error}", error=error))
        return
    if scan.at != bundle.manifest.at:
        yield _broken(Phrase("the time in {name} is not that of the scan", name=MANIFEST))
    whole, others = 0, set[str]()
    for number, look in enumerate(scan.looks):
        for subject in look.seen:
            check = reread.CHECKS.get(subject)
            if check is None:
                others.add(subject)
                continue
            mistakes = tuple(check(bundle.files, number, look))
            whole += not mistakes
            yield from (_of(look, _broken, mistake) for mistake in mistakes)
        yield from (_of(look, _broken, words) for words in whose.placed(look, scan.at))
        yield from (_of(look, _broken, words) for words in whose.elsewhere(look))
        yield from (_of(look, _broken, words) for words in whose.left_out(look, scan.subjects))
        yield from (_of(look, _note, words) for words in whose.doubts(look))
    if whole:
        yield _holds(Phrase("{n} observations follow from the bytes kept with them", n=whole))
    yield _note(
        Phrase(
            "taken from the scan as recorded: {subjects}; live handshakes, what the trust stores"
            " and authorities said, and what sslyze found",
            subjects=tuple(sorted(others)) or "-",
        )
    )
    yield from _judged(bundle)


def _of(look: Look, line: Callable[[Phrase], Line], words: Phrase) -> Line:
    return line(Phrase("{target}: {mistake}", target=look.target.id, mistake=words))


def _judged(bundle: Bundle) -> Iterator[Line]:
    try:
        report = bundle.judged()
    except TlscheckError as error:
        yield _broken(Phrase("cannot be judged again: {error}", error=error))
        return
    if bundle.manifest.version != __version__:
        yield _note(
            Phrase(
                "judged by version {theirs}, now by {ours}",
                theirs=bundle.manifest.version,
                ours=__version__,
            )
        )
    yield _by_what(bundle)
    if scan_file.encode(report) == scan_file.as_written(bundle.files[SCAN]):
        yield _holds(
            Phrase(
                "{findings} findings and {answers} answers follow from the scan, by the profiles"
                " and checklists kept with it",
                findings=len(report.findings),
                answers=len(report.answers),
            )
        )
        return
    yield from (_broken(words) for words in _otherwise(report, bundle.files[SCAN]))


def _by_what(bundle: Bundle) -> Line:
    """A bundle brings what it was judged by: whether that is what it says must be said."""
    if names := foreign(bundle.texts):
        return _note(
            Phrase(
                "judged by texts of its own, which differ from those installed here or are not"
                " among them: {names}",
                names=names,
            )
        )
    return _holds(Phrase("the profiles and checklists kept with it are those installed here"))


_MOST_NAMED = 10


def _otherwise(report: Report, recorded: bytes) -> Iterator[Phrase]:
    """What a scan file says that does not follow from it."""
    made = scan_file.encode(report)
    findings = _rows(made, "findings", "rule", "target") ^ _rows(
        recorded, "findings", "rule", "target"
    )
    answers = _rows(made, "answers", "checklist", "item") ^ _rows(
        recorded, "answers", "checklist", "item"
    )
    if findings:
        yield Phrase("findings that do not follow: {names}", names=_some(findings))
    if answers:
        yield Phrase("answers that do not follow: {names}", names=_some(answers))
    if not findings and not answers:
        yield Phrase("{name} is not as it is written", name=SCAN)


def _rows(data: bytes, part: str, *named_by: str) -> set[tuple[str, str]]:
    """The name and the whole of each row of a scan file's *part*."""
    rows = json.loads(data).get(part)
    return {
        (" ".join(str(row.get(key)) for key in named_by), json.dumps(row))
        for row in (rows if isinstance(rows, list) else ())
        if isinstance(row, dict)
    }


def _some(rows: set[tuple[str, str]]) -> str:
    names = sorted({name for name, _ in rows})
    return ", ".join(names[:_MOST_NAMED]) + (", …" if len(names) > _MOST_NAMED else "")
