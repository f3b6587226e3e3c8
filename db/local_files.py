"""The file store of one machine. Shell; every process of the node writes its files through this one class.

Promise: what is written survives a power cut when `write` returns; when it raises, nothing half-written is left.
"""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from uuid import uuid4

from db.errors import StorageFull

TEMPORARY = ".tmp"
_NO_SPACE = (errno.ENOSPC, errno.EDQUOT)


class LocalFiles:
    """A `db.files.FileStore` below `data_dir`: folders 0700, files 0600."""

    def __init__(self, data_dir: Path) -> None:
        self.data_dir = data_dir

    def path(self, name: str) -> Path:
        return self.data_dir / name

    def write(self, name: str, content: bytes) -> None:
        """Keep the content under the name; durable when it returns. The same name again replaces it.

        Raises StorageFull if the disk is full; nothing is left of it then.
        """
        final = self.path(name)
        with _full_disk_is_storage_full(name):
            _make_folder(final.parent)
            temporary = final.with_name(f".{uuid4().hex}{TEMPORARY}")
            try:
                _write_synced(temporary, content)
                temporary.replace(final)
            finally:
                temporary.unlink(missing_ok=True)  # after the rename nothing is there
            _sync_folder(final.parent)

    def free_bytes(self) -> int:
        """Space that this process may still use on the file system of `data_dir`."""
        return shutil.disk_usage(self.data_dir).free

    def remove_leftovers(self, older_than: datetime) -> int:
        """Remove what a killed process left half-written and nobody writes any more; returns how many."""
        removed = 0
        for leftover in self.data_dir.rglob(f".*{TEMPORARY}"):
            try:
                if leftover.stat().st_mtime < older_than.timestamp():
                    leftover.unlink()
                    removed += 1
            except FileNotFoundError:  # its writer has just renamed it
                continue
        return removed


@contextmanager
def _full_disk_is_storage_full(name: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno in _NO_SPACE:
            raise StorageFull(file=name) from error
        raise


def _write_synced(path: Path, content: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        view = memoryview(content)
        while view:
            view = view[os.write(descriptor, view) :]
        os.fdatasync(descriptor)
    finally:
        os.close(descriptor)


def _make_folder(folder: Path) -> None:
    """Make a folder and those above it; each new name is durable, or a power cut could take the file with it."""
    if folder.is_dir():
        return
    _make_folder(folder.parent)
    folder.mkdir(mode=0o700, exist_ok=True)
    _sync_folder(folder.parent)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
