"""What every checklist has, and what the answers may never say."""

import re
import tomllib
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tlscheck import checklist as catalog
from tlscheck import data, titles
from tlscheck import judge as judging
from tlscheck.checklist import SCOPES, Checklist, Item, ItemAnswer, Part, Words
from tlscheck.data import data_dir
from tlscheck.errors import ChecklistError
from tlscheck.model import (
    Answer,
    Basis,
    Finding,
    Grade,
    Look,
    Missed,
    Observation,
    Open,
    Reach,
    Reason,
    Scope,
    Severity,
    Target,
    Verdict,
)

ROWS = {
    "guideline-security": "ii iv",
    "mhlw-5.2": "1 2 4 5 8 9 11 12 13 14",
    "mhlw-7.0": "MDS-12.1 MDS-12.2 MDS-12.3.1.1 MDS-12.4.1 SDS-59 SDS-60 SDS-61 SDS-62 SDS-63 "
    "SDS-64 SDS-65 SDS-66 SDS-67 SDS-74.1 SDS-91",
    "standard-2026": "2-1-viii 2-1-xii 2-1-xiv",
    "vendor-138": "42 43 44 45 46 47 48 49 50 51 52 53 54 55 56 57 116",
}
ALL = {name: catalog.load(name) for name in ROWS}
PARTS = [
    pytest.param(part, id=f"{name}/{item.id}/{part.id}")
    for name, checklist in ALL.items()
    for item in checklist.items
    for part in item.parts
]


# -- the catalogs


def test_every_row_is_there() -> None:
    assert data.checklists() == tuple(ROWS)
    assert {n: " ".join(i.id for i in c.items) for n, c in ALL.items()} == ROWS


def test_every_row_of_the_sheet_has_a_title() -> None:
    further = titles.load("vendor-138")
    assert further is not None
    items = {item.id: item.title for item in ALL["vendor-138"].items}
    rows = list(further.rows(items))
    assert [number for number, _, _ in rows] == list(range(1, 139))
    assert not {str(number) for number in further.titles} & set(items)
    assert len({title.ja for _, title, _ in rows}) == len(rows)
    assert all(len(title.ja) <= 32 and len(title.en) <= 64 for _, title, _ in rows)
    assert [s.first for s in further.section] == sorted({s.first for s in further.section})
    assert {name for name in ROWS if titles.load(name)} == {"vendor-138"}


def test_own_profiles() -> None:
    own = {
        f"{name}/{item.id}": profile
        for name, checklist in ALL.items()
        for item in checklist.items
        if (profile := checklist.profile_of(item, ""))
    }
    assert own == {
        "vendor-138/42": "vendor-138",
        "vendor-138/44": "vendor-138",
        "standard-2026/2-1-xii": "standard-2026",
        "mhlw-5.2/2": "mhlw-5.2",
        "mhlw-5.2/12": "mhlw-5.2",
    } | {f"mhlw-7.0/{item}": "mhlw-7.0" for item in ROWS["mhlw-7.0"].split()}


def _words(value: object) -> list[Words]:
    match value:
        case Words():
            return [value]
        case tuple():
            return [word for one in value for word in _words(one)]
        case Checklist() | Item() | Part():
            return [w for key in value.__slots__ for w in _words(getattr(value, key))]
    return []


@pytest.mark.parametrize("checklist", ALL.values(), ids=ALL)
def test_both_languages(checklist: Checklist) -> None:
    words = _words(checklist)
    assert len(words) > 10
    for word in words:
        assert word.en.strip() == word.en != "", word
        assert word.ja.strip() == word.ja != "", word
        assert word.en.isascii(), word
        assert re.search(r"[\u3040-\u30ff\u4e00-\u9fff]|^\d", word.ja), word


@pytest.mark.parametrize("part", PARTS)
def test_parts(part: Part) -> None:
    assert part.reach is Reach.TESTED or part.documents
    subjects = {rule.partition(".")[0] for rule in part.rules} | set(part.subjects)
    assert subjects <= SCOPES.keys()
    assert bool(subjects) or part.reach is Reach.ATTEST


