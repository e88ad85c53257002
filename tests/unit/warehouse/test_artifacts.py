"""What a build leaves of itself: once for each way in which it ended."""

from types import SimpleNamespace

import duckdb
import pyarrow.parquet as pq
import pytest
from dbt.artifacts.schemas.results import RunStatus, TestStatus
from dbt.node_types import NodeType
from three_weeks import LATER

from ratchet.settings import Settings
from ratchet.warehouse.artifacts import leave_artifacts

LAST = LATER[-1]
SUBJECT = {"landing": "l", "code": "c"}


def result(name, kind, status, failures=None, seconds=0.1, sql="select 1"):
    node = SimpleNamespace(
        name=name,
        resource_type=kind,
        compiled_code=sql,
        raw_code=sql,
        attached_node="model.ratchet.fct_outcomes" if kind == NodeType.Test else None,
    )
    return SimpleNamespace(
        node=node, status=status, failures=failures, execution_time=seconds, message=None
    )


@pytest.fixture
def settings(tmp_path, flights_spec):
    warehouse = Settings(tmp_path, tmp_path).lake("flights").warehouse
    warehouse.parent.mkdir(parents=True)
    duckdb.connect(warehouse).close()
    return Settings(tmp_path, tmp_path)


@pytest.fixture
def leave(settings, flights_spec):
    """Leave the artifacts of a build; return the rows of both tables, of all builds."""

    def leave(*results, **changes):
        known = {"subject": SUBJECT, "days": 7.0, "run_id": "run"} | changes
        leave_artifacts(flights_spec, LAST, "gold", settings, list(results), **known)
        folder = settings.lake("flights").monitoring
        return [
            [row for path in folder.glob(f"{name}/*") for row in pq.read_table(path).to_pylist()]
            for name in ("results", "failed_rows")
        ]

    return leave


MODEL = result("fct_outcomes", NodeType.Model, RunStatus.Success)
PASSED = result("keys", NodeType.Test, TestStatus.Pass, 0)
FAILED = result(
    "keys",
    NodeType.Test,
    TestStatus.Fail,
    250,
    sql="select 250 - range as number, null as other from range(250)",
)


def test_artifacts_name_model_test_and_how_they_ended(leave):
    rows, failed = leave(MODEL, PASSED)
    assert failed == []
    assert [(r["name"], r["kind"], r["model"], r["status"], r["failures"]) for r in rows] == [
        ("fct_outcomes", "model", "fct_outcomes", "success", None),
        ("keys", "test", "fct_outcomes", "pass", 0),
    ]
    assert {(r["window"], r["layer"], r["landing_sha256"], r["days"]) for r in rows} == {
        (LAST.key, "gold", "l", 7.0)
    }


def test_artifacts_of_the_same_build_replace_those_before(leave):
    leave(MODEL, PASSED)
    slower = result("fct_outcomes", NodeType.Model, RunStatus.Success, seconds=9.0)
    rows, _ = leave(PASSED, slower, run_id="again")
    assert len(rows) == 2
    assert {row["run_id"] for row in rows} == {"again"}
    assert max(row["seconds"] for row in rows) == 9.0


@pytest.mark.parametrize(
    "results, changes",
    [
        ((MODEL, FAILED), {}),
        ((MODEL, PASSED), {"subject": SUBJECT | {"landing": "other"}}),
        ((MODEL, PASSED), {"subject": SUBJECT | {"code": "other"}}),
    ],
)
def test_artifacts_of_another_end_data_or_code_stand_beside(leave, results, changes):
    leave(MODEL, PASSED)
    rows, _ = leave(*results, **changes)
    assert len(rows) == 4
    assert len({row["build"] for row in rows}) == 2


def test_artifacts_hold_the_first_hundred_failed_rows_as_json(leave):
    _, failed = leave(FAILED)
    assert len(failed) == 100
    assert failed[0]["content"] == '{"number":1,"other":null}'
    assert [row["row_number"] for row in failed] == list(range(1, 101))
