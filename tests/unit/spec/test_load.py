"""Right specs load; wrong ones are refused with file, line, field and remedy."""

import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from ratchet.errors import SpecError
from ratchet.settings import PROJECT
from ratchet.spec import lint, lint_paths, load_spec, load_specs

FLIGHTS = PROJECT / "include" / "use_cases" / "flights.yaml"
PROBLEM = re.compile(r"flights\.yaml:\d+: ([\w.]+: )?[^;]+; .+")
REMOVED = object()
DOT = "\0"  # stands for one that is a part of a name


@pytest.fixture
def edited(tmp_path: Path) -> Callable[[str, object], Path]:
    """Write the flagship's spec with one field set to another value, or removed."""

    def edit(field: str, value: object) -> Path:
        spec = yaml.safe_load(FLIGHTS.read_text())
        *parents, last = (name.replace(DOT, ".") for name in field.split("."))
        part: Any = spec
        for parent in parents:
            part = part[parent]
        if value is REMOVED:
            del part[last]
        else:
            part[last] = value
        path = tmp_path / "flights.yaml"
        path.write_text(yaml.safe_dump(spec, sort_keys=False))
        return path

    return edit


@pytest.fixture
def written(tmp_path: Path) -> Callable[[bytes], Path]:
    """Write anything at all as a spec."""

    def write(content: bytes) -> Path:
        path = tmp_path / "flights.yaml"
        path.write_bytes(content)
        return path

    return write


def line_of(path: Path, field: str) -> int:
    """Find a field by its indentation, as a person would."""
    at = -1
    lines = path.read_text().splitlines()
    for depth, key in enumerate(field.split(".")):
        start = "  " * depth + f"{key}:"
        at = next(i for i in range(at + 1, len(lines)) if lines[i].startswith(start))
    return at + 1


def test_lint_flagship_finds_nothing():
    assert lint(FLIGHTS) == []
    assert load_spec(FLIGHTS).name == "flights"


