"""One study's objects become rows, in millimetres by the images' own geometry."""

from datetime import UTC, datetime

import pytest
from builders import (
    ROWS,
    SERIES,
    STUDY,
    annotation,
    ct_instance,
    ct_series,
    graphic,
    gsps,
    scoord3d,
    sr,
    text_object,
)
from harvest_node import LONG, SHORT, Node, flat_rows, report
from pydicom.dataset import Dataset
from sqlalchemy import select

from db.geometry import PointPx
from db.models import Refusal
from mining.headers import read_header


def test_a_report_becomes_a_row_with_millimetres_by_the_images_own_spacing(node: Node) -> None:
    node.receive(*ct_series(), report("1.5.1"))
    counts = node.harvest()
    assert (counts.measurements, counts.rejections, counts.own) == (1, 0, 0)
    (row,) = node.truth()
    assert row.long_axis_px == pytest.approx(20.0)
    assert row.long_axis_mm == pytest.approx((6.0**2 + 12.8**2) ** 0.5, abs=1e-4)
    assert row.short_axis_mm == pytest.approx((6.0**2 + 2.8125**2) ** 0.5, abs=1e-4)
    assert (row.box_x1, row.box_y1, row.box_x2, row.box_y2) == pytest.approx((15.0, 5.0, 37.0, 31.0))
    assert (row.row_spacing_mm, row.col_spacing_mm) == (0.8, 0.5)
    assert row.stated_disagrees is False
    assert (row.study_instance_uid, row.series_instance_uid, row.sop_instance_uid) == (STUDY, SERIES, f"{SERIES}.1")
    assert (row.patient_id, row.accession_number, row.modality, row.body_part) == ("P1", "A1", "CT", "CHEST")
    assert (row.reader, row.tracking_uid, row.source_kind) == ("Reader^One", "1.9", "SR")
    assert row.measured_at == datetime(2026, 3, 2, 9, 30, tzinfo=UTC)
    assert row.source_writer == "Viewer Maker Viewer"
    assert row.split in ("train", "val", "test")
    assert row.slice_interval_mm == pytest.approx(2.5, abs=1e-3)


def test_harvesting_again_leaves_the_same_rows(node: Node) -> None:
    node.receive(*ct_series(), report("1.5.1"), sr(sop_instance_uid="1.5.2"))
    first = node.harvest()
    before = (flat_rows(node.session), node.rejections())
    assert node.harvest() == first
    assert (flat_rows(node.session), node.rejections()) == before


def test_a_stated_length_that_is_not_the_drawn_one_is_kept_and_flagged(node: Node) -> None:
    node.receive(*ct_series(), report("1.5.1", stated=(15.0, 6.63)))
    node.harvest()
    (row,) = node.rows()
    assert (row.stated_long_axis_mm, row.stated_disagrees) == (15.0, True)


def test_an_image_that_is_not_here_leaves_millimetres_empty_until_it_arrives(node: Node) -> None:
    node.receive(report("1.5.1"))
    node.harvest()
    (row,) = node.rows()
    assert (row.image_present, row.long_axis_mm, row.stated_disagrees) == (False, None, None)
    assert row.box_x1 == pytest.approx(15.0)
    node.receive(*ct_series())
    node.harvest()
    (row,) = node.truth()
    assert row.image_present and row.long_axis_mm == pytest.approx(14.1367, abs=1e-3)


def test_a_report_in_another_study_is_read_again_when_the_images_arrive(node: Node) -> None:
    node.receive(report("1.5.1", study_uid="1.4"))
    node.harvest("1.4")
    assert node.rows()[0].image_present is False
    node.receive(*ct_series())
    node.harvest(STUDY)
    (row,) = node.truth()
    assert (row.study_instance_uid, row.series_instance_uid) == (STUDY, SERIES)


