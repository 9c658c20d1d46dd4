"""``tlscheck rules`` and ``tlscheck explain``: what is checked, and why."""

from __future__ import annotations

import difflib
import json
import textwrap

import click

from tlscheck.cli import options
from tlscheck.cli.words import LANGUAGE, _
from tlscheck.errors import TlscheckError


@click.command(help=_("List every rule with what it asks, its sources and their grade."))
@click.option("--json", "as_json", is_flag=True, help=_("As JSON."))
@click.option("--profile", "name", metavar="P", help=_("Only the rules of this profile."))
@options.language
def rules(as_json: bool, name: str | None) -> None:
    """All rules."""
    from tlscheck import profile, text
    from tlscheck.rules import RULES

    shown = profile.load(name or "ipa-high-3.1.1")
    entries = [
        {
            "id": rule.id,
            "title": text.translate(rule.title, LANGUAGE),
            "manual": text.translate(rule.manual, LANGUAGE),
            "references": list(rule.references),
            "severity": setting.severity if setting else None,
            "source": text.translate(setting.basis.source, LANGUAGE) if setting else None,
            "grade": setting.basis.grade if setting else None,
        }
        for rule in RULES.values()
        for setting in (shown.settings.get(rule.id),)
        if setting or not name
    ]
    if as_json:
        click.echo(text.plain_json(json.dumps(entries, ensure_ascii=False, indent=1)))
        return
    for entry in entries:
        click.echo(f"{entry['id']}: {entry['title']}")
        click.echo(f"    {', '.join(RULES[str(entry['id'])].references)}")
        click.echo(textwrap.indent(str(entry["manual"]), "    "))
        if entry["source"]:
            grade = text.word(text.GRADES, str(entry["grade"]), LANGUAGE)
            severity = text.word(text.SEVERITIES, str(entry["severity"]), LANGUAGE)
            click.echo(f"    {severity}; {entry['source']} ({grade})")


@click.command(help=_("Explain one rule: what is good, why, what to change, who wants what."))
@click.argument("rule")
@options.language
def explain(rule: str) -> None:
    """One rule's manual."""
    from tlscheck import data, profile, text
    from tlscheck.rules import RULES

    found = RULES.get(rule)
    if found is None:
        near = difflib.get_close_matches(rule, RULES, 1)
        if near:
            raise TlscheckError(
                "{rule}: no such rule; did you mean {name}?", rule=rule, name=near[0]
            )
        raise TlscheckError("{rule}: no such rule; `tlscheck rules` lists them", rule=rule)
    click.echo(f"{found.id}: {text.translate(found.title, LANGUAGE)}\n")
    click.echo(text.translate(found.manual, LANGUAGE) + "\n")
    click.echo(f"{_('Sources')}: {', '.join(found.references)}\n")
    for name in data.profiles():
        setting = profile.load(name).settings.get(rule)
        if setting:
            grade = text.word(text.GRADES, setting.basis.grade, LANGUAGE)
            severity = text.word(text.SEVERITIES, setting.severity, LANGUAGE)
            source = text.translate(setting.basis.source, LANGUAGE)
            click.echo(f"{name}: {severity}; {source} ({grade})")
            if setting.want is not None:
                click.echo(f"    {wanted(setting.want)}")


def wanted(want: object) -> str:
    """What a profile wants of one rule, on one line."""
    from dataclasses import asdict

    parts = []
    for key, value in asdict(want).items():  # type: ignore[call-overload]
        if isinstance(value, frozenset):
            value = ", ".join(sorted(map(str, value)))
        parts.append(f"{key}: {value}")
    return "; ".join(parts)
