"""What the factory makes of a spec, level by level, and of specs that are wrong."""

import json
import re
from pathlib import Path

import pytest

from ratchet.settings import PROJECT
from ratchet.spec import load_spec

FLIGHTS = PROJECT / "include" / "use_cases" / "flights.yaml"
DAGS_OF_A_USE_CASE = {"refine_data", "score_window", "monitor_champion", "train_candidate"}
MONTHLY = {"check_as_of", "drill_rollback"}


def at_level(level: int, folder: Path) -> Path:
    """Copy the flagship's spec with one line edited: its level."""
    path = folder / "flights.yaml"
    path.write_text(re.sub(r"(?m)^level: \d", f"level: {level}", FLIGHTS.read_text()))
    return path


@pytest.fixture(params=[0, 1, 2])
def level(request: pytest.FixtureRequest) -> int:
    return int(request.param)


@pytest.fixture
def dags(level: int, tmp_path: Path) -> dict:
    from ratchet.orchestration.factory import dags_of

    made = dags_of(load_spec(at_level(level, tmp_path)))
    return {dag.dag_id.removeprefix("flights__"): dag for dag in made}


def test_dags_of_any_level_are_the_same_four_but_for_obligations(dags, level):
    assert set(dags) == DAGS_OF_A_USE_CASE | (MONTHLY if level == 2 else set())


def test_dags_of_any_level_follow_the_house_rules(dags, level):
    for dag in dags.values():
        where = f"{dag.dag_id}: "
        assert {"flights", f"level-{level}"} <= set(dag.tags), (
            where + "needs its use case and level"
        )
        for heading in ("Purpose", "Reads", "Writes", "Runs when", "Safe to re-run", "If it fails"):
            assert f"**{heading}" in dag.doc_md, where + f"its docstring lacks {heading}"
        assert dag.max_active_runs == 1, where + "windows must not overtake each other"
        for task in dag.tasks:
            assert task.owner == "Ratchet maintainers", where + f"{task.task_id} has no owner"
            assert task.retries == 2, where + f"{task.task_id} must survive a killed process"


def test_dags_tasks_are_the_same_at_every_level_but_for_obligations(dags, level):
    found = {name: set(dag.task_ids) for name, dag in dags.items()}
    assert ("approve_candidate" in found["train_candidate"]) == (level == 0)
    for dag, obligation in (
        ("monitor_champion", "request_retraining"),
        ("monitor_champion", "roll_back_champion"),
        ("train_candidate", "take_up_request"),
    ):
        assert (obligation in found[dag]) == (level == 2)
        found[dag].discard(obligation)
    common = {
        name: ids - {"approve_candidate"}
        for name, ids in found.items()
        if name in DAGS_OF_A_USE_CASE
    }
    assert common == {
        "refine_data": {
            "land_feeds",
            "check_feeds",
            "build_bronze",
            "build_silver",
            "build_gold",
            "check_segments",
            "publish_gold",
            "notify_of_blocks",
        },
        "score_window": {"score_window"},
        "monitor_champion": {"observe_window", "notify_owners"},
        "train_candidate": {
            "take_snapshot",
            "check_snapshot",
            "train_candidate",
            "evaluate_candidates",
            "judge_candidate",
            "promote_champion",
        },
    }


def test_snapshots_are_checked_before_anything_is_trained_on_them(dags):
    training = dags["train_candidate"]
    checked = training.get_task("check_snapshot")
    assert checked.task_type == "_ShortCircuitDecoratedOperator"
    assert checked.upstream_task_ids == {"take_snapshot"}
    others = set(training.task_ids) - {"take_up_request", "take_snapshot", "check_snapshot"}
    assert checked.get_flat_relative_ids(upstream=False) == others


def test_champion_is_watched_before_a_retraining_is_decided_on(dags, level):
    if level < 2:
        return
    monitor = dags["monitor_champion"]
    request = monitor.get_task("request_retraining")
    assert monitor.get_task("roll_back_champion").upstream_task_ids == {"observe_window"}
    assert request.upstream_task_ids == {"roll_back_champion"}
    assert request.trigger_rule == "none_failed"  # mostly there is nobody to roll back
    assert dags["train_candidate"].get_task("take_snapshot").upstream_task_ids == {
        "take_up_request"
    }


