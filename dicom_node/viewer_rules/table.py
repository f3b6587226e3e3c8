"""All rules, one a line: what a viewer wants, of which encodings, who says so, and what happens if it is broken. Pure.

"measured": seen in OHIF 3.13.2 with Orthanc, object by object; a name of a file: read in the viewer's source.
"""

from __future__ import annotations

from dicom_node.report.profiles import PROFILES
from dicom_node.viewer_rules import of_drawings as place
from dicom_node.viewer_rules import of_every_object as every
from dicom_node.viewer_rules import of_others as other
from dicom_node.viewer_rules import of_reports as report
from dicom_node.viewer_rules import of_segmentations as seg
from dicom_node.viewer_rules.rule import Rule

OHIF, SLICER = frozenset(("ohif", "ohif-comprehensive")), frozenset(("slicer", "slicer-comprehensive"))
AIR, SEG, LABELMAP, GSPS, SC, KO, RTSTRUCT, TRANSLATION = (
    frozenset((name,)) for name in ("air", "seg", "seg-labelmap", "gsps", "sc", "ko", "rtstruct", "translation")
)
"""`translation` is no profile: a person's marks, written anew by `dicom-node translate`."""
TAKEN_UP = OHIF | TRANSLATION
"""What OHIF must take up as measurements."""
IN_OHIF = TAKEN_UP | SLICER | AIR
"""What OHIF must at least display, all of it."""
BY_US = OHIF | SLICER | AIR
REPORTS = BY_US | TRANSLATION
MASKS = SEG | LABELMAP
ALL = REPORTS | MASKS | GSPS | SC | KO | RTSTRUCT

_HANDLER, _TOOL = "getSopClassHandlerModule.ts", "Cornerstone3D adapters"
_SLICER = "DICOMTID1500Plugin.py"

