"""Read specs from YAML, and say all that is wrong with them, with line and remedy."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from pathlib import Path

from pydantic import ValidationError

from ratchet.errors import SpecError
from ratchet.spec.checks import Disagreement, disagreements
from ratchet.spec.explain import explain
from ratchet.spec.source import Problem, Source
from ratchet.spec.types import Spec


def load_spec(path: Path) -> Spec:
    """Read and check one spec.

    Raises
    ------
    SpecError
        If anything is wrong: one line for each problem, as `lint` returns them.
    """
    spec, problems = _examine(path)
    if spec is None or problems:
        raise SpecError("\n".join(problems))
    return spec


def load_specs(folder: Path) -> dict[str, Spec]:
    """Read and check all specs of a folder, by name.

    Raises
    ------
    SpecError
        If the folder holds no spec, or anything is wrong with one of them.
    """
    examined = [_examine(path) for path in _specs_at(folder)]
    if problems := [problem for _, found in examined for problem in found]:
        raise SpecError("\n".join(problems))
    return {spec.name: spec for spec, _ in examined if spec is not None}


def lint(path: Path) -> list[str]:
    """Say all that is wrong with one spec, in the order of its lines; nothing if it is right.

    Each problem reads `flights.yaml:12: training.holdout_days: <what is wrong>; <remedy>`.
    """
    return _examine(path)[1]


def lint_paths(
    paths: Iterable[Path], also: Callable[[Spec], Iterable[Disagreement]] | None = None
) -> int:
    """Write to standard output all that is wrong with specs; return how many problems these are.

    Parameters
    ----------
    paths
        Specs, or folders of specs.
    also
        Finds more in a spec that is right by itself, like what takes a library to know.

    Raises
    ------
    SpecError
        If a folder holds no spec.
    """
    specs = [spec for path in paths for spec in _specs_at(path)]
    problems = [problem for spec in specs for problem in _examine(spec, also)[1]]
    verdict = f"specs: {len(specs)}, problems: {len(problems)}"
    sys.stdout.writelines(f"{line}\n" for line in (*problems, verdict))
    return len(problems)


def _specs_at(path: Path) -> list[Path]:
    if not path.is_dir():
        return [path]
    specs = sorted(path.glob("*.yaml"))
    if not specs:
        raise SpecError(f"{path} holds no spec; add one as <name>.yaml")
    return specs


def _examine(
    path: Path, also: Callable[[Spec], Iterable[Disagreement]] | None = None
) -> tuple[Spec | None, list[str]]:
    try:
        source, problems = Source.parse(path.read_bytes())
    except OSError as error:
        return None, [f"{path}: {error.strerror}; name a spec that can be read"]
    spec = None
    if source is not None:
        spec, problems = _validate(source, path.stem)
        if spec is not None and also and not problems:
            problems = _located(source, also(spec))
    return spec, [_line(path.name, problem) for problem in sorted(problems)]


def _validate(source: Source, name: str) -> tuple[Spec | None, list[Problem]]:
    try:
        spec = Spec.model_validate_json(source.json, strict=True)
    except ValidationError as error:
        return None, explain(error, source)
    found = list(disagreements(spec))
    if spec.name != name:
        found.append((("name",), f"is not the file's name; write {name!r}, or rename the file"))
    return spec, _located(source, found)


def _located(source: Source, found: Iterable[Disagreement]) -> list[Problem]:
    return [Problem(source.line(field), field, text) for field, text in found]


def _line(file: str, problem: Problem) -> str:
    field = ".".join(map(str, problem.field))
    return f"{file}:{problem.line}: {field}{': ' if field else ''}{problem.text}"