def test_reach_of_the_rows_that_can_be_met() -> None:
    assert {
        f"{name}/{item.id}"
        for name, checklist in ALL.items()
        for item in checklist.items
        if all(part.reach is Reach.TESTED for part in item.parts)
    } == {
        "standard-2026/2-1-xii",
        "mhlw-7.0/MDS-12.2",
        "mhlw-7.0/SDS-64",
        "mhlw-7.0/SDS-65",
    }


# -- reading

GOOD = (data_dir("profiles") / "checklists" / "standard-2026.toml").read_text("utf-8")


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('id = "standard-2026"', 'id = "other"', "id: it says other; name the file"),
        (
            'reach = "partial"',
            'reach = "seen"',
            "item 2-1-viii part border reach: must be 'tested',",
        ),
        ('id = "2-1-xii"', 'id = "2-1-xii"\nx = 1', "item 2-1-xii x: no such key; remove it"),
        ('id = "2-1-xii"', 'id = "２"', "item ２ id: must match ^[A-Za-z0-9]"),
        ('id = "2-1-xii"', 'id = "2-1-xiv"', "item 2-1-xiv: it is there twice"),
        ('id = "dns"\n', 'id = "registration"\n', "item 2-1-xiv, part registration: it is there"),
        ('title.en = "Server"\n', "", "item 2-1-xii part server title en: add it"),
        ('"tls.versions", ', '"tls.versions", "tls.versions", ', "rules tls.versions: it is there"),
        ('"tls.versions", ', '"smell.versions", ', "part server, rules: unknown subject smell"),
        ('"tls.versions", ', '"addresses.agreement", ', "several scopes; make a part for each"),
        ('"tls.versions", ', '"tls versions", ', "item 2-1-xii part server rules #1: must match"),
        (
            'rules = ["http.web-firewall"]',
            "rules = []",
            "part waf, rules: none; name rules or",
        ),
        ("[[item]]", "[[item", "write TOML in UTF-8"),
    ],
)
def test_a_mistake_is_one_line_that_names_place_and_remedy(old: str, new: str, said: str) -> None:
    assert old in GOOD
    with pytest.raises(ChecklistError) as caught:
        catalog.parse("standard-2026.toml", GOOD.replace(old, new, 1).encode())
    message = str(caught.value)
    assert message.startswith("standard-2026.toml: ")
    assert said in message
    assert "\n" not in message


def test_no_such_checklist() -> None:
    with pytest.raises(ChecklistError, match=r"checklist \.\./x: none of that name; take one of g"):
        catalog.load("../x")


def test_not_utf_8() -> None:
    with pytest.raises(ChecklistError, match="write TOML in UTF-8"):
        catalog.parse("x.toml", b"\xff")


@given(st.data())
def test_any_value_anywhere_is_read_or_refused_in_one_line(data: st.DataObject) -> None:
    table = tomllib.loads(GOOD)
    at: dict[str, object] = table
    while True:
        key = data.draw(st.sampled_from(sorted(at)))
        match at[key]:
            case dict() as inner if data.draw(st.booleans()):
                at = inner
            case list() as rows if isinstance(rows[0], dict) and data.draw(st.booleans()):
                at = data.draw(st.sampled_from(rows))
            case _:
                break
    at[key] = data.draw(st.sampled_from([1, "", [], {}, [{}], [1], {"en": "x"}]))
    try:
        catalog.parse("standard-2026.toml", _toml(table).encode())
    except ChecklistError as error:
        assert "\n" not in str(error)


def _toml(value: object) -> str:
    """As many inline tables as TOML allows."""
    match value:
        case dict():
            return "\n".join(f"{key} = {_inline(one)}" for key, one in value.items())
    raise AssertionError(value)


def _inline(value: object) -> str:
    match value:
        case dict():
            return "{" + ", ".join(f"{key} = {_inline(one)}" for key, one in value.items()) + "}"
        case list():
            return "[" + ", ".join(map(_inline, value)) + "]"
        case str():
            return f"'{value}'" if "'" not in value else f'"{value}"'
    return str(value)


# -- answering

WORDS = Words("words", "言葉")
AT = datetime(2026, 11, 1, tzinfo=UTC)
TABLES = frozenset({"tls.versions", "tls.suites", "http.hsts", "ports.open", "dns.caa"})


