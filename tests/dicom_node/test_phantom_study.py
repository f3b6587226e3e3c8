"""Phantom studies: the same for the same seed, and the truth agrees with the pixels and the geometry."""

from itertools import pairwise

import numpy as np
import pytest
from phantom_studies import SMALL, plane_of, small_study
from scipy import ndimage

from db.geometry import BoxPx
from dicom_node.phantom.settings import PhantomSettings, visit_of
from dicom_node.phantom.study import PhantomStudy, make_study

STUDIES = range(8)


def hu_of(image) -> np.ndarray:
    stored = np.frombuffer(image.PixelData, "<u2").reshape(image.Rows, image.Columns).astype(float)
    return stored * float(image.RescaleSlope) + float(image.RescaleIntercept)


def by_uid(study: PhantomStudy) -> dict:
    return {image.SOPInstanceUID: image for image in study.images}


def test_a_study_is_the_same_whatever_was_made_before() -> None:
    first = small_study(3)
    make_study(5, 1, SMALL)
    again = make_study(5, 3, SMALL)
    assert [image.to_json() for image in again.images[:2]] == [image.to_json() for image in first.images[:2]]
    assert [image.PixelData for image in again.images] == [image.PixelData for image in first.images]
    assert [report.to_json() for report in again.reports] == [report.to_json() for report in first.reports]
    assert again.lesions == first.lesions
    assert again.lookalikes == first.lookalikes


def test_another_seed_is_another_patient_with_other_lesions_and_no_uid_in_common() -> None:
    one, other = small_study(0), small_study(0, seed=6)
    assert one.patient_id == "PHANTOM-5-0" != other.patient_id
    assert not {i.SOPInstanceUID for i in one.images} & {i.SOPInstanceUID for i in other.images}
    assert one.lesions != other.lesions


def test_one_patient_in_six_comes_back_with_the_same_lesions_grown() -> None:
    follow_up = visit_of(5, 6)
    assert follow_up.number == 1
    assert follow_up.patient in range(6)
    before, after = small_study(follow_up.patient), small_study(6)
    assert before.patient_id == after.patient_id
    assert before.study_instance_uid != after.study_instance_uid
    assert before.images[0].StudyDate < after.images[0].StudyDate
    assert before.images[0].FrameOfReferenceUID != after.images[0].FrameOfReferenceUID
    assert [(a.number, a.kind, a.marked) for a in after.lesions] == [
        (b.number, b.kind, b.marked) for b in before.lesions
    ]
    assert before.lesions
    for old, new in zip(before.lesions, after.lesions, strict=True):
        assert 1.02 < new.long_axis_mm / old.long_axis_mm < 1.9


def test_indices_of_a_run_belong_to_six_patients_in_seven_studies() -> None:
    patients = [visit_of(9, index).patient_id for index in range(70)]
    assert len(set(patients)) == 60


@pytest.mark.parametrize("index", STUDIES)
def test_boxes_are_the_extent_of_the_axes_and_five_pixels(index: int) -> None:
    for lesion in small_study(index).lesions:
        assert lesion.box == BoxPx.around(lesion.long_axis.points + lesion.short_axis.points, margin_px=5.0)
        assert lesion.boxes[lesion.key_sop_instance_uid] == lesion.box
        assert lesion.long_axis_mm >= lesion.short_axis_mm - 1e-9


@pytest.mark.parametrize("index", STUDIES)
def test_the_centre_lies_in_the_box_when_mapped_through_the_images_own_plane(index: int) -> None:
    study = small_study(index)
    for lesion in study.lesions:
        image = by_uid(study)[lesion.key_sop_instance_uid]
        plane = plane_of(image)
        foot, away_mm = plane.to_px(lesion.centre_mm)
        assert lesion.box.x1 < foot.col < lesion.box.x2
        assert lesion.box.y1 < foot.row < lesion.box.y2
        assert abs(away_mm) <= float(image.SliceThickness) * 1.51
        assert lesion.long_axis.length_mm(plane.spacing) == pytest.approx(lesion.long_axis_mm)


def test_free_lung_nodules_in_the_pixels_reach_as_far_as_their_axes() -> None:
    errors = []
    for index in range(14):
        study = small_study(index)
        for lesion in (lesion for lesion in study.lesions if lesion.kind == "lung nodule"):
            bright, _ = ndimage.label(hu_of(by_uid(study)[lesion.key_sop_instance_uid]) > -420)
            middle = lesion.box.centre
            spot = np.argwhere(bright == bright[round(middle.row), round(middle.col)])
            cols = [p.col for p in lesion.outline]
            rows = [p.row for p in lesion.outline]
            (top, left), (bottom, right) = spot.min(axis=0), spot.max(axis=0)
            box = lesion.box
            if not (box.x1 < left and right < box.x2 and box.y1 < top and bottom < box.y2):
                continue  # it touches the chest wall or a vessel, so that its own border cannot be told by HU
            errors.append(
                [left - 0.5 - min(cols), right + 0.5 - max(cols), top - 0.5 - min(rows), bottom + 0.5 - max(rows)]
            )
    assert len(errors) >= 3
    assert np.abs(np.median(errors, axis=0)).max() < 0.8  # pixels: a swapped axis or a lost half is more


