"""What the stages of a retraining add to its fits, and whether its memory follows history.

The year of flights is built and published once. Then 48 weekly windows are trained, on what had
been published by then, as the pipeline does it, minus Airflow and the check for leaks: a snapshot
of what was known, and for each estimator its split, smoke run, fit, answers, profile and stored
model. Each of these fits is also done bare: the same scikit-learn pipeline on the same rows, which
are in memory already. The ratio is of the CPU seconds of one process, both sides in turn, window by
window. It is told of flights as it is declared, with a sample of `training.max_rows` rows; of all
rows that were known; and of these with 300 trees of scikit-learn's own size, as larger models have.

Memory: the published tables are repeated into the past, year by year, and the last window is
trained on `--history-days` of them in a process of its own, whose peak is compared with that of the
same training after one year, and with that of a training on all of it.

    python benchmarks/training.py
    python benchmarks/training.py --every 8    # a quick look: each eighth week
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import duckdb
from loop import build_year

from ratchet.orchestration.replay import windows
from ratchet.problems import fitted, problem_of
from ratchet.settings import Settings
from ratchet.spec import Spec, load_spec
from ratchet.training import sample_weights, split, train
from ratchet.warehouse import load_snapshot, take_snapshot
from ratchet.window import Window

WEEKS = 48
LARGE = {"max_iter": 300, "learning_rate": 0.03}  # of boosting, all else as scikit-learn has it
YEAR_DAYS = 364  # whole weeks, so that a repeated day keeps its weekday


def weekly(spec: Spec) -> list[Window]:
    """Return the last 48 weeks of the year, the first of them with a month to learn from."""
    ends = [window.end for window in windows(spec)]
    first = ends[-1] - timedelta(weeks=WEEKS)
    return [
        Window(first + timedelta(weeks=week), first + timedelta(weeks=week + 1))
        for week in range(WEEKS)
    ]


def retrain(spec: Spec, window: Window, settings: Settings) -> tuple[str, dict[str, float]]:
    """Train a window by the stages; return the snapshot's id, and the CPU seconds of each."""
    seconds: dict[str, float] = {}
    started = time.process_time()
    snapshot_id = take_snapshot(spec, window, settings).id
    seconds["snapshot"] = time.process_time() - started
    for estimator in spec.training.estimators:
        started = time.process_time()
        train(spec, window, snapshot_id, estimator, settings)
        seconds[f"train_{estimator}"] = time.process_time() - started
    return snapshot_id, seconds


def fit_bare(spec: Spec, window: Window, snapshot_id: str, settings: Settings) -> dict[str, float]:
    """Do the same fits, on rows that are in memory; return the CPU seconds of each."""
    problem, seconds = problem_of(spec), {}
    parts = split(load_snapshot(spec, snapshot_id, settings), spec, window)
    features = parts.train[list(spec.gold.features)]
    target = problem.target(parts.train[spec.gold.label])
    weights = sample_weights(spec, parts.train, parts.cut)
    for estimator in spec.training.estimators:
        model = problem.estimator(estimator)
        started = time.process_time()
        fitted(model, features, target, weights, estimator)
        seconds[f"fit_{estimator}"] = time.process_time() - started
    return seconds


def compare(spec: Spec, settings: Settings, every: int) -> None:
    """Print a row for each window, and the ratio of all; the first one goes first unmeasured."""
    totals: dict[str, float] = {}
    trained = weekly(spec)[::every]
    for time_through, window in enumerate([trained[0], *trained]):
        with tempfile.TemporaryDirectory(dir=settings.home) as folder:
            then, end = replace(settings, home=Path(folder)), window.end.replace(tzinfo=None)
            copy_published(spec, settings, then, f"where {spec.gold.decided_at} < ?", end)
            snapshot_id, found = retrain(spec, window, then)
            found |= fit_bare(spec, window, snapshot_id, then)
        if not time_through:
            continue  # with Python's imports, which Airflow's scheduler does before it forks
        totals = {name: totals.get(name, 0) + seconds for name, seconds in found.items()}
        print(window, *(f"{name} {value:.2f}" for name, value in found.items()), flush=True)
    bare = sum(value for name, value in totals.items() if name.startswith("fit_"))
    stages = sum(totals.values()) - bare
    print("all windows:", *(f"{name} {value:.1f}" for name, value in totals.items()))
    print(f"stages {stages:.1f} CPU s, bare fits {bare:.1f} CPU s, ratio {stages / bare:.3f}")
    print(f"a retraining adds {(stages - bare) / len(trained):.2f} CPU s")


