"""Dialects of presentation states: how PACS keep what was drawn on their screens."""

from collections.abc import Callable, Sequence

from builders import SERIES, Dataset, annotation, ct_series, graphic, text_object
from builders_gsps import (
    BOX,
    KITE,
    LONG,
    SHORT,
    Corners,
    boxed_text,
    compound,
    fractions,
    linked,
    on_frames,
    shown,
    state,
    with_compounds,
)
from builders_images import DX, ENHANCED_CT, ONE, US, enhanced_ct, image_of
from dialect import Dialect, Row
from pydicom.sequence import Sequence as Items

FIRST = f"{SERIES}.1"
PAIR = Row(FIRST, 20.0, 10.0)
REGION = Row(FIRST, 20.0, 10.0, derived=True)
WHOLE_LONG, WHOLE_SHORT = ((10, 30), (42, 15)), ((20, 18), (32, 28))
"""Centres of pixels, 20 and 10 mm apart and upright."""
PART: Corners = (6, 5, 60, 40)


def _cross() -> list[Dataset]:
    return [graphic("POLYLINE", LONG), graphic("POLYLINE", SHORT)]


def _dialect(
    name: str,
    place: str,
    objects: Callable[[], Sequence[Dataset]],
    rows: Sequence[Row],
    *,
    root: str = "Grayscale Softcopy Presentation State",
    codes: str = "none",
    units: str = "PIXEL",
    orientation: str = "oblique",
    rejections: Sequence[str] = (),
) -> Dialect:
    return Dialect(name, "GSPS", root, place, codes, units, orientation, objects, rows, rejections)


def _on_ct(*annotations: Dataset, **parts: object) -> list[Dataset]:
    return [*ct_series(), state(*annotations, **parts)]  # type: ignore[arg-type]


def _on_display(turned_deg: int, flipped: bool) -> list[Dataset]:
    lines = [
        graphic("POLYLINE", fractions(line, PART, turned_deg, flipped), units="DISPLAY")
        for line in (WHOLE_LONG, WHOLE_SHORT)
    ]
    return [*ct_series(), shown(state(annotation(lines, images=[FIRST])), PART, turned_deg, flipped)]


def _impax(description: str, graphics: Sequence[Dataset], texts: Sequence[Dataset], name: str = "ID1") -> list[Dataset]:
    return _on_ct(annotation(graphics, texts, [FIRST], layer=name), layers={name: description})


def _two_distances() -> list[Dataset]:
    """Agfa IMPAX: each line in an annotation and on a layer of its own, the value in a box beside it."""
    beside = boxed_text("20,0 mm", (44.0, 10.0), (60.0, 14.0)), boxed_text("10,0 mm", (34.0, 30.0), (50.0, 34.0))
    layers = {"ID1": "Distance", "ID2": "Distance"}
    parts = zip(layers, _cross(), beside, strict=True)
    return _on_ct(*(annotation([line], [text], [FIRST], layer=name) for name, line, text in parts), layers=layers)


def _ruler_of_the_image() -> list[Dataset]:
    ticks = [graphic("POLYLINE", [(2.0, row), (5.0, row)]) for row in (10.0, 20.0, 30.0)]
    scale = graphic("POLYLINE", [(2.0, 10.0), (2.0, 30.0)])
    return _impax("Calibration Ruler", [scale, *ticks], [boxed_text("10 cm", (6.0, 10.0), (12.0, 14.0))])


def _arrow() -> list[Dataset]:
    shaft = graphic("POLYLINE", [(50.0, 40.0), (30.0, 20.0)])
    head = graphic("POLYLINE", [(33.0, 20.0), (30.0, 20.0), (30.0, 23.0)])
    return _impax("Arrow", [shaft, head], [text_object("TL2", (30.0, 20.0))])


def _ruler() -> list[Dataset]:
    """A compound graphic, and for viewers that know none a line with its ticks and the value."""
    plain = [graphic("POLYLINE", line) for line in (LONG, ((9.0, 29.0), (11.0, 31.0)), ((41.0, 14.0), (43.0, 16.0)))]
    texts = [linked(text_object("20.0 mm", LONG[1]), compound=7)]
    drawn = annotation([linked(one, compound=7) for one in plain], texts, [FIRST])
    return _on_ct(with_compounds(drawn, compound("RULER", LONG, 7)))


