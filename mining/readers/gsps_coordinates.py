"""Which image a graphic of a presentation state lies on, and where: PIXEL and DISPLAY units → pixels. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import cos, radians, sin

from pydicom.dataset import Dataset

from db.geometry import PointPx
from db.measurement import ImageReference
from mining.drawings import Unusable
from mining.elements import items_of, number_of, numbers_of, text_of
from mining.known_images import KnownImage, KnownImages

Pair = tuple[float, float]

MAX_REFERENCES = 50_000
"""To image frames, of one presentation state; those beyond are not looked at."""


@dataclass(frozen=True, slots=True)
class Display:
    """A displayed area (PS3.3 C.10.4): a rectangle of the image, then turned, then flipped (C.10.6).

    left, top, width, height: in pixels from the outer corner of the image's first pixel, as SCOORD. quarter_turns:
    clockwise, 0 to 3. Scaling plays no part: DISPLAY coordinates are fractions of the area at any size.
    """

    left: float
    top: float
    width: float
    height: float
    quarter_turns: int = 0
    flipped: bool = False

    def to_px(self, u: float, v: float) -> PointPx:
        """u, v: 0 to 1 from the left and the top of the area as it is seen (C.10.5.1.2)."""
        if self.flipped:
            u = 1.0 - u
        x, y = ((u, v), (v, 1.0 - u), (1.0 - u, 1.0 - v), (1.0 - v, u))[self.quarter_turns]
        return PointPx.from_scoord(self.left + x * self.width, self.top + y * self.height)


@dataclass(frozen=True, slots=True)
class _Area:
    """An item of the Displayed Area Selection Sequence: frames is empty for all of an image."""

    item: Dataset
    frames: tuple[int, ...]


class Coordinates:
    """The images of one presentation state, and how it shows them."""

    def __init__(self, ds: Dataset, images: KnownImages) -> None:
        self._images = images
        blended = [s for b in items_of(ds, "BlendingSequence") for s in items_of(b, "ReferencedSeriesSequence")]
        series = [*items_of(ds, "ReferencedSeriesSequence"), *blended]
        self._listed = dict(pair for one in series for pair in _references(one))
        self._rotation = number_of(ds, "ImageRotation") or 0.0
        self._flipped = text_of(ds, "ImageHorizontalFlip").upper() == "Y"
        self._everywhere: list[_Area] = []
        self._areas: dict[str, list[_Area]] = {}
        for item in items_of(ds, "DisplayedAreaSelectionSequence"):
            named = _references(item)
            if not named:
                self._everywhere.append(_Area(item, ()))
            for uid, frames in named:
                self._areas.setdefault(uid, []).append(_Area(item, frames))

    def image_of(self, annotation: Dataset) -> ImageReference | Unusable:
        """The one image that an annotation refers to, or else the whole presentation state."""
        named = dict(_references(annotation))
        if len(named) > 1 and len(shared := named.keys() & self._listed.keys()) == 1:
            named = {uid: named[uid] for uid in shared}  # the state is about this image alone
        named = named or self._listed
        if not named:
            return Unusable("no_image_reference", "the graphic refers to no image")
        if len(named) > 1:
            return Unusable("ambiguous_image", f"the graphic could lie on {len(named)} images")
        uid, frames = next(iter(named.items()))
        frames = frames or self._listed.get(uid, ())
        if len(frames) > 1:
            return Unusable("ambiguous_image", f"the graphic could lie on {len(frames)} frames of its image")
        if not frames and self._images.find(ImageReference(uid, 2)) is not None:
            return Unusable("ambiguous_image", "the graphic names no frame of an image that has several")
        return ImageReference(uid, *frames)

    def points(
        self, pairs: Sequence[Pair], units: str, image: ImageReference, known: KnownImage | None
    ) -> list[PointPx] | Unusable:
        """PIXEL as it stands; DISPLAY through the displayed area, at which no size of a display matters."""
        if units in ("PIXEL", ""):
            return [PointPx.from_scoord(x, y) for x, y in pairs]
        if units != "DISPLAY":
            return Unusable("unknown_units", "its coordinates are neither in units of PIXEL nor of DISPLAY")
        display = self._display(image, known)
        return display if isinstance(display, Unusable) else [display.to_px(u, v) for u, v in pairs]

    def turned(
        self, points: Sequence[PointPx], angle_deg: float, about: PointPx, image: ImageReference
    ) -> list[PointPx]:
        """Points turned counterclockwise as it is seen (C.10.5.1.3.2), on a display that shows pixels in their shape.

        A flip turns the sense; a turn of the whole image changes nothing.
        """
        angle = radians(-angle_deg if self._flipped else angle_deg)
        tall = self._pixel_height(image)
        c, s = cos(angle), sin(angle)
        turned = []
        for point in points:
            dx, dy = point.col - about.col, (point.row - about.row) * tall
            turned.append(PointPx(about.col + dx * c + dy * s, about.row + (dy * c - dx * s) / tall))
        return turned

    def _area_of(self, image: ImageReference) -> Dataset | Unusable | None:
        """The one displayed area of a frame; None where the state has none at all."""
        own = self._areas.get(image.sop_instance_uid, [])
        fitting = [area for area in own if not area.frames or image.frame_number in area.frames] or self._everywhere
        if not fitting:
            return Unusable("unknown_display", "no displayed area is that of its image") if self._areas else None
        corners = {(_corner(area.item, "TopLeft"), _corner(area.item, "BottomRight")) for area in fitting}
        if len(corners) > 1:
            return Unusable("unknown_display", "its image has several displayed areas")
        return fitting[0].item

    def _display(self, image: ImageReference, known: KnownImage | None) -> Display | Unusable:
        area = self._area_of(image)
        turns, rest = divmod(self._rotation, 90.0)
        if isinstance(area, Unusable):
            return area
        if rest or not 0 <= turns <= 3:
            return Unusable("unknown_display", "it is drawn on an image that is turned by no multiple of 90 degrees")
        if area is None:
            if known is None:
                return Unusable("display_units", "it is drawn on the whole display, and its image has not arrived")
            return Display(0.0, 0.0, known.columns, known.rows, int(turns), self._flipped)
        if text_of(area, "PixelOriginInterpretation").upper() == "VOLUME":
            return Unusable("unknown_display", "the displayed area is one of a tiled image, not of a frame")
        corners = _corner(area, "TopLeft"), _corner(area, "BottomRight")
        if len(corners[0]) != 2 or len(corners[1]) != 2:
            return Unusable("unknown_display", "the displayed area has no two corners")
        # After a turn the upper left corner is another one of the rectangle; some writers keep to the image's own.
        left, right = sorted((corners[0][0], corners[1][0]))
        top, bottom = sorted((corners[0][1], corners[1][1]))
        return Display(left - 1.0, top - 1.0, right - left + 1.0, bottom - top + 1.0, int(turns), self._flipped)

    def _pixel_height(self, image: ImageReference) -> float:
        """Of a pixel as it is shown, in its widths."""
        area = self._area_of(image)
        if isinstance(area, Dataset):
            for keyword in ("PresentationPixelSpacing", "PresentationPixelAspectRatio"):
                shape = numbers_of(area, keyword) or ()
                if len(shape) == 2 and shape[0] > 0 and shape[1] > 0:
                    return shape[0] / shape[1]
        known = self._images.find(image)
        return 1.0 if known is None or known.spacing is None else known.spacing.row_mm / known.spacing.col_mm


def _corner(area: Dataset, which: str) -> tuple[float, ...]:
    return numbers_of(area, f"DisplayedArea{which}HandCorner") or ()


def _references(holder: Dataset) -> list[tuple[str, tuple[int, ...]]]:
    """The images of a Referenced Image Sequence, each once, with the frames that are named of it."""
    found: dict[str, dict[int, None]] = {}
    for item in items_of(holder, "ReferencedImageSequence")[:MAX_REFERENCES]:
        uid = text_of(item, "ReferencedSOPInstanceUID")
        if uid:
            frames = (numbers_of(item, "ReferencedFrameNumber") or ())[:MAX_REFERENCES]
            found.setdefault(uid, {}).update(dict.fromkeys(max(int(frame), 1) for frame in frames))
    return [(uid, tuple(frames)) for uid, frames in found.items()]
