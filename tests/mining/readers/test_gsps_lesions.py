"""What belongs together on a presentation state: lines, heads, ticks, regions; and which text is about which."""

import math

import pytest
from builders import COLUMNS, ROWS, SERIES, Dataset, Line, Point, annotation, graphic, text_object
from builders_gsps import BOX, KITE, LONG, SHORT, boxed_text, compound, linked, state, with_compounds

from db.geometry import Axis, BoxPx, PixelSpacing, PointPx
from db.measurement import ImageReference, Measurement, Rejected, WeakLabel
from mining.elements import MAX_TEXT
from mining.known_images import NO_IMAGES, KnownImage, KnownImages, NoImages
from mining.readers.gsps import MAX_GRAPHICS, read_gsps, reject_computed_views

IMAGE = f"{SERIES}.1"
FAR: Line = ((48.0, 40.0), (60.0, 40.0))
SPACING = PixelSpacing(0.8, 0.5)


class Here(NoImages):
    """One frame of every image."""

    def find(self, image: ImageReference) -> KnownImage | None:
        return KnownImage(ROWS, COLUMNS, SPACING) if image.frame_number == 1 else None


Said = tuple[list[Measurement], list[WeakLabel], list[str]]


def read(*annotations: Dataset, images: KnownImages = NO_IMAGES, **parts: object) -> Said:
    found = list(read_gsps(state(*annotations, **parts), images))  # type: ignore[arg-type]
    return (
        [one for one in found if isinstance(one, Measurement)],
        [one for one in found if isinstance(one, WeakLabel)],
        [one.reason_code for one in found if isinstance(one, Rejected)],
    )


def on_image(*graphics: Dataset, texts: list[Dataset] | None = None, layer: str = "MEASURE") -> Dataset:
    return annotation(graphics, texts or [], [IMAGE], layer=layer)


def lines(*axes: Line) -> list[Dataset]:
    return [graphic("POLYLINE", axis) for axis in axes]


def axis(line: Line) -> Axis:
    return Axis(PointPx(*line[0]), PointPx(*line[1]))


def stated(one: Measurement) -> tuple[float | None, float | None]:
    return one.stated_long_axis_mm, one.stated_short_axis_mm


# --- lines


def test_lines_of_two_annotations_that_cross_are_one_lesion_with_both_texts() -> None:
    first, second = lines(SHORT, LONG)
    (found,), _, rejected = read(
        on_image(first, texts=[boxed_text("10,0 mm", (50.0, 2.0), (60.0, 5.0))], layer="A"),
        on_image(second, texts=[boxed_text("20,0 mm", (50.0, 8.0), (60.0, 11.0))], layer="B"),
        images=Here(),
    )
    assert (found.long_axis, found.short_axis, stated(found)) == (axis(LONG), axis(SHORT), (20.0, 10.0))
    assert (found.comment, rejected) == ("10,0 mm; 20,0 mm", [])


def test_two_lines_of_a_group_are_a_pair_though_they_cross_near_an_end() -> None:
    edge: Line = ((41.0, 10.0), (41.0, 22.0))
    (found,), _, _ = read(on_image(*(linked(one, group=3) for one in lines(LONG, edge))), groups={3: "TL3"})
    assert (found.short_axis, found.tracking_id) == (axis(edge), "TL3")
    assert len(read(on_image(*lines(LONG, edge)))[0]) == 2


def test_lines_of_two_groups_are_two_lesions_though_they_cross() -> None:
    first, second = lines(LONG, SHORT)
    found, _, _ = read(on_image(linked(first, group=1), linked(second, group=2)))
    assert [one.short_axis for one in found] == [None, None]


def test_a_lesion_is_tracked_by_the_ids_of_its_lines() -> None:
    first, second = lines(LONG, SHORT)
    drawn = on_image(linked(first, tracking=("TL1", "1.2.3")), linked(second, tracking=("TL1", "1.2.3")))
    (found,), _, _ = read(drawn)
    assert (found.tracking_id, found.tracking_uid, found.short_axis) == ("TL1", "1.2.3", axis(SHORT))