WRONG_FIELDS = {
    "number too small": ("training.holdout_days", 0, "should be greater than 0, not 0"),
    "number as text": ("training.holdout_days", "14", "should be a valid integer, not '14'"),
    "truth as number": ("training.seed", True, "should be a valid integer, not True"),
    "not a number": ("costs.positive_acted_on", float("nan"), "should be a finite number"),
    "endless": ("costs.positive_left_alone", float("inf"), "should be a finite number"),
    "version under one": (
        "feeds.weather.contract_version",
        0,
        "should be greater than or equal to 1, not 0; correct it: Of columns and key.",
    ),
    "no limit": ("feeds.weather.max_file_mb", 0, "should be greater than 0, not 0"),
    "control": ("feeds.weather.control_file", "never", "should be 'required' or 'optional'"),
    "choice": ("level", 3, "should be 0, 1 or 2, not 3; correct it: 0 manual"),
    "number for text": ("owner.name", 7, "should be a valid string, not 7; put it in quotes"),
    "text for map": ("owner", "me", "should be a map of keys to values, not 'me'"),
    "no address": ("owner.email", "nobody", "should match pattern"),
    "no time zone": ("schedule.start", "2013-03-01 00:00", "end it with Z for UTC"),
    "list for parameter": (
        "training.estimators.logistic.params.C",
        [1],
        "should be a valid number or a valid integer or a valid string or a valid boolean, not [1]",
    ),
    "key no name": (
        "gold.features.Snow",
        {"kind": "numeric", "known_at": "schedule_known_at"},
        "use small letters, digits and underscores, a letter first",
    ),
    "key unknown": (
        "gate.min_holdout_row",
        1,
        "is not known here; did you mean 'min_holdout_rows'?",
    ),
    "key far off": ("owner.slack", "#x", "is not known here; remove it, or use one of ['name', "),
    "KPI of no table": (
        "kpis.flights.table",
        "mart_flight_dayz",
        "'mart_flight_dayz' is no gold table of flights; name one of ['fct_outcomes', ",
    ),
    "KPI of no column": (
        "kpis.disrupted_share.numerator",
        "disrupted",
        "'disrupted' is no column of mart_flight_days; name one of ['acted_flights', ",
    ),
    "KPI by no day": ("kpis.flights.date", "flights", "is a bigint; name a date"),
    "KPI of a day": ("kpis.flights.value", "decision_date", "is a date; name a number"),
    "KPI with two floors": (
        "kpis.flights.floor",
        {"relative": 0.2, "absolute": 3},
        "a change is either relative or absolute; give one of the two",
    ),
    "KPI without a sum": (
        "kpis.flights",
        {
            "table": "mart_flight_days",
            "date": "decision_date",
            "aggregation": "sum",
            "rows": "flights",
            "unit": "flights",
            "worse": "both",
            "floor": {"relative": 0.2},
            "reason": "All else rests on it.",
        },
        "a sum needs value; give value",
    ),
    "KPI without limits": ("kpis.flights.guardrail", {}, "limits nothing; give min, max or both"),
    "cron short": ("schedule.cron", "0 0 * *", "write five fields, like '0 0 * * 5'"),
    "cron wrong": ("schedule.cron", "61 0 * * *", "has no ticks; write minute, hour"),
    "start off tick": ("schedule.start", "2013-03-02T00:00:00Z", "is no tick of '0 0 * * 5'"),
    "end off tick": ("schedule.end", "2014-01-04T00:00:00Z", "is no tick of '0 0 * * 5'"),
    "start too fine": ("schedule.start", "2013-03-01T00:00:07Z", "leave out the seconds"),
    "feed too early": ("feeds.planes.active.start", "2012-12-30", "give 2012-12-31 or later"),
    "one table": ("gold.outcomes_table", "feat_flights", "give outcomes a table"),
    "two roles": ("rule.column", "is_disrupted", "'is_disrupted' is gold.label too"),
    "label read": (
        "gold.features.is_disrupted",
        {"kind": "numeric", "known_at": "schedule_known_at"},
        "is gold.label, which a model",
    ),
    "age no feature": (
        "gold.staleness.max_age.weather.age",
        "origin",
        "'origin' is no numeric feature; name one",
    ),
    "stale no feature": (
        "gold.staleness.max_age.weather.features",
        ["snow_in"],
        "['snow_in'] are no features; name columns of gold.features",
    ),
    "holdout too long": ("training.holdout_days", 60, "leaves nothing of the first 60 days"),
    "history too short": ("training.max_history_days", 14, "no longer than the 14 days of holdout"),
    "fewer rows than needed": ("training.max_rows", 19_999, "less than training.min_rows, 20,000"),
    "worst under chance": (
        "gate.plausible.roc_auc.worst",
        0.49,
        "worse than chance; give 0.5 or more",
    ),
    "slice under chance": (
        "gate.plausible.roc_auc.worst_in_slice",
        0.49,
        "worse than chance; give 0.5 or more",
    ),
    "slice above all": (
        "gate.plausible.roc_auc.worst_in_slice",
        0.66,
        "asks more of a part than of the whole; give 0.65 or what is worse",
    ),
    "no metric": (
        "gate.plausible.mae",
        {"worst": 3, "best": 1},
        "is no metric of a binary problem",
    ),
    "no estimator": (
        "training.estimators.boosting.type",
        "ridge",
        "'ridge' is no estimator of a binary problem; use one of ['hist_gradient_boosting', ",
    ),
    "trusted for nothing": (
        "training.estimators.boosting.trusted_types",
        {"my.Thing": "It is ours."},
        "are needed by estimators of your own only; remove them",
    ),
    "key of another kind": ("costs.too_low_per_unit", 1.0, "is not known here"),
    "holdout is all": ("gate.min_holdout_rows", 20000, "is not below training.min_rows"),
    "too many folds": ("evaluation.folds", 4, "reach back 70 days with the holdout"),
    "rows under bins": ("monitoring.min_rows", 9, "give a row for each of the 10 or more"),
    "no day of labels": (
        "monitoring.label_wait_days",
        14,
        "leaves 0 of the 14 days of training.holdout_days whose labels had time to come, and "
        "without 2 no cost is estimated before labels arrive; shorten it, or give "
        "training.holdout_days as 16 or more",
    ),
    "one day of labels": ("monitoring.label_wait_days", 13, "leaves 1 of the 14 days"),
    "segments of nothing": (
        "quality.segments.planes",
        [["model"]],
        "is no table with a past; name",
    ),
    "segments of no column": (
        "quality.segments.movements",
        [["carrier", "gate"]],
        "names unknown columns ['gate']; name columns of the feed",
    ),
    "feature known at a label": (
        "gold.features.origin.known_at",
        "label_known_at",
        "holds no moment of its own; name a column that does",
    ),
    "other region": ("feeds.weather.region", "eu", "in 'eu', and the use case is in no region"),
    "other name": ("name", "trains", "is not the file's name; write 'flights', or rename"),
}


