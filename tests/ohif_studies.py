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
from dicom_node.report.profiles import PROFILES
from dicom_node.report.seg import segmentation
from dicom_node.report.subject import describe, describe_failure

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

    @property
    def objects(self) -> tuple[Dataset, ...]:
        """All that a PACS holds of it."""
        return (*self.study.images, self.report, *([] if self.segmentation is None else [self.segmentation]))


@cache
def with_lesions() -> PhantomStudy:
    """An abdomen with four lesions, two of them large ones in the liver."""
    return make_study(33, 2, PhantomSettings(lesions=(4, 5), **_SHAPE))


@cache
def other_lesions() -> PhantomStudy:
    """A pelvis with four lesions."""
    return make_study(33, 3, PhantomSettings(lesions=(4, 5), **_SHAPE))


@cache
def third_study() -> PhantomStudy:
    return make_study(33, 0, PhantomSettings(lesions=(2, 3), **_SHAPE))


@cache
def without_lesions() -> PhantomStudy:
    return make_study(32, 0, PhantomSettings(lesions=(0, 0), **_SHAPE))


def in_slice_order(study: PhantomStudy) -> tuple[Dataset, ...]:
    """Axial images from the feet up, as detections count them."""
    return tuple(sorted(study.images, key=lambda ds: float(ds.ImagePositionPatient[2])))


def truth(study: PhantomStudy) -> tuple[Detection, ...]:
    """What is on the study, as a model would say it."""
    images = in_slice_order(study)
    return tuple(_detection(lesion, images) for lesion in study.lesions)


def reported(study: PhantomStudy) -> Reported:
    """The truth as a result."""
    found = truth(study)
    subject = describe(found, _context(study))
    mask = segmentation(subject, _identity(study, "SEG", 9902))
    return Reported(study, found, PROFILES["ohif"].build(subject, _identity(study, "SR", 9901, mask)), mask)


def failed(study: PhantomStudy, reason: str) -> Reported:
    subject = describe_failure(reason, _context(study))
    return Reported(study, (), PROFILES["ohif"].build(subject, _identity(study, "SR", 9901)), None)


def _context(study: PhantomStudy) -> Context:
    return Context(in_slice_order(study), MODEL, datetime(2026, 11, 20, 10, tzinfo=UTC))


def _identity(study: PhantomStudy, kind: str, number: int, mask: Dataset | None = None) -> Identity:
    return Identity(
        series_instance_uid=uid_from("series", study.study_instance_uid, kind),
        sop_instance_uid=uid_from("result", study.study_instance_uid, kind),
        series_number=number,
        segmentation=None if mask is None else InstanceReference.of(mask),
    )


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
