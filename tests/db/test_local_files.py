"""The file store: whole files or none, for their owner alone, replaced at once."""

import errno
import os
from pathlib import Path

import pytest

from db import local_files
from db.errors import StorageFull
from db.local_files import LocalFiles


def test_what_is_written_is_read_by_its_name_below_the_folder(files: LocalFiles, tmp_path: Path) -> None:
    files.write("a/b/c.bin", b"content")
    assert files.path("a/b/c.bin") == tmp_path / "a/b/c.bin"
    assert files.path("a/b/c.bin").read_bytes() == b"content"


def test_files_and_new_folders_are_for_their_owner_alone(files: LocalFiles) -> None:
    files.write("a/b/c.bin", b"content")
    assert files.path("a/b/c.bin").stat().st_mode & 0o777 == 0o600
    assert {files.path(name).stat().st_mode & 0o777 for name in ("a", "a/b")} == {0o700}


def test_the_same_name_again_replaces_and_an_open_reader_keeps_the_old(files: LocalFiles) -> None:
    files.write("one", b"old")
    with files.path("one").open("rb") as reader:
        files.write("one", b"new")
        assert reader.read() == b"old"
    assert files.path("one").read_bytes() == b"new"
    assert [path.name for path in files.data_dir.iterdir()] == ["one"]


def test_content_is_synced_before_it_gets_its_name_and_the_folder_after(
    files: LocalFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps: list[str] = []
    for name in ("fdatasync", "fsync"):
        real = getattr(os, name)
        monkeypatch.setattr(local_files.os, name, lambda fd, name=name, real=real: (steps.append(name), real(fd))[1])
    real_replace = Path.replace
    monkeypatch.setattr(Path, "replace", lambda self, to: (steps.append("rename"), real_replace(self, to))[1])
    files.write("one", b"content")
    assert steps == ["fdatasync", "rename", "fsync"]


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT])
def test_a_full_disk_is_told_and_leaves_the_old_content_and_nothing_else(
    files: LocalFiles, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    files.write("one", b"old")

    def full(*_: object) -> None:
        raise OSError(code, "full")

    monkeypatch.setattr(local_files.os, "fdatasync", full)
    with pytest.raises(StorageFull):
        files.write("one", b"new")
    assert files.path("one").read_bytes() == b"old"
    assert [path.name for path in files.data_dir.iterdir()] == ["one"]


def test_another_trouble_of_the_disk_is_not_taken_for_a_full_one(files: LocalFiles) -> None:
    files.write("one", b"a file")
    with pytest.raises(FileExistsError):
        files.write("one/below", b"content")