@pytest.mark.parametrize(
    ("field", "value", "expected"),
    [
        ("waiting_counts.add", {"gate": 1}, "'gate' is no feature"),
        ("waiting_counts.add", {"origin": 1}, "1.0 is no value of categorical 'origin'"),
        (
            "calm_morning.row",
            {"humidity_pct": "low"},
            "'low' is no value of numeric 'humidity_pct'",
        ),
        ("delays_count.least", 0.7, "least is above most, so nothing passes; swap them"),
    ],
)
def test_lint_behaviour_that_nothing_can_show_names_it(edited, field, value, expected):
    (problem,) = lint(edited(f"evaluation.behaviour.{field}", value))
    assert f"evaluation.behaviour.{field.partition('.')[0]}: {expected}" in problem


@pytest.mark.parametrize(
    ("changes", "field", "expected"),
    [
        ({"space": {}}, ".space", "should have at least 1 item"),
        ({"space": {"max_iter": []}}, ".space.max_iter", "have at least 1 item"),
        ({"trials": REMOVED}, ".trials", "is missing; add it: Sets of parameters to try, at most."),
        (
            {"space": {"learning_rate": {"low": 0.3, "high": 0.03}}},
            ".space.learning_rate",
            "low is not below high, so there is nothing to search; swap them",
        ),
        (
            {"space": {"max_iter": {"low": 60, "high": 60}}},
            ".space.max_iter",
            "low is not below high",
        ),
        (
            {"space": {"l2_regularization": {"low": 0, "high": 1, "log": True}}},
            ".space.l2_regularization",
            "low has no logarithm; give one above 0, or leave out log",
        ),
        (
            {"space": {"max_iter": {"low": 1, "high": 10**20}}},
            ".space.max_iter",
            "low and high are more than 1e+18 apart, and can't be drawn from evenly; narrow them",
        ),
        ({"folds": 4}, ".folds", "reach back 70 days with the holdout"),
        ({}, "", None),
    ],
)
def test_lint_search_that_finds_nothing_names_line_and_remedy(edited, changes, field, expected):
    search = {"trials": 9, "seconds": 60, "space": {"max_iter": [30, 60]}, **changes}
    search = {name: value for name, value in search.items() if value is not REMOVED}
    path = edited("training.estimators.boosting.search", search)
    where = f"training.estimators.boosting.search{field}"
    problems = [(at, text) for at, _, text in (each.partition(": ") for each in lint(path))]
    if expected is None:
        assert problems == []
        return
    ((at, text),) = problems
    assert text.startswith(where + ": ")
    assert expected in text
    line = line_of(path, where.removesuffix(".trials"))
    assert at == f"flights.yaml:{line}"


@pytest.mark.parametrize(
    ("field", "value", "where", "expected"),
    [
        (
            "resources",
            {"pool": "flights_warehouse"},
            "resources.pool",
            "is the name of a warehouse's pool, of one writer; give another name",
        ),
        ("resources", {"cores": 0}, "resources.cores", "should be greater than 0"),
        ("refit", {}, "refit.max_change_per_unit", "is missing; add it: Mean change, up or down"),
    ],
)
def test_lint_training_that_can_not_be_done_names_it(edited, field, value, where, expected):
    (problem,) = lint(edited(f"training.{field}", value))
    assert f": training.{where}: " in problem
    assert expected in problem


def test_lint_slice_of_no_feature_names_its_line(edited):
    path = edited("evaluation.slices.columns", [["origin"], ["carrier", "gate"]])
    (problem,) = lint(path)
    assert "evaluation.slices.columns.1: ['gate'] are no features; name columns of" in problem


def test_lint_accepted_condition_of_no_restricted_column_is_refused(edited):
    name = "restricted_condition:feat_flights.origin_waiting[movements.tail_number]"
    (problem,) = lint(edited(f"quality.accepted.{name.replace('.', DOT)}", "Only drops copies."))
    assert "names no feature and restricted column; write restricted_condition:feat_fl" in problem


def test_lint_feature_that_is_a_restricted_column_is_refused(edited):
    path = edited("feeds.schedules.columns.distance_mi.tags", ["pii", "restricted"])
    (problem,) = lint(path)
    assert problem.startswith(f"flights.yaml:{line_of(path, 'gold.features.distance_mi')}: ")
    assert "is schedules.distance_mi, which is tagged restricted; remove the feature" in problem


def test_lint_feed_of_the_use_cases_region_is_let_through(edited):
    path = edited("region", "eu")
    text = path.read_text()
    path.write_text(text.replace("  schedules:\n", "  schedules:\n    region: eu\n", 1))
    assert lint(path) == []
    assert load_spec(path).feeds["schedules"].region == "eu"


