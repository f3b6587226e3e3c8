"""OHIF with Orthanc as its PACS shows our results on the right pixel, in a real browser."""

from collections.abc import Callable, Iterator, Sequence
from functools import cache
from itertools import pairwise

import numpy as np
import pytest
from ohif_studies import Reported, failed, in_slice_order, reported, third_study, truth, with_lesions, without_lesions
from ohif_viewer import Entry, Mark, Viewer, running_viewer
from orthanc import running_orthanc
from pydicom import Dataset
from test_orthanc import part10
from whole_way import NODE

from db.detection import Detection
from db.geometry import PointPx
from dicom_node.demo import free_port
from dicom_node.report.profiles import PROFILES
from dicom_node.report.source import plane_of
from dicom_node.report.subject import drawn_box

pytestmark = pytest.mark.slow

CLOSE_PX = 0.5


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Viewer]:
    """One for all tests, for its start and OHIF's first page take most of the time; its PACS has three studies."""
    folder = tmp_path_factory.mktemp("pacs")
    with (
        running_viewer() as viewer,
        running_orthanc(folder / "orthanc", NODE, free_port(), dicom_web=True) as pacs,
    ):
        viewer.site.pacs_port = pacs.http_port
        for result in (lesions(), nothing(), failure()):
            for ds in result.objects:
                pacs.add(part10(ds))
        yield viewer


@cache
def lesions() -> Reported:
    """In every profile, as a site may send several to one PACS."""
    return reported(with_lesions(), *PROFILES)


@cache
def nothing() -> Reported:
    return reported(without_lesions())


@cache
def failure() -> Reported:
    return failed(third_study(), "a slice is missing")


def opened(viewer: Viewer, result: Reported) -> list[Entry]:
    return viewer.open(result.uid, *(str(ds.SOPInstanceUID) for ds in result.results.values()))


def entry_of(entries: list[Entry], result: Reported, profile: str) -> Entry:
    (found,) = [entry for entry in entries if entry.object == result.results[profile].SOPInstanceUID]
    return found


def header_of(result: Reported, sop_instance_uid: str) -> Dataset:
    return next(ds for ds in result.study.images if ds.SOPInstanceUID == sop_instance_uid)


def distance_px(mark: Mark, detection: Detection, header: Dataset) -> float:
    """How far the viewer's mark lies from the detection's box, or from its axes, at most."""
    points = mark.on(header)
    upper_left, upper_right, lower_right, lower_left, _ = ring = drawn_box(detection.box, header.Rows, header.Columns)
    if mark.tool == "RectangleROI":
        drawn: Sequence[PointPx] = (upper_left, upper_right, lower_left, lower_right)
    elif len(points) == len(ring):
        drawn = ring
    else:
        drawn = (*detection.long_axis.points, *detection.short_axis.points)
    return max(a.distance_px(b) for a, b in zip(points, drawn, strict=True))


def assert_on_the_lesions(marks: list[Mark], result: Reported) -> None:
    """A box and axes for each lesion, on its image, within half a pixel."""
    assert len(marks) == 2 * len(result.found)
    for number, detection in enumerate(result.found, start=1):
        own = [mark for mark in marks if mark.label.startswith(f"Lesion {number}:")]
        assert [mark.image for mark in own] == [detection.image.sop_instance_uid] * 2, detection.category
        header = header_of(result, detection.image.sop_instance_uid)
        for mark in own:
            assert distance_px(mark, detection, header) < CLOSE_PX, (number, mark.tool)


def assert_healthy(viewer: Viewer) -> None:
    assert viewer.troubles() == []
    assert "Something went wrong" not in viewer.text()


def shows_the_image(viewer: Viewer) -> bool:
    """Whether there is a body on the picture, and not only black."""
    return float((viewer.picture().mean(axis=2) > 60).mean()) > 0.1


def test_a_report_is_displayed_and_hydrated_on_its_lesions(browser: Viewer) -> None:
    result = lesions()
    entries = opened(browser, result)
    browser.display(entry_of(entries, result, "ohif"))
    assert_on_the_lesions(browser.marks("DICOMSRDisplay"), result)
    assert shows_the_image(browser)
    browser.answer()
    marks = browser.marks("RectangleROI", "Bidirectional")
    assert_on_the_lesions(marks, result)
    for mark in marks:
        if mark.tool == "RectangleROI":
            browser.jump(mark)
            assert shows_the_image(browser)
            assert share_drawn(browser, mark) > 0.8, mark.label
    assert_healthy(browser)


def share_drawn(viewer: Viewer, mark: Mark) -> float:
    """The share of a rectangle's edge on the screenshot that has the colour of a mark, to one pixel of the screen."""
    picture = np.asarray(viewer.screenshot()).astype(int)
    coloured = (picture[..., 1] > 140) & (picture[..., 2] < 100)
    corners = [np.array(at) for at in viewer.on_screen([mark.points[place] for place in (0, 1, 3, 2, 0)])]
    hits = []
    for start, end in pairwise(corners):
        for share in np.linspace(0.05, 0.95, 30):
            x, y = np.rint(start + share * (end - start)).astype(int)
            hits.append(coloured[y - 1 : y + 2, x - 1 : x + 2].any())
    return float(np.mean(hits))


