import json

import pytest
from model_lake import FIRST

from ratchet.errors import ReleaseError
from ratchet.evaluation import load_evidence
from ratchet.explanations import EXPLANATIONS_FILE
from ratchet.registry import load_release
from ratchet.registry.release import package
from ratchet.training import HOLDOUT_FILE, candidate_folder


@pytest.fixture
def released(trained_lake):
    evidence = load_evidence(trained_lake.spec, FIRST, trained_lake.settings)
    folder = trained_lake.lake.releases / "1"
    sha256 = package(trained_lake.spec, FIRST, evidence, trained_lake.settings, folder)
    return trained_lake, evidence, sha256


def load(lake):
    return load_release(lake.spec, "1", lake.settings)


def test_package_again_gives_the_same_hash(released, tmp_path):
    lake, evidence, sha256 = released
    assert package(lake.spec, FIRST, evidence, lake.settings, tmp_path / "again") == sha256


def test_load_release_tells_what_it_is(released):
    lake, evidence, sha256 = released
    release = load(lake)
    assert (release.version, release.sha256) == ("1", sha256)
    assert release.manifest.snapshot_id == lake.snapshot_id(FIRST)
    best = evidence.candidates[evidence.best]
    assert release.expected_cost_per_unit == best.quality.cost_per_unit
    assert release.manifest.files["model.skops"] == best.model_sha256
    assert set(release.profile["features"]) == set(lake.spec.gold.features)


def test_load_release_answers_as_in_training(released):
    import pandas as pd

    lake, evidence, _ = released
    folder = candidate_folder(lake.spec, FIRST, evidence.best, lake.settings)
    expected = pd.read_parquet(folder / HOLDOUT_FILE).set_index(lake.spec.gold.key)["probability"]
    rows = lake.rows.set_index(lake.spec.gold.key).loc[expected.index]
    assert (load(lake).answers(rows) == expected.to_numpy()).all()


def test_release_says_why_it_answers(released):
    lake, _, _ = released
    release, rows = load(lake), lake.rows.tail(50)
    why = release.reasons(rows, 2)
    assert len(why) == 50
    strongest = [text.partition("=")[0] for text in why]
    assert set(strongest) <= {"origin_mean_delay_min", "wind_speed_mph", "origin"}
    leading = release.explanations.importance[0].features
    assert leading in {("origin_mean_delay_min",), ("wind_speed_mph",)}


def test_release_of_before_explanations_says_nothing(trained_lake):
    evidence = load_evidence(trained_lake.spec, FIRST, trained_lake.settings)
    source = candidate_folder(trained_lake.spec, FIRST, evidence.best, trained_lake.settings)
    (source / EXPLANATIONS_FILE).unlink()
    package(
        trained_lake.spec,
        FIRST,
        evidence,
        trained_lake.settings,
        trained_lake.lake.releases / "1",
    )
    release = load(trained_lake)
    assert release.explanations is None
    assert release.reasons(trained_lake.rows.tail(50), 2) is None


def test_load_release_unknown_version_raises(released):
    lake, _, _ = released
    with pytest.raises(ReleaseError, match="is no release"):
        load_release(lake.spec, "2", lake.settings)


@pytest.mark.parametrize(
    "name", ["model.skops", "candidate.json", "evidence.json", "profile.json", "spec.json"]
)
def test_load_release_changed_file_raises(released, name):
    lake, _, _ = released
    path = lake.lake.releases / "1" / name
    path.write_bytes(path.read_bytes() + b" ")
    with pytest.raises(ReleaseError, match=f"{name} was changed"):
        load(lake)


def test_load_release_missing_file_raises(released):
    lake, _, _ = released
    (lake.lake.releases / "1" / "profile.json").unlink()
    with pytest.raises(ReleaseError, match=r"profile.json is missing"):
        load(lake)


def test_release_file_changed_after_loading_is_not_used(released):
    lake, _, _ = released
    release = load(lake)
    path = release.folder / "model.skops"
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(ReleaseError, match="was changed"):
        release.answers(lake.rows)


def test_load_release_file_that_is_not_in_the_manifest_is_not_read(released):
    lake, _, _ = released
    path = lake.lake.releases / "1" / "release.json"
    manifest = json.loads(path.read_text())
    del manifest["files"]["model.skops"]
    path.write_text(json.dumps(manifest))
    with pytest.raises(ReleaseError, match=r"model.skops is missing"):
        load(lake).answers(lake.rows)
