"""What viewers want of presentation states, key object selections, secondary captures and structure sets. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from pydicom import Dataset

from dicom_node.viewer_rules.rule import Expected
from dicom_node.viewer_rules.tree import code_of, evidence_of, references_of, root_of

REJECTING = {"113001", "113037", "113038", "113039"}
"""Titles of CID 7010 and 7011 by which an archive hides what is named (IHE IOCM)."""
OF_INTEREST = {"113000", "113002", "113003", "113004", "113005", "113006", "113007", "113008", "113009", "113013",
               "113018"}  # fmt: skip
"""CID 7010, less what rejects."""


# --- presentation states ----------------------------------------------------------------------------------------


def _annotations(ds: Dataset) -> Iterator[Dataset]:
    yield from ds.get("GraphicAnnotationSequence") or ()


def _graphics(ds: Dataset) -> Iterator[Dataset]:
    for annotation in _annotations(ds):
        yield from annotation.get("GraphicObjectSequence") or ()


def other_units(ds: Dataset, expected: Expected) -> Iterator[str]:
    for annotation in _annotations(ds):
        for graphic in annotation.get("GraphicObjectSequence") or ():
            if graphic.get("GraphicAnnotationUnits") != "PIXEL":
                yield "a graphic is not in PIXEL units"
        for text in annotation.get("TextObjectSequence") or ():
            units = text.get("AnchorPointAnnotationUnits") or text.get("BoundingBoxAnnotationUnits")
            if units != "PIXEL":
                yield "a text does not stand in PIXEL units"


def several_layers(ds: Dataset, expected: Expected) -> Iterator[str]:
    layers = [str(layer.get("GraphicLayer", "")) for layer in ds.get("GraphicLayerSequence") or ()]
    if len(layers) != 1:
        yield f"it has {len(layers)} layers, to be switched off it must be one"
    if {str(annotation.get("GraphicLayer", "")) for annotation in _annotations(ds)} - set(layers):
        yield "an annotation lies on a layer that is not described"


def unnamed_layer(ds: Dataset, expected: Expected) -> Iterator[str]:
    for layer in ds.get("GraphicLayerSequence") or ():
        if "AI" not in f"{layer.get('GraphicLayer', '')} {layer.get('GraphicLayerDescription', '')}":
            yield "its layer does not say that it is of an AI"


def no_text(ds: Dataset, expected: Expected) -> Iterator[str]:
    for annotation in _annotations(ds):
        texts = [str(text.get("UnformattedTextValue") or "") for text in annotation.get("TextObjectSequence") or ()]
        if not any(texts):
            yield "an annotation has no text"


def other_count_of_points(ds: Dataset, expected: Expected) -> Iterator[str]:
    for graphic in _graphics(ds):
        if int(graphic.get("GraphicDimensions") or 0) != 2 or (
            len(graphic.GraphicData) != 2 * int(graphic.get("NumberOfGraphicPoints") or 0)
        ):
            yield "a graphic has another number of points than it says"


def shows_other_images(ds: Dataset, expected: Expected) -> Iterator[str]:
    """Each image that is drawn on is referenced, in the images' study, and has a displayed area (PS3.3 C.11.11)."""
    referenced = {
        str(image.ReferencedSOPInstanceUID)
        for series in ds.get("ReferencedSeriesSequence") or ()
        for image in series.ReferencedImageSequence
    }
    drawn = {str(image.ReferencedSOPInstanceUID) for each in _annotations(ds) for image in each.ReferencedImageSequence}
    known = {str(image.SOPInstanceUID) for image in expected.images}
    if not drawn <= referenced <= known:
        yield "it draws on images that it does not refer to, or that are not those of the study"


