"""A rule of a viewer, and what an object is held against. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

from pydicom import Dataset

from db.detection import Mask
from db.geometry import PointPx
from db.measurement import ImageReference
from dicom_node.report.frames import frames_of
from dicom_node.report.source import plane_of
from dicom_node.report.subject import Subject


@dataclass(frozen=True, slots=True, eq=False)
class Shape:
    """One lesion. lines: all that may be drawn of it on its image, 0-based pixel centres; mask: its voxels, if any."""

    tracking_uid: str
    image: ImageReference
    lines: tuple[tuple[PointPx, ...], ...]
    mask: Mask | None = None


@dataclass(frozen=True, eq=False)
class Expected:
    """What is known of an object without reading it.

    images: headers of the series that it is about, in slice order. beside: the objects made together with it.
    """

    images: tuple[Dataset, ...]
    shapes: tuple[Shape, ...] = ()
    beside: tuple[Dataset, ...] = ()

    def image(self, sop_instance_uid: str) -> Dataset | None:
        return next((each for each in self.images if str(each.SOPInstanceUID) == sop_instance_uid), None)

    @cached_property
    def slices(self) -> dict[ImageReference, Dataset]:
        """Image and frame → header of the slice, in slice order; the frames of an image may have any."""
        slices = [
            (ImageReference(str(image.SOPInstanceUID), number), frame)
            for image in self.images
            for number, frame in enumerate(frames_of(image), start=1)
        ]
        if len(slices) > len(self.images):
            slices.sort(key=lambda each: plane_of(each[1]).position_mm)
        return dict(slices)


Faults = Callable[[Dataset, Expected], Iterator[str]]
"""What is wrong with an object, a sentence each, without a patient's data; nothing where all is well."""


@dataclass(frozen=True, slots=True)
class Rule:
    """One line of the table.

    viewer, version: whose rule it is; "any" where many share it. source: the clause, issue or file that says so.
    otherwise: what happens if it is broken. profiles: the encodings that it is for.
    """

    name: str
    viewer: str
    version: str
    source: str
    otherwise: str
    profiles: frozenset[str]
    faults: Faults


def expected_of(subject: Subject, beside: Sequence[Dataset] = ()) -> Expected:
    """What the encodings of a subject must show."""
    shapes = [
        Shape(
            lesion.detection.tracking_uid,
            lesion.detection.image,
            (lesion.ring, lesion.detection.long_axis.points, lesion.detection.short_axis.points),
            lesion.detection.mask,
        )
        for lesion in subject.lesions
    ]
    return Expected(subject.context.images, tuple(shapes), tuple(beside))
