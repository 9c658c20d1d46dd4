"""One HTML page that needs nothing else: no script, no request, style and pictures inside."""

from __future__ import annotations

from functools import cache

from jinja2 import Environment, FunctionLoader, StrictUndefined
from markupsafe import Markup, escape

from tlscheck.data import data_dir
from tlscheck.model import Answer, Verdict
from tlscheck.profile import Profile
from tlscheck.render import answers, view
from tlscheck.render.domains import domain
from tlscheck.render.exposure import exposed
from tlscheck.render.facts import facts
from tlscheck.render.horizon import picture
from tlscheck.render.waivers import waivers
from tlscheck.report import SUBJECTS, Report
from tlscheck.text import SUBJECTS as SUBJECT_WORDS
from tlscheck.text import moment, visible, voice, word


def render(report: Report, lang: str) -> bytes:
    """The page."""
    seen = view.targets(report, lang)
    page = environment().get_template("report.html")
    return page.render(
        _=voice(lang),
        lang=lang,
        css=Markup(read("report.css")),  # noqa: S704 - our own file
        made=moment(report.scan.at, lang),
        version=visible(report.scan.version),
        looked_at=view.looked_at(report, lang),
        headline=answers.headline(report, lang),
        counts=answers.counts(report, lang),
        limits=answers.limits(lang),
        checklists=answers.checklists(report, seen, lang),
        first=answers.first(seen),
        own=visible(report.profile.id),
        unseen=[target for target in seen if not target.findings],
        targets=[
            (target, facts(look, report.profile, lang))
            for target, look in zip(seen, report.scan.looks, strict=True)
        ],
        domains=[
            (target, shown)
            for target, look in zip(seen, report.scan.looks, strict=True)
            if (shown := domain(look, lang))
        ],
        exposed=[
            (target, lines)
            for target, look in zip(seen, report.scan.looks, strict=True)
            if (lines := exposed(look, lang))
        ],
        waivers=waivers(report, lang),
        horizon=picture(report, lang),
        connections=sum(target.connections for target in seen),
        not_asked=[word(SUBJECT_WORDS, s, lang) for s in SUBJECTS if s not in report.scan.subjects],
        profiles=[_profile(profile, lang) for profile in report.profiles],
        Verdict=Verdict,
        Answer=Answer,
    ).encode()


def prose(text: str) -> Markup:
    """A manual, with its ``commands`` as code."""
    pieces = text.split("``")
    return Markup("").join(
        Markup("<code>{}</code>").format(p) if i % 2 else escape(p) for i, p in enumerate(pieces)
    )


@cache
def environment() -> Environment:
    """The templates in ``reports/``."""
    made = Environment(
        loader=FunctionLoader(read),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters["prose"] = prose
    return made


def read(name: str) -> str:
    """A file in ``reports/``."""
    return (data_dir("reports") / name).read_text(encoding="utf-8")


def _profile(profile: Profile, lang: str) -> dict[str, object]:
    blocks = {
        (visible(", ".join(block.values)), view.said(block.question, lang)): rule
        for rule, setting in profile.settings.items()
        for block in setting.open
    }
    return {
        "id": visible(profile.id),
        "title": view.said(profile.title, lang),
        "source": visible(profile.source),
        "digest": profile.digest,
        "questions": [view.said(question, lang) for question in profile.questions],
        "blocks": [(rule, values, question) for (values, question), rule in blocks.items()],
    }
