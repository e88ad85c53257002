"""A YAML document that remembers on which line each of its parts stands."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import yaml

Field = tuple[str | int, ...]
"""Where a part of a document stands: keys, and positions in lists."""

_TIMESTAMP = "tag:yaml.org,2002:timestamp"
_MERGE = "tag:yaml.org,2002:merge"
_TEXT = "tag:yaml.org,2002:str"


class Problem(NamedTuple):
    """Something wrong with a document; `text` ends with a remedy, after a semicolon."""

    line: int
    field: Field
    text: str


class _Loader(yaml.CSafeLoader):
    """Leaves dates and times as text, for the spec's types to read."""

    yaml_implicit_resolvers = {  # noqa: RUF012 (PyYAML's own name and shape)
        first: [rule for rule in rules if rule[0] != _TIMESTAMP]
        for first, rules in yaml.CSafeLoader.yaml_implicit_resolvers.items()
    }


@dataclass(frozen=True)
class Source:
    r"""A document as JSON text, with its node tree.

    Examples
    --------
    >>> source, problems = Source.parse(b"training:\n  holdout_days: 14\n")
    >>> source.json
    '{"training": {"holdout_days": 14}}'
    >>> source.line(("training", "holdout_days")), problems
    (2, [])
    """

    json: str
    root: yaml.Node

    @classmethod
    def parse(cls, text: bytes) -> tuple[Source | None, list[Problem]]:
        """Read one document; return it, or None with what keeps it from being read."""
        loader = _Loader(text)
        try:
            root = loader.get_single_node()
            if root is None:
                return None, [Problem(1, (), "the file is empty; write a spec into it")]
            if problems := list(_key_problems(root, (), set())):
                return None, problems
            data = loader.construct_document(root)
            return cls(json.dumps(data), root), []
        except yaml.YAMLError as error:
            return None, [_syntax_problem(error)]
        except (TypeError, ValueError) as error:
            return None, [Problem(1, (), f"{error}; write only texts, numbers, lists and maps")]
        finally:
            loader.dispose()

    def line(self, field: Field) -> int:
        """Line on which a part stands, or the nearest part around it that exists; from 1."""
        return self._walk(field)[0]

    def existing(self, field: Field) -> Field:
        """Return the beginning of `field` that stands in the document."""
        return field[: self._walk(field)[1]]

    def _walk(self, field: Field) -> tuple[int, int]:
        node, line = self.root, self.root.start_mark.line + 1
        for depth, part in enumerate(field):
            child = _child(node, part)
            if child is None:
                return line, depth
            node, line = child
        return line, len(field)


def _child(node: yaml.Node, part: str | int) -> tuple[yaml.Node, int] | None:
    if isinstance(node, yaml.MappingNode):
        for key, value in reversed(node.value):  # merged keys come first, and the last one counts
            if key.value == part:
                return value, key.start_mark.line + 1
    if isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
        return node.value[part], node.value[part].start_mark.line + 1
    return None


def _key_problems(node: yaml.Node, field: Field, seen: set[int]) -> Iterator[Problem]:
    if id(node) in seen:  # an alias: its anchor was looked at
        return
    seen.add(id(node))
    if isinstance(node, yaml.SequenceNode):
        for position, item in enumerate(node.value):
            yield from _key_problems(item, (*field, position), seen)
    if not isinstance(node, yaml.MappingNode):
        return
    lines: dict[str, int] = {}
    for key, value in node.value:
        line = key.start_mark.line + 1
        if key.tag not in (_TEXT, _MERGE):
            text = f"{key.value!r} is not read as text, so it is no key; put it in quotes"
            yield Problem(line, field, text)
            continue
        if key.value in lines:
            text = f"stands on line {lines[key.value]} too; remove one of the two"
            yield Problem(line, (*field, key.value), text)
        lines.setdefault(key.value, line)
        yield from _key_problems(value, (*field, key.value), seen)


def _syntax_problem(error: yaml.YAMLError) -> Problem:
    mark = getattr(error, "problem_mark", None)
    what = getattr(error, "problem", None) or str(error).splitlines()[0]
    line = mark.line + 1 if mark else 1
    return Problem(line, (), f"not YAML: {what}; mend the syntax on this line or just before it")
