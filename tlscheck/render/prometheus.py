"""Figures of a run in Prometheus' text format, for the textfile collector of the node exporter."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime

from tlscheck.model import Verdict
from tlscheck.observations.certificate import CertificateObservation
from tlscheck.report import Report

Labels = Mapping[str, str]
Sample = tuple[Labels, float]


def metrics(report: Report, ended: datetime, seconds: float, figures: Mapping[str, float]) -> bytes:
    """What is measured; *figures* are more, by name."""
    lines: list[str] = []
    own = report.own()
    verdicts = [
        ({"target": look.target.id, "verdict": str(verdict)}, float(count))
        for look in report.scan.looks
        for verdict in Verdict
        if (count := sum(f.target == look.target.id and f.verdict is verdict for f in own))
    ]
    lines += _family("findings", "Findings of the run's own profile.", verdicts)
    lines += _family("certificate_end_seconds", "When a certificate ends (Unix).", _ends(report))
    lines += _family(
        "last_run_seconds", "When the last run ended (Unix).", [({}, ended.timestamp())]
    )
    lines += _family("run_duration_seconds", "How long it took.", [({}, seconds)])
    for name, value in figures.items():
        lines += _family(name, _FIGURES[name], [({}, value)])
    return "".join(f"{line}\n" for line in lines).encode()


_FIGURES = {
    "changes": "What changed since the run before.",
    "history_kept": "Whether the run is in the history.",
    "mail_queued": "Messages that no relay has taken yet.",
}


def _ends(report: Report) -> Iterator[Sample]:
    """The first end of the certificates of each target."""
    for look in report.scan.looks:
        seen = look.seen.get("certificate")
        if isinstance(seen, CertificateObservation):
            ends = [c.leaf.not_after for c in seen.chains if c.certificates and c.leaf.not_after]
            if ends:
                yield {"target": look.target.id}, min(ends).timestamp()


def _family(name: str, meaning: str, samples: Iterable[Sample]) -> Iterator[str]:
    yield f"# HELP tlscheck_{name} {meaning}"
    yield f"# TYPE tlscheck_{name} gauge"
    for labels, value in samples:
        told = ",".join(f'{key}="{_escaped(text)}"' for key, text in labels.items())
        yield f"tlscheck_{name}{{{told}}} {value:.15g}" if told else f"tlscheck_{name} {value:.15g}"


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