@pytest.mark.parametrize("index", STUDIES)
def test_every_odd_study_is_anisotropic_non_square_or_oblique(index: int) -> None:
    image = small_study(index).images[0]
    anisotropic = image.PixelSpacing[0] != image.PixelSpacing[1]
    oblique = abs(float(image.ImageOrientationPatient[0])) < 0.9999
    assert anisotropic or oblique or image.Rows != image.Columns


def test_most_studies_are_square_and_axial_by_default_and_all_oddities_occur_together_with_odd_settings() -> None:
    plain = make_study(5, 0, PhantomSettings(rows=64, slices=(8, 8), lesions=(0, 0), odd_geometry_share=0.0)).images[0]
    assert (plain.Rows, plain.Columns) == (64, 64)
    assert plain.PixelSpacing[0] == plain.PixelSpacing[1]
    assert [float(v) for v in plain.ImageOrientationPatient] == [1, 0, 0, 0, 1, 0]
    images = [small_study(index).images[0] for index in STUDIES]
    assert any(image.PixelSpacing[0] != image.PixelSpacing[1] for image in images)
    assert any(image.Rows != image.Columns for image in images)
    assert any(abs(float(image.ImageOrientationPatient[0])) < 0.9999 for image in images)


@pytest.mark.parametrize("index", STUDIES)
def test_slices_are_one_interval_apart_along_the_normal(index: int) -> None:
    images = small_study(index).images
    steps = [b.position_mm - a.position_mm for a, b in pairwise(plane_of(image) for image in images)]
    assert np.abs(steps) == pytest.approx(float(images[0].SliceThickness), abs=0.01)
    assert [image.InstanceNumber for image in images] == list(range(1, len(images) + 1))


def test_a_vessel_end_on_goes_on_in_the_next_slices_and_is_no_lesion() -> None:
    seen = 0
    for index in range(14):
        study = small_study(index)
        images = sorted(study.images, key=lambda image: plane_of(image).position_mm)
        places = [image.SOPInstanceUID for image in images]
        for alike in (a for a in study.lookalikes if a.kind == "vessel end-on"):
            s = places.index(alike.sop_instance_uid)
            row, col = round(alike.point.row), round(alike.point.col)
            if not 1 <= s < len(images) - 1:
                continue
            around = [hu_of(images[t])[row - 3 : row + 4, col - 3 : col + 4].max() for t in (s - 1, s, s + 1)]
            seen += 1
            assert min(around) > -650  # lung without a vessel is below -750
    assert seen >= 3


def test_nothing_is_marked_and_nothing_reported_when_the_share_is_zero() -> None:
    study = make_study(5, 2, PhantomSettings(rows=96, slices=(10, 12), lesions=(3, 3), marked_share=0.0))
    assert study.lesions
    assert not any(lesion.marked for lesion in study.lesions)
    assert (study.reports, study.dialect) == ([], None)


def test_without_lesions_the_tuple_is_empty() -> None:
    study = make_study(5, 2, PhantomSettings(rows=64, slices=(8, 9), lesions=(0, 0)))
    assert (study.lesions, study.reports) == ((), [])
    assert 8 <= len(study.images) <= 9


def test_every_image_says_that_it_is_synthetic() -> None:
    image = small_study(1).images[0]
    assert "synthetic phantom" in image.SeriesDescription
    assert "synthetic phantom" in image.ImageComments
    assert str(image.PatientName) == "Phantom^0001"


@pytest.mark.parametrize(
    "wrong", [{"rows": 32}, {"slices": (20, 10)}, {"slices": (2, 4)}, {"lesions": (-1, 2)}, {"marked_share": 1.2}]
)
def test_settings_refuse_what_cannot_be(wrong: dict) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        PhantomSettings(**wrong)


def test_negative_seed_or_index_is_refused() -> None:
    with pytest.raises(ValueError, match="seed and index"):
        make_study(-1, 0)
    with pytest.raises(ValueError, match="seed and index"):
        make_study(0, -1)


@pytest.mark.slow
def test_a_run_of_studies_has_many_kinds_visible_lesions_and_the_share_of_marks_asked_for() -> None:
    studies = [make_study(17, index) for index in range(42)]
    lesions = [lesion for study in studies for lesion in study.lesions]
    assert len({lesion.kind for lesion in lesions}) >= 9
    assert len({study.images[0].BodyPartExamined for study in studies}) == 4
    assert 0.35 < np.mean([lesion.marked for lesion in lesions]) < 0.55
    assert np.mean([any(lesion.marked for lesion in study.lesions) for study in studies]) > 0.8
    assert 4 < min(lesion.long_axis_mm for lesion in lesions) < 6  # drawn from 5 mm; tipped and in pixels a little less
    assert max(lesion.long_axis_mm for lesion in lesions) < 60
    assert 0.1 < np.mean([lesion.long_axis_mm < 8 for lesion in lesions]) < 0.3
    assert 0.03 < np.mean([abs(lesion.contrast_hu) < 40 for lesion in lesions]) < 0.25
    assert {study.dialect.name for study in studies if study.dialect} == {"OHIF", "AXES", "REGION", "GSPS"}
