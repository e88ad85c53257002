"""Predictions that people label by hand: drawn, exported, read back, and what they tell of all.

What was drawn of a window never changes, and neither does what somebody said of it:
`sample.parquet` is drawn once, and `0001.json` and those that follow hold what people said, a later
one taking the place of an earlier one for the same row.
"""

from __future__ import annotations

import csv
import hashlib
import io
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import BaseModel, ConfigDict

from ratchet.errors import EvidenceError
from ratchet.monitoring.performance import scored_windows
from ratchet.problems import COST, Learned, Problem, problem_of
from ratchet.settings import Settings
from ratchet.spec import Spec
from ratchet.statistics import Sampled, allocate, stratified_mean
from ratchet.storage import atomic_path, write_atomic, write_new
from ratchet.window import Window

_LABEL = "_label"
_WINDOW = "_window"
SAMPLE_FILE = "sample.parquet"
_BOOLEANS = ("True", "False")
_YES, _NO = {"true", "yes", "1"}, {"false", "no", "0"}
_TOLD = 10  # faults of a file: what fits on a screen


class HandLabels(BaseModel):
    """What one person said of some decisions of a window, by key."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    window: str
    author: str
    labels: dict[str, bool | float | str]


@dataclass(frozen=True)
class Comparison:
    """Cost per unit of a window by what people labelled, beside what was estimated of it.

    `estimated` is None where answers tell nothing of their errors.
    """

    window: Window
    new: int
    labelled: int
    asked: int
    sampled: Sampled
    estimated: float | None


def export_labels(
    spec: Spec, window: Window | None, path: Path, settings: Settings, rows: int | None = None
) -> tuple[Window, int]:
    """Write a sample of a window's decisions to a CSV, to be labelled in its column `_label`.

    The sample is drawn within strata: quantiles of the answer, by the levels of the first of
    `evaluation.slices`. Strata whose labels tell most of the cost are drawn from most. The answers
    are not in the file: who labels must not be led by them. A window's sample is drawn once, and
    exporting it again writes the same rows, with the labels that are known of them.

    Parameters
    ----------
    window
        A scored one; the last of them by default.
    rows
        By default `monitoring.label_sample.rows`.

    Returns
    -------
    window, rows
        Which window it is of, and how many rows are in the file.

    Raises
    ------
    EvidenceError
        If the window is not scored, or so many rows can't be drawn.
    """
    scored = scored_windows(spec, settings)
    if not scored or window not in (None, *scored):
        raise EvidenceError(f"{spec.name}: {window or 'no window'} is not scored; score it first")
    window = window or scored[-1]
    folder = _folder(spec, window, settings)
    if not (folder / SAMPLE_FILE).exists():
        _draw(spec, window, rows or spec.monitoring.label_sample.rows, settings)
    sample = pd.read_parquet(folder / SAMPLE_FILE)
    if rows not in (None, int(sample["_asked"].iloc[0])):
        raise EvidenceError(
            f"{spec.name} {window}: {len(sample)} rows were drawn already, and a sample is drawn "
            "once; leave out --rows"
        )
    known = _known(folder)
    said = [str(known.get(key, "")) for key in sample[spec.gold.key]]
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(_header(sample))
    for values, label in zip(_shown(sample).itertuples(index=False), said, strict=True):
        writer.writerow([window.key, *values, label.lower() if label in _BOOLEANS else label])
    write_atomic(path, text.getvalue().encode())
    return window, len(sample)


def _header(sample: pd.DataFrame) -> list[str]:
    return [_WINDOW, *_shown(sample).columns, _LABEL]


def _shown(sample: pd.DataFrame) -> pd.DataFrame:
    """Return what people see of a sample, as text."""
    return sample[[name for name in sample.columns if not name.startswith("_")]]


def _draw(spec: Spec, window: Window, rows: int, settings: Settings) -> None:
    """Draw a sample; the same rows whenever and wherever it is drawn."""
    from ratchet.warehouse import read_features

    problem, gold = problem_of(spec), spec.gold
    path = settings.lake(spec.name).predictions / f"{window.key}.parquet"
    stored = pq.read_table(path, filters=[("is_decision", "==", True)]).to_pandas()
    watched = stored[spec.costs.watched]
    if pd.api.types.is_numeric_dtype(watched):
        bands = spec.monitoring.label_sample.bands
        edges = np.unique(np.quantile(watched, np.arange(1, bands) / bands))
        band = pd.Series(np.searchsorted(edges, watched, side="right")).astype(str)
    else:
        band = watched.astype(str)
    strata = "answer " + band
    features = read_features(spec, window, settings).set_index(gold.key, drop=False)
    features = features.loc[stored[gold.key]].reset_index(drop=True)
    for columns in spec.evaluation.slices.columns[:1]:
        levels = features[list(columns)].astype(str)
        strata = strata + ", " + levels.agg(", ".join, axis=1)
    shown = features[[gold.key, gold.decided_at, *gold.features]]
    frame = (
        shown.astype(object)
        .where(shown.notna(), "")
        .astype(str)
        .assign(
            _stratum=strata,
            _spread=_spread(problem, stored),
            # by a hash, so that nobody chooses, and each draw is the same
            _order=[
                hashlib.sha256(f"{spec.training.seed} {window.key} {key}".encode()).hexdigest()
                for key in stored[gold.key]
            ],
        )
    )
    by_stratum = frame.groupby("_stratum", sort=True)
    sizes, spreads = by_stratum.size(), np.sqrt(by_stratum["_spread"].mean())
    counts = dict(zip(sizes.index, allocate(sizes.tolist(), spreads.tolist(), rows), strict=True))
    frame = frame.sort_values(["_stratum", "_order"])
    size, count = frame["_stratum"].map(sizes), frame["_stratum"].map(counts)
    frame = frame.assign(_rows=size, _inclusion=count / size, _asked=rows)
    drawn = frame[frame.groupby("_stratum").cumcount() < count].sort_values(gold.key)
    with atomic_path(_folder(spec, window, settings) / SAMPLE_FILE) as draft:
        table = pa.Table.from_pandas(
            drawn.drop(columns=["_spread", "_order"]), preserve_index=False
        )
        pq.write_table(table, draft)


def _spread(problem: Problem, stored: pd.DataFrame) -> Any:
    """Return each row's variance of the cost before its label is known; 1 if it can't tell."""
    if problem.spec.costs.has_probabilities:
        return problem.expect(stored, Learned())[COST].variances
    return np.ones(len(stored))


def import_labels(spec: Spec, path: Path, settings: Settings, author: str) -> list[Comparison]:
    """Take in what somebody filled in; compare the cost that follows with what was estimated.

    Rows without a label stay open, and rows may be left out. Safe to repeat: what was said before
    is not said twice.

    Returns
    -------
    list
        One comparison for each window in the file.

    Raises
    ------
    EvidenceError
        If the file can't be read, or a row is unknown, was edited, or has an impossible label:
        each with its line and what to do. Nothing is taken in then. Also if too little is labelled
        to compare; what was labelled is kept.
    """
    header, lines = _read(path)
    problem, faults = problem_of(spec), list[str]()
    said: dict[Window, dict[str, bool | float | str]] = {}
    for number, row in lines:
        where = f"{path.name} line {number}"
        try:
            window = Window.parse(row[_WINDOW])
        except ValueError as error:
            faults.append(f"{where}: {error}; export it again")
            continue
        said.setdefault(window, {})
        if row[_LABEL].strip():
            try:
                said[window][row[spec.gold.key]] = _label(problem, row[_LABEL].strip())
            except ValueError as error:
                faults.append(f"{where}: {error}")
    for window in said:
        own = [(number, row) for number, row in lines if row[_WINDOW] == window.key]
        faults += _edited(spec, window, header, own, path, settings)
    if faults:
        more = f"; and {len(faults) - _TOLD} more" if len(faults) > _TOLD else ""
        raise EvidenceError("; ".join(faults[:_TOLD]) + more)
    new = {
        window: _keep(
            _folder(spec, window, settings),
            HandLabels(window=window.key, author=author, labels=labels),
        )
        for window, labels in said.items()
    }
    return [compare_labels(spec, window, settings, new[window]) for window in said]


def _read(path: Path) -> tuple[list[str], list[tuple[int, dict[str, str]]]]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file, strict=True)
            header = list(reader.fieldnames or [])
            rows = [(reader.line_num, row) for row in reader]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise EvidenceError(f"{path} can't be read: {error}; export it again") from error
    if lacking := [name for name in (_WINDOW, _LABEL) if name not in header]:
        raise EvidenceError(f"{path} lacks the columns {lacking}; export it again")
    for number, row in rows:
        if None in row or None in row.values():
            raise EvidenceError(f"{path.name} line {number} has not as many fields as the header")
    return header, rows


def _label(problem: Problem, text: str) -> bool | float | str:
    """Read a label; raise ValueError if it is none of the kind of problem's."""
    kind = problem.spec.costs.label_type
    if kind == "boolean":
        if text.lower() not in _YES | _NO:
            raise ValueError(f"{text!r} is no label; write true or false, or leave it empty")
        return text.lower() in _YES
    if kind == "double":
        try:
            number = float(text)
        except ValueError:
            number = float("nan")
        if not np.isfinite(number):
            raise ValueError(f"{text!r} is no number; write one, or leave it empty")
        return number
    classes = getattr(problem.spec.costs, "classes", None)
    if classes and text not in classes:
        raise ValueError(f"{text!r} is none of {', '.join(classes)}; write one, or leave it empty")
    return text


