"""The local Airflow: who answers on its port."""

import os
import socket
import subprocess
import sys

from ratchet.orchestration.stack import _listens

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
