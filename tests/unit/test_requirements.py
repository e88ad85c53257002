"""What is imported is declared, and what is declared is locked with hashes."""

import ast
import re
import sys
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from ratchet.settings import PROJECT

RUN = ("requirements.in", "requirements.txt")
DEV = ("requirements-dev.in", "requirements-dev.txt")


def declared(name: str) -> dict[str, Requirement]:
    lines = (line.partition("#")[0].strip() for line in (PROJECT / name).read_text().splitlines())
    found = [Requirement(line) for line in lines if line and not line.startswith("-")]
    return {canonicalize_name(requirement.name): requirement for requirement in found}


def locked(name: str) -> dict[str, tuple[str, int]]:
    """Version and number of hashes by name. Platforms may have versions of their own."""
    pins = re.split(r"\n(?=\S)", (PROJECT / name).read_text())
    found = [(re.match(r"([\w.-]+)==([\w.!+]+)", pin), pin.count("--hash=sha256:")) for pin in pins]
    return {canonicalize_name(m[1]): (m[2], hashes) for m, hashes in found if m}


def imported(path: Path) -> set[str]:
    nodes = list(ast.walk(ast.parse(path.read_text())))
    names = {a.name for node in nodes if isinstance(node, ast.Import) for a in node.names}
    names |= {str(node.module) for node in nodes if isinstance(node, ast.ImportFrom)}
    return {name.split(".")[0] for name in names} - set(sys.stdlib_module_names)


@pytest.mark.parametrize(("source", "lock"), [RUN, DEV])
def test_lock_holds_what_is_declared(source, lock):
    pins = locked(lock)
    requirements = declared(source)
    assert len(pins) > len(requirements) > 5
    for name, requirement in requirements.items():
        assert name in pins, f"{name}: run make lock"
        assert pins[name][0] in requirement.specifier, f"{name}: run make lock"


@pytest.mark.parametrize("lock", [RUN[1], DEV[1]])
def test_lock_has_a_hash_for_every_pin(lock):
    assert [name for name, (_, hashes) in locked(lock).items() if not hashes] == []


def test_locks_agree_where_they_meet():
    run, dev = locked(RUN[1]), locked(DEV[1])
    both = run.keys() & dev.keys()
    assert both
    assert {name for name in both if run[name] != dev[name]} == set()


def test_imports_are_declared():
    providers = packages_distributions()
    known = set(declared(RUN[0]))
    paths = [
        path
        for folder in ("include", "dags", "plugins", "docker")
        for path in (PROJECT / folder).rglob("*.py")
    ]
    found = {name: path for path in paths for name in imported(path) - {"ratchet"}}
    assert {"airflow", "duckdb", "pydantic"} <= set(found)
    for name, path in found.items():
        packages = {canonicalize_name(package) for package in providers.get(name, [])}
        packages |= {"pydantic"} if name == "pydantic_core" else set()
        assert packages & known, f"{path.name} imports {name}: name it in {RUN[0]}"
