"""Kills a landing again and again, and checks that the next one leaves what it would have left.

Run in a process of its own, which has no threads when it forks: `killed_landing.py SPEC HOME
WINDOW [SECONDS ...]`. Without seconds, landings are killed before and after each moment at which a
file takes its place; with them, after so much time. Prints how many landings were killed.

`killed_landing.py SPEC HOME WINDOW CSV` does the same with replays of a corrected quarantine.
"""

import itertools
import os
import shutil
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas  # noqa: F401  # PyArrow looks for it: once here, not in every fork

from ratchet.feeds import land, replay_quarantine
from ratchet.settings import Settings
from ratchet.spec import Spec
from ratchet.window import Window

SPEC = Spec.model_validate_json(Path(sys.argv[1]).read_text())
SETTINGS = Settings(Path(sys.argv[2]), Path(sys.argv[2]))
WINDOW = Window.parse(sys.argv[3])
CORRECTED = [Path(argument) for argument in sys.argv[4:] if argument.endswith(".csv")]
DELAYS = [float(seconds) for seconds in sys.argv[4:] if not CORRECTED]
LAKE = SETTINGS.lake(SPEC.name).root
BEFORE = LAKE.with_name("before")


def written(pattern: str) -> dict[Path, bytes]:
    """Return the lake's files, but for what killed writers left aside."""
    paths = [path for path in LAKE.glob(pattern) if path.is_file() and ".tmp-" not in str(path)]
    # an entry of the ledger says when it was recorded
    return {path: b"" if "ledger" in path.parts else path.read_bytes() for path in paths}


def die_at(step: int) -> None:
    """Arm this process: it dies at the n-th moment before or after a file takes its place."""
    left = itertools.count(step, -1)

    def count_down() -> None:
        if next(left) == 0:
            os.kill(os.getpid(), signal.SIGKILL)

    def armed(function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any) -> Any:
            count_down()
            result = function(*args)
            count_down()
            return result

        return call

    os.replace, os.link = armed(os.replace), armed(os.link)


def land_and_die(step: int | None = None, delay_s: float | None = None) -> bool:
    """Land in a fork; return whether it was killed before it ended."""
    pid = os.fork()
    if pid == 0:
        if step is not None:
            die_at(step)
        if CORRECTED:
            replay_quarantine(SPEC, CORRECTED[0], SETTINGS, "Ada", "Measured again.")
        else:
            land(SPEC, WINDOW, SETTINGS, "run")
        os._exit(0)
    if delay_s is not None:
        time.sleep(delay_s)
        os.kill(pid, signal.SIGKILL)
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    assert code in (0, -signal.SIGKILL), f"the landing failed with {code}"
    return code != 0


def reset() -> None:
    """Make the lake what it was at the start."""
    shutil.rmtree(LAKE, ignore_errors=True)
    if BEFORE.exists():
        shutil.copytree(BEFORE, LAKE)


def main() -> None:
    if LAKE.exists():
        shutil.copytree(LAKE, BEFORE)
    earlier = written("landing/*/*/accepted.parquet")
    assert not land_and_die()
    whole = written("**/*")
    rows = written("landing/*/*/accepted.parquet")
    assert rows
    assert rows != earlier
    deaths: Any = [{"delay_s": delay} for delay in DELAYS]
    deaths = deaths or ({"step": step} for step in itertools.count())
    killed = 0
    for death in deaths:
        reset()
        if not land_and_die(**death):
            break
        killed += 1
        left = written("landing/*/*/accepted.parquet")
        assert all(content in (earlier.get(path), rows[path]) for path, content in left.items())
        assert not land_and_die()
        assert written("**/*") == whole, death
        land_and_die(**death)
        assert written("landing/*/*/accepted.parquet") == rows, death
        assert not land_and_die()
        assert written("**/*") == whole, death
    print(killed)  # noqa: T201


if __name__ == "__main__":
    main()
