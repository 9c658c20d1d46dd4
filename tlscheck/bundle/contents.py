"""What is in a bundle: from a report to its files, and from the files to what they hold.

manifest.json              what there is, with the SHA-256 of each file
manifest.sig, .pub, .tsr   signature and its public key, time stamp; of the manifest
scan.json                  the scan file, DNS messages in it
targets/N/                 of the target N, counted from 0 as in scan.json: tls.jsonl (hellos and
                           answers), certificate.jsonl (chains), registration.txt
certificates/SHA256.der    every certificate of them
profiles/, checklists/     what it was judged by
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cached_property
from typing import Annotated, Any, Literal

from pydantic import AwareDatetime, Field, TypeAdapter, ValidationError

from tlscheck import __version__
from tlscheck import judge as judging
from tlscheck import report as scan_file
from tlscheck.bundle import archive, seal
from tlscheck.judge import Texts
from tlscheck.model import Finding, Look, Scan
from tlscheck.observations.certificate import Certificate, CertificateObservation
from tlscheck.observations.registration import RegistrationObservation
from tlscheck.report import SUBJECTS, Report
from tlscheck.rules import RULES
from tlscheck.text import Phrase

FORMAT: Literal["tlscheck.bundle/1"] = "tlscheck.bundle/1"
MANIFEST, SCAN = "manifest.json", "scan.json"
_OUTSIDE = (MANIFEST, seal.SIGNATURE, seal.KEY, seal.STAMP)
"""What the manifest does not list."""
_SUBJECTS = {kind: subject for subject, kind in SUBJECTS.items()}
_DIGEST = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class DamagedError(ValueError):
    """A bundle that is not as it was written; *mistakes* name what is not."""

    def __init__(self, *mistakes: Phrase) -> None:
        super().__init__(*(mistake.template for mistake in mistakes))
        self.mistakes = mistakes


@dataclass(frozen=True, slots=True)
class Entry:
    """A file, as the manifest knows it."""

    size: Annotated[int, Field(ge=0)]
    sha256: _DIGEST


@dataclass(frozen=True, slots=True)
class Manifest:
    """What is in a bundle."""

    format: Literal["tlscheck.bundle/1"]
    version: str
    """The version of tlscheck that judged."""
    at: AwareDatetime
    """When the scan began."""
    profiles: Mapping[str, str]
    """The file of each profile, by the name it is asked for by."""
    checklists: Mapping[str, str]
    files: Mapping[str, Entry]


@dataclass(frozen=True)
class Bundle:
    """A bundle whose files are as its manifest says."""

    manifest: Manifest
    files: Mapping[str, bytes]

    @cached_property
    def scan(self) -> Scan:
        """The scan. ScanFileError."""
        return scan_file.decode(self.files[SCAN], SCAN)

    @property
    def texts(self) -> Texts:
        """What it was judged by."""
        return Texts(
            {name: self.files[file] for name, file in self.manifest.profiles.items()},
            {name: self.files[file] for name, file in self.manifest.checklists.items()},
        )

    def judged(self) -> Report:
        """The report, made anew by what is kept. ScanFileError, ProfileError, ChecklistError."""
        return cited(judging.judge(self.scan, kept=self.texts), self.files)


# ---- writing ---------------------------------------------------------------------------------


def bundled(report: Report) -> tuple[Report, dict[str, bytes]]:
    """*report* as a bundle holds it, and the bundle's files, but for those that vouch for it."""
    kept = _evidence(report.scan)
    report = cited(report, kept)
    return report, _whole(report, kept)


def _evidence(scan: Scan) -> dict[str, bytes]:
    """The files with what *scan* was read from."""
    files: dict[str, bytes] = {}
    for number, look in enumerate(scan.looks):
        for name, content in look.raw.items():
            folder = "certificates" if name.endswith(".der") else _folder(number)
            files[f"{folder}/{name}"] = content
        for cert in certificates(look):
            if cert.der:
                files[_file_of(cert)] = base64.b64decode(cert.der)
        if text := _registration(look):
            files[f"{_folder(number)}/registration.txt"] = text
    return files


def _whole(report: Report, kept: Mapping[str, bytes]) -> dict[str, bytes]:
    texts = judging.texts(report)
    profiles = dict(_named("profiles", texts.profiles))
    checklists = dict(_named("checklists", texts.checklists))
    files = {
        **kept,
        SCAN: scan_file.encode(report),
        **{profiles[name]: text for name, text in texts.profiles.items()},
        **{checklists[name]: text for name, text in texts.checklists.items()},
    }
    entries = {
        name: Entry(len(content), hashlib.sha256(content).hexdigest())
        for name, content in files.items()
    }
    scan = report.scan
    manifest = Manifest(FORMAT, __version__, scan.at, profiles, checklists, entries)
    return {**files, MANIFEST: _encoded(manifest)}


