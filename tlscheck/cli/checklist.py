"""``tlscheck checklist``: the items, how far a look reaches, and what decides them."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Mapping, Sequence
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
    from tlscheck import data

    for name in data.checklists():
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
    asked = _plain(item) if item else None
    items = [i for i in shown.items if asked in (None, _plain(i.id))]
    further = titles.load(catalog)
    unseen = {str(number): title for number, title in further.titles.items()} if further else {}
    if asked and (title := unseen.get(asked)):
        click.echo(f"{shown.id}: {getattr(shown.title, LANGUAGE)}")
        click.echo(f"\n{asked}  {getattr(title, LANGUAGE)}")
        click.echo(
            "    " + _("Nothing that a look at the network shows; the spreadsheet leaves it empty.")
        )
        return
    if not items:
        raise ChecklistError(
            "checklist {checklist}: no item {item}; take one of {known}",
            checklist=catalog,
            item=item,
            known=_known([i.id for i in shown.items], unseen),
        )
    click.echo(f"{shown.id}: {getattr(shown.title, LANGUAGE)}")
    for each in items:
        _show(shown, each, why=item is not None)
    if further and item is None:
        count = len(further.titles)
        click.echo(
            "\n" + _("{count} further rows stand in the spreadsheet alone").format(count=count)
        )


_BEFORE = re.compile(r"(?:項番|項目番号|項目|番号|no\.?|#)?[:.]?(?:0+(?=[0-9]))?")


def _plain(item: str) -> str:
    """An item as its sheet and whoever types may write it, in one way: ``044``, ``項番４４``."""
    text = "".join(unicodedata.normalize("NFKC", item).split()).casefold()
    return _BEFORE.sub("", text, count=1) or text


def _known(items: Sequence[str], further: Collection[str]) -> tuple[str, ...]:
    """What can be asked for; of a sheet with all its rows the first and the last."""
    if not further:
        return tuple(items)
    numbers = sorted(map(int, (*items, *further)))
    return (f"{numbers[0]}–{numbers[-1]}",)


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