@pytest.mark.parametrize("place", [0, 1])
def test_a_tick_at_the_end_of_a_line_measures_nothing(place: int) -> None:
    col, row = FAR[place]
    (found,), _, rejected = read(on_image(*lines(FAR, ((col, row - 1.0), (col, row + 1.0)))))
    assert (found.long_axis, rejected) == (axis(FAR), ["not_a_measurement"])


def test_the_tick_at_the_middle_of_a_line_is_told_by_its_layer() -> None:
    tick: Line = ((54.0, 38.8), (54.0, 41.2))
    (found,), _, rejected = read(on_image(*lines(FAR, tick), layer="ID"), layers={"ID": "Line"})
    assert (found.short_axis, rejected) == (None, ["not_a_measurement"])
    (found,), _, rejected = read(on_image(*lines(FAR, tick), layer="ID"), layers={"ID": "Distance"})
    assert (found.short_axis, rejected) == (axis(tick), [])


def test_points_at_the_ends_of_a_line_are_its_handles() -> None:
    handles = [graphic("POINT", [end]) for end in FAR]
    found, places, rejected = read(on_image(*lines(FAR), *handles, graphic("POINT", [(5.0, 5.0)])))
    assert (len(found), [place.point for place in places], rejected) == (1, [PointPx(5.0, 5.0)], ["axes_are_drawn"] * 2)


# --- arrows and other places


@pytest.mark.parametrize(
    "head",
    [
        graphic("POLYLINE", [(33.0, 20.0), (30.0, 20.0), (30.0, 23.0)]),
        graphic("POLYLINE", [(30.0, 20.0), (33.0, 21.0), (31.0, 23.0), (30.0, 20.0)]),
    ],
)
@pytest.mark.parametrize("ends", [((50.0, 40.0), (30.0, 20.0)), ((30.0, 20.0), (50.0, 40.0))])
def test_a_line_with_a_head_is_an_arrow_and_points_at_something(head: Dataset, ends: Line) -> None:
    found, (place,), rejected = read(on_image(head, *lines(ends), texts=[text_object("TL 4?", (50.0, 41.0))]))
    assert (found, rejected) == ([], [])
    assert (place.point, place.tracking_id, place.comment) == (PointPx(30.0, 20.0), "TL 4", "TL 4?")
    assert place.source.kind == "GSPS" and place.image == ImageReference(IMAGE)


def test_an_arrow_without_a_head_is_told_by_its_layer_and_begins_at_what_it_shows() -> None:
    found, (place,), _ = read(on_image(*lines(LONG), layer="Pfeil_1"))
    assert (found, place.point) == ([], PointPx(*LONG[0]))


def test_a_stroke_that_is_the_head_of_nothing_is_rejected() -> None:
    stroke = graphic("POLYLINE", [(33.0, 20.0), (30.0, 20.0), (30.0, 33.0)])
    assert read(on_image(stroke))[2] == ["open_polyline"]
    assert read(on_image(graphic("CIRCLE", BOX[:2]), layer="arrows"))[2] == ["not_a_measurement"]


def test_several_points_are_one_place_in_their_middle() -> None:
    _, (place,), _ = read(on_image(graphic("MULTIPOINT", [(10.0, 10.0), (20.0, 10.0), (15.0, 25.0)])))
    assert place.point == PointPx(15.0, 15.0)


def test_a_text_that_points_and_names_a_lesion_is_a_place() -> None:
    found, places, _ = read(on_image(texts=[text_object("TL2 23 mm", (7.0, 8.0)), text_object("L", (1.0, 1.0))]))
    assert found == []
    assert [(one.point, one.tracking_id, one.comment) for one in places] == [(PointPx(7.0, 8.0), "TL2", "TL2 23 mm")]


def test_texts_that_name_no_lesion_are_no_measurement() -> None:
    assert read(on_image(texts=[text_object("R", (1.0, 1.0)), boxed_text("TL1", (5.0, 5.0), (9.0, 9.0))])) == (
        [], [], ["no_measurement"],
    )  # fmt: skip


# --- regions


def test_a_region_around_two_drawn_axes_is_the_same_lesion() -> None:
    (found,), _, rejected = read(on_image(*lines(LONG, SHORT), graphic("INTERPOLATED", KITE)))
    assert (found.derived, rejected) == (False, ["axes_are_drawn"])


