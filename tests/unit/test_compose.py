"""What production would start: checked against what is installed, as no container runs here."""

import json
import re
import runpy
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import yaml

from ratchet.settings import PROJECT

TEXT = (PROJECT / "docker-compose.yaml").read_text()
COMPOSE: dict[str, Any] = yaml.safe_load(TEXT)
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
DOCKERFILE = (PROJECT / "docker" / "Dockerfile").read_text()
EXAMPLE = (PROJECT / ".env.example").read_text()

# https://github.com/compose-spec/compose-spec/blob/main/spec.md: what we use of it
SERVICE_KEYS = {
    "build",
    "command",
    "depends_on",
    "environment",
    "healthcheck",
    "image",
    "init",
    "ports",
    "restart",
    "stop_grace_period",
    "volumes",
}
CONDITIONS = {"service_healthy", "service_completed_successfully"}
DURATION = re.compile(r"(\d+[hms])+")
TELEMETRY = {
    "DO_NOT_TRACK": "1",
    "DBT_SEND_ANONYMOUS_USAGE_STATS": "false",
    "MLFLOW_DISABLE_TELEMETRY": "true",
}
ONCE = {"airflow-init", "s3-init"}
LASTING = SERVICES.keys() - ONCE


def environment(name: str) -> dict[str, str]:
    found: dict[str, str] = SERVICES[name].get("environment", {})
    return found


def test_compose_services_are_all_that_production_needs():
    assert set(SERVICES) == {
        "postgres",
        "redis",
        "s3",
        "s3-init",
        "mlflow",
        "airflow-init",
        "api-server",
        "scheduler",
        "dag-processor",
        "triggerer",
        "worker",
    }


def test_compose_top_level_is_known_and_every_volume_used():
    assert {key for key in COMPOSE if not key.startswith("x-")} == {"name", "services", "volumes"}
    mounted = {volume.split(":")[0] for s in SERVICES.values() for volume in s.get("volumes", [])}
    files = {volume for volume in mounted if volume.startswith("./")}
    assert mounted - files == set(COMPOSE["volumes"])
    assert files
    assert all((PROJECT / file).is_file() for file in files)


@pytest.mark.parametrize("name", SERVICES)
def test_service_is_well_formed(name):
    service = SERVICES[name]
    assert service.keys() <= SERVICE_KEYS
    assert all(isinstance(value, str) for value in environment(name).values()), "quote it"
    assert all(isinstance(word, str) for word in service.get("command", [])), "quote it"
    for other, need in service.get("depends_on", {}).items():
        assert need["condition"] in CONDITIONS
        assert (need["condition"] == "service_healthy") == (other in LASTING)


@pytest.mark.parametrize("name", sorted(LASTING))
def test_service_that_lasts_is_checked_and_restarted(name):
    check = SERVICES[name]["healthcheck"]
    assert check["test"][0] in ("CMD", "CMD-SHELL")
    assert DURATION.fullmatch(check["interval"])
    assert DURATION.fullmatch(check["timeout"])
    assert check["retries"] > 0
    assert SERVICES[name]["restart"] == "unless-stopped"


@pytest.mark.parametrize("name", sorted(ONCE))
def test_service_that_ends_is_not_restarted(name):
    assert SERVICES[name].get("restart", "no") == "no"


@pytest.mark.parametrize("name", SERVICES)
def test_service_image_is_pinned(name):
    assert re.search(r":v?\d+\.\d+(\.\d+)?(-\w+)?$", SERVICES[name]["image"])


@pytest.mark.parametrize("name", SERVICES)
def test_service_ports_are_open_to_this_machine_only(name):
    for port in SERVICES[name].get("ports", []):
        assert port.startswith("127.0.0.1:")


@pytest.mark.parametrize("name", SERVICES)
def test_service_secrets_come_from_the_environment_only(name):
    for key, value in environment(name).items():
        if re.search("PASSWORD|SECRET|KEY|TOKEN|AUTH$", key):
            assert re.fullmatch(r"\$\{\w+:\?[^}]+\}", value), f"{name}: {key} has a default"
        for password in re.findall(r"://\w*:([^@/]+)@", value):
            assert re.fullmatch(r"\$\{\w+:\?[^}]+\}", password), f"{name}: {key} holds a password"


