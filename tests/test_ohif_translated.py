"""Marks that OHIF does not show, written anew: it takes them up as measurements, on the pixels that the reader drew."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from io import BytesIO

import numpy as np
import pytest
from builders import annotation, graphic, gsps, text_object
from ohif_studies import in_slice_order, with_lesions
from ohif_viewer import Viewer, running_viewer
from orthanc import Orthanc, running_orthanc
from pydicom import Dataset, dcmread
from pydicom.tag import Tag
from pydicom.uid import ExplicitVRLittleEndian
from test_orthanc import part10
from whole_way import NODE, Site, configure, keep

from db.engine import sqlite_url, utc_now
from db.geometry import PointMm, PointPx
from dicom_node.demo import free_port
from dicom_node.report.header import copied_header
from dicom_node.settle import settle_study
from dicom_node.sql import query
from dicom_node.translate import translate
from mining.harvest import harvest_study

pytestmark = pytest.mark.slow

CLOSE_PX = 0.5
LONG, SHORT = ((60.0, 82.0), (96.0, 94.0)), ((73.0, 98.0), (81.0, 76.0))
LINE = ((140.0, 90.0), (171.0, 103.0))
RING = ((110.0, 120.0), (142.0, 120.0), (142.0, 139.0), (110.0, 139.0), (110.0, 120.0))
DRAWN = {"Bidirectional": (*LONG, *SHORT), "Length": LINE, "RectangleROI": RING[:4]}


@dataclass(frozen=True, slots=True)
class Shown:
    site: Site
    pacs: Orthanc
    viewer: Viewer
    images: tuple[Dataset, ...]
    copy: Dataset

    @property
    def study(self) -> str:
        return str(self.images[0].StudyInstanceUID)

    def truth(self) -> list[tuple[object, ...]]:
        """Every lesion that is truth, with all that SQL says of it."""
        query = (
            f"SELECT * FROM lesions WHERE study_instance_uid = '{self.study}' AND excluded_because IS NULL ORDER BY 1"
        )
        return [tuple(row) for row in query_rows(self.site, query)]

    def saved(self, into: str = "") -> Dataset:
        """What OHIF sends to the PACS when its user saves the measurements."""
        before = self.documents()
        _, status = self.viewer.save(into)
        assert status == 200
        (new,) = self.documents() - before
        return dcmread(BytesIO(self.pacs.file(new)))

    def documents(self) -> set[str]:
        images = {str(ds.SOPInstanceUID) for ds in self.images}
        return {uid for uids in self.pacs.instances(self.study).values() for uid in uids} - images


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory, migrated_sqlite: bytes) -> Iterator[Shown]:
    """A reader's presentation state harvested, translated and in the PACS, and the study open in OHIF."""
    folder = tmp_path_factory.mktemp("translated")
    images = in_slice_order(with_lesions())
    (folder / "node.sqlite").write_bytes(migrated_sqlite)
    site = configure(folder, sqlite_url(folder), 104)
    copy = translated(site, images)
    with running_viewer() as viewer, running_orthanc(folder / "orthanc", NODE, free_port(), dicom_web=True) as pacs:
        viewer.site.pacs_port = pacs.http_port
        for ds in (*images, copy):
            pacs.add(part10(ds))
        yield Shown(site, pacs, viewer, images, copy)
    site.node.sessions.kw["bind"].dispose()


def translated(site: Site, images: tuple[Dataset, ...]) -> Dataset:
    arrive(site, *images, overlay(images))
    (done,) = translate(site.node, str(images[0].StudyInstanceUID))
    assert done.marks == len(DRAWN), done
    return dcmread(site.node.files.path(done.file_name))


def arrive(site: Site, *objects: Dataset) -> None:
    """Received, settled and harvested."""
    node, uid = site.node, str(objects[0].StudyInstanceUID)
    keep(site, objects)
    assert settle_study(node.sessions, node.files, uid, utc_now(), node.site_key()) is not None
    harvest_study(node.sessions, uid, node.files)


def query_rows(site: Site, statement: str) -> list[Sequence[object]]:
    return list(query(site.config.url, statement)[1])


