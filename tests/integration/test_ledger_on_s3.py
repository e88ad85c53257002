"""The ledger on a server that speaks S3's protocol: several writers, SIGKILL, tampering."""

import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import boto3
import pytest

from ratchet.decision import Decision
from ratchet.errors import LedgerError, StorageError
from ratchet.ledger import Ledger
from ratchet.settings import LedgerPlace
from ratchet.storage import Bucket, open_store

# One request at a time, so that looking for a name and taking it are one step, as on S3.
SERVER = """
import logging
from moto.server import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import make_server

logging.getLogger("werkzeug").disabled = True
server = make_server("127.0.0.1", 0, DomainDispatcherApplication(create_backend_app))
print(server.port, flush=True)
server.serve_forever()
"""
WRITER = """
import os, signal, sys
from pathlib import Path
from ratchet.decision import Decision
from ratchet.ledger import Ledger
from ratchet.settings import LedgerPlace
from ratchet.storage import Bucket

url, copy, writer, count, killed = sys.argv[1:]
create = Bucket.create
met = False

def meet_and_create(bucket, name, content):
    '''Before the first entry, wait for the other writer: it has read the same chain by then.'''
    global met
    if not met:
        met = True
        print("ready", flush=True)
        sys.stdin.readline()
    if killed == "before":
        os.kill(os.getpid(), signal.SIGKILL)
    made = create(bucket, name, content)
    if killed == "after":
        os.kill(os.getpid(), signal.SIGKILL)
    if not made:
        print("lost", name, flush=True)
    return made

Bucket.create = meet_and_create
for number in range(int(count)):
    Ledger(LedgerPlace(Path(copy), url)).record(Decision(
        kind="data", use_case="flights", window=str(number), verdict="accepted",
        clauses=(), subject={"writer": writer},
    ))
"""


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    command = [sys.executable, "-W", "ignore", "-c", SERVER]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield f"http://127.0.0.1:{int(process.stdout.readline())}"
        finally:
            process.terminate()


@pytest.fixture
def url(server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Return the URL of a ledger in a bucket of its own."""
    for name, value in {
        "AWS_ENDPOINT_URL_S3": server,
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": "key",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_CONFIG_FILE": str(tmp_path / "none"),
    }.items():
        monkeypatch.setenv(name, value)
    name = f"b-{abs(hash(tmp_path))}"
    boto3.client("s3").create_bucket(Bucket=name)
    return f"s3://{name}/ledgers/flights"


def start(
    url: str, copy: Path, writer: str, count: int, killed: str = "never"
) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", WRITER, url, str(copy), writer, str(count), killed]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def finish(*writers: subprocess.Popen[str]) -> tuple[list[int], str]:
    """Let writers go when each is about to make its first entry.

    Returns how they ended, and a line for each entry that another writer had made first.
    """
    for writer in writers:
        assert writer.stdout is not None
        assert writer.stdout.readline() == "ready\n"
    for writer in writers:
        assert writer.stdin is not None
        writer.stdin.write("go\n")
        writer.stdin.close()
    lost = ""
    for writer in writers:
        assert writer.stdout is not None
        lost += writer.stdout.read()
        writer.stdout.close()
    return [writer.wait(60) for writer in writers], lost


def decision(window: str) -> Decision:
    return Decision(kind="data", use_case="flights", window=window, verdict="accepted", clauses=())


def test_create_taken_name_is_refused_and_names_are_listed_after_one(url):
    store = open_store(url)
    made = [store.create(name, content) for name, content in (("b", b"1"), ("a", b"2"), ("b", b""))]
    assert made == [True, True, False]
    assert (store.names(), store.names("a"), store.names("b")) == (["a", "b"], ["b"], [])
    assert store.read("b") == b"1"
    with pytest.raises(FileNotFoundError):
        store.read("c")
    assert open_store(f"{url}/deeper").names() == []


def test_store_out_of_reach_says_what_to_check(url, monkeypatch):
    with pytest.raises(StorageError, match=r"s3://no-such-bucket/x/: .* check the bucket"):
        open_store("s3://no-such-bucket/x").names()
    with pytest.raises(StorageError, match="name a folder, or s3://bucket/prefix"):
        open_store("gs://bucket/x")


def test_record_two_processes_at_once_keep_every_decision_and_the_chain(url, tmp_path):
    count = 12
    writers = [start(url, tmp_path / writer, writer, count) for writer in ("a", "b")]
    ended, lost = finish(*writers)
    assert ended == [0, 0]
    assert "lost 00000001.json" in lost  # both wanted to be the first
    ledger = Ledger(LedgerPlace(tmp_path / "reader", url))
    kept = [decision.subject["writer"] for decision in ledger.decisions()]
    assert (kept.count("a"), kept.count("b")) == (count, count)
    assert ledger.verify() == []


def test_record_two_processes_with_the_same_decisions_keep_each_once(url, tmp_path):
    writers = [start(url, tmp_path / str(number), "a", 8) for number in range(2)]
    ended, lost = finish(*writers)
    assert ended == [0, 0]
    assert "lost 00000001.json" in lost
    kept = Ledger(LedgerPlace(tmp_path / "reader", url)).decisions()
    assert [decision.window for decision in kept] == [str(number) for number in range(8)]


@pytest.mark.parametrize(("killed", "entries"), [("before", []), ("after", ["00000001.json"])])
def test_record_killed_loses_and_doubles_nothing_when_repeated(url, tmp_path, killed, entries):
    assert finish(start(url, tmp_path / "copy", "a", 1, killed))[0] == [-signal.SIGKILL]
    assert open_store(url).names() == entries
    assert finish(start(url, tmp_path / "copy", "a", 2))[0] == [0]
    ledger = Ledger(LedgerPlace(tmp_path / "copy", url))
    assert [decision.window for decision in ledger.decisions()] == ["0", "1"]
    assert ledger.verify() == []


def test_verify_changed_or_removed_object_is_found(url, tmp_path):
    ledger = Ledger(LedgerPlace(tmp_path / "copy", url))
    for window in "0123":
        ledger.record(decision(window))
    bucket, prefix = url.removeprefix("s3://").split("/", 1)
    client = boto3.client("s3")
    forged = open_store(url).read("00000002.json").replace(b"accepted", b"blocked")
    client.put_object(Bucket=bucket, Key=f"{prefix}/00000002.json", Body=forged)
    client.delete_object(Bucket=bucket, Key=f"{prefix}/00000004.json")
    assert [fault.split(";")[0] for fault in ledger.verify()] == [
        "00000002.json was changed after it was written",
        "00000004.json was removed",
    ]
    with pytest.raises(LedgerError, match="entry 4 is missing"):
        ledger.record(decision("4"))


def test_record_server_that_overwrites_is_refused(url, tmp_path, monkeypatch):
    """Like servers that have never heard of If-None-Match."""
    monkeypatch.setattr(Bucket, "create", lambda *_: True)
    with pytest.raises(StorageError, match="needs a server that knows If-None-Match"):
        Ledger(LedgerPlace(tmp_path / "copy", url)).record(decision("0"))
