"""Marks that OHIF does not show, written anew: it takes them up as measurements, on the pixels that the reader drew."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from builders import annotation, graphic, gsps, text_object
from ohif_studies import in_slice_order, with_lesions
from ohif_viewer import Viewer, running_viewer
from orthanc import running_orthanc
from pydicom import Dataset, dcmread
from pydicom.uid import ExplicitVRLittleEndian
from test_orthanc import part10
from whole_way import NODE, configure, keep

from db.engine import sqlite_url, utc_now
from db.geometry import PointPx
from dicom_node.demo import free_port
from dicom_node.settle import settle_study
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
    viewer: Viewer
    images: tuple[Dataset, ...]
    copy: Dataset


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory, migrated_sqlite: bytes) -> Iterator[Shown]:
    """A reader's presentation state harvested, translated and in the PACS, and the study open in OHIF."""
    folder = tmp_path_factory.mktemp("translated")
    images = in_slice_order(with_lesions())
    copy = translated(folder, images, migrated_sqlite)
    with running_viewer() as viewer, running_orthanc(folder / "orthanc", NODE, free_port(), dicom_web=True) as pacs:
        viewer.site.pacs_port = pacs.http_port
        for ds in (*images, copy):
            pacs.add(part10(ds))
        yield Shown(viewer, images, copy)


def translated(folder: Path, images: tuple[Dataset, ...], migrated_sqlite: bytes) -> Dataset:
    (folder / "node.sqlite").write_bytes(migrated_sqlite)
    site = configure(folder, sqlite_url(folder), 104)
    node, uid = site.node, str(images[0].StudyInstanceUID)
    keep(site, [*images, overlay(images)])
    assert settle_study(node.sessions, node.files, uid, utc_now(), node.site_key()) is not None
    harvest_study(node.sessions, uid, node.files)
    (done,) = translate(node, uid)
    node.sessions.kw["bind"].dispose()
    assert done.marks == len(DRAWN), done
    return dcmread(node.files.path(done.file_name))


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
    for keyword in ("PatientID", "PatientName", "PatientBirthDate", "PatientSex", "IssuerOfPatientID"):
        if keyword in images[0]:
            setattr(ds, keyword, images[0][keyword].value)
    return ds


def test_the_viewer_takes_up_every_mark_where_the_reader_drew_it(shown: Shown) -> None:
    viewer = shown.viewer
    entries = viewer.open(str(shown.images[0].StudyInstanceUID), str(shown.copy.SOPInstanceUID))
    (entry,) = (each for each in entries if each.object == shown.copy.SOPInstanceUID)
    assert entry.description == "Copy of GSPS: Overlay"
    viewer.display(entry)
    assert len(viewer.marks("DICOMSRDisplay")) == len(DRAWN)
    viewer.answer()
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