@pytest.mark.parametrize(("field", "value", "expected"), WRONG_FIELDS.values(), ids=WRONG_FIELDS)
def test_lint_wrong_field_names_line_field_and_remedy(edited, field, value, expected):
    path = edited(field, value)
    problems = lint(path)
    assert len(problems) == 1, problems
    assert problems[0].startswith(f"flights.yaml:{line_of(path, field)}: {field}: "), problems
    assert expected in problems[0]
    assert PROBLEM.fullmatch(problems[0])


@pytest.mark.parametrize(
    ("field", "value", "expected"),
    [
        (
            "gate.plausible.pr_auc",
            {"worst": 0.1, "best": 0.9, "worst_in_slice": 0.1},
            "gate.plausible.pr_auc.worst_in_slice: is of means over rows: give it to the leading",
        ),
        (
            "gate.comparison",
            {
                "test": "blocks",
                "by": "entity",
                "level": 0.1,
                "power": 0.9,
                "worthwhile_per_unit": 1.0,
            },
            "gate.comparison.by: needs gold.entity, and the test clusters",
        ),
    ],
    ids=["slice", "entities"],
)
def test_lint_wrong_field_of_a_part_that_is_right_is_named(edited, field, value, expected):
    (problem,) = lint(edited(field, value))
    assert expected in problem


WRONG_PARTS = {
    "plausible": ("gate.plausible.roc_auc.best", 0.65, "worst is not worse than best"),
    "any canary": (
        "evaluation.behaviour.calm_morning.most",
        None,
        "any answer would do; give least and most, or among",
    ),
    "kind of problem": ("costs.problem", "ternary", "should"),
    "times": ("schedule.history_start", "2013-04-01T00:00:00Z", "times are not in order"),
    "days": ("feeds.weather.active.end", "2013-01-01", "end is not after start"),
    "limits": ("feeds.weather.columns.humidity_pct.min", 101, "min is above max"),
    "limit of text": ("feeds.schedules.columns.carrier.min", 1, "min and max limit numbers"),
    "values of number": ("feeds.planes.columns.seats.values", ["2"], "values lists texts"),
    "unknown key": ("feeds.airlines.key", ["airline"], "key names unknown columns ['airline']"),
    "nullable key": ("feeds.planes.key", ["model"], "key columns ['model'] may be missing"),
    "key twice": ("feeds.airlines.key", ["carrier", "carrier"], "key names a column twice"),
    "alias twice": (
        "feeds.airlines.columns",
        {
            "carrier": {"type": "text", "description": "Code.", "aliases": ["airline_name"]},
            "airline_name": {"type": "text", "description": "Name."},
        },
        "two columns share a name or an alias",
    ),
    "sla without time": ("feeds.weather.event_time", REMOVED, "sla needs the rows' own time"),
    "costs": ("costs.positive_acted_on", 100, "there is nothing to decide"),
}


@pytest.mark.parametrize(("field", "value", "expected"), WRONG_PARTS.values(), ids=WRONG_PARTS)
def test_lint_part_contradicting_itself_names_the_part(edited, field, value, expected):
    path = edited(field, value)
    part = field.rpartition(".")[0]
    (problem,) = lint(path)
    assert problem.startswith(f"flights.yaml:{line_of(path, part)}: {part}: {expected}")
    assert PROBLEM.fullmatch(problem)


def test_lint_missing_key_gives_its_parents_line_and_meaning(edited):
    path = edited("training.holdout_days", REMOVED)
    assert lint(path) == [
        f"flights.yaml:{line_of(path, 'training')}: training.holdout_days: is missing; "
        "add it: The last days are kept for the evaluation."
    ]


def test_lint_spec_without_an_owner_is_refused_with_a_remedy(edited):
    path = edited("owner", REMOVED)
    problem = "flights.yaml:1: owner: is missing; add it: Who answers for the use case."
    assert lint(path) == [problem]
    with pytest.raises(SpecError, match=f"^{re.escape(problem)}$"):
        load_spec(path)


def test_lint_wait_that_leaves_two_days_of_the_holdout_is_enough(edited):
    assert lint(edited("monitoring.label_wait_days", 12)) == []


WRONG_FILES = {
    "empty": (b"", 1, "the file is empty"),
    "list": (b"- 1", 1, "should be a map of keys to values"),
    "syntax": (b"name: flights\ntags: ]\n", 2, "not YAML: did not find expected node content"),
    "tab": (b"owner:\n\tname: x\n", 2, "not YAML: found character that cannot start any token"),
    "two documents": (b"a: 1\n---\nb: 1\n", 2, "not YAML: but found another document"),
    "encoding": (b"name: \xff\n", 1, "not YAML: "),
    "code": (b"name: !!python/name:os.system x\n", 1, "could not determine a constructor"),
    "itself": (b"tags: &all [*all]\n", 1, "Circular reference detected"),
    "same key": (b"owner:\n  name: a\n  name: b\n", 3, "owner.name: stands on line 2 too"),
    "truth as key": (b"name: a\non: b\n", 2, "'on' is not read as text"),
    "date as value": (b"name: !!timestamp 2013-01-01\n", 1, "not JSON serializable"),
}