def test_a_filled_outline_may_be_open() -> None:
    corners = [(10.0, 10.0), (40.0, 12.0), (30.0, 40.0), (12.0, 38.0)]
    drawn = graphic("POLYLINE", corners)
    assert read(on_image(drawn))[2] == ["open_polyline"]
    drawn.GraphicFilled = "Y"
    (found,), _, _ = read(on_image(drawn))
    assert found.derived and found.outline == BoxPx(10.0, 10.0, 40.0, 40.0)


# --- compound graphics


def test_the_plain_drawing_of_a_compound_graphic_is_not_read_too() -> None:
    plain = [linked(one, compound=1) for one in lines(LONG, ((10.0, 29.0), (10.2, 31.0)))]
    drawn = with_compounds(on_image(*plain, *lines(FAR)), compound("RANGELINE", LONG, 1))
    found, _, rejected = read(drawn)
    assert ([one.long_axis for one in found], rejected) == ([axis(LONG), axis(FAR)], [])


def test_the_plain_drawing_of_an_unknown_compound_graphic_is_read_in_its_place() -> None:
    drawn = with_compounds(on_image(linked(lines(LONG)[0], compound=1)), compound("VENDOR_CALIPER", LONG, 1))
    (found,), _, rejected = read(drawn)
    assert (found.long_axis, rejected) == (axis(LONG), ["unknown_graphic"])


@pytest.mark.parametrize("kind", ["CUTLINE", "INFINITELINE", "AXIS"])
def test_lines_of_other_planes_and_scales_measure_nothing(kind: str) -> None:
    drawn = with_compounds(on_image(linked(lines(LONG)[0], compound=1)), compound(kind, LONG, 1))
    assert read(drawn) == ([], [], ["not_a_measurement"])


@pytest.mark.parametrize(("kind", "points"), [("ARROW", LONG), ("CROSSHAIR", LONG[:1])])
def test_arrows_and_cross_hairs_point_at_something(kind: str, points: tuple[Point, ...]) -> None:
    found, (place,), _ = read(with_compounds(on_image(), compound(kind, points)))
    assert (found, place.point) == ([], PointPx(*LONG[0]))


@pytest.mark.parametrize(("kind", "derived"), [("RECTANGLE", BoxPx(10.0, 10.0, 42.0, 35.0)), ("ELLIPSE", None)])
def test_rectangles_and_ellipses_are_drawn_by_two_corners(kind: str, derived: BoxPx | None) -> None:
    (found,), _, _ = read(with_compounds(on_image(), compound(kind, [BOX[0], BOX[2]])), images=Here())
    assert found.derived and found.outline == BoxPx(10.0, 10.0, 42.0, 35.0)
    assert found.short_axis is not None
    lengths = found.long_axis.length_mm(SPACING), found.short_axis.length_mm(SPACING)
    assert lengths == pytest.approx((20.0, 16.0))


def test_a_turned_ellipse_keeps_its_axes_in_the_patient() -> None:
    drawn = compound("ELLIPSE", [BOX[0], BOX[2]], angle_deg=30.0, about=(26.0, 22.5))
    (found,), _, _ = read(with_compounds(on_image(), drawn), images=Here())
    assert found.short_axis is not None
    assert found.long_axis.length_mm(SPACING) == pytest.approx(20.0, abs=1e-4)
    assert found.short_axis.length_mm(SPACING) == pytest.approx(16.0, abs=1e-4)
    assert found.long_axis.angle_to_deg(found.short_axis, SPACING) == pytest.approx(90.0, abs=1e-3)
    turned = found.long_axis.angle_to_deg(Axis(PointPx(0.0, 0.0), PointPx(0.0, 1.0)), SPACING)
    assert turned == pytest.approx(30.0, abs=1e-3)


def test_each_line_of_many_has_a_path_of_its_own() -> None:
    points = [*FAR, (5.0, 5.0), (9.0, 5.0)]
    found, _, _ = read(with_compounds(on_image(), compound("MULTILINE", points)))
    assert [one.source.item.rpartition(".")[2] for one in found] == ["1", "2"]
    assert len({one.lesion_id for one in found}) == 2