def in_millimetres(image: Dataset, study_uid: str = STUDY) -> Dataset:
    """A report of the long axis alone, drawn in the patient on that slice."""
    plane = read_header(image).image.planes[0]  # type: ignore[union-attr]
    ends = [plane.to_mm(PointPx(*point)) for point in LONG]
    drawing = scoord3d("POLYLINE", [(p.x, p.y, p.z) for p in ends], frame_of_reference=str(image.FrameOfReferenceUID))
    return sr(drawing, study_uid=study_uid)


def test_a_drawing_in_another_study_is_placed_when_the_images_of_its_patient_arrive(node: Node) -> None:
    slices = ct_series()
    on_display = graphic("POLYLINE", [(0.25, 0.25), (0.75, 0.5)], units="DISPLAY")
    state = gsps(annotation([on_display], images=[f"{SERIES}.1"]), images=[f"{SERIES}.1"], study_uid="1.4")
    del state.DisplayedAreaSelectionSequence  # so it is the whole image, however large that is
    node.receive(in_millimetres(slices[1], study_uid="1.4"), state)
    node.harvest("1.4")
    assert (len(node.rows()), sorted(code for _, code in node.rejections())) == (0, ["display_units", "no_plane"])
    node.receive(slices[0])
    node.harvest()
    assert [code for _, code in node.rejections()] == ["off_plane"]
    node.receive(*slices[1:])
    node.harvest()
    assert {row.sop_instance_uid for row in node.truth()} == {f"{SERIES}.1", f"{SERIES}.2"}
    assert node.rejections() == []


def test_a_drawing_of_another_patient_is_not_read_again(node: Node) -> None:
    slices, others = ct_series(), in_millimetres(ct_series()[1], study_uid="1.4")
    others.PatientID = "P2"
    node.receive(others)
    node.harvest("1.4")
    node.files.path(f"{others.SOPInstanceUID}.dcm").unlink()
    node.receive(*slices)
    node.harvest()
    assert [code for _, code in node.rejections()] == ["no_plane"]
    assert not node.session.scalars(select(Refusal)).all(), "its file was not looked for"


def test_an_image_without_spacing_gives_pixels_alone(node: Node) -> None:
    node.receive(ct_instance(f"{SERIES}.1", spacing=None), report("1.5.1"))
    node.harvest()
    (row,) = node.rows()
    assert row.image_present and row.long_axis_mm is None and row.long_axis_px == pytest.approx(20.0)


def test_an_end_outside_the_image_is_doubtful(node: Node) -> None:
    below = ((32.0, ROWS + 3.0), (20.0, ROWS + 9.0))
    node.receive(*ct_series(), report("1.5.1", long=((20.0, 40.0), (32.0, ROWS + 16.0)), short=below))
    node.harvest()
    (row,) = node.rows()
    assert row.possibly_noisy and "outside the image" in (row.noisy_because or "")
    assert not node.truth()


def test_a_presentation_state_becomes_rows(node: Node) -> None:
    lines = [graphic("POLYLINE", LONG), graphic("POLYLINE", SHORT)]
    node.receive(
        *ct_series(), gsps(annotation(lines, [text_object("14,1 x 6,6 mm")], [f"{SERIES}.1"]), images=[f"{SERIES}.1"])
    )
    node.harvest()
    (row,) = node.truth()
    assert (row.source_kind, row.reader) == ("GSPS", "Reader^Two")
    assert (row.stated_long_axis_mm, row.stated_short_axis_mm, row.stated_disagrees) == (14.1, 6.6, False)


def test_millimetres_in_the_patient_land_on_the_slice_that_holds_them(node: Node) -> None:
    slices = ct_series()
    node.receive(*slices, in_millimetres(slices[1]))
    node.harvest()
    (row,) = node.truth()
    assert row.sop_instance_uid == f"{SERIES}.2"
    assert (row.long_x1, row.long_y1, row.long_x2, row.long_y2) == pytest.approx((20.0, 10.0, 32.0, 26.0), abs=1e-3)
