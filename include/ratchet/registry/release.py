"""The unit that goes forward and comes back: a folder whose every byte is accounted for."""

from __future__ import annotations

import hashlib
import io
import json
import platform
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict, FiniteFloat

import ratchet
from ratchet.decision import Decision
from ratchet.errors import ReleaseError
from ratchet.explanations import EXPLANATIONS_FILE, Explanations, reasons
from ratchet.problems import Expectations, Problem, problem_of
from ratchet.settings import PROJECT, Settings
from ratchet.spec import Spec
from ratchet.storage import write_new
from ratchet.training import (
    CANDIDATE_FILE,
    EXPECTATIONS_FILE,
    JUDGED_FILE,
    MODEL_FILE,
    PROFILE_FILE,
    SAMPLE_FILE,
    Candidate,
    Profile,
    candidate_folder,
    load_model,
)
from ratchet.window import Window

if TYPE_CHECKING:
    import pandas as pd

    from ratchet.evaluation import Evidence
    from ratchet.problems import Answers

MANIFEST_FILE = "release.json"
SPEC_FILE = "spec.json"
RELEASED_EVIDENCE_FILE = "evidence.json"
DECISIONS_FILE = "decisions.json"
"""What was decided on a release. It comes after the release, so it lies beside what the manifest
lists, is written once, and its own hash stands in the ledger with the promotion."""

_READ_ONLY = 0o444
_DOES = (MODEL_FILE, CANDIDATE_FILE, PROFILE_FILE, SAMPLE_FILE, SPEC_FILE)


