"""The source images as the writers need them: checked references, and planes. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pydicom import Dataset

from db.errors import ContentError, GeometryError
from db.geometry import PixelSpacing, Plane, PointMm
from db.measurement import ImageReference
from dicom_node.report.context import Context

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
_NEUTRAL = (  # what highdicom insists on reading; the real values come by `header.finish`, unchecked
    "PatientID",
    "PatientName",
    "PatientBirthDate",
    "PatientSex",
    "AccessionNumber",
    "StudyID",
    "StudyDate",
    "StudyTime",
)


@dataclass(frozen=True, slots=True)
class SourceImages:
    """Bare copies of the headers of one series of single-frame images, in slice order."""

    headers: tuple[Dataset, ...]
    place: dict[str, int]
    """SOP Instance UID → index in `headers`."""

    @property
    def interval_mm(self) -> float | None:
        """Mean distance of neighbouring slices along the normal; None for one slice."""
        if len(self.headers) == 1:
            return None
        first, last = plane_of(self.headers[0]), plane_of(self.headers[-1])
        return abs(last.position_mm - first.position_mm) / (len(self.headers) - 1)

    def header(self, image: ImageReference) -> Dataset:
        """Raises ContentError if the image is not one of the series or the frame is not its first."""
        index = self.place.get(image.sop_instance_uid)
        if index is None or image.frame_number != 1:
            raise ContentError(
                "a detection lies on an image that is not among the sources",
                sop_instance_uid=image.sop_instance_uid,
                frame_number=image.frame_number,
            )
        return self.headers[index]


def source_images(context: Context) -> SourceImages:
    """Raises GeometryError where an image lacks what a result must say of it, ContentError for multi-frame images."""
    headers = tuple(_bare(image, _NEEDED) for image in context.images)
    sizes = {(int(header.Rows), int(header.Columns)) for header in headers}
    if len(sizes) != 1:
        raise GeometryError("the images of one series differ in size", sizes=len(sizes))
    return SourceImages(headers, {str(header.SOPInstanceUID): index for index, header in enumerate(headers)})


def references(context: Context) -> tuple[Dataset, ...]:
    """Bare copies of the headers for a document that draws nothing: of their geometry what they have.

    Raises GeometryError where an image does not say what it is.
    """
    return tuple(_bare(image, _NAMED) for image in context.images)


def _bare(image: Dataset, needed: Sequence[str]) -> Dataset:
    uid = image.get("SOPInstanceUID", "")
    for keyword in needed:
        if image.get(keyword) in (None, ""):
            raise GeometryError("a source image lacks an attribute", sop_instance_uid=uid, keyword=keyword)
    if int(image.get("NumberOfFrames") or 1) != 1:
        raise ContentError("results are written for series of single-frame images only", sop_instance_uid=uid)
    bare = Dataset()
    for keyword in _KEPT:
        if image.get(keyword) not in (None, ""):
            bare.add(image[keyword])
    for keyword in _NEUTRAL:
        setattr(bare, keyword, "")
    return bare


def plane_of(header: Dataset) -> Plane:
    """The plane of a single-frame image (PS3.3 C.7.6.2)."""
    x, y, z = (float(value) for value in header.ImagePositionPatient)
    rx, ry, rz, cx, cy, cz = (float(value) for value in header.ImageOrientationPatient)
    row_mm, col_mm = (float(value) for value in header.PixelSpacing)
    return Plane(PointMm(x, y, z), (rx, ry, rz), (cx, cy, cz), PixelSpacing(row_mm, col_mm))


def with_thickness(header: Dataset, thickness_mm: float) -> Dataset:
    """The header, or a copy that states a thickness: highdicom insists on one, a CT may leave it empty (type 2)."""
    if "SliceThickness" in header:
        return header
    stand_in = Dataset()
    stand_in.update(header)
    stand_in.SliceThickness = thickness_mm
    return stand_in
