"""Studies for the viewer, and results as a detector without a fault would bring them. Pure."""

from __future__ import annotations

from collections.abc import Collection
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
from dicom_node.report.context import Context, Identity, ModelDescription
from dicom_node.report.encode import encode
from dicom_node.report.profiles import Profile
from dicom_node.report.subject import Subject, describe, describe_failure

MODEL = ModelDescription("Lesion node detector", "tests", "Lesion node (open source)", "1.0", "2.25.77")
_SHAPE = {"rows": 192, "slices": (12, 12), "odd_geometry_share": 0.0, "unread_share": 0.0}
"""Square pixels: OHIF itself misplaces SCOORDs on others."""


@dataclass(frozen=True, slots=True, eq=False)
class Reported:
    """A study, what is on it, and the objects that say so."""

    study: PhantomStudy
    found: tuple[Detection, ...]
    results: dict[str, Dataset]
    """By the names of profiles."""

    @property
    def uid(self) -> str:
        return self.study.study_instance_uid

    @property
    def objects(self) -> tuple[Dataset, ...]:
        """All that a PACS holds of it."""
        return (*self.study.images, *self.results.values())


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


def reported(study: PhantomStudy, *profiles: str) -> Reported:
    """The truth as results; as SEG and as the SR for OHIF if no profile is named."""
    found = truth(study)
    return Reported(study, found, _results(study, describe(found, _context(study)), profiles or ("seg", "ohif")))


def failed(study: PhantomStudy, reason: str) -> Reported:
    return Reported(study, (), _results(study, describe_failure(reason, _context(study)), ("ohif",)))


def _results(study: PhantomStudy, subject: Subject, profiles: Collection[str]) -> dict[str, Dataset]:
    def identity(profile: Profile) -> Identity:
        return Identity(
            series_instance_uid=uid_from("series", study.study_instance_uid, profile.name),
            sop_instance_uid=uid_from("result", study.study_instance_uid, profile.name),
            series_number=profile.series_number,
        )

    return {profile.name: dataset for profile, dataset in encode(subject, profiles, identity)}


def _context(study: PhantomStudy) -> Context:
    images = {str(ds.SOPInstanceUID): ds for ds in study.images}

    def hu(image: ImageReference) -> np.ndarray:
        ds = images[image.sop_instance_uid]
        return (ds.pixel_array + float(ds.RescaleIntercept)).astype(np.float32)

    links = {_detection_id(lesion): f"https://viewer.example/open?lesion={lesion.number}" for lesion in study.lesions}
    return Context(in_slice_order(study), MODEL, datetime(2026, 11, 20, 10, tzinfo=UTC), pixels=hu, links=links)


def _detection_id(lesion: PhantomLesion) -> str:
    return f"00000000-0000-4000-8000-{lesion.number:012d}"


def _detection(lesion: PhantomLesion, images: tuple[Dataset, ...]) -> Detection:
    """Its mask is the ellipse within the lesion's box on each slice."""
    place = {str(ds.SOPInstanceUID): z for z, ds in enumerate(images)}
    boxes = {place[uid]: box for uid, box in lesion.boxes.items()}
    rows, columns = int(images[0].Rows), int(images[0].Columns)
    voxels = np.stack([_ellipse(boxes.get(z), rows, columns) for z in range(len(images))])
    return Detection(
        detection_id=_detection_id(lesion),
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
