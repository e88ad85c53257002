"""Say what Pydantic found wrong in the words of the person who writes a spec."""

from __future__ import annotations

import reprlib
from difflib import get_close_matches
from typing import TYPE_CHECKING

from ratchet.spec.costs import NAME_PATTERN
from ratchet.spec.schema import description_of, names_in, without_kinds
from ratchet.spec.source import Field, Problem, Source

if TYPE_CHECKING:
    from pydantic import ValidationError
    from pydantic_core import ErrorDetails


def explain(error: ValidationError, source: Source) -> list[Problem]:
    """Turn a validation error into problems with lines and remedies, one for each field."""
    by_field: dict[Field, list[ErrorDetails]] = {}
    for detail in error.errors(include_url=False):
        # Pydantic adds what is not in the file: the member of a union, or that it means the key
        field = without_kinds(detail["loc"])
        field = field if detail["type"] == "missing" else source.existing(field)
        by_field.setdefault(field, []).append(detail)
    return [
        Problem(source.line(field), field, _text(field, details))
        for field, details in by_field.items()
    ]


def _text(field: Field, details: list[ErrorDetails]) -> str:
    detail = details[0]
    match detail["type"]:
        case "missing":
            return f"is missing; add it: {description_of(field)}"
        case "extra_forbidden":
            return _unknown(field)
        case "value_error":
            return str(detail["ctx"]["error"])
    wanted = " or ".join(each["msg"].partition(" should ")[2] for each in details)
    wanted = wanted.replace(" or be ", " or ").replace("an object", "a map of keys to values")
    return f"should {wanted}, not {reprlib.repr(detail['input'])}; {_remedy(field, detail)}"


def _unknown(field: Field) -> str:
    known = names_in(field[:-1])
    near = get_close_matches(str(field[-1]), known, n=1)
    remedy = f"did you mean {near[0]!r}?" if near else f"remove it, or use one of {known}"
    return f"is not known here; {remedy}"


def _remedy(field: Field, detail: ErrorDetails) -> str:
    if detail.get("ctx", {}).get("pattern") == NAME_PATTERN:
        return "use small letters, digits and underscores, a letter first"
    if detail["type"] == "timezone_aware":
        return "end it with Z for UTC"
    if detail["type"] == "string_type" and isinstance(detail["input"], bool | int | float):
        return "put it in quotes"
    meaning = description_of(field)
    return f"correct it: {meaning}" if meaning else "correct it"
