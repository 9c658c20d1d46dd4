"""Options that several commands share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

from tlscheck.cli.words import _

FORMATS = (
    "text", "json", "html", "xlsx", "pdf", "md", "csv", "sarif", "junit", "cbom", "nagios",
)  # fmt: skip
SEVERITIES = ("critical", "high", "medium", "low", "info")

Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]


def judging(command: Callable[..., Any]) -> Callable[..., Any]:
    """By what is judged."""
    for option in (
        click.option("--profile", metavar="P", help=_("Judge by this profile.")),
        click.option(
            "--checklist",
            "checklists",
            metavar="C",
            multiple=True,
            help=_("Answer this checklist (may be repeated; default: all)."),
        ),
        click.option(
            "--fail-on",
            type=click.Choice(SEVERITIES),
            default="low",
            help=_("Exit with 1 for failures of this severity and above."),
        ),
    ):
        command = option(command)
    return command


def rendering(command: Callable[..., Any]) -> Callable[..., Any]:
    """How and where it is written."""
    for option in (
        click.option(
            "-f",
            "--format",
            "form",
            type=click.Choice(FORMATS),
            default="text",
            help=_(
                "Format of the report (pdf needs tlscheck[pdf]; nagios ends with Nagios' own exit"
                " codes)."
            ),
        ),
        click.option("-o", "--output", metavar="FILE", help=_("Write the report to FILE.")),
        language,
    ):
        command = option(command)
    return command


def filling(command: Callable[..., Any]) -> Callable[..., Any]:
    """An evaluator's workbook in place of a report."""
    return click.option(
        "--fill",
        metavar="XLSX",
        help=_(
            "Write a copy of XLSX, an evaluator's own workbook, with the network rows filled in."
        ),
    )(command)


def language(command: Callable[..., Any]) -> Callable[..., Any]:
    """``--lang``, which has been read already."""
    return click.option(
        "--lang", type=click.Choice(("ja", "en")), expose_value=False, help=_("Language.")
    )(command)
