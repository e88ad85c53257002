import shutil

import mlflow
import numpy as np
import pytest
from mlflow.tracking import MlflowClient
from model_lake import FIRST

from ratchet.errors import EvidenceError
from ratchet.registry import load_release, register
from ratchet.registry.tracking import Tracking


def run(lake, reason="by hand"):
    return register(lake.spec, FIRST, lake.settings, reason)


def contents(lake):
    """Return what the registry holds, without ids and times."""
    tracking = Tracking.of(lake.spec, lake.settings)
    client = tracking.client
    versions = client.search_model_versions(f"name = '{lake.spec.name}'")
    runs = client.search_runs([tracking.experiment_id])
    aliases = client.get_registered_model(lake.spec.name).aliases
    aliases = {alias: str(version) for alias, version in aliases.items()}
    return (
        {str(v.version): v.tags for v in versions},
        aliases,
        sorted(
            (r.data.tags["name"], r.info.status, sorted(r.data.metrics), r.data.params)
            for r in runs
        ),
        sorted(path.name for path in (lake.lake.releases / "1").iterdir()),
    )


def test_register_makes_a_challenger_with_its_runs(trained_lake):
    assert run(trained_lake, reason="new labels") == "1"
    versions, aliases, runs, files = contents(trained_lake)
    assert aliases == {"challenger": "1"}
    release = load_release(trained_lake.spec, "1", trained_lake.settings)
    assert versions["1"] == {
        "window": FIRST.key,
        "snapshot": trained_lake.snapshot_id(FIRST),
        "identity": release.manifest.identity,
        "candidate": release.manifest.candidate,
    }
    assert [name for name, *_ in runs] == [
        "boosting",
        "constant",
        "logistic",
        "persistence",
        "rule",
    ]
    assert all("roc_auc" in metrics for _, _, metrics, _ in runs)
    assert files == [
        "candidate.json",
        "evidence.json",
        "expectations.json",
        "explanations.json",
        "holdout.parquet",
        "model.skops",
        "profile.json",
        "release.json",
        "sample.parquet",
        "spec.json",
        "timing.json",
    ]
    assert release.manifest.reason == "new labels"


def test_register_again_changes_nothing(trained_lake):
    run(trained_lake)
    before = contents(trained_lake)
    assert run(trained_lake) == "1"
    assert contents(trained_lake) == before


def test_register_again_for_another_reason_finds_the_same_version(trained_lake):
    run(trained_lake)
    before = contents(trained_lake)
    assert run(trained_lake, reason="drift") == "1"
    assert contents(trained_lake) == before


class KilledError(BaseException):
    """Stands for the end of the process."""


@pytest.mark.parametrize(
    "step",
    [
        (MlflowClient, "create_registered_model"),
        (MlflowClient, "create_run"),
        (MlflowClient, "log_batch"),
        (MlflowClient, "log_artifacts"),
        (Tracking, "create_version"),
        (shutil, "copytree"),
        (Tracking, "set_alias"),
    ],
    ids=lambda step: step[1],
)
def test_register_killed_at_any_step_ends_as_if_undisturbed(trained_lake, monkeypatch, step):
    def die(*args, **kwargs):
        raise KilledError

    with monkeypatch.context() as patch:
        patch.setattr(*step, die)
        with pytest.raises(KilledError):
            run(trained_lake)
    assert run(trained_lake) == "1"
    disturbed = contents(trained_lake)
    assert run(trained_lake) == "1"
    assert contents(trained_lake) == disturbed
    versions, aliases, runs, _ = disturbed
    assert (len(versions), aliases, len(runs)) == (1, {"challenger": "1"}, 5)
    assert {status for _, status, *_ in runs} == {"FINISHED"}


def test_register_model_is_one_that_mlflow_can_load(trained_lake):
    run(trained_lake)
    tracking = Tracking.of(trained_lake.spec, trained_lake.settings)
    version = tracking.client.get_model_version(trained_lake.spec.name, "1")
    model = mlflow.sklearn.load_model(version.source)
    release = load_release(trained_lake.spec, "1", trained_lake.settings)
    rows = trained_lake.rows.head(200)
    answers = model.predict_proba(rows[list(release.candidate.features)])[:, 1]
    assert np.abs(answers - release.answers(rows)).max() < 1e-12


def test_register_without_evidence_raises(model_lake):
    with pytest.raises(EvidenceError, match="evaluate the window again"):
        run(model_lake)