def test_compose_variables_are_those_of_the_example_and_none_has_a_value():
    used = re.findall(r"(?<!\$)\$\{(\w+)([^}]*)\}", TEXT)
    assert used
    optional = {"RATCHET_LEDGER", "RATCHET_REGION"}
    assert all(rest == (":-" if name in optional else ":?see .env.example") for name, rest in used)
    example = dict(line.split("=", 1) for line in EXAMPLE.splitlines() if re.match(r"\w", line))
    assert set(example) == {name for name, _ in used}
    assert set(example.values()) == {""}


def test_example_file_is_kept_out_of_the_repository_once_filled_in():
    assert ".env" in (PROJECT / ".gitignore").read_text().splitlines()
    ignored = (PROJECT / ".dockerignore").read_text().splitlines()
    assert ignored[0] == "*"
    assert "!.env" not in ignored


@pytest.mark.parametrize("name", sorted(s for s in SERVICES if "build" in SERVICES[s]))
def test_service_of_ours_reports_to_nobody(name):
    if name != "s3-init":  # calls nothing that would
        assert environment(name).items() >= TELEMETRY.items()


def airflow_options() -> set[str]:
    """All settings of the installed Airflow and providers, without importing Airflow."""
    root = Path((find_spec("airflow") or pytest.fail("no Airflow")).submodule_search_locations[0])
    config = yaml.safe_load((root / "config_templates" / "config.yml").read_text())
    for path in root.glob("providers/*/get_provider_info.py"):
        info = runpy.run_path(str(path))["get_provider_info"]()
        for section, content in info.get("config", {}).items():
            config.setdefault(section, {"options": {}})["options"] |= content["options"]
    return {
        f"AIRFLOW__{section.upper()}__{option.upper()}"
        for section, content in config.items()
        for option in content["options"]
    }


def test_airflow_settings_exist_in_the_installed_version():
    known = airflow_options()
    assert {"AIRFLOW__CORE__EXECUTOR", "AIRFLOW__CELERY__BROKER_URL"} <= known
    used = {key for name in SERVICES for key in environment(name) if key.startswith("AIRFLOW__")}
    assert len(used) > 10
    assert used - known == set()


def test_airflow_services_share_one_configuration():
    names = [name for name in SERVICES if "AIRFLOW__CORE__EXECUTOR" in environment(name)]
    assert len(names) == 6
    for name in names:
        assert environment(name).items() >= environment("worker").items()
        assert SERVICES[name]["volumes"] == SERVICES["worker"]["volumes"]


def test_airflow_services_know_their_region():
    assert environment("worker")["RATCHET_REGION"] == "${RATCHET_REGION:-}"


CHECK_PLUGINS = """
from airflow import plugins_manager
from airflow.serialization.helpers import find_registered_custom_deadline_reference
found = find_registered_custom_deadline_reference(
    "ratchet.orchestration.deadlines.EndOfScheduledWindow"
)
print(found.__name__, plugins_manager.get_import_errors())
"""


def test_airflow_services_load_our_plugins_from_the_image(tmp_path):
    """The scheduler and the DAG processor know our moments of deadlines by a plugin alone."""
    folder = environment("worker")["AIRFLOW__CORE__PLUGINS_FOLDER"]
    assert f"\nCOPY plugins {folder}\n" in DOCKERFILE
    mounts = [volume.split(":")[1] for volume in SERVICES["worker"]["volumes"]]
    assert not any(folder.startswith(mount) for mount in mounts)
    for name in ("scheduler", "dag-processor", "triggerer"):
        assert environment(name)["AIRFLOW__CORE__PLUGINS_FOLDER"] == folder
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", CHECK_PLUGINS],
        env={
            "PATH": "",
            "AIRFLOW_HOME": str(tmp_path),
            "AIRFLOW__CORE__PLUGINS_FOLDER": str(PROJECT / "plugins"),
        },
        capture_output=True,
        text=True,
    )
    assert done.stdout.splitlines()[-1:] == ["EndOfScheduledWindow {}"], done.stderr