@pytest.mark.parametrize(
    ("drawn", "reason"),
    [
        (compound("RULER", LONG[:1]), "too_few_points"),
        (compound("RULER", [LONG[0], LONG[0]]), "zero_length"),
        (compound("RECTANGLE", [LONG[0], LONG[0]]), "zero_length"),
        (compound("ELLIPSE", [LONG[0], LONG[0]]), "zero_length"),
        (compound("CROSSHAIR", []), "too_few_points"),
    ],
)
def test_a_compound_graphic_without_extent_is_rejected(drawn: Dataset, reason: str) -> None:
    assert read(with_compounds(on_image(), drawn)) == ([], [], [reason])


# --- layers and texts that are of no lesion


@pytest.mark.parametrize(
    ("name", "description", "refused"),
    [
        ("ID", "Calibration Ruler", True),
        ("CALIBRATION", "", True),
        ("ID", "Cobb Angle", True),
        ("ID", "Winkel", True),
        ("REFERENCE_LINES", "", True),
        ("cut line", "", True),
        ("ID", "Rectangle", False),
        ("ID", "Triangle_1", False),
        ("ID", "Distance", False),
    ],
)
def test_a_layer_says_that_it_holds_no_lesion(name: str, description: str, refused: bool) -> None:
    found, _, rejected = read(on_image(*lines(LONG), layer=name), layers={name: description})
    assert (len(found), rejected) == ((0, ["not_a_measurement"]) if refused else (1, []))


def test_a_text_that_calls_a_line_a_scale_takes_that_line_alone() -> None:
    texts = [text_object("Calibration 50 mm", FAR[0]), text_object("20 mm", LONG[0])]
    (found,), _, rejected = read(on_image(*lines(LONG, FAR), texts=texts))
    assert (found.long_axis, stated(found), rejected) == (axis(LONG), (20.0, None), ["not_a_measurement"])


def test_both_arms_of_an_angle_are_no_lesion_and_a_diameter_beside_is() -> None:
    arms = lines(((10.0, 5.0), (40.0, 5.0)), ((10.0, 5.0), (30.0, 9.0)))
    texts = [text_object("11,3°", (40.0, 6.0)), text_object("6 mm", FAR[0])]
    (found,), _, rejected = read(on_image(*arms, *lines(FAR), texts=texts))
    assert (found.long_axis, rejected) == (axis(FAR), ["not_a_measurement"] * 2)


# --- texts


def test_each_line_has_the_text_that_is_nearest_of_all() -> None:
    """The first line is nearer to the other's text than to its own; the other has none but that."""
    texts = [text_object("6 mm", (46.0, 38.0)), text_object("20 mm", (2.0, 44.0))]
    found, _, _ = read(on_image(*lines(LONG, FAR), texts=texts))
    assert [stated(one)[0] for one in found] == [20.0, 6.0]


def test_a_text_that_states_what_one_line_measures_is_about_that_line() -> None:
    """LONG is 20 mm and FAR 6 mm long; where the image is known that counts before nearness."""
    texts = [text_object("20,2 mm", FAR[0]), text_object("6 mm", LONG[0])]
    drawn = on_image(*lines(LONG, FAR), texts=texts)
    assert [stated(one)[0] for one in read(drawn, images=Here())[0]] == [20.2, 6.0]
    assert [stated(one)[0] for one in read(drawn)[0]] == [6.0, 20.2]
    texts[1].UnformattedTextValue = "19,8 mm"  # both are about 20 mm, so neither tells
    assert [stated(one)[0] for one in read(drawn, images=Here())[0]] == [19.8, 20.2]


def test_a_line_takes_one_value_and_leaves_the_other_to_the_line_of_another_annotation() -> None:
    texts = [text_object("6 mm", FAR[0]), text_object("20 mm", LONG[1])]
    found, _, _ = read(on_image(*lines(FAR), texts=texts), on_image(*lines(LONG), layer="OTHER"))
    assert [stated(one)[0] for one in found] == [6.0, 20.0]


def test_texts_without_a_place_go_to_the_lines_in_order() -> None:
    found, _, _ = read(on_image(*lines(LONG, FAR), texts=[text_object("20 mm"), text_object("6 mm")]))
    assert [stated(one)[0] for one in found] == [20.0, 6.0]


