"""Serve a packaged model in a process of its own; `python -m ratchet.evaluation.bless FOLDER`.

The folder holds what a release does (the model, the candidate's record and the spec), with
`rows.parquet`, the rows that are asked for, and `holdout.parquet`, what was answered to them in
training. `blessing.json` is written into it.
"""

from __future__ import annotations

import gc
import hashlib
import platform
import resource
import sys
import time
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ratchet.evaluation.evidence import Blessing, Refusals
from ratchet.problems import Answers, Problem, problem_of
from ratchet.spec import Spec
from ratchet.training import CANDIDATE_FILE, HOLDOUT_FILE, MODEL_FILE, Candidate, load_model

SPEC_FILE, ROWS_FILE, BLESSING_FILE = "spec.json", "rows.parquet", "blessing.json"

SINGLE_ROWS = 30
"""Rows that are asked one by one: enough for a 95th percentile that is not the slowest one."""
BATCHES = 3
"""How often all rows are asked at once."""
ROUNDING = 1e-6
"""Share of the largest answer that sums of numbers of four bytes differ by, if others are beside
them: an answer must depend on no other row than its own."""


def bless(folder: Path) -> Blessing:
    """Do to a packaged model all that the gate asks for.

    Raises
    ------
    RatchetError, OSError, ValueError
        If the model can't be read or does not answer.
    """
    content = (folder / MODEL_FILE).read_bytes()
    candidate = Candidate.model_validate_json((folder / CANDIDATE_FILE).read_bytes())
    problem = problem_of(Spec.model_validate_json((folder / SPEC_FILE).read_bytes()))
    rows = pd.read_parquet(folder / ROWS_FILE)
    features = list(candidate.features)
    model = load_model(content, candidate.trusted_types)
    stored = problem.answers_in(pd.read_parquet(folder / HOLDOUT_FILE))
    return Blessing(
        model_sha256=hashlib.sha256(content).hexdigest(),
        model_bytes=len(content),
        failure=None,
        other_versions=other_versions(candidate.versions),
        **probe(problem, model, rows, features, stored),
    )


def probe(
    problem: Problem, model: Any, rows: pd.DataFrame, features: list[str], stored: Answers
) -> dict[str, Any]:
    """Ask a model all that it must answer or refuse; return fields of a `Blessing`.

    Parameters
    ----------
    features
        Columns that it was fitted to, in order.
    stored
        What it answered to these rows in training.
    """

    def answer(frame: pd.DataFrame) -> Any:
        return problem.answer(model, frame, features)

    first = answer(rows)
    shuffled = rows[list(reversed(rows.columns))].assign(column_that_nobody_knows="x")
    singles = [rows.iloc[[at % len(rows)]] for at in range(SINGLE_ROWS)]
    alone: list[Answers] = []
    row_ms = _milliseconds(lambda frame: alone.append(answer(frame)), singles)
    again: list[Answers] = []
    batch_ms = _milliseconds(lambda frame: again.append(answer(frame)), [rows] * BATCHES)
    return {
        "max_difference": problem.max_difference(first, stored),
        "is_repeatable": all((each == first).all() for each in again)
        and _alike(problem, np.concatenate(alone), first[np.arange(SINGLE_ROWS) % len(rows)])
        and _alike(problem, answer(rows.iloc[::-1])[::-1], first),
        "ignores_unknown": bool((answer(shuffled) == first).all()),
        "refuses": _refusals(problem, model, rows, features),
        "row_p50_ms": row_ms[0],
        "row_p95_ms": row_ms[1],
        "batch_rows": len(rows),
        "batch_p50_ms": batch_ms[0],
        "batch_p95_ms": batch_ms[1],
        "peak_memory_mb": _peak_memory_mb(),
    }


def _alike(problem: Problem, answers: Answers, others: Answers) -> bool:
    """Return whether numbers are equal but for rounding, and segments without exception."""
    largest = 1.0 if others.dtype == object else max(1.0, float(np.abs(others).max()))
    return problem.max_difference(answers, others) <= ROUNDING * largest


def _refusals(problem: Problem, model: Any, rows: pd.DataFrame, features: list[str]) -> Refusals:
    numeric = [name for name in features if problem.spec.gold.features[name].kind == "numeric"]
    asked = rows[features]
    return Refusals(
        missing_column=_refuses(problem, model, asked[features[1:]]),
        wrong_type=not numeric or _refuses(problem, model, asked.assign(**{numeric[0]: "a text"})),
        no_rows=_refuses(problem, model, asked.iloc[:0]),
    )


def _refuses(problem: Problem, model: Any, frame: pd.DataFrame) -> bool:
    try:
        problem.ask(model, frame)
    except Exception:  # however a model says no, it does
        return True
    return False


def _milliseconds(
    answer: Callable[[pd.DataFrame], object], frames: list[pd.DataFrame]
) -> tuple[float, float]:
    """Return the median and the 95th percentile of what answers took."""
    taken = []
    for frame in frames:
        started = time.perf_counter()
        answer(frame)
        taken.append((time.perf_counter() - started) * 1000)
    median, slow = np.quantile(taken, [0.5, 0.95], method="higher")
    return round(float(median), 2), round(float(slow), 2)


def other_versions(versions: dict[str, str]) -> dict[str, str]:
    """Return what is installed of each library that is not of the version that is given."""
    installed = {name: _version(name) for name in versions}
    return {name: found for name, found in installed.items() if found != versions[name]}


def _version(name: str) -> str:
    if name == "python":
        return platform.python_version()
    try:
        return version(name)
    except PackageNotFoundError:
        return "none"


def _peak_memory_mb() -> float:
    """Return the peak of this process alone; `getrusage` would count its parent's on Linux."""
    status = Path("/proc/self/status")
    if status.exists():
        lines = dict(line.split(":", 1) for line in status.read_text().splitlines())
        return round(int(lines["VmHWM"].split()[0]) / 1024, 1)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return round(peak / 1024**2, 1)  # macOS counts bytes


def main() -> None:
    """Bless what is in the folder that the process was started with."""
    gc.enable()  # it was off for the imports, which leave nothing to collect
    where = Path(sys.argv[1])
    (where / BLESSING_FILE).write_text(bless(where).model_dump_json(indent=1))


if __name__ == "__main__":
    main()
