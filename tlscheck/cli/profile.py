"""``tlscheck profile``: what is wanted, and where that comes from."""

from __future__ import annotations

import click

from tlscheck.cli import options
from tlscheck.cli.words import LANGUAGE, _


@click.group(help=_("The profiles: what is wanted, and where that comes from."))
@options.language
def profile() -> None:
    """Profiles."""


@profile.command("list", help=_("List the profiles."))
@options.language
def list_profiles() -> None:
    """A line a profile."""
    from tlscheck import data
    from tlscheck import profile as profiles

    for name in data.profiles():
        click.echo(f"{name}: {getattr(profiles.load(name).title, LANGUAGE)}")


@profile.command("show", help=_("Show what profile P wants, with source and grade of each value."))
@click.argument("name", metavar="P")
@options.language
def show(name: str) -> None:
    """One profile, whole."""
    from tlscheck import profile as profiles
    from tlscheck import text
    from tlscheck.cli.rules import wanted

    shown = profiles.load(name)
    click.echo(f"{shown.id}: {getattr(shown.title, LANGUAGE)}")
    click.echo(f"{_('Source')}: {shown.source}")
    click.echo(f"sha256: {shown.digest}")
    for setting in shown.settings.values():
        severity = text.word(text.SEVERITIES, setting.severity, LANGUAGE)
        grade = text.word(text.GRADES, setting.basis.grade, LANGUAGE)
        click.echo(f"\n{setting.rule.id}: {text.translate(setting.rule.title, LANGUAGE)}")
        source = text.translate(setting.basis.source, LANGUAGE)
        click.echo(f"    {severity}; {source} ({grade})")
        if setting.want is not None:
            click.echo(f"    {wanted(setting.want)}")
        for block in setting.open:
            grade = text.word(text.GRADES, block.basis.grade, LANGUAGE)
            source = text.translate(block.basis.source, LANGUAGE)
            click.echo(f"    ? {', '.join(block.values)}: {source} ({grade})")
            click.echo(f"      {getattr(block.question, LANGUAGE)}")
    if shown.questions:
        click.echo(f"\n{_('Open questions')}:")
        for question in shown.questions:
            click.echo(f"  - {getattr(question, LANGUAGE)}")
