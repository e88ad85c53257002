"""Where everything lies. All of it follows from environment variables.

`RATCHET_HOME` is the folder that holds all state (default: `.ratchet` beside the project's
README). `RATCHET_USE_CASES` is the folder of specs (default: `include/use_cases`).
`RATCHET_LEDGER` is where the ledgers lie, a folder or `s3://bucket/prefix` (default: in the lake).
`RATCHET_REGION` says in which region that home lies, for use cases whose data must stay in one.
`RATCHET_PORT` is where the local Airflow listens if the port is free, else anywhere (default: 8080;
0 is any free port).
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from ratchet.errors import SettingError
from ratchet.window import Window

PROJECT = Path(__file__).resolve().parents[2]
_LAST_PORT = 65_535


@dataclass(frozen=True)
class LedgerPlace:
    """Where a use case's ledger lies.

    `folder` holds its entries, or this machine's copies of them if they lie at `origin`, which is a
    folder or an S3 URL.
    """

    folder: Path
    origin: str | None = None


@dataclass(frozen=True)
class Lake:
    """The folders of one use case.

    `landing` holds what producers sent, one folder per feed and window. `warehouse` is the
    DuckDB file that only the pipeline opens; `published` is its read-only copy for everyone
    else. `releases` holds packaged candidates, `work` what a training run hands from task to task.
    """

    root: Path
    ledgers: str | None = None

    def landing(self, feed: str, window: Window) -> Path:
        """Folder of one feed's landed window: manifest, raw files, accepted and quarantined."""
        return self.root / "landing" / feed / window.key

    @property
    def warehouse(self) -> Path:
        """The pipeline's own DuckDB file. Locked while a build runs."""
        return self.root / "warehouse" / f"{self.root.name}.duckdb"

    @property
    def published(self) -> Path:
        """The read-only copy of the last build whose tests passed."""
        return self.root / "published" / f"{self.root.name}.duckdb"

    @property
    def snapshots(self) -> Path:
        """Folder of content-addressed training data: `<id>.parquet` and `<id>.json`."""
        return self.root / "snapshots"

    @property
    def predictions(self) -> Path:
        """Folder of predictions: `<window key>.parquet`."""
        return self.root / "predictions"

    @property
    def releases(self) -> Path:
        """Folder of registered releases: `<version>/`."""
        return self.root / "releases"

    @property
    def monitoring(self) -> Path:
        """Folder of what monitoring observed: `<table>/<window key>.parquet`."""
        return self.root / "monitoring"

    @property
    def incidents(self) -> Path:
        """Folder of what became of what was observed: findings, incidents, alerts by window."""
        return self.root / "incidents"

    @property
    def labels(self) -> Path:
        """Folder of predictions drawn to be labelled by hand, and of labels: `<window key>/`."""
        return self.root / "labels"

    @property
    def findings(self) -> Path:
        """Folder of what the checks on data said: `<family>/<window key>.parquet`."""
        return self.root / "findings"

    @property
    def blocks(self) -> Path:
        """Folder of what is or was blocked: `<window key>.parquet`."""
        return self.root / "blocks"

    @property
    def accepted(self) -> Path:
        """Folder of rows that a test found and a person accepts: `<sha256>.parquet`."""
        return self.root / "accepted"

    @property
    def ledger(self) -> LedgerPlace:
        """Folder of ledger entries, and where they come from if they lie elsewhere."""
        origin = f"{self.ledgers.rstrip('/')}/{self.root.name}" if self.ledgers else None
        return LedgerPlace(self.root / "ledger", origin)

    def work(self, window: Window) -> Path:
        """Folder in which one training run hands its results from task to task."""
        return self.root / "work" / window.key


@dataclass(frozen=True)
class Settings:
    """The folders of one installation, and the region in which they lie, if anybody has said.

    `ledger` is a folder or an S3 URL below which each use case has its ledger; None means the lake.
    """

    home: Path
    use_cases: Path
    region: str | None = None
    ledger: str | None = None
    port: int = 8080

    @classmethod
    def load(cls) -> Settings:
        """Read the settings from the environment."""
        home = os.environ.get("RATCHET_HOME") or PROJECT / ".ratchet"
        use_cases = os.environ.get("RATCHET_USE_CASES") or PROJECT / "include" / "use_cases"
        region = os.environ.get("RATCHET_REGION") or None
        ledger = os.environ.get("RATCHET_LEDGER") or None
        port = os.environ.get("RATCHET_PORT") or str(cls.port)
        if not port.isdecimal() or int(port) > _LAST_PORT:
            raise SettingError(f"RATCHET_PORT is {port!r}; write a number from 0 to {_LAST_PORT}")
        return cls(Path(home).resolve(), Path(use_cases).resolve(), region, ledger, int(port))

    def lake(self, use_case: str) -> Lake:
        """Folders of one use case."""
        return Lake(self.home / "lake" / use_case, self.ledger)

    @property
    def inbox(self) -> Path:
        """Folder in which producers leave files: `<use case>/<feed>/<feed>_<stamp>.csv`."""
        return self.home / "inbox"

    @property
    def reports_lineage(self) -> bool:
        """Whether somebody has named a target for OpenLineage events, as its client reads it."""
        if os.environ.get("OPENLINEAGE_DISABLED", "").lower() == "true":
            return False
        files = [Path("openlineage.yml"), Path.home() / ".openlineage" / "openlineage.yml"]
        return any(path.is_file() for path in files) or any(
            name in ("OPENLINEAGE_URL", "OPENLINEAGE_CONFIG")
            or name.startswith("OPENLINEAGE__TRANSPORT")
            for name, value in os.environ.items()
            if value
        )

    @property
    def mlflow(self) -> Path:
        """Folder of the local MLflow store and its artifacts."""
        return self.home / "mlflow"

    @property
    def mlflow_uri(self) -> str:
        """Tracking and registry URI: `MLFLOW_TRACKING_URI`, or the local SQLite store."""
        return os.environ.get("MLFLOW_TRACKING_URI") or f"sqlite:///{self.mlflow / 'mlflow.db'}"
