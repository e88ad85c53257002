"""Say what Pydantic found wrong in the words of the person who writes a spec."""

from __future__ import annotations

import reprlib
from difflib import get_close_matches
from typing import TYPE_CHECKING

from ratchet.spec.schema import description_of, names_in
from ratchet.spec.source import Field, Problem, Source

if TYPE_CHECKING:
    from pydantic import ValidationError
    from pydantic_core import ErrorDetails

_REMEDIES = {
    "string_type": "put it in quotes",
    "timezone_aware": "end it with Z for UTC",
    "string_too_long": "shorten it",
}
_NAME_REMEDY = "use small letters, digits and underscores, a letter first"


def explain(error: ValidationError, source: Source) -> list[Problem]:
    """Turn a validation error into problems with lines and remedies, one for each field."""
    by_field: dict[Field, list[ErrorDetails]] = {}
    for detail in error.errors(include_url=False):
        # Pydantic adds what is not in the file: the member of a union, or that it means the key
        field = detail["loc"] if detail["type"] == "missing" else source.existing(detail["loc"])
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
    wanted = dict.fromkeys(each["msg"].removeprefix("Input should ") for each in details)
    what = " or ".join(wanted).replace("an object", "a map of keys to values")
    return f"should {what}, not {reprlib.repr(detail['input'])}; {_remedy(field, detail)}"


def _unknown(field: Field) -> str:
    known = names_in(field[:-1])
    near = get_close_matches(str(field[-1]), known, n=1)
    remedy = f"did you mean {near[0]!r}?" if near else f"remove it, or use one of {known}"
    return f"is not known here; {remedy}"


def _remedy(field: Field, detail: ErrorDetails) -> str:
    known = _REMEDIES.get(detail["type"])
    if (
        known is None
        and detail["type"] == "string_pattern_mismatch"
        and "@" not in str(detail["ctx"])
    ):
        known = _NAME_REMEDY
    return known or f"correct it: {description_of(field)}"
