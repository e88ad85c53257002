"""The local Airflow: who answers on its port."""

import os
import socket
import subprocess
import sys

import pytest

from ratchet.errors import OrchestrationError
from ratchet.orchestration.demo import settings_at
from ratchet.orchestration.stack import LocalAirflow, _listens
from ratchet.settings import PROJECT, Settings

LISTEN = """
import socket, sys
server = socket.create_server(("127.0.0.1", 0))
print(server.getsockname()[1], flush=True)
sys.stdin.readline()
"""


def test_listens_only_if_the_process_or_its_child_has_the_port():
    with socket.create_server(("127.0.0.1", 0)) as own:
        port = own.getsockname()[1]
        assert _listens(os.getpid(), port)
    assert not _listens(os.getpid(), port)
    command = [sys.executable, "-c", LISTEN]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as child:
        taken = int(child.stdout.readline())
        assert _listens(os.getpid(), taken)
        assert _listens(child.pid, taken)
        child.communicate("\n")
    assert not _listens(child.pid, taken)


def test_address_of_an_airflow_that_was_never_set_up_says_what_to_do(tmp_path):
    airflow = LocalAirflow(Settings(tmp_path, tmp_path))
    with pytest.raises(OrchestrationError, match=r"no Airflow was set up in .* --level"):
        _ = airflow.url


def test_another_level_has_a_ledger_of_its_own_wherever_ledgers_lie(tmp_path):
    here = Settings(tmp_path, PROJECT / "include" / "use_cases", ledger="s3://bucket/ledgers/")
    other = settings_at(1, here)
    assert other.lake("flights").ledger.origin == "s3://bucket/ledgers/level-1/flights"
    assert LocalAirflow(other).environment()["RATCHET_LEDGER"] == other.ledger
    assert settings_at(None, here) == here
