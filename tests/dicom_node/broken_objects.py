"""How each rule of the viewers is broken: a golden object, changed in one place."""

import warnings
from collections.abc import Callable

from pydicom import Dataset

from dicom_node.viewer_rules.rule import Expected
from dicom_node.viewer_rules.tree import GROUP

Break = Callable[[Dataset, Expected], None]


def groups(ds: Dataset) -> list[Dataset]:
    return [item for item in items(ds) if concept(item) == GROUP]


def items(ds: Dataset) -> list[Dataset]:
    """Every item of a content tree, in the order of the document."""
    return [each for child in ds.get("ContentSequence") or () for each in (child, *items(child))]


def concept(item: Dataset) -> str:
    return str(item.ConceptNameCodeSequence[0].CodeValue) if item.get("ConceptNameCodeSequence") else ""


def children(item: Dataset, what: str) -> list[Dataset]:
    """By concept or by value type."""
    return [child for child in item.ContentSequence if what in (concept(child), child.ValueType)]


def scoords(ds: Dataset) -> list[Dataset]:
    return [item for item in items(ds) if item.ValueType == "SCOORD"]


def put(**values: object) -> Break:
    """Other values of attributes at the top."""

    def change(ds: Dataset, expected: Expected) -> None:
        for keyword, value in values.items():
            setattr(ds, keyword, value)

    return change


def take(keyword: str, sequence: str = "") -> Break:
    """An attribute less, of the first item of a sequence or of the object."""

    def change(ds: Dataset, expected: Expected) -> None:
        del (ds[sequence][0] if sequence else ds)[keyword]

    return change


def put_in(sequence: str, **values: object) -> Break:
    def change(ds: Dataset, expected: Expected) -> None:
        for keyword, value in values.items():
            setattr(ds[sequence][0], keyword, value)

    return change


def without(what: str) -> Break:
    """The first group less its children of a concept."""

    def change(ds: Dataset, expected: Expected) -> None:
        group = groups(ds)[0]
        group.ContentSequence = [child for child in group.ContentSequence if what not in (concept(child),)]

    return change


def root_without(what: str) -> Break:
    def change(ds: Dataset, expected: Expected) -> None:
        ds.ContentSequence = [child for child in ds.ContentSequence if concept(child) != what]

    return change


def into_series_of_images(ds: Dataset, expected: Expected) -> None:
    ds.SeriesInstanceUID = expected.images[0].SeriesInstanceUID


def too_long_a_text(ds: Dataset, expected: Expected) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # pydicom's own
        ds.SoftwareVersions = "x" * 65


def no_groups(ds: Dataset, expected: Expected) -> None:
    for item in items(ds):
        if concept(item) == "126010":
            del item.ContentSequence


def one_tracking_uid(ds: Dataset, expected: Expected) -> None:
    for group in groups(ds):
        children(group, "112040")[0].UID = "2.25.1"


def bare_group(ds: Dataset, expected: Expected) -> None:
    group = groups(ds)[0]
    group.ContentSequence = [child for child in group.ContentSequence if child.ValueType not in ("NUM", "SCOORD")]


def into_space(ds: Dataset, expected: Expected) -> None:
    scoords(ds)[0].ValueType = "SCOORD3D"


def onto_another_image(ds: Dataset, expected: Expected) -> None:
    scoords(ds)[0].ContentSequence[0].ReferencedSOPSequence[0].ReferencedSOPInstanceUID = "1.2.3"


def no_evidence(ds: Dataset, expected: Expected) -> None:
    for study in ds.CurrentRequestedProcedureEvidenceSequence:
        study.ReferencedSeriesSequence = study.ReferencedSeriesSequence[:0]


def evidence_of_another_study(ds: Dataset, expected: Expected) -> None:
    ds.CurrentRequestedProcedureEvidenceSequence[0].StudyInstanceUID = "1.2.3"


def half_a_pixel_off(ds: Dataset, expected: Expected) -> None:
    for graphic in [*scoords(ds), *graphics(ds)]:
        graphic.GraphicData = [value - 0.5 for value in graphic.GraphicData]


def one_lesion_less(ds: Dataset, expected: Expected) -> None:
    """All that is drawn on the slice of the first lesion."""
    key = expected.shapes[0].image.sop_instance_uid
    for group in groups(ds):
        for child in group.ContentSequence:
            for scoord in (child, *child.get("ContentSequence", ())):
                if scoord.ValueType == "SCOORD" and key == image_of(scoord):
                    scoord.GraphicData = [1.0, 1.0]
    for annotation in ds.get("GraphicAnnotationSequence") or ():
        if annotation.ReferencedImageSequence[0].ReferencedSOPInstanceUID == key:
            annotation.GraphicObjectSequence = annotation.GraphicObjectSequence[:0]


