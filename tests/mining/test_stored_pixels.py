"""Which images are looked at for doubt: CT in Hounsfield units without compression, and no harm from any other."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from builders import SERIES, STUDY, ct_instance, ct_series
from ct_series import enhanced_ct, expected_hu
from harvest_node import Node, report
from pydicom.dataset import Dataset
from pydicom.uid import DeflatedExplicitVRLittleEndian, ImplicitVRLittleEndian, RLELossless
from sqlalchemy.orm import Session

from db.measurement import ImageReference
from db.studies import current_instances
from mining import stored_pixels
from mining.noise import NoiseLimits
from mining.settings import HarvestSettings
from mining.stored_pixels import StoredPixels, ct_hu

SHAPE = (24, 36)
HU = np.random.default_rng(7).integers(-200, 300, SHAPE)


def slice_with(change: Callable[[Dataset], object] = lambda ds: None) -> Dataset:
    ds = ct_instance(f"{SERIES}.1", rows=SHAPE[0], columns=SHAPE[1], hu=HU)
    change(ds)
    return ds


def written(folder: Path, ds: Dataset) -> Path:
    path = folder / "image.dcm"
    ds.save_as(path, enforce_file_format=True)
    return path


@pytest.mark.parametrize(
    "change",
    [
        lambda ds: None,
        lambda ds: setattr(ds, "RescaleType", "HU"),
        lambda ds: setattr(ds.file_meta, "TransferSyntaxUID", ImplicitVRLittleEndian),
    ],
)
def test_a_ct_image_is_read_in_hounsfield_units(tmp_path: Path, change: Callable[[Dataset], object]) -> None:
    hu = ct_hu(written(tmp_path, slice_with(change)), 1)
    assert hu is not None and np.array_equal(hu, HU)


def test_a_frame_of_an_enhanced_image_is_read_by_its_number(tmp_path: Path) -> None:
    path = written(tmp_path, enhanced_ct((2, 0, 1)))
    second = ct_hu(path, 2)
    assert second is not None and np.array_equal(second, expected_hu(0))
    assert ct_hu(path, 4) is None and ct_hu(path, 0) is None


@pytest.mark.parametrize(
    "change",
    [
        lambda ds: setattr(ds, "Modality", "MR"),
        lambda ds: setattr(ds, "RescaleType", "Z_EFF"),
        lambda ds: ds.__delitem__("RescaleSlope"),
        lambda ds: ds.__delitem__("PixelData"),
        lambda ds: setattr(ds, "PixelData", ds.PixelData[:100]),
        lambda ds: setattr(ds, "SamplesPerPixel", 3),
        lambda ds: ds.compress(RLELossless, generate_instance_uid=False),
        lambda ds: setattr(ds.file_meta, "TransferSyntaxUID", DeflatedExplicitVRLittleEndian),
    ],
)
def test_what_is_no_readable_ct_image_without_compression_is_not_judged(
    tmp_path: Path, change: Callable[[Dataset], object]
) -> None:
    assert ct_hu(written(tmp_path, slice_with(change)), 1) is None


def test_a_file_that_is_lost_no_dicom_or_too_large_is_not_judged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = written(tmp_path, slice_with())
    monkeypatch.setattr(stored_pixels, "MAX_BYTES", path.stat().st_size - 1)
    assert ct_hu(path, 1) is None
    path.write_bytes(b"no DICOM at all")
    assert ct_hu(path, 1) is None
    path.unlink()
    assert ct_hu(path, 1) is None


def test_an_image_is_read_once_while_it_is_remembered(node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    node.receive(*ct_series())
    opened: list[str] = []
    monkeypatch.setattr(stored_pixels, "ct_hu", lambda path, frame: opened.append(path.name) or HU)
    pixels = StoredPixels(node.session, node.files)
    first, second = (ImageReference(f"{SERIES}.{number}") for number in (1, 2))
    for image in (first, second, first, second):
        assert pixels.hu(image) is HU
    assert pixels.hu(ImageReference("1.2.3")) is None
    assert opened == [f"{SERIES}.1.dcm", f"{SERIES}.2.dcm"]
    monkeypatch.setattr(stored_pixels, "REMEMBERED_BYTES", HU.nbytes)
    pixels.hu(ImageReference(f"{SERIES}.3"))
    assert pixels.hu(first) is HU and opened[2:] == [f"{SERIES}.3.dcm", f"{SERIES}.1.dcm"]


def test_an_instance_that_is_known_is_not_looked_up(node: Node) -> None:
    node.receive(*ct_series())
    (known, *_) = current_instances(node.session, STUDY)
    with Session() as without_database:
        pixels = StoredPixels(without_database, node.files, {known.sop_instance_uid: known})
        assert pixels.hu(ImageReference(known.sop_instance_uid)) is not None


# --- in the harvest -----------------------------------------------------------------------------------------------


def air(ds: Dataset) -> None:
    ds.PixelData = np.zeros(ds.Rows * ds.Columns, "<i2").tobytes()


def test_a_mark_in_air_is_kept_and_doubtful(node: Node) -> None:
    first, *others = ct_series()
    air(first)
    node.receive(first, *others, report("1.5.1"))
    node.harvest()
    (row,) = node.rows()
    assert row.possibly_noisy and row.noisy_because == (
        "its pixels are dark as air, -1024 HU on average; its pixels are flat, their standard deviation is 0.0 HU; "
        "its pixels are all within 0 HU"
    )
    node.harvest(settings=HarvestSettings(noise=NoiseLimits(read_pixels=False)))
    (row,) = node.rows()
    assert not row.possibly_noisy


def test_a_compressed_image_raises_no_doubt(node: Node) -> None:
    first, *others = ct_series()
    air(first)
    first.compress(RLELossless, generate_instance_uid=False)
    node.receive(first, *others, report("1.5.1"))
    node.harvest()
    (row,) = node.rows()
    assert row.noisy_because is None


def test_a_mark_on_an_image_that_is_not_here_is_judged_when_it_arrives(node: Node) -> None:
    node.receive(report("1.5.1"))
    node.harvest()
    assert [row.noisy_because for row in node.rows()] == [None]
    first, *others = ct_series()
    air(first)
    node.receive(first, *others)
    node.harvest()
    (row,) = node.rows()
    assert "dark as air" in (row.noisy_because or "")
