import pytest
from model_lake import FIRST

from ratchet.cli import main
from ratchet.errors import ReleaseError, SnapshotError
from ratchet.problems import Problem
from ratchet.registry import load_release, register, reproduce
from ratchet.training import fitting


@pytest.fixture
def lake(trained_lake):
    assert register(trained_lake.spec, FIRST, trained_lake.settings, "by hand") == "1"
    return trained_lake


def again(lake):
    return reproduce(lake.spec, "1", lake.settings)


def state(lake):
    files = (path for path in lake.settings.home.rglob("*") if path.is_file())
    return {path: path.stat().st_mtime_ns for path in files}


def test_reproduce_gives_the_same_bits_and_touches_nothing(lake, monkeypatch):
    before = state(lake)
    costs = lake.spec.costs.model_copy(update={"negative_acted_on": 11.0})
    lake.spec = lake.spec.model_copy(update={"costs": costs})  # the release carries its own
    found = again(lake)
    assert (found.is_same, found.rows_that_differ, found.causes) == (True, 0, ())
    holdout = load_release(lake.spec, "1", lake.settings).candidate.holdout_rows
    assert found.rows == holdout > 0
    assert state(lake) == before


def test_reproduce_with_another_library_says_so(lake, monkeypatch):
    versions = fitting.version
    monkeypatch.setattr(
        fitting, "version", lambda name: "0.1" if name == "scikit-learn" else versions(name)
    )
    monkeypatch.setattr("ratchet.registry.reproduction.code_sha256", lambda: "other")
    found = again(lake)
    assert found.is_same
    was = load_release(lake.spec, "1", lake.settings).candidate.versions["scikit-learn"]
    assert found.causes[0] == f"scikit-learn was {was}, and is 0.1"
    assert found.causes[1].startswith("Ratchet's own code is not what it was")


def test_reproduce_that_learns_something_else_tells_how_much_differs(lake, monkeypatch, capsys):
    estimator = Problem.estimator

    def stronger(problem, name):
        model = estimator(problem, name)
        last = model.steps[-1][1] if hasattr(model, "steps") else model
        last.set_params(**({"C": 0.2} if hasattr(last, "C") else {"learning_rate": 0.2}))
        return model

    monkeypatch.setattr(Problem, "estimator", stronger)
    found = again(lake)
    assert not found.is_same
    assert found.rows_that_differ > 0
    assert "model.skops" in found.files_that_differ
    monkeypatch.setattr("ratchet.cli._spec", lambda _: lake.spec)
    monkeypatch.setattr("ratchet.cli._settings", lambda _: lake.settings)
    assert main(["reproduce", "flights", "1"]) == 1
    assert "model.skops" in capsys.readouterr().out


def test_reproduce_from_a_snapshot_that_was_changed_raises(lake):
    import pandas as pd

    path = lake.lake.snapshots / f"{lake.snapshot_id(FIRST)}.parquet"
    rows = pd.read_parquet(path)
    rows.loc[0, "wind_speed_mph"] += 1e-9
    rows.to_parquet(path, index=False)
    with pytest.raises(SnapshotError, match="was changed"):
        again(lake)


def test_reproduce_with_a_spec_that_was_changed_raises(lake):
    path = lake.lake.releases / "1" / "spec.json"
    path.chmod(0o644)
    path.write_text(path.read_text().replace('"seed": 2013', '"seed": 2014'))
    with pytest.raises(ReleaseError, match=r"spec\.json was changed"):
        again(lake)
