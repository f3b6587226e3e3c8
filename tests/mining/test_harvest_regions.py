"""Regions through the whole harvest: what arrives late, and one mask that two objects tell about."""

from builders import FINDING, NODULE, SERIES, STUDY, code, ct_series, group, tid1500
from builders_regions import TISSUE, Frame, Roi, contour, on_slice, plus, referenced_segment, rtstruct, seg, segment
from harvest_node import Node
from pydicom.dataset import Dataset

CT = ct_series()
MIDDLE, MASKS = f"{SERIES}.2", f"{SERIES}.77"
OTHER_STUDY = f"{STUDY}.55"


def masks(label: str = "Lesion", study: str = STUDY) -> Dataset:
    """Without a tracking UID: that it is the report's lesion is known by its points and by who drew them."""
    frame = Frame(plus(21, 9), CT[1].ImagePositionPatient, [MIDDLE])
    unclear = segment(1, label, TISSUE, TISSUE)
    return seg([unclear], [frame], sop_instance_uid=MASKS, study_uid=study)


def nodule(**document: object) -> Dataset:
    return tid1500(group(code(FINDING, NODULE), referenced_segment(MASKS), tracking_uid="1.9"), **document)


def test_a_segmentation_waits_for_its_image_in_another_study(node: Node) -> None:
    node.receive(masks(study=OTHER_STUDY))
    node.harvest(OTHER_STUDY)
    assert node.rejections() == [("SegmentSequence[1]", "no_plane")]
    node.receive(*CT)
    node.harvest()
    assert [row.sop_instance_uid for row in node.truth()] == [MIDDLE]
    assert node.rejections() == []


def test_a_structure_set_waits_for_its_image_in_another_study(node: Node) -> None:
    ring = [(22.0, 24.0), (32.0, 19.5), (42.0, 24.0), (32.0, 28.5)]
    ds = rtstruct(Roi([contour(on_slice(CT[1], ring), MIDDLE)]))
    ds.StudyInstanceUID = OTHER_STUDY
    node.receive(ds)
    node.harvest(OTHER_STUDY)
    assert node.rejections() == [("StructureSetROISequence[1]", "no_plane")]
    node.receive(*CT)
    node.harvest()
    assert [row.sop_instance_uid for row in node.truth()] == [MIDDLE]


def test_a_report_waits_for_the_segmentation_that_it_names(node: Node) -> None:
    node.receive(*CT, nodule(study_uid=OTHER_STUDY))
    node.harvest()
    node.harvest(OTHER_STUDY)
    assert [code for _, code in node.rejections()] == ["segment_not_here"]
    node.receive(masks("Segment 1"))
    node.harvest()
    assert [row.source_kind for row in node.truth()] == ["SR"]
    assert [code for _, code in node.rejections()] == ["unclear_segment"]  # of the segmentation itself


def test_a_lesion_that_a_mask_and_a_report_on_it_tell_about_is_one_of_truth(node: Node) -> None:
    node.receive(*CT, masks("Lesion"), nodule())
    node.harvest()
    assert len(node.truth()) == 1


def test_the_same_objects_give_the_same_rows_again(node: Node) -> None:
    node.receive(*CT, masks("Lesion"), nodule())
    node.harvest()
    before = [(row.lesion_id, row.long_axis_mm, row.excluded_because) for row in node.rows()]
    node.harvest()
    assert [(row.lesion_id, row.long_axis_mm, row.excluded_because) for row in node.rows()] == before
