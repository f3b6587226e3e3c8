"""Dialects of the reports that free viewers write."""

import warnings
from collections.abc import Callable, Sequence

from builders import (
    AREA,
    COMPREHENSIVE_3D_SR,
    ENHANCED_SR,
    FINDING,
    SERIES,
    CodeTriple,
    Point,
    bidirectional,
    code,
    ct_series,
    group,
    image,
    item,
    measured_line,
    num,
    rectangle,
    scoord,
    sr,
    text,
    tid1500,
)
from builders_cad import coordinates
from dialect import Dialect, Row
from pydicom.dataset import Dataset

TEN = ((20.0, 10.0), (32.0, 20.0))
FIVE = ((30.0, 13.125), (22.0, 16.875))
"""10 and 5 mm long on a slice of `builders`, upright to each other."""
FIRST, SECOND = f"{SERIES}.1", f"{SERIES}.2"

SRT_LENGTH: CodeTriple = ("G-D7FE", "SRT", "Length")
PERIMETER: CodeTriple = ("131191004", "SCT", "Perimeter")
REGION: CodeTriple = ("111030", "DCM", "Image Region")
SHORT_LABEL: CodeTriple = ("125309", "DCM", "Short label")
OHIF = "Cornerstone3DTools@^0.1.0"


def _dialect(
    name: str,
    place: str,
    report: Callable[[], Dataset],
    rows: Sequence[Row],
    *,
    codes: str = "SCT",
    units: str = "mm",
    root: str = "126000 DCM Imaging Measurement Report",
    rejections: Sequence[str] = (),
) -> Dialect:
    return Dialect(name, "SR", root, place, codes, units, "oblique", lambda: [*ct_series(), report()], rows, rejections)


def _tool(tool: str, number: int, *content: Dataset) -> Dataset:
    return group(*content, tracking_uid=f"1.9.{number}", tracking_id=f"{OHIF}:{tool}")


def _twice(kind: str, points: Sequence[Point], uid: str = FIRST) -> list[Dataset]:
    """A region as dcmjs writes it: once below its perimeter and once below its area."""
    return [
        num(concept, 30.0, unit, scoord(kind, points, image(uid)))
        for concept, unit in ((PERIMETER, "mm"), (AREA, "mm2"))
    ]