class Manifest(BaseModel):
    """What a release consists of.

    `files` maps each file to its SHA-256. `reason` is why the training was started. `commit` is
    that of the project, with "-dirty" if files differed from it (None where it is not installed
    from a repository); `code_sha256` is that of Ratchet's own sources, and `lock_sha256` that of
    the compiled requirements ("none" where they are not installed with it). `platform` is what the
    last bits of a sum may depend on. `judged` is the version that the gate judged, where this one
    was fitted again since.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    use_case: str
    window: str
    snapshot_id: str
    candidate: str
    expected_cost_per_unit: FiniteFloat
    reason: str
    commit: str | None
    code_sha256: str
    lock_sha256: str
    platform: str
    files: dict[str, str]
    judged: str | None = None

    @property
    def identity(self) -> str:
        """Hash of what the release does and was made of: training it again gives the same.

        What was measured on the way, like seconds, and who asked for it are left out.
        """
        told = self.model_dump(
            mode="json",
            exclude={"reason", "commit", "platform", "expected_cost_per_unit", "judged"},
        )
        told["files"] = {name: self.files[name] for name in _DOES}
        return _sha256(json.dumps(told, sort_keys=True).encode())


class Release(BaseModel):
    """A registered version, as `load_release` found and verified it.

    `spec` is the one that it was released with: its costs and thresholds go forward and come back
    with the model. `sha256` is that of its manifest, and so of everything in it.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    spec: Spec
    version: str
    sha256: str
    folder: Path
    manifest: Manifest
    candidate: Candidate

    @property
    def expected_cost_per_unit(self) -> float:
        """What it cost per decision on its holdout, in the spec's unit; lower is better."""
        return self.manifest.expected_cost_per_unit

    @property
    def profile(self) -> Profile:
        """What its training data looked like; ReleaseError if an older Ratchet wrote it."""
        try:
            return Profile.model_validate_json(self.read(PROFILE_FILE))
        except ValueError as error:
            raise ReleaseError(
                f"{self.folder / PROFILE_FILE} was written by another version of Ratchet; train "
                f"{self.manifest.window} again"
            ) from error

    @property
    def sample(self) -> pd.DataFrame:
        """Some of its training rows; see `ratchet.training.sample_reference`."""
        import pandas as pd

        rows: pd.DataFrame = pd.read_parquet(io.BytesIO(self.read(SAMPLE_FILE)))
        return rows

    @property
    def expectations(self) -> Expectations | None:
        """What its answers let one expect; None where they tell nothing, or nobody had looked."""
        if EXPECTATIONS_FILE not in self.manifest.files:
            return None
        return Expectations.model_validate_json(self.read(EXPECTATIONS_FILE))

    @property
    def problem(self) -> Problem:
        """How it decides on its answers, and what errors cost, as it was released."""
        return problem_of(self.spec)

    @property
    def window(self) -> Window:
        """The window at whose end it was trained."""
        return Window.parse(self.manifest.window)

    def load(self) -> Any:
        """Verify the model's bytes and return the model; raise ReleaseError if it can't be read."""
        return load_model(self.read(MODEL_FILE), self.candidate.trusted_types)

    def answers(self, frame: pd.DataFrame) -> Answers:
        """Return the answer for each row; see `ratchet.problems.Problem.answer`."""
        return self.problem.answer(self.load(), frame, self.candidate.features)

    def judged_answers(self, frame: pd.DataFrame) -> Answers:
        """Return the answer for each row of the model that the gate judged.

        It is another one than `answers` asks only where that was fitted again. It has not seen the
        labels of its own holdout, and so can be compared with a later candidate on rows that the
        refitted one has learned from.
        """
        if self.candidate.judged is None:
            return self.answers(frame)
        model = load_model(self.read(JUDGED_FILE), self.candidate.trusted_types)
        return self.problem.answer(model, frame, self.candidate.features)

    @property
    def judged_train_end(self) -> datetime:
        """The moment up to which that model learned from labels."""
        return (self.candidate.judged or self.candidate).train_end

    @property
    def explanations(self) -> Explanations | None:
        """What its answers rest on; None of a release that was made before that was measured."""
        if EXPLANATIONS_FILE not in self.manifest.files:
            return None
        return Explanations.model_validate_json(self.read(EXPLANATIONS_FILE))

    def reasons(self, frame: pd.DataFrame, count: int) -> list[str] | None:
        """Say for each row what moved the answer most; see `ratchet.explanations.reasons`."""
        if (found := self.explanations) is None:
            return None
        columns = frame[list(self.candidate.features)]
        return reasons(self.problem, self.load(), columns, found.reference, count)

    def read(self, name: str) -> bytes:
        """Return a file's content.

        Raises
        ------
        ReleaseError
            If it is missing, or not what the manifest says.
        """
        path = self.folder / name
        if name not in self.manifest.files or not path.is_file():
            raise ReleaseError(f"{path} is missing; register its window again")
        content = path.read_bytes()
        if _sha256(content) != self.manifest.files[name]:
            raise ReleaseError(f"{path} was changed after it was released; it is not used")
        return content


def package(
    spec: Spec,
    window: Window,
    evidence: Evidence,
    settings: Settings,
    reason: str,
    to: Path,
    refitted: tuple[Path, str] | None = None,
) -> Manifest:
    """Write the best candidate's release to a new folder, read-only; return its manifest.

    Whatever training, evaluation and explanation left in the candidate's folder goes with it.

    Parameters
    ----------
    refitted
        Folder to take instead of the candidate's, and the version that was judged.
    """
    made = refitted[0] if refitted else candidate_folder(spec, window, evidence.best, settings)
    shutil.copytree(made, to)
    (to / RELEASED_EVIDENCE_FILE).write_text(evidence.model_dump_json(indent=1))
    (to / SPEC_FILE).write_text(spec.model_dump_json(indent=1))
    files = sorted(path for path in to.rglob("*") if path.is_file())
    manifest = Manifest(
        use_case=spec.name,
        window=window.key,
        snapshot_id=evidence.snapshot_id,
        candidate=evidence.best,
        expected_cost_per_unit=evidence.candidates[evidence.best].quality.cost_per_unit,
        reason=reason,
        commit=_commit(),
        code_sha256=code_sha256(),
        lock_sha256=lock_sha256(),
        platform=platform_id(),
        files={path.relative_to(to).as_posix(): _sha256(path.read_bytes()) for path in files},
        judged=refitted[1] if refitted else None,
    )
    (to / MANIFEST_FILE).write_text(manifest.model_dump_json(indent=1))
    for path in (*files, to / MANIFEST_FILE):
        path.chmod(_READ_ONLY)
    return manifest