def test_schedules_of_a_level_start_what_the_level_automates(dags, level):
    from airflow.sdk import CronDataIntervalTimetable, PartitionedAssetTimetable

    def starts(name):
        timetable = dags[name].timetable
        if isinstance(timetable, PartitionedAssetTimetable):
            return timetable.asset_condition.name
        return "cron" if isinstance(timetable, CronDataIntervalTimetable) else None

    assert level < 2 or {starts(name) for name in MONTHLY} == {"cron"}
    assert {name: starts(name) for name in DAGS_OF_A_USE_CASE} == {
        "refine_data": (None, "cron", "cron")[level],
        "score_window": (None, "flights/gold/feat_flights", "flights/gold/feat_flights")[level],
        "monitor_champion": (None, *("flights/gold/fct_predictions",) * 2)[level],
        "train_candidate": (None, "flights/gold/feat_flights", "flights/requests/retraining")[
            level
        ],
    }


def test_assets_of_all_dags_have_one_producer_each(dags):
    outlets = [
        asset.uri
        for dag in dags.values()
        for task in dag.tasks
        for asset in (task.outlets if task.task_type != "_PythonMapped" else [])
    ]
    assert outlets
    assert len(outlets) == len(set(outlets))


def test_feeds_are_checked_beside_the_builds_and_before_anything_is_published(dags):
    refine = dags["refine_data"]
    assert refine.get_task("check_feeds").upstream_task_ids == {"land_feeds"}
    assert refine.get_task("publish_gold").upstream_task_ids == {"check_feeds", "check_segments"}


def test_owners_are_told_of_what_blocks_a_window_as_of_what_is_watched(dags):
    blocked = dags["refine_data"].get_task("notify_of_blocks")
    assert blocked.upstream_task_ids == {"publish_gold"}
    assert blocked.trigger_rule == "none_failed"  # a skipped publish_gold is a blocked one
    watched = dags["monitor_champion"].get_task("notify_owners")
    assert watched.upstream_task_ids == {"observe_window"}
    assert watched.trigger_rule == "none_failed"


def test_builds_share_a_pool_so_that_a_warehouse_has_one_writer(dags):
    pools = {task.task_id: task.pool for task in dags["refine_data"].tasks}
    writers = {"build_bronze", "build_silver", "build_gold", "check_segments", "publish_gold"}
    assert {pools[task_id] for task_id in writers} == {"flights_warehouse"}


def with_training(**fields):
    spec = load_spec(PROJECT / "include" / "use_cases" / "flights.yaml")
    training = spec.training.model_copy(update=fields)
    return spec.model_copy(update={"training": training})


@pytest.mark.parametrize("refits", [False, True])
def test_fits_wait_in_the_pool_of_the_spec_for_their_cores(refits):
    from ratchet.orchestration.factory import dags_of
    from ratchet.orchestration.pools import pools_file, pools_of
    from ratchet.spec.types import Refit, Resources

    resources = Resources(cores=64, pool="training")
    spec = with_training(
        resources=resources, refit=Refit(max_change_per_unit=1) if refits else None
    )
    (training,) = (dag for dag in dags_of(spec) if dag.dag_id == "flights__train_candidate")
    placed = {
        task.task_id: (task.pool, task.pool_slots)
        if task.task_type != "_PythonMapped"
        else (task.partial_kwargs["pool"], task.partial_kwargs["pool_slots"])
        for task in training.tasks
    }
    fitting = {"train_candidate", "promote_champion"} if refits else {"train_candidate"}
    assert {name for name, place in placed.items() if place == ("training", 64)} == fitting
    assert pools_of(spec)["training"] >= 64, "a task larger than its pool would never run"
    described = json.loads(pools_file([spec, with_training()]))
    assert described["training"]["slots"] == pools_of(spec)["training"]
    assert described["flights_warehouse"]["slots"] == 1
    assert set(pools_of(with_training())) == {"flights_warehouse"}


def test_build_dags_one_wrong_spec_leaves_the_others_alone(tmp_path):
    from ratchet.orchestration.factory import build_dags

    at_level(2, tmp_path)
    (tmp_path / "broken.yaml").write_text("name: broken\nlevle: 2\n")
    assert len(build_dags(tmp_path)) == len(DAGS_OF_A_USE_CASE | MONTHLY)
