"""A sample that people label by hand: drawn, exported, filled in, read back."""

import csv
from datetime import timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from fake_lake import WEEKS, FakeLake

from ratchet.errors import EvidenceError
from ratchet.monitoring import export_labels, import_labels
from ratchet.spec.types import Feature

FIRST, SECOND, _ = WEEKS
ROWS = 3000


@pytest.fixture
def labelled(fake_lake: FakeLake) -> FakeLake:
    """A lake with a scored week, of which nothing is known yet."""
    lake = fake_lake
    features = {
        "origin": Feature(kind="categorical", known_at="known_at"),
        "hour": Feature(kind="numeric", known_at="known_at"),
    }
    gold = lake.spec.gold.model_copy(update={"features": features})
    lake.spec = lake.spec.model_copy(update={"gold": gold})
    rng = np.random.default_rng(1)
    lake.score(FIRST, {"champion": rng.beta(1, 3, ROWS).tolist(), "rule": [0.2] * ROWS}, "1")
    lake.features[FIRST.key] = pd.DataFrame(
        {
            gold.key: [lake.key(FIRST, number) for number in range(ROWS)],
            gold.decided_at: [
                FIRST.start.replace(tzinfo=None) + timedelta(minutes=number)
                for number in range(ROWS)
            ],
            "origin": rng.choice(["EWR", "JFK", "LGA"], ROWS),
            "hour": np.where(rng.random(ROWS) < 0.1, np.nan, rng.integers(6, 22, ROWS)),
        }
    )
    return lake


def read(path: Path) -> list[list[str]]:
    with path.open(newline="") as file:
        return list(csv.reader(file))


