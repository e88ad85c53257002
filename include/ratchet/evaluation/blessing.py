"""Having a packaged model served in a clean process. Whatever happens there, an answer comes."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from contextlib import suppress
from pathlib import Path

import pandas as pd
import psutil

from ratchet.evaluation.bless import BLESSING_FILE, ROWS_FILE, SPEC_FILE, other_versions
from ratchet.evaluation.evidence import Blessing
from ratchet.spec import Spec
from ratchet.storage import write_atomic
from ratchet.training import CANDIDATE_FILE, HOLDOUT_FILE, MODEL_FILE, Candidate

COMMAND = (  # like `-m ratchet.evaluation.bless`, but no garbage is looked for among imports
    "-c",
    "import gc; gc.disable(); import skops.io; from ratchet.evaluation.bless import main; main()",
)
TOLD = 300
"""Characters of what a failed process said last that are kept."""


def bless_in_clean_process(
    spec: Spec, candidate: Candidate, packaged: Path, rows: pd.DataFrame, kept: Path
) -> Blessing:
    """Serve a packaged model in a process that imports it afresh, with a limit of time.

    Parameters
    ----------
    packaged
        A candidate's folder.
    rows
        What it is asked: the rows that it answered in training, in that order.
    kept
        Folder of blessings by what was blessed, and by what is installed. What did not fail is
        measured once.
    """
    request = spec.model_dump_json().encode()
    files = [packaged / name for name in (MODEL_FILE, CANDIDATE_FILE, HOLDOUT_FILE)]
    installed = repr(sorted(other_versions(candidate.versions).items())).encode()
    digest = hashlib.sha256(b"".join([*(path.read_bytes() for path in files), request, installed]))
    path = kept / f"{digest.hexdigest()}.json"
    if path.exists():
        return Blessing.model_validate_json(path.read_bytes())
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        for file in files:
            shutil.copyfile(file, folder / file.name)
        (folder / SPEC_FILE).write_bytes(request)
        columns = dict.fromkeys([*candidate.features, *spec.read_columns])
        rows[list(columns)].to_parquet(folder / ROWS_FILE, index=False)
        failure = _run(folder, spec.evaluation.serving.max_seconds)
        if failure is None:
            try:
                blessing = Blessing.model_validate_json((folder / BLESSING_FILE).read_bytes())
            except (OSError, ValueError) as error:
                failure = f"it told nothing that can be read: {error}"
            else:
                write_atomic(path, blessing.model_dump_json(indent=1).encode())
                return blessing
    model = (packaged / MODEL_FILE).read_bytes()
    return Blessing(
        model_sha256=hashlib.sha256(model).hexdigest(),
        model_bytes=len(model),
        failure=failure,
        other_versions={},
    )


def _run(folder: Path, seconds: float) -> str | None:
    """Run the process; say what went wrong, None if nothing did."""
    log = folder / "log"
    with log.open("wb") as told:
        process = subprocess.Popen(  # noqa: S603 (our own module, in our own interpreter)
            [sys.executable, *COMMAND, str(folder)],
            env={**os.environ, "OMP_NUM_THREADS": "1"},
            stdin=subprocess.DEVNULL,
            stdout=told,
            stderr=told,
        )
        try:
            status = process.wait(seconds)
        except subprocess.TimeoutExpired:
            return f"it was not done after {seconds:g} s"
        finally:
            if process.returncode is None:
                _end(process)
    if status == 0:
        return None
    with log.open("rb") as file:
        file.seek(max(0, log.stat().st_size - 4 * TOLD))  # a character has 4 bytes at most
        last = file.read().decode(errors="replace").strip()[-TOLD:]
    how = f"signal {-status}" if status < 0 else f"status {status}"
    return f"it ended with {how}: {last}"


def _end(process: subprocess.Popen[bytes]) -> None:
    """End a process and all that it has started, like an estimator's own workers."""
    family = psutil.Process(process.pid).children(recursive=True)
    process.kill()
    for each in family:
        with suppress(psutil.NoSuchProcess):
            each.kill()
    process.wait()
