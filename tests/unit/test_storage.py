"""Files are whole or not there: with several writers, after an error, after SIGKILL."""

import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import pytest

from ratchet import storage
from ratchet.storage import atomic_path, copy_file, write_atomic, write_new

KILL = "import os, signal; kill = lambda *_: os.kill(os.getpid(), signal.SIGKILL); "


def run_until_killed(program: str, path: Path) -> None:
    """Run a program in a process of its own, and see that it killed itself."""
    header = f"{KILL}import sys, pathlib; path = pathlib.Path(sys.argv[1]); "
    done = subprocess.run([sys.executable, "-c", header + program, path])
    assert done.returncode == -signal.SIGKILL


def files_in(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir() if not path.name.startswith(".tmp-")}


def test_write_atomic_new_and_existing_file_holds_the_last_content(tmp_path):
    path = tmp_path / "folder" / "file"
    for content in (b"one", b"two"):
        write_atomic(path, content)
        assert path.read_bytes() == content
    assert list(path.parent.iterdir()) == [path]


def test_atomic_path_error_in_the_block_changes_nothing(tmp_path):
    path = tmp_path / "file"
    write_atomic(path, b"before")

    def write_half() -> None:
        with atomic_path(path) as draft:
            draft.write_bytes(b"half")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        write_half()
    assert path.read_bytes() == b"before"
    assert list(tmp_path.iterdir()) == [path]


def test_atomic_path_folder_appears_with_all_its_files(tmp_path):
    folder = tmp_path / "folder"
    with atomic_path(folder) as draft:
        draft.mkdir()
        (draft / "one").write_bytes(b"1")
        assert not folder.exists()
        (draft / "two").write_bytes(b"2")
    assert files_in(folder) == {"one", "two"}


def test_atomic_path_killed_in_the_block_changes_nothing_and_can_be_repeated(tmp_path):
    path = tmp_path / "file"
    write_atomic(path, b"before")
    run_until_killed(
        "from ratchet.storage import atomic_path\n"
        "with atomic_path(path) as draft: draft.write_bytes(b'half'); kill()",
        path,
    )
    assert path.read_bytes() == b"before"
    assert files_in(tmp_path) == {"file"}
    write_atomic(path, b"after")
    assert path.read_bytes() == b"after"


def test_write_new_existing_file_is_kept(tmp_path):
    path = tmp_path / "file"
    assert write_new(path, b"first")
    assert not write_new(path, b"second")
    assert path.read_bytes() == b"first"
    assert list(tmp_path.iterdir()) == [path]


def test_write_new_many_writers_exactly_one_wins(tmp_path):
    writers = 16
    start = Barrier(writers)

    def write(path: Path, number: int) -> bool:
        start.wait()
        return write_new(path, f"writer {number}".encode())

    with ThreadPoolExecutor(writers) as pool:
        for round_ in range(20):
            path = tmp_path / str(round_)
            won = list(pool.map(write, [path] * writers, range(writers)))
            assert won.count(True) == 1
            assert path.read_bytes() == f"writer {won.index(True)}".encode()


def test_write_new_killed_before_it_is_whole_leaves_the_name_free(tmp_path):
    path = tmp_path / "file"
    run_until_killed(
        "from ratchet import storage\nos.link = kill\nstorage.write_new(path, b'lost')", path
    )
    assert files_in(tmp_path) == set()
    assert write_new(path, b"second try")


@pytest.mark.parametrize("shares_blocks", [True, False])
def test_copy_file_is_the_same_and_changes_alone(tmp_path, monkeypatch, shares_blocks):
    """Blocks are shared if this file system can; one that can't answers as here."""
    if not shares_blocks:
        monkeypatch.setattr(storage, "_FICLONE", 0)  # no command: ENOTTY
    content = bytes(range(256)) * 2048
    source, target = tmp_path / "source", tmp_path / "target"
    source.write_bytes(content)
    target.write_bytes(content * 2)
    copy_file(source, target)
    assert target.read_bytes() == content
    with target.open("r+b") as file:
        file.write(b"changed")
    assert source.read_bytes() == content
