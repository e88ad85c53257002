"""Use cases: the types of a spec, reading and checking it, and its published JSON Schema."""

from ratchet.spec.access import refuse_other_region, refuse_restricted, restricted_columns
from ratchet.spec.load import lint, lint_paths, load_spec, load_specs
from ratchet.spec.schema import json_schema
from ratchet.spec.types import Spec

__all__ = [
    "Spec",
    "json_schema",
    "lint",
    "lint_paths",
    "load_spec",
    "load_specs",
    "refuse_other_region",
    "refuse_restricted",
    "restricted_columns",
]
