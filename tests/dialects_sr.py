"""Dialects of structured reports: what TID 1500 allows, and images of all kinds."""

from collections.abc import Callable, Sequence

from builders import (
    AREA,
    COMPREHENSIVE_3D_SR,
    FINDING,
    FRAME_OF_REFERENCE,
    LENGTH,
    LONG_AXIS,
    LUNG,
    NODULE,
    SERIES,
    SHORT_AXIS,
    SITE,
    Line,
    bidirectional,
    code,
    ct_series,
    group,
    image,
    measured_line,
    num,
    scoord,
    scoord3d,
    text,
    tid1500,
)
from builders_images import CORONAL, DX, ENHANCED_CT, MR, ONE, PET, SAGITTAL, US, enhanced_ct, image_of, in_mm
from dialect import Dialect, Row
from dialects_cad import CAD_DIALECTS
from dialects_sr_older import OLDER_DIALECTS
from dialects_sr_viewers import VIEWER_DIALECTS
from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset
from pydicom.tag import Tag
from pydicom.uid import DeflatedExplicitVRLittleEndian, ImplicitVRLittleEndian

TEN: Line = ((20.0, 10.0), (32.0, 20.0))
FIVE: Line = ((30.0, 13.125), (22.0, 16.875))
"""On a slice of `builders`: 6 and 8 mm, 4 and 3 mm, so 10 and 5 mm long, upright to each other."""
FIRST, SECOND = f"{SERIES}.1", f"{SERIES}.2"


def _dialect(
    name: str,
    place: str,
    objects: Callable[[], Sequence[Dataset]],
    rows: Sequence[Row],
    *,
    codes: str = "SCT",
    units: str = "mm",
    orientation: str = "oblique",
    rejections: Sequence[str] = (),
) -> Dialect:
    root = "126000 DCM Imaging Measurement Report"
    return Dialect(name, "SR", root, place, codes, units, orientation, objects, rows, rejections)


def _in_space(name: str, orientation: Sequence[float]) -> Dialect:
    def objects() -> list[Dataset]:
        slice_ = image_of(MR, "MR", orientation=orientation)
        lines = [
            num(concept, None, "mm", scoord3d("POLYLINE", in_mm(slice_, line), frame_of_reference=FRAME_OF_REFERENCE))
            for concept, line in ((LONG_AXIS, TEN), (SHORT_AXIS, FIVE))
        ]
        return [slice_, tid1500(group(*lines), sop_class_uid=COMPREHENSIVE_3D_SR)]

    place = "NUM > INFERRED FROM > SCOORD3D"
    return _dialect(f"Coordinates in space, {name}", place, objects, [Row(ONE, 10.0, 5.0)], orientation=name)


def _on(name: str, ds: Callable[[], Dataset], orientation: str, row: Row, lines: tuple[Line, Line]) -> Dialect:
    place = "NUM > INFERRED FROM > SCOORD"
    return _dialect(name, place, lambda: [ds(), tid1500(bidirectional(ONE, *lines))], [row], orientation=orientation)


def _volume() -> Dataset:
    """A nodule outlined on two slices, and its volume: TID 1411."""
    rings = [
        scoord("POLYLINE", [(20 - wide, 20), (20, 14), (20 + wide, 20), (20, 26), (20 - wide, 20)], image(uid),
               relationship="CONTAINS")
        for uid, wide in ((FIRST, 10), (SECOND, 12))
    ]  # fmt: skip
    said = [code(FINDING, NODULE), code(SITE, LUNG, "HAS CONCEPT MOD")]
    return tid1500(group(*said, *rings, num(("118565006", "SCT", "Volume"), 640.0, "mm3"), tracking_uid="1.9"))


