"""Studies for the viewer, and results as a detector without a fault would bring them. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache

import numpy as np
from pydicom import Dataset

from db.detection import Detection, Mask
from db.geometry import DEEPLESION_MARGIN_PX, BoxPx
from db.measurement import ImageReference
from db.uids import uid_from
from dicom_node.phantom.settings import PhantomSettings
from dicom_node.phantom.study import PhantomStudy, make_study
from dicom_node.phantom.truth import PhantomLesion
from dicom_node.report.context import Context, Identity, InstanceReference, ModelDescription
from dicom_node.report.seg import segmentation
from dicom_node.report.sr import measurement_report
from dicom_node.report.subject import describe

MODEL = ModelDescription("Lesion node detector", "tests", "Lesion node (open source)", "1.0", "2.25.77")
_SHAPE = {"rows": 192, "slices": (12, 12), "odd_geometry_share": 0.0, "unread_share": 0.0}
"""Square pixels: OHIF itself misplaces SCOORDs on others."""


@dataclass(frozen=True, slots=True, eq=False)
class Reported:
    """A study, what is on it, and the objects that say so."""

    study: PhantomStudy
    found: tuple[Detection, ...]
    report: Dataset
    segmentation: Dataset | None

    @property
    def uid(self) -> str:
        return self.study.study_instance_uid


@cache
def with_lesions() -> PhantomStudy:
    """An abdomen with four lesions, two of them large ones in the liver."""
    return make_study(33, 2, PhantomSettings(lesions=(4, 5), **_SHAPE))


@cache
def without_lesions() -> PhantomStudy:
    return make_study(32, 0, PhantomSettings(lesions=(0, 0), **_SHAPE))


def in_slice_order(study: PhantomStudy) -> tuple[Dataset, ...]:
    """Axial images from the feet up, as detections count them."""
    return tuple(sorted(study.images, key=lambda ds: float(ds.ImagePositionPatient[2])))


def reported(study: PhantomStudy, analysis: int = 1, before: Reported | None = None) -> Reported:
    """The truth as a result. `analysis`: the how manieth; a later one goes into the series of the one `before`."""
    images = in_slice_order(study)
    found = tuple(_detection(lesion, images) for lesion in study.lesions)

    subject = describe(found, Context(images, MODEL, datetime(2026, 11, 20, 10, analysis, tzinfo=UTC)))

    def identity(kind: str, number: int, before: Dataset | None, mask: Dataset | None = None) -> Identity:
        return Identity(
            series_instance_uid=uid_from("series", study.study_instance_uid, kind),
            sop_instance_uid=uid_from("result", study.study_instance_uid, kind, str(analysis)),
            series_number=number,
            instance_number=analysis,
            predecessors=() if before is None else (InstanceReference.of(before),),
            segmentation=None if mask is None else InstanceReference.of(mask),
        )

    mask = segmentation(subject, identity("SEG", 9902, None))
    report = measurement_report(subject, identity("SR", 9901, None if before is None else before.report, mask))
    return Reported(study, found, report, mask)


def _detection(lesion: PhantomLesion, images: tuple[Dataset, ...]) -> Detection:
    """Its mask is the ellipse within the lesion's box on each slice."""
    place = {str(ds.SOPInstanceUID): z for z, ds in enumerate(images)}
    boxes = {place[uid]: box for uid, box in lesion.boxes.items()}
    rows, columns = int(images[0].Rows), int(images[0].Columns)
    voxels = np.stack([_ellipse(boxes.get(z), rows, columns) for z in range(len(images))])
    return Detection(
        detection_id=f"00000000-0000-4000-8000-{lesion.number:012d}",
        image=ImageReference(lesion.key_sop_instance_uid),
        box=lesion.box,
        z_first=min(boxes),
        z_last=max(boxes),
        long_axis=lesion.long_axis,
        short_axis=lesion.short_axis,
        long_axis_mm=lesion.long_axis_mm,
        short_axis_mm=lesion.short_axis_mm,
        score=0.9,
        category=lesion.kind,
        tracking_uid=uid_from("lesion", lesion.key_sop_instance_uid, str(lesion.number)),
        mask=Mask(0, 0, 0, voxels),
    )


def _ellipse(box: BoxPx | None, rows: int, columns: int) -> np.ndarray:
    row, col = np.mgrid[:rows, :columns]
    if box is None:
        return np.zeros((rows, columns), bool)
    half = (box.width_px / 2 - DEEPLESION_MARGIN_PX, box.height_px / 2 - DEEPLESION_MARGIN_PX)
    inside: np.ndarray = ((col - box.centre.col) / half[0]) ** 2 + ((row - box.centre.row) / half[1]) ** 2 <= 1
    return inside
