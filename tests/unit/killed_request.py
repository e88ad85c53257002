"""Decides on retrainings, announces them and takes them up, in forks that are killed where told.

`killed_request.py SPEC` reads lines of JSON: a home, and a list of steps `[step, window, run]` that
are done at once. `decide` decides, `announce` also says how much there is to announce, `take_up` is
a run that takes up a request; each is killed then, unless its name ends with `-`. `record` is a run
that is killed as soon as the ledger has its entry. The answer says what each said and how it ended.

It is a process of its own, which has no threads when it forks, and imports everything once.
"""

import json
import os
import signal
import sys
from pathlib import Path

from situations import new_labels, observed

from ratchet.decision import Decision
from ratchet.ledger import Ledger
from ratchet.retraining import requests
from ratchet.retraining.record import Situation
from ratchet.settings import Settings
from ratchet.spec import Spec
from ratchet.window import Window

SPEC = Spec.model_validate_json(Path(sys.argv[1]).read_text())


def gather(spec: Spec, window: Window, settings: Settings) -> Situation:
    """Stand in for all that is measured: new labels ask for a retraining in every window."""
    observation = observed(window=window.key, new_labels=9000)
    past = requests.trainings(spec, settings, window)
    return new_labels(past=past).model_copy(update={"observation": observation})


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def do(step: str, window: Window, run: str, settings: Settings) -> list[str]:
    if step in ("take_up", "record"):
        return [str(requests.take_up(SPEC, window, settings, run))]
    said = [requests.decide_once(SPEC, window, settings).verdict]
    if step == "announce":
        said.append(f"announced {len(requests.waiting(SPEC, window, settings))}")
    return said


def die_after_recording() -> None:
    record = Ledger.record

    def record_and_die(self: Ledger, decision: Decision) -> Decision:
        record(self, decision)
        die()
        return decision

    Ledger.record = record_and_die  # type: ignore[method-assign]


def begin(home: str, step: str, key: str, run: str) -> tuple[int, int]:
    """Begin a step in a fork; return its id, and where to read what it says."""
    reads, writes = os.pipe()
    pid = os.fork()
    if pid:
        os.close(writes)
        return pid, reads
    if step == "record":
        die_after_recording()
    settings = Settings(Path(home), Path(home))
    said = do(step.removesuffix("-"), Window.parse(key), run, settings)
    os.write(writes, json.dumps(said).encode())
    if not step.endswith("-"):
        die()
    os._exit(0)


def end(pid: int, reads: int) -> tuple[list[str], int]:
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    with os.fdopen(reads) as said:
        text = said.read()
    return (json.loads(text) if text else []), code


def main() -> None:
    requests.gather = gather  # type: ignore[assignment]
    for line in sys.stdin:
        home, steps = json.loads(line)
        begun = [begin(home, *step) for step in steps]
        print(json.dumps([end(*each) for each in begun]), flush=True)  # noqa: T201


if __name__ == "__main__":
    main()
