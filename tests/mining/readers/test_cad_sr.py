"""What an algorithm found is read with its name, and never as what a person drew."""

import shutil
import subprocess
from pathlib import Path
from time import process_time

import pytest
from builders import AREA, LENGTH, LONG_AXIS, LUNG, NODULE, SHORT_AXIS, SITE, code, container, image, num, scoord, text
from builders_cad import (
    CENTER,
    CHEST_CAD,
    CHEST_ROOT,
    CLUSTER,
    DENSITY,
    NOT_PRESENTED,
    ONE_CALCIFICATION,
    OUTLINE,
    CodeTriple,
    algorithm,
    cad_sr,
    composite,
    coordinates,
    finding,
    library,
    pointing,
)
from dialect import Dialect
from dialects_cad import CAD_DIALECTS
from pydicom.dataset import Dataset

from db.geometry import Axis, PointPx
from db.measurement import ImageReference, Measurement, Rejected, WeakLabel
from mining.readers.cad_sr import read_cad_sr

LONG, SHORT = ((20.0, 10.0), (32.0, 26.0)), ((32.0, 16.0), (20.0, 19.5))
LEFT, RIGHT = "1.2.3.1", "1.2.3.2"
RING = [(10, 10), (24, 12), (26, 30), (12, 32), (10, 10)]
CERTAINTY: CodeTriple = ("111012", "DCM", "Certainty of finding")


def read(ds: Dataset) -> tuple[list[Measurement], list[WeakLabel], list[tuple[str, str]]]:
    found = list(read_cad_sr(ds))
    return (
        [one for one in found if isinstance(one, Measurement)],
        [one for one in found if isinstance(one, WeakLabel)],
        [(one.source_item, one.reason_code) for one in found if isinstance(one, Rejected)],
    )


def centre(col: float = 18.0, row: float = 20.0, entry: int = 1) -> Dataset:
    return coordinates(CENTER, "POINT", [(col, row)], pointing(1, 1, entry))


def outline(entry: int = 1) -> Dataset:
    return coordinates(OUTLINE, "POLYLINE", RING, pointing(1, 1, entry))


def test_an_outline_gives_derived_axes_on_the_image_of_the_library() -> None:
    performed = [(CLUSTER, "Clusters", "2.1"), (DENSITY, "Masses", "4.0")]
    ds = cad_sr(finding(DENSITY, centre(entry=2), outline(entry=2)), images=library(LEFT, RIGHT), performed=performed)
    (found,), places, rejected = read(ds)
    assert (found.image, found.derived, found.source.kind) == (ImageReference(RIGHT), True, "CAD SR")
    assert (found.outline and (found.outline.x1, found.outline.y2)) == (10.0, 32.0)
    assert found.finding is not None and found.finding.meaning == "Mammography breast density"
    assert (found.by_algorithm, found.reader) == ("Masses 4.0", "")
    assert found.site is not None and found.site.meaning == "Left breast"
    assert (places, rejected) == ([], [])


def test_a_centre_alone_is_a_place() -> None:
    _, (place,), rejected = read(cad_sr(finding(CLUSTER, centre()), images=library(LEFT)))
    assert (place.point, place.image.sop_instance_uid, rejected) == (PointPx(18.0, 20.0), LEFT, [])
    assert place.finding is not None and place.finding.value == "129769006"
    assert place.by_algorithm == "Viewer Maker Viewer"


def test_drawn_diameters_go_before_the_outline() -> None:
    lines = [
        num(concept, value, "mm", scoord("POLYLINE", line, pointing(1, 1, 1)))
        for concept, line, value in ((LONG_AXIS, LONG, 14.1), (SHORT_AXIS, SHORT, 6.6))
    ]
    around = coordinates(OUTLINE, "POLYLINE", [(18, 8), (34, 8), (34, 28), (18, 28), (18, 8)], pointing(1, 1, 1))
    (found,), places, rejected = read(cad_sr(finding(NODULE, centre(), around, *lines), images=library(LEFT)))
    assert found.long_axis == Axis(PointPx(*LONG[0]), PointPx(*LONG[1]))
    assert (found.stated_long_axis_mm, found.stated_short_axis_mm, found.derived) == (14.1, 6.6, False)
    assert (places, [code for _, code in rejected]) == ([], ["axes_are_drawn"])


