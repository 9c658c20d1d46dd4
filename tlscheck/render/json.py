"""The scan file, and its schema. The language changes nothing: evidence is language-free."""

from __future__ import annotations

import json
from typing import Any

from pydantic import TypeAdapter

from tlscheck.checklist import ItemAnswer
from tlscheck.model import Finding, Missed, Scan, Target
from tlscheck.report import FORMAT, SUBJECTS, Report, encode
from tlscheck.waivers import Waived

_TEXT = {"type": "string"}


def render(report: Report, lang: str) -> bytes:
    """The scan file, the same in every language."""
    del lang
    return encode(report)


def schema() -> dict[str, Any]:
    """The JSON Schema of the scan file, made of the very types that it is written from."""
    kinds: dict[str, Any] = {
        "Scan": Scan,
        "Target": Target,
        "Missed": Missed,
        "Finding": Finding,
        "ItemAnswer": ItemAnswer,
        "Waived": Waived,
        **SUBJECTS,
    }
    made, shared = TypeAdapter.json_schemas(
        [(name, "serialization", TypeAdapter(kind)) for name, kind in kinds.items()],
        ref_template="#/$defs/{model}",
    )
    parts = {name: made[name, "serialization"] for name in kinds}
    definitions: dict[str, Any] = dict(shared["$defs"])
    scan = _resolved(parts["Scan"], definitions)
    target = _resolved(parts["Target"], definitions)
    own = {name: part for name, part in scan["properties"].items() if name != "looks"}
    document = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": f"urn:{FORMAT.replace('.', ':').replace('/', ':')}",
        "title": "tlscheck scan file, version 1",
        "description": "What a scan saw, with its findings and the answers to the checklists.",
        "type": "object",
        "properties": {
            "format": {"const": FORMAT},
            **own,
            "profiles": {"type": "array", "items": _PROFILE},
            "targets": {"type": "array", "items": {"$ref": "#/$defs/Look"}},
            "findings": {"type": "array", "items": parts["Finding"]},
            "answers": {"type": "array", "items": parts["ItemAnswer"]},
            "waived": {"type": "array", "items": parts["Waived"]},
        },
        "required": ["format", *own, "profiles", "targets", "findings", "answers", "waived"],
        "$defs": {
            **definitions,
            "Look": {
                "type": "object",
                "description": "A target, what was seen of it and what was not.",
                "properties": {
                    **target["properties"],
                    "seen": {
                        "type": "object",
                        "properties": {subject: parts[subject] for subject in SUBJECTS},
                        "additionalProperties": False,
                    },
                    "missed": {"type": "array", "items": parts["Missed"]},
                    "connections": {"type": "integer", "minimum": 0},
                },
                "required": [*target["properties"], "seen", "missed", "connections"],
            },
        },
    }
    return _only_used(document)


_PROFILE = {
    "type": "object",
    "description": "A profile that findings were judged by.",
    "properties": {
        "id": _TEXT,
        "sha256": {"type": "string", "pattern": "^[0-9a-f]{64}$"},
        "source": _TEXT,
    },
    "required": ["id", "sha256", "source"],
}


def published() -> bytes:
    """The schema as it is published in reports/schema."""
    return (json.dumps(schema(), ensure_ascii=False, indent=1, sort_keys=True) + "\n").encode()


def _resolved(part: dict[str, Any], definitions: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = definitions[part["$ref"].rpartition("/")[2]] if "$ref" in part else part
    return found


def _only_used(document: dict[str, Any]) -> dict[str, Any]:
    """*document* without definitions that nothing refers to."""
    definitions: dict[str, Any] = document["$defs"]
    used: set[str] = set()
    left = [{k: v for k, v in document.items() if k != "$defs"}]
    while left:
        for name in _references(left.pop()) - used:
            used.add(name)
            left.append(definitions[name])
    return document | {"$defs": {name: definitions[name] for name in sorted(used)}}


def _references(part: Any) -> set[str]:
    if isinstance(part, dict):
        here = {part["$ref"].rpartition("/")[2]} if isinstance(part.get("$ref"), str) else set()
        return here.union(*map(_references, part.values()))
    return set().union(*map(_references, part)) if isinstance(part, list) else set()
