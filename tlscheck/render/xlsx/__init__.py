"""A workbook to be filled in further, printed and handed in: every checklist in the form of its
document, what to change, what was found, where, and what was not looked at.
"""

from __future__ import annotations

from tlscheck.config import Sheet
from tlscheck.render.xlsx import checklists, inventory
from tlscheck.render.xlsx.book import book
from tlscheck.report import Report


def render(report: Report, lang: str, head: Sheet | None = None) -> bytes:
    """The workbook; *head* stands above the evaluation sheets."""
    tables = (
        inventory.overview(report, lang),
        *checklists.tables(report, lang, head or Sheet()),
        inventory.remedies(report, lang),
        inventory.findings(report, lang),
        *([inventory.waivers(report, lang)] if report.waived else []),
        inventory.endpoints(report, lang),
        inventory.unseen(report, lang),
    )
    return book(tables, report.scan.at, lang)