def seal(release: Release, decisions: Sequence[Decision]) -> str:
    """Lay down what was decided on a release, once; return the file's SHA-256.

    Raises
    ------
    ReleaseError
        If it is sealed with something else.
    """
    content = json.dumps([each.model_dump(mode="json") for each in decisions], indent=1).encode()
    path = release.folder / DECISIONS_FILE
    write_new(path, content)
    if path.read_bytes() != content:
        raise ReleaseError(
            f"{path} does not say what the ledger says; compare them with `ratchet ledger`, and "
            "remove the file if it was changed: it is written again"
        )
    path.chmod(_READ_ONLY)
    return _sha256(content)


def verify_seal(release: Release, files: Mapping[str, str]) -> None:
    """Raise ReleaseError unless a release's decisions are those that its promotion names."""
    path = release.folder / DECISIONS_FILE
    expected = files.get(f"releases/{release.version}/{DECISIONS_FILE}")
    if not path.is_file() or _sha256(path.read_bytes()) != expected:
        raise ReleaseError(
            f"{path} is missing, or was changed after it was sealed; restore it from a backup"
        )


def load_release(spec: Spec, version: str, settings: Settings) -> Release:
    """Find a registered version in the lake, and verify all of its files.

    Raises
    ------
    ReleaseError
        If the version is not there, is incomplete, or a file is not what the manifest says.
    """
    releases = settings.lake(spec.name).releases
    folder = releases / version
    if not folder.is_dir():
        found = [
            each.name for each in releases.glob("*") if each.name.isdecimal() and each.is_dir()
        ]
        others = sorted(found, key=int)
        raise ReleaseError(
            f"{folder} is no release: versions are {', '.join(others) or 'none'}; name one of "
            "them, or restore it from a backup"
        )
    try:
        content = (folder / MANIFEST_FILE).read_bytes()
        manifest = Manifest.model_validate_json(content)
        candidate = Candidate.model_validate_json((folder / CANDIDATE_FILE).read_bytes())
        released_with = Spec.model_validate_json((folder / SPEC_FILE).read_bytes())
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError, ValueError) as error:
        raise ReleaseError(f"{folder} is no release: {error}; register its window again") from error
    release = Release(
        spec=released_with,
        version=version,
        sha256=_sha256(content),
        folder=folder,
        manifest=manifest,
        candidate=candidate,
    )
    for name in manifest.files:
        release.read(name)
    return release


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def code_sha256() -> str:
    """Return the hash of Ratchet's own sources."""
    root = Path(ratchet.__file__).parent
    digests = (
        f"{path.relative_to(root)} {_sha256(path.read_bytes())}" for path in root.rglob("*.py")
    )
    return _sha256("\n".join(sorted(digests)).encode())


def lock_sha256() -> str:
    """Return the hash of the compiled requirements, "none" without them."""
    lock = PROJECT / "requirements.txt"
    return _sha256(lock.read_bytes()) if lock.exists() else "none"


def platform_id() -> str:
    """Name what the last bits of a sum may depend on: system, processor and C library."""
    cpus = Path("/proc/cpuinfo")
    lines = cpus.read_text().splitlines() if cpus.exists() else []
    model = next((line.partition(":")[2].strip() for line in lines if "model name" in line), "")
    parts = (platform.system(), platform.machine(), model, "".join(platform.libc_ver()))
    return " ".join(part for part in parts if part)


def _commit() -> str | None:
    git = shutil.which("git")
    if git is None:
        return None
    command = [git, "-C", str(PROJECT), "describe", "--always", "--dirty", "--abbrev=40"]
    found = subprocess.run([*command, "--exclude=*"], capture_output=True, text=True, check=False)  # noqa: S603
    return found.stdout.strip() or None
