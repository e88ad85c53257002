"""The published JSON Schema is what the types say, and what an editor can use."""

import json
from typing import Any

import jsonschema
import pytest
import yaml

from ratchet.settings import PROJECT
from ratchet.spec import json_schema

USE_CASES = PROJECT / "include" / "use_cases"
SCHEMA: dict[str, Any] = json.loads(json_schema())
PARTS = {"Spec": SCHEMA, **SCHEMA["$defs"]}


def plain(spec: str) -> Any:
    """Read a spec as an editor does: dates are text."""
    return json.loads(json.dumps(yaml.safe_load(spec), default=lambda at: at.isoformat()))


def test_schema_committed_file_is_what_the_types_say():
    committed = (USE_CASES / "schema.json").read_text()
    assert committed == json_schema(), "run: ratchet schema > include/use_cases/schema.json"


@pytest.mark.parametrize("part", PARTS.values(), ids=PARTS)
def test_schema_part_describes_every_field_and_allows_no_other(part):
    assert part["description"]
    assert part["properties"]
    for name, field in part["properties"].items():
        described = field.get("description") or "$ref" in field
        assert described, f"{name}: give it a description in ratchet.spec.types"
    assert part["additionalProperties"] is False


def test_schema_flagship_names_it_and_fits():
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    text = (USE_CASES / "flights.yaml").read_text()
    assert text.startswith("# yaml-language-server: $schema=schema.json\n")
    jsonschema.validate(plain(text), SCHEMA)


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("level: 2", "level: 3"),
        ("  holdout_days:", "  holdout_day:"),
        ("  schedules:", "  Schedules:"),
        ("kind: numeric", "kind: number"),
    ],
)
def test_schema_wrong_spec_does_not_fit(right, wrong):
    text = (USE_CASES / "flights.yaml").read_text()
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(plain(text.replace(right, wrong, 1)), SCHEMA)