def endpoint(id: str = "e", *missed: Missed, seen: Sequence[str] = ("tls",)) -> Look:
    return Look(Target(id, Scope.ENDPOINT), {s: Observation(at=AT) for s in seen}, missed)


def name(id: str = "n", *missed: Missed) -> Look:
    return Look(Target(id, Scope.NAME), {}, missed)


def finding(rule: str, verdict: Verdict, target: str = "e", cause: str = "timeout") -> Finding:
    evidence = (Open("x", "unclear", cause=cause),) if verdict is Verdict.UNKNOWN else ()
    basis = Basis("made up", Grade.OFFICIAL)
    return Finding(rule, target, verdict, Severity.HIGH, evidence, ("p",), basis)


def part(
    reach: Reach, *rules: str, subjects: tuple[str, ...] = (), id: str = "a", documents: int = 1
) -> Part:
    papers = tuple(Words(f"paper {i}", f"書類{i}") for i in range(documents))
    return Part(id, WORDS, reach, rules, subjects, papers)


def checklist(*parts: Part, profile: str = "") -> Checklist:
    return Checklist("c", WORDS, WORDS, (Item("1", WORDS, WORDS, parts, profile),))


def answered(
    parts: Sequence[Part],
    findings: Sequence[Finding],
    looks: Sequence[Look],
    *,
    tables: Callable[[str], frozenset[str]] = lambda _: TABLES,
) -> dict[str | None, ItemAnswer]:
    found = catalog.answers(checklist(*parts), findings, looks, profile="p", profile_rules=tables)
    assert next(a.target for a in found) is None
    assert len({a.target for a in found}) == len(found)
    return {a.target: a for a in found}


TIMED_OUT = endpoint("d", Missed("tls", Reason.TIMEOUT), seen=())
F, U, P, N = Verdict.FAIL, Verdict.UNKNOWN, Verdict.PASS, Verdict.NOT_APPLICABLE
TWO = ("tls.versions", "tls.suites")


@pytest.mark.parametrize(
    ("reach", "verdicts", "answer", "cause"),
    [
        (Reach.TESTED, (P, P), Answer.MET, ""),
        (Reach.TESTED, (P, N), Answer.MET, ""),
        (Reach.TESTED, (N, N), Answer.NOT_APPLICABLE, ""),
        (Reach.TESTED, (P, F), Answer.NOT_MET, ""),
        (Reach.TESTED, (F, U), Answer.NOT_MET, ""),
        (Reach.TESTED, (P, U), Answer.UNDETERMINED, "timeout"),
        (Reach.TESTED, (N, U), Answer.UNDETERMINED, "timeout"),
        (Reach.TESTED, (P, None), Answer.UNDETERMINED, "not_judged"),
        (Reach.TESTED, (None, None), Answer.UNDETERMINED, "not_judged"),
        (Reach.PARTIAL, (P, P), Answer.DOCUMENT_NEEDED, ""),
        (Reach.PARTIAL, (N, N), Answer.DOCUMENT_NEEDED, ""),
        (Reach.PARTIAL, (P, F), Answer.NOT_MET, ""),
        (Reach.PARTIAL, (P, U), Answer.UNDETERMINED, "timeout"),
        (Reach.PARTIAL, (P, None), Answer.UNDETERMINED, "not_judged"),
        (Reach.ATTEST, (P, P), Answer.DOCUMENT_NEEDED, ""),
        (Reach.ATTEST, (P, F), Answer.NOT_MET, ""),
    ],
)
def test_answer_of_a_part(
    reach: Reach, verdicts: tuple[Verdict | None, ...], answer: Answer, cause: str
) -> None:
    findings = [finding(r, v) for r, v in zip(TWO, verdicts, strict=True) if v]
    for got in answered([part(reach, *TWO)], findings, [endpoint()]).values():
        assert (got.answer, got.parts[0].cause) == (answer, cause)
        assert got.findings == tuple(f.id for f in findings)
        assert got.profile == "p"


