"""What a viewer draws of each encoding, from the object alone and the images that it refers to."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from PIL import Image, ImageDraw, ImageFont
from pydicom import Dataset

from db.geometry import PointMm
from dicom_node.report.source import plane_of
from mining.pixels import frame_hu, window

SCALE = 2
YELLOW, COLOURS = (255, 220, 60), ((255, 80, 80), (80, 200, 120), (90, 160, 255), (240, 170, 60), (220, 120, 240))
Images = Mapping[str, Dataset]


def bare(image: Dataset) -> Image.Image:
    """A slice in a window for soft tissue, twice as large as it is."""
    grey = Image.fromarray(window(frame_hu(image), -160.0, 240.0)).convert("RGB")
    return grey.resize((grey.width * SCALE, grey.height * SCALE), Image.Resampling.BILINEAR)


def presentation_state(ds: Dataset, images: Images, uid: str) -> Image.Image:
    """The slice with its layer, which is named in a corner as in a list of layers."""
    picture = bare(images[uid])
    draw = ImageDraw.Draw(picture)
    for annotation in ds.GraphicAnnotationSequence:
        if annotation.ReferencedImageSequence[0].ReferencedSOPInstanceUID != uid:
            continue
        for graphic in annotation.GraphicObjectSequence:
            draw.line([_at(x, y) for x, y in _pairs(graphic.GraphicData)], fill=YELLOW, width=1)
        for text in annotation.TextObjectSequence:
            place = _at(*text.BoundingBoxTopLeftHandCorner)
            draw.line([_at(*text.AnchorPoint), place], fill=YELLOW, width=1)
            draw.text(place, text.UnformattedTextValue.replace("\r", ""), fill=YELLOW, font=_font(11), spacing=1)
    draw.text((6, 6), f"[x] {ds.GraphicLayerSequence[0].GraphicLayer}", fill=YELLOW, font=_font(12))
    return picture


def structure_set(ds: Dataset, images: Images, uid: str) -> Image.Image:
    """The slice with the contours that cross it, and the regions' names."""
    picture, plane = bare(images[uid]), plane_of(images[uid])
    draw = ImageDraw.Draw(picture)
    names = {region.ROINumber: str(region.ROIName) for region in ds.StructureSetROISequence}
    for line, region in enumerate(ds.ROIContourSequence):
        colour = tuple(int(value) for value in region.ROIDisplayColor)
        draw.text((6, 6 + 14 * line), names[region.ReferencedROINumber], fill=colour, font=_font(12))
        for contour in region.ContourSequence:
            if contour.ContourImageSequence[0].ReferencedSOPInstanceUID == uid:
                points = np.array(contour.ContourData, float).reshape(-1, 3).tolist()
                feet = [plane.to_px(PointMm(*point))[0].to_scoord() for point in points]
                draw.polygon([_at(x, y) for x, y in feet], outline=colour)
    return picture


def segmentation(ds: Dataset, images: Images, uid: str) -> Image.Image:
    """The slice under half-transparent segments, and their labels."""
    picture = np.asarray(bare(images[uid])).astype(float)
    pixels = np.atleast_3d(ds.pixel_array).reshape(-1, int(ds.Rows), int(ds.Columns))
    for frame, groups in zip(pixels, ds.PerFrameFunctionalGroupsSequence, strict=True):
        if groups.DerivationImageSequence[0].SourceImageSequence[0].ReferencedSOPInstanceUID != uid:
            continue
        for segment in ds.SegmentSequence:
            number = int(segment.SegmentNumber)
            named = groups.get("SegmentIdentificationSequence")
            if named is not None and int(named[0].ReferencedSegmentNumber) != number:
                continue
            shown = frame != 0 if named is not None else frame == number
            large = shown.repeat(SCALE, axis=0).repeat(SCALE, axis=1)
            picture[large] = 0.5 * picture[large] + 0.5 * np.array(COLOURS[(number - 1) % len(COLOURS)])
    whole = Image.fromarray(picture.astype(np.uint8))
    for segment in ds.SegmentSequence:
        number = int(segment.SegmentNumber)
        colour = COLOURS[(number - 1) % len(COLOURS)]
        ImageDraw.Draw(whole).text((6, 14 * number - 8), segment.SegmentLabel, fill=colour, font=_font(12))
    return whole


def key_objects(ds: Dataset, images: Images) -> Image.Image:
    """A strip of the key images, and the note below it."""
    items = [item for item in ds.ContentSequence if item.ValueType == "IMAGE"]
    slices = [bare(images[item.ReferencedSOPSequence[0].ReferencedSOPInstanceUID]) for item in items]
    size = 190
    picture = Image.new("RGB", (max(size * len(slices), 560), size + 120), (24, 24, 24))
    draw = ImageDraw.Draw(picture)
    for number, each in enumerate(slices):
        picture.paste(each.resize((size - 6, size - 6)), (number * size + 3, 3))
        draw.text((number * size + 10, 8), "KEY", fill=YELLOW, font=_font(13))
    text = next(item.TextValue for item in ds.ContentSequence if "113012" in str(item.get("ConceptNameCodeSequence")))
    title = ds.ConceptNameCodeSequence[0].CodeMeaning
    draw.text((6, size + 4), f"{title}\n{text}".replace("\r", ""), fill=(230, 230, 230), font=_font(12))
    return picture


def _pairs(values: list[float]) -> list[tuple[float, float]]:
    return list(zip(values[::2], values[1::2], strict=True))


def _at(x: float, y: float) -> tuple[float, float]:
    """A SCOORD on the enlarged picture, as Pillow counts."""
    return x * SCALE - 0.5, y * SCALE - 0.5


def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size)
