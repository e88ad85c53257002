"""Training a release again, and saying what differs."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ratchet.registry.release import (
    Release,
    code_sha256,
    load_release,
    lock_sha256,
    platform_id,
)
from ratchet.settings import Settings
from ratchet.spec import Spec
from ratchet.training import (
    HOLDOUT_FILE,
    JUDGED_FILE,
    MODEL_FILE,
    PROFILE_FILE,
    candidate_folder,
    refit,
    split,
    train,
)

if TYPE_CHECKING:
    import pandas as pd

    from ratchet.training import Candidate


@dataclass(frozen=True)
class Reproduction:
    """A release beside what was trained from the same snapshot by the same spec.

    `rows` is the size of the holdout, and `rows_that_differ` how many of its answers, or decisions
    on them, are not the same to the last bit. `files_that_differ` are of those that training
    writes. `causes` says in sentences what else is not as it was.
    """

    version: str
    rows: int
    rows_that_differ: int
    files_that_differ: tuple[str, ...]
    causes: tuple[str, ...]

    @property
    def is_same(self) -> bool:
        """Whether it came out the same, to the last bit."""
        return not (self.rows_that_differ or self.files_that_differ)


def reproduce(spec: Spec, version: str, settings: Settings) -> Reproduction:
    """Train a release again in a scratch folder: from its snapshot, with the spec it carries.

    Parameters that were searched for are taken from the release; they are not searched for again.
    What was fitted again after it was accepted is fitted twice. Neither the registry nor the lake
    is touched.

    Raises
    ------
    ReleaseError
        If the release is missing or not intact.
    SnapshotError
        If its snapshot is.
    TrainingError
        If it can't be fitted any more.
    """
    import pandas as pd

    release = load_release(spec, version, settings)
    with tempfile.TemporaryDirectory(prefix="ratchet-reproduce-") as scratch:
        copy = replace(settings, home=Path(scratch))
        snapshots = copy.lake(release.spec.name).snapshots
        snapshots.mkdir(parents=True)
        for path in settings.lake(spec.name).snapshots.glob(f"{release.manifest.snapshot_id}.*"):
            (snapshots / path.name).symlink_to(path)
        name = release.manifest.candidate
        trained = train(
            release.spec,
            release.window,
            release.manifest.snapshot_id,
            name,
            copy,
            release.candidate.search,
        )
        folder = candidate_folder(release.spec, release.window, name, copy)
        compared = [MODEL_FILE, PROFILE_FILE]
        if release.candidate.judged:
            again = Path(scratch) / "refitted"
            trained = refit(release.spec, release.window, folder, again, copy)
            folder, compared = again, [*compared, JUDGED_FILE]
        then, now = stored_answers(release), pd.read_parquet(folder / HOLDOUT_FILE)
        return Reproduction(
            version=version,
            rows=len(then),
            rows_that_differ=rows_that_differ(now, then),
            files_that_differ=tuple(
                file for file in compared if (folder / file).read_bytes() != release.read(file)
            ),
            causes=tuple(_causes(release, trained)),
        )


def stored_answers(release: Release) -> pd.DataFrame:
    """Return what a release answered, and decided, in training: one row a unit of the holdout."""
    import pandas as pd

    return pd.read_parquet(BytesIO(release.read(HOLDOUT_FILE)))


def answers_on_holdout(release: Release, settings: Settings) -> pd.DataFrame:
    """Let a release answer its holdout again, as `stored_answers` has it."""
    import pandas as pd

    from ratchet.warehouse import load_snapshot

    spec = release.spec
    snapshot = load_snapshot(spec, release.manifest.snapshot_id, settings)
    rows = split(snapshot, spec, release.window).holdout
    columns = release.problem.decide(release.answers(rows), rows)
    return pd.DataFrame({spec.gold.key: rows[spec.gold.key].to_numpy(), **columns})


def rows_that_differ(now: pd.DataFrame, then: pd.DataFrame) -> int:
    """Count the rows that are not the same to the last bit; all of them if shapes differ."""
    if list(now.columns) != list(then.columns) or len(now) != len(then):
        return max(len(now), len(then))
    differs = np.zeros(len(then), bool)
    for name in then.columns:
        differs |= _bits(now[name]) != _bits(then[name])
    return int(differs.sum())


def _bits(column: pd.Series) -> NDArray[np.generic]:
    """Return values that are equal if and only if all bits are; NaN is one of them."""
    values = column.to_numpy()
    return values.view(np.int64) if values.dtype == np.float64 else values.astype(str)


def _causes(release: Release, trained: Candidate) -> Iterator[str]:
    """Yield what differs between then and now that a model may depend on."""
    then, manifest = release.candidate, release.manifest
    for name in sorted({*then.versions, *trained.versions}):
        was, is_now = (each.versions.get(name, "not used") for each in (then, trained))
        if was != is_now:
            yield f"{name} was {was}, and is {is_now}"
    if manifest.platform != platform_id():
        yield f"the platform was {manifest.platform}, and is {platform_id()}"
    if manifest.code_sha256 != code_sha256():
        at = f"; check out {manifest.commit}" if manifest.commit else ""
        yield f"Ratchet's own code is not what it was{at}"
    if manifest.lock_sha256 != lock_sha256():
        yield "requirements.txt is not what it was"
    noted, found = (each.model_dump(exclude={"versions"}) for each in (then, trained))
    if changed := [name for name in noted if noted[name] != found[name]]:
        yield f"the record of the training differs in {', '.join(changed)}"