def _turned_rectangle() -> list[Dataset]:
    """A rectangle of 16 by 20 mm, turned by a right angle about its middle: 20 by 16 mm."""
    return _on_ct(with_compounds(annotation([], images=[FIRST]), compound("RECTANGLE", BOX[::2][:2], 1, 90.0)))


def _groups() -> list[Dataset]:
    """Two lesions in one annotation; the texts stand on the other's side."""
    far = [graphic("POLYLINE", ((48.0, 40.0), (60.0, 40.0))), graphic("POLYLINE", ((54.0, 38.0), (54.0, 42.0)))]
    lesions = [linked(one, group=1) for one in _cross()] + [linked(one, group=2) for one in far]
    texts = [
        linked(text_object("20 x 10 mm", (54.0, 40.0)), group=1),
        linked(text_object("6 x 3 mm", LONG[0]), group=2),
    ]
    return _on_ct(annotation(lesions, texts, [FIRST]), groups={1: "TL1", 2: "TL2"})


def _third_frame() -> list[Dataset]:
    drawn = on_frames(annotation(_cross(), [text_object("20 × 10 mm")]), ONE, [3], ENHANCED_CT)
    return [enhanced_ct(), state(drawn, image=ONE)]


def _ultrasound() -> list[Dataset]:
    ds = image_of(US, "US", spacing=None, orientation=None)
    region = Dataset()
    region.RegionSpatialFormat = region.RegionDataType = 1
    region.RegionLocationMinX0, region.RegionLocationMinY0 = 0, 0
    region.RegionLocationMaxX1, region.RegionLocationMaxY1 = 63, 47
    region.PhysicalUnitsXDirection = region.PhysicalUnitsYDirection = 3
    region.PhysicalDeltaX, region.PhysicalDeltaY = 0.05, 0.08
    ds.SequenceOfUltrasoundRegions = Items([region])
    return [ds, state(annotation(_cross(), [text_object("D1 2,0 cm D2 1,0 cm")], [ONE]), image=ONE)]


def _projection() -> list[Dataset]:
    ds = image_of(DX, "DX", spacing=None, orientation=None)
    ds.ImagerPixelSpacing = [1.0, 0.625]
    ds.EstimatedRadiographicMagnificationFactor = 1.25
    return [ds, state(annotation(_cross(), [text_object("Ø 20 mm")], [ONE]), image=ONE)]


def _scout() -> list[Dataset]:
    ds = image_of("1.2.840.10008.5.1.4.1.1.2", "CT")
    ds.ImageType = ["ORIGINAL", "PRIMARY", "LOCALIZER"]
    return [ds, state(annotation(_cross(), images=[ONE]), image=ONE)]


def _angle() -> list[Dataset]:
    arms = [graphic("POLYLINE", [(10.0, 10.0), (40.0, 10.0)]), graphic("POLYLINE", [(10.0, 10.0), (40.0, 30.0)])]
    return _on_ct(annotation(arms, [text_object("34,2°", (14.0, 11.0))], [FIRST]))


