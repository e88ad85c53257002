import hashlib
import json
import shutil

import numpy as np
import pandas as pd
import pytest
from model_lake import FIRST

from ratchet.errors import ReleaseError
from ratchet.evaluation import load_evidence
from ratchet.explanations import EXPLANATIONS_FILE
from ratchet.registry import load_release
from ratchet.registry.release import MANIFEST_FILE, package
from ratchet.training import HOLDOUT_FILE, candidate_folder


@pytest.fixture
def released(trained_lake):
    evidence = load_evidence(trained_lake.spec, FIRST, trained_lake.settings)
    folder = trained_lake.lake.releases / "1"
    manifest = package(trained_lake.spec, FIRST, evidence, trained_lake.settings, "by hand", folder)
    return trained_lake, evidence, manifest


def change(path, edit):
    """Change a file of a release, as one must want to: it is read-only."""
    path.chmod(0o644)
    path.write_bytes(edit(path.read_bytes()))


def load(lake):
    return load_release(lake.spec, "1", lake.settings)


def test_package_again_gives_the_same_manifest(released, tmp_path):
    lake, evidence, manifest = released
    again = tmp_path / "again"
    assert package(lake.spec, FIRST, evidence, lake.settings, "by hand", again) == manifest


def test_package_for_another_reason_is_the_same_release(released, tmp_path):
    lake, evidence, manifest = released
    other = package(lake.spec, FIRST, evidence, lake.settings, "drift", tmp_path / "again")
    assert other != manifest
    assert other.identity == manifest.identity


def test_package_with_other_costs_is_another_release(released, tmp_path):
    lake, evidence, manifest = released
    costs = lake.spec.costs.model_copy(update={"negative_acted_on": 11.0})
    spec = lake.spec.model_copy(update={"costs": costs})
    other = package(spec, FIRST, evidence, lake.settings, "by hand", tmp_path / "again")
    assert other.identity != manifest.identity


def test_package_says_how_the_release_came_about(released):
    manifest = released[2]
    assert manifest.reason == "by hand"
    assert manifest.commit is None or len(manifest.commit.removesuffix("-dirty")) == 40
    assert all(len(each) == 64 for each in (manifest.code_sha256, manifest.lock_sha256))
    assert manifest.platform


def test_package_takes_along_what_explains_the_candidate(released, tmp_path):
    lake, evidence, _ = released
    folder = candidate_folder(lake.spec, FIRST, evidence.best, lake.settings)
    (folder / "explanations").mkdir()
    (folder / "explanations" / "importance.json").write_text("{}")
    manifest = package(lake.spec, FIRST, evidence, lake.settings, "by hand", tmp_path / "again")
    assert manifest.files["explanations/importance.json"] == hashlib.sha256(b"{}").hexdigest()


def test_package_leaves_nothing_that_can_be_written(released):
    lake, _, manifest = released
    folder = lake.lake.releases / "1"
    files = [path for path in folder.rglob("*") if path.is_file()]
    assert {path.relative_to(folder).as_posix() for path in files} == {
        *manifest.files,
        MANIFEST_FILE,
    }
    assert not any(path.stat().st_mode & 0o222 for path in files)


def test_load_release_tells_what_it_is(released):
    lake, evidence, manifest = released
    release = load(lake)
    content = (lake.lake.releases / "1" / MANIFEST_FILE).read_bytes()
    assert (release.version, release.sha256) == ("1", hashlib.sha256(content).hexdigest())
    assert (release.manifest, release.spec) == (manifest, lake.spec)
    assert release.manifest.snapshot_id == lake.snapshot_id(FIRST)
    best = evidence.candidates[evidence.best]
    assert release.expected_cost_per_unit == best.quality.cost_per_unit
    assert release.manifest.files["model.skops"] == best.model_sha256
    assert set(release.profile.features) == set(lake.spec.gold.features)
    assert len(release.sample) == release.candidate.train_rows


def test_load_release_with_a_profile_of_before_says_what_to_do(released):
    lake, _, _ = released
    release = load(lake)
    old = b'{"rows": 3, "features": {}, "predictions": {}}'
    path = release.folder / "profile.json"
    path.chmod(0o644)
    path.write_bytes(old)
    files = {**release.manifest.files, "profile.json": hashlib.sha256(old).hexdigest()}
    manifest = release.manifest.model_copy(update={"files": files})
    with pytest.raises(ReleaseError, match=r"another version of Ratchet; train 2012-12-31"):
        _ = release.model_copy(update={"manifest": manifest}).profile


def test_load_release_decides_by_the_costs_that_it_was_released_with(released):
    lake, _, _ = released
    costs = lake.spec.costs.model_copy(update={"negative_acted_on": 39.0})
    today = lake.spec.model_copy(update={"costs": costs})
    release = load_release(today, "1", lake.settings)
    thresholds = release.problem.decide(np.array([0.3]), lake.rows.head(1))["threshold"]
    assert thresholds.tolist() == [0.25]  # 10 / 40, whatever today's spec says


def test_load_release_answers_as_in_training(released):
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
        "by hand",
        trained_lake.lake.releases / "1",
    )
    release = load(trained_lake)
    assert release.explanations is None
    assert release.reasons(trained_lake.rows.tail(50), 2) is None


def test_load_release_unknown_version_raises(released):
    lake, _, _ = released
    with pytest.raises(ReleaseError, match="is no release: versions are 1; name one of"):
        load_release(lake.spec, "2", lake.settings)


@pytest.mark.parametrize(
    "name", ["model.skops", "candidate.json", "evidence.json", "profile.json", "spec.json"]
)
def test_load_release_changed_file_raises(released, name):
    lake, _, _ = released
    change(lake.lake.releases / "1" / name, lambda content: content + b" ")
    with pytest.raises(ReleaseError, match=f"{name} was changed"):
        load(lake)


def test_load_release_missing_file_raises(released):
    lake, _, _ = released
    (lake.lake.releases / "1" / "profile.json").unlink()
    with pytest.raises(ReleaseError, match=r"profile.json is missing"):
        load(lake)


def test_load_release_where_a_folder_or_file_stands_in_the_way_raises(released):
    lake, _, _ = released
    model = lake.lake.releases / "1" / "model.skops"
    model.unlink()
    model.mkdir()
    with pytest.raises(ReleaseError, match=r"model.skops is missing"):
        load(lake)
    shutil.rmtree(lake.lake.releases / "1")
    (lake.lake.releases / "1").touch()
    with pytest.raises(ReleaseError, match="is no release"):
        load(lake)


def test_release_file_changed_after_loading_is_not_used(released):
    lake, _, _ = released
    release = load(lake)
    change(release.folder / "model.skops", lambda content: content[:-1])
    with pytest.raises(ReleaseError, match="was changed"):
        release.answers(lake.rows)


def test_load_release_file_that_is_not_in_the_manifest_is_not_read(released):
    lake, _, _ = released
    manifest = json.loads((lake.lake.releases / "1" / "release.json").read_text())
    del manifest["files"]["model.skops"]
    change(lake.lake.releases / "1" / "release.json", lambda _: json.dumps(manifest).encode())
    with pytest.raises(ReleaseError, match=r"model.skops is missing"):
        load(lake).answers(lake.rows)