def pack(files: Mapping[str, bytes], at: datetime) -> bytes:
    """The bundle that holds *files*. ArchiveError."""
    return archive.pack(files, at)


def cited(report: Report, names: Collection[str]) -> Report:
    """*report*, each finding with those of the files called *names* that it rests on."""
    numbers = {look.target.id: number for number, look in enumerate(report.scan.looks)}
    rests = {
        (number, subject): tuple(_rests(number, look, subject, names))
        for number, look in enumerate(report.scan.looks)
        for subject in SUBJECTS
    }
    return replace(
        report, findings=tuple(_cited(f, numbers[f.target], rests) for f in report.findings)
    )


def _cited(
    finding: Finding, number: int, rests: Mapping[tuple[int, str], tuple[str, ...]]
) -> Finding:
    needs = (_SUBJECTS[kind] for kind in RULES[finding.rule].needs)
    refs = tuple(dict.fromkeys(ref for need in needs for ref in rests[number, need]))
    told = tuple(replace(e, refs=refs) for e in finding.evidence)
    return replace(finding, refs=refs, evidence=told)


def _rests(number: int, look: Look, subject: str, names: Collection[str]) -> Iterator[str]:
    """What findings on a *subject* rest on: a place in the scan (RFC 6901), then files."""
    part = f"seen/{subject}" if subject in look.seen else "missed"
    yield f"{SCAN}#/targets/{number}/{part}"
    found = [f"{_folder(number)}/{subject}{ending}" for ending in (".jsonl", ".txt")]
    if subject == "certificate":
        found += (_file_of(cert) for cert in certificates(look))
    yield from dict.fromkeys(name for name in found if name in names)


def certificates(look: Look) -> Iterator[Certificate]:
    """Every certificate that was seen at a target, or on the way to a root."""
    seen = look.seen.get("certificate")
    if isinstance(seen, CertificateObservation):
        for chain in seen.chains:
            yield from (*chain.certificates, *chain.way)


def _registration(look: Look) -> bytes:
    seen = look.seen.get("registration")
    return seen.record.text.encode() if isinstance(seen, RegistrationObservation) else b""


def _folder(number: int) -> str:
    return f"targets/{number}"


def _file_of(cert: Certificate) -> str:
    return f"certificates/{cert.sha256}.der"


_PLAIN = re.compile(r"[a-z0-9][a-z0-9-]*(\.[a-z0-9][a-z0-9-]*)*")


def _named(folder: str, texts: Iterable[str]) -> Iterator[tuple[str, str]]:
    """A file for each text; a user's own profile, whose name is a path, gets a number."""
    for number, name in enumerate(texts):
        own = name.endswith(".toml") or not _PLAIN.fullmatch(name)
        yield name, f"{folder}/own-{number}.toml" if own else f"{folder}/{name}.toml"


# ---- reading ---------------------------------------------------------------------------------


def read(data: bytes) -> Bundle:
    """The bundle in *data*, every file held against its manifest. DamagedError."""
    try:
        files, when = archive.unpack(data)
    except archive.ArchiveError as error:
        raise DamagedError(error.where) from None
    manifest = _decoded(files.get(MANIFEST, b""))
    if mistakes := tuple(_differences(manifest, files)):
        raise DamagedError(*mistakes)
    if when != archive.stamp(manifest.at):
        raise DamagedError(Phrase("the files' time is not that of the manifest"))
    return Bundle(manifest, files)


def _differences(manifest: Manifest, files: Mapping[str, bytes]) -> Iterator[Phrase]:
    inside = {name: content for name, content in files.items() if name not in _OUTSIDE}
    texts = (*manifest.profiles.values(), *manifest.checklists.values())
    for name in dict.fromkeys((SCAN, *texts, *manifest.files)):
        if name not in inside:
            yield Phrase("{name} is missing", name=name)
    for name, content in inside.items():
        entry = manifest.files.get(name)
        if entry is None:
            yield Phrase("{name} is not in the manifest", name=name)
        elif entry != Entry(len(content), hashlib.sha256(content).hexdigest()):
            yield Phrase("{name} is not as the manifest says", name=name)


_MANIFEST: TypeAdapter[Manifest] = TypeAdapter(Manifest)


def _encoded(manifest: Manifest) -> bytes:
    document: Any = _MANIFEST.dump_python(manifest, mode="json")
    text = json.dumps(document, ensure_ascii=False, indent=1, sort_keys=True) + "\n"
    return text.encode(errors="backslashreplace")


def _decoded(data: bytes) -> Manifest:
    try:
        manifest = _MANIFEST.validate_json(data, extra="forbid")
    except ValidationError:
        raise DamagedError(Phrase("{name} is not as it is written", name=MANIFEST)) from None
    if _encoded(manifest) != data:
        raise DamagedError(Phrase("{name} is not as it is written", name=MANIFEST))
    return manifest
