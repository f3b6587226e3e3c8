"""A stored series → the network's scan, kept as a memory map so that training reads it from disk. Shell.

The cache holds nothing that cannot be made again; its files are found by the series' contents and the pixel size, and
their time is that of their last use.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from db.geometry import PixelSpacing
from db.local_files import LocalFiles
from db.measurement import ImageReference
from detector.prepare import Frame, InputSettings, Scan, prepare_scan
from mining.volume import Volume, load_volume

FORMAT = 1
"""Counts up when cached scans are made otherwise."""


@dataclass(frozen=True, slots=True, eq=False)
class CachedScan:
    """A scan with what is needed to say where something is: the native spacing, and the image of each slice."""

    scan: Scan
    spacing: PixelSpacing
    images: tuple[ImageReference, ...]


def positions_mm(volume: Volume) -> np.ndarray:
    """Position of each slice along the normal, rising: (S,)."""
    return np.array([plane.position_mm for plane in volume.planes])


def cached_scan(paths: Sequence[Path], inputs: InputSettings, cache_dir: Path) -> CachedScan:
    """The series of these files, from the cache or freshly prepared into it. Raises what `load_volume` raises."""
    names = sorted(path.name for path in paths)  # a name holds the instance's UID and the hash of its content
    identity = json.dumps([FORMAT, names, inputs.pixel_mm, inputs.max_side_px])
    stem = cache_dir / hashlib.sha256(identity.encode()).hexdigest()[:32]
    voxels_path, facts_path = stem.with_suffix(".npy"), stem.with_suffix(".json")
    try:
        return _read(voxels_path, facts_path)
    except FileNotFoundError:  # not made yet, or removed as unused
        _prepare(paths, inputs, voxels_path, facts_path)
        return _read(voxels_path, facts_path)


def _read(voxels_path: Path, facts_path: Path) -> CachedScan:
    """Raises FileNotFoundError if it is not in the cache; the facts are written last and removed first."""
    facts = json.loads(facts_path.read_text())
    scan = Scan(
        np.load(voxels_path, mmap_mode="r"), np.array(facts["positions_mm"], np.float64), Frame(**facts["frame"])
    )
    used_at = time.time()
    for path in (facts_path, voxels_path):
        os.utime(path, (used_at, used_at))
    return CachedScan(
        scan, PixelSpacing(**facts["spacing"]), tuple(ImageReference(*image) for image in facts["images"])
    )


def remove_unused(cache_dir: Path, since: float) -> int:
    """Remove what nobody used since that time (s, of the clock); returns how many files.

    Who reads one of them at this moment keeps what it has mapped, or makes it again.
    """
    removed = 0
    for path in sorted(cache_dir.glob("*"), key=lambda path: path.suffix != ".json"):
        with suppress(FileNotFoundError):  # another training removes it, or has just finished it
            if path.stat().st_mtime < since:
                path.unlink()
                removed += 1
    return removed


def _prepare(paths: Sequence[Path], inputs: InputSettings, voxels_path: Path, facts_path: Path) -> None:
    volume = load_volume(paths)
    scan = prepare_scan(volume.voxels, positions_mm(volume), volume.spacing, inputs)
    buffer = io.BytesIO()
    np.save(buffer, scan.voxels)
    LocalFiles(voxels_path.parent).write(voxels_path.name, buffer.getvalue())
    facts = {
        "positions_mm": scan.positions_mm.tolist(),
        "frame": asdict(scan.frame),
        "spacing": asdict(volume.spacing),
        "images": [[image.sop_instance_uid, image.frame_number] for image in volume.images],
    }
    LocalFiles(facts_path.parent).write(facts_path.name, json.dumps(facts).encode())
