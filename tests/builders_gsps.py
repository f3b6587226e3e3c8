"""Presentation states as PACS write them, made in code, beside the plain ones of `builders`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from builders import COLUMNS, CT, ROWS, SERIES, Line, Point, gsps
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence as Items

Corners = tuple[int, int, int, int]
"""First column, first row, last column, last row, from 1."""

LONG: Line = ((10.0, 30.0), (42.0, 15.0))
SHORT: Line = ((20.0, 17.5), (32.0, 27.5))
"""On an image of `builders`: 16 and 12 mm, 6 and 8 mm, so 20 and 10 mm long, with one middle and upright."""
KITE = (LONG[0], SHORT[0], LONG[1], SHORT[1], LONG[0])
BOX = ((10.0, 10.0), (42.0, 10.0), (42.0, 35.0), (10.0, 35.0), (10.0, 10.0))
"""16 mm wide, 20 mm high."""


def linked(
    ds: Dataset, *, group: int | None = None, compound: int | None = None, tracking: tuple[str, str] | None = None
) -> Dataset:
    """The same graphic or text, with the ids that link it to others. tracking: Tracking ID and UID."""
    if group is not None:
        ds.GraphicGroupID = group
    if compound is not None:
        ds.CompoundGraphicInstanceID = compound
    if tracking is not None:
        ds.TrackingID, ds.TrackingUID = tracking
    return ds


def compound(
    kind: str, points: Sequence[Point], number: int = 1, angle_deg: float | None = None, about: Point | None = None
) -> Dataset:
    """A compound graphic in PIXEL units, turned counterclockwise as it is seen."""
    ds = Dataset()
    ds.CompoundGraphicInstanceID = number
    ds.CompoundGraphicUnits = "PIXEL"
    ds.GraphicDimensions = 2
    ds.NumberOfGraphicPoints = len(points)
    ds.GraphicData = [value + 0.5 for point in points for value in point]
    ds.CompoundGraphicType = kind
    if angle_deg is not None:
        ds.RotationAngle = angle_deg
    if about is not None:
        ds.RotationPoint = [value + 0.5 for value in about]
    return ds


def with_compounds(annotation: Dataset, *graphics: Dataset) -> Dataset:
    annotation.CompoundGraphicSequence = Items(graphics)
    return annotation


def boxed_text(value: str, upper_left: Point, lower_right: Point) -> Dataset:
    """A text that stands somewhere and points nowhere."""
    ds = Dataset()
    ds.UnformattedTextValue = value
    ds.BoundingBoxAnnotationUnits = "PIXEL"
    ds.BoundingBoxTopLeftHandCorner = [part + 0.5 for part in upper_left]
    ds.BoundingBoxBottomRightHandCorner = [part + 0.5 for part in lower_right]
    return ds


def on_frames(annotation: Dataset, image: str, frames: Sequence[int] = (), sop_class_uid: str = CT) -> Dataset:
    """The same annotation on frames of an image; without any, on the whole image."""
    reference = Dataset()
    reference.ReferencedSOPClassUID, reference.ReferencedSOPInstanceUID = sop_class_uid, image
    if frames:
        reference.ReferencedFrameNumber = list(frames)
    annotation.ReferencedImageSequence = Items([reference])
    return annotation


def state(
    *annotations: Dataset,
    image: str = f"{SERIES}.1",
    layers: Mapping[str, str] | None = None,
    groups: Mapping[int, str] | None = None,
    label: str = "MARKS",
    sop_class_uid: str | None = None,
) -> Dataset:
    """A presentation state on one image. layers: name → description; groups: id → label."""
    ds = gsps(*annotations, images=[image])
    ds.SpecificCharacterSet = "ISO_IR 192"
    ds.ContentLabel = label
    if sop_class_uid is not None:
        ds.SOPClassUID = ds.file_meta.MediaStorageSOPClassUID = sop_class_uid
    if layers:
        ds.GraphicLayerSequence = Items([])
        for order, (name, description) in enumerate(layers.items(), start=1):
            layer = Dataset()
            layer.GraphicLayer, layer.GraphicLayerOrder, layer.GraphicLayerDescription = name, order, description
            ds.GraphicLayerSequence.append(layer)
    if groups:
        ds.GraphicGroupSequence = Items([])
        for number, name in groups.items():
            item = Dataset()
            item.GraphicGroupLabel, item.GraphicGroupID = name, number
            ds.GraphicGroupSequence.append(item)
    return ds


# --- displays -----------------------------------------------------------------------------------------------------


def shown(ds: Dataset, corners: Corners, turned_deg: int = 0, flipped: bool = False) -> Dataset:
    """The same state on a display that shows this part of the image, turned clockwise and then flipped.

    The displayed area's corners are the pixels that come to lie upper left and lower right (PS3.3 C.10.4).
    """
    ds.ImageRotation, ds.ImageHorizontalFlip = turned_deg, "Y" if flipped else "N"
    (area,) = ds.DisplayedAreaSelectionSequence
    seen = _seen(corners, turned_deg, flipped)
    area.DisplayedAreaTopLeftHandCorner = [int(part) + 1 for part in seen[0, 0]]
    area.DisplayedAreaBottomRightHandCorner = [int(part) + 1 for part in seen[-1, -1]]
    return ds


def fractions(points: Sequence[Point], corners: Corners, turned_deg: int = 0, flipped: bool = False) -> list[Point]:
    """DISPLAY coordinates of the centres of these pixels: looked up where each pixel comes to lie."""
    seen = _seen(corners, turned_deg, flipped)
    rows, columns = seen.shape[:2]
    found = []
    for point in points:
        ((row, column),) = np.argwhere((seen == point).all(axis=-1))
        found.append(((column + 0.5) / columns, (row + 0.5) / rows))
    return found


def _seen(corners: Corners, turned_deg: int, flipped: bool) -> np.ndarray:
    """What is seen: (rows, columns, 2), of each pixel its column and row in the image, from 0."""
    whole = np.stack(np.meshgrid(np.arange(COLUMNS), np.arange(ROWS)), axis=-1)
    part = whole[corners[1] - 1 : corners[3], corners[0] - 1 : corners[2]]
    turned = np.rot90(part, k=-turned_deg // 90)
    return turned[:, ::-1] if flipped else turned
