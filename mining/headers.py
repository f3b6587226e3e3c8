"""Data set → what is kept of its header. Pure.

Promise: a broken element costs its own value and nothing else; only what is wholly unreadable raises.
"""

from __future__ import annotations

from collections.abc import Callable

from pydicom.dataset import Dataset
from pydicom.multival import MultiValue

from db.errors import GeometryError
from db.geometry import Plane
from db.headers import Header, ImageHeader, PatientHeader, SeriesHeader, StudyHeader
from mining.elements import (
    UNREADABLE,
    integer_of,
    items_of,
    moment,
    text_of,
    value_of,
)
from mining.image_purpose import purpose_of
from mining.planes import frame_planes, functional_group
from mining.spacings import spacing_of

LONGEST_ID = 256
"""Characters of a patient's ID that are kept: PS3.5 allows 64, and no index of a database takes any length."""

MAX_FRAMES = 100_000
"""No object has more; a header that says so lies, and would cost us the memory for their planes."""


def read_header(ds: Dataset) -> Header:
    """The header of a data set, of which the pixels need not be read."""
    study_day = moment(text_of(ds, "StudyDate").replace(".", "").replace("-", ""))
    return Header(
        patient=PatientHeader(text_of(ds, "PatientID")[:LONGEST_ID], text_of(ds, "IssuerOfPatientID")[:LONGEST_ID]),
        study=StudyHeader(
            accession_number=text_of(ds, "AccessionNumber"),
            study_date=None if study_day is None else study_day.date(),
            description=text_of(ds, "StudyDescription"),
        ),
        series=SeriesHeader(
            modality=text_of(ds, "Modality"),
            series_number=integer_of(ds, "SeriesNumber"),
            description=text_of(ds, "SeriesDescription"),
            body_part=_body_part(ds),
            manufacturer=text_of(ds, "Manufacturer"),
            convolution_kernel=_convolution_kernel(ds),
            frame_of_reference_uid=text_of(ds, "FrameOfReferenceUID"),
        ),
        image=_image(ds),
    )


def _image(ds: Dataset) -> ImageHeader | None:
    rows, columns = integer_of(ds, "Rows"), integer_of(ds, "Columns")
    if not rows or not columns or rows < 0 or columns < 0:
        return None
    frames = integer_of(ds, "NumberOfFrames") or 1
    planes = _planes(ds) if 1 <= frames <= MAX_FRAMES else ()
    return ImageHeader(
        image_type=_joined(ds, "ImageType"),
        instance_number=integer_of(ds, "InstanceNumber"),
        rows=rows,
        columns=columns,
        frames=max(frames, 1),
        spacing=planes[0].spacing if planes else spacing_of(ds),
        planes=planes,
        purpose=purpose_of(ds),
    )


def _planes(ds: Dataset) -> tuple[Plane, ...]:
    """One plane for each frame, one alone if they are all the same, none if one is missing or the spacing varies."""
    try:
        planes = frame_planes(ds)
    except (GeometryError, *UNREADABLE):
        return ()
    if any(plane.spacing != planes[0].spacing for plane in planes):
        return ()
    return planes[:1] if all(plane == planes[0] for plane in planes) else planes


def _body_part(ds: Dataset) -> str:
    """Body Part Examined, else the meaning of the first anatomic region, as Enhanced objects have it."""
    stated = text_of(ds, "BodyPartExamined")
    if stated:
        return stated
    anatomy = _or_none(lambda: functional_group(ds, 0, "FrameAnatomySequence")) or ds
    return next((text_of(region, "CodeMeaning") for region in items_of(anatomy, "AnatomicRegionSequence")), "")


def _convolution_kernel(ds: Dataset) -> str:
    reconstruction = _or_none(lambda: functional_group(ds, 0, "CTReconstructionSequence")) or ds
    return _joined(reconstruction, "ConvolutionKernel")


def _joined(ds: Dataset, keyword: str) -> str:
    """All values of a text element, as they stand in the file."""
    value = value_of(ds, keyword)
    if not isinstance(value, MultiValue):
        return text_of(ds, keyword)
    return "\\".join(str(part).replace("\0", "") for part in value)


def _or_none(read: Callable[[], Dataset | None]) -> Dataset | None:
    """An item of a functional group, None where the sequences that should hold it are broken."""
    try:
        return read()
    except UNREADABLE:
        return None