def test_the_viewer_draws_the_image_where_it_draws_the_marks(browser: Viewer) -> None:
    """Otherwise a mark could have the right numbers and stand on the wrong tissue."""
    result = lesions()
    opened(browser, result)
    found = max(result.found, key=lambda each: each.long_axis_mm)
    header = header_of(result, found.image.sop_instance_uid)
    browser.scroll(header.SOPInstanceUID)
    shifts = [(0.0, 0.0), (1.0, 0.0), (-1.0, 0.0), (0.0, 1.0), (0.0, -1.0)]
    likeness = [correlation(browser, header, found.box.centre, shift) for shift in shifts]
    assert likeness[0] > 0.9 and likeness[0] == max(likeness), likeness


def correlation(viewer: Viewer, header: Dataset, middle: PointPx, shift: tuple[float, float]) -> float:
    """Of stored values with the grey on the screen, over a square around `middle`; `shift` in (columns, rows)."""
    around = range(-20, 21)
    places = [(round(middle.row) + row, round(middle.col) + col) for row in around for col in around]
    plane = plane_of(header)
    picture = np.asarray(viewer.screenshot().convert("L")).astype(float)
    where = viewer.on_screen([plane.to_mm(PointPx(col + shift[0], row + shift[1])) for row, col in places])
    shown = [picture[round(y), round(x)] for x, y in where]
    hu = header.pixel_array.astype(float) + float(header.RescaleIntercept)
    low = float(header.WindowCenter) - float(header.WindowWidth) / 2
    grey = np.clip(hu, low, low + float(header.WindowWidth))
    return float(np.corrcoef(shown, [grey[place] for place in places])[0, 1])


def test_a_segmentation_lies_over_the_image_with_its_labels(browser: Viewer) -> None:
    result = lesions()
    entries = opened(browser, result)
    browser.display(entry_of(entries, result, "seg"))
    overlay = browser.overlay()
    assert list(overlay.labels) == [1, 2, 3, 4]
    for number, detection in enumerate(result.found, start=1):
        assert overlay.labels[number].startswith(f"Lesion {number}: {detection.category}")
    columns = int(result.study.images[0].Columns)
    ours: dict[str, set[tuple[int, int]]] = {}
    images = in_slice_order(result.study)
    for number, detection in enumerate(truth(result.study), start=1):
        assert detection.mask is not None
        for z, row, col in zip(*np.nonzero(detection.mask.voxels), strict=True):
            ours.setdefault(images[z].SOPInstanceUID, set()).add((int(row * columns + col), number))
    assert {image: voxels for image, voxels in overlay.voxels.items() if voxels} == ours
    browser.answer()
    found = max(result.found, key=lambda each: each.long_axis_mm)
    browser.scroll(found.image.sop_instance_uid)
    plane = plane_of(header_of(result, found.image.sop_instance_uid))
    ((x, y),) = browser.on_screen([plane.to_mm(found.box.centre)])
    red, green, blue = (int(value) for value in np.asarray(browser.screenshot())[round(y), round(x)])
    assert max(red, green, blue) - min(red, green, blue) > 40, "the lesion's middle is coloured"
    browser.keep_for_docs("ohif_seg")
    assert shows_the_image(browser)
    assert_healthy(browser)


def test_no_other_profile_harms_the_viewer(browser: Viewer) -> None:
    """The study opens with all of them, and what OHIF can show, it shows."""
    result = lesions()
    assert set(result.results) == set(PROFILES)
    entries = opened(browser, result)
    assert_healthy(browser)
    for name, drawn in (("air", True), ("slicer", True), ("rtstruct", False), ("seg-labelmap", False), ("sc", False)):
        browser.display(entry_of(entries, result, name))
        assert shows_the_image(browser), name
        assert_healthy(browser)
        if name in ("air", "rtstruct", "sc"):
            browser.keep_for_docs(f"ohif_{name}")
        if drawn:
            assert_boxes_on_the_lesions(browser.marks("DICOMSRDisplay"), result)


def assert_boxes_on_the_lesions(marks: list[Mark], result: Reported) -> None:
    """Each lesion has a box within half a pixel; there is no other."""
    on = []
    for mark in marks:
        header = header_of(result, mark.image)
        close = [n for n, each in enumerate(result.found) if distance_px(mark, each, header) < CLOSE_PX]
        assert len(close) == 1, mark
        on += close
    assert set(on) == set(range(len(result.found)))


@pytest.mark.parametrize(
    ("result", "says"),
    [(nothing, "No lesion found above the operating point"), (failure, "Analysis failed: a slice is missing")],
)
def test_a_report_without_lesions_opens_as_text(result: Callable[[], Reported], says: str, browser: Viewer) -> None:
    entries = opened(browser, result())
    assert shows_the_image(browser)
    browser.display(entry_of(entries, result(), "ohif"))
    assert says in browser.text()
    if result is nothing:
        browser.keep_for_docs("ohif_nothing")
    assert browser.marks("DICOMSRDisplay") == []
    assert_healthy(browser)
