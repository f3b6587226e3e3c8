"""What viewers want of a measurement report (SR by TID 1500). Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from itertools import pairwise

from pydicom import Dataset

from dicom_node.viewer_rules.rule import Expected
from dicom_node.viewer_rules.tree import (
    COMMENT,
    FINDING,
    LIBRARY,
    LIBRARY_GROUP,
    TRACKING_ID,
    TRACKING_UID,
    code_of,
    coordinates_of,
    evidence_of,
    groups_of,
    image_of,
    name,
    of_type,
    points_of,
    references_of,
    root_of,
    text_of,
    tool_of,
    with_code,
)
from mining.content_tree import ContentItem, read_tree

COMPREHENSIVE, COMPREHENSIVE_3D = "1.2.840.10008.5.1.4.1.1.88.33", "1.2.840.10008.5.1.4.1.1.88.34"
DRAWN = ("POINT", "MULTIPOINT", "POLYLINE", "CIRCLE", "ELLIPSE")
ALGORITHM_NAME, ALGORITHM_VERSION, OBSERVER_UID = "111001", "111003", "121012"
IMAGING_REPORT = "126000"
BOUNDED_BY, PURPOSE, SITE = "75958009", "130400", "363698007"
SAME_AREA = 0.01


def other_class(ds: Dataset, expected: Expected) -> Iterator[str]:
    if ds.get("SOPClassUID") not in (COMPREHENSIVE, COMPREHENSIVE_3D) or ds.get("Modality") != "SR":
        yield "it is no Comprehensive (3D) SR of modality SR"


def not_3d_class(ds: Dataset, expected: Expected) -> Iterator[str]:
    if ds.get("SOPClassUID") != COMPREHENSIVE_3D:
        yield "it is no Comprehensive 3D SR"


def other_root(ds: Dataset, expected: Expected) -> Iterator[str]:
    root = code_of(root_of(ds))
    if groups_of(ds) and root != IMAGING_REPORT:
        yield f"its root is {root or 'without a code'}, with measurements it must be {IMAGING_REPORT}"


def empty_under_the_root(ds: Dataset, expected: Expected) -> Iterator[str]:
    if not groups_of(ds) and code_of(root_of(ds)) == IMAGING_REPORT:
        yield f"it has no measurement group, and its root is {IMAGING_REPORT}"


def other_template(ds: Dataset, expected: Expected) -> Iterator[str]:
    templates = [str(item.get("TemplateIdentifier", "")) for item in ds.get("ContentTemplateSequence") or ()]
    if templates != ["1500"]:
        yield "its template is not 1500"


def no_library(ds: Dataset, expected: Expected) -> Iterator[str]:
    libraries = with_code(root_of(ds), LIBRARY)
    if not any(with_code(library, LIBRARY_GROUP) for library in libraries):
        yield f"it has no Image Library ({LIBRARY}) with a group ({LIBRARY_GROUP})"


def no_tracking_id(ds: Dataset, expected: Expected) -> Iterator[str]:
    yield from (
        f"{name(group)} has no Tracking Identifier" for group in groups_of(ds) if not text_of(group, TRACKING_ID)
    )


def no_tracking_uid(ds: Dataset, expected: Expected) -> Iterator[str]:
    for group in groups_of(ds):
        if not text_of(group, TRACKING_UID):
            yield f"{name(group)} has no Tracking Unique Identifier"


def shared_tracking_uid(ds: Dataset, expected: Expected) -> Iterator[str]:
    counts = Counter(text_of(group, TRACKING_UID) for group in groups_of(ds))
    yield from (f"{count} groups share a Tracking Unique Identifier" for uid, count in counts.items() if count > 1)


def nothing_drawn(ds: Dataset, expected: Expected) -> Iterator[str]:
    for group in groups_of(ds):
        kinds = [str(each.dataset.get("GraphicType", "")) for each in coordinates_of(group)]
        if not any(kind in DRAWN for kind in kinds):
            yield f"{name(group)} has no SCOORD that is drawn"


def drawn_in_space(ds: Dataset, expected: Expected) -> Iterator[str]:
    yield from (f"{item.path} is a SCOORD3D" for item in read_tree(ds).items if item.value_type == "SCOORD3D")


def on_no_image(ds: Dataset, expected: Expected) -> Iterator[str]:
    """Each graphic is SELECTED FROM one of the images, named by class and instance; by its frame where it has more."""
    for item in read_tree(ds).items:
        if item.value_type != "SCOORD":
            continue
        images = [child for child in of_type(item, "IMAGE") if child.relationship == "SELECTED FROM"]
        place = image_of(item)
        image = None if place is None else expected.image(place.sop_instance_uid)
        if len(images) != 1 or image is None:
            yield f"{item.path} is not selected from one of the images"
            continue
        reference = images[0].dataset.ReferencedSOPSequence[0]
        if reference.get("ReferencedSOPClassUID") != image.SOPClassUID:
            yield f"{item.path} names another SOP class than that of its image"
        if int(image.get("NumberOfFrames") or 1) > 1 and not reference.get("ReferencedFrameNumber"):
            yield f"{item.path} names no frame of a multi-frame image"


def evidence_lacks(ds: Dataset, expected: Expected) -> Iterator[str]:
    missing = set(references_of(ds)) - evidence_of(ds).keys()
    if missing:
        yield f"{len(missing)} instances that it refers to do not stand in its evidence"


def several_studies(ds: Dataset, expected: Expected) -> Iterator[str]:
    if set(evidence_of(ds).values()) - {str(expected.images[0].StudyInstanceUID)}:
        yield "it refers to instances of another study"


# --- to be taken up by OHIF -------------------------------------------------------------------------------------


def foreign_tool(ds: Dataset, expected: Expected) -> Iterator[str]:
    for group in groups_of(ds):
        if tool_of(group) not in ("RectangleROI", "Bidirectional", "Length"):
            yield f"the Tracking Identifier of {name(group)} names no tool that OHIF takes up"


def first_number_not_drawn(ds: Dataset, expected: Expected) -> Iterator[str]:
    for group in groups_of(ds):
        numbers = of_type(group, "NUM")
        if not numbers or not of_type(numbers[0], "SCOORD"):
            yield f"the first NUM of {name(group)} has no SCOORD"


def more_than_coordinates(ds: Dataset, expected: Expected) -> Iterator[str]:
    """In groups without a graphic of their own (TID 1501)."""
    for group in groups_of(ds):
        if of_type(group, "SCOORD"):
            continue
        for number in of_type(group, "NUM"):
            if of_type(number, "SCOORD") and len(number.children) != 1:
                yield f"{number.path} has {len(number.children)} children, its SCOORD must be the only one"


def no_ring(ds: Dataset, expected: Expected) -> Iterator[str]:
    """A closed ring of four corners, neighbours side by side."""
    for group in groups_of(ds):
        for region in coordinates_of(group) if tool_of(group) == "RectangleROI" else ():
            points = points_of(region)
            closed = len(points) == 5 and points[0] == points[4]
            if str(region.dataset.get("GraphicType")) != "POLYLINE" or not closed or not _around(points):
                yield f"{region.path} is no closed polyline around four corners"


def _around(points: list[tuple[float, float]]) -> bool:
    """Whether each step leads along one edge: no diagonal."""
    steps = [(b[0] - a[0], b[1] - a[1]) for a, b in pairwise(points)]
    return all(min(abs(x), abs(y)) < 1e-3 < max(abs(x), abs(y)) for x, y in steps)


def other_lines(ds: Dataset, expected: Expected) -> Iterator[str]:
    """Two points each, under NUMs of the meanings that OHIF looks for, to the letter."""
    wanted = {"Bidirectional": ["Long Axis", "Short Axis"], "Length": ["Length"]}
    for group in groups_of(ds):
        meanings = wanted.get(tool_of(group))
        if meanings is None:
            continue
        numbers = [number for number in of_type(group, "NUM") if of_type(number, "SCOORD")]
        if [number.concept.meaning if number.concept else "" for number in numbers] != meanings:
            yield f"the drawn NUMs of {name(group)} do not mean {' and '.join(meanings)}"
        for number in numbers:
            for region in of_type(number, "SCOORD"):
                if len(points_of(region)) != 2:
                    yield f"{region.path} has {len(points_of(region))} points, a line has 2"


def other_area(ds: Dataset, expected: Expected) -> Iterator[str]:
    """The Area of a rectangle is that of the rectangle, in mm²."""
    for group in groups_of(ds):
        for number in with_code(group, "42798000") if tool_of(group) == "RectangleROI" else ():
            for region in of_type(number, "SCOORD"):
                drawn, stated = (
                    _area_mm2(points_of(region), _slice_of(region, expected)),
                    _value_of(number.dataset),
                )
                if drawn is None or abs(stated - drawn) > SAME_AREA * drawn:
                    yield f"{number.path} states another area than that of its rectangle"


def _slice_of(region: ContentItem, expected: Expected) -> Dataset | None:
    place = image_of(region)
    return None if place is None else expected.slices.get(place)


def _area_mm2(points: list[tuple[float, float]], image: Dataset | None) -> float | None:
    if image is None or len(points) != 5:
        return None
    row_mm, col_mm = (float(value) for value in image.PixelSpacing)
    (xs, ys) = zip(*points, strict=True)
    return (max(xs) - min(xs)) * col_mm * (max(ys) - min(ys)) * row_mm


def _value_of(number: Dataset) -> float:
    return float(number.MeasuredValueSequence[0].NumericValue)


def several_comments(ds: Dataset, expected: Expected) -> Iterator[str]:
    for group in groups_of(ds):
        if len(with_code(group, COMMENT)) > 1:
            yield f"{name(group)} has {len(with_code(group, COMMENT))} comments"


# --- 3D Slicer, IHE AIR -----------------------------------------------------------------------------------------


def no_finding(ds: Dataset, expected: Expected) -> Iterator[str]:
    yield from (f"{name(group)} has no Finding" for group in groups_of(ds) if not with_code(group, FINDING))


def no_site(ds: Dataset, expected: Expected) -> Iterator[str]:
    yield from (f"{name(group)} has no Finding Site" for group in groups_of(ds) if not with_code(group, SITE))


def images_not_first(ds: Dataset, expected: Expected) -> Iterator[str]:
    """The first series of the evidence is that of the images."""
    study = ds.CurrentRequestedProcedureEvidenceSequence[0]
    if str(study.ReferencedSeriesSequence[0].SeriesInstanceUID) != str(expected.images[0].SeriesInstanceUID):
        yield "the first series of its evidence is not that of the images"


def not_bounded(ds: Dataset, expected: Expected) -> Iterator[str]:
    """A box is one by its purpose: (130400, DCM) = (75958009, SCT, "Bounded by")."""
    for group in groups_of(ds):
        purposes = [
            str(value.get("CodeValue", ""))
            for item in with_code(group, PURPOSE)
            for value in item.dataset.get("ConceptCodeSequence") or ()
        ]
        if purposes != [BOUNDED_BY]:
            yield f'{name(group)} is not "Bounded by" its graphic'


def no_graphic_of_its_own(ds: Dataset, expected: Expected) -> Iterator[str]:
    """The region stands at the group (TID 1410)."""
    for group in groups_of(ds):
        if not of_type(group, "SCOORD"):
            yield f"{name(group)} has no region of its own"


def no_algorithm(ds: Dataset, expected: Expected) -> Iterator[str]:
    for group in groups_of(ds):
        for code in (ALGORITHM_NAME, ALGORITHM_VERSION):
            if not text_of(group, code):
                yield f"{name(group)} does not name its algorithm ({code})"


def no_device(ds: Dataset, expected: Expected) -> Iterator[str]:
    if not text_of(root_of(ds), OBSERVER_UID):
        yield f"no device is named as its observer ({OBSERVER_UID})"


def not_complete(ds: Dataset, expected: Expected) -> Iterator[str]:
    if (ds.get("CompletionFlag"), ds.get("VerificationFlag")) != ("COMPLETE", "UNVERIFIED"):
        yield "it is not COMPLETE and UNVERIFIED"