def _edited(
    spec: Spec,
    window: Window,
    header: list[str],
    rows: list[tuple[int, dict[str, str]]],
    path: Path,
    settings: Settings,
) -> Iterator[str]:
    """Say which rows are not those that were exported."""
    path_of_sample = _folder(spec, window, settings) / SAMPLE_FILE
    if not path_of_sample.exists():
        yield f"{path.name} line {rows[0][0]}: no sample of {window} was exported here; export one"
        return
    sample = pd.read_parquet(path_of_sample)
    if header != _header(sample):
        yield f"{path.name} line 1: the columns are not those that were exported; export it again"
        return
    key = spec.gold.key
    shown = _shown(sample)
    names = [str(name) for name in shown.columns]
    known = {
        values[names.index(key)]: dict(zip(names, values, strict=True))
        for values in shown.itertuples(index=False, name=None)
    }
    seen: set[str] = set()
    for number, row in rows:
        where, drawn = f"{path.name} line {number}", known.get(row[key])
        if drawn is None:
            yield f"{where}: {row[key]!r} is not in the sample of {window}; remove the row"
        elif row[key] in seen:
            yield f"{where}: {row[key]!r} is there twice; remove one"
        else:
            changed = [name for name in names if row[name] != drawn[name]]
            if changed:
                yield f"{where}: {', '.join(changed)} was edited; change {_LABEL} only"
        seen.add(row[key])