@pytest.mark.parametrize(
    ("reach", "causes", "answer"),
    [
        (Reach.PARTIAL, ("to_declare",), Answer.DOCUMENT_NEEDED),
        (Reach.PARTIAL, ("to_declare", "to_declare"), Answer.DOCUMENT_NEEDED),
        (Reach.PARTIAL, ("to_declare", "timeout"), Answer.UNDETERMINED),
        (Reach.TESTED, ("to_declare", "to_declare"), Answer.UNDETERMINED),
    ],
)
def test_what_never_shows_asks_for_a_paper(
    reach: Reach, causes: tuple[str, ...], answer: Answer
) -> None:
    rules = TWO[: len(causes)]
    findings = [finding(r, U, cause=c) for r, c in zip(rules, causes, strict=True)]
    for got in answered([part(reach, *rules)], findings, [endpoint()]).values():
        assert got.answer is answer


@pytest.mark.parametrize(
    ("look", "cause"),
    [
        (endpoint(seen=()), "not_asked"),
        (endpoint("e", Missed("tls", Reason.TIMEOUT), seen=()), "timeout"),
        (endpoint("e", Missed("http", Reason.TIMEOUT), seen=()), "not_asked"),
        (endpoint("e", Missed("tls.deep", Reason.CHILD)), "not_judged"),
        (name("n", Missed("tls", Reason.UNRESOLVED)), "unresolved"),
        (name("n", Missed("dns", Reason.UNRESOLVED)), "unresolved"),
        (name(), "not_asked"),
    ],
)
def test_nothing_found(look: Look, cause: str) -> None:
    for got in answered([part(Reach.TESTED, *TWO)], [], [look]).values():
        assert (got.answer, got.parts[0].cause) == (Answer.UNDETERMINED, cause)


def test_what_failed_is_said_before_what_was_not_asked() -> None:
    look = endpoint("e", Missed("tls", Reason.RESET), seen=())
    got = answered([part(Reach.PARTIAL, "http.hsts", "tls.versions")], [], [look])
    assert got["e"].parts[0].cause == "reset"


def test_no_targets() -> None:
    assert answered([part(Reach.TESTED, *TWO)], [], [])[None].answer is Answer.UNDETERMINED
    assert answered([part(Reach.ATTEST)], [], [])[None].answer is Answer.DOCUMENT_NEEDED


def test_pure_attest_is_answered_overall_only() -> None:
    assert list(answered([part(Reach.ATTEST)], [], [endpoint()])) == [None]


def test_pure_attest_part_counts_beside_a_tested_one() -> None:
    parts = [part(Reach.TESTED, "tls.versions"), part(Reach.ATTEST, id="b", documents=2)]
    got = answered(parts, [finding("tls.versions", P)], [endpoint()])
    assert {a.answer for a in got.values()} == {Answer.DOCUMENT_NEEDED}
    assert got["e"].parts[0].answer is Answer.MET
    assert [d.en for d in got["e"].documents] == ["paper 0", "paper 1"]


def test_a_rule_without_a_table_is_ignored_unless_none_is_left() -> None:
    one, other = finding("tls.versions", P), part(Reach.TESTED, "tls.versions", "tls.other")
    assert answered([other], [one], [endpoint()])["e"].answer is Answer.MET
    lone = answered([part(Reach.TESTED, "tls.other")], [], [endpoint()])
    assert lone[None].answer is Answer.UNDETERMINED
    beside = answered([part(Reach.TESTED, "tls.versions"), part(Reach.TESTED, "tls.other", id="b")],
                      [one], [endpoint()])  # fmt: skip
    assert {a.answer for a in beside.values()} == {Answer.UNDETERMINED}
    assert beside["e"].parts[1].cause == "not_judged"


def test_findings_of_another_profile_do_not_count() -> None:
    other = replace(finding("tls.versions", P), profiles=("q",))
    got = answered([part(Reach.TESTED, "tls.versions")], [other], [endpoint()])
    assert got["e"].answer is Answer.UNDETERMINED
    own = catalog.answers(
        checklist(part(Reach.TESTED, "tls.versions"), profile="q"),
        [other],
        [endpoint()],
        profile="p",
        profile_rules=lambda profile: TABLES if profile == "q" else frozenset(),
    )
    assert [(a.answer, a.profile) for a in own] == [(Answer.MET, "q")] * 2


def test_overall_is_the_worst_target() -> None:
    findings = [finding("tls.versions", P, "e"), finding("tls.versions", F, "d")]
    got = answered([part(Reach.TESTED, "tls.versions")], findings, [endpoint(), endpoint("d")])
    assert {t: a.answer for t, a in got.items()} == {
        None: Answer.NOT_MET,
        "e": Answer.MET,
        "d": Answer.NOT_MET,
    }


