"""A later study of a phantom: the same lesions in the same body, whatever the scanner did."""

from functools import cache

import numpy as np
import pytest

from db.geometry import PointMm
from dicom_node.phantom.follow_up import TWINS_FROM, FollowUp, make_follow_up
from dicom_node.phantom.settings import PhantomSettings
from dicom_node.phantom.study import PhantomStudy, make_study
from mining.planes import frame_planes

pytestmark = pytest.mark.slow

SETTINGS = PhantomSettings(rows=96, slices=(14, 18), lesions=(3, 4), unread_share=0.0, odd_geometry_share=1.0)
SEED, INDEX = 7, 1


@cache
def first() -> PhantomStudy:
    return make_study(SEED, INDEX, SETTINGS)


def later(**change: object) -> PhantomStudy:
    return make_follow_up(SEED, INDEX, FollowUp(**change), SETTINGS)  # type: ignore[arg-type]


def by_number(study: PhantomStudy) -> dict[int, np.ndarray]:
    return {lesion.number: xyz(lesion.centre_mm) for lesion in study.lesions}


def xyz(place: PointMm) -> np.ndarray:
    return np.array([place.x, place.y, place.z])


def test_in_the_same_frame_every_lesion_is_where_it_was() -> None:
    before, after = by_number(first()), later(same_frame=True)
    assert after.images[0].FrameOfReferenceUID == first().images[0].FrameOfReferenceUID
    assert len(before) > 1 and by_number(after).keys() == before.keys()
    assert all(np.allclose(centre, before[n]) for n, centre in by_number(after).items())


def test_on_another_table_all_of_them_moved_alike_and_the_frame_is_another() -> None:
    before, after = by_number(first()), later(pixels=(1.1, 0.9), interval=0.8, growth={1: 1.3, 2: 0.7})
    shifts = [centre - before[n] for n, centre in by_number(after).items()]
    assert len(shifts) > 1 and np.allclose(shifts, shifts[0]) and np.abs(shifts[0]).max() > 1
    assert after.images[0].FrameOfReferenceUID != first().images[0].FrameOfReferenceUID


def test_a_lesion_grows_shrinks_and_goes_as_one_wants_it() -> None:
    numbers = sorted(by_number(first()))
    lengths = {lesion.number: lesion.long_axis_mm for lesion in first().lesions}
    after = later(same_frame=True, growth={numbers[0]: 1.5}, gone=frozenset({numbers[1]}))
    assert numbers[1] not in by_number(after)
    grown = {lesion.number: lesion.long_axis_mm for lesion in after.lesions}
    assert grown[numbers[0]] / lengths[numbers[0]] == pytest.approx(1.5, abs=0.3)


def test_every_lesion_may_have_a_twin_at_its_side() -> None:
    after = by_number(later(same_frame=True, twin_mm=20.0))
    twins = [n for n in after if n > TWINS_FROM]
    assert twins
    for n in twins:
        if n - TWINS_FROM in after:
            assert np.linalg.norm(after[n] - after[n - TWINS_FROM]) == pytest.approx(20.0)


def test_turned_images_show_the_same_pixels_at_the_same_places() -> None:
    plain, turned = later(), later(turned=True)
    for one, other in zip(plain.images, turned.images, strict=True):
        ours, theirs = frame_planes(one)[0], frame_planes(other)[0]
        assert ours.normal == pytest.approx([-v for v in theirs.normal])
        last_row = np.frombuffer(other.PixelData, "<u2").reshape(other.Rows, other.Columns)[-1]
        assert (last_row == np.frombuffer(one.PixelData, "<u2").reshape(one.Rows, one.Columns)[0]).all()
        assert theirs.to_px(ours.origin)[0].row == pytest.approx(other.Rows - 1, abs=0.01)
    for lesion, mirrored in zip(plain.lesions, turned.lesions, strict=True):
        image = next(ds for ds in plain.images if ds.SOPInstanceUID == lesion.key_sop_instance_uid)
        same = next(ds for ds in turned.images if ds.SOPInstanceUID == mirrored.key_sop_instance_uid)
        here = frame_planes(image)[0].to_mm(lesion.box.centre)
        assert np.allclose(xyz(here), xyz(frame_planes(same)[0].to_mm(mirrored.box.centre)), atol=0.01)


def test_the_same_arguments_give_the_same_bytes_and_another_visit_another_study() -> None:
    one, again, next_one = later(), later(), later(number=2, days=180)
    assert one.images[0].PixelData == again.images[0].PixelData
    assert one.study_instance_uid == again.study_instance_uid != next_one.study_instance_uid
    assert one.patient_id == first().patient_id == next_one.patient_id
    assert first().images[0].StudyDate < one.images[0].StudyDate < next_one.images[0].StudyDate


def test_a_follow_up_of_a_follow_up_is_refused() -> None:
    with pytest.raises(ValueError, match="of a first study"):
        make_follow_up(SEED, 6, FollowUp(), SETTINGS)
