"""Writing that is whole or not there, whenever the process is killed."""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_FICLONE = 0x40049409  # of linux/fs.h: let a file share another's blocks until either is written


@contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """Yield a path beside `path` to write to; on success it takes `path`'s place at once.

    Works for a file or a folder that does not exist yet. If the block raises or the process is
    killed, `path` is as it was.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".tmp-", dir=path.parent) as scratch:
        draft = Path(scratch) / path.name
        yield draft
        draft.replace(path)


def write_atomic(path: Path, content: bytes) -> None:
    """Replace `path`'s content in one step."""
    with atomic_path(path) as draft:
        draft.write_bytes(content)


def write_new(path: Path, content: bytes) -> bool:
    """Create `path` with `content` if it does not exist; return whether this call made it.

    Of several writers exactly one gets True, and no reader sees a part of the content.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".tmp-", dir=path.parent) as scratch:
        draft = Path(scratch) / path.name
        draft.write_bytes(content)
        try:
            os.link(draft, path)
        except FileExistsError:
            return False
    return True


def copy_file(source: Path, target: Path) -> None:
    """Copy a file's content; at no cost where the file system lets files share blocks.

    That is so on XFS and Btrfs. Elsewhere all bytes are copied.

    References
    ----------
    ioctl_ficlone(2), Linux manual pages.
    """
    with source.open("rb") as old, target.open("wb") as new:
        try:
            fcntl.ioctl(new, _FICLONE, old.fileno())
        except OSError:
            shutil.copyfile(source, target)