def overlay(images: tuple[Dataset, ...]) -> Dataset:
    """What a PACS exports: two axes, a line and a rectangle, each on a slice of its own."""
    keys = [str(images[place].SOPInstanceUID) for place in (4, 6, 8)]
    spacing = float(images[0].PixelSpacing[0])
    length_mm = spacing * PointPx(*LINE[0]).distance_px(PointPx(*LINE[1]))
    axes = [graphic("POLYLINE", LONG), graphic("POLYLINE", SHORT)]
    ds = gsps(
        annotation(axes, [text_object("target lesion 1", LONG[1])], images=keys[:1]),
        annotation([graphic("POLYLINE", LINE)], [text_object(f"{length_mm:.1f} mm", LINE[1])], images=keys[1:2]),
        annotation([graphic("POLYLINE", RING)], [text_object("nodule", RING[1])], images=keys[2:]),
        images=keys,
        displayed=(1, 1, int(images[0].Columns), int(images[0].Rows)),
        study_uid=str(images[0].StudyInstanceUID),
    )
    ds.ReferencedSeriesSequence[0].SeriesInstanceUID = images[0].SeriesInstanceUID
    ds.SeriesDescription = "Overlay"
    ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    for element in copied_header(images[0]):
        ds[Tag(element.tag)] = element
    return ds


def take_up(shown: Shown) -> None:
    """Open the copy as a reader does."""
    viewer = shown.viewer
    entries = viewer.open(shown.study, str(shown.copy.SOPInstanceUID))
    (entry,) = (each for each in entries if each.object == shown.copy.SOPInstanceUID)
    assert entry.description == "Copy of GSPS: Overlay"
    viewer.display(entry)
    assert len(viewer.marks("DICOMSRDisplay")) == len(DRAWN)
    viewer.answer()


def test_the_viewer_takes_up_every_mark_where_the_reader_drew_it(shown: Shown) -> None:
    viewer = shown.viewer
    take_up(shown)
    marks = {mark.tool: mark for mark in viewer.marks(*DRAWN)}
    assert marks.keys() == DRAWN.keys()
    for tool, points in DRAWN.items():
        header = next(each for each in shown.images if each.SOPInstanceUID == marks[tool].image)
        found = marks[tool].on(header)
        for point in points:
            near = min(PointPx(*point).distance_px(one) for one in found)
            assert near <= CLOSE_PX, tool
    assert viewer.troubles() == []
    viewer.jump(marks["Bidirectional"])
    viewer.keep_for_docs("ohif_translated")


def test_it_says_that_they_are_a_copy(shown: Shown) -> None:
    labels = [mark.label for mark in shown.viewer.marks(*DRAWN)]
    assert labels and all("(copy of GSPS" in label for label in labels), labels


def test_what_the_viewer_saves_of_them_is_no_second_truth_until_one_is_moved(shown: Shown) -> None:
    viewer, before = shown.viewer, shown.truth()
    assert len(before) == len(DRAWN)
    arrive(shown.site, shown.copy, shown.saved())
    assert shown.truth() == before, "saved into a new series"
    take_up(shown)
    (axes,) = viewer.marks("Bidirectional")
    viewer.jump(axes)
    viewer.remove(next(mark for mark in viewer.marks("Length")))
    words = viewer.mark(axes.uid).words  # in the way of the mouse
    middle = PointMm(*(float(v) for v in np.mean([(p.x, p.y, p.z) for p in words], axis=0)))
    viewer.drag(middle, PointMm(middle.x, middle.y + 140, middle.z))
    a, b = axes.points[:2]
    grip = PointMm(*(0.8 * p + 0.2 * q for p, q in ((a.x, b.x), (a.y, b.y), (a.z, b.z))))
    viewer.drag(grip, PointMm(grip.x + 6, grip.y + 4, grip.z))
    arrive(shown.site, shown.saved())
    ids, moved = ({row[0] for row in rows} for rows in (before, shown.truth()))
    assert ids <= moved, "what the reader drew in the PACS stands"
    assert len(moved) == len(ids) + 1, "and what they moved in the viewer is a measurement of its own"
