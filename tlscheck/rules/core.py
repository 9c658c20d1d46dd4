"""What makes a function a rule. Nothing here knows any rule."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from types import ModuleType
from typing import Any, Generic, ParamSpec, get_type_hints

from tlscheck.model import Evidence, Note, Observation

Problems = Iterator[Evidence]
"""What a rule yields: `Problem`, `Open` and `Note`; no problem and nothing open is a pass."""

Inputs = ParamSpec("Inputs")


class NotApplicable(Exception):  # noqa: N818 - an outcome, not an error
    """Raised by a rule, before it yields, whose matter does not arise on this target."""

    def __init__(self, code: str, template: str, /, **values: str | int) -> None:
        super().__init__(code)
        self.evidence = Note(code, template, **values)


@dataclass(frozen=True, slots=True)
class Rule(Generic[Inputs]):
    """A pure function from what was seen (and what is wanted) to problems."""

    id: str
    """``subject.function-name``; API."""
    title: str
    """The docstring's first sentence, without the full stop: what is good."""
    manual: str
    """The docstring's rest: why, and what to change."""
    references: tuple[str, ...]
    """The clauses that the rule enforces."""
    needs: tuple[type[Observation], ...]
    """The observations it takes, in order."""
    wants: type | None
    """The dataclass that a profile's table fills, if the rule has a knob."""
    check: Callable[Inputs, Problems]

    def __call__(self, *inputs: Inputs.args, **keys: Inputs.kwargs) -> tuple[Evidence, ...]:
        """All that the rule has to say, in order."""
        return tuple(self.check(*inputs, **keys))


def rule(*references: str) -> Callable[[Callable[Inputs, Problems]], Rule[Inputs]]:
    """Turn a function into a `Rule`, citing the *references* it enforces."""

    def make(check: Callable[Inputs, Problems]) -> Rule[Inputs]:
        hints = get_type_hints(check)
        hints.pop("return", None)
        needs = tuple(t for t in hints.values() if issubclass(t, Observation))
        wants = [t for t in hints.values() if not issubclass(t, Observation)]
        title, _, manual = inspect.cleandoc(check.__doc__ or "").partition("\n")
        subject = check.__module__.removeprefix(f"{__package__}.").partition(".")[0]
        return Rule(
            id=f"{subject}.{check.__name__.replace('_', '-')}",
            title=title.rstrip("."),
            manual=manual.strip(),
            references=references,
            needs=needs,
            wants=wants[0] if wants else None,
            check=check,
        )

    return make


def collect(*modules: ModuleType) -> dict[str, Rule[Any]]:
    """Every rule defined in *modules*, by id, in the order of the file."""
    found = [r for m in modules for r in vars(m).values() if isinstance(r, Rule)]
    return {r.id: r for r in found}
