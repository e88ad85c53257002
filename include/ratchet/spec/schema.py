"""The published JSON Schema of a spec, and what it says about one field."""

from __future__ import annotations

import json
from functools import cache
from typing import Any

from ratchet.spec.source import Field
from ratchet.spec.types import Spec


def json_schema() -> str:
    """JSON Schema by which editors complete, explain and check a spec, as text.

    It is published as `include/use_cases/schema.json`, which the first line of a spec names.
    """
    return json.dumps(_schema(), indent=2) + "\n"


def description_of(field: Field) -> str:
    """Return what the schema says about a field; empty if it says nothing."""
    part = _part(field)
    return str(part.get("description") or _resolved(part).get("description", ""))


def names_in(field: Field) -> list[str]:
    """List the keys that a part of a spec may hold; empty if it is free to choose them."""
    return list(_resolved(_part(field)).get("properties", {}))


def without_kinds(field: Field) -> Field:
    """Leave out what Pydantic puts behind a part that is one of several kinds: which one it is."""
    names: list[str | int] = []
    for key in field:
        if "discriminator" not in _part(tuple(names)) or key in names_in(tuple(names)):
            names.append(key)
    return tuple(names)


@cache
def _schema() -> dict[str, Any]:
    schema = Spec.model_json_schema()
    for part in (schema, *schema["$defs"].values()):
        for field in part["properties"].values():
            field.pop("title", None)  # the key again: an editor would show it twice
            if "patternProperties" in field:
                field["additionalProperties"] = False
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}


def _part(field: Field) -> dict[str, Any]:
    part = _schema()
    for key in field:
        whole = _resolved(part)
        named, free = whole.get("properties", {}), whole.get("patternProperties", {})
        part = named.get(key) or next(iter(free.values()), {})
    return part


def _resolved(part: dict[str, Any]) -> dict[str, Any]:
    if "discriminator" in part:  # one of several: together they tell all keys that it may hold
        kinds = [_resolved(kind) for kind in part["oneOf"]]
        properties = {key: field for kind in kinds for key, field in kind["properties"].items()}
        return {**part, "properties": properties}
    optional = [each["$ref"] for each in part.get("anyOf", ()) if "$ref" in each]
    reference = part.get("$ref") or (optional[0] if len(optional) == 1 else None)
    return _schema()["$defs"][reference.rpartition("/")[2]] if reference else part
