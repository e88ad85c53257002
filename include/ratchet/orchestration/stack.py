"""A real Airflow on one machine: its four services, SQLite, and secrets made on first use.

For production, see `docker-compose.yaml`. This stack serves the demo, replays, tests and
development; it listens on 127.0.0.1 only.
"""

from __future__ import annotations

import configparser
import json
import os
import secrets
import shutil
import socket
import subprocess
import sys
import time
from base64 import urlsafe_b64encode
from collections.abc import Iterator
from contextlib import suppress
from importlib.metadata import version
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import psutil

from ratchet.errors import OrchestrationError
from ratchet.settings import PROJECT, Settings
from ratchet.storage import write_atomic

SERVICES = {
    "api-server": ["api-server", "--workers", "1"],
    "scheduler": ["scheduler", "--skip-serve-logs"],
    "dag-processor": ["dag-processor"],
    "triggerer": ["triggerer", "--skip-serve-logs"],
}
USER = "admin"
_MARK = "RATCHET_STACK"  # in the environment of all that was started for a home, with its path
_HEALTHY_WITHIN_S = 300  # the first start of all compiles Airflow, beside whatever else is busy
_KILLS = 2
_STOPS_WITHIN_S = 4  # then they are killed: every stage can be, and runs again


class LocalAirflow:
    """Airflow's services in `RATCHET_HOME/airflow`, started and stopped as one.

    Parameters
    ----------
    settings
        Where all state lies.

    Notes
    -----
    The configuration is written once and then kept, so the password, the secrets and the port
    stay the same from one start to the next, and `AIRFLOW_HOME=… airflow …` works beside it.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self.home = settings.home / "airflow"
        self.logs = self.home / "logs"
        self._pids = self.home / "services.json"
        self._processes: dict[str, subprocess.Popen[bytes]] = {}

    @property
    def url(self) -> str:
        """Address of the UI and the REST API."""
        config = configparser.ConfigParser(interpolation=None)
        if not config.read(self.home / "airflow.cfg"):
            raise OrchestrationError(
                f"no Airflow was set up in {self.home}: `ratchet demo` does so; an answer needs "
                "the --level that it ran at"
            )
        return config["api"]["base_url"]

    @property
    def password(self) -> str:
        """The generated password of the user `admin`."""
        return str(json.loads((self.home / "passwords.json").read_text())[USER])

    def environment(self) -> dict[str, str]:
        """Environment for every process of this stack."""
        inherited = {
            key: value
            for key, value in os.environ.items()
            if not key.startswith("AIRFLOW_") and key != "PYTHONDONTWRITEBYTECODE"
        }
        return inherited | {
            "AIRFLOW_HOME": str(self.home),
            _MARK: str(self.home),
            "RATCHET_HOME": str(self._settings.home),
            "RATCHET_USE_CASES": str(self._settings.use_cases),
            "RATCHET_LEDGER": self._settings.ledger or "",
            "OMP_NUM_THREADS": "1",  # scikit-learn oversubscribes a small machine otherwise
            "DO_NOT_TRACK": "1",
            "MLFLOW_DISABLE_TELEMETRY": "true",
            "PYTHONUNBUFFERED": "1",
        }

    def configure(self) -> None:
        """Write Airflow's configuration, secrets and password, unless they are there."""
        path = self.home / "airflow.cfg"
        if path.exists():
            return
        self.home.mkdir(parents=True, exist_ok=True)
        passwords = self.home / "passwords.json"
        passwords.touch(mode=0o600)
        passwords.write_text(json.dumps({USER: secrets.token_urlsafe(12)}))
        config = configparser.ConfigParser(interpolation=None)
        config.read_dict(self._configuration(_free_port(self._settings.port)))
        path.touch(mode=0o600)
        with path.open("w") as file:
            config.write(file)

    def _configuration(self, port: int) -> dict[str, dict[str, object]]:
        url = f"http://127.0.0.1:{port}"
        return {
            "core": {
                "dags_folder": PROJECT / "dags",
                "plugins_folder": PROJECT / "plugins",
                "executor": "LocalExecutor",
                "parallelism": 4,
                "load_examples": False,
                "dags_are_paused_at_creation": False,
                "fernet_key": urlsafe_b64encode(secrets.token_bytes(32)).decode(),
                "simple_auth_manager_users": f"{USER}:admin",
                "simple_auth_manager_passwords_file": self.home / "passwords.json",
                "execution_api_server_url": f"{url}/execution/",
                "default_timezone": "utc",
            },
            "database": {
                "sql_alchemy_conn": f"sqlite:///{self.home / 'airflow.db'}?timeout=60",
                "sql_alchemy_max_overflow": -1,
            },
            "api": {
                "host": "127.0.0.1",
                "port": port,
                "base_url": url,
                "secret_key": secrets.token_urlsafe(32),
                "expose_config": False,
            },
            "api_auth": {"jwt_secret": secrets.token_urlsafe(64)},
            "scheduler": {
                "scheduler_idle_sleep_time": 0.1,
                "scheduler_health_check_threshold": 30,
                "orphaned_tasks_check_interval": 10,
                "task_instance_heartbeat_timeout": 60,
            },
            "workers": {"min_heartbeat_interval": 1},
            "dag_processor": {"refresh_interval": 10, "min_file_process_interval": 30},
            "logging": {"base_log_folder": self.logs},
            "usage_data_collection": {"enabled": False},
        }

    def start(self) -> Iterator[str]:
        """Start all services; yield what is being waited for.

        Raises
        ------
        OrchestrationError
            If a service ends, or is not healthy in time. Everything is stopped then.
        """
        self.stop()
        self.configure()
        self.logs.mkdir(parents=True, exist_ok=True)
        yield "Airflow's database"
        self._migrate()
        for name, command in SERVICES.items():
            self._launch(name, command)
        try:
            yield from self._until_healthy()
        except BaseException:
            self.stop()
            raise

    def _migrate(self) -> None:
        done = self.home / f"migrated-{version('apache-airflow')}"
        if done.exists():
            return
        log = self.logs / "migrate.log"
        with log.open("ab") as file:
            command = [_airflow(), "db", "migrate"]
            result = subprocess.run(command, env=self.environment(), stdout=file, stderr=file)
        if result.returncode:
            raise OrchestrationError(f"airflow db migrate failed; see {log}")
        done.touch()

    def _launch(self, name: str, command: list[str]) -> None:
        with (self.logs / f"{name}.log").open("ab") as log:
            self._processes[name] = subprocess.Popen(
                [_airflow(), *command],
                env=self.environment(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,  # Ctrl-C is ours to handle, so that they end in order
            )
        started = {
            n: [p.pid, psutil.Process(p.pid).create_time()] for n, p in self._processes.items()
        }
        write_atomic(self._pids, json.dumps(started).encode())

    def _until_healthy(self) -> Iterator[str]:
        deadline = time.monotonic() + _HEALTHY_WITHIN_S
        while waiting := self._unhealthy():
            self.check()
            if time.monotonic() > deadline:
                raise OrchestrationError(
                    f"{', '.join(waiting)} not healthy after {_HEALTHY_WITHIN_S} s; see {self.logs}"
                )
            yield ", ".join(waiting)
            time.sleep(0.2)

    def _unhealthy(self) -> list[str]:
        if not _listens(self._processes["api-server"].pid, urlsplit(self.url).port):
            return list(SERVICES)  # whoever answers there took the port meanwhile, and is not ours
        try:
            health = httpx.get(f"{self.url}/api/v2/monitor/health", timeout=5).json()
        except (httpx.HTTPError, ValueError):
            return list(SERVICES)
        parts = {name: name.replace("-", "_") for name in SERVICES if name != "api-server"}
        return [n for n, part in parts.items() if health.get(part, {}).get("status") != "healthy"]

    def check(self) -> None:
        """Raise OrchestrationError if a service of this stack has ended."""
        for name, process in self._processes.items():
            if process.poll() is not None:
                raise OrchestrationError(
                    f"Airflow's {name} ended with status {process.returncode}; "
                    f"see {self.logs / name}.log, then run the same command again"
                )

    def stop(self) -> None:
        """End all services and what they started, also those of a run that was killed."""
        recorded = json.loads(self._pids.read_text()) if self._pids.exists() else {}
        leaders = [pid for pid, created in recorded.values() if not _reused(pid, created)]
        leaders += [process.pid for process in self._processes.values()]
        leaders += _marked(self.home)
        family = _groups(set(leaders))
        for member in family:
            if member.pid in leaders:
                with suppress(psutil.NoSuchProcess):
                    member.terminate()
        psutil.wait_procs(family, timeout=_STOPS_WITHIN_S)
        for _ in range(_KILLS):  # a worker may have been forked while the others were ending
            for survivor in (survivors := _groups(set(leaders))):
                with suppress(psutil.NoSuchProcess):
                    survivor.kill()
            psutil.wait_procs(survivors, timeout=1)
        for process in self._processes.values():
            process.wait()
        self._processes.clear()
        self._pids.unlink(missing_ok=True)


def _listens(pid: int, port: int | None) -> bool:
    """Return whether a process, or one that it started, accepts connections on a port."""
    with suppress(psutil.Error):
        leader = psutil.Process(pid)
        return any(
            connection.status == psutil.CONN_LISTEN and connection.laddr.port == port
            for process in (leader, *leader.children(recursive=True))
            for connection in process.net_connections(kind="tcp")
        )
    return False


def _reused(pid: int, created: float) -> bool:
    """Return whether another process has a pid now than the one that was started."""
    try:
        return bool(psutil.Process(pid).create_time() != created)
    except psutil.NoSuchProcess:
        return False


def _marked(home: Path) -> list[int]:
    """Return leaders that were started for a home, also one that nobody had the time to record."""
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error, OSError):
            leads = os.getpgid(process.pid) == process.pid
            if leads and process.environ().get(_MARK) == str(home):
                found.append(process.pid)
    return found


def _groups(leaders: set[int]) -> list[psutil.Process]:
    """Return the members of process groups and their descendants, also of those without a leader.

    A worker outlives a scheduler that was killed; it stays in its group.
    """
    found: dict[int, psutil.Process] = {}
    for process in psutil.process_iter():
        with suppress(psutil.Error, ProcessLookupError):
            if os.getpgid(process.pid) in leaders:
                members = [process, *process.children(recursive=True)]
                found |= {member.pid: member for member in members}
    return list(found.values())


def _airflow() -> str:
    beside = Path(sys.executable).with_name("airflow")
    found = str(beside) if beside.exists() else shutil.which("airflow")
    if not found:
        raise OrchestrationError("Airflow is not installed; run: make env")
    return found


def _free_port(preferred: int) -> int:
    """Return `preferred` if nothing listens there, else any free port of 127.0.0.1; 0 is any."""
    for port in (preferred, 0):
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return int(probe.getsockname()[1])
    raise OrchestrationError("no free port on 127.0.0.1")
