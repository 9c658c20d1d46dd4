"""The report and the scan file: a scan with its findings and answers, as one JSON document.

`encode` and `decode` are the only places where the house's values become JSON and back; the same
report gives the same bytes.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cache
from typing import Annotated, Any

from pydantic import Field, TypeAdapter, ValidationError

from tlscheck.checklist import Checklist, ItemAnswer
from tlscheck.errors import ScanFileError
from tlscheck.mistakes import minded, unparsed
from tlscheck.model import (
    Answer,
    Finding,
    Look,
    Missed,
    Scan,
    Target,
    Verdict,
)
from tlscheck.observations.addresses import AddressesObservation
from tlscheck.observations.certificate import CertificateObservation
from tlscheck.observations.dns import DnsObservation
from tlscheck.observations.http import HttpObservation
from tlscheck.observations.ike import IkeObservation
from tlscheck.observations.ports import PortsObservation
from tlscheck.observations.quic import QuicObservation
from tlscheck.observations.registration import RegistrationObservation
from tlscheck.observations.tls import TlsObservation
from tlscheck.observations.turn import TurnObservation
from tlscheck.observations.vpn import VpnObservation
from tlscheck.profile import Profile
from tlscheck.text import Phrase, plain_json
from tlscheck.waivers import Waived

FORMAT = "tlscheck.scan/1"

SUBJECTS: Mapping[str, Any] = {
    "tls": TlsObservation,
    "certificate": CertificateObservation,
    "http": HttpObservation,
    "addresses": AddressesObservation,
    "registration": RegistrationObservation,
    "ports": PortsObservation,
    "dns": DnsObservation,
    "turn": TurnObservation,
    "vpn": VpnObservation,
    "ike": IkeObservation,
    "quic": QuicObservation,
}
"""What can be looked at, and as what it is kept."""


@dataclass(frozen=True, slots=True)
class Report:
    """Everything that is rendered."""

    scan: Scan
    findings: tuple[Finding, ...]
    """In the order of the targets, then of the rules."""
    answers: tuple[ItemAnswer, ...]
    """For each checklist and item: the overall answer, then one a target."""
    profiles: tuple[Profile, ...]
    """Every profile that a finding was judged by, the run's own first."""
    checklists: tuple[Checklist, ...]
    waived: tuple[Waived, ...] = ()
    """What each waiver of the scan comes to."""
    read_from: str = ""
    """The SHA-256 of the scan file that was read; empty: none was. It is not in the file itself."""

    @property
    def digest(self) -> str:
        """The SHA-256 of the scan file that people hold: which was read, else which is written."""
        return self.read_from or self.own_digest

    @property
    def own_digest(self) -> str:
        """The SHA-256 of the scan file with this report's findings and answers."""
        return hashlib.sha256(encode(self)).hexdigest()

    @property
    def profile(self) -> Profile:
        """The run's own profile."""
        return self.profiles[0]

    def own(self) -> tuple[Finding, ...]:
        """The findings under the run's own profile."""
        return tuple(f for f in self.findings if self.profile.id in f.profiles)

    def overall(self, checklist: str) -> tuple[ItemAnswer, ...]:
        """The overall answers of one checklist, in the order of its items."""
        return tuple(a for a in self.answers if a.checklist == checklist and a.target is None)

    def count(self, verdict: Verdict) -> int:
        """How many of the run's own findings have *verdict*."""
        return sum(1 for f in self.own() if f.verdict is verdict)

    def answered(self, answer: Answer) -> int:
        """How many items have *answer* overall."""
        return sum(1 for a in self.answers if a.target is None and a.answer is answer)


def encode(report: Report) -> bytes:
    """The scan file: one JSON document, UTF-8, a final newline, nothing hidden."""
    document = {
        "format": FORMAT,
        **_dump(Scan, report.scan, leave_out={"looks"}),
        "profiles": [{"id": p.id, "sha256": p.digest, "source": p.source} for p in report.profiles],
        "targets": [_look(look) for look in report.scan.looks],
        "findings": [_dump(Finding, finding) for finding in report.findings],
        "answers": [_dump(ItemAnswer, answer) for answer in report.answers],
        "waived": [_dump(Waived, waived) for waived in report.waived],
    }
    return plain_json(json.dumps(document, ensure_ascii=False, indent=1) + "\n").encode()


def as_written(data: bytes) -> bytes:
    """The scan file *data* as it is written now; older ones have characters in them that hide."""
    return plain_json(data.decode(errors="replace")).encode()


@dataclass(frozen=True, slots=True)
class Judged:
    """What a scan file says of the scan, and by which measure."""

    profiles: Mapping[str, str]
    """The digest of each profile by its id, the run's own first."""
    findings: tuple[Finding, ...]
    answers: tuple[ItemAnswer, ...]


def judged(data: bytes, name: str) -> Judged:
    """The findings and answers in a scan file, as they were made then. ScanFileError."""
    return _judged(_document(data, name), name)


