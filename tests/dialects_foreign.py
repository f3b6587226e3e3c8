"""Dialects of AIM files, of CSV bookmarks and of private elements."""

from builders import SERIES, ct_instance, ct_series
from builders_foreign import (
    FIRST,
    PRIVATE_CLASS,
    SECOND,
    VENDOR,
    aim3,
    aim4,
    aim_object,
    annotation,
    bookmark_object,
    calculation,
    flat,
    markup,
    private_object,
    statement,
)
from builders_images import ONE, enhanced_ct, in_mm
from dialect import Dialect, Row
from pydicom.dataset import Dataset

from mining.settings import BookmarkColumns, HarvestSettings, PrivateTable

LONG, SHORT = ((20.0, 10.0), (32.0, 26.0)), ((32.0, 16.0), (20.0, 19.515625))
"""As in `harvest_node`: 14.136 and 6.627 mm long on the images of `builders`, upright on each other."""
LONG_MM, SHORT_MM = 14.136, 6.627

DIAMOND = [(10.0, 20.0), (20.0, 14.0), (30.0, 20.0), (20.0, 26.0)]
"""20 × 12 pixels, so 10 × 9.6 mm."""
SMALL_DIAMOND = [(15.0, 20.0), (20.0, 17.0), (25.0, 20.0), (20.0, 23.0)]


def _two_lines() -> list[Dataset]:
    """Two markups of two points; the numbers are in cm and name their markups."""
    content = aim4(
        annotation(
            markup("TwoDimensionMultiPoint", LONG, uid="1.9.1"),
            markup("TwoDimensionMultiPoint", SHORT, uid="1.9.2"),
            calculations=[
                calculation("LongAxis", 1.41, "cm", uid="7.1"),
                calculation("ShortAxis", 0.66, "cm", uid="7.2"),
            ],
            statements=[statement("7.1", "1.9.1"), statement("7.2", "1.9.2")],
        )
    )
    return [*ct_series(), aim_object(content)]


def _four_points() -> list[Dataset]:
    """The short axis first, every element with a prefix."""
    content = aim4(annotation(markup("TwoDimensionMultiPoint", [*SHORT, *LONG])))
    for name in ("ImageAnnotation", "MarkupEntity", "imageStudy", "uniqueIdentifier", "instanceUid"):
        for mark in ("<", "</"):
            content = content.replace(f"{mark}{name}".encode(), f"{mark}aim:{name}".encode())
    content = content.replace(b"xmlns=", b"xmlns:aim=")
    return [*ct_series(), aim_object(content)]


def _outlines() -> list[Dataset]:
    """One lesion outlined on two slices, and its middle on the larger one."""
    content = aim4(
        annotation(
            markup("TwoDimensionPolyline", SMALL_DIAMOND),
            markup("TwoDimensionPolyline", DIAMOND, image=SECOND),
            markup("TwoDimensionPoint", [(20.0, 20.0)], image=SECOND),
        )
    )
    return [*ct_series(), aim_object(content)]


def _round() -> list[Dataset]:
    """A circle of 5 pixels, an ellipse, a point, an arrow: four annotations."""
    ellipse = [(30.0, 30.0), (50.0, 30.0), (40.0, 26.0), (40.0, 34.0)]
    content = aim4(
        annotation(markup("TwoDimensionCircle", [(20.0, 20.0), (20.0, 25.0)])),
        annotation(markup("TwoDimensionEllipse", ellipse, image=SECOND), uid="1.2"),
        annotation(markup("TwoDimensionPoint", [(9.0, 9.0)], image=SECOND), uid="1.3"),
        annotation(markup("TwoDimensionArrow", [(9.0, 9.0), (12.0, 9.0)]), uid="1.4"),
    )
    return [*ct_series(), aim_object(content)]


def _in_space() -> list[Dataset]:
    images = ct_series()
    points = in_mm(images[1], [*LONG, *SHORT])
    content = aim4(
        annotation(markup("ThreeDimensionMultiPoint", points[:2]), markup("ThreeDimensionPolyline", points[2:])),
    )
    return [*images, aim_object(content)]


def _on_a_frame() -> list[Dataset]:
    return [enhanced_ct(), aim_object(aim4(annotation(markup("TwoDimensionMultiPoint", LONG, image=ONE, frame=3))))]


