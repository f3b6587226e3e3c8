"""What our own readers and the validators of others make of an object that was built."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator, Sequence
from io import BytesIO
from pathlib import Path

from dciodvfy import errors_in
from held_images import HeldImages
from pydicom import Dataset, dcmread

from db.measurement import Found, Measurement, Rejected, WeakLabel
from mining.copies import Harvested, OwnDetection, is_copy_of_own
from mining.known_images import KnownImages

Read = Callable[[Dataset, KnownImages], Iterator[Found]]


def reread(ds: Dataset) -> Dataset:
    """The object as it comes back from a file."""
    content = BytesIO()
    ds.save_as(content, enforce_file_format=True)
    return dcmread(BytesIO(content.getvalue()))


def harvested(read: Read, ds: Dataset, images: Sequence[Dataset]) -> tuple[list[Measurement], list[WeakLabel]]:
    """What our reader finds in an object about these images; it refuses nothing but outlines around drawn axes."""
    found = list(read(reread(ds), HeldImages(images)))
    refused = [one for one in found if isinstance(one, Rejected) and one.reason_code != "axes_are_drawn"]
    assert refused == []
    return [one for one in found if isinstance(one, Measurement)], [one for one in found if isinstance(one, WeakLabel)]


def is_known_as_ours(row: Measurement, own: OwnDetection) -> bool:
    """Whether the harvest would know the row for a copy, whatever UIDs and names a viewer gives it."""
    stripped = Harvested("1", "2.25.1", row.image, row.long_axis, row.short_axis, row.outline)
    return is_copy_of_own(stripped, own)


def validated(ds: Dataset, folder: Path, *programs: str) -> None:
    """Passes if dciodvfy finds no error, nor any of these programs of dcmtk."""
    path = folder / "object.dcm"
    ds.save_as(path, enforce_file_format=True)
    assert errors_in(path) == []
    for program in programs:
        checked = subprocess.run([program, path], capture_output=True, text=True, check=False)
        assert checked.returncode == 0 and "Test failed" not in checked.stdout + checked.stderr
