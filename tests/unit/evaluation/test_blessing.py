"""A packaged model is served in a process of its own, and whatever happens there is an answer."""

import json
import shutil
from contextlib import suppress
from types import SimpleNamespace

import numpy as np
import psutil
import pytest
from examined import BLESSED
from honest_model import honest
from model_lake import FIRST, small

from ratchet.evaluation import blessing as module
from ratchet.evaluation.bless import BLESSING_FILE, probe
from ratchet.evaluation.blessing import bless_in_clean_process
from ratchet.settings import Settings
from ratchet.training import CANDIDATE_FILE, MODEL_FILE, Candidate, candidate_folder, split
from ratchet.warehouse import load_snapshot


@pytest.fixture(scope="module")
def packaged(spec, trained_home, tmp_path_factory):
    """Return a candidate's folder, and the rows that it answered."""
    home = tmp_path_factory.mktemp("packaged")
    shutil.copytree(trained_home, home, dirs_exist_ok=True)
    declared = small(spec)
    settings = Settings(home, home)
    folder = candidate_folder(declared, FIRST, "logistic", settings)
    candidate = Candidate.model_validate_json((folder / CANDIDATE_FILE).read_bytes())
    snapshot = load_snapshot(declared, candidate.snapshot_id, settings)
    return SimpleNamespace(
        spec=declared, folder=folder, rows=split(snapshot, declared, FIRST).holdout
    )


@pytest.fixture
def bless(packaged, tmp_path):
    """Return a function that blesses a copy of the candidate, after changes."""
    folder = tmp_path / "candidate"
    shutil.copytree(packaged.folder, folder)

    def run(max_seconds=60.0, **record):
        if record:
            path = folder / CANDIDATE_FILE
            path.write_text(json.dumps(json.loads(path.read_text()) | record))
        serving = packaged.spec.evaluation.serving.model_copy(update={"max_seconds": max_seconds})
        evaluation = packaged.spec.evaluation.model_copy(update={"serving": serving})
        spec = packaged.spec.model_copy(update={"evaluation": evaluation})
        candidate = Candidate.model_validate_json((folder / CANDIDATE_FILE).read_bytes())
        return bless_in_clean_process(spec, candidate, folder, packaged.rows, tmp_path / "kept")

    run.folder = folder
    run.kept = tmp_path / "kept"
    return run


def test_blessing_honest_model_passes_everything_and_is_measured_once(bless, monkeypatch):
    found = bless()
    assert found.failure is None
    assert (found.max_difference, found.is_repeatable, found.ignores_unknown) == (0.0, True, True)
    assert found.refuses.answered == ()
    assert found.other_versions == {}
    assert found.model_bytes == (bless.folder / MODEL_FILE).stat().st_size
    assert 0 < found.row_p50_ms <= found.row_p95_ms
    assert 0 < found.batch_p50_ms <= found.batch_p95_ms
    assert 50 < found.peak_memory_mb < 2000
    monkeypatch.setattr(module, "_run", lambda *_: pytest.fail("it was measured again"))
    assert bless() == found


def test_blessing_other_versions_than_it_was_made_with_are_named(bless):
    versions = json.loads((bless.folder / CANDIDATE_FILE).read_text())["versions"]
    found = bless(versions=versions | {"numpy": "1.0", "no-such-library": "2"})
    assert set(found.other_versions) == {"numpy", "no-such-library"}
    assert found.other_versions["no-such-library"] == "none"


def test_blessing_is_measured_again_where_something_else_is_installed(bless, monkeypatch):
    measured = []

    def tells(folder, _):
        (folder / BLESSING_FILE).write_text(BLESSED.model_dump_json())
        measured.append(folder)

    monkeypatch.setattr(module, "_run", tells)
    for installed in ({"numpy": "1.0"}, {"numpy": "1.0"}, {}):
        monkeypatch.setattr(module, "other_versions", lambda _, installed=installed: installed)
        assert bless() == BLESSED
    assert len(measured) == 2


def test_blessing_model_that_is_none_fails(bless):
    (bless.folder / MODEL_FILE).write_bytes(b"half a mod")
    found = bless()
    assert "ended with status 1" in found.failure
    assert "the model can't be read" in found.failure
    assert not list(bless.kept.glob("*.json"))


def test_blessing_process_that_takes_too_long_fails(bless):
    assert bless(max_seconds=0.05).failure == "it was not done after 0.05 s"


def test_blessing_process_that_takes_too_long_ends_with_all_that_it_started(
    bless, monkeypatch, tmp_path
):
    told = tmp_path / "pid"
    forks = (
        "import os, time\n"
        f"if not os.fork(): open({str(told)!r}, 'w').write(str(os.getpid()))\n"
        "time.sleep(60)"
    )
    monkeypatch.setattr(module, "COMMAND", ("-c", forks))
    assert bless(max_seconds=2).failure == "it was not done after 2 s"
    with suppress(psutil.NoSuchProcess):
        psutil.Process(int(told.read_text())).wait(10)  # raises if it goes on


def test_blessing_process_that_tells_much_is_quoted_with_its_last_words(bless, monkeypatch):
    tells = "import sys; print('é' * 1000 + 'its last words'); sys.exit(3)"
    monkeypatch.setattr(module, "COMMAND", ("-c", tells))
    failure = bless().failure
    assert failure.startswith("it ended with status 3: é")
    assert failure.endswith("its last words")
    assert len(failure) < 350


@pytest.mark.parametrize(
    ("code", "told"),
    [
        ("import os; os.abort()", "it ended with signal 6"),
        ("raise SystemExit(3)", "it ended with status 3"),
        ("pass", "it told nothing that can be read"),
        ("open(sys.argv[1] + '/{file}', 'w').write('all is well')", "it told nothing that can be"),
        ("open(sys.argv[1] + '/{file}', 'w').write('{{}}')", "it told nothing that can be read"),
    ],
)
def test_blessing_process_that_ends_badly_or_tells_nonsense_fails(bless, monkeypatch, code, told):
    script = "import sys; " + code.format(file=BLESSING_FILE)
    monkeypatch.setattr(module, "COMMAND", ("-c", script))
    found = bless()
    assert found.failure.startswith(told)
    assert found.max_difference is None


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        (honest, True),
        (lambda frame: honest(frame) + 1e-8 / len(frame), True),
        (
            lambda frame: honest(frame) / honest(frame).max(),
            False,
        ),  # scaled by those who ask beside it
        (lambda frame: np.where(np.arange(len(frame)) < 30, honest(frame), 0.5), False),
        (lambda frame: honest(frame) * (1 - 1e-4 * (len(frame) == 1)), False),
    ],
)
def test_blessing_answer_that_depends_on_other_rows_is_not_repeatable(stage, rule, expected):
    def checked(frame):
        return np.clip(rule(frame), 0, 1)

    stored = checked(stage.rows)
    found = probe(stage.problem, stage.model(checked), stage.rows, stage.features, stored)
    assert found["max_difference"] == 0
    assert found["is_repeatable"] is expected
