"""Single slices for a picture: what can be decoded is, and all else is refused by one kind of error."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from arriving import ct, with_meta
from broken_pixels import jpeg_without_its_tables
from pydicom import Dataset
from pydicom.uid import RLELossless

from db.errors import ContentError
from db.local_files import LocalFiles
from db.measurement import ImageReference
from db.studies import StoredInstance
from dicom_node.key_pixels import pixels_of
from mining.pixels import frame_hu


def stored(files: LocalFiles, ds: Dataset) -> StoredInstance:
    name = f"{ds.SOPInstanceUID}.dcm"
    ds.save_as(files.path(name), enforce_file_format=True)
    return StoredInstance(
        str(ds.SOPInstanceUID), "2.25.1", str(ds.SOPClassUID), str(ds.file_meta.TransferSyntaxUID), name, "CT"
    )


def test_slices_come_in_hounsfield_units_whatever_their_transfer_syntax(tmp_path: Path) -> None:
    files = LocalFiles(tmp_path)
    plain, packed = with_meta(ct(1)), with_meta(ct(2))
    packed.compress(RLELossless, np.frombuffer(packed.PixelData, "<i2").reshape(6, 4), generate_instance_uid=False)
    pixels = pixels_of(files, [stored(files, plain), stored(files, packed)])
    for ds in (plain, packed):
        hu = pixels(ImageReference(str(ds.SOPInstanceUID)))
        assert hu.dtype == np.float32
        np.testing.assert_array_equal(hu, frame_hu(ds))


def test_what_cannot_be_shown_is_refused(tmp_path: Path) -> None:
    files = LocalFiles(tmp_path)
    hostile, lost = stored(files, jpeg_without_its_tables(1)), stored(files, with_meta(ct(2)))
    files.path(lost.file_name).unlink()
    pixels = pixels_of(files, [hostile, lost])
    for uid in (hostile.sop_instance_uid, lost.sop_instance_uid, "2.25.99"):
        with pytest.raises(ContentError):
            pixels(ImageReference(uid))