def _keep(folder: Path, said: HandLabels) -> int:
    """Keep what is new of what somebody said, after what is there; return how much that is."""
    known = _known(folder)
    new = {key: label for key, label in said.labels.items() if known.get(key) != label}
    if new:
        content = said.model_copy(update={"labels": new}).model_dump_json(indent=1).encode()
        number = 1
        while not write_new(folder / f"{number:04d}.json", content):
            number += 1
    return len(new)


def _known(folder: Path) -> dict[str, bool | float | str]:
    """Return the labels that people gave, by key; of several for a row, the last."""
    known: dict[str, bool | float | str] = {}
    for path in sorted(folder.glob("[0-9]*.json")):
        known |= HandLabels.model_validate_json(path.read_bytes()).labels
    return known


def compare_labels(spec: Spec, window: Window, settings: Settings, new: int = 0) -> Comparison:
    """Estimate a window's cost from what people labelled, beside the estimate without labels.

    Raises
    ------
    EvidenceError
        If a stratum has no label: nothing is known of its rows.
    """
    problem, gold = problem_of(spec), spec.gold
    folder = _folder(spec, window, settings)
    sample, known = pd.read_parquet(folder / SAMPLE_FILE), _known(folder)
    path = settings.lake(spec.name).predictions / f"{window.key}.parquet"
    stored = pq.read_table(path, filters=[("is_decision", "==", True)]).to_pandas()
    labelled = sample[sample[gold.key].isin(known)]
    decided = stored.set_index(gold.key).loc[labelled[gold.key]]
    labels = np.array([known[key] for key in labelled[gold.key]])
    losses = problem.losses_of(decided.reset_index(), labels) if len(labels) else np.empty(0)
    sizes = dict(zip(sample["_stratum"], sample["_rows"].astype(int), strict=True))
    return Comparison(
        window=window,
        new=new,
        labelled=len(labelled),
        asked=len(sample),
        sampled=stratified_mean(losses, labelled["_stratum"], sizes, confidence=0.95),
        estimated=_estimated(spec, window, settings),
    )


def _estimated(spec: Spec, window: Window, settings: Settings) -> float | None:
    path = settings.lake(spec.name).monitoring / "estimates" / f"{window.key}.parquet"
    if not path.exists():
        return None
    found = duckdb.execute(
        "select estimated from read_parquet(?) where cohort = ? and measure = ? and day is null "
        "and age_days is null",
        [str(path), window.key, COST],
    ).fetchone()
    return None if found is None else float(found[0])


def _folder(spec: Spec, window: Window, settings: Settings) -> Path:
    return settings.lake(spec.name).labels / window.key
