"""The cache of features: what was kept comes back, what changed is not taken for the same."""

from dataclasses import replace

import numpy as np
import pytest

from db.categories import TruthLesion
from db.geometry import Axis, PixelSpacing, PointPx
from db.local_files import LocalFiles
from db.measurement import ImageReference
from mining.feature_cache import lesion_key, read_features, stack, write_features

LESION = TruthLesion(
    lesion_id="a",
    image=ImageReference("1.2.3", 1),
    file_name="dicom/1/2/3.dcm",
    spacing=PixelSpacing(0.9, 0.6),
    long_axis=Axis(PointPx(8, 20), PointPx(26, 20)),
    short_axis=Axis(PointPx(17, 16), PointPx(17, 24)),
    patient="p",
    split="train",
    site=None,
    site_code=None,
    finding=None,
    finding_code=None,
)


def vectors(number: int) -> tuple[np.ndarray, ...]:
    rng = np.random.default_rng(number)
    return rng.normal(size=5).astype(np.float32), rng.normal(size=3).astype(np.float32)


def test_what_was_kept_comes_back(files: LocalFiles) -> None:
    kept = {"one": vectors(1), "two": vectors(2)}
    write_features(files, "k1", kept)
    found = read_features(files, "k1")
    assert list(found) == ["one", "two"]
    for key, blocks in kept.items():
        assert all(np.array_equal(a, b) for a, b in zip(found[key], blocks, strict=True))


def test_two_extractors_do_not_share_a_file(files: LocalFiles) -> None:
    write_features(files, "k1", {"one": vectors(1)})
    assert read_features(files, "k2") == {}


def test_writing_replaces_what_was_kept_and_nothing_writes_nothing(files: LocalFiles) -> None:
    write_features(files, "k1", {"one": vectors(1)})
    write_features(files, "k1", {"two": vectors(2)})
    write_features(files, "k1", {})
    assert list(read_features(files, "k1")) == ["two"]


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 broken", b"no archive at all"])
def test_a_broken_cache_is_an_empty_one_and_is_logged(
    files: LocalFiles, content: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    files.write("features/k1.npz", content)
    assert read_features(files, "k1") == {}
    assert "is broken" in caplog.text


def test_a_cut_cache_is_an_empty_one(files: LocalFiles) -> None:
    write_features(files, "k1", {str(number): vectors(number) for number in range(50)})
    whole = files.path("features/k1.npz").read_bytes()
    files.write("features/k1.npz", whole[: len(whole) // 2])
    assert read_features(files, "k1") == {}


def test_the_key_of_a_lesion_is_its_pixels_and_its_drawing() -> None:
    others = [
        replace(LESION, file_name="dicom/1/2/4.dcm"),
        replace(LESION, image=ImageReference("1.2.3", 2)),
        replace(LESION, spacing=PixelSpacing(0.6, 0.9)),
        replace(LESION, long_axis=Axis(PointPx(8, 20), PointPx(26, 20.5))),
        replace(LESION, short_axis=None),
    ]
    assert len({lesion_key(one) for one in (LESION, *others)}) == 6


def test_what_a_reader_said_does_not_change_the_key() -> None:
    said = replace(LESION, lesion_id="b", patient="q", split="test", site="Liver", finding="Mass")
    assert lesion_key(said) == lesion_key(LESION)


def test_vectors_become_blocks_of_rows() -> None:
    first, second = stack([vectors(1), vectors(2), vectors(3)])
    assert (first.shape, second.shape, first.dtype) == ((3, 5), (3, 3), np.float32)
    assert np.array_equal(second[2], vectors(3)[1])
