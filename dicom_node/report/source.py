"""The source images as the writers need them: checked references, and planes. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pydicom import Dataset

from db.errors import ContentError, GeometryError
from db.geometry import PixelSpacing, Plane, PointMm
from db.measurement import ImageReference
from dicom_node.report.context import Context
from dicom_node.report.frames import frames_of

_NAMED = ("SOPClassUID", "SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID", "Modality")
_NEEDED = (
    *_NAMED,
    "FrameOfReferenceUID",
    "Rows",
    "Columns",
    "PixelSpacing",
    "ImageOrientationPatient",
    "ImagePositionPatient",
)
_KEPT = (
    *_NEEDED,
    "PositionReferenceIndicator",
    "SliceThickness",
    "SpacingBetweenSlices",
    "LossyImageCompression",
    "LossyImageCompressionRatio",
    "LossyImageCompressionMethod",
)


@dataclass(frozen=True, slots=True)
class SourceImages:
    """The slices of one series in their order, each as the bare header of a single-frame image: a frame of a
    multi-frame image looks like an image of its own, with the plane of the frame and the UIDs of the image.
    """

    headers: tuple[Dataset, ...]
    place: dict[ImageReference, int]
    """Image and frame → index in `headers`."""
    multi_frame: bool = False
    """Whether a reference to a slice names its frame (Referenced Frame Number, PS3.3 table 10-3)."""

    @property
    def interval_mm(self) -> float | None:
        """Mean distance of neighbouring slices along the normal; None for one slice."""
        if len(self.headers) == 1:
            return None
        first, last = plane_of(self.headers[0]), plane_of(self.headers[-1])
        return abs(last.position_mm - first.position_mm) / (len(self.headers) - 1)

    def index(self, image: ImageReference) -> int:
        """Raises ContentError if the image, or this frame of it, is not one of the series."""
        index = self.place.get(image)
        if index is None:
            raise ContentError(
                "a detection lies on an image that is not among the sources",
                sop_instance_uid=image.sop_instance_uid,
                frame_number=image.frame_number,
            )
        return index

    def header(self, image: ImageReference) -> Dataset:
        """Raises ContentError as `index` does."""
        return self.headers[self.index(image)]


def source_images(context: Context) -> SourceImages:
    """Raises GeometryError where an image, or a frame of one, lacks what a result must say of it.

    Frames are sorted along their normal, for within an image they may have any order.
    """
    slices = [
        (ImageReference(str(frame.SOPInstanceUID), number), frame)
        for image in context.images
        for number, frame in enumerate((_bare(each, _NEEDED) for each in frames_of(image)), start=1)
    ]
    sizes = {(int(header.Rows), int(header.Columns)) for _, header in slices}
    if len(sizes) != 1:
        raise GeometryError("the images of one series differ in size", sizes=len(sizes))
    multi_frame = len(slices) > len(context.images)
    if multi_frame:
        slices.sort(key=lambda each: plane_of(each[1]).position_mm)
    return SourceImages(
        tuple(header for _, header in slices), {image: index for index, (image, _) in enumerate(slices)}, multi_frame
    )


def references(context: Context) -> tuple[Dataset, ...]:
    """Bare copies of the headers for a document that draws nothing: of their geometry what they have.

    Raises GeometryError where an image does not say what it is.
    """
    return tuple(_bare(image, _NAMED) for image in context.images)


def _bare(image: Dataset, needed: Sequence[str]) -> Dataset:
    bare = Dataset()
    for keyword in _KEPT:
        if image.get(keyword) not in (None, ""):
            bare.add(image[keyword])
    uid = image.get("SOPInstanceUID", "")
    for keyword in needed:
        if keyword not in bare:
            raise GeometryError("a source image lacks an attribute", sop_instance_uid=uid, keyword=keyword)
    return bare


def plane_of(header: Dataset) -> Plane:
    """The plane of a slice (PS3.3 C.7.6.2)."""
    x, y, z = (float(value) for value in header.ImagePositionPatient)
    rx, ry, rz, cx, cy, cz = (float(value) for value in header.ImageOrientationPatient)
    row_mm, col_mm = (float(value) for value in header.PixelSpacing)
    return Plane(PointMm(x, y, z), (rx, ry, rz), (cx, cy, cz), PixelSpacing(row_mm, col_mm))