def test_the_algorithm_of_a_finding_goes_before_that_of_the_report() -> None:
    own = finding(NODULE, *algorithm("Nodules", "7"), centre())
    other = finding(CLUSTER, centre(40.0, 30.0))
    _, places, _ = read(cad_sr(own, other, images=library(LEFT), performed=[(DENSITY, "Masses", "4.0")]))
    assert [place.by_algorithm for place in places] == ["Nodules 7", "Masses 4.0"]


def test_the_findings_of_a_composite_feature_are_one_lesion_in_two_views() -> None:
    tracked = text(("112039", "DCM", "Tracking Identifier"), "Mass 1")
    both = composite(DENSITY, tracked, finding(DENSITY, outline(1)), finding(DENSITY, outline(2)))
    found, _, rejected = read(cad_sr(both, images=library(LEFT, RIGHT)))
    assert [(one.image.sop_instance_uid, one.tracking_id) for one in found] == [(LEFT, "Mass 1"), (RIGHT, "Mass 1")]
    assert not rejected


def test_a_composite_feature_that_refers_to_its_findings_counts_too() -> None:
    tracked = text(("112039", "DCM", "Tracking Identifier"), "Mass 1")
    refers = composite(DENSITY, tracked, pointing(1, 2, 1, 1, relationship="INFERRED FROM"))
    (found,), _, _ = read(cad_sr(finding(DENSITY, outline()), refers, images=library(LEFT)))
    assert found.tracking_id == "Mass 1"


def test_two_views_with_one_tracking_uid_are_both_kept() -> None:
    views = []
    for entry in (1, 2):
        view = finding(DENSITY, outline(entry), text(("112040", "DCM", "Tracking Unique Identifier"), "1.9"))
        views.append(view)
    assert len(read(cad_sr(*views, images=library(LEFT, RIGHT)))[0]) == 2


@pytest.mark.parametrize(
    "value",
    [
        ("111102", "DCM", "Non-lesion"),
        ("T-04100", "SRT", "Nipple"),
        ("X", "99X", "Pectoral Muscle"),
        ("129715009", "SCT", "Breast composition"),
    ],
)
def test_what_is_no_lesion_is_said_to_be_none(value: CodeTriple) -> None:
    ds = cad_sr(finding(value, centre(), outline()), finding(value), images=library(LEFT))
    assert read(ds) == ([], [], [("1.2.1.1", "not_a_lesion"), ("1.2.1.2", "not_a_lesion")])


def test_what_is_not_for_presentation_is_not_taken() -> None:
    ds = cad_sr(finding(DENSITY, outline(), intent=NOT_PRESENTED), images=library(LEFT))
    assert read(ds) == ([], [], [("1.2.1.1", "not_for_presentation")])


def test_single_calcifications_are_parts_of_their_cluster() -> None:
    parts = [finding(ONE_CALCIFICATION, centre(12.0 + n, 20.0)) for n in range(3)]
    (found,), places, rejected = read(cad_sr(finding(CLUSTER, outline(), *parts), images=library(LEFT)))
    assert found.finding is not None and found.finding.meaning == "Calcification Cluster"
    assert (places, [code for _, code in rejected]) == ([], ["part_of_a_finding"] * 3)


def test_a_single_calcification_of_its_own_is_a_finding() -> None:
    _, (place,), _ = read(cad_sr(finding(ONE_CALCIFICATION, centre()), images=library(LEFT)))
    assert place.point == PointPx(18.0, 20.0)


