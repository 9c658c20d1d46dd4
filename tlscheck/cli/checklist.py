"""``tlscheck checklist``: the items, how far a look reaches, and what decides them."""

from __future__ import annotations

import click

from tlscheck.cli import options
from tlscheck.cli.words import LANGUAGE, _
from tlscheck.errors import ChecklistError


@click.group(help=_("The checklists: items, how far a look reaches, what decides them."))
@options.language
def checklist() -> None:
    """Checklists."""


@checklist.command("list", help=_("List the checklists."))
@options.language
def list_checklists() -> None:
    """A line a checklist."""
    from tlscheck import checklist as catalogs

    for name in catalogs.names():
        click.echo(f"{name}: {getattr(catalogs.load(name).title, LANGUAGE)}")


@checklist.command("show", help=_("Show the items of a CATALOG, or one ITEM."))
@click.argument("catalog", metavar="CATALOG")
@click.argument("item", metavar="[ITEM]", required=False)
@options.language
def show(catalog: str, item: str | None) -> None:
    """Items with their parts, rules, profile and documents."""
    from tlscheck import checklist as catalogs
    from tlscheck import text

    shown = catalogs.load(catalog)
    items = [i for i in shown.items if item in (None, i.id)]
    if not items:
        raise ChecklistError(
            "checklist {checklist}: no item {item}; take one of {known}",
            checklist=catalog,
            item=item,
            known=tuple(i.id for i in shown.items),
        )
    click.echo(f"{shown.id}: {getattr(shown.title, LANGUAGE)}")
    for each in items:
        click.echo(f"\n{each.id}  {getattr(each.title, LANGUAGE)}")
        click.echo(f"    {_('Profile')}: {shown.profile_of(each, _('the one asked for'))}")
        if each.note:
            click.echo(f"    {getattr(each.note, LANGUAGE)}")
        for part in each.parts:
            reach = text.word(text.REACHES, part.reach, LANGUAGE)
            click.echo(f"  - {getattr(part.title, LANGUAGE)} ({reach})")
            if part.rules:
                click.echo(f"      {_('Rules')}: {', '.join(part.rules)}")
            for document in part.documents:
                click.echo(f"      {_('Document')}: {getattr(document, LANGUAGE)}")
            if part.note:
                click.echo(f"      {getattr(part.note, LANGUAGE)}")
