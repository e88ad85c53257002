"""MLflow: where people look up runs, versions and aliases.

What is decided stands in the ledger, and what is deployed in the lake's releases: neither scoring
nor a gate waits for MLflow. It is written so that a task that was killed can be run again: a run
counts once it is finished, a version is made in one step, and all else is found by tags. Runs
carry the time of their window, like everything that is replayed.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ratchet.ledger import Anchor
from ratchet.problems import problem_of
from ratchet.settings import Settings
from ratchet.spec import Spec
from ratchet.training import CANDIDATE_FILE, MODEL_FILE, TRUSTED_TYPES, Candidate
from ratchet.window import Window

if TYPE_CHECKING:
    from mlflow.entities.model_registry import ModelVersion
    from mlflow.tracking import MlflowClient

CHALLENGER, CHAMPION = "challenger", "champion"
VERDICT = "verdict"
ANCHOR = "ledger"
_BATCH = 1000  # metrics that MLflow takes at once


def initialise(settings: Settings) -> None:
    """Make or migrate the tracking store.

    It takes seconds, and two processes that do it at once get in each other's way: an
    installation calls it once, before anything else.
    """
    connect(settings)


def connect(settings: Settings) -> MlflowClient:
    """Return a client of the installation's tracking store and registry."""
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    os.environ.setdefault("MLFLOW_LOGGING_LEVEL", "WARNING")
    settings.mlflow.mkdir(parents=True, exist_ok=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # MLflow's own, on loading its store
        from mlflow.tracking import MlflowClient

        return MlflowClient(settings.mlflow_uri, settings.mlflow_uri)


@dataclass(frozen=True)
class Tracking:
    """The experiment and the registered model of one use case; both bear its name."""

    client: MlflowClient
    name: str
    experiment_id: str
    method: str

    @classmethod
    def of(cls, spec: Spec, settings: Settings) -> Tracking:
        """Find them, or make them."""
        client = connect(settings)
        experiment = client.get_experiment_by_name(spec.name)
        if experiment is not None:
            experiment_id = experiment.experiment_id
        else:
            local = settings.mlflow_uri.startswith("sqlite:")
            artifacts = (settings.mlflow / "artifacts" / spec.name).as_uri() if local else None
            experiment_id = client.create_experiment(spec.name, artifacts)
        if not client.search_registered_models(f"name = '{spec.name}'"):
            client.create_registered_model(spec.name, description=spec.title)
        return cls(client, spec.name, experiment_id, problem_of(spec).method)

    def remove_unfinished_runs(self, window: Window) -> None:
        """Remove what a killed task left of a window's runs."""
        filters = f"tags.window = '{window.key}' and attributes.status = 'RUNNING'"
        for run in self.client.search_runs([self.experiment_id], filters):
            self.client.delete_run(run.info.run_id)

    def log_run(
        self,
        window: Window,
        tags: Mapping[str, str],
        params: Mapping[str, object],
        metrics: Mapping[str, float],
        release: Path | None = None,
        series: Mapping[str, Sequence[float | None]] | None = None,
    ) -> str:
        """Log a finished run, unless one with the same tags exists; return its id.

        Parameters
        ----------
        release
            Folder of what becomes a version.
        series
            Metrics that have a value at each step, or None.
        """
        from mlflow.entities import Metric, Param

        tags = {"use_case": self.name, "window": window.key, **tags}
        filters = " and ".join(f"tags.{key} = '{value}'" for key, value in tags.items())
        found = self.client.search_runs(
            [self.experiment_id], f"{filters} and attributes.status = 'FINISHED'", max_results=1
        )
        if found:
            return str(found[0].info.run_id)
        moment = int(window.end.timestamp() * 1000)
        run = self.client.create_run(
            self.experiment_id, moment, dict(tags), f"{window.end:%Y-%m-%d} {tags['name']}"
        )
        logged = [Metric(key, value, moment, 0) for key, value in metrics.items()]
        logged += [
            Metric(key, value, moment, step)
            for key, values in (series or {}).items()
            for step, value in enumerate(values)
            if value is not None
        ]
        told = [Param(key, str(value)) for key, value in params.items()]
        for first in range(0, max(len(logged), 1), _BATCH):
            self.client.log_batch(
                run.info.run_id, logged[first : first + _BATCH], [] if first else told
            )
        if release is not None:
            with tempfile.TemporaryDirectory() as scratch:
                folder = shutil.copytree(release, Path(scratch) / "model")
                _describe_model(folder, self.method)
                self.client.log_artifacts(run.info.run_id, str(folder), "model")
        self.client.set_terminated(run.info.run_id, end_time=moment)
        return str(run.info.run_id)

    def version(self, identity: str) -> ModelVersion | None:
        """Find the version of a release; see `Manifest.identity`."""
        filters = f"name = '{self.name}' and tags.identity = '{identity}'"
        return next(iter(self.client.search_model_versions(filters)), None)

    def create_version(self, run_id: str, tags: Mapping[str, str]) -> ModelVersion:
        """Register a run's model."""
        source = f"{self.client.get_run(run_id).info.artifact_uri}/model"
        return self.client.create_model_version(self.name, source, run_id, dict(tags))

    def tag_verdict(self, version: str, verdict: str) -> None:
        """Say what became of a version; it is the challenger no longer."""
        self.client.set_model_version_tag(self.name, version, VERDICT, verdict)
        aliases = self.client.get_registered_model(self.name).aliases
        if str(aliases.get(CHALLENGER)) == version:  # the SQL store gives an int, the server text
            self.client.delete_registered_model_alias(self.name, CHALLENGER)

    def tag_anchor(self, version: str, anchor: Anchor) -> None:
        """Remember the ledger's entry of a version's promotion, where the ledger is not."""
        self.client.set_model_version_tag(self.name, version, ANCHOR, str(anchor))

    def anchors(self) -> list[Anchor]:
        """Return the entries that versions remember."""
        return [
            Anchor.parse(found.tags[ANCHOR], f"MLflow's version {found.version}")
            for found in self.client.search_model_versions(f"name = '{self.name}'")
            if ANCHOR in found.tags
        ]

    def log_card(self, version: str, paths: Sequence[Path]) -> None:
        """Put the files of a version's card beside its model, in place of those of before."""
        run_id = self.client.get_model_version(self.name, version).run_id
        for path in paths:
            self.client.log_artifact(run_id, str(path), "card")

    def set_alias(self, alias: str, version: str) -> None:
        """Let an alias point to a version."""
        self.client.set_registered_model_alias(self.name, alias, version)


def log_card(spec: Spec, version: str, paths: Sequence[Path], settings: Settings) -> None:
    """Put the files of a release's model card beside its model in MLflow."""
    Tracking.of(spec, settings).log_card(version, paths)


def _describe_model(folder: Path, method: str) -> None:
    """Write the file that makes a folder a model to MLflow.

    `mlflow.sklearn.save_model` would fit the environment's requirements to the model by importing
    it in another process, and store the model a second time.
    """
    import sklearn
    from mlflow.models import Model

    candidate = Candidate.model_validate_json((folder / CANDIDATE_FILE).read_bytes())
    trusted = [*TRUSTED_TYPES, *candidate.trusted_types]
    common = {"serialization_format": "skops", "skops_trusted_types": trusted}
    model = Model()
    model.add_flavor(
        "sklearn", pickled_model=MODEL_FILE, sklearn_version=sklearn.__version__, **common
    )
    model.add_flavor(
        "python_function",
        loader_module="mlflow.sklearn",
        model_path=MODEL_FILE,
        predict_fn=method,
    )
    model.save(str(folder / "MLmodel"))
