"""The DAG folder as Airflow sees it."""

import subprocess
import sys
from pathlib import Path

from ratchet.settings import PROJECT, Settings
from ratchet.spec import load_specs

DAGS_PER_USE_CASE = 6  # at level 2


def bag(folder: Path):
    from airflow.dag_processing.dagbag import DagBag

    return DagBag(dag_folder=str(folder), bundle_path=folder)


def test_dagbag_of_the_project_holds_every_use_case_without_error():
    specs = load_specs(Settings.load().use_cases).values()
    loaded = bag(PROJECT / "dags")
    assert {spec.level for spec in specs} == {1, 2}
    assert not loaded.import_errors
    only_at_level_2 = {
        f"{spec.name}__{name}"
        for spec in specs
        if spec.level < 2
        for name in ("check_as_of", "drill_rollback")
    }
    assert len(loaded.dags) == DAGS_PER_USE_CASE * len(specs) - len(only_at_level_2)
    assert not only_at_level_2 & set(loaded.dags)


def test_dagbag_with_a_wrong_spec_shows_one_clear_error_and_all_other_dags(tmp_path, monkeypatch):
    flights = (Settings.load().use_cases / "flights.yaml").read_text()
    (tmp_path / "flights.yaml").write_text(flights)
    (tmp_path / "other.yaml").write_text(
        flights.replace("name: flights", "name: other").replace(
            "holdout_days: 14", "holdout_days: x"
        )
    )
    monkeypatch.setenv("RATCHET_USE_CASES", str(tmp_path))
    loaded = bag(PROJECT / "dags")
    assert len(loaded.dags) == DAGS_PER_USE_CASE
    (file, error), *others = loaded.import_errors.items()
    assert not others
    assert file == "spec_errors.py"
    assert "other.yaml:" in error
    assert "training.holdout_days" in error


def test_parsing_fifty_specs_stays_light(tmp_path):
    flights = (Settings.load().use_cases / "flights.yaml").read_text()
    for number in range(50):
        name = f"case{number}"
        (tmp_path / f"{name}.yaml").write_text(flights.replace("name: flights", f"name: {name}"))
    # against reading the same YAML, as machines and moments differ in speed
    code = (
        "import resource\n"
        "import airflow.sdk, airflow.providers.standard.operators.hitl, pydantic, yaml\n"
        "def cpu(): return sum(resource.getrusage(resource.RUSAGE_SELF)[:2])\n"
        "from pathlib import Path\n"
        f"folder = Path({str(tmp_path)!r})\n"
        "started = cpu()\n"
        "for path in folder.iterdir(): yaml.load(path.read_text(), yaml.CSafeLoader)\n"
        "read = cpu()\n"
        "from ratchet.orchestration.factory import build_dags\n"
        f"assert len(build_dags(folder)) == {50 * DAGS_PER_USE_CASE}\n"
        "print((cpu() - read) / (read - started))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert float(done.stdout.splitlines()[-1]) < 6


def test_dag_files_load_nothing_heavy():
    code = (
        "import sys\n"
        "import airflow.sdk\n"
        "before = set(sys.modules)\n"
        "from ratchet.orchestration.factory import build_dags\n"
        "from ratchet.settings import Settings\n"
        "assert build_dags(Settings.load().use_cases)\n"
        "heavy = {'pandas', 'numpy', 'sklearn', 'duckdb', 'pyarrow', 'mlflow', 'dbt', 'scipy'}\n"
        "print(sorted(heavy & (set(sys.modules) - before)))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"
