"""Dialects of older and private reports: no template, own roots and codes, numbers and drawings apart."""

from collections.abc import Callable, Sequence

from builders import (
    COMMENT,
    FINDING,
    LENGTH,
    LONG_AXIS,
    LUNG,
    NODULE,
    SERIES,
    SHORT_AXIS,
    SITE,
    CodeTriple,
    Line,
    code,
    coded,
    container,
    ct_series,
    group,
    image,
    item,
    measured_line,
    num,
    scoord,
    sr,
    text,
    tid1500,
)
from builders_cad import pointing
from dialect import Dialect, Row
from pydicom.dataset import Dataset

BASIC_TEXT_SR = "1.2.840.10008.5.1.4.1.1.88.11"
DETAIL_SR_TRIAL = "1.2.840.10008.5.1.4.1.1.88.3"
COMPREHENSIVE_SR_TRIAL = "1.2.840.10008.5.1.4.1.1.88.4"

TEN: Line = ((20.0, 10.0), (32.0, 20.0))
FIVE: Line = ((30.0, 13.125), (22.0, 16.875))
"""10 and 5 mm long on a slice of `builders`, upright to each other."""
APART: Line = ((8.0, 40.0), (24.0, 40.0))
"""8 mm, on its own."""
FIRST, SECOND = f"{SERIES}.1", f"{SERIES}.2"

DISTANCE: CodeTriple = ("121206", "DCM", "Distance")
REPORT_ROOT = "126000 DCM Imaging Measurement Report"
TEXT: CodeTriple = ("121071", "DCM", "Finding")
IMPRESSION: CodeTriple = ("121073", "DCM", "Impression")


def _dialect(
    name: str,
    root: str,
    place: str,
    report: Callable[[], Dataset],
    rows: Sequence[Row],
    *,
    codes: str = "SCT",
    units: str = "mm",
    rejections: Sequence[str] = (),
) -> Dialect:
    return Dialect(name, "SR", root, place, codes, units, "oblique", lambda: [*ct_series(), report()], rows, rejections)


def _drawn(line: Line, uid: str = FIRST, *below: Dataset) -> Dataset:
    return scoord("POLYLINE", line, image(uid), *below, relationship="CONTAINS")


def _prose(words: str, *below: Dataset) -> Dataset:
    return text(IMPRESSION, words, *below, relationship="CONTAINS")


def _aim() -> Dataset:
    """Made from an AIM annotation: a line is two points, both are a Length, and the site has a side."""
    lines = [
        num(LENGTH, value, "mm", scoord("MULTIPOINT", line, image(FIRST))) for line, value in ((TEN, 10.0), (FIVE, 5.0))
    ]
    site = code(SITE, LUNG, "HAS CONCEPT MOD")
    session = text(("C67447", "NCIt", "Activity Session"), "Baseline")
    return tid1500(group(session, code(FINDING, NODULE), site, *lines, tracking_uid="1.9", tracking_id="Lesion1"))


def _private_root() -> Dataset:
    """Own root and own containers; each number names its drawing by reference."""
    library = container(("drawings", "99PRIV", "Drawings"), _drawn(TEN), _drawn(FIVE), _drawn(APART, SECOND))
    numbers = [
        num(("size", "99PRIV", name), value, "mm", pointing(1, 1, place, relationship="INFERRED FROM"))
        for name, value, place in (("Long axis", 10.0, 1), ("Short axis", 5.0, 2), ("Diameter", 8.0, 3))
    ]
    return sr(library, container(("values", "99PRIV", "Values"), *numbers), root=("doc", "99PRIV", "Measurements"))


def _evidence() -> Dataset:
    """As workstations write evidence: all codes their own, the graphic and the number in sibling containers."""

    def lesion(name: str, line: Line, value: float) -> Dataset:
        graphic = container(("G10", "99WS", "Graphic"), text(
            ("G11", "99WS", "Label"), name, scoord("POLYLINE", line, image(FIRST), relationship="HAS PROPERTIES"),
            relationship="CONTAINS"))  # fmt: skip
        number = num(
            ("V10", "99WS", "Value"), value, "mm",
            code(("V11", "99WS", "Kind"), ("V12", "99WS", "Diameter"), "HAS CONCEPT MOD"))  # fmt: skip
        unit = number.MeasuredValueSequence[0]
        unit.MeasurementUnitsCodeSequence = coded(("U1", "99WS", "mm"))
        return container(("L10", "99WS", "Lesion"), graphic, container(("V01", "99WS", "Values"), number))

    return sr(lesion("Lesion 1", TEN, 10.0), lesion("Lesion 2", APART, 8.0), root=("E1", "99WS", "Evidence"))


def _nested() -> Dataset:
    """A finding with its site above, one container below for each of its measurements."""
    said = [code(FINDING, NODULE), code(SITE, LUNG, "HAS CONCEPT MOD")]
    inner = [container(None, measured_line(concept, line, FIRST)) for concept, line in ((LONG_AXIS, TEN),)]
    other = container(("121070", "DCM", "Findings"), container(None, measured_line(LENGTH, APART, SECOND, 8.0)))
    return sr(container(("121070", "DCM", "Findings"), *said, *inner), other, root=("18748-4", "LN", "Imaging Report"))


def _recist_texts() -> Dataset:
    """The radiologist's words beside a line, and beside a click."""
    measured = container(None, _drawn(TEN), _drawn(FIVE), _prose("target lesion 2 - 10 x 5 mm"))
    clicked = container(
        None, scoord("POINT", [(8.0, 9.0)], image(SECOND), relationship="CONTAINS"), _prose("TL1: 23 x 14 mm")
    )
    return sr(measured, clicked, root=("18748-4", "LN", "Diagnostic imaging report"))


