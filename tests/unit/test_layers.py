"""Who may import whom. The order of the layers is read where it is documented: in `ratchet`."""

import ast
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

import ratchet
from ratchet.settings import PROJECT

PACKAGE = PROJECT / "include" / "ratchet"
LAYERS = [
    re.findall(r"`(\w+)`", lines)
    for lines in re.findall(r"^(?:`.*\n)+", ratchet.__doc__ or "", re.MULTILINE)
]
RANK = {name: rank for rank, names in enumerate(LAYERS) for name in names}
STAGES = max(LAYERS, key=len)
# Stands for the producers, who are outside: it is no part of landing what they send.
OPEN = {"ratchet.feeds.sample_flights"}


def module_of(path: Path) -> str:
    parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(part for part in parts if part != "__init__")


def is_module(package: str, name: str) -> bool:
    """Say whether what is imported from a package is one of its modules, not what it exports."""
    folder = PACKAGE.parent.joinpath(*package.split("."))
    exists = (folder / f"{name}.py").is_file() or (folder / name / "__init__.py").is_file()
    return exists and f'"{name}"' not in (folder / "__init__.py").read_text()


def imports(source: str) -> Iterator[tuple[int, str]]:
    """Yield line and full name of every imported module, wherever it is imported."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        if isinstance(node, ast.ImportFrom):
            assert not node.level, "import by the full name"
            for alias in node.names:
                inner = f".{alias.name}" if is_module(str(node.module), alias.name) else ""
                yield node.lineno, f"{node.module}{inner}"


def fault(importer: str, imported: str) -> str | None:
    """Say why one module of ours may not import another one, or None if it may."""
    own = importer.split(".")[1] if "." in importer else "ratchet"
    top, *inner = imported.split(".")
    if top == "airflow":
        return None if own == "orchestration" else "only orchestration knows Airflow"
    if top in ("dags", "plugins", "tests"):
        return "the package knows nobody that uses it"
    if top != "ratchet" or not inner or inner[0] == own:
        return None
    if RANK[inner[0]] > RANK[own]:
        return f"{own} stands below {inner[0]} in the docstring of ratchet"
    if inner[0] in STAGES and len(inner) > 1 and imported not in OPEN:
        return f"take it from ratchet.{inner[0]}, the stage's own root"
    return None


MODULES = {module_of(path): path.read_text() for path in sorted(PACKAGE.rglob("*.py"))}


def test_layers_documented_are_all_that_exist():
    assert set(RANK) == {name.split(".")[1] for name in MODULES if "." in name}
    assert {"feeds", "warehouse", "monitoring"} <= set(STAGES)
    assert RANK["errors"] < RANK["storage"] < RANK["feeds"] < RANK["orchestration"]


@pytest.mark.parametrize("module", MODULES)
def test_module_imports_only_what_it_may(module):
    found = [
        f"{module}:{line}: imports {imported}: {reason}"
        for line, imported in imports(MODULES[module])
        if (reason := fault(module, imported))
    ]
    assert found == []


@pytest.mark.parametrize("module", MODULES)
def test_module_has_a_docstring(module):
    assert ast.get_docstring(ast.parse(MODULES[module])), f"{module}: say what it is for"


@pytest.mark.parametrize(
    ("importer", "statement", "reason"),
    [
        ("ratchet.feeds.landing", "import airflow", "only orchestration knows"),
        ("ratchet.feeds.landing", "from airflow.sdk import dag", "only orchestration knows"),
        ("ratchet.settings", "from ratchet.ledger import Ledger", "stands below ledger"),
        ("ratchet.storage", "from ratchet import ledger, feeds", "stands below feeds"),
        ("ratchet.ledger", "def f():\n    import ratchet.feeds", "stands below feeds"),
        ("ratchet.feeds", "import ratchet.orchestration.factory", "stands below orchestration"),
        ("ratchet.serving", "from ratchet.feeds.landing import x", "take it from ratchet.feeds"),
        ("ratchet.serving", "from ratchet.feeds import landing", "take it from ratchet.feeds"),
        ("ratchet.orchestration.tasks", "from dags.use_cases import x", "knows nobody"),
    ],
)
def test_fault_wrong_import_is_found(importer, statement, reason):
    faults = [fault(importer, imported) for _, imported in imports(statement)]
    assert any(reason in (found or "") for found in faults)


@pytest.mark.parametrize(
    ("importer", "statement"),
    [
        ("ratchet.feeds.landing", "from ratchet.feeds.inbox import x"),
        ("ratchet.feeds.landing", "from ratchet.spec.types import Feed"),
        ("ratchet.serving", "from ratchet.feeds import land"),
        ("ratchet.orchestration.tasks", "from airflow.sdk import Asset"),
        ("ratchet.registry.release", "import ratchet"),
        ("ratchet.ledger", "import json, ratchet.storage"),
    ],
)
def test_fault_right_import_is_let_through(importer, statement):
    found = list(imports(statement))
    assert found
    assert not any(fault(importer, imported) for _, imported in found)


def test_dags_are_imported_by_nobody():
    names = {"dags", *(path.stem for path in (PROJECT / "dags").glob("*.py"))}
    folders = ("include", "plugins", "tests", "benchmarks")
    paths = [path for folder in folders for path in (PROJECT / folder).rglob("*.py")]
    assert len(names) > 1
    assert len(paths) > len(MODULES)
    found = [
        f"{path.relative_to(PROJECT)}:{line}: imports {imported}, which is wiring"
        for path in paths
        for line, imported in imports(path.read_text())
        if imported.split(".")[0] in names
    ]
    assert found == []


def test_spec_import_loads_nothing_heavy():
    rules = tomllib.loads((PROJECT / "pyproject.toml").read_text())["tool"]["ruff"]["lint"]
    heavy = {*rules["flake8-tidy-imports"]["banned-module-level-imports"], "airflow"}
    program = "import sys, ratchet.spec; print(*{name.split('.')[0] for name in sys.modules})"
    done = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True)
    loaded = set(done.stdout.decode().split())
    assert "pydantic" in loaded
    assert loaded & heavy == set()