def copy_published(
    spec: Spec, settings: Settings, to: Settings, which: str, *values: object, years: int = 1
) -> None:
    """Publish in another home which rows of features and outcomes, and copies of earlier years."""
    gold, path = spec.gold, to.lake(spec.name).published
    path.parent.mkdir(parents=True)
    with duckdb.connect() as connection:
        # outcomes are a view, which names the database that it was made in
        source = settings.lake(spec.name).published
        connection.execute(f"attach '{source}' as {spec.name} (read_only)")
        connection.execute(f"attach '{path}' as target")
        connection.execute("create schema target.gold")
        for table in (gold.features_table, gold.outcomes_table):
            source = f"{spec.name}.gold.{table}"
            described = connection.execute(f"describe {source}").fetchall()
            columns = ", ".join(_earlier(name, kind, gold.key) for name, kind, *_ in described)
            connection.execute(
                f"create table target.gold.{table} as select {columns} from {source} "
                f"cross join range({years}) as shift(years) {which} order by {gold.decided_at}",
                list(values),
            )


def _earlier(name: str, kind: str, key: str) -> str:
    if kind.startswith("TIMESTAMP"):
        return f"{name} - to_days(cast(years * {YEAR_DAYS} as integer)) as {name}"
    return f"{name} || if(years = 0, '', '-' || years) as {name}" if name == key else name


def peak_mb(home: Path, days: int) -> float:
    """Train the last window on at most so many days in a process of its own; return its peak."""
    command = [sys.executable, __file__, "--home", str(home), "--history-days", str(days), "--peak"]
    found = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
    return float(found.splitlines()[-1])


def print_peak(spec: Spec, settings: Settings, days: int) -> None:
    """Train the last window, and print the megabytes that this process took at most."""
    training = spec.training.model_copy(update={"max_history_days": days})
    retrain(spec.model_copy(update={"training": training}), weekly(spec)[-1], settings)
    status = Path("/proc/self/status")  # on Linux, getrusage would count the parent's peak
    if status.exists():
        lines = dict(line.split(":", 1) for line in status.read_text().splitlines())
        print(int(lines["VmHWM"].split()[0]) / 1024)
    else:
        print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024**2)


def compare_memory(spec: Spec, settings: Settings, years: int, days: int) -> None:
    """Print the peak of one training after one year, and after many."""
    with tempfile.TemporaryDirectory(dir=settings.home) as folder:
        long = replace(settings, home=Path(folder))
        copy_published(spec, settings, long, "", years=years)
        peaks = {
            "1 year": peak_mb(settings.home, days),
            f"{years} years": peak_mb(long.home, days),
            f"{years} years, all of it learned from": peak_mb(long.home, years * YEAR_DAYS),
        }
    for history, peak in peaks.items():
        print(f"peak memory, {days} days learned from, history of {history}: {peak:,.0f} MB")


def main() -> None:
    """Print the ratio of CPU seconds, then the peaks."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--every", type=int, default=1, help="only each so manieth week")
    parser.add_argument("--years", type=int, default=10, help="of history, for the memory")
    parser.add_argument("--history-days", type=int, default=180, help="that are learned from then")
    parser.add_argument("--home", type=Path, help="a lake whose year is published, not a new one")
    parser.add_argument("--peak", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        if arguments.home:
            settings = Settings(arguments.home, Settings.load().use_cases)
            spec = load_spec(settings.use_cases / "flights.yaml")
        else:
            spec, settings = build_year(Path(folder))
        if arguments.peak:
            print_peak(spec, settings, arguments.history_days)
            return
        training = spec.training.model_copy(update={"max_rows": None})
        whole = spec.model_copy(update={"training": training})
        for what, measured in {
            f"as declared, at most {spec.training.max_rows:,} rows": spec,
            "all rows": whole,
            "all rows, 300 trees": whole.with_params("boosting", LARGE),
        }.items():
            print(what, flush=True)
            compare(measured, settings, arguments.every)
        compare_memory(spec, settings, arguments.years, arguments.history_days)


if __name__ == "__main__":
    main()