def image_of(scoord: Dataset) -> str:
    return str(scoord.ContentSequence[0].ReferencedSOPSequence[0].ReferencedSOPInstanceUID)


def plain_identifier(ds: Dataset, expected: Expected) -> None:
    children(groups(ds)[0], "112039")[0].TextValue = "Lesion 1"


def score_first(ds: Dataset, expected: Expected) -> None:
    """The certainty before the area, as F3 of the measured variants."""
    group = groups(ds)[0]
    numbers = [each for each in group.ContentSequence if each.ValueType == "NUM"]
    others = [each for each in group.ContentSequence if each.ValueType != "NUM"]
    group.ContentSequence = [*numbers[::-1], *others]


def two_children(ds: Dataset, expected: Expected) -> None:
    number = next(each for each in children(groups(ds)[0], "NUM") if "ContentSequence" in each)
    number.ContentSequence = [*number.ContentSequence, *children(groups(ds)[0], "112039")]


def open_ring(ds: Dataset, expected: Expected) -> None:
    scoords(ds)[0].GraphicData = list(scoords(ds)[0].GraphicData)[:8]


def other_letters(ds: Dataset, expected: Expected) -> None:
    """As pydicom writes the meaning: "Long axis"."""
    for group in groups(ds):
        for number in children(group, "103339001"):
            number.ConceptNameCodeSequence[0].CodeMeaning = "Long axis"


def twice_the_area(ds: Dataset, expected: Expected) -> None:
    measured = children(groups(ds)[0], "42798000")[0].MeasuredValueSequence[0]
    measured.NumericValue = float(measured.NumericValue) * 2


def region_away(ds: Dataset, expected: Expected) -> None:
    group = groups(ds)[0]
    group.ContentSequence = [child for child in group.ContentSequence if child.ValueType != "SCOORD"]


def said_twice(ds: Dataset, expected: Expected) -> None:
    group = groups(ds)[0]
    group.ContentSequence = [*group.ContentSequence, *children(group, "121106")]


def segmentation_first(ds: Dataset, expected: Expected) -> None:
    other = Dataset()
    other.SeriesInstanceUID = "1.2.3"
    study = ds.CurrentRequestedProcedureEvidenceSequence[0]
    study.ReferencedSeriesSequence = [other, *study.ReferencedSeriesSequence]


# --- segmentations ------------------------------------------------------------------------------------------------


def empty_pixels(ds: Dataset, expected: Expected) -> None:
    if ds.file_meta.TransferSyntaxUID.is_compressed:
        ds.decompress(generate_instance_uid=False)
    ds.PixelData = bytes(len(ds.PixelData))


def one_label(ds: Dataset, expected: Expected) -> None:
    for segment in ds.SegmentSequence:
        segment.SegmentLabel = "Lesion"


def one_tracked(ds: Dataset, expected: Expected) -> None:
    for segment in ds.SegmentSequence:
        segment.TrackingUID = "2.25.1"


def one_slice_off(ds: Dataset, expected: Expected) -> None:
    """A pixel to the side, for all frames."""
    for frame in ds.PerFrameFunctionalGroupsSequence:
        position = frame.PlanePositionSequence[0]
        x, y, z = (float(value) for value in position.ImagePositionPatient)
        position.ImagePositionPatient = [x + float(expected.images[0].PixelSpacing[1]), y, z]


# --- presentation states ------------------------------------------------------------------------------------------


def graphics(ds: Dataset) -> list[Dataset]:
    return [
        graphic
        for annotation in ds.get("GraphicAnnotationSequence") or ()
        for graphic in annotation.get("GraphicObjectSequence") or ()
    ]


def in_display_units(ds: Dataset, expected: Expected) -> None:
    graphics(ds)[0].GraphicAnnotationUnits = "DISPLAY"


def two_layers(ds: Dataset, expected: Expected) -> None:
    ds.GraphicLayerSequence = [*ds.GraphicLayerSequence, *ds.GraphicLayerSequence]


def layer_without_a_name(ds: Dataset, expected: Expected) -> None:
    layer = ds.GraphicLayerSequence[0]
    layer.GraphicLayer, layer.GraphicLayerDescription = "MARKS", "marks"


def no_texts(ds: Dataset, expected: Expected) -> None:
    for annotation in ds.GraphicAnnotationSequence:
        annotation.TextObjectSequence = annotation.get("TextObjectSequence", [])[:0]


def one_point_more(ds: Dataset, expected: Expected) -> None:
    graphics(ds)[0].NumberOfGraphicPoints += 1