def write(path: Path, rows: list[list[str]]) -> None:
    with path.open("w", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows(rows)


def fill(lake: FakeLake, path: Path, share: float | None = None) -> None:
    """Label all rows, as if each flight had been disrupted as often as it was said to be."""
    predicted = pd.read_parquet(lake.lake.predictions / f"{FIRST.key}.parquet")
    said = predicted[predicted["is_decision"]].set_index("flight_id")["probability"]
    header, *rows = read(path)
    rng = np.random.default_rng(2)
    filled = [
        [*row[:-1], "yes" if rng.random() < (said[row[1]] if share is None else share) else "No"]
        for row in rows
    ]
    write(path, [header, *filled])


def test_export_is_the_same_each_time_and_shows_no_answer(labelled: FakeLake, tmp_path: Path):
    first, second = tmp_path / "a.csv", tmp_path / "b.csv"
    assert export_labels(labelled.spec, None, first, labelled.settings) == (FIRST, 200)
    sample = labelled.lake.labels / FIRST.key / "sample.parquet"
    drawn = sample.read_bytes()
    sample.unlink()
    export_labels(labelled.spec, FIRST, second, labelled.settings)
    assert (first.read_bytes(), drawn) == (second.read_bytes(), sample.read_bytes())
    header, *rows = read(first)
    assert header == ["_window", "flight_id", "decision_at", "origin", "hour", "_label"]
    assert all(row[-1] == "" for row in rows)


def test_export_draws_most_where_labels_tell_most(labelled: FakeLake, tmp_path: Path):
    export_labels(labelled.spec, FIRST, tmp_path / "a.csv", labelled.settings)
    sample = pd.read_parquet(labelled.lake.labels / FIRST.key / "sample.parquet")
    assert sample["_stratum"].nunique() == 15  # five bands of the answer at three airports
    assert (1 / sample["_inclusion"]).sum() == pytest.approx(ROWS)
    bands = sample.groupby(sample["_stratum"].str[:8])["_inclusion"].mean()
    assert bands["answer 0"] < bands["answer 2"]


def test_import_compares_with_the_truth_that_the_answers_told(labelled: FakeLake, tmp_path: Path):
    path = tmp_path / "a.csv"
    export_labels(labelled.spec, FIRST, path, labelled.settings)
    fill(labelled, path)
    (found,) = import_labels(labelled.spec, path, labelled.settings, "ann")
    assert (found.new, found.labelled, found.asked) == (200, 200, 200)
    predicted = pd.read_parquet(labelled.lake.predictions / f"{FIRST.key}.parquet")
    decided = predicted[predicted["is_decision"]]
    expected = (
        decided["probability"] * decided["cost_if_positive"]
        + (1 - decided["probability"]) * decided["cost_if_negative"]
    ).mean()
    assert found.sampled.low < expected < found.sampled.high
    kept = sorted((labelled.lake.labels / FIRST.key).glob("*.json"))
    assert [path.name for path in kept] == ["0001.json"]
    assert '"author": "ann"' in kept[0].read_text()
    (again,) = import_labels(labelled.spec, path, labelled.settings, "bob")
    assert (again.new, again.sampled) == (0, found.sampled)
    assert sorted((labelled.lake.labels / FIRST.key).glob("*.json")) == kept


def test_import_changed_concept_lies_outside(labelled: FakeLake, tmp_path: Path):
    path = tmp_path / "a.csv"
    export_labels(labelled.spec, FIRST, path, labelled.settings)
    fill(labelled, path, share=0.9)
    (found,) = import_labels(labelled.spec, path, labelled.settings, "ann")
    assert found.sampled.low > 50


def test_import_in_parts_goes_on_where_it_was(labelled: FakeLake, tmp_path: Path):
    path = tmp_path / "a.csv"
    export_labels(labelled.spec, FIRST, path, labelled.settings)
    fill(labelled, path)
    header, *rows = read(path)
    write(path, [header, *rows[:3]])
    with pytest.raises(EvidenceError, match="label some"):
        import_labels(labelled.spec, path, labelled.settings, "ann")
    export_labels(labelled.spec, FIRST, path, labelled.settings)
    done = [row[-1] for row in read(path)[1:]]
    assert set(done[:3]) <= {"true", "false"}
    assert set(done[3:]) == {""}


@pytest.mark.parametrize(
    "change, message",
    [
        (lambda row: [*row[:-1], "perhaps"], "line 3: 'perhaps' is no label; write true or false"),
        (lambda row: [*row[:3], "XYZ", *row[4:]], "line 3: origin was edited; change _label only"),
        (lambda row: [row[0], "nobody", *row[2:]], "line 3: 'nobody' is not in the sample of"),
        (lambda row: ["now", *row[1:]], "line 3: 'now' is not a window key"),
        (lambda row: [SECOND.key, *row[1:]], "line 3: no sample of .* was exported here"),
        (lambda row: row[:-1], "line 3 has not as many fields as the header"),
    ],
)
def test_import_wrong_row_names_file_line_and_remedy(
    labelled: FakeLake, tmp_path: Path, change, message: str
):
    path = tmp_path / "a.csv"
    export_labels(labelled.spec, FIRST, path, labelled.settings)
    fill(labelled, path)
    rows = read(path)
    rows[2] = change(rows[2])
    write(path, rows)
    with pytest.raises(EvidenceError, match=f"a.csv {message}"):
        import_labels(labelled.spec, path, labelled.settings, "ann")
    assert not list((labelled.lake.labels / FIRST.key).glob("*.json"))


def test_import_row_that_is_there_twice_is_named(labelled: FakeLake, tmp_path: Path):
    path = tmp_path / "a.csv"
    export_labels(labelled.spec, FIRST, path, labelled.settings)
    rows = read(path)
    write(path, [*rows, rows[1]])
    with pytest.raises(EvidenceError, match="is there twice; remove one"):
        import_labels(labelled.spec, path, labelled.settings, "ann")


def test_export_of_a_drawn_sample_keeps_its_size(labelled: FakeLake, tmp_path: Path):
    export_labels(labelled.spec, FIRST, tmp_path / "a.csv", labelled.settings, rows=100)
    with pytest.raises(EvidenceError, match="a sample is drawn once"):
        export_labels(labelled.spec, FIRST, tmp_path / "b.csv", labelled.settings, rows=300)


def test_export_of_a_window_that_is_not_scored_raises(labelled: FakeLake, tmp_path: Path):
    with pytest.raises(EvidenceError, match="score it first"):
        export_labels(labelled.spec, SECOND, tmp_path / "a.csv", labelled.settings)
