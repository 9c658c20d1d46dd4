"""``tlscheck verify``: the claims of a filled sheet against a scan."""

from __future__ import annotations

import asyncio
import gc
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from tlscheck.cli import options
from tlscheck.cli.files import check, differ, read, write
from tlscheck.cli.saved import scan_in, tell_seal
from tlscheck.cli.scan import authorities, exposed, live_line, override
from tlscheck.cli.words import LANGUAGE, _
from tlscheck.errors import TargetError

if TYPE_CHECKING:
    from tlscheck.config import Settings
    from tlscheck.model import Scan
    from tlscheck.pipeline import Order


@click.command(
    help=_(
        "Say which CLAIMS (a filled sheet, .xlsx, or TOML) a saved SCAN, or a look at each TARGET,"
        " confirms, contradicts or leaves open. Prose is read as far as it is understood, and the"
        " rest listed."
    ),
    short_help=_("Hold the claims of a filled sheet against a scan."),
)
@click.argument("claims", metavar="CLAIMS")
@click.argument("targets", nargs=-1, metavar="SCAN|TARGET...")
@click.option("-c", "--config", metavar="FILE", help=_("Take targets and settings from FILE."))
@click.option(
    "--resolve", metavar="HOST:PORT:ADDR", multiple=True, help=_("Take ADDR for HOST and PORT.")
)
@click.option("--ca-file", metavar="F", help=_("Also trust the CAs in F, PEM."))
@click.option(
    "--ports", metavar="N,...", help=_("These TCP ports only, as 22,8000-8100; all: every one.")
)
@click.option("--rate", metavar="N", type=float, help=_("N ports a second; 0: as many as go."))
@click.option("--save", metavar="FILE", help=_("Keep what was seen in FILE, for tlscheck judge."))
@click.option(
    "-f",
    "--format",
    "form",
    type=click.Choice(("text", "json")),
    default="text",
    help=_("Format of the report."),
)
@click.option("-o", "--output", metavar="FILE", help=_("Write the report to FILE."))
@options.language
def verify(
    claims: str,
    targets: tuple[str, ...],
    config: str | None,
    resolve: tuple[str, ...],
    ca_file: str | None,
    ports: str | None,
    rate: float | None,
    save: str | None,
    form: str,
    output: str | None,
) -> None:
    """Read, look or open, compare, show."""
    from tlscheck import config as configuration
    from tlscheck import verify as verifying
    from tlscheck.verify.show import FORMATS
    from tlscheck.verify.show import text as in_lines

    check(output)
    check(save)
    differ(claims, config, ca_file, *(t for t in targets if Path(t).is_file()), save, output)
    said = verifying.read(claims, read(claims))
    subjects = verifying.subjects(said.claims)
    if saved := _saved(targets):
        seen, bundle = scan_in(saved)
        tell_seal(saved, bundle)
    else:
        settings = configuration.load(Path(config)) if config else configuration.Settings()
        order = _order(targets, settings, config or "", subjects, resolve, ca_file, ports, rate)
        seen = _looked(order)
        if save:
            _keep(seen, save)
    made = verifying.verify(said, seen)
    if form == "text" and output in (None, "-") and sys.stdout.isatty():
        width = shutil.get_terminal_size((100, 40)).columns
        write(in_lines(made, LANGUAGE, width=width), output)
    else:
        write(FORMATS[form](made, LANGUAGE), output)
    sys.exit(verifying.exit_code(made))


def _saved(targets: tuple[str, ...]) -> str | None:
    """The saved scan among *targets*, which then stands alone. TargetError."""
    files = [each for each in targets if each.endswith(".json") or Path(each).is_file()]
    if files and len(targets) > 1:
        raise TargetError(
            "{file}: a saved scan stands alone; leave out the other targets", file=files[0]
        )
    return files[0] if files else None


def _order(
    texts: tuple[str, ...],
    settings: Settings,
    config: str,
    subjects: tuple[str, ...],
    resolve: tuple[str, ...],
    ca_file: str | None,
    ports: str | None,
    rate: float | None,
) -> Order:
    """A look at what the claims speak of, and at nothing else."""
    from tlscheck import domains, pipeline
    from tlscheck import targets as parsing

    asked = tuple(pipeline.Asked(parsing.parse(text)) for text in texts) or tuple(
        pipeline.Asked(parsing.parse(entry.target), entry.label) for entry in settings.targets
    )
    if not asked:
        raise TargetError(
            "no scan and no target; give a saved scan, or targets such as clinic.example.jp"
        )
    own = ca_file or settings.ca_file
    trusted = authorities(own) if own else None
    return pipeline.Order(
        targets=asked,
        profile=settings.profile,
        checklists=(),
        subjects=tuple(s for s in pipeline.SUBJECTS if s in subjects),
        resolve=dict(override(text) for text in resolve),
        ca_file=trusted,
        connect_seconds=settings.budgets.connect,
        target_seconds=settings.budgets.target,
        at_once=settings.budgets.parallel,
        domains=domains.Order(
            network=settings.network,
            declared=domains.declared(settings, config),
            cache=domains.kept_in(),
            ca_file=trusted,
        ),
        exposure=exposed(
            settings, config, ports, {"rate": rate}, {"thorough": False, "aggressive": False}
        ),
    )


def _looked(order: Order) -> Scan:
    from tlscheck import pipeline

    gc.freeze()
    gc.enable()
    with live_line() as tell:
        return asyncio.run(pipeline.look(order, tell))


def _keep(seen: Scan, path: str) -> None:
    from tlscheck import judge, report

    write(report.encode(judge.judge(seen)), path)
