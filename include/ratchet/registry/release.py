"""The unit that goes forward and comes back: a folder whose every byte is accounted for."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict, FiniteFloat

import ratchet
from ratchet.errors import ReleaseError
from ratchet.explanations import EXPLANATIONS_FILE, Explanations, reasons
from ratchet.problems import problem_of
from ratchet.settings import PROJECT, Settings
from ratchet.spec import Spec
from ratchet.training import (
    CANDIDATE_FILE,
    MODEL_FILE,
    PROFILE_FILE,
    Candidate,
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


class Manifest(BaseModel):
    """What a release consists of.

    `files` maps each file to its SHA-256. `code_sha256` is that of Ratchet's own sources, and
    `lock_sha256` that of the compiled requirements ("none" where they are not installed with it).
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    use_case: str
    window: str
    snapshot_id: str
    candidate: str
    expected_cost_per_unit: FiniteFloat
    code_sha256: str
    lock_sha256: str
    files: dict[str, str]


class Release(BaseModel):
    """A registered version, as `load_release` found and verified it.

    `spec` is its use case's of today. `sha256` is that of its manifest, and so of everything in
    it. `expected_cost_per_unit` is what
    it cost on its holdout, in the spec's unit.
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
    def profile(self) -> dict[str, Any]:
        """What its training data looked like: see `ratchet.training.build_profile`."""
        profile: dict[str, Any] = json.loads(self.read(PROFILE_FILE))
        return profile

    def answers(self, frame: pd.DataFrame) -> Answers:
        """Return the answer for each row; see `ratchet.problems.Problem.answer`."""
        model = load_model(self.read(MODEL_FILE), self.candidate.trusted_types)
        return problem_of(self.spec).answer(model, frame, self.candidate.features)

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
        model = load_model(self.read(MODEL_FILE), self.candidate.trusted_types)
        columns = frame[list(self.candidate.features)]
        return reasons(problem_of(self.spec), model, columns, found.reference, count)

    def read(self, name: str) -> bytes:
        """Return a file's content.

        Raises
        ------
        ReleaseError
            If it is missing, or not what the manifest says.
        """
        path = self.folder / name
        if name not in self.manifest.files or not path.exists():
            raise ReleaseError(f"{path} is missing; register its window again")
        content = path.read_bytes()
        if _sha256(content) != self.manifest.files[name]:
            raise ReleaseError(f"{path} was changed after it was released; it is not used")
        return content


def package(spec: Spec, window: Window, evidence: Evidence, settings: Settings, to: Path) -> str:
    """Write the best candidate's release to a new folder; return the SHA-256 of its manifest."""
    source = candidate_folder(spec, window, evidence.best, settings)
    to.mkdir(parents=True)
    names = (MODEL_FILE, CANDIDATE_FILE, PROFILE_FILE, EXPLANATIONS_FILE)
    for name in (name for name in names if (source / name).exists()):
        shutil.copyfile(source / name, to / name)
    (to / "evidence.json").write_text(evidence.model_dump_json(indent=1))
    (to / SPEC_FILE).write_text(spec.model_dump_json(indent=1))
    manifest = Manifest(
        use_case=spec.name,
        window=window.key,
        snapshot_id=evidence.snapshot_id,
        candidate=evidence.best,
        expected_cost_per_unit=evidence.candidates[evidence.best].quality.cost_per_unit,
        code_sha256=_code_sha256(),
        lock_sha256=_lock_sha256(),
        files={path.name: _sha256(path.read_bytes()) for path in sorted(to.iterdir())},
    )
    content = manifest.model_dump_json(indent=1).encode()
    (to / MANIFEST_FILE).write_bytes(content)
    return _sha256(content)


def load_release(spec: Spec, version: str, settings: Settings) -> Release:
    """Find a registered version in the lake, and verify all of its files.

    Raises
    ------
    ReleaseError
        If the version is not there, is incomplete, or a file is not what the manifest says.
    """
    folder = settings.lake(spec.name).releases / version
    try:
        content = (folder / MANIFEST_FILE).read_bytes()
        manifest = Manifest.model_validate_json(content)
        candidate = Candidate.model_validate_json((folder / CANDIDATE_FILE).read_bytes())
    except (FileNotFoundError, ValueError) as error:
        raise ReleaseError(f"{folder} is no release: {error}; register its window again") from error
    release = Release(
        spec=spec,
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


def _code_sha256() -> str:
    root = Path(ratchet.__file__).parent
    digests = (
        f"{path.relative_to(root)} {_sha256(path.read_bytes())}" for path in root.rglob("*.py")
    )
    return _sha256("\n".join(sorted(digests)).encode())


def _lock_sha256() -> str:
    lock = PROJECT / "requirements.txt"
    return _sha256(lock.read_bytes()) if lock.exists() else "none"
