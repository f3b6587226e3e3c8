"""Lesions → one picture that every PACS shows: the key slices with what was found burnt in, and a legend. Pure.

The last resort of the encodings, so it is the oldest class, Secondary Capture Image Storage, and one picture on one
page: all viewers show that, and not all show colour pictures of several frames. Nobody can hide the marks or measure
on it, and no patient's name is on it.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from pydicom import Dataset
from pydicom.uid import SecondaryCaptureImageStorage

from db.errors import ContentError
from db.geometry import BoxPx
from dicom_node.report.captions import place_of, sizes_of
from dicom_node.report.context import RESEARCH_ONLY, Context, Identity
from dicom_node.report.header import finish, local_time
from dicom_node.report.instance import carry_losses, new_instance
from dicom_node.report.key_slices import KeySlice, by_instance, key_slices
from dicom_node.report.picture import Mark, Tile, page, windowed
from dicom_node.report.source import plane_of
from dicom_node.report.subject import Lesion, Subject

SOP_CLASS_UID = str(SecondaryCaptureImageStorage)

NOTICE = f"{RESEARCH_ONLY} - not a medical device"
NO_PIXELS = "the pixels of this slice cannot be shown"


def secondary_capture(subject: Subject, identity: Identity) -> Dataset:
    """The page of all key slices; without a lesion a page with the statement.

    A slice whose pixels cannot be had is drawn without them, which the page says. Source: PS3.3 A.8.1, C.8.6.
    """
    context, slices = subject.context, key_slices(subject)
    tiles = [_tile(each, context) for each in slices]
    lines = _legend(slices) if slices else [subject.statement]
    return _object(page(NOTICE, [_made_by(context)], tiles, lines), slices, context, identity)


def _made_by(context: Context) -> str:
    model, moment = context.model, local_time(context.images[0], context.created_at)
    return f"{model.name} {model.model_id}, version {model.software_version}, {moment:%Y-%m-%d %H:%M}"


def _legend(slices: Sequence[KeySlice]) -> list[str]:
    lines = [(lesion.number, _line(lesion, each)) for each in slices for lesion in each.lesions]
    return [line for _, line in sorted(lines)]


def _line(lesion: Lesion, each: KeySlice) -> str:
    detection = lesion.detection
    what = detection.category or "lesion"
    return f"{lesion.number}: {what}, {sizes_of(detection)}, score {detection.score:.2f}, {place_of(each)}"


def _tile(each: KeySlice, context: Context) -> Tile:
    numbers = ", ".join(str(lesion.number) for lesion in each.lesions)
    marks = [
        Mark(str(one.number), one.ring, one.detection.long_axis.points, one.detection.short_axis.points)
        for one in each.lesions
    ]
    hu = _pixels(each, context)
    return Tile(
        title=f"{place_of(each)}: lesion {numbers}",
        rows=int(each.header.Rows),
        columns=int(each.header.Columns),
        spacing=plane_of(each.header).spacing,
        marks=tuple(marks),
        grey=None if hu is None else windowed(hu, [_box(lesion) for lesion in each.lesions]),
        because=NO_PIXELS if hu is None else "",
    )


def _pixels(each: KeySlice, context: Context) -> npt.NDArray[np.float32] | None:
    if context.pixels is None:
        return None
    try:
        return context.pixels(each.image)
    except ContentError:  # one slice that no decoder understands must not cost the others, nor the other encodings
        return None


def _box(lesion: Lesion) -> BoxPx:
    first, _, last, *_ = lesion.ring
    return BoxPx(first.col, first.row, last.col, last.row)


def _object(rgb: npt.NDArray[np.uint8], slices: Sequence[KeySlice], context: Context, identity: Identity) -> Dataset:
    ds = new_instance(SOP_CLASS_UID, "OT", context, identity)
    ds.Laterality = ds.PatientOrientation = None  # type 2C: of several slices, on one page
    ds.ConversionType = "WSD"
    ds.ImageType = ["DERIVED", "SECONDARY"]
    ds.ImageComments = NOTICE
    # It asks for what identifies the patient (C.7.6.1): none of that is in the legend, but it may be on a slice.
    named = any(image.get("BurnedInAnnotation") == "YES" for image in context.images)
    ds.BurnedInAnnotation = "YES" if named else "NO"
    ds.DerivationDescription = f"{RESEARCH_ONLY}: key slices with lesions drawn on them"
    if slices:
        ds.SourceImageSequence = by_instance(slices)
    carry_losses(ds, context.images[0])
    ds.SamplesPerPixel, ds.PhotometricInterpretation, ds.PlanarConfiguration = 3, "RGB", 0
    ds.Rows, ds.Columns = rgb.shape[:2]
    ds.BitsAllocated, ds.BitsStored, ds.HighBit, ds.PixelRepresentation = 8, 8, 7, 0
    content = rgb.tobytes()
    ds.PixelData = content + b"\0" * (len(content) % 2)
    finish(ds, context, "lesions, SC")
    ds.DateOfSecondaryCapture, ds.TimeOfSecondaryCapture = ds.ContentDate, ds.ContentTime
    return ds