def foreign_image(ds: Dataset, expected: Expected) -> None:
    ds.ReferencedSeriesSequence[0].ReferencedImageSequence[0].ReferencedSOPInstanceUID = "1.2.3"


def shifted_area(ds: Dataset, expected: Expected) -> None:
    ds.DisplayedAreaSelectionSequence[0].DisplayedAreaTopLeftHandCorner = [0, 0]


# --- the others ---------------------------------------------------------------------------------------------------


def a_rejection(ds: Dataset, expected: Expected) -> None:
    ds.ConceptNameCodeSequence[0].CodeValue = "113001"


def other_key_image(ds: Dataset, expected: Expected) -> None:
    next(item for item in items(ds) if item.ValueType == "IMAGE").ReferencedSOPSequence[
        0
    ].ReferencedSOPInstanceUID = "1.2.3"


def beside_the_lesion(ds: Dataset, expected: Expected) -> None:
    for roi in ds.ROIContourSequence:
        for contour in roi.ContourSequence:
            right = [float(value) for value in expected.images[0].ImageOrientationPatient[:3]]
            moved = [float(value) + right[place % 3] for place, value in enumerate(contour.ContourData)]
            contour.ContourData = moved


BREAKS: dict[str, Break] = {
    "same study": put(StudyInstanceUID="1.2.3"),
    "same patient": put(PatientID="another"),
    "series of its own": into_series_of_images,
    "UTF-8": put(SpecificCharacterSet="ISO_IR 100"),
    "series described": put(SeriesDescription=""),
    "lengths of texts": too_long_a_text,
    "equipment": take("DeviceSerialNumber"),
    "SR class": put(SOPClassUID="1.2.840.10008.5.1.4.1.1.88.11"),
    "3D SR class": put(SOPClassUID="1.2.840.10008.5.1.4.1.1.88.33"),
    "root": put_in("ConceptNameCodeSequence", CodeValue="126001"),
    "empty report is text": no_groups,
    "template 1500": put_in("ContentTemplateSequence", TemplateIdentifier="2000"),
    "Image Library": root_without("111028"),
    "Tracking Identifier": without("112039"),
    "Tracking UID": without("112040"),
    "Tracking UIDs differ": one_tracking_uid,
    "each group is drawn": bare_group,
    "no SCOORD3D": into_space,
    "drawn on an image": onto_another_image,
    "evidence": no_evidence,
    "one study": evidence_of_another_study,
    "points in place": half_a_pixel_off,
    "lesions drawn": one_lesion_less,
    "tool named": plain_identifier,
    "first NUM is drawn": score_first,
    "NUM has one child": two_children,
    "closed ring": open_ring,
    "lines and meanings": other_letters,
    "area of the box": twice_the_area,
    "Finding": without("121071"),
    "one comment": said_twice,
    "Finding Site": without("363698007"),
    "images first": segmentation_first,
    "Bounded by": without("130400"),
    "region at the group": region_away,
    "algorithm named": without("111003"),
    "device observer": root_without("121012"),
    "complete, unverified": put(VerificationFlag="VERIFIED"),
    "at most 400 frames": put(NumberOfFrames=401),
    "no empty segment": empty_pixels,
    "segments in a row": put_in("SegmentSequence", SegmentNumber=7),
    "labels": one_label,
    "AUTOMATIC": put_in("SegmentSequence", SegmentAlgorithmType="MANUAL"),
    "segments tracked": one_tracked,
    "BINARY": put(SegmentationType="FRACTIONAL"),
    "LABELMAP": put(SegmentationType="BINARY"),
    "frames over images": put(FrameOfReferenceUID="1.2.3"),
    "series named": put_in("ReferencedSeriesSequence", SeriesInstanceUID="1.2.3"),
    "voxels in place": one_slice_off,
    "PIXEL units": in_display_units,
    "one layer": two_layers,
    "layer of an AI": layer_without_a_name,
    "text beside": no_texts,
    "counts of points": one_point_more,
    "images named": foreign_image,
    "same greys": take("RescaleSlope"),
    "whole image shown": shifted_area,
    "title of key images": a_rejection,
    "key slices": other_key_image,
    "burned in": take("BurnedInAnnotation"),
    "derived": put(ImageType=["ORIGINAL", "PRIMARY"]),
    "plain pixels": put(BitsAllocated=16),
    "closed contours": put_in("ROIContourSequence", ContourSequence=[]),
    "regions observed": put(RTROIObservationsSequence=[]),
    "regions named": put_in("StructureSetROISequence", ROIName=""),
    "contours in place": beside_the_lesion,
}
