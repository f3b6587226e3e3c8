"""Lesions → one Grayscale Softcopy Presentation State: box, axes and a text for each, on a layer of their own. Pure.

A presentation state replaces how an image is shown, and what it leaves out counts as "none" (PS3.4 N.2). So it repeats
the images' own rescale and window: without them a strict viewer would show other grey values than before.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from textwrap import shorten

from pydicom import Dataset
from pydicom.multival import MultiValue
from pydicom.uid import GrayscaleSoftcopyPresentationStateStorage

from db.geometry import PointPx
from dicom_node.report.captions import sizes_of
from dicom_node.report.context import LONG_STRING, RESEARCH_ONLY, Identity, ModelDescription
from dicom_node.report.header import finish
from dicom_node.report.instance import new_instance
from dicom_node.report.key_slices import KeySlice, by_instance, key_slices
from dicom_node.report.subject import Lesion, Subject
from dicom_node.report.text_places import text_boxes

SOP_CLASS_UID = str(GrayscaleSoftcopyPresentationStateStorage)

CODE_STRING = 16
"""Most characters of a CS (PS3.5 table 6.2-1)."""

YELLOW = (63568, 30840, 54227)
"""CIELab as PS3.3 C.10.7.1.1 encodes it: L* 97, a* -8, b* 83, on any grey in sight."""

LONGEST_NAME = 32
"""Characters of a category in the text beside a lesion."""

Rescale = tuple[float, float, str]
"""Slope, intercept, Rescale Type."""


def presentation_state(subject: Subject, identity: Identity) -> Dataset | None:
    """The presentation state of all key slices; None without a lesion.

    One is enough: all images of a series have one size, and one area is displayed of all (PS3.3 A.33.1, C.10.4).
    """
    slices = key_slices(subject)
    if not slices:
        return None
    context = subject.context
    ds = new_instance(SOP_CLASS_UID, "PR", context, identity)
    ds.Laterality = None  # type 2C: no body part is named
    ds.ContentLabel, ds.ContentDescription = "AI_RESEARCH_ONLY", f"{RESEARCH_ONLY}: lesions"
    ds.ContentCreatorName = None  # a person's; the model stands in the equipment and on the layer
    ds.ReferencedSeriesSequence = [_series(slices)]
    ds.DisplayedAreaSelectionSequence = [_whole_image(slices[0])]
    layer = _layer(context.model)
    ds.GraphicLayerSequence = [layer]
    ds.GraphicGroupSequence = [_group(lesion) for each in slices for lesion in each.lesions]
    ds.GraphicAnnotationSequence = [_annotation(each, layer.GraphicLayer) for each in slices]
    _keep_grey_values(ds, slices)
    return _dated(finish(ds, context, "lesions, GSPS"))


def layer_name(model: ModelDescription) -> str:
    """The name of the layer, which a viewer lists: AI and the model's id, as far as a CS may hold it."""
    return re.sub(r"[^A-Z0-9_ ]", "_", f"AI {model.model_id}".upper())[:CODE_STRING].rstrip()


