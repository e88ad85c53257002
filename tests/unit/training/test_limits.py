"""What takes more memory than the spec allows ends in an error that says so."""

import resource

import numpy as np
import psutil
import pytest
from model_lake import FIRST

from ratchet.errors import TrainingError
from ratchet.problems import Problem
from ratchet.spec.types import Resources
from ratchet.training import limits, train

MB = 1024**2


def held() -> int:
    return psutil.Process().memory_info().rss // MB


def test_limit_ends_what_takes_more_and_is_taken_off_again():
    before = resource.getrlimit(resource.RLIMIT_DATA)
    refused = r"flights: memory_mb, [\d,]+, is not enough; raise it, or learn from less"
    with (
        pytest.raises(TrainingError, match=refused),
        limits.memory_limited(held() + 100, "flights"),
    ):
        np.ones(400 * MB // 8)
    assert resource.getrlimit(resource.RLIMIT_DATA) == before
    assert len(np.ones(400 * MB // 8)) > 0


@pytest.mark.parametrize("told", ["can't start new thread", "Out of Memory Error: no space"])
def test_limit_names_itself_whoever_meets_it(told):
    def fail():
        try:
            raise RuntimeError(told)
        except RuntimeError as error:
            raise TrainingError("can't be fitted; mend its type") from error

    with (
        pytest.raises(TrainingError, match=r"memory_mb, .* is not enough"),
        limits.memory_limited(held() + 400, "flights"),
    ):
        fail()
    with pytest.raises(KeyError), limits.memory_limited(held() + 400, "flights"):
        raise KeyError("another")


def test_limit_lets_through_what_takes_less():
    with limits.memory_limited(held() + 400, "flights"):
        assert len(np.ones(100 * MB // 8)) > 0
    with limits.memory_limited(None, "flights"):
        assert len(np.ones(100 * MB // 8)) > 0


@pytest.mark.parametrize(("peak_mb", "is_refused"), [(900, False), (1100, True)])
def test_limit_where_no_system_holds_it_looks_at_the_peak(
    monkeypatch, tmp_path, peak_mb, is_refused
):
    monkeypatch.setattr(limits, "_STATUS", tmp_path / "none")
    monkeypatch.setattr(limits, "_peak_bytes", lambda: peak_mb * MB)
    if not is_refused:
        with limits.memory_limited(1000, "flights"):
            return
    with pytest.raises(TrainingError, match="is not enough"), limits.memory_limited(1000, "it"):
        pass


def with_resources(spec, **fields):
    training = spec.training.model_copy(update={"resources": Resources(**fields)})
    return spec.model_copy(update={"training": training})


def test_train_keeps_to_the_memory_of_the_spec(model_lake):
    spec = with_resources(model_lake.spec, memory_mb=10)
    with pytest.raises(TrainingError, match=r"training.resources: memory_mb, 10, is not enough"):
        train(spec, FIRST, model_lake.snapshot_id(FIRST), "logistic", model_lake.settings)
    assert not (model_lake.lake.work(FIRST) / "candidates").exists()


def test_fit_keeps_to_the_cores_of_the_spec(spec, monkeypatch):
    from model_lake import flights
    from threadpoolctl import threadpool_info

    from ratchet.problems import problem_of

    seen = []

    class Watching:
        def fit(self, rows, target):
            seen.append({each["num_threads"] for each in threadpool_info()})
            return self

    monkeypatch.setattr(Problem, "estimator", lambda *_: Watching())
    rows = flights(spec, FIRST).head(50)
    for cores in (1, 2):
        problem_of(with_resources(spec, cores=cores)).fit("logistic", rows)
    assert seen[0] == {1}
    assert max(seen[1]) <= 2
