"""Writing that is whole or not there, whenever the process is killed; in a folder or on S3."""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import urlsplit

from ratchet.errors import StorageError

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


class Store(Protocol):
    """Objects that are made once and never changed, each with a name and no folders below."""

    def names(self, after: str = "") -> list[str]:
        """Return the names of all objects that come after one, in order."""

    def read(self, name: str) -> bytes:
        """Return an object's content; raise FileNotFoundError if there is none."""

    def create(self, name: str, content: bytes) -> bool:
        """Make an object unless its name is taken; return whether this call made it.

        Of several writers exactly one gets True, and no reader sees a part of the content.
        """


def open_store(location: str | Path) -> Store:
    """Open a folder, or `s3://bucket/prefix`.

    Raises
    ------
    StorageError
        If it is a URL of another kind, or one without a bucket.
    """
    url = urlsplit(str(location))
    if "://" not in str(location):
        return Folder(Path(location))
    if url.scheme != "s3" or not url.netloc:
        raise StorageError(f"{location}: name a folder, or s3://bucket/prefix")
    path = url.path.strip("/")
    return Bucket(url.netloc, f"{path}/" if path else "")


@dataclass(frozen=True)
class Folder:
    """A `Store` of files. What begins with a dot is none of them, nor is a folder."""

    path: Path

    def names(self, after: str = "") -> list[str]:
        """See `Store`."""
        if not self.path.exists():
            return []
        with os.scandir(self.path) as found:
            later = (entry for entry in found if entry.name > after)
            return sorted(e.name for e in later if e.name[0] != "." and e.is_file())

    def read(self, name: str) -> bytes:
        """See `Store`."""
        return (self.path / name).read_bytes()

    def create(self, name: str, content: bytes) -> bool:
        """See `Store`."""
        path = self.path / name
        made = write_new(path, content)
        if not made and not path.is_file():
            raise StorageError(f"{path} is no file, and stands where one is to be; remove it")
        return made


@dataclass(frozen=True)
class Bucket:
    """A `Store` below a prefix of an S3 bucket, which must know `If-None-Match`.

    Endpoint, region and credentials come from where boto3 looks for them, like
    `AWS_ENDPOINT_URL_S3`.
    """

    bucket: str
    prefix: str

    def names(self, after: str = "") -> list[str]:
        """See `Store`."""
        pages = self._client.get_paginator("list_objects_v2").paginate
        with self._explained():
            found = [
                item["Key"].removeprefix(self.prefix)
                for page in pages(
                    Bucket=self.bucket, Prefix=self.prefix, StartAfter=self.prefix + after
                )
                for item in page.get("Contents", [])
            ]
        return [name for name in found if name and "/" not in name]

    def read(self, name: str) -> bytes:
        """See `Store`."""
        with self._explained(name):
            answer = self._client.get_object(Bucket=self.bucket, Key=self.prefix + name)
            content: bytes = answer["Body"].read()
        return content

    def create(self, name: str, content: bytes) -> bool:
        """See `Store`."""
        key = self.prefix + name
        try:
            with self._explained(name):
                self._client.put_object(Bucket=self.bucket, Key=key, Body=content, IfNoneMatch="*")
        except FileExistsError:
            return False
        return True

    @cached_property
    def _client(self) -> Any:
        import boto3

        return boto3.client("s3")

    @contextmanager
    def _explained(self, name: str = "") -> Iterator[None]:
        """Turn what boto3 says into Python's own errors, or into one with a remedy."""
        from botocore.exceptions import BotoCoreError, ClientError

        where = f"s3://{self.bucket}/{self.prefix}{name}"
        try:
            yield
        except ClientError as error:
            status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode")
            if error.response["Error"]["Code"] == "NoSuchKey":
                raise FileNotFoundError(where) from error
            # 409: another writer of the same name is at it
            if status in (409, 412):
                raise FileExistsError(where) from error
            raise StorageError(f"{where}: {error}; {_REMEDY}") from error
        except BotoCoreError as error:
            raise StorageError(f"{where}: {error}; {_REMEDY}") from error


_REMEDY = "check the bucket, AWS_ENDPOINT_URL_S3 and the credentials"