CHECK_COMMANDS = """
import json, sys
from airflow.cli.cli_parser import get_parser
from airflow.executors.executor_loader import ExecutorLoader
from airflow.api_fastapi.app import get_auth_manager_cls
for words in json.load(sys.stdin):
    get_parser().parse_args(words)
from airflow.providers.celery.executors import celery_executor
print(ExecutorLoader.get_default_executor().__class__.__name__, get_auth_manager_cls().__name__)
print(type(celery_executor.app).__name__)
"""


def test_airflow_commands_executor_and_auth_manager_exist(tmp_path):
    commands = [s.get("command", []) for s in SERVICES.values()]
    commands += [s["healthcheck"]["test"][1:] for s in SERVICES.values() if "healthcheck" in s]
    words = [command[1:] for command in commands if command[:1] == ["airflow"]]
    assert {"api-server", "scheduler", "dag-processor", "triggerer", "celery", "jobs"} == {
        first for first, *_ in words
    }
    for line in SERVICES["airflow-init"]["command"][-1].replace("\\\n", "").splitlines():
        if line.startswith("airflow "):
            words.append(line.split()[1:])
    settings = {key: re.sub(r"\$\{[^}]*\}", "x", v) for key, v in environment("worker").items()}
    del settings["AIRFLOW__CORE__FERNET_KEY"]
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", CHECK_COMMANDS],
        input=json.dumps(words),
        env={"PATH": "", "AIRFLOW_HOME": str(tmp_path), **settings},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-2:] == ["CeleryExecutor FabAuthManager", "Celery"]


def test_mlflow_command_and_settings_exist_in_the_installed_version(tmp_path):
    program, command, *arguments = SERVICES["mlflow"]["command"]
    assert (program, command) == ("mlflow", "server")
    check = (
        "import json, sys; from mlflow.cli import cli; from mlflow import environment_variables;"
        "server = cli.commands['server']; server.make_context('server', json.load(sys.stdin));"
        "print(*(option.envvar for option in server.params)); print(*dir(environment_variables))"
    )
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", check],
        input=json.dumps(arguments),
        env={"PATH": "", "HOME": str(tmp_path)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    used = {key for key in environment("mlflow") if key.startswith("MLFLOW_")}
    assert len(used) > 3
    assert used <= set(done.stdout.split())


def test_dockerfile_is_pinned_hashed_and_not_root():
    bases = re.findall(r"^FROM (\S+)", DOCKERFILE, re.MULTILINE)
    assert bases
    assert set(bases) == {"python:3.12.12-slim-bookworm"}
    assert "uv pip install --require-hashes -r /build/requirements.txt" in DOCKERFILE
    assert re.findall(r"^USER (\w+)", DOCKERFILE, re.MULTILINE)[-1] == "ratchet"


def test_dockerfile_copies_what_exists_and_is_sent_to_the_build():
    sent = (PROJECT / ".dockerignore").read_text().splitlines()
    copied = [
        source
        for line in re.findall(r"^COPY (?!--from)(.+) \S+$", DOCKERFILE, re.MULTILINE)
        for source in line.split()
    ]
    assert {"requirements.txt", "include", "dags"} <= set(copied)
    for source in copied:
        assert (PROJECT / source).exists()
        assert f"!{source}" in sent


def test_database_script_makes_what_the_services_connect_to():
    script = (PROJECT / "docker" / "make_databases.sh").read_text()
    made = set(re.findall(r'^make_database (\w+) "\$(\w+)"$', script, re.MULTILINE))
    urls = [v for name in SERVICES for v in environment(name).values() if "postgresql" in v]
    assert made
    assert made == {
        match.groups()
        for url in urls
        if (match := re.search(r"://(\w+):\$\{(\w+):\?[^}]*\}@postgres/\1$", url))
    }
    assert {password for _, password in made} <= environment("postgres").keys()
    subprocess.run(["bash", "-n", "-"], input=script, text=True, check=True)
