"""What other writers made, and every row of DeepLesion, through the whole harvest."""

import csv
from pathlib import Path

import pytest
from builders import (
    SERIES,
    STUDY,
    bidirectional,
    ct_instance,
    tid1500,
)
from harvest_node import Node
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.errors import InvalidDicomError
from sqlalchemy import select

from db.models import MeasurementRow, Rejection
from mining.readers.by_class import reader_for

SHARED = Path(__file__).parents[3] / "shared" / "data"


def documents() -> list[Path]:
    found = []
    for path in sorted(SHARED.rglob("*")):
        try:
            ds = dcmread(path, specific_tags=["SOPClassUID"], stop_before_pixels=True)
        except (InvalidDicomError, OSError, AttributeError, KeyError, ValueError, EOFError):
            continue
        if reader_for(str(ds.get("SOPClassUID", ""))) is not None:
            found.append(path)
    return found


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.skipif(not SHARED.is_dir(), reason="../shared/data is not here")
def test_every_document_of_other_writers_yields_rows_or_reasons(node: Node) -> None:
    paths = documents()
    assert len(paths) >= 25
    for number, path in enumerate(paths):
        ds = dcmread(path, stop_before_pixels=True)
        ds.SOPInstanceUID = f"1.3.{number}"  # two of them share one
        ds.StudyInstanceUID = STUDY
        ds.SeriesInstanceUID = f"1.3.{number}.1"
        node.files.path(str(number)).write_bytes(path.read_bytes())
        node.receive_file(str(number), ds)
    counts = node.harvest()
    answered = {
        uid
        for model in (MeasurementRow, Rejection)
        for uid in node.session.scalars(select(model.source_sop_instance_uid))
    }
    assert answered == {f"1.3.{number}" for number in range(len(paths))}
    assert counts.measurements >= 8
    codes = {code for _, code in node.rejections()}
    assert {"anatomy_not_lesion", "no_plane", "unclear_region"} <= codes
    assert "reader_failed" not in codes


def deeplesion_rows() -> list[dict[str, str]]:
    with (SHARED / "deeplesion_sample" / "DL_info_sample200.csv").open() as file:
        return list(csv.DictReader(file))


def numbers(cell: str) -> list[float]:
    return [float(value) for value in cell.split(",")]


@pytest.mark.slow
@pytest.mark.skipif(not SHARED.is_dir(), reason="../shared/data is not here")
def test_every_row_of_deeplesion_written_as_a_report_comes_back(node: Node) -> None:
    """DL_info.csv counts pixels from 1; boxes and diameters reproduce within its own digits."""
    rows = deeplesion_rows()
    assert len(rows) == 200
    groups = []
    for number, row in enumerate(rows, start=1):
        spacing = numbers(row["Spacing_mm_px_"])
        columns, lines = (int(value) for value in numbers(row["Image_size"]))
        uid = f"{SERIES}.{number}"
        node.receive(ct_header(uid, (spacing[1], spacing[0]), lines, columns, number))
        x = [value - 1.0 for value in numbers(row["Measurement_coordinates"])]
        groups.append(bidirectional(uid, ((x[0], x[1]), (x[2], x[3])), ((x[4], x[5]), (x[6], x[7]))))
    node.receive(tid1500(*groups))
    node.harvest()
    found = {row.sop_instance_uid: row for row in node.rows()}
    assert len(found) == 200
    for number, row in enumerate(rows, start=1):
        lesion = found[f"{SERIES}.{number}"]
        box = (lesion.box_x1 + 1, lesion.box_y1 + 1, lesion.box_x2 + 1, lesion.box_y2 + 1)
        assert box == pytest.approx(numbers(row["Bounding_boxes"]), abs=0.01)
        diameters = numbers(row["Lesion_diameters_Pixel_"])
        assert (lesion.long_axis_px, lesion.short_axis_px) == pytest.approx(diameters, abs=0.01)
        assert lesion.long_axis_mm == pytest.approx(diameters[0] * numbers(row["Spacing_mm_px_"])[0], abs=0.01)


def ct_header(uid: str, spacing: tuple[float, float], rows: int, columns: int, number: int) -> Dataset:
    """A slice without its pixels."""
    ds = ct_instance(uid, spacing=spacing, rows=1, columns=1, number=number)
    ds.Rows, ds.Columns = rows, columns
    del ds.PixelData
    return ds