def other_area_displayed(ds: Dataset, expected: Expected) -> Iterator[str]:
    """Whole images: from pixel 1\\1 to the last column and row, counted from 1 (PS3.3 C.10.4)."""
    first = expected.images[0]
    corner = (int(first.Columns), int(first.Rows))
    areas = ds.get("DisplayedAreaSelectionSequence") or ()
    if not areas:
        yield "it displays no area"
    for area in areas:
        top_left = tuple(int(value) for value in area.DisplayedAreaTopLeftHandCorner)
        if top_left != (1, 1) or tuple(int(value) for value in area.DisplayedAreaBottomRightHandCorner) != corner:
            yield "it does not display the whole image"


def other_greys(ds: Dataset, expected: Expected) -> Iterator[str]:
    """What a presentation state leaves out counts as none: rescale and window are those of the images (PS3.4 N.2)."""
    first = expected.images[0]
    for keyword in ("RescaleSlope", "RescaleIntercept"):
        if keyword in first and (keyword not in ds or float(ds[keyword].value) != float(first[keyword].value)):
            yield f"it does not repeat the {keyword} of the images"
    if first.get("WindowCenter") not in (None, "") and not ds.get("SoftcopyVOILUTSequence"):
        yield "it has no window, the images have one"


# --- key object selections --------------------------------------------------------------------------------------


def other_title(ds: Dataset, expected: Expected) -> Iterator[str]:
    title = code_of(root_of(ds))
    if title in REJECTING or title not in OF_INTEREST:
        yield f"its title {title} is none of key images"


def no_key_images(ds: Dataset, expected: Expected) -> Iterator[str]:
    """It names the key slice of each lesion, and all of its evidence."""
    named = set(references_of(ds))
    if not {shape.image.sop_instance_uid for shape in expected.shapes} <= named:
        yield "the slice of a lesion is not among its key images"
    if named - evidence_of(ds).keys():
        yield "a key image does not stand in its evidence"


# --- secondary captures -----------------------------------------------------------------------------------------


def may_name_a_patient(ds: Dataset, expected: Expected) -> Iterator[str]:
    """The attribute asks for what identifies the patient; our legend does not, a slice may (PS3.3 C.7.6.1)."""
    from_source = any(image.get("BurnedInAnnotation") == "YES" for image in expected.images)
    if ds.get("BurnedInAnnotation") != ("YES" if from_source else "NO"):
        yield "it does not say whether a name is burned in"


def not_derived(ds: Dataset, expected: Expected) -> Iterator[str]:
    image_type = [str(value) for value in ds.get("ImageType") or ()]
    if image_type[:2] != ["DERIVED", "SECONDARY"]:
        yield "its Image Type is not DERIVED\\SECONDARY, so it may be measured like an original"


def not_plain_pixels(ds: Dataset, expected: Expected) -> Iterator[str]:
    if int(ds.get("BitsAllocated") or 0) != 8 or ds.get("PhotometricInterpretation") not in ("RGB", "MONOCHROME2"):
        yield "its pixels are not 8 bits of RGB or MONOCHROME2"


# --- structure sets ---------------------------------------------------------------------------------------------


def no_contour(ds: Dataset, expected: Expected) -> Iterator[str]:
    regions = {int(roi.ROINumber) for roi in ds.StructureSetROISequence}
    drawn = {
        int(roi.ReferencedROINumber)
        for roi in ds.ROIContourSequence
        if any(contour.ContourGeometricType == "CLOSED_PLANAR" for contour in roi.get("ContourSequence") or ())
    }
    if regions != drawn:
        yield "a region has no closed planar contour"


def region_without_observation(ds: Dataset, expected: Expected) -> Iterator[str]:
    regions = {int(roi.ROINumber) for roi in ds.StructureSetROISequence}
    if regions != {int(each.ReferencedROINumber) for each in ds.RTROIObservationsSequence}:
        yield "a region has no observation"


def region_without_name(ds: Dataset, expected: Expected) -> Iterator[str]:
    names = [str(roi.get("ROIName") or "") for roi in ds.StructureSetROISequence]
    if "" in names or len(set(names)) != len(names):
        yield "its regions have no name of their own each"