def _texts_in_order() -> Dataset:
    return sr(_prose("TL1 10 mm"), _drawn(TEN), _prose("TL2 8,0 mm"), _drawn(APART), root=None)


def _text_report() -> Dataset:
    below = [scoord("POLYLINE", line, image(FIRST), relationship="INFERRED FROM") for line in (TEN, FIVE)]
    return sr(
        _prose("A nodule of 10 x 5 mm.", *below),
        root=("18748-4", "LN", "Diagnostic imaging report"),
        sop_class_uid=BASIC_TEXT_SR,
    )


def _half_axes() -> Dataset:
    ellipse = scoord("ELLIPSE", [(10, 20), (30, 20), (20, 15), (20, 25)], image(FIRST), relationship="CONTAINS")
    return tid1500(group(ellipse, num(LONG_AXIS, 5.0, "mm"), num(SHORT_AXIS, 4.0, "mm"), tracking_uid="1.9"))


def _without_value_types() -> Dataset:
    """What is left of a report whose writer forgot value types and relationships."""
    length = measured_line(LENGTH, TEN, FIRST, 10.0)
    for part in (length, length.ContentSequence[0]):
        del part.ValueType, part.RelationshipType
    return sr(length, root=None)


_TWO = [Row(FIRST, 10.0, 5.0)]
OLDER_DIALECTS = [
    _dialect("AIM made into an SR", REPORT_ROOT, "NUM > MULTIPOINT of two points", _aim, _TWO),
    _dialect("A private root, numbers by reference", "doc 99PRIV", "NUM > INFERRED FROM > by reference", _private_root,
             [*_TWO, Row(SECOND, 8.0)], codes="private, known by meaning"),
    _dialect("Evidence of a workstation", "E1 99WS", "SCOORD below a TEXT, NUM in a sibling container", _evidence,
             [Row(FIRST, 10.0), Row(FIRST, 8.0)], codes="private, the meaning in a modifier", units="private mm"),
    _dialect("Findings with containers below", "18748-4 LN", "NUM > INFERRED FROM > SCOORD", _nested,
             [Row(FIRST, 10.0), Row(SECOND, 8.0)]),
    _dialect("No root concept", "none", "NUM > INFERRED FROM > SCOORD",
             lambda: sr(*(measured_line(DISTANCE, line, FIRST) for line in (TEN, FIVE)), root=None), _TWO, codes="DCM"),
    _dialect("Drawings and numbers in turn", "none", "SCOORD, and the NUM after it",
             lambda: sr(_drawn(TEN), num(LENGTH, 10.0, "mm"), _drawn(APART), num(LENGTH, 8.0, "mm"), root=None),
             [Row(FIRST, 10.0), Row(FIRST, 8.0)]),
    _dialect("The root is the measurement group", "125007 DCM Measurement Group", "NUM > INFERRED FROM > SCOORD",
             lambda: sr(measured_line(LONG_AXIS, TEN, FIRST, 10.0), measured_line(SHORT_AXIS, FIVE, FIRST, 5.0),
                        root=("125007", "DCM", "Measurement Group")), _TWO),
    _dialect("Basic Text SR", "18748-4 LN", "TEXT > INFERRED FROM > SCOORD", _text_report, _TWO, codes="none",
             units="mm in the text"),
    _dialect("Detail SR, trial class", REPORT_ROOT, "NUM > INFERRED FROM > SCOORD",
             lambda: sr(measured_line(("M-02550", "SRT", "Diameter"), TEN, FIRST, 10.0),
                        sop_class_uid=DETAIL_SR_TRIAL), [Row(FIRST, 10.0)], codes="SRT"),
    _dialect("Comprehensive SR, trial class", "none", "SCOORD in the root",
             lambda: sr(_drawn(TEN), text(COMMENT, "TL1"), root=None, sop_class_uid=COMPREHENSIVE_SR_TRIAL),
             [Row(FIRST, 10.0)], codes="none", units="none"),
    _dialect("RECIST in words", "18748-4 LN", "TEXT beside the lines, or beside a POINT", _recist_texts,
             [*_TWO, Row(SECOND, truth=False)], codes="none", units="mm in the text"),
    _dialect("A text for each line, in turn", "none", "TEXT, and the SCOORD after it", _texts_in_order,
             [Row(FIRST, 10.0), Row(FIRST, 8.0)], codes="none", units="mm in the text"),
    _dialect("An ellipse with half its axes", REPORT_ROOT, "SCOORD in the group", _half_axes,
             [Row(FIRST, 10.0, 8.0, derived=True)]),
    _dialect("No value types", "none", "NUM > SCOORD", _without_value_types, [Row(FIRST, 10.0)]),
    _dialect("Echocardiography", "125200 DCM Adult Echocardiography Procedure Report", "NUM > INFERRED FROM > SCOORD",
             lambda: sr(measured_line(("29436-3", "LN", "Left Ventricle Internal End Diastolic Dimension"), TEN, FIRST),
                        root=("125200", "DCM", "Adult Echocardiography Procedure Report")), [], codes="LN",
             rejections=["not_about_lesions"]),
    _dialect("Numbers alone", REPORT_ROOT, "nowhere",
             lambda: sr(item("TEXT", TEXT, TextValue="mass"), num(LENGTH, 23.0, "mm"), num(LENGTH, 2.0, "1")), [],
             units="mm, 1", rejections=["no_coordinates", "not_a_length"]),
]  # fmt: skip