def _no_person() -> list[Dataset]:
    """Nobody is named as the user; an algorithm is."""
    algorithm = '<algorithm><name value="Nodule finder"/></algorithm>'
    content = aim4(annotation(markup("TwoDimensionMultiPoint", LONG) + algorithm), user="")
    return [*ct_series(), aim_object(content)]


IN_ITEMS = PrivateTable(
    PRIVATE_CLASS,
    {
        f"(0041,xx10) {VENDOR}": "item",
        f"(0041,xx10) {VENDOR}/(0041,xx20)": "long_axis",
        f"(0041,xx10) {VENDOR}/(0041,xx21)": "short_axis",
        f"(0041,xx10) {VENDOR}/(0041,xx22)": "reader",
        f"(0041,xx10) {VENDOR}/(0008,1155)": "image",
    },
)
ON_THE_IMAGE = PrivateTable(
    "1.2.840.10008.5.1.4.1.1.2", {"(0029,xx01) LINES": "points", "(0029,xx02) LINES": "stated_long_axis_mm"}, "zero"
)


def _in_items() -> list[Dataset]:
    marks: list[dict[int, object]] = [
        {0x20: flat(LONG, shift=0.5), 0x21: flat(SHORT, shift=0.5), 0x22: "Reader^One", 0x00081155: FIRST},
        {0x20: flat(LONG, shift=0.5), 0x22: "Reader^One", 0x00081155: SECOND},
        {0x20: [1.0, 2.0, 3.0], 0x00081155: SECOND},
    ]
    return [*ct_series(), private_object(marks, block=0x73)]


def _on_the_image() -> list[Dataset]:
    image = ct_instance()
    image.add_new((0x0029, 0x0042), "LO", "LINES")
    image.add_new((0x0029, 0x4201), "LO", "20\\10\\32\\26")
    image.add_new((0x0029, 0x4202), "LO", "14,1 mm")
    return [image]


ENDS = BookmarkColumns(
    {"uid": "image", **{f"end {n}": name for n, name in enumerate(("x1", "y1", "x2", "y2", "x3", "y3", "x4", "y4"))}},
    origin="one",
)
ONE_CELL = BookmarkColumns(
    {"Bild": "image", "Linie": "points", "Länge": "stated_long_axis_mm", "Befund": "finding", "Nr": "item"},
    delimiter=";",
    decimal_comma=True,
)
LINE_BY_LINE = BookmarkColumns(
    {"Series": "series", "Slice": "instance_number", "Line": "long_axis", "Lesion": "lesion_id", "Text": "comment"},
    origin="zero",
)


def _ends() -> list[Dataset]:
    header = "uid," + ",".join(f"End {n}" for n in range(8))
    full = ",".join([FIRST, *map(str, flat(LONG, SHORT, shift=1.0))])
    line = ",".join([SECOND, *map(str, flat(LONG, shift=1.0)), "", "", "", ""])
    place = ",".join([SECOND, "5", "6", "", "", "", "", "", ""])
    broken = ",".join([SECOND, "5", "", "7", "8", "", "", "", ""])
    return [*ct_series(), bookmark_object(header, full, line, place, broken, full)]


def _one_cell() -> list[Dataset]:
    numbers = [f"{value + 0.5:.6f}".replace(".", ",") for value in flat(LONG)]
    line = f'{FIRST};"{numbers[0]} {numbers[1]}; {numbers[2]} {numbers[3]}";14,1;Rundherd;17'
    ring = " ".join(f"{x + 0.5:.1f} {y + 0.5:.1f}".replace(".", ",") for x, y in DIAMOND)
    region = f"{SECOND};{ring};1,0 cm;Lymphknoten;18"
    return [*ct_series(), bookmark_object("Bild;Linie;Länge;Befund;Nr", line, region, delimiter=";")]


def _line_by_line() -> list[Dataset]:
    rows = [
        f'{SERIES},2,"{" ".join(map(str, flat(LONG)))}",L1,"long, as seen"',
        f'{SERIES},2,"{" ".join(map(str, flat(SHORT)))}",L1,',
        f"{SERIES},9,1 1 5 5,L2,",
    ]
    return [*ct_series(), bookmark_object("Series,Slice,Line,Lesion,Text", *rows)]


def _csv(columns: BookmarkColumns) -> HarvestSettings:
    return HarvestSettings(bookmarks=columns)


