"""Pixels decoded in a process of their own: hostile ones end that process and cost only themselves."""

import errno
import hashlib
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from arriving import ct, document, with_meta
from broken_pixels import jpeg_without_its_tables, rle_with_a_long_segment
from pydicom import Dataset
from pydicom.uid import RLELossless

from db.errors import ContentError
from dicom_node import decoding
from dicom_node.decoding import digests, image_hu
from dicom_node.processes import ChildFailed, run_child

BROKEN = [jpeg_without_its_tables, rle_with_a_long_segment]


def written(folder: Path, name: str, ds: Dataset) -> tuple[Path, str]:
    path = folder / f"{name}.dcm"
    ds.save_as(path, enforce_file_format=True)
    return path, hashlib.sha256(path.read_bytes()).hexdigest()


def compressed() -> Dataset:
    ds = with_meta(ct(1))
    ds.compress(RLELossless, np.frombuffer(ds.PixelData, "<i2").reshape(6, 4), generate_instance_uid=False)
    return ds


def test_equal_pixels_and_equal_documents_have_one_digest(tmp_path: Path) -> None:
    plain = written(tmp_path, "plain", with_meta(ct(1)))
    again = written(tmp_path, "again", compressed())
    other = written(tmp_path, "other", with_meta(ct(2)))
    report = written(tmp_path, "report", with_meta(document(1)))
    renamed = written(tmp_path, "renamed", with_meta(document(1, PatientName="Corrected")))
    found = digests([plain, again, other, report, renamed])
    assert found[0] == found[1]
    assert found[3] == found[4]
    assert len(set(found)) == 3


@pytest.mark.parametrize("broken", BROKEN)
def test_pixels_that_end_their_process_equal_nothing_and_the_others_are_compared(
    broken: Callable[[], Dataset], tmp_path: Path
) -> None:
    hostile = written(tmp_path, "hostile", broken())
    plain, again = written(tmp_path, "plain", with_meta(ct(1))), written(tmp_path, "again", compressed())
    found = digests([plain, hostile, again, hostile])
    assert found[0] == found[2] not in (plain[1], again[1])
    assert found[1] == found[3] == hostile[1]


def test_what_is_no_dicom_file_stands_for_itself(tmp_path: Path) -> None:
    path = tmp_path / "junk.dcm"
    path.write_bytes(b"junk" * 99)
    assert digests([(path, "its hash")]) == ["its hash"]
    assert digests([]) == []


def test_a_file_that_cannot_be_read_is_no_fault_of_its_content(tmp_path: Path) -> None:
    with pytest.raises(OSError) as failed:
        digests([written(tmp_path, "plain", with_meta(ct(1))), (tmp_path / "gone.dcm", "its hash")])
    assert failed.value.errno == errno.ENOENT


def test_a_process_that_does_not_begin_blames_no_content(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decoding, "CHILD", "mining.there_is_no_such_module")
    with pytest.raises(ChildFailed):
        digests([written(tmp_path, "plain", with_meta(ct(1)))])


SLOW_CHILD = """
import os, time
from mining import child, decoding

def slow(path, content_sha256):
    child.report("compare", 0, 1, pid=os.getpid())
    time.sleep(1)
    return "compared"

decoding.file_digest = slow
decoding.main()
"""

ENDLESS_CHILD = """
from mining import decoding

def endless(path, content_sha256):
    while True:
        pass

decoding.LONGEST_S = 1
decoding.file_digest = endless
decoding.main()
"""


@pytest.mark.slow
def test_who_stops_the_node_breaks_off_no_comparison(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "slow_child.py").write_text(SLOW_CHILD)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    signalled: list[int] = []

    def signal_it(event: dict[str, Any]) -> None:
        for number in (signal.SIGINT, signal.SIGTERM) if "pid" in event else ():
            os.kill(event["pid"], number)
            signalled.append(number)

    assert run_child("slow_child", {"contents": [("any.dcm", "its hash")]}, signal_it) == {}
    assert signalled == [signal.SIGINT, signal.SIGTERM]


@pytest.mark.slow
def test_a_decoder_that_never_ends_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "endless_child.py").write_text(ENDLESS_CHILD)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setattr(decoding, "CHILD", "endless_child")
    assert digests([(tmp_path / "any.dcm", "its hash")]) == ["its hash"]


def test_a_compressed_image_is_the_same_as_a_plain_one(tmp_path: Path) -> None:
    plain, _ = written(tmp_path, "plain", with_meta(ct(1)))
    again, _ = written(tmp_path, "again", compressed())
    expected = image_hu(plain, with_meta(ct(1)).file_meta.TransferSyntaxUID, 1)
    assert expected.shape == (6, 4)
    found = image_hu(again, RLELossless, 1)
    assert found.dtype == expected.dtype
    assert np.array_equal(found, expected)


@pytest.mark.parametrize("broken", BROKEN)
def test_an_image_that_ends_its_process_cannot_be_shown(broken: Callable[[], Dataset], tmp_path: Path) -> None:
    ds = broken()
    path, _ = written(tmp_path, "hostile", ds)
    with pytest.raises(ContentError, match="the pixels cannot be decoded"):
        image_hu(path, ds.file_meta.TransferSyntaxUID, 1)


def test_a_compressed_image_that_is_gone_is_told_from_one_that_is_broken(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        image_hu(tmp_path / "gone.dcm", RLELossless, 1)