@pytest.mark.parametrize(("content", "line", "expected"), WRONG_FILES.values(), ids=WRONG_FILES)
def test_lint_file_that_is_no_spec_is_refused_with_line(written, content, line, expected):
    (problem,) = lint(written(content))
    assert problem.startswith(f"flights.yaml:{line}: ")
    assert expected in problem
    assert PROBLEM.fullmatch(problem)


def test_lint_key_twice_behind_an_alias_is_found_once(written):
    assert len(lint(written(b"a: &x {b: 1, b: 2}\nc: *x\n"))) == 1


def test_lint_merged_keys_are_read_and_found_on_their_line(written):
    text = FLIGHTS.read_text()
    once = "active: {start: 2012-12-31}"
    text = text.replace(once, "active: &once {start: 2012-12-31}", 1)
    assert lint(written(text.replace(once, "active: {<<: *once}").encode())) == []
    wrong = text.replace(once, "active: {<<: *once, start: 2012-12-30}", 1)
    (problem,) = lint(written(wrong.encode()))
    line = next(n for n, text in enumerate(wrong.splitlines(), 1) if "<<" in text)
    assert problem.startswith(f"flights.yaml:{line}: feeds.airports.active.start: ")


def test_lint_file_that_does_not_exist_is_named(tmp_path):
    (problem,) = lint(tmp_path / "flights.yaml")
    assert "flights.yaml: No such file or directory; " in problem


def test_load_spec_several_problems_lists_all_in_order_of_lines(written):
    text = FLIGHTS.read_text().replace("level: 2", "level: 3").replace("bins: 10", "bins: ten")
    path = written(text.replace("min_rows: 20000", "min_row: 20000").encode())
    with pytest.raises(SpecError) as refused:
        load_spec(path)
    lines = str(refused.value).splitlines()
    fields = [line.split(": ")[1] for line in lines]
    assert fields == ["level", "training.min_rows", "training.min_row", "monitoring.bins"]
    numbers = [int(line.split(":")[1]) for line in lines]
    assert numbers == sorted(numbers)


def test_load_specs_folder_gives_specs_by_name(tmp_path):
    for name in ("flights", "trains"):
        text = FLIGHTS.read_text().replace("name: flights", f"name: {name}", 1)
        (tmp_path / f"{name}.yaml").write_text(text)
    assert {name: spec.name for name, spec in load_specs(tmp_path).items()} == {
        "flights": "flights",
        "trains": "trains",
    }


def test_load_specs_one_wrong_names_only_that_one(tmp_path):
    for name in ("flights", "trains"):
        (tmp_path / f"{name}.yaml").write_text(FLIGHTS.read_text())
    with pytest.raises(SpecError, match=r"^trains\.yaml:\d+: name: is not the file's name.*$"):
        load_specs(tmp_path)


def test_load_specs_folder_without_specs_is_refused(tmp_path):
    with pytest.raises(SpecError, match="holds no spec; add one"):
        load_specs(tmp_path)


def test_lint_paths_counts_and_prints_every_problem(edited, capsys):
    wrong = edited("level", 3)
    assert lint_paths([FLIGHTS.parent, wrong]) == 1
    printed = capsys.readouterr().out.splitlines()
    assert printed == [*lint(wrong), "specs: 3, problems: 1"]


def test_lint_paths_right_specs_count_nothing(capsys):
    assert lint_paths([FLIGHTS]) == 0
    assert capsys.readouterr().out == "specs: 1, problems: 0\n"


def test_load_specs_fifty_take_under_two_seconds_of_cpu(tmp_path):
    text = FLIGHTS.read_text()
    for number in range(50):
        name = f"flights_{number}"
        (tmp_path / f"{name}.yaml").write_text(text.replace("name: flights", f"name: {name}", 1))
    program = (
        "import sys, time, pathlib; from ratchet.spec import load_specs; "
        "print(len(load_specs(pathlib.Path(sys.argv[1]))), time.process_time())"
    )
    seconds = []
    for _ in range(3):  # the best of three: other work on the machine only ever adds
        done = subprocess.run(
            [sys.executable, "-c", program, tmp_path], check=True, capture_output=True, text=True
        )
        loaded, taken = done.stdout.split()
        assert loaded == "50"
        seconds.append(float(taken))
    assert min(seconds) < 2