def test_a_name_that_does_not_resolve_leaves_the_item_open() -> None:
    looks = [endpoint(), name("n", Missed("addresses", Reason.UNRESOLVED))]
    got = answered([part(Reach.TESTED, "tls.versions")], [finding("tls.versions", P)], looks)
    assert {t: a.answer for t, a in got.items()} == {
        None: Answer.UNDETERMINED,
        "e": Answer.MET,
        "n": Answer.UNDETERMINED,
    }


def test_a_target_of_another_scope_is_not_spoken_of() -> None:
    got = answered([part(Reach.TESTED, *TWO)], [finding(r, P) for r in TWO], [endpoint(), name()])
    assert {t: a.answer for t, a in got.items()} == {None: Answer.MET, "e": Answer.MET}


def test_a_subject_looked_at_nowhere_leaves_every_target_open() -> None:
    parts = [part(Reach.TESTED, *TWO), part(Reach.PARTIAL, subjects=("ike",), id="b")]
    passes = [finding(rule, P) for rule in TWO]
    got = answered(parts, passes, [endpoint()])
    assert {a.answer for a in got.values()} == {Answer.UNDETERMINED}
    assert got["e"].parts[1].cause == "not_asked"


def test_a_rule_that_ran_elsewhere_leaves_this_target_open() -> None:
    got = answered(
        [part(Reach.TESTED, *TWO)], [finding(r, P) for r in TWO], [endpoint(), TIMED_OUT]
    )
    assert {t: a.answer for t, a in got.items()} == {
        None: Answer.UNDETERMINED,
        "e": Answer.MET,
        "d": Answer.UNDETERMINED,
    }
    assert got[None].parts[0].cause == "timeout"


def test_a_subject_that_is_unknown_wherever_it_was_looked_at_leaves_every_target_open() -> None:
    parts = [part(Reach.TESTED, "tls.versions"), part(Reach.PARTIAL, "ports.open", id="b")]
    looks = [endpoint(), Look(Target("a", Scope.ADDRESS))]
    found = [finding("tls.versions", P), finding("ports.open", U, "a")]
    got = answered(parts, found, looks)
    assert {a.answer for a in got.values()} == {Answer.UNDETERMINED}
    assert got["e"].parts[1].cause == "timeout"


def test_a_subject_that_was_seen_and_not_judged_leaves_the_part_open() -> None:
    look = Look(Target("a", Scope.ADDRESS), {"vpn": Observation(at=AT)})
    got = answered([part(Reach.PARTIAL, subjects=("vpn",))], [], [look])
    assert [(a.answer, a.parts[0].cause) for a in got.values()] == [
        (Answer.UNDETERMINED, "not_judged")
    ] * 2


def test_a_fail_on_a_target_that_is_not_among_the_looks_counts() -> None:
    got = answered([part(Reach.TESTED, *TWO)], [finding("tls.suites", F, "gone")], [endpoint()])
    assert got[None].answer is Answer.NOT_MET


def test_items_of_a_finding() -> None:
    one = replace(finding("tls.versions", P), profiles=("vendor-138", "run"))

    def items(name: str, default: str) -> tuple[str, ...]:
        return judging._items(judging._bearing([ALL[name]], default), one)

    assert items("vendor-138", "run") == ("vendor-138/42", "vendor-138/44")
    assert items("guideline-security", "run") == ("guideline-security/iv",)
    assert items("guideline-security", "else") == ()
    assert items("mhlw-7.0", "run") == ()


# -- what holds whatever was found

LOOKS = [
    endpoint("e1", seen=("tls", "http")),
    endpoint("e2", Missed("tls", Reason.TIMEOUT), seen=()),
    Look(Target("a1", Scope.ADDRESS)),
    replace(endpoint("n1", seen=("dns",)), target=Target("n1", Scope.NAME)),
    name("n2", Missed("tls", Reason.UNRESOLVED)),
    name("n3", Missed("dns", Reason.TIMEOUT)),
]
RULES = [*sorted(TABLES), "tls.other"]