def _typed(words: str) -> Dataset:
    """What a reader typed, as OHIF keeps it: in the meaning of a code that is longer than a code may be."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return code(FINDING, ("CORNERSTONEFREETEXT", "CORNERSTONEJS", words))


def _ohif_lines() -> Dataset:
    capital = (("G-A185", "SRT", "Long Axis"), ("G-A186", "SRT", "Short Axis"))
    length = measured_line(SRT_LENGTH, TEN, SECOND, 10.0)
    return tid1500(
        bidirectional(FIRST, TEN, FIVE, stated=(10.0, 5.0), codes=capital, tracking_uid="1.9.1"),
        _tool("Length", 2, length),
        sop_class_uid=ENHANCED_SR,
    )


def _ohif_regions() -> Dataset:
    return tid1500(
        rectangle(FIRST, (10.0, 8.0, 28.0, 13.0), "1.9.1"),
        _tool("EllipticalROI", 2, *_twice("ELLIPSE", [(10, 20), (30, 20), (20, 15), (20, 25)])),
        _tool("CircleROI", 3, *_twice("CIRCLE", [(50, 20), (50, 25)])),
        _tool("PlanarFreehandROI", 4, *_twice("POLYLINE", [(30, 38), (40, 30), (50, 38), (40, 46), (30, 38)])),
        sop_class_uid=ENHANCED_SR,
    )


def _ohif_places() -> Dataset:
    probe = num(
        ("37016008", "SCT", "Attenuation Coefficient"), 41.0, "[hnsf'U]", scoord("POINT", [(8, 9)], image(FIRST))
    )
    note = num(("RP-100001", "99dcmjs", "Arrow"), None, "1", scoord("POINT", [(40, 30)], image(FIRST)))
    drawn = num(("RP-100001", "99dcmjs", "Arrow"), None, "1", scoord("POLYLINE", TEN, image(SECOND)))
    return tid1500(
        _tool("Probe", 1, probe),
        _tool("ArrowAnnotate", 2, _typed("new nodule"), note),
        _tool("ArrowAnnotate", 3, _typed("TL2"), drawn),
        sop_class_uid=ENHANCED_SR,
    )


def _ohif_angle() -> Dataset:
    bend = num(("1483009", "SCT", "Angle"), 40.0, "deg", scoord("POLYLINE", [(5, 5), (20, 5), (20, 20)], image(FIRST)))
    return tid1500(_tool("Angle", 1, bend), _tool("Length", 2, measured_line(SRT_LENGTH, TEN, FIRST, 10.0)))


def _ohif_sample() -> Dataset:
    mean = num(("112031", "DCM", "Attenuation Coefficient"), 45.0, "[hnsf'U]", scoord("CIRCLE", TEN, image(FIRST)))
    return tid1500(_tool("CircleROI", 1, mean))


def _dwv_034() -> Dataset:
    """The root is the group, each drawing holds what belongs to it; one lies on a plane that the viewer computed."""

    def box(uid: str, corners: tuple[float, float, float, float], name: str, *more: Dataset) -> Dataset:
        x1, y1, x2, y2 = corners
        ring = [(x1, y1), (x1, y2), (x2, y2), (x2, y1), (x1, y1)]
        return scoord(
            "POLYLINE",
            ring,
            image(uid),
            item("UIDREF", ("112039", "DCM", "Tracking Identifier"), relationship="HAS PROPERTIES", UID=name),
            text(SHORT_LABEL, "{surface}", relationship="HAS PROPERTIES"),
            *more,
            num(("103355008", "SCT", "Width"), (x2 - x1) * 0.5, "mm"),
            num(("121207", "DCM", "Height"), (y2 - y1) * 0.8, "mm"),
            num(AREA, 0.4, "cm2"),
            relationship="CONTAINS",
        )

    plane = item(
        "SCOORD3D", ("128773", "DCM", "Reference Geometry"), relationship="HAS PROPERTIES", GraphicType="MULTIPOINT",
        GraphicData=[52.0, -73.0, 108.0, -1.0, 0.0, 0.0, 0.0, 0.0, -1.0], ReferencedFrameOfReferenceUID="1.2.7",
    )  # fmt: skip
    return sr(
        box(FIRST, (10.0, 8.0, 30.0, 13.0), "1.9.1"),
        box(SECOND, (10.0, 8.0, 18.0, 18.0), "1.9.2"),
        box(SECOND, (30.0, 8.0, 50.0, 13.0), "1.9.3", plane),
        root=("125007", "DCM", "Measurement Group"),
        sop_class_uid=COMPREHENSIVE_3D_SR,
    )


def _dwv() -> Dataset:
    """A ruler with a label that was moved: its place is a point of its own."""
    moved = coordinates(("122438", "DCM", "Reference Points"), "POINT", [(50.0, 40.0)], image(FIRST))
    ruler = scoord("POLYLINE", TEN, image(FIRST), relationship="CONTAINS")
    label = text(SHORT_LABEL, "TL1 {length}", moved, relationship="HAS CONCEPT MOD")
    colour = text(("718499004", "SCT", "Color"), "#ffff80", relationship="HAS CONCEPT MOD")
    length = num(("410668003", "SCT", "Length"), 10.0, "mm")
    return tid1500(group(ruler, label, colour, length, tracking_uid="1.9"), sop_class_uid=COMPREHENSIVE_3D_SR)


VIEWER_DIALECTS = [
    _dialect("OHIF: Bidirectional and Length", "NUM > INFERRED FROM > SCOORD", _ohif_lines,
             [Row(FIRST, 10.0, 5.0), Row(SECOND, 10.0)], codes="SRT, capital meanings"),
    _dialect("OHIF: Rectangle, Elliptical, Circle, Freehand", "the same SCOORD below each NUM", _ohif_regions,
             [Row(FIRST, 9.0, 4.0, derived=True), Row(FIRST, 10.0, 8.0, derived=True),
              Row(FIRST, 8.0, 5.0, derived=True), Row(FIRST, 12.8, 10.0, derived=True)], units="mm, mm2"),
    _dialect("OHIF: Probe and ArrowAnnotate", "POINT, or a POLYLINE that is an arrow", _ohif_places,
             [Row(FIRST, truth=False), Row(FIRST, truth=False), Row(SECOND, truth=False)], units="HU, none"),
    _dialect("OHIF: an Angle is none", "NUM > INFERRED FROM > SCOORD", _ohif_angle, [Row(FIRST, 10.0)],
             units="deg, mm", rejections=["an_angle"]),
    _dialect("OHIF: a circle for the mean HU alone", "NUM > INFERRED FROM > SCOORD", _ohif_sample,
             [Row(FIRST, truth=False)], units="HU"),
    _dialect("DWV 0.34", "SCOORD that holds its NUMs", _dwv_034,
             [Row(FIRST, 10.0, 4.0, derived=True), Row(SECOND, 8.0, 4.0, derived=True)],
             root="125007 DCM Measurement Group", units="mm, cm2",
             rejections=["point_of_a_drawing", "reformatted_plane"]),
    _dialect("DWV", "SCOORD in the group, NUM and label beside it", _dwv, [Row(FIRST, 10.0)],
             rejections=["point_of_a_drawing"]),
]  # fmt: skip
