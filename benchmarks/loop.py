"""The loop of one window as plain calls in one process: what Airflow is measured against."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args

import pandas as pd

from ratchet.evaluation import evaluate, judge, load_evidence
from ratchet.feeds import land
from ratchet.feeds.sample_flights import write_flights_inbox
from ratchet.incidents import deliver, judge_window, open_incidents
from ratchet.ledger import Ledger
from ratchet.monitoring import observe, watch
from ratchet.orchestration.replay import windows
from ratchet.quality import (
    check_feeds,
    check_freshness,
    check_segments,
    check_snapshot,
    judge_snapshot,
)
from ratchet.registry import initialise, log_card, promote, refuse, register
from ratchet.reporting import write_card
from ratchet.retraining import decide_once, take_up, waiting, watch_champion
from ratchet.serving import score
from ratchet.settings import Settings
from ratchet.spec import Spec, load_spec
from ratchet.training import train
from ratchet.warehouse import Layer, build, load_snapshot, publish, take_snapshot
from ratchet.window import Window


def prepare(home: Path) -> tuple[Spec, Settings]:
    """Make an empty home with the producers' files in it."""
    settings = Settings(home=home, use_cases=Settings.load().use_cases)
    write_flights_inbox(settings.inbox)
    initialise(settings)
    return load_spec(settings.use_cases / "flights.yaml"), settings


def build_year(home: Path) -> tuple[Spec, Settings]:
    """Land, build and publish all of 2013 at once."""
    spec, settings = prepare(home)
    every = list(windows(spec))
    for window in every:
        land(spec, window, settings, "benchmark")
    for layer in get_args(Layer):
        build(spec, every[-1], layer, settings, "benchmark")
    publish(spec, every[-1], settings)
    return spec, settings


def labelled_year(snapshot: Path | None) -> tuple[Spec, pd.DataFrame]:
    """Return all labelled decisions of 2013, from a file or from a year that is built for it."""
    if snapshot:
        return load_spec(Settings.load().use_cases / "flights.yaml"), pd.read_parquet(snapshot)
    with tempfile.TemporaryDirectory() as home:
        spec, settings = build_year(Path(home))
        # a sample of the old rows would not do: windows of spring are asked for, too
        training = spec.training.model_copy(update={"max_rows": None})
        whole = spec.model_copy(update={"training": training})
        taken = take_snapshot(whole, list(windows(spec))[-1], settings)
        return spec, load_snapshot(whole, taken.id, settings)


def run_window(
    spec: Spec,
    window: Window,
    settings: Settings,
    clock: Callable[[], float] = time.perf_counter,
) -> dict[str, float]:
    """Run every stage of a level 2 window in a row; return the seconds of each, by a clock."""
    seconds: dict[str, float] = {}

    def timed(name: str, function: Callable[..., Any], *arguments: Any) -> Any:
        started = clock()
        result = function(*arguments)
        seconds[name] = seconds.get(name, 0.0) + clock() - started
        return result

    stage = (spec, window, settings)
    ledger = Ledger(settings.lake(spec.name).ledger)
    timed("land", land, *stage, "benchmark")
    for layer in ("bronze", "silver", "gold"):
        timed(f"build_{layer}", build, spec, window, layer, settings, "benchmark")
    timed("check_feeds", check_feeds, *stage)
    timed("check_feeds", check_freshness, *stage)
    timed("check_segments", check_segments, *stage)
    timed("publish", publish, *stage)
    timed("score", score, *stage)
    timed("observe", observe, *stage)
    timed("watch", watch, *stage)
    timed("judge_window", judge_window, *stage)
    timed("notify", open_incidents, *stage)
    timed("notify", deliver, spec, settings, lambda *_: None)
    timed("watch_champion", watch_champion, *stage)
    timed("decide", decide_once, *stage)
    if waiting(*stage):
        reason = take_up(*stage, window.key)
        snapshot_id = timed("snapshot", take_snapshot, *stage).id
        findings = timed("check_snapshot", check_snapshot, spec, window, snapshot_id, settings)
        usable = ledger.record(judge_snapshot(findings, spec, window, snapshot_id))
        if usable.verdict != "accepted":
            return seconds
        for estimator in spec.training.estimators:
            timed(f"train_{estimator}", train, spec, window, snapshot_id, estimator, settings)
        timed("evaluate", evaluate, spec, window, snapshot_id, settings)
        version = timed("register", register, *stage, reason)
        decision = ledger.record(judge(load_evidence(*stage), spec))
        accepted = decision.verdict == "accepted"
        timed("promote", promote if accepted else refuse, spec, window, settings, version)
        card = timed("card", write_card, spec, version, settings)
        timed("card", log_card, spec, version, card, settings)
    return seconds