@st.composite
def findings(draw: st.DrawFn, looks: Sequence[Look]) -> list[Finding]:
    keys = [(r, k.target.id) for k in looks for r in RULES if SCOPES[r.partition(".")[0]] is
            k.target.scope]  # fmt: skip
    weighted = st.sampled_from([P, P, P, P, N, N, U, F, None])
    return [finding(r, v, t) for r, t in keys if (v := draw(weighted))]


@st.composite
def parts(draw: st.DrawFn) -> list[Part]:
    many = draw(st.integers(1, 3))
    return [
        part(
            draw(st.sampled_from([Reach.TESTED, Reach.TESTED, Reach.PARTIAL, Reach.ATTEST])),
            *draw(st.lists(st.sampled_from(RULES), unique=True, max_size=3)),
            subjects=tuple(draw(st.lists(st.sampled_from(["ports", "dns"]), max_size=1))),
            id=str(i),
        )
        for i in range(many)
    ]


@st.composite
def cases(draw: st.DrawFn) -> tuple[list[Part], list[Finding], list[Look]]:
    looks = draw(st.lists(st.sampled_from(LOOKS), unique_by=lambda k: k.target.id))
    return draw(parts()), draw(findings(looks)), looks


def speaks(subject: str, look: Look) -> bool:
    """Whether the look is one that has the subject: names are of several kinds."""
    asked = {*look.seen, *(m.kind.partition(".")[0] for m in look.missed)}
    return SCOPES[subject] is look.target.scope and (
        look.target.scope is not Scope.NAME or subject in asked
    )


@given(cases())
def test_met_only_if_everything_was_looked_at_and_passed(
    case: tuple[list[Part], list[Finding], list[Look]],
) -> None:
    asked, found, looks = case
    for target, got in answered(asked, found, looks).items():
        if got.answer is not Answer.MET:
            continue
        where = {target} if target else {k.target.id for k in looks}
        mine = [f for f in found if f.target in where]
        assert any(f.verdict is P for f in mine)
        for one in asked:
            rules = TABLES.intersection(one.rules)
            assert {f.verdict for f in mine if f.rule in one.rules} <= {P, N}
            assert rules <= {f.rule for f in found}
            assert {*one.subjects} <= {f.rule.partition(".")[0] for f in found}
            for look in looks:
                here = {f.rule for f in mine if f.target == look.target.id}
                scoped = {r for r in rules if speaks(r.partition(".")[0], look)}
                assert look.target.id not in where or scoped <= here
        assert not any(p.reach is not Reach.TESTED for p in asked if target is None)


@given(cases(), st.data())
def test_one_more_unknown_never_improves_an_answer(
    case: tuple[list[Part], list[Finding], list[Look]], data: st.DataObject
) -> None:
    asked, found, looks = case
    taken = {(f.rule, f.target) for f in found}
    free = [(r, k.target.id) for k in looks for r in RULES if (r, k.target.id) not in taken]
    if not free:
        return
    rule, target = data.draw(st.sampled_from(free))
    before = answered(asked, found, looks)
    after = answered(asked, [*found, finding(rule, U, target)], looks)
    assert before.keys() <= after.keys()
    for at, got in before.items():
        assert after[at].answer.rank <= got.answer.rank


@given(cases(), st.data())
def test_a_pass_that_becomes_unknown_never_improves_an_answer(
    case: tuple[list[Part], list[Finding], list[Look]], data: st.DataObject
) -> None:
    asked, found, looks = case
    passes = [i for i, f in enumerate(found) if f.verdict in (P, N)]
    if not passes:
        return
    i = data.draw(st.sampled_from(passes))
    worse = [*found[:i], finding(found[i].rule, U, found[i].target), *found[i + 1 :]]
    before, after = answered(asked, found, looks), answered(asked, worse, looks)
    for at, got in before.items():
        assert after[at].answer.rank <= got.answer.rank


@given(cases())
def test_an_item_is_its_worst_part_and_overall_the_worst_target(
    case: tuple[list[Part], list[Finding], list[Look]],
) -> None:
    got = answered(*case)
    for one in got.values():
        assert one.answer is min((p.answer for p in one.parts), key=lambda a: a.rank)
        assert one.answer is not Answer.UNDETERMINED or any(p.cause for p in one.parts)
    assert all(got[None].answer.rank <= a.answer.rank for a in got.values())