def test_the_value_and_the_name_of_a_lesion_may_be_two_texts() -> None:
    texts = [
        text_object(value, at)
        for value, at in (("TL1", LONG[0]), ("20 mm", LONG[1]), ("TL2", FAR[0]), ("6 mm", FAR[1]))
    ]
    found, _, _ = read(on_image(*lines(LONG, FAR), texts=texts))
    assert [(one.tracking_id, stated(one)[0]) for one in found] == [("TL1", 20.0), ("TL2", 6.0)]


def test_two_values_beside_two_diameters_are_one_each() -> None:
    texts = [text_object("6 mm", FAR[0]), text_object("B 10 mm", SHORT[1]), text_object("L 20 mm", LONG[1])]
    found, _, _ = read(on_image(*lines(LONG, SHORT, FAR), texts=texts))
    assert [stated(one) for one in found] == [(20.0, 10.0), (6.0, None)]


def test_a_linked_text_stays_with_its_group_wherever_it_stands() -> None:
    first, second = lines(LONG, FAR)
    texts = [linked(text_object("20 mm", FAR[0]), group=1), linked(text_object("6 mm", LONG[0]), group=2)]
    found, _, _ = read(on_image(linked(first, group=1), linked(second, group=2), texts=texts))
    assert [stated(one)[0] for one in found] == [20.0, 6.0]


def test_a_layer_of_texts_is_about_the_lines_beside_them() -> None:
    near, far_off = text_object("20 mm", (44.0, 15.0)), text_object("77 mm", (200.0, 300.0))
    (found,), _, _ = read(on_image(*lines(LONG)), on_image(texts=[near, far_off], layer="TEXT"))
    assert (stated(found)[0], found.comment) == (20.0, "20 mm")


def test_a_text_in_another_charset_or_with_nul_harms_nothing() -> None:
    drawn = on_image(*lines(LONG), texts=[text_object("L\x00 20 mm \udcff", LONG[0])])
    (found,), _, _ = read(drawn)
    assert stated(found)[0] == 20.0
    assert "\x00" not in found.comment


def test_a_comment_is_no_longer_than_a_text() -> None:
    texts = [text_object(f"{n} {'prose ' * 150}") for n in range(6)]
    (found,), _, _ = read(on_image(*lines(LONG), texts=[*texts, text_object("20 mm")]))
    assert (len(found.comment), stated(found)[0]) == (MAX_TEXT, 20.0)


# --- bounds


def test_more_graphics_than_anybody_draws_are_not_read_on() -> None:
    drawn = [graphic("POLYLINE", [(n, 0.0), (n, 9.0 + n / 9)]) for n in range(MAX_GRAPHICS + 5)]
    found, _, rejected = read(on_image(*drawn), on_image(*lines(LONG)))
    assert (len(found), rejected) == (MAX_GRAPHICS, ["too_many_drawings"])


def test_the_lines_of_one_graphic_count_each() -> None:
    points = [(float(n % 300), float(n // 300) + (n % 2) * 5) for n in range(2 * MAX_GRAPHICS + 10)]
    found, _, rejected = read(with_compounds(on_image(*lines(LONG)), compound("MULTILINE", points)))
    assert (len(found), rejected) == (MAX_GRAPHICS, ["too_many_drawings"])


def test_outlines_of_more_points_than_can_be_measured_in_time_are_rejected() -> None:
    rings = [
        graphic("POLYLINE", [(99 + n * math.cos(k / 60), 99 + n * math.sin(k / 60)) for k in range(378)])
        for n in range(10, 110)
    ]
    found, _, rejected = read(on_image(*rings))
    assert len(found) + len(rejected) == 100
    assert set(rejected) == {"too_many_points"}


def test_a_volumetric_state_is_drawn_on_no_image() -> None:
    (rejected,) = reject_computed_views(state(on_image(*lines(LONG))))
    assert isinstance(rejected, Rejected) and rejected.reason_code == "computed_view"


@pytest.mark.parametrize("words", ["Aortic root 32 mm", "BPD 45 mm", "Kidney length 11.2 cm"])
def test_the_size_of_an_organ_is_no_lesion(words: str) -> None:
    found, places, rejected = read(on_image(*lines(LONG), texts=[text_object(words, (12.0, 8.0))]))
    assert (found, places, rejected) == ([], [], ["not_a_measurement"])