def layer_description(model: ModelDescription) -> str:
    """The model, its version and the notice; where that is too long, the notice and the version stay."""
    version = f" {model.model_id}"[: LONG_STRING // 2].rstrip() + " (research only)"
    return f"AI - {model.name}"[: LONG_STRING - len(version)].rstrip() + version


def _series(slices: Sequence[KeySlice]) -> Dataset:
    series = Dataset()
    series.SeriesInstanceUID = slices[0].source.SeriesInstanceUID
    series.ReferencedImageSequence = by_instance(slices)
    return series


def _whole_image(of: KeySlice) -> Dataset:
    area, header = Dataset(), of.header
    area.DisplayedAreaTopLeftHandCorner = [1, 1]  # counted from 1 (C.10.4)
    area.DisplayedAreaBottomRightHandCorner = [int(header.Columns), int(header.Rows)]
    area.PresentationSizeMode = "SCALE TO FIT"
    area.PresentationPixelSpacing = list(header.PixelSpacing)
    return area


# --- the graphics


def _layer(model: ModelDescription) -> Dataset:
    layer = Dataset()
    layer.GraphicLayer = layer_name(model)
    layer.GraphicLayerOrder = 1
    layer.GraphicLayerDescription = layer_description(model)
    layer.GraphicLayerRecommendedDisplayCIELabValue = list(YELLOW)
    return layer


def _group(lesion: Lesion) -> Dataset:
    """What a viewer selects as one thing (C.10.11)."""
    group = Dataset()
    group.GraphicGroupID, group.GraphicGroupLabel = lesion.number, f"Lesion {lesion.number}"
    group.GraphicGroupDescription = lesion.label
    return group


def _annotation(each: KeySlice, layer: str) -> Dataset:
    header = each.header
    annotation = Dataset()
    annotation.ReferencedImageSequence = [each.reference()]
    annotation.GraphicLayer = layer
    annotation.GraphicObjectSequence = [
        _polyline(points, lesion)
        for lesion in each.lesions
        for points in (lesion.ring, lesion.detection.long_axis.points, lesion.detection.short_axis.points)
    ]
    texts = [text_of(lesion) for lesion in each.lesions]
    places = text_boxes([lesion.ring for lesion in each.lesions], texts, int(header.Rows), int(header.Columns))
    annotation.TextObjectSequence = [
        _text(text, place, lesion) for text, place, lesion in zip(texts, places, each.lesions, strict=True)
    ]
    return annotation


def text_of(lesion: Lesion) -> str:
    """What stands beside a lesion: short, for it covers the image. That it is of research, the layer says."""
    detection = lesion.detection
    what = shorten(detection.category or "lesion", LONGEST_NAME, placeholder=" ...")
    return f"AI {lesion.number}: {what} {detection.score:.2f}\r\n{sizes_of(detection)}"


def _polyline(points: Sequence[PointPx], lesion: Lesion) -> Dataset:
    graphic = Dataset()
    graphic.GraphicAnnotationUnits = "PIXEL"
    graphic.GraphicDimensions = 2
    graphic.NumberOfGraphicPoints = len(points)
    graphic.GraphicData = [number for point in points for number in point.to_scoord()]
    graphic.GraphicType = "POLYLINE"
    if points[0] == points[-1]:
        graphic.GraphicFilled = "N"
    return _of_lesion(graphic, lesion)


def _text(text: str, place: tuple[PointPx, PointPx], lesion: Lesion) -> Dataset:
    item = Dataset()
    item.BoundingBoxAnnotationUnits = item.AnchorPointAnnotationUnits = "PIXEL"
    item.UnformattedTextValue = text
    first, last = place
    item.BoundingBoxTopLeftHandCorner = list(first.to_scoord())
    item.BoundingBoxBottomRightHandCorner = list(last.to_scoord())
    item.BoundingBoxTextHorizontalJustification = "LEFT"
    item.AnchorPoint = list(nearest_corner(lesion.ring, place).to_scoord())
    item.AnchorPointVisibility = "Y"
    return _of_lesion(item, lesion)


def nearest_corner(ring: Sequence[PointPx], place: tuple[PointPx, PointPx]) -> PointPx:
    """The corner of a box that lies nearest to a text beside it."""
    middle = PointPx((place[0].col + place[1].col) / 2, (place[0].row + place[1].row) / 2)
    return min(ring, key=middle.distance_px)


def _of_lesion(item: Dataset, lesion: Lesion) -> Dataset:
    item.TrackingID, item.TrackingUID = lesion.identifier, lesion.detection.tracking_uid
    item.GraphicGroupID = lesion.number
    return item


# --- the grey values, as they were


def _keep_grey_values(ds: Dataset, slices: Sequence[KeySlice]) -> None:
    """Rescale, window and polarity of the images.

    One rescale holds for a whole presentation state. Where the slices differ there is none, and their windows are
    given in stored values instead, which shows the same.
    """
    rescales = {_rescale(each) for each in slices}
    (common,) = rescales if len(rescales) == 1 else (None,)
    if common is not None:
        ds.RescaleSlope, ds.RescaleIntercept, ds.RescaleType = common
    windows = [item for each in slices if (item := _window(each, in_stored=common is None)) is not None]
    if windows:
        ds.SoftcopyVOILUTSequence = windows
    dark_is_high = slices[0].source.get("PhotometricInterpretation") == "MONOCHROME1"
    ds.PresentationLUTShape = "INVERSE" if dark_is_high else "IDENTITY"


def _rescale(each: KeySlice) -> Rescale | None:
    group = "PixelValueTransformationSequence"
    slope, intercept = (_number(each.attribute(keyword, group)) for keyword in ("RescaleSlope", "RescaleIntercept"))
    if not slope or intercept is None:
        return None
    return slope, intercept, str(each.attribute("RescaleType", group) or "HU")


def _window(each: KeySlice, *, in_stored: bool) -> Dataset | None:
    """The slice's own window, the first of several; None where it states none."""
    group = "FrameVOILUTSequence"
    centre, width = (_number(each.attribute(keyword, group)) for keyword in ("WindowCenter", "WindowWidth"))
    if centre is None or not width:
        return None
    rescale = _rescale(each)
    if in_stored and rescale is not None:
        centre, width = (centre - rescale[1]) / rescale[0], width / abs(rescale[0])
    item = Dataset()
    item.ReferencedImageSequence = [each.reference()]
    item.WindowCenter, item.WindowWidth = round(centre, 4), round(width, 4)
    function = each.attribute("VOILUTFunction", group)
    if function:
        item.VOILUTFunction = function
    return item


def _number(value: object) -> float | None:
    """The number of an attribute, the first of several."""
    first = value[0] if isinstance(value, MultiValue) and value else value
    return float(first) if isinstance(first, int | float) else None


def _dated(ds: Dataset) -> Dataset:
    """A presentation state has its own name for its time (C.11.10), and no other for it."""
    ds.PresentationCreationDate, ds.PresentationCreationTime = ds.ContentDate, ds.ContentTime
    del ds.ContentDate, ds.ContentTime
    return ds