RULES: tuple[Rule, ...] = (
    # name, viewer, version, source, otherwise, profiles, faults
    Rule("same study", "OHIF", "3.13.2", "measured", "not listed in the study", ALL, every.other_study),
    Rule("same patient", "OHIF", "3", "OHIF #3148", "taken for another patient", ALL, every.other_patient),
    Rule("series of its own", "OHIF", "3.13.2", "measured", "only the last instance of a series is shown", ALL,
         every.shared_series),
    Rule("UTF-8", "any", "", "PS3.3 C.12.1.1.2", "names are shown with other letters", ALL, every.other_character_set),
    Rule("series described", "any", "", "PS3.3 C.7.3.1", "a line without a name in the study's list", ALL,
         every.no_description),
    Rule("lengths of texts", "any", "", "PS3.5 6.2", "cut off, or refused by the archive", ALL, every.too_long),
    Rule("equipment", "IHE AIR", "", "AI Results, provenance", "nobody can tell what made it", ALL,
         every.no_equipment),
    # reports
    Rule("SR class", "OHIF", "3.13.2", "measured", "not opened", REPORTS, report.other_class),
    Rule("3D SR class", "IHE AIR", "", "AI Results, Evidence Creator", "no conformance", AIR, report.not_3d_class),
    Rule("root", "OHIF", "3.13.2", _HANDLER, "a message, and nothing is shown", REPORTS, report.other_root),
    Rule("empty report is text", "OHIF", "3.13.2", "measured", "black viewport", REPORTS, report.empty_under_the_root),
    Rule("template 1500", "3D Slicer", "", _SLICER, "not offered for loading", REPORTS, report.other_template),
    Rule("Image Library", "OHIF", "3.13.2", _HANDLER, "the handler ends, the report is not opened", REPORTS,
         report.no_library),
    Rule("Tracking Identifier", "OHIF", "3.13.2", "measured", "black viewport", REPORTS, report.no_tracking_id),
    Rule("Tracking UID", "OHIF", "3.13.2", "measured", "black viewport", REPORTS, report.no_tracking_uid),
    Rule("Tracking UIDs differ", "OHIF", "3.13.2", "measured", "only the first of the groups is shown", IN_OHIF,
         report.shared_tracking_uid),
    Rule("each group is drawn", "OHIF", "3.13.2", "measured", "black viewport for the whole report", IN_OHIF,
         report.nothing_drawn),
    Rule("no SCOORD3D", "OHIF", "3.13.2", "measured", "not shown in a stack of slices; never in Weasis", IN_OHIF,
         report.drawn_in_space),
    Rule("drawn on an image", "OHIF", "3.13.2", "measured", "shown on no slice", REPORTS, report.on_no_image),
    Rule("evidence", "any", "", "PS3.3 C.17.2.3", "the archive does not find the images", REPORTS,
         report.evidence_lacks),
    Rule("one study", "OHIF", "3.13.2", _HANDLER, "no support for several studies", REPORTS, report.several_studies),
    Rule("points in place", "any", "", "PS3.3 C.18.6.1", "half a pixel off, or on another slice", IN_OHIF | GSPS,
         place.out_of_place),
    Rule("lesions drawn", "any", "", "", "a finding is not seen", IN_OHIF | GSPS, place.lesion_not_drawn),
    # taken up by OHIF as measurements
    Rule("tool named", "OHIF", "3.13.2", "measured", "shown, but cannot be taken up", TAKEN_UP, report.foreign_tool),
    Rule("first NUM is drawn", "OHIF", "3.13.2", "measured", "shown, but cannot be taken up", TAKEN_UP,
         report.first_number_not_drawn),
    Rule("NUM has one child", "OHIF", "3.13.2", _HANDLER, "the number gets no coordinates", TAKEN_UP,
         report.more_than_coordinates),
    Rule("closed ring", "OHIF", "3.13.2", _TOOL, "the rectangle is not taken up", TAKEN_UP, report.no_ring),
    Rule("lines and meanings", "OHIF", "3.13.2", _TOOL, "the group vanishes", TAKEN_UP, report.other_lines),
    Rule("area of the box", "OHIF", "3.13.2", "measured", "another area once the slice is viewed", TAKEN_UP,
         report.other_area),
    # Slicer, AIR
    Rule("one comment", "OHIF", "3.13.2", "measured", "several texts beside one mark", TAKEN_UP,
         report.several_comments),
    Rule("Finding", "3D Slicer", "", _SLICER, "the group is left out", BY_US, report.no_finding),
    Rule("Finding Site", "3D Slicer", "", _SLICER, "nothing is loaded", SLICER, report.no_site),
    Rule("images first", "3D Slicer", "", _SLICER, "another series is loaded", SLICER, report.images_not_first),
    Rule("Bounded by", "3D Slicer", "", "QuantitativeReporting #292", "a box is drawn as a line", SLICER,
         report.not_bounded),
    Rule("region at the group", "3D Slicer", "", _SLICER, "no region is made", SLICER, report.no_graphic_of_its_own),
    Rule("algorithm named", "IHE AIR", "", "PS3.16 TID 4019", "no conformance", BY_US, report.no_algorithm),
    Rule("device observer", "IHE AIR", "", "PS3.16 TID 1004", "no conformance", REPORTS, report.no_device),
    Rule("complete, unverified", "IHE AIR", "", "PS3.3 C.17.2", "taken for a draft, or for a doctor's report",
         REPORTS, report.not_complete),
    # masks
    Rule("at most 400 frames", "Weasis", "4.6", "Weasis #680", "switched off", MASKS, seg.too_many_frames),
    Rule("no empty segment", "OHIF", "3.13.2", "cornerstone", "a label that marks nothing", MASKS, seg.empty_segment),
    Rule("segments in a row", "any", "", "PS3.3 C.8.20.4", "segments are mixed up", MASKS, seg.gaps_between_segments),
    Rule("labels", "OHIF", "3.13.2", "measured", "segments cannot be told apart", MASKS, seg.no_label),
    Rule("AUTOMATIC", "any", "", "PS3.3 C.8.20.2.3", "taken for a person's", MASKS, seg.not_by_an_algorithm),
    Rule("segments tracked", "any", "", "PS3.3 C.8.20.2", "not known again in the report", MASKS, seg.not_tracked),
    Rule("BINARY", "any", "", "PS3.3 C.8.20.2", "not opened by older viewers", SEG, seg.not_binary),
    Rule("LABELMAP", "any", "", "PS3.3 A.90", "not what the peer accepted", LABELMAP, seg.not_a_labelmap),
    Rule("frames over images", "OHIF", "3.13.2", "measured", "laid over the wrong pixels, or not opened", MASKS,
         seg.other_frame),
    Rule("series named", "OHIF", "3.13.2", "DICOMSEG", "no series to lay it over", MASKS, seg.names_no_images),
    Rule("voxels in place", "OHIF", "3.13.2", "measured", "beside the lesion", MASKS, place.mask_out_of_place),
    # presentation states
    Rule("PIXEL units", "Sectra", "IDS7", "conformance statement", "moves when the window is resized", GSPS,
         other.other_units),
    Rule("one layer", "Sectra", "IDS7", "conformance statement", "cannot be switched off at once", GSPS,
         other.several_layers),
    Rule("layer of an AI", "any", "", "PS3.3 C.10.7", "taken for a person's drawing", GSPS, other.unnamed_layer),
    Rule("text beside", "Agfa", "IMPAX", "HE/001132", "a shape that says nothing", GSPS, other.no_text),
    Rule("counts of points", "Weasis", "4.6", "PrGraphicUtil.java", "drawn wrong or not at all", GSPS,
         other.other_count_of_points),
    Rule("images named", "any", "", "PS3.3 C.11.11", "not offered for the images", GSPS, other.shows_other_images),
    Rule("same greys", "Weasis", "4.6", "Weasis #746, PS3.4 N.2", "another window as soon as it is opened", GSPS,
         other.other_greys),
    Rule("whole image shown", "any", "", "PS3.3 C.10.4", "the image is cut or shifted", GSPS,
         other.other_area_displayed),
    # the others
    Rule("title of key images", "any", "", "PS3.16 CID 7010", "the archive hides the images", KO, other.other_title),
    Rule("key slices", "any", "", "PS3.3 C.17.6", "a finding's slice is not among them", KO, other.no_key_images),
    Rule("burned in", "any", "", "PS3.3 C.7.6.1", "held back, as if it named the patient", SC,
         other.may_name_a_patient),
    Rule("derived", "any", "", "PS3.3 C.7.6.1.1.2", "taken for an original image", SC, other.not_derived),
    Rule("plain pixels", "any", "", "PS3.3 C.8.6.1", "not shown everywhere", SC, other.not_plain_pixels),
    Rule("closed contours", "any", "", "PS3.3 C.8.8.6", "a region without a shape", RTSTRUCT, other.no_contour),
    Rule("regions observed", "any", "", "PS3.3 C.8.8.8", "left out on import", RTSTRUCT,
         other.region_without_observation),
    Rule("regions named", "any", "", "PS3.3 C.8.8.5", "regions cannot be told apart", RTSTRUCT,
         other.region_without_name),
    Rule("contours in place", "Horos", "", "Horos #447", "half a pixel off, or beside the lesion", RTSTRUCT,
         place.contour_out_of_place),
)  # fmt: skip


def rules_for(profile: str) -> list[Rule]:
    """The rules of an encoding, in the order of the table."""
    return [rule for rule in RULES if profile in rule.profiles]


def profiles_of(rule: Rule) -> list[str]:
    """Those of the rule's encodings that are built."""
    return [name for name in PROFILES if name in rule.profiles]