FOREIGN_DIALECTS = [
    Dialect(
        "AIM 4, two lines", "AIM", "ImageAnnotationCollection", "two MarkupEntity, TwoDimensionMultiPoint", "RadLex",
        "cm", "oblique", _two_lines, [Row(FIRST, LONG_MM, SHORT_MM)],
    ),
    Dialect(
        "AIM 4, one markup of four points", "AIM", "ImageAnnotationCollection, prefixed", "TwoDimensionMultiPoint",
        "RadLex", "none", "oblique", _four_points, [Row(FIRST, LONG_MM, SHORT_MM)],
    ),
    Dialect(
        "AIM 4, outlines on slices", "AIM", "ImageAnnotationCollection", "TwoDimensionPolyline on two images", "RadLex",
        "none", "oblique", _outlines, [Row(SECOND, 10.0, 9.6, derived=True)], ["point_of_a_drawing", "smaller_slice"],
    ),
    Dialect(
        "AIM 4, round shapes and a point", "AIM", "ImageAnnotationCollection", "TwoDimensionCircle, Ellipse, Point",
        "RadLex", "none", "oblique", _round,
        [Row(FIRST, 8.0, 5.0, derived=True), Row(SECOND, 10.0, 6.4, derived=True), Row(SECOND, truth=False)],
        ["unknown_graphic"],
    ),
    Dialect(
        "AIM 4 in millimetres", "AIM", "ImageAnnotationCollection", "ThreeDimensionMultiPoint, ThreeDimensionPolyline",
        "RadLex", "none", "oblique", _in_space, [Row(SECOND, LONG_MM, SHORT_MM)],
    ),
    Dialect(
        "AIM 4 on a frame", "AIM", "ImageAnnotationCollection", "TwoDimensionMultiPoint, referencedFrameNumber",
        "RadLex", "none", "coronal", _on_a_frame, [Row(ONE, LONG_MM, frame=3)],
    ),
    Dialect(
        "AIM 4 by an algorithm", "AIM", "ImageAnnotationCollection without a user", "TwoDimensionMultiPoint", "RadLex",
        "none", "oblique", _no_person, [Row(FIRST, LONG_MM, truth=False)],
    ),
    Dialect(
        "AIM 3", "AIM", "ImageAnnotation", "GeometricShape, MultiPoint", "none", "cm", "oblique",
        lambda: [*ct_series(), aim_object(aim3("MultiPoint", LONG, 1.41))], [Row(FIRST, LONG_MM)],
    ),
    Dialect(
        "AIM 3, a polyline", "AIM", "ImageAnnotation", "GeometricShape, Polyline", "none", "none", "oblique",
        lambda: [*ct_series(), aim_object(aim3("Polyline", DIAMOND))], [Row(FIRST, 10.0, 9.6, derived=True)],
    ),
    Dialect(
        "CSV, a column for each end", "csv", "header line", "x1 … y4, 1-based as in DL_info.csv", "none", "none",
        "oblique", _ends, [Row(FIRST, LONG_MM, SHORT_MM), Row(SECOND, LONG_MM), Row(SECOND, truth=False)],
        ["bad_coordinates", "repeated_row"], settings=_csv(ENDS),
    ),
    Dialect(
        "CSV, points in one cell", "csv", "header line, semicolons", "x y; x y with decimal commas", "words", "mm, cm",
        "oblique", _one_cell, [Row(FIRST, LONG_MM), Row(SECOND, 10.0, 9.6, derived=True)], settings=_csv(ONE_CELL),
    ),
    Dialect(
        "CSV, a row for each line", "csv", "header line", "series and instance number, 0-based", "none", "none",
        "oblique", _line_by_line, [Row(SECOND, LONG_MM, SHORT_MM)], ["image_not_here"], settings=_csv(LINE_BY_LINE),
    ),
    Dialect(
        "Private sequence", "private", "private SOP class", "an item for each mark, FD, any block", "none", "none",
        "oblique", _in_items, [Row(FIRST, LONG_MM, SHORT_MM), Row(SECOND, LONG_MM)], ["bad_coordinates"],
        settings=HarvestSettings(private=(IN_ITEMS,)),
    ),
    Dialect(
        "Private elements on the image", "private", "CT Image Storage", "text, 0-based", "none", "mm in text",
        "oblique", _on_the_image, [Row(FIRST, LONG_MM)], settings=HarvestSettings(private=(ON_THE_IMAGE,)),
    ),
]  # fmt: skip