def _with_a_comma() -> Dataset:
    """A Latin-1 document of a writer that puts a decimal comma where DICOM wants a point."""
    length = measured_line(LENGTH, TEN, FIRST, 9.9)
    measured = length.MeasuredValueSequence[0]
    measured[Tag("NumericValue")] = RawDataElement(Tag("NumericValue"), "DS", 4, b"9,9 ", 0, False, True)
    ds = tid1500(group(text(("121106", "DCM", "Comment"), "Läsion im Segment 6"), length))
    ds.SpecificCharacterSet = "ISO_IR 100"
    return ds


def _written_as(transfer_syntax_uid: str, character_set: str, comment: str) -> Dataset:
    said = text(("121106", "DCM", "Comment"), comment)
    ds = tid1500(bidirectional(FIRST, TEN, FIVE, said, stated=(10.0, 5.0)))
    ds.file_meta.TransferSyntaxUID = transfer_syntax_uid
    ds.SpecificCharacterSet = character_set.split("\\")
    return ds


SR_DIALECTS = [
    _dialect(
        "TID 1500, two diameters", "NUM > INFERRED FROM > SCOORD",
        lambda: [*ct_series(), tid1500(bidirectional(FIRST, TEN, FIVE, stated=(10.0, 5.0)))],
        [Row(FIRST, 10.0, 5.0)],
    ),
    _dialect(
        "TID 1410, a circle and its diameter beside it", "SCOORD in the group, NUM beside it",
        lambda: [*ct_series(), tid1500(group(
            scoord("CIRCLE", [(20, 20), (20, 25)], image(FIRST), relationship="CONTAINS"),
            num(("81827009", "SCT", "Diameter"), 8.0, "mm"), code(FINDING, NODULE), tracking_uid="1.9"))],
        [Row(FIRST, 8.0, 5.0, derived=True)],
    ),
    _dialect(
        "TID 1411, outlines over slices", "several SCOORDs in one group", lambda: [*ct_series(), _volume()],
        [Row(SECOND, 12.0, 9.6, derived=True)], units="mm3", rejections=["smaller_slice"],
    ),
    _dialect(
        "TID 1501, lengths in centimetres, codes of SRT", "NUM > INFERRED FROM > SCOORD",
        lambda: [*ct_series(), tid1500(bidirectional(
            FIRST, TEN, FIVE, stated=(1.0, 0.5), unit="cm",
            codes=(("G-A185", "SRT", "Long Axis"), ("G-A186", "SRT", "Short Axis"))))],
        [Row(FIRST, 10.0, 5.0)], codes="SRT", units="cm",
    ),
    _dialect(
        "Lengths in pixels, or without a value", "NUM > INFERRED FROM > SCOORD",
        lambda: [*ct_series(), tid1500(bidirectional(FIRST, TEN, FIVE, stated=(15.6, None), unit="1"))],
        [Row(FIRST, 10.0, 5.0)], units="1",
    ),
    _dialect(
        "The short axis is named by a text", "NUM > INFERRED FROM > SCOORD",
        lambda: [*ct_series(), tid1500(group(*(
            num(LENGTH, length, "mm", text(("99", "99X", "Label"), name, relationship="CONTAINS"),
                scoord("POLYLINE", line, image(FIRST)))
            for name, line, length in (("short axis", FIVE, 5.0), ("long axis", TEN, 10.0)))))],
        [Row(FIRST, 10.0, 5.0)], codes="Length, and a text",
    ),
    _dialect(
        "Latin-1 and a decimal comma", "NUM > INFERRED FROM > SCOORD", lambda: [*ct_series(), _with_a_comma()],
        [Row(FIRST, 10.0)],
    ),
    _dialect(
        "Deflated", "NUM > INFERRED FROM > SCOORD",
        lambda: [*ct_series(), _written_as(DeflatedExplicitVRLittleEndian, "ISO_IR 192", "Läsion")],
        [Row(FIRST, 10.0, 5.0)],
    ),
    _dialect(
        "Implicit VR and Kanji", "NUM > INFERRED FROM > SCOORD",
        lambda: [*ct_series(), _written_as(ImplicitVRLittleEndian, "\\ISO 2022 IR 87", "病変")],
        [Row(FIRST, 10.0, 5.0)],
    ),
    _dialect(
        "Area of a polyline that does not close", "NUM > INFERRED FROM > SCOORD",
        lambda: [*ct_series(), tid1500(group(num(AREA, 48.0, "mm2", scoord(
            "POLYLINE", [(10, 20), (20, 14), (30, 20), (20, 26)], image(FIRST)))))],
        [Row(FIRST, 10.0, 9.6, derived=True)], units="mm2",
    ),
    _dialect(
        "One image in the library alone", "SCOORD without an image",
        lambda: [*ct_series(), tid1500(group(num(LENGTH, 10.0, "mm", scoord("POLYLINE", TEN))),
                                       group(image(SECOND, relationship="CONTAINS")))],
        [Row(SECOND, 10.0)],
    ),
    _in_space("oblique", (0.96, 0.0, -0.28, 0.084, 0.9539392, 0.288)),
    _in_space("sagittal", SAGITTAL),
    _in_space("coronal", CORONAL),
    _dialect(
        "A frame of an Enhanced CT", "IMAGE with a frame number",
        lambda: [enhanced_ct(), tid1500(group(num(LENGTH, 10.0, "mm", scoord(
            "POLYLINE", TEN, image(ONE, [3], ENHANCED_CT)))))],
        [Row(ONE, 10.0, frame=3)], orientation="coronal, a plane for each frame",
    ),
    _dialect(
        "Coordinates in space on a frame of an Enhanced CT", "NUM > INFERRED FROM > SCOORD3D",
        lambda: [enhanced_ct(), tid1500(group(num(LENGTH, 10.0, "mm", scoord3d(
            "POLYLINE", [(-10.0, 18.0, 92.0), (-4.0, 18.0, 84.0)], frame_of_reference=FRAME_OF_REFERENCE))),
            sop_class_uid=COMPREHENSIVE_3D_SR)],
        [Row(ONE, 10.0, frame=2)], orientation="coronal, a plane for each frame",
    ),
    _on("MR, pixels of 1.6 × 0.6 mm", lambda: image_of(MR, "MR", spacing=(1.6, 0.6), orientation=SAGITTAL), "sagittal",
        Row(ONE, 10.0, 5.0), (((20.0, 10.0), (30.0, 15.0)), ((25 + 10 / 3, 11.5625), (25 - 10 / 3, 13.4375)))),
    _on("PET", lambda: image_of(PET, "PT"), "oblique", Row(ONE, 10.0, 5.0), (TEN, FIVE)),
    _on("Ultrasound without a pixel spacing", lambda: image_of(US, "US", spacing=None, orientation=None), "no plane",
        Row(ONE), (TEN, FIVE)),
    _on("Digital radiograph", lambda: image_of(DX, "DX", orientation=None), "no plane",
        Row(ONE, 10.0, 5.0), (TEN, FIVE)),
    _dialect(
        "A group about anatomy", "NUM > INFERRED FROM > SCOORD",
        lambda: [*ct_series(), tid1500(group(
            code(("276214006", "SCT", "Finding category"), ("91723000", "SCT", "Anatomical structure")),
            code(FINDING, ("15825003", "SCT", "Aorta")), measured_line(LENGTH, TEN, FIRST, 10.0)))],
        [], rejections=["anatomy_not_lesion"],
    ),
    _dialect(
        "The size of an organ by its own name", "NUM > INFERRED FROM > SCOORD",
        lambda: [*ct_series(), tid1500(group(
            measured_line(("11853-7", "LN", "Left Kidney Length"), TEN, FIRST, 10.0),
            measured_line(("18154-5", "LN", "Interventricular Septum Thickness"), FIVE, FIRST, 5.0)))],
        [], codes="LN", rejections=["not_a_measurement"] * 2,
    ),
    *VIEWER_DIALECTS,
    *OLDER_DIALECTS,
    *CAD_DIALECTS,
]  # fmt: skip