GSPS_DIALECTS = [
    _dialect(
        "GSPS of Sectra IDS7, a crossing pair with its text",
        "Graphic Object; Unformatted Text Value at an anchor",
        lambda: _on_ct(annotation(_cross(), [text_object("20,0 x 10,0 mm", LONG[1])], [FIRST]), label="IDS7 Overlay"),
        [PAIR],
    ),
    _dialect("GSPS of Agfa IMPAX, two distances", "an annotation and a layer for each line", _two_distances, [PAIR]),
    _dialect(
        "GSPS of Agfa IMPAX, a rectangle",
        "layer Rectangle; POLYLINE of 5 points",
        lambda: _impax("Rectangle", [graphic("POLYLINE", BOX)], [boxed_text("3,2 cm²", (44.0, 10.0), (60.0, 14.0))]),
        [Row(FIRST, 20.0, 16.0, derived=True)],
    ),
    _dialect(
        "GSPS of Agfa IMPAX, the scale of the image",
        "layer Calibration Ruler",
        _ruler_of_the_image,
        [],
        rejections=["not_a_measurement"] * 4,
    ),
    _dialect(
        "GSPS of Agfa IMPAX, an arrow",
        "layer Arrow; a shaft and its head",
        _arrow,
        [Row(FIRST, truth=False)],
    ),
    _dialect(
        "GSPS, an angle",
        "two lines; the text is in degrees",
        _angle,
        [],
        rejections=["not_a_measurement"] * 2,
    ),
    _dialect(
        "GSPS, the size of an organ",
        "a line; the text names an organ's measure",
        lambda: _on_ct(annotation(_cross()[:1], [text_object("Aortic root 20 mm", LONG[1])], [FIRST])),
        [],
        rejections=["not_a_measurement"],
    ),
    _dialect(
        "GSPS, an ellipse for the mean HU alone",
        "ELLIPSE; the text states no size",
        lambda: _on_ct(annotation([graphic("ELLIPSE", [*LONG, *SHORT])], [text_object("Mean 45 HU, SD 12")], [FIRST])),
        [Row(FIRST, truth=False)],
    ),
    _dialect(
        "GSPS, an ellipse",
        "ELLIPSE, the ends of its axes",
        lambda: _on_ct(annotation([graphic("ELLIPSE", [*LONG, *SHORT])], [text_object("長径 ２０．０ ｍｍ")], [FIRST])),
        [REGION],
    ),
    _dialect(
        "GSPS, a circle",
        "CIRCLE, its centre and its rim",
        lambda: _on_ct(annotation([graphic("CIRCLE", [(30.0, 24.0), (40.0, 24.0)])], images=[FIRST])),
        [Row(FIRST, 16.0, 10.0, derived=True)],
    ),
    _dialect(
        "GSPS, a contour by hand",
        "INTERPOLATED, closed",
        lambda: _on_ct(annotation([graphic("INTERPOLATED", KITE)], images=[FIRST])),
        [REGION],
    ),
    _dialect(
        "GSPS, a point with a name",
        "POINT; Unformatted Text Value",
        lambda: _on_ct(annotation([graphic("POINT", [(20.0, 11.0)])], [text_object("target lesion 2")], [FIRST])),
        [Row(FIRST, truth=False)],
    ),
    _dialect(
        "GSPS, graphic groups",
        "Graphic Group ID links lines and text",
        _groups,
        [PAIR, Row(FIRST, 6.0, 3.2)],
    ),
    _dialect("GSPS, a compound ruler", "Compound Graphic RULER, drawn again as lines", _ruler, [Row(FIRST, 20.0)]),
    _dialect(
        "GSPS, compound lines",
        "Compound Graphic MULTILINE",
        lambda: _on_ct(with_compounds(annotation([], images=[FIRST]), compound("MULTILINE", [*LONG, *SHORT]))),
        [PAIR],
    ),
    _dialect(
        "GSPS, a turned compound rectangle",
        "Compound Graphic RECTANGLE, Rotation Angle",
        _turned_rectangle,
        [Row(FIRST, 20.0, 16.0, derived=True)],
    ),
    *(
        _dialect(
            f"GSPS on a zoomed display, turned by {turned_deg}{' and flipped' if flipped else ''}",
            "Graphic Object through the displayed area",
            lambda turned_deg=turned_deg, flipped=flipped: _on_display(turned_deg, flipped),  # type: ignore[misc]
            [PAIR],
            units="DISPLAY",
        )
        for turned_deg, flipped in ((0, False), (90, False), (180, True), (270, True))
    ),
    _dialect(
        "GSPS on a frame", "Referenced Frame Number", _third_frame, [Row(ONE, 20.0, 10.0, 3)], orientation="coronal"
    ),
    _dialect(
        "GSPS on an ultrasound image",
        "Graphic Object; mm by the region",
        _ultrasound,
        [Row(ONE, 20.0, 10.0)],
        orientation="none",
    ),
    _dialect(
        "GSPS on a projection",
        "Graphic Object; mm by the detector and the magnification",
        _projection,
        [Row(ONE, 20.0, 10.0)],
        orientation="none",
    ),
    _dialect("GSPS on a localizer", "Graphic Object", _scout, [Row(ONE, 20.0, 10.0, truth=False)]),
    _dialect(
        "Blending presentation state",
        "Graphic Object",
        lambda: _on_ct(annotation(_cross(), images=[FIRST]), sop_class_uid="1.2.840.10008.5.1.4.1.1.11.4"),
        [PAIR],
        root="Blending Softcopy Presentation State",
    ),
    _dialect(
        "Planar MPR presentation state",
        "a computed view",
        lambda: _on_ct(annotation(_cross(), images=[FIRST]), sop_class_uid="1.2.840.10008.5.1.4.1.1.11.6"),
        [],
        root="Grayscale Planar MPR Volumetric Presentation State",
        rejections=["computed_view"],
    ),
]
