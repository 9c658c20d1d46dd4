"""``tlscheck judge``: judge a saved scan again, offline, and render it."""

from __future__ import annotations

import hashlib
import sys
from dataclasses import replace
from pathlib import Path

import click

from tlscheck.cli import options
from tlscheck.cli.delivery import deliver, ordered
from tlscheck.cli.files import differ
from tlscheck.cli.saved import scan_file_in, tell_seal
from tlscheck.cli.words import _


@click.command(help=_("Judge a saved scan again, without touching the network, and render it."))
@click.argument("scan")
@click.option(
    "-c",
    "--config",
    metavar="FILE",
    help=_("Take the head of evaluation sheets from FILE, and the waivers if it has any."),
)
@options.judging
@options.rendering
@options.filling
def judge(
    scan: str,
    config: str | None,
    profile: str | None,
    checklists: tuple[str, ...],
    fail_on: str,
    form: str,
    output: str | None,
    fill: str | None,
) -> None:
    """Read, judge, render."""
    from tlscheck import config as configuration
    from tlscheck import judge as judging
    from tlscheck import report, waivers
    from tlscheck.bundle import contents

    differ(scan, config, fill, output)
    delivery = ordered(form, output, fill)
    settings = configuration.load(Path(config)) if config else configuration.Settings()
    waivers.check(settings.waiver, config or "")
    data, bundle = scan_file_in(scan)
    seen = bundle.scan if bundle else report.decode(data, scan)
    tell_seal(scan, bundle)
    if settings.waiver:
        seen = replace(seen, waivers=settings.waiver)
    # By what is installed: a bundle's texts are its maker's, of which `bundle verify` speaks.
    made = judging.judge(seen, profile, checklists or None)
    made = replace(made, read_from=hashlib.sha256(data).hexdigest())
    if bundle:
        made = contents.cited(made, bundle.files)
    sys.exit(deliver(delivery, made, judging.exit_code(made, fail_on), settings.sheet))
