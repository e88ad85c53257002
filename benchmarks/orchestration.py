"""What Airflow adds: the loop through real DAG runs, against the same stages in one process.

Both run January, February and the same weeks after it, from empty homes, one after the other.
Starting Airflow is not counted; everything from the first DAG run to the last is.

    python benchmarks/orchestration.py --weeks 6
"""

from __future__ import annotations

import argparse
import tempfile
import time
from itertools import islice
from pathlib import Path

from loop import prepare, run_window

from ratchet.orchestration.client import AirflowClient
from ratchet.orchestration.pools import warehouse_pool
from ratchet.orchestration.replay import Replay, windows
from ratchet.orchestration.stack import USER, LocalAirflow


def in_one_process(home: Path, weeks: int) -> list[float]:
    """Return the seconds of each window, run as plain calls."""
    spec, settings = prepare(home)
    return [
        sum(run_window(spec, window, settings).values())
        for window in islice(windows(spec), weeks + 1)
    ]


def in_airflow(home: Path, weeks: int) -> list[float]:
    """Return the seconds of each window, run as DAG runs."""
    spec, settings = prepare(home)
    airflow = LocalAirflow(settings)
    try:
        for _ in airflow.start():
            pass
        client = AirflowClient(airflow.url, USER, airflow.password)
        client.add_pool(warehouse_pool(spec), slots=1)
        replay = Replay(spec, settings, airflow, client, tell=lambda _: None, ask=lambda _: None)
        replay.wait_for_dags()
        seconds = []
        for window in islice(windows(spec), weeks + 1):
            started = time.perf_counter()
            replay.advance(window)
            seconds.append(time.perf_counter() - started)
        return seconds
    finally:
        airflow.stop()


def main() -> None:
    """Print the seconds of each window both ways, and the ratio over all of them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--weeks", type=int, default=6)
    weeks = parser.parse_args().weeks
    with tempfile.TemporaryDirectory() as plain, tempfile.TemporaryDirectory() as real:
        bare = in_one_process(Path(plain), weeks)
        orchestrated = in_airflow(Path(real), weeks)
    for number, (a, b) in enumerate(zip(orchestrated, bare, strict=True)):
        print(f"window {number}: Airflow {a:6.2f} s, one process {b:6.2f} s, ratio {a / b:.2f}")
    print(f"all: ratio {sum(orchestrated) / sum(bare):.2f}")
    print(f"weeks only: ratio {sum(orchestrated[1:]) / sum(bare[1:]):.2f}")


if __name__ == "__main__":
    main()