def test_a_nodule_outlined_over_several_slices_is_measured_where_it_is_longest() -> None:
    small = coordinates(OUTLINE, "CIRCLE", [(20, 20), (20, 23)], image("1.1"))
    large = coordinates(OUTLINE, "CIRCLE", [(20, 20), (20, 26)], image("1.2"))
    site = code(SITE, LUNG, "HAS CONCEPT MOD")
    ds = cad_sr(finding(NODULE, site, small, large), root=CHEST_ROOT, sop_class_uid=CHEST_CAD)
    (found,), _, rejected = read(ds)
    assert (found.image.sop_instance_uid, found.long_axis.length_px) == ("1.2", 12.0)
    assert found.site is not None and found.site.meaning == "Lung"
    assert [code for _, code in rejected] == ["smaller_slice"]


def test_certainty_and_area_are_no_lengths_of_a_finding() -> None:
    ds = cad_sr(finding(DENSITY, outline(), num(CERTAINTY, 83.0, "%"), num(AREA, 31.0, "mm2")), images=library(LEFT))
    (found,), _, rejected = read(ds)
    assert (found.stated_long_axis_mm, rejected) == (None, [])


def test_the_region_that_was_looked_at_is_no_finding() -> None:
    looked_at = container(("111063", "DCM", "Successful Detections"), outline())
    ds = cad_sr(images=library(LEFT))
    ds.ContentSequence.append(looked_at)
    assert read(ds) == ([], [], [("1.3", "not_a_lesion")])


def test_a_finding_without_a_place_and_a_report_without_a_finding_say_so() -> None:
    assert read(cad_sr(finding(DENSITY, num(CERTAINTY, 9.0, "%")), images=library(LEFT)))[2] == [
        ("1.2.1.1", "no_coordinates")
    ]
    assert read(cad_sr(images=library(LEFT)))[2] == [("1", "no_measurement")]


def test_a_drawing_of_a_writer_that_knows_no_findings_is_read_all_the_same() -> None:
    ds = cad_sr()
    ds.ContentSequence.append(container(None, num(LENGTH, 14.0, "mm", scoord("POLYLINE", LONG, image("1.1")))))
    (found,), _, _ = read(ds)
    assert (found.by_algorithm, found.stated_long_axis_mm) == ("Viewer Maker Viewer", 14.0)


def test_an_outline_without_an_image_among_several_is_rejected() -> None:
    bare = coordinates(OUTLINE, "POLYLINE", RING)
    assert read(cad_sr(finding(DENSITY, bare), images=library(LEFT, RIGHT)))[2] == [("1.2.1.1.2", "no_image_reference")]


@pytest.mark.slow
@pytest.mark.parametrize("dialect", [d for d in CAD_DIALECTS if d.kind == "CAD SR"], ids=lambda dialect: dialect.name)
def test_the_reports_of_these_tests_keep_the_rules_of_their_classes(dialect: Dialect, tmp_path: Path) -> None:
    """dsrdump checks the value types and the relationships of each item, and resolves the references."""
    if shutil.which("dsrdump") is None:
        pytest.skip("dsrdump is not installed")
    for ds in dialect.objects():
        if ds.Modality == "SR":
            ds.save_as(tmp_path / "cad.dcm", enforce_file_format=True)
            run = subprocess.run(["dsrdump", tmp_path / "cad.dcm"], capture_output=True, text=True, check=False)
            assert (run.returncode, [line for line in run.stderr.splitlines() if line[:2] in ("E:", "F:")]) == (0, [])


@pytest.mark.slow
def test_a_report_of_thousands_of_findings_is_read_in_seconds() -> None:
    many = [finding(CLUSTER, centre(n % 60, n % 40), outline()) for n in range(3_000)]
    start = process_time()
    found, places, _ = read(cad_sr(*many, images=library(LEFT)))
    assert len(found) + len(places) <= 5_000
    assert process_time() - start < 20
