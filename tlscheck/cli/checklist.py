"""``tlscheck checklist``: the items, how far a look reaches, and what decides them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import click

from tlscheck.cli import options
from tlscheck.cli.words import LANGUAGE, _
from tlscheck.errors import ChecklistError

if TYPE_CHECKING:
    from tlscheck.checklist import Checklist, Item
    from tlscheck.profile import Setting


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
    """Items with their parts, rules, profile and documents; of one item why each rule wants what
    it wants.
    """
    from tlscheck import checklist as catalogs
    from tlscheck import titles

    shown = catalogs.load(catalog)
    items = [i for i in shown.items if item in (None, i.id)]
    further = titles.load(catalog)
    if further and item and item.isdigit() and (title := further.titles.get(int(item))):
        click.echo(f"{shown.id}: {getattr(shown.title, LANGUAGE)}")
        click.echo(f"\n{item}  {getattr(title, LANGUAGE)}")
        click.echo(
            "    " + _("Nothing that a look at the network shows; the spreadsheet leaves it empty.")
        )
        return
    if not items:
        raise ChecklistError(
            "checklist {checklist}: no item {item}; take one of {known}",
            checklist=catalog,
            item=item,
            known=tuple(i.id for i in shown.items),
        )
    click.echo(f"{shown.id}: {getattr(shown.title, LANGUAGE)}")
    for each in items:
        _show(shown, each, why=item is not None)
    if further and item is None:
        count = len(further.titles)
        click.echo(
            "\n" + _("{count} further rows stand in the spreadsheet alone").format(count=count)
        )


def _show(shown: Checklist, item: Item, *, why: bool) -> None:
    from tlscheck import profile as profiles
    from tlscheck import text
    from tlscheck.config import Settings

    click.echo(f"\n{item.id}  {getattr(item.title, LANGUAGE)}")
    click.echo(f"    {_('Profile')}: {shown.profile_of(item, _('the one asked for'))}")
    if item.note:
        click.echo(f"    {getattr(item.note, LANGUAGE)}")
    settings: Mapping[str, Setting] = {}
    if why:
        settings = profiles.load(shown.profile_of(item, Settings().profile)).settings
    for part in item.parts:
        reach = text.word(text.REACHES, part.reach, LANGUAGE)
        click.echo(f"  - {getattr(part.title, LANGUAGE)} ({reach})")
        if part.rules and not why:
            click.echo(f"      {_('Rules')}: {', '.join(part.rules)}")
        for rule in part.rules if why else ():
            _reason(rule, settings.get(rule))
        for document in part.documents:
            click.echo(f"      {_('Document')}: {getattr(document, LANGUAGE)}")
        if part.note:
            click.echo(f"      {getattr(part.note, LANGUAGE)}")


def _reason(rule: str, setting: Setting | None) -> None:
    """A rule, what is good, and where that comes from."""
    from tlscheck import text
    from tlscheck.rules import RULES

    click.echo(f"      {rule}: {text.translate(RULES[rule].title, LANGUAGE)}")
    if setting:
        source = text.translate(setting.basis.source, LANGUAGE)
        grade = text.word(text.GRADES, setting.basis.grade, LANGUAGE)
        click.echo(f"          {source} ({grade})")
