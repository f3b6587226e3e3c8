"""What a result is built from beside the detections: the images, the model, the UIDs and the time. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

import numpy as np
import numpy.typing as npt
from pydicom import Dataset

from db.errors import ContentError
from db.measurement import ImageReference
from dicom_node.report.concepts import BUILT_IN, CodeTable

RESEARCH_ONLY = "AI, research only"
"""Stands in every object and series description."""

LONG_STRING = 64
"""Most characters of an LO (PS3.5 table 6.2-1)."""


@dataclass(frozen=True, slots=True)
class InstanceReference:
    """One composite instance as a reference macro needs it (PS3.3 table C.17-3)."""

    study_instance_uid: str
    series_instance_uid: str
    sop_class_uid: str
    sop_instance_uid: str

    @classmethod
    def of(cls, dataset: Dataset) -> InstanceReference:
        return cls(
            str(dataset.StudyInstanceUID),
            str(dataset.SeriesInstanceUID),
            str(dataset.SOPClassUID),
            str(dataset.SOPInstanceUID),
        )

    def as_dataset(self) -> Dataset:
        reference = Dataset()
        reference.StudyInstanceUID = self.study_instance_uid
        reference.SeriesInstanceUID = self.series_instance_uid
        reference.SOPClassUID = self.sop_class_uid
        reference.SOPInstanceUID = self.sop_instance_uid
        return reference


@dataclass(frozen=True, slots=True)
class ModelDescription:
    """Who found the lesions.

    model_id: the registry's id, written as the algorithm's version (TID 4019). device_uid: of this node, the device
    observer (TID 1004). Every text is at most 64 characters.
    """

    name: str
    model_id: str
    manufacturer: str
    software_version: str
    device_uid: str

    def __post_init__(self) -> None:
        for name in ("name", "model_id", "manufacturer", "software_version", "device_uid"):
            length = len(getattr(self, name))
            if not 1 <= length <= LONG_STRING:
                raise ContentError("a model is described by texts of 1 to 64 characters", field=name, length=length)


@dataclass(frozen=True, slots=True, eq=False)
class Context:
    """Everything about a result that is not a lesion, the same for all encodings of one analysis.

    images: headers of the analysed series, sorted along its normal, so that `Detection.z_first` counts in them;
    no pixels needed. created_at: aware; it is written in the source's own zone where that is known.
    pixels: a frame of an image as (H, W) HU, for the encodings that show a picture; None where there is none to show.
    codes: what the words of a category's name mean. links: `Detection.detection_id` → address of the finding in the
    site's viewer, for those that have one. numbers: `Detection.detection_id` → what the lesion is called by, from 1,
    where that must not depend on which others are reported; without them lesions are numbered as they are given.
    """

    images: tuple[Dataset, ...]
    model: ModelDescription
    created_at: datetime
    pixels: Callable[[ImageReference], npt.NDArray[np.float32]] | None = None
    codes: CodeTable = BUILT_IN
    links: Mapping[str, str] = field(default_factory=dict)
    numbers: Mapping[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not self.images:
            raise ContentError("a result needs the images that it is about")
        if self.created_at.tzinfo is None:
            raise ContentError("the time of a result must know its zone")
        for keyword in ("StudyInstanceUID", "SeriesInstanceUID"):
            if len({str(image.get(keyword, "")) for image in self.images}) != 1:
                raise ContentError("the images of a result must be of one series", keyword=keyword)


@dataclass(frozen=True, slots=True)
class Identity:
    """What one object has for itself.

    predecessors: the documents that a new SR replaces. segmentation: the SEG that belongs to this SR.
    """

    series_instance_uid: str
    sop_instance_uid: str
    series_number: int
    instance_number: int = 1
    predecessors: tuple[InstanceReference, ...] = ()
    segmentation: InstanceReference | None = None
