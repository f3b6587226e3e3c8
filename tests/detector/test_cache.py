"""Prepared scans come from the cache as they went in, and anew when something that made them changed."""

import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from small_node import INPUTS, small_study

from db.errors import GeometryError
from db.measurement import ImageReference
from detector.cache import cached_scan, positions_mm, remove_unused
from detector.prepare import prepare_scan
from mining.volume import load_volume


def stored(folder: Path) -> list[Path]:
    folder.mkdir()
    paths = []
    for number, image in enumerate(small_study(1).images):
        paths.append(folder / f"{number:03d}.dcm")
        image.save_as(paths[-1], enforce_file_format=True)
    return paths


def test_a_scan_comes_back_as_it_was_prepared(tmp_path: Path) -> None:
    paths = stored(tmp_path / "series")
    volume = load_volume(paths)
    expected = prepare_scan(volume.voxels, positions_mm(volume), volume.spacing, INPUTS)
    for _ in ("prepared", "read"):
        found = cached_scan(paths, INPUTS, tmp_path / "cache")
        assert np.array_equal(found.scan.voxels, expected.voxels) and found.scan.frame == expected.frame
        assert np.allclose(found.scan.positions_mm, positions_mm(volume))
        assert found.spacing == volume.spacing and found.images == volume.images
        assert found.images[0] == ImageReference(found.images[0].sop_instance_uid, 1)


def test_the_second_time_no_file_of_the_series_is_read(tmp_path: Path) -> None:
    paths = stored(tmp_path / "series")
    cached_scan(paths, INPUTS, tmp_path / "cache")
    for path in paths:
        path.unlink()
    assert cached_scan(list(reversed(paths)), INPUTS, tmp_path / "cache").scan.slices == len(paths)


def test_another_pixel_size_or_other_files_are_another_scan(tmp_path: Path) -> None:
    paths = stored(tmp_path / "series")
    one = cached_scan(paths, INPUTS, tmp_path / "cache")
    finer = cached_scan(paths, replace(INPUTS, pixel_mm=3.0), tmp_path / "cache")
    fewer = cached_scan(paths[:-1], INPUTS, tmp_path / "cache")
    assert finer.scan.voxels.shape[1] > one.scan.voxels.shape[1] and fewer.scan.slices == one.scan.slices - 1


def test_a_preparation_that_was_interrupted_is_done_again(tmp_path: Path) -> None:
    paths = stored(tmp_path / "series")
    first = cached_scan(paths, INPUTS, tmp_path / "cache")
    expected = np.array(first.scan.voxels)
    (facts,) = (tmp_path / "cache").glob("*.json")
    facts.unlink()  # the facts are written last
    next((tmp_path / "cache").glob("*.npy")).write_bytes(b"half")
    assert np.array_equal(cached_scan(paths, INPUTS, tmp_path / "cache").scan.voxels, expected)


def test_a_series_that_is_no_stack_leaves_nothing_in_the_cache(tmp_path: Path) -> None:
    paths = stored(tmp_path / "series")
    with pytest.raises(GeometryError):
        cached_scan([*paths[:3], *paths[5:]], INPUTS, tmp_path / "cache")
    assert list(tmp_path.glob("cache/*")) == []


def test_what_nobody_used_since_is_removed_and_made_again_when_it_is_wanted(tmp_path: Path) -> None:
    paths, cache = stored(tmp_path / "series"), tmp_path / "cache"
    unused = cached_scan(paths, replace(INPUTS, pixel_mm=3.0), cache)
    cached_scan(paths, INPUTS, cache)
    for path in cache.iterdir():
        os.utime(path, (1.0, 1.0))
    (cache / ".left.tmp").touch()
    os.utime(cache / ".left.tmp", (1.0, 1.0))
    cached_scan(paths, INPUTS, cache)  # used once more, and so kept
    assert remove_unused(cache, since=2.0) == 3
    assert sorted(path.suffix for path in cache.iterdir()) == [".json", ".npy"]
    assert unused.scan.voxels.any(), "who has it open keeps it"
    assert np.array_equal(cached_scan(paths, replace(INPUTS, pixel_mm=3.0), cache).scan.voxels, unused.scan.voxels)
    assert remove_unused(tmp_path / "none", since=2.0) == 0


def test_facts_without_voxels_count_for_nothing(tmp_path: Path) -> None:
    paths, cache = stored(tmp_path / "series"), tmp_path / "cache"
    cached_scan(paths, INPUTS, cache)
    next(cache.glob("*.npy")).unlink()
    assert cached_scan(paths, INPUTS, cache).scan.slices == len(paths)
