"""A lesion keeps its id when its document is read again, wherever a newer reader finds it."""

import time
from dataclasses import replace

from db.geometry import Axis, BoxPx, PointPx
from db.measurement import ImageReference, Measurement, Source, WeakLabel
from mining.lasting_ids import Known, lasting_ids

IMAGE = ImageReference("1.1", 2)


def measured(item: str, at: float, *, outline: BoxPx | None = None, short: bool = True) -> Measurement:
    long_axis = Axis(PointPx(at, 10.0), PointPx(at + 12.0, 30.0))
    short_axis = Axis(PointPx(at + 2.0, 22.0), PointPx(at + 9.0, 18.0)) if short else None
    return Measurement(Source("1.5", item, "SR"), IMAGE, long_axis, short_axis, outline=outline)


def pointed(item: str, point: PointPx | None) -> WeakLabel:
    return WeakLabel(Source("1.5", item, "KO"), IMAGE, point)


def known(*found: Measurement | WeakLabel) -> list[Known]:
    rows = []
    for one in found:
        if isinstance(one, WeakLabel):
            rows.append(Known(one.lesion_id, one.source.item, one.image, None, None, None, one.point))
        else:
            axes = (one.long_axis, one.short_axis, one.outline)
            rows.append(Known(one.lesion_id, one.source.item, one.image, *axes, None))
    return rows


def test_a_new_document_has_the_ids_of_its_places() -> None:
    found = [measured("1.1", 10.0), measured("1.2", 50.0), pointed("1.3", None)]
    assert lasting_ids([], found) == [one.lesion_id for one in found]


def test_the_same_reading_again_changes_nothing() -> None:
    found = [measured("1.1", 10.0), measured("1.2", 10.0), pointed("1.3", PointPx(4.0, 5.0)), pointed("1.4", None)]
    assert lasting_ids(known(*found), found) == [one.lesion_id for one in found]


def test_a_drawing_that_is_found_at_another_place_keeps_its_id() -> None:
    before = [measured("1.1", 10.0), measured("1.2", 50.0)]
    after = [measured("1.2", 10.0), measured("1.3", 50.0)]
    assert lasting_ids(known(*before), after) == [one.lesion_id for one in before]


def test_the_place_of_a_drawing_that_moved_away_is_not_given_twice() -> None:
    before = [measured("1.1", 10.0)]
    after = [measured("1.1", 70.0), measured("1.2", 10.0)]
    ids = lasting_ids(known(*before), after)
    assert ids[1] == before[0].lesion_id
    assert len(set(ids)) == 2
    again = [replace(row, lesion_id=lesion_id) for row, lesion_id in zip(known(*after), ids, strict=True)]
    assert lasting_ids(again, after) == ids


def test_axes_that_changed_their_rank_are_the_same_drawing() -> None:
    one = measured("1.1", 10.0)
    assert one.short_axis is not None
    swapped = replace(one, source=Source("1.5", "1.9", "SR"), long_axis=one.short_axis, short_axis=one.long_axis)
    near = replace(swapped, long_axis=one.long_axis, short_axis=one.short_axis)
    assert lasting_ids(known(one), [near]) == [one.lesion_id]


def test_a_region_keeps_its_id_when_its_axes_are_computed_otherwise() -> None:
    region = BoxPx(10.0, 10.0, 40.0, 30.0)
    before = measured("1.1", 10.0, outline=region)
    after = replace(measured("1.4", 14.0, outline=region), derived=True)
    assert lasting_ids(known(before), [after]) == [before.lesion_id]


def test_a_drawing_that_a_newer_reader_corrects_at_its_place_keeps_its_id() -> None:
    """Even where that is not the place that the id was made of."""
    first, moved = measured("1.1", 10.0), measured("1.2", 10.0)
    rows = [replace(known(moved)[0], lesion_id=first.lesion_id)]
    assert lasting_ids(rows, [measured("1.2", 10.5)]) == [first.lesion_id]


def test_another_frame_is_another_lesion() -> None:
    before = measured("1.1", 10.0)
    after = replace(before, source=Source("1.5", "1.2", "SR"), image=ImageReference("1.1", 3))
    assert lasting_ids(known(before), [after]) == [after.lesion_id]


def test_thousands_of_lesions_are_compared_in_a_second() -> None:
    before = [measured(f"1.{n}", float(n % 97) * 5, short=n % 2 == 0) for n in range(5_000)]
    after = [replace(one, source=Source("1.5", f"2.{n}", "SR")) for n, one in enumerate(before)]
    start = time.perf_counter()
    assert sorted(lasting_ids(known(*before), after)) == sorted(one.lesion_id for one in before)
    assert time.perf_counter() - start < 3


def test_thousands_of_drawings_around_one_middle_that_all_changed_are_compared_in_a_second() -> None:
    def around(n: int, off: float) -> Measurement:
        long_axis = Axis(PointPx(10.0 - n / 5 + off, 10.0), PointPx(20.0 + n / 5 - off, 20.0))
        return Measurement(Source("1.5", f"1.{n}", "SR"), IMAGE, long_axis)

    before, after = ([around(n, off) for n in range(5_000)] for off in (0.0, 0.1))
    start = time.perf_counter()
    assert lasting_ids(known(*before), after) == [one.lesion_id for one in before]
    assert time.perf_counter() - start < 3