def _judged(document: dict[str, Any], name: str) -> Judged:
    try:
        profiles = {each["id"]: each["sha256"] for each in document["profiles"]}
        return Judged(
            _adapter(dict[str, str]).validate_python(profiles),
            _adapter(tuple[Finding, ...]).validate_python(document["findings"]),
            _adapter(tuple[ItemAnswer, ...]).validate_python(document["answers"]),
        )
    except (KeyError, TypeError) as error:
        raise ScanFileError(
            "{file}: {key} is missing; scan again", file=name, key=str(error)
        ) from None
    except ValidationError as error:
        raise _unfit(error, name) from None


def decode(data: bytes, name: str) -> Scan:
    """The scan in a scan file; its findings and answers are left aside. ScanFileError."""
    return _scan(_document(data, name), name)


def read(data: bytes, name: str) -> tuple[Scan, Judged]:
    """All that is in a scan file. ScanFileError."""
    document = _document(data, name)
    return _scan(document, name), _judged(document, name)


def _scan(document: dict[str, Any], name: str) -> Scan:
    try:
        own = {key: document[key] for key in Scan.__dataclass_fields__ if key not in _NOT_OWN}
        own["waivers"] = document.get("waivers", [])  # older files know none
        looks = [
            _unlook(entry) for entry in _adapter(list[_Entry]).validate_python(_entries(document))
        ]
        scan: Scan = _adapter(Scan).validate_python({**own, "looks": ()})
    except KeyError as error:
        raise ScanFileError(
            "{file}: {key} is missing; scan again", file=name, key=str(error)
        ) from None
    except ValidationError as error:
        raise _unfit(error, name) from None
    except _BrokenError as error:
        raise ScanFileError(
            "{file}: there is no subject {subject}; scan again", file=name, subject=error.subject
        ) from None
    scan = replace(scan, looks=tuple(looks))
    if _naive(scan):
        raise ScanFileError("{file}: a time has no zone; scan again", file=name)
    return scan


def _document(data: bytes, name: str) -> dict[str, Any]:
    try:
        document = json.loads(data, parse_constant=_refuse)
    except (ValueError, RecursionError) as error:
        words = unparsed(error) if isinstance(error, ValueError) else Phrase("nested too deeply")
        raise ScanFileError(
            "{file}: not JSON ({words}); give a file that --save wrote", file=name, words=words
        ) from None
    if not isinstance(document, dict) or document.get("format") != FORMAT:
        raise ScanFileError(
            '{file}: "format" is not "{format}"; give a file that --save wrote',
            file=name,
            format=FORMAT,
        )
    return document


def _unfit(error: ValidationError, name: str) -> ScanFileError:
    first = error.errors()[0]
    where = ".".join(map(str, first["loc"]))
    return ScanFileError(
        "{file}: {where}: {wanted}; scan again", file=name, where=where, wanted=minded(first)
    )


_NOT_OWN = ("looks", "waivers")


class _BrokenError(Exception):
    def __init__(self, subject: str) -> None:
        super().__init__(subject)
        self.subject = subject


@dataclass(frozen=True, slots=True)
class _Entry:
    """A target in the scan file, before its observations are read."""

    target: Target
    seen: dict[str, dict[str, Any]]
    missed: tuple[Missed, ...]
    connections: Annotated[int, Field(ge=0, strict=True)]


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is no number")


def _entries(document: dict[str, Any]) -> list[dict[str, Any]]:
    found = []
    for entry in _adapter(list[dict[str, Any]]).validate_python(document["targets"]):
        target = {key: entry[key] for key in Target.__dataclass_fields__}
        rest = {key: entry[key] for key in ("seen", "missed", "connections")}
        found.append({"target": target, **rest})
    return found


_WITHOUT = frozenset({str, int, float, bool, bytes, type(None)})
"""What has no time in it, and is most of what there is."""


def _naive(whole: object) -> bool:
    """Whether any time in *whole* has no zone."""
    left = [whole]
    while left:
        value = left.pop()
        if type(value) in _WITHOUT:
            continue
        if isinstance(value, (tuple, list)):
            left.extend(value)
        elif (names := getattr(value, "__dataclass_fields__", None)) is not None:
            left.extend([getattr(value, name) for name in names])
        elif isinstance(value, datetime):
            if value.tzinfo is None:
                return True
        elif isinstance(value, Mapping):
            left.extend(value.values())
    return False


def _look(look: Look) -> dict[str, Any]:
    return {
        **_dump(Target, look.target),
        "seen": {kind: _dump(type(seen), seen) for kind, seen in look.seen.items()},
        "missed": [_dump(Missed, missed) for missed in look.missed],
        "connections": look.connections,
    }


def _unlook(entry: _Entry) -> Look:
    for subject in entry.seen:
        if subject not in SUBJECTS:
            raise _BrokenError(repr(subject[:40]))
    seen = {kind: _adapter(SUBJECTS[kind]).validate_python(it) for kind, it in entry.seen.items()}
    return Look(entry.target, seen, entry.missed, entry.connections)


@cache
def _adapter(kind: Any) -> TypeAdapter[Any]:
    return TypeAdapter(kind)


def _dump(kind: Any, value: object, leave_out: set[str] | None = None) -> dict[str, Any]:
    found = _adapter(kind).dump_python(value, mode="json", exclude=leave_out)
    assert isinstance(found, dict)
    return found
